//! What somebody else has changed on an environment while the deployment ran.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing in which an environment differs from what it was when it took production, and which
/// the deployment has not changed. No value of an environment variable or of a secret is in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Drift {
    /// What it is of: `version`, `platform`, or an option by `NAMESPACE:OPTION`.
    pub what: String,
    /// What it is now, in words.
    pub is: String,
    /// Distinguishes one value from another: the same change twice has the same mark, another
    /// change has another.
    pub mark: u16,
}

/// As in `aws:elasticbeanstalk:command:Timeout is 900`.
impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.is)
    }
}

/// An update of an environment that this deployment has not requested.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OthersUpdate {
    /// The first event of its request, in the service's words.
    pub said: String,
}
