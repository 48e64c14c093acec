//! Environments that live in Warning: what is accepted is released, and what is new is not.
//! Whole releases on a virtual clock.

use std::time::Duration;

use bluegreen::acceptance::{AcceptanceTest, On};
use bluegreen::deployment::Deployment;
use bluegreen::health::Health;
use bluegreen::machine::Kind;
use bluegreen::plan::Strategy;
use bluegreen::preflight::{Check, Wanted};
use bluegreen_sandbox::{FaultEffect, Phase};

use crate::support::virtual_world::{Fate, VirtualWorld, v2};
use bluegreen_testing::sample::sampled;

const DAY: u64 = 24 * 3600;

/// Both environments are so for so long.
fn both_are(world: &VirtualWorld, status: &str, seconds: u64) {
    for environment in ["shop-blue", "shop-blue-green"] {
        is_so(world, environment, status, seconds);
    }
}

fn is_so(world: &VirtualWorld, environment: &str, status: &str, seconds: u64) {
    world.inject(so(environment, status, seconds));
}

fn so(environment: &str, status: &str, seconds: u64) -> FaultEffect {
    FaultEffect::EnvironmentHealth {
        environment: environment.to_owned(),
        status: status.to_owned(),
        seconds,
        cause: None,
    }
}

/// A release of v2 in this world, to its rest.
async fn released(world: &VirtualWorld, wanted: Wanted) -> Deployment {
    let mut deployment = world.begin(wanted).await.expect("preflight passes");
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it comes to rest");
    deployment
}

/// It is refused unless one of these accepts it, and what one of these accepts is released.
#[tokio::test(start_paused = true)]
async fn production_that_lives_in_warning_is_released_where_that_is_accepted() {
    type Accept = fn(&mut VirtualWorld, &mut Wanted);
    let by: [(&str, Accept); 4] = [
        ("--healthy", |world, _| {
            world.config.wishes.healthy = Health::Warning
        }),
        ("--allow", |_, wanted| {
            wanted.allow = vec![Check::BlueHealthy]
        }),
        ("blue's own threshold", |world, _| {
            let namespace = "aws:elasticbeanstalk:healthreporting:system";
            accepts(world, namespace, "Warning");
        }),
        ("the same in the other namespace", |world, _| {
            accepts(world, "aws:elasticbeanstalk:command", "Severe");
        }),
    ];
    let mut cases = Vec::new();
    for strategy in [Strategy::Restore, Strategy::Promote] {
        for basic in [false, true] {
            cases.extend(by.map(|(what, accept)| (strategy, basic, what, accept)));
        }
    }
    for (strategy, basic, what, accept) in sampled("acceptances of a Warning", cases, 4) {
        let mut world = VirtualWorld::new().await;
        if basic {
            world.basic_health();
        }
        both_are(&world, "Warning", DAY);
        let mut wanted = Wanted { strategy, ..v2() };
        let refused = world
            .begin(wanted.clone())
            .await
            .expect_err("it is Warning");
        let words = refused.to_string();
        let shown = if basic {
            "health is Yellow"
        } else {
            "health is Warning (12.5 %"
        };
        assert!(words.contains(shown), "{words}");
        assert!(words.contains("--allow blue-healthy"), "{words}");
        accept(&mut world, &mut wanted);
        let deployment = released(&world, wanted).await;
        let told = format!("{what}, {strategy}, basic: {basic}: {:?}", deployment.state);
        assert_eq!(deployment.state.kind(), Kind::Completed, "{told}");
        assert!(deployment.plan.wishes.healthy >= Health::Warning, "{told}");
        assert_eq!(deployment.usual_health, Some(Health::Warning), "{told}");
        match strategy {
            Strategy::Restore | Strategy::Rehearse => world.check_all_is_well("v2"),
            Strategy::Promote => world.check_green_is_promoted("v2"),
        }
    }
}

fn accepts(world: &VirtualWorld, namespace: &str, status: &str) {
    world.sandbox.with_world(|world, _| {
        world.set(
            "shop-blue",
            namespace,
            "HealthCheckSuccessThreshold",
            status,
        );
    });
}

