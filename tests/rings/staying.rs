//! Traffic that does not follow the production CNAME: the environment that still gets it is
//! neither deployed to nor terminated.

use std::time::Duration;

use bluegreen::deployment::Deployment;
use bluegreen::machine::{Cause, Kind, State};
use bluegreen::plan::{Role, Strategy};
use bluegreen::preflight::Wanted;
use bluegreen_sandbox::{Fault, FaultEffect, Phase};

use crate::virtual_world::{Fate, VirtualWorld, v2};

/// Ten hours: longer than any release.
const FOR_GOOD: u64 = 36_000;

/// A release whose resolvers keep the answers of so many of a hundred clients.
async fn released(
    strategy: Strategy,
    (percent, seconds): (u32, u64),
    accept_traffic_loss: bool,
) -> (VirtualWorld, Deployment) {
    let mut world = VirtualWorld::new().await;
    world.config.limits.accept_traffic_loss = accept_traffic_loss;
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
    for percent in [10, 25, 50] {
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

#[tokio::test(start_paused = true)]
async fn only_accepting_the_loss_leads_past_it() {
    let (world, deployment) = released(Strategy::Restore, (100, FOR_GOOD), true).await;
    assert_eq!(deployment.state, State::Completed);
    assert!(world.sandbox.report().lost > 0, "they are still there");
}
