//! What a report says of a deployment, from what its journal keeps.

use std::time::Duration;

use serde::Serialize;
use tracing::Level;

use super::axis::{Axis, Place, Tick, clock};
use super::chart::{BLUE, GREEN, Line, SIZES, chart};
use super::probes::{self, Probes};
use crate::clock::{Moment, whole_seconds};
use crate::command::End;
use crate::deployment::Deployment;
use crate::events::{EventRecord, Happened, Poll};
use crate::machine::Kind;
use crate::plan::{Role, Strategy};
use crate::report::events::line;
use crate::report::{Entry, kind, leads_on, left_because};
use crate::users::Users;

/// All that a report shows.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// The deployment's id.
    pub id: String,
    /// Which version is released, and where.
    pub title: String,
    /// How it stands.
    pub outcome: Outcome,
    /// The plan and its target, as names and values.
    pub facts: Vec<(String, String)>,
    /// The moments that tell the story.
    pub story: Vec<Chapter>,
    /// The named moments of the axis.
    pub ticks: Vec<Tick>,
    /// The rests that the axis folds.
    pub folds: Vec<Place>,
    /// Which environment had the users when.
    pub served: Vec<Served>,
    /// When no process polled.
    pub unseen: Vec<Place>,
    /// The stages in their order.
    pub stages: Vec<Stage>,
    /// Blue and green.
    pub environments: Vec<Environment>,
    /// The requests a minute of both, at each size.
    pub requests: Vec<String>,
    /// What requests of the run's own to production came to.
    pub probes: Option<Probes>,
    /// What failed a test, and which commands tested.
    pub tests: Vec<Row>,
    /// The hooks that ran.
    pub hooks: Vec<Row>,
    /// In what green differed from blue, and what others changed.
    pub differences: Vec<Row>,
    /// What operators ordered, and which processes ran it.
    pub operators: Vec<Row>,
    /// Everything else that the log warned of.
    pub warnings: Vec<Row>,
    /// What commands printed.
    pub outputs: Vec<Printed>,
    /// The commands that lead on, each with what it does.
    pub commands: Vec<(String, String)>,
    /// Where the console shows what failed.
    pub console: Option<String>,
}

/// How a deployment stands.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Its state.
    pub state: String,
    /// `good`, `warn`, `bad` or `busy`.
    pub tone: &'static str,
    /// What the state means.
    pub meaning: String,
    /// Where users are.
    pub users: String,
    /// Why it stands there, where something failed.
    pub why: Option<String>,
    /// How long it took so far.
    pub took: String,
}

/// A moment of the story.
#[derive(Clone, Debug, Serialize)]
pub struct Chapter {
    /// The time of the day.
    pub at: String,
    /// `good`, `warn`, `bad` or `busy`.
    pub tone: &'static str,
    /// What happened.
    pub text: String,
}

/// A span in which one environment had the users.
#[derive(Clone, Debug, Serialize)]
pub struct Served {
    /// Where it stands.
    pub place: Place,
    /// `blue`, `green`, or `none` where neither had them.
    pub role: String,
    /// The environment's name.
    pub environment: String,
    /// The version that it ran.
    pub version: String,
    /// From when to when, and how long.
    pub span: String,
}

/// A stage of the deployment.
#[derive(Clone, Debug, Serialize)]
pub struct Stage {
    /// The state.
    pub state: String,
    /// `work`, `wait`, `person` or `back`.
    pub class: &'static str,
    /// Where it stands.
    pub place: Place,
    /// When it began.
    pub began: String,
    /// How long it took.
    pub took: String,
    /// Its limit; none where a person decides.
    pub limit: Option<String>,
    /// How much of its limit it used, in percent.
    pub used: Option<u64>,
    /// Why it was left; of the present stage, what it does.
    pub why: String,
    /// What went wrong in it.
    pub marks: Vec<Mark>,
}

