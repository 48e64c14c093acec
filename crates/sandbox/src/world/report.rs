//! What the sandbox reports: requests lost, effects that hit live traffic, and
//! what was left behind.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::world::World;
use crate::world::environment::Environment;
use crate::world::tally::{Created, Interruption, Peaks};
use crate::world::traffic::Loss;

/// The report.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The seed of its chance, by which the same course can be had again.
    #[serde(default)]
    pub seed: u64,
    /// Requests that the modelled clients sent.
    pub requests: u64,
    /// The requests without a success.
    pub lost: u64,
    /// The lost requests that stubborn clients sent to an environment which the name had left.
    #[serde(default)]
    pub lost_astray: u64,
    /// The first lost ones.
    pub losses: Vec<Loss>,
    /// Effects that hit an environment which clients could reach.
    pub interruptions: Vec<Interruption>,
    /// API calls by operation.
    pub calls: BTreeMap<String, u64>,
    /// How often each scripted fault has struck, by its name; `stale_reads` counts the answers that
    /// differed from an up-to-date one, `long_caches` the requests that went to an environment
    /// which the name had left.
    #[serde(default)]
    pub strikes: BTreeMap<String, u64>,
    /// How many requests were signed for another region than the sandbox's, by that region: the
    /// sandbox has one, and answered them as that.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub other_regions: BTreeMap<String, u64>,
    /// The environments that clients ever created, the oldest first.
    #[serde(default)]
    pub created: Vec<Created>,
    /// The most environments alive at once.
    pub peaks: Peaks,
    /// What exists beyond the seed.
    pub leftovers: Leftovers,
}

/// What exists beyond the seed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftovers {
    /// Environments.
    pub environments: Vec<String>,
    /// Configuration templates.
    pub templates: Vec<String>,
    /// Objects, as `bucket/key`.
    pub objects: Vec<String>,
    /// Multipart uploads begun and neither completed nor aborted.
    pub unfinished_uploads: Vec<String>,
    /// Record sets of the hosted zones that are not as they were, by name and type.
    #[serde(default)]
    pub records: Vec<String>,
}

impl World {
    /// The environment that holds the name which the clients use.
    #[must_use]
    pub fn production(&self) -> Option<&Environment> {
        self.environments().find(|e| self.traffic.is_asked_for(e))
    }

    /// The report of this world; what S3 holds is added by the sandbox.
    #[must_use]
    pub fn report(&self) -> Report {
        let environments = self
            .environments()
            .map(|e| e.name.clone())
            .filter(|name| !self.seeded.contains(name))
            .collect();
        let mut strikes = self.strikes.clone();
        if self.traffic.astray > 0 {
            strikes.insert("long_caches".to_owned(), self.traffic.astray);
        }
        Report {
            seed: self.seed_of_chance(),
            requests: self.traffic.requests,
            lost: self.traffic.lost,
            lost_astray: self.traffic.lost_astray,
            losses: self.traffic.losses.clone(),
            interruptions: self.interruptions.clone(),
            calls: self.calls.clone(),
            strikes,
            other_regions: self.other_regions.clone(),
            created: self.created.clone(),
            peaks: self.peaks,
            leftovers: Leftovers {
                environments,
                templates: self.templates(),
                records: self.services.changed_records(),
                ..Leftovers::default()
            },
        }
    }

    /// Notes an effect on an environment that clients can reach.
    pub(crate) fn note_interruption(&mut self, operation: &str, at: usize) {
        let environment = &self.view.environments[at];
        if self.traffic.reaches(environment, self.now) {
            self.interruptions.push(Interruption {
                at: self.now,
                operation: operation.to_owned(),
                environment: environment.name.clone(),
                serves: self.traffic.is_asked_for(environment),
            });
        }
    }
}
