//! Keeps a world: in memory, or on disk for several processes at a time.

use std::fs::{File, Metadata, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::arrivals::advance;
use crate::clock::{Clock, ClockReading, TimeSource};
use crate::error::SandboxError;
use crate::objects::is_own_root;
use crate::options::{Options, Sharing};
use crate::time::{Millis, millis, system_time};
use crate::world::iam::policy::Policy;
use crate::world::{FORMAT, World};

/// Seeds are drawn below this, so that a person can type them.
const DRAWN_SEEDS: u64 = 1_000_000;

/// A world and where it is kept.
pub(crate) struct Disk {
    time: TimeSource,
    folder: Option<PathBuf>,
    /// Each process has its own: it is not kept with the world.
    policy: Option<Arc<Policy>>,
    saved: Saved,
    /// Who else may write to the folder.
    sharing: Sharing,
    /// The file that `saved` was read from or written to last.
    on_disk: Option<OnDisk>,
    /// Whether `saved` has counted more than the file.
    is_ahead: bool,
    /// Holds the folder against those who do not share it.
    _usage: Option<Usage>,
}

/// The effect of a request on the world, beside the time that passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// None.
    Reads,
    /// The request is counted, and has an id. Whoever has the folder alone writes that with the
    /// next change, or at the end.
    Counts,
    /// It must be on disk before the request is answered.
    Changes,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    format: u32,
    clock: Clock,
    world: World,
}

#[derive(Deserialize)]
struct Header {
    format: u32,
}

/// A world that is being opened: nothing of it is on disk before [`Opening::keep`], and no other
/// process opens it meanwhile.
pub(crate) struct Opening {
    disk: Disk,
    /// Whether the folder held no world.
    pub is_new: bool,
    _lock: Option<File>,
}

impl Opening {
    /// Writes the world.
    pub fn keep(mut self) -> Result<Disk, SandboxError> {
        if let Some(folder) = self.disk.folder.clone() {
            self.disk.save(&folder)?;
        }
        Ok(self.disk)
    }

    /// The bundles that the world begins with, as `bucket/key`.
    pub fn bundles(&self) -> &[String] {
        &self.disk.saved.world.seeded_bundles
    }

    /// The time of its clock.
    pub fn now(&self) -> Millis {
        self.disk.now()
    }
}

impl Disk {
    /// Begins to open a world: the one that the folder holds, else a new one. It changes nothing
    /// in a folder that holds something else.
    pub fn begin(options: &Options) -> Result<Opening, SandboxError> {
        let clock = Clock::new(options.speed);
        let now = match &options.time {
            TimeSource::Wall => clock.now(),
            TimeSource::Manual(time) => millis(time()),
        };
        let mut opening = Opening {
            disk: Disk {
                time: options.time.clone(),
                folder: options.directory.clone(),
                policy: options.policy.clone().map(Arc::new),
                saved: Saved {
                    format: FORMAT,
                    clock,
                    world: match &options.world {
                        Some(described) => described.world(now),
                        None => World::seeded(now),
                    },
                },
                sharing: options.sharing,
                on_disk: None,
                is_ahead: false,
                _usage: None,
            },
            is_new: true,
            _lock: None,
        };
        let seed = options.seed.unwrap_or_else(|| fastrand::u64(..DRAWN_SEEDS));
        opening.disk.saved.world.seed_chance(seed);
        if let Some(folder) = &options.directory {
            if !lock_path(folder).exists() {
                check(folder)?;
            }
            opening._lock = Some(lock(folder)?);
            let usage = Usage::begin(folder, options)?;
            match check(folder)? {
                Some(_) if options.fresh => remove(folder)?,
                Some((found, _)) => {
                    opening.is_new = false;
                    opening.disk.found(found, options, usage.is_first);
                }
                None => {}
            }
            opening.disk._usage = Some(usage);
        }
        Ok(opening)
    }

