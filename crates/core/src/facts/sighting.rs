//! What a poll read from AWS, as data.

use std::collections::BTreeMap;

use super::probe::{Probe, Site};
use crate::command::Ran;
use crate::fidelity::{Difference, Marked};
use crate::machine::Instances;
use crate::moment::Moment;
use crate::plan::{Plan, Role, Sizes};
use crate::traffic::Traffic;

/// What a poll read.
#[derive(Clone, Debug, Default)]
pub struct Sighting {
    /// The environments by the names of blue and green that are not terminated.
    pub environments: Vec<Environment>,
    /// Whether the environment with green's name is this deployment's.
    pub green_is_ours: bool,
    /// Whether the template exists; none where it was not read.
    pub template: Option<bool>,
    /// Whether the bundle lies in the bucket; none where it was not read.
    pub bundle: Option<bool>,
    /// The version to release; the outer none where it was not read.
    pub version: Option<Option<VersionRecord>>,
    /// The events of the deploy, oldest first.
    pub events: Vec<Event>,
    /// The events of the swap, oldest first.
    pub swap_events: Vec<Event>,
    /// The events of green's launch, oldest first.
    pub launch_events: Vec<Event>,
    /// The events of the environment that bluegreen terminates, oldest first.
    pub termination_events: Vec<Event>,
    /// What each instance runs of the environment that the state deploys to; none with basic health
    /// or not read.
    pub instances: Option<Vec<InstanceVersion>>,
    /// The sizes of an environment; none where they were not read, or it has none.
    pub sizes: Option<(Role, Sizes)>,
    /// The events of the request that has removed sizes, oldest first.
    pub put_back_events: Vec<Event>,
    /// What blue's template sets, by the names of
    /// [`Traits::settings`](crate::fidelity::Traits::settings); none where it was not read, or
    /// there is no template.
    pub template_settings: Option<BTreeMap<String, String>>,
    /// How many instances each environment runs, where they were counted.
    pub counts: Vec<(Role, Instances)>,
    /// The answers to the tests over HTTP, in their order; empty where the poll sent none.
    pub probes: Vec<Probe>,
    /// What became of the test command; none where it has not ended since the last poll. The runner
    /// runs it, across polls.
    pub command: Option<Ran>,
    /// What the alarms of production say.
    pub alarms: Alarms,
    /// How green differs from blue; none where that was not read.
    pub differences: Option<Vec<Difference>>,
    /// What environments are configured with, where that was read.
    pub marked: Vec<(Role, Marked)>,
    /// The newest events of environments that are busy, oldest first.
    pub updates: Vec<(Role, Vec<Event>)>,
    /// The environment that holds the production CNAME where neither blue nor green does; none
    /// where none does, or it could not be read.
    pub production_elsewhere: Option<String>,
    /// What production answers; none where nobody counts its requests, and where it was not
    /// read.
    pub production_traffic: Option<Traffic>,
    /// What the other environment still answers; none where nobody counts its requests, where
    /// it was not read, and where there is none.
    pub idle_traffic: Option<Traffic>,
    /// Why an environment is not healthy, in the service's words, where that was read.
    pub causes: Vec<(Role, Vec<String>)>,
    /// Why nobody counts the requests of that one, in words.
    pub uncounted: Option<String>,
}

/// What the alarms of production say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Alarms {
    /// Nothing: the poll did not read them.
    #[default]
    Unasked,
    /// None of them is in alarm.
    Quiet,
    /// The first that is in alarm, and why, in words.
    Ringing(String),
    /// None that could be read is in alarm, and not all of them could: why, in words.
    Unread(String),
}

/// What production shows between two polls: all that may say that it is unhealthy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// The alarms.
    pub alarms: Alarms,
    /// What it answered to each test, in their order.
    pub probes: Vec<Probe>,
    /// Its status, color and health by `DescribeEnvironmentHealth`, and what it answered its
    /// clients; none where that could not be read.
    pub health: Option<(Vitals, Option<Traffic>)>,
}

/// The status and the health of an environment, in the service's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Launching, Updating, Ready, …
    pub status: String,
    /// Green, Yellow, Red, Grey.
    pub color: String,
    /// Ok, Info, Warning, …
    pub health: String,
}

