//! The parts of the stack behind an environment, by the names that CloudFormation gives them: the
//! stack's name, the part's logical id, and letters and digits of its own.

use std::collections::BTreeMap;

use crate::world::World;
use crate::world::environment::{Environment, Tier};
use crate::world::stacks::stack_name;

/// What launches the instances of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LaunchedBy {
    Configuration { name: String },
    Template { id: String, name: String },
}

/// A queue of a worker environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Queue {
    /// `WorkerQueue` or `WorkerDeadLetterQueue`.
    pub role: &'static str,
    pub url: String,
}

impl Queue {
    /// Its name, the last part of its URL.
    pub fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or(&self.url)
    }
}

/// A part of a stack.
pub(crate) struct StackPart {
    pub logical_id: &'static str,
    /// The name or id of what the part is.
    pub physical_id: String,
    /// As in `AWS::EC2::SecurityGroup`.
    pub kind: &'static str,
}

impl Environment {
    /// The name of its Auto Scaling group.
    pub(crate) fn scaling_group(&self) -> String {
        self.part("AWSEBAutoScalingGroup")
    }

    /// Whether its settings need a launch template (developer guide, "Auto Scaling launch
    /// templates", lists the options).
    pub(crate) fn needs_launch_template(&self) -> bool {
        let launch = "aws:autoscaling:launchconfiguration";
        self.setting(launch, "DisableIMDSv1") == Some("true")
            || self.setting(launch, "RootVolumeType") == Some("gp3")
            || self.setting("aws:ec2:instances", "EnableSpot") == Some("true")
    }

    /// The name of a part of its stack.
    pub(crate) fn part(&self, logical_id: &str) -> String {
        let own = self.id.trim_start_matches("e-").to_uppercase();
        format!("{}-{logical_id}-{own}", stack_name(self))
    }
}

impl World {
    /// What launches the instances of an environment: a launch template, or in an environment from
    /// before the service made those a launch configuration.
    pub(crate) fn launched_by(&self, environment: &Environment) -> LaunchedBy {
        match self.seeded.contains(&environment.name) && !environment.needs_launch_template() {
            true => LaunchedBy::Configuration {
                name: environment.part("AWSEBAutoScalingLaunchConfiguration"),
            },
            false => LaunchedBy::Template {
                id: format!("lt-0{:016x}", fingerprint(&environment.id)),
                name: environment.part("AWSEBEC2LaunchTemplate"),
            },
        }
    }

    /// The queues of an environment: those that the service makes for a worker, or the one that its
    /// settings name (developer guide, "Elastic Beanstalk worker environments"; `WorkerQueueURL`).
    pub(crate) fn queues_of(&self, environment: &Environment) -> Vec<Queue> {
        if environment.tier != Tier::Worker {
            return Vec::new();
        }
        if let Some(url) = environment.setting("aws:elasticbeanstalk:sqsd", "WorkerQueueURL") {
            return vec![Queue {
                role: "WorkerQueue",
                url: url.to_owned(),
            }];
        }
        let made = [
            ("WorkerQueue", "AWSEBWorkerQueue"),
            ("WorkerDeadLetterQueue", "AWSEBWorkerDeadLetterQueue"),
        ];
        let made = made.into_iter().map(|(role, logical_id)| Queue {
            role,
            url: format!(
                "https://sqs.{}.amazonaws.com/{}/{}",
                self.region,
                self.account,
                environment.part(logical_id)
            ),
        });
        made.collect()
    }

    /// The parts of the stack behind an environment that the sandbox knows.
    pub(crate) fn stack_parts(&self, environment: &Environment) -> Vec<StackPart> {
        let one = |logical_id, physical_id, kind| StackPart {
            logical_id,
            physical_id,
            kind,
        };
        let mut parts = vec![one(
            "AWSEBAutoScalingGroup",
            environment.scaling_group(),
            "AWS::AutoScaling::AutoScalingGroup",
        )];
        parts.push(match self.launched_by(environment) {
            LaunchedBy::Configuration { name } => one(
                "AWSEBAutoScalingLaunchConfiguration",
                name,
                "AWS::AutoScaling::LaunchConfiguration",
            ),
            LaunchedBy::Template { id, .. } => {
                one("AWSEBEC2LaunchTemplate", id, "AWS::EC2::LaunchTemplate")
            }
        });
        parts.extend(self.balancer_part(environment));
        parts.extend(self.group_part(environment));
        let queues = self.queues_of(environment).into_iter();
        parts.extend(queues.map(|queue| {
            let logical_id = match queue.role {
                "WorkerQueue" => "AWSEBWorkerQueue",
                _ => "AWSEBWorkerDeadLetterQueue",
            };
            one(logical_id, queue.url, "AWS::SQS::Queue")
        }));
        parts
    }

    /// The ARN of an environment's Auto Scaling group.
    pub(crate) fn scaling_group_arn(&self, environment: &Environment) -> String {
        format!(
            "arn:aws:autoscaling:{}:{}:autoScalingGroup:*:autoScalingGroupName/{}",
            self.region,
            self.account,
            environment.scaling_group()
        )
    }

    /// The tags that the stack of an environment gives to a part of it.
    pub(crate) fn stack_tags(
        &self,
        environment: &Environment,
        logical_id: &str,
    ) -> BTreeMap<String, String> {
        let own = [
            ("elasticbeanstalk:environment-id", environment.id.clone()),
            (
                "elasticbeanstalk:environment-name",
                environment.name.clone(),
            ),
            ("aws:cloudformation:logical-id", logical_id.to_owned()),
        ];
        let own = own.into_iter().map(|(key, value)| (key.to_owned(), value));
        own.chain(environment.tags.iter().cloned()).collect()
    }

    /// The group of the instances: in a VPC that is named it is known by its id, else by its name
    /// (CloudFormation user guide, `AWS::EC2::SecurityGroup`, "Return values").
    fn group_part(&self, environment: &Environment) -> Option<StackPart> {
        let id = environment.own_group()?;
        let physical_id = match environment.setting("aws:ec2:vpc", "VPCId") {
            Some(_) => id,
            None => environment.own_group_name(),
        };
        Some(StackPart {
            logical_id: "AWSEBSecurityGroup",
            physical_id,
            kind: "AWS::EC2::SecurityGroup",
        })
    }
}

/// The image that the instances of an environment run: the one that its settings name, or that of
/// its platform.
pub(crate) fn image_of(environment: &Environment) -> String {
    let set = environment.setting("aws:autoscaling:launchconfiguration", "ImageId");
    set.map_or_else(
        || format!("ami-0{:016x}", fingerprint(&environment.solution_stack)),
        str::to_owned,
    )
}

/// A number that a text always has (FNV-1a of 64 bits).
pub(crate) fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |number, byte| {
        (number ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
