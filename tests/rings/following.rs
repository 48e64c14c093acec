//! What follows the environments of a release beside their CNAMEs: preview hostnames.

use crate::support::previews::{FRESH, asked};
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bluegreen::clock::Deadline;
use bluegreen::cloud::Outcome;
use bluegreen::deployment::Deployment;
use bluegreen::machine::{Kind, Order, obey};
use bluegreen::plan::Strategy;
use bluegreen::preflight::Wanted;
use bluegreen::preview::Record;
use bluegreen_sandbox::{Fault, FaultEffect, Phase};
use bytes::Bytes;

use crate::support::served::Served;
use crate::support::shared_balancer;
use crate::support::virtual_world::{Fate, Kill, VirtualWorld, v2};
use bluegreen_testing::sample::sampled;

/// Seeded, and parked at a name that nobody serves.
const PARKED: &str = "preview.shop.example";
const ZONE: &str = "Z0SHOPEXAMPLE00000001";
const CHANGE: &str = "ChangeResourceRecordSets";
const LIST: &str = "ListResourceRecordSets";

/// A world whose releases ask for preview hostnames: the parameter's, and another.
async fn world() -> VirtualWorld {
    let mut world = VirtualWorld::new().await;
    world.config.preview = asked();
    world
}

fn wanted(strategy: Strategy) -> Wanted {
    Wanted { strategy, ..v2() }
}

/// What a host answers: the environment and its version; none where nobody serves it.
async fn answer(world: &VirtualWorld, host: &str) -> Option<String> {
    let request = http::Request::get(format!("http://{host}/")).body(Bytes::new());
    let answer = world.sandbox.handle(request.expect("a request")).await;
    let answer = answer.expect("sites answer");
    let header = |name| {
        let value = answer.headers().get(name)?;
        Some(value.to_str().expect("a text").to_owned())
    };
    let (name, version) = (
        header("x-sandbox-environment")?,
        header("x-sandbox-version")?,
    );
    Some(format!("{name} {version}"))
}

/// Drives to the end and tells what both hostnames answered meanwhile, each once.
async fn watched(world: &VirtualWorld, deployment: &mut Deployment) -> Vec<Option<String>> {
    let mut answers = Vec::new();
    let watching = async {
        loop {
            let both = [answer(world, PARKED).await, answer(world, FRESH).await];
            for answer in both {
                if !answers.contains(&answer) {
                    answers.push(answer);
                }
            }
            world.clock.sleep(Duration::from_secs(7)).await;
        }
    };
    tokio::select! {
        biased;
        driven = world.drive(deployment) => {
            driven.expect("nobody kills it").unwrap_or_else(|e| panic!("{e}"));
        }
        () = watching => {}
    }
    answers
}

/// Somebody else, who may do anything, makes a hostname hold something.
async fn somebody_puts(world: &VirtualWorld, host: &str, from: &Record, to: &Record) {
    let zone = world.cloud.hosted_zone(ZONE);
    let done = zone.replace(host, from, to, &Deadline::default()).await;
    assert!(matches!(done, Outcome::Applied { .. }), "{done:?}");
}

#[track_caller]
fn check_all_is_back(world: &VirtualWorld) {
    assert_eq!(world.sandbox.report().leftovers.records, [""; 0]);
}

fn entered(world: &VirtualWorld, deployment: &Deployment, state: Kind) -> String {
    let transitions = world.store().transitions(&deployment.plan.id);
    let transitions = transitions.expect("the journal reads");
    let into = transitions.iter().rfind(|t| t.to == state.to_string());
    into.expect("it was entered").why.clone()
}

