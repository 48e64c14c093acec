//! `bluegreen rollback`: back to the previous version, by the same stages.

use super::context::Context;
use super::finish::{Asked, go_on};
use super::{Exit, Failed};
use crate::config::{Named, Options};
use crate::machine::Order;
use crate::plan::Goal;

/// What `rollback` takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Deployment; may be left out where exactly one is in flight
    id: Option<String>,
}

pub(super) async fn run(options: &Options, args: &Args, named: Named) -> Result<Exit, Failed> {
    let mut context = Context::to_drive(options, args.id.as_deref()).await?;
    let found = context
        .find_or_rebuild(args.id.as_deref(), Some(Goal::Previous))
        .await?;
    let taken = context.take_up(found).await?;
    go_on(&mut context, taken, Order::Retreat, Asked::Retreat, named).await
}