/// Something that went wrong, on the axis.
#[derive(Clone, Debug, Serialize)]
pub struct Mark {
    /// Where it stands, in percent.
    pub left: f64,
    /// What happened.
    pub text: String,
}

/// An environment.
#[derive(Clone, Debug, Serialize)]
pub struct Environment {
    /// `blue` or `green`.
    pub role: String,
    /// Its name.
    pub name: String,
    /// Its health over time.
    pub health: Vec<Health>,
    /// The most requests a minute that a poll counted; none where none did.
    pub requests_max: Option<u64>,
}

/// A span of one health, version and status.
#[derive(Clone, Debug, Serialize)]
pub struct Health {
    /// Where it stands.
    pub place: Place,
    /// `good`, `warn`, `bad` or `none`.
    pub tone: &'static str,
    /// Health, status and version in words.
    pub text: String,
}

/// A row of a list.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The time of the day.
    pub at: String,
    /// `good`, `warn`, `bad` or `busy`.
    pub tone: &'static str,
    /// What happened.
    pub text: String,
}

/// What a command printed.
#[derive(Clone, Debug, Serialize)]
pub struct Printed {
    /// Which command, and how and when it ended.
    pub what: String,
    /// What it printed.
    pub output: String,
}

/// A stage of the journal: a state, from when to when, and why it was left.
struct Passage<'a> {
    kind: Option<Kind>,
    name: &'a str,
    from: Moment,
    to: Moment,
    why: String,
}

impl Figures {
    /// The figures of a deployment.
    #[must_use]
    pub fn of(entry: &Entry) -> Figures {
        let passages = passages(entry);
        let deployment = &entry.deployment;
        let ended = end(entry);
        let unseen = unseen(entry, &passages);
        let axis = Axis::new(deployment.started_at, ended, &unseen);
        let rows = |is: fn(&Happened) -> bool| rows(&entry.events, is);
        Figures {
            id: deployment.plan.id.clone(),
            title: title(entry),
            outcome: outcome(entry, ended),
            facts: facts(deployment, ended),
            story: story(entry, &passages),
            ticks: axis.ticks(),
            folds: axis.folds(),
            served: served(entry, &passages, &axis, ended),
            unseen: unseen
                .iter()
                .map(|(from, to)| axis.place(*from, *to))
                .collect(),
            stages: stages(entry, &passages, &axis),
            environments: [Role::Blue, Role::Green]
                .map(|role| environment(entry, role, &axis, ended))
                .into(),
            requests: requests(entry, &axis),
            probes: probes::of(&entry.events, deployment.started_at, ended, &axis),
            tests: rows(is_of_tests),
            hooks: rows(|what| matches!(what, Happened::HookEnded { .. })),
            differences: rows(is_of_differences),
            operators: operators(entry),
            warnings: rows(is_another_warning),
            outputs: entry.outputs.iter().map(printed).collect(),
            commands: leads_on(entry).iter().map(|one| command(one)).collect(),
            console: entry.console(),
        }
    }
}

fn printed(output: &crate::store::Output) -> Printed {
    Printed {
        what: format!("{}: {} at {}", output.what, output.ended, output.at),
        output: output.output.clone(),
    }
}

/// A command that leads on, apart from what it does.
fn command(line: &str) -> (String, String) {
    let (command, does) = line.split_once("   ").unwrap_or((line, ""));
    (command.to_owned(), does.trim().to_owned())
}

fn title(entry: &Entry) -> String {
    let plan = &entry.deployment.plan;
    let (version, target) = (tried(entry).join(", then "), &plan.target);
    match plan.strategy {
        Strategy::Restore | Strategy::Promote => {
            format!(
                "Release of {version} to {} of {}",
                target.blue, target.application
            )
        }
        Strategy::Rehearse => format!(
            "Rehearsal of {version} on {}, a clone of {} of {}",
            plan.green, target.blue, target.application
        ),
    }
}

