//! The documents: their links lead somewhere, the index lists them, and decisions are in order.

use std::path::{Path, PathBuf};

use crate::support::sources::files;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

/// Where a document's links lead within the project: to a file, or to itself, and to a heading.
fn targets(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let ends = text.split("](").skip(1);
    let targets = ends.filter_map(|rest| rest.split(')').next());
    let targets = targets.filter(|target| !target.contains("://"));
    targets.map(|target| match target.split_once('#') {
        Some((file, heading)) => (file, Some(heading)),
        None => (target, None),
    })
}

/// The files that a document's links lead to.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let files = targets(text).map(|(file, _)| file);
    files.filter(|file| !file.is_empty())
}

/// A heading as a link names it.
fn anchor(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn has_heading(text: &str, named: &str) -> bool {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let mut headings = headings.filter_map(|line| line.split_once("# "));
    headings.any(|(_, heading)| anchor(heading) == named)
}

#[test]
fn links_lead_somewhere() {
    let mut all = files("docs", "md");
    let readme = docs().with_file_name("README.md");
    let text = std::fs::read_to_string(&readme).expect("the README reads");
    all.push((readme, text));
    let mut followed = 0;
    for (path, text) in all {
        for (link, heading) in targets(&text) {
            let to = match link {
                "" => path.clone(),
                link => path.with_file_name("").join(link),
            };
            assert!(to.exists(), "{}: {link} leads nowhere", path.display());
            if let Some(heading) = heading {
                let text = std::fs::read_to_string(&to).expect("the document reads");
                let is_there = has_heading(&text, heading);
                assert!(is_there, "{}: {link} has no #{heading}", path.display());
            }
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
