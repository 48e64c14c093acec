//! What Elastic Beanstalk does in other services with the caller's own rights, where an
//! environment has no operations role (API reference, `DisassociateEnvironmentOperationsRole`).
//!
//! AWS publishes no list of it by operation. This one holds what AWS's managed policy
//! AdministratorAccess-AWSElasticBeanstalk grants **and** the stack of a web environment
//! with its kind of load balancer needs to be made, updated and deleted by CloudFormation,
//! or what people found missing: for a deploy aws/aws-toolkit-azure-devops#124 and
//! jenkinsci/aws-beanstalk-publisher-plugin#47, with a classic load balancer
//! codeship/documentation#230 and #338, in the storage bucket apache/grails-core#16260 and
//! codeship/documentation#338 and #450.

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
    Alarm,
    LoadBalancer,
    Listener,
    TargetGroup,
    /// A listener of the load balancer that several environments share.
    SharedListener,
    /// A rule there.
    SharedRule,
    /// The role of the instances, in their instance profile.
    InstanceRole,
    /// The role that Elastic Beanstalk watches the environment with.
    ServiceRole,
    /// The storage bucket of the account and region.
    Storage,
    /// An object in it.
    Stored,
}

/// What brings requests to an environment's instances.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Balancing {
    /// An address of the single instance's own.
    Address,
    Classic,
    /// An application or network load balancer of its own: `app` or `net`, as ARNs say it.
    Own(&'static str),
    /// An application load balancer that others have a part in: its ARN.
    Shared(String),
}

impl Balancing {
    /// As the options of an environment say it (developer guide, "General options for all
    /// environments").
    fn of(settings: &[Setting]) -> Balancing {
        let value = |namespace: &str, name: &str| {
            let found = settings
                .iter()
                .find(|s| s.namespace == namespace && s.name == name);
            found.map(|setting| setting.value.as_str())
        };
        let of_environment = |name| value(ENVIRONMENT, name);
        if of_environment("EnvironmentType") == Some("SingleInstance") {
            return Balancing::Address;
        }
        let shared = value("aws:elbv2:loadbalancer", "SharedLoadBalancer");
        if let (Some("true"), Some(arn)) = (of_environment("LoadBalancerIsShared"), shared) {
            return Balancing::Shared(arn.to_owned());
        }
        match of_environment("LoadBalancerType") {
            Some("application") => Balancing::Own("app"),
            Some("network") => Balancing::Own("net"),
            _ => Balancing::Classic,
        }
    }

