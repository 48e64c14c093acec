//! Releases into worlds whose durations and orders are drawn: whatever is drawn, no request is lost
//! and nothing is left.

use bluegreen::machine::Kind;
use bluegreen::plan::Strategy;
use bluegreen::preflight::Wanted;
use bluegreen_testing::sample::sampled;

use crate::support::virtual_world::{VirtualWorld, v2};

/// Seeds of worlds that are always released into. By 11 tests took an environment that was healthy,
/// and not Ready yet, for one that a release may begin with.
const KEPT: [u64; 2] = [11, 44];
/// How many other seeds there are to draw from.
const SEEDS: u64 = 300;

#[tokio::test(start_paused = true)]
async fn whatever_is_drawn_no_request_is_lost() {
    let seeds = sampled("worlds", 1000..1000 + SEEDS, 10);
    for seed in KEPT.into_iter().chain(seeds) {
        for strategy in [Strategy::Restore, Strategy::Promote] {
            println!("seed {seed}, {strategy:?}");
            let world = VirtualWorld::new().await;
            world.sandbox.with_world(|world, _| world.seed_chance(seed));
            let wanted = Wanted { strategy, ..v2() };
            let mut deployment = world.begin(wanted).await.expect("preflight passes");
            let driven = world.drive(&mut deployment).await.expect("nobody kills it");
            driven.expect("it goes through");
            assert_eq!(deployment.state.kind(), Kind::Completed);
            let report = world.sandbox.report();
            assert_eq!((report.lost, report.seed), (0, seed));
            assert!(report.interruptions.is_empty(), "{report:?}");
            if strategy == Strategy::Restore {
                world.check_all_is_well("v2");
            }
        }
    }
}
