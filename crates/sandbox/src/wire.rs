//! The Query protocol: forms in, XML out.

use std::collections::BTreeMap;

use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};
use serde::{Deserialize, Serialize};

use crate::model::Millis;

const NAMESPACE: &str = "http://elasticbeanstalk.amazonaws.com/docs/2010-12-01/";

/// A request's parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Form(BTreeMap<String, String>);

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// The error's code.
    pub code: String,
    /// The error's message.
    pub message: String,
}

impl ApiError {
    /// An error with status 400.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> ApiError {
        ApiError {
            status: 400,
            code: code.to_owned(),
            message: message.into(),
        }
    }

    /// The service's `InvalidParameterValue`, which its model does not list.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> ApiError {
        ApiError::new("InvalidParameterValue", message)
    }

    /// The answer's body.
    #[must_use]
    pub fn to_xml(&self, request_id: &str) -> String {
        let error = node()
            .text(
                "Type",
                if self.status < 500 {
                    "Sender"
                } else {
                    "Receiver"
                },
            )
            .text("Code", &self.code)
            .text("Message", &self.message);
        document(
            "ErrorResponse",
            node().node("Error", error).text("RequestId", request_id),
        )
    }
}

impl Form {
    /// Reads `application/x-www-form-urlencoded` text; later fields win.
    #[must_use]
    pub fn parse(text: &[u8]) -> Form {
        Form(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The operation: `Action`, or `Operation`, which works the same.
    #[must_use]
    pub fn operation(&self) -> &str {
        self.get("Action")
            .or_else(|| self.get("Operation"))
            .unwrap_or_default()
    }

    /// A parameter that is there and not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Every parameter.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A parameter that must be there.
    ///
    /// # Errors
    /// `MissingRequiredParameter`.
    pub fn require(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name).ok_or_else(|| {
            ApiError::new(
                "MissingRequiredParameter",
                format!("The request must contain the parameter {name}."),
            )
        })
    }

    /// A list: `Name.member.1`, `Name.member.2`, …
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<&str> {
        self.prefixes(name)
            .filter_map(|prefix| self.get(&prefix))
            .collect()
    }

    /// A list of structures: the fields of each member.
    #[must_use]
    pub fn members(&self, name: &str) -> Vec<Form> {
        self.prefixes(name)
            .map(|prefix| {
                let dotted = format!("{prefix}.");
                let field = |(key, value): (&String, &String)| {
                    Some((key.strip_prefix(&dotted)?.to_owned(), value.clone()))
                };
                Form(self.0.iter().filter_map(field).collect())
            })
            .collect()
    }

    fn prefixes(&self, name: &str) -> impl Iterator<Item = String> {
        let stem = format!("{name}.member.");
        let there = move |prefix: &String| {
            let dotted = format!("{prefix}.");
            self.0
                .keys()
                .any(|key| key == prefix || key.starts_with(&dotted))
        };
        (1..).map(move |n| format!("{stem}{n}")).take_while(there)
    }
}

/// A part of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Xml {
    Text(String),
    Node(Node),
    List(Vec<Xml>),
}

/// A structure of an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node(Vec<(&'static str, Xml)>);

pub(crate) fn node() -> Node {
    Node::default()
}

impl Node {
    pub fn text(mut self, name: &'static str, value: impl ToString) -> Node {
        self.0.push((name, Xml::Text(value.to_string())));
        self
    }

    pub fn option(self, name: &'static str, value: Option<impl ToString>) -> Node {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    pub fn date(self, name: &'static str, at: Millis) -> Node {
        self.text(name, date(at))
    }

    pub fn node(mut self, name: &'static str, value: Node) -> Node {
        self.0.push((name, Xml::Node(value)));
        self
    }

    pub fn nodes(mut self, name: &'static str, members: impl IntoIterator<Item = Node>) -> Node {
        let members = members.into_iter().map(Xml::Node).collect();
        self.0.push((name, Xml::List(members)));
        self
    }

    pub fn texts<T: ToString>(
        mut self,
        name: &'static str,
        members: impl IntoIterator<Item = T>,
    ) -> Node {
        let members = members
            .into_iter()
            .map(|m| Xml::Text(m.to_string()))
            .collect();
        self.0.push((name, Xml::List(members)));
        self
    }
}

/// The body of a good answer; none in `result` is a void operation's.
pub(crate) fn answer(operation: &str, result: Option<Node>, request_id: &str) -> String {
    let metadata = node().text("RequestId", request_id);
    let mut body = node();
    if let Some(result) = result {
        body.0.push(("", Xml::Node(result)));
    }
    let result_name = format!("{operation}Result");
    let mut writer = Writer::new(Vec::new());
    let root = format!("{operation}Response");
    let _ = writer.write_event(Event::Start(
        BytesStart::new(root.as_str()).with_attributes([("xmlns", NAMESPACE)]),
    ));
    if let Some((_, result)) = body.0.pop() {
        write(&mut writer, &result_name, &result);
    }
    write(&mut writer, "ResponseMetadata", &Xml::Node(metadata));
    let _ = writer.write_event(Event::End(BytesEnd::new(root.as_str())));
    String::from_utf8(writer.into_inner()).unwrap_or_default()
}

fn document(root: &str, content: Node) -> String {
    let mut writer = Writer::new(Vec::new());
    let start = BytesStart::new(root).with_attributes([("xmlns", NAMESPACE)]);
    let _ = writer.write_event(Event::Start(start));
    for (name, value) in &content.0 {
        write(&mut writer, name, value);
    }
    let _ = writer.write_event(Event::End(BytesEnd::new(root)));
    String::from_utf8(writer.into_inner()).unwrap_or_default()
}

/// Writing into memory cannot fail.
fn write(writer: &mut Writer<Vec<u8>>, name: &str, value: &Xml) {
    let _ = writer.write_event(Event::Start(BytesStart::new(name)));
    match value {
        Xml::Text(text) => {
            let text: String = text.chars().filter(|c| in_xml(*c)).collect();
            let _ = writer.write_event(Event::Text(BytesText::new(&text)));
        }
        Xml::Node(Node(fields)) => {
            for (name, value) in fields {
                write(writer, name, value);
            }
        }
        Xml::List(members) => {
            for member in members {
                write(writer, "member", member);
            }
        }
    }
    let _ = writer.write_event(Event::End(BytesEnd::new(name)));
}

/// Whether a document may hold this character (XML 1.0, production 2): one that may
/// not would make every later answer about it unreadable.
fn in_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// RFC 3339 in UTC, with milliseconds.
pub(crate) fn date(at: Millis) -> String {
    let last = 253_402_300_799_000;
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(at.min(last));
    humantime::format_rfc3339_millis(time).to_string()
}

/// Milliseconds since the epoch of an RFC 3339 text.
pub(crate) fn parse_date(text: &str) -> Option<Millis> {
    let plain = text.replace("+00:00", "Z");
    let time = humantime::parse_rfc3339_weak(&plain).ok()?;
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}
