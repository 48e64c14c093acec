//! EventBridge, version 2015-10-07: the event buses of the world take events and keep them.

use serde_json::{Value, json};

use crate::wire::error::ApiError;
use crate::wire::request::ServiceRequest;
use crate::world::World;
use crate::world::message::Message;

/// The operations that it offers, sorted.
pub(crate) const OPERATIONS: [&str; 1] = ["PutEvents"];

/// The most entries of a request (API reference, `PutEvents`).
const ENTRIES_MAX: usize = 10;

pub(crate) fn answer(world: &mut World, request: &ServiceRequest) -> Result<Value, ApiError> {
    let input: Value = serde_json::from_str(request.body()).unwrap_or_default();
    if request.operation != "PutEvents" {
        let operation = &request.operation;
        let told = format!("The sandbox offers PutEvents of EventBridge, and not {operation}.");
        return Err(ApiError::new("UnknownOperationException", told));
    }
    let entries = input["Entries"].as_array().cloned().unwrap_or_default();
    if entries.is_empty() || entries.len() > ENTRIES_MAX {
        let told = "1 validation error detected: Value at 'entries' failed to satisfy constraint: \
                    Member must have length less than or equal to 10 and at least 1";
        return Err(ApiError::new("ValidationException", told));
    }
    let told: Vec<Value> = entries.into_iter().map(|entry| put(world, entry)).collect();
    let failed = told.iter().filter(|told| !told["ErrorCode"].is_null());
    let failed = failed.count();
    Ok(json!({ "FailedEntryCount": failed, "Entries": told }))
}

/// Takes an entry, or says what is wrong with it: the request succeeds either way.
fn put(world: &mut World, entry: Value) -> Value {
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let refused = |code: &str, told: &str| json!({ "ErrorCode": code, "ErrorMessage": told });
    let (bus, detail) = (text("EventBusName"), text("Detail"));
    let bus = match bus.as_str() {
        "" => "default".to_owned(),
        named => named.rsplit('/').next().unwrap_or_default().to_owned(),
    };
    for required in ["Source", "DetailType", "Detail"] {
        if text(required).is_empty() {
            return refused(
                "InvalidArgument",
                &format!("Parameter {required} is not valid."),
            );
        }
    }
    let is_object = serde_json::from_str::<Value>(&detail).is_ok_and(|detail| detail.is_object());
    if !is_object {
        return refused("MalformedDetail", "Detail is malformed.");
    }
    if !world.has_event_bus(&bus) {
        return refused("NotFoundException", "Event bus does not exist.");
    }
    let message = Message {
        to: bus,
        subject: text("DetailType"),
        text: detail,
        attributes: entry.clone(),
    };
    world.keep_message(message);
    json!({ "EventId": world.request_id() })
}
