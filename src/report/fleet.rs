//! A fleet as text, as JSON, and as the block of lines that a person watches. Pure.

use std::time::Duration;

use comfy_table::{Table, presets};
use console::Style;
use schemars::JsonSchema;
use serde::Serialize;

use crate::clock::{Moment, whole_seconds};
use crate::fleet::{FleetState, Member, Standing};
use crate::machine::Kind;
use crate::plan::Goal;
use crate::shared::FleetRecord;
use crate::text::{foreign, short};

/// The version of the JSON document. Within it members are only ever added.
pub const VERSION: u32 = 1;

/// The document of `fleet status --json`. Times are RFC 3339 in UTC.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FleetDocument {
    /// The version of the document: within it members are only ever added.
    version: u32,
    /// The fleet, as it stands.
    #[serde(flatten)]
    summary: FleetSummary,
    /// When it began.
    began_at: String,
    /// When its record was written last.
    updated_at: String,
    /// Whether it waits for an operator, or is over.
    rests: bool,
    /// Its waves in their order.
    waves: Vec<String>,
    /// Its targets.
    targets: Vec<TargetDocument>,
    /// How it came to its state.
    transitions: Vec<TransitionDocument>,
}

/// A fleet in short.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FleetSummary {
    /// Its name.
    fleet: String,
    /// Its state: `releasing`, `baking`, `awaiting_approval`, `stopped`, `rolling_back`, `completed`
    /// or `rolled_back`.
    state: &'static str,
    /// The wave that its state is about; none where that is of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    wave: Option<String>,
    /// How many targets it has.
    total: usize,
    /// How many of them run the version that it releases.
    completed: usize,
    /// How many are under way.
    under_way: usize,
    /// How many have not begun.
    waiting: usize,
    /// How many an operator has had returned to the version before.
    rolled_back: usize,
    /// How many were refused or interrupted, have rolled back or are held, or need a person.
    failed: usize,
}

/// One target of a fleet.
#[derive(Debug, Serialize, JsonSchema)]
struct TargetDocument {
    name: String,
    wave: String,
    region: Option<String>,
    application: String,
    blue: String,
    version: Option<String>,
    /// How it stands: `waiting`, `under way`, `completed`, `rolled back`, `held`, `stuck`,
    /// `refused` or `interrupted`.
    standing: &'static str,
    /// Its last deployment, which `bluegreen status ID` shows.
    deployment: Option<String>,
    /// The process that carries that out, where one does.
    worker: Option<String>,
    why: Option<String>,
}

/// A change of state of a fleet.
#[derive(Debug, Serialize, JsonSchema)]
struct TransitionDocument {
    to: &'static str,
    at: String,
    why: String,
}

/// The name of a state, as documents have it.
fn name(state: FleetState) -> &'static str {
    match state {
        FleetState::Releasing { .. } => "releasing",
        FleetState::Baking { .. } => "baking",
        FleetState::AwaitingApproval { .. } => "awaiting_approval",
        FleetState::Stopped { .. } => "stopped",
        FleetState::RollingBack { .. } => "rolling_back",
        FleetState::Completed => "completed",
        FleetState::RolledBack => "rolled_back",
    }
}

fn wave_name(record: &FleetRecord, wave: usize) -> String {
    let wave = record.plan.waves.get(wave);
    wave.map(|wave| wave.name.clone()).unwrap_or_default()
}

/// A fleet in short.
#[must_use]
pub fn summary(record: &FleetRecord) -> FleetSummary {
    let of = |is_meant: &dyn Fn(&Member) -> bool| {
        let meant = record.members.iter().filter(|member| is_meant(member));
        meant.count()
    };
    let stand = |standing: Standing| of(&|member: &Member| member.standing == standing);
    FleetSummary {
        fleet: record.name.clone(),
        state: name(record.state),
        wave: record.state.wave().map(|wave| wave_name(record, wave)),
        total: record.members.len(),
        completed: stand(Standing::Completed),
        under_way: stand(Standing::UnderWay),
        waiting: stand(Standing::Waiting),
        rolled_back: of(&|member: &Member| is_returned(record, member)),
        failed: of(&|member: &Member| member.has_failed() && !is_returned(record, member)),
    }
}

/// Whether a target is at the version before because an operator wants it there.
fn is_returned(record: &FleetRecord, member: &Member) -> bool {
    let is_ordered = matches!(
        record.state,
        FleetState::RollingBack { .. } | FleetState::RolledBack
    );
    member.was_returned() || is_ordered && member.standing == Standing::RolledBack
}

