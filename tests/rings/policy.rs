//! The permissions: a release succeeds under docs/iam-policy.json, and no action in it
//! can be missed.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use bluegreen::machine::Kind;
use bluegreen::plan::Bundle;
use bluegreen::preflight::{Check, Wanted};
use bluegreen_sandbox::{BUCKET, Fault, FaultEffect, Policy};
use serde_json::Value;

use crate::following;
use crate::following_rules;
use crate::virtual_world::{Fate, VirtualWorld};

/// The policy as it is shipped, with the seeded world's names in its placeholders.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| document("shop-blue-green"));

fn document(green: &str) -> Value {
    let mut text = include_str!("../../docs/iam-policy.json").to_owned();
    for (placeholder, value) in [
        ("REGION", "us-east-1"),
        ("ACCOUNT", "123456789012"),
        ("APPLICATION", "shop"),
        ("GREEN", green),
        ("BLUE", "shop-blue"),
        ("BUCKET", BUCKET),
        ("HOSTED_ZONE", "*"),
        ("PARAMETERS", "*"),
        ("PRINCIPAL", "arn:aws:iam::123456789012:user/sandbox"),
    ] {
        text = text.replace(placeholder, value);
    }
    serde_json::from_str(&text).expect("the policy is JSON")
}

fn parsed(document: &Value) -> Policy {
    Policy::parse(&document.to_string()).expect("the sandbox can judge by it")
}

/// The shipped policy.
pub fn shipped() -> Policy {
    parsed(&DOCUMENT)
}

/// The shipped policy where green has this name.
pub fn shipped_for(green: &str) -> Policy {
    parsed(&document(green))
}

/// The shipped policy for `--strategy promote`: blue may be terminated too, as
/// docs/permissions.md says.
pub fn promoting() -> Policy {
    let mut document = DOCUMENT.clone();
    let green = statements(&mut document)
        .iter_mut()
        .find(|statement| statement["Sid"] == "MakeAndTerminateGreen")
        .expect("the statement is there");
    let blue = "arn:aws:elasticbeanstalk:us-east-1:123456789012:environment/shop/shop-blue";
    green["Resource"] = serde_json::json!([green["Resource"], blue]);
    parsed(&document)
}

fn statements(document: &mut Value) -> &mut Vec<Value> {
    document["Statement"].as_array_mut().expect("statements")
}

fn actions(statement: &Value) -> Vec<String> {
    match &statement["Action"] {
        Value::Array(actions) => actions
            .iter()
            .map(|action| action.as_str().expect("an action").to_owned())
            .collect(),
        action => vec![action.as_str().expect("an action").to_owned()],
    }
}

/// The shipped policy without one action.
pub fn without(action: &str) -> Policy {
    let mut document = DOCUMENT.clone();
    for statement in statements(&mut document) {
        let left = actions(statement).into_iter().filter(|a| a != action);
        statement["Action"] = left.collect();
    }
    statements(&mut document).retain(|statement| !actions(statement).is_empty());
    parsed(&document)
}

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Try {
    /// A release of a bundle on disk, to its end.
    Release,
    /// The same, of a bundle that the bucket holds already.
    ReleaseOfAnObject,
    /// A bundle that goes up in parts, one of which S3 refuses.
    FailedUpload,
    /// A deploy that takes longer than its patience.
    EndlessDeploy,
    /// A release with the preview hostnames of a parameter.
    PreviewedRelease,
    /// A release behind a shared load balancer, with rules that follow.
    SharedRelease,
    /// A release that an alarm watches.
    WatchedRelease,
    /// A release of an environment with basic health.
    BasicRelease,
    /// The checks before a release alone.
    Checks,
}

