//! What only a rehearsal does: the deploy onto green and its tests, while users are on blue.
//!
//! Nobody reaches green, so nothing here can interrupt service; and bluegreen never sends blue a
//! request that changes it. What fails discards green.

use super::ways_out::{discarding_for, failed_test, late, production_off};
use crate::machine::cause::Cause;
use crate::machine::effect::{Effect, Step};
use crate::machine::kind::Kind;
use crate::machine::seen::{Deploy, EnvSeen, Green, Phase, Seen, Test, Update};
use crate::machine::state::State;
use crate::plan::{Goal, Plan, Role};

/// The version to release is going onto green.
pub(super) fn deploying_green(plan: &Plan, seen: &Seen) -> Step {
    let green = match green(seen, Kind::DeployingGreen) {
        Ok(green) => green,
        Err(step) => return *step,
    };
    let otherwise = discarding_for(late(Kind::DeployingGreen, seen));
    if !green.is_ready() {
        // To abort an update that goes on would only make it longer.
        return match seen.update {
            Update::GoesOn => Step::Wait {
                otherwise: State::DeployingGreen,
            },
            Update::Overdue | Update::Silent | Update::Untold => Step::Wait { otherwise },
        };
    }
    match &seen.deploy {
        Deploy::Proven if green.shows(&plan.version) => Step::Enter(State::TestingGreen),
        Deploy::Never | Deploy::NotSinceEntry | Deploy::Asked
            if seen.drained && !seen.may_arrive.deploy =>
        {
            Step::Once {
                effect: Effect::Deploy {
                    environment_id: green.id.clone(),
                    version_label: plan.version.clone(),
                },
                otherwise,
            }
        }
        Deploy::Failed(message) => Step::Enter(discarding_for(Cause::DeployFailed {
            message: message.clone(),
        })),
        Deploy::Never
        | Deploy::NotSinceEntry
        | Deploy::Asked
        | Deploy::Running
        | Deploy::Unproven
        | Deploy::Proven => Step::Wait { otherwise },
    }
}

/// Green runs the version and answers its tests.
pub(super) fn testing_green(plan: &Plan, seen: &Seen) -> Step {
    let green = match green(seen, Kind::TestingGreen) {
        Ok(green) => green,
        Err(step) => return *step,
    };
    if let Some(cause) = failed_test(seen) {
        return Step::Enter(discarding_for(cause));
    }
    let fit = green.is_ready()
        && seen.green_trusted
        && green.shows(&plan.version)
        && !seen.may_arrive.deploy;
    match &seen.test {
        Test::Passed if fit => Step::Enter(State::TerminatingGreen),
        Test::Passed | Test::Undecided | Test::Failed { .. } => Step::Wait {
            otherwise: discarding_for(late(Kind::TestingGreen, seen)),
        },
    }
}

/// Stops the deploy onto a green that is about to be terminated, as far as the service can: green
/// accepts its termination only once the deploy is over. Nothing where no deploy is under way.
pub(super) fn aborting_its_deploy(plan: &Plan, seen: &Seen, too_late: &Cause) -> Option<Step> {
    let green = seen.our_green().filter(|_| plan.rehearses())?;
    (green.is_busy() && green.abortable).then(|| Step::Ask {
        effect: Effect::AbortUpdate {
            environment_id: green.id.clone(),
        },
        otherwise: State::Stuck {
            cause: too_late.clone(),
        },
    })
}

/// The end, once green and its template are gone.
pub(super) fn terminated(plan: &Plan) -> Step {
    Step::Enter(match plan.goal {
        Goal::Release => State::Completed,
        Goal::Previous => State::RolledBack {
            cause: Cause::AskedToRetreat,
        },
    })
}

/// Green, where it is there and users are on blue; else what to do.
fn green(seen: &Seen, during: Kind) -> Result<&EnvSeen, Box<Step>> {
    if let Some(step) = production_off(Role::Blue, seen, during) {
        return Err(Box::new(step));
    }
    match &seen.green {
        Green::Ours(green) if green.phase != Phase::Terminating => Ok(green),
        // A stale look may show less than there is.
        Green::Ours(_) | Green::Absent | Green::Foreign => Err(Box::new(Step::Wait {
            otherwise: discarding_for(Cause::GreenGone),
        })),
    }
}
