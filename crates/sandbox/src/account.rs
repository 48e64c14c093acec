//! What the account and its environments are like beyond the seed, where a release would
//! be checked for it: quotas, managed actions, single instances, databases.

use serde::{Deserialize, Serialize};

use crate::model::{Busy, Millis, Setting, Status};
use crate::world::{Happening, World};

/// What an account may have only so many of (API reference, `ResourceQuotas`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaOf {
    /// Applications.
    Applications,
    /// Versions, of all applications together.
    Versions,
    /// Configuration templates, of all applications together.
    Templates,
    /// Environments.
    Environments,
    /// Custom platforms.
    Platforms,
    /// Elastic IP addresses, which are EC2's.
    Addresses,
}

/// A managed action of an environment (API reference, `ManagedAction` and
/// `ManagedActionHistoryItem`): a platform update.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ManagedAction {
    pub id: String,
    pub environment_id: String,
    pub window_start: Millis,
    pub began: Option<Millis>,
    pub finished: Option<Millis>,
}

/// How long a maintenance window lasts, and when the next one begins (developer guide,
/// "Managed platform updates": two hours, weekly).
const WINDOW: Millis = 2 * 60 * 60 * 1000;
const WEEK: Millis = 7 * 24 * 60 * 60 * 1000;
/// How long an action waits for its environment before it looks at it again.
const RETRY_SECONDS: u64 = 60;

impl ManagedAction {
    /// Scheduled before its window, Pending while its environment is busy, Running.
    pub fn status(&self, now: Millis) -> &'static str {
        match self.began {
            Some(_) => "Running",
            None if self.window_start <= now => "Pending",
            None => "Scheduled",
        }
    }
}

impl World {
    /// The account has made no environment before: what it needs once is asked for.
    pub fn use_for_the_first_time(&mut self) {
        self.quirks.fresh_account = true;
    }

    /// The most that the account may have of something.
    pub(crate) fn quota(&self, of: QuotaOf) -> usize {
        let usual = match of {
            QuotaOf::Applications => 75,
            QuotaOf::Versions => 1000,
            QuotaOf::Templates => 2000,
            QuotaOf::Environments => 200,
            QuotaOf::Platforms => 50,
            QuotaOf::Addresses => 5,
        };
        self.quirks.quotas.get(&of).copied().unwrap_or(usual)
    }

    /// The state of the platform's branch.
    pub(crate) fn branch_state(&self) -> &str {
        self.quirks.branch_state.as_deref().unwrap_or("Supported")
    }

    /// Whether the branch is retired: no environment can be created on it any more
    /// (developer guide, "Elastic Beanstalk platforms glossary").
    pub(crate) fn is_retired(&self) -> bool {
        self.branch_state().eq_ignore_ascii_case("Retired")
    }

    /// Couples an environment with a database.
    pub(crate) fn couple_database(&mut self, environment: &str) {
        let database = "aws:rds:dbinstance";
        self.set(environment, database, "HasCoupledDatabase", "true");
        self.set(environment, database, "DBEngine", "postgres");
    }

    /// Turns an environment into one of a single instance.
    pub(crate) fn single_out(&mut self, environment: &str) {
        let kind = ("aws:elasticbeanstalk:environment", "EnvironmentType");
        self.set(environment, kind.0, kind.1, "SingleInstance");
        for size in ["MinSize", "MaxSize"] {
            self.set(environment, "aws:autoscaling:asg", size, "1");
        }
        self.scale(environment, 1);
        let address = self.new_address();
        if let Some(environment) = self.environment_mut(environment) {
            environment.endpoint = address;
        }
    }

    /// An Elastic IP address, of those that are for documentation (RFC 5737).
    pub(crate) fn new_address(&mut self) -> String {
        format!("203.0.113.{}", self.number() % 254 + 1)
    }

    /// Plans a managed platform update of an environment, whose window begins after
    /// `seconds`.
    pub(crate) fn schedule_update(&mut self, environment: &str, seconds: u64) {
        let Some(environment_id) = self.environment(environment).map(|e| e.id.clone()) else {
            return;
        };
        let id = self.request_id();
        self.quirks.managed_actions.push(ManagedAction {
            id: id.clone(),
            environment_id,
            window_start: self.now.saturating_add(seconds.saturating_mul(1000)),
            began: None,
            finished: None,
        });
        self.plan(seconds, Happening::ManagedActionBegins { id });
    }

    /// A managed action begins where its environment is Ready, and waits for it while its
    /// window is open; then for the next one.
    pub(crate) fn begin_managed_action(&mut self, id: String) {
        let found = self.quirks.managed_actions.iter_mut().find(|a| a.id == id);
        let Some(action) = found else {
            return;
        };
        let environments = self.view.environments.iter();
        let Some(at) = environments
            .clone()
            .position(|e| e.id == action.environment_id && e.is_alive())
        else {
            return;
        };
        if self.view.environments[at].status == Status::Ready {
            action.began = Some(self.now);
            let request_id = self.request_id();
            let seconds = self.timings.launch_seconds;
            self.begin(at, Busy::Manage { action: id }, seconds, &request_id);
            self.say_of(at, "INFO", "Environment update is starting.");
            return;
        }
        let seconds = if self.now < action.window_start.saturating_add(WINDOW) {
            RETRY_SECONDS
        } else {
            action.window_start = action.window_start.saturating_add(WEEK);
            action.window_start.saturating_sub(self.now) / 1000
        };
        self.plan(seconds, Happening::ManagedActionBegins { id });
    }

    /// A managed action is over.
    pub(crate) fn end_managed_action(&mut self, id: &str) {
        let now = self.now;
        let found = self.quirks.managed_actions.iter_mut().find(|a| a.id == id);
        if let Some(action) = found {
            action.finished = Some(now);
        }
    }

    /// Sets an option of a living environment, behind the service's back.
    pub fn set(&mut self, environment: &str, namespace: &str, name: &str, value: &str) {
        let Some(found) = self.environment_mut(environment) else {
            return;
        };
        let settings = &mut found.settings;
        settings.retain(|s| (s.namespace.as_str(), s.name.as_str()) != (namespace, name));
        settings.push(Setting::new(namespace, name, value));
    }
}
