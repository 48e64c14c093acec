//! What the sandbox does, told through its own API on a clock set by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bluegreen_sandbox::{
    Fault, FaultEffect, Form, Options, PRODUCTION, Reply, Sandbox, SandboxError, Status,
    TimeSource, World, advance, apply,
};
use bytes::Bytes;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32};

const START: u64 = 1_800_000_000_000;

/// A world and its time, in seconds since the start.
struct Play {
    world: World,
    second: u64,
}

impl Play {
    fn new() -> Play {
        let mut world = World::seeded(START);
        world.timings = world.timings.even();
        Play { world, second: 0 }
    }

    fn wait(&mut self, seconds: u64) {
        self.second += seconds;
        advance(&mut self.world, START + self.second * 1000);
    }

    /// The status and body of a request's answer, given as a query string.
    fn ask(&mut self, request: &str) -> (u16, String) {
        match apply(&mut self.world, &Form::parse(request.as_bytes())) {
            Reply::Answer { status, body, .. } => (status, body.replace("&apos;", "'")),
            Reply::Foreign(_) | Reply::Slow(..) | Reply::HangUp => (0, String::new()),
        }
    }

    #[track_caller]
    fn done(&mut self, request: &str) -> String {
        let (status, body) = self.ask(request);
        assert_eq!(status, 200, "{request}: {body}");
        body
    }

    #[track_caller]
    fn refused(&mut self, request: &str, words: &str) {
        let (status, body) = self.ask(request);
        assert!(
            status >= 400 && body.contains(words),
            "{request}: {status} {body}"
        );
    }

    fn launch(&mut self, name: &str) {
        let stack = "64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20";
        self.done(&format!("Action=CreateEnvironment&ApplicationName=shop&EnvironmentName={name}&VersionLabel=v1&SolutionStackName={stack}"));
        self.wait(300);
    }

    fn status(&self, name: &str) -> (Status, &str, &str) {
        let environment = self.world.environment(name).expect("it is there");
        (
            environment.status,
            &environment.health,
            &environment.health_status,
        )
    }
}

const SWAP: &str = "Action=SwapEnvironmentCNAMEs&SourceEnvironmentName=shop-blue&DestinationEnvironmentName=shop-two";

#[test]
fn a_launch_is_ready_before_it_is_ok() {
    let mut play = Play::new();
    play.done("Action=CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-two&VersionLabel=v1&SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20");
    play.wait(239);
    assert_eq!(play.status("shop-two").0, Status::Launching);
    play.wait(1);
    assert_eq!(play.status("shop-two"), (Status::Ready, "Grey", "Pending"));
    play.wait(40);
    assert_eq!(play.status("shop-two"), (Status::Ready, "Green", "Ok"));
}

#[test]
fn a_swap_takes_its_time_and_a_second_swaps_back() {
    let mut play = Play::new();
    play.launch("shop-two");
    play.done(SWAP);
    play.refused(SWAP, "Must be Ready.");
    play.wait(7);
    assert_eq!(play.status("shop-blue").0, Status::Updating);
    assert_eq!(
        play.world.cname_holder(PRODUCTION).expect("held").name,
        "shop-blue"
    );
    play.wait(1);
    assert_eq!(
        play.world.cname_holder(PRODUCTION).expect("held").name,
        "shop-two"
    );
    assert_eq!(play.status("shop-blue").0, Status::Updating);
    play.wait(2);
    play.done(SWAP);
    play.wait(8);
    assert_eq!(
        play.world.cname_holder(PRODUCTION).expect("held").name,
        "shop-blue"
    );
    assert_eq!(play.world.report().lost, 0);
}

#[test]
fn a_failed_deploy_comes_back_ready_and_green_on_its_old_label() {
    let mut play = Play::new();
    play.world.inject(FaultEffect::VersionFailsToDeploy {
        label: "v2".to_owned(),
    });
    let shown = play.done("Action=UpdateEnvironment&EnvironmentName=shop-blue&VersionLabel=v2");
    assert!(shown.contains("<VersionLabel>v2</VersionLabel>"), "{shown}");
    play.wait(90);
    let blue = play.world.environment("shop-blue").expect("blue");
    assert_eq!(
        (
            blue.status,
            blue.health.as_str(),
            blue.version_label.as_str()
        ),
        (Status::Ready, "Green", "v1")
    );
    assert!(blue.instances.iter().all(|i| i.version_label == "v1"));
    let events = play.done("Action=DescribeEvents&EnvironmentName=shop-blue&Severity=ERROR");
    assert!(
        events.contains("Failed to deploy application.")
            && events.contains("Command failed on instance"),
        "{events}"
    );
    assert!(!events.contains("INFO"), "{events}");
}

#[test]
fn events_are_newest_first_and_a_request_id_isolates_one_operation() {
    let mut play = Play::new();
    play.done("Action=UpdateEnvironment&EnvironmentName=shop-blue&VersionLabel=v2");
    play.wait(120);
    let blue = play.world.environment("shop-blue").expect("blue");
    let update = blue.request_id.clone();
    play.done("Action=RestartAppServer&EnvironmentName=shop-blue");
    play.wait(120);
    let own = play.done(&format!("Action=DescribeEvents&RequestId={update}"));
    let at = |words: &str| {
        own.find(words)
            .unwrap_or_else(|| panic!("{words} in {own}"))
    };
    assert!(
        at("Environment update completed successfully.") < at("Environment update is starting.")
    );
    assert!(!own.contains("restartAppServer"), "{own}");
}

