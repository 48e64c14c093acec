//! Configuration templates and option settings.

use super::levels::remove;
use super::{Done, check_length};
use crate::account::QuotaOf;
use crate::launch::{SCHEDULED_ACTION, unknown_option};
use crate::model::{Environment, Setting, Template, Tier};
use crate::services::GROUPS;
use crate::wire::{ApiError, Form, Node, node};
use crate::world::World;

impl World {
    pub(super) fn create_template(&mut self, form: &Form) -> Done {
        let application = form.require("ApplicationName")?.to_owned();
        let name = form.require("TemplateName")?.to_owned();
        check_length("templateName", &name, 1, 100)?;
        self.require_application(&application)?;
        if self.template(&application, &name).is_some() {
            return Err(ApiError::invalid(format!(
                "Configuration Template {name} already exists."
            )));
        }
        if self.view.templates.len() >= self.quota(QuotaOf::Templates) {
            return Err(ApiError::new(
                "TooManyConfigurationTemplatesException",
                "You have reached the limit of configuration templates.",
            ));
        }
        let mut template = Template {
            application: application.clone(),
            name: name.clone(),
            description: form.get("Description").unwrap_or_default().to_owned(),
            solution_stack: form
                .get("SolutionStackName")
                .unwrap_or(super::platform::STACK)
                .to_owned(),
            tier: Tier::WebServer,
            settings: Vec::new(),
            created: self.now,
        };
        if form.get("EnvironmentId").is_some() {
            let source = &self.view.environments[self.find(form.get("EnvironmentId"), None)?];
            if source.application != application {
                return Err(ApiError::invalid(format!(
                    "Environment {} does not belong to application {application}.",
                    source.id
                )));
            }
            template.solution_stack.clone_from(&source.solution_stack);
            template.tier = source.tier;
            // What bundles and defaults set is not kept (developer guide, "Saved
            // configurations").
            template.settings.clone_from(&source.settings);
            // Whether it is kept with the service's own group in it is not told anywhere.
            if self.quirks.templates_keep_groups {
                let groups = source.groups().join(",");
                merge(&mut template.settings, vec![own_groups(groups)]);
            }
        } else if let Some(from) = form.get("SourceConfiguration.TemplateName") {
            let source = self.require_template(&application, from)?;
            template.solution_stack.clone_from(&source.solution_stack);
            template.settings.clone_from(&source.settings);
        }
        merge(&mut template.settings, settings(form, "OptionSettings"));
        remove(&mut template.settings, form);
        let answer = template_node(&template);
        self.view.templates.push(template);
        Ok(Some(answer))
    }

    pub(super) fn delete_template(&mut self, form: &Form) -> Done {
        let application = form.require("ApplicationName")?;
        let name = form.require("TemplateName")?;
        self.require_template(application, name)?;
        self.view
            .templates
            .retain(|t| !(t.application == application && t.name == name));
        Ok(None)
    }

    fn template(&self, application: &str, name: &str) -> Option<&Template> {
        self.view
            .templates
            .iter()
            .find(|t| t.application == application && t.name == name)
    }

    pub(super) fn require_template(
        &self,
        application: &str,
        name: &str,
    ) -> Result<&Template, ApiError> {
        self.template(application, name).ok_or_else(|| {
            ApiError::invalid(format!(
                "No Configuration Template named '{application}/{name}' found."
            ))
        })
    }

    pub(super) fn describe_settings(&self, form: &Form) -> Done {
        let application = form.require("ApplicationName")?;
        self.require_application(application)?;
        let set = match (form.get("TemplateName"), form.get("EnvironmentName")) {
            (Some(name), None) => template_node(self.require_template(application, name)?),
            (None, Some(name)) => {
                let at = self.find(None, Some(name))?;
                let environment = &self.view.environments[at];
                let age = match self.seeded.contains(&environment.name) {
                    true => Age::Older,
                    false => Age::New,
                };
                environment_settings(environment, age)
            }
            _ => {
                return Err(ApiError::new(
                    "InvalidParameterCombination",
                    "Either TemplateName or EnvironmentName must be specified, but not both.",
                ));
            }
        };
        Ok(Some(node().nodes("ConfigurationSettings", [set])))
    }

