//! What a session does before the driver begins, and the observer that hears of it.

use super::error::Error;
use crate::deployment::Deployment;
use crate::shared::{HeldLease, SharedError};

/// Hears what a session does before the driver begins.
pub trait Observer {
    /// Hears of one thing. It must not block.
    fn observe(&self, notice: Notice<'_>);
}

/// What a session does before the driver begins.
#[derive(Debug)]
pub enum Notice<'a> {
    /// From now on it may hold a lock or a place in the queue; nothing was changed.
    Claiming,
    /// A new release waits for what is in its way.
    InQueue(&'a Error),
    /// A lock is held; the session waits to see whether its holder renews it.
    LeaseHeld {
        /// The deployment to take over.
        id: &'a str,
        /// The lock.
        held: &'a HeldLease,
    },
    /// The bucket with the lock does not answer for now.
    LeaseUnanswered(&'a SharedError),
    /// The session has ordered the runner of a deployment to roll back.
    AskedToRollBack {
        /// The deployment.
        id: &'a str,
        /// Its runner.
        runner: &'a str,
    },
    /// The place that shows whether a runner is alive does not answer for now.
    RunnerUnseen(&'a Error),
    /// A deployment's copy in the bucket cannot be read; the session uses the journal on this
    /// machine.
    CopyUnread(&'a SharedError),
    /// AWS cannot be read for now: why, in words.
    AwsUnread(&'a str),
    /// Production has changed since the plan was made, so another one is made.
    ProductionChanged {
        /// Its environment.
        blue: &'a str,
    },
    /// From now on an order may have been taken; nothing else was changed.
    Ordering {
        /// The deployment.
        id: &'a str,
    },
    /// A deployment is in the journal, and its runner begins with its first state.
    Begun(&'a Deployment),
    /// The runner carries a deployment on from its present state.
    GoingOn(&'a Deployment),
}
