//! A sandbox, the AWS SDK and the driver in one process, on tokio's paused clock.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bluegreen::acceptance::{AcceptanceTest, Answer, Request, TestCommand};
use bluegreen::approval::{Approval, Approves};
use bluegreen::clock::{Clock, Moment};
use bluegreen::cloud::AwsCloud;
use bluegreen::cloud::{Led, LookError, Probe, Prober, Site};
use bluegreen::command::{End, Ran, Run, Runner};
use bluegreen::config::Config;
use bluegreen::deployment::Deployment;
use bluegreen::driver::{DriveError, Driver};
use bluegreen::events::{DeploymentEvent, Listener};
use bluegreen::heap::on_heap;
use bluegreen::hooks::{Hook, HookTable};
use bluegreen::journal::Journal;
use bluegreen::machine::Kind;
use bluegreen::plan::{ApprovalLimit, Limits, Strategy, Wishes};
use bluegreen::preflight::{self, Past, Refused, Surroundings, Verdict, Wanted};
use bluegreen::report;
use bluegreen::secrets::Secrets;
use bluegreen::shared::{
    Contender, DeploymentRecord, Holder, Lease, LeaseAttempt, LeaseRecord, SharedError, SharedState,
};
use bluegreen::store::{Store, Transition};
use bluegreen::trust::{Configured, vouch_for};
use bluegreen_sandbox::{
    BUCKET, Call, Environment, Fault, FaultEffect, Options, PRODUCTION, Sandbox, TimeSource,
    advance,
};
use bluegreen_sandbox::{Phase, TapVerdict, World};
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::sync::{Notify, watch};

use crate::support::policies;
use crate::support::previews;
use crate::support::shared_balancer;

/// The release of version v2, which every virtual world has.
pub fn v2() -> Wanted {
    Wanted {
        label: Some("v2".to_owned()),
        ..Wanted::default()
    }
}

/// The id of the deployment that a virtual world plays.
pub const ID: &str = "01JV1RT0A1W0R1D00000000000";

/// When a virtual world begins.
const EPOCH: Moment = Moment(1_800_000_000_000);

/// A sandbox with its clients of AWS and a journal.
pub struct VirtualWorld {
    pub sandbox: Sandbox,
    pub clock: Clock,
    pub cloud: AwsCloud,
    pub folder: tempfile::TempDir,
    /// What the next release asks for.
    pub config: Config,
    /// The operator's side of it.
    pub desk: Desk,
    /// What its processes have told.
    pub heard: Heard,
    /// Whether tests go by names alone, as through a proxy.
    by_name: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<String>>>,
    death: Arc<Death>,
}

/// Keeps every event.
#[derive(Default)]
pub struct Heard(Mutex<Vec<DeploymentEvent>>);

impl Heard {
    pub fn events(&self) -> Vec<DeploymentEvent> {
        self.0.lock().expect("no panic holds it").clone()
    }
}

impl Listener for Heard {
    fn hear(&self, event: &DeploymentEvent) {
        let mut heard = self.0.lock().expect("no panic holds it");
        heard.push(event.clone());
    }
}

/// The death of the process: from then on nothing is answered to it.
#[derive(Default)]
struct Death {
    came: Notify,
    dead: AtomicBool,
    fate: Arc<Deaths>,
}

/// The deaths in a world, on every machine of it.
#[derive(Default)]
struct Deaths {
    count: AtomicU64,
    /// Whether the process dies whose connection closes next.
    comes: AtomicBool,
}

impl Death {
    /// Whether a process whose connection has closed is dead.
    fn is_dead(&self) -> bool {
        if self.fate.comes.swap(false, Ordering::SeqCst) {
            self.dead.store(true, Ordering::SeqCst);
            self.came.notify_one();
        }
        self.dead.load(Ordering::SeqCst)
    }
}

/// Where the process is to die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kill {
    /// The number of the API call.
    pub call: u64,
    /// Before it is applied, or after.
    pub phase: Phase,
}

/// When a process is to die at a call of this operation. A read changes nothing, here or at AWS:
/// who dies after it leaves what one who dies before it leaves.
pub fn phases_of(operation: &str) -> &'static [Phase] {
    match only_reads(operation) {
        true => &[Phase::Before],
        false => &[Phase::Before, Phase::After],
    }
}

