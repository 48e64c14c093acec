//! Names as a resolver follows them: the CNAMEs of environments, their load balancers, what the
//! hosted zones serve, and records at other providers.
//!
//! A CNAME of an environment is an alias within Elastic Beanstalk's own zone: it answers with the
//! addresses of the load balancer, and does not name it.

use std::net::{IpAddr, Ipv4Addr};

use crate::world::World;
use crate::world::environment::Environment;

/// How many names a resolver follows one after another.
const STEPS_MAX: usize = 16;

/// One step of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Alias(String),
    Addresses(Vec<IpAddr>),
}

impl World {
    /// A resolver's answer for a name, without its last dot: every name on the way after it, and
    /// the addresses in the end. `None` where there is no such name.
    #[must_use]
    pub fn look_up(&self, name: &str) -> Option<(Vec<String>, Vec<IpAddr>)> {
        self.followed(name, STEPS_MAX)
    }

    fn followed(&self, name: &str, steps_max: usize) -> Option<(Vec<String>, Vec<IpAddr>)> {
        let mut at = name.trim_end_matches('.').to_ascii_lowercase();
        let mut names = Vec::new();
        for left in (0..steps_max).rev() {
            match self.step(&at, left)? {
                Step::Addresses(addresses) => return Some((names, addresses)),
                Step::Alias(next) => {
                    at = next.trim_end_matches('.').to_ascii_lowercase();
                    names.push(at.clone());
                }
            }
        }
        Some((names, Vec::new()))
    }

    /// The environment's name or address that a request for this host gets to, which is the
    /// address of an instance, or a name of another DNS provider.
    pub(crate) fn led_elsewhere(&self, host: &str) -> Option<String> {
        let endpoint_at = |at: &IpAddr| {
            let mut all = self.environments();
            let environment = all.find(|e| addresses(&e.endpoint).contains(at))?;
            Some(environment.endpoint.clone())
        };
        if let Ok(address) = host.parse() {
            return endpoint_at(&address).filter(|endpoint| endpoint == host);
        }
        self.quirks.dns.iter().find(|record| record.name == host)?;
        let (names, addresses) = self.look_up(host)?;
        let by_name = names.last().filter(|name| {
            name.ends_with(".amazonaws.com") || name.ends_with(".elasticbeanstalk.com")
        });
        by_name
            .cloned()
            .or_else(|| addresses.iter().find_map(endpoint_at))
    }

    fn step(&self, name: &str, steps_left: usize) -> Option<Step> {
        let mut all = self.environments();
        let is_here = |e: &&Environment| {
            e.cname.as_deref() == Some(name) || e.endpoint.eq_ignore_ascii_case(name)
        };
        if let Some(environment) = all.find(is_here) {
            return Some(Step::Addresses(addresses(&environment.endpoint)));
        }
        let elsewhere = self.quirks.dns.iter().filter(|record| record.name == name);
        let values: Vec<String> = elsewhere.map(|record| record.value.clone()).collect();
        let (aliases, values) = match values.is_empty() {
            true => self.services.serves(name)?,
            false => (Vec::new(), values),
        };
        // An alias record answers with what its target has.
        let of_aliases = aliases.iter();
        let of_aliases = of_aliases.filter_map(|name| Some(self.followed(name, steps_left)?.1));
        let mut found: Vec<IpAddr> = of_aliases.flatten().collect();
        found.extend(
            values
                .iter()
                .filter_map(|value| value.parse::<IpAddr>().ok()),
        );
        let name = values.iter().find(|value| value.parse::<IpAddr>().is_err());
        Some(match name {
            Some(name) => Step::Alias(name.clone()),
            None => Step::Addresses(found),
        })
    }
}

/// The addresses of a load balancer, of those that are for benchmarks (RFC 2544); that of a
/// single instance is its own.
pub(crate) fn addresses(endpoint: &str) -> Vec<IpAddr> {
    if let Ok(address) = endpoint.parse() {
        return vec![address];
    }
    let hash = endpoint.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let [a, b, ..] = hash.to_be_bytes();
    let node = |second| IpAddr::from(Ipv4Addr::new(198, second, a, b));
    vec![node(18), node(19)]
}
