//! The stage that monitors production before the other environment is terminated.

use super::others::is_on_green_already;
use super::ways_out::{
    blue_gone, late, production_moved, production_off, traffic_stays, version_moved,
};
use crate::machine::cause::Cause;
use crate::machine::effect::Step;
use crate::machine::kind::Kind;
use crate::machine::seen::{Phase, Seen};
use crate::machine::state::State;
use crate::plan::{Goal, Plan, Role, Strategy};

pub(super) fn baking(plan: &Plan, seen: &Seen) -> Step {
    match plan.strategy {
        Strategy::Restore | Strategy::Rehearse => baking_blue(plan, seen),
        Strategy::Promote => baking_green(plan, seen),
    }
}

fn baking_blue(plan: &Plan, seen: &Seen) -> Step {
    // Green is the way back, and somebody else has taken it.
    if is_on_green_already(plan, seen) {
        let cause = production_moved(seen, Kind::Baking);
        return Step::Enter(State::ReturningToGreen { cause });
    }
    if let Some(step) = production_off(Role::Blue, seen, Kind::Baking) {
        return step;
    }
    let Some(blue) = &seen.blue else {
        return blue_gone();
    };
    let green_is_way_back = seen
        .our_green()
        .is_some_and(|green| green.phase != Phase::Terminating);
    if !blue.shows(plan.goal_version()) {
        return match plan.goal {
            Goal::Previous if green_is_way_back => Step::Enter(State::ReturningToGreen {
                cause: Cause::AskedToRetreat,
            }),
            // Without a green the way back needs a new one.
            Goal::Previous => Step::Enter(State::TerminatingGreen),
            Goal::Release => Step::Enter(version_moved(blue)),
        };
    }
    if let Some(sick) = &seen.production_sick {
        let cause = Cause::SickWhileBaking { seen: sick.clone() };
        return Step::Enter(if green_is_way_back {
            State::ReturningToGreen { cause }
        } else {
            State::Stuck { cause }
        });
    }
    if seen.baked && seen.drained && seen.blue_trusted {
        return Step::Enter(State::TerminatingGreen);
    }
    if let Some(cause) = traffic_stays(Role::Green, seen).filter(|_| seen.baked) {
        return Step::Wait {
            otherwise: State::Stuck { cause },
        };
    }
    let cause = late(Kind::Baking, seen);
    Step::Wait {
        otherwise: State::ReturningToGreen { cause },
    }
}

/// Production is on green, which keeps it; a rollback returns it to blue.
fn baking_green(plan: &Plan, seen: &Seen) -> Step {
    if let Some(step) = production_off(Role::Green, seen, Kind::Baking) {
        return step;
    }
    let blue_is_way_back = seen
        .blue
        .as_ref()
        .is_some_and(|blue| blue.phase != Phase::Terminating);
    let back = |cause| {
        Step::Enter(if blue_is_way_back {
            State::ReturningToBlue { cause }
        } else {
            State::Stuck { cause }
        })
    };
    if plan.goal == Goal::Previous {
        return back(Cause::AskedToRetreat);
    }
    if let Some(sick) = &seen.production_sick {
        return back(Cause::SickWhileBaking { seen: sick.clone() });
    }
    if let Some(green) = seen.our_green()
        && !green.shows(&plan.version)
    {
        return Step::Enter(version_moved(green));
    }
    if let Some(cause) = traffic_stays(Role::Blue, seen) {
        return back(cause);
    }
    if seen.baked && seen.drained && seen.green_trusted {
        return Step::Enter(State::TerminatingBlue);
    }
    let cause = late(Kind::Baking, seen);
    Step::Wait {
        otherwise: State::ReturningToBlue { cause },
    }
}
