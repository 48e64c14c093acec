//! The lock object of a target.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::holder::Holder;
use super::keys::lease_key;
use super::object::Kept;
use crate::store::Store;
use bluegreen_aws::state_key::Authenticity;
use bluegreen_clock::Moment;
use bluegreen_core::facts::Wait;
use bluegreen_core::machine::Kind;
use bluegreen_core::plan::{Target, is_id};
use bluegreen_core::text::foreign;

/// The lock object of a target. It stays when the lock is given back: its fencing number only ever
/// grows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRecord {
    /// [`FORMAT`](super::FORMAT).
    pub format: u32,
    /// The fencing number: grows whenever the lock is taken.
    pub fence: u64,
    /// The target that the lock is for.
    pub target: Target,
    /// The deployment that it was last taken for.
    pub deployment: String,
    /// The kind of the state that deployment is in.
    pub doing: String,
    /// What that state waits for, as of the last renewal: for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<Wait>,
    /// Who holds it; none where it is free.
    pub holder: Option<Holder>,
    /// When it was taken.
    pub taken_at: Moment,
    /// When it was last renewed, by the holder's clock: for people. Whoever waits for it judges by
    /// their own clock whether it has run out.
    pub renewed_at: Moment,
    /// How often it was renewed.
    pub renewals: u64,
    /// For how long it lasts without a renewal.
    pub length_seconds: u64,
    /// Whether an operator has ordered the holder to roll back.
    pub retreat_requested: bool,
}

impl LeaseRecord {
    /// Whether it was given back once its deployment had ended, as far as it says itself.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        let mut ends = Kind::ALL.into_iter().filter(|kind| kind.is_end());
        self.holder.is_none() && ends.any(|kind| kind.to_string() == self.doing)
    }

    /// For how long it lasts without a renewal.
    #[must_use]
    pub fn length(&self) -> Duration {
        Duration::from_secs(self.length_seconds)
    }

    /// Whether its holder has the same journal as `me`, under the same kernel.
    #[must_use]
    pub fn is_of_this_journal(&self, me: &Holder) -> bool {
        let holder = self.holder.as_ref();
        holder.is_some_and(|holder| holder.shares_journal_with(me))
    }

    /// Whether its holder is a process of `me`'s journal, `store`, that has ended.
    #[must_use]
    pub fn is_of_a_dead_process(&self, store: &Store, me: &Holder) -> bool {
        self.is_of_this_journal(me) && !store.is_driven(&self.deployment)
    }

    /// Who holds it, since when, and what that process is doing.
    #[must_use]
    pub fn in_words(&self) -> String {
        let words = match &self.holder {
            Some(holder) => format!(
                "{holder} has held {}/{} since {} for deployment {}, which is {} (lock {}, last \
                 renewed {})",
                self.target.application,
                self.target.blue,
                self.taken_at,
                self.deployment,
                self.doing,
                self.fence,
                self.renewed_at,
            ),
            None => format!(
                "{}/{} is free since deployment {} (lock {})",
                self.target.application, self.target.blue, self.deployment, self.fence
            ),
        };
        foreign(&words)
    }
}

impl Kept for LeaseRecord {
    fn check(&self, _: &str, key: &str) -> Result<(), String> {
        if lease_key(&self.target) != key {
            return Err("it is of another target".to_owned());
        }
        is_id(&self.deployment)
    }

    /// Accepts any holder, because that only decides who waits for whom. Leaves out an order to
    /// roll back whose code is wrong.
    fn is_acceptable(&mut self, authenticity: Authenticity) -> bool {
        self.retreat_requested &= authenticity != Authenticity::Wrong;
        true
    }
}
