//! What a state waits for.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::moment::{seconds, whole_seconds};
use crate::plan::Role;

/// One thing that a state waits for, measured and limit side by side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Wait {
    /// Polls in a row that found an environment healthy.
    HealthChecks {
        /// The environment.
        environment: Role,
        /// How many there were.
        passed: u32,
        /// How many are needed.
        limit: u32,
    },
    /// Answers in a row that passed, of the test over HTTP that is furthest from its number.
    Tests {
        /// The environment.
        environment: Role,
        /// How many there were.
        passed: u32,
        /// How many are needed.
        limit: u32,
    },
    /// Instances that run the version.
    Instances {
        /// How many do.
        passed: u32,
        /// How many there are.
        limit: u32,
    },
    /// Requests that an environment still gets.
    Requests {
        /// The environment.
        environment: Role,
        /// How many a minute for each instance.
        measured: u64,
        /// How many it may get.
        limit: u64,
    },
    /// Time.
    Time {
        /// What it is the time of.
        of: Timed,
        /// How much is over.
        #[serde(with = "seconds")]
        #[schemars(with = "f64")]
        lasted: Duration,
        /// How long it takes, or may take.
        #[serde(with = "seconds")]
        #[schemars(with = "f64")]
        limit: Duration,
    },
}

/// What takes its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Timed {
    /// The drain of an environment that production left.
    Drain,
    /// The bake of production on the new version.
    Bake,
    /// The timeout of the state: it is over no later than that.
    Timeout,
}

impl Wait {
    /// Whether what is measured has reached its limit, so that the state waits for something else.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match self {
            Wait::HealthChecks { passed, limit, .. }
            | Wait::Tests { passed, limit, .. }
            | Wait::Instances { passed, limit } => passed >= limit,
            Wait::Requests {
                measured, limit, ..
            } => measured <= limit,
            Wait::Time { lasted, limit, .. } => lasted >= limit,
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wait::HealthChecks {
                environment,
                passed,
                limit,
            } => write!(
                f,
                "{environment} to be healthy ({passed} of {limit} checks)"
            ),
            Wait::Tests {
                environment,
                passed,
                limit,
            } => write!(f, "tests of {environment} ({passed} of {limit} passed)"),
            Wait::Instances { passed, limit } => {
                write!(f, "instances to run the version ({passed} of {limit})")
            }
            Wait::Requests {
                environment,
                measured,
                limit,
            } => write!(
                f,
                "{environment} to drain ({measured} requests/min per instance, done at {limit})"
            ),
            Wait::Time { of, lasted, limit } => {
                let what = match of {
                    Timed::Drain => "the drain",
                    Timed::Bake => "the bake",
                    Timed::Timeout => "the timeout",
                };
                write!(
                    f,
                    "{what} ({} of {})",
                    whole_seconds(*lasted),
                    whole_seconds(*limit)
                )
            }
        }
    }
}