pub fn only_reads(operation: &str) -> bool {
    let reads = ["Describe", "List", "Check", "Get", "Head", "Simulate"];
    reads.iter().any(|begin| operation.starts_with(begin))
}

/// What befalls a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Life,
    /// The connection closes without an answer.
    Hangup,
    /// The process dies.
    Death,
}

thread_local! {
    /// What the clocks on the walls of this thread's world read: since when they run, and
    /// by how many seconds somebody has set them.
    static WALL: Cell<Option<(tokio::time::Instant, i64)>> = const { Cell::new(None) };
}

fn wall() -> SystemTime {
    let (started, set_by) = WALL.get().expect("there is a world");
    let read = SystemTime::from(EPOCH) + started.elapsed();
    let by = Duration::from_secs(set_by.unsigned_abs());
    if set_by < 0 { read - by } else { read + by }
}

/// Somebody sets the clock on every wall by so many seconds.
pub fn set_the_walls_clocks(by: i64) {
    let (started, set_by) = WALL.get().expect("there is a world");
    WALL.set(Some((started, set_by + by)));
}

impl VirtualWorld {
    pub async fn new() -> VirtualWorld {
        WALL.set(Some((tokio::time::Instant::now(), 0)));
        let clock = Clock::starting_at(EPOCH, 1.0).on_the_wall(wall);
        let time = TimeSource::Manual(Arc::new(move || SystemTime::from(clock.now())));
        let sandbox = Sandbox::open(Options {
            time,
            policy: Some(crate::support::policies::shipped()),
            seed: Some(bluegreen_testing::sample::seed()),
            ..Options::default()
        })
        .expect("a sandbox in memory opens");
        // Blue runs more than its group's least, which it shrinks to while it is idle.
        sandbox.with_world(|world, _| {
            world.scale("shop-blue", 3);
            world.inject(FaultEffect::IdleShrinks);
        });
        let death = Arc::<Death>::default();
        let config = sdk_config(&sandbox, &death).await;
        let prober = DirectProber::new(&sandbox);
        VirtualWorld {
            by_name: prober.by_name.clone(),
            asked: prober.asked.clone(),
            cloud: AwsCloud::new(&config, Arc::new(prober)),
            sandbox,
            clock,
            folder: tempfile::tempdir().expect("a temporary folder"),
            config: usual_config(),
            desk: Desk::default(),
            heard: Heard::default(),
            death,
        }
    }

    /// Another machine in the same world, with a disk of its own and nothing configured yet.
    pub async fn another_machine(&self) -> VirtualWorld {
        let death = Arc::new(Death {
            fate: self.death.fate.clone(),
            ..Death::default()
        });
        let config = sdk_config(&self.sandbox, &death).await;
        let prober = DirectProber::new(&self.sandbox);
        VirtualWorld {
            by_name: prober.by_name.clone(),
            asked: prober.asked.clone(),
            cloud: AwsCloud::new(&config, Arc::new(prober)),
            sandbox: self.sandbox.clone(),
            clock: self.clock,
            folder: tempfile::tempdir().expect("a temporary folder"),
            config: usual_config(),
            desk: Desk::default(),
            heard: Heard::default(),
            death,
        }
    }

    /// What a release of a registered version asks for, with these features.
    pub fn ask_for(&mut self, features: Features, wanted: Wanted) -> Wanted {
        let Features {
            hooks,
            pause,
            alarms,
            preview,
            shared_balancer,
            test_green,
            test_command,
            several_tests,
        } = features;
        if hooks {
            self.config.wishes.hooks = hooks_everywhere();
        }
        if pause {
            self.config.wishes.asks_approval = true;
            self.config.wishes.approval = Some(ApprovalLimit {
                limit: Duration::from_secs(3600),
                goes_back: false,
            });
            let answers = [Approval::Wait, Approval::Unclear(String::new())];
            self.desk
                .says(answers.into_iter().chain([Approval::Granted]));
        }
        if alarms {
            self.sandbox
                .with_world(|world, _| world.set_alarm("errors", "OK"));
            self.config.wishes.alarms = vec!["errors".to_owned()];
        }
        if preview {
            self.config.preview = previews::asked();
        }
        if shared_balancer {
            shared_balancer::share(self);
        }
        self.config.wishes.test_green = test_green;
        if test_command {
            self.config.wishes.test_command = Some(TestCommand {
                command: "exit 0".to_owned(),
                limit: Duration::from_secs(7),
            });
        }
        if several_tests {
            let mut body = AcceptanceTest::get("/health");
            body.json = [("/status".to_owned(), "ok".into())].into();
            let mut post = AcceptanceTest::get("/echo");
            post.method = "POST".to_owned();
            post.expect_status = vec![200];
            self.config.wishes.tests.extend([body, post]);
        }
        let promotes = wanted.strategy == Strategy::Promote;
        Wanted {
            pause_before_swap: pause,
            pause_before_cutover: pause && !promotes,
            ..wanted
        }
    }

