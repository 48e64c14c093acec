//! The rows of the events that the journal keeps.

use rusqlite::{Transaction, params};

use super::columns::{int, json};
use bluegreen_core::events::EventRecord;

/// Writes events beside a checkpoint. They take the place of those by their numbers, of a process
/// that was overtaken.
pub(super) fn write(
    transaction: &Transaction<'_>,
    id: &str,
    events: &[EventRecord],
) -> rusqlite::Result<()> {
    insert(transaction, id, events, "UPDATE SET event = ?3")
}

/// Writes events; `on_conflict` says what to do where there is already one by an event's number.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    id: &str,
    events: &[EventRecord],
    on_conflict: &str,
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(&format!(
        "INSERT INTO event (deployment_id, sequence, event) VALUES (?1, ?2, ?3)
         ON CONFLICT (deployment_id, sequence) DO {on_conflict}"
    ))?;
    for event in events {
        insert.execute(params![id, int(event.sequence), json(event)])?;
    }
    Ok(())
}
