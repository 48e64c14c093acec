//! Platforms and quotas.

use crate::operations::done::Done;
use crate::policy::visibility::shows;
use crate::query::page::page;
use crate::query::search::{Attributes, lets_through};
use crate::wire::answer::{Node, node};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::names::{BRANCH, PLATFORM_VERSION, STACK, platform_arn};
use crate::world::quota::QuotaOf;

/// The tiers of the platform.
const TIERS: [&str; 2] = ["WebServer/Standard", "Worker/SQS/HTTP"];
/// The addons of the platform.
const ADDONS: [&str; 3] = ["Log/S3", "Monitoring/Healthd", "WorkerDaemon/SQSD"];

/// The ARN of the platform of a resource with this solution stack: a custom platform has only its
/// ARN.
pub(crate) fn arn_of(stack: &str) -> String {
    match is_custom(stack) {
        true => stack.to_owned(),
        false => platform_arn(),
    }
}

/// The name of a solution stack; a custom platform has none.
pub(crate) fn stack_name(stack: &str) -> Option<&str> {
    Some(stack).filter(|stack| !is_custom(stack))
}

fn is_custom(stack: &str) -> bool {
    stack.starts_with("arn:")
}

pub(crate) fn solution_stacks(world: &World) -> Node {
    let shown = !world.is_retired()
        && shows(world, "ListAvailableSolutionStacks", "", || {
            world.stack_arn(STACK)
        });
    let stacks = shown.then_some(STACK);
    let files = stacks.map(|stack| {
        node()
            .text("SolutionStackName", stack)
            .texts("PermittedFileTypes", ["zip"])
    });
    node()
        .texts("SolutionStacks", stacks)
        .nodes("SolutionStackDetails", files)
}

pub(crate) fn list_platforms(world: &World, form: &Form) -> Done {
    let lifecycle = recommended(world).into_iter().collect();
    let attributes: &Attributes<'_> = &[
        ("PlatformName", vec![BRANCH]),
        ("PlatformVersion", vec![PLATFORM_VERSION]),
        ("PlatformStatus", vec!["Ready"]),
        ("PlatformBranchName", vec![BRANCH]),
        ("PlatformLifecycleState", lifecycle),
        ("PlatformOwner", vec!["AWSElasticBeanstalk"]),
        ("SupportedTier", TIERS.to_vec()),
        ("SupportedAddon", ADDONS.to_vec()),
        ("ProgrammingLanguageName", vec!["Node.js"]),
        ("OperatingSystemName", vec!["Amazon Linux"]),
    ];
    let is_shown = lets_through(form, "Type", attributes)?;
    let found = is_shown.then(|| platform_summary(world));
    let (shown, next) = page(form, found.into_iter().collect())?;
    Ok(Some(
        node()
            .nodes("PlatformSummaryList", shown)
            .option("NextToken", next),
    ))
}

pub(crate) fn platform_branches(world: &World, form: &Form) -> Done {
    let attributes: &Attributes<'_> = &[
        ("PlatformName", vec!["Node.js"]),
        ("BranchName", vec![BRANCH]),
        ("LifecycleState", vec![world.branch_state()]),
        ("TierType", TIERS.to_vec()),
    ];
    let is_shown = lets_through(form, "Attribute", attributes)?;
    let branch = node()
        .text("PlatformName", "Node.js")
        .text("BranchName", BRANCH)
        .text("LifecycleState", world.branch_state())
        .text("BranchOrder", 1)
        .texts("SupportedTierList", TIERS);
    let found = is_shown.then_some(branch);
    let (shown, next) = page(form, found.into_iter().collect())?;
    Ok(Some(
        node()
            .nodes("PlatformBranchSummaryList", shown)
            .option("NextToken", next),
    ))
}

pub(crate) fn describe_platform(world: &World, form: &Form) -> Done {
    let wanted = form.require("PlatformArn")?;
    let mut used = world.environments().map(|e| e.solution_stack.as_str());
    if is_custom(wanted) && used.any(|stack| stack == wanted) {
        let description = node()
            .text("PlatformArn", wanted)
            .text("PlatformOwner", "self")
            .text("PlatformName", "shop-platform")
            .text("PlatformVersion", "1.0.0")
            .text("PlatformStatus", "Ready")
            .text("PlatformCategory", "custom");
        return Ok(Some(node().node("PlatformDescription", description)));
    }
    if wanted != platform_arn() {
        return Err(ApiError::invalid(format!(
            "No Platform found with ARN '{wanted}'."
        )));
    }
    let description = node()
        .text("PlatformArn", platform_arn())
        .text("PlatformOwner", "AWSElasticBeanstalk")
        .text("PlatformName", BRANCH)
        .text("PlatformVersion", PLATFORM_VERSION)
        .text("SolutionStackName", STACK)
        .text("PlatformStatus", "Ready")
        .date("DateCreated", 1_700_000_000_000)
        .date("DateUpdated", 1_700_000_000_000)
        .text("PlatformCategory", "Node.js")
        .text("Description", BRANCH)
        .text("Maintainer", "aws-elasticbeanstalk-platforms@amazon.com")
        .text("OperatingSystemName", "Amazon Linux")
        .text("OperatingSystemVersion", "2023")
        .texts("SupportedTierList", TIERS)
        .texts("SupportedAddonList", ADDONS)
        .option("PlatformLifecycleState", recommended(world))
        .text("PlatformBranchName", BRANCH)
        .text("PlatformBranchLifecycleState", world.branch_state());
    Ok(Some(node().node("PlatformDescription", description)))
}

pub(crate) fn account_attributes(world: &World) -> Node {
    let quota = |of| node().text("Maximum", world.quota(of));
    let quotas = node()
        .node("ApplicationQuota", quota(QuotaOf::Applications))
        .node("ApplicationVersionQuota", quota(QuotaOf::Versions))
        .node("EnvironmentQuota", quota(QuotaOf::Environments))
        .node("ConfigurationTemplateQuota", quota(QuotaOf::Templates))
        .node("CustomPlatformQuota", quota(QuotaOf::Platforms));
    node().node("ResourceQuotas", quotas)
}

/// The lifecycle state of the platform version in its branch, which has no other version; `None`
/// where the branch is retired.
fn recommended(world: &World) -> Option<&'static str> {
    (!world.is_retired()).then_some("Recommended")
}

fn platform_summary(world: &World) -> Node {
    node()
        .text("PlatformArn", platform_arn())
        .text("PlatformOwner", "AWSElasticBeanstalk")
        .text("PlatformStatus", "Ready")
        .text("PlatformCategory", "Node.js")
        .text("OperatingSystemName", "Amazon Linux")
        .text("OperatingSystemVersion", "2023")
        .texts("SupportedTierList", TIERS)
        .texts("SupportedAddonList", ADDONS)
        .option("PlatformLifecycleState", recommended(world))
        .text("PlatformVersion", PLATFORM_VERSION)
        .text("PlatformBranchName", BRANCH)
        .text("PlatformBranchLifecycleState", world.branch_state())
}
