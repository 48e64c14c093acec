//! Which environment users are on, as far as a deployment knows. Pure.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::deployment::Deployment;
use crate::events::{EventRecord, Happened, Poll};
use crate::health::Health;
use crate::machine::{Cause, Kind};
use crate::plan::{Goal, Role, Strategy};

/// Where the users of a deployment's target are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Users {
    /// The environment that they are on; `None` where a person has to find out.
    pub on: Option<Role>,
    /// Its name; that of the production CNAME where the environment is not known.
    pub place: String,
    /// The version label that it runs, where that is known.
    pub version: Option<String>,
    /// Its health in the service's word, as in `Ok` or `Green`; `None` where no poll has told.
    pub health: Option<String>,
    /// Whether that environment is being terminated.
    pub is_terminating: bool,
    /// Whether they get no answer, because it was terminated while they were on it.
    pub get_no_answer: bool,
    /// The environment that a swap moves them to.
    pub moving_to: Option<String>,
    /// How current this is.
    pub as_of: AsOf,
}

/// How current a statement about users is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AsOf {
    /// A process polls AWS now.
    Now,
    /// Nothing polls AWS any more.
    LastPoll,
    /// The deployment has ended.
    End,
}

impl Users {
    /// What the state of a deployment and its last poll say. `is_polled` is whether a process
    /// polls AWS now.
    #[must_use]
    pub fn of(deployment: &Deployment, poll: Option<&Poll>, is_polled: bool) -> Users {
        Users::in_state(deployment, deployment.state.kind(), poll, is_polled)
    }

    /// The same of a deployment that has come to another state since it was read.
    #[must_use]
    pub fn in_state(
        deployment: &Deployment,
        kind: Kind,
        poll: Option<&Poll>,
        is_polled: bool,
    ) -> Users {
        let plan = &deployment.plan;
        let gone = gone(deployment);
        let on = gone
            .or_else(|| poll.and_then(|poll| poll.production))
            .or_else(|| serving(deployment, kind));
        let seen = poll.into_iter().flat_map(|poll| &poll.environments);
        let seen = seen.into_iter().find(|seen| Some(seen.role) == on);
        let to = match kind {
            Kind::SwappingToGreen | Kind::ReturningToGreen => Some(Role::Green),
            Kind::SwappingToBlue | Kind::ReturningToBlue => Some(Role::Blue),
            _ => None,
        };
        Users {
            on,
            place: match on {
                Some(on) => plan.environment(on).to_owned(),
                None => plan.production_cname.clone(),
            },
            version: match (seen.and_then(|seen| seen.version.clone()), on) {
                (Some(version), _) => Some(version),
                (None, Some(on)) => version_on(deployment, kind, on),
                (None, None) => None,
            },
            health: seen.map(|seen| seen.health.clone()),
            is_terminating: gone.is_some() || seen.is_some_and(|seen| seen.status == "Terminating"),
            get_no_answer: gone.is_some(),
            moving_to: to
                .filter(|to| on.is_some_and(|on| on != *to))
                .map(|to| plan.environment(to).to_owned()),
            as_of: match (kind, is_polled) {
                (_, true) => AsOf::Now,
                (Kind::Completed | Kind::RolledBack, false) => AsOf::End,
                (_, false) => AsOf::LastPoll,
            },
        }
    }

    /// The last poll among the events of a deployment, the oldest first.
    #[must_use]
    pub fn last_poll(events: &[EventRecord]) -> Option<&Poll> {
        events.iter().rev().find_map(|event| match &event.happened {
            Happened::Polled(poll) => Some(poll),
            _ => None,
        })
    }
}

impl fmt::Display for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.on.is_none() {
            return write!(f, "not known: check which environment holds {}", self.place);
        }
        match &self.version {
            Some(version) => write!(f, "{version} on {}", self.place)?,
            None => write!(f, "on {}", self.place)?,
        }
        if self.get_no_answer {
            f.write_str(", which is TERMINATED: they get no answer")?;
        } else if self.is_terminating {
            f.write_str(", which is BEING TERMINATED")?;
        } else if let Some(health) = &self.health {
            // The service's word, or its colour with basic health.
            match Health::of(Some(health), "").or_else(|| Health::of(None, health)) {
                Some(Health::Ok) => f.write_str(", healthy")?,
                _ => write!(f, ", health {health}")?,
            }
        }
        if let Some(to) = &self.moving_to {
            write!(f, ", moving to {to}")?;
        }
        match self.as_of {
            AsOf::Now => Ok(()),
            AsOf::LastPoll if self.health.is_some() => f.write_str(" when last polled"),
            AsOf::LastPoll => f.write_str(" at the last checkpoint"),
            AsOf::End => f.write_str(" when it ended"),
        }
    }
}

/// The environment that was terminated while users were on it, where that is why the deployment
/// stands where it does.
fn gone(deployment: &Deployment) -> Option<Role> {
    let Some(Cause::ProductionTerminated { environment, .. }) = deployment.state.cause() else {
        return None;
    };
    let plan = &deployment.plan;
    let roles = [Role::Blue, Role::Green].into_iter();
    let mut roles = roles.filter(|role| plan.environment(*role) == environment);
    roles.next()
}

/// The environment that users are on, as far as the state alone says; `None` where a person has to
/// find out.
#[must_use]
pub fn serving(deployment: &Deployment, kind: Kind) -> Option<Role> {
    match kind {
        Kind::Baking | Kind::Completed => Some(deployment.plan.destination()),
        Kind::Preparing
        | Kind::Cloning
        | Kind::Warming
        | Kind::DeployingGreen
        | Kind::TestingGreen
        | Kind::AwaitingSwap
        | Kind::SwappingToGreen
        | Kind::ReturningToGreen
        | Kind::TerminatingGreen
        | Kind::Discarding
        | Kind::RolledBack => Some(Role::Blue),
        Kind::DrainingBlue
        | Kind::Deploying
        | Kind::AbortingDeploy
        | Kind::Testing
        | Kind::AwaitingCutover
        | Kind::SwappingToBlue
        | Kind::ReturningToBlue
        | Kind::TerminatingBlue
        | Kind::Held => Some(Role::Green),
        Kind::Stuck => match deployment.state.cause() {
            Some(Cause::BlueGone {
                serving: Some(serving),
                ..
            }) if *serving == deployment.plan.green => Some(Role::Green),
            _ => None,
        },
    }
}

/// The version that an environment with users runs, as far as the state says; `None` where it may
/// be either.
fn version_on(deployment: &Deployment, kind: Kind, on: Role) -> Option<String> {
    let plan = &deployment.plan;
    let version = match (plan.strategy, on, kind) {
        (Strategy::Promote, Role::Green, _) => &plan.version,
        (Strategy::Restore, Role::Blue, Kind::ReturningToGreen) => deployment.deployed.last()?,
        (
            Strategy::Restore,
            Role::Blue,
            Kind::Baking | Kind::TerminatingGreen | Kind::Completed,
        ) => plan.goal_version(),
        // A green that was cloned on the way to the previous version runs what blue ran then.
        (Strategy::Restore, Role::Green, _) if plan.goal == Goal::Previous => return None,
        (Strategy::Restore | Strategy::Rehearse, Role::Blue | Role::Green, _)
        | (Strategy::Promote, Role::Blue, _) => &plan.previous_version,
    };
    Some(version.to_string())
}
