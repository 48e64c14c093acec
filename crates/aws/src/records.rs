//! The DNS records of the account's hosted zones.

use super::clients::AwsCloud;
use super::failure::{PAGES_MAX, endless, look_error};
use crate::cloud::LookError;
use bluegreen_core::followers::preview::RecordSet;

/// How many hosted zones are read: Route 53 takes five requests a second of an account
/// (developer guide, "Quotas").
const ZONES_MAX: usize = 50;

/// The records of the account's hosted zones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneRecords {
    /// The record sets, each with its zone's name.
    pub found: Vec<(String, RecordSet)>,
    /// The names of the zones that were not read: the caller may not, or they are too many.
    pub unread: Vec<String>,
}

impl ZoneRecords {
    /// The record sets that lead to one of `names`, load balancers or addresses behind a
    /// CNAME, each with its zone's name.
    pub fn leading_to(&self, names: &[String]) -> impl Iterator<Item = &(String, RecordSet)> {
        let leads = |set: &RecordSet| set.leads_to_any(names) || set.holds_any(names);
        self.found.iter().filter(move |(_, set)| leads(set))
    }
}

impl AwsCloud {
    /// The records of the account's hosted zones. Zones of other accounts and other DNS services
    /// are not among them.
    ///
    /// # Errors
    /// [`LookError`]; [`LookError::Denied`] where the zones may not be listed.
    pub async fn zone_records(&self) -> Result<ZoneRecords, LookError> {
        let mut records = ZoneRecords::default();
        for (number, (id, name)) in self.hosted_zones().await?.into_iter().enumerate() {
            if number >= ZONES_MAX {
                records.unread.push(name);
                continue;
            }
            match self.hosted_zone(&id).records().await {
                Ok(sets) => {
                    let named = sets.into_iter().map(|set| (name.clone(), set));
                    records.found.extend(named);
                }
                Err(LookError::Denied(_)) => records.unread.push(name),
                Err(error) => return Err(error),
            }
        }
        Ok(records)
    }

    /// The id and name, without its last dot, of each hosted zone of the account.
    async fn hosted_zones(&self) -> Result<Vec<(String, String)>, LookError> {
        let mut found = Vec::new();
        let mut marker = None;
        for _ in 0..PAGES_MAX {
            let request = self.lazy_clients.route53().list_hosted_zones();
            let page = request.set_marker(marker).send().await;
            let page = page.map_err(|e| look_error("ListHostedZones", &e))?;
            found.extend(page.hosted_zones.into_iter().map(|zone| {
                let id = zone.id.trim_start_matches("/hostedzone/").to_owned();
                (id, zone.name.trim_end_matches('.').to_owned())
            }));
            marker = page.next_marker.filter(|_| page.is_truncated);
            if marker.is_none() {
                return Ok(found);
            }
        }
        Err(endless("ListHostedZones"))
    }
}
