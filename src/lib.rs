//! Crash-safe blue/green deployments for AWS Elastic Beanstalk.
#![warn(missing_docs)]

pub mod acceptance;
pub mod approval;
pub mod bundle;
pub mod cli;
pub mod clock;
pub mod cloud;
pub mod command;
pub mod config;
pub mod deployment;
pub mod driver;
pub mod encryption;
pub mod facts;
pub mod fidelity;
#[cfg(test)]
mod garbled;
pub mod health;
pub mod hooks;
pub mod journal;
pub mod listener_rules;
pub mod machine;
pub mod plan;
pub mod preflight;
pub mod preview;
pub mod rebuild;
pub mod recording;
pub mod report;
pub mod secrets;
pub mod shared;
pub mod state_key;
pub mod store;
pub mod table;
pub mod text;
pub mod traffic;
pub mod trust;
pub mod turn;
