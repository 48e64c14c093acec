//! Writing objects.

use std::path::Path;

use http::StatusCode;
use http_body_util::BodyExt;
use s3s::checksum::ChecksumHasher;
use s3s::dto::*;
use s3s::{Body, S3Error, S3Response, S3Result, s3_error};

use crate::objects::checksums::{Algorithm, Sums, state_sums, stated_sums};
use crate::objects::service::conditions::check_write_to;
use crate::objects::service::reads::stated_id;
use crate::objects::service::refusal::{OrInternal, bucket, custom};
use crate::objects::service::{buckets, settings};
use crate::objects::store::bucket::{Bucket as Kept, Versioning};
use crate::objects::store::object::{Content, NULL, Properties, Version};
use crate::objects::store::staged::{Staged, Writer};
use crate::objects::store::{Store, names};
use crate::time::Millis;

/// The most that the names and values of an object's metadata may measure, in bytes.
const METADATA_BYTES_MAX: usize = 2048;

/// The digests that a client states of some content.
pub(crate) struct Wanted {
    md5: Option<String>,
    sums: Sums,
    algorithms: Vec<Algorithm>,
}

impl Wanted {
    /// The digests of a request, and the algorithms to compute: those of the stated checksums, or
    /// the named one, or S3's own.
    ///
    /// # Errors
    /// `InvalidRequest`: more than one checksum, or an unknown algorithm.
    pub fn new(
        md5: Option<&String>,
        sums: Sums,
        named: Option<&ChecksumAlgorithm>,
    ) -> S3Result<Wanted> {
        let mut algorithms = sums.algorithms();
        if algorithms.len() > 1 {
            return Err(s3_error!(
                InvalidRequest,
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
            ));
        }
        if algorithms.is_empty() {
            algorithms.push(match named {
                Some(named) => algorithm(named)?,
                None => Algorithm::Crc64Nvme,
            });
        }
        let md5 = md5.cloned();
        Ok(Wanted {
            md5,
            sums,
            algorithms,
        })
    }

    /// Computes this algorithm too.
    pub fn and(mut self, algorithm: Algorithm) -> Wanted {
        self.algorithms.push(algorithm);
        self
    }

    fn hasher(&self) -> ChecksumHasher {
        let mut hasher = ChecksumHasher::default();
        self.algorithms.iter().for_each(|one| one.on(&mut hasher));
        hasher
    }

    fn check(&self, staged: &Staged) -> S3Result<()> {
        if let Some(md5) = &self.md5 {
            let stated = base64_simd::STANDARD.decode_to_vec(md5).ok();
            let stated = stated.filter(|stated| stated.len() == staged.md5.len());
            let stated = stated.ok_or_else(|| {
                s3_error!(InvalidDigest, "The Content-MD5 you specified was invalid.")
            })?;
            if stated != staged.md5 {
                return Err(s3_error!(
                    BadDigest,
                    "The Content-MD5 you specified did not match what we received."
                ));
            }
        }
        match staged.sums.contradicted(&self.sums) {
            None => Ok(()),
            Some(algorithm) => {
                let name = algorithm.name();
                Err(s3_error!(
                    BadDigest,
                    "The {name} you specified did not match the calculated checksum."
                ))
            }
        }
    }
}

/// The algorithm that a client names.
///
/// # Errors
/// `InvalidRequest`.
pub(crate) fn algorithm(named: &ChecksumAlgorithm) -> S3Result<Algorithm> {
    let unknown = "Checksum algorithm provided is unsupported. Please try again with any of the \
                   valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]";
    Algorithm::of(named.as_str()).ok_or_else(|| s3_error!(InvalidRequest, "{unknown}"))
}

/// The digests that a write of an object states.
///
/// # Errors
/// `InvalidRequest`.
pub(crate) fn wanted(input: &PutObjectInput) -> S3Result<Wanted> {
    let sums = stated_sums!(input);
    let named = input.checksum_algorithm.as_ref();
    Wanted::new(input.content_md5.as_ref(), sums, named)
}

/// Receives a body into a file below `folder`.
///
/// # Errors
/// `BadDigest` and `InvalidDigest` where it is not what its client states; `IncompleteBody`.
pub(crate) async fn received(
    body: Option<StreamingBlob>,
    wanted: Wanted,
    folder: &Path,
) -> S3Result<Staged> {
    let mut writer = Writer::new(folder, wanted.hasher()).or_internal()?;
    let mut body = body.map_or_else(Body::empty, Body::from);
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| S3Error::with_source(s3s::S3ErrorCode::IncompleteBody, error))?;
        if let Ok(data) = frame.into_data() {
            writer.write(&data).or_internal()?;
        }
    }
    let staged = writer.finish();
    wanted.check(&staged)?;
    Ok(staged)
}

