//! What a request of the Query API names.

use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::view::Template;

/// The index of the living environment that a request names by id or name.
pub(crate) fn named(world: &World, form: &Form) -> Result<usize, ApiError> {
    let (id, name) = (form.get("EnvironmentId"), form.get("EnvironmentName"));
    let at = find(world, id, name)?;
    // An application that is named must be the environment's own.
    match form.get("ApplicationName") {
        Some(application) if world.view.environments[at].application != application => {
            Err(no_environment(id, name))
        }
        _ => Ok(at),
    }
}

pub(crate) fn find(world: &World, id: Option<&str>, name: Option<&str>) -> Result<usize, ApiError> {
    if id.is_none() && name.is_none() {
        return Err(ApiError::new(
            "InvalidParameterCombination",
            "Either the EnvironmentName or the EnvironmentId parameter must be specified.",
        ));
    }
    let found = world.view.environments.iter().position(|e| {
        e.is_alive() && id.is_none_or(|id| e.id == id) && name.is_none_or(|name| e.name == name)
    });
    found.ok_or_else(|| no_environment(id, name))
}

fn no_environment(id: Option<&str>, name: Option<&str>) -> ApiError {
    ApiError::invalid(match (id, name) {
        (Some(id), _) => format!("No Environment found for EnvironmentId = '{id}'."),
        (None, name) => format!(
            "No Environment found for EnvironmentName = '{}'.",
            name.unwrap_or_default()
        ),
    })
}

pub(crate) fn require_application(world: &World, name: &str) -> Result<(), ApiError> {
    if world.view.applications.iter().any(|a| a.name == name) {
        Ok(())
    } else {
        Err(ApiError::invalid(format!(
            "No Application named '{name}' found."
        )))
    }
}

pub(crate) fn require_version(world: &World, form: &Form) -> Result<(String, String), ApiError> {
    let application = form.require("ApplicationName")?;
    let label = form.require("VersionLabel")?;
    require_application(world, application)?;
    match world.version(application, label) {
        Some(_) => Ok((application.to_owned(), label.to_owned())),
        None => Err(ApiError::invalid(format!(
            "No Application Version named '{label}' found."
        ))),
    }
}

pub(crate) fn template<'a>(
    world: &'a World,
    application: &str,
    name: &str,
) -> Option<&'a Template> {
    world
        .view
        .templates
        .iter()
        .find(|t| t.application == application && t.name == name)
}

pub(crate) fn require_template<'a>(
    world: &'a World,
    application: &str,
    name: &str,
) -> Result<&'a Template, ApiError> {
    template(world, application, name).ok_or_else(|| {
        ApiError::invalid(format!(
            "No Configuration Template named '{application}/{name}' found."
        ))
    })
}
