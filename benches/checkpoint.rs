//! What a checkpoint costs: in SQLite beside the raw synchronous write of the same
//! disk, and in the bucket beside one raw PUT of the same size.
//!
//! `cargo bench --bench checkpoint`. Compare the figures of one run with each other:
//! machines differ, and so do disks. The bucket is the sandbox's, in this process, so
//! its figures tell what the program adds and not what a network takes.

use std::hint::black_box;
use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use bluegreen::acceptance::AcceptanceTest;
use bluegreen::clock::{Clock, Moment};
use bluegreen::cloud::{AwsCloud, Condition, Put};
use bluegreen::cloud::{Led, Probe, Prober, Sighting, Site};
use bluegreen::command::{Ran, Run};
use bluegreen::deployment::Deployment;
use bluegreen::facts::Streaks;
use bluegreen::journal::Journal;
use bluegreen::machine::{Seen, State};
use bluegreen::plan::{Plan, template_name};
use bluegreen::shared::{Contender, Holder, Lease, LeaseAttempt, SharedState};
use bluegreen::store::Store;
use bluegreen_sandbox::{BUCKET, Options, Sandbox};
use criterion::{Criterion, criterion_group, criterion_main};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// About as long as a checkpoint: one page of SQLite.
const PAGE: usize = 4096;

#[derive(Clone, Debug)]
struct NoProber;

#[async_trait]
impl Prober for NoProber {
    async fn probe(&self, _test: &AcceptanceTest, _site: &Site) -> Probe {
        unreachable!("nothing is tested here")
    }

    async fn run(&self, _run: &Run) -> Ran {
        unreachable!("nothing is tested here")
    }

    async fn look_up(&self, _name: &str) -> Result<Led, String> {
        unreachable!("nothing is checked here")
    }
}

const ID: &str = "01J00000000000000000000000";

fn deployment() -> Deployment {
    let plan = Plan {
        bucket: BUCKET.to_owned(),
        shared_state: true,
        template: template_name(ID),
        ..Plan::sample(ID)
    };
    Deployment::new(plan, Moment(1))
}

/// The next checkpoint without a transition, as an intent is.
fn intend(deployment: &Deployment) -> Deployment {
    deployment.clone()
}

/// The next checkpoint with one: to and fro between two states.
fn enter(deployment: &Deployment) -> Deployment {
    let state = match deployment.state {
        State::DrainingBlue => State::Deploying,
        _ => State::DrainingBlue,
    };
    deployment.entering(state, Moment(2))
}

/// What a look found, which is written down with a transition.
fn seen() -> Seen {
    let deployment = deployment();
    Streaks::default().observe(&deployment, &Sighting::default(), Moment(1))
}

/// And why.
const WHY: &str = "green holds the production CNAME";

type Next = fn(&Deployment) -> Deployment;

/// The checkpoints that are measured.
const CHECKPOINTS: [(&str, Next, &str); 2] = [
    ("checkpoint", intend, ""),
    ("checkpoint with a transition", enter, WHY),
];

fn on_disk(criterion: &mut Criterion) {
    let folder = tempfile::tempdir_in(".").expect("a folder on this disk");
    let mut group = criterion.benchmark_group("disk");
    let mut raw = std::fs::File::create(folder.path().join("raw")).expect("a file");
    raw.write_all(&[0; PAGE]).expect("it is written");
    let page = [1; PAGE];
    group.bench_function("raw 4 KiB write and fdatasync", |bencher| {
        bencher.iter(|| {
            raw.seek(SeekFrom::Start(0)).expect("it seeks");
            raw.write_all(black_box(&page)).expect("it is written");
            raw.sync_data().expect("it is synced");
        });
    });
    let seen = seen();
    for (name, next, why) in CHECKPOINTS {
        let path = folder.path().join(name.replace(' ', "-"));
        let mut store = Store::open(&path).expect("it opens");
        let mut deployment = deployment();
        store.create(&deployment).expect("it is written");
        group.bench_function(format!("{name} in SQLite"), |bencher| {
            bencher.iter(|| {
                let next = next(&deployment);
                let written =
                    store.checkpoint(&mut deployment, next, Moment(2), why, Some(&seen), &[]);
                written.expect("it is written");
            });
        });
    }
    group.finish();
}

