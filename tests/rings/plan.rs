//! `bluegreen plan`, and the checks at the start of `run`: the real binary against the
//! sandbox, under the shipped policy.

use std::process::Output;

use bluegreen::preflight::{Allowing, Check};
use bluegreen_sandbox::{Fault, FaultEffect, Policy, QuotaOf, Status, ZONE};
use serde_json::Value;

use crate::cli::check;
use crate::policy::{promoting, shipped};
use crate::served::Served;

const SPEED: f64 = 600.0;

fn blue() -> String {
    "shop-blue".to_owned()
}

/// The document of `plan --json` with these arguments.
#[track_caller]
fn planned(served: &Served, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = served.run(&[&["plan", "--json"], arguments].concat());
    let document = serde_json::from_slice(&output.stdout);
    let document = document.unwrap_or_else(|_| panic!("{output:?}"));
    (output.status.code(), document)
}

/// What a check found: its verdict and evidence.
#[track_caller]
fn found(document: &Value, check: &str) -> (String, String) {
    let checks = document["checks"].as_array().expect("checks");
    let found = checks.iter().find(|found| found["check"] == check);
    let found = found.unwrap_or_else(|| panic!("{check} in {document}"));
    let text = |key: &str| found[key].as_str().expect("a text").to_owned();
    (text("verdict"), text("evidence"))
}

/// Sets an option of blue's.
fn option(served: &Served, namespace: &str, name: &str, value: &str) {
    served
        .sandbox
        .with_world(|world, _| world.set("shop-blue", namespace, name, value));
}

/// Gives blue a load balancer of this type.
fn balanced_by(served: &Served, kind: &str) {
    let namespace = "aws:elasticbeanstalk:environment";
    option(served, namespace, "LoadBalancerType", kind);
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Nothing that changes anything was asked for, but for the write that a bucket must refuse.
#[track_caller]
pub fn nothing_was_written(served: &Served, by_hand: &[&str]) {
    let report = served.sandbox.report();
    // Left in a store that takes even that.
    let objects = report.leftovers.objects.iter();
    let written = objects.filter(|object| !object.ends_with("bluegreen/conditional-writes"));
    assert_eq!(written.count(), 0, "{:?}", report.leftovers.objects);
    let reads = [
        "Describe",
        "Get",
        "Head",
        "List",
        "Check",
        "Simulate",
        "PutObject",
    ];
    let known = [&reads[..], by_hand].concat();
    let writes = |operation: &&String| !known.iter().any(|read| operation.starts_with(read));
    assert_eq!(report.calls.keys().find(writes), None, "{:?}", report.calls);
}

#[test]
fn a_plan_shows_steps_and_checks_and_changes_nothing() {
    let served = Served::at_speed(SPEED);
    let before = served
        .sandbox
        .with_world(|world, _| format!("{:?}", world.view));
    let output = served.run(&["plan"]);
    check("plan", &output);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let (code, document) = planned(&served, &[]);
    assert_eq!(code, Some(0));
    assert_eq!(document["version"], 1);
    assert_eq!(document["release"], "v2");
    assert_eq!(document["previous_version"], "v1");
    assert_eq!(document["refused"], false);
    for checked in Check::ALL {
        let (verdict, evidence) = found(&document, checked.name());
        assert_eq!(verdict, "passed", "{checked}: {evidence}");
    }
    nothing_was_written(&served, &[]);
    let after = served
        .sandbox
        .with_world(|world, _| format!("{:?}", world.view));
    assert_eq!(before, after);
}

#[test]
fn a_promotion_and_its_pause_are_planned() {
    let served = Served::at_speed(SPEED);
    served.sandbox.set_policy(Some(promoting()));
    let promote = ["--strategy", "promote", "--pause-before", "swap"];
    let (code, document) = planned(&served, &promote);
    assert_eq!(code, Some(0), "{document:#}");
    let steps = document["steps"].as_array().expect("steps");
    let states: Vec<_> = steps.iter().map(|step| step["state"].as_str()).collect();
    let expected = [
        "Preparing",
        "Cloning",
        "Warming",
        "AwaitingSwap",
        "Warming",
        "SwappingToGreen",
        "Baking",
        "TerminatingBlue",
    ];
    assert_eq!(states, expected.map(Some));
    assert_eq!(steps[3]["at_most_seconds"], Value::Null);
    served.inject(FaultEffect::ProtectedStack {
        environment: blue(),
    });
    let (code, document) = planned(&served, &promote);
    assert_eq!(code, Some(3));
    assert_eq!(found(&document, "termination-protection").0, "refused");
    let allow = [&promote[..], &["--allow", "termination-protection"]].concat();
    let (code, document) = planned(&served, &allow);
    assert_eq!(code, Some(0));
    assert_eq!(found(&document, "termination-protection").0, "allowed");
    assert_eq!(
        found(&planned(&served, &[]).1, "termination-protection").0,
        "passed"
    );
}

/// What brings a check about, and what it says then.
struct Case {
    check: &'static str,
    arguments: &'static [&'static str],
    spoil: fn(&Served),
    verdict: &'static str,
    says: &'static str,
}

