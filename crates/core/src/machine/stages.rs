//! What to do in each state.

use super::others::{changed, is_on_blue_already, is_on_green_already};
use super::rehearsal::{aborting_its_deploy, deploying_green, terminated, testing_green};
use super::sizes::{put_back, too_small};
use super::{
    Cause, Deploy, Effect, EnvSeen, Green, Kind, Launch, Likeness, Phase, Seen, State, Step,
    Termination, Test, Update, Version, others,
};
use crate::plan::{Goal, Plan, Role, Strategy};

/// Decides what to do next. Pure: the same arguments give the same answer.
#[must_use]
pub fn step(state: &State, plan: &Plan, seen: &Seen) -> Step {
    if let Some(step) = others::terminated(state, plan, seen) {
        return step;
    }
    match state {
        State::Preparing => preparing(plan, seen),
        State::Cloning => cloning(plan, seen),
        State::Warming => warming(plan, seen),
        State::DeployingGreen => deploying_green(plan, seen),
        State::TestingGreen => testing_green(plan, seen),
        State::SwappingToGreen => swapping_to_green(plan, seen),
        State::DrainingBlue => draining_blue(plan, seen),
        State::Deploying => deploying(plan, seen),
        State::AbortingDeploy { cause } => aborting_deploy(plan, seen, cause),
        State::Testing => testing(plan, seen),
        State::SwappingToBlue => swapping_to_blue(plan, seen),
        State::Baking => baking(plan, seen),
        State::ReturningToGreen { cause } => returning_to_green(plan, seen, cause),
        State::ReturningToBlue { cause } => returning_to_blue(seen, cause),
        State::TerminatingGreen => terminating_green(plan, seen),
        State::TerminatingBlue => terminating_blue(plan, seen),
        State::Discarding { cause } => discarding(plan, seen, cause),
        State::AwaitingSwap
        | State::AwaitingCutover
        | State::Held { .. }
        | State::Completed
        | State::RolledBack { .. }
        | State::Stuck { .. } => Step::Rest,
    }
}

/// The live-safety rule, judged on a fresh look at the last moment: nothing that
/// interrupts service is asked of the environment that holds the production
/// CNAME or that still drains, and a swap only moves production the way it is
/// meant to.
#[must_use]
pub fn is_safe(effect: &Effect, seen: &Seen) -> bool {
    match effect {
        Effect::Deploy { environment_id, .. } | Effect::AbortUpdate { environment_id } => {
            let role = match seen.our_green() {
                Some(green) if green.id == *environment_id => Role::Green,
                Some(_) | None => Role::Blue,
            };
            let is_abort = matches!(effect, Effect::AbortUpdate { .. });
            let is_others = is_abort && seen.others_update(role).is_some();
            seen.production == Some(role.other()) && seen.drained && !is_others
        }
        // A busy environment may be in the middle of a swap.
        Effect::TerminateGreen { .. } => {
            seen.production == Some(Role::Blue)
                && seen.drained
                && !seen.our_green().is_some_and(is_busy)
                && !production_goes(seen)
        }
        Effect::TerminateBlue { .. } => {
            seen.production == Some(Role::Green)
                && seen.drained
                && !seen.blue.as_ref().is_some_and(is_busy)
                && !production_goes(seen)
        }
        Effect::Resize { role, .. } => ready(seen, *role).is_some(),
        Effect::Swap { to, .. } => {
            seen.production == Some(to.other()) && seen.both_ready().is_some()
        }
        Effect::UploadBundle
        | Effect::RegisterVersion
        | Effect::CreateTemplate
        | Effect::CreateGreen
        | Effect::DeleteTemplate => true,
    }
}

fn preparing(plan: &Plan, seen: &Seen) -> Step {
    if let Some(step) = production_off(Role::Blue, seen, Kind::Preparing) {
        return step;
    }
    let late = discarding_for(late(Kind::Preparing, seen));
    match (&seen.version, &plan.bundle) {
        (Version::Absent, None) => Step::Enter(discarding_for(Cause::VersionMissing {
            version: plan.version.clone(),
        })),
        (Version::Absent, Some(_)) if seen.bundle => Step::Ask {
            effect: Effect::RegisterVersion,
            otherwise: late,
        },
        (Version::Absent, Some(_)) => Step::Ask {
            effect: Effect::UploadBundle,
            otherwise: late,
        },
        (Version::Processing | Version::Processed, _) => Step::Enter(State::Cloning),
        (Version::Failed | Version::Conflict(_), _) => {
            Step::Enter(discarding_for(unfit_version(plan, &seen.version)))
        }
    }
}

