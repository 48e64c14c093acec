//! What an environment is configured with, and the instances it runs.

use aws_sdk_elasticbeanstalk::types::{
    ConfigurationDeploymentStatus, EnvironmentHealthAttribute, InstanceHealthSummary,
};

use super::AwsCloud;
use super::failure::{failure, look_error};
use super::read::is_basic_health;
use crate::cloud::LookError;
use crate::machine::Instances;
use crate::plan::Sizes;

/// The settings of an environment as `DescribeConfigurationSettings` tells them.
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

impl Configuration {
    /// The value of an option.
    #[must_use]
    pub fn value(&self, namespace: &str, name: &str) -> Option<&str> {
        let wanted = |s: &&Setting| s.namespace == namespace && s.name == name;
        self.settings.iter().find(wanted)?.value.as_deref()
    }

    /// The ARN of the load balancer that it shares; none where it has its own, or none
    /// (developer guide, "Configuring a shared Application Load Balancer").
    #[must_use]
    pub fn shared_balancer(&self) -> Option<&str> {
        let shares = self.value("aws:elasticbeanstalk:environment", "LoadBalancerIsShared");
        let balancer = self.value("aws:elbv2:loadbalancer", "SharedLoadBalancer");
        balancer.filter(|arn| shares == Some("true") && !arn.is_empty())
    }

    /// How many instances the group may have; none where there is a single instance
    /// and no group.
    #[must_use]
    pub fn sizes(&self) -> Option<Sizes> {
        let kind = self.value("aws:elasticbeanstalk:environment", "EnvironmentType");
        if kind == Some("SingleInstance") {
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

/// The namespace of the sizes.
pub(super) const GROUP: &str = "aws:autoscaling:asg";
pub(super) const MIN_SIZE: &str = "MinSize";
pub(super) const MAX_SIZE: &str = "MaxSize";

impl<P> AwsCloud<P> {
    /// What an environment is configured with: of two sets the one that is in force.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn configuration(
        &self,
        application: &str,
        environment_name: &str,
    ) -> Result<Configuration, LookError> {
        let answer = self
            .eb
            .describe_configuration_settings()
            .application_name(application)
            .environment_name(environment_name)
            .send()
            .await
            .map_err(|e| look_error("DescribeConfigurationSettings", &e))?;
        let mut sets = answer.configuration_settings.unwrap_or_default();
        let in_force = sets
            .iter()
            .position(|set| set.deployment_status == Some(ConfigurationDeploymentStatus::Deployed));
        if sets.is_empty() {
            return Ok(Configuration::default());
        }
        let set = sets.swap_remove(in_force.unwrap_or(0));
        let settings = set.option_settings.unwrap_or_default().into_iter();
        Ok(Configuration {
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
        })
    }

    /// How many instances an environment runs, and how many of them are healthy.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn instances(&self, environment_id: &str) -> Result<Instances, LookError> {
        let answer = self
            .eb
            .describe_environment_health()
            .environment_id(environment_id)
            .attribute_names(EnvironmentHealthAttribute::InstancesHealth)
            .send()
            .await;
        match answer {
            Ok(health) => {
                Ok(counted(&health.instances_health.unwrap_or_else(|| {
                    InstanceHealthSummary::builder().build()
                })))
            }
            Err(error) if is_basic_health(&failure(&error)) => {
                let running = self.listed_instances(environment_id).await?;
                Ok(Instances {
                    running,
                    healthy: running,
                })
            }
            Err(error) => Err(look_error("DescribeEnvironmentHealth", &error)),
        }
    }

    async fn listed_instances(&self, environment_id: &str) -> Result<u32, LookError> {
        let answer = self
            .eb
            .describe_environment_resources()
            .environment_id(environment_id)
            .send()
            .await
            .map_err(|e| look_error("DescribeEnvironmentResources", &e))?;
        let resources = answer.environment_resources;
        let listed = resources
            .and_then(|found| found.instances)
            .unwrap_or_default();
        Ok(u32::try_from(listed.len()).unwrap_or(u32::MAX))
    }
}

/// Ok and Info are healthy (developer guide, "Health colors and statuses").
fn counted(health: &InstanceHealthSummary) -> Instances {
    let count = |of: Option<i32>| of.unwrap_or(0).max(0).unsigned_abs();
    let healthy = count(health.ok) + count(health.info);
    let others = [
        health.no_data,
        health.unknown,
        health.pending,
        health.warning,
        health.degraded,
        health.severe,
    ];
    Instances {
        running: healthy + others.map(count).iter().sum::<u32>(),
        healthy,
    }
}
