//! DNS over UDP (RFC 1035), as clients of the world see it.

use std::net::IpAddr;

use hickory_proto::op::{Message, MessageType, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::world::World;

/// How long an answer may be kept, in seconds.
const TTL: u32 = 60;

/// The longest message that goes over UDP where the query allows no more.
pub(crate) const BYTES_MAX: usize = 512;

/// The answer to a query; `None` where it is not one.
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

/// The records that answer a question; `None` where there is no such name.
pub(crate) fn records(world: &World, asked: &Name, kind: RecordType) -> Option<Vec<Record>> {
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
    use crate::world::fault::FaultEffect;
    use crate::world::names::PRODUCTION;

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
