//! Help, as each command needs it: `-h` is short, `--help` has everything, and no command shows a
//! setting that it does not heed.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::{Arg, Command};

/// How much to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// What most people need, each flag on a line.
    Short,
    /// Everything.
    Long,
}

/// The settings of a release that short help shows.
const COMMON: [&str; 7] = [
    "app", "blue", "bucket", "test_url", "drain", "bake", "sandbox",
];

/// The flags of one command alone that short help leaves out.
const RARE: [&str; 10] = [
    "limit",
    "before",
    "s3_key",
    "reuse_version",
    "pause_before_cutover",
    "allow",
    "allow_coupled_database",
    "discard_changes",
    "events",
    "discover",
];

/// How many characters of its text short help shows with what stands without.
const TEXT_MAX: usize = 64;

/// The heading of each flag that has one, by clap's id.
fn heading(id: &str) -> Option<&'static str> {
    Some(match id {
        "app" | "blue" | "green" | "bucket" | "region" | "profile" => "Target",
        "version_label" | "bundle" | "s3_key" | "reuse_version" | "wait" | "strategy" => "Version",
        "test_url"
        | "test"
        | "expect_status"
        | "test_timeout"
        | "test_grace"
        | "test_command"
        | "test_command_timeout"
        | "test_green"
        | "test_production"
        | "healthy" => "Tests",
        "pause_before"
        | "pause_before_cutover"
        | "approve_url"
        | "approve_limit"
        | "approve_otherwise"
        | "detach_at"
        | "hook"
        | "allow"
        | "allow_coupled_database" => "Gates",
        "drain"
        | "drain_limit"
        | "drain_requests"
        | "accept_traffic_loss"
        | "bake"
        | "error_rise"
        | "latency_rise"
        | "alarms" => "Drain and bake",
        "patience" | "patience_of" | "poll" | "lease" | "quarantine" => "Timeouts",
        "quiet" | "verbose" | "color" | "log_format" | "output" | "exit_code_paused" => "Output",
        "notify" | "probe" | "report_to_bucket" => "Reports",
        "sandbox" | "sandbox_speed" | "sandbox_policy" => "Sandbox",
        "state" | "no_shared_state" | "state_key" | "sse" | "config_file" | "expect_difference"
        | "preview_host" | "hosted_zone_id" => "Advanced",
        _ => return None,
    })
}

/// Examples of the commands that people type most.
fn examples(command: &str) -> Option<&'static str> {
    Some(match command {
        "run" => {
            "Examples:\n  \
             bluegreen run --bundle target/shop.zip --version-label v42\n  \
             bluegreen run --version-label v42 --pause-before cutover\n  \
             bluegreen run --sandbox          tries everything, without AWS"
        }
        "resume" => {
            "Examples:\n  \
             bluegreen resume                          continues the only one in flight\n  \
             bluegreen resume ID --version-label v43   a corrected version for a held one"
        }
        "rollback" => {
            "Examples:\n  \
             bluegreen rollback          rolls the only one in flight back\n  \
             bluegreen rollback --yes    undoes the last completed release"
        }
        "status" => {
            "Examples:\n  \
             bluegreen status --watch\n  \
             bluegreen status latest --json"
        }
        _ => return None,
    })
}

/// The help that a command line requests. `heeds` is whether a command heeds a global flag.
pub(super) fn requested(
    definition: Command,
    arguments: &[OsString],
    heeds: impl Fn(&str, &str) -> bool,
) -> StyledStr {
    let words: Vec<_> = arguments
        .iter()
        .skip(1)
        .filter_map(|word| word.to_str())
        .collect();
    let length = match words.contains(&"--help") || words.contains(&"help") {
        true => Length::Long,
        false => Length::Short,
    };
    // The names that lead to the command, as in `fleet rollback`.
    let mut named = Vec::new();
    let mut within = &definition;
    for word in words {
        if let Some(command) = within.find_subcommand(word) {
            named.push(command.get_name().to_owned());
            within = command;
        }
    }
    let mut all = shown(definition, length, heeds);
    let mut command = &mut all;
    for name in &named {
        command = command.find_subcommand_mut(name).expect("it was found");
    }
    match length {
        Length::Short => command.render_help(),
        Length::Long => command.render_long_help(),
    }
}

/// The command line as help shows it.
pub(super) fn shown(
    mut definition: Command,
    length: Length,
    heeds: impl Fn(&str, &str) -> bool,
) -> Command {
    // Only then each command has the global flags too.
    definition.build();
    let root = |arg: Arg| match length {
        Length::Short => {
            let is_of_program = ["help", "version"].contains(&arg.get_id().as_str());
            arg.hide(!is_of_program)
        }
        Length::Long => headed(arg),
    };
    definition.mut_args(root).mut_subcommands(|command| {
        let name = command.get_name().to_owned();
        let command = with_its_flags(command, &name, length, &heeds);
        let examples = examples(&name).map(str::to_owned);
        match (length, examples) {
            (Length::Short, Some(_)) if name == "status" => command,
            (Length::Short, examples) => command.after_help(examples.unwrap_or_default()),
            (Length::Long, Some(examples)) => {
                let after = command.get_after_help().map(ToString::to_string);
                let after = after.map_or_else(String::new, |after| format!("\n\n{after}"));
                command.after_help(examples + &after)
            }
            (Length::Long, None) => command,
        }
    })
}

/// A command with the flags that it heeds, and the commands below it likewise.
fn with_its_flags(
    command: Command,
    name: &str,
    length: Length,
    heeds: &impl Fn(&str, &str) -> bool,
) -> Command {
    let command = command.mut_args(|arg| {
        let id = arg.get_id().as_str();
        let is_unheeded = arg.is_global_set() && !heeds(name, id);
        let is_hidden = arg.is_hide_set() || is_unheeded;
        match length {
            Length::Short => {
                let is_common = COMMON.contains(&id) && heeds(name, "test_url");
                let is_rare = RARE.contains(&id) || arg.is_global_set() && !is_common;
                let is_hidden = is_hidden || is_rare && id != "help";
                brief(arg).hide(is_hidden)
            }
            Length::Long => headed(arg).hide(is_hidden),
        }
    });
    command.mut_subcommands(|below| with_its_flags(below, name, length, heeds))
}

fn headed(arg: Arg) -> Arg {
    let arg = arg.hide_env_values(true);
    match heading(arg.get_id().as_str()) {
        Some(heading) => arg.help_heading(heading),
        None => arg,
    }
}

/// A flag on one line: its text up to the first pause, without its variable.
fn brief(arg: Arg) -> Arg {
    let text = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let (text, default) = match text.split_once(" [default: ") {
        Some((text, default)) => (text.to_owned(), format!(" [default: {default}")),
        None => (text, String::new()),
    };
    let pause = ["; ", ": ", ", such as"]
        .iter()
        .filter_map(|pause| text.find(pause))
        .min();
    let short = text[..pause.unwrap_or(text.len())].to_owned();
    let is_short = short.chars().count() + default.chars().count() <= TEXT_MAX;
    arg.hide_env(true)
        .hide_possible_values(true)
        .help(short + if is_short { &default } else { "" })
}
