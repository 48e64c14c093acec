//! How operations of environments begin and end.

use crate::faults::{LastingHealth, colour_of};
use crate::model::{Busy, Environment, Instance, Status};
use crate::wire::Form;
use crate::world::{Happening, World};

impl World {
    pub(crate) fn happen(&mut self, what: Happening) {
        match what {
            Happening::OperationEnds { id, operation } => {
                if let Some(at) = self.busy_with(&id, operation) {
                    self.end_operation(at);
                }
            }
            Happening::HealthSettles { id, operation } => self.settle_health(&id, operation),
            Happening::AilmentEnds { environment } => self.end_ailment(&environment),
            Happening::UpdateSays {
                id,
                operation,
                severity,
                message,
            } => {
                if let Some(at) = self.busy_with(&id, operation) {
                    self.say_of(at, &severity, &message);
                }
            }
            Happening::CnamesMove { a, b, operation } => self.move_cnames(&a, &b, operation),
            Happening::VersionProcessed { application, label } => {
                let fails = self.quirks.unprocessable.contains(&label);
                let version = self
                    .view
                    .versions
                    .iter_mut()
                    .find(|v| v.application == application && v.label == label);
                if let Some(version) = version {
                    version.status = if fails { "FAILED" } else { "PROCESSED" }.to_owned();
                }
            }
            Happening::RequestArrives { form, asking } => {
                let now = std::mem::replace(&mut self.asking, asking);
                // Nobody waits for the answer any more.
                let _ = self.perform(&form);
                self.asking = now;
            }
            Happening::ServiceRequestArrives { request, asking } => {
                let now = std::mem::replace(&mut self.asking, asking);
                let _ = self.perform_service(&request);
                self.asking = now;
            }
            Happening::ManagedActionBegins { id } => self.begin_managed_action(id),
            Happening::RecordsServed { zone, records } => self.serve_records(&zone, records),
        }
    }

    fn busy_with(&self, id: &str, operation: u64) -> Option<usize> {
        self.view
            .environments
            .iter()
            .position(|e| e.id == id && e.operation == operation && e.busy.is_some())
    }

    /// Begins an operation of an environment, which ends after `seconds`.
    pub(crate) fn begin(&mut self, at: usize, busy: Busy, seconds: u64, request_id: &str) {
        let operation = self.number();
        let now = self.now;
        let environment = &mut self.view.environments[at];
        environment.status = match busy {
            Busy::Launch => Status::Launching,
            Busy::Deploy { .. }
            | Busy::Configure
            | Busy::Resize
            | Busy::Swap
            | Busy::Manage { .. } => Status::Updating,
            Busy::Abort { .. } => Status::Aborting,
            Busy::Terminate => Status::Terminating,
        };
        if busy != Busy::Swap {
            environment.set_health("Grey", "Info");
        }
        environment.busy = Some(busy);
        environment.operation = operation;
        environment.updated = now;
        request_id.clone_into(&mut environment.request_id);
        let id = environment.id.clone();
        self.plan(seconds, Happening::OperationEnds { id, operation });
    }

    fn end_operation(&mut self, at: usize) {
        if self.update_hangs(at) {
            return;
        }
        let now = self.now;
        let environment = &mut self.view.environments[at];
        environment.updated = now;
        let Some(busy) = environment.busy.take() else {
            return;
        };
        environment.status = Status::Ready;
        match busy {
            Busy::Launch => self.end_launch(at),
            Busy::Deploy { before } => self.end_deploy(at, before),
            Busy::Resize => {
                self.fill_group(at);
                self.ready_again(at);
                self.say_of(at, "INFO", "Environment update completed successfully.");
            }
            Busy::Configure => {
                // Sizes may be among the options.
                self.fill_group(at);
                self.ready_again(at);
                self.say_of(at, "INFO", "Environment update completed successfully.");
            }
            Busy::Manage { action } => {
                self.end_managed_action(&action);
                self.ready_again(at);
                self.say_of(at, "INFO", "Environment update completed successfully.");
            }
            // Ends together with its partner, when the CNAMEs move.
            Busy::Swap => {}
            Busy::Abort { before } => {
                self.view.environments[at].version_label = before;
                self.bundle_again(at);
                self.ready_again(at);
                self.say_of(at, "WARN", "During an aborted deployment, some instances may have deployed the new application version. To ensure all instances are running the same version, re-deploy the appropriate application version.");
                self.say_of(
                    at,
                    "INFO",
                    "The environment was reverted to the previous configuration setting.",
                );
            }
            Busy::Terminate => self.end_terminate(at),
        }
    }