#[tokio::test(start_paused = true)]
async fn hostnames_lead_to_the_environment_under_test_and_back() {
    for (strategy, test_green, under_test) in sampled(
        "releases with preview hostnames",
        [
            (
                Strategy::Restore,
                true,
                &["shop-blue-green v1", "shop-blue v2"][..],
            ),
            (Strategy::Restore, false, &["shop-blue v2"]),
            (Strategy::Promote, true, &["shop-blue-green v2"]),
        ],
        1,
    ) {
        let mut world = world().await;
        world.config.wishes.test_green = test_green;
        let begun = world.begin(wanted(strategy)).await;
        let mut deployment = begun.expect("preflight passes");
        let preview = deployment.plan.preview.clone().expect("it is planned");
        assert_eq!(preview.hosts, [PARKED, FRESH]);
        let answers = watched(&world, &mut deployment).await;
        assert_eq!(deployment.state.kind(), Kind::Completed);
        let answers: Vec<_> = answers.iter().map(Option::as_deref).collect();
        let under_test = under_test.iter().copied().map(Some);
        let expected: Vec<_> = std::iter::once(None).chain(under_test).collect();
        assert_eq!(answers, expected);
        check_all_is_back(&world);
        assert_eq!(answer(&world, PARKED).await, None);
        assert_eq!(answer(&world, FRESH).await, None);
        match strategy {
            Strategy::Restore => world.check_all_is_well("v2"),
            Strategy::Promote => world.check_green_is_promoted("v2"),
            Strategy::Rehearse => world.check_all_is_well("v1"),
        }
    }
}

/// An operator orders something of a deployment that rests.
async fn order(world: &VirtualWorld, deployment: &mut Deployment, order: Order) {
    let (state, plan) = obey(&deployment.state, &deployment.plan, order).expect("it rests");
    let now = world.clock.now();
    let mut next = deployment.entering(state, now);
    next.plan = plan;
    let written = world
        .store()
        .checkpoint(deployment, next, now, "ordered", None, &[]);
    written.expect("checkpoint");
}

async fn driven(world: &VirtualWorld, deployment: &mut Deployment) {
    let driven = world.drive(deployment).await.expect("nobody kills it");
    driven.unwrap_or_else(|e| panic!("{e}"));
}

