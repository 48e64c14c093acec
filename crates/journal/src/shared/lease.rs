//! The lock of a target: one process at a time may run its deployment.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tracing::{debug, info, warn};

use super::error::SharedError;
use super::keys::deployment_key;
use super::lease_record::LeaseRecord;
use super::object::Written;
use super::state::SharedState;
use bluegreen_clock::{Clock, Stopwatch, part};
use bluegreen_core::deployment::Deployment;
use bluegreen_core::facts::Wait;
use bluegreen_core::plan::REQUEST_TIMEOUT;

/// How much longer than a request's timeout a lock must last for the request to be sent: for clocks
/// that run at different speeds, and for a process that is stopped between its last check and the
/// sending.
pub const SEND_MARGIN: Duration = Duration::from_secs(15);

/// How much longer a lock must last than a request that is sent under it.
const NEEDED: Duration = REQUEST_TIMEOUT.saturating_add(SEND_MARGIN);

/// A lock that this process holds.
#[derive(Debug)]
pub struct Lease {
    state: Box<SharedState>,
    clock: Clock,
    inner: Mutex<Inner>,
    /// How often this process has renewed it.
    renewals: AtomicU64,
}

#[derive(Debug)]
struct Inner {
    record: LeaseRecord,
    etag: String,
    /// Runs since the last renewal that succeeded was sent.
    renewed: Stopwatch,
    /// Whether the log has the operator's order: `rollback` repeats it until the runner has obeyed.
    has_logged_the_order: bool,
}

impl Lease {
    pub(super) fn new(
        state: SharedState,
        clock: Clock,
        record: LeaseRecord,
        etag: String,
        renewed: Stopwatch,
    ) -> Lease {
        let inner = Mutex::new(Inner {
            record,
            etag,
            renewed,
            has_logged_the_order: false,
        });
        Lease {
            state: Box::new(state),
            clock,
            inner,
            renewals: AtomicU64::new(0),
        }
    }

    /// Its fencing number.
    pub async fn fence(&self) -> u64 {
        self.inner.lock().await.record.fence
    }

    /// The process that holds it, in words.
    pub async fn holder(&self) -> Option<String> {
        let record = &self.inner.lock().await.record;
        record.holder.as_ref().map(ToString::to_string)
    }

    /// The state of the bucket it is kept in.
    #[must_use]
    pub fn state(&self) -> &SharedState {
        &self.state
    }

    /// Makes sure that the bucket respects the conditions of writes, which every promise of a lock
    /// rests on. Sends one write that the bucket must refuse. Nothing else may have begun under
    /// this lock yet.
    ///
    /// # Errors
    /// [`SharedError::Unconditional`] where it takes the write; others where it does not answer.
    /// The lock is given back then.
    pub async fn prove(self) -> Result<Lease, SharedError> {
        let proof = self
            .state
            .must_refuse(&self.inner.lock().await.record)
            .await;
        match proof {
            Ok(()) => Ok(self),
            Err(error) => {
                if let SharedError::Unconditional { .. } = error {
                    // Written again, it may have another tag.
                    let _ = self.reread(&mut *self.inner.lock().await).await;
                }
                self.release().await;
                Err(error)
            }
        }
    }

    /// How often this process has renewed it.
    #[must_use]
    pub fn renewals(&self) -> u64 {
        self.renewals.load(Ordering::Relaxed)
    }

    /// How long it lasts from now on without another renewal.
    pub async fn lasts(&self) -> Duration {
        let inner = self.inner.lock().await;
        let length = inner.record.length();
        length.saturating_sub(inner.renewed.elapsed_at_most())
    }

    /// Makes sure that the lock outlives a request that is sent now, renewing it where need be.
    ///
    /// # Errors
    /// [`SharedError::Overtaken`] where somebody else has taken it; others where the bucket does
    /// not answer. Nothing may be sent then.
    pub async fn outlive_request(&self) -> Result<(), SharedError> {
        let mut inner = self.inner.lock().await;
        if !inner.outlives(NEEDED.saturating_add(SEND_MARGIN)) {
            self.renew(&mut inner).await?;
        }
        Ok(())
    }

    /// Until when a request may be sent so that the lock outlives it.
    pub async fn send_by(&self) -> (Stopwatch, Duration) {
        let inner = self.inner.lock().await;
        (inner.renewed, inner.record.length().saturating_sub(NEEDED))
    }

    /// Whether it outlives a request that is sent now. Sends nothing.
    pub async fn outlives_request(&self) -> bool {
        let inner = self.inner.lock().await;
        inner.outlives(NEEDED)
    }

    /// Renews it now and then; returns where somebody else has taken it.
    pub async fn keep(&self) -> SharedError {
        let (length, mut pause) = {
            let inner = self.inner.lock().await;
            (inner.record.length(), part(inner.record.length(), 3))
        };
        loop {
            self.clock.sleep(pause).await;
            let mut inner = self.inner.lock().await;
            // A request that needed more of it may have renewed it meanwhile.
            let left = part(length, 3).saturating_sub(inner.renewed.elapsed_at_most());
            if !left.is_zero() {
                pause = left;
                continue;
            }
            pause = match self.renew(&mut inner).await {
                Ok(()) => part(length, 3),
                Err(SharedError::Away { message, .. }) => {
                    warn!("the lock cannot be renewed for now: {message}");
                    part(length, 12)
                }
                // Lost for good, or not to be had in this way: nothing may be
                // sent any more once it runs out, and nothing is.
                Err(error @ (SharedError::Overtaken { .. } | SharedError::LeaseRemoved { .. })) => {
                    return error;
                }
                Err(error) => {
                    warn!("the lock cannot be renewed: {error}");
                    part(length, 12)
                }
            };
        }
    }

