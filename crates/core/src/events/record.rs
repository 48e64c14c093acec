//! An event with what belongs to it, as listeners hear it and as the journal keeps it.

use serde::{Deserialize, Serialize};

use super::happened::Happened;
use crate::deployment::Deployment;
use crate::moment::Moment;
use crate::plan::Target;

/// One thing that happened, with what somebody needs who reads this one alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeploymentEvent {
    /// The deployment's id.
    pub deployment: String,
    /// Where it runs.
    pub target: Target,
    /// The rest, which the journal keeps of it.
    #[serde(flatten)]
    pub record: EventRecord,
}

/// One thing that happened, as the journal of its deployment keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventRecord {
    /// Counts from 1 in the deployment. A process that takes it up counts on from the last one
    /// that the journal keeps.
    pub sequence: u64,
    /// When, by the deployment's own clock.
    pub at: Moment,
    /// The version that goes live: the one to release, or the one before it while rolling back.
    pub version: String,
    /// What happened.
    #[serde(flatten)]
    pub happened: Happened,
}

impl EventRecord {
    /// The event, of the deployment that it happened in.
    #[must_use]
    pub fn of(&self, deployment: &Deployment) -> DeploymentEvent {
        DeploymentEvent {
            deployment: deployment.plan.id.clone(),
            target: deployment.plan.target.clone(),
            record: self.clone(),
        }
    }
}
