//! A recording as `bluegreen doctor` writes it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Deserialize;
use thiserror::Error;

/// The version of a recording that this program understands.
const VERSION: u32 = 1;

/// A file that is no recording.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// It cannot be read.
    #[error("cannot read the recording {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is something else.
    #[error("{} is not a recording that `bluegreen doctor` wrote: {message}", path.display())]
    NotARecording {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// A newer program wrote it.
    #[error("the recording {} was written by a newer bluegreen", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
    },
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Recording {
    pub format: String,
    pub version: u32,
    pub region: String,
    #[serde(default)]
    pub names: BTreeMap<String, String>,
    pub exchanges: Vec<Exchange>,
    /// The time of its first exchange.
    #[serde(skip)]
    pub begins_at: Option<SystemTime>,
}

impl Recording {
    /// Reads a recording.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn read(path: &Path) -> Result<Recording, ReplayError> {
        let text = std::fs::read_to_string(path).map_err(|source| ReplayError::Io {
            path: path.to_owned(),
            source,
        })?;
        let wrong = |message: String| ReplayError::NotARecording {
            path: path.to_owned(),
            message,
        };
        let mut recording: Recording =
            serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if recording.format != "bluegreen-doctor" {
            return Err(wrong(format!("its format is {:?}", recording.format)));
        }
        if recording.version > VERSION {
            return Err(ReplayError::Newer {
                path: path.to_owned(),
            });
        }
        let first = recording.exchanges.first();
        let begins_at = first.map(|exchange| humantime::parse_rfc3339_weak(&exchange.at));
        recording.begins_at = begins_at.transpose().map_err(|e| wrong(e.to_string()))?;
        Ok(recording)
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Exchange {
    pub at: String,
    #[serde(default)]
    pub service: String,
    pub method: String,
    pub path: String,
    #[serde(default)]
    pub target: Option<String>,
    #[serde(default)]
    pub body: Option<String>,
    #[serde(default)]
    pub status: Option<u16>,
    #[serde(default)]
    pub content_type: Option<String>,
    #[serde(default)]
    pub etag: Option<String>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub answer: Option<String>,
}

impl Exchange {
    /// Whether an answer was an object of S3, whose contents are not recorded.
    pub fn is_object(&self) -> bool {
        self.method == "GET" && self.status == Some(200) && self.answer.is_none()
    }

    /// The answer as it is replayed.
    pub fn response(&self) -> Response<Bytes> {
        let body = self.answer.clone().unwrap_or_default();
        let mut response = Response::new(Bytes::from(body));
        let status = self.status.and_then(|s| StatusCode::from_u16(s).ok());
        *response.status_mut() = status.unwrap_or(StatusCode::BAD_GATEWAY);
        let headers: [(HeaderName, &Option<String>); 2] =
            [(CONTENT_TYPE, &self.content_type), (ETAG, &self.etag)];
        for (name, value) in headers {
            if let Some(value) = value.as_deref().and_then(|v| HeaderValue::from_str(v).ok()) {
                response.headers_mut().insert(name, value);
            }
        }
        for (name, value) in &self.headers {
            // What is sent has a length of its own.
            if name != "content-length"
                && let (Ok(name), Ok(value)) =
                    (HeaderName::try_from(name), HeaderValue::from_str(value))
            {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
