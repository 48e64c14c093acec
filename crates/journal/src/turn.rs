//! Whose turn it is at a target: what it has, who waits and came first, and whether a release
//! was overtaken while it waited.

// Numbers here are read from others.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use std::time::Duration;

use thiserror::Error;
use tracing::{debug, warn};

use crate::journal::JournalError;
use crate::shared::{
    Contender, HeldLease, Holder, Lease, LeaseAttempt, LeaseRecord, Queue, SharedState, Ticket,
};
use crate::store::{Store, StoreError};
use bluegreen_aws::Environment;
use bluegreen_clock::{Clock, Stopwatch};
use bluegreen_core::deployment::Deployment;
use bluegreen_core::machine::Kind;
use bluegreen_core::plan::Target;

/// How long the queue is waited for where a process leaves it.
const LEAVING: Duration = Duration::from_secs(5);

/// A process that wants to release at a target.
pub struct Turn {
    target: Target,
    id: String,
    me: Holder,
    shared: Option<(SharedState, Contender)>,
    /// The renewal of the lease that was heard of last.
    heard: Option<Heard>,
    place: Option<Place>,
    /// How often a process that waits looks.
    poll: Duration,
    /// For how long a lease lasts.
    lease: Duration,
    /// Whether nothing but blue's health was in the way when it was last planned.
    pub waits_for_blue: bool,
}

struct Heard {
    /// The lease's fencing number and how often it had been renewed.
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

/// Why it is not a process's turn.
#[derive(Debug)]
pub enum Hindrance {
    /// The target has this deployment, which is not finished.
    Unfinished {
        /// The deployment.
        deployment: Box<Deployment>,
        /// Its lease, where it has one.
        lease: Option<LeaseRecord>,
        /// Whether a process may drive it.
        is_driven: bool,
    },
    /// These wait and came before, the first in line first.
    Ahead(Vec<Ticket>),
    /// Somebody holds the target's lease.
    Held(HeldLease),
}

/// Something newer than a release came to production while that waited.
#[derive(Debug, Error)]
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

impl Turn {
    /// Nothing is begun and nobody waits by it yet. `lease` is how long a lease lasts, and
    /// `poll` how often a process that waits looks.
    ///
    /// # Errors
    /// [`StoreError`] where the journal does not read.
    pub fn of(
        store: &Store,
        clock: &Clock,
        shared: Option<SharedState>,
        (target, id): (&Target, &str),
        (lease, poll): (Duration, Duration),
    ) -> Result<Turn, StoreError> {
        let me = Holder::this_process(Some(&store.identity()?));
        let shared = shared.map(|state| {
            let (target, id) = (target.clone(), id.to_owned());
            let contender = Contender::new(state.clone(), *clock, target, id, me.clone(), lease);
            (state, contender)
        });
        Ok(Turn {
            target: target.clone(),
            id: id.to_owned(),
            me,
            shared,
            heard: None,
            place: None,
            poll,
            lease,
            waits_for_blue: false,
        })
    }

    /// The same for a process that waits: from the next look on it has a place in the queue.
    #[must_use]
    pub fn waiting(mut self) -> Turn {
        self.place = Some(Place {
            number: 0,
            joined: false,
            versions: Vec::new(),
            deployment: None,
            settled: false,
        });
        self
    }

    /// Why it is not this process's turn, where it is not: the target has a deployment that is
    /// not finished, or somebody waits who came before. A process that waits is heard of.
    ///
    /// # Errors
    /// [`JournalError`] where the journal or the bucket does not read.
    pub async fn hindrance(
        &mut self,
        store: &mut Store,
        clock: &Clock,
        blue: &Environment,
    ) -> Result<Option<Hindrance>, JournalError> {
        let ahead = self.queue(store, clock).await?;
        let lease = match &self.shared {
            Some((state, _)) => state.lease(&self.target).await?.map(|lease| lease.value),
            None => None,
        };
        let other = self.unfinished(store, lease.as_ref()).await?;
        let holds = lease.as_ref().filter(|lease| lease.holder.is_some());
        let has = other.as_ref().map(|other| &other.plan.id);
        self.note(blue, has.or(holds.map(|lease| &lease.deployment)));
        if let Some(other) = other {
            let lease = lease.filter(|lease| lease.deployment == other.plan.id);
            return Ok(Some(self.behind(store, clock, other, lease)));
        }
        Ok((!ahead.is_empty()).then_some(Hindrance::Ahead(ahead)))
    }

