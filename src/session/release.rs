//! A new release: its place in the queue, its plan, its lock, and its beginning.

use std::time::Duration;

use super::drive::{Begun, Session, give_back};
use super::error::Error;
use super::observer::Notice;
use super::outcome::Outcome;
use super::past::{given_back, past, recent};
use crate::claim::{self, Claim, ClaimError, Patience, WaitsBehind};
use crate::clock::Clock;
use crate::cloud::Environment;
use crate::config::Config;
use crate::deployment::Deployment;
use crate::facts::is_healthy;
use crate::health::Health;
use crate::plan::{Plan, Strategy, Target};
use crate::preflight::{self, Surroundings, Wanted};
use crate::shared::{Lease, SharedState};
use crate::store::{DriveLock, Store, StoreError};

/// A release to begin.
#[derive(Clone, Copy, Debug)]
pub struct Release<'a> {
    /// The target, and what its plan is made of.
    pub config: &'a Config,
    /// The version, and how it is released.
    pub wanted: &'a Wanted,
    /// The region of the target.
    pub region: &'a str,
    /// How long it waits behind other releases, and for production to be healthy.
    pub wait: Duration,
    /// The id of the deployment, where it was chosen before: a deployment that has it already is
    /// not begun again. `None` for a new one.
    pub id: Option<&'a str>,
}

/// A release that waits until it may begin.
struct Waiting<'a> {
    release: &'a Release<'a>,
    id: &'a str,
    lock: &'a DriveLock,
    /// `None` before the target was seen.
    claim: Option<Claim>,
    /// Whether only blue's health prevented it when it was last planned.
    waits_for_blue: bool,
}

impl Session<'_> {
    /// Waits until nothing prevents a release, makes its plan, and carries it out until it rests.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn release(&mut self, release: Release<'_>) -> Result<Outcome, Error> {
        let id = match release.id {
            Some(id) => id.to_owned(),
            None => ulid::Ulid::new().to_string(),
        };
        // Before the lease: whoever finds that held looks at this lock to see whether its
        // holder is alive.
        let lock = self.store.lock_drive(&id)?;
        let mut waiting = Waiting {
            release: &release,
            id: &id,
            lock: &lock,
            claim: None,
            waits_for_blue: false,
        };
        let patience = Patience {
            behind: WaitsBehind::Everybody,
            timeout: release.wait,
            poll: release.config.wishes.limits.poll,
        };
        let (clock, interruption) = (self.clock, self.interruption.clone());
        let observer = self.observer;
        let attempt = async || waiting.attempt(self).await;
        let tell = |error: &Error| observer.observe(Notice::InQueue(error));
        let begun = claim::wait(clock, &interruption, patience, attempt, tell).await;
        match begun {
            Ok(begun) => self.drive(begun, lock).await,
            Err(error) => {
                if let Some(claim) = &waiting.claim {
                    claim.leave(self.store).await;
                }
                Err(error)
            }
        }
    }
}

