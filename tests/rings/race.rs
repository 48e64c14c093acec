//! Ring 4, two hands: real processes race for one target, are killed, and are stopped
//! for longer than their lease and woken again. Whatever happens, production moves to
//! green once and back once, and one green ever exists.
//!
//! `BLUEGREEN_RACES=2000 cargo test --test rings race -- --nocapture` runs more rounds.

use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bluegreen_sandbox::{Call, Phase, Service, TapVerdict};
use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::parallel::in_parallel;
use crate::support::served::{Patience, Served};
use bluegreen_testing::sample::{is_full, sampled};
use bluegreen_testing::tell;

const SPEED: f64 = 200.0;
const ROUNDS: u64 = 240;
/// How many rounds go on at a time: the processes wait more than they work.
const AT_A_TIME: usize = 14;

/// A process on a machine of its own.
struct Runner {
    child: Child,
    /// Removed with the last process on it.
    _disk: Arc<tempfile::TempDir>,
}

impl Runner {
    fn start(served: &Served, arguments: &[&str]) -> Runner {
        Runner::start_on(&empty_disk(), served, arguments)
    }

    fn start_on(disk: &Arc<tempfile::TempDir>, served: &Served, arguments: &[&str]) -> Runner {
        let mut command: Command = served.bluegreen(arguments);
        command
            .env("BLUEGREEN_STATE", disk.path().join("journal.db"))
            // As short as is taken: less than half a second of the wall's.
            .env("BLUEGREEN_LEASE", "90s")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Runner {
            child: command.spawn().expect("the binary starts"),
            _disk: Arc::clone(disk),
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// With what a process signs against a sandbox.
    fn access_key(&self) -> String {
        format!("AKIASANDBOX{}", self.child.id())
    }

    fn ends(self) -> (Option<i32>, String) {
        let output: Output = self.child.wait_with_output().expect("it ends");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), told)
    }
}

fn empty_disk() -> Arc<tempfile::TempDir> {
    Arc::new(tempfile::tempdir().expect("a temporary folder"))
}

/// A signal that comes to a process in the middle of its work, and every call that comes to
/// the sandbox.
struct Strike {
    victim: Arc<Mutex<Option<Pid>>>,
    calls: Arc<Mutex<Vec<Call>>>,
}

/// When a process is struck.
#[derive(Clone, Copy, Debug)]
enum Blow {
    /// A little after the call with this number.
    After(u64, Duration),
    /// While it waits for the answer to a checkpoint in the bucket, the first one from the
    /// call with this number on: it has looked, and sends next what it then wrote down.
    AtACheckpoint(u64),
}

impl Strike {
    fn of(served: &Served, blow: Blow, signal: Signal) -> Strike {
        let strike = Strike {
            victim: Arc::default(),
            calls: Arc::default(),
        };
        let (named, calls) = (strike.victim.clone(), strike.calls.clone());
        let struck = std::sync::atomic::AtomicBool::new(false);
        served.sandbox.set_tap(move |told, phase| {
            if phase == Phase::Before {
                let mut calls = calls.lock().expect("no panic holds it");
                calls.push(told.clone());
                return TapVerdict::Continue;
            }
            let (is_due, later) = match blow {
                Blow::After(number, later) => (told.number >= number, later),
                Blow::AtACheckpoint(number) => {
                    (told.number >= number && is_checkpoint(told), Duration::ZERO)
                }
            };
            if is_due && !struck.swap(true, Ordering::SeqCst) {
                let named = named.clone();
                let blow_falls = move || {
                    std::thread::sleep(later);
                    if let Some(pid) = *named.lock().expect("no panic holds it") {
                        let _ = kill_process(pid, signal);
                    }
                };
                match blow {
                    Blow::After(..) => drop(std::thread::spawn(blow_falls)),
                    Blow::AtACheckpoint(_) => blow_falls(),
                }
            }
            TapVerdict::Continue
        });
        strike
    }

    fn names(&self, victim: &Runner) {
        *self.victim.lock().expect("no panic holds it") = Some(victim.pid());
    }

    /// What the first asked of Elastic Beanstalk once the second had taken over, which it
    /// does by writing the deployment anew.
    fn asked_by_the_overtaken(&self, first: &str, second: &str) -> Vec<String> {
        let calls = self.calls.lock().expect("no panic holds it");
        let takes_over = |call: &Call| call.origin.access_key == second && is_checkpoint(call);
        let from = calls.iter().position(takes_over).expect("it took over");
        let asked = calls[from..].iter().filter(|call| {
            call.origin.access_key == first && call.service == Service::ElasticBeanstalk
        });
        asked.map(|call| call.operation.clone()).collect()
    }
}

