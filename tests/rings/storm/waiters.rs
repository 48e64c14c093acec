//! Processes on other machines that wait for their turn behind a storm's release, each with a
//! later version.

use std::collections::BTreeMap;
use std::time::Duration;

use bluegreen::claim::{Claim, ClaimError, Obstacle};
use bluegreen::cloud::LookError;
use bluegreen::deployment::Deployment;
use bluegreen::facts::is_healthy;
use bluegreen::health::Health;
use bluegreen::heap::on_heap;
use bluegreen::plan::Strategy;
use bluegreen::preflight::{self, Past, Refused, Surroundings, Wanted};
use bluegreen::shared::Lease;
use bluegreen_sandbox::{Form, apply};
use tokio::sync::watch;

use super::weather::Weather;
use super::{PROCESSES_MAX, Struck, count, obeyed};
use crate::support::virtual_world::VirtualWorld;

/// A process that comes and waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiter {
    label: &'static str,
    id: &'static str,
    /// Seconds since the first release began.
    comes: u64,
    /// Seconds for which it waits.
    waits: u64,
    /// Seconds for which its machine sleeps once it is in line, where it does.
    sleeps: Option<u64>,
}

/// The release that is waited for has its place in the queue, as every `run` has.
pub(super) async fn begins(world: &VirtualWorld, first: &Deployment) {
    let (mut store, shared) = (world.store(), Some(world.shared()));
    let (target, id) = (&first.plan.target, first.plan.id.as_str());
    let claim = Claim::to_begin(&store, &world.clock, shared, (target, id), (LEASE, POLL));
    let mut claim = claim.expect("the journal reads");
    claim.begins(&mut store, &world.clock).await;
}

/// How often a process that waits looks.
const POLL: Duration = Duration::from_secs(120);
/// How long a lease lasts, and the tickets of the queue by it.
const LEASE: Duration = Duration::from_secs(300);

/// What became of a process that waited.
#[derive(Debug)]
pub(super) enum Waited {
    /// Its release began, and came to this end or was left there.
    Released(Box<Deployment>),
    /// Something newer was released meanwhile.
    Overtaken(String),
    /// Its turn did not come in time, or it died before.
    InVain,
}

impl Waiter {
    /// One or two, the version of the one that comes later the newer one.
    pub fn some(rng: &mut fastrand::Rng) -> Vec<Waiter> {
        let ids = ["01JV1RT0A1W0R1D00000000003", "01JV1RT0A1W0R1D00000000004"];
        let first = rng.u64(..2_400);
        let waiters = ["v3", "v4"].into_iter().zip(ids).zip([first, first + 60]);
        let waiters = waiters.map(|((label, id), from)| Waiter {
            label,
            id,
            comes: from + rng.u64(..1_200),
            waits: rng.u64(3_600..28_800),
            sleeps: None,
        });
        let mut waiters: Vec<_> = waiters.collect();
        if waiters[1].comes <= waiters[0].comes || rng.u8(..4) == 0 {
            waiters.pop();
        } else if rng.bool() {
            // Who comes later goes first then, and this one finds something newer.
            waiters[0].sleeps = Some(rng.u64(7_200..28_800));
            waiters[0].waits = 100_000;
            waiters[1].waits = 50_000;
        }
        waiters
    }

    /// Its version is registered, as every version of the shop is.
    pub fn register(&self, world: &VirtualWorld) {
        let form = format!(
            "Action=CreateApplicationVersion&ApplicationName=shop&VersionLabel={}\
             &SourceBundle.S3Bucket=shop-artifacts&SourceBundle.S3Key=shop/v2.zip",
            self.label
        );
        world.sandbox.with_world(|world, _| {
            world.set_policy(None);
            apply(world, &Form::parse(form.as_bytes()));
        });
    }

    /// Comes, waits, releases.
    pub async fn play(
        self,
        first: &VirtualWorld,
        weather: &Weather,
        mut rng: fastrand::Rng,
        struck: &Struck,
    ) -> Waited {
        let mut world = first.another_machine().await;
        world.config.wishes.healthy = first.config.wishes.healthy;
        world.config.wishes.limits.accept_traffic_loss = weather.accepts_losses();
        world.config.wishes.limits.poll = POLL;
        world.clock.sleep(Duration::from_secs(self.comes)).await;
        count(struck, "waiters");
        let begun = tokio::select! {
            biased;
            begun = self.waits_for_its_turn(&world, &mut rng) => begun,
            // What died before anything was begun is not run again.
            () = world.died() => return Waited::InVain,
        };
        let (mut deployment, lease) = match begun {
            Ok(begun) => begun,
            Err(waited) => return waited,
        };
        count(struck, "turns");
        let (_signal, interrupted) = watch::channel(false);
        let clock = world.cloud.corrected(world.clock);
        let driven = tokio::select! {
            biased;
            driven = on_heap(|| world.drive_under(lease, &mut deployment, clock, interrupted)) => Some(driven),
            () = world.died() => None,
        };
        let mut is_left = obeyed(&world, &mut rng, &mut deployment, driven);
        for _ in 0..PROCESSES_MAX {
            if deployment.state.is_end() || is_left {
                return Waited::Released(Box::new(deployment));
            }
            is_left = super::process(&world, &mut rng, &mut deployment, struck).await;
        }
        panic!("no end of {deployment:?}");
    }