/// The document of `fleet status --json`.
#[must_use]
pub fn document(record: &FleetRecord) -> FleetDocument {
    let target = |member: &Member| TargetDocument {
        name: member.name.clone(),
        wave: wave_name(record, member.wave),
        region: member.region.clone(),
        application: member.application.clone(),
        blue: member.blue.clone(),
        version: member.version.clone(),
        standing: member.standing.in_words(),
        deployment: member.attempt.as_ref().map(|a| a.deployment.clone()),
        worker: member.attempt.as_ref().and_then(|a| a.worker.clone()),
        why: member.why.clone(),
    };
    FleetDocument {
        version: VERSION,
        summary: summary(record),
        began_at: record.began_at.to_string(),
        updated_at: record.updated_at.to_string(),
        rests: record.state.rests(),
        waves: record.plan.waves.iter().map(|w| w.name.clone()).collect(),
        targets: record.members.iter().map(target).collect(),
        transitions: record
            .transitions
            .iter()
            .map(|transition| TransitionDocument {
                to: name(transition.to),
                at: transition.at.to_string(),
                why: transition.why.clone(),
            })
            .collect(),
    }
}

/// Where the users of a fleet are, in a sentence.
#[must_use]
pub fn users(record: &FleetRecord) -> String {
    let of = record.members.len();
    let count = |standing: Standing| {
        let same = record.members.iter().filter(|m| m.standing == standing);
        same.count()
    };
    let released = count(Standing::Completed);
    let mut text = format!("Users: on the new version at {released} of {}", targets(of));
    let untouched = count(Standing::Waiting) + count(Standing::Refused);
    for (number, what) in [
        (count(Standing::UnderWay), "under way"),
        (untouched, "as before"),
        (
            count(Standing::RolledBack),
            "returned to the version before",
        ),
        (count(Standing::Interrupted), "interrupted"),
        (count(Standing::Held), "held on green"),
        (count(Standing::Stuck), "stuck: a person must act"),
    ] {
        if number > 0 {
            text.push_str(&format!(", {number} {what}"));
        }
    }
    text
}

fn targets(count: usize) -> String {
    match count {
        1 => "1 target".to_owned(),
        count => format!("{count} targets"),
    }
}

/// How far a fleet is, in a sentence.
#[must_use]
pub fn progress(record: &FleetRecord) -> String {
    let waves = record.plan.waves.len();
    let of = |wave: usize| {
        let number = wave.saturating_add(1);
        format!("wave {} ({number} of {waves})", wave_name(record, wave))
    };
    let state = match record.state {
        FleetState::Releasing { wave } => format!("releasing {}", of(wave)),
        FleetState::Baking { wave, .. } => format!("watching {} after its release", of(wave)),
        FleetState::AwaitingApproval { wave } => format!("waiting for an approval of {}", of(wave)),
        FleetState::Stopped { wave } => format!("stopped in {}", of(wave)),
        FleetState::RollingBack { wave: None } => "rolling back".to_owned(),
        FleetState::RollingBack { wave: Some(wave) } => format!("rolling back {}", of(wave)),
        FleetState::Completed => "completed".to_owned(),
        FleetState::RolledBack => "rolled back".to_owned(),
    };
    let summary = summary(record);
    let mut text = format!(
        "{state}: {} of {} released",
        summary.completed,
        targets(summary.total)
    );
    for (number, what) in [
        (summary.under_way, "under way"),
        (summary.waiting, "waiting"),
        (summary.rolled_back, "rolled back"),
        (summary.failed, "failed"),
    ] {
        if number > 0 {
            text.push_str(&format!(", {number} {what}"));
        }
    }
    text
}

/// A fleet for people: where its users are, its targets, how it stands, and what leads on. `place`
/// are the flags with which a target's deployment is found.
#[must_use]
pub fn story(record: &FleetRecord, file: &str, place: &dyn Fn(&Member) -> String) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([
        "TARGET",
        "WAVE",
        "STANDING",
        "RELEASES",
        "DEPLOYMENT",
    ]);
    for member in &record.members {
        let attempt = member.attempt.as_ref();
        let stands = match attempt.map(|attempt| attempt.goal) {
            Some(Goal::Previous) if member.standing == Standing::UnderWay => "rolling back",
            _ => member.standing.in_words(),
        };
        table.add_row([
            foreign(&member.name),
            foreign(&wave_name(record, member.wave)),
            stands.to_owned(),
            foreign(member.version.as_deref().unwrap_or("the newest")),
            attempt.map(|a| a.deployment.clone()).unwrap_or_default(),
        ]);
    }
    let mut lines = vec![users(record), String::new(), trimmed(&table)];
    let whys = record.members.iter().filter_map(|member| {
        let why = member.why.as_ref()?;
        Some(format!("{}: {}", foreign(&member.name), foreign(why)))
    });
    let whys: Vec<_> = whys.collect();
    if !whys.is_empty() {
        lines.push(String::new());
        lines.extend(whys);
    }
    lines.push(String::new());
    let why = record.transitions.last().map(|last| last.why.as_str());
    let mut stands = format!("Fleet {} is {}", foreign(&record.name), progress(record));
    if let Some(why) = why.filter(|_| record.state.rests()) {
        stands.push_str(&format!(" ({})", foreign(why)));
    }
    lines.push(stands);
    lines.extend(leads_on(record, file, place));
    lines.join("\n")
}

