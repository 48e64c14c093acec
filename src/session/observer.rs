//! What a session does before its deployment is driven, and who hears of it.

use super::error::Error;
use crate::deployment::Deployment;
use crate::shared::{HeldLease, SharedError};

/// Hears what a session does before its deployment is driven.
pub trait Observer {
    /// Hears of one thing. It must not block.
    fn observe(&self, notice: Notice<'_>);
}

/// What a session does before its deployment is driven.
#[derive(Debug)]
pub enum Notice<'a> {
    /// From now on it may hold a lock or a place in the queue; nothing was changed.
    Claiming,
    /// A new release waits for what is in its way.
    InQueue(&'a Error),
    /// A lease is held, and is waited for to see whether its holder renews it.
    LeaseHeld {
        /// The deployment that is to be taken over.
        id: &'a str,
        /// The lease.
        held: &'a HeldLease,
    },
    /// The bucket with the lease does not answer for now.
    LeaseUnanswered(&'a SharedError),
    /// The runner of a deployment was asked to roll back.
    AskedToRollBack {
        /// The deployment.
        id: &'a str,
        /// Its runner.
        runner: &'a str,
    },
    /// What tells whether a runner is alive does not answer for now.
    RunnerUnseen(&'a Error),
    /// A deployment's copy in the bucket cannot be read; the journal on this machine does.
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
    /// A deployment is in the journal, and is driven from its first state on.
    Begun(&'a Deployment),
    /// A deployment is driven on from the state it is in.
    GoingOn(&'a Deployment),
}
