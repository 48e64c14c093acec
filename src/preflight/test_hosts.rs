//! What the tests over HTTP reach: the environment under test, production, or an unknown place.
//! Pure.

use std::net::IpAddr;

use crate::acceptance::{AcceptanceTest, Front, without_secrets};
use crate::cloud::Led;
use crate::preview::{RecordSet, ResourceRecord, same_name};

/// Stands for the CNAME of the environment under test; no name ends so (RFC 6761).
const UNDER_TEST: &str = "under-test.invalid";

/// What is known of names.
pub(super) struct Known<'a> {
    /// The production CNAME.
    pub production: &'a str,
    /// The name of blue's load balancer, or its address.
    pub endpoint: Option<&'a str>,
    /// Whether blue alone is tested, so that its load balancer is that of the environment
    /// under test; otherwise it is production's while green is tested.
    pub only_blue: bool,
    /// The preview hostnames, which lead to the environment under test.
    pub previews: &'a [String],
    /// The record sets of the account's hosted zones that were read, and what DNS answers beside
    /// them.
    pub records: &'a [RecordSet],
    /// The addresses of blue's load balancer; none where they are not known.
    pub addresses: &'a [IpAddr],
}

/// What a test reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The environment under test.
    UnderTest,
    /// The production CNAME itself.
    Production,
    /// This host, which leads to production as far as the zones and DNS show.
    ToProduction(String),
    /// This host, and where it leads, in words.
    Unknown(String),
}

/// What a test reaches, as far as it can be known.
pub(super) fn reach(test: &AcceptanceTest, known: &Known<'_>) -> Reach {
    let Some(host) = host_of(test) else {
        return Reach::Unknown(format!("{}, which is no URL", without_secrets(&test.url)));
    };
    let host = host.as_str();
    let leads_to = led(host, known.records);
    let leads = |name: &str| leads_to.iter().any(|led| is_same_place(led, name));
    let is_preview = known.previews.iter().any(|name| same_name(name, host));
    let at_endpoint = known.endpoint.is_some_and(leads);
    // A provider that flattens CNAMEs tells the addresses alone.
    let at_address = known.addresses.iter().any(|at| leads(&at.to_string()));
    if host == UNDER_TEST || is_preview {
        Reach::UnderTest
    } else if same_name(host, known.production) {
        Reach::Production
    } else if leads(known.production) || at_endpoint && !known.only_blue {
        Reach::ToProduction(host.to_owned())
    } else if at_endpoint {
        Reach::UnderTest
    } else if at_address {
        Reach::ToProduction(host.to_owned())
    } else {
        Reach::Unknown(match leads_to.as_slice() {
            [_] => host.to_owned(),
            [_, beyond @ ..] => format!("{host}, which leads to {}", beyond.join(" and ")),
            [] => host.to_owned(),
        })
    }
}

/// Whether a test names this host itself.
#[must_use]
pub fn asks_for(test: &AcceptanceTest, name: &str) -> bool {
    let url = reqwest::Url::parse(&test.url_on(Front::Http, UNDER_TEST)).ok();
    let host = url.as_ref().and_then(reqwest::Url::host_str);
    host.is_some_and(|host| same_name(host, name))
}

/// Whether a test goes by the CNAME of the environment under test alone.
pub(super) fn goes_by_cname(test: &AcceptanceTest) -> bool {
    host_of(test).as_deref() == Some(UNDER_TEST)
}

/// The host that a test sends its request to; `None` where its URL has none.
fn host_of(test: &AcceptanceTest) -> Option<String> {
    let url = reqwest::Url::parse(&test.url_on(Front::Http, UNDER_TEST)).ok()?;
    let host = url.host_str()?;
    Some(host.trim_matches(['[', ']']).to_owned())
}

