//! The stages before production moves: the version, and green.

use super::capacity::too_small;
use super::others::is_on_green_already;
use super::ways_out::{discarding_for, failed_test, late, outdated, production_off};
use crate::machine::cause::Cause;
use crate::machine::effect::{Effect, Step};
use crate::machine::kind::Kind;
use crate::machine::seen::{Green, Launch, Likeness, Phase, Seen, Test, Version};
use crate::machine::state::State;
use crate::plan::{Goal, Plan, Role, Strategy};

pub(super) fn preparing(plan: &Plan, seen: &Seen) -> Step {
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

pub(super) fn cloning(plan: &Plan, seen: &Seen) -> Step {
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

pub(super) fn warming(plan: &Plan, seen: &Seen) -> Step {
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

/// What to do where green's launch failed, or green is terminated before users are on it: the
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

/// Whether green is known to be the same as blue. A rollback takes it as it is.
fn is_faithful(plan: &Plan, seen: &Seen) -> bool {
    plan.goal == Goal::Previous || seen.likeness == Likeness::Alike
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