    pub(super) fn describe_options(&self, form: &Form) -> Done {
        let stack = form
            .get("SolutionStackName")
            .unwrap_or(super::platform::STACK);
        let option = |namespace: &str, name: &str, value: &str, default: &str| {
            node()
                .text("Namespace", namespace)
                .text("Name", name)
                .text("DefaultValue", default)
                .text("ChangeSeverity", "NoInterruption")
                .text("UserDefined", false)
                .text("ValueType", value)
        };
        let options = [
            option("aws:autoscaling:asg", "MinSize", "Scalar", "1"),
            option("aws:autoscaling:asg", "MaxSize", "Scalar", "4"),
            option(
                "aws:elasticbeanstalk:environment",
                "EnvironmentType",
                "Scalar",
                "LoadBalanced",
            ),
            option(
                "aws:elasticbeanstalk:healthreporting:system",
                "SystemType",
                "Scalar",
                "enhanced",
            ),
            option(
                "aws:elasticbeanstalk:command",
                "DeploymentPolicy",
                "Scalar",
                "AllAtOnce",
            ),
        ];
        Ok(Some(
            node()
                .text("SolutionStackName", stack)
                .nodes("Options", options),
        ))
    }

    pub(super) fn validate_settings(&self, form: &Form) -> Done {
        let application = form.require("ApplicationName")?;
        self.require_application(application)?;
        match form.get("TemplateName") {
            Some(name) => self.require_template(application, name).map(|_| ())?,
            None => self.named(form).map(|_| ())?,
        }
        // Of values it tells nothing here (AWS CLI reference, `validate-configuration-settings`).
        let asked = settings(form, "OptionSettings");
        let unknown = asked
            .iter()
            .filter(|setting| self.is_retired_option(setting));
        let messages = unknown.map(|setting| {
            node()
                .text("Message", unknown_option(setting))
                .text("Severity", "error")
                .text("Namespace", &setting.namespace)
                .text("OptionName", &setting.name)
        });
        Ok(Some(node().nodes("Messages", messages.collect::<Vec<_>>())))
    }
}

/// The option settings of a request.
pub(super) fn settings(form: &Form, name: &str) -> Vec<Setting> {
    form.members(name)
        .iter()
        .map(|member| {
            let field = |name| member.get(name).unwrap_or_default();
            let setting = Setting::new(field("Namespace"), field("OptionName"), field("Value"));
            // Every other resource is the one that the option has anyway.
            let is_scheduled = setting.namespace == SCHEDULED_ACTION;
            let resource = member.get("ResourceName").filter(|_| is_scheduled);
            Setting {
                resource: resource.map(str::to_owned),
                ..setting
            }
        })
        .collect()
}

/// Later settings win.
pub(super) fn merge(settings: &mut Vec<Setting>, newer: Vec<Setting>) {
    for setting in newer {
        settings.retain(|s| !s.is_of(&setting));
        settings.push(setting);
    }
}

/// Whether an environment is from before the service made launch templates. Those that a
/// sandbox is seeded with are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    Older,
    New,
}

impl Age {
    /// The resource of the stack that instances are launched by.
    fn launch(self) -> &'static str {
        match self {
            Age::Older => "AWSEBAutoScalingLaunchConfiguration",
            Age::New => "AWSEBEC2LaunchTemplate",
        }
    }

    /// The options that are told although they are not set: newer environments have others.
    fn unset(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Age::Older => &[
                ("aws:autoscaling:launchconfiguration", "EC2KeyName"),
                ("aws:elasticbeanstalk:managedactions", "PreferredStartTime"),
            ],
            Age::New => &[
                ("aws:autoscaling:launchconfiguration", "EC2KeyName"),
                (
                    "aws:autoscaling:launchconfiguration",
                    "LaunchTemplateTagPropagationEnabled",
                ),
            ],
        }
    }
}

/// The resource that the service tells an option for: the logical id of one in the
/// environment's stack.
fn resource_of(namespace: &str, name: &str, age: Age) -> Option<&'static str> {
    let of_process = "aws:elasticbeanstalk:environment:process:";
    Some(match (namespace, name) {
        ("aws:autoscaling:asg" | "aws:autoscaling:updatepolicy:rollingupdate", _)
        | ("aws:ec2:vpc", "Subnets") => "AWSEBAutoScalingGroup",
        (
            "aws:autoscaling:launchconfiguration",
            "BlockDeviceMappings"
            | "EC2KeyName"
            | "IamInstanceProfile"
            | "ImageId"
            | "MonitoringInterval"
            | "RootVolumeIOPS"
            | "RootVolumeSize"
            | "RootVolumeThroughput"
            | "RootVolumeType"
            | "SecurityGroups",
        )
        | ("aws:ec2:vpc", "AssociatePublicIpAddress") => age.launch(),
        ("aws:ec2:vpc", "VPCId") => "AWSEBSecurityGroup",
        ("aws:rds:dbinstance", name) if name != "HasCoupledDatabase" => "AWSEBRDSDatabase",
        ("aws:elbv2:loadbalancer", _) => "AWSEBV2LoadBalancer",
        (namespace, _) if namespace.starts_with(of_process) => "AWSEBV2LoadBalancerTargetGroup",
        (namespace, _) if namespace.starts_with("aws:elb:") => "AWSEBLoadBalancer",
        _ => return None,
    })
}

