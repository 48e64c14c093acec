//! What the weather of a storm is like, drawn from its seed, and how it breaks loose.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bluegreen::approval::Approval;
use bluegreen::clock::Moment;
use bluegreen::plan::Strategy;
use bluegreen_sandbox::{Fault, FaultEffect, Phase, Reaches, Sandbox, Service, Setting};

use super::hands::{Hand, Past};
use super::waiters::Waiter;
use super::{CLOCK_OFF, Struck, count};
use crate::support::page::page;
use crate::support::virtual_world::{Fate, Features, VirtualWorld, set_the_walls_clocks};

/// What the weather is like.
#[derive(Clone, Debug)]
pub(super) struct Weather {
    pub strategy: Strategy,
    pub features: Features,
    pub version: Version,
    /// The operator's answers while a pause waits for its approval, and whether the
    /// deployment goes back where none is clear in time.
    pub approvals: Vec<Approval>,
    pub goes_back: bool,
    /// The hook that fails, by its number among all; none where there is no such.
    pub failing_hook: usize,
    /// Shares of the calls.
    throttled: f64,
    answers_dropped: f64,
    late: f64,
    deadly: f64,
    flapping: f64,
    clock_set: f64,
    /// Seconds.
    late_by: u64,
    stale_seconds: u64,
    /// The bucket is away this long, this often.
    outage: Duration,
    every: Duration,
    /// Clients that keep the name's answers for longer than they may.
    pub stubborn: Option<Stubborn>,
    /// Deploys of the version take longer than most.
    pub slow: Option<SlowDeploy>,
    /// Blue lives in Warning, which the operator accepts.
    pub lives_in_warning: bool,
    /// Environments whose health is worse for a while.
    pub ailments: Vec<Ailment>,
    /// Who waits for a turn behind the release.
    pub waiters: Vec<Waiter>,
    /// Somebody else who does something to the environments meanwhile.
    pub hand: Option<Hand>,
    /// A proxy that answers in AWS's place.
    proxy: Option<Proxy>,
    /// How many seconds a termination takes, where it is longer than most.
    slow_termination: Option<u64>,
    /// Seconds between two looks.
    pub poll: u64,
}

/// What the version to release is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Good,
    /// Its deploy fails, and so does the launch of a green that is to have it.
    FailsToDeploy,
    /// It deploys, and answers 500.
    Answers500,
    /// Its deploy reaches every instance, and tells otherwise.
    EndsBadly(&'static str),
    /// Its deploy reaches every instance, and ends in other words than most do; in none.
    EndsOtherwise(&'static str, &'static str),
    /// Its deploy reaches every instance, and says no more: it is given up and aborted.
    Hangs,
}

/// Clients that keep the name's answers for longer than they may, of a site so busy that each
/// of a hundred is more than a load balancer's health checks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stubborn {
    percent: u32,
    seconds: u64,
    /// What each client of the site sends a second.
    per_second: u64,
    /// Whether the operator accepts that their requests are lost.
    pub accepted: bool,
}

/// A deploy that takes longer than most.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlowDeploy {
    seconds: u64,
    /// How many batches it tells of; 0 where it is silent.
    batches: u32,
    policy: &'static str,
}

/// A proxy that answers in AWS's place to a share of the requests, whether it lets them pass or
/// not.
#[derive(Clone, Copy, Debug)]
struct Proxy {
    /// The share for each way in which a request fares.
    probability: f64,
    status: u16,
    body: &'static str,
}

/// An environment's health is worse for a while.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ailment {
    environment: &'static str,
    status: &'static str,
    /// Seconds since the weather broke loose.
    from: u64,
    seconds: u64,
}

pub(super) const BLUE: &str = "shop-blue";
pub(super) const GREEN: &str = "shop-blue-green";
const CLIENTS: usize = 100;
/// Longer than any storm.
const FOR_GOOD: u64 = 100 * 86_400;

