//! What happens in a deployment, as data: whoever drives it tells a [`Listener`] of it, and a
//! listener makes log lines, a view or a report of it.

use std::time::Duration;

use serde::Serialize;

use crate::command::End;
use crate::deployment::Deployment;
use crate::fidelity::Weight;
use crate::machine::Kind;
use crate::moment::Moment;
use crate::plan::{Role, Target};

/// One thing that happened, with what somebody needs who reads this one alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeploymentEvent {
    /// The deployment's id.
    pub deployment: String,
    /// Where it runs.
    pub target: Target,
    /// The version that goes on: the one to release, and the one before it on the way back.
    pub version: String,
    /// When, by the deployment's own clock.
    pub at: Moment,
    /// Counts from 1 in each process that drives the deployment.
    pub sequence: u64,
    /// What happened.
    pub happened: Happened,
}

impl DeploymentEvent {
    /// The event of something that has happened in a deployment.
    #[must_use]
    pub fn of(
        deployment: &Deployment,
        at: Moment,
        sequence: u64,
        happened: Happened,
    ) -> DeploymentEvent {
        DeploymentEvent {
            deployment: deployment.plan.id.clone(),
            target: deployment.plan.target.clone(),
            version: deployment.plan.goal_version().to_owned(),
            at,
            sequence,
            happened,
        }
    }
}

/// Hears what happens in deployments.
pub trait Listener: Send + Sync {
    /// Hears of one event. It must not block: the deployment waits meanwhile.
    fn hear(&self, event: &DeploymentEvent);
}

/// A listener that makes nothing of what it hears.
#[derive(Clone, Copy, Debug)]
pub struct Deaf;

impl Listener for Deaf {
    fn hear(&self, _: &DeploymentEvent) {}
}

/// What happened. Durations are of the deployment's own clock.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Happened {
    /// The process holds the target's lock, and drives from this state on.
    LockTaken {
        /// The state.
        state: Kind,
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
    /// AWS was read.
    Polled(Poll),
    /// AWS could not be read; the deployment waits.
    PollFailed {
        /// Why, in words.
        why: String,
    },
    /// The environment that production left is watched until its requests are gone.
    Draining {
        /// The environment.
        environment: Role,
        /// How far that is.
        drain: Drain,
    },
    /// A deploy takes longer than its timeout, and goes on.
    DeployTakesLong {
        /// The environment.
        environment: String,
        /// The timeout that is over.
        timeout: Duration,
        /// How long it is waited for at most as long as it goes on.
        limit: Duration,
    },
    /// AWS was asked for something.
    Asked {
        /// The operation, as its API names it.
        operation: String,
        /// What of, where it is neither blue nor green, and what it is to become.
        subject: Option<String>,
    },
    /// AWS has answered, or not.
    Answered {
        /// The operation.
        operation: String,
        /// The answer.
        answer: Answer,
    },
    /// Elastic Beanstalk has told of an error of this deployment.
    ServiceError {
        /// Its words, and when.
        message: String,
    },
    /// Elastic Beanstalk has warned of something while it deployed.
    DeployWarning {
        /// The environment.
        environment: String,
        /// WARN, ERROR or FATAL.
        severity: String,
        /// Its words.
        message: String,
    },
    /// A swap has failed and may be asked for again.
    SwapFailed {
        /// Why, in the service's words.
        why: String,
    },
    /// Green is not what blue is.
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
    /// Something that stops nothing, and that somebody has to know.
    Noticed {
        /// What, in words.
        what: String,
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
        lasted: Duration,
    },
    /// A hook has begun.
    HookBegan {
        /// Its place, as in `before Testing`.
        hook: String,
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
        lasted: Duration,
    },
    /// Somebody was asked whether a pause is over.
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
    /// The deployment goes on although preview hostnames do not lead where they should.
    HostsGivenUp {
        /// The hostnames.
        hosts: Vec<String>,
    },
    /// The rules of a shared load balancer cannot be read or changed for now.
    RulesWait {
        /// Why, in words.
        why: String,
        /// Whether a change was asked for, and is asked for again.
        is_asked: bool,
    },
}

/// What a poll saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Poll {
    /// Blue and green, where they are there.
    pub environments: Vec<PolledEnvironment>,
    /// Who holds the production CNAME; none where neither does.
    pub production: Option<Role>,
    /// How many tests over HTTP were asked, and how many passed.
    pub tests: Tests,
}

/// An environment that a poll saw.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PolledEnvironment {
    /// Which it is.
    pub role: Role,
    /// Its name.
    pub name: String,
    /// Its status in the service's words, as in `Ready`.
    pub status: String,
    /// Its health in the service's words, as in `Ok` or `Green`.
    pub health: String,
    /// The version label it shows.
    pub version: Option<String>,
}

/// Tests of one poll.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tests {
    /// How many were asked.
    pub asked: usize,
    /// How many of them passed.
    pub passed: usize,
}

/// How far a drain is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Drain {
    /// Nobody counts requests: time alone decides.
    Uncounted {
        /// Why, in words.
        why: String,
        /// How long it lasts.
        limit: Duration,
    },
    /// The requests since production left are not told yet.
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It took it.
    Accepted,
    /// It is so already: why it says so.
    AlreadySo(String),
    /// It is to be asked again later: throttled, busy or out of reach, in words.
    BackingOff(String),
    /// Nobody knows whether the request arrived: why, in words.
    InDoubt(String),
    /// It refused it: why, in words.
    Refused(String),
}

/// What the approver of a pause has answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// 204, or 200 with the deployment's id in its header or text: go on.
    Granted,
    /// 403: not yet.
    Wait,
    /// 409: never; with the status and what the answer said.
    Refused(String),
    /// Anything else, and no answer: what came back. Asking again may help.
    Unclear(String),
}
