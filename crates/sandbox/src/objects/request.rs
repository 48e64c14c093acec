//! The parts of a request to S3: its operation, its bucket and its key.

use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Uri, header};

use crate::host::host;

/// The operations on a bucket that a subresource in the query selects, each for GET, PUT and
/// DELETE.
const OF_BUCKETS: [(&str, [&str; 3]); 19] = [
    (
        "accelerate",
        [
            "GetBucketAccelerateConfiguration",
            "PutBucketAccelerateConfiguration",
            "",
        ],
    ),
    ("acl", ["GetBucketAcl", "PutBucketAcl", ""]),
    (
        "cors",
        ["GetBucketCors", "PutBucketCors", "DeleteBucketCors"],
    ),
    (
        "encryption",
        [
            "GetBucketEncryption",
            "PutBucketEncryption",
            "DeleteBucketEncryption",
        ],
    ),
    (
        "lifecycle",
        [
            "GetBucketLifecycleConfiguration",
            "PutBucketLifecycleConfiguration",
            "DeleteBucketLifecycle",
        ],
    ),
    ("location", ["GetBucketLocation", "", ""]),
    ("logging", ["GetBucketLogging", "PutBucketLogging", ""]),
    (
        "notification",
        [
            "GetBucketNotificationConfiguration",
            "PutBucketNotificationConfiguration",
            "",
        ],
    ),
    (
        "object-lock",
        [
            "GetObjectLockConfiguration",
            "PutObjectLockConfiguration",
            "",
        ],
    ),
    (
        "ownershipControls",
        [
            "GetBucketOwnershipControls",
            "PutBucketOwnershipControls",
            "DeleteBucketOwnershipControls",
        ],
    ),
    (
        "policy",
        ["GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"],
    ),
    ("policyStatus", ["GetBucketPolicyStatus", "", ""]),
    (
        "publicAccessBlock",
        [
            "GetPublicAccessBlock",
            "PutPublicAccessBlock",
            "DeletePublicAccessBlock",
        ],
    ),
    (
        "replication",
        [
            "GetBucketReplication",
            "PutBucketReplication",
            "DeleteBucketReplication",
        ],
    ),
    (
        "requestPayment",
        ["GetBucketRequestPayment", "PutBucketRequestPayment", ""],
    ),
    (
        "tagging",
        [
            "GetBucketTagging",
            "PutBucketTagging",
            "DeleteBucketTagging",
        ],
    ),
    (
        "versioning",
        ["GetBucketVersioning", "PutBucketVersioning", ""],
    ),
    ("versions", ["ListObjectVersions", "", ""]),
    (
        "website",
        [
            "GetBucketWebsite",
            "PutBucketWebsite",
            "DeleteBucketWebsite",
        ],
    ),
];

/// The operations on an object that a subresource in the query selects, each for GET, PUT and
/// DELETE.
const OF_OBJECTS: [(&str, [&str; 3]); 3] = [
    ("acl", ["GetObjectAcl", "PutObjectAcl", ""]),
    ("attributes", ["GetObjectAttributes", "", ""]),
    (
        "tagging",
        [
            "GetObjectTagging",
            "PutObjectTagging",
            "DeleteObjectTagging",
        ],
    ),
];

/// The operation of an S3 request, as the API reference names it.
pub(crate) fn operation<B>(request: &Request<B>) -> &'static str {
    let (bucket, key) = target(request);
    let on_object = !key.is_empty();
    let query = request.uri().query().unwrap_or_default();
    let has = |name: &str| {
        let mut fields = query.split('&');
        fields.any(|field| field.split('=').next() == Some(name))
    };
    let method = request.method().as_str();
    let known: &[_] = if on_object { &OF_OBJECTS } else { &OF_BUCKETS };
    let selected = known.iter().find(|(name, _)| has(name));
    let selected = selected.map(|(_, names)| match method {
        "GET" => names[0],
        "PUT" => names[1],
        "DELETE" => names[2],
        _ => "",
    });
    if let Some(name) = selected.filter(|name| !name.is_empty()) {
        return name;
    }
    let is_copy = request.headers().contains_key("x-amz-copy-source");
    match (method, on_object) {
        ("PUT", true) if has("partNumber") && is_copy => "UploadPartCopy",
        ("PUT", true) if has("partNumber") => "UploadPart",
        ("PUT", true) if is_copy => "CopyObject",
        ("PUT", true) => "PutObject",
        ("PUT", false) => "CreateBucket",
        ("POST", true) if has("uploads") => "CreateMultipartUpload",
        ("POST", true) if has("uploadId") => "CompleteMultipartUpload",
        ("POST", _) => "DeleteObjects",
        ("HEAD", true) => "HeadObject",
        ("HEAD", false) => "HeadBucket",
        ("DELETE", true) if has("uploadId") => "AbortMultipartUpload",
        ("DELETE", true) => "DeleteObject",
        ("DELETE", false) => "DeleteBucket",
        ("GET", true) if has("uploadId") => "ListParts",
        ("GET", true) => "GetObject",
        ("GET", false) if has("uploads") => "ListMultipartUploads",
        ("GET", false) if bucket.is_empty() => "ListBuckets",
        ("GET", false) if !has("list-type") => "ListObjects",
        _ => "ListObjectsV2",
    }
}

