//! Small objects in the artifacts bucket, written only under a condition.

use aws_sdk_s3 as s3;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ServerSideEncryption;

use super::clients::AwsCloud;
use super::failure::{failure, look_error, status_of_head};
use crate::classify::describe;
use crate::classify::{Failure, Refusal, classify};
use crate::cloud::LookError;
use crate::encryption::Encryption;
use crate::state_key::StateKey;
use bluegreen_core::plan::REQUEST_TIMEOUT;

/// A bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    s3: s3::Client,
    name: String,
    encryption: Option<Encryption>,
    state_key: Option<StateKey>,
    /// The account that must own it, where another account's bucket must not be read.
    owner: Option<String>,
}

/// How many bytes of an object are read: a deployment's copy, which is the largest, has some
/// hundred thousand.
pub const OBJECT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// An object as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its content.
    pub body: Vec<u8>,
    /// The tag of this content: S3 gives another to any other content.
    pub etag: String,
}

/// When a write may take place (S3 user guide, "How to prevent object overwrites
/// with conditional writes").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition<'a> {
    /// `If-None-Match: *`: there is no such object.
    Absent,
    /// `If-Match`: the object still has this tag.
    Unchanged(&'a str),
}

/// What the answer to a conditional write means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is written, and has this tag.
    Written(String),
    /// 412, or 404 where the object to replace is gone: the condition does not
    /// hold, unless an earlier attempt of this same write was the reason.
    ConditionFailed,
    /// Whether it is written is unknown.
    Unclear(String),
}

/// Whether a bucket heeds the condition of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionalWrites {
    /// It refused a write whose condition did not hold.
    Honoured,
    /// It accepted it: the state in the bucket would not be safe there.
    Ignored,
    /// It refused the write for another reason.
    Unknown,
}

/// S3 states the tag of every object that it reads or writes (API reference, `GetObject` and
/// `PutObject`, "ETag").
pub(super) const UNTAGGED: &str = "an answer that is not S3's came back: it has no ETag";

/// The key of a write that S3 must refuse.
const REFUSED_KEY: &str = "bluegreen/conditional-writes";
/// The tag of no object, and the MD5 digest of no content.
const NO_ETAG: &str = "\"00000000000000000000000000000000\"";
const NO_DIGEST: &str = "AAAAAAAAAAAAAAAAAAAAAA==";

impl AwsCloud {
    /// A bucket of this account and region.
    #[must_use]
    pub fn bucket(&self, name: &str) -> Bucket {
        Bucket {
            s3: self.s3.clone(),
            name: name.to_owned(),
            encryption: self.encryption.clone(),
            state_key: self.state_key.clone(),
            owner: None,
        }
    }

    /// Whether a bucket heeds the conditions of writes. Requests one that S3 must refuse, because
    /// the object does not have the tag that the write would replace (412, or 404 where there is no
    /// object: S3 user guide, "Conditional write behavior"). It writes nothing in S3 even if S3 did
    /// not heed the condition, because the digest is not the content's either; which of both S3
    /// checks first is not documented. Only a store that heeds neither, which S3 is not, is left
    /// with an empty object.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn conditional_writes(&self, bucket: &str) -> Result<ConditionalWrites, LookError> {
        let request = self
            .s3
            .put_object()
            .bucket(bucket)
            .key(REFUSED_KEY)
            .set_server_side_encryption(method(self.encryption.as_ref()))
            .set_ssekms_key_id(key_of(self.encryption.as_ref()))
            .if_match(NO_ETAG)
            .content_md5(NO_DIGEST)
            .body(ByteStream::from_static(b""));
        let error = match request.customize().config_override(bounded()).send().await {
            Ok(_) => return Ok(ConditionalWrites::Ignored),
            Err(error) => error,
        };
        let failure = failure(&error);
        let Failure::Service { code, .. } = &failure else {
            return Err(look_error("PutObject", &error));
        };
        match code.as_str() {
            "PreconditionFailed" | "NoSuchKey" => Ok(ConditionalWrites::Honoured),
            "BadDigest" | "InvalidDigest" => Ok(ConditionalWrites::Unknown),
            _ => Err(self
                .bucket(bucket)
                .unfit(&failure, || look_error("PutObject", &error))),
        }
    }
}

impl Bucket {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// This bucket where the account owns it: S3 denies requests to another account's bucket (user
    /// guide, "Verifying bucket ownership with bucket owner condition").
    #[must_use]
    pub fn owned_by(self, account: &str) -> Bucket {
        let owner = Some(account.to_owned());
        Bucket { owner, ..self }
    }

    /// Whether there is such a bucket.
    ///
    /// # Errors
    /// [`LookError`]; [`LookError::Refused`] where it may not be read.
    pub async fn exists(&self) -> Result<bool, LookError> {
        let head = self.s3.head_bucket().bucket(&self.name);
        let head = head.set_expected_bucket_owner(self.owner.clone());
        match head.send().await {
            Ok(_) => Ok(true),
            Err(error) => match status_of_head(&error) {
                Some(404) => Ok(false),
                Some(status @ (301 | 401 | 403)) => Err(LookError::Refused(format!(
                    "HeadBucket {}: answered {status}; is it in this region, and may it be read?",
                    self.name
                ))),
                _ => Err(look_error("HeadBucket", &error)),
            },
        }
    }

    /// The key that authenticates the objects in it, where one is given.
    #[must_use]
    pub fn state_key(&self) -> Option<&StateKey> {
        self.state_key.as_ref()
    }

