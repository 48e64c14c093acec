//! Crash-safe blue/green deployments for AWS Elastic Beanstalk.
#![warn(missing_docs)]

pub mod approval;
pub mod bundle;
pub mod cli;
pub mod clock;
pub mod cloud;
pub mod command;
pub mod config;
pub mod driver;
pub mod encryption;
pub mod journal;
pub mod preflight;
pub mod rebuild;
pub mod recording;
pub mod report;
pub mod secrets;
pub mod shared;
pub mod state_key;
pub mod store;
pub mod trust;
pub mod turn;

pub use bluegreen_core::{
    acceptance, deployment, facts, fidelity, health, hooks, listener_rules, machine, plan, preview,
    table, text, traffic,
};
