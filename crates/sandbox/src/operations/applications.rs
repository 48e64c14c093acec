//! Applications and their versions.

use super::{Done, check_length, page};
use crate::account::QuotaOf;
use crate::model::{Application, Version};
use crate::wire::{ApiError, Form, Node, node};
use crate::world::{Happening, World};

impl World {
    pub(super) fn create_application(&mut self, form: &Form) -> Done {
        let name = form.require("ApplicationName")?.to_owned();
        check_length("applicationName", &name, 1, 100)?;
        if self.view.applications.iter().any(|a| a.name == name) {
            return Err(ApiError::invalid(format!(
                "Application {name} already exists."
            )));
        }
        self.check_applications()?;
        self.view.applications.push(Application {
            name: name.clone(),
            description: form.get("Description").unwrap_or_default().to_owned(),
            created: self.now,
        });
        Ok(Some(
            node().node("Application", self.application_node(&name)),
        ))
    }

    fn check_applications(&self) -> Result<(), ApiError> {
        if self.view.applications.len() < self.quota(QuotaOf::Applications) {
            return Ok(());
        }
        Err(ApiError::new(
            "TooManyApplicationsException",
            "You have reached the limit of applications.",
        ))
    }

    pub(super) fn describe_applications(&self, form: &Form) -> Node {
        let wanted = form.list("ApplicationNames");
        let names = self
            .seen()
            .applications
            .iter()
            .map(|a| a.name.as_str())
            .filter(|name| wanted.is_empty() || wanted.contains(name))
            .filter(|name| {
                let arn = self.beanstalk_arn("application", name);
                self.shows("DescribeApplications", name, arn)
            });
        node().nodes(
            "Applications",
            names.map(|name| self.application_node(name)),
        )
    }

    fn application_node(&self, name: &str) -> Node {
        let view = self.seen();
        let found = view.applications.iter().find(|a| a.name == name);
        let created = found.map_or(self.now, |a| a.created);
        let versions = view.versions.iter().filter(|v| v.application == name);
        let templates = view.templates.iter().filter(|t| t.application == name);
        node()
            .text(
                "ApplicationArn",
                format!(
                    "arn:aws:elasticbeanstalk:{}:{}:application/{name}",
                    self.region, self.account
                ),
            )
            .text("ApplicationName", name)
            .text("Description", found.map_or("", |a| a.description.as_str()))
            .date("DateCreated", created)
            .date("DateUpdated", created)
            .texts("Versions", versions.rev().map(|v| v.label.clone()))
            .texts("ConfigurationTemplates", templates.map(|t| t.name.clone()))
    }

    pub(super) fn create_version(&mut self, form: &Form) -> Done {
        let application = form.require("ApplicationName")?.to_owned();
        let label = form.require("VersionLabel")?.to_owned();
        check_length("versionLabel", &label, 1, 100)?;
        if label.contains('/') {
            return Err(ApiError::invalid("VersionLabel may not contain a slash."));
        }
        if form.get("AutoCreateApplication") == Some("true")
            && self.require_application(&application).is_err()
        {
            self.check_applications()?;
            self.view.applications.push(Application {
                name: application.clone(),
                description: String::new(),
                created: self.now,
            });
        }
        self.require_application(&application)?;
        if self.version(&application, &label).is_some() {
            return Err(ApiError::invalid(format!(
                "Application Version {label} already exists."
            )));
        }
        if self.view.versions.len() >= self.quota(QuotaOf::Versions) {
            return Err(ApiError::new(
                "TooManyApplicationVersionsException",
                "You have reached the limit of application versions.",
            ));
        }
        let process = form.get("Process") == Some("true");
        self.view.versions.push(Version {
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
            created: self.now,
        });
        if process {
            let (application, label) = (application.clone(), label.clone());
            self.plan(
                self.timings.process_seconds,
                Happening::VersionProcessed { application, label },
            );
        }
        self.version_answer(&application, &label)
    }

    fn version_answer(&self, application: &str, label: &str) -> Done {
        let version = self
            .version(application, label)
            .map(|v| self.version_node(v));
        Ok(version.map(|version| node().node("ApplicationVersion", version)))
    }

    pub(super) fn update_version(&mut self, form: &Form) -> Done {
        let (application, label) = self.require_version(form)?;
        let description = form.get("Description").unwrap_or_default().to_owned();
        let found = self
            .view
            .versions
            .iter_mut()
            .find(|v| v.application == application && v.label == label);
        if let Some(version) = found {
            version.description = description;
        }
        self.version_answer(&application, &label)
    }

    pub(super) fn delete_version(&mut self, form: &Form) -> Done {
        let (application, label) = self.require_version(form)?;
        if self
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
        self.view
            .versions
            .retain(|v| !(v.application == application && v.label == label));
        Ok(None)
    }

    pub(super) fn require_version(&self, form: &Form) -> Result<(String, String), ApiError> {
        let application = form.require("ApplicationName")?;
        let label = form.require("VersionLabel")?;
        self.require_application(application)?;
        match self.version(application, label) {
            Some(_) => Ok((application.to_owned(), label.to_owned())),
            None => Err(ApiError::invalid(format!(
                "No Application Version named '{label}' found."
            ))),
        }
    }

    pub(crate) fn version(&self, application: &str, label: &str) -> Option<&Version> {
        self.view
            .versions
            .iter()
            .find(|v| v.application == application && v.label == label)
    }

    pub(super) fn describe_versions(&self, form: &Form) -> Done {
        let application = form.get("ApplicationName");
        let labels = form.list("VersionLabels");
        let found: Vec<Node> = self
            .seen()
            .versions
            .iter()
            .rev()
            .filter(|v| application.is_none_or(|a| v.application == a))
            .filter(|v| labels.is_empty() || labels.contains(&v.label.as_str()))
            .filter(|v| {
                let path = format!("{}/{}", v.application, v.label);
                let arn = self.beanstalk_arn("applicationversion", &path);
                self.shows("DescribeApplicationVersions", &v.application, arn)
            })
            .map(|v| self.version_node(v))
            .collect();
        let (shown, next) = page(form, found)?;
        Ok(Some(
            node()
                .nodes("ApplicationVersions", shown)
                .option("NextToken", next),
        ))
    }

    fn version_node(&self, version: &Version) -> Node {
        let arn = format!(
            "arn:aws:elasticbeanstalk:{}:{}:applicationversion/{}/{}",
            self.region, self.account, version.application, version.label
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
}