/// Takes what the writer of an object says about it from a request.
macro_rules! properties {
    ($input:expr, $bucket:expr) => {
        $crate::objects::service::writes::completed(
            $crate::objects::store::object::Properties {
                content_type: $input.content_type.clone(),
                cache_control: $input.cache_control.clone(),
                content_disposition: $input.content_disposition.clone(),
                content_encoding: $input.content_encoding.clone(),
                content_language: $input.content_language.clone(),
                expires: $input.expires.clone(),
                website_redirect_location: $input.website_redirect_location.clone(),
                metadata: $input
                    .metadata
                    .clone()
                    .unwrap_or_default()
                    .into_iter()
                    .collect(),
                tags: $crate::objects::service::tags::of_header($input.tagging.as_deref())?,
                storage_class: $input
                    .storage_class
                    .as_ref()
                    .map(|class| class.as_str().to_owned()),
                encryption: $input
                    .server_side_encryption
                    .as_ref()
                    .map(|method| method.as_str().to_owned()),
                encryption_key: $input.ssekms_key_id.clone(),
            },
            $bucket,
        )
    };
}

pub(crate) use properties;

/// Properties as they are kept: with the bucket's encryption where the writer names none.
///
/// # Errors
/// `MetadataTooLarge`.
pub(crate) fn completed(mut properties: Properties, bucket: &Kept) -> S3Result<Properties> {
    let metadata = properties.metadata.iter();
    let bytes: usize = metadata.map(|(name, value)| name.len() + value.len()).sum();
    if bytes > METADATA_BYTES_MAX {
        return Err(s3_error!(
            MetadataTooLarge,
            "Your metadata headers exceed the maximum allowed metadata size"
        ));
    }
    if properties.encryption.is_none() {
        (properties.encryption, properties.encryption_key) = settings::default_encryption(bucket)?;
    }
    properties
        .storage_class
        .take_if(|class| class == StorageClass::STANDARD);
    Ok(properties)
}

/// The condition of a write. It is checked before the body is received too: no source says whether
/// S3 checks the condition or the digest first.
pub(crate) struct Condition {
    bucket: String,
    key: String,
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
}

impl Condition {
    /// The condition of a request; `None` where it has none.
    pub fn of(input: &PutObjectInput) -> Option<Condition> {
        let condition = Condition {
            bucket: input.bucket.clone(),
            key: input.key.clone(),
            if_match: input.if_match.clone(),
            if_none_match: input.if_none_match.clone(),
        };
        (condition.if_match.is_some() || condition.if_none_match.is_some()).then_some(condition)
    }

    /// Refuses the write where its condition does not hold.
    ///
    /// # Errors
    /// `PreconditionFailed`, `NoSuchKey` and `NoSuchBucket`.
    pub fn check(&self, store: &Store) -> S3Result<()> {
        bucket(store, &self.bucket)?;
        check_write_to(
            store,
            (&self.bucket, &self.key),
            self.if_match.as_ref(),
            self.if_none_match.as_ref(),
        )
    }
}

pub(crate) fn put(
    store: &Store,
    at: Millis,
    input: PutObjectInput,
    staged: Staged,
) -> S3Result<S3Response<PutObjectOutput>> {
    let bucket = bucket(store, &input.bucket)?;
    buckets::check_acl(&bucket, input.acl.as_ref().map(ObjectCannedACL::as_str))?;
    if input.write_offset_bytes.is_some() {
        return Err(custom(
            StatusCode::NOT_IMPLEMENTED,
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
        ));
    }
    let properties = properties!(input, &bucket)?;
    check_write_to(
        store,
        (&input.bucket, &input.key),
        input.if_match.as_ref(),
        input.if_none_match.as_ref(),
    )?;
    let content = Content {
        size: staged.size,
        e_tag: staged.e_tag(),
        sums: staged.sums.clone(),
        properties,
        ..Content::default()
    };
    let data = store
        .keep(&input.bucket, &input.key, staged)
        .or_internal()?;
    let content = Content { data, ..content };
    let mut output = PutObjectOutput {
        checksum_type: content.sums.kind(),
        e_tag: Some(ETag::Strong(content.e_tag.clone())),
        ssekms_key_id: content.properties.encryption_key.clone(),
        server_side_encryption: Some(encryption(&content.properties)),
        ..PutObjectOutput::default()
    };
    state_sums!(output, content.sums);
    output.version_id = commit(store, (&input.bucket, &input.key), &bucket, at, content)?;
    Ok(S3Response::new(output))
}

/// How an object is encrypted.
pub(crate) fn encryption(properties: &Properties) -> ServerSideEncryption {
    match &properties.encryption {
        Some(method) => method.clone().into(),
        None => ServerSideEncryption::from_static(ServerSideEncryption::AES256),
    }
}

/// Makes content the newest version of an object, and returns the id that its answer states.
///
/// # Errors
/// It cannot be written.
pub(crate) fn commit(
    store: &Store,
    (name, key): (&str, &str),
    bucket: &Kept,
    at: Millis,
    content: Content,
) -> S3Result<Option<String>> {
    let id = new_id(bucket);
    let mut object = store.object(name, key).or_internal()?;
    object.add(Version {
        id: id.clone(),
        at,
        content: Some(content),
    });
    store.write_object(name, key, &object).or_internal()?;
    Ok(stated_id(bucket, &id))
}

/// The id of a bucket's next version.
pub(crate) fn new_id(bucket: &Kept) -> String {
    match bucket.versioning {
        Versioning::Enabled => names::unique(),
        Versioning::Off | Versioning::Suspended => NULL.to_owned(),
    }
}
