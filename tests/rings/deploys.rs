//! What the events of a deploy mean, each through a whole release on a virtual clock: how it
//! ended, what went wrong, and whether it still goes on.

use std::time::Duration;

use bluegreen::cloud::LookError;
use bluegreen::deployment::Deployment;
use bluegreen::machine::{Cause, Kind, Order, State, obey};
use bluegreen::report::Entry;
use bluegreen::report::text::story;
use bluegreen_sandbox::{Fault, FaultEffect, Setting};

use crate::support::virtual_world::{VirtualWorld, v2};
use bluegreen_testing::sample::sampled;

const WSGI: &str = "Your WSGIPath refers to a file that does not exist.";

/// Of every refusal for its parameters (API reference, `InvalidRequestException`).
const INVALID: &str = "One or more input parameters is not valid.";

fn label() -> String {
    "v2".to_owned()
}

fn says(severity: &str, message: &str) -> FaultEffect {
    FaultEffect::UpdateSays {
        label: label(),
        severity: severity.to_owned(),
        message: message.to_owned(),
    }
}

fn ends_with(severity: &str, message: &str) -> FaultEffect {
    FaultEffect::UpdateEndsWith {
        label: label(),
        severity: severity.to_owned(),
        message: message.to_owned(),
    }
}

fn takes(seconds: u64, batches: u32) -> FaultEffect {
    FaultEffect::SlowDeploy {
        label: label(),
        seconds,
        batches,
    }
}

/// Blue has these options of how versions are deployed.
fn deployed_by(world: &VirtualWorld, options: &[(&str, &str)]) {
    world.sandbox.with_world(|world, _| {
        let blue = world.environment_mut("shop-blue").expect("blue is there");
        for (name, value) in options {
            let namespace = "aws:elasticbeanstalk:command";
            blue.settings
                .retain(|s| s.namespace != namespace || s.name != *name);
            blue.settings.push(Setting {
                namespace: namespace.to_owned(),
                name: (*name).to_owned(),
                value: (*value).to_owned(),
                resource: None,
            });
        }
    });
}

/// A release under these faults, where it came to rest, and how long its deploy took.
async fn released(
    world: &VirtualWorld,
    faults: impl IntoIterator<Item = FaultEffect>,
) -> (Deployment, Duration) {
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    faults.into_iter().for_each(|fault| world.inject(fault));
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it comes to rest");
    let way = world.way(&deployment.plan.id).await;
    let at = |kind: Kind| {
        let kind = kind.to_string();
        let left = way.iter().find(|t| t.from == kind);
        let entered = way.iter().find(|t| t.to == kind);
        left.expect("left").at.since(entered.expect("entered").at)
    };
    let took = at(Kind::Deploying);
    (deployment, took)
}

#[track_caller]
fn failure(deployment: &Deployment) -> &str {
    match &deployment.state {
        State::Held {
            cause: Cause::DeployFailed { message },
        } => message,
        other => panic!("{other:?}"),
    }
}

/// What a command says of a deployment that rests.
async fn told(world: &VirtualWorld, deployment: &Deployment) -> String {
    let way = world.way(&deployment.plan.id).await;
    let events = world.store().events(&deployment.plan.id);
    story(&Entry::of(
        deployment.clone(),
        way,
        events.expect("the journal reads"),
    ))
}

/// Event logs of Python environments hold it in deploys that succeed.
#[tokio::test(start_paused = true)]
async fn a_deploy_with_an_error_on_its_way_is_a_good_one_and_tells_of_it() {
    let world = VirtualWorld::new().await;
    let (deployment, _) = released(&world, [says("ERROR", WSGI), says("WARN", "Mind this.")]).await;
    assert_eq!(deployment.state, State::Completed);
    let kept: Vec<_> = deployment.deploy_warnings.iter().collect();
    let kept: Vec<_> = kept
        .iter()
        .map(|w| (w.severity.as_str(), w.message.as_str()))
        .collect();
    assert_eq!(kept, [("ERROR", WSGI), ("WARN", "Mind this.")]);
    let told = told(&world, &deployment).await;
    assert!(
        told.contains(&format!("Deploy event: ERROR {WSGI}")),
        "{told}"
    );
    world.check_all_is_well("v2");
}

/// EB CLI, `resources/strings.py`, and the guide's "Troubleshooting": whatever their severity,
/// and although every instance has the version.
#[tokio::test(start_paused = true)]
async fn every_terminal_text_of_failure_holds_the_release() {
    let texts = [
        "Failed to deploy application.",
        "Failed to deploy configuration.",
        "The environment was reverted to the previous configuration setting.",
        "Update environment operation is complete, but with errors.",
        "Update environment operation is complete, but with command timeouts. Try increasing the timeout period.",
    ];
    let severities = ["INFO", "WARN", "ERROR"];
    let ends = texts.into_iter();
    let ends = ends.flat_map(|text| severities.map(|severity| (severity, text)));
    for (severity, text) in sampled("deploys that fail", ends, 4) {
        let world = VirtualWorld::new().await;
        let (deployment, took) = released(&world, [ends_with(severity, text)]).await;
        assert_eq!(failure(&deployment), text);
        assert!(took < Duration::from_secs(300), "{text}: {took:?}");
    }
}

