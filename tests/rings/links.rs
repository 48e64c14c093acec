//! The documents: their links lead somewhere, the index lists them, and decisions are in order.

use std::path::{Path, PathBuf};

use crate::support::sources::files;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

/// Where a document's links lead within the project.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let ends = text.split("](").skip(1);
    let targets = ends.filter_map(|rest| rest.split(')').next());
    let targets = targets.filter(|target| !target.contains("://") && !target.starts_with('#'));
    targets.map(|target| target.split('#').next().unwrap_or_default())
}

#[test]
fn links_lead_somewhere() {
    let mut all = files("docs", "md");
    let readme = docs().with_file_name("README.md");
    let text = std::fs::read_to_string(&readme).expect("the README reads");
    all.push((readme, text));
    let mut followed = 0;
    for (path, text) in all {
        for link in links(&text) {
            let to = path.with_file_name("").join(link);
            assert!(to.exists(), "{}: {link} leads nowhere", path.display());
            followed += 1;
        }
    }
    assert!(followed > 100, "{followed}");
}

#[test]
fn the_index_lists_every_document() {
    let index = std::fs::read_to_string(docs().join("README.md")).expect("the index reads");
    let listed: Vec<_> = links(&index).map(|link| docs().join(link)).collect();
    for (path, _) in files("docs", "md") {
        let of_a_folder = ["decisions", "operate/scheduled"].map(|folder| docs().join(folder));
        let is_of_a_folder = of_a_folder.iter().any(|folder| path.starts_with(folder));
        let is_index = path == docs().join("README.md");
        let is_listed = is_of_a_folder || is_index || listed.contains(&path);
        assert!(is_listed, "docs/README.md lacks {}", path.display());
    }
}

#[test]
fn decisions_are_numbered_dated_and_listed() {
    let mut decisions = files("docs/decisions", "md");
    let at = decisions
        .iter()
        .position(|(path, _)| path.ends_with("README.md"));
    let (_, index) = decisions.remove(at.expect("there is an index"));
    let mut rows = index.lines().filter(|line| line.starts_with("| 0"));
    for (number, (path, text)) in (1..).zip(&decisions) {
        let name = path.file_name().expect("a name").to_string_lossy();
        assert!(name.starts_with(&format!("{number:04}-")), "{name}");
        let mut lines = text.lines();
        let title = lines
            .next()
            .and_then(|line| line.strip_prefix(&format!("# {number:04}: ")));
        let title = title.unwrap_or_else(|| panic!("{name} has another title"));
        let status = lines
            .nth(1)
            .and_then(|line| line.strip_suffix('.')?.split_once(", "));
        let (status, date) = status.unwrap_or_else(|| panic!("{name} has no status and date"));
        let status = status.to_lowercase();
        let row = format!("| {number:04} | [{title}]({name}) | {status} | {date} |");
        assert_eq!(rows.next(), Some(row.as_str()));
    }
    assert_eq!(rows.next(), None, "the index lists what there is not");
}
