//! CloudFormation: the stacks behind the environments. Query API, version 2010-05-15.

use crate::time::date;
use crate::wire::element::{Element, element};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::environment::{Busy, Environment};
use crate::world::stacks::stack_name;

pub(crate) const NAMESPACE: &str = "http://cloudformation.amazonaws.com/doc/2010-05-15/";

/// How many stacks a page of DescribeStacks has.
const STACKS_MAX: usize = 100;

/// The result of an operation, to be wrapped in its answer.
type Answer = Result<Element, ApiError>;

pub(crate) fn answer(world: &mut World, form: &Form) -> Answer {
    match form.operation() {
        "DescribeStacks" => describe_stacks(world, form),
        "DescribeStackResource" => describe_stack_resource(world, form),
        "UpdateTerminationProtection" => update_protection(world, form),
        operation => Err(ApiError::new(
            "InvalidAction",
            format!("Could not find operation {operation} for version 2010-05-15"),
        )),
    }
}

fn describe_stacks(world: &World, form: &Form) -> Answer {
    let found: Vec<&Environment> = match form.get("StackName") {
        Some(name) => vec![behind(world, name)?],
        None => world.environments().collect(),
    };
    let start: usize = match form.get("NextToken") {
        None => 0,
        Some(token) => token
            .parse()
            .map_err(|_| ApiError::new("ValidationError", "Invalid NextToken"))?,
    };
    let page = found.iter().skip(start).take(STACKS_MAX);
    let stacks = page.fold(element("Stacks"), |list, e| list.with(stack(world, e)));
    let next = start.saturating_add(STACKS_MAX);
    Ok(element("DescribeStacksResult")
        .with(stacks)
        .say_some("NextToken", (next < found.len()).then_some(next)))
}

/// The group of the instances: in a VPC that is named it is known by its id, else by its
/// name (CloudFormation user guide, `AWS::EC2::SecurityGroup`, "Return values").
fn describe_stack_resource(world: &World, form: &Form) -> Answer {
    let stack = form.get("StackName").ok_or_else(|| missing("stackName"))?;
    let resource = form.get("LogicalResourceId");
    let resource = resource.ok_or_else(|| missing("logicalResourceId"))?;
    let environment = behind(world, stack)?;
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
        .say("StackId", world.stack_id(environment))
        .say("StackName", stack_name(environment))
        .say("LogicalResourceId", resource)
        .say("PhysicalResourceId", physical)
        .say("ResourceType", "AWS::EC2::SecurityGroup")
        .say("ResourceStatus", "CREATE_COMPLETE")
        .say("LastUpdatedTimestamp", date(environment.created));
    Ok(element("DescribeStackResourceResult").with(detail))
}

fn update_protection(world: &mut World, form: &Form) -> Answer {
    let name = form.get("StackName").ok_or_else(|| missing("stackName"))?;
    let enable = match form.get("EnableTerminationProtection") {
        Some("true") => true,
        Some("false") => false,
        _ => return Err(missing("enableTerminationProtection")),
    };
    let environment = behind(world, name)?;
    let (id, stack) = (environment.id.clone(), world.stack_id(environment));
    if enable {
        world.services.protected.insert(id);
    } else {
        world.services.protected.remove(&id);
    }
    Ok(element("UpdateTerminationProtectionResult").say("StackId", stack))
}

/// The living environment behind a stack's name or id.
fn behind<'a>(world: &'a World, name: &str) -> Result<&'a Environment, ApiError> {
    let found = world
        .environments()
        .find(|e| stack_name(e) == name || world.stack_id(e) == name);
    found.ok_or_else(|| {
        ApiError::new(
            "ValidationError",
            format!("Stack with id {name} does not exist"),
        )
    })
}

fn stack(world: &World, environment: &Environment) -> Element {
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
        .say("StackId", world.stack_id(environment))
        .say("StackName", stack_name(environment))
        .say("Description", "AWS Elastic Beanstalk environment")
        .say("CreationTime", date(environment.created))
        .say("StackStatus", status)
        .say(
            "EnableTerminationProtection",
            world.is_protected(&environment.id),
        )
        .with(tags)
}

fn missing(member: &str) -> ApiError {
    ApiError::new(
        "ValidationError",
        format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
        ),
    )
}
