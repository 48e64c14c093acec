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

use self::balancing::Balancing;
use self::launching::Launch;
use self::policies::DeploymentPolicy;
use super::Need;
use crate::model::Setting;
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
    /// What instances of an older environment are launched by.
    LaunchConfiguration,
    Alarm,
    LoadBalancer,
    Listener,
    /// A rule of a listener of the environment's own.
    Rule,
    TargetGroup,
    /// A listener of the load balancer that several environments share.
    SharedListener,
    /// A rule there.
    SharedRule,
    /// The role of the instances, in their instance profile.
    InstanceRole,
    /// The role that Elastic Beanstalk watches the environment with.
    ServiceRole,
    /// The service's role for Auto Scaling, which an account has once.
    RoleOfScaling,
    /// The same for load balancing.
    RoleOfBalancing,
    /// The storage bucket of the account and region.
    Storage,
    /// An object in it.
    Stored,
    /// An instance that is to be launched by a launch template (Auto Scaling user guide, "Control
    /// Amazon EC2 launch template usage"); with a launch configuration nobody is asked for it.
    NewInstance,
    /// One of the stack's.
    Instance,
}

const ENVIRONMENT: &str = "aws:elasticbeanstalk:environment";

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

/// What a request is about: the environment, as far as its resources tell it.
struct Subject<'a> {
    world: &'a World,
    /// Its id, and a stand-in where it has none yet.
    id: &'a str,
    settings: &'a [Setting],
    balancing: Balancing,
    launch: Launch,
}

