//! Crash-safe blue/green deployments for AWS Elastic Beanstalk.
#![warn(missing_docs)]

pub mod bundle;
pub mod cli;
pub mod clock;
pub mod cloud;
pub mod config;
pub mod deployment;
pub mod driver;
pub mod facts;
pub mod journal;
pub mod listener_rules;
pub mod machine;
pub mod plan;
pub mod preflight;
pub mod rebuild;
pub mod report;
pub mod shared;
pub mod store;
