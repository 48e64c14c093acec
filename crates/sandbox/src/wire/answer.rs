//! An answer of the Query protocol.

use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

use crate::time::{Millis, date};

const NAMESPACE: &str = "http://elasticbeanstalk.amazonaws.com/docs/2010-12-01/";

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

pub(crate) fn document(root: &str, content: Node) -> String {
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
