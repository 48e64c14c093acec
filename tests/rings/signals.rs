//! Ring 3: a signal that comes while a request hangs. Every command ends within a moment, says
//! what is true, and whatever it had begun can be gone on with.

use std::time::{Duration, Instant};

use bluegreen_sandbox::{Fault, FaultEffect};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::machines::{all_is_well, begun, exits, started};
use crate::support::served::{Patience, Served};
use bluegreen_testing::sample::sampled;

const SPEED: f64 = 600.0;

/// Within this a command ends on a machine as busy as may be; what hangs does so for longer
/// than any time-out.
const SOON: Duration = Duration::from_secs(5);

const LOOK: (&str, &str) = ("DescribeEnvironments", "");
const READ_LEASE: (&str, &str) = ("GetObject", "bluegreen/leases/");
const WRITE_LEASE: (&str, &str) = ("PutObject", "bluegreen/leases/");
const READ_COPY: (&str, &str) = ("GetObject", "bluegreen/deployments/");
const WRITE_COPY: (&str, &str) = ("PutObject", "bluegreen/deployments/");
const LIST: (&str, &str) = ("ListObjectsV2", "");
const QUEUE: (&str, &str) = ("PutObject", "bluegreen/queues/");

/// Runs a command until it hangs in a request, the first such but `skip`, and ends it by a
/// signal; gives what it told.
#[track_caller]
fn interrupted(
    served: &Served,
    arguments: &[&str],
    (operation, key): (&str, &str),
    skip: u32,
) -> String {
    let strikes = || {
        let strikes = served.sandbox.report().strikes;
        strikes.get("slow_answer").copied().unwrap_or_default()
    };
    let before = strikes();
    served.inject(Fault {
        operation: Some(operation.to_owned()),
        key: Some(key.to_owned()).filter(|key| !key.is_empty()),
        skip,
        ..Fault::from(FaultEffect::SlowAnswer {
            milliseconds: 3_600_000,
        })
    });
    let child = started(served.bluegreen(arguments));
    let case = format!("{arguments:?} that hangs in {operation} {key} after {skip}");
    let patience = Patience::new();
    while strikes() == before {
        patience.check(&case);
        std::thread::sleep(Duration::from_millis(2));
    }
    let since = Instant::now();
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it can be signalled");
    let ended = child.wait_with_output().expect("it ends");
    let after = since.elapsed();
    served.sandbox.with_world(|world, _| world.clear_faults());
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(75), "{case}: {told}");
    assert!(after < SOON, "{case}: it took {after:?}");
    assert!(told.contains("interrupted by a signal"), "{case}: {told}");
    told
}

#[track_caller]
fn says(told: &str, what: &str) {
    assert!(told.contains(what), "{what:?} is not in: {told}");
}

/// A release that is paused before its last swap.
fn paused() -> (Served, String) {
    let served = Served::at_speed(SPEED);
    let release = ["run", "--version-label", "v2", "--pause-before", "cutover"];
    exits(&served.run(&release), 0);
    let id = begun(&served);
    (served, id)
}

#[test]
fn a_release_that_has_not_begun_ends_soon_and_changes_nothing() {
    let served = Served::at_speed(SPEED);
    let run = ["run", "--version-label", "v2"];
    let hangs = [LOOK, READ_LEASE, WRITE_LEASE, QUEUE].into_iter();
    let hangs = hangs.flat_map(|at| [("run", at), ("rehearse", at)]);
    for (command, at) in sampled("requests that hang", hangs, 3) {
        let told = interrupted(&served, &[command, "--version-label", "v2"], at, 0);
        says(&told, "nothing was changed");
    }
    let waiting = [&run[..], &["--wait", "1h"]].concat();
    says(
        &interrupted(&served, &waiting, QUEUE, 0),
        "nothing was changed",
    );
    for command in ["plan", "doctor"] {
        says(
            &interrupted(&served, &[command], LOOK, 0),
            "nothing was changed",
        );
    }
    let calls = served.sandbox.report().calls;
    assert!(
        !calls.contains_key("CreateConfigurationTemplate"),
        "{calls:?}"
    );
    exits(&served.run(&run), 0);
    all_is_well(&served, "v2");
}

#[test]
fn a_release_that_hangs_in_the_middle_ends_soon_and_goes_on() {
    for (at, skip) in sampled(
        "releases that hang",
        [
            (WRITE_COPY, 0),
            (WRITE_COPY, 3),
            (("CreateEnvironment", ""), 0),
            (("SwapEnvironmentCNAMEs", ""), 0),
            (LOOK, 12),
        ],
        2,
    ) {
        let served = Served::at_speed(SPEED);
        let told = interrupted(&served, &["run", "--version-label", "v2"], at, skip);
        says(&told, "continue with: bluegreen resume");
        exits(&served.run(&["resume"]), 0);
        all_is_well(&served, "v2");
    }
}

