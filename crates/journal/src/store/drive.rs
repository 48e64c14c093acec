//! One process runs a deployment: whoever has locked its file.

use std::fs::{OpenOptions, TryLockError};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::OFlags;

use super::lock::{DriveLock, Driven, LockFile, is_locked, lock_path, write};
use super::{Store, StoreError};
use bluegreen_core::deployment::Deployment;

impl Store {
    /// Becomes the one process of this machine that runs the deployment.
    ///
    /// # Errors
    /// [`StoreError::Driven`] where another process does.
    pub fn lock_drive(&mut self, id: &str) -> Result<DriveLock, StoreError> {
        let path = self.lock_path(id);
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
            // A link that somebody else has put there leads to a file that is not ours to write.
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)
            .map_err(failure)?;
        let locked = file.try_lock();
        let mut left = String::new();
        let _ = file.read_to_string(&mut left);
        let mut left = left.lines();
        let holder = left.next().unwrap_or_default().to_owned();
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Driven {
                    id: id.to_owned(),
                    holder,
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
        let left_at = left
            .next()
            .and_then(|line| line.strip_prefix("revision ")?.parse().ok());
        write(&file, left_at).map_err(failure)?;
        let file = Arc::new(LockFile {
            file,
            noted: AtomicBool::new(false),
        });
        self.driven.retain(|driven| driven.file.strong_count() > 0);
        self.driven.push(Driven {
            id: id.to_owned(),
            file: Arc::downgrade(&file),
        });
        Ok(DriveLock {
            path,
            file,
            left_at,
        })
    }

    /// Refuses a deployment of which this journal knows less than the process before had written:
    /// the journal has lost its log, and without a copy elsewhere nothing shows what bluegreen has
    /// requested from AWS.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn has_lost_nothing(
        &self,
        deployment: &Deployment,
        lock: &DriveLock,
    ) -> Result<(), StoreError> {
        match lock.left_at {
            Some(left_at) if left_at > deployment.revision => Err(StoreError::Damaged {
                path: self.path().to_owned(),
                message: format!(
                    "its last checkpoint is {} of deployment {}, and there were {left_at}: was its \
                     -wal file removed?",
                    deployment.revision, deployment.plan.id
                ),
            }),
            _ => Ok(()),
        }
    }

    /// Whether another process runs this deployment through this journal.
    #[must_use]
    pub fn is_driven(&self, id: &str) -> bool {
        is_locked(&self.lock_path(id))
    }

    /// A check whether another process runs a deployment, for as long as the store itself is in
    /// other use.
    pub fn driven_probe(&self) -> impl Fn(&str) -> bool + use<> {
        let journal = self.path.clone();
        move |id| is_locked(&lock_path(&journal, id))
    }

    /// Whether a process was killed while it ran this deployment through this journal.
    #[must_use]
    pub fn was_driven(&self, id: &str) -> bool {
        self.lock_path(&id.to_uppercase()).exists()
    }

    /// Forgets how far a killed process had come, where the deployment is rebuilt from
    /// AWS.
    pub fn forget_driven(&self, id: &str) {
        if !self.is_driven(id) {
            let _ = std::fs::remove_file(self.lock_path(id));
        }
    }

    /// Records how far a deployment has come: a journal that knows less has lost its log.
    pub(super) fn note_revision(&self, deployment: &Deployment) {
        let driven = self.driven.iter().find(|d| d.id == deployment.plan.id);
        if let Some(file) = driven.and_then(|driven| driven.file.upgrade()) {
            // Only a hint, and the disk may be full.
            let _ = write(&file.file, Some(deployment.revision));
            file.noted.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn lock_path(&self, id: &str) -> PathBuf {
        lock_path(&self.path, id)
    }
}
