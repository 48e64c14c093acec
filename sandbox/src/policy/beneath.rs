//! What Elastic Beanstalk does in other services with the caller's own rights, where an
//! environment has no operations role (API reference, `DisassociateEnvironmentOperationsRole`).
//!
//! AWS publishes no list of it by operation. This one holds what AWS's managed policy
//! AdministratorAccess-AWSElasticBeanstalk grants **and** the stack of a load-balanced web
//! environment needs to be made, updated and deleted by CloudFormation, or, for a deploy,
//! what the AWS toolkit for Azure DevOps names as found missing (its issue 124).

use super::Need;
use crate::wire::Form;
use crate::world::World;

/// The resource that an action beneath is asked on; an environment's resources bear its
/// stack's name.
#[derive(Clone, Copy)]
enum On {
    /// The action has no resources, or none that a name could tell.
    Any,
    Stack,
    ScalingGroup,
    Alarm,
    LoadBalancer,
    Listener,
    TargetGroup,
    /// A role that is passed to the instances or to Elastic Beanstalk.
    Role,
    /// An object in the storage bucket of the account and region.
    Stored,
}

const CREATE: &[(&str, On)] = &[
    ("cloudformation:CreateStack", On::Stack),
    ("cloudformation:DescribeStackEvents", On::Stack),
    ("cloudformation:DescribeStackResources", On::Stack),
    ("cloudformation:DescribeStacks", On::Stack),
    ("cloudformation:TagResource", On::Stack),
    ("autoscaling:CreateAutoScalingGroup", On::ScalingGroup),
    ("autoscaling:CreateOrUpdateTags", On::ScalingGroup),
    ("autoscaling:PutScalingPolicy", On::ScalingGroup),
    ("autoscaling:DescribeAutoScalingGroups", On::Any),
    ("autoscaling:DescribePolicies", On::Any),
    ("autoscaling:DescribeScalingActivities", On::Any),
    ("cloudwatch:PutMetricAlarm", On::Alarm),
    ("ec2:AuthorizeSecurityGroupIngress", On::Any),
    ("ec2:CreateLaunchTemplate", On::Any),
    ("ec2:CreateSecurityGroup", On::Any),
    ("ec2:CreateTags", On::Any),
    ("ec2:DescribeImages", On::Any),
    ("ec2:DescribeInstances", On::Any),
    ("ec2:DescribeLaunchTemplates", On::Any),
    ("ec2:DescribeLaunchTemplateVersions", On::Any),
    ("ec2:DescribeSecurityGroups", On::Any),
    ("ec2:DescribeSubnets", On::Any),
    ("ec2:DescribeVpcs", On::Any),
    ("ec2:RunInstances", On::Any),
    ("elasticloadbalancing:AddTags", On::LoadBalancer),
    ("elasticloadbalancing:CreateListener", On::LoadBalancer),
    ("elasticloadbalancing:CreateLoadBalancer", On::LoadBalancer),
    (
        "elasticloadbalancing:ModifyLoadBalancerAttributes",
        On::LoadBalancer,
    ),
    ("elasticloadbalancing:CreateTargetGroup", On::TargetGroup),
    (
        "elasticloadbalancing:ModifyTargetGroupAttributes",
        On::TargetGroup,
    ),
    ("elasticloadbalancing:DescribeListeners", On::Any),
    ("elasticloadbalancing:DescribeLoadBalancers", On::Any),
    ("elasticloadbalancing:DescribeTargetGroups", On::Any),
    ("elasticloadbalancing:DescribeTargetHealth", On::Any),
    ("iam:PassRole", On::Role),
    ("s3:PutObject", On::Stored),
];

const DEPLOY: &[(&str, On)] = &[
    ("autoscaling:DescribeAutoScalingGroups", On::Any),
    ("autoscaling:DescribeScalingActivities", On::Any),
    ("autoscaling:ResumeProcesses", On::ScalingGroup),
    ("autoscaling:SuspendProcesses", On::ScalingGroup),
    ("cloudformation:DescribeStackResource", On::Stack),
    ("cloudformation:DescribeStackResources", On::Stack),
    ("elasticloadbalancing:RegisterTargets", On::TargetGroup),
];

/// A change of option settings is a change of the stack.
const CONFIGURE: &[(&str, On)] = &[
    ("autoscaling:UpdateAutoScalingGroup", On::ScalingGroup),
    ("cloudformation:GetTemplate", On::Stack),
    ("cloudformation:UpdateStack", On::Stack),
];

