//! What the operations of Elastic Beanstalk need (service authorization reference,
//! "Actions, resources, and condition keys for AWS Elastic Beanstalk").

use std::collections::BTreeMap;

use super::{Need, beneath};
use crate::faults::BundleReader;
use crate::model::Environment;
use crate::wire::{ApiError, Form};
use crate::world::World;

const NAMES: &str = "elasticbeanstalk";

impl World {
    /// Whether the caller may make this request.
    ///
    /// # Errors
    /// 403: `AccessDenied` for the operation itself, `InsufficientPrivilegesException`
    /// for what it does with the caller's rights in the services beneath.
    pub(crate) fn authorize(&self, form: &Form) -> Result<(), ApiError> {
        let role = self.downstream_role(form);
        if self.is_open() && role.is_none() {
            return Ok(());
        }
        let refused = |code: &str, message| ApiError {
            status: 403,
            code: code.to_owned(),
            message,
        };
        for need in self.own_needs(form) {
            self.permit(&need)
                .map_err(|message| refused("AccessDenied", message))?;
        }
        if let Some(need) = self.passes_role(form) {
            self.permit(&need)
                .map_err(|message| refused("InsufficientPrivilegesException", message))?;
        }
        for need in beneath::needs(self, form) {
            self.permit_downstream(role.as_deref(), &need)
                .map_err(|message| refused("InsufficientPrivilegesException", message))?;
        }
        // Nobody documents who reads a bundle, which matters where a key of KMS encrypts it.
        let reader = match self.quirks.bundle_reader {
            None => Some(role.as_deref()),
            Some(BundleReader::Caller) => Some(None),
            Some(BundleReader::Service) => None,
        };
        if let Some(reader) = reader {
            for need in beneath::bundle(self, form) {
                self.permit_downstream(reader, &need)
                    .map_err(|message| refused("InsufficientPrivilegesException", message))?;
            }
        }
        self.authorize_assets(form, role.as_deref())
    }

    /// Whether a list shows this to the caller. The listing operations do not refuse
    /// who lacks their permission: they leave out what he may not see (developer guide,
    /// "Resources and conditions for Elastic Beanstalk actions"; aws-sdk-java issue 2202).
    pub(crate) fn shows(&self, operation: &str, application: &str, resource: String) -> bool {
        self.is_open() || self.may(&self.in_application(operation, application, resource))
    }

    /// The ARN of something of Elastic Beanstalk's.
    pub(crate) fn beanstalk_arn(&self, what: &str, path: &str) -> String {
        format!(
            "arn:aws:{NAMES}:{}:{}:{what}/{path}",
            self.region, self.account
        )
    }

    fn in_application(&self, operation: &str, application: &str, resource: String) -> Need {
        Need::new(format!("{NAMES}:{operation}"), resource).key(
            "elasticbeanstalk:InApplication",
            [self.beanstalk_arn("application", application)],
        )
    }

    /// The operation itself, on each of its resources. What names something that is not
    /// there gets the operation's own error instead.
    fn own_needs(&self, form: &Form) -> Vec<Need> {
        let operation = form.operation();
        let on_arn = |arn: &str| vec![Need::new(format!("{NAMES}:{operation}"), arn)];
        match operation {
            "DescribeApplications"
            | "DescribeApplicationVersions"
            | "DescribeEnvironments"
            | "ListAvailableSolutionStacks" => Vec::new(),
            "DescribeEvents" => match self.listed(form) {
                Some(environment) => vec![self.on_environment(form, environment)],
                None => self.on(
                    form,
                    "application",
                    form.get("ApplicationName").or(Some("*")),
                ),
            },
            "CreateApplication" => self.on(form, "application", form.get("ApplicationName")),
            "CreateApplicationVersion" => {
                let mut needs = self.on(form, "application", form.get("ApplicationName"));
                needs.extend(self.on_named(form, "applicationversion", "VersionLabel"));
                needs
            }
            "UpdateApplicationVersion" | "DeleteApplicationVersion" => {
                self.on_named(form, "applicationversion", "VersionLabel")
            }
            "CreateConfigurationTemplate" | "DeleteConfigurationTemplate" => {
                self.on_named(form, "configurationtemplate", "TemplateName")
            }
            "CreateEnvironment" => {
                let mut needs = self.on_named(form, "environment", "EnvironmentName");
                // Nobody documents whether tags at creation need it (developer guide, "Using tags to
                // control access", has `AddTags` beside `CreateEnvironment`).
                if !form.members("Tags").is_empty() && !self.quirks.tags_need_no_right {
                    let tagging = needs.iter().cloned().map(|need| Need {
                        action: format!("{NAMES}:AddTags"),
                        ..need
                    });
                    needs.extend(tagging.collect::<Vec<_>>());
                }
                needs
            }
            "DescribeConfigurationSettings"
            | "DescribeConfigurationOptions"
            | "ValidateConfigurationSettings" => {
                let template = self.on_named(form, "configurationtemplate", "TemplateName");
                match (self.named(form), form.get("SolutionStackName")) {
                    _ if !template.is_empty() => template,
                    (Ok(at), _) => vec![self.on_environment(form, &self.view.environments[at])],
                    (Err(_), Some(stack)) => on_arn(&self.stack_arn(stack)),
                    (Err(_), None) => Vec::new(),
                }
            }
            "DescribePlatformVersion" => form.get("PlatformArn").map(on_arn).unwrap_or_default(),
            "ListTagsForResource" => self.on_tagged(form, operation),
            "UpdateTagsForResource" => {
                let adds = !form.members("TagsToAdd").is_empty();
                let removes = !form.list("TagsToRemove").is_empty();
                let actions = [(adds, "AddTags"), (removes, "RemoveTags")];
                let actions = actions.into_iter().filter(|(asked, _)| *asked);
                actions
                    .flat_map(|(_, action)| self.on_tagged(form, action))
                    .collect()
            }
            "SwapEnvironmentCNAMEs" => ["Source", "Destination"]
                .iter()
                .filter_map(|side| {
                    let id = form.get(&format!("{side}EnvironmentId"));
                    let name = form.get(&format!("{side}EnvironmentName"));
                    self.find(id, name).ok()
                })
                .map(|at| self.on_environment(form, &self.view.environments[at]))
                .collect(),
            "AbortEnvironmentUpdate"
            | "AssociateEnvironmentOperationsRole"
            | "DisassociateEnvironmentOperationsRole"
            | "DescribeEnvironmentHealth"
            | "DescribeEnvironmentManagedActionHistory"
            | "DescribeEnvironmentManagedActions"
            | "DescribeEnvironmentResources"
            | "DescribeInstancesHealth"
            | "RestartAppServer"
            | "TerminateEnvironment"
            | "UpdateEnvironment" => match self.named(form) {
                Ok(at) => vec![self.on_environment(form, &self.view.environments[at])],
                Err(_) => Vec::new(),
            },
            _ => on_arn("*"),
        }
    }

