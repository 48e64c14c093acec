//! The services behind preview hostnames and checks by themselves: Route 53, SSM and
//! CloudFormation.
//!
//! Against the sandbox, or against the server at `BLUEGREEN_TEST_MOTO` (a URL): the
//! conformance script runs them against moto's, so that they do not lean on the
//! sandbox. Either holds zone `shop.example` and the parameters that name it.

use std::sync::Arc;
use std::time::Duration;

use bluegreen::clock::{Clock, Deadline, Moment, Stopwatch};
use bluegreen::cloud::{
    AwsCloud, Connection, PreviewRefused, SandboxEndpoint, ZoneRecords, connect,
};
use bluegreen::cloud::{LookError, Outcome, Refusal};
use bluegreen::preview::{Asked, Hostname, Preview, PreviewError, Record, RecordSet};
use bluegreen::prober::HttpProber;
use bluegreen_sandbox::{
    Fault, FaultEffect, HOSTS_PARAMETER, Options, PRODUCTION, Sandbox, ZONE_PARAMETER,
};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::served::Patience;

/// How many times as fast as the wall's the sandbox's clock runs.
const SPEED: f64 = 600.0;

/// A hostname of this test alone, in a zone.
struct Place {
    cloud: AwsCloud,
    zone_id: String,
    host: String,
    url: String,
    /// None where another server is tested.
    sandbox: Option<Sandbox>,
}

impl Place {
    async fn new() -> Place {
        let (url, sandbox) = match std::env::var("BLUEGREEN_TEST_MOTO") {
            Ok(url) => (url, None),
            Err(_) => served().await,
        };
        let connection = Connection {
            region: Some("us-east-1".to_owned()),
            profile: None,
            role: None,
            sandbox: Some(SandboxEndpoint {
                url: url.clone(),
                speed: SPEED,
            }),
        };
        let config = connect(&connection).await.expect("a configuration");
        let cloud = AwsCloud::new(&config, Arc::new(HttpProber::new(None).expect("a prober")));
        let asked = Asked::read(&[param(HOSTS_PARAMETER)], Some(&param(ZONE_PARAMETER)));
        let asked = asked.expect("it reads").expect("it asks");
        let values = cloud.parameters(&asked.parameters()).await;
        let wanted = asked.resolve(&values.expect("it answers"));
        Place {
            zone_id: wanted.expect("it resolves").zone_id,
            host: format!("{}.shop.example", ulid::Ulid::new()).to_lowercase(),
            cloud,
            url,
            sandbox,
        }
    }

    /// Whether a batch is checked against what the zone holds, as Route 53 does. moto
    /// checks it against every change there ever was, before it applies any of it: it
    /// refuses to create again what was once created, and does not mind what is there.
    fn checks_batches(&self) -> bool {
        self.sandbox.is_some()
    }

    async fn seen(&self) -> Record {
        let zone = self.cloud.hosted_zone(&self.zone_id);
        zone.record(&self.host).await.expect("it answers")
    }

    async fn replace(&self, from: &Record, to: &Record) -> Outcome {
        let zone = self.cloud.hosted_zone(&self.zone_id);
        zone.replace(&self.host, from, to, &Deadline::default())
            .await
    }

    #[track_caller]
    fn inject(&self, effect: FaultEffect, operation: &str, times: Option<u32>) -> bool {
        let Some(sandbox) = &self.sandbox else {
            return false;
        };
        let fault = Fault {
            operation: Some(operation.to_owned()),
            times,
            ..Fault::from(effect)
        };
        sandbox.with_world(|world, _| world.inject(fault));
        true
    }

    fn end_faults(&self) {
        if let Some(sandbox) = &self.sandbox {
            sandbox.with_world(|world, _| world.clear_faults());
        }
    }
}

async fn served() -> (String, Option<Sandbox>) {
    let sandbox = Sandbox::open(Options {
        speed: SPEED,
        ..Options::default()
    });
    let sandbox = sandbox.expect("a sandbox opens");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(sandbox.clone().serve(listener, std::future::pending()));
    (url, Some(sandbox))
}

fn param(name: &str) -> String {
    format!("ssm:{name}")
}

fn cname(value: &str) -> Record {
    Record::Cname {
        ttl: 300,
        value: value.to_owned(),
    }
}

/// Record sets of this name, from their JSON.
fn sets(host: &str, json: serde_json::Value) -> Record {
    let mut sets: Vec<RecordSet> = serde_json::from_value(json).expect("record sets");
    for set in &mut sets {
        set.name = format!("{host}.");
    }
    Record::Other(sets)
}

fn applied(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Applied { .. })
}

