//! How long things take.

use serde::{Deserialize, Serialize};

/// How long things take, in seconds of the sandbox's time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    /// From CreateEnvironment to Ready.
    pub launch_seconds: u64,
    /// From Ready to healthy after a launch.
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
        }
    }
}
