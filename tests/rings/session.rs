//! Releases played as a library: several in one process, which goes on after them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bluegreen::claim::{ClaimError, Interruption};
use bluegreen::config::Config;
use bluegreen::driver::DriveError;
use bluegreen::events::Happened;
use bluegreen::machine::{Kind, Rest};
use bluegreen::session::{Error, Notice, Observer, Outcome, Release, Session};
use bluegreen::store::Store;
use bluegreen_sandbox::{Form, Phase, Status, apply};
use tokio::sync::watch;

use crate::support::receiver::Silent;
use crate::support::virtual_world::{Fate, Heard, VirtualWorld, v2};

/// What a session has told before its deployment was driven.
#[derive(Default)]
struct Noticed(Mutex<Vec<String>>);

impl Observer for Noticed {
    fn observe(&self, notice: Notice<'_>) {
        let told = match notice {
            Notice::Begun(deployment) => format!("begun {}", deployment.plan.target.blue),
            Notice::InQueue(error) => error.to_string(),
            other => format!("{other:?}"),
        };
        self.0.lock().expect("no panic holds it").push(told);
    }
}

impl Noticed {
    fn has(&self, what: &str) -> bool {
        let told = self.0.lock().expect("no panic holds it");
        told.iter().any(|told| told.contains(what))
    }
}

/// A process with a journal, in a virtual world.
struct Process<'a> {
    world: &'a VirtualWorld,
    store: Store,
    interruption: Interruption,
    noticed: Noticed,
    heard: Heard,
}

impl<'a> Process<'a> {
    fn new(world: &'a VirtualWorld, interrupted: &watch::Sender<bool>) -> Process<'a> {
        Process {
            world,
            store: world.store(),
            interruption: interrupted.subscribe().into(),
            noticed: Noticed::default(),
            heard: Heard::default(),
        }
    }

    fn session(&mut self) -> Session<'_> {
        Session {
            cloud: self.world.cloud.clone(),
            store: &mut self.store,
            clock: self.world.clock,
            interruption: self.interruption.clone(),
            lease: Duration::from_secs(300),
            approver: None,
            messenger: Arc::new(Silent),
            listener: &self.heard,
            observer: &self.noticed,
        }
    }

    async fn releases(&mut self, config: &Config, wait: Duration) -> Result<Outcome, Error> {
        let release = Release {
            config,
            wanted: &v2(),
            region: "us-east-1",
            wait,
            id: None,
        };
        Box::pin(self.session().release(release)).await
    }
}

/// A world with a second production environment of the same application, and its configuration.
async fn two_targets() -> (VirtualWorld, Config) {
    let world = VirtualWorld::new().await;
    // The policy names one blue, and these are two.
    world.sandbox.set_policy(None);
    world.sandbox.with_world(|world, _| {
        let blue = world.environment("shop-blue").expect("blue is there");
        let stack = blue.solution_stack.replace(' ', "+");
        let form = format!(
            "Action=CreateEnvironment&Version=2010-12-01&ApplicationName=shop\
             &EnvironmentName=till-blue&VersionLabel=v1&CNAMEPrefix=till&SolutionStackName={stack}"
        );
        apply(world, &Form::parse(form.as_bytes()));
    });
    let is_ready = || {
        world.sandbox.with_world(|world, _| {
            let till = world.environment("till-blue").expect("it is there");
            till.status == Status::Ready && till.health_status == "Ok"
        })
    };
    while !is_ready() {
        world.clock.sleep(Duration::from_secs(60)).await;
    }
    let till = Config {
        blue: "till-blue".to_owned(),
        green: "till-blue-green".to_owned(),
        ..world.config.clone()
    };
    (world, till)
}

#[tokio::test(start_paused = true)]
async fn two_targets_are_released_at_the_same_time_in_one_process() {
    let (world, till) = two_targets().await;
    let (signal, _) = watch::channel(false);
    let mut shops = Process::new(&world, &signal);
    let mut tills = Process::new(&world, &signal);
    let (shop, till) = tokio::join!(
        shops.releases(&world.config, Duration::ZERO),
        tills.releases(&till, Duration::ZERO)
    );
    for (outcome, process, blue) in [(shop, shops, "shop-blue"), (till, tills, "till-blue")] {
        let Outcome { deployment, rest } = outcome.expect("it is released");
        assert_eq!(
            (rest, &*deployment.plan.target.blue),
            (Some(Rest::Completed), blue)
        );
        // Each listener hears of its own deployment alone, from its begin to its end.
        let events = process.heard.events();
        assert!(events.iter().all(|event| event.target.blue == blue));
        let entered = events
            .iter()
            .rev()
            .find_map(|event| match event.record.happened {
                Happened::StateEntered { to, .. } => Some(to),
                _ => None,
            });
        assert_eq!(entered, Some(Kind::Completed), "{blue}");
        assert!(process.noticed.has(&format!("begun {blue}")));
    }
    world.sandbox.with_world(|world, _| {
        for name in ["shop-blue", "till-blue"] {
            let blue = world.environment(name).expect("it is there");
            assert_eq!(blue.version_label, "v2", "{name}");
        }
    });
    assert_eq!(world.sandbox.report().lost, 0);
}

#[tokio::test(start_paused = true)]
async fn a_session_waits_behind_another_one_of_its_process_or_is_refused() {
    let world = VirtualWorld::new().await;
    let (signal, _) = watch::channel(false);
    let mut first = Process::new(&world, &signal);
    let mut second = Process::new(&world, &signal);
    let mut third = Process::new(&world, &signal);
    let (day, later) = (Duration::from_secs(86_400), Duration::from_secs(600));
    let (released, waited, refused) = tokio::join!(
        first.releases(&world.config, Duration::ZERO),
        async {
            world.clock.sleep(later).await;
            second.releases(&world.config, day).await
        },
        async {
            world.clock.sleep(2 * later).await;
            third.releases(&world.config, Duration::ZERO).await
        },
    );
    assert_eq!(
        released.expect("it is released").rest,
        Some(Rest::Completed)
    );
    assert!(second.noticed.has("is not finished"));
    // The version that it waited for is released already.
    assert!(matches!(waited, Err(Error::Refused(_))), "{waited:?}");
    let is_obstructed = matches!(refused, Err(Error::Claim(ClaimError::Obstructed(_))));
    assert!(is_obstructed, "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn an_interruption_ends_its_own_sessions_alone() {
    let (world, till) = two_targets().await;
    let (ends, _) = watch::channel(false);
    let (stays, _) = watch::channel(false);
    let ends = Arc::new(ends);
    let mut shops = Process::new(&world, &ends);
    let mut tills = Process::new(&world, &stays);
    world.on_call(move |call, phase| {
        if call.operation == "SwapEnvironmentCNAMEs" && phase == Phase::After {
            ends.send_replace(true);
        }
        Fate::Life
    });
    let (shop, till) = tokio::join!(
        shops.releases(&world.config, Duration::ZERO),
        tills.releases(&till, Duration::ZERO)
    );
    let interrupted = matches!(
        shop,
        Err(Error::Drive {
            error: DriveError::Signal,
            ..
        })
    );
    assert!(interrupted, "{shop:?}");
    assert_eq!(till.expect("it is released").rest, Some(Rest::Completed));
}
