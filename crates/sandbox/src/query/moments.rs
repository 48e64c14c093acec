//! Moments in the parameters of a request.

use crate::time::{Millis, parse_moment};
use crate::wire::error::ApiError;
use crate::wire::form::Form;

/// A moment that a request names; `None` where it names none.
///
/// # Errors
/// `InvalidParameterValue` for what is no moment.
pub(crate) fn moment(form: &Form, name: &str) -> Result<Option<Millis>, ApiError> {
    let Some(text) = form.get(name) else {
        return Ok(None);
    };
    match parse_moment(text) {
        Some(at) => Ok(Some(at)),
        None => Err(ApiError::invalid(format!(
            "{name} {text} is not a timestamp."
        ))),
    }
}
