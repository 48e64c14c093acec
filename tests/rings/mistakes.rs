//! Ring 3, mistakes: what people get wrong most often, and every word that they read then. Each
//! text answers what happened, whether users are safe, and what to do now.

use std::process::Output;

use bluegreen_sandbox::{Fault, FaultEffect, Status};

use crate::support::machines::{begun, exits, killed_with_its_disk_kept};
use crate::support::plans::nothing_was_written;
use crate::support::served::{Served, bundle, bundle_of, hermetic};
use crate::support::snapshot;

const SPEED: f64 = 600.0;

/// What a user reads after this mistake.
#[track_caller]
fn check(mistake: &str, output: &Output) {
    snapshot::check(&format!("mistake_{mistake}"), output);
}

/// Mistakes of which each is a command that begins nothing.
#[track_caller]
fn check_all(served: &Served, mistakes: &[(&str, &[&str])]) {
    for (mistake, arguments) in mistakes {
        check(mistake, &served.run(arguments));
    }
    nothing_was_written(served, &[]);
}

fn fault(effect: FaultEffect, operation: &str) -> Fault {
    Fault {
        operation: Some(operation.to_owned()),
        ..Fault::from(effect)
    }
}

#[test]
fn a_command_line_with_a_mistake() {
    let served = Served::at_speed(SPEED);
    check_all(
        &served,
        &[
            ("misspelt_flag", &["run", "--alarn", "errors"]),
            ("misspelt_command", &["reume"]),
            ("flag_without_its_value", &["run", "--version-label"]),
            ("value_that_is_none", &["run", "--strategy", "promotion"]),
            ("duration_without_a_unit", &["run", "--drain", "60"]),
            (
                "two_sources_of_a_bundle",
                &["run", "--bundle", "shop.zip", "--s3-key", "shop.zip"],
            ),
            (
                "bundle_key_without_a_label",
                &["run", "--s3-key", "shop/v2.zip"],
            ),
            ("state_that_is_none", &["wait", "--for", "complete"]),
            (
                "label_with_a_slash",
                &["run", "--version-label", "feature/v2"],
            ),
            (
                "bucket_with_its_scheme",
                &["run", "--bucket", "s3://shop-artifacts"],
            ),
            ("green_named_as_blue", &["run", "--green", "shop-blue"]),
            (
                "test_of_production",
                &[
                    "run",
                    "--test-url",
                    "http://shop.us-east-1.elasticbeanstalk.com/",
                ],
            ),
            ("journal_that_is_a_folder", &["status", "--state", "."]),
        ],
    );
}

/// Nothing is configured, and no sandbox is named.
#[test]
fn a_first_command_without_anything() {
    let folder = tempfile::tempdir().expect("a folder");
    let bare = |arguments: &[&str]| {
        let mut command = hermetic(arguments);
        command
            .current_dir(folder.path())
            .env("BLUEGREEN_STATE", folder.path().join("journal.db"))
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command.output().expect("the binary runs")
    };
    check("no_command", &bare(&[]));
    check("nothing_configured", &bare(&["run"]));
    check(
        "no_bucket",
        &bare(&["run", "--app", "shop", "--blue", "shop-blue"]),
    );
    let names = [
        "--app",
        "shop",
        "--blue",
        "shop-blue",
        "--bucket",
        "shop-artifacts",
    ];
    check("no_region", &bare(&[&["run"][..], &names].concat()));
    let named = [&["run", "--region", "us-east-1"][..], &names].concat();
    check("no_credentials", &bare(&named));
    let profile = [&named[..], &["--profile", "prdo"]].concat();
    check("unknown_profile", &bare(&profile));
    check("status_without_a_bucket", &bare(&["status"]));
    let config = |text: &str| {
        std::fs::write(folder.path().join("bluegreen.toml"), text).expect("it is written");
        bare(&["run"])
    };
    check(
        "file_that_is_missing",
        &bare(&["run", "--config", "blugreen.toml"]),
    );
    check(
        "file_with_a_misspelt_key",
        &config("app = \"shop\"\nbukcet = \"shop-artifacts\"\n"),
    );
    check("file_that_is_no_toml", &config("app = shop\n"));
}

