//! Ring 4: the real binary, SIGKILL at every API call of Elastic Beanstalk and of
//! S3, before and after it takes effect where it has one, its disk removed, resumed by a new
//! process elsewhere, with clients watching. A promotion dies at every call that changes
//! anything and at a part of the others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bluegreen::plan::Strategy;
use bluegreen_sandbox::{PRODUCTION, Phase, TapVerdict};

use crate::support::parallel::{cores, in_parallel};
use crate::support::policies;
use crate::support::served::{Served, Victim};
use crate::support::virtual_world::{only_reads, phases_of};
use bluegreen_testing::sample::{is_full, random, sampled};
use bluegreen_testing::tell;

/// How many times as fast as the wall's the sandboxes' clocks run. At a fast clock a
/// busy machine polls less often, and a late read is never made: such a one is tried
/// again at the next.
const SPEEDS: [f64; 4] = [200.0, 100.0, 50.0, 25.0];
/// How many processes live and die at a time for each of the machine's cores: they wait more
/// than they work.
const AT_A_TIME: usize = 6;
/// Of the reads of a promotion, one in so many is struck.
const STRIDE: usize = 6;
/// How many operations that only read are struck where not all are.
const READS: usize = 6;

/// Where a process is to die: the operation, which of its calls, and when.
type Kill = (String, u64, Phase);

/// Every release changes these, and makes no other change that is not one of a size.
const CHANGES: [&str; 6] = [
    "CreateApplicationVersion",
    "CreateConfigurationTemplate",
    "CreateEnvironment",
    "DeleteConfigurationTemplate",
    "SwapEnvironmentCNAMEs",
    "TerminateEnvironment",
];

/// With these every release reads and writes the bucket.
const IN_THE_BUCKET: [&str; 2] = ["GetObject", "PutObject"];

/// Releases a version; the process that makes call `kill` dies there, and
/// processes are started as an operator would until the release is over. Tells the calls
/// by operation, and whether a process died.
fn release(speed: f64, strategy: Strategy, kill: Option<&Kill>) -> (BTreeMap<String, u64>, bool) {
    let served = Served::at_speed(speed);
    if strategy == Strategy::Promote {
        served.sandbox.set_policy(Some(policies::promoting()));
    }
    let bundle = served.folder.path().join("new.zip");
    std::fs::write(&bundle, crate::support::served::bundle(b"a new version"))
        .expect("the bundle is written");
    let victim = Victim::default();
    let calls = Arc::<Mutex<BTreeMap<String, u64>>>::default();
    let (killer, counted, at) = (victim.clone(), calls.clone(), kill.cloned());
    served.sandbox.set_tap(move |call, phase| {
        let mut counted = counted.lock().expect("no panic holds it");
        let count = counted.entry(call.operation.clone()).or_default();
        if phase == Phase::Before {
            *count += 1;
        }
        let strikes = at.as_ref().is_some_and(|(operation, nth, when)| {
            (operation, nth, when) == (&call.operation, count, &phase)
        });
        if !strikes {
            return TapVerdict::Continue;
        }
        // It dies once: whoever goes on makes calls of the same number.
        *count += 1_000_000;
        drop(counted);
        killer.kill();
        TapVerdict::HangUp
    });
    let run = ["run", "--bundle", "new.zip", "--version-label", "new"];
    let strategy_named = strategy.to_string();
    let run = [&run[..], &["--strategy", &strategy_named]].concat();
    let ended = victim.run(&mut served.bluegreen(&run)).code();
    let counted = calls.lock().expect("no panic holds it").clone();
    let killed = counted.values().any(|count| *count >= 1_000_000);
    // The last renewal of a lease may be on its way from a process that is over.
    assert!(
        killed || ended == Some(0) || is_starved(ended),
        "{kill:?}: {ended:?}"
    );
    if ended != Some(0) {
        assert!(ended.is_none() || is_starved(ended), "{kill:?}: {ended:?}");
        std::fs::remove_file(served.journal()).ok();
        match begun(&served) {
            Some(id) => elsewhere(&served, kill, &["resume", &id]),
            // Killed before anything was begun; the lease may be held all the same.
            None => elsewhere(&served, kill, &[&run[..], &["--wait", "1h"]].concat()),
        };
    }
    check_all_is_well(&served, strategy, kill);
    (counted, killed)
}

/// The deployment in the bucket.
fn begun(served: &Served) -> Option<String> {
    let objects = served.sandbox.report().leftovers.objects;
    objects.iter().find_map(|key| {
        let (_, name) = key.split_once("/bluegreen/deployments/")?;
        Some(name.strip_suffix(".json")?.to_owned())
    })
}

/// Whether a process stopped because it was not heard of for as long as its lease: less than half
/// a second of the wall's, which a busy machine lets pass. It is resumed as one that was killed.
fn is_starved(ended: Option<i32>) -> bool {
    ended == Some(75)
}

/// The binary completes with an empty disk.
fn elsewhere(served: &Served, kill: Option<&Kill>, arguments: &[&str]) {
    let disk = tempfile::tempdir().expect("a temporary folder");
    for _ in 0..3 {
        let mut command = served.bluegreen(arguments);
        command.env("BLUEGREEN_STATE", disk.path().join("journal.db"));
        let ended = command.output().expect("the binary runs");
        if is_starved(ended.status.code()) {
            continue;
        }
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(0), "{kill:?}: {told}");
        return;
    }
    panic!("{kill:?}: it is starved each time");
}

