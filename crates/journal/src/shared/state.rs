//! The state in one bucket.

use std::time::Duration;

use serde::Serialize;
use tracing::debug;

use super::error::SharedError;
use super::fleet_record::FleetRecord;
use super::keys::{deployment_key, fleet_key, lease_key, queue_key};
use super::lease_record::LeaseRecord;
use super::object::{Kept, Tagged, Written, kept};
use super::queue::Queue;
use super::record::DeploymentRecord;
use bluegreen_aws::{Bucket, Condition, LookError, Object, Put};
use bluegreen_core::plan::Target;

/// The state in one bucket.
#[derive(Clone, Debug)]
pub struct SharedState {
    pub(super) bucket: Bucket,
}

/// How long to wait for the bucket where the journal on this machine may do.
const GLANCE: Duration = Duration::from_secs(10);

/// What the bucket answers, where it does so within ten seconds.
///
/// # Errors
/// [`SharedError::Away`] where it does not, and those of the question.
pub async fn at_a_glance<T>(
    asked: impl Future<Output = Result<T, SharedError>>,
) -> Result<T, SharedError> {
    let no_answer = |_| {
        Err(SharedError::Away {
            bucket: String::new(),
            message: format!("no answer within {}", humantime::format_duration(GLANCE)),
        })
    };
    tokio::time::timeout(GLANCE, asked)
        .await
        .unwrap_or_else(no_answer)
}

impl SharedState {
    /// The state in this bucket.
    #[must_use]
    pub fn new(bucket: Bucket) -> SharedState {
        SharedState { bucket }
    }

    /// The deployment with this id, in upper case; none where the bucket has none.
    ///
    /// # Errors
    /// [`SharedError`].
    pub async fn deployment(
        &self,
        id: &str,
    ) -> Result<Option<Tagged<DeploymentRecord>>, SharedError> {
        self.read(&deployment_key(id)).await
    }

    /// The tag of the object with a deployment's copy, whatever it holds; none where there is
    /// none.
    ///
    /// # Errors
    /// [`SharedError`].
    pub(crate) async fn tag(&self, id: &str) -> Result<Option<String>, SharedError> {
        let object = self.bucket.get(&deployment_key(id)).await;
        Ok(object.map_err(|e| self.error(e))?.map(|object| object.etag))
    }

    /// The lock of a target; none where there never was one.
    ///
    /// # Errors
    /// [`SharedError`].
    pub async fn lease(&self, target: &Target) -> Result<Option<Tagged<LeaseRecord>>, SharedError> {
        self.read(&lease_key(target)).await
    }

    /// The deployment that a lock names, where it has not ended.
    ///
    /// # Errors
    /// [`SharedError`].
    pub async fn unfinished_of(
        &self,
        lease: &LeaseRecord,
    ) -> Result<Option<DeploymentRecord>, SharedError> {
        let (record, has_ended) = self.last_of(lease).await?;
        Ok(record.filter(|_| !has_ended))
    }

    /// The deployment that a lock names, and whether it has ended. The copy of one that has is not
    /// needed: it may be damaged, or written before the state key was given.
    ///
    /// # Errors
    /// [`SharedError`].
    pub(crate) async fn last_of(
        &self,
        lease: &LeaseRecord,
    ) -> Result<(Option<DeploymentRecord>, bool), SharedError> {
        match self.deployment(&lease.deployment).await {
            Ok(found) => {
                let record = found.map(|found| found.value);
                let has_ended = record.as_ref().is_some_and(Kept::has_ended);
                Ok((record, has_ended))
            }
            Err(unreadable)
                if unreadable.has_ended() || unreadable.is_of_content() && lease.has_ended() =>
            {
                debug!("{unreadable}; that deployment has ended");
                Ok((None, true))
            }
            Err(error) => Err(error),
        }
    }

    /// The queue of a target, after `change`. Nothing is written where that changes nothing; where
    /// somebody else was faster, `change` runs again on the queue as it is then.
    ///
    /// # Errors
    /// [`SharedError`]; whether the change was written is unclear then, and to make it again must
    /// do no harm.
    pub async fn change_queue<T>(
        &self,
        target: &Target,
        mut change: impl FnMut(&mut Queue) -> T,
    ) -> Result<T, SharedError> {
        let key = queue_key(target);
        let changed = self.change(&key, |found: &mut Option<Queue>| {
            let before = found.clone().unwrap_or_default();
            let mut queue = before.clone();
            let told = change(&mut queue);
            if queue != before {
                queue.revision = queue.revision.saturating_add(1);
                *found = Some(queue);
            }
            told
        });
        let (_, told) = changed.await?;
        Ok(told)
    }

    /// The record of the fleet with this name; none where there is none.
    ///
    /// # Errors
    /// [`SharedError`].
    pub async fn fleet(&self, name: &str) -> Result<Option<Tagged<FleetRecord>>, SharedError> {
        self.read(&fleet_key(name)).await
    }

