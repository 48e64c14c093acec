//! Whether a deployment's record may be acted on, by where it was read.

use super::context::{Context, Patient};
use super::{Exit, Failed};
use crate::cloud::AwsCloud;
use crate::deployment::Deployment;
use crate::plan::{
    Role, TAG_BLUE, TAG_DEPLOYMENT, TAG_PRODUCTION_CNAME, TAG_STRATEGY, tag_of, template_name,
};
use crate::preview::Asked;
use crate::shared::{DeploymentRecord, Origin};
use crate::text::foreign;
use crate::trust::{Configured, Untrusted, vouch_for};

/// What a record from the bucket is held against.
pub(super) struct Trust {
    cloud: AwsCloud,
    configured: Configured,
    previews: Option<Asked>,
    patient: Patient,
}

impl Context {
    /// What records from the bucket are held against: this command's own configuration, and
    /// what AWS shows.
    pub fn trust(&self, cloud: &AwsCloud) -> Result<Trust, Failed> {
        Ok(Trust {
            cloud: cloud.clone(),
            configured: self.options.configured()?,
            previews: self.options.previews()?,
            patient: self.patient(),
        })
    }
}

impl Trust {
    /// Refuses a record that anybody who may write to the bucket may have written, unless this
    /// machine says itself what it runs, sends elsewhere and changes, and AWS shows that the
    /// environments are its own. `here` is the same deployment in the journal here.
    pub async fn check(
        &self,
        record: &DeploymentRecord,
        here: Option<&Deployment>,
    ) -> Result<(), Failed> {
        match record.origin {
            Origin::Journal | Origin::Authenticated => return Ok(()),
            Origin::Bucket => {}
        }
        let deployment = &record.deployment;
        if deployment.state.is_end() {
            return Ok(());
        }
        let plan = &deployment.plan;
        let mut configured = self.configured.clone();
        if plan.preview.is_some()
            && let Some(asked) = &self.previews
        {
            let read = async || self.cloud.parameters(&asked.parameters()).await;
            let parameters = self.patient.until_it_answers(plan, read).await?;
            configured.previews.extend(asked.resolve(&parameters).ok());
        }
        let here = here.map(|here| &here.plan);
        vouch_for(&configured, here, plan, &deployment.state)?;
        self.is_of_these_environments(deployment).await
    }

    /// Refuses a record that does not agree with what AWS shows of its environments: green's own
    /// tags, which nobody writes by way of the bucket.
    async fn is_of_these_environments(&self, deployment: &Deployment) -> Result<(), Failed> {
        let plan = &deployment.plan;
        if plan.template != template_name(&plan.id) {
            return Err(forged(
                deployment,
                format!("its template is {}", plan.template),
            ));
        }
        let names = [plan.target.blue.clone(), plan.green.clone()];
        let look = async || self.cloud.environments(&names).await;
        let found = self.patient.until_it_answers(plan, look).await?;
        let of = |role| found.iter().find(|e| e.name == *plan.environment(role));
        let other = found
            .iter()
            .find(|e| e.application != plan.target.application);
        if let Some(other) = other {
            let what = format!("{} is of application {}", other.name, other.application);
            return Err(forged(deployment, what));
        }
        let roles: Vec<_> = [of(Role::Blue), of(Role::Green)]
            .into_iter()
            .flatten()
            .map(|environment| &environment.operations_role)
            .collect();
        if plan.operations_role.is_some() && !roles.contains(&&plan.operations_role) {
            let what = "neither environment has the operations role that it names";
            return Err(forged(deployment, what.to_owned()));
        }
        let Some(green) = of(Role::Green) else {
            return Ok(());
        };
        let read = async || self.cloud.tags(&green.arn).await;
        let tags = self.patient.until_it_answers(plan, read).await?;
        let differs = |(key, is): &(&'static str, String)| tag_of(&tags, key) != Some(is);
        if differs(&(TAG_DEPLOYMENT, plan.id.clone())) {
            // The driver touches no environment that is not green by its tag or its known id.
            return match deployment.green_id.as_ref() == Some(&green.id) {
                true => Err(forged(
                    deployment,
                    format!("{} ({}) does not bear its tag", green.name, green.id),
                )),
                false => Ok(()),
            };
        }
        let kept = [
            (TAG_BLUE, plan.blue_id.clone()),
            (TAG_PRODUCTION_CNAME, plan.production_cname.clone()),
            (TAG_STRATEGY, plan.strategy.to_string()),
        ];
        match kept.iter().find(|kept| differs(kept)) {
            Some((key, is)) => Err(forged(
                deployment,
                format!(
                    "green's tag {key} is {}, and the copy says {}",
                    foreign(tag_of(&tags, key).unwrap_or("missing")),
                    foreign(is)
                ),
            )),
            None => Ok(()),
        }
    }
}

/// A record that does not agree with AWS.
fn forged(deployment: &Deployment, what: String) -> Failed {
    let plan = &deployment.plan;
    let message = format!(
        "the copy of deployment {} in bucket {} does not agree with AWS: {what}",
        plan.id, plan.bucket
    );
    Failed::new(Exit::Refused, message).hint(
        "nothing was changed; anybody who may write to the bucket may have written that: inspect \
         the object, and resume where the deployment's own journal is: docs/operate/security.md",
    )
}

impl From<Untrusted> for Failed {
    fn from(untrusted: Untrusted) -> Failed {
        Failed::new(Exit::Refused, untrusted).hint(
            "nothing was run, sent or changed; give this command the flags, variables or file that \
             the run was given, or resume where its journal is; with BLUEGREEN_STATE_KEY on every \
             command the copy itself is trusted: docs/operate/security.md",
        )
    }
}