#[test]
fn preconditions_are_refused_in_the_services_words() {
    let mut play = Play::new();
    play.launch("shop-two");
    let create = "Action=CreateEnvironment&ApplicationName=shop";
    for (request, words) in [
        (
            format!(
                "{create}&EnvironmentName=shop-two&SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20"
            ),
            "Environment shop-two already exists.",
        ),
        (
            format!(
                "{create}&EnvironmentName=shop-3&SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20&CNAMEPrefix=shop"
            ),
            "DNS name (shop) is not available.",
        ),
        (
            format!(
                "{create}&EnvironmentName=abc&SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20"
            ),
            "length between 4 and 40",
        ),
        (
            format!(
                "{create}&EnvironmentName=-abcd&SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20"
            ),
            "may not start or end with a dash",
        ),
        (
            format!(
                "{create}&EnvironmentName=shop-3&SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20&VersionLabel=v9"
            ),
            "No Application Version named 'v9' found.",
        ),
        (
            format!(
                "{create}&EnvironmentName=shop-3&SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20&Tier.Name=Worker&CNAMEPrefix=work"
            ),
            "CNAMEPrefix",
        ),
        (
            format!(
                "{create}&EnvironmentName=shop-3&TemplateName=t&SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20"
            ),
            "InvalidParameterCombination",
        ),
        (
            format!("{create}&EnvironmentName=shop-3&TemplateName=t"),
            "No Configuration Template named 'shop/t' found.",
        ),
        (
            "Action=CreateEnvironment&ApplicationName=x&EnvironmentName=abcd".to_owned(),
            "No Application named 'x' found.",
        ),
        (
            "Action=CreateEnvironment&EnvironmentName=abcd".to_owned(),
            "MissingRequiredParameter",
        ),
        (
            "Action=AbortEnvironmentUpdate&EnvironmentName=shop-blue".to_owned(),
            "Must be pending deployment.",
        ),
        (
            "Action=TerminateEnvironment&EnvironmentName=nowhere".to_owned(),
            "No Environment found for EnvironmentName = 'nowhere'.",
        ),
        (
            "Action=DescribeEvents&MaxRecords=1001".to_owned(),
            "between 1 and 1000",
        ),
        ("Action=Frobnicate".to_owned(), "InvalidAction"),
        ("Operation=Frobnicate".to_owned(), "InvalidAction"),
        (String::new(), "InvalidAction"),
    ] {
        play.refused(&request, words);
    }
    play.done("Action=UpdateEnvironment&EnvironmentName=shop-two&VersionLabel=v2");
    play.refused(
        "Action=TerminateEnvironment&EnvironmentName=shop-two",
        "Cannot terminate environment named shop-two. It is currently pending deployment.",
    );
    play.refused(
        "Action=UpdateEnvironment&EnvironmentName=shop-two&VersionLabel=v2",
        "Environment named shop-two is in an invalid state for this operation. Must be Ready.",
    );
}

/// Developer guide, "General options": `HealthCheckInterval` is 15 seconds, and may be 5 to 300;
/// a classic load balancer's `Interval` is 10. Each node of the load balancer asks each
/// instance, and its questions are in the web server's log, which enhanced health counts.
#[test]
fn health_checks_count_as_requests() {
    let mut play = Play::new();
    let health = "Action=DescribeEnvironmentHealth&EnvironmentName=shop-worker&AttributeNames.member.1=ApplicationMetrics";
    let process = "aws:elasticbeanstalk:environment:process:default";
    let environment = "aws:elasticbeanstalk:environment";
    let six = "subnet-1,subnet-2,subnet-3,subnet-4,subnet-5,subnet-6";
    // In ten seconds, of two instances.
    for (set, requests) in [
        (None, 4),
        (Some((process, "HealthCheckInterval", "5")), 12),
        (Some(("aws:ec2:vpc", "ELBSubnets", six)), 24),
        (
            Some((
                "aws:elasticbeanstalk:environment:process:admin",
                "Port",
                "81",
            )),
            32,
        ),
        (Some((environment, "LoadBalancerType", "classic")), 12),
        (Some((environment, "EnvironmentType", "SingleInstance")), 0),
    ] {
        if let Some((namespace, name, value)) = set {
            play.world.set("shop-worker", namespace, name, value);
        }
        let told = play.done(health);
        let count = format!("<RequestCount>{requests}</RequestCount>");
        assert!(told.contains(&count), "{set:?}: {told}");
    }
}

/// The rule that the service makes for an environment on a shared load balancer is for its
/// CNAME (developer guide, "Configuring a shared Application Load Balancer"), and follows a swap
/// (tmshkr/blue-green-beanstalk, `test/integration/shared_alb.test.ts`).
#[test]
fn the_services_own_rule_follows_a_swap_and_somebody_elses_stays() {
    for stays in [false, true] {
        let mut play = Play::new();
        if stays {
            play.world.inject(FaultEffect::RulesStay);
        }
        play.launch("shop-two");
        play.world.share_load_balancer("shop-blue");
        play.world.share_load_balancer("shop-two");
        play.world.add_rule("www.shop.example", "shop-blue", &[]);
        play.done(SWAP);
        play.wait(60);
        let reached = |host: &str| play.world.balanced_to(host).map(|e| e.name.clone());
        let holder = if stays { "shop-blue" } else { "shop-two" };
        assert_eq!(reached(PRODUCTION).as_deref(), Some(holder));
        assert_eq!(reached("www.shop.example").as_deref(), Some("shop-blue"));
    }
}

