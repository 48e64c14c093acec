//! Copying objects, whole or as parts of an upload.

use s3s::dto::*;
use s3s::{S3Response, S3Result, s3_error};

use crate::objects::checksums::{Algorithm, state_sums};
use crate::objects::request::climbs;
use crate::objects::service::conditions::{Outcome, Reading, failed};
use crate::objects::service::reads::{Found, found, stated_id};
use crate::objects::service::refusal::{OrInternal, bucket, invalid_argument};
use crate::objects::service::writes::{algorithm, commit, encryption, properties};
use crate::objects::service::{buckets, tags, uploads};
use crate::objects::store::Store;
use crate::objects::store::object::{Content, Properties};
use crate::objects::store::staged::{Staged, Writer};
use crate::time::{Millis, system_time};

/// A copy's source: bucket, key and version.
struct Source {
    bucket: String,
    key: String,
    version: Option<String>,
}

fn source(header: &CopySource) -> S3Result<Source> {
    let CopySource::Bucket {
        bucket,
        key,
        version_id,
    } = header
    else {
        return Err(s3_error!(NotImplemented));
    };
    if key.is_empty() || climbs(key) {
        return Err(invalid_argument(
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
        ));
    }
    Ok(Source {
        bucket: bucket.to_string(),
        key: key.to_string(),
        version: version_id.as_ref().map(ToString::to_string),
    })
}

/// The source's version, if the conditions of the copy hold for it.
fn read(store: &Store, source: &Source, conditions: &Reading) -> S3Result<Found> {
    let found = found(
        store,
        &source.bucket,
        &source.key,
        source.version.as_deref(),
    )?;
    match conditions.judge(found.version.at, &found.content.e_tag) {
        Outcome::Holds => Ok(found),
        // A copy answers 412 where a read answers 304 (API reference, CopyObject).
        Outcome::NotModified | Outcome::Fails => Err(failed()),
    }
}

/// The conditions on the source of a copy.
macro_rules! conditions {
    ($input:expr) => {
        Reading {
            matches: $input.copy_source_if_match.as_ref(),
            none_matches: $input.copy_source_if_none_match.as_ref(),
            modified_since: $input.copy_source_if_modified_since.as_ref(),
            unmodified_since: $input.copy_source_if_unmodified_since.as_ref(),
        }
    };
}

/// What the copy says about itself.
fn properties_of(
    input: &CopyObjectInput,
    store: &Store,
    from: &Properties,
) -> S3Result<Properties> {
    let kept = bucket(store, &input.bucket)?;
    let own = properties!(input, &kept)?;
    let replaces = |directive: Option<&str>| directive == Some("REPLACE");
    let directive = input
        .metadata_directive
        .as_ref()
        .map(MetadataDirective::as_str);
    let tagging = input
        .tagging_directive
        .as_ref()
        .map(TaggingDirective::as_str);
    let tags = match replaces(tagging) {
        true => tags::of_header(input.tagging.as_deref())?,
        false => from.tags.clone(),
    };
    if replaces(directive) {
        return Ok(Properties { tags, ..own });
    }
    Ok(Properties {
        tags,
        storage_class: own.storage_class,
        encryption: own.encryption,
        encryption_key: own.encryption_key,
        website_redirect_location: own.website_redirect_location,
        ..from.clone()
    })
}

/// Whether a copy onto itself would change nothing.
fn is_idle(input: &CopyObjectInput, source: &Source) -> bool {
    let directive = input
        .metadata_directive
        .as_ref()
        .map(MetadataDirective::as_str);
    let is_same = source.bucket == input.bucket && source.key == input.key;
    is_same
        && source.version.is_none()
        && directive != Some("REPLACE")
        && input.storage_class.is_none()
        && input.website_redirect_location.is_none()
        && input.server_side_encryption.is_none()
}

pub(crate) fn copy(
    store: &Store,
    at: Millis,
    input: CopyObjectInput,
) -> S3Result<S3Response<CopyObjectOutput>> {
    let kept = bucket(store, &input.bucket)?;
    buckets::check_acl(&kept, input.acl.as_ref().map(ObjectCannedACL::as_str))?;
    let source = source(&input.copy_source)?;
    let found = read(store, &source, &conditions!(input))?;
    if is_idle(&input, &source) {
        return Err(s3_error!(
            InvalidRequest,
            "This copy request is illegal because it is trying to copy an object to itself without \
             changing the object's metadata, storage class, website redirect location or encryption \
             attributes."
        ));
    }
    let named = input
        .checksum_algorithm
        .as_ref()
        .map(algorithm)
        .transpose()?;
    let content = copied(store, &source, &found, named, (&input.bucket, &input.key))?;
    let properties = properties_of(&input, store, &found.content.properties)?;
    let content = Content {
        properties,
        ..content
    };
    let mut result = CopyObjectResult {
        checksum_type: content.sums.kind(),
        e_tag: Some(ETag::Strong(content.e_tag.clone())),
        last_modified: Some(system_time(at).into()),
        ..CopyObjectResult::default()
    };
    state_sums!(result, content.sums);
    let output = CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id: stated_id(&found.bucket, &found.version.id),
        server_side_encryption: Some(encryption(&content.properties)),
        ssekms_key_id: content.properties.encryption_key.clone(),
        version_id: commit(store, (&input.bucket, &input.key), &kept, at, content)?,
        ..CopyObjectOutput::default()
    };
    Ok(S3Response::new(output))
}

