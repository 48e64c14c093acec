//! Lists of a bucket's objects.

use s3s::dto::*;
use s3s::{S3Response, S3Result};

use crate::objects::service::buckets::owner;
use crate::objects::service::refusal::{OrInternal, bucket, invalid_argument};
use crate::objects::store::Store;
use crate::objects::store::object::{Content, Version};
use crate::time::{Millis, system_time};

/// The most entries of a page.
const PAGE_MAX: usize = 1000;

/// What a list may show.
pub(crate) struct Wanted {
    /// The beginning of every key.
    pub prefix: String,
    /// What ends the common part of several keys; empty for none.
    pub delimiter: String,
    /// Entries up to this one are left out.
    pub after: String,
    /// The most entries.
    pub limit: usize,
}

/// An entry of a list.
pub(crate) enum Entry<T> {
    /// A key, with what is known of it.
    Key(String, T),
    /// The common beginning of several keys.
    Prefix(String),
}

impl<T> Entry<T> {
    /// Its text, by which lists are sorted.
    pub fn text(&self) -> &str {
        match self {
            Entry::Key(text, _) | Entry::Prefix(text) => text,
        }
    }
}

/// A page of a list.
pub(crate) struct Page<T> {
    /// Its entries in order.
    pub entries: Vec<Entry<T>>,
    /// Whether there are more.
    pub is_truncated: bool,
}

impl Wanted {
    /// The wishes of a request.
    ///
    /// # Errors
    /// `InvalidArgument`: a negative limit.
    pub fn new(
        prefix: Option<&String>,
        delimiter: Option<&String>,
        after: Option<&String>,
        limit: Option<i32>,
    ) -> S3Result<Wanted> {
        Ok(Wanted {
            prefix: prefix.cloned().unwrap_or_default(),
            delimiter: delimiter.cloned().unwrap_or_default(),
            after: after.cloned().unwrap_or_default(),
            limit: page_size(limit)?,
        })
    }

    /// The entry that a key is shown as; `None` where it is left out.
    pub fn entry_of(&self, key: &str) -> Option<Entry<()>> {
        let rest = key.strip_prefix(self.prefix.as_str())?;
        let end = match self.delimiter.is_empty() {
            true => None,
            false => rest.find(&self.delimiter),
        };
        let entry = match end {
            Some(end) => {
                let common = self.prefix.len() + end + self.delimiter.len();
                Entry::Prefix(key[..common].to_owned())
            }
            None => Entry::Key(key.to_owned(), ()),
        };
        Some(entry)
    }

    /// The page of sorted keys; `read` says what is known of a key, and leaves out those that it
    /// returns `None` for.
    pub fn page<T>(
        &self,
        keys: Vec<String>,
        read: impl Fn(&str) -> S3Result<Option<T>>,
    ) -> S3Result<Page<T>> {
        let mut page = Page {
            entries: Vec::new(),
            is_truncated: false,
        };
        if self.limit == 0 {
            return Ok(page);
        }
        for key in keys {
            let Some(entry) = self.entry_of(&key) else {
                continue;
            };
            let is_shown = page.entries.last().is_some_and(|last: &Entry<T>| {
                matches!(entry, Entry::Prefix(_)) && last.text() == entry.text()
            });
            if is_shown || entry.text() <= self.after.as_str() {
                continue;
            }
            let Some(known) = read(&key)? else {
                continue;
            };
            if page.entries.len() == self.limit {
                page.is_truncated = true;
                break;
            }
            page.entries.push(match entry {
                Entry::Key(key, ()) => Entry::Key(key, known),
                Entry::Prefix(text) => Entry::Prefix(text),
            });
        }
        Ok(page)
    }
}

/// The size of a page.
///
/// # Errors
/// `InvalidArgument`: it is negative.
pub(crate) fn page_size(limit: Option<i32>) -> S3Result<usize> {
    let limit = match limit {
        None => PAGE_MAX,
        Some(limit) => usize::try_from(limit).map_err(|_| {
            invalid_argument("Argument maxKeys must be an integer between 0 and 2147483647")
        })?,
    };
    Ok(limit.min(PAGE_MAX))
}

/// Writes keys as a client wants them: with `url` as in the query of a URL, so that a key may hold
/// what XML cannot.
pub(crate) struct Spelling(bool);

impl Spelling {
    /// The spelling of a request.
    ///
    /// # Errors
    /// `InvalidArgument`: it is none of the API's.
    pub fn new(encoding: Option<&EncodingType>) -> S3Result<Spelling> {
        match encoding.map(EncodingType::as_str) {
            None => Ok(Spelling(false)),
            Some(EncodingType::URL) => Ok(Spelling(true)),
            Some(_) => Err(invalid_argument(
                "Invalid Encoding Method specified in Request",
            )),
        }
    }

    /// A text in this spelling. A slash stays as it is (API reference, ListObjectsV2).
    pub fn spell(&self, text: &str) -> String {
        if !self.0 {
            return text.to_owned();
        }
        let parts = text.split('/');
        let spelled = parts.map(|part| form_urlencoded::byte_serialize(part.as_bytes()).collect());
        spelled.collect::<Vec<String>>().join("/")
    }

