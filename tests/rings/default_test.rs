//! The tests are asked of the running version before anything is made: sites that redirect, that
//! listen for https alone, or that do not pass. Whole releases on a virtual clock.

use bluegreen::acceptance::{AcceptanceTest, Front, On};
use bluegreen::deployment::Deployment;
use bluegreen::machine::Kind;
use bluegreen::plan::Strategy;
use bluegreen::preflight::{Check, Wanted};
use bluegreen_sandbox::FaultEffect;

use crate::support::virtual_world::{VirtualWorld, v2};

const STRATEGIES: [Strategy; 2] = [Strategy::Restore, Strategy::Promote];

async fn released(world: &VirtualWorld, wanted: Wanted) -> Deployment {
    let mut deployment = world.begin(wanted).await.expect("preflight passes");
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it comes to rest");
    deployment
}

#[track_caller]
fn is_done(world: &VirtualWorld, deployment: &Deployment, strategy: Strategy) {
    assert_eq!(
        deployment.state.kind(),
        Kind::Completed,
        "{:?}",
        deployment.state
    );
    match strategy {
        Strategy::Restore | Strategy::Rehearse => world.check_all_is_well("v2"),
        Strategy::Promote => world.check_green_is_promoted("v2"),
    }
}

/// Developer guide, "Configuring HTTP to HTTPS redirection".
#[tokio::test(start_paused = true)]
async fn a_site_that_sends_http_to_https_is_followed_there() {
    for strategy in STRATEGIES {
        let world = VirtualWorld::new().await;
        for label in ["v1", "v2"] {
            world.inject(FaultEffect::VersionRedirects {
                label: label.to_owned(),
            });
        }
        listens_for_https(&world);
        let deployment = released(&world, Wanted { strategy, ..v2() }).await;
        assert_eq!(deployment.plan.front, Front::Http);
        is_done(&world, &deployment, strategy);
    }
}

fn listens_for_https(world: &VirtualWorld) {
    option(world, "aws:elbv2:listener:443", "Protocol", "HTTPS");
}

fn option(world: &VirtualWorld, namespace: &str, name: &str, value: &str) {
    world
        .sandbox
        .with_world(|world, _| world.set("shop-blue", namespace, name, value));
}

#[tokio::test(start_paused = true)]
async fn a_site_that_listens_for_https_alone_is_asked_there() {
    for strategy in STRATEGIES {
        let world = VirtualWorld::new().await;
        listens_for_https(&world);
        option(
            &world,
            "aws:elbv2:listener:default",
            "ListenerEnabled",
            "false",
        );
        let deployment = released(&world, Wanted { strategy, ..v2() }).await;
        assert_eq!(deployment.plan.front, Front::Https { port: 443 });
        is_done(&world, &deployment, strategy);
    }
}

/// Nothing is made for a release whose test cannot pass.
#[tokio::test(start_paused = true)]
async fn what_the_running_version_does_not_pass_is_refused_before_anything_is_made() {
    type Spoil = fn(&VirtualWorld);
    let cases: [(Spoil, &str, &str); 4] = [
        (
            |world| {
                world.inject(FaultEffect::VersionAnswers {
                    label: "v1".to_owned(),
                    status: 401,
                });
            },
            "answered 401 Unauthorized",
            "--expect-status 401",
        ),
        (
            |world| {
                world.inject(FaultEffect::VersionAnswers {
                    label: "v1".to_owned(),
                    status: 404,
                });
            },
            "answered 404 Not Found",
            "--test-url /health",
        ),
        (
            |world| {
                world.inject(FaultEffect::EnvironmentAnswers {
                    environment: "shop-blue".to_owned(),
                    status: 503,
                });
            },
            "answered 503 Service Unavailable",
            "see why it fails",
        ),
        // It redirects to a port on which nothing listens.
        (
            |world| {
                world.inject(FaultEffect::VersionRedirects {
                    label: "v1".to_owned(),
                });
            },
            "by https, where a 301 leads",
            "that this machine may connect to it",
        ),
    ];
    for (spoil, found, remedy) in cases {
        for strategy in STRATEGIES {
            let world = VirtualWorld::new().await;
            spoil(&world);
            let refused = world.begin(Wanted { strategy, ..v2() }).await;
            let words = refused.expect_err("it does not pass").to_string();
            assert!(
                words.contains("shop-blue, which runs v1, does not pass"),
                "{words}"
            );
            assert!(words.contains(found) && words.contains(remedy), "{words}");
            let report = world.sandbox.report();
            assert_eq!(report.created, [], "nothing was made");
            assert_eq!(report.calls.get("CreateConfigurationTemplate"), None);
        }
    }
}

/// Where that was allowed, the version to release alone is to pass it: green, which runs the
/// other one, is not asked.
#[tokio::test(start_paused = true)]
async fn what_was_allowed_is_asked_of_the_version_to_release_alone() {
    for strategy in STRATEGIES {
        let mut world = VirtualWorld::new().await;
        let mut test = AcceptanceTest::get("/health");
        test.json = [("/version".to_owned(), "v2".into())].into();
        world.config.wishes.tests.push(test);
        let refused = world.begin(Wanted { strategy, ..v2() }).await;
        let words = refused.expect_err("v1 does not pass it").to_string();
        assert!(words.contains("on = \"release\""), "{words}");
        let allow = vec![Check::Tests];
        let wanted = Wanted {
            strategy,
            allow,
            ..v2()
        };
        let deployment = released(&world, wanted).await;
        let on: Vec<_> = deployment
            .plan
            .wishes
            .tests
            .iter()
            .map(|test| test.on)
            .collect();
        assert_eq!(on, [On::Always, On::Release]);
        assert_eq!(deployment.plan.allowed[0].check, "tests");
        is_done(&world, &deployment, strategy);
    }
}

/// Production is asked each test once, and none that may write, that is the release's alone or
/// that goes elsewhere.
#[tokio::test(start_paused = true)]
async fn production_is_asked_each_test_once_and_none_that_may_write() {
    let mut world = VirtualWorld::new().await;
    let mut post = AcceptanceTest::get("/orders");
    post.method = "POST".to_owned();
    let mut of_release = AcceptanceTest::get("/new");
    of_release.on = On::Release;
    let elsewhere = AcceptanceTest::get("http://elsewhere.example/");
    let more = [
        AcceptanceTest::get("http://{cname}/health"),
        post,
        of_release,
        elsewhere,
    ];
    world.config.wishes.tests.extend(more);
    world.begin(v2()).await.expect("preflight passes");
    assert_eq!(world.asked(), ["GET /", "GET /health"]);
}
