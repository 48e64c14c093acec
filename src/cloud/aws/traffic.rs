//! What an environment's web servers answered lately.

use std::time::Duration;

use aws_sdk_elasticbeanstalk::types::{ApplicationMetrics, EnvironmentHealthAttribute};

use super::AwsCloud;
use super::configuration::counted;
use super::failure::{failure, look_error};
use super::read::is_basic_health;
use crate::cloud::{LookError, Sighting};
use crate::plan::{Plan, Role};
use crate::traffic::Traffic;

impl<P> AwsCloud<P> {
    /// The same of the environment of a role; none where there is none that serves.
    pub(super) async fn traffic_of(
        &self,
        sighting: &Sighting,
        plan: &Plan,
        role: Role,
    ) -> Result<Option<Traffic>, LookError> {
        let ours = role == Role::Blue || sighting.green_is_ours;
        let found = sighting.of(plan, role);
        match found.filter(|found| ours && found.status != "Terminating") {
            Some(found) => self.traffic(&found.id).await,
            None => Ok(None),
        }
    }

    /// What an environment's web servers answered lately; none with basic health, which
    /// does not tell.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn traffic(&self, environment_id: &str) -> Result<Option<Traffic>, LookError> {
        let answer = self
            .eb
            .describe_environment_health()
            .environment_id(environment_id)
            .attribute_names(EnvironmentHealthAttribute::ApplicationMetrics)
            .attribute_names(EnvironmentHealthAttribute::InstancesHealth)
            .send()
            .await;
        match answer {
            Ok(health) => {
                let instances = health.instances_health.as_ref();
                Ok(health.application_metrics.as_ref().map(|metrics| Traffic {
                    instances: instances.map_or(0, |summary| counted(summary).running),
                    ..answered(metrics)
                }))
            }
            Err(error) if is_basic_health(&failure(&error)) => Ok(None),
            Err(error) => Err(look_error("DescribeEnvironmentHealth", &error)),
        }
    }
}

fn answered(metrics: &ApplicationMetrics) -> Traffic {
    let codes = metrics.status_codes.as_ref();
    let p90 = metrics.latency.as_ref().and_then(|latency| latency.p90);
    Traffic {
        instances: 0,
        // Ten seconds (API reference, `ApplicationMetrics`, `Duration`).
        counted: Duration::from_secs(
            metrics
                .duration
                .map_or(10, |s| s.max(1).unsigned_abs().into()),
        ),
        requests: u32::try_from(metrics.request_count).unwrap_or(0),
        server_errors: codes
            .and_then(|codes| codes.status5xx)
            .map_or(0, |errors| errors.max(0).unsigned_abs()),
        p90: p90.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    }
}
