//! What the journal knows, as text and as JSON.

pub mod events;
pub mod fleet;
pub mod history;
pub mod jsonl;
pub mod listeners;
pub mod live;
pub mod outlook;
pub mod page;
pub mod schema;
pub mod settings;
pub mod text;

use schemars::JsonSchema;
use serde::Serialize;

use crate::acceptance::AcceptanceTest;
use crate::command::End;
use crate::deployment::Deployment;
use crate::events::{EventRecord, Happened, Poll};
use crate::facts::{ServiceOperation, TEST_COMMAND};
use crate::machine::{Cause, Kind, Order, State, obey};
use crate::plan::{Allowed, Goal, Plan, Role, Strategy};
use crate::shared::{LeaseRecord, report_key};
use crate::store::{Output, Transition};
use crate::text::for_shell;
use crate::users::{AsOf, Users};

/// A deployment and how it came where it stands.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The deployment.
    pub deployment: Deployment,
    /// Its transitions in their order.
    pub transitions: Vec<Transition>,
    /// What its commands said.
    pub outputs: Vec<Output>,
    /// Its events, as far as the journal keeps them.
    pub events: Vec<EventRecord>,
    /// Whether all of its events are shown.
    pub shows_events: bool,
    /// The lock of its target, where it is known.
    pub lease: Option<LeaseRecord>,
    /// Which process carries it on.
    pub runner: Runner,
}

/// How many attempts or events are shown as evidence.
const EVIDENCE_MAX: usize = 5;

/// Which process carries a deployment on, as far as a command knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runner {
    /// This one, until a moment ago.
    ThisProcess,
    /// Another one.
    Other,
    /// None.
    None,
}

impl Runner {
    /// The runner of a deployment that another process carries on, or none.
    #[must_use]
    pub fn other_than_this(is_carried_on: bool) -> Runner {
        match is_carried_on {
            true => Runner::Other,
            false => Runner::None,
        }
    }
}

impl Entry {
    /// An entry of a deployment that this process has just carried on.
    #[must_use]
    pub fn of(
        deployment: Deployment,
        transitions: Vec<Transition>,
        events: Vec<EventRecord>,
    ) -> Entry {
        Entry {
            deployment,
            transitions,
            outputs: Vec::new(),
            events,
            shows_events: false,
            lease: None,
            runner: Runner::ThisProcess,
        }
    }

    /// Where users are.
    #[must_use]
    pub fn users(&self) -> Users {
        let is_polled = self.runner != Runner::None && !self.deployment.state.rests()
            || self.runner == Runner::ThisProcess;
        Users::of(&self.deployment, self.last_poll(), is_polled)
    }

    /// The last poll that the journal keeps.
    #[must_use]
    pub fn last_poll(&self) -> Option<&Poll> {
        Users::last_poll(&self.events)
    }

    /// The URL of the environment that a pause or a hold leaves to be tested: the one that users
    /// are not on.
    #[must_use]
    pub fn under_test(&self) -> Option<(String, &str)> {
        let is_left = matches!(
            self.deployment.state.kind(),
            Kind::AwaitingSwap | Kind::AwaitingCutover | Kind::Held
        );
        let idle = self.users().on.filter(|_| is_left)?.other();
        let polled = self.last_poll()?.environments.iter();
        let found = polled.into_iter().find(|found| found.role == idle)?;
        let url = self.deployment.plan.front.url(found.cname.as_deref()?);
        Some((url, found.name.as_str()))
    }

    /// The page of the console that shows the environment without users, where that has failed a
    /// deploy or a test and is still there.
    #[must_use]
    pub fn console(&self) -> Option<String> {
        let deployment = &self.deployment;
        let failed = matches!(
            deployment.state.cause(),
            Some(Cause::DeployFailed { .. } | Cause::TestFailed { .. })
        );
        let is_there = failed && deployment.state.kind() == Kind::Held;
        let id = match self.users().on.filter(|_| is_there)?.other() {
            Role::Blue => &deployment.plan.blue_id,
            Role::Green => deployment.green_id.as_ref()?,
        };
        let region = &deployment.plan.target.region;
        let host = match region.split('-').next() {
            Some("cn") => format!("{region}.console.amazonaws.cn"),
            _ if region.starts_with("us-gov-") => "console.amazonaws-us-gov.com".to_owned(),
            _ => format!("{region}.console.aws.amazon.com"),
        };
        Some(format!(
            "https://{host}/elasticbeanstalk/home?region={region}#/environment/dashboard?environmentId={id}"
        ))
    }

