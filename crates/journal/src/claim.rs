//! Who may run a deployment: the file lock on this machine, the lock in the bucket, and the queue
//! of those who wait for it.
//!
//! Every command that runs a deployment makes a claim here. What an attempt finds in the way is an
//! [`Obstacle`], and [`wait`] decides whether the command waits for it.

// Numbers here are read from others.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod interruption;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use thiserror::Error;
use tracing::{debug, warn};

use crate::journal::JournalError;
use crate::shared::{
    Contender, HeldLease, Holder, Lease, LeaseAttempt, LeaseRecord, Queue, SharedError,
    SharedState, Ticket,
};
use crate::store::{DriveLock, Store, StoreError};
use bluegreen_aws::Environment;
use bluegreen_clock::{Clock, Stopwatch};
use bluegreen_core::deployment::Deployment;
use bluegreen_core::machine::Kind;
use bluegreen_core::plan::Target;

pub use interruption::{Interrupted, Interruption};

/// How long a process that leaves the queue waits for the bucket.
const LEAVING: Duration = Duration::from_secs(5);

/// How often a process checks the file lock of a runner on this machine: of the wall's time.
const LOOK_AFTER: Duration = Duration::from_millis(500);

/// Why a process may not run a deployment.
#[derive(Clone, Debug, Error)]
pub enum ClaimError {
    /// A signal, or its caller, interrupted it while it waited.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// Another process runs the deployment, or waits and came before.
    #[error("{0}")]
    Obstructed(Box<Obstacle>),
    /// Something newer was released while it waited.
    #[error(transparent)]
    Overtaken(#[from] Overtaken),
    /// The journal on this machine failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state in the bucket failed.
    #[error(transparent)]
    Shared(SharedError),
}

impl From<Obstacle> for ClaimError {
    fn from(obstacle: Obstacle) -> ClaimError {
        ClaimError::Obstructed(Box::new(obstacle))
    }
}

/// A bucket that does not answer for now may be waited for.
impl From<SharedError> for ClaimError {
    fn from(error: SharedError) -> ClaimError {
        match error {
            SharedError::Away { .. } => Obstacle::Away(error).into(),
            error => ClaimError::Shared(error),
        }
    }
}

impl From<JournalError> for ClaimError {
    fn from(error: JournalError) -> ClaimError {
        match error {
            JournalError::Store(error) => error.into(),
            JournalError::Shared(error) => error.into(),
        }
    }
}

/// What is in the way of a process that wants to run a deployment.
#[derive(Clone, Debug)]
pub enum Obstacle {
    /// Another process on this machine runs the deployment.
    Driven {
        /// The deployment's id.
        id: String,
        /// The process, where it could be read.
        holder: String,
    },
    /// The target has this deployment, which is not finished.
    Unfinished {
        /// The deployment.
        deployment: Box<Deployment>,
        /// Its lock, where it has one.
        lease: Option<LeaseRecord>,
        /// Whether a process may be running it.
        is_driven: bool,
    },
    /// These wait and came before, the first in line first.
    Ahead(Vec<Ticket>),
    /// Somebody holds the target's lock.
    Held(HeldLease),
    /// The bucket with the lock cannot be reached for now.
    Away(SharedError),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Obstacle::Driven { id, holder } => {
                let (id, holder) = (id.clone(), holder.clone());
                write!(f, "{}", StoreError::Driven { id, holder })
            }
            Obstacle::Unfinished { deployment, .. } => {
                write!(f, "{}", StoreError::in_flight(deployment))
            }
            Obstacle::Ahead(ahead) => ahead_in_words(f, ahead),
            Obstacle::Held(held) => f.write_str(&held.lease.in_words()),
            Obstacle::Away(error) => write!(f, "{error}"),
        }
    }
}

fn ahead_in_words(f: &mut fmt::Formatter<'_>, ahead: &[Ticket]) -> fmt::Result {
    let [first, more @ ..] = ahead else {
        return f.write_str("another release goes first");
    };
    let (holder, since) = (&first.holder, first.joined_at);
    write!(
        f,
        "{holder} has waited since {since} to release, and goes first"
    )?;
    match more.len() {
        0 => Ok(()),
        count => write!(f, ", and {count} more go before this one"),
    }
}

