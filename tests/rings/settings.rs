//! Option settings over a release: what blue's template sets, what its version's bundle and the
//! defaults of the day set, and that nothing of what a release sets is left.

use std::sync::atomic::{AtomicBool, Ordering};

use bluegreen::deployment::Deployment;
use bluegreen::machine::{Kind, State};
use bluegreen::plan::Strategy;
use bluegreen::preflight::Wanted;
use bluegreen_sandbox::{FaultEffect, Phase};

use crate::support::virtual_world::{Fate, VirtualWorld, v2};
use bluegreen_testing::sample::sampled;

const BLUE: &str = "shop-blue";
const GREEN: &str = "shop-blue-green";
const SIZES: [&str; 2] = ["MinSize", "MaxSize"];
const GROUP: &str = "aws:autoscaling:asg";

async fn released(world: &VirtualWorld, strategy: Strategy) -> Deployment {
    let wanted = Wanted { strategy, ..v2() };
    let mut deployment = world.begin(wanted).await.expect("preflight passes");
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it ends");
    deployment
}

/// The source bundles set the sizes, and nobody has applied any to blue itself.
fn sized_by_bundles(world: &VirtualWorld, sizes: [(&str, [&str; 2]); 2]) {
    world.inject(FaultEffect::IdleShrinks);
    world.sandbox.with_world(|world, _| {
        let blue = world.environment_mut(BLUE).expect("blue");
        blue.settings.retain(|s| !SIZES.contains(&s.name.as_str()));
        for (label, values) in sizes {
            for (option, value) in SIZES.into_iter().zip(values) {
                world.inject(FaultEffect::VersionSets {
                    label: label.to_owned(),
                    namespace: GROUP.to_owned(),
                    option: option.to_owned(),
                    value: value.to_owned(),
                });
            }
        }
    });
}

/// The sizes in force, and those that are applied to the environment itself.
fn sizes_of(world: &VirtualWorld, name: &str) -> ([String; 2], Vec<String>) {
    world.sandbox.with_world(|world, _| {
        let environment = world.environment(name).expect("it is there");
        let in_force = SIZES.map(|option| {
            let value = environment.setting(GROUP, option);
            value.unwrap_or_default().to_owned()
        });
        let settings = environment.settings.iter();
        let applied = settings.filter(|s| SIZES.contains(&s.name.as_str()));
        (in_force, applied.map(|s| s.name.clone()).collect())
    })
}

fn of(sizes: [&str; 2]) -> [String; 2] {
    sizes.map(str::to_owned)
}

#[tokio::test(start_paused = true)]
async fn defaults_that_have_changed_since_blue_was_made_stop_nothing() {
    let world = VirtualWorld::new().await;
    world.inject(FaultEffect::MadeLongAgo {
        environment: BLUE.to_owned(),
    });
    let deployment = released(&world, Strategy::Restore).await;
    assert_eq!(deployment.state, State::Completed);
    let sets = deployment.plan.template_sets.expect("it was read");
    let policy = "aws:elasticbeanstalk:command:DeploymentPolicy".to_owned();
    assert!(sets.options.contains(&policy), "{sets:?}");
    world.check_all_is_well("v2");
}

/// What is set through the API outranks `.ebextensions` and defaults until it is removed.
#[tokio::test(start_paused = true)]
async fn sizes_that_only_the_bundle_sets_are_not_left_set() {
    for strategy in [Strategy::Restore, Strategy::Promote] {
        let world = VirtualWorld::new().await;
        sized_by_bundles(&world, [("v1", ["2", "4"]), ("v2", ["2", "4"])]);
        world.sandbox.with_world(|world, _| world.scale(BLUE, 4));
        let deployment = released(&world, strategy).await;
        assert_eq!(deployment.state, State::Completed, "{strategy}");
        let sized = deployment.sized.as_ref().expect("it is known");
        assert!(!sized.is_empty(), "{strategy}: it changes sizes");
        let keeper = match strategy {
            Strategy::Restore | Strategy::Rehearse => BLUE,
            Strategy::Promote => GREEN,
        };
        let none: Vec<String> = Vec::new();
        assert_eq!(sizes_of(&world, keeper), (of(["2", "4"]), none));
    }
}

/// The version that is released brings sizes of its own, as many as were set meanwhile.
#[tokio::test(start_paused = true)]
async fn sizes_that_the_version_sets_are_left() {
    for brought in [["3", "6"], ["4", "4"]] {
        let world = VirtualWorld::new().await;
        sized_by_bundles(&world, [("v1", ["2", "4"]), ("v2", brought)]);
        world.sandbox.with_world(|world, _| world.scale(BLUE, 4));
        let deployment = released(&world, Strategy::Restore).await;
        assert_eq!(deployment.state, State::Completed);
        assert_eq!(sizes_of(&world, BLUE), (of(brought), Vec::new()));
    }
}

