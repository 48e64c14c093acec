//! `bluegreen abort`: asks the process that drives to retreat, wherever it runs;
//! where none does, retreats itself.

use std::time::Duration;

use tracing::{info, warn};

use super::context::{Context, signals};
use super::finish::{Asked, exit_code, go_on, report};
use super::take::{Attempt, Taken};
use super::{Exit, Failed};
use crate::config::{NamedTests, Options};
use crate::deployment::Deployment;
use crate::machine::{Kind, NotPossible, Order, State, obey};
use crate::plan::Goal;
use crate::shared::Contender;
use crate::store::StoreError;

/// What `abort` takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Deployment; may be left out where exactly one is in flight
    id: Option<String>,
}

/// How often the other process is looked after.
const LOOK_AFTER: Duration = Duration::from_millis(500);

pub(super) async fn run(
    options: &Options,
    args: &Args,
    named: Option<NamedTests>,
) -> Result<Exit, Failed> {
    let mut context = Context::to_drive(options).await?;
    let found = context
        .find_or_rebuild(args.id.as_deref(), Some(Goal::Previous))
        .await?;
    let Deployment { state, plan, .. } = found.deployment;
    obey(&state, &plan, Order::Retreat)?;
    let id = plan.id;
    context.store.request_retreat(&id, context.clock.now())?;
    let mut interrupted = signals()?;
    let mut told = false;
    let mut contender = None;
    loop {
        let holder = match look_after(&mut context, &id, &mut contender, told).await? {
            Other::Drives(holder) => holder,
            Other::Obeyed(exit) => return Ok(exit),
            Other::None(taken) => {
                let (order, asked) = (Order::Retreat, Asked::Retreat);
                return go_on(&mut context, *taken, order, asked, named).await;
            }
        };
        if !told {
            info!(id, "asked {holder} to go back; waiting for it");
            if named.is_some() {
                warn!(
                    id,
                    "the tests that are named here are not taken: {holder} has the plan's; where those \
                     hold it, name them to `bluegreen rollback`"
                );
            }
            told = true;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_AFTER) => {}
            _ = interrupted.wait_for(|yes| *yes) => {
                let message = "interrupted by a signal; the word to go back is left";
                return Err(Failed::new(Exit::Interrupted, message)
                    .hint(format!("follow it with: bluegreen status {id} --watch")));
            }
        }
    }
}

/// The process that drives a deployment.
enum Other {
    Drives(String),
    /// It has gone back, or as far as that went.
    Obeyed(Exit),
    /// There is none: it is ours to drive.
    None(Box<Taken>),
}

async fn look_after(
    context: &mut Context,
    id: &str,
    contender: &mut Option<Contender>,
    told: bool,
) -> Result<Other, Failed> {
    let lock = match context.store.lock_drive(id) {
        Ok(lock) => lock,
        Err(StoreError::Driven { holder, .. }) => return Ok(Other::Drives(holder)),
        Err(error) => return Err(error.into()),
    };
    let found = context.find(Some(id)).await?;
    let deployment = &found.deployment;
    let word_is_left = context.store.retreat_requested(id)?;
    let has_obeyed = |deployment: &Deployment, word_is_left: bool| {
        deployment.state.is_end() || told && deployment.state.rests() && !word_is_left
    };
    let cloud = context.cloud_of(&deployment.plan).await?;
    let lease = match context.shared_of(&cloud, &deployment.plan)? {
        _ if deployment.state.is_end() => None,
        None => None,
        Some(shared) => {
            let contender = match contender {
                Some(contender) => contender,
                none => {
                    let new = context.contender(shared, &deployment.plan.target, id)?;
                    none.insert(new.beyond(deployment.fence))
                }
            };
            match context.attempt(contender, deployment).await? {
                Attempt::Taken(lease) => Some(lease),
                Attempt::Away(error) => return Err(Failed::drive(id, error.into())),
                Attempt::Held(held) => {
                    let request = contender.request_retreat().await;
                    request.map_err(|e| Failed::drive(id, e.into()))?;
                    let holder = held.lease.holder.map(|holder| holder.to_string());
                    return Ok(Other::Drives(holder.unwrap_or_default()));
                }
            }
        }
    };
    let (found, word_is_left) = match &lease {
        None => (found, word_is_left),
        // Its holder may have come to rest since it was looked at.
        Some(lease) => match context.find(Some(id)).await {
            Ok(found) => (found, lease.retreat_requested().await),
            Err(failed) => {
                lease.release().await;
                return Err(failed);
            }
        },
    };
    let deployment = found.deployment.clone();
    if has_obeyed(&deployment, word_is_left) {
        if let Some(lease) = lease {
            lease.release().await;
        }
        context.store.adopt(&deployment, &found.transitions)?;
        context.store.withdraw_retreat(id)?;
        report(context, &deployment).await?;
        if deployment.state == State::Completed {
            return Err(NotPossible::Ended(Kind::Completed).into());
        }
        return Ok(Other::Obeyed(exit_code(&deployment.state, Asked::Retreat)));
    }
    Ok(Other::None(Box::new(Taken {
        cloud,
        lock,
        lease,
        deployment,
    })))
}
