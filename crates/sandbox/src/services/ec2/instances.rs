//! DescribeInstances: the instances of environments.

use std::collections::BTreeMap;

use crate::services::ec2::filters::{Filters, check_all, numbered};
use crate::time::date;
use crate::wire::element::{Element, element};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::environment::{Busy, Environment, Instance};
use crate::world::stack_parts::{LaunchedBy, fingerprint, image_of};

/// The filters that programs select instances by here.
const FILTERS: [&str; 7] = [
    "availability-zone",
    "instance-id",
    "instance-state-name",
    "subnet-id",
    "tag:",
    "tag-key",
    "vpc-id",
];

/// An instance and where it is.
struct Placed<'a> {
    environment: &'a Environment,
    instance: &'a Instance,
    tags: BTreeMap<String, String>,
    subnet: String,
    zone: String,
}

pub(crate) fn describe_instances(world: &World, form: &Form) -> Result<Element, ApiError> {
    let filters = Filters::read(form, &FILTERS)?;
    let all = placed(world);
    let wanted = numbered(form, "InstanceId");
    let there: Vec<&str> = all.iter().map(|one| one.instance.id.as_str()).collect();
    check_all(&wanted, &there, "InvalidInstanceID.NotFound", |id| {
        format!("The instance ID '{id}' does not exist")
    })?;
    let found = all.iter().filter(|one| {
        let is_wanted = wanted.is_empty() || wanted.contains(&one.instance.id.as_str());
        is_wanted && filters.fit(|name| values_of(world, one, name))
    });
    let reservations = found.fold(element("reservationSet"), |set, one| {
        let instances = element("instancesSet").with(told(world, one));
        set.with(
            element("item")
                .say("reservationId", one.instance.id.replacen("i-", "r-", 1))
                .say("ownerId", &world.account)
                .with(element("groupSet"))
                .with(instances),
        )
    });
    Ok(element("DescribeInstancesResult").with(reservations))
}

/// Every instance of every environment.
fn placed(world: &World) -> Vec<Placed<'_>> {
    let mut all = Vec::new();
    for environment in world.environments() {
        for (place, instance) in environment.instances.iter().enumerate() {
            let subnet = world.subnet_of(environment, place);
            let (subnet, zone) = subnet.map(|s| (s.id, s.zone)).unwrap_or_default();
            all.push(Placed {
                environment,
                instance,
                tags: tags_of(world, environment),
                subnet,
                zone,
            });
        }
    }
    all
}

/// The tags that an instance has from its Auto Scaling group, and the group's name.
fn tags_of(world: &World, environment: &Environment) -> BTreeMap<String, String> {
    let mut tags = world.stack_tags(environment, "AWSEBAutoScalingGroup");
    let group = environment.scaling_group();
    tags.insert("aws:autoscaling:groupName".to_owned(), group);
    tags.insert("Name".to_owned(), environment.name.clone());
    tags
}

fn state(environment: &Environment) -> (u8, &'static str) {
    match environment.busy {
        Some(Busy::Terminate) => (32, "shutting-down"),
        _ => (16, "running"),
    }
}

fn values_of(world: &World, one: &Placed<'_>, filter: &str) -> Vec<String> {
    if let Some(key) = filter.strip_prefix("tag:") {
        return one.tags.get(key).cloned().into_iter().collect();
    }
    match filter {
        "availability-zone" => vec![one.zone.clone()],
        "instance-id" => vec![one.instance.id.clone()],
        "instance-state-name" => vec![state(one.environment).1.to_owned()],
        "subnet-id" => vec![one.subnet.clone()],
        "tag-key" => one.tags.keys().cloned().collect(),
        "vpc-id" => vec![world.vpc_of(one.environment).to_owned()],
        _ => Vec::new(),
    }
}

/// An address of the default VPC that an instance always has; nothing answers there.
fn private_address(id: &str) -> String {
    let [.., a, b] = fingerprint(id).to_be_bytes();
    format!("172.31.{a}.{b}")
}

fn told(world: &World, one: &Placed<'_>) -> Element {
    let (code, name) = state(one.environment);
    let group = |id: &String| element("item").say("groupId", id);
    let groups = one.environment.groups();
    let groups = groups
        .iter()
        .fold(element("groupSet"), |set, id| set.with(group(id)));
    let tags = one.tags.iter().fold(element("tagSet"), |set, (k, v)| {
        set.with(element("item").say("key", k).say("value", v))
    });
    let launch = "aws:autoscaling:launchconfiguration";
    let key = one.environment.setting(launch, "EC2KeyName");
    let placement = element("placement").say("availabilityZone", &one.zone);
    let state = element("instanceState").say("code", code).say("name", name);
    element("item")
        .say("instanceId", &one.instance.id)
        .say("imageId", image_of(one.environment))
        .with(state)
        .say_some("keyName", key)
        .say("instanceType", world.instance_type(one.environment))
        .say("launchTime", date(one.instance.launched))
        .with(placement)
        .say("subnetId", &one.subnet)
        .say("vpcId", world.vpc_of(one.environment))
        .say("privateIpAddress", private_address(&one.instance.id))
        .say_some("ipAddress", one.environment.address())
        .with(groups)
        .with(tags)
}

pub(crate) fn describe_templates(world: &World, form: &Form) -> Result<Element, ApiError> {
    let filters = Filters::read(form, &["launch-template-name", "tag:"])?;
    let (ids, names) = (
        numbered(form, "LaunchTemplateId"),
        numbered(form, "LaunchTemplateName"),
    );
    let mut all = Vec::new();
    for environment in world.environments() {
        if let LaunchedBy::Template { id, name } = world.launched_by(environment) {
            all.push((id, name, environment));
        }
    }
    let of_ids: Vec<&str> = all.iter().map(|(id, ..)| id.as_str()).collect();
    check_all(&ids, &of_ids, "InvalidLaunchTemplateId.NotFound", |id| {
        format!("The specified launch template, with template ID {id}, does not exist.")
    })?;
    let of_names: Vec<&str> = all.iter().map(|(_, name, _)| name.as_str()).collect();
    let code = "InvalidLaunchTemplateName.NotFoundException";
    check_all(&names, &of_names, code, |name| {
        format!("The specified launch template, with template name {name}, does not exist.")
    })?;
    let found = all.iter().filter(|(id, name, environment)| {
        let is_wanted = (ids.is_empty() || ids.contains(&id.as_str()))
            && (names.is_empty() || names.contains(&name.as_str()));
        is_wanted
            && filters.fit(|filter| match filter.strip_prefix("tag:") {
                None => vec![name.clone()],
                Some(key) => {
                    let tags = world.stack_tags(environment, "AWSEBEC2LaunchTemplate");
                    tags.get(key).cloned().into_iter().collect()
                }
            })
    });
    let told = found.fold(
        element("launchTemplates"),
        |set, (id, name, environment)| {
            set.with(
                element("item")
                    .say("launchTemplateId", id)
                    .say("launchTemplateName", name)
                    .say("createTime", date(environment.created))
                    .say("defaultVersionNumber", 1)
                    .say("latestVersionNumber", 1),
            )
        },
    );
    Ok(element("DescribeLaunchTemplatesResult").with(told))
}
