//! A sandbox: a world, its objects, and the tap that hears of its calls.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::call::{Call, Phase, Tap, TapVerdict};
use crate::clock::{ClockReading, SPEEDS, TimeSource};
use crate::description::Description;
use crate::disk::{Disk, Effect, objects_path};
use crate::error::SandboxError;
use crate::objects::Objects;
use crate::options::Options;
use crate::world::World;
use crate::world::iam::policy::Policy;
use crate::world::report::Report;

/// A local Elastic Beanstalk and S3.
#[derive(Clone)]
pub struct Sandbox(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) keeper: Mutex<Disk>,
    pub(crate) objects: Objects,
    pub(crate) tap: Mutex<Option<Tap>>,
    pub(crate) calls: std::sync::atomic::AtomicU64,
    _scratch: Option<tempfile::TempDir>,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Opens a sandbox, with a seeded world where there is none yet. It refuses whatever it can
    /// before it changes anything.
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
        let root = objects_path(&folder);
        let io = |source| SandboxError::Io {
            path: root.clone(),
            source,
        };
        // Before anything is made or taken over, the folder must be a sandbox's.
        let opening = Disk::begin(&options)?;
        let at_once = matches!(options.time, TimeSource::Manual(_));
        let objects = Objects::open(&root, at_once).map_err(io)?;
        let now = opening.now();
        if opening.is_new {
            let buckets = options.world.iter().flat_map(Description::buckets);
            objects.begin(buckets, opening.bundles(), now).map_err(io)?;
        }
        Ok(Sandbox(Arc::new(Inner {
            keeper: Mutex::new(opening.keep()?),
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
        self.work(|world, now| (work(world, now), Effect::Changes))
    }

    /// Reads the world as it is now.
    pub(crate) fn read_world<R>(&self, work: impl FnOnce(&World, SystemTime) -> R) -> R {
        self.work(|world, now| (work(world, now), Effect::Reads))
    }

    /// Works on the world as it is now; the result is kept as far as the effect needs that.
    pub(crate) fn work<R>(&self, work: impl FnOnce(&mut World, SystemTime) -> (R, Effect)) -> R {
        self.keeper().work(work)
    }

    /// Sets what its clients may do from now on; `None` for everything.
    pub fn set_policy(&self, policy: Option<Policy>) {
        self.keeper().set_policy(policy);
    }

    /// The report: the outcome of the clients' requests, and what exists beyond the seed.
    #[must_use]
    pub fn report(&self) -> Report {
        let (mut report, bundles) =
            self.read_world(|world, _| (world.report(), world.seeded_bundles.clone()));
        let bundles: BTreeSet<String> = bundles.into_iter().collect();
        let seeded = |key: &String| bundles.contains(key);
        report.leftovers.objects = self.0.objects.keys();
        report.leftovers.objects.retain(|key| !seeded(key));
        report.leftovers.unfinished_uploads = self.0.objects.unfinished_uploads();
        report
    }

    /// Calls `tap` with every API call before the call is applied and before it is answered.
    pub fn set_tap(&self, tap: impl Fn(&Call, Phase) -> TapVerdict + Send + Sync + 'static) {
        *self.0.tap.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(tap));
    }

    fn keeper(&self) -> MutexGuard<'_, Disk> {
        self.0.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
