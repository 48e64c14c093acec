//! Platforms, quotas and the storage location.

use super::{Done, page};
use crate::account::QuotaOf;
use crate::wire::{ApiError, Form, Node, node};
use crate::world::World;

/// The solution stack of the sandbox.
pub(crate) const STACK: &str = "64bit Amazon Linux 2023 v4.3.0 running Node.js 20";
const BRANCH: &str = "Node.js 20 running on 64bit Amazon Linux 2023";

/// The platform's ARN.
pub(super) fn arn() -> String {
    format!("arn:aws:elasticbeanstalk:us-east-1::platform/{BRANCH}/4.3.0")
}

/// The ARN of the platform that something with this solution stack is on: a custom platform
/// is known by its ARN alone.
pub(super) fn arn_of(stack: &str) -> String {
    match is_custom(stack) {
        true => stack.to_owned(),
        false => arn(),
    }
}

/// The name of a solution stack; a custom platform has none.
pub(super) fn stack_name(stack: &str) -> Option<&str> {
    Some(stack).filter(|stack| !is_custom(stack))
}

fn is_custom(stack: &str) -> bool {
    stack.starts_with("arn:")
}

impl World {
    /// Moves an environment onto a custom platform of the account's own, whose ARN names the
    /// account (API reference, `ListPlatformVersions`; an AWS platform's names none).
    pub(crate) fn customise_platform(&mut self, environment: &str) {
        let arn = self.beanstalk_arn("platform", "shop-platform/1.0.0");
        if let Some(found) = self.environment_mut(environment) {
            found.solution_stack = arn;
        }
    }

    pub(super) fn solution_stacks(&self) -> Node {
        let shown = !self.is_retired()
            && self.shows("ListAvailableSolutionStacks", "", self.stack_arn(STACK));
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

    pub(super) fn list_platforms(&self, form: &Form) -> Done {
        let (shown, next) = page(form, vec![self.platform_summary()])?;
        Ok(Some(
            node()
                .nodes("PlatformSummaryList", shown)
                .option("NextToken", next),
        ))
    }

    pub(super) fn platform_branches(&self) -> Node {
        let branch = node()
            .text("PlatformName", "Node.js")
            .text("BranchName", BRANCH)
            .text("LifecycleState", self.branch_state())
            .text("BranchOrder", 1)
            .texts(
                "SupportedTierList",
                ["WebServer/Standard", "Worker/SQS/HTTP"],
            );
        node().nodes("PlatformBranchSummaryList", [branch])
    }

    pub(super) fn describe_platform(&self, form: &Form) -> Done {
        let wanted = form.require("PlatformArn")?;
        let mut used = self.environments().map(|e| e.solution_stack.as_str());
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
            .option("PlatformLifecycleState", self.recommended())
            .text("PlatformBranchName", BRANCH)
            .text("PlatformBranchLifecycleState", self.branch_state());
        Ok(Some(node().node("PlatformDescription", description)))
    }

    pub(super) fn account_attributes(&self) -> Node {
        let quota = |of| node().text("Maximum", self.quota(of));
        let quotas = node()
            .node("ApplicationQuota", quota(QuotaOf::Applications))
            .node("ApplicationVersionQuota", quota(QuotaOf::Versions))
            .node("EnvironmentQuota", quota(QuotaOf::Environments))
            .node("ConfigurationTemplateQuota", quota(QuotaOf::Templates))
            .node("CustomPlatformQuota", quota(QuotaOf::Platforms));
        node().node("ResourceQuotas", quotas)
    }

    /// What the platform version is in its branch: the only one there is.
    fn recommended(&self) -> Option<&'static str> {
        (!self.is_retired()).then_some("Recommended")
    }

    pub(super) fn storage_location(&self) -> Node {
        node().text(
            "S3Bucket",
            format!("elasticbeanstalk-{}-{}", self.region, self.account),
        )
    }

    fn platform_summary(&self) -> Node {
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
            .option("PlatformLifecycleState", self.recommended())
            .text("PlatformVersion", "4.3.0")
            .text("PlatformBranchName", BRANCH)
            .text("PlatformBranchLifecycleState", self.branch_state())
    }
}
