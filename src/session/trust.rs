//! Whether bluegreen may act on a deployment's record, by where it was read.

use super::error::Error;
use super::orders::Vouched;
use super::reader::Reader;
use crate::cloud::AwsCloud;
use crate::deployment::Deployment;
use crate::plan::{
    Role, TAG_BLUE, TAG_DEPLOYMENT, TAG_PRODUCTION_CNAME, TAG_STRATEGY, tag_of, template_name,
};
use crate::shared::{DeploymentRecord, Origin};
use crate::text::foreign;
use crate::trust::vouch_for;

impl Vouched {
    /// Refuses a record that anybody who may write to the bucket may have written, unless this
    /// machine says itself what it runs, sends elsewhere and changes, and AWS shows that the
    /// environments are its own. `here` is the same deployment in the journal here.
    pub(super) async fn check(
        &self,
        reader: &Reader<'_>,
        record: &DeploymentRecord,
        here: Option<&Deployment>,
    ) -> Result<(), Error> {
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
            let read = async |cloud: &AwsCloud| cloud.parameters(&asked.parameters()).await;
            let parameters = reader.until_it_answers(plan, read).await?;
            configured.previews.extend(asked.resolve(&parameters).ok());
        }
        let here = here.map(|here| &here.plan);
        vouch_for(&configured, here, plan, &deployment.state)?;
        is_of_these_environments(reader, deployment).await
    }
}

/// Refuses a record that does not agree with what AWS shows of its environments: green's own tags,
/// which write access to the bucket cannot change.
async fn is_of_these_environments(
    reader: &Reader<'_>,
    deployment: &Deployment,
) -> Result<(), Error> {
    let plan = &deployment.plan;
    let forged = |what| Error::Forged {
        id: plan.id.clone(),
        bucket: plan.bucket.clone(),
        what,
    };
    if plan.template != template_name(&plan.id) {
        return Err(forged(format!("its template is {}", plan.template)));
    }
    let names = [plan.target.blue.clone(), plan.green.clone()];
    let look = async |cloud: &AwsCloud| cloud.environments(&names).await;
    let found = reader.until_it_answers(plan, look).await?;
    let of = |role| found.iter().find(|e| e.name == *plan.environment(role));
    let other = found
        .iter()
        .find(|e| e.application != plan.target.application);
    if let Some(other) = other {
        let what = format!("{} is of application {}", other.name, other.application);
        return Err(forged(what));
    }
    let roles: Vec<_> = [of(Role::Blue), of(Role::Green)]
        .into_iter()
        .flatten()
        .map(|environment| &environment.operations_role)
        .collect();
    if plan.operations_role.is_some() && !roles.contains(&&plan.operations_role) {
        let what = "neither environment has the operations role that it names";
        return Err(forged(what.to_owned()));
    }
    let Some(green) = of(Role::Green) else {
        return Ok(());
    };
    let read = async |cloud: &AwsCloud| cloud.tags(&green.arn).await;
    let tags = reader.until_it_answers(plan, read).await?;
    let differs = |(key, is): &(&'static str, String)| tag_of(&tags, key) != Some(is);
    if differs(&(TAG_DEPLOYMENT, plan.id.clone())) {
        // The driver touches no environment that is not green by its tag or its known id.
        return match deployment.green_id.as_ref() == Some(&green.id) {
            true => Err(forged(format!(
                "{} ({}) does not bear its tag",
                green.name, green.id
            ))),
            false => Ok(()),
        };
    }
    let kept = [
        (TAG_BLUE, plan.blue_id.clone()),
        (TAG_PRODUCTION_CNAME, plan.production_cname.clone()),
        (TAG_STRATEGY, plan.strategy.to_string()),
    ];
    match kept.iter().find(|kept| differs(kept)) {
        Some((key, is)) => Err(forged(format!(
            "green's tag {key} is {}, and the copy says {}",
            foreign(tag_of(&tags, key).unwrap_or("missing")),
            foreign(is)
        ))),
        None => Ok(()),
    }
}
