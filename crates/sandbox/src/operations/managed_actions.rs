//! Managed actions.

use crate::operations::done::Done;
use crate::query::lookup::named;
use crate::query::page::page;
use crate::wire::answer::{Node, node};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::environment::Status;
use crate::world::managed_action::ManagedAction;

pub(crate) fn managed_actions(world: &World, form: &Form) -> Done {
    let actions = actions_of(world, form)?;
    let actions = actions.filter(|action| action.finished.is_none());
    let actions = actions.filter(|action| {
        form.get("Status")
            .is_none_or(|status| status == action.status(world.now))
    });
    let told = actions.map(|action| {
        action_node(action)
            .text("Status", action.status(world.now))
            .date("WindowStartTime", action.window_start)
    });
    Ok(Some(node().nodes("ManagedActions", told)))
}

pub(crate) fn managed_action_history(world: &World, form: &Form) -> Done {
    let items = actions_of(world, form)?.filter_map(|action| {
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

/// ApplyEnvironmentManagedAction: a scheduled action begins at once (API reference).
pub(crate) fn apply_action(world: &mut World, form: &Form) -> Done {
    let id = form.require("ActionId")?.to_owned();
    let at = named(world, form)?;
    let found = actions_of(world, form)?.find(|action| action.id == id);
    let Some(action) = found.cloned() else {
        return Err(ApiError::invalid(format!(
            "No managed action found for ActionId = '{id}'."
        )));
    };
    let is_ready = world.view.environments[at].status == Status::Ready;
    if action.began.is_some() || !is_ready {
        return Err(ApiError::new(
            "ManagedActionInvalidStateException",
            "Cannot modify the managed action in its current state.",
        ));
    }
    world.begin_managed_action(id);
    Ok(Some(action_node(&action).text("Status", "Running")))
}

fn actions_of<'a>(
    world: &'a World,
    form: &Form,
) -> Result<impl Iterator<Item = &'a ManagedAction>, ApiError> {
    let id = &world.view.environments[named(world, form)?].id;
    let actions = world.quirks.managed_actions.iter();
    Ok(actions.filter(move |action| action.environment_id == *id))
}

fn action_node(action: &ManagedAction) -> Node {
    node()
        .text("ActionId", &action.id)
        .text("ActionType", "PlatformUpdate")
        .text("ActionDescription", "Managed platform update")
}
