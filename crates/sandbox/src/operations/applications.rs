//! Applications and their versions.

use crate::operations::done::Done;
use crate::policy::visibility::shows;
use crate::query::checks::check_length;
use crate::query::lookup::{require_application, require_version};
use crate::query::page::page;
use crate::wire::answer::{Node, node};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::due::Happening;
use crate::world::quota::QuotaOf;
use crate::world::view::{Application, Version};

pub(crate) fn create_application(world: &mut World, form: &Form) -> Done {
    let name = form.require("ApplicationName")?.to_owned();
    check_length("applicationName", &name, 1, 100)?;
    if world.view.applications.iter().any(|a| a.name == name) {
        return Err(ApiError::invalid(format!(
            "Application {name} already exists."
        )));
    }
    check_applications(world)?;
    world.view.applications.push(Application {
        name: name.clone(),
        description: form.get("Description").unwrap_or_default().to_owned(),
        created: world.now,
    });
    Ok(Some(
        node().node("Application", application_node(world, &name)),
    ))
}

fn check_applications(world: &World) -> Result<(), ApiError> {
    if world.view.applications.len() < world.quota(QuotaOf::Applications) {
        return Ok(());
    }
    Err(ApiError::new(
        "TooManyApplicationsException",
        "You have reached the limit of applications.",
    ))
}

pub(crate) fn describe_applications(world: &World, form: &Form) -> Node {
    let wanted = form.list("ApplicationNames");
    let names = world
        .seen()
        .applications
        .iter()
        .map(|a| a.name.as_str())
        .filter(|name| wanted.is_empty() || wanted.contains(name))
        .filter(|name| {
            let arn = world.beanstalk_arn("application", name);
            shows(world, "DescribeApplications", name, arn)
        });
    node().nodes(
        "Applications",
        names.map(|name| application_node(world, name)),
    )
}

fn application_node(world: &World, name: &str) -> Node {
    let view = world.seen();
    let found = view.applications.iter().find(|a| a.name == name);
    let created = found.map_or(world.now, |a| a.created);
    let versions = view.versions.iter().filter(|v| v.application == name);
    let templates = view.templates.iter().filter(|t| t.application == name);
    node()
        .text(
            "ApplicationArn",
            format!(
                "arn:aws:elasticbeanstalk:{}:{}:application/{name}",
                world.region, world.account
            ),
        )
        .text("ApplicationName", name)
        .text("Description", found.map_or("", |a| a.description.as_str()))
        .date("DateCreated", created)
        .date("DateUpdated", created)
        .texts("Versions", versions.rev().map(|v| v.label.clone()))
        .texts("ConfigurationTemplates", templates.map(|t| t.name.clone()))
}

pub(crate) fn create_version(world: &mut World, form: &Form) -> Done {
    let application = form.require("ApplicationName")?.to_owned();
    let label = form.require("VersionLabel")?.to_owned();
    check_length("versionLabel", &label, 1, 100)?;
    if label.contains('/') {
        return Err(ApiError::invalid("VersionLabel may not contain a slash."));
    }
    if form.get("AutoCreateApplication") == Some("true")
        && require_application(world, &application).is_err()
    {
        check_applications(world)?;
        world.view.applications.push(Application {
            name: application.clone(),
            description: String::new(),
            created: world.now,
        });
    }
    require_application(world, &application)?;
    if world.version(&application, &label).is_some() {
        return Err(ApiError::invalid(format!(
            "Application Version {label} already exists."
        )));
    }
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
        bucket: form
            .get("SourceBundle.S3Bucket")
            .unwrap_or("elasticbeanstalk-sample")
            .to_owned(),
        key: form
            .get("SourceBundle.S3Key")
            .unwrap_or("sample.zip")
            .to_owned(),
        status: if process { "PROCESSING" } else { "UNPROCESSED" }.to_owned(),
        created: world.now,
    });
    if process {
        let (application, label) = (application.clone(), label.clone());
        let lasts = world.jittered(world.timings.process_seconds);
        world.plan_after(lasts, Happening::VersionProcessed { application, label });
    }
    version_answer(world, &application, &label)
}

fn version_answer(world: &World, application: &str, label: &str) -> Done {
    let version = world
        .version(application, label)
        .map(|v| version_node(world, v));
    Ok(version.map(|version| node().node("ApplicationVersion", version)))
}

pub(crate) fn update_version(world: &mut World, form: &Form) -> Done {
    let (application, label) = require_version(world, form)?;
    let description = form.get("Description").unwrap_or_default().to_owned();
    let found = world
        .view
        .versions
        .iter_mut()
        .find(|v| v.application == application && v.label == label);
    if let Some(version) = found {
        version.description = description;
    }
    version_answer(world, &application, &label)
}

pub(crate) fn delete_version(world: &mut World, form: &Form) -> Done {
    let (application, label) = require_version(world, form)?;
    if world
        .environments()
        .any(|e| e.application == application && e.version_label == label)
    {
        return Err(ApiError::new(
            "SourceBundleDeletionFailure",
            format!(
                "Unable to delete application version {label}: it is deployed to a running environment."
            ),
        ));
    }
    world
        .view
        .versions
        .retain(|v| !(v.application == application && v.label == label));
    Ok(None)
}

pub(crate) fn describe_versions(world: &World, form: &Form) -> Done {
    let application = form.get("ApplicationName");
    let labels = form.list("VersionLabels");
    let found: Vec<Node> = world
        .seen()
        .versions
        .iter()
        .rev()
        .filter(|v| application.is_none_or(|a| v.application == a))
        .filter(|v| labels.is_empty() || labels.contains(&v.label.as_str()))
        .filter(|v| {
            let path = format!("{}/{}", v.application, v.label);
            let arn = world.beanstalk_arn("applicationversion", &path);
            shows(world, "DescribeApplicationVersions", &v.application, arn)
        })
        .map(|v| version_node(world, v))
        .collect();
    let (shown, next) = page(form, found)?;
    Ok(Some(
        node()
            .nodes("ApplicationVersions", shown)
            .option("NextToken", next),
    ))
}

fn version_node(world: &World, version: &Version) -> Node {
    let arn = format!(
        "arn:aws:elasticbeanstalk:{}:{}:applicationversion/{}/{}",
        world.region, world.account, version.application, version.label
    );
    let told = node()
        .text("ApplicationVersionArn", arn)
        .text("ApplicationName", &version.application)
        .text("Description", &version.description)
        .text("VersionLabel", &version.label)
        .date("DateCreated", version.created)
        .date("DateUpdated", version.created)
        .text("Status", &version.status);
    if version.bucket.is_empty() {
        return told;
    }
    let bundle = node()
        .text("S3Bucket", &version.bucket)
        .text("S3Key", &version.key);
    told.node("SourceBundle", bundle)
}
