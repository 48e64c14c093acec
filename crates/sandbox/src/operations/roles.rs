//! Operations roles (API reference, `AssociateEnvironmentOperationsRole` and
//! `DisassociateEnvironmentOperationsRole`): with one, Elastic Beanstalk uses the role's rights
//! downstream and not those of its caller.

use crate::operations::done::Done;
use crate::query::lookup::named;
use crate::wire::form::Form;
use crate::world::World;

pub(crate) fn associate_role(world: &mut World, form: &Form) -> Done {
    form.require("EnvironmentName")?;
    let role = form.require("OperationsRole")?.to_owned();
    let at = named(world, form)?;
    world.view.environments[at].operations_role = Some(role);
    Ok(None)
}

pub(crate) fn disassociate_role(world: &mut World, form: &Form) -> Done {
    form.require("EnvironmentName")?;
    let at = named(world, form)?;
    world.view.environments[at].operations_role = None;
    Ok(None)
}
