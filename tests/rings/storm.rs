//! Ring 2, in a storm: whole releases on the virtual clock under everything at once,
//! from a seed.
//!
//! `BLUEGREEN_STORMS=20000 cargo test --test rings storm -- --nocapture` plays more of
//! them, `BLUEGREEN_STORM_SEED=17` the one that failed.

mod hands;
mod waiters;
mod weather;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bluegreen::deployment::Deployment;
use bluegreen::driver::DriveError;
use bluegreen::heap::on_heap;
use bluegreen::machine::{Cause, Kind, Order, State, obey};
use bluegreen::plan::{ApprovalLimit, Goal, Strategy};
use bluegreen::preflight::Wanted;
use bluegreen::store::Transition;
use tokio::sync::watch;

use crate::support::parallel::{cores, in_parallel};
use crate::support::shared_balancer;
use crate::support::virtual_world::{Fate, VirtualWorld, v2};
use bluegreen_testing::sample::sampled;
use bluegreen_testing::tell;
use waiters::{Waited, Waiter};
use weather::{Weather, break_loose, clear_up};

/// How many are played without being asked for more.
const STORMS: u64 = 1_000;
/// How many processes may be needed for one release before it counts as stuck.
const PROCESSES_MAX: u32 = 60;
/// How long a release may take, on the virtual clock, before it counts as hanging.
const LASTS_AT_MOST: Duration = Duration::from_secs(60 * 86_400);
/// How far a machine's clock may be off, and is set in the middle of its work.
const CLOCK_OFF: Duration = Duration::from_secs(3600);

/// What came of a storm.
#[derive(Debug, PartialEq)]
struct Outcome {
    ends: Kind,
    weather: Vec<&'static str>,
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
    weather
        .waiters
        .iter()
        .for_each(|waiter| waiter.register(&world));
    weather
        .hand
        .into_iter()
        .for_each(|hand| hand.register(&world));
    let mut deployment = world.begin(wanted).await.expect("preflight passes");
    if !weather.waiters.is_empty() {
        waiters::begins(&world, &deployment).await;
    }
    let struck = Struck::default();
    break_loose(&world, &weather, rng.fork(), &struck);
    let mut waiters = weather.waiters.iter().map(|waiter| (waiter, rng.fork()));
    let waiters = [waiters.next(), waiters.next()];
    let [earlier, later] = waiters.map(async |waiter: Option<(&Waiter, _)>| {
        let (waiter, rng) = waiter?;
        Some(on_heap(|| waiter.play(&world, &weather, rng, &struck)).await)
    });
    let first = on_heap(|| play_on(&world, &weather, &mut rng, &mut deployment, &struck));
    let ((processes, is_left), earlier, later) = tokio::join!(first, earlier, later);
    let waited: Vec<_> = earlier.into_iter().chain(later).collect();
    let report = world.sandbox.report();
    let deaths = world.deaths();
    world.sandbox.with_world(|world, _| world.clear_faults());
    world.on_call(|_, _| Fate::Life);
    let way = world.way(&deployment.plan.id).await;
    let mut struck = struck.lock().expect("no panic holds it").clone();
    match weather.hand {
        Some(hand) => hands::check(&world, hand, struck.contains_key("hands"), &deployment),
        None if weather.waiters.is_empty() => check(&world, &weather, &deployment, &way),
        None => check_turns(&world, &weather, &deployment, &waited),
    }
    let overtaken = |waited: &&Waited| matches!(waited, Waited::Overtaken(_));
    if waited.iter().any(|waited| overtaken(&waited)) {
        struck.insert("overtaken".to_owned(), 1);
    }
    struck.extend(report.strikes);
    struck.insert("crashes".to_owned(), deaths);
    struck.insert("losses_accepted".to_owned(), world.sandbox.report().lost);
    struck.insert("left_as_held".to_owned(), is_left.into());
    let tells = |t: &&Transition| t.why.contains("traffic does not follow");
    let stays = way.iter().filter(tells).count();
    struck.insert(
        "traffic_stays".to_owned(),
        u64::try_from(stays).expect("a few"),
    );
    Outcome {
        ends: deployment.state.kind(),
        weather: weather.named(),
        processes,
        calls: report.calls,
        way,
        struck,
    }
}

