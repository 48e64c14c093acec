//! Ring 3: the real binary against the sandbox, standard output, standard error
//! and exit code together.

use crate::support::snapshot::check;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use bluegreen_sandbox::{Fault, FaultEffect, PRODUCTION, Phase, Status, TapVerdict};
use rustix::process::{Pid, Signal, kill_process};
use sha2::Digest as _;

use crate::support::plans::nothing_was_written;
use crate::support::served::{PATIENCE, Served, bundle, hermetic};
use bluegreen_testing::sample::sampled;

const SPEED: f64 = 600.0;

fn fault(effect: FaultEffect, operation: &str, skip: u32) -> Fault {
    Fault {
        operation: Some(operation.to_owned()),
        skip,
        ..Fault::from(effect)
    }
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

#[test]
fn a_release_tells_its_stages() {
    let served = Served::at_speed(SPEED);
    check("release", &served.run(&["run"]));
    check("status_when_nothing_is_in_flight", &served.run(&["status"]));
    check(
        "status_of_all_as_json",
        &served.run(&["status", "--all", "--json"]),
    );
    check("nothing_to_release", &served.run(&["run"]));
}

#[test]
fn a_pause_is_resumed() {
    let served = Served::at_speed(SPEED);
    check("paused", &served.run(&["deploy", "--version-label", "v2"]));
    check("status_of_a_paused_one", &served.run(&["status"]));
    check("second_run_while_one_is_in_flight", &served.run(&["run"]));
    check("cutover", &served.run(&["cutover"]));
}

#[test]
fn a_green_that_is_to_keep_production_is_promoted() {
    let served = Served::at_speed(SPEED);
    served
        .sandbox
        .set_policy(Some(crate::support::policies::promoting()));
    let promote = ["run", "--strategy", "promote", "--pause-before", "cutover"];
    check("paused_before_the_swap", &served.run(&promote));
    check("promoted", &served.run(&["resume"]));
    check("status_of_a_promotion", &served.run(&["status", "--all"]));
    check(
        "discover_after_a_promotion",
        &served.run(&["status", "--discover"]),
    );
    let next = ["run", "--blue", "shop-blue-green", "--green", "shop-blue"];
    let next = [&next[..], &["--version-label", "v1"]].concat();
    check("released_onto_the_promoted", &served.run(&next));
    assert_eq!(served.sandbox.report().lost, 0);
}

#[test]
fn a_rehearsal_tells_its_stages_and_leaves_blue_alone() {
    let served = Served::at_speed(SPEED);
    // What would hold a release, and watch it, is none of a rehearsal's.
    let hook =
        r#"{ when = "before", stage = "preparing", command = "exit 1", on-failure = "rollback" }"#;
    let rehearse = ["rehearse", "--version-label", "v2", "--hook", hook];
    check("rehearsed", &served.run(&rehearse));
    check("status_of_a_rehearsal", &served.run(&["status", "--all"]));
    // The version that runs may be rehearsed too.
    let again = served.run(&["rehearse", "--version-label", "v1"]);
    assert_eq!(code(&again), Some(0), "{again:?}");
    let report = served.sandbox.report();
    assert_eq!((report.lost, report.leftovers.templates), (0, vec![]));
    assert_eq!(report.calls.get("SwapEnvironmentCNAMEs"), None);
}

#[test]
fn a_rehearsal_of_what_fails_to_deploy_is_cleaned_up() {
    let served = Served::at_speed(SPEED);
    served.inject(FaultEffect::VersionFailsToDeploy {
        label: "v2".to_owned(),
    });
    check("not_rehearsed", &served.run(&["rehearse"]));
    let report = served.sandbox.report();
    assert_eq!((report.lost, report.leftovers.templates), (0, vec![]));
}

#[test]
fn a_rehearsal_takes_no_flag_of_a_release_that_it_does_not_heed() {
    let served = Served::at_speed(SPEED);
    for flag in ["--strategy=promote", "--pause-before=swap"] {
        let refused = served.run(&["rehearse", flag]);
        assert_eq!(code(&refused), Some(2), "{flag}: {refused:?}");
    }
}

#[test]
fn a_promotion_of_what_fails_its_test_leaves_blue_alone() {
    let served = Served::at_speed(SPEED);
    served
        .sandbox
        .set_policy(Some(crate::support::policies::promoting()));
    served.inject(FaultEffect::VersionAnswers {
        label: "v2".to_owned(),
        status: 500,
    });
    // Green does not become healthy, and is waited for.
    let promote = [
        "run",
        "--strategy",
        "promote",
        "--patience-of",
        "Warming=1h",
    ];
    check("not_promoted", &served.run(&promote));
    assert_eq!(served.sandbox.report().lost, 0);
}

/// How long a deploy takes may be known only once it had too little time.
#[test]
fn a_later_command_may_give_more_patience() {
    let served = Served::at_speed(SPEED);
    served.inject(FaultEffect::SlowDeploy {
        label: "v2".to_owned(),
        seconds: 2 * 60 * 60,
        batches: 0,
    });
    let run = [
        "run",
        "--version-label",
        "v2",
        "--patience-of",
        "Deploying=20m",
    ];
    let held = served.run(&run);
    assert_eq!(code(&held), Some(14), "{held:?}");
    let done = served.run(&["resume", "--patience-of", "Deploying=5h"]);
    assert_eq!(code(&done), Some(0), "{done:?}");
    assert_eq!(served.sandbox.report().lost, 0);
}

#[test]
fn a_failed_deploy_is_held_and_rolled_back() {
    let served = Served::at_speed(SPEED);
    served.inject(FaultEffect::VersionFailsToDeploy {
        label: "v2".to_owned(),
    });
    check("held_by_a_failed_deploy", &served.run(&["run"]));
    assert_eq!(code(&served.run(&["status"])), Some(0));
    assert_eq!(code(&served.run(&["status", "--exit-code"])), Some(14));
    check(
        "rolled_back_after_a_failed_deploy",
        &served.run(&["rollback"]),
    );
    assert_eq!(code(&served.run(&["status", "--exit-code"])), Some(0));
    assert_eq!(served.sandbox.report().lost, 0);
}

#[test]
fn a_version_that_answers_500_is_held_and_corrected() {
    let served = Served::at_speed(SPEED);
    served.inject(FaultEffect::VersionAnswers {
        label: "v2".to_owned(),
        status: 500,
    });
    check("held_by_a_failed_test", &served.run(&["run"]));
    let bundle = served.folder.path().join("v3.zip");
    std::fs::write(bundle, b"corrected").expect("the bundle is written");
    check(
        "corrected_by_an_unknown_version",
        &served.run(&["resume", "--version-label", "v9"]),
    );
    served.sandbox.with_world(|world, _| {
        let mut corrected = world.view.versions[1].clone();
        "v3".clone_into(&mut corrected.label);
        world.view.versions.push(corrected);
    });
    check(
        "corrected",
        &served.run(&["resume", "--version-label", "v3"]),
    );
    assert_eq!(served.sandbox.report().lost, 0);
}

/// The version is right and the test was not: the new one redirects.
#[test]
fn a_wrong_test_is_put_right_on_the_way() {
    let served = Served::at_speed(SPEED);
    served.inject(FaultEffect::VersionAnswers {
        label: "v2".to_owned(),
        status: 301,
    });
    check("held_by_a_wrong_test", &served.run(&["run"]));
    let production = format!("http://{PRODUCTION}/");
    check(
        "test_of_production_on_the_way",
        &served.run(&["resume", "--test-url", &production]),
    );
    // What it is given lasts, also for the process after this one.
    let done = served.run(&["resume", "--expect-status", "200,301"]);
    assert_eq!(code(&done), Some(0), "{done:?}");
    let report = served.sandbox.report();
    assert_eq!((report.lost, report.leftovers.environments.len()), (0, 0));
}

#[test]
fn the_way_back_takes_another_test_as_it_is_printed() {
    let served = Served::at_speed(SPEED);
    served.inject(FaultEffect::VersionAnswers {
        label: "v2".to_owned(),
        status: 404,
    });
    let held = served.run(&["run"]);
    assert_eq!(code(&held), Some(14), "{held:?}");
    let told = String::from_utf8(held.stdout).expect("text");
    let lines = told.lines().map(str::trim);
    let mut resumes = lines.filter(|line| line.contains("resume") && line.contains("--test '"));
    let (printed, _) = resumes
        .next()
        .expect("it names the command")
        .split_once("   ")
        .expect("and what it does");
    let arguments = printed.strip_prefix("bluegreen ").expect("this program");
    let (before, table) = arguments.split_once(" --test ").expect("a test");
    let mut arguments: Vec<_> = before.split(' ').collect();
    arguments.extend(["--test", table.trim_matches('\'')]);
    let done = served.run(&arguments);
    assert_eq!(code(&done), Some(0), "{arguments:?}: {done:?}");
}

/// A deployment keeps what its run was given: what a command would not heed it refuses.
#[test]
fn flags_without_effect_on_a_command_are_refused() {
    let served = Served::at_speed(SPEED);
    let paused = served.run(&["deploy", "--version-label", "v2"]);
    assert_eq!(code(&paused), Some(0), "{paused:?}");
    let hook = "{ when = 'before', stage = 'baking', command = 'true', on-failure = 'ignore' }";
    let flags = [
        "--healthy=warning",
        "--drain-requests=100",
        "--error-rise=50",
        "--latency-rise=9",
        "--quarantine=10m",
        "--expect-difference=version",
        "--alarm=errors",
        "--approve-limit=2h",
        "--approve-otherwise=rollback",
    ];
    let commands = ["resume", "rollback", "abort"];
    let cases = flags.into_iter();
    let cases = cases.flat_map(|flag| commands.map(|command| (command, flag)));
    for (command, flag) in sampled("flags without effect", cases, 8) {
        let refused = served.run(&[command, flag]);
        let told = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(code(&refused), Some(2), "{command} {flag}: {told}");
        let name = flag.split('=').next().expect("a flag");
        assert!(told.contains(&format!("{name} has no effect")), "{told}");
    }
    // What may be named again is what the run was given.
    let previews = [
        "--preview-host=preview.shop.example",
        "--hosted-zone-id=Z0123456789ABCDEFGHIJ",
    ];
    for flags in [&[&*format!("--hook={hook}")][..], &previews] {
        for command in ["resume", "rollback", "abort"] {
            let refused = served.run(&[&[command], flags].concat());
            let told = String::from_utf8_lossy(&refused.stderr);
            assert_eq!(code(&refused), Some(3), "{command} {flags:?}: {told}");
            assert!(told.contains("differs from what the run"), "{told}");
        }
    }
    check(
        "flag_without_effect",
        &served.run(&["resume", "--healthy=ok"]),
    );
    for command in ["rollback", "abort"] {
        for flag in ["--test-green=false", "--approve-url=http://127.0.0.1:1/"] {
            let refused = served.run(&[command, flag]);
            assert_eq!(code(&refused), Some(2), "{command} {flag}: {refused:?}");
        }
    }
    for command in ["status", "wait"] {
        let refused = served.run(&[command, "--error-rise=9"]);
        let told = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(code(&refused), Some(2), "{command}: {told}");
        assert!(told.contains("--error-rise has no effect"), "{told}");
    }
    // What they do heed, and what every command is given by variables and the file.
    let limits = [
        "--bake=30s",
        "--drain-limit=5m",
        "--drain=60s",
        "--poll=10s",
    ];
    let tests = ["--test-grace=1m", "--test-timeout=5s", "--test-green=true"];
    let resume = [&["resume"][..], &limits, &tests].concat();
    let mut resume = served.bluegreen(&resume);
    let done = resume.env("BLUEGREEN_HEALTHY", "warning").output();
    let done = done.expect("the binary runs");
    assert_eq!(code(&done), Some(0), "{done:?}");
}

/// Green keeps its clients after the last swap: the deployment has ended, so it is not in flight,
/// and its journal is there. What is told names the way that there is.
#[test]
fn what_has_ended_with_a_green_is_known_without_its_id() {
    let served = Served::at_speed(SPEED);
    let paused = served.run(&["deploy", "--version-label", "v2"]);
    assert_eq!(code(&paused), Some(0), "{paused:?}");
    served.inject(FaultEffect::LongCaches {
        seconds: 360_000,
        percent: 100,
    });
    let stuck = served.run(&["resume", "--patience-of=Baking=12m", "--drain-limit=2m"]);
    let told = String::from_utf8_lossy(&stuck.stdout);
    assert_eq!(code(&stuck), Some(11), "{stuck:?}");
    let (_, way) = told
        .split_once("bluegreen cleanup ")
        .expect("the way is told");
    let id = way.split(' ').next().expect("its id");
    for command in ["resume", "rollback"] {
        let [unnamed, named] = [served.run(&[command]), served.run(&[command, id])];
        assert_eq!(code(&unnamed), code(&named), "{command}");
        assert_eq!(unnamed.stderr, named.stderr, "{command}");
        let told = String::from_utf8_lossy(&unnamed.stderr);
        assert!(!told.contains("rebuilt"), "{command}: {told}");
    }
}

#[test]
fn a_launch_that_turns_red_is_rolled_back() {
    let served = Served::at_speed(SPEED);
    served.inject(FaultEffect::LaunchTurnsRed {
        environment: "shop-blue-green".to_owned(),
    });
    let run = ["run", "--patience-of", "Warming=10m"];
    check("red_launch", &served.run(&run));
    assert_eq!(served.sandbox.report().leftovers.environments, [""; 0]);
}

#[test]
fn a_taken_name_is_refused_and_left_alone() {
    let served = Served::at_speed(SPEED);
    served.inject(FaultEffect::ForeignEnvironment {
        name: "shop-blue-green".to_owned(),
    });
    check("name_taken_at_the_start", &served.run(&["run"]));
    served.sandbox.with_world(|world, _| {
        let foreign = world.environment("shop-blue-green").expect("it is there");
        assert_eq!(foreign.status, Status::Ready);
    });
}

#[test]
fn a_name_taken_meanwhile_is_left_alone() {
    let served = Served::at_speed(SPEED);
    let sandbox = served.sandbox.clone();
    let done = AtomicBool::new(false);
    served.sandbox.set_tap(move |call, phase| {
        let asks = call.operation == "CreateEnvironment" && phase == Phase::Before;
        if asks && !done.swap(true, Ordering::SeqCst) {
            sandbox.with_world(|world, _| {
                world.inject(FaultEffect::ForeignEnvironment {
                    name: "shop-blue-green".to_owned(),
                });
            });
        }
        TapVerdict::Continue
    });
    check("name_taken_meanwhile", &served.run(&["run"]));
    let report = served.sandbox.report();
    assert_eq!(report.leftovers.templates, [""; 0]);
    assert_eq!(report.calls.get("TerminateEnvironment"), None);
}

#[test]
fn blue_must_be_ready_at_the_start() {
    let served = Served::at_speed(SPEED);
    served.sandbox.with_world(|world, _| {
        let blue = world.environment_mut("shop-blue").expect("blue is there");
        blue.status = Status::Updating;
    });
    check("blue_not_ready", &served.run(&["run"]));
    assert_eq!(
        served
            .sandbox
            .report()
            .calls
            .get("CreateConfigurationTemplate"),
        None
    );
}

#[test]
fn expired_credentials_interrupt_and_resume_completes() {
    let served = Served::at_speed(SPEED);
    served.inject(fault(
        FaultEffect::ExpiredCredentials,
        "DescribeEnvironments",
        25,
    ));
    let interrupted = served.run(&["run"]);
    check("expired_credentials", &interrupted);
    check("resume_with_expired_credentials", &served.run(&["resume"]));
    served.sandbox.with_world(|world, _| world.clear_faults());
    assert_eq!(code(&served.run(&["resume"])), Some(0));
    assert_eq!(served.sandbox.report().lost, 0);
}

/// S3 refuses a request whose date is more than 15 minutes off (S3 API reference, "Error
/// responses", `RequestTimeTooSkewed`); the other services refuse its signature.
#[test]
fn a_wrong_clock_interrupts_and_is_told_as_one() {
    let served = Served::at_speed(SPEED);
    served.inject(fault(FaultEffect::ClockSkewed, "PutObject", 6));
    check("wrong_clock", &served.run(&["run"]));
    served.sandbox.with_world(|world, _| world.clear_faults());
    served.inject(fault(FaultEffect::ClockSkewed, "DescribeEnvironments", 0));
    check("plan_with_a_wrong_clock", &served.run(&["plan"]));
    served.sandbox.with_world(|world, _| world.clear_faults());
    assert_eq!(code(&served.run(&["resume"])), Some(0));
    assert_eq!(served.sandbox.report().lost, 0);
}

#[test]
fn a_denied_effect_loses_nothing() {
    let served = Served::at_speed(SPEED);
    let denied = FaultEffect::Refuse {
        status: 403,
        code: "AccessDenied".to_owned(),
        message: "User is not authorized to perform: elasticbeanstalk:CreateEnvironment".to_owned(),
    };
    served.inject(fault(denied, "CreateEnvironment", 0));
    check("denied", &served.run(&["run"]));
    served.sandbox.with_world(|world, _| world.clear_faults());
    assert_eq!(code(&served.run(&["resume"])), Some(0));
}

#[test]
fn what_cannot_begin_changes_nothing() {
    let served = Served::at_speed(SPEED);
    std::fs::write(served.folder.path().join("b.zip"), bundle(b"b"))
        .expect("the bundle is written");
    for (name, arguments) in sampled(
        "commands that cannot begin",
        [
            ("unknown_application", &["run", "--app", "nowhere"][..]),
            ("unknown_environment", &["run", "--blue", "nowhere"]),
            ("worker_tier", &["run", "--blue", "shop-worker"]),
            ("unknown_version", &["run", "--version-label", "v9"]),
            (
                "label_with_another_bundle",
                &["run", "--bundle", "b.zip", "--version-label", "v2"],
            ),
            ("missing_bundle", &["run", "--bundle", "missing.zip"]),
            (
                "missing_object",
                &["run", "--s3-key", "missing.zip", "--version-label", "v9"],
            ),
            ("key_without_label", &["run", "--s3-key", "shop/v2.zip"]),
            ("bad_name", &["run", "--green", "a_b"]),
            ("same_name", &["run", "--green", "shop-blue"]),
            ("bad_duration", &["run", "--drain", "60"]),
            ("bad_status", &["run", "--expect-status", "200,99"]),
            (
                "bad_test_url",
                &["run", "--test-url", "https://ann:secret@shop.example/"],
            ),
            (
                "test_with_a_secret",
                &[
                    "run",
                    "--test",
                    r#"{ url = "/", headers = { Authorization = "Bearer hunter2" } }"#,
                ],
            ),
            (
                "test_with_an_unknown_key",
                &[
                    "run",
                    "--test",
                    r#"{ url = "/" }"#,
                    "--test",
                    r#"{ url = "/", colour = "blue" }"#,
                ],
            ),
            (
                "test_without_its_variable",
                &[
                    "run",
                    "--test",
                    r#"{ url = "/?a=b", headers = { X-Api-Key = "env:API_KEY" } }"#,
                ],
            ),
            (
                "test_of_production_among_others",
                &[
                    "run",
                    "--test",
                    r#"{ url = "/" }"#,
                    "--test",
                    r#"{ url = "https://shop.us-east-1.elasticbeanstalk.com/?a=b" }"#,
                ],
            ),
            (
                "bad_approve_url",
                &["run", "--approve-url", "hunter2.example/?token=hunter2"],
            ),
            (
                "bad_hook",
                &[
                    "run",
                    "--hook",
                    r#"{ when = "after", stage = "completed", command = "true", on-failure = "hold" }"#,
                ],
            ),
            (
                "test_of_production",
                &[
                    "run",
                    "--test-url",
                    "http://SHOP.us-east-1.elasticbeanstalk.com/",
                ],
            ),
            (
                "missing_bucket",
                &["run", "--bundle", "b.zip", "--bucket", "nowhere"],
            ),
            ("resume_without_any", &["resume"]),
            (
                "resume_of_an_unknown",
                &["resume", "01J00000000000000000000000"],
            ),
            ("rollback_without_any", &["rollback"]),
            ("abort_without_any", &["abort"]),
        ],
        8,
    ) {
        check(name, &served.run(arguments));
    }
    nothing_was_written(&served, &[]);
}

#[test]
fn credentials_and_region_are_named_before_anything() {
    let served = Served::at_speed(SPEED);
    let aws = |region: &str| {
        let mut command = hermetic(&[
            "run",
            "--app",
            "shop",
            "--blue",
            "shop-blue",
            "--bucket",
            "shop-artifacts",
        ]);
        command
            .current_dir(served.folder.path())
            .env("BLUEGREEN_STATE", served.journal())
            .env("AWS_ENDPOINT_URL", &served.url)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_REGION", region);
        command
    };
    check("no_credentials", &aws("us-east-1").output().expect("runs"));
    check("no_region", &aws("").output().expect("runs"));
    let mut unreachable = aws("us-east-1");
    unreachable
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .env("AWS_ACCESS_KEY_ID", "a")
        .env("AWS_SECRET_ACCESS_KEY", "b");
    check("unreachable", &unreachable.output().expect("runs"));
}

/// `aws login` leaves a profile with a `login_session` and its credentials in a cache (AWS CLI
/// user guide, "Login for AWS local development using console credentials").
#[test]
fn a_profile_of_aws_login_is_understood() {
    let served = Served::at_speed(SPEED);
    let session = "arn:aws:iam::123456789012:user/sandbox";
    let file = |name: &str| served.folder.path().join(name);
    let profile = format!("[profile people]\nregion = us-east-1\nlogin_session = {session}\n");
    std::fs::write(file("config"), profile).expect("it is written");
    let name: String = sha2::Sha256::digest(session)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let token = r#"{"accessToken":{"accessKeyId":"AKIALOGIN","secretAccessKey":"s","sessionToken":"t",
        "accountId":"123456789012","expiresAt":"2999-01-01T00:00:00Z"},"tokenType":"aws_sigv4",
        "refreshToken":"r","clientId":"arn:aws:signin:::devtools/same-device","dpopKey":"k"}"#;
    std::fs::write(file(&format!("{name}.json")), token).expect("it is written");
    let mut command = hermetic(&[
        "run",
        "--app",
        "nowhere",
        "--blue",
        "shop-blue",
        "--bucket",
        "shop-artifacts",
    ]);
    let output = command
        .current_dir(served.folder.path())
        .env("BLUEGREEN_STATE", served.journal())
        .env("AWS_ENDPOINT_URL", &served.url)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", file("config"))
        .env("AWS_LOGIN_CACHE_DIRECTORY", served.folder.path())
        .env("AWS_PROFILE", "people")
        .output()
        .expect("the binary runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("there is no application nowhere"), "{told}");
    assert_eq!(code(&output), Some(3));
}