    /// Reads an object; `None` where there is none. Of an object with more than
    /// [`OBJECT_BYTES_MAX`] bytes it reads no more than shows that.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn get(&self, key: &str) -> Result<Option<Object>, LookError> {
        let answer = self.s3.get_object().bucket(&self.name).key(key);
        let answer = answer.set_expected_bucket_owner(self.owner.clone());
        let answer = match answer.customize().config_override(bounded()).send().await {
            Ok(answer) => answer,
            Err(error) => {
                return match failure(&error) {
                    Failure::Service { code, .. } if code == "NoSuchKey" => Ok(None),
                    failure => Err(self.unfit(&failure, || look_error("GetObject", &error))),
                };
            }
        };
        let etag = answer
            .e_tag
            .ok_or_else(|| LookError::Passing(format!("GetObject {key}: {UNTAGGED}")))?;
        let (mut body, mut rest) = (Vec::new(), answer.body);
        while body.len() <= OBJECT_BYTES_MAX
            && let Some(more) = rest.next().await
        {
            body.extend(more.map_err(|e| LookError::Passing(format!("GetObject: {e}")))?);
        }
        Ok(Some(Object { body, etag }))
    }

    /// Writes an object where the condition holds.
    ///
    /// # Errors
    /// [`LookError`]; then nothing was written.
    pub async fn put(
        &self,
        key: &str,
        body: &[u8],
        condition: Condition<'_>,
    ) -> Result<Put, LookError> {
        let request = self
            .s3
            .put_object()
            .bucket(&self.name)
            .key(key)
            .content_type("application/json")
            .set_server_side_encryption(method(self.encryption.as_ref()))
            .set_ssekms_key_id(key_of(self.encryption.as_ref()))
            .body(ByteStream::from(body.to_vec()));
        let request = match condition {
            Condition::Absent => request.if_none_match("*"),
            Condition::Unchanged(etag) => request.if_match(etag),
        };
        let error = match request.customize().config_override(bounded()).send().await {
            Ok(done) => {
                return Ok(match done.e_tag {
                    Some(etag) => Put::Written(etag),
                    None => Put::Unclear(UNTAGGED.to_owned()),
                });
            }
            Err(error) => error,
        };
        let failure = failure(&error);
        if let Failure::Service { code, .. } = &failure
            && (code == "PreconditionFailed" || code == "NoSuchKey")
        {
            return Ok(Put::ConditionFailed);
        }
        match classify(None, &failure) {
            None => Ok(Put::Unclear(describe(&failure))),
            Some(Refusal::AlreadySo(_)) => Ok(Put::ConditionFailed),
            Some(_) => Err(self.unfit(&failure, || look_error("PutObject", &error))),
        }
    }

    /// Writes a page for people, in place of the one before.
    ///
    /// # Errors
    /// [`LookError`]; whether it was written may be unknown then.
    pub async fn put_page(&self, key: &str, page: String) -> Result<(), LookError> {
        let request = self
            .s3
            .put_object()
            .bucket(&self.name)
            .key(key)
            .content_type("text/html; charset=utf-8")
            .set_server_side_encryption(method(self.encryption.as_ref()))
            .set_ssekms_key_id(key_of(self.encryption.as_ref()))
            .body(ByteStream::from(page.into_bytes()));
        let written = request.customize().config_override(bounded()).send().await;
        written
            .map(drop)
            .map_err(|error| self.unfit(&failure(&error), || look_error("PutObject", &error)))
    }

    /// A page of the keys that begin with `prefix`, in their order, and the token for the request
    /// of the next page.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn list(
        &self,
        prefix: &str,
        start_after: &str,
        after: Option<String>,
    ) -> Result<(Vec<String>, Option<String>), LookError> {
        let page = self
            .s3
            .list_objects_v2()
            .bucket(&self.name)
            .prefix(prefix)
            .set_start_after((!start_after.is_empty()).then(|| start_after.to_owned()))
            .set_continuation_token(after)
            .customize()
            .config_override(bounded())
            .send()
            .await;
        let page = page.map_err(|error| {
            self.unfit(&failure(&error), || look_error("ListObjectsV2", &error))
        })?;
        let keys = page.contents.unwrap_or_default().into_iter();
        let next = page.next_continuation_token;
        Ok((
            keys.filter_map(|object| object.key).collect(),
            next.filter(|token| !token.is_empty()),
        ))
    }

    /// Names a missing bucket.
    fn unfit(&self, failure: &Failure, otherwise: impl FnOnce() -> LookError) -> LookError {
        match failure {
            Failure::Service { code, .. } if code == "NoSuchBucket" => LookError::Refused(format!(
                "there is no bucket {}: is --bucket right?",
                self.name
            )),
            _ => otherwise(),
        }
    }
}

/// The header `x-amz-server-side-encryption`.
pub(super) fn method(encryption: Option<&Encryption>) -> Option<ServerSideEncryption> {
    encryption.map(|encryption| match encryption {
        Encryption::S3 => ServerSideEncryption::Aes256,
        Encryption::Kms { .. } => ServerSideEncryption::AwsKms,
    })
}

/// The header `x-amz-server-side-encryption-aws-kms-key-id`.
pub(super) fn key_of(encryption: Option<&Encryption>) -> Option<String> {
    encryption.and_then(Encryption::key).map(str::to_owned)
}

/// Limits all attempts of a request together to the time that one may take.
fn bounded() -> s3::config::Builder {
    s3::config::Builder::new().timeout_config(
        TimeoutConfig::builder()
            .operation_timeout(REQUEST_TIMEOUT)
            .build(),
    )
}
