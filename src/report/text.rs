//! Reports for people.

use comfy_table::Table;
use comfy_table::presets;

use super::events::line;
use super::{Entry, leads_on, left_because, report_url};
use crate::clock::{Moment, whole_seconds};
use crate::deployment::{DeployWarning, Deployment};
use crate::machine::Cause;
use crate::store::Output;
use crate::text::{foreign, on_one_line, short};

/// Where users are, what happened, and what leads on; then the stages.
#[must_use]
pub fn story(entry: &Entry) -> String {
    let Entry {
        deployment,
        transitions,
        ..
    } = entry;
    let plan = &deployment.plan;
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["STAGE", "TOOK", "LEFT BECAUSE"]);
    let mut began = deployment.started_at;
    for transition in transitions {
        table.add_row([
            foreign(&transition.from),
            span(began, transition.at),
            foreign(&left_because(entry, transition)),
        ]);
        began = transition.at;
    }
    let of = format!("{} of {}", plan.target.blue, plan.target.application);
    let title = match plan.rehearses() {
        true => format!(
            "Rehearsal {} of {} on {}, a clone of {of}, which runs {}",
            plan.id, plan.version, plan.green, plan.previous_version
        ),
        false => format!(
            "Deployment {}: {of} from {} to {}",
            plan.id, plan.previous_version, plan.version
        ),
    };
    let mut lines = vec![
        format!("Users: {}", entry.users()),
        format!(
            "{} after {}: {}",
            deployment.state.kind(),
            span(deployment.started_at, deployment.updated_at),
            deployment.meaning()
        ),
    ];
    lines.extend(interruption(entry));
    if let Some(cause) = deployment.state.cause() {
        lines.push(format!("Why: {}", deployment.told(cause)));
    }
    let told = lines.len();
    let evidence = entry.evidence().into_iter().chain(entry.outside());
    lines.extend(evidence.map(|event| {
        let (_, text) = line(&event.happened);
        format!("{}  {text}", event.at)
    }));
    if let Some(log) = entry.engine_log() {
        let (_, text) = line(log);
        lines.extend(text.lines().map(str::to_owned));
    }
    let evidence = told..lines.len();
    if let Some(url) = entry.console() {
        lines.push(format!("Console: {url}"));
    }
    if let Some((url, name)) = entry.under_test() {
        lines.push(format!("Under test: {url} ({name})"));
    }
    if let Some(url) = report_url(deployment) {
        lines.push(format!("Report: {url}"));
    }
    // Names and reasons are somebody else's; a command is whole or of no use.
    let foreign_lines =
        |lines: Vec<String>| lines.iter().map(|line| foreign(line)).collect::<Vec<_>>();
    let mut parts = foreign_lines(lines);
    for line in &mut parts[evidence] {
        line.insert_str(0, "  ");
    }
    let commands = leads_on(entry).into_iter();
    parts.extend(commands.map(|command| whole_line(&command)));
    parts.extend([String::new(), foreign(&title), table.trim_fmt()]);
    let mut lines = Vec::new();
    for allowed in &plan.allowed {
        lines.push(format!(
            "Allowed: {}, although {}",
            allowed.check, allowed.evidence
        ));
    }
    if let Some(why) = &deployment.uncounted {
        lines.push(format!(
            "Requests: nobody counts them ({why}); an environment that production left drains by \
             time alone"
        ));
    }
    lines.extend(warnings(deployment));
    parts.extend(foreign_lines(lines));
    parts.join("\n")
}

/// Since when nobody carries a deployment on, and who did.
fn interruption(entry: &Entry) -> Option<String> {
    if !entry.is_interrupted() {
        return None;
    }
    let lease = entry.lease.as_ref();
    Some(
        match lease.and_then(|lease| Some((lease, lease.holder.as_ref()?))) {
            Some((lease, holder)) => format!(
                "Interrupted: no process carries it on; {holder} did, and was last heard of at {}",
                lease.renewed_at
            ),
            None => format!(
                "Interrupted: no process carries it on since its last checkpoint at {}",
                entry.deployment.updated_at
            ),
        },
    )
}

/// The warnings among the events of the deploy, except the one that is shown as the cause of its
/// failure.
fn warnings(deployment: &Deployment) -> Vec<String> {
    if matches!(deployment.state.cause(), Some(Cause::DeployFailed { .. })) {
        return Vec::new();
    }
    let warnings = deployment.deploy_warnings.iter();
    let shown = |warning: &DeployWarning| {
        let said = short(&warning.message, LINE_CHARS_MAX);
        format!("Deploy event: {} {said}", warning.severity)
    };
    warnings.map(shown).collect()
}

