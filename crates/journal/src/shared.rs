//! The journal's copy in the artifacts bucket, and one lease and one queue a target.
//!
//! A container's disk dies with it; what lies in the bucket does not. Every object
//! is written under a condition only: a write whose answer was lost is read back
//! and compared, and one that somebody else was faster with changes nothing.
//! docs/operate/shared-state.md describes the objects.

// Numbers here are read from others.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod bounds;
mod contender;
mod holder;
mod lease;
mod listing;
mod queue;
#[cfg(test)]
mod tests;

pub use bounds::within_bounds;
pub use contender::{Contender, HeldLease, LeaseAttempt};
pub use holder::Holder;
pub use lease::{Lease, LeaseRecord, SEND_MARGIN};
pub use listing::ARCHIVED_AFTER;
pub use queue::{Begun, Queue, Ticket};

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use tracing::debug;

use crate::store::{Output, Store, StoreError, Transition};
use bluegreen_aws::LookError;
use bluegreen_aws::state_key::{Authenticity, StateKey};
use bluegreen_aws::{Bucket, Condition, OBJECT_BYTES_MAX, Object, Put};
use bluegreen_core::deployment::Deployment;
use bluegreen_core::moment::Moment;
use bluegreen_core::plan::{Plan, Target, is_id, template_name};
use bluegreen_core::text::{end_of, short};

/// The version of the objects: 2 has several tests.
pub const FORMAT: u32 = 2;

const DEPLOYMENTS: &str = "bluegreen/deployments/";
/// Below which key leases lie.
pub const LEASES: &str = "bluegreen/leases/";
const QUEUES: &str = "bluegreen/queues/";

/// What can go wrong with the state in the bucket.
#[derive(Clone, Debug, Error)]
pub enum SharedError {
    /// The bucket cannot be read or written for now.
    #[error("the bucket {bucket} cannot be reached: {message}")]
    Away {
        /// The bucket.
        bucket: String,
        /// What the last attempt said.
        message: String,
    },
    /// The bucket cannot be used at all.
    #[error("bucket {bucket}: {error}")]
    Unusable {
        /// The bucket.
        bucket: String,
        /// Why.
        error: LookError,
    },
    /// An object was written by a newer program.
    #[error("s3://{bucket}/{key} was written by a newer bluegreen; it is left alone")]
    Newer {
        /// The bucket.
        bucket: String,
        /// The object's key.
        key: String,
    },
    /// An object is not what it should be.
    #[error("s3://{bucket}/{key} is damaged: {message}")]
    Damaged {
        /// The bucket.
        bucket: String,
        /// The object's key.
        key: String,
        /// What is wrong.
        message: String,
    },
    /// An object bears no code of the key that is given, or a wrong one.
    #[error(
        "s3://{bucket}/{key} was not written with the state key that is given: whoever may write \
         to the bucket may have written it"
    )]
    Unauthenticated {
        /// The bucket.
        bucket: String,
        /// The object's key.
        key: String,
        /// Whether it says that its deployment has ended.
        has_ended: bool,
    },
    /// A deployment's copy was changed or removed although this process holds its lease.
    #[error(
        "s3://{bucket}/{key} was changed or removed by somebody who does not hold the lock; this \
         process has stopped and sends nothing more"
    )]
    Meddled {
        /// The bucket.
        bucket: String,
        /// The object's key.
        key: String,
    },
    /// Somebody has removed the lease that this process held.
    #[error(
        "the lock of deployment {id} was removed from the bucket, and nobody is known to hold it; \
         this process has stopped and sends nothing more"
    )]
    LeaseRemoved {
        /// The deployment's id.
        id: String,
    },
    /// The bucket does not heed the conditions of writes.
    #[error(
        "bucket {bucket} accepted a second write of the lock s3://{bucket}/{key} on the condition \
         that there is none: two processes could run one deployment there"
    )]
    Unconditional {
        /// The bucket.
        bucket: String,
        /// The lease's key.
        key: String,
    },
    /// Another process has moved the deployment on.
    #[error(
        "deployment {id} was taken over: {by}; this process has stopped and sends nothing more"
    )]
    Overtaken {
        /// The deployment's id.
        id: String,
        /// By whom, as far as it is known.
        by: String,
    },
}

