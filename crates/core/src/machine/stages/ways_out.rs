//! The ways out that several stages share.

use crate::machine::cause::Cause;
use crate::machine::effect::Step;
use crate::machine::kind::Kind;
use crate::machine::seen::{EnvSeen, Seen, Test};
use crate::machine::state::State;
use crate::plan::{Goal, Plan, Role};

/// What to do where blue no longer runs what it ran when the plan was made: green, which was made
/// then, would send production to an older version.
pub(super) fn outdated(plan: &Plan, seen: &Seen) -> Option<Step> {
    let blue = seen.blue.as_ref()?;
    let is_outdated = plan.goal == Goal::Release && !blue.shows(&plan.previous_version);
    is_outdated.then(|| {
        let version = blue.version_label.clone().unwrap_or_default();
        Step::Enter(discarding_for(Cause::VersionMoved { version }))
    })
}

/// The cause where a substantial share of the traffic still reaches the idle environment,
/// `on`, although it has had its time to leave.
pub(super) fn traffic_stays(on: Role, seen: &Seen) -> Option<Cause> {
    let seen = seen.traffic_stays.clone()?;
    Some(Cause::TrafficStays { on, seen })
}

/// What to do where production is not at `expected`: a stale poll is waited out, a settled one
/// means that somebody else moved it.
pub(super) fn production_off(expected: Role, seen: &Seen, during: Kind) -> Option<Step> {
    (seen.production != Some(expected)).then(|| production_lost(seen, during))
}

pub(super) fn production_lost(seen: &Seen, during: Kind) -> Step {
    let stuck = moved_by_others(seen, during);
    if seen.production_settled {
        Step::Enter(stuck)
    } else {
        Step::Wait { otherwise: stuck }
    }
}

/// Somebody else has moved production: a person decides, and bluegreen swaps nothing against them.
pub(super) fn moved_by_others(seen: &Seen, during: Kind) -> State {
    State::Stuck {
        cause: production_moved(seen, during),
    }
}

pub(super) fn production_moved(seen: &Seen, during: Kind) -> Cause {
    Cause::ProductionMoved {
        during,
        holder: seen.holder(),
    }
}

/// Blue does not show. Once no stale poll can explain that, it is found gone.
pub(super) fn blue_gone() -> Step {
    Step::Wait {
        otherwise: State::Stuck {
            cause: Cause::BlueGone {
                serving: None,
                blue: None,
            },
        },
    }
}

pub(super) fn version_moved(blue: &EnvSeen) -> State {
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

pub(super) fn discarding_for(cause: Cause) -> State {
    State::Discarding { cause }
}
