//! The completion of a multipart upload: its parts are chosen, put together, and made an object.

use std::fs::File;
use std::path::Path;

use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::*;
use s3s::{S3Response, S3Result, s3_error};

use crate::objects::checksums::{Algorithm, Sums, state_sums, stated_sums};
use crate::objects::service::conditions::check_write_to;
use crate::objects::service::refusal::{OrInternal, bucket};
use crate::objects::service::uploads::found;
use crate::objects::service::writes::{commit, encryption};
use crate::objects::store::Store;
use crate::objects::store::object::{Content, Piece};
use crate::objects::store::staged::{Staged, Writer, hexadecimal};
use crate::objects::store::upload::{Part, Upload};
use crate::time::Millis;

/// The shortest part but the last, in bytes.
const PART_BYTES_MIN: u64 = 5 * 1024 * 1024;

/// The upload that a completion names, and its parts.
pub(crate) struct Named {
    bucket: String,
    key: String,
    id: String,
    parts: Vec<CompletedPart>,
}

/// The upload and the parts that a completion names.
pub(crate) fn named(input: &CompleteMultipartUploadInput) -> Named {
    let parts = input.multipart_upload.as_ref();
    let parts = parts.and_then(|upload| upload.parts.clone());
    Named {
        bucket: input.bucket.clone(),
        key: input.key.clone(),
        id: input.upload_id.clone(),
        parts: parts.unwrap_or_default(),
    }
}

/// The parts of an object that is about to be, with their open files.
pub(crate) struct Chosen {
    upload: Upload,
    parts: Vec<(Part, File)>,
}

/// Chooses the parts that a completion names.
///
/// # Errors
/// `NoSuchUpload`, `MalformedXML`, `InvalidPartOrder`, `InvalidPart`, `EntityTooSmall`.
pub(crate) fn chosen(store: &Store, named: &Named) -> S3Result<Chosen> {
    let upload = found(store, &named.bucket, &named.key, &named.id)?;
    let kept = store.parts(&named.bucket, &named.id).or_internal()?;
    if named.parts.is_empty() {
        return Err(s3_error!(
            MalformedXML,
            "The XML you provided was not well-formed or did not validate against our published \
             schema"
        ));
    }
    let number = |part: &CompletedPart| part.part_number.unwrap_or_default();
    if !named
        .parts
        .is_sorted_by(|one, next| number(one) < number(next))
    {
        return Err(s3_error!(
            InvalidPartOrder,
            "The list of parts was not in ascending order. Parts must be ordered by part number."
        ));
    }
    let mut parts = Vec::with_capacity(named.parts.len());
    for wanted in &named.parts {
        let part = kept.iter().find(|part| part.number == number(wanted));
        let part = part.filter(|part| is_same(part, wanted)).ok_or_else(|| {
            s3_error!(
                InvalidPart,
                "One or more of the specified parts could not be found.  The part may not have \
                 been uploaded, or the specified entity tag may not match the part's entity tag."
            )
        })?;
        parts.push(part.clone());
    }
    let (_, before_last) = parts
        .split_last()
        .map_or((None, &[][..]), |(last, rest)| (Some(last), rest));
    if before_last.iter().any(|part| part.size < PART_BYTES_MIN) {
        return Err(s3_error!(
            EntityTooSmall,
            "Your proposed upload is smaller than the minimum allowed size"
        ));
    }
    let opened = parts.into_iter().map(|part| {
        let file = store
            .part_data(&named.bucket, &named.id, &part)
            .or_internal()?;
        Ok((part, file))
    });
    let parts = opened.collect::<S3Result<_>>()?;
    Ok(Chosen { upload, parts })
}

fn is_same(part: &Part, wanted: &CompletedPart) -> bool {
    let tag = wanted.e_tag.as_ref().map(ETag::value);
    let stated = stated_sums!(wanted);
    tag == Some(part.e_tag.as_str()) && part.sums.contradicted(&stated).is_none()
}

/// The parts of an object, without their files.
pub(crate) struct Assembled {
    upload: Upload,
    parts: Vec<Part>,
}

impl Chosen {
    /// Puts the parts together in a file below `folder`.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn assembled(self, folder: &Path) -> S3Result<(Staged, Assembled)> {
        let hasher = match (self.upload.is_composite, self.upload.algorithm) {
            (true, _) => ChecksumHasher::default(),
            (false, algorithm) => algorithm.unwrap_or(Algorithm::Crc64Nvme).hasher(),
        };
        let mut writer = Writer::new(folder, hasher).or_internal()?;
        let mut parts = Vec::with_capacity(self.parts.len());
        for (part, file) in self.parts {
            writer.append(file, part.size).or_internal()?;
            parts.push(part);
        }
        let upload = self.upload;
        Ok((writer.finish(), Assembled { upload, parts }))
    }
}

