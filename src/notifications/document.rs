//! The JSON document about a deployment that machines get. Pure.

use serde_json::{Value, json};

use super::delivery::Delivery;

/// The version of the document. Fields are only ever added to a version.
const VERSION: u32 = 1;

/// The document of a message.
pub(super) fn document(delivery: &Delivery) -> Value {
    let notification = &delivery.notification;
    let target = &notification.target;
    let next = delivery.next.iter().map(|line| match command(line) {
        (command, Some(does)) => json!({ "command": command, "does": does }),
        (command, None) => json!({ "command": command }),
    });
    json!({
        "version": VERSION,
        "event_id": notification.event_id,
        "kind": notification.occasion,
        "at": notification.at.to_string(),
        "id": notification.deployment,
        "target": {
            "account": target.account,
            "region": target.region,
            "application": target.application,
            "blue": target.blue,
        },
        "state": notification.state,
        "meaning": notification.meaning,
        "from_version": notification.from,
        "to_version": notification.to,
        "users": notification.users,
        "why": notification.why,
        "message": notification.message(),
        "report": delivery.report,
        "next": next.collect::<Vec<_>>(),
    })
}

/// The command of a line that leads on, and what it does.
pub(super) fn command(line: &str) -> (&str, Option<&str>) {
    match line.split_once("   ") {
        Some((command, does)) => (command.trim(), Some(does.trim())),
        None => (line.trim(), None),
    }
}

/// What people read beside the title: a name and a value each.
pub(super) fn facts(delivery: &Delivery) -> Vec<(&'static str, String)> {
    let notification = &delivery.notification;
    let target = &notification.target;
    let state = format!("{}: {}", notification.state, notification.meaning);
    let place = format!(
        "{}/{} in {}, account {}",
        target.application, target.blue, target.region, target.account
    );
    let mut facts = vec![
        ("Users", notification.users.clone()),
        ("State", state),
        ("Target", place),
        ("Deployment", notification.deployment.clone()),
        ("At", notification.at.to_string()),
    ];
    if !notification.why.is_empty() {
        facts.insert(1, ("Why", notification.why.clone()));
    }
    if let Some(report) = &delivery.report {
        facts.push(("Report", report.clone()));
    }
    facts
}
