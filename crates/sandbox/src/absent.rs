//! Refuses requests to services that the sandbox does not have, in the protocol that they came in.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Request, Response};
use serde_json::json;

use crate::response;
use crate::scope::form_of;
use crate::wire::element;
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::wire::protocol::Protocol;

/// The name of the header that has an error's code where the protocol is REST with JSON.
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// The answer to a request to a service that the sandbox does not have. Its status is 400: SDKs
/// show such an error at once, and send a request again that got one of the 500s.
pub(crate) fn refused(
    request: &Request<Bytes>,
    service: &str,
    request_id: &str,
) -> Response<Bytes> {
    let form = form_of(request);
    let operation = operation(request, &form);
    let message = format!(
        "The sandbox does not offer the service {service}, of which this request wants \
         {operation}: see docs/reference/sandbox.md for what it offers."
    );
    let header = |name: &str| request.headers().get(name)?.to_str().ok();
    let content_type = header(CONTENT_TYPE.as_str()).unwrap_or_default();
    let is_query = !form.operation().is_empty();
    if header("smithy-protocol") == Some("rpc-v2-cbor") {
        return in_cbor(&message);
    }
    if header("x-amz-target").is_none() && (is_query || is_rest_xml(service)) {
        let error = ApiError::new("InvalidAction", message);
        let body = element::error_document("https://aws.amazon.com/", &error, request_id);
        return response::xml(error.status, body, request_id);
    }
    let kind = match content_type {
        "application/x-amz-json-1.0" => "application/x-amz-json-1.0",
        "application/x-amz-json-1.1" => "application/x-amz-json-1.1",
        _ => "application/json",
    };
    let body = json!({ "__type": UNKNOWN, "message": message });
    named(response::answer(400, kind, body.to_string()))
}

/// The code of an operation that a service does not have.
const UNKNOWN: &str = "UnknownOperationException";

/// The operation as its protocol names it, else the method and the path.
fn operation(request: &Request<Bytes>, form: &Form) -> String {
    let target = request.headers().get("x-amz-target");
    let target = target.and_then(|target| target.to_str().ok());
    let path = request.uri().path();
    match (
        target.and_then(|target| target.rsplit('.').next()),
        form.operation(),
    ) {
        (Some(operation), _) => operation.to_owned(),
        (None, operation) if !operation.is_empty() => operation.to_owned(),
        (None, _) => match path.rsplit_once("/operation/") {
            Some((_, operation)) => operation.to_owned(),
            None => format!("{} {path}", request.method()),
        },
    }
}

/// Whether a service speaks REST with XML (botocore's models, `protocol`: these, S3 and Route 53).
fn is_rest_xml(service: &str) -> bool {
    matches!(service, "cloudfront" | "s3-control")
}

fn in_cbor(message: &str) -> Response<Bytes> {
    let told = json!({ "__type": UNKNOWN, "message": message });
    let mut response = named(response::answer(400, "application/cbor", String::new()));
    *response.body_mut() = Protocol::Cbor.encoded(told);
    response.headers_mut().insert(
        HeaderName::from_static("smithy-protocol"),
        HeaderValue::from_static("rpc-v2-cbor"),
    );
    response
}

fn named(mut response: Response<Bytes>) -> Response<Bytes> {
    let code = HeaderValue::from_static(UNKNOWN);
    response.headers_mut().insert(ERROR_TYPE, code);
    response
}
