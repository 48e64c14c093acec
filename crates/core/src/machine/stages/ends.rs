//! The stages that leave nothing behind.

use super::capacity::put_back;
use super::rehearsal::{aborting_its_deploy, terminated};
use super::ways_out::{blue_gone, discarding_for, late, production_off, version_moved};
use crate::machine::cause::Cause;
use crate::machine::effect::{Effect, Step};
use crate::machine::kind::Kind;
use crate::machine::seen::{EnvSeen, Green, Phase, Seen, Termination};
use crate::machine::state::State;
use crate::plan::{Goal, Plan, Role};

pub(super) fn terminating_green(plan: &Plan, seen: &Seen) -> Step {
    let during = Kind::TerminatingGreen;
    if let Some(step) = production_off(Role::Blue, seen, during) {
        return step;
    }
    let Some(blue) = &seen.blue else {
        return blue_gone();
    };
    let late = late(during, seen);
    let left = clear_away(seen, &late).or_else(|| put_back(plan, seen, Role::Blue, &late));
    if plan.rehearses() {
        return left.unwrap_or_else(|| terminated(plan));
    }
    left.unwrap_or_else(|| {
        let on_goal = blue.shows(plan.goal_version());
        Step::Enter(match plan.goal {
            Goal::Release if on_goal => State::Completed,
            Goal::Release => version_moved(blue),
            Goal::Previous if on_goal => State::RolledBack {
                cause: Cause::AskedToRetreat,
            },
            // Asked to go back when green was already going: the same stages
            // again with a new one.
            Goal::Previous => State::Cloning,
        })
    })
}

pub(super) fn terminating_blue(plan: &Plan, seen: &Seen) -> Step {
    let during = Kind::TerminatingBlue;
    if let Some(step) = production_off(Role::Green, seen, during) {
        return step;
    }
    let late = late(during, seen);
    let stuck = State::Stuck {
        cause: late.clone(),
    };
    match &seen.blue {
        Some(blue) if must_be_asked_to_go(blue, seen) => Step::Ask {
            effect: Effect::TerminateBlue {
                environment_id: blue.id.clone(),
            },
            otherwise: stuck,
        },
        Some(_) => Step::Wait { otherwise: stuck },
        None if seen.template => Step::Ask {
            effect: Effect::DeleteTemplate,
            otherwise: stuck,
        },
        None => put_back(plan, seen, Role::Green, &late).unwrap_or(Step::Enter(State::Completed)),
    }
}

pub(super) fn discarding(plan: &Plan, seen: &Seen, cause: &Cause) -> Step {
    let during = Kind::Discarding;
    if let Some(step) = production_off(Role::Blue, seen, during) {
        return step;
    }
    let Some(blue) = &seen.blue else {
        return blue_gone();
    };
    let late = late(during, seen);
    if let Some(step) = aborting_its_deploy(plan, seen, &late)
        .or_else(|| clear_away(seen, &late))
        .or_else(|| put_back(plan, seen, Role::Blue, &late))
    {
        return step;
    }
    if seen.may_arrive.green || seen.may_arrive.template {
        return Step::Wait {
            otherwise: discarding_for(cause.clone()),
        };
    }
    Step::Enter(
        if plan.goal == Goal::Previous && !plan.rehearses() && !blue.shows(&plan.previous_version) {
            State::Stuck {
                cause: Cause::NotRolledBack {
                    version: blue.version_label.clone().unwrap_or_default(),
                    message: cause.to_string(),
                },
            }
        } else {
            State::RolledBack {
                cause: cause.clone(),
            }
        },
    )
}

/// Terminates green, then deletes the template; nothing where both are gone.
fn clear_away(seen: &Seen, too_late: &Cause) -> Option<Step> {
    let stuck = State::Stuck {
        cause: too_late.clone(),
    };
    match &seen.green {
        Green::Ours(green) if must_be_asked_to_go(green, seen) => Some(Step::Ask {
            effect: Effect::TerminateGreen {
                environment_id: green.id.clone(),
            },
            otherwise: stuck,
        }),
        Green::Ours(_) => Some(Step::Wait { otherwise: stuck }),
        Green::Absent | Green::Foreign if seen.template => Some(Step::Ask {
            effect: Effect::DeleteTemplate,
            otherwise: stuck,
        }),
        Green::Absent | Green::Foreign => None,
    }
}

/// Whether bluegreen must request the termination of an environment. A failed one may leave it
/// Terminating although nothing continues there. The last environment is left.
fn must_be_asked_to_go(environment: &EnvSeen, seen: &Seen) -> bool {
    let goes = environment.phase == Phase::Terminating
        && match &seen.termination {
            Termination::Untold | Termination::Again(_) => true,
            Termination::Failed(_) => false,
        };
    seen.drained && !goes && !seen.production_goes()
}
