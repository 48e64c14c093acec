//! Ring 2, in a storm: whole releases on the virtual clock under everything at once,
//! from a seed.
//!
//! `BLUEGREEN_STORMS=20000 cargo test --test rings storm -- --nocapture` plays more of
//! them, `BLUEGREEN_STORM_SEED=17` the one that failed.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bluegreen::approval::Approval;
use bluegreen::clock::Moment;
use bluegreen::deployment::Deployment;
use bluegreen::driver::DriveError;
use bluegreen::machine::{Kind, Order, obey};
use bluegreen::plan::{ApprovalLimit, Strategy};
use bluegreen::preflight::Wanted;
use bluegreen::store::Transition;
use bluegreen_sandbox::{Fault, FaultEffect, Phase, Sandbox, Service};
use tokio::sync::watch;

use crate::virtual_world::{Fate, Features, VirtualWorld, set_the_walls_clocks, v2};
use crate::{following_rules, tell};

/// How many are played without being asked for more.
const STORMS: u64 = 1_000;
/// How many processes may be needed for one release before it counts as stuck.
const PROCESSES_MAX: u32 = 60;
/// How long a release may take, on the virtual clock, before it counts as hanging.
const LASTS_AT_MOST: Duration = Duration::from_secs(60 * 86_400);
/// How far a machine's clock may be off, and is set in the middle of its work.
const CLOCK_OFF: Duration = Duration::from_secs(3600);

/// What the weather is like, drawn from the seed.
#[derive(Clone, Debug)]
struct Weather {
    strategy: Strategy,
    features: Features,
    version: Version,
    /// The operator's answers while a pause waits for its approval, and whether the
    /// deployment goes back where none is clear in time.
    approvals: Vec<Approval>,
    goes_back: bool,
    /// The hook that fails, by its number among all; none where there is no such.
    failing_hook: usize,
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
}

/// What the version to release is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Good,
    /// Its deploy fails, and so does the launch of a green that is to have it.
    FailsToDeploy,
    /// It deploys, and answers 500.
    Answers500,
}

impl Weather {
    fn of(rng: &mut fastrand::Rng) -> Weather {
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
        Weather {
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
        }
    }

    /// What is wrong with the version.
    fn bad_version(&self) -> Option<FaultEffect> {
        let label = "v2".to_owned();
        match (self.version, self.strategy) {
            (Version::Good, _) => None,
            (Version::Answers500, _) => Some(FaultEffect::VersionAnswers { label, status: 500 }),
            (Version::FailsToDeploy, Strategy::Restore | Strategy::Rehearse) => {
                Some(FaultEffect::VersionFailsToDeploy { label })
            }
            (Version::FailsToDeploy, Strategy::Promote) => Some(FaultEffect::LaunchTurnsRed {
                environment: "shop-blue-green".to_owned(),
            }),
        }
    }
}

/// What came of a storm.
#[derive(Debug, PartialEq)]
struct Outcome {
    ends: Kind,
    processes: u32,
    calls: BTreeMap<String, u64>,
    way: Vec<Transition>,
    /// How often each kind of weather struck.
    struck: BTreeMap<String, u64>,
}

/// How often what the sandbox does not count has struck.
type Struck = Arc<Mutex<BTreeMap<String, u64>>>;

fn count(struck: &Struck, what: &str) {
    let mut struck = struck.lock().expect("no panic holds it");
    *struck.entry(what.to_owned()).or_default() += 1;
}

async fn storm(seed: u64) -> Outcome {
    let mut rng = fastrand::Rng::with_seed(seed);
    // The SDK draws the pauses between its attempts from this thread's generator.
    fastrand::seed(seed);
    let weather = Weather::of(&mut rng);
    // Whatever fails below is known by its seed.
    println!("seed {seed}: {weather:?}");
    let mut world = VirtualWorld::new().await;
    world.sandbox.with_world(|world, _| world.seed_chance(seed));
    let wanted = wanted(&mut world, &weather);
    let mut deployment = world.begin(wanted).await.expect("preflight passes");
    let struck = Struck::default();
    break_loose(&world, &weather, rng.fork(), &struck);
    let mut processes = 0;
    while !deployment.state.is_end() {
        processes += 1;
        assert!(processes < PROCESSES_MAX, "no end of {deployment:?}");
        if processes == PROCESSES_MAX / 2 {
            // The weather clears up at last; the version stays what it is.
            world.sandbox.with_world(|world, _| world.clear_faults());
            world.on_call(|_, _| Fate::Life);
            flap(&world.sandbox, false);
            sound_alarm(&world.sandbox, false);
            weather
                .bad_version()
                .into_iter()
                .for_each(|bad| world.inject(bad));
        }
        process(&world, &mut rng, &mut deployment, &struck).await;
    }
    let report = world.sandbox.report();
    let deaths = world.deaths();
    world.sandbox.with_world(|world, _| world.clear_faults());
    world.on_call(|_, _| Fate::Life);
    let way = world.way(&deployment.plan.id).await;
    check(&world, &weather, &deployment, &way);
    let mut struck = struck.lock().expect("no panic holds it").clone();
    struck.extend(report.strikes);
    struck.insert("crashes".to_owned(), deaths);
    Outcome {
        ends: deployment.state.kind(),
        processes,
        calls: report.calls,
        way,
        struck,
    }
}

