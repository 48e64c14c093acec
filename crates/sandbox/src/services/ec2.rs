//! EC2: the security groups of environments, and those of others that admit them; the Elastic IP
//! addresses of single instances, and how many there may be. Query API, version 2016-11-15.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::element::{Element, element};
use crate::account::QuotaOf;
use crate::model::{Environment, Tier};
use crate::wire::{ApiError, Form};
use crate::world::World;

pub(super) const NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

/// The namespace and name of the option that names an environment's groups.
pub(crate) const GROUPS: (&str, &str) = ("aws:autoscaling:launchconfiguration", "SecurityGroups");

/// How many groups a page has where a request does not say (API reference,
/// `DescribeSecurityGroups`: 5 to 1000).
const PAGE_MAX: usize = 1000;

/// A security group of somebody else's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Group {
    id: String,
    name: String,
    /// The ids of the groups that its inbound rules admit.
    admits: Vec<String>,
}

impl Environment {
    /// The id of the group that the service makes for its instances; none where it is told to
    /// make none (developer guide, "EC2 security groups").
    #[must_use]
    pub fn own_group(&self) -> Option<String> {
        let (namespace, _) = GROUPS;
        match self.setting(namespace, "DisableDefaultEC2SecurityGroup") {
            Some("true") => None,
            _ => Some(format!("sg-{}", self.number())),
        }
    }

    /// The groups that its instances are in.
    #[must_use]
    pub fn groups(&self) -> Vec<String> {
        let (namespace, name) = GROUPS;
        let given = self.setting(namespace, name).unwrap_or_default();
        let given = given.split(',').map(str::trim).filter(|g| !g.is_empty());
        let mut groups: Vec<String> = given.map(str::to_owned).collect();
        groups.extend(self.own_group().filter(|own| !groups.contains(own)));
        groups
    }

    /// The group of its load balancer.
    pub(crate) fn balancer_group(&self) -> String {
        format!("sg-{}-elb", self.number())
    }

    /// The Elastic IP address of a single instance that serves the web (developer guide,
    /// "Environment types"), which is its endpoint.
    #[must_use]
    pub fn address(&self) -> Option<String> {
        let is_address = self.endpoint.parse::<IpAddr>().is_ok();
        (is_address && self.tier == Tier::WebServer).then(|| self.endpoint.clone())
    }

    fn number(&self) -> &str {
        self.id.trim_start_matches("e-")
    }

    /// The name of its own group.
    pub(super) fn own_group_name(&self) -> String {
        let number = self.number().to_uppercase();
        format!("awseb-{}-stack-AWSEBSecurityGroup-{number}", self.id)
    }
}

impl World {
    pub(super) fn ec2(&self, form: &Form) -> Result<Element, ApiError> {
        match form.operation() {
            "DescribeAccountAttributes" => self.describe_attributes(form),
            "DescribeAddresses" => Ok(self.describe_addresses()),
            "DescribeSecurityGroups" => self.describe_groups(form),
            operation => Err(ApiError::new(
                "InvalidAction",
                format!("The action {operation} is not valid for this web service."),
            )),
        }
    }