#[test]
fn whoever_goes_on_ends_soon_where_a_request_hangs() {
    let (served, id) = paused();
    let commands = [&["resume"][..], &["rollback", &id], &["resume", &id]];
    let hangs = [LOOK, READ_LEASE, WRITE_LEASE, READ_COPY].into_iter();
    let hangs = hangs.flat_map(|at| commands.map(|command| (command, at)));
    for (command, at) in sampled("requests that hang", hangs, 4) {
        let told = interrupted(&served, command, at, 0);
        says(&told, "nothing was changed");
    }
    says(
        &interrupted(&served, &["resume"], LIST, 0),
        "nothing was changed",
    );
    // The copy is written anew under the lease, then with the order.
    says(
        &interrupted(&served, &["resume"], WRITE_COPY, 0),
        "nothing was changed",
    );
    let told = interrupted(&served, &["resume"], WRITE_COPY, 1);
    says(&told, &format!("`bluegreen status {id} --state"));
    let told = interrupted(&served, &["resume"], WRITE_COPY, 2);
    says(&told, &format!("continue with: bluegreen resume {id}"));
    exits(&served.run(&["resume", "--all"]), 0);
    all_is_well(&served, "v2");
}

#[test]
fn everything_that_is_resumed_ends_soon_where_a_request_hangs() {
    // The lease is read first to see what is interrupted.
    for (at, skip) in sampled(
        "sweeps that hang",
        [
            (LOOK, 0),
            (READ_LEASE, 1),
            (WRITE_LEASE, 0),
            (WRITE_COPY, 0),
        ],
        1,
    ) {
        let served = Served::at_speed(SPEED);
        let release = ["run", "--version-label", "v2"];
        interrupted(&served, &release, ("UpdateEnvironment", ""), 0);
        let told = interrupted(&served, &["resume", "--all"], at, skip);
        says(&told, "continue with: bluegreen resume --state");
        says(&told, " --all");
        exits(&served.run(&["resume", "--all"]), 0);
        all_is_well(&served, "v2");
    }
}

#[test]
fn whoever_goes_back_ends_soon_and_says_what_is_left() {
    let (served, id) = paused();
    let rollback = ["rollback", &id];
    for at in [LOOK, READ_LEASE, WRITE_LEASE, WRITE_COPY] {
        let told = interrupted(&served, &rollback, at, 0);
        says(&told, "nothing was changed");
    }
    exits(&served.run(&rollback), 0);
    all_is_well(&served, "v1");
}

/// The order stays where it was left: the runner obeys it, whoever waits for that.
#[test]
fn whoever_waits_for_a_runner_to_roll_back_ends_soon_and_the_order_stays() {
    let served = Served::at_speed(SPEED);
    let folder = served.folder.path();
    let (began, go) = (folder.join("began"), folder.join("go"));
    let hook = format!(
        "{{ when = \"before\", stage = \"testing\", command = \"touch {}; until [ -e {} ]; do sleep \
         0.01; done\", on-failure = \"hold\" }}",
        began.display(),
        go.display()
    );
    let run = ["run", "--version-label", "v2", "--hook", &hook];
    let runner = started(served.bluegreen(&run));
    let patience = Patience::new();
    while !began.exists() {
        patience.check("the hook");
        std::thread::sleep(Duration::from_millis(2));
    }
    let id = begun(&served);
    let waits = started(served.bluegreen(&["rollback", &id]));
    let journal = rusqlite::Connection::open(served.journal()).expect("the journal opens");
    let is_ordered = || {
        let asked = "SELECT count(*) FROM deployment WHERE retreat_requested_at IS NOT NULL";
        journal.query_row(asked, [], |row| row.get::<_, u32>(0)) == Ok(1)
    };
    while !is_ordered() {
        patience.check("the order");
        std::thread::sleep(Duration::from_millis(2));
    }
    let since = Instant::now();
    kill_process(Pid::from_child(&waits), Signal::TERM).expect("it can be signalled");
    let ended = waits.wait_with_output().expect("it ends");
    assert!(since.elapsed() < SOON);
    let (_, told) = exits(&ended, 75);
    says(&told, "the cancellation");
    std::fs::write(go, "").expect("it is written");
    exits(&runner.wait_with_output().expect("it ends"), 10);
    all_is_well(&served, "v1");
}

#[test]
fn whoever_only_looks_ends_soon() {
    let (served, id) = paused();
    for (command, at) in sampled(
        "looks that hang",
        [
            (&["status"][..], LIST),
            (&["status"], READ_COPY),
            (&["status", "--all"], READ_COPY),
            (&["status", &id], READ_LEASE),
            (&["status", "--discover"], LOOK),
            (&["wait", &id, "--for", "end"], READ_COPY),
            (&["cleanup", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "--yes"], LOOK),
            (&["iam-policy"], LOOK),
        ],
        3,
    ) {
        says(&interrupted(&served, command, at, 0), "nothing was changed");
    }
    exits(&served.run(&["resume"]), 0);
    all_is_well(&served, "v2");
}
