//! Buckets, objects and uploads on disk: who writes holds the folder's lock.
//!
//! Below the folder, `.buckets/NAME/` holds a bucket: its settings, an index with the data of each
//! object below `objects/`, and its uploads. An index replaces the one before it in one step and
//! names its data, so a process that is killed leaves the old object or the new one.

pub(crate) mod bucket;
pub(crate) mod names;
pub(crate) mod object;
pub(crate) mod staged;
pub(crate) mod upload;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::objects::store::bucket::Bucket;
use crate::objects::store::object::Object;
use crate::objects::store::staged::Staged;
use crate::objects::store::upload::{Part, Upload};

/// The age at which nobody writes a staged file any more: other processes may have theirs here.
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// The file that says what a bucket is.
const BUCKET: &str = "bucket.json";

/// The file that lists an object's versions.
const INDEX: &str = "object.json";

/// The file that says what an upload becomes.
const UPLOAD: &str = "upload.json";

/// The folders of a root: its buckets, and the files that are being written.
const BUCKETS: &str = ".buckets";
const STAGING: &str = ".staging";

/// The end of the name of a file that describes a part.
const PART: &str = ".part.json";

/// The buckets below a folder.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    root: PathBuf,
}

impl Store {
    /// Opens a folder, and makes its subfolders where they are missing.
    ///
    /// # Errors
    /// They cannot be made.
    pub fn open(root: &Path) -> io::Result<Store> {
        let store = Store {
            root: root.to_owned(),
        };
        fs::create_dir_all(store.all())?;
        fs::create_dir_all(store.staging())?;
        store.sweep()?;
        Ok(store)
    }

    /// Removes what processes that were killed have left half written.
    fn sweep(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.staging())? {
            let entry = entry?;
            let written = entry.metadata().and_then(|found| found.modified());
            let is_old = written.is_ok_and(|written| {
                let age = written.elapsed().unwrap_or_default();
                age > ABANDONED_AFTER
            });
            if !is_old {
                continue;
            }
            let path = entry.path();
            // Another process may sweep too.
            let _ = match path.is_dir() {
                true => fs::remove_dir_all(path),
                false => fs::remove_file(path),
            };
        }
        Ok(())
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where files are while they are written.
    pub fn staging(&self) -> PathBuf {
        self.root.join(STAGING)
    }

    fn all(&self) -> PathBuf {
        self.root.join(BUCKETS)
    }

    fn folder(&self, bucket: &str) -> PathBuf {
        self.all().join(bucket)
    }

    fn object_folder(&self, bucket: &str, key: &str) -> PathBuf {
        let folder = self.folder(bucket).join("objects");
        names::parts(key)
            .iter()
            .fold(folder, |at, part| at.join(part))
    }

    fn uploads_folder(&self, bucket: &str) -> PathBuf {
        self.folder(bucket).join("uploads")
    }

