//! The instances of environments as their load balancers see them.

use crate::world::World;
use crate::world::environment::{Busy, Environment, Instance};

/// The state of an instance behind a load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TargetState {
    Healthy,
    /// It is registered, and its health checks are not done.
    Initial,
    /// It is being deregistered.
    Draining,
    /// It answers health checks with this status.
    Answers(u16),
}

impl World {
    /// The state of an instance behind its environment's load balancer. A deployment in batches
    /// takes the instances of a batch out of service (developer guide, "Deployment policies and
    /// settings"); one to all at once leaves them there, and they answer nothing.
    pub(crate) fn target_state(
        &self,
        environment: &Environment,
        instance: &Instance,
    ) -> TargetState {
        let policy = environment.setting("aws:elasticbeanstalk:command", "DeploymentPolicy");
        let in_batches = matches!(policy, Some("Rolling" | "RollingWithAdditionalBatch"));
        let is_deploying = instance.deployment_status == "In Progress";
        match environment.busy {
            Some(Busy::Terminate) => return TargetState::Draining,
            Some(Busy::Launch) => return TargetState::Initial,
            Some(Busy::Deploy { .. } | Busy::Abort { .. }) if in_batches && is_deploying => {
                return TargetState::Draining;
            }
            _ => {}
        }
        if instance.healthy_from > self.now {
            return TargetState::Initial;
        }
        match environment.out_of_service(self.now) {
            // The load balancer has not taken it back.
            Some(503) => return TargetState::Initial,
            Some(status) => return TargetState::Answers(status),
            None => {}
        }
        if !environment.answers() {
            return TargetState::Answers(502);
        }
        match self.quirks.answer_of(&instance.version_label) {
            ..400 => TargetState::Healthy,
            status => TargetState::Answers(status),
        }
    }
}
