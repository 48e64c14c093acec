//! What happens in a deployment.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::poll::Poll;
use super::probed::Probed;
use crate::command::End;
use crate::facts::update::warns;
use crate::facts::{Retried, ServiceOperation, Wait};
use crate::fidelity::Weight;
use crate::machine::Kind;
use crate::moment::{Moment, seconds};
use crate::plan::{Role, Sizes};

/// What happened. Durations are of the deployment's own clock, and seconds in JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Happened {
    /// The process holds the target's lock, and is the runner from this state on.
    LockTaken {
        /// The state.
        state: Kind,
        /// The process, its machine and its CI job, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        runner: Option<String>,
    },
    /// The process has renewed the lock.
    LockRenewed {
        /// How long it lasts from now on without another renewal.
        #[serde(with = "seconds")]
        #[schemars(with = "f64")]
        lasts: Duration,
    },
    /// The process holds the lock no more and sends nothing more.
    LockLost {
        /// Why, in words.
        why: String,
    },
    /// The deployment entered a state, or the same once more for another reason.
    StateEntered {
        /// The state before.
        from: Kind,
        /// The state now.
        to: Kind,
        /// What that means, as in `green is being cloned`.
        meaning: String,
        /// Why it was entered.
        why: String,
    },
    /// The version before is the goal from here on, and the deployment stays in its state, from
    /// which the same states lead back.
    RollbackBegan {
        /// The state.
        state: Kind,
        /// Why, in words.
        why: String,
    },
    /// AWS was read.
    Polled(Poll),
    /// AWS could not be read; the deployment waits.
    PollFailed {
        /// Why, in words.
        why: String,
    },
    /// The state waits for something.
    Waiting {
        /// The state.
        state: Kind,
        /// For what, measured and limit side by side.
        waits: Vec<Wait>,
    },
    /// The SDK has repeated a request that failed for the moment.
    Retried(Retried),
    /// bluegreen monitors the environment that production left until its requests are gone.
    Draining {
        /// The environment.
        environment: Role,
        /// How far that is.
        drain: Drain,
    },
    /// A deploy takes longer than its timeout, and continues.
    DeployTakesLong {
        /// The environment.
        environment: String,
        /// The timeout that is over.
        #[serde(with = "seconds")]
        #[schemars(with = "f64")]
        timeout: Duration,
        /// How long bluegreen waits for it at most while it continues.
        #[serde(with = "seconds")]
        #[schemars(with = "f64")]
        limit: Duration,
    },
    /// bluegreen has sent a request to AWS.
    Asked {
        /// The operation, as its API names it.
        operation: String,
        /// What the request is about, where that is neither blue nor green, and what it must
        /// become.
        subject: Option<String>,
    },
    /// AWS has answered, or not.
    Answered {
        /// The operation.
        operation: String,
        /// The answer.
        answer: Answer,
    },
    /// Elastic Beanstalk has emitted an event of an operation that this deployment requested.
    ServiceEvent {
        /// The operation.
        of: ServiceOperation,
        /// The environment; none of a swap, which has two.
        environment: Option<String>,
        /// When, by the service's clock.
        #[schemars(with = "String")]
        emitted_at: Moment,
        /// TRACE, DEBUG, INFO, WARN, ERROR or FATAL.
        severity: String,
        /// The service's words.
        message: String,
    },
    /// The end of an instance's `eb-engine.log` after a deploy that failed.
    EngineLog {
        /// The environment.
        environment: String,
        /// The instance.
        instance: String,
        /// Its last lines, without secrets and control characters.
        lines: Vec<String>,
    },
    /// That log could not be read.
    EngineLogUnread {
        /// The environment.
        environment: String,
        /// Why, in words.
        why: String,
    },
    /// A swap has failed, and bluegreen may request it again.
    SwapFailed {
        /// Why, in the service's words.
        why: String,
    },
    /// Green differs from blue.
    Differs {
        /// Whether that stops the deployment.
        weight: Weight,
        /// The difference, line by line.
        difference: String,
    },
    /// Blue's template keeps the security group that the service made for blue, so green is made
    /// with others.
    GroupReplaced {
        /// Those beside one of its own.
        groups: Vec<String>,
    },
    /// Alarms could not be read, so that a bake does not end.
    AlarmsUnread {
        /// Why, in words.
        why: String,
    },
    /// An environment is busy with an update that this deployment has not requested.
    OthersUpdate {
        /// The environment.
        environment: String,
        /// How the service announced it.
        said: String,
    },
    /// Somebody else terminates an environment.
    OthersTermination {
        /// The environment.
        environment: String,
        /// Whether production is on it.
        serves: bool,
    },
    /// Somebody else has moved production.
    OthersSwap {
        /// The environment that holds it now.
        to: String,
        /// The one that this deployment has left it on.
        from: String,
    },
    /// An environment shows a version that this deployment has not deployed.
    OthersDeploy {
        /// The environment.
        environment: String,
        /// The version label.
        label: String,
        /// Whether production is on it.
        serves: bool,
    },
    /// Idle blue is not configured as before the release, and goes live so.
    ChangesGoLive {
        /// Blue.
        environment: String,
        /// Each difference, in words.
        changes: Vec<String>,
    },
    /// Somebody else has changed idle blue, which is about to be terminated.
    ChangesAreLost {
        /// Blue.
        environment: String,
        /// The environment that stays.
        successor: String,
        /// Each difference, in words.
        changes: Vec<String>,
    },
    /// Production is less healthy than before the release, so the bake does not end.
    LessHealthy {
        /// Its health in the service's words.
        health: String,
        /// Its worst health before the release; none where nobody saw it.
        before: Option<String>,
    },
    /// The environment that stays has other sizes than before the release, and keeps them.
    SizesStay {
        /// The environment.
        environment: String,
        /// Its sizes now.
        found: Sizes,
        /// Its sizes before the release.
        before: Sizes,
    },
    /// The command that tests has begun.
    TestBegan {
        /// The flag that names it.
        test: String,
        /// The environment that it tests.
        environment: Role,
    },
    /// The command that tests has ended.
    TestEnded {
        /// The flag that names it.
        test: String,
        /// The environment that it tested.
        environment: Role,
        /// How.
        end: End,
        /// How long it took.
        #[serde(with = "seconds")]
        #[schemars(with = "f64")]
        lasted: Duration,
    },
    /// An environment has not passed a test over HTTP.
    TestFailed {
        /// The environment.
        environment: Role,
        /// Its name.
        name: String,
        /// The version label that it shows.
        runs: Option<String>,
        /// The request, as in `GET http://…/`.
        test: String,
        /// The status and what is wrong with the answer, or why there was none.
        got: String,
        /// How long the answer took; zero where there was none.
        #[serde(with = "seconds")]
        #[schemars(with = "f64")]
        lasted: Duration,
        /// The beginning of the body, without secrets; none where there was none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<String>,
    },
    /// A hook has begun.
    HookBegan {
        /// Its place, as in `before Testing`.
        hook: String,
    },
    /// A hook has written a line.
    HookOutput {
        /// Its place.
        hook: String,
        /// The line, without secrets.
        line: String,
    },
    /// A hook has ended.
    HookEnded {
        /// Its place.
        hook: String,
        /// How.
        end: End,
        /// How, and the last line that it said.
        told: String,
        /// How long it took.
        #[serde(with = "seconds")]
        #[schemars(with = "f64")]
        lasted: Duration,
    },
    /// bluegreen has requested an approver's answer on whether a pause is over.
    ApprovalAsked {
        /// The answer.
        approval: Approval,
    },
    /// The bucket is away; the deployment waits, and sends nothing.
    BucketAway {
        /// Why, in words.
        why: String,
    },
    /// A preview hostname cannot be read or changed for now.
    HostWaits {
        /// The hostname.
        host: String,
        /// Whether it could be read.
        is_read: bool,
        /// Why, in words.
        why: String,
    },
    /// A preview hostname was changed by somebody else, and is left so.
    HostForeign {
        /// The hostname.
        host: String,
        /// What it holds.
        holds: String,
    },
    /// The deployment continues although preview hostnames do not lead where they should.
    HostsGivenUp {
        /// The hostnames.
        hosts: Vec<String>,
    },
    /// The rules of a shared load balancer cannot be read or changed for now.
    RulesWait {
        /// Why, in words.
        why: String,
        /// Whether bluegreen has requested a change, and requests it again.
        is_asked: bool,
    },
    /// What requests to production came to for a while.
    Probed(Probed),
    /// Something that this version of bluegreen does not know.
    #[serde(other)]
    Unknown,
}

