//! Configuration templates, and the settings of templates and environments.

use crate::operations::done::Done;
use crate::operations::saved::save;
use crate::operations::settings::{Age, environment_settings, own_groups, setting_nodes};
use crate::operations::tags::user_tags;
use crate::query::checks::{check_description, check_length};
use crate::query::configuration::{no_base, source_environment};
use crate::query::lookup::{find, named, require_application, require_template, template};
use crate::query::namespaces::check_namespaces;
use crate::query::options::{merge, remove, settings};
use crate::query::platforms::platform;
use crate::query::tagged::Tagged;
use crate::wire::answer::{Node, node};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::environment::Tier;
use crate::world::quota::QuotaOf;
use crate::world::setting::Setting;
use crate::world::view::Template;

pub(crate) fn create_template(world: &mut World, form: &Form) -> Done {
    let application = form.require("ApplicationName")?.to_owned();
    let name = form.require("TemplateName")?.to_owned();
    check_length("templateName", &name, 1, 100)?;
    check_description(form)?;
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
    let tags = user_tags(form, "Tags", Tagged::Other)?;
    let (tier, solution_stack, mut options) = base(world, form, &application)?;
    let own = settings(form, "OptionSettings");
    check_namespaces(&own)?;
    merge(&mut options, own);
    remove(&mut options, form);
    let template = Template {
        application: application.clone(),
        name: name.clone(),
        description: form.get("Description").unwrap_or_default().to_owned(),
        solution_stack,
        tier,
        settings: options,
        created: world.now,
        updated: 0,
    };
    let answer = template_node(&template);
    world.tag(
        "configurationtemplate",
        &format!("{application}/{name}"),
        tags,
    );
    save(world, &template);
    world.view.templates.push(template);
    Ok(Some(answer))
}

/// What a new template begins from: an environment, another template or a platform (API reference,
/// `CreateConfigurationTemplate`); EB CLI names the environment as a template's source.
fn base(
    world: &World,
    form: &Form,
    application: &str,
) -> Result<(Tier, String, Vec<Setting>), ApiError> {
    let source = match form.get("EnvironmentId") {
        Some(id) => Some(find(world, Some(id), None)?),
        None => source_environment(world, form)?,
    };
    if let Some(at) = source {
        let source = &world.view.environments[at];
        if source.application != application {
            return Err(ApiError::invalid(format!(
                "Environment {} does not belong to application {application}.",
                source.id
            )));
        }
        // What bundles and defaults set is not kept (developer guide, "Saved configurations").
        let mut settings = source.settings.clone();
        // Whether it is kept with the service's own group in it is not told anywhere.
        if world.quirks.templates_keep_groups {
            let groups = source.groups().join(",");
            merge(&mut settings, vec![own_groups(groups)]);
        }
        return Ok((source.tier, source.solution_stack.clone(), settings));
    }
    let named = platform(world, form)?;
    let Some(from) = form.get("SourceConfiguration.TemplateName") else {
        let stack = named.ok_or_else(no_base)?;
        return Ok((Tier::WebServer, stack, Vec::new()));
    };
    let of = form.get("SourceConfiguration.ApplicationName");
    let source = require_template(world, of.unwrap_or(application), from)?;
    match named {
        Some(stack) if stack != source.solution_stack => Err(ApiError::new(
            "InvalidParameterCombination",
            "The solution stack must be that of the source configuration.",
        )),
        _ => Ok((
            source.tier,
            source.solution_stack.clone(),
            source.settings.clone(),
        )),
    }
}

/// UpdateConfigurationTemplate: a property that is left out stays, an empty one is cleared.
pub(crate) fn update_template(world: &mut World, form: &Form) -> Done {
    let application = form.require("ApplicationName")?;
    let name = form.require("TemplateName")?;
    check_description(form)?;
    let options = settings(form, "OptionSettings");
    check_namespaces(&options)?;
    let mut template = require_template(world, application, name)?.clone();
    if let Some(description) = form.given("Description") {
        description.clone_into(&mut template.description);
    }
    merge(&mut template.settings, options);
    remove(&mut template.settings, form);
    template.updated = world.now;
    save(world, &template);
    let answer = template_node(&template);
    let mut templates = world.view.templates.iter_mut();
    if let Some(kept) = templates.find(|t| t.application == application && t.name == name) {
        *kept = template;
    }
    Ok(Some(answer))
}

pub(crate) fn delete_template(world: &mut World, form: &Form) -> Done {
    let application = form.require("ApplicationName")?;
    let name = form.require("TemplateName")?;
    let key = require_template(world, application, name)?.saved_at();
    world.unstore(key);
    world.untag("configurationtemplate", &format!("{application}/{name}"));
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
        (None, Some(_)) => {
            let environment = &world.view.environments[named(world, form)?];
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

/// DeleteEnvironmentConfiguration deletes the draft that a failed update of an environment's
/// configuration has left (API reference). Here no update of a configuration fails, so there never
/// is one; during an update its draft is in use.
pub(crate) fn delete_draft(world: &World, form: &Form) -> Done {
    form.require("EnvironmentName")?;
    require_application(world, form.require("ApplicationName")?)?;
    let at = named(world, form)?;
    super::update::require_ready(world, at)?;
    Ok(None)
}

fn template_node(template: &Template) -> Node {
    node()
        .option(
            "SolutionStackName",
            super::platform::stack_name(&template.solution_stack),
        )
        .text(
            "PlatformArn",
            super::platform::arn_of(&template.solution_stack),
        )
        .text("ApplicationName", &template.application)
        .text("TemplateName", &template.name)
        .absent("EnvironmentName")
        .absent("DeploymentStatus")
        .text("Description", &template.description)
        .date("DateCreated", template.created)
        .date("DateUpdated", template.created.max(template.updated))
        .nodes(
            "OptionSettings",
            setting_nodes(&template.settings, Age::New),
        )
}