impl Case {
    const fn of(
        check: &'static str,
        verdict: &'static str,
        says: &'static str,
        spoil: fn(&Served),
    ) -> Case {
        Case {
            check,
            arguments: &[],
            spoil,
            verdict,
            says,
        }
    }

    const fn with(self, arguments: &'static [&'static str]) -> Case {
        Case { arguments, ..self }
    }
}

fn cases() -> Vec<Case> {
    fn nothing(_: &Served) {}
    vec![
        Case::of(
            "coupled-database",
            "refused",
            "a postgres database belongs to shop-blue",
            |s| {
                s.inject(FaultEffect::CoupledDatabase {
                    environment: blue(),
                });
            },
        ),
        Case::of(
            "platform-branch",
            "refused",
            "no environment can be created on it",
            |s| {
                s.inject(FaultEffect::PlatformBranch {
                    state: "Retired".to_owned(),
                });
            },
        ),
        Case::of("platform-branch", "warned", "is deprecated", |s| {
            s.inject(FaultEffect::PlatformBranch {
                state: "Deprecated".to_owned(),
            });
        }),
        Case::of("managed-update", "refused", "is due from", |s| {
            s.inject(FaultEffect::ManagedActionDue {
                environment: blue(),
                seconds: 1200,
            });
        }),
        Case::of("managed-update", "passed", "expected to be over", |s| {
            s.inject(FaultEffect::ManagedActionDue {
                environment: blue(),
                seconds: 90_000,
            });
        }),
        Case::of("managed-update", "warned", "as much later", |s| {
            s.inject(FaultEffect::ManagedActionDue {
                environment: blue(),
                seconds: 90_000,
            });
        })
        .with(&["--pause-before", "cutover"]),
        Case::of("quotas", "refused", "2 of 2 environments", |s| {
            s.inject(FaultEffect::Quota {
                of: QuotaOf::Environments,
                maximum: 2,
            });
        }),
        Case::of("quotas", "refused", "0 of 0 configuration templates", |s| {
            s.inject(FaultEffect::Quota {
                of: QuotaOf::Templates,
                maximum: 0,
            });
        }),
        Case::of("green-cname", "warned", "is somebody's already", |s| {
            s.inject(FaultEffect::CnameTaken {
                prefix: "shop-blue-green".to_owned(),
            });
        }),
        Case::of(
            "green-name",
            "refused",
            "an environment named shop-blue-green exists",
            |s| {
                s.inject(FaultEffect::ForeignEnvironment {
                    name: "shop-blue-green".to_owned(),
                });
            },
        ),
        Case::of(
            "shared-load-balancer",
            "refused",
            "shares the load balancer arn:",
            |s| {
                s.inject(FaultEffect::SharedBalancer {
                    environment: blue(),
                });
            },
        ),
        Case::of(
            "shared-load-balancer",
            "passed",
            "1 of its rules follow production",
            |s| {
                s.sandbox.with_world(|world, _| {
                    world.share_load_balancer("shop-blue");
                    let tags = [("bluegreen:follow", "production")];
                    world.add_rule("www.shop.example", "shop-blue", &tags);
                });
            },
        ),
        Case::of("credentials", "refused", "210987654321", |s| {
            let role = "arn:aws:iam::210987654321:role/releases";
            s.sandbox.with_world(|world, _| world.assume(Some(role)));
        }),
        Case::of("dns-records", "warned", "direct.shop.example", |s| {
            let endpoint = s.sandbox.with_world(|world, _| {
                let blue = world.environment("shop-blue").expect("blue");
                blue.endpoint.clone()
            });
            let xml = format!(
                "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
                 <ChangeBatch><Changes><Change><Action>CREATE</Action><ResourceRecordSet>\
                 <Name>direct.shop.example</Name><Type>CNAME</Type><TTL>60</TTL><ResourceRecords>\
                 <ResourceRecord><Value>{endpoint}</Value></ResourceRecord></ResourceRecords>\
                 </ResourceRecordSet></Change></Changes></ChangeBatch>\
                 </ChangeResourceRecordSetsRequest>"
            );
            let path = format!("http://route53.amazonaws.com/2013-04-01/hostedzone/{ZONE}/rrset");
            let request = http::Request::post(path)
                .header("host", "route53.amazonaws.com")
                .header(
                    "authorization",
                    "AWS4-HMAC-SHA256 Credential=A/20270115/us-east-1/route53/aws4_request",
                )
                .body(xml.into());
            assert_eq!(s.by_hand(request.expect("a request")).status(), 200);
        }),
        Case::of("bucket", "refused", "took a write whose condition", |s| {
            s.inject(FaultEffect::ConditionsIgnored);
        }),
        Case::of("single-instance", "warned", "a single instance", |s| {
            s.inject(FaultEffect::SingleInstance {
                environment: blue(),
            });
        }),
        Case::of("blue-healthy", "refused", "shop-blue is Updating", |s| {
            s.sandbox.with_world(|world, _| {
                world.environment_mut("shop-blue").expect("blue").status = Status::Updating;
            });
        }),
        Case::of("worker-tier", "refused", "is a worker environment", nothing)
            .with(&["--blue", "shop-worker"]),
        Case::of("version", "refused", "has no version v9", nothing)
            .with(&["--version-label", "v9"]),
        Case::of(
            "something-new",
            "refused",
            "runs version v1 already",
            nothing,
        )
        .with(&["--version-label", "v1"]),
        Case::of("bucket", "refused", "there is no bucket nowhere", nothing)
            .with(&["--bucket", "nowhere"]),
        Case::of("bucket", "passed", "is there", nothing).with(&["--no-shared-state"]),
        Case::of(
            "tests",
            "refused",
            "which green holds while blue is tested",
            nothing,
        )
        .with(&["--test-url", "http://shop.us-east-1.elasticbeanstalk.com/"]),
        // A CNAME to production.
        Case::of(
            "tests",
            "refused",
            "www.shop.example, which leads to production",
            nothing,
        )
        .with(&["--test-url", "http://www.shop.example/"]),
        Case::of("tests", "warned", "nothing tells that this is blue", |s| {
            s.sandbox
                .set_policy(Some(crate::policy::without("route53:ListHostedZones")));
        })
        .with(&["--test-url", "http://www.shop.example/"]),
        Case::of(
            "tests",
            "warned",
            "nothing tells that this is blue",
            nothing,
        )
        .with(&["--test-url", "http://elsewhere.example/"]),
        Case::of("tests", "warned", "that others share", |s| {
            s.sandbox.with_world(|world, _| {
                world.share_load_balancer("shop-blue");
                let tags = [("bluegreen:follow", "production")];
                world.add_rule("www.shop.example", "shop-blue", &tags);
            });
        })
        .with(&["--test", "{ url = \"/\", host = \"www.shop.example\" }"]),
        Case::of("tests", "passed", "blue itself is asked", nothing)
            .with(&["--test-url", "http://{cname}/health"]),
        Case::of("tests", "passed", "blue itself is asked", nothing).with(&[
            "--test-url",
            "http://preview.shop.example/",
            "--preview-host",
            "preview.shop.example",
            "--hosted-zone-id",
            ZONE,
        ]),
        Case::of(
            "preview-hosts",
            "refused",
            "www.shop.example serves production",
            nothing,
        )
        .with(&[
            "--preview-host",
            "www.shop.example",
            "--hosted-zone-id",
            ZONE,
        ]),
        Case::of(
            "preview-hosts",
            "refused",
            "there is no hosted zone Z0NONE",
            // The shipped policy names the one zone that is used.
            |s| s.sandbox.set_policy(None),
        )
        .with(&[
            "--preview-host",
            "preview.shop.example",
            "--hosted-zone-id",
            "Z0NONE",
        ]),
        Case::of("preview-hosts", "refused", "GetHostedZone", |s| {
            s.sandbox
                .set_policy(Some(crate::policy::without("route53:GetHostedZone")));
        })
        .with(&[
            "--preview-host",
            "preview.shop.example",
            "--hosted-zone-id",
            ZONE,
        ]),
        Case::of(
            "expected-differences",
            "warned",
            "has no aws:elasticbeanstalk:command:Timeout, tag none:",
            nothing,
        )
        .with(&[
            "--expect-difference",
            "aws:elasticbeanstalk:command:Timeout,aws:autoscaling:asg:MaxSize,tag none,version",
        ]),
        Case::of("expected-differences", "passed", "shop-blue has", nothing).with(&[
            "--expect-difference",
            "aws:autoscaling:asg:MaxSize[AWSEBAutoScalingGroup],tag team,platform",
        ]),
        Case::of(
            "application",
            "refused",
            "there is no application nope",
            nothing,
        )
        .with(&["--app", "nope"]),
        Case::of(
            "environments",
            "refused",
            "there is no environment nope",
            nothing,
        )
        .with(&["--blue", "nope"]),
        Case::of("bucket", "unknown", "for another reason", |s| {
            s.inject(bad_digest());
        }),
        // What a release needs to read.
        Case::of(
            "coupled-database",
            "refused",
            "DescribeConfigurationSettings",
            |s| {
                s.sandbox.set_policy(Some(crate::policy::without(
                    "elasticbeanstalk:DescribeConfigurationSettings",
                )));
            },
        ),
        Case::of(
            "shared-load-balancer",
            "refused",
            "DescribeConfigurationSettings",
            |s| {
                s.sandbox.set_policy(Some(crate::policy::without(
                    "elasticbeanstalk:DescribeConfigurationSettings",
                )));
            },
        ),
        Case::of(
            "blue-healthy",
            "refused",
            "DescribeEnvironmentHealth",
            |s| {
                s.sandbox.set_policy(Some(crate::policy::without(
                    "elasticbeanstalk:DescribeEnvironmentHealth",
                )));
            },
        ),
        Case::of("tags", "refused", "ListTagsForResource", |s| {
            s.sandbox.set_policy(Some(crate::policy::without(
                "elasticbeanstalk:ListTagsForResource",
            )));
        }),
        Case::of("shared-load-balancer", "refused", "DescribeRules", |s| {
            s.sandbox
                .with_world(|world, _| world.share_load_balancer("shop-blue"));
            s.sandbox.set_policy(Some(crate::policy::without(
                "elasticloadbalancing:DescribeRules",
            )));
        }),
        Case::of("alarms", "refused", "shop-none", nothing).with(&["--alarm", "shop-none"]),
        Case::of(
            "permissions",
            "refused",
            "elasticbeanstalk:UpdateEnvironment",
            |s| {
                s.sandbox.set_policy(Some(crate::policy::without(
                    "elasticbeanstalk:UpdateEnvironment",
                )));
            },
        ),
        Case::of("permissions", "warned", "ec2:RunInstances", |s| {
            s.sandbox
                .set_policy(Some(crate::policy::without("ec2:RunInstances")));
        }),
        Case::of(
            "permissions",
            "warned",
            "elasticloadbalancing:CreateTargetGroup",
            |s| {
                let policy = crate::policy::without("elasticloadbalancing:CreateTargetGroup");
                s.sandbox.set_policy(Some(policy));
            },
        ),
        // The service's default, and of another type than most of the policy is for.
        Case::of(
            "permissions",
            "warned",
            "elasticloadbalancing:ConfigureHealthCheck",
            |s| {
                balanced_by(s, "classic");
                let policy = crate::policy::without("elasticloadbalancing:ConfigureHealthCheck");
                s.sandbox.set_policy(Some(policy));
            },
        ),
        Case::of("permissions", "warned", "loadbalancer/net/awseb-", |s| {
            balanced_by(s, "network");
            let policy = crate::policy::without("elasticloadbalancing:CreateLoadBalancer");
            s.sandbox.set_policy(Some(policy));
        }),
        Case::of(
            "permissions",
            "warned",
            "elasticloadbalancing:CreateRule on",
            |s| {
                s.sandbox.with_world(|world, _| {
                    world.share_load_balancer("shop-blue");
                    let tags = [("bluegreen:follow", "production")];
                    world.add_rule("www.shop.example", "shop-blue", &tags);
                });
                let policy = crate::policy::without("elasticloadbalancing:CreateRule");
                s.sandbox.set_policy(Some(policy));
            },
        ),
        // The roles are those that blue names.
        Case::of("permissions", "warned", "role/ci/watch", |s| {
            option(
                s,
                "aws:elasticbeanstalk:environment",
                "ServiceRole",
                "ci/watch",
            );
        }),
        Case::of(
            "permissions",
            "warned",
            "role/shop-web; an operations role of the environments may have that instead; the role \
             in the instance profile shop-web is taken to have its name",
            |s| {
                let launch = "aws:autoscaling:launchconfiguration";
                option(s, launch, "IamInstanceProfile", "shop-web");
            },
        ),
        Case::of("dns-records", "passed", "no record of", |s| {
            let other = ("Z0OTHEREXAMPLE0000001", "other.example");
            s.sandbox
                .with_world(|world, _| world.add_zone(other.0, other.1));
        }),
        Case::of("bucket", "refused", "PutObject", |s| {
            s.sandbox
                .set_policy(Some(crate::policy::without("s3:PutObject")));
        }),
        Case::of(
            "permissions",
            "refused",
            "route53:ChangeResourceRecordSets",
            |s| {
                s.sandbox.set_policy(Some(crate::policy::without(
                    "route53:ChangeResourceRecordSets",
                )));
            },
        )
        .with(&[
            "--preview-host",
            "preview.shop.example",
            "--hosted-zone-id",
            "Z0SHOPEXAMPLE00000001",
        ]),
        Case::of(
            "permissions",
            "refused",
            "elasticloadbalancing:ModifyRule",
            |s| {
                s.sandbox.with_world(|world, _| {
                    world.share_load_balancer("shop-blue");
                    let tags = [("bluegreen:follow", "production")];
                    world.add_rule("www.shop.example", "shop-blue", &tags);
                });
                s.sandbox.set_policy(Some(crate::policy::without(
                    "elasticloadbalancing:ModifyRule",
                )));
            },
        ),
        Case::of(
            "permissions",
            "unknown",
            "iam:SimulatePrincipalPolicy",
            |s| {
                s.sandbox
                    .set_policy(Some(crate::policy::without("iam:SimulatePrincipalPolicy")));
            },
        ),
        Case::of("green-cname", "unknown", "CheckDNSAvailability", |s| {
            s.sandbox.set_policy(Some(crate::policy::without(
                "elasticbeanstalk:CheckDNSAvailability",
            )));
        }),
        Case::of("quotas", "unknown", "DescribeAccountAttributes", |s| {
            let policy = crate::policy::without("elasticbeanstalk:DescribeAccountAttributes");
            s.sandbox.set_policy(Some(policy));
        }),
        Case::of(
            "managed-update",
            "unknown",
            "DescribeEnvironmentManagedActions",
            |s| {
                let policy =
                    crate::policy::without("elasticbeanstalk:DescribeEnvironmentManagedActions");
                s.sandbox.set_policy(Some(policy));
            },
        ),
        Case::of(
            "platform-branch",
            "unknown",
            "DescribePlatformVersion",
            |s| {
                let policy = crate::policy::without("elasticbeanstalk:DescribePlatformVersion");
                s.sandbox.set_policy(Some(policy));
            },
        ),
        Case::of("dns-records", "unknown", "ListHostedZones", |s| {
            s.sandbox
                .set_policy(Some(crate::policy::without("route53:ListHostedZones")));
        }),
        Case::of("tags", "refused", "50 tags of its own", |s| {
            s.sandbox.with_world(|world, _| {
                let blue = world.environment_mut("shop-blue").expect("blue");
                blue.tags = (0..50).map(|n| (format!("t{n}"), String::new())).collect();
            });
        }),
        Case::of("deployment-policy", "warned", "TrafficSplitting", |s| {
            s.sandbox.with_world(|world, _| {
                let blue = world.environment_mut("shop-blue").expect("blue");
                blue.settings.retain(|s| s.name != "DeploymentPolicy");
                blue.settings.push(bluegreen_sandbox::Setting {
                    namespace: "aws:elasticbeanstalk:command".to_owned(),
                    name: "DeploymentPolicy".to_owned(),
                    value: "TrafficSplitting".to_owned(),
                });
            });
        }),
    ]
}

