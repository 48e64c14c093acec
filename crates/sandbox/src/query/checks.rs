//! Limits on the parameters of a request.

use crate::wire::error::ApiError;
use crate::wire::form::Form;

/// A limit on a name's length.
pub(crate) fn check_length(
    what: &str,
    value: &str,
    least: usize,
    most: usize,
) -> Result<(), ApiError> {
    let length = value.chars().count();
    if (least..=most).contains(&length) {
        return Ok(());
    }
    Err(ApiError::invalid(format!(
        "Value {value} at '{what}' failed to satisfy constraint: Member must have length between {least} and {most}"
    )))
}

/// Refuses a description of more than 200 characters (API model, `Description`).
pub(crate) fn check_description(form: &Form) -> Result<(), ApiError> {
    let description = form.get("Description").unwrap_or_default();
    check_length("description", description, 0, 200)
}
