//! An uneven world: times and orders that chance draws from the world's seed, and the events that
//! the service emits meanwhile, each at a time of its own. Each test states the fact and where it
//! is from.

use std::collections::BTreeSet;

use bluegreen_sandbox::{Form, Reply, Status, Timings, World, advance, apply};

const START: u64 = 1_800_000_000_000;
const LAUNCH: &str = "Action=CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-two\
    &VersionLabel=v1&SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20&CNAMEPrefix=shop-two";
const SET: &str = "Action=UpdateEnvironment&EnvironmentName=shop-blue\
    &OptionSettings.member.1.Namespace=aws:autoscaling:asg\
    &OptionSettings.member.1.OptionName=MinSize&OptionSettings.member.1.Value=3";
const SWAP: &str = "Action=SwapEnvironmentCNAMEs&SourceEnvironmentName=shop-blue\
    &DestinationEnvironmentName=shop-two";
const SETTINGS: &str = "Action=DescribeConfigurationSettings&ApplicationName=shop\
    &EnvironmentName=shop-blue";

#[track_caller]
fn done(world: &mut World, request: &str) -> String {
    match apply(world, &Form::parse(request.as_bytes())) {
        Reply::Answer {
            status: 200, body, ..
        } => body,
        other => panic!("{request}: {other:?}"),
    }
}

fn seeded(seed: u64) -> World {
    let mut world = World::seeded(START);
    world.seed_chance(seed);
    world
}

/// When, in milliseconds after the start, an environment was first Ready and first Ok.
fn ready_and_ok(world: &mut World, name: &str) -> (u64, u64) {
    let (mut ready, mut ok) = (None, None);
    for after in (0..600_000).step_by(100) {
        advance(world, START + after);
        let environment = world.environment(name).expect("it is there");
        if environment.status == Status::Ready {
            ready.get_or_insert(after);
        }
        if environment.health_status == "Ok" {
            ok.get_or_insert(after);
        }
    }
    (ready.expect("ready"), ok.expect("healthy"))
}

fn events_of(world: &World, name: &str) -> Vec<(u64, String)> {
    let events = world.events_of(name).into_iter();
    events
        .map(|event| (event.at - START, event.message.clone()))
        .collect()
}

fn position(events: &[(u64, String)], text: &str) -> usize {
    let found = events
        .iter()
        .position(|(_, message)| message.contains(text));
    found.unwrap_or_else(|| panic!("no {text:?} in {events:#?}"))
}

/// "Environment health has transitioned from Pending to Ok" came before "Successfully launched
/// environment" in nine of ten captured launches of the service, by twenty seconds to about a
/// minute, and after it in one.
#[test]
fn an_environment_is_mostly_healthy_before_it_is_ready() {
    let mut early = 0;
    let mut takes = BTreeSet::new();
    for seed in 0..60 {
        let mut world = seeded(seed);
        done(&mut world, LAUNCH);
        let (ready, ok) = ready_and_ok(&mut world, "shop-two");
        let events = events_of(&world, "shop-two");
        let launched = position(&events, "Successfully launched environment: shop-two");
        let healthy = position(
            &events,
            "Environment health has transitioned from Pending to Ok.",
        );
        assert_eq!(healthy < launched, ok < ready, "seed {seed}: {events:#?}");
        assert!(ok.abs_diff(ready) <= 60_000, "seed {seed}: {ready} {ok}");
        assert!((168_000..=312_100).contains(&ready), "seed {seed}: {ready}");
        early += usize::from(ok < ready);
        takes.insert(ready);
    }
    assert!((45..60).contains(&early), "{early} of 60");
    assert!(takes.len() > 50, "hardly two take the same time: {takes:?}");
}

