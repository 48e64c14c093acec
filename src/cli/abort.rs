//! `bluegreen abort`: asks the process that drives to retreat, wherever it runs;
//! where none does, retreats itself.

use std::time::Duration;

use tracing::{info, warn};

use super::claim::{Attempt, Taken};
use super::context::Context;
use super::session::{Asked, as_its_run, exit_code, go_on, report};
use super::signals::Standing;
use super::{Exit, Failed, Unheeded};
use crate::cloud::AwsCloud;
use crate::config::{Named, Options};
use crate::deployment::Deployment;
use crate::machine::{Kind, NotPossible, Order, State, obey};
use crate::plan::Goal;
use crate::shared::{Contender, SharedError};
use crate::store::StoreError;

/// What `abort` takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Deployment; may be omitted if exactly one is in flight
    id: Option<String>,
    /// Give up the outside changes for which the deployment is held
    #[arg(long)]
    pub(super) discard_changes: bool,
}

/// How often a process on this machine is looked after, by its lock. One elsewhere is looked
/// after once a poll.
const LOOK_AFTER: Duration = Duration::from_millis(500);

pub(super) async fn run(
    options: &Options,
    args: &Args,
    named: Named,
    unheeded: Option<Unheeded>,
) -> Result<Exit, Failed> {
    let mut context = Context::to_drive(options, args.id.as_deref()).await?;
    context.unheeded = unheeded;
    let found = context
        .find_or_rebuild(args.id.as_deref(), Some(Goal::Previous))
        .await?;
    // Before the word to go back is left.
    as_its_run(&found.deployment, &named)?;
    let Deployment { state, plan, .. } = found.deployment;
    obey(&state, &plan, Order::Retreat)?;
    let id = plan.id;
    context.store.request_retreat(&id, context.clock.now())?;
    context.signals.stand(the_word_is_left(&id, false));
    let mut told = false;
    let mut other = None;
    let mut seen_at = context.clock.now();
    loop {
        let looked = match look_after(&mut context, &id, &mut other, told).await {
            // Nobody has the word, and whoever resumes later is not to find it.
            Err(failed) if failed.exit() == Exit::Refused && !told => {
                context.store.withdraw_retreat(&id)?;
                return Err(failed);
            }
            looked => looked?,
        };
        let (poll, now) = (
            context.clock.wall(plan.wishes.limits.poll),
            context.clock.now(),
        );
        let (holder, pause) = match looked {
            Other::DrivesHere(holder) => (holder, LOOK_AFTER),
            Other::Drives(holder) => (holder, poll),
            Other::Unseen(failed) if now.since(seen_at) >= plan.wishes.limits.patience => {
                return Err(failed);
            }
            Other::Unseen(failed) => {
                warn!("{}", failed.message());
                rest(&context, poll).await?;
                continue;
            }
            Other::Obeyed(exit) => return Ok(exit),
            Other::None(taken) => {
                let (order, asked) = (Order::Retreat, Asked::Retreat);
                return go_on(&mut context, *taken, order, asked, named).await;
            }
        };
        seen_at = now;
        if !told {
            info!(id, "sent {holder} the cancellation; waiting for it");
            if named != Named::default() {
                warn!(
                    id,
                    "the tests and limits that are named here are not taken: {holder} has the plan's; \
                     where those hold it, name them to `bluegreen rollback`"
                );
            }
            told = true;
            context.signals.stand(the_word_is_left(&id, true));
        }
        rest(&context, pause).await?;
    }
}

/// The word to go back is in the journal; whether whoever drives the deployment `is_told`.
fn the_word_is_left(id: &str, is_told: bool) -> Standing {
    let (told, hint) = match is_told {
        true => (
            "interrupted by a signal; the cancellation stays in force",
            format!("follow it with: bluegreen status {id} --watch"),
        ),
        false => (
            "interrupted by a signal; only this journal has the cancellation",
            format!(
                "a process elsewhere may not have it; give it again with: bluegreen abort {id}"
            ),
        ),
    };
    let told = told.to_owned();
    Standing::Begun { told, hint }
}

/// Waits for `pause` of the wall's time, or for a signal.
async fn rest(context: &Context, pause: Duration) -> Result<(), Failed> {
    let sleeps = async {
        tokio::time::sleep(pause).await;
        Ok(())
    };
    context.signals.unless(sleeps).await
}

/// What is needed to look after a process elsewhere.
struct Elsewhere {
    cloud: AwsCloud,
    /// None where the journal is in SQLite alone.
    contender: Option<Contender>,
}

/// The process that drives a deployment.
enum Other {
    DrivesHere(String),
    Drives(String),
    /// The bucket does not answer for now.
    Unseen(Failed),
    /// It has gone back, or as far as that went.
    Obeyed(Exit),
    /// There is none: it is ours to drive.
    None(Box<Taken>),
}

async fn look_after(
    context: &mut Context,
    id: &str,
    other: &mut Option<Elsewhere>,
    told: bool,
) -> Result<Other, Failed> {
    let lock = match context.store.lock_drive(id) {
        Ok(lock) => lock,
        Err(StoreError::Driven { holder, .. }) => return Ok(Other::DrivesHere(holder)),
        Err(error) => return Err(error.into()),
    };
    let found = match context.find(Some(id)).await {
        Err(failed) if failed.is_passing() => return Ok(Other::Unseen(failed)),
        found => found?,
    };
    let deployment = &found.deployment;
    let word_is_left = context.store.retreat_requested(id)?;
    let has_obeyed = |deployment: &Deployment, word_is_left: bool| {
        deployment.state.is_end() || told && deployment.state.rests() && !word_is_left
    };
    let Elsewhere { cloud, contender } = match other {
        Some(elsewhere) => elsewhere,
        none => {
            let cloud = context.cloud_of(&deployment.plan).await?;
            let contender = match context.shared_of(&cloud, &deployment.plan)? {
                None => None,
                Some(shared) => {
                    let new = context.contender(shared, &deployment.plan.target, id)?;
                    Some(new.beyond(deployment.fence))
                }
            };
            none.insert(Elsewhere { cloud, contender })
        }
    };
    let lease = match contender {
        _ if deployment.state.is_end() => None,
        None => None,
        Some(contender) => match context.attempt(contender, deployment).await? {
            Attempt::Taken(lease) => Some(lease),
            Attempt::Away(error) => return Ok(Other::Unseen(error.into())),
            Attempt::Held(held) => {
                match contender.request_retreat().await {
                    Ok(_) => {}
                    Err(error @ SharedError::Away { .. }) => {
                        return Ok(Other::Unseen(error.into()));
                    }
                    Err(error) => return Err(Failed::drive(id, error.into())),
                }
                let holder = held.lease.holder.map(|holder| holder.to_string());
                return Ok(Other::Drives(holder.unwrap_or_default()));
            }
        },
    };
    let (found, word_is_left) = match &lease {
        None => (found, word_is_left),
        // Its holder may have come to rest since it was looked at.
        Some(lease) => match context.signals.unless(context.find(Some(id))).await {
            Ok(found) => (found, lease.retreat_requested().await),
            Err(failed) => {
                lease.release().await;
                return match failed.is_passing() {
                    true => Ok(Other::Unseen(failed)),
                    false => Err(failed),
                };
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
        cloud: cloud.clone(),
        lock,
        lease,
        deployment,
        rested: true,
    })))
}
