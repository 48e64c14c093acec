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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
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
    /// Where bluegreen sends a request a second to production while it runs the deployment; none
    /// where it sends none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<ProbeOfProduction>,
    /// Whether the bucket gets a report of the deployment whenever it comes to rest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reports_to_bucket: bool,
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
            probe: None,
            reports_to_bucket: false,
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

/// What a request a second to production asks for. It has no header and no body, so that a plan that
/// somebody else wrote sends no secret anywhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProbeOfProduction {
    /// The path, which begins with `/`.
    pub path: String,
    /// The status codes that count as answered; empty means 200 to 299.
    #[serde(default)]
    pub expect_status: Vec<u16>,
}

/// How long such a request waits for its answer.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

impl ProbeOfProduction {
    /// The value of the setting that stands for the path of the first test.
    pub const OF_THE_TEST: &str = "test";

    /// The request for this path; for [`OF_THE_TEST`](Self::OF_THE_TEST) that of the first of these
    /// tests that reads a path and sends no header, else for `/`.
    #[must_use]
    pub fn of(path: &str, tests: &[AcceptanceTest]) -> ProbeOfProduction {
        if path != ProbeOfProduction::OF_THE_TEST {
            return ProbeOfProduction {
                path: path.to_owned(),
                expect_status: Vec::new(),
            };
        }
        let reads = |test: &&AcceptanceTest| {
            let is_plain = test.headers.is_empty() && test.host.is_none() && test.body.is_none();
            test.url.starts_with('/') && test.method == "GET" && is_plain
        };
        match tests.iter().find(reads) {
            Some(test) => ProbeOfProduction {
                path: test.url.clone(),
                expect_status: test.expect_status.clone(),
            },
            None => ProbeOfProduction::of("/", tests),
        }
    }

    /// The test that it is.
    #[must_use]
    pub fn test(&self) -> AcceptanceTest {
        let path = match self.path.starts_with('/') {
            true => self.path.as_str(),
            // A plan that somebody else wrote leads to no other host.
            false => "/",
        };
        AcceptanceTest {
            expect_status: self.expect_status.clone(),
            timeout: PROBE_TIMEOUT,
            ..AcceptanceTest::get(path)
        }
    }
}
