//! Where a deployment came to rest.

use crate::deployment::Deployment;
use crate::machine::State;

/// Where a deployment came to rest.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The deployment.
    pub deployment: Deployment,
    /// How it rests; `None` where it does not, which is a bug.
    pub rest: Option<Rest>,
}

/// How a deployment rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// The version is released.
    Completed,
    /// The version before it is back.
    RolledBack,
    /// It pauses as its plan says.
    Paused,
    /// It is held: users are on a healthy environment, and a person decides.
    Held,
    /// A person is needed.
    Stuck,
}

impl Rest {
    /// How a deployment in this state rests; `None` where it does not.
    #[must_use]
    pub fn of(state: &State) -> Option<Rest> {
        match state {
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
}

impl From<Deployment> for Outcome {
    fn from(deployment: Deployment) -> Outcome {
        let rest = Rest::of(&deployment.state);
        Outcome { deployment, rest }
    }
}
