//! What an operations role may do in place of whoever asks (API reference,
//! `CreateEnvironment`, `OperationsRole`: "If specified, Elastic Beanstalk uses the operations
//! role for permissions to downstream services during this call and during subsequent calls
//! acting on this environment. To specify an operations role, you must have the `iam:PassRole`
//! permission for the role").

use super::{Need, worded};
use crate::wire::Form;
use crate::world::World;

/// The service that an operations role is passed to.
const SERVICE: &str = "elasticbeanstalk.amazonaws.com";

impl World {
    /// The role whose rights count downstream of a request; none for the caller's own.
    pub(super) fn downstream_role(&self, form: &Form) -> Option<String> {
        if form.operation() == "CreateEnvironment" {
            return form.get("OperationsRole").map(str::to_owned);
        }
        let at = match form.operation() {
            "SwapEnvironmentCNAMEs" => {
                let id = form.get("SourceEnvironmentId");
                self.find(id, form.get("SourceEnvironmentName"))
            }
            _ => self.named(form),
        };
        let at = at.ok()?;
        self.view.environments[at].operations_role.clone()
    }

    /// That the caller passes a role on, where the request names one.
    pub(super) fn passes_role(&self, form: &Form) -> Option<Need> {
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
    pub(super) fn permit_downstream(&self, role: Option<&str>, need: &Need) -> Result<(), String> {
        let Some(role) = role else {
            return self.permit(need);
        };
        let name = role.rsplit('/').next().unwrap_or(role);
        let account = role.split(':').nth(4).unwrap_or_default();
        let session = format!("arn:aws:sts::{account}:assumed-role/{name}/ElasticBeanstalk");
        worded(self.judge(role, need).0, &session, need)
    }
}
