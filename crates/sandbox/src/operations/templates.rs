//! Configuration templates, and the settings of templates and environments.

use crate::operations::done::Done;
use crate::operations::settings::{Age, environment_settings, own_groups, setting_nodes};
use crate::query::checks::check_length;
use crate::query::lookup::{find, named, require_application, require_template, template};
use crate::query::options::{merge, remove, settings, unknown_option};
use crate::wire::answer::{Node, node};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::environment::Tier;
use crate::world::names::STACK;
use crate::world::quota::QuotaOf;
use crate::world::view::Template;

pub(crate) fn create_template(world: &mut World, form: &Form) -> Done {
    let application = form.require("ApplicationName")?.to_owned();
    let name = form.require("TemplateName")?.to_owned();
    check_length("templateName", &name, 1, 100)?;
    require_application(world, &application)?;
    if template(world, &application, &name).is_some() {
        return Err(ApiError::invalid(format!(
            "Configuration Template {name} already exists."
        )));
    }
    if world.view.templates.len() >= world.quota(QuotaOf::Templates) {
        return Err(ApiError::new(
            "TooManyConfigurationTemplatesException",
            "You have reached the limit of configuration templates.",
        ));
    }
    let mut template = Template {
        application: application.clone(),
        name: name.clone(),
        description: form.get("Description").unwrap_or_default().to_owned(),
        solution_stack: form.get("SolutionStackName").unwrap_or(STACK).to_owned(),
        tier: Tier::WebServer,
        settings: Vec::new(),
        created: world.now,
    };
    if form.get("EnvironmentId").is_some() {
        let source = &world.view.environments[find(world, form.get("EnvironmentId"), None)?];
        if source.application != application {
            return Err(ApiError::invalid(format!(
                "Environment {} does not belong to application {application}.",
                source.id
            )));
        }
        template.solution_stack.clone_from(&source.solution_stack);
        template.tier = source.tier;
        // What bundles and defaults set is not kept (developer guide, "Saved
        // configurations").
        template.settings.clone_from(&source.settings);
        // Whether it is kept with the service's own group in it is not told anywhere.
        if world.quirks.templates_keep_groups {
            let groups = source.groups().join(",");
            merge(&mut template.settings, vec![own_groups(groups)]);
        }
    } else if let Some(from) = form.get("SourceConfiguration.TemplateName") {
        let source = require_template(world, &application, from)?;
        template.solution_stack.clone_from(&source.solution_stack);
        template.settings.clone_from(&source.settings);
    }
    merge(&mut template.settings, settings(form, "OptionSettings"));
    remove(&mut template.settings, form);
    let answer = template_node(&template);
    world.view.templates.push(template);
    Ok(Some(answer))
}

pub(crate) fn delete_template(world: &mut World, form: &Form) -> Done {
    let application = form.require("ApplicationName")?;
    let name = form.require("TemplateName")?;
    require_template(world, application, name)?;
    world
        .view
        .templates
        .retain(|t| !(t.application == application && t.name == name));
    Ok(None)
}

pub(crate) fn describe_settings(world: &World, form: &Form) -> Done {
    let application = form.require("ApplicationName")?;
    require_application(world, application)?;
    let sets = match (form.get("TemplateName"), form.get("EnvironmentName")) {
        (Some(name), None) => vec![template_node(require_template(world, application, name)?)],
        (None, Some(name)) => {
            let at = find(world, None, Some(name))?;
            let environment = &world.view.environments[at];
            let age = match world.seeded.contains(&environment.name) {
                true => Age::Older,
                false => Age::New,
            };
            environment_settings(environment, age)
        }
        _ => {
            return Err(ApiError::new(
                "InvalidParameterCombination",
                "Either TemplateName or EnvironmentName must be specified, but not both.",
            ));
        }
    };
    Ok(Some(node().nodes("ConfigurationSettings", sets)))
}

pub(crate) fn describe_options(form: &Form) -> Done {
    let stack = form.get("SolutionStackName").unwrap_or(STACK);
    let option = |namespace: &str, name: &str, value: &str, default: &str| {
        node()
            .text("Namespace", namespace)
            .text("Name", name)
            .text("DefaultValue", default)
            .text("ChangeSeverity", "NoInterruption")
            .text("UserDefined", false)
            .text("ValueType", value)
            .absent("ValueOptions")
            .absent("MinValue")
            .absent("MaxValue")
            .absent("MaxLength")
            .absent("Regex")
    };
    let options = [
        option("aws:autoscaling:asg", "MinSize", "Scalar", "1"),
        option("aws:autoscaling:asg", "MaxSize", "Scalar", "4"),
        option(
            "aws:elasticbeanstalk:environment",
            "EnvironmentType",
            "Scalar",
            "LoadBalanced",
        ),
        option(
            "aws:elasticbeanstalk:healthreporting:system",
            "SystemType",
            "Scalar",
            "enhanced",
        ),
        option(
            "aws:elasticbeanstalk:command",
            "DeploymentPolicy",
            "Scalar",
            "AllAtOnce",
        ),
    ];
    Ok(Some(
        node()
            .text("SolutionStackName", stack)
            .nodes("Options", options),
    ))
}

pub(crate) fn validate_settings(world: &World, form: &Form) -> Done {
    let application = form.require("ApplicationName")?;
    require_application(world, application)?;
    match form.get("TemplateName") {
        Some(name) => require_template(world, application, name).map(|_| ())?,
        None => named(world, form).map(|_| ())?,
    }
    // Of values it tells nothing here (AWS CLI reference, `validate-configuration-settings`).
    let asked = settings(form, "OptionSettings");
    let unknown = asked
        .iter()
        .filter(|setting| world.is_retired_option(setting));
    let messages = unknown.map(|setting| {
        node()
            .text("Message", unknown_option(setting))
            .text("Severity", "error")
            .text("Namespace", &setting.namespace)
            .text("OptionName", &setting.name)
    });
    Ok(Some(node().nodes("Messages", messages.collect::<Vec<_>>())))
}

fn template_node(template: &Template) -> Node {
    node()
        .option(
            "SolutionStackName",
            super::platform::stack_name(&template.solution_stack),
        )
        .text("ApplicationName", &template.application)
        .text("TemplateName", &template.name)
        .absent("EnvironmentName")
        .absent("DeploymentStatus")
        .text("Description", &template.description)
        .date("DateCreated", template.created)
        .date("DateUpdated", template.created)
        .nodes(
            "OptionSettings",
            setting_nodes(&template.settings, Age::New),
        )
}
