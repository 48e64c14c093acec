//! Multipart uploads.

pub(crate) mod completion;

use http::StatusCode;
use s3s::dto::*;
use s3s::{S3Response, S3Result, s3_error};

use crate::objects::checksums::{Algorithm, state_sums, stated_sums};
use crate::objects::service::buckets::{check_acl, owner};
use crate::objects::service::listing::{Entry, Spelling, Wanted as Filter, page_size};
use crate::objects::service::refusal::{OrInternal, bucket, invalid_argument};
use crate::objects::service::writes::{Wanted, algorithm, encryption, properties};
use crate::objects::store::Store;
use crate::objects::store::staged::Staged;
use crate::objects::store::upload::{Part as KeptPart, Upload};
use crate::time::{Millis, system_time};

/// The numbers that parts may have.
const NUMBERS: std::ops::RangeInclusive<i32> = 1..=10_000;

/// An unfinished upload of an object.
///
/// # Errors
/// `NoSuchBucket`, `NoSuchUpload`.
pub(crate) fn found(store: &Store, name: &str, key: &str, id: &str) -> S3Result<Upload> {
    bucket(store, name)?;
    let upload = store.upload(name, id).or_internal()?;
    upload.filter(|upload| upload.key == key).ok_or_else(|| {
        s3_error!(
            NoSuchUpload,
            "The specified upload does not exist. The upload ID may be invalid, or the upload may \
             have been aborted or completed."
        )
    })
}

pub(crate) fn begin(
    store: &Store,
    at: Millis,
    input: CreateMultipartUploadInput,
) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
    let bucket = bucket(store, &input.bucket)?;
    check_acl(&bucket, input.acl.as_ref().map(ObjectCannedACL::as_str))?;
    let properties = properties!(input, &bucket)?;
    let algorithm = input
        .checksum_algorithm
        .as_ref()
        .map(algorithm)
        .transpose()?;
    let upload = Upload {
        key: input.key.clone(),
        at,
        algorithm,
        is_composite: is_composite(algorithm, input.checksum_type.as_ref())?,
        properties,
    };
    let id = store.begin_upload(&input.bucket, &upload).or_internal()?;
    Ok(S3Response::new(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        checksum_algorithm: input.checksum_algorithm,
        checksum_type: kind(&upload),
        key: Some(input.key),
        server_side_encryption: Some(encryption(&upload.properties)),
        ssekms_key_id: upload.properties.encryption_key,
        upload_id: Some(id),
        ..CreateMultipartUploadOutput::default()
    }))
}

/// Whether the checksum of an upload is one of its parts' checksums: SHA knows no other, CRC64NVME
/// knows none such, and the others are so unless the client says otherwise.
fn is_composite(algorithm: Option<Algorithm>, kind: Option<&ChecksumType>) -> S3Result<bool> {
    let kind = kind.map(ChecksumType::as_str);
    let is_full = kind == Some(ChecksumType::FULL_OBJECT);
    let is_composite = kind == Some(ChecksumType::COMPOSITE);
    match algorithm {
        None => Ok(false),
        Some(Algorithm::Crc64Nvme) if !is_composite => Ok(false),
        Some(Algorithm::Sha1 | Algorithm::Sha256) if !is_full => Ok(true),
        Some(Algorithm::Crc32 | Algorithm::Crc32c) => Ok(!is_full),
        Some(algorithm) => {
            let (kind, name) = (kind.unwrap_or_default(), algorithm.name());
            Err(s3_error!(
                InvalidRequest,
                "The {kind} checksum type cannot be used with the {name} checksum algorithm."
            ))
        }
    }
}

fn kind(upload: &Upload) -> Option<ChecksumType> {
    let kind = match upload.is_composite {
        true => ChecksumType::COMPOSITE,
        false => ChecksumType::FULL_OBJECT,
    };
    upload.algorithm.map(|_| ChecksumType::from_static(kind))
}

fn named(upload: &Upload) -> Option<ChecksumAlgorithm> {
    let algorithm = upload.algorithm?;
    Some(ChecksumAlgorithm::from_static(algorithm.name()))
}

