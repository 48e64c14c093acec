//! A bucket that holds the state of many deployments and targets, answers slowly, or does not
//! show all of it.

use std::time::Duration;

use bluegreen::clock::Moment;
use bluegreen::machine::State;
use bluegreen::plan::{Target, template_name};
use bluegreen::shared::{DeploymentRecord, LeaseRecord, SharedError, deployment_key, lease_key};
use bluegreen_sandbox::{BUCKET, Fault, FaultEffect, Sandbox};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;
use ulid::Ulid;

use crate::support::machines::{Elsewhere, begun, exits, objects, run_killed_after};
use crate::support::served::Served;
use crate::support::virtual_world::{VirtualWorld, v2};
use bluegreen_testing::sample::is_full;

const SPEED: f64 = 600.0;

/// More than can be read one after the other while anybody waits.
const OLD: u64 = 60;
const TARGETS: u64 = 12;

async fn put(sandbox: &Sandbox, key: &str, object: &impl serde::Serialize) {
    let body = serde_json::to_vec(object).expect("it serializes");
    let request = http::Request::put(format!("http://localhost/{BUCKET}/{key}"))
        .header("host", "localhost")
        .header("content-length", body.len())
        .body(Bytes::from(body))
        .expect("a request");
    let answer = sandbox.handle(request).await.expect("it answers");
    assert!(answer.status().is_success(), "{key}: {answer:?}");
}

fn read(served: &Served, key: &str) -> Value {
    let request = http::Request::get(format!("http://localhost/{key}"))
        .header("host", "localhost")
        .body(Bytes::new())
        .expect("a request");
    serde_json::from_slice(served.by_hand(request).body()).expect("it is JSON")
}

fn target(number: u64) -> Target {
    Target {
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
        application: format!("app-{number}"),
        blue: "app-blue".to_owned(),
    }
}

fn old(number: u64) -> String {
    Ulid::from_parts(1_600_000_000_000 + number, number.into()).to_string()
}

/// Makes a record that of another deployment, which has a copy in the bucket.
fn name(record: &mut Value, id: &str, target: &Target) {
    let plan = &mut record["deployment"]["plan"];
    plan["target"] = json!(target);
    plan["template"] = json!(template_name(id));
    plan["id"] = json!(id);
    plan["shared_state"] = json!(true);
}

/// Old deployments of many targets, and a release of v1 that was interrupted after them; the
/// key of an old one that its lease names.
fn filled() -> (Served, String) {
    let served = Served::at_speed(SPEED);
    exits(&served.run(&["run", "--version-label", "v2"]), 0);
    let kept = objects(&served);
    let [deployment, lease] = ["/deployments/", "/leases/"].map(|folder| {
        let key = kept.iter().find(|key| key.contains(folder));
        read(&served, key.expect("it is kept"))
    });
    served.sandbox.set_policy(None);
    for number in 0..OLD {
        let (id, target) = (old(number), target(number % TARGETS));
        let (mut deployment, mut lease) = (deployment.clone(), lease.clone());
        name(&mut deployment, &id, &target);
        served.block_on(put(&served.sandbox, &deployment_key(&id), &deployment));
        lease["target"] = json!(target);
        lease["deployment"] = json!(id);
        served.block_on(put(&served.sandbox, &lease_key(&target), &lease));
    }
    let release = ["run", "--version-label", "v1"];
    run_killed_after(&served, &release, "UpdateEnvironment", 1);
    (served, deployment_key(&old(OLD - 1)))
}

#[track_caller]
fn v1_is_released(served: &Served) {
    let report = served.sandbox.report();
    assert_eq!(report.lost, 0, "{:?}", report.losses);
    assert_eq!(report.leftovers.environments, [""; 0]);
    served.sandbox.with_world(|world, _| {
        let blue = world.environment("shop-blue").expect("blue is there");
        assert_eq!(blue.version_label, "v1");
    });
}

