//! Preview hostnames: names of a hosted zone that lead to the environment under test
//! while it is tested, and are put back as they were afterwards. Pure.

mod record;

pub use record::{
    AliasTarget, CidrRoutingConfig, Coordinates, GeoLocation, GeoProximityLocation, Record,
    RecordSet, ResourceRecord, TTL_SECONDS, same_name,
};

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::plan::role::Role;

/// How a value that an SSM parameter holds is written.
const PARAMETER: &str = "ssm:";
/// The most hostnames: more are a mistake, and bluegreen reads each in every poll.
const HOSTS_MAX: usize = 20;

/// What the flags name, before bluegreen has read SSM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The hosted zone's id.
    zone: Given,
    /// The hostnames.
    hosts: Vec<Given>,
}

/// A value that is given, or the parameter that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Given {
    Value(String),
    Parameter(String),
}

/// What an SSM parameter holds. It may be a secret, named by mistake: it is not shown.
#[derive(Clone, PartialEq, Eq)]
pub enum ParameterValue {
    /// Of type String or SecureString.
    Text(String),
    /// Of type StringList.
    List(Vec<String>),
}

impl fmt::Debug for ParameterValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ParameterValue::Text(_) => "Text(…)",
            ParameterValue::List(_) => "List(…)",
        })
    }
}

/// The zone and the hostnames, once bluegreen has read SSM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The hosted zone's id, without `/hostedzone/`.
    pub zone_id: String,
    /// The hostnames in lower case, without a dot at the end.
    pub hosts: Vec<String>,
}

/// The preview hostnames of a deployment and what they held before it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Preview {
    /// The hosted zone's id, without `/hostedzone/`.
    pub zone_id: String,
    /// The hostnames in lower case, without a dot at the end.
    pub hosts: Vec<String>,
    /// What each held when the plan was made.
    before: BTreeMap<String, Record>,
}

/// Where preview hostnames must lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lead {
    /// To this environment, which is under test.
    To(Role),
    /// Where they led before.
    Back,
}

/// A preview hostname that must hold something else.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RecordMove {
    /// The hostname.
    pub host: String,
    /// What it held when it was read; one that holds anything else is left alone.
    pub from: Record,
    /// What it must hold.
    pub to: Record,
}

/// What has become of a preview hostname.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hostname {
    /// It leads to the environment under test: as a preview does, or with another time to
    /// live that somebody has given it.
    Pointing,
    /// It is as it was before the deployment.
    AsBefore,
    /// Somebody else has changed it, to this.
    Elsewhere(String),
}

/// Preview hostnames that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PreviewError {
    /// No hosted zone is named.
    #[error(
        "--preview-host needs its hosted zone: name it with --hosted-zone-id or HOSTED_ZONE_ID"
    )]
    NoZone,
    /// A hosted zone, and nothing in it.
    #[error(
        "--hosted-zone-id needs hostnames: name them with --preview-host or RECORDS_LIST, or leave it out"
    )]
    NoHosts,
    /// Too many hostnames.
    #[error("--preview-host names {0} hostnames: at most {HOSTS_MAX} are taken")]
    TooMany(usize),
    /// A list is not one.
    #[error(
        "--preview-host is no JSON list of strings: {0}; write [\"a.example.com\",\"b.example.com\"] or a.example.com,b.example.com"
    )]
    NotAList(String),
    /// A parameter's value is not of its form. The error does not show the value.
    #[error("SSM parameter {name} {why}")]
    Parameter {
        /// The parameter.
        name: String,
        /// What it is not, and what it should be.
        why: &'static str,
    },
    /// A hosted zone's id is none.
    #[error(
        "--hosted-zone-id {0:?}: expected an id of Route 53 such as Z0123456789ABCDEFGHIJ, or ssm:/path/to/parameter"
    )]
    NotAZone(String),
    /// A hostname is none.
    #[error(
        "--preview-host {0:?}: expected a hostname such as preview.example.com, or ssm:/path/to/parameter"
    )]
    NotAHost(String),
    /// A hostname is given twice.
    #[error("--preview-host {0} is given twice")]
    Twice(String),
    /// A hostname is not of the zone.
    #[error(
        "--preview-host {host} is not in hosted zone {zone_id}, which is {zone}: name the zone that holds it with --hosted-zone-id"
    )]
    OutsideZone {
        /// The hostname.
        host: String,
        /// The zone's id.
        zone_id: String,
        /// The zone's name.
        zone: String,
    },
    /// A hostname is the zone's own name, which cannot be a CNAME (RFC 1034, 3.6.2).
    #[error(
        "--preview-host {0} is the hosted zone's own name, which cannot be a CNAME: choose a name below it"
    )]
    Apex(String),
    /// Users reach production by a hostname.
    #[error(
        "--preview-host {host} serves production ({why}): its traffic would go to the environment under test; choose another name"
    )]
    Production {
        /// The hostname.
        host: String,
        /// How that is known.
        why: String,
    },
    /// A record that a traffic policy has made cannot be changed by itself.
    #[error(
        "--preview-host {0} is made by a traffic policy of Route 53, which alone may change it: choose another name"
    )]
    TrafficPolicy(String),
}

