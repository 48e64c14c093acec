//! What a request selects: filters, and a page of a list.

use serde_json::{Value, json};

use crate::wire::error::ApiError;
use crate::wire::form::Form;

/// Whether something fits every filter of a request, by the values that it has of each.
///
/// # Errors
/// `ValidationError` for a filter that is not among `known`; `tag:` takes any key after it.
pub(crate) fn fits(
    form: &Form,
    known: &[&str],
    values_of: impl Fn(&str) -> Vec<String>,
) -> Result<bool, ApiError> {
    let mut fits = true;
    for filter in form.members("Filters") {
        let name = filter.get("Name").unwrap_or_default();
        let is_known =
            known.contains(&name) || (known.contains(&"tag:") && name.starts_with("tag:"));
        if !is_known {
            return Err(invalid(format!("Filter type {name} is not correct.")));
        }
        let has = values_of(name);
        let wanted = filter.list("Values");
        fits &= wanted
            .iter()
            .any(|wanted| has.iter().any(|has| has == wanted));
    }
    Ok(fits)
}

/// A page of a list (`MaxRecords`, 1 to 100) and where the next begins.
pub(crate) fn page(form: &Form, list: &str, all: Vec<Value>) -> Result<Value, ApiError> {
    const PAGE_MAX: usize = 100;
    let size = match form.get("MaxRecords") {
        None => PAGE_MAX,
        Some(text) => text
            .parse()
            .ok()
            .filter(|size| (1..=PAGE_MAX).contains(size))
            .ok_or_else(|| invalid(format!("MaxRecords must be from 1 to {PAGE_MAX}.")))?,
    };
    let start: usize = match form.get("NextToken") {
        None => 0,
        Some(token) => token
            .parse()
            .map_err(|_| ApiError::new("InvalidNextToken", "The token is not valid."))?,
    };
    let next = start.saturating_add(size);
    let more = (next < all.len()).then(|| next.to_string());
    let shown: Vec<Value> = all.into_iter().skip(start).take(size).collect();
    Ok(json!({ list: shown, "NextToken": more }))
}

fn invalid(message: String) -> ApiError {
    ApiError::new("ValidationError", message)
}
