//! How a sandbox is opened.

use std::path::PathBuf;

use crate::clock::TimeSource;
use crate::world::iam::policy::Policy;

/// How to open a sandbox.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where its world is kept; none for one that ends with the process. Several
    /// processes may keep one world open at the same time.
    pub directory: Option<PathBuf>,
    /// How many of its seconds pass in one of the wall's.
    pub speed: f64,
    /// Where its time comes from.
    pub time: TimeSource,
    /// What its clients may do; none for everything.
    pub policy: Option<Policy>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            directory: None,
            speed: 60.0,
            time: TimeSource::Wall,
            policy: None,
        }
    }
}

/// The speeds that a sandbox may run at.
pub const SPEEDS: std::ops::RangeInclusive<f64> = 0.01..=100_000.0;
