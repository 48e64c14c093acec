//! `bluegreen resume`: goes on from the last checkpoint.

use tracing::info;

use super::context::Context;
use super::finish::{Asked, drive};
use super::{Exit, Failed};
use crate::config::Options;
use crate::machine::{Order, obey};
use crate::preflight::{Refused, usable};

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
    let id = context.find(args.id.as_deref())?.plan.id;
    let lock = context.store.lock_drive(&id)?;
    let mut deployment = context.find(Some(&id))?;
    let order = match &args.version_label {
        Some(version) => Order::Correct {
            version: version.clone(),
        },
        None => Order::Resume,
    };
    let (state, plan) = obey(&deployment.state, &deployment.plan, order)?;
    let cloud = context.cloud_of(&deployment.plan).await?;
    if let Some(version) = &args.version_label {
        let application = &plan.target.application;
        let record =
            cloud
                .version(application, version)
                .await?
                .ok_or_else(|| Refused::NoVersion {
                    application: application.clone(),
                    version: version.clone(),
                })?;
        usable(&record, None, &plan.bucket)?;
    }
    info!(id, "going on from {}", deployment.state.kind());
    if (&state, &plan) != (&deployment.state, &deployment.plan) {
        let now = context.clock.now();
        let mut next = deployment.entering(state, now);
        next.plan = plan;
        context
            .store
            .checkpoint(&mut deployment, next, now, "an operator resumed", None)?;
    }
    drive(&mut context, &cloud, &mut deployment, lock, Asked::Release).await
}
