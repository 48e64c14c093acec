//! What a person watches while a deployment runs: its stages, why the present one waits, both
//! environments, and the last events. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use console::Style;
use tracing::Level;

use super::events::line;
use super::kind;
use crate::clock::Moment;
use crate::deployment::Deployment;
use crate::events::{DeploymentEvent, Drain, Happened, Poll};
use crate::facts::{Timed, Wait};
use crate::machine::Kind;
use crate::plan::{Goal, Role};
use crate::preflight::{Past, Step, steps};
use crate::store::Transition;
use crate::text::{foreign, short};
use crate::users::Users;

/// How many of the last events are shown.
const RECENT_MAX: usize = 5;

/// A deployment as its events have made it.
#[derive(Clone, Debug)]
pub struct Live {
    deployment: Deployment,
    stages: Vec<Stage>,
    waits: Vec<Wait>,
    poll: Option<Poll>,
    recent: VecDeque<(Moment, Level, String)>,
    /// Whether it has left the way of a release in which nothing fails: how many stages there will
    /// be is not known then.
    is_off_the_way: bool,
    /// What another process than the runner shows in place of its own.
    elsewhere: Option<(Users, bool)>,
}

/// How much a line of the view tells: where there is too little room, the least goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    Blank,
    Recent,
    Done,
    Ahead,
    Wait,
    Environment,
    Present,
    Head,
}

/// A style that is applied wherever the text goes.
fn style() -> Style {
    Style::new().force_styling(true)
}

/// One state of a deployment: behind it, present, or expected.
#[derive(Clone, Debug)]
struct Stage {
    kind: Kind,
    began: Option<Moment>,
    took: Option<Duration>,
    /// How long it takes as a rule; `None` where an operator decides, or nothing is known.
    usually: Option<Duration>,
}

impl Stage {
    fn new(kind: Kind, usually: Option<Duration>) -> Stage {
        Stage {
            kind,
            began: None,
            took: None,
            usually,
        }
    }
}

impl Live {
    /// The view of a deployment that begins or continues. `past` is how long the states of this
    /// target's releases took before.
    #[must_use]
    pub fn new(deployment: &Deployment, transitions: &[Transition], past: &Past) -> Live {
        let expected = steps(&deployment.plan, past);
        let expected = expected
            .iter()
            .map(|step| Stage::new(step.kind, usually(step)));
        let mut live = Live {
            deployment: deployment.clone(),
            stages: expected.collect(),
            waits: Vec::new(),
            poll: None,
            recent: VecDeque::new(),
            is_off_the_way: false,
            elsewhere: None,
        };
        let mut at = deployment.started_at;
        for transition in transitions {
            if let Some(kind) = kind(&transition.from) {
                live.enter(kind, at);
            }
            at = transition.at;
        }
        live.enter(deployment.state.kind(), deployment.entered_at);
        live
    }

    /// The same view from a process that does not carry the deployment on: where users are, as
    /// far as that knows, and whether the deployment is interrupted.
    #[must_use]
    pub fn seen_from_elsewhere(self, users: Users, is_interrupted: bool) -> Live {
        Live {
            elsewhere: Some((users, is_interrupted)),
            ..self
        }
    }

    /// The same view with what the present state waits for, as its runner has noted it.
    #[must_use]
    pub fn waiting_for(self, waits: Vec<Wait>) -> Live {
        Live { waits, ..self }
    }

    /// Takes up an event.
    pub fn hear(&mut self, event: &DeploymentEvent) {
        let record = &event.record;
        self.heads_for(&record.version);
        match &record.happened {
            Happened::StateEntered { to, .. } => {
                self.waits.clear();
                self.enter(*to, record.at);
            }
            Happened::Polled(poll) => self.poll = Some(poll.clone()),
            Happened::Waiting { waits, .. } => self.waits.clone_from(waits),
            // The stage says for what it waits.
            Happened::Draining {
                drain: Drain::Requests { .. },
                ..
            } => {}
            Happened::ServiceEvent { emitted_at, .. } => {
                let (level, text) = line(&record.happened);
                self.keep(*emitted_at, level, text);
            }
            Happened::HookEnded { .. } => {
                let (level, text) = line(&record.happened);
                self.keep(record.at, level, text);
            }
            happened => {
                let (level, text) = line(happened);
                if level <= Level::INFO {
                    self.keep(record.at, level, text);
                }
            }
        }
    }

