//! Which version a deployment works towards.

use serde::{Deserialize, Serialize};

/// Which version the stages must leave on blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// The new version: a release.
    Release,
    /// The version that ran before: a rollback.
    Previous,
}
