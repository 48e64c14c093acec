//! The limits of the numbers that a person gives.

mod play;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use bluegreen_sandbox::{
    Fault, FaultEffect, Form, Options, PRODUCTION, Reaches, Sandbox, TimeSource, apply,
};
use bytes::Bytes;
use play::{Play, START};

const MOST: u64 = u64::MAX;

/// Every number of a fault is checked where it comes in, by `--fault` and by the control API.
#[tokio::test]
async fn a_fault_beyond_its_limits_is_refused() {
    let play = Play::new();
    for (fault, words) in [
        (
            r#"{"fault":"slow_to_answer","label":"v2","seconds":18446744073709551615}"#,
            "seconds is 18446744073709551615: give a number from 0 to 31536000",
        ),
        (
            r#"{"fault":"foreign_answer","status":200,"reaches":{"after":31536001}}"#,
            "after is 31536001",
        ),
        (
            r#"{"fault":"foreign_answer","status":100}"#,
            "from 200 to 599",
        ),
        (
            r#"{"fault":"version_answers","label":"v2","status":600}"#,
            "status is 600: give a number from 200 to 599",
        ),
        (
            r#"{"fault":"slow_deploy","label":"v2","seconds":1,"batches":4294967295}"#,
            "batches is 4294967295: give a number from 0 to 1000",
        ),
        (
            r#"{"fault":"terminate_fails","environment":"e","failures":1001,"lingers":true}"#,
            "failures is 1001",
        ),
        (
            r#"{"fault":"slow_answer","milliseconds":3600001}"#,
            "milliseconds is 3600001: give a number from 0 to 3600000",
        ),
        (
            r#"{"fault":"long_caches","seconds":1,"percent":101}"#,
            "percent is 101",
        ),
        (
            r#"{"fault":"busy_site","clients":10001,"per_second":1}"#,
            "clients is 10001",
        ),
        (
            r#"{"fault":"busy_site","clients":1,"per_second":10001}"#,
            "per_second is 10001",
        ),
        (
            r#"{"fault":"throttle","probability":1.5}"#,
            "probability is 1.5: give a number from 0 to 1",
        ),
        (r#"{"fault":"throttle","probability":-0.1}"#, "-0.1"),
        (r#"{"fault":"late","seconds":-1}"#, "-1"),
    ] {
        let error = Fault::read(fault.as_bytes()).expect_err(fault);
        assert!(error.contains(words), "{error}");
        let request = http::Request::post("http://127.0.0.1/_sandbox/faults");
        let request = request.body(Bytes::from(fault)).expect("a request");
        let (status, body) = play.send(request).await;
        assert_eq!(status, 400, "{fault}");
        assert!(String::from_utf8_lossy(&body).contains(words), "{body:?}");
    }
    assert!(play.world(|world| world.faults().is_empty()));
    let limit = r#"{"fault":"late","seconds":31536000,"skip":4294967295,"times":4294967295}"#;
    Fault::read(limit.as_bytes()).expect("a number at its limit");
}

/// A program may inject what it wants: numbers too large for the world count as the largest that it
/// knows, its requests are answered, and a kept world opens again.
#[tokio::test]
async fn the_largest_numbers_do_not_end_a_world() {
    let v2 = || "v2".to_owned();
    let blue = || "shop-blue".to_owned();
    let faults = [
        FaultEffect::SlowToAnswer {
            label: v2(),
            seconds: MOST,
        },
        FaultEffect::BalancerLags {
            environment: blue(),
            seconds: MOST,
        },
        FaultEffect::EnvironmentHealth {
            environment: blue(),
            status: "Severe".to_owned(),
            seconds: MOST,
            cause: None,
        },
        FaultEffect::SlowDeploy {
            label: v2(),
            seconds: MOST,
            batches: u32::MAX,
        },
        FaultEffect::SlowDeploy {
            label: v2(),
            seconds: 60,
            batches: u32::MAX,
        },
        FaultEffect::StaleReads { seconds: MOST },
        FaultEffect::Late { seconds: MOST },
        FaultEffect::ForeignAnswer {
            page: bluegreen_sandbox::Page {
                status: u16::MAX,
                location: None,
                headers: Default::default(),
                body: String::new(),
            },
            reaches: Reaches::After(MOST),
        },
        FaultEffect::Refuse {
            status: u16::MAX,
            code: "c".to_owned(),
            message: "m".to_owned(),
        },
        FaultEffect::VersionAnswers {
            label: v2(),
            status: u16::MAX,
        },
        FaultEffect::EnvironmentAnswers {
            environment: blue(),
            status: 0,
        },
        FaultEffect::VersionErrs {
            label: v2(),
            percent: usize::MAX,
        },
        FaultEffect::ManagedActionDue {
            environment: blue(),
            seconds: MOST,
        },
        FaultEffect::BusySite {
            clients: usize::MAX,
            per_second: MOST,
        },
        FaultEffect::LongCaches {
            seconds: MOST,
            percent: u32::MAX,
        },
        FaultEffect::TerminateFails {
            environment: blue(),
            failures: u32::MAX,
            lingers: false,
        },
    ];
    for policy in ["Rolling", "AllAtOnce"] {
        for effect in &faults {
            let folder = tempfile::tempdir().expect("a folder");
            let now = Arc::new(AtomicU64::new(START));
            let open = || {
                let now = now.clone();
                let time = move || UNIX_EPOCH + Duration::from_millis(now.load(Ordering::SeqCst));
                let options = Options {
                    directory: Some(folder.path().to_owned()),
                    time: TimeSource::Manual(Arc::new(time)),
                    ..Options::default()
                };
                Sandbox::open(options).expect("it opens")
            };
            let sandbox = open();
            sandbox.with_world(|world, _| {
                world.inject(Fault {
                    times: Some(1),
                    ..Fault::from(effect.clone())
                });
                for form in [
                    "Action=DescribeEnvironments".to_owned(),
                    format!(
                        "Action=UpdateEnvironment&EnvironmentName=shop-blue&VersionLabel=v2\
                         &OptionSettings.member.1.Namespace=aws:elasticbeanstalk:command\
                         &OptionSettings.member.1.OptionName=DeploymentPolicy\
                         &OptionSettings.member.1.Value={policy}"
                    ),
                ] {
                    apply(world, &Form::parse(form.as_bytes()));
                }
            });
            for _ in 0..3 {
                now.fetch_add(200_000, Ordering::SeqCst);
                let site = http::Request::get(format!("http://{PRODUCTION}/"));
                let site = site.body(Bytes::new()).expect("a request");
                let _ = sandbox.handle(site).await;
                sandbox.with_world(|world, _| {
                    for form in [
                        "Action=DescribeEnvironmentHealth&EnvironmentName=shop-blue\
                         &AttributeNames.member.1=All",
                        "Action=DescribeInstancesHealth&EnvironmentName=shop-blue\
                         &AttributeNames.member.1=All",
                        "Action=DescribeEvents",
                    ] {
                        apply(world, &Form::parse(form.as_bytes()));
                    }
                });
            }
            drop(sandbox);
            open().with_world(|world, _| assert!(world.environment("shop-blue").is_some()));
        }
    }
}
