//! Buckets that a key of KMS encrypts, and whose policy denies uploads that do not ask for it
//! (S3 user guide, "Using server-side encryption with AWS KMS keys": a bucket policy that denies
//! `s3:PutObject` unless `s3:x-amz-server-side-encryption` says so; KMS is asked
//! `kms:GenerateDataKey` for an upload, `kms:Decrypt` for a download and for parts).

use http::{HeaderMap, Request};
use serde::{Deserialize, Serialize};

use crate::objects;
use crate::policy::Need;
use crate::world::World;

const METHOD: &str = "x-amz-server-side-encryption";
const KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";

/// What a bucket's policy demands of every upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Encryption {
    method: String,
    /// The ARN of its key.
    key: Option<String>,
}

impl World {
    /// From now on a bucket's policy denies uploads that do not ask for this encryption, and for
    /// this key of KMS where there is one, named by its ARN.
    pub fn demand_encryption(&mut self, bucket: &str, method: &str, key: Option<&str>) {
        let encryption = Encryption {
            method: method.to_owned(),
            key: key.map(str::to_owned),
        };
        self.quirks.encrypted.insert(bucket.to_owned(), encryption);
    }

    /// Why the bucket's own policy denies a request, if it does.
    pub(crate) fn bucket_denies<B>(&self, request: &Request<B>) -> Option<String> {
        let (bucket, key) = objects::target(request);
        let demanded = self.quirks.encrypted.get(&bucket)?;
        let operation = objects::operation(request);
        if !matches!(operation, "PutObject" | "CreateMultipartUpload") {
            return None;
        }
        let has = |name: &str, value: &str| {
            let given = request.headers().get(name);
            given.is_some_and(|given| given.as_bytes() == value.as_bytes())
        };
        let is_so =
            has(METHOD, &demanded.method) && demanded.key.as_ref().is_none_or(|key| has(KEY, key));
        (!is_so).then(|| {
            format!(
                "User: {} is not authorized to perform: s3:PutObject on resource: \
                 \"arn:aws:s3:::{bucket}/{key}\" with an explicit deny in a resource-based policy",
                self.caller()
            )
        })
    }

    /// What a request needs of the key that encrypts its bucket.
    pub(crate) fn key_needs<B>(&self, request: &Request<B>) -> Option<Need> {
        let (bucket, _) = objects::target(request);
        match objects::operation(request) {
            "PutObject" | "CreateMultipartUpload" => self.of_key(&bucket, "kms:GenerateDataKey"),
            "GetObject" | "UploadPart" | "CompleteMultipartUpload" => self.reads_with_key(&bucket),
            _ => None,
        }
    }

    /// What reading an object of a bucket needs of its key.
    pub(crate) fn reads_with_key(&self, bucket: &str) -> Option<Need> {
        self.of_key(bucket, "kms:Decrypt")
    }

    fn of_key(&self, bucket: &str, action: &str) -> Option<Need> {
        let key = self.quirks.encrypted.get(bucket)?.key.as_ref()?;
        Some(Need::new(action, key.as_str()))
    }
}

/// Takes the headers out that the kept library does not know.
pub(crate) fn strip(headers: &mut HeaderMap) {
    headers.remove(METHOD);
    headers.remove(KEY);
}
