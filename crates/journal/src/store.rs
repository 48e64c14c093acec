//! The journal in SQLite: the only module that names `rusqlite`.
//!
//! A checkpoint is one transaction that changes exactly one row of the expected
//! revision. WAL and `synchronous=FULL` make it durable before the call returns.

// Numbers here are read from others.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod columns;
mod drive;
mod event_rows;
mod events;
mod fleets;
mod lock;
mod messages;
mod outbox;
mod outbox_rows;
#[cfg(test)]
mod tests;

pub use lock::{DriveLock, is_in_use};
pub use messages::{Due, Outbox};

use std::fs::{DirBuilder, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, params};
use rusqlite_migration::{M, Migrations};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::shared::bounds::within_bounds;
use bluegreen_clock::Moment;
use bluegreen_core::command::End;
use bluegreen_core::deployment::Deployment;
use bluegreen_core::events::EventRecord;
use bluegreen_core::machine::{Kind, Seen};
use bluegreen_core::notification::Notification;
use bluegreen_core::plan::Target;
use bluegreen_core::users::Users;
use columns::{int, json};

const MIGRATIONS: &[M<'_>] = &[
    M::up(include_str!("../../../migrations/0001-journal.sql")),
    M::up(include_str!("../../../migrations/0002-shared-state.sql")),
    M::up(include_str!("../../../migrations/0003-output.sql")),
    M::up(include_str!("../../../migrations/0004-queue.sql")),
    M::up(include_str!("../../../migrations/0005-events.sql")),
    M::up(include_str!("../../../migrations/0006-notifications.sql")),
    M::up(include_str!(
        "../../../migrations/0007-deployments-of-a-target.sql"
    )),
    M::up(include_str!("../../../migrations/0008-fleets.sql")),
];
const APPLICATION_ID: i64 = 1_651_995_246;
/// How many of the last deployments of each target count as its newest: one that undoes another is
/// recognized by both.
const NEWEST_OF_EACH: u32 = 10;
/// The version of the JSON in a checkpoint: 2 added the fencing number and whether
/// there is a copy in the bucket, 3 several tests.
const FORMAT: i64 = 3;
/// For how long the store repeats an attempt to bring the schema up to date.
const PREPARING: Duration = Duration::from_millis(500);
/// How long the store waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What can go wrong with the journal.
#[derive(Clone, Debug, Error)]
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
    /// The file is a journal, and what it holds is damaged.
    #[error("the journal {} is damaged: {message}", path.display())]
    Damaged {
        /// The journal's path.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The journal was written by a newer version of bluegreen.
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
    /// An operator has ordered a rollback, so the deployment may not end yet.
    #[error("an operator has cancelled deployment {id}")]
    OrderedBack {
        /// The deployment's id.
        id: String,
    },
    /// Another process runs this deployment.
    #[error("deployment {id} has another runner ({holder})")]
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

impl StoreError {
    /// That a target has this deployment, which is not finished.
    #[must_use]
    pub fn in_flight(deployment: &Deployment) -> StoreError {
        let plan = &deployment.plan;
        StoreError::InFlight {
            id: plan.id.clone(),
            application: plan.target.application.clone(),
            blue: plan.target.blue.clone(),
            state: deployment.state.kind().to_string(),
        }
    }
}

/// What a checkpoint writes down beside the new state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// The revision that the deployment had afterwards.
    pub revision: u64,
    /// The state's kind before.
    pub from: String,
    /// The state's kind after.
    pub to: String,
    /// When.
    pub at: Moment,
    /// Why, in a sentence.
    pub why: String,
}

/// What a command of the operator's said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// When it ended.
    pub at: Moment,
    /// Which command, and when in the deployment it was run.
    pub what: String,
    /// How it ended.
    pub ended: End,
    /// The end of what it wrote; at most
    /// [`OUTPUT_BYTES_MAX`](bluegreen_core::command::OUTPUT_BYTES_MAX) and a line that reports a
    /// cut.
    pub output: String,
}

