//! An alarm of CloudWatch.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::time::Millis;

/// An alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Alarm {
    pub name: String,
    pub composite: bool,
    /// OK, ALARM or INSUFFICIENT_DATA.
    pub state: String,
    pub reason: String,
    pub updated: Millis,
    /// The definition that it was created with.
    pub definition: Map<String, Value>,
}
