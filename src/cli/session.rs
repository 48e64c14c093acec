//! Driving to the end, saying what happened, and the exit code that follows.

use std::sync::Arc;

use tracing::info;

use super::claim::Taken;
use super::context::Context;
use super::signals::Standing;
use super::{Exit, Failed, say};
use crate::acceptance::all_set;
use crate::approval::Approver;
use crate::clock::Clock;
use crate::cloud::AwsCloud;
use crate::config::{Named, NamedLimits, NamedTests, Options};
use crate::deployment::Deployment;
use crate::driver::{DriveError, Driver};
use crate::journal::{Journal, JournalError};
use crate::machine::{Drift, Kind, NotPossible, Order, State, obey};
use crate::plan::Plan;
use crate::preflight::{Refused, asks_for, usable};
use crate::report;
use crate::report::listeners::Lines;
use crate::shared::{DeploymentRecord, Lease};
use crate::store::DriveLock;

/// What the operator asked for: the exit code speaks of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A new version.
    Release,
    /// The way back.
    Retreat,
}

/// Takes a deployment up where it stands, carries out an order, and drives.
pub(super) async fn go_on(
    context: &mut Context,
    taken: Taken,
    order: Order,
    asked: Asked,
    named: Named,
) -> Result<Exit, Failed> {
    let Taken {
        cloud,
        lock,
        lease,
        deployment,
        rested,
    } = taken;
    let clock = context.clock;
    let signals = context.signals.clone();
    let id = deployment.plan.id.clone();
    let given = approver(&context.options).and_then(|approver| {
        as_its_run(&deployment, &named)?;
        Ok(approver)
    });
    let approver = match (given, &lease) {
        (Ok(approver), _) => approver,
        (Err(failed), Some(lease)) => {
            lease.release().await;
            return Err(failed);
        }
        (Err(failed), None) => return Err(failed),
    };
    let (mut journal, mut deployment) = match lease {
        None => (Journal::local(&mut context.store), deployment),
        Some(lease) => {
            let trust = context.trust(&cloud)?;
            let vouch = async |record: &DeploymentRecord, here: Option<&Deployment>| {
                Box::pin(trust.check(record, here))
                    .await
                    .map_err(Ends::Here)
            };
            let lease = Arc::new(lease);
            let taking = Journal::take_up(&mut context.store, Arc::clone(&lease), &id, vouch);
            let taking = async { Ok(taking.await) };
            let journal = match signals.unless(taking).await {
                Ok(journal) => journal,
                Err(interrupted) => {
                    lease.release().await;
                    return Err(interrupted);
                }
            };
            let found = journal.map_err(|ends| match ends {
                Ends::Here(failed) => failed,
                Ends::Journal(error) => Failed::taking_up(&id, error.into()),
            })?;
            let gone = || Failed::new(Exit::NoDeployment, format!("deployment {id} is gone"));
            found.ok_or_else(gone)?
        }
    };
    let has_come_to_rest = deployment.state.rests() && !rested;
    if order == Order::Resume && (deployment.state.is_end() || has_come_to_rest) {
        // Killed after its last checkpoint, or it paused or was held while its lease was
        // waited for: nobody who has seen that has said that it is to go on.
        journal.close().await;
        return finish(context, &deployment, lock, Ok(()), asked).await;
    }
    let done = match unasked(&deployment, &order, approver.is_some()) {
        Err(failed) => Err(failed),
        Ok(()) => {
            let wishes = Wishes {
                tests: named.tests,
                limits: named.limits,
                discard_changes: named.discard_changes,
                accept_traffic_loss: context.options.limits.accept_traffic_loss,
            };
            signals.stand(Standing::Begun {
                told: "interrupted by a signal".to_owned(),
                hint: format!(
                    "`bluegreen status {id}` shows whether the order was recorded; repeat it if \
                     not, else continue with: bluegreen resume {id}"
                ),
            });
            let ordering = ordered(&cloud, &mut journal, &mut deployment, order, wishes, clock);
            signals.unless(ordering).await
        }
    };
    if let Err(failed) = done {
        journal.close().await;
        return Err(failed);
    }
    info!(id, "continuing from {}", deployment.state.kind());
    signals.stand(Standing::Driven(id));
    let driven = Driver::new(&cloud, journal, clock, signals.came(), report::value)
        .heard_by(&Lines)
        .approved_by(approver)
        .drive(&mut deployment)
        .await;
    finish(context, &deployment, lock, driven, asked).await
}

