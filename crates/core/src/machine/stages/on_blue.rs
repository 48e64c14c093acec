//! The stages on idle blue while users are on green: the drain, the deploy, its tests.

use super::capacity::too_small;
use super::others::{changed, is_on_blue_already};
use super::ways_out::{blue_gone, failed_test, late, production_off, traffic_stays};
use crate::machine::cause::Cause;
use crate::machine::effect::{Effect, Step};
use crate::machine::kind::Kind;
use crate::machine::seen::{Deploy, EnvSeen, Seen, Test, Update};
use crate::machine::state::State;
use crate::plan::{Goal, Plan, Role};

pub(super) fn draining_blue(plan: &Plan, seen: &Seen) -> Step {
    if is_on_blue_already(Kind::DrainingBlue, plan, seen) {
        return Step::Enter(State::SwappingToBlue);
    }
    if let Some(step) = production_off(Role::Green, seen, Kind::DrainingBlue) {
        return step;
    }
    if let Some(cause) = traffic_stays(Role::Blue, seen) {
        return Step::Enter(left_to_its_traffic(plan, seen, cause));
    }
    if let Some(held) = changed(Role::Blue, plan, seen) {
        return held;
    }
    if seen.drained {
        Step::Enter(State::Deploying)
    } else {
        Step::Wait {
            otherwise: State::DrainingBlue,
        }
    }
}

/// Where blue's clients do not leave it, production returns to them as long as blue is as it was;
/// else it stays on green, which everybody else is on.
fn left_to_its_traffic(plan: &Plan, seen: &Seen, cause: Cause) -> State {
    let is_as_before = plan.goal == Goal::Release
        && seen.blue_trusted
        && seen
            .both_ready()
            .is_some_and(|(blue, _)| blue.shows(&plan.previous_version))
        && !seen.may_arrive.deploy;
    if is_as_before {
        State::ReturningToBlue { cause }
    } else {
        State::Held { cause }
    }
}

pub(super) fn deploying(plan: &Plan, seen: &Seen) -> Step {
    if is_on_blue_already(Kind::Deploying, plan, seen) {
        return Step::Enter(State::SwappingToBlue);
    }
    if let Some(step) = production_off(Role::Green, seen, Kind::Deploying) {
        return step;
    }
    let cause = late(Kind::Deploying, seen);
    let give_up = Step::Wait {
        otherwise: State::AbortingDeploy {
            cause: cause.clone(),
        },
    };
    let Some(blue) = &seen.blue else {
        return blue_gone();
    };
    let is_under_way = seen.update != Update::Untold;
    if !blue.is_ready() && is_under_way && leads_elsewhere(plan, blue) {
        let cause = Cause::AskedToRetreat;
        return Step::Enter(State::AbortingDeploy { cause });
    }
    if !blue.is_ready() {
        return match seen.update {
            // To abort an update that goes on would only make it longer; green serves meanwhile.
            Update::GoesOn => Step::Wait {
                otherwise: State::Deploying,
            },
            // A person may know better whether it is worth the wait.
            Update::Overdue => Step::Wait {
                otherwise: State::Held { cause },
            },
            // What somebody else has begun is theirs to abort.
            Update::Silent | Update::Untold if seen.others_update(Role::Blue).is_some() => {
                Step::Wait {
                    otherwise: State::Held { cause },
                }
            }
            Update::Silent | Update::Untold => give_up,
        };
    }
    let deploy = Step::Once {
        effect: Effect::Deploy {
            environment_id: blue.id.clone(),
            version_label: plan.goal_version().to_owned(),
        },
        otherwise: State::Held { cause },
    };
    let shows_goal = blue.shows(plan.goal_version());
    let is_unasked = matches!(seen.deploy, Deploy::Never | Deploy::NotSinceEntry);
    // Clients came back before anything was asked of blue.
    if let Some(cause) = traffic_stays(Role::Blue, seen)
        && is_unasked
        && !seen.may_arrive.deploy
    {
        return Step::Enter(State::Held { cause });
    }
    // Also where it was asked for: it may have had to wait for what somebody else did.
    if let Some(held) = changed(Role::Blue, plan, seen) {
        return held;
    }
    match &seen.deploy {
        // Blue was never touched and runs the goal already.
        Deploy::Never if shows_goal => Step::Enter(State::Testing),
        Deploy::Proven if shows_goal => Step::Enter(State::Testing),
        Deploy::Never | Deploy::NotSinceEntry | Deploy::Asked
            if seen.drained && !seen.may_arrive.deploy =>
        {
            deploy
        }
        Deploy::Failed(message) => Step::Enter(State::Held {
            cause: Cause::DeployFailed {
                message: message.clone(),
            },
        }),
        Deploy::Never
        | Deploy::NotSinceEntry
        | Deploy::Asked
        | Deploy::Running
        | Deploy::Unproven
        | Deploy::Proven => give_up,
    }
}