/// The names of tests that bluegreen must resolve by DNS, each once: hosts that they send requests
/// to, and hosts that they present, which are the site's; but not those that the hosted zones
/// resolve.
pub(super) fn to_look_up(tests: &[AcceptanceTest], known: &Known<'_>) -> Vec<String> {
    let asked = tests.iter().filter_map(|test| match reach(test, known) {
        Reach::Unknown(_) => host_of(test),
        Reach::UnderTest | Reach::Production | Reach::ToProduction(_) => None,
    });
    let presented = tests.iter().filter_map(|test| test.host.clone());
    let presented = presented.filter(|host| {
        let leads_to = led(host, known.records);
        let leads = |name: &str| leads_to.iter().any(|led| is_same_place(led, name));
        !leads(known.production) && !known.endpoint.is_some_and(leads)
    });
    let mut names: Vec<String> = asked
        .chain(presented)
        .filter(|name| is_name(name))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Whether a text is a name that DNS can resolve, and neither an address nor a text that still
/// holds a variable.
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    text.contains('.') && text.chars().all(plain) && text.parse::<IpAddr>().is_err()
}

/// DNS's answer for a name, as the record sets of a hosted zone would hold it.
pub(super) fn as_records(name: &str, led: &Led) -> Vec<RecordSet> {
    let set = |name: &str, kind: &str, values: Vec<String>| RecordSet {
        name: name.to_owned(),
        kind: kind.to_owned(),
        resource_records: (values.into_iter())
            .map(|value| ResourceRecord { value })
            .collect(),
        ..RecordSet::default()
    };
    let mut at = name;
    let mut sets = Vec::new();
    for next in &led.names {
        sets.push(set(at, "CNAME", vec![next.clone()]));
        at = next;
    }
    if !led.addresses.is_empty() {
        let addresses = led.addresses.iter().map(ToString::to_string);
        sets.push(set(at, "A", addresses.collect()));
    }
    sets
}

/// A name and every name and address that it leads to.
fn led(host: &str, records: &[RecordSet]) -> Vec<String> {
    let mut names = vec![host.to_owned()];
    let mut at = 0;
    // Each name is followed once, so that a circle ends too.
    while let Some(name) = names.get(at).cloned() {
        at += 1;
        for target in held(&name, records).iter().flat_map(|set| targets(set)) {
            if !names.iter().any(|known| same_name(known, target)) {
                names.push(target.trim_end_matches('.').to_owned());
            }
        }
    }
    names
}

/// The record sets of a name: its own, or those of the closest wildcard above it.
fn held<'a>(name: &str, records: &'a [RecordSet]) -> Vec<&'a RecordSet> {
    let of = |name: &str| -> Vec<&RecordSet> {
        let same = |set: &&RecordSet| same_name(&set.name.replace("\\052", "*"), name);
        records.iter().filter(same).collect()
    };
    let own = of(name);
    if !own.is_empty() {
        return own;
    }
    let parents = name.match_indices('.').map(|(at, _)| &name[at + 1..]);
    let mut above = parents.map(|parent| of(&format!("*.{parent}")));
    above.find(|sets| !sets.is_empty()).unwrap_or_default()
}

/// Where a record set leads: names, and the addresses of one that holds them.
fn targets(set: &RecordSet) -> impl Iterator<Item = &str> {
    let holds_addresses = set.kind == "A" || set.kind == "AAAA";
    let addresses = set.resource_records.iter().map(|r| r.value.as_str());
    set.targets()
        .chain(addresses.filter(move |_| holds_addresses))
}

