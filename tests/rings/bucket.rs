//! The state in the bucket by itself: conditional writes, leases, fencing, take-over.
//!
//! Against the sandbox's S3, or against the one at `BLUEGREEN_TEST_S3` (a URL): the
//! conformance script runs them against moto's server, so that they do not lean on
//! the sandbox.

use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use bluegreen::clock::{Clock, Deadline, Moment, Stopwatch};
use bluegreen::cloud::LookError;
use bluegreen::cloud::{AwsCloud, Bucket, Condition, Put};
use bluegreen::deployment::Deployment;
use bluegreen::journal::{Journal, JournalError};
use bluegreen::machine::State;
use bluegreen::plan::{Plan, Target, template_name};
use bluegreen::prober::HttpProber;
use bluegreen::shared::{
    Contender, DeploymentRecord, Holder, Lease, LeaseAttempt, LeaseRecord, SharedError,
    SharedState, deployment_key, lease_key,
};
use bluegreen::store::Store;
use bluegreen_sandbox::{BUCKET, Options, Sandbox};
use tokio::net::TcpListener;

use crate::support::served::Patience;

/// How many times as fast as the wall's the clocks of these tests run.
const SPEED: f64 = 300.0;
/// Some seconds of the wall's: a busy machine renews it in time all the same.
const LENGTH: Duration = Duration::from_secs(1_200);

/// A bucket, and a target and deployment of this test alone.
struct Place {
    cloud: AwsCloud,
    bucket: Bucket,
    clock: Clock,
    target: Target,
    id: String,
    folder: tempfile::TempDir,
}

