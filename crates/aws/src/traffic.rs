//! An environment's latest answers to its clients; with basic health, which does not show them, the
//! number of requests that its load balancer counted.

// Numbers here are read from others.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use aws_sdk_elasticbeanstalk::config::http::HttpResponse;
use aws_sdk_elasticbeanstalk::error::SdkError;
use aws_sdk_elasticbeanstalk::operation::describe_environment_health::DescribeEnvironmentHealthError;
use aws_sdk_elasticbeanstalk::types::{ApplicationMetrics, EnvironmentHealthAttribute};

use super::clients::AwsCloud;
use super::configuration::counted;
use super::failure::{PAGES_MAX, endless, look_error};
use super::join::all;
use super::read::{BasicHealth, health_error};
use crate::cloud::LookError;
use crate::prober::Led;
use bluegreen_clock::Moment;
use bluegreen_core::facts::{Environment, Sighting, Vitals};
use bluegreen_core::health::Health;
use bluegreen_core::plan::{Plan, Role};
use bluegreen_core::traffic::Traffic;

/// Of so many readings of production's health one is in full, where many deployments share calls.
const READINGS_IN_FULL: usize = 3;

impl AwsCloud {
    /// How many nodes a load balancer has; `None` where that is not known.
    pub async fn nodes(&self, endpoint: &str) -> Option<u32> {
        self.prober.nodes(endpoint).await
    }

    /// Where each of these names leads by DNS, or in words why that is unknown. All are resolved at
    /// the same time.
    pub async fn look_up(&self, names: &[String]) -> Vec<Result<Led, String>> {
        all(names.iter().map(|name| self.prober.look_up(name))).await
    }
}

impl AwsCloud {
    /// The traffic of the environment of a role; `None` where no such environment is running.
    pub(super) async fn traffic_of(
        &self,
        sighting: &Sighting,
        plan: &Plan,
        role: Role,
    ) -> Result<Option<Counted>, LookError> {
        let ours = role == Role::Blue || sighting.green_is_ours;
        let found = sighting.of(plan, role);
        match found.filter(|found| ours && found.status != "Terminating") {
            Some(found) => self.traffic(&found.id).await.map(Some),
            None => Ok(None),
        }
    }