#[test]
fn required_values_are_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str]| {
        let mut command = hermetic(arguments);
        command.env("BLUEGREEN_STATE", folder.path().join("j.db"));
        command.output().expect("runs")
    };
    check("no_application", &run(&["run"]));
    check(
        "speed_out_of_bounds",
        &run(&["sandbox", "--speed", "1e300"]),
    );
    check("fault_unknown", &run(&["sandbox", "--fault", "{}"]));
    check("no_command", &run(&[]));
    check("help_of_run", &run(&["run", "--help"]));
}

/// `sandbox --fresh` removes a world only where it can begin: not with a flag that it refuses, on a
/// port that is taken, or while another sandbox uses the folder.
#[test]
fn a_world_stays_where_a_fresh_sandbox_cannot_begin() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = || {
        let options = bluegreen_sandbox::Options {
            directory: Some(folder.path().to_owned()),
            ..bluegreen_sandbox::Options::default()
        };
        bluegreen_sandbox::Sandbox::open(options).expect("it opens")
    };
    drop(open());
    let world = || std::fs::read(folder.path().join("world.json")).expect("the world is there");
    let before = world();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let taken = listener.local_addr().expect("an address").to_string();
    let missing = folder.path().join("missing").display().to_string();
    let refused = |arguments: &[&str], words: &str| {
        let directory = folder.path().display().to_string();
        let mut command = hermetic(&["sandbox", "--fresh", "--directory", &directory]);
        let output = command.args(arguments).output().expect("the binary runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains(words), "{told}");
        assert!(matches!(code(&output), Some(2 | 3)), "{output:?}");
        assert!(world() == before && folder.path().join("s3").exists());
    };
    refused(&["--seed-world", &missing], &missing);
    refused(&["--policy", &missing], &missing);
    refused(&["--listen", &taken], "cannot listen");
    refused(&["--speed", "0"], "speed 0");
    refused(&["--fault", "{}"], "--fault");
    let _running = open();
    refused(
        &["--listen", "127.0.0.1:0"],
        "another sandbox uses the folder",
    );
}

