//! What balances the requests of an environment.

use crate::world::World;
use crate::world::environment::Environment;
use crate::world::setting::ENVIRONMENT;
use crate::world::stack_parts::StackPart;

/// What balances the requests of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BalancedBy {
    /// Nothing: it is a worker or a single instance.
    Nothing,
    /// A classic load balancer of its own, by its name.
    Classic(String),
    /// An application or network load balancer of its own, by its ARN.
    Own(String),
    /// An application load balancer that it shares, by its ARN.
    Shared(String),
}

impl BalancedBy {
    /// How Elastic Beanstalk names it among the resources of an environment: a classic one by its
    /// name, any other by its ARN (EB CLI, `ebcli/lib/elb.py`).
    pub fn name(self) -> Option<String> {
        match self {
            BalancedBy::Nothing => None,
            BalancedBy::Classic(name) | BalancedBy::Own(name) | BalancedBy::Shared(name) => {
                Some(name)
            }
        }
    }
}

impl World {
    /// What balances the requests of an environment (developer guide, "Environment types",
    /// "Worker environments"; `LoadBalancerType` is `classic` by default).
    pub(crate) fn balanced_by(&self, environment: &Environment) -> BalancedBy {
        let own = |name: &str| environment.setting(ENVIRONMENT, name);
        if environment.is_unbalanced() {
            return BalancedBy::Nothing;
        }
        if own("LoadBalancerIsShared") == Some("true") {
            let named = environment.setting("aws:elbv2:loadbalancer", "SharedLoadBalancer");
            return BalancedBy::Shared(named.map_or_else(|| self.balancer_arn(), str::to_owned));
        }
        match self.balancer_name(environment) {
            Some(arn) => BalancedBy::Own(arn),
            None => BalancedBy::Classic(classic_balancer(environment)),
        }
    }

    /// The load balancer as a part of the stack; a shared one is none.
    pub(crate) fn balancer_part(&self, environment: &Environment) -> Option<StackPart> {
        match self.balanced_by(environment) {
            BalancedBy::Nothing | BalancedBy::Shared(_) => None,
            BalancedBy::Classic(physical_id) => Some(StackPart {
                logical_id: "AWSEBLoadBalancer",
                physical_id,
                kind: "AWS::ElasticLoadBalancing::LoadBalancer",
            }),
            BalancedBy::Own(physical_id) => Some(StackPart {
                logical_id: "AWSEBV2LoadBalancer",
                physical_id,
                kind: "AWS::ElasticLoadBalancingV2::LoadBalancer",
            }),
        }
    }
}

/// The name of a classic load balancer, which has at most 32 characters: CloudFormation shortens
/// what it is made of (AWS CLI reference, `describe-environment-resources`:
/// `awseb-e-q-AWSEBLoa-1EEPZ0K98BIF0`).
fn classic_balancer(environment: &Environment) -> String {
    let own = environment.id.trim_start_matches("e-");
    let first: String = own.chars().take(1).collect();
    format!("awseb-e-{first}-AWSEBLoa-{}", own.to_uppercase())
}
