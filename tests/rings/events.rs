//! What a driver tells of a release, for those who listen.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bluegreen::clock::Moment;
use bluegreen::deployment::Deployment;
use bluegreen::events::{Answer, DeploymentEvent, Drain, EventRecord, Happened};
use bluegreen::facts::{Retried, Timed, Wait};
use bluegreen::machine::Kind;
use bluegreen::plan::Role;
use bluegreen_sandbox::{Fault, FaultEffect, Phase};

use crate::support::virtual_world::{Fate, VirtualWorld, v2};

/// A release under these faults, and what was told of it.
async fn released(faults: impl IntoIterator<Item = Fault>) -> (Deployment, Vec<DeploymentEvent>) {
    let world = VirtualWorld::new().await;
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    for fault in faults {
        world.inject(fault);
    }
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it comes to rest");
    (deployment, world.heard.events())
}

fn once(operation: &str, effect: FaultEffect) -> Fault {
    Fault {
        operation: Some(operation.to_owned()),
        times: Some(1),
        ..Fault::from(effect)
    }
}

#[tokio::test(start_paused = true)]
async fn every_event_says_of_what_it_is_and_in_which_order() {
    let (deployment, events) = released([]).await;
    let mut before = Moment(0);
    for (number, event) in (1..).zip(&events) {
        assert_eq!(event.record.sequence, number);
        assert_eq!(event.deployment, deployment.plan.id);
        assert_eq!(event.target, deployment.plan.target);
        assert_eq!(event.record.version, "v2");
        assert!(event.record.at >= before, "{event:?}");
        before = event.record.at;
        serde_json::to_string(event).expect("an event is data");
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_is_told_from_its_begin_to_its_end() {
    let (_, events) = released([]).await;
    let happened: Vec<_> = events
        .into_iter()
        .map(|event| event.record.happened)
        .collect();
    let mut state = Kind::Preparing;
    for what in &happened {
        if let Happened::StateEntered { from, to, .. } = what {
            assert_eq!(*from, state);
            state = *to;
        }
    }
    assert_eq!(state, Kind::Completed);
    let asked = happened.iter().filter_map(|what| match what {
        Happened::Asked { operation, .. } => Some((operation.as_str(), None)),
        Happened::Answered { operation, answer } => Some((operation.as_str(), Some(answer))),
        _ => None,
    });
    let asked: Vec<_> = asked.collect();
    assert!(!asked.is_empty());
    for pair in asked.chunks(2) {
        let [(asked, None), (answered, Some(Answer::Accepted))] = pair else {
            panic!("{pair:?}");
        };
        assert_eq!(asked, answered);
    }
    let polls: Vec<_> = happened
        .iter()
        .filter_map(|what| match what {
            Happened::Polled(poll) => Some(poll),
            _ => None,
        })
        .collect();
    let served = |role| polls.iter().any(|poll| poll.production == Some(role));
    assert!(served(Role::Blue) && served(Role::Green));
    let passed = polls
        .iter()
        .any(|poll| poll.tests.asked > 0 && poll.tests.passed == poll.tests.asked);
    assert!(passed);
    // What is measured stands beside its limit.
    let drained = happened.iter().any(|what| {
        matches!(what, Happened::Draining { environment: Role::Blue, drain: Drain::Requests { done_at, .. } } if *done_at > 0)
    });
    assert!(drained, "{happened:?}");
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_on_the_way_is_told_as_what_it_is() {
    let lost = once("SwapEnvironmentCNAMEs", FaultEffect::DropAnswer);
    let (_, events) = released([lost]).await;
    let answers: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.record.happened {
            Happened::Answered { operation, answer } => Some((operation.as_str(), answer)),
            _ => None,
        })
        .collect();
    let is_in_doubt = |(operation, answer): &(&str, &Answer)| {
        *operation == "SwapEnvironmentCNAMEs" && matches!(answer, Answer::InDoubt(_))
    };
    assert!(answers.iter().any(is_in_doubt), "{answers:?}");
}

/// The sequence numbers of these events, and what happened.
fn told(events: &[EventRecord]) -> Vec<(u64, Happened)> {
    let told = events
        .iter()
        .map(|event| (event.sequence, event.happened.clone()));
    told.collect()
}

#[tokio::test(start_paused = true)]
async fn the_journal_and_its_copy_keep_what_a_report_needs() {
    let world = VirtualWorld::new().await;
    let mut deployment = world.begin(v2()).await.expect("preflight passes");
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it comes to rest");
    let id = &deployment.plan.id;
    let kept = world.store().events(id).expect("the journal reads");
    let heard: Vec<_> = world
        .heard
        .events()
        .into_iter()
        .map(|event| event.record)
        .collect();
    assert!(kept.iter().all(|event| heard.contains(event)));
    let entered = |event: &&EventRecord| matches!(event.happened, Happened::StateEntered { .. });
    let way: Vec<_> = world.store().transitions(id).expect("it reads");
    assert_eq!(kept.iter().filter(entered).count(), way.len());
    assert!(
        kept.len() * 3 < heard.len(),
        "{} of {}",
        kept.len(),
        heard.len()
    );
    let last = kept.last().expect("some are kept");
    assert!(matches!(
        &last.happened,
        Happened::StateEntered {
            to: Kind::Completed,
            ..
        }
    ));
    let copy = world.shared().deployment(id).await.expect("it reads");
    assert_eq!(told(&copy.expect("it is there").value.events), told(&kept));
}

#[tokio::test(start_paused = true)]
async fn whoever_goes_on_counts_on_also_without_the_disk() {
    for loses_disk in [false, true] {
        let world = VirtualWorld::new().await;
        let mut deployment = world.begin(v2()).await.expect("preflight passes");
        let has_died = AtomicBool::new(false);
        world.on_call(move |call, phase| {
            let swaps = call.operation == "SwapEnvironmentCNAMEs" && phase == Phase::After;
            match swaps && !has_died.swap(true, Ordering::SeqCst) {
                true => Fate::Death,
                false => Fate::Life,
            }
        });
        assert!(world.drive(&mut deployment).await.is_none(), "it is killed");
        if loses_disk {
            world.lose_the_disk();
        }
        let driven = world.drive(&mut deployment).await.expect("nobody kills it");
        driven.expect("it comes to rest");
        let kept = world.store().events(&deployment.plan.id).expect("it reads");
        let taken = |event: &&EventRecord| matches!(event.happened, Happened::LockTaken { .. });
        assert_eq!(kept.iter().filter(taken).count(), 2);
        assert!(
            kept.windows(2).all(|pair| pair[0].at <= pair[1].at),
            "{kept:?}"
        );
        let swaps = kept.iter().filter(|event| {
            matches!(&event.happened, Happened::Answered { operation, .. }
                if operation == "SwapEnvironmentCNAMEs")
        });
        assert_eq!(
            swaps.count(),
            1,
            "the answer to the first died with the process"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn waits_retries_and_renewals_are_told_with_their_measures() {
    let throttled = Fault {
        operation: Some("DescribeEnvironments".to_owned()),
        times: Some(3),
        ..Fault::from(FaultEffect::Throttle)
    };
    let (_, events) = released([throttled]).await;
    let happened: Vec<_> = events
        .into_iter()
        .map(|event| event.record.happened)
        .collect();
    let retried = happened.iter().find_map(|what| match what {
        Happened::Retried(Retried {
            operation,
            times,
            why,
        }) => Some((operation.as_str(), *times, why.as_str())),
        _ => None,
    });
    assert_eq!(
        retried,
        Some(("DescribeEnvironments", 3, "Throttling (status 400)"))
    );
    let lasts = happened.iter().find_map(|what| match what {
        Happened::LockRenewed { lasts } => Some(*lasts),
        _ => None,
    });
    assert!(
        lasts.is_some_and(|lasts| lasts > Duration::from_secs(200)),
        "{lasts:?}"
    );
    let waits = |state: Kind| {
        happened.iter().filter_map(move |what| match what {
            Happened::Waiting { state: of, waits } if *of == state => Some(waits.as_slice()),
            _ => None,
        })
    };
    let checks: Vec<_> = waits(Kind::Warming)
        .flatten()
        .filter_map(|wait| match wait {
            Wait::HealthChecks {
                environment: Role::Green,
                passed,
                limit: 3,
            } => Some(*passed),
            _ => None,
        })
        .collect();
    assert!(
        checks.is_sorted() && checks.ends_with(&[1, 2, 3]),
        "{checks:?}"
    );
    let drained = waits(Kind::DrainingBlue).flatten().any(
        |wait| matches!(wait, Wait::Time { of: Timed::Drain, lasted, limit } if lasted < limit),
    );
    assert!(drained);
    let passed: Vec<_> = waits(Kind::Testing).flatten().collect();
    assert!(
        passed.iter().any(|wait| matches!(
            wait,
            Wait::Tests {
                passed: 2,
                limit: 3,
                ..
            }
        )),
        "{passed:?}"
    );
}
