//! Whose turn it is at a target: what it has, who waits and came first, and whether a release
//! was overtaken while it waited.

use std::time::Duration;

use tracing::{debug, warn};

use super::context::Context;
use super::take::{in_flight, whole_seconds};
use super::{Exit, Failed};
use crate::clock::{Clock, Stopwatch};
use crate::cloud::aws::AwsCloud;
use crate::cloud::{Environment, HttpProber};
use crate::config::Config;
use crate::deployment::Deployment;
use crate::machine::Kind;
use crate::plan::Target;
use crate::shared::{Claim, Contender, Holder, Lease, LeaseRecord, Queue, SharedState, Ticket};
use crate::store::{Store, StoreError};

/// How long the queue is waited for where a process leaves it.
const LEAVING: Duration = Duration::from_secs(5);

/// A process that wants to release at a target.
pub(super) struct Turn {
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

impl Turn {
    /// Nothing is begun and nobody waits by it yet.
    pub fn of(
        context: &Context,
        cloud: &AwsCloud<HttpProber>,
        config: &Config,
        target: &Target,
        id: &str,
    ) -> Result<Turn, Failed> {
        let shared = if config.shared_state {
            let state = SharedState::new(cloud.bucket(&config.bucket));
            Some((state.clone(), context.contender(state, target, id)?))
        } else {
            None
        };
        Ok(Turn {
            target: target.clone(),
            id: id.to_owned(),
            me: Holder::this_process(Some(&context.store.identity()?)),
            shared,
            heard: None,
            place: None,
            poll: config.limits.poll,
            lease: context.options.lease,
            waits_for_blue: false,
        })
    }

    /// The same for a process that waits: from the next look on it has a place in the queue.
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
    pub async fn hindrance(
        &mut self,
        context: &mut Context,
        blue: &Environment,
    ) -> Result<Option<Failed>, Failed> {
        let ahead = self.queue(context).await?;
        let lease = match &self.shared {
            Some((state, _)) => state.lease(&self.target).await?.map(|lease| lease.value),
            None => None,
        };
        let other = self.unfinished(context, lease.as_ref()).await?;
        let holds = lease.as_ref().filter(|lease| lease.holder.is_some());
        let has = other.as_ref().map(|other| &other.plan.id);
        self.note(blue, has.or(holds.map(|lease| &lease.deployment)));
        if let Some(other) = other {
            let lease = lease.filter(|lease| lease.deployment == other.plan.id);
            let is_driven = self.is_driven(context, &other, lease.as_ref());
            return Ok(Some(busy_with(&other, lease.as_ref(), is_driven)));
        }
        Ok(goes_first(&ahead))
    }

    /// Keeps or takes the place in the queue, and tells who goes before.
    async fn queue(&mut self, context: &mut Context) -> Result<Vec<Ticket>, Failed> {
        let now = context.clock.now();
        let is_gone = self.is_gone(context);
        let mine = self.place.as_ref().map(|place| Ticket {
            number: place.number,
            deployment: self.id.clone(),
            holder: self.me.clone(),
            joined_at: now,
            renewed_at: now,
            length_seconds: (self.lease + 2 * self.poll).as_secs(),
        });
        let change = |queue: &mut Queue| {
            let number = mine.as_ref().map(|mine| queue.wait(mine, &is_gone));
            (number, queue.ahead_of(number, now, &is_gone))
        };
        let (number, ahead) = self.change(context, change).await?;
        if let (Some(place), Some(number)) = (&mut self.place, number) {
            place.number = number;
        }
        Ok(ahead)
    }

    /// Tells of a process that waited with this journal on this machine, and does so no more.
    fn is_gone(&self, context: &Context) -> impl Fn(&Ticket) -> bool + use<> {
        let me = self.me.clone();
        let is_driven = context.store.driven_probe();
        move |ticket| ticket.holder.shares_journal_with(&me) && !is_driven(&ticket.deployment)
    }

