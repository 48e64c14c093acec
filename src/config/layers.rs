//! Flags over variables over the file over what is built in: one command line, parsed
//! by clap with everything in its place.
//!
//! The file's values become the defaults of clap's arguments, so that clap's own rules decide which
//! value wins. A value that a flag of a higher layer excludes is ignored: with `--s3-key` a
//! `bundle` of the file no longer counts.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

use super::file::{self, File, FileError};
use super::green_name::default_green;
use super::keys::{Key, exclusions, keys, leaf, mut_settings, raw, without_variables};
use super::options::Options;

/// A parsed command line, and where each setting comes from.
#[derive(Debug)]
pub struct Layers {
    /// What clap has made of it.
    pub matches: ArgMatches,
    /// The file, where there is one.
    pub file: Option<File>,
    keys: Vec<Key>,
}

/// A command line that cannot be parsed.
#[derive(Debug)]
pub enum LayersError {
    /// clap's own error, or its help.
    Usage(clap::Error),
    /// The file cannot be read.
    File(FileError),
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The command line.
    Flag,
    /// A variable.
    Variable {
        /// Its name.
        name: String,
    },
    /// The file.
    File {
        /// Where it is, as it was named.
        path: PathBuf,
        /// The line of the key, from 1.
        line: usize,
    },
    /// It follows from another setting.
    Derived {
        /// The other one's key.
        from: &'static str,
    },
    /// No one has set it.
    Default,
}

/// A setting in force.
#[derive(Clone, Debug)]
pub struct Setting<'a> {
    /// The flag, the variables and the key.
    pub key: &'a Key,
    /// Its values as they were given; empty where nobody has set it and it has no default.
    pub values: Vec<String>,
    /// Where it was set.
    pub source: Source,
}

impl Layers {
    /// Parses a command line. `command` has the variables in it already.
    ///
    /// # Errors
    /// clap's error or help, or a file that cannot be read. [`File::problems`] lists what is wrong
    /// within the file.
    pub fn parse(command: Command, arguments: &[OsString]) -> Result<Layers, LayersError> {
        let command = flags_over_variables(command, arguments);
        let matches = command.clone().try_get_matches_from(arguments);
        let matches = matches.map_err(LayersError::Usage)?;
        let keys = keys(&command);
        let named = leaf(&matches).get_one::<PathBuf>("config_file");
        let found = file::find(named.map(PathBuf::as_path)).map_err(LayersError::File)?;
        let Some(text) = found else {
            return Ok(Layers {
                matches,
                file: None,
                keys,
            });
        };
        let mut file = File::parse(&text, &command);
        let mut above = given(&matches, ValueSource::CommandLine);
        above.extend(given(&matches, ValueSource::EnvVariable));
        let excluded = excluded(&command, &above);
        for key in &keys {
            if excluded.contains(key.id()) || key.heeded_variable().is_some() {
                file.entries.remove(key.name());
            }
        }
        let matches = over_file(command, &file).try_get_matches_from(arguments);
        Ok(Layers {
            matches: matches.map_err(LayersError::Usage)?,
            file: Some(file),
            keys,
        })
    }

    /// Whether a setting, by clap's id, was given on the command line itself.
    #[must_use]
    pub fn is_flag(&self, id: &str) -> bool {
        given(&self.matches, ValueSource::CommandLine).contains(id)
    }

    /// The settings that were given on the command line itself.
    pub fn flags(&self) -> impl Iterator<Item = &Key> {
        let given = given(&self.matches, ValueSource::CommandLine);
        self.keys.iter().filter(move |key| given.contains(key.id()))
    }

