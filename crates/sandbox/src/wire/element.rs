//! XML as a tree: the content of a request or an answer.

use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};
use quick_xml::{Reader, Writer};
use serde::{Deserialize, Serialize};

use crate::wire::error::ApiError;

/// How deep a document may be: far deeper than any request of these services.
const DEPTH_MAX: usize = 16;

/// An element: text, or other elements.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Element {
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Element>,
}

pub(crate) fn element(name: &str) -> Element {
    Element {
        name: name.to_owned(),
        ..Element::default()
    }
}

impl Element {
    /// The root of a document; `None` where it is not well-formed.
    pub fn parse(document: &str) -> Option<Element> {
        let mut reader = Reader::from_str(document);
        // The last is the element that is open; the first stands for the document.
        let mut open = vec![Element::default()];
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) if open.len() < DEPTH_MAX => open.push(named(&start)?),
                Event::Start(_) => return None,
                Event::Empty(start) => open.last_mut()?.children.push(named(&start)?),
                Event::End(_) => {
                    let mut done = open.pop()?;
                    if !done.children.is_empty() {
                        done.text.clear();
                    }
                    open.last_mut()?.children.push(done);
                }
                Event::Text(text) => open.last_mut()?.text.push_str(&text.decode().ok()?),
                Event::CData(text) => open.last_mut()?.text.push_str(&text.decode().ok()?),
                Event::GeneralRef(reference) => {
                    let text = &mut open.last_mut()?.text;
                    match reference.resolve_char_ref().ok()? {
                        Some(c) => text.push(c),
                        None => text.push_str(quick_xml::escape::resolve_predefined_entity(
                            &reference.decode().ok()?,
                        )?),
                    }
                }
                Event::Eof if open.len() == 1 => return open.pop()?.children.pop(),
                Event::Eof => return None,
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::DocType(_) => {}
            }
        }
    }

    /// The document with this root, whose namespace is `namespace`.
    pub fn document(&self, namespace: &str) -> String {
        let mut writer = Writer::new(Vec::new());
        let start = BytesStart::new(self.name.as_str()).with_attributes([("xmlns", namespace)]);
        // Writing into memory cannot fail.
        let _ = writer.write_event(Event::Start(start));
        self.children.iter().for_each(|c| c.write(&mut writer));
        let _ = writer.write_event(Event::End(BytesEnd::new(self.name.as_str())));
        String::from_utf8(writer.into_inner()).unwrap_or_default()
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) {
        let _ = writer.write_event(Event::Start(BytesStart::new(self.name.as_str())));
        if !self.text.is_empty() {
            let _ = writer.write_event(Event::Text(BytesText::new(&self.text)));
        }
        self.children.iter().for_each(|c| c.write(writer));
        let _ = writer.write_event(Event::End(BytesEnd::new(self.name.as_str())));
    }

    /// The element with another element in it.
    pub fn with(mut self, child: Element) -> Element {
        self.children.push(child);
        self
    }

    /// The element with a text of this name in it.
    pub fn say(self, name: &str, text: impl ToString) -> Element {
        let text = text.to_string();
        self.with(Element {
            text,
            ..element(name)
        })
    }

    /// The element with a text of this name in it, where there is one.
    pub fn say_some(self, name: &str, text: Option<impl ToString>) -> Element {
        match text {
            Some(text) => self.say(name, text),
            None => self,
        }
    }

    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|c| c.name == name)
    }

    pub fn child_mut(&mut self, name: &str) -> Option<&mut Element> {
        self.children.iter_mut().find(|c| c.name == name)
    }

    /// The text of a child; empty where there is none.
    pub fn get(&self, name: &str) -> &str {
        self.child(name).map_or("", |c| c.text.as_str())
    }
}

/// The element whose children begin here; its name without a prefix.
fn named(start: &BytesStart<'_>) -> Option<Element> {
    Some(element(
        std::str::from_utf8(start.local_name().as_ref()).ok()?,
    ))
}

/// The error answer.
pub(crate) fn error_document(namespace: &str, error: &ApiError, request_id: &str) -> String {
    let told = element("Error")
        .say("Type", error.side())
        .say("Code", &error.code)
        .say("Message", &error.message);
    element("ErrorResponse")
        .with(told)
        .say("RequestId", request_id)
        .document(namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_the_same() {
        let tree = element("A")
            .say("Name", "a & <b> \"c\" ä")
            .with(element("List").with(element("Empty")));
        let document = tree.document("urn:x");
        assert_eq!(Element::parse(&document), Some(tree), "{document}");
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        let deep = "<a>".repeat(1000);
        for text in ["", "x", "<a>", "<a></b>", "<a>&what;</a>", "</a>", &deep] {
            assert_eq!(Element::parse(text), None, "{text:.20}");
        }
        let spaced =
            Element::parse("<?xml version='1.0'?>\n<x:a xmlns:x='u'>\n <b> c </b>\n</x:a>\n");
        assert_eq!(spaced, Some(element("a").say("b", " c ")));
    }
}
