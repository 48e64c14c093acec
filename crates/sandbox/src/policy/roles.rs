//! What an operations role may do in place of the caller (API reference, `CreateEnvironment`,
//! `OperationsRole`: "If specified, Elastic Beanstalk uses the operations role for permissions to
//! downstream services during this call and during subsequent calls acting on this environment. To
//! specify an operations role, you must have the `iam:PassRole` permission for the role").

use crate::query::lookup::{find, named};
use crate::wire::form::Form;
use crate::world::World;
use crate::world::iam::need::Need;
use crate::world::iam::verdict::worded;

/// The service that an operations role is passed to.
const SERVICE: &str = "elasticbeanstalk.amazonaws.com";

/// The role whose rights count downstream of a request; `None` for the caller's own.
pub(crate) fn downstream_role(world: &World, form: &Form) -> Option<String> {
    if form.operation() == "CreateEnvironment" {
        return form.get("OperationsRole").map(str::to_owned);
    }
    let at = match form.operation() {
        "SwapEnvironmentCNAMEs" => {
            let id = form.get("SourceEnvironmentId");
            find(world, id, form.get("SourceEnvironmentName"))
        }
        _ => named(world, form),
    };
    let at = at.ok()?;
    world.view.environments[at].operations_role.clone()
}

/// The need to pass a role on, where the request names one.
pub(crate) fn passes_role(form: &Form) -> Option<Need> {
    let names = matches!(
        form.operation(),
        "CreateEnvironment" | "AssociateEnvironmentOperationsRole"
    );
    let role = form.get("OperationsRole").filter(|_| names)?;
    let need = Need::new("iam:PassRole", role);
    Some(need.key("iam:PassedToService", [SERVICE.to_owned()]))
}

/// Whether an operations role, or without one the caller, may do this. A role that IAM does
/// not know may do everything.
pub(crate) fn permit_downstream(
    world: &World,
    role: Option<&str>,
    need: &Need,
) -> Result<(), String> {
    let Some(role) = role else {
        return world.permit(need);
    };
    let name = role.rsplit('/').next().unwrap_or(role);
    let account = role.split(':').nth(4).unwrap_or_default();
    let session = format!("arn:aws:sts::{account}:assumed-role/{name}/ElasticBeanstalk");
    worded(world.judge(role, need).0, &session, need)
}
