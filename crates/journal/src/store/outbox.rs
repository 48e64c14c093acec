//! The messages to the receivers of deployments: which are due, and what became of them.

use std::time::Duration;

use rusqlite::{OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::columns::int;
use super::messages::{Due, Outbox};
use super::{Store, StoreError, open_failure, outbox_rows};
use bluegreen_clock::Moment;
use bluegreen_core::deployment::Deployment;
use bluegreen_core::notification::Notification;
use bluegreen_core::plan::Target;
use bluegreen_core::users::Users;

/// What belongs to a message that is not delivered.
const UNDELIVERED: &str = "n.delivered_at IS NULL AND n.given_up_at IS NULL";

impl Store {
    /// What another machine needs to continue the deliveries of a deployment.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be read.
    pub fn outbox(&self, id: &str) -> Result<Outbox, StoreError> {
        let read = || {
            let cards = self
                .db
                .prepare_cached("SELECT receiver, reference FROM card WHERE deployment_id = ?1")?
                .query_map([id], |row| Ok((place(row, 0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            let undelivered = self
                .db
                .prepare_cached(&format!(
                    "SELECT n.receiver, n.notification FROM notification n
                     WHERE n.deployment_id = ?1 AND {UNDELIVERED} ORDER BY n.number"
                ))?
                .query_map([id], |row| Ok((place(row, 0)?, row.get::<_, String>(1)?)))?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            let message = |(receiver, text): (usize, String)| {
                Some((receiver, serde_json::from_str(&text).ok()?))
            };
            Ok(Outbox {
                undelivered: undelivered.into_iter().filter_map(message).collect(),
                cards,
            })
        };
        read().map_err(|e| open_failure(&self.path, &e))
    }

    /// Takes over what another machine has not delivered; what is here already stays.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be written.
    pub fn adopt_outbox(
        &mut self,
        deployment: &Deployment,
        outbox: &Outbox,
    ) -> Result<(), StoreError> {
        let Outbox { undelivered, cards } = outbox.of(deployment);
        if undelivered.is_empty() && cards.is_empty() {
            return Ok(());
        }
        self.in_transaction(|transaction| {
            for (receiver, notification) in &undelivered {
                outbox_rows::insert(transaction, *receiver, notification)?;
            }
            for (receiver, reference) in &cards {
                let id = &deployment.plan.id;
                transaction.execute(
                    "INSERT INTO card (deployment_id, receiver, reference) VALUES (?1, ?2, ?3)
                     ON CONFLICT DO NOTHING",
                    params![id, number(*receiver), reference],
                )?;
            }
            Ok(())
        })
    }

    /// Notes for each receiver, once for an interruption, that no process has carried a deployment
    /// on since then, where that is as long as the receiver wants.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn notify_of_interruption(
        &mut self,
        deployment: &Deployment,
        since: Moment,
        now: Moment,
    ) -> Result<(), StoreError> {
        let lasted = now.since(since);
        let events = self.events(&deployment.plan.id)?;
        let poll = Users::last_poll(&events);
        let notification = Notification::of_interruption(deployment, poll, now, lasted);
        self.in_transaction(|transaction| {
            outbox_rows::write(transaction, deployment, &notification, |receiver| {
                receiver.interrupted_after <= lasted
            })
        })
    }

    /// The first undelivered message of every receiver of this deployment, and of those of the same
    /// account and region that no process runs: theirs may have ended before they were delivered.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be read.
    pub fn due_messages(&self, id: &str, target: &Target) -> Result<Vec<Due>, StoreError> {
        let read = || {
            self.db
                .prepare_cached(&format!(
                    "SELECT n.number, n.receiver, n.notification, n.attempts, n.refusals, n.due_at
                     FROM notification n JOIN deployment d ON d.id = n.deployment_id
                     WHERE {UNDELIVERED} AND (d.id = ?1 OR d.account = ?2 AND d.region = ?3)
                       AND NOT EXISTS (
                         SELECT 1 FROM notification e
                         WHERE e.deployment_id = n.deployment_id AND e.receiver = n.receiver
                           AND e.number < n.number
                           AND e.delivered_at IS NULL AND e.given_up_at IS NULL)
                     ORDER BY n.number"
                ))?
                .query_map([id, &target.account, &target.region], due)?
                .collect::<rusqlite::Result<Vec<_>>>()
        };
        let found = read().map_err(|e| open_failure(&self.path, &e))?;
        let is_ours = |due: &Due| {
            let of = &due.notification.deployment;
            of == id || !self.is_driven(of)
        };
        Ok(found.into_iter().flatten().filter(is_ours).collect())
    }

    /// Lets a message that another process had taken be sent at once: the runner of a deployment
    /// waits for no process before it.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be written.
    pub fn take_messages(&self, id: &str) -> Result<(), StoreError> {
        self.db
            .execute(
                "UPDATE notification SET due_at = 0 WHERE deployment_id = ?1 AND due_at > 0
                     AND delivered_at IS NULL AND given_up_at IS NULL",
                [id],
            )
            .map(drop)
            .map_err(|e| self.write_failure(&e))
    }

    /// Counts an attempt to send a message, until when no other process may; false where another
    /// one was faster.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be written.
    pub fn begin_attempt(
        &self,
        due: &Due,
        now: Moment,
        lasts: Duration,
    ) -> Result<bool, StoreError> {
        self.db
            .execute(
                "UPDATE notification SET attempts = attempts + 1, due_at = ?3
                 WHERE number = ?1 AND due_at = ?2 AND delivered_at IS NULL",
                params![due.number, int(due.due_at.0), int(now.after(lasts).0)],
            )
            .map(|changed| changed == 1)
            .map_err(|e| self.write_failure(&e))
    }

    /// Notes that a receiver has taken a message, and what it calls the one that it updates.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be written.
    pub fn message_delivered(
        &mut self,
        due: &Due,
        now: Moment,
        card: Option<&str>,
    ) -> Result<(), StoreError> {
        self.in_transaction(|transaction| {
            transaction.execute(
                "UPDATE notification SET delivered_at = ?2 WHERE number = ?1",
                params![due.number, int(now.0)],
            )?;
            if let Some(reference) = card {
                transaction.execute(
                    "INSERT OR REPLACE INTO card (deployment_id, receiver, reference)
                     VALUES (?1, ?2, ?3)",
                    params![due.notification.deployment, number(due.receiver), reference],
                )?;
            }
            Ok(())
        })
    }

    /// Notes that an attempt has failed, and when the next one is due; `None` where there is none.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be written.
    pub fn message_failed(
        &self,
        due: &Due,
        now: Moment,
        is_refusal: bool,
        again_at: Option<Moment>,
    ) -> Result<(), StoreError> {
        let given_up_at = again_at.is_none().then(|| int(now.0));
        let due_at = again_at.unwrap_or(now);
        self.db
            .execute(
                "UPDATE notification SET refusals = refusals + ?2, due_at = ?3, given_up_at = ?4
                 WHERE number = ?1",
                params![due.number, is_refusal, int(due_at.0), given_up_at],
            )
            .map(drop)
            .map_err(|e| self.write_failure(&e))
    }

    /// What a receiver calls the message of a deployment that it updates; `None` before there is
    /// one.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be read.
    pub fn card(&self, id: &str, receiver: usize) -> Result<Option<String>, StoreError> {
        self.db
            .query_row(
                "SELECT reference FROM card WHERE deployment_id = ?1 AND receiver = ?2",
                params![id, number(receiver)],
                |row| row.get(0),
            )
            .optional()
            .map_err(|e| open_failure(&self.path, &e))
    }

    fn in_transaction(
        &mut self,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        let done = self
            .db
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(|transaction| {
                write(&transaction)?;
                transaction.commit()
            });
        done.map_err(|e| self.write_failure(&e))
    }
}

/// The place of a receiver.
fn place(row: &Row<'_>, column: usize) -> rusqlite::Result<usize> {
    let number: i64 = row.get(column)?;
    Ok(usize::try_from(number).unwrap_or(usize::MAX))
}

fn number(place: usize) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}

/// A message that is due; `None` where this version of bluegreen cannot read it.
fn due(row: &Row<'_>) -> rusqlite::Result<Option<Due>> {
    let text: String = row.get(2)?;
    let count = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
    let Ok(notification) = serde_json::from_str(&text) else {
        return Ok(None);
    };
    Ok(Some(Due {
        number: row.get(0)?,
        receiver: place(row, 1)?,
        notification,
        attempts: count(3)?,
        refusals: count(4)?,
        due_at: Moment(count(5)?),
    }))
}
