//! Ring 2: the driver in process, killed at every API call before and after it
//! takes effect, then resumed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bluegreen::bundle;
use bluegreen::deployment::Deployment;
use bluegreen::machine::{Kind, Order, State, obey};
use bluegreen::plan::Strategy;
use bluegreen::preflight::Wanted;
use bluegreen::store::Store;
use bluegreen_sandbox::{FaultEffect, Phase, TapVerdict};

use crate::support::virtual_world::{Kill, VirtualWorld, phases_of};
use bluegreen_testing::sample::{is_full, sampled};
use bluegreen_testing::tell;

/// How many crashes of each scenario a quick run tries.
const SAMPLE: usize = 4;

/// What happens in a scenario, and how it must end.
#[derive(Clone, Copy, Debug)]
struct Scenario {
    strategy: Strategy,
    faults: fn() -> Vec<FaultEffect>,
    /// What the operator orders each time the deployment is held.
    when_held: Option<fn() -> Order>,
    ends: Kind,
    version: &'static str,
}

const RELEASE: Scenario = Scenario {
    strategy: Strategy::Restore,
    faults: Vec::new,
    when_held: None,
    ends: Kind::Completed,
    version: "new",
};

const ROLLBACK_AFTER_FAILED_DEPLOY: Scenario = Scenario {
    strategy: Strategy::Restore,
    faults: || {
        vec![FaultEffect::VersionFailsToDeploy {
            label: "new".to_owned(),
        }]
    },
    when_held: Some(|| Order::Retreat),
    ends: Kind::RolledBack,
    version: "v1",
};

const CORRECTION_AFTER_FAILED_TEST: Scenario = Scenario {
    strategy: Strategy::Restore,
    faults: || {
        vec![FaultEffect::VersionAnswers {
            label: "new".to_owned(),
            status: 500,
        }]
    },
    when_held: Some(|| Order::Correct {
        version: "v2".to_owned(),
    }),
    ends: Kind::Completed,
    version: "v2",
};

const PROMOTION: Scenario = Scenario {
    strategy: Strategy::Promote,
    ..RELEASE
};

const PROMOTION_OF_WHAT_FAILS_ITS_TEST: Scenario = Scenario {
    strategy: Strategy::Promote,
    when_held: None,
    ends: Kind::RolledBack,
    version: "v1",
    ..CORRECTION_AFTER_FAILED_TEST
};

const REHEARSAL: Scenario = Scenario {
    strategy: Strategy::Rehearse,
    version: "v1",
    ..RELEASE
};

const REHEARSAL_OF_WHAT_FAILS_TO_DEPLOY: Scenario = Scenario {
    strategy: Strategy::Rehearse,
    when_held: None,
    ..ROLLBACK_AFTER_FAILED_DEPLOY
};

const REHEARSAL_OF_WHAT_FAILS_ITS_TEST: Scenario = Scenario {
    strategy: Strategy::Rehearse,
    when_held: None,
    ends: Kind::RolledBack,
    version: "v1",
    ..CORRECTION_AFTER_FAILED_TEST
};

/// Begins, or finds, the deployment of the journal or else of the bucket; none
/// where the process died meanwhile.
async fn begun(world: &VirtualWorld, strategy: Strategy) -> Option<Deployment> {
    tokio::select! {
        biased;
        begun = begin_or_find(world, strategy) => Some(begun),
        () = world.died() => None,
    }
}

async fn begin_or_find(world: &VirtualWorld, strategy: Strategy) -> Deployment {
    if let Some(found) = world.store().all().expect("the journal reads").pop() {
        return found;
    }
    let there = world.shared().deployments().await;
    if let Some(found) = there.expect("the bucket reads").found.into_iter().next() {
        return found.deployment;
    }
    let path = world.folder.path().join("new.zip");
    std::fs::write(&path, b"a new version").expect("the bundle is written");
    let bundle = bundle::addressed("shop", bundle::read(&path).expect("the bundle reads"));
    let wanted = Wanted {
        label: Some("new".to_owned()),
        bundle: Some(bundle),
        strategy,
        ..Wanted::default()
    };
    world.begin(wanted).await.expect("preflight passes")
}

/// What becomes of the disk of a process that dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disk {
    Kept,
    /// The next process is elsewhere: it has the bucket only, and waits until the
    /// lease has run out.
    Lost,
}

