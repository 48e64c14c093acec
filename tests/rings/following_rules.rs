//! The rules of a shared load balancer through whole releases.

use crate::support::shared_balancer::{SHOP, STAGING, check_rules, world};
use std::sync::{Arc, Mutex};

use bluegreen::deployment::Deployment;
use bluegreen::listener_rules::TAG_FOLLOW;
use bluegreen::machine::{Cause, Kind, State};
use bluegreen::plan::Strategy;
use bluegreen::preflight::Wanted;
use bluegreen_sandbox::{Fault, FaultEffect, PRODUCTION, Phase};

use crate::support::virtual_world::{Fate, Kill, VirtualWorld, v2};
use bluegreen_testing::sample::sampled;

async fn begun(world: &VirtualWorld, strategy: Strategy) -> Deployment {
    let wanted = Wanted { strategy, ..v2() };
    world.begin(wanted).await.expect("preflight passes")
}

/// Plays a release; the process dies at this call and another goes on. Gives the numbers
/// of the calls that move rules.
async fn play(strategy: Strategy, kill: Option<Kill>) -> Vec<u64> {
    let world = world().await;
    let mut deployment = begun(&world, strategy).await;
    let moves = Arc::<Mutex<Vec<u64>>>::default();
    let (counted, sandbox) = (moves.clone(), world.sandbox.clone());
    world.on_call(move |call, phase| {
        let operation = call.operation.as_str();
        if phase == Phase::Before && operation == "ModifyRule" {
            counted.lock().expect("no panic holds it").push(call.number);
        }
        if phase == Phase::Before && operation == "UpdateEnvironment" {
            sandbox.with_world(|world, _| {
                let [reached, holds] = [world.balanced_to(SHOP), world.cname_holder(PRODUCTION)];
                let names = [reached, holds].map(|found| found.expect("it is there").name.as_str());
                assert_eq!(names[0], names[1], "{operation} with {kill:?}");
            });
        }
        let number = call.number;
        if kill
            == Some(Kill {
                call: number,
                phase,
            })
        {
            Fate::Death
        } else {
            Fate::Life
        }
    });
    loop {
        if let Some(driven) = world.drive(&mut deployment).await {
            driven.unwrap_or_else(|e| panic!("{kill:?}: {e}"));
            break;
        }
    }
    assert_eq!(
        deployment.state.kind(),
        Kind::Completed,
        "{:?}",
        deployment.state
    );
    let stays = match strategy {
        Strategy::Restore | Strategy::Rehearse => "shop-blue",
        Strategy::Promote => "shop-blue-green",
    };
    check_rules(&world, stays);
    let moves = moves.lock().expect("no panic holds it");
    moves.clone()
}

