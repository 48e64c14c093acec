//! What bluegreen checks of the account and the platform before a release begins. Reads only.

use aws_sdk_elasticbeanstalk::types::{
    ConfigurationOptionSetting, ManagedAction as Described, ResourceQuota, ValidationSeverity,
};

use super::clients::AwsCloud;
use super::configuration::Setting;
use super::failure::{failure, look_error};
use crate::classify::Failure;
use crate::cloud::LookError;
use bluegreen_clock::Moment;

/// A managed action of an environment that is to come or under way (API reference,
/// `ManagedAction`): a platform update, or the replacement of its instances. It begins
/// within the two hours from its window's start and keeps the environment from any other
/// operation meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedAction {
    /// InstanceRefresh, PlatformUpdate or Unknown.
    pub kind: String,
    /// The service's words.
    pub description: String,
    /// Scheduled, Pending, Running or Unknown.
    pub status: String,
    /// When its window begins, where the service says so.
    pub window_start: Option<Moment>,
}

/// A platform version as `DescribePlatformVersion` describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// Its name, as in `Node.js 20 running on 64bit Amazon Linux 2023`.
    pub name: String,
    /// Its version, as in `4.3.0`.
    pub version: String,
    /// Recommended; `None` where it is not the recommended one of its branch.
    pub lifecycle: Option<String>,
    /// Its branch; `None` for a custom platform.
    pub branch: Option<String>,
    /// The branch's state: Beta, Supported, Deprecated or Retired; `None` for a custom platform.
    /// The references spell it with and without a capital.
    pub branch_lifecycle: Option<String>,
}

impl Platform {
    /// Whether its branch is in this state: Beta, Supported, Deprecated or Retired. No
    /// environment can be created on a retired one (developer guide, "Elastic Beanstalk
    /// platforms glossary").
    #[must_use]
    pub fn branch_is(&self, state: &str) -> bool {
        let own = self.branch_lifecycle.as_deref();
        own.is_some_and(|own| own.eq_ignore_ascii_case(state))
    }
}

/// How many of a kind of resource an account may have in a region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// The most that are allowed, where the service says so.
    pub maximum: Option<u32>,
    /// How many there are that the caller may see; `None` where they were not counted.
    pub used: Option<u32>,
}

impl Quota {
    /// How many more there may be; `None` where either number is not known.
    #[must_use]
    pub fn left(&self) -> Option<u32> {
        Some(self.maximum?.saturating_sub(self.used?))
    }
}

/// The quotas of an account and region (API reference, `ResourceQuotas`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quotas {
    /// Applications.
    pub applications: Quota,
    /// Versions of all applications together.
    pub versions: Quota,
    /// Configuration templates of all applications together.
    pub templates: Quota,
    /// Environments of all applications together that are not terminated.
    pub environments: Quota,
    /// Custom platforms, which are not counted.
    pub platforms: Quota,
}

/// What the service finds wrong with an option (API reference, `ValidationMessage`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionFault {
    /// As in `aws:autoscaling:asg:MinSize`.
    pub option: String,
    /// Whether it is an error, and not a warning.
    pub is_error: bool,
    /// The service's own words.
    pub message: String,
}

impl OptionFault {
    /// Whether the service does not know the option, which it has retired (AWS CLI reference,
    /// `validate-configuration-settings`: "Unknown configuration setting.").
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.is_error && self.message.contains("Unknown configuration setting")
    }
}

/// The namespaces that are not validated: an application's environment variables, any of which
/// may be set, and what the service itself makes of the settings.
const NOT_VALIDATED: [&str; 2] = [
    "aws:cloudformation:template:parameter",
    "aws:elasticbeanstalk:application:environment",
];

/// Whether a CNAME is available (API reference, `CheckDNSAvailability`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CnameAvailability {
    /// The whole CNAME.
    pub cname: String,
    /// Whether it is free: the customers of a region share its names.
    pub available: bool,
}

