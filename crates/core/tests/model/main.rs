//! The pure machine, exhaustively explored.
//!
//! The machine (`step`, `is_safe`, `obey`) is the real one; around it stand the
//! smallest driver, journal, service and clients that can hurt it. A breadth-first
//! search visits every situation that can follow from the start and checks the
//! [`properties`] in each; then it walks backwards to see that a rest, an end and a
//! good end can be reached from everywhere.
//!
//! # What can happen
//! - The driver dies between any two of its operations.
//! - A request is throttled, refused for good, lost on its way, applied without its answer coming
//!   back, or still on its way when it is given up: then it arrives at any later moment while it is
//!   in doubt.
//! - A poll shows the world as it was earlier, even after a fresher one.
//! - Operations take their time, and fail: a swap, a deploy (also one that misses an instance), a
//!   launch (which the service may roll back by itself), a termination, a version that cannot be
//!   processed. A poll may fail to read what their events report.
//! - A deploy ends, whether its terminal text comes or not, and whatever became of it; its events
//!   keep coming or fall silent. A deploy that takes longer than any runner waits for it counts as
//!   silent.
//! - Health comes and goes: any poll may count an environment that was healthy once since its
//!   launch or deploy as healthy, as not known to be healthy or as unhealthy, so streaks that a
//!   crash loses need no memory here. An environment that was never healthy never counts as
//!   healthy.
//! - The state's timeout may be over, tests may pass or fail, the bake may be over at any poll.
//! - An operator gives any order at any time, any number of times.
//! - A person at the console acts once: swaps the CNAMEs, deploys to blue,
//!   terminates blue or green, or takes green's name.
//! - Blue runs more instances than its group's least, or none of an environment's is healthy, at
//!   any poll; sizes are changed, or cannot be.
//! - A hook fails and holds the deployment at any change of state.
//! - Nobody approves a pause within its limit, at any time.
//! - A runner is stopped between any two of its operations, for any time: its lock runs out,
//!   another takes it, reads the shared record and writes it anew under its own fencing number,
//!   each at any later moment or not at all. Until the record is written anew the first runner
//!   continues and its checkpoints succeed; from then on none does. Requests cease to be in doubt
//!   meanwhile ([`hands`]).
//!
//! # What is bounded, and why
//! - Nothing is counted: the model is finite without bounds on crashes, lost
//!   answers or orders. The corrected version is always the same one.
//! - One request of each kind is on its way at most: the journal never sends a second while the
//!   first is in doubt. A request ceases to be in doubt only when it has arrived or is lost.
//!   Between the intent and the sending it does so only where the lock has run out too: a driver
//!   that slept there must not send.
//! - Requests on their way do not outlive a launch and a termination, which together
//!   take longer than a signature is valid.
//! - Polls are stale for less than the settling time, which is less than a drain, the time in doubt
//!   and a state's timeout; the configuration says how many changes back.
//! - Causes are merged where the machine does not distinguish them ([`stage`]).
//! - With the person at the console there are no late requests and no stale polls, and the last
//!   poll and the request are one: AWS accepts no fencing token, so nothing can protect from an
//!   outside change that comes between. What the person breaks is not the machine's doing; that it
//!   never interrupts or terminates what clients reach holds even then.
//! - Sizes are counted in configurations of their own, and clients that stay where production was
//!   are in configurations of their own. A poll reads their requests from the environment itself,
//!   so no poll is stale in that; nobody can know of clients who come back between the last poll
//!   and a request, or while one is on its way.
//! - A rehearsal deploys to green and to nothing else; of somebody else's deploy onto green
//!   nothing depends, as nobody reaches it.
//! - A second runner comes in a configuration of its own, without a person at the console. Of the
//!   two one is followed whole. Of the one that was overtaken only that it stands before a sending
//!   is kept, because everywhere else it can do no more than poll until it meets a checkpoint or a
//!   sending, which ends it. A third comes once the overtaken one has ended; the rules leave it
//!   nothing else to do.
//! - That the runner's lock is its own and that its request is sent are one moment: whoever is
//!   stopped between the two sends what nothing protects from. So what is checked must be as late
//!   as the request's signature, which ends the request by itself.
//! - Locks are kept truly: whoever takes one has waited for its whole length by a clock that does
//!   not run ahead, and whoever holds it counts from before the renewal was sent, by a clock that
//!   does not stand still. A lock that is taken so early that the runner still sends what it stands
//!   before does no harm either, which is explored; one that is taken from a runner that continues
//!   to poll does.
//! - What leads to the environments beside their CNAMEs comes in configurations of its own: the
//!   rules of a shared load balancer, a kind of each, or one preview hostname. Polls read them
//!   apart from the environments, so that a poll may show them staler or fresher than those;
//!   requests to move them may be late even where others are not, and may take effect for some
//!   rules alone. No poll of the model fails to read them. The model leaves out that the runner
//!   gives up a hostname which Route 53 does not change, once it has waited as long as the state
//!   may last: it reports the hostname, and what then leads astray is known.
//! - SQLite and the bucket are one record. Nothing is done before a checkpoint is in
//!   both, so one that is only in the first passes for one that was not written.
//! - Names are unique at the service, so a second green cannot exist beside the
//!   first; what is checked is that none is left or made after an end.
//!
//! An environment *answers* when it is Ready or being swapped, was healthy since its launch or
//! deploy, and runs one version on all instances. Nothing here or there can distinguish a version
//! that passes its test and is broken all the same from a good one.