    /// The last attempts of a test that failed, or the last warnings of a deploy that did, where
    /// that is why the deployment stands where it does; the oldest first.
    #[must_use]
    pub fn evidence(&self) -> Vec<&EventRecord> {
        let cause = self.deployment.state.cause();
        let cause = cause.map(|cause| self.deployment.told(cause));
        let is_evidence = |event: &&EventRecord| match (cause, &event.happened) {
            (Some(Cause::TestFailed { .. }), Happened::TestFailed { .. }) => true,
            (Some(Cause::DeployFailed { .. }), Happened::ServiceEvent { of, .. }) => {
                *of == ServiceOperation::Deploy
            }
            _ => false,
        };
        let mut evidence: Vec<_> = self.events.iter().rev().filter(is_evidence).collect();
        evidence.truncate(EVIDENCE_MAX);
        evidence.reverse();
        evidence
    }

    /// The end of the log of the deploy that failed last, or why it could not be read, where that
    /// failure is why the deployment stands where it does.
    #[must_use]
    pub fn engine_log(&self) -> Option<&Happened> {
        let cause = self.deployment.state.cause();
        let cause = cause.map(|cause| self.deployment.told(cause));
        matches!(cause, Some(Cause::DeployFailed { .. })).then_some(())?;
        let mut latest = self.events.iter().rev().map(|event| &event.happened);
        latest.find(|happened| {
            matches!(
                happened,
                Happened::EngineLog { .. } | Happened::EngineLogUnread { .. }
            )
        })
    }

    /// What somebody else has done to the environments meanwhile, the oldest first.
    #[must_use]
    pub fn outside(&self) -> Vec<&EventRecord> {
        let is_outside = |event: &&EventRecord| {
            matches!(
                event.happened,
                Happened::OthersUpdate { .. }
                    | Happened::OthersTermination { .. }
                    | Happened::OthersSwap { .. }
                    | Happened::OthersDeploy { .. }
                    | Happened::ChangesAreLost { .. }
            )
        };
        let mut outside: Vec<_> = self.events.iter().rev().filter(is_outside).collect();
        outside.truncate(EVIDENCE_MAX);
        outside.reverse();
        outside
    }

    /// Whether no process carries it on although it is neither at rest nor at its end.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.runner == Runner::None && !self.deployment.state.rests()
    }

    /// How urgently it needs a person: the higher, the more.
    #[must_use]
    pub fn urgency(&self) -> u8 {
        match self.deployment.state.kind() {
            Kind::Stuck => 4,
            Kind::Held => 3,
            _ if self.is_interrupted() => 2,
            Kind::AwaitingSwap | Kind::AwaitingCutover => 1,
            _ => 0,
        }
    }
}

/// The version of the JSON document. Fields are only ever added to a version.
pub const JSON_VERSION: u32 = 1;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Status")]
struct Document<'a> {
    version: u32,
    deployments: Vec<Item<'a>>,
}

/// A deployment as JSON documents show it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Deployment")]
pub struct Item<'a> {
    id: &'a str,
    state: String,
    meaning: &'static str,
    terminal: bool,
    account: &'a str,
    region: &'a str,
    strategy: Strategy,
    application: &'a str,
    blue: &'a str,
    green: &'a str,
    version: &'a str,
    previous_version: &'a str,
    goal_version: &'a str,
    production_cname: &'a str,
    serving: Option<Role>,
    users: UsersItem,
    interrupted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    test_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report_url: Option<String>,
    started_at: String,
    updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "<[Allowed]>::is_empty")]
    allowed: &'a [Allowed],
    /// Why no service counts requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    uncounted: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deploy_warnings: Vec<Warned<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    driven_by: Option<Driver<'a>>,
    transitions: Vec<Passage<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    outputs: Vec<Said<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<Told<'a>>,
}

/// Where users are.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Users")]
struct UsersItem {
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    moving_to: Option<String>,
    as_of: AsOf,
}

/// The process that holds the lock.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Runner")]
struct Driver<'a> {
    host: &'a str,
    process: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<&'a str>,
    since: String,
    renewed_at: String,
    lease_seconds: u64,
    fence: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Transition")]
