//! What a session works with, and the run of the driver that each of its calls ends in.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::error::Error;
use super::observer::{Notice, Observer};
use super::outcome::Outcome;
use super::past::{past, recent};
use crate::approval::Approver;
use crate::claim::Interruption;
use crate::clock::Clock;
use crate::cloud::AwsCloud;
use crate::deployment::Deployment;
use crate::driver::Driver;
use crate::events::{DeploymentEvent, Happened, Listener};
use crate::journal::Journal;
use crate::notifications::{Courier, Messenger};
use crate::plan::Plan;
use crate::preflight;
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
    /// Sends the messages to the receivers that a plan names.
    pub messenger: Arc<dyn Messenger>,
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
    pub(super) async fn drive(&mut self, begun: Begun, lock: DriveLock) -> Result<Outcome, Error> {
        let Begun { deployment, lease } = begun;
        self.observer.observe(Notice::Begun(&deployment));
        let journal = match lease {
            None => Journal::local(self.store),
            Some(lease) => Journal::beginning(self.store, lease),
        };
        drive(
            (&self.cloud, self.clock, &self.interruption),
            (self.listener, self.approver.clone(), self.messenger.clone()),
            (journal, lock),
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

/// Carries a deployment out, and delivers its messages meanwhile. Once the deployment rests, both
/// locks are released before the last messages are delivered.
pub(super) async fn drive(
    (cloud, clock, interruption): (&AwsCloud, Clock, &Interruption),
    (listener, approver, messenger): (&dyn Listener, Option<Approver>, Arc<dyn Messenger>),
    (journal, lock): (Journal<'_>, DriveLock),
    mut deployment: Deployment,
) -> Result<Outcome, Error> {
    let past = past(
        journal.store(),
        &recent(journal.store(), &deployment.plan.target)?,
    )?;
    let expected = preflight::expected(&deployment.plan, &past);
    let courier = Courier::of(journal.store(), &deployment, messenger);
    let (wake, rests) = (Notify::new(), watch::Sender::new(false));
    let listener = Waking {
        listener,
        wake: &wake,
    };
    let driving = async {
        let receiver = interruption.receiver();
        let driver = Driver::new(cloud, journal, clock, receiver, report::value)
            .heard_by(&listener)
            .probing_by(cloud.prober())
            .expecting(expected)
            .approved_by(approver);
        let driven = driver.drive(&mut deployment).await;
        drop(lock);
        rests.send_replace(true);
        driven
    };
    let delivering = async {
        if let Some(courier) = courier {
            let interrupted = interruption.receiver();
            courier.deliver(&wake, rests.subscribe(), interrupted).await;
        }
    };
    let (driven, ()) = tokio::join!(driving, delivering);
    match driven {
        Ok(()) => Ok(deployment.into()),
        Err(error) => Err(Error::Drive {
            id: deployment.plan.id.clone(),
            awaits_approval: deployment.awaits_approval(),
            error,
        }),
    }
}

/// Wakes the courier at each change of state.
struct Waking<'a> {
    listener: &'a dyn Listener,
    wake: &'a Notify,
}

impl Listener for Waking<'_> {
    fn hear(&self, event: &DeploymentEvent) {
        self.listener.hear(event);
        if matches!(event.record.happened, Happened::StateEntered { .. }) {
            self.wake.notify_one();
        }
    }
}

/// Releases a lock under which nothing was begun.
pub(super) async fn give_back(lease: Option<Lease>) {
    if let Some(lease) = lease {
        lease.release().await;
    }
}