    /// The version that goes live is this one from here on.
    fn heads_for(&mut self, version: &str) {
        let plan = &mut self.deployment.plan;
        if plan.goal_version() == version {
            return;
        }
        if plan.previous_version == version {
            plan.goal = Goal::Previous;
        } else {
            plan.goal = Goal::Release;
            version.clone_into(&mut plan.version);
        }
    }

    fn keep(&mut self, at: Moment, level: Level, text: String) {
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back((at, level, text));
    }

    /// A state is entered: the present stage is over. What is off the expected way drops what was
    /// expected.
    fn enter(&mut self, kind: Kind, at: Moment) {
        let present = self.present();
        if let Some(present) = present {
            let stage = &mut self.stages[present];
            if stage.kind == kind {
                return;
            }
            let began = stage.began.unwrap_or(at);
            stage.took = Some(at.since(began));
        }
        let next = present.map_or(0, |present| present + 1);
        let ahead = self.stages.iter().skip(next).position(|s| s.kind == kind);
        match ahead {
            Some(skipped) => {
                self.stages.drain(next..next + skipped);
            }
            None => {
                self.is_off_the_way = true;
                self.stages.truncate(next);
                self.stages.push(Stage::new(kind, None));
            }
        }
        self.stages[next].began = Some(at);
    }

    /// The index of the stage that runs.
    fn present(&self) -> Option<usize> {
        self.stages.iter().rposition(|stage| stage.began.is_some())
    }

    fn stage(&self) -> Option<&Stage> {
        self.present().map(|present| &self.stages[present])
    }