/// Processes drive the release one after the other until it has ended or is left as it is
/// held; how many, and whether it is left.
async fn play_on(
    world: &VirtualWorld,
    weather: &Weather,
    rng: &mut fastrand::Rng,
    deployment: &mut Deployment,
    struck: &Struck,
) -> (u32, bool) {
    let mut processes = 0;
    let mut is_left = false;
    while !deployment.state.is_end() && !is_left {
        processes += 1;
        assert!(processes < PROCESSES_MAX, "no end of {deployment:?}");
        if processes == PROCESSES_MAX / 2 {
            clear_up(world, weather);
        }
        is_left = process(world, rng, deployment, struck).await;
    }
    (processes, is_left)
}

/// What the release asks for in this weather.
fn wanted(world: &mut VirtualWorld, weather: &Weather) -> Wanted {
    weather.settle(world);
    let wanted = Wanted {
        strategy: weather.strategy,
        ..v2()
    };
    let wanted = world.ask_for(weather.features, wanted);
    if let Some(hook) = world.config.wishes.hooks.get_mut(weather.failing_hook) {
        "exit 3".clone_into(&mut hook.command);
    }
    if weather.features.pause {
        world.desk.says(weather.approvals.clone());
        world.config.wishes.approval = Some(ApprovalLimit {
            limit: Duration::from_secs(1_800),
            goes_back: weather.goes_back,
        });
    }
    wanted
}

/// A version that is not fit never ends up in production, and whatever the end, all is
/// well: nobody has lost a request, but where an operator has given it up.
#[track_caller]
fn check(world: &VirtualWorld, weather: &Weather, deployment: &Deployment, way: &[Transition]) {
    let stays = match (&deployment.state, weather.strategy) {
        (State::Completed, Strategy::Promote) => {
            world.check_green_is_promoted("v2");
            "shop-blue-green"
        }
        (State::Completed, Strategy::Restore) => {
            world.check_all_is_well("v2");
            "shop-blue"
        }
        (State::Completed, Strategy::Rehearse) => {
            world.check_all_is_well("v1");
            "shop-blue"
        }
        (State::RolledBack { .. }, _) => {
            world.check_all_is_as_before(way);
            "shop-blue"
        }
        (State::Held { .. }, Strategy::Restore) => {
            world.check_is_served_by("shop-blue-green", "v1");
            "shop-blue-green"
        }
        // What production has left is not terminated under whoever stays there.
        (
            State::Stuck {
                cause: Cause::TrafficStays { on, .. },
            },
            _,
        ) if weather.stubborn.is_some() => {
            let serving = deployment.plan.environment(on.other());
            let runs = if deployment.plan.goal == Goal::Release && weather.is_fit() {
                "v2"
            } else {
                "v1"
            };
            world.check_is_served_by(serving, runs);
            return;
        }
        _ => panic!("{:?}", deployment.state),
    };
    if weather.strategy == Strategy::Rehearse {
        world.check_blue_was_left_alone();
    }
    let is_released = deployment.state.kind() == Kind::Completed;
    assert!(weather.is_fit() || !is_released);
    let is_over = deployment.state.is_end();
    if is_over {
        assert_eq!(world.sandbox.report().leftovers.records, [""; 0]);
    }
    match weather.features.shared_balancer {
        true if is_over => shared_balancer::check_rules(world, stays),
        true => shared_balancer::check_productions_rule(world, stays),
        false => {}
    }
}

