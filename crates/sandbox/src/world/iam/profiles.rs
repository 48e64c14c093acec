//! Instance profiles: what gives a role to the instances of an environment.

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// An instance profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Profile {
    /// As in `/`.
    pub path: String,
    /// The ARN of its role, of which there may be one.
    pub role: Option<String>,
    /// When it was made; 0 for one of the seed.
    pub created: Millis,
}