/// Which texts a traffic-splitting deploy ends with no public source tells. One that every
/// instance has is a good one; where none tells, it is held, and long before patience is spent.
#[tokio::test(start_paused = true)]
async fn a_deploy_that_ends_without_a_word_has_ended() {
    let world = VirtualWorld::new().await;
    deployed_by(&world, &[("DeploymentPolicy", "TrafficSplitting")]);
    let (deployment, took) = released(&world, [ends_with("INFO", "")]).await;
    assert_eq!(deployment.state, State::Completed);
    assert!(took < Duration::from_secs(300), "{took:?}");
    world.check_all_is_well("v2");

    let world = VirtualWorld::new().await;
    world.basic_health();
    let (deployment, took) = released(&world, [ends_with("INFO", "")]).await;
    let why = failure(&deployment);
    assert!(why.contains("its events do not say how"), "{why}");
    assert!(took < Duration::from_secs(300), "{took:?}");

    let world = VirtualWorld::new().await;
    let faults = [says("ERROR", WSGI), ends_with("INFO", "")];
    let (deployment, took) = released(&world, faults).await;
    assert_eq!(failure(&deployment), WSGI);
    assert!(took < Duration::from_secs(300), "{took:?}");
}

/// Event logs of failed deploys: which instance, and what was run there, is told before the
/// terminal text.
#[tokio::test(start_paused = true)]
async fn the_cause_of_a_failed_deploy_quotes_every_event_that_tells_of_it() {
    let world = VirtualWorld::new().await;
    let silent = "The following instances have not responded in the allowed command timeout time \
                  (they might still finish eventually on their own): [i-1].";
    let fails = FaultEffect::VersionFailsToDeploy { label: label() };
    let (deployment, _) = released(&world, [says("WARN", silent), fails]).await;
    let why = failure(&deployment);
    let at = |text: &str| why.find(text).unwrap_or_else(|| panic!("{text} in {why}"));
    assert_eq!(at(silent), 0);
    assert!(at("Command failed on instance") < at("Unsuccessful command execution"));
    assert!(at("Unsuccessful command execution") < at("Failed to deploy application."));
}

/// A rolling deploy of 45 minutes (meteor-up/mup-aws-beanstalk#63) on one instance after the
/// other: its own options give it the time.
#[tokio::test(start_paused = true)]
async fn a_slow_deploy_has_the_time_that_its_policy_takes() {
    let world = VirtualWorld::new().await;
    let options = [("DeploymentPolicy", "Rolling"), ("BatchSize", "30")];
    deployed_by(&world, &options);
    let (deployment, took) = released(&world, [takes(2700, 3)]).await;
    assert_eq!(deployment.state, State::Completed);
    assert!(took >= Duration::from_secs(2700), "{took:?}");
    let limits = &deployment.plan.wishes.limits;
    let minutes = |kind: &str| limits.patience_of[kind].as_secs() / 60;
    // Three times a command of 14 minutes, 12 checks and a drain.
    assert_eq!((limits.rollout.batches, minutes("Deploying")), (3, 52));
    assert_eq!(minutes("AbortingDeploy"), 52);
    world.check_all_is_well("v2");
}

/// What an operator says is so, whatever the policy.
#[tokio::test(start_paused = true)]
async fn a_limit_that_is_given_wins() {
    let mut world = VirtualWorld::new().await;
    deployed_by(&world, &[("DeploymentPolicy", "Immutable")]);
    let long = Duration::from_secs(7200);
    world.config.wishes.limits.patience_of = [("Deploying".to_owned(), long)].into();
    let plan = world.begin(v2()).await.expect("preflight passes").plan;
    assert_eq!(plan.wishes.limits.patience_of["Deploying"], long);
    let mut world = VirtualWorld::new().await;
    deployed_by(&world, &[("DeploymentPolicy", "Immutable")]);
    world.config.patience_is_given = true;
    let plan = world.begin(v2()).await.expect("preflight passes").plan;
    assert_eq!(plan.wishes.limits.patience_of, [].into());
}

/// Ten minutes of patience, and the five and a half for which the request may still arrive.
fn patient(world: &mut VirtualWorld) -> Duration {
    let limits = &mut world.config.wishes.limits;
    limits.patience_of = [("Deploying".to_owned(), Duration::from_secs(600))].into();
    Duration::from_secs(600) + limits.quarantine
}

