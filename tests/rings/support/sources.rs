//! The project's own files.

use std::path::{Path, PathBuf};

/// The Rust files below a folder of the project, with their text.
pub fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    files(folder, "rs")
}

/// The files with this ending below a folder of the project, with their text.
pub fn files(folder: &str, ending: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the folder reads") {
            let path = entry.expect("the entry reads").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == ending) {
                let text = std::fs::read_to_string(&path).expect("the file reads");
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty());
    found.sort();
    found
}
