//! DescribeConfigurationOptions and ValidateConfigurationSettings.

use crate::operations::done::Done;
use crate::query::lookup::{named, require_application, require_template};
use crate::query::namespaces::is_known;
use crate::query::options::{settings, unknown_option};
use crate::query::platforms::platform;
use crate::wire::answer::{Node, node};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::names::STACK;

/// The options that are described: namespace, name and default.
const OPTIONS: [(&str, &str, &str); 5] = [
    ("aws:autoscaling:asg", "MinSize", "1"),
    ("aws:autoscaling:asg", "MaxSize", "4"),
    (
        "aws:elasticbeanstalk:environment",
        "EnvironmentType",
        "LoadBalanced",
    ),
    (
        "aws:elasticbeanstalk:healthreporting:system",
        "SystemType",
        "enhanced",
    ),
    (
        "aws:elasticbeanstalk:command",
        "DeploymentPolicy",
        "AllAtOnce",
    ),
];

pub(crate) fn describe_options(world: &World, form: &Form) -> Done {
    let stack = described_stack(world, form)?;
    let wanted = form.members("Options");
    let is_wanted = |namespace: &str, name: &str| {
        let is_it = |one: &Form| {
            one.get("Namespace").is_none_or(|n| n == namespace)
                && one.get("OptionName").is_none_or(|n| n == name)
        };
        wanted.is_empty() || wanted.iter().any(is_it)
    };
    let options = OPTIONS
        .iter()
        .filter(|(namespace, name, _)| is_wanted(namespace, name))
        .map(|(namespace, name, default)| option_node(namespace, name, default));
    Ok(Some(
        node()
            .option("SolutionStackName", super::platform::stack_name(&stack))
            .text("PlatformArn", super::platform::arn_of(&stack))
            .nodes("Options", options),
    ))
}

/// The platform whose options are described: the request's own, or that of its template or
/// environment.
fn described_stack(world: &World, form: &Form) -> Result<String, ApiError> {
    if let Some(application) = form.get("ApplicationName") {
        require_application(world, application)?;
    }
    if let Some(stack) = platform(world, form)? {
        return Ok(stack);
    }
    match (form.get("TemplateName"), form.get("EnvironmentName")) {
        (Some(name), _) => {
            let application = form.require("ApplicationName")?;
            let template = require_template(world, application, name)?;
            Ok(template.solution_stack.clone())
        }
        (None, Some(_)) => {
            let environment = &world.view.environments[named(world, form)?];
            Ok(environment.solution_stack.clone())
        }
        (None, None) => Ok(STACK.to_owned()),
    }
}

fn option_node(namespace: &str, name: &str, default: &str) -> Node {
    node()
        .text("Namespace", namespace)
        .text("Name", name)
        .text("DefaultValue", default)
        .text("ChangeSeverity", "NoInterruption")
        .text("UserDefined", false)
        .text("ValueType", "Scalar")
        .absent("ValueOptions")
        .absent("MinValue")
        .absent("MaxValue")
        .absent("MaxLength")
        .absent("Regex")
}

/// ValidateConfigurationSettings: it finds options that the service does not know, and says
/// nothing of values (AWS CLI reference, `validate-configuration-settings`).
pub(crate) fn validate_settings(world: &World, form: &Form) -> Done {
    let application = form.require("ApplicationName")?;
    require_application(world, application)?;
    match form.get("TemplateName") {
        Some(name) => require_template(world, application, name).map(|_| ())?,
        None => named(world, form).map(|_| ())?,
    }
    let asked = settings(form, "OptionSettings");
    let unknown = asked
        .iter()
        .filter(|setting| world.is_retired_option(setting) || !is_known(&setting.namespace));
    let messages = unknown.map(|setting| {
        node()
            .text("Message", unknown_option(setting))
            .text("Severity", "error")
            .text("Namespace", &setting.namespace)
            .text("OptionName", &setting.name)
    });
    Ok(Some(node().nodes("Messages", messages.collect::<Vec<_>>())))
}
