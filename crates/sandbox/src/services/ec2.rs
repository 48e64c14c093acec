//! EC2: the instances, launch templates, networks and security groups of environments, and the
//! groups of others that admit them; the Elastic IP addresses of single instances, and how many
//! there may be. Query API, version 2016-11-15.

mod filters;
mod instances;
mod networks;

use crate::services::ec2::filters::{Filters, check_all, invalid, numbered};
use crate::wire::element::{Element, element};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::quota::QuotaOf;
use crate::world::security_group::SecurityGroup;

pub(crate) const NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

/// How many groups a page has where a request does not say (API reference,
/// `DescribeSecurityGroups`: 5 to 1000).
const PAGE_MAX: usize = 1000;

/// The operations that it offers, sorted.
pub(crate) const OPERATIONS: [&str; 9] = [
    "DescribeAccountAttributes",
    "DescribeAddresses",
    "DescribeAvailabilityZones",
    "DescribeInstances",
    "DescribeKeyPairs",
    "DescribeLaunchTemplates",
    "DescribeSecurityGroups",
    "DescribeSubnets",
    "DescribeVpcs",
];

pub(crate) fn answer(world: &World, form: &Form) -> Result<Element, ApiError> {
    match form.operation() {
        "DescribeAccountAttributes" => describe_attributes(world, form),
        "DescribeAddresses" => Ok(describe_addresses(world)),
        "DescribeAvailabilityZones" => networks::describe_zones(world, form),
        "DescribeInstances" => instances::describe_instances(world, form),
        "DescribeKeyPairs" => networks::describe_key_pairs(world, form),
        "DescribeLaunchTemplates" => instances::describe_templates(world, form),
        "DescribeSecurityGroups" => describe_groups(world, form),
        "DescribeSubnets" => networks::describe_subnets(world, form),
        "DescribeVpcs" => networks::describe_vpcs(world, form),
        operation => Err(ApiError::new(
            "InvalidAction",
            format!("The action {operation} is not valid for this web service."),
        )),
    }
}

fn describe_addresses(world: &World) -> Element {
    let told = world.addresses().into_iter();
    let told = told.fold(element("addressesSet"), |list, address| {
        let item = element("item").say("publicIp", address);
        list.with(item.say("domain", "vpc"))
    });
    element("DescribeAddressesResult").with(told)
}

fn describe_attributes(world: &World, form: &Form) -> Result<Element, ApiError> {
    let known = [
        (
            "vpc-max-elastic-ips",
            world.quota(QuotaOf::Addresses).to_string(),
        ),
        ("default-vpc", world.default_vpc().to_owned()),
    ];
    let wanted = numbered(form, "AttributeName");
    check_all(
        &wanted,
        &known.clone().map(|(name, _)| name),
        "InvalidParameterValue",
        |_| {
            "The sandbox knows the attributes vpc-max-elastic-ips and default-vpc alone.".to_owned()
        },
    )?;
    let found = known
        .iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.contains(name));
    let told = found.fold(element("accountAttributeSet"), |set, (name, value)| {
        let value = element("item").say("attributeValue", value);
        let attribute = element("item").say("attributeName", name);
        set.with(attribute.with(element("attributeValueSet").with(value)))
    });
    Ok(element("DescribeAccountAttributesResult").with(told))
}

/// The filters of security groups. None here has outbound rules to other groups.
const GROUP_FILTERS: [&str; 4] = [
    "group-id",
    "group-name",
    "ip-permission.group-id",
    "egress.ip-permission.group-id",
];

fn describe_groups(world: &World, form: &Form) -> Result<Element, ApiError> {
    let filters = Filters::read(form, &GROUP_FILTERS)?;
    let all = world.all_groups();
    let (ids, names) = (numbered(form, "GroupId"), numbered(form, "GroupName"));
    let of_ids: Vec<&str> = all.iter().map(|group| group.id.as_str()).collect();
    check_all(&ids, &of_ids, "InvalidGroup.NotFound", |id| {
        format!("The security group '{id}' does not exist")
    })?;
    let of_names: Vec<&str> = all.iter().map(|group| group.name.as_str()).collect();
    check_all(&names, &of_names, "InvalidGroup.NotFound", |name| {
        format!("The security group '{name}' does not exist")
    })?;
    let found: Vec<&SecurityGroup> = all
        .iter()
        .filter(|group| ids.is_empty() || ids.contains(&group.id.as_str()))
        .filter(|group| names.is_empty() || names.contains(&group.name.as_str()))
        .filter(|group| {
            filters.fit(|name| match name {
                "group-id" => vec![group.id.clone()],
                "group-name" => vec![group.name.clone()],
                "ip-permission.group-id" => group.admits.clone(),
                _ => Vec::new(),
            })
        })
        .collect();
    let number = |name: &str| form.get(name).map(str::parse::<usize>);
    let start = match number("NextToken") {
        None => 0,
        Some(Ok(start)) => start,
        Some(Err(_)) => return Err(invalid("The token is not valid.")),
    };
    let page = match number("MaxResults") {
        None => PAGE_MAX,
        Some(Ok(page @ 5..=PAGE_MAX)) => page,
        Some(_) => return Err(invalid("MaxResults must be from 5 to 1000.")),
    };
    let told = found.iter().skip(start).take(page);
    let told = told.fold(element("securityGroupInfo"), |list, group| {
        list.with(security_group(world, group))
    });
    let next = start.saturating_add(page);
    Ok(element("DescribeSecurityGroupsResult")
        .with(told)
        .say_some("nextToken", (next < found.len()).then_some(next)))
}

fn security_group(world: &World, group: &SecurityGroup) -> Element {
    let admitted = group.admits.iter().fold(element("groups"), |list, id| {
        let item = element("item").say("userId", &world.account);
        list.with(item.say("groupId", id))
    });
    let permission = element("item").say("ipProtocol", "tcp").with(admitted);
    element("item")
        .say("ownerId", &world.account)
        .say("groupId", &group.id)
        .say("groupName", &group.name)
        .with(element("ipPermissions").with(permission))
}

/// The error answer, in EC2's own form.
pub(crate) fn error_document(error: &ApiError, request_id: &str) -> String {
    let told = element("Error")
        .say("Code", &error.code)
        .say("Message", &error.message);
    element("Response")
        .with(element("Errors").with(told))
        .say("RequestID", request_id)
        .document(NAMESPACE)
}

/// The result of an operation in its answer, which has it among its own fields.
pub(crate) fn wrapped(operation: &str, result: Element, request_id: &str) -> String {
    let answer = element(&format!("{operation}Response")).say("requestId", request_id);
    let fields = result.children.into_iter();
    fields.fold(answer, Element::with).document(NAMESPACE)
}
