//! Why a sandbox cannot be opened or kept.

use std::path::PathBuf;

use thiserror::Error;

use crate::clock::SPEEDS;

/// A sandbox that cannot be opened or kept.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// A file of the world cannot be read or written.
    #[error("cannot use the sandbox's file {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no world.
    #[error("{} is not the world of a sandbox: {message}", path.display())]
    NotAWorld {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// Another sandbox uses the folder now.
    #[error(
        "another sandbox uses the folder {} now: stop that one, use it by its URL, or give another \
         folder",
        folder.display()
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder holds no world, but files where a sandbox keeps its objects.
    #[error(
        "{} holds no world of a sandbox, and {} holds files of something else: give a folder of the \
         sandbox's own, or move these files elsewhere",
        folder.display(), path.display()
    )]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// Where the files are.
        path: PathBuf,
    },
    /// The world was written by a newer program.
    #[error("the world in {} was written by a newer sandbox", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// The file describes no world.
    #[error("{} describes no world: {message}", path.display())]
    NotDescribed {
        /// The file.
        path: PathBuf,
        /// What is wrong in it, and where.
        message: String,
    },
    /// The speed is out of bounds.
    #[error("a sandbox cannot run at speed {0}: give a number from {start} to {end}", start = SPEEDS.start(), end = SPEEDS.end())]
    Speed(f64),
}
