//! A fleet as what other schedulers run: a state machine of AWS Step Functions, and a Job of
//! Kubernetes. Pure.

pub mod kubernetes;
pub mod step_functions;

/// The user and the group that the image runs as.
const USER: u32 = 10_001;

/// Where the image keeps its journal.
const STATE: &str = "/var/lib/bluegreen";

/// A target as its command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Its name.
    pub name: String,
    /// The number of its wave, from 0.
    pub wave: usize,
    /// What `bluegreen` is given to release it.
    pub arguments: Vec<String>,
    /// The role that it assumes, where it assumes one.
    pub role: Option<String>,
}
