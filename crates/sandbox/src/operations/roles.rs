//! Operations roles (API reference, `AssociateEnvironmentOperationsRole` and
//! `DisassociateEnvironmentOperationsRole`): with one, Elastic Beanstalk uses the role's rights
//! downstream and not those of whoever asks.

use super::Done;
use crate::wire::Form;
use crate::world::World;

impl World {
    pub(super) fn associate_role(&mut self, form: &Form) -> Done {
        form.require("EnvironmentName")?;
        let role = form.require("OperationsRole")?.to_owned();
        let at = self.named(form)?;
        self.view.environments[at].operations_role = Some(role);
        Ok(None)
    }

    pub(super) fn disassociate_role(&mut self, form: &Form) -> Done {
        form.require("EnvironmentName")?;
        let at = self.named(form)?;
        self.view.environments[at].operations_role = None;
        Ok(None)
    }
}
