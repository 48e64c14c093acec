//! docs/glossary.md: the pages, the help of every command, every message and every doc comment use
//! its words.

use std::path::Path;

use bluegreen::cli::definition;

use crate::support::literals::literals;
use crate::support::sources::{files, sources};

/// A word of the glossary's third column, and the word to use instead.
struct Avoided {
    words: Vec<String>,
    instead: String,
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(path).expect("the file reads")
}

/// The rows of the glossary: a word, its meaning, and the words that are not used for it.
fn rows(glossary: &str) -> impl Iterator<Item = [&str; 3]> {
    let rows = glossary.lines().filter_map(|line| {
        let cells = line.strip_prefix("| ")?.strip_suffix('|')?;
        let mut cells = cells.splitn(3, '|').map(str::trim);
        Some([cells.next()?, cells.next()?, cells.next()?])
    });
    rows.filter(|[word, ..]| *word != "word")
}

/// The glossary without the words that are not used.
fn meanings(glossary: &str) -> String {
    let lines = glossary.lines().map(|line| {
        let cells = line
            .strip_suffix('|')
            .and_then(|line| line.rsplit_once('|'));
        cells.map_or(line, |(kept, _)| kept)
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn avoided(glossary: &str) -> Vec<Avoided> {
    let each = rows(glossary).flat_map(|[instead, _, not]| {
        let not = not.split(',').map(str::trim).filter(|not| !not.is_empty());
        not.map(|not| Avoided {
            words: not.split(' ').map(str::to_lowercase).collect(),
            instead: instead.to_owned(),
        })
    });
    each.collect()
}

/// The words of a text with their lines. A mark of punctuation is a word of its own; a flag, a
/// path and a variable are one word each.
fn words(text: &str) -> Vec<(usize, String)> {
    let mut words = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let mut word = String::new();
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            let is_followed = letters.peek().is_some_and(|next| next.is_alphanumeric());
            let joins = "-_/.:'".contains(letter) && (is_followed || letter == '-');
            if letter.is_alphanumeric() || joins {
                word.extend(letter.to_lowercase());
                continue;
            }
            if !word.is_empty() {
                words.push((line, std::mem::take(&mut word)));
            }
            if !letter.is_whitespace() {
                words.push((line, letter.to_string()));
            }
        }
        if !word.is_empty() {
            words.push((line, word));
        }
    }
    words
}

fn is(word: &str, avoided: &str) -> bool {
    let word = word.strip_suffix("'s").unwrap_or(word);
    match avoided.strip_suffix('*') {
        Some(beginning) => {
            let ending = word.strip_prefix(beginning);
            ending.is_some_and(|ending| ending.chars().all(char::is_alphabetic))
        }
        None => word == avoided,
    }
}

/// Each use of a word that the glossary avoids: its line, the word, and what to say instead.
fn uses(text: &str, avoided: &[Avoided]) -> Vec<String> {
    let words = words(text);
    let mut uses = Vec::new();
    for Avoided {
        words: not,
        instead,
    } in avoided
    {
        for at in words.windows(not.len()) {
            if at.iter().zip(not).all(|((_, word), not)| is(word, not)) {
                let (line, not) = (at[0].0, not.join(" "));
                uses.push(format!("{line}: \"{not}\": say \"{instead}\""));
            }
        }
    }
    uses
}

/// A page without its code, comments and link targets, in the same lines.
fn prose(page: &str) -> String {
    let mut prose = String::new();
    let mut is_fenced = false;
    for line in page.lines() {
        is_fenced ^= line.starts_with("```");
        let is_code = is_fenced || line.starts_with("```") || line.starts_with("    ");
        let is_comment = line.starts_with("<!--");
        prose.push_str(if is_code || is_comment { "" } else { line });
        prose.push('\n');
    }
    let targets = prose.split("](").enumerate().map(|(part, text)| {
        let is_first = part == 0;
        text.split_once(')')
            .filter(|_| !is_first)
            .map_or(text, |(_, rest)| rest)
    });
    without_code(&targets.collect::<Vec<_>>().join(" "))
}

/// A text without what stands between backticks, in the same lines.
fn without_code(text: &str) -> String {
    let parts = text
        .split('`')
        .enumerate()
        .map(|(part, text)| match part % 2 {
            0 => text.to_owned(),
            _ => format!("`{}", "\n".repeat(text.matches('\n').count())),
        });
    parts.collect()
}

/// A message without the names of what is put into it.
fn message(literal: &str) -> String {
    let parts = literal
        .split('{')
        .enumerate()
        .map(|(part, text)| match part {
            0 => text,
            _ => text.split_once('}').map_or("", |(_, rest)| rest),
        });
    without_code(&parts.collect::<Vec<_>>().join("…"))
}

#[track_caller]
fn assert_none(found: &[String]) {
    assert!(
        found.is_empty(),
        "docs/glossary.md has another word:\n{}",
        found.join("\n")
    );
}

#[test]
fn pages_use_the_words_of_the_glossary() {
    let glossary = read("docs/glossary.md");
    let avoided = avoided(&glossary);
    assert!(avoided.len() > 50, "{}", avoided.len());
    let mut pages = files("docs", "md");
    pages.push(("README.md".into(), read("README.md")));
    let mut found = Vec::new();
    for (path, page) in &pages {
        let uses = match path.ends_with("glossary.md") {
            true => uses(&prose(&meanings(page)), &avoided),
            false => uses(&prose(page), &avoided),
        };
        found.extend(uses.iter().map(|u| format!("{}:{u}", path.display())));
    }
    // The keys of the example are names; what is said of them follows a hash.
    let example = read("docs/reference/bluegreen.toml");
    let comments: Vec<_> = example
        .lines()
        .map(|line| line.rsplit_once('#').map_or("", |(_, comment)| comment))
        .collect();
    let uses = uses(&comments.join("\n"), &avoided);
    found.extend(
        uses.iter()
            .map(|u| format!("docs/reference/bluegreen.toml:{u}")),
    );
    assert_none(&found);
}

#[test]
fn help_uses_the_words_of_the_glossary() {
    let avoided = avoided(&read("docs/glossary.md"));
    let mut found = Vec::new();
    let mut commands = vec![definition()];
    let mut seen = 0;
    while let Some(mut command) = commands.pop() {
        let help = command.render_long_help().to_string();
        let uses = uses(&without_code(&help), &avoided);
        let name = command.get_name();
        found.extend(uses.iter().map(|u| format!("bluegreen {name} --help:{u}")));
        commands.extend(command.get_subcommands().cloned());
        seen += 1;
    }
    assert!(seen > 10, "{seen}");
    assert_none(&found);
}

#[test]
fn messages_use_the_words_of_the_glossary() {
    let avoided = avoided(&read("docs/glossary.md"));
    let mut found = Vec::new();
    let mut read = 0;
    let crates =
        ["core", "clock", "aws", "journal", "sandbox"].map(|name| format!("crates/{name}/src"));
    for folder in crates.iter().map(String::as_str).chain(["src"]) {
        for (path, source) in sources(folder) {
            let is_test = path
                .iter()
                .any(|part| part == "tests" || part == "tests.rs");
            if is_test {
                continue;
            }
            for (line, literal) in literals(&source) {
                // Fewer words are a name.
                if literal.split_whitespace().count() < 3 {
                    continue;
                }
                read += 1;
                for of in uses(&message(&literal).replace('\n', " "), &avoided) {
                    let (_, of) = of.split_once(": ").expect("a line");
                    found.push(format!("{}:{line}: {of}", path.display()));
                }
            }
        }
    }
    assert!(read > 1000, "{read}");
    assert_none(&found);
}

/// The doc comments of a source, in the same lines.
fn doc_comments(source: &str) -> String {
    let lines = source.lines().map(|line| {
        let line = line.trim_start();
        let doc = line.strip_prefix("///").or(line.strip_prefix("//!"));
        doc.unwrap_or_default()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn doc_comments_use_the_words_of_the_glossary() {
    let avoided = avoided(&read("docs/glossary.md"));
    let mut found = Vec::new();
    let crates = ["aws", "clock", "core", "journal", "sandbox", "testing"];
    let crates = crates.map(|name| format!("crates/{name}/src"));
    for folder in crates.iter().map(String::as_str).chain(["src"]) {
        for (path, source) in sources(folder) {
            let uses = uses(&prose(&doc_comments(&source)), &avoided);
            found.extend(uses.iter().map(|u| format!("{}:{u}", path.display())));
        }
    }
    assert_none(&found);
}

#[test]
fn an_avoided_word_is_found_with_its_line_and_code_is_not() {
    let glossary = "| word | meaning | not |\n|---|---|---|\n\
                    | lock | The right to act. | lease, on the way, retreat* |\n";
    let avoided = avoided(glossary);
    let found = |page: &str| uses(&prose(page), &avoided);
    assert_eq!(
        found("one\nthe Lease's end"),
        ["2: \"lease\": say \"lock\""]
    );
    assert_eq!(found("on the\nway"), ["1: \"on the way\": say \"lock\""]);
    assert_eq!(found("it retreated."), ["1: \"retreat*\": say \"lock\""]);
    for right in [
        "`--lease`, --lease, bluegreen/leases/lease.json and `the\nlease`",
        "[the lock](the-lease.md)",
        "    the lease",
        "```\nthe lease\n```",
        "released, on. the way",
    ] {
        assert_eq!(found(right), [""; 0], "{right}");
    }
    assert_eq!(message("{lease} of {}: `a lease`"), "… of …: `");
}
