//! What describes groups, instances, launch configurations, policies and tags.

use serde_json::{Value, json};

use crate::services::autoscaling::selected::{fits, page};
use crate::time::date;
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::balanced_by::BalancedBy;
use crate::world::environment::{Busy, Environment, Instance};
use crate::world::stack_parts::{LaunchedBy, image_of};

type Answer = Result<Value, ApiError>;

/// The namespace of a group's settings (developer guide, "General options").
const ASG: &str = "aws:autoscaling:asg";

/// A number that never becomes text: the protocol has only texts.
fn count(number: usize) -> Value {
    json!(number.to_string())
}

pub(crate) fn describe_groups(world: &World, form: &Form) -> Answer {
    let names = form.list("AutoScalingGroupNames");
    let mut found = Vec::new();
    for environment in world.environments() {
        let name = environment.scaling_group();
        let tags = world.stack_tags(environment, "AWSEBAutoScalingGroup");
        let has = fits(form, &["tag:", "tag-key", "tag-value"], |filter| {
            match (filter.strip_prefix("tag:"), filter) {
                (Some(key), _) => tags.get(key).cloned().into_iter().collect(),
                (None, "tag-key") => tags.keys().cloned().collect(),
                (None, _) => tags.values().cloned().collect(),
            }
        })?;
        if has && (names.is_empty() || names.contains(&name.as_str())) {
            found.push(group(world, environment));
        }
    }
    page(form, "AutoScalingGroups", found)
}

fn group(world: &World, environment: &Environment) -> Value {
    let name = environment.scaling_group();
    let (min, max) = environment.sizes();
    let (classic, targets) = match world.balanced_by(environment) {
        BalancedBy::Nothing => (Vec::new(), Vec::new()),
        BalancedBy::Classic(name) => (vec![name], Vec::new()),
        BalancedBy::Own(_) | BalancedBy::Shared(_) => {
            (Vec::new(), vec![world.target_group_arn(environment)])
        }
    };
    let instances: Vec<Value> = placed(world, environment)
        .map(|(instance, zone)| instance_of(world, environment, instance, &zone))
        .collect();
    let status = matches!(environment.busy, Some(Busy::Terminate)).then_some("Delete in progress");
    let set =
        |name: &str, default: &str| environment.setting(ASG, name).unwrap_or(default).to_owned();
    let check = environment.setting("aws:elasticbeanstalk:application", "Health Check Type");
    let mut told = json!({
        "AutoScalingGroupName": name,
        "AutoScalingGroupARN": world.scaling_group_arn(environment),
        "MinSize": count(min),
        "MaxSize": count(max),
        "DesiredCapacity": count(environment.instances.len()),
        "DefaultCooldown": set("Cooldown", "360"),
        "AvailabilityZones": world.zones(),
        "LoadBalancerNames": classic,
        "TargetGroupARNs": targets,
        "HealthCheckType": check.unwrap_or("EC2"),
        "HealthCheckGracePeriod": "0",
        "Instances": instances,
        "CreatedTime": date(environment.created),
        "SuspendedProcesses": [],
        "EnabledMetrics": [],
        "TerminationPolicies": ["Default"],
        "VPCZoneIdentifier": environment.setting("aws:ec2:vpc", "Subnets"),
        "NewInstancesProtectedFromScaleIn": false,
        "Status": status,
        "Tags": tags(world, environment),
    });
    let (member, launch) = launch(world, environment);
    told[member] = launch;
    told
}

/// The member that names what launches the instances, and its value.
fn launch(world: &World, environment: &Environment) -> (&'static str, Value) {
    match world.launched_by(environment) {
        LaunchedBy::Configuration { name } => ("LaunchConfigurationName", json!(name)),
        LaunchedBy::Template { id, name } => (
            "LaunchTemplate",
            json!({ "LaunchTemplateId": id, "LaunchTemplateName": name, "Version": "1" }),
        ),
    }
}

/// The instances of an environment, each with its zone.
fn placed<'a>(
    world: &'a World,
    environment: &'a Environment,
) -> impl Iterator<Item = (&'a Instance, String)> {
    let instances = environment.instances.iter().enumerate();
    instances.map(move |(place, instance)| {
        let subnet = world.subnet_of(environment, place);
        (instance, subnet.map(|s| s.zone).unwrap_or_default())
    })
}

fn instance_of(world: &World, environment: &Environment, instance: &Instance, zone: &str) -> Value {
    let state = match environment.busy {
        Some(Busy::Terminate) => "Terminating",
        Some(Busy::Launch) => "Pending",
        _ => "InService",
    };
    let mut told = json!({
        "InstanceId": instance.id,
        "InstanceType": world.instance_type(environment),
        "AvailabilityZone": zone,
        "LifecycleState": state,
        "HealthStatus": "Healthy",
        "ProtectedFromScaleIn": false,
    });
    let (member, launch) = launch(world, environment);
    told[member] = launch;
    told
}