/// A sandbox that is named without `http://`, and a journal where the embedded one keeps its world,
/// are refused with the remedy.
#[test]
fn a_sandbox_that_cannot_be_used_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("st.sandbox");
    let clash = journal.display().to_string();
    for (arguments, words) in [
        (
            ["--sandbox=127.0.0.1:4577", "--state", "j.db"],
            "--sandbox=http://127.0.0.1:4577",
        ),
        (
            ["--sandbox=localhost:4577", "--state", "j.db"],
            "--sandbox=http://localhost:4577",
        ),
        (
            ["--sandbox=http://", "--state", "j.db"],
            "--sandbox=http://127.0.0.1:4577",
        ),
        (["--sandbox", "--state", &clash], "st.db"),
    ] {
        let mut command = hermetic(&["run"]);
        command.args(arguments).current_dir(folder.path());
        let output = command.output().expect("the binary runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains(words), "{told}");
        assert_eq!(code(&output), Some(3), "{told}");
    }
    assert!(!journal.exists());
}

/// The first lines of a sandbox name a release's target where the world is not the seeded one, and
/// not more environments than a person reads.
#[test]
fn a_sandbox_says_how_to_release_into_its_world() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("world.toml");
    let mut world = "region = \"eu-central-1\"\n[[application]]\nname = \"my books\"\n\
                     [[version]]\napplication = \"my books\"\nlabel = \"1\"\n\
                     bucket = \"book-artifacts\"\nkey = \"1.zip\"\n\
                     [clients]\nhost = \"books.eu-central-1.elasticbeanstalk.com\"\n"
        .to_owned();
    for number in 0..12 {
        world += &format!(
            "[[environment]]\napplication = \"my books\"\nname = \"books-{number}\"\n\
             version = \"1\"\n"
        );
    }
    world += "cname_prefix = \"books\"\n";
    std::fs::write(&file, world).expect("it is written");
    let described = ["--seed-world", &file.display().to_string()].map(str::to_owned);
    for (arguments, words) in [
        (
            &described[..],
            &[
                " --region eu-central-1 --app 'my books' --blue books-11 --bucket book-artifacts\n",
                "books-9 (application my books, version 1), and 2 more.",
            ][..],
        ),
        (&[], &["It holds shop-blue"]),
    ] {
        let mut command = hermetic(&["sandbox", "--listen", "127.0.0.1:0"]);
        let child = command.args(arguments).stdout(std::process::Stdio::piped());
        let mut child = child.spawn().expect("the binary starts");
        let mut told = String::new();
        let mut lines = std::io::BufReader::new(child.stdout.take().expect("it is piped"));
        while !told.contains("_sandbox/report") {
            let read = std::io::BufRead::read_line(&mut lines, &mut told).expect("it reads");
            assert!(read > 0, "{told}");
        }
        kill_process(Pid::from_child(&child), Signal::TERM).expect("it can be signalled");
        child.wait().expect("it ends");
        for words in words {
            assert!(told.contains(words), "{told}");
        }
        assert_eq!(told.contains("--app"), !arguments.is_empty(), "{told}");
    }
}

