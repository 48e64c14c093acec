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
    /// What that waits for, as the poll found it; nothing where the poll has failed.
    pub waits: &'a [Wait],
    /// For how long it has been in this state.
    pub lasted: Duration,
    /// For how long AWS has been carrying out what this state has requested; none where it has not
    /// taken a request, or that is not known.
    pub works_for: Option<Duration>,
    /// How long such states take as a rule; none where nobody knows.
    pub takes: Option<Takes>,
}

/// How much more often than every poll interval bluegreen polls where the end may come at any
/// moment.
const QUICK: u32 = 5;
/// No more often than this, but where the poll interval itself is shorter.
const QUICKEST: Duration = Duration::from_secs(1);
/// How many poll intervals bluegreen waits at most where nothing is expected yet.
const RARE: u32 = 3;
/// And no longer than this, but where the poll interval itself is longer: an order waits for it.
const RAREST: Duration = Duration::from_secs(30);
/// How long something that takes seconds may take until bluegreen expects it no longer at any
/// moment: a swap 5 to 10 seconds (developer guide, "Blue/Green deployments"), a version about as
/// long until it is processed.
const MOMENTS: Duration = Duration::from_secs(60);
/// How many polls bluegreen spends on the time in which something is expected to end.
const WINDOW_POLLS: u32 = 16;
/// No swap is over sooner (developer guide, "Blue/Green deployments": 5 to 10 seconds).
const SWAP_AT_LEAST: Duration = Duration::from_secs(5);

/// How long to wait until the next poll: rarely while nothing is expected, closely where the end of
/// something is near, and every poll interval where nobody knows or polls in a row are counted; and
/// no longer than until the timeout of the state.
#[must_use]
pub fn interval(limits: &Limits, standing: &Standing<'_>) -> Duration {
    let poll = limits.poll;
    let quick = part(poll, QUICK).max(QUICKEST).min(poll);
    if standing.waits.is_empty() {
        return poll;
    }
    let interval = match (standing.kind, standing.works_for) {
        (Kind::Preparing, _) if standing.lasted < MOMENTS => quick,
        // The template is there at once, and green is requested once a poll has seen it.
        (Kind::Cloning, None) if standing.lasted < poll => quick,
        (Kind::SwappingToGreen | Kind::SwappingToBlue, Some(lasts)) if lasts < MOMENTS => {
            quick.max(SWAP_AT_LEAST.saturating_sub(lasts)).min(poll)
        }
        (Kind::DrainingBlue, _) => match rest_of(Timed::Drain, standing.waits) {
            // Requests are counted in a row, and the last polls of the row may be the last of the
            // drain.
            Some(rest) if standing.waits.iter().any(is_of_requests) => {
                let row = poll.saturating_mul(limits.healthy_looks);
                rest.saturating_sub(row).clamp(poll, rarely(poll))
            }
            // Where nobody counts requests, the poll that ends the drain comes when it may end.
            Some(rest) => rest.clamp(quick, poll),
            None => poll,
        },
        (
            Kind::Cloning
            | Kind::Deploying
            | Kind::DeployingGreen
            | Kind::TerminatingGreen
            | Kind::TerminatingBlue,
            Some(lasts),
        ) => match standing.takes {
            // Nobody waits for the end of a termination.
            Some(takes) if is_termination(standing.kind) => match lasts < takes.at_least {
                true => (takes.at_least - lasts).clamp(poll, rarely(poll)),
                false => poll,
            },
            Some(takes) => towards(takes, lasts, poll, quick),
            None => poll,
        },
        _ => poll,
    };
    match rest_of(Timed::Timeout, standing.waits) {
        Some(rest) => interval.min(rest.max(quick)),
        None => interval,
    }
}

fn is_termination(kind: Kind) -> bool {
    matches!(kind, Kind::TerminatingGreen | Kind::TerminatingBlue)
}

fn is_of_requests(wait: &Wait) -> bool {
    matches!(wait, Wait::Requests { .. })
}

/// What is left of a time that is waited for; none where it is over, or nobody waits for it.
fn rest_of(timed: Timed, waits: &[Wait]) -> Option<Duration> {
    let mut rests = waits.iter().filter_map(|wait| match wait {
        Wait::Time { of, lasted, limit } if *of == timed => Some(limit.saturating_sub(*lasted)),
        _ => None,
    });
    rests.find(|rest| !rest.is_zero())
}

/// The wait between polls that nothing is expected of.
#[must_use]
pub fn rarely(poll: Duration) -> Duration {
    poll.saturating_mul(RARE).min(RAREST).max(poll)
}

