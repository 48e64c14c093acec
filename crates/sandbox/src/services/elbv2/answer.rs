//! The parts of answers.

use serde_json::{Value, json};

use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::balancing::Rule;
use crate::world::environment::Environment;

pub(crate) type Answer = Result<Value, ApiError>;

const PAGE_MAX: usize = 400;

pub(crate) fn told_of(rule: &Rule) -> Value {
    json!({
        "RuleArn": rule.arn,
        "Priority": rule.priority.to_string(),
        "Conditions": rule.conditions,
        "Actions": rule.actions,
        "IsDefault": false,
    })
}

/// The environment whose target group this is; `None` where it is nobody's.
///
/// # Errors
/// Where there is no such target group.
pub(crate) fn environment_behind<'a>(
    world: &'a World,
    target_group: &str,
) -> Result<Option<&'a Environment>, ApiError> {
    let mut groups = world.target_groups().into_iter();
    let group = groups.find(|group| group.arn == target_group);
    let group = group.ok_or_else(|| not_found("TargetGroup", "target groups"))?;
    let mut environments = world.environments();
    Ok(environments.find(|e| group.environment.as_ref() == Some(&e.id)))
}

/// A page of a list (`PageSize`, 1 to 400) and where the next begins.
pub(crate) fn page(form: &Form, list: &str, all: Vec<Value>) -> Answer {
    let size = match form.get("PageSize") {
        None => PAGE_MAX,
        Some(text) => text
            .parse()
            .ok()
            .filter(|size| (1..=PAGE_MAX).contains(size))
            .ok_or_else(|| invalid("PageSize must be between 1 and 400"))?,
    };
    let start: usize = match form.get("Marker") {
        None => 0,
        Some(marker) => marker.parse().map_err(|_| invalid("Invalid marker"))?,
    };
    let total = all.len();
    let shown: Vec<Value> = all.into_iter().skip(start).take(size).collect();
    let next = start + shown.len();
    let marker = (next < total).then(|| next.to_string());
    Ok(json!({ list: shown, "NextMarker": marker }))
}

pub(crate) fn not_found(what: &str, in_words: &str) -> ApiError {
    ApiError::new(
        &format!("{what}NotFound"),
        format!("One or more {in_words} not found"),
    )
}

pub(crate) fn invalid(message: &str) -> ApiError {
    ApiError::new("ValidationError", message)
}
