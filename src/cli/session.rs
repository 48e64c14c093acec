//! Runs a session for a command: what it logs while it claims, what it reports of its outcome, and
//! the exit code that follows.

use std::sync::{Arc, Mutex, PoisonError};

use tracing::{Instrument, Span, error_span, field, info, warn};

use super::context::Context;
use super::exit::{Exit, Failed, exit_code};
use super::github;
use super::keys::{self, Choice};
use super::output::{emit, tell};
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
use crate::plan::{Goal, Plan, Strategy};
use crate::report::jsonl::{Stream, outcome};
use crate::report::{self, Entry, Runner};
use crate::session::{Error, Notice, Observer, Orders, Outcome, Session, Vouched};
use crate::shared::{DeploymentRecord, report_key};
use crate::telemetry::Trace;

/// What a command hears while a session claims: lines of the log, and how the command stands.
pub(super) struct Console {
    signals: Signals,
    screen: Screen,
    /// The deployment as JSON lines, once it has begun.
    stream: Mutex<Option<Stream>>,
    /// The step of the workflow that this process is.
    step: Option<github::Step>,
    trace: Option<Arc<Trace>>,
    /// The last wait that was logged.
    waits: Mutex<String>,
}

impl Console {
    pub fn new(context: &Context) -> Console {
        Console {
            signals: context.signals.clone(),
            screen: Screen::new(&context.options, context.store.path(), context.clock),
            stream: Mutex::default(),
            step: github::is_running().then(github::Step::default),
            trace: context.trace.clone(),
            waits: Mutex::default(),
        }
    }

    /// A deployment begins, or continues, in this process.
    fn begin(&self, deployment: &Deployment) {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        *stream = Some(Stream::new(deployment));
        self.screen.begin(deployment);
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

/// Each view hears it: first what frames the log's own line.
impl Listener for Console {
    fn hear(&self, event: &DeploymentEvent) {
        if let Some(step) = &self.step {
            step.hear(event);
        }
        self.screen.hear(event);
        if let Some(trace) = &self.trace {
            trace.hear(event);
        }
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stream) = &mut *stream {
            emit(|| stream.line(event));
        }
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
                "the copy in the bucket cannot be read, the journal here is used: {}",
                Failed::from(error.clone()).message()
            ),
            Notice::AwsUnread(why) => warn!("AWS cannot be read for now: {why}"),
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
                self.begin(deployment);
            }
            Notice::GoingOn(deployment) => {
                let id = &deployment.plan.id;
                self.trace(deployment);
                info!(id, "continuing from {}", deployment.state.kind());
                self.signals.stand(Standing::Driven(id.clone()));
                self.begin(deployment);
            }
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
        Strategy::Restore => {
            format!(
                "releasing {version} onto {blue}, which runs {previous}{}",
                pauses(plan)
            )
        }
        Strategy::Promote => format!(
            "releasing {version} on {green}, which takes the place of {blue} and its {previous}{}",
            pauses(plan)
        ),
        Strategy::Rehearse => {
            format!("rehearsing {version} on {green}, a clone of {blue}, which is not touched")
        }
    }
}

/// Where a release pauses, as the log says before it begins.
fn pauses(plan: &Plan) -> String {
    let before = match (plan.pause_before_swap, plan.pause_before_cutover) {
        (false, false) => return String::new(),
        (true, false) => "before the first swap",
        (false, true) => "before the last swap",
        (true, true) => "before each swap",
    };
    match plan.wishes.asks_approval {
        true => format!("; it pauses {before} until it is approved"),
        false => format!(
            "; it pauses {before}, and this command ends there: `bluegreen resume` continues"
        ),
    }
}

