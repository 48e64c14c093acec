//! The faults of the wire, each through a whole release on a virtual clock: the
//! answer is patience, never a failure and never a second swap.

use bluegreen::machine::Kind;
use bluegreen::preflight::Wanted;
use bluegreen_sandbox::{Fault, FaultEffect};

use crate::virtual_world::VirtualWorld;

async fn release_under(fault: Fault) {
    let world = VirtualWorld::new().await;
    let wanted = Wanted {
        label: Some("v2".to_owned()),
        bundle: None,
        pause_before_cutover: false,
    };
    let mut deployment = world.begin(wanted).await.expect("preflight passes");
    let told = format!("{fault:?}");
    world.inject_fault(fault);
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

fn every(effect: FaultEffect) -> Fault {
    Fault {
        effect,
        operation: None,
        skip: 0,
        times: None,
        probability: None,
    }
}

#[tokio::test(start_paused = true)]
async fn throttling_is_only_patience() {
    for percent in [30, 60] {
        release_under(Fault {
            probability: Some(f64::from(percent) / 100.0),
            ..every(FaultEffect::Throttle)
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn stale_reads_are_waited_out() {
    for seconds in [5, 20] {
        release_under(every(FaultEffect::StaleReads { seconds })).await;
    }
}

#[tokio::test(start_paused = true)]
async fn dropped_answers_are_looked_after() {
    release_under(Fault {
        probability: Some(0.3),
        ..every(FaultEffect::DropAnswer)
    })
    .await;
}

/// Each effect's first answer lost, its first request lost, and its first
/// request late.
#[tokio::test(start_paused = true)]
async fn every_effect_may_be_lost_or_late() {
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
                release_under(Fault {
                    effect: effect.clone(),
                    operation: Some(operation.to_owned()),
                    skip,
                    times: Some(1),
                    probability: None,
                })
                .await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_termination_that_fails_is_asked_for_again() {
    release_under(every(FaultEffect::TerminateFailsOnce {
        environment: "shop-blue-green".to_owned(),
    }))
    .await;
}
