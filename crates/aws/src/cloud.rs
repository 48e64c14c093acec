//! What the driver needs of AWS, and what the answers of AWS mean.

use std::future::Future;

use thiserror::Error;

use crate::classify::Refusal;
use bluegreen_core::facts::{Environment, Needs, Retried, Sighting, Site, Watched};

use bluegreen_clock::{Deadline, Moment};
use bluegreen_core::command::{Ran, Run};
use bluegreen_core::followers::listener_rules::Balancer;
use bluegreen_core::followers::preview::Record;
use bluegreen_core::machine::Effect;
use bluegreen_core::plan::Plan;

/// Polls AWS and requests effects.
pub trait Cloud {
    /// Reads the facts that `needs` names, both environments in one call.
    ///
    /// # Errors
    /// [`LookError`]; nothing has been changed.
    fn look(&self, plan: &Plan, needs: &Needs)
    -> impl Future<Output = Result<Sighting, LookError>>;

    /// Reads all that may say that production is unhealthy, in one call of Elastic Beanstalk: its
    /// enhanced health, its alarms, and its answers to the tests at `site`, as `needs` names them.
    fn watch(
        &self,
        plan: &Plan,
        needs: &Needs,
        production: &Environment,
        site: Option<&Site>,
    ) -> impl Future<Output = Watched>;

    /// Requests an effect, once. The answer proves nothing about the effect. Once the request is
    /// signed it is sent only before `send_by`: a process that slept before sends nothing, and a
    /// signature is valid no longer than the effect stays in doubt. Only an upload is exempt: its
    /// key holds the hash of its content.
    fn ask(
        &self,
        plan: &Plan,
        effect: &Effect,
        send_by: &Deadline,
    ) -> impl Future<Output = Outcome>;

    /// The record of a hostname in a hosted zone.
    ///
    /// # Errors
    /// [`LookError`].
    fn record(&self, zone_id: &str, host: &str) -> impl Future<Output = Result<Record, LookError>>;

    /// The ARN of the load balancer that an environment shares; `None` where it has its own.
    ///
    /// # Errors
    /// [`LookError`].
    fn shared_balancer(
        &self,
        application: &str,
        environment_name: &str,
    ) -> impl Future<Output = Result<Option<String>, LookError>>;

    /// The rules of a load balancer, and the target groups of environments behind it.
    ///
    /// # Errors
    /// [`LookError`].
    fn rules(&self, balancer: &str) -> impl Future<Output = Result<Balancer, LookError>>;

    /// Runs a command that tests an environment.
    fn run_test(&self, run: &Run) -> impl Future<Output = Ran>;

    /// Requests that the service collects the ends of the logs of an environment's instances, which
    /// changes nothing else.
    ///
    /// # Errors
    /// [`LookError`].
    fn request_tails(&self, environment_id: &str) -> impl Future<Output = Result<(), LookError>>;

    /// The end of `eb-engine.log` of one of them among what was collected since; `None` where it is
    /// not there yet.
    ///
    /// # Errors
    /// [`LookError`].
    fn collected_tail(
        &self,
        environment_id: &str,
        since: Moment,
    ) -> impl Future<Output = Result<Option<LogTail>, LookError>>;

    /// Takes out the requests that were repeated since the last call.
    fn retries(&self) -> Vec<Retried> {
        Vec::new()
    }
}

/// The end of an instance's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogTail {
    /// The instance.
    pub instance: String,
    /// Its lines, without secrets and control characters.
    pub lines: Vec<String>,
}

/// What the answer to a request means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The service accepted it.
    Applied {
        /// The id that isolates the request's events.
        request_id: Option<String>,
        /// The id of the environment it made.
        environment_id: Option<String>,
    },
    /// The service refused it, or it was never sent.
    NotApplied(Refusal),
    /// It was sent, or may have been, and there is no answer; with what is known.
    Unclear(String),
}

impl Outcome {
    /// The outcome of several requests of one effect: the one that leaves the most to be done.
    #[must_use]
    pub(crate) fn of_all(outcomes: Vec<Outcome>) -> Outcome {
        let rank = |outcome: &Outcome| match outcome {
            Outcome::Unclear(_) => 0,
            Outcome::NotApplied(Refusal::Credentials(_)) => 1,
            Outcome::NotApplied(Refusal::Denied(_)) => 2,
            Outcome::NotApplied(Refusal::Invalid(_)) => 3,
            Outcome::NotApplied(
                Refusal::Throttled(_) | Refusal::Busy(_) | Refusal::Unreachable(_),
            ) => 4,
            Outcome::NotApplied(Refusal::AlreadySo(_)) | Outcome::Applied { .. } => 5,
        };
        let worst = outcomes.into_iter().min_by_key(rank);
        worst.unwrap_or(Outcome::Applied {
            request_id: None,
            environment_id: None,
        })
    }

    /// This outcome, with a text that names its subject.
    #[must_use]
    pub(crate) fn of(mut self, subject: &str) -> Outcome {
        let why = match &mut self {
            Outcome::Applied { .. } => None,
            Outcome::Unclear(why) => Some(why),
            Outcome::NotApplied(refusal) => Some(refusal.why_mut()),
        };
        if let Some(why) = why {
            *why = format!("{subject}: {why}");
        }
        self
    }
}

/// Why AWS could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LookError {
    /// Throttled, unreachable, slow or out of order: another poll may succeed.
    #[error("{0}")]
    Passing(String),
    /// The credentials are missing, wrong or expired.
    #[error("{0}")]
    Credentials(String),
    /// The credentials do not allow it.
    #[error("{0}")]
    Denied(String),
    /// AWS refused the request itself.
    #[error("{0}")]
    Refused(String),
}
