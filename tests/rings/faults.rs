//! The faults of the wire, each through a whole release on a virtual clock: the
//! answer is patience, never a failure and never a second swap.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bluegreen::acceptance::{AcceptanceTest, TestCommand};
use bluegreen::clock::{Deadline, Stopwatch};
use bluegreen::cloud::{Cloud, Outcome, Refusal};
use bluegreen::machine::{Effect, Kind, State};
use bluegreen::plan::{Goal, Role, SEND_WITHIN, Strategy};
use bluegreen::preflight::Wanted;
use bluegreen_sandbox::{Fault, FaultEffect, PRODUCTION, Phase, Status, TapVerdict, World};

use crate::virtual_world::{Fate, ID, VirtualWorld};

fn v2() -> Wanted {
    Wanted {
        label: Some("v2".to_owned()),
        ..Wanted::default()
    }
}

async fn release_under(fault: impl Into<Fault>) {
    let fault = fault.into();
    let world = VirtualWorld::new().await;
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    let told = format!("{fault:?}");
    world.inject(fault);
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.unwrap_or_else(|e| panic!("{told}: {e}"));
    assert_eq!(
        deployment.state.kind(),
        Kind::Completed,
        "{told}: {:?}",
        deployment.state
    );
    world.check_all_is_well("v2");
}

#[tokio::test(start_paused = true)]
async fn throttling_is_only_patience() {
    for percent in [30, 60] {
        release_under(Fault {
            probability: Some(f64::from(percent) / 100.0),
            ..Fault::from(FaultEffect::Throttle)
        })
        .await;
    }
}

/// How long the look took that an effect waits for says nothing of how old it is.
#[tokio::test(start_paused = true)]
async fn a_look_that_comes_late_is_not_an_old_one() {
    let world = VirtualWorld::new().await;
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    let (clock, seen) = (world.clock, Mutex::new(world.clock.now()));
    world.on_call(move |call, phase| {
        if call.operation != "DescribeEnvironments" {
            return Fate::Life;
        }
        let (now, mut seen) = (clock.now(), seen.lock().expect("no panic holds it"));
        if now.since(*seen) < Duration::from_secs(90) {
            return Fate::Hangup;
        }
        if phase == Phase::After {
            *seen = now;
        }
        Fate::Life
    });
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it goes on");
    assert_eq!(deployment.state.kind(), Kind::Completed);
    world.check_all_is_well("v2");
}

#[tokio::test(start_paused = true)]
async fn stale_reads_are_waited_out() {
    for seconds in [5, 20] {
        release_under(FaultEffect::StaleReads { seconds }).await;
    }
}

#[tokio::test(start_paused = true)]
async fn dropped_answers_are_looked_after() {
    release_under(Fault {
        probability: Some(0.3),
        ..Fault::from(FaultEffect::DropAnswer)
    })
    .await;
}

