//! What a clone never has: what somebody has put onto blue's load balancer outside its settings.

use super::super::check::Check;
use super::inspector::{Found, Inspector};
use crate::cloud::{Configuration, EnvironmentType};
use crate::plan::Strategy;

impl Inspector<'_> {
    pub(super) async fn unmanaged_changes(&self, configuration: Option<&Configuration>) -> Found {
        let check = Check::UnmanagedChanges;
        let Some(configuration) = configuration else {
            return Ok(check.unknown("blue's settings are not known"));
        };
        if configuration.environment_type() == EnvironmentType::SingleInstance {
            return Ok(check.passed("blue has no load balancer"));
        }
        if configuration.shared_balancer().is_some() {
            return Ok(check
                .passed("what protects blue's load balancer protects green too: they share it"));
        }
        let beside = self.cloud.beside(&self.blue.id, configuration).await?;
        if !beside.found.is_empty() {
            let names: Vec<_> = beside.found.iter().map(ToString::to_string).collect();
            let names = names.join(", ");
            let meaning = match self.wanted.strategy {
                Strategy::Restore => "while users are on green, production is without",
                Strategy::Promote => "production is without from the swap on, for good",
                Strategy::Rehearse => "what is rehearsed is without",
            };
            let unread = match beside.unread.as_slice() {
                [] => String::new(),
                unread => format!("; there may be more: {}", unread.join("; ")),
            };
            return Ok(check.warned(format!(
                "blue's load balancer has {names}, which Elastic Beanstalk does not clone unless \
                 the version's .ebextensions make it: {meaning}{unread}"
            )));
        }
        Ok(match beside.unread.as_slice() {
            [] => check.passed("nothing is on blue's load balancer that its settings do not tell"),
            unread => check.unknown(unread.join("; ")),
        })
    }
}
