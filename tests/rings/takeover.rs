//! Ring 3, takeovers: what becomes of a deployment where a second process comes at the wrong
//! moment, a signal early, or the bucket shows less than there is.

use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bluegreen_sandbox::{Fault, FaultEffect, Phase, TapVerdict};
use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::machines::{
    Elsewhere, all_is_well, begun, empty_the_bucket, exits, killed_after, objects,
    run_killed_after, started,
};
use crate::support::served::{Served, hermetic};

const SPEED: f64 = 600.0;

/// Waits until a condition holds; `what` names it.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < Duration::from_secs(300), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Starts the binary with its standard error in a file.
fn told_into(mut command: std::process::Command, file: &Path) -> Child {
    let log = std::fs::File::create(file).expect("it is made");
    command
        .stdout(std::process::Stdio::null())
        .stderr(log)
        .spawn()
        .expect("the binary starts")
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).expect("it reads")
}

/// An object of the bucket is written by hand.
fn put(served: &Served, key: &str, body: &str) {
    let request = http::Request::put(format!("http://localhost/shop-artifacts/{key}"))
        .header("host", "localhost")
        .body(Bytes::from(body.to_owned()))
        .expect("a request");
    assert!(served.by_hand(request).status().is_success(), "{key}");
}

fn delete(served: &Served, key: &str) {
    let request = http::Request::delete(format!("http://localhost/{key}"))
        .header("host", "localhost")
        .body(Bytes::new())
        .expect("a request");
    assert!(served.by_hand(request).status().is_success(), "{key}");
}

fn swaps(served: &Served) -> u64 {
    let calls = served.sandbox.report().calls;
    calls.get("SwapEnvironmentCNAMEs").copied().unwrap_or(0)
}

#[test]
fn a_sweep_approves_no_pause_that_began_while_it_waited() {
    let served = Served::at_speed(SPEED);
    let (elsewhere, files) = (Elsewhere::of(&served), Elsewhere::of(&served));
    let gate = files.disk.path().join("gate");
    let hook = format!(
        "{{ when = \"before\", stage = \"awaiting-cutover\", command = \"while ! test -e '{}'; do sleep 0.02; done\", on-failure = \"hold\" }}",
        gate.display()
    );
    let run = [
        "run",
        "--version-label",
        "v2",
        "--pause-before-cutover",
        "--lease",
        "12h",
        "--hook",
        &hook,
    ];
    let first = started(served.bluegreen(&run));
    until("it deploys", || {
        served
            .sandbox
            .report()
            .calls
            .contains_key("UpdateEnvironment")
    });
    let log = files.disk.path().join("log");
    let mut sweep = elsewhere.command(&["resume", "--all"]);
    sweep.env("BLUEGREEN_HOOK", &hook);
    let mut sweep = told_into(sweep, &log);
    until("the sweep waits for the lease", || {
        read(&log).contains("waiting for at most")
    });
    std::fs::write(&gate, "").expect("it is written");
    exits(&first.wait_with_output().expect("it ends"), 0);
    let swept = sweep.wait().expect("it ends");
    assert_eq!(swept.code(), Some(0), "{}", read(&log));
    let id = begun(&served);
    let (shown, _) = exits(&elsewhere.run(&["status", &id]), 0);
    assert!(shown.contains("AwaitingCutover"), "{shown}");
    assert_eq!(swaps(&served), 1);
    let mut resume = elsewhere.command(&["resume", &id]);
    resume.env("BLUEGREEN_HOOK", &hook);
    exits(&resume.output().expect("it runs"), 0);
    all_is_well(&served, "v2");
}