/// Somebody sets blue's sizes, the least and the most, after the first call of this operation.
fn somebody_sizes_blue(world: &VirtualWorld, operation: &'static str, sizes: [&'static str; 2]) {
    let (sandbox, is_done) = (world.sandbox.clone(), AtomicBool::new(false));
    world.on_call(move |call, phase| {
        let is_then = phase == Phase::After && call.operation == operation;
        if is_then && !is_done.swap(true, Ordering::SeqCst) {
            sandbox.with_world(|world, _| {
                for (name, value) in SIZES.iter().zip(sizes) {
                    world.set(BLUE, GROUP, name, value);
                }
            });
        }
        Fate::Life
    });
}

#[tokio::test(start_paused = true)]
async fn sizes_that_somebody_sets_meanwhile_are_left() {
    let world = VirtualWorld::new().await;
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    // The release itself has set three.
    somebody_sizes_blue(&world, "TerminateEnvironment", ["4", "9"]);
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it ends");
    assert_eq!(deployment.state.kind(), Kind::Completed);
    let both = SIZES.map(str::to_owned).to_vec();
    let (in_force, applied) = sizes_of(&world, BLUE);
    assert_eq!((in_force, applied), (of(["4", "9"]), both));
}

/// Fewer than production needs: blue gets enough of them to take it, and theirs again. What the
/// release has set is removed first, as where the bundle alone sets sizes, which nobody sees.
#[tokio::test(start_paused = true)]
async fn sizes_that_somebody_lowers_over_the_bundles_are_set_again() {
    let world = VirtualWorld::new().await;
    sized_by_bundles(&world, [("v1", ["2", "4"]), ("v2", ["2", "4"])]);
    world.sandbox.with_world(|world, _| world.scale(BLUE, 4));
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    somebody_sizes_blue(&world, "SwapEnvironmentCNAMEs", ["1", "8"]);
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it ends");
    assert_eq!(deployment.state, State::Completed);
    let (in_force, _) = sizes_of(&world, BLUE);
    assert_eq!(in_force, of(["1", "8"]));
    assert_eq!(world.sandbox.report().lost, 0);
}

/// The answer to the request that removes sizes is lost: it is asked for again.
#[tokio::test(start_paused = true)]
async fn sizes_are_removed_although_an_answer_is_lost() {
    let world = VirtualWorld::new().await;
    sized_by_bundles(&world, [("v1", ["2", "4"]), ("v2", ["2", "4"])]);
    world.sandbox.with_world(|world, _| world.scale(BLUE, 4));
    for effect in [FaultEffect::DropAnswer, FaultEffect::DropRequest] {
        // The first is the deploy, or a change of sizes before it.
        world.inject(bluegreen_sandbox::Fault {
            operation: Some("UpdateEnvironment".to_owned()),
            skip: 1,
            times: Some(1),
            ..effect.into()
        });
    }
    let deployment = released(&world, Strategy::Restore).await;
    assert_eq!(deployment.state, State::Completed);
    assert_eq!(sizes_of(&world, BLUE), (of(["2", "4"]), Vec::new()));
}

/// Whether a template keeps the group that the service made for blue is not told anywhere. Where
/// it did and green were in it, blue could not be terminated.
#[tokio::test(start_paused = true)]
async fn green_is_never_in_the_group_of_blue() {
    let groups = [(false, ""), (true, ""), (false, "sg-app"), (true, "sg-app")];
    for (keeps, custom) in sampled("groups of blue", groups, 1) {
        let world = VirtualWorld::new().await;
        world.sandbox.with_world(|world, _| {
            if keeps {
                world.inject(FaultEffect::TemplatesKeepGroups);
            }
            if !custom.is_empty() {
                let launch = "aws:autoscaling:launchconfiguration";
                world.set(BLUE, launch, "SecurityGroups", custom);
            }
        });
        let deployment = released(&world, Strategy::Promote).await;
        assert_eq!(deployment.state, State::Completed, "{keeps} {custom}");
        let groups = world.sandbox.with_world(|world, _| {
            let green = world.environment(GREEN).expect("green");
            let own = green.own_group();
            let groups = green.groups().into_iter();
            groups
                .filter(|group| own.as_ref() != Some(group))
                .collect::<Vec<_>>()
        });
        assert_eq!(groups.join(","), custom, "{keeps}");
        world.check_green_is_promoted("v2");
    }
}

/// A green without one of the security groups that blue was given takes no traffic.
#[tokio::test(start_paused = true)]
async fn a_security_group_that_green_lacks_is_noticed() {
    let world = VirtualWorld::new().await;
    let launch = "aws:autoscaling:launchconfiguration";
    world
        .sandbox
        .with_world(|world, _| world.set(BLUE, launch, "SecurityGroups", "sg-app"));
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    let sandbox = world.sandbox.clone();
    world.on_call(move |call, phase| {
        if phase == Phase::After && call.operation == "CreateEnvironment" {
            sandbox.with_world(|world, _| world.set(GREEN, launch, "SecurityGroups", ""));
        }
        Fate::Life
    });
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it ends");
    let cause = deployment.state.cause().expect("a cause").to_string();
    assert_eq!(deployment.state.kind(), Kind::RolledBack, "{cause}");
    let flag = format!("--expect-difference {launch}:SecurityGroups");
    assert!(cause.ends_with(&flag), "{cause}");
    world.check_all_is_well("v1");
}
