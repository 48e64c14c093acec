//! The state machine of a deployment: pure, no I/O, no clock, no randomness.
//!
//! [`step`] takes the state, the plan and what a poll has just seen, and returns as data what to do
//! next. Only polls advance a state: an API answer proves nothing.

mod cause;
mod drift;
mod effect;
mod followers;
pub(crate) mod kind;
mod operator;
mod remedy;
mod rest;
mod safety;
mod seen;
mod stages;
mod state;

pub use cause::Cause;
pub use drift::{Drift, OthersUpdate};
pub use effect::{Change, Effect, EffectKind, Step};
pub use followers::{
    Placement, decide, foreign_hosts, hosts_astray, hosts_left_over, is_still_wanted,
    rules_placement, timed_out, with_followers,
};
pub use kind::Kind;
pub use operator::{NotPossible, Order, hold, obey, unapproved};
pub use remedy::remedy;
pub use rest::Rest;
pub use safety::is_safe;
pub use seen::{
    Deploy, EnvSeen, FollowersSeen, Green, HostSeen, Instances, Late, Launch, Likeness, MayArrive,
    Phase, RulesSeen, Seen, Termination, Test, Unread, Update, Version,
};
pub use stages::step;
pub use state::State;