#[tokio::test(start_paused = true)]
async fn rules_follow_a_release_whenever_it_dies() {
    let moves = play(Strategy::Restore, None).await;
    // Staging's to green; both over, both back, staging's off green.
    assert_eq!(moves.len(), 6);
    let kills = moves.into_iter().flat_map(|call| {
        let phases = [Phase::Before, Phase::After];
        phases.map(|phase| Kill { call, phase })
    });
    for kill in sampled("crashes at a rule", kills, 4) {
        play(Strategy::Restore, Some(kill)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn rules_follow_a_promotion() {
    play(Strategy::Promote, None).await;
}

/// A load balancer that takes no changes.
fn immovable() -> Fault {
    Fault {
        operation: Some("ModifyRule".to_owned()),
        ..Fault::from(FaultEffect::Refuse {
            status: 400,
            code: "PriorityInUse".to_owned(),
            message: "no".to_owned(),
        })
    }
}

/// Nothing is deployed to an environment that a rule still sends traffic to, and the end says what
/// that means for those who come by it.
#[tokio::test(start_paused = true)]
async fn a_rule_that_cannot_be_moved_holds_the_deploy() {
    let world = world().await;
    let mut deployment = begun(&world, Strategy::Restore).await;
    world.inject(immovable());
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.unwrap_or_else(|e| panic!("{e}"));
    let State::Held { cause } = &deployment.state else {
        panic!("{:?}", deployment.state);
    };
    assert!(
        matches!(cause, Cause::RuleStays { why }
            if why.contains("AWS does not change") && why.contains("listener-rule")),
        "{cause}"
    );
    let told = cause.to_string();
    assert!(
        told.contains("still reach the environment that it forwards to")
            && told.contains("what to do: change the rule manually"),
        "{told}"
    );
    world.sandbox.with_world(|world, _| {
        let blue = world.environment("shop-blue").expect("blue");
        assert_eq!(blue.version_label, "v1");
    });
}

/// Without the right to change a rule the process ends where it is, and says what that means for
/// those who come by the rule.
#[tokio::test(start_paused = true)]
async fn a_rule_that_may_not_be_changed_loses_nothing() {
    let world = world().await;
    let mut deployment = begun(&world, Strategy::Restore).await;
    let policy = crate::support::policies::without_statement("MoveTaggedRules");
    world.sandbox.set_policy(Some(policy));
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    let told = driven.expect_err("it may not").to_string();
    assert!(
        told.contains("AWS denied what is needed: ModifyRule")
            && told.contains("still reach the environment that it forwards to")
            && told.contains("allow elasticloadbalancing:ModifyRule"),
        "{told}"
    );
    world.sandbox.with_world(|world, _| {
        let blue = world.environment("shop-blue").expect("blue");
        assert_eq!(blue.version_label, "v1");
    });
    world
        .sandbox
        .set_policy(Some(crate::support::policies::shipped()));
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it goes on");
    assert_eq!(deployment.state, State::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_tag_of_another_value_is_refused_beforehand() {
    let world = world().await;
    world.sandbox.with_world(|world, _| {
        world.add_rule("fourth.example", "shop-blue", &[(TAG_FOLLOW, "prod")]);
    });
    let refused = world.begin(v2()).await.expect_err("it is refused");
    let told = refused.to_string();
    assert!(told.contains("bluegreen:follow=prod"), "{told}");
}

/// A rule that authenticates users does so wherever it forwards them.
#[tokio::test(start_paused = true)]
async fn a_rule_that_authenticates_follows() {
    let world = world().await;
    world.sandbox.with_world(|world, _| {
        let host = "members.shop.example";
        let rule = world.add_rule(host, "shop-blue", &[(TAG_FOLLOW, "production")]);
        world.authenticate(&rule);
    });
    let mut deployment = begun(&world, Strategy::Promote).await;
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(deployment.state, State::Completed);
    world.sandbox.with_world(|world, _| {
        let reached = world.balanced_to("members.shop.example");
        assert_eq!(reached.expect("it leads there").name, "shop-blue-green");
    });
}

/// Green cannot be deleted while a rule forwards to it: it is left, and a person is told.
#[tokio::test(start_paused = true)]
async fn a_rule_that_cannot_be_moved_stops_a_termination() {
    let world = world().await;
    let mut deployment = begun(&world, Strategy::Restore).await;
    let (sandbox, journal) = (world.sandbox.clone(), Mutex::new(world.store()));
    let is_over = Mutex::new(false);
    world.on_call(move |_, phase| {
        let mut is_over = is_over.lock().expect("no panic holds it");
        if phase == Phase::Before && !*is_over {
            let journal = journal.lock().expect("no panic holds it");
            let driven = journal.unfinished().expect("it can be read");
            if driven
                .iter()
                .any(|d| d.state.kind() == Kind::TerminatingGreen)
            {
                *is_over = true;
                sandbox.with_world(|world, _| world.inject(immovable()));
            }
        }
        Fate::Life
    });
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.unwrap_or_else(|e| panic!("{e}"));
    let State::Stuck { cause } = &deployment.state else {
        panic!("{:?}", deployment.state);
    };
    assert!(
        matches!(cause, Cause::RuleStays { why }
            if why.contains("AWS does not change") && why.contains("listener-rule")),
        "{cause}"
    );
    let calls = world.sandbox.report().calls;
    assert_eq!(calls.get("TerminateEnvironment"), None);
    world.sandbox.with_world(|world, _| {
        let reached = |host| world.balanced_to(host).map(|e| e.name.as_str());
        assert_eq!(reached(SHOP), Some("shop-blue"));
        assert_eq!(reached(STAGING), Some("shop-blue-green"), "which answers");
    });
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_could_not_follow_is_refused_beforehand() {
    let refused = async |world: &VirtualWorld| {
        let refused = world.begin(v2()).await.expect_err("it is refused");
        refused.to_string()
    };
    let tagged = world().await;
    tagged
        .sandbox
        .with_world(|world, _| world.tag_default_rule(TAG_FOLLOW, "production"));
    let told = refused(&tagged).await;
    assert!(told.contains("is its listener's default"), "{told}");
    let astray = world().await;
    astray.sandbox.with_world(|world, _| {
        world.share_load_balancer("shop-worker");
        world.add_rule(
            "fourth.example",
            "shop-worker",
            &[(TAG_FOLLOW, "production")],
        );
    });
    let told = refused(&astray).await;
    assert!(
        told.contains("forwards to no target group of environment e-"),
        "{told}"
    );
}

/// Without a rule of somebody else's a shared load balancer needs no tag: what comes by the
/// CNAME reaches its holder (tmshkr/blue-green-beanstalk, `test/integration/shared_alb.test.ts`).
#[tokio::test(start_paused = true)]
async fn the_services_own_rule_follows() {
    for strategy in [Strategy::Restore, Strategy::Promote] {
        let world = VirtualWorld::new().await;
        world
            .sandbox
            .with_world(|world, _| world.share_load_balancer("shop-blue"));
        let mut deployment = begun(&world, strategy).await;
        let sandbox = world.sandbox.clone();
        world.on_call(move |call, phase| {
            if phase == Phase::Before && call.operation == "UpdateEnvironment" {
                sandbox.with_world(|world, _| {
                    let [reached, holds] = [
                        world.balanced_to(PRODUCTION),
                        world.cname_holder(PRODUCTION),
                    ];
                    let names = [reached, holds].map(|e| e.expect("it is there").name.as_str());
                    assert_eq!(names[0], names[1]);
                });
            }
            Fate::Life
        });
        let driven = world.drive(&mut deployment).await.expect("nobody kills it");
        driven.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(deployment.state, State::Completed, "{strategy}");
    }
}

/// That it follows is likely and no more: where it does not, blue still gets the requests for
/// the CNAME, and nothing is deployed to it.
#[tokio::test(start_paused = true)]
async fn a_rule_of_the_service_that_stays_holds_the_deploy() {
    let world = VirtualWorld::new().await;
    world
        .sandbox
        .with_world(|world, _| world.share_load_balancer("shop-blue"));
    world.inject(FaultEffect::RulesStay);
    let mut deployment = begun(&world, Strategy::Restore).await;
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.unwrap_or_else(|e| panic!("{e}"));
    let State::Held { cause } = &deployment.state else {
        panic!("{:?}", deployment.state);
    };
    let told = cause.to_string();
    assert!(
        told.contains("own rule has not followed the swap"),
        "{told}"
    );
    assert!(told.contains(PRODUCTION), "{told}");
    world.sandbox.with_world(|world, _| {
        let blue = world.environment("shop-blue").expect("blue");
        assert_eq!(blue.version_label, "v1");
    });
}

/// A target group that a rule forwards to cannot be deleted (API reference,
/// `DeleteTargetGroup`): the rule is named, and the termination is not asked for.
#[tokio::test(start_paused = true)]
async fn a_rule_of_somebody_elses_stops_a_termination() {
    let world = VirtualWorld::new().await;
    world
        .sandbox
        .with_world(|world, _| world.share_load_balancer("shop-blue"));
    let mut deployment = begun(&world, Strategy::Restore).await;
    let sandbox = world.sandbox.clone();
    world.on_call(move |call, phase| {
        if phase == Phase::Before && call.operation == "UpdateEnvironment" {
            sandbox.with_world(|world, _| {
                world.add_rule("green.shop.example", "shop-blue-green", &[]);
            });
        }
        Fate::Life
    });
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.unwrap_or_else(|e| panic!("{e}"));
    let State::Stuck { cause } = &deployment.state else {
        panic!("{:?}", deployment.state);
    };
    let told = cause.to_string();
    assert!(
        told.contains("cannot delete shop-blue-green while the rule")
            && told.contains("green.shop.example"),
        "{told}"
    );
    let calls = world.sandbox.report().calls;
    assert_eq!(calls.get("TerminateEnvironment"), None);
}
