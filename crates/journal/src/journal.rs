//! Where checkpoints go: into SQLite, and from there into the bucket.
//!
//! SQLite comes first. What is in the bucket was in SQLite before it, and bluegreen requests no
//! effect until both hold it; where they differ, the later one is right ([`Deployment::age`]),
//! because nothing was done after the earlier.

// Numbers here are read from others.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tracing::{info, warn};

use crate::shared::{DeploymentRecord, Lease, SharedError, Written};
use crate::store::{Outbox, Output, Store, StoreError, Transition};
use bluegreen_clock::{Deadline, Moment, Stopwatch};
use bluegreen_core::deployment::Deployment;
use bluegreen_core::events::EventRecord;
use bluegreen_core::facts::Wait;
use bluegreen_core::machine::Seen;
use bluegreen_core::plan::SEND_WITHIN;

/// A checkpoint that failed.
#[derive(Clone, Debug, Error)]
pub enum JournalError {
    /// In SQLite.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// In the bucket.
    #[error(transparent)]
    Shared(#[from] SharedError),
}

/// The journal of one deployment, for its runner.
pub struct Journal<'a> {
    store: &'a mut Store,
    copy: Option<Copy>,
}

/// The copy in the bucket, and the lock that allows to write it.
struct Copy {
    lease: Arc<Lease>,
    /// The tag of the object; none where there is none yet.
    etag: Option<String>,
    transitions: Vec<Transition>,
    outputs: Vec<Output>,
    events: Vec<EventRecord>,
    /// Whether SQLite holds a checkpoint that the object does not.
    is_behind: bool,
}

