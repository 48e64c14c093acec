//! Where production lives once a release is over.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where production lives once a release is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// On blue, where it was: users are on green while the version goes onto blue.
    #[default]
    Restore,
    /// On green, which is launched on the version: production moves once, and can return to blue
    /// until blue is terminated.
    Promote,
    /// On blue, which is never touched: green is launched as for a release, given the version
    /// and tested, and terminated.
    Rehearse,
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Strategy::Restore => "restore",
            Strategy::Promote => "promote",
            Strategy::Rehearse => "rehearse",
        })
    }
}
