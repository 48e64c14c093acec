//! Conditions of requests (S3 user guide, "Add preconditions to S3 operations with conditional
//! requests").

use http::{HeaderMap, HeaderValue, StatusCode};
use s3s::dto::{ETag, ETagCondition, Timestamp};
use s3s::{S3Error, S3Result, s3_error};

use crate::objects::service::refusal::{OrInternal, http_date};
use crate::objects::store::Store;
use crate::objects::store::object::{Content, Version};
use crate::time::{Millis, system_time};

/// The conditions of a read.
#[derive(Default)]
pub(crate) struct Reading<'a> {
    /// `If-Match`
    pub matches: Option<&'a ETagCondition>,
    /// `If-None-Match`
    pub none_matches: Option<&'a ETagCondition>,
    /// `If-Modified-Since`
    pub modified_since: Option<&'a Timestamp>,
    /// `If-Unmodified-Since`
    pub unmodified_since: Option<&'a Timestamp>,
}

/// The outcome of a read's conditions.
pub(crate) enum Outcome {
    /// They hold.
    Holds,
    /// The client has this content already.
    NotModified,
    /// They do not hold.
    Fails,
}

impl Reading<'_> {
    /// Judges the conditions for an object. `If-Match` counts before `If-Unmodified-Since`, and
    /// `If-None-Match` before `If-Modified-Since` (API reference, GetObject).
    pub fn judge(&self, at: Millis, e_tag: &str) -> Outcome {
        let written = Timestamp::from(system_time(at / 1000 * 1000));
        let is_right = match (self.matches, self.unmodified_since) {
            (Some(condition), _) => fits(condition, e_tag),
            (None, Some(since)) => written <= *since,
            (None, None) => true,
        };
        let is_new = match (self.none_matches, self.modified_since) {
            (Some(condition), _) => !fits(condition, e_tag),
            (None, Some(since)) => written > *since,
            (None, None) => true,
        };
        match (is_right, is_new) {
            (false, _) => Outcome::Fails,
            (true, false) => Outcome::NotModified,
            (true, true) => Outcome::Holds,
        }
    }
}

/// Checks the conditions of a read.
///
/// # Errors
/// 412 `PreconditionFailed`; 304 with the headers of the object.
pub(crate) fn check_read(
    conditions: &Reading,
    version: &Version,
    content: &Content,
    stated_id: Option<&str>,
) -> S3Result<()> {
    match conditions.judge(version.at, &content.e_tag) {
        Outcome::Holds => Ok(()),
        Outcome::Fails => Err(failed()),
        Outcome::NotModified => {
            let mut headers = HeaderMap::new();
            let tag = format!("\"{}\"", content.e_tag);
            let date = http_date(version.at);
            let pairs = [
                ("etag", Some(tag.as_str())),
                ("last-modified", Some(date.as_str())),
                ("x-amz-version-id", stated_id),
            ];
            for (name, value) in pairs {
                let value = value.and_then(|value| HeaderValue::from_str(value).ok());
                value.map(|value| headers.insert(name, value));
            }
            let mut error = s3_error!(NotModified);
            error.set_status_code(StatusCode::NOT_MODIFIED);
            error.set_headers(headers);
            Err(error)
        }
    }
}

/// Checks the conditions of a write against what it would replace.
///
/// # Errors
/// 412 `PreconditionFailed`; 404 `NoSuchKey` where `If-Match` meets no object; 501 for an
/// `If-None-Match` other than `*`.
fn check_write(
    matches: Option<&ETagCondition>,
    none_matches: Option<&ETagCondition>,
    current: Option<&Content>,
) -> S3Result<()> {
    if matches!(none_matches, Some(ETagCondition::ETag(_))) {
        return Err(s3_error!(
            NotImplemented,
            "A header you provided implies functionality that is not implemented"
        ));
    }
    match (matches, none_matches, current) {
        (_, Some(_), Some(_)) => Err(failed()),
        (Some(_), _, None) => Err(s3_error!(NoSuchKey)),
        (Some(condition), _, Some(content)) if !fits(condition, &content.e_tag) => Err(failed()),
        _ => Ok(()),
    }
}

/// Checks the conditions of a write against the object of this bucket and key that is there.
///
/// # Errors
/// 412 `PreconditionFailed`; 404 `NoSuchKey`; 501; `InternalError`.
pub(crate) fn check_write_to(
    store: &Store,
    (bucket, key): (&str, &str),
    matches: Option<&ETagCondition>,
    none_matches: Option<&ETagCondition>,
) -> S3Result<()> {
    let object = store.object(bucket, key).or_internal()?;
    let current = object.current().map(|(_, content)| content);
    check_write(matches, none_matches, current)
}

/// The error of a condition that does not hold.
pub(crate) fn failed() -> S3Error {
    s3_error!(
        PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold"
    )
}

/// Whether an object with this entity tag fits a condition.
pub(crate) fn fits(condition: &ETagCondition, e_tag: &str) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(tag) => *tag == ETag::Strong(e_tag.to_owned()),
    }
}
