//! The steps that a release would take, and how long each is expected to take. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::machine::Kind;
pub use crate::pacing::Takes;
use crate::plan::{Plan, Strategy};

/// How long the states of this target's completed deployments have taken, as the journal
/// knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past(pub BTreeMap<String, Vec<Duration>>);

/// A step of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The state.
    pub kind: Kind,
    /// What is done in it.
    pub what: String,
    /// How long it takes; `None` where an operator decides.
    pub takes: Option<Takes>,
    /// Where that comes from, in words.
    pub because: String,
}

/// All of them together, without the pauses.
#[must_use]
pub fn together(steps: &[Step]) -> Takes {
    let takes = steps.iter().filter_map(|step| step.takes);
    takes.fold(Takes::default(), |sum, takes| sum + takes)
}

/// How long the states of a deployment take as a rule, where AWS decides that.
#[must_use]
pub fn expected(plan: &Plan, past: &Past) -> BTreeMap<Kind, Takes> {
    let steps = steps(plan, past).into_iter();
    steps
        .filter_map(|step| Some((step.kind, step.takes?)))
        .collect()
}

/// The steps of a release in their order.
#[must_use]
pub fn steps(plan: &Plan, past: &Past) -> Vec<Step> {
    let kinds = way(plan).into_iter();
    kinds.map(|kind| step(kind, plan, past)).collect()
}

/// The states of a release in which nothing fails.
fn way(plan: &Plan) -> Vec<Kind> {
    let mut way = vec![Kind::Preparing, Kind::Cloning, Kind::Warming];
    if plan.pause_before_swap {
        // Green is looked at again once the pause is over.
        way.extend([Kind::AwaitingSwap, Kind::Warming]);
    }
    if plan.rehearses() {
        way.extend([
            Kind::DeployingGreen,
            Kind::TestingGreen,
            Kind::TerminatingGreen,
        ]);
        return way;
    }
    way.push(Kind::SwappingToGreen);
    if plan.strategy == Strategy::Promote {
        way.extend([Kind::Baking, Kind::TerminatingBlue]);
        return way;
    }
    way.extend([Kind::DrainingBlue, Kind::Deploying, Kind::Testing]);
    if plan.pause_before_cutover {
        way.extend([Kind::AwaitingCutover, Kind::Testing]);
    }
    way.extend([Kind::SwappingToBlue, Kind::Baking, Kind::TerminatingGreen]);
    way
}

fn step(kind: Kind, plan: &Plan, past: &Past) -> Step {
    let pauses = matches!(kind, Kind::AwaitingSwap | Kind::AwaitingCutover);
    let known = past.0.get(&kind.to_string()).filter(|_| !pauses);
    let (takes, because) = match (of_limits(kind, plan), known) {
        (Some((takes, because)), _) => (Some(takes), because.to_owned()),
        (None, Some(spans)) if !spans.is_empty() => {
            let takes = Takes {
                at_least: spans.iter().min().copied().unwrap_or_default(),
                at_most: spans.iter().max().copied().unwrap_or_default(),
            };
            let because = match spans.len() {
                1 => "as in this target's last deployment".to_owned(),
                many => format!("as in this target's last {many} deployments"),
            };
            (Some(takes), because)
        }
        (None, _) => match typical(kind, plan) {
            Some(takes) => (Some(takes), "typical of the service".to_owned()),
            None => (None, "until an operator resumes".to_owned()),
        },
    };
    let because = match kind {
        Kind::Deploying => format!("{because}; {}", given_up(plan)),
        _ => because,
    };
    Step {
        kind,
        what: what(kind, plan),
        takes,
        because,
    }
}

/// When a deploy that does not end is given up.
fn given_up(plan: &Plan) -> String {
    let limits = &plan.wishes.limits;
    let own = limits.patience_of.get(&Kind::Deploying.to_string());
    let seconds = own.unwrap_or(&limits.patience).as_secs();
    let limit = humantime::format_duration(Duration::from_secs(seconds));
    format!("{}, timeout {limit}", limits.rollout.in_words())
}

