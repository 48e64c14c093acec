//! Errors that several operations answer with.

use std::io;

use http::{HeaderMap, HeaderValue};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use crate::objects::store::Store;
use crate::objects::store::bucket::Bucket;
use crate::objects::store::object::Version;
use crate::time::Millis;

/// Makes of failures of the disk S3's internal error.
pub(crate) trait OrInternal<T> {
    /// The value, or S3's internal error.
    ///
    /// # Errors
    /// `InternalError`, with the failure as its source.
    fn or_internal(self) -> S3Result<T>;
}

impl<T> OrInternal<T> for io::Result<T> {
    fn or_internal(self) -> S3Result<T> {
        self.map_err(|error| {
            tracing::warn!("the disk of S3: {error}");
            S3Error::internal_error(error)
        })
    }
}

/// A bucket that a request is about.
///
/// # Errors
/// `NoSuchBucket`.
pub(crate) fn bucket(store: &Store, name: &str) -> S3Result<Bucket> {
    let found = store.bucket(name).or_internal()?;
    found.ok_or_else(|| s3_error!(NoSuchBucket))
}

/// An error that `s3s` has no name for.
pub(crate) fn custom(status: http::StatusCode, code: &'static str, message: &str) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message.to_owned());
    error.set_status_code(status);
    error
}

/// An error about an argument.
pub(crate) fn invalid_argument(message: &'static str) -> S3Error {
    s3_error!(InvalidArgument, "{message}")
}

/// An error that a delete marker causes, with the headers that reveal it (S3 user guide, "Working
/// with delete markers").
pub(crate) fn marked(mut error: S3Error, marker: &Version) -> S3Error {
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-delete-marker", HeaderValue::from_static("true"));
    if let Ok(id) = HeaderValue::from_str(&marker.id) {
        headers.insert("x-amz-version-id", id);
    }
    if let Ok(date) = HeaderValue::from_str(&http_date(marker.at)) {
        headers.insert(http::header::LAST_MODIFIED, date);
    }
    error.set_headers(headers);
    error
}

/// A time as headers state it.
pub(crate) fn http_date(at: Millis) -> String {
    httpdate::fmt_http_date(crate::time::system_time(at))
}
