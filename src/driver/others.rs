//! What is said of other people's hands on the environments.

use std::time::Duration;

use super::Driver;
use crate::cloud::{Cloud, Sighting};
use crate::deployment::Deployment;
use crate::events::Happened;
use crate::facts::{options_of_blue, terminating};
use crate::machine::{Kind, Seen};
use crate::plan::Role;

/// How long after it was said that something is waited for it is said again.
const SAID_AGAIN_AFTER: Duration = Duration::from_secs(5 * 60);

impl<C: Cloud> Driver<'_, C> {
    /// Says what somebody else is doing, or has done, to the environments; the same again only
    /// now and then.
    pub(super) fn say_what_others_do(
        &mut self,
        deployment: &Deployment,
        sighting: &Sighting,
        seen: &Seen,
    ) {
        let plan = &deployment.plan;
        let mut told = Vec::new();
        for role in [Role::Blue, Role::Green] {
            if let Some(update) = seen.others_update(role) {
                told.push(format!(
                    "{} is busy with an update that this deployment has not requested: {} \
                     bluegreen waits for it and does not abort it",
                    plan.environment(role),
                    update.said
                ));
            }
        }
        if let Some(role) = terminating(deployment, sighting) {
            let serves = seen.production == Some(role);
            told.push(format!(
                "{} is being terminated, and this deployment has not requested that{}",
                plan.environment(role),
                if serves {
                    ": it SERVES PRODUCTION, and nothing can stop it"
                } else {
                    ""
                }
            ));
        }
        told.extend(of_idle_blue(deployment, sighting));
        let now = self.clock.now();
        for text in told {
            let said = self.said_of_others.get(&text);
            if said.is_some_and(|at| now.since(*at) < SAID_AGAIN_AFTER) {
                continue;
            }
            self.said_of_others.insert(text.clone(), now);
            self.tell(deployment, Happened::Noticed { what: text });
        }
    }
}

/// What idle blue has otherwise than before: it goes live with the swap, or goes with blue.
fn of_idle_blue(deployment: &Deployment, sighting: &Sighting) -> Option<String> {
    let plan = &deployment.plan;
    let blue = plan.environment(Role::Blue);
    let mut changes: Vec<String> = options_of_blue(deployment, sighting)
        .iter()
        .map(ToString::to_string)
        .collect();
    match deployment.state.kind() {
        Kind::Testing | Kind::SwappingToBlue => (!changes.is_empty()).then(|| {
            format!(
                "{blue} is not configured as it was: {}. The version sets that, or somebody else \
                 has; it is kept, and goes live with the swap",
                changes.join("; ")
            )
        }),
        Kind::TerminatingBlue => {
            let found = sighting.of(plan, Role::Blue);
            let label = found.and_then(|found| found.version_label.as_deref());
            if let Some(label) = label.filter(|label| *label != plan.previous_version) {
                changes.insert(0, format!("version is {}", label.escape_debug()));
            }
            (!changes.is_empty()).then(|| {
                format!(
                    "somebody else has changed {blue} since {} took production: {}. {blue} is \
                     terminated, and these changes with it: put them on {} where they are wanted",
                    plan.green,
                    changes.join("; "),
                    plan.green
                )
            })
        }
        _ => None,
    }
}
