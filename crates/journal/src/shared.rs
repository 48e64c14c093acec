//! The journal's copy in the artifacts bucket, and one lock and one queue a target.
//!
//! A container's disk dies with it; what lies in the bucket does not. Every object is written under
//! a condition only: a write whose answer was lost is read back and compared, and one that somebody
//! else was faster with changes nothing. docs/operate/shared-state.md describes the objects.

// Numbers here are read from others.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub(crate) mod bounds;
mod contender;
mod error;
mod fleet_record;
mod holder;
mod keys;
mod lease;
mod lease_record;
mod listing;
mod object;
mod queue;
mod record;
mod state;
#[cfg(test)]
mod tests;

pub use bounds::within_bounds;
pub use contender::{Contender, HeldLease, LeaseAttempt};
pub use error::SharedError;
pub(crate) use fleet_record::fleet_of;
pub use fleet_record::{FleetRecord, FleetTransition};
pub use holder::Holder;
pub use keys::{LEASES, deployment_key, fleet_key, lease_key, queue_key, report_key};
pub use lease::{Lease, SEND_MARGIN};
pub use lease_record::LeaseRecord;
pub use listing::{ARCHIVED_AFTER, Listed, UNLEASED_MAX};
pub(crate) use object::Written;
pub use object::{FORMAT, Tagged};
pub use queue::{Begun, Queue, Ticket};
pub use record::{DeploymentRecord, Origin};
pub use state::{SharedState, at_a_glance};
