//! What outside changes do to a deployment: other people terminate its environments, move
//! production themselves, or work on an environment that it would overwrite.

use super::ways_out::discarding_for;
use crate::machine::cause::Cause;
use crate::machine::effect::Step;
use crate::machine::kind::Kind;
use crate::machine::seen::{Deploy, Phase, Seen};
use crate::machine::state::State;
use crate::plan::{Plan, Role, Strategy};

/// What to do where somebody else has terminated an environment that the state needs. bluegreen
/// finds that as soon as no stale poll can hide the environment any more.
pub(super) fn terminated(state: &State, plan: &Plan, seen: &Seen) -> Option<Step> {
    let kind = state.kind();
    let next = match seen.production {
        None if seen.production_settled && seen.production_elsewhere.is_none() => {
            production_terminated(kind, plan, seen)
        }
        None => None,
        Some(Role::Green) if seen.blue_gone => without_blue(state, plan),
        Some(Role::Blue) if seen.green_gone => without_green(state, seen),
        Some(Role::Blue | Role::Green) => None,
    };
    next.map(Step::Enter)
}

/// The environment that held the production CNAME is gone: nobody answers users.
fn production_terminated(kind: Kind, plan: &Plan, seen: &Seen) -> Option<State> {
    let (gone, id) = match may_serve(kind, plan.strategy) {
        (true, _) if seen.blue_gone => (Role::Blue, Some(plan.blue_id.clone())),
        (_, true) if seen.green_gone => (Role::Green, seen.green_id.clone()),
        _ => return None,
    };
    let left = match gone {
        Role::Blue => seen.our_green(),
        Role::Green => seen.blue.as_ref(),
    };
    let left = left.filter(|left| left.phase != Phase::Terminating);
    Some(State::Stuck {
        cause: Cause::ProductionTerminated {
            environment: plan.environment(gone).to_owned(),
            id: id.unwrap_or_default(),
            left: left.map(|_| plan.environment(gone.other()).to_owned()),
        },
    })
}

/// Whether production may be on blue in a state, and whether it may be on green.
fn may_serve(kind: Kind, strategy: Strategy) -> (bool, bool) {
    match kind {
        Kind::Preparing
        | Kind::Cloning
        | Kind::Warming
        | Kind::DeployingGreen
        | Kind::TestingGreen
        | Kind::TerminatingGreen
        | Kind::Discarding => (true, false),
        Kind::DrainingBlue
        | Kind::Deploying
        | Kind::AbortingDeploy
        | Kind::Testing
        | Kind::TerminatingBlue => (false, true),
        Kind::SwappingToGreen
        | Kind::SwappingToBlue
        | Kind::ReturningToGreen
        | Kind::ReturningToBlue => (true, true),
        Kind::Baking => match strategy {
            Strategy::Restore | Strategy::Rehearse => (true, false),
            Strategy::Promote => (false, true),
        },
        Kind::AwaitingSwap
        | Kind::AwaitingCutover
        | Kind::Held
        | Kind::Completed
        | Kind::RolledBack
        | Kind::Stuck => (false, false),
    }
}

/// Users are on green, and blue, which the state needs, is gone.
fn without_blue(state: &State, plan: &Plan) -> Option<State> {
    let promotes = plan.strategy == Strategy::Promote;
    let stuck = State::Stuck {
        cause: Cause::BlueGone {
            serving: Some(plan.green.clone()),
            blue: Some(plan.target.blue.clone()),
        },
    };
    match state {
        // Green was to keep production.
        State::SwappingToGreen | State::Baking | State::TerminatingBlue if promotes => None,
        State::SwappingToGreen
        | State::DrainingBlue
        | State::Deploying
        | State::AbortingDeploy { .. }
        | State::Testing
        | State::SwappingToBlue
        | State::ReturningToGreen { .. } => Some(stuck),
        State::ReturningToBlue { cause } => Some(State::Stuck {
            cause: cause.clone(),
        }),
        State::Preparing
        | State::Cloning
        | State::Warming
        | State::DeployingGreen
        | State::TestingGreen
        | State::AwaitingSwap
        | State::AwaitingCutover
        | State::Baking
        | State::TerminatingGreen
        | State::TerminatingBlue
        | State::Held { .. }
        | State::Discarding { .. }
        | State::Completed
        | State::RolledBack { .. }
        | State::Stuck { .. } => None,
    }
}

/// Users are on blue, and green, which the state needs, is gone.
fn without_green(state: &State, seen: &Seen) -> Option<State> {
    // One that is on its way may still show.
    if seen.may_arrive.green {
        return None;
    }
    match state {
        State::Warming | State::DeployingGreen | State::TestingGreen | State::SwappingToGreen => {
            Some(discarding_for(Cause::GreenGone))
        }
        State::SwappingToBlue => Some(State::Baking),
        // There it is judged without a way back.
        State::ReturningToGreen {
            cause: Cause::AskedToRetreat,
        } => Some(State::TerminatingGreen),
        State::ReturningToGreen { cause } => Some(State::Stuck {
            cause: cause.clone(),
        }),
        State::ReturningToBlue { cause } => Some(discarding_for(cause.clone())),
        // What it was needed for is over, or has its own answer.
        State::Preparing
        | State::Cloning
        | State::AwaitingSwap
        | State::DrainingBlue
        | State::Deploying
        | State::AbortingDeploy { .. }
        | State::Testing
        | State::AwaitingCutover
        | State::Baking
        | State::TerminatingGreen
        | State::TerminatingBlue
        | State::Held { .. }
        | State::Discarding { .. }
        | State::Completed
        | State::RolledBack { .. }
        | State::Stuck { .. } => None,
    }
}

/// Whether somebody else has moved production to green before the deployment did: it continues from
/// there, for users are on green already.
pub(super) fn is_on_green_already(plan: &Plan, seen: &Seen) -> bool {
    !plan.rehearses()
        && seen.production == Some(Role::Green)
        && seen.production_settled
        && seen.both_ready().is_some()
}

/// Whether somebody else has moved production to blue before the deployment did: it continues from
/// there where blue runs the version that it must run, on all of its instances.
pub(super) fn is_on_blue_already(during: Kind, plan: &Plan, seen: &Seen) -> bool {
    // Testing is entered only with the version proven on blue.
    let is_whole = during == Kind::Testing || matches!(seen.deploy, Deploy::Never | Deploy::Proven);
    seen.production == Some(Role::Blue)
        && seen.production_settled
        && !seen.may_arrive.deploy
        && is_whole
        && seen
            .both_ready()
            .is_some_and(|(blue, _)| blue.shows(plan.goal_version()))
}

/// bluegreen overwrites nothing silently: what to do where an environment has something of somebody
/// else's that the next step would remove.
pub(super) fn changed(on: Role, plan: &Plan, seen: &Seen) -> Option<Step> {
    let changes = match on {
        Role::Blue => &seen.changes_on_blue,
        Role::Green => &seen.changes_on_green,
    };
    (!changes.is_empty()).then(|| {
        Step::Enter(State::Held {
            cause: Cause::ChangedMeanwhile {
                on,
                environment: plan.environment(on).to_owned(),
                changes: changes.clone(),
            },
        })
    })
}
