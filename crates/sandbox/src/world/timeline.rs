//! How operations of environments begin and end.

use crate::time::Millis;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::due::{Arrival, Happening, Late};
use crate::world::environment::{Busy, Environment, Status};
use crate::world::setting::Setting;

impl World {
    /// Lets happen what is due; returns a request that arrives, because the world does not decide
    /// what becomes of it.
    pub(crate) fn happen(&mut self, what: Happening) -> Option<Arrival> {
        match what {
            Happening::OperationEnds { id, operation } => {
                self.while_busy(&id, operation, World::end_operation);
            }
            Happening::OperationNearsEnd { id, operation } => {
                self.while_busy(&id, operation, World::near_end);
            }
            Happening::HealthPends { id, operation } => {
                self.while_busy(&id, operation, World::pend_health);
            }
            Happening::HealthShows { id, operation } => {
                self.while_busy(&id, operation, World::show_operation);
            }
            Happening::HealthSettles { id, operation } => self.settle_health(&id, operation),
            Happening::AilmentEnds { environment } => self.end_ailment(&environment),
            Happening::UpdateSays {
                id,
                operation,
                severity,
                message,
            } => {
                self.while_busy(&id, operation, |world, at| {
                    world.say_of(at, &severity, &message);
                });
            }
            Happening::CnamesMove { a, b, operation } => self.move_cnames(&a, &b, operation),
            Happening::SwapEnds { a, b, operation } => self.complete_swap(&a, &b, operation),
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
            Happening::LogsPulled {
                id,
                kind,
                request_id,
            } => self.end_pulling(&id, &kind, &request_id),
            Happening::RequestArrives { form, asking } => {
                let request = Late::Query(form);
                return Some(Arrival { request, asking });
            }
            Happening::ServiceRequestArrives { request, asking } => {
                let request = Late::Service(request);
                return Some(Arrival { request, asking });
            }
            Happening::ManagedActionBegins { id } => self.begin_managed_action(id),
            Happening::RecordsServed { zone, records } => self.serve_records(&zone, records),
        }
        None
    }

    /// Does something with an environment while this operation keeps it busy.
    fn while_busy(&mut self, id: &str, operation: u64, work: impl FnOnce(&mut World, usize)) {
        let mut environments = self.view.environments.iter();
        let is_busy = |e: &Environment| e.id == id && e.operation == operation && e.busy.is_some();
        if let Some(at) = environments.position(is_busy) {
            work(self, at);
        }
    }

    /// Plans something of an environment's present operation, this many milliseconds from now.
    pub(crate) fn plan_during(
        &mut self,
        at: usize,
        after: Millis,
        what: impl FnOnce(String, u64) -> Happening,
    ) {
        let environment = &self.view.environments[at];
        let what = what(environment.id.clone(), environment.operation);
        self.plan_after(after, what);
    }

    /// Begins an operation of an environment, which ends after `lasts` milliseconds.
    pub(crate) fn begin(&mut self, at: usize, busy: Busy, lasts: Millis, request_id: &str) {
        let operation = self.number();
        let now = self.now;
        let environment = &mut self.view.environments[at];
        environment.status = match busy {
            Busy::Launch => Status::Launching,
            Busy::Deploy { .. }
            | Busy::Configure
            | Busy::Resize
            | Busy::Swap
            | Busy::Tag
            | Busy::Manage { .. } => Status::Updating,
            Busy::Abort { .. } => Status::Aborting,
            Busy::Terminate => Status::Terminating,
        };
        if !matches!(busy, Busy::Swap | Busy::Launch | Busy::Tag) {
            environment.health = "Grey".to_owned();
        }
        environment.busy = Some(busy);
        environment.operation = operation;
        environment.updated = now;
        request_id.clone_into(&mut environment.request_id);
        self.plan_during(at, lasts, |id, operation| Happening::OperationEnds {
            id,
            operation,
        });
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
        let before_update = environment.deployed.take();
        match busy {
            Busy::Launch => self.end_launch(at),
            Busy::Deploy { before } => self.end_deploy(at, before, before_update),
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
            Busy::Tag => self.end_tagging(at),
            // Ends together with its partner, when the CNAMEs move.
            Busy::Swap => {}
            Busy::Abort { before } => {
                self.view.environments[at].version_label = before;
                self.restore_settings(at, before_update);
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
        let name = self.view.environments[at].name.clone();
        self.say_of(
            at,
            "INFO",
            &format!("Successfully launched environment: {name}"),
        );
        if self.view.environments[at].health == "Grey" {
            let lasts = self.jittered(self.timings.warm_seconds);
            let healthy_from = self.now.saturating_add(lasts);
            for instance in &mut self.view.environments[at].instances {
                instance.healthy_from = healthy_from;
            }
            self.pend_health(at);
            self.plan_health(at, lasts);
        }
        self.take_its_time(at);
    }

    /// Puts back the settings from before an update that did not succeed.
    fn restore_settings(&mut self, at: usize, before: Option<Vec<Setting>>) {
        if let Some(before) = before {
            self.view.environments[at].settings = before;
        }
    }

    fn end_deploy(&mut self, at: usize, before: String, settings: Option<Vec<Setting>>) {
        let label = self.view.environments[at].version_label.clone();
        if self.quirks.failing_versions.contains(&label) {
            self.restore_settings(at, settings);
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

    /// Holds a request up, which arrives `seconds` later.
    pub(crate) fn hold_up(&mut self, form: Form, seconds: u64) {
        let asking = self.asking.clone();
        self.plan(seconds, Happening::RequestArrives { form, asking });
    }
}
