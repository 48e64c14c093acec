//! Ring 4: the real binary, SIGKILL at every API call before and after it takes
//! effect, resumed by a new process, with clients watching.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bluegreen_sandbox::{PRODUCTION, Phase, TapVerdict};

use crate::served::{Served, Victim};

/// How many times as fast as the wall's the sandboxes' clocks run.
const SPEED: f64 = 600.0;
/// How many processes live and die at a time: they wait more than they work.
const AT_A_TIME: usize = 12;

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
            killer.kill();
            kills.store(true, Ordering::SeqCst);
            return TapVerdict::HangUp;
        }
        TapVerdict::Continue
    });
    let run = ["run", "--bundle", "new.zip", "--version-label", "new"];
    let mut last = victim.run(&mut served.bluegreen(&run)).code();
    let killed = killed.load(Ordering::SeqCst);
    assert_eq!(last.is_none(), killed, "{kill:?}: ended with {last:?}");
    if killed {
        last = victim.run(&mut served.bluegreen(&["resume"])).code();
        if last == Some(13) {
            // Killed before anything was begun.
            last = victim.run(&mut served.bluegreen(&run)).code();
        }
    }
    assert_eq!(last, Some(0), "{kill:?}: not completed");
    check_all_is_well(&served, kill);
    killed
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