/// What the release asks for in this weather.
fn wanted(world: &mut VirtualWorld, weather: &Weather) -> Wanted {
    let wanted = Wanted {
        strategy: weather.strategy,
        ..v2()
    };
    let wanted = world.ask_for(weather.features, wanted);
    if let Some(hook) = world.config.hooks.get_mut(weather.failing_hook) {
        "exit 3".clone_into(&mut hook.command);
    }
    if weather.features.pause {
        world.desk.says(weather.approvals.clone());
        world.config.approval = Some(ApprovalLimit {
            limit: Duration::from_secs(1_800),
            goes_back: weather.goes_back,
        });
    }
    wanted
}

/// A version that is not fit never ends up in production, and whatever the end, all is
/// well.
#[track_caller]
fn check(world: &VirtualWorld, weather: &Weather, deployment: &Deployment, way: &[Transition]) {
    let stays = match (deployment.state.kind(), weather.strategy) {
        (Kind::Completed, Strategy::Promote) => {
            world.check_green_is_promoted("v2");
            "shop-blue-green"
        }
        (Kind::Completed, Strategy::Restore) => {
            world.check_all_is_well("v2");
            "shop-blue"
        }
        (Kind::Completed, Strategy::Rehearse) => {
            world.check_all_is_well("v1");
            "shop-blue"
        }
        (Kind::RolledBack, _) => {
            world.check_all_is_as_before(way);
            "shop-blue"
        }
        _ => panic!("{:?}", deployment.state),
    };
    if weather.strategy == Strategy::Rehearse {
        world.check_blue_was_left_alone();
    }
    let is_released = deployment.state.kind() == Kind::Completed;
    assert!(weather.version == Version::Good || !is_released);
    assert_eq!(world.sandbox.report().leftovers.records, [""; 0]);
    if weather.features.shared_balancer {
        following_rules::check_rules(world, stays);
    }
}

/// One process on a machine whose clock is off: it drives until it dies, stops or
/// has nothing left to do. A disk may be gone before the next one, and one that rests is
/// ordered on or back.
async fn process(
    world: &VirtualWorld,
    rng: &mut fastrand::Rng,
    deployment: &mut Deployment,
    struck: &Struck,
) {
    let now = world.clock.now();
    let clock = match rng.u8(..3) {
        0 => world.clock,
        1 => world.clock.set_to(now.after(CLOCK_OFF)),
        _ => world.clock.set_to(now.before(CLOCK_OFF)),
    };
    let (_signal, interrupted) = watch::channel(false);
    let driven = tokio::select! {
        biased;
        driven = world.process(deployment, clock, interrupted) => driven,
        () = world.died() => {
            if rng.bool() {
                count(struck, "lost_disks");
                world.lose_the_disk();
            }
            return;
        }
    };
    match driven {
        // Lost before it had done anything: another run begins it anew.
        Ok(false) => world
            .store()
            .create(deployment)
            .expect("the journal takes it"),
        Ok(true) if deployment.state.rests() && !deployment.state.is_end() => {
            let order = if rng.bool() {
                Order::Resume
            } else {
                Order::Retreat
            };
            let (state, plan) = obey(&deployment.state, &deployment.plan, order).expect("it rests");
            let now = world.clock.now();
            let mut next = deployment.entering(state, now);
            next.plan = plan;
            let ordered = world
                .store()
                .checkpoint(deployment, next, now, "ordered", None);
            ordered.expect("the journal takes it");
        }
        Ok(true)
        | Err(
            DriveError::Unreachable { .. } | DriveError::BucketAway { .. } | DriveError::Shared(_),
        ) => {}
        Err(error) => panic!("{error}"),
    }
}