/// Refuses hooks and preview hostnames that are named and are not those that the run was given.
pub(super) fn as_its_run(deployment: &Deployment, named: &Named) -> Result<(), Failed> {
    let plan = &deployment.plan;
    let (hooks, previews) = (&named.hooks, &named.previews);
    let flag = if hooks
        .as_ref()
        .is_some_and(|hooks| *hooks != plan.wishes.hooks)
    {
        "--hook"
    } else if previews
        .as_ref()
        .is_some_and(|asked| !asked.may_be(plan.preview.as_ref()))
    {
        "--preview-host"
    } else {
        return Ok(());
    };
    let message = format!(
        "{flag} differs from what the run of deployment {} was given, which one that is under way \
         keeps",
        plan.id
    );
    Err(Failed::new(Exit::Refused, message).hint(format!(
        "nothing was changed; omit {flag} or name the same, or roll back and run again"
    )))
}

/// Why a deployment is not taken up.
enum Ends {
    Journal(JournalError),
    Here(Failed),
}

impl From<JournalError> for Ends {
    fn from(error: JournalError) -> Ends {
        Ends::Journal(error)
    }
}

/// Who approves a pause, where a URL is named.
fn approver(options: &Options) -> Result<Option<Approver>, Failed> {
    let url = options.approval.url()?;
    let made = url.map(Approver::new).transpose();
    made.map_err(|why| Failed::new(Exit::Refused, format!("--approve-url: {why}")))
}

/// Refuses to resume a pause that would neither be asked for its approval nor given it.
fn unasked(deployment: &Deployment, order: &Order, is_asked: bool) -> Result<(), Failed> {
    if *order != Order::Resume || is_asked || !deployment.awaits_approval() {
        return Ok(());
    }
    let id = &deployment.plan.id;
    let message = format!(
        "deployment {id} is {}, until --approve-url approves it, and no URL is named: it is kept \
         nowhere, because it may hold a secret",
        deployment.state.kind()
    );
    Err(Failed::new(Exit::Refused, message).hint(format!(
        "name it with --approve-url, BLUEGREEN_APPROVE_URL or `approve-url` in bluegreen.toml; \
         bluegreen resume {id} --approve continues without approval"
    )))
}

/// What a command changes in the plan of the deployment that it takes up.
struct Wishes {
    /// What tests it from now on.
    tests: Option<NamedTests>,
    /// Whether traffic that stays may be lost from now on.
    accept_traffic_loss: bool,
    /// The limits that are named.
    limits: NamedLimits,
    /// Whether what it is held for is given up.
    discard_changes: bool,
}

