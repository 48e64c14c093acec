//! DescribeEnvironments, resources and tags.

use super::create::{check_tag_count, user_tags};
use super::{Done, page};
use crate::account::ManagedAction;
use crate::model::{Busy, Environment, Status, Tier};
use crate::wire::{ApiError, Form, Node, node, parse_date};
use crate::world::World;

impl World {
    pub(super) fn describe_environments(&self, form: &Form) -> Done {
        let names = form.list("EnvironmentNames");
        let ids = form.list("EnvironmentIds");
        let deleted = form.get("IncludeDeleted") != Some("false");
        let back_to = form
            .get("IncludedDeletedBackTo")
            .and_then(parse_date)
            .unwrap_or(0);
        let one_of = |wanted: &[&str], value: &str| wanted.is_empty() || wanted.contains(&value);
        let found: Vec<Node> = self
            .seen()
            .environments
            .iter()
            .filter(|e| e.is_alive() || (deleted && e.updated >= back_to))
            .filter(|e| one_of(&names, &e.name) && one_of(&ids, &e.id))
            .filter(|e| {
                form.get("ApplicationName")
                    .is_none_or(|a| a == e.application)
            })
            .filter(|e| {
                form.get("VersionLabel")
                    .is_none_or(|v| v == e.version_label)
            })
            .filter(|e| {
                let arn = e.arn(&self.region, &self.account);
                self.shows("DescribeEnvironments", &e.application, arn)
            })
            .map(|e| self.environment_node(e))
            .collect();
        let (shown, next) = page(form, found)?;
        Ok(Some(
            node()
                .nodes("Environments", shown)
                .option("NextToken", next),
        ))
    }

    pub(super) fn environment_node(&self, environment: &Environment) -> Node {
        let abortable = environment.status == Status::Updating
            && matches!(
                environment.busy,
                Some(Busy::Deploy { .. } | Busy::Configure)
            );
        let label = Some(&environment.version_label).filter(|label| !label.is_empty());
        node()
            .text("EnvironmentName", &environment.name)
            .text("EnvironmentId", &environment.id)
            .text("ApplicationName", &environment.application)
            .option("VersionLabel", label)
            .option(
                "SolutionStackName",
                super::platform::stack_name(&environment.solution_stack),
            )
            .text(
                "PlatformArn",
                super::platform::arn_of(&environment.solution_stack),
            )
            .text("Description", &environment.description)
            .option(
                "EndpointURL",
                environment.cname.as_ref().map(|_| &environment.endpoint),
            )
            .option("CNAME", environment.cname.as_ref())
            .date("DateCreated", environment.created)
            .date("DateUpdated", environment.updated)
            .text("Status", format!("{:?}", environment.status))
            .text("AbortableOperationInProgress", abortable)
            .text("Health", &environment.health)
            .option(
                "HealthStatus",
                environment.enhanced.then_some(&environment.health_status),
            )
            .node("Tier", tier_node(environment.tier))
            .nodes("EnvironmentLinks", [])
            .text(
                "EnvironmentArn",
                environment.arn(&self.region, &self.account),
            )
            .option("OperationsRole", environment.operations_role.as_ref())
    }

    pub(super) fn environment_resources(&self, form: &Form) -> Done {
        let environment = &self.view.environments[self.named(form)?];
        let instances = environment
            .instances
            .iter()
            .map(|i| node().text("Id", &i.id));
        let named =
            |name: &str| [node().text("Name", format!("awseb-{}-stack-{name}", environment.id))];
        let is = |name, value| {
            environment.setting("aws:elasticbeanstalk:environment", name) == Some(value)
        };
        let balancers = if is("EnvironmentType", "SingleInstance") {
            Vec::new()
        } else if is("LoadBalancerIsShared", "true") {
            vec![node().text("Name", self.balancer_arn())]
        } else {
            // A classic one is told by its name, any other by its ARN.
            match self.balancer_name(environment) {
                Some(arn) => vec![node().text("Name", arn)],
                None => vec![node().text("Name", self.classic_balancer(environment))],
            }
        };
        let resources = node()
            .text("EnvironmentName", &environment.name)
            .nodes("AutoScalingGroups", named("AWSEBAutoScalingGroup"))
            .nodes("Instances", instances)
            .nodes("LaunchConfigurations", [])
            .nodes("LaunchTemplates", [])
            .nodes("LoadBalancers", balancers)
            .nodes("Triggers", [])
            .nodes("Queues", []);
        Ok(Some(node().node("EnvironmentResources", resources)))
    }

