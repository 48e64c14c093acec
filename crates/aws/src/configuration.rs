//! The configuration of an environment, and the instances it runs.

use std::collections::BTreeMap;

use aws_sdk_elasticbeanstalk::types::{
    ConfigurationDeploymentStatus, ConfigurationSettingsDescription, EnvironmentHealthAttribute,
    InstanceHealthSummary,
};

use super::clients::AwsCloud;
use super::failure::look_error;
use super::read::{BasicHealth, health_error};
use crate::cloud::LookError;
use bluegreen_core::facts::Environment;
use bluegreen_core::fidelity::{Differing, Marked, Traits, template_differences, template_sets};
use bluegreen_core::health::Health;
use bluegreen_core::machine::Instances;
use bluegreen_core::plan::{Plan, Sizes, TemplateSets};
use bluegreen_core::text::foreign;

/// The settings of an environment as `DescribeConfigurationSettings` lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// Its solution stack.
    pub solution_stack: String,
    /// Its platform's ARN.
    pub platform_arn: String,
    /// Its option settings.
    pub settings: Vec<Setting>,
}

/// An option setting (API reference, `ConfigurationOptionSetting`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// As in `aws:autoscaling:asg`.
    pub namespace: String,
    /// As in `MinSize`.
    pub name: String,
    /// The resource it is for, where it is for one of several.
    pub resource: Option<String>,
    /// Its value.
    pub value: Option<String>,
}

impl Setting {
    /// As in `aws:autoscaling:asg:MinSize[AWSEBAutoScalingGroup]`; without a resource where it
    /// is for none.
    #[must_use]
    pub fn full_name(&self) -> String {
        let resource = self.resource.as_deref().filter(|of| !of.is_empty());
        let resource = resource.map(|of| format!("[{of}]")).unwrap_or_default();
        format!("{}:{}{resource}", self.namespace, self.name)
    }
}

/// A configuration template beside the environment that it was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateBesideBlue {
    /// What it sets.
    pub sets: TemplateSets,
    /// Where it differs from blue, compared word for word.
    pub differing: Vec<Differing>,
}

/// How many instances an environment is made for (developer guide, "Environment types").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvironmentType {
    /// One instance, with an address of its own: it answers nobody while it is deployed to.
    SingleInstance,
    /// A group of instances, in a web server tier behind a load balancer.
    LoadBalanced,
}

/// A setting that is absent has its default (developer guide, "General options for all
/// environments").
impl Configuration {
    /// The value of an option.
    #[must_use]
    pub fn value(&self, namespace: &str, name: &str) -> Option<&str> {
        let wanted = |s: &&Setting| s.namespace == namespace && s.name == name;
        self.settings.iter().find(wanted)?.value.as_deref()
    }

    /// The platform's ARN, or the name of the solution stack where there is none.
    fn platform(&self) -> &str {
        match self.platform_arn.as_str() {
            "" => &self.solution_stack,
            arn => arn,
        }
    }

    /// The marks by which bluegreen notices a later change of it.
    pub(super) fn marked(self) -> Marked {
        let platform = self.platform().to_owned();
        Marked::of(&platform, &settings_by_name(self))
    }

    /// Whether any option is set whose namespace begins with this text.
    #[must_use]
    pub fn has_any(&self, namespace: &str) -> bool {
        let is_set = |s: &Setting| s.value.as_ref().is_some_and(|value| !value.is_empty());
        let mut settings = self.settings.iter();
        settings.any(|setting| setting.namespace.starts_with(namespace) && is_set(setting))
    }

    /// Whether it runs a single instance or balances the load of several.
    #[must_use]
    pub fn environment_type(&self) -> EnvironmentType {
        match self.value(ENVIRONMENT, "EnvironmentType") {
            Some("SingleInstance") => EnvironmentType::SingleInstance,
            _ => EnvironmentType::LoadBalanced,
        }
    }

    /// The type of its load balancer: classic, application or network; `None` where it has none.
    #[must_use]
    pub fn balancer_type(&self) -> Option<&str> {
        match self.environment_type() {
            EnvironmentType::SingleInstance => None,
            EnvironmentType::LoadBalanced => Some(
                self.value(ENVIRONMENT, "LoadBalancerType")
                    .unwrap_or("classic"),
            ),
        }
    }

    /// The ARN of the load balancer that it shares with others; `None` where it shares none, empty
    /// where the settings do not name it. What others put on that one does not follow a swap.
    #[must_use]
    pub fn shared_balancer(&self) -> Option<&str> {
        let is_shared = self.value(ENVIRONMENT, "LoadBalancerIsShared")?;
        let arn = || self.value("aws:elbv2:loadbalancer", "SharedLoadBalancer");
        (is_shared == "true").then(|| arn().unwrap_or_default())
    }

