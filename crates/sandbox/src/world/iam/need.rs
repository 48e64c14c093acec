//! What a request needs to be allowed.

use std::collections::BTreeMap;

/// One thing that a request needs to be allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// As in `elasticbeanstalk:CreateEnvironment`.
    pub action: String,
    /// The resource's ARN, or `*` for an action without resources.
    pub resource: String,
    /// The condition keys of the request with their values.
    pub keys: BTreeMap<String, Vec<String>>,
}

impl Need {
    /// An action on a resource.
    #[must_use]
    pub fn new(action: impl Into<String>, resource: impl Into<String>) -> Need {
        Need {
            action: action.into(),
            resource: resource.into(),
            keys: BTreeMap::new(),
        }
    }

    /// With a condition key of the request.
    #[must_use]
    pub fn key(mut self, name: &str, values: impl IntoIterator<Item = String>) -> Need {
        self.keys
            .entry(name.to_lowercase())
            .or_default()
            .extend(values);
        self
    }
}
