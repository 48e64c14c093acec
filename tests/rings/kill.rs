//! Ring 4: the real binary, SIGKILL at every API call of Elastic Beanstalk and of
//! S3 before and after it takes effect, its disk removed, resumed by a new process
//! elsewhere, with clients watching.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bluegreen_sandbox::{PRODUCTION, Phase, TapVerdict};

use crate::served::{Served, Victim};

/// How many times as fast as the wall's the sandboxes' clocks run.
const SPEED: f64 = 300.0;
/// How many processes live and die at a time: they wait more than they work.
const AT_A_TIME: usize = 20;

/// Releases a version; the process that makes call `kill` dies there, and
/// processes are started as an operator would until the release is over. False
/// where the release was over before that call.
fn release(kill: (u64, Phase)) -> bool {
    let served = Served::at_speed(SPEED);
    let bundle = served.folder.path().join("new.zip");
    std::fs::write(&bundle, b"a new version").expect("the bundle is written");
    let victim = Victim::default();
    let killed = Arc::new(AtomicBool::new(false));
    let (killer, kills) = (victim.clone(), killed.clone());
    served.sandbox.set_tap(move |call, phase| {
        if kill == (call.number, phase) {
            kills.store(true, Ordering::SeqCst);
            killer.kill();
            return TapVerdict::HangUp;
        }
        TapVerdict::Continue
    });
    let run = ["run", "--bundle", "new.zip", "--version-label", "new"];
    let ended = victim.run(&mut served.bluegreen(&run)).code();
    let killed = killed.load(Ordering::SeqCst);
    // The last renewal of a lease may be on its way from a process that is over.
    assert!(killed || ended == Some(0), "{kill:?}: {ended:?}");
    if ended != Some(0) {
        assert_eq!(ended, None, "{kill:?}");
        std::fs::remove_file(served.journal()).ok();
        match begun(&served) {
            Some(id) => elsewhere(&served, kill, &["resume", &id]),
            // Killed before anything was begun; the lease may be held all the same.
            None => elsewhere(&served, kill, &[&run[..], &["--wait", "1h"]].concat()),
        };
    }
    check_all_is_well(&served, kill);
    killed
}

/// The deployment in the bucket.
fn begun(served: &Served) -> Option<String> {
    let objects = served.sandbox.report().leftovers.objects;
    objects.iter().find_map(|key| {
        let (_, name) = key.split_once("/bluegreen/deployments/")?;
        Some(name.strip_suffix(".json")?.to_owned())
    })
}

/// The binary completes with an empty disk.
fn elsewhere(served: &Served, kill: (u64, Phase), arguments: &[&str]) {
    let disk = tempfile::tempdir().expect("a temporary folder");
    let mut command = served.bluegreen(arguments);
    command.env("BLUEGREEN_STATE", disk.path().join("journal.db"));
    let ended = command.output().expect("the binary runs");
    let told = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{kill:?}: {told}");
}

fn check_all_is_well(served: &Served, kill: (u64, Phase)) {
    let report = served.sandbox.report();
    assert_eq!(report.lost, 0, "{kill:?}: {:?}", report.losses);
    assert_eq!(report.interruptions, [], "{kill:?}");
    assert!(
        report.peaks.tagged_environments <= 1,
        "{kill:?}: two greens"
    );
    assert_eq!(report.leftovers.environments, [""; 0], "{kill:?}");
    assert_eq!(report.leftovers.templates, [""; 0], "{kill:?}");
    assert_eq!(report.leftovers.unfinished_uploads, [""; 0], "{kill:?}");
    served.sandbox.with_world(|world, _| {
        let blue = world.environment("shop-blue").expect("blue is there");
        assert_eq!(blue.cname.as_deref(), Some(PRODUCTION), "{kill:?}");
        assert_eq!(blue.version_label, "new", "{kill:?}");
    });
}

#[test]
fn the_binary_survives_sigkill_at_every_call() {
    // Each release is killed one call later than the one before, until there is
    // no such call any more.
    let next = AtomicU64::new(0);
    let over = AtomicBool::new(false);
    let killed = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    let phase = [Phase::Before, Phase::After][(number % 2) as usize];
                    if release((number / 2 + 1, phase)) {
                        killed.fetch_add(1, Ordering::SeqCst);
                    } else {
                        over.store(true, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    let killed = killed.load(Ordering::SeqCst);
    assert!(killed > 80, "only {killed} calls: is the release whole?");
    println!("{killed} processes killed and resumed");
}