/// Each effect's first answer lost, its first request lost, and its first
/// request late.
#[tokio::test(start_paused = true)]
async fn every_effect_may_be_lost_or_late() {
    for operation in [
        "CreateConfigurationTemplate",
        "CreateEnvironment",
        "SwapEnvironmentCNAMEs",
        "UpdateEnvironment",
        "TerminateEnvironment",
        "DeleteConfigurationTemplate",
    ] {
        for effect in [
            FaultEffect::DropAnswer,
            FaultEffect::DropRequest,
            FaultEffect::Late { seconds: 20 },
            FaultEffect::Late { seconds: 280 },
        ] {
            for skip in [0, 1] {
                release_under(Fault {
                    effect: effect.clone(),
                    operation: Some(operation.to_owned()),
                    skip,
                    times: Some(1),
                    probability: None,
                })
                .await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_termination_that_fails_is_asked_for_again() {
    release_under(FaultEffect::TerminateFailsOnce {
        environment: "shop-blue-green".to_owned(),
    })
    .await;
}

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

#[tokio::test(start_paused = true)]
async fn basic_health_is_enough() {
    let world = VirtualWorld::new().await;
    world.basic_health();
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    world
        .drive(&mut deployment)
        .await
        .expect("nobody kills it")
        .expect("it completes");
    assert_eq!(
        deployment.state.kind(),
        Kind::Completed,
        "{:?}",
        deployment.state
    );
    world.check_all_is_well("v2");
}

/// The deploy is given up, its update aborted, and green serves.
#[tokio::test(start_paused = true)]
async fn a_deploy_without_end_is_aborted() {
    let world = VirtualWorld::new().await;
    world
        .sandbox
        .with_world(|world, _| world.timings.deploy_seconds = 4 * 3600);
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    world
        .drive(&mut deployment)
        .await
        .expect("nobody kills it")
        .expect("it is held");
    assert_eq!(
        deployment.state.kind(),
        Kind::Held,
        "{:?}",
        deployment.state
    );
    let calls = world.sandbox.report().calls;
    assert_eq!(calls.get("AbortEnvironmentUpdate"), Some(&1));
    world.sandbox.with_world(|world, _| {
        let blue = world.environment("shop-blue").expect("blue is there");
        assert_eq!(
            (blue.status, blue.version_label.as_str()),
            (Status::Ready, "v1")
        );
        assert_eq!(world.report().lost, 0);
    });
}

#[tokio::test(start_paused = true)]
async fn a_version_that_cannot_be_processed_moves_no_traffic() {
    let world = VirtualWorld::new().await;
    world.inject(FaultEffect::VersionFailsToProcess {
        label: "v7".to_owned(),
    });
    let bundle = bluegreen::plan::Bundle {
        key: "shop/v2.zip".to_owned(),
        file: None,
    };
    let wanted = Wanted {
        label: Some("v7".to_owned()),
        bundle: Some(bundle),
        ..Wanted::default()
    };
    let mut deployment = world.begin(wanted).await.expect("preflight passes");
    world
        .drive(&mut deployment)
        .await
        .expect("nobody kills it")
        .expect("it ends");
    assert_eq!(
        deployment.state.kind(),
        Kind::RolledBack,
        "{:?}",
        deployment.state
    );
    assert_eq!(
        world.sandbox.report().calls.get("SwapEnvironmentCNAMEs"),
        None
    );
    let way = world.way(&deployment.plan.id).await;
    world.check_all_is_as_before(&way);
}

/// A process that slept between its last check and the sending: the signed request
/// does not leave.
#[tokio::test(start_paused = true)]
async fn what_is_ready_too_late_is_not_sent() {
    let world = VirtualWorld::new().await;
    let deployment = world.begin(v2()).await.expect("preflight passes");
    let plan = &deployment.plan;
    let slept = Stopwatch::start(&world.clock);
    tokio::time::advance(Duration::from_secs(31)).await;
    let send_by = Deadline::default().and(slept, SEND_WITHIN);
    for effect in [
        Effect::CreateTemplate,
        Effect::CreateGreen,
        Effect::Swap {
            blue_id: "e-a".to_owned(),
            green_id: "e-b".to_owned(),
            to: Role::Green,
        },
        Effect::Deploy {
            environment_id: plan.blue_id.clone(),
            version_label: "v2".to_owned(),
        },
        Effect::TerminateGreen {
            environment_id: plan.blue_id.clone(),
        },
    ] {
        let outcome = world.cloud.ask(plan, &effect, &send_by).await;
        let refused = matches!(
            &outcome,
            Outcome::NotApplied(Refusal::Unreachable(why)) if why.contains("too late")
        );
        assert!(refused, "{effect:?}: {outcome:?}");
        let calls = world.sandbox.report().calls;
        assert_eq!(calls.get(effect.kind().operation()), None, "{effect:?}");
    }
}

/// Blue runs more instances than its group's least; idle, it shrinks to that. Neither
/// environment takes traffic before it runs as many as the other, and in the end the
/// sizes are what they were.
async fn capacity_is_matched(strategy: Strategy) {
    let world = VirtualWorld::new().await;
    world
        .sandbox
        .with_world(|world, _| world.scale("shop-blue", 4));
    let wanted = Wanted { strategy, ..v2() };
    let mut deployment = world.begin(wanted).await.expect("preflight passes");
    let sandbox = world.sandbox.clone();
    let swaps = Arc::new(Mutex::new(Vec::new()));
    let seen = swaps.clone();
    world.on_call(move |call, phase| {
        if phase == Phase::Before && call.operation == "SwapEnvironmentCNAMEs" {
            let counts = sandbox.with_world(|world, _| {
                ["shop-blue", "shop-blue-green"].map(|name| {
                    let found = world.environment(name).expect("it is there");
                    found.instances.len()
                })
            });
            seen.lock().expect("no panic").push(counts);
        }
        Fate::Life
    });
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it ends");
    assert_eq!(deployment.state, State::Completed);
    let expected: &[[usize; 2]] = match strategy {
        Strategy::Restore => &[[4, 4], [4, 4]],
        Strategy::Promote => &[[4, 4]],
    };
    assert_eq!(*swaps.lock().expect("no panic"), expected);
    match strategy {
        Strategy::Restore => world.check_all_is_well("v2"),
        Strategy::Promote => world.check_green_is_promoted("v2"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_running_capacity_is_matched_before_traffic_moves() {
    capacity_is_matched(Strategy::Restore).await;
}

#[tokio::test(start_paused = true)]
async fn the_running_capacity_is_matched_before_green_keeps_production() {
    capacity_is_matched(Strategy::Promote).await;
}

/// Blue grows while green is launched: green grows after it.
#[tokio::test(start_paused = true)]
async fn green_grows_after_blue() {
    let world = VirtualWorld::new().await;
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    let sandbox = world.sandbox.clone();
    world.on_call(move |call, phase| {
        if phase == Phase::After && call.operation == "CreateEnvironment" {
            sandbox.with_world(|world, _| world.scale("shop-blue", 3));
        }
        if phase == Phase::Before && call.operation == "SwapEnvironmentCNAMEs" {
            let count = sandbox.with_world(|world, _| {
                let green = world.environment("shop-blue-green").expect("it is there");
                green.instances.len()
            });
            assert!(count >= 3, "green takes traffic with {count}");
        }
        Fate::Life
    });
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it ends");
    assert_eq!(deployment.state, State::Completed);
    world.check_all_is_well("v2");
}

/// A release of v2 whose clients keep DNS answers for so long; the world afterwards, and how
/// long after the first swap blue was deployed to.
async fn drained_of(cache: Duration, enhanced: bool) -> (VirtualWorld, Duration) {
    let world = VirtualWorld::new().await;
    if !enhanced {
        world.basic_health();
    }
    world.inject(FaultEffect::LongCaches {
        seconds: cache.as_secs(),
    });
    let moments = Arc::new(Mutex::new(Vec::new()));
    let (told, clock) = (Arc::clone(&moments), world.clock);
    world.on_call(move |call, phase| {
        let moves = ["SwapEnvironmentCNAMEs", "UpdateEnvironment"];
        if phase == Phase::After && moves.contains(&call.operation.as_str()) {
            let mut told = told.lock().expect("no panic holds it");
            told.push((call.operation.clone(), clock.now()));
        }
        Fate::Life
    });
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it goes through");
    assert_eq!(deployment.state.kind(), Kind::Completed);
    let moments = moments.lock().expect("no panic holds it").clone();
    let at = |operation: &str| {
        let found = moments.iter().find(|(name, _)| name == operation);
        found.expect("it was asked for").1
    };
    let drained = at("UpdateEnvironment").since(at("SwapEnvironmentCNAMEs"));
    (world, drained)
}

#[tokio::test(start_paused = true)]
async fn what_is_still_asked_is_no_more_drained_than_the_time_says() {
    let minutes = |n: u64| Duration::from_secs(60 * n);
    let (world, quick) = drained_of(minutes(1), true).await;
    world.check_all_is_well("v2");
    assert!(quick < minutes(4), "{quick:?}");
    // Resolvers that keep answers for longer than they may: nothing is lost all the same.
    let (world, slow) = drained_of(minutes(7), true).await;
    world.check_all_is_well("v2");
    assert!(slow > minutes(7), "{slow:?}");
    // There is a limit to that,
    let (world, limited) = drained_of(minutes(60), true).await;
    assert!(limited > minutes(10), "{limited:?}");
    assert!(limited < minutes(14), "{limited:?}");
    assert!(world.sandbox.report().lost > 0, "they are still there");
    // and basic health tells nothing: the time alone counts.
    let (world, timed) = drained_of(minutes(7), false).await;
    assert!(timed < minutes(4), "{timed:?}");
    assert!(world.sandbox.report().lost > 0, "they are still there");
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
    };
    let cause = state.cause().expect("a cause").to_string();
    assert_eq!(state.kind(), rest, "{cause}");
    assert!(cause.contains(words), "{words}: {cause}");
    let poll = world.config.limits.poll;
    assert!(*took <= poll, "{cause}: {took:?} of {poll:?}");
}

const MINUTE: Duration = Duration::from_secs(60);

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
    for (bad, words, after) in [
        (errs(7), "server error", Duration::ZERO),
        (errs(7), "server error", MINUTE),
        (takes(500), "take 500ms", Duration::ZERO),
        (takes(500), "take 500ms", MINUTE),
    ] {
        for strategy in [Strategy::Restore, Strategy::Promote] {
            let baked = baked_with(bad.clone(), strategy, after).await;
            returned_within_one_poll(&baked, strategy, words);
            assert_eq!(baked.0.sandbox.report().lost, 0);
        }
    }
    for fair in [errs(4), takes(110)] {
        for strategy in [Strategy::Restore, Strategy::Promote] {
            let (_, state, _) = baked_with(fair.clone(), strategy, MINUTE).await;
            assert_eq!(state.kind(), Kind::Completed, "{fair:?}");
        }
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
    for strategy in [Strategy::Restore, Strategy::Promote] {
        for after in [Duration::ZERO, MINUTE] {
            let baked = baked_under(turn_severe, strategy, after, |_| {}).await;
            returned_within_one_poll(&baked, strategy, "Red Severe");
        }
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
    for (bad, words) in [(fails, "answered 500"), (hangs, "answered no answer")] {
        for strategy in [Strategy::Restore, Strategy::Promote] {
            for after in [Duration::ZERO, MINUTE] {
                let inject = bad.clone();
                let inject = move |world: &mut World| world.inject(inject.clone());
                let prepare = |world: &mut VirtualWorld| {
                    world.basic_health();
                    // It would wait for almost a poll.
                    world.config.tests[0].timeout = Duration::from_secs(25);
                };
                let baked = baked_under(inject, strategy, after, prepare).await;
                returned_within_one_poll(&baked, strategy, words);
            }
        }
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
        assert!(world.config.limits.watch_within() < Duration::from_secs(9));
    };
    for strategy in [Strategy::Restore, Strategy::Promote] {
        let (_, state, _) = baked_under(|_| {}, strategy, MINUTE, prepare).await;
        assert_eq!(state.kind(), Kind::Completed, "{state:?}");
    }
}

const ALARM: &str = "orders";

fn watched_by_an_alarm(world: &mut VirtualWorld) {
    world.config.alarms = vec![ALARM.to_owned()];
    let sandbox = world.sandbox.clone();
    sandbox.with_world(|world, _| world.set_alarm(ALARM, "OK"));
}

#[tokio::test(start_paused = true)]
async fn an_alarm_returns_production_within_one_poll() {
    let rings = |world: &mut World| world.set_alarm(ALARM, "ALARM");
    for strategy in [Strategy::Restore, Strategy::Promote] {
        for after in [Duration::ZERO, MINUTE] {
            let baked = baked_under(rings, strategy, after, watched_by_an_alarm).await;
            returned_within_one_poll(&baked, strategy, "the alarm orders");
        }
    }
}

/// A command that tests takes its time, and every other sign is judged meanwhile.
#[tokio::test(start_paused = true)]
async fn nothing_waits_for_the_command_that_tests_production() {
    let rings = |world: &mut World| world.set_alarm(ALARM, "ALARM");
    let prepare = |world: &mut VirtualWorld| {
        watched_by_an_alarm(world);
        world.config.test_command = Some(TestCommand {
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
    assert_eq!(what, ["--test-command on blue (Testing)"], "it was stopped");
    let (_, state, _) = baked_under(|_| {}, Strategy::Restore, MINUTE, prepare).await;
    assert_eq!(state.kind(), Kind::Completed);
}

/// A test that only the new version passes, asked just after the swap by names whose answers
/// are cached: what the other environment answers makes production neither sick nor well.
#[tokio::test(start_paused = true)]
async fn what_a_cached_name_leads_to_does_not_count() {
    for by_name in [false, true] {
        for strategy in [Strategy::Restore, Strategy::Promote] {
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
            world.config.tests = vec![test];
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
    let limits = world.config.limits;
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

/// While AWS cannot be read an order to go back is heard all the same.
#[tokio::test(start_paused = true)]
async fn an_order_to_go_back_is_heard_between_two_tries_to_look() {
    let world = VirtualWorld::new().await;
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    let journal = Mutex::new(world.store());
    let heard = Arc::new(Mutex::new((0, false)));
    let (told, clock) = (heard.clone(), world.clock);
    world.on_call(move |call, phase| {
        if phase == Phase::After || call.operation != "DescribeEnvironments" {
            return Fate::Life;
        }
        let journal = journal.lock().expect("no panic holds it");
        let driven = journal.unfinished().expect("it can be read");
        let Some(driven) = driven.first() else {
            return Fate::Life;
        };
        let mut told = told.lock().expect("no panic holds it");
        if driven.plan.goal == Goal::Previous {
            told.1 = true;
        }
        if driven.state.kind() != Kind::Baking || told.1 {
            return Fate::Life;
        }
        told.0 += 1;
        if told.0 == 10 {
            let id = &driven.plan.id;
            journal
                .request_retreat(id, clock.now())
                .expect("the word is left");
        }
        assert!(told.0 < 100, "nobody hears it");
        Fate::Hangup
    });
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it comes to rest");
    assert!(heard.lock().expect("no panic holds it").1, "it was heard");
    assert_eq!(
        deployment.state.kind(),
        Kind::RolledBack,
        "{:?}",
        deployment.state
    );
    world.check_all_is_well("v1");
}

/// What becomes of a release of v2 whose green is made otherwise in this way, where so much
/// may differ.
async fn released_with_a_green_that(
    differs: impl Fn(&mut bluegreen_sandbox::Environment) + Send + Sync + 'static,
    expected: &[&str],
) -> (VirtualWorld, State) {
    let world = VirtualWorld::new().await;
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    let expected = expected.iter().map(|name| (*name).to_owned());
    deployment.plan.expected_differences = expected.collect();
    let next = deployment.clone();
    world
        .store()
        .checkpoint(&mut deployment, next, world.clock.now(), "", None)
        .expect("the journal takes it");
    let sandbox = world.sandbox.clone();
    world.on_call(move |call, phase| {
        if call.operation == "CreateEnvironment" && phase == Phase::After {
            sandbox.with_world(|world, _| {
                differs(world.environment_mut("shop-blue-green").expect("green"));
            });
        }
        Fate::Life
    });
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it comes to rest");
    (world, deployment.state)
}

#[tokio::test(start_paused = true)]
async fn a_green_that_is_not_what_blue_is_takes_no_traffic() {
    const POLICY: &str = "aws:elasticbeanstalk:command:DeploymentPolicy";
    type Change = fn(&mut bluegreen_sandbox::Environment);
    let policy: Change = |green| {
        let setting = green
            .settings
            .iter_mut()
            .find(|s| s.name == "DeploymentPolicy");
        "Rolling".clone_into(&mut setting.expect("it is set").value);
    };
    let tag: Change = |green| green.tags.push(("cost-centre".to_owned(), "7".to_owned()));
    let version: Change = |green| "v0".clone_into(&mut green.version_label);
    for (change, words) in [
        (
            policy,
            "DeploymentPolicy: Rolling, where blue has AllAtOnce",
        ),
        (tag, "tag cost-centre: 7, where blue has none"),
        (version, "version: v0, where blue has v1"),
    ] {
        let (world, state) = released_with_a_green_that(change, &[]).await;
        let cause = state.cause().expect("a cause").to_string();
        assert_eq!(state.kind(), Kind::RolledBack, "{cause}");
        assert!(cause.contains(words), "{cause}");
        assert!(cause.contains("--expect-difference"), "{cause}");
        let calls = world.sandbox.report().calls;
        assert!(!calls.contains_key("SwapEnvironmentCNAMEs"), "{words}");
        world.check_all_is_well("v1");
    }
    let (world, state) = released_with_a_green_that(policy, &[POLICY]).await;
    assert_eq!(state.kind(), Kind::Completed, "{state:?}");
    world.check_all_is_well("v2");
}

#[tokio::test(start_paused = true)]
async fn a_version_that_somebody_deploys_meanwhile_is_not_replaced_by_an_older_one() {
    let world = VirtualWorld::new().await;
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    let sandbox = world.sandbox.clone();
    world.on_call(move |call, phase| {
        if call.operation == "CreateEnvironment" && phase == Phase::After {
            sandbox.with_world(|world, _| {
                let blue = world.environment_mut("shop-blue").expect("blue is there");
                "hotfix".clone_into(&mut blue.version_label);
            });
        }
        Fate::Life
    });
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it comes to rest");
    let cause = deployment.state.cause().expect("a cause").to_string();
    assert_eq!(deployment.state.kind(), Kind::RolledBack, "{cause}");
    assert!(cause.contains("runs version hotfix"), "{cause}");
    let calls = world.sandbox.report().calls;
    assert!(!calls.contains_key("SwapEnvironmentCNAMEs"));
    world.check_all_is_well("hotfix");
}

/// The events of its request tell that a swap has failed: nobody waits until it can arrive
/// no more.
#[tokio::test(start_paused = true)]
async fn a_swap_that_fails_is_asked_for_again_without_its_quarantine() {
    let world = VirtualWorld::new().await;
    world.inject(FaultEffect::SwapFailsOnce);
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (moments, clock) = (Arc::clone(&asked), world.clock);
    world.on_call(move |call, phase| {
        if call.operation == "SwapEnvironmentCNAMEs" && phase == Phase::Before {
            moments.lock().expect("no panic holds it").push(clock.now());
        }
        Fate::Life
    });
    let quarantine = deployment.plan.limits.quarantine;
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it comes to rest");
    let asked = asked.lock().expect("no panic holds it");
    let &[first, again, _] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    assert!(again.since(first) < quarantine / 2, "{asked:?}");
    world.check_all_is_well("v2");
}

/// An environment may be gone between two questions of one look.
#[tokio::test(start_paused = true)]
async fn a_question_about_what_is_gone_meanwhile_is_asked_again() {
    for operation in [
        "ListTagsForResource",
        "DescribeConfigurationSettings",
        "DescribeEnvironmentHealth",
        "DescribeInstancesHealth",
        "DescribeEvents",
    ] {
        release_under(Fault {
            operation: Some(operation.to_owned()),
            skip: 1,
            times: Some(1),
            ..Fault::from(FaultEffect::Refuse {
                status: 400,
                code: "ResourceNotFoundException".to_owned(),
                message: "Resource not found".to_owned(),
            })
        })
        .await;
    }
}