#[tokio::test(start_paused = true)]
async fn a_held_one_can_be_looked_at_until_it_goes_back() {
    let world = world().await;
    world.inject(FaultEffect::VersionAnswers {
        label: "v2".to_owned(),
        status: 500,
    });
    let begun = world.begin(wanted(Strategy::Restore)).await;
    let mut deployment = begun.expect("preflight passes");
    driven(&world, &mut deployment).await;
    assert_eq!(deployment.state.kind(), Kind::Held);
    world.clock.sleep(Duration::from_secs(600)).await;
    for host in [PARKED, FRESH] {
        let shown = answer(&world, host).await;
        assert_eq!(shown.as_deref(), Some("shop-blue v2"), "{host}");
    }
    order(&world, &mut deployment, Order::Retreat).await;
    driven(&world, &mut deployment).await;
    assert_eq!(deployment.state.kind(), Kind::RolledBack);
    check_all_is_back(&world);
    world.check_all_is_well("v1");
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_makes_of_a_hostname_stays_and_is_told() {
    let world = world().await;
    let begun = world.begin(wanted(Strategy::Restore)).await;
    let mut deployment = begun.expect("preflight passes");
    let theirs = Record::Cname {
        ttl: 30,
        value: "theirs.example.net".to_owned(),
    };
    let meddling = async {
        while answer(&world, FRESH).await.is_none() {
            world.clock.sleep(Duration::from_secs(1)).await;
        }
        let zone = world.cloud.hosted_zone(ZONE);
        let seen = zone.record(FRESH).await.expect("it answers");
        somebody_puts(&world, FRESH, &seen, &theirs).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        () = driven(&world, &mut deployment) => {}
        () = meddling => {}
    }
    assert_eq!(deployment.state.kind(), Kind::Completed);
    let zone = world.cloud.hosted_zone(ZONE);
    assert_eq!(zone.record(FRESH).await, Ok(theirs));
    let why = entered(&world, &deployment, Kind::Completed);
    let told = "; left as found: fresh.shop.example, CNAME to theirs.example.net (TTL 30)";
    assert!(why.ends_with(told), "{why}");
    let left = world.sandbox.report().leftovers.records;
    assert_eq!(left, ["fresh.shop.example. CNAME"]);
}

/// Rules and hostnames do not depend on each other: while a load balancer's rules cannot be read,
/// hostnames still lead to the environment under test.
#[tokio::test(start_paused = true)]
async fn hostnames_move_while_rules_cannot_be_read() {
    let mut world = world().await;
    shared_balancer::share(&world);
    world.config.wishes.test_green = true;
    let begun = world.begin(wanted(Strategy::Restore)).await;
    let mut deployment = begun.expect("preflight passes");
    world.inject(away("DescribeRules"));
    let answers = watched(&world, &mut deployment).await;
    let of_green = Some("shop-blue-green v1".to_owned());
    assert!(answers.contains(&of_green), "{answers:?}");
    check_all_is_back(&world);
}

/// Route 53 does not answer, from the moment at which a hostname is first pointed.
async fn away_from_the_first_change(world: &VirtualWorld, deployment: &mut Deployment) {
    let away = async {
        while answer(world, FRESH).await.is_none() {
            world.clock.sleep(Duration::from_secs(1)).await;
        }
        for operation in [CHANGE, LIST] {
            world.inject(away(operation));
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        () = driven(world, deployment) => {}
        () = away => {}
    }
}

fn away(operation: &str) -> Fault {
    Fault {
        operation: Some(operation.to_owned()),
        ..Fault::from(FaultEffect::Refuse {
            status: 503,
            code: "ServiceUnavailable".to_owned(),
            message: "away".to_owned(),
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_waits_for_route_53_no_longer_than_its_patience() {
    // Where they led to green too, one state more waits.
    for (test_green, most) in [(false, 5), (true, 6)] {
        let mut world = world().await;
        world.config.wishes.test_green = test_green;
        let begun = world.begin(wanted(Strategy::Restore)).await;
        let mut deployment = begun.expect("preflight passes");
        let began = world.clock.now();
        away_from_the_first_change(&world, &mut deployment).await;
        let lasted = world.clock.now().since(began);
        assert_eq!(deployment.state.kind(), Kind::Completed);
        let patience = deployment.plan.wishes.limits.patience;
        assert!(lasted > (most - 3) * patience, "{lasted:?}");
        assert!(lasted < most * patience, "{lasted:?}");
        let why = entered(&world, &deployment, Kind::Completed);
        let told = "; not seen to be put back: preview.shop.example, fresh.shop.example";
        assert!(why.ends_with(told), "{why}");
        world.check_all_is_well("v2");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hostname_that_cannot_be_pointed_does_not_stop_a_release() {
    let world = world().await;
    let begun = world.begin(wanted(Strategy::Restore)).await;
    let mut deployment = begun.expect("preflight passes");
    world.inject(away(CHANGE));
    let answers = watched(&world, &mut deployment).await;
    assert_eq!(deployment.state.kind(), Kind::Completed);
    assert_eq!(answers, [None]);
    check_all_is_back(&world);
    world.check_all_is_well("v2");
}

/// What a sweep plays.
#[derive(Clone, Copy, Debug)]
struct Course {
    strategy: Strategy,
    faults: fn() -> Vec<FaultEffect>,
    ends: Kind,
}

/// Plays a course; the process dies at this call, its disk with it or not, and another
/// goes on. Gives the calls that the sweep is about, and whether each is a change.
async fn play(course: Course, kill: Option<Kill>, keeps_its_disk: bool) -> Vec<(u64, bool)> {
    let world = world().await;
    let begun = world.begin(wanted(course.strategy)).await;
    let mut deployment = begun.expect("preflight passes");
    for effect in (course.faults)() {
        world.inject(effect);
    }
    let numbers = Arc::<Mutex<Vec<(u64, bool)>>>::default();
    let (counted, sandbox) = (numbers.clone(), world.sandbox.clone());
    world.on_call(move |call, phase| {
        let operation = call.operation.as_str();
        let leads_away = ["SwapEnvironmentCNAMEs", "TerminateEnvironment"];
        if phase == Phase::Before && leads_away.contains(&operation) {
            let left = sandbox.report().leftovers.records;
            assert_eq!(left, [""; 0], "{operation} with {kill:?}");
        }
        let mut numbers = counted.lock().expect("no panic holds it");
        if [CHANGE, LIST].contains(&operation) && phase == Phase::Before {
            numbers.push((call.number, operation == CHANGE));
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
        match world.drive(&mut deployment).await {
            None if !keeps_its_disk => world.lose_the_disk(),
            None => {}
            Some(driven) => {
                driven.unwrap_or_else(|e| panic!("{kill:?}: {e}"));
                if deployment.state.kind() != Kind::Held {
                    break;
                }
                order(&world, &mut deployment, Order::Retreat).await;
            }
        }
    }
    assert_eq!(deployment.state.kind(), course.ends, "{kill:?}");
    assert_eq!(world.deaths(), u64::from(kill.is_some()), "{kill:?}");
    check_all_is_back(&world);
    match (course.strategy, course.ends) {
        (Strategy::Promote, Kind::Completed) => world.check_green_is_promoted("v2"),
        (_, Kind::Completed) => world.check_all_is_well("v2"),
        _ => world.check_all_is_well("v1"),
    }
    let numbers = numbers.lock().expect("no panic holds it");
    numbers.clone()
}

async fn sweep(course: Course) {
    let calls = play(course, None, true).await;
    assert!(calls.len() > 10, "only {}: is it whole?", calls.len());
    let mut kills = Vec::new();
    for (at, (call, changes)) in calls.into_iter().enumerate() {
        for (phase, keeps) in [(Phase::Before, at % 2 == 0), (Phase::After, at % 2 == 1)] {
            // Before and after a read are the same to everybody else.
            if changes || keeps {
                kills.push((Kill { call, phase }, at % 4 < 2));
            }
        }
    }
    let kills = sampled(&format!("crashes of {course:?}"), kills, 3);
    let crashes = kills.len();
    for (kill, keeps_its_disk) in kills {
        play(course, Some(kill), keeps_its_disk).await;
    }
    println!("{crashes} crashes of {course:?} resumed");
}

const RELEASE: Course = Course {
    strategy: Strategy::Restore,
    faults: Vec::new,
    ends: Kind::Completed,
};

#[tokio::test(start_paused = true)]
async fn hostnames_are_put_back_whenever_a_release_dies() {
    sweep(RELEASE).await;
}

#[tokio::test(start_paused = true)]
async fn hostnames_are_put_back_whenever_a_promotion_dies() {
    let strategy = Strategy::Promote;
    sweep(Course {
        strategy,
        ..RELEASE
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn hostnames_are_put_back_whenever_a_rollback_dies() {
    sweep(Course {
        faults: || {
            vec![FaultEffect::VersionAnswers {
                label: "v2".to_owned(),
                status: 500,
            }]
        },
        ends: Kind::RolledBack,
        ..RELEASE
    })
    .await;
}

/// The real binary, with the hostnames from its variables.
#[test]
fn a_release_is_told_by_variables() {
    let served = Served::at_speed(600.0);
    let run = |hosts: &str, zone: &str| -> Output {
        let mut command = served.bluegreen(&["run", "--version-label", "v2"]);
        command
            .env("RECORDS_LIST", hosts)
            .env("HOSTED_ZONE_ID", zone);
        command.output().expect("the binary runs")
    };
    let told = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    for (hosts, zone, words) in [
        (
            "[\"$(id)\"]",
            ZONE,
            "--preview-host \"$(id)\": expected a hostname",
        ),
        ("a.shop.example", "", "--preview-host needs its hosted zone"),
        ("", ZONE, "--hosted-zone-id needs hostnames"),
        ("www.shop.example", ZONE, "serves production"),
        ("a.shop.example", "ZNOWHERE", "no hosted zone ZNOWHERE"),
    ] {
        // The shipped policy names one zone: without it a mistaken one is told as such.
        served.sandbox.set_policy(None);
        let refused = run(hosts, zone);
        served
            .sandbox
            .set_policy(Some(crate::support::policies::shipped()));
        assert_eq!(refused.status.code(), Some(3), "{}", told(&refused));
        assert!(told(&refused).contains(words), "{}", told(&refused));
    }
    let done = run("[\"preview.shop.example\", \"fresh.shop.example\"]", ZONE);
    assert_eq!(done.status.code(), Some(0), "{}", told(&done));
    let log = told(&done);
    for words in [
        "ChangeResourceRecordSets, fresh.shop.example: CNAME to shop-blue-green.",
        "ChangeResourceRecordSets, fresh.shop.example: no record",
        "ChangeResourceRecordSets, preview.shop.example: CNAME to parked.example.net (TTL 300)",
    ] {
        assert!(log.contains(words), "{words}: {log}");
    }
    assert_eq!(served.sandbox.report().leftovers.records, [""; 0]);
}