/// Whom a process waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsBehind {
    /// A new release waits behind whoever is in its way, and for whatever else may pass.
    Everybody,
    /// Who takes a deployment over waits for as long as it takes to see whether the lock holder
    /// is alive. One that is keeps it.
    TheSilent,
    /// A process that has ordered the runner to roll back waits for it to do so.
    TheRunner,
}

/// How long a process waits for its claim.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Whom it waits for.
    pub behind: WaitsBehind,
    /// How long at most: of a new release altogether, of others for a bucket that does not
    /// answer.
    pub timeout: Duration,
    /// How often it polls.
    pub poll: Duration,
}

/// What an attempt that failed leaves to wait for.
#[derive(Clone, Copy, Debug)]
pub enum WaitsFor<'a> {
    /// Nothing: it has failed for good.
    Nothing,
    /// The runner, or whoever came before.
    Obstacle(&'a Obstacle),
    /// What may pass by itself, whoever the runner is.
    Passing,
}

impl WaitsFor<'_> {
    /// Whether somebody does not answer for now.
    fn is_unanswered(self) -> bool {
        matches!(
            self,
            WaitsFor::Passing | WaitsFor::Obstacle(Obstacle::Away(_))
        )
    }
}

/// The error of an attempt that [`wait`] repeats.
pub trait Attempted: From<Interrupted> {
    /// What is left to wait for.
    fn waits_for(&self) -> WaitsFor<'_>;
}

impl Attempted for ClaimError {
    fn waits_for(&self) -> WaitsFor<'_> {
        match self {
            ClaimError::Obstructed(obstacle) => WaitsFor::Obstacle(obstacle),
            ClaimError::Interrupted(_)
            | ClaimError::Overtaken(_)
            | ClaimError::Store(_)
            | ClaimError::Shared(_) => WaitsFor::Nothing,
        }
    }
}

/// Attempts to make a claim until it is made, or until nothing is left that `patience` waits for.
/// `tell` hears of each wait before it begins. An attempt returns no claim where what it has read
/// has changed meanwhile, and is repeated at once.
///
/// # Errors
/// That of the last attempt, or [`Interrupted`].
pub async fn wait<T, E: Attempted>(
    clock: Clock,
    interruption: &Interruption,
    patience: Patience,
    mut attempt: impl AsyncFnMut() -> Result<Option<T>, E>,
    mut tell: impl FnMut(&E),
) -> Result<T, E> {
    let began = Stopwatch::start(&clock);
    let mut answered = began;
    loop {
        let error = match attempt().await {
            Ok(Some(claimed)) => return Ok(claimed),
            Ok(None) => continue,
            Err(error) => error,
        };
        let waits_for = error.waits_for();
        if !waits_for.is_unanswered() {
            answered = Stopwatch::start(&clock);
        }
        let waited = [began, answered].map(|since| since.elapsed_at_least());
        let Some(pause) = patience.pause(waits_for, waited, &clock) else {
            return Err(error);
        };
        tell(&error);
        interruption.unless(clock.sleep(pause)).await?;
    }
}

impl Patience {
    /// How long to pause before the next attempt; none where nothing is left to wait for. The
    /// process has waited so long altogether, and for so long the bucket has not answered.
    fn pause(
        &self,
        waits_for: WaitsFor<'_>,
        [waited, unanswered]: [Duration; 2],
        clock: &Clock,
    ) -> Option<Duration> {
        let in_time = |since: Duration| (since < self.timeout).then_some(self.poll);
        let obstacle = match (self.behind, waits_for) {
            (_, WaitsFor::Nothing) => return None,
            (WaitsBehind::Everybody, _) => return in_time(waited),
            (_, WaitsFor::Passing | WaitsFor::Obstacle(Obstacle::Away(_))) => {
                return in_time(unanswered);
            }
            (_, WaitsFor::Obstacle(obstacle)) => obstacle,
        };
        match (self.behind, obstacle) {
            (WaitsBehind::TheRunner, Obstacle::Driven { .. }) => {
                Some(LOOK_AFTER.mul_f64(clock.speed()))
            }
            (WaitsBehind::TheRunner, Obstacle::Held(_)) => Some(self.poll),
            (WaitsBehind::TheSilent, Obstacle::Held(held)) => {
                (!held.renewed).then(|| held.look_again_in())
            }
            _ => None,
        }
    }
}

