//! The settings in force, as text and as JSON. What may be a secret is left out.

use comfy_table::Table;
use comfy_table::presets;
use serde::Serialize;
use serde_json::Value;

use crate::config::keys::Form;
use crate::config::layers::{Setting, Source};
use crate::config::redaction::shown;

/// The version of the JSON document. Fields are only ever added to a version.
pub const JSON_VERSION: u32 = 1;

/// The settings as a table. Where nobody has set one, the table shows its default, even one that is
/// computed later.
#[must_use]
pub fn text(settings: &[Setting<'_>]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["SETTING", "VALUE", "FROM"]);
    for setting in settings {
        let values = values(setting);
        let value = match values.is_empty() {
            true => setting.key.default().unwrap_or_else(|| "-".to_owned()),
            false => values.join(", "),
        };
        table.add_row([setting.key.name().to_owned(), value, from(&setting.source)]);
    }
    table.trim_fmt()
}

/// Where a value was set.
fn from(source: &Source) -> String {
    match source {
        Source::Flag => "flag".to_owned(),
        Source::Variable { name } => format!("variable {name}"),
        Source::File { path, line } => format!("{}, line {line}", path.display()),
        Source::Derived { from } => format!("derived from {from}"),
        Source::Default => "default".to_owned(),
    }
}

fn values(setting: &Setting<'_>) -> Vec<String> {
    let values = setting.values.iter();
    values.map(|value| shown(setting.key, value)).collect()
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    settings: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    key: &'a str,
    value: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<String>,
    redacted: bool,
    source: Origin<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
enum Origin<'a> {
    Flag,
    Variable { name: &'a str },
    File { path: String, line: usize },
    Derived { from: &'static str },
    Default,
}

/// The stable, versioned document of `config show --json`.
#[must_use]
pub fn json(settings: &[Setting<'_>]) -> String {
    let document = Document {
        version: JSON_VERSION,
        settings: settings.iter().map(item).collect(),
    };
    serde_json::to_string_pretty(&document).expect("the document is plain strings and numbers")
}

fn item<'a>(setting: &'a Setting<'_>) -> Item<'a> {
    let key = setting.key;
    let values = values(setting);
    let redacted = values != setting.values;
    let default = values.is_empty().then(|| key.default()).flatten();
    let value = match (key.form(), values.first()) {
        (_, None) => Value::Null,
        (Form::Switch, Some(on)) => Value::Bool(is_on(on)),
        (Form::One | Form::Optional, Some(value)) => Value::from(value.clone()),
        (Form::Many | Form::Pairs | Form::Tables, Some(_)) => Value::from(values),
    };
    Item {
        key: key.name(),
        value,
        default,
        redacted,
        source: match &setting.source {
            Source::Flag => Origin::Flag,
            Source::Variable { name } => Origin::Variable { name },
            Source::File { path, line } => Origin::File {
                path: path.display().to_string(),
                line: *line,
            },
            Source::Derived { from } => Origin::Derived { from },
            Source::Default => Origin::Default,
        },
    }
}

/// As clap's own parser of such values reads it, which has accepted this one.
fn is_on(value: &str) -> bool {
    let off = ["n", "no", "f", "false", "off", "0"];
    !off.contains(&value.to_lowercase().as_str())
}
