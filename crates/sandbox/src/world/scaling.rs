//! The instances of environments: how many there are.

use crate::world::World;
use crate::world::environment::Instance;

impl World {
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

    pub(crate) fn shrink_where_idle(&mut self, at: usize) {
        let environment = &self.view.environments[at];
        let (min, _) = environment.sizes();
        if self.quirks.idle_shrinks && !self.traffic.reaches(environment, self.now) {
            self.view.environments[at].instances.truncate(min);
        }
    }

    /// Launches the instances that the group must have at least, and ends those that it may not
    /// have.
    pub(crate) fn fill_group(&mut self, at: usize) {
        let (min, max) = self.view.environments[at].sizes();
        self.launch_up_to(at, min, self.timings.warm_seconds);
        self.view.environments[at].instances.truncate(max);
    }

    fn launch_up_to(&mut self, at: usize, count: usize, warm_seconds: u64) {
        let environment = &self.view.environments[at];
        let missing = count.saturating_sub(environment.instances.len());
        let label = environment.version_label.clone();
        let deployment_id = environment.deployment_id;
        let healthy_from = (self.now).saturating_add(warm_seconds.saturating_mul(1000));
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
}
