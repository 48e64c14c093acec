//! The rings of tests, from the pure machine to the killed process.

use std::io::Write;
use std::sync::Mutex;

mod acceptance;
mod alarms;
mod architecture;
mod aws_facts;
mod bake;
mod bucket;
mod checks;
mod cli;
mod config;
mod crash;
mod default_test;
mod deploys;
mod doctor;
mod documents;
mod everything;
mod faults;
mod following;
mod following_rules;
mod forged;
mod gates;
mod grace;
mod hands;
mod inputs;
mod kill;
mod launches;
mod listing;
mod model;
mod plan;
mod policy;
mod queue;
mod race;
mod reasons;
mod rules;
mod served;
mod services;
mod settings;
mod shared;
mod signals;
mod staying;
mod steady_health;
mod storage;
mod storm;
mod takeover;
mod verdicts;
mod virtual_world;

/// Says something that is seen of a test that passes, too: only what the printing macros
/// write is kept back.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Works on every one of these, on so many threads at a time.
fn in_parallel<T>(
    threads: usize,
    all: impl IntoIterator<Item = T, IntoIter: Send>,
    work: impl Fn(T) + Sync,
) {
    let all = Mutex::new(all.into_iter());
    let next = || all.lock().expect("no panic holds it").next();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(one) = next() {
                    work(one);
                }
            });
        }
    });
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
