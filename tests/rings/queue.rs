//! Ring 4, the queue: real processes wait for their turn at one target, on one machine and on
//! several; they die, sleep and are overtaken.

use std::path::PathBuf;
use std::process::{Child, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bluegreen::shared::Queue;
use bluegreen_sandbox::{Phase, Status, TapVerdict};
use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::machines::{Elsewhere, UnderWay, begun, exits, killed_after, started};
use crate::support::parallel::in_parallel;
use crate::support::served::{Patience, Served};
use bluegreen_testing::sample::sampled;

const SPEED: f64 = 600.0;
/// How often three waiters are tried; some at a time, for they wait more than they work.
const ROUNDS: usize = 20;
const AT_A_TIME: usize = 5;

/// Registers versions beside the seeded v1 and v2.
fn register(served: &Served, labels: &[&str]) {
    for label in labels {
        by_hand(
            served,
            &format!(
                "Action=CreateApplicationVersion&ApplicationName=shop&VersionLabel={label}\
                 &SourceBundle.S3Bucket=shop-artifacts&SourceBundle.S3Key=shop/v2.zip"
            ),
        );
    }
}

/// Somebody asks this of Elastic Beanstalk, with every permission.
fn by_hand(served: &Served, query: &str) {
    let request = http::Request::post("http://localhost/")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(format!("{query}&Version=2010-12-01")))
        .expect("a request");
    assert!(served.by_hand(request).status().is_success(), "{query}");
}

/// The queue as the bucket has it.
fn queue(served: &Served) -> Queue {
    let objects = served.sandbox.report().leftovers.objects;
    let Some(key) = objects.iter().find(|key| key.contains("/queues/")) else {
        return Queue::default();
    };
    let request = http::Request::get(format!("http://localhost/{key}"))
        .header("host", "localhost")
        .body(Bytes::new())
        .expect("a request");
    let answer = served.by_hand(request);
    serde_json::from_slice(answer.body()).expect("a queue")
}

