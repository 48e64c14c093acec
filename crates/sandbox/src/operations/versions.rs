//! Application versions.

use std::collections::BTreeSet;

use crate::operations::applications::add_application;
use crate::operations::done::Done;
use crate::operations::tags::user_tags;
use crate::policy::visibility::shows;
use crate::query::checks::{check_description, check_label};
use crate::query::lookup::{require_application, require_version};
use crate::query::page::page;
use crate::query::tagged::Tagged;
use crate::wire::answer::{Node, node};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::due::Happening;
use crate::world::environment::Status;
use crate::world::keeping::bundle;
use crate::world::quota::QuotaOf;
use crate::world::view::{SourceBuild, Version};

pub(crate) fn create_version(world: &mut World, form: &Form) -> Done {
    let application = form.require("ApplicationName")?.to_owned();
    let label = form.require("VersionLabel")?.to_owned();
    check_label(&label)?;
    check_description(form)?;
    let tags = user_tags(form, "Tags", Tagged::Other)?;
    let build = source_build(form)?;
    let (bucket, key) = source_bundle(world, form, build.is_some())?;
    let is_known = require_application(world, &application);
    if form.get("AutoCreateApplication") == Some("true") && is_known.is_err() {
        add_application(world, &application, "")?;
    }
    require_application(world, &application)?;
    if world.version(&application, &label).is_some() {
        return Err(ApiError::invalid(format!(
            "Application Version {label} already exists."
        )));
    }
    world.let_versions_go(&application);
    if world.view.versions.len() >= world.quota(QuotaOf::Versions) {
        return Err(ApiError::new(
            "TooManyApplicationVersionsException",
            "You have reached the limit of application versions.",
        ));
    }
    let process = form.get("Process") == Some("true");
    world.view.versions.push(Version {
        application: application.clone(),
        label: label.clone(),
        description: form.get("Description").unwrap_or_default().to_owned(),
        bucket,
        key,
        status: if process { "PROCESSING" } else { "UNPROCESSED" }.to_owned(),
        created: world.now,
        updated: 0,
        build,
    });
    let path = format!("{application}/{label}");
    world.tag("applicationversion", &path, tags);
    if process {
        let (application, label) = (application.clone(), label.clone());
        let lasts = world.jittered(world.timings.process_seconds);
        world.plan_after(lasts, Happening::VersionProcessed { application, label });
    }
    version_answer(world, &application, &label)
}

/// The source code that a request names (API model, `SourceBuildInformation`, whose members are
/// all required).
fn source_build(form: &Form) -> Result<Option<SourceBuild>, ApiError> {
    let field = |name: &str| format!("SourceBuildInformation.{name}");
    let names = ["SourceType", "SourceRepository", "SourceLocation"].map(field);
    if names.iter().all(|name| form.get(name).is_none()) {
        return Ok(None);
    }
    let [kind, repository, location] = names;
    Ok(Some(SourceBuild {
        kind: form.require(&kind)?.to_owned(),
        repository: form.require(&repository)?.to_owned(),
        location: form.require(&location)?.to_owned(),
    }))
}

/// The bucket and key of the bundle that a request names: of the sample application where it names
/// no source, empty where the source is another.
///
/// # Errors
/// Where the object is not there (hsingh/ansible-elastic-beanstalk#40), or more than one source is
/// named (API model, `CreateApplicationVersionMessage`).
fn source_bundle(
    world: &World,
    form: &Form,
    has_build: bool,
) -> Result<(String, String), ApiError> {
    let combination = |message: String| ApiError::new("InvalidParameterCombination", message);
    let names_part = ["SourceBundle.S3Bucket", "SourceBundle.S3Key"].map(|name| form.get(name));
    match (bundle(form), has_build) {
        (Some(_), true) => Err(combination(
            "SourceBundle and SourceBuildInformation may not both be specified.".to_owned(),
        )),
        (None, true) => Ok((String::new(), String::new())),
        (Some((bucket, key)), false) => {
            let named = (bucket.to_owned(), key.to_owned());
            // Those of AWS are in buckets of AWS's own.
            let is_sample = bucket.starts_with(SAMPLES);
            match world.storage.absent.contains(&named) && !is_sample {
                true => Err(combination(format!(
                    "Unable to download from S3 location (Bucket: {bucket}  Key: {key}). Reason: Not Found"
                ))),
                false => Ok(named),
            }
        }
        (None, false) if names_part.iter().any(Option::is_some) => Err(combination(
            "Both S3Bucket and S3Key must be specified for a source bundle.".to_owned(),
        )),
        (None, false) if names_image(form) => Ok((String::new(), String::new())),
        (None, false) => Ok((
            format!("{SAMPLES}{}", world.region),
            "nodejs.zip".to_owned(),
        )),
    }
}

