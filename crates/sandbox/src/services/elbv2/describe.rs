//! What describes load balancers, and what is on them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::services::elbv2::answer::{Answer, invalid, not_found, page, told_of};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::balancing::Listener;

/// How many resources DescribeTags takes (API reference).
const TAGGED_MAX: usize = 20;

pub(crate) fn describe_balancers(world: &World, form: &Form) -> Answer {
    let all = world.balancers();
    let (arns, names) = (form.list("LoadBalancerArns"), form.list("Names"));
    let is_there = arns.iter().all(|arn| all.iter().any(|b| b.arn == *arn))
        && names.iter().all(|name| all.iter().any(|b| b.name == *name));
    if !is_there {
        return Err(not_found("LoadBalancer", "load balancers"));
    }
    let wanted = all.iter().filter(|balancer| {
        (arns.is_empty() || arns.contains(&balancer.arn.as_str()))
            && (names.is_empty() || names.contains(&balancer.name.as_str()))
    });
    let told = wanted.map(|balancer| {
        json!({
            "LoadBalancerArn": balancer.arn,
            "DNSName": balancer.dns_name,
            "LoadBalancerName": balancer.name,
            "Scheme": "internet-facing",
            "VpcId": world.default_vpc(),
            "State": { "Code": "active" },
            "Type": balancer.kind,
            "IpAddressType": "ipv4",
        })
    });
    page(form, "LoadBalancers", told.collect())
}

pub(crate) fn describe_listeners(world: &World, form: &Form) -> Answer {
    let all = world.balancers();
    let balancer = form.get("LoadBalancerArn");
    let wanted = form.list("ListenerArns");
    if balancer.is_some_and(|arn| !all.iter().any(|b| b.arn == arn)) {
        return Err(not_found("LoadBalancer", "load balancers"));
    }
    let listeners: Vec<Listener> = all
        .iter()
        .flat_map(|balancer| world.listeners_of(balancer))
        .collect();
    if !wanted
        .iter()
        .all(|arn| listeners.iter().any(|l| l.arn == *arn))
    {
        return Err(not_found("Listener", "listeners"));
    }
    let told = listeners.iter().filter(|listener| {
        balancer.is_none_or(|arn| listener.balancer == arn)
            && (wanted.is_empty() || wanted.contains(&listener.arn.as_str()))
    });
    page(form, "Listeners", told.map(Listener::told).collect())
}

pub(crate) fn describe_rules(world: &World, form: &Form) -> Answer {
    let arns = form.list("RuleArns");
    match form.get("ListenerArn") {
        None if arns.is_empty() => {
            return Err(invalid("A listener or rule must be specified"));
        }
        Some(_) if !arns.is_empty() => {
            return Err(invalid("A listener and rules may not both be specified"));
        }
        _ => {}
    }
    let listeners = world.balancers();
    let listeners = listeners.iter().flat_map(|b| world.listeners_of(b));
    let wanted = form.get("ListenerArn");
    let listeners: Vec<Listener> = listeners
        .filter(|listener| wanted.is_none_or(|arn| listener.arn == arn))
        .collect();
    if listeners.is_empty() {
        return Err(not_found("Listener", "listeners"));
    }
    let mut told: Vec<Value> = Vec::new();
    for listener in &listeners {
        told.extend(world.rules_of(listener).iter().map(told_of));
        told.push(json!({
            "RuleArn": listener.default_rule(),
            "Priority": "default",
            "Conditions": [],
            "Actions": listener.default_actions,
            "IsDefault": true,
        }));
    }
    let is_there = |arn: &&str| told.iter().any(|rule| rule["RuleArn"] == **arn);
    if !arns.iter().all(is_there) {
        return Err(not_found("Rule", "rules"));
    }
    told.retain(|rule| arns.is_empty() || arns.iter().any(|arn| rule["RuleArn"] == **arn));
    page(form, "Rules", told)
}

