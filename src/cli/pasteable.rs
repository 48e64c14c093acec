//! Makes the commands in what bluegreen prints ready to paste: with the flags that say where the
//! deployment is kept, where a fresh shell would lack them.

use std::borrow::Cow;
use std::path::{Path, absolute};
use std::sync::OnceLock;

use crate::config::layers::{Layers, Source};
use crate::config::{EMBEDDED, Options};
use crate::text::for_shell;

/// The settings that say where a deployment is kept.
const PLACE: [&str; 8] = [
    "role",
    "external-id",
    "sandbox",
    "sandbox-speed",
    "region",
    "bucket",
    "state",
    "no-shared-state",
];

/// The settings that say what a release is of.
const TARGET: [&str; 3] = ["app", "blue", "green"];

/// The commands that carry a deployment on, or show it.
const COMMANDS: [&str; 9] = [
    "fleet", "resume", "rollback", "status", "wait", "cleanup", "approve", "history", "report",
];

/// The commands of a release, and of what is checked before it.
const RELEASES: [&str; 5] = ["run", "deploy", "rehearse", "plan", "doctor"];

/// The flags of this process: where deployments are kept, and what a release is of.
static FLAGS: OnceLock<[String; 2]> = OnceLock::new();

/// Notes the flags that were given to this process, on its command line or in variables. What
/// the file of settings in the current folder says is left out: a shell there has it.
pub(super) fn note(layers: &Layers, options: &Options) {
    let (mut flags, mut target) = (String::new(), String::new());
    for setting in layers.settings_of(options) {
        let name = setting.key.name();
        let is_given = matches!(setting.source, Source::Flag | Source::Variable { .. });
        let value = setting.values.join("");
        if !is_given || value.is_empty() {
            continue;
        }
        if TARGET.contains(&name) {
            target.push_str(&format!(" --{name} {}", for_shell(&value)));
        }
        if !PLACE.contains(&name) {
            continue;
        }
        flags.push_str(&match (name, &*value) {
            ("sandbox", EMBEDDED) => " --sandbox".to_owned(),
            ("no-shared-state", _) => match options.no_shared_state {
                true => " --no-shared-state".to_owned(),
                false => String::new(),
            },
            ("state", path) => format!(" --state {}", path_for_shell(Path::new(path))),
            ("sandbox", url) => format!(" --sandbox={}", for_shell(url)),
            (name, value) => format!(" --{name} {}", for_shell(value)),
        });
    }
    if let Some(file) = &options.config_file {
        flags.push_str(&format!(" --config {}", path_for_shell(file)));
    }
    let _ = FLAGS.set([flags, target]);
}

/// A path that leads to the same file from every folder.
fn path_for_shell(path: &Path) -> String {
    let whole = absolute(path);
    let whole = whole.as_deref().unwrap_or(path);
    for_shell(&whole.display().to_string())
}

/// The text with the flags of this process in each command that it names.
pub(super) fn pasteable(text: &str) -> Cow<'_, str> {
    match FLAGS.get() {
        Some(flags) if text.contains("bluegreen ") => with_flags(text, flags).into(),
        _ => text.into(),
    }
}

/// Puts the flags behind the command, or behind the deployment that it names.
fn with_flags(text: &str, [flags, target]: &[String; 2]) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("bluegreen ") {
        done.push_str(before);
        done.push_str("bluegreen ");
        rest = after;
        let command = rest.split(|c: char| !c.is_ascii_lowercase()).next();
        let command = command.unwrap_or_default();
        let releases = RELEASES.contains(&command);
        if !releases && !COMMANDS.contains(&command) {
            continue;
        }
        let mut length = command.len();
        if command == "fleet" {
            // The flags go behind what it does.
            let verb = rest[length..].strip_prefix(' ').unwrap_or_default();
            let verb = verb.split(|c: char| !c.is_ascii_lowercase()).next();
            length += verb
                .filter(|verb| !verb.is_empty())
                .map_or(0, |verb| 1 + verb.len());
        }
        let deployment = rest[length..].strip_prefix(' ').unwrap_or_default();
        let name = deployment
            .split(|c: char| !c.is_ascii_alphanumeric())
            .next();
        let is_id = |name: &str| name == "ID" || name.len() == 26 && name.starts_with('0');
        if let Some(name) = name.filter(|name| is_id(name)) {
            length += 1 + name.len();
        }
        done.push_str(&rest[..length]);
        // What the command says itself is not said again.
        let line = rest[length..].split(['\n', '`']).next().unwrap_or_default();
        for flag in flags.split(" --").skip(1) {
            let name = flag.split([' ', '=']).next().unwrap_or_default();
            let is_there = [" ", "="]
                .iter()
                .any(|end| line.contains(&format!("--{name}{end}")));
            if !is_there {
                done.push_str(" --");
                done.push_str(flag);
            }
        }
        if releases {
            done.push_str(target);
        }
        rest = &rest[length..];
    }
    done + rest
}

#[cfg(test)]
mod tests {
    use super::with_flags;

    #[test]
    fn every_command_gets_the_flags_where_it_can_be_pasted() {
        let id = "01JV1RT0A1W0R1D00000000000";
        for (text, expected) in [
            (
                format!("continue with: bluegreen resume {id}"),
                format!("continue with: bluegreen resume {id} --bucket b"),
            ),
            (
                format!("  bluegreen rollback {id} --test /x   rolls back"),
                format!("  bluegreen rollback {id} --bucket b --test /x   rolls back"),
            ),
            (
                "`bluegreen status --all` lists, `bluegreen wait ID` waits".to_owned(),
                "`bluegreen status --bucket b --all` lists, `bluegreen wait ID --bucket b` waits"
                    .to_owned(),
            ),
            (
                "again: bluegreen run --version-label v1".to_owned(),
                "again: bluegreen run --bucket b --app a --version-label v1".to_owned(),
            ),
            (
                "  bluegreen fleet resume fleet.toml".to_owned(),
                "  bluegreen fleet resume --bucket b fleet.toml".to_owned(),
            ),
            (
                format!("bluegreen status {id} --bucket c"),
                format!("bluegreen status {id} --bucket c"),
            ),
            (
                "use the newer bluegreen, or bluegreen sandbox".to_owned(),
                "use the newer bluegreen, or bluegreen sandbox".to_owned(),
            ),
        ] {
            let flags = [" --bucket b".to_owned(), " --app a".to_owned()];
            assert_eq!(with_flags(&text, &flags), expected);
        }
    }
}