impl SharedError {
    /// Whether what an object holds is the reason, and not that the bucket does not answer.
    pub(crate) fn is_of_content(&self) -> bool {
        matches!(
            self,
            SharedError::Damaged { .. } | SharedError::Unauthenticated { .. }
        )
    }

    /// Whether the object is the copy of a deployment that has ended, and another state key, or
    /// none, was in use when the program wrote it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(
            self,
            SharedError::Unauthenticated {
                has_ended: true,
                ..
            }
        )
    }
}

/// A deployment's copy in the bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeploymentRecord {
    /// [`FORMAT`].
    pub format: u32,
    /// The deployment as of its last checkpoint.
    pub deployment: Deployment,
    /// How it came there.
    pub transitions: Vec<Transition>,
    /// What its commands said; of an object in the bucket the last of them, shortened.
    #[serde(default)]
    pub outputs: Vec<Output>,
    /// Where it was read.
    #[serde(skip)]
    pub origin: Origin,
}

/// Where a deployment's record was read, and so who may have written it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// In the journal on this disk.
    Journal,
    /// In the bucket, with the code of the state key.
    Authenticated,
    /// In the bucket: whoever may write there may have written it.
    #[default]
    Bucket,
}

/// How many of the deployments that no lease names are looked at for one that has not ended.
/// A lease is never removed by this program; reading every deployment there ever was, every
/// few minutes, would cost more than that is worth.
pub const UNLEASED_MAX: usize = 50;

/// How many outputs an object holds, and how many bytes of each: it is written with every
/// checkpoint.
const OUTPUTS_MAX: usize = 8;
const OUTPUT_BYTES_MAX: usize = 4 * 1024;

impl DeploymentRecord {
    /// The copy of a deployment.
    #[must_use]
    pub fn new(deployment: Deployment, transitions: Vec<Transition>) -> DeploymentRecord {
        DeploymentRecord {
            format: FORMAT,
            deployment,
            transitions,
            outputs: Vec::new(),
            origin: Origin::Journal,
        }
    }

    /// The copy of a deployment of the journal on this machine.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn here(store: &Store, deployment: Deployment) -> Result<DeploymentRecord, StoreError> {
        let transitions = store.transitions(&deployment.plan.id)?;
        let outputs = store.outputs(&deployment.plan.id)?;
        Ok(DeploymentRecord::new(deployment, transitions).with_outputs(outputs))
    }

    /// The later of two copies of a deployment, this machine's where neither is.
    #[must_use]
    pub fn later(
        here: Option<DeploymentRecord>,
        there: Option<DeploymentRecord>,
    ) -> Option<DeploymentRecord> {
        match (here, there) {
            (Some(here), Some(there)) if there.deployment.age() > here.deployment.age() => {
                Some(there)
            }
            (Some(here), _) => Some(here),
            (None, there) => there,
        }
    }

    /// The copy of a [`Plan::sample`] that has made one change of state, for tests and examples.
    #[must_use]
    pub fn sample(id: &str) -> DeploymentRecord {
        let mut plan = Plan::sample(id);
        plan.template = template_name(id);
        plan.shared_state = true;
        let transition = Transition {
            revision: 1,
            from: "Preparing".to_owned(),
            to: "Cloning".to_owned(),
            at: Moment(1_800_000_000_000),
            why: "the version is registered".to_owned(),
        };
        let mut deployment = Deployment::new(plan, Moment(1_800_000_000_000));
        deployment.revision = 2;
        DeploymentRecord::new(deployment, vec![transition])
    }

    /// The same with what its commands said.
    #[must_use]
    pub fn with_outputs(mut self, outputs: Vec<Output>) -> DeploymentRecord {
        self.outputs = outputs;
        self
    }

    /// The same with no more output than an object in the bucket is to hold.
    #[must_use]
    pub(crate) fn bounded(mut self) -> DeploymentRecord {
        let surplus = self.outputs.len().saturating_sub(OUTPUTS_MAX);
        self.outputs.drain(..surplus);
        for output in &mut self.outputs {
            output.output = end_of(&output.output, OUTPUT_BYTES_MAX).to_owned();
        }
        self
    }
}