fn cloning(plan: &Plan, seen: &Seen) -> Step {
    if let Some(step) = production_off(Role::Blue, seen, Kind::Cloning) {
        return step;
    }
    if let Some(step) = outdated(plan, seen) {
        return step;
    }
    if matches!(seen.version, Version::Failed | Version::Conflict(_)) {
        return Step::Enter(discarding_for(unfit_version(plan, &seen.version)));
    }
    if let Some(step) = launch_failed(plan, seen) {
        return step;
    }
    let late = discarding_for(late(Kind::Cloning, seen));
    let name_taken = discarding_for(Cause::GreenNameTaken {
        green: plan.green.clone(),
    });
    match &seen.green {
        Green::Ours(green) => match green.phase {
            Phase::Ready => Step::Enter(State::Warming),
            Phase::Launching | Phase::Busy => Step::Wait { otherwise: late },
            Phase::Terminating => Step::Wait {
                otherwise: discarding_for(Cause::GreenGone),
            },
        },
        // Our own green may show before its tag does.
        Green::Foreign if seen.may_arrive.green => Step::Wait {
            otherwise: name_taken,
        },
        Green::Foreign => Step::Enter(name_taken),
        Green::Absent if seen.may_arrive.green => Step::Wait { otherwise: late },
        Green::Absent if seen.may_arrive.template && !seen.template => {
            Step::Wait { otherwise: late }
        }
        Green::Absent if !seen.template => Step::Once {
            effect: Effect::CreateTemplate,
            otherwise: late,
        },
        // What green is compared by, and what its sizes are put back to, depends on it.
        Green::Absent if plan.template_sets.is_none() => Step::Wait { otherwise: late },
        // Green is launched on it.
        Green::Absent
            if plan.strategy == Strategy::Promote && seen.version != Version::Processed =>
        {
            Step::Wait { otherwise: late }
        }
        Green::Absent => Step::Once {
            effect: Effect::CreateGreen,
            otherwise: late,
        },
    }
}

fn warming(plan: &Plan, seen: &Seen) -> Step {
    if is_on_green_already(plan, seen) && seen.version == Version::Processed {
        return Step::Enter(State::SwappingToGreen);
    }
    if let Some(step) = production_off(Role::Blue, seen, Kind::Warming) {
        return step;
    }
    if let Some(step) = outdated(plan, seen) {
        return step;
    }
    if let Some(step) = launch_failed(plan, seen) {
        return step;
    }
    let otherwise = match &seen.green {
        Green::Ours(green) if green.phase != Phase::Terminating => {
            discarding_for(late(Kind::Warming, seen))
        }
        Green::Ours(_) | Green::Absent | Green::Foreign => discarding_for(Cause::GreenGone),
    };
    if plan.tests_green()
        && let Some(failed) = failed_test(seen)
    {
        return Step::Enter(discarding_for(failed));
    }
    if let (Goal::Release, Likeness::Unlike(differences)) = (plan.goal, &seen.likeness) {
        let differences = differences.clone();
        return Step::Enter(discarding_for(Cause::GreenDiffers { differences }));
    }
    match &seen.version {
        Version::Failed | Version::Conflict(_) => {
            Step::Enter(discarding_for(unfit_version(plan, &seen.version)))
        }
        Version::Processed
            if is_faithful(plan, seen)
                && seen.both_ready().is_some()
                && seen.blue_trusted
                && seen.green_trusted
                && (seen.test == Test::Passed || !plan.tests_green()) =>
        {
            if let Some(step) = too_small(plan, Role::Green, seen, &otherwise) {
                return step;
            }
            Step::Enter(match plan.strategy {
                Strategy::Rehearse => State::DeployingGreen,
                Strategy::Restore | Strategy::Promote if plan.stops_before_swap() => {
                    State::AwaitingSwap
                }
                Strategy::Restore | Strategy::Promote => State::SwappingToGreen,
            })
        }
        Version::Processed | Version::Processing | Version::Absent => Step::Wait { otherwise },
    }
}

