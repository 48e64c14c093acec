//! What happens in a deployment and how a command ends, as JSON: one object a line.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::events::line;
use super::fleet::FleetSummary;
use super::{Entry, Item, happened, item};
use crate::clock::Moment;
use crate::deployment::Deployment;
use crate::events::{DeploymentEvent, Happened};
use crate::machine::Kind;
use crate::plan::Target;

/// The version of the lines. Within it members and types are only ever added.
pub const VERSION: u32 = 1;

/// One line of `--output jsonl`. Times are RFC 3339 in UTC, durations seconds.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line<'a> {
    /// The first line.
    Version {
        /// The version of the lines: within it members and types are only ever added.
        output: u32,
        /// The version of the program.
        bluegreen: &'a str,
    },
    /// Something happened in the deployment.
    Event {
        /// The deployment.
        #[serde(flatten)]
        of: Subject,
        /// When, by the deployment's own clock.
        at: String,
        /// Counts the events of the deployment.
        sequence: u64,
        /// `debug`, `info`, `warn` or `error`.
        level: String,
        /// The event in a sentence.
        message: String,
        /// The event as data.
        #[schemars(with = "Happened")]
        event: Value,
    },
    /// A fleet has changed its state, or one of its targets has come to rest. The last line of a
    /// fleet's command has its exit code.
    Fleet {
        /// The fleet, as it stands.
        #[serde(flatten)]
        of: FleetSummary,
        /// When.
        at: String,
        /// What has happened, in a sentence.
        message: String,
        /// The exit code of the command, in its last line.
        #[serde(skip_serializing_if = "Option::is_none")]
        exit_code: Option<u8>,
    },
    /// The command failed. It is the last line.
    Error {
        /// The deployment, where there is one.
        #[serde(flatten)]
        of: Option<Subject>,
        /// The exit code of the command.
        exit_code: u8,
        /// What happened.
        message: &'a str,
        /// What to do now.
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<&'a str>,
        /// Where users are, where the command knows it.
        #[serde(skip_serializing_if = "Option::is_none")]
        users: Option<&'a str>,
    },
    /// A deployment rests, or the command had nothing to do.
    Outcome {
        /// The deployment; none where the command changed nothing.
        #[serde(flatten)]
        of: Option<Subject>,
        /// The exit code of the command.
        exit_code: u8,
        /// Where it stands, in a sentence.
        message: &'a str,
        /// The deployment, as `bluegreen status --json` shows it.
        #[serde(skip_serializing_if = "Option::is_none")]
        deployment: Option<Box<Item<'a>>>,
    },
}

/// The deployment that a line is about, as it stood then.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Subject {
    /// Its id.
    id: String,
    /// Where it runs.
    target: Target,
    /// The version that goes live: the one to release, or the one before it while rolling back.
    version: String,
    /// Its state.
    state: Kind,
    /// How long it has been under way, in seconds.
    elapsed: f64,
}

impl Subject {
    /// The subject of a line about a deployment as it stood at a moment.
    #[must_use]
    pub fn of(deployment: &Deployment, at: Moment) -> Subject {
        Subject {
            id: deployment.plan.id.clone(),
            target: deployment.plan.target.clone(),
            version: deployment.plan.goal_version().to_owned(),
            state: deployment.state.kind(),
            elapsed: at.since(deployment.started_at).as_secs_f64(),
        }
    }
}

/// Makes a line of each event of one deployment.
#[derive(Clone, Debug)]
pub struct Stream {
    state: Kind,
    started_at: Moment,
}

impl Stream {
    /// The lines of a deployment that begins, or continues, in this process.
    #[must_use]
    pub fn new(deployment: &Deployment) -> Stream {
        Stream {
            state: deployment.state.kind(),
            started_at: deployment.started_at,
        }
    }

    /// The line of an event.
    pub fn line<'a>(&mut self, event: &DeploymentEvent) -> Line<'a> {
        let record = &event.record;
        if let Happened::StateEntered { to, .. } = &record.happened {
            self.state = *to;
        }
        let (level, message) = line(&record.happened);
        Line::Event {
            of: Subject {
                id: event.deployment.clone(),
                target: event.target.clone(),
                version: record.version.clone(),
                state: self.state,
                elapsed: record.at.since(self.started_at).as_secs_f64(),
            },
            at: record.at.to_string(),
            sequence: record.sequence,
            level: level.to_string().to_lowercase(),
            message,
            event: happened(&record.happened),
        }
    }
}

/// The last line of a command that has carried a deployment on.
#[must_use]
pub fn outcome<'a>(entry: &'a Entry, exit_code: u8, message: &'a str) -> Line<'a> {
    let deployment = &entry.deployment;
    Line::Outcome {
        of: Some(Subject::of(deployment, deployment.updated_at)),
        exit_code,
        message,
        deployment: Some(Box::new(item(entry))),
    }
}

impl Line<'_> {
    /// The line, without its line break.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("a line is plain strings and numbers")
    }
}
