//! Classic load balancers: Elastic Load Balancing, version 2012-06-01.

use serde_json::{Value, json};

use crate::time::date;
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::balanced_by::BalancedBy;
use crate::world::environment::{Environment, Instance};
use crate::world::targets::TargetState;

pub(crate) const NAMESPACE: &str = "http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/";

/// The version of the API by which a request is for classic load balancers.
pub(crate) const VERSION: &str = "2012-06-01";

type Answer = Result<Value, ApiError>;

/// The operations that it offers, sorted.
pub(crate) const OPERATIONS: [&str; 3] = [
    "DescribeInstanceHealth",
    "DescribeLoadBalancers",
    "DescribeTags",
];

pub(crate) fn answer(world: &World, form: &Form) -> Answer {
    match form.operation() {
        "DescribeInstanceHealth" => describe_instance_health(world, form),
        "DescribeLoadBalancers" => describe_balancers(world, form),
        "DescribeTags" => describe_tags(world, form),
        operation => Err(ApiError::new(
            "InvalidAction",
            format!("Could not find operation {operation} for version {VERSION}"),
        )),
    }
}

/// The classic load balancers, each by its name with its environment.
fn balancers(world: &World) -> Vec<(String, &Environment)> {
    let all = world.environments();
    let classic = all.filter_map(|environment| match world.balanced_by(environment) {
        BalancedBy::Classic(name) => Some((name, environment)),
        _ => None,
    });
    classic.collect()
}

/// The load balancers that a request names; without a name all.
fn named<'a>(world: &'a World, names: &[&str]) -> Result<Vec<(String, &'a Environment)>, ApiError> {
    let mut all = balancers(world);
    let missing = names
        .iter()
        .find(|name| !all.iter().any(|(own, _)| own == *name));
    if let Some(name) = missing {
        return Err(ApiError::new(
            "LoadBalancerNotFound",
            format!("There is no ACTIVE Load Balancer named '{name}'"),
        ));
    }
    all.retain(|(own, _)| names.is_empty() || names.contains(&own.as_str()));
    Ok(all)
}

fn describe_balancers(world: &World, form: &Form) -> Answer {
    let found = named(world, &form.list("LoadBalancerNames"))?;
    let told = found.iter().map(|(name, environment)| {
        let instances = environment.instances.iter();
        let instances: Vec<Value> = instances.map(|i| json!({ "InstanceId": i.id })).collect();
        let health = |name: &str, default: &str| {
            let set = environment.setting("aws:elb:healthcheck", name);
            set.unwrap_or(default).to_owned()
        };
        let target = environment.setting(
            "aws:elasticbeanstalk:application",
            "Application Healthcheck URL",
        );
        let target = target.map_or("TCP:80".to_owned(), |path| format!("HTTP:80{path}"));
        json!({
            "LoadBalancerName": name,
            "DNSName": environment.endpoint,
            "CanonicalHostedZoneName": environment.endpoint,
            "Scheme": "internet-facing",
            "VPCId": world.default_vpc(),
            "CreatedTime": date(environment.created),
            "Instances": instances,
            "HealthCheck": {
                "Target": target,
                "Interval": health("Interval", "10"),
                "Timeout": health("Timeout", "5"),
                "HealthyThreshold": health("HealthyThreshold", "3"),
                "UnhealthyThreshold": health("UnhealthyThreshold", "5"),
            },
            "ListenerDescriptions": [{
                "Listener": {
                    "Protocol": "HTTP",
                    "LoadBalancerPort": 80,
                    "InstanceProtocol": "HTTP",
                    "InstancePort": 80,
                },
                "PolicyNames": [],
            }],
            "SecurityGroups": [environment.balancer_group()],
            "AvailabilityZones": world.zones(),
        })
    });
    Ok(json!({ "LoadBalancerDescriptions": told.collect::<Vec<_>>() }))
}

fn describe_instance_health(world: &World, form: &Form) -> Answer {
    let name = form.get("LoadBalancerName").unwrap_or_default();
    let found = named(world, &[name])?;
    let wanted: Vec<String> = form
        .members("Instances")
        .iter()
        .filter_map(|instance| instance.get("InstanceId").map(str::to_owned))
        .collect();
    let Some((_, environment)) = found.into_iter().next() else {
        return Ok(json!({ "InstanceStates": [] }));
    };
    let is_there = |id: &String| environment.instances.iter().any(|i| i.id == *id);
    if let Some(id) = wanted.iter().find(|id| !is_there(id)) {
        return Err(ApiError::new(
            "InvalidInstance",
            format!("Could not find EC2 instance {id}."),
        ));
    }
    let instances = environment.instances.iter();
    let instances = instances.filter(|i| wanted.is_empty() || wanted.contains(&i.id));
    let states: Vec<Value> = instances
        .map(|instance| state(world, environment, instance))
        .collect();
    Ok(json!({ "InstanceStates": states }))
}

/// An instance's state, in the words of the user guide of classic load balancers ("Troubleshoot
/// a Classic Load Balancer: Health checks").
fn state(world: &World, environment: &Environment, instance: &Instance) -> Value {
    let (state, reason, words) = match world.target_state(environment, instance) {
        TargetState::Healthy => ("InService", "N/A", "N/A"),
        TargetState::Initial => (
            "OutOfService",
            "ELB",
            "Instance registration is still in progress.",
        ),
        TargetState::Draining => (
            "InService",
            "N/A",
            "Instance deregistration currently in progress.",
        ),
        TargetState::Answers(_) => (
            "OutOfService",
            "Instance",
            "Instance has failed at least the UnhealthyThreshold number of health checks \
             consecutively.",
        ),
    };
    json!({
        "InstanceId": instance.id,
        "State": state,
        "ReasonCode": reason,
        "Description": words,
    })
}

fn describe_tags(world: &World, form: &Form) -> Answer {
    let found = named(world, &form.list("LoadBalancerNames"))?;
    let told = found.iter().map(|(name, environment)| {
        let tags = world.stack_tags(environment, "AWSEBLoadBalancer");
        let tags: Vec<Value> = tags
            .iter()
            .map(|(key, value)| json!({ "Key": key, "Value": value }))
            .collect();
        json!({ "LoadBalancerName": name, "Tags": tags })
    });
    Ok(json!({ "TagDescriptions": told.collect::<Vec<_>>() }))
}
