//! The course of a deploy: how long it takes and the events in it.

use crate::time::{Millis, part};
use crate::world::World;
use crate::world::environment::{Busy, Environment};

/// The namespace of how versions are deployed.
const COMMAND: &str = "aws:elasticbeanstalk:command";

impl World {
    /// How long an update takes, in milliseconds, that deploys this version, or none.
    pub(crate) fn update_lasts(&mut self, deployed: Option<&str>) -> Millis {
        let scripted = deployed.and_then(|label| self.quirks.slow_deploys.get(label));
        match scripted {
            Some((seconds, _)) => seconds.saturating_mul(1000),
            None => self.jittered(self.timings.deploy_seconds),
        }
    }

    /// Plans the events of an update that has just begun and takes this long: the first ones soon,
    /// those of a deploy evenly spread over its time, and the last but one shortly before its end.
    pub(crate) fn plan_update_events(&mut self, at: usize, lasts: Millis) {
        let second = self.second_event(lasts);
        let environment = &self.view.environments[at];
        let deploys = matches!(environment.busy, Some(Busy::Deploy { .. }));
        if environment.deployed.is_some() || !deploys {
            let text = format!(
                "Updating environment {}'s configuration settings.",
                environment.name
            );
            self.plan_event(at, second, "INFO", text);
        }
        if deploys {
            let text = "Deploying new version to instance(s).";
            self.plan_event(at, second, "INFO", text.to_owned());
            self.plan_deploy_events(at, second, lasts);
        }
        self.plan_near_end(at, lasts);
    }

    /// Plans the events of a deploy, evenly spread over its time from `second` on.
    fn plan_deploy_events(&mut self, at: usize, second: Millis, lasts: Millis) {
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
        let additional = self.quirks.updates_say.get(&label);
        said.extend(additional.cloned().unwrap_or_default());
        let many = said.len() as u64;
        for (nth, (severity, message)) in (1..).zip(said) {
            let after = second + part(lasts - second, nth, many + 1);
            self.plan_event(at, after, &severity, message);
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
        let until = self.now.saturating_add(seconds.saturating_mul(1000));
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
        _ => {
            let instances = scripted.unwrap_or(instances.len());
            vec!["Instance deployment completed successfully.".to_owned(); instances]
        }
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