/// The versions that the release tried, one after the other: a held deployment takes a corrected
/// one.
fn tried(entry: &Entry) -> Vec<&str> {
    let plan = &entry.deployment.plan;
    let mut tried = Vec::new();
    let told = entry.events.iter().map(|event| event.version.as_str());
    for version in told.chain([plan.version.as_str()]) {
        // On a rollback the version before is the goal.
        if version != plan.previous_version && !tried.contains(&version) {
            tried.push(version);
        }
    }
    match tried.is_empty() {
        true => vec![&plan.version],
        false => tried,
    }
}

/// The last moment that a report shows.
fn end(entry: &Entry) -> Moment {
    let last = entry.events.iter().map(|event| event.at).max();
    let updated = entry.deployment.updated_at;
    match entry.deployment.state.rests() {
        // What is kept after that tells of a process that ended.
        true => updated,
        false => last.map_or(updated, |last| last.max(updated)),
    }
}

fn outcome(entry: &Entry, ended: Moment) -> Outcome {
    let deployment = &entry.deployment;
    let kind = deployment.state.kind();
    let cause = deployment.state.cause();
    Outcome {
        state: match entry.is_interrupted() {
            true => format!("{kind}, interrupted"),
            false => in_words(kind),
        },
        tone: match entry.is_interrupted() {
            true => "warn",
            false => tone(kind),
        },
        meaning: deployment.meaning().to_owned(),
        users: entry.users().to_string(),
        why: cause.map(|cause| deployment.told(cause).to_string()),
        took: span(deployment.started_at, ended),
    }
}

fn in_words(kind: Kind) -> String {
    match kind {
        Kind::RolledBack => "Rolled back".to_owned(),
        Kind::AwaitingSwap | Kind::AwaitingCutover => "Paused".to_owned(),
        other => other.to_string(),
    }
}

/// The tone of a state.
fn tone(kind: Kind) -> &'static str {
    match kind {
        Kind::Completed => "good",
        Kind::Held
        | Kind::RolledBack
        | Kind::AwaitingSwap
        | Kind::AwaitingCutover
        | Kind::AbortingDeploy
        | Kind::ReturningToGreen
        | Kind::ReturningToBlue
        | Kind::Discarding => "warn",
        Kind::Stuck => "bad",
        Kind::Preparing
        | Kind::Cloning
        | Kind::Warming
        | Kind::DeployingGreen
        | Kind::TestingGreen
        | Kind::SwappingToGreen
        | Kind::DrainingBlue
        | Kind::Deploying
        | Kind::Testing
        | Kind::SwappingToBlue
        | Kind::Baking
        | Kind::TerminatingGreen
        | Kind::TerminatingBlue => "busy",
    }
}

/// How a stage passes: by work, by a wait for traffic, by a person's decision, or by rolling back.
fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::AwaitingSwap | Kind::AwaitingCutover | Kind::Held => "person",
        Kind::Warming | Kind::DrainingBlue | Kind::Baking => "wait",
        Kind::AbortingDeploy
        | Kind::ReturningToGreen
        | Kind::ReturningToBlue
        | Kind::Discarding
        | Kind::RolledBack
        | Kind::Stuck => "back",
        Kind::Preparing
        | Kind::Cloning
        | Kind::DeployingGreen
        | Kind::TestingGreen
        | Kind::SwappingToGreen
        | Kind::Deploying
        | Kind::Testing
        | Kind::SwappingToBlue
        | Kind::TerminatingGreen
        | Kind::TerminatingBlue
        | Kind::Completed => "work",
    }
}