impl AwsCloud {
    /// The next managed action of an environment; `None` where none is scheduled or under way.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn managed_action(
        &self,
        environment_name: &str,
    ) -> Result<Option<ManagedAction>, LookError> {
        let answer = self
            .reading()
            .await
            .describe_environment_managed_actions()
            .environment_name(environment_name)
            .send()
            .await
            .map_err(|e| look_error("DescribeEnvironmentManagedActions", &e))?;
        let actions = answer.managed_actions.unwrap_or_default();
        let actions = actions.into_iter().map(managed_action);
        // One without a time may begin at any.
        Ok(actions.min_by_key(|action| action.window_start))
    }

    /// The platform version with this ARN; `None` where there is none.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn platform(&self, platform_arn: &str) -> Result<Option<Platform>, LookError> {
        let answer = self
            .reading()
            .await
            .describe_platform_version()
            .platform_arn(platform_arn)
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if is_no_platform(&failure(&error)) => return Ok(None),
            Err(error) => return Err(look_error("DescribePlatformVersion", &error)),
        };
        let told = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(answer.platform_description.map(|found| Platform {
            name: found.platform_name.unwrap_or_default(),
            version: found.platform_version.unwrap_or_default(),
            lifecycle: told(found.platform_lifecycle_state),
            branch: told(found.platform_branch_name),
            branch_lifecycle: told(found.platform_branch_lifecycle_state),
        }))
    }

    /// The quotas of the account and region, with how much of them is used as far as three requests
    /// show it.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn quotas(&self) -> Result<Quotas, LookError> {
        let answer = self
            .reading()
            .await
            .describe_account_attributes()
            .send()
            .await;
        let answer = answer.map_err(|e| look_error("DescribeAccountAttributes", &e))?;
        let environments = self.all_environments().await?.len();
        let applications = self.reading().await.describe_applications().send().await;
        let applications = applications
            .map_err(|e| look_error("DescribeApplications", &e))?
            .applications
            .unwrap_or_default();
        let versions = applications.iter().map(|a| a.versions().len()).sum();
        let templates = applications
            .iter()
            .map(|a| a.configuration_templates().len())
            .sum();
        let Some(maxima) = answer.resource_quotas else {
            return Ok(Quotas::default());
        };
        Ok(Quotas {
            applications: quota(maxima.application_quota, Some(applications.len())),
            versions: quota(maxima.application_version_quota, Some(versions)),
            templates: quota(maxima.configuration_template_quota, Some(templates)),
            environments: quota(maxima.environment_quota, Some(environments)),
            platforms: quota(maxima.custom_platform_quota, None),
        })
    }

    /// The Elastic IP addresses of the account in its region, and how many it may have at most (EC2
    /// API reference, `DescribeAccountAttributes`, `vpc-max-elastic-ips`); `None` where the service
    /// does not say.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn elastic_addresses(&self) -> Result<(Vec<String>, Option<u32>), LookError> {
        super::ec2::elastic_addresses(&self.lazy_clients).await
    }

    /// What the service would find wrong with an environment's own settings in a new environment
    /// (API reference, `ValidateConfigurationSettings`). The environment variables of the
    /// application are left out.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn validate(
        &self,
        application: &str,
        environment_name: &str,
        settings: &[Setting],
    ) -> Result<Vec<OptionFault>, LookError> {
        let asked = settings.iter().filter_map(|setting| {
            let value = setting.value.as_ref().filter(|value| !value.is_empty())?;
            let is_validated = !NOT_VALIDATED.contains(&setting.namespace.as_str());
            is_validated.then(|| {
                ConfigurationOptionSetting::builder()
                    .namespace(&setting.namespace)
                    .option_name(&setting.name)
                    .value(value)
                    .build()
            })
        });
        let request = self
            .reading()
            .await
            .validate_configuration_settings()
            .application_name(application)
            .environment_name(environment_name)
            .set_option_settings(Some(asked.collect()));
        let answer = request.send().await;
        let answer = answer.map_err(|e| look_error("ValidateConfigurationSettings", &e))?;
        let messages = answer.messages.unwrap_or_default().into_iter();
        let faults = messages.map(|told| OptionFault {
            option: format!(
                "{}:{}",
                told.namespace.unwrap_or_default(),
                told.option_name.unwrap_or_default()
            ),
            is_error: told.severity != Some(ValidationSeverity::Warning),
            message: told.message.unwrap_or_default(),
        });
        Ok(faults.collect())
    }

    /// Whether the CNAME with this prefix is available: 4 to 63 letters, digits and hyphens.
    /// Somebody may take it a moment later.
    ///
    /// # Errors
    /// [`LookError`]; [`LookError::Refused`] where it is no prefix.
    pub async fn cname_availability(&self, prefix: &str) -> Result<CnameAvailability, LookError> {
        let answer = self
            .reading()
            .await
            .check_dns_availability()
            .cname_prefix(prefix)
            .send()
            .await
            .map_err(|e| look_error("CheckDNSAvailability", &e))?;
        Ok(CnameAvailability {
            cname: answer.fully_qualified_cname.unwrap_or_default(),
            available: answer.available.unwrap_or(false),
        })
    }
}

fn managed_action(described: Described) -> ManagedAction {
    let start = described.window_start_time;
    let start = start.and_then(|date| date.to_millis().ok());
    ManagedAction {
        kind: described
            .action_type
            .map(|kind| kind.as_str().to_owned())
            .unwrap_or_default(),
        description: described.action_description.unwrap_or_default(),
        status: described
            .status
            .map(|status| status.as_str().to_owned())
            .unwrap_or_default(),
        window_start: start.map(|millis| Moment(millis.unsigned_abs())),
    }
}

fn quota(described: Option<ResourceQuota>, used: Option<usize>) -> Quota {
    let maximum = described.and_then(|quota| quota.maximum);
    Quota {
        maximum: maximum.and_then(|maximum| u32::try_from(maximum).ok()),
        used: used.map(|used| u32::try_from(used).unwrap_or(u32::MAX)),
    }
}

/// The code is not modelled: `InvalidParameterValue` and words that begin so.
fn is_no_platform(failure: &Failure) -> bool {
    matches!(failure, Failure::Service { code, message, .. }
        if code.starts_with("ResourceNotFound") || message.starts_with("No Platform "))
}
