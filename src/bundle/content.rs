//! What is in a bundle, as far as it decides whether Elastic Beanstalk can deploy it.

use std::collections::BTreeSet;
use std::fs::File;

use rawzip::{FileReader, RECOMMENDED_BUFFER_SIZE, ZipArchive, ZipFileHeaderRecord};

use super::extensions;

/// What bluegreen reads of an archive.
pub(super) struct Content {
    /// What lies at its top.
    pub top: Top,
    /// Why it cannot be deployed, in words.
    pub faults: Vec<String>,
    /// What may not be meant, in words.
    pub warnings: Vec<String>,
}

/// What lies at the top of an archive.
pub(super) enum Top {
    /// No file.
    Nothing,
    /// Only this folder.
    One(String),
    /// Several files and folders.
    Several,
}

impl Top {
    /// This top with one file or folder more.
    fn with(self, path: &str) -> Top {
        match (self, path.split_once('/')) {
            (Top::Nothing, Some((folder, _))) => Top::One(folder.to_owned()),
            (Top::One(folder), Some((other, _))) if folder == other => Top::One(folder),
            (Top::Nothing | Top::One(_) | Top::Several, _) => Top::Several,
        }
    }
}

/// How many mistakes of a bundle an error names.
const FAULTS_MAX: usize = 5;

/// Reads the directory of an archive, and in it the files that Elastic Beanstalk reads itself.
pub(super) fn content_of(file: File) -> Result<Content, rawzip::Error> {
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let archive = ZipArchive::from_file(file, &mut buffer)?;
    let mut entries = archive.entries(&mut buffer);
    let mut content = Content {
        top: Top::Nothing,
        faults: Vec::new(),
        warnings: Vec::new(),
    };
    let mut names = BTreeSet::new();
    while let Some(entry) = entries.next_entry()? {
        let path = entry.file_path();
        let path = String::from_utf8_lossy(path.as_bytes()).into_owned();
        if content.faults.len() < FAULTS_MAX {
            content.faults.extend(fault_of(&archive, &entry, &path));
        }
        if entry.mode().is_symlink()
            && let Some(to) = extensions::content(&archive, &entry)
            && leads_outside(&path, &String::from_utf8_lossy(&to))
        {
            content.warnings.push(format!(
                "{path:?} is a symbolic link to {:?}, outside of the bundle",
                String::from_utf8_lossy(&to)
            ));
        }
        if !entry.is_dir() && !names.insert(path.clone()) && content.faults.len() < FAULTS_MAX {
            content.faults.push(format!(
                "{path:?} is in it twice, and which of the two is deployed is not certain: pack it anew"
            ));
        }
        // Finder puts what it adds beside the folder that it was told to compress.
        if !path.starts_with("__MACOSX/") {
            content.top = content.top.with(&path);
        }
    }
    Ok(content)
}

/// Why Elastic Beanstalk cannot deploy a bundle with this entry, in words.
fn fault_of(
    archive: &ZipArchive<FileReader>,
    entry: &ZipFileHeaderRecord<'_>,
    path: &str,
) -> Option<String> {
    if entry.flags().is_encrypted() {
        return Some(format!(
            "{path:?} is encrypted, and no instance has its password: pack it without one"
        ));
    }
    if path.contains('\\') {
        return Some(format!(
            "{path:?} has backslashes in its name, which are no folders on Linux: pack it with a \
             tool that writes slashes, such as 7-Zip or PowerShell 7"
        ));
    }
    if path.starts_with('/') || path.split('/').any(|part| part == "..") {
        return Some(format!(
            "{path:?} leads out of the folder that it is unpacked in: pack it with paths below the \
             application's folder"
        ));
    }
    extensions::fault(archive, entry, path)
}

/// Whether a symbolic link at this path leads out of the folder that the bundle is unpacked in.
fn leads_outside(path: &str, to: &str) -> bool {
    if to.starts_with('/') {
        return true;
    }
    let mut depth = path.matches('/').count();
    for part in to.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return true,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_outside_by_what_they_climb() {
        for (path, to, is_outside) in [
            ("app/bin", "../lib/tool", false),
            ("app/bin", "../../etc/passwd", true),
            ("bin", "..", true),
            ("bin", "/etc/passwd", true),
            ("node_modules/.bin/tool", "../tool/cli.js", false),
        ] {
            assert_eq!(leads_outside(path, to), is_outside, "{path} -> {to}");
        }
    }
}
