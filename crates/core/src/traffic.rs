//! What an environment's web servers answered lately, and what that shows: whether the environment
//! is drained, and whether production is worse than before. Pure.

// Numbers here are read from others.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::moment::Moment;
use crate::plan::Limits;

/// Fewer requests than this in one poll say nothing of a share or a latency.
const REQUESTS_MIN: u32 = 20;

/// A latency is not called worse by less than this: on a fast application a factor is
/// soon reached by chance.
const LATENCY_NOISE: Duration = Duration::from_millis(100);

/// What the web servers of an environment answered lately, as enhanced health reports it, or how
/// many requests its load balancer counted some minutes ago.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// How many instances there are.
    pub instances: u32,
    /// How long the count lasted: ten seconds, usually.
    pub counted: Duration,
    /// When the counting ended, where that was a while ago; none where it continues.
    pub ended: Option<Moment>,
    /// How many requests there were meanwhile. A load balancer's health checks are among
    /// them.
    pub requests: u32,
    /// How many of them were answered with a status of 500 to 599.
    pub server_errors: u32,
    /// How long the slowest tenth of them took on average (API reference, `Latency`, `P90`); none
    /// where the service does not report that.
    pub slowest_tenth: Option<Duration>,
}

impl Traffic {
    /// Requests a minute of one instance.
    #[must_use]
    pub fn per_instance(&self) -> u64 {
        let seconds = self.counted.as_secs().max(1);
        let a_minute = u64::from(self.requests)
            .saturating_mul(60)
            .checked_div(seconds)
            .unwrap_or_default();
        a_minute.div_ceil(u64::from(self.instances.max(1)))
    }

    /// Requests a minute of the whole environment.
    #[must_use]
    pub fn a_minute(&self) -> u64 {
        let seconds = self.counted.as_secs().max(1);
        u64::from(self.requests)
            .saturating_mul(60)
            .checked_div(seconds)
            .unwrap_or_default()
    }
}

/// What production answered before it moved: what it is compared with afterwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usual {
    requests: u64,
    server_errors: u64,
    /// Milliseconds of the slowest tenths, each times the requests it is of.
    milliseconds: u64,
    /// The number of requests for which the service reported a latency.
    timed: u64,
}

impl Usual {
    /// The usual answers with those of one poll more.
    #[must_use]
    pub fn with(self, traffic: &Traffic) -> Usual {
        let requests = u64::from(traffic.requests);
        let tenth = traffic.slowest_tenth.map(|tenth| tenth.as_millis());
        let tenth = tenth.map(|tenth| u64::try_from(tenth).unwrap_or(u64::MAX));
        Usual {
            requests: self.requests.saturating_add(requests),
            server_errors: self
                .server_errors
                .saturating_add(traffic.server_errors.into()),
            milliseconds: self
                .milliseconds
                .saturating_add(tenth.unwrap_or(0).saturating_mul(requests)),
            timed: self.timed.saturating_add(tenth.map_or(0, |_| requests)),
        }
    }

    /// Of a thousand requests, how many were answered with a server error.
    fn errors_per_mille(&self) -> u64 {
        per_mille(self.server_errors, self.requests)
    }

    fn slowest_tenth(&self) -> Option<Duration> {
        let enough = self.timed >= u64::from(REQUESTS_MIN);
        let tenth = self.milliseconds.checked_div(self.timed);
        tenth.filter(|_| enough).map(Duration::from_millis)
    }
}

/// How many requests production got before it moved: what the environment that it left is
/// measured by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    requests: u64,
    /// For how long they were counted, in seconds.
    seconds: u64,
}

impl Served {
    /// The number of requests with those of one poll more.
    #[must_use]
    pub fn with(self, traffic: &Traffic) -> Served {
        Served {
            requests: self.requests.saturating_add(traffic.requests.into()),
            seconds: self.seconds.saturating_add(traffic.counted.as_secs()),
        }
    }

    /// Requests a minute on average; none where nothing was read.
    #[must_use]
    pub fn a_minute(&self) -> Option<u64> {
        self.requests.saturating_mul(60).checked_div(self.seconds)
    }
}

/// How many times what a drained environment's instances may get still counts as a
/// remainder once the drain's limit is over: health checks come in bursts, and those of a
/// target group's every zone may fall into one window of ten seconds.
const REMAINDER_FACTOR: u64 = 3;

/// Of what production got, the share from which on the traffic that stays is no remainder.
const REMAINDER_SHARE_PER_MILLE: u64 = 100;

