//! What is heard of one target of a fleet while it is released.

use std::sync::{Arc, Mutex, PoisonError};

use tracing::{Level, error, info, warn};

use super::super::output::emit;
use super::view::Board;
use crate::clock::whole_seconds;
use crate::events::{DeploymentEvent, Happened, Listener};
use crate::report::events::line;
use crate::report::jsonl::Stream;
use crate::session::{Notice, Observer};
use crate::telemetry::Trace;

/// Hears what happens to one target.
pub(super) struct TargetConsole {
    name: String,
    number: usize,
    board: Arc<Board>,
    trace: Option<Arc<Trace>>,
    stream: Mutex<Option<Stream>>,
    /// The last wait that was logged.
    waits: Mutex<String>,
}

impl TargetConsole {
    pub fn new(
        (number, name): (usize, &str),
        board: Arc<Board>,
        trace: Option<Arc<Trace>>,
    ) -> TargetConsole {
        TargetConsole {
            name: name.to_owned(),
            number,
            board,
            trace,
            stream: Mutex::default(),
            waits: Mutex::default(),
        }
    }

    fn log(&self, level: Level, text: &str) {
        let name = &self.name;
        match level {
            Level::ERROR => error!("{name}: {text}"),
            Level::WARN => warn!("{name}: {text}"),
            // The table shows it.
            _ if self.board.is_drawn() => {}
            _ => info!("{name}: {text}"),
        }
    }

    fn log_news(&self, text: String) {
        let mut last = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != text {
            self.log(Level::INFO, &text);
            self.board.note(self.number, &text);
            *last = text;
        }
    }
}

impl Listener for TargetConsole {
    fn hear(&self, event: &DeploymentEvent) {
        if let Some(trace) = &self.trace {
            trace.hear(event);
        }
        let happened = &event.record.happened;
        let (level, text) = line(happened);
        if let Happened::StateEntered { to, .. } = happened {
            self.board.enter(self.number, *to, event.record.at);
            self.log(level.min(Level::INFO), &text);
        } else if level <= Level::WARN {
            self.log(level, &text);
        }
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stream) = &mut *stream {
            emit(|| stream.line(event));
        }
    }
}

impl Observer for TargetConsole {
    fn observe(&self, notice: Notice<'_>) {
        match notice {
            Notice::InQueue(error) => self.log_news(format!("waiting in the queue: {error}")),
            Notice::LeaseHeld { held, .. } => self.log_news(format!(
                "{}; waiting for at most {} to see whether it is renewed",
                held.lease.in_words(),
                whole_seconds(held.runs_out_in)
            )),
            Notice::LeaseUnanswered(error) => {
                self.log(
                    Level::WARN,
                    &format!("the lock cannot be taken for now: {error}"),
                );
            }
            Notice::CopyUnread(error) => self.log(
                Level::WARN,
                &format!(
                    "the copy in the bucket cannot be read, the journal here is used: {error}"
                ),
            ),
            Notice::AwsUnread(why) => {
                self.log(Level::WARN, &format!("AWS cannot be read for now: {why}"));
            }
            Notice::ProductionChanged { blue } => {
                self.log(Level::INFO, &format!("{blue} has changed since the checks"));
            }
            Notice::Begun(deployment) | Notice::GoingOn(deployment) => {
                if let Some(trace) = &self.trace {
                    trace.begin(deployment);
                }
                let (id, kind) = (&deployment.plan.id, deployment.state.kind());
                let version = deployment.plan.goal_version();
                let version = version.to_owned();
                self.board
                    .begin(self.number, &version, kind, deployment.entered_at);
                self.log(
                    Level::INFO,
                    &format!("deployment {id} puts {version} live, from {kind}"),
                );
                let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
                *stream = Some(Stream::new(deployment));
            }
            Notice::Claiming
            | Notice::AskedToRollBack { .. }
            | Notice::RunnerUnseen(_)
            | Notice::Ordering { .. } => {}
        }
    }
}
