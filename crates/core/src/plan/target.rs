//! The target of a deployment.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The target of a deployment: at most one unfinished deployment each.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct Target {
    /// The AWS account's twelve digits, as in blue's ARN.
    pub account: String,
    /// The region, as in `eu-central-1`.
    pub region: String,
    /// The Elastic Beanstalk application's name.
    pub application: String,
    /// Blue's environment name.
    pub blue: String,
}