#[test]
fn an_abort_from_a_second_terminal_retreats() {
    for (name, operation) in [
        ("aborted_before_the_swap", "CreateEnvironment"),
        ("aborted_while_deploying", "UpdateEnvironment"),
    ] {
        let served = Served::at_speed(SPEED);
        // Long enough for a second process to start meanwhile.
        served.sandbox.with_world(|world, _| {
            world.timings.launch_seconds = 1200;
            world.timings.deploy_seconds = 1200;
        });
        let (sender, asked) = mpsc::channel();
        let waits_for = operation.to_owned();
        served.sandbox.set_tap(move |call, phase| {
            if call.operation == waits_for && phase == Phase::After {
                let _ = sender.send(());
            }
            TapVerdict::Continue
        });
        std::thread::scope(|scope| {
            let run = scope.spawn(|| served.run(&["run"]));
            asked.recv_timeout(PATIENCE).expect("the run comes so far");
            check(name, &served.run(&["abort"]));
            assert_eq!(code(&run.join().expect("no panic")), Some(10), "{name}");
        });
        let report = served.sandbox.report();
        assert_eq!(report.lost, 0, "{:?}", report.losses);
        assert_eq!(report.leftovers.environments, [""; 0]);
        assert_eq!(report.interruptions, []);
    }
}

