//! The flags that a CI system needs.

use clap::{Args, ValueEnum};

/// What a CI system learns, and when its job ends.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct CiFlags {
    /// Exit code of a deployment that pauses as configured: 0, 4 to 9, or 30 to 63
    #[arg(
        long,
        env = "BLUEGREEN_EXIT_CODE_PAUSED",
        global = true,
        value_name = "CODE",
        default_value_t = 0,
        value_parser = exit_code
    )]
    pub exit_code_paused: u8,
    /// End at a pause, instead of waiting there for --approve-url; `bluegreen resume` continues
    #[arg(
        long,
        env = "BLUEGREEN_DETACH_AT",
        global = true,
        value_enum,
        value_name = "WHEN"
    )]
    pub detach_at: Option<DetachAt>,
}

/// The form of what is printed where a command carries a deployment on.
#[derive(Args, Clone, Copy, Debug, Default)]
#[group(skip)]
pub struct OutputFlag {
    /// Format of standard output
    #[arg(
        long,
        env = "BLUEGREEN_OUTPUT",
        value_enum,
        value_name = "FORMAT",
        default_value_t
    )]
    pub output: OutputFormat,
}

/// The value of `--output`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line: what happens, and how it ends
    Jsonl,
}

/// The value of `--detach-at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DetachAt {
    /// Where the deployment pauses before a swap
    Pause,
}

/// An exit code that means nothing else: neither to bluegreen nor to a shell.
fn exit_code(text: &str) -> Result<u8, String> {
    let code = text.parse().ok();
    let is_free = |code: &u8| matches!(code, 0 | 4..=9 | 30..=63);
    code.filter(is_free).ok_or_else(|| {
        "expected 0, 4 to 9, or 30 to 63: the others have a meaning of their own".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::exit_code;

    #[test]
    fn the_exit_code_of_a_pause_is_that_of_nothing_else() {
        for (text, expected) in [("0", Some(0)), ("4", Some(4)), ("63", Some(63))] {
            assert_eq!(exit_code(text).ok(), expected);
        }
        for taken in [
            "1", "2", "3", "10", "14", "20", "75", "126", "255", "256", "-1", "", "x",
        ] {
            assert!(exit_code(taken).is_err(), "{taken}");
        }
    }
}