/// Plays a scenario to its end; a kill is followed by a resume. Gives the numbers and operations
/// of its calls, in their order.
async fn play(scenario: Scenario, kill: Option<Kill>, disk: Disk) -> Vec<(u64, String)> {
    let world = VirtualWorld::new().await;
    let calls = world.kill_at(kill);
    (scenario.faults)()
        .into_iter()
        .for_each(|effect| world.inject(effect));
    let deployment = loop {
        let Some(mut deployment) = begun(&world, scenario.strategy).await else {
            continue;
        };
        match world.drive(&mut deployment).await {
            None => {
                if disk == Disk::Lost {
                    world.lose_the_disk();
                }
                continue;
            }
            Some(driven) => driven.unwrap_or_else(|e| panic!("{kill:?}: {e}")),
        }
        let Some(order) = scenario
            .when_held
            .filter(|_| deployment.state.kind() == Kind::Held)
        else {
            break deployment;
        };
        let (state, plan) = obey(&deployment.state, &deployment.plan, order()).expect("held");
        let now = world.clock.now();
        let mut next = deployment.entering(state, now);
        next.plan = plan;
        world
            .store()
            .checkpoint(&mut deployment, next, now, "ordered", None, &[])
            .expect("checkpoint");
    };
    assert_eq!(
        deployment.state.kind(),
        scenario.ends,
        "{kill:?}: {:?}",
        deployment.state
    );
    check_all_is_well(&world, scenario.strategy, scenario.ends, scenario.version);
    if scenario.strategy == Strategy::Rehearse {
        world.check_blue_was_left_alone();
    }
    assert_eq!(world.deaths(), u64::from(kill.is_some()), "{kill:?}");
    calls.lock().expect("no panic holds it").clone()
}

/// Every call, before and after where it changes anything: whatever the moment, it ends as if
/// nothing had happened.
async fn sweep(scenario: Scenario) {
    let calls = play(scenario, None, Disk::Kept).await;
    let found = calls.len();
    assert!(found > 40, "only {found} calls: is the scenario whole?");
    let kills = calls.iter().flat_map(|(call, operation)| {
        let phases = phases_of(operation).iter();
        phases.map(|&phase| Kill { call: *call, phase })
    });
    let what = format!("crashes of {:?} with {}", scenario.ends, scenario.strategy);
    let kills = sampled(&what, kills, SAMPLE);
    for kill in &kills {
        // Each change meets both, and both phases do; reads meet one by turns.
        let disk = match (kill.call % 2 == 0) == (kill.phase == Phase::Before) {
            true => Disk::Kept,
            false => Disk::Lost,
        };
        play(scenario, Some(*kill), disk).await;
    }
    tell(&format!(
        "{} crashes at {found} calls of {:?} with {} resumed",
        kills.len(),
        scenario.ends,
        scenario.strategy
    ));
}

#[tokio::test(start_paused = true)]
async fn a_release_survives_every_crash() {
    sweep(RELEASE).await;
}

#[tokio::test(start_paused = true)]
async fn a_promotion_survives_every_crash() {
    sweep(PROMOTION).await;
}

#[tokio::test(start_paused = true)]
async fn a_promotion_that_fails_its_test_survives_every_crash() {
    sweep(PROMOTION_OF_WHAT_FAILS_ITS_TEST).await;
}

#[tokio::test(start_paused = true)]
async fn a_rollback_survives_every_crash() {
    sweep(ROLLBACK_AFTER_FAILED_DEPLOY).await;
}