    /// An environment's latest answers to its clients; with basic health, which does not show them,
    /// the number of requests that its load balancer counted.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn traffic(&self, environment_id: &str) -> Result<Counted, LookError> {
        match self.health_and_traffic(environment_id).await {
            Ok((_, traffic)) => {
                let nothing = || Counted::Nobody("enhanced health tells no requests".to_owned());
                Ok(traffic.map_or_else(nothing, Counted::Told))
            }
            Err(error) => {
                let BasicHealth = health_error("DescribeEnvironmentHealth", &error)?;
                self.balanced(environment_id).await
            }
        }
    }

    /// The status and the enhanced health of an environment, and its latest answers to its clients.
    ///
    /// # Errors
    /// [`LookError`], also where health is basic.
    pub(super) async fn vitals(
        &self,
        environment_id: &str,
    ) -> Result<(Vitals, Option<Traffic>), LookError> {
        let read = self.health_and_traffic(environment_id).await;
        read.map_err(|error| look_error("DescribeEnvironmentHealth", &error))
    }

    /// The same where many deployments run in one process: two of three readings are answered by the
    /// request that all of them share, which says nothing of what production answers its clients.
    ///
    /// # Errors
    /// [`LookError`].
    pub(super) async fn vitals_among_others(
        &self,
        of: &Environment,
    ) -> Result<(Vitals, Option<Traffic>), LookError> {
        let readings = self.vitals_read.fetch_add(1, Ordering::Relaxed);
        if self.limits.is_none() || readings.is_multiple_of(READINGS_IN_FULL) {
            return self.vitals(&of.id).await;
        }
        let found = self.environments(std::slice::from_ref(&of.name)).await?;
        let found = found.into_iter().find(|found| found.id == of.id);
        let found = found.ok_or_else(|| LookError::Passing(format!("{} is gone", of.name)))?;
        let vitals = Vitals {
            status: found.status,
            color: found.health,
            health: found.health_status.unwrap_or_default(),
        };
        Ok((vitals, None))
    }

    async fn health_and_traffic(
        &self,
        environment_id: &str,
    ) -> Result<(Vitals, Option<Traffic>), SdkError<DescribeEnvironmentHealthError, HttpResponse>>
    {
        let request = self
            .reading()
            .await
            .describe_environment_health()
            .environment_id(environment_id)
            .attribute_names(EnvironmentHealthAttribute::Status)
            .attribute_names(EnvironmentHealthAttribute::Color)
            .attribute_names(EnvironmentHealthAttribute::HealthStatus)
            .attribute_names(EnvironmentHealthAttribute::ApplicationMetrics)
            .attribute_names(EnvironmentHealthAttribute::InstancesHealth);
        let answer = request.send().await?;
        let instances = answer.instances_health.as_ref();
        let traffic = answer.application_metrics.as_ref().map(|metrics| Traffic {
            instances: instances.map_or(0, |summary| counted(summary, Health::Ok).running),
            ..answered(metrics)
        });
        let vitals = Vitals {
            status: answer
                .status
                .map_or_else(String::new, |status| status.to_string()),
            color: answer.color.unwrap_or_default(),
            health: answer.health_status.unwrap_or_default(),
        };
        Ok((vitals, traffic))
    }

    /// The requests that an environment's load balancer counted in the last minute whose count is
    /// complete.
    async fn balanced(&self, environment_id: &str) -> Result<Counted, LookError> {
        let resources = match self.resources(environment_id).await {
            Ok(resources) => resources,
            Err(error @ LookError::Denied(_)) => return unread(error),
            Err(error) => return Err(error),
        };
        let Some(balancer) = resources.balancer else {
            let why = "health is basic, and there is no load balancer to count them";
            return Ok(Counted::Nobody(why.to_owned()));
        };
        let counted = self.requests_of(&balancer, environment_id);
        match tokio::time::timeout(ANSWERED_WITHIN, counted).await {
            Ok(Ok(Some((requests, ended)))) => Ok(Counted::Told(Traffic {
                instances: resources.instances,
                counted: Duration::from_millis(MINUTE),
                ended: Some(ended),
                requests,
                ..Traffic::default()
            })),
            Ok(Ok(None)) => {
                let why = "health is basic, and a network load balancer counts no requests";
                Ok(Counted::Nobody(why.to_owned()))
            }
            Ok(Err(error)) => unread(error),
            Err(_) => Ok(silent(&format!(
                "no answer within {}",
                humantime::format_duration(ANSWERED_WITHIN)
            ))),
        }
    }

    /// The requests that a load balancer counted for an environment, and when that minute ended;
    /// `None` for a network load balancer.
    async fn requests_of(
        &self,
        balancer: &str,
        environment_id: &str,
    ) -> Result<Option<(u32, Moment)>, LookError> {
        let metrics = self.metrics_of(balancer, environment_id).await?;
        if metrics.is_empty() {
            return Ok(None);
        }
        // AWS's own time, as that answer has just told it.
        let now = self.time.last().map_or(Moment(0), |(now, _)| now);
        let ended = now
            .0
            .saturating_sub(TOLD_AFTER.as_secs().saturating_mul(1000));
        let ended = Moment(ended.saturating_sub(ended % MINUTE));
        let began = Moment(ended.0.saturating_sub(MINUTE));
        let requests = self.sum(&metrics, (began, ended)).await?;
        Ok(Some((requests, ended)))
    }

    /// The metrics whose sum is the requests of an environment; none of a network load balancer
    /// (user guides of Elastic Load Balancing, "CloudWatch metrics": `RequestCount`, of an
    /// application load balancer in `AWS/ApplicationELB`, of a classic one in `AWS/ELB`).
    async fn metrics_of(
        &self,
        balancer: &str,
        environment_id: &str,
    ) -> Result<Vec<Metric>, LookError> {
        let of = |namespace: &str, dimensions: &[(&str, &str)]| {
            let dimension = |(name, value): &(&str, &str)| {
                Dimension::builder().name(*name).value(*value).build()
            };
            Metric::builder()
                .namespace(namespace)
                .metric_name("RequestCount")
                .set_dimensions(Some(dimensions.iter().map(dimension).collect()))
                .build()
        };
        if !balancer.starts_with("arn:") {
            return Ok(vec![of("AWS/ELB", &[("LoadBalancerName", balancer)])]);
        }
        let name = |arn: &str, before: &str| {
            let (_, name) = arn.split_once(before)?;
            Some(name.to_owned())
        };
        let Some(named) = name(balancer, ":loadbalancer/").filter(|n| n.starts_with("app/")) else {
            return Ok(Vec::new());
        };
        // Others may have a part in it: what reaches this environment's target groups counts.
        let groups = self.groups_behind(balancer).await?.into_iter();
        let own = groups.filter(|(_, of)| of.as_deref() == Some(environment_id));
        let own = own
            .filter_map(|(arn, _)| Some(format!("targetgroup/{}", name(&arn, ":targetgroup/")?)));
        let metrics = own.map(|group| {
            let dimensions = [
                ("LoadBalancer", named.as_str()),
                ("TargetGroup", group.as_str()),
            ];
            of("AWS/ApplicationELB", &dimensions)
        });
        Ok(metrics.collect())
    }

    /// The sum of metrics over a time. A minute without requests has no value: Elastic Load
    /// Balancing reports what is not zero alone.
    async fn sum(
        &self,
        metrics: &[Metric],
        (from, to): (Moment, Moment),
    ) -> Result<u32, LookError> {
        let queries = metrics.iter().enumerate().map(|(at, metric)| {
            let stat = MetricStat::builder()
                .metric(metric.clone())
                .period(60)
                .stat("Sum");
            MetricDataQuery::builder()
                .id(format!("m{at}"))
                .metric_stat(stat.build())
                .build()
        });
        let at = |moment: Moment| DateTime::from_millis(i64::try_from(moment.0).unwrap_or(0));
        let queries: Vec<_> = queries.collect();
        let (mut sum, mut token) = (0.0, None);
        for _ in 0..PAGES_MAX {
            let page = self
                .cloudwatch
                .get_metric_data()
                .set_metric_data_queries(Some(queries.clone()))
                .start_time(at(from))
                .end_time(at(to))
                .set_next_token(token)
                .send()
                .await
                .map_err(|e| look_error("GetMetricData", &e))?;
            for result in page.metric_data_results.unwrap_or_default() {
                sum += result.values.unwrap_or_default().iter().sum::<f64>();
            }
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                // A sum of counts is whole; a saturating cast is what is wanted.
                return Ok(sum.max(0.0) as u32);
            }
        }
        Err(endless("GetMetricData"))
    }
}

