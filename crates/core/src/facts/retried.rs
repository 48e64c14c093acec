//! Requests that the SDK has repeated.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A request that was repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Retried {
    /// The operation, as its API names it.
    pub operation: String,
    /// How many times.
    pub times: u32,
    /// Why, as far as its last answer said.
    pub why: String,
}
