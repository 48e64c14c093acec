//! Monitors production between two polls of Elastic Beanstalk while it bakes.

use super::production::Production;
use super::{DriveError, Driver, signalled};
use crate::cloud::Cloud;
use crate::deployment::Deployment;
use crate::facts::{Needs, Watched};
use crate::machine::Kind;
use crate::pacing::rarely;

impl<C: Cloud> Driver<'_, C> {
    /// Reads all that may say that production is unhealthy, three times in a poll interval, until
    /// the next poll is due or something does. Returns what production showed last, which that poll
    /// does not read again.
    ///
    /// A poll also reads what changes rarely: where production is, what others do, and whether the
    /// environment that it left is drained.
    pub(super) async fn watch(
        &mut self,
        deployment: &Deployment,
        needs: &Needs,
    ) -> Result<Option<Watched>, DriveError> {
        while self.is_between_polls(deployment) {
            let plan = &deployment.plan;
            let Some(production) = &self.production else {
                return Ok(None);
            };
            let Some(environment) = production.sighting.of(plan, plan.destination()) else {
                return Ok(None);
            };
            let tested = needs.test.map(|(role, _)| role);
            let site = tested.and_then(|role| production.sighting.site(plan, role));
            self.looked_at = Some(self.clock.now());
            let watched = tokio::select! {
                biased;
                watched = self.cloud.watch(plan, needs, environment, site.as_ref()) => watched,
                () = signalled(self.interrupted.clone()) => return Err(DriveError::Signal),
            };
            let sighting = &production.sighting;
            if !self.streaks.is_still_well(deployment, sighting, &watched) {
                return Ok(Some(watched));
            }
            self.pause(deployment).await?;
            if self.test_run.has_ended() || self.journal.retreat_requested(&plan.id).await? {
                break;
            }
        }
        Ok(None)
    }

    /// Whether the next poll is not due yet: the last one found production where it is to stay, with
    /// enhanced health, and is recent, or the environment that production left is drained and the
    /// last one is less than three intervals ago; and the bake is not over.
    fn is_between_polls(&self, deployment: &Deployment) -> bool {
        let Some(Production { sighting, read_at }) = &self.production else {
            return false;
        };
        let (plan, now) = (&deployment.plan, self.clock.now());
        let limits = &plan.wishes.limits;
        let role = plan.destination();
        let every = match deployment.may_drain() {
            true => limits.poll,
            false => rarely(limits.poll),
        };
        let is_enhanced = sighting
            .of(plan, role)
            .is_some_and(|found| found.health_status.is_some());
        deployment.state.kind() == Kind::Baking
            && is_enhanced
            && sighting.production(plan) == Some(role)
            && !self.streaks.wants_reasons()
            && now.since(*read_at) + limits.watch_interval() / 2 < every
            && now.since(deployment.entered_at) < limits.bake
    }
}
