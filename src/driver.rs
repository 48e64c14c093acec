//! The loop that carries a deployment out: poll, decide, act, checkpoint.
//!
//! Between two rounds it keeps only how often in a row a poll has found the same, so a crash costs
//! only another poll: `run` makes a plan and starts the loop, `resume` starts the loop.

mod deploys;
mod engine_log;
mod error;
mod followers;
mod gates;
mod known_followers;
mod others;
mod probing;
mod production;
mod recent_events;
mod test_run;
mod watching;
mod word;

pub use error::DriveError;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tracing::debug;

use crate::approval::Approves;
use crate::clock::{Clock, Deadline, Moment, Stopwatch};
use crate::cloud::{Alarms, Cloud, Outcome, Prober, Refusal, Sighting};
use crate::command::{Processes, Runner};
use crate::deployment::{AskedTermination, DeployWarning, Deployment, Sent};
use crate::events::{
    Answer, Deaf, Drain, EventLog, Happened, Listener, Poll, PolledEnvironment, Tests,
};
use crate::facts::update::is_warning;
use crate::facts::{
    PutOff, ServiceOperation, Streaks, TEST_COMMAND, VersionRecord, Wait, known, needs,
    processed_version, tells_the_usual, usual_health, version_under_test,
};
use crate::fidelity::template_sets;
use crate::heap::on_heap;
use crate::journal::{Journal, JournalError};
use crate::machine::{
    Cause, Effect, Kind, Order, Seen, State, Step, hold, hosts_left_over, is_safe, is_still_wanted,
    obey,
};
use crate::pacing::{self, Standing, Takes};
use crate::plan::{Goal, Plan, Role};
use crate::prober::test_run;
use crate::shared::SharedError;
use crate::store::{Output, StoreError, Transition};
use crate::traffic::Traffic;
use known_followers::Followers;
use probing::Probing;
use production::Production;
use recent_events::RecentEvents;
use test_run::TestRun;
use word::Word;

/// How long a request that is on its way, and the checkpoint of its answer, may take after a
/// signal.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How long the runner may take to release the lock after a signal.
const GIVING_BACK: Duration = Duration::from_millis(300);

/// How long a poll counts as current before an effect that touches service.
const LOOK_HOLDS: Duration = Duration::from_secs(60);

/// Renders a deployment and its transitions as JSON, as operators see it.
pub type Shown = fn(Deployment, Vec<Transition>) -> Value;

/// Carries out one deployment.
pub struct Driver<'a, C> {
    cloud: &'a C,
    journal: Journal<'a>,
    clock: Clock,
    interrupted: watch::Receiver<bool>,
    streaks: Streaks,
    followers: Followers,
    /// When this process took over the deployment: each state's timeout counts from here, so that a
    /// resume has its own.
    began_at: Moment,
    jitter: fastrand::Rng,
    /// Approves a pause; where it is `None`, an operator's `resume` does.
    approver: Option<Arc<dyn Approves>>,
    /// Runs the hooks.
    runner: &'a dyn Runner,
    /// The test command, while it runs.
    test_run: TestRun<'a>,
    /// When the last poll began; `None` once the pause after it is over.
    looked_at: Option<Moment>,
    /// When it last reported that a deploy takes long and continues.
    said_it_takes_long: Option<Moment>,
    /// The outside changes that it has reported, and when.
    said_of_others: Vec<(Happened, Moment)>,
    /// Renders the deployment for hooks.
    shown: Shown,
    /// Hears each event.
    listener: &'a dyn Listener,
    /// The events that the journal does not hold yet.
    log: EventLog,
    /// How many renewals of the lock it has reported.
    renewals: u64,
    /// What sends requests to production, where the plan says so.
    prober: Option<Arc<dyn Prober>>,
    /// Those requests, while this process runs the deployment.
    probing: Option<Probing>,
    /// The version to release, once AWS has shown that it is processed.
    processed: Option<VersionRecord>,
    /// How long the states of such a deployment take as a rule.
    takes: BTreeMap<Kind, Takes>,
    /// What the state waits for, as the last poll found it; nothing where that has failed.
    waits: Vec<Wait>,
    /// Production while it bakes, as the last poll found it; none where that has failed.
    production: Option<Production>,
    /// The events of the operation that the state waits for, as they were read last.
    events: RecentEvents,
}

/// The outcome of an effect.
enum Act {
    /// Poll again.
    Again,
    /// AWS has refused it for good.
    Refused(Cause),
}

