//! Reports outside changes on the environments.

use std::time::Duration;

use super::Driver;
use crate::cloud::{Cloud, Sighting};
use crate::deployment::Deployment;
use crate::events::Happened;
use crate::facts::{options_of_blue, terminating};
use crate::machine::{EffectKind, Kind, Seen};
use crate::plan::Role;
use crate::users::serving;

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
        told.extend(swapped(deployment, seen));
        told.extend(deployed(deployment, sighting, seen));
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

/// That production is on another environment than this deployment has left it on, where no request of
/// the deployment's explains that.
fn swapped(deployment: &Deployment, seen: &Seen) -> Option<Happened> {
    let plan = &deployment.plan;
    let intent = deployment.intents.get(&EffectKind::Swap);
    let is_requested = intent.is_some_and(|intent| intent.at >= deployment.entered_at);
    if deployment.state.is_swapping() && is_requested || seen.may_arrive.swap {
        return None;
    }
    let left_on = serving(deployment, deployment.state.kind())?;
    let to = match (seen.production, &seen.production_elsewhere) {
        (Some(role), _) if role != left_on && seen.production_settled => {
            plan.environment(role).to_owned()
        }
        (None, Some(elsewhere)) => elsewhere.clone(),
        (Some(_) | None, _) => return None,
    };
    Some(Happened::OthersSwap {
        to,
        from: plan.environment(left_on).to_owned(),
    })
}

/// An environment that shows a version which is none of this deployment's.
fn deployed(deployment: &Deployment, sighting: &Sighting, seen: &Seen) -> Vec<Happened> {
    let plan = &deployment.plan;
    let known: Vec<&str> = [&plan.previous_version, &plan.version]
        .into_iter()
        .chain(&deployment.deployed)
        .map(String::as_str)
        .collect();
    let of = |role| {
        let found = sighting.of(plan, role)?;
        let is_ours = role == Role::Blue || sighting.green_is_ours;
        let label = found.version_label.as_deref().unwrap_or_default();
        let is_foreign = is_ours && !label.is_empty() && !known.contains(&label);
        is_foreign.then(|| Happened::OthersDeploy {
            environment: found.name.clone(),
            label: label.to_owned(),
            serves: seen.production == Some(role),
        })
    };
    [Role::Blue, Role::Green]
        .into_iter()
        .filter_map(of)
        .collect()
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
