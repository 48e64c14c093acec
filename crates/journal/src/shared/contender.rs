//! Taking a lock: when it is free, or has run out by the contender's own clock.

use std::time::Duration;

use super::error::SharedError;
use super::holder::Holder;
use super::lease::Lease;
use super::lease_record::LeaseRecord;
use super::object::{FORMAT, Written};
use super::record::DeploymentRecord;
use super::state::SharedState;
use bluegreen_clock::{Clock, Stopwatch, part};
use bluegreen_core::plan::Target;

/// A process that wants the lock of a target, and watches it until it may take it.
pub struct Contender {
    state: SharedState,
    clock: Clock,
    target: Target,
    /// For which deployment.
    deployment: String,
    me: Holder,
    length: Duration,
    /// The fencing number that the deployment carries already.
    fence: u64,
    watched: Option<Watched>,
    /// Whether the holder has renewed it while it was watched.
    renewed: bool,
}

struct Watched {
    /// Its fencing number and how often it had been renewed.
    renewal: (u64, u64),
    since: Stopwatch,
}

/// What came of an attempt.
#[derive(Debug)]
pub enum LeaseAttempt {
    /// It is ours.
    Taken(Lease),
    /// Somebody holds it.
    Held(HeldLease),
    /// The target has another deployment, which is not finished.
    Unfinished(LeaseRecord, Box<DeploymentRecord>),
}

/// A lock that another process holds.
#[derive(Clone, Debug)]
pub struct HeldLease {
    /// The lock.
    pub lease: LeaseRecord,
    /// Whether anything has begun under it: there is a deployment to resume.
    pub has_begun: bool,
    /// Whether the holder has renewed it while it was watched, and so is alive.
    pub renewed: bool,
    /// When it may be taken unless the holder renews it.
    pub runs_out_in: Duration,
}

impl HeldLease {
    /// When to poll it again: often enough to see each renewal.
    pub(crate) fn look_again_in(&self) -> Duration {
        let often = part(self.lease.length(), 20);
        self.runs_out_in.min(often).max(Duration::from_millis(100))
    }
}

impl Contender {
    /// Wants the lock of `target` for `deployment`; it will last for `length` without a renewal.
    #[must_use]
    pub fn new(
        state: SharedState,
        clock: Clock,
        target: Target,
        deployment: String,
        me: Holder,
        length: Duration,
    ) -> Contender {
        Contender {
            state,
            clock,
            target,
            deployment,
            me,
            length,
            fence: 0,
            watched: None,
            renewed: false,
        }
    }

    /// The contender for a deployment that carries this fencing number already: the next one is
    /// higher, also where the lock object was removed.
    #[must_use]
    pub fn beyond(mut self, fence: u64) -> Contender {
        self.fence = fence;
        self
    }

    /// Takes the lock where it may be taken now. `is_dead` says whether the holder of a lock is
    /// known to have ended.
    ///
    /// # Errors
    /// [`SharedError`].
    pub async fn attempt(
        &mut self,
        doing: &str,
        is_dead: impl Fn(&LeaseRecord) -> bool,
    ) -> Result<LeaseAttempt, SharedError> {
        loop {
            let sent = Stopwatch::start(&self.clock);
            let Some(found) = self.state.lease(&self.target).await? else {
                match self
                    .take(None, self.fence.saturating_add(1), false, doing, sent)
                    .await?
                {
                    Some(lease) => return Ok(LeaseAttempt::Taken(lease)),
                    None => continue,
                }
            };
            let lease = found.value;
            let is_ours = lease.deployment == self.deployment;
            let (record, has_begun, has_ended) = match self.state.last_of(&lease).await {
                Ok((record, has_ended)) => {
                    let has_begun = record.is_some() || has_ended;
                    (record, has_begun, has_ended)
                }
                // Nobody has written it since this journal's last checkpoint: what is wrong with
                // it is judged, and mended, by whoever takes the deployment up.
                Err(unreadable)
                    if is_ours && unreadable.is_of_content() && self.fence == lease.fence =>
                {
                    (None, true, false)
                }
                Err(error) => return Err(error),
            };
            if let Some(record) = record.filter(|_| !has_ended && !is_ours) {
                return Ok(LeaseAttempt::Unfinished(lease, Box::new(record)));
            }
            let is_free = lease.holder.is_none() || has_ended || is_dead(&lease);
            let runs_out_in = self.watch(&lease);
            if !is_free && !runs_out_in.is_zero() {
                return Ok(LeaseAttempt::Held(HeldLease {
                    has_begun,
                    renewed: self.renewed,
                    lease,
                    runs_out_in,
                }));
            }
            let fence = lease.fence.max(self.fence).saturating_add(1);
            let retreat = lease.retreat_requested && is_ours;
            let sent = Stopwatch::start(&self.clock);
            if let Some(lease) = self
                .take(Some(&found.etag), fence, retreat, doing, sent)
                .await?
            {
                return Ok(LeaseAttempt::Taken(lease));
            }
        }
    }

    /// How much longer there must be no renewal until it has run out.
    fn watch(&mut self, lease: &LeaseRecord) -> Duration {
        let renewal = (lease.fence, lease.renewals);
        let watched = match self.watched.take() {
            Some(watched) if watched.renewal == renewal => watched,
            before => {
                self.renewed |= before.is_some();
                Watched {
                    renewal,
                    since: Stopwatch::start(&self.clock),
                }
            }
        };
        let left = lease
            .length()
            .saturating_sub(watched.since.elapsed_at_least());
        self.watched = Some(watched);
        left
    }

    async fn take(
        &self,
        etag: Option<&str>,
        fence: u64,
        retreat_requested: bool,
        doing: &str,
        sent: Stopwatch,
    ) -> Result<Option<Lease>, SharedError> {
        let now = self.clock.now();
        let record = LeaseRecord {
            format: FORMAT,
            fence,
            target: self.target.clone(),
            deployment: self.deployment.clone(),
            doing: doing.to_owned(),
            waits: Vec::new(),
            holder: Some(self.me.clone()),
            taken_at: now,
            renewed_at: now,
            renewals: 0,
            length_seconds: self.length.as_secs(),
            retreat_requested,
        };
        Ok(match self.state.write_lease(&record, etag).await? {
            Written::Done(etag) => Some(Lease::new(
                self.state.clone(),
                self.clock,
                record,
                etag,
                sent,
            )),
            Written::Overtaken => None,
        })
    }

    /// Orders the holder of the lock to roll back; false where nobody holds it any more for this
    /// deployment.
    ///
    /// # Errors
    /// [`SharedError`].
    pub async fn request_retreat(&self) -> Result<bool, SharedError> {
        loop {
            let Some(found) = self.state.lease(&self.target).await? else {
                return Ok(false);
            };
            let mut lease = found.value;
            if lease.holder.is_none() || lease.deployment != self.deployment {
                return Ok(false);
            }
            if lease.retreat_requested {
                return Ok(true);
            }
            lease.retreat_requested = true;
            if let Written::Done(_) = self.state.write_lease(&lease, Some(&found.etag)).await? {
                return Ok(true);
            }
        }
    }
}
