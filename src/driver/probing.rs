//! Requests to production, one a second, while a process runs a deployment. They decide nothing: a
//! task of their own sends them, and the driver takes what they came to when it comes by.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::acceptance::AcceptanceTest;
use crate::clock::{Clock, Moment};
use crate::cloud::Prober;
use crate::events::Probed;
use crate::facts::{Probe, Site};
use crate::plan::Plan;

/// The least time between two requests on the wall's clock, where a sandbox's runs faster.
const INTERVAL_MIN: Duration = Duration::from_millis(10);

/// What each CNAME of Elastic Beanstalk ends in.
const SUFFIXES: [&str; 2] = [".elasticbeanstalk.com", ".elasticbeanstalk.com.cn"];

/// How many requests may wait for their answers at a time.
const UNDER_WAY_MAX: usize = 6;

/// How long a stretch lasts that is kept as one event. Where the process has run for more than an
/// hour, it is a sixtieth of that: a drain of days must not fill the journal.
const STRETCH: Duration = Duration::from_secs(60);
const STRETCHES: u32 = 60;

/// Requests to production, until this is dropped.
pub(super) struct Probing {
    shared: Arc<Shared>,
    _task: JoinSet<()>,
}

struct Shared {
    prober: Arc<dyn Prober>,
    test: AcceptanceTest,
    site: Site,
    clock: Clock,
    /// When this process began.
    began: Moment,
    stretch: Mutex<Stretch>,
}

/// The stretch under way, and those that are over and nobody has taken.
struct Stretch {
    began: Moment,
    outcomes: Vec<(Option<Duration>, Option<String>)>,
    skipped: u32,
    over: Vec<Probed>,
}

impl Probing {
    /// Begins to send what the plan says, where it says so.
    pub fn begin(prober: Arc<dyn Prober>, plan: &Plan, clock: Clock) -> Option<Probing> {
        let cname = &plan.production_cname;
        // A copy of a plan that somebody else wrote leads into no other network.
        let is_beanstalks = SUFFIXES.iter().any(|suffix| cname.ends_with(suffix));
        let probe = plan.wishes.probe.as_ref().filter(|_| is_beanstalks)?;
        let test = probe.test();
        let began = clock.now();
        let shared = Arc::new(Shared {
            prober,
            test,
            // As a client does: by what DNS says now.
            site: Site {
                cname: cname.clone(),
                endpoint: None,
                front: plan.front,
            },
            clock,
            began,
            stretch: Mutex::new(Stretch::from(began)),
        });
        let mut task = JoinSet::new();
        task.spawn(Arc::clone(&shared).send());
        Some(Probing {
            shared,
            _task: task,
        })
    }

    /// What the stretches came to that are over; `closes` is whether the one under way is so now.
    pub fn take(&self, closes: bool) -> Vec<Probed> {
        let now = self.shared.clock.now();
        let mut stretch = self.shared.stretch();
        if closes {
            self.shared.close(&mut stretch, now);
        }
        std::mem::take(&mut stretch.over)
    }
}

impl Stretch {
    fn from(began: Moment) -> Stretch {
        Stretch {
            began,
            outcomes: Vec::new(),
            skipped: 0,
            over: Vec::new(),
        }
    }
}

impl Shared {
    fn stretch(&self) -> MutexGuard<'_, Stretch> {
        self.stretch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request a second, and none for a second that is over.
    async fn send(self: Arc<Shared>) {
        let mut under_way = JoinSet::new();
        let mut second: u64 = 0;
        loop {
            while under_way.try_join_next().is_some() {}
            let is_free = under_way.len() < UNDER_WAY_MAX;
            if is_free {
                under_way.spawn(Arc::clone(&self).ask());
            }
            let due = self
                .began
                .after(Duration::from_secs(second.saturating_add(1)));
            let left = due.since(self.clock.now());
            tokio::time::sleep(self.clock.wall(left).max(INTERVAL_MIN)).await;
            let now = self.clock.now();
            // A timer that fires a moment early has not lost that second.
            let at = now
                .since(self.began)
                .as_secs()
                .max(second.saturating_add(1));
            let passed = at.saturating_sub(second);
            second = at;
            self.pass(now, passed.saturating_sub(u64::from(is_free)));
        }
    }

    /// Sends one request and notes its outcome.
    async fn ask(self: Arc<Shared>) {
        let probe = self.prober.probe(&self.test, &self.site).await;
        let Probe {
            got,
            passed,
            latency,
            ..
        } = probe;
        let failed = (!passed).then_some(got);
        self.stretch().outcomes.push((latency, failed));
    }

    /// Notes that time has passed, with so many seconds without a request.
    fn pass(&self, now: Moment, skipped: u64) {
        let mut stretch = self.stretch();
        let skipped = u32::try_from(skipped).unwrap_or(u32::MAX);
        stretch.skipped = stretch.skipped.saturating_add(skipped);
        let length = STRETCH.max(now.since(self.began) / STRETCHES);
        if now.since(stretch.began) >= length {
            self.close(&mut stretch, now);
        }
    }