/// A process that wants to run a deployment, and what it has seen of whoever is in its way.
pub struct Claim {
    target: Target,
    id: String,
    /// What its lock says first that the deployment is doing.
    doing: Kind,
    /// Whether it is the first to take a lock for the deployment.
    begins: bool,
    me: Holder,
    shared: Option<(SharedState, Contender)>,
    /// The last renewal of the lock that this process has heard of.
    heard: Option<Heard>,
    place: Option<Place>,
    /// How often a process that waits polls.
    poll: Duration,
    /// For how long a lock lasts.
    lease: Duration,
}

struct Heard {
    /// The lock's fencing number and how often it had been renewed.
    renewal: (u64, u64),
    since: Stopwatch,
}

/// A place in the queue, and what there was when it was taken: whatever these have put on blue
/// is older than the release that waits.
struct Place {
    /// Drawn with the first write; 0 before that.
    number: u64,
    joined: bool,
    /// The versions that blue ran.
    versions: Vec<String>,
    /// The deployment that the target had.
    deployment: Option<String>,
    /// Whether the update was over that blue may have been in.
    settled: bool,
}

/// Something newer than a release came to production while that waited.
#[derive(Clone, Debug, Error)]
#[error(
    "overtaken while it waited: {blue} runs {runs} now, and ran {ran} when this release{wanted} \
     began to wait; {by}"
)]
pub struct Overtaken {
    /// Blue's environment name.
    blue: String,
    /// The version that blue runs.
    runs: String,
    /// The version that it ran.
    ran: String,
    /// The version that waited, as in ` of v3`.
    wanted: String,
    /// Who put there what it runs.
    by: String,
}

impl Claim {
    /// The claim of a release that has yet to begin. It begins nothing, and nobody waits by it yet.
    /// `lease` is how long a lock lasts, and `poll` how often a process that waits polls.
    ///
    /// # Errors
    /// [`StoreError`] where the journal does not read.
    pub fn to_begin(
        store: &Store,
        clock: &Clock,
        shared: Option<SharedState>,
        (target, id): (&Target, &str),
        (lease, poll): (Duration, Duration),
    ) -> Result<Claim, StoreError> {
        let claim = Claim::new(store, clock, shared, (target, id, Kind::Preparing), lease)?;
        Ok(Claim {
            begins: true,
            poll,
            ..claim
        })
    }

    /// The claim of whoever resumes a deployment.
    ///
    /// # Errors
    /// [`StoreError`] where the journal does not read.
    pub fn to_go_on(
        store: &Store,
        clock: &Clock,
        shared: Option<SharedState>,
        deployment: &Deployment,
        lease: Duration,
    ) -> Result<Claim, StoreError> {
        let Deployment { plan, state, .. } = deployment;
        let of = (&plan.target, &*plan.id, state.kind());
        let mut claim = Claim::new(store, clock, shared, of, lease)?;
        let shared = claim.shared.take();
        claim.shared = shared.map(|(state, own)| (state, own.beyond(deployment.fence)));
        Ok(claim)
    }

    /// The claim of whoever removes what a deployment has left.
    ///
    /// # Errors
    /// [`StoreError`] where the journal does not read.
    pub fn to_clean_up(
        store: &Store,
        clock: &Clock,
        shared: Option<SharedState>,
        (target, id): (&Target, &str),
        lease: Duration,
    ) -> Result<Claim, StoreError> {
        Claim::new(store, clock, shared, (target, id, Kind::Discarding), lease)
    }

    fn new(
        store: &Store,
        clock: &Clock,
        shared: Option<SharedState>,
        (target, id, doing): (&Target, &str, Kind),
        lease: Duration,
    ) -> Result<Claim, StoreError> {
        let me = Holder::this_process(Some(&store.identity()?));
        let shared = shared.map(|state| {
            let (target, id) = (target.clone(), id.to_owned());
            let contender = Contender::new(state.clone(), *clock, target, id, me.clone(), lease);
            (state, contender)
        });
        Ok(Claim {
            target: target.clone(),
            id: id.to_owned(),
            doing,
            begins: false,
            me,
            shared,
            heard: None,
            place: None,
            poll: Duration::ZERO,
            lease,
        })
    }

