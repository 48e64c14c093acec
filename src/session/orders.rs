//! An operator's orders for a deployment that is under way.

use super::error::Error;
use crate::acceptance::all_set;
use crate::clock::{Clock, Moment};
use crate::cloud::AwsCloud;
use crate::config::Named;
use crate::deployment::Deployment;
use crate::journal::Journal;
use crate::machine::{Drift, Kind, NotPossible, Order, obey};
use crate::plan::Plan;
use crate::preflight::{Refused, asks_for, usable};
use crate::preview::Asked;
use crate::trust::Configured;

/// An operator's orders for a deployment that is under way, and which parts of its copy in the
/// bucket may be believed.
#[derive(Clone, Debug)]
pub struct Orders {
    /// The order itself.
    pub order: Order,
    /// Who has given it and why, as the history keeps it.
    pub said: Option<String>,
    /// Since when no process had carried the deployment on, where its receivers hear of that.
    pub interrupted_since: Option<Moment>,
    /// What changes in its plan, and what must not differ from it.
    pub named: Named,
    /// Whether traffic that stays may be lost from now on.
    pub accept_traffic_loss: bool,
    /// What this process's own configuration vouches for.
    pub vouched: Vouched,
}

/// What this process's own configuration says; a copy in the bucket is compared with it.
#[derive(Clone, Debug, Default)]
pub struct Vouched {
    /// Commands, tests and hooks.
    pub configured: Configured,
    /// Preview hostnames.
    pub previews: Option<Asked>,
}

impl Orders {
    /// Refuses hooks, receivers and preview hostnames that are named and are not those that the
    /// run was given.
    ///
    /// # Errors
    /// [`Error::UnlikeItsRun`].
    pub fn fit(&self, deployment: &Deployment) -> Result<(), Error> {
        let plan = &deployment.plan;
        let Named {
            hooks,
            receivers,
            previews,
            ..
        } = &self.named;
        let flag = if hooks
            .as_ref()
            .is_some_and(|hooks| *hooks != plan.wishes.hooks)
        {
            "--hook"
        } else if receivers
            .as_ref()
            .is_some_and(|receivers| *receivers != plan.wishes.notify)
        {
            "--notify"
        } else if previews
            .as_ref()
            .is_some_and(|asked| !asked.may_be(plan.preview.as_ref()))
        {
            "--preview-host"
        } else {
            return Ok(());
        };
        let id = plan.id.clone();
        Err(Error::UnlikeItsRun { flag, id })
    }

    /// Refuses to resume a pause where nothing would request its approval and the order does not
    /// give it.
    pub(super) fn approves(&self, deployment: &Deployment, is_asked: bool) -> Result<(), Error> {
        if self.order != Order::Resume || is_asked || !deployment.awaits_approval() {
            return Ok(());
        }
        Err(Error::NoApprover {
            id: deployment.plan.id.clone(),
            state: deployment.state.kind(),
        })
    }

    /// Checks the order and writes down what follows from it.
    pub(super) async fn write_down(
        &self,
        cloud: &AwsCloud,
        journal: &mut Journal<'_>,
        deployment: &mut Deployment,
        clock: Clock,
    ) -> Result<(), Error> {
        let (state, mut plan) = obey(&deployment.state, &deployment.plan, self.order.clone())?;
        let discarded = self.discarded(deployment)?;
        plan.wishes.limits.accept_traffic_loss |= self.accept_traffic_loss;
        if let Some(tests) = self.named.tests.clone() {
            let goal = plan.goal;
            tests.replace(&mut plan, goal);
            of_the_environment(&plan)?;
        }
        self.named.limits.clone().replace(&mut plan.wishes.limits);
        // A test that lacks its secret would fail, and take production back.
        all_set(plan.tests_towards(plan.goal), |name| {
            std::env::var(name).ok()
        })?;
        if self.order == Order::Retreat {
            let mut next = deployment.clone();
            next.plan.tests_back = plan.tests_back;
            next.plan.wishes.limits = plan.wishes.limits;
            next.discarded = discarded;
            if next != *deployment {
                checkpoint(journal, deployment, next, "", clock).await?;
            }
            // The driver takes it up, in the way in which `abort` orders it.
            if !journal
                .store()
                .request_retreat(&deployment.plan.id, clock.now())?
            {
                return Err(NotPossible::Ended(deployment.state.kind()).into());
            }
            return Ok(());
        }
        if let Order::Correct { version } = &self.order {
            let application = &plan.target.application;
            let record =
                cloud
                    .version(application, version)
                    .await?
                    .ok_or_else(|| Refused::NoVersion {
                        application: application.clone(),
                        version: version.clone(),
                    })?;
            usable(&record)?;
        }
        has_its_bundle(cloud, deployment).await?;
        if (&state, &plan) == (&deployment.state, &deployment.plan) {
            return Ok(());
        }
        let left = deployment.state.kind();
        let mut next = deployment.entering(state, clock.now());
        if next.state == deployment.state {
            next.entered_at = deployment.entered_at;
        }
        // The driver runs the hooks of this change.
        next.left = Some(left).filter(|left| *left != next.state.kind());
        next.plan = plan;
        next.discarded = discarded;
        let why = match (&self.said, &self.order) {
            (Some(said), _) => said,
            (None, Order::Approve) => "an operator approved it",
            (None, Order::Resume | Order::Correct { .. } | Order::Retreat) => "an operator resumed",
        };
        checkpoint(journal, deployment, next, why, clock).await
    }

    /// The outside changes that an operator has given up, with those that the deployment is held
    /// for where the order gives them up now.
    fn discarded(&self, deployment: &Deployment) -> Result<Vec<Drift>, Error> {
        if !self.named.discard_changes {
            return Ok(deployment.discarded.clone());
        }
        let discarded = deployment.with_changes_discarded();
        discarded.ok_or_else(|| Error::NothingToDiscard {
            id: deployment.plan.id.clone(),
            state: deployment.state.kind(),
        })
    }
}

/// Refuses a test that sends its request to production's own CNAME: what answers there is not under
/// test.
fn of_the_environment(plan: &Plan) -> Result<(), Error> {
    let tests = plan.tests_towards(plan.goal);
    let mut tests = tests.iter();
    match tests.find(|test| asks_for(test, &plan.production_cname)) {
        Some(test) => Err(Error::TestsProduction(test.to_string())),
        None => Ok(()),
    }
}

async fn checkpoint(
    journal: &mut Journal<'_>,
    deployment: &mut Deployment,
    next: Deployment,
    why: &str,
    clock: Clock,
) -> Result<(), Error> {
    let id = next.plan.id.clone();
    let written = journal.checkpoint(deployment, next, clock.now(), why, None, &[]);
    written.await.map_err(|error| Error::drive(&id, error))
}

/// A deployment that is resumed elsewhere before its bundle was uploaded needs
/// the file.
async fn has_its_bundle(cloud: &AwsCloud, deployment: &Deployment) -> Result<(), Error> {
    let plan = &deployment.plan;
    let Some(bundle) = &plan.bundle else {
        return Ok(());
    };
    let is_here = bundle.file.as_ref().is_none_or(|file| file.path.exists());
    if deployment.state.kind() != Kind::Preparing
        || is_here
        || cloud.object_exists(&plan.bucket, &bundle.key).await?
    {
        return Ok(());
    }
    let path = bundle.file.as_ref().map(|file| file.path.display());
    Err(Error::NoBundle {
        id: plan.id.clone(),
        path: path.map(|path| path.to_string()).unwrap_or_default(),
    })
}