#[tokio::test(start_paused = true)]
async fn what_is_worse_than_accepted_is_refused_and_red_may_not_be_allowed() {
    for (healthy, status, refuses, may_be_allowed) in [
        (Health::Ok, "Warning", true, true),
        (Health::Ok, "Degraded", true, false),
        (Health::Warning, "Degraded", true, false),
        (Health::Degraded, "Degraded", false, false),
        (Health::Degraded, "Severe", true, false),
    ] {
        let mut world = VirtualWorld::new().await;
        is_so(&world, "shop-blue", status, DAY);
        world.config.wishes.healthy = healthy;
        let told = format!("{healthy:?} {status}");
        assert_eq!(world.begin(v2()).await.is_err(), refuses, "{told}");
        if refuses {
            let allow = vec![Check::BlueHealthy];
            let begun = world.begin(Wanted { allow, ..v2() }).await;
            assert_eq!(begun.is_ok(), may_be_allowed, "{told}");
        }
    }
}

/// The environment that production is watched on turns Warning for so long once it is.
fn turns_when_watched(world: &VirtualWorld, environment: &'static str, seconds: u64) {
    let sandbox = world.sandbox.clone();
    let journal = std::sync::Mutex::new(world.store());
    let has_turned = std::sync::atomic::AtomicBool::new(false);
    world.on_call(move |_, phase| {
        let journal = journal.lock().expect("no panic holds it");
        let driven = journal.unfinished().expect("it can be read");
        let is_watched = driven.iter().any(|d| d.state.kind() == Kind::Baking);
        let ordering = std::sync::atomic::Ordering::SeqCst;
        if phase == Phase::Before && is_watched && !has_turned.swap(true, ordering) {
            sandbox.with_world(|world, _| world.inject(so(environment, "Warning", seconds)));
        }
        Fate::Life
    });
}

fn watched(strategy: Strategy) -> (&'static str, &'static str) {
    match strategy {
        Strategy::Restore | Strategy::Rehearse => ("shop-blue", "shop-blue-green"),
        Strategy::Promote => ("shop-blue-green", "shop-blue"),
    }
}

/// A Warning that production did not have before keeps the bake from its end: until it is
/// over, or patience is.
#[tokio::test(start_paused = true)]
async fn a_bake_waits_for_a_warning_that_is_new() {
    let mut cases = Vec::new();
    for basic in [false, true] {
        for strategy in [Strategy::Restore, Strategy::Promote] {
            cases.extend([(basic, strategy, 900), (basic, strategy, DAY)]);
        }
    }
    for (basic, strategy, seconds) in sampled("Warnings that are new", cases, 3) {
        let (production, _) = watched(strategy);
        let world = VirtualWorld::new().await;
        if basic {
            world.basic_health();
        }
        turns_when_watched(&world, production, seconds);
        let began = world.clock.now();
        let deployment = released(&world, Wanted { strategy, ..v2() }).await;
        if seconds < DAY {
            assert_eq!(
                deployment.state.kind(),
                Kind::Completed,
                "{:?}",
                deployment.state
            );
            assert!(world.clock.now().since(began) > Duration::from_secs(900));
            assert_eq!(deployment.usual_health, Some(Health::Ok));
        } else {
            let cause = deployment.state.cause().expect("a cause").to_string();
            let rest = match strategy {
                Strategy::Restore | Strategy::Rehearse => Kind::Held,
                Strategy::Promote => Kind::RolledBack,
            };
            assert_eq!(deployment.state.kind(), rest, "{cause}");
            assert!(cause.contains("health Yellow"), "{cause}");
            assert_eq!(world.sandbox.report().lost, 0);
        }
    }
}

