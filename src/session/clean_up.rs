//! Removes the orphaned resources of a deployment.

use std::time::Duration;

use super::drive::{Session, give_back};
use super::error::Error;
use super::observer::Notice;
use super::outcome::Outcome;
use crate::claim::{self, Claim, Patience, WaitsBehind};
use crate::deployment::Deployment;
use crate::plan::Target;
use crate::shared::{Lease, SharedState};
use crate::store::{DriveLock, StoreError};

impl Session<'_> {
    /// Begins a deployment that only removes an environment, and carries it out until the
    /// environment is gone.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn clean_up(&mut self, mut deployment: Deployment) -> Result<Outcome, Error> {
        // Nobody waits for a version here, so its end is no message about one.
        deployment.plan.wishes.notify = Vec::new();
        let id = deployment.plan.id.clone();
        let target = deployment.plan.target.clone();
        let lock = self.store.lock_drive(&id)?;
        let shared = self.shared_of(&deployment.plan);
        let lease = self.lease_to_clean_up(shared, (&target, &id), Some(&lock));
        let lease = lease.await?;
        if let Some(other) = self.store.unfinished_of(&target)? {
            give_back(lease).await;
            return Err(StoreError::in_flight(&other).into());
        }
        let begun = self.write_down(deployment, lease).await?;
        self.drive(begun, lock).await
    }

    /// Releases the lock that a deployment has left.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn free(
        &mut self,
        shared: SharedState,
        target: &Target,
        id: &str,
    ) -> Result<(), Error> {
        let lease = self.lease_to_clean_up(Some(shared), (target, id), None);
        give_back(lease.await?).await;
        Ok(())
    }

    /// The lock of a target where it is free, or once it has expired.
    async fn lease_to_clean_up(
        &self,
        shared: Option<SharedState>,
        of: (&Target, &str),
        lock: Option<&DriveLock>,
    ) -> Result<Option<Lease>, Error> {
        let mut claim = Claim::to_clean_up(self.store, &self.clock, shared, of, self.lease)?;
        let patience = Patience {
            behind: WaitsBehind::TheSilent,
            timeout: Duration::ZERO,
            poll: Duration::ZERO,
        };
        self.observer.observe(Notice::Claiming);
        let attempt = async || self.attempt(&mut claim, lock).await.map(Some);
        Ok(claim::wait(self.clock, &self.interruption, patience, attempt, |_| {}).await?)
    }
}
