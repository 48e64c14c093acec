//! The parts of a request to S3: its operation, its bucket and its key.

use http::header::HOST;
use http::{HeaderMap, Request};

/// The hosts below which a bucket may be a host of its own.
pub(crate) const HOSTS: [&str; 3] = [
    "localhost",
    "s3.amazonaws.com",
    "s3.us-east-1.amazonaws.com",
];

/// The operation of an S3 request, as the API reference names it.
pub(crate) fn operation<B>(request: &Request<B>) -> &'static str {
    let (bucket, key) = target(request);
    let on_object = !key.is_empty();
    let query = request.uri().query().unwrap_or_default();
    let asks = |name: &str| {
        query
            .split('&')
            .any(|field| field == name || field.split('=').next() == Some(name))
    };
    match (request.method().as_str(), on_object) {
        ("PUT", true) if asks("partNumber") => "UploadPart",
        ("PUT", true) => "PutObject",
        ("PUT", false) => "CreateBucket",
        ("POST", _) if asks("uploads") => "CreateMultipartUpload",
        ("POST", _) if asks("uploadId") => "CompleteMultipartUpload",
        ("POST", _) => "DeleteObjects",
        ("HEAD", true) => "HeadObject",
        ("HEAD", false) => "HeadBucket",
        ("DELETE", true) if asks("uploadId") => "AbortMultipartUpload",
        ("DELETE", true) => "DeleteObject",
        ("DELETE", false) => "DeleteBucket",
        ("GET", true) if asks("uploadId") => "ListParts",
        ("GET", true) => "GetObject",
        ("GET", false) if asks("uploads") => "ListMultipartUploads",
        ("GET", false) if bucket.is_empty() => "ListBuckets",
        _ => "ListObjectsV2",
    }
}

/// The bucket and the key that a request is about, the bucket being that of the path or
/// of the host's name; empty where it names none.
pub(crate) fn target<B>(request: &Request<B>) -> (String, String) {
    let path = decoded(request.uri().path().trim_start_matches('/'));
    let host = request.headers().get(HOST).and_then(|h| h.to_str().ok());
    let host = host
        .unwrap_or_default()
        .split(':')
        .next()
        .unwrap_or_default();
    let mut below = HOSTS
        .iter()
        .filter_map(|known| host.strip_suffix(known)?.strip_suffix('.'));
    match below.next() {
        Some(bucket) => (bucket.to_owned(), path),
        None => {
            let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
            (bucket.to_owned(), key.to_owned())
        }
    }
}

/// A path without its percent-encoding.
pub(crate) fn decoded(path: &str) -> String {
    percent_encoding::percent_decode_str(path)
        .decode_utf8_lossy()
        .into_owned()
}

pub(crate) const ENCRYPTION_METHOD: &str = "x-amz-server-side-encryption";

pub(crate) const ENCRYPTION_KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";

/// Removes the headers that the library does not know.
pub(crate) fn strip(headers: &mut HeaderMap) {
    headers.remove(ENCRYPTION_METHOD);
    headers.remove(ENCRYPTION_KEY);
}