/// The content of a copy. One of an object that was uploaded whole shares its data; a copy of one
/// that was uploaded in parts is an object without parts.
fn copied(
    store: &Store,
    source: &Source,
    found: &Found,
    named: Option<Algorithm>,
    (name, key): (&str, &str),
) -> S3Result<Content> {
    let content = &found.content;
    let from = (
        source.bucket.as_str(),
        source.key.as_str(),
        content.data.as_str(),
    );
    let has_sum = named.is_none_or(|named| content.sums.get(named).is_some());
    if content.parts.is_empty() && has_sum {
        let data = store.share(from, name, key).or_internal()?;
        return Ok(Content {
            data,
            ..content.clone()
        });
    }
    let algorithm = named.or_else(|| content.sums.algorithms().first().copied());
    let algorithm = algorithm.unwrap_or(Algorithm::Crc64Nvme);
    let staged = extract(store, from, algorithm, 0..content.size)?;
    let (size, e_tag, sums) = (staged.size, staged.e_tag(), staged.sums.clone());
    let data = store.keep(name, key, staged).or_internal()?;
    Ok(Content {
        data,
        size,
        e_tag,
        sums,
        ..Content::default()
    })
}

fn extract(
    store: &Store,
    from: (&str, &str, &str),
    algorithm: Algorithm,
    range: std::ops::Range<u64>,
) -> S3Result<Staged> {
    use std::io::{Seek, SeekFrom};
    let mut file = store.data(from.0, from.1, from.2).or_internal()?;
    file.seek(SeekFrom::Start(range.start)).or_internal()?;
    let mut writer = Writer::new(&store.staging(), algorithm.hasher()).or_internal()?;
    writer.append(file, range.end - range.start).or_internal()?;
    Ok(writer.finish())
}

pub(crate) fn copy_part(
    store: &Store,
    at: Millis,
    input: UploadPartCopyInput,
) -> S3Result<S3Response<UploadPartCopyOutput>> {
    bucket(store, &input.bucket)?;
    let upload = uploads::found(store, &input.bucket, &input.key, &input.upload_id)?;
    let source = source(&input.copy_source)?;
    let found = read(store, &source, &conditions!(input))?;
    let size = found.content.size;
    let range = match &input.copy_source_range {
        None => 0..size,
        Some(text) => exact(text, size)?,
    };
    let from = (
        source.bucket.as_str(),
        source.key.as_str(),
        found.content.data.as_str(),
    );
    let algorithm = upload.algorithm.unwrap_or(Algorithm::Crc64Nvme);
    let staged = extract(store, from, algorithm, range)?;
    let part = uploads::keep(
        store,
        at,
        (&input.bucket, &input.upload_id),
        input.part_number,
        staged,
    )?;
    let mut result = CopyPartResult {
        e_tag: Some(ETag::Strong(part.e_tag)),
        last_modified: Some(system_time(at).into()),
        ..CopyPartResult::default()
    };
    if upload.algorithm.is_some() {
        state_sums!(result, part.sums);
    }
    Ok(S3Response::new(UploadPartCopyOutput {
        copy_part_result: Some(result),
        copy_source_version_id: stated_id(&found.bucket, &found.version.id),
        server_side_encryption: Some(encryption(&upload.properties)),
        ..UploadPartCopyOutput::default()
    }))
}

/// The range of a part's source, which must name both ends and lie within it (API reference,
/// UploadPartCopy).
fn exact(text: &str, size: u64) -> S3Result<std::ops::Range<u64>> {
    match Range::parse(text) {
        Ok(Range::Int {
            first,
            last: Some(last),
        }) if last < size => Ok(first..last + 1),
        Ok(Range::Int { last: Some(_), .. }) => Err(s3_error!(
            InvalidArgument,
            "Range specified is not valid for source object of size: {size}"
        )),
        _ => Err(invalid_argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and \
             last are the zero-based offsets of the first and last bytes to copy",
        )),
    }
}
