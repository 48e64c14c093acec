//! Why a session ended before its deployment came to rest.

use crate::acceptance::Unset;
use crate::claim::{Attempted, ClaimError, Interrupted, WaitsFor};
use crate::cloud::LookError;
use crate::driver::DriveError;
use crate::machine::{Kind, NotPossible};
use crate::preflight::Refused;
use crate::shared::SharedError;
use crate::store::StoreError;
use crate::trust::Untrusted;

/// Why a session ended before its deployment came to rest. Except with [`Error::Drive`], it has
/// sent AWS no request that changes anything.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// It may not become the runner.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The release was refused before it began.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Production is not healthy yet, which the release waits for.
    #[error("{blue} is {status} and its health is {health}")]
    NotHealthy {
        /// Its environment.
        blue: String,
        /// The status of that.
        status: String,
        /// The health of that.
        health: String,
    },
    /// The order is not possible in this state.
    #[error(transparent)]
    NotPossible(#[from] NotPossible),
    /// AWS could not be read.
    #[error(transparent)]
    Look(#[from] LookError),
    /// A test lacks a variable.
    #[error(transparent)]
    Unset(#[from] Unset),
    /// The copy in the bucket needs what this process's configuration does not say.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// The copy in the bucket contradicts AWS.
    #[error("the copy of deployment {id} in bucket {bucket} does not agree with AWS: {what}")]
    Forged {
        /// The deployment.
        id: String,
        /// The bucket.
        bucket: String,
        /// In what they differ.
        what: String,
    },
    /// The credentials are of another account or region.
    #[error("{seen}; deployment {id} is in account {account}, region {region}")]
    Elsewhere {
        /// The account and region of the credentials.
        seen: String,
        /// The deployment.
        id: String,
        /// Its account.
        account: String,
        /// Its region.
        region: String,
    },
    /// The deployment is in neither journal any more.
    #[error("deployment {0} is gone")]
    Gone(String),
    /// The deployment that was to begin is there already.
    #[error("deployment {0} has begun already")]
    Begun(String),
    /// A flag differs from what the deployment's run was given.
    #[error(
        "{flag} differs from what the run of deployment {id} was given, which one that is under way \
         keeps"
    )]
    UnlikeItsRun {
        /// The flag.
        flag: &'static str,
        /// The deployment.
        id: String,
    },
    /// Nothing would request the approval of a pause, and the order does not give it.
    #[error(
        "deployment {id} is {state}, until --approve-url approves it, and no URL is named: it is kept \
         nowhere, because it may hold a secret"
    )]
    NoApprover {
        /// The deployment.
        id: String,
        /// The state that it pauses in.
        state: Kind,
    },
    /// A test sends its request to production's own CNAME: what answers there is not under test.
    #[error(
        "{0} asks production, which is not under test: whatever it answers says nothing of the \
         environment that is"
    )]
    TestsProduction(String),
    /// The deployment is not held for an outside change.
    #[error(
        "--discard-changes has no effect: deployment {id} is {state}, and not held for what somebody \
         else has changed"
    )]
    NothingToDiscard {
        /// The deployment.
        id: String,
        /// The state that it is in.
        state: Kind,
    },
    /// The bundle was not uploaded yet, and is not on this machine.
    #[error("the bundle {path} was not uploaded yet, and is not on this machine")]
    NoBundle {
        /// The deployment.
        id: String,
        /// Where the bundle was.
        path: String,
    },
    /// The label of a corrected version is registered with another bundle.
    #[error("version {version} is registered with another bundle, {registered}")]
    OtherBundle {
        /// The version label.
        version: String,
        /// Where the registered one lies, `bucket/key`.
        registered: String,
    },
    /// The deployment could not be taken over.
    #[error("{error}")]
    TakeOver {
        /// The deployment.
        id: String,
        /// Why.
        error: DriveError,
    },
    /// The driver ended early: the deployment stands at its last checkpoint.
    #[error("{error}")]
    Drive {
        /// The deployment.
        id: String,
        /// Whether it pauses for an approval.
        awaits_approval: bool,
        /// Why.
        error: DriveError,
    },
}

impl From<Interrupted> for Error {
    fn from(interrupted: Interrupted) -> Error {
        Error::Claim(interrupted.into())
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Error {
        Error::Claim(error.into())
    }
}

impl Error {
    /// A deployment that could not be carried on.
    pub(super) fn drive(id: &str, error: impl Into<DriveError>) -> Error {
        Error::Drive {
            id: id.to_owned(),
            awaits_approval: false,
            error: error.into(),
        }
    }

    /// A failed claim to continue a deployment.
    pub(super) fn claiming(id: &str, error: ClaimError) -> Error {
        match error {
            ClaimError::Shared(error) => Error::TakeOver {
                id: id.to_owned(),
                error: error.into(),
            },
            error => Error::Claim(error),
        }
    }
}

impl Attempted for Error {
    fn waits_for(&self) -> WaitsFor<'_> {
        match self {
            Error::Claim(ClaimError::Shared(SharedError::Unusable {
                error: LookError::Passing(_),
                ..
            }))
            | Error::Claim(ClaimError::Store(StoreError::InFlight { .. }))
            | Error::Look(LookError::Passing(_))
            | Error::Refused(Refused::Look(LookError::Passing(_)))
            | Error::NotHealthy { .. } => WaitsFor::Passing,
            Error::Claim(error) => error.waits_for(),
            Error::Refused(refused) if refused.may_pass() => WaitsFor::Passing,
            _ => WaitsFor::Nothing,
        }
    }
}
