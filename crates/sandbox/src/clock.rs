//! The sandbox's own time.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::time::{LAST, Millis, millis};

/// The source of a sandbox's time.
#[derive(Clone)]
pub enum TimeSource {
    /// The wall's, times the speed.
    Wall,
    /// A function that returns the sandbox's own time; the speed is ignored.
    Manual(Arc<dyn Fn() -> SystemTime + Send + Sync>),
}

impl fmt::Debug for TimeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TimeSource::Wall => "Wall",
            TimeSource::Manual(_) => "Manual",
        })
    }
}

/// A reading of a sandbox's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClockReading {
    /// Its time.
    pub now: SystemTime,
    /// How many of its seconds pass in one of the wall's.
    pub speed: f64,
}

/// A clock that can be kept on disk: it runs on while no process runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Clock {
    epoch: Millis,
    wall: Millis,
    pub speed: f64,
}

impl Clock {
    /// A clock that reads the wall's time now.
    pub fn new(speed: f64) -> Clock {
        let wall = millis(SystemTime::now());
        Clock {
            epoch: wall,
            wall,
            speed,
        }
    }

    /// The same time, at another speed from now on.
    pub fn at_speed(self, speed: f64) -> Clock {
        Clock {
            epoch: self.now(),
            wall: millis(SystemTime::now()),
            speed,
        }
    }

    pub fn now(&self) -> Millis {
        let passed = millis(SystemTime::now()).saturating_sub(self.wall);
        let passed = (passed as f64 * self.speed) as Millis;
        self.epoch.saturating_add(passed).min(LAST)
    }
}

/// The speeds that a sandbox may run at.
pub const SPEEDS: std::ops::RangeInclusive<f64> = 0.01..=100_000.0;
