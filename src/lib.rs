//! Crash-safe blue/green deployments for AWS Elastic Beanstalk: the program above its crates.
//!
//! Read it from the outside in. The [`cli`] has a file for each command. [`config`] makes values
//! that cannot be wrong of flags, variables and a file, and [`preflight`] checks a release with
//! them before anything begins. A [`session`] claims a deployment, carries it out by the
//! [`driver`], and says where it came to rest. It reaches the outside through the [`prober`], a
//! [`command`], an [`approval`] or [`notifications`]; [`report`] renders the result.
//!
//! [`trust`] judges what only a bucket says, [`rebuild`] makes a deployment of what AWS shows, and
//! [`bundle`] reads a bundle on disk; [`export`] writes a fleet as other
//! schedulers run it.
#![warn(missing_docs)]

pub mod cli;

pub mod config;

pub mod preflight;

pub mod driver;
pub mod session;

pub mod approval;
pub mod command;
pub mod notifications;
pub mod prober;

pub mod report;
pub mod telemetry;

pub mod bundle;
pub mod export;
pub mod rebuild;
pub mod trust;

#[cfg(test)]
mod garbled;

// The crates below, by the names that the modules here use.
pub use bluegreen_aws as cloud;
pub use bluegreen_aws::{encryption, recording, secrets, state_key};
pub use bluegreen_clock as clock;
pub use bluegreen_core::followers::{listener_rules, preview};
pub use bluegreen_core::{
    acceptance, deployment, events, facts, fidelity, fleet, health, heap, hooks, machine,
    notification, pacing, plan, receivers, table, text, traffic, users,
};
pub use bluegreen_journal::{claim, fleets, journal, shared, store};
