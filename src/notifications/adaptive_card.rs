//! Messages for Microsoft Teams: adaptive cards, as data. Pure.

use serde_json::{Value, json};

use super::delivery::Delivery;
use super::document::facts;

/// The message with its card.
pub(super) fn message(delivery: &Delivery) -> Value {
    // Runs of text show no Markdown: what comes from AWS or a test is no link.
    let run = |text: &str, bold: bool| {
        let weight = match bold {
            true => "Bolder",
            false => "Default",
        };
        json!({ "type": "TextRun", "text": text, "weight": weight })
    };
    let line = |runs: Vec<Value>| json!({ "type": "RichTextBlock", "inlines": runs });
    let title = delivery.notification.title();
    let mut body = vec![json!({
        "type": "RichTextBlock",
        "inlines": [{ "type": "TextRun", "text": title, "weight": "Bolder", "size": "Large" }],
    })];
    for (name, value) in facts(delivery) {
        body.push(line(vec![
            run(&format!("{name}: "), true),
            run(&value, false),
        ]));
    }
    for next in &delivery.next {
        body.push(json!({
            "type": "RichTextBlock",
            "inlines": [{ "type": "TextRun", "text": next, "fontType": "Monospace" }],
        }));
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": { "width": "Full" },
                "body": body,
            },
        }],
    })
}
