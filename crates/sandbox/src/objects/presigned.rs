//! URLs that carry their signature in the query (API reference, "Authenticating requests: using
//! query parameters (AWS Signature Version 4)"; developer guide of Signature Version 2, "Query
//! string request authentication alternative"). The signature itself is not checked.

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri};

use crate::objects::failure::{detailed, failure};
use crate::time::{self, Millis};
use crate::wire::form::Form;

/// The longest time that a URL of version 4 is good for, in seconds: a week.
const SECONDS_MAX: u64 = 604_800;

/// The fields of a signature of version 4.
const FOURTH: [&str; 6] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
];

/// The fields of a signature of version 2.
const SECOND: [&str; 3] = ["AWSAccessKeyId", "Expires", "Signature"];

/// The fields that authenticate and say nothing of the object.
const OTHERS: [&str; 3] = [
    "X-Amz-Security-Token",
    "X-Amz-Content-Sha256",
    "X-Amz-User-Agent",
];

/// The access key that signed a URL; `None` where its query carries no signature.
pub(crate) fn access_key<B>(request: &Request<B>) -> Option<String> {
    let query = Form::parse(request.uri().query().unwrap_or_default().as_bytes());
    let credential = query
        .get(FOURTH[1])
        .and_then(|credential| credential.split('/').next());
    credential
        .or_else(|| query.get(SECOND[0]))
        .map(str::to_owned)
}

/// The request of a presigned URL as its client would have sent it with a header of authorization:
/// what the query says in place of headers is in headers. Any other request stays as it is.
///
/// # Errors
/// The answer of S3 to a URL that is not good any more, or that lacks a field.
pub(crate) fn accepted(
    request: Request<Bytes>,
    now: Millis,
) -> Result<Request<Bytes>, Box<Response<Bytes>>> {
    let query = Form::parse(request.uri().query().unwrap_or_default().as_bytes());
    let is_fourth = query.get(FOURTH[0]).is_some() || query.get(FOURTH[5]).is_some();
    let is_second = query.get(SECOND[0]).is_some() && query.get(SECOND[2]).is_some();
    let expires = match (is_fourth, is_second) {
        (true, _) => fourth(&query)?,
        (false, true) => second(&query)?,
        (false, false) => return Ok(request),
    };
    if now > expires {
        let (expires, server) = (time::date(expires), time::date(now));
        let details = [("Expires", &*expires), ("ServerTime", &*server)];
        return Err(Box::new(detailed(
            StatusCode::FORBIDDEN,
            "AccessDenied",
            "Request has expired",
            &details,
        )));
    }
    let signature: &[&str] = if is_fourth { &FOURTH } else { &SECOND };
    Ok(in_headers(request, signature))
}

/// When a URL of version 4 stops being good.
fn fourth(query: &Form) -> Result<Millis, Box<Response<Bytes>>> {
    let malformed = |message: &str| {
        let code = "AuthorizationQueryParametersError";
        Box::new(failure(StatusCode::BAD_REQUEST, code, message))
    };
    if FOURTH.iter().any(|name| query.get(name).is_none()) {
        return Err(malformed(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
             X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
        ));
    }
    let signed = query.get(FOURTH[2]).and_then(basic_date).ok_or_else(|| {
        malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    })?;
    let seconds: Option<u64> = query.get(FOURTH[3]).and_then(|text| text.parse().ok());
    let seconds = seconds.ok_or_else(|| malformed("X-Amz-Expires should be a number"))?;
    if seconds > SECONDS_MAX {
        return Err(malformed(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires \
             must be less than 604800 seconds",
        ));
    }
    Ok(signed.saturating_add(seconds * 1000))
}

/// When a URL of version 2 stops being good.
fn second(query: &Form) -> Result<Millis, Box<Response<Bytes>>> {
    let seconds: Option<u64> = query.get(SECOND[1]).and_then(|text| text.parse().ok());
    match seconds {
        Some(seconds) => Ok(seconds.saturating_mul(1000)),
        None => Err(Box::new(failure(
            StatusCode::FORBIDDEN,
            "AccessDenied",
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId \
             parameters",
        ))),
    }
}

/// Milliseconds since the epoch of a date such as `20270115T080000Z`.
fn basic_date(text: &str) -> Option<Millis> {
    if text.len() != 16 || !text.is_ascii() {
        return None;
    }
    let [year, month, day] = [&text[..4], &text[4..6], &text[6..8]];
    let [hour, minute, second] = [&text[9..11], &text[11..13], &text[13..15]];
    time::parse_date(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z"))
}

/// The request without its signature, and with those fields of its query as headers that stand for
/// headers.
fn in_headers(mut request: Request<Bytes>, signature: &[&str]) -> Request<Bytes> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let mut kept = Vec::new();
    for field in query.split('&').filter(|field| !field.is_empty()) {
        let name = field.split('=').next().unwrap_or_default();
        let is = |one: &&str| one.eq_ignore_ascii_case(name);
        if signature.iter().any(is) || OTHERS.iter().any(is) {
            continue;
        }
        if !name.to_ascii_lowercase().starts_with("x-amz-") {
            kept.push(field);
            continue;
        }
        let parsed = form_urlencoded::parse(field.as_bytes()).next();
        let header = parsed.and_then(|(name, value)| {
            let name = HeaderName::try_from(name.to_ascii_lowercase()).ok()?;
            Some((name, HeaderValue::from_str(&value).ok()?))
        });
        if let Some((name, value)) = header {
            request.headers_mut().insert(name, value);
        }
    }
    let path = match kept.is_empty() {
        true => request.uri().path().to_owned(),
        false => format!("{}?{}", request.uri().path(), kept.join("&")),
    };
    if let Ok(path) = PathAndQuery::try_from(path) {
        *request.uri_mut() = Uri::from(path);
    }
    request
}
