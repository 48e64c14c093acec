//! Ring 2 with everything on: hooks, pauses that are approved, an alarm, preview hostnames,
//! the rules of a shared load balancer, green tested too, a test command and several tests.

use std::collections::BTreeSet;

use bluegreen::machine::Kind;
use bluegreen::plan::Strategy;
use bluegreen::preflight::Wanted;
use bluegreen_sandbox::Phase;

use crate::support::shared_balancer;
use crate::support::virtual_world::{Features, Kill, VirtualWorld, only_reads, phases_of, v2};
use bluegreen_testing::sample::sampled;
use bluegreen_testing::tell;

/// Of the checkpoints in the bucket, one in so many is struck.
const STRIDE: usize = 6;

/// Plays a release; the process dies at this call, its disk with it or not, and another
/// goes on elsewhere. Gives the calls by number and operation, and the hooks that ran.
async fn play(
    strategy: Strategy,
    kill: Option<Kill>,
    keeps_its_disk: bool,
) -> (Vec<(u64, String)>, Vec<String>) {
    let mut world = VirtualWorld::new().await;
    let wanted = Wanted { strategy, ..v2() };
    let wanted = world.ask_for(Features::EVERYTHING, wanted);
    let begun = world.begin(wanted).await.expect("preflight passes");
    let mut deployment = begun.clone();
    let calls = world.kill_at(kill);
    loop {
        match world.drive(&mut deployment).await {
            None if !keeps_its_disk => {
                world.lose_the_disk();
                let there = world.shared().deployment(&begun.plan.id).await;
                if there.expect("the bucket reads").is_none() {
                    // Lost before it had done anything: another run begins it anew.
                    world.store().create(&begun).expect("it is written");
                }
            }
            None => {}
            Some(driven) => {
                driven.unwrap_or_else(|e| panic!("{strategy} with {kill:?}: {e}"));
                break;
            }
        }
    }
    println!("{strategy} with {kill:?}, its disk kept: {keeps_its_disk}");
    assert_eq!(world.deaths(), u64::from(kill.is_some()));
    assert_eq!(deployment.state.kind(), Kind::Completed);
    let stays = match strategy {
        Strategy::Restore | Strategy::Rehearse => "shop-blue",
        Strategy::Promote => "shop-blue-green",
    };
    match strategy {
        Strategy::Restore => world.check_all_is_well("v2"),
        Strategy::Promote => world.check_green_is_promoted("v2"),
        Strategy::Rehearse => world.check_all_is_well("v1"),
    }
    shared_balancer::check_rules(&world, stays);
    assert_eq!(world.sandbox.report().leftovers.records, [""; 0]);
    let calls = calls.lock().expect("no panic holds it");
    (calls.clone(), world.desk.hooks())
}

/// The release dies at the first call of each operation, at every call that changes anything
/// at AWS, and at one in [`STRIDE`] of the checkpoints: a sweep of all calls takes minutes.
/// Each time it dies before the call, and after it where it changes anything; its disk is kept
/// and lost at each change,
/// and by turns elsewhere.
async fn sweep(strategy: Strategy, way: &[Kind]) {
    let (calls, hooks) = play(strategy, None, true).await;
    let entered = hooks.iter().filter_map(|hook| hook.strip_prefix("before "));
    let expected = way.iter().map(ToString::to_string);
    assert_eq!(entered.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    let expected: BTreeSet<_> = hooks.into_iter().collect();
    let mut struck = BTreeSet::new();
    let mut kills = Vec::new();
    for (at, (call, operation)) in calls.iter().enumerate() {
        let passes = match operation.as_str() {
            "PutObject" => at % STRIDE != 0,
            operation => only_reads(operation),
        };
        let is_first = struck.insert(operation);
        if !is_first && passes {
            continue;
        }
        for &phase in phases_of(operation) {
            let keeps_first = (at % 2 == 0) == (phase == Phase::Before);
            let disks = [keeps_first, !keeps_first];
            // By turns where a call changes nothing that others see.
            for keeps_its_disk in disks.into_iter().take(if passes { 1 } else { 2 }) {
                kills.push((Kill { call: *call, phase }, keeps_its_disk));
            }
        }
    }
    let kills = sampled(&format!("crashes of everything with {strategy}"), kills, 3);
    for (kill, keeps_its_disk) in &kills {
        let (_, hooks) = play(strategy, Some(*kill), *keeps_its_disk).await;
        // A hook may run again; none is left out.
        let ran: BTreeSet<_> = hooks.into_iter().collect();
        assert_eq!(ran, expected, "{kill:?}");
    }
    tell(&format!(
        "{} crashes of {} calls of everything with {strategy} resumed, at {struck:?}",
        kills.len(),
        calls.len()
    ));
}

#[tokio::test(start_paused = true)]
async fn a_release_with_everything_on_survives_its_crashes() {
    let way = [
        Kind::Preparing,
        Kind::Cloning,
        Kind::Warming,
        Kind::AwaitingSwap,
        // Approved, it looks anew whether green can be trusted.
        Kind::Warming,
        Kind::SwappingToGreen,
        Kind::DrainingBlue,
        Kind::Deploying,
        Kind::Testing,
        Kind::AwaitingCutover,
        Kind::Testing,
        Kind::SwappingToBlue,
        Kind::Baking,
        Kind::TerminatingGreen,
        Kind::Completed,
    ];
    sweep(Strategy::Restore, &way).await;
}

#[tokio::test(start_paused = true)]
async fn a_promotion_with_everything_on_survives_its_crashes() {
    let way = [
        Kind::Preparing,
        Kind::Cloning,
        Kind::Warming,
        Kind::AwaitingSwap,
        Kind::Warming,
        Kind::SwappingToGreen,
        Kind::Baking,
        Kind::TerminatingBlue,
        Kind::Completed,
    ];
    sweep(Strategy::Promote, &way).await;
}
