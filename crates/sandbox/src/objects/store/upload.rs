//! A multipart upload as it is on disk.

use serde::{Deserialize, Serialize};

use crate::objects::checksums::{Algorithm, Sums};
use crate::objects::store::object::Properties;
use crate::time::Millis;

/// An upload that was begun and neither completed nor aborted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Upload {
    /// The key of the object that it becomes.
    pub key: String,
    /// When it began.
    pub at: Millis,
    /// The algorithm of its checksums; `None` where its client named none.
    pub algorithm: Option<Algorithm>,
    /// Whether the object's checksum is one of its parts' checksums, not of its content.
    #[serde(default)]
    pub is_composite: bool,
    /// What the object gets.
    #[serde(default)]
    pub properties: Properties,
}

/// A part of an upload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Its number, 1 to 10,000.
    pub number: i32,
    /// When it was written.
    pub at: Millis,
    /// The name of its file.
    pub data: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its entity tag, without quotes.
    pub e_tag: String,
    /// Its checksums.
    #[serde(default)]
    pub sums: Sums,
}
