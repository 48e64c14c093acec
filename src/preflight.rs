//! What must be so before a deployment begins, and the plan that follows.
//! Reads only.

use thiserror::Error;

use crate::acceptance::without_secrets;
use crate::cloud::aws::{Alarm, AwsCloud, PreviewRefused};
use crate::cloud::{Environment, LookError, Prober, VersionRecord};
use crate::config::Config;
use crate::facts::is_healthy;
use crate::plan::{
    Bundle, Goal, Kept, Plan, Strategy, TAG_DEPLOYMENT, TAGS_MAX, TAGS_OURS, Target, template_name,
};
use crate::preview::PreviewError;

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
}

/// Why a deployment cannot begin. Nothing has been changed.
#[derive(Debug, Error)]
pub enum Refused {
    /// AWS could not be read.
    #[error("{0}")]
    Look(#[from] LookError),
    /// There is no such application.
    #[error("there is no application {application} in {region}: is --app right, and the region?")]
    NoApplication {
        /// The application.
        application: String,
        /// The region asked.
        region: String,
    },
    /// There is no such environment.
    #[error(
        "there is no environment {blue} in application {application} in {region}: is --blue right?"
    )]
    NoBlue {
        /// Blue's name.
        blue: String,
        /// The application.
        application: String,
        /// The region asked.
        region: String,
    },
    /// Blue is a worker.
    #[error(
        "{blue} is a worker environment: it has no CNAME to swap, so there is nothing to do here"
    )]
    Worker {
        /// Blue's name.
        blue: String,
    },
    /// Blue cannot be cloned now.
    #[error(
        "{blue} is {status} and its health is {health}: it must be Ready and healthy before it is cloned"
    )]
    BlueUnfit {
        /// Blue's name.
        blue: String,
        /// Its status.
        status: String,
        /// Its health.
        health: String,
    },
    /// Green's name is taken.
    #[error(
        "an environment named {green} exists{owner}: choose another name with --green, or remove it"
    )]
    GreenExists {
        /// Green's name.
        green: String,
        /// Whose it is.
        owner: String,
    },
    /// Too many tags for green.
    #[error(
        "{blue} has {own} tags of its own; with the {TAGS_OURS} of bluegreen green would exceed the service's {TAGS_MAX}"
    )]
    TooManyTags {
        /// Blue's name.
        blue: String,
        /// How many it has.
        own: usize,
    },
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
    /// The application has no processed version at all.
    #[error("application {application} has no processed version: give one with --bundle")]
    NoVersions {
        /// The application.
        application: String,
    },
    /// The version could not be processed.
    #[error(
        "version {version} could not be processed by Elastic Beanstalk: register a corrected one"
    )]
    VersionFailed {
        /// The version label.
        version: String,
    },
    /// The label is taken by another bundle.
    #[error(
        "version {version} is registered with another bundle, {registered}: choose another label with --version-label"
    )]
    VersionConflict {
        /// The version label.
        version: String,
        /// Where its bundle lies.
        registered: String,
    },
    /// Blue runs it already.
    #[error("{blue} runs version {version} already: there is nothing to release")]
    NothingToRelease {
        /// Blue's name.
        blue: String,
        /// The version label.
        version: String,
    },
    /// Blue runs no version.
    #[error("{blue} runs no version that could be gone back to")]
    NoPreviousVersion {
        /// Blue's name.
        blue: String,
    },
    /// The test would ask the environment that serves, not the one under test.
    #[error(
        "the test of {url} asks {cname}, which green holds while blue is tested: give a path, \
         which is asked of blue's own CNAME"
    )]
    TestsProduction {
        /// The test's URL.
        url: String,
        /// The production CNAME.
        cname: String,
    },
    /// Production is in alarm before anything is done.
    #[error("{alarm}: release once it is over, or leave that --alarm out")]
    InAlarm {
        /// Which alarm, and why.
        alarm: String,
    },
    /// The preview hostnames cannot be used.
    #[error(transparent)]
    Preview(PreviewError),
    /// There is no such bucket.
    #[error("there is no bucket {bucket}: is --bucket right?")]
    NoBucket {
        /// The bucket.
        bucket: String,
    },
    /// The bundle is not in the bucket.
    #[error("there is no object {key} in bucket {bucket}: is --s3-key right?")]
    NoObject {
        /// The key.
        key: String,
        /// The bucket.
        bucket: String,
    },
}

