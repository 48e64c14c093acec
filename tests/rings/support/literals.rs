//! The string literals of a source.

/// The string literals of a Rust source outside of its `#[cfg(test)]` items, each with the line
/// that it begins in. Lines that end in a backslash are joined.
pub fn literals(source: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut rest = source;
    let mut line = 1;
    let mut depth = 0;
    // How deep the item that is only for tests stands, from its attribute to its end.
    let mut only_tests = None;
    while let Some(letter) = rest.chars().next() {
        let (length, literal) = match letter {
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), None),
            '/' if rest.starts_with("/*") => {
                (rest.find("*/").map_or(rest.len(), |at| at + 2), None)
            }
            '"' => quoted(rest),
            'r' if rest.starts_with("r\"") || rest.starts_with("r#") => raw(rest),
            // A lifetime is no literal; a quote or a brace in a character is none either.
            '\'' if rest.starts_with("'\\") => (rest[3..].find('\'').map_or(1, |at| at + 4), None),
            '\'' => {
                let length = rest[1..].chars().next().map_or(0, char::len_utf8);
                let is_closed = rest[1 + length..].starts_with('\'');
                (if is_closed { length + 2 } else { 1 }, None)
            }
            '#' if rest.starts_with("#[cfg(test)]") => {
                only_tests.get_or_insert(depth);
                ("#[cfg(test)]".len(), None)
            }
            _ => {
                depth += i32::from(letter == '{') - i32::from(letter == '}');
                let ends = letter == '}' || letter == ';';
                if ends && only_tests.is_some_and(|begun| depth <= begun) {
                    only_tests = None;
                }
                (letter.len_utf8(), None)
            }
        };
        if let (Some(literal), None) = (literal, only_tests) {
            found.push((line, literal));
        }
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    found
}

/// The length of a quoted literal, and what it says.
fn quoted(rest: &str) -> (usize, Option<String>) {
    let mut text = String::new();
    let mut letters = rest.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (at + 1, Some(text)),
            '\\' => match letters.next() {
                Some((_, '\n')) => {
                    while letters.next_if(|(_, next)| next.is_whitespace()).is_some() {}
                }
                Some((_, 'n')) => text.push('\n'),
                Some((_, escaped)) => text.push(escaped),
                None => {}
            },
            _ => text.push(letter),
        }
    }
    (rest.len(), None)
}

/// The length of a raw literal, and what it says.
fn raw(rest: &str) -> (usize, Option<String>) {
    let hashes = rest[1..]
        .chars()
        .take_while(|letter| *letter == '#')
        .count();
    let begin = 1 + hashes;
    if !rest[begin..].starts_with('"') {
        // A raw identifier.
        return (begin, None);
    }
    let end = format!("\"{}", "#".repeat(hashes));
    match rest[begin + 1..].find(&end) {
        Some(at) => {
            let text = rest[begin + 1..begin + 1 + at].to_owned();
            (begin + 1 + at + end.len(), Some(text))
        }
        None => (rest.len(), None),
    }
}

#[test]
fn literals_are_read_with_their_lines_and_without_those_of_tests() {
    let source = "fn a<'a>() {\n    // \"no\"\n    let b = ('\"', \"one \\\n        two\", r#\"a \"raw\" one\"#);\n}\n\
                  #[cfg(test)]\nmod tests;\nconst C: &str = \"three\";\n\
                  #[cfg(test)]\nmod more {\n    fn d() { let e = \"no\"; }\n}\nconst F: &str = \"four\";\n";
    let found = literals(source);
    let found: Vec<_> = found
        .iter()
        .map(|(line, text)| (*line, text.as_str()))
        .collect();
    let expected = [
        (3, "one two"),
        (4, "a \"raw\" one"),
        (8, "three"),
        (13, "four"),
    ];
    assert_eq!(found, expected);
}
