//! `bluegreen abort`: asks the process that drives to retreat; where none does,
//! retreats itself.

use std::time::Duration;

use tracing::info;

use super::context::{Context, signals};
use super::finish::{Asked, drive, exit_code, report};
use super::{Exit, Failed};
use crate::config::Options;
use crate::driver::DriveError;
use crate::machine::NotPossible;
use crate::store::StoreError;

/// What `abort` takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Deployment; may be left out where exactly one is in flight
    id: Option<String>,
}

/// How often the other process is looked after.
const LOOK_AFTER: Duration = Duration::from_millis(500);

pub(super) async fn run(options: &Options, args: &Args) -> Result<Exit, Failed> {
    let mut context = Context::open(options).await?;
    let deployment = context.find(args.id.as_deref())?;
    let id = deployment.plan.id;
    if !context.store.request_retreat(&id, context.clock.now())? {
        let ended = context.find(Some(&id))?;
        return Err(NotPossible::Ended(ended.state.kind()).into());
    }
    let mut interrupted = signals()?;
    let mut told = false;
    loop {
        let lock = match context.store.lock_drive(&id) {
            Ok(lock) => lock,
            Err(StoreError::Driven { holder, .. }) => {
                if !told {
                    info!(id, "asked {holder} to go back; waiting for it");
                    told = true;
                }
                tokio::select! {
                    () = tokio::time::sleep(LOOK_AFTER) => continue,
                    _ = interrupted.wait_for(|yes| *yes) => {
                        return Err(Failed::drive(&id, DriveError::Signal));
                    }
                }
            }
            Err(error) => return Err(error.into()),
        };
        let mut deployment = context.find(Some(&id))?;
        if deployment.state.rests() && !context.store.retreat_requested(&id)? {
            report(&context, &deployment).await?;
            return Ok(exit_code(&deployment.state, Asked::Retreat));
        }
        let cloud = context.cloud_of(&deployment.plan).await?;
        return drive(&mut context, &cloud, &mut deployment, lock, Asked::Retreat).await;
    }
}
