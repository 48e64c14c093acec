//! Managed actions, platforms and permissions as the sandbox plays them, on a clock set by
//! hand; tests/rings/checks.rs has them through the real SDK.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use bluegreen_sandbox::{
    Fault, FaultEffect, Form, Options, QuotaOf, Reply, Sandbox, Status, TimeSource, World, advance,
    apply,
};

const START: u64 = 1_800_000_000_000;
const ACTIONS: &str = "Action=DescribeEnvironmentManagedActions&EnvironmentName=shop-blue";
const HISTORY: &str = "Action=DescribeEnvironmentManagedActionHistory&EnvironmentName=shop-blue";

fn ask(world: &mut World, request: &str) -> (u16, String) {
    match apply(world, &Form::parse(request.as_bytes())) {
        Reply::Answer { status, body, .. } => (status, body.replace("&apos;", "'")),
        Reply::Foreign(_) | Reply::Slow(..) | Reply::HangUp => (0, String::new()),
    }
}

#[track_caller]
fn told(world: &mut World, request: &str, words: &str) {
    let (status, body) = ask(world, request);
    assert!(
        status == 200 && body.contains(words),
        "{request}: {status} {body}"
    );
}

fn due(seconds: u64) -> FaultEffect {
    FaultEffect::ManagedActionDue {
        environment: "shop-blue".to_owned(),
        seconds,
    }
}

fn after(world: &mut World, seconds: u64) {
    advance(world, START + seconds * 1000);
}

#[test]
fn a_managed_action_waits_for_its_environment() {
    let mut world = World::seeded(START);
    world.inject(due(100));
    told(&mut world, ACTIONS, "<Status>Scheduled</Status>");
    after(&mut world, 50);
    told(
        &mut world,
        "Action=UpdateEnvironment&EnvironmentName=shop-blue&VersionLabel=v2",
        "Updating",
    );
    after(&mut world, 110);
    told(&mut world, ACTIONS, "<Status>Pending</Status>");
    after(&mut world, 170);
    told(&mut world, ACTIONS, "<Status>Running</Status>");
    let blue = world.environment("shop-blue").expect("blue");
    assert_eq!(blue.status, Status::Updating);
    assert_eq!(blue.version_label, "v2");
    let (status, body) = ask(
        &mut world,
        "Action=UpdateEnvironment&EnvironmentName=shop-blue&VersionLabel=v1",
    );
    assert!(status == 400 && body.contains("Must be Ready"), "{body}");
    after(&mut world, 1000);
    told(&mut world, ACTIONS, "<ManagedActions></ManagedActions>");
    told(&mut world, HISTORY, "<Status>Completed</Status>");
    let blue = world.environment("shop-blue").expect("blue");
    assert_eq!(blue.status, Status::Ready);
}

/// An environment that is busy for the whole window gets the next one, a week later.
#[test]
fn a_window_that_is_missed_comes_again() {
    let mut world = World::seeded(START);
    world.timings.deploy_seconds = 4 * 3600;
    world.inject(due(100));
    told(
        &mut world,
        "Action=UpdateEnvironment&EnvironmentName=shop-blue&VersionLabel=v2",
        "Updating",
    );
    after(&mut world, 3 * 3600);
    told(&mut world, ACTIONS, "<Status>Scheduled</Status>");
    let week = 7 * 24 * 3600;
    after(&mut world, week + 99);
    told(&mut world, ACTIONS, "<Status>Scheduled</Status>");
    after(&mut world, week + 101);
    told(&mut world, ACTIONS, "<Status>Running</Status>");
}

#[test]
fn an_action_of_an_environment_that_is_gone_does_nothing() {
    let mut world = World::seeded(START);
    world.inject(due(1000));
    world.inject(FaultEffect::ManagedActionDue {
        environment: "shop-none".to_owned(),
        seconds: 1,
    });
    told(
        &mut world,
        "Action=TerminateEnvironment&EnvironmentName=shop-blue",
        "Terminating",
    );
    after(&mut world, 2000);
    assert!(world.environment("shop-blue").is_none());
}

