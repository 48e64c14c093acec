//! What leads to the two environments, what tests them and what watches them.

use super::super::check::{Check, Finding};
use super::super::reach::{Known, Reach, reach};
use super::{Answered, Found, Inspector, Read, unread};
use crate::acceptance::without_secrets;
use crate::cloud::aws::{Alarm, Configuration, PreviewRefused, ZoneRecords};
use crate::cloud::{LookError, Prober};
use crate::plan::{Role, Strategy};
use crate::preview::Preview;

impl<P: Prober> Inspector<'_, P> {
    pub(super) async fn preview(&self) -> Result<Option<Preview>, PreviewRefused> {
        let Some(asked) = &self.config.preview else {
            return Ok(None);
        };
        let production = [&self.blue.cname, &self.blue.endpoint].map(Clone::clone);
        let production: Vec<String> = production.into_iter().flatten().collect();
        self.cloud.preview(asked, &production).await.map(Some)
    }

    /// Records that lead to blue's load balancer keep leading there while green serves.
    pub(super) fn dns_records(&self, records: &ZoneRecords) -> Finding {
        let check = Check::DnsRecords;
        let Some(endpoint) = self.blue.endpoint.clone() else {
            return check.unknown("the service does not tell blue's load balancer");
        };
        let past = records.leading_to(std::slice::from_ref(&endpoint));
        let past: Vec<_> = past
            .map(|(zone, set)| format!("{} of {zone}", set.name))
            .collect();
        if !past.is_empty() {
            return check.warned(format!(
                "{} leads to {endpoint} itself, past the CNAME, and does not follow a swap: point \
                 it at {}",
                past.join(", "),
                self.blue.cname.as_deref().unwrap_or("the production CNAME")
            ));
        }
        match records.unread.as_slice() {
            [] => check.passed(format!(
                "no record of the account's hosted zones leads to {endpoint} past the CNAME"
            )),
            unread => check.unknown(format!(
                "the hosted zones {} may not be read, or are too many",
                unread.join(", ")
            )),
        }
    }

    /// A test that reaches the other environment would pass there and prove nothing of the
    /// one under test.
    pub(super) fn tests(
        &self,
        records: &Result<ZoneRecords, LookError>,
        read: &Read,
        answers: &[Answered],
    ) -> Finding {
        let check = Check::Tests;
        let (tested, holder) = match self.wanted.strategy {
            Strategy::Restore => (Role::Blue, Role::Green),
            Strategy::Promote | Strategy::Rehearse => (Role::Green, Role::Blue),
        };
        let production = self.blue.cname.as_deref().unwrap_or_default();
        let records = records.as_ref().map(|records| &records.found);
        let records: Vec<_> = records
            .into_iter()
            .flatten()
            .map(|(_, set)| set.clone())
            .collect();
        let known = Known {
            production,
            endpoint: self.blue.endpoint.as_deref(),
            only_blue: tested == Role::Blue && !self.config.test_green,
            previews: read.preview.as_ref().map_or(&[], |preview| &preview.hosts),
            records: &records,
        };
        let remedy = "give a path, or write {cname} in the URL in place of its host; `host` presents \
                      another name";
        let shared = read
            .configuration
            .as_ref()
            .and_then(Configuration::shared_balancer);
        let mut doubts = Vec::new();
        if self.wanted.strategy == Strategy::Promote && !self.config.test_green {
            doubts.push(
                "--test-green=false changes nothing with --strategy promote: green is tested \
                 before it takes production all the same, because it keeps production and no other \
                 environment gets the version"
                    .to_owned(),
            );
        }
        for test in &self.config.tests {
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
        let tests = self.config.tests.iter();
        let urls: Vec<_> = tests.map(|test| without_secrets(&test.url)).collect();
        let mut told: Vec<_> = answers.iter().map(|(_, probe)| probe.got.clone()).collect();
        told.dedup();
        let told = match told.as_slice() {
            [] => String::new(),
            told => format!("; what runs there now answers {}", told.join(", ")),
        };
        check.passed(format!(
            "{tested} itself is asked for {}{told}",
            urls.join(", ")
        ))
    }

    pub(super) async fn alarms(&self) -> Found {
        let names = &self.config.alarms;
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
