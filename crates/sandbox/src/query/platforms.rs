//! The platform that a request names.

use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::names::{STACK, platform_arn, platform_branch_arn};

/// The solution stack or the custom platform that a request names; `None` where it names none.
///
/// # Errors
/// Where there is no such platform, or the request names it twice.
pub(crate) fn platform(world: &World, form: &Form) -> Result<Option<String>, ApiError> {
    match (form.get("SolutionStackName"), form.get("PlatformArn")) {
        (Some(_), Some(_)) => Err(ApiError::new(
            "InvalidParameterCombination",
            "SolutionStackName and PlatformArn may not both be specified.",
        )),
        (Some(stack), None) => by_name(world, stack).map(Some),
        (None, Some(arn)) => by_arn(world, arn).map(Some),
        (None, None) => Ok(None),
    }
}

/// The refusal of a solution stack that the service does not offer.
pub(crate) fn no_stack(stack: &str) -> ApiError {
    ApiError::invalid(format!("No Solution Stack named '{stack}' found."))
}

fn by_name(world: &World, stack: &str) -> Result<String, ApiError> {
    match stack == STACK && !world.is_retired() {
        true => Ok(stack.to_owned()),
        false => Err(no_stack(stack)),
    }
}

/// An ARN without a version is that of the newest one (EB CLI, `ebcli/objects/platform.py`). The
/// refusal is the service's.
fn by_arn(world: &World, arn: &str) -> Result<String, ApiError> {
    let is_own = arn == platform_arn() || arn == platform_branch_arn();
    if is_own && !world.is_retired() {
        return Ok(STACK.to_owned());
    }
    let mut used = world.environments();
    match used.any(|e| e.solution_stack == arn) {
        true => Ok(arn.to_owned()),
        false => Err(ApiError::invalid(format!(
            "No Platform named '{arn}' found."
        ))),
    }
}
