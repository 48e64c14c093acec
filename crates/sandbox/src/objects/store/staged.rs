//! Content on its way to an object: in a file of its own, with its digests.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Md5};
use tempfile::{NamedTempFile, TempPath};

use crate::objects::checksums::Sums;

/// How much is read at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// Content that is complete and belongs to no object yet. Its file is gone with it.
pub(crate) struct Staged {
    path: TempPath,
    /// Its length in bytes.
    pub size: u64,
    /// Its MD5 digest.
    pub md5: [u8; 16],
    /// Its checksums.
    pub sums: Sums,
}

impl Staged {
    /// Its MD5 digest in hexadecimal: the entity tag of an object that was uploaded whole.
    pub fn e_tag(&self) -> String {
        hexadecimal(&self.md5)
    }

    /// Moves the file.
    ///
    /// # Errors
    /// It cannot be moved.
    pub fn persist(self, path: &Path) -> io::Result<()> {
        self.path.persist(path).map_err(|error| error.error)
    }
}

/// Content that is being written.
pub(crate) struct Writer {
    file: NamedTempFile,
    size: u64,
    md5: Md5,
    hasher: ChecksumHasher,
}

impl Writer {
    /// Begins a file below `folder`.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(folder: &Path, hasher: ChecksumHasher) -> io::Result<Writer> {
        Ok(Writer {
            file: NamedTempFile::new_in(folder)?,
            size: 0,
            md5: Md5::new(),
            hasher,
        })
    }

    /// Adds to the content.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.file.write_all(piece)?;
        self.size += piece.len() as u64;
        self.md5.update(piece);
        self.hasher.update(piece);
        Ok(())
    }

    /// Adds what a file holds, from where it stands, at most `bytes` of it.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn append(&mut self, file: File, bytes: u64) -> io::Result<()> {
        let mut file = file.take(bytes);
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(()),
                length => self.write(&piece[..length])?,
            }
        }
    }

    /// Ends the content.
    pub fn finish(self) -> Staged {
        Staged {
            path: self.file.into_temp_path(),
            size: self.size,
            md5: self.md5.finalize(),
            sums: self.hasher.finalize().into(),
        }
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
