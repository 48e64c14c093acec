//! What deployments have left at AWS: finds it, and rebuilds deployments from it.

use tracing::warn;

use super::context::Context;
use super::exit::{Exit, Failed};
use crate::clock::Moment;
use crate::cloud::AwsCloud;
use crate::cloud::Environment;
use crate::config::{Config, is_bucket_name};
use crate::deployment::Deployment;
use crate::plan::{Goal, TAG_BLUE, TAG_BUCKET, TAG_DEPLOYMENT, TAG_VERSION, label_of_tag, tag_of};
use crate::rebuild::{Remains, rebuild};
use crate::shared::{DeploymentRecord, SharedState};
use crate::text::for_shell;

/// The deployment that a green belongs to, by its tag; empty where that is no id, which this
/// program has not written.
pub(super) fn deployment_of(tags: &[(String, String)]) -> &str {
    let id = tag_of(tags, TAG_DEPLOYMENT);
    id.filter(|id| ulid::Ulid::from_string(id).is_ok())
        .unwrap_or_default()
}

/// Refuses green's tags where they hold what this program never writes.
pub(super) fn tagged_by_this_program(
    remains: &Remains,
    deployment: &Deployment,
) -> Result<(), Failed> {
    deployment.plan.check().map_err(|why| {
        let message = format!(
            "{}'s tags were not written by bluegreen: {why}",
            remains.green.name
        );
        Failed::new(Exit::Refused, message).hint("nothing was changed; put the tags right")
    })
}

/// A deployment whose copy is in another bucket than the one that was searched.
pub(super) fn kept_elsewhere(record: &DeploymentRecord) -> Failed {
    let plan = &record.deployment.plan;
    let message = format!(
        "deployment {} has its journal's copy and its lock in bucket {}: without them two \
         processes could change its target",
        plan.id, plan.bucket
    );
    Failed::new(Exit::Refused, message).hint(format!(
        "nothing was changed; name it with --bucket {}, without --no-shared-state",
        for_shell(&plan.bucket)
    ))
}

impl Context {
    /// As [`Context::find`]; where neither the journal nor the bucket knows the
    /// deployment, it is rebuilt from what AWS shows and written into the journal.
    pub async fn find_or_rebuild(
        &mut self,
        id: Option<&str>,
        goal: Option<Goal>,
    ) -> Result<DeploymentRecord, Failed> {
        let mut unheeded = self.unheeded.take();
        let mut heeded = |found: DeploymentRecord| match unheeded.take() {
            Some(unheeded) => Err(unheeded.into()),
            None => Ok(found),
        };
        let unknown = match self.find(id).await {
            Err(failed) if failed.exit() == Exit::NoDeployment => failed,
            found => return found.and_then(heeded),
        };
        let (cloud, _) = self.cloud().await?;
        let Some(remains) = self.remains(&cloud, id).await? else {
            return Err(unknown);
        };
        // One that has ended is not in flight, and its journal may be there all the same.
        if id.is_none()
            && let Ok(ended) = self.find(Some(deployment_of(&remains.tags))).await
        {
            return heeded(ended);
        }
        self.clock = cloud.corrected(self.clock);
        if let Some(record) = self
            .known_elsewhere(&cloud, (&remains.green, &remains.tags))
            .await?
        {
            return Err(kept_elsewhere(&record));
        }
        let config = self.config_for(&remains)?;
        let mut deployment = rebuild(&remains, &config, goal, self.clock.now())?;
        tagged_by_this_program(&remains, &deployment)?;
        let plan = &mut deployment.plan;
        let (application, blue) = (&plan.target.application, &plan.target.blue);
        // What blue is configured with was chosen into the plan that is lost.
        if let Ok(configuration) = cloud.configuration(application, blue).await {
            plan.front = configuration.front();
            plan.wishes.healthy = plan.wishes.healthy.max(configuration.success_threshold());
        }
        warn!(
            id = deployment.plan.id,
            "no journal of this deployment is left, neither here nor in the bucket: rebuilt from \
             green's tags, the CNAMEs and the versions as {}; bluegreen waits until no earlier \
             request to AWS can arrive. Tests, hooks, alarms and limits are those of this command, \
             and preview hostnames stay as they are",
            deployment.state.kind()
        );
        self.store.forget_driven(&deployment.plan.id);
        self.store.adopt(&deployment, &[], &[])?;
        Ok(DeploymentRecord::new(deployment, Vec::new()))
    }