impl Weather {
    pub fn of(rng: &mut fastrand::Rng) -> Weather {
        let share =
            |rng: &mut fastrand::Rng, most: f64| if rng.bool() { rng.f64() * most } else { 0.0 };
        let strategy = match rng.u8(..5) {
            0 | 1 => Strategy::Restore,
            2 | 3 => Strategy::Promote,
            _ => Strategy::Rehearse,
        };
        let features = Features {
            hooks: rng.u8(..4) == 0,
            pause: rng.u8(..4) == 0,
            alarms: rng.u8(..4) == 0,
            preview: rng.u8(..4) == 0,
            shared_balancer: rng.u8(..4) == 0,
            test_green: rng.u8(..4) == 0,
            test_command: rng.u8(..4) == 0,
            several_tests: rng.u8(..4) == 0,
        };
        let mut weather = Weather {
            strategy,
            features: match strategy {
                Strategy::Restore | Strategy::Promote => features,
                // What is only for production is left out of a rehearsal.
                Strategy::Rehearse => Features {
                    hooks: false,
                    pause: false,
                    alarms: false,
                    preview: false,
                    ..features
                },
            },
            version: match rng.u8(..8) {
                0 => Version::FailsToDeploy,
                1 => Version::Answers500,
                _ => Version::Good,
            },
            approvals: match rng.u8(..4) {
                0 => vec![Approval::Wait, Approval::Refused("409".to_owned())],
                1 => vec![Approval::Unclear("503".to_owned()), Approval::Wait],
                _ => vec![Approval::Wait, Approval::Granted],
            },
            goes_back: rng.bool(),
            failing_hook: rng.usize(..120),
            throttled: if rng.bool() { 0.3 } else { 0.0 },
            answers_dropped: share(rng, 0.1),
            late: share(rng, 0.05),
            deadly: share(rng, 0.02),
            flapping: share(rng, 0.1),
            clock_set: share(rng, 0.05),
            // A signature holds for five minutes.
            late_by: rng.u64(1..300),
            stale_seconds: if rng.bool() { rng.u64(1..20) } else { 0 },
            outage: Duration::from_secs(if rng.bool() { rng.u64(30..900) } else { 0 }),
            every: Duration::from_secs(rng.u64(1_000..4_000)),
            stubborn: None,
            slow: None,
            lives_in_warning: false,
            ailments: Vec::new(),
            waiters: Vec::new(),
            hand: None,
            proxy: None,
            slow_termination: None,
            poll: 30,
        };
        weather.draw_what_lasts(rng);
        weather
    }

    /// Most storms have one or none of what takes hours.
    fn draw_what_lasts(&mut self, rng: &mut fastrand::Rng) {
        // Green is launched on the version where it is to keep production.
        let deploys = self.strategy != Strategy::Promote;
        if rng.u8(..4) == 0 {
            self.stubborn = Some(Stubborn::of(rng));
        }
        if deploys && rng.u8(..6) == 0 {
            self.slow = Some(SlowDeploy::of(rng));
            // Nobody looks every half a minute for hours.
            self.poll = 120;
        }
        if deploys && self.version == Version::Good {
            self.version = match rng.u8(..12) {
                0 => Version::EndsBadly(rng.choice(FAILURES).expect("there are some")),
                1 => {
                    let (severity, text) = rng.choice(SUCCESSES).expect("there are some");
                    Version::EndsOtherwise(severity, text)
                }
                2 if self.strategy == Strategy::Restore => Version::Hangs,
                _ => Version::Good,
            };
        }
        if rng.u8(..8) == 0 {
            self.lives_in_warning = true;
            self.ailments.push(Ailment::for_good(BLUE));
            if rng.bool() {
                self.ailments.push(Ailment::for_good(GREEN));
            }
        } else if rng.u8(..5) == 0 {
            self.ailments = (0..rng.usize(1..3)).map(|_| Ailment::of(rng)).collect();
        }
        // Where green keeps production its name is another one for whoever comes next, and
        // whom stubborn clients leave stuck nobody releases behind.
        if deploys && self.stubborn.is_none() && rng.u8(..5) == 0 {
            self.waiters = Waiter::some(rng);
        }
        // Against what somebody else does nobody can look behind a stale look or a request that
        // arrives late, and nobody is to blame for their putting users on a bad version.
        let is_clear = self.stubborn.is_none() && self.slow.is_none() && self.waiters.is_empty();
        if is_clear && self.version == Version::Good && rng.u8(..4) == 0 {
            self.hand = Some(Hand::of(rng, self.strategy));
            (self.stale_seconds, self.late) = (0, 0.0);
        }
        if rng.u8(..3) == 0 {
            self.proxy = Some(Proxy::of(rng));
        }
        if rng.u8(..4) == 0 {
            self.slow_termination = Some(rng.u64(120..1_200));
        }
    }

