//! The command line: one file a command, exit codes and hints decided here.

mod approve;
mod cancel;
mod cleanup;
mod completions;
mod config;
mod context;
mod discover;
mod doctor;
mod exit;
mod find;
mod fleet;
mod github;
mod help;
mod history;
mod iam_policy;
mod init;
mod keys;
mod man;
mod orphans;
mod output;
mod pasteable;
mod plan;
mod rehearse;
mod report;
mod resume;
mod rollback;
mod run;
#[cfg(feature = "sandbox")]
mod sandbox;
mod screen;
mod session;
mod signals;
mod status;
mod telemetry;
mod unheeded;
mod variables;
mod wait;

pub use exit::{Exit, Failed};

use std::ffi::{OsStr, OsString};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use clap::builder::{Resettable, StyledStr};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::keys::{leaf, with_switches, without_values_of_variables};
use crate::config::layers::{Layers, LayersError};
use crate::config::lines::with_one_line;
use crate::config::{
    Color, ConfigError, LogFormat, Named, Options, OutputFormat, is_named_under_way,
};
use crate::secrets::Secrets;
use context::Context;
use exit::complain_of_usage;
use output::{IS_UNHEARD, begin_lines, is_unheard};
use screen::above_the_view;
use signals::Signals;
use unheeded::Unheeded;

/// Crash-safe blue/green deployments for AWS Elastic Beanstalk
#[derive(Debug, Parser)]
#[command(name = "bluegreen", version, about, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Release a version: clone, swap, deploy, test, swap back, clean up
    #[command(visible_alias = "full")]
    Run(run::Args),
    /// Release a version, pausing before the last swap (run --pause-before-cutover)
    Deploy(run::Args),
    /// Find what to release onto, and write the settings, the IAM policy and a workflow
    Init(init::Args),
    /// Check an account before its first release, and record AWS's answers for a bug report;
    /// changes nothing except with --create
    Doctor(doctor::Args),
    /// Rehearse a release: create green, deploy the version to it, test it, remove it; never
    /// touches blue
    Rehearse(rehearse::Args),
    /// Run all checks and show the steps that a run would take; changes nothing
    Plan(plan::Args),
    /// Continue from the last checkpoint; a held deployment accepts a corrected version and other
    /// tests
    #[command(visible_alias = "cutover", after_help = UNDER_WAY)]
    Resume(resume::Args),
    /// Approve a pause and continue; the history keeps who approved it and why
    #[command(after_help = UNDER_WAY)]
    Approve(approve::Args),
    /// Roll back to the previous version, from any state before the end, whether or not a process
    /// runs the deployment; with --yes undo a completed release
    #[command(visible_alias = "abort", after_help = UNDER_WAY)]
    Rollback(rollback::Args),
    /// Show the deployments in flight
    Status(status::Args),
    /// Report one deployment: as text, as Markdown, or as a page with charts
    Report(report::Args),
    /// List the releases, with frequency, lead time, failure rate and time to restore; --app and
    /// --blue select a target
    History(history::Args),
    /// Release many targets in waves, as a file describes them
    Fleet(fleet::Args),
    /// Wait until a deployment rests, or reaches a state
    Wait(wait::Args),
    /// Remove orphaned resources of a deployment
    Cleanup(cleanup::Args),
    /// Print the IAM policy that releases need, filled in with your names
    IamPolicy(iam_policy::Args),
    /// Check the configuration, or show each setting in force and its source
    Config(config::Args),
    /// Serve a local Elastic Beanstalk and S3 to try everything
    #[cfg(feature = "sandbox")]
    Sandbox(sandbox::Args),
    /// Print the completion script of a shell
    Completions(completions::Args),
    /// Print the man page, or write the man page of every command into a folder
    Man(man::Args),
}

const UNDER_WAY: &str = "\
A deployment keeps the settings of its run. On its command line this command changes, for the rest
of the deployment, the tests (--test, --test-url, --expect-status, --test-timeout, --test-command,
--test-command-timeout, --test-production), the limits (--patience, --patience-of, --test-grace,
--drain, --drain-limit, --bake, --poll), and --accept-traffic-loss. It refuses every other flag of a
release, which would have no effect.";

/// The flags, by their ids, that say where to find a deployment and how to log.
const WHERE: [&str; 18] = [
    "profile",
    "role",
    "external_id",
    "app",
    "blue",
    "green",
    "bucket",
    "region",
    "state",
    "no_shared_state",
    "state_key",
    "config_file",
    "log_format",
    "exit_code_paused",
    "sandbox",
    "sandbox_speed",
    "sandbox_policy",
    "help",
];

