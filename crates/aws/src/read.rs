//! Reads AWS, and returns what it finds in types of this program.

use aws_sdk_elasticbeanstalk::primitives::DateTime;
use aws_sdk_elasticbeanstalk::types::{
    ApplicationDescription, ApplicationVersionDescription, EnvironmentDescription,
    EventDescription, InstancesHealthAttribute,
};
use std::error::Error;
use std::time::Duration;

use aws_sdk_elasticbeanstalk::config::http::HttpResponse;
use aws_sdk_elasticbeanstalk::error::{ProvideErrorMetadata, SdkError};

use super::clients::{AwsCloud, DESCRIPTION};
use super::failure::{PAGES_MAX, endless, failure, look_error, status_of_head};
use crate::classify::Failure;
use crate::cloud::LookError;
use bluegreen_clock::Moment;
use bluegreen_core::facts::{Environment, Event, EventQuery, InstanceVersion, VersionRecord};
use bluegreen_core::heap::on_heap;
use bluegreen_core::plan::TAG_DEPLOYMENT;
use bluegreen_core::text::foreign;

/// How far the clocks of AWS and of this machine may differ where bluegreen searches for the events
/// of a deploy without its request's id.
const CLOCK_SKEW: Duration = Duration::from_secs(30);

/// An application as `DescribeApplications` describes it.
#[derive(Clone, Debug)]
pub struct Application {
    /// The names of its configuration templates.
    pub templates: Vec<String>,
}

