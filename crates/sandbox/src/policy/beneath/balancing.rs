//! What each kind of load balancer needs.

use crate::policy::beneath::resource::On;
use crate::world::setting::{ENVIRONMENT, Setting};

/// What brings requests to an environment's instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Balancing {
    /// An address of the single instance's own.
    Address,
    Classic,
    /// An application or network load balancer of its own: `app` or `net`, as ARNs say it.
    Own(&'static str),
    /// An application load balancer that is shared with others: its ARN.
    Shared(String),
}

impl Balancing {
    /// As the options of an environment say it (developer guide, "General options for all
    /// environments").
    pub fn of(settings: &[Setting]) -> Balancing {
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

    pub fn create(&self) -> &'static [(&'static str, On)] {
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
                (
                    "elasticloadbalancing:ApplySecurityGroupsToLoadBalancer",
                    On::LoadBalancer,
                ),
                (
                    "elasticloadbalancing:AttachLoadBalancerToSubnets",
                    On::LoadBalancer,
                ),
                ("elasticloadbalancing:CreateLoadBalancer", On::LoadBalancer),
                (
                    "elasticloadbalancing:CreateLoadBalancerListeners",
                    On::LoadBalancer,
                ),
                (
                    "elasticloadbalancing:CreateLoadBalancerPolicy",
                    On::LoadBalancer,
                ),
                (
                    "elasticloadbalancing:SetLoadBalancerPoliciesOfListener",
                    On::LoadBalancer,
                ),
                ("elasticloadbalancing:DescribeInstanceHealth", On::Any),
                (
                    "elasticloadbalancing:DescribeLoadBalancerAttributes",
                    On::Any,
                ),
                ("elasticloadbalancing:DescribeLoadBalancerPolicies", On::Any),
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
                (
                    "elasticloadbalancing:DescribeLoadBalancerAttributes",
                    On::Any,
                ),
                ("elasticloadbalancing:DescribeLoadBalancers", On::Any),
                ("elasticloadbalancing:DescribeRules", On::Any),
                ("elasticloadbalancing:DescribeSSLPolicies", On::Any),
                ("elasticloadbalancing:DescribeTags", On::Any),
                (
                    "elasticloadbalancing:DescribeTargetGroupAttributes",
                    On::Any,
                ),
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

    pub fn deploy(&self) -> &'static [(&'static str, On)] {
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

    pub fn terminate(&self) -> &'static [(&'static str, On)] {
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

    /// The actions on the load balancer that a change of the stack needs.
    pub fn configure(&self) -> &'static [(&'static str, On)] {
        match self {
            Balancing::Address | Balancing::Classic => &[],
            Balancing::Own("app") => &[
                ("elasticloadbalancing:ModifyListener", On::Listener),
                ("elasticloadbalancing:ModifyTargetGroup", On::TargetGroup),
                ("elasticloadbalancing:SetSecurityGroups", On::LoadBalancer),
            ],
            Balancing::Own(_) => &[
                ("elasticloadbalancing:ModifyListener", On::Listener),
                ("elasticloadbalancing:ModifyTargetGroup", On::TargetGroup),
            ],
            Balancing::Shared(_) => &[("elasticloadbalancing:ModifyTargetGroup", On::TargetGroup)],
        }
    }
}