/// Releases took their turns: one began after the other had ended, no older version came
/// after a newer one, and all is well in the end.
#[track_caller]
fn check_turns(world: &VirtualWorld, weather: &Weather, first: &Deployment, waited: &[Waited]) {
    let released = waited.iter().filter_map(|waited| match waited {
        Waited::Released(deployment) => Some(&**deployment),
        Waited::Overtaken(_) | Waited::InVain => None,
    });
    // One that only its own journal knows may come back after a later one: where it finds that
    // one's version it ends, and has requested nothing.
    let gives_way =
        |turn: &&Deployment| turn.state.kind() == Kind::RolledBack && turn.intents.is_empty();
    let mut turns: Vec<_> = [first].into_iter().chain(released).collect();
    turns.retain(|turn| !gives_way(turn));
    turns.sort_by_key(|deployment| deployment.started_at);
    for turn in turns.windows(2) {
        let (before, after) = (turn[0], turn[1]);
        assert!(
            before.state.is_end(),
            "{:?} {}",
            before.state,
            after.plan.id
        );
        // The clocks of two machines agree within seconds.
        let ended = before.entered_at.before(Duration::from_secs(5));
        assert!(ended <= after.started_at, "{before:?} {after:?}");
    }
    let completed = turns.iter().filter(|turn| {
        turn.state.kind() == Kind::Completed && turn.plan.strategy != Strategy::Rehearse
    });
    let labels: Vec<_> = completed.map(|turn| turn.plan.version.as_str()).collect();
    assert!(labels.is_sorted(), "{labels:?}");
    assert!(weather.is_fit() || !labels.contains(&"v2"));
    for waited in waited {
        if let Waited::Overtaken(by) = waited {
            assert!(labels.contains(&"v4"), "{by}");
        }
    }
    let serves = labels.last().copied().unwrap_or("v1");
    match turns.last().map(|turn| turn.state.kind()) {
        Some(Kind::Held) => world.check_is_served_by("shop-blue-green", serves),
        _ => world.check_only_serves("shop-blue", serves),
    }
    assert!(world.sandbox.report().peaks.tagged_environments <= 1);
}

/// One process on a machine whose clock is off: it drives until it dies, stops or
/// has nothing left to do. A disk may be gone before the next one, and one that rests is
/// ordered on or back; whether it is left as it is held.
async fn process(
    world: &VirtualWorld,
    rng: &mut fastrand::Rng,
    deployment: &mut Deployment,
    struck: &Struck,
) -> bool {
    let now = world.clock.now();
    let clock = match rng.u8(..3) {
        0 => world.clock,
        1 => world.clock.set_to(now.after(CLOCK_OFF)),
        _ => world.clock.set_to(now.before(CLOCK_OFF)),
    };
    let (_signal, interrupted) = watch::channel(false);
    let driven = tokio::select! {
        biased;
        driven = on_heap(|| world.process(deployment, clock, interrupted)) => driven,
        () = world.died() => {
            if rng.bool() {
                count(struck, "lost_disks");
                world.lose_the_disk();
            }
            return false;
        }
    };
    obeyed(world, rng, deployment, Some(driven))
}

/// What an operator does with a deployment once its process has ended, or died: none where it
/// goes on by itself. Whether it is left as it is held.
fn obeyed(
    world: &VirtualWorld,
    rng: &mut fastrand::Rng,
    deployment: &mut Deployment,
    driven: Option<Result<bool, DriveError>>,
) -> bool {
    let Some(driven) = driven else {
        return false;
    };
    match driven {
        // Lost before it had done anything: another run begins it anew.
        Ok(false) => world
            .store()
            .create(deployment)
            .expect("the journal takes it"),
        Ok(true) if deployment.state.kind() == Kind::Held && rng.u8(..4) == 0 => return true,
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
            if let Some(discarded) = deployment.with_changes_discarded().filter(|_| rng.bool()) {
                next.discarded = discarded;
            }
            let ordered = world
                .store()
                .checkpoint(deployment, next, now, "ordered", None, &[]);
            ordered.expect("the journal takes it");
        }
        Ok(true)
        | Err(
            DriveError::Unreachable { .. } | DriveError::BucketAway { .. } | DriveError::Shared(_),
        ) => {}
        Err(error) => panic!("{error}"),
    }
    false
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// A storm on a runtime of its own: nothing is left of the one before, so that it
/// replays. None where it has lost something, which is told.
fn play(seed: u64) -> Option<Outcome> {
    let played = catch_unwind(AssertUnwindSafe(|| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let outcome = tokio::time::timeout(LASTS_AT_MOST, storm(seed)).await;
            outcome.expect("it ends in time")
        })
    }));
    if played.is_err() {
        tell(&format!(
            "a storm lost something: BLUEGREEN_STORM_SEED={seed} cargo test --test rings storm"
        ));
    }
    played.ok()
}