#[test]
fn credentials_a_network_and_permissions_that_are_wrong() {
    let served = Served::at_speed(SPEED);
    let run = ["run", "--version-label", "v2"];
    let with = |fault: Fault| {
        served.inject(fault);
        let output = served.run(&run);
        served.sandbox.with_world(|world, _| world.clear_faults());
        output
    };
    let reads = "DescribeEnvironments";
    check(
        "expired_credentials",
        &with(fault(FaultEffect::ExpiredCredentials, reads)),
    );
    check("wrong_clock", &with(fault(FaultEffect::ClockSkewed, reads)));
    let throttle = FaultEffect::Refuse {
        status: 400,
        code: "Throttling".to_owned(),
        message: "Rate exceeded".to_owned(),
    };
    check("throttled", &with(fault(throttle, reads)));
    served.deny("elasticbeanstalk:DescribeEnvironments");
    check("denied_read", &served.run(&run));
    served.deny("elasticbeanstalk:CreateEnvironment");
    check("denied_create", &served.run(&run));
    served.deny("s3:PutObject");
    check("denied_lock", &served.run(&run));
    let mut unreachable = served.bluegreen(&run);
    unreachable.env("BLUEGREEN_SANDBOX", "http://127.0.0.1:1");
    check(
        "unreachable_sandbox",
        &unreachable.output().expect("it runs"),
    );
    nothing_was_written(&served, &[]);
}

#[test]
fn names_that_aws_does_not_have() {
    let served = Served::at_speed(SPEED);
    check_all(
        &served,
        &[
            ("unknown_application", &["run", "--app", "shpo"]),
            ("unknown_environment", &["run", "--blue", "shop-bleu"]),
            ("unknown_version", &["run", "--version-label", "v22"]),
            ("unknown_bucket", &["run", "--bucket", "shop-artefacts"]),
            ("worker_environment", &["run", "--blue", "shop-worker"]),
            (
                "missing_object",
                &["run", "--s3-key", "shop/v9.zip", "--version-label", "v9"],
            ),
        ],
    );
    served.sandbox.with_world(|world, _| {
        let blue = world.environment_mut("shop-blue").expect("blue is there");
        blue.status = Status::Updating;
    });
    check("blue_that_is_updating", &served.run(&["run"]));
    nothing_was_written(&served, &[]);
}

#[test]
fn a_green_whose_name_is_taken() {
    let served = Served::at_speed(SPEED);
    served.inject(FaultEffect::ForeignEnvironment {
        name: "shop-blue-green".to_owned(),
    });
    check("green_that_is_taken", &served.run(&["run"]));
    nothing_was_written(&served, &[]);
}

#[test]
fn a_bundle_with_a_mistake() {
    let served = Served::at_speed(SPEED);
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(served.folder.path().join(name), bytes).expect("it is written");
    };
    write("text.zip", b"console.log(1)");
    write("shop.zip", &bundle(b"another v2"));
    let inside = [("shop/app.js", &b"x"[..]), ("shop/package.json", b"{}")];
    write("inside.zip", &bundle_of(&inside));
    let configured = [
        ("app.js", &b"x"[..]),
        (
            ".ebextensions/options.config",
            b"option_settings:\n\taws: b\n",
        ),
    ];
    write("configured.zip", &bundle_of(&configured));
    let large = std::fs::File::create(served.folder.path().join("large.zip"));
    let large = large.expect("a file").set_len(501 * 1024 * 1024);
    large.expect("it is sparse");
    check_all(
        &served,
        &[
            ("missing_bundle", &["run", "--bundle", "shpo.zip"]),
            ("bundle_that_is_a_folder", &["run", "--bundle", "."]),
            ("bundle_in_a_folder", &["run", "--bundle", "inside.zip"]),
            (
                "bundle_with_a_broken_configuration",
                &["run", "--bundle", "configured.zip"],
            ),
            ("bundle_that_is_no_zip", &["run", "--bundle", "text.zip"]),
            (
                "bundle_that_is_too_large",
                &["run", "--bundle", "large.zip"],
            ),
            (
                "label_of_another_bundle",
                &["run", "--bundle", "shop.zip", "--version-label", "v2"],
            ),
        ],
    );
}