impl Waiting<'_> {
    /// Begins where it may. `None` where the findings have changed meanwhile.
    async fn attempt(&mut self, session: &mut Session<'_>) -> Result<Option<Begun>, Error> {
        let Release {
            config,
            wanted,
            region,
            wait,
            id: chosen,
        } = *self.release;
        let (cloud, interruption) = (session.cloud.clone(), session.interruption.clone());
        let look = || preflight::find_target(&cloud, config, region);
        let mut found = interruption.unless(look()).await??;
        let claim = match &mut self.claim {
            Some(claim) => claim,
            none => {
                session.clock = cloud.corrected(session.clock);
                let shared = config.shared_state;
                let shared = shared.then(|| SharedState::new(cloud.bucket(&config.bucket)));
                let often = (session.lease, config.wishes.limits.poll);
                let of = (&found.0, self.id);
                let claim = Claim::to_begin(session.store, &session.clock, shared, of, often)?;
                none.insert(match wait.is_zero() {
                    true => claim,
                    false => claim.waiting(),
                })
            }
        };
        let clock = session.clock;
        if !wait.is_zero() {
            // Its place in the queue.
            session.observer.observe(Notice::Claiming);
        }
        let looking = claim.unobstructed(session.store, &clock, &found.1);
        interruption.unless(looking).await??;
        if !wait.is_zero() {
            // What it waited for may have ended since that look.
            found = interruption.unless(look()).await??;
        }
        // Whether a Warning is accepted, which blue's own settings may say, is preflight's to judge.
        let worth_checking = config.wishes.healthy.max(Health::Warning);
        if self.waits_for_blue && !is_healthy(&found.1, worth_checking) {
            return Err(not_healthy(&found.1));
        }
        if wanted.strategy != Strategy::Rehearse {
            let label = wanted.label.as_deref();
            let looking = claim.not_overtaken(session.store, &found.1, label);
            interruption.unless(looking).await??;
        }
        let around = surroundings(session.store, &found.0, &clock)?;
        let id = self.id.to_owned();
        let planning = preflight::plan(&cloud, config, id, wanted, found, &around);
        let plan = interruption.unless(planning).await?;
        let plan = plan.inspect_err(|refused| self.waits_for_blue |= refused.may_pass())?;
        session.observer.observe(Notice::Claiming);
        let lease = session.attempt(claim, Some(self.lock)).await?;
        // Another release may have come and gone between the plan and its lease.
        let begins = async {
            if chosen.is_some() {
                not_begun(&plan, session).await?;
            }
            let fits = still_fits(&plan, session, config).await?;
            if fits {
                claim.begins(session.store, &clock).await;
            }
            Ok::<_, Error>(fits)
        };
        let fits = match interruption.unless(begins).await {
            Ok(fits) => fits,
            Err(interrupted) => Err(interrupted.into()),
        };
        match fits {
            Ok(true) => {}
            Ok(false) => {
                give_back(lease).await;
                let blue = &config.blue;
                session.observer.observe(Notice::ProductionChanged { blue });
                return Ok(None);
            }
            Err(error) => {
                give_back(lease).await;
                return Err(error);
            }
        }
        let deployment = Deployment::new(plan, clock.now());
        session.write_down(deployment, lease).await.map(Some)
    }
}

impl Session<'_> {
    /// Writes a new deployment into the journal, with the fencing number of its lock.
    pub(super) async fn write_down(
        &mut self,
        mut deployment: Deployment,
        lease: Option<Lease>,
    ) -> Result<Begun, Error> {
        if let Some(lease) = &lease {
            deployment.fence = lease.fence().await;
        }
        match self.store.create(&deployment) {
            Ok(()) => Ok(Begun { deployment, lease }),
            Err(error) => {
                give_back(lease).await;
                Err(error.into())
            }
        }
    }
}

/// Blue is still not healthy enough for a release. Nothing else is read before it is.
fn not_healthy(blue: &Environment) -> Error {
    let health = blue.health_status.as_ref().unwrap_or(&blue.health);
    Error::NotHealthy {
        blue: blue.name.clone(),
        status: blue.status.clone(),
        health: health.to_string(),
    }
}

/// Refuses a deployment that is there already: another process has begun it, under a lock that it
/// has returned since.
async fn not_begun(plan: &Plan, session: &Session<'_>) -> Result<(), Error> {
    let id = &plan.id;
    let here = session.store.find(id)?.is_some();
    let is_there = match session.shared_of(plan) {
        Some(shared) if !here => {
            let found = shared.deployment(id).await;
            found.map_err(ClaimError::from)?.is_some()
        }
        _ => here,
    };
    match is_there {
        true => Err(Error::Begun(id.clone())),
        false => Ok(()),
    }
}

/// Whether blue is still what a plan was made for.
async fn still_fits(plan: &Plan, session: &Session<'_>, config: &Config) -> Result<bool, Error> {
    let region = &plan.target.region;
    let (_, blue, _) = preflight::find_target(&session.cloud, config, region).await?;
    let runs = blue.version_label.as_deref() == Some(plan.previous_version.as_str());
    Ok(blue.id == plan.blue_id && runs && blue.holds(&plan.production_cname))
}

/// AWS's time, and what the journal knows of this target's completed deployments.
///
/// # Errors
/// [`StoreError`] where the journal does not read.
pub fn surroundings(
    store: &Store,
    target: &Target,
    clock: &Clock,
) -> Result<Surroundings, StoreError> {
    let recent = recent(store, target)?;
    Ok(Surroundings {
        now: clock.now(),
        past: past(store, &recent)?,
        given_back: given_back(&recent),
    })
}
