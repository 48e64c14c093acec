//! The course of an operation: its events, each at a time of its own.
//!
//! The texts are those of the developer guide (`eb create`, `eb setenv`, `eb swap`) and of public
//! event logs.

use crate::time::{Millis, part};
use crate::world::World;
use crate::world::due::Happening;
use crate::world::environment::{Busy, Environment};

/// How long after an operation's beginning its second event comes, in milliseconds: the guide's
/// `eb swap` and public event logs show 1 to 5 seconds.
const SECOND: (Millis, Millis) = (1_000, 5_000);
/// How long before an operation's end its last event but one comes, in milliseconds.
const LAST_BUT_ONE: (Millis, Millis) = (1_000, 2_000);
/// The last event but one of an update that changes settings.
const CONFIGURED: &str = "Successfully deployed new configuration to environment.";

impl World {
    /// Plans an event of the present operation of an environment.
    pub(crate) fn plan_event(&mut self, at: usize, after: Millis, severity: &str, text: String) {
        self.plan_during(at, after, |id, operation| Happening::UpdateSays {
            id,
            operation,
            severity: severity.to_owned(),
            message: text,
        });
    }

    /// When the second event of an operation comes that takes this long.
    pub(crate) fn second_event(&mut self, lasts: Millis) -> Millis {
        self.between(SECOND.0, SECOND.1).min(lasts / 8)
    }

    /// Plans what happens shortly before the present operation of an environment ends.
    pub(crate) fn plan_near_end(&mut self, at: usize, lasts: Millis) {
        let before = self.between(LAST_BUT_ONE.0, LAST_BUT_ONE.1).min(lasts / 8);
        self.plan_during(at, lasts - before, |id, operation| {
            Happening::OperationNearsEnd { id, operation }
        });
    }

    /// Adds the last event but one of an operation that will succeed.
    pub(crate) fn near_end(&mut self, at: usize) {
        let environment = &self.view.environments[at];
        let label = &environment.version_label;
        match &environment.busy {
            Some(Busy::Launch) => {
                if let Some(cname) = environment.cname.clone()
                    && !self.launch_will_fail(at)
                {
                    self.say_of(at, "INFO", &format!("Application available at {cname}."));
                }
            }
            Some(Busy::Deploy { .. }) => {
                let has_other_end = self.quirks.failing_versions.contains(label)
                    || self.quirks.hanging_updates.contains(label)
                    || self.quirks.update_endings.contains_key(label);
                if has_other_end {
                    return;
                }
                let sets = environment.deployed.is_some();
                let deployed = "New application version was deployed to running EC2 instances.";
                self.say_of(at, "INFO", deployed);
                if sets {
                    self.say_of(at, "INFO", CONFIGURED);
                }
            }
            Some(Busy::Configure | Busy::Resize) => self.say_of(at, "INFO", CONFIGURED),
            _ => {}
        }
    }

    /// Begins the launch of an environment, whose first event has this text.
    pub(crate) fn begin_launch(&mut self, at: usize, starts: &str, request_id: &str) {
        let name = self.view.environments[at].name.clone();
        let lasts = self.launch_lasts(&name);
        self.begin(at, Busy::Launch, lasts, request_id);
        self.say_of(at, "INFO", starts);
        self.plan_launch_events(at, lasts);
        self.plan_early_health(at, lasts);
    }

    /// Plans the events of a launch that has just begun and takes this long.
    fn plan_launch_events(&mut self, at: usize, lasts: Millis) {
        let second = self.second_event(lasts);
        let mut texts = vec![format!(
            "Using {} as Amazon S3 storage bucket for environment data.",
            self.storage_bucket()
        )];
        texts.extend(self.created(&self.view.environments[at]));
        texts.push("Waiting for EC2 instances to launch. This may take a few minutes.".to_owned());
        let until = lasts / 2;
        let many = texts.len() as u64;
        for (nth, text) in (0..).zip(texts) {
            let after = second + part(until.saturating_sub(second), nth, many);
            self.plan_event(at, after, "INFO", text);
        }
        self.plan_during(at, until, |id, operation| Happening::HealthPends {
            id,
            operation,
        });
        self.plan_near_end(at, lasts);
    }

    /// Tells the beginning and the end of the launch of an environment that the world begins with.
    pub(crate) fn tell_launch(&mut self, at: usize) {
        self.make_storage();
        let name = self.view.environments[at].name.clone();
        self.say_of(at, "INFO", "createEnvironment is starting.");
        let launched = format!("Successfully launched environment: {name}");
        self.say_of(at, "INFO", &launched);
    }

    /// The events of the resources that a launch makes.
    fn created(&self, environment: &Environment) -> Vec<String> {
        let mut created = Vec::new();
        if let Some(group) = environment.own_group() {
            created.push(format!("Created security group named: {group}"));
        }
        if let Some(address) = environment.address() {
            created.push(format!("Created EIP: {address}"));
        }
        if let Some(arn) = self.balancer_name(environment) {
            let target_group = self.target_group_arn(environment);
            created.push(format!("Created target group named: {target_group}"));
            created.push(format!("Created load balancer named: {arn}"));
        }
        created.push(format!(
            "Created Auto Scaling group named: {}",
            environment.scaling_group()
        ));
        created
    }

    /// Plans the events of a termination that has just begun and takes this long.
    pub(crate) fn plan_termination_events(&mut self, at: usize, lasts: Millis) {
        let waiting = "Waiting for EC2 instances to terminate. This may take a few minutes.";
        let second = self.second_event(lasts);
        self.plan_event(at, second, "INFO", waiting.to_owned());
        let group = self.view.environments[at].scaling_group();
        let deleted = format!("Deleted Auto Scaling group named: {group}");
        self.plan_event(at, part(lasts, 3, 4), "INFO", deleted);
    }
}
