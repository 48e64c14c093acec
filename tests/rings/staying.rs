//! Traffic that does not follow the production CNAME: the environment that still gets it is
//! neither deployed to nor terminated.

use std::time::Duration;

use bluegreen::deployment::Deployment;
use bluegreen::machine::{Cause, Kind, State};
use bluegreen::plan::{Role, Strategy};
use bluegreen::preflight::Wanted;
use bluegreen_sandbox::{Fault, FaultEffect, Phase};

use crate::support::virtual_world::{Fate, VirtualWorld, v2};
use bluegreen_testing::sample::sampled;

/// Ten hours: longer than any release.
const FOR_GOOD: u64 = 36_000;

/// A release whose resolvers keep the answers of so many of a hundred clients.
async fn released(
    strategy: Strategy,
    (percent, seconds): (u32, u64),
    accept_traffic_loss: bool,
) -> (VirtualWorld, Deployment) {
    let mut world = VirtualWorld::new().await;
    world.config.wishes.limits.accept_traffic_loss = accept_traffic_loss;
    world.inject(FaultEffect::LongCaches { seconds, percent });
    // Every client has looked the name up since.
    tokio::time::sleep(Duration::from_secs(120)).await;
    let wanted = Wanted { strategy, ..v2() };
    let mut deployment = world.begin(wanted).await.expect("preflight passes");
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it goes through");
    (world, deployment)
}

#[track_caller]
fn stays_on(deployment: &Deployment, role: Role) -> &str {
    match deployment.state.cause() {
        Some(Cause::TrafficStays { on, seen }) if *on == role => seen,
        _ => panic!("{:?}", deployment.state),
    }
}

/// ThoughtWorksStudios/eb_deployer#32: clients keep answers for days.
#[tokio::test(start_paused = true)]
async fn a_release_goes_back_where_all_traffic_stays() {
    for strategy in [Strategy::Restore, Strategy::Promote] {
        let (world, deployment) = released(strategy, (100, FOR_GOOD), false).await;
        assert_eq!(deployment.state.kind(), Kind::RolledBack, "{strategy}");
        let told = stays_on(&deployment, Role::Blue);
        assert!(told.contains("% of what production got before"), "{told}");
        assert_eq!(world.sandbox.report().lost, 0, "{strategy}");
        world.sandbox.with_world(|world, _| {
            let blue = world.environment("shop-blue").expect("blue is there");
            assert_eq!(blue.version_label, "v1");
            assert!(world.environment("shop-blue-green").is_none());
        });
    }
}

/// A question for health that is refused while the kind of health changes (EB CLI,
/// `display/data_poller.py`) does not make it basic, of which nothing is known but the time: the
/// traffic that stays is seen once AWS answers again.
#[tokio::test(start_paused = true)]
async fn a_question_for_traffic_that_is_refused_ends_no_drain() {
    let world = VirtualWorld::new().await;
    world.inject(FaultEffect::LongCaches {
        seconds: FOR_GOOD,
        percent: 100,
    });
    tokio::time::sleep(Duration::from_secs(120)).await;
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    let sandbox = world.sandbox.clone();
    world.on_call(move |call, phase| {
        if call.operation == "SwapEnvironmentCNAMEs" && phase == Phase::After {
            let refused = Fault {
                operation: Some("DescribeEnvironmentHealth".to_owned()),
                // For longer than a drain takes that nobody can see.
                times: Some(20),
                ..Fault::from(FaultEffect::Refuse {
                    status: 400,
                    code: "InvalidRequestException".to_owned(),
                    message: "One or more input parameters is not valid.".to_owned(),
                })
            };
            sandbox.with_world(|world, _| world.inject(refused));
        }
        Fate::Life
    });
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it goes through");
    assert_eq!(deployment.state.kind(), Kind::RolledBack);
    stays_on(&deployment, Role::Blue);
    assert_eq!(world.sandbox.report().lost, 0);
}

/// A share of the traffic is enough: one of aws-samples/ecs-canary-blue-green-deployment#2's
/// mobile clients, or a proxy that resolves a name once.
#[tokio::test(start_paused = true)]
async fn a_share_of_the_traffic_is_enough() {
    for percent in sampled("shares of the traffic", [10, 25, 50], 1) {
        let (world, deployment) = released(Strategy::Restore, (percent, FOR_GOOD), false).await;
        assert_eq!(deployment.state.kind(), Kind::RolledBack, "{percent} %");
        stays_on(&deployment, Role::Blue);
        assert_eq!(world.sandbox.report().lost, 0, "{percent} %");
    }
}

/// Clients that leave later than a DNS answer may be kept, and within the limit, are waited
/// for.
#[tokio::test(start_paused = true)]
async fn clients_that_leave_in_time_are_waited_for() {
    let (world, deployment) = released(Strategy::Restore, (50, 400), false).await;
    assert_eq!(deployment.state, State::Completed);
    assert_eq!(world.sandbox.report().lost, 0);
    world.check_all_is_well("v2");
}

