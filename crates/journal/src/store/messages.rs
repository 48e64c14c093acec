//! The messages to the receivers of deployments, as data.

use serde::{Deserialize, Serialize};

use bluegreen_clock::Moment;
use bluegreen_core::deployment::Deployment;
use bluegreen_core::notification::Notification;

/// A message that a receiver has not taken yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its number in this journal.
    pub number: i64,
    /// The place of the receiver among those of the deployment's plan.
    pub receiver: usize,
    /// The message.
    pub notification: Notification,
    /// How often it was sent.
    pub attempts: u64,
    /// How often the receiver itself has refused it.
    pub refusals: u64,
    /// When the next attempt is due, by this machine's clock.
    pub due_at: Moment,
}

/// What another machine needs to continue the deliveries of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outbox {
    /// The messages that were not delivered yet, in their order, each with the place of its
    /// receiver.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub undelivered: Vec<(usize, Notification)>,
    /// The messages that their receivers update in place: the place of the receiver, and what it
    /// calls the message.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cards: Vec<(usize, String)>,
}

/// How many messages an object in the bucket holds.
const OUTBOX_MAX: usize = 64;

/// The longest reference to a message that a receiver updates.
const REFERENCE_BYTES_MAX: usize = 256;

impl Outbox {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.undelivered.is_empty() && self.cards.is_empty()
    }

    /// The outbox with no more than an object in the bucket may hold.
    #[must_use]
    pub(crate) fn bounded(mut self) -> Outbox {
        let surplus = self.undelivered.len().saturating_sub(OUTBOX_MAX);
        self.undelivered.drain(..surplus);
        self
    }

    /// What of it can belong to this deployment.
    pub(super) fn of(&self, deployment: &Deployment) -> Outbox {
        let receivers = deployment.plan.wishes.notify.len();
        let id = &deployment.plan.id;
        let fits = |(receiver, message): &&(usize, Notification)| {
            *receiver < receivers && message.deployment == *id
        };
        let is_card = |(receiver, reference): &&(usize, String)| {
            *receiver < receivers && reference.len() <= REFERENCE_BYTES_MAX
        };
        Outbox {
            undelivered: self.undelivered.iter().filter(fits).cloned().collect(),
            cards: self.cards.iter().filter(is_card).cloned().collect(),
        }
    }
}