impl Asked {
    /// The preview hostnames that `--preview-host` and `--hosted-zone-id` name; none where no
    /// hostname is given, or an empty list.
    ///
    /// # Errors
    /// [`PreviewError`] names the flag and the remedy.
    pub fn read(hosts: &[String], zone: Option<&str>) -> Result<Option<Asked>, PreviewError> {
        let zone = zone.map(str::trim).filter(|zone| !zone.is_empty());
        let given: Vec<&str> = hosts.iter().map(|text| text.trim()).collect();
        let mut asked = Vec::new();
        for text in given.iter().filter(|text| !text.is_empty()) {
            asked.extend(listed(text)?);
        }
        if asked.is_empty() {
            let silent = given.iter().all(|text| text.is_empty());
            return match zone {
                Some(_) if silent => Err(PreviewError::NoHosts),
                _ => Ok(None),
            };
        }
        let zone = match parameter_of(zone.ok_or(PreviewError::NoZone)?) {
            Given::Value(id) => Given::Value(zone_id(&id).ok_or(PreviewError::NotAZone(id))?),
            parameter @ Given::Parameter(_) => parameter,
        };
        Ok(Some(Asked { zone, hosts: asked }))
    }

    /// The hosted zone's id; none where a parameter holds it.
    #[must_use]
    pub fn zone_id(&self) -> Option<&str> {
        match &self.zone {
            Given::Value(id) => Some(id),
            Given::Parameter(_) => None,
        }
    }

    /// Whether these are the hostnames of a deployment, as far as bluegreen knows without SSM.
    #[must_use]
    pub fn may_be(&self, preview: Option<&Preview>) -> bool {
        let mut hosts: Vec<&str> = Vec::new();
        for given in std::iter::once(&self.zone).chain(&self.hosts) {
            match given {
                Given::Value(value) => hosts.push(value),
                Given::Parameter(_) => return preview.is_some(),
            }
        }
        preview.is_some_and(|preview| {
            let own = std::iter::once(&preview.zone_id).chain(&preview.hosts);
            own.eq(hosts)
        })
    }

