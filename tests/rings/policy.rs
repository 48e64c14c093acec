//! The permissions: a release succeeds under docs/start/iam-policy.json, and no action in it
//! can be missed.

use crate::support::policies::{
    DOCUMENT, KEY, OPERATIONS_ROLE, actions, document_for_promotions, operate_with, parsed,
    resources, shipped, shipped_text, statements, texts, without, without_resource,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bluegreen::events::{EventRecord, Happened};
use bluegreen::machine::{Kind, State};
use bluegreen::plan::{Bundle, Strategy};
use bluegreen::preflight::{
    Balancing, Check, DeploymentPolicy, Granted, Launch, Scope, Wanted, document, parts,
};
use bluegreen_sandbox::{
    BUCKET, BundleReader, Fault, FaultEffect, HOSTS_PARAMETER, Need, Policy, Sandbox, Verdict,
    World, ZONE, ZONE_PARAMETER,
};
use serde_json::Value;

use crate::support::previews;
use crate::support::shared_balancer;
use crate::support::virtual_world::{Fate, ID, VirtualWorld, v2};
use bluegreen_testing::sample::sampled;

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Try {
    /// A release of a bundle on disk, to its end.
    Release,
    /// The same, of a bundle that the bucket holds already.
    ReleaseOfAnObject,
    /// A bundle that goes up in parts, one of which S3 refuses.
    FailedUpload,
    /// A deploy that never ends and shows no progress.
    EndlessDeploy,
    /// A release whose deploy fails, and whose log says why.
    FailedDeploy,
    /// A release with the preview hostnames of a parameter.
    PreviewedRelease,
    /// A release behind a shared load balancer, with rules that follow.
    SharedRelease,
    /// A release that an alarm watches.
    WatchedRelease,
    /// A release of an environment with basic health.
    BasicRelease,
    /// The checks before a release of an environment with basic health, whose load balancer has a
    /// web ACL.
    BasicChecks,
    /// A release behind a classic load balancer.
    ClassicRelease,
    /// A release behind a network load balancer.
    NetworkRelease,
    /// A release of an environment of a single instance.
    SingleRelease,
    /// A rehearsal whose deploy takes longer than its patience.
    EndlessRehearsal,
    /// A release of an environment with an operations role.
    OperationsRelease,
    /// The same behind a shared load balancer: the caller looks at its rules himself, and has
    /// nothing of what is beneath.
    OperatedSharedRelease,
    /// A release of an environment with another value of an option.
    Set(&'static str, &'static str, &'static str),
    /// The first release of an account.
    FirstRelease,
    /// A release with a bucket that is encrypted and demands it.
    EncryptedRelease,
    /// The checks before a release alone.
    Checks,
    /// The same of an environment on a custom platform, whose load balancer has a certificate.
    CustomPlatformChecks,
    /// The checks before a release of an environment with an operations role, by a caller who has
    /// nothing of what is beneath.
    OperatedChecks,
    /// The same of a single instance.
    OperatedSingleChecks,
}

const BATCHES: Try = Try::Set(
    "aws:elasticbeanstalk:command",
    "DeploymentPolicy",
    "RollingWithAdditionalBatch",
);
const IMMUTABLE: Try = Try::Set(
    "aws:elasticbeanstalk:command",
    "DeploymentPolicy",
    "Immutable",
);
const SPLITTING: Try = Try::Set(
    "aws:elasticbeanstalk:command",
    "DeploymentPolicy",
    "TrafficSplitting",
);
const TEMPLATES: Try = Try::Set(
    "aws:autoscaling:launchconfiguration",
    "DisableIMDSv1",
    "true",
);
const SCHEDULED: Try = Try::Set("aws:autoscaling:scheduledaction", "Recurrence", "0 3 * * *");
const RULES: Try = Try::Set("aws:elbv2:listenerrule:admin", "PathPatterns", "/admin/*");
const LINKED: Try = Try::Set(
    "aws:elasticbeanstalk:environment",
    "ServiceRole",
    "AWSServiceRoleForElasticBeanstalk",
);

/// AWS WAF protects blue's load balancer.
async fn protect(sandbox: &Sandbox) {
    sandbox.set_policy(None);
    let balancer = sandbox.with_world(|world, _| world.own_balancer("shop-blue"));
    let acl = "arn:aws:wafv2:us-east-1:210987654321:regional/webacl/FMManaged/1";
    let input = serde_json::json!({ "WebACLArn": acl, "ResourceArn": balancer });
    let signature = "AWS4-HMAC-SHA256 Credential=A/20270115/us-east-1/wafv2/aws4_request";
    let request = http::Request::post("http://wafv2.us-east-1.amazonaws.com/")
        .header("authorization", signature)
        .header("x-amz-target", "AWSWAF_20190729.AssociateWebACL")
        .body(input.to_string().into());
    let answer = sandbox.handle(request.expect("a request")).await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.status(), 200, "{:?}", answer.body());
}

/// Where each action of today's program is missed, and what is said then.
#[rustfmt::skip]
const MISSED: &[(&str, Try, &str)] = &[
    ("elasticbeanstalk:DescribeEnvironments",        Try::Release, "there is no environment shop-blue"),
    ("elasticbeanstalk:DescribeApplications",        Try::Release, "RolledBack"),
    ("elasticbeanstalk:DescribeApplicationVersions", Try::Release, "is not registered any more"),
    ("elasticbeanstalk:ListTagsForResource",         Try::Release, "ListTagsForResource"),
    ("elasticbeanstalk:DescribeEvents",              Try::Release, "DescribeEvents"),
    ("elasticbeanstalk:DescribeInstancesHealth",     Try::Release, "DescribeInstancesHealth"),
    ("elasticbeanstalk:ValidateConfigurationSettings", Try::Checks, "launch-options: ValidateConfigurationSettings"),
    ("elasticbeanstalk:CreateApplicationVersion",    Try::Release, "CreateApplicationVersion"),
    ("elasticbeanstalk:CreateConfigurationTemplate", Try::Release, "CreateConfigurationTemplate"),
    ("elasticbeanstalk:DeleteConfigurationTemplate", Try::Release, "DeleteConfigurationTemplate"),
    ("elasticbeanstalk:AddTags",                     Try::Release, "elasticbeanstalk:AddTags"),
    ("elasticbeanstalk:CreateEnvironment",           Try::Release, "CreateEnvironment"),
    ("elasticbeanstalk:TerminateEnvironment",        Try::Release, "TerminateEnvironment"),
    ("elasticbeanstalk:SwapEnvironmentCNAMEs",       Try::Release, "SwapEnvironmentCNAMEs"),
    ("elasticbeanstalk:UpdateEnvironment",           Try::Release, "UpdateEnvironment"),
    ("elasticbeanstalk:AbortEnvironmentUpdate",      Try::EndlessDeploy, "AbortEnvironmentUpdate"),
    ("elasticbeanstalk:RequestEnvironmentInfo",      Try::FailedDeploy, "RequestEnvironmentInfo"),
    ("elasticbeanstalk:RetrieveEnvironmentInfo",     Try::FailedDeploy, "RetrieveEnvironmentInfo"),
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
    ("autoscaling:AttachInstances",                  IMMUTABLE, "AttachInstances"),
    ("autoscaling:CreateLaunchConfiguration",        IMMUTABLE, "CreateLaunchConfiguration"),
    ("autoscaling:DeleteLaunchConfiguration",        IMMUTABLE, "DeleteLaunchConfiguration"),
    ("autoscaling:DeleteScheduledAction",            SCHEDULED, "DeleteScheduledAction"),
    ("autoscaling:DescribeLaunchConfigurations",     IMMUTABLE, "DescribeLaunchConfigurations"),
    ("autoscaling:DescribeScheduledActions",         SCHEDULED, "DescribeScheduledActions"),
    ("autoscaling:DetachInstances",                  IMMUTABLE, "DetachInstances"),
    ("autoscaling:PutNotificationConfiguration",     IMMUTABLE, "PutNotificationConfiguration"),
    ("autoscaling:PutScheduledUpdateGroupAction",    SCHEDULED, "PutScheduledUpdateGroupAction"),
    ("autoscaling:SetDesiredCapacity",               BATCHES, "SetDesiredCapacity"),
    ("autoscaling:TerminateInstanceInAutoScalingGroup", BATCHES, "TerminateInstanceInAutoScalingGroup"),
    ("cloudformation:CancelUpdateStack",             Try::EndlessDeploy, "CancelUpdateStack"),
    ("cloudformation:ContinueUpdateRollback",        Try::EndlessDeploy, "ContinueUpdateRollback"),
    ("cloudformation:ListStackResources",            IMMUTABLE, "ListStackResources"),
    ("cloudformation:SignalResource",                IMMUTABLE, "SignalResource"),
    ("ec2:AuthorizeSecurityGroupEgress",             Try::Release, "AuthorizeSecurityGroupEgress"),
    ("ec2:CreateLaunchTemplateVersion",              TEMPLATES, "CreateLaunchTemplateVersion"),
    ("ec2:DeleteLaunchTemplateVersions",             TEMPLATES, "DeleteLaunchTemplateVersions"),
    ("ec2:DescribeAccountAttributes",                Try::Release, "ec2:DescribeAccountAttributes"),
    ("ec2:DescribeAvailabilityZones",                Try::Release, "DescribeAvailabilityZones"),
    ("ec2:DescribeInstanceAttribute",                Try::Release, "DescribeInstanceAttribute"),
    ("ec2:DescribeInstanceStatus",                   Try::Release, "DescribeInstanceStatus"),
    ("ec2:DescribeKeyPairs",                         Try::Release, "DescribeKeyPairs"),
    ("ec2:RevokeSecurityGroupEgress",                Try::Release, "RevokeSecurityGroupEgress"),
    ("ec2:RevokeSecurityGroupIngress",               Try::Release, "RevokeSecurityGroupIngress"),
    ("elasticloadbalancing:ApplySecurityGroupsToLoadBalancer", Try::ClassicRelease, "ApplySecurityGroupsToLoadBalancer"),
    ("elasticloadbalancing:AttachLoadBalancerToSubnets", Try::ClassicRelease, "AttachLoadBalancerToSubnets"),
    ("elasticloadbalancing:CreateLoadBalancerListeners", Try::ClassicRelease, "CreateLoadBalancerListeners"),
    ("elasticloadbalancing:CreateLoadBalancerPolicy", Try::ClassicRelease, "CreateLoadBalancerPolicy"),
    ("elasticloadbalancing:SetLoadBalancerPoliciesOfListener", Try::ClassicRelease, "SetLoadBalancerPoliciesOfListener"),
    ("elasticloadbalancing:DescribeLoadBalancerPolicies", Try::ClassicRelease, "DescribeLoadBalancerPolicies"),
    ("elasticloadbalancing:DescribeLoadBalancerAttributes", Try::Release, "DescribeLoadBalancerAttributes"),
    ("elasticloadbalancing:DescribeSSLPolicies",     Try::Release, "DescribeSSLPolicies"),
    ("elasticloadbalancing:DescribeTargetGroupAttributes", Try::Release, "DescribeTargetGroupAttributes"),
    ("elasticloadbalancing:ModifyListener",          SPLITTING, "ModifyListener"),
    ("elasticloadbalancing:ModifyTargetGroup",       Try::Release, "ModifyTargetGroup"),
    ("elasticloadbalancing:SetSecurityGroups",       Try::Release, "SetSecurityGroups"),
    ("iam:CreateServiceLinkedRole",                  Try::FirstRelease, "CreateServiceLinkedRole"),
    ("s3:PutBucketOwnershipControls",                Try::FirstRelease, "PutBucketOwnershipControls"),
    ("s3:PutBucketPolicy",                           Try::FirstRelease, "PutBucketPolicy"),
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
    ("elasticloadbalancing:DeregisterTargets",       Try::Release, "DeregisterTargets"),
    ("elasticloadbalancing:RegisterTargets",         Try::Release, "RegisterTargets"),
    ("s3:CreateBucket",                              Try::Release, "CreateBucket"),
    ("s3:DeleteObject",                              Try::Release, "DeleteObject"),
    ("s3:GetBucketLocation",                         Try::Release, "GetBucketLocation"),
    ("s3:GetBucketPolicy",                           Try::Release, "GetBucketPolicy"),
    ("s3:GetObjectAcl",                              Try::Release, "GetObjectAcl"),
    ("s3:PutObjectAcl",                              Try::Release, "PutObjectAcl"),
    ("elasticloadbalancing:CreateRule",              Try::SharedRelease, "CreateRule"),
    ("elasticloadbalancing:DeleteRule",              Try::SharedRelease, "DeleteRule"),
    ("elasticloadbalancing:ConfigureHealthCheck",    Try::ClassicRelease, "ConfigureHealthCheck"),
    ("elasticloadbalancing:DescribeInstanceHealth",  Try::ClassicRelease, "DescribeInstanceHealth"),
    ("elasticloadbalancing:RegisterInstancesWithLoadBalancer", Try::ClassicRelease, "RegisterInstancesWithLoadBalancer"),
    ("elasticloadbalancing:DeregisterInstancesFromLoadBalancer", Try::ClassicRelease, "DeregisterInstancesFromLoadBalancer"),
    ("ec2:AllocateAddress",                          Try::SingleRelease, "AllocateAddress"),
    ("ec2:AssociateAddress",                         Try::SingleRelease, "AssociateAddress"),
    ("ec2:DescribeAddresses",                        Try::SingleRelease, "DescribeAddresses"),
    ("ec2:DisassociateAddress",                      Try::SingleRelease, "DisassociateAddress"),
    ("ec2:ReleaseAddress",                           Try::SingleRelease, "ReleaseAddress"),
    ("autoscaling:UpdateAutoScalingGroup",           Try::Release, "UpdateAutoScalingGroup"),
    ("cloudformation:GetTemplate",                   Try::Release, "GetTemplate"),
    ("cloudformation:UpdateStack",                   Try::Release, "UpdateStack"),
    ("elasticbeanstalk:DescribeConfigurationSettings",Try::Release, "DescribeConfigurationSettings"),
    ("elasticbeanstalk:DescribeEnvironmentHealth",   Try::Release, "DescribeEnvironmentHealth"),
    ("iam:PassRole",                                 Try::Release, "PassRole"),
    ("kms:Decrypt",                                  Try::EncryptedRelease, "kms:Decrypt"),
    ("kms:GenerateDataKey",                          Try::EncryptedRelease, "kms:GenerateDataKey"),
    // What follows the environments.
    ("route53:ChangeResourceRecordSets",             Try::PreviewedRelease, "never led to"),
    ("route53:GetHostedZone",                        Try::PreviewedRelease, "GetHostedZone"),
    ("route53:ListResourceRecordSets",               Try::PreviewedRelease, "ListResourceRecordSets"),
    ("ssm:GetParameter",                             Try::PreviewedRelease, "GetParameter"),
    ("elasticloadbalancing:DescribeRules",           Try::SharedRelease, "DescribeRules"),
    ("elasticloadbalancing:DescribeTags",            Try::SharedRelease, "DescribeTags"),
    ("elasticloadbalancing:ModifyRule",              Try::SharedRelease, "ModifyRule"),
    ("cloudwatch:DescribeAlarms",                    Try::WatchedRelease, "DescribeAlarms"),
    ("cloudwatch:GetMetricData",                     Try::BasicChecks, "request-count: health is basic"),
    ("elasticloadbalancing:DescribeListenerCertificates", Try::CustomPlatformChecks, "unmanaged-changes: DescribeListenerCertificates"),
    ("wafv2:GetWebACL",                              Try::BasicChecks, "unmanaged-changes: GetWebACLForResource"),
    ("wafv2:GetWebACLForResource",                   Try::BasicChecks, "unmanaged-changes: GetWebACLForResource"),
    ("elasticbeanstalk:DescribeEnvironmentResources",Try::BasicRelease, "DescribeEnvironmentResources"),
    // What is checked beforehand: without it a check is left unknown.
    ("elasticbeanstalk:CheckDNSAvailability",        Try::Checks, "green-cname: CheckDNSAvailability"),
    ("elasticbeanstalk:DescribeAccountAttributes",   Try::Checks, "quotas: DescribeAccountAttributes"),
    ("elasticbeanstalk:DescribeEnvironmentManagedActions", Try::Checks, "managed-update: DescribeEnvironmentManagedActions"),
    ("elasticbeanstalk:DescribePlatformVersion",     Try::Checks, "platform-branch: DescribePlatformVersion"),
    ("iam:SimulatePrincipalPolicy",                  Try::Checks, "permissions: SimulatePrincipalPolicy"),
    ("route53:ListHostedZones",                      Try::Checks, "dns-records: ListHostedZones"),
];

/// What each statement may touch: its resources as the file names them, what is missed and
/// said without each, and why it is no narrower than it is.
#[rustfmt::skip]
const TOUCHED: &[(&str, &str, Try, &str, &str)] = &[
    ("Find", "arn:aws:elasticbeanstalk:REGION:ACCOUNT:application/*", Try::Release, "RolledBack",
        "what is left out of a list looks as if it were not there; reads only"),
    ("Find", "arn:aws:elasticbeanstalk:REGION:ACCOUNT:applicationversion/APPLICATION/*", Try::Release, "is not registered any more",
        "any version may be released; reads only"),
    ("Find", "arn:aws:elasticbeanstalk:REGION:ACCOUNT:environment/*", Try::Release, "there is no environment shop-blue",
        "a name may be another application's, and the quota counts all; reads only"),
    ("LookAtBoth", "arn:aws:elasticbeanstalk:REGION:ACCOUNT:environment/APPLICATION/BLUE", Try::Release, "environment/shop/shop-blue ", ""),
    ("LookAtBoth", "arn:aws:elasticbeanstalk:REGION:ACCOUNT:environment/APPLICATION/GREEN", Try::Release, "environment/shop/shop-blue-green ", ""),
    ("LookAtAccount", "*", Try::OperatedSingleChecks, "security-groups: DescribeSecurityGroups", "these actions have no resources"),
    ("LookAtPlatform", "arn:aws:elasticbeanstalk:REGION::platform/*", Try::Checks, "platform-branch: DescribePlatformVersion",
        "which platform blue is on changes with its updates; reads only"),
    ("LookAtPlatform", "arn:aws:elasticbeanstalk:REGION:ACCOUNT:platform/*", Try::CustomPlatformChecks, "platform-branch: DescribePlatformVersion",
        "a custom platform's ARN names its account, and changes with its versions; reads only"),
    ("LookAtStacks", "arn:aws:cloudformation:REGION:ACCOUNT:stack/awseb-*", Try::OperatedChecks, "security-groups: DescribeStackResource",
        "an environment's id is not known beforehand"),
    ("ReadAssets", "arn:aws:s3:::elasticbeanstalk-env-resources-*/*", Try::Release,
        "s3://elasticbeanstalk-env-resources-us-east-1/eb_patching_resources/instance_patch_extension.linux",
        "newer regions' buckets have a suffix, and AWS chooses the keys; reads only what is AWS's"),
    ("ReadAssets", "arn:aws:s3:::elasticbeanstalk-platform-assets-*/*", Try::Release,
        "s3://elasticbeanstalk-platform-assets-us-east-1/stalks/",
        "newer regions' buckets have a suffix, and AWS chooses the keys; reads only what is AWS's"),
    ("RegisterVersions", "arn:aws:elasticbeanstalk:REGION:ACCOUNT:application/APPLICATION", Try::Release, "CreateApplicationVersion", ""),
    ("RegisterVersions", "arn:aws:elasticbeanstalk:REGION:ACCOUNT:applicationversion/APPLICATION/*", Try::Release, "CreateApplicationVersion",
        "labels are the user's"),
    ("MakeTemplates", "arn:aws:elasticbeanstalk:REGION:ACCOUNT:configurationtemplate/APPLICATION/bluegreen-*", Try::Release, "CreateConfigurationTemplate",
        "a template bears its deployment's id; the prefix is bluegreen's own"),
    ("MakeGreen", "arn:aws:elasticbeanstalk:REGION:ACCOUNT:environment/APPLICATION/GREEN", Try::Release, "CreateEnvironment", ""),
    ("DeployAndSwap", "arn:aws:elasticbeanstalk:REGION:ACCOUNT:environment/APPLICATION/BLUE", Try::Release, "environment/shop/shop-blue ", ""),
    ("DeployAndSwap", "arn:aws:elasticbeanstalk:REGION:ACCOUNT:environment/APPLICATION/GREEN", Try::Release, "environment/shop/shop-blue-green ", ""),
    ("ReadTheBucket", "arn:aws:s3:::BUCKET", Try::Release, "HeadBucket", ""),
    ("ReadTheBucket", "arn:aws:s3:::BUCKET/*", Try::ReleaseOfAnObject, "HeadObject", "the bundle may be any object; reads only"),
    ("WriteToTheBucket", "arn:aws:s3:::BUCKET/bluegreen/*", Try::Release, "PutObject", "the prefix is bluegreen's own"),
    ("UseTheKey", "KMS_KEY", Try::EncryptedRelease, "kms:", ""),
    ("WatchAlarms", "*", Try::WatchedRelease, "DescribeAlarms", "alarms may be described all or none"),
    ("CountRequests", "*", Try::BasicChecks, "request-count: health is basic", "metrics have no resources"),
    ("ReadHostedZones", "arn:aws:route53:::hostedzone/*", Try::Checks, "dns-records: the hosted zones",
        "a record in any zone may lead past blue's CNAME; reads only"),
    ("MoveHosts", "arn:aws:route53:::hostedzone/HOSTED_ZONE", Try::PreviewedRelease, "GetHostedZone", ""),
    ("ReadParameters", "arn:aws:ssm:REGION:ACCOUNT:parameter/PARAMETERS", Try::PreviewedRelease, "GetParameter", ""),
    ("LookAtLoadBalancer", "*", Try::OperatedSharedRelease, "DescribeListeners", "these actions have no resources"),
    ("LookAtWebAcl", "arn:aws:elasticloadbalancing:REGION:ACCOUNT:loadbalancer/app/*", Try::BasicChecks, "unmanaged-changes: GetWebACLForResource",
        "an environment's id is not known beforehand; reads only"),
    ("LookAtWebAcl", "arn:aws:wafv2:REGION:*:regional/webacl/*", Try::BasicChecks, "unmanaged-changes: GetWebACLForResource",
        "somebody else chooses the web ACL, and AWS Firewall Manager's are of another account; reads only"),
    ("MoveTaggedRules", "arn:aws:elasticloadbalancing:REGION:ACCOUNT:listener-rule/app/*", Try::SharedRelease, "ModifyRule",
        "the tag says which"),
    ("PassOperationsRole", "OPERATIONS_ROLE", Try::OperationsRelease, "role/shop-operations", ""),
    ("CheckOwnPermissions", "PRINCIPAL", Try::Checks, "permissions: SimulatePrincipalPolicy", ""),
    ("BeneathLook", "*", Try::Release, "Describe", "most of these actions have no resources; reads only"),
    ("BeneathBucket", "arn:aws:s3:::elasticbeanstalk-REGION-ACCOUNT", Try::Release, "elasticbeanstalk-us-east-1-123456789012", ""),
    ("BeneathBucket", "arn:aws:s3:::elasticbeanstalk-REGION-ACCOUNT/*", Try::Release, "elasticbeanstalk-us-east-1-123456789012/",
        "the service chooses the keys"),
    ("BeneathFirstUse", "arn:aws:s3:::elasticbeanstalk-REGION-ACCOUNT", Try::FirstRelease, "PutBucketOwnershipControls", ""),
    ("BeneathServiceLinkedRoles", "arn:aws:iam::ACCOUNT:role/aws-service-role/*", Try::FirstRelease, "CreateServiceLinkedRole",
        "the services choose the names; the condition says which services"),
    ("BeneathStacks", "arn:aws:cloudformation:REGION:ACCOUNT:stack/awseb-*", Try::Release, "CreateStack", "an environment's id is not known beforehand"),
    ("BeneathScaling", "arn:aws:autoscaling:REGION:ACCOUNT:autoScalingGroup:*:autoScalingGroupName/awseb-e-*", Try::Release, "AutoScalingGroup",
        "an environment's id is not known beforehand"),
    ("BeneathScheduledActions", "arn:aws:autoscaling:REGION:ACCOUNT:autoScalingGroup:*:autoScalingGroupName/awseb-e-*", SCHEDULED, "ScheduledUpdateGroupAction",
        "an environment's id is not known beforehand"),
    ("BeneathBatches", "arn:aws:autoscaling:REGION:ACCOUNT:autoScalingGroup:*:autoScalingGroupName/awseb-e-*", BATCHES, "SetDesiredCapacity",
        "an environment's id is not known beforehand"),
    ("BeneathNewGroups", "arn:aws:autoscaling:REGION:ACCOUNT:autoScalingGroup:*:autoScalingGroupName/awseb-e-*", IMMUTABLE, "AttachInstances",
        "an environment's id is not known beforehand"),
    ("BeneathNewGroups", "arn:aws:cloudformation:REGION:ACCOUNT:stack/awseb-*", IMMUTABLE, "ListStackResources",
        "an environment's id is not known beforehand"),
    ("BeneathLaunchConfigurations", "arn:aws:autoscaling:REGION:ACCOUNT:launchConfiguration:*:launchConfigurationName/awseb-e-*", IMMUTABLE, "LaunchConfiguration",
        "an environment's id is not known beforehand"),
    ("BeneathAlarms", "arn:aws:cloudwatch:REGION:ACCOUNT:alarm:awseb-*", Try::Release, "PutMetricAlarm", "an environment's id is not known beforehand"),
    ("BeneathInstances", "*", Try::Release, "ec2:", "the ids of instances and groups are not known beforehand"),
    ("BeneathLoadBalancing", "arn:aws:elasticloadbalancing:REGION:ACCOUNT:loadbalancer/*/awseb-*", Try::Release, "loadbalancer/app/awseb-",
        "an environment's id is not known beforehand; app or net"),
    ("BeneathLoadBalancing", "arn:aws:elasticloadbalancing:REGION:ACCOUNT:listener/*/awseb-*", Try::NetworkRelease, "listener/net/awseb-",
        "an environment's id is not known beforehand; app or net"),
    ("BeneathListenerRules", "arn:aws:elasticloadbalancing:REGION:ACCOUNT:listener/app/awseb-*", RULES, "CreateRule",
        "an environment's id is not known beforehand"),
    ("BeneathListenerRules", "arn:aws:elasticloadbalancing:REGION:ACCOUNT:listener-rule/app/awseb-*", SPLITTING, "DeleteRule",
        "an environment's id is not known beforehand"),
    ("BeneathTargetGroups", "arn:aws:elasticloadbalancing:REGION:ACCOUNT:targetgroup/awseb-*", Try::Release, "targetgroup/awseb-",
        "an environment's id is not known beforehand"),
    ("BeneathSharedLoadBalancer", "arn:aws:elasticloadbalancing:REGION:ACCOUNT:listener/app/SHARED_BALANCER/*", Try::SharedRelease, "CreateRule",
        "any listener of that load balancer"),
    ("BeneathSharedLoadBalancer", "arn:aws:elasticloadbalancing:REGION:ACCOUNT:listener-rule/app/SHARED_BALANCER/*", Try::SharedRelease, "DeleteRule",
        "the ids of rules are not known beforehand"),
    ("BeneathSharedRules", "arn:aws:elasticloadbalancing:REGION:ACCOUNT:listener-rule/app/SHARED_BALANCER/*", Try::SharedRelease, "ModifyRule",
        "the ids of rules are not known beforehand"),
    ("BeneathClassicLoadBalancing", "arn:aws:elasticloadbalancing:REGION:ACCOUNT:loadbalancer/awseb-*", Try::ClassicRelease, "loadbalancer/awseb-",
        "an environment's id is not known beforehand"),
    ("BeneathSingleInstance", "*", Try::SingleRelease, "Address", "the ids of addresses are not known beforehand"),
    ("BeneathRoles", "arn:aws:iam::ACCOUNT:role/aws-elasticbeanstalk-*", Try::Release, "role/aws-elasticbeanstalk-ec2-role",
        "the names that the console and the EB CLI give"),
    ("BeneathRoles", "arn:aws:iam::ACCOUNT:role/service-role/aws-elasticbeanstalk-*", Try::Release, "role/service-role/aws-elasticbeanstalk-service-role",
        "the names that the console gives"),
    ("BeneathRoles", "arn:aws:iam::ACCOUNT:role/aws-service-role/elasticbeanstalk.amazonaws.com/*", LINKED, "AWSServiceRoleForElasticBeanstalk",
        "the service chooses the name of its own role"),
];

/// The conditions of the statements: a request that each is for, and the same outside of it.
type Limited = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    [&'static str; 2],
);

#[rustfmt::skip]
const LIMITED: &[Limited] = &[
    ("MoveHosts", "route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z0SHOPEXAMPLE00000001",
        "route53:ChangeResourceRecordSetsRecordTypes", ["CNAME", "A"]),
    ("MoveTaggedRules", "elasticloadbalancing:ModifyRule", "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/a/b/c/d",
        "aws:ResourceTag/bluegreen:follow", ["production", "no"]),
    ("MoveTaggedRules", "elasticloadbalancing:ModifyRule", "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/a/b/c/d",
        "aws:ResourceTag/bluegreen:follow", ["staging", ""]),
    ("PassOperationsRole", "iam:PassRole", OPERATIONS_ROLE,
        "iam:PassedToService", ["elasticbeanstalk.amazonaws.com", "ec2.amazonaws.com"]),
    ("BeneathServiceLinkedRoles", "iam:CreateServiceLinkedRole",
        "arn:aws:iam::123456789012:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
        "iam:AWSServiceName", ["autoscaling.amazonaws.com", "ecs.amazonaws.com"]),
    ("BeneathServiceLinkedRoles", "iam:CreateServiceLinkedRole",
        "arn:aws:iam::123456789012:role/aws-service-role/elasticloadbalancing.amazonaws.com/AWSServiceRoleForElasticLoadBalancing",
        "iam:AWSServiceName", ["elasticloadbalancing.amazonaws.com", "lambda.amazonaws.com"]),
    ("BeneathRoles", "iam:PassRole", "arn:aws:iam::123456789012:role/aws-elasticbeanstalk-ec2-role",
        "iam:PassedToService", ["ec2.amazonaws.com", "lambda.amazonaws.com"]),
    ("BeneathRoles", "iam:PassRole", "arn:aws:iam::123456789012:role/service-role/aws-elasticbeanstalk-service-role",
        "iam:PassedToService", ["elasticbeanstalk.amazonaws.com", "cloudformation.amazonaws.com"]),
];

/// The artifacts bucket is encrypted from now on, and denies what does not ask for that; this
/// program does.
fn encrypted(world: &mut VirtualWorld) {
    world
        .sandbox
        .with_world(|world, _| world.demand_encryption(BUCKET, "aws:kms", Some(KEY)));
    let encryption = Some(format!("aws:kms:{KEY}").parse().expect("a method"));
    world.cloud = world.cloud.clone().encrypting(encryption);
}

/// That whoever asked was denied nothing, also where nothing came of it.
fn nothing_was_denied(world: &VirtualWorld) -> Result<(), String> {
    let denials = world.sandbox.with_world(|world, _| world.denials().clone());
    match denials.is_empty() {
        true => Ok(()),
        false => Err(format!("denied meanwhile: {denials:?}")),
    }
}

impl Try {
    /// Nothing where it went as it should, else everything that was said.
    async fn under(self, policy: Policy) -> Result<(), String> {
        let mut world = match self {
            Try::SharedRelease | Try::OperatedSharedRelease => shared_balancer::world().await,
            _ => VirtualWorld::new().await,
        };
        if self == Try::PreviewedRelease {
            world.config.preview = previews::asked();
        }
        if self == Try::WatchedRelease {
            world
                .sandbox
                .with_world(|world, _| world.set_alarm("errors", "OK"));
            world.config.wishes.alarms = vec!["errors".to_owned()];
        }
        if matches!(self, Try::BasicRelease | Try::BasicChecks) {
            world.basic_health();
        }
        if self == Try::BasicChecks {
            protect(&world.sandbox).await;
        }
        let balancer = match self {
            Try::ClassicRelease => Some("classic"),
            Try::NetworkRelease => Some("network"),
            _ => None,
        };
        if let Some(kind) = balancer {
            let option = ("aws:elasticbeanstalk:environment", "LoadBalancerType");
            world
                .sandbox
                .with_world(|world, _| world.set("shop-blue", option.0, option.1, kind));
        }
        if let Try::Set(namespace, name, value) = self {
            let set = |world: &mut World| world.set("shop-blue", namespace, name, value);
            world.sandbox.with_world(|world, _| set(world));
        }
        if self == Try::EncryptedRelease {
            encrypted(&mut world);
        }
        if self == Try::FirstRelease {
            world
                .sandbox
                .with_world(|world, _| world.use_for_the_first_time());
        }
        if self == Try::CustomPlatformChecks {
            world.inject(FaultEffect::CustomPlatform {
                environment: "shop-blue".to_owned(),
            });
            world.sandbox.with_world(|world, _| {
                let listener = "aws:elbv2:listener:443";
                let certificate = "arn:aws:acm:us-east-1:123456789012:certificate/1";
                world.set("shop-blue", listener, "Protocol", "HTTPS");
                world.set("shop-blue", listener, "SSLCertificateArns", certificate);
            });
        }
        let is_operated = matches!(
            self,
            Try::OperationsRelease
                | Try::OperatedSharedRelease
                | Try::OperatedChecks
                | Try::OperatedSingleChecks
        );
        if is_operated {
            operate_with(&world.sandbox, OPERATIONS_ROLE);
        }
        if matches!(self, Try::SingleRelease | Try::OperatedSingleChecks) {
            world.inject(FaultEffect::SingleInstance {
                environment: "shop-blue".to_owned(),
            });
        }
        world.sandbox.set_policy(Some(policy));
        let checks_alone = matches!(
            self,
            Try::Checks
                | Try::BasicChecks
                | Try::CustomPlatformChecks
                | Try::OperatedChecks
                | Try::OperatedSingleChecks
        );
        if checks_alone {
            return match world.unknown_checks(&Wanted::default()).await {
                unknown if unknown.is_empty() => nothing_was_denied(&world),
                unknown => Err(unknown.join("\n")),
            };
        }
        let file = world.folder.path().join("app.zip");
        let bytes = match self {
            Try::FailedUpload => 20 * 1024 * 1024,
            Try::Release
            | Try::ReleaseOfAnObject
            | Try::EndlessDeploy
            | Try::FailedDeploy
            | Try::EndlessRehearsal
            | Try::PreviewedRelease
            | Try::SharedRelease
            | Try::WatchedRelease
            | Try::BasicRelease
            | Try::BasicChecks
            | Try::ClassicRelease
            | Try::NetworkRelease
            | Try::SingleRelease
            | Try::OperationsRelease
            | Try::OperatedSharedRelease
            | Try::Set(..)
            | Try::FirstRelease
            | Try::EncryptedRelease
            | Try::CustomPlatformChecks
            | Try::OperatedChecks
            | Try::OperatedSingleChecks
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
            | Try::FailedDeploy
            | Try::EndlessRehearsal
            | Try::PreviewedRelease
            | Try::SharedRelease
            | Try::WatchedRelease
            | Try::BasicRelease
            | Try::BasicChecks
            | Try::ClassicRelease
            | Try::NetworkRelease
            | Try::SingleRelease
            | Try::OperationsRelease
            | Try::OperatedSharedRelease
            | Try::Set(..)
            | Try::FirstRelease
            | Try::EncryptedRelease
            | Try::CustomPlatformChecks
            | Try::OperatedChecks
            | Try::OperatedSingleChecks
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
            Try::EndlessDeploy => world.inject(FaultEffect::UpdateHangs {
                label: "v7".to_owned(),
            }),
            Try::FailedDeploy => world.inject(FaultEffect::VersionFailsToDeploy {
                label: "v7".to_owned(),
            }),
            Try::EndlessRehearsal => world
                .sandbox
                .with_world(|world, _| world.timings.deploy_seconds = 4 * 3600),
            Try::Release
            | Try::ReleaseOfAnObject
            | Try::PreviewedRelease
            | Try::SharedRelease
            | Try::WatchedRelease
            | Try::BasicRelease
            | Try::BasicChecks
            | Try::ClassicRelease
            | Try::NetworkRelease
            | Try::SingleRelease
            | Try::OperationsRelease
            | Try::OperatedSharedRelease
            | Try::Set(..)
            | Try::FirstRelease
            | Try::EncryptedRelease
            | Try::CustomPlatformChecks
            | Try::OperatedChecks
            | Try::OperatedSingleChecks
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
            strategy: match self {
                Try::EndlessRehearsal => Strategy::Rehearse,
                _ => Strategy::Restore,
            },
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
            | Try::BasicChecks
            | Try::ClassicRelease
            | Try::NetworkRelease
            | Try::SingleRelease
            | Try::OperationsRelease
            | Try::OperatedSharedRelease
            | Try::Set(..)
            | Try::FirstRelease
            | Try::EncryptedRelease
            | Try::CustomPlatformChecks
            | Try::OperatedChecks
            | Try::OperatedSingleChecks
            | Try::Checks => Kind::Completed,
            Try::FailedUpload | Try::EndlessRehearsal => Kind::RolledBack,
            Try::EndlessDeploy | Try::FailedDeploy => Kind::Held,
        };
        if deployment.state.kind() != end {
            return Err(format!("{:?}", deployment.state));
        }
        if self == Try::FailedDeploy {
            let events = world.store().events(ID).expect("the journal reads");
            let unread = events.iter().find_map(|event| match &event.happened {
                Happened::EngineLogUnread { why, .. } => Some(why.clone()),
                _ => None,
            });
            if let Some(why) = unread {
                return Err(why);
            }
            let is_told = |event: &EventRecord| {
                matches!(&event.happened, Happened::EngineLog { lines, .. }
                    if lines.iter().any(|line| line.contains("[ERROR]")))
            };
            if !events.iter().any(is_told) {
                return Err("no log was told".to_owned());
            }
        }
        if self == Try::PreviewedRelease && !changed.load(Ordering::SeqCst) {
            return Err("preview hostnames never led to blue".to_owned());
        }
        match world.sandbox.report().leftovers.unfinished_uploads {
            left if left.is_empty() => nothing_was_denied(&world),
            left => Err(format!("left in parts: {left:?}")),
        }
    }
}

/// IAM user guide, "IAM and AWS STS quotas": whitespace does not count.
#[test]
fn what_is_its_own_fits_into_a_managed_policy_and_what_is_beneath_into_two() {
    // Names are longer than their placeholders.
    let (inline, managed, names) = (10_240, 6_144, 1_000);
    let size = |sids: &dyn Fn(&str) -> bool| {
        let mut document = shipped_text();
        statements(&mut document).retain(|statement| sids(statement["Sid"].as_str().expect("one")));
        document.to_string().replace(' ', "").len() + names
    };
    let own = size(&|sid| !sid.starts_with("Beneath"));
    let beneath = size(&|sid| sid.starts_with("Beneath"));
    assert!(own <= managed, "{own}");
    assert!(beneath <= inline && beneath <= 2 * managed, "{beneath}");
    let whole = size(&|_| true);
    assert!(
        whole > inline,
        "it fits whole, and docs/start/permissions.md says it does not: {whole}"
    );
}

#[tokio::test(start_paused = true)]
async fn everything_goes_under_the_shipped_policy() {
    for attempt in sampled(
        "attempts under the policy",
        [
            Try::Release,
            Try::ReleaseOfAnObject,
            Try::FailedUpload,
            Try::EndlessDeploy,
            Try::FailedDeploy,
            Try::EndlessRehearsal,
            Try::PreviewedRelease,
            Try::SharedRelease,
            Try::WatchedRelease,
            Try::BasicChecks,
            Try::BasicRelease,
            Try::ClassicRelease,
            Try::NetworkRelease,
            Try::SingleRelease,
            Try::OperationsRelease,
            Try::OperatedSharedRelease,
            BATCHES,
            IMMUTABLE,
            SPLITTING,
            TEMPLATES,
            SCHEDULED,
            RULES,
            LINKED,
            Try::FirstRelease,
            Try::EncryptedRelease,
            Try::Checks,
            Try::CustomPlatformChecks,
        ],
        6,
    ) {
        let done = attempt.under(shipped()).await;
        assert_eq!(done, Ok(()), "{attempt:?}");
    }
}

/// The shipped policy without what Elastic Beanstalk needs beneath.
fn own() -> Policy {
    own_of(DOCUMENT.clone())
}

fn own_of(mut document: Value) -> Policy {
    statements(&mut document).retain(|statement| {
        let sid = statement["Sid"].as_str().expect("a name");
        !sid.starts_with("Beneath")
    });
    parsed(&document)
}

/// The same without one statement of its own: what is beneath repeats some of them.
fn own_without(sid: &str) -> Policy {
    let mut document = DOCUMENT.clone();
    statements(&mut document).retain(|statement| {
        let named = statement["Sid"].as_str().expect("a name");
        named != sid && !named.starts_with("Beneath")
    });
    parsed(&document)
}

/// Where blue has an operations role, a caller without any right beneath releases: green is made
/// with the same role, and the check asks for nothing more.
#[tokio::test(start_paused = true)]
async fn an_operations_role_goes_to_green_and_spares_the_caller_what_is_beneath() {
    assert_eq!(Try::OperationsRelease.under(own()).await, Ok(()));
    let told = Try::Release.under(own()).await.expect_err("no role has it");
    assert!(told.contains("not authorized"), "{told}");
    let world = VirtualWorld::new().await;
    operate_with(&world.sandbox, OPERATIONS_ROLE);
    world.sandbox.set_policy(Some(own()));
    let mut deployment = world.begin(v2()).await.expect("it passes");
    assert_eq!(
        deployment.plan.operations_role.as_deref(),
        Some(OPERATIONS_ROLE)
    );
    let roles = Arc::<std::sync::Mutex<BTreeSet<Option<String>>>>::default();
    let (seen, sandbox) = (roles.clone(), world.sandbox.clone());
    world.on_call(move |_, _| {
        let green = sandbox.with_world(|world, _| {
            let green = world.environment("shop-blue-green");
            green.map(|green| green.operations_role.clone())
        });
        seen.lock().expect("whole").extend(green);
        Fate::Life
    });
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it goes through");
    assert_eq!(deployment.state.kind(), Kind::Completed);
    let expected = BTreeSet::from([Some(OPERATIONS_ROLE.to_owned())]);
    assert_eq!(*roles.lock().expect("whole"), expected);
}

/// With an operations role on blue the caller's own statements are enough for what this program
/// itself asks: no check is left unknown, and nothing is denied, also behind a load balancer that
/// is shared and for a single instance.
#[tokio::test(start_paused = true)]
async fn nothing_that_the_program_asks_needs_what_is_beneath() {
    for attempt in sampled(
        "attempts with an operations role",
        [
            Try::OperatedChecks,
            Try::OperatedSingleChecks,
            Try::OperationsRelease,
            Try::OperatedSharedRelease,
        ],
        2,
    ) {
        assert_eq!(attempt.under(own()).await, Ok(()), "{attempt:?}");
    }
}

/// The same of a promotion, which looks at the stack and at the groups of what it is to terminate.
#[tokio::test(start_paused = true)]
async fn a_promotion_with_an_operations_role_needs_nothing_of_what_is_beneath() {
    let policy = || Some(own_of(document_for_promotions()));
    let world = VirtualWorld::new().await;
    operate_with(&world.sandbox, OPERATIONS_ROLE);
    world.sandbox.set_policy(policy());
    let promote = Wanted {
        strategy: Strategy::Promote,
        ..v2()
    };
    assert_eq!(world.unknown_checks(&promote).await, [""; 0]);
    let mut deployment = world.begin(promote).await.expect("it passes");
    world.sandbox.set_policy(policy());
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it goes through");
    assert_eq!(deployment.state, State::Completed);
    assert_eq!(nothing_was_denied(&world), Ok(()));
}

/// What AWS's documents do not settle: whether tags at creation need a right of their own, and with
/// whose rights a bundle is read that a key of KMS encrypts. A release goes through either way, with
/// an operations role too, and the check refuses nothing for it.
#[tokio::test(start_paused = true)]
async fn what_is_not_settled_goes_either_way() {
    let read_by = |reader| Some(FaultEffect::BundlesReadBy { reader });
    for (fault, role, policy) in sampled(
        "ways that are not settled",
        [
            (Some(FaultEffect::TagsNeedNoRight), None, shipped()),
            (
                Some(FaultEffect::TagsNeedNoRight),
                None,
                without("elasticbeanstalk:AddTags"),
            ),
            (None, Some(OPERATIONS_ROLE), own()),
            (read_by(BundleReader::Caller), Some(OPERATIONS_ROLE), own()),
            (read_by(BundleReader::Service), Some(OPERATIONS_ROLE), own()),
            (None, None, shipped()),
            (read_by(BundleReader::Service), None, shipped()),
        ],
        2,
    ) {
        let told = format!("{fault:?} {role:?}");
        let mut world = VirtualWorld::new().await;
        encrypted(&mut world);
        if let Some(fault) = fault {
            world.inject(fault);
        }
        if let Some(role) = role {
            operate_with(&world.sandbox, role);
        }
        world.sandbox.set_policy(Some(policy));
        let begun = world.begin(v2()).await;
        let mut deployment = begun.unwrap_or_else(|refused| panic!("{told}: {refused}"));
        let driven = world.drive(&mut deployment).await.expect("nobody kills it");
        driven.unwrap_or_else(|error| panic!("{told}: {error}"));
        assert_eq!(deployment.state, State::Completed, "{told}");
        assert_eq!(nothing_was_denied(&world), Ok(()), "{told}");
    }
}

/// The two ways that AWS supports: beside the caller's own statements its managed policy is
/// enough for every kind of environment, and the check before a release finds it so.
#[tokio::test(start_paused = true)]
async fn the_managed_policy_is_enough_beneath() {
    let managed = include_str!(
        "../../crates/sandbox/src/world/iam/managed/AdministratorAccess-AWSElasticBeanstalk.json"
    );
    let mut managed: Value = serde_json::from_str(managed).expect("JSON");
    let mut document = DOCUMENT.clone();
    statements(&mut document).retain(|statement| {
        let sid = statement["Sid"].as_str().expect("a name");
        !sid.starts_with("Beneath")
    });
    statements(&mut document).append(statements(&mut managed));
    for attempt in sampled(
        "attempts under the managed policy",
        [
            Try::Release,
            Try::ClassicRelease,
            Try::NetworkRelease,
            Try::SingleRelease,
            Try::SharedRelease,
            IMMUTABLE,
            TEMPLATES,
            Try::FirstRelease,
        ],
        2,
    ) {
        let done = attempt.under(parsed(&document)).await;
        assert_eq!(done, Ok(()), "{attempt:?}");
    }
    let world = VirtualWorld::new().await;
    world.sandbox.set_policy(Some(parsed(&document)));
    let begun = world.begin(v2()).await;
    begun.expect("the check passes");
}

/// What docs/start/iam-policy-beneath.json lists is enough for an operations role that besides may
/// only read the bundle and AWS's own files.
#[tokio::test(start_paused = true)]
async fn what_is_beneath_is_enough_for_an_operations_role() {
    let world = VirtualWorld::new().await;
    operate_with(&world.sandbox, OPERATIONS_ROLE);
    world.sandbox.set_policy(Some(own()));
    let mut beneath = DOCUMENT.clone();
    statements(&mut beneath).retain(|statement| {
        let sid = statement["Sid"].as_str().expect("a name");
        sid.starts_with("Beneath") || ["ReadAssets", "ReadTheBucket"].contains(&sid)
    });
    let beneath = beneath.to_string();
    let given = world
        .sandbox
        .with_world(|world, _| world.set_role_policy(OPERATIONS_ROLE, &beneath));
    given.expect("a policy");
    let begun = world.begin(crate::support::virtual_world::v2()).await;
    let mut deployment = begun.expect("it passes");
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.expect("it goes through");
    assert_eq!(deployment.state.kind(), Kind::Completed);
    assert_eq!(nothing_was_denied(&world), Ok(()));
}

/// A bucket that demands encryption takes the lease, the copy of the journal and the bundle,
/// whole or in parts, where `--sse` asks for it, and none of them where it does not.
#[tokio::test(start_paused = true)]
async fn everything_that_is_written_asks_for_the_encryption() {
    let mut world = VirtualWorld::new().await;
    world
        .sandbox
        .with_world(|world, _| world.demand_encryption(BUCKET, "aws:kms", Some(KEY)));
    let lease = |world: &VirtualWorld| world.cloud.bucket(BUCKET);
    let absent = bluegreen::cloud::Condition::Absent;
    let refused = lease(&world).put("bluegreen/lease", b"{}", absent).await;
    let denied = refused.expect_err("it asks for nothing").to_string();
    assert!(
        denied.contains("explicit deny in a resource-based policy"),
        "{denied}"
    );
    let honoured = world.cloud.conditional_writes(BUCKET).await;
    assert!(honoured.is_err(), "{honoured:?}");
    encrypted(&mut world);
    let written = lease(&world).put("bluegreen/lease", b"{}", absent).await;
    assert!(written.is_ok(), "{written:?}");
    let honoured = world.cloud.conditional_writes(BUCKET).await;
    let expected = bluegreen::cloud::ConditionalWrites::Honoured;
    assert_eq!(honoured, Ok(expected));
    drop(world);
    assert_eq!(Try::EncryptedRelease.under(shipped()).await, Ok(()));
}

/// The policy as `bluegreen iam-policy` prints it for one kind of environment is enough for it.
#[tokio::test(start_paused = true)]
async fn the_policy_that_is_printed_is_enough() {
    let balancer = World::seeded(1_800_000_000_000).balancer_arn();
    let scope = Scope {
        partition: "aws",
        region: "us-east-1",
        account: "123456789012",
        application: "shop",
        blue: "shop-blue",
        green: "shop-blue-green",
        bucket: BUCKET,
        strategy: Strategy::Restore,
        alarms: false,
        zone: None,
        key: None,
        operations_role: None,
        // The sandbox's blue is older than launch templates, but in TEMPLATES.
        launch: Some(Launch::Configuration),
    };
    let older = Granted {
        scope,
        principal: Some("arn:aws:iam::123456789012:user/sandbox"),
        previews: false,
        parameters: Vec::new(),
        roles: Vec::new(),
        balancing: Some(Balancing::Own("app")),
        policy: Some(DeploymentPolicy::InPlace),
        schedules: Some(false),
        own_rules: Some(false),
    };
    let of_scope = |scope| Granted {
        scope,
        ..older.clone()
    };
    let known = of_scope(Scope {
        launch: Some(Launch::Template),
        ..scope
    });
    let of_policy = |policy| Granted {
        policy: Some(policy),
        ..older.clone()
    };
    let of_balancing = |balancing| Granted {
        balancing: Some(balancing),
        ..older.clone()
    };
    for (attempt, granted) in sampled(
        "policies that are printed",
        [
            (Try::Release, older.clone()),
            (TEMPLATES, known.clone()),
            (BATCHES, of_policy(DeploymentPolicy::AdditionalBatch)),
            (IMMUTABLE, of_policy(DeploymentPolicy::Immutable)),
            (SPLITTING, of_policy(DeploymentPolicy::TrafficSplitting)),
            (
                Try::EndlessRehearsal,
                of_scope(Scope {
                    strategy: Strategy::Rehearse,
                    ..scope
                }),
            ),
            (Try::NetworkRelease, of_balancing(Balancing::Own("net"))),
            (Try::ClassicRelease, of_balancing(Balancing::Classic)),
            (Try::SingleRelease, of_balancing(Balancing::Address)),
            (
                Try::SharedRelease,
                of_balancing(Balancing::Shared(&balancer)),
            ),
            (
                Try::EncryptedRelease,
                of_scope(Scope {
                    key: Some(KEY),
                    ..scope
                }),
            ),
            (
                Try::OperationsRelease,
                of_scope(Scope {
                    operations_role: Some(OPERATIONS_ROLE),
                    ..scope
                }),
            ),
            (
                Try::PreviewedRelease,
                Granted {
                    scope: Scope {
                        zone: Some(ZONE),
                        ..scope
                    },
                    previews: true,
                    parameters: vec![HOSTS_PARAMETER, ZONE_PARAMETER],
                    ..older.clone()
                },
            ),
            (
                Try::WatchedRelease,
                of_scope(Scope {
                    alarms: true,
                    ..scope
                }),
            ),
        ],
        4,
    ) {
        let printed = document(&granted);
        let whole: usize = parts(&printed)
            .iter()
            .map(|part| statements(&mut part.clone()).len())
            .sum();
        assert_eq!(whole, statements(&mut printed.clone()).len(), "{attempt:?}");
        assert_eq!(attempt.under(parsed(&printed)).await, Ok(()), "{attempt:?}");
    }
    // What is not known is for every kind.
    let unknown = Granted {
        scope: Scope {
            launch: None,
            ..scope
        },
        balancing: None,
        policy: None,
        schedules: None,
        own_rules: None,
        ..older
    };
    for attempt in sampled(
        "attempts under the policy for every kind",
        [
            Try::Release,
            IMMUTABLE,
            Try::ClassicRelease,
            Try::SingleRelease,
            RULES,
        ],
        1,
    ) {
        let done = attempt.under(parsed(&document(&unknown))).await;
        assert_eq!(done, Ok(()), "{attempt:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_action_can_be_missed() {
    let mut wrong = Vec::new();
    for (action, attempt, words) in sampled("actions", MISSED, 12) {
        match attempt.under(without(action)).await {
            Ok(()) => wrong.push(format!("{attempt:?} does without {action}")),
            Err(told) if told.contains(words) => {}
            Err(told) => wrong.push(format!("{action}, which should tell {words}: {told}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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

#[tokio::test(start_paused = true)]
async fn no_resource_can_be_missed() {
    let mut wrong = Vec::new();
    for (sid, resource, attempt, words, _) in sampled("resources", TOUCHED, 8) {
        let policy = match attempt {
            Try::OperatedSharedRelease | Try::OperatedChecks | Try::OperatedSingleChecks => {
                own_without(sid)
            }
            _ => without_resource(sid, resource),
        };
        match attempt.under(policy).await {
            Ok(()) => wrong.push(format!("{attempt:?} does without {sid} on {resource}")),
            Err(told) if told.contains(words) => {}
            Err(told) => wrong.push(format!("{sid} on {resource}, not {words}: {told}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each statement touches what is written down here and nothing more, and what is wide has
/// its reason.
#[test]
fn every_resource_of_the_policy_is_accounted_for() {
    let mut shipped = shipped_text();
    let mut granted = Vec::new();
    for statement in statements(&mut shipped) {
        let sid = statement["Sid"].as_str().expect("a name").to_owned();
        let resources = resources(statement).into_iter();
        granted.extend(resources.map(|resource| (sid.clone(), resource)));
    }
    let known = TOUCHED.iter();
    let known = known.map(|(sid, resource, ..)| ((*sid).to_owned(), (*resource).to_owned()));
    assert_eq!(granted, known.collect::<Vec<_>>());
    for (sid, resource, .., reason) in TOUCHED {
        assert_eq!(
            resource.contains('*'),
            !reason.is_empty(),
            "{sid} on {resource}: what is wide has its reason, and nothing else"
        );
    }
}

/// Whoever asks for something outside of a condition is denied it, and every value that a
/// condition takes is needed.
#[test]
fn nothing_is_allowed_outside_of_a_condition() {
    let policy = shipped();
    for (sid, action, resource, key, [within, outside]) in LIMITED {
        let judged = |value: &str| {
            let need = Need::new(*action, *resource);
            policy.judge(&need.key(key, [value.to_owned()]))
        };
        assert_eq!(judged(within), Verdict::Allowed, "{sid} with {within}");
        assert_eq!(judged(outside), Verdict::NotAllowed, "{sid} with {outside}");
    }
    // The service's own rules bear no tag of bluegreen's.
    let own = DOCUMENT["Statement"].as_array().expect("statements").iter();
    let own: Vec<_> = own.filter(|s| !s["Condition"]["Null"].is_null()).collect();
    assert_eq!(own.len(), 1, "one statement is of what has no tag");
    assert_eq!(own[0]["Sid"], "BeneathSharedRules");
    let arn = texts(&own[0]["Resource"])[0].replace('*', "1/1");
    let rule = || Need::new("elasticloadbalancing:ModifyRule", arn.as_str());
    assert_eq!(policy.judge(&rule()), Verdict::Allowed);
    let tagged = rule().key("aws:ResourceTag/bluegreen:follow", ["no".to_owned()]);
    assert_eq!(policy.judge(&tagged), Verdict::NotAllowed);
    let mut document = DOCUMENT.clone();
    let mut values = Vec::new();
    for statement in statements(&mut document) {
        let conditions = statement["Condition"].as_object().into_iter().flatten();
        for (_, keys) in conditions.filter(|(operator, _)| *operator != "Null") {
            for (key, taken) in keys.as_object().expect("keys") {
                let sid = statement["Sid"].as_str().expect("a name");
                let taken = texts(taken).into_iter();
                values.extend(taken.map(|value| format!("{sid} {key} {value}")));
            }
        }
    }
    let known = LIMITED.iter();
    let known = known.map(|(sid, _, _, key, [within, _])| format!("{sid} {key} {within}"));
    let known: BTreeSet<String> = known.collect();
    assert_eq!(values.into_iter().collect::<BTreeSet<_>>(), known);
}
