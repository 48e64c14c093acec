//! The rules of a blue/green deployment, without any input or output: what a deployment is, what
//! AWS shows of it, and what to do next.
//!
//! In the order in which to read it: a [`plan`] says what is wanted, the [`machine`] goes from
//! state to state, [`facts`] give the machine what AWS shows, and a [`deployment`] is all of that
//! as the journal keeps it; [`events`] are what happens in it, [`pacing`] says when to poll next, and [`followers`] what must follow a
//! swap. A [`fleet`] is many deployments. The other modules are the parts of a plan ([`acceptance`], [`hooks`], [`health`], [`receivers`]), what is
//! judged ([`fidelity`], [`traffic`]), and what these are written with ([`command`], [`heap`],
//! [`moment`], [`secrets`], [`table`], [`text`]).
#![warn(missing_docs)]

pub mod plan;

pub mod machine;

pub mod facts;

pub mod deployment;
pub mod notification;
pub mod users;

pub mod events;

pub mod pacing;

pub mod followers;

pub mod fleet;

pub mod acceptance;
pub mod engine_log;
pub mod health;
pub mod hooks;
pub mod receivers;

pub mod fidelity;
pub mod traffic;

pub mod command;
pub mod heap;
pub mod moment;
pub mod secrets;
pub mod table;
pub mod text;