impl AwsCloud {
    /// The environments with these names, which are unique in an account and region, that are not
    /// terminated, in one call.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn environments(&self, names: &[String]) -> Result<Vec<Environment>, LookError> {
        let Some(limits) = &self.limits else {
            return self.environments_alone(names).await;
        };
        let clients = self.clone();
        let ask = move |names: Vec<String>| {
            let clients = clients.clone();
            async move { clients.environments_alone(&names).await }
        };
        limits.environments(names, ask).await
    }

    /// The same by a request of its own.
    async fn environments_alone(&self, names: &[String]) -> Result<Vec<Environment>, LookError> {
        let answer = self
            .reading()
            .await
            .describe_environments()
            .set_environment_names(Some(names.to_vec()))
            .include_deleted(false)
            .send()
            .await
            .map_err(|e| look_error("DescribeEnvironments", &e))?;
        Ok(answer
            .environments
            .unwrap_or_default()
            .into_iter()
            .map(environment)
            .filter(|e| e.status != "Terminated")
            .collect())
    }

    /// Every environment of the account and region that is not terminated.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn all_environments(&self) -> Result<Vec<Environment>, LookError> {
        let mut found = Vec::new();
        let mut token = None;
        for _ in 0..PAGES_MAX {
            let page = self
                .reading()
                .await
                .describe_environments()
                .include_deleted(false)
                .max_records(1000)
                .set_next_token(token)
                .send()
                .await
                .map_err(|e| look_error("DescribeEnvironments", &e))?;
            let environments = page.environments.unwrap_or_default().into_iter();
            found.extend(
                environments
                    .map(environment)
                    .filter(|e| e.status != "Terminated"),
            );
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
        Err(endless("DescribeEnvironments"))
    }

    /// The greens of this program among environments, with their tags.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn greens(
        &self,
        among: Vec<Environment>,
    ) -> Result<Vec<(Environment, Vec<(String, String)>)>, LookError> {
        let mut greens = Vec::new();
        for environment in among {
            // Only those whose description is ours are asked for their tags.
            if !environment.description.starts_with(DESCRIPTION) {
                continue;
            }
            let tags = self.tags(&environment.arn).await?;
            if tags.iter().any(|(key, _)| key == TAG_DEPLOYMENT) {
                greens.push((environment, tags));
            }
        }
        Ok(greens)
    }

    /// Every application's name with the names of its configuration templates.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn templates(&self) -> Result<Vec<(String, Vec<String>)>, LookError> {
        let answer = self.reading().await.describe_applications().send().await;
        let answer = answer.map_err(|e| look_error("DescribeApplications", &e))?;
        let named = |application: ApplicationDescription| {
            (
                application.application_name.unwrap_or_default(),
                application.configuration_templates.unwrap_or_default(),
            )
        };
        let applications = answer.applications.unwrap_or_default();
        Ok(applications.into_iter().map(named).collect())
    }

    /// An environment's events since a moment, oldest first.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn events_since(
        &self,
        environment_id: &str,
        since: Moment,
    ) -> Result<Vec<Event>, LookError> {
        let query = EventQuery {
            asked_at: since,
            request_id: None,
        };
        self.events_of(environment_id, &query).await
    }

    /// The application with this name; `None` where there is none.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn application(&self, name: &str) -> Result<Option<Application>, LookError> {
        let answer = self
            .reading()
            .await
            .describe_applications()
            .application_names(name)
            .send()
            .await
            .map_err(|e| look_error("DescribeApplications", &e))?;
        let found = answer
            .applications
            .unwrap_or_default()
            .into_iter()
            .find(|application| application.application_name.as_deref() == Some(name));
        Ok(found.map(|application| Application {
            templates: application.configuration_templates.unwrap_or_default(),
        }))
    }

    /// The application version with this label; `None` where there is none.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn version(
        &self,
        application: &str,
        label: &str,
    ) -> Result<Option<VersionRecord>, LookError> {
        let answer = self
            .reading()
            .await
            .describe_application_versions()
            .application_name(application)
            .version_labels(label)
            .send()
            .await
            .map_err(|e| look_error("DescribeApplicationVersions", &e))?;
        Ok(answer
            .application_versions
            .unwrap_or_default()
            .into_iter()
            .map(version)
            .find(|version| version.label == label))
    }

    /// The application's newest processed version; `None` where there is none.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn newest_version(
        &self,
        application: &str,
    ) -> Result<Option<VersionRecord>, LookError> {
        let usable = |record: &VersionRecord| {
            ["processed", "unprocessed"]
                .iter()
                .any(|status| record.status.eq_ignore_ascii_case(status))
        };
        let versions = self.versions(application).await?.into_iter();
        // Of those of one moment the first that is told.
        let newest = versions.rev().filter(|(_, record)| usable(record));
        let newest = newest.max_by_key(|(made, _)| (made.secs(), made.subsec_nanos()));
        Ok(newest.map(|(_, record)| record))
    }

    /// The labels of all of an application's versions.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn version_labels(&self, application: &str) -> Result<Vec<String>, LookError> {
        let versions = self.versions(application).await?.into_iter();
        Ok(versions.map(|(_, record)| record.label).collect())
    }

    /// An application's versions, each with when it was made.
    async fn versions(
        &self,
        application: &str,
    ) -> Result<Vec<(DateTime, VersionRecord)>, LookError> {
        let mut versions = Vec::new();
        let mut token = None;
        for _ in 0..PAGES_MAX {
            let page = self
                .reading()
                .await
                .describe_application_versions()
                .application_name(application)
                .max_records(1000)
                .set_next_token(token)
                .send()
                .await
                .map_err(|e| look_error("DescribeApplicationVersions", &e))?;
            for described in page.application_versions.unwrap_or_default() {
                let made = described.date_created.unwrap_or(DateTime::from_secs(0));
                versions.push((made, version(described)));
            }
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(versions);
            }
        }
        Err(endless("DescribeApplicationVersions"))
    }

    /// The tags of an environment.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn tags(&self, arn: &str) -> Result<Vec<(String, String)>, LookError> {
        let answer = self
            .reading()
            .await
            .list_tags_for_resource()
            .resource_arn(arn)
            .send()
            .await
            .map_err(|e| look_error("ListTagsForResource", &e))?;
        Ok(answer
            .resource_tags
            .unwrap_or_default()
            .into_iter()
            .map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()))
            .collect())
    }

    /// Whether an environment carries the tag of this deployment. One that the
    /// tag service does not know yet carries none.
    pub(super) async fn carries_deployment_tag(
        &self,
        arn: &str,
        id: &str,
    ) -> Result<bool, LookError> {
        match self.tags(arn).await {
            Ok(tags) => Ok(tags.iter().any(|(k, v)| k == TAG_DEPLOYMENT && v == id)),
            Err(LookError::Refused(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether the bucket holds an object of this key.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn object_exists(&self, bucket: &str, key: &str) -> Result<bool, LookError> {
        match self.s3.head_object().bucket(bucket).key(key).send().await {
            Ok(_) => Ok(true),
            // HEAD answers carry no body, hence no code: only the status tells.
            Err(error) => match status_of_head(&error) {
                Some(404) => Ok(false),
                Some(status @ (401 | 403)) => Err(LookError::Denied(format!(
                    "HeadObject s3://{bucket}/{key}: answered {status}; is the bucket's name right, and may it be read?"
                ))),
                _ => Err(look_error("HeadObject", &error)),
            },
        }
    }

    /// The events of a request to an environment, oldest first.
    pub(super) async fn events_of(
        &self,
        environment_id: &str,
        query: &EventQuery,
    ) -> Result<Vec<Event>, LookError> {
        // With the request's id no clock matters; without it, ours and AWS's do.
        let since = query.asked_at.before(CLOCK_SKEW);
        let since = DateTime::from_millis(i64::try_from(since.0).unwrap_or(i64::MAX));
        let request = self
            .reading()
            .await
            .describe_events()
            .environment_id(environment_id)
            .set_start_time(query.request_id.is_none().then_some(since))
            .set_request_id(query.request_id.clone())
            .max_records(1000);
        // A poll reads the events of several requests, each at a place of its own.
        let answer = on_heap(|| request.send())
            .await
            .map_err(|e| look_error("DescribeEvents", &e))?;
        let mut events: Vec<Event> = answer
            .events
            .unwrap_or_default()
            .into_iter()
            .map(event)
            .collect();
        events.reverse();
        Ok(events)
    }

    /// The version that each instance of an environment runs; `None` with basic health.
    pub(super) async fn instance_versions(
        &self,
        environment_id: &str,
    ) -> Result<Option<Vec<InstanceVersion>>, LookError> {
        let mut versions = Vec::new();
        let mut token = None;
        for _ in 0..PAGES_MAX {
            let page = self
                .reading()
                .await
                .describe_instances_health()
                .environment_id(environment_id)
                .attribute_names(InstancesHealthAttribute::Deployment)
                .set_next_token(token)
                .send()
                .await;
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    return health_error("DescribeInstancesHealth", &error).map(|BasicHealth| None);
                }
            };
            versions.extend(
                page.instance_health_list
                    .unwrap_or_default()
                    .into_iter()
                    .map(|instance| InstanceVersion {
                        id: instance.instance_id.unwrap_or_default(),
                        version_label: instance
                            .deployment
                            .as_ref()
                            .and_then(|d| d.version_label.clone()),
                        status: instance.deployment.and_then(|d| d.status),
                    }),
            );
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(Some(versions));
            }
        }
        Err(endless("DescribeInstancesHealth"))
    }
}

