//! What leads to the two environments, what tests them and what monitors them.

use std::net::IpAddr;

use super::super::check::{Check, Finding};
use super::super::test_hosts::{Known, Reach, as_records, is_same_place, reach, to_look_up};
use super::answers::Answered;
use super::inspector::{Found, Inspector, Read, unread};
use crate::acceptance::without_secrets;
use crate::cloud::{Alarm, Configuration, Counted, PreviewRefused, ZoneRecords};
use crate::cloud::{Led, LookError};
use crate::plan::{Role, Strategy};
use crate::preview::{Preview, RecordSet};
use crate::traffic::Traffic;

impl Inspector<'_> {
    pub(super) async fn preview(&self) -> Result<Option<Preview>, PreviewRefused> {
        let Some(asked) = &self.config.preview else {
            return Ok(None);
        };
        let production = [&self.blue.cname, &self.blue.endpoint].map(Clone::clone);
        let production: Vec<String> = production.into_iter().flatten().collect();
        self.cloud.preview(asked, &production).await.map(Some)
    }

    /// Resolves by DNS the names that the hosted zones do not resolve.
    pub(super) async fn names(&self, records: &[RecordSet], preview: Option<&Preview>) -> Names {
        let mut known = self.known(preview);
        known.records = records;
        let asked = to_look_up(&self.config.wishes.tests, &known);
        let mut all = asked.clone();
        all.extend(self.blue.endpoint.clone());
        let mut told = self.cloud.look_up(&all).await;
        let addresses = match &self.blue.endpoint {
            Some(_) => {
                told.pop()
                    .and_then(Result::ok)
                    .unwrap_or_default()
                    .addresses
            }
            None => Vec::new(),
        };
        Names {
            told: asked.into_iter().zip(told).collect(),
            addresses,
        }
    }

    /// What is known of names without records.
    fn known<'a>(&'a self, preview: Option<&'a Preview>) -> Known<'a> {
        Known {
            production: self.blue.cname.as_deref().unwrap_or_default(),
            endpoint: self.blue.endpoint.as_deref(),
            only_blue: self.tested() == Role::Blue && !self.config.wishes.test_green,
            previews: preview.map_or(&[], |preview| &preview.hosts),
            records: &[],
            addresses: &[],
        }
    }

    /// Which environment is tested before it takes production.
    fn tested(&self) -> Role {
        match self.wanted.strategy {
            Strategy::Restore => Role::Blue,
            Strategy::Promote | Strategy::Rehearse => Role::Green,
        }
    }

    /// Records that lead to blue's load balancer keep leading there while users are on green: their
    /// clients meet the deploy, or with a promotion the termination.
    pub(super) fn dns_records(
        &self,
        records: &Result<ZoneRecords, LookError>,
        names: &Names,
    ) -> Found {
        let check = Check::DnsRecords;
        let Some(endpoint) = self.blue.endpoint.clone() else {
            return Ok(check.unknown("the service does not tell blue's load balancer"));
        };
        let production = self.blue.cname.as_deref().unwrap_or("the production CNAME");
        let (mut past, mut doubts, mut unread) = (Vec::new(), Vec::new(), Vec::new());
        if let Ok(records) = records {
            let mut places = vec![endpoint.clone()];
            places.extend(names.addresses.iter().map(ToString::to_string));
            let leading = records.leading_to(&places);
            past.extend(leading.map(|(zone, set)| format!("{} of {zone}", set.name)));
            if !records.unread.is_empty() {
                unread.push(format!(
                    "the hosted zones {} may not be read, or are too many",
                    records.unread.join(", ")
                ));
            }
        }
        for (name, told) in &names.told {
            match told {
                Err(why) => unread.push(why.clone()),
                Ok(led) => match names.way(led, production, &endpoint) {
                    Way::Cname | Way::Elsewhere => {}
                    Way::Balancer => past.push(format!("{name}, as DNS tells,")),
                    Way::Address => doubts.push(format!(
                        "{name} holds addresses of {endpoint}: where its DNS provider does not \
                         take them from {production} at each look-up, it does not follow a swap"
                    )),
                },
            }
        }
        if !past.is_empty() {
            let evidence = format!(
                "{} leads to {endpoint} itself, past the CNAME, and does not follow a swap",
                past.join(", ")
            );
            return Ok(match self.wanted.strategy {
                Strategy::Rehearse => check.warned(evidence),
                Strategy::Restore | Strategy::Promote => {
                    check.refused(evidence, format!("point it at {production}"))
                }
            });
        }
        if !doubts.is_empty() {
            return Ok(check.warned(doubts.join("; ")));
        }
        if let Err(error) = records {
            return Err(error.clone());
        }
        Ok(match unread.as_slice() {
            [] => check.passed(format!(
                "no record of the account's hosted zones leads to {endpoint} past the CNAME"
            )),
            unread => check.unknown(unread.join("; ")),
        })
    }

    /// A test that reaches the other environment would pass there and prove nothing of the
    /// one under test.
    pub(super) fn tests(
        &self,
        records: &[RecordSet],
        names: &Names,
        read: &Read,
        answers: &[Answered],
    ) -> Finding {
        let check = Check::Tests;
        let tested = self.tested();
        let holder = tested.other();
        let production = self.blue.cname.as_deref().unwrap_or_default();
        let led = names.told.iter().filter_map(|(name, told)| {
            let led = told.as_ref().ok()?;
            Some(as_records(name, led))
        });
        let records: Vec<_> = records.iter().cloned().chain(led.flatten()).collect();
        let known = Known {
            records: &records,
            addresses: &names.addresses,
            ..self.known(read.preview.as_ref())
        };
        let remedy = "give a path, or write {cname} in the URL in place of its host; `host` presents \
                      another name";
        let shared = read
            .configuration
            .as_ref()
            .and_then(Configuration::shared_balancer);
        let mut doubts = Vec::new();
        if self.wanted.strategy == Strategy::Promote && !self.config.wishes.test_green {
            doubts.push(
                "--test-green=false changes nothing with --strategy promote: green is tested \
                 before it takes production all the same, because it keeps production and no other \
                 environment gets the version"
                    .to_owned(),
            );
        }
        for test in &self.config.wishes.tests {
            let asked = without_secrets(&test.url);
            match reach(test, &known) {
                Reach::UnderTest => {}
                Reach::Production => {
                    let evidence = format!(
                        "the test of {asked} asks {production}, which {holder} holds while \
                         {tested} is tested"
                    );
                    return check.refused(evidence, remedy).standing();
                }
                Reach::ToProduction(host) => {
                    let evidence = format!(
                        "the test of {asked} asks {host}, which leads to production, and that is \
                         the other environment while one is tested"
                    );
                    return check.refused(evidence, remedy);
                }
                Reach::Unknown(host) => doubts.push(format!(
                    "the test of {asked} asks {host}, and nothing tells that this is {tested}: where \
                     it is production, the test passes on {holder} and proves nothing; write {{cname}} \
                     in place of the host"
                )),
            }
            if let (Some(host), Some(_)) = (&test.host, shared) {
                doubts.push(format!(
                    "the test of {asked} presents {host} to a load balancer that others share: see \
                     that its rules do not send that name to production"
                ));
            }
        }
        if let Some((evidence, remedy)) = self.unmet(answers) {
            return check.refused(evidence, remedy);
        }
        if !doubts.is_empty() {
            return check.warned(doubts.join("; "));
        }
        let tests = self.config.wishes.tests.iter();
        let urls: Vec<_> = tests.map(|test| without_secrets(&test.url)).collect();
        let mut told: Vec<_> = answers.iter().map(|(_, probe)| probe.got.clone()).collect();
        told.dedup();
        let told = match told.as_slice() {
            [] => String::new(),
            told => format!("; what runs there now answers {}", told.join(", ")),
        };
        check.passed(format!(
            "bluegreen requests {} from {tested} itself{told}",
            urls.join(", ")
        ))
    }

    /// Whether the drain can find out which clients still come.
    pub(super) async fn request_count(&self) -> Found {
        let check = Check::RequestCount;
        Ok(match self.cloud.traffic(&self.blue.id).await? {
            Counted::Told(Traffic { ended: None, .. }) => {
                check.passed("enhanced health tells how many requests come")
            }
            Counted::Told(traffic) => check.passed(format!(
                "health is basic; CloudWatch reports the requests of blue's load balancer, three \
                 minutes late: {} in the last reported minute",
                traffic.requests
            )),
            Counted::Nobody(why) => check.warned(format!(
                "nobody counts requests ({why}): an environment that production left is taken for \
                 drained after --drain, whoever still comes"
            )),
            Counted::Unread(why) | Counted::Silent(why) => check.unknown(format!(
                "{why}; without it an environment that production left is taken for drained after \
                 --drain, whoever still comes"
            )),
        })
    }

    pub(super) async fn alarms(&self) -> Found {
        let names = &self.config.wishes.alarms;
        if names.is_empty() {
            return Ok(Check::Alarms.passed("no alarm is to watch production"));
        }
        let alarms = self.cloud.alarms(names).await?;
        let ringing: Vec<_> = alarms.iter().filter_map(Alarm::ringing).collect();
        if !ringing.is_empty() {
            return Ok(Check::Alarms.refused(ringing.join("; "), Check::Alarms.about().remedy));
        }
        Ok(Check::Alarms.passed(format!("not in alarm: {}", names.join(", "))))
    }
}

