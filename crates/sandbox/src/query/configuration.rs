//! The tier, the solution stack and the settings of an environment to be created or changed.

use crate::query::lookup::{find, require_template};
use crate::query::options::{merge, remove, settings};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::environment::Tier;
use crate::world::names::STACK;
use crate::world::setting::Setting;

/// The settings that the environment of a request will have; none where the request gets an error
/// of its own.
pub(crate) fn settings_to_be(world: &World, form: &Form, application: &str) -> Vec<Setting> {
    let found = configuration(world, form, application);
    let mut options = found.map(|(_, _, options)| options).unwrap_or_default();
    merge(&mut options, settings(form, "OptionSettings"));
    remove(&mut options, form);
    options
}

/// Tier, solution stack and settings from a template, another environment (which `eb clone`
/// requests although the public model lacks the field), or the request itself.
pub(crate) fn configuration(
    world: &World,
    form: &Form,
    application: &str,
) -> Result<(Tier, String, Vec<Setting>), ApiError> {
    let asked = tier_of(form)?;
    let source = form
        .get("TemplateSpecification.TemplateSource.EnvironmentName")
        .or_else(|| form.get("TemplateSpecification.TemplateSource.EnvironmentId"));
    if let Some(source) = source {
        let at = find(world, None, Some(source)).or_else(|_| find(world, Some(source), None))?;
        let source = &world.view.environments[at];
        return Ok((
            source.tier,
            source.solution_stack.clone(),
            source.settings.clone(),
        ));
    }
    let template = form
        .get("TemplateName")
        .or_else(|| form.get("TemplateSpecification.TemplateName"));
    let stack = form.get("SolutionStackName");
    match (template, stack) {
        (Some(_), Some(_)) => Err(ApiError::new(
            "InvalidParameterCombination",
            "TemplateName and SolutionStackName may not both be specified.",
        )),
        (Some(name), None) => {
            let template = require_template(world, application, name)?;
            Ok((
                template.tier,
                template.solution_stack.clone(),
                template.settings.clone(),
            ))
        }
        (None, Some(stack)) => Ok((asked, stack.to_owned(), Vec::new())),
        (None, None) if form.get("PlatformArn").is_some() => {
            Ok((asked, STACK.to_owned(), Vec::new()))
        }
        (None, None) => Err(ApiError::new(
            "MissingRequiredParameter",
            "One of TemplateName, SolutionStackName or PlatformArn must be specified.",
        )),
    }
}

/// The tier that a request names, by its name and type (API model, `EnvironmentTier`).
fn tier_of(form: &Form) -> Result<Tier, ApiError> {
    match (form.get("Tier.Name"), form.get("Tier.Type")) {
        (None | Some("WebServer"), None | Some("Standard")) => Ok(Tier::WebServer),
        (Some("Worker"), None | Some("SQS/HTTP")) => Ok(Tier::Worker),
        (Some("Cluster"), None | Some("EKS")) => Ok(Tier::Cluster),
        (name, kind) => Err(ApiError::invalid(format!(
            "Invalid tier: {}/{}.",
            name.unwrap_or("WebServer"),
            kind.unwrap_or_default()
        ))),
    }
}
