//! What was published to topics and put on event buses.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A message to a topic, or an event on a bus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The topic's ARN, or the bus's name or ARN.
    pub to: String,
    /// Its subject, or the event's type.
    pub subject: String,
    /// Its text, or the event's detail.
    pub text: String,
    /// Its attributes, or the whole entry of the event.
    pub attributes: Value,
}