    /// The claim of a process that waits: from the next poll on it has a place in the queue.
    #[must_use]
    pub fn waiting(mut self) -> Claim {
        self.place = Some(Place {
            number: 0,
            joined: false,
            versions: Vec::new(),
            deployment: None,
            settled: false,
        });
        self
    }

    /// Refuses where something is in the way of a release: the target has a deployment that is
    /// not finished, or somebody waits who came before. A process that waits is heard of.
    ///
    /// # Errors
    /// [`ClaimError::Obstructed`], and others where the journal or the bucket does not read.
    pub async fn unobstructed(
        &mut self,
        store: &mut Store,
        clock: &Clock,
        blue: &Environment,
    ) -> Result<(), ClaimError> {
        let (ahead, kept) = self.queue(store, clock).await?;
        let lease = match &self.shared {
            Some((state, _)) => state.lease(&self.target).await?.map(|lease| lease.value),
            None => None,
        };
        let other = self.unfinished(store, lease.as_ref()).await?;
        let holds = lease.as_ref().filter(|lease| lease.holder.is_some());
        let has = other.as_ref().map(|other| &other.plan.id);
        self.note(kept, blue, has.or(holds.map(|lease| &lease.deployment)));
        if let Some(other) = other {
            let lease = lease.filter(|lease| lease.deployment == other.plan.id);
            return Err(self.behind(store, clock, other, lease).into());
        }
        match ahead.is_empty() {
            true => Ok(()),
            false => Err(Obstacle::Ahead(ahead).into()),
        }
    }

    /// Keeps or takes the place in the queue. Returns who goes before, and whether the place was
    /// held since the last poll, so that nobody who came later could begin.
    async fn queue(
        &mut self,
        store: &mut Store,
        clock: &Clock,
    ) -> Result<(Vec<Ticket>, bool), JournalError> {
        let now = clock.now();
        let is_gone = self.is_gone(store);
        let mine = self.place.as_ref().map(|place| Ticket {
            number: place.number,
            deployment: self.id.clone(),
            holder: self.me.clone(),
            joined_at: now,
            renewed_at: now,
            length_seconds: self
                .lease
                .saturating_add(self.poll.saturating_mul(2))
                .as_secs(),
        });
        let change = |queue: &mut Queue| {
            let kept = queue.holds_a_place(&self.id, now);
            let number = mine.as_ref().map(|mine| queue.wait(mine, &is_gone));
            (number, queue.ahead_of(number, now, &is_gone), kept)
        };
        let (number, ahead, kept) = self.change(store, change).await?;
        if let (Some(place), Some(number)) = (&mut self.place, number) {
            place.number = number;
        }
        Ok((ahead, kept))
    }

    /// Recognises a process that waited with this journal on this machine, and does so no more.
    fn is_gone(&self, store: &Store) -> impl Fn(&Ticket) -> bool + use<> {
        let me = self.me.clone();
        let is_driven = store.driven_probe();
        move |ticket| ticket.holder.shares_journal_with(&me) && !is_driven(&ticket.deployment)
    }

    async fn change<T>(
        &self,
        store: &mut Store,
        change: impl Fn(&mut Queue) -> T,
    ) -> Result<T, JournalError> {
        Ok(match &self.shared {
            Some((state, _)) => state.change_queue(&self.target, change).await?,
            None => change_locally(store, &self.target, change)?,
        })
    }

    /// Notes what there is as older than this release, until blue has come to rest once, or the
    /// place was not `kept`: what blue runs after that may be newer.
    fn note(&mut self, kept: bool, blue: &Environment, deployment: Option<&String>) {
        let Some(place) = self.place.as_mut() else {
            return;
        };
        if !place.joined {
            place.joined = true;
            place.deployment = deployment.cloned();
        } else if !kept {
            place.settled = true;
        }
        if !place.settled {
            place.versions.extend(blue.version_label.clone());
            place.settled = blue.status == "Ready";
        }
    }

