//! A deployment in this process: the claim to drive it, the drive, and where it came to rest.
//!
//! Nothing here ends the process, prints, or is shared between two sessions: many of them may run
//! in one process, each with a store of its own. What a session is told while it claims goes to an
//! [`Observer`], what happens in its deployment to a [`Listener`].

mod abort;
mod clean_up;
mod error;
mod orders;
mod reader;
mod release;
mod take_over;
mod trust;

use std::time::Duration;

pub use abort::Aborted;
pub use error::Error;
pub use orders::{Orders, Vouched};
pub use release::{Release, surroundings};

use crate::approval::Approver;
use crate::claim::Interruption;
use crate::clock::Clock;
use crate::cloud::AwsCloud;
use crate::deployment::Deployment;
use crate::driver::Driver;
use crate::events::Listener;
use crate::journal::Journal;
use crate::machine::State;
use crate::plan::Plan;
use crate::report;
use crate::shared::{HeldLease, Lease, SharedError, SharedState};
use crate::store::{DriveLock, Store};

/// What a session works with.
pub struct Session<'a> {
    /// The clients of the deployment's account and region.
    pub cloud: AwsCloud,
    /// The journal on this machine, by a connection of this session's own.
    pub store: &'a mut Store,
    /// The clock, which the session sets by AWS's.
    pub clock: Clock,
    /// What asks it to end.
    pub interruption: Interruption,
    /// For how long a lease lasts without a renewal.
    pub lease: Duration,
    /// Who approves a pause; an operator's order, where there is none.
    pub approver: Option<Approver>,
    /// Hears what happens in the deployment.
    pub listener: &'a dyn Listener,
    /// Hears what happens before it is driven.
    pub observer: &'a dyn Observer,
}

/// Hears what a session does before its deployment is driven.
pub trait Observer {
    /// Hears of one thing. It must not block.
    fn observe(&self, notice: Notice<'_>);
}

/// What a session does before its deployment is driven.
#[derive(Debug)]
pub enum Notice<'a> {
    /// From now on it may hold a lock or a place in the queue; nothing was changed.
    Claiming,
    /// A new release waits for what is in its way.
    InQueue(&'a Error),
    /// A lease is held, and is waited for to see whether its holder renews it.
    LeaseHeld {
        /// The deployment that is to be taken over.
        id: &'a str,
        /// The lease.
        held: &'a HeldLease,
    },
    /// The bucket with the lease does not answer for now.
    LeaseUnanswered(&'a SharedError),
    /// The runner of a deployment was asked to roll back.
    AskedToRollBack {
        /// The deployment.
        id: &'a str,
        /// Its runner.
        runner: &'a str,
    },
    /// What tells whether a runner is alive does not answer for now.
    RunnerUnseen(&'a Error),
    /// A deployment's copy in the bucket cannot be read; the journal on this machine does.
    CopyUnread(&'a SharedError),
    /// AWS cannot be read for now: why, in words.
    AwsUnread(&'a str),
    /// Production has changed since the plan was made, so another one is made.
    ProductionChanged {
        /// Its environment.
        blue: &'a str,
    },
    /// From now on an order may have been taken; nothing else was changed.
    Ordering {
        /// The deployment.
        id: &'a str,
    },
    /// A deployment is in the journal, and is driven from its first state on.
    Begun(&'a Deployment),
    /// A deployment is driven on from the state it is in.
    GoingOn(&'a Deployment),
}

/// Where a deployment came to rest.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The deployment.
    pub deployment: Deployment,
    /// How it rests; none where it does not, which is a bug.
    pub rest: Option<Rest>,
}

/// How a deployment rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// The version is released.
    Completed,
    /// The version before it is back.
    RolledBack,
    /// It pauses as its plan says.
    Paused,
    /// It is held: users are on a healthy environment, and a person decides.
    Held,
    /// A person is needed.
    Stuck,
}

impl Rest {
    /// How a deployment in this state rests; none where it does not.
    #[must_use]
    pub fn of(state: &State) -> Option<Rest> {
        match state {
            State::Completed => Some(Rest::Completed),
            State::RolledBack { .. } => Some(Rest::RolledBack),
            State::AwaitingSwap | State::AwaitingCutover => Some(Rest::Paused),
            State::Held { .. } => Some(Rest::Held),
            State::Stuck { .. } => Some(Rest::Stuck),
            State::Preparing
            | State::Cloning
            | State::Warming
            | State::DeployingGreen
            | State::TestingGreen
            | State::SwappingToGreen
            | State::DrainingBlue
            | State::Deploying
            | State::AbortingDeploy { .. }
            | State::Testing
            | State::SwappingToBlue
            | State::Baking
            | State::ReturningToGreen { .. }
            | State::ReturningToBlue { .. }
            | State::TerminatingGreen
            | State::TerminatingBlue
            | State::Discarding { .. } => None,
        }
    }
}

impl From<Deployment> for Outcome {
    fn from(deployment: Deployment) -> Outcome {
        let rest = Rest::of(&deployment.state);
        Outcome { deployment, rest }
    }
}

/// A deployment that this process has just begun.
struct Begun {
    deployment: Deployment,
    /// None where the journal is on this machine alone.
    lease: Option<Lease>,
}

impl Session<'_> {
    /// Drives a deployment that was just begun.
    async fn drive(&mut self, begun: Begun, _lock: DriveLock) -> Result<Outcome, Error> {
        let Begun { deployment, lease } = begun;
        self.observer.observe(Notice::Begun(&deployment));
        let journal = match lease {
            None => Journal::local(self.store),
            Some(lease) => Journal::beginning(self.store, lease),
        };
        drive(
            (&self.cloud, self.clock, &self.interruption),
            (self.listener, self.approver.clone()),
            journal,
            deployment,
        )
        .await
    }

    /// The state in the bucket, of a plan that has one.
    fn shared_of(&self, plan: &Plan) -> Option<SharedState> {
        let shares = plan.shared_state;
        shares.then(|| SharedState::new(self.cloud.bucket(&plan.bucket)))
    }
}

async fn drive(
    (cloud, clock, interruption): (&AwsCloud, Clock, &Interruption),
    (listener, approver): (&dyn Listener, Option<Approver>),
    journal: Journal<'_>,
    mut deployment: Deployment,
) -> Result<Outcome, Error> {
    let driver = Driver::new(
        cloud,
        journal,
        clock,
        interruption.receiver(),
        report::value,
    )
    .heard_by(listener)
    .approved_by(approver);
    match driver.drive(&mut deployment).await {
        Ok(()) => Ok(deployment.into()),
        Err(error) => Err(Error::Drive {
            id: deployment.plan.id.clone(),
            awaits_approval: deployment.awaits_approval(),
            error,
        }),
    }
}

/// Gives a lease back under which nothing was begun.
async fn give_back(lease: Option<Lease>) {
    if let Some(lease) = lease {
        lease.release().await;
    }
}