/// How much of production's traffic an environment that production left still gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// No more than health checks make, or nobody knows how much.
    Quiet,
    /// Less than a tenth of what production got, and little more than health checks make:
    /// the drain's limit forgives it.
    Remainder,
    /// More than that: nothing forgives it but `--accept-traffic-loss`.
    Substantial,
}

impl Traffic {
    /// How much of what production got still arrives at an environment that it left, where
    /// `quiet_requests` a minute and instance are health checks.
    #[must_use]
    pub fn remaining(&self, served: &Served, quiet_requests: u64) -> Idle {
        if self.per_instance() <= quiet_requests {
            return Idle::Quiet;
        }
        let floor = quiet_requests.saturating_mul(REMAINDER_FACTOR);
        // Where nobody knows what production got, no share of it is known to be small.
        let share = self.share_of(served).unwrap_or(u64::MAX);
        if self.per_instance() <= floor && share < REMAINDER_SHARE_PER_MILLE {
            Idle::Remainder
        } else {
            Idle::Substantial
        }
    }

    /// Its share of what production got, in thousandths; none where that is not known.
    fn share_of(&self, served: &Served) -> Option<u64> {
        served
            .a_minute()
            .map(|before| per_mille(self.a_minute(), before))
    }

    /// How many requests come, beside what production got, as in `612 requests/min, 98.7 %
    /// of what production got before`.
    #[must_use]
    pub fn beside(&self, served: &Served) -> String {
        let now = self.a_minute();
        match self.share_of(served) {
            Some(share) => format!(
                "{now} requests/min, {} of what production got before",
                percent(share)
            ),
            None => format!("{now} requests/min"),
        }
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
    if errors > before.saturating_add(u64::from(limits.error_rise).saturating_mul(10)) {
        return Some(format!(
            "{} of its requests are answered with a server error, {} were before",
            percent(errors),
            percent(before)
        ));
    }
    let (tenth, before) = (now.slowest_tenth?, usual.slowest_tenth()?);
    let worse = before.saturating_mul(limits.latency_rise);
    (tenth > worse && tenth > before.saturating_add(LATENCY_NOISE)).then(|| {
        format!(
            "the slowest tenth of its requests take {} on average, {} before",
            humantime::format_duration(whole_milliseconds(tenth)),
            humantime::format_duration(whole_milliseconds(before))
        )
    })
}

fn per_mille(part: u64, whole: u64) -> u64 {
    let whole = whole.max(1);
    part.saturating_mul(1000)
        .checked_div(whole)
        .unwrap_or_default()
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
            ended: None,
            requests,
            server_errors,
            slowest_tenth: Some(Duration::from_millis(tenth)),
        }
    }

    #[test]
    fn health_checks_are_no_traffic() {
        let quiet = u64::from(Limits::default().drain_requests);
        let served = Served::default();
        // Three nodes of a load balancer, each every 15 seconds to each instance.
        assert_eq!(traffic(6, 0, 1).remaining(&served, quiet), Idle::Quiet);
        assert_ne!(traffic(10, 0, 1).remaining(&served, quiet), Idle::Quiet);
        assert_eq!(traffic(10, 0, 1).per_instance(), 30);
        assert_eq!(Traffic::default().remaining(&served, quiet), Idle::Quiet);
    }

    #[test]
    fn the_limit_forgives_a_remainder_and_never_the_whole() {
        let quiet = u64::from(Limits::default().drain_requests);
        // 6,000 requests a minute on two instances.
        let served = Served::default().with(&traffic(1000, 0, 1));
        let remaining = |requests| traffic(requests, 0, 1).remaining(&served, quiet);
        assert_eq!(remaining(6), Idle::Quiet);
        // 20 a minute and instance are health checks; up to 60 are a remainder.
        assert_eq!(remaining(7), Idle::Remainder);
        assert_eq!(remaining(20), Idle::Remainder);
        // Two per cent of a busy site are people.
        assert_eq!(remaining(21), Idle::Substantial);
        assert_eq!(remaining(1000), Idle::Substantial);
        // Of a quiet site a few requests are a large share.
        let served = Served::default().with(&traffic(60, 0, 1));
        let remaining = |requests| traffic(requests, 0, 1).remaining(&served, quiet);
        assert_eq!(remaining(6), Idle::Quiet);
        assert_eq!(remaining(7), Idle::Substantial);
        // Where nothing is known of before, no share is small.
        let unknown = Served::default();
        assert_eq!(
            traffic(7, 0, 1).remaining(&unknown, quiet),
            Idle::Substantial
        );
        let told = traffic(30, 0, 1).beside(&served);
        assert_eq!(
            told,
            "180 requests/min, 50.0 % of what production got before"
        );
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
