//! `bluegreen.toml`: finds it, reads it, and reports everything that is wrong with it, with its
//! line and the remedy and without its values, which may be secrets.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File as Opened;
use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Command;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use crate::acceptance::{Defaults, TestTable};
use crate::hooks::HookTable;
use crate::receivers::ReceiverTable;
use crate::table::{keys_of, without_values};

use super::keys::{Form, Key, exclusions, keys, value_if_missing};

/// The file that is taken where none is named.
pub const FILE_NAME: &str = "bluegreen.toml";

/// More than any file of settings has.
const BYTES_MAX: u64 = 1024 * 1024;

/// A file as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Where it is, as it was named.
    pub path: PathBuf,
    /// What it holds.
    pub text: String,
}

/// A file that cannot be read.
#[derive(Debug, Error)]
pub enum FileError {
    /// It cannot be opened or read.
    #[error("cannot read {}: {why}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What is in the way.
        why: String,
    },
    /// It is longer than a file of settings can be.
    #[error("{} is longer than 1 MiB: that is no file of settings", path.display())]
    Long {
        /// The file.
        path: PathBuf,
    },
    /// It is not text.
    #[error("{} is not UTF-8 (line {line}): write it as UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// The line of the first byte that is not, from 1.
        line: usize,
    },
}

/// The file that is named, else [`FILE_NAME`] in the working folder where there is
/// one.
///
/// # Errors
/// [`FileError`] names the file and what is in the way.
pub fn find(named: Option<&Path>) -> Result<Option<Text>, FileError> {
    let path = named.unwrap_or(Path::new(FILE_NAME));
    let is_absent = |error: &std::io::Error| error.kind() == ErrorKind::NotFound;
    if named.is_none() && path.symlink_metadata().is_err_and(|e| is_absent(&e)) {
        return Ok(None);
    }
    let path = path.to_owned();
    let bytes = match read(&path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let why = match error.kind() {
                ErrorKind::IsADirectory => "it is a folder".to_owned(),
                ErrorKind::NotFound => "there is no such file".to_owned(),
                _ => error.to_string(),
            };
            return Err(FileError::Read { path, why });
        }
    };
    if bytes.len() as u64 > BYTES_MAX {
        return Err(FileError::Long { path });
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(Text { path, text })),
        Err(error) => {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
            Err(FileError::NotText { path, line })
        }
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // A pipe that nobody writes to would be waited for.
    if std::fs::metadata(path)?.file_type().is_fifo() {
        return Err(std::io::Error::other(
            "it is a pipe: write it to a file first",
        ));
    }
    let file = Opened::open(path)?;
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// From which likeness on (Jaro's, 0 to 1) an unknown key is taken for a known one.
const ALIKE: f64 = 0.75;

/// What the file says, and what is wrong with it.
#[derive(Clone, Debug)]
pub struct File {
    /// Where it is, as it was named.
    pub path: PathBuf,
    /// Its settings by their keys.
    pub entries: BTreeMap<String, Entry>,
    /// What is wrong with it, in its order.
    pub problems: Vec<Problem>,
}

/// One setting of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The line of its key, from 1.
    pub line: usize,
    /// Its values as the flag takes them.
    pub values: Vec<String>,
}

/// Something that is wrong with the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What it is about, as in ``key `drain` ``.
    what: String,
    path: PathBuf,
    /// From 1.
    line: usize,
    /// From 1, where the text itself is wrong.
    column: Option<usize>,
    /// What is wrong and what would be right.
    why: String,
}

impl Problem {
    /// Its line, from 1.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// Whether the text is no TOML, so that nothing of it counts.
    #[must_use]
    pub fn is_of_the_text(&self) -> bool {
        self.column.is_some()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} in {} (line {}",
            self.what,
            self.path.display(),
            self.line
        )?;
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, "): {}", self.why)
    }
}

