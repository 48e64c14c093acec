//! The operations that change an environment.

use super::Done;
use super::create::check_sizes;
use super::levels::remove;
use super::templates::{merge, settings};
use crate::model::{Busy, Environment, Setting, Status};
use crate::wire::{ApiError, Form};
use crate::world::World;

/// How long it takes until a stack's protection has stopped a termination.
const PROTECTED_SECONDS: u64 = 10;

impl World {
    pub(super) fn update_environment(&mut self, form: &Form, request_id: &str) -> Done {
        let at = self.named(form)?;
        self.require_ready(at)?;
        let application = self.view.environments[at].application.clone();
        let options = settings(form, "OptionSettings");
        let mut merged = self.view.environments[at].settings.clone();
        merge(&mut merged, options.clone());
        remove(&mut merged, form);
        check_sizes(&self.in_force_with(at, &merged))?;
        let is_size = |namespace: &str, name: &str| {
            namespace == "aws:autoscaling:asg" && matches!(name, "MinSize" | "MaxSize")
        };
        let removed = form.members("OptionsToRemove");
        let sizes_alone = !(options.is_empty() && removed.is_empty())
            && options.iter().all(|o| is_size(&o.namespace, &o.name))
            && removed.iter().all(|o| {
                let field = |name| o.get(name).unwrap_or_default();
                is_size(field("Namespace"), field("OptionName"))
            });
        let label = form.get("VersionLabel").map(str::to_owned);
        let busy = match label {
            Some(label) => {
                let record = self.version(&application, &label).ok_or_else(|| {
                    ApiError::invalid(format!("No Application Version named '{label}' found."))
                })?;
                if matches!(record.status.as_str(), "PROCESSING" | "FAILED") {
                    return Err(ApiError::invalid(format!(
                        "Application version {label} is in an invalid state: {}.",
                        record.status
                    )));
                }
                let environment = &mut self.view.environments[at];
                let before = std::mem::replace(&mut environment.version_label, label);
                environment.deployment_id += 1;
                let number = environment.deployment_id;
                for instance in &mut environment.instances {
                    instance.deployment_id = number;
                    "In Progress".clone_into(&mut instance.deployment_status);
                }
                Busy::Deploy { before }
            }
            None if sizes_alone => Busy::Resize,
            None => Busy::Configure,
        };
        self.view.environments[at].settings = merged;
        self.bundle_again(at);
        if let Some(description) = form.get("Description") {
            description.clone_into(&mut self.view.environments[at].description);
        }
        if busy != Busy::Resize {
            self.note_interruption("UpdateEnvironment", at);
        }
        let deploys = matches!(busy, Busy::Deploy { .. });
        let seconds = match deploys {
            true => self.deploy_seconds(&self.view.environments[at].version_label),
            false => self.timings.deploy_seconds,
        };
        self.begin(at, busy, seconds, request_id);
        self.say_of(at, "INFO", "Environment update is starting.");
        if deploys {
            self.say_of(at, "INFO", "Deploying new version to instance(s).");
            self.plan_deploy_events(at);
        }
        Ok(Some(self.environment_node(&self.view.environments[at])))
    }

    /// What would be in force with these settings in place of those that an environment was
    /// given.
    fn in_force_with(&self, at: usize, settings: &[Setting]) -> Vec<Setting> {
        let environment = Environment {
            settings: settings.to_vec(),
            ..self.view.environments[at].clone()
        };
        environment.in_force()
    }

    pub(super) fn abort_update(&mut self, form: &Form, request_id: &str) -> Done {
        let at = self.named(form)?;
        let environment = &self.view.environments[at];
        let is_pending = self.quirks.pending_for_good.contains(&environment.name);
        let before = match (&environment.busy, environment.status) {
            // Said of the same environment as that it is pending deployment
            // (aws/aws-elastic-beanstalk-cli-setup#144).
            _ if is_pending => {
                return Err(ApiError::invalid(format!(
                    "Environment named {} is in an invalid state for this operation. Must be pending deployment.",
                    environment.name
                )));
            }
            (Some(Busy::Deploy { before }), Status::Updating) => before.clone(),
            (Some(Busy::Configure | Busy::Resize), Status::Updating) => {
                environment.version_label.clone()
            }
            _ => {
                return Err(ApiError::invalid(format!(
                    "Environment named {} is in an invalid state for this operation. Must be pending deployment.",
                    environment.name
                )));
            }
        };
        self.note_interruption("AbortEnvironmentUpdate", at);
        // The update's events go on under its own request.
        let update = environment_request(self, at);
        self.begin(
            at,
            Busy::Abort { before },
            self.timings.abort_seconds,
            request_id,
        );
        self.view.environments[at].request_id = update;
        self.say_of(at, "WARN", "Environment update is aborting.");
        Ok(None)
    }

