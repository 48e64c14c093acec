//! A managed action of an environment.

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// A managed action of an environment (API reference, `ManagedAction` and
/// `ManagedActionHistoryItem`): a platform update.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ManagedAction {
    pub id: String,
    pub environment_id: String,
    pub window_start: Millis,
    pub began: Option<Millis>,
    pub finished: Option<Millis>,
}

impl ManagedAction {
    /// Scheduled before its window, Pending while its environment is busy, Running.
    pub fn status(&self, now: Millis) -> &'static str {
        match self.began {
            Some(_) => "Running",
            None if self.window_start <= now => "Pending",
            None => "Scheduled",
        }
    }
}