impl Assembled {
    /// The digest of the parts' digests, and their number (S3 user guide, "Checking object
    /// integrity": entity tags of multipart uploads).
    fn e_tag(&self) -> String {
        let mut digest = Md5::new();
        for part in &self.parts {
            let pairs = part.e_tag.as_bytes().chunks(2);
            let bytes = pairs.filter_map(|pair| {
                let pair = std::str::from_utf8(pair).ok()?;
                u8::from_str_radix(pair, 16).ok()
            });
            digest.update(&bytes.collect::<Vec<_>>());
        }
        format!("{}-{}", hexadecimal(&digest.finalize()), self.parts.len())
    }

    fn sums(&self, whole: &Sums) -> Sums {
        let parts: Vec<_> = self.parts.iter().map(|part| part.sums.clone()).collect();
        match self.upload.algorithm.filter(|_| self.upload.is_composite) {
            Some(algorithm) => Sums::composite(algorithm, &parts).unwrap_or_default(),
            None => whole.clone(),
        }
    }
}

/// Makes assembled parts an object.
///
/// # Errors
/// `NoSuchUpload` where another request was first, `PreconditionFailed`, `NoSuchKey`, `BadDigest`.
pub(crate) fn complete(
    store: &Store,
    at: Millis,
    input: CompleteMultipartUploadInput,
    assembled: Assembled,
    staged: Staged,
) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
    let (name, key) = (input.bucket.as_str(), input.key.as_str());
    found(store, name, key, &input.upload_id)?;
    let bucket = bucket(store, name)?;
    check_write_to(
        store,
        (name, key),
        input.if_match.as_ref(),
        input.if_none_match.as_ref(),
    )?;
    let sums = assembled.sums(&staged.sums);
    check_stated(&input, &sums, staged.size)?;
    let pieces = assembled.parts.iter().map(|part| Piece {
        number: part.number,
        size: part.size,
        sums: part.sums.clone(),
    });
    let content = Content {
        data: String::new(),
        size: staged.size,
        e_tag: assembled.e_tag(),
        sums,
        parts: pieces.collect(),
        properties: assembled.upload.properties,
    };
    let data = store.keep(name, key, staged).or_internal()?;
    let content = Content { data, ..content };
    let mut output = CompleteMultipartUploadOutput {
        bucket: Some(input.bucket.clone()),
        checksum_type: content.sums.kind(),
        e_tag: Some(ETag::Strong(content.e_tag.clone())),
        key: Some(input.key.clone()),
        location: Some(location(name, key)),
        server_side_encryption: Some(encryption(&content.properties)),
        ssekms_key_id: content.properties.encryption_key.clone(),
        ..CompleteMultipartUploadOutput::default()
    };
    state_sums!(output, content.sums);
    output.version_id = commit(store, (name, key), &bucket, at, content)?;
    store.remove_upload(name, &input.upload_id).or_internal()?;
    Ok(S3Response::new(output))
}

/// Checks the checksum and the size that a completion states of the object.
fn check_stated(input: &CompleteMultipartUploadInput, sums: &Sums, size: u64) -> S3Result<()> {
    let mut stated = stated_sums!(input);
    if sums.is_composite {
        let parts = sums
            .algorithms()
            .first()
            .and_then(|one| sums.get(*one)?.split_once('-'));
        let ending = parts
            .map(|(_, parts)| format!("-{parts}"))
            .unwrap_or_default();
        // Clients state it with the number of parts or without.
        for sum in [
            &mut stated.crc32,
            &mut stated.crc32c,
            &mut stated.sha1,
            &mut stated.sha256,
        ] {
            *sum = sum.take().map(|sum| match sum.contains('-') {
                true => sum,
                false => sum + &ending,
            });
        }
    }
    if let Some(algorithm) = sums.contradicted(&stated) {
        let name = algorithm.name();
        return Err(s3_error!(
            BadDigest,
            "The {name} you specified did not match the calculated checksum."
        ));
    }
    match input.mpu_object_size {
        Some(stated) if u64::try_from(stated) != Ok(size) => Err(s3_error!(
            InvalidRequest,
            "The provided 'x-amz-mp-object-size' header value {stated} does not match what was \
             computed: {size}"
        )),
        _ => Ok(()),
    }
}

fn location(bucket: &str, key: &str) -> String {
    let key = percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC);
    format!("http://{bucket}.s3.amazonaws.com/{key}")
}
