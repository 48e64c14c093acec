//! An environment of Elastic Beanstalk, and its instances.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::time::Millis;
use crate::world::setting::{ENVIRONMENT, GROUPS, Setting};

/// The purpose of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tier {
    /// Answers HTTP under a CNAME.
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
    /// A deploy; the label to return to where it fails.
    Deploy {
        /// The version label before.
        before: String,
    },
    /// A change of configuration or a restart.
    Configure,
    /// A change of how many instances there may be: the site answers meanwhile.
    Resize,
    /// A swap of CNAMEs: the site answers meanwhile.
    Swap,
    /// A managed platform update, which replaces the instances: the site answers meanwhile.
    Manage {
        /// The managed action's id.
        action: String,
    },
    /// An update of its tags: the site answers meanwhile.
    Tag,
    /// The end of an update that was given up.
    Abort {
        /// The version label to return to.
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
    /// Its CNAME; `None` on a worker.
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
    /// Counts its operations, so that what was planned for an earlier operation that was given up
    /// does not happen.
    pub operation: u64,
    /// The status that it answers in place of its site, and until when: its instances are not in
    /// service again after a deploy.
    #[serde(default)]
    pub out_of_service: Option<(u16, Millis)>,
    /// The request that began its present operation.
    pub request_id: String,
    /// The ARN of its operations role; `None` where its caller needs the downstream rights.
    #[serde(default)]
    pub operations_role: Option<String>,
    /// The name of the configuration template that it was launched from (API model,
    /// `EnvironmentDescription`).
    #[serde(default)]
    pub template: Option<String>,
    /// Its user tags.
    pub tags: Vec<(String, String)>,
    /// The option settings that were given to it through the API, by its template or
    /// directly: they outrank all others.
    pub settings: Vec<Setting>,
    /// The settings that are deployed, while an update changes those that were given to it; `None`
    /// at any other time (API reference, `UpdateEnvironment`).
    #[serde(default)]
    pub deployed: Option<Vec<Setting>>,
    /// The settings of its version's source bundle (`.ebextensions`).
    #[serde(default)]
    pub bundled: Vec<Setting>,
    /// The service's defaults when it was created, as far as the service lists them.
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

    /// Whether its web site answers: it is Ready, only its CNAME is moving, or it is healthy before
    /// its launch has ended.
    #[must_use]
    pub fn answers(&self) -> bool {
        match self.busy {
            None => self.status == Status::Ready,
            Some(Busy::Launch) => self.health == "Green",
            Some(Busy::Swap | Busy::Resize | Busy::Tag | Busy::Manage { .. }) => true,
            Some(Busy::Deploy { .. } | Busy::Configure | Busy::Abort { .. } | Busy::Terminate) => {
                false
            }
        }
    }

    /// The status that it answers in place of its site now, because its instances are not in
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

    /// The same environment with these settings given to it.
    pub(crate) fn with_settings(&self, settings: Vec<Setting>) -> Environment {
        Environment {
            settings,
            ..self.clone()
        }
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

impl Environment {
    /// The id of the group that the service makes for its instances; `None` where its settings say
    /// to make none (developer guide, "EC2 security groups").
    #[must_use]
    pub fn own_group(&self) -> Option<String> {
        let (namespace, _) = GROUPS;
        match self.setting(namespace, "DisableDefaultEC2SecurityGroup") {
            Some("true") => None,
            _ => Some(format!("sg-{}", self.number())),
        }
    }

    /// The groups that its instances are in.
    #[must_use]
    pub fn groups(&self) -> Vec<String> {
        let (namespace, name) = GROUPS;
        let given = self.setting(namespace, name).unwrap_or_default();
        let given = given.split(',').map(str::trim).filter(|g| !g.is_empty());
        let mut groups: Vec<String> = given.map(str::to_owned).collect();
        groups.extend(self.own_group().filter(|own| !groups.contains(own)));
        groups
    }

    /// The group of its load balancer.
    pub(crate) fn balancer_group(&self) -> String {
        format!("sg-{}-elb", self.number())
    }

    /// The Elastic IP address of a single instance that serves the web (developer guide,
    /// "Environment types"), which is its endpoint.
    #[must_use]
    pub fn address(&self) -> Option<String> {
        let is_address = self.endpoint.parse::<IpAddr>().is_ok();
        (is_address && self.tier == Tier::WebServer).then(|| self.endpoint.clone())
    }

    fn number(&self) -> &str {
        self.id.trim_start_matches("e-")
    }

    /// The name of its own group.
    pub(crate) fn own_group_name(&self) -> String {
        let number = self.number().to_uppercase();
        format!("awseb-{}-stack-AWSEBSecurityGroup-{number}", self.id)
    }
}

impl Environment {
    /// Whether nothing balances its requests: it is a worker or a single instance.
    pub(crate) fn is_unbalanced(&self) -> bool {
        self.tier == Tier::Worker
            || self.setting(ENVIRONMENT, "EnvironmentType") == Some("SingleInstance")
    }

    /// How many instances its group may have (developer guide, "General options for all
    /// environments": 1 and 4 by default).
    pub(crate) fn sizes(&self) -> (usize, usize) {
        let size = |name| self.setting("aws:autoscaling:asg", name)?.parse().ok();
        (size("MinSize").unwrap_or(1), size("MaxSize").unwrap_or(4))
    }
}