/// Whether the journal keeps an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// Every time.
    Always,
    /// Where it differs from the last one of its type.
    Changes,
    /// The first time that it says this.
    Once,
    /// Never: it is for those who watch.
    Never,
}

impl Happened {
    /// Whether the journal keeps it: what a report needs, and of what comes back with every poll
    /// what has changed.
    #[must_use]
    pub fn keeping(&self) -> Keeping {
        match self {
            Happened::ServiceEvent { severity, .. } if !warns(severity) => Keeping::Never,
            // Polls count the requests too.
            Happened::Draining {
                drain: Drain::Requests { .. },
                ..
            }
            | Happened::LockRenewed { .. }
            | Happened::Waiting { .. }
            | Happened::Retried(_)
            // The journal keeps the end of its output.
            | Happened::HookOutput { .. }
            | Happened::Unknown => Keeping::Never,
            Happened::ServiceEvent { .. }
            | Happened::Differs { .. }
            | Happened::OthersUpdate { .. }
            | Happened::OthersTermination { .. }
            | Happened::OthersSwap { .. }
            | Happened::OthersDeploy { .. }
            | Happened::ChangesGoLive { .. }
            | Happened::ChangesAreLost { .. }
            | Happened::HostForeign { .. } => Keeping::Once,
            Happened::Polled(_)
            | Happened::PollFailed { .. }
            | Happened::Draining { .. }
            | Happened::AlarmsUnread { .. }
            | Happened::ApprovalAsked { .. }
            | Happened::TestFailed { .. }
            | Happened::BucketAway { .. }
            | Happened::HostWaits { .. }
            | Happened::RulesWait { .. } => Keeping::Changes,
            Happened::LockTaken { .. }
            | Happened::LockLost { .. }
            | Happened::StateEntered { .. }
            | Happened::RollbackBegan { .. }
            | Happened::DeployTakesLong { .. }
            | Happened::Asked { .. }
            | Happened::Answered { .. }
            | Happened::SwapFailed { .. }
            | Happened::EngineLog { .. }
            | Happened::EngineLogUnread { .. }
            | Happened::GroupReplaced { .. }
            | Happened::LessHealthy { .. }
            | Happened::SizesStay { .. }
            | Happened::TestBegan { .. }
            | Happened::TestEnded { .. }
            | Happened::HookBegan { .. }
            | Happened::HookEnded { .. }
            | Happened::HostsGivenUp { .. }
            | Happened::Probed(_) => Keeping::Always,
        }
    }

