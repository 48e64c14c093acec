//! When to poll next. Pure.

use std::time::Duration;

use crate::facts::{Timed, Wait};
use crate::machine::Kind;
use crate::moment::part;
use crate::plan::Limits;

/// How long something takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Takes {
    /// At least.
    pub at_least: Duration,
    /// As a rule at most.
    pub at_most: Duration,
}

impl std::ops::Add for Takes {
    type Output = Takes;

    fn add(self, other: Takes) -> Takes {
        Takes {
            at_least: self.at_least.saturating_add(other.at_least),
            at_most: self.at_most.saturating_add(other.at_most),
        }
    }
}

/// Where a deployment stands when it has polled and must wait.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// Its state.
    pub kind: Kind,
    /// What that waits for, as the poll found it.
    pub waits: &'a [Wait],
    /// Whether the poll counted something against the deployment, which a few polls in a row decide.
    pub has_doubts: bool,
    /// For how long it has been in this state.
    pub lasted: Duration,
    /// For how long AWS has been carrying out a swap that this state requested, where it does.
    pub swaps_for: Option<Duration>,
    /// How long such states take as a rule; none where nobody knows.
    pub takes: Option<Takes>,
}

/// How much more often than every poll interval bluegreen polls where a few polls in a row decide.
const QUICK: u32 = 5;
/// No more often than this, but where the poll interval itself is shorter.
const QUICKEST: Duration = Duration::from_secs(1);
/// How many poll intervals bluegreen waits at most where nothing is expected yet.
const RARE: u32 = 3;
/// How long a swap may take until bluegreen expects it no longer at any moment: it takes 5 to 10
/// seconds (developer guide, "Blue/Green deployments").
const SWAP_TAKES: Duration = Duration::from_secs(60);
/// How long the instances of an environment that is Ready may take until it is healthy, in which it
/// is expected at any moment.
const WARM_UP_TAKES: Duration = Duration::from_secs(120);
/// How many polls bluegreen spends on the time in which something is expected to end.
const WINDOW_POLLS: u32 = 16;

/// How long to wait until the next poll: rarely while nothing is expected, closely where the end of
/// something is near or has begun to show, and every poll interval where nobody knows. What counts
/// against a deployment is never counted faster than at the poll interval.
#[must_use]
pub fn interval(limits: &Limits, standing: &Standing<'_>) -> Duration {
    let poll = limits.poll;
    let quick = part(poll, QUICK).max(QUICKEST).min(poll);
    if standing.has_doubts {
        return poll;
    }
    if standing.waits.iter().any(is_being_counted) {
        return quick;
    }
    if standing.swaps_for.is_some_and(|lasts| lasts < SWAP_TAKES) {
        return quick;
    }
    match standing.kind {
        Kind::Preparing if standing.lasted < SWAP_TAKES => quick,
        Kind::Warming if standing.lasted < WARM_UP_TAKES => part(poll, 2),
        Kind::DrainingBlue => match standing.waits.iter().find_map(rest_of_the_drain) {
            // The poll that ends the drain comes when it may end.
            Some(rest) => rest.clamp(quick, poll),
            None => poll,
        },
        Kind::Cloning
        | Kind::Deploying
        | Kind::DeployingGreen
        | Kind::TerminatingGreen
        | Kind::TerminatingBlue => match standing.takes {
            Some(takes) => towards(takes, standing.lasted, poll, quick),
            None => poll,
        },
        _ => poll,
    }
}

/// Whether some, and not yet all, of the polls or answers in a row have passed that are needed.
fn is_being_counted(wait: &Wait) -> bool {
    match wait {
        Wait::HealthChecks { passed, limit, .. } | Wait::Tests { passed, limit, .. } => {
            (1..*limit).contains(passed)
        }
        Wait::Instances { .. } | Wait::Requests { .. } | Wait::Time { .. } => false,
    }
}

