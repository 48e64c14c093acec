//! A recording as `bluegreen doctor` writes it.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde::Deserialize;
use thiserror::Error;

/// The version of a recording that is understood.
pub(crate) const VERSION: u32 = 1;

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
pub(crate) struct Document {
    pub format: String,
    pub version: u32,
    pub region: String,
    #[serde(default)]
    pub names: BTreeMap<String, String>,
    pub exchanges: Vec<Exchange>,
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
