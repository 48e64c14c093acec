//! `bluegreen resume`: continues from the last checkpoint.

use std::path::PathBuf;

use tokio::task::LocalSet;
use tracing::{error, info};

use super::context::Context;
use super::exit::{Exit, Failed};
use super::find::InFlight;
use super::output::say;
use super::run::{is_version_label, opened};
use super::session::{Console, go_on, go_on_after_interruption};
use super::signals::Standing;
use super::unheeded::Unheeded;
use crate::bundle;
use crate::config::{Named, NamedLimits, Options, OutputFlag};
use crate::deployment::Deployment;
use crate::machine::{Order, obey};
use crate::plan::{BundleFile, Goal};
use crate::shared::{DeploymentRecord, LeaseRecord};

/// What `resume` takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Deployment; may be omitted if exactly one is in flight
    id: Option<String>,
    /// Another version for a held deployment
    #[arg(long, value_name = "LABEL")]
    version_label: Option<String>,
    /// Source bundle of another version for a held deployment, to upload and register; without
    /// --version-label its name and hash are the label
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Continue from a pause without its pending approval (--approve-url)
    #[arg(long, conflicts_with_all = ["version_label", "bundle"])]
    approve: bool,
    /// Give up the outside changes for which the deployment is held
    #[arg(long)]
    pub(super) discard_changes: bool,
    /// Resume every interrupted deployment of the bucket that has no runner, at the same time
    #[arg(long, conflicts_with_all = ["id", "version_label", "bundle", "approve", "discard_changes"])]
    all: bool,
    #[command(flatten)]
    pub(super) output: OutputFlag,
}

pub(super) async fn run(
    options: &Options,
    args: &Args,
    named: Named,
    unheeded: Option<Unheeded>,
) -> Result<Exit, Failed> {
    if args.all && named.tests.is_some() {
        let message = "tests are of one deployment: --all takes none";
        let hint = "nothing was changed; name them to `bluegreen resume ID`";
        return Err(Failed::new(Exit::Usage, message).hint(hint));
    }
    let file = args.bundle.as_deref().map(opened).transpose()?;
    let label = args.version_label.clone();
    let label = label.or_else(|| file.as_ref().map(bundle::label));
    if let Some(label) = &label {
        is_version_label(label)?;
    }
    let mut context = Context::to_drive(options, args.id.as_deref(), unheeded).await?;
    if args.all {
        if let Some(unheeded) = context.unheeded {
            return Err(unheeded.into());
        }
        return all(&context, &named.limits).await;
    }
    let found = context.find_or_rebuild(args.id.as_deref(), None).await?;
    let order = match label {
        Some(version) => Order::Correct { version },
        None if args.approve => Order::Approve,
        None => Order::Resume,
    };
    if let (Some(file), Order::Correct { version }) = (file, &order) {
        publish(&mut context, &found, (version, file), &order).await?;
    }
    go_on(&mut context, found, order, Goal::Release, named).await
}

/// Uploads and registers the bundle of a corrected version, where the deployment may take one.
async fn publish(
    context: &mut Context,
    found: &DeploymentRecord,
    (version, file): (&str, BundleFile),
    order: &Order,
) -> Result<(), Failed> {
    let Deployment { state, plan, .. } = &found.deployment;
    let id = &plan.id;
    let possible = obey(state, plan, order.clone());
    possible.map_err(|error| Failed::not_possible(id, error))?;
    context.may_use_its_lease(plan)?;
    let cloud = context.cloud_of(plan).await?;
    let bundle = bundle::addressed(&plan.target.application, file);
    info!(id, "registering version {version} with its bundle");
    let console = Console::new(context);
    let session = context.session(cloud, &console)?;
    let done = session.publish(plan, version, bundle).await;
    done.map_err(|error| context.failed(error).of_at_least(id))
}

/// Carries on every interrupted deployment until it rests, all at the same time. Those that rest
/// already, or come to rest before this process takes their lock, wait for an operator, and those
/// that have a runner are left to it; a pause continues to request its approval where the URL is
/// named. Where something in the bucket cannot be read, the command fails, but only after every
/// other deployment rests.
async fn all(context: &Context, limits: &NamedLimits) -> Result<Exit, Failed> {
    context.names_a_bucket("--all resumes the interrupted deployments of a bucket")?;
    let InFlight { mut found, unseen } = context.unfinished().await?;
    let asks = context.options.approval.url()?.is_some();
    found.retain(|(record, _)| {
        let deployment = &record.deployment;
        !deployment.state.rests() || asks && deployment.awaits_approval()
    });
    if found.is_empty() && unseen.is_none() {
        say("No deployment is interrupted.");
        return Ok(Exit::Completed);
    }
    context.signals.stand(Standing::Begun {
        told: "interrupted by a signal".to_owned(),
        hint: "continue with: bluegreen resume --all".to_owned(),
    });
    // The store is not shared between threads.
    let local = LocalSet::new();
    let mut driven = Vec::new();
    for (record, lease) in found {
        let id = record.deployment.plan.id.clone();
        info!(id, "is {}", record.deployment.state.kind());
        let context = context.another()?;
        driven.push((
            id,
            local.spawn_local(one(context, record, lease, limits.clone())),
        ));
    }
    let has_driven = !driven.is_empty();
    let mut worst = Exit::Completed;
    local
        .run_until(async {
            for (id, driven) in driven {
                let exit = match driven.await {
                    Ok(Ok(exit)) => exit,
                    Ok(Err(failed)) if failed.exit() == Exit::Busy => {
                        info!(id, "has a runner and is left alone: {}", failed.message());
                        Exit::Completed
                    }
                    Ok(Err(failed)) => {
                        error!(id, "{}", failed.message());
                        if let Some(advice) = failed.advice() {
                            info!(id, "{advice}");
                        }
                        failed.exit()
                    }
                    Err(panicked) => {
                        error!(id, "{panicked}");
                        Exit::Bug
                    }
                };
                if exit.code() > worst.code() {
                    worst = exit;
                }
            }
        })
        .await;
    if worst == Exit::Interrupted && *context.signals.came().borrow() {
        return Err(context.signals.interrupted());
    }
    match unseen {
        Some(failed) if failed.exit().code() > worst.code() => Err(match has_driven {
            true => failed
                .hint("everything else was resumed; fix what is named above")
                .beside_changes(),
            false => failed,
        }),
        _ => Ok(worst),
    }
}

async fn one(
    mut context: Context,
    record: DeploymentRecord,
    lease: Option<LeaseRecord>,
    limits: NamedLimits,
) -> Result<Exit, Failed> {
    let named = Named {
        tests: None,
        limits,
        ..Named::default()
    };
    // Its last runner was alive at both moments.
    let updated_at = record.deployment.updated_at;
    let lease = lease.filter(|lease| lease.deployment == record.deployment.plan.id);
    let renewed_at = lease.map_or(updated_at, |lease| lease.renewed_at);
    go_on_after_interruption(&mut context, record, updated_at.max(renewed_at), named).await
}
