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

/// The requests of the last seconds, of all instances.
///
/// The API reference (`ApplicationMetrics`, `StatusCodes`) says that `RequestCount` is an
/// average a second and the status codes are percentages; its words on `Duration`, and the
/// answer that the CLI's reference shows, have counts of that time. The figures tell which:
/// counts of codes add up to the requests, and percentages to a hundred.
fn answered(metrics: &ApplicationMetrics) -> Traffic {
    let positive = |count: Option<i32>| u32::try_from(count.unwrap_or(0)).unwrap_or(0);
    let codes = metrics.status_codes.as_ref();
    let [two, three, four, five] = codes.map_or([0; 4], |codes| {
        [
            codes.status2xx,
            codes.status3xx,
            codes.status4xx,
            codes.status5xx,
        ]
        .map(positive)
    });
    let told = two
        .saturating_add(three)
        .saturating_add(four)
        .saturating_add(five);
    let counted = metrics
        .duration
        .map_or(COUNTED_SECONDS, |s| s.max(1).unsigned_abs());
    let requests = positive(Some(metrics.request_count));
    let are_percentages = told != requests && (told.abs_diff(100) <= PERCENT_ROUNDED);
    let (requests, server_errors) = if are_percentages {
        let requests = requests.saturating_mul(counted);
        let errors = u64::from(requests) * u64::from(five) / u64::from(told);
        (requests, u32::try_from(errors).unwrap_or(u32::MAX))
    } else {
        (requests.max(told), five)
    };
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

/// Four rounded percentages miss a hundred by no more.
const PERCENT_ROUNDED: u32 = 2;

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

    #[test]
    fn counts_and_percentages_are_told_apart_by_what_they_add_up_to() {
        for (requests, codes, expected) in [
            (40, [30, 4, 2, 4], (40, 4)),
            // A hundred requests: both would be the same share.
            (100, [90, 0, 0, 10], (100, 10)),
            // Forty a second for ten seconds, of which one in ten failed.
            (40, [88, 1, 1, 10], (400, 40)),
            (40, [33, 33, 33, 0], (400, 0)),
            (7, [0, 0, 0, 0], (7, 0)),
            (0, [0, 0, 0, 0], (0, 0)),
        ] {
            let traffic = read(requests, codes);
            let told = (traffic.requests, traffic.server_errors);
            assert_eq!(told, expected, "{requests} {codes:?}");
            assert_eq!(traffic.slowest_tenth, Some(Duration::from_millis(250)));
        }
    }
}
