//! Runs a session for a command: what it logs while it claims, what it reports of its outcome, and
//! the exit code that follows.

use std::sync::{Arc, Mutex};

use tracing::{Instrument, Span, error_span, field, info, warn};

use super::context::Context;
use super::exit::{Exit, Failed, exit_code};
use super::output::tell;
use super::screen::Screen;
use super::signals::{Signals, Standing};
use crate::approval::Approver;
use crate::claim::{ClaimError, Interrupted};
use crate::clock::{Moment, whole_seconds};
use crate::cloud::AwsCloud;
use crate::config::{Named, Options};
use crate::deployment::Deployment;
use crate::events::{DeploymentEvent, Listener};
use crate::machine::{Order, State};
use crate::notifications::Sender;
use crate::plan::{Goal, Strategy};
use crate::report::{self, Entry};
use crate::session::{Error, Notice, Observer, Orders, Outcome, Session, Vouched};
use crate::shared::DeploymentRecord;
use crate::telemetry::Trace;

/// What a command hears while a session claims: lines of the log, and how the command stands.
pub(super) struct Console {
    signals: Signals,
    screen: Screen,
    trace: Option<Arc<Trace>>,
    /// The last wait that was logged.
    waits: Mutex<String>,
}

impl Console {
    pub fn new(context: &Context) -> Console {
        Console {
            signals: context.signals.clone(),
            screen: Screen::new(&context.options, context.store.path(), context.clock),
            trace: context.trace.clone(),
            waits: Mutex::default(),
        }
    }

    /// Carries out a session. Where there are traces, each line of its log has the trace's id.
    pub async fn traced<T>(&self, session: impl Future<Output = T>) -> T {
        match self.trace {
            None => session.await,
            Some(_) => {
                let span = error_span!("deployment", trace_id = field::Empty);
                session.instrument(span).await
            }
        }
    }

    /// Begins the trace of a deployment.
    fn trace(&self, deployment: &Deployment) {
        if let Some(trace) = &self.trace
            && let Some(id) = trace.begin(deployment)
        {
            Span::current().record("trace_id", id);
        }
    }

    /// Whether a wait differs from the one that was logged last.
    fn is_news(&self, waits: &str) -> bool {
        let mut last = self.waits.lock().expect("no panic holds it");
        let is_news = *last != waits;
        waits.clone_into(&mut last);
        is_news
    }
}

impl Observer for Console {
    fn observe(&self, notice: Notice<'_>) {
        match notice {
            Notice::Claiming => self.signals.stand(Standing::Holding),
            Notice::InQueue(error) => {
                let busy = Failed::from(error.clone());
                if self.is_news(busy.message()) {
                    info!("waiting in the queue: {}", busy.message());
                }
            }
            Notice::LeaseHeld { id, held } => {
                if self.is_news(id) {
                    info!(
                        id,
                        "{}; waiting for at most {} to see whether it is renewed",
                        held.lease.in_words(),
                        whole_seconds(held.runs_out_in)
                    );
                }
            }
            Notice::LeaseUnanswered(error) => {
                warn!("the lock cannot be taken for now: {error}");
            }
            Notice::AskedToRollBack { id, runner } => {
                info!(id, "sent {runner} the cancellation; waiting for it");
            }
            Notice::RunnerUnseen(error) => warn!("{}", Failed::from(error.clone()).message()),
            Notice::CopyUnread(error) => warn!(
                "the copy in the bucket is not to be seen: {}",
                Failed::from(error.clone()).message()
            ),
            Notice::AwsUnread(why) => warn!("cannot see AWS for now: {why}"),
            Notice::ProductionChanged { blue } => {
                info!("{blue} has changed since the checks");
            }
            Notice::Ordering { id } => self.signals.stand(Standing::Begun {
                told: "interrupted by a signal".to_owned(),
                hint: format!(
                    "`bluegreen status {id}` shows whether the order was recorded; repeat it if \
                     not, else continue with: bluegreen resume {id}"
                ),
            }),
            Notice::Begun(deployment) => {
                let id = &deployment.plan.id;
                self.trace(deployment);
                self.signals.stand(Standing::Driven(id.clone()));
                info!(id, "{}", begun(deployment));
                self.screen.begin(deployment);
            }
            Notice::GoingOn(deployment) => {
                let id = &deployment.plan.id;
                self.trace(deployment);
                info!(id, "continuing from {}", deployment.state.kind());
                self.signals.stand(Standing::Driven(id.clone()));
                self.screen.begin(deployment);
            }
        }
    }
}

impl Listener for Console {
    fn hear(&self, event: &DeploymentEvent) {
        self.screen.hear(event);
        if let Some(trace) = &self.trace {
            trace.hear(event);
        }
    }
}