/// How often an update was asked to be aborted.
fn aborted(world: &VirtualWorld) -> u64 {
    let calls = world.sandbox.report().calls;
    calls.get("AbortEnvironmentUpdate").copied().unwrap_or(0)
}

#[tokio::test(start_paused = true)]
async fn a_deploy_whose_events_keep_coming_is_waited_for() {
    let mut world = VirtualWorld::new().await;
    let patience = patient(&mut world);
    let (deployment, took) = released(&world, [takes(2700, 6)]).await;
    assert_eq!(deployment.state, State::Completed);
    assert!(took > patience * 2, "{took:?}");
    assert_eq!(aborted(&world), 0);
    world.check_all_is_well("v2");
}

/// A deploy to every instance at once may have no event between its first and its last
/// (hirokiky/ebi#22): its instances tell that it goes on.
#[tokio::test(start_paused = true)]
async fn a_silent_deploy_is_waited_for_while_its_instances_are_in_progress() {
    let mut world = VirtualWorld::new().await;
    let patience = patient(&mut world);
    let (deployment, took) = released(&world, [takes(2700, 0)]).await;
    assert_eq!(deployment.state, State::Completed);
    assert!(took > patience * 2, "{took:?}");
    assert_eq!(aborted(&world), 0);
    world.check_all_is_well("v2");
    // Basic health tells of no instance: the update has begun and has not ended.
    let mut world = VirtualWorld::new().await;
    patient(&mut world);
    world.basic_health();
    let (deployment, _) = released(&world, [takes(2700, 0)]).await;
    assert_eq!(deployment.state, State::Completed);
    assert_eq!(aborted(&world), 0);
}

/// No instance is in the middle of it any more.
#[tokio::test(start_paused = true)]
async fn a_deploy_that_falls_silent_is_given_up() {
    let mut world = VirtualWorld::new().await;
    let patience = patient(&mut world);
    let hangs = FaultEffect::UpdateHangs { label: label() };
    let (deployment, took) = released(&world, [hangs]).await;
    let State::Held {
        cause: Cause::OutOfPatience { during, seen },
    } = &deployment.state
    else {
        panic!("{:?}", deployment.state);
    };
    assert_eq!(*during, Kind::Deploying);
    assert!(
        seen.contains("the update of shop-blue has not ended"),
        "{seen}"
    );
    assert!(
        took >= patience && took < patience + Duration::from_secs(120),
        "{took:?}"
    );
    assert!(aborted(&world) > 0);
}

