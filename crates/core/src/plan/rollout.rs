//! How long a deploy may take by the options of the environment it goes onto. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a version goes onto blue, as blue's own options said when the plan was made. What a plan of
/// an older version of bluegreen does not hold is that of an environment without options.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Rollout {
    /// `AllAtOnce`, `Rolling`, `RollingWithAdditionalBatch`, `Immutable` or
    /// `TrafficSplitting`.
    pub policy: String,
    /// In how many batches, one after the other.
    pub batches: u32,
    /// How long the options let it take at most.
    pub limit: Duration,
    /// How long a deploy that continues may have no event, by the options.
    pub silence: Duration,
    /// How long the new version is judged by part of the traffic.
    pub evaluation: Duration,
    /// Whether health is enhanced, so that every instance reports which version it runs.
    pub tells_instances: bool,
}

impl Default for Rollout {
    fn default() -> Rollout {
        let mut unknown = Rollout::of(|_, _| None, 1);
        unknown.tells_instances = false;
        unknown
    }
}

/// The namespace of how versions are deployed.
const COMMAND: &str = "aws:elasticbeanstalk:command";
/// The namespaces of the load balancer's health checks and drains.
const PROCESS: &str = "aws:elasticbeanstalk:environment:process:default";

/// What Elastic Beanstalk itself adds to a command's timeout (developer guide, "General options for
/// all environments", `aws:elasticbeanstalk:command`).
const ADDED_TO_TIMEOUT: Duration = Duration::from_secs(240);
/// How many checks in a row a batch must pass (developer guide, "Enhanced health reporting and
/// monitoring").
const CHECKS_OF_A_BATCH: u32 = 12;
/// How long the instances that a deploy replaces may take to go; eight minutes in a public
/// event log of three instances.
const CLEARING_AWAY: Duration = Duration::from_secs(15 * 60);
/// However short the options make it, no deploy is silent for less than a command and what
/// follows it may take.
const SILENCE_MIN: Duration = Duration::from_secs(15 * 60);