/// A store that looks at a write's digest before its condition.
fn bad_digest() -> Fault {
    Fault {
        operation: Some("PutObject".to_owned()),
        times: Some(1),
        ..Fault::from(FaultEffect::Refuse {
            status: 400,
            code: "BadDigest".to_owned(),
            message: "The Content-MD5 you specified did not match what we received.".to_owned(),
        })
    }
}

/// Checks whose other verdict is not one of [`cases`], and the test that has it.
const ELSEWHERE: [(Check, &str); 2] = [
    (
        Check::TerminationProtection,
        "a_promotion_and_its_pause_are_planned",
    ),
    (Check::FreeTarget, "what_was_allowed_is_kept_and_shown"),
];

/// That each passes is told by the plan of a world in order.
#[test]
fn every_check_has_its_other_verdict_tested() {
    let cases = cases();
    for checked in Check::ALL {
        let refuses_nothing =
            matches!(checked.about().allowing, Allowing::Never(why) if why == "it refuses nothing");
        let other = match refuses_nothing {
            true => "warned",
            false => "refused",
        };
        let tested = cases
            .iter()
            .any(|case| case.check == checked.name() && case.verdict == other);
        let elsewhere = ELSEWHERE.iter().any(|(check, _)| *check == checked);
        assert!(tested != elsewhere, "{checked} is to be {other} once");
    }
    for case in cases {
        let mut all = Check::ALL.into_iter();
        let known = all.any(|check| check.name() == case.check);
        assert!(known, "there is no check {}", case.check);
    }
}

