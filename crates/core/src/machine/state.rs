//! The states of a deployment.

use serde::{Deserialize, Serialize};

use super::cause::Cause;
use super::kind::Kind;
use super::rest::Rest;
use crate::plan::Strategy;

/// Where a deployment stands: what a checkpoint holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum State {
    /// The bundle is uploaded and the version registered.
    Preparing,
    /// The template is made and green requested.
    Cloning,
    /// Green is there and not yet known to be healthy.
    Warming,
    /// A rehearsal: the version to release is going onto green; users are on blue.
    DeployingGreen,
    /// A rehearsal: green runs the version to release and answers its tests; users are on blue.
    TestingGreen,
    /// Paused on request; green is healthy, and users are on blue.
    AwaitingSwap,
    /// bluegreen has requested the swap to green.
    SwappingToGreen,
    /// Users are on green; cached DNS answers still reach blue.
    DrainingBlue,
    /// The goal version is going onto idle blue.
    Deploying,
    /// The deploy is given up; its update is being aborted.
    AbortingDeploy {
        /// Why it was given up.
        cause: Cause,
    },
    /// Blue runs the goal version and answers its tests.
    Testing,
    /// Paused on request; users are on green.
    AwaitingCutover,
    /// bluegreen has requested the swap to blue.
    SwappingToBlue,
    /// Production is where it stays, on the goal version, and bluegreen monitors it; the other
    /// environment drains.
    Baking,
    /// Production returns to green; bluegreen has requested the swap.
    ReturningToGreen {
        /// Why blue does not keep it.
        cause: Cause,
    },
    /// Production returns to blue, although green should have kept it; bluegreen has requested the
    /// swap.
    ReturningToBlue {
        /// Why green does not keep it.
        cause: Cause,
    },
    /// Green is terminated and the template deleted.
    TerminatingGreen,
    /// Green keeps production: blue is terminated and the template deleted.
    TerminatingBlue,
    /// Users are safe on green with the old version; a person decides how to continue.
    Held {
        /// What failed.
        cause: Cause,
    },
    /// Failed before any swap: blue is untouched and live, green is terminated.
    Discarding {
        /// What failed.
        cause: Cause,
    },
    /// An end: users are on the new version, nothing is left behind.
    Completed,
    /// An end: users are on blue with the previous version, nothing is left behind.
    RolledBack {
        /// Why.
        cause: Cause,
    },
    /// An end: a person is needed.
    Stuck {
        /// What a person must resolve.
        cause: Cause,
    },
}

