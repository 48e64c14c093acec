//! Why the driver ended early.

use std::time::Duration;

use thiserror::Error;

use crate::cloud::LookError;
use crate::journal::JournalError;
use crate::shared::SharedError;
use crate::store::StoreError;

/// Why the driver ended before the deployment came to rest. `resume` continues from the last
/// checkpoint.
#[derive(Clone, Debug, Error)]
pub enum DriveError {
    /// A signal interrupted this process.
    #[error("interrupted by a signal")]
    Signal,
    /// AWS could not be read for longer than the timeout.
    #[error("AWS could not be reached for {}: {message}", humantime::format_duration(*lasted))]
    Unreachable {
        /// How long.
        lasted: Duration,
        /// What the last attempt said.
        message: String,
    },
    /// The credentials are missing, wrong or expired.
    #[error("AWS refused the credentials: {0}")]
    Credentials(String),
    /// The credentials do not allow what is needed.
    #[error("AWS denied what is needed: {0}")]
    Denied(String),
    /// AWS refused the poll itself.
    #[error("AWS refused to be read: {0}")]
    Refused(String),
    /// The bucket could not be reached for longer than the timeout.
    #[error("nothing was sent for {}: {message}", humantime::format_duration(*lasted))]
    BucketAway {
        /// How long.
        lasted: Duration,
        /// What the last attempt said.
        message: String,
    },
    /// The journal failed, or another process has overtaken this one.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal's copy in the bucket failed, or another process has overtaken
    /// this one.
    #[error(transparent)]
    Shared(#[from] SharedError),
}

impl DriveError {
    /// The message of a failed poll that may succeed when it is tried again; any other error ends
    /// the driver.
    pub(crate) fn unless_passing(error: LookError) -> Result<String, DriveError> {
        match error {
            LookError::Passing(message) => Ok(message),
            LookError::Credentials(message) => Err(DriveError::Credentials(message)),
            LookError::Denied(message) => Err(DriveError::Denied(message)),
            LookError::Refused(message) => Err(DriveError::Refused(message)),
        }
    }
}

impl From<JournalError> for DriveError {
    fn from(error: JournalError) -> DriveError {
        match error {
            JournalError::Store(error) => error.into(),
            JournalError::Shared(error) => error.into(),
        }
    }
}