/// The other verdicts; that all of them pass is told by the plan of a world in order. What
/// `plan` refuses `run` refuses with the same words, and changes nothing; what may be
/// allowed is.
#[test]
fn every_check_says_what_is_wrong() {
    let mut failed = Vec::new();
    for case in cases() {
        let told = format!("{} {}: {}", case.check, case.verdict, case.says);
        if std::panic::catch_unwind(|| says_what_is_wrong(&case)).is_err() {
            failed.push(told);
        }
    }
    assert_eq!(failed, [""; 0]);
}

#[track_caller]
fn says_what_is_wrong(case: &Case) {
    // Nothing here waits for anything.
    let served = Served::at_speed(1.0);
    (case.spoil)(&served);
    let name = case.check;
    let (code, document) = planned(&served, case.arguments);
    let (verdict, evidence) = found(&document, name);
    assert_eq!(verdict, case.verdict, "{name}: {evidence}");
    assert!(evidence.contains(case.says), "{name}: {evidence}");
    let refuses = verdict == "refused";
    assert_eq!(code, Some(if refuses { 3 } else { 0 }), "{document:#}");
    if refuses {
        let run = served.run(&[&["run"], case.arguments].concat());
        assert_eq!(run.status.code(), Some(3), "{name}: {}", stderr(&run));
        assert!(stderr(&run).contains(case.says), "{name}: {}", stderr(&run));
        let checks = document["checks"].as_array().expect("checks");
        let refused = |check: &&Value| check["verdict"] == "refused";
        let may = checks.iter().filter(refused);
        let may = may
            .filter(|check| check["check"] == name && check["may_be_allowed"] == true)
            .count();
        if may > 0 && name != "alarms" {
            let allow = [case.arguments, &["--allow", name]].concat();
            let (code, document) = planned(&served, &allow);
            assert_eq!(code, Some(0), "{document:#}");
            assert_eq!(found(&document, name).0, "allowed");
        }
    }
    nothing_was_written(&served, &["ChangeResourceRecordSets"]);
}