impl From<PreviewRefused> for Refused {
    fn from(refused: PreviewRefused) -> Refused {
        match refused {
            PreviewRefused::Look(error) => Refused::Look(error),
            PreviewRefused::Unfit(error) => Refused::Preview(error),
        }
    }
}

/// Blue as it is found: which target it is, and what bears green's name.
///
/// # Errors
/// [`Refused`].
pub async fn find_target<P: Prober>(
    cloud: &AwsCloud<P>,
    config: &Config,
    region: &str,
) -> Result<(Target, Environment, Option<Environment>), Refused> {
    let names = [config.blue.clone(), config.green.clone()];
    let mut found = cloud.environments(&names).await?;
    let green = found
        .iter()
        .position(|e| e.name == config.green)
        .map(|at| found.swap_remove(at));
    let blue = found.pop().filter(|blue| blue.application == config.app);
    let Some(blue) = blue else {
        let application = config.app.clone();
        let region = region.to_owned();
        return Err(match cloud.application(&config.app).await? {
            None => Refused::NoApplication {
                application,
                region,
            },
            Some(_) => Refused::NoBlue {
                blue: config.blue.clone(),
                application,
                region,
            },
        });
    };
    let target = Target {
        account: blue.arn.split(':').nth(4).unwrap_or_default().to_owned(),
        region: region.to_owned(),
        application: config.app.clone(),
        blue: config.blue.clone(),
    };
    Ok((target, blue, green))
}

/// Checks what can be known beforehand and chooses every name.
///
/// # Errors
/// [`Refused`].
pub async fn plan<P: Prober>(
    cloud: &AwsCloud<P>,
    config: &Config,
    id: String,
    wanted: Wanted,
    (target, blue, green): (Target, Environment, Option<Environment>),
) -> Result<Plan, Refused> {
    let production_cname = fit(&blue)?;
    for test in &config.tests {
        tests_idle_blue(&test.url, &production_cname)?;
    }
    if wanted.bundle.is_some() && !cloud.bucket_exists(&config.bucket).await? {
        return Err(Refused::NoBucket {
            bucket: config.bucket.clone(),
        });
    }
    if let Some(green) = green {
        return Err(green_exists(cloud, green).await?);
    }
    let previous_version =
        blue.version_label
            .clone()
            .ok_or_else(|| Refused::NoPreviousVersion {
                blue: blue.name.clone(),
            })?;
    let version = choose_version(cloud, config, &wanted).await?;
    if version == previous_version {
        return Err(Refused::NothingToRelease {
            blue: blue.name,
            version,
        });
    }
    if !config.alarms.is_empty() {
        let alarms = cloud.alarms(&config.alarms).await?;
        if let Some(alarm) = alarms.iter().find_map(Alarm::ringing) {
            return Err(Refused::InAlarm { alarm });
        }
    }
    let production = [Some(production_cname.clone()), blue.endpoint.clone()];
    let production: Vec<String> = production.into_iter().flatten().collect();
    let preview = match &config.preview {
        Some(asked) => Some(cloud.preview(asked, &production).await?),
        None => None,
    };
    let own = cloud.tags(&blue.arn).await?;
    let configuration = cloud.configuration(&config.app, &blue.name).await?;
    let sizes = configuration.sizes();
    if let Some(balancer) = configuration.shared_balancer() {
        // Tags that say nothing, and rules that may not be read, are told before anything
        // depends on them.
        cloud.following_rules(balancer).await?;
    }
    let strategy = wanted.strategy;
    let instances = cloud.instances(&blue.id).await?.running;
    let kept = Kept {
        id: &id,
        production_cname: &production_cname,
        blue_id: &blue.id,
        version: &version,
        strategy,
        sizes,
    };
    let tags = kept.beside(&own);
    if tags.len() > TAGS_MAX {
        return Err(Refused::TooManyTags {
            blue: blue.name,
            own: tags.len() - TAGS_OURS,
        });
    }
    Ok(Plan {
        template: template_name(&id),
        id,
        target,
        blue_id: blue.id,
        green: config.green.clone(),
        production_cname,
        strategy,
        previous_version,
        version,
        goal: Goal::Release,
        bundle: wanted.bundle,
        bucket: config.bucket.clone(),
        shared_state: config.shared_state,
        sizes,
        instances,
        green_tags: tags,
        tests: config.tests.clone(),
        test_command: config.test_command.clone(),
        test_green: config.test_green,
        test_production: config.test_production,
        hooks: config.hooks.clone(),
        approval: config.approval,
        pause_before_swap: wanted.pause_before_swap,
        alarms: config.alarms.clone(),
        expected_differences: config.expected_differences.clone(),
        preview,
        pause_before_cutover: wanted.pause_before_cutover,
        limits: config.limits.clone(),
    })
}

