//! The configuration template that green is launched from.

use serde::{Deserialize, Serialize};

use super::sizes::Which;

/// The name of the configuration template of a deployment; the id makes it its own.
#[must_use]
pub fn template_name(id: &str) -> String {
    format!("bluegreen-{}", id.to_lowercase())
}

/// What the template that was made from blue sets: what was applied to blue itself, and neither
/// what its source bundle sets nor a default (developer guide, "Saved configurations").
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TemplateSets {
    /// The options, by `NAMESPACE:OPTION`, with `[RESOURCE]` behind where they are for one of
    /// several.
    pub options: Vec<String>,
    /// The security groups that green gets in place of the template's, among which is the group
    /// that the service made for blue; none where it is not.
    pub groups: Option<Vec<String>>,
}

impl TemplateSets {
    /// Which of the sizes it sets.
    #[must_use]
    pub fn sizes(&self) -> Which {
        let sets = |name: &str| {
            let mut options = self.options.iter();
            options.any(|option| option.split('[').next() == Some(name))
        };
        Which {
            min: sets("aws:autoscaling:asg:MinSize"),
            max: sets("aws:autoscaling:asg:MaxSize"),
        }
    }
}

/// A security group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SecurityGroup {
    /// Its id, `sg-…`.
    pub id: String,
    /// Its name.
    pub name: String,
}
