//! What can go wrong with the state in the bucket.

use thiserror::Error;

use bluegreen_aws::LookError;

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
    /// An object was written by a newer version of bluegreen.
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
    /// A deployment's copy was changed or removed although this process holds its lock.
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
    /// Somebody has removed the lock that this process held.
    #[error(
        "the lock of deployment {id} was removed from the bucket, and nobody is known to hold it; \
         this process has stopped and sends nothing more"
    )]
    LeaseRemoved {
        /// The deployment's id.
        id: String,
    },
    /// The bucket does not respect the conditions of writes.
    #[error(
        "bucket {bucket} accepted a second write of the lock s3://{bucket}/{key} on the condition \
         that there is none: two processes could run one deployment there"
    )]
    Unconditional {
        /// The bucket.
        bucket: String,
        /// The lock's key.
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