/// The digests that a part's upload states.
///
/// # Errors
/// `InvalidArgument`: the part's number. `InvalidRequest`: its checksum.
pub(crate) fn wanted(upload: &Upload, input: &UploadPartInput) -> S3Result<Wanted> {
    check_number(input.part_number)?;
    let md5 = input.content_md5.as_ref();
    let wanted = Wanted::new(md5, stated_sums!(input), input.checksum_algorithm.as_ref())?;
    Ok(match upload.algorithm {
        Some(algorithm) => wanted.and(algorithm),
        None => wanted,
    })
}

fn check_number(number: i32) -> S3Result<()> {
    match NUMBERS.contains(&number) {
        true => Ok(()),
        false => Err(invalid_argument(
            "Part number must be an integer between 1 and 10000, inclusive",
        )),
    }
}

pub(crate) fn put(
    store: &Store,
    at: Millis,
    input: UploadPartInput,
    staged: Staged,
) -> S3Result<S3Response<UploadPartOutput>> {
    let upload = found(store, &input.bucket, &input.key, &input.upload_id)?;
    let stated = stated_sums!(input);
    let part = keep(
        store,
        at,
        (&input.bucket, &input.upload_id),
        input.part_number,
        staged,
    )?;
    let mut output = UploadPartOutput {
        e_tag: Some(ETag::Strong(part.e_tag)),
        server_side_encryption: Some(encryption(&upload.properties)),
        ssekms_key_id: upload.properties.encryption_key,
        ..UploadPartOutput::default()
    };
    if upload.algorithm.is_some() || !stated.algorithms().is_empty() {
        state_sums!(output, part.sums);
    }
    Ok(S3Response::new(output))
}

/// Puts a part into an upload, and returns it.
///
/// # Errors
/// `InvalidArgument`: its number.
pub(crate) fn keep(
    store: &Store,
    at: Millis,
    (name, id): (&str, &str),
    number: i32,
    staged: Staged,
) -> S3Result<KeptPart> {
    check_number(number)?;
    let part = KeptPart {
        number,
        at,
        data: String::new(),
        size: staged.size,
        e_tag: staged.e_tag(),
        sums: staged.sums.clone(),
    };
    store
        .write_part(name, id, staged, part.clone())
        .or_internal()?;
    Ok(part)
}

pub(crate) fn abort(
    store: &Store,
    _: Millis,
    input: AbortMultipartUploadInput,
) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
    found(store, &input.bucket, &input.key, &input.upload_id)?;
    store
        .remove_upload(&input.bucket, &input.upload_id)
        .or_internal()?;
    let done = AbortMultipartUploadOutput::default();
    Ok(S3Response::with_status(done, StatusCode::NO_CONTENT))
}

pub(crate) fn parts(
    store: &Store,
    _: Millis,
    input: ListPartsInput,
) -> S3Result<S3Response<ListPartsOutput>> {
    let upload = found(store, &input.bucket, &input.key, &input.upload_id)?;
    let limit = page_size(input.max_parts)?;
    let after = input.part_number_marker.unwrap_or_default();
    let mut kept = store.parts(&input.bucket, &input.upload_id).or_internal()?;
    kept.retain(|part| part.number > after);
    let is_truncated = kept.len() > limit;
    kept.truncate(limit);
    let last = kept.last().map(|part| part.number);
    let parts = kept.into_iter().map(|kept| {
        let mut part = Part {
            e_tag: Some(ETag::Strong(kept.e_tag)),
            last_modified: Some(system_time(kept.at).into()),
            part_number: Some(kept.number),
            size: i64::try_from(kept.size).ok(),
            ..Part::default()
        };
        if upload.algorithm.is_some() {
            state_sums!(part, kept.sums);
        }
        part
    });
    Ok(S3Response::new(ListPartsOutput {
        checksum_algorithm: named(&upload),
        checksum_type: kind(&upload),
        initiator: Some(initiator()),
        is_truncated: Some(is_truncated),
        max_parts: i32::try_from(limit).ok(),
        next_part_number_marker: Some(last.unwrap_or(after)),
        owner: Some(owner()),
        part_number_marker: Some(after),
        parts: Some(parts.collect()),
        storage_class: Some(storage_class(&upload)),
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        ..ListPartsOutput::default()
    }))
}

