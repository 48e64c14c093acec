//! What is said of a deploy while it goes on.

use std::time::Duration;

use humantime::format_duration;
use tracing::warn;

use super::Driver;
use crate::cloud::{Cloud, Sighting};
use crate::deployment::{DeployWarning, Deployment};
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
        warn!(
            "the deploy onto {} takes longer than its timeout of {}, and goes on: bluegreen waits for \
             up to {} as long as it does; production serves meanwhile",
            target(deployment),
            format_duration(patience),
            format_duration(patience * PATIENCES_MAX)
        );
    }
}

/// What is deployed to.
fn target(deployment: &Deployment) -> &str {
    let role = deployment.deploys_to().unwrap_or(Role::Blue);
    deployment.plan.environment(role)
}

/// Shows what the events of the deploy warn of, each once, and keeps it for the report.
pub(super) fn keep_warnings(deployment: &mut Deployment, sighting: &Sighting) {
    let events = events_of_the_deploy(deployment, sighting).into_iter();
    let warnings: Vec<_> = events
        .filter(|event| is_warning(event))
        .map(|event| DeployWarning {
            at: event.at,
            severity: event.severity.clone(),
            message: event.message.clone(),
        })
        .collect();
    for warning in warnings {
        if deployment.keep_warning(warning.clone()) {
            warn!(
                "Elastic Beanstalk says of the deploy onto {}: {} {}",
                target(deployment),
                warning.severity,
                warning.message
            );
        }
    }
}
