//! The flags of the limits.

use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use serde::de::IntoDeserializer;

use crate::machine::Kind;
use crate::plan::Limits;
use crate::table::{duration, limit};

/// What bounds a release and its waiting.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct LimitFlags {
    /// Interval between polls of AWS, which are closer where a few in a row decide, and rarer where
    /// nothing is expected yet
    #[arg(long, env = "BLUEGREEN_POLL", global = true, value_name = "DURATION", default_value = in_units(Limits::default().poll), value_parser = poll)]
    pub poll: Duration,
    /// How long cached DNS answers may still lead to an environment after a swap
    #[arg(long, env = "BLUEGREEN_DRAIN", global = true, value_name = "DURATION", default_value = in_units(Limits::default().drain), value_parser = duration)]
    pub drain: Duration,
    /// How long to wait for the last clients of a draining environment; after that a remainder of
    /// requests, but no more, is accepted
    #[arg(long, env = "BLUEGREEN_DRAIN_LIMIT", global = true, value_name = "DURATION", default_value = in_units(Limits::default().drain_limit), value_parser = duration)]
    pub drain_limit: Duration,
    /// Once --drain-limit is over, deploy to or terminate an environment that clients still reach:
    /// their requests are lost
    #[arg(long, env = "BLUEGREEN_ACCEPT_TRAFFIC_LOSS", global = true, value_parser = clap::builder::BoolishValueParser::new())]
    pub accept_traffic_loss: bool,
    /// Requests per minute and instance at which an environment counts as drained [default: one and
    /// a half times what blue's health checks cause, at least 20]
    #[arg(
        long,
        env = "BLUEGREEN_DRAIN_REQUESTS",
        global = true,
        value_name = "COUNT"
    )]
    pub drain_requests: Option<u32>,
    /// How long to monitor production after the last swap
    #[arg(long, env = "BLUEGREEN_BAKE", global = true, value_name = "DURATION", default_value = in_units(Limits::default().bake), value_parser = duration)]
    pub bake: Duration,
    /// By how many percentage points server errors may rise during the bake
    #[arg(long, env = "BLUEGREEN_ERROR_RISE", global = true, value_name = "POINTS", default_value_t = Limits::default().error_rise,
          value_parser = clap::value_parser!(u32).range(..=100))]
    pub error_rise: u32,
    /// By which factor latency may rise during the bake
    #[arg(long, env = "BLUEGREEN_LATENCY_RISE", global = true, value_name = "FACTOR", default_value_t = Limits::default().latency_rise,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub latency_rise: u32,
    /// Timeout of each state [default: 30m; for Deploying as long as blue's deployment policy may
    /// take, if that is longer]
    #[arg(long, env = "BLUEGREEN_PATIENCE", global = true, value_name = "DURATION", value_parser = limit)]
    pub patience: Option<Duration>,
    /// Timeout of one state, such as Warming=10m; may be repeated
    #[arg(long, env = "BLUEGREEN_PATIENCE_OF", global = true, value_name = "STATE=DURATION",
          value_delimiter = ',', value_parser = patience_of)]
    pub patience_of: Vec<(Kind, Duration)>,
    /// How long a request in doubt may still arrive at AWS
    #[arg(long, env = "BLUEGREEN_QUARANTINE", global = true, value_name = "DURATION", default_value = in_units(Limits::default().quarantine), value_parser = quarantine)]
    pub quarantine: Duration,
}

impl LimitFlags {
    /// The limits that the flags set; the others have their defaults.
    pub(super) fn limits(&self) -> Limits {
        let LimitFlags {
            poll,
            drain,
            drain_limit,
            accept_traffic_loss,
            drain_requests,
            bake,
            error_rise,
            latency_rise,
            patience,
            patience_of,
            quarantine,
        } = self.clone();
        let default = Limits::default();
        let of_state = |(kind, patience): (Kind, Duration)| (kind.to_string(), patience);
        Limits {
            poll,
            drain,
            drain_limit,
            accept_traffic_loss,
            drain_requests: drain_requests.unwrap_or(default.drain_requests),
            bake,
            error_rise,
            latency_rise,
            patience: patience.unwrap_or(default.patience),
            patience_of: patience_of.into_iter().map(of_state).collect(),
            quarantine,
            ..default
        }
    }
}

/// A default in whole minutes or seconds, as the flags have it.
pub(super) fn in_units(limit: Duration) -> String {
    match limit.as_secs() {
        seconds if seconds % 60 == 0 && seconds > 60 => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

/// The longest interval between two polls.
const POLL_MAX: Duration = Duration::from_secs(5 * 60);

fn poll(text: &str) -> Result<Duration, String> {
    let poll = duration(text)?;
    if poll < Duration::from_millis(100) {
        return Err("bluegreen polls AWS at most every 100ms".to_owned());
    }
    if poll > POLL_MAX {
        return Err(format!(
            "what goes wrong must be seen: at most {}",
            humantime::format_duration(POLL_MAX)
        ));
    }
    Ok(poll)
}

/// Refuses a duration shorter than the default: bluegreen would then repeat a request that may
/// still arrive.
fn quarantine(text: &str) -> Result<Duration, String> {
    let quarantine = duration(text)?;
    let least = Limits::default().quarantine;
    if quarantine < least {
        return Err(format!(
            "a request whose answer was lost may arrive for {}: at least that",
            humantime::format_duration(least)
        ));
    }
    Ok(quarantine)
}

/// The timeout of one state, such as `Warming=10m`. States that wait only for an operator have
/// none.
fn patience_of(text: &str) -> Result<(Kind, Duration), String> {
    let (state, patience) = text
        .split_once('=')
        .ok_or("write a state and its timeout, such as Warming=10m")?;
    let kind: Result<Kind, serde::de::value::Error> =
        Kind::deserialize(state.trim().into_deserializer());
    let kind = kind.map_err(|e| e.to_string())?;
    match kind {
        Kind::AwaitingSwap
        | Kind::AwaitingCutover
        | Kind::Held
        | Kind::Completed
        | Kind::RolledBack
        | Kind::Stuck => Err(format!("{kind} waits for nothing that a timeout could end")),
        Kind::Preparing
        | Kind::Cloning
        | Kind::Warming
        | Kind::DeployingGreen
        | Kind::TestingGreen
        | Kind::SwappingToGreen
        | Kind::DrainingBlue
        | Kind::Deploying
        | Kind::AbortingDeploy
        | Kind::Testing
        | Kind::SwappingToBlue
        | Kind::Baking
        | Kind::ReturningToGreen
        | Kind::ReturningToBlue
        | Kind::TerminatingGreen
        | Kind::TerminatingBlue
        | Kind::Discarding => Ok((kind, limit(patience.trim())?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert!(duration("60").unwrap_err().contains("60s"));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert!(poll("1ms").is_err());
        assert!(duration("580000000000years").is_err());
    }

    #[test]
    fn patience_is_of_states_that_wait() {
        let ten_minutes = Duration::from_secs(600);
        assert_eq!(patience_of("Warming=10m"), Ok((Kind::Warming, ten_minutes)));
        assert_eq!(
            patience_of(" Baking = 10m"),
            Ok((Kind::Baking, ten_minutes))
        );
        for (text, words) in [
            ("Warming", "such as Warming=10m"),
            ("Warmin=10m", "expected one of `Preparing`"),
            ("Warming=10", "such as 500ms"),
            ("Held=10m", "Held waits for nothing"),
        ] {
            let why = patience_of(text).unwrap_err();
            assert!(why.contains(words), "{text}: {why}");
        }
    }
}