/// Whether so many wait.
fn has_come(served: &Served, count: usize) -> bool {
    queue(served).waiting.len() >= count
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let patience = Patience::new();
    while !holds() {
        patience.check(what);
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A process that waits, what it says in a file.
struct Waiter {
    child: Child,
    log: PathBuf,
    _disk: Option<tempfile::TempDir>,
}

impl Waiter {
    /// Waits on a machine of its own; returns once it is the `place`-th in the queue.
    fn elsewhere(served: &Served, version: &str, lease: &str, place: usize) -> Waiter {
        let Elsewhere { disk, .. } = Elsewhere::of(served);
        let state = disk.path().join("journal.db");
        let log = disk.path().join("log");
        let mut command = served.bluegreen(&run(version, lease));
        command
            .env("BLUEGREEN_STATE", state)
            .stdout(std::process::Stdio::null())
            .stderr(std::fs::File::create(&log).expect("it is made"));
        let child = command.spawn().expect("the binary starts");
        until("it waits", || has_come(served, place));
        Waiter {
            child,
            log,
            _disk: Some(disk),
        }
    }

    fn told(&self) -> String {
        std::fs::read_to_string(&self.log).expect("it reads")
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is signalled");
    }

    #[track_caller]
    fn ends(&mut self, code: i32) -> String {
        let ended = self.child.wait().expect("it ends");
        let told = self.told();
        assert_eq!(ended.code(), Some(code), "{told}");
        told
    }
}

fn run<'a>(version: &'a str, lease: &'a str) -> [&'a str; 7] {
    [
        "run",
        "--version-label",
        version,
        "--wait",
        "100h",
        "--lease",
        lease,
    ]
}

/// Long enough for a machine as busy as may be.
const LONG: &str = "12h";
/// As short as is taken.
const SHORT: &str = "90s";

fn blue_runs(served: &Served) -> String {
    served.sandbox.with_world(|world, _| {
        let blue = world.environment("shop-blue").expect("blue is there");
        blue.version_label.clone()
    })
}

#[track_caller]
fn nothing_was_lost(served: &Served) {
    let report = served.sandbox.report();
    assert_eq!(report.lost, 0, "{:?}", report.losses);
    assert_eq!(report.interruptions, []);
    assert_eq!(report.leftovers.environments, [""; 0]);
}

/// One release goes on while three others begin to wait, one after another.
fn three_waiters() {
    let served = Served::at_speed(SPEED);
    register(&served, &["v3", "v4", "v5"]);
    let first = UnderWay::past(&served, "CreateEnvironment");
    let mut waiters = ["v3", "v4", "v5"]
        .into_iter()
        .zip(1..)
        .map(|(version, place)| Waiter::elsewhere(&served, version, LONG, place))
        .collect::<Vec<_>>();
    exits(&first.ended(), 0);
    let order = ["v2", "v3", "v4", "v5"];
    for (waiter, pair) in waiters.iter_mut().zip(order.windows(2)) {
        let told = waiter.ends(0);
        let goes = format!(
            "releasing {} onto shop-blue, which runs {}",
            pair[1], pair[0]
        );
        assert!(told.contains(&goes), "{goes}: {told}");
    }
    assert_eq!(blue_runs(&served), "v5");
    nothing_was_lost(&served);
    let queue = queue(&served);
    assert_eq!(queue.waiting, [], "nobody waits any more");
    let numbers: Vec<_> = queue.begun.iter().map(|begun| begun.number).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
    assert_eq!(numbers.len(), 4);
}

#[test]
fn three_waiters_on_three_machines_keep_their_order() {
    let rounds = sampled("rounds", 0..ROUNDS, 2);
    in_parallel(AT_A_TIME, rounds, |_| three_waiters());
}

/// Without the bucket the file on one machine keeps the order.
#[test]
fn three_waiters_keep_their_order_in_the_file_alone() {
    for _ in sampled("rounds", 0..3, 1) {
        let served = Served::at_speed(SPEED);
        register(&served, &["v3", "v4"]);
        let gate = served.folder.path().join("gate");
        let hook = format!(
            "{{ when = \"before\", stage = \"swapping-to-blue\", command = \"while ! test -e '{}'; do sleep 0.02; done\", on-failure = \"hold\" }}",
            gate.display()
        );
        let alone = "--no-shared-state";
        let first = ["run", "--version-label", "v2", alone, "--hook", &hook];
        let first = started(served.bluegreen(&first));
        until("it deploys", || {
            let calls = served.sandbox.report().calls;
            calls.contains_key("UpdateEnvironment")
        });
        let waiters = ["v3", "v4", "v1"].map(|version| {
            let log = served.folder.path().join(format!("log-{version}"));
            let mut command = served.bluegreen(&[&run(version, LONG)[..], &[alone]].concat());
            command
                .stdout(std::process::Stdio::null())
                .stderr(std::fs::File::create(&log).expect("it is made"));
            let waiter = Waiter {
                child: command.spawn().expect("the binary starts"),
                log,
                _disk: None,
            };
            until("it waits", || {
                waiter.told().contains("waiting in the queue")
            });
            waiter
        });
        let last = ["run", "--version-label", "v4", alone];
        std::fs::write(&gate, "").expect("it is written");
        exits(&first.wait_with_output().expect("it ends"), 0);
        // It comes later, and does not wait.
        let (_, told) = exits(&served.run(&last), 12);
        assert!(
            told.contains("is not finished") || told.contains("goes first"),
            "{told}"
        );
        for (mut waiter, from) in waiters.into_iter().zip(["v2", "v3", "v4"]) {
            let told = waiter.ends(0);
            assert!(
                told.contains(&format!("which runs {from}")),
                "{from}: {told}"
            );
        }
        assert_eq!(blue_runs(&served), "v1");
        nothing_was_lost(&served);
    }
}

#[test]
fn a_waiter_that_died_blocks_nobody_for_longer_than_its_ticket() {
    let served = Served::at_speed(SPEED);
    register(&served, &["v3", "v4"]);
    let first = UnderWay::past(&served, "CreateEnvironment");
    let mut dies = Waiter::elsewhere(&served, "v3", SHORT, 1);
    let mut lives = Waiter::elsewhere(&served, "v4", LONG, 2);
    dies.signal(Signal::KILL);
    dies.child.wait().expect("it ends");
    exits(&first.ended(), 0);
    let told = lives.ends(0);
    assert!(
        told.contains("releasing v4 onto shop-blue, which runs v2"),
        "{told}"
    );
    nothing_was_lost(&served);
}

#[test]
fn whoever_stops_waiting_leaves_the_queue() {
    let served = Served::at_speed(SPEED);
    register(&served, &["v3"]);
    let first = UnderWay::past(&served, "CreateEnvironment");
    let mut waits = Waiter::elsewhere(&served, "v3", LONG, 1);
    waits.signal(Signal::TERM);
    let told = waits.ends(75);
    assert!(told.contains("nothing was changed"), "{told}");
    assert_eq!(queue(&served).waiting, []);
    let elsewhere = Elsewhere::of(&served);
    let short = ["run", "--version-label", "v3", "--wait", "1s"];
    exits(&elsewhere.run(&short), 12);
    assert_eq!(queue(&served).waiting, []);
    exits(&first.ended(), 0);
}

/// A waiter sleeps for longer than its ticket lasts; what came later goes first, and what the
/// sleeper would release is older than that.
#[test]
fn a_waiter_that_something_newer_has_overtaken_ends_with_3() {
    let served = Served::at_speed(SPEED);
    register(&served, &["v3", "v4"]);
    let first = UnderWay::past(&served, "CreateEnvironment");
    let mut sleeps = Waiter::elsewhere(&served, "v3", SHORT, 1);
    sleeps.signal(Signal::STOP);
    let mut newer = Waiter::elsewhere(&served, "v4", LONG, 1);
    exits(&first.ended(), 0);
    newer.ends(0);
    sleeps.signal(Signal::CONT);
    let told = sleeps.ends(3);
    assert!(told.contains("overtaken while it waited"), "{told}");
    assert!(told.contains("shop-blue runs v4 now"), "{told}");
    assert!(
        told.contains("which came later, has released that"),
        "{told}"
    );
    assert_eq!(blue_runs(&served), "v4");
    assert_eq!(queue(&served).waiting, []);
    nothing_was_lost(&served);
}

/// The same where the sleeper has never seen blue at rest: what blue runs when it wakes is not
/// what blue was being updated to when it came.
#[test]
fn a_waiter_that_came_during_an_update_and_slept_is_overtaken_all_the_same() {
    let served = Served::at_speed(SPEED);
    register(&served, &["v3", "v4"]);
    let blue_is = |status: Status| {
        served.sandbox.with_world(|world, _| {
            let blue = world.environment_mut("shop-blue").expect("blue is there");
            blue.status = status;
        });
    };
    blue_is(Status::Updating);
    let mut sleeps = Waiter::elsewhere(&served, "v3", SHORT, 1);
    sleeps.signal(Signal::STOP);
    blue_is(Status::Ready);
    let mut newer = Waiter::elsewhere(&served, "v4", LONG, 1);
    newer.ends(0);
    sleeps.signal(Signal::CONT);
    let told = sleeps.ends(3);
    assert!(told.contains("shop-blue runs v4 now"), "{told}");
    assert_eq!(blue_runs(&served), "v4");
}

/// What somebody deploys by hand while a release waits is newer than that.
#[test]
fn a_waiter_that_a_hand_has_overtaken_ends_with_3() {
    let served = Served::at_speed(SPEED);
    register(&served, &["v3", "v4"]);
    let first = UnderWay::past(&served, "CreateEnvironment");
    let mut waits = Waiter::elsewhere(&served, "v3", LONG, 1);
    // It looks only once this is over.
    waits.signal(Signal::STOP);
    exits(&first.ended(), 0);
    by_hand(
        &served,
        "Action=UpdateEnvironment&EnvironmentName=shop-blue&VersionLabel=v4",
    );
    until("it is deployed", || blue_runs(&served) == "v4");
    waits.signal(Signal::CONT);
    let told = waits.ends(3);
    assert!(told.contains("shop-blue runs v4 now, and ran v1"), "{told}");
    assert!(told.contains("no release that came before"), "{told}");
}

#[test]
fn whoever_does_not_wait_goes_behind_those_who_do() {
    let served = Served::at_speed(SPEED);
    register(&served, &["v3", "v4"]);
    let first = UnderWay::past(&served, "CreateEnvironment");
    let mut waits = Waiter::elsewhere(&served, "v3", LONG, 1);
    waits.signal(Signal::STOP);
    exits(&first.ended(), 0);
    let elsewhere = Elsewhere::of(&served);
    let (_, told) = exits(&elsewhere.run(&["run", "--version-label", "v4"]), 12);
    assert!(told.contains("and goes first"), "{told}");
    assert!(told.contains("--wait 1h waits behind it"), "{told}");
    let (shown, _) = exits(&elsewhere.run(&["plan", "--version-label", "v4"]), 3);
    assert!(shown.contains("and goes first"), "{shown}");
    waits.signal(Signal::CONT);
    waits.ends(0);
    assert_eq!(blue_runs(&served), "v3");
}

/// For its first few looks blue is being updated.
fn blue_is_updating_for_some_looks(served: &Served) {
    let (sandbox, looks) = (served.sandbox.clone(), AtomicUsize::new(0));
    served.sandbox.set_tap(move |call, phase| {
        if call.operation == "DescribeEnvironments" && phase == Phase::Before {
            let number = looks.fetch_add(1, Ordering::SeqCst);
            sandbox.with_world(|world, _| {
                let blue = world.environment_mut("shop-blue").expect("blue is there");
                match number {
                    0..6 => blue.status = Status::Updating,
                    6 => blue.status = Status::Ready,
                    _ => {}
                }
            });
        }
        TapVerdict::Continue
    });
}

#[test]
fn a_waiter_waits_for_a_blue_that_is_updating() {
    let served = Served::at_speed(SPEED);
    blue_is_updating_for_some_looks(&served);
    let (_, told) = exits(&served.run(&["run", "--version-label", "v2"]), 3);
    assert!(told.contains("is Updating"), "{told}");
    blue_is_updating_for_some_looks(&served);
    let (_, told) = exits(&served.run(&run("v2", LONG)), 0);
    assert!(
        told.contains("waiting in the queue: shop-blue is Updating"),
        "{told}"
    );
    assert_eq!(blue_runs(&served), "v2");
}

#[test]
fn a_waiter_behind_what_nobody_runs_names_the_command() {
    let served = Served::at_speed(SPEED);
    register(&served, &["v3"]);
    let id = killed_after(&served, "CreateEnvironment", 1);
    let mut waits = Waiter::elsewhere(&served, "v3", SHORT, 1);
    let resume = format!("no process runs it: `bluegreen resume {id} --state");
    until("it says so", || waits.told().contains(&resume));
    let output: Output = Elsewhere::of(&served).run(&["resume", &id]);
    exits(&output, 0);
    waits.ends(0);
    assert_eq!(blue_runs(&served), "v3");
    nothing_was_lost(&served);
    assert_ne!(begun(&served), "");
}

#[test]
fn a_waiter_behind_a_pause_says_that_it_waits_for_an_operator() {
    let served = Served::at_speed(SPEED);
    register(&served, &["v3"]);
    let release = ["run", "--version-label", "v2", "--pause-before", "cutover"];
    exits(&served.run(&release), 0);
    let id = begun(&served);
    let short = ["run", "--version-label", "v3", "--wait", "1s"];
    let (_, told) = exits(&Elsewhere::of(&served).run(&short), 12);
    let waits = format!("it waits for an operator: `bluegreen resume {id} --state");
    assert!(told.contains(&waits), "{told}");
    assert!(told.contains("Users: v1 on shop-blue-green"), "{told}");
}
