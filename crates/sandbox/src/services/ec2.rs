//! EC2: the security groups of environments, and those of others that admit them; the Elastic IP
//! addresses of single instances, and how many there may be. Query API, version 2016-11-15.

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

pub(crate) fn answer(world: &World, form: &Form) -> Result<Element, ApiError> {
    match form.operation() {
        "DescribeAccountAttributes" => describe_attributes(world, form),
        "DescribeAddresses" => Ok(describe_addresses(world)),
        "DescribeSecurityGroups" => describe_groups(world, form),
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
    let most = "vpc-max-elastic-ips";
    if form.get("AttributeName.1").is_some_and(|name| name != most) {
        return Err(invalid(
            "The sandbox knows the attribute vpc-max-elastic-ips alone.",
        ));
    }
    let value = element("item").say("attributeValue", world.quota(QuotaOf::Addresses));
    let attribute = element("item")
        .say("attributeName", most)
        .with(element("attributeValueSet").with(value));
    let told = element("accountAttributeSet").with(attribute);
    Ok(element("DescribeAccountAttributesResult").with(told))
}

fn describe_groups(world: &World, form: &Form) -> Result<Element, ApiError> {
    let filters = filters(form)?;
    let all = world.all_groups().into_iter();
    let found: Vec<SecurityGroup> = all
        .filter(|group| filters.iter().all(|filter| filter.matches(group)))
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

/// A filter of a request.
struct Filter {
    name: String,
    values: Vec<String>,
}

impl Filter {
    fn matches(&self, group: &SecurityGroup) -> bool {
        let any = |of: &str| self.values.iter().any(|value| value == of);
        match self.name.as_str() {
            "group-id" => any(&group.id),
            "group-name" => any(&group.name),
            "ip-permission.group-id" => group.admits.iter().any(|id| any(id)),
            // None here has outbound rules to other groups.
            _ => false,
        }
    }
}

fn filters(form: &Form) -> Result<Vec<Filter>, ApiError> {
    let known = [
        "group-id",
        "group-name",
        "ip-permission.group-id",
        "egress.ip-permission.group-id",
    ];
    let mut filters = Vec::new();
    for number in 1.. {
        let Some(name) = form.get(&format!("Filter.{number}.Name")) else {
            break;
        };
        if !known.contains(&name) {
            return Err(invalid(&format!("The filter '{name}' is invalid")));
        }
        let value = |n| form.get(&format!("Filter.{number}.Value.{n}"));
        let values = (1..).map_while(value).map(str::to_owned).collect();
        filters.push(Filter {
            name: name.to_owned(),
            values,
        });
    }
    Ok(filters)
}

fn invalid(message: &str) -> ApiError {
    ApiError::new("InvalidParameterValue", message)
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
