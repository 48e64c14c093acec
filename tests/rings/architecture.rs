//! The invariants of docs/architecture.md that the source itself can show.

use std::path::{Path, PathBuf};

/// The Rust files below a folder of the project, with their text.
pub fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the folder reads") {
            let path = entry.expect("the entry reads").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).expect("the file reads");
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// No file below `folder` whose path lacks all of `except` holds one of `words`.
#[track_caller]
fn absent(folder: &str, words: &[&str], except: &[&str]) {
    for (path, text) in sources(folder) {
        let name = path.to_string_lossy();
        if except.iter().any(|part| name.contains(part)) {
            continue;
        }
        for word in words {
            assert!(!text.contains(word), "{} names {word}", path.display());
        }
    }
}

#[test]
fn only_the_client_names_the_sdk() {
    absent("src", &["aws_sdk_"], &["src/cloud/aws"]);
}

#[test]
fn only_the_store_names_sqlite() {
    absent("src", &["rusqlite"], &["src/store"]);
}

#[test]
fn the_machine_does_no_io_and_reads_no_clock() {
    let words = [
        "std::fs",
        "std::net",
        "std::time::Instant",
        "SystemTime",
        "tokio",
        "async ",
        "crate::clock",
        "crate::cloud",
        "crate::store",
    ];
    absent("src/machine", &words, &[]);
}

#[test]
fn only_the_command_line_prints() {
    absent(
        "src",
        &["println!", "print!(", "eprintln!", "dbg!("],
        &["src/cli"],
    );
}

#[test]
fn the_sandbox_knows_nothing_of_bluegreen() {
    absent("sandbox/src", &["use bluegreen::", "bluegreen_core"], &[]);
    let manifest = include_str!("../../sandbox/Cargo.toml");
    assert!(!manifest.contains("path = \"..\""));
}

/// What the source takes in at build time is in the image's build context.
#[test]
fn what_is_embedded_is_built_into_the_image() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let kept = std::fs::read_to_string(root.join(".dockerignore")).expect("it reads");
    let kept: Vec<_> = kept
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .collect();
    let mut embedded = 0;
    for (path, text) in sources("src") {
        for named in text.split("include_str!(\"").skip(1) {
            let named = named.split('"').next().expect("a path");
            let file = path.parent().expect("a folder").join(named);
            let file = file.canonicalize().expect("it is there");
            let root = root.canonicalize().expect("it is there");
            let file = file.strip_prefix(&root).expect("it is below the root");
            let is_kept = kept.iter().any(|kept| file.starts_with(kept));
            assert!(is_kept, "{} is not in .dockerignore", file.display());
            embedded += 1;
        }
    }
    assert!(embedded > 0);
}
