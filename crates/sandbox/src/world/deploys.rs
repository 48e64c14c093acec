//! The course of a deploy: how long it takes and the events in it.

use crate::world::World;
use crate::world::due::Happening;
use crate::world::environment::{Busy, Environment};

/// The namespace of how versions are deployed.
const COMMAND: &str = "aws:elasticbeanstalk:command";

impl World {
    /// How long a deploy of this version takes, in seconds.
    pub(crate) fn deploy_seconds(&self, label: &str) -> u64 {
        let slow = self.quirks.slow_deploys.get(label);
        slow.map_or(self.timings.deploy_seconds, |(seconds, _)| *seconds)
    }

    /// Plans the events of a deploy that has just begun, evenly spread over its time.
    pub(crate) fn plan_deploy_events(&mut self, at: usize) {
        let environment = &self.view.environments[at];
        let label = environment.version_label.clone();
        let scripted = self.quirks.slow_deploys.get(&label);
        let batches = scripted.map(|(_, batches)| *batches as usize);
        if batches.is_some() {
            self.note_strike("slow_deploy");
        }
        let environment = &self.view.environments[at];
        let mut said: Vec<_> = steps(environment, batches)
            .into_iter()
            .map(|message| ("INFO".to_owned(), message))
            .collect();
        said.extend(
            self.quirks
                .updates_say
                .get(&label)
                .cloned()
                .unwrap_or_default(),
        );
        let (id, operation) = (environment.id.clone(), environment.operation);
        let (seconds, many) = (self.deploy_seconds(&label), said.len() as u64);
        for (nth, (severity, message)) in (1..).zip(said) {
            let what = Happening::UpdateSays {
                id: id.clone(),
                operation,
                severity,
                message,
            };
            self.plan(seconds * nth / (many + 1), what);
        }
    }
}

/// The cause that enhanced health names for an environment whose instances are not in service again
/// (meteor-up/mup-aws-beanstalk#9).
const OUT_OF_SERVICE: &str = "100.0 % of the requests are failing with HTTP 5xx. ELB processes are \
                              not healthy on all instances. ELB health is failing or not available \
                              for all instances.";

impl World {
    /// Gives every instance what the environment was given, but for one that is left out.
    pub(crate) fn reach_every_instance(&mut self, at: usize) {
        let environment = &mut self.view.environments[at];
        let (label, number) = (&environment.version_label, environment.deployment_id);
        let misses = self.quirks.missing_instances.contains(label);
        let several = environment.instances.len() > 1;
        let (missed, reached) = environment
            .instances
            .split_at_mut(usize::from(misses && several));
        for instance in missed {
            instance.deployment_id = number.saturating_sub(1);
            "Failed".clone_into(&mut instance.deployment_status);
        }
        for instance in reached {
            label.clone_into(&mut instance.version_label);
            instance.deployment_id = number;
            "Deployed".clone_into(&mut instance.deployment_status);
        }
    }

    /// Whether the deploy that would end now does not: every instance has the version, and the
    /// environment stays Updating.
    pub(crate) fn update_hangs(&mut self, at: usize) -> bool {
        let environment = &self.view.environments[at];
        let label = &environment.version_label;
        let hangs = matches!(environment.busy, Some(Busy::Deploy { .. }))
            && self.quirks.hanging_updates.contains(label);
        if hangs {
            self.note_strike("update_hangs");
            self.reach_every_instance(at);
        }
        hangs
    }

    /// Ends a deploy or a launch: the version that it has put there may not answer yet.
    pub(crate) fn take_its_time(&mut self, at: usize) {
        let environment = &self.view.environments[at];
        let name = environment.name.clone();
        let slow = self.quirks.slow_to_answer.get(&environment.version_label);
        let lag = self.quirks.balancers_lag.get(&name);
        let lag = lag.filter(|_| environment.deployment_id > 1);
        let (status, seconds) = match (slow, lag) {
            (Some(slow), lag) if lag.is_none_or(|lag| lag < slow) => (502, *slow),
            (_, Some(lag)) => (503, *lag),
            (_, None) => return,
        };
        let until = self.now + seconds * 1000;
        self.view.environments[at].out_of_service = Some((status, until));
        self.ail(&name, "Severe", seconds, OUT_OF_SERVICE.to_owned());
    }
}

/// The events of a deploy by its policy, as event logs of real environments have them. Of traffic
/// splitting no log is public: its texts here are made up, but for those with which every update
/// begins and ends.
fn steps(environment: &Environment, scripted: Option<usize>) -> Vec<String> {
    let instances: Vec<_> = environment
        .instances
        .iter()
        .map(|i| i.id.as_str())
        .collect();
    let policy = environment.setting(COMMAND, "DeploymentPolicy");
    let own = || instances.len().div_ceil(batch_size(environment)).max(1);
    match policy.unwrap_or("AllAtOnce") {
        "Rolling" | "RollingWithAdditionalBatch" => {
            let batches = scripted.unwrap_or_else(own);
            let size = instances.len().div_ceil(batches.max(1)).max(1);
            let of = |n: usize| {
                let of_batch = instances.iter().skip((n - 1) * size).take(size);
                of_batch.copied().collect::<Vec<_>>().join(",")
            };
            let batch = |n| {
                [
                    format!(
                        "Batch {n}: Starting application deployment on instance(s) [{}].",
                        of(n)
                    ),
                    format!(
                        "Batch {n}: De-registering instance(s) from the load balancer and waiting for them to go out of service."
                    ),
                    format!(
                        "Batch {n}: Registering instance(s) with the load balancer and waiting for them to be healthy."
                    ),
                    format!("Batch {n}: Completed application deployment."),
                ]
            };
            (1..=batches).flat_map(batch).collect()
        }
        "Immutable" => immutable(instances.len()),
        "TrafficSplitting" => {
            let mut said = immutable(instances.len());
            said.push("Evaluating the new version on part of the traffic.".to_owned());
            said
        }
        // Each instance says so once it has the version.
        _ => vec!["Instance deployment completed successfully.".to_owned(); scripted.unwrap_or(0)],
    }
}

fn immutable(instances: usize) -> Vec<String> {
    let mut said = vec![
        "Immutable deployment policy enabled. Launching one instance with the new settings to verify health.",
        "Waiting for instance(s) to pass health checks.",
    ];
    if instances > 1 {
        said.push("Test instance passed health checks. Launching remaining new instances.");
        said.push("Successfully launched all instances.");
    }
    said.extend([
        "Detached new instance(s) from temporary auto scaling group.",
        "Attached new instance(s) to the permanent auto scaling group.",
        "Deployment succeeded. Terminating old instances and temporary Auto Scaling group.",
    ]);
    said.into_iter().map(str::to_owned).collect()
}

/// How many instances a batch has (developer guide, "General options for all environments":
/// `BatchSizeType` and `BatchSize`).
fn batch_size(environment: &Environment) -> usize {
    let size = environment.setting(COMMAND, "BatchSize");
    let size: usize = size.and_then(|size| size.parse().ok()).unwrap_or(100);
    let size = match environment.setting(COMMAND, "BatchSizeType") {
        Some("Fixed") => size,
        _ => environment.instances.len() * size / 100,
    };
    size.max(1)
}
