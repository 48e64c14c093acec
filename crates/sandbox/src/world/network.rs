//! The security groups of environments, and those of others that admit them; the Elastic IP
//! addresses of single instances.

use crate::world::World;
use crate::world::environment::Environment;
use crate::world::security_group::SecurityGroup;

impl World {
    /// The addresses that are allocated.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.environments()
            .filter_map(Environment::address)
            .collect()
    }

    /// The groups of others, and each environment's own; the load balancer's may reach the
    /// instances.
    pub(crate) fn all_groups(&self) -> Vec<SecurityGroup> {
        let mut all = self.services.groups.clone();
        for environment in self.environments() {
            let balancer = environment.balancer_group();
            all.extend(environment.own_group().map(|id| SecurityGroup {
                id,
                name: environment.own_group_name(),
                admits: vec![balancer.clone()],
            }));
            all.push(SecurityGroup {
                name: format!(
                    "awseb-{}-stack-AWSEBLoadBalancerSecurityGroup",
                    environment.id
                ),
                id: balancer,
                admits: Vec::new(),
            });
        }
        all
    }

    /// Lets a group of somebody else's, as a database has one, admit the group that the service
    /// made for an environment.
    pub(crate) fn admit(&mut self, group: &str, environment: &str) {
        let own = self
            .environment(environment)
            .and_then(Environment::own_group);
        let id = format!("sg-{:017x}", self.random());
        let groups = &mut self.services.groups;
        let at = groups.iter().position(|found| found.name == group);
        let at = at.unwrap_or_else(|| {
            groups.push(SecurityGroup {
                id,
                name: group.to_owned(),
                admits: Vec::new(),
            });
            groups.len() - 1
        });
        groups[at].admits.extend(own);
    }

    /// What keeps the group that the service made for an environment from being deleted: a
    /// rule that names it, or another environment's instances in it (developer guide,
    /// "Terminate an Elastic Beanstalk environment").
    pub(crate) fn group_in_use(&self, environment: &Environment) -> Option<String> {
        let own = environment.own_group()?;
        let admitted = self.services.groups.iter();
        let mut admitted = admitted.filter(|group| group.admits.contains(&own));
        let others = self.environments().filter(|e| e.id != environment.id);
        let mut others = others.filter(|e| e.groups().contains(&own));
        (admitted.next().is_some() || others.next().is_some()).then_some(own)
    }

    /// An Elastic IP address, of those that are for documentation (RFC 5737).
    pub(crate) fn new_address(&mut self) -> String {
        format!("203.0.113.{}", self.number() % 254 + 1)
    }
}
