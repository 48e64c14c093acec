//! Tests over HTTP count once their environment is healthy, or its grace is over.

use std::time::Duration;

use bluegreen::deployment::Deployment;
use bluegreen::machine::{Cause, Kind, State};
use bluegreen::plan::Strategy;
use bluegreen::preflight::Wanted;
use bluegreen_sandbox::FaultEffect;

use crate::support::virtual_world::{VirtualWorld, v2};
use bluegreen_testing::sample::sampled;

const GRACE: Duration = Duration::from_secs(300);

fn slow(label: &str, seconds: u64) -> FaultEffect {
    FaultEffect::SlowToAnswer {
        label: label.to_owned(),
        seconds,
    }
}

fn lags(seconds: u64) -> FaultEffect {
    FaultEffect::BalancerLags {
        environment: "shop-blue".to_owned(),
        seconds,
    }
}

fn with(strategy: Strategy) -> Wanted {
    Wanted { strategy, ..v2() }
}

/// A release under a fault, and how long it was in a state.
async fn released(
    world: &VirtualWorld,
    wanted: Wanted,
    fault: FaultEffect,
    kind: Kind,
) -> (Deployment, Duration) {
    let mut deployment = world.begin(wanted).await.expect("preflight passes");
    world.inject(fault);
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it comes to rest");
    let way = world.way(&deployment.plan.id).await;
    let kind = kind.to_string();
    let left = way.iter().find(|t| t.from == kind).expect("left").at;
    let entered = way.iter().find(|t| t.to == kind).expect("entered").at;
    (deployment, left.since(entered))
}

#[track_caller]
fn failed_its_test(deployment: &Deployment, kind: Kind) {
    assert_eq!(deployment.state.kind(), kind, "{:?}", deployment.state);
    let cause = deployment.state.cause();
    assert!(
        matches!(cause, Some(Cause::TestFailed { .. })),
        "{:?}",
        deployment.state
    );
}

/// einaregilsson/beanstalk-deploy, "failure modes": a load balancer takes instances back after
/// the update has ended, Java and Rails start in minutes.
#[tokio::test(start_paused = true)]
async fn a_blue_that_answers_late_is_waited_for() {
    for fault in [lags(240), slow("v2", 240)] {
        let world = VirtualWorld::new().await;
        let told = format!("{fault:?}");
        let (deployment, took) = released(&world, v2(), fault, Kind::Testing).await;
        assert_eq!(deployment.state, State::Completed, "{told}");
        assert!(took >= Duration::from_secs(200), "{told}: {took:?}");
        world.check_all_is_well("v2");
    }
}

#[tokio::test(start_paused = true)]
async fn a_blue_that_never_answers_fails_once_its_grace_is_over() {
    for grace in [GRACE, Duration::from_secs(900)] {
        let mut world = VirtualWorld::new().await;
        world.config.wishes.limits.test_grace = grace;
        let (deployment, took) = released(&world, v2(), slow("v2", 72_000), Kind::Testing).await;
        failed_its_test(&deployment, Kind::Held);
        let most = grace + Duration::from_secs(180);
        assert!(took >= grace && took < most, "{took:?}");
        assert_eq!(world.sandbox.report().lost, 0);
    }
}

/// Its health is Ok: its answers count at once.
#[tokio::test(start_paused = true)]
async fn a_healthy_blue_has_no_grace() {
    let world = VirtualWorld::new().await;
    let fails = FaultEffect::VersionAnswers {
        label: "v2".to_owned(),
        status: 500,
    };
    let (deployment, took) = released(&world, v2(), fails, Kind::Testing).await;
    failed_its_test(&deployment, Kind::Held);
    assert!(took < GRACE, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_green_that_answers_late_is_waited_for() {
    let world = VirtualWorld::new().await;
    let (deployment, _) = released(&world, v2(), slow("v1", 240), Kind::Warming).await;
    assert_eq!(deployment.state, State::Completed);
    world.check_all_is_well("v2");

    let world = VirtualWorld::new().await;
    let promote = with(Strategy::Promote);
    let (deployment, _) = released(&world, promote, slow("v2", 240), Kind::Warming).await;
    assert_eq!(deployment.state, State::Completed);
    world.check_green_is_promoted("v2");

    let world = VirtualWorld::new().await;
    let rehearse = with(Strategy::Rehearse);
    let (deployment, _) = released(&world, rehearse, slow("v2", 240), Kind::TestingGreen).await;
    assert_eq!(deployment.state, State::Completed);
    world.check_blue_was_left_alone();
}

/// Blue serves on, and what green answered is the reason.
#[tokio::test(start_paused = true)]
async fn a_green_that_never_answers_fails_once_its_grace_is_over() {
    for (strategy, label, kind) in sampled(
        "greens that never answer",
        [
            (Strategy::Restore, "v1", Kind::Warming),
            (Strategy::Promote, "v2", Kind::Warming),
            (Strategy::Rehearse, "v2", Kind::TestingGreen),
        ],
        1,
    ) {
        let world = VirtualWorld::new().await;
        let fault = slow(label, 72_000);
        let (deployment, took) = released(&world, with(strategy), fault, kind).await;
        failed_its_test(&deployment, Kind::RolledBack);
        let most = GRACE + Duration::from_secs(240);
        assert!(took >= GRACE && took < most, "{strategy}: {took:?}");
        assert_eq!(world.sandbox.report().lost, 0);
    }
}
