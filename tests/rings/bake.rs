//! Production is watched after the last swap: what makes it sick returns it within one poll,
//! and what does not leaves it where it is. Whole releases on a virtual clock.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bluegreen::acceptance::{AcceptanceTest, On, TestCommand};
use bluegreen::machine::{Kind, State};
use bluegreen::plan::Strategy;
use bluegreen::preflight::Wanted;
use bluegreen_sandbox::{Fault, FaultEffect, PRODUCTION, Phase, TapVerdict, World};

use crate::support::virtual_world::{Fate, ID, VirtualWorld, v2};
use bluegreen_testing::sample::sampled;

const MINUTE: Duration = Duration::from_secs(60);

const ALARM: &str = "orders";

/// Production turns sick after the last swap: it goes back to green, and is held
/// there until the operator sends it back for good.
#[tokio::test(start_paused = true)]
async fn a_sick_bake_returns_production_to_green() {
    let world = VirtualWorld::new().await;
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    let sandbox = world.sandbox.clone();
    world.sandbox.set_tap(move |call, phase| {
        if call.operation == "DescribeEnvironments" && phase == Phase::Before {
            sandbox.with_world(|world, _| {
                let holder = world
                    .cname_holder(PRODUCTION)
                    .map(|e| e.version_label.clone());
                if holder.as_deref() == Some("v2") {
                    let blue = world.environment_mut("shop-blue").expect("blue is there");
                    "Red".clone_into(&mut blue.health);
                    "Severe".clone_into(&mut blue.health_status);
                }
            });
        }
        TapVerdict::Continue
    });
    world
        .drive(&mut deployment)
        .await
        .expect("nobody kills it")
        .expect("it is held");
    let cause = deployment.state.cause().expect("a cause").to_string();
    assert_eq!(deployment.state.kind(), Kind::Held, "{cause}");
    assert!(cause.contains("Red Severe"), "{cause}");
    let serving = world
        .sandbox
        .with_world(|w, _| w.cname_holder(PRODUCTION).map(|e| e.name.clone()));
    assert_eq!(serving.as_deref(), Some("shop-blue-green"));
    world
        .store()
        .request_retreat(&deployment.plan.id, world.clock.now())
        .expect("the word is left");
    world
        .drive(&mut deployment)
        .await
        .expect("nobody kills it")
        .expect("it is rolled back");
    assert_eq!(deployment.state.kind(), Kind::RolledBack);
    world.check_all_is_well("v1");
}

/// What becomes of a release of v2, in a world that is prepared so, that turns bad in this
/// way so long after it began to be watched, and how long after that the way back was asked
/// for.
async fn baked_under(
    bad: impl Fn(&mut World) + Send + Sync + 'static,
    strategy: Strategy,
    after: Duration,
    prepare: impl FnOnce(&mut VirtualWorld),
) -> (VirtualWorld, State, Duration) {
    let mut world = VirtualWorld::new().await;
    prepare(&mut world);
    let wanted = Wanted { strategy, ..v2() };
    let mut deployment = world.begin(wanted).await.expect("preflight passes");
    let moments = Arc::new(Mutex::new((None, None, None)));
    let (told, clock, sandbox) = (Arc::clone(&moments), world.clock, world.sandbox.clone());
    let journal = Mutex::new(world.store());
    world.on_call(move |call, phase| {
        let mut told = told.lock().expect("no panic holds it");
        let (watched_since, turned_bad, way_back) = &mut *told;
        if phase == Phase::Before && turned_bad.is_none() {
            let journal = journal.lock().expect("no panic holds it");
            let driven = journal.unfinished().expect("it can be read");
            let is_watched = driven.iter().any(|d| d.state.kind() == Kind::Baking);
            let now = clock.now();
            if is_watched && now.since(*watched_since.get_or_insert(now)) >= after {
                sandbox.with_world(|world, _| bad(world));
                *turned_bad = Some(clock.now());
            }
        } else if turned_bad.is_some() && call.operation == "SwapEnvironmentCNAMEs" {
            way_back.get_or_insert(clock.now());
        }
        Fate::Life
    });
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it comes to rest");
    let (_, bad, back) = *moments.lock().expect("no panic holds it");
    let bad = bad.expect("it turned bad");
    let took = back.map_or(Duration::MAX, |back| back.since(bad));
    (world, deployment.state, took)
}

/// The same with this fault.
async fn baked_with(
    bad: FaultEffect,
    strategy: Strategy,
    after: Duration,
) -> (VirtualWorld, State, Duration) {
    let inject = move |world: &mut World| world.inject(bad.clone());
    baked_under(inject, strategy, after, |_| {}).await
}

/// Each of these with each strategy that watches production.
fn by_each_strategy<T: Clone>(
    all: impl IntoIterator<Item = T>,
) -> impl Iterator<Item = (Strategy, T)> {
    let strategies = [Strategy::Restore, Strategy::Promote];
    all.into_iter()
        .flat_map(move |one| strategies.map(|strategy| (strategy, one.clone())))
}