    /// The process dies at this call. Gives the numbers and operations of the calls that come from
    /// now on, in their order.
    pub fn kill_at(&self, kill: Option<Kill>) -> Arc<Mutex<Vec<(u64, String)>>> {
        let calls = Arc::<Mutex<Vec<(u64, String)>>>::default();
        let told = calls.clone();
        self.on_call(move |call, phase| {
            if phase == Phase::Before {
                let mut told = told.lock().expect("no panic holds it");
                told.push((call.number, call.operation.clone()));
            }
            let at = Kill {
                call: call.number,
                phase,
            };
            if kill == Some(at) {
                Fate::Death
            } else {
                Fate::Life
            }
        });
        calls
    }

    /// What befalls each call.
    pub fn on_call(&self, fate: impl Fn(&Call, Phase) -> Fate + Send + Sync + 'static) {
        let deaths = self.death.fate.clone();
        self.sandbox
            .set_tap(move |call, phase| match fate(call, phase) {
                Fate::Life => TapVerdict::Continue,
                Fate::Hangup => TapVerdict::HangUp,
                Fate::Death => {
                    deaths.count.fetch_add(1, Ordering::SeqCst);
                    deaths.comes.store(true, Ordering::SeqCst);
                    TapVerdict::HangUp
                }
            });
    }

    /// How often a process has died.
    pub fn deaths(&self) -> u64 {
        self.death.fate.count.load(Ordering::SeqCst)
    }

    pub fn inject(&self, fault: impl Into<Fault>) {
        self.sandbox.with_world(|world, _| world.inject(fault));
    }

    /// Tests go by names alone: no endpoint can be told a proxy.
    pub fn test_by_name(&self) {
        self.by_name.store(true, Ordering::SeqCst);
    }

