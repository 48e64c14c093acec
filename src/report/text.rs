//! Reports for people.

use comfy_table::Table;
use comfy_table::presets;

use super::events::line;
use super::{Entry, leads_on, serving};
use crate::clock::{Moment, whole_seconds};
use crate::deployment::{DeployWarning, Deployment};
use crate::machine::Cause;
use crate::store::{Output, Transition};
use crate::text::{foreign, on_one_line, short};

/// What happened, stage by stage, where it ended, and what leads on.
#[must_use]
pub fn story(deployment: &Deployment, transitions: &[Transition]) -> String {
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
            foreign(&transition.why),
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
    let mut lines = vec![format!(
        "{} after {}: {}",
        deployment.state.kind(),
        span(deployment.started_at, deployment.updated_at),
        deployment.meaning()
    )];
    for allowed in &plan.allowed {
        lines.push(format!(
            "Allowed: {}, although {}",
            allowed.check, allowed.evidence
        ));
    }
    if let Some(cause) = deployment.state.cause() {
        lines.push(format!("Why: {}", deployment.told(cause)));
    }
    if let Some(why) = &deployment.uncounted {
        lines.push(format!(
            "Requests: nobody counts them ({why}); an environment that production left drains by \
             time alone"
        ));
    }
    lines.extend(warnings(deployment));
    // Names and reasons are somebody else's; a command is whole or of no use.
    let told = lines.iter().map(|line| foreign(line));
    let commands = leads_on(deployment).into_iter();
    let commands = commands.map(|command| format!("  {}", on_one_line(&command)));
    let first = [foreign(&title), table.trim_fmt()];
    first
        .into_iter()
        .chain(told)
        .chain(commands)
        .collect::<Vec<_>>()
        .join("\n")
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

/// The deployments as a table; with their stories where `details` is set.
#[must_use]
pub fn table(entries: &[Entry], details: bool) -> String {
    if entries.is_empty() {
        return "No deployment is in flight.".to_owned();
    }
    if details {
        let stories = entries.iter().map(|entry| {
            let mut story = story(&entry.deployment, &entry.transitions);
            for output in &entry.outputs {
                story.push_str(&said(output));
            }
            if !entry.events.is_empty() {
                story.push_str("\n\nEvents:");
            }
            for event in &entry.events {
                let (_, text) = line(&event.happened);
                story.push_str(&format!("\n  {}  {}", event.at, foreign(&text)));
            }
            if let Some(lease) = entry.lease.as_ref().filter(|l| l.holder.is_some()) {
                story.push_str(&format!("\nRunner: {}", lease.in_words()));
            }
            story
        });
        return stories.collect::<Vec<_>>().join("\n\n");
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([
        "ID",
        "STATE",
        "SERVING",
        "APPLICATION",
        "BLUE",
        "VERSION",
        "PREVIOUS",
        "UPDATED",
    ]);
    for entry in entries {
        let deployment = &entry.deployment;
        let plan = &deployment.plan;
        let cells = [
            plan.id.clone(),
            deployment.state.kind().to_string(),
            serving(entry).map_or_else(|| "?".to_owned(), |role| role.to_string()),
            plan.target.application.clone(),
            plan.target.blue.clone(),
            plan.version.clone(),
            plan.previous_version.clone(),
            deployment.updated_at.to_string(),
        ];
        table.add_row(cells.map(|cell| foreign(&cell)));
    }
    table.trim_fmt()
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
