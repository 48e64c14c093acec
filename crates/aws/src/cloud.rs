//! What the driver needs of AWS, and how the answers of AWS are understood.

use std::future::Future;

use thiserror::Error;

use crate::{Needs, Refusal, Sighting};

use bluegreen_clock::Deadline;
use bluegreen_core::command::{Ran, Run};
use bluegreen_core::listener_rules::{Balancer, Change};
use bluegreen_core::machine::Effect;
use bluegreen_core::plan::Plan;
use bluegreen_core::preview::Record;

/// Looks at AWS and asks for effects.
pub trait Cloud {
    /// Reads the facts that `needs` names, both environments in one call.
    ///
    /// # Errors
    /// [`LookError`]; nothing has been changed.
    fn look(&self, plan: &Plan, needs: &Needs)
    -> impl Future<Output = Result<Sighting, LookError>>;

    /// Asks for an effect, once. The answer proves nothing about the effect. Once the
    /// request is signed it is sent only where `send_by` is not over: a process that
    /// slept before sends nothing, and a signature holds no longer than the effect's
    /// quarantine. An upload alone is exempt: its key holds its content's hash.
    fn ask(
        &self,
        plan: &Plan,
        effect: &Effect,
        send_by: &Deadline,
    ) -> impl Future<Output = Outcome>;

    /// What a hostname of a hosted zone holds.
    ///
    /// # Errors
    /// [`LookError`].
    fn record(&self, zone_id: &str, host: &str) -> impl Future<Output = Result<Record, LookError>>;

    /// Makes a hostname that holds `from` hold `to`; one that holds anything else is left
    /// alone. Safe to repeat.
    fn replace_record(
        &self,
        zone_id: &str,
        host: &str,
        from: &Record,
        to: &Record,
        send_by: &Deadline,
    ) -> impl Future<Output = Outcome>;

    /// The ARN of the load balancer that an environment shares; none where it has its
    /// own.
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

    /// Makes a rule forward elsewhere. Safe to repeat.
    fn move_rule(&self, change: &Change, send_by: &Deadline) -> impl Future<Output = Outcome>;

    /// Runs a command that tests an environment.
    fn run_test(&self, run: &Run) -> impl Future<Output = Ran>;
}

/// What the answer to a request told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The service took it.
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

/// Why nothing could be seen.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LookError {
    /// Throttled, unreachable, slow or out of order: looking again may work.
    #[error("{0}")]
    Passing(String),
    /// The credentials are missing, wrong or expired.
    #[error("{0}")]
    Credentials(String),
    /// The credentials do not allow it.
    #[error("{0}")]
    Denied(String),
    /// AWS refused the question itself.
    #[error("{0}")]
    Refused(String),
}