/// The flags of a fleet's commands: its file has every setting of its targets.
const OF_A_FLEET: [&str; 17] = [
    "keep_history",
    "profile",
    "role",
    "external_id",
    "bucket",
    "region",
    "state",
    "no_shared_state",
    "state_key",
    "config_file",
    "log_format",
    "exit_code_paused",
    "sandbox",
    "sandbox_speed",
    "sandbox_policy",
    "version_label",
    "output",
];

/// The flags that every command which continues a deployment heeds, beside `WHERE`, its tests and
/// its limits.
const ON_THE_WAY: [&str; 11] = [
    "keep_history",
    "sse",
    "lease",
    "output",
    "detach_at",
    "approve_url",
    "accept_traffic_loss",
    // What is held against a copy in the bucket.
    "hook",
    "notify",
    "preview_host",
    "hosted_zone_id",
];

const EXIT_CODES: &str = "\
Exit codes:
   0  completed, or paused as configured
   1  a bug
   2  usage
   3  configuration or preflight refused, nothing changed
  10  rolled back, service safe
  11  stuck, a person must act
  12  another process or deployment holds the target
  13  no such deployment
  14  held, users are on green
  20  AWS refused, nothing lost
  75  interrupted: resume continues";

/// Parses the command line, carries the command out and returns its exit code. A panic in any
/// thread, which is a bug, also ends the process with an exit code: the journal holds what
/// bluegreen had requested.
#[must_use]
pub fn main() -> ExitCode {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        usual(panic);
        let bug = "bluegreen has a bug, and stopped: the journal has its requests to AWS";
        let failed = Failed::new(Exit::Bug, bug).hint(
            "`bluegreen status` shows where it stands, `bluegreen resume` continues; please report \
             the message above",
        );
        failed.print(None, log_format(None));
        std::process::exit(Exit::Bug.code().into());
    }));
    exit_code()
}

fn exit_code() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    if let Some(code) = of_the_program_itself(&arguments) {
        return code;
    }
    if let Err(failed) = variables::put_right() {
        return ended(Err(failed), None);
    }
    let definition = without_empty_variables(definition());
    let layers = match Layers::parse(definition, &arguments) {
        Ok(layers) => layers,
        Err(LayersError::Usage(error)) if error.kind() == ErrorKind::DisplayHelp => {
            return told_as_help(&help::requested(self::definition(), &arguments, heeds));
        }
        Err(LayersError::Usage(error)) if error.kind() == ErrorKind::MissingSubcommand => {
            return ended(Err(Failed::no_command()), None);
        }
        Err(LayersError::Usage(error)) => return told_by_clap(&brief(error)),
        Err(LayersError::File(error)) => return ended(Err(error.into()), None),
    };
    let cli = match Cli::from_arg_matches(&layers.matches) {
        Ok(cli) => cli,
        Err(error) => return told_by_clap(&brief(error)),
    };
    if !cli.command.tells_problems()
        && let Err(failed) = config::whole(&layers)
    {
        return ended(Err(failed), None);
    }
    pasteable::note(&layers, &cli.options);
    if let Some(output) = cli.command.output() {
        if output == OutputFormat::Jsonl {
            begin_lines();
        }
        if github::is_running() {
            github::mask(&cli.options);
        }
    }
    log_to_stderr(&cli.options);
    let only_tells = cli.command.only_tells();
    let options = cli.options.clone();
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
    };
    let done = match may_start_threads().and_then(|()| runtime()) {
        Ok(runtime) => {
            let done = runtime.block_on(async {
                let done = command(cli, &layers).await;
                telemetry::end().await;
                done
            });
            // What is still being read from disk must not hold up the exit.
            runtime.shutdown_background();
            done
        }
        Err(error) => {
            let message = format!("this machine does not let bluegreen start: {error}");
            Err(Failed::new(Exit::Refused, message).hint(
                "nothing was changed; are its limits too low (ulimit -a) of memory, of processes, or \
                 of open files?",
            ))
        }
    };
    let done = if_heard(done, only_tells).map_err(|failed| {
        let id = failed.deployment();
        match id.and_then(|id| Context::entry_of(&options, id)) {
            Some(entry) => {
                if github::is_running() {
                    github::tell(&entry);
                }
                failed.standing(&entry)
            }
            None => failed,
        }
    });
    ended(done, Some(&layers))
}

