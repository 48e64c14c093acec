//! The findings before a release, and the plan that follows.

use std::collections::BTreeMap;

use super::check::{Check, Finding, Verdict};
use super::health_checks::HealthChecks;
use super::steps::Past;
use crate::acceptance::{AcceptanceTest, On};
use crate::clock::Moment;
use crate::cloud::{Configuration, Environment};
use crate::config::Config;
use crate::facts::health_of;
use crate::health::Health;
use crate::machine::Kind;
use crate::plan::{Bundle, Kept, Limits, Plan, Rollout, SecurityGroup, Strategy, Target, Wishes};
use crate::preview::Preview;

/// Which version to release, and how.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The version label; `None` for the newest processed one.
    pub label: Option<String>,
    /// The bundle to register it with; `None` where it is registered already.
    pub bundle: Option<Bundle>,
    /// Which environment users are on in the end.
    pub strategy: Strategy,
    /// Whether to stop before the first swap.
    pub pause_before_swap: bool,
    /// Whether to stop before the last swap.
    pub pause_before_cutover: bool,
    /// The checks whose refusals are overridden.
    pub allow: Vec<Check>,
    /// Whether a version is released as it is registered, even with another bundle than the named
    /// one.
    pub reuse_version: bool,
}

impl Wanted {
    /// Whether it is to stop before a swap.
    #[must_use]
    pub fn pauses(&self) -> bool {
        self.pause_before_swap || self.pause_before_cutover
    }
}

/// When a release is to begin, and what is known of earlier ones.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// AWS's time.
    pub now: Moment,
    /// What past deployments of the target took.
    pub past: Past,
    /// The versions that a deployment of the target released last and that did not stay, because it
    /// was rolled back or undone: the id of that deployment by version label.
    pub given_back: BTreeMap<String, String>,
}

/// The findings before a release, and what the plan takes from them.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// What every check found, in their order.
    pub findings: Vec<Finding>,
    /// The preview hostnames, where the configuration names any.
    pub(super) preview: Option<Preview>,
    /// The security group that the service made for blue's instances, where it is known.
    pub(super) blue_group: Option<SecurityGroup>,
    /// The tests, by their places, that blue's running version did not pass.
    pub(super) unmet: Vec<usize>,
    /// What the plan takes; `None` where checks refuse that it cannot do without.
    pub(super) facts: Option<Facts>,
}

/// What the plan takes from blue.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) production_cname: String,
    pub(super) previous_version: String,
    pub(super) version: String,
    /// Whether it needs no bundle.
    pub(super) is_registered: bool,
    pub(super) tags: Vec<(String, String)>,
    pub(super) configuration: Configuration,
    pub(super) instances: u32,
    /// How many nodes blue's load balancer has, where that is known.
    pub(super) nodes: Option<u32>,
}

impl Inspection {
    /// The worst health that the operator accepts: what a setting says, or, where blue's own
    /// health was allowed, that.
    fn accepted(&self, config: &Config, blue: &Environment) -> Health {
        let is_allowed = |finding: &&Finding| {
            finding.check == Check::BlueHealthy && finding.verdict == Verdict::Allowed
        };
        let allowed = self.findings.iter().find(is_allowed);
        let allowed = allowed.and_then(|_| health_of(blue)).unwrap_or_default();
        config.wishes.healthy.max(allowed)
    }

    /// The tests of the release. A test that the running version does not pass, where that was
    /// allowed, is sent to the version to release alone.
    fn tests(&self, config: &Config) -> Vec<AcceptanceTest> {
        let mut tests = config.wishes.tests.clone();
        for at in &self.unmet {
            if let Some(test) = tests.get_mut(*at) {
                test.on = On::Release;
            }
        }
        tests
    }

    /// Adds what was found elsewhere.
    #[must_use]
    pub fn with(mut self, finding: Finding) -> Inspection {
        self.findings.push(finding);
        self.findings.sort_by_key(|finding| finding.check);
        self
    }

    /// What refuses.
    #[must_use]
    pub fn refusals(&self) -> Vec<Finding> {
        let refusing = self.findings.iter().filter(|finding| finding.refuses());
        refusing.cloned().collect()
    }

    /// The plan, where it can be made; also where a check refuses that has no part in it.
    #[must_use]
    pub fn plan(
        &self,
        config: &Config,
        id: String,
        wanted: &Wanted,
        (target, blue): (Target, &Environment),
    ) -> Option<Plan> {
        let facts = self.facts.clone()?;
        let sizes = facts.configuration.sizes();
        let checks = HealthChecks::of(&facts.configuration, facts.nodes);
        let drain_requests = config
            .drain_requests
            .or(checks.map(|checks| checks.allowed()))
            .unwrap_or(config.wishes.limits.drain_requests);
        let limits = Limits {
            drain_requests,
            ..limits(config, &facts.configuration, facts.instances)
        };
        let kept = Kept {
            id: &id,
            production_cname: &facts.production_cname,
            blue_id: &blue.id,
            version: &facts.version,
            strategy: wanted.strategy,
            sizes,
            bucket: &config.bucket,
            shared_state: config.shared_state,
            pause_before_swap: wanted.pause_before_swap,
            pause_before_cutover: wanted.pause_before_cutover,
        };
        let wishes = Wishes {
            healthy: self
                .accepted(config, blue)
                .max(facts.configuration.success_threshold()),
            tests: self.tests(config),
            limits,
            ..config.wishes.clone()
        };
        let before = &facts.previous_version;
        let is_needed = !(wanted.reuse_version && facts.is_registered);
        Some(Plan {
            bundle: wanted.bundle.clone().filter(|_| is_needed),
            blue_group: self.blue_group.clone(),
            instances: facts.instances,
            operations_role: blue.operations_role.clone(),
            green_tags: kept.beside(&facts.tags),
            front: facts.configuration.front(),
            preview: self.preview.clone(),
            allowed: self.findings.iter().filter_map(Finding::kept).collect(),
            ..Plan::of(&kept, target, &config.green, before, wishes)
        })
    }
}

/// The limits of a plan. A deploy may take as long as its policy's own options let it, unless the
/// operator has set a limit, and so may its abortion, which rolls back batch by batch.
fn limits(config: &Config, configuration: &Configuration, instances: u32) -> Limits {
    let mut limits = config.wishes.limits.clone();
    let option = |namespace: &str, name: &str| configuration.value(namespace, name);
    let least = configuration.sizes().map_or(1, |sizes| sizes.min);
    limits.rollout = Rollout::of(option, instances.max(least));
    if !config.patience_is_given && limits.rollout.limit > limits.patience {
        for kind in [Kind::Deploying, Kind::DeployingGreen, Kind::AbortingDeploy] {
            let own = limits.patience_of.entry(kind.to_string());
            own.or_insert(limits.rollout.limit);
        }
    }
    limits
}