impl Rollout {
    /// What follows from an environment's options, by namespace and name, and from how many
    /// instances it runs. What is not set has its default (developer guide, "General options
    /// for all environments").
    pub fn of<'a>(option: impl Fn(&str, &str) -> Option<&'a str>, instances: u32) -> Rollout {
        let number = |namespace: &str, name: &str, default: u32| {
            let value = option(namespace, name).and_then(|text| text.trim().parse().ok());
            value.unwrap_or(default)
        };
        let seconds = |namespace: &str, name: &str, default: u32| {
            Duration::from_secs(number(namespace, name, default).into())
        };
        let policy = option(COMMAND, "DeploymentPolicy").unwrap_or("AllAtOnce");
        let command = seconds(COMMAND, "Timeout", 600).saturating_add(ADDED_TO_TIMEOUT);
        let checks = seconds(PROCESS, "HealthCheckInterval", 15)
            .max(seconds("aws:elb:healthcheck", "Interval", 10))
            .saturating_mul(CHECKS_OF_A_BATCH);
        let drain = seconds(PROCESS, "DeregistrationDelay", 20).max(seconds(
            "aws:elb:policies",
            "ConnectionDrainingTimeout",
            20,
        ));
        let batch = command.saturating_add(checks).saturating_add(drain);
        let launch = option("aws:autoscaling:updatepolicy:rollingupdate", "Timeout");
        let launch = launch
            .and_then(iso8601)
            .unwrap_or(Duration::from_secs(30 * 60));
        let minutes = number("aws:elasticbeanstalk:trafficsplitting", "EvaluationTime", 5);
        let evaluation = Duration::from_secs(60).saturating_mul(minutes);
        let instances = instances.max(1);
        let size = number(COMMAND, "BatchSize", 100);
        let size = match option(COMMAND, "BatchSizeType") {
            Some("Fixed") => size,
            _ => instances.saturating_mul(size.min(100)) / 100,
        };
        let in_turn = instances.div_ceil(size.max(1));
        let launched = launch.saturating_add(batch);
        let (batches, limit, silence) = match policy {
            "Rolling" => (in_turn, batch.saturating_mul(in_turn), batch),
            "RollingWithAdditionalBatch" => {
                let batches = in_turn.saturating_add(1);
                let limit = launch.saturating_add(batch.saturating_mul(batches));
                (batches, limit, launched)
            }
            // One instance alone, then the others.
            "Immutable" => {
                let turns = instances.min(2);
                let limit = launched.saturating_mul(turns);
                (turns, limit.saturating_add(CLEARING_AWAY), launched)
            }
            "TrafficSplitting" => {
                let limit = launched.saturating_add(evaluation);
                let limit = limit.saturating_add(CLEARING_AWAY);
                (1, limit, launched.max(evaluation))
            }
            _ => (1, command, command),
        };
        Rollout {
            policy: policy.to_owned(),
            batches,
            limit,
            silence: silence.max(SILENCE_MIN),
            evaluation: match policy {
                "TrafficSplitting" => evaluation,
                _ => Duration::ZERO,
            },
            tells_instances: option("aws:elasticbeanstalk:healthreporting:system", "SystemType")
                == Some("enhanced"),
        }
    }

    /// How long it takes as a rule, at least and at most: all at once half a minute to ten
    /// minutes, and so each batch, which waits for its health besides; where instances are
    /// launched, 8 to 25 minutes (18 in a public event log of three instances).
    #[must_use]
    pub fn typical(&self) -> (Duration, Duration) {
        let minutes = Duration::from_mins;
        let of_batches = |n: u64| minutes(n).saturating_mul(self.batches);
        match self.policy.as_str() {
            "Rolling" => (of_batches(3), of_batches(10)),
            "RollingWithAdditionalBatch" => {
                (of_batches(3), of_batches(10).saturating_add(minutes(5)))
            }
            "Immutable" => (minutes(8), minutes(25)),
            "TrafficSplitting" => (
                minutes(8).saturating_add(self.evaluation),
                minutes(25).saturating_add(self.evaluation),
            ),
            _ => (Duration::from_secs(30), minutes(10)),
        }
    }

    /// The policy and its batches in words.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self.policy.as_str() {
            "Rolling" | "RollingWithAdditionalBatch" if self.batches > 1 => {
                format!("{} in {} batches", self.policy, self.batches)
            }
            policy => policy.to_owned(),
        }
    }
}