/// The bucket and the key that a request is about, the bucket being that of the path or
/// of the host's name; empty where it names none.
pub(crate) fn target<B>(request: &Request<B>) -> (String, String) {
    let path = request.uri().path();
    let path = decoded(path.strip_prefix('/').unwrap_or(path));
    match bucket_of(&host(request)) {
        Some(bucket) => (bucket.to_owned(), path),
        None => {
            let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
            (bucket.to_owned(), key.to_owned())
        }
    }
}

/// The bucket that a host is of (S3 user guide, "Virtual hosting of buckets"): the name before that
/// of S3, in any region, or before `localhost`.
fn bucket_of(host: &str) -> Option<&str> {
    let bucket = match host.strip_suffix(".localhost") {
        Some(below) => below.strip_suffix(".s3").unwrap_or(below),
        None => {
            let below = host.strip_suffix(".amazonaws.com")?;
            match below.strip_suffix(".s3") {
                Some(bucket) => bucket,
                None => below.rsplit_once(".s3.").or(below.rsplit_once(".s3-"))?.0,
            }
        }
    };
    (!bucket.is_empty() && bucket != "s3").then_some(bucket)
}

/// The request in path style, to `localhost`.
pub(crate) fn in_path_style<B>(mut request: Request<B>) -> Request<B> {
    let host = host(&request);
    let path = request.uri().path();
    let path = match bucket_of(&host) {
        Some(bucket) => format!("/{bucket}{path}"),
        None => path.to_owned(),
    };
    let query = request.uri().query();
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    if let Ok(path) = PathAndQuery::try_from(path + &query) {
        *request.uri_mut() = Uri::from(path);
    }
    let localhost = HeaderValue::from_static("localhost");
    request.headers_mut().insert(header::HOST, localhost);
    request
}

/// Whether a key climbs out of its bucket: read from the left, it never may have more `..` than
/// names before them (S3 user guide, "Naming Amazon S3 objects").
pub(crate) fn climbs(key: &str) -> bool {
    let mut depth = 0_usize;
    for part in key.split('/') {
        depth = match part {
            "" | "." => depth,
            ".." => match depth.checked_sub(1) {
                Some(depth) => depth,
                None => return true,
            },
            _ => depth + 1,
        };
    }
    false
}

/// A path without its percent-encoding.
pub(crate) fn decoded(path: &str) -> String {
    percent_encoding::percent_decode_str(path)
        .decode_utf8_lossy()
        .into_owned()
}

pub(crate) const ENCRYPTION_METHOD: &str = "x-amz-server-side-encryption";

pub(crate) const ENCRYPTION_KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_found_in_a_host() {
        for (host, bucket) in [
            ("shop.localhost", Some("shop")),
            ("shop.s3.localhost", Some("shop")),
            ("shop.s3.amazonaws.com", Some("shop")),
            ("a.b.s3.eu-west-1.amazonaws.com", Some("a.b")),
            ("shop.s3-us-west-2.amazonaws.com", Some("shop")),
            ("shop.s3.dualstack.us-east-1.amazonaws.com", Some("shop")),
            ("s3.us-east-1.amazonaws.com", None),
            ("s3.amazonaws.com", None),
            ("s3.localhost", None),
            ("localhost", None),
            ("127.0.0.1", None),
        ] {
            assert_eq!(bucket_of(host), bucket, "{host}");
        }
    }

    #[test]
    fn only_what_leaves_the_bucket_climbs() {
        for key in ["../k", "a/../../k", "/..", "./.."] {
            assert!(climbs(key), "{key}");
        }
        for key in [
            "k",
            "a/../k",
            "./k",
            "a..b",
            "a//k",
            "videos/2014/../../video1.wmv",
        ] {
            assert!(!climbs(key), "{key}");
        }
    }
}
