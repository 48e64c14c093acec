//! What the deployments of one process share of an account and region: a rate of calls to Elastic
//! Beanstalk, and the answers of `DescribeEnvironments`.
//!
//! The limits of the service are not published; an account is throttled as a whole, with its console,
//! its pipelines and every other deployment. So the rate stays low, falls by half with each throttle
//! and grows back with answers (additive increase, multiplicative decrease, as TCP does, RFC 5681).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_elasticbeanstalk::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_elasticbeanstalk::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_elasticbeanstalk::error::BoxError;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::classify::is_throttle;
use crate::cloud::LookError;
use crate::retries::code_of;
use bluegreen_core::facts::Environment;

/// How many calls a second an account and region get at most, in the long run.
const CALLS_A_SECOND: f64 = 2.0;

/// How many calls may come at once after a pause.
const BURST: f64 = 15.0;

/// The lowest rate, in calls a second: a poll still ends.
const CALLS_A_SECOND_MIN: f64 = 0.2;

/// By how much an answer raises the rate, in calls a second.
const RAISE: f64 = 0.02;

/// How long a request for environments waits for others that it can be sent with.
const GATHER: Duration = Duration::from_millis(500);

/// How many environments one request names: its answer comes in one page.
const NAMES_MAX: usize = 100;

/// The rate of calls as a leaky bucket (GCRA, ITU-T I.371). Pure: a caller passes the time in.
#[derive(Clone, Copy, Debug)]
struct Rate {
    calls_a_second: f64,
    /// When the bucket is empty again, in seconds.
    empty_at: f64,
}

impl Rate {
    fn new() -> Rate {
        Rate {
            calls_a_second: CALLS_A_SECOND,
            empty_at: 0.0,
        }
    }

    /// Takes a place for one call at this time, in seconds; returns how long the call must wait for
    /// it.
    fn take(&mut self, now: f64) -> Duration {
        let wait = self.wait(now);
        self.empty_at = self.empty_at.max(now) + 1.0 / self.calls_a_second;
        wait
    }

    /// How long a call would wait now.
    fn wait(&self, now: f64) -> Duration {
        let allowed_at = self.empty_at - (BURST - 1.0) / self.calls_a_second;
        Duration::try_from_secs_f64(allowed_at - now).unwrap_or_default()
    }

    fn throttled(&mut self) {
        self.calls_a_second = (self.calls_a_second / 2.0).max(CALLS_A_SECOND_MIN);
    }

    fn answered(&mut self) {
        self.calls_a_second = (self.calls_a_second + RAISE).min(CALLS_A_SECOND);
    }
}

type Answer = Result<Vec<Environment>, LookError>;