    /// How versions are deployed: AllAtOnce, Rolling, RollingWithAdditionalBatch,
    /// Immutable or TrafficSplitting.
    #[must_use]
    pub fn deployment_policy(&self) -> &str {
        self.value("aws:elasticbeanstalk:command", "DeploymentPolicy")
            .unwrap_or("AllAtOnce")
    }

    /// The worst health that its owner accepts as a success, where a setting says so. The guide
    /// names the option in one namespace and shows it in another; the more lenient of both counts.
    #[must_use]
    pub fn success_threshold(&self) -> Health {
        let namespaces = [
            "aws:elasticbeanstalk:healthreporting:system",
            "aws:elasticbeanstalk:command",
        ];
        let values = namespaces.map(|of| self.value(of, "HealthCheckSuccessThreshold"));
        let said = values.into_iter().flatten().filter_map(Health::threshold);
        said.max().unwrap_or_default()
    }

    /// The engine of the database that belongs to the environment, empty where the settings do not
    /// name it; `None` where there is no database. The environment's clone gets a new one, which is
    /// empty.
    #[must_use]
    pub fn coupled_database(&self) -> Option<&str> {
        let database = |name| {
            self.value("aws:rds:dbinstance", name)
                .filter(|value| !value.is_empty())
        };
        let engine = database("DBEngine").or(database("DBInstanceClass").map(|_| ""));
        match database("HasCoupledDatabase") {
            Some("true") => Some(engine.unwrap_or_default()),
            Some(_) => None,
            // Environments from before there was that option do not tell it.
            None => engine,
        }
    }

    /// How many instances the group may have; `None` where there is a single instance and no group.
    #[must_use]
    pub fn sizes(&self) -> Option<Sizes> {
        if self.environment_type() == EnvironmentType::SingleInstance {
            return None;
        }
        // 1 and 4 are the service's defaults (developer guide, "General options").
        let size = |name, default| {
            let value = self.value(GROUP, name).and_then(|text| text.parse().ok());
            value.unwrap_or(default)
        };
        Some(Sizes {
            min: size(MIN_SIZE, 1),
            max: size(MAX_SIZE, 4),
        })
    }
}

/// The namespace of the settings of the environment as a whole.
const ENVIRONMENT: &str = "aws:elasticbeanstalk:environment";

/// The namespace of the sizes.
pub(super) const GROUP: &str = "aws:autoscaling:asg";
pub(super) const MIN_SIZE: &str = "MinSize";
pub(super) const MAX_SIZE: &str = "MaxSize";

/// The namespace of how instances are launched.
pub(super) const LAUNCH: &str = "aws:autoscaling:launchconfiguration";
/// The option that names their security groups.
pub(super) const GROUPS: &str = "SecurityGroups";

/// The values of settings by their full names.
pub(super) fn settings_by_name(configuration: Configuration) -> BTreeMap<String, String> {
    let named = |setting: Setting| (setting.full_name(), setting.value.unwrap_or_default());
    configuration.settings.into_iter().map(named).collect()
}

impl AwsCloud {
    /// The traits by which bluegreen compares environments.
    ///
    /// # Errors
    /// [`LookError`].
    pub(super) async fn traits(&self, of: &Environment) -> Result<Traits, LookError> {
        let configuration = self.configuration(&of.application, &of.name).await?;
        let platform = configuration.platform().to_owned();
        Ok(Traits {
            name: of.name.clone(),
            id: of.id.clone(),
            platform,
            version: of.version_label.clone().unwrap_or_default(),
            operations_role: of.operations_role.clone(),
            settings: settings_by_name(configuration),
            tags: self.tags(&of.arn).await?,
        })
    }