fn is_checkpoint(call: &Call) -> bool {
    call.operation == "PutObject" && call.origin.path.contains("/bluegreen/deployments/")
}

fn is_effect(operation: &&String) -> bool {
    !operation.starts_with("Describe") && !operation.starts_with("List")
}

/// The deployments in the bucket.
fn begun(served: &Served) -> Vec<String> {
    let objects = served.sandbox.report().leftovers.objects;
    let ids = objects.iter().filter_map(|key| {
        let (_, name) = key.split_once("/bluegreen/deployments/")?;
        Some(name.strip_suffix(".json")?.to_owned())
    });
    ids.collect()
}

/// How often the CNAMEs of blue were swapped, by its own events.
fn swaps(served: &Served) -> usize {
    let body = "Action=DescribeEvents&Version=2010-12-01&EnvironmentName=shop-blue&MaxRecords=1000";
    let request = http::Request::post("http://localhost/")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(body))
        .expect("a request");
    let answer = served
        .block_on(served.sandbox.handle(request))
        .expect("it answers");
    let answer = String::from_utf8_lossy(answer.body()).into_owned();
    answer.matches("Completed swapping CNAMEs").count()
}

const RUN: [&str; 3] = ["run", "--version-label", "v2"];

/// Two runs at once, on one machine or on two: one is let in, the other is told so.
fn two_runs(served: &Served, rng: &mut fastrand::Rng) {
    let disk = empty_disk();
    let other = if rng.bool() {
        Arc::clone(&disk)
    } else {
        empty_disk()
    };
    let hands = [disk, other].map(|disk| Runner::start_on(&disk, served, &RUN));
    let ends = hands.map(Runner::ends);
    let mut codes = ends
        .each_ref()
        .map(|(code, _)| code.expect("nobody kills it"));
    codes.sort_unstable();
    assert_eq!(codes, [0, 12], "{ends:?}");
}

/// A run is killed, and two others want to go on with it.
fn two_resumes(served: &Served, rng: &mut fastrand::Rng) {
    let later = Duration::from_millis(rng.u64(..20));
    let blow = Blow::After(rng.u64(10..120), later);
    let strike = Strike::of(served, blow, Signal::KILL);
    let first = Runner::start(served, &RUN);
    strike.names(&first);
    let (code, told) = first.ends();
    assert!(matches!(code, None | Some(0)), "{told}");
    let ids = begun(served);
    let Some(id) = ids.first() else {
        return one_more_run(served);
    };
    let resume = ["resume", id];
    let hands = [
        Runner::start(served, &resume),
        Runner::start(served, &resume),
    ];
    let ends = hands.map(Runner::ends);
    let codes = ends
        .each_ref()
        .map(|(code, _)| code.expect("nobody kills it"));
    // Whoever comes when it has ended is told so.
    assert!(codes.contains(&0), "{ends:?}");
    assert!(codes.iter().all(|code| [0, 12].contains(code)), "{ends:?}");
}