    /// What is wrong with the version, or otherwise than with most.
    fn of_the_version(&self) -> Option<FaultEffect> {
        let label = "v2".to_owned();
        let ends_with = |severity: &str, message: &str| FaultEffect::UpdateEndsWith {
            label: label.clone(),
            severity: severity.to_owned(),
            message: message.to_owned(),
        };
        match (self.version, self.strategy) {
            (Version::Good, _) => None,
            (Version::EndsBadly(text), _) => Some(ends_with("WARN", text)),
            (Version::EndsOtherwise(severity, text), _) => Some(ends_with(severity, text)),
            (Version::Hangs, _) => Some(FaultEffect::UpdateHangs { label }),
            (Version::Answers500, _) => Some(FaultEffect::VersionAnswers { label, status: 500 }),
            (Version::FailsToDeploy, Strategy::Restore | Strategy::Rehearse) => {
                Some(FaultEffect::VersionFailsToDeploy { label })
            }
            (Version::FailsToDeploy, Strategy::Promote) => Some(FaultEffect::LaunchTurnsRed {
                environment: GREEN.to_owned(),
            }),
        }
    }

    /// What a proxy makes of requests: nothing, what they are meant for, or the same later.
    fn of_the_proxy(&self) -> Vec<(FaultEffect, f64)> {
        let Some(proxy) = self.proxy else {
            return Vec::new();
        };
        let mut reaches = vec![Reaches::Never, Reaches::AtOnce];
        // Nobody can look behind a late request of ours at what somebody else does.
        if self.hand.is_none() {
            reaches.push(Reaches::After(self.late_by));
        }
        let page = |reaches| page(proxy.status, proxy.body, reaches);
        let reaches = reaches.into_iter();
        reaches.map(|how| (page(how), proxy.probability)).collect()
    }

    /// Whether the version may be released.
    pub fn is_fit(&self) -> bool {
        matches!(self.version, Version::Good | Version::EndsOtherwise(..))
    }

    /// Whether requests may be lost: somebody has said so.
    pub fn accepts_losses(&self) -> bool {
        self.stubborn.is_some_and(|stubborn| stubborn.accepted)
    }

    /// What it has beside the wind that blows in most, in words.
    pub fn named(&self) -> Vec<&'static str> {
        let named = [
            ("stubborn clients", self.stubborn.is_some()),
            ("accepted losses", self.accepts_losses()),
            (
                "slow deploys with events",
                self.slow.is_some_and(|slow| slow.batches > 0),
            ),
            (
                "silent slow deploys",
                self.slow.is_some_and(|slow| slow.batches == 0),
            ),
            (
                "other endings",
                matches!(
                    self.version,
                    Version::EndsBadly(_) | Version::EndsOtherwise(..) | Version::Hangs
                ),
            ),
            ("life in Warning", self.lives_in_warning),
            (
                "long ailments",
                !self.lives_in_warning && !self.ailments.is_empty(),
            ),
            ("waiters", !self.waiters.is_empty()),
            ("somebody else's hands", self.hand.is_some()),
            ("answers that are not AWS's", self.proxy.is_some()),
            ("slow terminations", self.slow_termination.is_some()),
        ];
        let there = named.into_iter().filter(|(_, is_there)| *is_there);
        there.map(|(name, _)| name).collect()
    }

    /// What the world is like before the release begins.
    pub fn settle(&self, world: &mut VirtualWorld) {
        world.config.wishes.limits.poll = Duration::from_secs(self.poll);
        if let Some(stubborn) = self.stubborn {
            world.config.wishes.limits.accept_traffic_loss = stubborn.accepted;
            world.inject(FaultEffect::BusySite {
                clients: CLIENTS,
                per_second: stubborn.per_second,
            });
            world.inject(FaultEffect::LongCaches {
                seconds: stubborn.seconds,
                percent: stubborn.percent,
            });
        }
        if let Some(slow) = self.slow {
            world.sandbox.with_world(|world, _| {
                let blue = world.environment_mut(BLUE).expect("blue is there");
                let policy = |setting: &&mut Setting| setting.name == "DeploymentPolicy";
                let policy = blue.settings.iter_mut().find(policy);
                slow.policy
                    .clone_into(&mut policy.expect("it has one").value);
            });
        }
        if self.lives_in_warning {
            world.config.wishes.healthy = bluegreen::health::Health::Warning;
            self.ailments
                .iter()
                .for_each(|ailment| world.inject(ailment.fault()));
        }
    }

    /// What is so of the version, however long it lasts.
    pub fn inject_version(&self, world: &VirtualWorld) {
        self.of_the_version()
            .into_iter()
            .for_each(|fault| world.inject(fault));
    }

    /// Whether an environment's health is worse now, `since` the weather broke loose.
    fn ails(&self, environment: &str, since: Duration) -> bool {
        let ails = |ailment: &Ailment| {
            let from = Duration::from_secs(ailment.from);
            let until = from + Duration::from_secs(ailment.seconds);
            ailment.environment == environment && from <= since && since < until
        };
        self.ailments.iter().any(ails)
    }
}

