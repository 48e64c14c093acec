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

/// From one request to the next.
const INTERVAL: Duration = Duration::from_secs(1);

/// The least time between two requests on the wall's clock, where a sandbox's runs faster.
const INTERVAL_MIN: Duration = Duration::from_millis(10);

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
        let test = plan.wishes.probe.as_ref()?.test();
        let began = clock.now();
        let shared = Arc::new(Shared {
            prober,
            test,
            // As a client does: by what DNS says now.
            site: Site {
                cname: plan.production_cname.clone(),
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

    /// Sends a request a second, and never two for a second that is over.
    async fn send(self: Arc<Shared>) {
        let mut under_way = JoinSet::new();
        let mut last = self.clock.now();
        loop {
            while under_way.try_join_next().is_some() {}
            let is_free = under_way.len() < UNDER_WAY_MAX;
            if is_free {
                under_way.spawn(Arc::clone(&self).ask());
            }
            tokio::time::sleep(self.clock.wall(INTERVAL).max(INTERVAL_MIN)).await;
            let now = self.clock.now();
            let seconds = now.since(last).as_secs().max(1);
            last = now;
            self.pass(now, seconds.saturating_sub(u64::from(is_free)));
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
        let ended = std::mem::replace(stretch, Stretch { over, ..Stretch::from(now) });
        if ended.outcomes.is_empty() && ended.skipped == 0 {
            return;
        }
        let request = self.test.asked(self.site.front, &self.site.cname);
        let span = (ended.began, now.since(ended.began));
        let probed = Probed::of(&request, span, &ended.outcomes, ended.skipped);
        stretch.over.push(probed);
    }
}