/// The answers of DNS.
pub(super) struct Names {
    /// Names of tests, each with where it leads, or why that is unknown.
    told: Vec<(String, Result<Led, String>)>,
    /// The addresses of blue's load balancer; none where they are not known.
    addresses: Vec<IpAddr>,
}

/// How a name leads to blue.
enum Way {
    /// By the production CNAME, which is swapped.
    Cname,
    /// By the name of its load balancer, or the address of its only instance.
    Balancer,
    /// By addresses of its load balancer, and nothing shows whence its provider has them.
    Address,
    /// Not at all, as far as DNS shows: a proxy answers in its place, or something else.
    Elsewhere,
}

impl Names {
    fn way(&self, led: &Led, production: &str, endpoint: &str) -> Way {
        let by = |name: &str| led.names.iter().any(|led| is_same_place(led, name));
        let at_blue = led.addresses.iter().any(|at| self.addresses.contains(at));
        if by(production) {
            Way::Cname
        } else if by(endpoint) {
            Way::Balancer
        } else if !at_blue {
            Way::Elsewhere
        } else if endpoint.parse::<IpAddr>().is_ok() {
            // An Elastic IP address stays, and is what people write into a record.
            Way::Balancer
        } else {
            Way::Address
        }
    }
}

/// Preview hostnames that cannot be used, or not be read.
pub(super) fn unfit(refused: PreviewRefused) -> Found {
    let check = Check::PreviewHosts;
    match refused {
        PreviewRefused::Look(error) => unread(check, error),
        PreviewRefused::Unfit(error) => {
            let words = error.to_string();
            let (evidence, remedy) = words
                .rsplit_once(": ")
                .unwrap_or((&words, check.about().remedy));
            Ok(check.refused(evidence, remedy))
        }
    }
}

pub(super) fn previewed(preview: Option<&Preview>) -> Finding {
    Check::PreviewHosts.passed(match preview {
        Some(preview) => format!(
            "{} can be led to what is tested, in zone {}",
            preview.hosts.join(", "),
            preview.zone_id
        ),
        None => "no hostname is to lead to what is tested".to_owned(),
    })
}