#[test]
fn a_journal_in_another_bucket_makes_no_second_driver() {
    let served = Served::at_speed(SPEED);
    let id = killed_after(&served, "UpdateEnvironment", 1);
    let request = http::Request::put("http://localhost/other-artifacts")
        .header("host", "localhost")
        .body(Bytes::new())
        .expect("a request");
    assert!(served.by_hand(request).status().is_success());
    served.sandbox.set_policy(None);
    for command in [
        &["resume", &id, "--no-shared-state"][..],
        &["resume", &id, "--bucket", "other-artifacts"],
        &["rollback", &id, "--no-shared-state"],
        &["cleanup", &id, "--yes", "--no-shared-state"],
    ] {
        let (_, told) = exits(&Elsewhere::of(&served).run(command), 3);
        assert!(told.contains("in bucket shop-artifacts"), "{told}");
        assert!(told.contains("--bucket shop-artifacts"), "{told}");
    }
    let shown = ["status", "--discover", "--no-shared-state"];
    let (shown, _) = exits(&Elsewhere::of(&served).run(&shown), 0);
    assert!(!shown.contains("shop-blue-green"), "{shown}");
    exits(&Elsewhere::of(&served).run(&["resume", &id]), 0);
    all_is_well(&served, "v2");
}

#[test]
fn what_cannot_be_read_hides_nothing_else() {
    let served = Served::at_speed(SPEED);
    let id = killed_after(&served, "UpdateEnvironment", 1);
    put(
        &served,
        "bluegreen/deployments/7ZZZZZZZZZZZZZZZZZZZZZZZZZ.json",
        "{\"format\":99}",
    );
    let sweeper = Elsewhere::of(&served);
    // What is shown is not all.
    let (shown, told) = exits(&sweeper.run(&["status"]), 3);
    assert!(shown.contains(&id), "{shown}");
    assert!(told.contains("newer bluegreen"), "{told}");
    let (_, told) = exits(&sweeper.run(&["resume", "--all"]), 3);
    assert!(told.contains("newer bluegreen"), "{told}");
    assert!(told.contains("everything else was resumed"), "{told}");
    assert!(!told.contains("nothing was changed"), "{told}");
    all_is_well(&served, "v2");
    let (shown, told) = exits(&sweeper.run(&["status"]), 3);
    assert!(!shown.contains("No deployment"), "{shown}");
    assert!(told.contains("newer bluegreen"), "{told}");
}

#[test]
fn a_lease_that_was_removed_hides_no_deployment() {
    let served = Served::at_speed(SPEED);
    killed_after(&served, "UpdateEnvironment", 1);
    let lease = objects(&served)
        .into_iter()
        .find(|key| key.contains("/leases/"));
    delete(&served, &lease.expect("a lease"));
    exits(&Elsewhere::of(&served).run(&["resume", "--all"]), 0);
    all_is_well(&served, "v2");
}

/// The process' clock is the wall's here, and the sandbox's is hours ahead by then.
#[test]
fn nothing_is_decided_before_aws_has_told_the_time() {
    let served = Served::at_speed(SPEED);
    let release = ["run", "--version-label", "v2", "--poll", "100ms"];
    let id = run_killed_after(&served, &release, "UpdateEnvironment", 1);
    served.inject(Fault {
        times: Some(12),
        operation: Some("DescribeEnvironments".to_owned()),
        ..FaultEffect::DropRequest.into()
    });
    let elsewhere = Elsewhere::of(&served);
    let mut resume = hermetic(&["resume", &id]);
    resume
        .env("AWS_ENDPOINT_URL", &served.url)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "AKIATEST")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("S3_ARTIFACTS_BUCKET", "shop-artifacts")
        .env("BLUEGREEN_STATE", elsewhere.disk.path().join("journal.db"))
        .env("BLUEGREEN_LEASE", "90s");
    // The lease of the dead process runs out by the clock of whoever waits for it.
    let lease = objects(&served)
        .into_iter()
        .find(|key| key.contains("/leases/"));
    delete(&served, &lease.expect("a lease"));
    let log = elsewhere.disk.path().join("log");
    let mut resumed = told_into(resume, &log);
    until("it goes on", || read(&log).contains("continuing from"));
    resumed.kill().expect("it can be killed");
    resumed.wait().expect("it ends");
    let told = read(&log);
    assert!(told.contains("behind that of AWS"), "{told}");
}

