//! A command of the operator's and its result, as data.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::short;

/// How much of a command's output is kept: its last bytes.
pub const OUTPUT_BYTES_MAX: usize = 64 * 1024;

/// How many characters of a command's last line bluegreen reports.
const LINE_CHARS_MAX: usize = 200;

/// A command to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// What `sh -c` runs.
    pub command: String,
    /// Variables beside those of this process.
    pub variables: Vec<(String, String)>,
    /// What it reads on its standard input.
    pub input: Vec<u8>,
    /// How long it may take.
    pub limit: Duration,
    /// The variables whose values are left out of its output whatever they are named: those
    /// that tests refer to.
    pub secret: Vec<String>,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// How it ended.
    pub end: End,
    /// The last [`OUTPUT_BYTES_MAX`] bytes of its standard output and error, in the order
    /// in which they were written, without [secrets](crate::secrets::Secrets).
    pub output: String,
    /// How long it took.
    pub lasted: Duration,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// By itself, with this exit code.
    Exited(i32),
    /// By this signal, which was not of this process.
    Signalled(i32),
    /// It was stopped at its limit.
    OverLimit(Duration),
    /// It could not be started, or not be waited for.
    Failed(String),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Exited(code) => write!(f, "exit code {code}"),
            End::Signalled(signal) => write!(f, "killed by signal {signal}"),
            End::OverLimit(limit) => write!(
                f,
                "stopped after its limit of {}",
                humantime::format_duration(*limit)
            ),
            End::Failed(why) => write!(f, "it could not be run: {why}"),
        }
    }
}

impl End {
    /// Whether it ended by itself with exit code 0.
    #[must_use]
    pub fn is_success(&self) -> bool {
        *self == End::Exited(0)
    }
}

impl Ran {
    /// Whether it ended by itself with exit code 0.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.end.is_success()
    }

    /// How it ended and the last line that it said.
    #[must_use]
    pub fn in_words(&self) -> String {
        let mut lines = self.output.lines().rev().map(str::trim);
        match lines.find(|line| !line.is_empty()) {
            Some(line) => format!("{}: {}", self.end, short(line, LINE_CHARS_MAX)),
            None => self.end.to_string(),
        }
    }
}
