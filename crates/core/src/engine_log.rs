//! The end of an instance's `eb-engine.log`, in which the agent that deploys says what failed. Pure.

use crate::text::foreign;

/// How many lines of it are kept.
pub const LINES_MAX: usize = 40;

/// How many characters of a line are kept.
const CHARS_MAX: usize = 300;

/// The log's name at the end of its path (developer guide, "Viewing logs from Amazon EC2 instances in
/// your Elastic Beanstalk environment").
const NAME: &str = "eb-engine.log";

/// The last lines of `eb-engine.log` in what the service collects of an instance as `tail`: the ends
/// of several logs, each below its path between two rules of dashes. The lines are without what would
/// harm a terminal. None where it is not there.
#[must_use]
pub fn engine_log(tail: &str) -> Vec<String> {
    let lines: Vec<_> = tail.lines().collect();
    let headings = || (0..lines.len()).filter(|at| is_heading(&lines, *at));
    let Some(begin) = headings().find(|at| lines[at + 1].trim().ends_with(NAME)) else {
        return Vec::new();
    };
    let end = headings().find(|at| *at > begin).unwrap_or(lines.len());
    let mut own = lines[begin + 3..end].to_vec();
    while own.last().is_some_and(|line| line.trim().is_empty()) {
        own.pop();
    }
    let last = &own[own.len().saturating_sub(LINES_MAX)..];
    let cut = |line: &&str| foreign(&line.chars().take(CHARS_MAX).collect::<String>());
    last.iter().map(cut).collect()
}

/// Whether a log's path between two rules begins at this line.
fn is_heading(lines: &[&str], at: usize) -> bool {
    let is_rule = |at: usize| {
        let line = lines.get(at).map_or("", |line| line.trim());
        line.len() >= 10 && line.bytes().all(|byte| byte == b'-')
    };
    let is_path = lines
        .get(at + 1)
        .is_some_and(|line| line.trim().starts_with('/'));
    is_rule(at) && is_path && is_rule(at + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "----------------------------------------";

    #[test]
    fn the_log_is_found_among_others() {
        let tail = format!(
            "\n\n{RULE}\n/var/log/nginx/error.log\n{RULE}\n[warn] a\n\n{RULE}\n/var/log/eb-engine.log\n\
             {RULE}\n2026/11/30 [INFO] b\n---\n2026/11/30 [ERROR] c\u{1b}[31m\n\n\n{RULE}\n\
             /var/log/web.stdout.log\n{RULE}\nd\n"
        );
        let found = engine_log(&tail);
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(found[..2], ["2026/11/30 [INFO] b", "---"]);
        assert!(!found[2].contains('\u{1b}'), "{found:?}");
    }

    #[test]
    fn its_last_lines_are_kept() {
        let lines: String = (0..100).map(|number| format!("{number}\n")).collect();
        let found = engine_log(&format!("{RULE}\n/var/log/eb-engine.log\n{RULE}\n{lines}"));
        assert_eq!(found.len(), LINES_MAX);
        assert_eq!(found.last().map(String::as_str), Some("99"));
        assert_eq!(engine_log(""), [""; 0]);
        assert_eq!(engine_log("eb-engine.log\n"), [""; 0]);
        assert_eq!(
            engine_log(&format!("{RULE}\n/var/log/eb-engine.log\n{RULE}")),
            [""; 0]
        );
    }
}
