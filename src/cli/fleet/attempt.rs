//! One deployment of one target of a fleet, carried out in this process.

use std::sync::Arc;
use std::time::Duration;

use super::super::context::Context;
use super::super::exit::{Exit, Failed};
use super::super::rollback::undoing;
use super::super::run::{check, is_live_already};
use super::console::TargetConsole;
use super::targets::Prepared;
use super::view::Board;
use crate::claim::{ClaimError, Obstacle};
use crate::config::{Config, Named};
use crate::deployment::Deployment;
use crate::fleet::{Attempt, Member, Standing};
use crate::machine::{Order, Rest};
use crate::plan::Goal;
use crate::preflight::{Refused, Wanted};
use crate::session::{Error, Outcome, Release};

/// How a deployment of a target has ended for this process.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    /// It has come to rest.
    Rests(Box<Deployment>),
    /// There was nothing to roll back.
    NotBegun,
    /// Its version was live before it began.
    LiveAlready,
    /// It was refused, for this reason, and nothing was changed.
    Refused(String),
    /// It stands at its last checkpoint, for this reason.
    Interrupted(String),
    /// Another process carries it out, or will.
    Left,
}

/// Begins, continues or rolls back the deployment of a target, and returns how that ends.
/// `released` is the deployment that it undoes.
pub(super) async fn carry_out(
    mut context: Context,
    prepared: &Prepared,
    attempt: &Attempt,
    released: Option<String>,
    ((number, name), board): ((usize, String), Arc<Board>),
) -> Ended {
    let console = TargetConsole::new((number, &name), board, context.trace.clone());
    let done = attempted(&mut context, prepared, attempt, released, &console).await;
    if let Some(trace) = &context.trace {
        trace.end();
    }
    match done {
        Ok(ended) => {
            if let Ended::Rests(deployment) = &ended
                && let Err(failed) = context.put_report(deployment).await
            {
                tracing::warn!(
                    "{name}: the report is not in the bucket: {}",
                    failed.message()
                );
            }
            ended
        }
        Err(failed) => failure(&context, attempt, &failed).await,
    }
}

/// What a failure means for the fleet.
async fn failure(context: &Context, attempt: &Attempt, failed: &Failed) -> Ended {
    let why = failed.message().to_owned();
    let has_begun = !matches!(context.known(&attempt.deployment).await, Ok(None));
    match failed.exit() {
        Exit::Busy if has_begun => Ended::Left,
        _ if has_begun => Ended::Interrupted(why),
        Exit::Interrupted => Ended::Interrupted(why),
        _ => Ended::Refused(why),
    }
}

async fn attempted(
    context: &mut Context,
    prepared: &Prepared,
    attempt: &Attempt,
    released: Option<String>,
    console: &TargetConsole,
) -> Result<Ended, Failed> {
    let id = &attempt.deployment;
    if let Some(found) = context.known(id).await? {
        let deployment = &found.deployment;
        let order = match (attempt.goal, &released) {
            (Goal::Previous, None) => Order::Retreat,
            _ => Order::Resume,
        };
        let waits = deployment.state.rests() && order == Order::Resume;
        if deployment.state.is_end() || waits {
            return Ok(Ended::Rests(Box::new(found.deployment)));
        }
        context.may_use_its_lease(&deployment.plan)?;
        let cloud = context.cloud_of(&deployment.plan).await?;
        let orders = context.orders(order, Named::default())?;
        let mut session = context.session(cloud, console)?;
        let done = Box::pin(session.go_on(found, orders)).await;
        return rests(context, done);
    }
    let (config, wanted, wait) = match (attempt.goal, released) {
        (Goal::Previous, None) => return Ok(Ended::NotBegun),
        (Goal::Previous, Some(released)) => {
            let released = context.known(&released).await?;
            let Some(released) = released else {
                return Ok(Ended::NotBegun);
            };
            let (config, wanted) = undoing(context, &released.deployment).await?;
            (config, wanted, Duration::ZERO)
        }
        (Goal::Release, _) => {
            let wanted = prepared.wanted()?;
            (prepared.config.clone(), wanted, prepared.args.wait())
        }
    };
    check(&config)?;
    let mut done = begun(context, (&config, &wanted, wait), id, console).await?;
    if let Err(Error::Claim(ClaimError::Obstructed(obstacle))) = &done
        && let Obstacle::Held(held) = &**obstacle
        && held.lease.deployment == *id
    {
        // Another worker has taken the lock for this very deployment, and is perhaps gone: it runs
        // out unless that renews it.
        let patience = wait.max(held.lease.length() * 2);
        done = begun(context, (&config, &wanted, patience), id, console).await?;
    }
    match done {
        Err(Error::Refused(Refused::Checks(findings))) if is_live_already(&findings) => {
            Ok(Ended::LiveAlready)
        }
        done => rests(context, done),
    }
}

