//! The JSON of a policy, and what is wrong with it.

use std::path::PathBuf;

use serde_json::{Map, Value};
use thiserror::Error;

/// A policy that cannot be used.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// The file cannot be read.
    #[error("cannot read the policy {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The document is not one that the sandbox can judge by.
    #[error("the policy at {place}: {message}")]
    Invalid {
        /// Where in the document, as in `Statement[2].Condition`.
        place: String,
        /// What is wrong, and what would be right.
        message: String,
    },
}

pub(crate) fn object<'a>(
    value: &'a Value,
    place: &str,
) -> Result<&'a Map<String, Value>, PolicyError> {
    value
        .as_object()
        .ok_or_else(|| invalid(place, "it must be an object"))
}

pub(crate) fn only(
    object: &Map<String, Value>,
    place: &str,
    known: &[&str],
) -> Result<(), PolicyError> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            let message = format!("{key} is none of {}", known.join(", "));
            Err(invalid(place, message))
        }
    }
}

/// A text or a list of texts.
pub(crate) fn texts(value: &Value, place: &str) -> Result<Vec<String>, PolicyError> {
    let texts = match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(list) => list
            .iter()
            .map(|text| text.as_str().map(str::to_owned))
            .collect(),
        _ => None,
    };
    let texts = texts
        .filter(|texts| !texts.is_empty())
        .ok_or_else(|| invalid(place, "it must be a text or a list of texts"))?;
    match texts.iter().find(|text| text.contains("${")) {
        None => Ok(texts),
        Some(text) => {
            let message =
                format!("{text:?} has a policy variable, which the sandbox does not know");
            Err(invalid(place, message))
        }
    }
}

pub(crate) fn invalid(place: impl Into<String>, message: impl Into<String>) -> PolicyError {
    PolicyError::Invalid {
        place: place.into(),
        message: message.into(),
    }
}
