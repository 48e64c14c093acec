//! What a poll saw.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::moment::seconds;
use crate::plan::Role;

/// What a poll saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Poll {
    /// Blue and green, where they are there.
    pub environments: Vec<PolledEnvironment>,
    /// Who holds the production CNAME; none where neither does.
    pub production: Option<Role>,
    /// How many tests over HTTP were sent, and how many passed.
    pub tests: Tests,
}

impl Poll {
    /// Whether it saw something else than an earlier one, but for how long answers took.
    pub(super) fn differs_from(&self, earlier: &Poll) -> bool {
        let Tests { asked, passed, .. } = self.tests;
        self.environments != earlier.environments
            || self.production != earlier.production
            || (asked, passed) != (earlier.tests.asked, earlier.tests.passed)
    }
}

/// An environment that a poll saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PolledEnvironment {
    /// Which it is.
    pub role: Role,
    /// Its name.
    pub name: String,
    /// Its status in the service's words, as in `Ready`.
    pub status: String,
    /// Its health in the service's words, as in `Ok` or `Green`.
    pub health: String,
    /// The version label it shows.
    pub version: Option<String>,
    /// The CNAME that it holds; none where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cname: Option<String>,
    /// How many requests a minute it answered lately; none where the poll did not count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_a_minute: Option<u64>,
    /// How many instances it runs; none where the poll did not count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<u32>,
}

/// Tests of one poll.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tests {
    /// How many were sent.
    pub asked: usize,
    /// How many of them passed.
    pub passed: usize,
    /// How long the slowest answer took.
    #[serde(with = "seconds")]
    #[schemars(with = "f64")]
    pub slowest: Duration,
}