/// Production is back within one poll, for this reason.
#[track_caller]
fn returned_within_one_poll(
    (world, state, took): &(VirtualWorld, State, Duration),
    strategy: Strategy,
    words: &str,
) {
    let rest = match strategy {
        Strategy::Restore => Kind::Held,
        Strategy::Promote => Kind::RolledBack,
        Strategy::Rehearse => unreachable!("a rehearsal watches nothing"),
    };
    let cause = state.cause().expect("a cause").to_string();
    assert_eq!(state.kind(), rest, "{cause}");
    assert!(cause.contains(words), "{words}: {cause}");
    let poll = world.config.wishes.limits.poll;
    assert!(*took <= poll, "{cause}: {took:?} of {poll:?}");
}

#[tokio::test(start_paused = true)]
async fn errors_and_latency_return_production_within_one_poll() {
    let label = "v2".to_owned();
    let errs = |percent| FaultEffect::VersionErrs {
        label: label.clone(),
        percent,
    };
    let takes = |milliseconds| FaultEffect::VersionTakes {
        label: label.clone(),
        milliseconds,
    };
    let bakes = [
        (errs(7), "server error", Duration::ZERO),
        (errs(7), "server error", MINUTE),
        (takes(500), "take 500ms", Duration::ZERO),
        (takes(500), "take 500ms", MINUTE),
    ];
    for (strategy, (bad, words, after)) in sampled("sick bakes", by_each_strategy(bakes), 3) {
        let baked = baked_with(bad, strategy, after).await;
        returned_within_one_poll(&baked, strategy, words);
        assert_eq!(baked.0.sandbox.report().lost, 0);
    }
    let bakes = by_each_strategy([errs(4), takes(110)]);
    for (strategy, fair) in sampled("fair bakes", bakes, 1) {
        let (_, state, _) = baked_with(fair.clone(), strategy, MINUTE).await;
        assert_eq!(state.kind(), Kind::Completed, "{fair:?}");
    }
}

/// Who holds the production CNAME turns Severe.
fn turn_severe(world: &mut World) {
    let holder = world.cname_holder(PRODUCTION).map(|e| e.name.clone());
    let holder = holder.and_then(|name| world.environment_mut(&name));
    let holder = holder.expect("somebody holds it");
    "Red".clone_into(&mut holder.health);
    "Severe".clone_into(&mut holder.health_status);
}

#[tokio::test(start_paused = true)]
async fn sick_health_returns_production_within_one_poll() {
    let bakes = by_each_strategy([Duration::ZERO, MINUTE]);
    for (strategy, after) in sampled("bakes of sick health", bakes, 1) {
        let baked = baked_under(turn_severe, strategy, after, |_| {}).await;
        returned_within_one_poll(&baked, strategy, "Red Severe");
    }
}

/// Basic health, so that nothing but the tests tells.
#[tokio::test(start_paused = true)]
async fn failing_and_hanging_tests_return_production_within_one_poll() {
    let label = || "v2".to_owned();
    let fails = FaultEffect::VersionAnswers {
        label: label(),
        status: 500,
    };
    let hangs = FaultEffect::VersionTakes {
        label: label(),
        milliseconds: 60_000,
    };
    let tests = [(fails, "answered 500"), (hangs, "answered no answer")].into_iter();
    let tests = tests.flat_map(|test| [(test.clone(), Duration::ZERO), (test, MINUTE)]);
    let bakes = by_each_strategy(tests);
    for (strategy, ((bad, words), after)) in sampled("bakes of failing tests", bakes, 2) {
        let inject = move |world: &mut World| world.inject(bad.clone());
        let prepare = |world: &mut VirtualWorld| {
            world.basic_health();
            // It would wait for almost a poll.
            world.config.wishes.tests[0].timeout = Duration::from_secs(25);
        };
        let baked = baked_under(inject, strategy, after, prepare).await;
        returned_within_one_poll(&baked, strategy, words);
    }
}

/// What was slow before production moved, and passed, is not turned back for being watched.
#[tokio::test(start_paused = true)]
async fn a_test_that_was_slow_and_passed_is_waited_for_while_production_is_watched() {
    let prepare = |world: &mut VirtualWorld| {
        world.basic_health();
        for label in ["v1", "v2"] {
            world.inject(FaultEffect::VersionTakes {
                label: label.to_owned(),
                milliseconds: 9_000,
            });
        }
        assert!(world.config.wishes.limits.watch_within() < Duration::from_secs(9));
    };
    for strategy in [Strategy::Restore, Strategy::Promote] {
        let (_, state, _) = baked_under(|_| {}, strategy, MINUTE, prepare).await;
        assert_eq!(state.kind(), Kind::Completed, "{state:?}");
    }
}

fn watched_by_an_alarm(world: &mut VirtualWorld) {
    world.config.wishes.alarms = vec![ALARM.to_owned()];
    let sandbox = world.sandbox.clone();
    sandbox.with_world(|world, _| world.set_alarm(ALARM, "OK"));
}