    /// The record of a fleet, after `change`. Nothing is written where that changes nothing; where
    /// somebody else was faster, `change` runs again on the record as it is then.
    ///
    /// # Errors
    /// [`SharedError`]; whether the change was written is unclear then, and to make it again must
    /// do no harm.
    pub async fn change_fleet<T>(
        &self,
        name: &str,
        mut change: impl FnMut(&mut Option<FleetRecord>) -> T,
    ) -> Result<(Option<FleetRecord>, T), SharedError> {
        self.change(&fleet_key(name), |record: &mut Option<FleetRecord>| {
            let before = record.clone();
            let told = change(record);
            if let Some(record) = record.as_mut().filter(|now| before.as_ref() != Some(now)) {
                record.revision = record.revision.saturating_add(1);
            }
            told
        })
        .await
    }

    /// An object, after `change`. Nothing is written where that changes nothing; where somebody else
    /// was faster, `change` runs again on the object as it is then.
    async fn change<K: Kept + Serialize + Clone + PartialEq, T>(
        &self,
        key: &str,
        mut change: impl FnMut(&mut Option<K>) -> T,
    ) -> Result<(Option<K>, T), SharedError> {
        loop {
            let found = self.read::<K>(key).await?;
            let etag = found.as_ref().map(|found| found.etag.clone());
            let before = found.map(|found| found.value);
            let mut after = before.clone();
            let told = change(&mut after);
            let Some(value) = after.filter(|after| before.as_ref() != Some(after)) else {
                return Ok((before, told));
            };
            if let Written::Done(_) = self.write(key, &value, etag.as_deref()).await? {
                return Ok((Some(value), told));
            }
        }
    }

    /// Writes a deployment's copy in place of the one with this tag, or where
    /// there is none.
    pub(crate) async fn write_deployment(
        &self,
        record: &DeploymentRecord,
        etag: Option<&str>,
    ) -> Result<Written, SharedError> {
        let key = deployment_key(&record.deployment.plan.id);
        self.write(&key, record, etag).await
    }

    pub(crate) async fn write_lease(
        &self,
        lease: &LeaseRecord,
        etag: Option<&str>,
    ) -> Result<Written, SharedError> {
        self.write(&lease_key(&lease.target), lease, etag).await
    }

    /// Requests that the bucket write a lock that is there on the condition that it is not, which
    /// it must refuse. A bucket that takes the write is left with the same lock.
    pub(super) async fn must_refuse(&self, lease: &LeaseRecord) -> Result<(), SharedError> {
        let key = lease_key(&lease.target);
        let body = self.body(&key, lease);
        match self.bucket.put(&key, &body, Condition::Absent).await {
            Ok(Put::ConditionFailed) => Ok(()),
            Ok(Put::Written(_)) => Err(SharedError::Unconditional {
                bucket: self.bucket.name().to_owned(),
                key,
            }),
            Ok(Put::Unclear(message)) => Err(self.error(LookError::Passing(message))),
            Err(error) => Err(self.error(error)),
        }
    }

    pub(super) async fn read<T: Kept>(&self, key: &str) -> Result<Option<Tagged<T>>, SharedError> {
        let object = self.bucket.get(key).await.map_err(|e| self.error(e))?;
        object.map(|object| self.parse(key, object)).transpose()
    }

    fn parse<T: Kept>(&self, key: &str, object: Object) -> Result<Tagged<T>, SharedError> {
        let place = (self.bucket.name(), key);
        Ok(Tagged {
            value: kept(place, self.bucket.state_key(), &object.body)?,
            etag: object.etag,
        })
    }

    /// Writes an object under its condition. Where the answer does not settle it,
    /// the object is read back: the same bytes are our own, because every write
    /// differs from the one before.
    async fn write<T: Serialize>(
        &self,
        key: &str,
        value: &T,
        etag: Option<&str>,
    ) -> Result<Written, SharedError> {
        let body = self.body(key, value);
        let condition = etag.map_or(Condition::Absent, Condition::Unchanged);
        let unclear = match self.bucket.put(key, &body, condition).await {
            Ok(Put::Written(etag)) => return Ok(Written::Done(etag)),
            Ok(Put::ConditionFailed) => None,
            Ok(Put::Unclear(message)) => Some(message),
            Err(error) => return Err(self.error(error)),
        };
        let found = self.bucket.get(key).await.map_err(|e| self.error(e))?;
        match (found, unclear) {
            (Some(object), _) if object.body == body => Ok(Written::Done(object.etag)),
            // Not applied yet, as far as can be seen: the same write may be tried
            // again, because at most one of them finds the condition to hold.
            (found, Some(message)) if found.as_ref().map(|o| o.etag.as_str()) == etag => {
                Err(self.error(LookError::Passing(message)))
            }
            _ => Ok(Written::Overtaken),
        }
    }

    /// What is written for a value under this key.
    fn body<T: Serialize>(&self, key: &str, value: &T) -> Vec<u8> {
        let body = serde_json::to_vec(value).expect("plain data is always JSON");
        match self.bucket.state_key() {
            Some(state_key) => state_key.sign(self.bucket.name(), key, body),
            None => body,
        }
    }

    pub(super) fn error(&self, error: LookError) -> SharedError {
        let bucket = self.bucket.name().to_owned();
        match error {
            LookError::Passing(message) => SharedError::Away { bucket, message },
            error => SharedError::Unusable { bucket, error },
        }
    }
}
