//! The Query protocol, for the services whose clients in the SDK take minutes to build: the request
//! is a form, the answer is XML.

use aws_sdk_elasticbeanstalk::config::http::HttpResponse;
use aws_sdk_elasticbeanstalk::error::SdkError;
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;
use quick_xml::Reader;
use quick_xml::events::Event;

use super::lazy_clients::LazyClients;
use super::origin::OnlyAws;
use super::signed::{Service, Signed, Told};
use crate::cloud::LookError;

/// A service that speaks the Query protocol.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query {
    pub service: Service,
    /// The version of its API.
    pub version: &'static str,
}

impl Query {
    /// Requests an operation with these fields and reads its answer.
    ///
    /// # Errors
    /// What went wrong, as [`failure`](super::failure::failure) understands it; an answer that
    /// cannot be read is [`None`].
    pub async fn ask<T>(
        self,
        clients: &LazyClients,
        operation: &'static str,
        fields: &[(&str, &str)],
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, SdkError<Told, HttpResponse>> {
        let signed = Signed {
            service: self.service,
            operation,
            content_type: "application/x-www-form-urlencoded",
            target: None,
            only: OnlyAws::Xml,
            body: form_urlencoded::Serializer::new(String::new())
                .append_pair("Action", operation)
                .append_pair("Version", self.version)
                .extend_pairs(fields)
                .finish(),
        };
        let document = signed.ask(clients, answer).await?;
        Ok(parse(&document))
    }
}

/// The error for an answer that cannot be read.
pub(super) fn unreadable(operation: &str) -> LookError {
    LookError::Passing(format!("{operation}: the answer is not readable"))
}

fn answer(response: &HttpResponse) -> Result<String, OrchestratorError<Told>> {
    let body = response.body().bytes().unwrap_or_default();
    let body = String::from_utf8_lossy(body);
    if response.status().is_success() {
        return Ok(body.into_owned());
    }
    let (code, message) = error(&body);
    Err(Told::error(code, message))
}

/// How deep an answer may be: there are some ten elements in each other.
const DEPTH_MAX: usize = 64;

/// Every text of a document, with the names that lead to it.
pub(super) fn texts(document: &str) -> Option<Vec<(String, String)>> {
    let mut reader = Reader::from_str(document);
    let (mut path, mut text, mut texts) = (Vec::new(), String::new(), Vec::new());
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                let name = start.local_name();
                path.push(String::from_utf8_lossy(name.as_ref()).into_owned());
                text.clear();
                if path.len() > DEPTH_MAX {
                    return None;
                }
            }
            Event::Text(part) => text.push_str(&part.decode().ok()?),
            Event::CData(part) => text.push_str(&part.decode().ok()?),
            Event::GeneralRef(reference) => match reference.resolve_char_ref().ok()? {
                Some(c) => text.push(c),
                None => text.push_str(quick_xml::escape::resolve_predefined_entity(
                    &reference.decode().ok()?,
                )?),
            },
            Event::End(_) => {
                texts.push((path.join("/"), std::mem::take(&mut text)));
                path.pop();
            }
            Event::Eof if path.is_empty() => return Some(texts),
            Event::Eof => return None,
            Event::Empty(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::Comment(_)
            | Event::DocType(_) => {}
        }
    }
}

/// Every text at a path below an answer's root.
pub(super) fn values(document: &str, root: &str, path: &str) -> Option<Vec<String>> {
    let texts = texts(document)?;
    let is_answer = texts.iter().any(|(at, _)| at == root);
    let wanted = format!("{root}{path}");
    let found = texts.into_iter().filter(|(at, _)| *at == wanted);
    let found = found.map(|(_, text)| text).collect();
    is_answer.then_some(found)
}

/// The code and the message of an error.
fn error(document: &str) -> (Option<String>, String) {
    let texts = texts(document).unwrap_or_default();
    let find = |name: &str| {
        let found = texts.iter().find(|(path, _)| path == name);
        found.map(|(_, text)| text.clone())
    };
    // EC2 has a form of its own.
    let forms = ["ErrorResponse/Error", "Response/Errors/Error"];
    let told = forms.map(|form| {
        (
            find(&format!("{form}/Code")),
            find(&format!("{form}/Message")),
        )
    });
    let told = told.into_iter().find(|(code, _)| code.is_some());
    let (code, message) = told.unwrap_or_default();
    (code, message.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use bluegreen_testing::garbled::garbled_text;
    use proptest::prelude::*;

    use super::*;

    const REFUSAL: &str = "<Response><Errors><Error><Code>Throttling</Code><Message>slow down\
        </Message></Error></Errors><RequestID>r</RequestID></Response>";

    #[test]
    fn what_is_deep_is_no_answer() {
        let deep = format!("{}{}", "<a>".repeat(200_000), "</a>".repeat(200_000));
        assert_eq!(texts(&deep), None);
    }

    proptest! {
        #[test]
        fn a_garbled_refusal_is_read_or_none(document in garbled_text(REFUSAL)) {
            let _ = error(&document);
        }
    }

    #[test]
    fn errors_are_read() {
        let document = "<Response><Errors><Error><Code>UnauthorizedOperation</Code>\
            <Message>You are not authorized</Message></Error></Errors><RequestID>r</RequestID></Response>";
        let told = (
            Some("UnauthorizedOperation".to_owned()),
            "You are not authorized".to_owned(),
        );
        assert_eq!(error(document), told);
        let document = "<ErrorResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\">\
            <Error><Type>Sender</Type><Code>ValidationError</Code><Message>Stack with id x does not \
            exist</Message></Error><RequestId>r</RequestId></ErrorResponse>";
        let told = (
            Some("ValidationError".to_owned()),
            "Stack with id x does not exist".to_owned(),
        );
        assert_eq!(error(document), told);
        assert_eq!(error("<html>"), (None, String::new()));
    }
}
