//! How long things take.

use serde::{Deserialize, Serialize};

/// How long things take, in seconds of the sandbox's time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    /// From CreateEnvironment to Ready.
    pub launch_seconds: u64,
    /// From Ready to healthy, after a launch that was not healthy before.
    pub warm_seconds: u64,
    /// A deploy.
    pub deploy_seconds: u64,
    /// From the end of an update to Ok.
    pub settle_seconds: u64,
    /// A swap of CNAMEs.
    pub swap_seconds: u64,
    /// A termination.
    pub terminate_seconds: u64,
    /// Giving up an update.
    pub abort_seconds: u64,
    /// Processing a version.
    pub process_seconds: u64,
    /// By how many percent, at most, each of these is shorter or longer: drawn anew each time.
    #[serde(default)]
    pub jitter_percent: u64,
    /// Of a hundred launches, how many have a healthy environment before it is Ready; the others
    /// take `warm_seconds` longer. Nine of ten captured launches of the service were so.
    #[serde(default)]
    pub healthy_before_ready_percent: u64,
}

impl Timings {
    /// The same durations, each just as long every time, and no environment healthy before it is
    /// Ready.
    #[must_use]
    pub fn even(self) -> Timings {
        Timings {
            jitter_percent: 0,
            healthy_before_ready_percent: 0,
            ..self
        }
    }
}

impl Default for Timings {
    fn default() -> Timings {
        Timings {
            launch_seconds: 240,
            warm_seconds: 40,
            deploy_seconds: 90,
            settle_seconds: 15,
            swap_seconds: 8,
            terminate_seconds: 240,
            abort_seconds: 30,
            process_seconds: 20,
            jitter_percent: 30,
            healthy_before_ready_percent: 90,
        }
    }
}