    fn end_launch(&mut self, at: usize) {
        if self.launch_goes_wrong(at) {
            return;
        }
        let environment = &mut self.view.environments[at];
        let name = environment.name.clone();
        environment.set_health("Grey", "Pending");
        let healthy_from = self.now + self.timings.warm_seconds * 1000;
        for instance in &mut self.view.environments[at].instances {
            instance.healthy_from = healthy_from;
        }
        self.say_of(
            at,
            "INFO",
            &format!("Successfully launched environment: {name}"),
        );
        self.plan_health(at, self.timings.warm_seconds);
        self.take_its_time(at);
    }

    fn end_deploy(&mut self, at: usize, before: String) {
        let label = self.view.environments[at].version_label.clone();
        if self.quirks.failing_versions.contains(&label) {
            self.fail_deploy(at, before);
            return;
        }
        self.shrink_where_idle(at);
        // What the version's bundle sets may be another size.
        if !self.view.environments[at].bundled.is_empty() {
            self.fill_group(at);
        }
        self.reach_every_instance(at);
        self.ready_again(at);
        self.take_its_time(at);
        if let Some((severity, message)) = self.quirks.update_endings.get(&label).cloned() {
            self.note_strike("update_ends_with");
            if !message.is_empty() {
                self.say_of(at, &severity, &message);
            }
            return;
        }
        self.say_of(
            at,
            "INFO",
            "New application version was deployed to running EC2 instances.",
        );
        self.say_of(at, "INFO", "Environment update completed successfully.");
    }

    /// The environment comes back Ready and Green on its old label; the first
    /// instance has tried the new version.
    fn fail_deploy(&mut self, at: usize, before: String) {
        let environment = &mut self.view.environments[at];
        environment.version_label = before;
        self.bundle_again(at);
        let environment = &mut self.view.environments[at];
        let deployment_id = environment.deployment_id;
        let mut tried = "i-00000000000000000".to_owned();
        if let Some(first) = environment.instances.first_mut() {
            first.deployment_id = deployment_id;
            "Failed".clone_into(&mut first.deployment_status);
            tried.clone_from(&first.id);
        }
        self.ready_again(at);
        self.say_of(at, "ERROR", &format!("[Instance: {tried}] Command failed on instance. Return code: 1 Output: (TRUNCATED)...engine execution has encountered an error."));
        self.say_of(
            at,
            "INFO",
            "Command execution completed on all instances. Summary: [Successful: 0, Failed: 1].",
        );
        self.say_of(at, "ERROR", &format!("Unsuccessful command execution on instance id(s) '{tried}'. Aborting the operation."));
        self.say_of(at, "ERROR", "Failed to deploy application.");
    }

    fn end_terminate(&mut self, at: usize) {
        if self.termination_goes_wrong(at) {
            return;
        }
        if self.is_protected(&self.view.environments[at].id) {
            self.ready_again(at);
            let event = World::protection_event(&self.view.environments[at]);
            self.say_of(at, "ERROR", &event);
            return;
        }
        if self.is_forwarded_to(&self.view.environments[at]) {
            self.ready_again(at);
            self.say_of(at, "ERROR", "Stack deletion failed: The following resource(s) failed to delete: [AWSEBV2LoadBalancerTargetGroup].");
            return;
        }
        if let Some(group) = self.group_in_use(&self.view.environments[at]) {
            self.ready_again(at);
            self.say_of(at, "ERROR", &format!("Deleting security group named: {group} failed Reason: resource {group} has a dependent object"));
            self.say_of(at, "ERROR", "Stack deletion failed: The following resource(s) failed to delete: [AWSEBSecurityGroup].");
            return;
        }
        self.unbalance(&self.view.environments[at].id.clone());
        let environment = &mut self.view.environments[at];
        environment.status = Status::Terminated;
        environment.set_health("Grey", "Info");
        environment.instances.clear();
        self.say_of(at, "INFO", "terminateEnvironment completed successfully.");
    }