    /// What sites were asked so far, as in `GET /`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic holds it").clone()
    }

    /// Blue has basic health, and so has its clone.
    pub fn basic_health(&self) {
        self.sandbox.with_world(|world, _| {
            let blue = world.environment_mut("shop-blue").expect("blue is there");
            blue.enhanced = false;
            for setting in &mut blue.settings {
                if setting.name == "SystemType" {
                    "basic".clone_into(&mut setting.value);
                }
            }
        });
    }

    pub fn journal(&self) -> PathBuf {
        self.folder.path().join("journal.db")
    }

    pub fn store(&self) -> Store {
        Store::open(&self.journal()).expect("the journal opens")
    }

    /// Makes a plan and writes it down, as `run` does.
    pub async fn begin(&self, wanted: Wanted) -> Result<Deployment, Refused> {
        if wanted.strategy == Strategy::Promote {
            self.sandbox.set_policy(Some(policies::promoting()));
        }
        let config = &self.config;
        let found = preflight::find_target(&self.cloud, config, "us-east-1").await?;
        let id = ID.to_owned();
        let around = Surroundings {
            now: self.clock.now(),
            past: Past::default(),
            given_back: BTreeMap::new(),
        };
        let plan = preflight::plan(&self.cloud, config, id, &wanted, found, &around).await?;
        let deployment = Deployment::new(plan, self.clock.now());
        self.store()
            .create(&deployment)
            .expect("the journal takes it");
        Ok(deployment)
    }

    /// The checks before a release that are left unknown, and why.
    pub async fn unknown_checks(&self, wanted: &Wanted) -> Vec<String> {
        let config = &self.config;
        let found = preflight::find_target(&self.cloud, config, "us-east-1").await;
        let found = found.expect("blue is there");
        let around = Surroundings {
            now: self.clock.now(),
            past: Past::default(),
            given_back: BTreeMap::new(),
        };
        let done = preflight::inspect(&self.cloud, config, wanted, &found, &around).await;
        let findings = done
            .expect("what a plan needs is told")
            .findings
            .into_iter();
        let unknown = findings.filter(|finding| finding.verdict == Verdict::Unknown);
        unknown
            .map(|finding| format!("{}: {}", finding.check, finding.evidence))
            .collect()
    }

    /// The state in the bucket.
    pub fn shared(&self) -> SharedState {
        SharedState::new(self.cloud.bucket(BUCKET))
    }

    /// Drives until the deployment rests; `None` where the process died.
    pub async fn drive(&self, deployment: &mut Deployment) -> Option<Result<(), DriveError>> {
        let (_signal, interrupted) = watch::channel(false);
        tokio::select! {
            biased;
            driven = self.process(deployment, self.clock, interrupted) => {
                let found = |found: bool| assert!(found, "it is here or in the bucket");
                Some(driven.map(found))
            }
            () = self.died() => None,
        }
    }

    /// What a process does that resumes: it takes the lease, takes the deployment
    /// up, and drives. Its machine's clock reads what `clock` reads. False where the
    /// deployment is neither here nor in the bucket.
    pub async fn process(
        &self,
        deployment: &mut Deployment,
        clock: Clock,
        interrupted: watch::Receiver<bool>,
    ) -> Result<bool, DriveError> {
        let store = self.store();
        let plan = &deployment.plan;
        // Every command looks at blue first; the answer tells AWS's time too.
        let blue = std::slice::from_ref(&plan.target.blue);
        while let Err(error) = self.cloud.environments(blue).await {
            match error {
                LookError::Passing(_) => clock.sleep(plan.wishes.limits.poll).await,
                other => panic!("{other}"),
            }
        }
        let clock = self.cloud.corrected(clock);
        let journal = store.identity().expect("the journal reads");
        let me = Holder::this_process(Some(&journal));
        let same_disk = |lease: &LeaseRecord| {
            let holder = lease.holder.as_ref();
            holder.is_some_and(|holder| holder.shares_journal_with(&me))
        };
        let (target, id) = (plan.target.clone(), plan.id.clone());
        let length = Duration::from_secs(300);
        let mut contender =
            Contender::new(self.shared(), clock, target, id.clone(), me.clone(), length);
        let mut away = 0;
        let lease = loop {
            match contender.attempt("", same_disk).await {
                Ok(LeaseAttempt::Taken(lease)) => break lease,
                Ok(LeaseAttempt::Held(held)) => clock.sleep(held.runs_out_in.min(length / 4)).await,
                Ok(LeaseAttempt::Unfinished(_, other)) => {
                    let Some(own) = self.shared().deployment(&id).await? else {
                        // It has come no further than this journal, and goes on after the other.
                        clock.sleep(length).await;
                        continue;
                    };
                    let own = own.value.deployment;
                    let (next, state) = (&other.deployment.plan.id, own.state.kind());
                    assert!(
                        own.state.is_end(),
                        "{next} began before {id} ended: {state}"
                    );
                    *deployment = own;
                    return Ok(true);
                }
                Err(error @ SharedError::Away { .. }) => {
                    away += 1;
                    if away > 100 {
                        return Err(error.into());
                    }
                    clock.sleep(plan.wishes.limits.poll).await;
                }
                Err(error) => return Err(error.into()),
            }
        };
        on_heap(|| self.drive_under(lease, deployment, clock, interrupted)).await
    }

    /// Takes a deployment up under its lease, and drives. False where the deployment is neither
    /// here nor in the bucket.
    pub async fn drive_under(
        &self,
        lease: Lease,
        deployment: &mut Deployment,
        clock: Clock,
        interrupted: watch::Receiver<bool>,
    ) -> Result<bool, DriveError> {
        let mut store = self.store();
        let id = deployment.plan.id.clone();
        // Whoever resumes has the configuration of the run.
        let configured = Configured::of(&deployment.plan);
        let vouch = async |record: &DeploymentRecord, _: Option<&Deployment>| {
            let Deployment { plan, state, .. } = &record.deployment;
            vouch_for(&configured, None, plan, state).expect("it is what the run was given");
            Ok::<_, DriveError>(())
        };
        let taken_up = Journal::take_up(&mut store, lease, &id, vouch).await?;
        let Some((journal, found)) = taken_up else {
            return Ok(false);
        };
        *deployment = found;
        let approver =
            Some(self.desk.clone()).filter(|_| deployment.plan.wishes.approval.is_some());
        let driver = Driver::new(&self.cloud, journal, clock, interrupted, report::value)
            .approved_by(approver)
            .hooks_run_by(&self.desk)
            .expecting(preflight::expected(&deployment.plan, &Past::default()))
            .heard_by(&self.heard);
        on_heap(|| driver.drive(deployment)).await?;
        Ok(true)
    }

    /// The disk of the process is gone.
    pub fn lose_the_disk(&self) {
        for suffix in ["", "-wal", "-shm"] {
            let path = self.folder.path().join(format!("journal.db{suffix}"));
            let _ = std::fs::remove_file(path);
        }
    }

    /// Done when the process has died.
    pub async fn died(&self) {
        self.death.came.notified().await;
        self.death.dead.store(false, Ordering::SeqCst);
    }

    /// How a deployment that is over came there, by whichever of its two copies knows more.
    pub async fn way(&self, id: &str) -> Vec<Transition> {
        let here = self.store().transitions(id).expect("the journal reads");
        let there = self.shared().deployment(id).await;
        let there = there.expect("the bucket reads");
        let there = there.map_or_else(Vec::new, |record| record.value.transitions);
        if here.len() < there.len() {
            there
        } else {
            here
        }
    }

    /// Nothing was lost, interrupted or left behind, there was one green ever, and blue
    /// serves this version under its own CNAME.
    #[track_caller]
    pub fn check_all_is_well(&self, version: &str) {
        self.check_only_serves("shop-blue", version);
        assert_eq!(self.greens_ever(), 1);
    }

    /// The same after a release that was ordered back: blue serves the version that it began
    /// with. There was a green for each time that blue was cloned, which the way back does
    /// again where green is gone already; the last may have been asked for in vain.
    #[track_caller]
    pub fn check_all_is_as_before(&self, way: &[Transition]) {
        self.check_only_serves("shop-blue", "v1");
        let moved = |from: &[Kind], to: Kind| {
            let is_one = |t: &&Transition| {
                t.to == to.to_string() && from.iter().any(|from| t.from == from.to_string())
            };
            way.iter().filter(is_one).count()
        };
        let cloned = moved(&[Kind::Preparing, Kind::TerminatingGreen], Kind::Cloning);
        let given_up = moved(&[Kind::Cloning], Kind::Discarding);
        let greens = self.greens_ever();
        assert!(
            (cloned - given_up..=cloned).contains(&greens),
            "{greens} greens in {way:?}"
        );
    }

    /// The same where green was to keep production: it serves this version, and blue
    /// is gone.
    #[track_caller]
    pub fn check_green_is_promoted(&self, version: &str) {
        self.check_only_serves("shop-blue-green", version);
        assert_eq!(self.greens_ever(), 1);
    }

    /// No operation on blue was ever begun but its launch, nor its CNAME swapped.
    #[track_caller]
    pub fn check_blue_was_left_alone(&self) {
        let begun = self.sandbox.with_world(|world, _| {
            let of_blue = world.events_of("shop-blue").into_iter();
            let begins = |message: &String| message.contains(" is starting");
            of_blue
                .map(|event| event.message.clone())
                .filter(begins)
                .collect::<Vec<_>>()
        });
        assert_eq!(
            begun,
            ["createEnvironment is starting."],
            "operations on blue"
        );
    }

    /// How many environments the clients ever created, whatever became of them.
    fn greens_ever(&self) -> usize {
        self.sandbox.report().created.len()
    }

    /// The same of an environment that is the only one left, with nothing left behind.
    #[track_caller]
    pub fn check_only_serves(&self, name: &str, version: &str) {
        self.check_is_served_by(name, version);
        let report = self.sandbox.report();
        assert_eq!(report.leftovers.templates, [""; 0]);
        assert_eq!(report.leftovers.unfinished_uploads, [""; 0]);
        self.sandbox.with_world(|world, _| {
            let found = world.environments().map(|e| e.name.as_str());
            let found: Vec<_> = found.filter(|name| *name != "shop-worker").collect();
            assert_eq!(found, [name]);
            let serving = world.environment(name).expect("it is there");
            let size = |name| serving.setting("aws:autoscaling:asg", name);
            assert_eq!((size("MinSize"), size("MaxSize")), (Some("2"), Some("4")));
        });
    }

    /// Nothing was lost or interrupted, but where the release gives the requests up of whoever
    /// stays with an environment that production has left; and this environment serves this
    /// version under production's CNAME.
    #[track_caller]
    pub fn check_is_served_by(&self, name: &str, version: &str) {
        assert_eq!(self.check_nobody_lost_a_request().as_deref(), Some(name));
        self.sandbox.with_world(|world, _| {
            let serving = world.environment(name).expect("it is there");
            assert_eq!(serving.version_label, version);
        });
    }

    /// Nothing was lost or interrupted, but where the release gives the requests up of whoever
    /// stays with an environment that production has left; which environment holds production's
    /// CNAME in the end.
    #[track_caller]
    pub fn check_nobody_lost_a_request(&self) -> Option<String> {
        // What is still on its way arrives, and every cache expires that is kept as it may be.
        let later = SystemTime::from(self.clock.now()) + Duration::from_secs(3600);
        self.sandbox.with_world(|world, now| {
            assert!(now < later);
            advance(world, Moment::from(later).0);
        });
        let mut report = self.sandbox.report();
        if self.config.wishes.limits.accept_traffic_loss {
            report.interruptions.retain(|effect| effect.serves);
            report.lost -= report.lost_astray;
        }
        assert_eq!(report.lost, 0, "requests lost: {:?}", report.losses);
        assert_eq!(report.interruptions, [], "effects on live environments");
        self.sandbox.with_world(|world, _| {
            let holds = |found: &&Environment| found.cname.as_deref() == Some(PRODUCTION);
            world
                .environments()
                .find(holds)
                .map(|found| found.name.clone())
        })
    }
}