    /// The names of the SSM parameters to read.
    #[must_use]
    pub fn parameters(&self) -> Vec<&str> {
        let all = std::iter::once(&self.zone).chain(&self.hosts);
        let mut names: Vec<&str> = all
            .filter_map(|given| match given {
                Given::Parameter(name) => Some(name.as_str()),
                Given::Value(_) => None,
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The zone and the hostnames, with what the parameters hold.
    ///
    /// # Errors
    /// [`PreviewError`]; it does not show a parameter's value.
    pub fn resolve(
        &self,
        parameters: &BTreeMap<String, ParameterValue>,
    ) -> Result<Wanted, PreviewError> {
        let zone_id = match &self.zone {
            Given::Value(id) => id.clone(),
            Given::Parameter(name) => zone_of(name, parameters.get(name))?,
        };
        let mut hosts = Vec::new();
        for given in &self.hosts {
            match given {
                Given::Value(host) => hosts.push(host.clone()),
                Given::Parameter(name) => hosts.extend(hosts_of(name, parameters.get(name))?),
            }
        }
        if hosts.len() > HOSTS_MAX {
            return Err(PreviewError::TooMany(hosts.len()));
        }
        let twice = (1..hosts.len()).find(|at| hosts[..*at].contains(&hosts[*at]));
        match twice {
            Some(at) => Err(PreviewError::Twice(hosts.swap_remove(at))),
            None => Ok(Wanted { zone_id, hosts }),
        }
    }
}

impl Wanted {
    /// Refuses hostnames outside the zone, its own name, and the names in `production`.
    ///
    /// # Errors
    /// [`PreviewError`] names the hostname and the remedy.
    pub fn check(&self, zone: &str, production: &[&str]) -> Result<(), PreviewError> {
        let zone = zone.trim_end_matches('.').to_ascii_lowercase();
        for host in &self.hosts {
            let below = host.strip_suffix(&zone);
            let below = below.filter(|labels| labels.is_empty() || labels.ends_with('.'));
            if production.iter().any(|name| same_name(name, host)) {
                return Err(PreviewError::Production {
                    host: host.clone(),
                    why: "it is production's own name".to_owned(),
                });
            }
            match below {
                None => {
                    return Err(PreviewError::OutsideZone {
                        host: host.clone(),
                        zone_id: self.zone_id.clone(),
                        zone,
                    });
                }
                Some("") => return Err(PreviewError::Apex(host.clone())),
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// The preview hostnames, with what each holds now, in the order of the hostnames. A hostname
    /// that leads to production now, by its CNAME or its load balancer, is an error: people use it.
    ///
    /// # Errors
    /// [`PreviewError`] names the hostname and the remedy.
    pub fn begin(
        self,
        present: Vec<Record>,
        production: &[String],
    ) -> Result<Preview, PreviewError> {
        let before: BTreeMap<String, Record> = self.hosts.iter().cloned().zip(present).collect();
        for (host, record) in &before {
            let sets = record.sets(host);
            if sets.iter().any(|set| set.leads_to_any(production)) {
                return Err(PreviewError::Production {
                    host: host.clone(),
                    why: record.in_words(),
                });
            }
            if sets
                .iter()
                .any(|set| set.traffic_policy_instance_id.is_some())
            {
                return Err(PreviewError::TrafficPolicy(host.clone()));
            }
        }
        Ok(Preview {
            zone_id: self.zone_id,
            hosts: self.hosts,
            before,
        })
    }
}

impl Preview {
    /// What a hostname held when the plan was made; none for a hostname that is not
    /// one of this preview.
    #[must_use]
    pub fn before(&self, host: &str) -> Option<&Record> {
        self.before.get(host)
    }

    /// What has become of a hostname that was seen to hold `seen`, where the
    /// environment under test answers under `target`.
    #[must_use]
    pub fn standing(&self, host: &str, target: &str, seen: &Record) -> Hostname {
        if seen.same(&Record::preview(target)) {
            return Hostname::Pointing;
        }
        match self.before(host) {
            Some(before) if seen.same(before) => Hostname::AsBefore,
            _ if seen.leads_to(target) => Hostname::Pointing,
            _ => Hostname::Elsewhere(seen.in_words()),
        }
    }

    /// Whether a hostname that was seen to hold `seen` is as it was before.
    #[must_use]
    pub fn is_put_back(&self, host: &str, seen: &Record) -> bool {
        self.before(host).is_some_and(|before| seen.same(before))
    }
}

/// The values of one flag or of the variable: a parameter, a JSON list, or names with
/// commas between them.
fn listed(text: &str) -> Result<Vec<Given>, PreviewError> {
    let names: Vec<String> = if text.starts_with('[') {
        list_of(text).map_err(|e| PreviewError::NotAList(e.to_string()))?
    } else {
        text.split(',').map(str::to_owned).collect()
    };
    let one = |name: String| match parameter_of(&name) {
        Given::Value(host) => match hostname(&host) {
            Some(host) => Ok(Given::Value(host)),
            None => Err(PreviewError::NotAHost(host)),
        },
        parameter @ Given::Parameter(_) => Ok(parameter),
    };
    names.into_iter().map(one).collect()
}

fn parameter_of(text: &str) -> Given {
    let text = text.trim();
    match text.strip_prefix(PARAMETER) {
        Some(name) => Given::Parameter(name.to_owned()),
        None => Given::Value(text.to_owned()),
    }
}

fn zone_of(name: &str, value: Option<&ParameterValue>) -> Result<String, PreviewError> {
    let id = match value {
        Some(ParameterValue::Text(text)) => zone_id(text),
        Some(ParameterValue::List(_)) | None => None,
    };
    id.ok_or_else(|| PreviewError::Parameter {
        name: name.to_owned(),
        why: "does not hold the id of a hosted zone such as Z0123456789ABCDEFGHIJ: put one there, or give the id with --hosted-zone-id",
    })
}

fn hosts_of(name: &str, value: Option<&ParameterValue>) -> Result<Vec<String>, PreviewError> {
    let refused = |why| PreviewError::Parameter {
        name: name.to_owned(),
        why,
    };
    let no_list = "is neither a StringList nor a JSON list of strings such as [\"preview.example.com\"]: put one there";
    let names: Vec<String> = match value {
        Some(ParameterValue::List(names)) => names.clone(),
        Some(ParameterValue::Text(text)) => list_of(text).map_err(|_| refused(no_list))?,
        None => return Err(refused(no_list)),
    };
    let hosts: Option<Vec<String>> = names.iter().map(|name| hostname(name)).collect();
    hosts.ok_or_else(|| {
        refused("holds something that is no hostname such as preview.example.com: correct it there")
    })
}

/// A list of strings as JSON writes it, or as Python does: `['a.example', 'b.example']`. What
/// released before this program kept its hostnames so (DNXLabs/docker-beanstalk-bluegreen). It is
/// read, never evaluated: plain strings alone are taken, without escapes and prefixes.
fn list_of(text: &str) -> Result<Vec<String>, serde_json::Error> {
    serde_json::from_str(text).or_else(|error| python_list(text).ok_or(error))
}

/// The strings of a Python list of plain strings; none where it is anything else.
fn python_list(text: &str) -> Option<Vec<String>> {
    let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    let mut rest = inner.trim();
    let mut strings = Vec::new();
    while !rest.is_empty() {
        let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let (string, after) = rest[1..].split_once(quote)?;
        if string.contains(['\\', '\n']) {
            return None;
        }
        strings.push(string.to_owned());
        rest = after.trim_start();
        if !rest.is_empty() {
            rest = rest.strip_prefix(',')?.trim_start();
        }
    }
    Some(strings)
}

/// The id of a hosted zone without `/hostedzone/` (API model, `ResourceId`: at most 32
/// characters).
fn zone_id(text: &str) -> Option<String> {
    let text = text.trim();
    let bare = text.strip_prefix("/hostedzone/").unwrap_or(text);
    let fits = (1..=32).contains(&bare.len()) && bare.bytes().all(|b| b.is_ascii_alphanumeric());
    fits.then(|| bare.to_owned())
}

/// A hostname of several labels, in lower case and without its last dot.
fn hostname(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_lowercase();
    let bare = text.strip_suffix('.').unwrap_or(&text);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let fits = bare.len() <= 253 && bare.contains('.') && bare.split('.').all(label);
    fits.then(|| bare.to_owned())
}

#[cfg(test)]
mod tests;
