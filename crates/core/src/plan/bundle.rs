//! The source bundle of a version.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A source bundle in the artifacts bucket, and the file it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bundle {
    /// The key in the artifacts bucket.
    pub key: String,
    /// The local file to upload; none for a bundle that is there already.
    pub file: Option<BundleFile>,
}

/// A local source bundle.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BundleFile {
    /// Where it was when the deployment began.
    pub path: PathBuf,
    /// The SHA-256 of its content, in hexadecimal; the key holds it too.
    pub sha256: String,
    /// Its length in bytes.
    pub bytes: u64,
}