pub(crate) fn describe_target_groups(world: &World, form: &Form) -> Answer {
    let all = world.balancers();
    let balancer = form.get("LoadBalancerArn");
    let named = balancer.map(|arn| all.iter().find(|b| b.arn == arn));
    if named.is_some_and(|found| found.is_none()) {
        return Err(not_found("LoadBalancer", "load balancers"));
    }
    let (arns, names) = (form.list("TargetGroupArns"), form.list("Names"));
    let mut found = Vec::new();
    for group in world.target_groups() {
        let is_behind = named.flatten().is_none_or(|b| world.is_behind(&group, b));
        let wanted = (arns.is_empty() || arns.contains(&group.arn.as_str()))
            && (names.is_empty() || names.contains(&group.name.as_str()));
        if is_behind && wanted {
            found.push(json!({
                "TargetGroupArn": group.arn,
                "TargetGroupName": group.name,
                "Protocol": "HTTP",
                "Port": 80,
                "VpcId": world.default_vpc(),
                "HealthCheckProtocol": "HTTP",
                "HealthCheckPath": "/",
                "TargetType": "instance",
            }));
        }
    }
    if found.len() < arns.len().max(names.len()) {
        return Err(not_found("TargetGroup", "target groups"));
    }
    page(form, "TargetGroups", found)
}

pub(crate) fn describe_tags(world: &World, form: &Form) -> Answer {
    let arns = form.list("ResourceArns");
    if arns.is_empty() || arns.len() > TAGGED_MAX {
        return Err(invalid(&format!(
            "1 validation error detected: Value at 'resourceArns' failed to satisfy constraint: Member must have length between 1 and {TAGGED_MAX}"
        )));
    }
    let mut described = Vec::new();
    for arn in arns {
        let tags = elb_tags(world, arn)?;
        let tags: Vec<Value> = tags
            .iter()
            .map(|(key, value)| json!({ "Key": key, "Value": value }))
            .collect();
        described.push(json!({ "ResourceArn": arn, "Tags": tags }));
    }
    Ok(json!({ "TagDescriptions": described }))
}

/// The tags of anything here. A target group has those of its environment's stack
/// (developer guide, "Tagging environments").
fn elb_tags(world: &World, arn: &str) -> Result<BTreeMap<String, String>, ApiError> {
    if arn == world.balancer_arn() || arn == world.listener_arn() {
        return Ok(BTreeMap::new());
    }
    if let Some(tags) = world.own_tags(arn) {
        return Ok(tags);
    }
    if let Some(tags) = world.rule_tags(arn) {
        return Ok(tags.clone());
    }
    if arn == world.default_rule_arn() {
        return Ok(world.services.balancing.default_tags.clone());
    }
    if arn.contains(":targetgroup/") {
        let found = world.sharing().find(|e| world.target_group_arn(e) == arn);
        let found = found.ok_or_else(|| not_found("TargetGroup", "target groups"))?;
        let own = [
            ("elasticbeanstalk:environment-id", found.id.clone()),
            ("elasticbeanstalk:environment-name", found.name.clone()),
            (
                "aws:cloudformation:logical-id",
                "AWSEBV2LoadBalancerTargetGroup".to_owned(),
            ),
        ];
        let own = own.into_iter().map(|(key, value)| (key.to_owned(), value));
        return Ok(own.chain(found.tags.iter().cloned()).collect());
    }
    Err(not_found("Rule", "rules"))
}

pub(crate) fn describe_certificates(world: &World, form: &Form) -> Answer {
    let found = world.listener(form.get("ListenerArn").unwrap_or_default());
    let listener = found.ok_or_else(|| not_found("Listener", "listeners"))?;
    let told = listener.certificates.iter().enumerate();
    let told = told.map(|(at, arn)| json!({ "CertificateArn": arn, "IsDefault": at == 0 }));
    page(form, "Certificates", told.collect())
}