impl<'a, C: Cloud> Driver<'a, C> {
    /// A driver that stops at the next safe point once `interrupted` is true, and passes hooks the
    /// deployment as `shown` renders it.
    pub fn new(
        cloud: &'a C,
        journal: Journal<'a>,
        clock: Clock,
        interrupted: watch::Receiver<bool>,
        shown: Shown,
    ) -> Driver<'a, C> {
        Driver {
            shown,
            cloud,
            journal,
            clock,
            interrupted,
            streaks: Streaks::default(),
            followers: Followers::default(),
            began_at: clock.now(),
            jitter: fastrand::Rng::with_seed(clock.now().0),
            approver: None,
            runner: &Processes,
            test_run: TestRun::None,
            looked_at: None,
            said_it_takes_long: None,
            said_of_others: Vec::new(),
            listener: &Deaf,
            log: EventLog::default(),
            renewals: 0,
            prober: None,
            probing: None,
            processed: None,
            takes: BTreeMap::new(),
            waits: Vec::new(),
            production: None,
            events: RecentEvents::default(),
        }
    }

    /// This driver, expecting the states of the deployment to take this long.
    #[must_use]
    pub fn expecting(mut self, takes: BTreeMap<Kind, Takes>) -> Driver<'a, C> {
        self.takes = takes;
        self
    }

    /// This driver, sending the requests to production that a plan may want by this prober.
    #[must_use]
    pub fn probing_by(mut self, prober: Arc<dyn Prober>) -> Driver<'a, C> {
        self.prober = Some(prober);
        self
    }

    /// This driver, reporting each event to this listener.
    #[must_use]
    pub fn heard_by(mut self, listener: &'a dyn Listener) -> Driver<'a, C> {
        self.listener = listener;
        self
    }

    /// Reports an event.
    fn tell(&mut self, deployment: &Deployment, happened: Happened) {
        let event = self.log.note(deployment, self.clock.now(), happened);
        self.listener.hear(&event);
    }

    /// This driver, requesting approvals from this approver while the deployment is paused.
    #[must_use]
    pub fn approved_by<A: Approves + 'static>(mut self, approver: Option<A>) -> Driver<'a, C> {
        self.approver = approver.map(|approver| Arc::new(approver) as Arc<dyn Approves>);
        self
    }

    /// This driver, with hooks that this runner runs instead of this machine's shell.
    #[must_use]
    pub fn hooks_run_by(mut self, runner: &'a dyn Runner) -> Driver<'a, C> {
        self.runner = runner;
        self
    }

    /// Carries the deployment out until it ends or needs an operator, keeps the lock meanwhile, and
    /// releases it.
    ///
    /// # Errors
    /// [`DriveError`]; the deployment stands at its last checkpoint.
    pub async fn drive(mut self, deployment: &mut Deployment) -> Result<(), DriveError> {
        let (interrupted, lease) = (self.interrupted.clone(), self.journal.lease());
        let lost = async {
            match lease {
                Some(lease) => lease.keep().await,
                None => std::future::pending().await,
            }
        };
        let mut lock_lost = None;
        let driven = tokio::select! {
            biased;
            driven = on_heap(|| self.turns(deployment)) => driven,
            lost = lost => {
                lock_lost = Some(lost.to_string());
                Err(lost.into())
            }
            // What hangs is given up: a request is unclear then, as the journal says already,
            // and a checkpoint that is in SQLite alone is caught up with by whoever goes on.
            () = signalled_for(interrupted.clone(), LAST_WORDS) => Err(DriveError::Signal),
        };
        if let Some(why) = lock_lost {
            self.tell(deployment, Happened::LockLost { why });
        }
        if !deployment.state.rests() {
            self.tell_probes(deployment, true);
        }
        // Nothing that this process started outlives its lease.
        self.test_run = TestRun::None;
        self.probing = None;
        let id = &deployment.plan.id;
        if let Err(error) = self.journal.keep_events(id, self.log.unwritten()) {
            debug!("the last events are not kept: {error}");
        }
        let end = signalled_for(interrupted, GIVING_BACK);
        self.journal.close_before(end).await;
        driven
    }

    /// Its large parts are on the heap: the stack of a thread is for the SDK.
    async fn turns(&mut self, deployment: &mut Deployment) -> Result<(), DriveError> {
        let kept = self.journal.store().events(&deployment.plan.id)?;
        self.log = EventLog::after(&kept);
        if let Some(lease) = self.journal.lease() {
            let state = deployment.state.kind();
            let runner = lease.holder().await;
            self.tell(deployment, Happened::LockTaken { state, runner });
        }
        if let (Some(prober), false) = (&self.prober, deployment.state.is_end()) {
            self.probing = Probing::begin(Arc::clone(prober), &deployment.plan, self.clock);
        }
        let caught_up = self.journal.catch_up(deployment).await;
        self.until_in_the_bucket(deployment, caught_up).await?;
        if deployment.left.is_some() || deployment.state == State::Preparing {
            let entered = deployment.state.clone();
            let (left, goal) = (deployment.left, deployment.plan.goal);
            let word = on_heap(|| self.hooks(deployment, left, &entered, goal)).await?;
            on_heap(|| self.obey_hooks(deployment, entered, word, None)).await?;
        }
        if deployment.left.is_some() {
            let mut next = deployment.clone();
            next.left = None;
            self.checkpoint(deployment, next, "", None).await?;
        }
        loop {
            self.tell_of_the_lock(deployment).await;
            self.tell_probes(deployment, false);
            self.retreat_if_asked(deployment).await?;
            if deployment.state.rests() {
                if !on_heap(|| self.is_approved(deployment)).await? {
                    return Ok(());
                }
                continue;
            }
            let is_timed_out = self.is_patience_spent(deployment);
            let Some((mut seen, _)) = on_heap(|| self.look(deployment)).await? else {
                continue;
            };
            if is_timed_out {
                self.say_what_takes_long(deployment, &seen);
            }
            match on_heap(|| self.decide(deployment, &mut seen, is_timed_out)).await? {
                Step::Rest => return Ok(()),
                Step::Enter(next) => {
                    on_heap(|| self.enter(deployment, next, Some(&seen))).await?;
                }
                Step::Wait { .. } | Step::Read(_) | Step::Delay { effect: None } => {
                    self.pause(deployment).await?;
                }
                Step::Delay {
                    effect: Some(effect),
                } => {
                    on_heap(|| self.act(deployment, &effect, true)).await?;
                    self.pause(deployment).await?;
                }
                Step::Ask { effect, otherwise } => {
                    let act = on_heap(|| self.act(deployment, &effect, false)).await?;
                    on_heap(|| self.follow(deployment, act, otherwise, &seen)).await?;
                }
                Step::Once { effect, otherwise } => {
                    let act = on_heap(|| self.act(deployment, &effect, true)).await?;
                    on_heap(|| self.follow(deployment, act, otherwise, &seen)).await?;
                }
            }
        }
    }

    async fn follow(
        &mut self,
        deployment: &mut Deployment,
        act: Act,
        otherwise: State,
        seen: &Seen,
    ) -> Result<(), DriveError> {
        match act {
            Act::Again => self.pause(deployment).await,
            Act::Refused(cause) => {
                self.enter(deployment, otherwise.because(cause), Some(seen))
                    .await
            }
        }
    }

    /// Reports the renewals of the lock since the last report.
    async fn tell_of_the_lock(&mut self, deployment: &Deployment) {
        let Some(lease) = self.journal.lease() else {
            return;
        };
        let renewals = lease.renewals();
        if renewals > self.renewals {
            self.renewals = renewals;
            let lasts = lease.lasts().await;
            self.tell(deployment, Happened::LockRenewed { lasts });
        }
    }

    /// Reports what requests to production came to since the last report; `closes` is whether the
    /// stretch under way ends now.
    fn tell_probes(&mut self, deployment: &Deployment, closes: bool) {
        let probed = self.probing.as_ref().map(|probing| probing.take(closes));
        let probed = probed.unwrap_or_default();
        let is_far_from_a_checkpoint = !closes && !probed.is_empty();
        for probed in probed {
            self.tell(deployment, Happened::Probed(probed));
        }
        if is_far_from_a_checkpoint {
            // A process that is killed in a long wait has kept what it measured.
            let id = &deployment.plan.id;
            if let Err(error) = self.journal.keep_events(id, self.log.unwritten()) {
                debug!("what was measured is not kept yet: {error}");
            }
        }
    }

    /// Reports the requests that the SDK has repeated since the last report.
    fn tell_retries(&mut self, deployment: &Deployment) {
        for retried in self.cloud.retries() {
            self.tell(deployment, Happened::Retried(retried));
        }
    }

    /// Takes up an operator's order to cancel.
    async fn retreat_if_asked(&mut self, deployment: &mut Deployment) -> Result<(), DriveError> {
        let id = &deployment.plan.id;
        if deployment.state.is_end() || !self.journal.retreat_requested(id).await? {
            return Ok(());
        }
        let why = Cause::AskedToRetreat.to_string();
        self.order(deployment, Order::Retreat, &why, None).await?;
        // Obeyed once; a later order to go forward must not meet it again.
        self.journal.withdraw_retreat(&deployment.plan.id).await?;
        Ok(())
    }

    /// Whether bluegreen has just carried out an operator's order to roll back.
    async fn has_turned_back(&mut self, deployment: &mut Deployment) -> Result<bool, DriveError> {
        let before = deployment.revision;
        self.retreat_if_asked(deployment).await?;
        Ok(deployment.revision != before)
    }

    /// Carries out an order; false where it changes nothing. `cause` is why the deployment rolls
    /// back where no operator has ordered that.
    async fn order(
        &mut self,
        deployment: &mut Deployment,
        order: Order,
        why: &str,
        cause: Option<Cause>,
    ) -> Result<bool, DriveError> {
        let Ok((state, plan)) = obey(&deployment.state, &deployment.plan, order) else {
            return Ok(false);
        };
        if (&state, &plan) == (&deployment.state, &deployment.plan) {
            return Ok(false);
        }
        let from = deployment.state.kind();
        if state.kind() != from {
            // What an order leads to is not theirs to stop.
            let _ = self
                .hooks(deployment, Some(from), &state, plan.goal)
                .await?;
        }
        let mut next = deployment.clone();
        if plan.goal == Goal::Previous && deployment.plan.goal != Goal::Previous {
            next.turned_back = cause;
        }
        next.plan = plan;
        next = next.entering(state, self.clock.now());
        if next.state == deployment.state {
            next.entered_at = deployment.entered_at;
        }
        self.checkpoint(deployment, next, why, None).await?;
        Ok(true)
    }

    /// Enters `state`, or the state that the hooks order instead.
    async fn obey_hooks(
        &mut self,
        deployment: &mut Deployment,
        state: State,
        word: Word,
        seen: Option<&Seen>,
    ) -> Result<(), DriveError> {
        let state = match word {
            Word::GoOn => state,
            Word::Hold(cause) => hold(&state, deployment.plan.strategy, cause).unwrap_or(state),
            Word::GoBack(cause) => {
                let why = cause.to_string();
                let order = Order::Retreat;
                if self.order(deployment, order, &why, Some(cause)).await? {
                    return Ok(());
                }
                // Nothing leads back from there.
                state
            }
        };
        let state = deployment.for_its_cause(state);
        if state == deployment.state {
            return Ok(());
        }
        let mut why = match state.cause() {
            Some(cause) => deployment.told(cause).to_string(),
            None => self.left_because(deployment.state.kind()),
        };
        let left = seen.filter(|_| state.is_end());
        if let Some(left) = left.and_then(|seen| hosts_left_over(&deployment.plan, seen)) {
            why.push_str(&format!("; {left}"));
        }
        let (left, entered) = (deployment.state.kind(), state.kind());
        let next = deployment.entering(state, self.clock.now());
        match self.checkpoint(deployment, next, &why, seen).await {
            // The order is taken up in the next turn.
            Err(DriveError::Store(StoreError::OrderedBack { .. })) => return Ok(()),
            done => done?,
        }
        self.streaks.entered_a_state((left, entered));
        Ok(())
    }

    /// Why a state is left for the next one, with what nobody could judge.
    fn left_because(&self, kind: Kind) -> String {
        let why = match kind {
            Kind::Baking if !self.streaks.saw_requests() => {
                "the bake is over; no request to production was seen, so its errors and latency \
                 were not judged"
            }
            _ => kind.left_because(),
        };
        why.to_owned()
    }

    fn is_patience_spent(&self, deployment: &Deployment) -> bool {
        self.clock.now().since(self.patience_began(deployment)) >= deployment.patience()
    }

    /// When the timeout of the present state began.
    fn patience_began(&self, deployment: &Deployment) -> Moment {
        deployment.entered_at.max(self.began_at)
    }

    /// Polls until a poll succeeds or the state's timeout is over; returns what the poll found and
    /// when it began. `None` where bluegreen has carried out an operator's order to roll back
    /// first: no earlier decision holds any more.
    async fn look(
        &mut self,
        deployment: &mut Deployment,
    ) -> Result<Option<(Seen, Stopwatch)>, DriveError> {
        let since = self.clock.now();
        loop {
            self.test_run.keep_to(deployment.state.kind());
            let mut needs = needs(deployment);
            self.streaks.spare(deployment, &mut needs);
            // Whether somebody has replaced it since is read again before production moves.
            let is_known = |known: &VersionRecord| {
                let is_early = match deployment.state.kind() {
                    Kind::Cloning => true,
                    Kind::Warming => needs.awaits_more,
                    _ => false,
                };
                is_early && known.label == deployment.plan.version
            };
            let processed = self.processed.clone().filter(is_known);
            needs.version &= processed.is_none();
            let watched = self.watch(deployment, &needs).await?;
            if self.has_turned_back(deployment).await? {
                return Ok(None);
            }
            let tests = needs.test;
            if watched.is_some() {
                needs.test = None;
                needs.alarms = false;
            }
            needs.likeness = self.streaks.wants_likeness(deployment);
            needs.reasons = self.is_patience_spent(deployment) || self.streaks.wants_reasons();
            let began = Stopwatch::start(&self.clock);
            let began_at = self.clock.now();
            needs.spares_events = !needs.reasons && self.events.are_recent(&needs, began_at);
            if watched.is_none() {
                self.looked_at = Some(began_at);
            }
            let looked = {
                let mut looking = on_heap(|| self.cloud.look(&deployment.plan, &needs));
                loop {
                    tokio::select! {
                        biased;
                        looked = &mut looking => break looked,
                        () = signalled(self.interrupted.clone()) => return Err(DriveError::Signal),
                        () = self.test_run.goes_on() => {}
                    }
                }
            };
            self.tell_retries(deployment);
            let message = match looked {
                Ok(mut sighting) => {
                    if let Some(watched) = watched {
                        (sighting.alarms, sighting.probes) = (watched.alarms, watched.probes);
                    }
                    self.events.complete(&needs, &mut sighting, began_at);
                    sighting.command = self.test_run.take();
                    match processed {
                        Some(_) => sighting.version = Some(processed),
                        None if needs.version => {
                            self.processed = processed_version(&deployment.plan, &sighting);
                        }
                        None => {}
                    }
                    let now = self.clock.now();
                    if let Some(green) = sighting.environment(&deployment.plan.green)
                        && sighting.green_is_ours
                    {
                        deployment.green_id = Some(green.id.clone());
                    }
                    if let (Some(ran), Some((role, _))) = (&sighting.command, tests) {
                        let output = Output {
                            at: now,
                            what: format!("{TEST_COMMAND} on {role} ({})", deployment.state.kind()),
                            ended: ran.end.clone(),
                            output: ran.output.clone(),
                        };
                        let ended = Happened::TestEnded {
                            test: TEST_COMMAND.to_owned(),
                            environment: role,
                            end: ran.end.clone(),
                            lasted: ran.lasted,
                        };
                        self.journal.keep_output(&deployment.plan.id, output)?;
                        self.tell(deployment, ended);
                    }
                    if let Some(traffic) = &sighting.production_traffic
                        && tells_the_usual(deployment)
                    {
                        deployment.usual = deployment.usual.with(traffic);
                    }
                    if tells_the_usual(deployment) {
                        let passed = sighting.probes.iter().filter(|probe| probe.passed);
                        let slowest = passed.filter_map(|probe| probe.latency).max();
                        let slowest = slowest.unwrap_or_default();
                        deployment.slowest_answer = deployment.slowest_answer.max(slowest);
                    }
                    deployment.usual_health = usual_health(deployment, &sighting);
                    if sighting.uncounted.is_some() || sighting.idle_traffic.is_some() {
                        deployment.uncounted = sighting.uncounted.clone();
                    }
                    for difference in sighting.differences.iter().flatten() {
                        let differs = Happened::Differs {
                            weight: difference.weight,
                            difference: difference.as_diff().to_string(),
                        };
                        self.tell(deployment, differs);
                    }
                    if let (Some(settings), None) =
                        (&sighting.template_settings, &deployment.plan.template_sets)
                    {
                        let sets = template_sets(&deployment.plan, settings);
                        if let Some(groups) = &sets.groups {
                            let groups = groups.clone();
                            self.tell(deployment, Happened::GroupReplaced { groups });
                        }
                        deployment.plan.template_sets = Some(sets);
                    }
                    let failed = self.streaks.failure_of_the_swap(deployment, &sighting, now);
                    if let Some(failure) = failed {
                        let why = failure.to_string();
                        self.tell(deployment, Happened::SwapFailed { why });
                        deployment.swap_has_failed();
                    }
                    for found in self.streaks.news(deployment, &sighting) {
                        if found.of == ServiceOperation::Deploy && is_warning(&found.event) {
                            deployment.keep_warning(DeployWarning {
                                at: found.event.at,
                                severity: found.event.severity.clone(),
                                message: found.event.message.clone(),
                            });
                        }
                        let told = Happened::ServiceEvent {
                            of: found.of,
                            environment: found.environment,
                            emitted_at: found.event.at,
                            severity: found.event.severity,
                            message: found.event.message.trim().to_owned(),
                        };
                        self.tell(deployment, told);
                    }
                    self.followers.look(&deployment.plan, &sighting);
                    if let Alarms::Unread(why) = &sighting.alarms {
                        let why = why.clone();
                        self.tell(deployment, Happened::AlarmsUnread { why });
                    }
                    if let Some(known) = known(deployment, &sighting) {
                        deployment.known = known;
                    }
                    let mut seen = self.streaks.observe(deployment, &sighting, now);
                    if needs.reasons {
                        seen.reasons = self.streaks.reasons(deployment, &sighting, now);
                    }
                    self.say_what_others_do(deployment, &sighting, &seen);
                    if let Some((health, before)) = self.streaks.notices(deployment, &sighting) {
                        self.tell(deployment, Happened::LessHealthy { health, before });
                    }
                    self.begin_test_run(deployment, &sighting, now);
                    self.tell_the_drain(deployment, &sighting, &seen, now);
                    deployment.learn_the_usual_traffic(
                        sighting.production_traffic.as_ref(),
                        sighting.idle_traffic.as_ref(),
                    );
                    deployment.resolve(&seen, now);
                    debug!(?seen, "looked");
                    let poll = polled(&deployment.plan, &sighting, seen.production);
                    self.tell(deployment, Happened::Polled(poll));
                    if let Some((role, _)) = tests {
                        for failed in failed_tests(&deployment.plan, &sighting, role) {
                            self.tell(deployment, failed);
                        }
                    }
                    let since = self.patience_began(deployment);
                    self.waits = self.streaks.waits(deployment, &sighting, (since, now));
                    self.journal.note_waits(&self.waits);
                    let waiting = Happened::Waiting {
                        state: deployment.state.kind(),
                        waits: self.waits.clone(),
                    };
                    self.tell(deployment, waiting);
                    let bakes = deployment.state.kind() == Kind::Baking;
                    let production = Production {
                        sighting,
                        read_at: began_at,
                    };
                    self.production = bakes.then_some(production);
                    return Ok(Some((seen, began)));
                }
                Err(error) => DriveError::unless_passing(error)?,
            };
            let lasted = self.clock.now().since(since);
            if lasted >= deployment.plan.wishes.limits.patience {
                return Err(DriveError::Unreachable { lasted, message });
            }
            self.tell(deployment, Happened::PollFailed { why: message });
            self.waits.clear();
            self.production = None;
            self.pause(deployment).await?;
            if self.has_turned_back(deployment).await? {
                return Ok(None);
            }
        }
    }

    /// Reports the clients that still reach the environment that production left, and when their
    /// requests are given up.
    fn tell_the_drain(
        &mut self,
        deployment: &Deployment,
        sighting: &Sighting,
        seen: &Seen,
        now: Moment,
    ) {
        let Some(serving) = seen.production.filter(|_| deployment.may_drain()) else {
            return;
        };
        let (environment, limits) = (serving.other(), &deployment.plan.wishes.limits);
        if let Some(why) = &sighting.uncounted {
            let (why, limit) = (why.clone(), limits.drain);
            let drain = Drain::Uncounted { why, limit };
            self.tell(deployment, Happened::Draining { environment, drain });
        }
        let Some(traffic) = &sighting.idle_traffic else {
            return;
        };
        let counted = traffic.beside(&deployment.served);
        let (per_instance, done_at) = (traffic.per_instance(), deployment.quiet_requests());
        // Until the swap has ended its clients have had no time to leave.
        let has_waited = !deployment.state.is_swapping() && deployment.has_waited_for_traffic(now);
        let drain = if deployment.is_of_before(traffic) {
            Drain::NotToldYet
        } else if !seen.drained && has_waited {
            let limit = limits.drain_limit;
            Drain::Overdue { counted, limit }
        } else if !seen.drained {
            Drain::Requests {
                per_instance,
                done_at,
                counted,
            }
        } else if per_instance > done_at {
            Drain::GivenUp {
                counted,
                is_accepted: limits.accept_traffic_loss,
            }
        } else {
            return;
        };
        self.tell(deployment, Happened::Draining { environment, drain });
    }

    /// Begins the test command where it is due.
    fn begin_test_run(&mut self, deployment: &Deployment, sighting: &Sighting, now: Moment) {
        if self.test_run.is_under_way() {
            return;
        }
        let plan = &deployment.plan;
        if let Some(role) = self.streaks.wants_command(deployment, now)
            && let Some(site) = sighting.site(plan, role)
            && let Some(run) = test_run(plan, role, version_under_test(deployment), &site)
        {
            let began = Happened::TestBegan {
                test: TEST_COMMAND.to_owned(),
                environment: role,
            };
            self.tell(deployment, began);
            let cloud = self.cloud;
            let running = Box::pin(async move { cloud.run_test(&run).await });
            self.test_run = TestRun::Running(deployment.state.kind(), running);
        }
    }

    /// Requests an effect: one that moves or interrupts service after a fresh poll that finds it
    /// safe now, and one that must not be sent twice after its intent is written.
    async fn act(
        &mut self,
        deployment: &mut Deployment,
        effect: &Effect,
        once: bool,
    ) -> Result<Act, DriveError> {
        let mut send_by = Deadline::default();
        let mut is_settled = false;
        if effect.touches_service() {
            let Some((fresh, began)) = on_heap(|| self.look(deployment)).await? else {
                return Ok(Act::Again);
            };
            send_by = send_by.and(began, LOOK_HOLDS);
            let is_wanted = is_still_wanted(effect, &deployment.state, &deployment.plan, &fresh);
            if !is_safe(effect, &fresh) || !is_wanted {
                debug!(?effect, "not safe, or not wanted, any more");
                return Ok(Act::Again);
            }
            is_settled = fresh.production_settled;
        }
        if *self.interrupted.borrow() {
            return Err(DriveError::Signal);
        }
        if let Err(error) = self.journal.secure().await {
            self.until_secure(deployment, error).await?;
            // What was seen before that wait proves nothing any more.
            return Ok(Act::Again);
        }
        let written = Stopwatch::start(&self.clock);
        if once {
            self.write_intent(deployment, effect, is_settled).await?;
        }
        // A process that slept since then sends nothing: neither what it saw, nor its
        // quarantine, nor its lease would cover that.
        let send_by = self.journal.send_by(written, send_by).await;
        let operation = effect.kind().operation();
        let subjects = effect.subjects().into_iter().map(Some);
        let named: Vec<_> = subjects.collect();
        let unnamed = named.is_empty().then_some(None);
        for subject in named.into_iter().chain(unnamed) {
            let operation = operation.to_owned();
            self.tell(deployment, Happened::Asked { operation, subject });
        }
        let outcome = self.cloud.ask(&deployment.plan, effect, &send_by).await;
        self.tell_retries(deployment);
        if let Outcome::Applied {
            environment_id: Some(id),
            ..
        } = &outcome
        {
            deployment.green_id = Some(id.clone());
        }
        if once {
            let sent = match &outcome {
                Outcome::Applied { request_id, .. } => Sent::Applied {
                    request_id: request_id.clone(),
                },
                Outcome::NotApplied(_) => Sent::NotApplied,
                Outcome::Unclear(_) => Sent::Unclear,
            };
            self.write_outcome(deployment, effect, sent).await?;
        } else if effect.terminates() {
            self.write_termination(deployment, &outcome).await?;
        }
        self.tell_the_answer(deployment, operation, &outcome);
        if effect.moves_followers() {
            return self.moved_followers(deployment, effect, outcome);
        }
        self.streaks.put_off(put_off(operation, &outcome));
        understand(operation, outcome)
    }

    /// Reports AWS's answer.
    fn tell_the_answer(&mut self, deployment: &Deployment, operation: &str, outcome: &Outcome) {
        let answer = match outcome {
            Outcome::Applied { .. } => Answer::Accepted,
            Outcome::Unclear(why) => Answer::InDoubt(why.clone()),
            Outcome::NotApplied(Refusal::AlreadySo(why)) => Answer::AlreadySo(why.clone()),
            Outcome::NotApplied(
                Refusal::Throttled(why) | Refusal::Busy(why) | Refusal::Unreachable(why),
            ) => Answer::BackingOff(why.clone()),
            Outcome::NotApplied(
                Refusal::Credentials(why) | Refusal::Denied(why) | Refusal::Invalid(why),
            ) => Answer::Refused(why.clone()),
        };
        let operation = operation.to_owned();
        self.tell(deployment, Happened::Answered { operation, answer });
    }

    async fn write_intent(
        &mut self,
        deployment: &mut Deployment,
        effect: &Effect,
        is_settled: bool,
    ) -> Result<(), DriveError> {
        let next = deployment.intending(effect, self.clock.now(), is_settled);
        self.checkpoint(deployment, next, "", None).await
    }

    async fn write_outcome(
        &mut self,
        deployment: &mut Deployment,
        effect: &Effect,
        outcome: Sent,
    ) -> Result<(), DriveError> {
        let mut next = deployment.clone();
        if let Some(intent) = next.intents.get_mut(&effect.kind()) {
            intent.outcome = outcome;
        }
        self.checkpoint(deployment, next, "", None).await
    }

    /// Writes down the id by which the events of a termination are known.
    async fn write_termination(
        &mut self,
        deployment: &mut Deployment,
        outcome: &Outcome,
    ) -> Result<(), DriveError> {
        let request_id = match outcome {
            Outcome::Applied { request_id, .. } => request_id.clone(),
            Outcome::Unclear(_) => None,
            Outcome::NotApplied(_) => return Ok(()),
        };
        let mut next = deployment.clone();
        next.keep_termination(AskedTermination {
            at: self.clock.now(),
            request_id,
        });
        self.checkpoint(deployment, next, "", None).await
    }

    async fn enter(
        &mut self,
        deployment: &mut Deployment,
        state: State,
        seen: Option<&Seen>,
    ) -> Result<(), DriveError> {
        let from = Some(deployment.state.kind()).filter(|from| *from != state.kind());
        if let Some(told) = seen.and_then(|seen| sizes_that_stay(deployment, &state, seen)) {
            self.tell(deployment, told);
        }
        let word = match from {
            Some(_) => {
                self.hooks(deployment, from, &state, deployment.plan.goal)
                    .await?
            }
            None => Word::GoOn,
        };
        let left = deployment.state.kind();
        self.obey_hooks(deployment, state, word, seen).await?;
        if deployment.state.kind() != left {
            on_heap(|| self.tell_the_engine_log(deployment, left)).await;
        }
        Ok(())
    }

    /// Checkpoints, here and in the bucket; returns only once both hold it.
    async fn checkpoint(
        &mut self,
        deployment: &mut Deployment,
        next: Deployment,
        why: &str,
        seen: Option<&Seen>,
    ) -> Result<(), DriveError> {
        if next.state != deployment.state {
            self.tell_probes(deployment, true);
        }
        let now = self.clock.now();
        let turns_back = next.plan.goal == Goal::Previous && deployment.plan.goal != next.plan.goal;
        let entered = if next.state != deployment.state {
            Some(Happened::StateEntered {
                from: deployment.state.kind(),
                to: next.state.kind(),
                meaning: next.meaning().to_owned(),
                why: why.to_owned(),
            })
        } else {
            turns_back.then(|| Happened::RollbackBegan {
                state: next.state.kind(),
                why: why.to_owned(),
            })
        };
        // It is kept with what it tells of, and heard once that is so.
        let entered = entered.map(|entered| self.log.note(&next, now, entered));
        let events = self.log.unwritten();
        let written = self
            .journal
            .checkpoint(deployment, next, now, why, seen, events)
            .await;
        match (&written, &entered) {
            (Err(JournalError::Store(_)), Some(entered)) => self.log.withdraw(entered),
            (Err(JournalError::Store(_)), None) => {}
            _ => self.log.mark_written(),
        }
        self.until_in_the_bucket(deployment, written).await?;
        if let Some(entered) = entered {
            self.listener.hear(&entered);
        }
        Ok(())
    }

    /// Waits until the bucket holds what SQLite holds.
    async fn until_in_the_bucket(
        &mut self,
        deployment: &Deployment,
        mut written: Result<(), JournalError>,
    ) -> Result<(), DriveError> {
        let since = self.clock.now();
        while let Err(error) = written {
            self.bear(deployment, since, error).await?;
            written = self.journal.catch_up(deployment).await;
        }
        Ok(())
    }

    /// Waits until the lock is secure again.
    async fn until_secure(
        &mut self,
        deployment: &Deployment,
        mut error: JournalError,
    ) -> Result<(), DriveError> {
        let since = self.clock.now();
        loop {
            self.bear(deployment, since, error).await?;
            match self.journal.secure().await {
                Ok(()) => return Ok(()),
                Err(again) => error = again,
            }
        }
    }

    /// Waits a little where the bucket does not answer and the timeout is not over; returns every
    /// other error. The timeout of the state starts anew: nothing could be done in the state
    /// meanwhile.
    async fn bear(
        &mut self,
        deployment: &Deployment,
        since: Moment,
        error: JournalError,
    ) -> Result<(), DriveError> {
        let message = match error {
            JournalError::Shared(error @ SharedError::Away { .. }) => error.to_string(),
            error => return Err(error.into()),
        };
        let lasted = self.clock.now().since(since);
        if lasted >= deployment.plan.wishes.limits.patience {
            return Err(DriveError::BucketAway { lasted, message });
        }
        self.tell(deployment, Happened::BucketAway { why: message });
        self.waits.clear();
        self.pause(deployment).await?;
        self.began_at = self.clock.now();
        Ok(())
    }

    /// Waits for the next poll, as [`pacing`] says, give or take a tenth, or for the end of the test
    /// command. While production is monitored, the polls are so frequent that all the polls needed
    /// to find it unhealthy fall within one interval, however long a poll takes.
    async fn pause(&mut self, deployment: &Deployment) -> Result<(), DriveError> {
        let limits = &deployment.plan.wishes.limits;
        let jitter = self.jitter.f64();
        let looked_at = self.looked_at.take();
        let interval = match deployment.state.kind() {
            Kind::Baking => {
                let whole = limits.watch_interval().mul_f64(0.8 + 0.2 * jitter);
                let looked_for = looked_at.map(|at| self.clock.now().since(at));
                // However slow AWS is, it gets a moment between two looks.
                let left = whole.saturating_sub(looked_for.unwrap_or_default());
                left.max(whole / 10)
            }
            kind => {
                let now = self.clock.now();
                let standing = Standing {
                    kind,
                    waits: &self.waits,
                    lasted: now.since(deployment.entered_at),
                    works_for: deployment.request_under_way().map(|at| now.since(at)),
                    takes: self.takes.get(&kind).copied(),
                };
                pacing::interval(limits, &standing).mul_f64(0.9 + 0.2 * jitter)
            }
        };
        tokio::select! {
            biased;
            slept = sleep_unless_ordered(&self.clock, &self.journal, deployment, interval) => slept,
            () = signalled(self.interrupted.clone()) => Err(DriveError::Signal),
            () = self.test_run.goes_on() => Ok(()),
        }
    }
}

/// Sleeps, and no longer than a poll interval once an operator has ordered a rollback.
async fn sleep_unless_ordered(
    clock: &Clock,
    journal: &Journal<'_>,
    deployment: &Deployment,
    mut rest: Duration,
) -> Result<(), DriveError> {
    let poll = deployment.plan.wishes.limits.poll;
    while rest > poll && !poll.is_zero() {
        clock.sleep(poll).await;
        rest -= poll;
        if journal.retreat_requested(&deployment.plan.id).await? {
            return Ok(());
        }
    }
    clock.sleep(rest).await;
    Ok(())
}

/// What to report about capacity that differs from that at the start when a deployment ends:
/// another person or tool, or the version, has changed it meanwhile.
fn sizes_that_stay(deployment: &Deployment, end: &State, seen: &Seen) -> Option<Happened> {
    let before = deployment.plan.sizes.filter(|_| end.is_end())?;
    let keeper = match deployment.state.kind() {
        Kind::TerminatingBlue => Role::Green,
        _ => Role::Blue,
    };
    let found = match keeper {
        Role::Blue => seen.blue.as_ref(),
        Role::Green => seen.our_green(),
    };
    let found = found?.sizes.filter(|sizes| *sizes != before)?;
    Some(Happened::SizesStay {
        environment: deployment.plan.environment(keeper).to_owned(),
        found,
        before,
    })
}

/// Why a request has to wait; `None` where AWS accepted it, or refused it for good.
fn put_off(operation: &str, outcome: &Outcome) -> Option<PutOff> {
    let (what, to, why) = match outcome {
        Outcome::NotApplied(Refusal::Busy(why) | Refusal::Throttled(why)) => {
            ("AWS said".to_owned(), format!(" to {operation}"), why)
        }
        Outcome::NotApplied(Refusal::Unreachable(why)) => {
            let what = format!("{operation} did not reach AWS");
            (what, String::new(), why)
        }
        Outcome::Unclear(why) => {
            let what = format!("{operation} got no clear answer");
            (what, String::new(), why)
        }
        Outcome::NotApplied(
            Refusal::AlreadySo(_)
            | Refusal::Credentials(_)
            | Refusal::Denied(_)
            | Refusal::Invalid(_),
        )
        | Outcome::Applied { .. } => return None,
    };
    let why = why.clone();
    Some(PutOff { what, to, why })
}

fn understand(operation: &str, outcome: Outcome) -> Result<Act, DriveError> {
    match outcome {
        Outcome::Applied { .. } | Outcome::Unclear(_) => Ok(Act::Again),
        Outcome::NotApplied(refusal) => match refusal {
            Refusal::AlreadySo(_)
            | Refusal::Throttled(_)
            | Refusal::Busy(_)
            | Refusal::Unreachable(_) => Ok(Act::Again),
            Refusal::Credentials(why) => Err(DriveError::Credentials(why)),
            Refusal::Denied(why) => Err(DriveError::Denied(format!("{operation}: {why}"))),
            Refusal::Invalid(message) => Ok(Act::Refused(Cause::Refused {
                operation: operation.to_owned(),
                message,
            })),
        },
    }
}

/// The tests over HTTP that the environment of this role has not passed in a poll.
fn failed_tests(plan: &Plan, sighting: &Sighting, role: Role) -> Vec<Happened> {
    let Some(found) = sighting.of(plan, role) else {
        return Vec::new();
    };
    let failed = sighting.probes.iter().filter(|probe| !probe.passed);
    let told = failed.map(|probe| Happened::TestFailed {
        environment: role,
        name: found.name.clone(),
        runs: found.version_label.clone(),
        test: probe.asked.clone(),
        got: probe.got.clone(),
        lasted: probe.latency.unwrap_or_default(),
        body: probe.body.clone(),
    });
    told.collect()
}

/// The results of a poll, for the listeners.
fn polled(plan: &Plan, sighting: &Sighting, production: Option<Role>) -> Poll {
    let environments = [Role::Blue, Role::Green].into_iter().filter_map(|role| {
        let found = sighting.of(plan, role)?;
        let traffic = match production == Some(role) {
            true => sighting.production_traffic.as_ref(),
            false => sighting.idle_traffic.as_ref(),
        };
        let counted = sighting.counts.iter().find(|(of, _)| *of == role);
        Some(PolledEnvironment {
            role,
            name: found.name.clone(),
            status: found.status.clone(),
            health: found
                .health_status
                .as_ref()
                .unwrap_or(&found.health)
                .clone(),
            version: found.version_label.clone(),
            cname: found.cname.clone(),
            requests_a_minute: traffic.map(Traffic::a_minute),
            instances: counted.map(|(_, instances)| instances.running),
        })
    });
    let slowest = sighting.probes.iter().filter_map(|probe| probe.latency);
    Poll {
        environments: environments.collect(),
        production,
        tests: Tests {
            asked: sighting.probes.len(),
            passed: sighting.probes.iter().filter(|probe| probe.passed).count(),
            slowest: slowest.max().unwrap_or_default(),
        },
    }
}

/// Returns this long after the signal has come.
async fn signalled_for(interrupted: watch::Receiver<bool>, span: Duration) {
    signalled(interrupted).await;
    tokio::time::sleep(span).await;
}

/// Returns once the signal has come; never where it cannot come any more.
async fn signalled(mut interrupted: watch::Receiver<bool>) {
    if interrupted.wait_for(|yes| *yes).await.is_err() {
        std::future::pending::<()>().await;
    }
}
