//! GetParametersByPath, DeleteParameter and DeleteParameters.

use serde_json::{Value, json};

use crate::services::parameters::answer::{Answer, names, required, shown};
use crate::wire::error::ApiError;
use crate::world::World;

/// How many parameters a page may have, and has where a request does not say (API reference,
/// `GetParametersByPath`).
const PAGE_MAX: u64 = 10;

pub(crate) fn get_parameters_by_path(world: &World, input: &Value) -> Answer {
    let path = required(input, "Path")?;
    if !path.starts_with('/') {
        return Err(invalid(
            "The parameter path must begin with a slash /.".to_owned(),
        ));
    }
    let folder = format!("{}/", path.trim_end_matches('/'));
    let is_recursive = input["Recursive"] == true;
    let mut found: Vec<_> = world.services.parameters.iter().collect();
    found.retain(|parameter| {
        let below = parameter.name.strip_prefix(&folder);
        below.is_some_and(|below| is_recursive || !below.contains('/'))
    });
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let size = match input["MaxResults"].as_u64() {
        None => PAGE_MAX,
        Some(size @ 1..=PAGE_MAX) => size,
        Some(_) => return Err(invalid(format!("MaxResults must be from 1 to {PAGE_MAX}."))),
    };
    let start: u64 = match input["NextToken"].as_str() {
        None => 0,
        Some(token) => token
            .parse()
            .map_err(|_| ApiError::new("InvalidNextToken", "The specified token is not valid."))?,
    };
    let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let next = start.saturating_add(size);
    let more = (place(next) < found.len()).then(|| next.to_string());
    let page = found.into_iter().skip(place(start)).take(place(size));
    let decrypt = input["WithDecryption"] == true;
    let told: Vec<Value> = page
        .filter_map(|parameter| shown(world, parameter, None, decrypt))
        .collect();
    let mut answer = json!({ "Parameters": told });
    if let Some(more) = more {
        answer["NextToken"] = json!(more);
    }
    Ok(answer)
}

pub(crate) fn delete_parameter(world: &mut World, input: &Value) -> Answer {
    let name = required(input, "Name")?;
    match remove(world, name) {
        true => Ok(json!({})),
        // The service gives this error no words.
        false => Err(ApiError::new("ParameterNotFound", "")),
    }
}

pub(crate) fn delete_parameters(world: &mut World, input: &Value) -> Answer {
    let names = names(input)?.into_iter();
    let (deleted, invalid): (Vec<&str>, Vec<&str>) = names.partition(|name| remove(world, name));
    Ok(json!({ "DeletedParameters": deleted, "InvalidParameters": invalid }))
}

/// Removes a parameter, and returns whether there was one.
fn remove(world: &mut World, name: &str) -> bool {
    let Some(found) = world.parameter(name).map(|found| found.name.clone()) else {
        return false;
    };
    world.services.parameters.retain(|p| p.name != found);
    true
}

fn invalid(message: String) -> ApiError {
    ApiError::new("ValidationException", message)
}
