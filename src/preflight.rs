//! What must be so before a deployment begins, and the plan that follows.

mod check;
mod checks;
mod health_checks;
mod iam_policy;
mod permissions;
mod steps;
mod test_hosts;

use thiserror::Error;
use tracing::warn;

use crate::acceptance::{AcceptanceTest, On};
use crate::clock::Moment;
use crate::cloud::{AwsCloud, Configuration};
use crate::cloud::{Environment, LookError, VersionRecord};
use crate::config::Config;
use crate::facts::health_of;
use crate::health::Health;
use crate::machine::Kind;
use crate::plan::{Bundle, Kept, Limits, Plan, Rollout, SecurityGroup, Strategy, Target, Wishes};
use crate::preview::Preview;
use crate::rebuild::strategy_of;
use crate::text::for_shell;

pub use check::{About, Allowing, Check, Finding, Verdict};
pub use health_checks::HealthChecks;
pub use iam_policy::{Granted, INLINE_MAX, MANAGED_MAX, characters, document, parts};
pub use permissions::{Balancing, DeploymentPolicy, Launch, Scope, passed_roles};
pub use steps::{Past, Step, Takes, steps, together};
pub use test_hosts::asks_for;

/// Which version to release, and how.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The version label; none for the newest processed one.
    pub label: Option<String>,
    /// The bundle to register it with; none where it is registered already.
    pub bundle: Option<Bundle>,
    /// Where production is to live in the end.
    pub strategy: Strategy,
    /// Whether to stop before the first swap.
    pub pause_before_swap: bool,
    /// Whether to stop before the last swap.
    pub pause_before_cutover: bool,
    /// The checks whose refusals are overridden.
    pub allow: Vec<Check>,
    /// Whether a version is released as it is registered, also where that is with another
    /// bundle than the one that is named.
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
}

/// Why a deployment cannot begin. Nothing has been changed.
#[derive(Clone, Debug, Error)]
pub enum Refused {
    /// AWS could not be read.
    #[error("{0}")]
    Look(#[from] LookError),
    /// There is no such version.
    #[error(
        "application {application} has no version {version}: register it, or give its bundle with --bundle or --s3-key"
    )]
    NoVersion {
        /// The application.
        application: String,
        /// The version label.
        version: String,
    },
    /// The version could not be processed.
    #[error(
        "version {version} could not be processed by Elastic Beanstalk: register a corrected one"
    )]
    VersionFailed {
        /// The version label.
        version: String,
    },
    /// What was found: at least one check refuses.
    #[error("{}", in_words(.0))]
    Checks(Vec<Finding>),
}

impl Refused {
    /// Whether it may pass by itself: blue is busy or not healthy for now, and nothing else
    /// refuses but what follows from that.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        let Refused::Checks(findings) = self else {
            return false;
        };
        let mut refusing = findings.iter().filter(|finding| finding.refuses());
        let passes = |finding: &&Finding| finding.check == Check::BlueHealthy;
        refusing.clone().any(|finding| passes(&finding))
            && refusing
                .all(|finding| matches!(finding.check, Check::BlueHealthy | Check::ManagedUpdate))
    }
}

/// One refusal as a sentence, several as a list.
fn in_words(findings: &[Finding]) -> String {
    let refusals: Vec<_> = findings.iter().filter(|f| f.refuses()).collect();
    match &refusals[..] {
        [only] => only.to_string(),
        several => {
            let lines = several.iter().map(|f| format!("\n  {}: {f}", f.check));
            format!(
                "{} checks refuse:{}",
                several.len(),
                lines.collect::<String>()
            )
        }
    }
}

/// What was looked at before a release, and what the plan of it takes from that.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// What every check found, in their order.
    pub findings: Vec<Finding>,
    /// The preview hostnames, where any are asked for.
    preview: Option<Preview>,
    /// The security group that the service made for blue's instances, where it is known.
    blue_group: Option<SecurityGroup>,
    /// The tests, by their places, that blue's running version did not pass.
    unmet: Vec<usize>,
    /// What the plan takes; none where checks refuse that it cannot do without.
    facts: Option<Facts>,
}

/// What the plan takes from blue.
#[derive(Clone, Debug)]
struct Facts {
    production_cname: String,
    previous_version: String,
    version: String,
    /// Whether it needs no bundle.
    is_registered: bool,
    tags: Vec<(String, String)>,
    configuration: Configuration,
    instances: u32,
    /// How many nodes blue's load balancer has, where that is known.
    nodes: Option<u32>,
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

