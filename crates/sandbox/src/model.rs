//! What an Elastic Beanstalk holds: plain data, serialisable.

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, in the sandbox's own time.
pub type Millis = u64;

/// The part of the world that the describing operations show.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// The applications.
    pub applications: Vec<Application>,
    /// Their versions, oldest first.
    pub versions: Vec<Version>,
    /// Their configuration templates.
    pub templates: Vec<Template>,
    /// The environments, terminated ones too, oldest first.
    pub environments: Vec<Environment>,
    /// The events, oldest first.
    pub events: Vec<Event>,
}

/// An application (API reference, `ApplicationDescription`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// When it was made.
    pub created: Millis,
}

/// An application version (API reference, `ApplicationVersionDescription`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// Its application.
    pub application: String,
    /// Its label.
    pub label: String,
    /// Its description.
    pub description: String,
    /// The bucket of its bundle; empty where it is a container image and has no bundle (API
    /// model, `ImageConfiguration`).
    pub bucket: String,
    /// The key of its bundle.
    pub key: String,
    /// UNPROCESSED, PROCESSING, PROCESSED or FAILED, in capitals as the service
    /// sends them.
    pub status: String,
    /// When it was registered.
    pub created: Millis,
}

/// A configuration template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Template {
    /// Its application.
    pub application: String,
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// Its solution stack.
    pub solution_stack: String,
    /// The tier it was made from.
    pub tier: Tier,
    /// Its option settings.
    pub settings: Vec<Setting>,
    /// When it was made.
    pub created: Millis,
}

/// One option setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// As in `aws:autoscaling:asg`.
    pub namespace: String,
    /// As in `MinSize`.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The name of a time-based scaling configuration, where it is of one (developer guide,
    /// "General options": `aws:autoscaling:scheduledaction`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
}

impl Setting {
    /// An option's value.
    #[must_use]
    pub fn new(namespace: &str, name: &str, value: &str) -> Setting {
        Setting {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            value: value.to_owned(),
            resource: None,
        }
    }

    /// Whether it sets the same option as another.
    pub(crate) fn is_of(&self, other: &Setting) -> bool {
        let option = |s: &Setting| (s.namespace.clone(), s.name.clone(), s.resource.clone());
        option(self) == option(other)
    }
}

/// What an environment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tier {
    /// Serves HTTP under a CNAME.
    WebServer,
    /// Reads a queue; has no CNAME.
    Worker,
    /// Runs container images on Amazon EKS (model, `EnvironmentTier`: "Cluster-mode Amazon
    /// EKS-based applications").
    Cluster,
}

/// An environment's status, spelled as the service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Being made.
    Launching,
    /// Busy with an update or a swap.
    Updating,
    /// Ready for any operation.
    Ready,
    /// Giving up an update.
    Aborting,
    /// Being terminated.
    Terminating,
    /// Gone, and still listed for a while.
    Terminated,
}

/// What keeps an environment busy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Busy {
    /// Its launch.
    Launch,
    /// A deploy; the label to go back to where it fails.
    Deploy {
        /// The version label before.
        before: String,
    },
    /// A change of configuration or a restart.
    Configure,
    /// A change of how many instances there may be: it serves meanwhile.
    Resize,
    /// A swap of CNAMEs: it serves meanwhile.
    Swap,
    /// A managed platform update, which replaces the instances: it serves meanwhile.
    Manage {
        /// The managed action's id.
        action: String,
    },
    /// The end of an update that was given up.
    Abort {
        /// The version label to go back to.
        before: String,
    },
    /// Its termination.
    Terminate,
}

/// One instance of an environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// `i-` and seventeen hexadecimal digits.
    pub id: String,
    /// The version it runs.
    pub version_label: String,
    /// The number of the deployment that put it there.
    pub deployment_id: u64,
    /// `Deployed`, `In Progress` or `Failed`.
    pub deployment_status: String,
    /// When it was launched.
    pub launched: Millis,
    /// From when on it is healthy.
    #[serde(default)]
    pub healthy_from: Millis,
}