struct Passage<'a> {
    from: &'a str,
    to: &'a str,
    at: String,
    why: &'a str,
}

/// A warning or an error among the events of the deploy.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeployWarning")]
struct Warned<'a> {
    at: String,
    severity: &'a str,
    message: &'a str,
}

/// What a command said.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Output")]
struct Said<'a> {
    what: &'a str,
    at: String,
    ended: String,
    passed: bool,
    output: &'a str,
}

/// What happened.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Event")]
struct Told<'a> {
    sequence: u64,
    at: String,
    version: &'a str,
    #[serde(flatten)]
    #[schemars(with = "Happened")]
    happened: serde_json::Value,
}

/// The stable, versioned document of `status --json`. Times are RFC 3339 in UTC.
#[must_use]
pub fn json(entries: &[Entry]) -> String {
    let document = Document {
        version: JSON_VERSION,
        deployments: entries.iter().map(item).collect(),
    };
    serde_json::to_string_pretty(&document).expect("the document is plain strings and numbers")
}

/// One deployment as that document shows it, without outputs and without its runner.
#[must_use]
pub fn value(deployment: Deployment, transitions: Vec<Transition>) -> serde_json::Value {
    let entry = Entry::of(deployment, transitions, Vec::new());
    serde_json::to_value(item(&entry)).expect("the document is plain strings and numbers")
}

fn item(entry: &Entry) -> Item<'_> {
    let deployment = &entry.deployment;
    let plan = &deployment.plan;
    let users = entry.users();
    Item {
        id: &plan.id,
        state: deployment.state.kind().to_string(),
        meaning: deployment.meaning(),
        terminal: deployment.state.is_end(),
        account: &plan.target.account,
        region: &plan.target.region,
        strategy: plan.strategy,
        application: &plan.target.application,
        blue: &plan.target.blue,
        green: &plan.green,
        version: &plan.version,
        previous_version: &plan.previous_version,
        goal_version: plan.goal_version(),
        production_cname: &plan.production_cname,
        serving: users.on,
        users: UsersItem {
            environment: users.on.map(|_| users.place),
            version: users.version,
            health: users.health,
            moving_to: users.moving_to,
            as_of: users.as_of,
        },
        interrupted: entry.is_interrupted(),
        test_url: entry.under_test().map(|(url, _)| url),
        report_url: report_url(&entry.deployment),
        started_at: deployment.started_at.to_string(),
        updated_at: deployment.updated_at.to_string(),
        error: deployment
            .state
            .cause()
            .map(|cause| deployment.told(cause).to_string()),
        allowed: &plan.allowed,
        uncounted: deployment.uncounted.as_deref(),
        deploy_warnings: deployment
            .deploy_warnings
            .iter()
            .map(|warning| Warned {
                at: warning.at.to_string(),
                severity: &warning.severity,
                message: &warning.message,
            })
            .collect(),
        driven_by: entry.lease.as_ref().and_then(driver),
        transitions: entry
            .transitions
            .iter()
            .map(|transition| Passage {
                from: &transition.from,
                to: &transition.to,
                at: transition.at.to_string(),
                why: &transition.why,
            })
            .collect(),
        outputs: entry
            .outputs
            .iter()
            .map(|output| Said {
                what: &output.what,
                at: output.at.to_string(),
                ended: output.ended.to_string(),
                passed: output.ended == End::Exited(0),
                output: &output.output,
            })
            .collect(),
        events: match entry.shows_events {
            true => entry.events.iter().map(told).collect(),
            false => Vec::new(),
        },
    }
}

fn told(event: &EventRecord) -> Told<'_> {
    Told {
        sequence: event.sequence,
        at: event.at.to_string(),
        version: &event.version,
        happened: happened(&event.happened),
    }
}

/// What happened, as JSON documents show it: moments are RFC 3339.
fn happened(happened: &Happened) -> serde_json::Value {
    let mut value = serde_json::to_value(happened).expect("an event is plain data");
    match happened {
        Happened::ServiceEvent { emitted_at, .. } => {
            value["emitted_at"] = emitted_at.to_string().into();
        }
        Happened::Probed(probed) => value["began"] = probed.began.to_string().into(),
        _ => {}
    }
    value
}