    pub(super) fn managed_actions(&self, form: &Form) -> Done {
        let actions = self.actions_of(form)?;
        let actions = actions.filter(|action| action.finished.is_none());
        let actions = actions.filter(|action| {
            form.get("Status")
                .is_none_or(|status| status == action.status(self.now))
        });
        let told = actions.map(|action| {
            action_node(action)
                .text("Status", action.status(self.now))
                .date("WindowStartTime", action.window_start)
        });
        Ok(Some(node().nodes("ManagedActions", told)))
    }

    pub(super) fn managed_action_history(&self, form: &Form) -> Done {
        let items = self.actions_of(form)?.filter_map(|action| {
            let (began, finished) = action.began.zip(action.finished)?;
            let item = action_node(action).text("Status", "Completed");
            Some(
                item.date("ExecutedTime", began)
                    .date("FinishedTime", finished),
            )
        });
        let (shown, next) = page(form, items.collect())?;
        Ok(Some(
            node()
                .nodes("ManagedActionHistoryItems", shown)
                .option("NextToken", next),
        ))
    }

    fn actions_of(&self, form: &Form) -> Result<impl Iterator<Item = &ManagedAction>, ApiError> {
        let id = &self.view.environments[self.named(form)?].id;
        let actions = self.quirks.managed_actions.iter();
        Ok(actions.filter(move |action| action.environment_id == *id))
    }

    pub(super) fn list_tags(&self, form: &Form) -> Done {
        let arn = form.require("ResourceArn")?;
        let at = self.by_arn(arn)?;
        let environment = &self.view.environments[at];
        let own = [
            ("elasticbeanstalk:environment-id", &environment.id),
            ("elasticbeanstalk:environment-name", &environment.name),
            ("Name", &environment.name),
        ];
        let own = own
            .into_iter()
            .map(|(k, v)| node().text("Key", k).text("Value", v));
        let user = environment
            .tags
            .iter()
            .map(|(k, v)| node().text("Key", k).text("Value", v));
        Ok(Some(
            node()
                .text("ResourceArn", arn)
                .nodes("ResourceTags", user.chain(own)),
        ))
    }

    pub(super) fn update_tags(&mut self, form: &Form) -> Done {
        let at = self.by_arn(form.require("ResourceArn")?)?;
        let add = user_tags(form, "TagsToAdd")?;
        let remove: Vec<String> = form
            .list("TagsToRemove")
            .into_iter()
            .map(str::to_owned)
            .collect();
        let mut tags = self.view.environments[at].tags.clone();
        tags.retain(|(key, _)| !remove.contains(key) && !add.iter().any(|(k, _)| k == key));
        tags.extend(add);
        check_tag_count(tags.len())?;
        self.view.environments[at].tags = tags;
        Ok(None)
    }

    fn by_arn(&self, arn: &str) -> Result<usize, ApiError> {
        self.view
            .environments
            .iter()
            .position(|e| e.is_alive() && e.arn(&self.region, &self.account) == arn)
            .ok_or_else(|| {
                ApiError::new(
                    "ResourceNotFoundException",
                    format!("Resource not found for arn '{arn}'."),
                )
            })
    }
}

fn action_node(action: &ManagedAction) -> Node {
    node()
        .text("ActionId", &action.id)
        .text("ActionType", "PlatformUpdate")
        .text("ActionDescription", "Managed platform update")
}

pub(super) fn tier_node(tier: Tier) -> Node {
    match tier {
        Tier::WebServer => node()
            .text("Name", "WebServer")
            .text("Type", "Standard")
            .text("Version", "1.0"),
        Tier::Worker => node()
            .text("Name", "Worker")
            .text("Type", "SQS/HTTP")
            .text("Version", "2.3.1"),
        Tier::Cluster => node().text("Name", "Cluster").text("Type", "EKS"),
    }
}