#[test]
fn a_signal_interrupts_within_a_second() {
    for signal in [Signal::INT, Signal::TERM] {
        let served = Served::at_speed(SPEED);
        let (sender, asked) = mpsc::channel();
        let once = Arc::new(AtomicBool::new(false));
        served.sandbox.set_tap(move |call, phase| {
            let now = call.operation == "SwapEnvironmentCNAMEs" && phase == Phase::After;
            if now && !once.swap(true, Ordering::SeqCst) {
                let _ = sender.send(());
            }
            TapVerdict::Continue
        });
        let child = served
            .bluegreen(&["run"])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the binary starts");
        asked.recv_timeout(PATIENCE).expect("the run comes so far");
        kill_process(Pid::from_child(&child), signal).expect("it can be signalled");
        let interrupted = child.wait_with_output().expect("it ends");
        check("interrupted_by_a_signal", &interrupted);
        assert_eq!(code(&served.run(&["resume"])), Some(0));
        assert_eq!(served.sandbox.report().lost, 0);
    }
}

#[test]
fn a_journal_that_cannot_be_used_is_left_alone() {
    let served = Served::at_speed(SPEED);
    let journal = served.journal();
    let refused = |name: &str, content: &[u8]| {
        std::fs::write(&journal, content).expect("the journal is written");
        check(name, &served.run(&["run"]));
        assert_eq!(
            std::fs::read(&journal).expect("it is there"),
            content,
            "{name}: changed"
        );
        std::fs::remove_file(&journal).expect("it can be removed");
    };
    refused(
        "journal_that_is_no_database",
        &b"no database at all, only text ".repeat(40),
    );
    let another = database("CREATE TABLE theirs (a); PRAGMA application_id = 7;");
    refused("journal_of_another_program", &another);
    let newer = database(
        "CREATE TABLE deployment (a); PRAGMA application_id = 1651995246; PRAGMA user_version = 99;",
    );
    refused("journal_of_a_newer_program", &newer);
    std::fs::create_dir(&journal).expect("a folder in its place");
    check("journal_that_is_a_folder", &served.run(&["run"]));
    assert!(served.sandbox.report().calls.is_empty(), "AWS was asked");
}