/// A release with nothing but its swaps and the test that every release has.
fn usual_config() -> Config {
    Config {
        app: "shop".to_owned(),
        blue: "shop-blue".to_owned(),
        green: "shop-blue-green".to_owned(),
        bucket: BUCKET.to_owned(),
        shared_state: true,
        preview: None,
        drain_requests: None,
        patience_is_given: false,
        detaches: false,
        wishes: Wishes {
            limits: Limits {
                poll: Duration::from_secs(30),
                // Every call more is a crash more.
                bake: Duration::from_secs(120),
                ..Limits::default()
            },
            ..Wishes::default()
        },
    }
}

/// What a release may ask for beside its swaps and one test.
#[derive(Clone, Copy, Debug, Default)]
pub struct Features {
    /// A hook before and after every stage.
    pub hooks: bool,
    /// A pause before each swap, until it is approved.
    pub pause: bool,
    /// An alarm that watches production.
    pub alarms: bool,
    /// Preview hostnames.
    pub preview: bool,
    /// Rules of a shared load balancer that follow.
    pub shared_balancer: bool,
    /// Green is tested too.
    pub test_green: bool,
    /// A command tests beside HTTP.
    pub test_command: bool,
    /// Several tests over HTTP.
    pub several_tests: bool,
}

impl Features {
    pub const EVERYTHING: Features = Features {
        hooks: true,
        pause: true,
        alarms: true,
        preview: true,
        shared_balancer: true,
        test_green: true,
        test_command: true,
        several_tests: true,
    };
}

