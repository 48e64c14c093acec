//! The operations that change an environment.

use crate::operations::describe::environment_node;
use crate::operations::done::Done;
use crate::query::checks::check_description;
use crate::query::configuration::{both, template_name};
use crate::query::lookup::{find, named, require_application, require_template};
use crate::query::namespaces::check_namespaces;
use crate::query::options::{merge, remove, settings};
use crate::query::platforms::platform;
use crate::query::sizes::check_sizes;
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::environment::{Busy, Status};
use crate::world::setting::Setting;

/// How long it takes until a stack's protection has stopped a termination.
const PROTECTED_SECONDS: u64 = 10;

pub(crate) fn update_environment(world: &mut World, form: &Form, request_id: &str) -> Done {
    if let Some(application) = form.get("ApplicationName") {
        require_application(world, application)?;
    }
    let at = named(world, form)?;
    check_description(form)?;
    require_ready(world, at)?;
    let application = world.view.environments[at].application.clone();
    let platform = platform(world, form)?;
    let template = template_name(form).map(|name| require_template(world, &application, name));
    let template = template.transpose()?.cloned();
    if platform.is_some() && template.is_some() {
        return Err(both());
    }
    let own = settings(form, "OptionSettings");
    check_namespaces(&own)?;
    let mut options = template
        .map(|template| template.settings)
        .unwrap_or_default();
    merge(&mut options, own);
    let mut merged = world.view.environments[at].settings.clone();
    merge(&mut merged, options.clone());
    remove(&mut merged, form);
    check_sizes(&in_force_with(world, at, &merged))?;
    let is_size = |namespace: &str, name: &str| {
        namespace == "aws:autoscaling:asg" && matches!(name, "MinSize" | "MaxSize")
    };
    let removed = form.members("OptionsToRemove");
    let sizes_alone = platform.is_none()
        && !(options.is_empty() && removed.is_empty())
        && options.iter().all(|o| is_size(&o.namespace, &o.name))
        && removed.iter().all(|o| {
            let field = |name| o.get(name).unwrap_or_default();
            is_size(field("Namespace"), field("OptionName"))
        });
    let label = form.get("VersionLabel").map(str::to_owned);
    let busy = match label {
        Some(label) => {
            let record = world.version(&application, &label).ok_or_else(|| {
                ApiError::invalid(format!("No Application Version named '{label}' found."))
            })?;
            if matches!(record.status.as_str(), "PROCESSING" | "FAILED") {
                return Err(ApiError::invalid(format!(
                    "Application version {label} is in an invalid state: {}.",
                    record.status
                )));
            }
            let environment = &mut world.view.environments[at];
            let before = std::mem::replace(&mut environment.version_label, label);
            environment.deployment_id += 1;
            let number = environment.deployment_id;
            for instance in &mut environment.instances {
                instance.deployment_id = number;
                "In Progress".clone_into(&mut instance.deployment_status);
            }
            Busy::Deploy { before }
        }
        None if sizes_alone => Busy::Resize,
        None => Busy::Configure,
    };
    let environment = &mut world.view.environments[at];
    let deployed = std::mem::replace(&mut environment.settings, merged);
    environment.deployed = Some(deployed).filter(|deployed| *deployed != environment.settings);
    if let Some(platform) = platform {
        world.view.environments[at].solution_stack = platform;
    }
    world.bundle_again(at);
    if let Some(description) = form.get("Description") {
        description.clone_into(&mut world.view.environments[at].description);
    }
    if busy != Busy::Resize {
        world.note_interruption("UpdateEnvironment", at);
    }
    let label = world.view.environments[at].version_label.clone();
    let deploys = matches!(busy, Busy::Deploy { .. });
    let lasts = world.update_lasts(deploys.then_some(label.as_str()));
    world.begin(at, busy, lasts, request_id);
    world.say_of(at, "INFO", "Environment update is starting.");
    world.plan_update_events(at, lasts);
    world.plan_shown_operation(at, lasts);
    Ok(Some(environment_node(world, &world.view.environments[at])))
}

/// The settings that would be in force with these in place of those that an environment was given.
fn in_force_with(world: &World, at: usize, settings: &[Setting]) -> Vec<Setting> {
    let environment = &world.view.environments[at];
    environment.with_settings(settings.to_vec()).in_force()
}