#[test]
fn a_plan_that_was_overtaken_before_its_turn_is_made_anew() {
    let served = Served::at_speed(SPEED);
    let (sandbox, once) = (served.sandbox.clone(), AtomicBool::new(false));
    served.sandbox.set_tap(move |call, phase| {
        let takes = call.operation == "PutObject" && phase == Phase::Before;
        if takes && !once.swap(true, Ordering::SeqCst) {
            // Another release has come and gone.
            sandbox.with_world(|world, _| {
                let blue = world.environment_mut("shop-blue").expect("blue is there");
                "v2".clone_into(&mut blue.version_label);
            });
        }
        TapVerdict::Continue
    });
    let release = ["run", "--version-label", "v2"];
    let (shown, told) = exits(&served.run(&release), 0);
    assert!(told.contains("has changed since the checks"), "{told}");
    assert!(shown.contains("v2 is live already"), "{shown}");
    let calls = served.sandbox.report().calls;
    assert!(
        !calls.contains_key("CreateConfigurationTemplate"),
        "{calls:?}"
    );
    let (shown, _) = exits(&served.run(&["status", "--discover"]), 0);
    assert!(
        shown.contains("Nothing is left"),
        "the lease is free: {shown}"
    );
}

#[test]
fn a_signal_before_anything_has_begun_is_heard() {
    let served = Served::at_speed(SPEED);
    let pid = Arc::new(Mutex::new(None));
    let target = Arc::clone(&pid);
    served.sandbox.set_tap(move |call, phase| {
        if call.operation == "SimulatePrincipalPolicy" && phase == Phase::Before {
            until("the process is known", || {
                let pid = *target.lock().expect("no panic holds it");
                pid.inspect(|pid| {
                    kill_process(*pid, Signal::TERM).expect("it is signalled");
                })
                .is_some()
            });
            std::thread::sleep(Duration::from_millis(50));
        }
        TapVerdict::Continue
    });
    let child = started(served.bluegreen(&["run", "--version-label", "v2"]));
    let id = i32::try_from(child.id()).expect("a process id");
    *pid.lock().expect("no panic holds it") = Pid::from_raw(id);
    let (_, told) = exits(&child.wait_with_output().expect("it ends"), 75);
    assert!(told.contains("nothing was changed"), "{told}");
    assert_eq!(objects(&served), [""; 0]);
}

#[test]
fn what_is_rebuilt_pauses_as_it_was_asked() {
    let served = Served::at_speed(SPEED);
    let release = ["run", "--version-label", "v2", "--pause-before", "cutover"];
    let id = run_killed_after(&served, &release, "CreateEnvironment", 1);
    empty_the_bucket(&served);
    let elsewhere = Elsewhere::of(&served);
    let (shown, told) = exits(&elsewhere.run(&["resume", &id]), 0);
    assert!(told.contains("Tests, hooks, alarms and limits"), "{told}");
    assert!(shown.contains("AwaitingCutover"), "{shown}");
    // A pause is a part of the way to the end, and waits for an operator meanwhile.
    let wait = ["wait", &id, "--for", "completed", "--timeout", "10m"];
    let (_, told) = exits(&elsewhere.run(&wait), 75);
    assert!(told.contains("it waits for an operator"), "{told}");
    exits(&elsewhere.run(&["resume", &id]), 0);
    all_is_well(&served, "v2");
}

#[test]
fn a_bucket_that_does_not_answer_for_now_ends_no_wait() {
    let served = Served::at_speed(SPEED);
    let release = ["run", "--version-label", "v2", "--pause-before", "cutover"];
    exits(&served.run(&release), 0);
    let id = begun(&served);
    served.inject(Fault {
        times: Some(8),
        operation: Some("GetObject".to_owned()),
        ..Fault::from(FaultEffect::Refuse {
            status: 503,
            code: "ServiceUnavailable".to_owned(),
            message: "away".to_owned(),
        })
    });
    let (_, told) = exits(&Elsewhere::of(&served).run(&["wait", &id]), 0);
    assert!(told.contains("AWS cannot be reached"), "{told}");
}

