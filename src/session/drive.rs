//! What a session works with, and the run of the driver that each of its calls ends in.

use std::time::Duration;

use super::error::Error;
use super::observer::{Notice, Observer};
use super::outcome::Outcome;
use crate::approval::Approver;
use crate::claim::Interruption;
use crate::clock::Clock;
use crate::cloud::AwsCloud;
use crate::deployment::Deployment;
use crate::driver::Driver;
use crate::events::Listener;
use crate::journal::Journal;
use crate::plan::Plan;
use crate::report;
use crate::shared::{Lease, SharedState};
use crate::store::{DriveLock, Store};

/// What a session works with.
pub struct Session<'a> {
    /// The clients of the deployment's account and region.
    pub cloud: AwsCloud,
    /// The journal on this machine, by a connection of this session's own.
    pub store: &'a mut Store,
    /// The clock, which the session sets by AWS's.
    pub clock: Clock,
    /// What can interrupt it.
    pub interruption: Interruption,
    /// How long a lock lasts without a renewal.
    pub lease: Duration,
    /// Approves a pause; where it is `None`, an operator's order does.
    pub approver: Option<Approver>,
    /// Hears what happens in the deployment.
    pub listener: &'a dyn Listener,
    /// Hears what happens before the driver begins.
    pub observer: &'a dyn Observer,
}

/// A deployment that this process has just begun.
pub(super) struct Begun {
    pub(super) deployment: Deployment,
    /// `None` where the journal is on this machine alone.
    pub(super) lease: Option<Lease>,
}

impl Session<'_> {
    /// Carries out a deployment that was just begun.
    pub(super) async fn drive(&mut self, begun: Begun, _lock: DriveLock) -> Result<Outcome, Error> {
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
    pub(super) fn shared_of(&self, plan: &Plan) -> Option<SharedState> {
        let shares = plan.shared_state;
        shares.then(|| SharedState::new(self.cloud.bucket(&plan.bucket)))
    }
}

pub(super) async fn drive(
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
    .probing_by(cloud.prober())
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

/// Releases a lock under which nothing was begun.
pub(super) async fn give_back(lease: Option<Lease>) {
    if let Some(lease) = lease {
        lease.release().await;
    }
}