/// A duration such as `PT30M` (ISO 8601), as `RollingUpdate`'s `Timeout` is written: hours,
/// minutes and seconds.
fn iso8601(text: &str) -> Option<Duration> {
    let mut left = text.strip_prefix("PT")?;
    let mut whole = Duration::ZERO;
    while !left.is_empty() {
        let (number, rest) = left.split_at(left.find(|c: char| !c.is_ascii_digit())?);
        let number: u32 = number.parse().ok()?;
        let mut rest = rest.chars();
        let unit = match rest.next()? {
            'H' => 3600,
            'M' => 60,
            'S' => 1,
            _ => return None,
        };
        whole = whole.saturating_add(Duration::from_secs(unit).saturating_mul(number));
        left = rest.as_str();
    }
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(options: &[(&str, &str, &'static str)], instances: u32) -> Rollout {
        let find = |namespace: &str, name: &str| {
            let mut all = options.iter();
            let found = all.find(|(ns, n, _)| (*ns, *n) == (namespace, name));
            found.map(|(_, _, value)| *value)
        };
        Rollout::of(find, instances)
    }

    fn minutes(n: u64) -> Duration {
        Duration::from_secs(n * 60)
    }

    /// Developer guide, "General options for all environments": a command may take its
    /// `Timeout` and 240 seconds; by default 600.
    #[test]
    fn all_at_once_takes_a_command() {
        let rollout = of(&[], 8);
        assert_eq!((rollout.batches, rollout.limit), (1, minutes(14)));
        let rollout = of(&[(COMMAND, "Timeout", "3600")], 8);
        assert_eq!(rollout.limit, minutes(64));
        assert_eq!(rollout, Rollout::default().clone_with(minutes(64)));
    }

    /// Developer guide, "General options for all environments", `BatchSizeType` and `BatchSize`: 12
    /// checks of 15 seconds and a drain of 20 follow each batch's command.
    #[test]
    fn a_rolling_deploy_takes_a_command_and_its_health_for_each_batch() {
        let rolling = (COMMAND, "DeploymentPolicy", "Rolling");
        let batch = minutes(14) + minutes(3) + Duration::from_secs(20);
        for (options, batches) in [
            (vec![rolling], 1),
            (vec![rolling, (COMMAND, "BatchSize", "30")], 4),
            (vec![rolling, (COMMAND, "BatchSize", "1")], 10),
            (
                vec![
                    rolling,
                    (COMMAND, "BatchSize", "3"),
                    (COMMAND, "BatchSizeType", "Fixed"),
                ],
                4,
            ),
        ] {
            let rollout = of(&options, 10);
            assert_eq!(rollout.batches, batches, "{options:?}");
            assert_eq!(rollout.limit, batch * batches, "{options:?}");
            assert!(rollout.silence >= batch, "{options:?}");
        }
        let additional = (COMMAND, "DeploymentPolicy", "RollingWithAdditionalBatch");
        let rollout = of(&[additional, (COMMAND, "BatchSize", "50")], 10);
        assert_eq!(rollout.batches, 3);
        assert_eq!(rollout.limit, minutes(30) + batch * 3);
    }

    /// Developer guide, "General options for all environments",
    /// `aws:autoscaling:updatepolicy:rollingupdate` and `aws:elasticbeanstalk:trafficsplitting`,
    /// whose evaluation is 3 to 600 minutes long.
    #[test]
    fn what_launches_instances_waits_for_them_and_for_their_traffic() {
        let batch = minutes(17) + Duration::from_secs(20);
        let immutable = (COMMAND, "DeploymentPolicy", "Immutable");
        assert_eq!(of(&[immutable], 1).limit, minutes(30 + 15) + batch);
        assert_eq!(of(&[immutable], 3).limit, minutes(60 + 15) + batch * 2);
        let quick = (
            "aws:autoscaling:updatepolicy:rollingupdate",
            "Timeout",
            "PT5M",
        );
        assert_eq!(of(&[immutable, quick], 1).limit, minutes(5 + 15) + batch);
        let splitting = (COMMAND, "DeploymentPolicy", "TrafficSplitting");
        let long = (
            "aws:elasticbeanstalk:trafficsplitting",
            "EvaluationTime",
            "600",
        );
        let rollout = of(&[splitting, long], 3);
        assert_eq!(rollout.limit, minutes(600 + 30 + 15) + batch);
        assert_eq!(
            (rollout.silence, rollout.evaluation),
            (minutes(600), minutes(600))
        );
    }

    #[test]
    fn a_duration_is_hours_minutes_and_seconds() {
        for (text, expected) in [
            ("PT30M", Some(minutes(30))),
            ("PT1H", Some(minutes(60))),
            ("PT1H5M30S", Some(Duration::from_secs(3930))),
            ("PT", Some(Duration::ZERO)),
            ("30M", None),
            ("PT30", None),
            ("PT3X", None),
        ] {
            assert_eq!(iso8601(text), expected, "{text}");
        }
    }

    impl Rollout {
        fn clone_with(&self, limit: Duration) -> Rollout {
            Rollout {
                limit,
                silence: limit.max(SILENCE_MIN),
                ..self.clone()
            }
        }
    }
}