impl Place {
    async fn new() -> Place {
        let url = match std::env::var("BLUEGREEN_TEST_S3") {
            Ok(url) => url,
            Err(_) => served().await,
        };
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(url)
            .credentials_provider(Credentials::new("AKIATEST", "test", None, None, "test"))
            .load()
            .await;
        let cloud = AwsCloud::new(&config, Arc::new(HttpProber::new(None).expect("a prober")));
        let id = ulid::Ulid::new().to_string();
        Place {
            bucket: cloud.bucket(BUCKET),
            cloud,
            clock: Clock::starting_at(Moment(1_800_000_000_000), SPEED),
            target: Target {
                account: "123456789012".to_owned(),
                region: "us-east-1".to_owned(),
                application: format!("shop {id}"),
                blue: "shop-blue".to_owned(),
            },
            id,
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    fn state(&self) -> SharedState {
        SharedState::new(self.bucket.clone())
    }

    fn contender(&self) -> Contender {
        let me = Holder::this_process(None);
        let (target, id) = (self.target.clone(), self.id.clone());
        Contender::new(self.state(), self.clock, target, id, me, LENGTH)
    }

    /// The lease as the bucket has it.
    async fn lease(&self) -> LeaseRecord {
        let found = self.state().lease(&self.target).await.expect("it answers");
        found.expect("it is there").value
    }

    /// A renewal of the lease arrives whose answer nobody waited for.
    async fn renewed_behind(&self) -> LeaseRecord {
        let mut renewed = self.lease().await;
        renewed.renewals += 1;
        let body = serde_json::to_vec(&renewed).expect("it serializes");
        self.put(&lease_key(&self.target), &body).await;
        renewed
    }

    async fn taken(&self) -> Lease {
        taken(&mut self.contender()).await
    }

    fn deployment(&self) -> Deployment {
        let plan = Plan {
            target: self.target.clone(),
            template: template_name(&self.id),
            bucket: BUCKET.to_owned(),
            shared_state: true,
            ..Plan::sample(&self.id)
        };
        Deployment::new(plan, self.clock.now())
    }

    fn store(&self, name: &str) -> Store {
        Store::open(&self.folder.path().join(name)).expect("it opens")
    }

    async fn put(&self, key: &str, body: &[u8]) {
        let found = self.bucket.get(key).await.expect("it answers");
        let condition = found.as_ref().map(|o| Condition::Unchanged(&o.etag));
        let put = self
            .bucket
            .put(key, body, condition.unwrap_or(Condition::Absent));
        assert!(matches!(put.await, Ok(Put::Written(_))));
    }
}

async fn served() -> String {
    let sandbox = Sandbox::open(Options::default()).expect("a sandbox opens");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(sandbox.serve(listener, std::future::pending()));
    url
}

/// Waits for the lease, as `resume` does.
async fn taken(contender: &mut Contender) -> Lease {
    let patience = Patience::new();
    loop {
        match contender.attempt("Testing", |_| false).await {
            Ok(LeaseAttempt::Taken(lease)) => return lease,
            Ok(LeaseAttempt::Held(_)) => patience.pause("the lease to run out").await,
            other => panic!("{other:?}"),
        }
    }
}

async fn move_on(
    journal: &mut Journal<'_>,
    deployment: &mut Deployment,
    state: State,
) -> Result<(), JournalError> {
    let now = Moment(deployment.updated_at.0 + 1);
    let next = deployment.entering(state, now);
    journal
        .checkpoint(deployment, next, now, "because", None, &[])
        .await
}

#[tokio::test]
async fn a_write_takes_place_under_its_condition_only() {
    let place = Place::new().await;
    let key = format!("bluegreen/test/{}", place.id);
    let put = |body: &'static [u8], condition| place.bucket.put(&key, body, condition);
    let Ok(Put::Written(first)) = put(b"one", Condition::Absent).await else {
        panic!("it is absent");
    };
    assert_eq!(
        put(b"two", Condition::Absent).await,
        Ok(Put::ConditionFailed)
    );
    let Ok(Put::Written(_)) = put(b"two", Condition::Unchanged(&first)).await else {
        panic!("it is unchanged");
    };
    let late = put(b"three", Condition::Unchanged(&first)).await;
    assert_eq!(late, Ok(Put::ConditionFailed));
    let found = place
        .bucket
        .get(&key)
        .await
        .expect("it answers")
        .expect("it is there");
    assert_eq!(found.body, b"two");
    let gone = format!("{key}/gone");
    assert_eq!(place.bucket.get(&gone).await, Ok(None));
    let replaced = place
        .bucket
        .put(&gone, b"x", Condition::Unchanged(&first))
        .await;
    assert_eq!(replaced, Ok(Put::ConditionFailed));
    let listed = place
        .bucket
        .list(&format!("bluegreen/test/{}", place.id), "", None)
        .await;
    assert_eq!(listed, Ok((vec![key], None)));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_contenders_gets_the_lease_and_the_fence_grows() {
    let place = Place::new().await;
    for round in 1..=3 {
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let mut contender = place.contender();
            all.spawn(async move { contender.attempt("Preparing", |_| false).await });
        }
        let mut winners = Vec::new();
        while let Some(attempt) = all.join_next().await {
            match attempt.expect("no panic") {
                Ok(LeaseAttempt::Taken(lease)) => winners.push(lease),
                Ok(LeaseAttempt::Held(_)) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(winners.len(), 1);
        assert_eq!(winners[0].fence().await, round);
        winners[0].release().await;
    }
}

/// Takes any copy for what it says.
async fn anyone(_: &DeploymentRecord, _: Option<&Deployment>) -> Result<(), JournalError> {
    Ok(())
}

#[tokio::test]
async fn a_lease_is_taken_over_once_it_is_silent_and_its_holder_is_fenced_off() {
    let place = Place::new().await;
    let (mut here, mut there) = (place.store("here"), place.store("there"));
    let mut deployment = place.deployment();
    here.create(&deployment).expect("it is written");
    let mut first = Journal::beginning(&mut here, place.taken().await);
    move_on(&mut first, &mut deployment, State::Cloning)
        .await
        .expect("it holds the lease");
    let begun = place.clock.now();
    let second = taken(&mut place.contender()).await;
    assert!(
        place.clock.now().since(begun) >= LENGTH,
        "not before it had run out"
    );
    assert_eq!(second.fence().await, 2);
    let taken_up = Journal::take_up(&mut there, second, &place.id, anyone).await;
    let (mut second, mut theirs) = taken_up.expect("it answers").expect("it is in the bucket");
    assert_eq!((theirs.state.clone(), theirs.fence), (State::Cloning, 2));
    // The first is a zombie now: it may send nothing, and checkpoint nothing.
    let now = Stopwatch::start(&place.clock);
    let send_by = first.send_by(now, Deadline::default()).await;
    assert!(send_by.is_over());
    let secured = first.secure().await;
    assert!(is_overtaken(&secured), "{secured:?}");
    let late = move_on(&mut first, &mut deployment, State::Warming).await;
    assert!(is_overtaken(&late), "{late:?}");
    move_on(&mut second, &mut theirs, State::Warming)
        .await
        .expect("it holds the lease");
    let there = place
        .state()
        .deployment(&place.id)
        .await
        .expect("it answers");
    let there = there.expect("it is there").value;
    assert_eq!(
        (there.deployment.fence, &there.deployment.state),
        (2, &State::Warming)
    );
    let stages: Vec<_> = there.transitions.iter().map(|t| t.to.as_str()).collect();
    assert_eq!(stages, ["Cloning", "Warming"]);
}

fn is_overtaken(result: &Result<(), JournalError>) -> bool {
    matches!(
        result,
        Err(JournalError::Shared(SharedError::Overtaken { .. }))
    )
}

#[tokio::test]
async fn the_fence_grows_also_where_the_lease_was_removed() {
    let place = Place::new().await;
    let mut contender = place.contender().beyond(41);
    assert_eq!(taken(&mut contender).await.fence().await, 42);
}

#[tokio::test]
async fn a_renewed_lease_is_left_alone() {
    let place = Place::new().await;
    let lease = place.taken().await;
    let mut contender = place.contender();
    let patience = Patience::new();
    let watch = async {
        loop {
            match contender.attempt("", |_| false).await {
                Ok(LeaseAttempt::Held(held)) if held.renewed => return held,
                Ok(LeaseAttempt::Held(_)) => patience.pause("a renewal").await,
                other => panic!("{other:?}"),
            }
        }
    };
    let held = tokio::select! {
        held = watch => held,
        lost = lease.keep() => panic!("{lost}"),
    };
    assert_eq!(held.lease.fence, 1);
    assert!(
        held.lease.in_words().contains(&place.id),
        "{}",
        held.lease.in_words()
    );
}

#[tokio::test]
async fn word_to_go_back_reaches_the_holder_with_a_renewal() {
    let place = Place::new().await;
    let lease = place.taken().await;
    let contender = place.contender();
    assert!(contender.request_retreat().await.expect("it answers"));
    assert!(!lease.retreat_requested().await);
    let patience = Patience::new();
    tokio::select! {
        () = async {
            while !lease.retreat_requested().await {
                patience.pause("the word to come").await;
            }
        } => {}
        lost = lease.keep() => panic!("{lost}"),
    }
    lease.withdraw_retreat().await;
    let there = place
        .state()
        .lease(&place.target)
        .await
        .expect("it answers");
    assert!(!there.expect("it is there").value.retreat_requested);
    lease.release().await;
    assert!(
        !contender.request_retreat().await.expect("it answers"),
        "nobody holds it"
    );
}

#[tokio::test]
async fn a_lease_is_given_back_whatever_was_written_into_it_meanwhile() {
    let place = Place::new().await;
    let lease = place.taken().await;
    // Word to go back comes, too.
    place.renewed_behind().await;
    let contender = place.contender();
    assert!(contender.request_retreat().await.expect("it answers"));
    lease.release().await;
    let free = place.lease().await;
    assert!(free.holder.is_none(), "{}", free.in_words());
    assert!(
        place.taken().await.retreat_requested().await,
        "the word is for whoever takes it next"
    );

    // Somebody else's is left as it is.
    lease.release().await;
    assert!(place.lease().await.holder.is_some());
}

/// Whoever waits for a lease tells one renewal from the next by its number.
#[tokio::test]
async fn a_renewal_differs_from_one_that_arrived_late() {
    let place = Place::new().await;
    let lease = place.taken().await;
    let late = place.renewed_behind().await;
    lease.withdraw_retreat().await;
    assert!(place.lease().await.renewals > late.renewals);
}

#[tokio::test]
async fn the_later_copy_wins_and_the_target_is_busy_until_it_ends() {
    let place = Place::new().await;
    let (mut here, mut there) = (place.store("here"), place.store("there"));
    let mut deployment = place.deployment();
    here.create(&deployment).expect("it is written");
    let mut journal = Journal::beginning(&mut here, place.taken().await);
    journal.catch_up(&deployment).await.expect("it is written");
    move_on(&mut journal, &mut deployment, State::Cloning)
        .await
        .expect("checkpoint");
    journal.close().await;
    // SQLite is ahead: the process died before the bucket had it.
    let now = Moment(deployment.updated_at.0 + 1);
    let next = deployment.entering(State::Warming, now);
    here.checkpoint(&mut deployment, next, now, "because", None, &[])
        .expect("checkpoint");
    let taken_up = Journal::take_up(&mut here, place.taken().await, &place.id, anyone).await;
    let (journal, mut deployment) = taken_up.expect("it answers").expect("it is here");
    assert_eq!(deployment.state, State::Warming);
    journal.close().await;
    // Elsewhere nothing is known of it.
    let taken_up = Journal::take_up(&mut there, place.taken().await, &place.id, anyone).await;
    let (mut journal, theirs) = taken_up.expect("it answers").expect("it is there");
    assert_eq!((&theirs.state, theirs.fence), (&State::Warming, 3));
    // Another deployment of the target must wait for its end.
    let mut other = Contender::new(
        place.state(),
        place.clock,
        place.target.clone(),
        "ANOTHER".to_owned(),
        Holder::this_process(None),
        LENGTH,
    );
    let refused = other.attempt("", |_| true).await;
    assert!(
        matches!(refused, Ok(LeaseAttempt::Unfinished(..))),
        "{refused:?}"
    );
    deployment = theirs;
    let all = place
        .state()
        .unfinished(Moment(0))
        .await
        .expect("it answers");
    assert!(
        all.found
            .iter()
            .any(|(record, _)| record.deployment.plan.id == place.id)
    );
    move_on(&mut journal, &mut deployment, State::Completed)
        .await
        .expect("checkpoint");
    // It has ended, so its lease is free although it is held.
    let next = other.attempt("", |_| false).await;
    assert!(matches!(next, Ok(LeaseAttempt::Taken(_))), "{next:?}");
}

#[tokio::test]
async fn objects_that_cannot_be_read_are_refused_and_left_alone() {
    let place = Place::new().await;
    let key = deployment_key(&place.id);
    place.put(&key, b"{\"format\":99}").await;
    let newer = place.state().deployment(&place.id).await;
    assert!(matches!(newer, Err(SharedError::Newer { .. })), "{newer:?}");
    place.put(&key, b"{\"format\":1").await;
    let damaged = place.state().deployment(&place.id).await;
    assert!(
        matches!(damaged, Err(SharedError::Damaged { .. })),
        "{damaged:?}"
    );
    place.put(&lease_key(&place.target), b"nonsense").await;
    let refused = place.contender().attempt("", |_| true).await;
    assert!(
        matches!(refused, Err(SharedError::Damaged { .. })),
        "{refused:?}"
    );
    let nowhere = SharedState::new(place.cloud.bucket("no-such-bucket"));
    let refused = nowhere.deployment(&place.id).await;
    let Err(SharedError::Unusable {
        error: LookError::Refused(message),
        ..
    }) = refused
    else {
        panic!("{refused:?}");
    };
    assert!(message.contains("no-such-bucket"), "{message}");
}