/// Where each action of today's program is missed, and what is said then.
#[rustfmt::skip]
const MISSED: &[(&str, Try, &str)] = &[
    ("elasticbeanstalk:DescribeEnvironments",        Try::Release, "there is no environment shop-blue"),
    ("elasticbeanstalk:DescribeApplications",        Try::Release, "RolledBack"),
    ("elasticbeanstalk:DescribeApplicationVersions", Try::Release, "RolledBack"),
    ("elasticbeanstalk:ListTagsForResource",         Try::Release, "ListTagsForResource"),
    ("elasticbeanstalk:DescribeEvents",              Try::Release, "DescribeEvents"),
    ("elasticbeanstalk:DescribeInstancesHealth",     Try::Release, "DescribeInstancesHealth"),
    ("elasticbeanstalk:CreateApplicationVersion",    Try::Release, "CreateApplicationVersion"),
    ("elasticbeanstalk:CreateConfigurationTemplate", Try::Release, "CreateConfigurationTemplate"),
    ("elasticbeanstalk:DeleteConfigurationTemplate", Try::Release, "DeleteConfigurationTemplate"),
    ("elasticbeanstalk:CreateEnvironment",           Try::Release, "CreateEnvironment"),
    ("elasticbeanstalk:TerminateEnvironment",        Try::Release, "TerminateEnvironment"),
    ("elasticbeanstalk:SwapEnvironmentCNAMEs",       Try::Release, "SwapEnvironmentCNAMEs"),
    ("elasticbeanstalk:UpdateEnvironment",           Try::Release, "UpdateEnvironment"),
    ("elasticbeanstalk:AbortEnvironmentUpdate",      Try::EndlessDeploy, "AbortEnvironmentUpdate"),
    ("s3:GetObject",                                 Try::ReleaseOfAnObject, "HeadObject"),
    ("s3:ListBucket",                                Try::Release, "HeadBucket"),
    ("s3:PutObject",                                 Try::Release, "PutObject"),
    ("s3:AbortMultipartUpload",                      Try::FailedUpload, "left in parts"),
    // What Elastic Beanstalk does beneath with the caller's rights.
    ("autoscaling:CreateAutoScalingGroup",           Try::Release, "CreateAutoScalingGroup"),
    ("autoscaling:CreateOrUpdateTags",               Try::Release, "CreateOrUpdateTags"),
    ("autoscaling:DeleteAutoScalingGroup",           Try::Release, "DeleteAutoScalingGroup"),
    ("autoscaling:DeletePolicy",                     Try::Release, "DeletePolicy"),
    ("autoscaling:DescribeAutoScalingGroups",        Try::Release, "DescribeAutoScalingGroups"),
    ("autoscaling:DescribePolicies",                 Try::Release, "DescribePolicies"),
    ("autoscaling:DescribeScalingActivities",        Try::Release, "DescribeScalingActivities"),
    ("autoscaling:PutScalingPolicy",                 Try::Release, "PutScalingPolicy"),
    ("autoscaling:ResumeProcesses",                  Try::Release, "ResumeProcesses"),
    ("autoscaling:SuspendProcesses",                 Try::Release, "SuspendProcesses"),
    ("cloudformation:CreateStack",                   Try::Release, "CreateStack"),
    ("cloudformation:DeleteStack",                   Try::Release, "DeleteStack"),
    ("cloudformation:DescribeStackEvents",           Try::Release, "DescribeStackEvents"),
    ("cloudformation:DescribeStackResource",         Try::Release, "DescribeStackResource"),
    ("cloudformation:DescribeStackResources",        Try::Release, "DescribeStackResources"),
    ("cloudformation:DescribeStacks",                Try::Release, "DescribeStacks"),
    ("cloudformation:TagResource",                   Try::Release, "TagResource"),
    ("cloudwatch:DeleteAlarms",                      Try::Release, "DeleteAlarms"),
    ("cloudwatch:PutMetricAlarm",                    Try::Release, "PutMetricAlarm"),
    ("ec2:AuthorizeSecurityGroupIngress",            Try::Release, "AuthorizeSecurityGroupIngress"),
    ("ec2:CreateLaunchTemplate",                     Try::Release, "CreateLaunchTemplate"),
    ("ec2:CreateSecurityGroup",                      Try::Release, "CreateSecurityGroup"),
    ("ec2:CreateTags",                               Try::Release, "CreateTags"),
    ("ec2:DeleteLaunchTemplate",                     Try::Release, "DeleteLaunchTemplate"),
    ("ec2:DeleteSecurityGroup",                      Try::Release, "DeleteSecurityGroup"),
    ("ec2:DescribeImages",                           Try::Release, "DescribeImages"),
    ("ec2:DescribeInstances",                        Try::Release, "DescribeInstances"),
    ("ec2:DescribeLaunchTemplateVersions",           Try::Release, "DescribeLaunchTemplateVersions"),
    ("ec2:DescribeLaunchTemplates",                  Try::Release, "DescribeLaunchTemplates"),
    ("ec2:DescribeSecurityGroups",                   Try::Release, "DescribeSecurityGroups"),
    ("ec2:DescribeSubnets",                          Try::Release, "DescribeSubnets"),
    ("ec2:DescribeVpcs",                             Try::Release, "DescribeVpcs"),
    ("ec2:RunInstances",                             Try::Release, "RunInstances"),
    ("ec2:TerminateInstances",                       Try::Release, "TerminateInstances"),
    ("elasticloadbalancing:AddTags",                 Try::Release, "AddTags"),
    ("elasticloadbalancing:CreateListener",          Try::Release, "CreateListener"),
    ("elasticloadbalancing:CreateLoadBalancer",      Try::Release, "CreateLoadBalancer"),
    ("elasticloadbalancing:CreateTargetGroup",       Try::Release, "CreateTargetGroup"),
    ("elasticloadbalancing:DeleteListener",          Try::Release, "DeleteListener"),
    ("elasticloadbalancing:DeleteLoadBalancer",      Try::Release, "DeleteLoadBalancer"),
    ("elasticloadbalancing:DeleteTargetGroup",       Try::Release, "DeleteTargetGroup"),
    ("elasticloadbalancing:DescribeListeners",       Try::Release, "DescribeListeners"),
    ("elasticloadbalancing:DescribeLoadBalancers",   Try::Release, "DescribeLoadBalancers"),
    ("elasticloadbalancing:DescribeTargetGroups",    Try::Release, "DescribeTargetGroups"),
    ("elasticloadbalancing:DescribeTargetHealth",    Try::Release, "DescribeTargetHealth"),
    ("elasticloadbalancing:ModifyLoadBalancerAttributes", Try::Release, "ModifyLoadBalancerAttributes"),
    ("elasticloadbalancing:ModifyTargetGroupAttributes", Try::Release, "ModifyTargetGroupAttributes"),
    ("elasticloadbalancing:RegisterTargets",         Try::Release, "RegisterTargets"),
    ("autoscaling:UpdateAutoScalingGroup",           Try::Release, "UpdateAutoScalingGroup"),
    ("cloudformation:GetTemplate",                   Try::Release, "GetTemplate"),
    ("cloudformation:UpdateStack",                   Try::Release, "UpdateStack"),
    ("elasticbeanstalk:DescribeConfigurationSettings",Try::Release, "DescribeConfigurationSettings"),
    ("elasticbeanstalk:DescribeEnvironmentHealth",   Try::Release, "DescribeEnvironmentHealth"),
    ("iam:PassRole",                                 Try::Release, "PassRole"),
    // What follows the environments.
    ("route53:ChangeResourceRecordSets",             Try::PreviewedRelease, "never led to"),
    ("route53:GetHostedZone",                        Try::PreviewedRelease, "GetHostedZone"),
    ("route53:ListResourceRecordSets",               Try::PreviewedRelease, "ListResourceRecordSets"),
    ("ssm:GetParameter",                             Try::PreviewedRelease, "GetParameter"),
    ("elasticloadbalancing:DescribeRules",           Try::SharedRelease, "DescribeRules"),
    ("elasticloadbalancing:DescribeTags",            Try::SharedRelease, "DescribeTags"),
    ("elasticloadbalancing:ModifyRule",              Try::SharedRelease, "ModifyRule"),
    ("cloudwatch:DescribeAlarms",                    Try::WatchedRelease, "DescribeAlarms"),
    ("elasticbeanstalk:DescribeEnvironmentResources",Try::BasicRelease, "DescribeEnvironmentResources"),
    // What is checked beforehand: without it a check is left unknown.
    ("elasticbeanstalk:CheckDNSAvailability",        Try::Checks, "green-cname: CheckDNSAvailability"),
    ("elasticbeanstalk:DescribeAccountAttributes",   Try::Checks, "quotas: DescribeAccountAttributes"),
    ("elasticbeanstalk:DescribeEnvironmentManagedActions", Try::Checks, "managed-update: DescribeEnvironmentManagedActions"),
    ("elasticbeanstalk:DescribePlatformVersion",     Try::Checks, "platform-branch: DescribePlatformVersion"),
    ("iam:SimulatePrincipalPolicy",                  Try::Checks, "permissions: SimulatePrincipalPolicy"),
    ("route53:ListHostedZones",                      Try::Checks, "dns-records: ListHostedZones"),
];

