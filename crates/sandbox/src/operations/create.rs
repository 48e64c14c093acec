//! CreateEnvironment and CheckDNSAvailability.

use super::levels::remove;
use super::templates::{merge, settings};
use super::{Done, check_length};
use crate::account::QuotaOf;
use crate::model::{Busy, Environment, Setting, Status, Tier};
use crate::report::Created;
use crate::wire::{ApiError, Form, node};
use crate::world::World;

/// The most that an environment's `MinSize` may be.
const INSTANCES_MAX: usize = 10_000;
/// Tags of its owner's on an environment: of the fifty that a resource may have the service
/// itself sets three (developer guide, "Tagging Elastic Beanstalk application resources").
pub(super) const TAGS_MAX: usize = 47;

impl World {
    pub(super) fn create_environment(&mut self, form: &Form, request_id: &str) -> Done {
        let application = form.require("ApplicationName")?.to_owned();
        self.require_application(&application)?;
        let name = form.require("EnvironmentName")?.to_owned();
        check_name(&name)?;
        if self.environment(&name).is_some() {
            return Err(ApiError::invalid(format!(
                "Environment {name} already exists."
            )));
        }
        if self.environments().count() >= self.quota(QuotaOf::Environments) {
            return Err(ApiError::new(
                "TooManyEnvironmentsException",
                "You have reached the limit of environments.",
            ));
        }
        let label = match form.get("VersionLabel") {
            Some(_) => self.require_version(form)?.1,
            None => String::new(),
        };
        let (tier, solution_stack, mut options) = self.configuration(form, &application)?;
        if self.is_retired() {
            return Err(ApiError::invalid(format!(
                "No Solution Stack named '{solution_stack}' found."
            )));
        }
        merge(&mut options, settings(form, "OptionSettings"));
        remove(&mut options, form);
        self.check_options(&options)?;
        let options: Vec<_> = options.into_iter().map(|s| self.as_kept(s)).collect();
        let cname = self.new_cname(form, &name, tier)?;
        let tags = user_tags(form, "Tags")?;
        let enhanced = !options
            .iter()
            .any(|s| s.name == "SystemType" && s.value == "basic");
        let (bundled, defaults) = (self.bundled(&label), self.defaults_of_today());
        let mut kinds = options.iter().filter(|s| s.name == "EnvironmentType");
        let endpoint = match kinds.any(|s| s.value == "SingleInstance") {
            true => self.new_address(),
            false => format!(
                "awseb-{}-{}.{}.elb.amazonaws.com",
                self.letters(8),
                self.number(),
                self.region
            ),
        };
        let mut environment = Environment {
            application,
            id: format!("e-{}", self.letters(10)),
            description: form.get("Description").unwrap_or_default().to_owned(),
            tier,
            cname,
            endpoint,
            solution_stack,
            status: Status::Launching,
            health: "Grey".to_owned(),
            health_status: "Unknown".to_owned(),
            enhanced,
            version_label: label.clone(),
            busy: None,
            operation: 0,
            out_of_service: None,
            request_id: request_id.to_owned(),
            operations_role: form.get("OperationsRole").map(str::to_owned),
            tags,
            settings: options,
            bundled,
            defaults,
            instances: Vec::new(),
            deployment_id: 1,
            created: self.now,
            updated: self.now,
            name,
        };
        let in_force = environment.in_force();
        check_sizes(&in_force)?;
        let count = instance_count(&in_force)?;
        environment.instances = self.instances(count, &label);
        self.created.push(Created {
            id: environment.id.clone(),
            name: environment.name.clone(),
        });
        self.view.environments.push(environment);
        let at = self.view.environments.len() - 1;
        self.balance(&self.view.environments[at].id.clone());
        let seconds = self.launch_seconds(&self.view.environments[at].name);
        self.begin(at, Busy::Launch, seconds, request_id);
        self.say_of(at, "INFO", "createEnvironment is starting.");
        Ok(Some(self.environment_node(&self.view.environments[at])))
    }