    /// The names of all buckets, sorted.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn buckets(&self) -> io::Result<Vec<String>> {
        let mut names = listed(&self.all())?;
        names.retain(|name| self.folder(name).join(BUCKET).is_file());
        names.sort();
        Ok(names)
    }

    /// A bucket; `None` where there is none of this name.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn bucket(&self, name: &str) -> io::Result<Option<Bucket>> {
        if name.is_empty() || name.contains('/') || name.starts_with('.') {
            return Ok(None);
        }
        read(&self.folder(name).join(BUCKET))
    }

    /// Writes a bucket's settings, and makes the bucket where there is none.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn write_bucket(&self, name: &str, bucket: &Bucket) -> io::Result<()> {
        self.write(&self.folder(name).join(BUCKET), bucket)
    }

    /// Removes a bucket with all that is in it.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove_bucket(&self, name: &str) -> io::Result<()> {
        let aside = tempfile::tempdir_in(self.staging())?;
        fs::rename(self.folder(name), aside.path().join(name))?;
        aside.close()
    }

    /// The keys, sorted by their bytes. Of a write that was killed there may be one without a
    /// version.
    ///
    /// # Errors
    /// The bucket's folder cannot be read.
    pub fn keys(&self, bucket: &str) -> io::Result<Vec<String>> {
        let mut keys = Vec::new();
        let mut folders = vec![(self.folder(bucket).join("objects"), String::new())];
        while let Some((folder, before)) = folders.pop() {
            for name in listed(&folder)? {
                match names::read(&before, &name) {
                    Some(names::Read::Key(key)) => keys.push(key),
                    Some(names::Read::Beginning(text)) => folders.push((folder.join(name), text)),
                    None => {}
                }
            }
        }
        keys.sort();
        Ok(keys)
    }

    /// The versions of an object; none where there is no such key.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn object(&self, bucket: &str, key: &str) -> io::Result<Object> {
        let index = self.object_folder(bucket, key).join(INDEX);
        Ok(read(&index)?.unwrap_or_default())
    }

    /// Replaces the versions of an object, and removes the data that no version has.
    ///
    /// # Errors
    /// The index cannot be written.
    pub fn write_object(&self, bucket: &str, key: &str, object: &Object) -> io::Result<()> {
        let folder = self.object_folder(bucket, key);
        if object.versions.is_empty() {
            return self.remove_object(bucket, &folder);
        }
        self.write(&folder.join(INDEX), object)?;
        let stays = |name: &String| name == INDEX || object.has_data(name);
        for name in listed(&folder)?.iter().filter(|name| !stays(name)) {
            fs::remove_file(folder.join(name))?;
        }
        Ok(())
    }

    /// Removes an object's folder, and the folders above it that hold nothing else.
    fn remove_object(&self, bucket: &str, folder: &Path) -> io::Result<()> {
        let Some(parent) = folder.parent() else {
            return Ok(());
        };
        let aside = tempfile::tempdir_in(self.staging())?;
        match fs::rename(folder, aside.path().join("removed")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => aside.close()?,
        }
        let top = self.folder(bucket).join("objects");
        let mut parent = parent;
        while parent != top && fs::remove_dir(parent).is_ok() {
            parent = parent.parent().unwrap_or(&top);
        }
        Ok(())
    }

    /// Moves content to its object, and returns the name of its data.
    ///
    /// # Errors
    /// The file cannot be moved.
    pub fn keep(&self, bucket: &str, key: &str, staged: Staged) -> io::Result<String> {
        let name = names::unique();
        let folder = self.object_folder(bucket, key);
        fs::create_dir_all(&folder)?;
        staged.persist(&folder.join(&name))?;
        Ok(name)
    }

    /// Gives the data of an object to another one, and returns its name there.
    ///
    /// # Errors
    /// The file can be neither linked nor copied.
    pub fn share(&self, from: (&str, &str, &str), bucket: &str, key: &str) -> io::Result<String> {
        let data = self.object_folder(from.0, from.1).join(from.2);
        self.adopt(&data, bucket, key)
    }

    /// Gives a file to an object as its data, and returns its name there. The file stays.
    ///
    /// # Errors
    /// The file can be neither linked nor copied.
    pub fn adopt(&self, data: &Path, bucket: &str, key: &str) -> io::Result<String> {
        let name = names::unique();
        let folder = self.object_folder(bucket, key);
        fs::create_dir_all(&folder)?;
        let to = folder.join(&name);
        if fs::hard_link(data, &to).is_err() {
            fs::copy(data, &to)?;
        }
        Ok(name)
    }

    /// The data of an object.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn data(&self, bucket: &str, key: &str, name: &str) -> io::Result<File> {
        File::open(self.object_folder(bucket, key).join(name))
    }

    /// The ids of a bucket's unfinished uploads, sorted.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn uploads(&self, bucket: &str) -> io::Result<Vec<String>> {
        let mut ids = listed(&self.uploads_folder(bucket))?;
        ids.sort();
        Ok(ids)
    }

    /// An upload; `None` where there is none with this id.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn upload(&self, bucket: &str, id: &str) -> io::Result<Option<Upload>> {
        if id.is_empty()
            || !id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        {
            return Ok(None);
        }
        read(&self.uploads_folder(bucket).join(id).join(UPLOAD))
    }

    /// Begins an upload, and returns its id.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin_upload(&self, bucket: &str, upload: &Upload) -> io::Result<String> {
        let id = names::unique();
        self.write(&self.uploads_folder(bucket).join(&id).join(UPLOAD), upload)?;
        Ok(id)
    }

    /// The parts of an upload by their numbers.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn parts(&self, bucket: &str, id: &str) -> io::Result<Vec<Part>> {
        let folder = self.uploads_folder(bucket).join(id);
        let mut parts = Vec::new();
        for name in listed(&folder)?.iter().filter(|name| name.ends_with(PART)) {
            parts.extend(read::<Part>(&folder.join(name))?);
        }
        parts.sort_by_key(|part| part.number);
        Ok(parts)
    }

    /// Puts a part's content into an upload, in place of the one with its number.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_part(&self, bucket: &str, id: &str, staged: Staged, part: Part) -> io::Result<()> {
        let folder = self.uploads_folder(bucket).join(id);
        let data = names::unique();
        staged.persist(&folder.join(&data))?;
        let description = folder.join(format!("{}{PART}", part.number));
        let before: Option<Part> = read(&description)?;
        self.write(&description, &Part { data, ..part })?;
        match before {
            Some(before) => fs::remove_file(folder.join(before.data)),
            None => Ok(()),
        }
    }

    /// The data of a part.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn part_data(&self, bucket: &str, id: &str, part: &Part) -> io::Result<File> {
        File::open(self.uploads_folder(bucket).join(id).join(&part.data))
    }

    /// Removes an upload with its parts.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove_upload(&self, bucket: &str, id: &str) -> io::Result<()> {
        let aside = tempfile::tempdir_in(self.staging())?;
        fs::rename(self.uploads_folder(bucket).join(id), aside.path().join(id))?;
        aside.close()
    }

    /// Writes a description in one step.
    fn write(&self, path: &Path, content: &impl Serialize) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(self.staging())?;
        serde_json::to_writer(&mut file, content)?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        file.persist(path)?;
        Ok(())
    }
}

/// Whether a folder has nothing but what a [`Store`] makes there, or is missing.
///
/// # Errors
/// It cannot be read.
pub(crate) fn is_own_root(root: &Path) -> io::Result<bool> {
    let entries = match fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        entries => entries?,
    };
    for entry in entries {
        let name = entry?.file_name();
        if name != BUCKETS && name != STAGING {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A description; `None` where the file is missing.
fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The names in a folder; none where it is missing.
fn listed(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if is_missing(&error) => return Ok(Vec::new()),
        entries => entries?,
    };
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    names.collect()
}

fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