#[test]
fn what_serves_or_has_lost_its_blue_is_removed_by_hand() {
    let served = Served::at_speed(SPEED);
    let release = ["run", "--version-label", "v2", "--pause-before", "cutover"];
    exits(&served.run(&release), 0);
    let id = begun(&served);
    let by_hand = |form: &str| {
        let request = http::Request::post("http://localhost/")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(format!("{form}&Version=2010-12-01")))
            .expect("a request");
        assert!(served.by_hand(request).status().is_success(), "{form}");
        until("it is done", || {
            served
                .sandbox
                .with_world(|world, _| world.environments().all(|e| e.busy.is_none()))
        });
    };
    let swap = |of: &str| {
        by_hand(&format!(
            "Action=SwapEnvironmentCNAMEs&SourceEnvironmentName={of}\
             &DestinationEnvironmentName=shop-blue-green"
        ));
    };
    by_hand(
        "Action=CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-third&VersionLabel=v1\
         &SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20",
    );
    // Somebody moves production to a third environment and gives it back again.
    swap("shop-third");
    exits(&served.run(&["resume", &id]), 11);
    // It is not in flight, and `status` shows it first all the same.
    let (shown, _) = exits(&served.run(&["status"]), 0);
    assert!(shown.starts_with("Users: "), "{shown}");
    assert!(shown.contains("Stuck"), "{shown}");
    assert!(
        shown.contains(&format!("bluegreen cleanup {id} ")),
        "{shown}"
    );
    let (_, told) = exits(&served.run(&["resume"]), 11);
    assert!(!told.contains("no journal of this deployment"), "{told}");
    swap("shop-third");
    let (shown, _) = exits(&served.run(&["status", "--discover"]), 0);
    assert!(
        shown.contains("aws elasticbeanstalk swap-environment-cnames"),
        "{shown}"
    );
    let (_, told) = exits(&served.run(&["cleanup", &id, "--yes"]), 3);
    assert!(told.contains("swap-environment-cnames"), "{told}");
    swap("shop-blue");
    let green = served.sandbox.with_world(|world, _| {
        let at = world.environment_mut("shop-blue").expect("blue is there");
        "shop-renamed".clone_into(&mut at.id);
        world
            .environment("shop-blue-green")
            .expect("green")
            .id
            .clone()
    });
    let (shown, _) = exits(&served.run(&["status", "--discover"]), 0);
    let by_hand = format!("aws elasticbeanstalk terminate-environment --environment-id {green}");
    assert!(shown.contains(&by_hand), "{shown}");
    let nowhere = hermetic(&["status", "--discover"])
        .env("BLUEGREEN_STATE", served.folder.path().join("other.db"))
        .output()
        .expect("the binary runs");
    let (_, told) = exits(&nowhere, 3);
    assert!(told.contains("no bucket is named"), "{told}");
}

/// The lease and the copy are whoever's who may write into the bucket.
#[test]
fn what_others_have_written_moves_no_terminal_and_begins_no_line() {
    let served = Served::at_speed(SPEED);
    killed_after(&served, "CreateEnvironment", 1);
    let lease = objects(&served)
        .into_iter()
        .find(|key| key.contains("/leases/"));
    let lease = lease.expect("a lease");
    let request = http::Request::get(format!("http://localhost/{lease}"))
        .header("host", "localhost")
        .body(Bytes::new())
        .expect("a request");
    let body = served.by_hand(request).into_body();
    let mut record: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    let hostile = "x\n::error::\u{1b}[31m\u{9b}0m";
    for place in ["/doing", "/holder/host", "/holder/job"] {
        let (above, name) = place.rsplit_once('/').expect("a place");
        record.pointer_mut(above).expect("it is there")[name] = hostile.into();
    }
    let key = lease.split_once('/').expect("a bucket").1;
    put(&served, key, &record.to_string());
    for (arguments, code) in [
        (&["run", "--version-label", "v1"][..], 12),
        (&["status", "--discover"], 0),
    ] {
        let (shown, told) = exits(&Elsewhere::of(&served).run(arguments), code);
        let all = shown + &told;
        assert!(!all.contains(['\u{1b}', '\u{9b}']), "{all}");
        let begins = |line: &str| line.trim_start().starts_with("::");
        assert!(!all.lines().any(begins), "{all}");
    }
}
