//! Tags of buckets and objects.

use http::StatusCode;
use s3s::dto::*;
use s3s::{S3Response, S3Result, s3_error};

use crate::objects::service::reads::{found, stated_id};
use crate::objects::service::refusal::{OrInternal, bucket, custom};
use crate::objects::store::Store;
use crate::time::Millis;

/// The setting that holds a bucket's tags.
const TAGGING: &str = "tagging";

/// The most tags that an object may have.
const OBJECT_TAGS_MAX: usize = 10;

type Pairs = Vec<(String, String)>;

fn pairs(tags: TagSet) -> S3Result<Pairs> {
    let pairs: Pairs = tags
        .into_iter()
        .map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()))
        .collect();
    check(&pairs)?;
    Ok(pairs)
}

fn check(pairs: &Pairs) -> S3Result<()> {
    let invalid = |message| custom(StatusCode::BAD_REQUEST, "InvalidTag", message);
    for (at, (key, value)) in pairs.iter().enumerate() {
        if key.is_empty() || key.chars().count() > 128 {
            return Err(invalid("The TagKey you have provided is invalid"));
        }
        if value.chars().count() > 256 {
            return Err(invalid("The TagValue you have provided is invalid"));
        }
        if pairs[..at].iter().any(|(other, _)| other == key) {
            return Err(invalid("Cannot provide multiple Tags with the same key"));
        }
    }
    Ok(())
}

/// Checks the tags of an object.
fn check_count(pairs: Pairs) -> S3Result<Pairs> {
    match pairs.len() {
        0..=OBJECT_TAGS_MAX => Ok(pairs),
        _ => Err(custom(
            StatusCode::BAD_REQUEST,
            "BadRequest",
            "Object tags cannot be greater than 10",
        )),
    }
}

/// The tags of the header `x-amz-tagging`, which are written as in a URL's query.
///
/// # Errors
/// `InvalidTag`, `BadRequest`.
pub(crate) fn of_header(header: Option<&str>) -> S3Result<Pairs> {
    let header = header.unwrap_or_default();
    let pairs: Pairs = form_urlencoded::parse(header.as_bytes())
        .into_owned()
        .collect();
    check(&pairs)?;
    check_count(pairs)
}

fn set(pairs: Pairs) -> TagSet {
    let tags = pairs.into_iter().map(|(key, value)| Tag {
        key: Some(key),
        value: Some(value),
    });
    tags.collect()
}

pub(crate) fn of_bucket(
    store: &Store,
    _: Millis,
    input: GetBucketTaggingInput,
) -> S3Result<S3Response<GetBucketTaggingOutput>> {
    let bucket = bucket(store, &input.bucket)?;
    let kept = bucket.settings.get(TAGGING);
    let pairs = kept.and_then(|kept| serde_json::from_str(kept).ok());
    let pairs = pairs.ok_or_else(|| s3_error!(NoSuchTagSet, "The TagSet does not exist"))?;
    Ok(S3Response::new(GetBucketTaggingOutput {
        tag_set: set(pairs),
    }))
}

pub(crate) fn put_on_bucket(
    store: &Store,
    _: Millis,
    input: PutBucketTaggingInput,
) -> S3Result<S3Response<PutBucketTaggingOutput>> {
    let mut bucket = bucket(store, &input.bucket)?;
    let pairs = pairs(input.tagging.tag_set)?;
    let kept = serde_json::to_string(&pairs).map_err(s3s::S3Error::internal_error)?;
    bucket.settings.insert(TAGGING.to_owned(), kept);
    store.write_bucket(&input.bucket, &bucket).or_internal()?;
    let done = PutBucketTaggingOutput::default();
    Ok(S3Response::with_status(done, StatusCode::NO_CONTENT))
}

pub(crate) fn delete_from_bucket(
    store: &Store,
    _: Millis,
    input: DeleteBucketTaggingInput,
) -> S3Result<S3Response<DeleteBucketTaggingOutput>> {
    let mut bucket = bucket(store, &input.bucket)?;
    bucket.settings.remove(TAGGING);
    store.write_bucket(&input.bucket, &bucket).or_internal()?;
    let done = DeleteBucketTaggingOutput::default();
    Ok(S3Response::with_status(done, StatusCode::NO_CONTENT))
}

pub(crate) fn of_object(
    store: &Store,
    _: Millis,
    input: GetObjectTaggingInput,
) -> S3Result<S3Response<GetObjectTaggingOutput>> {
    let found = found(
        store,
        &input.bucket,
        &input.key,
        input.version_id.as_deref(),
    )?;
    Ok(S3Response::new(GetObjectTaggingOutput {
        version_id: stated_id(&found.bucket, &found.version.id),
        tag_set: set(found.content.properties.tags),
    }))
}

/// Replaces the tags of an object, and returns the id of its version.
fn replace(
    store: &Store,
    (name, key): (&str, &str),
    version: Option<&str>,
    tags: Pairs,
) -> S3Result<Option<String>> {
    let found = found(store, name, key, version)?;
    let mut object = store.object(name, key).or_internal()?;
    let versions = object.versions.iter_mut();
    let same = versions.filter(|version| version.id == found.version.id);
    for content in same.filter_map(|version| version.content.as_mut()) {
        content.properties.tags.clone_from(&tags);
    }
    store.write_object(name, key, &object).or_internal()?;
    Ok(stated_id(&found.bucket, &found.version.id))
}

pub(crate) fn put_on_object(
    store: &Store,
    _: Millis,
    input: PutObjectTaggingInput,
) -> S3Result<S3Response<PutObjectTaggingOutput>> {
    let tags = check_count(pairs(input.tagging.tag_set)?)?;
    let version = input.version_id.as_deref();
    let version_id = replace(store, (&input.bucket, &input.key), version, tags)?;
    Ok(S3Response::new(PutObjectTaggingOutput { version_id }))
}

pub(crate) fn delete_from_object(
    store: &Store,
    _: Millis,
    input: DeleteObjectTaggingInput,
) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
    let version = input.version_id.as_deref();
    let version_id = replace(store, (&input.bucket, &input.key), version, Vec::new())?;
    let done = DeleteObjectTaggingOutput { version_id };
    Ok(S3Response::with_status(done, StatusCode::NO_CONTENT))
}