    /// The environment that a request names, one that is terminated and still listed too.
    fn listed(&self, form: &Form) -> Option<&Environment> {
        let (id, name) = (form.get("EnvironmentId"), form.get("EnvironmentName"));
        let is_named = |e: &&Environment| {
            (id.is_some() || name.is_some())
                && id.is_none_or(|id| e.id == id)
                && name.is_none_or(|name| e.name == name)
        };
        self.view.environments.iter().rev().find(is_named)
    }

    fn on_environment(&self, form: &Form, environment: &Environment) -> Need {
        let arn = environment.arn(&self.region, &self.account);
        self.with_keys(form, &environment.application, arn)
    }

    /// A resource below the request's application, which bears this parameter's name.
    fn on_named(&self, form: &Form, what: &str, parameter: &str) -> Vec<Need> {
        let path = form
            .get("ApplicationName")
            .zip(form.get(parameter))
            .map(|(application, name)| format!("{application}/{name}"));
        self.on(form, what, path.as_deref())
    }

    fn on(&self, form: &Form, what: &str, path: Option<&str>) -> Vec<Need> {
        let application = form.get("ApplicationName").unwrap_or_default();
        let need =
            path.map(|path| self.with_keys(form, application, self.beanstalk_arn(what, path)));
        need.into_iter().collect()
    }

    fn on_tagged(&self, form: &Form, action: &str) -> Vec<Need> {
        let Some(arn) = form.get("ResourceArn") else {
            return Vec::new();
        };
        let path = arn.splitn(6, ':').nth(5).unwrap_or_default();
        let application = path.split('/').nth(1).unwrap_or_default();
        let mut need = self.with_keys(form, application, arn.to_owned());
        need.action = format!("{NAMES}:{action}");
        vec![need]
    }

    /// The operation on a resource, with the keys that the request gives values to.
    fn with_keys(&self, form: &Form, application: &str, resource: String) -> Need {
        let mut need = self.in_application(form.operation(), application, resource);
        for (key, what, parameter) in [
            (
                "FromApplicationVersion",
                "applicationversion",
                "VersionLabel",
            ),
            (
                "FromConfigurationTemplate",
                "configurationtemplate",
                "TemplateName",
            ),
        ] {
            let source = matches!(form.operation(), "CreateEnvironment" | "UpdateEnvironment");
            if let (true, Some(name)) = (source, form.get(parameter)) {
                let from = self.beanstalk_arn(what, &format!("{application}/{name}"));
                need = need.key(&format!("{NAMES}:{key}"), [from]);
            }
        }
        if let Some(stack) = form.get("SolutionStackName") {
            need = need.key(
                "elasticbeanstalk:FromSolutionStack",
                [self.stack_arn(stack)],
            );
        }
        let source = form
            .get("SourceEnvironmentId")
            .or(form.get("EnvironmentId"));
        let source = self.find(source, form.get("SourceEnvironmentName"));
        if let ("SwapEnvironmentCNAMEs" | "CreateConfigurationTemplate", Ok(at)) =
            (form.operation(), source)
        {
            let from = self.view.environments[at].arn(&self.region, &self.account);
            need = need.key("elasticbeanstalk:FromEnvironment", [from]);
        }
        for list in ["Tags", "TagsToAdd"] {
            for tag in form.members(list) {
                let field = |name| tag.get(name).unwrap_or_default().to_owned();
                need = need.key("aws:TagKeys", [field("Key")]).key(
                    &format!("aws:RequestTag/{}", field("Key")),
                    [field("Value")],
                );
            }
        }
        need.keys.extend(self.tags_at(&need.resource));
        need.key("aws:RequestedRegion", [self.region.clone()])
    }

    /// The ARN of a solution stack.
    pub(crate) fn stack_arn(&self, stack: &str) -> String {
        format!("arn:aws:{NAMES}:{}::solutionstack/{stack}", self.region)
    }

    /// The tags of the environment with this ARN, as condition keys.
    fn tags_at(&self, arn: &str) -> BTreeMap<String, Vec<String>> {
        let tagged = self
            .environments()
            .find(|e| e.arn(&self.region, &self.account) == arn);
        let tags = tagged.map_or(&[][..], |e| e.tags.as_slice());
        tags.iter()
            .map(|(key, value)| {
                let key = format!("aws:resourcetag/{}", key.to_lowercase());
                (key, vec![value.clone()])
            })
            .collect()
    }
}