impl File {
    /// Reads a file's text against the settings that the command line has.
    #[must_use]
    pub fn parse(text: &Text, command: &Command) -> File {
        let reader = Reader::new(text, command);
        let mut file = File {
            path: text.path.clone(),
            entries: BTreeMap::new(),
            problems: Vec::new(),
        };
        match DeTable::parse(&text.text) {
            Ok(table) => {
                reader.table(table.get_ref(), &mut file);
                reader.exclusive(&mut file);
                file.problems.sort_by_key(|problem| problem.line);
            }
            Err(error) => file.problems.push(reader.syntax(&error)),
        }
        file
    }
}

impl File {
    /// The first value of a setting; none where it is not set.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<String> {
        self.entries.get(key)?.values.first().cloned()
    }

    /// The line of a setting, from 1; 1 where it is not set.
    #[must_use]
    pub fn line_of(&self, key: &str) -> usize {
        self.entries.get(key).map_or(1, |entry| entry.line)
    }

    /// These settings for another application and environment.
    #[must_use]
    pub fn of(mut self, app: &str, blue: &str) -> File {
        for (key, value) in [("app", app), ("blue", blue)] {
            let line = self.line_of(key);
            let values = vec![value.to_owned()];
            self.entries.insert(key.to_owned(), Entry { line, values });
        }
        self
    }
}

/// A file of which some tables are settings, and others are read as they are.
pub(super) struct Part<'a> {
    reader: Reader<'a>,
}