/// The bytes of a SQLite database that these statements make.
fn database(statements: &str) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let db = rusqlite::Connection::open(file.path()).expect("a database");
    db.execute_batch(statements).expect("the statements hold");
    drop(db);
    std::fs::read(file.path()).expect("it reads")
}

#[test]
fn a_locked_journal_belongs_to_somebody_else() {
    let served = Served::at_speed(SPEED);
    assert_eq!(code(&served.run(&["status"])), Some(0));
    let db = rusqlite::Connection::open(served.journal()).expect("it opens");
    db.execute_batch("BEGIN EXCLUSIVE").expect("it locks");
    check("locked_journal", &served.run(&["run"]));
    let changing = ["CreateConfigurationTemplate", "CreateEnvironment"];
    let report = served.sandbox.report();
    assert!(
        changing
            .iter()
            .all(|operation| !report.calls.contains_key(*operation))
    );
}

/// A file size limit is a full disk: SQLite's writes fail. What is not durable
/// is not asked for.
#[test]
fn a_full_disk_stops_before_anything_is_asked() {
    let served = Served::at_speed(SPEED);
    assert_eq!(code(&served.run(&["status"])), Some(0));
    let binary = env!("CARGO_BIN_EXE_bluegreen");
    let limited = |blocks: u32| {
        let mut command = Command::new("sh");
        command
            .args([
                "-c",
                &format!("trap '' XFSZ; ulimit -f {blocks}; exec {binary} run"),
            ])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("BLUEGREEN_POLL", "20s")
            .env("BLUEGREEN_PATIENCE", "12h")
            .env("BLUEGREEN_SANDBOX", &served.url)
            .env("BLUEGREEN_STATE", served.journal());
        command.output().expect("sh runs")
    };
    check("full_disk", &limited(1));
    let asked = |operation: &str| served.sandbox.report().calls.contains_key(operation);
    assert!(!asked("CreateConfigurationTemplate"));
    // With room for some checkpoints only, it stops in the middle, resumable.
    let stopped = limited(80);
    assert!([Some(3), Some(75)].contains(&code(&stopped)), "{stopped:?}");
    let ended = served.run(&["resume"]);
    let ended = if code(&ended) == Some(13) {
        served.run(&["run"])
    } else {
        ended
    };
    assert_eq!(code(&ended), Some(0), "{ended:?}");
}