/// The exit code of a command that describes the program itself, where the first argument names
/// one: a shell's start runs it in any folder, so no setting, whether variable or file, reaches it.
fn of_the_program_itself(arguments: &[OsString]) -> Option<ExitCode> {
    let is_named = |name: &OsString| name == "completions" || name == "man";
    arguments.get(1).filter(|name| is_named(name))?;
    let matches = without_variables(definition()).try_get_matches_from(arguments);
    let command = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli.command,
        Err(error) => return Some(told_by_clap(&error)),
    };
    let done = match &command {
        Command::Completions(args) => completions::run(args, definition()),
        Command::Man(args) => man::run(args, definition()),
        _ => return None,
    };
    Some(ended(if_heard(done, command.only_tells()), None))
}

/// What a command has done, which is nothing where its output was all of it and nobody could read
/// that.
fn if_heard(done: Result<Exit, Failed>, only_tells: bool) -> Result<Exit, Failed> {
    match done {
        Ok(_) if only_tells && IS_UNHEARD.load(Ordering::Relaxed) => Err(unheard()),
        done => done,
    }
}

/// The number of threads needed at a time: two to work, the others to resolve names and read files.
const THREADS: usize = 4;

/// Whether there may be that many, as the runtime starts them: it panics where there may not.
fn may_start_threads() -> std::io::Result<()> {
    let gate = Mutex::new(());
    std::thread::scope(|scope| {
        let _shut = gate.lock();
        for _ in 0..THREADS {
            let thread = std::thread::Builder::new();
            thread.spawn_scoped(scope, || drop(gate.lock()))?;
        }
        Ok(())
    })
}

/// Says what failed, and gives the exit code.
fn ended(done: Result<Exit, Failed>, layers: Option<&Layers>) -> ExitCode {
    match done {
        Ok(exit) => exit.into(),
        Err(failed) => {
            failed.print(layers, log_format(layers));
            failed.tell_others();
            failed.exit().into()
        }
    }
}

/// How the log is written, which a failure follows: as the settings say, or, where they could not be
/// read, as the command line or the variable alone says.
fn log_format(layers: Option<&Layers>) -> LogFormat {
    if let Some(layers) = layers {
        let set = leaf(&layers.matches).try_get_one("log_format");
        return set.ok().flatten().copied().unwrap_or_default();
    }
    let arguments: Vec<_> = std::env::args().collect();
    let is_flag = arguments.iter().any(|arg| arg == "--log-format=json")
        || arguments
            .windows(2)
            .any(|pair| pair == ["--log-format", "json"]);
    let is_variable = std::env::var("BLUEGREEN_LOG_FORMAT").is_ok_and(|value| value == "json");
    match is_flag || is_variable {
        true => LogFormat::Json,
        false => LogFormat::Text,
    }
}

/// Which part of its letters a flag may be off for another one to be suggested: a third.
const FAR: usize = 3;

/// The error without its line of usage, which lists what variables set beside the flags that are
/// wrong, and without a suggestion that is far off.
fn brief(mut error: clap::Error) -> clap::Error {
    if error.use_stderr() {
        error.remove(ContextKind::Usage);
    }
    without_far_guesses(error)
}

/// The error without a suggestion that resembles the flag too little: it would mislead, as `--test`
/// for `--yes`.
fn without_far_guesses(mut error: clap::Error) -> clap::Error {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.trim_start_matches('-').to_owned()),
        _ => None,
    };
    let (given, guess) = (
        text(ContextKind::InvalidArg),
        text(ContextKind::SuggestedArg),
    );
    if let (Some(given), Some(guess)) = (given, guess)
        && !guess.starts_with(&given)
        && strsim::damerau_levenshtein(&given, &guess) > (given.chars().count() / FAR).max(1)
    {
        error.remove(ContextKind::SuggestedArg);
    }
    error
}

/// Prints the help that the user requested, or what is wrong with the command line.
fn told_by_clap(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && log_format(None) == LogFormat::Json {
        let told = error.render().to_string();
        let message = told.trim().trim_start_matches("error: ");
        return ended(Err(Failed::new(Exit::Usage, message)), None);
    }
    if error.use_stderr() {
        complain_of_usage();
    }
    match is_unheard(&error.print()) && !error.use_stderr() {
        true => ended(Err(unheard()), None),
        false => u8::try_from(error.exit_code()).map_or(Exit::Bug.into(), ExitCode::from),
    }
}

/// Prints the help that the user requested.
fn told_as_help(text: &StyledStr) -> ExitCode {
    let text = match Color::Auto.is_on(std::io::stdout().is_terminal()) {
        true => text.ansi().to_string(),
        false => text.to_string(),
    };
    match is_unheard(&writeln!(std::io::stdout(), "{}", text.trim_end())) {
        true => ended(Err(unheard()), None),
        false => Exit::Completed.into(),
    }
}

