//! Configuration templates and option settings.

use super::{Done, check_length};
use crate::account::QuotaOf;
use crate::model::{Environment, Setting, Template, Tier};
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
            template.settings.clone_from(&source.settings);
        } else if let Some(from) = form.get("SourceConfiguration.TemplateName") {
            let source = self.require_template(&application, from)?;
            template.solution_stack.clone_from(&source.solution_stack);
            template.settings.clone_from(&source.settings);
        }
        merge(&mut template.settings, settings(form, "OptionSettings"));
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
                environment_settings(&self.view.environments[at])
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
        self.require_application(form.require("ApplicationName")?)?;
        Ok(Some(node().nodes("Messages", [])))
    }
}

/// The option settings of a request.
pub(super) fn settings(form: &Form, name: &str) -> Vec<Setting> {
    form.members(name)
        .iter()
        .map(|member| Setting {
            namespace: member.get("Namespace").unwrap_or_default().to_owned(),
            name: member.get("OptionName").unwrap_or_default().to_owned(),
            value: member.get("Value").unwrap_or_default().to_owned(),
        })
        .collect()
}

/// Later settings win.
pub(super) fn merge(settings: &mut Vec<Setting>, newer: Vec<Setting>) {
    for setting in newer {
        settings.retain(|s| (&s.namespace, &s.name) != (&setting.namespace, &setting.name));
        settings.push(setting);
    }
}

fn setting_nodes(settings: &[Setting]) -> impl Iterator<Item = Node> {
    settings.iter().map(|setting| {
        node()
            .text("Namespace", &setting.namespace)
            .text("OptionName", &setting.name)
            .text("Value", &setting.value)
    })
}

fn template_node(template: &Template) -> Node {
    node()
        .text("SolutionStackName", &template.solution_stack)
        .text("ApplicationName", &template.application)
        .text("TemplateName", &template.name)
        .text("Description", &template.description)
        .date("DateCreated", template.created)
        .date("DateUpdated", template.created)
        .nodes("OptionSettings", setting_nodes(&template.settings))
}

/// The settings, and what the service has made for this environment alone.
fn with_its_own(environment: &Environment) -> Vec<Setting> {
    let own = |namespace: &str, name: &str, value: String| Setting {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        value,
    };
    let number = environment.id.trim_start_matches("e-");
    let mut settings = environment.settings.clone();
    settings.extend([
        own(
            "aws:autoscaling:launchconfiguration",
            "SecurityGroups",
            format!("sg-{number}"),
        ),
        own(
            "aws:elasticbeanstalk:sns:topics",
            "Notification Topic Name",
            format!(
                "ElasticBeanstalkNotifications-Environment-{}",
                environment.name
            ),
        ),
    ]);
    settings
}

fn environment_settings(environment: &Environment) -> Node {
    node()
        .text("SolutionStackName", &environment.solution_stack)
        .text("PlatformArn", super::platform::arn())
        .text("ApplicationName", &environment.application)
        .text("Description", &environment.description)
        .text("EnvironmentName", &environment.name)
        .text("DeploymentStatus", "deployed")
        .date("DateCreated", environment.created)
        .date("DateUpdated", environment.updated)
        .nodes("OptionSettings", setting_nodes(&with_its_own(environment)))
        // The public model lacks it; the service sends it and `eb health` reads it.
        .node("Tier", super::describe::tier_node(environment.tier))
}