/// The requests of an environment, where a service counts them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counted {
    /// The count.
    Told(Traffic),
    /// No service counts them; why, in words.
    Nobody(String),
    /// The caller may not read the service that counts them; why, in words.
    Unread(String),
    /// The service that counts them has not answered; why, in words.
    Silent(String),
}

impl Counted {
    /// The count; `None` where there is none.
    #[must_use]
    pub fn told(self) -> Option<Traffic> {
        match self {
            Counted::Told(traffic) => Some(traffic),
            Counted::Nobody(_) | Counted::Unread(_) | Counted::Silent(_) => None,
        }
    }
}

/// A count that cannot be read does not stop a release by itself: the release then waits by time.
fn unread(error: LookError) -> Result<Counted, LookError> {
    match error {
        LookError::Denied(why) => Ok(Counted::Unread(format!(
            "health is basic, and the load balancer's count may not be read: {why}"
        ))),
        LookError::Passing(why) => Ok(silent(&why)),
        error => Err(error),
    }
}

fn silent(why: &str) -> Counted {
    Counted::Silent(format!(
        "health is basic, and the load balancer's count cannot be read now: {why}"
    ))
}

/// Timeout of CloudWatch's answer. A private network may have no route to CloudWatch at all.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// How long after its end a minute's count is complete: load balancers report every 60 seconds, and
/// CloudWatch has it within two minutes more.
const TOLD_AFTER: Duration = Duration::from_secs(180);
/// In milliseconds.
const MINUTE: u64 = 60_000;

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
    let errors = u64::from(requests).saturating_mul(told[3].into());
    let errors = errors.checked_div(sum.max(1)).unwrap_or_default();
    let server_errors = u32::try_from(errors).unwrap_or(u32::MAX);
    let counted = metrics
        .duration
        .map_or(COUNTED_SECONDS, |s| s.max(1).unsigned_abs());
    let slowest_tenth = metrics.latency.as_ref().and_then(|latency| latency.p90);
    Traffic {
        instances: 0,
        counted: Duration::from_secs(counted.into()),
        ended: None,
        requests,
        server_errors,
        slowest_tenth: slowest_tenth.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    }
}

/// The span of a count where the answer does not state it: "usually 10 seconds" (API reference,
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