fn what(kind: Kind, plan: &Plan) -> String {
    let (blue, green) = (&plan.target.blue, &plan.green);
    match kind {
        Kind::Preparing if plan.bundle.is_some() => {
            format!("upload the bundle and register {}", plan.version)
        }
        Kind::Preparing => format!("see that {} is processed", plan.version),
        Kind::Cloning => format!("clone {blue} into {green}, on {}", plan.green_version()),
        Kind::Warming if plan.tests_green() => {
            format!("wait until {green} has the capacity and is healthy, and test it")
        }
        Kind::Warming => format!("wait until {green} has the capacity and is healthy"),
        Kind::DeployingGreen => format!("deploy {} onto {green}; {blue} serves", plan.version),
        Kind::TestingGreen => format!("test {green}"),
        Kind::SwappingToGreen => format!("swap CNAMEs: {green} serves"),
        Kind::DrainingBlue => format!(
            "wait until cached DNS answers have left {blue}, and each of its instances gets at most \
             {} requests a minute",
            plan.wishes.limits.drain_requests
        ),
        Kind::Deploying => format!("deploy {} onto idle {blue}", plan.version),
        Kind::Testing => format!("test {blue}"),
        Kind::SwappingToBlue => format!("swap CNAMEs back: {blue} serves {}", plan.version),
        Kind::Baking => "watch production while the other environment drains".to_owned(),
        Kind::TerminatingGreen => format!("terminate {green} and delete its template"),
        Kind::TerminatingBlue => format!("terminate {blue} and delete green's template"),
        Kind::AwaitingSwap
        | Kind::AwaitingCutover
        | Kind::AbortingDeploy
        | Kind::ReturningToGreen
        | Kind::ReturningToBlue
        | Kind::Held
        | Kind::Discarding
        | Kind::Completed
        | Kind::RolledBack
        | Kind::Stuck => kind.meaning().to_owned(),
    }
}

/// What the plan's own limits say, where they decide.
fn of_limits(kind: Kind, plan: &Plan) -> Option<(Takes, &'static str)> {
    let limits = &plan.wishes.limits;
    let span = |at_least: Duration, at_most: Duration| Takes {
        at_least,
        at_most: at_most.max(at_least).saturating_add(limits.poll),
    };
    match kind {
        Kind::DrainingBlue => Some((
            span(limits.drain, limits.drain_limit),
            match limits.accept_traffic_loss {
                true => {
                    "--drain to --drain-limit; then --accept-traffic-loss gives up whoever stays"
                }
                false => {
                    "--drain, up to --drain-limit while clients still come; rolls back if they \
                     stay"
                }
            },
        )),
        Kind::Baking => Some((
            span(
                limits.bake.max(limits.drain),
                limits.bake.max(limits.drain_limit),
            ),
            "--bake, and the drain of the other environment",
        )),
        Kind::Testing | Kind::TestingGreen if plan.wishes.test_command.is_none() => {
            let looks = limits.poll.saturating_mul(limits.test_passes);
            Some((span(looks, looks), "passes in a row, one each --poll"))
        }
        _ => None,
    }
}

/// What the service takes as a rule: swaps 5 to 10 seconds, launches 3 to 6 minutes and 20 to 60
/// seconds more until they are Ok, deploys by their [policy](crate::plan::Rollout), terminations 3
/// to 5 minutes; and the polls that must confirm it.
fn typical(kind: Kind, plan: &Plan) -> Option<Takes> {
    let limits = &plan.wishes.limits;
    let polls = |many| limits.poll.saturating_mul(many);
    let seconds = |at_least, at_most, polls_many| {
        let after = polls(polls_many);
        Some(Takes {
            at_least: Duration::from_secs(at_least).saturating_add(after),
            at_most: Duration::from_secs(at_most).saturating_add(after),
        })
    };
    match kind {
        Kind::Preparing => seconds(0, 30, 1),
        Kind::Cloning => seconds(180, 360, 1),
        Kind::Warming => seconds(20, 60, limits.healthy_looks),
        Kind::SwappingToGreen | Kind::SwappingToBlue => seconds(5, 10, 1),
        Kind::Deploying | Kind::DeployingGreen => {
            let (at_least, at_most) = limits.rollout.typical();
            let after = polls(1);
            Some(Takes {
                at_least: at_least.saturating_add(after),
                at_most: at_most.saturating_add(after),
            })
        }
        Kind::Testing | Kind::TestingGreen => seconds(0, 600, limits.test_passes),
        Kind::TerminatingGreen | Kind::TerminatingBlue => seconds(180, 300, 1),
        Kind::AwaitingSwap
        | Kind::AwaitingCutover
        | Kind::DrainingBlue
        | Kind::AbortingDeploy
        | Kind::Baking
        | Kind::ReturningToGreen
        | Kind::ReturningToBlue
        | Kind::Held
        | Kind::Discarding
        | Kind::Completed
        | Kind::RolledBack
        | Kind::Stuck => None,
    }
}