#[tokio::test(start_paused = true)]
async fn a_correction_survives_every_crash() {
    sweep(CORRECTION_AFTER_FAILED_TEST).await;
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_survives_every_crash() {
    sweep(REHEARSAL).await;
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_of_what_fails_to_deploy_survives_every_crash() {
    sweep(REHEARSAL_OF_WHAT_FAILS_TO_DEPLOY).await;
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_of_what_fails_its_test_survives_every_crash() {
    sweep(REHEARSAL_OF_WHAT_FAILS_ITS_TEST).await;
}

/// An operator orders the way back at this call, wherever the release stands.
async fn release_retreating_at(strategy: Strategy, call: u64) -> (u64, Kind, bool) {
    let world = VirtualWorld::new().await;
    let mut deployment = begun(&world, strategy).await.expect("nobody kills it");
    let id = deployment.plan.id.clone();
    let begun_at = world.sandbox.report().calls.values().sum::<u64>();
    let calls = Arc::new(AtomicU64::new(0));
    let taken = Arc::new(AtomicBool::new(false));
    let (journal, now, count) = (world.journal(), world.clock.now(), calls.clone());
    let word = taken.clone();
    world.sandbox.set_tap(move |told, phase| {
        if phase == Phase::Before {
            count.store(told.number - begun_at, Ordering::SeqCst);
            if told.number - begun_at == call {
                let store = Store::open(&journal).expect("the journal opens");
                let is_taken = store.request_retreat(&id, now).expect("the word is left");
                word.store(is_taken, Ordering::SeqCst);
            }
        }
        TapVerdict::Continue
    });
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.unwrap_or_else(|e| panic!("{call}: {e}"));
    let ends = deployment.state.kind();
    match ends {
        Kind::RolledBack => world.check_all_is_as_before(&world.way(&deployment.plan.id).await),
        Kind::Completed if strategy == Strategy::Rehearse => world.check_all_is_well("v1"),
        _ => check_all_is_well(&world, strategy, ends, "new"),
    }
    if strategy == Strategy::Rehearse {
        world.check_blue_was_left_alone();
    }
    let taken = taken.load(Ordering::SeqCst);
    (calls.load(Ordering::SeqCst), ends, taken)
}

/// The way back is open from every state but an end, and loses nothing.
#[tokio::test(start_paused = true)]
async fn a_release_may_be_sent_back_at_every_call() {
    let (calls, ends, _) = release_retreating_at(Strategy::Restore, 0).await;
    assert_eq!(ends, Kind::Completed);
    let mut too_late = 0;
    for call in sampled("retreats of a release", 1..=calls, SAMPLE) {
        let (_, ends, taken) = release_retreating_at(Strategy::Restore, call).await;
        let expected = if taken {
            Kind::RolledBack
        } else {
            Kind::Completed
        };
        assert_eq!(ends, expected, "{call}");
        too_late += u64::from(!taken);
    }
    // The end is copied into the bucket, and the lease given back.
    assert!(too_late <= 2, "{too_late}");
    println!("{calls} retreats, {too_late} of them too late");
}

/// Where green is to keep production the way back is open until blue is being
/// terminated.
#[tokio::test(start_paused = true)]
async fn a_promotion_may_be_sent_back_until_blue_goes() {
    let (calls, ends, _) = release_retreating_at(Strategy::Promote, 0).await;
    assert_eq!(ends, Kind::Completed);
    let mut ends = Vec::new();
    for call in sampled("retreats of a promotion", 1..=calls, SAMPLE) {
        ends.push(release_retreating_at(Strategy::Promote, call).await.1);
    }
    let back = ends
        .iter()
        .take_while(|end| **end == Kind::RolledBack)
        .count();
    println!("{back} of {} retreats in time", ends.len());
    assert!(!is_full() || back > 40, "only {back} of {calls}");
    assert!(
        ends[back..].iter().all(|end| *end == Kind::Completed),
        "{ends:?}"
    );
}

/// A rehearsal that is called off leaves blue as it was, wherever it stands.
#[tokio::test(start_paused = true)]
async fn a_rehearsal_may_be_called_off_at_every_call() {
    let (calls, ends, _) = release_retreating_at(Strategy::Rehearse, 0).await;
    assert_eq!(ends, Kind::Completed);
    let mut too_late = 0;
    for call in sampled("retreats of a rehearsal", 1..=calls, SAMPLE) {
        let (_, ends, taken) = release_retreating_at(Strategy::Rehearse, call).await;
        let expected = match taken {
            true => Kind::RolledBack,
            false => Kind::Completed,
        };
        assert_eq!(ends, expected, "{call}");
        too_late += u64::from(!taken);
    }
    assert!(too_late <= 2, "{too_late}");
}

/// A deploy that takes longer than its patience is aborted, so that green can be terminated.
#[tokio::test(start_paused = true)]
async fn a_rehearsal_that_takes_too_long_stops_its_deploy_and_removes_green() {
    let world = VirtualWorld::new().await;
    world
        .sandbox
        .with_world(|world, _| world.timings.deploy_seconds = 4 * 3600);
    let begun = begun(&world, Strategy::Rehearse).await;
    let mut deployment = begun.expect("nobody kills it");
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it ends");
    let State::RolledBack { cause } = &deployment.state else {
        panic!("{:?}", deployment.state);
    };
    assert!(
        cause.to_string().contains("rehearsing the deploy on green"),
        "{cause}"
    );
    let aborted = world.sandbox.report().calls;
    assert_eq!(
        aborted.get("AbortEnvironmentUpdate"),
        Some(&1),
        "{aborted:?}"
    );
    world.check_all_is_well("v1");
    world.check_blue_was_left_alone();
}

#[track_caller]
fn check_all_is_well(world: &VirtualWorld, strategy: Strategy, ends: Kind, version: &str) {
    match (strategy, ends) {
        (Strategy::Promote, Kind::Completed) => world.check_green_is_promoted(version),
        _ => world.check_all_is_well(version),
    }
}
