//! The file that a process locks while it runs a deployment: the lock dies with the process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

/// Held while this process runs a deployment. The system releases it however the process ends; the
/// file then stays, and shows how far the deployment had come.
#[derive(Debug)]
pub struct DriveLock {
    pub(super) path: PathBuf,
    pub(super) file: Arc<LockFile>,
    /// The revision that the process before came to, where it was killed.
    pub(super) left_at: Option<u64>,
}

#[derive(Debug)]
pub(super) struct LockFile {
    pub(super) file: File,
    /// Whether this process has checkpointed the deployment.
    pub(super) noted: AtomicBool,
}

/// A deployment that this process runs through a store.
pub(super) struct Driven {
    pub(super) id: String,
    pub(super) file: Weak<LockFile>,
}

pub(super) fn lock_path(journal: &Path, id: &str) -> PathBuf {
    let mut path = journal.as_os_str().to_owned();
    path.push(format!("-{id}.lock"));
    PathBuf::from(path)
}

/// Whether a process runs some deployment with the journal at this path, which need not be
/// readable.
#[must_use]
pub fn is_in_use(journal: &Path) -> bool {
    let folder = journal.parent().filter(|p| !p.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    let (Ok(entries), Some(name)) = (folder.read_dir(), journal.file_name()) else {
        return false;
    };
    let prefix = format!("{}-", name.to_string_lossy());
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_lock = name.starts_with(&prefix) && name.ends_with(".lock");
        is_lock && is_locked(&entry.path())
    })
}

pub(super) fn is_locked(path: &Path) -> bool {
    let file = OpenOptions::new().read(true).open(path);
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

pub(super) fn write(mut file: &File, revision: Option<u64>) -> std::io::Result<()> {
    let mut text = format!("process {}\n", std::process::id());
    if let Some(revision) = revision {
        text.push_str(&format!("revision {revision}\n"));
    }
    file.rewind()?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)
}

impl Drop for DriveLock {
    /// What a killed process left stays until the deployment has continued.
    fn drop(&mut self) {
        if self.left_at.is_none() || self.file.noted.load(Ordering::Relaxed) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
