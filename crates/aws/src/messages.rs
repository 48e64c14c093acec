//! SNS, version 2010-03-31, and EventBridge, version 2015-10-07, of which a message about a
//! deployment needs one operation each: `Publish` and `PutEvents`.

use serde::Deserialize;
use serde_json::json;

use super::clients::AwsCloud;
use super::failure::look_error;
use super::json::Json;
use super::query::{Query, unreadable, values};
use super::signed::Service;
use crate::cloud::LookError;

const SNS: Query = Query {
    service: Service {
        id: "SNS",
        name: "sns",
        gov_is_fips: true,
    },
    version: "2010-03-31",
};

const EVENT_BRIDGE: Json = Json {
    service: Service {
        id: "EventBridge",
        name: "events",
        gov_is_fips: true,
    },
    target: "AWSEvents",
};

/// What a message to a topic holds.
#[derive(Clone, Copy, Debug)]
pub struct TopicMessage<'a> {
    /// The subject: less than 100 characters, in ASCII (API reference, `Publish`).
    pub subject: &'a str,
    /// The text.
    pub text: &'a str,
    /// The attribute `kind`, by which subscriptions filter.
    pub kind: &'a str,
    /// The same for every attempt to publish it.
    pub event_id: &'a str,
    /// What keeps the order of messages in a FIFO topic.
    pub group: &'a str,
}

/// The answer (API reference, `PutEvents`): an entry that the service refused has a code.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutEvents {
    #[serde(default)]
    failed_entry_count: u64,
    #[serde(default)]
    entries: Vec<PutEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutEntry {
    error_code: Option<String>,
    error_message: Option<String>,
}

/// The code of an entry that the service could not take for now (API reference, `PutEvents`).
const PASSING: [&str; 2] = ["ThrottlingException", "InternalFailure"];

impl AwsCloud {
    /// Publishes a message to a topic of this region.
    ///
    /// # Errors
    /// [`LookError`]; whether it arrived is not known after [`LookError::Passing`].
    pub async fn publish(&self, topic: &str, message: TopicMessage<'_>) -> Result<(), LookError> {
        let TopicMessage {
            subject,
            text,
            kind,
            event_id,
            group,
        } = message;
        let mut fields = vec![
            ("TopicArn", topic),
            ("Subject", subject),
            ("Message", text),
            ("MessageAttributes.entry.1.Name", "kind"),
            ("MessageAttributes.entry.1.Value.DataType", "String"),
            ("MessageAttributes.entry.1.Value.StringValue", kind),
            ("MessageAttributes.entry.2.Name", "event_id"),
            ("MessageAttributes.entry.2.Value.DataType", "String"),
            ("MessageAttributes.entry.2.Value.StringValue", event_id),
        ];
        if topic.ends_with(".fifo") {
            fields.extend([
                ("MessageGroupId", group),
                ("MessageDeduplicationId", event_id),
            ]);
        }
        const OPERATION: &str = "Publish";
        let parse = |document: &str| {
            let ids = values(document, "PublishResponse", "/PublishResult/MessageId")?;
            (!ids.is_empty()).then_some(())
        };
        let answer = SNS.ask(&self.lazy_clients, OPERATION, &fields, parse).await;
        let answer = answer.map_err(|error| look_error(OPERATION, &error))?;
        answer.ok_or_else(|| unreadable(OPERATION))
    }

    /// Puts an event on an event bus of this region; `detail` is JSON.
    ///
    /// # Errors
    /// [`LookError`]; whether it arrived is not known after [`LookError::Passing`].
    pub async fn put_event(
        &self,
        bus: &str,
        detail_type: &str,
        resources: &[String],
        detail: &str,
    ) -> Result<(), LookError> {
        const OPERATION: &str = "PutEvents";
        let body = json!({ "Entries": [{
            "Source": "bluegreen",
            "DetailType": detail_type,
            "Resources": resources,
            "Detail": detail,
            "EventBusName": bus,
        }] });
        let answer = EVENT_BRIDGE.ask(&self.lazy_clients, OPERATION, &body).await;
        let answer: PutEvents = answer.map_err(|error| look_error(OPERATION, &error))?;
        if answer.failed_entry_count == 0 {
            return Ok(());
        }
        let refused = answer.entries.into_iter().next();
        let code = refused.as_ref().and_then(|entry| entry.error_code.clone());
        let told = refused.and_then(|entry| entry.error_message);
        let code = code.unwrap_or_else(|| "an error without a code".to_owned());
        let text = format!("{OPERATION}: {code}: {}", told.unwrap_or_default());
        Err(match PASSING.contains(&code.as_str()) {
            true => LookError::Passing(text),
            false => LookError::Refused(text),
        })
    }
}
