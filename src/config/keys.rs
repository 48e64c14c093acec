//! The settings there are: read off clap's own definition of the command line, so
//! that every flag of a release is a key of the file and nothing is written twice.
//!
//! The name of a flag's value says what it takes: `BOOL` is a switch, `TABLE` an
//! inline TOML table, `NAME=VALUE` (any name with an equals sign) a pair. It also says
//! what may be shown of it: of a `URL` and a `TABLE` what may be a secret is left out,
//! a `SECRET` is not shown at all.

use std::ffi::{OsStr, OsString};

use clap::builder::{BoolishValueParser, Resettable};
use clap::{Arg, ArgAction, ArgMatches, Command};

/// The group of a release's own flags. A command that has it takes them, and what
/// the file says of them.
pub const RELEASE: &str = "release";

/// The flag that names the file.
pub const CONFIG: &str = "config";

/// The flags that are no settings: they are of one command line alone.
const NO_SETTINGS: [&str; 5] = ["help", "version", "quiet", "verbose", "color"];

/// Variables that set something without clap's knowing: where one of them is set, the
/// file's value is left aside.
const HEEDED: [(&str, &[&str]); 1] = [("region", &["AWS_REGION", "AWS_DEFAULT_REGION"])];

/// The form of a value in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `true` or `false`.
    Switch,
    /// A string or a number.
    One,
    /// A string or a number, and `true` for the flag without its value.
    Optional,
    /// An array of strings or numbers, or one of them.
    Many,
    /// A table of names and values.
    Pairs,
    /// A table, or several.
    Tables,
}

impl Form {
    /// What is expected in the file, in words.
    #[must_use]
    pub fn expected(self) -> &'static str {
        match self {
            Form::Switch => "true or false",
            Form::One => "a string or a number",
            Form::Optional => "a string, true or false",
            Form::Many => "an array of strings or numbers",
            Form::Pairs => "a table such as { NAME = \"VALUE\" }",
            Form::Tables => "a table, or an array of tables",
        }
    }
}

/// What may be shown of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// All of it, but users, passwords and queries of URLs.
    Plain,
    /// A path or a URL, without its user, password and query.
    Url,
    /// A TOML table whose inner tables, such as headers, keep their values.
    Table,
    /// Nothing.
    Secret,
}

/// One setting: a flag, its variables, and its key in the file.
#[derive(Clone, Debug)]
pub struct Key {
    arg: Arg,
}

impl Key {
    /// The key in the file: the flag's long name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.arg.get_long().unwrap_or_default()
    }

    /// clap's id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.arg.get_id().as_str()
    }

    /// clap's own definition.
    #[must_use]
    pub fn arg(&self) -> &Arg {
        &self.arg
    }

    /// The form of its value in the file.
    #[must_use]
    pub fn form(&self) -> Form {
        match self.value_name() {
            "BOOL" => Form::Switch,
            "TABLE" => Form::Tables,
            name if name.contains('=') => Form::Pairs,
            _ if is_repeatable(&self.arg) => Form::Many,
            _ if may_lack_its_value(&self.arg) => Form::Optional,
            _ => Form::One,
        }
    }

    /// What may be shown of its value.
    #[must_use]
    pub fn shown(&self) -> Shown {
        match self.value_name() {
            "TABLE" => Shown::Table,
            name if name.contains("SECRET") => Shown::Secret,
            name if name.contains("URL") => Shown::Url,
            _ => Shown::Plain,
        }
    }

    /// The name of its value, as in `--poll DURATION`.
    #[must_use]
    pub fn value_name(&self) -> &str {
        let names = self.arg.get_value_names().unwrap_or_default();
        names.first().map_or("", |name| name.as_str())
    }

    /// Its variables, the first one wins.
    #[must_use]
    pub fn variables(&self) -> Vec<&str> {
        let own = self.arg.get_env().and_then(OsStr::to_str);
        let heeded = self.heeded().map(|name| -> &str { name });
        own.into_iter().chain(heeded).collect()
    }

    fn heeded(&self) -> impl Iterator<Item = &'static str> {
        let of_this = HEEDED.iter().filter(|(key, _)| *key == self.name());
        of_this.flat_map(|(_, names)| names.iter().copied())
    }

    /// The variable that sets it without clap's knowing, and its value. An empty one counts as
    /// unset, as CI systems set it.
    #[must_use]
    pub fn heeded_variable(&self) -> Option<(&'static str, OsString)> {
        let set = |name| Some((name, std::env::var_os(name)?));
        self.heeded()
            .filter_map(set)
            .find(|(_, value)| !value.is_empty())
    }

    /// What it means, in one sentence, without its default.
    #[must_use]
    pub fn meaning(&self) -> String {
        let (meaning, _) = self.help();
        meaning
    }

    /// Its default, or in words what is done without it.
    #[must_use]
    pub fn default(&self) -> Option<String> {
        let values = self.arg.get_default_values().iter();
        let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
        match values.join(",") {
            none if none.is_empty() => self.help().1,
            value => Some(value),
        }
    }

    /// The help's text, and apart from it the default that the help names.
    fn help(&self) -> (String, Option<String>) {
        let help = self.arg.get_help().map(ToString::to_string);
        let help = help.unwrap_or_default();
        match help.split_once(" [default: ") {
            Some((meaning, rest)) => {
                let default = rest.strip_suffix(']').unwrap_or(rest);
                (meaning.to_owned(), Some(default.to_owned()))
            }
            None => (help, None),
        }
    }

    /// The values that clap makes of a text, or why it refuses it.
    ///
    /// # Errors
    /// What is wrong with it, in clap's words.
    pub fn values(&self, text: &str) -> Result<Vec<String>, String> {
        let alone = Command::new("bluegreen")
            .no_binary_name(true)
            .arg(self.alone());
        let matches = alone
            .try_get_matches_from([format!("--{}={text}", self.name())])
            .map_err(|error| self.refusal(&error))?;
        Ok(raw(&matches, self.id()))
    }

    /// The flag without its relations to other flags.
    fn alone(&self) -> Arg {
        let mut alone = Arg::new(self.arg.get_id())
            .long(self.name().to_owned())
            .action(self.arg.get_action().clone())
            .value_parser(self.arg.get_value_parser().clone())
            .value_name(self.value_name().to_owned());
        if let Some(delimiter) = self.arg.get_value_delimiter() {
            alone = alone.value_delimiter(delimiter);
        }
        alone
    }

    fn refusal(&self, error: &clap::Error) -> String {
        if self.shown() != Shown::Plain {
            let why = std::error::Error::source(error).map(ToString::to_string);
            return why.unwrap_or_else(|| "its value is not of its form".to_owned());
        }
        let told = error.to_string();
        let told = told.strip_prefix("error: ").unwrap_or(&told);
        let told = told.split("For more information").next().unwrap_or(told);
        let lines = told.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.collect::<Vec<_>>().join(" ")
    }
}