/// An option and its value, which is not told where it is not set.
fn setting_node(namespace: &str, name: &str, value: Option<&str>, resource: Option<&str>) -> Node {
    node()
        .option("ResourceName", resource)
        .text("Namespace", namespace)
        .text("OptionName", name)
        .option("Value", value)
}

fn setting_nodes(settings: &[Setting], age: Age) -> impl Iterator<Item = Node> {
    settings.iter().map(move |s| {
        let resource = s.resource.as_deref();
        let resource = resource.or_else(|| resource_of(&s.namespace, &s.name, age));
        setting_node(&s.namespace, &s.name, Some(&s.value), resource)
    })
}

fn template_node(template: &Template) -> Node {
    node()
        .option(
            "SolutionStackName",
            super::platform::stack_name(&template.solution_stack),
        )
        .text("ApplicationName", &template.application)
        .text("TemplateName", &template.name)
        .text("Description", &template.description)
        .date("DateCreated", template.created)
        .date("DateUpdated", template.created)
        .nodes(
            "OptionSettings",
            setting_nodes(&template.settings, Age::New),
        )
}

/// The option that names an environment's security groups.
fn own_groups(value: String) -> Setting {
    let (namespace, name) = GROUPS;
    Setting::new(namespace, name, &value)
}

/// The settings, and what the service has made for this environment alone.
fn with_its_own(environment: &Environment) -> Vec<Setting> {
    let own = |namespace: &str, name: &str, value: String| Setting::new(namespace, name, &value);
    let number = environment.id.trim_start_matches("e-");
    let label = &environment.version_label;
    let mut settings = environment.in_force();
    merge(
        &mut settings,
        vec![own_groups(environment.groups().join(","))],
    );
    settings.extend([
        own(
            "aws:elasticbeanstalk:sns:topics",
            "Notification Topic Name",
            format!(
                "ElasticBeanstalkNotifications-Environment-{}",
                environment.name
            ),
        ),
        own(
            "aws:cloudformation:template:parameter",
            "AppSource",
            format!("https://elasticbeanstalk.s3.amazonaws.com/{number}/{label}.zip"),
        ),
    ]);
    let kind = |name| environment.setting("aws:elasticbeanstalk:environment", name);
    let is_alone = kind("EnvironmentType") == Some("SingleInstance");
    let is_shared = kind("LoadBalancerIsShared") == Some("true");
    let balancer = match kind("LoadBalancerType") {
        _ if is_alone || is_shared || environment.tier == Tier::Worker => None,
        Some("application") => Some("aws:elbv2:loadbalancer"),
        Some("network") => None,
        _ => Some("aws:elb:loadbalancer"),
    };
    settings.extend(balancer.into_iter().flat_map(|namespace| {
        ["SecurityGroups", "ManagedSecurityGroup"]
            .map(|name| own(namespace, name, environment.balancer_group()))
    }));
    settings
}

fn environment_settings(environment: &Environment, age: Age) -> Node {
    let set = with_its_own(environment);
    let is_set = |(namespace, name): &&(&str, &str)| {
        let mut set = set.iter();
        set.any(|one| one.namespace == *namespace && one.name == *name)
    };
    let unset: Vec<_> = age.unset().iter().filter(|one| !is_set(one)).collect();
    let unset = unset.into_iter().map(|(namespace, name)| {
        setting_node(namespace, name, None, resource_of(namespace, name, age))
    });
    node()
        .option(
            "SolutionStackName",
            super::platform::stack_name(&environment.solution_stack),
        )
        .text(
            "PlatformArn",
            super::platform::arn_of(&environment.solution_stack),
        )
        .text("ApplicationName", &environment.application)
        .text("Description", &environment.description)
        .text("EnvironmentName", &environment.name)
        .text("DeploymentStatus", "deployed")
        .date("DateCreated", environment.created)
        .date("DateUpdated", environment.updated)
        .nodes("OptionSettings", setting_nodes(&set, age).chain(unset))
        // The public model lacks it; the service sends it and `eb health` reads it.
        .node("Tier", super::describe::tier_node(environment.tier))
}
