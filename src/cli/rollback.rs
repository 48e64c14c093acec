//! `bluegreen rollback`: returns users to the previous version, by the same states, whether or not
//! a process runs the deployment.

use std::time::Duration;

use tracing::info;

use super::cancel;
use super::context::Context;
use super::exit::{Exit, Failed};
use super::run::{begin, check};
use super::session::go_on;
use super::unheeded::Unheeded;
use crate::config::{Config, Named, Options, OutputFlag};
use crate::deployment::Deployment;
use crate::machine::{Kind, NotPossible, Order};
use crate::plan::{Goal, Strategy};
use crate::preflight::Wanted;
use crate::text::for_shell;

/// What `rollback` takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Deployment; may be omitted if exactly one is in flight
    id: Option<String>,
    /// Give up the outside changes for which the deployment is held
    #[arg(long)]
    pub(super) discard_changes: bool,
    /// Undo a release that has completed: release the version before it
    #[arg(long, conflicts_with = "discard_changes")]
    yes: bool,
    #[command(flatten)]
    pub(super) output: OutputFlag,
}

pub(super) async fn run(
    options: &Options,
    args: &Args,
    named: Named,
    unheeded: Option<Unheeded>,
) -> Result<Exit, Failed> {
    let mut context = Context::to_drive(options, args.id.as_deref(), unheeded).await?;
    let found = context
        .find_or_rebuild(args.id.as_deref(), Some(Goal::Previous))
        .await;
    let found = match found {
        Err(failed) if failed.exit() == Exit::NoDeployment && args.id.is_none() => {
            let last = context.last_release().await;
            return match last.filter(has_released) {
                Some(last) if args.yes => undo(&mut context, &last).await,
                Some(last) => Err(failed.hint(how_to_undo(&last))),
                None => Err(failed),
            };
        }
        found => found?,
    };
    if has_released(&found.deployment) {
        if args.yes {
            return undo(&mut context, &found.deployment).await;
        }
        let over = NotPossible::Ended(found.deployment.state.kind());
        let failed = Failed::from(over).of(&found.deployment.plan.id);
        return Err(failed.hint(how_to_undo(&found.deployment)));
    }
    let lease = context.lease_of(&found.deployment).await;
    if context.is_carried_on(&found.deployment, lease.as_ref()) {
        return cancel::order(&mut context, &found.deployment, named).await;
    }
    go_on(&mut context, found, Order::Retreat, Goal::Previous, named).await
}

/// Whether a deployment has put its version into production.
fn has_released(deployment: &Deployment) -> bool {
    deployment.state.kind() == Kind::Completed && !deployment.plan.rehearses()
}

/// What undoes a completed release: a release of the version before it.
fn how_to_undo(deployment: &Deployment) -> String {
    let plan = &deployment.plan;
    let as_run_does = match plan.strategy {
        Strategy::Restore => format!(
            ", as `bluegreen run --version-label {}` does",
            for_shell(&plan.previous_version)
        ),
        // Users are on another environment than the one that is named.
        Strategy::Promote | Strategy::Rehearse => String::new(),
    };
    format!(
        "nothing was changed; deployment {id} has released {} in place of {}; `bluegreen rollback {id} \
         --yes` undoes that{as_run_does}",
        plan.version,
        plan.previous_version,
        id = plan.id,
    )
}

/// Releases the version before a completed release, onto the environment that users are on now.
async fn undo(context: &mut Context, released: &Deployment) -> Result<Exit, Failed> {
    let (config, wanted) = undoing(context, released).await?;
    let plan = &released.plan;
    if let Some(undone) = context.undone_by(released).await {
        let message = format!(
            "deployment {} is itself the undoing of deployment {undone}: to undo it is to release {} \
             again",
            plan.id, plan.previous_version
        );
        let hint = format!(
            "nothing was changed; if that is what you want: bluegreen run --version-label {}",
            for_shell(&plan.previous_version)
        );
        return Err(Failed::new(Exit::Refused, message).hint(hint));
    }
    check(&config)?;
    info!(
        "undoing deployment {}: releasing {}",
        plan.id, plan.previous_version
    );
    begin(context, &config, &wanted, Duration::ZERO).await
}

/// The release that undoes a completed one.
pub(super) async fn undoing(
    context: &mut Context,
    released: &Deployment,
) -> Result<(Config, Wanted), Failed> {
    let plan = &released.plan;
    let cloud = context.cloud_of(plan).await?;
    let serving = plan.environment(plan.destination()).to_owned();
    let blue = cloud.environments(std::slice::from_ref(&serving)).await?;
    let runs = blue.first().and_then(|blue| blue.version_label.as_deref());
    if runs != Some(plan.version.as_str()) {
        let message = format!(
            "deployment {} has released {} on {serving}, which runs {} now: undoing it would take \
             back what came later",
            plan.id,
            plan.version,
            runs.unwrap_or("nothing")
        );
        let hint = format!(
            "nothing was changed; release the version that you want: bluegreen run --version-label \
             {}",
            for_shell(&plan.previous_version)
        );
        return Err(Failed::new(Exit::Refused, message).hint(hint));
    }
    let options = &mut context.options;
    options.app = Some(plan.target.application.clone());
    options.bucket = Some(plan.bucket.clone());
    if options.blue.as_deref() != Some(&serving) {
        options.blue = Some(serving);
        options.green = None;
    }
    let config = options.config()?;
    let wanted = Wanted {
        label: Some(plan.previous_version.clone()),
        strategy: plan.strategy,
        ..Wanted::default()
    };
    Ok((config, wanted))
}

impl Context {
    /// The completed release just before this one, where this one has put back what that had
    /// replaced.
    async fn undone_by(&self, released: &Deployment) -> Option<String> {
        let plan = &released.plan;
        let found = self.newest().await.ok()?.found.into_iter().rev();
        let earlier = found.map(|(record, _)| record.deployment).find(|earlier| {
            earlier.plan.id < plan.id
                && earlier.plan.target.application == plan.target.application
                && has_released(earlier)
        })?;
        plan.undoes(&earlier.plan).then_some(earlier.plan.id)
    }

    /// The last release of the target that is named, where it is known.
    async fn last_release(&self) -> Option<Deployment> {
        let found = self.newest().await.ok()?.found.into_iter().rev();
        let mut found = found.map(|(record, _)| record.deployment);
        found.find(|deployment| {
            let plan = &deployment.plan;
            self.is_named(&plan.target) && !plan.rehearses()
        })
    }
}