impl<'a> Part<'a> {
    /// The text, read against the settings that the command line has.
    pub(super) fn new(text: &'a Text, command: &'a Command) -> Part<'a> {
        Part {
            reader: Reader::new(text, command),
        }
    }

    /// Settings of the file, with those of other ones where they neither set nor exclude them.
    pub(super) fn over(&self, mut own: File, below: &File) -> File {
        let Reader {
            keys, exclusions, ..
        } = &self.reader;
        let set = keys
            .iter()
            .filter(|key| own.entries.contains_key(key.name()));
        let set: Vec<&str> = set.map(Key::id).collect();
        let is_taken = |id: &str| {
            let excludes = |(one, other): &(String, String)| {
                one == id && set.contains(&&**other) || other == id && set.contains(&&**one)
            };
            set.contains(&id) || exclusions.iter().any(excludes)
        };
        for key in keys.iter().filter(|key| !is_taken(key.id())) {
            if let Some(entry) = below.entries.get(key.name()) {
                own.entries.insert(key.name().to_owned(), entry.clone());
            }
        }
        own
    }

    /// No settings.
    pub(super) fn nothing(&self) -> File {
        File {
            path: self.reader.text.path.clone(),
            entries: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    /// The settings of a table, and what is wrong with them.
    pub(super) fn settings(&self, table: &DeTable<'_>) -> File {
        let mut file = self.nothing();
        self.reader.table(table, &mut file);
        self.reader.exclusive(&mut file);
        file
    }

    /// What a table says that holds no settings.
    pub(super) fn serde<T: DeserializeOwned>(
        &self,
        name: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<T, Problem> {
        let read = T::deserialize(ValueDeserializer::from(value.clone()));
        read.map_err(|error| {
            let at = error.span().filter(|span| span.start > 0);
            let line = self.line(at.map_or(value.span().start, |span| span.start));
            self.problem(format!("[{name}]"), line, without_values(error.message()))
        })
    }

    pub(super) fn syntax(&self, error: &toml::de::Error) -> Problem {
        self.reader.syntax(error)
    }

    pub(super) fn problem(&self, what: String, line: usize, why: String) -> Problem {
        self.reader.problem(what, line, why)
    }

    pub(super) fn line(&self, byte: usize) -> usize {
        self.reader.line(byte)
    }
}

struct Reader<'a> {
    text: &'a Text,
    command: &'a Command,
    keys: Vec<Key>,
    /// The ids of the settings of which one excludes the other.
    exclusions: Vec<(String, String)>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a Text, command: &'a Command) -> Reader<'a> {
        Reader {
            text,
            command,
            keys: keys(command),
            exclusions: exclusions(command),
        }
    }
}

impl Reader<'_> {
    fn table(&self, table: &DeTable<'_>, file: &mut File) {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (name, value) in entries {
            let line = self.line(name.span().start);
            let name = name.get_ref().as_ref();
            let Some(key) = self.keys.iter().find(|key| key.name() == name) else {
                self.unknown(name, line, value, &mut file.problems);
                continue;
            };
            let mut values = Vec::new();
            let mut whole = true;
            if key.form() == Form::Tables {
                let wrong = self.in_tables(name, value);
                whole = wrong.is_empty();
                file.problems.extend(wrong);
                if !whole {
                    continue;
                }
            }
            for (path, text) in self.texts(key, name, value) {
                match text.and_then(|text| text.values(key, self.command)) {
                    Ok(taken) => values.extend(taken),
                    Err(why) => {
                        whole = false;
                        file.problems
                            .push(self.problem(format!("key `{path}`"), line, why));
                    }
                }
            }
            if whole {
                let entry = Entry { line, values };
                file.entries.insert(name.to_owned(), entry);
            }
        }
    }

    /// What is wrong within the tables of a setting, each at its own line.
    fn in_tables(&self, name: &str, value: &Spanned<DeValue<'_>>) -> Vec<Problem> {
        let Some(inner) = Inner::of(name) else {
            return Vec::new();
        };
        let tables: Vec<_> = match value.get_ref() {
            DeValue::Array(items) => {
                let items = items.iter().enumerate();
                items
                    .map(|(at, item)| (format!("{name}[{at}]"), item))
                    .collect()
            }
            _ => vec![(name.to_owned(), value)],
        };
        let tables = tables.into_iter();
        tables
            .flat_map(|(path, table)| self.in_table(&inner, &path, table))
            .collect()
    }

    fn in_table(&self, inner: &Inner, path: &str, value: &Spanned<DeValue<'_>>) -> Vec<Problem> {
        // What is no table is told with the setting.
        let DeValue::Table(table) = value.get_ref() else {
            return Vec::new();
        };
        let line_of = |name: &str| {
            let mut keys = table.keys();
            let key = keys.find(|key| key.get_ref().as_ref() == name);
            key.map(|key| self.line(key.span().start))
        };
        let is_known = |name: &str| inner.keys.contains(&name);
        let names = table.keys().map(|key| key.get_ref().as_ref());
        let unknown = names.filter(|name| !is_known(name)).map(|name| {
            let why = match nearest(name, inner.keys.iter().copied()) {
                Some(key) => format!("did you mean `{key}`?"),
                None => format!("there are {}", inner.keys.join(", ")),
            };
            let what = format!("unknown key `{path}.{name}`");
            self.problem(what, line_of(name).unwrap_or_default(), why)
        });
        let mut problems: Vec<_> = unknown.collect();
        let known = table.iter().filter(|(key, _)| is_known(key.get_ref()));
        let known = known.map(|(key, value)| (key.clone(), value.clone()));
        let known = Spanned::new(value.span(), DeValue::Table(known.collect()));
        if let Err(wrong) = (inner.check)(known) {
            // It begins with the key that it is about.
            let about = wrong.why.split_once(": ");
            let about = about.filter(|(key, _)| {
                let first = key.split('.').next().unwrap_or(key);
                is_known(first)
            });
            let of_span = wrong.span.as_ref().map(|span| self.line(span.start));
            let in_value = |(_, value): &(&Spanned<_>, &Spanned<DeValue<'_>>)| {
                let start = wrong.span.as_ref().map(|span| span.start);
                start.is_some_and(|start| value.span().contains(&start))
            };
            let in_value = table.iter().find(in_value);
            let in_value = in_value.map(|(key, _)| format!("{path}.{}", key.get_ref()));
            let first = |key: &str| key.split('.').next().unwrap_or(key).to_owned();
            let whole = of_span.unwrap_or_else(|| self.line(value.span().start));
            problems.push(match about {
                Some((key, why)) => {
                    let line = line_of(&first(key)).unwrap_or(whole);
                    self.problem(format!("key `{path}.{key}`"), line, why.to_owned())
                }
                None => {
                    let path = in_value.unwrap_or_else(|| path.to_owned());
                    self.problem(format!("key `{path}`"), whole, wrong.why)
                }
            });
        }
        problems
    }

    /// Of two settings that exclude each other the file may have one.
    fn exclusive(&self, file: &mut File) {
        for (one, other) in &self.exclusions {
            let entry = |id: &str| {
                let key = self.keys.iter().find(|key| key.id() == id)?;
                let entry = file.entries.get(key.name())?;
                Some((key.name(), entry.line))
            };
            if let (Some((name, line)), Some((other, other_line))) = (entry(one), entry(other)) {
                let why =
                    format!("it excludes `{other}` (line {other_line}): leave one of them out");
                let problem = self.problem(format!("key `{name}`"), line, why);
                file.problems.push(problem);
            }
        }
    }

    /// The texts that a value stands for, each with its path.
    fn texts(
        &self,
        key: &Key,
        path: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Vec<(String, Result<Said, String>)> {
        let form = key.form();
        let several = matches!(form, Form::Many | Form::Pairs | Form::Tables);
        match (value.get_ref(), form) {
            (DeValue::Array(array), _) if several => {
                let items = array.iter().enumerate();
                let of_item = |(at, item): (usize, &Spanned<DeValue<'_>>)| {
                    (format!("{path}[{at}]"), said(item, form))
                };
                items.map(of_item).collect()
            }
            (DeValue::Table(table), Form::Pairs) => {
                let of_pair = |(name, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                    let name: &std::borrow::Cow<'_, str> = name.get_ref();
                    let pair = said(value, Form::One).map(|said| match said {
                        Said::Text(value) => Said::Text(format!("{name}={value}")),
                        Said::Switch(on) => Said::Text(format!("{name}={on}")),
                    });
                    (format!("{path}.{name}"), pair)
                };
                table.iter().map(of_pair).collect()
            }
            _ => vec![(path.to_owned(), said(value, form))],
        }
    }

    fn unknown(
        &self,
        path: &str,
        line: usize,
        value: &Spanned<DeValue<'_>>,
        problems: &mut Vec<Problem>,
    ) {
        if let DeValue::Table(table) = value.get_ref()
            && !table.is_empty()
        {
            let mut below: Vec<_> = table.iter().collect();
            below.sort_by_key(|(key, _)| key.span().start);
            for (name, value) in below {
                let line = self.line(name.span().start);
                self.unknown(&format!("{path}.{}", name.get_ref()), line, value, problems);
            }
            return;
        }
        let what = format!("unknown key `{path}`");
        problems.push(self.problem(what, line, self.instead_of(path)));
    }

    /// What was probably meant by an unknown key.
    fn instead_of(&self, path: &str) -> String {
        let name = path.rsplit('.').next().unwrap_or(path);
        if name != path && self.keys.iter().any(|key| key.name() == name) {
            return format!("settings stand at the top, did you mean `{name}` there?");
        }
        if name == path && is_flag(self.command, name) {
            return format!("--{name} is for the command line alone");
        }
        match nearest(name, self.keys.iter().map(Key::name)) {
            Some(key) => format!("did you mean `{key}`?"),
            None => "leave it out; `bluegreen config show` lists every key".to_owned(),
        }
    }

    fn problem(&self, what: String, line: usize, why: String) -> Problem {
        Problem {
            what,
            path: self.text.path.clone(),
            line,
            column: None,
            why,
        }
    }

    fn syntax(&self, error: &toml::de::Error) -> Problem {
        let start = error.span().map_or(0, |span| span.start);
        let before = &self.text.text[..start.min(self.text.text.len())];
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        Problem {
            what: "mistake".to_owned(),
            path: self.text.path.clone(),
            line: self.line(start),
            column: Some(column),
            why: error.message().trim().replace('\n', ", "),
        }
    }

    /// The line of a byte, from 1.
    fn line(&self, byte: usize) -> usize {
        let before = &self.text.text.as_bytes()[..byte.min(self.text.text.len())];
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }
}