    /// Takes the world that was found in place of the new one. Its speed stays as it is while
    /// others use it.
    fn found(&mut self, found: Saved, options: &Options, is_first: bool) {
        self.saved = found;
        if let Some(seed) = options.seed {
            self.saved.world.seed_chance(seed);
        }
        if is_first && self.saved.clock.speed != options.speed {
            self.saved.clock = self.saved.clock.at_speed(options.speed);
        }
    }

    pub fn clock(&self) -> ClockReading {
        ClockReading {
            now: system_time(self.now()),
            speed: match self.time {
                TimeSource::Wall => self.saved.clock.speed,
                TimeSource::Manual(_) => 1.0,
            },
        }
    }

    pub fn set_policy(&mut self, policy: Option<Policy>) {
        self.policy = policy.map(Arc::new);
    }

    fn now(&self) -> Millis {
        match &self.time {
            TimeSource::Wall => self.saved.clock.now(),
            TimeSource::Manual(time) => millis(time()),
        }
    }

    /// Works on the world as it is now, and writes it as far as the effect needs that. It reads a
    /// world on disk before where another process has written it, under its lock. Where the world
    /// cannot be read, or a newer program has written it, it logs that, leaves the file alone, and
    /// continues in memory.
    pub fn work<R>(&mut self, work: impl FnOnce(&mut World, SystemTime) -> (R, Effect)) -> R {
        let Some(folder) = self.folder.clone() else {
            return self.apply(work).0;
        };
        let _lock = match lock(&folder).and_then(|lock| self.refresh(&folder).map(|()| lock)) {
            Ok(lock) => lock,
            Err(error) => {
                tracing::error!("{error}");
                return self.apply(work).0;
            }
        };
        let (result, effect) = self.apply(work);
        self.is_ahead |= effect == Effect::Counts;
        let is_shared = self.sharing == Sharing::Shared;
        if (effect == Effect::Changes || is_shared && self.is_ahead)
            && let Err(error) = self.save(&folder)
        {
            tracing::error!("{error}");
        }
        result
    }

    /// Reads the world where the file is another than it was.
    fn refresh(&mut self, folder: &Path) -> Result<(), SandboxError> {
        let is_current = |on_disk: &OnDisk| on_disk.is_current(&path(folder));
        if !self.on_disk.as_ref().is_some_and(is_current)
            && let Some((found, on_disk)) = load(folder)?
        {
            self.saved = found;
            self.on_disk = Some(on_disk);
            self.is_ahead = false;
        }
        Ok(())
    }

    fn save(&mut self, folder: &Path) -> Result<(), SandboxError> {
        self.on_disk = Some(save(folder, &self.saved)?);
        self.is_ahead = false;
        Ok(())
    }

    /// Lets time pass and works on the world. What happens with time changes it; that time has
    /// passed does not, since whoever reads the world later lets it pass too.
    fn apply<R>(
        &mut self,
        work: impl FnOnce(&mut World, SystemTime) -> (R, Effect),
    ) -> (R, Effect) {
        let now = self.now();
        let world = &mut self.saved.world;
        world.policy.clone_from(&self.policy);
        let happens = world.has_due(now);
        advance(world, now);
        match work(world, system_time(now)) {
            (result, _) if happens => (result, Effect::Changes),
            done => done,
        }
    }
}

/// Writes what was counted since the last change.
impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_ahead {
            self.work(|_, _| ((), Effect::Changes));
        }
    }
}

/// The file of a world as it was read or written. It is held open, so that no later file has its
/// number meanwhile.
struct OnDisk {
    state: State,
    _file: File,
}

/// The device and number of a file, its length, and when it was written, in seconds and
/// nanoseconds.
type State = (u64, u64, u64, i64, i64);

impl OnDisk {
    fn of(file: File) -> std::io::Result<OnDisk> {
        let state = state(&file.metadata()?);
        Ok(OnDisk { state, _file: file })
    }

    /// Whether the file at this path is this one, as it was.
    fn is_current(&self, path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|found| state(&found) == self.state)
    }
}

fn state(of: &Metadata) -> State {
    (of.dev(), of.ino(), of.len(), of.mtime(), of.mtime_nsec())
}