/// The command line on which no variable sets anything.
fn without_variables(command: clap::Command) -> clap::Command {
    command
        .mut_args(|arg| arg.env(Resettable::Reset))
        .mut_subcommands(without_variables)
}

/// An empty variable is none: CI systems set them so.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    command
        .mut_args(|arg| {
            if arg.get_env().is_some_and(is_empty) {
                arg.env(Resettable::Reset)
            } else {
                arg
            }
        })
        .mut_subcommands(without_empty_variables)
}

impl Command {
    /// Whether what it prints is all that it does.
    fn only_tells(&self) -> bool {
        match self {
            Command::Plan(_)
            | Command::Status(_)
            | Command::History(_)
            | Command::IamPolicy(_)
            | Command::Config(_)
            | Command::Completions(_) => true,
            Command::Doctor(args) => args.only_looks(),
            Command::Fleet(args) => args.only_tells(),
            Command::Report(args) => args.only_prints(),
            Command::Man(args) => args.only_prints(),
            _ => false,
        }
    }

    /// The form of standard output of a command that carries a deployment on; `None` of another.
    fn output(&self) -> Option<OutputFormat> {
        let flag = match self {
            Command::Run(args) | Command::Deploy(args) => &args.output,
            Command::Rehearse(args) => &args.output,
            Command::Resume(args) => &args.output,
            Command::Approve(args) => &args.output,
            Command::Rollback(args) => &args.output,
            Command::Fleet(args) => return args.output(),
            Command::Init(_)
            | Command::Doctor(_)
            | Command::Plan(_)
            | Command::Status(_)
            | Command::Report(_)
            | Command::History(_)
            | Command::Wait(_)
            | Command::Cleanup(_)
            | Command::IamPolicy(_)
            | Command::Config(_)
            | Command::Completions(_)
            | Command::Man(_) => return None,
            #[cfg(feature = "sandbox")]
            Command::Sandbox(_) => return None,
        };
        Some(flag.output)
    }

    /// Whether the command itself reports what is wrong with the file.
    fn tells_problems(&self) -> bool {
        matches!(self, Command::Config(args) if args.checks())
    }
}

impl Command {
    /// The name of a command that continues a deployment, or only shows it; `None` for every other
    /// command.
    fn keeps_the_settings(&self) -> Option<&'static str> {
        match self {
            Command::Resume(_) => Some("resume"),
            Command::Approve(_) => Some("approve"),
            Command::Rollback(_) => Some("rollback"),
            Command::Status(_) => Some("status"),
            Command::Wait(_) => Some("wait"),
            Command::Report(_) => Some("report"),
            Command::History(_) => Some("history"),
            Command::Fleet(_) => Some("fleet"),
            _ => None,
        }
    }

    /// The flag of a release that a command which continues a deployment, or only shows it, would
    /// not heed: the deployment keeps what its run was given.
    fn unheeded(&self, layers: &Layers) -> Option<Unheeded> {
        let command = self.keeps_the_settings()?;
        let mut flags = layers.flags();
        let flag = flags.find(|key| !heeds(command, key.id()))?;
        let flag = flag.name().to_owned();
        Some(Unheeded { flag, command })
    }
}

/// Whether a command heeds the flag with this id, which every command takes.
fn heeds(command: &str, id: &str) -> bool {
    let is_of_output = matches!(id, "quiet" | "verbose" | "color" | "help" | "version");
    is_of_output
        || match command {
            "run" | "deploy" | "rehearse" | "plan" | "doctor" | "config" | "iam-policy" => true,
            "resume" | "approve" => heeds_under_way(id, false),
            "rollback" => heeds_under_way(id, true),
            "fleet" => OF_A_FLEET.contains(&id),
            _ => WHERE.contains(&id),
        }
}

/// Whether a command that continues a deployment heeds the flag with this id.
fn heeds_under_way(id: &str, leads_back: bool) -> bool {
    // On the way back green is not tested, and nothing pauses.
    let only_forward = matches!(id, "test_green" | "approve_url");
    // The version that takes the place of the one that is held.
    let is_its_own = matches!(id, "version_label" | "bundle") && !leads_back;
    let is_heeded = is_named_under_way(id) || WHERE.contains(&id) || ON_THE_WAY.contains(&id);
    is_its_own || is_heeded && !(only_forward && leads_back)
}