/// The wait until the next poll of something that takes so long and has lasted for so long.
fn towards(takes: Takes, lasted: Duration, poll: Duration, quick: Duration) -> Duration {
    // What took this long before may be a third faster now.
    let opens = takes.at_least.saturating_sub(part(takes.at_least, 3));
    let closes = takes.at_most.saturating_add(part(takes.at_most, 2));
    if lasted < opens {
        return opens.saturating_sub(lasted).clamp(quick, rarely(poll));
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

    fn time(of: Timed, lasted: u64, limit: u64) -> Wait {
        Wait::Time {
            of,
            lasted: seconds(lasted),
            limit: seconds(limit),
        }
    }

    fn standing(kind: Kind, lasted: u64, waits: &[Wait]) -> Standing<'_> {
        Standing {
            kind,
            waits,
            lasted: seconds(lasted),
            works_for: Some(seconds(lasted)),
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
    fn a_launch_is_polled_rarely_until_shortly_before_its_usual_end() {
        let waits = [time(Timed::Timeout, 0, 1800)];
        let every = |lasted| after(&standing(Kind::Cloning, lasted, &waits));
        let expected = [(0, 30), (100, 30), (150, 10), (160, 5), (240, 5), (359, 5)];
        for (lasted, expected) in expected {
            assert_eq!(every(lasted), seconds(expected), "after {lasted} s");
        }
        assert_eq!(every(360), seconds(10), "nobody knows any more");
        let unknown = Standing {
            takes: None,
            ..standing(Kind::Cloning, 0, &waits)
        };
        let unasked = |lasted| {
            after(&Standing {
                works_for: None,
                ..standing(Kind::Cloning, lasted, &waits)
            })
        };
        assert_eq!([after(&unknown), unasked(10)], [seconds(10); 2]);
        assert_eq!(unasked(0), seconds(2), "green is requested next");
    }

    #[test]
    fn a_poll_falls_on_the_end_of_the_drain() {
        let every = |lasted| {
            let waits = [time(Timed::Drain, lasted, 60)];
            after(&standing(Kind::DrainingBlue, lasted, &waits))
        };
        assert_eq!([0, 53, 60].map(every), [10, 7, 10].map(seconds));
        let counted = |lasted| {
            let requests = Wait::Requests {
                environment: Role::Blue,
                measured: 12,
                limit: 20,
            };
            let waits = [time(Timed::Drain, lasted, 60), requests];
            after(&standing(Kind::DrainingBlue, lasted, &waits))
        };
        // The last three polls of the drain may be those that find the environment quiet.
        assert_eq!([0, 12, 30, 53].map(counted), [30, 18, 10, 10].map(seconds));
    }

    #[test]
    fn nobody_waits_for_the_end_of_a_termination() {
        let waits = [time(Timed::Timeout, 0, 1800)];
        let every = |lasted| after(&standing(Kind::TerminatingGreen, lasted, &waits));
        assert_eq!([0, 225, 239, 400].map(every), [30, 15, 10, 10].map(seconds));
    }

    #[test]
    fn no_poll_is_later_than_the_timeout() {
        let every = |left: u64| {
            let waits = [time(Timed::Timeout, 1800 - left, 1800)];
            after(&standing(Kind::Cloning, 10, &waits))
        };
        assert_eq!([100, 20, 1, 0].map(every), [30, 20, 2, 30].map(seconds));
    }

    #[test]
    fn a_swap_is_polled_quickly_while_it_may_end_at_any_moment() {
        let waits = [time(Timed::Timeout, 0, 1800)];
        let every = |lasted| after(&standing(Kind::SwappingToGreen, lasted, &waits));
        assert_eq!([0, 4, 59, 60].map(every), [5, 2, 2, 10].map(seconds));
        let not_taken = Standing {
            works_for: None,
            ..standing(Kind::SwappingToGreen, 0, &waits)
        };
        assert_eq!(after(&not_taken), seconds(10));
        let failed = standing(Kind::SwappingToGreen, 0, &[]);
        assert_eq!(after(&failed), seconds(10), "the poll has failed");
    }

    #[test]
    fn a_poll_interval_of_ones_own_is_kept() {
        let waits = [time(Timed::Timeout, 0, 1800)];
        for poll in [Duration::from_millis(100), seconds(60), seconds(300)] {
            let limits = Limits {
                poll,
                ..Limits::default()
            };
            let launching = standing(Kind::Cloning, 0, &waits);
            let rarely = interval(&limits, &launching);
            let opens = seconds(160);
            assert_eq!(rarely, (poll * 3).min(RAREST).max(poll).min(opens));
        }
    }
}