#[test]
fn what_was_allowed_is_kept_and_shown() {
    let served = Served::at_speed(SPEED);
    served.inject(FaultEffect::CoupledDatabase {
        environment: blue(),
    });
    let refused = served.run(&["run"]);
    check("coupled_database", &refused);
    nothing_was_written(&served, &[]);
    let allowed = ["run", "--allow-coupled-database", "--pause-before", "swap"];
    assert_eq!(served.run(&allowed).status.code(), Some(0));
    let status = served.run(&["status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
    let kept = &status["deployments"][0]["allowed"][0];
    assert_eq!(kept["check"], "coupled-database");
    assert!(
        kept["evidence"]
            .as_str()
            .is_some_and(|e| e.contains("postgres"))
    );
    let id = status["deployments"][0]["id"].as_str().expect("an id");
    let shown = String::from_utf8(served.run(&["status", id]).stdout).expect("UTF-8");
    assert!(shown.contains("Allowed: coupled-database"), "{shown}");
    let (code, document) = planned(&served, &[]);
    assert_eq!(code, Some(3));
    assert_eq!(found(&document, "free-target").0, "refused");
}

#[test]
fn what_may_not_be_allowed_is_told_why() {
    let served = Served::at_speed(SPEED);
    for checked in Check::ALL {
        let output = served.run(&["plan", "--allow", checked.name()]);
        match checked.about().allowing {
            Allowing::May(_) => assert_eq!(output.status.code(), Some(0), "{checked}"),
            Allowing::Never(why) => {
                assert_eq!(output.status.code(), Some(2), "{checked}");
                assert!(stderr(&output).contains(why), "{}", stderr(&output));
            }
        }
    }
    check(
        "allow_of_no_check",
        &served.run(&["run", "--allow", "colour"]),
    );
}

#[test]
fn all_that_refuses_is_told_at_once() {
    let served = Served::at_speed(SPEED);
    served.inject(FaultEffect::CoupledDatabase {
        environment: blue(),
    });
    served.inject(FaultEffect::PlatformBranch {
        state: "Retired".to_owned(),
    });
    check(
        "several_refusals",
        &served.run(&["run", "--version-label", "v1"]),
    );
    nothing_was_written(&served, &[]);
}

/// A read that is denied is no reason to say nothing of all the others.
#[test]
fn what_a_release_needs_to_read_refuses_beside_everything_else() {
    let served = Served::at_speed(SPEED);
    let missing = [
        (
            "elasticbeanstalk:DescribeConfigurationSettings",
            "coupled-database",
        ),
        ("elasticbeanstalk:DescribeEnvironmentHealth", "blue-healthy"),
        ("elasticbeanstalk:ListTagsForResource", "tags"),
    ];
    for (action, checked) in missing {
        served
            .sandbox
            .set_policy(Some(crate::policy::without(action)));
        let (code, document) = planned(
            &served,
            &["--version-label", "v1", "--allow", "permissions"],
        );
        assert_eq!(code, Some(3), "{document:#}");
        assert_eq!(document["refused"], true);
        let (verdict, evidence) = found(&document, checked);
        assert_eq!(verdict, "refused", "{evidence}");
        assert!(evidence.contains("AccessDenied"), "{evidence}");
        let checks = document["checks"].as_array().expect("checks");
        let of_it = checks.iter().find(|found| found["check"] == checked);
        let of_it = of_it.expect("it is there");
        assert_eq!(of_it["may_be_allowed"], false);
        assert!(
            of_it["remedy"]
                .as_str()
                .is_some_and(|r| r.contains("permissions.md"))
        );
        let (verdict, evidence) = found(&document, "permissions");
        assert_eq!(verdict, "allowed");
        assert!(evidence.contains(action), "{evidence}");
        assert_eq!(found(&document, "something-new").0, "refused");
        for checked in Check::ALL {
            found(&document, checked.name());
        }
        let run = served.run(&["run", "--version-label", "v1"]);
        assert_eq!(run.status.code(), Some(3), "{}", stderr(&run));
        for words in ["AccessDenied", "permissions: ", "runs version v1 already"] {
            assert!(stderr(&run).contains(words), "{words}: {}", stderr(&run));
        }
    }
    nothing_was_written(&served, &[]);
}

/// Without a target there is a document all the same.
#[test]
fn what_is_not_there_is_told_in_the_document() {
    let served = Served::at_speed(SPEED);
    let (code, document) = planned(&served, &["--blue", "nope"]);
    assert_eq!(code, Some(3));
    assert_eq!(document["account"], "123456789012");
    assert_eq!(document["blue"], "nope");
    assert_eq!(document["refused"], true);
    assert_eq!(found(&document, "application").0, "passed");
    assert_eq!(document["steps"], serde_json::json!([]));
    check(
        "plan_of_no_environment",
        &served.run(&["plan", "--blue", "nope"]),
    );
    served.inject(Fault {
        operation: Some("DescribeEnvironments".to_owned()),
        ..Fault::from(FaultEffect::Refuse {
            status: 403,
            code: "AccessDenied".to_owned(),
            message: "User is not authorized to perform: elasticbeanstalk:DescribeEnvironments"
                .to_owned(),
        })
    });
    let (code, document) = planned(&served, &[]);
    assert_eq!(code, Some(3), "{document:#}");
    assert_eq!(found(&document, "environments").0, "refused");
    nothing_was_written(&served, &[]);
}

/// A check that an account's throttling leaves unknown would stop nothing.
#[test]
fn passing_errors_leave_no_check_unknown() {
    let served = Served::at_speed(SPEED);
    for operation in [
        "SimulatePrincipalPolicy",
        "DescribeEnvironmentManagedActions",
        "DescribeAccountAttributes",
        "ListHostedZones",
        "CheckDNSAvailability",
        "DescribePlatformVersion",
        "GetCallerIdentity",
        "DescribeConfigurationSettings",
    ] {
        served.inject(Fault {
            operation: Some(operation.to_owned()),
            times: Some(9),
            ..Fault::from(FaultEffect::Throttle)
        });
    }
    let (code, document) = planned(&served, &[]);
    assert_eq!(code, Some(0), "{document:#}");
    for checked in Check::ALL {
        let (verdict, evidence) = found(&document, checked.name());
        assert_eq!(verdict, "passed", "{checked}: {evidence}");
    }
}

#[test]
fn errors_that_last_leave_a_check_unknown_and_refuse_what_a_release_needs() {
    let served = Served::at_speed(SPEED);
    for operation in ["DescribeAccountAttributes", "DescribeConfigurationSettings"] {
        served.inject(Fault {
            operation: Some(operation.to_owned()),
            ..Fault::from(FaultEffect::Throttle)
        });
    }
    let (code, document) = planned(&served, &[]);
    assert_eq!(code, Some(3), "{document:#}");
    let (verdict, evidence) = found(&document, "quotas");
    assert_eq!(verdict, "unknown");
    assert!(evidence.contains("Throttling"), "{evidence}");
    let (verdict, evidence) = found(&document, "coupled-database");
    assert_eq!(verdict, "refused");
    assert!(evidence.contains("Throttling"), "{evidence}");
}

/// The store refuses the first write for its digest, and takes any other.
#[test]
fn a_bucket_that_heeds_no_condition_is_found_out_with_the_lease() {
    let served = Served::at_speed(SPEED);
    served.inject(bad_digest());
    served.inject(FaultEffect::ConditionsIgnored);
    let run = served.run(&["run"]);
    check("bucket_without_conditions", &run);
    assert_eq!(run.status.code(), Some(3), "{}", stderr(&run));
    let report = served.sandbox.report();
    assert_eq!(report.leftovers.environments, [""; 0]);
    assert_eq!(report.calls.get("CreateConfigurationTemplate"), None);
    let all = served.run(&["status", "--all", "--json"]);
    let all: Value = serde_json::from_slice(&all.stdout).expect("JSON");
    assert_eq!(all["deployments"], serde_json::json!([]));
    // The lease was given back: nobody has to wait for it to run out.
    served.sandbox.with_world(|world, _| world.clear_faults());
    assert_eq!(served.run(&["run"]).status.code(), Some(0));
}

#[test]
fn a_difference_that_can_be_none_is_refused_where_it_is_read() {
    let served = Served::at_speed(SPEED);
    let refused = served.run(&["plan", "--expect-difference", "nonsense"]);
    check("expected_difference_of_nothing", &refused);
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn past_deployments_say_how_long_it_takes() {
    let served = Served::at_speed(SPEED);
    assert_eq!(served.run(&["run"]).status.code(), Some(0));
    let (code, document) = planned(&served, &["--version-label", "v1"]);
    assert_eq!(code, Some(0), "{document:#}");
    let steps = document["steps"].as_array().expect("steps");
    let cloning = steps.iter().find(|step| step["state"] == "Cloning");
    let cloning = cloning.expect("a step");
    assert_eq!(cloning["because"], "as in this target's last deployment");
    assert!(cloning["at_least_seconds"].as_u64() > Some(60));
    let (_, evidence) = found(&document, "bucket");
    assert!(evidence.contains("lease can be read"), "{evidence}");
}

#[test]
fn a_promoted_blue_is_hinted_at() {
    let served = Served::at_speed(SPEED);
    served.sandbox.set_policy(Some(promoting()));
    assert_eq!(
        served.run(&["run", "--strategy", "promote"]).status.code(),
        Some(0)
    );
    check("blue_that_was_promoted_away", &served.run(&["plan"]));
}

#[test]
fn credentials_that_have_expired_say_so() {
    let served = Served::at_speed(SPEED);
    served.inject(Fault {
        operation: Some("GetCallerIdentity".to_owned()),
        ..Fault::from(FaultEffect::ExpiredCredentials)
    });
    check("plan_with_expired_credentials", &served.run(&["plan"]));
}

#[test]
fn a_policy_that_denies_everything_but_looking_is_told() {
    let served = Served::at_speed(SPEED);
    let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*","Action":
        ["elasticbeanstalk:Describe*","elasticbeanstalk:List*","elasticbeanstalk:Check*","s3:*",
         "iam:*","route53:List*"]}]}"#;
    served
        .sandbox
        .set_policy(Some(Policy::parse(text).expect("a policy")));
    let (code, document) = planned(&served, &[]);
    assert_eq!(code, Some(3));
    let (_, evidence) = found(&document, "permissions");
    assert!(evidence.ends_with("and 4 more"), "{evidence}");
    served.sandbox.set_policy(Some(shipped()));
    assert_eq!(planned(&served, &[]).0, Some(0));
}

