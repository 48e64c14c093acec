//! Limits on the parameters of a request.

use crate::wire::error::ApiError;

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
