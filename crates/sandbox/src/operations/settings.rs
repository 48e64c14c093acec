//! Option settings as the service describes them.

use crate::query::options::merge;
use crate::wire::answer::{Node, node};
use crate::world::environment::{Environment, Tier};
use crate::world::setting::{GROUPS, Setting};

/// Whether an environment is from before the service made launch templates. Those that a
/// sandbox is seeded with are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    Older,
    New,
}

impl Age {
    /// The resource of the stack that instances are launched by.
    fn launch(self) -> &'static str {
        match self {
            Age::Older => "AWSEBAutoScalingLaunchConfiguration",
            Age::New => "AWSEBEC2LaunchTemplate",
        }
    }

    /// The options that the service lists although they are not set: newer environments have
    /// others.
    fn unset(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Age::Older => &[
                ("aws:autoscaling:launchconfiguration", "EC2KeyName"),
                ("aws:elasticbeanstalk:managedactions", "PreferredStartTime"),
            ],
            Age::New => &[
                ("aws:autoscaling:launchconfiguration", "EC2KeyName"),
                (
                    "aws:autoscaling:launchconfiguration",
                    "LaunchTemplateTagPropagationEnabled",
                ),
            ],
        }
    }
}

/// The resource that the service names for an option: the logical id of one in the environment's
/// stack.
fn resource_of(namespace: &str, name: &str, age: Age) -> Option<&'static str> {
    let of_process = "aws:elasticbeanstalk:environment:process:";
    Some(match (namespace, name) {
        ("aws:autoscaling:asg" | "aws:autoscaling:updatepolicy:rollingupdate", _)
        | ("aws:ec2:vpc", "Subnets") => "AWSEBAutoScalingGroup",
        (
            "aws:autoscaling:launchconfiguration",
            "BlockDeviceMappings"
            | "EC2KeyName"
            | "IamInstanceProfile"
            | "ImageId"
            | "MonitoringInterval"
            | "RootVolumeIOPS"
            | "RootVolumeSize"
            | "RootVolumeThroughput"
            | "RootVolumeType"
            | "SecurityGroups",
        )
        | ("aws:ec2:vpc", "AssociatePublicIpAddress") => age.launch(),
        ("aws:ec2:vpc", "VPCId") => "AWSEBSecurityGroup",
        ("aws:rds:dbinstance", name) if name != "HasCoupledDatabase" => "AWSEBRDSDatabase",
        ("aws:elbv2:loadbalancer", _) => "AWSEBV2LoadBalancer",
        (namespace, _) if namespace.starts_with(of_process) => "AWSEBV2LoadBalancerTargetGroup",
        (namespace, _) if namespace.starts_with("aws:elb:") => "AWSEBLoadBalancer",
        _ => return None,
    })
}

/// An option and its value, which is left out where it is not set.
fn setting_node(namespace: &str, name: &str, value: Option<&str>, resource: Option<&str>) -> Node {
    node()
        .option("ResourceName", resource)
        .text("Namespace", namespace)
        .text("OptionName", name)
        .option("Value", value)
}

pub(crate) fn setting_nodes(settings: &[Setting], age: Age) -> impl Iterator<Item = Node> {
    settings.iter().map(move |s| {
        let resource = s.resource.as_deref();
        let resource = resource.or_else(|| resource_of(&s.namespace, &s.name, age));
        setting_node(&s.namespace, &s.name, Some(&s.value), resource)
    })
}

/// The option that names an environment's security groups.
pub(crate) fn own_groups(value: String) -> Setting {
    let (namespace, name) = GROUPS;
    Setting::new(namespace, name, &value)
}

/// The settings, and what the service has made for this environment alone.
fn with_its_own(environment: &Environment) -> Vec<Setting> {
    let own = |namespace: &str, name: &str, value: String| Setting::new(namespace, name, &value);
    let number = environment.id.trim_start_matches("e-");
    let label = &environment.version_label;
    let mut settings = environment.in_force();
    merge(
        &mut settings,
        vec![own_groups(environment.groups().join(","))],
    );
    settings.extend([
        own(
            "aws:elasticbeanstalk:sns:topics",
            "Notification Topic Name",
            format!(
                "ElasticBeanstalkNotifications-Environment-{}",
                environment.name
            ),
        ),
        own(
            "aws:cloudformation:template:parameter",
            "AppSource",
            format!("https://elasticbeanstalk.s3.amazonaws.com/{number}/{label}.zip"),
        ),
    ]);
    let kind = |name| environment.setting("aws:elasticbeanstalk:environment", name);
    // The EB CLI reads it of every application load balancer (`ebcli/operations/terminateops.py`).
    if kind("LoadBalancerType") == Some("application") && kind("LoadBalancerIsShared").is_none() {
        let namespace = "aws:elasticbeanstalk:environment";
        settings.push(Setting::new(namespace, "LoadBalancerIsShared", "false"));
    }
    let is_alone = kind("EnvironmentType") == Some("SingleInstance");
    let is_shared = kind("LoadBalancerIsShared") == Some("true");
    let balancer = match kind("LoadBalancerType") {
        _ if is_alone || is_shared || environment.tier == Tier::Worker => None,
        Some("application") => Some("aws:elbv2:loadbalancer"),
        Some("network") => None,
        _ => Some("aws:elb:loadbalancer"),
    };
    settings.extend(balancer.into_iter().flat_map(|namespace| {
        ["SecurityGroups", "ManagedSecurityGroup"]
            .map(|name| own(namespace, name, environment.balancer_group()))
    }));
    settings
}

/// The sets of an environment's settings: the deployed one, and while an update changes it the
/// pending one too (API reference, `UpdateEnvironment`).
pub(crate) fn environment_settings(environment: &Environment, age: Age) -> Vec<Node> {
    let Some(deployed) = &environment.deployed else {
        return vec![settings_set(environment, age, "deployed")];
    };
    let before = environment.with_settings(deployed.clone());
    vec![
        settings_set(&before, age, "deployed"),
        settings_set(environment, age, "pending"),
    ]
}

fn settings_set(environment: &Environment, age: Age, status: &str) -> Node {
    let set = with_its_own(environment);
    let is_set = |(namespace, name): &&(&str, &str)| {
        let mut set = set.iter();
        set.any(|one| one.namespace == *namespace && one.name == *name)
    };
    let unset: Vec<_> = age.unset().iter().filter(|one| !is_set(one)).collect();
    let unset = unset.into_iter().map(|(namespace, name)| {
        setting_node(namespace, name, None, resource_of(namespace, name, age))
    });
    node()
        .option(
            "SolutionStackName",
            super::platform::stack_name(&environment.solution_stack),
        )
        .text(
            "PlatformArn",
            super::platform::arn_of(&environment.solution_stack),
        )
        .text("ApplicationName", &environment.application)
        .text("Description", &environment.description)
        .text("EnvironmentName", &environment.name)
        .absent("TemplateName")
        .text("DeploymentStatus", status)
        .date("DateCreated", environment.created)
        .date("DateUpdated", environment.updated)
        .nodes("OptionSettings", setting_nodes(&set, age).chain(unset))
        // The public model lacks it; the service sends it and `eb health` reads it.
        .node("Tier", super::describe::tier_node(environment.tier))
}
