//! Reports outside changes on the environments.

use std::time::Duration;

use super::Driver;
use crate::cloud::{Cloud, Sighting};
use crate::deployment::Deployment;
use crate::events::Happened;
use crate::facts::{options_of_blue, terminating};
use crate::machine::{Kind, Seen};
use crate::plan::Role;

/// How long after its last report that it waits for something bluegreen reports it again.
const SAID_AGAIN_AFTER: Duration = Duration::from_secs(5 * 60);

impl<C: Cloud> Driver<'_, C> {
    /// Reports the outside changes on the environments, those under way and those that are done;
    /// the same one again only now and then.
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
                told.push(Happened::OthersUpdate {
                    environment: plan.environment(role).to_owned(),
                    said: update.said.clone(),
                });
            }
        }
        if let Some(role) = terminating(deployment, sighting) {
            told.push(Happened::OthersTermination {
                environment: plan.environment(role).to_owned(),
                serves: seen.production == Some(role),
            });
        }
        told.extend(of_idle_blue(deployment, sighting));
        let now = self.clock.now();
        self.said_of_others
            .retain(|(_, at)| now.since(*at) < SAID_AGAIN_AFTER);
        for happened in told {
            if self
                .said_of_others
                .iter()
                .any(|(said, _)| *said == happened)
            {
                continue;
            }
            self.said_of_others.push((happened.clone(), now));
            self.tell(deployment, happened);
        }
    }
}

/// How idle blue differs from what it was: the difference goes live with the swap, or is terminated
/// with blue.
fn of_idle_blue(deployment: &Deployment, sighting: &Sighting) -> Option<Happened> {
    let plan = &deployment.plan;
    let environment = plan.environment(Role::Blue).to_owned();
    let mut changes: Vec<String> = options_of_blue(deployment, sighting)
        .iter()
        .map(ToString::to_string)
        .collect();
    match deployment.state.kind() {
        Kind::Testing | Kind::SwappingToBlue => {
            (!changes.is_empty()).then_some(Happened::ChangesGoLive {
                environment,
                changes,
            })
        }
        Kind::TerminatingBlue => {
            let found = sighting.of(plan, Role::Blue);
            let label = found.and_then(|found| found.version_label.as_deref());
            if let Some(label) = label.filter(|label| *label != plan.previous_version) {
                changes.insert(0, format!("version is {}", label.escape_debug()));
            }
            (!changes.is_empty()).then(|| Happened::ChangesAreLost {
                environment,
                successor: plan.green.clone(),
                changes,
            })
        }
        _ => None,
    }
}
