//! A bucket as it is on disk.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// Whether a bucket keeps the versions of its objects (S3 user guide, "How S3 Versioning works").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Versioning {
    /// Nobody has put it on.
    #[default]
    Off,
    /// A write adds a version.
    Enabled,
    /// A write replaces the version `null`; other versions stay.
    Suspended,
}

/// A bucket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Bucket {
    /// When it was created.
    pub created: Millis,
    /// Its region.
    pub region: String,
    /// Whether it keeps versions.
    #[serde(default)]
    pub versioning: Versioning,
    /// Its other settings by the name of their subresource, each as the document that was put.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
}