    /// Whether it says the same as another of its type.
    pub(super) fn repeats(&self, earlier: &Happened) -> bool {
        match (self, earlier) {
            (Happened::Polled(now), Happened::Polled(earlier)) => !now.differs_from(earlier),
            (
                Happened::TestFailed {
                    test, got, runs, ..
                },
                Happened::TestFailed {
                    test: earlier_test,
                    got: earlier_got,
                    runs: earlier_runs,
                    ..
                },
            ) => (test, got, runs) == (earlier_test, earlier_got, earlier_runs),
            _ => self == earlier,
        }
    }
}

/// How far a drain is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Drain {
    /// Nobody counts requests: time alone decides.
    Uncounted {
        /// Why, in words.
        why: String,
        /// How long it lasts.
        #[serde(with = "seconds")]
        #[schemars(with = "f64")]
        limit: Duration,
    },
    /// The requests since production left are not known yet.
    NotToldYet,
    /// Requests still come.
    Requests {
        /// A minute, of each instance.
        per_instance: u64,
        /// How many of these it is over at.
        done_at: u64,
        /// How many that is beside production's, in words.
        counted: String,
    },
    /// Requests still come although their clients had time to leave.
    Overdue {
        /// How many, in words.
        counted: String,
        /// How long they had.
        #[serde(with = "seconds")]
        #[schemars(with = "f64")]
        limit: Duration,
    },
    /// The requests that still come are given up.
    GivenUp {
        /// How many, in words.
        counted: String,
        /// Whether the operator said so, and not that they are few.
        is_accepted: bool,
    },
}

/// What AWS has answered to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It took it.
    Accepted,
    /// It is so already: why it says so.
    AlreadySo(String),
    /// bluegreen repeats the request later: AWS throttles it, is busy or is out of reach; why, in
    /// words.
    BackingOff(String),
    /// Nobody knows whether the request arrived: why, in words.
    InDoubt(String),
    /// It refused it: why, in words.
    Refused(String),
}

/// What the approver of a pause has answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// 204, or 200 with the deployment's id in its header or text: continue.
    Granted,
    /// 403: not yet.
    Wait,
    /// 409: never; with the status and what the answer said.
    Refused(String),
    /// Anything else, and no answer: what came back. Asking again may help.
    Unclear(String),
}