impl Sighting {
    /// Where the environment of a role receives tests, where it is Ready and this deployment's.
    #[must_use]
    pub fn site(&self, plan: &Plan, role: Role) -> Option<Site> {
        let ours = role == Role::Blue || self.green_is_ours;
        let found = self.of(plan, role);
        let environment = found.filter(|found| ours && found.status == "Ready")?;
        Some(Site {
            cname: environment.cname.clone()?,
            endpoint: environment.endpoint.clone(),
            front: plan.front,
        })
    }

    /// The environment with this name.
    #[must_use]
    pub fn environment(&self, name: &str) -> Option<&Environment> {
        self.environments.iter().find(|e| e.name == name)
    }

    /// The environment of a role: blue by its id, green by its name.
    #[must_use]
    pub fn of(&self, plan: &Plan, role: Role) -> Option<&Environment> {
        match role {
            Role::Blue => self.environments.iter().find(|e| e.id == plan.blue_id),
            Role::Green => self.environment(&plan.green),
        }
    }

    /// Who holds the production CNAME.
    #[must_use]
    pub fn production(&self, plan: &Plan) -> Option<Role> {
        let holds = |environment: &Environment| environment.holds(&plan.production_cname);
        [Role::Blue, Role::Green]
            .into_iter()
            .find(|role| self.of(plan, *role).is_some_and(holds))
    }
}

/// An environment as `DescribeEnvironments` returns it (API reference, `EnvironmentDescription`);
/// the words are the service's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// Its id, `e-…`.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// Its application.
    pub application: String,
    /// Its CNAME; none on a worker tier.
    pub cname: Option<String>,
    /// Its load balancer's name, or the address of its only instance; it stays where it is
    /// when CNAMEs are swapped.
    pub endpoint: Option<String>,
    /// Launching, Updating, LinkingFrom, LinkingTo, Ready, Aborting, Terminating.
    pub status: String,
    /// Green, Yellow, Red, Grey.
    pub health: String,
    /// Ok, Info, Warning, …; none on basic health.
    pub health_status: Option<String>,
    /// The version label it shows.
    pub version_label: Option<String>,
    /// Whether an update can be aborted now.
    pub abortable: bool,
    /// The tier's name: WebServer, Worker or Cluster (API model, `EnvironmentTier`).
    pub tier: String,
    /// The tier's type: Standard, SQS/HTTP or EKS; empty where the service does not return it.
    pub tier_type: String,
    /// Its description.
    pub description: String,
    /// The ARN of its platform version, where the service returns it.
    pub platform: Option<String>,
    /// The ARN of its operations role, whose rights Elastic Beanstalk uses downstream; none where
    /// it uses those of its caller.
    pub operations_role: Option<String>,
    /// When it was created, where the service returns it.
    pub created: Option<Moment>,
}

impl Environment {
    /// Whether it holds this CNAME. Names are compared without case (RFC 4343).
    #[must_use]
    pub fn holds(&self, cname: &str) -> bool {
        let own = self.cname.as_deref();
        own.is_some_and(|own| own.eq_ignore_ascii_case(cname))
    }
}

/// An application version as `DescribeApplicationVersions` returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRecord {
    /// Its label.
    pub label: String,
    /// Its status in the service's own words, whose case varies.
    pub status: String,
    /// Where its bundle lies, `bucket` and `key`.
    pub bundle: Option<(String, String)>,
    /// Whether it has a source bundle, or source code it is built from. A container image's
    /// version has neither (API model, `ImageConfiguration`).
    pub has_source: bool,
}

/// An event of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Moment,
    /// TRACE, DEBUG, INFO, WARN, ERROR or FATAL.
    pub severity: String,
    /// The service's words.
    pub message: String,
    /// The request it belongs to.
    pub request_id: Option<String>,
}

/// What one instance runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceVersion {
    /// The instance's id, `i-…`.
    pub id: String,
    /// The version label of its last deployment.
    pub version_label: Option<String>,
    /// That deployment's status: In Progress, Deployed or Failed.
    pub status: Option<String>,
}

impl InstanceVersion {
    /// Whether it is in the middle of a deploy.
    #[must_use]
    pub fn is_in_progress(&self) -> bool {
        self.status.as_deref() == Some("In Progress")
    }

    /// Whether it runs this version, as far as it reports.
    #[must_use]
    pub fn runs(&self, version_label: &str) -> bool {
        self.version_label.as_deref() == Some(version_label)
            && self.status.as_deref().is_none_or(|s| s == "Deployed")
    }
}