/// The use of a folder, until it is dropped.
struct Usage {
    /// Whether nobody else used the folder when this began.
    is_first: bool,
    _file: File,
}

impl Usage {
    /// Begins to use a folder, whose lock the caller holds.
    fn begin(folder: &Path, options: &Options) -> Result<Usage, SandboxError> {
        let path = folder.join("sandbox.lock");
        let file = open(&path)?;
        let is_free = |locked: Result<(), TryLockError>| match locked {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(source)) => Err(io(&path)(source)),
        };
        let is_first = is_free(file.try_lock())?;
        let may_share = options.sharing == Sharing::Shared;
        if may_share && is_first {
            file.unlock().map_err(io(&path))?;
        }
        let shares = may_share && is_free(file.try_lock_shared())?;
        // Who begins anew needs the folder alone.
        if !(is_first || shares && !options.fresh) {
            return Err(SandboxError::InUse {
                folder: folder.to_owned(),
            });
        }
        Ok(Usage {
            is_first,
            _file: file,
        })
    }
}

/// Removes a world with its objects. The world goes last: who is killed meanwhile can do it again.
fn remove(folder: &Path) -> Result<(), SandboxError> {
    let objects = objects_path(folder);
    match std::fs::remove_dir_all(&objects) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(io(&objects)(error)),
        _ => {}
    }
    let path = path(folder);
    std::fs::remove_file(&path).map_err(io(&path))
}

fn path(folder: &Path) -> PathBuf {
    folder.join("world.json")
}

fn lock_path(folder: &Path) -> PathBuf {
    folder.join("world.lock")
}

/// The folder of its objects.
pub(crate) fn objects_path(folder: &Path) -> PathBuf {
    folder.join("s3")
}

/// The world in a folder; `None` where there is none. The files beside it where a sandbox keeps
/// its objects must be a sandbox's then.
fn check(folder: &Path) -> Result<Option<(Saved, OnDisk)>, SandboxError> {
    let found = load(folder)?;
    let objects = objects_path(folder);
    if found.is_none() && !is_own_root(&objects).map_err(io(&objects))? {
        return Err(SandboxError::Foreign {
            folder: folder.to_owned(),
            path: objects,
        });
    }
    Ok(found)
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> SandboxError {
    move |source| SandboxError::Io {
        path: path.to_owned(),
        source,
    }
}

fn lock(folder: &Path) -> Result<File, SandboxError> {
    let path = lock_path(folder);
    std::fs::create_dir_all(folder).map_err(io(folder))?;
    let file = open(&path)?;
    file.lock().map_err(io(&path))?;
    Ok(file)
}

/// Opens a file to lock, and makes it where it is missing.
fn open(path: &Path) -> Result<File, SandboxError> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path);
    file.map_err(io(path))
}

fn load(folder: &Path) -> Result<Option<(Saved, OnDisk)>, SandboxError> {
    let path = path(folder);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(&path)(error)),
    };
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(io(&path))?;
    let on_disk = OnDisk::of(file).map_err(io(&path))?;
    let not_a_world = |e: serde_json::Error| SandboxError::NotAWorld {
        path: path.clone(),
        message: e.to_string(),
    };
    let header: Header = serde_json::from_slice(&text).map_err(not_a_world)?;
    if header.format > FORMAT {
        return Err(SandboxError::Newer { path });
    }
    let saved = serde_json::from_slice(&text).map_err(not_a_world)?;
    Ok(Some((saved, on_disk)))
}

/// Atomic for readers: a temporary file takes the world's place.
fn save(folder: &Path, saved: &Saved) -> Result<OnDisk, SandboxError> {
    let path = path(folder);
    let text = serde_json::to_vec(saved).map_err(|e| SandboxError::NotAWorld {
        path: path.clone(),
        message: e.to_string(),
    })?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io(folder))?;
    file.write_all(&text).map_err(io(&path))?;
    let file = file.persist(&path).map_err(|e| io(&path)(e.error))?;
    OnDisk::of(file).map_err(io(&path))
}