    /// Waits as `run --wait` does, and writes its plan down.
    async fn waits_for_its_turn(
        &self,
        world: &VirtualWorld,
        rng: &mut fastrand::Rng,
    ) -> Result<(Deployment, Lease), Waited> {
        let (mut place, mut sleeps) = (InLine::default(), self.sleeps);
        let since = world.clock.now();
        loop {
            match self.attempt(world, &mut place).await {
                Attempt::Begun(begun) => return Ok(*begun),
                Attempt::Overtaken(by) => return Err(Waited::Overtaken(by)),
                Attempt::Again => continue,
                // `run` ends where the bucket is away; once in line it might be run again.
                Attempt::Busy if place.claim.is_some() && !place.is_in_line => {
                    return Err(Waited::InVain);
                }
                Attempt::Busy => {}
            }
            if world.clock.now().since(since) >= Duration::from_secs(self.waits) {
                if let Some(claim) = &place.claim {
                    claim.leave(&mut world.store()).await;
                }
                return Err(Waited::InVain);
            }
            // Now and then its machine sleeps for longer than its ticket lasts.
            let asleep = match rng.u8(..16) {
                0 => rng.u64(..2_400),
                _ => sleeps.take_if(|_| place.is_in_line).unwrap_or(0),
            };
            world.clock.sleep(POLL + Duration::from_secs(asleep)).await;
        }
    }

    /// One attempt, in the order of `run`'s.
    async fn attempt(&self, world: &VirtualWorld, place: &mut InLine) -> Attempt {
        let (cloud, config) = (&world.cloud, &world.config);
        let look = || preflight::find_target(cloud, config, "us-east-1");
        let mut store = world.store();
        let Some(found) = passing(look().await) else {
            return Attempt::Busy;
        };
        let clock = cloud.corrected(world.clock);
        let claim = place.claim.get_or_insert_with(|| {
            let often = (LEASE, POLL);
            let shared = Some(world.shared());
            let claim = Claim::to_begin(&store, &clock, shared, (&found.0, self.id), often);
            claim.expect("the journal reads").waiting()
        });
        let unobstructed = claim.unobstructed(&mut store, &clock, &found.1).await;
        place.is_in_line |= !unobstructed.as_ref().is_err_and(is_away);
        if let Err(error) = unobstructed {
            return busy_where_obstructed(error);
        }
        let Some(found) = passing(look().await) else {
            return Attempt::Busy;
        };
        if place.waits_for_blue && !is_healthy(&found.1, config.wishes.healthy.max(Health::Warning))
        {
            return Attempt::Busy;
        }
        match claim
            .not_overtaken(&mut store, &found.1, Some(self.label))
            .await
        {
            Ok(()) => {}
            Err(ClaimError::Overtaken(by)) => {
                claim.leave(&mut store).await;
                return Attempt::Overtaken(by.to_string());
            }
            Err(error) => return busy_where_obstructed(error),
        }
        let wanted = Wanted {
            label: Some(self.label.to_owned()),
            strategy: Strategy::Restore,
            ..Wanted::default()
        };
        let around = Surroundings {
            now: clock.now(),
            past: Past::default(),
            given_back: BTreeMap::new(),
        };
        let id = self.id.to_owned();
        let planned = on_heap(|| preflight::plan(cloud, config, id, &wanted, found, &around)).await;
        if let Err(refused) = &planned
            && refused.may_pass()
        {
            place.waits_for_blue = true;
            return Attempt::Busy;
        }
        let Some(plan) = passing(planned) else {
            return Attempt::Busy;
        };
        let lease = match claim.take(&store, &clock, None).await {
            Ok(lease) => lease.expect("the bucket keeps leases"),
            Err(error) => return busy_where_obstructed(error),
        };
        let again = passing(look().await);
        let runs = again
            .as_ref()
            .and_then(|found| found.1.version_label.as_ref());
        if runs != Some(&plan.previous_version) {
            lease.release().await;
            return Attempt::Again;
        }
        claim.begins(&mut store, &clock).await;
        let mut deployment = Deployment::new(plan, clock.now());
        deployment.fence = lease.fence().await;
        store.create(&deployment).expect("the journal takes it");
        Attempt::Begun(Box::new((deployment, lease)))
    }
}

/// How a waiter stands.
#[derive(Default)]
struct InLine {
    claim: Option<Claim>,
    is_in_line: bool,
    /// Whether nothing but blue's health was in the way when it was last planned.
    waits_for_blue: bool,
}

enum Attempt {
    Begun(Box<(Deployment, Lease)>),
    Overtaken(String),
    Busy,
    Again,
}

/// What was looked at; none where AWS does not answer for now.
fn passing<T>(looked: Result<T, Refused>) -> Option<T> {
    match looked {
        Ok(found) => Some(found),
        Err(Refused::Look(LookError::Passing(_))) => None,
        Err(refused) => panic!("{refused}"),
    }
}

fn is_away(error: &ClaimError) -> bool {
    matches!(error, ClaimError::Obstructed(obstacle) if matches!(**obstacle, Obstacle::Away(_)))
}

fn busy_where_obstructed(error: ClaimError) -> Attempt {
    match error {
        ClaimError::Obstructed(_) => Attempt::Busy,
        error => panic!("{error}"),
    }
}
