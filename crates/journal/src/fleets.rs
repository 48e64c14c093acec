//! Where fleets are kept: one object each in the bucket, which several workers change, and a row of
//! the journal on this machine.

// Numbers here are read from others.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use crate::journal::JournalError;
use crate::shared::{FleetRecord, SharedState, fleet_of};
use crate::store::{Store, StoreError};

/// Where a fleet is kept.
#[derive(Clone, Debug)]
pub struct FleetJournal {
    name: String,
    /// `None` where it is on this machine alone.
    shared: Option<SharedState>,
}

impl FleetJournal {
    /// The journal of the fleet with this name.
    #[must_use]
    pub fn new(name: &str, shared: Option<SharedState>) -> FleetJournal {
        FleetJournal {
            name: name.to_owned(),
            shared,
        }
    }

    /// The record; `None` where there never was such a fleet.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn read(&self, store: &mut Store) -> Result<Option<FleetRecord>, JournalError> {
        if let Some(shared) = &self.shared {
            let found = shared.fleet(&self.name).await?;
            return Ok(found.map(|found| found.value));
        }
        let path = store.path().to_owned();
        let found = store.change_fleet(&self.name, |text| (None, self.parsed(text)))?;
        Ok(found.map_err(|message| StoreError::Damaged { path, message })?)
    }

    /// The record after `change`, and what that returns. Nothing is written where it changes
    /// nothing; where another worker was faster, `change` runs again on the record as it is then.
    /// The record is written into the bucket first, where it is decided which worker was faster,
    /// and then into SQLite.
    ///
    /// # Errors
    /// [`JournalError`]; whether the change was written is unclear then, and to make it again must
    /// do no harm.
    pub async fn change<T>(
        &self,
        store: &mut Store,
        mut change: impl FnMut(&mut Option<FleetRecord>) -> T,
    ) -> Result<(Option<FleetRecord>, T), JournalError> {
        if let Some(shared) = &self.shared {
            let (record, told) = shared.change_fleet(&self.name, change).await?;
            if let Some(record) = &record {
                store.change_fleet(&self.name, |_| (Some(document(record)), ()))?;
            }
            return Ok((record, told));
        }
        let path = store.path().to_owned();
        let done = store.change_fleet(&self.name, |text| match self.parsed(text) {
            Err(message) => (None, Err(StoreError::Damaged { path, message })),
            Ok(before) => {
                let mut record = before.clone();
                let told = change(&mut record);
                let changed = record != before;
                if let Some(record) = record.as_mut().filter(|_| changed) {
                    record.revision = record.revision.saturating_add(1);
                }
                let text = record.as_ref().filter(|_| changed).map(document);
                (text, Ok((record, told)))
            }
        })?;
        Ok(done?)
    }

    fn parsed(&self, text: Option<&str>) -> Result<Option<FleetRecord>, String> {
        text.map(|text| fleet_of(&self.name, text)).transpose()
    }
}

fn document(record: &FleetRecord) -> String {
    serde_json::to_string(record).expect("plain data is always JSON")
}
