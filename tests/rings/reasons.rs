//! No deployment is given up for the time alone: what the program knows is told.

use std::time::Duration;

use bluegreen::deployment::Deployment;
use bluegreen::machine::{Cause, Kind, Order, obey};
use bluegreen::plan::Role;
use bluegreen::preflight::Wanted;
use bluegreen::report::Entry;
use bluegreen_sandbox::{Fault, FaultEffect, Form, Reply, Timings, apply};

use crate::support::virtual_world::{VirtualWorld, v2};

/// Drives a release under these faults until it rests.
async fn released(world: &VirtualWorld, wanted: Wanted, faults: Vec<Fault>) -> Deployment {
    let mut deployment = world.begin(wanted).await.expect("preflight passes");
    faults.into_iter().for_each(|fault| world.inject(fault));
    drive(world, &mut deployment).await;
    deployment
}

async fn drive(world: &VirtualWorld, deployment: &mut Deployment) {
    let driven = world.drive(deployment).await.expect("nobody kills it");
    driven.expect("it comes to rest");
}

/// A release that is paused before its last swap, and resumed after this.
async fn paused(world: &VirtualWorld, meanwhile: impl FnOnce(&VirtualWorld)) -> Deployment {
    let wanted = Wanted {
        pause_before_cutover: true,
        ..v2()
    };
    let mut deployment = released(world, wanted, Vec::new()).await;
    assert_eq!(deployment.state.kind(), Kind::AwaitingCutover);
    meanwhile(world);
    let ordered = obey(&deployment.state, &deployment.plan, Order::Resume);
    let (state, plan) = ordered.expect("it is paused");
    let now = world.clock.now();
    let mut next = deployment.entering(state, now);
    next.plan = plan;
    let mut store = world.store();
    let written = store.checkpoint(&mut deployment, next, now, "resumed", None, &[]);
    written.expect("checkpoint");
    drive(world, &mut deployment).await;
    deployment
}

fn patience(world: &mut VirtualWorld, kind: Kind, minutes: u64) {
    let patience = Duration::from_secs(minutes * 60);
    let limits = &mut world.config.wishes.limits;
    limits.patience_of.insert(kind.to_string(), patience);
}

fn busy(operation: &str, name: &str) -> Fault {
    Fault {
        operation: Some(operation.to_owned()),
        ..Fault::from(FaultEffect::Refuse {
            status: 400,
            code: "InvalidParameterValue".to_owned(),
            message: format!(
                "Environment named {name} is in an invalid state for this operation. Must be Ready."
            ),
        })
    }
}

/// Somebody asks something of the service by hand.
fn by_hand(world: &VirtualWorld, request: &str) {
    world.sandbox.with_world(
        |world, _| match apply(world, &Form::parse(request.as_bytes())) {
            Reply::Answer { status: 200, .. } => {}
            other => panic!("{other:?}"),
        },
    );
}

/// Why it rests, with what varies between runs replaced.
#[track_caller]
fn check(name: &str, deployment: &Deployment, kind: Kind) {
    assert_eq!(deployment.state.kind(), kind, "{:?}", deployment.state);
    let why = deployment.state.cause().expect("a cause").to_string();
    let mut settings = insta::Settings::clone_current();
    for (pattern, replacement) in [
        (r"\bi-[0-9a-f]{17}\b", "i-[instance]"),
        (r"\beba-[a-z0-9]{8}\b", "eba-[cname]"),
        (r"(\d+(h|m|s) ?)+ ago", "[span] ago"),
        (r"\d+ times", "[many] times"),
    ] {
        settings.add_filter(pattern, replacement);
    }
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(format!("reason_{name}"), why));
}

/// velog.io/@seul: Ready in every look, and every update refused.
#[tokio::test(start_paused = true)]
async fn a_request_that_is_refused_again_and_again_is_quoted() {
    let mut world = VirtualWorld::new().await;
    patience(&mut world, Kind::Deploying, 5);
    let faults = vec![busy("UpdateEnvironment", "shop-blue")];
    let deployment = released(&world, v2(), faults).await;
    check("update_refused", &deployment, Kind::Held);

    let mut world = VirtualWorld::new().await;
    patience(&mut world, Kind::SwappingToGreen, 5);
    let faults = vec![busy("SwapEnvironmentCNAMEs", "shop-blue")];
    let deployment = released(&world, v2(), faults).await;
    check("swap_refused", &deployment, Kind::RolledBack);
}

#[tokio::test(start_paused = true)]
async fn an_update_that_hangs_is_told_with_its_last_event_and_its_instances() {
    let world = VirtualWorld::new().await;
    let label = "v2".to_owned();
    let faults = vec![FaultEffect::UpdateHangs { label }.into()];
    let deployment = released(&world, v2(), faults).await;
    check("update_hangs", &deployment, Kind::Held);
}

#[tokio::test(start_paused = true)]
async fn a_launch_that_does_not_end_is_told_with_its_last_event() {
    let mut world = VirtualWorld::new().await;
    patience(&mut world, Kind::Cloning, 5);
    world.sandbox.with_world(|world, _| {
        // Which event was last depends on what is drawn.
        world.seed_chance(0);
        world.timings = Timings {
            launch_seconds: 3600,
            ..world.timings.even()
        }
    });
    let deployment = released(&world, v2(), Vec::new()).await;
    check("launch_goes_on", &deployment, Kind::RolledBack);
}

/// The service knows why a health is bad (DescribeEnvironmentHealth, `Causes`).
#[tokio::test(start_paused = true)]
async fn a_health_that_stays_bad_is_told_with_its_causes() {
    let mut world = VirtualWorld::new().await;
    patience(&mut world, Kind::Testing, 5);
    let deployment = paused(&world, |world| {
        world.inject(FaultEffect::EnvironmentHealth {
            environment: "shop-blue".to_owned(),
            status: "Severe".to_owned(),
            seconds: 36_000,
            cause: Some("Following services are not running: web.".to_owned()),
        });
    })
    .await;
    check("health", &deployment, Kind::Held);
}

#[tokio::test(start_paused = true)]
async fn the_last_answer_of_a_test_is_told() {
    let mut world = VirtualWorld::new().await;
    patience(&mut world, Kind::Testing, 4);
    let slow = FaultEffect::SlowToAnswer {
        label: "v2".to_owned(),
        seconds: 36_000,
    };
    let deployment = released(&world, v2(), vec![slow.into()]).await;
    check("test", &deployment, Kind::Held);
}

/// Somebody deploys onto blue while the release is paused: it is found within minutes, and
/// nothing is put over it before a person says so.
#[tokio::test(start_paused = true)]
async fn a_version_that_somebody_else_deployed_is_found_at_once() {
    let world = VirtualWorld::new().await;
    let began = std::cell::Cell::new(world.clock.now());
    let deployment = paused(&world, |world| {
        let deploy = "Action=UpdateEnvironment&EnvironmentName=shop-blue&VersionLabel=v1";
        by_hand(world, deploy);
        began.set(world.clock.now());
    })
    .await;
    check("version_moved", &deployment, Kind::Held);
    let took = deployment.updated_at.since(began.get());
    assert!(took < Duration::from_secs(600), "{took:?}");
    let on = Role::Blue;
    assert!(
        matches!(deployment.state.cause(), Some(Cause::ChangedMeanwhile { on: at, .. }) if *at == on)
    );
    let leads_on = bluegreen::report::leads_on(&Entry::of(deployment, Vec::new(), Vec::new()));
    assert!(
        leads_on[1].ends_with("--discard-changes   puts v2 in its place"),
        "{leads_on:?}"
    );
}
