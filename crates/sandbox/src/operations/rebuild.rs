//! RebuildEnvironment: of a living environment, or of one that was terminated in the last six
//! weeks.

use crate::operations::create::check_environments;
use crate::operations::done::Done;
use crate::operations::update::require_ready;
use crate::query::lookup::{named, require_application};
use crate::query::sizes::instance_count;
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::environment::{Environment, Status};

pub(crate) fn rebuild(world: &mut World, form: &Form, request_id: &str) -> Done {
    let at = match named(world, form) {
        Ok(at) => {
            require_ready(world, at)?;
            world.note_interruption("RebuildEnvironment", at);
            at
        }
        Err(unknown) => {
            let id = form.get("EnvironmentId").ok_or(unknown.clone())?;
            let found = world.terminated(id).cloned().ok_or(unknown)?;
            check_restorable(world, &found)?;
            restore(world, id);
            world.view.environments.len() - 1
        }
    };
    let was_alive = world.view.environments[at].is_alive();
    let label = world.view.environments[at].version_label.clone();
    let count = instance_count(&world.view.environments[at].in_force())?;
    let instances = world.instances(count, &label);
    let environment = &mut world.view.environments[at];
    environment.instances = instances;
    environment.deployment_id = 1;
    world.balance(at);
    world.view.environments[at].set_health("Grey", "Unknown");
    world.begin_launch(at, "rebuildEnvironment is starting.", request_id);
    if was_alive {
        world.view.environments[at].status = Status::Updating;
    }
    Ok(None)
}

/// A terminated environment comes back under its own name and CNAME, with its version (developer
/// guide, "Rebuilding terminated environments"): each of them must be there and free.
fn check_restorable(world: &World, environment: &Environment) -> Result<(), ApiError> {
    let name = &environment.name;
    require_application(world, &environment.application)?;
    if world.environment(name).is_some() {
        return Err(ApiError::invalid(format!(
            "Environment {name} already exists."
        )));
    }
    check_environments(world)?;
    let label = &environment.version_label;
    let is_sample = label == crate::operations::create::SAMPLE;
    if !is_sample && !label.is_empty() && world.version(&environment.application, label).is_none() {
        return Err(ApiError::invalid(format!(
            "No Application Version named '{label}' found."
        )));
    }
    let cname = environment.cname.as_deref();
    match cname.filter(|cname| world.cname_holder(cname).is_some()) {
        None => Ok(()),
        Some(cname) => Err(ApiError::invalid(format!(
            "DNS name ({}) is not available.",
            cname.split('.').next().unwrap_or_default()
        ))),
    }
}

/// Puts a terminated environment behind the living ones.
fn restore(world: &mut World, id: &str) {
    if let Some(environment) = world.take_terminated(id) {
        world.view.environments.push(environment);
    }
}
