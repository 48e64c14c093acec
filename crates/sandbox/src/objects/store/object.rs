//! An object as it is on disk.

use std::collections::BTreeMap;

use s3s::dto::Timestamp;
use serde::{Deserialize, Serialize};

use crate::objects::checksums::Sums;
use crate::time::Millis;

/// The id of a version that was written while its bucket kept none.
pub(crate) const NULL: &str = "null";

/// All versions under one key, the newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Object {
    /// The versions and delete markers.
    pub versions: Vec<Version>,
}

/// A version, or a delete marker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Version {
    /// Its id.
    pub id: String,
    /// When it was written.
    pub at: Millis,
    /// What was written; `None` for a delete marker.
    pub content: Option<Content>,
}

/// The content of a version.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Content {
    /// The name of its file.
    pub data: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its entity tag, without quotes.
    pub e_tag: String,
    /// Its checksums.
    #[serde(default)]
    pub sums: Sums,
    /// The parts of a multipart upload.
    #[serde(default)]
    pub parts: Vec<Piece>,
    /// What its writer said about it.
    #[serde(default)]
    pub properties: Properties,
}

/// A part that an object was assembled from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Piece {
    /// Its number, from 1.
    pub number: i32,
    /// Its length in bytes.
    pub size: u64,
    /// Its checksums.
    #[serde(default)]
    pub sums: Sums,
}

/// What the writer of an object says about it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Properties {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Expires`.
    pub expires: Option<Timestamp>,
    /// `x-amz-website-redirect-location`.
    pub website_redirect_location: Option<String>,
    /// `x-amz-meta-*`, without that beginning.
    pub metadata: BTreeMap<String, String>,
    /// Its tags in their order.
    pub tags: Vec<(String, String)>,
    /// Its storage class; `None` for `STANDARD`.
    pub storage_class: Option<String>,
    /// How it is encrypted; `None` for `AES256`.
    pub encryption: Option<String>,
    /// The key of KMS that encrypts it.
    pub encryption_key: Option<String>,
}

impl Object {
    /// The newest version, unless that is a delete marker.
    pub fn current(&self) -> Option<(&Version, &Content)> {
        let version = self.versions.first()?;
        Some((version, version.content.as_ref()?))
    }

    /// The version with an id.
    pub fn version(&self, id: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.id == id)
    }

    /// Whether a version has this data.
    pub fn has_data(&self, name: &str) -> bool {
        let contents = self
            .versions
            .iter()
            .filter_map(|version| version.content.as_ref());
        contents.into_iter().any(|content| content.data == name)
    }

    /// Puts a version before the others, in place of the one with its id.
    pub fn add(&mut self, version: Version) {
        self.versions.retain(|old| old.id != version.id);
        self.versions.insert(0, version);
    }
}
