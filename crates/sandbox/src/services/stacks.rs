//! CloudFormation: the stacks behind the environments. Query API, version 2010-05-15.

use crate::time::{Millis, date};
use crate::wire::element::{Element, element};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::environment::{Busy, Environment};
use crate::world::stack_parts::StackPart;
use crate::world::stacks::stack_name;

pub(crate) const NAMESPACE: &str = "http://cloudformation.amazonaws.com/doc/2010-05-15/";

/// How many stacks a page of DescribeStacks has.
const STACKS_MAX: usize = 100;

/// The result of an operation, to be wrapped in its answer.
type Answer = Result<Element, ApiError>;

/// The operations that it offers, sorted.
pub(crate) const OPERATIONS: [&str; 7] = [
    "DescribeStackEvents",
    "DescribeStackResource",
    "DescribeStackResources",
    "DescribeStacks",
    "ListStackResources",
    "ListStacks",
    "UpdateTerminationProtection",
];

pub(crate) fn answer(world: &mut World, form: &Form) -> Answer {
    match form.operation() {
        "DescribeStacks" => describe_stacks(world, form),
        "DescribeStackEvents" => describe_stack_events(world, form),
        "DescribeStackResource" => describe_stack_resource(world, form),
        "DescribeStackResources" => describe_stack_resources(world, form),
        "ListStackResources" => list_stack_resources(world, form),
        "ListStacks" => list_stacks(world, form),
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

fn describe_stack_resource(world: &World, form: &Form) -> Answer {
    let stack = form.get("StackName").ok_or_else(|| missing("stackName"))?;
    let resource = form.get("LogicalResourceId");
    let resource = resource.ok_or_else(|| missing("logicalResourceId"))?;
    let environment = behind(world, stack)?;
    let mut parts = world.stack_parts(environment).into_iter();
    let part = parts.find(|part| part.logical_id == resource);
    let part = part.ok_or_else(|| no_resource(resource, stack))?;
    let detail = element("StackResourceDetail")
        .say("StackId", world.stack_id(environment))
        .say("StackName", stack_name(environment));
    let detail = with_part(detail, &part).say("LastUpdatedTimestamp", date(environment.created));
    Ok(element("DescribeStackResourceResult").with(detail))
}

/// The parts of one stack: of the one that a request names, or of the one that has the part which
/// it names.
fn describe_stack_resources(world: &World, form: &Form) -> Answer {
    let physical = form.get("PhysicalResourceId");
    let environment = match (form.get("StackName"), physical) {
        (Some(stack), _) => behind(world, stack)?,
        (None, Some(id)) => {
            let has = |e: &&Environment| {
                let mut parts = world.stack_parts(e).into_iter();
                parts.any(|part| part.physical_id == id)
            };
            let message = format!("Stack for {id} does not exist");
            let found = world.environments().find(has);
            found.ok_or_else(|| ApiError::new("ValidationError", message))?
        }
        (None, None) => return Err(missing("stackName")),
    };
    let logical = form.get("LogicalResourceId");
    let parts = world.stack_parts(environment).into_iter();
    let parts: Vec<StackPart> = parts
        .filter(|part| logical.is_none_or(|id| part.logical_id == id))
        .collect();
    if let (Some(logical), true) = (logical, parts.is_empty()) {
        return Err(no_resource(logical, &stack_name(environment)));
    }
    let told = parts.iter().fold(element("StackResources"), |list, part| {
        let one = element("member")
            .say("StackId", world.stack_id(environment))
            .say("StackName", stack_name(environment));
        list.with(with_part(one, part).say("Timestamp", date(environment.created)))
    });
    Ok(element("DescribeStackResourcesResult").with(told))
}

fn list_stack_resources(world: &World, form: &Form) -> Answer {
    let stack = form.get("StackName").ok_or_else(|| missing("stackName"))?;
    let environment = behind(world, stack)?;
    let parts = world.stack_parts(environment);
    let list = element("StackResourceSummaries");
    let told = parts.iter().fold(list, |list, part| {
        let one = with_part(element("member"), part);
        list.with(one.say("LastUpdatedTimestamp", date(environment.created)))
    });
    Ok(element("ListStackResourcesResult").with(told))
}

fn with_part(element: Element, part: &StackPart) -> Element {
    element
        .say("LogicalResourceId", part.logical_id)
        .say("PhysicalResourceId", &part.physical_id)
        .say("ResourceType", part.kind)
        .say("ResourceStatus", "CREATE_COMPLETE")
}

fn no_resource(resource: &str, stack: &str) -> ApiError {
    let message = format!("Resource {resource} does not exist for stack {stack}");
    ApiError::new("ValidationError", message)
}

/// What the sandbox knows of a stack's events: that it began to be made, and what it has become
/// since, the newest first.
fn describe_stack_events(world: &World, form: &Form) -> Answer {
    let stack = form.get("StackName").ok_or_else(|| missing("stackName"))?;
    let environment = behind(world, stack)?;
    let event = |status: &str, at: Millis| {
        element("member")
            .say("StackId", world.stack_id(environment))
            .say("EventId", format!("{status}-{at}"))
            .say("StackName", stack_name(environment))
            .say("LogicalResourceId", stack_name(environment))
            .say("PhysicalResourceId", world.stack_id(environment))
            .say("ResourceType", "AWS::CloudFormation::Stack")
            .say("Timestamp", date(at))
            .say("ResourceStatus", status)
    };
    let began = "CREATE_IN_PROGRESS";
    let status = status(environment);
    let mut events = element("StackEvents");
    if status != began {
        events = events.with(event(status, environment.updated));
    }
    let events = events.with(event(began, environment.created));
    Ok(element("DescribeStackEventsResult").with(events))
}

fn list_stacks(world: &World, form: &Form) -> Answer {
    let wanted = form.list("StackStatusFilter");
    let all = world.environments();
    let found = all.filter(|e| wanted.is_empty() || wanted.contains(&status(e)));
    let told = found.fold(element("StackSummaries"), |list, environment| {
        list.with(
            element("member")
                .say("StackId", world.stack_id(environment))
                .say("StackName", stack_name(environment))
                .say("CreationTime", date(environment.created))
                .say("StackStatus", status(environment)),
        )
    });
    Ok(element("ListStacksResult").with(told))
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

fn status(environment: &Environment) -> &'static str {
    match environment.busy {
        Some(Busy::Launch) => "CREATE_IN_PROGRESS",
        Some(Busy::Configure | Busy::Resize | Busy::Tag | Busy::Manage { .. }) => {
            "UPDATE_IN_PROGRESS"
        }
        Some(Busy::Terminate) => "DELETE_IN_PROGRESS",
        None | Some(Busy::Deploy { .. } | Busy::Swap | Busy::Abort { .. }) => "CREATE_COMPLETE",
    }
}

fn stack(world: &World, environment: &Environment) -> Element {
    let tag = |key: &str, value: &str| element("member").say("Key", key).say("Value", value);
    let tags = element("Tags")
        .with(tag("elasticbeanstalk:environment-id", &environment.id))
        .with(tag("elasticbeanstalk:environment-name", &environment.name));
    element("member")
        .say("StackId", world.stack_id(environment))
        .say("StackName", stack_name(environment))
        .say("Description", "AWS Elastic Beanstalk environment")
        .say("CreationTime", date(environment.created))
        .say("StackStatus", status(environment))
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
