//! Elastic Load Balancing, version 2015-12-01.

mod actions;
mod answer;
mod attributes;
mod describe;
mod health;
mod listeners;
mod rules;

use crate::services::elbv2::answer::Answer;
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;

pub(crate) const NAMESPACE: &str = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";

/// The operations that it offers, sorted.
pub(crate) const OPERATIONS: [&str; 18] = [
    "AddListenerCertificates",
    "AddTags",
    "CreateListener",
    "CreateRule",
    "CreateTargetGroup",
    "DeleteRule",
    "DescribeListenerCertificates",
    "DescribeListeners",
    "DescribeLoadBalancerAttributes",
    "DescribeLoadBalancers",
    "DescribeRules",
    "DescribeTags",
    "DescribeTargetGroupAttributes",
    "DescribeTargetGroups",
    "DescribeTargetHealth",
    "ModifyListener",
    "ModifyRule",
    "RemoveTags",
];

pub(crate) fn answer(world: &mut World, form: &Form) -> Answer {
    let input = form.tree();
    match form.operation() {
        "DescribeLoadBalancers" => describe::describe_balancers(world, form),
        "DescribeListeners" => describe::describe_listeners(world, form),
        "DescribeListenerCertificates" => describe::describe_certificates(world, form),
        "CreateListener" => listeners::create_listener(world, form, &input),
        "AddListenerCertificates" => listeners::add_certificates(world, form),
        "ModifyListener" => listeners::modify_listener(world, form, &input),
        "CreateTargetGroup" => listeners::create_target_group(world, form),
        "DescribeRules" => describe::describe_rules(world, form),
        "DescribeTargetGroups" => describe::describe_target_groups(world, form),
        "DescribeTags" => describe::describe_tags(world, form),
        "DescribeTargetHealth" => health::describe_target_health(world, form),
        "DescribeLoadBalancerAttributes" => attributes::describe_balancer_attributes(world, form),
        "DescribeTargetGroupAttributes" => attributes::describe_group_attributes(world, form),
        "AddTags" => rules::add_tags(world, form),
        "RemoveTags" => rules::remove_tags(world, form),
        "CreateRule" => rules::create_rule(world, form, &input),
        "ModifyRule" => rules::modify_rule(world, form, &input),
        "DeleteRule" => rules::delete_rule(world, form),
        operation => Err(ApiError::new(
            "InvalidAction",
            format!("Could not find operation {operation} for version 2015-12-01"),
        )),
    }
}