/// The known key that an unknown one is most like, where one is like it at all.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |key: &&str| strsim::jaro(&name.replace('_', "-"), key);
    let nearest = known.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    nearest.filter(|key| likeness(key) > ALIKE)
}

/// What the tables of a setting are.
struct Inner {
    keys: &'static [&'static str],
    check: fn(Spanned<DeValue<'_>>) -> Result<(), Wrong>,
}

/// What is wrong with a table, without its values.
struct Wrong {
    span: Option<Range<usize>>,
    why: String,
}

impl Inner {
    /// Of the setting with this key.
    fn of(name: &str) -> Option<Inner> {
        match name {
            "test" => Some(Inner {
                keys: keys_of::<TestTable>(),
                check: |value| {
                    let defaults = Defaults {
                        expect_status: Vec::new(),
                        timeout: Duration::from_secs(1),
                    };
                    checked(value, |table: TestTable| table.check(&defaults).map(drop))
                },
            }),
            "hook" => Some(Inner {
                keys: keys_of::<HookTable>(),
                check: |value| checked(value, |table: HookTable| table.check().map(drop)),
            }),
            "notify" => Some(Inner {
                keys: keys_of::<ReceiverTable>(),
                check: |value| checked(value, |table: ReceiverTable| table.check().map(drop)),
            }),
            _ => None,
        }
    }
}

