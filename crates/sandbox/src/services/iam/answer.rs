//! The parts of answers, and what is wrong with a request.

use serde_json::{Value, json};

use crate::wire::error::ApiError;
use crate::wire::form::Form;

/// The result of an operation; none for a void one.
pub(crate) type Answer = Result<Option<Value>, ApiError>;

/// The time at which the seeded resources of the account were made.
pub(crate) const CREATED: &str = "2024-01-01T00:00:00Z";

pub(crate) const ROLE_ID: &str = "AROASANDBOXSANDBOX000";
pub(crate) const USER_ID: &str = "AIDASANDBOXSANDBOX000";

/// A document as IAM answers it: percent-encoded by RFC 3986 (API reference, `GetRolePolicy`).
pub(crate) fn encoded(document: &str) -> String {
    percent_encoding::utf8_percent_encode(document, percent_encoding::NON_ALPHANUMERIC).to_string()
}

pub(crate) fn required<'a>(form: &'a Form, member: &str) -> Result<&'a str, ApiError> {
    form.get(member).ok_or_else(|| missing(member))
}

pub(crate) fn missing(member: &str) -> ApiError {
    ApiError::new(
        "ValidationError",
        format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
        ),
    )
}

pub(crate) fn unknown(kind: &str, name: &str) -> ApiError {
    ApiError {
        status: 404,
        ..ApiError::new(
            "NoSuchEntity",
            format!("The {kind} with name {name} cannot be found."),
        )
    }
}

/// A name of so many letters, digits and `+=,.@_-` (IAM user guide, "IAM and AWS STS quotas").
pub(crate) fn named<'a>(form: &'a Form, member: &str, most: usize) -> Result<&'a str, ApiError> {
    let name = required(form, member)?;
    let is_fit = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    if name.len() <= most && name.chars().all(is_fit) {
        return Ok(name);
    }
    Err(ApiError::new(
        "ValidationError",
        format!(
            "The specified value for {member} is invalid. It must contain only alphanumeric \
             characters and/or the following: +=,.@_- and be at most {most} long"
        ),
    ))
}

pub(crate) fn conflict(code: &str, message: impl Into<String>) -> ApiError {
    ApiError {
        status: 409,
        ..ApiError::new(code, message)
    }
}

pub(crate) fn exists(message: String) -> ApiError {
    conflict("EntityAlreadyExists", message)
}

pub(crate) fn absent(message: String) -> ApiError {
    ApiError {
        status: 404,
        ..ApiError::new("NoSuchEntity", message)
    }
}

/// A page of a list (`MaxItems`, 1 to 1,000 and by default 100) and where the next begins.
pub(crate) fn page(form: &Form, list: &str, all: Vec<Value>) -> Answer {
    let size = form.get("MaxItems").map_or(Some(100), |text| {
        let size = text.parse().ok();
        size.filter(|size| (1..=1000).contains(size))
    });
    let size: usize = size.ok_or_else(|| unfit("MaxItems must be from 1 to 1000."))?;
    let start: usize = match form.get("Marker") {
        None => 0,
        Some(marker) => marker.parse().map_err(|_| unfit("Invalid Marker."))?,
    };
    let next = start.saturating_add(size);
    let marker = (next < all.len()).then(|| next.to_string());
    let shown: Vec<Value> = all.into_iter().skip(start).take(size).collect();
    Ok(Some(json!({
        list: shown,
        "IsTruncated": marker.is_some(),
        "Marker": marker,
    })))
}

fn unfit(message: &str) -> ApiError {
    ApiError::new("ValidationError", message)
}
