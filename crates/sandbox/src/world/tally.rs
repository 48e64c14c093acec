//! The counts for the report.

use serde::{Deserialize, Serialize};

use crate::time::Millis;
use crate::world::environment::Environment;

/// An effect that hit an environment which clients could reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interruption {
    /// When, in milliseconds since the Unix epoch.
    pub at: Millis,
    /// The operation.
    pub operation: String,
    /// The environment's name.
    pub environment: String,
    /// Whether it held the name that the clients use; else only cached answers led there.
    #[serde(default)]
    pub serves: bool,
}

/// An environment that a client created, whatever became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// Its id, which no other ever has.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// The most environments alive at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peaks {
    /// Of all.
    pub environments: usize,
    /// Of those that a deployment tool has tagged `bluegreen:deployment`.
    pub tagged_environments: usize,
}

impl Peaks {
    pub(crate) fn with<'a>(self, alive: impl Iterator<Item = &'a Environment>) -> Peaks {
        let (mut environments, mut tagged) = (0, 0);
        for environment in alive {
            environments += 1;
            let is_tagged = |(key, _): &(String, String)| key == "bluegreen:deployment";
            tagged += usize::from(environment.tags.iter().any(is_tagged));
        }
        Peaks {
            environments: self.environments.max(environments),
            tagged_environments: self.tagged_environments.max(tagged),
        }
    }
}
