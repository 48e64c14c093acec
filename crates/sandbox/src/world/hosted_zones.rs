//! The hosted zones, and where their name servers lead.

use crate::wire::element::Element;
use crate::world::World;
use crate::world::zone::{Zone, is_within, normal};

impl World {
    /// Adds a hosted zone that holds nothing yet.
    pub fn add_zone(&mut self, id: &str, name: &str) {
        self.services.zones.push(Zone {
            id: id.to_owned(),
            name: format!("{name}."),
            served: Vec::new(),
            records: Vec::new(),
        });
    }

    /// The name servers answer these records of a zone from now on.
    pub(crate) fn serve_records(&mut self, zone: &str, records: Vec<Element>) {
        if let Some(zone) = self.services.zones.iter_mut().find(|z| z.id == zone) {
            zone.served = records;
        }
    }
}

/// How many steps of CNAMEs and aliases are followed.
const STEPS_MAX: usize = 8;

impl World {
    /// The host that the name servers lead to from a host in a hosted zone, without its dot: the
    /// host itself where its records lead nowhere. `None` where it is in no zone.
    pub(crate) fn led_to(&self, host: &str) -> Option<String> {
        let zone_of = |name: &str| {
            let zones = self.services.zones.iter();
            zones
                .filter(|zone| is_within(name, &zone.name))
                .max_by_key(|zone| zone.name.len())
        };
        let mut name = normal(host).ok()?;
        zone_of(&name)?;
        for _ in 0..STEPS_MAX {
            match zone_of(&name).and_then(|zone| zone.leads(&name)) {
                Some(next) => name = next,
                None => break,
            }
        }
        Some(name.trim_end_matches('.').to_owned())
    }
}
