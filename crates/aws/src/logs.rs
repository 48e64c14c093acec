//! The ends of the logs of an environment's instances, which the service collects on request.

use aws_sdk_elasticbeanstalk::types::EnvironmentInfoType;

use super::clients::AwsCloud;
use super::failure::look_error;
use crate::cloud::{LogTail, LookError};
use crate::secrets::of_this_process;
use bluegreen_clock::Moment;
use bluegreen_core::engine_log::engine_log;

/// How many instances' logs are read: a version that fails does so on each of them.
const INSTANCES_MAX: usize = 3;

impl AwsCloud {
    /// Requests that the service collects the ends of the instances' logs, which changes nothing else.
    ///
    /// # Errors
    /// [`LookError`].
    pub(super) async fn request_tails(&self, environment_id: &str) -> Result<(), LookError> {
        let request = self
            .reading()
            .await
            .request_environment_info()
            .environment_id(environment_id)
            .info_type(EnvironmentInfoType::Tail);
        let answer = request.send().await;
        answer.map_err(|e| look_error("RequestEnvironmentInfo", &e))?;
        Ok(())
    }

    /// The end of `eb-engine.log` of an instance among what was collected since; `None` where it is
    /// not there yet. Of several instances it is one whose log has an error.
    ///
    /// # Errors
    /// [`LookError`].
    pub(super) async fn collected_tail(
        &self,
        environment_id: &str,
        since: Moment,
    ) -> Result<Option<LogTail>, LookError> {
        let request = self
            .reading()
            .await
            .retrieve_environment_info()
            .environment_id(environment_id)
            .info_type(EnvironmentInfoType::Tail);
        let answer = request.send().await;
        let answer = answer.map_err(|e| look_error("RetrieveEnvironmentInfo", &e))?;
        let mut collected = answer.environment_info.unwrap_or_default();
        collected.retain(|info| {
            let at = info.sample_timestamp.as_ref();
            let at = at.and_then(|date| date.to_millis().ok());
            at.is_some_and(|millis| Moment(millis.unsigned_abs()) >= since)
        });
        let mut found: Option<LogTail> = None;
        for info in collected.into_iter().take(INSTANCES_MAX) {
            let Some(url) = info.message else { continue };
            let text = self.prober.fetch(&url).await;
            let text = text.map_err(|why| LookError::Passing(format!("the log's URL: {why}")))?;
            let secrets = of_this_process(&[]);
            let lines = engine_log(&secrets.hide(&text));
            let has_error = lines.iter().any(|line| line.contains("[ERROR]"));
            if lines.is_empty() || found.is_some() && !has_error {
                continue;
            }
            let instance = info.ec2_instance_id.unwrap_or_default();
            found = Some(LogTail { instance, lines });
            if has_error {
                break;
            }
        }
        Ok(found)
    }
}
