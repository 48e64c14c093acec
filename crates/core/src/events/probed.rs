//! What a run's own requests to production came to.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::moment::{Moment, seconds};

/// What the requests to production came to that one process sent in one stretch of time, one a
/// second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Probed {
    /// The request, as in `GET http://…/`.
    pub request: String,
    /// When the stretch began, by the deployment's own clock.
    #[schemars(with = "String")]
    pub began: Moment,
    /// How long it lasted.
    #[serde(with = "seconds")]
    #[schemars(with = "f64")]
    pub lasted: Duration,
    /// How many requests have an outcome.
    pub sent: u32,
    /// How many of them failed.
    pub failed: u32,
    /// How many seconds passed without a request: too many earlier ones had no answer yet.
    pub skipped: u32,
    /// The median time of those that were answered; zero where none was.
    #[serde(with = "seconds")]
    #[schemars(with = "f64")]
    pub median: Duration,
    /// The time that 95 of a hundred answers kept to.
    #[serde(with = "seconds")]
    #[schemars(with = "f64")]
    pub percentile_95: Duration,
    /// The longest time.
    #[serde(with = "seconds")]
    #[schemars(with = "f64")]
    pub slowest: Duration,
    /// Why they failed, the most frequent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<ProbeFailure>,
}

/// One way in which requests failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeFailure {
    /// The status and what is wrong with the answer, or why there was none.
    pub got: String,
    /// How many requests.
    pub times: u32,
}

/// How many ways of failing are kept of one stretch.
const FAILURES_MAX: usize = 3;

impl Probed {
    /// What these outcomes come to: each with how long the answer took, where there was one, and
    /// why it failed, where it did.
    #[must_use]
    pub fn of(
        request: &str,
        (began, lasted): (Moment, Duration),
        outcomes: &[(Option<Duration>, Option<String>)],
        skipped: u32,
    ) -> Probed {
        let mut times: Vec<_> = outcomes.iter().filter_map(|(time, _)| *time).collect();
        times.sort_unstable();
        let mut failures = Vec::<ProbeFailure>::new();
        for got in outcomes.iter().filter_map(|(_, got)| got.as_ref()) {
            match failures.iter_mut().find(|known| known.got == *got) {
                Some(known) => known.times = known.times.saturating_add(1),
                None => failures.push(ProbeFailure {
                    got: got.clone(),
                    times: 1,
                }),
            }
        }
        let failed = failures
            .iter()
            .fold(0, |sum: u32, one| sum.saturating_add(one.times));
        failures.sort_by_key(|one| std::cmp::Reverse(one.times));
        failures.truncate(FAILURES_MAX);
        Probed {
            request: request.to_owned(),
            began,
            lasted,
            sent: u32::try_from(outcomes.len()).unwrap_or(u32::MAX),
            failed,
            skipped,
            median: percentile(&times, 50),
            percentile_95: percentile(&times, 95),
            slowest: times.last().copied().unwrap_or_default(),
            failures,
        }
    }

    /// When the stretch ended.
    #[must_use]
    pub fn ended(&self) -> Moment {
        self.began.after(self.lasted)
    }
}

/// The time that so many of a hundred sorted times keep to (nearest rank); zero of none.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = sorted.len().saturating_mul(percent).div_ceil(100);
    let at = rank.saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_come_to_counts_and_times_and_the_most_frequent_failures() {
        let mut outcomes: Vec<_> = (1..=20)
            .map(|ms| (Some(Duration::from_millis(ms)), None))
            .collect();
        let failed = |got: &str| (None, Some(got.to_owned()));
        outcomes.extend([failed("refused"), failed("late"), failed("late")]);
        let probed = Probed::of("GET /", (Moment(5), Duration::from_secs(60)), &outcomes, 2);
        assert_eq!((probed.sent, probed.failed, probed.skipped), (23, 3, 2));
        let times = [probed.median, probed.percentile_95, probed.slowest];
        assert_eq!(times.map(|time| time.as_millis()), [10, 19, 20]);
        assert_eq!(
            (probed.failures[0].got.as_str(), probed.failures[0].times),
            ("late", 2)
        );
        assert_eq!(probed.ended(), Moment(60_005));
        let none = Probed::of("GET /", (Moment(0), Duration::ZERO), &[], 0);
        assert_eq!((none.sent, none.slowest), (0, Duration::ZERO));
    }
}
