//! A parameter of SSM's Parameter Store.

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// A parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parameter {
    pub name: String,
    /// String, StringList or SecureString.
    pub kind: String,
    /// Its values, the first version first.
    pub versions: Vec<String>,
    pub modified: Millis,
}