fn check_all_is_well(served: &Served, strategy: Strategy, kill: Option<&Kill>) {
    let report = served.sandbox.report();
    assert_eq!(report.lost, 0, "{kill:?}: {:?}", report.losses);
    assert_eq!(report.interruptions, [], "{kill:?}");
    assert_eq!(report.created.len(), 1, "{kill:?}: {:?}", report.created);
    let stays = match strategy {
        Strategy::Restore | Strategy::Rehearse => "shop-blue",
        Strategy::Promote => "shop-blue-green",
    };
    let left = &report.leftovers.environments;
    assert!(left.iter().all(|name| name == stays), "{kill:?}: {left:?}");
    assert_eq!(report.leftovers.templates, [""; 0], "{kill:?}");
    assert_eq!(report.leftovers.unfinished_uploads, [""; 0], "{kill:?}");
    served.sandbox.with_world(|world, _| {
        let holder = world.cname_holder(PRODUCTION).expect("it is there");
        assert_eq!(holder.name, stays, "{kill:?}");
        assert_eq!(holder.version_label, "new", "{kill:?}");
        let there = world.environments().count();
        assert_eq!(there, 2, "{kill:?}: it and the worker");
    });
}

/// Kills a release at these calls, each before it takes effect and after, several at a
/// time; gives where processes died.
fn kill_at(strategy: Strategy, calls: &[(String, u64)]) -> BTreeSet<(String, bool)> {
    let kills: Vec<Kill> = calls
        .iter()
        .flat_map(|(operation, nth)| {
            let phases = phases_of(operation).iter();
            phases.map(|phase| (operation.clone(), *nth, *phase))
        })
        .collect();
    let kills = match is_full() {
        true => kills,
        false => a_part(kills),
    };
    let died = Mutex::new(BTreeSet::new());
    let deaths = AtomicUsize::new(0);
    in_parallel(AT_A_TIME * cores(), &kills, |kill| {
        let dies = |speed| release(speed, strategy, Some(kill)).1;
        if SPEEDS.into_iter().any(dies) {
            deaths.fetch_add(1, Ordering::SeqCst);
            let place = (kill.0.clone(), kill.2 == Phase::Before);
            died.lock().expect("no panic holds it").insert(place);
        }
    });
    let deaths = deaths.into_inner();
    tell(&format!(
        "{strategy}: {deaths} of {} processes killed and resumed",
        kills.len()
    ));
    // Even so, no two releases make the very same reads.
    assert!(deaths * 10 > kills.len() * 9, "only {deaths} deaths");
    died.into_inner().expect("no panic holds it")
}

/// Where not all are to be tried: one call of each operation that changes anything, before it
/// takes effect or after, and one of some that only read. Each is one of the first half of them,
/// which every release makes, however many reads it takes.
fn a_part(mut kills: Vec<Kill>) -> Vec<Kill> {
    let mut counts = BTreeMap::new();
    for (operation, nth, _) in &kills {
        let count = counts.entry(operation.clone()).or_insert(*nth);
        *count = (*count).max(*nth);
    }
    kills.retain(|(operation, nth, _)| nth * 2 <= counts[operation] + 1);
    random().shuffle(&mut kills);
    let mut struck = BTreeSet::new();
    kills.retain(|(operation, ..)| struck.insert(operation.clone()));
    let (reads, mut part): (Vec<Kill>, Vec<Kill>) =
        kills.into_iter().partition(|(operation, ..)| {
            only_reads(operation) && !IN_THE_BUCKET.contains(&operation.as_str())
        });
    part.extend(sampled("operations that only read", reads, READS));
    part
}

/// Every operation of a release that matters was struck, before and after; either will do where
/// not all are tried.
#[track_caller]
fn check_died(died: &BTreeSet<(String, bool)>, changes: &[&str]) {
    for operation in changes.iter().chain(&IN_THE_BUCKET) {
        let is_struck = |phase: &Phase| {
            let place = ((*operation).to_owned(), *phase == Phase::Before);
            died.contains(&place)
        };
        let mut phases = phases_of(operation).iter();
        let are_struck = match is_full() {
            true => phases.all(is_struck),
            false => phases.any(is_struck),
        };
        assert!(are_struck, "nobody died at {operation}: {died:?}");
    }
}

#[test]
fn the_binary_survives_sigkill_at_every_call() {
    let (calls, _) = release(SPEEDS[0], Strategy::Restore, None);
    let calls = calls
        .iter()
        .flat_map(|(operation, count)| (1..=*count).map(|nth| (operation.clone(), nth)));
    let calls: Vec<_> = calls.collect();
    assert!(calls.len() > 80, "only {} calls", calls.len());
    let died = kill_at(Strategy::Restore, &calls);
    check_died(&died, &[&CHANGES[..], &["UpdateEnvironment"]].concat());
}

#[test]
fn a_promotion_survives_sigkill() {
    let (calls, _) = release(SPEEDS[0], Strategy::Promote, None);
    let calls = calls.iter().flat_map(|(operation, count)| {
        let step = if only_reads(operation) || operation == "PutObject" {
            STRIDE
        } else {
            1
        };
        let nths = (1..=*count).step_by(step);
        nths.map(|nth| (operation.clone(), nth))
    });
    let died = kill_at(Strategy::Promote, &calls.collect::<Vec<_>>());
    check_died(&died, &CHANGES);
}