/// Blue's CNAME, where blue can be cloned now.
fn fit(blue: &Environment) -> Result<String, Refused> {
    let name = blue.name.clone();
    if blue.tier == "Worker" {
        return Err(Refused::Worker { blue: name });
    }
    if !is_healthy(blue) {
        return Err(Refused::BlueUnfit {
            blue: name,
            status: blue.status.clone(),
            health: blue.health_status.clone().unwrap_or(blue.health.clone()),
        });
    }
    blue.cname.clone().ok_or(Refused::Worker { blue: name })
}

/// A test of the production name would pass on green and prove nothing of blue.
fn tests_idle_blue(url: &str, cname: &str) -> Result<(), Refused> {
    let host = reqwest::Url::parse(url).ok();
    let host = host.as_ref().and_then(reqwest::Url::host_str);
    if host.is_some_and(|host| host.eq_ignore_ascii_case(cname)) {
        return Err(Refused::TestsProduction {
            url: without_secrets(url),
            cname: cname.to_owned(),
        });
    }
    Ok(())
}

async fn green_exists<P: Prober>(
    cloud: &AwsCloud<P>,
    green: Environment,
) -> Result<Refused, LookError> {
    let tags = cloud.tags(&green.arn).await?;
    let owner = tags
        .iter()
        .find(|(key, _)| key == TAG_DEPLOYMENT)
        .map(|(_, id)| format!(", left by deployment {id}"))
        .unwrap_or_default();
    Ok(Refused::GreenExists {
        green: green.name,
        owner,
    })
}

/// The label to release; checks that it is, or can be, registered.
async fn choose_version<P: Prober>(
    cloud: &AwsCloud<P>,
    config: &Config,
    wanted: &Wanted,
) -> Result<String, Refused> {
    let application = config.app.clone();
    let Some(label) = wanted.label.clone() else {
        let newest = cloud.newest_version(&application).await?;
        return newest
            .map(|record| record.label)
            .ok_or(Refused::NoVersions { application });
    };
    match (cloud.version(&application, &label).await?, &wanted.bundle) {
        (Some(record), bundle) => usable(&record, bundle.as_ref(), &config.bucket)?,
        (None, Some(bundle)) if bundle.file.is_none() => {
            if !cloud.object_exists(&config.bucket, &bundle.key).await? {
                return Err(Refused::NoObject {
                    key: bundle.key.clone(),
                    bucket: config.bucket.clone(),
                });
            }
        }
        (None, Some(_)) => {}
        (None, None) => {
            return Err(Refused::NoVersion {
                application,
                version: label,
            });
        }
    }
    Ok(label)
}

/// Whether a registered version can be released, and is the one that is meant.
///
/// # Errors
/// [`Refused::VersionFailed`], [`Refused::VersionConflict`].
pub fn usable(
    record: &VersionRecord,
    bundle: Option<&Bundle>,
    bucket: &str,
) -> Result<(), Refused> {
    let version = record.label.clone();
    if record.status.eq_ignore_ascii_case("failed") {
        return Err(Refused::VersionFailed { version });
    }
    match (bundle, &record.bundle) {
        (Some(ours), Some((at, key))) if (at.as_str(), key) != (bucket, &ours.key) => {
            Err(Refused::VersionConflict {
                version,
                registered: format!("{at}/{key}"),
            })
        }
        _ => Ok(()),
    }
}