fn already_so(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::NotApplied(Refusal::AlreadySo(_)))
}

#[tokio::test]
async fn whatever_a_hostname_held_is_put_back_exactly() {
    let place = Place::new().await;
    if !place.checks_batches() {
        return;
    }
    let host = &place.host;
    let address = serde_json::json!([
        {"Name": "", "Type": "A", "TTL": 17, "ResourceRecords": [{"Value": "192.0.2.1"}, {"Value": "192.0.2.2"}]},
        {"Name": "", "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": "\"a & b\""}]},
    ]);
    let weighted = serde_json::json!([
        {"Name": "", "Type": "CNAME", "SetIdentifier": "one", "Weight": 1, "TTL": 60, "ResourceRecords": [{"Value": "a.example"}]},
        {"Name": "", "Type": "CNAME", "SetIdentifier": "two", "Weight": 2, "TTL": 60, "ResourceRecords": [{"Value": "b.example"}]},
    ]);
    // As DNXLabs/docker-beanstalk-bluegreen leaves it.
    let latency = serde_json::json!([
        {"Name": "", "Type": "CNAME", "SetIdentifier": format!("{host} Identifier"), "Region": "us-east-1", "TTL": 60,
            "ResourceRecords": [{"Value": "green.eba-1.us-east-1.elasticbeanstalk.com"}]},
    ]);
    let alias = serde_json::json!([
        {"Name": "", "Type": "A", "AliasTarget": {"HostedZoneId": "Z35SXDOTRQ7X7K", "DNSName": "dualstack.lb.example.", "EvaluateTargetHealth": true}},
    ]);
    let ours = Record::preview("blue.eba-1.us-east-1.elasticbeanstalk.com");
    for before in [
        Record::Absent,
        cname("parked.example.net"),
        sets(host, address),
        sets(host, weighted),
        sets(host, latency),
        sets(host, alias),
    ] {
        let made = place.replace(&Record::Absent, &before).await;
        assert!(applied(&made) || before == Record::Absent, "{made:?}");
        let seen = place.seen().await;
        assert!(seen.same(&before), "{seen:?}");
        let pointed = place.replace(&seen, &ours).await;
        assert!(applied(&pointed), "{before:?}: {pointed:?}");
        assert_eq!(place.seen().await, ours);
        let back = place.replace(&ours, &seen).await;
        assert!(applied(&back), "{before:?}: {back:?}");
        assert_eq!(place.seen().await, seen);
        place.replace(&seen, &Record::Absent).await;
        assert_eq!(place.seen().await, Record::Absent);
    }
}

/// The one release that moto can play: its script has put an A record with two values
/// and a TXT record there.
#[tokio::test]
async fn a_hostname_that_had_addresses_is_pointed_and_put_back() {
    let place = Place::new().await;
    let host = "kept.shop.example";
    let kept = sets(
        host,
        serde_json::json!([
            {"Name": "", "Type": "A", "TTL": 17, "ResourceRecords": [{"Value": "192.0.2.1"}, {"Value": "192.0.2.2"}]},
            {"Name": "", "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": "\"a & b\""}]},
        ]),
    );
    let zone = place.cloud.hosted_zone(&place.zone_id);
    let in_time = Deadline::default();
    if place.sandbox.is_some() {
        let made = zone.replace(host, &Record::Absent, &kept, &in_time).await;
        assert!(applied(&made), "{made:?}");
    }
    let before = zone.record(host).await.expect("it answers");
    assert!(before.same(&kept), "{before:?}");
    let ours = Record::preview(&format!(
        "{}.eba-1.us-east-1.elasticbeanstalk.com",
        place.host
    ));
    let pointed = zone.replace(host, &before, &ours, &in_time).await;
    assert!(applied(&pointed), "{pointed:?}");
    assert_eq!(zone.record(host).await, Ok(ours.clone()));
    let back = zone.replace(host, &ours, &before, &in_time).await;
    assert!(applied(&back), "{back:?}");
    assert_eq!(zone.record(host).await, Ok(before));
}

