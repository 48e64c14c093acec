//! The parts of requests and answers.

use serde_json::{Value, json};

use crate::wire::error::ApiError;
use crate::world::World;
use crate::world::parameter::Parameter;

/// How many names GetParameters and DeleteParameters take (API model, `ParameterNameList`).
const NAMES_MAX: usize = 10;

pub(crate) type Answer = Result<Value, ApiError>;

/// The names of a request, one at least.
pub(crate) fn names(input: &Value) -> Result<Vec<&str>, ApiError> {
    let names: Vec<&str> = match &input["Names"] {
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if (1..=NAMES_MAX).contains(&names.len()) {
        return Ok(names);
    }
    Err(ApiError::new(
        "ValidationException",
        format!(
            "1 validation error detected: Value at 'names' failed to satisfy constraint: Member must have length less than or equal to {NAMES_MAX} and greater than or equal to 1"
        ),
    ))
}

/// A parameter as an answer shows it; `None` where it has no such version.
pub(crate) fn shown(
    world: &World,
    parameter: &Parameter,
    version: Option<usize>,
    decrypt: bool,
) -> Option<Value> {
    let version = version.unwrap_or(parameter.versions.len());
    let value = parameter.versions.get(version.checked_sub(1)?)?;
    let encrypted = parameter.kind == "SecureString" && !decrypt;
    let value = if encrypted {
        "AQICAHhzYW5kYm94"
    } else {
        value.as_str()
    };
    Some(json!({
        "Name": parameter.name,
        "Type": parameter.kind,
        "Value": value,
        "Version": version,
        "LastModifiedDate": parameter.modified as f64 / 1000.0,
        "ARN": world.parameter_arn(parameter.name.trim_start_matches('/')),
        "DataType": "text",
    }))
}

pub(crate) fn required<'a>(input: &'a Value, name: &str) -> Result<&'a str, ApiError> {
    let value = input[name].as_str().filter(|value| !value.is_empty());
    value.ok_or_else(|| {
        let mut member = name.to_owned();
        member[..1].make_ascii_lowercase();
        ApiError::new(
            "ValidationException",
            format!("1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"),
        )
    })
}
