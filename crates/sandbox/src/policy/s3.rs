//! What the operations of S3 need (service authorization reference, "Actions,
//! resources, and condition keys for Amazon S3").

use http::Request;
use http::header::IF_MATCH;

use crate::objects;
use crate::wire::form::Form;
use crate::world::iam::need::Need;

/// The actions whose names are not those of their operations.
const NAMED_OTHERWISE: [(&str, &str); 27] = [
    ("DeleteBucketCors", "PutBucketCORS"),
    ("DeleteBucketEncryption", "PutEncryptionConfiguration"),
    ("DeleteBucketLifecycle", "PutLifecycleConfiguration"),
    (
        "DeleteBucketOwnershipControls",
        "PutBucketOwnershipControls",
    ),
    ("DeleteBucketReplication", "PutReplicationConfiguration"),
    ("DeleteBucketTagging", "PutBucketTagging"),
    ("DeletePublicAccessBlock", "PutBucketPublicAccessBlock"),
    (
        "GetBucketAccelerateConfiguration",
        "GetAccelerateConfiguration",
    ),
    ("GetBucketCors", "GetBucketCORS"),
    ("GetBucketEncryption", "GetEncryptionConfiguration"),
    (
        "GetBucketLifecycleConfiguration",
        "GetLifecycleConfiguration",
    ),
    (
        "GetBucketNotificationConfiguration",
        "GetBucketNotification",
    ),
    ("GetBucketReplication", "GetReplicationConfiguration"),
    (
        "GetObjectLockConfiguration",
        "GetBucketObjectLockConfiguration",
    ),
    ("GetPublicAccessBlock", "GetBucketPublicAccessBlock"),
    ("ListBuckets", "ListAllMyBuckets"),
    ("ListMultipartUploads", "ListBucketMultipartUploads"),
    ("ListObjectVersions", "ListBucketVersions"),
    ("ListParts", "ListMultipartUploadParts"),
    (
        "PutBucketAccelerateConfiguration",
        "PutAccelerateConfiguration",
    ),
    ("PutBucketCors", "PutBucketCORS"),
    ("PutBucketEncryption", "PutEncryptionConfiguration"),
    (
        "PutBucketLifecycleConfiguration",
        "PutLifecycleConfiguration",
    ),
    (
        "PutBucketNotificationConfiguration",
        "PutBucketNotification",
    ),
    ("PutBucketReplication", "PutReplicationConfiguration"),
    (
        "PutObjectLockConfiguration",
        "PutBucketObjectLockConfiguration",
    ),
    ("PutPublicAccessBlock", "PutBucketPublicAccessBlock"),
];

/// The actions on objects that have another one for a version.
const OF_VERSIONS: [(&str, &str); 8] = [
    ("DeleteObject", "DeleteObjectVersion"),
    ("DeleteObjectTagging", "DeleteObjectVersionTagging"),
    ("GetObject", "GetObjectVersion"),
    ("GetObjectAcl", "GetObjectVersionAcl"),
    ("GetObjectAttributes", "GetObjectVersionAttributes"),
    ("GetObjectTagging", "GetObjectVersionTagging"),
    ("PutObjectAcl", "PutObjectVersionAcl"),
    ("PutObjectTagging", "PutObjectVersionTagging"),
];

/// What a request needs.
pub(crate) fn needed<B>(request: &Request<B>) -> Vec<Need> {
    let (bucket, key) = objects::target(request);
    let query = Form::parse(request.uri().query().unwrap_or_default().as_bytes());
    let is_version = query.get("versionId").is_some();
    let of_bucket = format!("arn:aws:s3:::{bucket}");
    let on_object = |action: &str| {
        let action = of_version(action, is_version);
        Need::new(format!("s3:{action}"), format!("{of_bucket}/{key}"))
    };
    match objects::operation(request) {
        "HeadObject" => vec![on_object("GetObject")],
        "GetObjectAttributes" => vec![on_object("GetObject"), on_object("GetObjectAttributes")],
        "PutObject"
        | "CopyObject"
        | "CreateMultipartUpload"
        | "UploadPart"
        | "UploadPartCopy"
        | "CompleteMultipartUpload" => {
            let mut needs = vec![on_object("PutObject")];
            // The condition tells whether the content is known (S3 user guide, "How to
            // prevent object overwrites with conditional writes").
            if request.headers().contains_key(IF_MATCH) {
                needs.push(on_object("GetObject"));
            }
            needs.extend(of_source(request));
            needs
        }
        "DeleteObject" => {
            let mut needs = vec![on_object("DeleteObject")];
            // S3 user guide, "How to perform conditional deletes".
            if request
                .headers()
                .get(IF_MATCH)
                .is_some_and(|tag| tag != "*")
            {
                needs.push(on_object("GetObject"));
            }
            needs
        }
        // Which keys is in the body: all of the bucket's must be allowed.
        "DeleteObjects" => vec![Need::new("s3:DeleteObject", format!("{of_bucket}/*"))],
        "ListBuckets" => vec![Need::new("s3:ListAllMyBuckets", "*")],
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => {
            let mut need = Need::new("s3:ListBucket", of_bucket);
            for name in ["prefix", "delimiter"] {
                if let Some(value) = query.get(name) {
                    need = need.key(&format!("s3:{name}"), [value.to_owned()]);
                }
            }
            vec![need]
        }
        operation => {
            let mut named = NAMED_OTHERWISE.iter();
            let named = named.find(|(name, _)| *name == operation);
            let action = named.map_or(operation, |(_, action)| action);
            match key.is_empty() {
                true => vec![Need::new(format!("s3:{action}"), of_bucket)],
                false => vec![on_object(action)],
            }
        }
    }
}

fn of_version(action: &str, is_version: bool) -> &str {
    let mut actions = OF_VERSIONS.iter().filter(|_| is_version);
    let found = actions.find(|(name, _)| *name == action);
    found.map_or(action, |(_, of_version)| of_version)
}

/// What reading the source of a copy needs.
fn of_source<B>(request: &Request<B>) -> Option<Need> {
    let source = request.headers().get("x-amz-copy-source")?.to_str().ok()?;
    let (source, version) = match source.split_once("?versionId=") {
        Some((source, _)) => (source, true),
        None => (source, false),
    };
    let source = objects::decoded(source.trim_start_matches('/'));
    let action = of_version("GetObject", version);
    Some(Need::new(
        format!("s3:{action}"),
        format!("arn:aws:s3:::{source}"),
    ))
}

/// The permission that decides whether S3 reveals a missing key: without `s3:ListBucket` it answers
/// 403 instead of 404 (API reference, `GetObject` and `HeadObject`).
pub(crate) fn hides_missing_keys<B>(request: &Request<B>) -> Option<Need> {
    matches!(objects::operation(request), "GetObject" | "HeadObject").then(|| {
        let (bucket, _) = objects::target(request);
        Need::new("s3:ListBucket", format!("arn:aws:s3:::{bucket}"))
    })
}
