//! What Elastic Beanstalk does in other services with the caller's own rights, where an
//! environment has no operations role (API reference, `DisassociateEnvironmentOperationsRole`).
//!
//! AWS publishes no list of it by operation. This one holds what AWS's managed policy
//! AdministratorAccess-AWSElasticBeanstalk grants **and** the stack of a web environment
//! with its kind of load balancer needs to be made, updated and deleted by CloudFormation,
//! (public event logs and IAM guides of people who granted it failure by failure: security group
//! egress, account attributes, listener policies; developer guide, "Launch templates", "Required
//! permissions"), or what people found missing: for a deploy aws/aws-toolkit-azure-devops#124 and
//! jenkinsci/aws-beanstalk-publisher-plugin#47, with a classic load balancer
//! codeship/documentation#230 and #338, in the storage bucket apache/grails-core#16260 and
//! codeship/documentation#338 and #450.

mod balancing;
mod launching;
mod policies;
mod resource;
mod subject;

use crate::policy::beneath::balancing::Balancing;
use crate::policy::beneath::launching::Launch;
use crate::policy::beneath::policies::DeploymentPolicy;
use crate::policy::beneath::resource::On;
use crate::policy::beneath::subject::Subject;
use crate::query::configuration::settings_to_be;
use crate::query::lookup::{find, named};
use crate::wire::form::Form;
use crate::world::World;
use crate::world::iam::need::Need;

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
    ("ec2:AuthorizeSecurityGroupEgress", On::Any),
    ("ec2:AuthorizeSecurityGroupIngress", On::Any),
    ("ec2:CreateSecurityGroup", On::Any),
    ("ec2:CreateTags", On::Any),
    ("ec2:DescribeAccountAttributes", On::Any),
    ("ec2:DescribeAvailabilityZones", On::Any),
    ("ec2:DescribeImages", On::Any),
    ("ec2:DescribeInstanceAttribute", On::Any),
    ("ec2:DescribeInstanceStatus", On::Any),
    ("ec2:DescribeInstances", On::Any),
    ("ec2:DescribeKeyPairs", On::Any),
    ("ec2:DescribeSecurityGroups", On::Any),
    ("ec2:DescribeSubnets", On::Any),
    ("ec2:DescribeVpcs", On::Any),
    ("ec2:RevokeSecurityGroupEgress", On::Any),
    ("ec2:RunInstances", On::NewInstance),
    ("iam:PassRole", On::InstanceRole),
    ("iam:PassRole", On::ServiceRole),
    ("s3:CreateBucket", On::Storage),
    ("s3:GetBucketPolicy", On::Storage),
    ("s3:PutObject", On::Stored),
];

const DEPLOY: &[(&str, On)] = &[
    ("autoscaling:DescribeAutoScalingGroups", On::Any),
    ("autoscaling:DescribeScalingActivities", On::Any),
    ("autoscaling:ResumeProcesses", On::ScalingGroup),
    ("autoscaling:SuspendProcesses", On::ScalingGroup),
    ("cloudformation:DescribeStackResource", On::Stack),
    ("cloudformation:DescribeStackResources", On::Stack),
    ("s3:CreateBucket", On::Storage),
    ("s3:DeleteObject", On::Stored),
    ("s3:GetBucketLocation", On::Storage),
    ("s3:GetObject", On::Stored),
    ("s3:GetObjectAcl", On::Stored),
    ("s3:ListBucket", On::Storage),
    ("s3:PutObject", On::Stored),
    ("s3:PutObjectAcl", On::Stored),
];

/// What an account needs once: roles of the services, and the storage bucket's own policy.
const FIRST_USE: &[(&str, On)] = &[
    ("iam:CreateServiceLinkedRole", On::RoleOfScaling),
    ("iam:CreateServiceLinkedRole", On::RoleOfBalancing),
    ("s3:PutBucketOwnershipControls", On::Storage),
    ("s3:PutBucketPolicy", On::Storage),
];

/// Actions at times.
const SCHEDULED: &[(&str, On)] = &[
    ("autoscaling:DescribeScheduledActions", On::Any),
    (
        "autoscaling:PutScheduledUpdateGroupAction",
        On::ScalingGroup,
    ),
];
const UNSCHEDULED: &[(&str, On)] = &[("autoscaling:DeleteScheduledAction", On::ScalingGroup)];

/// Rules of the environment's own listener.
const RULES: &[(&str, On)] = &[("elasticloadbalancing:CreateRule", On::Listener)];
const NO_RULES: &[(&str, On)] = &[("elasticloadbalancing:DeleteRule", On::Rule)];

/// An update that is given up.
const ABORT: &[(&str, On)] = &[
    ("cloudformation:CancelUpdateStack", On::Stack),
    ("cloudformation:ContinueUpdateRollback", On::Stack),
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
    ("ec2:DeleteSecurityGroup", On::Any),
    ("ec2:RevokeSecurityGroupIngress", On::Any),
    ("ec2:TerminateInstances", On::Instance),
];

