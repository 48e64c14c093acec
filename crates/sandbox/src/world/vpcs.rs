//! The networks of the account: the default VPC with a subnet in each zone, and those that the
//! settings of environments name.

use crate::world::World;
use crate::world::environment::Environment;

/// The namespace of the settings that name them.
const NAMESPACE: &str = "aws:ec2:vpc";

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subnet {
    pub id: String,
    pub vpc: String,
    pub zone: String,
}

impl World {
    /// The id of the account's default VPC.
    pub(crate) fn default_vpc(&self) -> &'static str {
        "vpc-0a1b2c3d4e5f60718"
    }

    /// The Availability Zones of the region.
    pub(crate) fn zones(&self) -> Vec<String> {
        ["a", "b", "c"]
            .map(|zone| format!("{}{zone}", self.region))
            .into()
    }

    /// The VPC that an environment is in.
    pub(crate) fn vpc_of<'a>(&self, environment: &'a Environment) -> &'a str {
        let set = environment.setting(NAMESPACE, "VPCId");
        set.unwrap_or(self.default_vpc())
    }

    /// The ids of all VPCs, the default one first.
    pub(crate) fn vpcs(&self) -> Vec<&str> {
        let mut all = vec![self.default_vpc()];
        for environment in self.environments() {
            let vpc = self.vpc_of(environment);
            if !all.contains(&vpc) {
                all.push(vpc);
            }
        }
        all
    }

    /// All subnets: those of the default VPC first.
    pub(crate) fn subnets(&self) -> Vec<Subnet> {
        let zones = self.zones();
        let own = zones.iter().enumerate().map(|(number, zone)| Subnet {
            id: format!("subnet-0a1b2c3d4e5f6071{number}"),
            vpc: self.default_vpc().to_owned(),
            zone: zone.clone(),
        });
        let mut all: Vec<Subnet> = own.collect();
        for environment in self.environments() {
            for option in ["Subnets", "ELBSubnets"] {
                let ids = environment.setting(NAMESPACE, option).unwrap_or_default();
                let ids = ids.split(',').map(str::trim).filter(|id| !id.is_empty());
                for (number, id) in ids.enumerate() {
                    if !all.iter().any(|subnet| subnet.id == id) {
                        all.push(Subnet {
                            id: id.to_owned(),
                            vpc: self.vpc_of(environment).to_owned(),
                            zone: zones[number % zones.len()].clone(),
                        });
                    }
                }
            }
        }
        all
    }

    /// The subnet that an instance of an environment is in, by its place among the instances: the
    /// first is in the first zone, the next in the next, and after the last zone comes the first.
    pub(crate) fn subnet_of(&self, environment: &Environment, place: usize) -> Option<Subnet> {
        let named = environment.setting(NAMESPACE, "Subnets");
        let named: Vec<&str> = named
            .into_iter()
            .flat_map(|ids| ids.split(','))
            .map(str::trim)
            .collect();
        let mut usable = self.subnets();
        usable.retain(|subnet| match named.is_empty() {
            true => subnet.vpc == self.vpc_of(environment),
            false => named.contains(&subnet.id.as_str()),
        });
        let count = usable.len().max(1);
        usable.into_iter().nth(place % count)
    }
}