pub(crate) fn abort_update(world: &mut World, form: &Form, request_id: &str) -> Done {
    let at = named(world, form)?;
    let environment = &world.view.environments[at];
    let is_pending = world.quirks.pending_for_good.contains(&environment.name);
    let before = match (&environment.busy, environment.status) {
        // Said of the same environment as that it is pending deployment
        // (aws/aws-elastic-beanstalk-cli-setup#144).
        _ if is_pending => {
            return Err(ApiError::invalid(format!(
                "Environment named {} is in an invalid state for this operation. Must be pending deployment.",
                environment.name
            )));
        }
        (Some(Busy::Deploy { before }), Status::Updating) => before.clone(),
        (Some(Busy::Configure | Busy::Resize), Status::Updating) => {
            environment.version_label.clone()
        }
        _ => {
            return Err(ApiError::invalid(format!(
                "Environment named {} is in an invalid state for this operation. Must be pending deployment.",
                environment.name
            )));
        }
    };
    world.note_interruption("AbortEnvironmentUpdate", at);
    // The update's events go on under its own request.
    let update = environment_request(world, at);
    let lasts = world.jittered(world.timings.abort_seconds);
    world.begin(at, Busy::Abort { before }, lasts, request_id);
    world.view.environments[at].request_id = update;
    world.say_of(at, "WARN", "Environment update is aborting.");
    Ok(None)
}

pub(crate) fn restart(world: &mut World, form: &Form, request_id: &str) -> Done {
    let at = named(world, form)?;
    require_ready(world, at)?;
    world.note_interruption("RestartAppServer", at);
    let lasts = world.jittered(world.timings.settle_seconds);
    world.begin(at, Busy::Configure, lasts, request_id);
    world.plan_shown_operation(at, lasts);
    world.say_of(at, "INFO", "restartAppServer is starting.");
    Ok(None)
}

pub(crate) fn swap(world: &mut World, form: &Form, request_id: &str) -> Done {
    let side = |side: &str| {
        let id = form.get(&format!("{side}EnvironmentId")).map(str::to_owned);
        let name = form
            .get(&format!("{side}EnvironmentName"))
            .map(str::to_owned);
        find(world, id.as_deref(), name.as_deref())
    };
    let (first, second) = (side("Source")?, side("Destination")?);
    if first == second {
        return Err(ApiError::invalid(
            "Source and destination environments must differ.",
        ));
    }
    let (a, b) = (
        &world.view.environments[first],
        &world.view.environments[second],
    );
    if a.application != b.application {
        return Err(ApiError::invalid(
            "The environments must belong to the same application.",
        ));
    }
    if let Some(worker) = [a, b].into_iter().find(|e| e.cname.is_none()) {
        return Err(ApiError::invalid(format!(
            "Environment named {} has no CNAME.",
            worker.name
        )));
    }
    require_ready(world, first)?;
    require_ready(world, second)?;
    world.begin_swap(first, second, request_id);
    Ok(None)
}

pub(crate) fn terminate(world: &mut World, form: &Form, request_id: &str) -> Done {
    let at = named(world, form)?;
    let environment = &world.view.environments[at];
    let name = environment.name.clone();
    let is_pending = world.quirks.pending_for_good.contains(&name);
    // Whether one that is being launched can be terminated no public source settles.
    let is_stoppable = world.quirks.terminates_while_launching;
    // A deletion that failed may leave it Terminating.
    let has_failed = environment.busy.is_none();
    match environment.status {
        _ if is_pending => {
            return Err(ApiError::invalid(format!(
                "Cannot terminate environment named {name}. It is currently pending deployment."
            )));
        }
        Status::Terminating if !has_failed => {}
        Status::Launching if !is_stoppable => {
            return Err(ApiError::invalid(format!(
                "Cannot terminate environment named {name}. It is currently pending deployment."
            )));
        }
        Status::Ready | Status::Terminating | Status::Launching => {
            begin_termination(world, at, "TerminateEnvironment", request_id);
            if let Some(message) = world.quirks.failures_of_others.get(&name).cloned() {
                let mut of_another = world.view.environments[at].clone();
                of_another.request_id = world.request_id();
                world.say(&of_another, "ERROR", message);
            }
        }
        Status::Updating | Status::Aborting | Status::Terminated => {
            return Err(ApiError::invalid(format!(
                "Cannot terminate environment named {name}. It is currently pending deployment."
            )));
        }
    }
    Ok(Some(environment_node(world, &world.view.environments[at])))
}

/// Begins the termination of an environment, for an operation.
pub(crate) fn begin_termination(world: &mut World, at: usize, operation: &str, request_id: &str) {
    world.note_interruption(operation, at);
    let seconds = if world.is_protected(&world.view.environments[at].id) {
        PROTECTED_SECONDS
    } else {
        world.timings.terminate_seconds
    };
    let lasts = world.jittered(seconds);
    world.begin(at, Busy::Terminate, lasts, request_id);
    world.say_of(at, "INFO", "terminateEnvironment is starting.");
    world.plan_termination_events(at, lasts);
}

/// Refuses an operation of an environment that is not Ready.
pub(crate) fn require_ready(world: &World, at: usize) -> Result<(), ApiError> {
    let environment = &world.view.environments[at];
    if environment.status == Status::Ready {
        return Ok(());
    }
    Err(ApiError::invalid(format!(
        "Environment named {} is in an invalid state for this operation. Must be Ready.",
        environment.name
    )))
}

fn environment_request(world: &World, at: usize) -> String {
    world.view.environments[at].request_id.clone()
}
