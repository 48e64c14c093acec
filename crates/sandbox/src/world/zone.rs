//! A hosted zone: what may be in it, and what a batch of changes makes of it.

use serde::{Deserialize, Serialize};

use crate::time::Millis;
use crate::wire::element::Element;

/// A hosted zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Zone {
    pub id: String,
    /// In lower case, with its dot at the end.
    pub name: String,
    /// The record sets in the form of the API.
    pub records: Vec<Element>,
    /// The record sets as the name servers answer them, which takes a while.
    pub served: Vec<Element>,
}

/// Why a batch is refused: what is malformed, or what contradicts the zone.
pub(crate) enum Unfit {
    Input(String),
    Batch(Vec<String>),
}

impl Zone {
    /// What the zone holds after a batch: all of its changes, in their order, or none.
    pub fn changed(&self, changes: &[Element]) -> Result<Vec<Element>, Unfit> {
        let mut records = self.records.clone();
        let (mut seen, mut unfit) = (Vec::new(), Vec::new());
        for change in changes {
            let action = change.get("Action");
            let set = change.child("ResourceRecordSet").ok_or_else(|| {
                Unfit::Input("Invalid XML ; a Change has no ResourceRecordSet".to_owned())
            })?;
            let set = well_formed(action, set)?;
            let this = (action.to_owned(), order(&set));
            if seen.contains(&this) {
                let (kind, name) = (set.get("Type"), set.get("Name"));
                unfit.push(format!(
                    "The request contains an invalid set of changes for a resource record set '{kind} {name}'"
                ));
                continue;
            }
            seen.push(this);
            match self.change(&mut records, action, set) {
                Ok(()) => {}
                Err(message) => unfit.push(message),
            }
        }
        for (kind, why) in [
            ("SOA", "A HostedZone must contain exactly one SOA record."),
            (
                "NS",
                "A HostedZone must contain at least one NS record for the zone itself.",
            ),
        ] {
            if !records
                .iter()
                .any(|r| r.get("Type") == kind && r.get("Name") == self.name)
            {
                unfit.push(why.to_owned());
            }
        }
        if unfit.is_empty() {
            Ok(records)
        } else {
            Err(Unfit::Batch(unfit))
        }
    }

    fn change(&self, records: &mut Vec<Element>, action: &str, set: Element) -> Result<(), String> {
        let (name, kind) = (set.get("Name").to_owned(), set.get("Type").to_owned());
        if !is_within(&name, &self.name) {
            return Err(format!(
                "RRSet with DNS name {name} is not permitted in zone {}",
                self.name
            ));
        }
        let present = records.iter().position(|r| identity(r) == identity(&set));
        match (action, present) {
            ("DELETE", None) => {
                return Err(format!(
                    "Tried to delete resource record set [name='{name}', type='{kind}'] but it was not found"
                ));
            }
            ("DELETE", Some(at)) => {
                if sorted(&records[at]) != sorted(&set) {
                    return Err(format!(
                        "Tried to delete resource record set [name='{name}', type='{kind}'] but the values provided do not match the current values"
                    ));
                }
                records.remove(at);
                return Ok(());
            }
            ("CREATE", Some(_)) => {
                return Err(format!(
                    "Tried to create resource record set [name='{name}', type='{kind}'] but it already exists"
                ));
            }
            _ => {}
        }
        self.check_neighbours(records, &set)?;
        match present {
            Some(at) => records[at] = set,
            None => records.push(set),
        }
        records.sort_by_cached_key(order);
        Ok(())
    }

    /// A CNAME stands alone (RFC 1034, 3.6.2), and not at the zone's own name.
    fn check_neighbours(&self, records: &[Element], set: &Element) -> Result<(), String> {
        let (name, kind) = (set.get("Name"), set.get("Type"));
        let zone = &self.name;
        if kind == "CNAME" && name == zone {
            return Err(format!(
                "RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {zone}"
            ));
        }
        let others = || records.iter().filter(|r| r.get("Name") == name);
        if kind == "CNAME" && others().any(|r| r.get("Type") != kind) {
            return Err(format!(
                "RRSet of type CNAME with DNS name {name} is not permitted as it conflicts with other records with the same DNS name in zone {zone}"
            ));
        }
        if kind != "CNAME" && others().any(|r| r.get("Type") == "CNAME") {
            return Err(format!(
                "RRSet of type {kind} with DNS name {name} is not permitted because a conflicting RRSet of type CNAME with the same DNS name already exists in zone {zone}"
            ));
        }
        let routed = |r: &Element| r.child("SetIdentifier").is_some();
        if others().any(|r| r.get("Type") == kind && routed(r) != routed(set)) {
            return Err(format!(
                "RRSet of type {kind} with DNS name {name} and SetIdentifier {} cannot be created as it conflicts with other records with the same DNS name and type in zone {zone}",
                set.get("SetIdentifier")
            ));
        }
        Ok(())
    }

