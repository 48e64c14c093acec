//! The report of a deployment for people, as one page of HTML, as Markdown or as text: rendered from
//! what the journal keeps, without a request to anybody.

mod axis;
mod chart;
pub mod figures;
mod probes;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, escape_formatter};
use serde_json::Value;

use super::Entry;
use super::text::stories;
use crate::text::is_unseen;
use figures::Figures;

/// The name of a template whose values are escaped for Markdown.
const MARKDOWN: &str = "markdown";

/// The page: self-contained, without scripts, light and dark, for a desktop, a phone and paper.
#[must_use]
pub fn html(entry: &Entry) -> String {
    rendered("report.html", include_str!("page/report.html"), entry)
}

/// The same in Markdown, as for a job's summary or a chat.
#[must_use]
pub fn markdown(entry: &Entry) -> String {
    rendered("report.md", include_str!("page/report.md"), entry)
}

/// The same as text: the story of `status`, then the lists.
#[must_use]
pub fn text(entry: &Entry) -> String {
    let lists = rendered("report.txt", include_str!("page/report.txt"), entry);
    let story = stories(std::slice::from_ref(entry));
    format!("{story}\n\n{}", lists.trim_end())
}

fn rendered(name: &str, template: &str, entry: &Entry) -> String {
    let figures = serde_json::to_value(Figures::of(entry)).expect("figures are plain data");
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build();
    environment.set_syntax(syntax.expect("the usual delimiters are distinct"));
    environment.set_auto_escape_callback(|name| match name.rsplit_once('.') {
        Some((_, "html")) => AutoEscape::Html,
        Some((_, "md")) => AutoEscape::Custom(MARKDOWN.into()),
        _ => AutoEscape::None,
    });
    environment.set_formatter(|out, state, value| match state.auto_escape() {
        AutoEscape::Custom(name) if *name == MARKDOWN => match value.as_str() {
            Some(text) => Ok(out.write_str(&for_markdown(text))?),
            None => Ok(write!(out, "{value}")?),
        },
        _ => escape_formatter(out, state, value),
    });
    let page = environment.render_named_str(name, template, Serde(harmless(figures)));
    page.expect("the template is part of the program, and a test renders it")
}

/// The figures without characters that control, hide or reverse what is beside them: names and reasons
/// come from others.
fn harmless(figures: Value) -> Value {
    match figures {
        Value::String(text) => Value::String(plain(&text)),
        Value::Array(values) => values.into_iter().map(harmless).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (name, harmless(value)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => figures,
    }
}

fn plain(text: &str) -> String {
    let is_harmful = |c: char| c.is_control() && !matches!(c, '\n' | '\t') || is_unseen(c);
    text.replace(is_harmful, "\u{fffd}")
}

/// A text of somebody else's on one line of Markdown, without effect there.
fn for_markdown(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '\n' | '\t' => escaped.push(' '),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            // It would notify whoever has that name.
            '@' => escaped.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' => escaped.extend(['\\', c]),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;
    use crate::events::{EventRecord, Happened};
    use crate::plan::Role;
    use crate::shared::DeploymentRecord;

    /// A deployment in which everything that others may choose is an attack.
    fn hostile() -> Entry {
        let attack = "<script>alert(1)</script>\"'|`@everyone`\u{202e}\u{1b}[2J\n# not a title";
        let record = DeploymentRecord::sample("01HXAMPLE");
        let mut deployment = record.deployment;
        deployment.plan.version = attack.to_owned();
        deployment.plan.target.blue = attack.to_owned();
        let failed = Happened::TestFailed {
            environment: Role::Blue,
            name: attack.to_owned(),
            runs: Some(attack.to_owned()),
            test: attack.to_owned(),
            got: attack.to_owned(),
            lasted: std::time::Duration::ZERO,
            body: Some(attack.to_owned()),
        };
        let event = EventRecord {
            sequence: 1,
            at: Moment(deployment.started_at.0 + 1),
            version: attack.to_owned(),
            happened: failed,
        };
        let mut transitions = record.transitions;
        transitions[0].why = attack.to_owned();
        Entry::of(deployment, transitions, vec![event])
    }

    #[test]
    fn what_others_chose_has_no_effect_on_a_page() {
        let page = html(&hostile());
        assert!(page.contains("&lt;script&gt;"), "{page}");
        for harmful in ["<script", "\u{202e}", "\u{1b}"] {
            assert!(!page.contains(harmful), "{harmful:?}");
        }
    }

    #[test]
    fn what_others_chose_has_no_effect_in_markdown_or_text() {
        let page = markdown(&hostile());
        for harmful in ["<script", "@everyone", "\u{202e}", "\u{1b}"] {
            assert!(!page.contains(harmful), "{harmful:?} in {page}");
        }
        assert!(
            !page.lines().any(|line| line.starts_with("# not")),
            "{page}"
        );
        let text = text(&hostile());
        assert!(!text.contains(['\u{202e}', '\u{1b}']), "{text}");
    }

    #[test]
    fn a_page_reaches_for_nothing_else() {
        let page = html(&hostile());
        for reached in [
            "src=",
            "@import",
            "url(",
            "<link rel=\"stylesheet",
            "http-equiv=\"refresh",
        ] {
            assert!(!page.contains(reached), "{reached}");
        }
        assert!(page.contains("default-src 'none'"));
    }
}
