//! The records of fleets, as documents.

use rusqlite::{OptionalExtension, TransactionBehavior};

use super::{Store, StoreError};

impl Store {
    /// The document of a fleet, after `change`, which gets it and returns the one to write, or none
    /// where it must stay. In one transaction: no other process comes between.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be read or written.
    pub fn change_fleet<T>(
        &mut self,
        name: &str,
        change: impl FnOnce(Option<&str>) -> (Option<String>, T),
    ) -> Result<T, StoreError> {
        let rewrite = || {
            let behavior = TransactionBehavior::Immediate;
            let transaction = self.db.transaction_with_behavior(behavior)?;
            let select = "SELECT record FROM fleet WHERE name = ?1";
            let found: Option<String> = transaction
                .query_row(select, [name], |row| row.get(0))
                .optional()?;
            let (record, told) = change(found.as_deref());
            if let Some(record) = record {
                let insert = "INSERT OR REPLACE INTO fleet (name, record) VALUES (?1, ?2)";
                transaction.execute(insert, [name, &record])?;
            }
            transaction.commit()?;
            Ok(told)
        };
        let done: rusqlite::Result<T> = rewrite();
        done.map_err(|e| self.write_failure(&e))
    }
}