async fn begun(
    context: &mut Context,
    (config, wanted, wait): (&Config, &Wanted, Duration),
    id: &str,
    console: &TargetConsole,
) -> Result<Result<Outcome, Error>, Failed> {
    let (cloud, sdk) = context.cloud().await?;
    let region = sdk.region().map(ToString::to_string).unwrap_or_default();
    let release = Release {
        config,
        wanted,
        region: &region,
        wait,
        id: Some(id),
    };
    let mut session = context.session(cloud, console)?;
    Ok(Box::pin(session.release(release)).await)
}

fn rests(context: &Context, done: Result<Outcome, Error>) -> Result<Ended, Failed> {
    let outcome = done.map_err(|error| context.failed(error))?;
    Ok(Ended::Rests(Box::new(outcome.deployment)))
}

impl Ended {
    /// Notes the end in the record of its target.
    pub fn note(&self, member: &mut Member) {
        let undoes = member.released.is_some();
        let (standing, why) = match self {
            Ended::Left => {
                if let Some(attempt) = &mut member.attempt {
                    attempt.worker = None;
                }
                return;
            }
            Ended::NotBegun => {
                member.attempt = None;
                (Standing::RolledBack, Some("nothing had begun".to_owned()))
            }
            Ended::LiveAlready => {
                // What released it in an earlier run of the fleet can still be undone.
                let attempt = member.attempt.take();
                member.attempt = attempt
                    .zip(member.live.clone())
                    .map(|(attempt, deployment)| Attempt {
                        deployment,
                        ..attempt
                    });
                (Standing::Completed, Some("it was live already".to_owned()))
            }
            // Its version is still live: that deployment is what there is to see.
            Ended::Refused(why) if undoes => {
                let released = member.released.take();
                if let (Some(attempt), Some(released)) = (&mut member.attempt, released) {
                    attempt.deployment = released;
                }
                (Standing::Stuck, Some(why.clone()))
            }
            Ended::Refused(why) => {
                member.attempt = None;
                (Standing::Refused, Some(why.clone()))
            }
            Ended::Interrupted(why) => (Standing::Interrupted, Some(why.clone())),
            Ended::Rests(deployment) => {
                if !undoes {
                    // An operator may have corrected it.
                    member.version = Some(deployment.plan.version.clone());
                }
                let why = || Some(deployment.meaning().to_owned());
                match (deployment.state.rest(), undoes) {
                    (Some(Rest::Completed), true) => (Standing::RolledBack, None),
                    (Some(Rest::Completed), false) => {
                        // A rollback that came too late is still to be done.
                        if let Some(attempt) = &mut member.attempt {
                            attempt.goal = Goal::Release;
                        }
                        (Standing::Completed, None)
                    }
                    (Some(Rest::RolledBack), true) => (
                        Standing::Stuck,
                        Some(format!(
                            "its rollback was itself rolled back: {}",
                            deployment.meaning()
                        )),
                    ),
                    (Some(rest), _) => (Standing::from(rest), why()),
                    (None, _) => (Standing::Interrupted, why()),
                }
            }
        };
        member.standing = standing;
        member.why = why;
    }
}
