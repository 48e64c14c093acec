//! Requests without what concerns only their way here: signatures and the packing of bodies.
//! Signatures are not checked, so bodies that were signed in chunks are unpacked here (S3 API
//! reference, "Signature calculations … chunked upload").

use std::path::Path;

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, IF_MATCH, IF_NONE_MATCH, RANGE,
    TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use s3s::dto::Range;

use crate::body::{self, Spooled, Trailers};

/// The coding of a body in chunks.
const CHUNKED: &str = "aws-chunked";

/// The request without its signature and with its body unpacked, below `folder` where it is large;
/// `None` where the body is malformed.
pub(crate) fn plain(mut request: Request<Bytes>, folder: &Path) -> Option<Request<Bytes>> {
    let headers = request.headers();
    let is_chunked = text(headers, "x-amz-content-sha256")
        .is_some_and(|digest| digest.starts_with("STREAMING-"))
        || text(headers, CONTENT_ENCODING.as_str()).is_some_and(|coding| coding.contains(CHUNKED));
    if is_chunked {
        let trailers = unpack(&mut request, folder)?;
        add_checksums(request.headers_mut(), trailers);
    }
    let length = Spooled::of(&request).map_or(request.body().len() as u64, Spooled::length);
    let headers = request.headers_mut();
    if is_chunked || (length > 0 && !headers.contains_key(CONTENT_LENGTH)) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        headers.remove(TRANSFER_ENCODING);
    }
    headers.remove(AUTHORIZATION);
    headers.remove("x-amz-content-sha256");
    // S3 answers with all of the object where it does not understand a range.
    if text(headers, RANGE.as_str()).is_some_and(|range| Range::parse(&range).is_err()) {
        headers.remove(RANGE);
    }
    for name in [IF_MATCH, IF_NONE_MATCH] {
        quote(headers, &name);
    }
    Some(request)
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

fn unpack(request: &mut Request<Bytes>, folder: &Path) -> Option<Trailers> {
    let trailers = match Spooled::of(request) {
        Some(spooled) => {
            let (content, trailers) = spooled.unpacked(folder).ok()?;
            request.extensions_mut().insert(content);
            trailers
        }
        None => {
            let (content, trailers) = body::unpacked(request.body())?;
            *request.body_mut() = content;
            trailers
        }
    };
    let headers = request.headers_mut();
    let coding = text(headers, CONTENT_ENCODING.as_str()).unwrap_or_default();
    headers.remove(CONTENT_ENCODING);
    headers.remove("x-amz-trailer");
    headers.remove("x-amz-decoded-content-length");
    let codings: Vec<_> = coding.split(',').map(str::trim).collect();
    let others = codings
        .into_iter()
        .filter(|coding| !coding.is_empty() && *coding != CHUNKED);
    let others = others.collect::<Vec<_>>().join(",");
    if let Ok(others) = HeaderValue::from_str(&others)
        && !others.is_empty()
    {
        headers.insert(CONTENT_ENCODING, others);
    }
    Some(trailers)
}

/// Adds the checksums that came after a body.
fn add_checksums(headers: &mut HeaderMap, trailers: Trailers) {
    for (name, value) in trailers {
        let name = name.to_ascii_lowercase();
        if !name.starts_with("x-amz-checksum-") {
            continue;
        }
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
}

/// Quotes an entity tag that its client has not quoted, as S3 takes it too.
fn quote(headers: &mut HeaderMap, name: &HeaderName) {
    let Some(tag) = text(headers, name.as_str()) else {
        return;
    };
    let tag = tag.trim();
    if tag == "*" || tag.contains('"') {
        return;
    }
    if let Ok(quoted) = HeaderValue::from_str(&format!("\"{tag}\"")) {
        headers.insert(name, quoted);
    }
}