impl<'a> Journal<'a> {
    /// SQLite alone.
    #[must_use]
    pub fn local(store: &'a mut Store) -> Journal<'a> {
        Journal { store, copy: None }
    }

    /// SQLite and the bucket, for a deployment that was just created in SQLite under this lock.
    #[must_use]
    pub fn beginning(store: &'a mut Store, lease: Lease) -> Journal<'a> {
        let copy = Copy {
            lease: Arc::new(lease),
            etag: None,
            transitions: Vec::new(),
            outputs: Vec::new(),
            events: Vec::new(),
            is_behind: true,
        };
        Journal {
            store,
            copy: Some(copy),
        }
    }

    /// Takes a deployment up under a lock that was just taken: whichever of the two copies is
    /// later, written into both with the lock's fencing number. From then on no checkpoint of an
    /// earlier holder can succeed. None where neither copy exists. Where the bucket is away, this
    /// waits for it as long as the lock lasts. `vouch` judges the copy that is taken, beside what
    /// the journal here has of the deployment, before anything is written.
    ///
    /// # Errors
    /// [`JournalError`], and what `vouch` refuses; the lock is given back then.
    pub async fn take_up<E: From<JournalError>>(
        store: &'a mut Store,
        lease: impl Into<Arc<Lease>>,
        id: &str,
        vouch: impl AsyncFn(&DeploymentRecord, Option<&Deployment>) -> Result<(), E>,
    ) -> Result<Option<(Journal<'a>, Deployment)>, E> {
        let lease = lease.into();
        loop {
            let ours = store.find(id).map_err(JournalError::from)?;
            // No lease was taken since what the journal here has: nobody can have written later.
            let is_latest = match &ours {
                Some(ours) => lease.fence().await == ours.fence.saturating_add(1),
                None => false,
            };
            let (theirs, etag) = match lease.state().deployment(id).await {
                Err(SharedError::Away { message, .. }) if lease.outlives_request().await => {
                    warn!("cannot take it up for now: {message}");
                    lease.rest().await;
                    continue;
                }
                Err(error) if error.is_of_content() && is_latest => {
                    warn!("{error}; the journal here is whole, and writes it anew");
                    let tag = lease.state().tag(id).await;
                    (None, tag.map_err(JournalError::from)?)
                }
                Err(error) => {
                    lease.release().await;
                    return Err(JournalError::from(error).into());
                }
                Ok(Some(tagged)) => (Some(tagged.value), Some(tagged.etag)),
                Ok(None) => (None, None),
            };
            let theirs_outbox = theirs.as_ref().map(|theirs| theirs.outbox.clone());
            let latest = latest(store, id, ours.clone(), theirs).map_err(JournalError::from)?;
            let Some(mut record) = latest else {
                lease.release().await;
                return Ok(None);
            };
            if let Err(refused) = vouch(&record, ours.as_ref()).await {
                lease.release().await;
                return Err(refused);
            }
            let etag = if record.deployment.state.is_end() {
                etag
            } else {
                record.deployment.fence = lease.fence().await;
                record.deployment.revision = record.deployment.revision.saturating_add(1);
                let bounded = record.clone().bounded();
                let written = lease.state().write_deployment(&bounded, etag.as_deref());
                match written.await {
                    Ok(Written::Done(etag)) => Some(etag),
                    // A last checkpoint of the holder before arrived late.
                    Ok(Written::Overtaken) => continue,
                    Err(SharedError::Away { message, .. }) if lease.outlives_request().await => {
                        warn!("cannot take it up for now: {message}");
                        lease.rest().await;
                        continue;
                    }
                    Err(error) => return Err(JournalError::from(error).into()),
                }
            };
            let adopted = store.adopt(&record.deployment, &record.transitions, &record.events);
            adopted.map_err(JournalError::from)?;
            if let Some(outbox) = &theirs_outbox {
                let adopted = store.adopt_outbox(&record.deployment, outbox);
                adopted.map_err(JournalError::from)?;
            }
            for output in &record.outputs {
                store.keep_output(id, output).map_err(JournalError::from)?;
            }
            let copy = Copy {
                lease,
                etag,
                transitions: record.transitions,
                outputs: record.outputs,
                events: record.events,
                is_behind: false,
            };
            let journal = Journal {
                store,
                copy: Some(copy),
            };
            return Ok(Some((journal, record.deployment)));
        }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        self.store
    }

    /// The lock under which it is written; none for SQLite alone.
    #[must_use]
    pub fn lease(&self) -> Option<Arc<Lease>> {
        self.copy.as_ref().map(|copy| Arc::clone(&copy.lease))
    }

    /// Checkpoints `next` in place of `deployment`, as
    /// [`Store::checkpoint`] does, and in the bucket.
    ///
    /// # Errors
    /// [`JournalError`]. After [`SharedError::Away`] SQLite holds it and the bucket
    /// does not: [`Journal::catch_up`] tries again.
    pub async fn checkpoint(
        &mut self,
        deployment: &mut Deployment,
        next: Deployment,
        now: Moment,
        why: &str,
        seen: Option<&Seen>,
        events: &[EventRecord],
    ) -> Result<(), JournalError> {
        if let Some(copy) = &self.copy
            && next.state.is_end()
            && copy.lease.retreat_requested().await
        {
            return Err(StoreError::OrderedBack { id: next.plan.id }.into());
        }
        let from = deployment.state.clone();
        self.store
            .checkpoint(deployment, next, now, why, seen, events)?;
        let Some(copy) = &mut self.copy else {
            return Ok(());
        };
        copy.is_behind = true;
        copy.events.extend_from_slice(events);
        if deployment.state != from {
            copy.transitions.push(Transition {
                revision: deployment.revision,
                from: from.kind().to_string(),
                to: deployment.state.kind().to_string(),
                at: now,
                why: why.to_owned(),
            });
            copy.lease.tell(deployment.state.kind().to_string()).await;
        }
        self.catch_up(deployment).await
    }

    /// Notes what the deployment waits for, in its lock, for whoever watches from elsewhere.
    pub fn note_waits(&self, waits: &[Wait]) {
        if let Some(copy) = &self.copy {
            copy.lease.note_waits(waits);
        }
    }

    /// Keeps what a command of the deployment's said. The bucket gets it with the next
    /// checkpoint.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn keep_output(&mut self, id: &str, output: Output) -> Result<(), StoreError> {
        self.store.keep_output(id, &output)?;
        if let Some(copy) = &mut self.copy {
            copy.outputs.push(output);
        }
        Ok(())
    }

    /// Keeps events that came after the last checkpoint. The bucket does not get them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn keep_events(&mut self, id: &str, events: &[EventRecord]) -> Result<(), StoreError> {
        self.store.keep_events(id, events)
    }