fn storage_class(upload: &Upload) -> StorageClass {
    match &upload.properties.storage_class {
        Some(class) => class.clone().into(),
        None => StorageClass::from_static(StorageClass::STANDARD),
    }
}

fn initiator() -> Initiator {
    let Owner { display_name, id } = owner();
    Initiator { display_name, id }
}

/// A place among uploads, which are listed by their keys, those of a key by the time they began.
fn place(key: &str, upload: &Upload, id: &str) -> (String, Millis, String) {
    (key.to_owned(), upload.at, id.to_owned())
}

pub(crate) fn list(
    store: &Store,
    _: Millis,
    input: ListMultipartUploadsInput,
) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
    bucket(store, &input.bucket)?;
    let spelling = Spelling::new(input.encoding_type.as_ref())?;
    let (prefix, delimiter) = (input.prefix.as_ref(), input.delimiter.as_ref());
    let filter = Filter::new(
        prefix,
        delimiter,
        input.key_marker.as_ref(),
        input.max_uploads,
    )?;
    let mut all = Vec::new();
    for id in store.uploads(&input.bucket).or_internal()? {
        let upload = store.upload(&input.bucket, &id).or_internal()?;
        all.extend(upload.map(|upload| (place(&upload.key, &upload, &id), upload)));
    }
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    // S3 ignores an upload's id without the key that it is of.
    let after = input
        .upload_id_marker
        .as_ref()
        .filter(|_| !filter.after.is_empty());
    let passed = after.and_then(|after| all.iter().position(|((_, _, id), _)| id == after));
    let (mut uploads, mut prefixes) = (Vec::new(), Vec::<String>::new());
    let mut last = (String::new(), None);
    let mut is_truncated = false;
    for (at, ((_, _, id), upload)) in all.into_iter().enumerate() {
        let Some(entry) = filter.entry_of(&upload.key) else {
            continue;
        };
        let is_passed = match passed {
            Some(passed) => at <= passed,
            None => entry.text() <= filter.after.as_str() && !filter.after.is_empty(),
        };
        let is_shown = matches!(&entry, Entry::Prefix(text) if prefixes.last() == Some(text));
        if is_passed || is_shown {
            continue;
        }
        if uploads.len() + prefixes.len() >= filter.limit {
            is_truncated = filter.limit > 0;
            break;
        }
        match entry {
            Entry::Prefix(text) => {
                last = (text.clone(), None);
                prefixes.push(text);
            }
            Entry::Key(key, ()) => {
                last = (key.clone(), Some(id.clone()));
                uploads.push(MultipartUpload {
                    checksum_algorithm: named(&upload),
                    checksum_type: kind(&upload),
                    initiated: Some(system_time(upload.at).into()),
                    initiator: Some(initiator()),
                    key: Some(spelling.spell(&key)),
                    owner: Some(owner()),
                    storage_class: Some(storage_class(&upload)),
                    upload_id: Some(id),
                });
            }
        }
    }
    let common = prefixes.iter().map(|text| CommonPrefix {
        prefix: Some(spelling.spell(text)),
    });
    Ok(S3Response::new(ListMultipartUploadsOutput {
        common_prefixes: Some(common.collect()),
        delimiter: spelling.each(delimiter),
        is_truncated: Some(is_truncated),
        key_marker: Some(spelling.spell(&filter.after)),
        max_uploads: i32::try_from(filter.limit).ok(),
        next_key_marker: is_truncated.then(|| spelling.spell(&last.0)),
        next_upload_id_marker: last.1.filter(|_| is_truncated),
        prefix: Some(spelling.spell(&filter.prefix)),
        uploads: Some(uploads),
        upload_id_marker: Some(input.upload_id_marker.unwrap_or_default()),
        bucket: Some(input.bucket),
        encoding_type: input.encoding_type,
        request_charged: None,
    }))
}
