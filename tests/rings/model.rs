//! The pure machine, exhaustively explored.

mod driver;
mod events;
mod explore;
mod journal;
mod look;
mod node;
mod outside;
mod properties;
mod service;
mod stage;
mod trace;
mod world;

use bluegreen::machine::{is_safe, step};

use driver::{Config, Model, Staleness};
use explore::{Explored, explore};
use look::Rules;

const RULES: Rules = Rules {
    step,
    is_safe,
    believes_the_deploys_answer: false,
    believes_the_first_look: false,
    gives_up_on_an_unclear_answer: false,
};

fn check(config: Config) -> Explored {
    let start = std::time::Instant::now();
    let explored = explore(&Model::new(config, RULES));
    println!(
        "model, {}: {} nodes, {} edges {:?}",
        config.name,
        explored.nodes,
        explored.edges,
        start.elapsed()
    );
    if let Some(violation) = &explored.violation {
        panic!("{}\n{}", violation.property, violation.trace);
    }
    explored
}

#[test]
fn late() {
    check(Config {
        name: "late",
        pause: true,
        late: true,
        staleness: Staleness::Fresh,
        console: false,
    });
}
#[test]
fn stale() {
    check(Config {
        name: "stale",
        pause: false,
        late: false,
        staleness: Staleness::Window,
        console: false,
    });
}
#[test]
fn both() {
    check(Config {
        name: "both",
        pause: true,
        late: true,
        staleness: Staleness::OneChange,
        console: false,
    });
}
#[test]
fn console() {
    check(Config {
        name: "console",
        pause: true,
        late: false,
        staleness: Staleness::Fresh,
        console: true,
    });
}
