//! Pages of lists.

use crate::wire::error::ApiError;
use crate::wire::form::Form;

/// A page of a list, and the token of the next one.
pub(crate) fn page<T>(form: &Form, all: Vec<T>) -> Result<(Vec<T>, Option<String>), ApiError> {
    let size = match form.get("MaxRecords").or_else(|| form.get("MaxItems")) {
        None => 1000,
        Some(text) => text
            .parse()
            .ok()
            .filter(|n| (1..=1000).contains(n))
            .ok_or_else(|| ApiError::invalid(format!("Value {text} at 'maxRecords' failed to satisfy constraint: Member must be between 1 and 1000")))?,
    };
    let start: usize = match form.get("NextToken") {
        None => 0,
        Some(token) => token
            .strip_prefix("after-")
            .and_then(|n| n.parse().ok())
            .ok_or_else(|| ApiError::invalid("The pagination token is invalid."))?,
    };
    let total = all.len();
    let shown: Vec<T> = all.into_iter().skip(start).take(size).collect();
    let next = start + shown.len();
    Ok((shown, (next < total).then(|| format!("after-{next}"))))
}
