//! Record sets as Route 53 returns them, kept whole so that they can be put back.

use serde::{Deserialize, Serialize};

/// How long a preview's CNAME may be cached, in seconds.
pub const TTL_SECONDS: i64 = 60;

/// What a hostname holds in its zone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// Nothing.
    Absent,
    /// One CNAME and nothing else.
    Cname {
        /// Its time to live, in seconds.
        ttl: i64,
        /// The name that it leads to.
        value: String,
    },
    /// Anything else: all record sets of the name.
    Other(Vec<RecordSet>),
}

/// A record set, with the fields and names of the API (API reference,
/// `ResourceRecordSet`).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct RecordSet {
    pub name: String,
    #[serde(rename = "Type")]
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_identifier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geo_location: Option<GeoLocation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multi_value_answer: Option<bool>,
    #[serde(rename = "TTL", default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resource_records: Vec<ResourceRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias_target: Option<AliasTarget>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic_policy_instance_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidr_routing_config: Option<CidrRoutingConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geo_proximity_location: Option<GeoProximityLocation>,
}

/// One value of a record set.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ResourceRecord {
    pub value: String,
}

/// Where an alias leads.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct AliasTarget {
    pub hosted_zone_id: String,
    #[serde(rename = "DNSName")]
    pub dns_name: String,
    pub evaluate_target_health: bool,
}

/// Whom a record set of geolocation routing answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct GeoLocation {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continent_code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country_code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subdivision_code: Option<String>,
}

/// Whom a record set of IP-based routing answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct CidrRoutingConfig {
    pub collection_id: String,
    pub location_name: String,
}

/// Whom a record set of geoproximity routing answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct GeoProximityLocation {
    #[serde(rename = "AWSRegion", default, skip_serializing_if = "Option::is_none")]
    pub aws_region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_zone_group: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coordinates: Option<Coordinates>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bias: Option<i32>,
}

/// A place on the globe.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Coordinates {
    pub latitude: String,
    pub longitude: String,
}

impl Record {
    /// The CNAME that leads a preview to `target`.
    #[must_use]
    pub fn preview(target: &str) -> Record {
        Record::Cname {
            ttl: TTL_SECONDS,
            value: target.to_owned(),
        }
    }

    /// What a hostname with these record sets holds.
    #[must_use]
    pub fn of(sets: Vec<RecordSet>) -> Record {
        match &sets[..] {
            [] => Record::Absent,
            [only] => match only.plain_cname() {
                Some((ttl, value)) => Record::Cname {
                    ttl,
                    value: value.to_owned(),
                },
                None => Record::Other(sets),
            },
            _ => Record::Other(sets),
        }
    }

    /// The record sets that make a hostname hold this.
    #[must_use]
    pub fn sets(&self, host: &str) -> Vec<RecordSet> {
        match self {
            Record::Absent => Vec::new(),
            Record::Cname { ttl, value } => vec![RecordSet {
                name: host.to_owned(),
                kind: "CNAME".to_owned(),
                ttl: Some(*ttl),
                resource_records: vec![ResourceRecord {
                    value: value.clone(),
                }],
                ..RecordSet::default()
            }],
            Record::Other(sets) => sets.clone(),
        }
    }

    /// Whether both are the same to DNS: names in any case, with their last dot or
    /// without; record sets and values in any order.
    #[must_use]
    pub fn same(&self, other: &Record) -> bool {
        let settled = |record: &Record| {
            let mut sets: Vec<RecordSet> = record.sets("").iter().map(RecordSet::settled).collect();
            sets.sort();
            sets
        };
        settled(self) == settled(other)
    }

    /// Whether it is one CNAME that leads to `target`.
    #[must_use]
    pub fn leads_to(&self, target: &str) -> bool {
        matches!(self, Record::Cname { value, .. } if same_name(value, target))
    }

    /// In words, as in `CNAME to shop.example (TTL 60)`.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Record::Absent => "no record".to_owned(),
            Record::Cname { ttl, value } => format!("CNAME to {value} (TTL {ttl})"),
            Record::Other(sets) => {
                let words: Vec<String> = sets.iter().map(RecordSet::in_words).collect();
                words.join("; ")
            }
        }
    }
}

impl RecordSet {
    /// The time to live and the value, where it is a CNAME and nothing more.
    fn plain_cname(&self) -> Option<(i64, &str)> {
        let (ttl, [only]) = (self.ttl?, &self.resource_records[..]) else {
            return None;
        };
        let bare = RecordSet {
            name: self.name.clone(),
            kind: "CNAME".to_owned(),
            ttl: Some(ttl),
            resource_records: vec![only.clone()],
            ..RecordSet::default()
        };
        (*self == bare).then_some((ttl, only.value.as_str()))
    }

