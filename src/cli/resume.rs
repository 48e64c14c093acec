//! `bluegreen resume`: goes on from the last checkpoint.

use super::context::Context;
use super::finish::{Asked, go_on};
use super::{Exit, Failed};
use crate::config::Options;
use crate::machine::Order;

/// What `resume` takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Deployment; may be left out where exactly one is in flight
    id: Option<String>,
    /// Another version for a held deployment
    #[arg(long, value_name = "LABEL")]
    version_label: Option<String>,
}

pub(super) async fn run(options: &Options, args: &Args) -> Result<Exit, Failed> {
    let mut context = Context::open(options).await?;
    let order = match &args.version_label {
        Some(version) => Order::Correct {
            version: version.clone(),
        },
        None => Order::Resume,
    };
    let found = context.find(args.id.as_deref()).await?;
    let taken = context.take_up(found).await?;
    go_on(&mut context, taken, order, Asked::Release).await
}
