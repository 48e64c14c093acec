//! Whether there is a version to release.

use tracing::warn;

use super::super::check::{Check, Finding};
use super::inspector::{Inspector, Version};
use super::launch::Kept;
use crate::cloud::{LookError, VersionRecord};
use crate::plan::{Bundle, Strategy};

/// Says loudly that the bundle which the operator named is not what is released.
fn not_used(label: &str, ours: &Bundle, registered: &str) {
    let named = match &ours.file {
        Some(file) => file.path.display().to_string(),
        None => ours.key.clone(),
    };
    warn!(
        "{named} is NOT USED: version {label} is registered with another bundle, {registered}, and \
         --reuse-version releases that one"
    );
}

impl Inspector<'_> {
    /// The label to release, where it is, or can be, registered.
    pub(super) async fn version(&self) -> Result<Version, LookError> {
        let (application, bucket) = (&self.config.app, &self.config.bucket);
        let refused =
            |evidence: String, remedy: &str| Ok(Err(Check::Version.refused(evidence, remedy)));
        let Some(label) = self.wanted.label.clone() else {
            return match self.cloud.newest_version(application).await? {
                Some(record) => self.with_its_bundle(record).await,
                None => refused(
                    format!("application {application} has no processed version"),
                    "give one with --bundle",
                ),
            };
        };
        let record = self.cloud.version(application, &label).await?;
        match (&record, &self.wanted.bundle) {
            (Some(record), bundle) => {
                if record.status.eq_ignore_ascii_case("failed") {
                    return refused(
                        format!("version {label} could not be processed by Elastic Beanstalk"),
                        "register a corrected one",
                    );
                }
                if !record.has_source {
                    return refused(
                        format!(
                            "version {label} has no source bundle: it is a container image's, and \
                             a WebServer environment cannot run it"
                        ),
                        "choose a version with a source bundle",
                    );
                }
                if let (Some(ours), Some((at, key))) = (bundle, &record.bundle)
                    && (at, key) != (bucket, &ours.key)
                {
                    if self.wanted.reuse_version {
                        not_used(&label, ours, &format!("{at}/{key}"));
                        return self.with_its_bundle(record.clone()).await;
                    }
                    return refused(
                        format!("version {label} is registered with another bundle, {at}/{key}"),
                        "leave --bundle out, or add --reuse-version, to release the registered \
                         one; choose another label with --version-label to release this bundle",
                    );
                }
            }
            (None, Some(bundle)) if bundle.file.is_none() => {
                if !self.cloud.object_exists(bucket, &bundle.key).await? {
                    return refused(
                        format!("there is no object {} in bucket {bucket}", bundle.key),
                        "is --s3-key right?",
                    );
                }
            }
            (None, Some(_)) => {}
            (None, None) => {
                return refused(
                    format!("application {application} has no version {label}"),
                    "register it, or give its bundle with --bundle or --s3-key",
                );
            }
        }
        match record {
            Some(record) => self.with_its_bundle(record).await,
            None => Ok(Ok((label, None))),
        }
    }

    /// A registered version, where its bundle is not known to be gone.
    async fn with_its_bundle(&self, record: VersionRecord) -> Result<Version, LookError> {
        Ok(match self.bundle_of(&record).await? {
            Kept::There(_) | Kept::Elsewhere | Kept::Unread(_) => {
                Ok((record.label.clone(), Some(record)))
            }
            Kept::Gone(at) => Err(Check::Version.refused(
                format!(
                    "version {} is registered, and its bundle {at} is gone: Elastic Beanstalk \
                     cannot deploy it",
                    record.label
                ),
                "put the bundle back, or register another version",
            )),
        })
    }

    /// What there is to say of the version, and of the one before it.
    pub(super) fn versions(&self, version: Version) -> Vec<Finding> {
        let blue = &self.blue.name;
        let Some(previous) = &self.blue.version_label else {
            let refused = Check::Version.refused(
                format!("{blue} runs no version that a rollback could restore"),
                "deploy one to it manually first",
            );
            return vec![refused];
        };
        let (label, record) = match version {
            Ok(version) => version,
            Err(refused) => return vec![refused],
        };
        let state = match record {
            Some(record) => {
                let named = self.wanted.bundle.as_ref().map(|bundle| &bundle.key);
                let other = match (&record.bundle, named) {
                    (Some((at, key)), Some(named)) if named != key => {
                        format!(", and its registered bundle {at}/{key} is released")
                    }
                    _ => String::new(),
                };
                format!("it is {}{other}", record.status.to_uppercase())
            }
            None => "its bundle is there to register it with".to_owned(),
        };
        let rehearses = self.wanted.strategy == Strategy::Rehearse;
        let new = if label == *previous && rehearses {
            Check::SomethingNew.passed(format!(
                "{blue} runs version {label}, which is rehearsed once more"
            ))
        } else if label == *previous {
            Check::SomethingNew.refused(
                format!("{blue} runs version {label} already"),
                "there is nothing to release",
            )
        } else if let Some(id) = self.around.given_back.get(&label).filter(|_| !rehearses) {
            Check::SomethingNew.warned(format!(
                "{blue} runs version {previous}; deployment {id} has released {label} before, and \
                 was rolled back or undone"
            ))
        } else {
            Check::SomethingNew.passed(format!("{blue} runs version {previous}"))
        };
        let version =
            Check::Version.passed(format!("the release deploys version {label}; {state}"));
        vec![version, new]
    }
}
