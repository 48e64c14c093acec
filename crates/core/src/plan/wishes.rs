//! What the operator wishes of a release: every setting that a plan keeps.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::limits::Limits;
use crate::acceptance::{AcceptanceTest, TestCommand, one_or_many};
use crate::health::Health;
use crate::hooks::Hook;
use crate::receivers::Receiver;

/// Every setting of a release, with its default. A plan keeps them among its own keys, so a setting
/// that is added needs `#[serde(default)]`, which is for plans of older versions of bluegreen and
/// may differ from [`Wishes::default`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Wishes {
    /// The worst health with which an environment counts as healthy.
    #[serde(default)]
    pub healthy: Health,
    /// How an environment is tested over HTTP.
    #[serde(alias = "test", deserialize_with = "one_or_many")]
    pub tests: Vec<AcceptanceTest>,
    /// What tests it further, once it has passed those.
    #[serde(default)]
    pub test_command: Option<TestCommand>,
    /// Whether green is tested too, before it takes traffic. A plan of an older version of
    /// bluegreen that does not hold this tests green only where green keeps production.
    #[serde(default)]
    pub test_green: bool,
    /// Whether blue is tested too while users are on it and bluegreen monitors it.
    #[serde(default = "yes")]
    pub test_production: bool,
    /// The operator's commands before and after the stages.
    #[serde(default)]
    pub hooks: Vec<Hook>,
    /// Who is sent messages about the deployment.
    #[serde(default)]
    pub notify: Vec<Receiver>,
    /// Whether bluegreen polls a URL for the approval of each pause, so that to resume is not to
    /// approve. The URL itself may be a secret, and is no part of the plan.
    #[serde(default)]
    pub asks_approval: bool,
    /// What becomes of a pause that nobody approves; none where it has no limit.
    #[serde(default)]
    pub approval: Option<ApprovalLimit>,
    /// In what green may differ from blue, as a [difference](crate::fidelity::Difference) is
    /// called.
    #[serde(default)]
    pub expected_differences: Vec<String>,
    /// The names of the CloudWatch alarms that monitor production, each once.
    #[serde(default)]
    pub alarms: Vec<String>,
    /// The limits.
    pub limits: Limits,
}

impl Default for Wishes {
    fn default() -> Wishes {
        Wishes {
            healthy: Health::Ok,
            tests: vec![AcceptanceTest::get("/")],
            test_command: None,
            test_green: true,
            test_production: true,
            hooks: Vec::new(),
            notify: Vec::new(),
            asks_approval: false,
            approval: None,
            expected_differences: Vec::new(),
            alarms: Vec::new(),
            limits: Limits::default(),
        }
    }
}

/// The value of a setting in a plan that was made before the setting existed.
fn yes() -> bool {
    true
}

/// How long a pause waits for its approval, and what happens then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ApprovalLimit {
    /// How long bluegreen waits for the approval.
    pub limit: Duration,
    /// Whether the deployment rolls back then; else it is held.
    pub goes_back: bool,
}
