//! Where a deployment came to rest.

use crate::deployment::Deployment;
use crate::machine::Rest;

/// Where a deployment came to rest.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The deployment.
    pub deployment: Deployment,
    /// How it rests; `None` where it does not, which is a bug.
    pub rest: Option<Rest>,
}

impl From<Deployment> for Outcome {
    fn from(deployment: Deployment) -> Outcome {
        let rest = deployment.state.rest();
        Outcome { deployment, rest }
    }
}
