//! Reading objects: their content, headers and attributes.

use std::fs::File;
use std::io::Read;
use std::ops;

use http::{HeaderMap, HeaderValue, StatusCode};
use s3s::dto::*;
use s3s::{Body, S3Response, S3Result, s3_error};

use crate::body::Spooled;
use crate::objects::checksums::state_sums;
use crate::objects::service::buckets;
use crate::objects::service::conditions::{Reading, check_read};
use crate::objects::service::refusal::{OrInternal, bucket, custom, marked};
use crate::objects::store::Store;
use crate::objects::store::bucket::{Bucket as Kept, Versioning};
use crate::objects::store::object::{Content, Version};
use crate::time::{Millis, system_time};

/// Content up to this length is read at once.
const HELD_BYTES_MAX: u64 = 1024 * 1024;

/// The content type of an object whose writer names none.
const USUAL_TYPE: &str = "binary/octet-stream";

/// A version that a request is about.
pub(crate) struct Found {
    /// Its bucket.
    pub bucket: Kept,
    /// The version.
    pub version: Version,
    /// Its content.
    pub content: Content,
}

/// The version with an id, or the newest one.
///
/// # Errors
/// `NoSuchBucket`, `NoSuchKey`, `NoSuchVersion`; `MethodNotAllowed` for a delete marker's id.
pub(crate) fn found(store: &Store, name: &str, key: &str, id: Option<&str>) -> S3Result<Found> {
    let bucket = bucket(store, name)?;
    let object = store.object(name, key).or_internal()?;
    let version = match id {
        None => object
            .versions
            .first()
            .ok_or_else(|| s3_error!(NoSuchKey))?,
        Some(id) => object
            .version(id)
            .ok_or_else(|| s3_error!(NoSuchVersion, "The specified version does not exist."))?,
    };
    let Some(content) = version.content.clone() else {
        return Err(match id {
            None => marked(s3_error!(NoSuchKey), version),
            Some(_) => marked(s3_error!(MethodNotAllowed), version),
        });
    };
    Ok(Found {
        bucket,
        version: version.clone(),
        content,
    })
}

/// The id of a version as answers state it: a bucket that never kept versions has none.
pub(crate) fn stated_id(bucket: &Kept, id: &str) -> Option<String> {
    match bucket.versioning {
        Versioning::Off => None,
        Versioning::Enabled | Versioning::Suspended => Some(id.to_owned()),
    }
}

/// The bytes of an object that a request wants, and whether that is less than all.
fn wanted(
    content: &Content,
    range: Option<&Range>,
    part: Option<i32>,
) -> S3Result<Option<ops::Range<u64>>> {
    if let Some(number) = part {
        return of_part(content, number).map(Some);
    }
    let Some(range) = range else {
        return Ok(None);
    };
    range.check(content.size).map(Some).map_err(|_| {
        let mut error = s3_error!(InvalidRange, "The requested range is not satisfiable");
        let mut headers = HeaderMap::new();
        if let Ok(size) = HeaderValue::from_str(&format!("bytes */{}", content.size)) {
            headers.insert(http::header::CONTENT_RANGE, size);
        }
        error.set_headers(headers);
        error
    })
}

fn of_part(content: &Content, number: i32) -> S3Result<ops::Range<u64>> {
    let missing = || {
        custom(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "InvalidPartNumber",
            "The requested partnumber is not satisfiable",
        )
    };
    let at = usize::try_from(number)
        .ok()
        .and_then(|at| at.checked_sub(1));
    let at = at.ok_or_else(missing)?;
    if content.parts.is_empty() && at == 0 {
        return Ok(0..content.size);
    }
    let size = content.parts.get(at).ok_or_else(missing)?.size;
    let start: u64 = content.parts[..at].iter().map(|part| part.size).sum();
    Ok(start..start + size)
}

