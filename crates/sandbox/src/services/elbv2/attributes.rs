//! The attributes of load balancers and of target groups, as the settings of their environments
//! make them (developer guide, "General options": `aws:elbv2:loadbalancer`,
//! `aws:elasticbeanstalk:environment:process:default`), and else as they are by default (API
//! reference, `LoadBalancerAttribute` and `TargetGroupAttribute`).

use serde_json::{Value, json};

use crate::services::elbv2::answer::{Answer, environment_behind, not_found};
use crate::wire::form::Form;
use crate::world::World;

pub(crate) fn describe_balancer_attributes(world: &World, form: &Form) -> Answer {
    let arn = form.get("LoadBalancerArn").unwrap_or_default();
    let mut balancers = world.balancers().into_iter();
    let balancer = balancers.find(|balancer| balancer.arn == arn);
    let balancer = balancer.ok_or_else(|| not_found("LoadBalancer", "load balancers"))?;
    let set = |name: &str| {
        let environment = balancer.environment?;
        environment.setting("aws:elbv2:loadbalancer", name)
    };
    let attribute = |key: &str, name: &str, default: &str| pair(key, set(name).unwrap_or(default));
    let mut attributes = vec![
        attribute("access_logs.s3.enabled", "AccessLogsS3Enabled", "false"),
        attribute("access_logs.s3.bucket", "AccessLogsS3Bucket", ""),
        attribute("access_logs.s3.prefix", "AccessLogsS3Prefix", ""),
        pair("deletion_protection.enabled", "false"),
    ];
    if balancer.kind == "application" {
        attributes.extend([
            attribute("idle_timeout.timeout_seconds", "IdleTimeout", "60"),
            pair("load_balancing.cross_zone.enabled", "true"),
            pair("routing.http2.enabled", "true"),
        ]);
    } else {
        attributes.push(pair("load_balancing.cross_zone.enabled", "false"));
    }
    Ok(json!({ "Attributes": attributes }))
}

pub(crate) fn describe_group_attributes(world: &World, form: &Form) -> Answer {
    let arn = form.get("TargetGroupArn").unwrap_or_default();
    let environment = environment_behind(world, arn)?;
    let set = |name: &str| {
        let process = "aws:elasticbeanstalk:environment:process:default";
        environment?.setting(process, name)
    };
    let attribute = |key: &str, name: &str, default: &str| pair(key, set(name).unwrap_or(default));
    Ok(json!({ "Attributes": [
        attribute("deregistration_delay.timeout_seconds", "DeregistrationDelay", "20"),
        attribute("stickiness.enabled", "StickinessEnabled", "false"),
        attribute("stickiness.lb_cookie.duration_seconds", "StickinessLBCookieDuration", "86400"),
        attribute("stickiness.type", "StickinessType", "lb_cookie"),
        pair("load_balancing.algorithm.type", "round_robin"),
    ] }))
}

fn pair(key: &str, value: &str) -> Value {
    json!({ "Key": key, "Value": value })
}
