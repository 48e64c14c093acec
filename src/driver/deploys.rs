//! What is said of a deploy while it goes on.

use std::time::Duration;

use super::Driver;
use crate::cloud::{Cloud, Sighting};
use crate::deployment::{DeployWarning, Deployment};
use crate::events::Happened;
use crate::facts::update::is_warning;
use crate::facts::{PATIENCES_MAX, events_of_the_deploy};
use crate::machine::{Seen, Update};
use crate::plan::Role;

/// How long after it was said that a deploy takes long it is said again.
const SAID_AGAIN_AFTER: Duration = Duration::from_secs(5 * 60);

impl<C: Cloud> Driver<'_, C> {
    /// Says, now and then, that patience is spent and the deploy waited for all the same.
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

    /// Keeps what the events of the deploy warn of, each once, for the report, and returns what is new.
    pub(super) fn keep_warnings(deployment: &mut Deployment, sighting: &Sighting) -> Vec<Happened> {
        let events = events_of_the_deploy(deployment, sighting).into_iter();
        let mut warnings: Vec<_> = events
            .filter(|event| is_warning(event))
            .map(|event| DeployWarning {
                at: event.at,
                severity: event.severity.clone(),
                message: event.message.clone(),
            })
            .collect();
        warnings.retain(|warning| deployment.keep_warning(warning.clone()));
        let environment = target(deployment).to_owned();
        let told = warnings.into_iter().map(|warning| Happened::DeployWarning {
            environment: environment.clone(),
            severity: warning.severity,
            message: warning.message,
        });
        told.collect()
    }
}

/// What is deployed to.
fn target(deployment: &Deployment) -> &str {
    let role = deployment.deploys_to().unwrap_or(Role::Blue);
    deployment.plan.environment(role)
}
