//! What two environments at once mean for what blue does beside answering requests.

use super::super::check::{Check, Finding};
use super::inspector::Inspector;
use crate::cloud::{Configuration, EnvironmentType};

/// The namespace of what an environment notifies people by.
const TOPICS: &str = "aws:elasticbeanstalk:sns:topics";

impl Inspector<'_> {
    /// Blue's settings do not show what its application does beside answering requests, so the
    /// warning goes to every environment.
    pub(super) fn two_environments(&self, configuration: &Configuration) -> Finding {
        let check = Check::TwoEnvironments;
        let (blue, green) = (&self.blue.name, &self.config.green);
        let given = |name| {
            let value = configuration.value(TOPICS, name);
            value.filter(|value| !value.is_empty())
        };
        let mut doubts = Vec::new();
        if let (Some(endpoint), None) = (
            given("Notification Endpoint"),
            given("Notification Topic ARN"),
        ) {
            doubts.push(format!(
                "{green} gets a notification topic of its own, which asks {endpoint} to confirm a \
                 subscription"
            ));
        }
        if configuration.environment_type() == EnvironmentType::SingleInstance {
            doubts.push(format!(
                "{green} gets another Elastic IP address (an account has five in a region unless AWS \
                 grants more): an allow-list that names {blue}'s does not know it"
            ));
        }
        let always = format!(
            "cron jobs, queue consumers and container commands run on {blue} and {green} while both \
             stand (docs/start/guide.md)"
        );
        if doubts.is_empty() {
            return check.passed(always);
        }
        doubts.push(always);
        check.warned(doubts.join("; "))
    }
}