    /// Ends the stretch under way. A request without an answer yet counts to the next one.
    fn close(&self, stretch: &mut Stretch, now: Moment) {
        let over = std::mem::take(&mut stretch.over);
        let ended = std::mem::replace(
            stretch,
            Stretch {
                over,
                ..Stretch::from(now)
            },
        );
        if ended.outcomes.is_empty() && ended.skipped == 0 {
            return;
        }
        let request = self.test.asked(self.site.front, &self.site.cname);
        let span = (ended.began, now.since(ended.began));
        let probed = Probed::of(&request, span, &ended.outcomes, ended.skipped);
        stretch.over.push(probed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::cloud::Led;
    use crate::command::{End, Ran, Run};
    use crate::plan::ProbeOfProduction;

    /// Answers after this long; every third answer fails.
    #[derive(Debug)]
    struct Answers {
        after: Duration,
        count: AtomicUsize,
    }

    #[async_trait]
    impl Prober for Answers {
        async fn probe(&self, _: &AcceptanceTest, _: &Site) -> Probe {
            let number = self.count.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(self.after).await;
            let passed = number % 3 != 2;
            Probe {
                asked: String::new(),
                got: if passed { "200 OK" } else { "503" }.to_owned(),
                passed,
                is_sure: false,
                latency: Some(self.after),
                status: None,
                led_to: None,
                body: None,
            }
        }

        async fn run(&self, _: &Run) -> Ran {
            Ran {
                end: End::Exited(0),
                output: String::new(),
                lasted: Duration::ZERO,
            }
        }

        async fn nodes(&self, _: &str) -> Option<u32> {
            None
        }

        async fn look_up(&self, _: &str) -> Result<Led, String> {
            Err("nothing is looked up".to_owned())
        }
    }

    /// What requests came to that were answered after this long, sent for so many seconds.
    async fn probed(after: Duration, seconds: u64) -> Vec<Probed> {
        let mut plan = Plan::sample("01HXAMPLE");
        plan.production_cname = "shop.us-east-1.elasticbeanstalk.com".to_owned();
        plan.wishes.probe = Some(ProbeOfProduction::of("/health?key=hunter2", &[]));
        let prober = Arc::new(Answers {
            after,
            count: AtomicUsize::new(0),
        });
        let clock = Clock::starting_at(Moment(0), 1.0);
        let probing = Probing::begin(prober, &plan, clock).expect("the plan wants it");
        clock.sleep(Duration::from_secs(seconds)).await;
        let mut probed = probing.take(false);
        probed.extend(probing.take(true));
        probed
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_a_second_is_kept_by_the_minute() {
        let probed = probed(Duration::from_millis(40), 150).await;
        let sent: Vec<_> = probed.iter().map(|one| one.sent).collect();
        assert_eq!(sent.len(), 3, "{probed:?}");
        assert!((148..=151).contains(&sent.iter().sum::<u32>()), "{sent:?}");
        let failed: u32 = probed.iter().map(|one| one.failed).sum();
        assert_eq!(failed, 50);
        assert_eq!(probed[0].median, Duration::from_millis(40));
        let request = &probed[0].request;
        assert!(request.ends_with("/health?…"), "{request}");
        // The stretches follow each other without a gap.
        assert!(
            probed
                .windows(2)
                .all(|pair| pair[0].ended() == pair[1].began)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_hangs_is_not_sent_more_and_more() {
        let probed = probed(Duration::from_secs(3600), 120).await;
        let (sent, skipped) = probed.iter().fold((0, 0), |(sent, skipped), one| {
            (sent + one.sent, skipped + one.skipped)
        });
        assert_eq!(sent, 0, "nothing has an outcome");
        assert!((112..=114).contains(&skipped), "{skipped}");
    }

    #[tokio::test(start_paused = true)]
    async fn days_do_not_fill_the_journal() {
        let probed = probed(Duration::from_millis(1), 2 * 24 * 3600).await;
        assert!(probed.len() < 400, "{}", probed.len());
    }

    #[tokio::test]
    async fn a_plan_without_it_or_with_another_host_sends_nothing() {
        let prober = Arc::new(Answers {
            after: Duration::ZERO,
            count: AtomicUsize::new(0),
        });
        let mut plan = Plan::sample("01HXAMPLE");
        plan.production_cname = "shop.us-east-1.elasticbeanstalk.com".to_owned();
        assert!(Probing::begin(prober.clone(), &plan, Clock::system()).is_none());
        plan.wishes.probe = Some(ProbeOfProduction::of("/", &[]));
        plan.production_cname = "metadata.internal".to_owned();
        assert!(Probing::begin(prober, &plan, Clock::system()).is_none());
    }
}
