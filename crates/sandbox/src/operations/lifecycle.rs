//! The lifecycle of an application's versions: UpdateApplicationResourceLifecycle, and what
//! CreateApplication sets.

use crate::operations::done::Done;
use crate::query::lookup::require_application;
use crate::wire::answer::{Node, node};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::lifecycle::{Lifecycle, Rule};

const CONFIG: &str = "ResourceLifecycleConfig";

pub(crate) fn update_lifecycle(world: &mut World, form: &Form) -> Done {
    let name = form.require("ApplicationName")?.to_owned();
    require_application(world, &name)?;
    let mut applications = world.view.applications.iter();
    let before = applications.find(|a| a.name == name);
    let before = before.map(|a| a.lifecycle.clone()).unwrap_or_default();
    let lifecycle = lifecycle_of(form, before)?;
    let now = world.now;
    let answer = lifecycle_node(&lifecycle);
    world.change_application(&name, |application| {
        application.lifecycle = lifecycle;
        application.updated = now;
    });
    Ok(Some(
        node().text("ApplicationName", name).node(CONFIG, answer),
    ))
}

/// The lifecycle that a request sets, over the one before.
///
/// # Errors
/// Where rules are set and no role was ever named (API model,
/// `ApplicationResourceLifecycleConfig`), or both rules are enabled (developer guide,
/// "Configuring application version lifecycle settings": one of them).
pub(crate) fn lifecycle_of(form: &Form, before: Lifecycle) -> Result<Lifecycle, ApiError> {
    let role = form.get(&format!("{CONFIG}.ServiceRole"));
    let service_role = role.map(str::to_owned).or(before.service_role);
    let is_set = |rule: &str| {
        let stem = format!("{CONFIG}.VersionLifecycleConfig.{rule}.");
        form.fields().any(|(name, _)| name.starts_with(&stem))
    };
    let lifecycle = Lifecycle {
        service_role,
        count: rule(form, "MaxCountRule", "MaxCount", before.count)?,
        age: rule(form, "MaxAgeRule", "MaxAgeInDays", before.age)?,
    };
    let sets_rules = is_set("MaxCountRule") || is_set("MaxAgeRule");
    if sets_rules && lifecycle.service_role.is_none() {
        return Err(ApiError::new(
            "MissingRequiredParameter",
            "ServiceRole is required when VersionLifecycleConfig is provided.",
        ));
    }
    if lifecycle.count.enabled && lifecycle.age.enabled {
        return Err(ApiError::new(
            "InvalidParameterCombination",
            "MaxCountRule and MaxAgeRule may not both be enabled.",
        ));
    }
    Ok(lifecycle)
}

fn rule(form: &Form, name: &str, maximum: &str, before: Rule) -> Result<Rule, ApiError> {
    let field = |what: &str| form.get(&format!("{CONFIG}.VersionLifecycleConfig.{name}.{what}"));
    let flag = |what: &str, before: bool| field(what).map_or(before, |value| value == "true");
    let most = match field(maximum) {
        None => before.maximum,
        Some(text) => text.parse().ok().filter(|n| *n > 0).ok_or_else(|| {
            ApiError::invalid(format!(
                "Value {text} at '{maximum}' must be a positive number."
            ))
        })?,
    };
    Ok(Rule {
        enabled: flag("Enabled", before.enabled),
        maximum: most,
        deletes_bundle: flag("DeleteSourceFromS3", before.deletes_bundle),
    })
}

pub(crate) fn lifecycle_node(lifecycle: &Lifecycle) -> Node {
    let rule = |rule: Rule, maximum: &'static str| {
        node()
            .text("Enabled", rule.enabled)
            .text(maximum, rule.maximum)
            .text("DeleteSourceFromS3", rule.deletes_bundle)
    };
    let rules = node()
        .node("MaxCountRule", rule(lifecycle.count, "MaxCount"))
        .node("MaxAgeRule", rule(lifecycle.age, "MaxAgeInDays"));
    node()
        .option("ServiceRole", lifecycle.service_role.as_ref())
        .node("VersionLifecycleConfig", rules)
}
