//! The environment that a request is about, as far as its resources are known.

use crate::policy::beneath::balancing::Balancing;
use crate::policy::beneath::launching::Launch;
use crate::policy::beneath::resource::On;
use crate::world::World;
use crate::world::iam::need::Need;
use crate::world::setting::{ENVIRONMENT, Setting};

/// The subject of a request: the environment, as far as its resources are known.
pub(crate) struct Subject<'a> {
    pub world: &'a World,
    /// Its id, and a stand-in where it has none yet.
    pub id: &'a str,
    pub settings: &'a [Setting],
    pub balancing: Balancing,
    pub launch: Launch,
}

impl Subject<'_> {
    pub(crate) fn all(&self, lists: &[&[(&str, On)]]) -> Vec<Need> {
        let actions = lists.iter().flat_map(|list| list.iter());
        actions
            .filter_map(|(action, on)| self.need(action, *on))
            .collect()
    }

    /// Whether an option of such a namespace is set.
    pub(crate) fn has(&self, namespace: &str) -> bool {
        let mut settings = self.settings.iter();
        settings.any(|setting| setting.namespace.starts_with(namespace))
    }

    /// An action on a resource; `None` where the environment has none of that kind.
    pub(crate) fn need(&self, action: &str, on: On) -> Option<Need> {
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

    /// A resource of the shared load balancer: its ARN continues where the balancer's ends.
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
