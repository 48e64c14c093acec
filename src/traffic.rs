//! What an environment's web servers answered lately, and what that tells: whether the
//! environment is drained, and whether production is worse than before. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::plan::Limits;

/// Fewer requests than this in one look say nothing of a share or a latency.
const REQUESTS_MIN: u32 = 20;

/// A latency is not called worse by less than this: on a fast application a factor is
/// soon reached by chance.
const LATENCY_NOISE: Duration = Duration::from_millis(100);

/// What the web servers of an environment answered lately, as enhanced health tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// How many instances there are.
    pub instances: u32,
    /// For how long was counted: ten seconds, usually.
    pub counted: Duration,
    /// How many requests there were meanwhile. A load balancer's health checks are among
    /// them.
    pub requests: u32,
    /// How many of them were answered with a status of 500 to 599.
    pub server_errors: u32,
    /// How long the slowest tenth of them took on average (API reference, `Latency`, `P90`);
    /// none where that is not told.
    pub slowest_tenth: Option<Duration>,
}

impl Traffic {
    /// Requests a minute of one instance.
    #[must_use]
    pub fn per_instance(&self) -> u64 {
        let seconds = self.counted.as_secs().max(1);
        let a_minute = u64::from(self.requests) * 60 / seconds;
        a_minute.div_ceil(u64::from(self.instances.max(1)))
    }

    /// Whether so few requests come that no more than health checks can be among them.
    #[must_use]
    pub fn is_quiet(&self, limits: &Limits) -> bool {
        self.per_instance() <= u64::from(limits.drain_requests)
    }
}

/// What production answered before it moved: what it is compared with afterwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usual {
    requests: u64,
    server_errors: u64,
    /// Milliseconds of the slowest tenths, each times the requests it is of.
    milliseconds: u64,
    /// The requests of which a latency was told.
    timed: u64,
}

impl Usual {
    /// The same with one look more.
    #[must_use]
    pub fn with(self, traffic: &Traffic) -> Usual {
        let requests = u64::from(traffic.requests);
        let tenth = traffic.slowest_tenth.map(|tenth| tenth.as_millis());
        let tenth = tenth.map(|tenth| u64::try_from(tenth).unwrap_or(u64::MAX));
        Usual {
            requests: self.requests + requests,
            server_errors: self.server_errors + u64::from(traffic.server_errors),
            milliseconds: self
                .milliseconds
                .saturating_add(tenth.unwrap_or(0).saturating_mul(requests)),
            timed: self.timed + tenth.map_or(0, |_| requests),
        }
    }

    /// Of a thousand requests, how many were answered with a server error.
    fn errors_per_mille(&self) -> u64 {
        per_mille(self.server_errors, self.requests)
    }

    fn slowest_tenth(&self) -> Option<Duration> {
        let enough = self.timed >= u64::from(REQUESTS_MIN);
        enough.then(|| Duration::from_millis(self.milliseconds / self.timed))
    }
}

/// What is worse with production than it usually is; none where nothing is, where there
/// are too few requests to tell, and of latency where nothing is known of it.
#[must_use]
pub fn ailment(now: &Traffic, usual: &Usual, limits: &Limits) -> Option<String> {
    if now.requests < REQUESTS_MIN {
        return None;
    }
    let errors = per_mille(u64::from(now.server_errors), u64::from(now.requests));
    let before = usual.errors_per_mille();
    if errors > before + 10 * u64::from(limits.error_rise) {
        return Some(format!(
            "{} of its requests are answered with a server error, {} were before",
            percent(errors),
            percent(before)
        ));
    }
    let (tenth, before) = (now.slowest_tenth?, usual.slowest_tenth()?);
    let worse = before * limits.latency_rise;
    (tenth > worse && tenth > before + LATENCY_NOISE).then(|| {
        format!(
            "the slowest tenth of its requests take {} on average, {} before",
            humantime::format_duration(whole_milliseconds(tenth)),
            humantime::format_duration(whole_milliseconds(before))
        )
    })
}

fn per_mille(part: u64, whole: u64) -> u64 {
    part.saturating_mul(1000) / whole.max(1)
}

fn percent(per_mille: u64) -> String {
    format!("{}.{} %", per_mille / 10, per_mille % 10)
}

fn whole_milliseconds(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic(requests: u32, server_errors: u32, tenth: u64) -> Traffic {
        Traffic {
            instances: 2,
            counted: Duration::from_secs(10),
            requests,
            server_errors,
            slowest_tenth: Some(Duration::from_millis(tenth)),
        }
    }

    #[test]
    fn health_checks_are_no_traffic() {
        let limits = Limits::default();
        // Three nodes of a load balancer, each every 15 seconds to each instance.
        assert!(traffic(6, 0, 1).is_quiet(&limits));
        assert!(!traffic(10, 0, 1).is_quiet(&limits));
        assert_eq!(traffic(10, 0, 1).per_instance(), 30);
        let none = Traffic::default();
        assert!(none.is_quiet(&limits));
    }

    #[test]
    fn worse_than_before_is_told_with_both_figures() {
        let limits = Limits::default();
        let usual = Usual::default().with(&traffic(900, 9, 50));
        let usual = usual.with(&traffic(100, 1, 50));
        let told = |now: &Traffic| ailment(now, &usual, &limits);
        assert_eq!(told(&traffic(1000, 60, 50)), None, "five points more");
        let errors = told(&traffic(1000, 61, 50)).expect("it is worse");
        assert!(errors.starts_with("6.1 % "), "{errors}");
        assert!(errors.contains("1.0 % were before"), "{errors}");
        assert_eq!(told(&traffic(19, 19, 5000)), None, "too few to tell");
        assert_eq!(told(&traffic(100, 0, 150)), None, "three times as long");
        let latency = told(&traffic(100, 0, 151)).expect("it is worse");
        assert!(latency.contains("151ms"), "{latency}");
        assert!(latency.contains("50ms before"), "{latency}");
        // Without anything to compare with, errors are compared with none.
        let unknown = Usual::default();
        assert_eq!(ailment(&traffic(100, 5, 5000), &unknown, &limits), None);
        assert!(ailment(&traffic(100, 6, 1), &unknown, &limits).is_some());
    }
}
