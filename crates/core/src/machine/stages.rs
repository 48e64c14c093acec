//! What to do in each state.

use super::effect::Step;
use super::seen::Seen;
use super::state::State;
use crate::plan::Plan;

mod bake;
mod before_swap;
mod capacity;
mod ends;
mod on_blue;
mod others;
mod rehearsal;
mod swaps;
mod ways_out;

/// Decides what to do next. Pure: the same arguments give the same answer.
#[must_use]
pub fn step(state: &State, plan: &Plan, seen: &Seen) -> Step {
    if let Some(step) = others::terminated(state, plan, seen) {
        return step;
    }
    match state {
        State::Preparing => before_swap::preparing(plan, seen),
        State::Cloning => before_swap::cloning(plan, seen),
        State::Warming => before_swap::warming(plan, seen),
        State::DeployingGreen => rehearsal::deploying_green(plan, seen),
        State::TestingGreen => rehearsal::testing_green(plan, seen),
        State::SwappingToGreen => swaps::swapping_to_green(plan, seen),
        State::DrainingBlue => on_blue::draining_blue(plan, seen),
        State::Deploying => on_blue::deploying(plan, seen),
        State::AbortingDeploy { cause } => on_blue::aborting_deploy(plan, seen, cause),
        State::Testing => on_blue::testing(plan, seen),
        State::SwappingToBlue => swaps::swapping_to_blue(plan, seen),
        State::Baking => bake::baking(plan, seen),
        State::ReturningToGreen { cause } => swaps::returning_to_green(plan, seen, cause),
        State::ReturningToBlue { cause } => swaps::returning_to_blue(seen, cause),
        State::TerminatingGreen => ends::terminating_green(plan, seen),
        State::TerminatingBlue => ends::terminating_blue(plan, seen),
        State::Discarding { cause } => ends::discarding(plan, seen, cause),
        State::AwaitingSwap
        | State::AwaitingCutover
        | State::Held { .. }
        | State::Completed
        | State::RolledBack { .. }
        | State::Stuck { .. } => Step::Rest,
    }
}
