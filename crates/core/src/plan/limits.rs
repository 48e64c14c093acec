//! The limits of a deployment.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rollout::Rollout;
use crate::moment::part;

/// Every limit of a deployment. What a plan of an older program does not say has its
/// default.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// The pause between two looks, give or take a tenth.
    pub poll: Duration,
    /// How long cached DNS answers may still reach an environment after a swap.
    pub drain: Duration,
    /// How long after a swap an environment that is still asked for something is waited
    /// for, before a remainder of requests is forgiven; what is more than a remainder never
    /// is.
    pub drain_limit: Duration,
    /// Whether the traffic that stays on an environment may be lost: then the drain ends
    /// with its limit, whatever still comes.
    pub accept_traffic_loss: bool,
    /// How many requests a minute one instance of a drained environment may get: those of
    /// health checks, as blue's settings tell them.
    pub drain_requests: u32,
    /// How long blue is watched after the last swap.
    pub bake: Duration,
    /// By how many percentage points more of production's requests than before may be
    /// answered with a server error while it is watched.
    pub error_rise: u32,
    /// How many times as long as before production's requests may take while it is
    /// watched.
    pub latency_rise: u32,
    /// The longest wait of any one state that does not end by itself.
    pub patience: Duration,
    /// The same of single states, by their names.
    pub patience_of: BTreeMap<String, Duration>,
    /// How a version goes onto blue, and how long that may take.
    pub rollout: Rollout,
    /// How long a request without a clear answer may still arrive: the request's
    /// time-out and the five minutes for which its signature holds.
    pub quarantine: Duration,
    /// How long the production CNAME must be seen at one place before that place
    /// is believed although it is the wrong one (reads may be stale).
    pub settle: Duration,
    /// How many looks in a row must find an environment healthy.
    pub healthy_looks: u32,
    /// How many looks in a row may find production sick while it is watched.
    pub sick_looks: u32,
    /// How long after the deploy or the launch of an environment the failures of its tests do
    /// not count while it is not healthy.
    pub test_grace: Duration,
    /// How many tests in a row must pass.
    pub test_passes: u32,
    /// How many tests in a row may fail before the version is given up.
    pub test_failures: u32,
}

/// How long one request to AWS may take before its answer counts as lost.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How long after its intent was written down a request may still be sent; its
/// quarantine is as much longer.
pub const SEND_WITHIN: Duration = Duration::from_secs(30);

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            poll: Duration::from_secs(10),
            drain: Duration::from_secs(60),
            drain_limit: Duration::from_secs(10 * 60),
            accept_traffic_loss: false,
            // A load balancer's nodes in three zones, each every 15 seconds, make 12.
            drain_requests: 20,
            bake: Duration::from_secs(300),
            error_rise: 5,
            latency_rise: 3,
            patience: Duration::from_secs(30 * 60),
            patience_of: BTreeMap::new(),
            rollout: Rollout::default(),
            quarantine: REQUEST_TIMEOUT.saturating_add(Duration::from_mins(5)),
            settle: Duration::from_secs(30),
            healthy_looks: 3,
            sick_looks: 2,
            // A load balancer takes instances back within one or two minutes, and the slowest of
            // applications start in two or three.
            test_grace: Duration::from_secs(5 * 60),
            test_passes: 3,
            test_failures: 3,
        }
    }
}

/// However short the poll, no answer of production is waited for less: less would tell of
/// the network and not of production.
const WATCH_WITHIN_MIN: Duration = Duration::from_secs(1);

impl Limits {
    /// From one look at production that is watched to the next: so short that all the looks
    /// it takes to find it sick, and the last answer that is waited for, fall within one
    /// poll.
    #[must_use]
    pub fn watch_interval(&self) -> Duration {
        part(self.poll, self.sick_looks.max(1).saturating_add(1))
    }

    /// How long an answer of production that is watched is waited for at most. The quarter
    /// that is left is for the requests to AWS.
    #[must_use]
    pub fn watch_within(&self) -> Duration {
        let quarters = self.sick_looks.max(1).saturating_add(1).saturating_mul(4);
        part(self.poll.saturating_mul(3), quarters).max(WATCH_WITHIN_MIN)
    }
}
