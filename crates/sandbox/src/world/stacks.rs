//! The stacks behind the environments.

use crate::world::World;
use crate::world::environment::Environment;

impl World {
    pub(crate) fn stack_id(&self, environment: &Environment) -> String {
        format!(
            "arn:aws:cloudformation:{}:{}:stack/{}/{:08x}-0000-4000-a000-000000000000",
            self.region,
            self.account,
            stack_name(environment),
            environment.created & 0xffff_ffff,
        )
    }

    /// Protects the stack behind a living environment against termination.
    pub(crate) fn protect(&mut self, environment: &str) {
        if let Some(id) = self.environment(environment).map(|e| e.id.clone()) {
            self.services.protected.insert(id);
        }
    }

    /// Whether the stack behind an environment is protected against termination.
    pub(crate) fn is_protected(&self, environment_id: &str) -> bool {
        self.services.protected.contains(environment_id)
    }

    /// The event of a termination that a stack's protection has stopped. The second half is
    /// CloudFormation's answer to DeleteStack; no public source has the first.
    pub(crate) fn protection_event(environment: &Environment) -> String {
        format!(
            "Stack deletion failed: Stack [{}] cannot be deleted while TerminationProtection is enabled",
            stack_name(environment)
        )
    }
}

pub(crate) fn stack_name(environment: &Environment) -> String {
    format!("awseb-{}-stack", environment.id)
}