#[tokio::test(start_paused = true)]
async fn an_alarm_returns_production_within_one_poll() {
    let rings = |world: &mut World| world.set_alarm(ALARM, "ALARM");
    let bakes = by_each_strategy([Duration::ZERO, MINUTE]);
    for (strategy, after) in sampled("bakes with an alarm", bakes, 1) {
        let baked = baked_under(rings, strategy, after, watched_by_an_alarm).await;
        returned_within_one_poll(&baked, strategy, "the alarm orders");
    }
}

/// A command that tests takes its time, and every other sign is judged meanwhile.
#[tokio::test(start_paused = true)]
async fn nothing_waits_for_the_command_that_tests_production() {
    let rings = |world: &mut World| world.set_alarm(ALARM, "ALARM");
    let prepare = |world: &mut VirtualWorld| {
        watched_by_an_alarm(world);
        world.config.wishes.test_command = Some(TestCommand {
            command: "exit 0".to_owned(),
            limit: 10 * MINUTE,
        });
    };
    // It begins once no cached answer leads it elsewhere.
    let after = MINUTE * 3;
    let baked = baked_under(rings, Strategy::Restore, after, prepare).await;
    returned_within_one_poll(&baked, Strategy::Restore, "the alarm orders");
    let outputs = baked.0.store().outputs(ID).expect("they can be read");
    let what: Vec<_> = outputs.iter().map(|o| o.what.as_str()).collect();
    let passed = ["green (Warming)", "blue (Testing)"];
    let passed = passed.map(|on| format!("--test-command on {on}"));
    assert_eq!(what, passed, "it was stopped");
    let (_, state, _) = baked_under(|_| {}, Strategy::Restore, MINUTE, prepare).await;
    assert_eq!(state.kind(), Kind::Completed);
}

/// A test that only the new version passes, asked just after the swap by names whose answers
/// are cached: what the other environment answers makes production neither sick nor well.
#[tokio::test(start_paused = true)]
async fn what_a_cached_name_leads_to_does_not_count() {
    let bakes = by_each_strategy([false, true]);
    for (strategy, by_name) in sampled("bakes after cached names", bakes, 1) {
        let mut world = VirtualWorld::new().await;
        if by_name {
            world.test_by_name();
        }
        let says = |label: &str| FaultEffect::VersionSays {
            label: label.to_owned(),
            body: format!("this is {label}"),
        };
        world.inject(says("v1"));
        world.inject(says("v2"));
        let mut test = AcceptanceTest::get("/");
        test.body_contains = Some("this is v2".to_owned());
        test.on = On::Release;
        world.config.wishes.tests = vec![test];
        let wanted = Wanted { strategy, ..v2() };
        let mut deployment = world.begin(wanted).await.expect("preflight passes");
        let driven = world.drive(&mut deployment).await.expect("nobody kills it");
        driven.expect("it comes to rest");
        assert_eq!(
            deployment.state.kind(),
            Kind::Completed,
            "by name: {by_name}, {strategy}: {:?}",
            deployment.state
        );
    }
}

/// An alarm that is gone, or cannot be read, is no reason to stop looking at everything
/// else.
#[tokio::test(start_paused = true)]
async fn production_is_watched_although_an_alarm_cannot_be_read() {
    let unreadable = Fault {
        operation: Some("DescribeAlarms".to_owned()),
        ..Fault::from(FaultEffect::Refuse {
            status: 503,
            code: "ServiceUnavailable".to_owned(),
            message: "out of order".to_owned(),
        })
    };
    let gone = |world: &mut World| world.remove_alarm(ALARM);
    let unread = move |world: &mut World| world.inject(unreadable.clone());
    for is_gone in [true, false] {
        let unread = unread.clone();
        let bad = move |world: &mut World| {
            match is_gone {
                true => gone(world),
                false => unread(world),
            }
            turn_severe(world);
        };
        let baked = baked_under(bad, Strategy::Restore, MINUTE, watched_by_an_alarm).await;
        returned_within_one_poll(&baked, Strategy::Restore, "Red Severe");
    }
}

/// A bake does not end on alarms that nobody could read.
#[tokio::test(start_paused = true)]
async fn a_bake_waits_for_alarms_that_cannot_be_read() {
    let gone = |world: &mut World| world.remove_alarm(ALARM);
    let (world, state, took) =
        baked_under(gone, Strategy::Restore, Duration::ZERO, watched_by_an_alarm).await;
    let cause = state.cause().expect("a cause").to_string();
    assert_eq!(state.kind(), Kind::Held, "{cause}");
    assert!(
        cause.contains("there is no CloudWatch alarm named orders"),
        "{cause}"
    );
    let limits = world.config.wishes.limits;
    assert!(took >= limits.patience, "{took:?}");
    assert_eq!(world.sandbox.report().lost, 0);

    // Read again, it ends well.
    let mut world = VirtualWorld::new().await;
    watched_by_an_alarm(&mut world);
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    world.inject(Fault {
        operation: Some("DescribeAlarms".to_owned()),
        times: Some(60),
        ..Fault::from(FaultEffect::Throttle)
    });
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it completes");
    assert_eq!(deployment.state.kind(), Kind::Completed);
    world.check_all_is_well("v2");
}
