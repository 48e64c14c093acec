//! What Elastic Beanstalk reports of the operations that a deployment requested.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::launch;
use super::sighting::{Event, Sighting};
use crate::deployment::Deployment;
use crate::machine::Kind;
use crate::plan::Role;

/// An operation whose events Elastic Beanstalk emits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServiceOperation {
    /// The launch of green.
    Launch,
    /// A deploy.
    Deploy,
    /// A swap of the two CNAMEs.
    Swap,
    /// An update that takes sizes back.
    Resize,
    /// A termination.
    Termination,
}

/// An event of such an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceEvent {
    /// The operation.
    pub of: ServiceOperation,
    /// The environment's name; none of a swap, which has two.
    pub environment: Option<String>,
    /// The event.
    pub event: Event,
}

/// The events that a poll read, those of each operation oldest first; `deploy` are those of the last
/// deploy.
pub(super) fn service_events(
    deployment: &Deployment,
    sighting: &Sighting,
    deploy: &[&Event],
) -> Vec<ServiceEvent> {
    let plan = &deployment.plan;
    let idle = match deployment.state.kind() {
        Kind::TerminatingBlue => Role::Blue,
        _ => Role::Green,
    };
    let deployed = deployment.deploys_to().unwrap_or(Role::Blue);
    let of = |of, role: Option<Role>| {
        let environment = role.map(|role| plan.environment(role).to_owned());
        move |event: &Event| ServiceEvent {
            of,
            environment: environment.clone(),
            event: event.clone(),
        }
    };
    let terminations = launch::of_our_terminations(deployment, sighting).into_iter();
    let launch = of(ServiceOperation::Launch, Some(Role::Green));
    let swap = of(ServiceOperation::Swap, None);
    let resize = of(ServiceOperation::Resize, Some(idle.other()));
    let launches = sighting.launch_events.iter().map(launch);
    launches
        .chain(
            deploy
                .iter()
                .copied()
                .map(of(ServiceOperation::Deploy, Some(deployed))),
        )
        .chain(sighting.swap_events.iter().map(swap))
        .chain(sighting.put_back_events.iter().map(resize))
        .chain(terminations.map(of(ServiceOperation::Termination, Some(idle))))
        .collect()
}