    /// An optional text in this spelling.
    pub fn each(&self, text: Option<&String>) -> Option<String> {
        text.map(|text| self.spell(text))
    }
}

type Known = (Version, Content);

fn objects(store: &Store, name: &str, wanted: &Wanted) -> S3Result<Page<Known>> {
    bucket(store, name)?;
    let keys = store.keys(name).or_internal()?;
    wanted.page(keys, |key| {
        let object = store.object(name, key).or_internal()?;
        let current = object.current();
        Ok(current.map(|(version, content)| (version.clone(), content.clone())))
    })
}

/// The objects and the common prefixes of a page.
fn split(page: Page<Known>, spelling: &Spelling, owned: bool) -> (Vec<Object>, Vec<CommonPrefix>) {
    let (mut objects, mut prefixes) = (Vec::new(), Vec::new());
    for entry in page.entries {
        match entry {
            Entry::Prefix(text) => prefixes.push(CommonPrefix {
                prefix: Some(spelling.spell(&text)),
            }),
            Entry::Key(key, (version, content)) => objects.push(Object {
                checksum_algorithm: content.sums.names(),
                checksum_type: content.sums.kind(),
                e_tag: Some(ETag::Strong(content.e_tag)),
                key: Some(spelling.spell(&key)),
                last_modified: Some(system_time(version.at).into()),
                owner: owned.then(owner),
                restore_status: None,
                size: i64::try_from(content.size).ok(),
                storage_class: Some(match content.properties.storage_class {
                    Some(class) => class.into(),
                    None => ObjectStorageClass::from_static(ObjectStorageClass::STANDARD),
                }),
            }),
        }
    }
    (objects, prefixes)
}

fn count(number: usize) -> Option<i32> {
    i32::try_from(number).ok()
}

pub(crate) fn first(
    store: &Store,
    _: Millis,
    input: ListObjectsInput,
) -> S3Result<S3Response<ListObjectsOutput>> {
    let spelling = Spelling::new(input.encoding_type.as_ref())?;
    let wanted = Wanted::new(
        input.prefix.as_ref(),
        input.delimiter.as_ref(),
        input.marker.as_ref(),
        input.max_keys,
    )?;
    let page = objects(store, &input.bucket, &wanted)?;
    let is_truncated = page.is_truncated;
    let last = page.entries.last().map(|last| spelling.spell(last.text()));
    let (contents, common_prefixes) = split(page, &spelling, true);
    Ok(S3Response::new(ListObjectsOutput {
        // S3 states it only of a list with a delimiter: else it is the last key.
        next_marker: last.filter(|_| is_truncated && !wanted.delimiter.is_empty()),
        delimiter: spelling.each(input.delimiter.as_ref()),
        marker: Some(spelling.spell(&wanted.after)),
        prefix: Some(spelling.spell(&wanted.prefix)),
        max_keys: count(wanted.limit),
        is_truncated: Some(is_truncated),
        contents: Some(contents),
        common_prefixes: Some(common_prefixes),
        encoding_type: input.encoding_type,
        name: Some(input.bucket),
        request_charged: None,
    }))
}

pub(crate) fn second(
    store: &Store,
    _: Millis,
    input: ListObjectsV2Input,
) -> S3Result<S3Response<ListObjectsV2Output>> {
    let spelling = Spelling::new(input.encoding_type.as_ref())?;
    let continued = input
        .continuation_token
        .as_deref()
        .map(position)
        .transpose()?;
    let after = continued.or_else(|| input.start_after.clone());
    let wanted = Wanted::new(
        input.prefix.as_ref(),
        input.delimiter.as_ref(),
        after.as_ref(),
        input.max_keys,
    )?;
    let page = objects(store, &input.bucket, &wanted)?;
    let is_truncated = page.is_truncated;
    let last = page.entries.last().map(|last| token(last.text()));
    let key_count = count(page.entries.len());
    let (contents, common_prefixes) = split(page, &spelling, input.fetch_owner == Some(true));
    Ok(S3Response::new(ListObjectsV2Output {
        next_continuation_token: last.filter(|_| is_truncated),
        delimiter: spelling.each(input.delimiter.as_ref()),
        start_after: spelling.each(input.start_after.as_ref()),
        prefix: Some(spelling.spell(&wanted.prefix)),
        max_keys: count(wanted.limit),
        key_count,
        is_truncated: Some(is_truncated),
        contents: Some(contents),
        common_prefixes: Some(common_prefixes),
        continuation_token: input.continuation_token,
        encoding_type: input.encoding_type,
        name: Some(input.bucket),
        request_charged: None,
    }))
}

/// The token that continues a list after an entry.
fn token(last: &str) -> String {
    base64_simd::STANDARD.encode_to_string(last)
}

fn position(token: &str) -> S3Result<String> {
    let decoded = base64_simd::STANDARD.decode_to_vec(token).ok();
    let text = decoded.and_then(|decoded| String::from_utf8(decoded).ok());
    text.ok_or_else(|| invalid_argument("The continuation token provided is incorrect"))
}
