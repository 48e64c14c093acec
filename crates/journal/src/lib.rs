//! Where a deployment is kept, and who may run it.
//!
//! The [`store`] is a SQLite file on this machine, [`shared`] the copy in the artifacts bucket with
//! the lock of each target and the queue of those who wait. A [`journal`] writes both, a
//! [`claim`] decides who may run a deployment, and [`fleets`] keeps what belongs to many of them.
#![warn(missing_docs)]

pub mod store;

pub mod shared;

pub mod journal;

pub mod fleets;

pub mod claim;
