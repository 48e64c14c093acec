//! CloudFormation: the stacks behind the environments. Query API, version 2010-05-15.

use super::element::{Element, element};
use crate::model::{Busy, Environment};
use crate::wire::{ApiError, Form, date};
use crate::world::World;

pub(super) const NAMESPACE: &str = "http://cloudformation.amazonaws.com/doc/2010-05-15/";

/// How many stacks a page of DescribeStacks has.
const STACKS_MAX: usize = 100;

/// The result of an operation, to be wrapped in its answer.
type Answer = Result<Element, ApiError>;

impl World {
    pub(super) fn cloudformation(&mut self, form: &Form) -> Answer {
        match form.operation() {
            "DescribeStacks" => self.describe_stacks(form),
            "DescribeStackResource" => self.describe_stack_resource(form),
            "UpdateTerminationProtection" => self.update_protection(form),
            operation => Err(ApiError::new(
                "InvalidAction",
                format!("Could not find operation {operation} for version 2010-05-15"),
            )),
        }
    }

    fn describe_stacks(&self, form: &Form) -> Answer {
        let found: Vec<&Environment> = match form.get("StackName") {
            Some(name) => vec![self.behind(name)?],
            None => self.environments().collect(),
        };
        let start: usize = match form.get("NextToken") {
            None => 0,
            Some(token) => token
                .parse()
                .map_err(|_| ApiError::new("ValidationError", "Invalid NextToken"))?,
        };
        let page = found.iter().skip(start).take(STACKS_MAX);
        let stacks = page.fold(element("Stacks"), |list, e| list.with(self.stack(e)));
        let next = start.saturating_add(STACKS_MAX);
        Ok(element("DescribeStacksResult")
            .with(stacks)
            .say_some("NextToken", (next < found.len()).then_some(next)))
    }

    /// The group of the instances: in a VPC that is named it is known by its id, else by its
    /// name (CloudFormation user guide, `AWS::EC2::SecurityGroup`, "Return values").
    fn describe_stack_resource(&self, form: &Form) -> Answer {
        let stack = form.get("StackName").ok_or_else(|| missing("stackName"))?;
        let resource = form.get("LogicalResourceId");
        let resource = resource.ok_or_else(|| missing("logicalResourceId"))?;
        let environment = self.behind(stack)?;
        let group = environment
            .own_group()
            .filter(|_| resource == "AWSEBSecurityGroup");
        let Some(id) = group else {
            let message = format!("Resource {resource} does not exist for stack {stack}");
            return Err(ApiError::new("ValidationError", message));
        };
        let physical = match environment.setting("aws:ec2:vpc", "VPCId") {
            Some(_) => id,
            None => environment.own_group_name(),
        };
        let detail = element("StackResourceDetail")
            .say("StackId", self.stack_id(environment))
            .say("StackName", stack_name(environment))
            .say("LogicalResourceId", resource)
            .say("PhysicalResourceId", physical)
            .say("ResourceType", "AWS::EC2::SecurityGroup")
            .say("ResourceStatus", "CREATE_COMPLETE")
            .say("LastUpdatedTimestamp", date(environment.created));
        Ok(element("DescribeStackResourceResult").with(detail))
    }

    fn update_protection(&mut self, form: &Form) -> Answer {
        let name = form.get("StackName").ok_or_else(|| missing("stackName"))?;
        let enable = match form.get("EnableTerminationProtection") {
            Some("true") => true,
            Some("false") => false,
            _ => return Err(missing("enableTerminationProtection")),
        };
        let environment = self.behind(name)?;
        let (id, stack) = (environment.id.clone(), self.stack_id(environment));
        if enable {
            self.services.protected.insert(id);
        } else {
            self.services.protected.remove(&id);
        }
        Ok(element("UpdateTerminationProtectionResult").say("StackId", stack))
    }

    /// The living environment behind a stack's name or id.
    fn behind(&self, name: &str) -> Result<&Environment, ApiError> {
        let found = self
            .environments()
            .find(|e| stack_name(e) == name || self.stack_id(e) == name);
        found.ok_or_else(|| {
            ApiError::new(
                "ValidationError",
                format!("Stack with id {name} does not exist"),
            )
        })
    }

    fn stack(&self, environment: &Environment) -> Element {
        let status = match environment.busy {
            Some(Busy::Launch) => "CREATE_IN_PROGRESS",
            Some(Busy::Configure | Busy::Resize | Busy::Manage { .. }) => "UPDATE_IN_PROGRESS",
            Some(Busy::Terminate) => "DELETE_IN_PROGRESS",
            None | Some(Busy::Deploy { .. } | Busy::Swap | Busy::Abort { .. }) => "CREATE_COMPLETE",
        };
        let tag = |key: &str, value: &str| element("member").say("Key", key).say("Value", value);
        let tags = element("Tags")
            .with(tag("elasticbeanstalk:environment-id", &environment.id))
            .with(tag("elasticbeanstalk:environment-name", &environment.name));
        element("member")
            .say("StackId", self.stack_id(environment))
            .say("StackName", stack_name(environment))
            .say("Description", "AWS Elastic Beanstalk environment")
            .say("CreationTime", date(environment.created))
            .say("StackStatus", status)
            .say(
                "EnableTerminationProtection",
                self.is_protected(&environment.id),
            )
            .with(tags)
    }

    fn stack_id(&self, environment: &Environment) -> String {
        format!(
            "arn:aws:cloudformation:{}:{}:stack/{}/{:08x}-0000-4000-a000-000000000000",
            self.region,
            self.account,
            stack_name(environment),
            environment.created & 0xffff_ffff,
        )
    }

    /// Protects the stack behind a living environment against termination.
    pub(crate) fn protect(&mut self, environment: &str) {
        if let Some(id) = self.environment(environment).map(|e| e.id.clone()) {
            self.services.protected.insert(id);
        }
    }

    /// Whether the stack behind an environment is protected against termination.
    pub(crate) fn is_protected(&self, environment_id: &str) -> bool {
        self.services.protected.contains(environment_id)
    }

    /// The event of a termination that a stack's protection has stopped. The second half
    /// is what CloudFormation says to DeleteStack; no public source has the first.
    pub(crate) fn protection_event(environment: &Environment) -> String {
        format!(
            "Stack deletion failed: Stack [{}] cannot be deleted while TerminationProtection is enabled",
            stack_name(environment)
        )
    }
}

fn stack_name(environment: &Environment) -> String {
    format!("awseb-{}-stack", environment.id)
}

fn missing(member: &str) -> ApiError {
    ApiError::new(
        "ValidationError",
        format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
        ),
    )
}
