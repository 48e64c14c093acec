//! What the operations of S3 need (service authorization reference, "Actions,
//! resources, and condition keys for Amazon S3").

use http::Request;
use http::header::IF_MATCH;

use crate::objects;
use crate::wire::form::Form;
use crate::world::iam::need::Need;

/// What a request needs.
pub(crate) fn needed<B>(request: &Request<B>) -> Vec<Need> {
    let (bucket, key) = objects::target(request);
    let query = Form::parse(request.uri().query().unwrap_or_default().as_bytes());
    let on_bucket = |action: &str| vec![Need::new(action, format!("arn:aws:s3:::{bucket}"))];
    let on_object = |action: &str| Need::new(action, format!("arn:aws:s3:::{bucket}/{key}"));
    match objects::operation(request) {
        "GetObject" | "HeadObject" if query.get("versionId").is_some() => {
            vec![on_object("s3:GetObjectVersion")]
        }
        "GetObject" | "HeadObject" => vec![on_object("s3:GetObject")],
        "PutObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => {
            let mut needs = vec![on_object("s3:PutObject")];
            // The condition tells whether the content is known (S3 user guide, "How to
            // prevent object overwrites with conditional writes").
            if request.headers().contains_key(IF_MATCH) {
                needs.push(on_object("s3:GetObject"));
            }
            let source = request.headers().get("x-amz-copy-source");
            if let Some(source) = source.and_then(|source| source.to_str().ok()) {
                let source = objects::decoded(source.trim_start_matches('/'));
                needs.push(Need::new("s3:GetObject", format!("arn:aws:s3:::{source}")));
            }
            needs
        }
        "AbortMultipartUpload" => vec![on_object("s3:AbortMultipartUpload")],
        "ListParts" => vec![on_object("s3:ListMultipartUploadParts")],
        "DeleteObject" => vec![on_object("s3:DeleteObject")],
        // Which keys is in the body: all of the bucket's must be allowed.
        "DeleteObjects" => vec![Need::new(
            "s3:DeleteObject",
            format!("arn:aws:s3:::{bucket}/*"),
        )],
        "CreateBucket" => on_bucket("s3:CreateBucket"),
        "DeleteBucket" => on_bucket("s3:DeleteBucket"),
        "ListMultipartUploads" => on_bucket("s3:ListBucketMultipartUploads"),
        "ListBuckets" => vec![Need::new("s3:ListAllMyBuckets", "*")],
        // HeadBucket and every way of listing.
        _ => {
            let mut needs = on_bucket("s3:ListBucket");
            for need in &mut needs {
                for name in ["prefix", "delimiter"] {
                    if let Some(value) = query.get(name) {
                        *need = need.clone().key(&format!("s3:{name}"), [value.to_owned()]);
                    }
                }
            }
            needs
        }
    }
}

/// The permission that decides whether S3 reveals a missing key: without `s3:ListBucket` it answers
/// 403 instead of 404 (API reference, `GetObject` and `HeadObject`).
pub(crate) fn hides_missing_keys<B>(request: &Request<B>) -> Option<Need> {
    matches!(objects::operation(request), "GetObject" | "HeadObject").then(|| {
        let (bucket, _) = objects::target(request);
        Need::new("s3:ListBucket", format!("arn:aws:s3:::{bucket}"))
    })
}
