//! An option setting of an environment or a template.

use serde::{Deserialize, Serialize};

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

/// The namespace of time-based scaling (developer guide, "General options").
pub(crate) const SCHEDULED_ACTION: &str = "aws:autoscaling:scheduledaction";

/// The namespace and name of the option that names an environment's groups.
pub(crate) const GROUPS: (&str, &str) = ("aws:autoscaling:launchconfiguration", "SecurityGroups");

/// The namespace of what kind of environment it is (developer guide, "General options").
pub(crate) const ENVIRONMENT: &str = "aws:elasticbeanstalk:environment";
