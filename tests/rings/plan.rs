//! `bluegreen plan`, and the checks at the start of `run`: the real binary against the
//! sandbox, under the shipped policy.

use crate::support::plans::{bad_digest, blue, found, nothing_was_written, planned, stderr};

use bluegreen::preflight::{Allowing, Check};
use bluegreen_sandbox::{Fault, FaultEffect, Policy};
use serde_json::Value;

use crate::support::policies::{promoting, shipped};
use crate::support::served::Served;
use crate::support::snapshot::check;
use bluegreen_testing::sample::sampled;

const SPEED: f64 = 600.0;

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
    for checked in sampled("checks", Check::ALL, 10) {
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
    for (action, checked) in sampled("reads that are denied", missing, 1) {
        served.deny(action);
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
    assert!(evidence.contains("lock is readable"), "{evidence}");
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
    let beneath = "and 6 more; Elastic Beanstalk has no permission for autoscaling:";
    assert!(evidence.contains(beneath), "{evidence}");
    served.sandbox.set_policy(Some(shipped()));
    assert_eq!(planned(&served, &[]).0, Some(0));
}