/// What came of many storms.
#[derive(Default)]
struct Season {
    struck: BTreeMap<String, u64>,
    /// How often each state was entered.
    ways: BTreeMap<String, u64>,
    /// How those ended that had this in their weather.
    ends: BTreeMap<&'static str, BTreeMap<String, u64>>,
    /// The seeds of those that lost something.
    lost: Vec<u64>,
}

impl Season {
    fn add(&mut self, seed: u64, outcome: Option<Outcome>) {
        let Some(outcome) = outcome else {
            self.lost.push(seed);
            return;
        };
        for weather in outcome.weather.into_iter().chain(["any weather"]) {
            let ends = self.ends.entry(weather).or_default();
            *ends.entry(outcome.ends.to_string()).or_default() += 1;
        }
        for (what, times) in outcome.struck {
            *self.struck.entry(what).or_default() += times;
        }
        for entered in outcome.way {
            *self.ways.entry(entered.to).or_default() += 1;
        }
    }
}

/// Plays the storms of these seeds, as many at a time as there are cores.
fn season(seeds: &[u64]) -> Season {
    let season = Mutex::new(Season::default());
    in_parallel(cores(), seeds.iter().copied(), |seed| {
        let outcome = play(seed);
        season.lock().expect("no panic holds it").add(seed, outcome);
    });
    season.into_inner().expect("no panic holds it")
}

#[test]
fn storms_lose_nothing() {
    if let Some(seed) = number("BLUEGREEN_STORM_SEED") {
        println!("{:?}", play(seed).expect("nothing is lost"));
        return;
    }
    let seeds: Vec<u64> = match number("BLUEGREEN_STORMS") {
        Some(storms) => (0..storms).collect(),
        None => sampled("storms", 0..STORMS, 20),
    };
    let are_all = seeds.len() as u64 >= STORMS;
    let storms = seeds.len() as u64;
    let Season {
        struck,
        ways,
        ends,
        lost,
    } = season(&seeds);
    tell(&format!("{storms} storms struck: {struck:?}"));
    tell(&format!("states entered in them: {ways:?}"));
    for (weather, ends) in &ends {
        tell(&format!("with {weather} they ended: {ends:?}"));
    }
    assert_eq!(lost, [0; 0], "the seeds of the storms that lost something");
    if !are_all {
        return;
    }
    for what in [
        "alarms",
        "clock_jumps",
        "crashes",
        "drop_answer",
        "environment_health",
        "flaps",
        "foreign_answer",
        "hands",
        "late",
        "left_as_held",
        "long_caches",
        "losses_accepted",
        "lost_disks",
        "outages",
        "slow_deploy",
        "stale_reads",
        "throttle",
        "traffic_stays",
        "overtaken",
        "turns",
        "update_ends_with",
        "update_hangs",
        "waiters",
    ] {
        assert!(struck.get(what).is_some_and(|times| *times > 0), "{what}");
    }
    for state in Kind::ALL {
        let is_expected = state != Kind::Preparing;
        assert_eq!(
            ways.contains_key(&state.to_string()),
            is_expected,
            "{state}"
        );
    }
}

/// What a storm does comes from its seed alone.
#[test]
fn a_storm_replays_from_its_seed() {
    for seed in sampled("seeds of storms", 1..=8, 2) {
        assert_eq!(play(seed), play(seed), "seed {seed}");
    }
    let calls = |seed| play(seed).map(|outcome| outcome.calls);
    assert_ne!(calls(1), calls(2));
}
