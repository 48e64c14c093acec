//! docs/reference/aws-facts.md: every fact is whole, and the tests that hold it exist.

use std::path::{Path, PathBuf};

use crate::support::sources::sources;

/// One row of a table: the fact, how sure it is, its source, the tests, and what if not.
struct Fact {
    section: String,
    cells: Vec<String>,
}

fn facts() -> Vec<Fact> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/aws-facts.md");
    let text = std::fs::read_to_string(path).expect("the document reads");
    let mut section = String::new();
    let mut facts = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title.to_owned();
        }
        let is_row = line.starts_with("| ") && !line.starts_with("| fact |");
        if !is_row || section.is_empty() {
            continue;
        }
        // A pipe within a cell is written `\|`.
        let line = line.replace("\\|", "\u{0}");
        let cells = line.trim().trim_matches('|').split('|');
        let cells = cells
            .map(|cell| cell.trim().replace('\u{0}', "|"))
            .collect();
        facts.push(Fact {
            section: section.clone(),
            cells,
        });
    }
    facts
}

/// The files of a module, as in `facts::tests` or `checks`: those whose path has its names.
fn is_of(path: &Path, module: &[&str]) -> bool {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    module.iter().all(|name| {
        let file = format!("{name}.rs");
        *name == "tests" || parts.iter().any(|part| part == name || *part == file)
    })
}

fn has_test(sources: &[(PathBuf, String)], test: &str) -> bool {
    let mut names: Vec<_> = test.split("::").collect();
    let function = names.pop().expect("a name");
    let signature = format!("fn {function}(");
    let mut files = sources.iter().filter(|(path, _)| is_of(path, &names));
    files.any(|(_, text)| text.contains(&signature))
}

#[test]
fn every_fact_is_whole() {
    let facts = facts();
    assert!(!facts.is_empty());
    for Fact { section, cells } in facts {
        assert_eq!(cells.len(), 5, "{section}: {cells:?}");
        assert!(
            cells.iter().all(|cell| !cell.is_empty()),
            "{section}: {cells:?}"
        );
        // What is less sure of a part of it stands in parentheses behind the word.
        let word = cells[1].split([' ', ',']).next().unwrap_or_default();
        let sure = ["certain", "likely", "unsettled"].contains(&word);
        assert!(sure, "{section}: {} is {}", cells[0], cells[1]);
    }
}

#[test]
fn every_test_that_holds_a_fact_exists() {
    let folders = ["src", "tests", "crates"];
    let sources: Vec<_> = folders.into_iter().flat_map(sources).collect();
    for Fact { section, cells } in facts() {
        let named: Vec<_> = cells[3].split('`').skip(1).step_by(2).collect();
        assert!(
            !named.is_empty(),
            "{section}: no test holds \"{}\"",
            cells[0]
        );
        for test in named {
            assert!(
                has_test(&sources, test),
                "{section}: there is no test {test}"
            );
        }
    }
}