/// The deployments with their stories.
#[must_use]
pub fn stories(entries: &[Entry]) -> String {
    let stories = entries.iter().map(|entry| {
        let mut story = story(entry);
        for output in &entry.outputs {
            story.push_str(&said(output));
        }
        let shown = entry.events.iter().filter(|_| entry.shows_events);
        if shown.clone().next().is_some() {
            story.push_str("\n\nEvents:");
        }
        for event in shown {
            let (_, text) = line(&event.happened);
            story.push_str(&format!("\n  {}  {}", event.at, foreign(&text)));
        }
        let lease = entry.lease.as_ref().filter(|l| l.holder.is_some());
        if let Some(lease) = lease.filter(|_| !entry.is_interrupted()) {
            story.push_str(&format!("\nRunner: {}", lease.in_words()));
        }
        story
    });
    stories.collect::<Vec<_>>().join("\n\n")
}

/// The deployments as a table.
fn table(entries: &[Entry]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([
        "ID",
        "STATE",
        "SERVING",
        "APPLICATION",
        "BLUE",
        "FROM",
        "TO",
        "UPDATED",
    ]);
    for entry in entries {
        let deployment = &entry.deployment;
        let plan = &deployment.plan;
        // What is over is shown as what it was to release.
        let (from, to) = match deployment.state.is_end() {
            true => (plan.previous_version.as_str(), plan.version.as_str()),
            false => plan.from_to(),
        };
        let mut state = deployment.state.kind().to_string();
        if plan.rehearses() {
            state.push_str(", a rehearsal");
        }
        if entry.is_interrupted() {
            state.push_str(", interrupted");
        }
        let cells = [
            plan.id.clone(),
            state,
            entry
                .users()
                .on
                .map_or_else(|| "?".to_owned(), |role| role.to_string()),
            plan.target.application.clone(),
            plan.target.blue.clone(),
            from.to_owned(),
            to.to_owned(),
            deployment.updated_at.to_string(),
        ];
        table.add_row(cells.map(|cell| foreign(&cell)));
    }
    table.trim_fmt()
}

/// A command that leads on, as a line that a shell takes whole: what it does is a comment.
fn whole_line(command: &str) -> String {
    format!("  {}", on_one_line(command).replacen("   ", "   # ", 1))
}

/// Where the users of each target are, then the deployments, the most urgent first, each with what
/// leads on.
#[must_use]
pub fn overview(entries: &[Entry]) -> String {
    let users = |entry: &Entry| {
        let blue = &entry.deployment.plan.target.blue;
        let of = match entries.len() {
            1 => String::new(),
            _ => format!(" of {blue}"),
        };
        foreign(&format!("Users{of}: {}", entry.users()))
    };
    // What an older deployment knows of the same target is no news.
    let is_newest = |entry: &&Entry| {
        let plan = &entry.deployment.plan;
        let of_target = entries.iter().map(|other| &other.deployment.plan);
        let mut later = of_target.filter(|other| other.target == plan.target);
        later.all(|other| other.id <= plan.id)
    };
    let mut lines: Vec<_> = entries.iter().filter(is_newest).map(users).collect();
    lines.push(table(entries));
    for entry in entries.iter().filter(|entry| entry.urgency() > 0) {
        if let Some(cause) = entry.deployment.state.cause() {
            lines.push(foreign(&format!("Why: {}", entry.deployment.told(cause))));
        }
        let commands = leads_on(entry);
        lines.extend(commands.iter().map(|command| whole_line(command)));
    }
    lines.join("\n")
}

/// How many lines of an output are shown to people.
const LINES_SHOWN: usize = 3;

/// How a command ended and its last lines; the JSON document holds all of them.
fn said(output: &Output) -> String {
    let lines: Vec<_> = output.output.lines().collect();
    let shown = &lines[lines.len().saturating_sub(LINES_SHOWN)..];
    let mut text = format!(
        "\n{}: {} at {}",
        foreign(&output.what),
        foreign(&output.ended.to_string()),
        output.at
    );
    if shown.len() < lines.len() {
        text.push_str(&format!(", after {} lines", lines.len()));
    }
    for line in shown {
        text.push_str(&format!("\n  | {}", short(line, LINE_CHARS_MAX)));
    }
    text
}

/// How many characters of a line are shown.
const LINE_CHARS_MAX: usize = 160;

fn span(from: Moment, to: Moment) -> String {
    whole_seconds(to.since(from)).to_string()
}
