//! A source bundle as a file: its length and its hash.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use bluegreen_core::plan::BundleFile;
use bluegreen_core::text::for_shell;
use sha2::{Digest, Sha256};
use thiserror::Error;

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
    /// A pipe or a device: it is read twice, so it must be a regular file.
    #[error("the bundle {} is no regular file: write it to one first", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// It is a folder.
    #[error(
        "the bundle {} is a folder, and Elastic Beanstalk takes a ZIP file of its content: {}",
        path.display(),
        zip_of(path, "bundle.zip")
    )]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// It is larger than the service accepts.
    #[error("the bundle {} is too large, with {bytes} bytes: Elastic Beanstalk takes at most {BYTES_MAX} (500 MB)", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// The service cannot deploy it.
    #[error(
        "the bundle {} {what}: Elastic Beanstalk takes a ZIP or WAR file, or a single file such as \
         Dockerrun.aws.json on Docker",
        path.display()
    )]
    NotABundle {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        what: String,
    },
    /// Everything in it is in one folder.
    #[error(
        "everything in the bundle {} is in its folder {folder:?}, and Elastic Beanstalk expects the \
         application at the top: {}",
        path.display(),
        zip_of(Path::new(folder), "bundle.zip")
    )]
    InFolder {
        /// The file.
        path: PathBuf,
        /// The folder.
        folder: String,
    },
    /// The service would refuse it, or fail to deploy it.
    #[error("the bundle {} cannot be deployed: {}", path.display(), faults.join("; "))]
    Faults {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, in words.
        faults: Vec<String>,
    },
}

/// The command that packs a folder's content rightly, hidden files included.
fn zip_of(folder: &Path, archive: &str) -> String {
    let folder = for_shell(&folder.display().to_string());
    format!("(cd {folder} && zip -r - . -x '.git/*') > {archive} packs the content of that folder")
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
    let mut file = open(path)?;
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

/// Opens a regular file: a pipe blocks until somebody writes to it, and can be read once.
///
/// # Errors
/// [`BundleError`].
pub fn open(path: &Path) -> Result<File, BundleError> {
    let read_error = |source| BundleError::Read {
        path: path.to_owned(),
        source,
    };
    let found = std::fs::metadata(path).map_err(read_error)?;
    if found.is_dir() {
        return Err(BundleError::Folder {
            path: path.to_owned(),
        });
    }
    if found.len() > BYTES_MAX {
        return Err(BundleError::TooLarge {
            path: path.to_owned(),
            bytes: found.len(),
        });
    }
    match found.is_file() {
        true => File::open(path).map_err(read_error),
        false => Err(BundleError::NotAFile {
            path: path.to_owned(),
        }),
    }
}