const TERMINATE: &[(&str, On)] = &[
    ("autoscaling:DeleteAutoScalingGroup", On::ScalingGroup),
    ("autoscaling:DeletePolicy", On::ScalingGroup),
    ("cloudformation:DeleteStack", On::Stack),
    ("cloudwatch:DeleteAlarms", On::Alarm),
    ("ec2:DeleteLaunchTemplate", On::Any),
    ("ec2:DeleteSecurityGroup", On::Any),
    ("ec2:TerminateInstances", On::Any),
    ("elasticloadbalancing:DeleteListener", On::Listener),
    ("elasticloadbalancing:DeleteLoadBalancer", On::LoadBalancer),
    ("elasticloadbalancing:DeleteTargetGroup", On::TargetGroup),
];

/// What a request needs beneath.
pub(super) fn needs(world: &World, form: &Form) -> Vec<Need> {
    let found = world.named(form).ok();
    let existing = found.map(|at| &world.view.environments[at]);
    let id = existing.map_or("e-new", |environment| environment.id.as_str());
    let all = |lists: &[&[(&str, On)]]| {
        let actions = lists.iter().flat_map(|list| list.iter());
        actions
            .map(|(action, on)| need(world, id, action, *on))
            .collect::<Vec<_>>()
    };
    match form.operation() {
        "CreateApplicationVersion" => {
            let bucket = form.get("SourceBundle.S3Bucket");
            let bundle = bucket.zip(form.get("SourceBundle.S3Key"));
            bundle
                .map(|(bucket, key)| read(bucket, key))
                .into_iter()
                .collect()
        }
        "CreateEnvironment" => {
            let application = form.get("ApplicationName").unwrap_or_default();
            let mut needs = all(&[CREATE]);
            needs.extend(bundle_of(world, application, form.get("VersionLabel")));
            needs
        }
        "UpdateEnvironment" => {
            let application = existing.map_or("", |e| e.application.as_str());
            let deploys = form.get("VersionLabel").is_some();
            let configures = !form.members("OptionSettings").is_empty();
            let mut needs = all(&[
                if deploys { DEPLOY } else { &[] },
                if configures { CONFIGURE } else { &[] },
            ]);
            needs.extend(bundle_of(world, application, form.get("VersionLabel")));
            needs
        }
        "TerminateEnvironment" if existing.is_some() => all(&[TERMINATE]),
        _ => Vec::new(),
    }
}

fn bundle_of(world: &World, application: &str, label: Option<&str>) -> Option<Need> {
    let version = world
        .view
        .versions
        .iter()
        .find(|v| v.application == application && Some(v.label.as_str()) == label)?;
    Some(read(&version.bucket, &version.key))
}

fn read(bucket: &str, key: &str) -> Need {
    Need::new("s3:GetObject", format!("arn:aws:s3:::{bucket}/{key}"))
}

fn need(world: &World, id: &str, action: &str, on: On) -> Need {
    let (region, account) = (&world.region, &world.account);
    let stack = format!("awseb-{id}-stack");
    let scope = |service: &str| format!("arn:aws:{service}:{region}:{account}");
    let balancing = scope("elasticloadbalancing");
    let arn = match on {
        On::Any => "*".to_owned(),
        On::Stack => format!("{}:stack/{stack}/1", scope("cloudformation")),
        On::ScalingGroup => format!(
            "{}:autoScalingGroup:1:autoScalingGroupName/{stack}-AWSEBAutoScalingGroup-1",
            scope("autoscaling")
        ),
        On::Alarm => format!(
            "{}:alarm:{stack}-AWSEBCloudwatchAlarmHigh-1",
            scope("cloudwatch")
        ),
        On::LoadBalancer => format!("{balancing}:loadbalancer/app/awseb--AWSEB-1/1"),
        On::Listener => format!("{balancing}:listener/app/awseb--AWSEB-1/1/1"),
        On::TargetGroup => format!("{balancing}:targetgroup/awseb-AWSEB-1/1"),
        On::Role => format!("arn:aws:iam::{account}:role/aws-elasticbeanstalk-ec2-role"),
        On::Stored => format!("arn:aws:s3:::elasticbeanstalk-{region}-{account}/{stack}"),
    };
    let need = Need::new(action, arn);
    match on {
        On::Role => need.key("iam:PassedToService", ["ec2.amazonaws.com".to_owned()]),
        _ => need,
    }
}