    async fn renew(&self, inner: &mut Inner) -> Result<(), SharedError> {
        loop {
            let sent = Stopwatch::start(&self.clock);
            let mut next = inner.record.clone();
            next.renewals = next.renewals.saturating_add(1);
            next.renewed_at = self.clock.now();
            match self.state.write_lease(&next, Some(&inner.etag)).await? {
                Written::Done(etag) => {
                    *inner = Inner {
                        record: next,
                        etag,
                        renewed: sent,
                        has_logged_the_order: inner.has_logged_the_order,
                    };
                    self.renewals.fetch_add(1, Ordering::Relaxed);
                    debug!("renewed the lock");
                    return Ok(());
                }
                Written::Overtaken => self.reread(inner).await?,
            }
        }
    }

    /// The object has changed: an operator has left an order in it, an earlier write of ours
    /// arrived late, or somebody else has taken it.
    async fn reread(&self, inner: &mut Inner) -> Result<(), SharedError> {
        let ours = inner.record.holder.as_ref().map(|holder| &holder.token);
        let found = self.state.lease(&inner.record.target).await?;
        match found {
            Some(found)
                if found.value.fence == inner.record.fence
                    && found.value.holder.as_ref().map(|h| &h.token) == ours =>
            {
                if found.value.retreat_requested && !inner.has_logged_the_order {
                    inner.has_logged_the_order = true;
                    info!("an operator has cancelled the deployment");
                }
                inner.record.retreat_requested |= found.value.retreat_requested;
                // The next renewal must differ from one of ours that arrived late: whoever
                // waits for the lease tells them apart by their number.
                inner.record.renewals = inner.record.renewals.max(found.value.renewals);
                inner.etag = found.etag;
                Ok(())
            }
            Some(found) => Err(SharedError::Overtaken {
                id: inner.record.deployment.clone(),
                by: found.value.in_words(),
            }),
            None => Err(SharedError::LeaseRemoved {
                id: inner.record.deployment.clone(),
            }),
        }
    }

    /// Whether the object holds this lock.
    pub(crate) async fn is(&self, found: &LeaseRecord) -> bool {
        let inner = self.inner.lock().await;
        let token = |record: &LeaseRecord| record.holder.as_ref().map(|h| h.token.clone());
        found.fence == inner.record.fence && token(found) == token(&inner.record)
    }

    /// Waits a little where the bucket is away.
    pub(crate) async fn rest(&self) {
        let pause = part(self.inner.lock().await.record.length(), 12);
        self.clock.sleep(pause).await;
    }

    /// Whether an operator has ordered a rollback.
    pub async fn retreat_requested(&self) -> bool {
        self.inner.lock().await.record.retreat_requested
    }

    /// Removes the order once the runner has obeyed it. Where that cannot be written down now, the
    /// next renewal does it; obeying the order twice changes nothing more.
    pub async fn withdraw_retreat(&self) {
        let mut inner = self.inner.lock().await;
        inner.record.retreat_requested = false;
        if let Err(error) = self.renew(&mut inner).await {
            debug!("the cancellation is still in the lock: {error}");
        }
    }

    /// What the deployment is doing, which the next renewal writes down.
    pub async fn tell(&self, doing: String) {
        let mut inner = self.inner.lock().await;
        inner.record.doing = doing;
        inner.record.waits.clear();
    }

    /// What the deployment waits for, which the next renewal writes down. While one is under way,
    /// nothing is noted: nobody waits for that.
    pub fn note_waits(&self, waits: &[Wait]) {
        if let Ok(mut inner) = self.inner.try_lock() {
            inner.record.waits = waits.to_vec();
        }
    }

    /// Gives it back. Where that fails it runs out by itself.
    pub async fn release(&self) {
        match self.try_release().await {
            Ok(()) => {}
            Err(SharedError::Overtaken { .. } | SharedError::LeaseRemoved { .. }) => {
                debug!("this process has lost the lock");
            }
            Err(error) => {
                warn!("the lock could not be released and expires by itself: {error}");
            }
        }
    }

    async fn try_release(&self) -> Result<(), SharedError> {
        let mut inner = self.inner.lock().await;
        loop {
            let mut free = inner.record.clone();
            free.holder = None;
            match self.state.write_lease(&free, Some(&inner.etag)).await {
                Ok(Written::Done(etag)) => {
                    inner.record = free;
                    inner.etag = etag;
                    return Ok(());
                }
                // Word has come that is for whoever takes it next, or a renewal that
                // was given up arrived all the same.
                Ok(Written::Overtaken) => self.reread(&mut inner).await?,
                Err(error) => return Err(error),
            }
        }
    }
}

impl Inner {
    fn outlives(&self, needed: Duration) -> bool {
        self.renewed.elapsed_at_most().saturating_add(needed) <= self.record.length()
    }
}

impl SharedState {
    /// Who has taken a deployment over, in words, where this holder has not lost its lock to
    /// nobody.
    pub(crate) async fn overtaken(&self, deployment: &Deployment, by: &Lease) -> SharedError {
        let id = deployment.plan.id.clone();
        match self.lease(&deployment.plan.target).await {
            Ok(Some(lease)) if !by.is(&lease.value).await => SharedError::Overtaken {
                id,
                by: lease.value.in_words(),
            },
            _ => SharedError::Meddled {
                bucket: self.bucket.name().to_owned(),
                key: deployment_key(&id),
            },
        }
    }
}
