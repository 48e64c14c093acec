//! Driving to the end, saying what happened, and the exit code that follows.

use super::context::{Context, signals};
use super::{Exit, Failed, say};
use crate::cloud::Cloud;
use crate::deployment::Deployment;
use crate::driver::Driver;
use crate::machine::State;
use crate::report;
use crate::store::DriveLock;

/// What the operator asked for: the exit code speaks of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A new version.
    Release,
    /// The way back.
    Retreat,
}

/// Drives the deployment as far as it goes and prints what happened.
pub(super) async fn drive<C: Cloud>(
    context: &mut Context,
    cloud: &C,
    deployment: &mut Deployment,
    _lock: DriveLock,
    asked: Asked,
) -> Result<Exit, Failed> {
    let interrupted = signals()?;
    let driven = Driver::new(cloud, &mut context.store, context.clock, interrupted)
        .drive(deployment)
        .await;
    if let Err(error) = driven {
        return Err(Failed::drive(&deployment.plan.id, error));
    }
    report(context, deployment).await?;
    Ok(exit_code(&deployment.state, asked))
}

/// Prints the deployment's stages, where it ended and what leads on.
pub(super) async fn report(context: &Context, deployment: &Deployment) -> Result<(), Failed> {
    let transitions = context.store.transitions(&deployment.plan.id)?;
    say(&report::text::story(deployment, &transitions));
    #[cfg(feature = "sandbox")]
    if let Some(sandbox) = &context.sandbox {
        say(&sandbox.summary().await?);
    }
    Ok(())
}

/// The contract's exit code for where a deployment came to rest.
pub(super) fn exit_code(state: &State, asked: Asked) -> Exit {
    match (state, asked) {
        (State::Completed | State::AwaitingCutover, _) => Exit::Completed,
        (State::RolledBack { .. }, Asked::Retreat) => Exit::Completed,
        (State::RolledBack { .. }, Asked::Release) => Exit::RolledBack,
        (State::Stuck { .. }, _) => Exit::Stuck,
        (State::Held { .. }, _) => Exit::Held,
        // The driver rests in no other state.
        (
            State::Preparing
            | State::Cloning
            | State::Warming
            | State::SwappingToGreen
            | State::DrainingBlue
            | State::Deploying
            | State::AbortingDeploy { .. }
            | State::Testing
            | State::SwappingToBlue
            | State::Baking
            | State::ReturningToGreen { .. }
            | State::TerminatingGreen
            | State::Discarding { .. },
            _,
        ) => Exit::Bug,
    }
}