    /// The settings that the environment of a request is to have; none where the request
    /// gets an error of its own.
    pub(crate) fn settings_to_be(&self, form: &Form, application: &str) -> Vec<Setting> {
        let found = self.configuration(form, application);
        let mut options = found.map(|(_, _, options)| options).unwrap_or_default();
        merge(&mut options, settings(form, "OptionSettings"));
        remove(&mut options, form);
        options
    }

    /// Tier, solution stack and settings from a template, another environment
    /// (which `eb clone` asks for although the public model lacks the field), or
    /// the request itself.
    fn configuration(
        &self,
        form: &Form,
        application: &str,
    ) -> Result<(Tier, String, Vec<Setting>), ApiError> {
        let asked = tier_of(form)?;
        let source = form
            .get("TemplateSpecification.TemplateSource.EnvironmentName")
            .or_else(|| form.get("TemplateSpecification.TemplateSource.EnvironmentId"));
        if let Some(source) = source {
            let at = self
                .find(None, Some(source))
                .or_else(|_| self.find(Some(source), None))?;
            let source = &self.view.environments[at];
            return Ok((
                source.tier,
                source.solution_stack.clone(),
                source.settings.clone(),
            ));
        }
        let template = form
            .get("TemplateName")
            .or_else(|| form.get("TemplateSpecification.TemplateName"));
        let stack = form.get("SolutionStackName");
        match (template, stack) {
            (Some(_), Some(_)) => Err(ApiError::new(
                "InvalidParameterCombination",
                "TemplateName and SolutionStackName may not both be specified.",
            )),
            (Some(name), None) => {
                let template = self.require_template(application, name)?;
                Ok((
                    template.tier,
                    template.solution_stack.clone(),
                    template.settings.clone(),
                ))
            }
            (None, Some(stack)) => Ok((asked, stack.to_owned(), Vec::new())),
            (None, None) if form.get("PlatformArn").is_some() => {
                Ok((asked, super::platform::STACK.to_owned(), Vec::new()))
            }
            (None, None) => Err(ApiError::new(
                "MissingRequiredParameter",
                "One of TemplateName, SolutionStackName or PlatformArn must be specified.",
            )),
        }
    }

    fn new_cname(
        &mut self,
        form: &Form,
        name: &str,
        tier: Tier,
    ) -> Result<Option<String>, ApiError> {
        match (tier, form.get("CNAMEPrefix")) {
            (Tier::Worker, Some(_)) => Err(ApiError::new(
                "InvalidParameterCombination",
                "CNAMEPrefix may not be specified for a worker environment.",
            )),
            (Tier::Worker, None) => Ok(None),
            (Tier::WebServer | Tier::Cluster, Some(prefix)) => {
                check_prefix(prefix)?;
                let cname = self.cname_of(prefix);
                if self.is_taken(prefix) {
                    return Err(ApiError::invalid(format!(
                        "DNS name ({prefix}) is not available."
                    )));
                }
                Ok(Some(cname))
            }
            (Tier::WebServer | Tier::Cluster, None) => {
                let own = self.letters(8);
                Ok(Some(format!(
                    "{name}.eba-{own}.{}.elasticbeanstalk.com",
                    self.region
                )))
            }
        }
    }

    fn cname_of(&self, prefix: &str) -> String {
        format!("{prefix}.{}.elasticbeanstalk.com", self.region)
    }

    /// Whether the CNAME with this prefix is an environment's, or another account's.
    fn is_taken(&self, prefix: &str) -> bool {
        self.cname_holder(&self.cname_of(prefix)).is_some()
            || self.quirks.taken_prefixes.contains(&prefix.to_lowercase())
    }

    pub(super) fn check_dns(&self, form: &Form) -> Done {
        let prefix = form.require("CNAMEPrefix")?;
        check_prefix(prefix)?;
        let cname = self.cname_of(prefix);
        Ok(Some(
            node()
                .text("Available", !self.is_taken(prefix))
                .text("FullyQualifiedCNAME", cname),
        ))
    }
}