    /// The record of the deployment that a green belongs to, from the bucket that its tags name,
    /// where that is not the bucket that was searched. `None` where that bucket is gone, or has no
    /// such deployment. The record only keeps others away from that deployment, and bluegreen sends
    /// no request to a bucket that another account owns.
    pub async fn known_elsewhere(
        &self,
        cloud: &AwsCloud,
        (green, tags): (&Environment, &[(String, String)]),
    ) -> Result<Option<DeploymentRecord>, Failed> {
        let Some(name) = tag_of(tags, TAG_BUCKET).filter(|name| is_bucket_name(name)) else {
            return Ok(None);
        };
        let looked_in = self.options.bucket.as_deref() == Some(name);
        let account = green.arn.split(':').nth(4).unwrap_or_default();
        let bucket = cloud.bucket(name).owned_by(account);
        let exists = async || {
            let exists = bucket.exists().await;
            exists.map_err(|error| {
                Failed::from(error).hint(format!(
                    "nothing was changed; {}'s tag {TAG_BUCKET} names that bucket as the one with \
                     its deployment's lock: name the bucket of its run with --bucket, or put the \
                     tag right",
                    green.name
                ))
            })
        };
        if looked_in && !self.options.no_shared_state || !exists().await? {
            return Ok(None);
        }
        let shared = SharedState::new(bucket);
        let id = deployment_of(tags).to_uppercase();
        let found = shared.deployment(&id).await?;
        Ok(found.map(|found| found.value))
    }

    /// What AWS shows of the deployment with this id; without one, of the only one
    /// of the application and environments that are named.
    pub async fn remains(
        &self,
        cloud: &AwsCloud,
        id: Option<&str>,
    ) -> Result<Option<Remains>, Failed> {
        let named = |given: &Option<String>, name: &str| given.as_deref().is_none_or(|g| g == name);
        let mut greens = cloud.greens(cloud.all_environments().await?).await?;
        greens.retain(|(green, tags)| match id {
            Some(id) => deployment_of(tags).eq_ignore_ascii_case(id),
            None => {
                !deployment_of(tags).is_empty()
                    && named(&self.options.app, &green.application)
                    && named(&self.options.green, &green.name)
            }
        });
        if greens.len() > 1 {
            let ids: Vec<_> = greens.iter().map(|(_, tags)| deployment_of(tags)).collect();
            let message = format!("{} deployments have a green: {}", ids.len(), ids.join(", "));
            return Err(Failed::new(Exit::Usage, message).hint("name one"));
        }
        match greens.pop() {
            None => Ok(None),
            Some((green, tags)) => Ok(Some(remains_of(cloud, green, tags).await?)),
        }
    }

    /// The named configuration; green's tags supply what it lacks.
    pub fn config_for(&self, remains: &Remains) -> Result<Config, Failed> {
        let mut options = self.options.clone();
        let blue = remains.blue.as_ref().map(|blue| blue.name.clone());
        options.app = Some(remains.green.application.clone());
        options.blue = blue.or(options.blue);
        options.green = Some(remains.green.name.clone());
        Ok(options.config()?)
    }
}

async fn remains_of(
    cloud: &AwsCloud,
    green: Environment,
    tags: Vec<(String, String)>,
) -> Result<Remains, Failed> {
    let blue_id = tag_of(&tags, TAG_BLUE).unwrap_or_default();
    let environments = cloud.all_environments().await?;
    let blue = environments.into_iter().find(|e| e.id == blue_id);
    let since = green.created.unwrap_or(Moment(0));
    let events = match &blue {
        Some(blue) => cloud.events_since(&blue.id, since).await?,
        None => Vec::new(),
    };
    let labels = match tag_of(&tags, TAG_VERSION).map(label_of_tag) {
        Some(None) => cloud.version_labels(&green.application).await?,
        Some(Some(_)) | None => Vec::new(),
    };
    Ok(Remains {
        green,
        tags,
        blue,
        events,
        labels,
    })
}