fn trimmed(table: &Table) -> String {
    let lines = table.lines();
    let lines: Vec<_> = lines.map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// The commands that lead on; `place` are the flags with which a target's deployment is found.
fn leads_on(record: &FleetRecord, file: &str, place: &dyn Fn(&Member) -> String) -> Vec<String> {
    let waits = |member: &&Member| matches!(member.standing, Standing::Held | Standing::Stuck);
    let persons = record.members.iter().filter(waits).filter_map(|member| {
        let id = &member.attempt.as_ref()?.deployment;
        let (place, name) = (place(member), foreign(&member.name));
        let stands = member.standing.in_words();
        Some(format!(
            "  bluegreen status {id}{place}   # {name} is {stands}"
        ))
    });
    let persons: Vec<_> = persons.collect();
    let begins_again = |member: &Member| {
        member.standing.begins_again() || member.standing == Standing::Interrupted
    };
    let resumes = match record.state {
        FleetState::AwaitingApproval { .. } => Some("approves the next wave"),
        FleetState::Releasing { .. }
        | FleetState::Baking { .. }
        | FleetState::RollingBack { .. } => Some("continues it where no process does"),
        FleetState::Stopped { .. } | FleetState::Completed
            if record.members.iter().any(begins_again) =>
        {
            Some("begins again what was refused or has rolled back")
        }
        FleetState::Stopped { .. } if persons.is_empty() => Some("continues it all the same"),
        FleetState::Stopped { .. } => Some("continues it once those above are seen to"),
        FleetState::Completed | FleetState::RolledBack => None,
    };
    let resumes = resumes.map(|what| format!("  bluegreen fleet resume {file}   # {what}"));
    let is_under_way = matches!(record.state, FleetState::RollingBack { .. });
    let undoes = (!is_under_way && record.members.iter().any(Member::is_to_undo)).then(|| {
        format!(
            "  bluegreen fleet rollback {file}   # returns what was released to the version before"
        )
    });
    persons.into_iter().chain(resumes).chain(undoes).collect()
}

/// A target as the view shows it.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub standing: Standing,
    /// The version that goes live on it, where its deployment has begun.
    pub version: String,
    /// The state of its deployment, and since when.
    pub state: Option<(Kind, Moment)>,
    /// When its deployment began, as far as this process knows.
    pub since: Option<Moment>,
    /// What it waits for, or why it stands so.
    pub note: String,
}

/// The block of lines that a person watches, for a terminal of this width and height.
#[must_use]
pub fn frame(
    record: &FleetRecord,
    rows: &[Row],
    now: Moment,
    (width, height): (usize, usize),
) -> Vec<String> {
    // A text that is cut is one character longer.
    let cut = |text: &str| short(text, width.saturating_sub(1));
    let bold = Style::new().force_styling(true).bold();
    let dim = Style::new().force_styling(true).dim();
    let head = format!(
        "{}  {}  {}",
        foreign(&record.name),
        progress(record),
        whole_seconds(now.since(record.began_at))
    );
    let mut lines = vec![bold.apply_to(cut(&head)).to_string(), cut(&users(record))];
    let mut shown: Vec<&Row> = rows.iter().collect();
    // What happens and what failed first; what is over last.
    shown.sort_by_key(|row| match row.standing {
        Standing::UnderWay => 0,
        standing if standing.is_failure() => 1,
        Standing::Waiting => 2,
        _ => 3,
    });
    let room = height.saturating_sub(lines.len() + 1).max(1);
    let longest = shown.iter().map(|row| row.name.chars().count()).max();
    let longest = longest.unwrap_or(0).min(width / 3);
    for row in shown.iter().take(room) {
        let text = format!(
            "  {}",
            short(&of_row(row, longest, now), width.saturating_sub(3))
        );
        lines.push(match row.standing {
            Standing::UnderWay => text,
            standing if standing.is_failure() => {
                let style = Style::new().force_styling(true).red();
                style.apply_to(text).to_string()
            }
            _ => dim.apply_to(text).to_string(),
        });
    }
    let more = shown.len().saturating_sub(room);
    if more > 0 {
        lines.push(dim.apply_to(format!("  and {more} more")).to_string());
    }
    lines
}

fn of_row(row: &Row, longest: usize, now: Moment) -> String {
    let name = match row.name.chars().count() > longest {
        true => short(&row.name, longest.saturating_sub(1)),
        false => foreign(&row.name),
    };
    let name = format!("{name:longest$}");
    let text = match (row.standing, row.state) {
        (Standing::UnderWay, Some((kind, since))) => {
            let (of_state, of_all) = (now.since(since), row.since.map(|since| now.since(since)));
            let all = of_all.map(|all| format!(" of {}", minutes(all)));
            format!(
                "{name}  {:<16} {}{}  {}",
                kind.to_string(),
                minutes(of_state),
                all.unwrap_or_default(),
                row.version
            )
        }
        (standing, _) => format!("{name}  {:<16} {}", standing.in_words(), row.version),
    };
    match row.note.is_empty() {
        true => text.trim_end().to_owned(),
        false => format!("{}  {}", text.trim_end(), foreign(&row.note)),
    }
}

/// A duration as minutes and seconds, as in `3:07`.
fn minutes(span: Duration) -> String {
    format!("{}:{:02}", span.as_secs() / 60, span.as_secs() % 60)
}
