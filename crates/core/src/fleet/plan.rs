//! What a fleet does: its waves, and when it stops.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a fleet does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetPlan {
    /// Its waves in their order, at least one.
    pub waves: Vec<Wave>,
    /// How many targets are released at the same time, at least one.
    pub concurrency: usize,
    /// How many failures end it.
    pub stop_after: StopAfter,
}

/// Targets that are released together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wave {
    /// Its name.
    pub name: String,
    /// How long the fleet waits after it, and watches the health of what it has released.
    pub bake: Duration,
    /// Whether the fleet pauses after it until an operator approves the next one.
    pub pauses: bool,
}

/// How many failures end a fleet: no more targets begin then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopAfter {
    /// So many targets, at least one.
    Failures(usize),
    /// So many of a hundred targets of the fleet, from 1 to 100.
    Percent(u8),
}

impl Default for StopAfter {
    fn default() -> StopAfter {
        StopAfter::Failures(1)
    }
}

impl StopAfter {
    /// Whether so many failures among so many targets end the fleet.
    #[must_use]
    pub fn is_reached(self, failed: usize, targets: usize) -> bool {
        match self {
            StopAfter::Failures(most) => failed >= most.max(1),
            StopAfter::Percent(percent) => {
                let share = targets.saturating_mul(usize::from(percent));
                failed > 0 && failed.saturating_mul(100) >= share
            }
        }
    }
}

/// As in the file: `3`, or `10%`.
impl fmt::Display for StopAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StopAfter::Failures(1) => f.write_str("1 failure"),
            StopAfter::Failures(most) => write!(f, "{most} failures"),
            StopAfter::Percent(percent) => write!(f, "failures of {percent} %"),
        }
    }
}

impl FromStr for StopAfter {
    type Err = String;

    fn from_str(text: &str) -> Result<StopAfter, String> {
        let text = text.trim();
        let parsed = match text.strip_suffix('%') {
            Some(percent) => percent.trim().parse().ok().map(StopAfter::Percent),
            None => text.parse().ok().map(StopAfter::Failures),
        };
        let is_right = |stop: &StopAfter| match stop {
            StopAfter::Failures(most) => *most > 0,
            StopAfter::Percent(percent) => (1..=100).contains(percent),
        };
        parsed.filter(is_right).ok_or_else(|| {
            "expected a number of targets from 1 on, or a share of them from \"1%\" to \"100%\""
                .to_owned()
        })
    }
}

impl FleetPlan {
    /// What is wrong with a plan that was read from elsewhere.
    ///
    /// # Errors
    /// The reason, in words.
    pub fn check(&self) -> Result<(), String> {
        if self.waves.is_empty() {
            return Err("it has no wave".to_owned());
        }
        match self.concurrency {
            0 => Err("its concurrency is 0".to_owned()),
            _ => Ok(()),
        }
    }
}
