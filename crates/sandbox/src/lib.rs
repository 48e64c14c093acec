//! A local AWS Elastic Beanstalk and S3 to rehearse deployments on.
//!
//! Real wire protocols over a pure [`World`]: the Query API, S3, the
//! environments' own web sites, and a control API below `/_sandbox/`. Any
//! signature is accepted.
#![warn(missing_docs)]

mod account;
mod body;
mod clock;
mod deploys;
mod disk;
mod dns;
mod encryption;
mod faults;
mod identities;
mod launch;
mod model;
mod objects;
mod operations;
mod policy;
mod replay;
mod report;
mod route;
mod seed;
mod server;
mod services;
mod site;
mod timeline;
mod traffic;
mod wire;
mod world;

pub use account::QuotaOf;
pub use clock::{ClockReading, TimeSource};
pub use faults::{BundleReader, Fault, FaultEffect, Page, Reaches};
pub use identities::ROLE;
pub use launch::LaunchFault;
pub use model::{
    Application, Busy, Environment, Event, Instance, Millis, Setting, Status, Template, Tier,
    Version, View,
};
pub use operations::Reply;
pub use policy::{Need, Policy, PolicyError, Verdict};
pub use replay::{Replay, ReplayError};
pub use report::{Created, Interruption, Leftovers, Peaks, Report};
pub use route::{Call, Hangup, Origin, Phase, Service, TapVerdict};
pub use seed::{BUCKET, BUNDLES, PRODUCTION};
pub use services::{HOSTS_PARAMETER, ZONE, ZONE_PARAMETER};
pub use traffic::{Loss, Traffic};
pub use wire::{ApiError, Form};
pub use world::{Timings, World};

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use thiserror::Error;

use disk::Disk;
use objects::Objects;
use route::Tap;

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

/// A sandbox that cannot be opened or kept.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// A file of the world cannot be read or written.
    #[error("cannot use the sandbox's file {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no world.
    #[error("{} is not the world of a sandbox: {message}", path.display())]
    NotAWorld {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// The world was written by a newer program.
    #[error("the world in {} was written by a newer sandbox", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// The speed is out of bounds.
    #[error("a sandbox cannot run at speed {0}: give a number from {start} to {end}", start = SPEEDS.start(), end = SPEEDS.end())]
    Speed(f64),
}

/// A local Elastic Beanstalk and S3.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    keeper: Mutex<Disk>,
    objects: Objects,
    tap: Mutex<Option<Tap>>,
    calls: std::sync::atomic::AtomicU64,
    _scratch: Option<tempfile::TempDir>,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Opens a sandbox, with a seeded world where there is none yet.
    ///
    /// # Errors
    /// [`SandboxError`].
    pub fn open(options: Options) -> Result<Sandbox, SandboxError> {
        if !SPEEDS.contains(&options.speed) {
            return Err(SandboxError::Speed(options.speed));
        }
        let scratch = match options.directory {
            Some(_) => None,
            None => Some(tempfile::tempdir().map_err(|source| SandboxError::Io {
                path: std::env::temp_dir(),
                source,
            })?),
        };
        let folder = options
            .directory
            .clone()
            .or_else(|| scratch.as_ref().map(|dir| dir.path().to_owned()))
            .unwrap_or_default();
        let root = folder.join("s3");
        let io = |source| SandboxError::Io {
            path: root.clone(),
            source,
        };
        let at_once = matches!(options.time, TimeSource::Manual(_));
        let objects = Objects::open(&root, at_once).map_err(io)?;
        for key in BUNDLES {
            objects.seed(BUCKET, key, b"a source bundle").map_err(io)?;
        }
        Ok(Sandbox(Arc::new(Inner {
            keeper: Mutex::new(Disk::open(&options)?),
            objects,
            tap: Mutex::default(),
            calls: 0.into(),
            _scratch: scratch,
        })))
    }

    /// Its time and speed.
    #[must_use]
    pub fn clock(&self) -> ClockReading {
        self.keeper().clock()
    }

    /// Works on the world as it is now; the result is kept.
    pub fn with_world<R>(&self, work: impl FnOnce(&mut World, SystemTime) -> R) -> R {
        self.keeper().with_world(work)
    }

    /// What its clients may do from now on; none for everything.
    pub fn set_policy(&self, policy: Option<Policy>) {
        self.keeper().set_policy(policy);
    }

    /// What became of the clients' requests, and what is there beyond the seed.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut report = self.with_world(|world, _| world.report());
        let seeded = |key: &String| BUNDLES.iter().any(|b| *key == format!("{BUCKET}/{b}"));
        report.leftovers.objects = self.0.objects.keys();
        report.leftovers.objects.retain(|key| !seeded(key));
        report.leftovers.unfinished_uploads = self.0.objects.unfinished_uploads();
        report
    }

    /// Has every API call told before it is applied and before it is answered.
    pub fn set_tap(&self, tap: impl Fn(&Call, Phase) -> TapVerdict + Send + Sync + 'static) {
        *self.0.tap.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(tap));
    }

    fn keeper(&self) -> MutexGuard<'_, Disk> {
        self.0.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