/// What the deployments of one process share of an account and region.
#[derive(Clone, Debug)]
pub struct AccountLimits(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    rate: Mutex<Rate>,
    /// The requests for environments that are not sent yet, with who waits for the answers.
    waiting: Mutex<Vec<(Vec<String>, oneshot::Sender<Answer>)>>,
    began: Instant,
    /// How many of the service's seconds pass in one of the wall's.
    speed: f64,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AccountLimits {
    /// Limits for a service whose clock runs `speed` times as fast as the wall's: 1 except in a
    /// sandbox.
    #[must_use]
    pub fn new(speed: f64) -> AccountLimits {
        AccountLimits(Arc::new(Shared {
            rate: Mutex::new(Rate::new()),
            waiting: Mutex::default(),
            began: Instant::now(),
            speed,
        }))
    }

    fn now(&self) -> f64 {
        self.0.began.elapsed().as_secs_f64() * self.0.speed
    }

    async fn sleep(&self, span: Duration) {
        if !span.is_zero() {
            tokio::time::sleep(span.div_f64(self.0.speed)).await;
        }
    }

    /// Waits until a call that reads may be sent.
    pub(crate) async fn read(&self) {
        let wait = locked(&self.0.rate).take(self.now());
        self.sleep(wait).await;
    }

    /// Counts a call that changes something. It waits for no other.
    pub(crate) fn change(&self) {
        let _ = locked(&self.0.rate).take(self.now());
    }

    /// The environments with these names, by a request that `ask` sends: one for everybody who waits
    /// for environments when it is sent. So nobody gets an answer that is older than their question.
    pub(crate) async fn environments<F, R>(&self, names: &[String], ask: F) -> Answer
    where
        F: Fn(Vec<String>) -> R + Send + 'static,
        R: Future<Output = Answer> + Send,
    {
        let (answer, answered) = oneshot::channel();
        let is_first = {
            let mut waiting = locked(&self.0.waiting);
            waiting.push((names.to_vec(), answer));
            waiting.len() == 1
        };
        if is_first {
            let limits = self.clone();
            tokio::spawn(async move { limits.answer(ask).await });
        }
        let gone = |_| Err(LookError::Passing("the request was given up".to_owned()));
        answered.await.unwrap_or_else(gone)
    }

    async fn answer<F, R>(&self, ask: F)
    where
        F: Fn(Vec<String>) -> R,
        R: Future<Output = Answer>,
    {
        let wait = locked(&self.0.rate).wait(self.now());
        self.sleep(wait.max(GATHER)).await;
        let waiting = std::mem::take(&mut *locked(&self.0.waiting));
        let names: BTreeSet<String> = waiting
            .iter()
            .flat_map(|(names, _)| names.clone())
            .collect();
        let names: Vec<String> = names.into_iter().collect();
        let mut found = Ok(Vec::new());
        for some in names.chunks(NAMES_MAX) {
            let more = ask(some.to_vec()).await;
            found = found.and_then(|mut found| {
                found.extend(more?);
                Ok(found)
            });
        }
        for (names, answer) in waiting {
            let theirs = found.as_ref().map(|found| {
                let theirs = found.iter().filter(|one| names.contains(&one.name));
                theirs.cloned().collect()
            });
            // Who waited may be gone.
            let _ = answer.send(theirs.map_err(Clone::clone));
        }
    }
}

/// Lowers the rate with each throttle, and raises it with each answer.
impl Intercept for AccountLimits {
    fn name(&self) -> &'static str {
        "AccountLimits"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(answer) = context.response() else {
            return Ok(());
        };
        let is_success = answer.status().is_success();
        let is_throttle = !is_success && code_of(answer).is_some_and(|code| is_throttle(&code));
        let mut rate = locked(&self.0.rate);
        match is_throttle {
            true => rate.throttled(),
            false => rate.answered(),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_two_a_second() {
        let mut rate = Rate::new();
        let waits: Vec<_> = (0..20).map(|_| rate.take(100.0).as_millis()).collect();
        assert_eq!(waits[..15], [0; 15]);
        assert_eq!(waits[15..], [500, 1000, 1500, 2000, 2500]);
        // After a pause there is a burst again.
        assert_eq!(rate.take(200.0), Duration::ZERO);
    }

    #[test]
    fn a_throttle_halves_the_rate_and_answers_raise_it_again() {
        let mut rate = Rate::new();
        for _ in 0..20 {
            rate.throttled();
        }
        assert!((rate.calls_a_second - CALLS_A_SECOND_MIN).abs() < f64::EPSILON);
        for _ in 0..1000 {
            rate.answered();
        }
        assert!((rate.calls_a_second - CALLS_A_SECOND).abs() < f64::EPSILON);
    }

    fn environment(name: &str) -> Environment {
        Environment {
            name: name.to_owned(),
            ..Environment::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_at_the_same_time_shares_a_request() {
        let limits = AccountLimits::new(1.0);
        let sent = Arc::new(AtomicUsize::new(0));
        let asked = (0..150).map(|number| {
            let (limits, sent) = (limits.clone(), Arc::clone(&sent));
            async move {
                let names = [format!("blue-{number}"), format!("green-{number}")];
                let ask = move |names: Vec<String>| {
                    let sent = Arc::clone(&sent);
                    async move {
                        sent.fetch_add(1, Ordering::SeqCst);
                        Ok(names.iter().map(|name| environment(name)).collect())
                    }
                };
                let found = limits.environments(&names, ask).await.expect("an answer");
                let found: Vec<_> = found.into_iter().map(|one| one.name).collect();
                assert_eq!(found, names);
            }
        });
        let mut all = tokio::task::JoinSet::new();
        for one in asked {
            all.spawn(one);
        }
        all.join_all().await;
        // 300 environments in three pages.
        assert_eq!(sent.load(Ordering::SeqCst), 3);
    }
}
