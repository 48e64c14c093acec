//! What the describing operations of Elastic Beanstalk show.

use serde::{Deserialize, Serialize};

use crate::time::Millis;
use crate::world::environment::{Environment, Tier};
use crate::world::lifecycle::Lifecycle;
use crate::world::setting::Setting;

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

impl View {
    /// The living environments.
    pub(crate) fn living(&self) -> impl Iterator<Item = &Environment> {
        self.environments.iter().filter(|e| e.is_alive())
    }

    /// The living environment that holds a CNAME; case does not matter.
    pub(crate) fn cname_holder(&self, cname: &str) -> Option<&Environment> {
        self.living().find(|e| {
            e.cname
                .as_deref()
                .is_some_and(|c| c.eq_ignore_ascii_case(cname))
        })
    }
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
    /// When it was changed last; 0 where it never was.
    #[serde(default)]
    pub updated: Millis,
    /// The lifecycle of its versions.
    #[serde(default)]
    pub lifecycle: Lifecycle,
    /// The request that deletes it once its environments are terminated.
    #[serde(default)]
    pub deleted_by: Option<String>,
}

/// The source code of a version (API model, `SourceBuildInformation`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceBuild {
    /// `Git` or `Zip`.
    pub kind: String,
    /// `CodeCommit` or `S3`.
    pub repository: String,
    /// The place in the repository.
    pub location: String,
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
    /// When it was changed last; 0 where it never was.
    #[serde(default)]
    pub updated: Millis,
    /// The source code that it is built from; `None` where it has a bundle.
    #[serde(default)]
    pub build: Option<SourceBuild>,
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
    /// When it was changed last; 0 where it never was.
    #[serde(default)]
    pub updated: Millis,
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
    /// The request it belongs to; empty where it belongs to none.
    pub request_id: String,
}

impl Event {
    /// An event of an environment's present request, whose moment is still to be set.
    pub(crate) fn of(environment: &Environment, severity: &str, message: String) -> Event {
        Event {
            at: 0,
            severity: severity.to_owned(),
            message,
            application: environment.application.clone(),
            environment: Some(environment.name.clone()),
            environment_id: Some(environment.id.clone()),
            version_label: None,
            request_id: environment.request_id.clone(),
        }
    }
}