/// What to do where blue does not run any more what it ran when the plan was made: green,
/// which was made then, would send production to an older version.
fn outdated(plan: &Plan, seen: &Seen) -> Option<Step> {
    let blue = seen.blue.as_ref()?;
    let is_outdated = plan.goal == Goal::Release && !blue.shows(&plan.previous_version);
    is_outdated.then(|| {
        let version = blue.version_label.clone().unwrap_or_default();
        Step::Enter(discarding_for(Cause::VersionMoved { version }))
    })
}

/// What to do where green's launch failed, or green goes by itself before it serves: the
/// service terminates what it could not launch (`RollbackLaunchOnFailure`).
fn launch_failed(plan: &Plan, seen: &Seen) -> Option<Step> {
    let cause = match (&seen.launch, &seen.green) {
        (Launch::Failed(messages), _) => Cause::LaunchFailed {
            messages: messages.clone(),
        },
        // On the way back a stale look may show the green before.
        (Launch::Untold | Launch::Running | Launch::Done, Green::Ours(green))
            if green.phase == Phase::Terminating && plan.goal == Goal::Release =>
        {
            Cause::GreenGone
        }
        (Launch::Untold | Launch::Running | Launch::Done, _) => return None,
    };
    Some(Step::Enter(discarding_for(cause)))
}

/// Whether green is known to be what blue is. On the way back it is taken as it is.
fn is_faithful(plan: &Plan, seen: &Seen) -> bool {
    plan.goal == Goal::Previous || seen.likeness == Likeness::Alike
}