/// Production had it before, though it was Ok when it was trusted; or the other environment
/// has it too: going back would better nothing.
#[tokio::test(start_paused = true)]
async fn a_bake_ends_on_a_warning_that_is_not_new() {
    for strategy in [Strategy::Restore, Strategy::Promote] {
        let (production, other) = watched(strategy);
        let world = VirtualWorld::new().await;
        let mut deployment = world
            .begin(Wanted { strategy, ..v2() })
            .await
            .expect("preflight passes");
        // Over before green is warm.
        is_so(&world, "shop-blue", "Warning", 200);
        turns_when_watched(&world, production, DAY);
        let driven = world.drive(&mut deployment).await.expect("nobody kills it");
        driven.expect("it comes to rest");
        assert_eq!(
            deployment.state.kind(),
            Kind::Completed,
            "{:?}",
            deployment.state
        );
        assert_eq!(deployment.usual_health, Some(Health::Warning));

        let world = VirtualWorld::new().await;
        turns_when_watched(&world, production, DAY);
        let sandbox = world.sandbox.clone();
        let mut deployment = world
            .begin(Wanted { strategy, ..v2() })
            .await
            .expect("preflight passes");
        // It comes after production has left it.
        let until_watched = async {
            let journal = world.store();
            loop {
                let driven = journal.unfinished().expect("it can be read");
                if driven.iter().any(|d| d.state.kind() == Kind::Baking) {
                    break;
                }
                world.clock.sleep(Duration::from_secs(1)).await;
            }
            sandbox.with_world(|world, _| world.inject(so(other, "Warning", DAY)));
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            driven = world.drive(&mut deployment) => {
                driven.expect("nobody kills it").expect("it comes to rest");
            }
            () = until_watched => {}
        }
        assert_eq!(
            deployment.state.kind(),
            Kind::Completed,
            "{:?}",
            deployment.state
        );
        assert_eq!(deployment.usual_health, Some(Health::Ok));
    }
}

/// Green is tested before it takes production, without being told to: what only it cannot
/// reach, as a database that admits blue's security group alone, is found out while blue serves.
#[tokio::test(start_paused = true)]
async fn a_green_that_fails_its_tests_never_takes_production() {
    for strategy in [Strategy::Restore, Strategy::Promote] {
        let world = VirtualWorld::new().await;
        world.inject(FaultEffect::EnvironmentAnswers {
            environment: "shop-blue-green".to_owned(),
            status: 503,
        });
        let deployment = released(&world, Wanted { strategy, ..v2() }).await;
        let cause = deployment.state.cause().expect("a cause").to_string();
        assert_eq!(deployment.state.kind(), Kind::RolledBack, "{cause}");
        assert!(cause.contains("503 Service Unavailable"), "{cause}");
        let calls = world.sandbox.report().calls;
        assert_eq!(calls.get("SwapEnvironmentCNAMEs"), None, "it never served");
        world.check_all_is_well("v1");
    }
    // With a release that does not test it, it serves.
    let mut world = VirtualWorld::new().await;
    world.config.wishes.test_green = false;
    world.inject(FaultEffect::EnvironmentAnswers {
        environment: "shop-blue-green".to_owned(),
        status: 503,
    });
    let deployment = released(&world, v2()).await;
    assert_eq!(deployment.state.kind(), Kind::Completed);
    assert!(
        world
            .sandbox
            .report()
            .calls
            .contains_key("SwapEnvironmentCNAMEs")
    );
}

/// Green runs the previous version there: a test that only the release can pass is not asked
/// of it.
#[tokio::test(start_paused = true)]
async fn green_is_not_asked_what_only_the_release_can_pass() {
    for on in [On::Release, On::Always] {
        let mut world = VirtualWorld::new().await;
        let mut test = AcceptanceTest::get("/health");
        test.json = [("/version".to_owned(), "v2".into())].into();
        test.on = on;
        world.config.wishes.tests.push(test);
        if on == On::Always {
            let refused = world.begin(v2()).await.expect_err("v1 does not pass it");
            assert!(refused.to_string().contains("does not pass"), "{refused}");
            continue;
        }
        let deployment = released(&world, v2()).await;
        let state = &deployment.state;
        assert_eq!(state.kind(), Kind::Completed, "{state:?}");
    }
}
