//! Delivers the messages of a journal's outbox while a deployment runs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::delivery::{Delivered, Delivery, Failure, Messenger};
use crate::clock::{Clock, Moment};
use crate::deployment::Deployment;
use crate::plan::Target;
use crate::report::{Entry, leads_on, report_url};
use crate::secrets::{Secrets, of_this_process};
use crate::store::{Due, Store, StoreError};

/// How long one attempt may take, whatever it consists of.
const ATTEMPT: Duration = Duration::from_secs(10);

/// How long no other process may send a message that an attempt is under way for.
const ATTEMPT_LASTS: Duration = Duration::from_secs(30);

/// The pauses between two attempts: each twice the one before.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// After how many attempts a message is given up: a day of them.
const ATTEMPTS_MAX: u64 = 1500;

/// After how many refusals of the receiver itself a message is given up: what it refuses would hold
/// up every later one.
const REFUSALS_MAX: u64 = 5;

/// How often the outbox is read where nothing happens.
const IDLE: Duration = Duration::from_secs(10);

/// How long the deliveries may continue once the deployment rests.
const FLUSH: Duration = Duration::from_secs(5);

/// How long they may continue after a signal.
const FLUSH_INTERRUPTED: Duration = Duration::from_millis(300);

/// Delivers the messages of a deployment, and those that earlier processes have left.
pub struct Courier {
    store: Store,
    messenger: Arc<dyn Messenger>,
    /// The deployment whose lock this process holds.
    id: String,
    target: Target,
    /// What no text that leaves may hold.
    secrets: Secrets,
    /// This machine's time at the beginning; tokio's clock counts on from there.
    began: (Moment, Instant),
    under_way: JoinSet<(Due, Delivered)>,
    /// The messages of `under_way`.
    sent: BTreeSet<i64>,
    /// Those that failed once the deployment rested: they wait for the next command.
    left: BTreeSet<i64>,
    /// The receivers, by deployment, whose last attempt failed.
    failing: BTreeSet<(String, usize)>,
}

impl Courier {
    /// A courier for a deployment, where it has receivers or an earlier process has left messages.
    /// It opens the journal for itself; where that fails, the next command delivers.
    #[must_use]
    pub fn of(
        journal: &Store,
        deployment: &Deployment,
        messenger: Arc<dyn Messenger>,
    ) -> Option<Courier> {
        let opened = Courier::open(journal, deployment, messenger);
        opened.unwrap_or_else(|error| {
            warn!("messages are not delivered for now: {error}");
            None
        })
    }

    fn open(
        journal: &Store,
        deployment: &Deployment,
        messenger: Arc<dyn Messenger>,
    ) -> Result<Option<Courier>, StoreError> {
        let plan = &deployment.plan;
        let has_receivers = !plan.wishes.notify.is_empty();
        if !has_receivers && journal.due_messages(&plan.id, &plan.target)?.is_empty() {
            return Ok(None);
        }
        let store = Store::open(journal.path())?;
        // Whoever ran the deployment before is gone, and its attempts with it.
        store.take_messages(&plan.id)?;
        let receivers = plan.wishes.notify.iter();
        let variables = receivers.flat_map(|receiver| receiver.variables().map(str::to_owned));
        let mut variables: Vec<_> = variables.collect();
        variables.extend(plan.test_variables());
        Ok(Some(Courier {
            store,
            messenger,
            id: plan.id.clone(),
            target: plan.target.clone(),
            secrets: of_this_process(&variables),
            began: (Clock::system().now(), Instant::now()),
            under_way: JoinSet::new(),
            sent: BTreeSet::new(),
            left: BTreeSet::new(),
            failing: BTreeSet::new(),
        }))
    }

    /// Delivers until the deployment rests, as `rests` says, and a moment longer. `wake` says that
    /// there may be a new message. A failure of the journal ends it: the next command delivers what
    /// is left.
    pub async fn deliver(
        mut self,
        wake: &Notify,
        rests: watch::Receiver<bool>,
        interrupted: watch::Receiver<bool>,
    ) {
        let delivering = self.until_empty(wake, rests.clone());
        let ended = tokio::select! {
            biased;
            ended = delivering => ended,
            () = true_for(rests.clone(), FLUSH) => Ok(()),
            () = both_for(rests, interrupted, FLUSH_INTERRUPTED) => Ok(()),
        };
        if let Err(error) = ended {
            warn!(id = self.id, "messages are not delivered for now: {error}");
        }
        self.tell_what_is_left();
    }

