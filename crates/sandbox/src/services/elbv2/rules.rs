//! What changes rules.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::services::elbv2::actions::check_actions;
use crate::services::elbv2::answer::{Answer, invalid, not_found, told_of};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::balancing::{OIDC, Rule, members, normal_actions, normal_conditions};

/// The lowest priority of a rule (API reference, `CreateRule`).
const PRIORITY_MAX: u32 = 50_000;

pub(crate) fn add_tags(world: &mut World, form: &Form) -> Answer {
    let tags = tags(form);
    for arn in form.list("ResourceArns") {
        tags_of(world, arn)?.extend(tags.clone());
    }
    Ok(json!({}))
}

pub(crate) fn remove_tags(world: &mut World, form: &Form) -> Answer {
    let keys = form.list("TagKeys");
    for arn in form.list("ResourceArns") {
        tags_of(world, arn)?.retain(|key, _| !keys.contains(&key.as_str()));
    }
    Ok(json!({}))
}

/// The tags of a rule of the shared load balancer, the default one included: others have those of
/// their stack.
fn tags_of<'a>(
    world: &'a mut World,
    arn: &str,
) -> Result<&'a mut BTreeMap<String, String>, ApiError> {
    if arn == world.default_rule_arn() {
        return Ok(&mut world.services.balancing.default_tags);
    }
    let mut rules = world.services.balancing.rules.iter_mut();
    let rule = rules.find(|rule| rule.arn == arn);
    Ok(&mut rule.ok_or_else(|| not_found("Rule", "rules"))?.tags)
}

pub(crate) fn create_rule(world: &mut World, form: &Form, input: &Value) -> Answer {
    let asked = form.get("ListenerArn").unwrap_or_default();
    let balancers = world.balancers();
    let mut listeners = balancers.iter().flat_map(|b| world.listeners_of(b));
    let listener = listeners.find(|listener| listener.arn == asked);
    let listener = listener.ok_or_else(|| not_found("Listener", "listeners"))?;
    let priority = form
        .get("Priority")
        .and_then(|text| text.parse().ok())
        .filter(|priority| (1..=PRIORITY_MAX).contains(priority))
        .ok_or_else(|| invalid("Priority must be between 1 and 50000"))?;
    let taken = world.rules_of(&listener);
    if taken.iter().any(|rule| rule.priority == priority) {
        return Err(ApiError::new(
            "PriorityInUse",
            format!("Priority '{priority}' is currently in use"),
        ));
    }
    check_actions(world, &input["Actions"])?;
    check_secrets(&input["Actions"], None)?;
    let (arn, listener) = match listener.arn == world.listener_arn() {
        true => (world.new_rule_arn(), None),
        false => (world.new_rule_of(&listener.arn), Some(listener.arn)),
    };
    let rule = Rule {
        arn,
        priority,
        conditions: normal_conditions(&input["Conditions"]),
        actions: normal_actions(&input["Actions"]),
        tags: tags(form),
        owner: None,
        listener,
    };
    let answer = json!({ "Rules": [told_of(&rule)] });
    world.services.balancing.rules.push(rule);
    Ok(answer)
}

pub(crate) fn modify_rule(world: &mut World, form: &Form, input: &Value) -> Answer {
    let arn = form
        .get("RuleArn")
        .ok_or_else(|| invalid("A rule ARN must be specified"))?;
    if arn == world.default_rule_arn() {
        return Err(ApiError::new(
            "OperationNotPermitted",
            format!("Default rule '{arn}' cannot be modified"),
        ));
    }
    let at = world
        .services
        .balancing
        .rules
        .iter()
        .position(|rule| rule.arn == arn)
        .ok_or_else(|| not_found("Rule", "rules"))?;
    let (conditions, actions) = (&input["Conditions"], &input["Actions"]);
    if conditions.is_null() && actions.is_null() {
        return Err(invalid("Either conditions or actions must be specified"));
    }
    if !actions.is_null() {
        check_actions(world, actions)?;
        let before = &world.services.balancing.rules[at].actions;
        check_secrets(actions, Some(before))?;
    }
    let rule = &mut world.services.balancing.rules[at];
    if !conditions.is_null() {
        rule.conditions = normal_conditions(conditions);
    }
    if !actions.is_null() {
        rule.actions = normal_actions(actions);
    }
    Ok(json!({ "Rules": [told_of(rule)] }))
}

pub(crate) fn delete_rule(world: &mut World, form: &Form) -> Answer {
    let arn = form.get("RuleArn").unwrap_or_default();
    let rules = &mut world.services.balancing.rules;
    let before = rules.len();
    rules.retain(|rule| rule.arn != arn);
    if rules.len() == before {
        return Err(not_found("Rule", "rules"));
    }
    Ok(json!({}))
}

/// A client's secret is given, or the one that a rule has is kept; no answer shows it (API
/// reference, `AuthenticateOidcActionConfig`).
fn check_secrets(actions: &Value, before: Option<&Value>) -> Result<(), ApiError> {
    let authenticates = |actions: &Value| members(actions).any(|action| action["Type"] == OIDC);
    for action in members(actions).filter(|action| action["Type"] == OIDC) {
        let config = &action["AuthenticateOidcConfig"];
        let is_given = config["ClientSecret"]
            .as_str()
            .is_some_and(|s| !s.is_empty());
        let is_kept = config["UseExistingClientSecret"] == "true";
        let keeps = is_kept && before.is_some_and(authenticates);
        if is_given == keeps {
            return Err(invalid(
                "Either a client secret must be specified or UseExistingClientSecret must be true",
            ));
        }
    }
    Ok(())
}

pub(crate) fn tags(form: &Form) -> BTreeMap<String, String> {
    let tag = |tag: &Form| {
        let field = |name| tag.get(name).unwrap_or_default().to_owned();
        (field("Key"), field("Value"))
    };
    form.members("Tags").iter().map(tag).collect()
}