mod broken;
mod diagram;
mod driver;
mod events;
mod explore;
mod hands;
mod journal;
mod look;
mod node;
mod outside;
mod properties;
mod service;
mod stage;
mod trace;
mod world;

use std::sync::OnceLock;

use bluegreen_core::machine::{is_safe, step, with_followers};
use bluegreen_core::plan::Strategy;

use driver::{Config, Model, Staleness};
use explore::{Explored, Extent, explore};
use look::{LeaseRule, Rules};
use stage::Follows;

use bluegreen_testing::sample::is_full;

/// The rules as they are.
const RULES: Rules = Rules {
    step,
    with_followers,
    is_safe,
    believes_the_deploys_answer: false,
    believes_the_first_look: false,
    believes_the_swap_before: false,
    believes_a_green_that_goes: false,
    gives_up_on_an_unclear_answer: false,
    sends_before_its_intent: false,
    lease: LeaseRule::Kept,
};

const LATE: Config = Config {
    name: "late requests",
    strategy: Strategy::Restore,
    pause: true,
    late: true,
    staleness: Staleness::Fresh,
    console: false,
    two_hands: false,
    resizes: false,
    stubborn: false,
    follows: Follows::Nothing,
};

const STALE: Config = Config {
    name: "stale looks",
    strategy: Strategy::Restore,
    pause: false,
    late: false,
    staleness: Staleness::Window,
    console: false,
    two_hands: false,
    resizes: false,
    stubborn: false,
    follows: Follows::Nothing,
};

const LATE_AND_STALE: Config = Config {
    name: "late requests and stale looks",
    strategy: Strategy::Restore,
    pause: true,
    late: true,
    staleness: Staleness::OneChange,
    console: false,
    two_hands: false,
    resizes: false,
    stubborn: false,
    follows: Follows::Nothing,
};

const CONSOLE: Config = Config {
    name: "a person at the console",
    strategy: Strategy::Restore,
    pause: true,
    late: false,
    staleness: Staleness::Fresh,
    console: true,
    two_hands: false,
    resizes: false,
    stubborn: false,
    follows: Follows::Nothing,
};

const TWO_HANDS: Config = Config {
    name: "two hands",
    strategy: Strategy::Restore,
    pause: true,
    late: true,
    staleness: Staleness::Fresh,
    console: false,
    two_hands: true,
    resizes: false,
    stubborn: false,
    follows: Follows::Nothing,
};

/// A configuration that one exploration covers for all tests that need it.
struct Run {
    config: Config,
    /// So that the model cannot shrink to nothing unnoticed.
    nodes_min: usize,
    explored: OnceLock<Explored>,
}

const PROMOTE_LATE_AND_STALE: Config = Config {
    name: "promote: late requests and stale looks",
    strategy: Strategy::Promote,
    staleness: Staleness::Window,
    ..LATE_AND_STALE
};