/// Lets the weather loose on every call from now on.
fn break_loose(world: &VirtualWorld, weather: &Weather, rng: fastrand::Rng, struck: &Struck) {
    weather
        .bad_version()
        .into_iter()
        .for_each(|bad| world.inject(bad));
    if weather.stale_seconds > 0 {
        world.inject(FaultEffect::StaleReads {
            seconds: weather.stale_seconds,
        });
    }
    let late = FaultEffect::Late {
        seconds: weather.late_by,
    };
    for (effect, probability) in [
        (FaultEffect::Throttle, weather.throttled),
        (FaultEffect::DropAnswer, weather.answers_dropped),
        (late, weather.late),
    ] {
        if probability > 0.0 {
            world.inject(Fault {
                probability: Some(probability),
                ..Fault::from(effect)
            });
        }
    }
    let rng = Arc::new(Mutex::new(rng));
    let (sandbox, clock) = (world.sandbox.clone(), world.clock);
    let (weather, struck) = (weather.clone(), struck.clone());
    world.on_call(move |call, phase| {
        let mut rng = rng.lock().expect("no panic holds it");
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
            match call.operation.as_str() {
                "DescribeEnvironments" if flap(&sandbox, is_sick) => count(&struck, "flaps"),
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

fn since_outage(now: Moment, weather: &Weather) -> Duration {
    let every = u64::try_from(weather.every.as_millis()).expect("an hour or so");
    Duration::from_millis(now.0 % every)
}

/// Every environment that was healthy shows a warning for one look, or is well
/// again; whether any was made sick.
fn flap(sandbox: &Sandbox, is_sick: bool) -> bool {
    sandbox.with_world(|world, _| {
        let mut has_struck = false;
        for name in ["shop-blue", "shop-blue-green"] {
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

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// A storm on a runtime of its own: nothing is left of the one before, so that it
/// replays.
fn play(seed: u64) -> Outcome {
    let played = catch_unwind(AssertUnwindSafe(|| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let outcome = tokio::time::timeout(LASTS_AT_MOST, storm(seed)).await;
            outcome.expect("it ends in time")
        })
    }));
    played.unwrap_or_else(|panic| {
        tell(&format!(
            "a storm lost something: BLUEGREEN_STORM_SEED={seed} cargo test --test rings storm"
        ));
        resume_unwind(panic)
    })
}

/// Two halves, so that both cores work.
fn storms(half: u64) {
    if let Some(seed) = number("BLUEGREEN_STORM_SEED") {
        if seed % 2 == half {
            println!("{:?}", play(seed));
        }
        return;
    }
    let storms = number("BLUEGREEN_STORMS").unwrap_or(STORMS);
    let mut struck = BTreeMap::<String, u64>::new();
    let mut ways = BTreeMap::<String, u64>::new();
    for seed in (half..storms).step_by(2) {
        let outcome = play(seed);
        for (what, times) in outcome.struck {
            *struck.entry(what).or_default() += times;
        }
        for entered in outcome.way {
            *ways.entry(entered.to).or_default() += 1;
        }
    }
    tell(&format!("{} storms struck: {struck:?}", storms.div_ceil(2)));
    tell(&format!("states entered in them: {ways:?}"));
    if storms < STORMS {
        return;
    }
    for what in [
        "alarms",
        "clock_jumps",
        "crashes",
        "drop_answer",
        "flaps",
        "late",
        "lost_disks",
        "outages",
        "stale_reads",
        "throttle",
    ] {
        assert!(struck.get(what).is_some_and(|times| *times > 0), "{what}");
    }
    for state in Kind::ALL {
        let is_expected = !matches!(state, Kind::Preparing | Kind::Stuck);
        assert_eq!(
            ways.contains_key(&state.to_string()),
            is_expected,
            "{state}"
        );
    }
}

#[test]
fn even_storms_lose_nothing() {
    storms(0);
}

#[test]
fn odd_storms_lose_nothing() {
    storms(1);
}

/// What a storm does comes from its seed alone.
#[test]
fn a_storm_replays_from_its_seed() {
    for seed in 1..=8 {
        assert_eq!(play(seed), play(seed), "seed {seed}");
    }
    assert_ne!(play(1).calls, play(2).calls);
}
