//! Simulates whether policies allow actions.
//!
//! The answer does not say which statements decided.

use serde_json::{Value, json};

use crate::services::iam::answer::{Answer, missing, required, unknown};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::iam::identities::short;
use crate::world::iam::need::Need;
use crate::world::iam::verdict::Verdict;

/// The usual number of results in an answer, and the most (API reference, `MaxItems`).
const ITEMS: usize = 100;
const ITEMS_MAX: usize = 1000;

pub(crate) fn simulate(world: &World, form: &Form) -> Answer {
    let source = required(form, "PolicySourceArn")?;
    let (kind, path) = entity(source)?;
    if !world.is_known(source) {
        return Err(unknown(kind, short(path)));
    }
    let actions = form.list("ActionNames");
    if actions.is_empty() {
        return Err(missing("actionNames"));
    }
    if let Some(action) = actions.iter().find(|action| !action.contains(':')) {
        return Err(ApiError::new(
            "InvalidInput",
            format!("Invalid Action: {action}"),
        ));
    }
    let mut resources = form.list("ResourceArns");
    if resources.is_empty() {
        resources.push("*");
    }
    let results: Vec<Value> = actions
        .into_iter()
        .map(|action| evaluated(world, form, source, action, &resources))
        .collect();
    let size = match form.get("MaxItems") {
        None => ITEMS,
        Some(text) => text
            .parse()
            .ok()
            .filter(|size| (1..=ITEMS_MAX).contains(size))
            .ok_or_else(|| unfit("maxItems"))?,
    };
    let start: usize = match form.get("Marker") {
        None => 0,
        Some(marker) => marker
            .parse()
            .map_err(|_| ApiError::new("InvalidInput", "Invalid Marker."))?,
    };
    let next = start.saturating_add(size);
    let is_truncated = next < results.len();
    let shown: Vec<Value> = results.into_iter().skip(start).take(size).collect();
    Ok(Some(json!({
        "EvaluationResults": shown,
        "IsTruncated": is_truncated,
        "Marker": is_truncated.then(|| next.to_string()),
    })))
}

/// Whether the policies of a user or role allow an action on each resource, and on all together.
fn evaluated(world: &World, form: &Form, source: &str, action: &str, resources: &[&str]) -> Value {
    let each: Vec<(&str, &str, Vec<String>)> = resources
        .iter()
        .map(|resource| {
            let need = context(form, Need::new(action, *resource));
            let (verdict, missing) = world.judge(source, &need);
            let decision = in_words(verdict);
            (*resource, decision, missing)
        })
        .collect();
    let worst = ["explicitDeny", "implicitDeny"]
        .into_iter()
        .find(|worst| each.iter().any(|(_, decision, _)| decision == worst));
    let mut missing: Vec<&String> = each.iter().flat_map(|(.., missing)| missing).collect();
    missing.sort();
    missing.dedup();
    let specific: Vec<Value> = each
        .iter()
        .filter(|(resource, ..)| *resource != "*")
        .map(|(resource, decision, missing)| {
            json!({
                "EvalResourceName": resource,
                "EvalResourceDecision": decision,
                "MissingContextValues": missing,
            })
        })
        .collect();
    json!({
        "EvalActionName": action,
        // A template of the resource's ARN since 2026; the sandbox has none.
        "EvalResourceName": "*",
        "EvalDecision": worst.unwrap_or("allowed"),
        "MissingContextValues": missing,
        "ResourceSpecificResults": specific,
    })
}

/// The decision in IAM's words.
fn in_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allowed => "allowed",
        Verdict::NotAllowed => "implicitDeny",
        Verdict::Denied => "explicitDeny",
    }
}

/// A need with the context entries of a request.
fn context(form: &Form, need: Need) -> Need {
    form.members("ContextEntries")
        .iter()
        .fold(need, |need, entry| {
            let key = entry.get("ContextKeyName").unwrap_or_default();
            let values = entry.list("ContextKeyValues");
            need.key(key, values.into_iter().map(str::to_owned))
        })
}

/// The kind and path of the user, group or role that an ARN names.
fn entity(arn: &str) -> Result<(&str, &str), ApiError> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let named = match parts.as_slice() {
        [_, _, "iam", _, _, who] => who.split_once('/'),
        _ => None,
    };
    let known = named.filter(|(kind, _)| ["user", "group", "role"].contains(kind));
    known.ok_or_else(|| {
        ApiError::new(
            "InvalidInput",
            format!("Invalid Entity Arn: {arn} does not clearly define entity type and name."),
        )
    })
}

fn unfit(member: &str) -> ApiError {
    ApiError::new(
        "ValidationError",
        format!(
            "1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must have value between 1 and {ITEMS_MAX}"
        ),
    )
}
