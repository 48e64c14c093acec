//! Applications.

use crate::operations::done::Done;
use crate::operations::lifecycle::{lifecycle_node, lifecycle_of};
use crate::operations::tags::user_tags;
use crate::operations::update::begin_termination;
use crate::policy::visibility::shows;
use crate::query::checks::{check_application_name, check_description};
use crate::query::lookup::require_application;
use crate::query::tagged::Tagged;
use crate::wire::answer::{Node, node};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::environment::Status;
use crate::world::lifecycle::Lifecycle;
use crate::world::quota::QuotaOf;
use crate::world::view::Application;

pub(crate) fn create_application(world: &mut World, form: &Form) -> Done {
    let name = form.require("ApplicationName")?.to_owned();
    check_application_name(&name)?;
    check_description(form)?;
    let tags = user_tags(form, "Tags", Tagged::Other)?;
    let lifecycle = lifecycle_of(form, Lifecycle::default())?;
    if world.view.applications.iter().any(|a| a.name == name) {
        return Err(ApiError::invalid(format!(
            "Application {name} already exists."
        )));
    }
    let description = form.get("Description").unwrap_or_default();
    add_application(world, &name, description)?;
    world.change_application(&name, |application| application.lifecycle = lifecycle);
    world.tag("application", &name, tags);
    application_answer(world, &name)
}

/// Adds an application, where the account may have one more.
pub(crate) fn add_application(
    world: &mut World,
    name: &str,
    description: &str,
) -> Result<(), ApiError> {
    check_application_name(name)?;
    if world.view.applications.len() >= world.quota(QuotaOf::Applications) {
        return Err(ApiError::new(
            "TooManyApplicationsException",
            "You have reached the limit of applications.",
        ));
    }
    world.view.applications.push(Application {
        name: name.to_owned(),
        description: description.to_owned(),
        created: world.now,
        updated: 0,
        lifecycle: Lifecycle::default(),
        deleted_by: None,
    });
    Ok(())
}

/// UpdateApplication: a parameter that is left out changes nothing.
pub(crate) fn update_application(world: &mut World, form: &Form) -> Done {
    let name = form.require("ApplicationName")?.to_owned();
    require_application(world, &name)?;
    check_description(form)?;
    let now = world.now;
    if let Some(description) = form.given("Description") {
        world.change_application(&name, |application| {
            description.clone_into(&mut application.description);
            application.updated = now;
        });
    }
    application_answer(world, &name)
}

/// DeleteApplication: its environments must be terminated, or are with `TerminateEnvByForce`; the
/// application goes when the last of them has.
pub(crate) fn delete_application(world: &mut World, form: &Form, request_id: &str) -> Done {
    let name = form.require("ApplicationName")?.to_owned();
    require_application(world, &name)?;
    let own = |world: &World| {
        let all = world.view.environments.iter().enumerate();
        let own = all.filter(|(_, e)| e.is_alive() && e.application == name);
        own.map(|(at, _)| at).collect::<Vec<_>>()
    };
    let running = own(world);
    let by_force = form.get("TerminateEnvByForce") == Some("true");
    if !running.is_empty() && !by_force {
        // The words are those by which eb 2.6 knew the refusal (EB CLI 2, `response_regexes`).
        return Err(ApiError::invalid(format!(
            "Unable to delete application {name} because it is deployed to running environments."
        )));
    }
    let status = |at: &usize| world.view.environments[*at].status;
    let is_busy = |at: &usize| !matches!(status(at), Status::Ready | Status::Terminating);
    if running.iter().any(is_busy) {
        // As of a version (ThoughtWorksStudios/eb_deployer#28).
        return Err(ApiError::new(
            "OperationInProgressFailure",
            format!(
                "Unable to delete application: {name}. An operation is already in progress, \
                 please retry again shortly."
            ),
        ));
    }
    let ready = running.iter().filter(|at| status(at) == Status::Ready);
    let ready: Vec<usize> = ready.copied().collect();
    world.change_application(&name, |application| {
        application.deleted_by = Some(request_id.to_owned());
    });
    for at in ready {
        begin_termination(world, at, "DeleteApplication", request_id);
    }
    world.delete_if_empty(&name);
    Ok(None)
}

pub(crate) fn describe_applications(world: &World, form: &Form) -> Node {
    let wanted = form.list("ApplicationNames");
    let names = world
        .seen()
        .applications
        .iter()
        .map(|a| a.name.as_str())
        .filter(|name| wanted.is_empty() || wanted.contains(name))
        .filter(|name| {
            let arn = || world.beanstalk_arn("application", name);
            shows(world, "DescribeApplications", name, arn)
        });
    node().nodes(
        "Applications",
        names.filter_map(|name| application_node(world, name)),
    )
}

fn application_answer(world: &World, name: &str) -> Done {
    let application = application_node(world, name);
    Ok(application.map(|application| node().node("Application", application)))
}

fn application_node(world: &World, name: &str) -> Option<Node> {
    // What was just made or changed is not in a stale view.
    let views = [world.seen(), &world.view];
    let (view, found) = views.into_iter().find_map(|view| {
        let found = view.applications.iter().find(|a| a.name == name)?;
        Some((view, found))
    })?;
    let versions = view.versions.iter().filter(|v| v.application == name);
    let templates = view.templates.iter().filter(|t| t.application == name);
    Some(
        node()
            .text("ApplicationArn", world.beanstalk_arn("application", name))
            .text("ApplicationName", name)
            .text("Description", &found.description)
            .date("DateCreated", found.created)
            .date("DateUpdated", found.created.max(found.updated))
            .texts("Versions", versions.rev().map(|v| v.label.clone()))
            .texts("ConfigurationTemplates", templates.map(|t| t.name.clone()))
            .node("ResourceLifecycleConfig", lifecycle_node(&found.lifecycle)),
    )
}
