//! What a message about a deployment is made of.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::deployment::Deployment;
use crate::events::Poll;
use crate::machine::Rest;
use crate::moment::{Moment, whole_seconds};
use crate::plan::Target;
use crate::receivers::Occasion;
use crate::text::short;
use crate::users::Users;

/// What is known of a deployment at the moment that a message is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// The same for every attempt to deliver it, and for no other.
    pub event_id: String,
    /// What it is about.
    pub occasion: Occasion,
    /// When that was, by the deployment's own clock.
    pub at: Moment,
    /// The deployment's id.
    pub deployment: String,
    /// Where it runs.
    pub target: Target,
    /// The state.
    pub state: String,
    /// What that means, in words.
    pub meaning: String,
    /// The version that goes out of production.
    pub from: String,
    /// The version that goes live.
    pub to: String,
    /// Where users are, in words.
    pub users: String,
    /// Why, in words; empty where there is nothing to say.
    pub why: String,
}

/// The most characters of a reason that a message holds.
const WHY_CHARS_MAX: usize = 600;

impl Notification {
    /// The one that is due where a deployment has entered its present state for this reason.
    #[must_use]
    pub fn on_entering(
        deployment: &Deployment,
        poll: Option<&Poll>,
        why: &str,
    ) -> Option<Notification> {
        let occasion = occasion_of(deployment.state.rest()?);
        let at = deployment.updated_at;
        Some(Notification::of(deployment, occasion, at, poll, why))
    }

    /// The one of a deployment that begins.
    #[must_use]
    pub fn of_start(deployment: &Deployment) -> Notification {
        let at = deployment.started_at;
        Notification::of(deployment, Occasion::Started, at, None, "")
    }

    /// The one of a deployment that nobody has carried on for so long.
    #[must_use]
    pub fn of_interruption(
        deployment: &Deployment,
        poll: Option<&Poll>,
        now: Moment,
        lasted: Duration,
    ) -> Notification {
        let why = format!(
            "no process has carried it on for {}; bluegreen resumes it now",
            whole_seconds(lasted)
        );
        Notification::of(deployment, Occasion::Interrupted, now, poll, &why)
    }

    fn of(
        deployment: &Deployment,
        occasion: Occasion,
        at: Moment,
        poll: Option<&Poll>,
        why: &str,
    ) -> Notification {
        let plan = &deployment.plan;
        let (from, to) = plan.from_to();
        Notification {
            event_id: format!("{}-{}-{occasion}", plan.id, deployment.revision),
            occasion,
            at,
            deployment: plan.id.clone(),
            target: plan.target.clone(),
            state: deployment.state.kind().to_string(),
            meaning: deployment.meaning().to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            users: Users::of(deployment, poll, true).to_string(),
            why: short(why, WHY_CHARS_MAX),
        }
    }

    /// Its first line, as in `shop/shop-blue, v1 to v2: HELD`.
    #[must_use]
    pub fn title(&self) -> String {
        format!(
            "{}/{}, {} to {}: {}",
            self.target.application,
            self.target.blue,
            self.from,
            self.to,
            self.occasion.in_words()
        )
    }

    /// What happened and where users are, in one sentence each.
    #[must_use]
    pub fn message(&self) -> String {
        let mut message = format!("{}. Users: {}.", self.title(), self.users);
        if !self.why.is_empty() {
            message.push_str(&format!(" Why: {}.", self.why.trim_end_matches('.')));
        }
        message
    }
}

/// The occasion of a deployment that comes to rest.
fn occasion_of(rest: Rest) -> Occasion {
    match rest {
        Rest::Paused => Occasion::AwaitingApproval,
        Rest::Held => Occasion::Held,
        Rest::RolledBack => Occasion::RolledBack,
        Rest::Stuck => Occasion::Stuck,
        Rest::Completed => Occasion::Completed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;

    #[test]
    fn a_message_says_what_happened_where_users_are_and_why() {
        let deployment = Deployment::new(Plan::sample("01HXAMPLE"), Moment(0));
        let started = Notification::of_start(&deployment);
        assert_eq!(started.event_id, "01HXAMPLE-0-started");
        let lasted = Duration::from_secs(1_500);
        let late = Notification::of_interruption(&deployment, None, Moment(1), lasted);
        let message = late.message();
        assert!(message.contains("INTERRUPTED. Users: "), "{message}");
        assert!(message.contains("for 25m; bluegreen resumes"), "{message}");
        assert_eq!(Notification::on_entering(&deployment, None, ""), None);
    }
}
