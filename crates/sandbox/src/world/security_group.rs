//! A security group of EC2's.

use serde::{Deserialize, Serialize};

/// A security group of somebody else's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SecurityGroup {
    pub id: String,
    pub name: String,
    /// The ids of the groups that its inbound rules admit.
    pub admits: Vec<String>,
}