/// A hook before and after every stage that may have one; a failure would lead back where
/// there is a way back.
fn hooks_everywhere() -> Vec<Hook> {
    let hook = |when: &str, stage: Kind| {
        let written = |on_failure: &str| {
            let stage = format!("when = '{when}', stage = '{stage}', on-failure = '{on_failure}'");
            let table =
                HookTable::inline(&format!("{{ {stage}, command = 'exit 0', limit = '7s' }}"));
            table.and_then(HookTable::check).ok()
        };
        written("rollback").or_else(|| written("ignore"))
    };
    let kinds = Kind::ALL.into_iter();
    let both = kinds.flat_map(|kind| [hook("before", kind), hook("after", kind)]);
    both.flatten().collect()
}

/// The operator's side on a virtual clock: no process runs, and nobody is asked over a
/// network.
#[derive(Clone, Default)]
pub struct Desk(Arc<Mutex<Word>>);

/// What the operator does and says.
#[derive(Default)]
struct Word {
    /// His answers in turn; the last one for ever.
    approvals: VecDeque<Approval>,
    /// The hooks that ran, as in `before Testing`.
    hooks: Vec<String>,
}

impl Desk {
    /// Answers whether it may go on: so, in turn, and the last for ever.
    pub fn says(&self, approvals: impl IntoIterator<Item = Approval>) {
        self.word().approvals = approvals.into_iter().collect();
    }