/// However long its events come. It is not aborted: a person may know better.
#[tokio::test(start_paused = true)]
async fn a_deploy_that_does_not_end_is_held_after_four_times_its_patience() {
    for batches in [0, 200] {
        let mut world = VirtualWorld::new().await;
        let patience = patient(&mut world);
        let (deployment, took) = released(&world, [takes(36_000, batches)]).await;
        assert_eq!(deployment.state.kind(), Kind::Held);
        let most = patience * 4;
        assert!(
            took >= most && took < most + Duration::from_secs(120),
            "{took:?}"
        );
        assert_eq!(aborted(&world), 0);
        let told = told(&world, &deployment).await;
        for part in [
            "the update of shop-blue has not ended, its last event, ",
            "runs v1 (In Progress)",
            "waits on if the deploy still makes progress",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
}

/// An operator orders something of a deployment that rests.
async fn order(world: &VirtualWorld, deployment: &mut Deployment, order: Order) {
    let (state, plan) = obey(&deployment.state, &deployment.plan, order).expect("it rests");
    let now = world.clock.now();
    let mut next = deployment.entering(state, now);
    next.plan = plan;
    let mut store = world.store();
    let written = store.checkpoint(deployment, next, now, "ordered", None, &[]);
    written.expect("checkpoint");
    let driven = world.drive(deployment).await.expect("nobody kills it");
    driven.expect("it comes to rest");
}

/// Every instance runs the version, and the update says that it has failed: a resume deploys
/// again, and takes nothing for done.
#[tokio::test(start_paused = true)]
async fn a_resume_does_not_take_a_deploy_for_done_that_has_failed() {
    let world = VirtualWorld::new().await;
    let text = "Failed to deploy configuration.";
    let (mut deployment, _) = released(&world, [ends_with("WARN", text)]).await;
    assert_eq!(deployment.state.kind(), Kind::Held);
    let before = deploys(&world);
    order(&world, &mut deployment, Order::Resume).await;
    assert_eq!(
        deployment.state.kind(),
        Kind::Held,
        "{:?}",
        deployment.state
    );
    assert!(deploys(&world) > before);
}

/// How often a deploy was asked for.
fn deploys(world: &VirtualWorld) -> u64 {
    let calls = world.sandbox.report().calls;
    calls.get("UpdateEnvironment").copied().unwrap_or(0)
}

/// A release that is held because its deploy takes longer than any may.
async fn overdue(seconds: u64) -> (VirtualWorld, Deployment) {
    let mut world = VirtualWorld::new().await;
    patient(&mut world);
    let (deployment, _) = released(&world, [takes(seconds, 0)]).await;
    assert_eq!(deployment.state.kind(), Kind::Held);
    (world, deployment)
}

#[tokio::test(start_paused = true)]
async fn a_resume_waits_on_for_an_overdue_deploy_and_deploys_nothing_again() {
    for (meanwhile, seconds) in [(0, 4200), (3600, 4200)] {
        let (world, mut deployment) = overdue(seconds).await;
        let before = deploys(&world);
        world.clock.sleep(Duration::from_secs(meanwhile)).await;
        order(&world, &mut deployment, Order::Resume).await;
        assert_eq!(deployment.state, State::Completed, "{meanwhile}");
        assert_eq!(aborted(&world), 0);
        let way = world.way(&deployment.plan.id).await;
        let resized = way.iter().filter(|t| t.from == "Testing").count() as u64;
        assert!(deploys(&world) <= before + resized + 1, "{way:?}");
        world.check_all_is_well("v2");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollback_aborts_an_overdue_deploy_at_once() {
    let (world, mut deployment) = overdue(36_000).await;
    let held_at = world.clock.now();
    order(&world, &mut deployment, Order::Retreat).await;
    assert_eq!(deployment.state.kind(), Kind::RolledBack);
    assert!(aborted(&world) > 0);
    let way = world.way(&deployment.plan.id).await;
    let aborts = way.iter().find(|t| t.to == "AbortingDeploy");
    let after = aborts.expect("it aborts").at.since(held_at);
    assert!(after < Duration::from_secs(300), "{after:?}");
    world.check_all_is_as_before(&way);
}

/// One of several instances keeps the old version (aws/elastic-beanstalk-roadmap#162).
#[tokio::test(start_paused = true)]
async fn an_instance_that_was_missed_is_named() {
    let world = VirtualWorld::new().await;
    let misses = FaultEffect::InstanceMisses { label: label() };
    let (deployment, _) = released(&world, [misses]).await;
    let why = failure(&deployment);
    assert!(why.starts_with("the update completed, and i-"), "{why}");
    assert!(why.ends_with(" runs v1 (Failed)"), "{why}");
}

fn refused(operation: &str, message: &str, times: Option<u32>) -> Fault {
    Fault {
        operation: Some(operation.to_owned()),
        times,
        ..Fault::from(FaultEffect::Refuse {
            status: 400,
            code: "InvalidRequestException".to_owned(),
            message: message.to_owned(),
        })
    }
}

/// EB CLI: "Environment probably switching between health monitoring types". Only "… is not
/// supported." tells of basic health, and where blue has the enhanced one, not even that proves
/// a deploy.
#[tokio::test(start_paused = true)]
async fn a_question_for_health_that_is_refused_proves_no_deploy() {
    let world = VirtualWorld::new().await;
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    world.inject(refused("DescribeInstancesHealth", INVALID, Some(3)));
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it comes to rest");
    assert_eq!(deployment.state, State::Completed);
    let asked = world.sandbox.report().calls["DescribeInstancesHealth"];
    assert!(asked > 3, "{asked}");
    world.check_all_is_well("v2");

    let world = VirtualWorld::new().await;
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    world.inject(refused(
        "DescribeInstancesHealth",
        "DescribeInstancesHealth is not supported.",
        None,
    ));
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it comes to rest");
    let why = failure(&deployment);
    assert!(
        why.contains("AWS does not say what its instances run"),
        "{why}"
    );
}

/// Only "… is not supported." tells of basic health (EB CLI, `resources/strings.py`); another
/// invalid request is asked again.
#[tokio::test(start_paused = true)]
async fn another_invalid_request_is_no_basic_health() {
    const ASKED: &str = "DescribeEnvironmentHealth";
    let world = VirtualWorld::new().await;
    let id = world.sandbox.with_world(|world, _| {
        let blue = world.environment("shop-blue").expect("blue");
        blue.id.clone()
    });
    world.inject(refused(ASKED, INVALID, Some(1)));
    let told = world.cloud.health_causes(&id).await;
    let passes = matches!(&told, Err(LookError::Passing(why)) if why.contains(INVALID));
    assert!(passes, "{told:?}");
    let unsupported = format!("{ASKED} is not supported.");
    world.inject(refused(ASKED, &unsupported, Some(1)));
    assert_eq!(world.cloud.health_causes(&id).await, Ok(Vec::new()));
}
