//! Names, keys and labels are of one line. CI systems read them from files and include the line
//! feed at their end.

use clap::Command;

/// The settings that are names, keys or labels, by clap's ids.
const NAMES: [&str; 10] = [
    "app",
    "blue",
    "green",
    "bucket",
    "region",
    "version_label",
    "s3_key",
    "hosted_zone_id",
    "alarms",
    "preview_host",
];

/// The command line with line feeds trimmed from names, keys and labels, wherever they come
/// from: flag, variable or file. Another control character in one is refused.
pub(crate) fn with_one_line(command: Command) -> Command {
    command
        .mut_args(|arg| {
            if !NAMES.contains(&arg.get_id().as_str()) {
                return arg;
            }
            let variable = arg
                .get_env()
                .map(|name| name.to_string_lossy().into_owned());
            arg.value_parser(move |text: &str| one_line(text, variable.as_deref()))
        })
        .mut_subcommands(with_one_line)
}

/// The text without line feeds at its edges.
fn one_line(text: &str, variable: Option<&str>) -> Result<String, String> {
    let line = text.trim_matches(['\r', '\n']);
    let Some(control) = line.chars().find(|c| c.is_control()) else {
        return Ok(line.to_owned());
    };
    let place = match variable {
        Some(name) => format!("the flag, the variable {name} or the file"),
        None => "the flag or the file".to_owned(),
    };
    Err(format!(
        "it holds the control character U+{:04X}, which no name, key or label may; see where \
         {place} gets it from",
        u32::from(control)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_feeds_at_the_edges_are_trimmed_and_control_characters_refused() {
        for text in ["main-1", "main-1\n", "main-1\r\n", "\nmain-1"] {
            assert_eq!(one_line(text, None).as_deref(), Ok("main-1"), "{text:?}");
        }
        for (text, point) in [
            ("a\tb", "U+0009"),
            ("a\nb", "U+000A"),
            ("a\u{1b}[31m", "U+001B"),
            ("a\u{85}", "U+0085"),
        ] {
            let why = one_line(text, Some("VERSION_LABEL")).expect_err(text);
            assert!(
                why.contains(point) && why.contains("VERSION_LABEL"),
                "{why}"
            );
        }
    }

    /// A name that is renamed must not slip through.
    #[test]
    fn every_name_is_a_setting() {
        let command = crate::cli::definition();
        let of = |command: &Command| -> Vec<String> {
            command
                .get_arguments()
                .map(|arg| arg.get_id().to_string())
                .collect()
        };
        let all: Vec<_> = std::iter::once(&command)
            .chain(command.get_subcommands())
            .flat_map(of)
            .collect();
        for name in NAMES {
            assert!(all.iter().any(|id| id == name), "{name}");
        }
    }
}
