//! DescribeEnvironments and DescribeEnvironmentResources.

use std::collections::BTreeSet;

use crate::operations::done::Done;
use crate::policy::visibility::shows;
use crate::query::lookup::named;
use crate::query::moments::moment;
use crate::query::page::page;
use crate::wire::answer::{Node, node};
use crate::wire::form::Form;
use crate::world::World;
use crate::world::archive::LISTED_AFTER_TERMINATION;
use crate::world::environment::{Busy, Environment, Status, Tier};
use crate::world::stack_parts::LaunchedBy;

pub(crate) fn describe_environments(world: &World, form: &Form) -> Done {
    let names: BTreeSet<&str> = form.list("EnvironmentNames").into_iter().collect();
    let ids: BTreeSet<&str> = form.list("EnvironmentIds").into_iter().collect();
    let deleted = form.get("IncludeDeleted") != Some("false");
    let back_to = moment(form, "IncludedDeletedBackTo")?;
    let usual = world.now.saturating_sub(LISTED_AFTER_TERMINATION);
    let deleted_since = back_to.unwrap_or(usual);
    let past = world.past.iter().filter(|_| back_to.is_some());
    let one_of = |wanted: &BTreeSet<&str>, value: &str| wanted.is_empty() || wanted.contains(value);
    let found: Vec<&Environment> = past
        .chain(&world.seen().environments)
        .filter(|e| e.is_alive() || (deleted && e.updated >= deleted_since))
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
            let arn = || e.arn(&world.region, &world.account);
            shows(world, "DescribeEnvironments", &e.application, arn)
        })
        .collect();
    let (shown, next) = page(form, found)?;
    let shown = shown.into_iter().map(|e| environment_node(world, e));
    Ok(Some(
        node()
            .nodes("Environments", shown)
            .option("NextToken", next),
    ))
}

pub(crate) fn environment_node(world: &World, environment: &Environment) -> Node {
    let abortable = environment.status == Status::Updating
        && matches!(
            environment.busy,
            Some(Busy::Deploy { .. } | Busy::Configure)
        );
    let label = Some(&environment.version_label).filter(|label| !label.is_empty());
    node()
        .text("EnvironmentName", &environment.name)
        .absent("Resources")
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
        .option("TemplateName", environment.template.as_ref())
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
            environment.arn(&world.region, &world.account),
        )
        .option("OperationsRole", environment.operations_role.as_ref())
}

pub(crate) fn environment_resources(world: &World, form: &Form) -> Done {
    let environment = &world.view.environments[named(world, form)?];
    let instances = environment
        .instances
        .iter()
        .map(|i| node().text("Id", &i.id));
    let named = |name: String| node().text("Name", name);
    let (configurations, templates) = match world.launched_by(environment) {
        LaunchedBy::Configuration { name } => (Some(named(name)), None),
        LaunchedBy::Template { id, .. } => (None, Some(node().text("Id", id))),
    };
    let balancer = world.balanced_by(environment).name();
    let queues = world.queues_of(environment);
    let queues = queues
        .iter()
        .map(|queue| node().text("Name", queue.role).text("URL", &queue.url));
    let resources = node()
        .text("EnvironmentName", &environment.name)
        .nodes("AutoScalingGroups", [named(environment.scaling_group())])
        .nodes("Instances", instances)
        .nodes("LaunchConfigurations", configurations)
        .nodes("LaunchTemplates", templates)
        .nodes("LoadBalancers", balancer.map(named))
        .nodes("Triggers", [])
        .nodes("Queues", queues);
    Ok(Some(node().node("EnvironmentResources", resources)))
}

pub(crate) fn tier_node(tier: Tier) -> Node {
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
