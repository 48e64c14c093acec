//! The bodies of requests and answers: forms, XML and JSON, leaf by leaf.

use serde_json::Value;

use super::pseudonyms::Pseudonyms;

/// A body without what identifies its owner. A body of no known form is left out whole.
pub(super) fn redacted(body: &str, names: &mut Pseudonyms) -> String {
    let text = body.trim_start();
    if text.is_empty() {
        return String::new();
    }
    if text.starts_with('<') {
        return match Element::parse(text) {
            Some(mut root) => {
                if root.children.is_empty() {
                    root.text = names.leaf(&root.name, &root.text);
                }
                root.redact(names);
                root.written()
            }
            None => LEFT_OUT.to_owned(),
        };
    }
    if let Ok(mut value) = serde_json::from_str::<Value>(text) {
        in_json("", &mut value, names);
        return value.to_string();
    }
    if text.contains('=') && !text.contains(['\n', ' ']) {
        return form(text, names);
    }
    LEFT_OUT.to_owned()
}

/// The text in place of a body that is not understood.
const LEFT_OUT: &str = "(left out)";

/// A form of the Query protocol. The settings of options are treated separately, as in answers.
fn form(text: &str, names: &mut Pseudonyms) -> String {
    let pairs: Vec<_> = form_urlencoded::parse(text.as_bytes()).collect();
    let sibling = |key: &str, other: &str| {
        let stem = key.rsplit_once('.').map_or("", |(stem, _)| stem);
        let wanted = format!("{stem}.{other}");
        let found = pairs.iter().find(|(key, _)| *key == wanted);
        found.map(|(_, value)| value.clone().into_owned())
    };
    let mut written = form_urlencoded::Serializer::new(String::new());
    for (key, value) in &pairs {
        let last = key.rsplit('.').find(|part| {
            *part != "member" && !part.is_empty() && !part.bytes().all(|b| b.is_ascii_digit())
        });
        let last = last.unwrap_or_default();
        let value = match (last, sibling(key, "Namespace"), sibling(key, "OptionName")) {
            ("Value", Some(namespace), Some(option)) => names.setting(&namespace, &option, value),
            ("OptionName", Some(namespace), _) => names.option(&namespace, value),
            _ => names.leaf(last, value),
        };
        written.append_pair(key, &value);
    }
    written.finish()
}

fn in_json(key: &str, value: &mut Value, names: &mut Pseudonyms) {
    match value {
        Value::String(text) => *text = names.leaf(key, text),
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| in_json(key, value, names)),
        Value::Object(fields) => {
            let shown = std::mem::take(fields).into_iter().map(|(key, mut value)| {
                in_json(&key, &mut value, names);
                (names.field(&key), value)
            });
            *fields = shown.collect();
        }
        Value::Number(number) => {
            // An account's digits may be a number too, and so may a secret.
            if let Some(shown) = names.number(&number.to_string()) {
                *value = shown.into();
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// An element of an answer. Attributes are left out: none but namespaces have a meaning.
#[derive(Debug, Default)]
struct Element {
    name: String,
    namespace: Option<String>,
    children: Vec<Element>,
    text: String,
}

impl Element {
    fn parse(text: &str) -> Option<Element> {
        use quick_xml::events::Event;
        let mut reader = quick_xml::Reader::from_str(text);
        let mut open = vec![Element::default()];
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) => open.push(Element::named(&start)),
                Event::Empty(start) => open.last_mut()?.children.push(Element::named(&start)),
                Event::Text(text) => {
                    let text = text.decode().ok()?;
                    open.last_mut()?.text.push_str(&text);
                }
                Event::CData(data) => {
                    let text = data.decode().ok()?;
                    open.last_mut()?.text.push_str(&text);
                }
                Event::GeneralRef(reference) => {
                    let resolved = match reference.resolve_char_ref().ok()? {
                        Some(character) => character.to_string(),
                        None => {
                            let name = reference.decode().ok()?;
                            quick_xml::escape::resolve_predefined_entity(&name)?.to_owned()
                        }
                    };
                    open.last_mut()?.text.push_str(&resolved);
                }
                Event::End(_) => {
                    let done = open.pop()?;
                    open.last_mut()?.children.push(done);
                }
                Event::Eof => break,
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
        let mut root = open.pop()?;
        (open.is_empty() && root.children.len() == 1).then(|| root.children.remove(0))
    }

    fn named(start: &quick_xml::events::BytesStart<'_>) -> Element {
        let namespace = start.attributes().flatten().find_map(|attribute| {
            let is_namespace = attribute.key.as_ref() == b"xmlns";
            is_namespace.then(|| String::from_utf8_lossy(&attribute.value).into_owned())
        });
        Element {
            name: String::from_utf8_lossy(start.name().as_ref()).into_owned(),
            namespace,
            ..Element::default()
        }
    }

    fn child(&self, name: &str) -> Option<String> {
        let found = self.children.iter().find(|child| child.name == name);
        found.map(|child| child.text.clone())
    }

    fn redact(&mut self, names: &mut Pseudonyms) {
        let option = (self.child("Namespace"), self.child("OptionName"));
        let name = self.name.clone();
        let platform = self.child("PlatformArn");
        let is_own_platform = platform.is_some_and(|arn| !arn.contains("::platform/"));
        for child in &mut self.children {
            let shown = match (&option, child.name.as_str()) {
                _ if !child.children.is_empty() => {
                    child.redact(names);
                    continue;
                }
                ((Some(namespace), Some(option)), "Value" | "DefaultValue") => {
                    names.setting(namespace, option, &child.text)
                }
                ((Some(namespace), _), "OptionName") => names.option(namespace, &child.text),
                // Somebody's custom platform is called as they like.
                (_, "PlatformName" | "PlatformVersion" | "PlatformBranchName")
                    if is_own_platform =>
                {
                    names.own("platform", &child.text)
                }
                // A list's members are what the list is called.
                (_, "member" | "Item" | "item") => names.leaf(&name, &child.text),
                // A tier's name is one of a few words.
                (_, "Name") if name == "Tier" => child.text.clone(),
                (_, key) => names.leaf(key, &child.text),
            };
            child.text = shown;
        }
        if !self.children.is_empty() {
            self.text.clear();
        }
    }

    fn written(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        let name = &self.name;
        out.push_str(&match &self.namespace {
            Some(namespace) => format!("<{name} xmlns=\"{namespace}\">"),
            None => format!("<{name}>"),
        });
        out.push_str(&quick_xml::escape::escape(&self.text));
        self.children.iter().for_each(|child| child.write(out));
        out.push_str(&format!("</{name}>"));
    }
}