    fn move_cnames(&mut self, a: &str, b: &str, operation: u64) {
        let find = |id: &str| {
            self.view
                .environments
                .iter()
                .position(|e| e.id == id && e.operation == operation)
        };
        let (Some(first), Some(second)) = (find(a), find(b)) else {
            return;
        };
        let fails = self.quirks.failing_swaps > 0;
        if fails {
            self.quirks.failing_swaps -= 1;
        } else {
            self.names_before = [first, second]
                .into_iter()
                .filter_map(|at| {
                    let environment = &self.view.environments[at];
                    Some((environment.cname.clone()?, environment.id.clone()))
                })
                .collect();
            self.names_moved_at = self.now;
            let cname = self.view.environments[first].cname.take();
            let other = std::mem::replace(&mut self.view.environments[second].cname, cname);
            self.view.environments[first].cname = other;
            if !self.quirks.rules_stay {
                let ids = [first, second].map(|at| self.view.environments[at].id.clone());
                self.follow_swap([&ids[0], &ids[1]]);
            }
        }
        let (severity, ended) = match fails {
            // The service's own words for it are not published.
            true => ("ERROR", "Failed to swap"),
            false => ("INFO", "Completed swapping"),
        };
        let names = [first, second].map(|at| self.view.environments[at].name.clone());
        for at in [first, second] {
            let now = self.now;
            let environment = &mut self.view.environments[at];
            environment.busy = None;
            environment.status = Status::Ready;
            environment.updated = now;
            let text = format!(
                "{ended} CNAMEs for environments '{}' and '{}'.",
                names[0], names[1]
            );
            self.say_of(at, severity, &text);
        }
    }

    /// Begins a swap: both are Updating until the CNAMEs move.
    pub(crate) fn begin_swap(&mut self, first: usize, second: usize, request_id: &str) {
        let operation = self.number();
        let names = [first, second].map(|at| self.view.environments[at].name.clone());
        for at in [first, second] {
            let now = self.now;
            let environment = &mut self.view.environments[at];
            environment.status = Status::Updating;
            environment.busy = Some(Busy::Swap);
            environment.operation = operation;
            environment.updated = now;
            request_id.clone_into(&mut environment.request_id);
            self.say_of(at, "INFO", "swapEnvironmentCNAMEs is starting.");
            let text = format!(
                "Swapping CNAMEs for environments '{}' and '{}'.",
                names[0], names[1]
            );
            self.say_of(at, "INFO", &text);
        }
        let [a, b] = [first, second].map(|at| self.view.environments[at].id.clone());
        self.plan(
            self.timings.swap_seconds,
            Happening::CnamesMove { a, b, operation },
        );
    }

    fn ready_again(&mut self, at: usize) {
        self.view.environments[at].set_health("Green", "Info");
        self.plan_health(at, self.timings.settle_seconds);
    }

    fn plan_health(&mut self, at: usize, seconds: u64) {
        let environment = &self.view.environments[at];
        let (id, operation) = (environment.id.clone(), environment.operation);
        self.plan(seconds, Happening::HealthSettles { id, operation });
    }

    fn settle_health(&mut self, id: &str, operation: u64) {
        let answers =
            |world: &World, e: &Environment| world.quirks.answer_of(&e.version_label) < 400;
        let Some(at) = self.view.environments.iter().position(|e| {
            e.id == id && e.operation == operation && e.busy.is_none() && e.is_alive()
        }) else {
            return;
        };
        // Grey turns into a colour even where the version only answers errors:
        // health lags behind, and the modelled clients do not reach idle ones.
        let well = answers(self, &self.view.environments[at])
            || self.view.environments[at].health != "Grey";
        let lasting = self.lasting_health(&self.view.environments[at].name);
        let lasting = lasting.map(|health| health.status.clone());
        if lasting.is_some() {
            self.note_strike("environment_health");
        }
        let environment = &mut self.view.environments[at];
        if let Some(status) = lasting {
            environment.set_health(colour_of(&status), &status);
        } else if well {
            environment.set_health("Green", "Ok");
        } else {
            environment.set_health("Red", "Severe");
        }
    }

