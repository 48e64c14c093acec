//! DescribeEvents.

use crate::operations::done::Done;
use crate::query::moments::moment;
use crate::query::page::page;
use crate::wire::answer::{Node, node};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::names::platform_arn;
use crate::world::view::Event;

/// From the least to the most severe; a filter means this or higher.
const SEVERITIES: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

pub(crate) fn describe_events(world: &World, form: &Form) -> Done {
    let rank = |severity: &str| SEVERITIES.iter().position(|s| *s == severity);
    let least = match form.get("Severity") {
        None => 0,
        Some(severity) => rank(severity)
            .ok_or_else(|| ApiError::invalid(format!("Severity {severity} is not valid.")))?,
    };
    let (start, end) = (moment(form, "StartTime")?, moment(form, "EndTime")?);
    let platform = platform_arn();
    let same = |name: &str, value: Option<&str>| form.get(name).is_none_or(|w| value == Some(w));
    let found: Vec<&Event> = world
        .seen()
        .events
        .iter()
        .rev()
        .filter(|e| rank(&e.severity) >= Some(least))
        .filter(|e| start.is_none_or(|start| e.at >= start) && end.is_none_or(|end| e.at < end))
        .filter(|e| same("ApplicationName", Some(&e.application)))
        .filter(|e| same("EnvironmentName", e.environment.as_deref()))
        .filter(|e| same("EnvironmentId", e.environment_id.as_deref()))
        .filter(|e| same("VersionLabel", e.version_label.as_deref()))
        // No event is about a template.
        .filter(|_| same("TemplateName", None))
        .filter(|_| same("PlatformArn", Some(&platform)))
        .filter(|e| same("RequestId", Some(&e.request_id)))
        .collect();
    let (shown, next) = page(form, found)?;
    let shown = shown.into_iter().map(event_node);
    Ok(Some(
        node().nodes("Events", shown).option("NextToken", next),
    ))
}

fn event_node(event: &Event) -> Node {
    node()
        .date("EventDate", event.at)
        .text("Message", &event.message)
        .text("ApplicationName", &event.application)
        .option("VersionLabel", event.version_label.as_ref())
        .option("EnvironmentName", event.environment.as_ref())
        .text("PlatformArn", platform_arn())
        .option(
            "RequestId",
            Some(&event.request_id).filter(|id| !id.is_empty()),
        )
        .text("Severity", &event.severity)
}
