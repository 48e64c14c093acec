//! What happened in a deployment, as far as the journal keeps it.

use super::event_rows::insert;
use super::{Store, StoreError, open_failure};
use bluegreen_core::events::EventRecord;

impl Store {
    /// Keeps events of a deployment without a checkpoint. Where another process has kept some by
    /// their numbers meanwhile, its stay.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be written.
    pub fn keep_events(&mut self, id: &str, events: &[EventRecord]) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let written = self.db.transaction().and_then(|transaction| {
            insert(&transaction, id, events, "NOTHING")?;
            transaction.commit()
        });
        written.map_err(|e| self.write_failure(&e))
    }

    /// The events of a deployment that the journal keeps, in the order of their numbers. Those
    /// that this version of bluegreen cannot read are left out.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be read.
    pub fn events(&self, id: &str) -> Result<Vec<EventRecord>, StoreError> {
        let read = || {
            let mut select = self.db.prepare_cached(
                "SELECT event FROM event WHERE deployment_id = ?1 ORDER BY sequence",
            )?;
            // A damaged one may not even be text.
            let read = |row: &rusqlite::Row<'_>| Ok(row.get_ref(0)?.as_bytes()?.to_vec());
            let rows = select.query_map([id], read)?;
            let mut events = Vec::new();
            for row in rows {
                events.extend(serde_json::from_slice(&row?).ok());
            }
            Ok(events)
        };
        read().map_err(|e| open_failure(&self.path, &e))
    }
}
