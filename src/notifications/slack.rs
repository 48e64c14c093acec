//! Messages for Slack, as data. Pure.

use serde_json::{Value, json};

use super::delivery::Delivery;
use super::document::facts;
use crate::text::short;

/// The longest header, and the longest text of a section (Slack's reference, "Blocks").
const HEADER_CHARS_MAX: usize = 150;
const TEXT_CHARS_MAX: usize = 2000;

/// The message: a text for notifications and the blocks that people see.
pub(super) fn message(delivery: &Delivery) -> Value {
    let title = delivery.notification.title();
    // Plain text: what comes from AWS or a test is neither a link nor a mention.
    let plain = |text: String| json!({ "type": "plain_text", "text": text, "emoji": false });
    let lines: Vec<_> = facts(delivery)
        .into_iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    let mut blocks = vec![
        json!({ "type": "header", "text": plain(short(&title, HEADER_CHARS_MAX - 1)) }),
        json!({ "type": "section", "text": plain(cut(&lines.join("\n"))) }),
    ];
    if !delivery.next.is_empty() {
        let next = cut(&delivery.next.join("\n"));
        blocks.push(json!({ "type": "section", "text": plain(next) }));
    }
    json!({ "text": escaped(&delivery.notification.message()), "blocks": blocks })
}

/// A text that Slack shows as it is (Slack's reference, "Escaping text").
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}
