//! What an environment's web servers answered lately.

use std::time::Duration;

use aws_sdk_elasticbeanstalk::types::{ApplicationMetrics, EnvironmentHealthAttribute};

use super::AwsCloud;
use super::configuration::counted;
use super::read::{BasicHealth, health_error};
use crate::cloud::{LookError, Prober, Sighting};
use crate::health::Health;
use crate::plan::{Plan, Role};
use crate::traffic::Traffic;

impl<P: Prober> AwsCloud<P> {
    /// How many nodes a load balancer has; none where that is not known.
    pub async fn nodes(&self, endpoint: &str) -> Option<u32> {
        self.prober.nodes(endpoint).await
    }
}

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
                    instances: instances.map_or(0, |summary| counted(summary, Health::Ok).running),
                    ..answered(metrics)
                }))
            }
            Err(error) => health_error("DescribeEnvironmentHealth", &error).map(|BasicHealth| None),
        }
    }
}

/// The requests of the last seconds, of all instances.
///
/// `RequestCount` and the status codes are counts of `Duration`: so the EB CLI reads them
/// (aws/aws-elastic-beanstalk-cli, `ebcli/display/data_poller.py`), and so the API reference
/// words `Duration`. Elsewhere that reference has an average a second and percentages; the
/// share of errors is taken from the codes among themselves, which is right for both.
fn answered(metrics: &ApplicationMetrics) -> Traffic {
    let positive = |count: Option<i32>| u32::try_from(count.unwrap_or(0)).unwrap_or(0);
    let codes = metrics.status_codes.as_ref();
    let told = codes.map_or([0; 4], |codes| {
        [
            codes.status2xx,
            codes.status3xx,
            codes.status4xx,
            codes.status5xx,
        ]
        .map(positive)
    });
    let sum: u64 = told.into_iter().map(u64::from).sum();
    let requests = match positive(Some(metrics.request_count)) {
        0 => u32::try_from(sum).unwrap_or(u32::MAX),
        requests => requests,
    };
    let errors = u64::from(requests) * u64::from(told[3]) / sum.max(1);
    let server_errors = u32::try_from(errors).unwrap_or(u32::MAX);
    let counted = metrics
        .duration
        .map_or(COUNTED_SECONDS, |s| s.max(1).unsigned_abs());
    let slowest_tenth = metrics.latency.as_ref().and_then(|latency| latency.p90);
    Traffic {
        instances: 0,
        counted: Duration::from_secs(counted.into()),
        requests,
        server_errors,
        slowest_tenth: slowest_tenth.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    }
}

/// For how long is counted where that is not told: "usually 10 seconds" (API reference,
/// `ApplicationMetrics`).
const COUNTED_SECONDS: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_elasticbeanstalk::types::{Latency, StatusCodes};

    fn read(requests: i32, codes: [i32; 4]) -> Traffic {
        let [two, three, four, five] = codes;
        let codes = StatusCodes::builder()
            .status2xx(two)
            .status3xx(three)
            .status4xx(four)
            .status5xx(five);
        let metrics = ApplicationMetrics::builder()
            .duration(10)
            .request_count(requests)
            .status_codes(codes.build())
            .latency(Latency::builder().p90(0.25).build());
        answered(&metrics.build())
    }

    /// aws/aws-elastic-beanstalk-cli, `ebcli/display/data_poller.py`: `RequestCount` is
    /// divided by `Duration`, and each status code by `RequestCount`.
    #[test]
    fn requests_are_counts_of_the_duration_and_errors_a_share_of_the_codes() {
        for (requests, codes, expected) in [
            (40, [30, 4, 2, 4], (40, 4)),
            (100, [90, 0, 0, 10], (100, 10)),
            // A hundred answers of a hundred and forty requests.
            (140, [90, 0, 0, 10], (140, 14)),
            // Codes as percentages: one request in ten failed.
            (40, [88, 1, 1, 10], (40, 4)),
            // Of requests without a count the codes tell.
            (0, [5, 0, 0, 1], (6, 1)),
            (7, [0, 0, 0, 0], (7, 0)),
            (0, [0, 0, 0, 0], (0, 0)),
        ] {
            let traffic = read(requests, codes);
            let told = (traffic.requests, traffic.server_errors);
            assert_eq!(told, expected, "{requests} {codes:?}");
            assert_eq!(traffic.slowest_tenth, Some(Duration::from_millis(250)));
            assert_eq!(traffic.counted, Duration::from_secs(10));
        }
    }
}