/// The values of an argument as they were given.
#[must_use]
pub fn raw(matches: &ArgMatches, id: &str) -> Vec<String> {
    let is_there = matches.ids().any(|there| there == id);
    let values = is_there.then(|| matches.get_raw(id)).flatten();
    let text = |value: &OsStr| value.to_string_lossy().into_owned();
    values.into_iter().flatten().map(text).collect()
}

fn is_repeatable(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append) || arg.get_value_delimiter().is_some()
}

fn may_lack_its_value(arg: &Arg) -> bool {
    arg.get_num_args()
        .is_some_and(|number| number.min_values() == 0)
}

/// Every setting: the flags of every command and those of `run`.
#[must_use]
pub fn keys(command: &Command) -> Vec<Key> {
    let run = command.find_subcommand("run").into_iter();
    let of_run = run.flat_map(Command::get_arguments);
    let is_key = |arg: &&Arg| {
        !NO_SETTINGS.contains(&arg.get_id().as_str())
            && arg.get_long().is_some_and(|long| long != CONFIG)
    };
    let everywhere = command.get_arguments().filter(|arg| arg.is_global_set());
    let own = of_run.filter(|arg| !arg.is_global_set());
    let all = own.chain(everywhere).filter(is_key);
    all.map(|arg| Key { arg: arg.clone() }).collect()
}

/// The ids of the settings of which one excludes the other.
#[must_use]
pub fn exclusions(command: &Command) -> Vec<(String, String)> {
    let mut built = command.clone();
    built.build();
    let Some(run) = built.find_subcommand("run") else {
        return Vec::new();
    };
    let of_one = |one| {
        let others = run.get_arg_conflicts_with(one).into_iter();
        others.map(|other: &Arg| (one.get_id().to_string(), other.get_id().to_string()))
    };
    run.get_arguments().flat_map(of_one).collect()
}

/// The value that stands for a flag without one, as in `--sandbox`.
#[must_use]
pub fn value_if_missing(command: &Command, key: &Key) -> Vec<String> {
    let flag = format!("--{}", key.name());
    let matches =
        without_variables(command.clone()).try_get_matches_from(["bluegreen", "run", &flag]);
    matches.map_or_else(|_| Vec::new(), |matches| raw(leaf(&matches), key.id()))
}

/// The matches of the command that was named, below which there is none.
#[must_use]
pub fn leaf(matches: &ArgMatches) -> &ArgMatches {
    match matches.subcommand() {
        Some((_, below)) => leaf(below),
        None => matches,
    }
}

/// Changes every argument that is a setting, wherever it is taken.
#[must_use]
pub fn mut_settings(command: Command, change: &dyn Fn(Arg) -> Arg) -> Command {
    let keys: Vec<String> = keys(&command)
        .iter()
        .map(|key| key.id().to_owned())
        .collect();
    mut_within(
        command,
        &|arg| match keys.iter().any(|id| arg.get_id() == id) {
            true => change(arg),
            false => arg,
        },
    )
}

fn mut_within(command: Command, change: &dyn Fn(Arg) -> Arg) -> Command {
    let takes_all = takes_release(&command);
    command
        .mut_args(|arg| match takes_all || arg.is_global_set() {
            true => change(arg),
            false => arg,
        })
        .mut_subcommands(|sub| mut_within(sub, change))
}

/// Whether a command takes the flags of a release.
fn takes_release(command: &Command) -> bool {
    command.get_groups().any(|group| group.get_id() == RELEASE)
}

/// Shows no variable's value in a help text: it may be a secret.
#[must_use]
pub fn without_values_of_variables(command: Command) -> Command {
    mut_settings(command, &|arg| arg.hide_env_values(true))
}

/// Lets `--switch=false` undo what a variable or the file has switched on.
#[must_use]
pub fn with_switches(command: Command) -> Command {
    mut_settings(command, &|arg| match arg.get_action() {
        ArgAction::SetTrue => arg
            .action(ArgAction::Set)
            .value_name("BOOL")
            .value_parser(BoolishValueParser::new())
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .default_value("false")
            .hide_default_value(true)
            .hide_possible_values(true),
        _ => arg,
    })
}

/// The command without any variable.
#[must_use]
pub fn without_variables(command: Command) -> Command {
    command
        .mut_args(|arg| arg.env(Resettable::Reset))
        .mut_subcommands(without_variables)
}
