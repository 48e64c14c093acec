//! A world that somebody describes, in place of the seeded one: in TOML, or by a file that
//! `bluegreen doctor` wrote on a real account.

mod checks;
mod from_recording;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::error::SandboxError;
use crate::query::options::merge;
use crate::replay::recording::Recording;
use crate::world::World;
use crate::world::environment::{Environment, Tier};
use crate::world::lifecycle::Lifecycle;
use crate::world::names::{ACCOUNT, STACK};
use crate::world::setting::Setting;
use crate::world::traffic::Traffic;
use crate::world::view::{Application, Version};

/// The settings of an environment that describes none, by namespace: two instances behind an
/// application load balancer, with enhanced health, as the seeded ones have.
const USUAL: [(&str, &str, &str); 5] = [
    ("aws:autoscaling:asg", "MinSize", "2"),
    ("aws:autoscaling:asg", "MaxSize", "4"),
    (
        "aws:elasticbeanstalk:environment",
        "EnvironmentType",
        "LoadBalanced",
    ),
    (
        "aws:elasticbeanstalk:environment",
        "LoadBalancerType",
        "application",
    ),
    (
        "aws:elasticbeanstalk:healthreporting:system",
        "SystemType",
        "enhanced",
    ),
];

/// A world: applications, their versions and environments, buckets, and who uses it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// The region it plays; us-east-1 by default.
    #[serde(default)]
    pub(crate) region: Option<String>,
    /// The account it plays.
    #[serde(default)]
    pub(crate) account: Option<String>,
    /// The clients that use it; none by default.
    #[serde(default)]
    pub(crate) clients: Option<Clients>,
    #[serde(default, rename = "application")]
    pub(crate) applications: Vec<DescribedApplication>,
    #[serde(default, rename = "version")]
    pub(crate) versions: Vec<DescribedVersion>,
    #[serde(default, rename = "environment")]
    pub(crate) environments: Vec<DescribedEnvironment>,
    #[serde(default, rename = "bucket")]
    pub(crate) buckets: Vec<DescribedBucket>,
}

/// Modelled clients with cached DNS answers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Clients {
    /// The name that they use.
    pub host: String,
    #[serde(default = "twenty")]
    pub count: usize,
    /// How long each keeps a DNS answer, in seconds.
    #[serde(default = "sixty")]
    pub cache_seconds: u64,
}

fn twenty() -> usize {
    20
}

