//! Answers over HTTP, by the type of their content.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use crate::world::fault::Page;

pub(crate) fn xml(status: u16, body: String, request_id: &str) -> Response<Bytes> {
    identified(answer(status, "text/xml", body), request_id)
}

pub(crate) fn json_text(status: u16, body: String, request_id: &str) -> Response<Bytes> {
    identified(answer(status, "application/json", body), request_id)
}

/// An answer with the request's id in its header.
fn identified(mut response: Response<Bytes>, request_id: &str) -> Response<Bytes> {
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}

pub(crate) fn in_json(status: u16, body: &serde_json::Value) -> Response<Bytes> {
    answer(status, "application/json", format!("{body}\n"))
}

pub(crate) fn text(status: u16, body: String) -> Response<Bytes> {
    answer(status, "text/plain; charset=utf-8", body)
}

/// The answer of nginx and AWS to a body that is larger than they accept.
pub(crate) fn too_large() -> Response<Bytes> {
    text(413, "the body is too large\n".to_owned())
}

pub(crate) fn answer(status: u16, content_type: &'static str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

impl Page {
    pub(crate) fn answer(&self) -> Response<Bytes> {
        let mut response = answer(self.status, "text/html", self.body.clone());
        let location = self.location.as_deref().map(HeaderValue::from_str);
        if let Some(Ok(location)) = location {
            response.headers_mut().insert(LOCATION, location);
        }
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