/// What green is made of: blue's tags and ours, blue's settings, blue's version.
#[test]
fn green_is_blues_clone() {
    let served = Served::at_speed(SPEED);
    assert_eq!(code(&served.run(&["deploy"])), Some(0));
    let id = String::from_utf8(served.run(&["status"]).stdout).expect("text");
    let id = id
        .lines()
        .nth(2)
        .and_then(|line| line.split_whitespace().next())
        .expect("an id")
        .to_owned();
    served.sandbox.with_world(|world, _| {
        let blue = world.environment("shop-blue").expect("blue");
        let green = world.environment("shop-blue-green").expect("green");
        let tags: Vec<_> = green
            .tags
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        assert_eq!(
            tags,
            [
                ("team", "storefront"),
                ("bluegreen:deployment", &id),
                ("bluegreen:role", "green"),
                (
                    "bluegreen:production-cname",
                    "shop.us-east-1.elasticbeanstalk.com"
                ),
                ("bluegreen:blue", &blue.id),
                ("bluegreen:version", "v2"),
                ("bluegreen:strategy", "restore"),
                ("bluegreen:sizes", "2-4"),
                ("bluegreen:bucket", "shop-artifacts"),
                ("bluegreen:pause", "cutover"),
            ]
        );
        assert_eq!(green.version_label, "v1");
        assert_eq!(green.settings, blue.settings);
        assert_eq!(green.solution_stack, blue.solution_stack);
        assert_eq!(
            world.templates(),
            [format!("bluegreen-{}", id.to_lowercase())]
        );
    });
}

