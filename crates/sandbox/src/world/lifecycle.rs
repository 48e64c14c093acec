//! The lifecycle of an application's versions (developer guide, "Configuring application version
//! lifecycle settings").

use serde::{Deserialize, Serialize};

/// A rule of a lifecycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Whether it is in force.
    pub enabled: bool,
    /// How many versions there may be, or how many days old they may become.
    pub maximum: u64,
    /// Whether the bundle is deleted with its version.
    pub deletes_bundle: bool,
}

/// The lifecycle of an application's versions (API model,
/// `ApplicationResourceLifecycleConfig`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// The ARN of the role that deletes versions.
    pub service_role: Option<String>,
    /// How many versions there may be.
    pub count: Rule,
    /// How many days old they may become.
    pub age: Rule,
}

/// Neither rule is in force (EB CLI, `ebcli/operations/lifecycleops.py`: 200 versions, 180 days).
impl Default for Lifecycle {
    fn default() -> Lifecycle {
        let rule = |maximum| Rule {
            enabled: false,
            maximum,
            deletes_bundle: false,
        };
        Lifecycle {
            service_role: None,
            count: rule(200),
            age: rule(180),
        }
    }
}
