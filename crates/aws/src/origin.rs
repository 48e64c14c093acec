//! Whether an answer is AWS's: a proxy, a firewall or a login page may answer in its place, even
//! when the request has reached AWS and was applied.

use std::error::Error;
use std::fmt;

use aws_sdk_elasticbeanstalk::config::http::HttpResponse;
use aws_sdk_elasticbeanstalk::config::interceptors::{
    AfterDeserializationInterceptorContextRef, InterceptorContext,
};
use aws_sdk_elasticbeanstalk::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_elasticbeanstalk::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_elasticbeanstalk::error::BoxError;

use bluegreen_core::text::short;

/// The headers in which AWS's services state a request's id (S3 user guide, "Getting Amazon S3
/// request IDs"; the names of the other headers are those of the SDKs).
const REQUEST_ID: [&str; 3] = ["x-amzn-requestid", "x-amzn-request-id", "x-amz-request-id"];

/// The most characters of a foreign answer that a message shows.
const TOLD_CHARS_MAX: usize = 120;

/// Rejects a successful answer that bears no mark of AWS. Many operations have an empty result,
/// which the SDK reads from any answer of status 200.
#[derive(Clone, Copy, Debug)]
pub(super) enum OnlyAws {
    /// A service whose answers are XML documents, each named after its operation.
    Xml,
    /// A service whose answers are JSON or CBOR (AWS JSON protocol, Smithy RPC v2 CBOR).
    Typed,
    /// S3.
    Objects,
}