/// With basic health an environment does not tell its requests. Its load balancer's are told
/// minutes late: what was counted before production moved is not taken for who stayed.
#[tokio::test(start_paused = true)]
async fn with_basic_health_the_load_balancer_tells_who_stays() {
    type Case = (&'static str, u32, u64, bool);
    let cases: [Case; 5] = [
        ("application", 0, 60, true),
        ("application", 50, FOR_GOOD, false),
        ("application", 100, FOR_GOOD, false),
        ("classic", 100, FOR_GOOD, false),
        ("shared", 100, FOR_GOOD, false),
    ];
    for (kind, percent, seconds, completes) in sampled("load balancers", cases, 2) {
        let world = VirtualWorld::new().await;
        world.basic_health();
        world.sandbox.with_world(|world, _| match kind {
            "shared" => world.share_load_balancer("shop-blue"),
            kind => world.set(
                "shop-blue",
                "aws:elasticbeanstalk:environment",
                "LoadBalancerType",
                kind,
            ),
        });
        world.inject(FaultEffect::LongCaches { seconds, percent });
        tokio::time::sleep(Duration::from_secs(600)).await;
        let mut deployment = world.begin(v2()).await.expect("preflight passes");
        let driven = world.drive(&mut deployment).await.expect("nobody kills it");
        driven.expect("it goes through");
        let told = format!("{kind} {percent}: {:?}", deployment.state);
        if completes {
            assert_eq!(deployment.state, State::Completed, "{told}");
        } else {
            assert_eq!(deployment.state.kind(), Kind::RolledBack, "{told}");
            stays_on(&deployment, Role::Blue);
        }
        assert_eq!(deployment.uncounted, None, "{told}");
        assert_eq!(world.sandbox.report().lost, 0, "{told}");
    }
}

/// CloudWatch that has told production's requests and falls silent does not make that nobody counts
/// them: the traffic that stays is seen once it answers again.
#[tokio::test(start_paused = true)]
async fn a_count_that_falls_silent_ends_no_drain() {
    let world = VirtualWorld::new().await;
    world.basic_health();
    world.inject(FaultEffect::LongCaches {
        seconds: FOR_GOOD,
        percent: 100,
    });
    tokio::time::sleep(Duration::from_secs(600)).await;
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    let sandbox = world.sandbox.clone();
    world.on_call(move |call, phase| {
        if call.operation == "SwapEnvironmentCNAMEs" && phase == Phase::After {
            let silent = Fault {
                operation: Some("GetMetricData".to_owned()),
                times: Some(60),
                ..Fault::from(FaultEffect::DropRequest)
            };
            sandbox.with_world(|world, _| world.inject(silent));
        }
        Fate::Life
    });
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it goes through");
    assert_eq!(deployment.state.kind(), Kind::RolledBack);
    stays_on(&deployment, Role::Blue);
    assert_eq!(world.sandbox.report().lost, 0);
}

/// Where nobody counts requests the time alone tells, and the journal says so.
#[tokio::test(start_paused = true)]
async fn where_nobody_counts_requests_that_is_told() {
    for (kind, cloudwatch, why) in sampled(
        "counts that nobody has",
        [
            (
                "network",
                "answers",
                "a network load balancer counts no requests",
            ),
            (
                "single",
                "answers",
                "there is no load balancer to count them",
            ),
            ("application", "denies", "may not be read: GetMetricData"),
            // A private network without a way to it.
            ("application", "is silent", "cannot be read now: "),
        ],
        1,
    ) {
        let world = VirtualWorld::new().await;
        world.basic_health();
        match kind {
            "single" => world.inject(FaultEffect::SingleInstance {
                environment: "shop-blue".to_owned(),
            }),
            kind => world.sandbox.with_world(|world, _| {
                let kinds = "aws:elasticbeanstalk:environment";
                world.set("shop-blue", kinds, "LoadBalancerType", kind);
            }),
        }
        match cloudwatch {
            "denies" => {
                let policy = crate::support::policies::without("cloudwatch:GetMetricData");
                world.sandbox.set_policy(Some(policy));
            }
            "is silent" => world.inject(Fault {
                operation: Some("GetMetricData".to_owned()),
                ..Fault::from(FaultEffect::DropRequest)
            }),
            _ => {}
        }
        let mut deployment = world.begin(v2()).await.expect("preflight passes");
        let driven = world.drive(&mut deployment).await.expect("nobody kills it");
        driven.expect("it goes through");
        assert_eq!(deployment.state, State::Completed, "{kind}");
        let told = deployment.uncounted.clone().unwrap_or_default();
        assert!(told.contains(why), "{kind}: {told}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_accepting_the_loss_leads_past_it() {
    let (world, deployment) = released(Strategy::Restore, (100, FOR_GOOD), true).await;
    assert_eq!(deployment.state, State::Completed);
    assert!(world.sandbox.report().lost > 0, "they are still there");
}