async fn command(cli: Cli, layers: &Layers) -> Result<Exit, Failed> {
    let options = &cli.options;
    if layers.is_flag("output") && matches!(cli.command, Command::Plan(_)) {
        return Err(Failed::of_other_output());
    }
    let unheeded = cli.command.unheeded(layers);
    let named = |discard_changes| {
        let named = options.named(|id| layers.is_flag(id))?;
        Ok::<_, ConfigError>(Named {
            discard_changes,
            ..named
        })
    };
    let signals = Signals::of_this_process()?;
    let done = async {
        match cli.command {
            Command::Run(args) => run::run(options, &args).await,
            Command::Deploy(args) => run::run(options, &args.pausing()).await,
            Command::Init(args) => init::run(options, &args).await,
            Command::Doctor(args) => doctor::run(options, &args).await,
            Command::Rehearse(args) => rehearse::run(options, &args).await,
            Command::Plan(args) => plan::run(options, &args).await,
            Command::Resume(args) => {
                resume::run(options, &args, named(args.discard_changes)?, unheeded).await
            }
            Command::Approve(args) => approve::run(options, &args, named(false)?, unheeded).await,
            Command::Rollback(args) => {
                rollback::run(options, &args, named(args.discard_changes)?, unheeded).await
            }
            Command::Status(_)
            | Command::Wait(_)
            | Command::Report(_)
            | Command::History(_)
            | Command::Fleet(_)
                if let Some(unheeded) = unheeded =>
            {
                Err(unheeded.into())
            }
            Command::Status(args) => status::run(options, &args).await,
            Command::Report(args) => report::run(options, &args).await,
            Command::History(args) => history::run(options, &args).await,
            Command::Fleet(args) => fleet::run(options, &args, &definition()).await,
            Command::Wait(args) => wait::run(options, &args).await,
            Command::Cleanup(args) => cleanup::run(options, &args).await,
            Command::IamPolicy(args) => iam_policy::run(options, &args).await,
            Command::Config(args) => config::run(options, &args, layers),
            #[cfg(feature = "sandbox")]
            Command::Sandbox(args) => sandbox::run(options, &args).await,
            Command::Completions(args) => completions::run(&args, definition()),
            Command::Man(args) => man::run(&args, definition()),
        }
    };
    signals.heeded(Box::pin(done)).await
}

/// The log goes to standard error; standard output is for results.
/// `BLUEGREEN_LOG` takes tracing's filter directives.
fn log_to_stderr(options: &Options) {
    let asked = std::env::var("BLUEGREEN_LOG").unwrap_or_default();
    let asked = Some(asked).filter(|directives| !directives.trim().is_empty());
    let filter = asked.and_then(|directives| EnvFilter::try_new(directives).ok());
    let filter = filter.unwrap_or_else(|| {
        EnvFilter::new(match (options.quiet, options.verbose) {
            (true, _) => "warn",
            (false, 0) => "warn,bluegreen=info",
            (false, 1) => "warn,bluegreen=debug",
            (false, _) => "warn,bluegreen=trace",
        })
    });
    let is_json = options.log_format == LogFormat::Json;
    let layer = tracing_subscriber::fmt::layer().with_writer(move || Log { is_json });
    let registry = tracing_subscriber::registry().with(filter).with(loudest());
    let has_colours = options.color.is_on(std::io::stderr().is_terminal());
    match options.log_format {
        LogFormat::Text => registry
            .with(layer.compact().with_target(false).with_ansi(has_colours))
            .init(),
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).init(),
    }
}

/// The finest level of each crate's log, whatever the filter says. At finer levels other crates log
/// requests and answers, which hold credentials and the environments' variables. Where credentials
/// cannot be loaded, `aws_config` warns with the output of their process, which bluegreen reports
/// as an error.
fn loudest() -> Targets {
    Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("aws_config", LevelFilter::ERROR)
        .with_target("bluegreen", LevelFilter::TRACE)
}

/// Standard error, for events of the log: each begins one line, and others of it begin with a
/// bar, so that none is taken for another event or for a CI system's command.
struct Log {
    is_json: bool,
}

impl Write for Log {
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let event_text = String::from_utf8_lossy(event);
        let text = match self.is_json {
            true => event_text,
            false => pasteable::pasteable(&event_text).into_owned().into(),
        };
        let text = Secrets::default().hide(&text);
        let text = text.trim_end_matches('\n').replace('\r', "\\r");
        // In one go: other processes may write there too.
        let text = text.replace('\n', "\n  | ") + "\n";
        above_the_view(|| std::io::stderr().write_all(text.as_bytes()))?;
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// The failure of a command whose only purpose was its output, which nobody could read.
fn unheard() -> Failed {
    let message = "standard output cannot be written: is its disk full?";
    Failed::new(Exit::Refused, message).hint("nothing was changed; the output is incomplete")
}

/// The command line as clap knows it, for documents and tests.
#[must_use]
pub fn definition() -> clap::Command {
    without_values_of_variables(with_switches(with_one_line(Cli::command())))
}