    /// What the name servers answer for this name, its own records or those of the closest
    /// wildcard: the targets of alias records, and the values of records for names and
    /// addresses.
    pub fn answers(&self, name: &str) -> Option<(Vec<String>, Vec<String>)> {
        let of = |name: &str| -> Vec<&Element> {
            let served = self.served.iter();
            served.filter(|set| set.get("Name") == name).collect()
        };
        let parents = name.match_indices('.').map(|(at, _)| &name[at + 1..]);
        let wildcards = parents.map(|parent| format!("\\052.{parent}"));
        let names = std::iter::once(name.to_owned()).chain(wildcards);
        let sets = names.map(|name| of(&name)).find(|sets| !sets.is_empty())?;
        let (mut aliases, mut told) = (Vec::new(), Vec::new());
        for set in sets {
            match set.child("AliasTarget") {
                Some(target) => aliases.push(target.get("DNSName").to_owned()),
                None if matches!(set.get("Type"), "A" | "AAAA" | "CNAME") => {
                    told.extend(values(set).map(str::to_owned));
                }
                None => {}
            }
        }
        aliases.dedup();
        Some((aliases, told))
    }

    /// Where the name servers lead from this name, one step: a CNAME's value, or an
    /// alias's target.
    pub fn leads(&self, name: &str) -> Option<String> {
        let of_name = || self.served.iter().filter(|r| r.get("Name") == name);
        let cname = of_name().find(|r| r.get("Type") == "CNAME");
        let alias = |r: &Element| Some(r.child("AliasTarget")?.get("DNSName").to_owned());
        let target = match cname {
            Some(cname) if cname.child("AliasTarget").is_none() => values(cname).next()?.to_owned(),
            _ => of_name().find_map(alias)?,
        };
        normal(&target).ok()
    }
}

/// Whether a name is a zone's own or one below it.
pub(crate) fn is_within(name: &str, zone: &str) -> bool {
    let below = name.strip_suffix(zone);
    below.is_some_and(|labels| labels.is_empty() || labels.ends_with('.'))
}

/// The fields by which record sets of a zone are distinguished.
fn identity(set: &Element) -> (&str, &str, &str) {
    (set.get("Name"), set.get("Type"), set.get("SetIdentifier"))
}

/// Record sets are listed by name, its labels read from the right, then by type
/// (API reference, `ListResourceRecordSets`, "Sort order").
pub(crate) fn order(set: &Element) -> (String, String, String) {
    let (name, kind, identifier) = identity(set);
    (reversed(name), kind.to_owned(), identifier.to_owned())
}

/// A name with its labels in reverse order.
pub(crate) fn reversed(name: &str) -> String {
    name.trim_end_matches('.')
        .rsplit('.')
        .collect::<Vec<_>>()
        .join(".")
}

/// The record set without an order among fields and values: a DELETE must state all of them, in any
/// order.
fn sorted(set: &Element) -> Element {
    let mut set = set.clone();
    set.children = set.children.iter().map(sorted).collect();
    set.children.sort();
    set
}

fn values(set: &Element) -> impl Iterator<Item = &str> {
    let records = set.child("ResourceRecords");
    records
        .into_iter()
        .flat_map(|r| &r.children)
        .map(|r| r.get("Value"))
}

