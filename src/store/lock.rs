//! One process drives a deployment: an advisory lock that dies with its process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

use super::{Store, StoreError};

/// Held while this process drives a deployment. The system lets go of it however
/// the process ends.
#[derive(Debug)]
pub struct DriveLock {
    path: PathBuf,
    _file: File,
}

impl Store {
    /// Becomes the one process of this machine that drives the deployment.
    ///
    /// # Errors
    /// [`StoreError::Driven`] where another process does.
    pub fn lock_drive(&self, id: &str) -> Result<DriveLock, StoreError> {
        let mut path = self.path.clone().into_os_string();
        path.push(format!("-{id}.lock"));
        let path = PathBuf::from(path);
        let failure = |e: std::io::Error| StoreError::Write {
            path: path.clone(),
            message: e.to_string(),
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failure)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                return Err(StoreError::Driven {
                    id: id.to_owned(),
                    holder: holder.trim().to_owned(),
                });
            }
            Err(TryLockError::Error(e)) => return Err(failure(e)),
        }
        // The holder before may have unlinked the file that was opened here.
        let same = |at: std::fs::Metadata| {
            file.metadata()
                .is_ok_and(|own| (own.dev(), own.ino()) == (at.dev(), at.ino()))
        };
        if !std::fs::metadata(&path).is_ok_and(same) {
            return self.lock_drive(id);
        }
        file.set_len(0).map_err(failure)?;
        file.rewind().map_err(failure)?;
        writeln!(file, "process {}", std::process::id()).map_err(failure)?;
        Ok(DriveLock { path, _file: file })
    }
}

impl Drop for DriveLock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
