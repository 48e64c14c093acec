//! EC2 Auto Scaling, version 2011-01-01: the groups of environments, what launches their
//! instances, and the policies that scale them.

mod describe;
mod selected;

use serde_json::Value;

use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;

pub(crate) const NAMESPACE: &str = "http://autoscaling.amazonaws.com/doc/2011-01-01/";

/// The operations that it offers, sorted.
pub(crate) const OPERATIONS: [&str; 5] = [
    "DescribeAutoScalingGroups",
    "DescribeAutoScalingInstances",
    "DescribeLaunchConfigurations",
    "DescribePolicies",
    "DescribeTags",
];

pub(crate) fn answer(world: &World, form: &Form) -> Result<Value, ApiError> {
    match form.operation() {
        "DescribeAutoScalingGroups" => describe::describe_groups(world, form),
        "DescribeAutoScalingInstances" => describe::describe_instances(world, form),
        "DescribeLaunchConfigurations" => describe::describe_launch_configurations(world, form),
        "DescribePolicies" => describe::describe_policies(world, form),
        "DescribeTags" => describe::describe_tags(world, form),
        operation => Err(ApiError::new(
            "InvalidAction",
            format!("Could not find operation {operation} for version 2011-01-01"),
        )),
    }
}
