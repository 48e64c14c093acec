//! The parts of answers, and what is wrong with a request.

use serde_json::Value;

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
