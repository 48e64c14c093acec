//! One attempt to deliver a message.

use std::pin::Pin;
use std::time::Duration;

use crate::notification::Notification;
use crate::receivers::Receiver;

/// A message on its way to a receiver.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The receiver.
    pub receiver: Receiver,
    /// What it is about.
    pub notification: Notification,
    /// The commands that lead on now, each with what it does.
    pub next: Vec<String>,
    /// Where the deployment's report is; none where it is not kept in the bucket.
    pub report: Option<String>,
    /// What the receiver calls its message about this deployment, where it updates one and has it.
    pub card: Option<String>,
}

/// Why an attempt has failed, without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The receiver is out of reach, slow or busy: another attempt may succeed.
    Unreached {
        /// Why, in words.
        why: String,
        /// How long the receiver wants to be left alone.
        pause: Option<Duration>,
    },
    /// The receiver refused the message, or a variable is missing: another attempt needs a change.
    Refused(String),
}

impl Failure {
    /// A receiver that is out of reach.
    pub fn unreached(why: impl Into<String>) -> Failure {
        Failure::Unreached {
            why: why.into(),
            pause: None,
        }
    }

    /// Why, in words.
    #[must_use]
    pub fn why(&self) -> &str {
        match self {
            Failure::Unreached { why, .. } | Failure::Refused(why) => why,
        }
    }
}

/// Whether a message arrived, and then what its receiver calls it where it can be updated.
pub type Delivered = Result<Option<String>, Failure>;

/// Sends messages to receivers.
pub trait Messenger: Send + Sync {
    /// Sends one message once.
    fn send<'a>(
        &'a self,
        delivery: &'a Delivery,
    ) -> Pin<Box<dyn Future<Output = Delivered> + Send + 'a>>;
}
