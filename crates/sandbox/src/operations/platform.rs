//! Platforms, quotas and the storage location.

use crate::operations::done::Done;
use crate::policy::visibility::shows;
use crate::query::page::page;
use crate::wire::answer::{Node, node};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::names::STACK;
use crate::world::quota::QuotaOf;

const BRANCH: &str = "Node.js 20 running on 64bit Amazon Linux 2023";

/// The platform's ARN.
pub(crate) fn arn() -> String {
    format!("arn:aws:elasticbeanstalk:us-east-1::platform/{BRANCH}/4.3.0")
}

/// The ARN of the platform of a resource with this solution stack: a custom platform has only its
/// ARN.
pub(crate) fn arn_of(stack: &str) -> String {
    match is_custom(stack) {
        true => stack.to_owned(),
        false => arn(),
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
        && shows(
            world,
            "ListAvailableSolutionStacks",
            "",
            world.stack_arn(STACK),
        );
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
    let (shown, next) = page(form, vec![platform_summary(world)])?;
    Ok(Some(
        node()
            .nodes("PlatformSummaryList", shown)
            .option("NextToken", next),
    ))
}

pub(crate) fn platform_branches(world: &World) -> Node {
    let branch = node()
        .text("PlatformName", "Node.js")
        .text("BranchName", BRANCH)
        .text("LifecycleState", world.branch_state())
        .text("BranchOrder", 1)
        .texts(
            "SupportedTierList",
            ["WebServer/Standard", "Worker/SQS/HTTP"],
        );
    node().nodes("PlatformBranchSummaryList", [branch])
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
    if wanted != arn() {
        return Err(ApiError::invalid(format!(
            "No Platform found with ARN '{wanted}'."
        )));
    }
    let description = node()
        .text("PlatformArn", arn())
        .text("PlatformOwner", "AWSElasticBeanstalk")
        .text("PlatformName", BRANCH)
        .text("PlatformVersion", "4.3.0")
        .text("SolutionStackName", STACK)
        .text("PlatformStatus", "Ready")
        .date("DateCreated", 1_700_000_000_000)
        .date("DateUpdated", 1_700_000_000_000)
        .text("PlatformCategory", "Node.js")
        .text("Description", BRANCH)
        .text("Maintainer", "aws-elasticbeanstalk-platforms@amazon.com")
        .text("OperatingSystemName", "Amazon Linux")
        .text("OperatingSystemVersion", "2023")
        .texts(
            "SupportedTierList",
            ["WebServer/Standard", "Worker/SQS/HTTP"],
        )
        .texts(
            "SupportedAddonList",
            ["Log/S3", "Monitoring/Healthd", "WorkerDaemon/SQSD"],
        )
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

pub(crate) fn storage_location(world: &World) -> Node {
    node().text(
        "S3Bucket",
        format!("elasticbeanstalk-{}-{}", world.region, world.account),
    )
}

fn platform_summary(world: &World) -> Node {
    node()
        .text("PlatformArn", arn())
        .text("PlatformOwner", "AWSElasticBeanstalk")
        .text("PlatformStatus", "Ready")
        .text("PlatformCategory", "Node.js")
        .text("OperatingSystemName", "Amazon Linux")
        .text("OperatingSystemVersion", "2023")
        .texts(
            "SupportedTierList",
            ["WebServer/Standard", "Worker/SQS/HTTP"],
        )
        .texts(
            "SupportedAddonList",
            ["Log/S3", "Monitoring/Healthd", "WorkerDaemon/SQSD"],
        )
        .option("PlatformLifecycleState", recommended(world))
        .text("PlatformVersion", "4.3.0")
        .text("PlatformBranchName", BRANCH)
        .text("PlatformBranchLifecycleState", world.branch_state())
}