fn facts(deployment: &Deployment, ended: Moment) -> Vec<(String, String)> {
    let plan = &deployment.plan;
    let mut facts = vec![
        ("From".to_owned(), plan.previous_version.clone()),
        ("To".to_owned(), plan.version.clone()),
        ("Production".to_owned(), plan.production_cname.clone()),
        ("Blue".to_owned(), plan.target.blue.clone()),
        ("Green".to_owned(), plan.green.clone()),
        ("Strategy".to_owned(), plan.strategy.to_string()),
        (
            "Account".to_owned(),
            format!("{}, {}", plan.target.account, plan.target.region),
        ),
        ("Began".to_owned(), deployment.started_at.to_string()),
        (
            if deployment.state.is_end() {
                "Ended"
            } else {
                "As of"
            }
            .to_owned(),
            ended.to_string(),
        ),
    ];
    let allowed = plan.allowed.iter();
    facts.extend(allowed.map(|allowed| {
        let why = format!("{}, although {}", allowed.check, allowed.evidence);
        ("Allowed".to_owned(), why)
    }));
    if let Some(why) = &deployment.uncounted {
        let why = format!("nobody counts them: {why}");
        facts.push(("Requests".to_owned(), why));
    }
    facts
}

/// The stages of the journal; the present one last, unless it is an end.
fn passages(entry: &Entry) -> Vec<Passage<'_>> {
    let deployment = &entry.deployment;
    let mut from = deployment.started_at;
    let mut passages = Vec::new();
    for transition in &entry.transitions {
        passages.push(Passage {
            kind: kind(&transition.from),
            name: &transition.from,
            from,
            to: transition.at,
            why: left_because(entry, transition),
        });
        from = transition.at;
    }
    let present = deployment.state.kind();
    let last = entry.transitions.last().map(|last| last.to.as_str());
    if !deployment.state.is_end() {
        passages.push(Passage {
            kind: Some(present),
            name: last.unwrap_or("Preparing"),
            from,
            to: end(entry),
            why: format!("now: {}", deployment.meaning()),
        });
    }
    passages
}

fn rests(kind: Option<Kind>) -> bool {
    kind.is_some_and(|kind| class(kind) == "person")
}

/// The spans in which no process polled: those in which a person decided, and those before a
/// process took over what another one had left, of which the journal keeps nothing.
fn unseen(entry: &Entry, passages: &[Passage<'_>]) -> Vec<(Moment, Moment)> {
    let rested = passages.iter().filter(|passage| rests(passage.kind));
    let mut unseen: Vec<_> = rested.map(|passage| (passage.from, passage.to)).collect();
    for pair in entry.events.windows(2) {
        let [before, event] = pair else { continue };
        if let Happened::LockTaken { .. } = event.happened {
            unseen.push((before.at, event.at));
        }
    }
    unseen.sort_unstable();
    let mut apart = Vec::<(Moment, Moment)>::new();
    for (from, to) in unseen {
        match apart.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => apart.push((from, to)),
        }
    }
    apart
}

