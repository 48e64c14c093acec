//! The operations of Elastic Beanstalk: those that the sandbox carries out, and those that it
//! refuses with a reason.

use crate::operations::table::Offer::{Done, Refused};
use crate::operations::{
    applications, create, describe, done, events, health, info, lifecycle, managed_actions,
    options, platform, rebuild, roles, saved, tags, templates, update, versions,
};
use crate::wire::form::Form;
use crate::world::World;

/// Carries out a request, whose id is the last argument.
pub(crate) type CarryOut = fn(&mut World, &Form, &str) -> done::Done;

/// What becomes of an operation.
#[derive(Clone, Copy)]
pub(crate) enum Offer {
    /// It is carried out.
    Done(CarryOut),
    /// It is refused, for this reason.
    Refused(&'static str),
}

/// Every operation of the API model (botocore 1.44.8, `elasticbeanstalk/2010-12-01`), sorted.
const OPERATIONS: &[(&str, Offer)] = &[
    ("AbortEnvironmentUpdate", Done(update::abort_update)),
    (
        "ApplyEnvironmentManagedAction",
        Done(|world, form, _| managed_actions::apply_action(world, form)),
    ),
    (
        "AssociateEnvironmentOperationsRole",
        Done(|world, form, _| roles::associate_role(world, form)),
    ),
    (
        "CheckDNSAvailability",
        Done(|world, form, _| create::check_dns(world, form)),
    ),
    (
        "ComposeEnvironments",
        Refused("it reads no env.yaml in source bundles, which names the environments of a group"),
    ),
    (
        "CreateApplication",
        Done(|world, form, _| applications::create_application(world, form)),
    ),
    (
        "CreateApplicationVersion",
        Done(|world, form, _| versions::create_version(world, form)),
    ),
    (
        "CreateConfigurationTemplate",
        Done(|world, form, _| templates::create_template(world, form)),
    ),
    ("CreateEnvironment", Done(create::create_environment)),
    (
        "CreatePlatformVersion",
        Refused("it builds no custom platforms"),
    ),
    (
        "CreateStorageLocation",
        Done(|world, _, _| Ok(Some(saved::storage_location(world)))),
    ),
    ("DeleteApplication", Done(applications::delete_application)),
    (
        "DeleteApplicationVersion",
        Done(|world, form, _| versions::delete_version(world, form)),
    ),
    (
        "DeleteConfigurationTemplate",
        Done(|world, form, _| templates::delete_template(world, form)),
    ),
    (
        "DeleteEnvironmentConfiguration",
        Done(|world, form, _| templates::delete_draft(world, form)),
    ),
    (
        "DeletePlatformVersion",
        Refused("it builds no custom platforms"),
    ),
    (
        "DescribeAccountAttributes",
        Done(|world, _, _| Ok(Some(platform::account_attributes(world)))),
    ),
    (
        "DescribeApplicationVersions",
        Done(|world, form, _| versions::describe_versions(world, form)),
    ),
    (
        "DescribeApplications",
        Done(|world, form, _| Ok(Some(applications::describe_applications(world, form)))),
    ),
    (
        "DescribeConfigurationOptions",
        Done(|world, form, _| options::describe_options(world, form)),
    ),
    (
        "DescribeConfigurationSettings",
        Done(|world, form, _| templates::describe_settings(world, form)),
    ),
    (
        "DescribeEnvironmentHealth",
        Done(|world, form, _| health::environment_health(world, form)),
    ),
    (
        "DescribeEnvironmentManagedActionHistory",
        Done(|world, form, _| managed_actions::managed_action_history(world, form)),
    ),
    (
        "DescribeEnvironmentManagedActions",
        Done(|world, form, _| managed_actions::managed_actions(world, form)),
    ),
    (
        "DescribeEnvironmentResources",
        Done(|world, form, _| describe::environment_resources(world, form)),
    ),
    (
        "DescribeEnvironments",
        Done(|world, form, _| describe::describe_environments(world, form)),
    ),
    (
        "DescribeEvents",
        Done(|world, form, _| events::describe_events(world, form)),
    ),
    (
        "DescribeInstancesHealth",
        Done(|world, form, _| health::instances_health(world, form)),
    ),
    (
        "DescribePlatformVersion",
        Done(|world, form, _| platform::describe_platform(world, form)),
    ),
    (
        "DisassociateEnvironmentOperationsRole",
        Done(|world, form, _| roles::disassociate_role(world, form)),
    ),
    (
        "ListAvailableSolutionStacks",
        Done(|world, _, _| Ok(Some(platform::solution_stacks(world)))),
    ),
    (
        "ListPlatformBranches",
        Done(|world, form, _| platform::platform_branches(world, form)),
    ),
    (
        "ListPlatformVersions",
        Done(|world, form, _| platform::list_platforms(world, form)),
    ),
    (
        "ListTagsForResource",
        Done(|world, form, _| tags::list_tags(world, form)),
    ),
    ("RebuildEnvironment", Done(rebuild::rebuild)),
    ("RequestEnvironmentInfo", Done(info::request_info)),
    ("RestartAppServer", Done(update::restart)),
    (
        "RetrieveEnvironmentInfo",
        Done(|world, form, _| info::retrieve_info(world, form)),
    ),
    ("SwapEnvironmentCNAMEs", Done(update::swap)),
    ("TerminateEnvironment", Done(update::terminate)),
    (
        "UpdateApplication",
        Done(|world, form, _| applications::update_application(world, form)),
    ),
    (
        "UpdateApplicationResourceLifecycle",
        Done(|world, form, _| lifecycle::update_lifecycle(world, form)),
    ),
    (
        "UpdateApplicationVersion",
        Done(|world, form, _| versions::update_version(world, form)),
    ),
    (
        "UpdateConfigurationTemplate",
        Done(|world, form, _| templates::update_template(world, form)),
    ),
    ("UpdateEnvironment", Done(update::update_environment)),
    ("UpdateTagsForResource", Done(tags::update_tags)),
    (
        "ValidateConfigurationSettings",
        Done(|world, form, _| options::validate_settings(world, form)),
    ),
];

/// What becomes of an operation; `None` where the service has none of this name.
pub(crate) fn offer(operation: &str) -> Option<Offer> {
    let found = OPERATIONS.binary_search_by_key(&operation, |(name, _)| name);
    found.ok().map(|at| OPERATIONS[at].1)
}

/// The operations of Elastic Beanstalk, sorted by name. Beside each is the reason for which the
/// sandbox refuses it; `None` where it carries it out.
pub fn operations() -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
    OPERATIONS.iter().map(|(name, offer)| match offer {
        Done(_) => (*name, None),
        Refused(reason) => (*name, Some(*reason)),
    })
}