pub(crate) fn describe_instances(world: &World, form: &Form) -> Answer {
    let ids = form.list("InstanceIds");
    let mut found = Vec::new();
    for environment in world.environments() {
        for (instance, zone) in placed(world, environment) {
            if ids.is_empty() || ids.contains(&instance.id.as_str()) {
                let mut told = instance_of(world, environment, instance, &zone);
                told["AutoScalingGroupName"] = json!(environment.scaling_group());
                found.push(told);
            }
        }
    }
    page(form, "AutoScalingInstances", found)
}

fn tags(world: &World, environment: &Environment) -> Vec<Value> {
    let group = environment.scaling_group();
    let mut tags = world.stack_tags(environment, "AWSEBAutoScalingGroup");
    tags.insert("Name".to_owned(), environment.name.clone());
    let tags = tags.into_iter().map(|(key, value)| {
        json!({
            "Key": key,
            "Value": value,
            "ResourceId": group,
            "ResourceType": "auto-scaling-group",
            "PropagateAtLaunch": true,
        })
    });
    tags.collect()
}

pub(crate) fn describe_tags(world: &World, form: &Form) -> Answer {
    let known = ["auto-scaling-group", "key", "value", "propagate-at-launch"];
    let mut found = Vec::new();
    for environment in world.environments() {
        for tag in tags(world, environment) {
            let has = fits(form, &known, |filter| {
                let member = match filter {
                    "auto-scaling-group" => "ResourceId",
                    "key" => "Key",
                    "value" => "Value",
                    _ => return vec!["true".to_owned()],
                };
                tag[member]
                    .as_str()
                    .map(str::to_owned)
                    .into_iter()
                    .collect()
            })?;
            if has {
                found.push(tag);
            }
        }
    }
    page(form, "Tags", found)
}

pub(crate) fn describe_launch_configurations(world: &World, form: &Form) -> Answer {
    let names = form.list("LaunchConfigurationNames");
    let mut found = Vec::new();
    for environment in world.environments() {
        let LaunchedBy::Configuration { name } = world.launched_by(environment) else {
            continue;
        };
        if !names.is_empty() && !names.contains(&name.as_str()) {
            continue;
        }
        let set = |option: &str| environment.setting("aws:autoscaling:launchconfiguration", option);
        let arn = format!(
            "arn:aws:autoscaling:{}:{}:launchConfiguration:*:launchConfigurationName/{name}",
            world.region, world.account
        );
        found.push(json!({
            "LaunchConfigurationName": name,
            "LaunchConfigurationARN": arn,
            "ImageId": image_of(environment),
            "KeyName": set("EC2KeyName"),
            "SecurityGroups": environment.groups(),
            "InstanceType": world.instance_type(environment),
            "IamInstanceProfile": set("IamInstanceProfile"),
            "InstanceMonitoring": { "Enabled": false },
            "CreatedTime": date(environment.created),
        }));
    }
    page(form, "LaunchConfigurations", found)
}

/// The two policies that scale a load-balanced environment by its trigger (developer guide,
/// "General options": `aws:autoscaling:trigger`).
pub(crate) fn describe_policies(world: &World, form: &Form) -> Answer {
    let group = form.get("AutoScalingGroupName");
    let names = form.list("PolicyNames");
    let mut found = Vec::new();
    for environment in world.environments() {
        let of = environment.scaling_group();
        let is_single = environment.sizes() == (1, 1);
        if group.is_some_and(|group| group != of) || is_single {
            continue;
        }
        for (logical_id, option, default) in [
            (
                "AWSEBAutoScalingScaleUpPolicy",
                "UpperBreachScaleIncrement",
                "1",
            ),
            (
                "AWSEBAutoScalingScaleDownPolicy",
                "LowerBreachScaleIncrement",
                "-1",
            ),
        ] {
            let name = environment.part(logical_id);
            if names.is_empty() || names.contains(&name.as_str()) {
                let adjustment = environment.setting("aws:autoscaling:trigger", option);
                found.push(json!({
                    "AutoScalingGroupName": of,
                    "PolicyName": name,
                    "PolicyType": "SimpleScaling",
                    "AdjustmentType": "ChangeInCapacity",
                    "ScalingAdjustment": adjustment.unwrap_or(default),
                    "Enabled": true,
                }));
            }
        }
    }
    page(form, "ScalingPolicies", found)
}