fn stages(entry: &Entry, passages: &[Passage<'_>], axis: &Axis) -> Vec<Stage> {
    let stages = passages.iter().map(|passage| {
        let took = passage.to.since(passage.from);
        let limited = passage.kind.filter(|kind| !rests(Some(*kind)));
        let limit = limited.map(|kind| entry.deployment.patience_in(kind));
        let within = |event: &&EventRecord| passage.from <= event.at && event.at < passage.to;
        let marks = entry.events.iter().filter(within).filter_map(|event| {
            let (level, text) = line(&event.happened);
            let is_wrong = level <= Level::WARN;
            let is_state = matches!(event.happened, Happened::StateEntered { .. });
            (is_wrong && !is_state).then(|| Mark {
                left: axis.at(event.at),
                text: format!("{} {text}", clock(event.at)),
            })
        });
        Stage {
            state: passage.name.to_owned(),
            class: passage.kind.map_or("work", class),
            place: axis.place(passage.from, passage.to),
            began: clock(passage.from),
            took: whole_seconds(took).to_string(),
            limit: limit.map(|limit| whole_seconds(limit).to_string()),
            used: limit.map(|limit| percent(took, limit)),
            why: passage.why.clone(),
            marks: marks.collect(),
        }
    });
    stages.collect()
}

fn percent(part: Duration, whole: Duration) -> u64 {
    let whole = whole.as_millis().max(1);
    u64::try_from(part.as_millis() * 100 / whole).unwrap_or(u64::MAX)
}

/// A span of one environment with the users, before it is placed.
struct Serving {
    role: Option<Role>,
    environment: String,
    version: String,
    from: Moment,
}

/// Which environment had the users when, by the polls; where the journal keeps none, by the states.
fn serving(entry: &Entry, passages: &[Passage<'_>]) -> Vec<Serving> {
    let began = entry.deployment.started_at;
    let mut spans = Vec::<Serving>::new();
    let mut note = |from: Moment, kind: Kind, poll: Option<&Poll>| {
        let users = Users::in_state(&entry.deployment, kind, poll, true);
        let next = Serving {
            role: users.on,
            environment: users.place,
            version: users.version.unwrap_or_else(|| "?".to_owned()),
            from: if spans.is_empty() { began } else { from },
        };
        match spans.last() {
            Some(last) if (last.role, &last.version) == (next.role, &next.version) => {}
            _ => spans.push(next),
        }
    };
    let mut is_polled = false;
    for (at, poll) in polls(&entry.events) {
        is_polled = true;
        let state = passages.iter().find(|passage| at < passage.to);
        let kind = state.and_then(|passage| passage.kind);
        note(
            at,
            kind.unwrap_or(entry.deployment.state.kind()),
            Some(poll),
        );
    }
    if !is_polled {
        for passage in passages {
            if let Some(kind) = passage.kind {
                note(passage.from, kind, None);
            }
        }
    }
    spans
}

fn polls(events: &[EventRecord]) -> impl Iterator<Item = (Moment, &Poll)> {
    events.iter().filter_map(|event| match &event.happened {
        Happened::Polled(poll) => Some((event.at, poll)),
        _ => None,
    })
}

fn served(entry: &Entry, passages: &[Passage<'_>], axis: &Axis, ended: Moment) -> Vec<Served> {
    let spans = serving(entry, passages);
    let ends = spans.iter().skip(1).map(|next| next.from).chain([ended]);
    let served = spans.iter().zip(ends).map(|(serving, to)| Served {
        place: axis.place(serving.from, to),
        role: serving
            .role
            .map_or_else(|| "none".to_owned(), |role| role.to_string()),
        environment: serving.environment.clone(),
        version: serving.version.clone(),
        span: format!(
            "{} to {}, {}",
            clock(serving.from),
            clock(to),
            span(serving.from, to)
        ),
    });
    served.collect()
}

/// An environment as a poll saw it: health, status and version in words, and the tone of its
/// health; none where it was not there.
fn shown(poll: &Poll, role: Role) -> Option<(String, &'static str)> {
    let found = poll.environments.iter().find(|found| found.role == role)?;
    let version = found.version.as_deref().unwrap_or("none");
    let text = format!("{}, {}, version {version}", found.health, found.status);
    let tone = match found.health.as_str() {
        "Ok" | "Info" | "Green" => "good",
        "Warning" | "Yellow" => "warn",
        "Degraded" | "Severe" | "Red" => "bad",
        _ => "none",
    };
    Some((text, tone))
}

fn environment(entry: &Entry, role: Role, axis: &Axis, ended: Moment) -> Environment {
    let mut spans = Vec::<(Moment, Option<(String, &'static str)>)>::new();
    for (at, poll) in polls(&entry.events) {
        let now = shown(poll, role);
        match spans.last() {
            Some((_, last)) if *last == now => {}
            None if now.is_none() => {}
            _ => spans.push((at, now)),
        }
    }
    let ends = spans.iter().skip(1).map(|(at, _)| *at).chain([ended]);
    let health = spans.iter().zip(ends).filter_map(|((from, seen), to)| {
        let (text, tone) = seen.as_ref()?;
        Some(Health {
            place: axis.place(*from, to),
            tone,
            text: format!("{text}, {} to {}", clock(*from), clock(to)),
        })
    });
    let counted = polls(&entry.events).flat_map(|(_, poll)| &poll.environments);
    let counted = counted.filter(|found| found.role == role);
    Environment {
        role: role.to_string(),
        name: entry.deployment.plan.environment(role).to_owned(),
        health: health.collect(),
        requests_max: counted.filter_map(|found| found.requests_a_minute).max(),
    }
}

/// The requests a minute that polls counted, as steps; a poll without a count ends a part.
fn requests(entry: &Entry, axis: &Axis) -> Vec<String> {
    let lines = [(Role::Blue, BLUE), (Role::Green, GREEN)].map(|(role, colour)| {
        let mut parts = vec![Vec::<(f64, f64)>::new()];
        for (at, poll) in polls(&entry.events) {
            let found = poll.environments.iter().find(|found| found.role == role);
            let counted = found.and_then(|found| found.requests_a_minute);
            let part = parts.last_mut().expect("there is one from the start");
            let left = axis.at(at);
            match (counted, part.last().copied()) {
                (Some(count), last) => {
                    // Until then it was as counted last.
                    part.extend(last.map(|(_, before)| (left, before)));
                    part.push((left, count as f64));
                }
                (None, Some(_)) => parts.push(Vec::new()),
                (None, None) => {}
            }
        }
        parts.retain(|part| !part.is_empty());
        Line { colour, parts }
    });
    if lines.iter().all(|line| line.parts.is_empty()) {
        return Vec::new();
    }
    let ticks = axis.ticks();
    let charts = SIZES.map(|size| chart(size, &ticks, &lines, &[]));
    charts.into()
}

/// The moments that tell the story: the begin, each time that users moved, what failed, each
/// decision, and the end.
fn story(entry: &Entry, passages: &[Passage<'_>]) -> Vec<Chapter> {
    let deployment = &entry.deployment;
    let mut chapters = Vec::<(Moment, &'static str, String)>::new();
    let spans = serving(entry, passages);
    if let Some(first) = spans.first() {
        let text = format!(
            "Began, with users on {} ({})",
            first.version, first.environment
        );
        chapters.push((deployment.started_at, "busy", text));
    }
    chapters.extend(spans.iter().skip(1).map(|serving| {
        let text = match serving.role {
            Some(_) => format!("Users on {} ({})", serving.version, serving.environment),
            None => "Neither environment had the users".to_owned(),
        };
        let tone = if serving.role.is_some() {
            "busy"
        } else {
            "bad"
        };
        (serving.from, tone, text)
    }));
    let failed = entry
        .events
        .iter()
        .filter(|event| is_failure(&event.happened));
    chapters.extend(firsts(failed));
    for transition in &entry.transitions {
        let (from, to) = (kind(&transition.from), kind(&transition.to));
        let why = &transition.why;
        match to {
            Some(to) if tone(to) != "busy" => {
                chapters.push((transition.at, tone(to), format!("{}: {why}", in_words(to))));
            }
            _ if rests(from) => {
                let version = version_at(entry, transition.at);
                let text = format!("{why}, with {version}");
                chapters.push((transition.at, "busy", capital(&text)));
            }
            _ => {}
        }
    }
    chapters.sort_by_key(|(at, ..)| *at);
    let told = chapters.into_iter().map(|(at, tone, text)| Chapter {
        at: clock(at),
        tone,
        text,
    });
    told.collect()
}

/// The version that the deployment was to bring when it left a state at this moment.
fn version_at(entry: &Entry, at: Moment) -> String {
    let after = entry.events.iter().find(|event| event.at >= at);
    let version = after.map(|event| event.version.clone());
    version.unwrap_or_else(|| entry.deployment.plan.goal_version().to_owned())
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase());
    first.into_iter().flatten().chain(chars).collect()
}

/// What fails a version.
fn is_failure(happened: &Happened) -> bool {
    match happened {
        Happened::TestFailed { .. } | Happened::SwapFailed { .. } => true,
        Happened::TestEnded { end, .. } | Happened::HookEnded { end, .. } => !end.is_success(),
        Happened::OthersTermination { serves, .. } => *serves,
        _ => false,
    }
}

/// The first of each run of failures of one kind of one version.
fn firsts<'a>(
    failed: impl Iterator<Item = &'a EventRecord>,
) -> Vec<(Moment, &'static str, String)> {
    let mut told = Vec::new();
    let mut last = None;
    for event in failed {
        let of = (
            std::mem::discriminant(&event.happened),
            event.version.as_str(),
        );
        if last.replace(of) != Some(of) {
            let (_, text) = line(&event.happened);
            told.push((event.at, "bad", text));
        }
    }
    told
}

fn is_of_tests(happened: &Happened) -> bool {
    matches!(
        happened,
        Happened::TestFailed { .. } | Happened::TestEnded { .. }
    )
}

fn is_of_differences(happened: &Happened) -> bool {
    matches!(
        happened,
        Happened::Differs { .. }
            | Happened::GroupReplaced { .. }
            | Happened::OthersUpdate { .. }
            | Happened::OthersTermination { .. }
            | Happened::ChangesGoLive { .. }
            | Happened::ChangesAreLost { .. }
            | Happened::SizesStay { .. }
            | Happened::HostForeign { .. }
    )
}

/// What the log warned of, and no other list shows.
fn is_another_warning(happened: &Happened) -> bool {
    let (level, _) = line(happened);
    let is_elsewhere = matches!(
        happened,
        Happened::StateEntered { .. } | Happened::HookEnded { .. }
    );
    level <= Level::WARN && !is_elsewhere && !is_of_tests(happened) && !is_of_differences(happened)
}

fn rows(events: &[EventRecord], is_of_list: fn(&Happened) -> bool) -> Vec<Row> {
    let rows = events.iter().filter(|event| is_of_list(&event.happened));
    rows.map(|event| {
        let (level, text) = line(&event.happened);
        let tone = match (&event.happened, level) {
            (Happened::TestEnded { end, .. } | Happened::HookEnded { end, .. }, _) => ended(end),
            (Happened::TestFailed { .. }, _) | (_, Level::ERROR) => "bad",
            (_, Level::WARN) => "warn",
            _ => "busy",
        };
        Row {
            at: clock(event.at),
            tone,
            text,
        }
    })
    .collect()
}

fn ended(end: &End) -> &'static str {
    match end.is_success() {
        true => "good",
        false => "bad",
    }
}

/// The processes that ran the deployment, and the decisions of operators.
fn operators(entry: &Entry) -> Vec<Row> {
    let runners = entry
        .events
        .iter()
        .filter_map(|event| match &event.happened {
            Happened::LockTaken {
                state,
                runner: Some(runner),
            } => Some((event.at, "busy", format!("{runner} ran it from {state} on"))),
            Happened::LockLost { why } => {
                Some((event.at, "warn", format!("the runner lost the lock: {why}")))
            }
            _ => None,
        });
    let decided = entry
        .transitions
        .iter()
        .filter(|one| rests(kind(&one.from)));
    let decided = decided.map(|transition| {
        let text = format!(
            "{} to {}: {}",
            transition.from, transition.to, transition.why
        );
        (transition.at, "busy", text)
    });
    let mut rows: Vec<_> = runners.chain(decided).collect();
    rows.sort_by_key(|(at, ..)| *at);
    let rows = rows.into_iter().map(|(at, tone, text)| Row {
        at: clock(at),
        tone,
        text,
    });
    rows.collect()
}

fn span(from: Moment, to: Moment) -> String {
    whole_seconds(to.since(from)).to_string()
}