    /// The state that the deployment is in.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.stage()
            .map_or(self.deployment.state.kind(), |stage| stage.kind)
    }

    /// Where users are.
    #[must_use]
    pub fn users(&self) -> Users {
        if let Some((users, _)) = &self.elsewhere {
            return users.clone();
        }
        Users::in_state(&self.deployment, self.kind(), self.poll.as_ref(), true)
    }

    /// How long the rest takes as a rule; `None` where nothing is known of it.
    fn left(&self, now: Moment) -> Option<Duration> {
        let present = self.present()?;
        let stage = &self.stages[present];
        let elapsed = now.since(stage.began?);
        let of_this = stage.usually?.saturating_sub(elapsed);
        let ahead = self.stages[present + 1..].iter();
        Some(
            ahead
                .filter_map(|stage| stage.usually)
                .fold(of_this, |sum, usual| sum + usual),
        )
    }

    /// The view as lines with styles, no wider than `width` columns and no more than `rows`: where
    /// there is too little room, the least telling ones are left out.
    #[must_use]
    pub fn frame(&self, now: Moment, (width, rows): (usize, usize)) -> Vec<String> {
        let mut lines = self.head(now);
        lines.extend(self.stage_lines(now));
        lines.push((Worth::Blank, String::new()));
        let environments = self.environments();
        lines.extend(
            environments
                .into_iter()
                .map(|line| (Worth::Environment, line)),
        );
        lines.push((Worth::Blank, String::new()));
        lines.extend(self.recent_lines(width));
        while lines.len() > rows.max(1) {
            let least = lines.iter().map(|(worth, _)| *worth).min();
            let mut of_least = (0..lines.len()).filter(|at| Some(lines[*at].0) == least);
            // What is furthest ahead, and what is longest ago.
            let at = match least {
                Some(Worth::Ahead) => of_least.next_back(),
                _ => of_least.next(),
            };
            lines.remove(at.unwrap_or_default());
        }
        let cut =
            |(_, line): &(Worth, String)| console::truncate_str(line, width, "…").into_owned();
        lines.iter().map(cut).collect()
    }

    /// What is deployed, since when, and where users are.
    fn head(&self, now: Moment) -> Vec<(Worth, String)> {
        let plan = &self.deployment.plan;
        let (from, to) = plan.from_to();
        let target = &plan.target;
        let what = match plan.goal {
            Goal::Release if plan.rehearses() => format!("rehearsing {to} on {}", plan.green),
            Goal::Release => format!("{from} to {to}"),
            Goal::Previous => format!("rolling back from {from} to {to}"),
        };
        let title = format!("{} of {}: {what}", target.blue, target.application);
        let title = style().bold().apply_to(foreign(&title));
        let elapsed = clock(now.since(self.deployment.started_at));
        let left = self.left(now).filter(|left| !left.is_zero());
        let left = left.map_or(String::new(), |left| {
            format!(", about {} left", clock(left))
        });
        let time = style().dim().apply_to(format!("{elapsed}{left}"));
        let users = format!("Users: {}", foreign(&self.users().to_string()));
        let interrupted = match self.elsewhere {
            Some((_, true)) => {
                let line = style()
                    .red()
                    .apply_to("Interrupted: no process carries it on");
                (Worth::Present, line.to_string())
            }
            _ => (Worth::Blank, String::new()),
        };
        vec![
            (Worth::Head, format!("{title}  {time}")),
            (Worth::Head, style().bold().apply_to(users).to_string()),
            interrupted,
        ]
    }

    /// The stages, and below the present one what it waits for.
    fn stage_lines(&self, now: Moment) -> Vec<(Worth, String)> {
        let present = self.present();
        let mut lines = Vec::new();
        for (index, stage) in self.stages.iter().enumerate() {
            let name = format!("{:<22}", label(stage.kind));
            let limit = self.timeout().filter(|_| Some(index) == present);
            let spans = [("usually", stage.usually), ("at most", limit)].into_iter();
            let spans = spans.filter_map(|(what, span)| Some(format!("{what} {}", clock(span?))));
            let spans = spans.collect::<Vec<_>>().join(", ");
            lines.push(match stage.took {
                Some(took) => {
                    let mark = style().green().apply_to("✓");
                    (Worth::Done, format!("  {mark} {name} {:>7}", clock(took)))
                }
                None if Some(index) == present => {
                    let mark = match stage.kind {
                        Kind::Completed => style().green().apply_to("✓"),
                        Kind::Held | Kind::Stuck | Kind::RolledBack => style().red().apply_to("✗"),
                        _ => style().cyan().bold().apply_to("●"),
                    };
                    let name = style().cyan().bold().apply_to(name);
                    let elapsed = clock(now.since(stage.began.unwrap_or(now)));
                    let spans = style().dim().apply_to(spans);
                    (
                        Worth::Present,
                        format!("  {mark} {name} {elapsed:>7}  {spans}"),
                    )
                }
                None => {
                    let line = format!("  · {name} {:>7}  {spans}", "");
                    (Worth::Ahead, style().dim().apply_to(line).to_string())
                }
            });
            if Some(index) == present {
                let waits = self.waits().map(|wait| format!("      waiting for {wait}"));
                lines.extend(waits.map(|line| (Worth::Wait, line)));
            }
        }
        lines
    }

    /// The last events.
    fn recent_lines(&self, width: usize) -> impl Iterator<Item = (Worth, String)> {
        self.recent.iter().map(move |(at, level, text)| {
            let tone = match *level {
                Level::ERROR | Level::WARN => style().yellow(),
                _ => style().dim(),
            };
            let at = at.to_string();
            let time = style().dim().apply_to(at.get(11..19).unwrap_or(&at));
            let text = tone.apply_to(short(text, width));
            (Worth::Recent, format!("  {time} {text}"))
        })
    }

    /// What the present stage still waits for, but for its timeout.
    fn waits(&self) -> impl Iterator<Item = &Wait> {
        let waits = self.waits.iter().filter(|wait| !wait.is_over());
        waits.filter(|wait| timeout_of(wait).is_none())
    }

    /// How long the present stage may take.
    fn timeout(&self) -> Option<Duration> {
        self.waits.iter().find_map(timeout_of)
    }

    /// A line for each environment.
    fn environments(&self) -> Vec<String> {
        let Some(poll) = &self.poll else {
            return Vec::new();
        };
        let width = poll
            .environments
            .iter()
            .map(|e| e.name.chars().count())
            .max();
        let width = width.unwrap_or_default();
        let one = |role: Role| {
            let found = poll.environments.iter().find(|found| found.role == role)?;
            let mut line = format!(
                "  {:<5} {:<width$}  {:<11} {:<8} {}",
                role.to_string(),
                foreign(&found.name),
                foreign(&found.status),
                foreign(&found.health),
                foreign(found.version.as_deref().unwrap_or("-"))
            );
            if poll.production == Some(role) {
                line.push_str(" ← users");
            }
            if let Some(instances) = found.instances {
                line.push_str(&format!(", {instances} instances"));
            }
            if let Some(requests) = found.requests_a_minute {
                line.push_str(&format!(", {requests} requests/min"));
            }
            Some(line)
        };
        [Role::Blue, Role::Green]
            .into_iter()
            .filter_map(one)
            .collect()
    }

    /// What the deployment does, in one line for a log: `[2/10] Clone blue: …`.
    #[must_use]
    pub fn heartbeat(&self, now: Moment) -> String {
        let (place, all) = (self.present().map_or(0, |at| at + 1), self.stages.len());
        let place = match self.is_off_the_way {
            true => format!("{place}"),
            false => format!("{place}/{all}"),
        };
        let mut line = format!("[{place}] {}", label(self.kind()));
        let waits: Vec<_> = self.waits().map(ToString::to_string).collect();
        if !waits.is_empty() {
            line.push_str(&format!(": waiting for {}", waits.join(", ")));
        }
        if let Some(stage) = self.stage() {
            let elapsed = now.since(stage.began.unwrap_or(now));
            line.push_str(&format!("; {} elapsed", clock(elapsed)));
            if let Some(usual) = stage.usually {
                line.push_str(&format!(" (usually {})", clock(usual)));
            }
        }
        line.push_str(&format!("; users: {}", self.users()));
        line
    }
}