/// What is left of the time for which cached DNS answers may lead users to the environment that
/// production has left.
fn rest_of_the_drain(wait: &Wait) -> Option<Duration> {
    match wait {
        Wait::Time {
            of: Timed::Drain,
            lasted,
            limit,
        } => Some(limit.saturating_sub(*lasted)).filter(|rest| !rest.is_zero()),
        _ => None,
    }
}

/// The wait until the next poll of something that takes so long and has lasted for so long.
fn towards(takes: Takes, lasted: Duration, poll: Duration, quick: Duration) -> Duration {
    // What took this long before may be a third faster now.
    let opens = takes.at_least.saturating_sub(part(takes.at_least, 3));
    let closes = takes.at_most.saturating_add(part(takes.at_most, 2));
    if lasted < opens {
        let left = opens.saturating_sub(lasted);
        return left.clamp(quick, poll.saturating_mul(RARE));
    }
    if lasted >= closes {
        return poll;
    }
    let window = takes.at_most.saturating_sub(opens);
    part(window, WINDOW_POLLS).clamp(quick, poll)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Role;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn standing(kind: Kind, lasted: u64, waits: &[Wait]) -> Standing<'_> {
        Standing {
            kind,
            waits,
            has_doubts: false,
            lasted: seconds(lasted),
            swaps_for: None,
            takes: Some(Takes {
                at_least: seconds(240),
                at_most: seconds(240),
            }),
        }
    }

    fn after(standing: &Standing<'_>) -> Duration {
        interval(&Limits::default(), standing)
    }

    #[test]
    fn what_passes_is_polled_quickly_and_what_fails_is_not() {
        let checks = |passed| {
            [Wait::HealthChecks {
                environment: Role::Blue,
                passed,
                limit: 3,
            }]
        };
        let every = |passed| after(&standing(Kind::Testing, 400, &checks(passed)));
        assert_eq!([0, 1, 2, 3].map(every), [10, 2, 2, 10].map(seconds));
        let passing = checks(2);
        let doubted = Standing {
            has_doubts: true,
            ..standing(Kind::Testing, 400, &passing)
        };
        assert_eq!(after(&doubted), seconds(10));
    }

    #[test]
    fn a_launch_is_polled_rarely_until_shortly_before_its_usual_end() {
        let every = |lasted| after(&standing(Kind::Cloning, lasted, &[]));
        let expected = [(0, 30), (100, 30), (150, 10), (160, 5), (240, 5), (359, 5)];
        for (lasted, expected) in expected {
            assert_eq!(every(lasted), seconds(expected), "after {lasted} s");
        }
        assert_eq!(every(360), seconds(10), "nobody knows any more");
        let unknown = Standing {
            takes: None,
            ..standing(Kind::Cloning, 0, &[])
        };
        assert_eq!(after(&unknown), seconds(10));
    }

    #[test]
    fn a_poll_falls_on_the_end_of_the_drain() {
        let drain = |lasted| {
            [Wait::Time {
                of: Timed::Drain,
                lasted: seconds(lasted),
                limit: seconds(60),
            }]
        };
        let every = |lasted| after(&standing(Kind::DrainingBlue, lasted, &drain(lasted)));
        assert_eq!([0, 53, 60].map(every), [10, 7, 10].map(seconds));
    }

    #[test]
    fn a_swap_is_polled_quickly_while_it_may_end_at_any_moment() {
        let every = |swaps_for| {
            after(&Standing {
                swaps_for: Some(seconds(swaps_for)),
                ..standing(Kind::SwappingToGreen, swaps_for, &[])
            })
        };
        assert_eq!([0, 59, 60].map(every), [2, 2, 10].map(seconds));
    }

    #[test]
    fn no_interval_is_longer_than_a_short_poll_interval_asks_for() {
        let limits = Limits {
            poll: Duration::from_millis(100),
            ..Limits::default()
        };
        let swapping = Standing {
            swaps_for: Some(Duration::ZERO),
            ..standing(Kind::SwappingToBlue, 0, &[])
        };
        assert_eq!(interval(&limits, &swapping), limits.poll);
    }
}