async fn cloud() -> AwsCloud {
    let sandbox = Sandbox::open(Options::default()).expect("a sandbox opens");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(sandbox.serve(listener, std::future::pending()));
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(url)
        .credentials_provider(Credentials::new("AKIABENCH", "bench", None, None, "bench"))
        .load()
        .await;
    AwsCloud::new(&config, Arc::new(NoProber))
}

fn in_the_bucket(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let cloud = runtime.block_on(cloud());
    let bucket = cloud.bucket(BUCKET);
    let mut group = criterion.benchmark_group("bucket");
    group.sample_size(50);
    let body = vec![b'x'; 2048];
    let mut etag: Option<String> = None;
    group.bench_function("raw PUT of 2 KiB", |bencher| {
        bencher.iter(|| {
            let condition = etag
                .as_deref()
                .map_or(Condition::Absent, Condition::Unchanged);
            let put = runtime.block_on(bucket.put("raw", black_box(&body), condition));
            let Ok(Put::Written(written)) = put else {
                panic!("{put:?}");
            };
            etag = Some(written);
        });
    });
    let folder = tempfile::tempdir_in(".").expect("a folder on this disk");
    let mut store = Store::open(&folder.path().join("journal.db")).expect("it opens");
    let clock = Clock::system();
    let seen = seen();
    let mut releases = 0;
    for (name, next, why) in CHECKPOINTS {
        group.bench_function(format!("{name} in SQLite and in the bucket"), |bencher| {
            bencher.iter_custom(|times| {
                let mut spent = Duration::ZERO;
                let mut left = times;
                while left > 0 {
                    releases += 1;
                    let mut deployment = deployment();
                    deployment.plan.id = format!("01J{releases:023}");
                    deployment.plan.target.application = format!("shop {releases}");
                    store.create(&deployment).expect("it is written");
                    let state = SharedState::new(bucket.clone());
                    let lease = runtime.block_on(lease(state, clock, &deployment));
                    let mut journal = Journal::beginning(&mut store, lease);
                    let begun = runtime.block_on(journal.catch_up(&deployment));
                    begun.expect("it is written");
                    // The copy holds every transition that there was.
                    let now = left.min(TRANSITIONS);
                    for _ in 0..now {
                        let next = next(&deployment);
                        let began = Instant::now();
                        let written = journal.checkpoint(
                            &mut deployment,
                            next,
                            clock.now(),
                            why,
                            Some(&seen),
                            &[],
                        );
                        runtime.block_on(written).expect("it is written");
                        spent += began.elapsed();
                    }
                    left -= now;
                }
                spent
            });
        });
    }
    group.finish();
}

/// About as many as a release makes.
const TRANSITIONS: u64 = 12;

async fn lease(state: SharedState, clock: Clock, deployment: &Deployment) -> Lease {
    let (target, id) = (deployment.plan.target.clone(), deployment.plan.id.clone());
    let me = Holder::this_process(None);
    let length = Duration::from_secs(3600);
    let mut contender = Contender::new(state, clock, target, id, me, length);
    match contender.attempt("Preparing", |_| false).await {
        Ok(LeaseAttempt::Taken(lease)) => lease,
        other => panic!("{other:?}"),
    }
}

/// What `status` reads of a journal: the deployments in flight, and the newest of each target.
fn of_years(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("journal");
    group.sample_size(10);
    for so_many in [10, 100_000] {
        let mut store = Store::in_memory().expect("it opens");
        for number in 0..so_many {
            let mut one = deployment();
            one.plan.id = format!("01J{number:023}");
            one.plan.target.application = format!("shop {}", number % 10);
            store.create(&one).expect("it is written");
            let ended = one.entering(State::Completed, Moment(2));
            let written = store.checkpoint(&mut one, ended, Moment(2), WHY, None, &[]);
            written.expect("it is written");
        }
        group.bench_function(
            format!("newest of {so_many} finished deployments"),
            |bencher| {
                bencher.iter(|| black_box(store.newest().expect("it reads")));
            },
        );
    }
    group.finish();
}

criterion_group!(benches, on_disk, in_the_bucket, of_years);
criterion_main!(benches);