fn driver(lease: &LeaseRecord) -> Option<Driver<'_>> {
    let holder = lease.holder.as_ref()?;
    Some(Driver {
        host: &holder.host,
        process: holder.process,
        job: holder.job.as_deref(),
        since: lease.taken_at.to_string(),
        renewed_at: lease.renewed_at.to_string(),
        lease_seconds: lease.length_seconds,
        fence: lease.fence,
    })
}

/// The state of this name; none of one that this version of bluegreen does not know.
fn kind(name: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.to_string() == name)
}

/// Why a deployment left a state. One that has rolled back left its last state because the work of
/// that was done: the cause of the rollback, which the transition tells, is older.
fn left_because(entry: &Entry, transition: &Transition) -> String {
    let deployment = &entry.deployment;
    let from = kind(&transition.from).filter(|_| transition.to == Kind::RolledBack.to_string());
    let cause = deployment.state.cause();
    let cause = cause.map(|cause| deployment.told(cause).to_string());
    let beside = cause.and_then(|cause| transition.why.strip_prefix(&cause));
    match (from, beside) {
        (
            Some(from @ (Kind::TerminatingGreen | Kind::TerminatingBlue | Kind::Discarding)),
            Some(beside),
        ) => format!("{}{beside}", from.left_because()),
        _ => transition.why.clone(),
    }
}

/// Where a deployment's report lies in the bucket, once it has come to rest; `None` where its run was
/// not told to put it there.
#[must_use]
pub fn report_url(deployment: &Deployment) -> Option<String> {
    let plan = &deployment.plan;
    let is_there = plan.wishes.reports_to_bucket && deployment.state.rests();
    is_there.then(|| format!("s3://{}/{}", plan.bucket, report_key(&plan.id)))
}

/// The commands that lead on from where a deployment stands.
#[must_use]
pub fn leads_on(entry: &Entry) -> Vec<String> {
    let deployment = &entry.deployment;
    let id = &for_shell(&deployment.plan.id);
    match &deployment.state {
        State::Held {
            cause: Cause::ChangedMeanwhile { on, .. },
        } => changed(deployment, *on),
        State::Held { cause } => held(deployment, cause),
        State::AwaitingSwap | State::AwaitingCutover if deployment.awaits_approval() => vec![
            format!("bluegreen resume {id} --approve-url URL   waits for its approval"),
            format!("bluegreen approve {id} --by NAME   approves it and continues"),
            format!("bluegreen rollback {id}   rolls back"),
        ],
        State::AwaitingSwap => vec![
            format!("bluegreen resume {id}   polls green again and moves production to it"),
            format!("bluegreen rollback {id}   terminates green; blue is untouched"),
        ],
        State::AwaitingCutover => vec![
            format!("bluegreen resume {id}   tests again and moves production back to blue"),
            format!(
                "bluegreen rollback {id}   deploys {} to blue again",
                deployment.plan.previous_version
            ),
        ],
        State::Stuck {
            cause: Cause::TrafficStays { on, .. },
        } => vec![format!(
            "bluegreen cleanup {id}   removes {} once its clients have left, and refuses before",
            deployment.plan.environment(*on)
        )],
        State::Stuck { .. } => vec![
            format!(
                "check who holds {} and what {} and {} are doing; docs/operate/operations.md says \
                 what to do",
                deployment.plan.production_cname,
                deployment.plan.target.blue,
                deployment.plan.green
            ),
            format!("bluegreen cleanup {id}   removes what is left of it, unless users are on it"),
        ],
        _ if entry.is_interrupted() => {
            let resume = format!("bluegreen resume {id}   continues from its last checkpoint");
            let obeyed = obey(&deployment.state, &deployment.plan, Order::Retreat);
            let leads_to = obeyed.ok().map(|(state, _)| state.kind());
            let rollback = leads_to.map(|kind| match kind {
                Kind::Discarding => {
                    format!("bluegreen rollback {id}   gives the release up; users stay on blue")
                }
                _ => format!(
                    "bluegreen rollback {id}   returns users to {} on blue",
                    deployment.plan.previous_version
                ),
            });
            [resume].into_iter().chain(rollback).collect()
        }
        _ => Vec::new(),
    }
}