const PROMOTE_CONSOLE: Config = Config {
    name: "promote: a person at the console",
    strategy: Strategy::Promote,
    ..CONSOLE
};

const PROMOTE_TWO_HANDS: Config = Config {
    name: "promote: two hands",
    strategy: Strategy::Promote,
    ..TWO_HANDS
};

const SIZES: Config = Config {
    name: "sizes, late requests",
    pause: false,
    resizes: true,
    ..LATE
};

const PROMOTE_SIZES: Config = Config {
    name: "promote: sizes, two hands",
    resizes: true,
    ..PROMOTE_TWO_HANDS
};

const REHEARSE: Config = Config {
    name: "rehearse: late requests and stale looks",
    strategy: Strategy::Rehearse,
    pause: false,
    resizes: true,
    ..LATE_AND_STALE
};

const REHEARSE_CONSOLE: Config = Config {
    name: "rehearse: a person at the console",
    strategy: Strategy::Rehearse,
    pause: false,
    ..CONSOLE
};

const REHEARSE_TWO_HANDS: Config = Config {
    name: "rehearse: two hands",
    strategy: Strategy::Rehearse,
    pause: false,
    ..TWO_HANDS
};

const STUBBORN: Config = Config {
    name: "traffic that stays, late requests and stale looks",
    staleness: Staleness::OneChange,
    pause: false,
    stubborn: true,
    ..LATE
};

const PROMOTE_STUBBORN: Config = Config {
    name: "promote: traffic that stays, late requests and stale looks",
    strategy: Strategy::Promote,
    ..STUBBORN
};

const FOLLOWING_RULES: Config = Config {
    name: "rules that follow",
    pause: false,
    late: false,
    staleness: Staleness::Followers,
    follows: Follows::Rules,
    ..LATE
};

const PROMOTE_RULES: Config = Config {
    name: "promote: rules that follow, late requests and stale looks",
    pause: false,
    follows: Follows::Rules,
    ..PROMOTE_LATE_AND_STALE
};

const RECORDS: Config = Config {
    name: "a preview hostname",
    follows: Follows::Records,
    ..FOLLOWING_RULES
};

const PROMOTE_RECORDS: Config = Config {
    name: "promote: a preview hostname, late requests and stale looks",
    follows: Follows::Records,
    ..PROMOTE_RULES
};

const REHEARSE_RECORDS: Config = Config {
    name: "rehearse: a preview hostname",
    strategy: Strategy::Rehearse,
    ..RECORDS
};

static RUNS: [Run; 20] = [
    Run::new(LATE, 35_000),
    Run::new(STALE, 40_000),
    Run::new(LATE_AND_STALE, 250_000),
    Run::new(CONSOLE, 100_000),
    Run::new(TWO_HANDS, 500_000),
    Run::new(PROMOTE_LATE_AND_STALE, 25_000),
    Run::new(PROMOTE_CONSOLE, 5_000),
    Run::new(PROMOTE_TWO_HANDS, 10_000),
    Run::new(SIZES, 250_000),
    Run::new(PROMOTE_SIZES, 20_000),
    Run::new(REHEARSE, 70_000),
    Run::new(REHEARSE_CONSOLE, 12_000),
    Run::new(REHEARSE_TWO_HANDS, 40_000),
    Run::new(STUBBORN, 100_000),
    Run::new(PROMOTE_STUBBORN, 10_000),
    Run::new(FOLLOWING_RULES, 100_000),
    Run::new(PROMOTE_RULES, 100_000),
    Run::new(RECORDS, 100_000),
    Run::new(PROMOTE_RECORDS, 50_000),
    Run::new(REHEARSE_RECORDS, 10_000),
];

impl Run {
    const fn new(config: Config, nodes_min: usize) -> Run {
        Run {
            config,
            nodes_min,
            explored: OnceLock::new(),
        }
    }
}

/// A quick run explores models of up to so many nodes whole, too.
const SMALL: usize = 40_000;

/// How many nodes of a larger model a quick run follows.
const PART: usize = 20_000;