/// Whether the update of a blue that must return to the previous version leads to another one: the
/// deployment does not wait for it.
pub(super) fn leads_elsewhere(plan: &Plan, blue: &EnvSeen) -> bool {
    plan.goal == Goal::Previous && !blue.shows(plan.goal_version())
}

pub(super) fn aborting_deploy(plan: &Plan, seen: &Seen, cause: &Cause) -> Step {
    if let Some(step) = production_off(Role::Green, seen, Kind::AbortingDeploy) {
        return step;
    }
    let Some(blue) = &seen.blue else {
        return blue_gone();
    };
    if seen.may_arrive.deploy {
        return Step::Wait {
            otherwise: State::AbortingDeploy {
                cause: cause.clone(),
            },
        };
    }
    let held = State::Held {
        cause: match cause {
            // That much is known: what keeps it is not.
            Cause::AskedToRetreat => late(Kind::AbortingDeploy, seen),
            cause => cause.clone(),
        },
    };
    if blue.is_ready() {
        // A way back that was itself too slow is held, not tried for ever.
        let asked_back = plan.goal == Goal::Previous && *cause == Cause::AskedToRetreat;
        return Step::Enter(if asked_back {
            State::DrainingBlue
        } else {
            held
        });
    }
    if blue.abortable && seen.others_update(Role::Blue).is_none() {
        Step::Ask {
            effect: Effect::AbortUpdate {
                environment_id: blue.id.clone(),
            },
            otherwise: held,
        }
    } else {
        Step::Wait { otherwise: held }
    }
}

pub(super) fn testing(plan: &Plan, seen: &Seen) -> Step {
    if is_on_blue_already(Kind::Testing, plan, seen) {
        return Step::Enter(State::SwappingToBlue);
    }
    if let Some(step) = production_off(Role::Green, seen, Kind::Testing) {
        return step;
    }
    let Some(blue) = &seen.blue else {
        return blue_gone();
    };
    let fit = seen.both_ready().is_some()
        && seen.blue_trusted
        && blue.shows(plan.goal_version())
        && !seen.may_arrive.deploy;
    let changed = [Role::Blue, Role::Green].map(|role| changed(role, plan, seen));
    if let Some(held) = changed.into_iter().flatten().next() {
        return held;
    }
    if let Some(cause) = failed_test(seen) {
        return Step::Enter(State::Held { cause });
    }
    match &seen.test {
        Test::Passed if fit => {
            let otherwise = State::Held {
                cause: late(Kind::Testing, seen),
            };
            if let Some(step) = too_small(plan, Role::Blue, seen, &otherwise) {
                return step;
            }
            Step::Enter(if plan.stops_before_cutover() {
                State::AwaitingCutover
            } else {
                State::SwappingToBlue
            })
        }
        Test::Passed | Test::Undecided | Test::Failed { .. } => Step::Wait {
            otherwise: State::Held {
                cause: late(Kind::Testing, seen),
            },
        },
    }
}
