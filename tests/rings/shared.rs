//! Ring 3, elsewhere: the real binary with the state in the bucket, from several
//! machines.

use crate::support::machines::{
    Elsewhere, UnderWay, all_is_well, all_is_well_after, begun, empty_the_bucket, exits,
    killed_after, objects, run_killed_after, started,
};

use bluegreen_sandbox::{Fault, FaultEffect, Phase, Status, TapVerdict};
use bytes::Bytes;

use crate::support::served::{Patience, Served, Victim};
use bluegreen_testing::sample::sampled;

const SPEED: f64 = 600.0;

#[test]
fn whoever_finds_it_driven_is_told_by_whom_and_may_wait() {
    let served = Served::at_speed(SPEED);
    let first = UnderWay::past(&served, "CreateEnvironment");
    let id = begun(&served);
    let elsewhere = Elsewhere::of(&served);
    let (_, told) = exits(&elsewhere.run(&["run", "--version-label", "v2"]), 12);
    for expected in [
        id.as_str(),
        "is not finished",
        "process ",
        "bluegreen wait",
        "bluegreen rollback",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let (shown, _) = exits(&elsewhere.run(&["status", &id]), 0);
    assert!(shown.contains("Runner: process "), "{shown}");
    let (shown, _) = exits(&elsewhere.run(&["status", "--json"]), 0);
    assert!(shown.contains("\"driven_by\""), "{shown}");
    let next = ["run", "--version-label", "v1", "--wait", "100h"];
    let second = started(elsewhere.command(&next));
    let waits = Elsewhere::of(&served);
    let waiting = started(waits.command(&["wait", &id, "--for", "completed"]));
    exits(&first.ended(), 0);
    let (waited, _) = exits(&waiting.wait_with_output().expect("it ends"), 0);
    assert!(waited.contains("Completed"), "{waited}");
    let (_, told) = exits(&second.wait_with_output().expect("it ends"), 0);
    assert!(told.contains("waiting in the queue"), "{told}");
    all_is_well_after(2, &served, "v1");
    let (_, told) = exits(&elsewhere.run(&["wait", &id, "--for", "held"]), 3);
    assert!(told.contains("is Completed"), "{told}");
}

#[test]
fn a_resume_elsewhere_leaves_a_living_holder_alone() {
    let served = Served::at_speed(SPEED);
    let first = UnderWay::past(&served, "CreateEnvironment");
    let id = begun(&served);
    let (_, told) = exits(&Elsewhere::of(&served).run(&["resume", &id]), 12);
    assert!(told.contains("has held shop/shop-blue since"), "{told}");
    assert!(told.contains("it can be taken in"), "{told}");
    exits(&first.ended(), 0);
    all_is_well(&served, "v2");
}

#[test]
fn a_deployment_with_a_lease_is_not_driven_without_one() {
    let served = Served::at_speed(SPEED);
    let victim = Victim::default();
    let killer = victim.clone();
    served.sandbox.set_tap(move |call, phase| {
        if phase == Phase::After && call.operation == "CreateEnvironment" {
            killer.kill();
            return TapVerdict::HangUp;
        }
        TapVerdict::Continue
    });
    let run = served.bluegreen(&["run", "--version-label", "v2"]);
    assert_eq!(victim.run(&mut { run }).code(), None);
    served.sandbox.set_tap(|_, _| TapVerdict::Continue);
    let (_, told) = exits(&served.run(&["resume", "--no-shared-state"]), 3);
    assert!(
        told.contains("two processes could change its target"),
        "{told}"
    );
    // On the machine of the dead process nobody waits for its lease.
    let (_, told) = exits(&served.run(&["resume"]), 0);
    assert!(!told.contains("waiting for at most"), "{told}");
    all_is_well(&served, "v2");
}

#[test]
fn an_abort_from_elsewhere_reaches_the_holder() {
    let served = Served::at_speed(SPEED);
    let first = UnderWay::past(&served, "SwapEnvironmentCNAMEs");
    let id = begun(&served);
    let (_, told) = exits(&Elsewhere::of(&served).run(&["abort", &id]), 0);
    assert!(told.contains("the cancellation; waiting for it"), "{told}");
    exits(&first.process.wait_with_output().expect("it ends"), 10);
    all_is_well(&served, "v1");
}

#[test]
fn a_promotion_that_takes_blue_away_is_not_aborted() {
    let served = Served::at_speed(SPEED);
    served
        .sandbox
        .set_policy(Some(crate::support::policies::promoting()));
    let promotion = ["run", "--version-label", "v2", "--strategy", "promote"];
    let id = run_killed_after(&served, &promotion, "TerminateEnvironment", 1);
    let elsewhere = Elsewhere::of(&served);
    let (_, told) = exits(&elsewhere.run(&["abort", &id]), 3);
    assert!(told.contains("release v1 anew once it has ended"), "{told}");
    exits(&elsewhere.run(&["resume", &id]), 0);
    let (_, told) = exits(&elsewhere.run(&["abort", &id]), 3);
    assert!(told.contains("has ended (Completed)"), "{told}");
}

#[test]
fn without_any_journal_it_is_rebuilt_from_aws() {
    for (operation, times, becomes) in sampled(
        "moments of a death",
        [
            ("CreateEnvironment", 1, "Cloning"),
            ("SwapEnvironmentCNAMEs", 1, "as "),
            ("UpdateEnvironment", 1, "DrainingBlue"),
            ("SwapEnvironmentCNAMEs", 2, "as "),
            ("TerminateEnvironment", 1, "TerminatingGreen"),
        ],
        2,
    ) {
        let served = Served::at_speed(SPEED);
        let terminations_take = |seconds| {
            served
                .sandbox
                .with_world(|world, _| world.timings.terminate_seconds = seconds);
        };
        // A green that is gone leaves nothing to rebuild: it takes longer to go than
        // the next process to start on a busy machine.
        terminations_take(2 * 60 * 60);
        let id = killed_after(&served, operation, times);
        terminations_take(4 * 60);
        empty_the_bucket(&served);
        let (_, told) = exits(&Elsewhere::of(&served).run(&["resume", &id]), 0);
        assert!(
            told.contains("no journal of this deployment is left"),
            "{told}"
        );
        assert!(told.contains(becomes), "{operation}: {told}");
        all_is_well(&served, "v2");
    }
}

#[test]
fn a_rebuilt_one_goes_back_on_request() {
    let served = Served::at_speed(SPEED);
    let id = killed_after(&served, "UpdateEnvironment", 1);
    empty_the_bucket(&served);
    exits(&Elsewhere::of(&served).run(&["rollback", &id]), 0);
    all_is_well(&served, "v1");
}

#[test]
fn what_nobody_goes_on_with_is_found_and_removed() {
    let served = Served::at_speed(SPEED);
    let id = killed_after(&served, "CreateEnvironment", 1);
    let elsewhere = Elsewhere::of(&served);
    let (shown, _) = exits(&elsewhere.run(&["status", "--discover"]), 0);
    assert!(shown.contains("Nothing is left"), "it is owned: {shown}");
    let (_, told) = exits(&elsewhere.run(&["cleanup", &id, "--yes"]), 12);
    assert!(told.contains("bluegreen resume"), "{told}");
    empty_the_bucket(&served);
    let (shown, _) = exits(&elsewhere.run(&["status", "--discover"]), 0);
    for expected in [
        "environment",
        "shop-blue-green",
        "template",
        &format!("bluegreen cleanup {id}"),
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let (shown, _) = exits(&elsewhere.run(&["status", "--discover", "--json"]), 0);
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["left"].as_array().map(Vec::len), Some(2), "{shown}");
    let (_, told) = exits(&elsewhere.run(&["cleanup", &id]), 2);
    assert!(told.contains("--yes"), "{told}");
    exits(&elsewhere.run(&["cleanup", &id, "--yes"]), 0);
    all_is_well(&served, "v1");
    exits(&elsewhere.run(&["cleanup", &id, "--yes"]), 13);
}

#[test]
fn a_green_that_serves_is_not_removed() {
    let served = Served::at_speed(SPEED);
    let id = killed_after(&served, "UpdateEnvironment", 1);
    empty_the_bucket(&served);
    let elsewhere = Elsewhere::of(&served);
    let (shown, _) = exits(&elsewhere.run(&["status", "--discover"]), 0);
    assert!(
        shown.contains(&format!("bluegreen rollback {id}")),
        "{shown}"
    );
    let (_, told) = exits(&elsewhere.run(&["cleanup", &id, "--yes"]), 3);
    assert!(told.contains("serves production"), "{told}");
    exits(&elsewhere.run(&["rollback", &id]), 0);
    all_is_well(&served, "v1");
}

#[test]
fn everything_interrupted_is_resumed_at_the_same_time() {
    let served = Served::at_speed(SPEED);
    // The policy names one blue, and these are two.
    served.sandbox.set_policy(None);
    let stack = served.sandbox.with_world(|world, _| {
        let blue = world.environment("shop-blue").expect("blue is there");
        blue.solution_stack.replace(' ', "+")
    });
    let create = format!(
        "Action=CreateEnvironment&Version=2010-12-01&ApplicationName=shop&EnvironmentName=till-blue\
         &VersionLabel=v1&CNAMEPrefix=till&SolutionStackName={stack}"
    );
    let request = http::Request::post("http://localhost/")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(create))
        .expect("a request");
    let answer = served
        .block_on(served.sandbox.handle(request))
        .expect("it answers");
    assert!(answer.status().is_success(), "{:?}", answer.body());
    let patience = Patience::new();
    loop {
        patience.check("till-blue to be Ok");
        let ready = served.sandbox.with_world(|world, _| {
            let till = world.environment("till-blue").expect("it is there");
            till.status == Status::Ready && till.health_status == "Ok"
        });
        if ready {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    killed_after(&served, "CreateEnvironment", 1);
    let victim = Victim::default();
    let killer = victim.clone();
    served.sandbox.set_tap(move |call, phase| {
        if phase == Phase::Before && call.operation == "SwapEnvironmentCNAMEs" {
            killer.kill();
            return TapVerdict::HangUp;
        }
        TapVerdict::Continue
    });
    let elsewhere = Elsewhere::of(&served);
    let run = ["run", "--blue", "till-blue", "--version-label", "v2"];
    assert_eq!(victim.run(&mut elsewhere.command(&run)).code(), None);
    served.sandbox.set_tap(|_, _| TapVerdict::Continue);
    let sweeper = Elsewhere::of(&served);
    exits(&sweeper.run(&["resume", "--all"]), 0);
    served.sandbox.with_world(|world, _| {
        for name in ["shop-blue", "till-blue"] {
            let blue = world.environment(name).expect("it is there");
            assert_eq!(blue.version_label, "v2", "{name}");
        }
    });
    let report = served.sandbox.report();
    assert_eq!((report.lost, report.leftovers.templates), (0, vec![]));
    let (shown, _) = exits(&sweeper.run(&["resume", "--all"]), 0);
    assert!(shown.contains("No deployment is interrupted"), "{shown}");
    // What cannot be seen is not nothing.
    served.deny("s3:ListBucket");
    for sweep in [&["resume", "--all"][..], &["resume"]] {
        let (shown, told) = exits(&sweeper.run(sweep), 20);
        assert!(!shown.contains("No deployment"), "{shown}");
        assert!(told.contains("ListObjectsV2"), "{told}");
    }
    let nowhere = crate::support::served::hermetic(&["resume", "--all"])
        .env("BLUEGREEN_STATE", sweeper.disk.path().join("other.db"))
        .output()
        .expect("the binary runs");
    let (_, told) = exits(&nowhere, 3);
    assert!(told.contains("no bucket is named"), "{told}");
}

#[test]
fn a_bucket_that_is_away_is_waited_for_and_then_it_stops_resumable() {
    let served = Served::at_speed(SPEED);
    let away = |skip| Fault {
        effect: FaultEffect::Refuse {
            status: 503,
            code: "ServiceUnavailable".to_owned(),
            message: "away".to_owned(),
        },
        operation: Some("PutObject".to_owned()),
        key: None,
        skip,
        times: None,
        probability: None,
    };
    served.inject(away(6));
    let run = ["run", "--version-label", "v2", "--patience", "2h"];
    let (_, told) = exits(&served.run(&run), 75);
    assert!(told.contains("cannot continue for now"), "{told}");
    assert!(told.contains("bluegreen resume"), "{told}");
    served.sandbox.with_world(|world, _| world.clear_faults());
    exits(&served.run(&["resume"]), 0);
    all_is_well(&served, "v2");
}

#[test]
fn without_shared_state_the_bucket_is_left_alone() {
    let served = Served::at_speed(SPEED);
    let run = ["run", "--version-label", "v2", "--no-shared-state"];
    exits(&served.run(&run), 0);
    assert_eq!(objects(&served), [""; 0]);
    let calls = served.sandbox.report().calls;
    assert_eq!(calls.get("PutObject"), None, "{calls:?}");
}
