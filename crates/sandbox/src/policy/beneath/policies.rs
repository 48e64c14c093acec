//! What a deploy needs by its deployment policy (developer guide, "Deployment policies and
//! settings"; a public event log of an immutable deploy: `Created temporary auto scaling group
//! awseb-e-…-immutable-stack-…`, `Detached new instance(s) from temporary auto scaling group`,
//! `Attached new instance(s) to the permanent auto scaling group`; AWS's policy
//! AWSElasticBeanstalkManagedUpdatesCustomerRolePolicy, whose updates are immutable).

use crate::policy::beneath::launching::Launch;
use crate::policy::beneath::resource::On;
use crate::world::setting::Setting;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeploymentPolicy {
    /// All at once or in batches, on the instances there are.
    InPlace,
    /// In batches, one of them additional.
    AdditionalBatch,
    /// On new instances in a group of their own, which move over.
    Immutable,
    /// On new instances in a group of their own, which get a share of the requests at first.
    TrafficSplitting,
}

impl DeploymentPolicy {
    pub fn of(settings: &[Setting]) -> DeploymentPolicy {
        let named = settings.iter().find(|s| {
            s.namespace == "aws:elasticbeanstalk:command" && s.name == "DeploymentPolicy"
        });
        match named.map(|setting| setting.value.as_str()) {
            Some("RollingWithAdditionalBatch") => DeploymentPolicy::AdditionalBatch,
            Some("Immutable") => DeploymentPolicy::Immutable,
            Some("TrafficSplitting") => DeploymentPolicy::TrafficSplitting,
            _ => DeploymentPolicy::InPlace,
        }
    }

    pub fn deploy(self, launch: Launch) -> Vec<&'static [(&'static str, On)]> {
        match self {
            DeploymentPolicy::InPlace => Vec::new(),
            DeploymentPolicy::AdditionalBatch => vec![BATCHES],
            DeploymentPolicy::Immutable => {
                vec![BATCHES, GROUPS, launch.create(), launch.terminate()]
            }
            DeploymentPolicy::TrafficSplitting => {
                vec![BATCHES, GROUPS, SPLIT, launch.create(), launch.terminate()]
            }
        }
    }
}

/// Instances that come and go.
const BATCHES: &[(&str, On)] = &[
    ("autoscaling:SetDesiredCapacity", On::ScalingGroup),
    (
        "autoscaling:TerminateInstanceInAutoScalingGroup",
        On::ScalingGroup,
    ),
    ("autoscaling:UpdateAutoScalingGroup", On::ScalingGroup),
    ("ec2:RunInstances", On::NewInstance),
];

/// A group that is made for a deploy, and whose instances move over.
const GROUPS: &[(&str, On)] = &[
    ("autoscaling:AttachInstances", On::ScalingGroup),
    ("autoscaling:CreateAutoScalingGroup", On::ScalingGroup),
    ("autoscaling:DeleteAutoScalingGroup", On::ScalingGroup),
    ("autoscaling:DetachInstances", On::ScalingGroup),
    ("autoscaling:PutNotificationConfiguration", On::ScalingGroup),
    ("cloudformation:CreateStack", On::Stack),
    ("cloudformation:DeleteStack", On::Stack),
    ("cloudformation:ListStackResources", On::Stack),
    ("cloudformation:SignalResource", On::Stack),
];

/// A share of the requests of the environment's own load balancer.
const SPLIT: &[(&str, On)] = &[
    ("elasticloadbalancing:CreateRule", On::Listener),
    ("elasticloadbalancing:CreateTargetGroup", On::TargetGroup),
    ("elasticloadbalancing:DeleteRule", On::Rule),
    ("elasticloadbalancing:DeleteTargetGroup", On::TargetGroup),
    ("elasticloadbalancing:ModifyListener", On::Listener),
    ("elasticloadbalancing:ModifyRule", On::Rule),
];