    /// The tests of the release: what the running version does not pass, where that was
    /// allowed, is asked of the version to release alone.
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

/// The limits of a plan. A deploy has as long as its policy's own options let it take, where
/// no limit of the operator's says otherwise, and so has its abortion, which rolls back batch
/// by batch.
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

/// Blue as it is found: which target it is, and what bears green's name.
///
/// # Errors
/// [`Refused::Checks`] with what was found where there is no such application or environment,
/// or it may not be looked for; [`Refused::Look`] where nothing can be read.
pub async fn find_target(
    cloud: &AwsCloud,
    config: &Config,
    region: &str,
) -> Result<(Target, Environment, Option<Environment>), Refused> {
    let names = [config.blue.clone(), config.green.clone()];
    let mut found = match cloud.environments(&names).await {
        Err(LookError::Denied(why)) => {
            return Err(Refused::Checks(vec![
                Check::Environments.refused(why, checks::GRANT),
            ]));
        }
        found => found?,
    };
    let green = found
        .iter()
        .position(|e| e.name == config.green)
        .map(|at| found.swap_remove(at));
    let blue = found.pop().filter(|blue| blue.application == config.app);
    let Some(blue) = blue else {
        let findings = missing(cloud, config, region, green.as_ref()).await?;
        return Err(Refused::Checks(findings));
    };
    let target = Target {
        account: blue.arn.split(':').nth(4).unwrap_or_default().to_owned(),
        region: region.to_owned(),
        application: config.app.clone(),
        blue: config.blue.clone(),
    };
    Ok((target, blue, green))
}

/// What is missing where there is no blue.
async fn missing(
    cloud: &AwsCloud,
    config: &Config,
    region: &str,
    green: Option<&Environment>,
) -> Result<Vec<Finding>, LookError> {
    let (app, blue) = (&config.app, &config.blue);
    let application = match cloud.application(app).await {
        Ok(None) => {
            let evidence = format!("there is no application {app} in {region}");
            let refused = Check::Application.refused(evidence, "is --app right, and the region?");
            return Ok(vec![refused]);
        }
        Ok(Some(_)) => Check::Application.passed(format!("application {app} is in {region}")),
        Err(LookError::Denied(why)) => Check::Application.unknown(why),
        Err(error) => return Err(error),
    };
    let remedy = match green {
        Some(green) if was_promoted(cloud, green).await => format!(
            "production was promoted to {}, so say --blue {} --green {}",
            green.name,
            for_shell(&green.name),
            for_shell(blue)
        ),
        _ => "is --blue right?".to_owned(),
    };
    let evidence = format!("there is no environment {blue} in application {app} in {region}");
    Ok(vec![
        application,
        Check::Environments.refused(evidence, remedy),
    ])
}

/// Whether an earlier release was to leave production on the environment with green's name.
async fn was_promoted(cloud: &AwsCloud, green: &Environment) -> bool {
    // This is for a hint alone.
    let tags = cloud.tags(&green.arn).await.unwrap_or_default();
    strategy_of(&tags) == Strategy::Promote
}

/// Looks at everything that can be known beforehand. All that refuses is told.
///
/// # Errors
/// [`Refused::Look`] where there are no credentials: nothing can be read then.
pub async fn inspect(
    cloud: &AwsCloud,
    config: &Config,
    wanted: &Wanted,
    (target, blue, green): &(Target, Environment, Option<Environment>),
    around: &Surroundings,
) -> Result<Inspection, Refused> {
    let inspector = checks::Inspector {
        cloud: &cloud.patient(),
        config,
        wanted,
        target,
        blue,
        green: green.as_ref(),
        around,
    };
    // On the heap: it holds a request of every check, and every caller's future would hold it.
    Ok(Box::pin(inspector.inspect()).await?)
}

/// Checks what can be known beforehand and chooses every name.
///
/// # Errors
/// [`Refused`].
pub async fn plan(
    cloud: &AwsCloud,
    config: &Config,
    id: String,
    wanted: &Wanted,
    found: (Target, Environment, Option<Environment>),
    around: &Surroundings,
) -> Result<Plan, Refused> {
    let inspection = inspect(cloud, config, wanted, &found, around).await?;
    let (target, blue, _) = found;
    let refusals = inspection.refusals();
    let plan = inspection.plan(config, id, wanted, (target, &blue));
    // What leaves a plan without its facts refuses.
    let (Some(plan), true) = (plan, refusals.is_empty()) else {
        return Err(Refused::Checks(refusals));
    };
    for finding in &inspection.findings {
        let check = finding.check;
        match finding.verdict {
            Verdict::Warned => warn!("{check}: {}", finding.evidence),
            Verdict::Allowed => warn!("{check}, allowed: {}", finding.evidence),
            Verdict::Unknown => warn!("{check} is not known: {}", finding.evidence),
            Verdict::Passed | Verdict::Refused { .. } => {}
        }
    }
    Ok(plan)
}

/// Whether a registered version can be deployed.
///
/// # Errors
/// [`Refused::VersionFailed`].
pub fn usable(record: &VersionRecord) -> Result<(), Refused> {
    if record.status.eq_ignore_ascii_case("failed") {
        return Err(Refused::VersionFailed {
            version: record.label.clone(),
        });
    }
    Ok(())
}
