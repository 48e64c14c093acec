//! Lists of a bucket's versions and delete markers.

use s3s::dto::*;
use s3s::{S3Response, S3Result};

use crate::objects::service::buckets::owner;
use crate::objects::service::listing::{Entry, Spelling, Wanted};
use crate::objects::service::refusal::{OrInternal, bucket, invalid_argument};
use crate::objects::store::Store;
use crate::objects::store::object::Version;
use crate::time::{Millis, system_time};

/// A place in the list: an entry's text, and the version's id where the entry is a key.
type Place = (String, Option<String>);

/// A version of a key, and whether it is the newest.
struct Line {
    key: String,
    version: Version,
    is_latest: bool,
}

pub(crate) fn list(
    store: &Store,
    _: Millis,
    input: ListObjectVersionsInput,
) -> S3Result<S3Response<ListObjectVersionsOutput>> {
    bucket(store, &input.bucket)?;
    let spelling = Spelling::new(input.encoding_type.as_ref())?;
    let after = input.key_marker.as_ref();
    let delimiter = input.delimiter.as_ref();
    let wanted = Wanted::new(input.prefix.as_ref(), delimiter, after, input.max_keys)?;
    let marker = input
        .version_id_marker
        .clone()
        .filter(|marker| !marker.is_empty());
    if marker.is_some() && wanted.after.is_empty() {
        return Err(invalid_argument(
            "A version-id marker cannot be specified without a key marker.",
        ));
    }
    let (lines, prefixes, next) = page(store, &input.bucket, &wanted, marker.as_deref())?;
    let (next_key_marker, next_version_id_marker) = match &next {
        Some((text, id)) => (Some(spelling.spell(text)), id.clone()),
        None => (None, None),
    };
    let (versions, delete_markers) = split(lines, &spelling);
    Ok(S3Response::new(ListObjectVersionsOutput {
        common_prefixes: Some(
            prefixes
                .iter()
                .map(|text| common(text, &spelling))
                .collect(),
        ),
        delete_markers: Some(delete_markers),
        delimiter: spelling.each(delimiter),
        is_truncated: Some(next.is_some()),
        key_marker: Some(spelling.spell(&wanted.after)),
        max_keys: i32::try_from(wanted.limit).ok(),
        next_key_marker,
        next_version_id_marker,
        prefix: Some(spelling.spell(&wanted.prefix)),
        version_id_marker: Some(marker.unwrap_or_default()),
        versions: Some(versions),
        encoding_type: input.encoding_type,
        name: Some(input.bucket),
        request_charged: None,
    }))
}

fn common(text: &str, spelling: &Spelling) -> CommonPrefix {
    let prefix = Some(spelling.spell(text));
    CommonPrefix { prefix }
}

/// The versions and the common prefixes of a page, and the place that the next one begins after.
fn page(
    store: &Store,
    name: &str,
    wanted: &Wanted,
    marker: Option<&str>,
) -> S3Result<(Vec<Line>, Vec<String>, Option<Place>)> {
    let (mut lines, mut prefixes) = (Vec::new(), Vec::<String>::new());
    let mut last: Place = (String::new(), None);
    let is_full =
        |lines: &Vec<Line>, prefixes: &Vec<String>| lines.len() + prefixes.len() >= wanted.limit;
    if wanted.limit == 0 {
        return Ok((lines, prefixes, None));
    }
    for key in store.keys(name).or_internal()? {
        let Some(entry) = wanted.entry_of(&key) else {
            continue;
        };
        // With the id of a version, the list continues among the versions of the marker's key.
        let continues = marker.filter(|_| entry.text() == wanted.after);
        if entry.text() <= wanted.after.as_str() && continues.is_none() {
            continue;
        }
        if let Entry::Prefix(text) = entry {
            if prefixes.last() == Some(&text) {
                continue;
            }
            if is_full(&lines, &prefixes) {
                return Ok((lines, prefixes, Some(last)));
            }
            last = (text.clone(), None);
            prefixes.push(text);
            continue;
        }
        for line in versions(store, name, &key, continues)? {
            if is_full(&lines, &prefixes) {
                return Ok((lines, prefixes, Some(last)));
            }
            last = (line.key.clone(), Some(line.version.id.clone()));
            lines.push(line);
        }
    }
    Ok((lines, prefixes, None))
}

/// The versions of a key; with `after`, those that follow this one.
fn versions(store: &Store, name: &str, key: &str, after: Option<&str>) -> S3Result<Vec<Line>> {
    let object = store.object(name, key).or_internal()?;
    let skipped = after.map_or(0, |after| {
        let mut versions = object.versions.iter();
        let found = versions.position(|version| version.id == after);
        found.map_or(object.versions.len(), |found| found + 1)
    });
    let lines = object
        .versions
        .into_iter()
        .enumerate()
        .map(|(at, version)| Line {
            key: key.to_owned(),
            version,
            is_latest: at == 0,
        });
    Ok(lines.skip(skipped).collect())
}

fn split(lines: Vec<Line>, spelling: &Spelling) -> (Vec<ObjectVersion>, Vec<DeleteMarkerEntry>) {
    let (mut versions, mut markers) = (Vec::new(), Vec::new());
    for line in lines {
        let key = Some(spelling.spell(&line.key));
        let last_modified = Some(system_time(line.version.at).into());
        let version_id = Some(line.version.id);
        let is_latest = Some(line.is_latest);
        match line.version.content {
            None => markers.push(DeleteMarkerEntry {
                is_latest,
                key,
                last_modified,
                owner: Some(owner()),
                version_id,
            }),
            Some(content) => versions.push(ObjectVersion {
                checksum_algorithm: content.sums.names(),
                checksum_type: content.sums.kind(),
                e_tag: Some(ETag::Strong(content.e_tag)),
                is_latest,
                key,
                last_modified,
                owner: Some(owner()),
                restore_status: None,
                size: i64::try_from(content.size).ok(),
                storage_class: Some(match content.properties.storage_class {
                    Some(class) => class.into(),
                    None => {
                        ObjectVersionStorageClass::from_static(ObjectVersionStorageClass::STANDARD)
                    }
                }),
                version_id,
            }),
        }
    }
    (versions, markers)
}
