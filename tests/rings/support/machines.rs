//! Several machines with the same bucket: processes that are killed, and others that go on.

use std::process::{Child, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bluegreen_sandbox::{Phase, TapVerdict};
use bytes::Bytes;

use crate::support::served::{Patience, Served, Victim, approver};

/// Another machine: an empty disk, the same bucket.
pub struct Elsewhere<'a> {
    served: &'a Served,
    pub disk: tempfile::TempDir,
}

impl<'a> Elsewhere<'a> {
    pub fn of(served: &'a Served) -> Elsewhere<'a> {
        Elsewhere {
            served,
            disk: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    pub fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = self.served.bluegreen(arguments);
        command.env("BLUEGREEN_STATE", self.disk.path().join("journal.db"));
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary runs")
    }
}

#[track_caller]
pub fn exits(output: &Output, code: i32) -> (String, String) {
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (told(&output.stdout), told(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{stdout}\n{stderr}");
    (stdout, stderr)
}

/// The objects below `bluegreen/` that are the journal's.
pub fn objects(served: &Served) -> Vec<String> {
    let mut objects = served.sandbox.report().leftovers.objects;
    objects.retain(|key| key.contains("/deployments/") || key.contains("/leases/"));
    objects
}

pub fn begun(served: &Served) -> String {
    let objects = objects(served);
    let key = objects.iter().find(|key| key.contains("/deployments/"));
    let name = key
        .and_then(|key| key.rsplit('/').next())
        .expect("a deployment");
    name.trim_end_matches(".json").to_owned()
}

/// Everything below `bluegreen/` is removed from the bucket.
pub fn empty_the_bucket(served: &Served) {
    for key in objects(served) {
        let request = http::Request::delete(format!("http://localhost/{key}"))
            .header("host", "localhost")
            .body(Bytes::new())
            .expect("a request");
        assert!(served.by_hand(request).status().is_success(), "{key}");
    }
    assert_eq!(objects(served), [""; 0]);
}

/// A release of v2 that is killed after the `times`-th call of an operation is applied;
/// its disk is gone.
pub fn killed_after(served: &Served, operation: &'static str, times: u64) -> String {
    let release = ["run", "--version-label", "v2"];
    run_killed_after(served, &release, operation, times)
}

/// A release that dies once its nth request of this operation is applied, and its disk with it.
pub fn run_killed_after(
    served: &Served,
    release: &[&str],
    operation: &'static str,
    times: u64,
) -> String {
    let id = killed_with_its_disk_kept(served, release, operation, times);
    std::fs::remove_file(served.journal()).expect("there was a journal");
    id
}

/// The same, whose journal stays.
pub fn killed_with_its_disk_kept(
    served: &Served,
    release: &[&str],
    operation: &'static str,
    times: u64,
) -> String {
    let victim = Victim::default();
    let killer = victim.clone();
    let count = std::sync::atomic::AtomicU64::new(0);
    served.sandbox.set_tap(move |call, phase| {
        let strikes = phase == Phase::After
            && call.operation == operation
            && count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1 == times;
        if strikes {
            killer.kill();
            return TapVerdict::HangUp;
        }
        TapVerdict::Continue
    });
    let ended = victim.run(&mut served.bluegreen(release));
    assert_eq!(ended.code(), None, "it was killed");
    begun(served)
}

#[track_caller]
pub fn all_is_well(served: &Served, version: &str) {
    all_is_well_after(1, served, version);
}

/// The same after so many releases, each of which has made one green.
#[track_caller]
pub fn all_is_well_after(releases: usize, served: &Served, version: &str) {
    let report = served.sandbox.report();
    assert_eq!(report.lost, 0, "{:?}", report.losses);
    assert_eq!(report.interruptions, []);
    assert_eq!(report.created.len(), releases, "{:?}", report.created);
    assert_eq!(report.leftovers.environments, [""; 0]);
    assert_eq!(report.leftovers.templates, [""; 0]);
    served.sandbox.with_world(|world, _| {
        let blue = world.environment("shop-blue").expect("blue is there");
        assert_eq!(blue.version_label, version);
    });
}

pub fn started(mut command: std::process::Command) -> Child {
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts")
}

/// A release of v2 that is under way, and does not cut over before it may.
pub struct UnderWay {
    pub process: Child,
    may_go_on: Arc<AtomicBool>,
}

impl UnderWay {
    /// Started, and past its first call of `operation`.
    pub fn past(served: &Served, operation: &str) -> UnderWay {
        let may_go_on = Arc::<AtomicBool>::default();
        let may = may_go_on.clone();
        let url = approver(move |_| if may.load(Ordering::SeqCst) { 204 } else { 403 });
        // A holder that has to wait for a processor keeps this lease all the same.
        let mut command = served.bluegreen(&["run", "--version-label", "v2", "--lease", "1h"]);
        command.args(["--pause-before", "cutover", "--approve-url", &url]);
        let mut process = started(command);
        let patience = Patience::new();
        while !served.sandbox.report().calls.contains_key(operation) {
            patience.check(operation);
            let ended = process.try_wait().expect("the child can be waited for");
            assert_eq!(ended, None, "it ended before {operation}");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        UnderWay { process, may_go_on }
    }

    /// How it ends, once it may go on.
    pub fn ended(self) -> Output {
        self.may_go_on.store(true, Ordering::SeqCst);
        self.process.wait_with_output().expect("it ends")
    }
}