/// The holder is stopped for longer than its lease, another takes over, and the
/// first is woken at some moment of the other's work.
fn a_zombie(served: &Served, rng: &mut fastrand::Rng, zombies: &AtomicU64) {
    let at = rng.u64(10..120);
    let blow = if rng.bool() {
        Blow::AtACheckpoint(at)
    } else {
        Blow::After(at, Duration::from_micros(rng.u64(..20_000)))
    };
    let strike = Strike::of(served, blow, Signal::STOP);
    let first = Runner::start(served, &RUN);
    let pid = first.pid();
    strike.names(&first);
    // Until it was stopped, or has ended before that.
    let patience = Patience::new();
    let stopped = loop {
        patience.check("the holder to be stopped");
        let status = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
        let state = status
            .ok()
            .and_then(|s| s.rsplit(')').next()?.trim().chars().next());
        match state {
            Some('T') => break true,
            None | Some('Z') => break false,
            _ => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let ids = begun(served);
    let Some(id) = ids.first().filter(|_| stopped) else {
        let _ = kill_process(pid, Signal::CONT);
        let (code, told) = first.ends();
        assert_eq!(code, Some(0), "{told}");
        return;
    };
    let second = Runner::start(served, &["resume", id]);
    let keys = [first.access_key(), second.access_key()];
    std::thread::sleep(Duration::from_millis(rng.u64(..6_000)));
    let _ = kill_process(pid, Signal::CONT);
    let (first_code, first_told) = first.ends();
    let (second_code, second_told) = second.ends();
    let told = format!("FIRST {first_code:?}\n{first_told}\nSECOND {second_code:?}\n{second_told}");
    match (first_code, second_code) {
        // Woken in time, it kept its lease, or had ended already.
        (Some(0), Some(12 | 0)) => {}
        (Some(12), Some(0)) => {
            assert!(first_told.contains("was taken over"), "{told}");
            assert!(first_told.contains("sends nothing more"), "{told}");
            let asked = strike.asked_by_the_overtaken(&keys[0], &keys[1]);
            // What was on its way already when it was stopped arrives all the same.
            let sent_before = match blow {
                Blow::After(..) => 1,
                Blow::AtACheckpoint(_) => 0,
            };
            let effects: Vec<_> = asked.iter().skip(sent_before).filter(is_effect).collect();
            assert!(effects.is_empty(), "{blow:?}: {asked:?}\n{told}");
            zombies.fetch_add(1, Ordering::SeqCst);
        }
        _ => panic!("{told}"),
    }
}

fn one_more_run(served: &Served) {
    let (code, told) = Runner::start(served, &[&RUN[..], &["--wait", "1h"]].concat()).ends();
    assert_eq!(code, Some(0), "{told}");
}

fn round(number: u64, zombies: &AtomicU64) {
    let mut rng = fastrand::Rng::with_seed(number);
    let served = Served::at_speed(SPEED);
    match number % 4 {
        0 => two_runs(&served, &mut rng),
        1 => two_resumes(&served, &mut rng),
        _ => a_zombie(&served, &mut rng, zombies),
    }
    let report = served.sandbox.report();
    assert_eq!(report.lost, 0, "round {number}: {:?}", report.losses);
    assert_eq!(report.interruptions, [], "round {number}");
    // Every round releases onto blue, and nobody orders it back: one green ever.
    let created = &report.created;
    assert_eq!(created.len(), 1, "round {number}: {created:?}");
    assert_eq!(report.leftovers.environments, [""; 0], "round {number}");
    assert_eq!(report.leftovers.templates, [""; 0], "round {number}");
    assert_eq!(swaps(&served), 2, "round {number}: out and back");
    assert_eq!(begun(&served).len(), 1, "round {number}");
    served.sandbox.with_world(|world, _| {
        let blue = world.environment("shop-blue").expect("blue is there");
        assert_eq!(blue.version_label, "v2", "round {number}");
    });
}

#[test]
fn two_hands_never_move_production_twice() {
    let asked = std::env::var("BLUEGREEN_RACES").ok();
    let rounds: Vec<u64> = match asked.and_then(|n| n.parse().ok()) {
        Some(rounds) => (0..rounds).collect(),
        // One of each kind after the other.
        None => {
            let fours = sampled("fours of rounds", 0..ROUNDS / 4, 3);
            let fours = fours.into_iter();
            fours.flat_map(|four| four * 4..four * 4 + 4).collect()
        }
    };
    let zombies = AtomicU64::new(0);
    in_parallel(AT_A_TIME, &rounds, |number| round(*number, &zombies));
    let rounds = rounds.len() as u64;
    let zombies = zombies.load(Ordering::SeqCst);
    tell(&format!(
        "{rounds} rounds, {zombies} zombies stopped at their next step"
    ));
    assert!(
        zombies >= rounds / 10,
        "only {zombies} zombies: does the race race?"
    );
}

/// How many rounds of the crowd.
const CROWDS: u64 = 48;
/// How many processes of it live at a time.
const CROWD: usize = 5;

/// What operators, jobs and timers may start beside each other.
fn any_command(rng: &mut fastrand::Rng, ids: &[String]) -> Vec<String> {
    let id = match ids.is_empty() {
        true => "01J00000000000000000000000".to_owned(),
        false => ids[rng.usize(..ids.len())].clone(),
    };
    let command: &[&str] = match rng.u8(..10) {
        0..3 => &RUN,
        3 | 4 => &["resume", &id],
        5 => &["resume", "--all"],
        6 => &["abort", &id],
        7 => &["rollback", &id],
        8 => &["status", "--all"],
        _ => &["plan", "--version-label", "v2"],
    };
    command.iter().map(|&word| word.to_owned()).collect()
}

/// A process that nobody stops any more has ended in a way that the contract has.
fn has_ended_well(runner: Runner, command: &[String]) {
    let (code, told) = runner.ends();
    let known = [0, 3, 10, 12, 13, 14, 75];
    let is_known = code.is_none_or(|code| known.contains(&code));
    assert!(is_known, "{command:?}: {code:?}: {told}");
}

/// Five processes at a time run, resume, abort and roll back, from three machines, and are
/// killed, interrupted, and stopped for longer than their leases; then an operator tidies up.
fn crowd(number: u64, greens: &AtomicU64) {
    let mut rng = fastrand::Rng::with_seed(number);
    let served = Served::at_speed(SPEED);
    let disks = [empty_disk(), empty_disk(), empty_disk()];
    let mut alive = Vec::new();
    for _ in 0..16 {
        let any = rng.usize(..alive.len().max(1));
        match rng.u8(..5) {
            0 if !alive.is_empty() => {
                let (runner, command): (Runner, Vec<String>) = alive.swap_remove(any);
                let signal = [Signal::KILL, Signal::TERM][rng.usize(..2)];
                let _ = kill_process(runner.pid(), signal);
                has_ended_well(runner, &command);
            }
            1 if !alive.is_empty() => {
                let pid = alive[any].0.pid();
                let _ = kill_process(pid, Signal::STOP);
                std::thread::sleep(Duration::from_millis(rng.u64(..900)));
                let _ = kill_process(pid, Signal::CONT);
            }
            _ if alive.len() < CROWD => {
                let command = any_command(&mut rng, &begun(&served));
                let words: Vec<_> = command.iter().map(String::as_str).collect();
                let disk = &disks[rng.usize(..disks.len())];
                alive.push((Runner::start_on(disk, &served, &words), command));
            }
            _ => {}
        }
        std::thread::sleep(Duration::from_millis(rng.u64(..250)));
    }
    for (runner, command) in alive {
        has_ended_well(runner, &command);
    }
    tidied_up(&served);
    let report = served.sandbox.report();
    assert_eq!(report.lost, 0, "crowd {number}: {:?}", report.losses);
    assert_eq!(report.interruptions, [], "crowd {number}");
    greens.fetch_add(report.created.len() as u64, Ordering::SeqCst);
    let left = report.leftovers;
    assert_eq!(left.environments, [""; 0], "crowd {number}");
    assert_eq!(left.templates, [""; 0], "crowd {number}");
}

/// Goes on with what is interrupted, and back with what is held, until nothing is in flight.
fn tidied_up(served: &Served) {
    let run = |arguments: &[&str]| Runner::start(served, arguments).ends();
    for _ in 0..8 {
        let (code, told) = run(&["resume", "--all"]);
        let known = [0, 10, 12, 14, 75];
        assert!(
            code.is_some_and(|code| known.contains(&code)),
            "{code:?}: {told}"
        );
        let left = in_flight(served);
        if left.is_empty() {
            return;
        }
        for (id, state) in left {
            if state == "Held" {
                run(&["rollback", &id]);
            }
        }
    }
    panic!("something stays in flight: {:?}", in_flight(served));
}

/// The deployments in flight by their ids, and their states.
fn in_flight(served: &Served) -> Vec<(String, String)> {
    let disk = empty_disk();
    let mut status = served.bluegreen(&["status", "--json"]);
    status.env("BLUEGREEN_STATE", disk.path().join("journal.db"));
    let told = status.output().expect("the binary runs");
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).expect("it is JSON");
    let all = told["deployments"].as_array().expect("a list").iter();
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    all.map(|one| (text(&one["id"]), text(&one["state"])))
        .collect()
}

#[test]
fn a_crowd_of_commands_loses_nothing() {
    let crowds = sampled("crowds", 0..CROWDS, 2);
    let greens = AtomicU64::new(0);
    in_parallel(AT_A_TIME / 2, &crowds, |number| crowd(*number, &greens));
    let (crowds, greens) = (crowds.len() as u64, greens.into_inner());
    tell(&format!("{crowds} crowds made {greens} greens"));
    assert!(!is_full() || greens > crowds / 2, "do the crowds release?");
}
