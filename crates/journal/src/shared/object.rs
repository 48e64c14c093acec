//! An object in the bucket: what it may hold, and what became of a write.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::bounds::within_bounds;
use super::error::SharedError;
use bluegreen_aws::OBJECT_BYTES_MAX;
use bluegreen_aws::state_key::{Authenticity, StateKey};

/// The version of the objects: 2 has several tests.
pub const FORMAT: u32 = 2;

/// An object read into what it holds, and its tag for the next write.
#[derive(Clone, Debug, PartialEq)]
pub struct Tagged<T> {
    /// What it holds.
    pub value: T,
    /// Its tag.
    pub etag: String,
}

/// What became of a conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is there, with this tag.
    Done(String),
    /// Somebody else was faster.
    Overtaken,
}

#[derive(Deserialize)]
struct Header {
    format: u32,
}

/// What an object in the bucket holds.
pub(super) trait Kept: DeserializeOwned {
    /// What is wrong with it as the content of the object with this key: it was not written by
    /// this program then.
    fn check(&self, bucket: &str, key: &str) -> Result<(), String>;

    /// Whether to believe what it says, as far as its code shows. This leaves out what is in it
    /// that only somebody with the key may say.
    fn is_acceptable(&mut self, authenticity: Authenticity) -> bool;

    /// Whether it is of a deployment that has ended.
    fn has_ended(&self) -> bool {
        false
    }
}

/// What an object of a bucket holds, by the names of both.
pub(super) fn kept<T: Kept>(
    (bucket, key): (&str, &str),
    state_key: Option<&StateKey>,
    object: &[u8],
) -> Result<T, SharedError> {
    let damaged = |message: String| SharedError::Damaged {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        message,
    };
    if object.len() > OBJECT_BYTES_MAX {
        return Err(damaged(format!(
            "it has more than {OBJECT_BYTES_MAX} bytes"
        )));
    }
    let body: Value = serde_json::from_slice(object).map_err(|e| damaged(e.to_string()))?;
    let header = Header::deserialize(&body).map_err(|e| damaged(e.to_string()))?;
    let (bucket, key) = (bucket.to_owned(), key.to_owned());
    if header.format > FORMAT {
        return Err(SharedError::Newer { bucket, key });
    }
    within_bounds(&body).map_err(damaged)?;
    let mut value = T::deserialize(body).map_err(|e| damaged(e.to_string()))?;
    value.check(&bucket, &key).map_err(damaged)?;
    let authenticity = match state_key {
        Some(state_key) => state_key.verify(&bucket, &key, object),
        None => Authenticity::Unknown,
    };
    if !value.is_acceptable(authenticity) {
        let has_ended = value.has_ended();
        return Err(SharedError::Unauthenticated {
            bucket,
            key,
            has_ended,
        });
    }
    Ok(value)
}