/// The public model (botocore 1.44.8, `EnvironmentTier`) has three tiers; DescribeEnvironments
/// tells each by its name and type.
#[test]
fn a_tier_is_told_by_its_name_and_type() {
    let mut play = Play::new();
    let create = "Action=CreateEnvironment&ApplicationName=shop&VersionLabel=v1&SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20";
    for (number, (name, kind)) in [
        ("WebServer", "Standard"),
        ("Worker", "SQS/HTTP"),
        ("Cluster", "EKS"),
    ]
    .into_iter()
    .enumerate()
    {
        let tier = format!("Tier.Name={name}&Tier.Type={kind}");
        let told = play.done(&format!("{create}&EnvironmentName=shop-{number}&{tier}"));
        let told = told.replace(char::is_whitespace, "");
        assert!(
            told.contains(&format!("<Tier><Name>{name}</Name><Type>{kind}</Type>")),
            "{told}"
        );
    }
    let unknown = "EnvironmentName=shop-9&Tier.Name=Batch&Tier.Type=Spot";
    play.refused(&format!("{create}&{unknown}"), "Batch/Spot");
}

/// A version of a container image has no SourceBundle (model, `ImageConfiguration`).
#[test]
fn an_images_version_has_no_source_bundle() {
    let mut play = Play::new();
    let versions =
        "Action=DescribeApplicationVersions&ApplicationName=shop&VersionLabels.member.1=v2";
    assert!(play.done(versions).contains("<SourceBundle>"));
    let mut found = play.world.view.versions.iter_mut();
    found.find(|v| v.label == "v2").expect("v2").bucket.clear();
    assert!(!play.done(versions).contains("SourceBundle"));
}

/// A custom platform's ARN names the account that made it, an AWS platform's none (API reference,
/// `ListPlatformVersions`).
#[test]
fn a_custom_platform_is_known_by_its_arn() {
    let mut play = Play::new();
    play.world.inject(FaultEffect::CustomPlatform {
        environment: "shop-blue".to_owned(),
    });
    let arn = "arn:aws:elasticbeanstalk:us-east-1:123456789012:platform/shop-platform/1.0.0";
    let told = play.done("Action=DescribeEnvironments&EnvironmentNames.member.1=shop-blue");
    assert!(
        told.contains(&format!("<PlatformArn>{arn}</PlatformArn>")),
        "{told}"
    );
    assert!(!told.contains("SolutionStackName"), "{told}");
    let told = play.done(&format!("Action=DescribePlatformVersion&PlatformArn={arn}"));
    assert!(
        told.contains("<PlatformOwner>self</PlatformOwner>"),
        "{told}"
    );
    play.refused(
        &format!("Action=DescribePlatformVersion&PlatformArn={arn}1"),
        "No Platform",
    );
}

#[test]
fn basic_health_has_no_health_status() {
    let mut play = Play::new();
    play.world
        .environment_mut("shop-blue")
        .expect("blue")
        .enhanced = false;
    let shown = play.done("Action=DescribeEnvironments&EnvironmentNames.member.1=shop-blue");
    assert!(
        shown.contains("<Health>Green</Health>") && !shown.contains("HealthStatus"),
        "{shown}"
    );
    play.refused(
        "Action=DescribeInstancesHealth&EnvironmentName=shop-blue",
        "InvalidRequestException",
    );
}

#[test]
fn a_terminated_environment_keeps_showing_unless_asked_not_to() {
    let mut play = Play::new();
    play.launch("shop-two");
    play.done("Action=TerminateEnvironment&EnvironmentName=shop-two");
    play.wait(240);
    let asked = "Action=DescribeEnvironments&EnvironmentNames.member.1=shop-two";
    assert!(play.done(asked).contains("<Status>Terminated</Status>"));
    assert!(
        !play
            .done(&format!("{asked}&IncludeDeleted=false"))
            .contains("shop-two")
    );
    play.wait(3700);
    assert!(!play.done(asked).contains("shop-two"));
}

#[test]
fn clients_with_cached_answers_lose_requests_without_a_drain_only() {
    for (drain, loses) in [(0, true), (61, false)] {
        let mut play = Play::new();
        play.launch("shop-two");
        play.done(SWAP);
        play.wait(10 + drain);
        play.done("Action=TerminateEnvironment&EnvironmentName=shop-blue");
        play.wait(300);
        let report = play.world.report();
        assert_eq!(report.lost > 0, loses, "drain {drain}: {report:?}");
        assert_eq!(
            !report.interruptions.is_empty(),
            loses,
            "drain {drain}: {report:?}"
        );
    }
}

#[test]
fn every_client_sends_a_request_a_second_however_time_is_cut() {
    let mut whole = Play::new();
    whole.wait(86_400);
    let mut cut = Play::new();
    (0..864).for_each(|_| cut.wait(100));
    assert_eq!(whole.world.report().requests, 20 * 86_400);
    assert_eq!(cut.world.report().requests, whole.world.report().requests);
    assert_eq!(whole.world.report().lost, 0);
}

#[test]
fn stubborn_clients_of_a_busy_site_stay_with_what_the_name_has_left() {
    let mut play = Play::new();
    play.launch("shop-two");
    let (clients, per_second) = (100, 4);
    play.world.inject(FaultEffect::BusySite {
        clients,
        per_second,
    });
    let (seconds, percent) = (3600, 1);
    play.world
        .inject(FaultEffect::LongCaches { seconds, percent });
    play.wait(120);
    play.done(SWAP);
    play.wait(8 + 61);
    let asked = "Action=DescribeEnvironmentHealth&EnvironmentName=shop-blue&AttributeNames.member.1=ApplicationMetrics";
    // One client's forty in ten seconds, and the load balancer's checks of two instances.
    let health = play.done(asked);
    assert!(
        health.contains("<RequestCount>44</RequestCount>"),
        "{health}"
    );
    play.done("Action=TerminateEnvironment&EnvironmentName=shop-blue");
    play.wait(300);
    let report = play.world.report();
    assert_eq!((report.lost, report.lost_astray), (300 * 4, 300 * 4));
    let [interruption] = &report.interruptions[..] else {
        panic!("{:?}", report.interruptions);
    };
    assert!(!interruption.serves, "only cached answers led there");
    assert!(report.strikes["long_caches"] >= 300 * 4, "{report:?}");
    play.world.clear_faults();
    play.wait(3600);
    let before = play.world.report();
    play.wait(3600);
    let after = play.world.report();
    assert_eq!(after.lost, before.lost, "it has looked the name up");
    assert_eq!(after.requests - before.requests, 100 * 4 * 3600);
}

