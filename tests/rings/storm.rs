//! Ring 2, in a storm: whole releases on the virtual clock under everything at once,
//! from a seed.
//!
//! `BLUEGREEN_STORMS=20000 cargo test --test rings storm -- --nocapture` plays more of
//! them, `BLUEGREEN_STORM_SEED=17` the one that failed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bluegreen::clock::{Clock, Moment};
use bluegreen::deployment::Deployment;
use bluegreen::driver::DriveError;
use bluegreen::machine::{Kind, Order, obey};
use bluegreen::plan::Strategy;
use bluegreen::preflight::Wanted;
use bluegreen_sandbox::{Fault, FaultEffect, Phase, Sandbox, Service};
use tokio::sync::watch;

use crate::virtual_world::{Fate, VirtualWorld};

/// How many are played without being asked for more.
const STORMS: u64 = 1_000;
/// How many processes may be needed for one release before it counts as stuck.
const PROCESSES_MAX: u32 = 60;
/// How far a machine's clock may be off.
const CLOCK_OFF: Duration = Duration::from_secs(3600);

/// What the weather is like, drawn from the seed.
#[derive(Clone, Copy, Debug)]
struct Weather {
    strategy: Strategy,
    /// Shares of the calls.
    throttled: f64,
    answers_dropped: f64,
    deadly: f64,
    flapping: f64,
    stale_seconds: u64,
    /// The bucket is away this long, this often.
    outage: Duration,
    every: Duration,
}

impl Weather {
    fn of(rng: &mut fastrand::Rng) -> Weather {
        let share =
            |rng: &mut fastrand::Rng, most: f64| if rng.bool() { rng.f64() * most } else { 0.0 };
        Weather {
            strategy: if rng.bool() {
                Strategy::Restore
            } else {
                Strategy::Promote
            },
            throttled: if rng.bool() { 0.3 } else { 0.0 },
            answers_dropped: share(rng, 0.1),
            deadly: share(rng, 0.02),
            flapping: share(rng, 0.1),
            stale_seconds: if rng.bool() { rng.u64(1..20) } else { 0 },
            outage: Duration::from_secs(if rng.bool() { rng.u64(30..900) } else { 0 }),
            every: Duration::from_secs(rng.u64(1_000..4_000)),
        }
    }
}

async fn storm(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    // The SDK draws the pauses between its attempts from this thread's generator.
    fastrand::seed(seed);
    let weather = Weather::of(&mut rng);
    let world = VirtualWorld::new().await;
    let wanted = Wanted {
        label: Some("v2".to_owned()),
        strategy: weather.strategy,
        ..Wanted::default()
    };
    let mut deployment = world.begin(wanted).await.expect("preflight passes");
    break_loose(&world, weather, rng.fork());
    let mut processes = 0;
    while !deployment.state.is_end() {
        processes += 1;
        assert!(
            processes < PROCESSES_MAX,
            "seed {seed}, {weather:?}: no end of {deployment:?}"
        );
        if processes == PROCESSES_MAX / 2 {
            // The weather clears up at last.
            world.sandbox.with_world(|world, _| world.clear_faults());
            world.on_call(|_, _| Fate::Life);
        }
        process(&world, &mut rng, &mut deployment, seed).await;
    }
    let ends = deployment.state.kind();
    match ends {
        Kind::Completed | Kind::RolledBack => {}
        _ => panic!("seed {seed}, {weather:?}: {:?}", deployment.state),
    }
    // So that a failure below names its seed.
    println!("seed {seed}: {ends} after {processes} processes");
    match (weather.strategy, ends) {
        (Strategy::Promote, Kind::Completed) => world.check_green_is_promoted("v2"),
        (Strategy::Restore, Kind::Completed) => world.check_all_is_well("v2"),
        _ => world.check_all_is_well("v1"),
    }
}

/// One process on a machine whose clock is off: it drives until it dies, stops or
/// has nothing left to do. A disk may be gone before the next one, and a held
/// deployment is ordered on or back.
async fn process(
    world: &VirtualWorld,
    rng: &mut fastrand::Rng,
    deployment: &mut Deployment,
    seed: u64,
) {
    let now = world.clock.now();
    let clock = match rng.u8(..3) {
        0 => world.clock,
        1 => Clock::starting_at(now.after(CLOCK_OFF), 1.0),
        _ => Clock::starting_at(now.before(CLOCK_OFF), 1.0),
    };
    let (_signal, interrupted) = watch::channel(false);
    let driven = tokio::select! {
        biased;
        driven = world.process(deployment, clock, interrupted) => driven,
        () = world.died() => {
            if rng.bool() {
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
        Ok(true) if deployment.state.kind() == Kind::Held => {
            let order = if rng.bool() {
                Order::Resume
            } else {
                Order::Retreat
            };
            let (state, plan) = obey(&deployment.state, &deployment.plan, order).expect("held");
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
        Err(error) => panic!("seed {seed}: {error}"),
    }
}

/// Lets the weather loose on every call from now on.
fn break_loose(world: &VirtualWorld, weather: Weather, rng: fastrand::Rng) {
    if weather.stale_seconds > 0 {
        world.inject(FaultEffect::StaleReads {
            seconds: weather.stale_seconds,
        });
    }
    for (effect, probability) in [
        (FaultEffect::Throttle, weather.throttled),
        (FaultEffect::DropAnswer, weather.answers_dropped),
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
    world.on_call(move |call, phase| {
        let mut rng = rng.lock().expect("no panic holds it");
        if rng.f64() < weather.deadly {
            return Fate::Death;
        }
        let is_away = call.service == Service::S3
            && phase == Phase::Before
            && since_outage(clock.now(), weather) < weather.outage;
        if is_away {
            return Fate::Hangup;
        }
        if call.operation == "DescribeEnvironments" && phase == Phase::Before {
            flap(&sandbox, rng.f64() < weather.flapping);
        }
        Fate::Life
    });
}

fn since_outage(now: Moment, weather: Weather) -> Duration {
    let every = u64::try_from(weather.every.as_millis()).expect("an hour or so");
    Duration::from_millis(now.0 % every)
}

/// Every environment that was healthy shows a warning for one look, or is well
/// again.
fn flap(sandbox: &Sandbox, is_sick: bool) {
    sandbox.with_world(|world, _| {
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
            }
        }
    });
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// A storm on a runtime of its own: nothing is left of the one before, so that it
/// replays.
fn play(seed: u64) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(storm(seed));
}

/// Two halves, so that both cores work.
fn storms(half: u64) {
    if let Some(seed) = number("BLUEGREEN_STORM_SEED") {
        if seed % 2 == half {
            play(seed);
        }
        return;
    }
    let storms = number("BLUEGREEN_STORMS").unwrap_or(STORMS);
    (half..storms).step_by(2).for_each(play);
}

#[test]
fn even_storms_lose_nothing() {
    storms(0);
}

#[test]
fn odd_storms_lose_nothing() {
    storms(1);
}
