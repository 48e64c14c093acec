//! The tier, the solution stack and the settings of an environment to be created or changed.

use crate::query::lookup::{find, require_template};
use crate::query::options::{merge, remove, settings};
use crate::query::platforms::platform;
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::environment::Tier;
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
    if let Some(at) = source_environment(world, form)? {
        let source = &world.view.environments[at];
        return Ok((
            source.tier,
            source.solution_stack.clone(),
            source.settings.clone(),
        ));
    }
    let named = platform(world, form)?;
    match (template_name(form), named) {
        (Some(_), Some(_)) => Err(both()),
        (Some(name), None) => {
            let template = require_template(world, application, name)?;
            Ok((
                template.tier,
                template.solution_stack.clone(),
                template.settings.clone(),
            ))
        }
        (None, Some(stack)) => Ok((asked, stack, Vec::new())),
        (None, None) => Err(no_base()),
    }
}

/// The environment whose configuration a request takes.
pub(crate) fn source_environment(world: &World, form: &Form) -> Result<Option<usize>, ApiError> {
    let source = form
        .get("TemplateSpecification.TemplateSource.EnvironmentName")
        .or_else(|| form.get("TemplateSpecification.TemplateSource.EnvironmentId"));
    let Some(source) = source else {
        return Ok(None);
    };
    let by_name = find(world, None, Some(source));
    by_name
        .or_else(|_| find(world, Some(source), None))
        .map(Some)
}

/// The name of the template that a request takes the configuration of.
pub(crate) fn template_name(form: &Form) -> Option<&str> {
    form.get("TemplateName")
        .or_else(|| form.get("TemplateSpecification.TemplateName"))
}

/// The refusal of a template together with a platform.
pub(crate) fn both() -> ApiError {
    ApiError::new(
        "InvalidParameterCombination",
        "TemplateName and SolutionStackName may not both be specified.",
    )
}

/// The refusal of a request that names neither a platform nor anything that has one (EB CLI,
/// `ebcli/resources/strings.py`, `create.noplatform`).
pub(crate) fn no_base() -> ApiError {
    ApiError::invalid("Unable to determine base for template pack (no solution stack)")
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
