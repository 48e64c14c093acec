//! What happens in a deployment, as data: the runner reports it to a [`Listener`], and a listener
//! makes log lines, a view or a report of it.

mod happened;
mod log;
mod poll;
mod probed;
mod record;

pub use happened::{Answer, Approval, Drain, Happened, Keeping};
pub use log::EventLog;
pub use poll::{Poll, PolledEnvironment, Tests};
pub use probed::{ProbeFailure, Probed};
pub use record::{DeploymentEvent, EventRecord};

/// Hears what happens in deployments.
pub trait Listener: Send + Sync {
    /// Hears of one event. It must not block: the deployment waits meanwhile.
    fn hear(&self, event: &DeploymentEvent);
}

/// A listener that makes nothing of what it hears.
#[derive(Clone, Copy, Debug)]
pub struct Deaf;

impl Listener for Deaf {
    fn hear(&self, _: &DeploymentEvent) {}
}
