//! Reading many objects: several at a time, and each bounded by itself, so that neither their
//! number nor one that does not answer hides the others.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::task::JoinSet;
use ulid::Ulid;

use super::error::SharedError;
use super::keys::{DEPLOYMENTS, LEASES, deployment_key};
use super::lease_record::LeaseRecord;
use super::record::DeploymentRecord;
use super::state::SharedState;
use bluegreen_aws::LookError;
use bluegreen_aws::{PAGES_MAX, endless};
use bluegreen_clock::Moment;

/// How many of the deployments that no lock names are read for one that has not ended. This program
/// never removes a lock; reading every deployment there ever was, every few minutes, would cost
/// more than that is worth.
pub const UNLEASED_MAX: usize = 50;

/// Objects that were listed. One that cannot be read must not hide the rest.
#[derive(Debug)]
pub struct Listed<T> {
    /// What they hold.
    pub found: Vec<T>,
    /// Why each of the others could not be read: it is damaged, a newer version of bluegreen wrote
    /// it, or there was no answer.
    pub unreadable: Vec<SharedError>,
}

impl<T> Listed<T> {
    /// What was found, unless there was no answer for any of it.
    ///
    /// # Errors
    /// The first error that is none of an object's content.
    pub fn answered(self) -> Result<Vec<T>, SharedError> {
        let is_unanswered = |error: &SharedError| {
            matches!(
                error,
                SharedError::Away { .. } | SharedError::Unusable { .. }
            )
        };
        match self.unreadable.into_iter().find(is_unanswered) {
            Some(error) => Err(error),
            None => Ok(self.found),
        }
    }
}

impl<T> Default for Listed<T> {
    fn default() -> Listed<T> {
        Listed {
            found: Vec::new(),
            unreadable: Vec::new(),
        }
    }
}

/// How many objects are read at the same time: far from the bucket an answer takes a fifth of a
/// second, and S3 gives thousands a second.
const AT_A_TIME: usize = 64;

/// How long one request for an object, or for a page of the list, may take.
const EACH: Duration = Duration::from_secs(10);

/// After so many reads in a row that got no answer no more are begun: the bucket is away.
const UNANSWERED_MAX: usize = AT_A_TIME;

/// When a deployment that no lock names counts as archived: from then on only commands list it that
/// list every deployment. A release may pause for days.
pub const ARCHIVED_AFTER: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// The key after which the deployments come that are not archived: an id begins with its time,
/// and the newest are the last.
fn last_archived(now: Moment) -> String {
    deployment_key(&Ulid::from_parts(now.before(ARCHIVED_AFTER).0, 0).to_string())
}

impl SharedState {
    /// Every deployment in the bucket, oldest first.
    ///
    /// # Errors
    /// [`SharedError`] where they cannot be listed.
    pub async fn deployments(&self) -> Result<Listed<DeploymentRecord>, SharedError> {
        let keys = self.keys(DEPLOYMENTS, "").await?;
        Ok(self.records(keys).await)
    }

    /// The newest [`UNLEASED_MAX`] deployments in the bucket that are not [`ARCHIVED_AFTER`] its
    /// time, oldest first.
    ///
    /// # Errors
    /// [`SharedError`] where they cannot be listed.
    pub async fn newest(&self, now: Moment) -> Result<Listed<DeploymentRecord>, SharedError> {
        let mut keys = self.keys(DEPLOYMENTS, &last_archived(now)).await?;
        keys.drain(..keys.len().saturating_sub(UNLEASED_MAX));
        Ok(self.records(keys).await)
    }

    /// So many of the last deployments in the bucket before one with this id, or of all, oldest
    /// first.
    ///
    /// # Errors
    /// [`SharedError`] where they cannot be listed.
    pub async fn page(
        &self,
        before: Option<&str>,
        so_many: usize,
    ) -> Result<Listed<DeploymentRecord>, SharedError> {
        let mut keys = self.keys(DEPLOYMENTS, "").await?;
        if let Some(before) = before.map(deployment_key) {
            keys.retain(|key| *key < before);
        }
        keys.drain(..keys.len().saturating_sub(so_many));
        Ok(self.records(keys).await)
    }

