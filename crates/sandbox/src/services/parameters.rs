//! The Parameter Store of SSM: AWS JSON 1.1.

mod answer;
mod paths;

use serde_json::{Value, json};

use crate::services::parameters::answer::{Answer, names, required, shown};
use crate::wire::error::ApiError;
use crate::wire::request::ServiceRequest;
use crate::world::World;
use crate::world::parameter::Parameter;

/// The longest value of the standard tier, in bytes.
const VALUE_BYTES_MAX: usize = 4096;

/// The operations that it offers, sorted.
pub(crate) const OPERATIONS: [&str; 6] = [
    "DeleteParameter",
    "DeleteParameters",
    "GetParameter",
    "GetParameters",
    "GetParametersByPath",
    "PutParameter",
];

pub(crate) fn answer(world: &mut World, request: &ServiceRequest) -> Answer {
    let input: Value = serde_json::from_str(&request.body)
        .map_err(|_| ApiError::new("SerializationException", "The request is not valid JSON."))?;
    match request.operation.as_str() {
        "GetParameter" => get_parameter(world, &input),
        "GetParameters" => get_parameters(world, &input),
        "GetParametersByPath" => paths::get_parameters_by_path(world, &input),
        "PutParameter" => put_parameter(world, &input),
        "DeleteParameter" => paths::delete_parameter(world, &input),
        "DeleteParameters" => paths::delete_parameters(world, &input),
        operation => Err(ApiError::new(
            "UnknownOperationException",
            format!(
                "The sandbox offers the Parameter Store of SSM alone (GetParameter, GetParameters, \
                 GetParametersByPath, PutParameter, DeleteParameter, DeleteParameters), and not \
                 {operation}."
            ),
        )),
    }
}

fn get_parameter(world: &World, input: &Value) -> Answer {
    let name = required(input, "Name")?;
    let (path, version) = selected(name);
    // The service gives this error no words.
    let found = world
        .parameter(path)
        .ok_or_else(|| ApiError::new("ParameterNotFound", ""))?;
    let shown = shown(world, found, version, input["WithDecryption"] == true);
    let shown = shown.ok_or_else(|| {
        ApiError::new(
            "ParameterVersionNotFound",
            format!(
                "Systems Manager could not find version {} of {path}.",
                version.unwrap_or_default()
            ),
        )
    })?;
    Ok(json!({ "Parameter": shown }))
}

fn get_parameters(world: &World, input: &Value) -> Answer {
    let decrypt = input["WithDecryption"] == true;
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for name in names(input)? {
        let (path, version) = selected(name);
        match world
            .parameter(path)
            .and_then(|p| shown(world, p, version, decrypt))
        {
            Some(shown) => found.push(shown),
            None => missing.push(name),
        }
    }
    Ok(json!({ "Parameters": found, "InvalidParameters": missing }))
}

fn put_parameter(world: &mut World, input: &Value) -> Answer {
    let name = required(input, "Name")?;
    let value = required(input, "Value")?;
    check_name(name)?;
    if value.len() > VALUE_BYTES_MAX {
        return Err(ApiError::new(
            "ValidationException",
            format!(
                "Standard tier parameters support a maximum parameter value of {VALUE_BYTES_MAX} characters."
            ),
        ));
    }
    let kind = input["Type"].as_str();
    if let Some(kind) = kind.filter(|k| !["String", "StringList", "SecureString"].contains(k)) {
        return Err(ApiError::new(
            "UnsupportedParameterType",
            format!("The parameter type {kind} is not supported."),
        ));
    }
    let now = world.now;
    let present = world
        .services
        .parameters
        .iter_mut()
        .find(|p| p.name == name);
    let version = match present {
        Some(_) if input["Overwrite"] != true => {
            return Err(ApiError::new(
                "ParameterAlreadyExists",
                "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
            ));
        }
        Some(present) => {
            if let Some(kind) = kind {
                kind.clone_into(&mut present.kind);
            }
            present.versions.push(value.to_owned());
            present.modified = now;
            present.versions.len()
        }
        None => {
            let kind = kind.ok_or_else(|| {
                ApiError::new(
                    "ValidationException",
                    "A parameter type is required when you create a parameter.",
                )
            })?;
            world.services.parameters.push(Parameter {
                name: name.to_owned(),
                kind: kind.to_owned(),
                versions: vec![value.to_owned()],
                modified: now,
            });
            1
        }
    };
    Ok(json!({ "Version": version, "Tier": "Standard" }))
}

/// A name and the version that it selects, as in `/shop/zone:3`. An ARN has colons
/// of its own, which no number follows.
fn selected(name: &str) -> (&str, Option<usize>) {
    let split = name
        .rsplit_once(':')
        .and_then(|(path, version)| Some((path, version.parse().ok()?)));
    match split {
        Some((path, version)) => (path, Some(version)),
        None => (name, None),
    }
}

/// Names of parameters (API reference, `PutParameter`).
fn check_name(name: &str) -> Result<(), ApiError> {
    let bare = name.trim_start_matches('/').to_ascii_lowercase();
    let reserved = bare.starts_with("aws") || bare.starts_with("ssm");
    let characters = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"_.-/".contains(&b));
    let qualified = !name.contains('/') || name.starts_with('/');
    let why = if reserved {
        "Parameter name: can't be prefixed with \"ssm\" (case-insensitive) or \"aws\" (case-insensitive)."
    } else if !characters {
        "Parameter name: can only contain letters, numbers and the symbols _.-/"
    } else if !qualified {
        "Parameter name must be a fully qualified name."
    } else {
        return Ok(());
    };
    Err(ApiError::new("ValidationException", why))
}