/// How often a journal is copied that cannot be written and does not read.
const COPIES_MAX: u32 = 3;

/// The open journal.
pub struct Store {
    path: PathBuf,
    /// The device and inode of the file that was opened.
    file: (u64, u64),
    db: Connection,
    /// The deployments that this process runs through this store.
    driven: Vec<lock::Driven>,
}

impl Store {
    /// Opens the journal at `path`, making it (mode 0600, and its folder, 0700) where
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
            let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.map_err(|e| open_error(e.to_string()))?;
        }
        // Opened only to be made: closing a file lets go of every lock that this
        // process holds on it, also through another connection.
        let file = match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o600)
                .open(path)
                .and_then(|file| file.metadata()),
            found => found,
        };
        let file = file.map_err(|e| open_error(e.to_string()))?;
        if file.is_dir() {
            return Err(open_error("it is a folder".to_owned()));
        }
        // SQLite takes neither `:memory:` nor a URI from a path that begins at the root.
        let absolute = std::path::absolute(path).map_err(|e| open_error(e.to_string()))?;
        let flags = OpenFlags::default().difference(OpenFlags::SQLITE_OPEN_URI);
        let db = Connection::open_with_flags(absolute, flags);
        let db = db.map_err(|e| open_error(e.to_string()))?;
        let mut store = Store {
            path: path.to_owned(),
            file: (file.dev(), file.ino()),
            db,
            driven: Vec::new(),
        };
        // Two processes may make the same journal at the same time.
        let since = Instant::now();
        loop {
            match store.prepare() {
                Err(StoreError::Locked { .. } | StoreError::Open { .. })
                    if since.elapsed() < PREPARING =>
                {
                    std::thread::sleep(Duration::from_millis(20));
                }
                prepared => return prepared.map(|()| store),
            }
        }
    }

    /// Opens the journal for what only reads: where it may not be written, as on a read-only disk
    /// or another user's, what is read is a copy of it and of its log.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open_to_read(path: &Path) -> Result<Store, StoreError> {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        let may_write = |at: &Path| rustix::fs::access(at, rustix::fs::Access::WRITE_OK).is_ok();
        if !path.exists() || may_write(path) && may_write(folder.unwrap_or(Path::new("."))) {
            return Store::open(path);
        }
        let mut opened = Store::open_copy(path);
        for _ in 1..COPIES_MAX {
            // A process that writes it may have come between the two files.
            let Err(StoreError::Damaged { .. }) = opened else {
                break;
            };
            opened = Store::open_copy(path);
        }
        opened
    }

    /// Opens a copy of the journal that is gone with this process.
    fn open_copy(path: &Path) -> Result<Store, StoreError> {
        let open_error = |error: std::io::Error| StoreError::Open {
            path: path.to_owned(),
            message: error.to_string(),
        };
        let folder = std::env::temp_dir().join(format!("bluegreen-{}", ulid::Ulid::new()));
        let made = DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(open_error)?;
        let copy = folder.join("journal.db");
        let beside = |path: &Path, suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        let copied = ["", "-wal"].into_iter().try_for_each(|suffix| {
            match std::fs::copy(beside(path, suffix), beside(&copy, suffix)) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
                copied => copied.map(drop),
            }
        });
        let opened = copied.map_err(open_error).and_then(|()| Store::open(&copy));
        // What is open stays readable without its name.
        let _ = std::fs::remove_dir_all(&folder);
        opened.map(|store| Store {
            path: path.to_owned(),
            ..store
        })
    }

    /// A journal that is kept nowhere: for commands that need none, and where there is none that
    /// can be used.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn in_memory() -> Result<Store, StoreError> {
        let path = PathBuf::from(":memory:");
        let db = Connection::open_in_memory().map_err(|e| open_failure(&path, &e))?;
        let mut store = Store {
            path,
            file: (0, 0),
            db,
            driven: Vec::new(),
        };
        store.prepare()?;
        Ok(store)
    }

    fn prepare(&mut self) -> Result<(), StoreError> {
        let path = self.path.clone();
        let error = |e| open_failure(&path, &e);
        self.db.busy_timeout(BUSY_TIMEOUT).map_err(error)?;
        let pragma =
            |db: &Connection, name| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        // In one transaction: another process may be making the journal meanwhile.
        let read = self.db.unchecked_transaction().map_err(error)?;
        let tables: i64 = read
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(error)?;
        let application_id = pragma(&read, "application_id").map_err(error)?;
        let version = pragma(&read, "user_version").map_err(error)?;
        drop(read);
        if application_id != APPLICATION_ID && (application_id != 0 || tables != 0) {
            return Err(StoreError::NotAJournal {
                path,
                message: "it is another program's database".to_owned(),
            });
        }
        let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
        if version > known {
            return Err(StoreError::Newer { path });
        }
        let found: String = self
            .db
            .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
            .map_err(error)?;
        if found != "ok" {
            let message = found;
            return Err(StoreError::Damaged { path, message });
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
            })?;
        if version < known {
            // From now on the file itself, without its log, shows whose it is.
            self.db
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
                .map_err(error)?;
        }
        Ok(())
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

    /// Writes a new deployment down, and the messages of its start.
    ///
    /// # Errors
    /// [`StoreError::InFlight`] where its target has an unfinished one.
    pub fn create(&mut self, deployment: &Deployment) -> Result<(), StoreError> {
        let target = &deployment.plan.target;
        match self.insert(deployment) {
            Ok(()) => Ok(()),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                let other = self.unfinished_of(target)?;
                Err(other.map_or_else(
                    || self.write_failure(&error),
                    |other| StoreError::in_flight(&other),
                ))
            }
            Err(error) => Err(self.write_failure(&error)),
        }
    }

    fn insert(&mut self, deployment: &Deployment) -> rusqlite::Result<()> {
        let target = &deployment.plan.target;
        let transaction = self
            .db
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        transaction.execute(
            "INSERT INTO deployment (id, account, region, application, blue, state, ended,
                 started_at, entered_at, updated_at, revision, format, checkpoint, checksum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?7, ?7, ?8, ?9, ?10, ?11)",
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
                checksum(&json(deployment)),
            ],
        )?;
        if deployment.state.kind() == Kind::Preparing {
            let started = Notification::of_start(deployment);
            outbox_rows::write(&transaction, deployment, &started, |_| true)?;
        }
        transaction.commit()
    }

    /// Checkpoints `next`, which follows from `deployment`, and makes it the present one. A change
    /// of state is kept as a transition with its reason and what was seen; the events are kept with
    /// it.
    ///
    /// # Errors
    /// [`StoreError::Overtaken`] where another process was faster, and [`StoreError::OrderedBack`]
    /// where `next` is an end and an operator has ordered a rollback meanwhile; nothing is changed
    /// then.
    pub fn checkpoint(
        &mut self,
        deployment: &mut Deployment,
        mut next: Deployment,
        now: Moment,
        why: &str,
        seen: Option<&Seen>,
        events: &[EventRecord],
    ) -> Result<(), StoreError> {
        next.revision = deployment.revision.saturating_add(1);
        next.updated_at = now;
        let message = match next.state == deployment.state {
            true => None,
            false => self.message_on_entering(&next, why, events)?,
        };
        match self.write_checkpoint(deployment, &next, why, (seen, events, message)) {
            Ok(1) => {
                *deployment = next;
                self.note_revision(deployment);
                Ok(())
            }
            Ok(_) if next.state.is_end() && self.retreat_requested(&next.plan.id)? => {
                Err(StoreError::OrderedBack { id: next.plan.id })
            }
            Ok(_) => Err(StoreError::Overtaken { id: next.plan.id }),
            Err(error) => Err(self.write_failure(&error)),
        }
    }

    /// What the receivers are sent where a deployment has entered its present state.
    fn message_on_entering(
        &self,
        next: &Deployment,
        why: &str,
        events: &[EventRecord],
    ) -> Result<Option<Notification>, StoreError> {
        if next.plan.wishes.notify.is_empty() || !next.state.rests() {
            return Ok(None);
        }
        let kept = match Users::last_poll(events) {
            Some(_) => Vec::new(),
            None => self.events(&next.plan.id)?,
        };
        let poll = Users::last_poll(events).or_else(|| Users::last_poll(&kept));
        Ok(Notification::on_entering(next, poll, why))
    }

    fn write_checkpoint(
        &mut self,
        deployment: &Deployment,
        next: &Deployment,
        why: &str,
        (seen, events, message): (Option<&Seen>, &[EventRecord], Option<Notification>),
    ) -> rusqlite::Result<usize> {
        let transaction = self
            .db
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let changed = transaction.execute(
            "UPDATE deployment SET state = ?1, ended = ?2, entered_at = ?3, updated_at = ?4,
                 revision = ?5, format = ?6, checkpoint = ?7, checksum = ?8
             WHERE id = ?9 AND revision = ?10
                 AND NOT (?2 AND retreat_requested_at IS NOT NULL)",
            params![
                next.state.kind().to_string(),
                next.state.is_end(),
                int(next.entered_at.0),
                int(next.updated_at.0),
                int(next.revision),
                FORMAT,
                json(next),
                checksum(&json(next)),
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
        if changed == 1 {
            event_rows::write(&transaction, &next.plan.id, events)?;
            if let Some(message) = &message {
                outbox_rows::write(&transaction, next, message, |_| true)?;
            }
        }
        transaction.commit()?;
        Ok(changed)
    }

    /// Takes a deployment over from its copy elsewhere, in place of an earlier one
    /// here; what is here and as late stays.
    ///
    /// # Errors
    /// [`StoreError::InFlight`] where its target has another unfinished one here.
    pub fn adopt(
        &mut self,
        deployment: &Deployment,
        transitions: &[Transition],
        events: &[EventRecord],
    ) -> Result<(), StoreError> {
        let target = &deployment.plan.target;
        if !deployment.state.is_end()
            && let Some(other) = self.unfinished_of(target)?
            && other.plan.id != deployment.plan.id
        {
            return Err(StoreError::in_flight(&other));
        }
        let is_later = self
            .write_adopted(deployment, transitions, events)
            .map_err(|e| self.write_failure(&e))?;
        if is_later {
            self.note_revision(deployment);
        }
        Ok(())
    }

    fn write_adopted(
        &mut self,
        deployment: &Deployment,
        transitions: &[Transition],
        events: &[EventRecord],
    ) -> rusqlite::Result<bool> {
        let target = &deployment.plan.target;
        let transaction = self
            .db
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let written = transaction.execute(
            "INSERT INTO deployment (id, account, region, application, blue, state, ended,
                 started_at, entered_at, updated_at, revision, format, checkpoint, checksum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
             ON CONFLICT (id) DO UPDATE SET state = ?6, ended = ?7, entered_at = ?9,
                 updated_at = ?10, revision = ?11, format = ?12, checkpoint = ?13, checksum = ?14
             WHERE (ifnull(json_extract(checkpoint, '$.fence'), 0), revision) < (?15, ?11)",
            params![
                deployment.plan.id,
                target.account,
                target.region,
                target.application,
                target.blue,
                deployment.state.kind().to_string(),
                deployment.state.is_end(),
                int(deployment.started_at.0),
                int(deployment.entered_at.0),
                int(deployment.updated_at.0),
                int(deployment.revision),
                FORMAT,
                json(deployment),
                checksum(&json(deployment)),
                int(deployment.fence),
            ],
        )?;
        if written == 0 {
            return Ok(false);
        }
        // Those that are here and there are kept: they know what was seen too.
        let revisions: Vec<_> = transitions.iter().map(|t| t.revision).collect();
        transaction.execute(
            "DELETE FROM transition WHERE deployment_id = ?1
                 AND revision NOT IN (SELECT value FROM json_each(?2))",
            params![deployment.plan.id, json(&revisions)],
        )?;
        for transition in transitions {
            transaction.execute(
                "INSERT INTO transition (deployment_id, revision, from_state, to_state, at, why)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (deployment_id, revision) DO UPDATE
                     SET from_state = ?3, to_state = ?4, at = ?5, why = ?6, seen = NULL
                     WHERE (from_state, to_state, at, why) IS NOT (?3, ?4, ?5, ?6)",
                params![
                    deployment.plan.id,
                    int(transition.revision),
                    transition.from,
                    transition.to,
                    int(transition.at.0),
                    transition.why,
                ],
            )?;
        }
        event_rows::write(&transaction, &deployment.plan.id, events)?;
        transaction.commit()?;
        Ok(true)
    }

    /// The document of a target's queue, after `change`, which gets it and returns the one to
    /// write, or none where it must stay. In one transaction: no other process comes between.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be read or written.
    pub fn change_queue<T>(
        &mut self,
        target: &Target,
        change: impl FnOnce(Option<&str>) -> (Option<String>, T),
    ) -> Result<T, StoreError> {
        self.rewrite_queue(target, change)
            .map_err(|e| self.write_failure(&e))
    }

    fn rewrite_queue<T>(
        &mut self,
        target: &Target,
        change: impl FnOnce(Option<&str>) -> (Option<String>, T),
    ) -> rusqlite::Result<T> {
        let key = [
            &target.account,
            &target.region,
            &target.application,
            &target.blue,
        ];
        let transaction = self
            .db
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let found: Option<String> = transaction
            .query_row(
                "SELECT record FROM queue
                 WHERE account = ?1 AND region = ?2 AND application = ?3 AND blue = ?4",
                key,
                |row| row.get(0),
            )
            .optional()?;
        let (record, told) = change(found.as_deref());
        if let Some(record) = record {
            transaction.execute(
                "INSERT OR REPLACE INTO queue (account, region, application, blue, record)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                [key[0], key[1], key[2], key[3], &record],
            )?;
        }
        transaction.commit()?;
        Ok(told)
    }

    /// What distinguishes this journal, as it lies on this disk, from every other.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be read or written.
    pub fn identity(&self) -> Result<String, StoreError> {
        let known = || {
            self.db
                .query_row("SELECT id FROM journal", [], |row| row.get::<_, String>(0))
                .optional()
        };
        let id = match known().map_err(|e| open_failure(&self.path, &e))? {
            Some(id) => id,
            None => self
                .db
                .execute(
                    "INSERT INTO journal (id) SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM journal)",
                    [ulid::Ulid::new().to_string()],
                )
                .and_then(|_| known())
                .map_err(|e| self.write_failure(&e))?
                .unwrap_or_default(),
        };
        // A copy of the file is another journal.
        let (device, inode) = self.file;
        Ok(format!("{id}-{device:x}-{inode:x}"))
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

    /// Whether it holds no deployment.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be read.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        self.db
            .query_row("SELECT NOT EXISTS (SELECT 1 FROM deployment)", [], |row| {
                row.get(0)
            })
            .map_err(|e| open_failure(&self.path, &e))
    }

    /// The unfinished deployments, and the last few of each target, oldest first: read from a
    /// journal of years about as fast as from one of days.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be read.
    pub fn newest(&self) -> Result<Vec<Deployment>, StoreError> {
        let mut newest = self.unfinished()?;
        for target in self.targets()? {
            let of_target = self.newest_of(&target, NEWEST_OF_EACH)?;
            newest.extend(of_target.into_iter().filter(|one| one.state.is_end()));
        }
        newest.sort_by(|one, other| one.plan.id.cmp(&other.plan.id));
        Ok(newest)
    }

    /// The targets that it has deployments of.
    fn targets(&self) -> Result<Vec<Target>, StoreError> {
        let read = || {
            self.db
                .prepare_cached(
                    "SELECT DISTINCT account, region, application, blue FROM deployment",
                )?
                .query_map([], |row| {
                    Ok(Target {
                        account: row.get(0)?,
                        region: row.get(1)?,
                        application: row.get(2)?,
                        blue: row.get(3)?,
                    })
                })?
                .collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|e| open_failure(&self.path, &e))
    }

    /// The last deployments of a target, no more than `so_many`, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be read.
    pub fn newest_of(&self, target: &Target, so_many: u32) -> Result<Vec<Deployment>, StoreError> {
        self.query(
            "WHERE id IN (
                 SELECT id FROM deployment
                 WHERE account = ?1 AND region = ?2 AND application = ?3 AND blue = ?4
                 ORDER BY id DESC LIMIT ?5
             )",
            params![
                target.account,
                target.region,
                target.application,
                target.blue,
                so_many
            ],
        )
    }

    /// So many of the last deployments before one with this id, or of all, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be read.
    pub fn page(&self, before: Option<&str>, so_many: u32) -> Result<Vec<Deployment>, StoreError> {
        self.query(
            "WHERE id IN (
                 SELECT id FROM deployment WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC LIMIT ?2
             )",
            params![before, so_many],
        )
    }

    /// Removes the deployments that ended before a moment and have a copy in the bucket, but for the
    /// last few of each target and those of which a message is not delivered yet. Returns how many.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be written.
    pub fn forget_ended_before(&mut self, moment: Moment) -> Result<usize, StoreError> {
        let forget = || {
            let mut delete = self.db.prepare_cached(
                "DELETE FROM deployment WHERE ended = 1 AND updated_at < ?1
                     AND json_extract(checkpoint, '$.plan.shared_state')
                     AND id NOT IN (
                         SELECT id FROM (
                             SELECT id, row_number() OVER (
                                 PARTITION BY account, region, application, blue ORDER BY id DESC
                             ) AS place FROM deployment
                         ) WHERE place <= ?2
                     )
                     AND NOT EXISTS (
                         SELECT 1 FROM notification WHERE deployment_id = deployment.id
                             AND delivered_at IS NULL AND given_up_at IS NULL
                     )
                 RETURNING id",
            )?;
            let ids = delete.query_map(params![int(moment.0), NEWEST_OF_EACH], |row| row.get(0))?;
            ids.collect::<rusqlite::Result<Vec<String>>>()
        };
        let forgotten = forget().map_err(|e| self.write_failure(&e))?;
        for id in &forgotten {
            // What is left of its runner says that the journal has lost it.
            let _ = std::fs::remove_file(self.lock_path(id));
        }
        Ok(forgotten.len())
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
                    "SELECT revision, from_state, to_state, at, why FROM transition
                     WHERE deployment_id = ?1 ORDER BY revision",
                )?
                .query_map([id], |row| {
                    Ok(Transition {
                        revision: row.get::<_, i64>(0)?.unsigned_abs(),
                        from: row.get(1)?,
                        to: row.get(2)?,
                        at: Moment(row.get::<_, i64>(3)?.unsigned_abs()),
                        why: row.get(4)?,
                    })
                })?
                .collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|e| open_failure(&self.path, &e))
    }

    /// Keeps what a command of the deployment's said; what is kept already stays.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be written.
    pub fn keep_output(&self, id: &str, output: &Output) -> Result<(), StoreError> {
        self.db
            .execute(
                "INSERT INTO output (deployment_id, at, what, ended, output)
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
                params![
                    id,
                    int(output.at.0),
                    output.what,
                    json(&output.ended),
                    output.output
                ],
            )
            .map(drop)
            .map_err(|e| self.write_failure(&e))
    }

    /// What the commands of a deployment said, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be read.
    pub fn outputs(&self, id: &str) -> Result<Vec<Output>, StoreError> {
        let read = || {
            self.db
                .prepare_cached(
                    "SELECT at, what, ended, output FROM output
                     WHERE deployment_id = ?1 ORDER BY at, rowid",
                )?
                .query_map([id], |row| {
                    let ended: String = row.get(2)?;
                    Ok(Output {
                        at: Moment(row.get::<_, i64>(0)?.unsigned_abs()),
                        what: row.get(1)?,
                        ended: serde_json::from_str(&ended).unwrap_or(End::Failed(ended)),
                        output: row.get(3)?,
                    })
                })?
                .collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|e| open_failure(&self.path, &e))
    }

    /// Orders the runner of the deployment to roll it back; false where the deployment has ended
    /// meanwhile.
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

    /// Whether an operator has ordered a rollback.
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

    /// Removes the order: the deployment works towards the release again on request.
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
                    "SELECT id, format, checkpoint, checksum, revision, ended
                     FROM deployment {filter} ORDER BY id"
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

    fn decode(&self, row: Stored) -> Result<Deployment, StoreError> {
        if row.format > FORMAT {
            return Err(StoreError::Newer {
                path: self.path.clone(),
            });
        }
        let damaged = |message: String| StoreError::Damaged {
            path: self.path.clone(),
            message: format!("the checkpoint of deployment {} {message}", row.id),
        };
        if row
            .checksum
            .is_some_and(|sum| sum != checksum(&row.checkpoint))
        {
            return Err(damaged("does not match its checksum".to_owned()));
        }
        let read = |e: serde_json::Error| damaged(format!("cannot be read: {e}"));
        let checkpoint: Value = serde_json::from_str(&row.checkpoint).map_err(read)?;
        within_bounds(&checkpoint).map_err(|why| damaged(format!("cannot be right: {why}")))?;
        let deployment = Deployment::deserialize(checkpoint).map_err(read)?;
        let columns = (row.id.as_str(), row.revision, row.ended);
        let found = (
            deployment.plan.id.as_str(),
            int(deployment.revision),
            deployment.state.is_end(),
        );
        if columns == found {
            Ok(deployment)
        } else {
            Err(damaged("does not match its row".to_owned()))
        }
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

struct Stored {
    id: String,
    format: i64,
    checkpoint: String,
    /// None where a version of bluegreen before format 2 wrote it.
    checksum: Option<String>,
    revision: i64,
    ended: bool,
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        id: row.get(0)?,
        format: row.get(1)?,
        checkpoint: row.get(2)?,
        checksum: row.get(3)?,
        revision: row.get(4)?,
        ended: row.get(5)?,
    })
}