    /// The hooks that ran, as in `before Testing`.
    pub fn hooks(&self) -> Vec<String> {
        self.word().hooks.clone()
    }

    fn word(&self) -> MutexGuard<'_, Word> {
        self.0.lock().expect("no panic holds it")
    }
}

impl Approves for Desk {
    fn ask<'a>(&'a self, _: &'a str) -> Pin<Box<dyn Future<Output = Approval> + Send + 'a>> {
        let mut word = self.word();
        let answer = match word.approvals.len() {
            0 => Approval::Wait,
            1 => word.approvals[0].clone(),
            _ => word.approvals.pop_front().expect("there are two"),
        };
        Box::pin(std::future::ready(answer))
    }
}

impl Runner for Desk {
    fn run<'a>(
        &'a self,
        run: &'a Run,
        _: Option<tokio::sync::mpsc::Sender<String>>,
    ) -> Pin<Box<dyn Future<Output = Ran> + Send + 'a>> {
        let told = |name| {
            let found = run.variables.iter().find(|(variable, _)| variable == name);
            found.map_or("", |(_, value)| value.as_str())
        };
        let hook = format!(
            "{} {}",
            told("BLUEGREEN_HOOK_WHEN"),
            told("BLUEGREEN_STAGE")
        );
        self.word().hooks.push(hook);
        Box::pin(pretended(run))
    }
}

async fn sdk_config(sandbox: &Sandbox, death: &Arc<Death>) -> SdkConfig {
    let connector = SharedHttpConnector::new(DirectConnector(sandbox.clone(), death.clone()));
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url("http://127.0.0.1:1")
        .test_credentials()
        .retry_config(aws_config::retry::RetryConfig::standard())
        .time_source(WallTime)
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .load()
        .await
}

/// The clock on the wall, which the SDK goes by.
#[derive(Debug)]
struct WallTime;

impl aws_smithy_async::time::TimeSource for WallTime {
    fn now(&self) -> SystemTime {
        wall()
    }
}

/// Hands requests to the sandbox without a network.
struct DirectConnector(Sandbox, Arc<Death>);

impl fmt::Debug for DirectConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DirectConnector")
    }
}

impl HttpConnector for DirectConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (sandbox, death) = (self.0.clone(), self.1.clone());
        HttpConnectorFuture::new(async move {
            let other =
                |e: Box<dyn std::error::Error + Send + Sync>| ConnectorError::other(e, None);
            let request = request.try_into_http1x().map_err(|e| other(e.into()))?;
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_err(other)?.to_bytes();
            match sandbox.handle(http::Request::from_parts(parts, body)).await {
                Ok(response) => {
                    HttpResponse::try_from(response.map(|body: Bytes| SdkBody::from(body)))
                        .map_err(|e| other(e.into()))
                }
                Err(_) if death.is_dead() => std::future::pending().await,
                Err(hangup) => Err(ConnectorError::io(hangup.into())),
            }
        })
    }
}

