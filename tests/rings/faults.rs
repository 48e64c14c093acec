//! The faults of the wire, each through a whole release on a virtual clock: the
//! answer is patience, never a failure and never a second swap.

use crate::support::page::{page, page_with};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bluegreen::clock::{Deadline, Stopwatch};
use bluegreen::cloud::{Cloud, Outcome, Refusal};
use bluegreen::machine::{Effect, Kind, State};
use bluegreen::plan::{Goal, Role, SEND_WITHIN, Strategy};
use bluegreen::preflight::Wanted;
use bluegreen_sandbox::{Fault, FaultEffect, Phase, Reaches, Timings};

use crate::support::virtual_world::{Fate, VirtualWorld, v2};
use bluegreen_testing::sample::sampled;

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
    let mut faults = Vec::new();
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
                faults.push(once(effect.clone(), operation, skip));
            }
        }
    }
    for fault in sampled("faults", faults, 6) {
        release_under(fault).await;
    }
}

/// A proxy or a login page answers in AWS's place, to every kind of request, whether the request
/// was applied or not: no such answer is a refusal, and none is a success.
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_aws_s_proves_nothing() {
    let html = "<!DOCTYPE html><html><body>Blocked by policy</body></html>";
    let mut pages = Vec::new();
    for operation in [
        "CreateConfigurationTemplate",
        "CreateEnvironment",
        "SwapEnvironmentCNAMEs",
        "UpdateEnvironment",
        "TerminateEnvironment",
        "DeleteConfigurationTemplate",
        "DescribeEnvironments",
        "DescribeEvents",
        "GetObject",
        "PutObject",
    ] {
        // A filter may leave AWS's own headers, and a page may have a tag.
        let id = [("x-amzn-requestid", "1"), ("x-amz-request-id", "1")];
        let tag = [("etag", "\"1\"")];
        for (headers, status, body) in [
            (&[][..], 200, html),
            (&[], 200, ""),
            (&[], 302, html),
            (&[], 403, html),
            (&[], 404, ""),
            (&[], 407, ""),
            (&id, 403, html),
            (&id, 413, ""),
            (&tag, 200, html),
        ] {
            for reaches in [Reaches::Never, Reaches::AtOnce] {
                let page = page_with(headers, status, body, reaches);
                pages.push(once(page, operation, 0));
            }
        }
    }
    for page in sampled("answers that are not AWS's", pages, 10) {
        release_under(page).await;
    }
}

/// The swap takes place long after a proxy has answered it, and terminations are slow: blue's
/// name is not destroyed with green.
#[tokio::test(start_paused = true)]
async fn a_swap_behind_a_proxy_may_come_late() {
    let swaps = [20, 96, 280].into_iter();
    let swaps = swaps.flat_map(|seconds| [(seconds, 0), (seconds, 1)]);
    for (seconds, skip) in sampled("swaps that come late", swaps, 2) {
        let world = VirtualWorld::new().await;
        let mut deployment = world.begin(v2()).await.expect("preflight passes");
        world
            .sandbox
            .with_world(|world, _| world.timings.terminate_seconds = 20 * 60);
        let forbidden = page(403, "<html>Forbidden</html>", Reaches::After(seconds));
        world.inject(once(forbidden, "SwapEnvironmentCNAMEs", skip));
        let driven = world.drive(&mut deployment).await.expect("nobody kills it");
        driven.expect("it completes");
        assert_eq!(deployment.state.kind(), Kind::Completed);
        world.check_all_is_well("v2");
    }
}

/// Strikes one request of this operation, after so many have passed.
fn once(effect: FaultEffect, operation: &str, skip: u32) -> Fault {
    Fault {
        operation: Some(operation.to_owned()),
        skip,
        times: Some(1),
        ..Fault::from(effect)
    }
}

#[tokio::test(start_paused = true)]
async fn a_termination_that_fails_is_asked_for_again() {
    release_under(FaultEffect::TerminateFailsOnce {
        environment: "shop-blue-green".to_owned(),
    })
    .await;
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

/// A deploy that goes on for ever is left to a person, and green serves.
#[tokio::test(start_paused = true)]
async fn a_deploy_without_end_is_held_and_left_alone() {
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
    assert_eq!(calls.get("AbortEnvironmentUpdate"), None);
    let told = deployment.state.cause().expect("it has one").to_string();
    assert!(
        told.contains("the update of shop-blue has not ended"),
        "{told}"
    );
    world.check_is_served_by("shop-blue-green", "v1");
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
        Strategy::Rehearse => &[],
    };
    assert_eq!(*swaps.lock().expect("no panic"), expected);
    match strategy {
        Strategy::Restore => world.check_all_is_well("v2"),
        Strategy::Promote => world.check_green_is_promoted("v2"),
        Strategy::Rehearse => world.check_all_is_well("v1"),
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
async fn drained_of(cache: Duration, is_counted: bool) -> (VirtualWorld, Duration) {
    let world = VirtualWorld::new().await;
    if !is_counted {
        world.basic_health();
        let policy = crate::support::policies::without("cloudwatch:GetMetricData");
        world.sandbox.set_policy(Some(policy));
    }
    // Resolvers renew their answers within one minute of each period: by even timings, and a launch of
    // this length, the swap comes right after.
    world.sandbox.with_world(|world, _| {
        world.timings = Timings {
            launch_seconds: 380,
            ..world.timings.even()
        }
    });
    world.inject(FaultEffect::LongCaches {
        seconds: cache.as_secs(),
        percent: 100,
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
    // Where nothing tells how many requests come, the time alone counts.
    let (world, timed) = drained_of(minutes(7), false).await;
    assert!(timed < minutes(4), "{timed:?}");
    assert!(world.sandbox.report().lost > 0, "they are still there");
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
    deployment.plan.wishes.expected_differences = expected.collect();
    let next = deployment.clone();
    world
        .store()
        .checkpoint(&mut deployment, next, world.clock.now(), "", None, &[])
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
    for (change, words) in sampled(
        "differences of green",
        [
            (
                policy,
                "DeploymentPolicy: Rolling, where blue has AllAtOnce",
            ),
            (tag, "tag cost-centre: 7, where blue has none"),
            (version, "version: v0, where blue has v1"),
        ],
        1,
    ) {
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
    let quarantine = deployment.plan.wishes.limits.quarantine;
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
    for operation in sampled(
        "questions about what is gone",
        [
            "ListTagsForResource",
            "DescribeConfigurationSettings",
            "DescribeEnvironmentHealth",
            "DescribeInstancesHealth",
            "DescribeEvents",
        ],
        2,
    ) {
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
