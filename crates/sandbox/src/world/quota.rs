//! What an account may have only so many of.

use serde::{Deserialize, Serialize};

/// What an account may have only so many of (API reference, `ResourceQuotas`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaOf {
    /// Applications.
    Applications,
    /// Versions, of all applications together.
    Versions,
    /// Configuration templates, of all applications together.
    Templates,
    /// Environments.
    Environments,
    /// Custom platforms.
    Platforms,
    /// Elastic IP addresses, which are EC2's.
    Addresses,
}
