//! The options of an environment, by their names.

use std::collections::BTreeMap;

/// The namespace of the application's environment variables.
pub(super) const VARIABLES: &str = "aws:elasticbeanstalk:application:environment:";
/// What is an environment's own and never the same in a clone (developer guide, "General
/// options for all environments"): the security groups that the service makes for its load
/// balancer, what it derives for its stack, and the sizes, which the machine sees to.
const ITS_OWN: [&str; 6] = [
    "aws:autoscaling:asg:MinSize",
    "aws:autoscaling:asg:MaxSize",
    "aws:elb:loadbalancer:SecurityGroups",
    "aws:elb:loadbalancer:ManagedSecurityGroup",
    "aws:elbv2:loadbalancer:SecurityGroups",
    "aws:elbv2:loadbalancer:ManagedSecurityGroup",
];
/// The security groups of the instances: one that the service makes, and others.
pub(super) const GROUPS: &str = "aws:autoscaling:launchconfiguration:SecurityGroups";
/// The namespace of what it derives for its stack.
const STACK: &str = "aws:cloudformation:template:parameter:";
/// How the resources of an environment's stack are called (developer guide, "Modifying the
/// resources that Elastic Beanstalk creates for your environment").
const STACK_RESOURCE: &str = "[AWSEB";

/// The settings that have a value, by the names they are compared under. Which resource of its
/// stack an option is for depends on when the environment was made, an older one has a launch
/// configuration where a newer one has a launch template; so it counts only where it distinguishes
/// settings.
pub(super) fn settings(all: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let set = all.iter().filter(|(_, value)| !value.is_empty());
    let mut same: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, _) in set.clone() {
        *same.entry(option(name)).or_default() += 1;
    }
    let compared = |name: &str| {
        let option = option(name);
        let of_stack = name[option.len()..].starts_with(STACK_RESOURCE);
        match of_stack && same.get(option) == Some(&1) {
            true => option.to_owned(),
            false => name.to_owned(),
        }
    };
    set.map(|(name, value)| (compared(name), value.clone()))
        .collect()
}

/// An option's name without the resource it is for.
pub(super) fn option(name: &str) -> &str {
    match name.split_once('[') {
        Some((option, resource)) if resource.ends_with(']') => option,
        _ => name,
    }
}

/// Whether an option's value is an environment's own.
pub(super) fn is_its_own(what: &str) -> bool {
    ITS_OWN.contains(&option(what)) || what.starts_with(STACK)
}

/// Whether a difference is called `name`, with the resource behind it or without.
#[must_use]
pub fn is_called(name: &str, what: &str) -> bool {
    name == what || name == option(what) || option(name) == what
}

/// Whether an option's value is hidden.
pub(super) fn is_secret(what: &str) -> bool {
    let what = what.to_ascii_lowercase();
    what.starts_with(VARIABLES)
        || ["password", "secret", "token"]
            .iter()
            .any(|s| what.contains(s))
}