/// Texts of deploys that fail.
const FAILURES: [&str; 5] = [
    "Failed to deploy application.",
    "Failed to deploy configuration.",
    "The environment was reverted to the previous configuration setting.",
    "Update environment operation is complete, but with errors.",
    "Update environment operation is complete, but with command timeouts. Try increasing the \
     timeout period.",
];

/// Severities and texts of deploys that succeed.
const SUCCESSES: [(&str, &str); 3] = [
    ("INFO", ""),
    ("INFO", "Environment update completed successfully."),
    ("WARN", "Environment update completed successfully."),
];

impl Stubborn {
    fn of(rng: &mut fastrand::Rng) -> Stubborn {
        Stubborn {
            // A few that stay are harder to see than many.
            percent: if rng.bool() {
                rng.u32(1..=10)
            } else {
                rng.u32(11..=100)
            },
            // Some leave within the drain's limit.
            seconds: match rng.u8(..3) {
                0 => rng.u64(90..600),
                _ => rng.u64(600..36_000),
            },
            per_second: rng.u64(4..=40),
            accepted: rng.u8(..4) == 0,
        }
    }
}

impl SlowDeploy {
    fn of(rng: &mut fastrand::Rng) -> SlowDeploy {
        const POLICIES: [&str; 5] = [
            "AllAtOnce",
            "Rolling",
            "RollingWithAdditionalBatch",
            "Immutable",
            "TrafficSplitting",
        ];
        SlowDeploy {
            seconds: match rng.u8(..3) {
                0 => rng.u64(120..1_800),
                1 => rng.u64(1_800..7_200),
                _ => rng.u64(7_200..14_400),
            },
            batches: if rng.bool() { 0 } else { rng.u32(1..10) },
            policy: POLICIES[rng.usize(..POLICIES.len())],
        }
    }

    fn fault(self) -> FaultEffect {
        FaultEffect::SlowDeploy {
            label: "v2".to_owned(),
            seconds: self.seconds,
            batches: self.batches,
        }
    }
}

impl Proxy {
    fn of(rng: &mut fastrand::Rng) -> Proxy {
        let page = "<!DOCTYPE html><html><body>Access denied</body></html>";
        let answers = [
            (200, page),
            (200, ""),
            (302, page),
            (403, page),
            (404, page),
            (407, ""),
            (502, page),
        ];
        let (status, body) = *rng.choice(&answers).expect("there are some");
        Proxy {
            probability: rng.f64() * 0.03,
            status,
            body,
        }
    }
}

impl Ailment {
    fn of(rng: &mut fastrand::Rng) -> Ailment {
        Ailment {
            environment: if rng.bool() { BLUE } else { GREEN },
            status: "Warning",
            // Before, during and after the first swap, which comes within some ten minutes.
            from: rng.u64(..2_400),
            seconds: if rng.bool() {
                rng.u64(60..1_200)
            } else {
                rng.u64(1_200..14_400)
            },
        }
    }

    fn for_good(environment: &'static str) -> Ailment {
        Ailment {
            environment,
            status: "Warning",
            from: 0,
            seconds: FOR_GOOD,
        }
    }

    fn fault(&self) -> FaultEffect {
        FaultEffect::EnvironmentHealth {
            environment: self.environment.to_owned(),
            status: self.status.to_owned(),
            seconds: self.seconds,
            cause: None,
        }
    }
}