/// The commands that lead on from a deployment that is held for an outside change.
fn changed(deployment: &Deployment, on: Role) -> Vec<String> {
    let plan = &deployment.plan;
    let (id, previous) = (for_shell(&plan.id), &plan.previous_version);
    let goes_on = match on {
        Role::Green => vec![
            format!("bluegreen resume {id}   continues once the changes are on both environments"),
            format!(
                "bluegreen resume {id} --version-label LABEL   releases a version that has them"
            ),
            format!("bluegreen resume {id} --discard-changes   gives the changes up and continues"),
        ],
        Role::Blue => vec![
            format!(
                "bluegreen resume {id} --version-label LABEL   releases LABEL, also the one that \
                 blue runs"
            ),
            format!(
                "bluegreen resume {id} --discard-changes   puts {} in its place",
                plan.goal_version()
            ),
        ],
    };
    let back = format!(
        "bluegreen rollback {id} --discard-changes   gives them up and deploys {previous} to blue \
         again"
    );
    [goes_on, vec![back]].concat()
}

/// What leads on from a held deployment: where a test is what failed, with another one, as a
/// shell takes it.
fn held(deployment: &Deployment, cause: &Cause) -> Vec<String> {
    let plan = &deployment.plan;
    let (id, previous) = (for_shell(&plan.id), &plan.previous_version);
    let resumes = match cause {
        Cause::OutOfPatience {
            during: Kind::Deploying,
            ..
        } => "waits on if the deploy still makes progress, else tries again",
        _ => "tries again",
    };
    let mut commands = vec![
        format!("bluegreen resume {id}   {resumes}"),
        format!(
            "bluegreen resume {id} --version-label LABEL   tries a corrected version; --bundle FILE uploads one"
        ),
    ];
    let back = format!("deploys {previous} to blue again");
    let tests = match cause {
        Cause::TestFailed { asked, got } => Some(other_tests(plan, asked, got)),
        _ => None,
    };
    if let (Some(tests), Goal::Release) = (&tests, plan.goal) {
        commands.push(format!(
            "bluegreen resume {id} {tests}   tests blue with this, if the test was wrong"
        ));
    }
    commands.push(format!("bluegreen rollback {id}   {back}"));
    if cause.to_string().contains("Warning") {
        commands.push(format!(
            "bluegreen rollback {id}, then run again with --healthy warning   if health Warning \
             is good enough for blue"
        ));
    }
    if let Some(tests) = tests {
        commands.push(format!(
            "bluegreen rollback {id} {tests}   {back} and tests it with this"
        ));
    }
    commands
}

/// The flags of the tests that failed, to be edited: with the status that came back, where it
/// may be a right one. A test that holds more than that is not written out.
fn other_tests(plan: &Plan, asked: &str, got: &str) -> String {
    if asked == TEST_COMMAND {
        return format!("{TEST_COMMAND} COMMAND");
    }
    let status = got.split(' ').next().and_then(|code| code.parse().ok());
    let status = status.filter(|code: &u16| (300..500).contains(code));
    let tests = plan.tests_towards(plan.goal);
    let failed = |test: &AcceptanceTest| tests.len() == 1 || asked.ends_with(&test.url);
    let flags = tests.iter().map(|test| {
        let accepts = status.filter(|_| failed(test));
        test.as_flag(accepts)
    });
    let flags: Option<Vec<_>> = flags.collect();
    flags.map_or_else(|| "--test TABLE".to_owned(), |flags| flags.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;

    /// The hint beside `rollback` says what the machine does on that order.
    #[test]
    fn an_interrupted_deployment_says_where_a_rollback_leads() {
        let commands = |state| {
            let mut deployment = Deployment::new(Plan::sample("A"), Moment(0));
            deployment.state = state;
            let entry = Entry {
                runner: Runner::None,
                ..Entry::of(deployment, Vec::new(), Vec::new())
            };
            leads_on(&entry)
        };
        for (state, expected) in [
            (State::Cloning, "gives the release up; users stay on blue"),
            (State::Deploying, "returns users to v1 on blue"),
            (State::Baking, "returns users to v1 on blue"),
        ] {
            let told = commands(state.clone());
            assert!(told[0].starts_with("bluegreen resume A "), "{told:?}");
            assert!(told[1].ends_with(expected), "{state:?}: {told:?}");
        }
        assert_eq!(
            commands(State::TerminatingBlue).len(),
            1,
            "nothing leads back"
        );
    }
}