fn checked<T: DeserializeOwned>(
    value: Spanned<DeValue<'_>>,
    check: impl Fn(T) -> Result<(), String>,
) -> Result<(), Wrong> {
    let table = T::deserialize(ValueDeserializer::from(value)).map_err(|error| Wrong {
        span: error.span(),
        why: without_values(error.message()),
    })?;
    check(table).map_err(|why| Wrong { span: None, why })
}

/// What a value of the file says of a flag.
enum Said {
    /// The flag with this value.
    Text(String),
    /// The flag without a value, or not at all.
    Switch(bool),
}

impl Said {
    fn values(self, key: &Key, command: &Command) -> Result<Vec<String>, String> {
        match (self, key.form()) {
            (Said::Switch(on), Form::Switch) => Ok(vec![on.to_string()]),
            (Said::Switch(true), _) => Ok(value_if_missing(command, key)),
            (Said::Switch(false), _) => Ok(Vec::new()),
            (Said::Text(text), _) if text.is_empty() => {
                Err("it is empty: give it a value or leave it out".to_owned())
            }
            (Said::Text(text), _) => key.values(&text),
        }
    }
}

fn said(value: &Spanned<DeValue<'_>>, form: Form) -> Result<Said, String> {
    let is_plain = !matches!(form, Form::Switch);
    match value.get_ref() {
        DeValue::String(text) if is_plain => Ok(Said::Text(text.clone().into_owned())),
        DeValue::Integer(number) if is_plain => match number.radix() {
            10 => Ok(Said::Text(number.as_str().to_owned())),
            radix => i64::from_str_radix(number.as_str(), radix)
                .map(|number| Said::Text(number.to_string()))
                .map_err(|e| format!("{e}; write it as a string")),
        },
        // As it is written: 1.10 is a version, not 1.1.
        DeValue::Float(number) if is_plain => Ok(Said::Text(number.as_str().to_owned())),
        DeValue::Boolean(on) if matches!(form, Form::Switch | Form::Optional) => {
            Ok(Said::Switch(*on))
        }
        DeValue::Table(_) if form == Form::Tables => inline(value).map(Said::Text),
        DeValue::Datetime(_) if is_plain => {
            Err("it reads as a date; write it in quotes".to_owned())
        }
        other => {
            let found = match other {
                DeValue::String(_) => "a string",
                DeValue::Integer(_) | DeValue::Float(_) => "a number",
                DeValue::Boolean(_) => "true or false",
                DeValue::Datetime(_) => "a date",
                DeValue::Array(_) => "an array",
                DeValue::Table(_) => "a table",
            };
            Err(format!("expected {}, found {found}", form.expected()))
        }
    }
}

