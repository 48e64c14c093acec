//! SQS in AWS JSON 1.0: the queues of worker environments, which nothing puts messages into.

use serde_json::{Map, Value, json};

use crate::wire::error::ApiError;
use crate::wire::request::ServiceRequest;
use crate::world::World;
use crate::world::stack_parts::Queue;

type Answer = Result<Value, ApiError>;

/// The operations that it offers, sorted.
pub(crate) const OPERATIONS: [&str; 3] = ["GetQueueAttributes", "GetQueueUrl", "ListQueues"];

pub(crate) fn answer(world: &World, request: &ServiceRequest) -> Answer {
    let input: Value = serde_json::from_str(request.body()).unwrap_or_default();
    match request.operation.as_str() {
        "GetQueueAttributes" => queue_attributes(world, &input),
        "GetQueueUrl" => queue_url(world, &input),
        "ListQueues" => Ok(list_queues(world, &input)),
        operation => Err(ApiError::new(
            "InvalidAction",
            format!(
                "The sandbox offers GetQueueAttributes, GetQueueUrl and ListQueues of SQS, in AWS \
                 JSON 1.0, and not {operation}."
            ),
        )),
    }
}

/// Every queue of a worker environment, and when it was made in milliseconds.
fn queues(world: &World) -> Vec<(Queue, u64)> {
    let all = world.environments();
    let queues = all.flat_map(|environment| {
        let queues = world.queues_of(environment).into_iter();
        queues.map(|queue| (queue, environment.created))
    });
    queues.collect()
}

fn list_queues(world: &World, input: &Value) -> Value {
    let prefix = input["QueueNamePrefix"].as_str().unwrap_or_default();
    let urls = queues(world).into_iter().map(|(queue, _)| queue);
    let urls = urls.filter(|queue| queue.name().starts_with(prefix));
    let urls: Vec<String> = urls.map(|queue| queue.url).collect();
    json!({ "QueueUrls": urls })
}

fn queue_url(world: &World, input: &Value) -> Answer {
    let name = input["QueueName"].as_str().unwrap_or_default();
    let mut all = queues(world).into_iter();
    let found = all.find(|(queue, _)| queue.name() == name);
    let (queue, _) = found.ok_or_else(unknown)?;
    Ok(json!({ "QueueUrl": queue.url }))
}

fn queue_attributes(world: &World, input: &Value) -> Answer {
    let url = input["QueueUrl"].as_str().unwrap_or_default();
    let mut all = queues(world).into_iter();
    let found = all.find(|(queue, _)| queue.url == url);
    let (queue, created) = found.ok_or_else(unknown)?;
    let wanted: Vec<&str> = match &input["AttributeNames"] {
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let arn = format!(
        "arn:aws:sqs:{}:{}:{}",
        world.region,
        world.account,
        queue.name()
    );
    let seconds = (created / 1000).to_string();
    let all = [
        ("ApproximateNumberOfMessages", "0"),
        ("ApproximateNumberOfMessagesDelayed", "0"),
        ("ApproximateNumberOfMessagesNotVisible", "0"),
        ("CreatedTimestamp", seconds.as_str()),
        ("LastModifiedTimestamp", seconds.as_str()),
        ("QueueArn", arn.as_str()),
    ];
    let told: Map<String, Value> = all
        .into_iter()
        .filter(|(name, _)| wanted.contains(name) || wanted.contains(&"All"))
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    Ok(match told.is_empty() {
        true => json!({}),
        false => json!({ "Attributes": told }),
    })
}

fn unknown() -> ApiError {
    ApiError::new("QueueDoesNotExist", "The specified queue does not exist.")
}