/// The name of a load balancer may have `dualstack.` before it.
pub(super) fn is_same_place(a: &str, b: &str) -> bool {
    let bare = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.strip_prefix("dualstack.").unwrap_or(&name).to_owned()
    };
    same_name(&bare(a), &bare(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preview::{AliasTarget, ResourceRecord};

    const PRODUCTION: &str = "shop.us-east-1.elasticbeanstalk.com";
    const ENDPOINT: &str = "awseb-1.us-east-1.elb.amazonaws.com";

    fn set(name: &str, kind: &str, value: &str) -> RecordSet {
        let resource_records = vec![ResourceRecord {
            value: value.to_owned(),
        }];
        RecordSet {
            name: name.to_owned(),
            kind: kind.to_owned(),
            resource_records,
            ..RecordSet::default()
        }
    }

    fn alias(name: &str, to: &str) -> RecordSet {
        RecordSet {
            name: name.to_owned(),
            kind: "A".to_owned(),
            alias_target: Some(AliasTarget {
                dns_name: to.to_owned(),
                ..AliasTarget::default()
            }),
            ..RecordSet::default()
        }
    }

    fn reached(url: &str, only_blue: bool, endpoint: &str) -> Reach {
        let records = [
            set("www.shop.example.", "CNAME", "Shop.example."),
            alias("shop.example.", &format!("{PRODUCTION}.")),
            alias("direct.shop.example.", &format!("dualstack.{ENDPOINT}.")),
            set("address.shop.example.", "A", "203.0.113.7"),
            set("\\052.shop.example.", "CNAME", "www.shop.example"),
            set("a.ring.example.", "CNAME", "b.ring.example"),
            set("b.ring.example.", "CNAME", "a.ring.example"),
        ];
        reach(
            &AcceptanceTest::get(url),
            &Known {
                production: PRODUCTION,
                endpoint: Some(endpoint),
                only_blue,
                previews: &["preview.shop.example".to_owned()],
                records: &records,
                addresses: &["198.18.0.1".parse().expect("an address")],
            },
        )
    }

    #[test]
    fn what_a_test_reaches_is_told_by_its_host() {
        for url in [
            "/health",
            "https://{cname}:8443/health",
            "http://{cname}/?next=http://www.shop.example/",
            "http://Preview.shop.example/",
            "http://AWSEB-1.us-east-1.elb.amazonaws.com/",
            "http://direct.shop.example/",
        ] {
            assert_eq!(reached(url, true, ENDPOINT), Reach::UnderTest, "{url}");
        }
        let url = "http://SHOP.us-east-1.elasticbeanstalk.com:80/a";
        assert_eq!(reached(url, true, ENDPOINT), Reach::Production);
        for host in [
            "www.shop.example",
            "shop.example",
            // By the wildcard.
            "other.shop.example",
            "a.b.shop.example",
        ] {
            // The placeholder elsewhere than in the host says nothing.
            let url = format!("http://{host}/?of={{cname}}");
            let to = Reach::ToProduction(host.to_owned());
            assert_eq!(reached(&url, true, ENDPOINT), to, "{url}");
        }
        for (url, words) in [
            ("http://elsewhere.example/", "elsewhere.example"),
            (
                "http://a.ring.example/",
                "a.ring.example, which leads to b.ring.example",
            ),
            ("http://x.{cname}/", "x.under-test.invalid"),
        ] {
            let unknown = Reach::Unknown(words.to_owned());
            assert_eq!(reached(url, true, ENDPOINT), unknown, "{url}");
        }
    }

    #[test]
    fn an_address_is_that_of_a_single_instance() {
        for url in ["http://203.0.113.7/", "http://address.shop.example/"] {
            assert_eq!(reached(url, true, "203.0.113.7"), Reach::UnderTest, "{url}");
            let elsewhere = reached(url, true, "203.0.113.8");
            assert!(matches!(elsewhere, Reach::Unknown(_)), "{elsewhere:?}");
        }
    }

    #[test]
    fn where_green_is_tested_blue_is_production() {
        for host in [ENDPOINT, "direct.shop.example"] {
            let url = format!("http://{host}/");
            let to = Reach::ToProduction(host.to_owned());
            assert_eq!(reached(&url, false, ENDPOINT), to);
        }
        assert_eq!(reached("/", false, ENDPOINT), Reach::UnderTest);
    }
}