/// A table on one line, as its flag takes it.
fn inline(value: &Spanned<DeValue<'_>>) -> Result<String, String> {
    let table = toml::Value::deserialize(ValueDeserializer::from(value.clone()));
    let table = table.map_err(|e| e.message().to_owned())?;
    Ok(table.to_string())
}

/// Whether any command has this flag.
fn is_flag(command: &Command, name: &str) -> bool {
    let of_clap = matches!(name, "help" | "version");
    of_clap
        || command
            .get_arguments()
            .any(|arg| arg.get_long() == Some(name))
        || command.get_subcommands().any(|sub| is_flag(sub, name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use bluegreen_testing::garbled::garbled_text;

    fn example() -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/bluegreen.toml");
        std::fs::read_to_string(path).expect("the example reads")
    }

    proptest! {
        /// It says what is wrong, with a line that it has.
        #[test]
        fn a_garbled_file_is_read_or_told(text in garbled_text(&example())) {
            for problem in parsed(&text).problems {
                prop_assert!(!problem.to_string().is_empty());
            }
        }
    }

    fn parsed(text: &str) -> File {
        let text = Text {
            path: PathBuf::from("bluegreen.toml"),
            text: text.to_owned(),
        };
        File::parse(&text, &crate::cli::definition())
    }

    #[track_caller]
    fn says(text: &str, key: &str, values: &[&str]) {
        let file = parsed(text);
        assert_eq!(file.problems, [], "{text}");
        assert_eq!(file.entries[key].values, values, "{text}");
    }

    #[track_caller]
    fn refuses(text: &str, problems: &[&str]) {
        let found = parsed(text).problems;
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, problems, "{text}");
    }

    #[test]
    fn a_value_takes_the_type_that_fits() {
        says("app = 'shop'", "app", &["shop"]);
        says("drain = \"90s\"", "drain", &["90s"]);
        says("sandbox-speed = 600", "sandbox-speed", &["600"]);
        says("version-label = 1.10", "version-label", &["1.10"]);
        says("version-label = 0x1f", "version-label", &["31"]);
        says("no-shared-state = true", "no-shared-state", &["true"]);
        says(
            "expect-status = [200, 204]",
            "expect-status",
            &["200", "204"],
        );
        says("expect-status = 204", "expect-status", &["204"]);
        says(
            "expect-status = '200,204'",
            "expect-status",
            &["200", "204"],
        );
        says("expect-status = []", "expect-status", &[]);
        says("sandbox = true", "sandbox", &["embedded"]);
        says("sandbox = false", "sandbox", &[]);
        says("sandbox = 'http://a:1'", "sandbox", &["http://a:1"]);
        says(
            "patience-of = { Warming = '10m', Baking = '1h' }",
            "patience-of",
            &["Baking=1h", "Warming=10m"],
        );
        says(
            "[patience-of]\nWarming = '10m'",
            "patience-of",
            &["Warming=10m"],
        );
        assert_eq!(parsed("").entries.len(), 0);
        assert_eq!(parsed("\u{feff}# nothing\r\n").problems, []);
    }

    #[test]
    fn another_type_is_refused() {
        refuses(
            "app = true\nblue = ['a']\ngreen = { a = 1 }",
            &[
                "key `app` in bluegreen.toml (line 1): expected a string or a number, found true or false",
                "key `blue` in bluegreen.toml (line 2): expected a string or a number, found an array",
                "key `green` in bluegreen.toml (line 3): expected a string or a number, found a table",
            ],
        );
        refuses(
            "no-shared-state = 'yes'\npause-before-cutover = 1",
            &[
                "key `no-shared-state` in bluegreen.toml (line 1): expected true or false, found a string",
                "key `pause-before-cutover` in bluegreen.toml (line 2): expected true or false, found a number",
            ],
        );
        refuses(
            "expect-status = [200, true, '99']",
            &[
                "key `expect-status[1]` in bluegreen.toml (line 1): expected an array of strings or \
                 numbers, found true or false",
                "key `expect-status[2]` in bluegreen.toml (line 1): invalid value '99' for \
                 '--expect-status <CODES>': 99 is not in 100..=599",
            ],
        );
        refuses(
            "version-label = 2026-11-23",
            &[
                "key `version-label` in bluegreen.toml (line 1): it reads as a date; write it in quotes",
            ],
        );
        refuses(
            "app = ''",
            &["key `app` in bluegreen.toml (line 1): it is empty: give it a value or leave it out"],
        );
    }

    #[test]
    fn an_unknown_key_is_told_with_its_path_and_the_nearest_known_one() {
        refuses(
            "\nbakee = '1m'\nversion_label = 'v'",
            &[
                "unknown key `bakee` in bluegreen.toml (line 2): did you mean `bake`?",
                "unknown key `version_label` in bluegreen.toml (line 3): did you mean `version-label`?",
            ],
        );
        refuses(
            "[run]\nbake = '1m'\n[a.b]\nxyzzy = 1\n[c]",
            &[
                "unknown key `run.bake` in bluegreen.toml (line 2): settings stand at the top, did you \
                 mean `bake` there?",
                "unknown key `a.b.xyzzy` in bluegreen.toml (line 4): leave it out; `bluegreen config \
                 show` lists every key",
                "unknown key `c` in bluegreen.toml (line 5): leave it out; `bluegreen config show` \
                 lists every key",
            ],
        );
        refuses(
            "config = 'x'\nhelp = true\nwatch = true",
            &[
                "unknown key `config` in bluegreen.toml (line 1): --config is for the command line alone",
                "unknown key `help` in bluegreen.toml (line 2): --help is for the command line alone",
                "unknown key `watch` in bluegreen.toml (line 3): --watch is for the command line alone",
            ],
        );
    }

    #[test]
    fn what_is_no_toml_is_told_with_line_and_column() {
        refuses(
            "app = 'shop'\nblue = 'hunter2",
            &[
                "mistake in bluegreen.toml (line 2, column 16): invalid literal string, expected `'`",
            ],
        );
        refuses(
            "app = 'a'\napp = 'b'",
            &["mistake in bluegreen.toml (line 2, column 1): duplicate key"],
        );
    }

    #[test]
    fn of_what_excludes_each_other_the_file_has_one() {
        refuses(
            "s3-key = 'a'\nbundle = 'b'",
            &[
                "key `bundle` in bluegreen.toml (line 2): it excludes `s3-key` (line 1): leave one of \
               them out",
            ],
        );
    }

    #[test]
    fn a_table_is_passed_on_as_its_flag_takes_it() {
        let command = clap::Command::new("bluegreen").subcommand(
            clap::Command::new("run")
                .arg(
                    clap::Arg::new("test")
                        .long("test")
                        .value_name("TABLE")
                        .action(clap::ArgAction::Append),
                )
                .arg(
                    clap::Arg::new("hook")
                        .long("hook")
                        .value_name("STAGE=COMMAND")
                        .action(clap::ArgAction::Append),
                ),
        );
        let text = "[[test]]\nurl = '/a'\nbody = \"\"\"a\n\\\"b\\\"\"\"\"\n[test.headers]\n'X-A' = 'c, d'\n\
                    [[test]]\nurl = '/b'\nexpect-status = [200, 204]\n[hook]\nbefore = 'a=b, c'\nlimit = 3";
        let text = Text {
            path: PathBuf::from("bluegreen.toml"),
            text: text.to_owned(),
        };
        let file = File::parse(&text, &command);
        assert_eq!(file.problems, []);
        assert_eq!(file.entries["hook"].values, ["before=a=b, c", "limit=3"]);
        let tables = file.entries["test"].values.iter();
        let tables: Vec<toml::Table> = tables
            .map(|table| {
                assert!(table.starts_with('{'), "{table}");
                toml::from_str(&format!("it = {table}")).expect("it is a table again")
            })
            .collect();
        assert_eq!(tables[0]["it"]["body"].as_str(), Some("a\n\"b\""));
        assert_eq!(tables[0]["it"]["headers"]["X-A"].as_str(), Some("c, d"));
        assert_eq!(tables[1]["it"]["expect-status"][1].as_integer(), Some(204));
    }
}