#[test]
fn a_large_bundle_goes_up_in_parts_and_once() {
    let served = Served::at_speed(SPEED);
    let bytes: Vec<u8> = (0..20 * 1024 * 1024_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(served.folder.path().join("app.zip"), bundle(&bytes))
        .expect("the bundle is written");
    // A second of uploading is ten minutes of the sandbox's.
    let run = ["run", "--bundle", "app.zip", "--patience", "5h"];
    assert_eq!(code(&served.run(&run)), Some(0));
    let report = served.sandbox.report();
    assert_eq!(
        report.calls.get("UploadPart"),
        Some(&2),
        "{:?}",
        report.calls
    );
    let objects = &report.leftovers.objects;
    let bundles = objects.iter().filter(|key| key.contains("/bundles/"));
    assert_eq!(bundles.count(), 1, "{objects:?}");
    let label = served.sandbox.with_world(|world, _| {
        world
            .environment("shop-blue")
            .expect("blue")
            .version_label
            .clone()
    });
    assert!(label.starts_with("app-"), "{label}");
    // The same bundle under another label is the same object.
    let again = [
        "run",
        "--bundle",
        "app.zip",
        "--version-label",
        "again",
        "--patience",
        "5h",
    ];
    assert_eq!(code(&served.run(&again)), Some(0));
    let report = served.sandbox.report();
    let objects = &report.leftovers.objects;
    let bundles = objects.iter().filter(|key| key.contains("/bundles/"));
    assert_eq!(bundles.count(), 1, "{objects:?}");
    assert_eq!(report.calls.get("CreateMultipartUpload"), Some(&1));
}

#[test]
fn a_bundle_in_the_bucket_is_registered() {
    let served = Served::at_speed(SPEED);
    let run = ["run", "--s3-key", "shop/v2.zip", "--version-label", "v7"];
    assert_eq!(code(&served.run(&run)), Some(0));
    served.sandbox.with_world(|world, _| {
        assert_eq!(
            world.environment("shop-blue").expect("blue").version_label,
            "v7"
        );
    });
}

/// The embedded sandbox: a world on disk that two processes share, and that goes
/// on while none runs.
#[test]
fn an_embedded_sandbox_survives_its_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let bluegreen = |arguments: &[&str]| {
        let mut command = hermetic(arguments);
        command
            .current_dir(folder.path())
            .env("BLUEGREEN_STATE", folder.path().join("journal.db"))
            .env("BLUEGREEN_SANDBOX_SPEED", SPEED.to_string())
            .arg("--sandbox");
        command
    };
    let mut run = bluegreen(&["run"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("starts");
    let log = std::io::BufReader::new(run.stderr.take().expect("it is piped"));
    let mut lines = std::io::BufRead::lines(log);
    let cloning = lines
        .by_ref()
        .flatten()
        .find(|line| line.contains("CreateEnvironment"));
    assert!(cloning.is_some(), "it never cloned");
    let status = bluegreen(&["status"]).output().expect("runs");
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.contains("shop-blue"), "{status}");
    run.kill().expect("it is killed");
    run.wait().expect("it is dead");
    let resumed = bluegreen(&["resume"]).output().expect("runs");
    assert_eq!(code(&resumed), Some(0), "{resumed:?}");
    let told = String::from_utf8_lossy(&resumed.stdout).into_owned();
    assert!(told.contains(" 0 lost; left behind: nothing"), "{told}");
}

/// Nothing meant for a sandbox goes elsewhere, whatever the SDK's own variables say.
#[test]
fn a_sandbox_gets_every_request() {
    let served = Served::at_speed(SPEED);
    let elsewhere = "http://127.0.0.1:1";
    let planned = served
        .bluegreen(&["plan", "--version-label", "v2"])
        .env("AWS_ENDPOINT_URL", elsewhere)
        .env("AWS_ENDPOINT_URL_EC2", elsewhere)
        .env("AWS_ENDPOINT_URL_S3", elsewhere)
        .env("AWS_ENDPOINT_URL_WAFV2", elsewhere)
        .output()
        .expect("the binary runs");
    let told = String::from_utf8_lossy(&planned.stdout).into_owned();
    assert_eq!(code(&planned), Some(0), "{told}");
    assert!(!told.contains(" unknown "), "{told}");
}

/// In another account, or another region, an empty answer says nothing.
#[test]
fn a_deployment_is_only_gone_on_with_where_it_is() {
    let served = Served::at_speed(SPEED);
    assert_eq!(code(&served.run(&["deploy"])), Some(0));
    check(
        "resume_in_another_region",
        &served.run(&["resume", "--region", "eu-west-1"]),
    );
    let elsewhere = Served::at_speed(SPEED);
    elsewhere
        .sandbox
        .with_world(|world, _| "210987654321".clone_into(&mut world.account));
    // The policy names the account.
    elsewhere.sandbox.set_policy(None);
    let resume = |sandbox: &Served| {
        let mut command = served.bluegreen(&["resume"]);
        command
            .env("BLUEGREEN_SANDBOX", &sandbox.url)
            .output()
            .expect("runs")
    };
    check("resume_in_another_account", &resume(&elsewhere));
    elsewhere
        .sandbox
        .with_world(|world, _| world.view.environments.clear());
    check("resume_where_nothing_is", &resume(&elsewhere));
    assert_eq!(code(&resume(&served)), Some(0));
}

/// Empty variables, as CI systems set them, are none.
#[test]
fn empty_variables_are_none() {
    let served = Served::at_speed(SPEED);
    let mut run = served.bluegreen(&["run"]);
    for name in [
        "BEANSTALK_APP_NAME",
        "BLUE_ENV_NAME",
        "GREEN_ENV_NAME",
        "S3_ARTIFACTS_BUCKET",
        "S3_ARTIFACTS_OBJECT",
        "VERSION_LABEL",
        "RELEASE_HEALTH_CHECKING_PATH",
        "BLUEGREEN_QUARANTINE",
        "BLUEGREEN_LOG_FORMAT",
        "AWS_REGION",
        "AUTH_METHOD",
        "SSO_PROFILE",
    ] {
        run.env(name, "");
    }
    let done = run.output().expect("runs");
    assert_eq!(code(&done), Some(0), "{done:?}");
}
