//! What a driver tells of a release, for those who listen.

use bluegreen::clock::Moment;
use bluegreen::deployment::Deployment;
use bluegreen::events::{Answer, DeploymentEvent, Drain, Happened};
use bluegreen::machine::Kind;
use bluegreen::plan::Role;
use bluegreen_sandbox::{Fault, FaultEffect};

use crate::support::virtual_world::{VirtualWorld, v2};

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
        assert_eq!(event.sequence, number);
        assert_eq!(event.deployment, deployment.plan.id);
        assert_eq!(event.target, deployment.plan.target);
        assert_eq!(event.version, "v2");
        assert!(event.at >= before, "{event:?}");
        before = event.at;
        serde_json::to_string(event).expect("an event is data");
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_is_told_from_its_begin_to_its_end() {
    let (_, events) = released([]).await;
    let happened: Vec<_> = events.into_iter().map(|event| event.happened).collect();
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
        .filter_map(|event| match &event.happened {
            Happened::Answered { operation, answer } => Some((operation.as_str(), answer)),
            _ => None,
        })
        .collect();
    let is_in_doubt = |(operation, answer): &(&str, &Answer)| {
        *operation == "SwapEnvironmentCNAMEs" && matches!(answer, Answer::InDoubt(_))
    };
    assert!(answers.iter().any(is_in_doubt), "{answers:?}");
}
