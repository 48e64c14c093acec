//! The two environments of a deployment.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which of the two environments.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The environment that production lives in before and after.
    Blue,
    /// The clone that users are on meanwhile.
    Green,
}

impl Role {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Role {
        match self {
            Role::Blue => Role::Green,
            Role::Green => Role::Blue,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Blue => "blue",
            Role::Green => "green",
        })
    }
}