/// What a failed request for enhanced health means. `DescribeInstancesHealth is not supported.` and
/// its like alone indicate basic health (EB CLI, `resources/strings.py`); any other invalid request
/// may be an environment that is changing its kind of health (EB CLI, `display/data_poller.py`), so
/// bluegreen repeats the request.
pub(super) fn health_error<E>(
    operation: &str,
    error: &SdkError<E, HttpResponse>,
) -> Result<BasicHealth, LookError>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    if let Failure::Service { message, .. } = failure(error)
        && message.contains("is not supported")
    {
        return Ok(BasicHealth);
    }
    let is_invalid = error
        .code()
        .is_some_and(|code| code.starts_with("InvalidRequest"));
    Err(match look_error(operation, error) {
        LookError::Refused(why) if is_invalid => LookError::Passing(why),
        error => error,
    })
}

/// Enhanced health is off, so there is nothing to report.
#[derive(Debug)]
pub(super) struct BasicHealth;

fn environment(described: EnvironmentDescription) -> Environment {
    let tier = described.tier;
    let tier_type = tier.as_ref().and_then(|tier| tier.r#type.clone());
    let (tier, tier_type) = (
        tier.and_then(|tier| tier.name).unwrap_or_default(),
        tier_type.unwrap_or_default(),
    );
    Environment {
        name: described.environment_name.unwrap_or_default(),
        id: described.environment_id.unwrap_or_default(),
        arn: described.environment_arn.unwrap_or_default(),
        application: described.application_name.unwrap_or_default(),
        cname: described.cname.filter(|cname| !cname.is_empty()),
        endpoint: described.endpoint_url.filter(|url| !url.is_empty()),
        status: described
            .status
            .map(|s| s.as_str().to_owned())
            .unwrap_or_default(),
        health: described
            .health
            .map(|h| h.as_str().to_owned())
            .unwrap_or_default(),
        health_status: described.health_status.map(|h| h.as_str().to_owned()),
        version_label: described.version_label,
        abortable: described.abortable_operation_in_progress.unwrap_or(false),
        tier,
        tier_type,
        description: described.description.unwrap_or_default(),
        platform: described.platform_arn,
        operations_role: described.operations_role.filter(|role| !role.is_empty()),
        created: described
            .date_created
            .and_then(|date| date.to_millis().ok())
            .map(|millis| Moment(millis.unsigned_abs())),
    }
}

fn version(described: ApplicationVersionDescription) -> VersionRecord {
    let bundle = described
        .source_bundle
        .and_then(|at| Some((at.s3_bucket?, at.s3_key?)));
    VersionRecord {
        has_source: bundle.is_some() || described.source_build_information.is_some(),
        label: described.version_label.unwrap_or_default(),
        status: described
            .status
            .map(|s| s.as_str().to_owned())
            .unwrap_or_default(),
        bundle,
    }
}

fn event(described: EventDescription) -> Event {
    let millis = described
        .event_date
        .and_then(|date| date.to_millis().ok())
        .unwrap_or_default();
    Event {
        at: Moment(millis.unsigned_abs()),
        severity: described
            .severity
            .map(|s| s.as_str().to_owned())
            .unwrap_or_default(),
        message: foreign(&described.message.unwrap_or_default()),
        request_id: described.request_id,
    }
}