/// A year of an outage is counted, not walked through.
#[test]
fn a_long_outage_is_counted_quickly() {
    let mut play = Play::new();
    play.wait(60);
    let blue = play.world.environment_mut("shop-blue").expect("blue");
    blue.status = Status::Terminating;
    play.wait(365 * 86_400);
    let report = play.world.report();
    assert_eq!((report.lost, report.losses.len()), (20 * 365 * 86_400, 20));
}

#[test]
fn stale_reads_show_what_was() {
    let mut play = Play::new();
    play.world.inject(FaultEffect::StaleReads { seconds: 5 });
    play.wait(10);
    play.done("Action=UpdateEnvironment&EnvironmentName=shop-blue&VersionLabel=v2");
    let asked = "Action=DescribeEnvironments&EnvironmentNames.member.1=shop-blue";
    play.wait(4);
    assert!(play.done(asked).contains("<Status>Ready</Status>"));
    play.wait(1);
    assert!(play.done(asked).contains("<Status>Updating</Status>"));
}

#[test]
fn faults_strike_as_scripted() {
    let mut play = Play::new();
    let strike = |effect| Fault {
        operation: Some("RestartAppServer".to_owned()),
        skip: 1,
        times: Some(1),
        ..Fault::from(effect)
    };
    let restart = "Action=RestartAppServer&EnvironmentName=shop-blue";
    for (effect, status, applied) in [
        (FaultEffect::Throttle, 400, false),
        (FaultEffect::ExpiredCredentials, 403, false),
        (FaultEffect::ClockSkewed, 403, false),
        (FaultEffect::DropRequest, 0, false),
        (FaultEffect::DropAnswer, 0, true),
        (
            FaultEffect::Refuse {
                status: 503,
                code: "ServiceUnavailable".to_owned(),
                message: String::new(),
            },
            503,
            false,
        ),
    ] {
        play.world.inject(strike(effect.clone()));
        play.done(restart);
        play.wait(60);
        assert_eq!(play.ask(restart).0, status, "{effect:?}");
        assert_eq!(
            play.status("shop-blue").0 == Status::Updating,
            applied,
            "{effect:?}"
        );
        play.wait(60);
        play.done(restart);
        play.wait(60);
        play.world.clear_faults();
    }
    play.world.inject(Fault {
        times: Some(1),
        ..Fault::from(FaultEffect::Late { seconds: 100 })
    });
    assert_eq!(play.ask(restart).0, 0);
    play.wait(99);
    assert_eq!(play.status("shop-blue").0, Status::Ready);
    play.wait(1);
    assert_eq!(play.status("shop-blue").0, Status::Updating);
}