impl Context {
    /// A session with what this command was given.
    pub fn session<'a, C: Listener + Observer>(
        &'a mut self,
        cloud: AwsCloud,
        console: &'a C,
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
    /// exit code refers to it. At a pause, whoever watches may decide with a key.
    pub async fn told(&mut self, done: Result<Outcome, Error>, goal: Goal) -> Result<Exit, Failed> {
        if let Some(trace) = &self.trace {
            trace.end();
        }
        let Outcome { deployment, rest } = done.map_err(|error| self.failed(error))?;
        let paused = self.options.ci.exit_code_paused;
        // It came to its pause in a process that knew no URL.
        let lacks_its_approval =
            deployment.awaits_approval() && self.options.ci.detach_at.is_none();
        let exit = match lacks_its_approval {
            true => Exit::Interrupted,
            false => exit_code(rest, goal, paused),
        };
        self.forget_what_is_old();
        let reported = self.put_report(&deployment).await;
        report(self, &deployment, exit).await?;
        if let Err(failed) = reported {
            warn!(
                "the report is not in the bucket, and the release is not affected: {}; write it \
                 with: bluegreen report {} --html FILE",
                failed.message(),
                deployment.plan.id
            );
        }
        match exit {
            _ if lacks_its_approval => Err(Failed::unapproved(&deployment.plan.id)),
            Exit::Paused(_) if keys::are_offered(&self.options) => {
                Box::pin(self.at_a_pause(&deployment.plan.id, goal)).await
            }
            exit => Ok(exit),
        }
    }

    /// Removes from the journal what is older than the operator wants to keep there.
    pub(super) fn forget_what_is_old(&mut self) {
        let Some(keep) = self.options.keep_history else {
            return;
        };
        match self
            .store
            .forget_ended_before(self.clock.now().before(keep))
        {
            Ok(0) => {}
            Ok(count) => info!("{count} deployments are in the bucket alone from now on"),
            Err(error) => warn!("the journal keeps what is old: {error}"),
        }
    }

    /// Does what a person decides about a deployment that pauses.
    async fn at_a_pause(&mut self, id: &str, goal: Goal) -> Result<Exit, Failed> {
        let (order, goal) = match keys::choose(self).await? {
            Choice::Approve => (Order::Approve, goal),
            Choice::RollBack => (Order::Retreat, Goal::Previous),
            Choice::Detach => return Ok(Exit::Paused(self.options.ci.exit_code_paused)),
        };
        let found = self.find(Some(id)).await?;
        go_on(self, found, order, goal, Named::default()).await
    }
}

impl Context {
    /// Puts the report of a deployment that rests into its bucket, where its plan says so.
    pub(super) async fn put_report(&self, deployment: &Deployment) -> Result<(), Failed> {
        let plan = &deployment.plan;
        if !plan.wishes.reports_to_bucket || !deployment.state.rests() {
            return Ok(());
        }
        let record = DeploymentRecord::here(&self.store, deployment.clone())?;
        let entry = Entry {
            runner: Runner::None,
            ..self.entry(record, None)?
        };
        let (cloud, _) = self.cloud().await?;
        let put = cloud
            .bucket(&plan.bucket)
            .put_page(&report_key(&plan.id), report::page::html(&entry))
            .await;
        put.map_err(Failed::from)
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
    let id = plan.id.clone();
    context.may_use_its_lease(plan)?;
    let cloud = context.cloud_of(plan).await?;
    let console = Console::new(context);
    let mut session = context.session(cloud, &console)?;
    let done = console.traced(Box::pin(session.go_on(found, orders))).await;
    let told = match done {
        Err(Error::NotPossible(error)) => Err(Failed::not_possible(&id, error)),
        done => context.told(done, goal).await,
    };
    told.map_err(|failed| failed.of_at_least(&id))
}

/// The approver of a pause, where a URL is named and this process waits there.
fn approver(options: &Options) -> Result<Option<Approver>, Failed> {
    let url = options.approval.url()?;
    let url = url.filter(|_| options.ci.detach_at.is_none());
    let made = url.map(Approver::new).transpose();
    made.map_err(|why| Failed::new(Exit::Refused, format!("--approve-url: {why}")))
}

/// Prints the deployment's stages, where it ended and what leads on; with JSON lines the last of
/// them, with the exit code that the command is about to end with.
pub(super) async fn report(
    context: &Context,
    deployment: &Deployment,
    exit: Exit,
) -> Result<(), Failed> {
    let id = &deployment.plan.id;
    let transitions = context.store.transitions(id)?;
    let events = context.store.events(id)?;
    let entry = Entry::of(deployment.clone(), transitions, events);
    tell(&report::text::story(&entry));
    if github::is_running() {
        github::annotate_end(&entry, exit.code() != 0);
        github::tell(&entry);
    }
    emit(|| outcome(&entry, exit.code(), deployment.meaning()));
    #[cfg(feature = "sandbox")]
    if let Some(sandbox) = &context.sandbox
        && let Some(told) = sandbox.summary().await?
    {
        tell(&told);
    }
    Ok(())
}
