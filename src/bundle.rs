//! Source bundles on disk.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::plan::{Bundle, BundleFile};

/// Elastic Beanstalk's limit for a source bundle (developer guide, "Create an
/// application source bundle").
pub const BYTES_MAX: u64 = 500 * 1024 * 1024;

/// A bundle that cannot be used.
#[derive(Debug, Error)]
pub enum BundleError {
    /// It cannot be read.
    #[error("cannot read the bundle {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Its path is not text, so the journal cannot keep it.
    #[error("the path of the bundle {} is not UTF-8: rename it", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// It is larger than the service takes.
    #[error("the bundle {} has {bytes} bytes; Elastic Beanstalk takes at most {BYTES_MAX}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
}

/// Reads a bundle's length and SHA-256.
///
/// # Errors
/// [`BundleError`].
pub fn read(path: &Path) -> Result<BundleFile, BundleError> {
    let read_error = |source| BundleError::Read {
        path: path.to_owned(),
        source,
    };
    if path.to_str().is_none() {
        return Err(BundleError::NotText {
            path: path.to_owned(),
        });
    }
    let mut file = File::open(path).map_err(read_error)?;
    let mut hash = Sha256::new();
    let mut bytes = 0;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut buffer).map_err(read_error)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        bytes += read as u64;
        if bytes > BYTES_MAX {
            return Err(BundleError::TooLarge {
                path: path.to_owned(),
                bytes: file.metadata().map_or(bytes, |m| m.len()),
            });
        }
    }
    let sha256 = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    Ok(BundleFile {
        path: std::path::absolute(path).map_err(read_error)?,
        sha256,
        bytes,
    })
}

/// The bundle of a file for an application: its key holds its content's hash, so
/// that asking twice is one object.
#[must_use]
pub fn addressed(application: &str, file: BundleFile) -> Bundle {
    let extension = file
        .path
        .extension()
        .and_then(|e| e.to_str())
        .map(|e| format!(".{e}"))
        .unwrap_or_default();
    Bundle {
        key: format!("bluegreen/bundles/{application}/{}{extension}", file.sha256),
        file: Some(file),
    }
}

/// A version label for a bundle that was given none: its name and the beginning
/// of its hash, so that asking twice is one version.
#[must_use]
pub fn label(file: &BundleFile) -> String {
    let name = file.path.file_stem().unwrap_or_default().to_string_lossy();
    let name: String = name.replace('/', "-").chars().take(80).collect();
    format!("{name}-{}", &file.sha256[..12])
}