#[test]
fn what_is_interrupted_is_found_among_many_from_far() {
    let (served, _) = filled();
    served.inject(Fault {
        operation: Some("GetObject".to_owned()),
        ..Fault::from(FaultEffect::SlowAnswer { milliseconds: 200 })
    });
    let elsewhere = Elsewhere::of(&served);
    let (shown, _) = exits(&elsewhere.run(&["status", "--all", "--json"]), 0);
    let shown: Value = serde_json::from_str(&shown).expect("it is JSON");
    let all = shown["deployments"].as_array().expect("a list");
    assert_eq!(all.len() as u64, OLD + 2);
    exits(&elsewhere.run(&["resume", "--all"]), 0);
    v1_is_released(&served);
}

fn denied(operation: &str, key: &str) -> Fault {
    Fault {
        operation: Some(operation.to_owned()),
        key: Some(key.to_owned()),
        ..Fault::from(FaultEffect::Refuse {
            status: 403,
            code: "AccessDenied".to_owned(),
            message: "Access Denied".to_owned(),
        })
    }
}

#[test]
fn what_is_not_to_be_seen_is_named_and_hides_nothing() {
    let (served, key) = filled();
    served.inject(denied("GetObject", &key));
    let elsewhere = Elsewhere::of(&served);
    for command in [&["status"][..], &["status", "--all"]] {
        let (shown, told) = exits(&elsewhere.run(command), 20);
        assert!(shown.contains("Deploying"), "{shown}");
        let not_all = format!("some objects in bucket {BUCKET} cannot be read");
        assert!(told.contains(&not_all) && told.contains(&key), "{told}");
    }
    exits(&elsewhere.run(&["resume", "--all"]), 20);
    v1_is_released(&served);
    // Nobody reports of what cannot be read that there is none.
    served.inject(denied("ListObjectsV2", ""));
    for command in [
        &["status"][..],
        &["status", "--all"],
        &["status", "--json"],
        &["resume"],
    ] {
        let (shown, told) = exits(&Elsewhere::of(&served).run(command), 20);
        assert_eq!(shown, "", "{command:?}");
        assert!(
            told.contains(&format!(
                "the deployments in bucket {BUCKET} cannot be read"
            )),
            "{told}"
        );
    }
}

#[test]
fn a_journal_that_may_be_old_is_not_shown_as_if_it_were_not() {
    let served = Served::at_speed(SPEED);
    let release = ["run", "--version-label", "v2", "--pause-before", "cutover"];
    exits(&served.run(&release), 0);
    let id = begun(&served);
    served.inject(denied("GetObject", &deployment_key(&id)));
    for command in [&["status"][..], &["status", &id]] {
        let (shown, told) = exits(&served.run(command), 20);
        assert!(shown.contains("AwaitingCutover"), "{shown}");
        assert!(told.contains("cannot be read"), "{told}");
    }
}

/// Leases of so many targets, whose readers wait in virtual time.
async fn with_leases(count: u64) -> VirtualWorld {
    let world = VirtualWorld::new().await;
    for number in 0..count {
        let lease = LeaseRecord {
            format: bluegreen::shared::FORMAT,
            fence: 1,
            target: target(number),
            deployment: old(number),
            doing: "Completed".to_owned(),
            waits: Vec::new(),
            holder: None,
            taken_at: world.clock.now(),
            renewed_at: world.clock.now(),
            renewals: 0,
            length_seconds: 90,
            retreat_requested: false,
        };
        put(&world.sandbox, &lease_key(&lease.target), &lease).await;
    }
    world
}