    /// Where it leads: a CNAME's values or an alias's target.
    pub fn targets(&self) -> impl Iterator<Item = &str> {
        let alias = self
            .alias_target
            .iter()
            .map(|alias| alias.dns_name.as_str());
        let values = self.resource_records.iter().map(|r| r.value.as_str());
        alias.chain(values.filter(|_| self.kind == "CNAME"))
    }

    /// Whether it leads to one of `names`. The name of a load balancer may have
    /// `dualstack.` before it, as the console writes it into alias records.
    #[must_use]
    pub fn leads_to_any(&self, names: &[String]) -> bool {
        self.targets().any(|target| {
            let target = plain(target);
            let bare = target.strip_prefix("dualstack.").unwrap_or(&target);
            names.iter().any(|name| plain(name) == bare)
        })
    }

    /// Whether one of its values is one of `names`, as an address is.
    #[must_use]
    pub fn holds_any(&self, names: &[String]) -> bool {
        let mut values = self.resource_records.iter();
        values.any(|record| names.contains(&record.value))
    }

    /// In words, as in `A alias to lb.example` or `TXT`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let how = if self.alias_target.is_some() {
            " alias"
        } else {
            ""
        };
        let targets: Vec<&str> = self.targets().collect();
        let to = if targets.is_empty() {
            String::new()
        } else {
            format!(" to {}", targets.join(", "))
        };
        let which = self.set_identifier.as_ref();
        let which = which.map_or(String::new(), |id| format!(" ({id})"));
        format!("{}{how}{to}{which}", self.kind)
    }

    /// Its form in which equal ones are equal.
    fn settled(&self) -> RecordSet {
        let mut set = RecordSet {
            name: String::new(),
            ..self.clone()
        };
        if let Some(alias) = &mut set.alias_target {
            alias.dns_name = plain(&alias.dns_name);
        }
        for record in &mut set.resource_records {
            if set.kind == "CNAME" {
                record.value = plain(&record.value);
            }
        }
        set.resource_records.sort();
        set
    }
}

/// Whether two names are one to DNS.
#[must_use]
pub fn same_name(a: &str, b: &str) -> bool {
    plain(a) == plain(b)
}

/// A name in lower case, without its last dot.
fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cname(ttl: i64, value: &str) -> Record {
        Record::Cname {
            ttl,
            value: value.to_owned(),
        }
    }

    #[test]
    fn only_a_plain_cname_is_read_as_one() {
        let plain = cname(300, "a.example").sets("x.example.");
        assert_eq!(Record::of(plain.clone()), cname(300, "a.example"));
        assert_eq!(Record::of(Vec::new()), Record::Absent);
        let weighted = RecordSet {
            set_identifier: Some("one".to_owned()),
            weight: Some(10),
            ..plain[0].clone()
        };
        assert_eq!(
            Record::of(vec![weighted.clone()]),
            Record::Other(vec![weighted])
        );
    }

    #[test]
    fn a_record_of_another_kind_survives_the_journal_whole() {
        let set = RecordSet {
            name: "x.example.".to_owned(),
            kind: "A".to_owned(),
            set_identifier: Some("eu".to_owned()),
            failover: Some("PRIMARY".to_owned()),
            alias_target: Some(AliasTarget {
                hosted_zone_id: "Z1".to_owned(),
                dns_name: "lb.example.".to_owned(),
                evaluate_target_health: true,
            }),
            geo_proximity_location: Some(GeoProximityLocation {
                aws_region: Some("eu-west-1".to_owned()),
                bias: Some(-3),
                ..GeoProximityLocation::default()
            }),
            ..RecordSet::default()
        };
        let record = Record::Other(vec![set]);
        let json = serde_json::to_string(&record).expect("it is JSON");
        assert!(
            json.contains(r#""AliasTarget":{"HostedZoneId":"Z1","DNSName":"lb.example.""#),
            "{json}"
        );
        let read: Record = serde_json::from_str(&json).expect("it reads");
        assert_eq!(read, record);
        assert_eq!(record.in_words(), "A alias to lb.example. (eu)");
    }

    #[test]
    fn names_are_compared_as_dns_does() {
        assert!(cname(60, "A.Example").same(&cname(60, "a.example.")));
        assert!(!cname(60, "a.example").same(&cname(61, "a.example")));
        assert!(cname(1, "A.example.").leads_to("a.example"));
        let alias = RecordSet {
            kind: "A".to_owned(),
            alias_target: Some(AliasTarget {
                dns_name: "dualstack.LB.example.".to_owned(),
                ..AliasTarget::default()
            }),
            ..RecordSet::default()
        };
        assert!(alias.leads_to_any(&["x.example".to_owned(), "lb.example".to_owned()]));
        let text = RecordSet {
            kind: "TXT".to_owned(),
            resource_records: vec![ResourceRecord {
                value: "lb.example".to_owned(),
            }],
            ..RecordSet::default()
        };
        assert!(!text.leads_to_any(&["lb.example".to_owned()]));
    }
}
