//! Takes over a deployment to continue it: the claim, the operator's order, and the run of the
//! driver.

use std::sync::Arc;

use super::drive::{Session, drive, give_back};
use super::error::Error;
use super::observer::Notice;
use super::orders::Orders;
use super::outcome::Outcome;
use crate::claim::{self, Claim, ClaimError, Obstacle, Patience, WaitsBehind};
use crate::deployment::Deployment;
use crate::driver::DriveError;
use crate::journal::{Journal, JournalError};
use crate::machine::Order;
use crate::shared::{DeploymentRecord, Lease};
use crate::store::DriveLock;

/// A deployment that this process may carry out.
pub(super) struct Claimed {
    pub deployment: Deployment,
    pub lock: DriveLock,
    /// `None` where the journal is on this machine alone.
    pub lease: Option<Lease>,
    /// Whether it rested when it was found, before this process took its lock: only then does an
    /// order refer to that rest.
    pub rested: bool,
}

impl Session<'_> {
    /// Takes over a deployment that has no runner, carries an order out, and carries the deployment
    /// on until it rests. Where another process holds its lock, this waits for as long as it takes
    /// to see whether that process is alive.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn go_on(
        &mut self,
        found: DeploymentRecord,
        orders: Orders,
    ) -> Result<Outcome, Error> {
        let claimed = self.claim(found).await?;
        self.carry_out(claimed, orders).await
    }

    /// Becomes the runner of a deployment: on this machine, and everywhere.
    async fn claim(&mut self, found: DeploymentRecord) -> Result<Claimed, Error> {
        let id = found.deployment.plan.id.clone();
        let rested = found.deployment.state.rests();
        let lock = self.store.lock_drive(&id)?;
        // What the process before wrote at last.
        let here = self.store.find(&id)?;
        let here = here.map(|here| DeploymentRecord::here(self.store, here));
        let found = DeploymentRecord::later(here.transpose()?, Some(found));
        // Whether its word is taken is judged once nobody else drives it.
        let deployment = found.expect("one of the two is there").deployment;
        self.find_environments(&deployment.plan).await?;
        let lease = match self.shared_of(&deployment.plan) {
            None => {
                self.store.has_lost_nothing(&deployment, &lock)?;
                None
            }
            Some(shared) => {
                let shared = Some(shared);
                let claim =
                    Claim::to_go_on(self.store, &self.clock, shared, &deployment, self.lease)?;
                self.lease_of(claim, &deployment, &lock).await?
            }
        };
        Ok(Claimed {
            deployment,
            lock,
            lease,
            rested,
        })
    }

    async fn lease_of(
        &self,
        mut claim: Claim,
        deployment: &Deployment,
        lock: &DriveLock,
    ) -> Result<Option<Lease>, Error> {
        let id = &deployment.plan.id;
        let limits = &deployment.plan.wishes.limits;
        let patience = Patience {
            behind: WaitsBehind::TheSilent,
            timeout: limits.patience,
            poll: limits.poll,
        };
        self.observer.observe(Notice::Claiming);
        let attempt = async || self.attempt(&mut claim, Some(lock)).await.map(Some);
        let tell = |error: &ClaimError| {
            if let ClaimError::Obstructed(obstacle) = error {
                match &**obstacle {
                    Obstacle::Held(held) => self.observer.observe(Notice::LeaseHeld { id, held }),
                    Obstacle::Away(error) => self.observer.observe(Notice::LeaseUnanswered(error)),
                    Obstacle::Driven { .. } | Obstacle::Unfinished { .. } | Obstacle::Ahead(_) => {}
                }
            }
        };
        let lease = claim::wait(self.clock, &self.interruption, patience, attempt, tell).await;
        lease.map_err(|error| match error {
            ClaimError::Obstructed(obstacle) => match *obstacle {
                Obstacle::Away(error) => Error::drive(id, error),
                obstacle => ClaimError::from(obstacle).into(),
            },
            error => Error::claiming(id, error),
        })
    }

    /// One attempt to take a lock, which is released where an interruption comes meanwhile.
    pub(super) async fn attempt(
        &self,
        claim: &mut Claim,
        lock: Option<&DriveLock>,
    ) -> Result<Option<Lease>, ClaimError> {
        let taking = claim.take(self.store, &self.clock, lock);
        let returned = async |taken: Result<_, _>| give_back(taken.unwrap_or_default()).await;
        self.interruption.take(taking, returned).await?
    }

    /// Takes a deployment over where it stands, carries an order out, and starts the driver.
    pub(super) async fn carry_out(
        &mut self,
        claimed: Claimed,
        orders: Orders,
    ) -> Result<Outcome, Error> {
        let Claimed {
            deployment,
            lock,
            lease,
            rested,
        } = claimed;
        let id = deployment.plan.id.clone();
        if let Err(error) = orders.fit(&deployment) {
            give_back(lease).await;
            return Err(error);
        }
        let reader = self.reader();
        let (mut journal, mut deployment) = match lease {
            None => (Journal::local(self.store), deployment),
            Some(lease) => {
                let vouch = async |record: &DeploymentRecord, here: Option<&Deployment>| {
                    Box::pin(orders.vouched.check(&reader, record, here))
                        .await
                        .map_err(NotTakenUp::Here)
                };
                let lease = Arc::new(lease);
                let taking = Journal::take_up(self.store, Arc::clone(&lease), &id, vouch);
                let taken_up = match self.interruption.unless(taking).await {
                    Ok(taken_up) => taken_up,
                    Err(interrupted) => {
                        lease.release().await;
                        return Err(interrupted.into());
                    }
                };
                let found = taken_up.map_err(|ends| match ends {
                    NotTakenUp::Here(error) => error,
                    NotTakenUp::Journal(error) => Error::TakeOver {
                        id: id.clone(),
                        error: DriveError::from(error),
                    },
                })?;
                found.ok_or_else(|| Error::Gone(id.clone()))?
            }
        };
        let has_come_to_rest = deployment.state.rests() && !rested;
        let goes_on = orders.order == Order::Resume;
        if goes_on && (deployment.state.is_end() || has_come_to_rest) {
            // Killed after its last checkpoint, or it paused or was held while its lease was
            // waited for: nobody who has seen that has said that it is to go on.
            journal.close().await;
            return Ok(deployment.into());
        }
        let done = match orders.approves(&deployment, self.approver.is_some()) {
            Err(error) => Err(error),
            Ok(()) => {
                self.observer.observe(Notice::Ordering { id: &id });
                let written =
                    orders.write_down(&self.cloud, &mut journal, &mut deployment, self.clock);
                let written = self.interruption.unless(written).await;
                written.map_err(Error::from).and_then(|written| written)
            }
        };
        let done = done.and_then(|()| match orders.interrupted_since {
            // The one who waited for an approval is missed by nobody.
            Some(since) if !deployment.state.rests() => {
                let now = self.clock.now();
                Ok(journal.notify_of_interruption(&deployment, since, now)?)
            }
            Some(_) | None => Ok(()),
        });
        if let Err(error) = done {
            journal.close().await;
            return Err(error);
        }
        self.observer.observe(Notice::GoingOn(&deployment));
        drive(
            (&self.cloud, self.clock, &self.interruption),
            (self.listener, self.approver.clone(), self.messenger.clone()),
            (journal, lock),
            deployment,
        )
        .await
    }
}

/// Why a deployment is not taken over.
enum NotTakenUp {
    Journal(JournalError),
    Here(Error),
}

impl From<JournalError> for NotTakenUp {
    fn from(error: JournalError) -> NotTakenUp {
        NotTakenUp::Journal(error)
    }
}