    /// Keeps or takes the place in the queue, and tells who goes before.
    async fn queue(
        &mut self,
        store: &mut Store,
        clock: &Clock,
    ) -> Result<Vec<Ticket>, JournalError> {
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
            let number = mine.as_ref().map(|mine| queue.wait(mine, &is_gone));
            (number, queue.ahead_of(number, now, &is_gone))
        };
        let (number, ahead) = self.change(store, change).await?;
        if let (Some(place), Some(number)) = (&mut self.place, number) {
            place.number = number;
        }
        Ok(ahead)
    }

    /// Tells of a process that waited with this journal on this machine, and does so no more.
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

    /// Notes what there is as older than this release, until blue has come to rest once.
    fn note(&mut self, blue: &Environment, deployment: Option<&String>) {
        let Some(place) = self.place.as_mut() else {
            return;
        };
        if !place.joined {
            place.joined = true;
            place.deployment = deployment.cloned();
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
                    store.adopt(&record.deployment, &record.transitions)?;
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

    /// Whether a process may drive a deployment: one here, or whoever holds its lease, unless
    /// he is known to be dead or was not heard of for the lease's whole length.
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

    /// Whether the holder of a lease is a process of this journal that has ended.
    fn holder_is_dead(&self, store: &Store, lease: &LeaseRecord) -> bool {
        let shares = |holder: &Holder| holder.shares_journal_with(&self.me);
        lease.holder.as_ref().is_some_and(shares) && !store.is_driven(&lease.deployment)
    }

    fn behind(
        &mut self,
        store: &Store,
        clock: &Clock,
        deployment: Deployment,
        lease: Option<LeaseRecord>,
    ) -> Hindrance {
        let is_driven = self.is_driven(store, clock, &deployment, lease.as_ref());
        Hindrance::Unfinished {
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
    /// [`JournalError`] where the journal or the bucket does not read.
    pub async fn not_overtaken(
        &self,
        store: &mut Store,
        blue: &Environment,
        wanted: Option<&str>,
    ) -> Result<Result<(), Overtaken>, JournalError> {
        let Some(place) = &self.place else {
            return Ok(Ok(()));
        };
        let Some(runs) = blue
            .version_label
            .as_ref()
            .filter(|v| !place.versions.contains(v))
        else {
            return Ok(Ok(()));
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
                return Ok(Ok(()));
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
        Ok(Err(Overtaken {
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

    /// Takes the target's lease, once it is proven that the bucket keeps it for one, or tells
    /// who has it. None where leases are not kept there.
    ///
    /// # Errors
    /// [`JournalError`] where the bucket does not read or does not keep it.
    pub async fn take(
        &mut self,
        store: &Store,
        clock: &Clock,
    ) -> Result<Result<Option<Lease>, Hindrance>, JournalError> {
        let Some((state, mut contender)) = self.shared.take() else {
            return Ok(Ok(None));
        };
        let doing = Kind::Preparing.to_string();
        let is_dead = |lease: &LeaseRecord| self.holder_is_dead(store, lease);
        let claim = contender.attempt(&doing, is_dead).await;
        self.shared = Some((state, contender));
        Ok(match claim? {
            LeaseAttempt::Taken(lease) => Ok(Some(lease.prove().await?)),
            LeaseAttempt::Held(held) => Err(Hindrance::Held(held)),
            LeaseAttempt::Unfinished(lease, record) => {
                Err(self.behind(store, clock, record.deployment, Some(lease)))
            }
        })
    }

    /// Its turn has come: it waits no more, and whoever waits still sees that it came before,
    /// or, where it did not wait, after them. Where that cannot be written down those end with
    /// 3 sooner than they must.
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

    /// Waits no more, without its turn having come.
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