/// What a deployment that begins will do.
fn begun(deployment: &Deployment) -> String {
    let plan = &deployment.plan;
    let (version, green, blue) = (&plan.version, &plan.green, &plan.target.blue);
    let previous = &plan.previous_version;
    match plan.strategy {
        _ if matches!(deployment.state, State::Discarding { .. }) => {
            format!("removing {green} and its template")
        }
        Strategy::Restore => format!("releasing {version} onto {blue}, which runs {previous}"),
        Strategy::Promote => format!(
            "releasing {version} on {green}, which takes the place of {blue} and its {previous}"
        ),
        Strategy::Rehearse => {
            format!("rehearsing {version} on {green}, a clone of {blue}, which is not touched")
        }
    }
}

impl Context {
    /// A session with what this command was given.
    pub fn session<'a>(
        &'a mut self,
        cloud: AwsCloud,
        console: &'a Console,
    ) -> Result<Session<'a>, Failed> {
        Ok(Session {
            clock: self.clock,
            interruption: self.signals.interruption(),
            lease: self.options.lease,
            approver: approver(&self.options)?,
            messenger: Arc::new(Sender::new(cloud.clone())),
            cloud,
            store: &mut self.store,
            listener: console,
            observer: console,
        })
    }

    /// What this command orders for a deployment that is under way.
    pub fn orders(&self, order: Order, named: Named) -> Result<Orders, Failed> {
        Ok(Orders {
            order,
            said: None,
            interrupted_since: None,
            named,
            accept_traffic_loss: self.options.limits.accept_traffic_loss,
            vouched: Vouched {
                configured: self.options.configured()?,
                previews: self.options.previews()?,
            },
        })
    }

    /// Why a session ended early, as this command reports it.
    pub fn failed(&self, error: Error) -> Failed {
        match error {
            Error::Claim(ClaimError::Interrupted(Interrupted)) => self.signals.interrupted(),
            error => error.into(),
        }
    }

    /// Reports where a session's deployment came to rest. `goal` is what the operator wanted: the
    /// exit code refers to it.
    pub async fn told(&self, done: Result<Outcome, Error>, goal: Goal) -> Result<Exit, Failed> {
        if let Some(trace) = &self.trace {
            trace.end();
        }
        let Outcome { deployment, rest } = done.map_err(|error| self.failed(error))?;
        report(self, &deployment).await?;
        match deployment.awaits_approval() {
            // It came to its pause in a process that knew no URL.
            true => Err(Failed::unapproved(&deployment.plan.id)),
            false => Ok(exit_code(rest, goal)),
        }
    }
}

/// Takes a deployment over, carries an order out, runs it, and reports where it came to rest.
pub(super) async fn go_on(
    context: &mut Context,
    found: DeploymentRecord,
    order: Order,
    goal: Goal,
    named: Named,
) -> Result<Exit, Failed> {
    go_on_because(context, found, (order, None), goal, named).await
}

/// The same for an order with who has given it and why, which the history keeps.
pub(super) async fn go_on_because(
    context: &mut Context,
    found: DeploymentRecord,
    (order, said): (Order, Option<String>),
    goal: Goal,
    named: Named,
) -> Result<Exit, Failed> {
    let orders = Orders {
        said,
        ..context.orders(order, named)?
    };
    carry_on(context, found, orders, goal).await
}

/// Takes over a deployment that no process has carried on since then, and tells its receivers.
pub(super) async fn go_on_after_interruption(
    context: &mut Context,
    found: DeploymentRecord,
    since: Moment,
    named: Named,
) -> Result<Exit, Failed> {
    let orders = Orders {
        interrupted_since: Some(since),
        ..context.orders(Order::Resume, named)?
    };
    carry_on(context, found, orders, Goal::Release).await
}

async fn carry_on(
    context: &mut Context,
    found: DeploymentRecord,
    orders: Orders,
    goal: Goal,
) -> Result<Exit, Failed> {
    let plan = &found.deployment.plan;
    context.may_use_its_lease(plan)?;
    let cloud = context.cloud_of(plan).await?;
    let console = Console::new(context);
    let mut session = context.session(cloud, &console)?;
    let done = console.traced(Box::pin(session.go_on(found, orders))).await;
    context.told(done, goal).await
}

/// The approver of a pause, where a URL is named.
fn approver(options: &Options) -> Result<Option<Approver>, Failed> {
    let url = options.approval.url()?;
    let made = url.map(Approver::new).transpose();
    made.map_err(|why| Failed::new(Exit::Refused, format!("--approve-url: {why}")))
}

/// Prints the deployment's stages, where it ended and what leads on.
pub(super) async fn report(context: &Context, deployment: &Deployment) -> Result<(), Failed> {
    let id = &deployment.plan.id;
    let transitions = context.store.transitions(id)?;
    let events = context.store.events(id)?;
    let entry = Entry::of(deployment.clone(), transitions, events);
    tell(&report::text::story(&entry));
    #[cfg(feature = "sandbox")]
    if let Some(sandbox) = &context.sandbox
        && let Some(told) = sandbox.summary().await?
    {
        tell(&told);
    }
    Ok(())
}
