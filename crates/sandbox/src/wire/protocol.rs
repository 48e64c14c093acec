//! The protocols of a service that speaks several: a request and an answer are JSON
//! values here, whatever goes over the wire.
//!
//! Smithy RPC v2 CBOR is what today's SDKs send to CloudWatch, AWS JSON 1.0 and Query what
//! others do; all three are in its model (botocore, `protocols`).

use bytes::Bytes;
use ciborium::Value as Cbor;
use http::Request;
use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::time::date;
use crate::wire::element::{Element, element};
use crate::wire::form::Form;

/// The format of a request and of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Protocol {
    Query,
    Json,
    Cbor,
}

/// A member whose name ends so is a moment: seconds since the epoch in JSON and, under
/// tag 1, in CBOR; RFC 3339 in XML.
const MOMENT: &str = "Timestamp";
/// A list of moments.
const MOMENTS: &str = "Timestamps";

impl Protocol {
    /// The protocol that a request is written in.
    pub fn of(request: &Request<Bytes>) -> Protocol {
        let header = |name: &str| request.headers().get(name)?.to_str().ok();
        let is_json = header(CONTENT_TYPE.as_str()).is_some_and(|t| t.contains("json"));
        if header("smithy-protocol") == Some("rpc-v2-cbor") {
            Protocol::Cbor
        } else if is_json && header("x-amz-target").is_some() {
            Protocol::Json
        } else {
            Protocol::Query
        }
    }

    /// The operation of a request, and its input; null where it cannot be read.
    pub fn read(self, request: &Request<Bytes>) -> (String, Value) {
        let body = request.body();
        match self {
            Protocol::Cbor => {
                let path = request.uri().path();
                let operation = path.rsplit('/').next().unwrap_or_default();
                let input = match body.is_empty() {
                    true => json!({}),
                    false => ciborium::from_reader(body.as_ref()).map_or(Value::Null, from_cbor),
                };
                (operation.to_owned(), input)
            }
            Protocol::Json => {
                let target = request.headers().get("x-amz-target");
                let target = target.and_then(|target| target.to_str().ok());
                let operation = target.unwrap_or_default().rsplit('.').next();
                let input = serde_json::from_slice(body).unwrap_or_default();
                (operation.unwrap_or_default().to_owned(), input)
            }
            Protocol::Query => {
                let form = Form::parse(body);
                (form.operation().to_owned(), form.tree())
            }
        }
    }

    /// The content type of an answer.
    pub fn content_type(self) -> &'static str {
        match self {
            Protocol::Query => "text/xml",
            Protocol::Json => "application/x-amz-json-1.0",
            Protocol::Cbor => "application/cbor",
        }
    }

    /// An answer in JSON as it goes over the wire.
    pub fn encoded(self, answer: Value) -> Bytes {
        match self {
            Protocol::Query | Protocol::Json => Bytes::from(answer.to_string()),
            Protocol::Cbor => {
                let mut bytes = Vec::new();
                // Writing into memory cannot fail.
                let _ = ciborium::into_writer(&to_cbor("", answer), &mut bytes);
                Bytes::from(bytes)
            }
        }
    }
}

/// The result of an operation in XML: lists of `member`, moments in RFC 3339.
pub(crate) fn in_xml(name: &str, value: &Value) -> Element {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .fold(element(name), |node, (name, value)| {
                node.with(in_xml(name, value))
            }),
        Value::Array(members) => members.iter().fold(element(name), |list, member| {
            let told = match name == MOMENTS {
                true => in_xml(MOMENT, member),
                false => in_xml("member", member),
            };
            list.with(Element {
                name: "member".to_owned(),
                ..told
            })
        }),
        Value::Number(seconds) if name.ends_with(MOMENT) => Element {
            text: date((seconds.as_f64().unwrap_or_default() * 1000.0) as u64),
            ..element(name)
        },
        Value::String(text) => Element {
            text: text.clone(),
            ..element(name)
        },
        other => Element {
            text: other.to_string(),
            ..element(name)
        },
    }
}

