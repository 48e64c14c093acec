//! The journal in SQLite: the only module that names `rusqlite`.
//!
//! A checkpoint is one transaction that changes exactly one row of the expected
//! revision. WAL and `synchronous=FULL` make it durable before the call returns.

mod lock;
#[cfg(test)]
mod tests;

pub use lock::DriveLock;

use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params};
use rusqlite_migration::{M, Migrations};
use serde::Serialize;
use thiserror::Error;

use crate::clock::Moment;
use crate::deployment::Deployment;
use crate::machine::Seen;
use crate::plan::Target;

const MIGRATIONS: &[M<'_>] = &[M::up(include_str!("../migrations/0001-journal.sql"))];
const APPLICATION_ID: i64 = 1_651_995_246;
/// The version of the JSON in a checkpoint.
const FORMAT: i64 = 1;
/// How long another process's transaction is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What can go wrong with the journal.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file could not be opened or made.
    #[error("cannot open the journal {}: {message}", path.display())]
    Open {
        /// The journal's path.
        path: PathBuf,
        /// The system's or SQLite's words.
        message: String,
    },
    /// The file is no SQLite database, is damaged, or is another program's.
    #[error("{} is not a journal of bluegreen: {message}", path.display())]
    NotAJournal {
        /// The journal's path.
        path: PathBuf,
        /// What it is instead.
        message: String,
    },
    /// The journal was written by a newer program.
    #[error("the journal {} was written by a newer bluegreen; it is left alone", path.display())]
    Newer {
        /// The journal's path.
        path: PathBuf,
    },
    /// Another process holds the journal.
    #[error("the journal {} is locked by another process", path.display())]
    Locked {
        /// The journal's path.
        path: PathBuf,
    },
    /// The journal could not be written.
    #[error("cannot write the journal {}: {message}", path.display())]
    Write {
        /// The journal's path.
        path: PathBuf,
        /// SQLite's words.
        message: String,
    },
    /// Another process has moved this deployment on.
    #[error("another process has moved deployment {id} on")]
    Overtaken {
        /// The deployment's id.
        id: String,
    },
    /// An operator has ordered the way back, so the deployment may not end yet.
    #[error("an operator has ordered deployment {id} to go back")]
    OrderedBack {
        /// The deployment's id.
        id: String,
    },
    /// Another process drives this deployment.
    #[error("deployment {id} is being driven by another process ({holder})")]
    Driven {
        /// The deployment's id.
        id: String,
        /// The process id, where it could be read.
        holder: String,
    },
    /// The target has an unfinished deployment.
    #[error("deployment {id} of {application}/{blue} is not finished: it is {state}")]
    InFlight {
        /// The unfinished deployment's id.
        id: String,
        /// The application.
        application: String,
        /// The blue environment.
        blue: String,
        /// The state's kind.
        state: String,
    },
}

/// What a checkpoint writes down beside the new state.
#[derive(Clone, Debug, Serialize)]
pub struct Transition {
    /// The state's kind before.
    pub from: String,
    /// The state's kind after.
    pub to: String,
    /// When.
    pub at: Moment,
    /// Why, in a sentence.
    pub why: String,
}

/// The open journal.
pub struct Store {
    path: PathBuf,
    /// The device and inode of the file that was opened.
    file: (u64, u64),
    db: Connection,
}