#[tokio::test(start_paused = true)]
async fn what_is_interrupted_among_ten_thousand_is_found_within_seconds() {
    let (targets, deployments) = match is_full() {
        true => (1_000, 10_000),
        false => (300, 1_000),
    };
    let world = with_leases(targets).await;
    let begun = world.begin(v2()).await.expect("nothing refuses it");
    let begun = json!(DeploymentRecord::new(begun, Vec::new()));
    // Those that a lease names, of which one was interrupted, and the others after them.
    for number in 0..deployments {
        let id = old(number);
        let mut record = begun.clone();
        name(&mut record, &id, &target(number % targets));
        if number != 277 {
            record["deployment"]["state"] = json!(State::Completed);
        }
        put(&world.sandbox, &deployment_key(&id), &record).await;
    }
    world.inject(FaultEffect::SlowAnswer { milliseconds: 200 });
    let before = pages(&world);
    let since = Instant::now();
    let listed = world.shared().unfinished(world.clock.now()).await;
    let listed = listed.expect("they are listed");
    let took = since.elapsed();
    assert_eq!(listed.unreadable.len(), 0, "{:?}", listed.unreadable);
    let [(record, Some(lease))] = &listed.found[..] else {
        panic!("{:?}", listed.found);
    };
    assert_eq!(record.deployment.plan.id, old(277));
    assert_eq!(lease.deployment, old(277));
    assert!(took < Duration::from_secs(10), "{took:?}");
    // One of leases, and one of the deployments that are not archived.
    let asked = pages(&world) - before;
    let archive = world.shared().unfinished(Moment(0)).await;
    archive.expect("they are listed");
    let asked_of_all = pages(&world) - before - asked;
    assert_eq!((asked, asked_of_all), (2, 1 + deployments / 1_000));
}

fn pages(world: &VirtualWorld) -> u64 {
    let calls = world.sandbox.report().calls;
    calls.get("ListObjectsV2").copied().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn what_no_lease_names_is_found_until_it_is_archived() {
    let world = VirtualWorld::new().await;
    let begun = world.begin(v2()).await.expect("nothing refuses it");
    let mut record = json!(DeploymentRecord::new(begun, Vec::new()));
    let id = Ulid::from_parts(world.clock.now().0, 1).to_string();
    name(&mut record, &id, &target(1));
    put(&world.sandbox, &deployment_key(&id), &record).await;
    let days = |days: u64| {
        world
            .clock
            .now()
            .after(Duration::from_secs(days * 24 * 60 * 60))
    };
    for (now, is_found) in [(days(0), true), (days(89), true), (days(91), false)] {
        let unfinished = world.shared().unfinished(now).await;
        let unfinished = unfinished.expect("they are listed");
        assert_eq!(!unfinished.found.is_empty(), is_found, "{now}");
        let newest = world.shared().newest(now).await.expect("they are listed");
        assert_eq!(!newest.found.is_empty(), is_found, "{now}");
    }
    let all = world.shared().deployments().await.expect("they are listed");
    assert_eq!(all.found.len(), 1);
}

fn hanging(key: &str) -> Fault {
    Fault {
        operation: Some("GetObject".to_owned()),
        key: Some(key.to_owned()),
        ..Fault::from(FaultEffect::SlowAnswer {
            milliseconds: 3_600_000,
        })
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_never_answers_hides_no_other() {
    let world = with_leases(150).await;
    let hangs = lease_key(&target(7));
    world.inject(hanging(&hangs));
    let since = Instant::now();
    let listed = world.shared().leases().await.expect("they are listed");
    assert!(
        since.elapsed() < Duration::from_secs(15),
        "{:?}",
        since.elapsed()
    );
    let found: Vec<_> = listed.found.iter().map(|l| l.target.clone()).collect();
    assert_eq!(found.len(), 149);
    assert!(found.is_sorted_by_key(lease_key), "in their order");
    assert!(
        matches!(&listed.unreadable[..], [SharedError::Away { message, .. }]
            if message.contains(&hangs) && message.contains("no answer within 10s")),
        "{:?}",
        listed.unreadable
    );
    assert!(listed.answered().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_never_answers_is_not_asked_for_everything() {
    let world = with_leases(300).await;
    world.inject(hanging("bluegreen/leases/"));
    let since = Instant::now();
    let listed = world.shared().leases().await.expect("they are listed");
    assert!(
        since.elapsed() < Duration::from_secs(25),
        "{:?}",
        since.elapsed()
    );
    assert_eq!(listed.found, []);
    let last = listed.unreadable.last().map(ToString::to_string);
    let last = last.expect("it tells why");
    assert!(last.contains("more objects were not requested"), "{last}");
}