/// The table of docs/checks.md is what the checks say of themselves.
#[test]
fn checks_md_is_fresh() {
    const DRAWN: &str = "<!-- Drawn by tests/rings/plan.rs from the checks themselves; write it \
                         anew with UPDATE_DOCS=1 cargo test --test rings checks_md_is_fresh -->\n\n";
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/checks.md");
    let kept = std::fs::read_to_string(&path).expect("docs/checks.md is there");
    let (written, _) = kept.split_once(DRAWN).unwrap_or((&kept, ""));
    let mut fresh = format!("{written}{DRAWN}");
    for checked in Check::ALL {
        let about = checked.about();
        let allowing = match about.allowing {
            Allowing::May(then) => format!("May be allowed: {then}."),
            Allowing::Never(why) => format!("May not be allowed: {why}."),
        };
        fresh.push_str(&format!(
            "### {}\n\nLooks at {}.\n\nRemedy: {}.\n\n{allowing}\n\n",
            about.name, about.looks_at, about.remedy
        ));
    }
    let fresh = format!("{}\n", fresh.trim_end());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &fresh).expect("docs/ can be written to");
    }
    let kept = std::fs::read_to_string(&path).expect("docs/checks.md is there");
    assert!(
        kept == fresh,
        "docs/checks.md does not have the checks there are; write it anew with UPDATE_DOCS=1 \
         cargo test --test rings checks_md_is_fresh"
    );
}