    /// Notes the messages of an interruption that has ended by this process's taking over: no
    /// process had carried the deployment on since then.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn notify_of_interruption(
        &mut self,
        deployment: &Deployment,
        since: Moment,
        now: Moment,
    ) -> Result<(), StoreError> {
        self.store.notify_of_interruption(deployment, since, now)
    }

    /// Writes the last checkpoint into the bucket where it is not there yet.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn catch_up(&mut self, deployment: &Deployment) -> Result<(), JournalError> {
        let Some(copy) = self.copy.as_mut().filter(|copy| copy.is_behind) else {
            return Ok(());
        };
        let outbox = match deployment.plan.wishes.notify.is_empty() {
            true => Outbox::default(),
            false => self.store.outbox(&deployment.plan.id)?,
        };
        let state = copy.lease.state();
        let record = DeploymentRecord::new(deployment.clone(), copy.transitions.clone())
            .with_outputs(copy.outputs.clone())
            .with_events(copy.events.clone())
            .with_outbox(outbox)
            .bounded();
        match state
            .write_deployment(&record, copy.etag.as_deref())
            .await?
        {
            Written::Done(etag) => {
                copy.etag = Some(etag);
                copy.is_behind = false;
                Ok(())
            }
            Written::Overtaken => Err(state.overtaken(deployment, &copy.lease).await.into()),
        }
    }

    /// Makes sure that an effect may be sent: this journal is still the one on disk, and the lock
    /// outlives a request that is sent now.
    ///
    /// # Errors
    /// [`JournalError`]; nothing may be sent then.
    pub async fn secure(&self) -> Result<(), JournalError> {
        self.store.check_in_place()?;
        match &self.copy {
            Some(copy) => Ok(copy.lease.outlive_request().await?),
            None => Ok(()),
        }
    }

    /// Until when an effect may be sent whose intent is as old as `written`, and that
    /// has this deadline anyway.
    pub async fn send_by(&self, written: Stopwatch, deadline: Deadline) -> Deadline {
        let deadline = deadline.and(written, SEND_WITHIN);
        match &self.copy {
            Some(copy) => {
                let (renewed, limit) = copy.lease.send_by().await;
                deadline.and(renewed, limit)
            }
            None => deadline,
        }
    }

    /// Whether an operator has ordered a rollback, here or in the bucket.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn retreat_requested(&self, id: &str) -> Result<bool, StoreError> {
        let in_lease = match &self.copy {
            Some(copy) => copy.lease.retreat_requested().await,
            None => false,
        };
        Ok(in_lease || self.store.retreat_requested(id)?)
    }

    /// Removes that order once the runner has obeyed it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn withdraw_retreat(&self, id: &str) -> Result<(), StoreError> {
        self.store.withdraw_retreat(id)?;
        if let Some(copy) = &self.copy
            && copy.lease.retreat_requested().await
        {
            copy.lease.withdraw_retreat().await;
        }
        Ok(())
    }

    /// Gives the lock back. Where the bucket does not answer, the lock runs out by itself.
    pub async fn close(self) {
        self.close_before(std::future::pending()).await;
    }

    /// Gives the lock back, no later than `end` comes.
    pub async fn close_before(self, end: impl Future<Output = ()>) {
        let Some(copy) = self.copy else {
            return;
        };
        tokio::select! {
            biased;
            () = copy.lease.release() => return,
            () = tokio::time::sleep(GIVING_BACK) => {}
            () = end => {}
        }
        warn!("the lock could not be released in time, and expires by itself");
    }
}

/// How long giving the lock back waits for the bucket.
const GIVING_BACK: Duration = Duration::from_secs(5);

/// The later of the two copies of a deployment.
fn latest(
    store: &Store,
    id: &str,
    ours: Option<Deployment>,
    theirs: Option<DeploymentRecord>,
) -> Result<Option<DeploymentRecord>, StoreError> {
    let whole = |ours| {
        let record = DeploymentRecord::here(store, ours)?;
        Ok::<_, StoreError>(record.with_events(store.events(id)?))
    };
    let ours = ours.map(whole).transpose()?;
    let path = store.path().display();
    Ok(match (ours, theirs) {
        (Some(ours), Some(theirs)) if ours.deployment.age() >= theirs.deployment.age() => {
            Some(ours)
        }
        (Some(_), Some(theirs)) => {
            warn!(
                id,
                "the journal {path} is older than its copy in the bucket, which is taken"
            );
            Some(theirs)
        }
        (None, Some(theirs)) => {
            info!(
                id,
                "not in the journal {path}: recovered from its copy in the bucket"
            );
            Some(theirs)
        }
        (ours, None) => ours,
    })
}
