//! The file of a fleet: its waves, the settings that its targets share, and each target with its
//! own. It reports everything that is wrong with it, as the file of settings does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use clap::Command;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::{File, FileError, Part, Problem, Text, find};
use crate::fleet::{FleetPlan, StopAfter, Wave};
use crate::table::duration;

/// How many targets are released at the same time, where the file says nothing.
const CONCURRENCY: usize = 5;

/// More than one process can carry out.
const CONCURRENCY_MAX: usize = 1000;

/// The settings that are of a process and not of a target, each with what to do instead.
const NOT_OF_A_TARGET: [(&str, &str); 13] = [
    ("state", "name it on the command line"),
    (
        "no-shared-state",
        "name it on the command line: the fleet's record is where the deployments are",
    ),
    ("state-key", "set the variable BLUEGREEN_STATE_KEY"),
    ("sandbox", "name it on the command line"),
    ("sandbox-speed", "name it on the command line"),
    ("sandbox-policy", "name it on the command line"),
    ("log-format", "name it on the command line"),
    ("exit-code-paused", "name it on the command line"),
    ("pause-before", PAUSES),
    ("pause-before-cutover", PAUSES),
    ("approve-url", PAUSES),
    ("detach-at", PAUSES),
    ("output", "name it on the command line"),
];

const PAUSES: &str = "a fleet pauses between its waves: write `pause = true` in [[wave]]";

/// A fleet as its file describes it.
#[derive(Clone, Debug)]
pub struct FleetFile {
    /// Its name.
    pub name: String,
    /// What it does.
    pub plan: FleetPlan,
    /// The bucket that keeps its record; none where that is kept on this machine alone.
    pub bucket: Option<String>,
    /// The region of that bucket; none where that follows from the credentials.
    pub region: Option<String>,
    /// Its targets.
    pub targets: Vec<Target>,
    /// Queries that find more targets by their tags.
    pub queries: Vec<Query>,
}

/// A target with its settings.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name, of which the fleet has no other.
    pub name: String,
    /// The number of its wave, from 0.
    pub wave: usize,
    /// Its settings by their keys, those that it shares included.
    pub settings: File,
}

/// A query that finds targets by the tags of their environments.
#[derive(Clone, Debug)]
pub struct Query {
    /// The tags that an environment has.
    pub tags: BTreeMap<String, String>,
    /// What every target has that it finds, but for its name, its application and its environment.
    pub target: Target,
}

/// A file of a fleet that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FleetFileError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] FileError),
    /// Something is wrong with it.
    #[error("{}", in_lines(.0))]
    Wrong(Vec<Problem>),
}