/// Lets the weather loose on every call from now on.
pub(super) fn break_loose(
    world: &VirtualWorld,
    weather: &Weather,
    rng: fastrand::Rng,
    struck: &Struck,
) {
    weather.inject_version(world);
    weather
        .slow
        .into_iter()
        .for_each(|slow| world.inject(slow.fault()));
    if weather.stale_seconds > 0 {
        world.inject(FaultEffect::StaleReads {
            seconds: weather.stale_seconds,
        });
    }
    if let Some(seconds) = weather.slow_termination {
        world
            .sandbox
            .with_world(|world, _| world.timings.terminate_seconds = seconds);
    }
    let late = FaultEffect::Late {
        seconds: weather.late_by,
    };
    let of_the_wire = [
        (FaultEffect::Throttle, weather.throttled),
        (FaultEffect::DropAnswer, weather.answers_dropped),
        (late, weather.late),
    ];
    for (effect, probability) in of_the_wire.into_iter().chain(weather.of_the_proxy()) {
        if probability > 0.0 {
            world.inject(Fault {
                probability: Some(probability),
                ..Fault::from(effect)
            });
        }
    }
    let rng = Arc::new(Mutex::new(rng));
    let (sandbox, clock) = (world.sandbox.clone(), world.clock);
    let broke_loose_at = clock.now();
    let mut to_come = weather.ailments.clone();
    to_come.retain(|_| !weather.lives_in_warning);
    let to_come = Mutex::new(to_come);
    let hand = Mutex::new((weather.hand, Past::default()));
    let (weather, struck) = (weather.clone(), struck.clone());
    world.on_call(move |call, phase| {
        let mut rng = rng.lock().expect("no panic holds it");
        let since = clock.now().since(broke_loose_at);
        to_come
            .lock()
            .expect("no panic holds it")
            .retain(|ailment| {
                let begins = since >= Duration::from_secs(ailment.from);
                if begins {
                    sandbox.with_world(|world, _| world.inject(ailment.fault()));
                }
                !begins
            });
        let (hand, past) = &mut *hand.lock().expect("no panic holds it");
        if let Some(somebody) = hand
            && phase == Phase::Before
            && call.operation == "DescribeEnvironments"
            && sandbox.with_world(|world, _| somebody.acts(world, past, clock.now()))
        {
            *hand = None;
            count(&struck, "hands");
        }
        if rng.f64() < weather.clock_set {
            let by = i64::try_from(CLOCK_OFF.as_secs()).expect("an hour");
            set_the_walls_clocks(if rng.bool() { by } else { -by });
            count(&struck, "clock_jumps");
        }
        if rng.f64() < weather.deadly {
            return Fate::Death;
        }
        let is_away = call.service == Service::S3
            && phase == Phase::Before
            && since_outage(clock.now(), &weather) < weather.outage;
        if is_away {
            count(&struck, "outages");
            return Fate::Hangup;
        }
        if phase == Phase::Before {
            let is_sick = rng.f64() < weather.flapping;
            let ails = |environment: &str| weather.ails(environment, since);
            match call.operation.as_str() {
                "DescribeEnvironments" if flap(&sandbox, is_sick, ails) => {
                    count(&struck, "flaps");
                }
                "DescribeAlarms" if weather.features.alarms => {
                    sound_alarm(&sandbox, is_sick);
                    if is_sick {
                        count(&struck, "alarms");
                    }
                }
                _ => {}
            }
        }
        Fate::Life
    });
}

/// The weather clears up; the version stays what it is.
pub(super) fn clear_up(world: &VirtualWorld, weather: &Weather) {
    world.sandbox.with_world(|world, _| world.clear_faults());
    world.on_call(|_, _| Fate::Life);
    flap(&world.sandbox, false, |_| false);
    sound_alarm(&world.sandbox, false);
    weather.inject_version(world);
}

fn since_outage(now: Moment, weather: &Weather) -> Duration {
    let every = u64::try_from(weather.every.as_millis()).expect("an hour or so");
    Duration::from_millis(now.0 % every)
}

/// Every environment that was healthy shows a warning for one look, or is well
/// again unless it `ails` for longer; whether any was made sick.
fn flap(sandbox: &Sandbox, is_sick: bool, ails: impl Fn(&str) -> bool) -> bool {
    sandbox.with_world(|world, _| {
        let mut has_struck = false;
        for name in [BLUE, GREEN].into_iter().filter(|name| !ails(name)) {
            let Some(environment) = world.environment_mut(name) else {
                continue;
            };
            let (from, to) = if is_sick {
                (("Green", "Ok"), ("Yellow", "Warning"))
            } else {
                (("Yellow", "Warning"), ("Green", "Ok"))
            };
            if (
                environment.health.as_str(),
                environment.health_status.as_str(),
            ) == from
            {
                to.0.clone_into(&mut environment.health);
                to.1.clone_into(&mut environment.health_status);
                has_struck |= is_sick;
            }
        }
        has_struck
    })
}

fn sound_alarm(sandbox: &Sandbox, is_sick: bool) {
    let state = if is_sick { "ALARM" } else { "OK" };
    sandbox.with_world(|world, _| world.set_alarm("errors", state));
}