impl Store {
    /// Opens the journal at `path`, making it (mode 0600, and its folder) where
    /// there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError`]; a journal that cannot be used is left as it was.
    pub fn open(path: &Path) -> Result<Store, StoreError> {
        let open_error = |message: String| StoreError::Open {
            path: path.to_owned(),
            message,
        };
        if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|e| open_error(e.to_string()))?;
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path)
            .and_then(|file| file.metadata())
            .map_err(|e| open_error(e.to_string()))?;
        let db = Connection::open(path).map_err(|e| open_error(e.to_string()))?;
        let mut store = Store {
            path: path.to_owned(),
            file: (file.dev(), file.ino()),
            db,
        };
        store.prepare()?;
        Ok(store)
    }

    fn prepare(&mut self) -> Result<(), StoreError> {
        let path = self.path.clone();
        let error = |e| open_failure(&path, &e);
        self.db.busy_timeout(BUSY_TIMEOUT).map_err(error)?;
        let pragma = |db: &Connection, name: &str| {
            db.pragma_query_value(None, name, |row| row.get::<_, i64>(0))
        };
        let application_id = pragma(&self.db, "application_id").map_err(error)?;
        let tables: i64 = self
            .db
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(error)?;
        if application_id != APPLICATION_ID && (application_id != 0 || tables != 0) {
            return Err(StoreError::NotAJournal {
                path,
                message: "it is another program's database".to_owned(),
            });
        }
        let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
        if pragma(&self.db, "user_version").map_err(error)? > known {
            return Err(StoreError::Newer { path });
        }
        self.db
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
            )
            .map_err(error)?;
        Migrations::from_slice(MIGRATIONS)
            .to_latest(&mut self.db)
            .map_err(|e| match e {
                rusqlite_migration::Error::RusqliteError { err, .. } => open_failure(&path, &err),
                rusqlite_migration::Error::MigrationDefinition(_) => {
                    StoreError::Newer { path: path.clone() }
                }
                other => StoreError::Open {
                    path: path.clone(),
                    message: other.to_string(),
                },
            })
    }

    /// Whether the journal is still the file at its path: one that was removed or
    /// replaced takes every checkpoint and gives none back.
    ///
    /// # Errors
    /// [`StoreError::Write`] where it is not.
    pub fn check_in_place(&self) -> Result<(), StoreError> {
        let found = std::fs::metadata(&self.path).map(|at| (at.dev(), at.ino()));
        match found {
            Ok(found) if found == self.file => Ok(()),
            Ok(_) => Err("another file has taken its place".to_owned()),
            Err(error) => Err(error.to_string()),
        }
        .map_err(|message| StoreError::Write {
            path: self.path.clone(),
            message,
        })
    }

    /// Where the journal is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a new deployment down.
    ///
    /// # Errors
    /// [`StoreError::InFlight`] where its target has an unfinished one.
    pub fn create(&mut self, deployment: &Deployment) -> Result<(), StoreError> {
        let target = &deployment.plan.target;
        let inserted = self.db.execute(
            "INSERT INTO deployment (id, account, region, application, blue, state, ended,
                 started_at, entered_at, updated_at, revision, format, checkpoint)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?7, ?7, ?8, ?9, ?10)",
            params![
                deployment.plan.id,
                target.account,
                target.region,
                target.application,
                target.blue,
                deployment.state.kind().to_string(),
                int(deployment.started_at.0),
                int(deployment.revision),
                FORMAT,
                json(deployment),
            ],
        );
        match inserted {
            Ok(_) => Ok(()),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                let other = self.unfinished_of(target)?;
                Err(other.map_or_else(
                    || self.write_failure(&error),
                    |other| StoreError::InFlight {
                        id: other.plan.id,
                        application: target.application.clone(),
                        blue: target.blue.clone(),
                        state: other.state.kind().to_string(),
                    },
                ))
            }
            Err(error) => Err(self.write_failure(&error)),
        }
    }

    /// Checkpoints `next`, which follows from `deployment`, and makes it the
    /// present one. A change of state is kept as a transition with its reason and
    /// what was seen.
    ///
    /// # Errors
    /// [`StoreError::Overtaken`] where another process was faster, and
    /// [`StoreError::OrderedBack`] where an end is to be entered and an operator
    /// has ordered the way back meanwhile; nothing is changed then.
    pub fn checkpoint(
        &mut self,
        deployment: &mut Deployment,
        mut next: Deployment,
        now: Moment,
        why: &str,
        seen: Option<&Seen>,
    ) -> Result<(), StoreError> {
        next.revision = deployment.revision + 1;
        next.updated_at = now;
        match self.write_checkpoint(deployment, &next, why, seen) {
            Ok(1) => {
                *deployment = next;
                Ok(())
            }
            Ok(_) if next.state.is_end() && self.retreat_requested(&next.plan.id)? => {
                Err(StoreError::OrderedBack { id: next.plan.id })
            }
            Ok(_) => Err(StoreError::Overtaken { id: next.plan.id }),
            Err(error) => Err(self.write_failure(&error)),
        }
    }

    fn write_checkpoint(
        &mut self,
        deployment: &Deployment,
        next: &Deployment,
        why: &str,
        seen: Option<&Seen>,
    ) -> rusqlite::Result<usize> {
        let transaction = self
            .db
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let changed = transaction.execute(
            "UPDATE deployment SET state = ?1, ended = ?2, entered_at = ?3, updated_at = ?4,
                 revision = ?5, format = ?6, checkpoint = ?7
             WHERE id = ?8 AND revision = ?9
                 AND NOT (?2 AND retreat_requested_at IS NOT NULL)",
            params![
                next.state.kind().to_string(),
                next.state.is_end(),
                int(next.entered_at.0),
                int(next.updated_at.0),
                int(next.revision),
                FORMAT,
                json(next),
                next.plan.id,
                int(deployment.revision),
            ],
        )?;
        if changed == 1 && next.state != deployment.state {
            transaction.execute(
                "INSERT INTO transition (deployment_id, revision, from_state, to_state, at, why, seen)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    next.plan.id,
                    int(next.revision),
                    deployment.state.kind().to_string(),
                    next.state.kind().to_string(),
                    int(next.updated_at.0),
                    why,
                    seen.map(json),
                ],
            )?;
        }
        transaction.commit()?;
        Ok(changed)
    }

    /// The deployment with this id; letter case does not matter.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be read.
    pub fn find(&self, id: &str) -> Result<Option<Deployment>, StoreError> {
        self.query("WHERE id = upper(?1)", [id])
            .map(|mut found| found.pop())
    }

    /// The deployments that have not ended, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be read.
    pub fn unfinished(&self) -> Result<Vec<Deployment>, StoreError> {
        self.query("WHERE ended = 0", [])
    }

    /// Every deployment, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be read.
    pub fn all(&self) -> Result<Vec<Deployment>, StoreError> {
        self.query("", [])
    }

    /// The unfinished deployment of a target.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be read.
    pub fn unfinished_of(&self, target: &Target) -> Result<Option<Deployment>, StoreError> {
        self.query(
            "WHERE ended = 0 AND account = ?1 AND region = ?2 AND application = ?3 AND blue = ?4",
            [
                &target.account,
                &target.region,
                &target.application,
                &target.blue,
            ],
        )
        .map(|mut found| found.pop())
    }

    /// The transitions of a deployment in their order.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be read.
    pub fn transitions(&self, id: &str) -> Result<Vec<Transition>, StoreError> {
        let read = || {
            self.db
                .prepare_cached(
                    "SELECT from_state, to_state, at, why FROM transition
                     WHERE deployment_id = ?1 ORDER BY revision",
                )?
                .query_map([id], |row| {
                    Ok(Transition {
                        from: row.get(0)?,
                        to: row.get(1)?,
                        at: Moment(row.get::<_, i64>(2)?.unsigned_abs()),
                        why: row.get(3)?,
                    })
                })?
                .collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|e| open_failure(&self.path, &e))
    }

    /// Leaves word for the process that drives the deployment to go back; false
    /// where it has ended meanwhile.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be written.
    pub fn request_retreat(&self, id: &str, now: Moment) -> Result<bool, StoreError> {
        self.db
            .execute(
                "UPDATE deployment SET retreat_requested_at = ?2 WHERE id = ?1 AND ended = 0",
                params![id, int(now.0)],
            )
            .map(|changed| changed == 1)
            .map_err(|e| self.write_failure(&e))
    }

    /// Whether somebody has left word to go back.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be read.
    pub fn retreat_requested(&self, id: &str) -> Result<bool, StoreError> {
        self.db
            .prepare_cached("SELECT retreat_requested_at IS NOT NULL FROM deployment WHERE id = ?1")
            .and_then(|mut query| query.query_row([id], |row| row.get(0)).optional())
            .map(Option::unwrap_or_default)
            .map_err(|e| open_failure(&self.path, &e))
    }

    /// Takes the word back: the deployment goes forward again on request.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be written.
    pub fn withdraw_retreat(&self, id: &str) -> Result<(), StoreError> {
        self.db
            .execute(
                "UPDATE deployment SET retreat_requested_at = NULL WHERE id = ?1",
                [id],
            )
            .map(drop)
            .map_err(|e| self.write_failure(&e))
    }

    fn query<P: rusqlite::Params>(
        &self,
        filter: &str,
        parameters: P,
    ) -> Result<Vec<Deployment>, StoreError> {
        let read = || {
            self.db
                .prepare_cached(&format!(
                    "SELECT id, format, checkpoint FROM deployment {filter} ORDER BY id"
                ))?
                .query_map(parameters, stored)?
                .collect::<rusqlite::Result<Vec<_>>>()
        };
        read()
            .map_err(|e| open_failure(&self.path, &e))?
            .into_iter()
            .map(|row| self.decode(row))
            .collect()
    }

    fn decode(&self, (id, format, text): Stored) -> Result<Deployment, StoreError> {
        if format > FORMAT {
            return Err(StoreError::Newer {
                path: self.path.clone(),
            });
        }
        serde_json::from_str(&text).map_err(|e| StoreError::NotAJournal {
            path: self.path.clone(),
            message: format!("the checkpoint of deployment {id} cannot be read: {e}"),
        })
    }

    fn write_failure(&self, error: &rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked {
                path: self.path.clone(),
            },
            _ => StoreError::Write {
                path: self.path.clone(),
                message: error.to_string(),
            },
        }
    }
}

type Stored = (String, i64, String);

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn open_failure(path: &Path, error: &rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    let message = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            StoreError::NotAJournal { path, message }
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked { path },
        _ => StoreError::Open { path, message },
    }
}

/// SQLite's integers are signed; moments and revisions stay far below the edge.
fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data without maps of odd keys is always JSON")
}