fn sixty() -> u64 {
    60
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DescribedApplication {
    pub name: String,
    #[serde(default)]
    pub description: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DescribedVersion {
    pub application: String,
    pub label: String,
    #[serde(default)]
    pub description: String,
    /// Where its bundle lies; the sandbox puts one there.
    pub bucket: String,
    pub key: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DescribedEnvironment {
    pub application: String,
    pub name: String,
    /// The label of the version that it runs.
    pub version: String,
    #[serde(default)]
    pub description: String,
    #[serde(default = "web_server")]
    pub tier: Tier,
    /// The part of its CNAME before the region; the service makes one up where there is none.
    #[serde(default)]
    pub cname_prefix: Option<String>,
    #[serde(default)]
    pub solution_stack: Option<String>,
    /// How many instances run; the least of its group by default.
    #[serde(default)]
    pub instances: Option<usize>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Its option settings, by namespace and name; they are added to the usual ones.
    #[serde(default)]
    pub settings: BTreeMap<String, BTreeMap<String, String>>,
}

fn web_server() -> Tier {
    Tier::WebServer
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DescribedBucket {
    pub name: String,
}

impl Description {
    /// Reads a description: TOML, or a file of `bluegreen doctor`, whose names are pseudonyms.
    ///
    /// # Errors
    /// [`SandboxError::Io`] and [`SandboxError::NotDescribed`], which names the place and what is
    /// wrong there.
    pub fn read(path: &Path) -> Result<Description, SandboxError> {
        let text = std::fs::read_to_string(path).map_err(|source| SandboxError::Io {
            path: path.to_owned(),
            source,
        })?;
        let wrong = |message: String| SandboxError::NotDescribed {
            path: path.to_owned(),
            message,
        };
        if text.trim_start().starts_with('{') {
            let recording = Recording::read(path).map_err(|error| wrong(error.to_string()))?;
            let described = Description::of_recording(&recording);
            described.check_world().map_err(wrong)?;
            return Ok(described);
        }
        let described: Description =
            toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        // The names of a recording are the service's own, or pseudonyms.
        described.check_names().map_err(wrong)?;
        described.check_world().map_err(wrong)?;
        Ok(described)
    }

    /// The bundles that its versions need: buckets and keys.
    pub(crate) fn bundles(&self) -> impl Iterator<Item = (&str, &str)> {
        let versions = self.versions.iter();
        versions.map(|version| (version.bucket.as_str(), version.key.as_str()))
    }

    /// The buckets that it names.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = &str> {
        self.buckets.iter().map(|bucket| bucket.name.as_str())
    }

    /// The world at `now`, in milliseconds since the Unix epoch.
    pub(crate) fn world(&self, now: u64) -> World {
        let region = self.region.as_deref().unwrap_or("us-east-1");
        let account = self.account.as_deref().unwrap_or(ACCOUNT);
        let mut world = World::empty(region, account, now);
        let applications = self.applications.iter().map(|application| Application {
            name: application.name.clone(),
            description: application.description.clone(),
            created: now,
            updated: 0,
            lifecycle: Lifecycle::default(),
            deleted_by: None,
        });
        world.view.applications = applications.collect();
        let versions = self.versions.iter().map(|version| Version {
            application: version.application.clone(),
            label: version.label.clone(),
            description: version.description.clone(),
            bucket: version.bucket.clone(),
            key: version.key.clone(),
            status: "PROCESSED".to_owned(),
            created: now,
            updated: 0,
            build: None,
        });
        world.view.versions = versions.collect();
        let bundles = self.bundles();
        world.seeded_bundles = bundles.map(|(b, key)| format!("{b}/{key}")).collect();
        for described in &self.environments {
            let environment = described.environment(&mut world);
            world.seeded.push(environment.name.clone());
            world.view.environments.push(environment);
            let at = world.view.environments.len() - 1;
            world.balance(at);
            world.tell_launch(at);
        }
        if let Some(clients) = &self.clients {
            let (count, seconds) = (clients.count, clients.cache_seconds);
            world.traffic = Traffic::new(&clients.host, count, seconds, now);
        }
        world.changed();
        world
    }
}

impl DescribedEnvironment {
    fn environment(&self, world: &mut World) -> Environment {
        let mut environment = world.ready_environment(&self.name, self.tier);
        self.application.clone_into(&mut environment.application);
        self.version.clone_into(&mut environment.version_label);
        self.description.clone_into(&mut environment.description);
        environment.solution_stack = self.solution_stack.clone().unwrap_or(STACK.to_owned());
        environment.tags = self.tags.clone().into_iter().collect();
        environment.settings = self.settings();
        environment.enhanced = environment
            .setting("aws:elasticbeanstalk:healthreporting:system", "SystemType")
            != Some("basic");
        if self.tier != Tier::Worker {
            let own = match &self.cname_prefix {
                Some(prefix) => prefix.clone(),
                None => format!("{}.eba-{}", self.name, world.letters(8)),
            };
            let cname = format!("{own}.{}.elasticbeanstalk.com", world.region);
            environment.cname = Some(cname);
        }
        let kind = environment.setting("aws:elasticbeanstalk:environment", "EnvironmentType");
        if kind == Some("SingleInstance") {
            environment.endpoint = world.new_address();
        }
        let (least, _) = environment.sizes();
        let count = self.instances.unwrap_or(least);
        environment.instances = world.instances(count, &self.version);
        environment
    }

    fn settings(&self) -> Vec<Setting> {
        let described = self.settings.iter().flat_map(|(namespace, options)| {
            let options = options.iter();
            options.map(move |(name, value)| Setting::new(namespace, name, value))
        });
        let mut settings: Vec<_> = USUAL
            .map(|(namespace, name, value)| Setting::new(namespace, name, value))
            .into();
        merge(&mut settings, described.collect());
        settings
    }
}