fn swapping_to_green(plan: &Plan, seen: &Seen) -> Step {
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
                Some(both) if seen.green_trusted => Step::Once {
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

fn draining_blue(plan: &Plan, seen: &Seen) -> Step {
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

/// Where blue's clients do not leave it, production goes back to them as long as blue is as
/// it was; else green, which serves everybody else, goes on serving.
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

/// The cause where a substantial share of the traffic still reaches the idle environment,
/// `on`, although it has had its time to leave.
fn traffic_stays(on: Role, seen: &Seen) -> Option<Cause> {
    let seen = seen.traffic_stays.clone()?;
    Some(Cause::TrafficStays { on, seen })
}

fn deploying(plan: &Plan, seen: &Seen) -> Step {
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

/// Whether the update of a blue that is to go back leads to another version than the previous
/// one: it is none to wait for.
fn leads_elsewhere(plan: &Plan, blue: &EnvSeen) -> bool {
    plan.goal == Goal::Previous && !blue.shows(plan.goal_version())
}

fn aborting_deploy(plan: &Plan, seen: &Seen, cause: &Cause) -> Step {
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

fn testing(plan: &Plan, seen: &Seen) -> Step {
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

fn swapping_to_blue(plan: &Plan, seen: &Seen) -> Step {
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
            Some(both) if seen.blue_trusted => {
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

fn baking(plan: &Plan, seen: &Seen) -> Step {
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

/// Production is on green, which is to keep it; blue is the way back.
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

fn returning_to_blue(seen: &Seen, cause: &Cause) -> Step {
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

fn returning_to_green(plan: &Plan, seen: &Seen, cause: &Cause) -> Step {
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

fn terminating_green(plan: &Plan, seen: &Seen) -> Step {
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

fn terminating_blue(plan: &Plan, seen: &Seen) -> Step {
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

fn discarding(plan: &Plan, seen: &Seen, cause: &Cause) -> Step {
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

/// Whether the termination of an environment is to be asked for. One that failed may leave it
/// Terminating with nothing going on. The last one is left.
fn must_be_asked_to_go(environment: &EnvSeen, seen: &Seen) -> bool {
    let goes = environment.phase == Phase::Terminating
        && match &seen.termination {
            Termination::Untold | Termination::Again(_) => true,
            Termination::Failed(_) => false,
        };
    seen.drained && !goes && !production_goes(seen)
}

/// Whether the environment that serves is being terminated: the other one is the last then.
fn production_goes(seen: &Seen) -> bool {
    let serving = match seen.production {
        Some(Role::Blue) => seen.blue.as_ref(),
        Some(Role::Green) => seen.our_green(),
        None => None,
    };
    serving.is_some_and(|serving| serving.phase == Phase::Terminating)
}

pub(super) fn ready(seen: &Seen, role: Role) -> Option<&EnvSeen> {
    let environment = match role {
        Role::Blue => seen.blue.as_ref(),
        Role::Green => seen.our_green(),
    };
    environment.filter(|environment| environment.is_ready())
}

/// What to do where production is not at `expected`: a stale look is waited out,
/// a settled one means that somebody else moved it.
pub(super) fn production_off(expected: Role, seen: &Seen, during: Kind) -> Option<Step> {
    (seen.production != Some(expected)).then(|| production_lost(seen, during))
}

fn production_lost(seen: &Seen, during: Kind) -> Step {
    let stuck = moved_by_others(seen, during);
    if seen.production_settled {
        Step::Enter(stuck)
    } else {
        Step::Wait { otherwise: stuck }
    }
}

/// Somebody else has moved production: a person decides, and nothing is swapped against them.
fn moved_by_others(seen: &Seen, during: Kind) -> State {
    State::Stuck {
        cause: production_moved(seen, during),
    }
}

fn production_moved(seen: &Seen, during: Kind) -> Cause {
    Cause::ProductionMoved {
        during,
        holder: seen.holder(),
    }
}

/// Blue does not show. Once that is no stale look it is found gone.
fn blue_gone() -> Step {
    Step::Wait {
        otherwise: State::Stuck {
            cause: Cause::BlueGone {
                serving: None,
                blue: None,
            },
        },
    }
}

fn version_moved(blue: &EnvSeen) -> State {
    State::Stuck {
        cause: Cause::VersionMoved {
            version: blue.version_label.clone().unwrap_or_default(),
        },
    }
}

pub(super) fn failed_test(seen: &Seen) -> Option<Cause> {
    match &seen.test {
        Test::Failed { asked, got } => Some(Cause::TestFailed {
            asked: asked.clone(),
            got: got.clone(),
        }),
        Test::Undecided | Test::Passed => None,
    }
}

pub(super) fn late(during: Kind, seen: &Seen) -> Cause {
    if let Some(serving) = seen.production
        && let Some(cause) = traffic_stays(serving.other(), seen)
    {
        return cause;
    }
    Cause::OutOfPatience {
        during,
        seen: seen.in_words(),
    }
}

/// Why production could not go back, and why it was to.
fn late_back(during: Kind, seen: &Seen, because: &Cause) -> Cause {
    let seen = format!("{}; it was to go back because {because}", seen.in_words());
    Cause::OutOfPatience { during, seen }
}

pub(super) fn discarding_for(cause: Cause) -> State {
    State::Discarding { cause }
}

fn unfit_version(plan: &Plan, version: &Version) -> Cause {
    let label = plan.version.clone();
    match version {
        Version::Conflict(registered) => Cause::VersionConflict {
            version: label,
            registered: registered.clone(),
        },
        Version::Absent | Version::Processing | Version::Processed | Version::Failed => {
            Cause::VersionFailed { version: label }
        }
    }
}

/// Whether an environment is busy, perhaps with a swap that was taken and has not
/// moved the CNAMEs yet. No state that counts on where production is may be
/// entered meanwhile.
fn may_be_swapping(seen: &Seen) -> bool {
    seen.blue.as_ref().is_some_and(is_busy) || seen.our_green().is_some_and(is_busy)
}

pub(super) fn is_busy(environment: &EnvSeen) -> bool {
    environment.phase == Phase::Busy
}

fn swap((blue, green): (&EnvSeen, &EnvSeen), to: Role) -> Effect {
    Effect::Swap {
        blue_id: blue.id.clone(),
        green_id: green.id.clone(),
        to,
    }
}
