//! Orders the runner of a deployment to roll back, wherever it runs; where there is no runner any
//! more, rolls back here.

use std::sync::atomic::{AtomicBool, Ordering};

use tracing::warn;

use super::context::Context;
use super::exit::{Exit, Failed, exit_code};
use super::session::{Console, report};
use super::signals::{Signals, Standing};
use crate::config::Named;
use crate::deployment::Deployment;
use crate::machine::{Kind, NotPossible, Order, State, obey};
use crate::plan::Goal;
use crate::session::{Aborted, Notice, Observer, Outcome};

/// Has a deployment rolled back by the process that runs it, and waits for that.
pub(super) async fn order(
    context: &mut Context,
    deployment: &Deployment,
    named: Named,
) -> Result<Exit, Failed> {
    let Deployment { state, plan, .. } = deployment;
    let names_some = named != Named::default();
    let orders = context.orders(Order::Retreat, named)?;
    // Before the word to go back is left.
    orders.fit(deployment).map_err(Failed::from)?;
    obey(state, plan, Order::Retreat).map_err(|error| Failed::not_possible(&plan.id, error))?;
    context.may_use_its_lease(plan)?;
    let cloud = context.cloud_of(plan).await?;
    let id = &plan.id;
    context.store.request_retreat(id, context.clock.now())?;
    let console = Asking::new(context, id, names_some);
    let mut session = context.session(cloud, &console.console)?;
    session.observer = &console;
    let done = console
        .console
        .traced(Box::pin(session.abort(plan, orders)))
        .await;
    match done {
        Ok(Aborted::Here(outcome)) => context.told(Ok(outcome), Goal::Previous).await,
        Ok(Aborted::ByRunner(Outcome { deployment, rest })) => {
            let exit = exit_code(rest, Goal::Previous, context.options.ci.exit_code_paused);
            report(context, &deployment, exit).await?;
            match deployment.state {
                State::Completed => Err(NotPossible::Ended(Kind::Completed).into()),
                _ => Ok(exit),
            }
        }
        Err(error) => {
            let failed = context.failed(error);
            if failed.exit() == Exit::Refused && !console.has_asked() {
                // Nobody has the word, and whoever resumes later is not to find it.
                context.store.withdraw_retreat(id)?;
            }
            Err(failed)
        }
    }
}

/// What the command hears while it waits for the runner.
struct Asking {
    console: Console,
    signals: Signals,
    id: String,
    /// Whether tests or limits are named, which a runner does not take.
    names_some: bool,
    has_asked: AtomicBool,
}

impl Asking {
    fn new(context: &Context, id: &str, names_some: bool) -> Asking {
        let signals = &context.signals;
        signals.stand(the_word_is_left(id, false));
        Asking {
            console: Console::new(context),
            signals: signals.clone(),
            id: id.to_owned(),
            names_some,
            has_asked: AtomicBool::new(false),
        }
    }

    /// Whether a runner has received the order.
    fn has_asked(&self) -> bool {
        self.has_asked.load(Ordering::Relaxed)
    }
}

impl Observer for Asking {
    fn observe(&self, notice: Notice<'_>) {
        let runner = match &notice {
            Notice::AskedToRollBack { runner, .. } => Some((*runner).to_owned()),
            _ => None,
        };
        self.console.observe(notice);
        let Some(runner) = runner else {
            return;
        };
        let id = &self.id;
        if self.names_some {
            warn!(
                id,
                "the tests and limits that are named here are not taken: {runner} has the plan's; \
                 where those hold it, name them to `bluegreen rollback` then"
            );
        }
        self.has_asked.store(true, Ordering::Relaxed);
        self.signals.stand(the_word_is_left(id, true));
    }
}

/// The order to roll back is in the journal; `is_told` says whether the runner has received it.
fn the_word_is_left(id: &str, is_told: bool) -> Standing {
    let (told, hint) = match is_told {
        true => (
            "interrupted by a signal; the cancellation stays in force",
            format!("follow it with: bluegreen status {id} --watch"),
        ),
        false => (
            "interrupted by a signal; only this journal has the cancellation",
            format!(
                "a process elsewhere may not have it; give it again with: bluegreen rollback {id}"
            ),
        ),
    };
    let told = told.to_owned();
    Standing::Begun { told, hint }
}
