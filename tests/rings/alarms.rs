//! The alarms that watch production, through the real SDK.

use bluegreen::cloud::LookError;
use bluegreen::cloud::{Alarm, AlarmState};
use bluegreen_sandbox::{Fault, FaultEffect};

use crate::support::served::{Served, clients_of};
use crate::support::virtual_world::VirtualWorld;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn alarms_are_told_in_the_order_asked_for() {
    let world = VirtualWorld::new().await;
    world.sandbox.with_world(|world, _| {
        world.set_alarm("latency", "OK");
        world.set_alarm("errors", "ALARM");
        world.set_alarm("orders", "INSUFFICIENT_DATA");
    });
    let asked = names(&["orders", "latency", "errors"]);
    let alarm = |name: &str, state| Alarm {
        name: name.to_owned(),
        state,
        reason: "set by the test".to_owned(),
    };
    let told = [
        alarm("orders", AlarmState::InsufficientData),
        alarm("latency", AlarmState::Ok),
        alarm("errors", AlarmState::Alarm),
    ];
    assert_eq!(world.cloud.alarms(&asked).await, Ok(told.to_vec()));
    assert_eq!(world.cloud.alarms(&[]).await, Ok(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn more_alarms_than_a_request_takes_are_asked_for_in_several() {
    let world = VirtualWorld::new().await;
    let asked: Vec<String> = (0..250).map(|n| format!("alarm-{n:03}")).collect();
    world
        .sandbox
        .with_world(|world, _| asked.iter().for_each(|name| world.set_alarm(name, "OK")));
    let told = world.cloud.alarms(&asked).await.expect("they are there");
    let told: Vec<String> = told.into_iter().map(|alarm| alarm.name).collect();
    assert_eq!(told, asked);
    assert_eq!(world.sandbox.report().calls.get("DescribeAlarms"), Some(&3));
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_is_not_there_is_named() {
    let world = VirtualWorld::new().await;
    world
        .sandbox
        .with_world(|world, _| world.set_alarm("latency", "OK"));
    let told = world.cloud.alarms(&names(&["latency", "latncy"])).await;
    let Err(LookError::Refused(why)) = told else {
        panic!("{told:?}");
    };
    assert!(why.contains("named latncy:"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_is_understood() {
    let world = VirtualWorld::new().await;
    let one = names(&["latency"]);
    world
        .sandbox
        .with_world(|world, _| world.set_alarm("latency", "OK"));
    world.inject(Fault {
        times: Some(1),
        ..FaultEffect::Throttle.into()
    });
    assert!(
        world.cloud.alarms(&one).await.is_ok(),
        "bluegreen asks again"
    );
    world.inject(FaultEffect::ExpiredCredentials);
    let told = world.cloud.alarms(&one).await;
    assert!(matches!(told, Err(LookError::Credentials(_))), "{told:?}");
    world.sandbox.with_world(|world, _| world.clear_faults());
    let nothing = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Deny","Action":"cloudwatch:*","Resource":"*"}]}"#;
    let nothing = bluegreen_sandbox::Policy::parse(nothing).expect("a policy");
    world.sandbox.set_policy(Some(nothing));
    let told = world.cloud.alarms(&one).await;
    assert!(
        matches!(&told, Err(LookError::Denied(why)) if why.contains("cloudwatch:DescribeAlarms")),
        "{told:?}"
    );
}

/// Over a socket, to the sandbox's CloudWatch or the one at `BLUEGREEN_TEST_CLOUDWATCH` (a
/// URL): the conformance script runs it against moto's.
#[test]
fn alarms_are_told_over_the_wire() {
    let served = Served::at_speed(60.0);
    served.sandbox.with_world(|world, _| {
        world.set_alarm("latency", "OK");
        world.set_alarm("errors", "ALARM");
    });
    let elsewhere = std::env::var("BLUEGREEN_TEST_CLOUDWATCH").ok();
    let url = elsewhere.as_deref().unwrap_or(&served.url);
    let asked = names(&["errors", "latency"]);
    let told = served.block_on(async { clients_of(url).await.alarms(&asked).await });
    let told: Vec<(String, AlarmState)> = told
        .expect("they are there")
        .into_iter()
        .map(|alarm| (alarm.name, alarm.state))
        .collect();
    let expected = [
        ("errors".to_owned(), AlarmState::Alarm),
        ("latency".to_owned(), AlarmState::Ok),
    ];
    assert_eq!(told, expected);
    let told = served.block_on(async { clients_of(url).await.alarms(&names(&["none"])).await });
    assert!(
        matches!(&told, Err(LookError::Refused(why)) if why.contains("named none:")),
        "{told:?}"
    );
}
