//! What a release takes beside AWS's own time, and what it calls.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bluegreen::clock::Moment;
use bluegreen::events::Happened;
use bluegreen::machine::Kind;
use bluegreen::plan::{Limits, Wishes};
use bluegreen_sandbox::{Phase, Service, Timings};
use bluegreen_testing::tell;

use crate::support::virtual_world::{Fate, VirtualWorld, v2};

/// What a release took and called, state by state.
struct Release {
    timings: Timings,
    limits: Limits,
    /// How long it was in each state, in their order.
    states: Vec<(Kind, Duration)>,
    /// Its calls: of which service, and in which state.
    calls: Vec<(Service, Kind)>,
}

impl Release {
    /// A release with the default settings, in a world whose durations are drawn by this seed:
    /// each up to three tenths shorter or longer than usual, and just as long every time.
    async fn of(seed: u64) -> Release {
        let mut world = VirtualWorld::new().await;
        let limits = Limits::default();
        world.config.wishes = Wishes {
            limits: limits.clone(),
            ..Wishes::default()
        };
        let timings = drawn(seed);
        world.sandbox.with_world(|world, _| {
            world.seed_chance(seed);
            // A blue that does not shrink while it is idle takes no time for its sizes.
            world.clear_faults();
            world.timings = timings;
        });
        let called = Arc::<Mutex<Vec<(Moment, Service)>>>::default();
        let (calls, clock) = (called.clone(), world.clock);
        world.on_call(move |call, phase| {
            if phase == Phase::Before {
                let mut calls = calls.lock().expect("no panic holds it");
                calls.push((clock.now(), call.service));
            }
            Fate::Life
        });
        let mut began = world.clock.now();
        let mut deployment = world.begin(v2()).await.expect("preflight passes");
        let driven = world.drive(&mut deployment).await;
        driven.expect("nobody dies").expect("AWS answers");
        world.check_all_is_well("v2");
        let mut ends = Vec::new();
        let mut states = Vec::new();
        for event in world.heard.events() {
            let at = event.record.at;
            if let Happened::StateEntered { from, .. } = event.record.happened {
                states.push((from, at.since(began)));
                ends.push((at, from));
                began = at;
            }
        }
        let state_at = |at: Moment| {
            let state = ends.iter().find(|(end, _)| at < *end);
            state.map_or(Kind::Completed, |(_, state)| *state)
        };
        let called = called.lock().expect("no panic holds it");
        let calls = called.iter();
        let calls = calls
            .map(|(at, service)| (*service, state_at(*at)))
            .collect();
        Release {
            timings,
            limits,
            states,
            calls,
        }
    }

    /// What AWS itself and the configured waits take in this state.
    fn least(&self, state: Kind) -> Duration {
        let timings = &self.timings;
        match state {
            Kind::Cloning => Duration::from_secs(timings.launch_seconds),
            Kind::Warming => Duration::from_secs(timings.warm_seconds),
            Kind::SwappingToGreen | Kind::SwappingToBlue => {
                Duration::from_secs(timings.swap_seconds)
            }
            Kind::DrainingBlue => self.limits.drain,
            Kind::Deploying => Duration::from_secs(timings.deploy_seconds),
            Kind::Testing => Duration::from_secs(timings.settle_seconds),
            Kind::Baking => self.limits.bake,
            Kind::TerminatingGreen => Duration::from_secs(timings.terminate_seconds),
            _ => Duration::ZERO,
        }
    }

    /// The time until users are on the new version for good, by AWS's own and the configured waits.
    fn ratio(&self) -> f64 {
        let until = self
            .states
            .iter()
            .take_while(|(state, _)| *state != Kind::Baking);
        let (took, least) = until.fold((0.0, 0.0), |(took, least), (state, lasted)| {
            (
                took + lasted.as_secs_f64(),
                least + self.least(*state).as_secs_f64(),
            )
        });
        took / least
    }

    fn calls_of(&self, service: Service) -> usize {
        let of_service = self.calls.iter().filter(|(of, _)| *of == service);
        of_service.count()
    }

    /// The calls of Elastic Beanstalk in a state.
    fn calls_in(&self, state: Kind) -> usize {
        let called = (Service::ElasticBeanstalk, state);
        self.calls.iter().filter(|call| **call == called).count()
    }
}

fn drawn(seed: u64) -> Timings {
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut vary = |seconds: u64| seconds * chance.u64(70..=130) / 100;
    let usual = Timings::default().even();
    Timings {
        launch_seconds: vary(usual.launch_seconds),
        warm_seconds: vary(usual.warm_seconds),
        deploy_seconds: vary(usual.deploy_seconds),
        settle_seconds: vary(usual.settle_seconds),
        swap_seconds: vary(usual.swap_seconds),
        terminate_seconds: vary(usual.terminate_seconds),
        ..usual
    }
}

/// The table of docs/performance.md.
fn row(seed: u64, release: &Release) -> String {
    let bake: usize = release.calls_in(Kind::Baking);
    let all = release.calls_of(Service::ElasticBeanstalk);
    format!(
        "| {seed} | {:.2} | {all} | {bake} | {} |",
        release.ratio(),
        release.calls_of(Service::S3)
    )
}

/// Users are on the new version for good after little more than what AWS itself takes, the drain and
/// what is counted in a row; and a release calls AWS rarely.
#[tokio::test(start_paused = true)]
async fn a_release_takes_little_more_than_aws_and_calls_it_rarely() {
    tell("| seed | time, AWS's own = 1 | Elastic Beanstalk | in the bake | S3 |");
    for seed in 1..=5 {
        let release = Release::of(seed).await;
        tell(&row(seed, &release));
        for (state, lasted) in &release.states {
            let (lasted, least) = (lasted.as_secs(), release.least(*state).as_secs());
            let calls = release.calls_in(*state);
            tell(&format!("  {state}: {lasted} s of {least}, {calls} calls"));
        }
        assert!(release.ratio() < 1.2, "seed {seed}: {}", release.ratio());
        let calls = release.calls_of(Service::ElasticBeanstalk);
        assert!(calls <= 310, "seed {seed}: {calls} of Elastic Beanstalk");
        let calls = release.calls_of(Service::S3);
        assert!(calls <= 45, "seed {seed}: {calls} of S3");
    }
}