#[test]
fn faults_of_the_account_end_with_the_others() {
    let mut world = World::seeded(START);
    for text in [
        r#"{"fault":"managed_action_due","environment":"shop-blue","seconds":60}"#,
        r#"{"fault":"platform_branch","state":"Retired"}"#,
        r#"{"fault":"quota","of":"environments","maximum":2}"#,
        r#"{"fault":"cname_taken","prefix":"shop-two"}"#,
    ] {
        let fault: Fault = serde_json::from_str(text).expect("it reads");
        world.inject(fault);
    }
    let platform = "Action=ListPlatformBranches";
    let quotas = "Action=DescribeAccountAttributes";
    let free = "Action=CheckDNSAvailability&CNAMEPrefix=shop-two";
    told(&mut world, ACTIONS, "Scheduled");
    told(&mut world, platform, "Retired");
    told(&mut world, quotas, "<Maximum>2</Maximum>");
    told(&mut world, free, "<Available>false</Available>");
    world.clear_faults();
    told(&mut world, ACTIONS, "<ManagedActions></ManagedActions>");
    told(&mut world, platform, "Supported");
    told(&mut world, quotas, "<Maximum>200</Maximum>");
    told(&mut world, free, "<Available>true</Available>");
    after(&mut world, 100);
    let blue = world.environment("shop-blue").expect("blue");
    assert_eq!(blue.status, Status::Ready);
}

/// All of it lasts on disk, and a world from before it opens.
#[test]
fn the_account_is_kept_on_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let now = Arc::new(AtomicU64::new(START));
    let open = || {
        let now = now.clone();
        let time = move || UNIX_EPOCH + Duration::from_millis(now.load(Ordering::SeqCst));
        let options = Options {
            directory: Some(folder.path().to_owned()),
            time: TimeSource::Manual(Arc::new(time)),
            ..Options::default()
        };
        Sandbox::open(options).expect("it opens")
    };
    open().with_world(|world, _| {
        world.assume(Some("ci/releases"));
        world.inject(due(60));
        world.inject(FaultEffect::PlatformBranch {
            state: "Beta".to_owned(),
        });
        world.inject(FaultEffect::Quota {
            of: QuotaOf::Templates,
            maximum: 3,
        });
    });
    now.store(START + 61_000, Ordering::SeqCst);
    open().with_world(|world, _| {
        told(world, ACTIONS, "<Status>Running</Status>");
        told(world, "Action=ListPlatformBranches", "Beta");
        told(
            world,
            "Action=DescribeAccountAttributes",
            "<Maximum>3</Maximum>",
        );
    });
    let path = folder.path().join("world.json");
    let text = std::fs::read(&path).expect("it reads");
    let mut saved: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let world = saved["world"].as_object_mut().expect("a world");
    assert_eq!(world.remove("role"), Some("ci/releases".into()));
    let quirks = world["quirks"].as_object_mut().expect("quirks");
    for name in [
        "managed_actions",
        "branch_state",
        "quotas",
        "taken_prefixes",
    ] {
        assert!(quirks.remove(name).is_some(), "{name}");
    }
    std::fs::write(&path, saved.to_string()).expect("it is written");
    open().with_world(|world, _| told(world, "Action=ListPlatformBranches", "Supported"));
}

/// A single instance that serves the web has an Elastic IP address, its endpoint; one more than
/// the account may have fails its launch (EC2 API reference, `DescribeAccountAttributes`,
/// "Error codes": `AddressLimitExceeded`).
#[test]
fn a_single_instance_takes_an_address_of_the_accounts() {
    let mut world = World::seeded(START);
    world.inject(FaultEffect::SingleInstance {
        environment: "shop-blue".to_owned(),
    });
    world.inject(FaultEffect::Quota {
        of: QuotaOf::Addresses,
        maximum: 1,
    });
    let blue = world.environment("shop-blue").expect("blue");
    let address = blue.address().expect("an address");
    let endpoint = format!("<EndpointURL>{address}</EndpointURL>");
    told(&mut world, "Action=DescribeEnvironments", &endpoint);
    let create = "Action=CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-two&VersionLabel=v1\
        &SolutionStackName=64bit Amazon Linux 2023 v4.3.0 running Node.js 20\
        &OptionSettings.member.1.Namespace=aws:elasticbeanstalk:environment\
        &OptionSettings.member.1.OptionName=EnvironmentType&OptionSettings.member.1.Value=SingleInstance";
    told(&mut world, create, "<Status>Launching</Status>");
    after(&mut world, 1000);
    told(&mut world, "Action=DescribeEvents", "AddressLimitExceeded");
    let two = world.environment("shop-two").expect("it stays");
    assert_eq!(two.health, "Grey");
}
