//! Folders as earlier sandboxes left them: those that `s3s-fs` kept.
//!
//! A bucket was a folder and an object a file in it. Beside the buckets,
//! `.bucket-B.object-K.metadata.json` held what an object's writer said about it and
//! `.bucket-B.object-K.internal.json` its checksums, with bucket and key in Base64; unfinished
//! uploads were `.upload-ID.json` and `.upload_id-ID.part-N`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use s3s::dto::{Timestamp, TimestampFormat};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::objects::checksums::{Algorithm, Sums};
use crate::objects::service::made;
use crate::objects::store::Store;
use crate::objects::store::object::{Content, NULL, Object, Properties, Version};
use crate::objects::store::staged::Writer;
use crate::time::millis;

/// What the writer of an object said about it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    user_metadata: Option<BTreeMap<String, String>>,
    content_encoding: Option<String>,
    content_type: Option<String>,
    content_disposition: Option<String>,
    content_language: Option<String>,
    cache_control: Option<String>,
    expires: Option<String>,
    website_redirect_location: Option<String>,
}

/// The checksums of an object, and its entity tag where it is no digest of its content.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Internal {
    e_tag: Option<String>,
    checksum_crc32: Option<String>,
    checksum_crc32c: Option<String>,
    checksum_crc64nvme: Option<String>,
    checksum_sha1: Option<String>,
    checksum_sha256: Option<String>,
}

/// Takes over the buckets that an earlier sandbox left. A process that is killed meanwhile leaves
/// the rest for the next one: each object is written before its file is removed.
///
/// # Errors
/// A file cannot be read or written.
pub(crate) fn take_over(store: &Store) -> io::Result<()> {
    let mut leftovers = Vec::new();
    for entry in fs::read_dir(store.root())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && entry.file_type()?.is_dir() {
            take_over_bucket(store, &name, &entry.path())?;
        } else if is_leftover(&name) {
            leftovers.push(entry.path());
        }
    }
    leftovers.iter().try_for_each(fs::remove_file)
}

/// Whether a file beside the buckets describes an object or an upload that is no more.
fn is_leftover(name: &str) -> bool {
    let begins = [".bucket-", ".upload-", ".upload_id-", ".tmp."];
    begins.iter().any(|begin| name.starts_with(begin))
}

fn take_over_bucket(store: &Store, name: &str, folder: &Path) -> io::Result<()> {
    if store.bucket(name)?.is_none() {
        let created = fs::metadata(folder)?.modified()?;
        let bucket = made(millis(created), None);
        let bucket = bucket.map_err(|error| io::Error::other(error.to_string()))?;
        store.write_bucket(name, &bucket)?;
    }
    let mut folders = vec![folder.to_owned()];
    while let Some(below) = folders.pop() {
        for entry in fs::read_dir(&below)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Some(key) = key_of(&path, folder) {
                take_over_object(store, (name, &key), &path)?;
            }
        }
    }
    fs::remove_dir_all(folder)
}

fn key_of(path: &Path, bucket: &Path) -> Option<String> {
    Some(path.strip_prefix(bucket).ok()?.to_str()?.to_owned())
}

fn take_over_object(store: &Store, (name, key): (&str, &str), path: &Path) -> io::Result<()> {
    let written = fs::metadata(path)?.modified()?;
    let root = store.root();
    let metadata: Metadata = described(&beside(root, name, key, "metadata"), None)?;
    let internal: Internal = described(&beside(root, name, key, "internal"), Some(written))?;
    let mut writer = Writer::new(&store.staging(), Algorithm::Crc64Nvme.hasher())?;
    writer.append(fs::File::open(path)?, u64::MAX)?;
    let staged = writer.finish();
    let content = Content {
        data: store.adopt(path, name, key)?,
        size: staged.size,
        e_tag: internal.e_tag.clone().unwrap_or_else(|| staged.e_tag()),
        sums: internal.sums().unwrap_or(staged.sums),
        parts: Vec::new(),
        properties: metadata.into(),
    };
    let version = Version {
        id: NULL.to_owned(),
        at: millis(written),
        content: Some(content),
    };
    let versions = vec![version];
    store.write_object(name, key, &Object { versions })?;
    fs::remove_file(path)
}

fn beside(root: &Path, bucket: &str, key: &str, what: &str) -> PathBuf {
    let encoded = |text: &str| base64_simd::URL_SAFE_NO_PAD.encode_to_string(text);
    let (bucket, key) = (encoded(bucket), encoded(key));
    root.join(format!(".bucket-{bucket}.object-{key}.{what}.json"))
}

/// The description in a file. One that is missing, garbled, or older than the content it is of says
/// nothing: its process was killed between writing the one and the other.
fn described<T: DeserializeOwned + Default>(
    path: &Path,
    written: Option<SystemTime>,
) -> io::Result<T> {
    let Ok(text) = fs::read(path) else {
        return Ok(T::default());
    };
    let at = fs::metadata(path)?.modified()?;
    let is_stale = written.is_some_and(|written| written > at);
    let described = serde_json::from_slice(&text).ok().filter(|_| !is_stale);
    Ok(described.unwrap_or_default())
}

impl Internal {
    fn sums(self) -> Option<Sums> {
        let sums = Sums {
            crc32: self.checksum_crc32,
            crc32c: self.checksum_crc32c,
            crc64nvme: self.checksum_crc64nvme,
            sha1: self.checksum_sha1,
            sha256: self.checksum_sha256,
            is_composite: false,
        };
        // What was uploaded in parts kept the checksums of the object before it.
        let is_own = self.e_tag.is_none_or(|tag| !tag.contains('-'));
        (is_own && !sums.algorithms().is_empty()).then_some(sums)
    }
}

impl From<Metadata> for Properties {
    fn from(of: Metadata) -> Properties {
        let expires = of.expires.as_deref();
        let expires = expires.and_then(|at| Timestamp::parse(TimestampFormat::DateTime, at).ok());
        Properties {
            content_type: of.content_type,
            cache_control: of.cache_control,
            content_disposition: of.content_disposition,
            content_encoding: of.content_encoding,
            content_language: of.content_language,
            expires,
            website_redirect_location: of.website_redirect_location,
            metadata: of.user_metadata.unwrap_or_default(),
            ..Properties::default()
        }
    }
}