    /// The deployment that the target has, where it is not finished. Reads only, but for an
    /// end that the journal here did not know yet.
    async fn unfinished(
        &self,
        store: &mut Store,
        lease: Option<&LeaseRecord>,
    ) -> Result<Option<Deployment>, JournalError> {
        if let Some(other) = store.unfinished_of(&self.target)? {
            let known_there = match &self.shared {
                Some((state, _)) if other.plan.shared_state => {
                    state.deployment(&other.plan.id).await?
                }
                _ => None,
            };
            match known_there {
                Some(record) if record.value.deployment.age() > other.age() => {
                    let record = record.value;
                    if !record.deployment.state.is_end() {
                        return Ok(Some(record.deployment));
                    }
                    store.adopt(&record.deployment, &record.transitions, &record.events)?;
                }
                _ => return Ok(Some(other)),
            }
        }
        let (Some((state, _)), Some(lease)) = (&self.shared, lease) else {
            return Ok(None);
        };
        let record = state.unfinished_of(lease).await?;
        Ok(record.map(|record| record.deployment))
    }

    /// Whether a process may be running a deployment: one here, or the holder of its lock, unless
    /// that process is known to be dead or was not heard of for the lock's whole length.
    fn is_driven(
        &mut self,
        store: &Store,
        clock: &Clock,
        deployment: &Deployment,
        lease: Option<&LeaseRecord>,
    ) -> bool {
        if store.is_driven(&deployment.plan.id) {
            return true;
        }
        match lease {
            Some(lease) => {
                let is_silent = self.is_silent(lease, clock);
                lease.holder.is_some() && !is_silent && !self.holder_is_dead(store, lease)
            }
            // Without a lease the lock of the journal here tells, where it has no other.
            None => deployment.plan.shared_state,
        }
    }

    /// Whether the holder of a lock is a process of this journal that has ended.
    fn holder_is_dead(&self, store: &Store, lease: &LeaseRecord) -> bool {
        lease.is_of_a_dead_process(store, &self.me)
    }

    fn shares_journal_with_holder(&self, lease: &LeaseRecord) -> bool {
        lease.is_of_this_journal(&self.me)
    }

    fn behind(
        &mut self,
        store: &Store,
        clock: &Clock,
        deployment: Deployment,
        lease: Option<LeaseRecord>,
    ) -> Obstacle {
        let is_driven = self.is_driven(store, clock, &deployment, lease.as_ref());
        Obstacle::Unfinished {
            deployment: Box::new(deployment),
            lease,
            is_driven,
        }
    }

    fn is_silent(&mut self, lease: &LeaseRecord, clock: &Clock) -> bool {
        let renewal = (lease.fence, lease.renewals);
        let heard = match self.heard.take() {
            Some(heard) if heard.renewal == renewal => heard,
            _ => Heard {
                renewal,
                since: Stopwatch::start(clock),
            },
        };
        let is_silent = heard.since.elapsed_at_least() >= lease.length();
        self.heard = Some(heard);
        is_silent
    }

    /// Refuses where something newer than this release came to production while it waited:
    /// blue's version is neither one that it ran when the place was taken, nor what a
    /// deployment has put there that came before.
    ///
    /// # Errors
    /// [`ClaimError::Overtaken`], and others where the journal or the bucket does not read.
    pub async fn not_overtaken(
        &self,
        store: &mut Store,
        blue: &Environment,
        wanted: Option<&str>,
    ) -> Result<(), ClaimError> {
        let Some(place) = &self.place else {
            return Ok(());
        };
        let Some(runs) = blue
            .version_label
            .as_ref()
            .filter(|v| !place.versions.contains(v))
        else {
            return Ok(());
        };
        let begun = self.change(store, |queue| queue.begun.clone()).await?;
        let (older, newer): (Vec<_>, Vec<_>) =
            begun.iter().partition(|begun| begun.number < place.number);
        let older = older.into_iter().map(|begun| &begun.deployment);
        for id in older.chain(&place.deployment) {
            let found = self.deployment(store, id).await?;
            // A rehearsal puts nothing on blue.
            let has = |d: Deployment| {
                let has_put = d.plan.version == *runs && !d.plan.rehearses();
                has_put || d.plan.previous_version == *runs
            };
            if found.is_some_and(has) {
                return Ok(());
            }
        }
        let mut by = "no release that came before it has put that there".to_owned();
        for begun in newer.into_iter().rev() {
            let id = &begun.deployment;
            let found = self.deployment(store, id).await?;
            if found.is_some_and(|deployment| deployment.plan.version == *runs) {
                by = format!("deployment {id}, which came later, has released that");
                break;
            }
        }
        let ran = place.versions.first();
        Err(ClaimError::Overtaken(Overtaken {
            blue: blue.name.clone(),
            runs: runs.clone(),
            ran: ran.map_or_else(|| "nothing".to_owned(), Clone::clone),
            wanted: wanted
                .map(|wanted| format!(" of {wanted}"))
                .unwrap_or_default(),
            by,
        }))
    }