fn in_lines(problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    lines.join("\nerror: ")
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct FleetTable {
    name: Option<String>,
    concurrency: Option<usize>,
    stop_after: Option<Stop>,
    bucket: Option<String>,
    region: Option<String>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a number of targets, or a share such as \"10%\""
)]
enum Stop {
    Failures(usize),
    Text(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct WaveTable {
    name: String,
    bake: Option<String>,
    #[serde(default)]
    pause: bool,
}

/// What a target has beside its settings.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct TargetTable {
    name: Option<String>,
    wave: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

const OF_A_TARGET: [&str; 2] = ["name", "wave"];
const OF_A_QUERY: [&str; 2] = ["wave", "tags"];
const TABLES: [&str; 5] = ["fleet", "settings", "wave", "target", "query"];

impl FleetFile {
    /// Reads the file of a fleet, and its text; `command` knows every setting of a release.
    ///
    /// # Errors
    /// [`FleetFileError`]: everything that is wrong with it, each with its line.
    pub fn read(path: &Path, command: &Command) -> Result<(FleetFile, String), FleetFileError> {
        let text = find(Some(path))?.expect("a file that is named is there or cannot be read");
        let fleet = FleetFile::parse(&text, command).map_err(FleetFileError::Wrong)?;
        Ok((fleet, text.text))
    }

    /// Reads the text of such a file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &Text, command: &Command) -> Result<FleetFile, Vec<Problem>> {
        let part = Part::new(text, command);
        let parsed = DeTable::parse(&text.text);
        let table = parsed.map_err(|error| vec![part.syntax(&error)])?;
        let mut reading = Reading {
            part,
            problems: Vec::new(),
        };
        let fleet = reading.fleet(text, table.get_ref());
        match reading.problems.is_empty() {
            true => Ok(fleet),
            false => {
                reading.problems.sort_by_key(Problem::line);
                Err(reading.problems)
            }
        }
    }
}

struct Reading<'a> {
    part: Part<'a>,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn fleet(&mut self, text: &Text, table: &DeTable<'_>) -> FleetFile {
        for name in table
            .keys()
            .filter(|name| !TABLES.contains(&name.get_ref().as_ref()))
        {
            let why = format!(
                "the file of a fleet has {}; settings that all targets share stand in [settings]",
                TABLES.map(|table| format!("[{table}]")).join(", ")
            );
            let what = format!("unknown key `{}`", name.get_ref());
            self.wrong(what, name.span().start, &why);
        }
        let value = |name: &str| {
            let mut found = table.iter().filter(|(key, _)| key.get_ref() == name);
            found.next().map(|(_, value)| value)
        };
        let own: FleetTable = match value("fleet") {
            Some(value) => self.serde("fleet", value).unwrap_or_default(),
            None => FleetTable::default(),
        };
        let stop_after = own.stop_after.map(|stop| match stop {
            Stop::Failures(most) => most.to_string(),
            Stop::Text(text) => text,
        });
        let stop_after = stop_after.map(|text| text.parse::<StopAfter>());
        let at = value("fleet").map_or(0, |value| value.span().start);
        let line_of = |key: &str| {
            let table = value("fleet").and_then(|value| match value.get_ref() {
                DeValue::Table(table) => Some(table),
                _ => None,
            });
            let keys = table.into_iter().flat_map(|table| table.keys());
            let mut found = keys.filter(|found| found.get_ref() == key);
            found.next().map_or(at, |found| found.span().start)
        };
        let stop_after = match stop_after {
            Some(Err(why)) => {
                let place = line_of("stop-after");
                self.wrong("key `fleet.stop-after`".to_owned(), place, &why);
                StopAfter::default()
            }
            Some(Ok(stop)) => stop,
            None => StopAfter::default(),
        };
        let concurrency = own.concurrency.unwrap_or(CONCURRENCY);
        if !(1..=CONCURRENCY_MAX).contains(&concurrency) {
            let why = format!("expected 1 to {CONCURRENCY_MAX}");
            let place = line_of("concurrency");
            self.wrong("key `fleet.concurrency`".to_owned(), place, &why);
        }
        let name = own.name.unwrap_or_else(|| {
            let stem = text.path.file_stem().unwrap_or_default();
            stem.to_string_lossy().into_owned()
        });
        let is_named = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.len() > 60 || !name.chars().all(is_named) {
            let why = "a fleet's name has 1 to 60 letters, digits, dots, hyphens and underscores; \
                       give it one with `name` in [fleet]";
            self.wrong(format!("name {name:?}"), at, why);
        }
        let waves = self.waves(value("wave"));
        let shared = match value("settings").map(|value| (value, value.get_ref())) {
            Some((_, DeValue::Table(settings))) => self.settings(settings, &[]),
            Some((value, _)) => {
                let at = value.span().start;
                self.wrong(
                    "key `settings`".to_owned(),
                    at,
                    "expected a table: [settings]",
                );
                self.part.nothing()
            }
            None => self.part.nothing(),
        };
        let targets = self.tables("target", value("target"));
        let targets: Vec<_> = targets
            .into_iter()
            .filter_map(|(item, table)| {
                self.target(item.span().start, table, &waves, &shared, &OF_A_TARGET)
            })
            .map(|(target, _)| target)
            .collect();
        let queries = self.tables("query", value("query"));
        let queries: Vec<_> = queries
            .into_iter()
            .filter_map(|(item, table)| {
                let at = item.span().start;
                let (target, tags) = self.target(at, table, &waves, &shared, &OF_A_QUERY)?;
                if tags.is_empty() {
                    let why = "name the tags that environments have: tags = { KEY = \"VALUE\" }";
                    self.wrong("key `query.tags`".to_owned(), at, why);
                }
                Some(Query { tags, target })
            })
            .collect();
        if targets.is_empty() && queries.is_empty() && self.problems.is_empty() {
            let why = "name at least one target: [[target]], or [[query]] by tags";
            self.wrong("the fleet".to_owned(), 0, why);
        }
        let mut names = BTreeSet::new();
        for target in &targets {
            if !names.insert(&target.name) {
                let why = "two targets have this name: give one of them another with `name`";
                let problem = self.part.problem(
                    format!("target {:?}", target.name),
                    target.settings.line_of("blue"),
                    why.to_owned(),
                );
                self.problems.push(problem);
            }
        }
        FleetFile {
            name,
            plan: FleetPlan {
                waves,
                concurrency,
                stop_after,
            },
            bucket: own.bucket.or_else(|| shared.value("bucket")),
            region: own.region.or_else(|| shared.value("region")),
            targets,
            queries,
        }
    }

    fn waves(&mut self, value: Option<&Spanned<DeValue<'_>>>) -> Vec<Wave> {
        let tables = self.tables("wave", value);
        let mut waves: Vec<Wave> = Vec::new();
        for (item, _) in tables {
            let at = item.span().start;
            let Some(read) = self.serde::<WaveTable>("wave", item) else {
                continue;
            };
            let bake = match read.bake.as_deref().map(duration) {
                Some(Ok(bake)) => bake,
                Some(Err(why)) => {
                    self.wrong("key `wave.bake`".to_owned(), at, &why);
                    Duration::ZERO
                }
                None => Duration::ZERO,
            };
            self.named("wave", &read.name, at);
            if waves.iter().any(|wave| wave.name == read.name) {
                let why = "two waves have this name";
                self.wrong(format!("wave {:?}", read.name), at, why);
            }
            waves.push(Wave {
                name: read.name,
                bake,
                pauses: read.pause,
            });
        }
        if waves.is_empty() {
            waves.push(Wave {
                name: "all".to_owned(),
                bake: Duration::ZERO,
                pauses: false,
            });
        }
        waves
    }

    /// The items of an array of tables, and each as a table.
    fn tables<'v, 'i>(
        &mut self,
        name: &str,
        value: Option<&'v Spanned<DeValue<'i>>>,
    ) -> Vec<(&'v Spanned<DeValue<'i>>, &'v DeTable<'i>)> {
        let Some(value) = value else {
            return Vec::new();
        };
        let items: Vec<_> = match value.get_ref() {
            DeValue::Array(items) => items.iter().collect(),
            _ => vec![value],
        };
        let mut tables = Vec::new();
        for item in items {
            match item.get_ref() {
                DeValue::Table(table) => tables.push((item, table)),
                _ => {
                    let why = format!("expected a table: [[{name}]]");
                    self.wrong(format!("key `{name}`"), item.span().start, &why);
                }
            }
        }
        tables
    }

    fn target(
        &mut self,
        at: usize,
        table: &DeTable<'_>,
        waves: &[Wave],
        shared: &File,
        own: &[&str],
    ) -> Option<(Target, BTreeMap<String, String>)> {
        let is_own = |key: &Spanned<_>| {
            let key: &std::borrow::Cow<'_, str> = key.get_ref();
            own.contains(&key.as_ref())
        };
        let of_its_own = table.iter().filter(|(key, _)| is_own(key));
        let of_its_own = of_its_own.map(|(key, value)| (key.clone(), value.clone()));
        let value = Spanned::new(at..at, DeValue::Table(of_its_own.collect()));
        let kind = if own.contains(&"tags") {
            "query"
        } else {
            "target"
        };
        let read: TargetTable = self.serde(kind, &value)?;
        let settings = self.settings(table, own);
        let settings = self.part.over(settings, shared);
        let name = match read.name.or_else(|| settings.value("blue")) {
            Some(name) => name,
            None if own.contains(&"name") => {
                let why = "name its environment with `blue`";
                self.wrong("target".to_owned(), at, why);
                return None;
            }
            None => String::new(),
        };
        if !name.is_empty() || own.contains(&"name") {
            self.named("target", &name, at);
        }
        let wave = match &read.wave {
            // The last one, after every canary.
            None => waves.len().saturating_sub(1),
            Some(name) => match waves.iter().position(|wave| wave.name == *name) {
                Some(wave) => wave,
                None => {
                    let names: Vec<_> = waves.iter().map(|wave| wave.name.as_str()).collect();
                    let why = format!("there is no such [[wave]]: there are {}", names.join(", "));
                    self.wrong(format!("wave {name:?}"), at, &why);
                    0
                }
            },
        };
        let target = Target {
            name,
            wave,
            settings,
        };
        Some((target, read.tags))
    }

    /// Refuses what no target and no wave may be called: states of Step Functions are named after
    /// waves, lines of a log after targets.
    fn named(&mut self, what: &str, name: &str, at: usize) {
        let is_seen = |c: char| !c.is_control() && !crate::text::is_unseen(c);
        let length = name.trim().chars().count();
        if !(1..=40).contains(&length) || !name.chars().all(is_seen) {
            let why = "a name has 1 to 40 characters that can be seen";
            self.wrong(format!("{what} {name:?}"), at, why);
        }
    }

    /// The settings of a table, without those keys that are no settings.
    fn settings(&mut self, table: &DeTable<'_>, own: &[&str]) -> File {
        let settings: DeTable<'_> = table
            .iter()
            .filter(|(key, _)| !own.contains(&key.get_ref().as_ref()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let mut file = self.part.settings(&settings);
        for (key, instead) in NOT_OF_A_TARGET {
            if let Some(entry) = file.entries.remove(key) {
                let why = format!("it is no setting of a target: {instead}");
                let what = format!("key `{key}`");
                self.problems.push(self.part.problem(what, entry.line, why));
            }
        }
        self.problems.append(&mut file.problems);
        file
    }

    fn serde<T: for<'de> Deserialize<'de>>(
        &mut self,
        name: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<T> {
        match self.part.serde(name, value) {
            Ok(read) => Some(read),
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }

    fn wrong(&mut self, what: String, at: usize, why: &str) {
        let line = self.part.line(at);
        let problem = self.part.problem(what, line, why.to_owned());
        self.problems.push(problem);
    }
}