fn from_cbor(value: Cbor) -> Value {
    match value {
        Cbor::Integer(number) => i64::try_from(number).map_or(Value::Null, Value::from),
        Cbor::Float(number) => Value::from(number),
        Cbor::Text(text) => Value::String(text),
        Cbor::Bool(yes) => Value::Bool(yes),
        Cbor::Tag(_, inner) => from_cbor(*inner),
        Cbor::Array(members) => Value::Array(members.into_iter().map(from_cbor).collect()),
        Cbor::Map(fields) => {
            let field =
                |(key, value): (Cbor, Cbor)| Some((key.into_text().ok()?, from_cbor(value)));
            Value::Object(fields.into_iter().filter_map(field).collect())
        }
        _ => Value::Null,
    }
}

fn to_cbor(name: &str, value: Value) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(yes) => Cbor::Bool(yes),
        Value::Number(seconds) if name.ends_with(MOMENT) => {
            let seconds = Cbor::Float(seconds.as_f64().unwrap_or_default());
            Cbor::Tag(1, Box::new(seconds))
        }
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Cbor::Integer(whole.into()),
            None => Cbor::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Cbor::Text(text),
        Value::Array(members) => {
            let of = if name == MOMENTS { MOMENT } else { "" };
            Cbor::Array(members.into_iter().map(|m| to_cbor(of, m)).collect())
        }
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
            Cbor::Map(
                fields
                    .map(|(name, value)| {
                        let value = to_cbor(&name, value);
                        (Cbor::Text(name), value)
                    })
                    .collect(),
            )
        }
    }
}

impl Form {
    /// The parameters as a tree: `A.member.1.B` is the field B of the first of list A.
    /// Every leaf is a text.
    pub(crate) fn tree(&self) -> Value {
        let mut root = Map::new();
        for (key, text) in self.fields() {
            let mut at = &mut root;
            let mut parts = key.split('.').peekable();
            while let Some(part) = parts.next() {
                if parts.peek().is_none() {
                    at.insert(part.to_owned(), Value::from(text));
                    break;
                }
                let below = at.entry(part).or_insert_with(|| json!({}));
                if !below.is_object() {
                    break;
                }
                let Some(fields) = below.as_object_mut() else {
                    break;
                };
                at = fields;
            }
        }
        lists(Value::Object(root))
    }
}

/// A node whose only field is `member`, or `members`, becomes the list of what that numbers.
fn lists(value: Value) -> Value {
    let Value::Object(fields) = value else {
        return value;
    };
    let members = fields.get("member").or_else(|| fields.get("members"));
    if let (1, Some(Value::Object(members))) = (fields.len(), members) {
        let mut numbered: Vec<(u32, Value)> = members
            .iter()
            .filter_map(|(number, member)| Some((number.parse().ok()?, lists(member.clone()))))
            .collect();
        numbered.sort_by_key(|(number, _)| *number);
        return numbered.into_iter().map(|(_, member)| member).collect();
    }
    let below = |(name, value)| (name, lists(value));
    Value::Object(fields.into_iter().map(below).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_a_tree() {
        let form = Form::parse(
            b"Action=A&Names.member.2=b&Names.member.1=a&Of.member.1.Key=k&Of.member.1.In.Deep=d",
        );
        let tree = json!({
            "Action": "A", "Names": ["a", "b"], "Of": [{ "Key": "k", "In": { "Deep": "d" } }],
        });
        assert_eq!(form.tree(), tree);
        // What contradicts itself does no harm.
        for text in [
            "A=1&A.B=2",
            "A.member=1&A.member.1=2",
            "...=1",
            "A.member.x=1",
        ] {
            let _ = Form::parse(text.as_bytes()).tree();
        }
    }

    #[test]
    fn cbor_keeps_what_it_is_given_and_marks_moments() {
        let value = json!({ "A": [1, 2.5, "x", true], "UpdatedTimestamp": 12.5, "None": null });
        let bytes = Protocol::Cbor.encoded(value);
        let read: Cbor = ciborium::from_reader(bytes.as_ref()).expect("it is CBOR");
        let moment = Cbor::Tag(1, Box::new(Cbor::Float(12.5)));
        assert!(
            read.as_map()
                .is_some_and(|fields| fields.iter().any(|(_, v)| *v == moment)),
            "{read:?}"
        );
        let back = json!({ "A": [1, 2.5, "x", true], "UpdatedTimestamp": 12.5 });
        assert_eq!(from_cbor(read), back);
    }
}