/// What a request needs downstream.
pub(crate) fn needs(world: &World, form: &Form) -> Vec<Need> {
    if form.operation() == "SwapEnvironmentCNAMEs" {
        return swapped(world, form);
    }
    let found = named(world, form).ok();
    let existing = found.map(|at| &world.view.environments[at]);
    let application = form.get("ApplicationName").unwrap_or_default();
    let settings = match existing {
        Some(environment) => environment.in_force(),
        None => settings_to_be(world, form, application),
    };
    let subject = Subject {
        world,
        id: existing.map_or("e-new", |environment| environment.id.as_str()),
        balancing: Balancing::of(&settings),
        launch: Launch::of(
            existing.is_some_and(|environment| world.seeded.contains(&environment.name)),
            &settings,
        ),
        settings: &settings,
    };
    let balancing = &subject.balancing;
    match form.operation() {
        "CreateEnvironment" => {
            let mut needs = subject.all(&[CREATE, balancing.create(), subject.launch.create()]);
            if subject.has("aws:autoscaling:scheduledaction") {
                needs.extend(subject.all(&[SCHEDULED]));
            }
            if subject.has("aws:elbv2:listenerrule:") {
                needs.extend(subject.all(&[RULES]));
            }
            if world.quirks.fresh_account {
                needs.extend(subject.all(&[FIRST_USE]));
            }
            needs
        }
        "UpdateEnvironment" => {
            let deploys = form.get("VersionLabel").is_some();
            let changes = ["OptionSettings", "OptionsToRemove"];
            let configures = changes.iter().any(|list| !form.members(list).is_empty());
            let mut needs = Vec::new();
            if deploys {
                needs.extend(subject.all(&[DEPLOY, balancing.deploy()]));
                let policy = DeploymentPolicy::of(subject.settings);
                needs.extend(subject.all(&policy.deploy(subject.launch)));
            }
            if configures {
                let changes = [CONFIGURE, balancing.configure(), subject.launch.change()];
                needs.extend(subject.all(&changes));
            }
            needs
        }
        "AbortEnvironmentUpdate" if existing.is_some() => subject.all(&[ABORT]),
        "TerminateEnvironment" if existing.is_some() => {
            let launch = subject.launch.terminate();
            let mut needs = subject.all(&[TERMINATE, balancing.terminate(), launch]);
            if subject.has("aws:autoscaling:scheduledaction") {
                needs.extend(subject.all(&[UNSCHEDULED]));
            }
            if subject.has("aws:elbv2:listenerrule:") {
                needs.extend(subject.all(&[NO_RULES]));
            }
            needs
        }
        _ => Vec::new(),
    }
}

/// A swap of environments on a shared load balancer changes the rules that the service has made
/// for them. Whether it does that with the caller's rights is not public; here it does, which
/// is the stricter of the two.
fn swapped(world: &World, form: &Form) -> Vec<Need> {
    let named = |id, name| find(world, form.get(id), form.get(name)).ok();
    let both = [
        named("SourceEnvironmentId", "SourceEnvironmentName"),
        named("DestinationEnvironmentId", "DestinationEnvironmentName"),
    ];
    let mut needs = Vec::new();
    for at in both.into_iter().flatten() {
        let environment = &world.view.environments[at];
        let subject = Subject {
            world,
            id: &environment.id,
            balancing: Balancing::of(&environment.settings),
            launch: Launch::of(
                world.seeded.contains(&environment.name),
                &environment.settings,
            ),
            settings: &environment.settings,
        };
        needs.extend(subject.need("elasticloadbalancing:ModifyRule", On::SharedRule));
    }
    needs
}

/// What reading the bundle that a request is about needs.
pub(crate) fn bundle(world: &World, form: &Form) -> Vec<Need> {
    let found = named(world, form).ok();
    let application = match found {
        Some(at) => world.view.environments[at].application.as_str(),
        None => form.get("ApplicationName").unwrap_or_default(),
    };
    let label = form.get("VersionLabel");
    let bundle = match form.operation() {
        "CreateApplicationVersion" => {
            let bucket = form.get("SourceBundle.S3Bucket");
            bucket.zip(form.get("SourceBundle.S3Key"))
        }
        "CreateEnvironment" | "UpdateEnvironment" => {
            let mut versions = world.view.versions.iter();
            let version =
                versions.find(|v| v.application == application && Some(v.label.as_str()) == label);
            version.map(|version| (version.bucket.as_str(), version.key.as_str()))
        }
        _ => None,
    };
    let Some((bucket, key)) = bundle else {
        return Vec::new();
    };
    let object = Need::new("s3:GetObject", format!("arn:aws:s3:::{bucket}/{key}"));
    let key = world.reads_with_key(bucket);
    std::iter::once(object).chain(key).collect()
}