/// The seed decides all of it, however often a client polls.
#[test]
fn a_seed_fixes_what_is_drawn() {
    let course = |seed, polls| {
        let mut world = seeded(seed);
        for _ in 0..polls {
            done(&mut world, "Action=DescribeEnvironments");
        }
        done(&mut world, LAUNCH);
        let moments = ready_and_ok(&mut world, "shop-two");
        assert_eq!(world.report().seed, seed);
        moments
    };
    assert_eq!(course(7, 0), course(7, 25));
    assert_ne!(course(7, 0), course(8, 0));
}

/// Timings that are even: what worlds had that were written before times were drawn.
#[test]
fn even_timings_take_just_as_long_as_they_say() {
    for seed in 0..5 {
        let mut world = seeded(seed);
        world.timings = Timings::default().even();
        done(&mut world, LAUNCH);
        assert_eq!(ready_and_ok(&mut world, "shop-two"), (240_000, 280_000));
    }
    let before = serde_json::json!({
        "launch_seconds": 1, "warm_seconds": 1, "deploy_seconds": 1, "settle_seconds": 1,
        "swap_seconds": 1, "terminate_seconds": 1, "abort_seconds": 1, "process_seconds": 1
    });
    let before: Timings = serde_json::from_value(before).expect("it opens");
    assert_eq!(before, before.even());
}

/// The events of `eb create` in order (developer guide, "Creating an Elastic Beanstalk environment
/// with the EB CLI"); a transition of health has no request id (AWS CLI reference,
/// `describe-events`).
#[test]
fn a_launch_tells_what_it_makes() {
    let mut world = seeded(1);
    done(&mut world, LAUNCH);
    let cname = world.environment("shop-two").and_then(|e| e.cname.clone());
    ready_and_ok(&mut world, "shop-two");
    let events = events_of(&world, "shop-two");
    let order = [
        "createEnvironment is starting.",
        "Using elasticbeanstalk-us-east-1-123456789012 as Amazon S3 storage bucket for environment data.",
        "Created security group named: sg-",
        "Created Auto Scaling group named: awseb-e-",
        "Waiting for EC2 instances to launch. This may take a few minutes.",
        "Environment health has transitioned to Pending. Initialization in progress",
        &format!("Application available at {}.", cname.expect("a CNAME")),
        "Successfully launched environment: shop-two",
    ];
    let places: Vec<_> = order.iter().map(|text| position(&events, text)).collect();
    assert!(places.is_sorted(), "{places:?} {events:#?}");
    let listed = done(
        &mut world,
        "Action=DescribeEvents&EnvironmentName=shop-two&MaxRecords=100",
    );
    for event in listed.split("<member>").skip(1) {
        let is_of_health = event.contains("health has transitioned");
        assert_eq!(!event.contains("<RequestId>"), is_of_health, "{event}");
    }
}

/// Who continues from the newest date and one millisecond (the EB CLI's `get_new_events`) misses
/// nothing: no two events have one date. The second event of an operation comes 1 to 5 seconds
/// after the first (developer guide, `eb swap`; public event logs).
#[test]
fn no_two_events_have_one_date() {
    let mut world = seeded(3);
    done(&mut world, LAUNCH);
    advance(&mut world, START + 600_000);
    done(&mut world, SWAP);
    advance(&mut world, START + 700_000);
    done(
        &mut world,
        "Action=UpdateEnvironment&EnvironmentName=shop-blue&VersionLabel=v2",
    );
    advance(&mut world, START + 1_000_000);
    let mut dates: Vec<_> = world.view.events.iter().map(|event| event.at).collect();
    let many = dates.len();
    dates.dedup();
    assert!(many > 20 && dates.len() == many && dates.is_sorted());
    let events = events_of(&world, "shop-blue");
    for (first, second) in [
        ("swapEnvironmentCNAMEs is starting.", "Swapping CNAMEs for"),
        (
            "Environment update is starting.",
            "Deploying new version to",
        ),
    ] {
        let (first, second) = (position(&events, first), position(&events, second));
        let apart = events[second].0 - events[first].0;
        assert!((500..=5_000).contains(&apart), "{apart} in {events:#?}");
    }
}