fn extent(nodes_min: usize) -> Extent {
    match is_full() || nodes_min <= SMALL {
        true => Extent::Whole,
        false => Extent::Part(PART),
    }
}

fn explored(run: &Run) -> &Explored {
    run.explored
        .get_or_init(|| explore(&Model::new(run.config, RULES), extent(run.nodes_min)))
}

#[track_caller]
fn holds(run: &Run) {
    all_hold(run.config.name, explored(run), run.nodes_min);
}

#[track_caller]
fn all_hold(name: &str, explored: &Explored, nodes_min: usize) {
    bluegreen_testing::tell(&format!(
        "model, {name}: {} unique states, {} edges",
        explored.nodes, explored.edges
    ));
    if let Some(violation) = &explored.violation {
        panic!(
            "{name}: broken: {}\n{}",
            violation.property, violation.trace
        );
    }
    let nodes_min = match extent(nodes_min) {
        Extent::Whole => nodes_min,
        Extent::Part(nodes) => nodes,
    };
    assert!(
        explored.nodes >= nodes_min,
        "{name}: only {} nodes",
        explored.nodes
    );
}

#[test]
fn every_property_holds_with_late_requests() {
    holds(&RUNS[0]);
}

#[test]
fn every_property_holds_with_stale_looks() {
    holds(&RUNS[1]);
}

#[test]
fn every_property_holds_with_late_requests_and_stale_looks() {
    holds(&RUNS[2]);
}

#[test]
fn every_property_holds_with_late_requests_and_looks_of_any_staleness() {
    let config = Config {
        name: "late requests and looks of any staleness",
        staleness: Staleness::Window,
        ..LATE_AND_STALE
    };
    holds(&Run::new(config, 1_000_000));
}

#[test]
fn every_property_holds_with_a_person_at_the_console() {
    holds(&RUNS[3]);
}

#[test]
fn every_property_holds_with_two_hands() {
    holds(&RUNS[4]);
}

#[test]
fn every_property_holds_where_green_keeps_production() {
    for run in &RUNS[5..8] {
        holds(run);
    }
}

#[test]
fn every_property_holds_where_sizes_change() {
    for run in &RUNS[8..10] {
        holds(run);
    }
}

#[test]
fn every_property_holds_in_a_rehearsal() {
    for run in &RUNS[10..13] {
        holds(run);
    }
}

/// bluegreen requests nothing that interrupts an environment while a substantial share of the
/// traffic still reaches it, however long that stays.
#[test]
fn every_property_holds_where_traffic_stays() {
    for run in &RUNS[13..15] {
        holds(run);
    }
}

/// No rule leads users to an environment that is deployed to or terminated.
#[test]
fn every_property_holds_where_rules_follow() {
    for run in &RUNS[15..17] {
        holds(run);
    }
}

/// No preview hostname leads users to an environment that is deployed to or terminated, and all are
/// as they were before at the end.
#[test]
fn every_property_holds_where_preview_hostnames_follow() {
    for run in &RUNS[17..] {
        holds(run);
    }
}

/// Clocks that run at different speeds, by less than it takes a runner to poll again, do no harm:
/// the age of an intent and the record's fence hold.
#[test]
fn every_property_holds_where_a_lease_is_taken_a_little_too_early() {
    let rules = Rules {
        lease: LeaseRule::TakenEarly,
        ..RULES
    };
    let explored = explore(&Model::new(TWO_HANDS, rules), extent(500_000));
    all_hold("two hands, leases taken too early", &explored, 500_000);
}

/// Every property also holds where any poll may be stale, and that of the rules by itself.
#[test]
fn every_property_holds_where_rules_follow_and_any_look_is_stale() {
    let config = Config {
        name: "rules that follow, stale looks",
        staleness: Staleness::OneChange,
        ..FOLLOWING_RULES
    };
    holds(&Run::new(config, 800_000));
}

#[test]
#[ignore = "takes minutes: four and a half million nodes"]
fn every_property_holds_with_two_hands_and_stale_looks() {
    let config = Config {
        name: "two hands and stale looks",
        pause: false,
        staleness: Staleness::OneChange,
        ..TWO_HANDS
    };
    holds(&Run::new(config, 4_000_000));
}
