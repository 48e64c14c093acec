//! Values as the journal's columns hold them.

use serde::Serialize;

/// SQLite's integers are signed; moments and revisions stay far below the edge.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data without maps of odd keys is always JSON")
}
