//! SNS, version 2010-03-31: the topics of the world take messages and keep them.

use serde_json::{Map, Value, json};

use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::message::Message;

/// The operations that it offers, sorted.
pub(crate) const OPERATIONS: [&str; 1] = ["Publish"];

/// The namespace of its answers.
pub(crate) const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";

/// The longest message in bytes, and the longest subject in characters (API reference, `Publish`).
const MESSAGE_BYTES_MAX: usize = 256 * 1024;
const SUBJECT_CHARS_MAX: usize = 100;

pub(crate) fn answer(world: &mut World, form: &Form) -> Result<Value, ApiError> {
    match form.operation() {
        "Publish" => publish(world, form),
        operation => Err(ApiError::new(
            "InvalidAction",
            format!("The sandbox offers Publish of SNS, and not {operation}."),
        )),
    }
}

fn publish(world: &mut World, form: &Form) -> Result<Value, ApiError> {
    let topic = form.get("TopicArn").unwrap_or_default().to_owned();
    let invalid =
        |what: &str| ApiError::new("InvalidParameter", format!("Invalid parameter: {what}"));
    let scope = format!(":sns:{}:{}:", world.region, world.account);
    if !topic.starts_with("arn:") || !topic.contains(&scope) {
        return Err(invalid("TopicArn"));
    }
    if !world.has_topic(&topic) {
        return Err(ApiError {
            status: 404,
            ..ApiError::new("NotFound", "Topic does not exist")
        });
    }
    let text = form.get("Message").unwrap_or_default();
    if text.is_empty() {
        return Err(invalid("Empty message"));
    }
    if text.len() > MESSAGE_BYTES_MAX {
        return Err(invalid("Message too long"));
    }
    let subject = form.get("Subject").unwrap_or_default();
    let is_plain = subject.chars().all(|c| c.is_ascii() && !c.is_control());
    if !is_plain || subject.chars().count() >= SUBJECT_CHARS_MAX {
        return Err(invalid("Subject"));
    }
    if topic.ends_with(".fifo") && form.get("MessageGroupId").is_none() {
        return Err(invalid(
            "The MessageGroupId parameter is required for FIFO topics",
        ));
    }
    let message = Message {
        to: topic,
        subject: subject.to_owned(),
        text: text.to_owned(),
        attributes: attributes(form),
    };
    world.keep_message(message);
    Ok(json!({ "MessageId": world.request_id() }))
}

fn attributes(form: &Form) -> Value {
    let of = |number: usize, what: &str| {
        let key = format!("MessageAttributes.entry.{number}.{what}");
        form.get(&key).map(str::to_owned)
    };
    let named =
        (1..).map_while(|number| Some((of(number, "Name")?, of(number, "Value.StringValue"))));
    let attributes: Map<String, Value> = named.map(|(name, value)| (name, json!(value))).collect();
    Value::Object(attributes)
}
