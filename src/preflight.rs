//! What must hold before a deployment begins, and the plan that follows.

mod check;
mod checks;
mod health_checks;
mod iam_policy;
mod inspection;
mod permissions;
mod steps;
mod test_hosts;

use thiserror::Error;
use tracing::warn;

use crate::cloud::{AwsCloud, Environment, LookError, VersionRecord};
use crate::config::Config;
use crate::heap::on_heap;
use crate::plan::{Plan, Strategy, Target};
use crate::rebuild::strategy_of;
use crate::text::for_shell;

pub use check::{About, Allowing, Check, Finding, Verdict};
pub use health_checks::HealthChecks;
pub use iam_policy::{Granted, INLINE_MAX, MANAGED_MAX, characters, document, parts};
pub use inspection::{Inspection, Surroundings, Wanted};
pub use permissions::{Balancing, DeploymentPolicy, Launch, Scope, passed_roles};
pub use steps::{Past, Step, Takes, expected, steps, together};
pub use test_hosts::asks_for;

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
    /// At least one check refuses: the findings.
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

/// Finds blue: which target it is, and which environment has green's name.
///
/// # Errors
/// [`Refused::Checks`] with the findings where there is no such application or environment, or the
/// credentials may not read it; [`Refused::Look`] where nothing can be read.
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

/// Names what is missing where there is no blue.
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
        _ => instead(cloud, config).await,
    };
    let evidence = format!("there is no environment {blue} in application {app} in {region}");
    Ok(vec![
        application,
        Check::Environments.refused(evidence, remedy),
    ])
}

/// How many environments a remedy names.
const NAMED_MAX: usize = 5;

/// Which environment may be meant where there is no blue.
async fn instead(cloud: &AwsCloud, config: &Config) -> String {
    let unknown = "is --blue right, and may these credentials read it?".to_owned();
    // This is for a hint alone.
    let Ok(all) = cloud.all_environments().await else {
        return unknown;
    };
    let mut names: Vec<_> = all
        .into_iter()
        .filter(|one| one.application == config.app && one.status != "Terminated")
        .map(|one| one.name)
        .collect();
    names.sort_by_key(|name| strsim::damerau_levenshtein(name, &config.blue));
    match names.split_first() {
        None => unknown,
        Some((near, _)) if strsim::damerau_levenshtein(near, &config.blue) <= MISSPELT => {
            format!("did you mean --blue {}?", for_shell(near))
        }
        Some(_) => {
            names.truncate(NAMED_MAX);
            format!("is --blue right? There are {}", names.join(", "))
        }
    }
}

/// How many letters a name may be off for another one to be suggested.
const MISSPELT: usize = 3;

/// Whether an earlier release was to leave production on the environment with green's name.
async fn was_promoted(cloud: &AwsCloud, green: &Environment) -> bool {
    // This is for a hint alone.
    let tags = cloud.tags(&green.arn).await.unwrap_or_default();
    strategy_of(&tags) == Strategy::Promote
}

/// Checks everything that can be known beforehand, and reports every refusal.
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
    Ok(on_heap(|| inspector.inspect()).await?)
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
