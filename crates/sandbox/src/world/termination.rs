//! How a termination ends.

use crate::world::World;
use crate::world::environment::Status;

impl World {
    pub(crate) fn end_terminate(&mut self, at: usize) {
        let application = self.view.environments[at].application.clone();
        if self.cannot_terminate(at) {
            self.keep_application(&application);
            return;
        }
        self.unbalance(&self.view.environments[at].id.clone());
        let environment = &mut self.view.environments[at];
        environment.status = Status::Terminated;
        environment.set_health("Grey", "Info");
        environment.instances.clear();
        self.say_of(at, "INFO", "terminateEnvironment completed successfully.");
        self.delete_if_empty(&application);
    }

    /// Ends a termination that something holds up; false where nothing does.
    fn cannot_terminate(&mut self, at: usize) -> bool {
        if self.termination_goes_wrong(at) {
            return true;
        }
        if self.is_protected(&self.view.environments[at].id) {
            self.ready_again(at);
            let event = World::protection_event(&self.view.environments[at]);
            self.say_of(at, "ERROR", &event);
            return true;
        }
        if self.is_forwarded_to(&self.view.environments[at]) {
            self.ready_again(at);
            self.say_of(at, "ERROR", "Stack deletion failed: The following resource(s) failed to delete: [AWSEBV2LoadBalancerTargetGroup].");
            return true;
        }
        if let Some(group) = self.group_in_use(&self.view.environments[at]) {
            self.ready_again(at);
            self.say_of(at, "ERROR", &format!("Deleting security group named: {group} failed Reason: resource {group} has a dependent object"));
            self.say_of(at, "ERROR", "Stack deletion failed: The following resource(s) failed to delete: [AWSEBSecurityGroup].");
            return true;
        }
        false
    }

    /// Ends a termination that goes wrong; false where nothing is wrong with it. No public source
    /// settles the status afterwards: Ready and Grey, as most reports have it
    /// (aws/elastic-beanstalk-roadmap#229), or Terminating for good.
    pub(crate) fn termination_goes_wrong(&mut self, at: usize) -> bool {
        let (id, name) = {
            let environment = &self.view.environments[at];
            (environment.id.clone(), environment.name.clone())
        };
        let take = |names: &mut Vec<String>| {
            let found = names.iter().position(|n| *n == name);
            found.map(|found| names.remove(found)).is_some()
        };
        let stays_ready = take(&mut self.quirks.stuck_terminations);
        let lingers = !stays_ready && take(&mut self.quirks.lingering_terminations);
        if !stays_ready && !lingers {
            return false;
        }
        let environment = &mut self.view.environments[at];
        environment.set_health("Grey", "Unknown");
        if lingers {
            environment.status = Status::Terminating;
        }
        let group = format!("sg-{}", id.trim_start_matches("e-"));
        let dependent = format!(
            "Deleting security group named: {group} failed Reason: resource {group} has a \
             dependent object (Service: AmazonEC2; Status Code: 400; Error Code: \
             DependencyViolation)"
        );
        self.say_of(at, "ERROR", &dependent);
        let stack = "Stack deletion failed: The following resource(s) failed to delete: [AWSEBSecurityGroup].";
        self.say_of(at, "ERROR", stack);
        true
    }
}