    /// Every setting that the command takes, with its value in force, also where that
    /// follows from another's in these options.
    #[must_use]
    pub fn settings_of(&self, options: &Options) -> Vec<Setting<'_>> {
        let blue = options.blue.as_deref().filter(|blue| !blue.is_empty());
        let settings = self.keys.iter().map(|key| {
            let setting = self.setting(key);
            match (key.name(), blue) {
                ("green", Some(blue)) if setting.values.join("").is_empty() => Setting {
                    values: vec![default_green(blue)],
                    source: Source::Derived { from: "blue" },
                    ..setting
                },
                _ => setting,
            }
        });
        settings.collect()
    }

    fn setting<'a>(&'a self, key: &'a Key) -> Setting<'a> {
        let matches = leaf(&self.matches);
        let is_there = matches.ids().any(|id| id == key.id());
        let source = is_there.then(|| matches.value_source(key.id())).flatten();
        let values = raw(matches, key.id());
        let entry = self.file.as_ref().and_then(|file| {
            let entry = file.entries.get(key.name())?;
            Some((file, entry))
        });
        let (values, source) = match (source, key.heeded_variable(), entry) {
            (Some(ValueSource::CommandLine), _, _) => (values, Source::Flag),
            (Some(ValueSource::EnvVariable), _, _) => {
                let name = key.variables().first().map(ToString::to_string);
                let name = name.unwrap_or_default();
                (values, Source::Variable { name })
            }
            (_, Some((name, value)), _) => {
                let name = name.to_owned();
                let value = value.to_string_lossy().into_owned();
                (vec![value], Source::Variable { name })
            }
            (Some(_), None, Some((file, entry))) => {
                let (path, line) = (file.path.clone(), entry.line);
                (values, Source::File { path, line })
            }
            (_, None, _) => (values, Source::Default),
        };
        Setting {
            key,
            values,
            source,
        }
    }

    /// A sentence for every flag that a message names and that was not given as a
    /// flag: where its value comes from.
    #[must_use]
    pub fn places(&self, message: &str) -> Vec<String> {
        let is_named = |key: &Key| {
            let flag = format!("--{}", key.name());
            let mut rest = message;
            while let Some((_, after)) = rest.split_once(&flag) {
                let goes_on = |c: char| c == '-' || c.is_ascii_alphanumeric();
                if !after.starts_with(goes_on) {
                    return true;
                }
                rest = after;
            }
            false
        };
        let named = self.keys.iter().filter(|key| is_named(key));
        let told = named.filter_map(|key| {
            let name = key.name();
            match self.setting(key).source {
                Source::Flag | Source::Default | Source::Derived { .. } => None,
                Source::Variable { name: variable } => {
                    Some(format!("--{name} comes from the variable {variable}"))
                }
                Source::File { path, line } => {
                    let path = path.display();
                    Some(format!(
                        "--{name} comes from `{name}` in {path} (line {line})"
                    ))
                }
            }
        });
        told.collect()
    }
}

/// The command without the variables that a flag of this command line excludes.
fn flags_over_variables(command: Command, arguments: &[OsString]) -> Command {
    // The help shows no value, and is made by the parse that follows.
    let is_help = |word: &OsString| word == "-h" || word == "--help" || word == "help";
    if arguments.iter().any(is_help) {
        return command;
    }
    let flags = without_variables(command.clone()).try_get_matches_from(arguments);
    // Where that fails it is told better with the variables, or is right after all.
    let Ok(flags) = flags else {
        return command;
    };
    let excluded = excluded(&command, &given(&flags, ValueSource::CommandLine));
    mut_settings(
        command,
        &|arg| match excluded.contains(arg.get_id().as_str()) {
            true => arg.env(Resettable::Reset),
            false => arg,
        },
    )
}

/// The command line of a release that takes its settings from a file alone: no flag and no variable
/// adds to it. `release` is made by [`of_a_release`].
///
/// # Errors
/// clap's error.
pub fn of_file(release: &Command, file: &File) -> Result<ArgMatches, clap::Error> {
    over_file(release.clone(), file).try_get_matches_from(["bluegreen", "run"])
}

/// The command line of a release without the other commands and without variables: a fleet of
/// hundreds reads hundreds of files with it.
#[must_use]
pub fn of_a_release(definition: &Command) -> Command {
    let run = definition.find_subcommand("run").cloned();
    let globals = definition.get_arguments().filter(|arg| arg.is_global_set());
    let release = Command::new("bluegreen").args(globals.cloned());
    without_variables(release.subcommands(run))
}

/// The command with what the file says as its defaults.
fn over_file(command: Command, file: &File) -> Command {
    mut_settings(command, &|arg| {
        let entry = arg.get_long().and_then(|name| file.entries.get(name));
        match entry.filter(|entry| !entry.values.is_empty()) {
            Some(entry) => arg.default_values(entry.values.iter().map(OsString::from)),
            None => arg,
        }
    })
}

/// The ids of the settings that come from a source.
fn given(matches: &ArgMatches, source: ValueSource) -> BTreeSet<String> {
    let matches = leaf(matches);
    let from = |id: &&clap::Id| matches.value_source(id.as_str()) == Some(source);
    let ids = matches.ids().filter(from);
    ids.map(ToString::to_string).collect()
}

/// The ids of the settings that one of these excludes.
fn excluded(command: &Command, given: &BTreeSet<String>) -> BTreeSet<String> {
    let mut excluded = BTreeSet::new();
    if given.is_empty() {
        return excluded;
    }
    for (one, other) in exclusions(command) {
        for (one, other) in [(&one, &other), (&other, &one)] {
            if given.contains(one) && !given.contains(other) {
                excluded.insert(other.clone());
            }
        }
    }
    excluded
}