    /// The addresses that are allocated.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.environments()
            .filter_map(Environment::address)
            .collect()
    }

    fn describe_addresses(&self) -> Element {
        let told = self.addresses().into_iter();
        let told = told.fold(element("addressesSet"), |list, address| {
            let item = element("item").say("publicIp", address);
            list.with(item.say("domain", "vpc"))
        });
        element("DescribeAddressesResult").with(told)
    }

    fn describe_attributes(&self, form: &Form) -> Result<Element, ApiError> {
        let most = "vpc-max-elastic-ips";
        if form.get("AttributeName.1").is_some_and(|name| name != most) {
            return Err(invalid(
                "The sandbox knows the attribute vpc-max-elastic-ips alone.",
            ));
        }
        let value = element("item").say("attributeValue", self.quota(QuotaOf::Addresses));
        let attribute = element("item")
            .say("attributeName", most)
            .with(element("attributeValueSet").with(value));
        let told = element("accountAttributeSet").with(attribute);
        Ok(element("DescribeAccountAttributesResult").with(told))
    }

    fn describe_groups(&self, form: &Form) -> Result<Element, ApiError> {
        let filters = filters(form)?;
        let all = self.all_groups().into_iter();
        let found: Vec<Group> = all
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
            list.with(self.group(group))
        });
        let next = start.saturating_add(page);
        Ok(element("DescribeSecurityGroupsResult")
            .with(told)
            .say_some("nextToken", (next < found.len()).then_some(next)))
    }

    /// Those of others, and each environment's own; the load balancer's may reach the
    /// instances.
    fn all_groups(&self) -> Vec<Group> {
        let mut all = self.services.groups.clone();
        for environment in self.environments() {
            let balancer = environment.balancer_group();
            all.extend(environment.own_group().map(|id| Group {
                id,
                name: environment.own_group_name(),
                admits: vec![balancer.clone()],
            }));
            all.push(Group {
                name: format!(
                    "awseb-{}-stack-AWSEBLoadBalancerSecurityGroup",
                    environment.id
                ),
                id: balancer,
                admits: Vec::new(),
            });
        }
        all
    }

    fn group(&self, group: &Group) -> Element {
        let admitted = group.admits.iter().fold(element("groups"), |list, id| {
            let item = element("item").say("userId", &self.account);
            list.with(item.say("groupId", id))
        });
        let permission = element("item").say("ipProtocol", "tcp").with(admitted);
        element("item")
            .say("ownerId", &self.account)
            .say("groupId", &group.id)
            .say("groupName", &group.name)
            .with(element("ipPermissions").with(permission))
    }

    /// A group of somebody else's, as a database has one, admits the group that the service
    /// made for an environment.
    pub(crate) fn admit(&mut self, group: &str, environment: &str) {
        let own = self
            .environment(environment)
            .and_then(Environment::own_group);
        let id = format!("sg-{:017x}", self.random());
        let groups = &mut self.services.groups;
        let at = groups.iter().position(|found| found.name == group);
        let at = at.unwrap_or_else(|| {
            groups.push(Group {
                id,
                name: group.to_owned(),
                admits: Vec::new(),
            });
            groups.len() - 1
        });
        groups[at].admits.extend(own);
    }

    /// What keeps the group that the service made for an environment from being deleted: a
    /// rule that names it, or another environment's instances in it (developer guide,
    /// "Terminate an Elastic Beanstalk environment").
    pub(crate) fn group_in_use(&self, environment: &Environment) -> Option<String> {
        let own = environment.own_group()?;
        let admitted = self.services.groups.iter();
        let mut admitted = admitted.filter(|group| group.admits.contains(&own));
        let others = self.environments().filter(|e| e.id != environment.id);
        let mut others = others.filter(|e| e.groups().contains(&own));
        (admitted.next().is_some() || others.next().is_some()).then_some(own)
    }
}

/// A filter of a request.
struct Filter {
    name: String,
    values: Vec<String>,
}

impl Filter {
    fn matches(&self, group: &Group) -> bool {
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

/// The answer that tells an error, in EC2's own form.
pub(super) fn error_document(error: &ApiError, request_id: &str) -> String {
    let told = element("Error")
        .say("Code", &error.code)
        .say("Message", &error.message);
    element("Response")
        .with(element("Errors").with(told))
        .say("RequestID", request_id)
        .document(NAMESPACE)
}

/// The result of an operation in its answer, which has it among its own fields.
pub(super) fn wrapped(operation: &str, result: Element, request_id: &str) -> String {
    let answer = element(&format!("{operation}Response")).say("requestId", request_id);
    let fields = result.children.into_iter();
    fields.fold(answer, Element::with).document(NAMESPACE)
}