#[test]
fn an_order_for_no_deployment() {
    let served = Served::at_speed(SPEED);
    check_all(
        &served,
        &[
            ("nothing_to_resume", &["resume"]),
            (
                "unknown_deployment",
                &["status", "01J00000000000000000000000"],
            ),
            ("nothing_to_abort", &["abort"]),
            (
                "nothing_to_clean_up",
                &["cleanup", "01J00000000000000000000000"],
            ),
        ],
    );
    let done = served.run(&["run", "--version-label", "v2"]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    check("rollback_after_the_end", &served.run(&["rollback"]));
    check(
        "approval_after_the_end",
        &served.run(&["approve", "latest", "--by", "dana"]),
    );
    check(
        "version_that_is_live",
        &served.run(&["run", "--version-label", "v2"]),
    );
    let id = begun(&served);
    let (_, told) = exits(&served.run(&["status", &id[..3]]), 2);
    assert!(told.contains("is too short for an id"), "{told}");
    assert!(told.contains(&format!("\n  {id}")), "{told}");
}

#[test]
fn an_order_that_does_not_fit_a_pause() {
    let served = Served::at_speed(SPEED);
    let paused = served.run(&["deploy", "--version-label", "v2"]);
    assert_eq!(paused.status.code(), Some(0), "{paused:?}");
    check("second_run", &served.run(&["run", "--version-label", "v1"]));
    check(
        "flag_of_a_release_on_resume",
        &served.run(&["resume", "--healthy=ok"]),
    );
    check(
        "correction_of_what_is_not_held",
        &served.run(&["resume", "--version-label", "v3"]),
    );
    check(
        "cleanup_of_a_paused_one",
        &served.run(&["cleanup", "latest"]),
    );
    check(
        "wait_for_what_a_pause_prevents",
        &served.run(&["wait", "--for", "completed", "--timeout", "1s"]),
    );
    check(
        "resume_in_another_region",
        &served.run(&["resume", "--region", "eu-west-1"]),
    );
}

#[test]
fn a_correction_that_is_unknown() {
    let served = Served::at_speed(SPEED);
    served.inject(FaultEffect::VersionAnswers {
        label: "v2".to_owned(),
        status: 500,
    });
    let held = served.run(&["run"]);
    assert_eq!(held.status.code(), Some(14), "{held:?}");
    check(
        "correction_that_is_unknown",
        &served.run(&["resume", "--version-label", "v9"]),
    );
    check("resume_with_the_same_fault", &served.run(&["resume"]));
}

#[test]
fn a_wait_for_what_nobody_runs() {
    let served = Served::at_speed(SPEED);
    let run = ["run", "--version-label", "v2"];
    killed_with_its_disk_kept(&served, &run, "UpdateEnvironment", 1);
    let waited = served.run(&["wait", "--timeout", "10s"]);
    let told = String::from_utf8_lossy(&waited.stderr);
    assert!(told.contains("no process runs this deployment"), "{told}");
    check("wait_for_what_nobody_runs", &waited);
}

/// A program that reads the log reads the error too.
#[test]
fn with_a_log_in_json_the_error_is_its_last_line() {
    let served = Served::at_speed(SPEED);
    for (arguments, code) in [
        (
            &["run", "--blue", "shop-bleu", "--log-format", "json"][..],
            3,
        ),
        (&["run", "--alarn", "x", "--log-format=json"], 2),
        (&["--log-format=json"], 2),
    ] {
        let (_, told) = exits(&served.run(arguments), code);
        let last = told.lines().last().expect("a line");
        let last: serde_json::Value = serde_json::from_str(last).expect("JSON");
        assert_eq!(last["level"], "ERROR", "{told}");
        assert_eq!(last["exit_code"], code, "{told}");
        let users = last["users"].as_str().expect("a text");
        assert!(users.starts_with("as they were"), "{told}");
        assert!(!last["message"].as_str().expect("a text").is_empty());
    }
}
