//! The kinds of state.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kinds of state.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[expect(missing_docs, reason = "each is documented on `State`")]
pub enum Kind {
    Preparing,
    Cloning,
    Warming,
    DeployingGreen,
    TestingGreen,
    AwaitingSwap,
    SwappingToGreen,
    DrainingBlue,
    Deploying,
    AbortingDeploy,
    Testing,
    AwaitingCutover,
    SwappingToBlue,
    Baking,
    ReturningToGreen,
    ReturningToBlue,
    TerminatingGreen,
    TerminatingBlue,
    Held,
    Discarding,
    Completed,
    RolledBack,
    Stuck,
}

impl Kind {
    /// Every kind, in the order of a release.
    pub const ALL: [Kind; 23] = [
        Kind::Preparing,
        Kind::Cloning,
        Kind::Warming,
        Kind::DeployingGreen,
        Kind::TestingGreen,
        Kind::AwaitingSwap,
        Kind::SwappingToGreen,
        Kind::DrainingBlue,
        Kind::Deploying,
        Kind::AbortingDeploy,
        Kind::Testing,
        Kind::AwaitingCutover,
        Kind::SwappingToBlue,
        Kind::Baking,
        Kind::ReturningToGreen,
        Kind::ReturningToBlue,
        Kind::TerminatingGreen,
        Kind::TerminatingBlue,
        Kind::Held,
        Kind::Discarding,
        Kind::Completed,
        Kind::RolledBack,
        Kind::Stuck,
    ];

    /// What the state means, in one sentence without a full stop.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Kind::Preparing => "uploading the bundle and registering the version",
            Kind::Cloning => "cloning blue into green",
            Kind::Warming => "waiting until green is healthy",
            Kind::DeployingGreen => "rehearsing the deploy on green; users are on blue",
            Kind::TestingGreen => "testing green over HTTP; users are on blue",
            Kind::AwaitingSwap => "paused as configured; users are on blue and green is ready",
            Kind::SwappingToGreen => "moving production to green",
            Kind::DrainingBlue => {
                "users are on green; waiting until cached DNS answers for blue \
                                   expire"
            }
            Kind::Deploying => "deploying to idle blue",
            Kind::AbortingDeploy => "aborting the deploy to idle blue",
            Kind::Testing => "testing idle blue over HTTP",
            Kind::AwaitingCutover => "paused as configured; users are on green",
            Kind::SwappingToBlue => "moving production back to blue",
            Kind::Baking => "monitoring production while the other environment drains",
            Kind::ReturningToGreen => "moving production back to green",
            Kind::ReturningToBlue => "moving production back to blue, away from green",
            Kind::TerminatingGreen => "terminating green and deleting its template",
            Kind::TerminatingBlue => "green keeps production; terminating blue",
            Kind::Held => "users are on green; a person decides what follows",
            Kind::Discarding => "terminating green; users are on blue, which is untouched",
            Kind::Completed => "users are on the new version and nothing is left behind",
            Kind::RolledBack => {
                "users are on blue with the previous version and nothing is left \
                                 behind"
            }
            Kind::Stuck => "a person must act",
        }
    }
}

impl Kind {
    /// Whether this is an end: nothing leads out of it.
    #[must_use]
    pub fn is_end(self) -> bool {
        match self {
            Kind::Completed | Kind::RolledBack | Kind::Stuck => true,
            Kind::Preparing
            | Kind::Cloning
            | Kind::Warming
            | Kind::DeployingGreen
            | Kind::TestingGreen
            | Kind::AwaitingSwap
            | Kind::SwappingToGreen
            | Kind::DrainingBlue
            | Kind::Deploying
            | Kind::AbortingDeploy
            | Kind::Testing
            | Kind::AwaitingCutover
            | Kind::SwappingToBlue
            | Kind::Baking
            | Kind::ReturningToGreen
            | Kind::ReturningToBlue
            | Kind::TerminatingGreen
            | Kind::TerminatingBlue
            | Kind::Held
            | Kind::Discarding => false,
        }
    }

    /// Why a release leaves the state for the next one, where nothing failed.
    #[must_use]
    pub fn left_because(self) -> &'static str {
        match self {
            Kind::Preparing => "the version is registered",
            Kind::Cloning => "green is Ready",
            Kind::Warming => "both environments were healthy in several polls in a row",
            Kind::DeployingGreen => "the version is proven on green",
            Kind::TestingGreen => "the test passed several times in a row",
            Kind::SwappingToGreen => "green holds the production CNAME",
            Kind::DrainingBlue => "the drain is over",
            Kind::Deploying => "the version is proven on blue",
            Kind::AbortingDeploy => "blue is Ready",
            Kind::Testing => "the test passed several times in a row",
            Kind::AwaitingSwap | Kind::AwaitingCutover | Kind::Held => "an operator resumed",
            Kind::SwappingToBlue => "blue holds the production CNAME",
            Kind::Baking => "production stayed healthy",
            Kind::ReturningToGreen => "green holds the production CNAME",
            Kind::ReturningToBlue => "blue holds the production CNAME",
            Kind::TerminatingGreen => "green and its template are gone",
            Kind::TerminatingBlue => "blue and green's template are gone",
            Kind::Discarding => "green and its template are gone",
            Kind::Completed | Kind::RolledBack | Kind::Stuck => "",
        }
    }
}

/// The state's name, as in `SwappingToGreen`.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