    /// The health that an environment has for a while in place of Ok.
    pub(crate) fn lasting_health(&self, name: &str) -> Option<&LastingHealth> {
        let lasting = self.quirks.healths.get(name);
        lasting.filter(|health| self.now < health.until)
    }

    /// An environment's health is so for a while, now or once it is Ready.
    pub(crate) fn ail(&mut self, name: &str, status: &str, seconds: u64, cause: String) {
        let lasting = LastingHealth {
            status: status.to_owned(),
            cause,
            until: self.now + seconds * 1000,
        };
        self.quirks.healths.insert(name.to_owned(), lasting);
        if let Some(environment) = self.environment_mut(name)
            && environment.busy.is_none()
        {
            environment.set_health(colour_of(status), status);
            self.note_strike("environment_health");
        }
        let environment = name.to_owned();
        self.plan(seconds, Happening::AilmentEnds { environment });
        self.changed();
    }

    fn end_ailment(&mut self, name: &str) {
        let now = self.now;
        let Some(ended) = self.quirks.healths.get(name).filter(|h| h.until <= now) else {
            return;
        };
        let status = ended.status.clone();
        if let Some(environment) = self.environment_mut(name)
            && environment.busy.is_none()
            && environment.health_status == status
        {
            environment.set_health("Green", "Ok");
        }
    }

    pub(crate) fn say_of(&mut self, at: usize, severity: &str, message: &str) {
        let environment = self.view.environments[at].clone();
        self.say(&environment, severity, message.to_owned());
    }

    /// Sets how many instances of a living environment run, as automatic scaling does.
    pub fn scale(&mut self, name: &str, count: usize) {
        let found = self.view.environments.iter();
        let Some(at) = found.clone().position(|e| e.is_alive() && e.name == name) else {
            return;
        };
        self.launch_up_to(at, count, 0);
        self.view.environments[at].instances.truncate(count);
        self.changed();
    }

    fn shrink_where_idle(&mut self, at: usize) {
        let environment = &self.view.environments[at];
        let (min, _) = environment.sizes();
        if self.quirks.idle_shrinks && !self.traffic.reaches(environment, self.now) {
            self.view.environments[at].instances.truncate(min);
        }
    }

    /// Launches what the group is to have at least, and ends what it may not have.
    fn fill_group(&mut self, at: usize) {
        let (min, max) = self.view.environments[at].sizes();
        self.launch_up_to(at, min, self.timings.warm_seconds);
        self.view.environments[at].instances.truncate(max);
    }

    fn launch_up_to(&mut self, at: usize, count: usize, warm_seconds: u64) {
        let environment = &self.view.environments[at];
        let missing = count.saturating_sub(environment.instances.len());
        let label = environment.version_label.clone();
        let deployment_id = environment.deployment_id;
        let healthy_from = self.now + warm_seconds * 1000;
        let launched = self.instances(missing, &label);
        let launched = launched.into_iter().map(|instance| Instance {
            deployment_id,
            healthy_from,
            ..instance
        });
        self.view.environments[at].instances.extend(launched);
    }

    /// The instances of a new environment.
    pub(crate) fn instances(&mut self, count: usize, label: &str) -> Vec<Instance> {
        (0..count)
            .map(|_| Instance {
                id: format!("i-{:017x}", self.random()),
                version_label: label.to_owned(),
                deployment_id: 1,
                deployment_status: "Deployed".to_owned(),
                launched: self.now,
                healthy_from: self.now,
            })
            .collect()
    }

    /// Holds a request up: it arrives `seconds` later.
    pub(crate) fn hold_up(&mut self, form: Form, seconds: u64) {
        let asking = self.asking.clone();
        self.plan(seconds, Happening::RequestArrives { form, asking });
    }
}
