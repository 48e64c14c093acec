//! Keeps a world: in memory, or on disk for several processes at a time.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Write};
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
    /// Holds the folder against those who do not share it.
    _usage: Option<Usage>,
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
    pub fn keep(self) -> Result<Disk, SandboxError> {
        if let Some(folder) = &self.disk.folder {
            save(folder, &self.disk.saved)?;
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
                Some(found) => {
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

    /// Works on the world as it is now. It reads a world on disk before and writes it after, under
    /// its lock. Where the world cannot be read, or a newer program has written it, it logs that,
    /// leaves the file alone, and continues in memory.
    pub fn with_world<R>(&mut self, work: impl FnOnce(&mut World, SystemTime) -> R) -> R {
        let Some(folder) = self.folder.clone() else {
            return self.work(work);
        };
        let found = lock(&folder).and_then(|lock| Ok((lock, load(&folder)?)));
        let lock = match found {
            Ok((lock, found)) => {
                if let Some(found) = found {
                    self.saved = found;
                }
                lock
            }
            Err(error) => {
                tracing::error!("{error}");
                return self.work(work);
            }
        };
        let result = self.work(work);
        if let Err(error) = save(&folder, &self.saved) {
            tracing::error!("{error}");
        }
        drop(lock);
        result
    }

    fn work<R>(&mut self, work: impl FnOnce(&mut World, SystemTime) -> R) -> R {
        let now = self.now();
        self.saved.world.policy.clone_from(&self.policy);
        advance(&mut self.saved.world, now);
        work(&mut self.saved.world, system_time(now))
    }
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
fn check(folder: &Path) -> Result<Option<Saved>, SandboxError> {
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

fn load(folder: &Path) -> Result<Option<Saved>, SandboxError> {
    let path = path(folder);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(&path)(error)),
    };
    let not_a_world = |e: serde_json::Error| SandboxError::NotAWorld {
        path: path.clone(),
        message: e.to_string(),
    };
    let header: Header = serde_json::from_slice(&text).map_err(not_a_world)?;
    if header.format > FORMAT {
        return Err(SandboxError::Newer { path });
    }
    serde_json::from_slice(&text).map(Some).map_err(not_a_world)
}

/// Atomic for readers: a temporary file takes the world's place.
fn save(folder: &Path, saved: &Saved) -> Result<(), SandboxError> {
    let path = path(folder);
    let text = serde_json::to_vec(saved).map_err(|e| SandboxError::NotAWorld {
        path: path.clone(),
        message: e.to_string(),
    })?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io(folder))?;
    file.write_all(&text).map_err(io(&path))?;
    file.persist(&path).map_err(|e| io(&path)(e.error))?;
    Ok(())
}
