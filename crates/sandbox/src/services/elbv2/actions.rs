//! What a rule or a listener may do with a request.

use serde_json::Value;

use crate::services::elbv2::answer::{invalid, not_found};
use crate::wire::error::ApiError;
use crate::world::World;
use crate::world::balancing::{forwards, members};

/// How many target groups a rule may forward to (user guide, "Forward actions"), and the
/// heaviest weight of one.
const FORWARDS_MAX: usize = 5;
const WEIGHT_MAX: u32 = 999;

/// Exactly one action routes, it is the last, and what it forwards to is there.
pub(crate) fn check_actions(world: &World, actions: &Value) -> Result<(), ApiError> {
    let kinds: Vec<&str> = members(actions)
        .filter_map(|a| a["Type"].as_str())
        .collect();
    let routes = |kind: &&str| ["forward", "redirect", "fixed-response"].contains(kind);
    if kinds.iter().filter(|kind| routes(kind)).count() != 1 {
        return Err(ApiError::new(
            "InvalidLoadBalancerAction",
            "The actions must contain exactly one of forward, redirect, or fixed-response",
        ));
    }
    let targets = forwards(actions);
    if kinds.contains(&"forward") && targets.is_empty() {
        return Err(invalid("A target group ARN must be specified"));
    }
    if targets.len() > FORWARDS_MAX || targets.iter().any(|(_, weight)| *weight > WEIGHT_MAX) {
        return Err(invalid(
            "A forward action has at most 5 target groups, with weights from 0 to 999",
        ));
    }
    for (arn, _) in targets {
        if !world.target_groups().iter().any(|group| group.arn == arn) {
            return Err(not_found("TargetGroup", "target groups"));
        }
    }
    Ok(())
}