impl Intercept for OnlyAws {
    fn name(&self) -> &'static str {
        "OnlyAws"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response();
        match context.output_or_error() {
            Ok(_) if !self.bears_a_mark(answer) => Err(Foreign::of(answer).into()),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

/// Tries what a proxy has answered again, as the SDK does what a gateway has answered with a
/// status of 500 and above: the next answer may be AWS's.
#[derive(Clone, Copy, Debug)]
pub(super) struct AgainWhereForeign;

impl ClassifyRetry for AgainWhereForeign {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match is_foreign(context) {
            true => RetryAction::transient_error(),
            false => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "again where foreign"
    }
}

/// Whether an attempt has failed with an answer that is not AWS's.
pub(super) fn is_foreign(context: &InterceptorContext) -> bool {
    let has_failed = matches!(context.output_or_error(), Some(Err(_)));
    let answer = context.response().filter(|_| has_failed);
    answer.is_some_and(|answer| {
        let is_no_error = matches!(answer.status().as_u16(), 200..400 | 407);
        !has_request_id(answer) && (is_no_error || is_page(answer) || !has_content(answer))
    })
}

/// An answer that is not AWS's: whether the request was applied is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Foreign(String);

impl Foreign {
    pub fn of(answer: &HttpResponse) -> Foreign {
        let status = answer.status().as_u16();
        let mut told = format!("an answer that is not AWS's came back: status {status}");
        for name in ["location", "content-type"] {
            if let Some(value) = answer.headers().get(name) {
                told += &format!(", {name} {}", short(value, TOLD_CHARS_MAX));
            }
        }
        let body = String::from_utf8_lossy(answer.body().bytes().unwrap_or_default());
        match body.trim() {
            "" => told += ", with no content",
            body => told += &format!(", \"{}\"", short(body, TOLD_CHARS_MAX)),
        }
        told += "; does a proxy or a login page answer in AWS's place?";
        Foreign(told)
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Foreign {}

/// Whether it states the id that AWS gave the request.
pub(super) fn has_request_id(answer: &HttpResponse) -> bool {
    let headers = answer.headers();
    REQUEST_ID.iter().any(|name| headers.contains_key(name))
}

/// Whether it says anything beside its status and headers.
pub(super) fn has_content(answer: &HttpResponse) -> bool {
    answer.body().bytes().is_some_and(|body| !body.is_empty())
}

/// Whether it is a page for people.
fn is_page(answer: &HttpResponse) -> bool {
    let content_type = answer.headers().get("content-type").unwrap_or_default();
    content_type.trim_start().starts_with("text/html")
}

impl OnlyAws {
    /// Whether a good answer is AWS's: it states the request's id, or it holds what only the
    /// service answers.
    fn bears_a_mark(self, answer: &HttpResponse) -> bool {
        if has_request_id(answer) {
            return true;
        }
        let headers = answer.headers();
        let root = root(answer.body().bytes().unwrap_or_default());
        match self {
            OnlyAws::Xml => root.ends_with("Response"),
            OnlyAws::Typed => {
                let content_type = headers.get("content-type").unwrap_or_default();
                content_type.contains("amz-json") || content_type.contains("cbor")
            }
            // An object may be anything: only the id that S3 gives every request tells it from
            // a page (S3 API reference, "Common response headers").
            OnlyAws::Objects => false,
        }
    }
}

/// The name of the element that an XML document begins with; empty where it is none.
fn root(body: &[u8]) -> &str {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let begins = |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphabetic());
    let element = text.split('<').skip(1).find(|rest| begins(rest));
    let is_document = text.trim_start().starts_with('<');
    let name = element.filter(|_| is_document).unwrap_or_default();
    name.split(|c: char| !c.is_ascii_alphanumeric())
        .next()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(
        status: u16,
        headers: &[(&'static str, &'static str)],
        body: &'static str,
    ) -> HttpResponse {
        let status = status.try_into().expect("a status");
        let mut answer = HttpResponse::new(status, body.into());
        for (name, value) in headers {
            answer.headers_mut().insert(*name, *value);
        }
        answer
    }

    #[test]
    fn what_only_the_service_answers_is_its_own() {
        let swapped = "<?xml version=\"1.0\"?>\n<SwapEnvironmentCNAMEsResponse/>";
        for (protocol, answer) in [
            (OnlyAws::Xml, answer(200, &[], swapped)),
            (OnlyAws::Xml, answer(200, &[("x-amzn-requestid", "1")], "")),
            (
                OnlyAws::Objects,
                answer(200, &[("x-amz-request-id", "1")], ""),
            ),
            (
                OnlyAws::Typed,
                answer(200, &[("content-type", "application/x-amz-json-1.1")], "{}"),
            ),
            (
                OnlyAws::Typed,
                answer(200, &[("content-type", "application/cbor")], ""),
            ),
        ] {
            assert!(protocol.bears_a_mark(&answer), "{protocol:?}: {answer:?}");
        }
    }

    #[test]
    fn a_page_in_its_place_is_not() {
        for protocol in [OnlyAws::Xml, OnlyAws::Typed, OnlyAws::Objects] {
            for body in [
                "",
                "OK",
                "{\"error\": \"log in\"}",
                "<!DOCTYPE html><html><body>Log in</body></html>",
                "<?xml version=\"1.0\"?><!DOCTYPE html><HTML/>",
                "See <SwapEnvironmentCNAMEsResponse/>",
            ] {
                let answer = answer(200, &[("content-type", "text/html")], body);
                assert!(!protocol.bears_a_mark(&answer), "{protocol:?}: {body}");
            }
        }
    }

    #[test]
    fn an_object_without_the_id_of_its_request_is_not_s3s() {
        let etag = ("etag", "\"1\"");
        for answer in [
            answer(200, &[etag, ("content-type", "text/html")], "<html>"),
            answer(200, &[etag], "{}"),
            answer(204, &[], ""),
            answer(200, &[], "<ListBucketResult/>"),
        ] {
            assert!(!OnlyAws::Objects.bears_a_mark(&answer), "{answer:?}");
        }
    }

    #[test]
    fn what_came_is_told_without_what_moves_a_terminal() {
        let headers = [
            ("location", "https://login.example/"),
            ("content-type", "text/html"),
        ];
        let told = Foreign::of(&answer(302, &headers, "\u{1b}[31mmoved\n::error::")).to_string();
        for words in [
            "not AWS's",
            "status 302",
            "https://login.example/",
            "text/html",
            "moved",
        ] {
            assert!(told.contains(words), "{words}: {told}");
        }
        assert!(!told.contains(['\u{1b}', '\n']), "{told}");
    }
}