/// "'live-env.elasticbeanstalk.com' now points to 'awseb-….elb.amazonaws.com'." comes before
/// "Completed swapping CNAMEs for environments" (developer guide, `eb swap`).
#[test]
fn a_swap_tells_where_each_name_leads() {
    let mut world = seeded(2);
    done(&mut world, LAUNCH);
    advance(&mut world, START + 600_000);
    done(&mut world, SWAP);
    let endpoint = world.environment("shop-two").expect("two").endpoint.clone();
    advance(&mut world, START + 700_000);
    let events = events_of(&world, "shop-two");
    let points = format!("'shop.us-east-1.elasticbeanstalk.com' now points to '{endpoint}'.");
    assert!(position(&events, &points) < position(&events, "Completed swapping CNAMEs"));
}

/// "a draft configuration is created and DescribeConfigurationSettings for this environment returns
/// two setting descriptions with different DeploymentStatus values" (API reference,
/// `UpdateEnvironment`); an update that is aborted leaves the settings from before.
#[test]
fn settings_that_an_update_changes_are_pending_beside_the_deployed_ones() {
    let size = |set: &str| {
        let option = set
            .split("<member>")
            .find(|m| m.contains("<OptionName>MinSize<"));
        let value = option
            .and_then(|m| m.split("<Value>").nth(1))
            .expect("a size");
        value.split('<').next().expect("a value").to_owned()
    };
    let sets = |world: &mut World| {
        let body = done(world, SETTINGS);
        let sets = body.split("<DeploymentStatus>").skip(1);
        let statuses = sets.map(|s| s.split('<').next().unwrap_or_default().to_owned());
        let statuses: Vec<_> = statuses.collect();
        let sizes: Vec<_> = body.split("</OptionSettings>").collect::<Vec<_>>();
        let sizes = sizes[..sizes.len() - 1]
            .iter()
            .map(|set| size(set))
            .collect::<Vec<_>>();
        (statuses, sizes)
    };
    for is_aborted in [false, true] {
        let mut world = seeded(4);
        done(&mut world, SET);
        let (mut statuses, mut sizes) = sets(&mut world);
        statuses.sort();
        sizes.sort();
        assert_eq!(statuses, ["deployed", "pending"]);
        assert_eq!(sizes, ["2", "3"]);
        if is_aborted {
            advance(&mut world, START + 1_000);
            done(
                &mut world,
                "Action=AbortEnvironmentUpdate&EnvironmentName=shop-blue",
            );
        }
        advance(&mut world, START + 600_000);
        let size = if is_aborted { "2" } else { "3" };
        let expected = (vec!["deployed".to_owned()], vec![size.to_owned()]);
        assert_eq!(sets(&mut world), expected);
    }
}

/// Between "Environment update is starting." and its end, an update of settings has "Updating
/// environment X's configuration settings." some seconds after its beginning and "Successfully
/// deployed new configuration to environment." a second before its end (developer guide,
/// `eb setenv`; EB CLI, `env.configsuccess`); with a version too (an event log of 2026).
#[test]
fn an_update_of_settings_says_so() {
    for label in ["", "&VersionLabel=v2"] {
        let mut world = seeded(5);
        done(&mut world, &format!("{SET}{label}"));
        advance(&mut world, START + 600_000);
        let events = events_of(&world, "shop-blue");
        let places: Vec<_> = [
            "Environment update is starting.",
            "Updating environment shop-blue's configuration settings.",
            "Successfully deployed new configuration to environment.",
            "Environment update completed successfully.",
        ]
        .iter()
        .map(|text| position(&events, text))
        .collect();
        assert!(places.is_sorted(), "{events:#?}");
        let before_end = events[places[3]].0 - events[places[2]].0;
        assert!((900..=2_000).contains(&before_end), "{before_end}");
        if !label.is_empty() {
            position(
                &events,
                "New application version was deployed to running EC2 instances.",
            );
        }
    }
}