/// The headers of an answer about an object, and the bytes that it is about.
fn described(
    found: &Found,
    input: &HeadObjectInput,
) -> S3Result<(HeadObjectOutput, Option<ops::Range<u64>>)> {
    let Found {
        bucket,
        version,
        content,
    } = found;
    let version_id = stated_id(bucket, &version.id);
    let conditions = Reading {
        matches: input.if_match.as_ref(),
        none_matches: input.if_none_match.as_ref(),
        modified_since: input.if_modified_since.as_ref(),
        unmodified_since: input.if_unmodified_since.as_ref(),
    };
    check_read(&conditions, version, content, version_id.as_deref())?;
    let range = wanted(content, input.range.as_ref(), input.part_number)?;
    let properties = content.properties.clone();
    let length = range
        .as_ref()
        .map_or(content.size, |range| range.end - range.start);
    let encryption = properties.encryption.unwrap_or_else(|| "AES256".to_owned());
    let mut output = HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        cache_control: properties.cache_control,
        content_disposition: properties.content_disposition,
        content_encoding: properties.content_encoding,
        content_language: properties.content_language,
        content_length: i64::try_from(length).ok(),
        content_range: range
            .as_ref()
            .filter(|range| !range.is_empty())
            .map(|range| format!("bytes {}-{}/{}", range.start, range.end - 1, content.size)),
        content_type: Some(
            properties
                .content_type
                .unwrap_or_else(|| USUAL_TYPE.to_owned()),
        ),
        e_tag: Some(ETag::Strong(content.e_tag.clone())),
        expires: properties.expires,
        last_modified: Some(system_time(version.at).into()),
        metadata: (!properties.metadata.is_empty())
            .then(|| properties.metadata.into_iter().collect()),
        parts_count: input.part_number.and(
            i32::try_from(content.parts.len())
                .ok()
                .filter(|parts| *parts > 0),
        ),
        server_side_encryption: Some(encryption.into()),
        ssekms_key_id: properties.encryption_key,
        storage_class: properties.storage_class.map(Into::into),
        version_id,
        website_redirect_location: properties.website_redirect_location,
        ..HeadObjectOutput::default()
    };
    if input.checksum_mode.is_some() && range.is_none() {
        state_sums!(output, content.sums);
        output.checksum_type = content.sums.kind();
    }
    Ok((output, range))
}

fn status(range: Option<&ops::Range<u64>>) -> Option<StatusCode> {
    range.map(|_| StatusCode::PARTIAL_CONTENT)
}

pub(crate) fn head(
    store: &Store,
    _: Millis,
    input: HeadObjectInput,
) -> S3Result<S3Response<HeadObjectOutput>> {
    let found = found(
        store,
        &input.bucket,
        &input.key,
        input.version_id.as_deref(),
    )?;
    let (output, range) = described(&found, &input)?;
    let mut response = S3Response::new(output);
    response.status = status(range.as_ref());
    Ok(response)
}

pub(crate) fn get(
    store: &Store,
    _: Millis,
    input: GetObjectInput,
) -> S3Result<S3Response<GetObjectOutput>> {
    let found = found(
        store,
        &input.bucket,
        &input.key,
        input.version_id.as_deref(),
    )?;
    let like = HeadObjectInput {
        bucket: input.bucket.clone(),
        checksum_mode: input.checksum_mode,
        if_match: input.if_match,
        if_modified_since: input.if_modified_since,
        if_none_match: input.if_none_match,
        if_unmodified_since: input.if_unmodified_since,
        key: input.key.clone(),
        part_number: input.part_number,
        range: input.range,
        ..HeadObjectInput::default()
    };
    let (head, range) = described(&found, &like)?;
    let content = &found.content;
    let file = store
        .data(&input.bucket, &input.key, &content.data)
        .or_internal()?;
    let body = body(file, range.clone().unwrap_or(0..content.size))?;
    let output = GetObjectOutput {
        accept_ranges: head.accept_ranges,
        body: Some(StreamingBlob::from(body)),
        cache_control: head.cache_control,
        checksum_crc32: head.checksum_crc32,
        checksum_crc32c: head.checksum_crc32c,
        checksum_crc64nvme: head.checksum_crc64nvme,
        checksum_sha1: head.checksum_sha1,
        checksum_sha256: head.checksum_sha256,
        checksum_type: head.checksum_type,
        content_disposition: head.content_disposition,
        content_encoding: head.content_encoding,
        content_language: head.content_language,
        content_length: head.content_length,
        content_range: head.content_range,
        content_type: head.content_type,
        e_tag: head.e_tag,
        expires: head.expires,
        last_modified: head.last_modified,
        metadata: head.metadata,
        parts_count: head.parts_count,
        server_side_encryption: head.server_side_encryption,
        ssekms_key_id: head.ssekms_key_id,
        storage_class: head.storage_class,
        tag_count: i32::try_from(content.properties.tags.len())
            .ok()
            .filter(|tags| *tags > 0),
        version_id: head.version_id,
        website_redirect_location: head.website_redirect_location,
        ..GetObjectOutput::default()
    };
    let mut response = S3Response::new(output);
    response.status = status(range.as_ref());
    Ok(response)
}