/// An environment (API reference, `EnvironmentDescription`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// Its application.
    pub application: String,
    /// Its name, unique among the living ones.
    pub name: String,
    /// `e-` and ten alphanumerics.
    pub id: String,
    /// Its description.
    pub description: String,
    /// Its tier.
    pub tier: Tier,
    /// Its CNAME; none on a worker.
    pub cname: Option<String>,
    /// The load balancer's name; it stays when CNAMEs are swapped.
    pub endpoint: String,
    /// Its solution stack.
    pub solution_stack: String,
    /// Its status.
    pub status: Status,
    /// Green, Yellow, Red or Grey.
    pub health: String,
    /// Ok, Info, Pending, …; not shown with basic health.
    pub health_status: String,
    /// Whether it has enhanced health.
    pub enhanced: bool,
    /// The version label it shows.
    pub version_label: String,
    /// What keeps it busy.
    pub busy: Option<Busy>,
    /// Counts its operations, so that what was planned for an earlier one that
    /// was given up does not happen.
    pub operation: u64,
    /// What it answers in place of its site, and until when: its instances are not in service
    /// again after a deploy.
    #[serde(default)]
    pub out_of_service: Option<(u16, Millis)>,
    /// The request that began its present operation.
    pub request_id: String,
    /// The ARN of its operations role; none where whoever asks needs the rights beneath.
    #[serde(default)]
    pub operations_role: Option<String>,
    /// Its user tags.
    pub tags: Vec<(String, String)>,
    /// The option settings that were given to it through the API, by its template or
    /// directly: they outrank all others.
    pub settings: Vec<Setting>,
    /// What its version's source bundle sets (`.ebextensions`).
    #[serde(default)]
    pub bundled: Vec<Setting>,
    /// The service's defaults of the day when it was made, as far as they are told.
    #[serde(default)]
    pub defaults: Vec<Setting>,
    /// Its instances.
    pub instances: Vec<Instance>,
    /// The number of its newest deployment.
    pub deployment_id: u64,
    /// When it was made.
    pub created: Millis,
    /// When it last changed.
    pub updated: Millis,
}

impl Environment {
    /// Whether it is neither terminated nor gone.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.status != Status::Terminated
    }

    /// Whether its web site answers: it is Ready, or only its CNAME is moving.
    #[must_use]
    pub fn answers(&self) -> bool {
        match self.busy {
            None => self.status == Status::Ready,
            Some(Busy::Swap | Busy::Resize | Busy::Manage { .. }) => true,
            Some(
                Busy::Launch
                | Busy::Deploy { .. }
                | Busy::Configure
                | Busy::Abort { .. }
                | Busy::Terminate,
            ) => false,
        }
    }

    /// The status that is answered in place of its site now, because its instances are not in
    /// service again.
    #[must_use]
    pub fn out_of_service(&self, now: Millis) -> Option<u16> {
        let (status, until) = self.out_of_service?;
        (now < until).then_some(status)
    }

    /// The value of an option setting, whoever sets it.
    #[must_use]
    pub fn setting(&self, namespace: &str, name: &str) -> Option<&str> {
        let levels = [&self.settings, &self.bundled, &self.defaults];
        let mut all = levels.into_iter().flatten();
        all.find(|s| s.namespace == namespace && s.name == name)
            .map(|s| s.value.as_str())
    }

    /// Every option that has a value, each with the one in force (developer guide,
    /// "Configuration options", "Precedence").
    #[must_use]
    pub fn in_force(&self) -> Vec<Setting> {
        let mut all: Vec<Setting> = Vec::new();
        for level in [&self.settings, &self.bundled, &self.defaults] {
            for setting in level {
                if !all.iter().any(|s| s.is_of(setting)) {
                    all.push(setting.clone());
                }
            }
        }
        all
    }

    /// Its ARN.
    #[must_use]
    pub fn arn(&self, region: &str, account: &str) -> String {
        format!(
            "arn:aws:elasticbeanstalk:{region}:{account}:environment/{}/{}",
            self.application, self.name
        )
    }

    pub(crate) fn set_health(&mut self, health: &str, status: &str) {
        health.clone_into(&mut self.health);
        status.clone_into(&mut self.health_status);
    }
}

/// An event (API reference, `EventDescription`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Millis,
    /// TRACE, DEBUG, INFO, WARN, ERROR or FATAL.
    pub severity: String,
    /// The service's words.
    pub message: String,
    /// The application it belongs to.
    pub application: String,
    /// The environment it belongs to.
    pub environment: Option<String>,
    /// That environment's id.
    pub environment_id: Option<String>,
    /// The version it is about.
    pub version_label: Option<String>,
    /// The request it belongs to.
    pub request_id: String,
}
