//! The resources of an environment that are not its settings'.

use super::clients::AwsCloud;
use super::failure::look_error;
use crate::cloud::LookError;

/// The resources of an environment (API reference, `EnvironmentResourceDescription`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Resources {
    /// How many instances it runs.
    pub instances: u32,
    /// Its load balancer: the ARN of an application or network one, the name of a classic one.
    /// `None` where it has none.
    pub balancer: Option<String>,
}

impl AwsCloud {
    pub(super) async fn resources(&self, environment_id: &str) -> Result<Resources, LookError> {
        let answer = self
            .reading()
            .await
            .describe_environment_resources()
            .environment_id(environment_id)
            .send()
            .await
            .map_err(|e| look_error("DescribeEnvironmentResources", &e))?;
        let Some(found) = answer.environment_resources else {
            return Ok(Resources::default());
        };
        let instances = found.instances.unwrap_or_default().len();
        let balancers = found.load_balancers.unwrap_or_default().into_iter();
        Ok(Resources {
            instances: u32::try_from(instances).unwrap_or(u32::MAX),
            balancer: balancers.filter_map(|balancer| balancer.name).next(),
        })
    }
}