    async fn deployment(
        &self,
        store: &Store,
        id: &str,
    ) -> Result<Option<Deployment>, JournalError> {
        if let Some((state, _)) = &self.shared {
            let found = state.deployment(id).await?;
            return Ok(found.map(|found| found.value.deployment));
        }
        Ok(store.find(id)?)
    }

    /// Takes the target's lock. None where locks are not kept in the bucket. Whoever holds this
    /// machine's file lock of the deployment, `lock`, knows that no other process of this journal
    /// runs it. The first time that a deployment's lock is taken, this proves that the bucket keeps
    /// it.
    ///
    /// # Errors
    /// [`ClaimError::Obstructed`], and others where the bucket does not read or does not keep it.
    pub async fn take(
        &mut self,
        store: &Store,
        clock: &Clock,
        lock: Option<&DriveLock>,
    ) -> Result<Option<Lease>, ClaimError> {
        let Some((state, mut contender)) = self.shared.take() else {
            return Ok(None);
        };
        let is_dead = |lease: &LeaseRecord| match lock {
            Some(_) if lease.deployment == self.id => self.shares_journal_with_holder(lease),
            _ => self.holder_is_dead(store, lease),
        };
        let attempt = contender.attempt(&self.doing.to_string(), is_dead).await;
        self.shared = Some((state, contender));
        match attempt? {
            LeaseAttempt::Taken(lease) if self.begins => Ok(Some(lease.prove().await?)),
            LeaseAttempt::Taken(lease) => Ok(Some(lease)),
            LeaseAttempt::Held(held) => Err(Obstacle::Held(held).into()),
            LeaseAttempt::Unfinished(lease, record) if self.begins => Err(self
                .behind(store, clock, record.deployment, Some(lease))
                .into()),
            LeaseAttempt::Unfinished(_, record) => {
                Err(StoreError::in_flight(&record.deployment).into())
            }
        }
    }

    /// Leaves the holder of the lock an order to roll back.
    ///
    /// # Errors
    /// [`ClaimError`] where the bucket does not take it.
    pub async fn ask_to_roll_back(&self) -> Result<(), ClaimError> {
        match &self.shared {
            Some((_, contender)) => Ok(contender.request_retreat().await.map(drop)?),
            None => Ok(()),
        }
    }

    /// The deployment begins: its process waits no more, and whoever waits still sees that it came
    /// before, or, where it did not wait, after them. Where that cannot be written down those exit
    /// with 3 sooner than they must.
    pub async fn begins(&mut self, store: &mut Store, clock: &Clock) {
        let now = clock.now();
        let number = self.place.as_ref().map(|place| place.number);
        let id = self.id.clone();
        let begun = self
            .change(store, |queue| queue.begin(&id, number, now))
            .await;
        if let Err(error) = begun {
            warn!("its place in the queue is not written down: {error}");
        }
    }

    /// Waits no more, although its deployment has not begun.
    pub async fn leave(&self, store: &mut Store) {
        if self.place.is_none() {
            return;
        }
        let left = self.change(store, |queue| queue.leave(&self.id));
        match tokio::time::timeout(LEAVING, left).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => debug!("still in the queue: {error}"),
            Err(_) => debug!("still in the queue: no answer"),
        }
    }
}

fn change_locally<T>(
    store: &mut Store,
    target: &Target,
    change: impl Fn(&mut Queue) -> T,
) -> Result<T, StoreError> {
    let path = store.path().to_owned();
    store.change_queue(target, |text| {
        let before = match text.map(serde_json::from_str::<Queue>).transpose() {
            Ok(found) => found.unwrap_or_default(),
            Err(error) => {
                let message = format!("its queue cannot be read: {error}");
                return (None, Err(StoreError::Damaged { path, message }));
            }
        };
        let mut queue = before.clone();
        let told = change(&mut queue);
        if queue == before {
            return (None, Ok(told));
        }
        queue.revision = queue.revision.saturating_add(1);
        let text = serde_json::to_string(&queue).expect("plain data is always JSON");
        (Some(text), Ok(told))
    })?
}