/// Objects that were listed. One that cannot be read must not hide the rest.
#[derive(Debug)]
pub struct Listed<T> {
    /// What they hold.
    pub found: Vec<T>,
    /// Why each of the others could not be read: it is damaged, a newer program's, or there was
    /// no answer.
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

/// An object read into what it holds, and its tag for the next write.
#[derive(Clone, Debug, PartialEq)]
pub struct Tagged<T> {
    /// What it holds.
    pub value: T,
    /// Its tag.
    pub etag: String,
}

/// What became of a conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is there, with this tag.
    Done(String),
    /// Somebody else was faster.
    Overtaken,
}

/// The state in one bucket.
#[derive(Clone, Debug)]
pub struct SharedState {
    bucket: Bucket,
}

#[derive(Deserialize)]
struct Header {
    format: u32,
}

/// What an object in the bucket holds.
trait Kept: DeserializeOwned {
    /// What is wrong with it as the content of the object with this key: it was not written by
    /// this program then.
    fn check(&self, bucket: &str, key: &str) -> Result<(), String>;

    /// Whether it may be taken for what it says, as far as its code tells. What is in it that
    /// only somebody with the key may say is left out.
    fn is_acceptable(&mut self, authenticity: Authenticity) -> bool;

    /// Whether it is of a deployment that has ended.
    fn has_ended(&self) -> bool {
        false
    }
}

impl Kept for DeploymentRecord {
    fn check(&self, bucket: &str, key: &str) -> Result<(), String> {
        let Deployment { plan, revision, .. } = &self.deployment;
        plan.check()?;
        let lies_in = [
            ("bucket", &plan.bucket[..], bucket),
            ("key", &deployment_key(&plan.id), key),
        ];
        for (what, says, lies) in lies_in {
            if says != lies {
                return Err(format!("it is of another {what}: {:?}", short(says, 80)));
            }
        }
        if !plan.shared_state {
            return Err("it says that it has no copy in the bucket".to_owned());
        }
        let mut last = 0;
        for transition in &self.transitions {
            if transition.revision <= last || transition.revision > *revision {
                let of = transition.revision;
                return Err(format!(
                    "revision {of} of its transitions is out of order, and its own is {revision}"
                ));
            }
            last = transition.revision;
        }
        Ok(())
    }

    fn is_acceptable(&mut self, authenticity: Authenticity) -> bool {
        self.origin = match authenticity {
            Authenticity::Unknown => Origin::Bucket,
            Authenticity::Proven => Origin::Authenticated,
            Authenticity::Wrong => return false,
        };
        true
    }

    fn has_ended(&self) -> bool {
        self.deployment.state.is_end()
    }
}

impl Kept for LeaseRecord {
    fn check(&self, _: &str, key: &str) -> Result<(), String> {
        if lease_key(&self.target) != key {
            return Err("it is of another target".to_owned());
        }
        is_id(&self.deployment)
    }

    /// Who holds it or not only says who waits for whom. An order to go back is one.
    fn is_acceptable(&mut self, authenticity: Authenticity) -> bool {
        self.retreat_requested &= authenticity != Authenticity::Wrong;
        true
    }
}

/// It only says who goes first.
impl Kept for Queue {
    fn check(&self, _: &str, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn is_acceptable(&mut self, _: Authenticity) -> bool {
        true
    }
}

/// How long the bucket is waited for where the journal on this machine may do.
const GLANCE: Duration = Duration::from_secs(10);

/// What the bucket is asked for, where it answers within [`GLANCE`].
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

    /// The lease of a target; none where there never was one.
    ///
    /// # Errors
    /// [`SharedError`].
    pub async fn lease(&self, target: &Target) -> Result<Option<Tagged<LeaseRecord>>, SharedError> {
        self.read(&lease_key(target)).await
    }

    /// The deployment that a lease names, where it has not ended.
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

    /// The deployment that a lease names, and whether it has ended. The copy of one that has is
    /// not needed: it may be damaged, or written before the state key was given.
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