#[tokio::test]
async fn what_somebody_else_has_put_there_stays() {
    let place = Place::new().await;
    if !place.checks_batches() {
        return;
    }
    let (before, theirs) = (cname("parked.example.net"), cname("theirs.example.net"));
    let ours = Record::preview("blue.example");
    assert!(applied(&place.replace(&Record::Absent, &theirs).await));
    for from in [&Record::Absent, &before, &ours] {
        let refused = place.replace(from, &Record::preview("green.example")).await;
        let Outcome::NotApplied(Refusal::Invalid(words)) = refused else {
            panic!("{from:?}: {refused:?}");
        };
        assert!(
            words.contains("CNAME to theirs.example.net (TTL 300) now"),
            "{words}"
        );
        assert_eq!(place.seen().await, theirs);
    }
    // An earlier attempt has done it.
    let again = place.replace(&before, &theirs).await;
    assert!(already_so(&again), "{again:?}");
    assert!(already_so(&place.replace(&theirs, &theirs).await));
    assert!(applied(&place.replace(&theirs, &Record::Absent).await));
    let again = place.replace(&theirs, &Record::Absent).await;
    assert!(already_so(&again), "{again:?}");
}

#[tokio::test]
async fn records_that_lead_past_the_cname_are_found_on_every_page() {
    let place = Place::new().await;
    let zone = place.cloud.hosted_zone(&place.zone_id);
    let balancer = format!("{}.elb.example", place.host);
    let one = |name: String, value: &str| cname(value).sets(&name).remove(0);
    let mut many: Vec<RecordSet> = (0..320)
        .map(|n| one(format!("n{n}.{}", place.host), "x.example"))
        .collect();
    many.push(one(format!("z.{}", place.host), &balancer));
    let alias = serde_json::json!([{"Name": "", "Type": "A", "AliasTarget": {
        "HostedZoneId": "Z35SXDOTRQ7X7K", "DNSName": format!("dualstack.{}.", balancer.to_uppercase()), "EvaluateTargetHealth": false}}]);
    many.extend(sets(&format!("a.{}", place.host), alias).sets(""));
    let many = Record::Other(many);
    assert!(applied(&place.replace(&Record::Absent, &many).await));
    let names = ["nowhere.example".to_owned(), balancer];
    let found = zone.records().await.expect("it answers");
    let records = ZoneRecords {
        found: found.into_iter().map(|set| (String::new(), set)).collect(),
        unread: Vec::new(),
    };
    let mut found: Vec<String> = records
        .leading_to(&names)
        .map(|(_, set)| {
            format!(
                "{} {}",
                set.name,
                set.in_words().split(' ').next().expect("a word")
            )
        })
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            format!("a.{}. A", place.host),
            format!("z.{}. CNAME", place.host)
        ]
    );
    assert_eq!(
        place.seen().await,
        Record::Absent,
        "names below are not its own"
    );
    assert!(applied(&place.replace(&many, &Record::Absent).await));
}

/// A service, or what stands in its place, whose every page tells of one more.
#[tokio::test]
async fn a_list_without_an_end_is_given_up() {
    let page = "<ListResourceRecordSetsResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
                <ResourceRecordSets/><IsTruncated>true</IsTruncated><MaxItems>300</MaxItems>\
                <NextRecordName>a.example.</NextRecordName></ListResourceRecordSetsResponse>";
    let answer = format!(
        "HTTP/1.1 200 OK\r\nx-amzn-requestid: 1\r\ncontent-type: text/xml\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{page}",
        page.len()
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 8192]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let cloud = crate::support::served::clients_of(&url).await;
    let endless = cloud.hosted_zone("Z1").records().await;
    let Err(LookError::Refused(words)) = endless else {
        panic!("{endless:?}");
    };
    assert!(words.contains("no end after 1000 pages"), "{words}");
}

#[tokio::test]
async fn a_zone_that_is_not_there_is_told_by_its_id() {
    let place = Place::new().await;
    let nowhere = place.cloud.hosted_zone("ZNOWHERE");
    for error in [
        nowhere.name().await.expect_err("there is none"),
        nowhere
            .record("a.example")
            .await
            .expect_err("there is none"),
    ] {
        let LookError::Refused(words) = error else {
            panic!("{error:?}");
        };
        assert!(words.contains("no hosted zone ZNOWHERE"), "{words}");
    }
    let to = Record::preview("b.example");
    let in_time = Deadline::default();
    let refused = nowhere.replace("a.example", &Record::Absent, &to, &in_time);
    let refused = refused.await;
    assert!(
        matches!(refused, Outcome::NotApplied(Refusal::Invalid(_))),
        "{refused:?}"
    );
}

async fn preview(place: &Place, hosts: &[&str], zone: &str) -> Result<Preview, PreviewRefused> {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let asked = Asked::read(&hosts, Some(zone))?.expect("it asks");
    let production = [PRODUCTION.to_owned()];
    place.cloud.preview(&asked, &production).await
}

