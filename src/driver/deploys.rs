//! Reports on a deploy while it continues.

use std::time::Duration;

use super::Driver;
use crate::cloud::Cloud;
use crate::deployment::Deployment;
use crate::events::Happened;
use crate::facts::PATIENCES_MAX;
use crate::machine::{Seen, Update};
use crate::plan::Role;

/// How long after its last report that a deploy takes long bluegreen reports it again.
const SAID_AGAIN_AFTER: Duration = Duration::from_secs(5 * 60);

impl<C: Cloud> Driver<'_, C> {
    /// Reports, now and then, that the state's timeout is over and bluegreen continues to wait for
    /// the deploy.
    pub(super) fn say_what_takes_long(&mut self, deployment: &Deployment, seen: &Seen) {
        let now = self.clock.now();
        let is_said = self
            .said_it_takes_long
            .is_some_and(|at| now.since(at) < SAID_AGAIN_AFTER);
        if seen.update != Update::GoesOn || is_said {
            return;
        }
        self.said_it_takes_long = Some(now);
        let patience = deployment.patience();
        let long = Happened::DeployTakesLong {
            environment: target(deployment).to_owned(),
            timeout: patience,
            limit: patience.saturating_mul(PATIENCES_MAX),
        };
        self.tell(deployment, long);
    }
}

/// The name of the environment that the deploy changes.
fn target(deployment: &Deployment) -> &str {
    let role = deployment.deploys_to().unwrap_or(Role::Blue);
    deployment.plan.environment(role)
}
