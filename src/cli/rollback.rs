//! `bluegreen rollback`: back to the previous version, by the same stages.

use super::context::Context;
use super::finish::{Asked, drive};
use super::{Exit, Failed};
use crate::config::Options;
use crate::machine::NotPossible;

/// What `rollback` takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Deployment; may be left out where exactly one is in flight
    id: Option<String>,
}

pub(super) async fn run(options: &Options, args: &Args) -> Result<Exit, Failed> {
    let mut context = Context::open(options).await?;
    let id = context.find(args.id.as_deref())?.plan.id;
    let lock = context.store.lock_drive(&id)?;
    let mut deployment = context.find(Some(&id))?;
    let cloud = context.cloud_of(&deployment.plan).await?;
    if !context.store.request_retreat(&id, context.clock.now())? {
        return Err(NotPossible::Ended(deployment.state.kind()).into());
    }
    drive(&mut context, &cloud, &mut deployment, lock, Asked::Retreat).await
}
