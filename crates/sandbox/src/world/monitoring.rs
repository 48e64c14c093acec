//! The states of alarms. No alarm follows a metric: it is in the state that SetAlarmState, or
//! [`World::set_alarm`], has left it in.

use serde_json::{Map, Value};

use crate::world::World;
use crate::world::alarm::Alarm;

impl World {
    /// Puts an alarm of this name into a state (OK, ALARM or INSUFFICIENT_DATA), making a
    /// metric alarm where there is none.
    pub fn set_alarm(&mut self, name: &str, state: &str) {
        if !self.services.alarms.iter().any(|alarm| alarm.name == name) {
            let alarm = self.new_alarm(name, false, Map::new());
            self.services.alarms.push(alarm);
        }
        self.change_alarm(name, state, "set by the test");
    }

    /// Removes an alarm.
    pub fn remove_alarm(&mut self, name: &str) {
        self.services.alarms.retain(|alarm| alarm.name != name);
    }

    /// The ARN of an alarm.
    pub(crate) fn alarm_arn(&self, name: &str) -> String {
        format!(
            "arn:aws:cloudwatch:{}:{}:alarm:{name}",
            self.region, self.account
        )
    }

    pub(crate) fn new_alarm(
        &self,
        name: &str,
        composite: bool,
        definition: Map<String, Value>,
    ) -> Alarm {
        Alarm {
            name: name.to_owned(),
            composite,
            state: "INSUFFICIENT_DATA".to_owned(),
            reason: "Unchecked: Initial alarm creation".to_owned(),
            updated: self.now,
            definition,
        }
    }

    pub(crate) fn change_alarm(&mut self, name: &str, state: &str, reason: &str) {
        let now = self.now;
        let found = self.services.alarms.iter_mut().find(|a| a.name == name);
        if let Some(alarm) = found {
            state.clone_into(&mut alarm.state);
            reason.clone_into(&mut alarm.reason);
            alarm.updated = now;
        }
    }
}