#[tokio::test]
async fn a_preview_is_planned_from_parameters_and_what_the_zone_holds() {
    let place = Place::new().await;
    let zone = param(ZONE_PARAMETER);
    let planned = preview(&place, &[&param(HOSTS_PARAMETER), &place.host], &zone).await;
    let planned = planned.expect("it is fit");
    assert_eq!(planned.zone_id, place.zone_id);
    assert_eq!(planned.hosts, ["preview.shop.example", &place.host]);
    let parked = planned.before("preview.shop.example");
    assert_eq!(parked, Some(&cname("parked.example.net")));
    let standing = planned.standing(&place.host, "blue.example", &place.seen().await);
    assert_eq!(standing, Hostname::AsBefore);
    for (hosts, zone, words) in [
        (
            ["www.shop.example"],
            zone.as_str(),
            "serves production (CNAME to shop.us-east-1",
        ),
        (["a.other.example"], &zone, "is not in hosted zone"),
        (["shop.example"], &zone, "cannot be a CNAME"),
        (
            ["ssm:/nowhere"],
            &zone,
            "there is no SSM parameter /nowhere",
        ),
        (
            ["a.shop.example"],
            "ZNOWHERE",
            "there is no hosted zone ZNOWHERE",
        ),
    ] {
        let refused = preview(&place, &hosts, zone).await;
        let refused = refused.expect_err(words).to_string();
        assert!(refused.contains(words), "{refused}");
    }
    // The zone's id is no list of hostnames, and no list is an id.
    for (hosts, zone, name) in [
        ([param(ZONE_PARAMETER)], zone.clone(), ZONE_PARAMETER),
        (
            [place.host.clone()],
            param(HOSTS_PARAMETER),
            HOSTS_PARAMETER,
        ),
    ] {
        let refused = preview(&place, &[&hosts[0]], &zone).await;
        assert!(
            matches!(&refused, Err(PreviewRefused::Unfit(PreviewError::Parameter { name: told, .. })) if told == name),
            "{refused:?}"
        );
    }
}

/// DNXLabs/docker-beanstalk-bluegreen keeps its hostnames in a parameter named like the
/// application, as a Python list, and the zone's id in `HostedZoneId`: both are read as they are.
#[tokio::test]
async fn a_parameter_with_a_python_list_is_read_and_never_evaluated() {
    let place = Place::new().await;
    let Some(sandbox) = &place.sandbox else {
        return;
    };
    sandbox.with_world(|world, _| {
        world.put_text_parameter("shop", "['preview.shop.example','b.shop.example']");
        world.put_text_parameter("HostedZoneId", &place.zone_id);
        world.put_text_parameter("code", "[__import__('os').name]");
    });
    let planned = preview(&place, &["ssm:shop"], "ssm:HostedZoneId").await;
    let planned = planned.expect("it is fit");
    assert_eq!(planned.hosts, ["preview.shop.example", "b.shop.example"]);
    let refused = preview(&place, &["ssm:code"], "ssm:HostedZoneId").await;
    assert!(
        matches!(&refused, Err(PreviewRefused::Unfit(PreviewError::Parameter { name, .. })) if name == "code"),
        "{refused:?}"
    );
}

/// A preview is asked through the sandbox's proxy as a browser would ask it.
#[tokio::test]
async fn a_preview_leads_to_the_environment_under_test_until_it_is_put_back() {
    let place = Place::new().await;
    if place.sandbox.is_none() {
        return;
    }
    let proxy = reqwest::Proxy::http(&place.url).expect("a proxy");
    let client = reqwest::Client::builder().proxy(proxy).build();
    let client = client.expect("a client");
    let url = format!("http://{}/", place.host);
    let status = async || {
        let answer = client.get(&url).send().await.expect("an answer");
        answer.status().as_u16()
    };
    let ours = Record::preview(PRODUCTION);
    assert_eq!(status().await, 502);
    assert!(applied(&place.replace(&Record::Absent, &ours).await));
    let patience = Patience::new();
    while status().await != 200 {
        patience.pause("the preview to lead there").await;
    }
    assert!(applied(&place.replace(&ours, &Record::Absent).await));
    while status().await != 502 {
        patience.pause("the preview to lead nowhere").await;
    }
}