/// Checks an order and writes down what follows from it.
async fn ordered(
    cloud: &AwsCloud,
    journal: &mut Journal<'_>,
    deployment: &mut Deployment,
    order: Order,
    wishes: Wishes,
    clock: Clock,
) -> Result<(), Failed> {
    let (state, mut plan) = obey(&deployment.state, &deployment.plan, order.clone())?;
    let discarded = discarded(deployment, wishes.discard_changes)?;
    plan.wishes.limits.accept_traffic_loss |= wishes.accept_traffic_loss;
    if let Some(named) = wishes.tests {
        let goal = plan.goal;
        named.replace(&mut plan, goal);
        of_the_environment(&plan)?;
    }
    wishes.limits.replace(&mut plan.wishes.limits);
    // A test that lacks its secret would fail, and take production back.
    all_set(plan.tests_towards(plan.goal), |name| {
        std::env::var(name).ok()
    })?;
    if order == Order::Retreat {
        let mut next = deployment.clone();
        next.plan.tests_back = plan.tests_back;
        next.plan.wishes.limits = plan.wishes.limits;
        next.discarded = discarded;
        if next != *deployment {
            write_down(journal, deployment, next, "", clock).await?;
        }
        // The driver takes it up, in the way in which `abort` orders it.
        if !journal
            .store()
            .request_retreat(&deployment.plan.id, clock.now())?
        {
            return Err(NotPossible::Ended(deployment.state.kind()).into());
        }
        return Ok(());
    }
    if let Order::Correct { version } = &order {
        let application = &plan.target.application;
        let record =
            cloud
                .version(application, version)
                .await?
                .ok_or_else(|| Refused::NoVersion {
                    application: application.clone(),
                    version: version.clone(),
                })?;
        usable(&record)?;
    }
    has_its_bundle(cloud, deployment).await?;
    if (&state, &plan) == (&deployment.state, &deployment.plan) {
        return Ok(());
    }
    let left = deployment.state.kind();
    let mut next = deployment.entering(state, clock.now());
    if next.state == deployment.state {
        next.entered_at = deployment.entered_at;
    }
    // The driver runs the hooks of this change.
    next.left = Some(left).filter(|left| *left != next.state.kind());
    next.plan = plan;
    next.discarded = discarded;
    let why = match order {
        Order::Approve => "an operator approved it",
        Order::Resume | Order::Correct { .. } | Order::Retreat => "an operator resumed",
    };
    write_down(journal, deployment, next, why, clock).await
}

/// Refuses a test that asks for production's own CNAME: what answers there is not under test.
fn of_the_environment(plan: &Plan) -> Result<(), Failed> {
    let production = &plan.production_cname;
    let tests = plan.tests_towards(plan.goal);
    let Some(test) = tests.iter().find(|test| asks_for(test, production)) else {
        return Ok(());
    };
    let message = format!(
        "{test} asks production, which is not under test: whatever it answers says nothing of the \
         environment that is"
    );
    Err(Failed::new(Exit::Refused, message).hint(
        "nothing was changed; name a path such as /health, or write {cname} for the host: \
         docs/use/acceptance.md",
    ))
}

/// What an operator has given up of somebody else's changes, with those that the deployment is
/// held for where they are given up now.
fn discarded(deployment: &Deployment, gives_up: bool) -> Result<Vec<Drift>, Failed> {
    if !gives_up {
        return Ok(deployment.discarded.clone());
    }
    deployment.with_changes_discarded().ok_or_else(|| {
        let message = format!(
            "--discard-changes has no effect: deployment {} is {}, and not held for what somebody \
             else has changed",
            deployment.plan.id,
            deployment.state.kind()
        );
        Failed::new(Exit::Refused, message).hint("leave it out")
    })
}

async fn write_down(
    journal: &mut Journal<'_>,
    deployment: &mut Deployment,
    next: Deployment,
    why: &str,
    clock: Clock,
) -> Result<(), Failed> {
    let id = next.plan.id.clone();
    let written = journal.checkpoint(deployment, next, clock.now(), why, None);
    written.await.map_err(|e| Failed::drive(&id, e.into()))
}

/// A deployment that is resumed elsewhere before its bundle was uploaded needs
/// the file.
async fn has_its_bundle(cloud: &AwsCloud, deployment: &Deployment) -> Result<(), Failed> {
    let plan = &deployment.plan;
    let Some(bundle) = &plan.bundle else {
        return Ok(());
    };
    let is_here = bundle.file.as_ref().is_none_or(|file| file.path.exists());
    if deployment.state.kind() != Kind::Preparing
        || is_here
        || cloud.object_exists(&plan.bucket, &bundle.key).await?
    {
        return Ok(());
    }
    let path = bundle.file.as_ref().map(|file| file.path.display());
    let path = path.map(|path| path.to_string()).unwrap_or_default();
    Err(Failed::new(
        Exit::Refused,
        format!("the bundle {path} was not uploaded yet, and is not on this machine"),
    )
    .hint(format!(
        "put it there and resume, or roll back with: bluegreen abort {}",
        plan.id
    )))
}