    /// The deployments with these ids, where the bucket has them.
    pub async fn copies<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a str>,
    ) -> Listed<DeploymentRecord> {
        self.records(ids.into_iter().map(deployment_key).collect())
            .await
    }

    /// Every lock in the bucket.
    ///
    /// # Errors
    /// [`SharedError`] where they cannot be listed.
    pub async fn leases(&self) -> Result<Listed<LeaseRecord>, SharedError> {
        let keys = self.keys(LEASES, "").await?;
        let read = |state: SharedState, key: String| async move {
            let read = state.promptly(&key, state.read(&key)).await?;
            Ok(read.map(|lease| lease.value))
        };
        Ok(self.read_each(keys, read).await)
    }

    /// What has not ended, oldest first, with its lock: the deployments that the locks name, and,
    /// where a lock was removed or cannot be read, those among the [newest](Self::newest).
    ///
    /// # Errors
    /// [`SharedError`] where neither can be listed.
    pub async fn unfinished(
        &self,
        now: Moment,
    ) -> Result<Listed<(DeploymentRecord, Option<LeaseRecord>)>, SharedError> {
        let archived = last_archived(now);
        let (leased, keys) = tokio::join!(self.leased(), self.keys(DEPLOYMENTS, &archived));
        let mut unreadable = Vec::new();
        let mut leased = match leased {
            Ok(Listed {
                found,
                unreadable: without,
            }) => {
                unreadable.extend(without);
                found
            }
            Err(error) if keys.is_err() => return Err(error),
            Err(error) => {
                unreadable.push(error);
                Vec::new()
            }
        };
        let named: HashSet<_> = leased
            .iter()
            .map(|(lease, _)| deployment_key(&lease.deployment))
            .collect();
        let unleased = match keys {
            Ok(keys) => {
                let newest = keys.into_iter().rev();
                let unleased = newest.filter(|key| !named.contains(key));
                self.records(unleased.take(UNLEASED_MAX).collect()).await
            }
            Err(error) => Listed {
                found: Vec::new(),
                unreadable: vec![error],
            },
        };
        unreadable.extend(unleased.unreadable);
        let mut found: HashMap<_, _> = unleased
            .found
            .into_iter()
            .map(|record| (record.deployment.plan.id.clone(), (record, None)))
            .collect();
        for (lease, record) in leased.drain(..) {
            match record {
                Ok(None) => {}
                Ok(Some(record)) => {
                    found.insert(lease.deployment.clone(), (record, Some(lease)));
                }
                Err(error) => unreadable.push(error),
            }
        }
        unreadable.retain(|error| !error.has_ended());
        let mut found: Vec<_> = found
            .into_values()
            .filter(|(record, _)| !record.deployment.state.is_end())
            .collect();
        found.sort_by(|(a, _), (b, _)| a.deployment.plan.id.cmp(&b.deployment.plan.id));
        Ok(Listed { found, unreadable })
    }

    /// Every lock with the deployment that it names, which is read as soon as its lock has been
    /// read.
    async fn leased(&self) -> Result<Listed<Leased>, SharedError> {
        let keys = self.keys(LEASES, "").await?;
        let read = |state: SharedState, key: String| async move {
            let Some(lease) = state.promptly(&key, state.read(&key)).await? else {
                return Ok(None);
            };
            let lease: LeaseRecord = lease.value;
            let key = deployment_key(&lease.deployment);
            let record = state.promptly(&key, state.read(&key)).await;
            let record = record.map(|record| record.map(|record| record.value));
            Ok(Some((lease, record)))
        };
        Ok(self.read_each(keys, read).await)
    }

    async fn records(&self, keys: Vec<String>) -> Listed<DeploymentRecord> {
        let read = |state: SharedState, key: String| async move {
            let read = state.promptly(&key, state.read(&key)).await?;
            Ok(read.map(|record| record.value))
        };
        self.read_each(keys, read).await
    }

    /// The keys that begin with `prefix` and come after `start_after`, in their order.
    async fn keys(&self, prefix: &str, start_after: &str) -> Result<Vec<String>, SharedError> {
        let (mut keys, mut next) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let page = async {
                let page = self.bucket.list(prefix, start_after, next.take()).await;
                page.map_err(|error| self.error(error))
            };
            let (more, after) = self.promptly(prefix, page).await?;
            keys.extend(more);
            if after.is_none() {
                return Ok(keys);
            }
            next = after;
        }
        Err(self.error(endless("ListObjectsV2")))
    }

    /// Reads each of these objects; what is found is in the order of the keys.
    async fn read_each<T, R>(
        &self,
        keys: Vec<String>,
        read: impl Fn(SharedState, String) -> R,
    ) -> Listed<T>
    where
        T: Send + 'static,
        R: Future<Output = Result<Option<T>, SharedError>> + Send + 'static,
    {
        let mut left = keys.into_iter().enumerate();
        let mut reading = JoinSet::new();
        let mut unanswered = 0_usize;
        let (mut found, mut unreadable) = (Vec::new(), Vec::new());
        loop {
            while reading.len() < AT_A_TIME
                && unanswered < UNANSWERED_MAX
                && let Some((at, key)) = left.next()
            {
                let read = read(self.clone(), key);
                reading.spawn(async move { (at, read.await) });
            }
            let Some(done) = reading.join_next().await else {
                break;
            };
            let (at, read) = done.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()));
            unanswered = match &read {
                Err(SharedError::Away { .. } | SharedError::Unusable { .. }) => {
                    unanswered.saturating_add(1)
                }
                _ => 0,
            };
            match read {
                Ok(object) => found.extend(object.map(|object| (at, object))),
                Err(error) => unreadable.push(error),
            }
        }
        if left.len() > 0 {
            unreadable.push(self.error(LookError::Passing(format!(
                "{} more objects were not requested: the last {UNANSWERED_MAX} got no answer",
                left.len()
            ))));
        }
        found.sort_by_key(|(at, _)| *at);
        let found = found.into_iter().map(|(_, object)| object).collect();
        Listed { found, unreadable }
    }

    /// The answer to a request for one object or page, unless that takes too long.
    async fn promptly<T>(
        &self,
        key: &str,
        asked: impl Future<Output = Result<T, SharedError>>,
    ) -> Result<T, SharedError> {
        let answered = tokio::time::timeout(EACH, asked).await;
        let answered = answered.unwrap_or_else(|_| {
            let message = format!("no answer within {}", humantime::format_duration(EACH));
            Err(self.error(LookError::Passing(message)))
        });
        answered.map_err(|error| naming(key, error))
    }
}

/// The error of a request for an object, with the key of the object.
fn naming(key: &str, error: SharedError) -> SharedError {
    match error {
        SharedError::Away { bucket, message } => {
            let message = format!("{key}: {message}");
            SharedError::Away { bucket, message }
        }
        SharedError::Unusable {
            bucket,
            error: LookError::Denied(why),
        } => {
            let error = LookError::Denied(format!("s3://{bucket}/{key}: {why}"));
            SharedError::Unusable { bucket, error }
        }
        // The others are of the whole bucket, or name the object already.
        error => error,
    }
}

/// A lock, and the deployment that it names.
type Leased = (LeaseRecord, Result<Option<DeploymentRecord>, SharedError>);