#[tokio::test]
async fn a_write_survives_the_faults_of_the_wire() {
    let place = Place::new().await;
    let change = "ChangeResourceRecordSets";
    let ours = Record::preview("blue.example");
    if !place.inject(FaultEffect::Throttle, change, Some(1)) {
        return;
    }
    assert!(applied(&place.replace(&Record::Absent, &ours).await));
    // Applied, and the answer lost: the SDK's second attempt is refused.
    place.inject(FaultEffect::DropAnswer, change, Some(1));
    let lost = place.replace(&ours, &Record::Absent).await;
    assert!(already_so(&lost), "{lost:?}");
    assert_eq!(place.seen().await, Record::Absent);
    place.inject(FaultEffect::DropAnswer, change, None);
    let unclear = place.replace(&Record::Absent, &ours).await;
    assert!(matches!(unclear, Outcome::Unclear(_)), "{unclear:?}");
    assert_eq!(place.seen().await, ours);
    place.end_faults();
    place.inject(FaultEffect::Throttle, change, None);
    let throttled = place.replace(&ours, &Record::Absent).await;
    assert!(
        matches!(throttled, Outcome::NotApplied(Refusal::Throttled(_))),
        "{throttled:?}"
    );
    place.end_faults();
    place.inject(FaultEffect::ExpiredCredentials, change, None);
    let expired = place.replace(&ours, &Record::Absent).await;
    assert!(
        matches!(expired, Outcome::NotApplied(Refusal::Credentials(_))),
        "{expired:?}"
    );
    place.end_faults();
    let busy = FaultEffect::Refuse {
        status: 400,
        code: "PriorRequestNotComplete".to_owned(),
        message: String::new(),
    };
    place.inject(busy, change, None);
    let busy = place.replace(&ours, &Record::Absent).await;
    assert!(
        matches!(busy, Outcome::NotApplied(Refusal::Throttled(_))),
        "{busy:?}"
    );
    place.end_faults();
    // Whoever slept before it sends nothing.
    let clock = Clock::starting_at(Moment(0), 1.0);
    let over = Deadline::default().and(Stopwatch::start(&clock), Duration::ZERO);
    tokio::time::sleep(Duration::from_millis(2)).await;
    let zone = place.cloud.hosted_zone(&place.zone_id);
    let late = zone
        .replace(&place.host, &ours, &Record::Absent, &over)
        .await;
    assert!(
        matches!(late, Outcome::NotApplied(Refusal::Unreachable(_))),
        "{late:?}"
    );
    assert_eq!(place.seen().await, ours);
}

#[tokio::test]
async fn reads_tell_what_keeps_them() {
    let place = Place::new().await;
    let denied = || FaultEffect::Refuse {
        status: 400,
        code: "AccessDeniedException".to_owned(),
        message: "not authorized".to_owned(),
    };
    if !place.inject(denied(), "GetParameter", None) {
        return;
    }
    let error = place.cloud.parameters(&[ZONE_PARAMETER]).await;
    let Err(LookError::Denied(words)) = error else {
        panic!("{error:?}");
    };
    assert!(words.contains(ZONE_PARAMETER), "{words}");
    place.end_faults();
    place.inject(FaultEffect::Throttle, "DescribeStacks", None);
    let throttled = place.cloud.termination_protection("e-1").await;
    assert!(
        matches!(throttled, Err(LookError::Passing(_))),
        "{throttled:?}"
    );
    place.inject(
        FaultEffect::ExpiredCredentials,
        "ListResourceRecordSets",
        None,
    );
    let zone = place.cloud.hosted_zone(&place.zone_id);
    let expired = zone.record(&place.host).await;
    assert!(
        matches!(expired, Err(LookError::Credentials(_))),
        "{expired:?}"
    );
}

/// On moto, the script makes the stacks of these two environments.
#[tokio::test]
async fn the_protection_of_a_stack_is_read() {
    let place = Place::new().await;
    let (protected, open) = match &place.sandbox {
        None => ("e-protected".to_owned(), "e-open".to_owned()),
        Some(sandbox) => {
            let id = |name: &str| {
                sandbox.with_world(|world, _| world.environment(name).expect("seeded").id.clone())
            };
            protect(sandbox, &id("shop-blue")).await;
            (id("shop-blue"), id("shop-worker"))
        }
    };
    let told = async |id: &str| place.cloud.termination_protection(id).await;
    assert_eq!(told(&protected).await, Ok(Some(true)));
    assert_eq!(told(&open).await, Ok(Some(false)));
    assert_eq!(told("e-nowhere").await, Ok(None));
}

async fn protect(sandbox: &Sandbox, id: &str) {
    let form = format!(
        "Action=UpdateTerminationProtection&StackName=awseb-{id}-stack&EnableTerminationProtection=true"
    );
    let request = http::Request::post("http://127.0.0.1/")
        .header("content-type", "application/x-www-form-urlencoded")
        .header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=A/20270115/us-east-1/cloudformation/aws4_request, Signature=0",
        )
        .body(Bytes::from(form))
        .expect("a request");
    let answer = sandbox.handle(request).await.expect("an answer");
    assert_eq!(answer.status(), 200);
}
