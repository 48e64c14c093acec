//! What an operator may order of a deployment, and what becomes of it.

use thiserror::Error;

use super::cause::Cause;
use super::kind::Kind;
use super::state::State;
use crate::plan::{Goal, Passed, Plan, Role, Strategy};

/// An operator's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Continue: an interrupted deployment as it stands, a paused or held one again. A pause that
    /// needs an approval continues to wait for it.
    Resume,
    /// Continue from a pause, also from one that needs an approval.
    Approve,
    /// Continue from Held with another version, which is registered and processed.
    Correct {
        /// The version label.
        version: String,
    },
    /// Roll back to the previous version.
    Retreat,
}

/// The state does not allow the order.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotPossible {
    /// The deployment has ended.
    #[error("the deployment has ended ({0}), so this order has no effect")]
    Ended(Kind),
    /// Green keeps production, and blue is being terminated.
    #[error(
        "green keeps production and blue is being terminated: release {0} anew once it has ended"
    )]
    NoWayBack(String),
    /// Only a paused deployment is approved.
    #[error("only a paused deployment can be approved, and this one is {0}")]
    NotPaused(Kind),
    /// Only a held deployment takes another version.
    #[error("only a held deployment accepts another version, and this one is {0}")]
    NotHeld(Kind),
}

/// The state and the plan that follow from an order. Pure; an order given twice changes nothing
/// more.
///
/// # Errors
/// [`NotPossible`] where the state does not allow the order.
pub fn obey(state: &State, plan: &Plan, order: Order) -> Result<(State, Plan), NotPossible> {
    let mut plan = plan.clone();
    if state.is_end() {
        return Err(NotPossible::Ended(state.kind()));
    }
    let next = match order {
        Order::Resume => {
            if plan.wishes.asks_approval {
                match state {
                    State::AwaitingSwap | State::AwaitingCutover => state.clone(),
                    _ => resumed(state),
                }
            } else {
                pass(state, &mut plan.passed);
                resumed(state)
            }
        }
        Order::Approve => {
            if !pass(state, &mut plan.passed) {
                return Err(NotPossible::NotPaused(state.kind()));
            }
            resumed(state)
        }
        Order::Correct { version } => {
            if state.kind() != Kind::Held {
                return Err(NotPossible::NotHeld(state.kind()));
            }
            plan.version = version;
            plan.bundle = None;
            plan.goal = Goal::Release;
            // Nobody has approved this one.
            plan.passed.cutover = false;
            State::DrainingBlue
        }
        Order::Retreat if *state == State::TerminatingBlue => {
            return Err(NotPossible::NoWayBack(plan.previous_version));
        }
        Order::Retreat => {
            let first = plan.goal != Goal::Previous;
            plan.goal = Goal::Previous;
            if first || state.kind() == Kind::Held {
                retreated(state)
            } else {
                state.clone()
            }
        }
    };
    Ok((next, plan))
}

/// Ends the pause that a state is, or was held for; false where it is none.
fn pass(state: &State, passed: &mut Passed) -> bool {
    match state {
        State::AwaitingSwap => passed.swap = true,
        State::AwaitingCutover
        | State::Held {
            cause: Cause::NotApproved { .. },
        } => passed.cutover = true,
        _ => return false,
    }
    true
}

/// The state in place of a pause that nobody has approved in time: before the first swap
/// green is discarded, after it the deployment is held. None where it is not paused.
#[must_use]
pub fn unapproved(state: &State, cause: Cause) -> Option<State> {
    match state {
        State::AwaitingSwap => Some(State::Discarding { cause }),
        State::AwaitingCutover => Some(State::Held { cause }),
        _ => None,
    }
}

/// The state in place of `next` where the deployment must be held: users are on green then, so
/// production first returns to it where it has left. None where the deployment is held already,
/// rolling back or at an end, and before users were on green. A rehearsal holds nothing: users are
/// never on its green.
#[must_use]
pub fn hold(next: &State, strategy: Strategy, cause: Cause) -> Option<State> {
    if strategy == Strategy::Rehearse {
        return None;
    }
    match next.kind() {
        Kind::DrainingBlue
        | Kind::Deploying
        | Kind::Testing
        | Kind::AwaitingCutover
        | Kind::SwappingToBlue => Some(State::Held { cause }),
        Kind::Baking | Kind::TerminatingGreen => Some(State::ReturningToGreen { cause }),
        Kind::Preparing
        | Kind::Cloning
        | Kind::Warming
        | Kind::DeployingGreen
        | Kind::TestingGreen
        | Kind::AwaitingSwap
        | Kind::SwappingToGreen
        | Kind::AbortingDeploy
        | Kind::ReturningToGreen
        | Kind::ReturningToBlue
        | Kind::TerminatingBlue
        | Kind::Held
        | Kind::Discarding
        | Kind::Completed
        | Kind::RolledBack
        | Kind::Stuck => None,
    }
}

fn resumed(state: &State) -> State {
    match state {
        // Green may have turned sick meanwhile.
        State::AwaitingSwap => State::Warming,
        State::AwaitingCutover => State::Testing,
        State::Held { cause } => match cause {
            // Blue runs the goal version: what failed came later.
            Cause::TestFailed { .. }
            | Cause::SickWhileBaking { .. }
            | Cause::NotApproved { .. }
            | Cause::ProductionMoved {
                during: Kind::Baking,
                ..
            }
            | Cause::ChangedMeanwhile {
                on: Role::Green, ..
            }
            | Cause::HookFailed {
                stage:
                    Kind::Testing
                    | Kind::AwaitingCutover
                    | Kind::SwappingToBlue
                    | Kind::Baking
                    | Kind::TerminatingGreen,
                ..
            }
            | Cause::OutOfPatience {
                during: Kind::Testing | Kind::SwappingToBlue | Kind::Baking,
                ..
            } => State::Testing,
            _ => State::DrainingBlue,
        },
        other => other.clone(),
    }
}

fn retreated(state: &State) -> State {
    let cause = Cause::AskedToRetreat;
    match state {
        State::Preparing
        | State::Cloning
        | State::Warming
        | State::DeployingGreen
        | State::TestingGreen
        | State::AwaitingSwap => State::Discarding { cause },
        State::Deploying => State::AbortingDeploy { cause },
        State::Testing | State::AwaitingCutover | State::Held { .. } => State::DrainingBlue,
        // These look first and then go the way of the new goal.
        State::SwappingToGreen
        | State::DrainingBlue
        | State::AbortingDeploy { .. }
        | State::SwappingToBlue
        | State::Baking
        | State::ReturningToGreen { .. }
        | State::ReturningToBlue { .. }
        | State::TerminatingGreen
        | State::TerminatingBlue
        | State::Discarding { .. }
        | State::Completed
        | State::RolledBack { .. }
        | State::Stuck { .. } => state.clone(),
    }
}
