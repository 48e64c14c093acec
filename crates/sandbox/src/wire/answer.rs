//! An answer of the Query protocol as a tree, and its XML.

use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};
use serde_json::Number;

use crate::time::{Millis, date};

const NAMESPACE: &str = "http://elasticbeanstalk.amazonaws.com/docs/2010-12-01/";

/// A part of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Text(String),
    Number(Number),
    Boolean(bool),
    Moment(Millis),
    /// A member of the model that has no value: XML leaves it out, JSON has null.
    Absent,
    Node(Node),
    List(Vec<Part>),
}

/// A structure of an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node(pub(crate) Vec<(&'static str, Part)>);

pub(crate) fn node() -> Node {
    Node::default()
}

/// A value that is a part of an answer, with the type that JSON gives it.
pub(crate) trait Leaf {
    /// The value as a part.
    fn part(self) -> Part;
}

impl Leaf for String {
    fn part(self) -> Part {
        Part::Text(self)
    }
}

impl Leaf for &str {
    fn part(self) -> Part {
        Part::Text(self.to_owned())
    }
}

impl Leaf for bool {
    fn part(self) -> Part {
        Part::Boolean(self)
    }
}

impl Leaf for f64 {
    fn part(self) -> Part {
        Number::from_f64(self).map_or(Part::Absent, Part::Number)
    }
}

impl<T: Leaf + Clone> Leaf for &T {
    fn part(self) -> Part {
        self.clone().part()
    }
}

macro_rules! whole {
    ($($number:ty),*) => {
        $(impl Leaf for $number {
            fn part(self) -> Part {
                Part::Number(self.into())
            }
        })*
    };
}

whole!(u16, u32, u64, usize, i32, i64);

impl Node {
    pub fn text(mut self, name: &'static str, value: impl Leaf) -> Node {
        self.0.push((name, value.part()));
        self
    }

    pub fn option(self, name: &'static str, value: Option<impl Leaf>) -> Node {
        match value {
            Some(value) => self.text(name, value),
            None => self.absent(name),
        }
    }

    pub fn absent(mut self, name: &'static str) -> Node {
        self.0.push((name, Part::Absent));
        self
    }

    pub fn date(mut self, name: &'static str, at: Millis) -> Node {
        self.0.push((name, Part::Moment(at)));
        self
    }

    pub fn node(mut self, name: &'static str, value: Node) -> Node {
        self.0.push((name, Part::Node(value)));
        self
    }

    pub fn nodes(mut self, name: &'static str, members: impl IntoIterator<Item = Node>) -> Node {
        let members = members.into_iter().map(Part::Node).collect();
        self.0.push((name, Part::List(members)));
        self
    }

    pub fn texts<T: Leaf>(
        mut self,
        name: &'static str,
        members: impl IntoIterator<Item = T>,
    ) -> Node {
        let members = members.into_iter().map(Leaf::part).collect();
        self.0.push((name, Part::List(members)));
        self
    }
}

/// The body of a good answer; none in `result` is a void operation's.
pub(crate) fn answer(operation: &str, result: Option<&Node>, request_id: &str) -> String {
    let metadata = node().text("RequestId", request_id);
    let result_name = format!("{operation}Result");
    let mut writer = Writer::new(Vec::new());
    let root = format!("{operation}Response");
    let _ = writer.write_event(Event::Start(
        BytesStart::new(root.as_str()).with_attributes([("xmlns", NAMESPACE)]),
    ));
    if let Some(result) = result {
        write_node(&mut writer, &result_name, result);
    }
    write_node(&mut writer, "ResponseMetadata", &metadata);
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
fn write(writer: &mut Writer<Vec<u8>>, name: &str, value: &Part) {
    match value {
        Part::Text(text) => write_text(writer, name, text),
        Part::Number(number) => write_text(writer, name, &number.to_string()),
        Part::Boolean(value) => write_text(writer, name, &value.to_string()),
        Part::Moment(at) => write_text(writer, name, &date(*at)),
        Part::Absent => {}
        Part::Node(node) => write_node(writer, name, node),
        Part::List(members) => {
            let _ = writer.write_event(Event::Start(BytesStart::new(name)));
            for member in members {
                write(writer, "member", member);
            }
            let _ = writer.write_event(Event::End(BytesEnd::new(name)));
        }
    }
}

fn write_node(writer: &mut Writer<Vec<u8>>, name: &str, Node(fields): &Node) {
    let _ = writer.write_event(Event::Start(BytesStart::new(name)));
    for (name, value) in fields {
        write(writer, name, value);
    }
    let _ = writer.write_event(Event::End(BytesEnd::new(name)));
}

fn write_text(writer: &mut Writer<Vec<u8>>, name: &str, text: &str) {
    let text: String = text.chars().filter(|c| in_xml(*c)).collect();
    let _ = writer.write_event(Event::Start(BytesStart::new(name)));
    let _ = writer.write_event(Event::Text(BytesText::new(&text)));
    let _ = writer.write_event(Event::End(BytesEnd::new(name)));
}

/// Whether a document may hold this character (XML 1.0, production 2): one that may
/// not would make every later answer about it unreadable.
fn in_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}