impl State {
    /// The state's kind, without its details.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            State::Preparing => Kind::Preparing,
            State::Cloning => Kind::Cloning,
            State::Warming => Kind::Warming,
            State::DeployingGreen => Kind::DeployingGreen,
            State::TestingGreen => Kind::TestingGreen,
            State::AwaitingSwap => Kind::AwaitingSwap,
            State::SwappingToGreen => Kind::SwappingToGreen,
            State::DrainingBlue => Kind::DrainingBlue,
            State::Deploying => Kind::Deploying,
            State::AbortingDeploy { .. } => Kind::AbortingDeploy,
            State::Testing => Kind::Testing,
            State::AwaitingCutover => Kind::AwaitingCutover,
            State::SwappingToBlue => Kind::SwappingToBlue,
            State::Baking => Kind::Baking,
            State::ReturningToGreen { .. } => Kind::ReturningToGreen,
            State::ReturningToBlue { .. } => Kind::ReturningToBlue,
            State::TerminatingGreen => Kind::TerminatingGreen,
            State::TerminatingBlue => Kind::TerminatingBlue,
            State::Held { .. } => Kind::Held,
            State::Discarding { .. } => Kind::Discarding,
            State::Completed => Kind::Completed,
            State::RolledBack { .. } => Kind::RolledBack,
            State::Stuck { .. } => Kind::Stuck,
        }
    }

    /// Whether this is an end: nothing leads out of it.
    #[must_use]
    pub fn is_end(&self) -> bool {
        self.kind().is_end()
    }

    /// Whether nothing happens in it until an operator says so.
    #[must_use]
    pub fn rests(&self) -> bool {
        self.rest().is_some()
    }

    /// How a deployment in this state rests; `None` where it does not.
    #[must_use]
    pub fn rest(&self) -> Option<Rest> {
        match self {
            State::Completed => Some(Rest::Completed),
            State::RolledBack { .. } => Some(Rest::RolledBack),
            State::AwaitingSwap | State::AwaitingCutover => Some(Rest::Paused),
            State::Held { .. } => Some(Rest::Held),
            State::Stuck { .. } => Some(Rest::Stuck),
            State::Preparing
            | State::Cloning
            | State::Warming
            | State::DeployingGreen
            | State::TestingGreen
            | State::SwappingToGreen
            | State::DrainingBlue
            | State::Deploying
            | State::AbortingDeploy { .. }
            | State::Testing
            | State::SwappingToBlue
            | State::Baking
            | State::ReturningToGreen { .. }
            | State::ReturningToBlue { .. }
            | State::TerminatingGreen
            | State::TerminatingBlue
            | State::Discarding { .. } => None,
        }
    }

    /// Whether bluegreen has requested a swap in this state.
    #[must_use]
    pub fn is_swapping(&self) -> bool {
        matches!(
            self.kind(),
            Kind::SwappingToGreen
                | Kind::SwappingToBlue
                | Kind::ReturningToGreen
                | Kind::ReturningToBlue
        )
    }

    /// The cause the state carries, where it has one.
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            State::AbortingDeploy { cause }
            | State::ReturningToGreen { cause }
            | State::ReturningToBlue { cause }
            | State::Held { cause }
            | State::Discarding { cause }
            | State::RolledBack { cause }
            | State::Stuck { cause } => Some(cause),
            State::Preparing
            | State::Cloning
            | State::Warming
            | State::DeployingGreen
            | State::TestingGreen
            | State::AwaitingSwap
            | State::SwappingToGreen
            | State::DrainingBlue
            | State::Deploying
            | State::Testing
            | State::AwaitingCutover
            | State::SwappingToBlue
            | State::Baking
            | State::TerminatingGreen
            | State::TerminatingBlue
            | State::Completed => None,
        }
    }

    /// What it means, in one sentence without a full stop; of a held one with what its cause
    /// says of blue.
    #[must_use]
    pub fn meaning(&self, strategy: Strategy) -> &'static str {
        let cause = match self {
            State::Completed if strategy == Strategy::Rehearse => {
                return "rehearsed: green ran the version, passed its tests and is gone; blue was not touched";
            }
            State::RolledBack { .. } if strategy == Strategy::Rehearse => {
                return "the rehearsal is cleaned up and nothing is left behind; blue was not touched";
            }
            State::Held { cause } => cause,
            // Blue may run any version: it was left alone.
            State::RolledBack {
                cause: Cause::Orphaned { .. },
            } => return "what was left is removed; blue was left as it is",
            State::RolledBack {
                cause: Cause::VersionMoved { .. },
            } => {
                return "blue was left as somebody else has made it, and nothing is left behind";
            }
            _ => return self.kind().meaning(),
        };
        match cause {
            Cause::NotApproved { .. } => {
                "users are on green; blue has passed its tests and is not approved"
            }
            Cause::HookFailed { .. } => {
                "users are on green; a hook holds the release, and blue was not found unhealthy"
            }
            Cause::ChangedMeanwhile { .. } => {
                "users are on green; somebody else's changes would be lost, so a person decides"
            }
            Cause::DeployFailed { .. }
            | Cause::TestFailed { .. }
            | Cause::SickWhileBaking { .. } => "users are on green; blue is not healthy",
            Cause::AskedToRetreat
            | Cause::ApprovalRefused { .. }
            | Cause::OutOfPatience { .. }
            | Cause::Refused { .. }
            | Cause::RuleStays { .. }
            | Cause::GreenNameTaken { .. }
            | Cause::GreenDiffers { .. }
            | Cause::LaunchFailed { .. }
            | Cause::GreenGone
            | Cause::BlueGone { .. }
            | Cause::ProductionTerminated { .. }
            | Cause::VersionFailed { .. }
            | Cause::VersionMissing { .. }
            | Cause::VersionConflict { .. }
            | Cause::ProductionMoved { .. }
            | Cause::TrafficStays { .. }
            | Cause::VersionMoved { .. }
            | Cause::Orphaned { .. }
            | Cause::NotRolledBack { .. } => self.kind().meaning(),
        }
    }

    /// The state with a better-known cause; unchanged where it carries none.
    #[must_use]
    pub fn because(self, cause: Cause) -> State {
        match self {
            State::AbortingDeploy { .. } => State::AbortingDeploy { cause },
            State::ReturningToGreen { .. } => State::ReturningToGreen { cause },
            State::ReturningToBlue { .. } => State::ReturningToBlue { cause },
            State::Held { .. } => State::Held { cause },
            State::Discarding { .. } => State::Discarding { cause },
            State::RolledBack { .. } => State::RolledBack { cause },
            State::Stuck { .. } => State::Stuck { cause },
            other @ (State::Preparing
            | State::Cloning
            | State::Warming
            | State::DeployingGreen
            | State::TestingGreen
            | State::AwaitingSwap
            | State::SwappingToGreen
            | State::DrainingBlue
            | State::Deploying
            | State::Testing
            | State::AwaitingCutover
            | State::SwappingToBlue
            | State::Baking
            | State::TerminatingGreen
            | State::TerminatingBlue
            | State::Completed) => other,
        }
    }
}