/// Asks the sandbox's web sites without a network, by a resolver whose answers were cached at
/// the worst moment.
#[derive(Clone, Debug)]
pub struct DirectProber {
    sandbox: Sandbox,
    by_name: Arc<AtomicBool>,
    /// What sites were asked, as in `GET /`.
    asked: Arc<Mutex<Vec<String>>>,
}

impl DirectProber {
    fn new(sandbox: &Sandbox) -> DirectProber {
        DirectProber {
            sandbox: sandbox.clone(),
            by_name: Arc::default(),
            asked: Arc::default(),
        }
    }
}

impl DirectProber {
    /// Asks what is at an endpoint.
    async fn ask(&self, request: &Request, cname: &str, at: &str) -> Result<Answer, String> {
        let mut builder = http::Request::builder()
            .method(request.method.as_str())
            .uri(request.url.replacen(cname, at, 1))
            .header(http::header::HOST, cname);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let body = Bytes::from(request.body.clone().unwrap_or_default());
        let uri = builder.uri_ref().map_or("", |uri| uri.path());
        let asked = format!("{} {uri}", request.method);
        self.asked.lock().expect("no panic holds it").push(asked);
        let began = tokio::time::Instant::now();
        let asked = self.sandbox.handle(builder.body(body).expect("a request"));
        let answer = asked.await.map_err(|hangup| hangup.to_string())?;
        let location = answer.headers().get(http::header::LOCATION);
        let location = location.map(|to| to.to_str().expect("a URL").to_owned());
        Ok(Answer {
            status: answer.status().as_u16(),
            redirected: None,
            location,
            body: answer.body().to_vec(),
            latency: began.elapsed(),
        })
    }
}

#[async_trait]
impl Prober for DirectProber {
    async fn probe(&self, test: &AcceptanceTest, site: &Site) -> Probe {
        let cname = &site.cname;
        let request = test.request(site.front, cname, |_| None);
        let request = request.expect("no variable is used");
        let endpoint = site.endpoint.clone();
        let endpoint = endpoint.filter(|_| !self.by_name.load(Ordering::SeqCst));
        let is_sure = endpoint.is_some();
        let resolved = || {
            let held = |world: &mut World| world.cached_holder(cname).map(|e| e.endpoint.clone());
            self.sandbox.with_world(|world, _| held(world))
        };
        let at = endpoint.or_else(resolved).expect("it leads somewhere");
        let answered = async {
            let first = self.ask(&request, cname, &at).await?;
            match test.followed(&request, &first) {
                Some(next) => {
                    let led = self.ask(&next, cname, &at).await;
                    let lost = |why| format!("{why}, by https, where a {} leads", first.status);
                    Ok(Answer {
                        redirected: Some(first.status),
                        ..led.map_err(lost)?
                    })
                }
                None => Ok(first),
            }
        };
        let answered = tokio::time::timeout(test.timeout, answered).await;
        let answered = answered.unwrap_or_else(|_| Err("no answer".to_owned()));
        Probe::of(test, site, answered, &Secrets::default()).sure(is_sure)
    }

    async fn run(&self, run: &Run) -> Ran {
        pretended(run).await
    }

    async fn fetch(&self, url: &str) -> Result<String, String> {
        let request = http::Request::get(url).body(Bytes::new());
        let asked = self.sandbox.handle(request.map_err(|e| e.to_string())?);
        let answer = asked.await.map_err(|hangup| hangup.to_string())?;
        match answer.status().as_u16() {
            200 => Ok(String::from_utf8_lossy(answer.body()).into_owned()),
            status => Err(format!("status {status}")),
        }
    }

    async fn look_up(&self, name: &str) -> Result<Led, String> {
        let (names, addresses) = self
            .sandbox
            .with_world(|world, _| world.look_up(name))
            .unwrap_or_default();
        Ok(Led { names, addresses })
    }
}

/// No process runs on a virtual clock: a command takes its limit, and what it says is its
/// exit code.
async fn pretended(run: &Run) -> Ran {
    tokio::time::sleep(run.limit).await;
    let code = run
        .command
        .strip_prefix("exit ")
        .and_then(|code| code.parse().ok());
    Ran {
        end: End::Exited(code.expect("a command such as exit 0")),
        output: format!("{}\n", run.command),
        lasted: run.limit,
    }
}