fn checksum(text: &str) -> String {
    let sum = Sha256::digest(text.as_bytes());
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn open_failure(path: &Path, error: &rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    let message = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) if is_ours(&path) => {
            StoreError::Damaged { path, message }
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            StoreError::NotAJournal { path, message }
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked { path },
        _ => StoreError::Open { path, message },
    }
}

/// Whether the file's header names this program (SQLite file format, "Application
/// ID": four bytes at offset 68).
fn is_ours(path: &Path) -> bool {
    let mut header = [0; 72];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header[68..72] == APPLICATION_ID.to_be_bytes()[4..]
}

/// Puts a damaged journal aside, with what belongs to it, so that a new one can
/// take its place; gives its new path.
///
/// # Errors
/// [`StoreError::Open`] where it cannot be moved.
pub fn set_aside(path: &Path, now: Moment) -> Result<PathBuf, StoreError> {
    let suffixed = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let damaged = format!(".damaged-{}", now.0);
    for part in ["-wal", "-shm", ""] {
        let to = suffixed(&format!("{damaged}{part}"));
        match std::fs::rename(suffixed(part), to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::Open {
                    path: path.to_owned(),
                    message: error.to_string(),
                });
            }
            _ => {}
        }
    }
    Ok(suffixed(&damaged))
}
