//! The queue of a target: which processes wait for its lock, in order of arrival. Pure.
//!
//! It decides who goes first, and nothing that safety rests on: that is the lock's part. So a date
//! may decide here whether a process still waits.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::holder::Holder;
use super::object::{FORMAT, Kept};
use bluegreen_aws::state_key::Authenticity;
use bluegreen_clock::{Moment, part};

/// How many of the deployments that have begun the queue remembers.
const BEGUN_MAX: usize = 50;

/// The queue of a target. One object in the bucket, or one row of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// [`FORMAT`].
    pub format: u32,
    /// Grows with every write, so that each differs from the one before.
    pub revision: u64,
    /// The number of the next process that comes.
    pub next: u64,
    /// Who waits, the first in line first.
    pub waiting: Vec<Ticket>,
    /// The deployments that have begun, the latest last.
    pub begun: Vec<Begun>,
}

/// A process that waits for the lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Its place: a lower number goes first.
    pub number: u64,
    /// The id that its deployment will have.
    pub deployment: String,
    /// The process.
    pub holder: Holder,
    /// When it came.
    pub joined_at: Moment,
    /// When it was last heard of, by the clock of AWS.
    pub renewed_at: Moment,
    /// For how long it counts as waiting without being heard of.
    pub length_seconds: u64,
}

/// A deployment that has begun, and its place in the order of arrival.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// The number of its ticket; one that came without waiting got the next.
    pub number: u64,
    /// Its id.
    pub deployment: String,
    /// When it began.
    pub at: Moment,
}

impl Default for Queue {
    fn default() -> Queue {
        Queue {
            format: FORMAT,
            revision: 0,
            next: 1,
            waiting: Vec::new(),
            begun: Vec::new(),
        }
    }
}

impl Ticket {
    /// Whether its process may still wait: it was heard of within the ticket's length.
    #[must_use]
    pub fn is_alive(&self, now: Moment) -> bool {
        now.since(self.renewed_at) < self.length()
    }

    /// For how long it counts as waiting without being heard of.
    #[must_use]
    pub fn length(&self) -> Duration {
        Duration::from_secs(self.length_seconds)
    }
}

impl Queue {
    /// Takes a place at the end, or keeps the one that `me` has: a process that was not heard
    /// of for too long, and is alive after all, comes back to its own number. Who is gone loses
    /// its place. Renews nothing that was renewed within a third of the ticket's length.
    pub fn wait(&mut self, me: &Ticket, is_gone: impl Fn(&Ticket) -> bool) -> u64 {
        let now = me.renewed_at;
        let place = self
            .waiting
            .iter()
            .position(|t| t.deployment == me.deployment);
        if let Some(at) = place {
            let mine = &self.waiting[at];
            if now.since(mine.renewed_at) < part(me.length(), 3) {
                return mine.number;
            }
        }
        self.waiting.retain(|ticket| {
            ticket.deployment == me.deployment || ticket.is_alive(now) && !is_gone(ticket)
        });
        let mine = self
            .waiting
            .iter_mut()
            .find(|t| t.deployment == me.deployment);
        if let Some(mine) = mine {
            mine.renewed_at = now;
            return mine.number;
        }
        let number = match me.number {
            0 => self.draw(),
            number => number,
        };
        self.waiting.push(Ticket {
            number,
            ..me.clone()
        });
        self.waiting.sort_by_key(|ticket| ticket.number);
        number
    }

    /// Whether the process of this deployment has a place that it has not lost by silence.
    #[must_use]
    pub fn holds_a_place(&self, deployment: &str, now: Moment) -> bool {
        let mine = |ticket: &Ticket| ticket.deployment == deployment && ticket.is_alive(now);
        self.waiting.iter().any(mine)
    }

    fn draw(&mut self) -> u64 {
        let number = self.next;
        self.next = self.next.saturating_add(1);
        number
    }

    /// Who waits and goes before a process with this number; before one without a number,
    /// everybody does.
    pub fn ahead_of(
        &self,
        number: Option<u64>,
        now: Moment,
        is_gone: impl Fn(&Ticket) -> bool,
    ) -> Vec<Ticket> {
        let ahead = self.waiting.iter().filter(|ticket| {
            number.is_none_or(|mine| ticket.number < mine)
                && ticket.is_alive(now)
                && !is_gone(ticket)
        });
        ahead.cloned().collect()
    }