/// The limit of a wait that is the timeout of its state.
fn timeout_of(wait: &Wait) -> Option<Duration> {
    match wait {
        Wait::Time {
            of: Timed::Timeout,
            limit,
            ..
        } => Some(*limit),
        _ => None,
    }
}

/// How long a step takes as a rule: what this target took before, or the middle of what is usual.
fn usually(step: &Step) -> Option<Duration> {
    let takes = step.takes?;
    Some(match step.kind {
        // As a rule clients leave in time.
        Kind::DrainingBlue | Kind::Baking => takes.at_least,
        _ => (takes.at_least + takes.at_most) / 2,
    })
}

/// Minutes and seconds, as in `3:07`, with hours from one hour on.
fn clock(span: Duration) -> String {
    let seconds = span.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        hours => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// What a state does, as the name of a stage.
#[must_use]
pub fn label(kind: Kind) -> &'static str {
    match kind {
        Kind::Preparing => "Prepare the version",
        Kind::Cloning => "Clone blue",
        Kind::Warming => "Warm green up",
        Kind::DeployingGreen => "Deploy to green",
        Kind::TestingGreen => "Test green",
        Kind::AwaitingSwap => "Pause before the swap",
        Kind::SwappingToGreen => "Swap to green",
        Kind::DrainingBlue => "Drain blue",
        Kind::Deploying => "Deploy to blue",
        Kind::AbortingDeploy => "Abort the deploy",
        Kind::Testing => "Test blue",
        Kind::AwaitingCutover => "Pause before cutover",
        Kind::SwappingToBlue => "Swap back to blue",
        Kind::Baking => "Bake",
        Kind::ReturningToGreen => "Return to green",
        Kind::ReturningToBlue => "Return to blue",
        Kind::TerminatingGreen => "Terminate green",
        Kind::TerminatingBlue => "Terminate blue",
        Kind::Discarding => "Discard green",
        Kind::Held => "Held",
        Kind::Completed => "Completed",
        Kind::RolledBack => "Rolled back",
        Kind::Stuck => "Stuck",
    }
}
