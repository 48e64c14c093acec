//! Uploads and registers the bundle of a corrected version, before a held deployment takes it.

use std::time::Duration;

use super::drive::Session;
use super::error::Error;
use crate::clock::{Deadline, Stopwatch};
use crate::cloud::{Cloud, LookError, Outcome, Refusal, VersionRecord};
use crate::machine::Effect;
use crate::plan::{Bundle, Plan};
use crate::preflight::usable;

/// How long the service may take until it lists what it has registered, or has processed it.
const WITHIN: Duration = Duration::from_secs(10 * 60);
/// How often the session asks for that.
const INTERVAL: Duration = Duration::from_secs(5);
/// How long the request that registers may be in flight.
const SENT_WITHIN: Duration = Duration::from_secs(60);

impl Session<'_> {
    /// Registers this version with its bundle for the application of a deployment, and waits until
    /// Elastic Beanstalk has processed it. The deployment does not know of it yet, and nothing of it
    /// changes; done twice, it finds what it has done.
    ///
    /// # Errors
    /// [`Error::OtherBundle`] where the label is registered with another bundle; [`Error`].
    pub async fn publish(&self, plan: &Plan, version: &str, bundle: Bundle) -> Result<(), Error> {
        let of_version = Plan {
            version: version.to_owned(),
            bundle: Some(bundle),
            ..plan.clone()
        };
        let published = self.interruption.unless(self.published(&of_version)).await;
        published.map_err(Error::from)?
    }

    async fn published(&self, plan: &Plan) -> Result<(), Error> {
        let application = &plan.target.application;
        let began = Stopwatch::start(&self.clock);
        let mut record = self.cloud.version(application, &plan.version).await?;
        if record.is_none() {
            if let Some(bundle) = &plan.bundle
                && !self.cloud.object_exists(&plan.bucket, &bundle.key).await?
            {
                let send_by = Deadline::default();
                done(self.cloud.ask(plan, &Effect::UploadBundle, &send_by).await)?;
            }
            let send_by = Deadline::default().and(Stopwatch::start(&self.clock), SENT_WITHIN);
            done(
                self.cloud
                    .ask(plan, &Effect::RegisterVersion, &send_by)
                    .await,
            )?;
        }
        loop {
            if let Some(record) = &record {
                has_this_bundle(plan, record)?;
                usable(record)?;
                if is_processed(record) {
                    return Ok(());
                }
            }
            if began.elapsed_at_least() >= WITHIN {
                let why = format!("version {} is not processed yet", plan.version);
                return Err(LookError::Passing(why).into());
            }
            self.clock.sleep(INTERVAL).await;
            record = self.cloud.version(application, &plan.version).await?;
        }
    }
}

fn is_processed(record: &VersionRecord) -> bool {
    let status = record.status.to_ascii_lowercase();
    matches!(status.as_str(), "processed" | "unprocessed" | "")
}

fn has_this_bundle(plan: &Plan, record: &VersionRecord) -> Result<(), Error> {
    let ours = plan.bundle.as_ref().map(|bundle| &bundle.key);
    match (&record.bundle, ours) {
        (Some((at, key)), Some(ours)) if (at, key) != (&plan.bucket, ours) => {
            Err(Error::OtherBundle {
                version: plan.version.clone(),
                registered: format!("{at}/{key}"),
            })
        }
        _ => Ok(()),
    }
}

/// Why a request was not carried out. What is unclear is found by the next attempt.
fn done(outcome: Outcome) -> Result<(), Error> {
    Err(match outcome {
        Outcome::Applied { .. } | Outcome::NotApplied(Refusal::AlreadySo(_)) => return Ok(()),
        Outcome::NotApplied(Refusal::Denied(why)) => LookError::Denied(why),
        Outcome::NotApplied(Refusal::Credentials(why)) => LookError::Credentials(why),
        Outcome::NotApplied(Refusal::Invalid(why)) => LookError::Refused(why),
        Outcome::NotApplied(
            Refusal::Throttled(why) | Refusal::Busy(why) | Refusal::Unreachable(why),
        )
        | Outcome::Unclear(why) => LookError::Passing(why),
    }
    .into())
}
