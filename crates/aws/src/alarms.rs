//! The CloudWatch alarms that monitor production beside its health.

use aws_sdk_cloudwatch::types::{AlarmType, StateValue};

use super::clients::AwsCloud;
use super::failure::{PAGES_MAX, endless, look_error};
use crate::cloud::LookError;
use bluegreen_core::text::foreign;

/// How many alarms one request names and one answer lists (API reference, `DescribeAlarms`: at most
/// 100 of each).
const ALARMS_MAX: usize = 100;

/// An alarm, metric or composite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Its name, unique in an account and region.
    pub name: String,
    /// Its state.
    pub state: AlarmState,
    /// Why it is in this state, in the service's words.
    pub reason: String,
}

/// The state of an alarm (API reference, `MetricAlarm`, `StateValue`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmState {
    /// Within its threshold.
    Ok,
    /// Beyond it.
    Alarm,
    /// Too little is known yet, or any more.
    InsufficientData,
}

impl Alarm {
    /// Says that it is in alarm, and why; `None` where it is not.
    #[must_use]
    pub fn ringing(&self) -> Option<String> {
        let rings = self.state == AlarmState::Alarm;
        rings.then(|| format!("the alarm {} is in alarm: {}", self.name, self.reason))
    }
}

impl AwsCloud {
    /// The alarms with these names, in their order.
    ///
    /// # Errors
    /// [`LookError`]; [`LookError::Refused`] names those that do not exist.
    pub async fn alarms(&self, names: &[String]) -> Result<Vec<Alarm>, LookError> {
        let found = self.alarms_found(names).await?;
        match missing(names, &found) {
            Some(missing) => Err(LookError::Refused(format!(
                "{missing}: is --alarm right, and the region?"
            ))),
            None => Ok(found),
        }
    }

    /// The alarms with these names that exist, in their order.
    pub(super) async fn alarms_found(&self, names: &[String]) -> Result<Vec<Alarm>, LookError> {
        let mut found: Vec<Alarm> = Vec::new();
        for names in names.chunks(ALARMS_MAX) {
            found.extend(self.some_alarms(names).await?);
        }
        found.sort_by_key(|alarm| names.iter().position(|name| *name == alarm.name));
        Ok(found)
    }

    async fn some_alarms(&self, names: &[String]) -> Result<Vec<Alarm>, LookError> {
        let mut found = Vec::new();
        let mut token = None;
        for _ in 0..PAGES_MAX {
            let page = self
                .cloudwatch
                .describe_alarms()
                .set_alarm_names(Some(names.to_vec()))
                // Without both only metric alarms return.
                .alarm_types(AlarmType::MetricAlarm)
                .alarm_types(AlarmType::CompositeAlarm)
                .set_next_token(token)
                .send()
                .await
                .map_err(|e| look_error("DescribeAlarms", &e))?;
            let metric = page.metric_alarms.unwrap_or_default().into_iter();
            let metric = metric.map(|a| (a.alarm_name, a.state_value, a.state_reason));
            let composite = page.composite_alarms.unwrap_or_default().into_iter();
            let composite = composite.map(|a| (a.alarm_name, a.state_value, a.state_reason));
            found.extend(metric.chain(composite).map(|(name, state, reason)| Alarm {
                name: name.unwrap_or_default(),
                state: state_of(state.as_ref()),
                reason: foreign(&reason.unwrap_or_default()),
            }));
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
        Err(endless("DescribeAlarms"))
    }
}

/// Which of the alarms with these names are not among those found, in words.
pub(super) fn missing(names: &[String], found: &[Alarm]) -> Option<String> {
    let is_known = |name: &str| found.iter().any(|alarm| alarm.name == name);
    let names = names.iter().map(String::as_str);
    let unknown: Vec<&str> = names.filter(|name| !is_known(name)).collect();
    let words = || format!("there is no CloudWatch alarm named {}", unknown.join(", "));
    (!unknown.is_empty()).then(words)
}

/// A state that this program does not know counts as insufficient data.
fn state_of(state: Option<&StateValue>) -> AlarmState {
    match state {
        Some(StateValue::Ok) => AlarmState::Ok,
        Some(StateValue::Alarm) => AlarmState::Alarm,
        _ => AlarmState::InsufficientData,
    }
}
