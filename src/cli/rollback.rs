//! `bluegreen rollback`: returns users to the previous version, by the same states.

use super::context::Context;
use super::exit::{Exit, Failed};
use super::session::go_on;
use super::unheeded::Unheeded;
use crate::config::{Named, Options};
use crate::deployment::Deployment;
use crate::machine::{Kind, NotPossible, Order};
use crate::plan::Goal;
use crate::text::for_shell;

/// What `rollback` takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Deployment; may be omitted if exactly one is in flight
    id: Option<String>,
    /// Give up the outside changes for which the deployment is held
    #[arg(long)]
    pub(super) discard_changes: bool,
}

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
        .await;
    let found = match found {
        Err(failed) if failed.exit() == Exit::NoDeployment && args.id.is_none() => {
            return Err(context.after_the_last(failed).await);
        }
        found => found?,
    };
    if let Some(hint) = release_of_the_previous(&found.deployment) {
        let over = NotPossible::Ended(found.deployment.state.kind());
        return Err(Failed::from(over).hint(hint));
    }
    go_on(&mut context, found, Order::Retreat, Goal::Previous, named).await
}

/// The command that undoes a completed release: a release of the version before it.
fn release_of_the_previous(deployment: &Deployment) -> Option<String> {
    let plan = &deployment.plan;
    (deployment.state.kind() == Kind::Completed).then(|| {
        format!(
            "deployment {} has released {} in place of {}; release that again: bluegreen run \
             --version-label {}",
            plan.id,
            plan.version,
            plan.previous_version,
            for_shell(&plan.previous_version)
        )
    })
}

impl Context {
    /// Says that no deployment is in flight, with the command that undoes the last one.
    async fn after_the_last(&self, failed: Failed) -> Failed {
        let named = |given: &Option<String>, name: &str| given.as_deref().is_none_or(|g| g == name);
        let found = self.newest().await.map(|all| all.found);
        let all = found.unwrap_or_default();
        let of_target = all.iter().rev().find(|(record, _)| {
            let target = &record.deployment.plan.target;
            named(&self.options.app, &target.application)
                && named(&self.options.blue, &target.blue)
                && !record.deployment.plan.rehearses()
        });
        match of_target.and_then(|(record, _)| release_of_the_previous(&record.deployment)) {
            Some(hint) => failed.hint(hint),
            None => failed,
        }
    }
}