/// Bytes of a file: held where they are few, else read while they are sent.
fn body(file: File, range: ops::Range<u64>) -> S3Result<Body> {
    let spooled = Spooled::of_file(file, range.end);
    if range.end - range.start > HELD_BYTES_MAX {
        return Ok(Body::http_body(spooled.pieces_from(range.start)));
    }
    let mut held = Vec::new();
    let mut reader = spooled.reader(range.start).or_internal()?;
    reader.read_to_end(&mut held).or_internal()?;
    Ok(Body::from(bytes::Bytes::from(held)))
}

pub(crate) fn attributes(
    store: &Store,
    _: Millis,
    input: GetObjectAttributesInput,
) -> S3Result<S3Response<GetObjectAttributesOutput>> {
    let found = found(
        store,
        &input.bucket,
        &input.key,
        input.version_id.as_deref(),
    )?;
    let content = &found.content;
    let named = &input.object_attributes;
    // Clients send several in one header.
    let wants = |name: &str| {
        let mut all = named.iter().flat_map(|named| named.as_str().split(','));
        all.any(|named| named.trim() == name)
    };
    let checksum = || {
        let mut checksum = Checksum::default();
        state_sums!(checksum, content.sums);
        checksum.checksum_type = content.sums.kind();
        checksum
    };
    let class = content.properties.storage_class.clone();
    let class = class.unwrap_or_else(|| StorageClass::STANDARD.to_owned());
    Ok(S3Response::new(GetObjectAttributesOutput {
        checksum: wants("Checksum").then(checksum),
        e_tag: wants("ETag").then(|| ETag::Strong(content.e_tag.clone())),
        last_modified: Some(system_time(found.version.at).into()),
        object_parts: (wants("ObjectParts") && !content.parts.is_empty())
            .then(|| parts_of(content, &input)),
        object_size: i64::try_from(content.size)
            .ok()
            .filter(|_| wants("ObjectSize")),
        storage_class: wants("StorageClass").then(|| class.into()),
        version_id: stated_id(&found.bucket, &found.version.id),
        ..GetObjectAttributesOutput::default()
    }))
}

fn parts_of(content: &Content, input: &GetObjectAttributesInput) -> GetObjectAttributesParts {
    let limit = input.max_parts.unwrap_or(1000).clamp(0, 1000);
    let after = input.part_number_marker.unwrap_or_default();
    let rest: Vec<_> = (1..)
        .zip(&content.parts)
        .filter(|(number, _)| *number > after)
        .collect();
    let shown = rest.iter().take(usize::try_from(limit).unwrap_or_default());
    let parts: Vec<_> = shown
        .map(|(_, piece)| {
            let mut part = ObjectPart {
                part_number: Some(piece.number),
                size: i64::try_from(piece.size).ok(),
                ..ObjectPart::default()
            };
            state_sums!(part, piece.sums);
            part
        })
        .collect();
    let is_truncated = parts.len() < rest.len();
    GetObjectAttributesParts {
        is_truncated: Some(is_truncated),
        max_parts: Some(limit),
        next_part_number_marker: i32::try_from(parts.len()).ok().map(|shown| after + shown),
        part_number_marker: Some(after),
        // S3 lists the parts of an object only where each has a checksum of its own.
        parts: content.sums.is_composite.then_some(parts),
        total_parts_count: i32::try_from(content.parts.len()).ok(),
    }
}

pub(crate) fn acl(
    store: &Store,
    _: Millis,
    input: GetObjectAclInput,
) -> S3Result<S3Response<GetObjectAclOutput>> {
    found(
        store,
        &input.bucket,
        &input.key,
        input.version_id.as_deref(),
    )?;
    Ok(S3Response::new(GetObjectAclOutput {
        grants: Some(buckets::grants()),
        owner: Some(buckets::owner()),
        request_charged: None,
    }))
}

pub(crate) fn put_acl(
    store: &Store,
    _: Millis,
    input: PutObjectAclInput,
) -> S3Result<S3Response<PutObjectAclOutput>> {
    let found = found(
        store,
        &input.bucket,
        &input.key,
        input.version_id.as_deref(),
    )?;
    let acl = input.acl.as_ref().map(ObjectCannedACL::as_str);
    buckets::check_acl(&found.bucket, acl)?;
    Ok(S3Response::new(PutObjectAclOutput::default()))
}