impl Try {
    /// Nothing where it went as it should, else everything that was said.
    async fn under(self, policy: Policy) -> Result<(), String> {
        let mut world = match self {
            Try::SharedRelease => following_rules::world().await,
            _ => VirtualWorld::new().await,
        };
        if self == Try::PreviewedRelease {
            world.config.preview = following::asked();
        }
        if self == Try::WatchedRelease {
            world
                .sandbox
                .with_world(|world, _| world.set_alarm("errors", "OK"));
            world.config.alarms = vec!["errors".to_owned()];
        }
        if self == Try::BasicRelease {
            world.basic_health();
        }
        world.sandbox.set_policy(Some(policy));
        if self == Try::Checks {
            return match world.unknown_checks().await {
                unknown if unknown.is_empty() => Ok(()),
                unknown => Err(unknown.join("\n")),
            };
        }
        let file = world.folder.path().join("app.zip");
        let bytes = match self {
            Try::FailedUpload => 20 * 1024 * 1024,
            Try::Release
            | Try::ReleaseOfAnObject
            | Try::EndlessDeploy
            | Try::PreviewedRelease
            | Try::SharedRelease
            | Try::WatchedRelease
            | Try::BasicRelease
            | Try::Checks => 1000,
        };
        std::fs::write(&file, vec![7; bytes]).expect("the bundle is written");
        let bundle = match self {
            Try::ReleaseOfAnObject => Bundle {
                key: "shop/v2.zip".to_owned(),
                file: None,
            },
            Try::Release
            | Try::FailedUpload
            | Try::EndlessDeploy
            | Try::PreviewedRelease
            | Try::SharedRelease
            | Try::WatchedRelease
            | Try::BasicRelease
            | Try::Checks => Bundle {
                key: "bluegreen/bundles/shop/app.zip".to_owned(),
                file: Some(bluegreen::bundle::read(&file).expect("the bundle reads")),
            },
        };
        match self {
            Try::FailedUpload => world.inject(Fault {
                operation: Some("UploadPart".to_owned()),
                ..Fault::from(FaultEffect::Refuse {
                    status: 400,
                    code: "InvalidPart".to_owned(),
                    message: "One or more of the specified parts could not be found.".to_owned(),
                })
            }),
            Try::EndlessDeploy => world
                .sandbox
                .with_world(|world, _| world.timings.deploy_seconds = 4 * 3600),
            Try::Release
            | Try::ReleaseOfAnObject
            | Try::PreviewedRelease
            | Try::SharedRelease
            | Try::WatchedRelease
            | Try::BasicRelease
            | Try::Checks => {}
        }
        let changed = Arc::<AtomicBool>::default();
        let (seen, sandbox) = (changed.clone(), world.sandbox.clone());
        world.on_call(move |_, _| {
            let differs = !sandbox.report().leftovers.records.is_empty();
            seen.fetch_or(differs, Ordering::SeqCst);
            Fate::Life
        });
        let wanted = Wanted {
            label: Some("v7".to_owned()),
            bundle: Some(bundle),
            // It would be told before anything breaks.
            allow: vec![Check::Permissions],
            ..Wanted::default()
        };
        let begun = world.begin(wanted).await;
        let mut deployment = begun.map_err(|refused| refused.to_string())?;
        let driven = world.drive(&mut deployment).await.expect("nobody kills it");
        driven.map_err(|error| error.to_string())?;
        let end = match self {
            Try::Release
            | Try::ReleaseOfAnObject
            | Try::PreviewedRelease
            | Try::SharedRelease
            | Try::WatchedRelease
            | Try::BasicRelease
            | Try::Checks => Kind::Completed,
            Try::FailedUpload => Kind::RolledBack,
            Try::EndlessDeploy => Kind::Held,
        };
        if deployment.state.kind() != end {
            return Err(format!("{:?}", deployment.state));
        }
        if self == Try::PreviewedRelease && !changed.load(Ordering::SeqCst) {
            return Err("preview hostnames never led to blue".to_owned());
        }
        match world.sandbox.report().leftovers.unfinished_uploads {
            left if left.is_empty() => Ok(()),
            left => Err(format!("left in parts: {left:?}")),
        }
    }
}