    fn create(&self) -> &'static [(&'static str, On)] {
        match self {
            Balancing::Address => &[
                ("ec2:AllocateAddress", On::Any),
                ("ec2:AssociateAddress", On::Any),
                ("ec2:DescribeAddresses", On::Any),
            ],
            Balancing::Classic => &[
                ("elasticloadbalancing:AddTags", On::LoadBalancer),
                (
                    "elasticloadbalancing:ConfigureHealthCheck",
                    On::LoadBalancer,
                ),
                ("elasticloadbalancing:CreateLoadBalancer", On::LoadBalancer),
                ("elasticloadbalancing:DescribeInstanceHealth", On::Any),
                ("elasticloadbalancing:DescribeLoadBalancers", On::Any),
                (
                    "elasticloadbalancing:ModifyLoadBalancerAttributes",
                    On::LoadBalancer,
                ),
            ],
            Balancing::Own(_) => &[
                ("elasticloadbalancing:AddTags", On::LoadBalancer),
                ("elasticloadbalancing:AddTags", On::TargetGroup),
                ("elasticloadbalancing:CreateListener", On::LoadBalancer),
                ("elasticloadbalancing:CreateLoadBalancer", On::LoadBalancer),
                ("elasticloadbalancing:CreateTargetGroup", On::TargetGroup),
                ("elasticloadbalancing:DescribeListeners", On::Any),
                ("elasticloadbalancing:DescribeLoadBalancers", On::Any),
                ("elasticloadbalancing:DescribeTargetGroups", On::Any),
                ("elasticloadbalancing:DescribeTargetHealth", On::Any),
                (
                    "elasticloadbalancing:ModifyLoadBalancerAttributes",
                    On::LoadBalancer,
                ),
                (
                    "elasticloadbalancing:ModifyTargetGroupAttributes",
                    On::TargetGroup,
                ),
            ],
            Balancing::Shared(_) => &[
                ("elasticloadbalancing:AddTags", On::TargetGroup),
                ("elasticloadbalancing:CreateRule", On::SharedListener),
                ("elasticloadbalancing:CreateTargetGroup", On::TargetGroup),
                ("elasticloadbalancing:DescribeListeners", On::Any),
                ("elasticloadbalancing:DescribeLoadBalancers", On::Any),
                ("elasticloadbalancing:DescribeRules", On::Any),
                ("elasticloadbalancing:DescribeTargetGroups", On::Any),
                ("elasticloadbalancing:DescribeTargetHealth", On::Any),
                (
                    "elasticloadbalancing:ModifyTargetGroupAttributes",
                    On::TargetGroup,
                ),
            ],
        }
    }

    fn deploy(&self) -> &'static [(&'static str, On)] {
        match self {
            Balancing::Address => &[],
            Balancing::Classic => &[
                (
                    "elasticloadbalancing:DeregisterInstancesFromLoadBalancer",
                    On::LoadBalancer,
                ),
                ("elasticloadbalancing:DescribeInstanceHealth", On::Any),
                (
                    "elasticloadbalancing:RegisterInstancesWithLoadBalancer",
                    On::LoadBalancer,
                ),
            ],
            Balancing::Own(_) | Balancing::Shared(_) => &[
                ("elasticloadbalancing:DeregisterTargets", On::TargetGroup),
                ("elasticloadbalancing:RegisterTargets", On::TargetGroup),
            ],
        }
    }

    fn terminate(&self) -> &'static [(&'static str, On)] {
        match self {
            Balancing::Address => &[
                ("ec2:DisassociateAddress", On::Any),
                ("ec2:ReleaseAddress", On::Any),
            ],
            Balancing::Classic => &[("elasticloadbalancing:DeleteLoadBalancer", On::LoadBalancer)],
            Balancing::Own(_) => &[
                ("elasticloadbalancing:DeleteListener", On::Listener),
                ("elasticloadbalancing:DeleteLoadBalancer", On::LoadBalancer),
                ("elasticloadbalancing:DeleteTargetGroup", On::TargetGroup),
            ],
            Balancing::Shared(_) => &[
                ("elasticloadbalancing:DeleteRule", On::SharedRule),
                ("elasticloadbalancing:DeleteTargetGroup", On::TargetGroup),
            ],
        }
    }
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
];

/// What a request is about: the environment, as far as its resources tell it.
struct Subject<'a> {
    world: &'a World,
    /// Its id, and a stand-in where it has none yet.
    id: &'a str,
    settings: &'a [Setting],
    balancing: Balancing,
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
        settings: &settings,
    };
    let balancing = &subject.balancing;
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
            let mut needs = subject.all(&[CREATE, balancing.create()]);
            needs.extend(bundle_of(world, application, form.get("VersionLabel")));
            needs
        }
        "UpdateEnvironment" => {
            let application = existing.map_or("", |e| e.application.as_str());
            let deploys = form.get("VersionLabel").is_some();
            let configures = !form.members("OptionSettings").is_empty();
            let mut needs = Vec::new();
            if deploys {
                needs.extend(subject.all(&[DEPLOY, balancing.deploy()]));
            }
            if configures {
                needs.extend(subject.all(&[CONFIGURE]));
            }
            needs.extend(bundle_of(world, application, form.get("VersionLabel")));
            needs
        }
        "TerminateEnvironment" if existing.is_some() => {
            subject.all(&[TERMINATE, balancing.terminate()])
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
            settings: &environment.settings,
        };
        needs.extend(subject.need("elasticloadbalancing:ModifyRule", On::SharedRule));
    }
    needs
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

impl Subject<'_> {
    fn all(&self, lists: &[&[(&str, On)]]) -> Vec<Need> {
        let actions = lists.iter().flat_map(|list| list.iter());
        actions
            .filter_map(|(action, on)| self.need(action, *on))
            .collect()
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
                name => format!("arn:aws:iam::{account}:role/{name}"),
            },
            On::Storage => format!("arn:aws:s3:::elasticbeanstalk-{region}-{account}"),
            On::Stored => format!("arn:aws:s3:::elasticbeanstalk-{region}-{account}/{stack}"),
        };
        let need = Need::new(action, arn);
        let passed_to = match on {
            On::InstanceRole => "ec2.amazonaws.com",
            On::ServiceRole => "elasticbeanstalk.amazonaws.com",
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

/// The option that names the instance profile; the console and the EB CLI give it and its
/// role one name.
const PROFILE: (&str, &str) = ("aws:autoscaling:launchconfiguration", "IamInstanceProfile");