/// What the names of the buckets begin with that hold the sample applications.
const SAMPLES: &str = "elasticbeanstalk-samples-";

/// Whether a request names a container image (API model, `ImageConfiguration`).
fn names_image(form: &Form) -> bool {
    let mut fields = form.fields();
    fields.any(|(name, _)| name.starts_with("ImageConfiguration."))
}

fn version_answer(world: &World, application: &str, label: &str) -> Done {
    let version = world
        .version(application, label)
        .map(|v| version_node(world, v));
    Ok(version.map(|version| node().node("ApplicationVersion", version)))
}

/// UpdateApplicationVersion: a description that is left out stays.
pub(crate) fn update_version(world: &mut World, form: &Form) -> Done {
    let (application, label) = require_version(world, form)?;
    check_description(form)?;
    let now = world.now;
    let mut versions = world.view.versions.iter_mut();
    let found = versions.find(|v| v.application == application && v.label == label);
    if let (Some(version), Some(description)) = (found, form.given("Description")) {
        description.clone_into(&mut version.description);
        version.updated = now;
    }
    version_answer(world, &application, &label)
}

/// DeleteApplicationVersion. No public source settles how the service refuses the version of a
/// running environment: the words are those for an application, and while an operation deploys it
/// those of ThoughtWorksStudios/eb_deployer#28.
pub(crate) fn delete_version(world: &mut World, form: &Form) -> Done {
    let (application, label) = require_version(world, form)?;
    let has_it = |e: &&crate::world::environment::Environment| {
        e.application == application && e.version_label == label
    };
    if let Some(environment) = world.environments().find(has_it) {
        return Err(match environment.status {
            Status::Updating | Status::Launching => ApiError::new(
                "OperationInProgressFailure",
                format!(
                    "Unable to delete application version: {label}. An operation is already in \
                     progress, please retry again shortly."
                ),
            ),
            _ => ApiError::invalid(format!(
                "Unable to delete application version {label} because it is deployed to running \
                 environments."
            )),
        });
    }
    let deletes_bundle = form.get("DeleteSourceBundle") == Some("true");
    let version = world.version(&application, &label).cloned();
    if let Some(version) = version {
        world.drop_version(&version, deletes_bundle);
    }
    Ok(None)
}

pub(crate) fn describe_versions(world: &World, form: &Form) -> Done {
    let application = form.get("ApplicationName");
    let labels: BTreeSet<&str> = form.list("VersionLabels").into_iter().collect();
    let found: Vec<&Version> = world
        .seen()
        .versions
        .iter()
        .rev()
        .filter(|v| application.is_none_or(|a| v.application == a))
        .filter(|v| labels.is_empty() || labels.contains(v.label.as_str()))
        .filter(|v| {
            let path = || format!("{}/{}", v.application, v.label);
            let arn = || world.beanstalk_arn("applicationversion", &path());
            shows(world, "DescribeApplicationVersions", &v.application, arn)
        })
        .collect();
    let (shown, next) = page(form, found)?;
    let shown = shown.into_iter().map(|v| version_node(world, v));
    Ok(Some(
        node()
            .nodes("ApplicationVersions", shown)
            .option("NextToken", next),
    ))
}

fn version_node(world: &World, version: &Version) -> Node {
    let path = format!("{}/{}", version.application, version.label);
    let mut told = node()
        .text(
            "ApplicationVersionArn",
            world.beanstalk_arn("applicationversion", &path),
        )
        .text("ApplicationName", &version.application)
        .text("Description", &version.description)
        .text("VersionLabel", &version.label)
        .date("DateCreated", version.created)
        .date("DateUpdated", version.created.max(version.updated))
        .text("Status", &version.status);
    if let Some(build) = &version.build {
        let build = node()
            .text("SourceType", &build.kind)
            .text("SourceRepository", &build.repository)
            .text("SourceLocation", &build.location);
        told = told.node("SourceBuildInformation", build);
    }
    if version.bucket.is_empty() {
        return told;
    }
    let bundle = node()
        .text("S3Bucket", &version.bucket)
        .text("S3Key", &version.key);
    told.node("SourceBundle", bundle)
}
