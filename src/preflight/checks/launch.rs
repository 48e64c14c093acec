//! Whether green can be launched: what only the creation of an environment finds wrong.

use std::collections::BTreeMap;

use super::super::check::{Check, Finding};
use super::inspector::{Found, Inspector};
use crate::clock::Moment;
use crate::cloud::Configuration;
use crate::cloud::{LookError, VersionRecord};
use crate::plan::Strategy;

/// The namespace of time-based scaling (developer guide, "General options for all
/// environments"): one named resource for each action.
const SCHEDULED_ACTION: &str = "aws:autoscaling:scheduledaction";

/// Where the bundle of a registered version is.
pub(super) enum Kept {
    /// In S3, `s3://BUCKET/KEY`.
    There(String),
    /// It was at `s3://BUCKET/KEY`, which holds nothing any more.
    Gone(String),
    /// Whether it is there cannot be read; why.
    Unread(String),
    /// The version has no bundle in S3: it is an image, or the service keeps it.
    Elsewhere,
}

/// A scheduled action of an Auto Scaling group, as its options describe it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Action {
    starts: Option<String>,
    recurs: bool,
    is_suspended: bool,
}

impl Inspector<'_> {
    /// Green is launched with the version that blue runs. Lifecycle rules of the bucket, or
    /// of the application's versions (`DeleteSourceFromS3`), may have deleted its bundle.
    pub(super) async fn previous_version(&self) -> Found {
        let check = Check::PreviousVersion;
        let name = &self.blue.name;
        let Some(previous) = &self.blue.version_label else {
            return Ok(check.unknown(format!("{name} runs no version")));
        };
        let record = self.cloud.version(&self.config.app, previous).await?;
        let Some(record) = record else {
            let gone = format!("version {previous}, which {name} runs, is not registered any more");
            // CreateEnvironment does not take a label that is not registered.
            return Ok(self.for_green(check, gone).standing());
        };
        Ok(match self.bundle_of(&record).await? {
            Kept::There(at) => check.passed(format!(
                "version {previous}, which {name} runs, is registered, and its bundle is {at}"
            )),
            Kept::Elsewhere => check.passed(format!(
                "version {previous}, which {name} runs, is registered without a bundle in S3"
            )),
            Kept::Unread(why) => check.unknown(why),
            Kept::Gone(at) => self.for_green(
                check,
                format!("version {previous}, which {name} runs, has lost its bundle {at}"),
            ),
        })
    }

    /// Green is launched with the previous version, unless green will keep production: then only
    /// blue needs the previous version.
    fn for_green(&self, check: Check, evidence: String) -> Finding {
        match self.wanted.strategy {
            Strategy::Restore | Strategy::Rehearse => check.refused(
                format!("{evidence}: Elastic Beanstalk cannot launch green with it"),
                check.about().remedy,
            ),
            Strategy::Promote => check.warned(format!(
                "{evidence}: {} cannot launch further instances with it",
                self.blue.name
            )),
        }
    }

    /// Where the bundle of a version is.
    pub(super) async fn bundle_of(&self, record: &VersionRecord) -> Result<Kept, LookError> {
        let Some((bucket, key)) = &record.bundle else {
            return Ok(Kept::Elsewhere);
        };
        let at = format!("s3://{bucket}/{key}");
        match self.cloud.object_exists(bucket, key).await {
            Ok(true) => Ok(Kept::There(at)),
            Ok(false) => Ok(Kept::Gone(at)),
            Err(error @ LookError::Credentials(_)) => Err(error),
            Err(LookError::Denied(why) | LookError::Passing(why) | LookError::Refused(why)) => {
                Ok(Kept::Unread(why))
            }
        }
    }

    /// Auto Scaling refuses an action whose time is over ("Given start time is in the past"),
    /// and with it CloudFormation refuses green's stack.
    pub(super) fn scheduled_actions(&self, configuration: &Configuration) -> Finding {
        let check = Check::ScheduledActions;
        let name = &self.blue.name;
        let (mut past, mut recurring, mut unclear) = (Vec::new(), Vec::new(), Vec::new());
        for (action, of) in actions(configuration) {
            if of.is_suspended {
                continue;
            }
            let starts = of.starts.as_deref().map(humantime::parse_rfc3339_weak);
            match starts {
                _ if of.recurs => recurring.push(action),
                Some(Ok(at)) if Moment::from(at) <= self.around.now => past.push(format!(
                    "{action} ({})",
                    of.starts.as_deref().unwrap_or_default()
                )),
                Some(Err(_)) => unclear.push(action),
                Some(Ok(_)) | None => {}
            }
        }
        if !past.is_empty() {
            return check.refused(
                format!(
                    "{name} has one-time scheduled actions whose time is over, {}: Auto Scaling \
                     refuses them on green, and green's launch fails",
                    past.join(", ")
                ),
                check.about().remedy,
            );
        }
        if !unclear.is_empty() {
            return check.warned(format!(
                "{name} has scheduled actions whose StartTime is not in the form \
                 2030-01-31T08:00:00Z: {}",
                unclear.join(", ")
            ));
        }
        if !recurring.is_empty() {
            return check.warned(format!(
                "{name} has recurring scheduled actions, which run on green too and may change \
                 its size during the release: {}",
                recurring.join(", ")
            ));
        }
        check.passed(format!(
            "{name} has no scheduled action that green's launch fails on"
        ))
    }

    /// Options that an environment can have been given and cannot be created with: values that
    /// only a launch refuses, and what the service itself finds wrong.
    pub(super) async fn launch_options(&self, configuration: &Configuration) -> Found {
        let refused = self.log_prefix(configuration);
        if refused.refuses() {
            return Ok(refused);
        }
        let (check, name) = (Check::LaunchOptions, &self.blue.name);
        let settings = &configuration.settings;
        let faults = self
            .cloud
            .validate(&self.config.app, name, settings)
            .await?;
        let (retired, others): (Vec<_>, Vec<_>) = faults.iter().partition(|f| f.is_retired());
        if !retired.is_empty() {
            let options: Vec<_> = retired.iter().map(|f| f.option.as_str()).collect();
            return Ok(check.refused(
                format!(
                    "AWS has retired options that {name} has, {}: Elastic Beanstalk creates no \
                     environment with them",
                    options.join(", ")
                ),
                check.about().remedy,
            ));
        }
        if !others.is_empty() {
            let said: Vec<_> = others.iter().map(|f| f.message.as_str()).collect();
            return Ok(check.warned(format!(
                "Elastic Beanstalk finds fault with settings of {name}, and may not launch green \
                 with them: {}",
                said.join("; ")
            )));
        }
        Ok(refused)
    }

    fn log_prefix(&self, configuration: &Configuration) -> Finding {
        let check = Check::LaunchOptions;
        let name = &self.blue.name;
        let balancer = "aws:elbv2:loadbalancer";
        let option = "access_logs.s3.prefix";
        let prefix = configuration.value(balancer, option).unwrap_or_default();
        if prefix.starts_with('/') || prefix.ends_with('/') {
            return check.refused(
                format!(
                    "{name} has {balancer}:{option} = {prefix}: Elastic Load Balancing accepts no \
                     prefix with / at its start or end, and green's launch fails"
                ),
                check.about().remedy,
            );
        }
        check.passed(format!(
            "{name} has no option that is known to fail green's launch"
        ))
    }
}

/// The scheduled actions, by their names.
fn actions(configuration: &Configuration) -> BTreeMap<String, Action> {
    let mut actions = BTreeMap::<String, Action>::new();
    let settings = configuration.settings.iter();
    for setting in settings.filter(|setting| setting.namespace == SCHEDULED_ACTION) {
        let Some(value) = setting.value.as_ref().filter(|value| !value.is_empty()) else {
            continue;
        };
        let name = setting.resource.clone().unwrap_or_default();
        let action = actions.entry(name).or_default();
        match setting.name.as_str() {
            "StartTime" => action.starts = Some(value.clone()),
            "Recurrence" => action.recurs = true,
            "Suspend" => action.is_suspended = value.eq_ignore_ascii_case("true"),
            _ => {}
        }
    }
    actions
}
