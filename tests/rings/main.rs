//! The rings of tests, from the pure machine to the killed process.

use std::io::Write;

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
mod gates;
mod grace;
mod hands;
mod inputs;
mod kill;
mod launches;
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