/// Drives a deployment that was just created in the journal.
pub(super) async fn drive_new(
    context: &mut Context,
    cloud: &AwsCloud,
    mut deployment: Deployment,
    lock: DriveLock,
    lease: Option<Lease>,
    asked: Asked,
) -> Result<Exit, Failed> {
    let approver = approver(&context.options)?;
    let interrupted = context.signals.came();
    let journal = match lease {
        None => Journal::local(&mut context.store),
        Some(lease) => Journal::beginning(&mut context.store, lease),
    };
    let driven = Driver::new(cloud, journal, context.clock, interrupted, report::value)
        .heard_by(&Lines)
        .approved_by(approver)
        .drive(&mut deployment)
        .await;
    finish(context, &deployment, lock, driven, asked).await
}

async fn finish(
    context: &Context,
    deployment: &Deployment,
    _lock: DriveLock,
    driven: Result<(), DriveError>,
    asked: Asked,
) -> Result<Exit, Failed> {
    let id = &deployment.plan.id;
    let waits = format!(
        "nobody has approved it; wait on with: bluegreen resume {id} (and the --approve-url, which \
         bluegreen does not store); bluegreen resume {id} --approve continues without approval"
    );
    if let Err(error) = driven {
        let failed = Failed::drive(id, error);
        let is_paused = failed.exit() == Exit::Interrupted && deployment.awaits_approval();
        return Err(match is_paused {
            true => {
                let message = format!("{}; the deployment is paused", failed.message());
                Failed::new(Exit::Interrupted, message).hint(waits)
            }
            false => failed,
        });
    }
    report(context, deployment).await?;
    if deployment.awaits_approval() {
        // It came to its pause in a process that knew no URL.
        let message = "the deployment is paused, and nothing requests its approval";
        return Err(Failed::new(Exit::Interrupted, message).hint(waits));
    }
    Ok(exit_code(&deployment.state, asked))
}

/// Prints the deployment's stages, where it ended and what leads on.
pub(super) async fn report(context: &Context, deployment: &Deployment) -> Result<(), Failed> {
    let transitions = context.store.transitions(&deployment.plan.id)?;
    say(&report::text::story(deployment, &transitions));
    #[cfg(feature = "sandbox")]
    if let Some(sandbox) = &context.sandbox
        && let Some(told) = sandbox.summary().await?
    {
        say(&told);
    }
    Ok(())
}

/// The contract's exit code for where a deployment came to rest.
pub(super) fn exit_code(state: &State, asked: Asked) -> Exit {
    match (state, asked) {
        (State::Completed | State::AwaitingSwap | State::AwaitingCutover, _) => Exit::Completed,
        (State::RolledBack { .. }, Asked::Retreat) => Exit::Completed,
        (State::RolledBack { .. }, Asked::Release) => Exit::RolledBack,
        (State::Stuck { .. }, _) => Exit::Stuck,
        (State::Held { .. }, _) => Exit::Held,
        // The driver rests in no other state.
        (
            State::Preparing
            | State::Cloning
            | State::Warming
            | State::DeployingGreen
            | State::TestingGreen
            | State::SwappingToGreen
            | State::DrainingBlue
            | State::Deploying
            | State::AbortingDeploy { .. }
            | State::Testing
            | State::SwappingToBlue
            | State::Baking
            | State::ReturningToGreen { .. }
            | State::ReturningToBlue { .. }
            | State::TerminatingGreen
            | State::TerminatingBlue
            | State::Discarding { .. },
            _,
        ) => Exit::Bug,
    }
}
