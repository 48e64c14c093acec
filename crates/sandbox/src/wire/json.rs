//! An answer of the Query protocol in JSON, which the service gives to `ContentType=JSON` (boto,
//! `beanstalk/layer1.py`) or `Accept: application/json` (einaregilsson/beanstalk-deploy): the same
//! tree as the XML has.

use serde_json::{Map, Value, json};

use crate::wire::answer::{Node, Part};
use crate::wire::error::ApiError;

/// The body of a good answer; none in `result` is a void operation's.
pub(crate) fn answer(operation: &str, result: Option<&Node>, request_id: &str) -> String {
    let mut response = Map::new();
    if let Some(result) = result {
        response.insert(format!("{operation}Result"), of_node(result));
    }
    let metadata = json!({ "RequestId": request_id });
    response.insert("ResponseMetadata".to_owned(), metadata);
    json!({ format!("{operation}Response"): response }).to_string()
}

/// The body of an error answer.
pub(crate) fn refusal(error: &ApiError, request_id: &str) -> String {
    let error = json!({
        "Code": error.code,
        "Message": error.message,
        "Type": error.side(),
    });
    json!({ "Error": error, "RequestId": request_id }).to_string()
}

fn of_node(Node(fields): &Node) -> Value {
    let fields = fields.iter();
    fields
        .map(|(name, part)| ((*name).to_owned(), of_part(part)))
        .collect()
}

/// A moment is in seconds since the Unix epoch.
fn of_part(part: &Part) -> Value {
    match part {
        Part::Text(text) => json!(text),
        Part::Number(number) => Value::Number(number.clone()),
        Part::Boolean(value) => json!(value),
        Part::Moment(at) => json!(*at as f64 / 1000.0),
        Part::Absent => Value::Null,
        Part::Node(node) => of_node(node),
        Part::List(members) => members.iter().map(of_part).collect(),
    }
}
