//! The operations of Elastic Beanstalk: those that the sandbox carries out, and those that it
//! refuses with a reason.

use crate::operations::table::Offer::{Done, Reads, Refused};
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
    /// It is carried out, and changes nothing.
    Reads(fn(&World, &Form) -> done::Done),
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
    ("CheckDNSAvailability", Reads(create::check_dns)),
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
        Reads(|world, _| Ok(Some(platform::account_attributes(world)))),
    ),
    (
        "DescribeApplicationVersions",
        Reads(versions::describe_versions),
    ),
    (
        "DescribeApplications",
        Reads(|world, form| Ok(Some(applications::describe_applications(world, form)))),
    ),
    (
        "DescribeConfigurationOptions",
        Reads(options::describe_options),
    ),
    (
        "DescribeConfigurationSettings",
        Reads(templates::describe_settings),
    ),
    (
        "DescribeEnvironmentHealth",
        Reads(health::environment_health),
    ),
    (
        "DescribeEnvironmentManagedActionHistory",
        Reads(managed_actions::managed_action_history),
    ),
    (
        "DescribeEnvironmentManagedActions",
        Reads(managed_actions::managed_actions),
    ),
    (
        "DescribeEnvironmentResources",
        Reads(describe::environment_resources),
    ),
    (
        "DescribeEnvironments",
        Reads(describe::describe_environments),
    ),
    ("DescribeEvents", Reads(events::describe_events)),
    ("DescribeInstancesHealth", Reads(health::instances_health)),
    (
        "DescribePlatformVersion",
        Reads(platform::describe_platform),
    ),
    (
        "DisassociateEnvironmentOperationsRole",
        Done(|world, form, _| roles::disassociate_role(world, form)),
    ),
    (
        "ListAvailableSolutionStacks",
        Reads(|world, _| Ok(Some(platform::solution_stacks(world)))),
    ),
    ("ListPlatformBranches", Reads(platform::platform_branches)),
    ("ListPlatformVersions", Reads(platform::list_platforms)),
    ("ListTagsForResource", Reads(tags::list_tags)),
    ("RebuildEnvironment", Done(rebuild::rebuild)),
    ("RequestEnvironmentInfo", Done(info::request_info)),
    ("RestartAppServer", Done(update::restart)),
    ("RetrieveEnvironmentInfo", Reads(info::retrieve_info)),
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
        Reads(options::validate_settings),
    ),
];

/// What becomes of an operation; `None` where the service has none of this name.
pub(crate) fn offer(operation: &str) -> Option<Offer> {
    let found = OPERATIONS.binary_search_by_key(&operation, |(name, _)| name);
    found.ok().map(|at| OPERATIONS[at].1)
}

/// Whether an operation changes nothing.
pub(crate) fn only_reads(operation: &str) -> bool {
    matches!(offer(operation), Some(Reads(_)))
}

/// The operations of Elastic Beanstalk, sorted by name. Beside each is the reason for which the
/// sandbox refuses it; `None` where it carries it out.
pub fn operations() -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
    OPERATIONS.iter().map(|(name, offer)| match offer {
        Done(_) | Reads(_) => (*name, None),
        Refused(reason) => (*name, Some(*reason)),
    })
}
