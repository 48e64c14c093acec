//! The limits of a deployment.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rollout::Rollout;
use crate::moment::part;

/// Every limit of a deployment. What a plan of an older version of bluegreen does not hold has its
/// default.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// The pause between two polls, give or take a tenth, where [`pacing`](crate::pacing) knows no
    /// better.
    pub poll: Duration,
    /// How long cached DNS answers may still reach an environment after a swap.
    pub drain: Duration,
    /// How long after a swap bluegreen waits for an environment that still gets requests, before it
    /// tolerates a remainder of them; it never tolerates more than a remainder.
    pub drain_limit: Duration,
    /// Whether the operator accepts that the traffic that stays on an environment is lost: the
    /// drain then ends at its limit, whatever still comes.
    pub accept_traffic_loss: bool,
    /// How many requests a minute one instance of a drained environment may get: those of health
    /// checks, as blue's settings determine them.
    pub drain_requests: u32,
    /// How long bluegreen monitors production after the last swap.
    pub bake: Duration,
    /// By how many percentage points more of production's requests than before may be answered with
    /// a server error while it is monitored.
    pub error_rise: u32,
    /// How many times as long as before production's requests may take while it is monitored.
    pub latency_rise: u32,
    /// The timeout of any one state that does not end by itself.
    pub patience: Duration,
    /// The timeouts of single states, by their names.
    pub patience_of: BTreeMap<String, Duration>,
    /// How a version goes onto blue, and how long that may take.
    pub rollout: Rollout,
    /// How long a request without a clear answer may still arrive: the request's timeout and the
    /// five minutes for which its signature holds.
    pub quarantine: Duration,
    /// How long polls must see the production CNAME at one place before bluegreen believes that
    /// place although it is the wrong one (reads may be stale).
    pub settle: Duration,
    /// How many polls in a row must find an environment healthy.
    pub healthy_looks: u32,
    /// How many polls in a row may find production unhealthy while it is monitored.
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

/// How long after the checkpoint of its intent a request may still be sent; it is in doubt for as
/// much longer.
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

/// However short the poll, bluegreen waits no less than this for an answer of production: less
/// would measure the network and not production.
const WATCH_WITHIN_MIN: Duration = Duration::from_secs(1);

impl Limits {
    /// The time from one poll of production to the next while bluegreen monitors it: so short that
    /// all the polls that it takes to find it unhealthy, and the wait for the last answer, fall
    /// within one poll interval.
    #[must_use]
    pub fn watch_interval(&self) -> Duration {
        part(self.poll, self.sick_looks.max(1).saturating_add(1))
    }

    /// How long bluegreen waits at most for an answer of production while it monitors it. The
    /// quarter that is left is for the requests to AWS.
    #[must_use]
    pub fn watch_within(&self) -> Duration {
        let quarters = self.sick_looks.max(1).saturating_add(1).saturating_mul(4);
        part(self.poll.saturating_mul(3), quarters).max(WATCH_WITHIN_MIN)
    }
}
