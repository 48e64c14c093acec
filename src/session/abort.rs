//! Orders the runner of a deployment to roll back, and rolls it back itself where it has no runner.

use std::cell::Cell;

use super::drive::{Session, give_back};
use super::error::Error;
use super::observer::Notice;
use super::orders::Orders;
use super::outcome::Outcome;
use super::take_over::Claimed;
use crate::claim::{self, Attempted, Claim, ClaimError, Obstacle, Patience, WaitsBehind, WaitsFor};
use crate::deployment::Deployment;
use crate::plan::Plan;
use crate::shared::{DeploymentRecord, at_a_glance};
use crate::store::StoreError;

/// Which process has rolled a deployment back.
#[derive(Debug)]
pub enum Aborted {
    /// Its runner, or it had come to an end before: where it stands.
    ByRunner(Outcome),
    /// This process.
    Here(Outcome),
}

/// What an attempt found where the deployment has no runner.
enum Found {
    /// It has been rolled back, or as far as that went.
    Obeyed(Box<Deployment>),
    /// This process may become its runner.
    Free(Box<Claimed>),
}

impl Session<'_> {
    /// Waits for the runner of a deployment to obey the order to roll back that stands in the
    /// journal; takes the order to a runner elsewhere, and carries it out where there is none.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn abort(&mut self, plan: &Plan, orders: Orders) -> Result<Aborted, Error> {
        let patience = Patience {
            behind: WaitsBehind::TheRunner,
            timeout: plan.wishes.limits.patience,
            poll: plan.wishes.limits.poll,
        };
        let (clock, interruption) = (self.clock, self.interruption.clone());
        let (observer, id) = (self.observer, &plan.id);
        let has_asked = Cell::new(false);
        let mut claim = None;
        let attempt = async || {
            let found = self.look_after_runner(plan, &mut claim, has_asked.get());
            found.await.map(Some)
        };
        let tell = |error: &Error| match error.waits_for() {
            WaitsFor::Nothing => {}
            WaitsFor::Passing | WaitsFor::Obstacle(Obstacle::Away(_)) => {
                observer.observe(Notice::RunnerUnseen(error));
            }
            WaitsFor::Obstacle(obstacle) => {
                if !has_asked.replace(true) {
                    let runner = &runner_in_words(obstacle);
                    observer.observe(Notice::AskedToRollBack { id, runner });
                }
            }
        };
        let found = claim::wait(clock, &interruption, patience, attempt, tell).await?;
        match found {
            Found::Obeyed(deployment) => Ok(Aborted::ByRunner((*deployment).into())),
            Found::Free(claimed) => Ok(Aborted::Here(self.carry_out(*claimed, orders).await?)),
        }
    }

    async fn look_after_runner(
        &mut self,
        plan: &Plan,
        claim: &mut Option<Claim>,
        has_asked: bool,
    ) -> Result<Found, Error> {
        let id = &*plan.id;
        let lock = match self.store.lock_drive(id) {
            Ok(lock) => lock,
            Err(StoreError::Driven { id, holder }) => {
                return Err(ClaimError::from(Obstacle::Driven { id, holder }).into());
            }
            Err(error) => return Err(error.into()),
        };
        let found = self.find(plan).await?;
        let is_ordered = self.store.retreat_requested(id)?;
        let claim = match claim {
            Some(claim) => claim,
            none => {
                let deployment = &found.deployment;
                self.find_environments(&deployment.plan).await?;
                let shared = self.shared_of(&deployment.plan);
                let new = Claim::to_go_on(self.store, &self.clock, shared, deployment, self.lease)?;
                none.insert(new)
            }
        };
        let lease = match found.deployment.state.is_end() {
            true => None,
            false => {
                self.observer.observe(Notice::Claiming);
                match self.attempt(claim, Some(&lock)).await {
                    Ok(lease) => lease,
                    Err(error) => {
                        if let WaitsFor::Obstacle(Obstacle::Held(_)) = error.waits_for() {
                            claim
                                .ask_to_roll_back()
                                .await
                                .map_err(|error| match error {
                                    ClaimError::Shared(error) => Error::drive(id, error),
                                    error => error.into(),
                                })?;
                        }
                        return Err(Error::claiming(id, error));
                    }
                }
            }
        };
        let (found, is_ordered) = match &lease {
            None => (found, is_ordered),
            // Its holder may have come to rest since it was looked at.
            Some(held) => {
                let finding = self.interruption.unless(self.find(plan)).await;
                match finding.map_err(Error::from).and_then(|found| found) {
                    Ok(found) => (found, held.retreat_requested().await),
                    Err(error) => {
                        give_back(lease).await;
                        return Err(error);
                    }
                }
            }
        };
        let state = &found.deployment.state;
        if state.is_end() || has_asked && state.rests() && !is_ordered {
            give_back(lease).await;
            self.store
                .adopt(&found.deployment, &found.transitions, &found.events)?;
            self.store.withdraw_retreat(id)?;
            return Ok(Found::Obeyed(Box::new(found.deployment)));
        }
        Ok(Found::Free(Box::new(Claimed {
            deployment: found.deployment,
            lock,
            lease,
            rested: true,
        })))
    }

    /// The later of a deployment's two copies; this machine's where the other cannot be read.
    async fn find(&self, plan: &Plan) -> Result<DeploymentRecord, Error> {
        let here = self.store.find(&plan.id)?;
        let here = here.map(|here| DeploymentRecord::here(self.store, here));
        let here = here.transpose()?;
        let there = match self.shared_of(plan) {
            None => None,
            Some(shared) => match Box::pin(at_a_glance(shared.deployment(&plan.id))).await {
                Ok(there) => there.map(|there| there.value),
                Err(error) if here.is_some() => {
                    self.observer.observe(Notice::CopyUnread(&error));
                    None
                }
                Err(error) => return Err(ClaimError::from(error).into()),
            },
        };
        let gone = || Error::Gone(plan.id.clone());
        DeploymentRecord::later(here, there).ok_or_else(gone)
    }
}

fn runner_in_words(obstacle: &Obstacle) -> String {
    match obstacle {
        Obstacle::Driven { holder, .. } => holder.clone(),
        Obstacle::Held(held) => {
            let holder = held.lease.holder.as_ref();
            holder.map(ToString::to_string).unwrap_or_default()
        }
        Obstacle::Unfinished { .. } | Obstacle::Ahead(_) | Obstacle::Away(_) => String::new(),
    }
}