    async fn change<T>(
        &self,
        context: &mut Context,
        change: impl Fn(&mut Queue) -> T,
    ) -> Result<T, Failed> {
        Ok(match &self.shared {
            Some((state, _)) => state.change_queue(&self.target, change).await?,
            None => change_locally(&mut context.store, &self.target, change)?,
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
        context: &mut Context,
        lease: Option<&LeaseRecord>,
    ) -> Result<Option<Deployment>, Failed> {
        if let Some(other) = context.store.unfinished_of(&self.target)? {
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
                    context
                        .store
                        .adopt(&record.deployment, &record.transitions)?;
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
        context: &Context,
        deployment: &Deployment,
        lease: Option<&LeaseRecord>,
    ) -> bool {
        if context.store.is_driven(&deployment.plan.id) {
            return true;
        }
        match lease {
            Some(lease) => {
                let is_silent = self.is_silent(lease, &context.clock);
                lease.holder.is_some() && !is_silent && !context.holder_is_dead(lease, "")
            }
            // Without a lease the lock of the journal here tells, where it has no other.
            None => deployment.plan.shared_state,
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
    pub async fn not_overtaken(
        &self,
        context: &mut Context,
        blue: &Environment,
        wanted: Option<&str>,
    ) -> Result<(), Failed> {
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
        let begun = self.change(context, |queue| queue.begun.clone()).await?;
        let (older, newer): (Vec<_>, Vec<_>) =
            begun.iter().partition(|begun| begun.number < place.number);
        let older = older.into_iter().map(|begun| &begun.deployment);
        for id in older.chain(&place.deployment) {
            let found = self.deployment(context, id).await?;
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
            let found = self.deployment(context, id).await?;
            if found.is_some_and(|deployment| deployment.plan.version == *runs) {
                by = format!("deployment {id}, which came later, has released that");
                break;
            }
        }
        let message = format!(
            "overtaken while it waited: {} runs {runs} now, and ran {} when this release{} began to \
             wait; {by}",
            blue.name,
            place.versions.first().map_or("nothing", |version| version),
            wanted
                .map(|wanted| format!(" of {wanted}"))
                .unwrap_or_default(),
        );
        Err(Failed::new(Exit::Refused, message)
            .hint("nothing was changed; run it again to release it all the same"))
    }

    async fn deployment(&self, context: &Context, id: &str) -> Result<Option<Deployment>, Failed> {
        if let Some((state, _)) = &self.shared {
            let found = state.deployment(id).await?;
            return Ok(found.map(|found| found.value.deployment));
        }
        Ok(context.store.find(id)?)
    }

    /// Takes the target's lease, once it is proven that the bucket keeps it for one, or tells
    /// who has it.
    pub async fn take(
        &mut self,
        context: &Context,
    ) -> Result<Result<Option<Lease>, Failed>, Failed> {
        let Some((_, contender)) = &mut self.shared else {
            return Ok(Ok(None));
        };
        let doing = Kind::Preparing.to_string();
        let is_dead = |lease: &LeaseRecord| context.holder_is_dead(lease, "");
        Ok(match contender.attempt(&doing, is_dead).await? {
            Claim::Taken(lease) => Ok(Some(lease.prove().await?)),
            Claim::Held(held) => Err(held.into()),
            Claim::Unfinished(lease, record) => {
                let is_driven = self.is_driven(context, &record.deployment, Some(&lease));
                Err(busy_with(&record.deployment, Some(&lease), is_driven))
            }
        })
    }

    /// Its turn has come: it waits no more, and whoever waits still sees that it came before,
    /// or, where it did not wait, after them. Where that cannot be written down those end with
    /// 3 sooner than they must.
    pub async fn begins(&mut self, context: &mut Context) {
        let now = context.clock.now();
        let number = self.place.as_ref().map(|place| place.number);
        let id = self.id.clone();
        let begun = self
            .change(context, |queue| queue.begin(&id, number, now))
            .await;
        if let Err(failed) = begun {
            warn!(
                "its place in the queue is not written down: {}",
                failed.message()
            );
        }
    }

    /// Waits no more, without its turn having come.
    pub async fn leave(&self, context: &mut Context) {
        if self.place.is_none() {
            return;
        }
        let left = self.change(context, |queue| queue.leave(&self.id));
        match tokio::time::timeout(LEAVING, left).await {
            Ok(Ok(())) => {}
            Ok(Err(failed)) => debug!("still in the queue: {}", failed.message()),
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
        queue.revision += 1;
        let text = serde_json::to_string(&queue).expect("plain data is always JSON");
        (Some(text), Ok(told))
    })?
}

/// Who waits and goes first, where anybody does.
fn goes_first(ahead: &[Ticket]) -> Option<Failed> {
    let (first, more) = ahead.split_first()?;
    let more = match more.len() {
        0 => String::new(),
        count => format!(", and {count} more go before this one"),
    };
    let message = format!(
        "{} has waited since {} to release, and goes first{more}",
        first.holder, first.joined_at
    );
    Some(Failed::new(Exit::Busy, message).hint(format!(
        "nothing was changed; --wait 1h waits behind it; a process that is not heard of for {} loses \
         its place",
        whole_seconds(first.length())
    )))
}

/// The target has this deployment, which is not finished. Where no process drives it the text
/// names the commands that lead on: nothing does so by itself.
fn busy_with(deployment: &Deployment, lease: Option<&LeaseRecord>, is_driven: bool) -> Failed {
    let in_flight = in_flight(deployment);
    let id = &deployment.plan.id;
    if !is_driven {
        let why = match deployment.state.rests() {
            true => "it waits for an operator",
            false => "no process runs it",
        };
        let message = format!(
            "{in_flight}, and {why}: `bluegreen resume {id}` goes on with it, `bluegreen rollback {id}` \
             goes back"
        );
        return Failed::new(Exit::Busy, message);
    }
    let failed = Failed::from(in_flight);
    match lease.filter(|lease| lease.holder.is_some()) {
        Some(lease) => failed.hint(format!(
            "{}; `bluegreen wait {id}` waits for it, `bluegreen abort {id}` asks it to go back, \
             `bluegreen resume {id}` takes over once it is silent for {}",
            lease.in_words(),
            whole_seconds(lease.length())
        )),
        None => failed,
    }
}
