//! The stages that move production, there and back.

use super::on_blue::leads_elsewhere;
use super::others::changed;
use super::ways_out::{discarding_for, late, moved_by_others, outdated, production_lost};
use crate::machine::cause::Cause;
use crate::machine::effect::{Effect, Step};
use crate::machine::kind::Kind;
use crate::machine::seen::{EnvSeen, Seen};
use crate::machine::state::State;
use crate::plan::{Goal, Plan, Role, Strategy};

pub(super) fn swapping_to_green(plan: &Plan, seen: &Seen) -> Step {
    let during = Kind::SwappingToGreen;
    if seen.swap_undone {
        return Step::Enter(moved_by_others(seen, during));
    }
    let late = late(during, seen);
    match (seen.production, plan.strategy) {
        (Some(Role::Green), strategy) if seen.both_ready().is_some() => {
            Step::Enter(match strategy {
                Strategy::Restore | Strategy::Rehearse => State::DrainingBlue,
                Strategy::Promote => State::Baking,
            })
        }
        // Until it is settled, a stale look may show where production was.
        (Some(Role::Green), _) if !seen.production_settled => Step::Wait {
            otherwise: State::SwappingToGreen,
        },
        (Some(Role::Green), Strategy::Restore | Strategy::Rehearse) => Step::Wait {
            otherwise: State::Held { cause: late },
        },
        (Some(Role::Green), Strategy::Promote) => Step::Wait {
            otherwise: State::Baking,
        },
        (Some(Role::Blue), _) if seen.may_arrive.swap => Step::Wait {
            otherwise: State::SwappingToGreen,
        },
        (Some(Role::Blue), _) if may_be_swapping(seen) => Step::Wait {
            otherwise: State::Stuck { cause: late },
        },
        (Some(Role::Blue), _) => {
            let asked_back = plan.goal == Goal::Previous
                && seen
                    .blue
                    .as_ref()
                    .is_some_and(|blue| blue.shows(&plan.previous_version));
            if asked_back {
                return Step::Enter(discarding_for(Cause::AskedToRetreat));
            }
            if let Some(step) = outdated(plan, seen) {
                return step;
            }
            match seen.both_ready() {
                // Once it is settled where production is, no stale look shows where it was before.
                Some(both) if seen.green_trusted && seen.production_settled => Step::Once {
                    effect: swap(both, Role::Green),
                    otherwise: discarding_for(late),
                },
                _ => Step::Wait {
                    otherwise: discarding_for(late),
                },
            }
        }
        (None, _) => production_lost(seen, during),
    }
}

pub(super) fn swapping_to_blue(plan: &Plan, seen: &Seen) -> Step {
    let during = Kind::SwappingToBlue;
    if seen.swap_undone {
        return Step::Enter(moved_by_others(seen, during));
    }
    let late = late(during, seen);
    let held = State::Held {
        cause: late.clone(),
    };
    match seen.production {
        Some(Role::Blue) if seen.both_ready().is_some() => Step::Enter(State::Baking),
        Some(Role::Blue) => Step::Wait {
            otherwise: State::Baking,
        },
        Some(Role::Green) if seen.may_arrive.swap => Step::Wait {
            otherwise: State::SwappingToBlue,
        },
        Some(Role::Green) => match seen.both_ready() {
            Some((blue, _)) if leads_elsewhere(plan, blue) => Step::Enter(State::DrainingBlue),
            // A stale look may show what it ran before.
            Some((blue, _)) if !blue.shows(plan.goal_version()) => {
                changed(Role::Blue, plan, seen).unwrap_or(Step::Wait { otherwise: held })
            }
            Some(both) if seen.blue_trusted && seen.production_settled => {
                changed(Role::Green, plan, seen).unwrap_or(Step::Once {
                    effect: swap(both, Role::Blue),
                    otherwise: held,
                })
            }
            None if may_be_swapping(seen) => Step::Wait {
                otherwise: State::Stuck { cause: late },
            },
            _ => Step::Wait { otherwise: held },
        },
        None => production_lost(seen, during),
    }
}

pub(super) fn returning_to_blue(seen: &Seen, cause: &Cause) -> Step {
    let returning = Step::Wait {
        otherwise: State::ReturningToBlue {
            cause: cause.clone(),
        },
    };
    let stuck = State::Stuck {
        cause: late_back(Kind::ReturningToBlue, seen, cause),
    };
    if seen.swap_undone {
        return Step::Enter(moved_by_others(seen, Kind::ReturningToBlue));
    }
    match seen.production {
        // A stale look may still show blue from before green took over.
        Some(Role::Blue) if !seen.production_settled => returning,
        Some(Role::Blue) => match seen.both_ready() {
            Some(_) => Step::Enter(discarding_for(cause.clone())),
            None => Step::Wait {
                otherwise: discarding_for(cause.clone()),
            },
        },
        Some(Role::Green) if seen.may_arrive.swap => returning,
        Some(Role::Green) => match seen.both_ready() {
            Some(both) => Step::Once {
                effect: swap(both, Role::Blue),
                otherwise: stuck,
            },
            None => Step::Wait { otherwise: stuck },
        },
        None => production_lost(seen, Kind::ReturningToBlue),
    }
}

pub(super) fn returning_to_green(plan: &Plan, seen: &Seen, cause: &Cause) -> Step {
    let stuck = State::Stuck {
        cause: late_back(Kind::ReturningToGreen, seen, cause),
    };
    let held = State::Held {
        cause: cause.clone(),
    };
    if seen.swap_undone {
        return Step::Enter(moved_by_others(seen, Kind::ReturningToGreen));
    }
    match seen.production {
        // A stale look may still show green from before blue took over.
        Some(Role::Green) if !seen.production_settled => Step::Wait {
            otherwise: State::ReturningToGreen {
                cause: cause.clone(),
            },
        },
        Some(Role::Green) => match seen.both_ready() {
            Some((blue, _)) if plan.goal == Goal::Previous && !blue.shows(plan.goal_version()) => {
                Step::Enter(State::DrainingBlue)
            }
            Some(_) => Step::Enter(held),
            None => Step::Wait { otherwise: held },
        },
        Some(Role::Blue) if seen.may_arrive.swap => Step::Wait {
            otherwise: State::ReturningToGreen {
                cause: cause.clone(),
            },
        },
        Some(Role::Blue) => match seen.both_ready() {
            Some(both) => Step::Once {
                effect: swap(both, Role::Green),
                otherwise: stuck,
            },
            None => Step::Wait { otherwise: stuck },
        },
        None => production_lost(seen, Kind::ReturningToGreen),
    }
}

/// Why production could not return, and why it had to.
fn late_back(during: Kind, seen: &Seen, because: &Cause) -> Cause {
    let seen = format!("{}; it was rolling back because {because}", seen.in_words());
    Cause::OutOfPatience { during, seen }
}

/// Whether an environment is busy, perhaps with a swap that was taken and has not
/// moved the CNAMEs yet. No state that counts on where production is may be
/// entered meanwhile.
fn may_be_swapping(seen: &Seen) -> bool {
    seen.blue.as_ref().is_some_and(EnvSeen::is_busy)
        || seen.our_green().is_some_and(EnvSeen::is_busy)
}

fn swap((blue, green): (&EnvSeen, &EnvSeen), to: Role) -> Effect {
    Effect::Swap {
        blue_id: blue.id.clone(),
        green_id: green.id.clone(),
        to,
    }
}
