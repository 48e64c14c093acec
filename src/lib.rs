//! Crash-safe blue/green deployments for AWS Elastic Beanstalk.
#![warn(missing_docs)]

pub mod clock;
pub mod machine;
pub mod plan;
