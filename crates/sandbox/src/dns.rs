//! DNS as clients of the world see it, over UDP (RFC 1035): the CNAMEs of environments, their
//! load balancers, what the hosted zones serve, and records at other providers.
//!
//! A CNAME of an environment is an alias within Elastic Beanstalk's own zone: it answers with the
//! addresses of the load balancer, and does not name it.

use std::net::{IpAddr, Ipv4Addr};

use hickory_proto::op::{Message, MessageType, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use serde::{Deserialize, Serialize};

use crate::model::Environment;
use crate::world::World;

/// How many names a resolver follows one after another.
const STEPS_MAX: usize = 16;

/// How long an answer may be kept, in seconds.
const TTL: u32 = 60;

/// The longest message that is sent over UDP without being asked for more.
pub(crate) const BYTES_MAX: usize = 512;

/// A record at a DNS provider that is none of the account's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Elsewhere {
    pub name: String,
    /// A name for a CNAME, an address for an A or AAAA record.
    pub value: String,
}

/// One step of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Alias(String),
    Addresses(Vec<IpAddr>),
}

impl World {
    /// What a resolver says that is asked for a name, without its last dot: every name on the
    /// way after it, and the addresses in the end. None where there is no such name.
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
fn addresses(endpoint: &str) -> Vec<IpAddr> {
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

/// The answer to a query; none where it is not one.
pub(crate) fn answer(world: &World, query: &[u8]) -> Option<Vec<u8>> {
    let query = Message::from_vec(query).ok()?;
    if query.metadata.message_type != MessageType::Query {
        return None;
    }
    let mut answer = Message::response(query.metadata.id, query.metadata.op_code);
    answer.metadata = Metadata::response_from_request(&query.metadata);
    answer.metadata.recursion_available = true;
    answer.add_queries(query.queries.iter().cloned());
    answer.metadata.response_code = match query.queries.as_slice() {
        _ if world.quirks.dns_fails => ResponseCode::ServFail,
        [asked] if query.metadata.op_code == OpCode::Query => {
            match records(world, asked.name(), asked.query_type()) {
                Some(records) => {
                    answer.add_answers(records);
                    ResponseCode::NoError
                }
                None => ResponseCode::NXDomain,
            }
        }
        _ => ResponseCode::NotImp,
    };
    let bytes = answer.to_vec().ok()?;
    match bytes.len() > BYTES_MAX {
        true => answer.truncate().to_vec().ok(),
        false => Some(bytes),
    }
}

/// The records that answer a question; none where there is no such name.
fn records(world: &World, asked: &Name, kind: RecordType) -> Option<Vec<Record>> {
    let (names, addresses) = world.look_up(&asked.to_ascii())?;
    let mut owner = asked.clone();
    let mut records = Vec::new();
    for name in names {
        let next = Name::from_ascii(format!("{name}.")).ok()?;
        records.push(Record::from_rdata(
            owner,
            TTL,
            RData::CNAME(CNAME(next.clone())),
        ));
        owner = next;
    }
    records.extend(addresses.into_iter().filter_map(|address| {
        let data = match (address, kind) {
            (IpAddr::V4(address), RecordType::A) => RData::A(A(address)),
            (IpAddr::V6(address), RecordType::AAAA) => RData::AAAA(AAAA(address)),
            _ => return None,
        };
        Some(Record::from_rdata(owner.clone(), TTL, data))
    }));
    Some(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::FaultEffect;
    use crate::seed::PRODUCTION;

    fn elsewhere(world: &mut World, name: &str, value: &str) {
        world.inject(FaultEffect::DnsRecord {
            name: name.to_owned(),
            value: value.to_owned(),
        });
    }

    #[test]
    fn names_lead_to_the_load_balancer_behind_them() {
        let mut world = World::seeded(1_800_000_000_000);
        let endpoint = world
            .cname_holder(PRODUCTION)
            .expect("blue")
            .endpoint
            .clone();
        elsewhere(&mut world, "www.mysite.example", PRODUCTION);
        elsewhere(&mut world, "direct.mysite.example", &endpoint);
        elsewhere(&mut world, "ring.mysite.example", "ring.mysite.example");
        elsewhere(&mut world, "mysite.example", "203.0.113.9");
        let (_, nodes) = world.look_up(&endpoint).expect("it is there");
        assert_eq!(nodes.len(), 2);
        let name = str::to_owned;
        for (asked, names, addresses) in [
            (PRODUCTION, vec![], nodes.clone()),
            ("WWW.mysite.example.", vec![name(PRODUCTION)], nodes.clone()),
            (
                "direct.mysite.example",
                vec![endpoint.clone()],
                nodes.clone(),
            ),
            // Of the seeded zone of Route 53.
            ("www.shop.example", vec![name(PRODUCTION)], nodes.clone()),
            (
                "mysite.example",
                vec![],
                vec!["203.0.113.9".parse().expect("one")],
            ),
        ] {
            assert_eq!(world.look_up(asked), Some((names, addresses)), "{asked}");
        }
        assert_eq!(world.look_up("nowhere.example"), None);
        let ring = world.look_up("ring.mysite.example").expect("it is there");
        assert_eq!(ring.1, [] as [IpAddr; 0]);
    }

    #[test]
    fn a_query_is_answered_in_its_own_format() {
        let mut world = World::seeded(1_800_000_000_000);
        elsewhere(&mut world, "www.mysite.example", PRODUCTION);
        let asked = |world: &World, name: &str| {
            let mut query = Message::query();
            let name = Name::from_ascii(name).expect("a name");
            query.add_query(hickory_proto::op::Query::query(name, RecordType::A));
            let bytes = query.to_vec().expect("a message");
            let answer = answer(world, &bytes).expect("an answer");
            let answer = Message::from_vec(&answer).expect("a message");
            assert_eq!(answer.metadata.id, query.metadata.id);
            answer
        };
        let told = asked(&world, "www.mysite.example.");
        let kinds: Vec<_> = told.answers.iter().map(Record::record_type).collect();
        assert_eq!(kinds, [RecordType::CNAME, RecordType::A, RecordType::A]);
        let none = asked(&world, "nowhere.example.");
        assert_eq!(none.metadata.response_code, ResponseCode::NXDomain);
        world.inject(FaultEffect::DnsFails);
        let fails = asked(&world, "www.mysite.example.");
        assert_eq!(fails.metadata.response_code, ResponseCode::ServFail);
        assert_eq!(answer(&world, b"nothing"), None);
    }
}
