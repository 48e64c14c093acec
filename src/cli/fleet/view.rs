//! What a person and a program see of a fleet while it runs.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::info;

use super::super::context::Context;
use super::super::exit::Exit;
use super::super::output::emit;
use super::super::screen::{Block, is_watched, remove_the_view};
use crate::clock::{Clock, Moment};
use crate::fleet::{FleetState, Member, Standing};
use crate::machine::Kind;
use crate::plan::Goal;
use crate::report::fleet::{Row, frame, progress, summary};
use crate::report::jsonl::Line;
use crate::shared::FleetRecord;

/// The targets of a fleet as this process has heard of them.
pub(super) struct Board {
    rows: Mutex<Vec<Row>>,
    /// The block of lines on a terminal; `None` where there is a log instead.
    block: Option<Block>,
}

impl Board {
    pub fn new(context: &Context, record: &FleetRecord) -> Board {
        let rows = record.members.iter().map(|member| Row {
            name: member.name.clone(),
            standing: member.standing,
            version: member.version.clone().unwrap_or_default(),
            state: None,
            since: None,
            note: member.why.clone().unwrap_or_default(),
        });
        let options = &context.options;
        Board {
            rows: Mutex::new(rows.collect()),
            block: is_watched(options).then(|| Block::new(options)),
        }
    }

    /// Whether a person watches the targets in place.
    pub fn is_drawn(&self) -> bool {
        self.block.is_some()
    }

    fn rows(&self) -> MutexGuard<'_, Vec<Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, number: usize, change: impl FnOnce(&mut Row)) {
        if let Some(row) = self.rows().get_mut(number) {
            change(row);
        }
    }

    /// The deployment of a target begins, or continues, in this process.
    pub fn begin(&self, number: usize, version: &str, kind: Kind, at: Moment) {
        self.change(number, |row| {
            row.standing = Standing::UnderWay;
            version.clone_into(&mut row.version);
            row.since = Some(at);
            row.state = Some((kind, at));
            row.note.clear();
        });
    }

    /// It has entered a state.
    pub fn enter(&self, number: usize, kind: Kind, at: Moment) {
        self.change(number, |row| row.state = Some((kind, at)));
    }

    /// What a target waits for.
    pub fn note(&self, number: usize, note: &str) {
        self.change(number, |row| note.clone_into(&mut row.note));
    }

    /// How the record says that the targets stand now.
    pub fn update(&self, record: &FleetRecord) {
        for (row, member) in self.rows().iter_mut().zip(&record.members) {
            if row.standing != member.standing {
                row.standing = member.standing;
                row.note = member.why.clone().unwrap_or_default();
                if member.standing != Standing::UnderWay {
                    row.state = None;
                }
            }
        }
    }

    /// Draws the targets in place, where a person watches.
    pub fn draw(&self, record: &FleetRecord, clock: &Clock) {
        if let Some(block) = &self.block {
            let rows = self.rows();
            block.draw_lines(|size| frame(record, &rows, clock.now(), size));
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        if self.block.is_some() {
            remove_the_view();
        }
    }
}

/// Says how far the fleet is, where nothing else happens.
pub(super) fn heartbeat(record: &FleetRecord) {
    info!("fleet {}: {}", record.name, progress(record));
}

/// Writes a JSON line of the fleet.
pub(super) fn emit_state(record: &FleetRecord, why: &str, exit_code: Option<u8>) {
    emit(|| Line::Fleet {
        of: summary(record),
        at: record.updated_at.to_string(),
        message: why.to_owned(),
        exit_code,
    });
}

/// The exit code of a command that has carried a fleet on: that of its worst target. `goal` is what
/// the operator wanted.
pub(super) fn exit_of(record: &FleetRecord, goal: Goal, paused: u8) -> Exit {
    let failed = record.members.iter().filter(|member| member.has_failed());
    let worst = failed.max_by_key(|member| member.standing.urgency());
    let returned = record.members.iter().any(Member::was_returned);
    match worst.map(|member| member.standing) {
        // Nothing was to be done there.
        Some(Standing::Refused | Standing::RolledBack) if goal == Goal::Previous => Exit::Completed,
        Some(Standing::Refused) => Exit::Refused,
        Some(Standing::RolledBack) => Exit::RolledBack,
        Some(Standing::Interrupted) => Exit::Interrupted,
        Some(Standing::Held) => Exit::Held,
        Some(Standing::Stuck) => Exit::Stuck,
        Some(Standing::Waiting | Standing::UnderWay | Standing::Completed) | None => {
            match record.state {
                FleetState::AwaitingApproval { .. } => Exit::Paused(paused),
                // Production was not well, and every target has its version.
                FleetState::Stopped { .. } => Exit::Stuck,
                _ if returned && goal == Goal::Release => Exit::RolledBack,
                _ => Exit::Completed,
            }
        }
    }
}