    /// The settings of an environment: of two sets the one that is in force.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn configuration(
        &self,
        application: &str,
        environment_name: &str,
    ) -> Result<Configuration, LookError> {
        let answer = self
            .reading()
            .await
            .describe_configuration_settings()
            .application_name(application)
            .environment_name(environment_name)
            .send()
            .await
            .map_err(|e| look_error("DescribeConfigurationSettings", &e))?;
        Ok(in_force(answer.configuration_settings.unwrap_or_default()))
    }

    /// The settings of a configuration template; `None` where there is no such template.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn template(
        &self,
        application: &str,
        template: &str,
    ) -> Result<Option<Configuration>, LookError> {
        let answer = self
            .reading()
            .await
            .describe_configuration_settings()
            .application_name(application)
            .template_name(template)
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(Some(in_force(
                answer.configuration_settings.unwrap_or_default(),
            ))),
            Err(error) => match look_error("DescribeConfigurationSettings", &error) {
                LookError::Refused(_) => Ok(None),
                error => Err(error),
            },
        }
    }

    /// What blue's template, which exists, sets and where it differs from blue; `None` where the
    /// service does not describe it.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn template_beside_blue(
        &self,
        plan: &Plan,
    ) -> Result<Option<TemplateBesideBlue>, LookError> {
        let application = &plan.target.application;
        let Some(template) = self.template(application, &plan.template).await? else {
            return Ok(None);
        };
        let template = settings_by_name(template);
        let blue = self.configuration(application, &plan.target.blue).await?;
        let differing = template_differences(plan, &settings_by_name(blue), &template);
        let recorder = self.lazy_clients.recorder();
        recorder.compared("template", || differing.clone());
        Ok(Some(TemplateBesideBlue {
            sets: template_sets(plan, &template),
            differing,
        }))
    }

    /// How many instances an environment runs, and how many of them are healthy.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn instances(
        &self,
        environment_id: &str,
        accepted: Health,
    ) -> Result<Instances, LookError> {
        let answer = self
            .reading()
            .await
            .describe_environment_health()
            .environment_id(environment_id)
            .attribute_names(EnvironmentHealthAttribute::InstancesHealth)
            .send()
            .await;
        match answer {
            Ok(health) => {
                let summary = health.instances_health;
                let summary = summary.unwrap_or_else(|| InstanceHealthSummary::builder().build());
                Ok(counted(&summary, accepted))
            }
            Err(error) => {
                let BasicHealth = health_error("DescribeEnvironmentHealth", &error)?;
                let running = self.listed_instances(environment_id).await?;
                Ok(Instances {
                    running,
                    healthy: running,
                })
            }
        }
    }

    /// Why an environment's health is what it is, in the service's words; empty with basic health.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn health_causes(&self, environment_id: &str) -> Result<Vec<String>, LookError> {
        let answer = self
            .reading()
            .await
            .describe_environment_health()
            .environment_id(environment_id)
            .attribute_names(EnvironmentHealthAttribute::Causes)
            .send()
            .await;
        match answer {
            Ok(health) => {
                let causes = health.causes.unwrap_or_default();
                Ok(causes.iter().map(|cause| foreign(cause)).collect())
            }
            Err(error) => {
                health_error("DescribeEnvironmentHealth", &error).map(|BasicHealth| Vec::new())
            }
        }
    }

    async fn listed_instances(&self, environment_id: &str) -> Result<u32, LookError> {
        Ok(self.resources(environment_id).await?.instances)
    }
}

/// Of two sets the one that is in force.
fn in_force(mut sets: Vec<ConfigurationSettingsDescription>) -> Configuration {
    let at = sets
        .iter()
        .position(|set| set.deployment_status == Some(ConfigurationDeploymentStatus::Deployed));
    if sets.is_empty() {
        return Configuration::default();
    }
    let set = sets.swap_remove(at.unwrap_or(0));
    let settings = set.option_settings.unwrap_or_default().into_iter();
    Configuration {
        solution_stack: set.solution_stack_name.unwrap_or_default(),
        platform_arn: set.platform_arn.unwrap_or_default(),
        settings: settings
            .map(|setting| Setting {
                namespace: setting.namespace.unwrap_or_default(),
                name: setting.option_name.unwrap_or_default(),
                resource: setting.resource_name,
                value: setting.value,
            })
            .collect(),
    }
}

/// Ok and Info are healthy (developer guide, "Health colors and statuses"), and what is worse
/// where that is accepted.
pub(super) fn counted(health: &InstanceHealthSummary, accepted: Health) -> Instances {
    let count = |of: Option<i32>| of.unwrap_or(0).max(0).unsigned_abs();
    let known = [
        (Health::Ok, health.ok),
        (Health::Ok, health.info),
        (Health::Warning, health.warning),
        (Health::Degraded, health.degraded),
        (Health::Severe, health.severe),
    ];
    let others = [health.no_data, health.unknown, health.pending];
    let healthy = known.iter().filter(|(health, _)| *health <= accepted);
    let running = known.iter().map(|(_, many)| *many).chain(others);
    Instances {
        running: running.map(count).sum(),
        healthy: healthy.map(|(_, many)| count(*many)).sum(),
    }
}