/// The tier that a request asks for, by its name and type (API model, `EnvironmentTier`).
fn tier_of(form: &Form) -> Result<Tier, ApiError> {
    match (form.get("Tier.Name"), form.get("Tier.Type")) {
        (None | Some("WebServer"), None | Some("Standard")) => Ok(Tier::WebServer),
        (Some("Worker"), None | Some("SQS/HTTP")) => Ok(Tier::Worker),
        (Some("Cluster"), None | Some("EKS")) => Ok(Tier::Cluster),
        (name, kind) => Err(ApiError::invalid(format!(
            "Invalid tier: {}/{}.",
            name.unwrap_or("WebServer"),
            kind.unwrap_or_default()
        ))),
    }
}

/// Sizes that a group cannot have are refused.
pub(super) fn check_sizes(options: &[Setting]) -> Result<(), ApiError> {
    let min = instance_count(options)?;
    let max = options
        .iter()
        .find(|s| s.namespace == "aws:autoscaling:asg" && s.name == "MaxSize")
        .and_then(|s| s.value.parse::<usize>().ok());
    match max {
        Some(max) if max < min => Err(ApiError::invalid(format!(
            "Invalid option value: '{min}' (Namespace: 'aws:autoscaling:asg', OptionName: 'MinSize'): MinSize must be less than or equal to MaxSize ({max})."
        ))),
        _ => Ok(()),
    }
}

/// How many instances these settings launch: `MinSize`, by default 1 and at most
/// 10,000 (developer guide, "General options for all environments").
fn instance_count(options: &[Setting]) -> Result<usize, ApiError> {
    let least = options
        .iter()
        .find(|s| s.namespace == "aws:autoscaling:asg" && s.name == "MinSize");
    let Some(least) = least else { return Ok(1) };
    least
        .value
        .parse()
        .ok()
        .filter(|count| *count <= INSTANCES_MAX)
        .ok_or_else(|| {
            ApiError::invalid(format!(
                "Invalid option value: '{}' (Namespace: 'aws:autoscaling:asg', OptionName: 'MinSize'): Value must be an integer of at most {INSTANCES_MAX}.",
                least.value
            ))
        })
}

/// Environment names: 4 to 40 letters, digits and hyphens (API reference).
fn check_name(name: &str) -> Result<(), ApiError> {
    check_length("environmentName", name, 4, 40)?;
    check_hyphenated("EnvironmentName", name)
}

/// CNAME prefixes: 4 to 63 of the same (API reference).
fn check_prefix(prefix: &str) -> Result<(), ApiError> {
    check_length("cNAMEPrefix", prefix, 4, 63)?;
    check_hyphenated("CNAMEPrefix", prefix)
}

/// Letters, digits and hyphens, none of the hyphens at an edge.
fn check_hyphenated(what: &str, name: &str) -> Result<(), ApiError> {
    let well_formed = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    if well_formed {
        return Ok(());
    }
    Err(ApiError::invalid(format!(
        "Value {name} at '{what}' failed to satisfy constraint: Member must contain only letters, digits, and the dash character and may not start or end with a dash"
    )))
}

/// How many tags of its owner's an environment is to have.
pub(super) fn check_tag_count(count: usize) -> Result<(), ApiError> {
    match count > TAGS_MAX {
        true => Err(ApiError::new(
            "TooManyTagsException",
            format!("The number of tags exceeds {TAGS_MAX}."),
        )),
        false => Ok(()),
    }
}

/// The tags of a request; those that the service reserves are refused.
pub(super) fn user_tags(form: &Form, name: &str) -> Result<Vec<(String, String)>, ApiError> {
    let tags: Vec<_> = form
        .members(name)
        .iter()
        .map(|tag| {
            let field = |name| tag.get(name).unwrap_or_default().to_owned();
            (field("Key"), field("Value"))
        })
        .collect();
    check_tag_count(tags.len())?;
    for (key, value) in &tags {
        check_length("tagKey", key, 1, 128)?;
        check_length("tagValue", value, 0, 256)?;
        let lower = key.to_lowercase();
        if lower.starts_with("aws:") || lower.starts_with("elasticbeanstalk:") || key == "Name" {
            return Err(ApiError::invalid(format!("Tag key {key} is reserved.")));
        }
    }
    Ok(tags)
}
