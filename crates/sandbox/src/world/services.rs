//! The state of the services beside Elastic Beanstalk.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::wire::element::{Element, element};
use crate::world::alarm::Alarm;
use crate::world::balancing::Balancing;
use crate::world::message::Message;
use crate::world::names::{HOSTS_PARAMETER, PRODUCTION, ZONE, ZONE_PARAMETER};
use crate::world::parameter::Parameter;
use crate::world::security_group::SecurityGroup;
use crate::world::zone;
use crate::world::zone::{Change, Zone};

/// The state of these services.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Services {
    pub zones: Vec<Zone>,
    pub changes: Vec<Change>,
    pub parameters: Vec<Parameter>,
    /// The ids of the environments whose stacks are protected against termination.
    pub protected: BTreeSet<String>,
    #[serde(default)]
    pub alarms: Vec<Alarm>,
    #[serde(default)]
    pub balancing: Balancing,
    /// The security groups that are no environment's own.
    #[serde(default)]
    pub groups: Vec<SecurityGroup>,
    /// The ARNs of the topics of SNS.
    #[serde(default)]
    pub topics: BTreeSet<String>,
    /// The names of the event buses of EventBridge beside the default one.
    #[serde(default)]
    pub event_buses: BTreeSet<String>,
    /// What was published to topics and put on event buses, in its order.
    #[serde(default)]
    pub messages: Vec<Message>,
}

impl Services {
    /// Zone `shop.example.` with a name for production and one for previews, and the
    /// parameters that name both.
    pub fn seeded() -> Services {
        let record = |name: &str, kind: &str, ttl: u32, values: &[&str]| {
            let records = values
                .iter()
                .fold(element("ResourceRecords"), |list, value| {
                    list.with(element("ResourceRecord").say("Value", value))
                });
            element("ResourceRecordSet")
                .say("Name", name)
                .say("Type", kind)
                .say("TTL", ttl)
                .with(records)
        };
        let records = vec![
            record(
                "shop.example.",
                "NS",
                172_800,
                &["ns-1.example.", "ns-2.example."],
            ),
            record(
                "shop.example.",
                "SOA",
                900,
                &["ns-1.example. hostmaster.example. 1 7200 900 1209600 86400"],
            ),
            record(
                "preview.shop.example.",
                "CNAME",
                300,
                &["parked.example.net"],
            ),
            record("www.shop.example.", "CNAME", 300, &[PRODUCTION]),
        ];
        let parameter = |name: &str, value: &str| Parameter {
            name: name.to_owned(),
            kind: "String".to_owned(),
            versions: vec![value.to_owned()],
            modified: 0,
        };
        Services {
            zones: vec![Zone {
                id: ZONE.to_owned(),
                name: "shop.example.".to_owned(),
                served: records.clone(),
                records,
            }],
            changes: Vec::new(),
            parameters: vec![
                parameter(ZONE_PARAMETER, ZONE),
                parameter(HOSTS_PARAMETER, "[\"preview.shop.example\"]"),
            ],
            protected: BTreeSet::new(),
            alarms: Vec::new(),
            balancing: Balancing::default(),
            groups: Vec::new(),
            topics: BTreeSet::new(),
            event_buses: BTreeSet::new(),
            messages: Vec::new(),
        }
    }

    /// The name servers' answer in the hosted zones for a name in lower case, without its last dot:
    /// the targets of alias records, and the values of records for names and addresses. `None`
    /// where there is no such name.
    pub fn serves(&self, name: &str) -> Option<(Vec<String>, Vec<String>)> {
        let name = zone::normal(name).ok()?;
        let within = |zone: &&Zone| zone::is_within(&name, &zone.name);
        let zones = self.zones.iter().filter(within);
        let zone = zones.max_by_key(|zone| zone.name.len())?;
        zone.answers(&name)
    }

    /// The record sets that differ from the seeded ones, by name and type.
    pub fn changed_records(&self) -> Vec<String> {
        let all = |services: &Services| -> BTreeSet<Element> {
            services
                .zones
                .iter()
                .flat_map(|zone| zone.records.clone())
                .collect()
        };
        let (seeded, present) = (all(&Services::seeded()), all(self));
        let told = |set: &Element| format!("{} {}", set.get("Name"), set.get("Type"));
        let differing = seeded.symmetric_difference(&present).map(told);
        differing.collect::<BTreeSet<_>>().into_iter().collect()
    }
}
