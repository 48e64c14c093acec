//! How many requests a load balancer's health checks send to an instance, and above which rate an
//! instance must be getting other requests too. Pure.
//!
//! The web server logs a health check like any request, and the health agent counts what the log
//! holds: an environment without clients still gets that many requests.

use std::collections::BTreeSet;

use crate::cloud::{Configuration, EnvironmentType};
use crate::plan::Limits;

/// The namespaces of the processes behind an application or network load balancer begin so.
const PROCESS: &str = "aws:elasticbeanstalk:environment:process:";
/// In how many zones the load balancer is taken to have a node where nothing says so.
const ZONES: u32 = 3;
/// For how long requests are counted (API reference, `ApplicationMetrics`).
const COUNTED_SECONDS: u32 = 10;

/// The health checks that each instance of an environment gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthChecks {
    /// The nodes of the load balancer, each of which sends its own.
    pub nodes: u32,
    /// The interval of each process, in seconds.
    pub every_seconds: Vec<u32>,
}

impl HealthChecks {
    /// The health checks of an environment; `None` where it has no load balancer. `addresses` is
    /// the number of addresses that the load balancer's name resolves to, where that is known: each
    /// belongs to a node. Defaults are those of the developer guide, "General options for all
    /// environments".
    #[must_use]
    pub fn of(configuration: &Configuration, addresses: Option<u32>) -> Option<HealthChecks> {
        if configuration.environment_type() == EnvironmentType::SingleInstance {
            return None;
        }
        let interval = |namespace: &str, name: &str, default: u32| {
            let told = configuration.value(namespace, name);
            let told = told.and_then(|text| text.trim().parse().ok());
            told.unwrap_or(default).max(1)
        };
        let default = format!("{PROCESS}default");
        let named = configuration.settings.iter().map(|s| s.namespace.as_str());
        let mut processes: BTreeSet<&str> = named.filter(|n| n.starts_with(PROCESS)).collect();
        processes.insert(&default);
        let of_processes = |usual| {
            let each = processes.iter();
            each.map(|process| interval(process, "HealthCheckInterval", usual))
                .collect()
        };
        let every_seconds = match configuration.balancer_type() {
            Some("application") => of_processes(15),
            Some("network") => of_processes(30),
            _ => vec![interval("aws:elb:healthcheck", "Interval", 10)],
        };
        Some(HealthChecks {
            nodes: zones(configuration).max(addresses.unwrap_or(0)),
            every_seconds,
        })
    }

    /// How many requests a minute an instance of a drained environment may get: one and a half
    /// times what the health checks send, and no fewer than would show where all nodes send one
    /// within one of the spans for which requests are counted. Never below the
    /// [default](Limits::default).
    #[must_use]
    pub fn allowed(&self) -> u32 {
        let sum = |of: &dyn Fn(u32) -> u32| -> u32 {
            let each = self.every_seconds.iter().map(|every| of((*every).max(1)));
            each.fold(0, u32::saturating_add)
        };
        let half_again = sum(&|every| {
            let three_halves = self.nodes.saturating_mul(90);
            three_halves.div_ceil(every)
        });
        let at_once = sum(&|every| {
            let each = COUNTED_SECONDS.div_ceil(every);
            let in_span = self.nodes.saturating_mul(each);
            in_span.saturating_mul(60 / COUNTED_SECONDS)
        });
        let default = Limits::default().drain_requests;
        half_again.max(at_once).max(default)
    }
}

/// In how many zones a load balancer has a node: one in each subnet that it is given, for two
/// cannot be in one zone.
fn zones(configuration: &Configuration) -> u32 {
    let listed = |namespace: &str, name: &str| {
        let told = configuration.value(namespace, name)?;
        let parts = told.split(',').filter(|part| !part.trim().is_empty());
        Some(u32::try_from(parts.count()).unwrap_or(u32::MAX)).filter(|count| *count > 0)
    };
    listed("aws:ec2:vpc", "ELBSubnets")
        .or_else(|| listed("aws:ec2:vpc", "Subnets"))
        .or_else(|| listed("aws:autoscaling:asg", "Custom Availability Zones"))
        .unwrap_or(ZONES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Setting;

    fn configuration(settings: &[(&str, &str, &str)]) -> Configuration {
        let setting = |(namespace, name, value): &(&str, &str, &str)| Setting {
            namespace: (*namespace).to_owned(),
            name: (*name).to_owned(),
            resource: None,
            value: Some((*value).to_owned()),
        };
        Configuration {
            settings: settings.iter().map(setting).collect(),
            ..Configuration::default()
        }
    }

    const APPLICATION: (&str, &str, &str) = (
        "aws:elasticbeanstalk:environment",
        "LoadBalancerType",
        "application",
    );
    const DEFAULT: &str = "aws:elasticbeanstalk:environment:process:default";
    const SIX: (&str, &str, &str) = ("aws:ec2:vpc", "ELBSubnets", "a,b,c,d,e,f");

    #[track_caller]
    fn allows(settings: &[(&str, &str, &str)], addresses: Option<u32>, expected: u32) {
        let checks = HealthChecks::of(&configuration(settings), addresses);
        assert_eq!(checks.map(|checks| checks.allowed()), Some(expected));
    }

    #[test]
    fn the_threshold_follows_from_the_interval_and_the_nodes() {
        // Three nodes each 15 seconds make 12 a minute, and 18 where all ask within ten.
        allows(&[APPLICATION], None, 20);
        let often = (DEFAULT, "HealthCheckInterval", "5");
        allows(&[APPLICATION, often], None, 54);
        allows(&[APPLICATION, SIX], None, 36);
        allows(&[APPLICATION, SIX, often], None, 108);
        // More nodes than subnets: a busy load balancer has several in a zone.
        allows(&[APPLICATION], Some(8), 48);
        allows(&[APPLICATION, SIX], Some(2), 36);
        // Seldom, and then all six within one span of ten seconds.
        let seldom = (DEFAULT, "HealthCheckInterval", "300");
        allows(&[APPLICATION, SIX, seldom], None, 36);
        // Every process is asked for itself.
        let admin = (
            "aws:elasticbeanstalk:environment:process:admin",
            "Port",
            "81",
        );
        allows(&[APPLICATION, SIX, admin], None, 72);
        let network = (APPLICATION.0, APPLICATION.1, "network");
        allows(&[network, SIX], None, 36);
        // A classic one, which is the default, asks each ten seconds.
        allows(&[], None, 27);
        allows(&[("aws:elb:healthcheck", "Interval", "5")], None, 54);
        // What is no number has the default.
        allows(
            &[APPLICATION, (DEFAULT, "HealthCheckInterval", "?")],
            None,
            20,
        );
    }

    #[test]
    fn a_single_instance_is_asked_by_no_load_balancer() {
        let single = (APPLICATION.0, "EnvironmentType", "SingleInstance");
        assert_eq!(HealthChecks::of(&configuration(&[single]), Some(1)), None);
    }
}
