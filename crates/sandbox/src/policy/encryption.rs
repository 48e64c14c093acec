//! Buckets that a key of KMS encrypts, and whose policy denies uploads that do not request it (S3
//! user guide, "Using server-side encryption with AWS KMS keys": a bucket policy that denies
//! `s3:PutObject` unless `s3:x-amz-server-side-encryption` says so; an upload needs
//! `kms:GenerateDataKey` of KMS, a download and parts need `kms:Decrypt`).

use http::Request;

use crate::objects;
use crate::objects::{ENCRYPTION_KEY, ENCRYPTION_METHOD};
use crate::world::World;
use crate::world::iam::need::Need;

/// Why the bucket's own policy denies a request, if it does.
pub(crate) fn bucket_denies<B>(world: &World, request: &Request<B>) -> Option<String> {
    let (bucket, key) = objects::target(request);
    let demanded = world.quirks.encrypted.get(&bucket)?;
    let operation = objects::operation(request);
    if !matches!(
        operation,
        "PutObject" | "CopyObject" | "CreateMultipartUpload"
    ) {
        return None;
    }
    let has = |name: &str, value: &str| {
        let given = request.headers().get(name);
        given.is_some_and(|given| given.as_bytes() == value.as_bytes())
    };
    let is_so = has(ENCRYPTION_METHOD, &demanded.method)
        && demanded
            .key
            .as_ref()
            .is_none_or(|key| has(ENCRYPTION_KEY, key));
    (!is_so).then(|| {
        format!(
            "User: {} is not authorized to perform: s3:PutObject on resource: \
             \"arn:aws:s3:::{bucket}/{key}\" with an explicit deny in a resource-based policy",
            world.caller()
        )
    })
}

/// What a request needs of the key that encrypts its bucket.
pub(crate) fn key_needs<B>(world: &World, request: &Request<B>) -> Option<Need> {
    let (bucket, _) = objects::target(request);
    match objects::operation(request) {
        "PutObject" | "CopyObject" | "CreateMultipartUpload" => {
            world.of_key(&bucket, "kms:GenerateDataKey")
        }
        "GetObject" | "UploadPart" | "UploadPartCopy" | "CompleteMultipartUpload" => {
            world.reads_with_key(&bucket)
        }
        _ => None,
    }
}