    async fn until_empty(
        &mut self,
        wake: &Notify,
        mut rests: watch::Receiver<bool>,
    ) -> Result<(), StoreError> {
        loop {
            let is_last = *rests.borrow();
            let pause = self.begin_attempts(is_last)?;
            if is_last && self.under_way.is_empty() {
                return Ok(());
            }
            tokio::select! {
                Some(done) = self.under_way.join_next() => match done {
                    Ok((due, delivered)) => self.note(&due, delivered, is_last)?,
                    Err(error) => debug!("an attempt ended early: {error}"),
                },
                () = wake.notified() => {}
                _ = rests.wait_for(|rests| *rests), if !is_last => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Begins every attempt that is due; gives the time until the next one.
    fn begin_attempts(&mut self, is_last: bool) -> Result<Duration, StoreError> {
        let now = self.now();
        let mut pause = IDLE;
        for due in self.store.due_messages(&self.id, &self.target)? {
            if self.sent.contains(&due.number) || self.left.contains(&due.number) {
                continue;
            }
            let is_own = due.notification.deployment == self.id;
            if due.due_at > now && !(is_last && is_own) {
                pause = pause.min(due.due_at.since(now));
                continue;
            }
            let Some(delivery) = self.delivery(&due)? else {
                self.store.message_failed(&due, now, false, None)?;
                continue;
            };
            if self.store.begin_attempt(&due, now, ATTEMPT_LASTS)? {
                self.sent.insert(due.number);
                let messenger = self.messenger.clone();
                self.under_way.spawn(async move {
                    let sending = messenger.send(&delivery);
                    let sent = tokio::time::timeout(ATTEMPT, sending).await;
                    let late = || Failure::unreached("no answer in time");
                    (due, sent.unwrap_or_else(|_| Err(late())))
                });
            }
        }
        Ok(pause.max(Duration::from_millis(10)))
    }

    /// What is sent; `None` where the journal has no such receiver.
    fn delivery(&self, due: &Due) -> Result<Option<Delivery>, StoreError> {
        let id = &due.notification.deployment;
        let Some(deployment) = self.store.find(id)? else {
            return Ok(None);
        };
        let receivers = &deployment.plan.wishes.notify;
        let Some(receiver) = receivers.get(due.receiver).cloned() else {
            return Ok(None);
        };
        let mut notification = due.notification.clone();
        notification.why = self.secrets.hide(&notification.why);
        // Commands that lead on from a state lead nowhere once the deployment has left it.
        let still = deployment.state.kind().to_string() == notification.state;
        let report = report_url(&deployment);
        let next = match still && deployment.state.rests() {
            true => {
                let events = self.store.events(id)?;
                leads_on(&Entry::of(deployment, Vec::new(), events))
            }
            false => Vec::new(),
        };
        Ok(Some(Delivery {
            receiver,
            notification,
            next,
            report,
            card: self.store.card(id, due.receiver)?,
        }))
    }

    fn note(&mut self, due: &Due, delivered: Delivered, is_last: bool) -> Result<(), StoreError> {
        self.sent.remove(&due.number);
        let now = self.now();
        let notification = &due.notification;
        let lane = (notification.deployment.clone(), due.receiver);
        let (id, occasion) = (&notification.deployment, notification.occasion);
        let number = due.receiver + 1;
        let failure = match delivered {
            Ok(card) => {
                self.store.message_delivered(due, now, card.as_deref())?;
                match self.failing.remove(&lane) {
                    true => info!(id, "--notify {number} has got the message {occasion} now"),
                    false => debug!(id, "--notify {number} has got the message {occasion}"),
                }
                return Ok(());
            }
            Err(failure) => failure,
        };
        let is_refusal = matches!(failure, Failure::Refused(_));
        let is_over = is_refusal && due.refusals + 1 >= REFUSALS_MAX
            || due.attempts.saturating_add(1) >= ATTEMPTS_MAX;
        let again_at = (!is_over).then(|| now.after(pause_after(due.attempts, &failure)));
        self.store.message_failed(due, now, is_refusal, again_at)?;
        let why = self.secrets.hide(failure.why());
        if is_over {
            warn!(
                id,
                "--notify {number} does not get the message {occasion}, which is given up: {why}; \
                 the release is not affected"
            );
        } else if self.failing.insert(lane) {
            warn!(
                id,
                "--notify {number} has not got the message {occasion} yet: {why}; the release does \
                 not wait for it, and bluegreen sends it again"
            );
        } else {
            debug!(id, "--notify {number} has not got {occasion}: {why}");
        }
        if is_last && !is_over {
            self.left.insert(due.number);
        }
        Ok(())
    }

    fn tell_what_is_left(&self) {
        let left = self.store.outbox(&self.id).unwrap_or_default();
        let count = left.undelivered.len();
        if count > 0 {
            info!(
                id = self.id,
                "messages that are not delivered: {count}; the next command that carries out a \
                 deployment with this journal sends them"
            );
        }
    }

    fn now(&self) -> Moment {
        let (began, since) = self.began;
        began.after(since.elapsed())
    }
}

/// How long to wait after an attempt that failed; `attempts` were made before it.
fn pause_after(attempts: u64, failure: &Failure) -> Duration {
    let wanted = match failure {
        Failure::Unreached { pause, .. } => *pause,
        Failure::Refused(_) => None,
    };
    let doublings = u32::try_from(attempts).unwrap_or(u32::MAX).min(6);
    let own = PAUSE_MIN
        .saturating_mul(2_u32.pow(doublings))
        .min(PAUSE_MAX);
    wanted.unwrap_or_default().max(own)
}

/// Returns once this has been true for so long; never where it cannot become true any more.
async fn true_for(mut yes: watch::Receiver<bool>, span: Duration) {
    if yes.wait_for(|yes| *yes).await.is_err() {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(span).await;
}

/// The same of two.
async fn both_for(mut one: watch::Receiver<bool>, other: watch::Receiver<bool>, span: Duration) {
    if one.wait_for(|yes| *yes).await.is_err() {
        std::future::pending::<()>().await;
    }
    true_for(other, span).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_double_up_to_a_minute_and_heed_the_receivers_wish() {
        let refused = Failure::Refused(String::new());
        let pauses = [0, 1, 2, 5, 6, 1000].map(|attempts| pause_after(attempts, &refused));
        let seconds = pauses.map(|pause| pause.as_secs());
        assert_eq!(seconds, [1, 2, 4, 32, 60, 60]);
        let busy = Failure::Unreached {
            why: String::new(),
            pause: Some(Duration::from_secs(90)),
        };
        assert_eq!(pause_after(0, &busy).as_secs(), 90);
    }
}
