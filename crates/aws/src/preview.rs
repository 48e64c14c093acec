//! The preview hostnames of a new plan, as SSM and Route 53 hold them.

use super::clients::AwsCloud;
use crate::cloud::{LookError, Outcome};
use bluegreen_clock::Deadline;
use bluegreen_core::followers::preview::{Asked, Preview, PreviewError, RecordMove};
use bluegreen_core::plan::Plan;

/// Why a plan cannot contain preview hostnames. Nothing has been changed.
#[derive(Debug, thiserror::Error)]
pub enum PreviewRefused {
    /// AWS could not be read.
    #[error("{0}")]
    Look(#[from] LookError),
    /// They cannot be used.
    #[error("{0}")]
    Unfit(#[from] PreviewError),
}

impl AwsCloud {
    /// The preview hostnames that the configuration names, with what each holds now. `production`
    /// are the names that lead to production: its CNAME and its load balancer's.
    ///
    /// # Errors
    /// [`PreviewRefused`]; only reads.
    pub async fn preview(
        &self,
        asked: &Asked,
        production: &[String],
    ) -> Result<Preview, PreviewRefused> {
        let parameters = self.parameters(&asked.parameters()).await?;
        let wanted = asked.resolve(&parameters)?;
        let zone = self.hosted_zone(&wanted.zone_id);
        let names: Vec<&str> = production.iter().map(String::as_str).collect();
        wanted.check(&zone.name().await?, &names)?;
        let mut present = Vec::with_capacity(wanted.hosts.len());
        for host in &wanted.hosts {
            present.push(zone.record(host).await?);
        }
        Ok(wanted.begin(present, production)?)
    }

    /// Makes preview hostnames hold something else, one after the other; one that does not hold
    /// what it held when it was read is left alone.
    pub(super) async fn move_records(
        &self,
        plan: &Plan,
        moves: &[RecordMove],
        send_by: &Deadline,
    ) -> Outcome {
        let mut outcomes = Vec::new();
        if let Some(preview) = &plan.preview {
            let zone = self.hosted_zone(&preview.zone_id);
            for change in moves {
                let replaced = zone.replace(&change.host, &change.from, &change.to, send_by);
                outcomes.push(replaced.await.of(&change.host));
            }
        }
        Outcome::of_all(outcomes)
    }
}