/// What a request needs beneath.
pub(super) fn needs(world: &World, form: &Form) -> Vec<Need> {
    if form.operation() == "SwapEnvironmentCNAMEs" {
        return swapped(world, form);
    }
    let found = world.named(form).ok();
    let existing = found.map(|at| &world.view.environments[at]);
    let application = form.get("ApplicationName").unwrap_or_default();
    let settings = match existing {
        Some(environment) => environment.in_force(),
        None => world.settings_to_be(form, application),
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
    let named = |id, name| world.find(form.get(id), form.get(name)).ok();
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
pub(super) fn bundle(world: &World, form: &Form) -> Vec<Need> {
    let found = world.named(form).ok();
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

impl Subject<'_> {
    fn all(&self, lists: &[&[(&str, On)]]) -> Vec<Need> {
        let actions = lists.iter().flat_map(|list| list.iter());
        actions
            .filter_map(|(action, on)| self.need(action, *on))
            .collect()
    }

    /// Whether an option of such a namespace is set.
    fn has(&self, namespace: &str) -> bool {
        let mut settings = self.settings.iter();
        settings.any(|setting| setting.namespace.starts_with(namespace))
    }

    /// An action on a resource; none where the environment has none of that kind.
    fn need(&self, action: &str, on: On) -> Option<Need> {
        let (region, account) = (&self.world.region, &self.world.account);
        let stack = format!("awseb-{}-stack", self.id);
        let scope = |service: &str| format!("arn:aws:{service}:{region}:{account}");
        let balancing = scope("elasticloadbalancing");
        let arn = match on {
            On::Any => "*".to_owned(),
            On::Stack => format!("{}:stack/{stack}/1", scope("cloudformation")),
            On::ScalingGroup => format!(
                "{}:autoScalingGroup:1:autoScalingGroupName/{stack}-AWSEBAutoScalingGroup-1",
                scope("autoscaling")
            ),
            On::LaunchConfiguration => format!(
                "{}:launchConfiguration:1:launchConfigurationName/{stack}-AWSEBAutoScalingLaunchConfiguration-1",
                scope("autoscaling")
            ),
            On::Alarm => format!(
                "{}:alarm:{stack}-AWSEBCloudwatchAlarmHigh-1",
                scope("cloudwatch")
            ),
            On::LoadBalancer => match self.balancing {
                Balancing::Own(kind) => {
                    format!("{balancing}:loadbalancer/{kind}/awseb--AWSEB-1/1")
                }
                _ => format!("{balancing}:loadbalancer/awseb-e-1-AWSEBLoa-1"),
            },
            On::Listener => match self.balancing {
                Balancing::Own(kind) => {
                    format!("{balancing}:listener/{kind}/awseb--AWSEB-1/1/1")
                }
                _ => return None,
            },
            On::Rule => match self.balancing {
                Balancing::Own(kind) => {
                    format!("{balancing}:listener-rule/{kind}/awseb--AWSEB-1/1/1/1")
                }
                _ => return None,
            },
            On::TargetGroup => format!("{balancing}:targetgroup/awseb-AWSEB-1/1"),
            On::SharedListener => self.of_shared("listener", "1")?,
            On::SharedRule => self.of_shared("listener-rule", "1/1")?,
            On::InstanceRole => {
                let profile = self.option(PROFILE.0, PROFILE.1)?;
                let profile = profile.rsplit('/').next().unwrap_or(profile);
                format!("arn:aws:iam::{account}:role/{profile}")
            }
            On::ServiceRole => match self.option(ENVIRONMENT, "ServiceRole")? {
                arn if arn.starts_with("arn:") => arn.to_owned(),
                // The option tells it without its path (developer guide, "Using service-linked
                // roles for Elastic Beanstalk").
                "AWSServiceRoleForElasticBeanstalk" => {
                    service_linked(account, "elasticbeanstalk", "ElasticBeanstalk")
                }
                name => format!("arn:aws:iam::{account}:role/{name}"),
            },
            On::RoleOfScaling => service_linked(account, "autoscaling", "AutoScaling"),
            On::RoleOfBalancing => {
                service_linked(account, "elasticloadbalancing", "ElasticLoadBalancing")
            }
            On::Storage => format!("arn:aws:s3:::elasticbeanstalk-{region}-{account}"),
            On::Stored => format!("arn:aws:s3:::elasticbeanstalk-{region}-{account}/{stack}"),
            On::NewInstance if self.launch == Launch::Configuration => return None,
            On::NewInstance => format!("{}:instance/*", scope("ec2")),
            On::Instance => format!("{}:instance/i-1", scope("ec2")),
        };
        let need = Need::new(action, arn);
        match on {
            On::NewInstance => {
                let template = format!("{}:launch-template/lt-1", scope("ec2"));
                return Some(need.key("ec2:LaunchTemplate", [template]));
            }
            On::Instance => {
                let tag = "ec2:ResourceTag/aws:cloudformation:stack-id";
                let stack = format!("{}:stack/{stack}/1", scope("cloudformation"));
                return Some(need.key(tag, [stack]));
            }
            _ => {}
        }
        let passed_to = match on {
            On::InstanceRole => "ec2.amazonaws.com",
            On::ServiceRole => "elasticbeanstalk.amazonaws.com",
            On::RoleOfScaling | On::RoleOfBalancing => {
                let service = match on {
                    On::RoleOfScaling => "autoscaling.amazonaws.com",
                    _ => "elasticloadbalancing.amazonaws.com",
                };
                return Some(need.key("iam:AWSServiceName", [service.to_owned()]));
            }
            _ => return Some(need),
        };
        Some(need.key("iam:PassedToService", [passed_to.to_owned()]))
    }

    fn option(&self, namespace: &str, name: &str) -> Option<&str> {
        let mut settings = self.settings.iter();
        let found = settings.find(|s| s.namespace == namespace && s.name == name)?;
        Some(found.value.as_str()).filter(|value| !value.is_empty())
    }

    /// Something of the shared load balancer's: its ARN goes on where the balancer's ends.
    fn of_shared(&self, kind: &str, rest: &str) -> Option<String> {
        let Balancing::Shared(arn) = &self.balancing else {
            return None;
        };
        let arn = arn.replacen(":loadbalancer/", &format!(":{kind}/"), 1);
        Some(format!("{arn}/{rest}"))
    }
}

/// The ARN of a service's own role.
fn service_linked(account: &str, service: &str, name: &str) -> String {
    format!(
        "arn:aws:iam::{account}:role/aws-service-role/{service}.amazonaws.com/AWSServiceRoleFor{name}"
    )
}

/// The option that names the instance profile; the console and the EB CLI give it and its
/// role one name.
const PROFILE: (&str, &str) = ("aws:autoscaling:launchconfiguration", "IamInstanceProfile");