#[test]
fn a_fault_is_written_as_json() {
    let text = r#"{"fault":"late","seconds":7,"operation":"SwapEnvironmentCNAMEs","times":1}"#;
    let read: Fault = serde_json::from_str(text).expect("it reads");
    assert_eq!(
        (read.effect, read.times),
        (FaultEffect::Late { seconds: 7 }, Some(1))
    );
    assert!(serde_json::from_str::<Fault>(r#"{"fault":"nothing"}"#).is_err());
}

// --- the whole sandbox ---------------------------------------------------------

/// A sandbox in this folder on a clock set by hand.
fn opened(folder: &std::path::Path, now: &Arc<AtomicU64>) -> Result<Sandbox, SandboxError> {
    let now = now.clone();
    Sandbox::open(Options {
        directory: Some(folder.to_owned()),
        time: TimeSource::Manual(Arc::new(move || at(now.load(Ordering::SeqCst)))),
        ..Options::default()
    })
}

fn at(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis)
}

async fn send(
    sandbox: &Sandbox,
    request: http::request::Builder,
    body: &'static [u8],
) -> (u16, String) {
    let request = request.body(Bytes::from_static(body)).expect("a request");
    let response = sandbox.handle(request).await.expect("an answer");
    let status = response.status().as_u16();
    (
        status,
        String::from_utf8_lossy(response.body()).into_owned(),
    )
}

fn form() -> http::request::Builder {
    http::Request::post("http://127.0.0.1/")
        .header("content-type", "application/x-www-form-urlencoded")
}

/// The file of this name below a folder.
#[tokio::test]
async fn a_world_on_disk_is_shared_and_goes_on_while_nobody_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let now = Arc::new(AtomicU64::new(START));
    let first = opened(folder.path(), &now).expect("it opens");
    let second = opened(folder.path(), &now).expect("it opens twice");
    let (status, _) = send(
        &first,
        form(),
        b"Action=UpdateEnvironment&EnvironmentName=shop-blue&VersionLabel=v2",
    )
    .await;
    assert_eq!(status, 200);
    let shown = |sandbox: &Sandbox| {
        sandbox.with_world(|world, _| world.environment("shop-blue").expect("blue").status)
    };
    assert_eq!(shown(&second), Status::Updating);
    drop((first, second));
    now.store(START + 130_000, Ordering::SeqCst);
    let third = opened(folder.path(), &now).expect("it opens again");
    assert_eq!(shown(&third), Status::Ready);
    let world = folder.path().join("world.json");
    std::fs::write(&world, br#"{"format":99}"#).expect("written");
    assert!(matches!(
        opened(folder.path(), &now),
        Err(SandboxError::Newer { .. })
    ));
    // One that was opened before goes on, and leaves the newer world alone.
    assert_eq!(shown(&third), Status::Ready);
    assert_eq!(std::fs::read(&world).expect("read"), br#"{"format":99}"#);
    std::fs::write(folder.path().join("world.json"), b"nonsense").expect("written");
    assert!(matches!(
        opened(folder.path(), &now),
        Err(SandboxError::NotAWorld { .. })
    ));
}

#[tokio::test]
async fn sites_answer_by_host_and_through_the_proxy() {
    let sandbox = Sandbox::open(Options::default()).expect("it opens");
    let by_host = http::Request::get("/cart").header("host", PRODUCTION);
    let (status, body) = send(&sandbox, by_host, b"").await;
    assert!(
        status == 200 && body.contains("shop v1 on shop-blue"),
        "{status} {body}"
    );
    let (status, _) = send(
        &sandbox,
        http::Request::get(format!("http://{PRODUCTION}/")),
        b"",
    )
    .await;
    assert_eq!(status, 200);
    let (status, body) = send(
        &sandbox,
        http::Request::get("http://nobody.elasticbeanstalk.com/"),
        b"",
    )
    .await;
    assert!(
        status == 502 && body.contains("no such host"),
        "{status} {body}"
    );
}

#[tokio::test(start_paused = true)]
async fn sites_have_pages_of_the_shape_of_real_ones() {
    let sandbox = Sandbox::open(Options::default()).expect("it opens");
    let ask = |method: &str, path: &str| {
        http::Request::builder()
            .method(method)
            .uri(format!("http://{PRODUCTION}{path}"))
            .header("host", "www.shop.example")
            .header("x-api-key", "k")
    };
    let inject = |fault: FaultEffect| sandbox.with_world(|world, _| world.inject(fault));
    let label = || "v1".to_owned();
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");

    let (status, body) = send(&sandbox, ask("GET", "/health"), b"").await;
    let health = json(&body);
    assert_eq!((status, &health["status"]), (200, &"ok".into()));
    assert_eq!(
        (&health["environment"], &health["version"]),
        (&"shop-blue".into(), &"v1".into())
    );
    let (status, _) = send(&sandbox, ask("POST", "/health"), b"{}").await;
    assert_eq!(status, 405);
    let (status, body) = send(&sandbox, ask("HEAD", "/health"), b"").await;
    assert_eq!((status, body.as_str()), (200, ""));
    let (status, _) = send(&sandbox, ask("DELETE", "/cart"), b"").await;
    assert_eq!(status, 200);

    let (_, body) = send(&sandbox, ask("PUT", "/echo?a=b"), b"hello").await;
    let echo = json(&body);
    for (key, value) in [
        ("method", "PUT"),
        ("path", "/echo"),
        ("query", "a=b"),
        ("host", "www.shop.example"),
        ("body", "hello"),
    ] {
        assert_eq!(echo[key], value, "{echo}");
    }
    assert_eq!(echo["headers"]["x-api-key"], "k");

    let milliseconds = 700;
    inject(FaultEffect::VersionTakes {
        label: label(),
        milliseconds,
    });
    let began = tokio::time::Instant::now();
    send(&sandbox, ask("GET", "/"), b"").await;
    assert_eq!(began.elapsed(), Duration::from_millis(milliseconds));
    inject(FaultEffect::VersionSays {
        label: label(),
        body: r#"{"status":"degraded"}"#.to_owned(),
    });
    let (_, body) = send(&sandbox, ask("GET", "/health"), b"").await;
    assert_eq!(json(&body)["status"], "degraded");
    inject(FaultEffect::VersionSays {
        label: label(),
        body: "we are closed".to_owned(),
    });
    let (_, body) = send(&sandbox, ask("GET", "/"), b"").await;
    assert_eq!(body, "we are closed");
    inject(FaultEffect::VersionAnswers {
        label: label(),
        status: 503,
    });
    let (status, body) = send(&sandbox, ask("GET", "/echo"), b"").await;
    assert!(
        status == 503 && body.contains("www.shop.example"),
        "{status} {body}"
    );
    sandbox.with_world(|world, _| world.clear_faults());
    let (status, body) = send(&sandbox, ask("GET", "/"), b"").await;
    assert!(status == 200 && body.contains("shop v1"), "{status} {body}");
}

#[tokio::test]
async fn conditional_writes_are_atomic_between_processes() {
    let folder = tempfile::tempdir().expect("a folder");
    let now = Arc::new(AtomicU64::new(START));
    let sandboxes = [0, 1].map(|_| opened(folder.path(), &now).expect("it opens"));
    let put = || http::Request::put("http://127.0.0.1/shop-artifacts/lease");
    let race = async |condition: (&'static str, String)| {
        let writers: Vec<_> = (0..16)
            .map(|n| {
                let (sandbox, condition) = (sandboxes[n % 2].clone(), condition.clone());
                let request = put().header(condition.0, condition.1);
                tokio::spawn(async move { send(&sandbox, request, b"mine").await.0 })
            })
            .collect();
        let mut won = 0;
        for writer in writers {
            match writer.await.expect("no panic") {
                200 => won += 1,
                status => assert_eq!(status, 412),
            }
        }
        won
    };
    assert_eq!(race(("if-none-match", "*".to_owned())).await, 1);
    send(&sandboxes[0], put(), b"another").await;
    let head = http::Request::head("http://127.0.0.1/shop-artifacts/lease")
        .body(Bytes::new())
        .expect("a request");
    let etag = sandboxes[1]
        .handle(head)
        .await
        .expect("an answer")
        .headers()["etag"]
        .to_str()
        .expect("text")
        .to_owned();
    // The winner writes other bytes, or its tag would fit the next writer too.
    assert_eq!(race(("if-match", etag)).await, 1);
}

/// On two threads: a request that is answered at once gives the other no turn on one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_beside_a_write_is_of_one_object() {
    let folder = tempfile::tempdir().expect("a folder");
    let now = Arc::new(AtomicU64::new(START));
    let [writes, reads] = [0, 1].map(|_| opened(folder.path(), &now).expect("it opens"));
    let object = "http://127.0.0.1/shop-artifacts/lease";
    // The bodies and their checksums.
    let contents: [(&'static [u8], &str); 2] = [(b"1", "g9zvtw=="), (b"2", "GtW+DQ==")];
    let writer = tokio::spawn(async move {
        for (body, checksum) in contents.into_iter().cycle().take(60) {
            let put = http::Request::put(object).header("x-amz-checksum-crc32", checksum);
            assert_eq!(send(&writes, put, body).await.0, 200);
        }
    });
    let mut seen = 0;
    while !writer.is_finished() {
        // Under a clock set by hand a request is carried out at once: the writer would
        // never have its turn.
        tokio::task::yield_now().await;
        let get = http::Request::get(object)
            .header("x-amz-checksum-mode", "ENABLED")
            .body(Bytes::new())
            .expect("a request");
        let answer = reads.handle(get).await.expect("an answer");
        if answer.status() == 200 {
            let checksum = answer.headers()["x-amz-checksum-crc32"].to_str();
            let read = (answer.body().as_ref(), checksum.expect("text"));
            assert!(contents.contains(&read), "{read:?}");
            seen += 1;
        }
    }
    writer.await.expect("no panic");
    assert!(seen > 0);
}

#[test]
fn what_cannot_be_written_is_refused_or_left_out() {
    let mut play = Play::new();
    for prefix in ["a%20b/..", "-shop", "shop-"] {
        play.refused(
            &format!("Action=CheckDNSAvailability&CNAMEPrefix={prefix}"),
            "Member must contain only letters",
        );
    }
    play.done("Action=CreateApplication&ApplicationName=other&Description=a%01b%0Ac%EF%BF%BF");
    let body = play.done("Action=DescribeApplications");
    assert!(body.contains("<Description>ab\nc</Description>"), "{body}");
}

#[test]
fn absurd_numbers_do_no_harm() {
    let mut play = Play::new();
    let create = "Action=CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-two&VersionLabel=v1&SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20\
        &OptionSettings.member.1.Namespace=aws:autoscaling:asg&OptionSettings.member.1.OptionName=MinSize\
        &OptionSettings.member.1.Value=";
    for value in ["900000000", "-1", "many"] {
        play.refused(&format!("{create}{value}"), "Invalid option value");
    }
    play.done(&format!("{create}3"));
    let instances = &play.world.environment("shop-two").expect("made").instances;
    assert_eq!(instances.len(), 3);
    let seconds = u64::MAX;
    play.world.inject(FaultEffect::StaleReads { seconds });
    play.done("Action=DescribeEnvironments");
    play.world.inject(FaultEffect::Late { seconds });
    assert_eq!(play.ask("Action=DescribeEnvironments").0, 0);
    play.wait(60);
}

#[tokio::test]
async fn hostile_requests_are_answered() {
    let sandbox = Sandbox::open(Options::default()).expect("it opens");
    for (request, body) in [
        (form(), &b"\xff\xfe&&&=%zz"[..]),
        (
            form(),
            b"Action=CreateEnvironment&Tags.member.18446744073709551616.Key=a",
        ),
        (http::Request::get("http://127.0.0.1/../../etc/passwd"), b""),
        (
            http::Request::put("http://127.0.0.1/shop-artifacts/k")
                .header("x-amz-content-sha256", "STREAMING-X"),
            b"zz\r\n",
        ),
        (
            http::Request::post("http://127.0.0.1/_sandbox/faults"),
            b"{",
        ),
        (http::Request::get("http://127.0.0.1/_sandbox/nothing"), b""),
    ] {
        let (status, _) = send(&sandbox, request, body).await;
        assert!((400..600).contains(&status), "{status}");
    }
}

/// Environments live in Warning: developer guide, "Enhanced health reporting and monitoring"
/// ("Health colors and statuses": Warning is Yellow) and "Environment health" causes such as
/// "20.0 % of the requests to the ELB are failing with HTTP 4xx."; a clone of one settles there
/// too.
#[test]
fn an_environment_may_live_in_warning() {
    let mut play = Play::new();
    for name in ["shop-blue", "shop-two"] {
        play.world.inject(FaultEffect::EnvironmentHealth {
            environment: name.to_owned(),
            status: "Warning".to_owned(),
            seconds: 3600,
            cause: Some("20.0 % of the requests are failing with HTTP 4xx.".to_owned()),
        });
    }
    assert_eq!(
        play.status("shop-blue"),
        (Status::Ready, "Yellow", "Warning")
    );
    play.launch("shop-two");
    assert_eq!(
        play.status("shop-two"),
        (Status::Ready, "Yellow", "Warning")
    );
    let told = play.done(
        "Action=DescribeEnvironmentHealth&EnvironmentName=shop-two&AttributeNames.member.1=All",
    );
    for part in [
        "<HealthStatus>Warning</HealthStatus>",
        "<Color>Yellow</Color>",
        "failing with HTTP 4xx.",
        "<Ok>0</Ok>",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
    play.done("Action=UpdateEnvironment&EnvironmentName=shop-two&VersionLabel=v2");
    play.wait(90);
    assert_eq!(play.status("shop-two").1, "Green", "Info for a moment");
    play.wait(30);
    assert_eq!(
        play.status("shop-two"),
        (Status::Ready, "Yellow", "Warning")
    );
    play.wait(3600);
    assert_eq!(play.status("shop-two"), (Status::Ready, "Green", "Ok"));
    assert_eq!(play.status("shop-blue"), (Status::Ready, "Green", "Ok"));
    let told = play.done(
        "Action=DescribeEnvironmentHealth&EnvironmentName=shop-two&AttributeNames.member.1=All",
    );
    assert!(!told.contains("HTTP 4xx"), "{told}");
}

/// A database that admits the security group of another environment's instances refuses those
/// of a clone, which get one of their own (developer guide, "Launching and connecting to an
/// external Amazon RDS instance in a default VPC"); enhanced health is Ok as long as the pages it
/// counts answer.
#[tokio::test]
async fn an_environment_may_fail_alone_while_its_health_is_ok() {
    let sandbox = Sandbox::open(Options::default()).expect("it opens");
    sandbox.with_world(|world, _| {
        world.inject(FaultEffect::EnvironmentAnswers {
            environment: "shop-blue".to_owned(),
            status: 503,
        });
    });
    let request = http::Request::get(format!("http://{PRODUCTION}/")).body(Bytes::new());
    let answer = sandbox
        .handle(request.expect("a request"))
        .await
        .expect("it answers");
    assert_eq!(answer.status(), 503);
    sandbox.with_world(|world, _| {
        let blue = world.environment("shop-blue").expect("blue");
        assert_eq!(blue.health_status, "Ok");
    });
}

/// What a site answers to a request by this URL, as a forward proxy gets it: its status and where
/// it leads; none where nothing listens.
async fn asked(sandbox: &Sandbox, url: &str) -> Option<(u16, Option<String>)> {
    let request = http::Request::get(url)
        .header("host", PRODUCTION)
        .body(Bytes::new());
    let answer = sandbox.handle(request.expect("a request")).await.ok()?;
    let to = answer.headers().get("location");
    let to = to.map(|to| to.to_str().expect("text").to_owned());
    Some((answer.status().as_u16(), to))
}

/// Developer guide, "Configuring an Application Load Balancer": `aws:elbv2:listener:default` is
/// the listener on port 80, which `ListenerEnabled` = false switches off, and
/// `aws:elbv2:listener:443` one for https; "Configuring a Classic Load Balancer" for
/// `aws:elb:listener`.
#[tokio::test]
async fn a_load_balancer_listens_where_its_options_say() {
    for (default, secure, protocol) in [
        (
            "aws:elbv2:listener:default",
            "aws:elbv2:listener:443",
            "Protocol",
        ),
        (
            "aws:elb:listener",
            "aws:elb:listener:443",
            "ListenerProtocol",
        ),
    ] {
        let sandbox = Sandbox::open(Options::default()).expect("it opens");
        let set = |namespace: &str, name: &str, value: &str| {
            sandbox.with_world(|world, _| world.set("shop-blue", namespace, name, value));
        };
        let (http, https) = (
            format!("http://{PRODUCTION}/"),
            format!("http://{PRODUCTION}:443/"),
        );
        assert_eq!(asked(&sandbox, &http).await, Some((200, None)));
        assert_eq!(asked(&sandbox, &https).await, None);
        set(secure, protocol, "HTTPS");
        assert_eq!(asked(&sandbox, &https).await, Some((200, None)));
        assert_eq!(asked(&sandbox, &http).await, Some((200, None)));
        set(default, "ListenerEnabled", "false");
        assert_eq!(asked(&sandbox, &http).await, None);
        assert_eq!(asked(&sandbox, &https).await, Some((200, None)));
    }
}

/// Developer guide, "Configuring HTTP to HTTPS redirection"; a load balancer's redirect action
/// names the port (API reference of Elastic Load Balancing, `RedirectActionConfig`).
#[tokio::test]
async fn a_site_may_send_http_to_https_of_the_same_host() {
    let sandbox = Sandbox::open(Options::default()).expect("it opens");
    sandbox.with_world(|world, _| {
        world.inject(FaultEffect::VersionRedirects {
            label: "v1".to_owned(),
        });
        world.set("shop-blue", "aws:elbv2:listener:443", "Protocol", "HTTPS");
    });
    let to = Some(format!("https://{PRODUCTION}:443/a?b=c"));
    let http = format!("http://{PRODUCTION}/a?b=c");
    assert_eq!(asked(&sandbox, &http).await, Some((301, to)));
    let https = format!("http://{PRODUCTION}:443/a?b=c");
    assert_eq!(asked(&sandbox, &https).await, Some((200, None)));
}

/// The status of an answer over the wire; the request is told as it is sent.
async fn status_over(address: std::net::SocketAddr, request: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address)
        .await
        .expect("it listens");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it is sent");
    let mut answer = vec![0; 64];
    let length = stream.read(&mut answer).await.expect("it answers");
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

async fn listening() -> std::net::SocketAddr {
    let sandbox = Sandbox::open(Options::default()).expect("it opens");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(sandbox.serve(listener, std::future::pending()));
    address
}

/// A page whose name leads to this machine (DNS rebinding) asks by that name; an image or a form
/// of a page comes without an origin.
#[tokio::test]
async fn what_a_web_page_asks_is_refused() {
    let address = listening().await;
    let asked = |host: &str, more: &str| {
        let request = format!("GET /_sandbox/clock HTTP/1.1\r\nhost: {host}\r\n{more}\r\n");
        async move { status_over(address, &request).await }
    };
    for host in [
        &*address.to_string(),
        "localhost:4577",
        "[::1]:4577",
        "elasticbeanstalk.us-east-1.amazonaws.com",
    ] {
        assert_eq!(asked(host, "").await, "200", "{host}");
    }
    for host in ["evil.example", "localhost.evil.example", "[evil"] {
        assert_eq!(asked(host, "").await, "421", "{host}");
    }
    let bucket = "shop-artifacts.localhost:4577";
    let listed = format!("GET / HTTP/1.1\r\nhost: {bucket}\r\n\r\n");
    assert_eq!(status_over(address, &listed).await, "200");
    assert_eq!(
        asked(PRODUCTION, "").await,
        "200",
        "a site answers any path"
    );
    assert_eq!(asked("localhost", "sec-fetch-site: none\r\n").await, "200");
    assert_eq!(
        asked("localhost", "sec-fetch-site: cross-site\r\n").await,
        "403"
    );
    assert_eq!(
        asked("localhost", "origin: http://evil.example\r\n").await,
        "403"
    );
}

/// All of what is answered over a connection of its own.
async fn answer_over(address: std::net::SocketAddr, request: &[u8]) -> Vec<u8> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let stream = tokio::net::TcpStream::connect(address).await;
    let (mut reads, mut writes) = stream.expect("it listens").into_split();
    let mut answer = Vec::new();
    let sent = writes.write_all(request);
    let (_, read) = tokio::join!(sent, reads.read_to_end(&mut answer));
    read.expect("it is read");
    answer
}

fn summed(mut hasher: ChecksumHasher, content: &[u8]) -> s3s::dto::Checksum {
    hasher.update(content);
    hasher.finalize()
}

/// What lies in a folder has a name; a body on its way has none, and no other waits for it.
#[tokio::test]
async fn large_bodies_come_and_go_in_pieces() {
    let address = listening().await;
    let head = |line: &str, headers: &str| {
        format!("{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n")
            .into_bytes()
    };
    let put = |key: &str, headers: &str| head(&format!("PUT /shop-artifacts/{key}"), headers);
    let told = async |request: Vec<u8>| {
        let answer = answer_over(address, &request).await;
        String::from_utf8_lossy(&answer[..answer.len().min(15)]).into_owned()
    };
    let content: Vec<u8> = (0..5_000_000_u32).map(|at| (at % 251) as u8).collect();
    let mut packed = Vec::new();
    for chunk in content.chunks(1_999_999) {
        packed.extend(format!("{:x};chunk-signature=00\r\n", chunk.len()).into_bytes());
        packed.extend(chunk);
        packed.extend(b"\r\n");
    }
    let checksum = ChecksumHasher {
        crc32: Some(Crc32::new()),
        ..ChecksumHasher::default()
    };
    let checksum = summed(checksum, &content).checksum_crc32;
    let checksum = checksum.expect("it is computed");
    packed.extend(format!("0\r\nx-amz-checksum-crc32:{checksum}\r\n\r\n").into_bytes());
    let announced = |length: usize| format!("content-length: {length}\r\n");
    let chunked = |length: usize| announced(length) + "content-encoding: aws-chunked\r\n";
    // A client that never sends what it has announced is in nobody's way.
    let mut idle = tokio::net::TcpStream::connect(address)
        .await
        .expect("it listens");
    let never = put("never", &announced(600 * 1024 * 1024));
    tokio::io::AsyncWriteExt::write_all(&mut idle, &never)
        .await
        .expect("it is sent");

    for (key, headers, body) in [
        ("whole", announced(content.len()), &content),
        ("chunked", chunked(packed.len()), &packed),
    ] {
        let request = [put(key, &headers), body.clone()].concat();
        assert_eq!(told(request).await, "HTTP/1.1 200 OK", "{key}");
        let got = answer_over(address, &head(&format!("GET /shop-artifacts/{key}"), "")).await;
        assert!(got.ends_with(&content), "{key} is another");
    }
    let garbled = [put("garbled", &chunked(content.len())), content.clone()].concat();
    assert_eq!(told(garbled).await, "HTTP/1.1 400 Ba");
    let form = [head("POST /", &announced(content.len())), content.clone()].concat();
    assert_eq!(told(form).await, "HTTP/1.1 413 Pa");
    let endless = put("endless", &announced(600 * 1024 * 1024 + 1));
    assert_eq!(told(endless).await, "HTTP/1.1 413 Pa");
}

#[tokio::test]
async fn a_key_does_not_leave_its_bucket() {
    let sandbox = Sandbox::open(Options::default()).expect("it opens");
    let url = |path: &str| format!("http://127.0.0.1/{path}");
    for path in [
        "shop-artifacts/../pwn.txt",
        "shop-artifacts/a/%2e%2e/%2e%2e/pwn.txt",
        "../pwn.txt",
    ] {
        let (status, told) = send(&sandbox, http::Request::put(url(path)), b"x").await;
        assert!(
            status == 400 && told.contains("InvalidURI"),
            "{path}: {told}"
        );
    }
    let copied = http::Request::put(url("shop-artifacts/k"))
        .header("x-amz-copy-source", "/shop-artifacts/../other/k");
    assert_eq!(send(&sandbox, copied, b"").await.0, 400);
    let deleted = http::Request::post(url("shop-artifacts?delete"));
    let keys = b"<Delete><Object><Key>../other/k</Key></Object></Delete>";
    assert_eq!(send(&sandbox, deleted, keys).await.0, 400);
    let (status, _) = send(
        &sandbox,
        http::Request::put(url("shop-artifacts/a..b")),
        b"x",
    )
    .await;
    assert_eq!(status, 200);
    assert!(
        sandbox
            .report()
            .leftovers
            .objects
            .iter()
            .all(|key| key == "shop-artifacts/a..b")
    );
}