    pub(super) fn restart(&mut self, form: &Form, request_id: &str) -> Done {
        let at = self.named(form)?;
        self.require_ready(at)?;
        self.note_interruption("RestartAppServer", at);
        self.begin(at, Busy::Configure, self.timings.settle_seconds, request_id);
        self.say_of(at, "INFO", "restartAppServer is starting.");
        Ok(None)
    }

    pub(super) fn swap(&mut self, form: &Form, request_id: &str) -> Done {
        let side = |side: &str| {
            let id = form.get(&format!("{side}EnvironmentId")).map(str::to_owned);
            let name = form
                .get(&format!("{side}EnvironmentName"))
                .map(str::to_owned);
            self.find(id.as_deref(), name.as_deref())
        };
        let (first, second) = (side("Source")?, side("Destination")?);
        if first == second {
            return Err(ApiError::invalid(
                "Source and destination environments must differ.",
            ));
        }
        let (a, b) = (
            &self.view.environments[first],
            &self.view.environments[second],
        );
        if a.application != b.application {
            return Err(ApiError::invalid(
                "The environments must belong to the same application.",
            ));
        }
        if let Some(worker) = [a, b].into_iter().find(|e| e.cname.is_none()) {
            return Err(ApiError::invalid(format!(
                "Environment named {} has no CNAME.",
                worker.name
            )));
        }
        self.require_ready(first)?;
        self.require_ready(second)?;
        self.begin_swap(first, second, request_id);
        Ok(None)
    }

    pub(super) fn terminate(&mut self, form: &Form, request_id: &str) -> Done {
        let at = self.named(form)?;
        let environment = &self.view.environments[at];
        let name = environment.name.clone();
        let is_pending = self.quirks.pending_for_good.contains(&name);
        // Whether one that is being launched can be terminated no public source settles.
        let is_stoppable = self.quirks.terminates_while_launching;
        // A deletion that failed may leave it Terminating.
        let has_failed = environment.busy.is_none();
        match environment.status {
            _ if is_pending => {
                return Err(ApiError::invalid(format!(
                    "Cannot terminate environment named {name}. It is currently pending deployment."
                )));
            }
            Status::Terminating if !has_failed => {}
            Status::Launching if !is_stoppable => {
                return Err(ApiError::invalid(format!(
                    "Cannot terminate environment named {name}. It is currently pending deployment."
                )));
            }
            Status::Ready | Status::Terminating | Status::Launching => {
                self.note_interruption("TerminateEnvironment", at);
                let seconds = if self.is_protected(&self.view.environments[at].id) {
                    PROTECTED_SECONDS
                } else {
                    self.timings.terminate_seconds
                };
                self.begin(at, Busy::Terminate, seconds, request_id);
                self.say_of(at, "INFO", "terminateEnvironment is starting.");
                if let Some(message) = self.quirks.failures_of_others.get(&name).cloned() {
                    let mut of_another = self.view.environments[at].clone();
                    of_another.request_id = self.request_id();
                    self.say(&of_another, "ERROR", message);
                }
            }
            Status::Updating | Status::Aborting | Status::Terminated => {
                return Err(ApiError::invalid(format!(
                    "Cannot terminate environment named {name}. It is currently pending deployment."
                )));
            }
        }
        Ok(Some(self.environment_node(&self.view.environments[at])))
    }

    fn require_ready(&self, at: usize) -> Result<(), ApiError> {
        let environment = &self.view.environments[at];
        if environment.status == Status::Ready {
            return Ok(());
        }
        Err(ApiError::invalid(format!(
            "Environment named {} is in an invalid state for this operation. Must be Ready.",
            environment.name
        )))
    }
}

fn environment_request(world: &World, at: usize) -> String {
    world.view.environments[at].request_id.clone()
}
