//! How a sandbox is opened.

use std::path::PathBuf;

use crate::clock::TimeSource;
use crate::description::Description;
use crate::world::iam::policy::Policy;

/// Who may use a sandbox's folder at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// Other processes that share it too: each works on the world as the last one left it. The
    /// speed is that of the first.
    #[default]
    Shared,
    /// Nobody else.
    Exclusive,
}

/// How to open a sandbox.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of its world; `None` for a world that lasts as long as the process.
    pub directory: Option<PathBuf>,
    /// Who may use the folder at the same time.
    pub sharing: Sharing,
    /// Whether to begin anew: to remove the world that the folder holds, with its objects. Nobody
    /// else may use the folder then.
    pub fresh: bool,
    /// How many of its seconds pass in one of the wall's.
    pub speed: f64,
    /// The source of its time.
    pub time: TimeSource,
    /// What its clients may do; `None` for everything.
    pub policy: Option<Policy>,
    /// The world that a new one begins as; `None` for the seeded one.
    pub world: Option<Description>,
    /// The seed of its chance from now on; `None` draws one for a new world, and leaves that of a
    /// world on disk.
    pub seed: Option<u64>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            directory: None,
            sharing: Sharing::default(),
            fresh: false,
            speed: 60.0,
            time: TimeSource::Wall,
            policy: None,
            world: None,
            seed: None,
        }
    }
}