/// A record set as it is kept: names in their normal form.
fn well_formed(action: &str, set: &Element) -> Result<Element, Unfit> {
    let (name, kind) = (set.get("Name"), set.get("Type"));
    let invalid = |why: String| Err(Unfit::Input(why));
    if !matches!(action, "CREATE" | "DELETE" | "UPSERT") {
        return invalid(format!(
            "Invalid XML ; cvc-enumeration-valid: Value '{action}' is not facet-valid with respect to enumeration '[CREATE, DELETE, UPSERT]'. It must be a value from the enumeration."
        ));
    }
    if !TYPES.contains(&kind) {
        return invalid(format!(
            "Invalid XML ; cvc-enumeration-valid: Value '{kind}' is not facet-valid with respect to enumeration '[{}]'. It must be a value from the enumeration.",
            TYPES.join(", ")
        ));
    }
    let given = |name| set.child(name).is_some();
    let plain = given("TTL") && values(set).next().is_some();
    let ways = [
        given("AliasTarget"),
        plain,
        given("TrafficPolicyInstanceId"),
    ];
    if ways.into_iter().filter(|way| *way).count() != 1 {
        let found = if ways.contains(&true) {
            "more than one"
        } else {
            "none"
        };
        let identifier = set.child("SetIdentifier").map_or("null", |s| &s.text);
        return invalid(format!(
            "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found {found} in Change with [Action={action}, Name={name}, Type={kind}, SetIdentifier={identifier}]"
        ));
    }
    if plain
        && set
            .get("TTL")
            .parse::<u32>()
            .ok()
            .is_none_or(|ttl| ttl > 2_147_483_647)
    {
        return invalid(format!("Invalid TTL: {}", set.get("TTL")));
    }
    let fatal = |why| Unfit::Batch(vec![why]);
    let mut set = set.clone();
    let normal_name = normal(name).map_err(fatal)?;
    if let Some(name) = set.child_mut("Name") {
        name.text = normal_name;
    }
    if let Some(target) = set
        .child_mut("AliasTarget")
        .and_then(|a| a.child_mut("DNSName"))
    {
        target.text = normal(&target.text).map_err(fatal)?;
    }
    check_values(kind, &set).map_err(fatal)?;
    Ok(set)
}

fn check_values(kind: &str, set: &Element) -> Result<(), String> {
    if kind == "CNAME" && values(set).count() > 1 {
        return Err(format!(
            "Invalid Resource Record: 'FATAL problem: TooManyCNAMEValues (A CNAME has one value) encountered with '{}''",
            values(set).collect::<Vec<_>>().join(" ")
        ));
    }
    for value in values(set) {
        let fits = match kind {
            "A" => value.parse::<std::net::Ipv4Addr>().is_ok(),
            "AAAA" => value.parse::<std::net::Ipv6Addr>().is_ok(),
            "CNAME" => normal(value).is_ok(),
            "TXT" | "SPF" => value.starts_with('"') && value.ends_with('"') && value.len() > 1,
            _ => !value.is_empty(),
        };
        if !fits {
            let problem = match kind {
                "A" => "ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)",
                "AAAA" => "AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)",
                "TXT" | "SPF" => {
                    "InvalidCharacterString (Value should be enclosed in quotation marks)"
                }
                _ => "UnsupportedCharacter (Value contains unsupported characters)",
            };
            return Err(format!(
                "Invalid Resource Record: 'FATAL problem: {problem} encountered with '{value}''"
            ));
        }
    }
    Ok(())
}

/// The types of the API model, `RRType`.
pub(crate) const TYPES: [&str; 17] = [
    "SOA", "A", "TXT", "NS", "CNAME", "MX", "NAPTR", "PTR", "SRV", "SPF", "AAAA", "CAA", "DS",
    "TLSA", "SSHFP", "SVCB", "HTTPS",
];

/// A name in lower case with its dot at the end; other characters than letters,
/// digits, hyphens and underscores as `\` and three octal digits (developer guide,
/// "DNS domain name format").
pub(crate) fn normal(name: &str) -> Result<String, String> {
    let fatal = |problem: &str| {
        Err(format!(
            "Invalid Resource Record: 'FATAL problem: {problem} encountered with '{name}''"
        ))
    };
    let bare = name.strip_suffix('.').unwrap_or(name);
    let mut normal = String::with_capacity(bare.len() + 1);
    for label in bare.split('.') {
        if label.is_empty() {
            return fatal("DomainLabelEmpty (Domain label is empty)");
        }
        if label.len() > 63 {
            return fatal("DomainLabelTooLong (Domain label is too long)");
        }
        for byte in label.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'\\' => {
                    normal.push(char::from(byte.to_ascii_lowercase()));
                }
                b' ' | b'\t' | b'\r' | b'\n' | b'/' | b':' => {
                    return fatal("UnsupportedCharacter (Value contains unsupported characters)");
                }
                other => normal.push_str(&format!("\\{other:03o}")),
            }
        }
        normal.push('.');
    }
    if normal.len() > 255 {
        return fatal("DomainNameTooLong (Domain name is too long)");
    }
    Ok(normal)
}

/// A change that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    pub id: String,
    pub submitted: Millis,
    pub comment: Option<String>,
}