/// IAM user guide, "IAM and AWS STS quotas": whitespace does not count.
#[test]
fn it_fits_into_a_role_and_in_two_into_managed_policies() {
    let size = |policy: &serde_json::Value| policy.to_string().replace(' ', "").len();
    let mut whole: serde_json::Value =
        serde_json::from_str(include_str!("../../docs/iam-policy.json")).expect("JSON");
    // Names are longer than their placeholders.
    let (inline, managed, names) = (10_240, 6_144, 1_000);
    assert!(size(&whole) + names <= inline, "{}", size(&whole));
    let statements = whole["Statement"].as_array_mut().expect("statements");
    let of = |s: &serde_json::Value| s["Sid"].as_str().is_some_and(|s| s.starts_with("Beneath"));
    let (beneath, others): (Vec<_>, Vec<_>) = statements.drain(..).partition(of);
    for half in [beneath, others] {
        let half = serde_json::json!({ "Version": "2012-10-17", "Statement": half });
        assert!(size(&half) + names <= managed, "{}", size(&half));
    }
}

#[tokio::test(start_paused = true)]
async fn everything_goes_under_the_shipped_policy() {
    for attempt in [
        Try::Release,
        Try::ReleaseOfAnObject,
        Try::FailedUpload,
        Try::EndlessDeploy,
        Try::PreviewedRelease,
        Try::SharedRelease,
        Try::WatchedRelease,
        Try::BasicRelease,
        Try::Checks,
    ] {
        let done = attempt.under(shipped()).await;
        assert_eq!(done, Ok(()), "{attempt:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_action_can_be_missed() {
    for (action, attempt, words) in MISSED {
        let done = attempt.under(without(action)).await;
        let told = done.expect_err(&format!("{attempt:?} needs {action}"));
        assert!(told.contains(words), "{action}: {told}");
    }
}

/// Every action that is granted is missed by a test.
#[test]
fn every_action_of_the_policy_is_accounted_for() {
    let mut document = DOCUMENT.clone();
    let granted: BTreeSet<String> = statements(&mut document).iter().flat_map(actions).collect();
    let missed: Vec<&str> = MISSED.iter().map(|(action, ..)| *action).collect();
    let once: BTreeSet<String> = missed.iter().map(|a| (*a).to_owned()).collect();
    assert_eq!(once.len(), missed.len(), "an action is listed twice");
    assert_eq!(granted, once);
}