    /// The deployment of a process begins: it waits no more. One that did not wait gets the
    /// next number. Already so is success.
    pub fn begin(&mut self, deployment: &str, number: Option<u64>, now: Moment) {
        self.leave(deployment);
        if self
            .begun
            .iter()
            .any(|begun| begun.deployment == deployment)
        {
            return;
        }
        let number = number.unwrap_or_else(|| self.draw());
        self.begun.push(Begun {
            number,
            deployment: deployment.to_owned(),
            at: now,
        });
        let surplus = self.begun.len().saturating_sub(BEGUN_MAX);
        self.begun.drain(..surplus);
    }

    /// A process waits no more.
    pub fn leave(&mut self, deployment: &str) {
        self.waiting
            .retain(|ticket| ticket.deployment != deployment);
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

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: u64 = 120;

    fn at(seconds: u64) -> Moment {
        Moment(1_800_000_000_000 + seconds * 1000)
    }

    fn me(id: &str, number: u64, seconds: u64) -> Ticket {
        Ticket {
            number,
            deployment: id.to_owned(),
            holder: Holder::this_process(None),
            joined_at: at(seconds),
            renewed_at: at(seconds),
            length_seconds: LENGTH,
        }
    }

    fn nobody(_: &Ticket) -> bool {
        false
    }

    fn ahead(queue: &Queue, number: Option<u64>, seconds: u64) -> Vec<String> {
        let ahead = queue.ahead_of(number, at(seconds), nobody);
        ahead.into_iter().map(|ticket| ticket.deployment).collect()
    }

    #[test]
    fn whoever_comes_first_goes_first() {
        let mut queue = Queue::default();
        for (number, id) in [(1, "A"), (2, "B"), (3, "C")] {
            assert_eq!(queue.wait(&me(id, 0, number), nobody), number);
        }
        assert_eq!(ahead(&queue, Some(1), 4), [""; 0]);
        assert_eq!(ahead(&queue, Some(3), 4), ["A", "B"]);
        assert_eq!(ahead(&queue, None, 4), ["A", "B", "C"]);
        queue.begin("A", Some(1), at(5));
        queue.leave("C");
        assert_eq!(ahead(&queue, None, 6), ["B"]);
        // One that did not wait comes after those who do.
        queue.begin("D", None, at(7));
        queue.begin("D", None, at(8));
        let begun: Vec<_> = queue
            .begun
            .iter()
            .map(|b| (b.number, &*b.deployment))
            .collect();
        assert_eq!(begun, [(1, "A"), (4, "D")]);
    }

    #[test]
    fn who_is_gone_blocks_nobody_and_who_comes_back_has_its_number() {
        let mut queue = Queue::default();
        queue.wait(&me("A", 0, 0), nobody);
        queue.wait(&me("B", 0, 0), nobody);
        assert_eq!(ahead(&queue, Some(2), LENGTH - 1), ["A"]);
        assert_eq!(ahead(&queue, Some(2), LENGTH), [""; 0]);
        // Known to be dead before that.
        let gone = |ticket: &Ticket| ticket.deployment == "A";
        assert_eq!(queue.ahead_of(Some(2), at(1), gone), []);
        queue.wait(&me("B", 2, LENGTH), nobody);
        assert_eq!(queue.waiting.len(), 1, "A has lost its place");
        assert_eq!(queue.wait(&me("A", 1, LENGTH + 1), nobody), 1);
        assert_eq!(ahead(&queue, Some(2), LENGTH + 1), ["A"]);
    }

    #[test]
    fn what_needs_no_renewal_changes_nothing() {
        let mut queue = Queue::default();
        queue.wait(&me("A", 0, 0), nobody);
        let before = queue.clone();
        queue.wait(&me("A", 1, LENGTH / 3 - 1), nobody);
        assert_eq!(queue, before);
        queue.wait(&me("A", 1, LENGTH / 3), nobody);
        assert_eq!(queue.waiting[0].renewed_at, at(LENGTH / 3));
        assert_eq!(queue.waiting[0].joined_at, at(0));
    }

    #[test]
    fn no_more_is_remembered_than_may_be() {
        let mut queue = Queue::default();
        for number in 0..=BEGUN_MAX {
            queue.begin(&number.to_string(), None, at(0));
        }
        assert_eq!(queue.begun.len(), BEGUN_MAX);
        assert_eq!(queue.begun[0].deployment, "1");
    }
}