    /// The queue of a target, after `change`. Nothing is written where that changes nothing;
    /// where somebody else was faster it is asked again, of the queue as it is then.
    ///
    /// # Errors
    /// [`SharedError`]; whether the change was written is unclear then, and to make it again
    /// must do no harm.
    pub async fn change_queue<T>(
        &self,
        target: &Target,
        mut change: impl FnMut(&mut Queue) -> T,
    ) -> Result<T, SharedError> {
        let key = queue_key(target);
        loop {
            let found = self.read::<Queue>(&key).await?;
            let etag = found.as_ref().map(|found| found.etag.clone());
            let before = found.map(|found| found.value).unwrap_or_default();
            let mut queue = before.clone();
            let told = change(&mut queue);
            if queue == before {
                return Ok(told);
            }
            queue.revision = queue.revision.saturating_add(1);
            if let Written::Done(_) = self.write(&key, &queue, etag.as_deref()).await? {
                return Ok(told);
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

    /// Asks the bucket to write a lease that is there on the condition that it is not, which
    /// it must refuse. One that takes it is left with the same lease.
    async fn must_refuse(&self, lease: &LeaseRecord) -> Result<(), SharedError> {
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

    /// Who has taken a deployment over, in words, where this holder has not lost its lease
    /// to nobody.
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

    async fn read<T: Kept>(&self, key: &str) -> Result<Option<Tagged<T>>, SharedError> {
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

    fn error(&self, error: LookError) -> SharedError {
        let bucket = self.bucket.name().to_owned();
        match error {
            LookError::Passing(message) => SharedError::Away { bucket, message },
            error => SharedError::Unusable { bucket, error },
        }
    }
}

/// What an object of a bucket holds, by the names of both.
fn kept<T: Kept>(
    (bucket, key): (&str, &str),
    state_key: Option<&StateKey>,
    object: &[u8],
) -> Result<T, SharedError> {
    let damaged = |message: String| SharedError::Damaged {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        message,
    };
    if object.len() > OBJECT_BYTES_MAX {
        return Err(damaged(format!(
            "it has more than {OBJECT_BYTES_MAX} bytes"
        )));
    }
    let body: Value = serde_json::from_slice(object).map_err(|e| damaged(e.to_string()))?;
    let header = Header::deserialize(&body).map_err(|e| damaged(e.to_string()))?;
    let (bucket, key) = (bucket.to_owned(), key.to_owned());
    if header.format > FORMAT {
        return Err(SharedError::Newer { bucket, key });
    }
    within_bounds(&body).map_err(damaged)?;
    let mut value = T::deserialize(body).map_err(|e| damaged(e.to_string()))?;
    value.check(&bucket, &key).map_err(damaged)?;
    let authenticity = match state_key {
        Some(state_key) => state_key.verify(&bucket, &key, object),
        None => Authenticity::Unknown,
    };
    if !value.is_acceptable(authenticity) {
        let has_ended = value.has_ended();
        return Err(SharedError::Unauthenticated {
            bucket,
            key,
            has_ended,
        });
    }
    Ok(value)
}

/// The key of a deployment's copy.
#[must_use]
pub fn deployment_key(id: &str) -> String {
    format!("{DEPLOYMENTS}{}.json", component(&id.to_uppercase()))
}

/// The key of a target's lease.
#[must_use]
pub fn lease_key(target: &Target) -> String {
    target_key(LEASES, target)
}

/// The key of a target's queue.
#[must_use]
pub fn queue_key(target: &Target) -> String {
    target_key(QUEUES, target)
}

fn target_key(folder: &str, target: &Target) -> String {
    let parts = [
        &target.account,
        &target.region,
        &target.application,
        &target.blue,
    ];
    let parts = parts.map(|part| component(part));
    format!("{folder}{}.json", parts.join("/"))
}

/// A name as a part of a key: what S3 does not call safe is escaped (user guide,
/// "Naming Amazon S3 objects").
fn component(name: &str) -> String {
    let safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    name.bytes()
        .map(|b| {
            if safe(b) {
                char::from(b).to_string()
            } else {
                format!("={b:02X}")
            }
        })
        .collect()
}
