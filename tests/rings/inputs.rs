//! Ring 3, inputs: names with line feeds, bundles that are none, labels that are registered
//! already, and hints that fit what went wrong.

use bluegreen_sandbox::{Fault, FaultEffect};

use crate::support::machines::exits;
use crate::support::served::{Served, bundle, hermetic};
use bluegreen_testing::sample::sampled;

const SPEED: f64 = 600.0;

fn blue_runs(served: &Served) -> String {
    served.sandbox.with_world(|world, _| {
        let blue = world.environment("shop-blue").expect("blue is there");
        blue.version_label.clone()
    })
}

#[test]
fn a_line_feed_at_the_end_of_a_name_is_trimmed_wherever_it_comes_from() {
    let served = Served::at_speed(SPEED);
    std::fs::write(
        served.folder.path().join("bluegreen.toml"),
        "bucket = \"shop-artifacts\\n\"\n",
    )
    .expect("it is written");
    let mut run = served.bluegreen(&["run", "--version-label", "v2\n", "--blue", "shop-blue\r\n"]);
    run.env("BEANSTALK_APP_NAME", "shop\n");
    exits(&run.output().expect("the binary runs"), 0);
    assert_eq!(blue_runs(&served), "v2");
    let shown = served.run(&["status", "--all", "--json"]);
    let (shown, _) = exits(&shown, 0);
    assert!(shown.contains("\"version\": \"v2\""), "{shown}");
}

#[test]
fn a_control_character_in_a_name_is_refused_with_its_variable() {
    let served = Served::at_speed(SPEED);
    for (variable, value) in [
        ("VERSION_LABEL", "v\t2"),
        ("S3_ARTIFACTS_BUCKET", "shop\nartifacts"),
        ("GREEN_ENV_NAME", "shop\u{1b}[31m"),
    ] {
        let mut run = served.bluegreen(&["run"]);
        run.env(variable, value);
        let (_, told) = exits(&run.output().expect("the binary runs"), 2);
        assert!(told.contains("control character"), "{told}");
        assert!(told.contains(variable), "{variable}: {told}");
    }
    assert!(!served.sandbox.report().calls.contains_key("PutObject"));
}

#[test]
fn what_is_no_bundle_is_refused_before_anything_is_asked() {
    let served = Served::at_speed(SPEED);
    let page = b"<!DOCTYPE html><title>Sign in</title>";
    for (name, bytes, words) in [
        ("empty.zip", &b""[..], "is empty"),
        ("page.zip", page, "is an HTML or XML page"),
        ("tar.gz", b"\x1f\x8b\x08", "is a gzip file"),
    ] {
        std::fs::write(served.folder.path().join(name), bytes).expect("it is written");
        for command in ["run", "plan"] {
            let (_, told) = exits(&served.run(&[command, "--bundle", name]), 3);
            assert!(told.contains(words), "{name}: {told}");
        }
    }
    let calls = served.sandbox.report().calls;
    assert!(calls.is_empty(), "{calls:?}");
}

/// A failed job is run again: its bundle is built anew, its label is registered.
#[test]
fn a_registered_label_is_released_as_it_is_where_that_is_asked() {
    let served = Served::at_speed(SPEED);
    let path = served.folder.path().join("shop.zip");
    let run = ["run", "--bundle", "shop.zip", "--version-label", "4f1c2d9"];
    let failing =
        "{ when = 'before', stage = 'cloning', command = 'exit 1', on-failure = 'rollback' }";
    std::fs::write(&path, bundle(b"one")).expect("it is written");
    exits(&served.run(&[&run[..], &["--hook", failing]].concat()), 10);
    std::fs::write(&path, bundle(b"two")).expect("it is written");
    let (_, told) = exits(&served.run(&run), 3);
    assert!(
        told.contains("leave --bundle out, or add --reuse-version"),
        "{told}"
    );
    let reuse = [&run[..], &["--reuse-version"]].concat();
    let (shown, _) = exits(&served.run(&[&["plan"][..], &reuse[1..]].concat()), 0);
    assert!(
        shown.contains("and its registered bundle shop-artifacts/"),
        "{shown}"
    );
    let (_, told) = exits(&served.run(&reuse), 0);
    assert!(told.contains("shop.zip is NOT USED"), "{told}");
    assert_eq!(blue_runs(&served), "4f1c2d9");
    let objects = served.sandbox.report().leftovers.objects;
    let bundles = objects.iter().filter(|key| key.contains("/bundles/"));
    assert_eq!(
        bundles.count(),
        1,
        "the second was never uploaded: {objects:?}"
    );
}

/// The version that a held deployment is corrected with is not registered yet.
#[test]
fn a_held_deployment_is_corrected_with_a_bundle() {
    let served = Served::at_speed(SPEED);
    served.inject(FaultEffect::VersionAnswers {
        label: "v2".to_owned(),
        status: 500,
    });
    let path = served.folder.path().join("fixed.zip");
    std::fs::write(&path, bundle(b"fixed")).expect("it is written");
    let fixed = ["resume", "--bundle", "fixed.zip", "--version-label", "v3"];
    let (_, told) = exits(&served.run(&fixed), 13);
    assert!(told.contains("no deployment is in flight"), "{told}");
    exits(&served.run(&["run", "--version-label", "v2"]), 14);
    // A label that is somebody else's, and a file that is no bundle, change nothing.
    let (_, told) = exits(
        &served.run(&["resume", "--bundle", "fixed.zip", "--version-label", "v1"]),
        3,
    );
    assert!(
        told.contains("v1 is registered with another bundle"),
        "{told}"
    );
    assert!(told.contains("\nUsers: v1 on shop-blue-green"), "{told}");
    std::fs::write(served.folder.path().join("text.zip"), b"x").expect("it is written");
    exits(&served.run(&["resume", "--bundle", "text.zip"]), 3);
    // Killed once the version is registered: the same command continues from there.
    let id = crate::support::machines::killed_with_its_disk_kept(
        &served,
        &fixed,
        "CreateApplicationVersion",
        1,
    );
    served
        .sandbox
        .set_tap(|_, _| bluegreen_sandbox::TapVerdict::Continue);
    let (told, _) = exits(&served.run(&fixed), 0);
    assert!(told.contains(&id), "{told}");
    assert_eq!(blue_runs(&served), "v3");
    let report = served.sandbox.report();
    assert_eq!(report.lost, 0);
    let objects = report.leftovers.objects;
    let bundles = objects.iter().filter(|key| key.contains("/bundles/"));
    assert_eq!(bundles.count(), 1, "{objects:?}");
}

#[test]
fn a_throttle_is_told_as_one() {
    let served = Served::at_speed(SPEED);
    served.inject(Fault {
        operation: Some("DescribeEnvironments".to_owned()),
        ..Fault::from(FaultEffect::Refuse {
            status: 400,
            code: "Throttling".to_owned(),
            message: "Rate exceeded".to_owned(),
        })
    });
    let (_, told) = exits(&served.run(&["run", "--version-label", "v2"]), 3);
    assert!(
        told.contains("AWS throttles the requests of this account"),
        "{told}"
    );
    assert!(!told.contains("cannot be reached"), "{told}");
    assert!(!told.contains("is the region"), "{told}");
}

#[test]
fn a_rollback_after_a_completed_release_names_the_release_that_leads_back() {
    let served = Served::at_speed(SPEED);
    exits(&served.run(&["run", "--version-label", "v2"]), 0);
    let back = "--version-label v1` does";
    let (_, told) = exits(&served.run(&["rollback"]), 13);
    assert!(told.contains(back), "{told}");
    let id = crate::support::machines::begun(&served);
    let (_, told) = exits(&served.run(&["rollback", &id]), 3);
    assert!(told.contains(back), "{told}");
}

/// A label may hold whatever a shell would take for something else.
#[test]
fn a_name_in_a_command_to_paste_is_quoted() {
    let served = Served::at_speed(SPEED);
    let label = "v2; echo 'it' $HOME #";
    let file = served.folder.path().join("shop.zip");
    std::fs::write(&file, bundle(b"v2")).expect("it is written");
    let file = file.to_str().expect("a path");
    exits(
        &served.run(&["run", "--version-label", label, "--bundle", file]),
        0,
    );
    exits(&served.run(&["run", "--version-label", "v1"]), 0);
    let (_, told) = exits(&served.run(&["rollback"]), 13);
    let back = r"--version-label 'v2; echo '\''it'\'' $HOME #'";
    assert!(told.contains(back), "{told}");
}

/// The SDK ends the program over some of what CI systems set; nothing is asked of anybody, and
/// no value is told.
#[test]
fn variables_of_the_sdk_are_put_right_or_named() {
    let served = Served::at_speed(SPEED);
    for (name, value) in sampled(
        "variables that are put right",
        [
            ("AWS_ENDPOINT_URL", ""),
            ("AWS_ENDPOINT_URL_ELASTIC_BEANSTALK", ""),
            ("AWS_ENDPOINT_URL_STS", " "),
            ("AWS_MAX_ATTEMPTS", ""),
            ("AWS_RETRY_MODE", ""),
            ("AWS_ACCESS_KEY_ID", "AKIA\n"),
            ("AWS_PROFILE", ""),
        ],
        2,
    ) {
        let planned = served.bluegreen(&["plan"]).env(name, value).output();
        exits(&planned.expect("the binary runs"), 0);
    }
    for (name, value) in sampled(
        "variables that are named",
        [
            ("AWS_MAX_ATTEMPTS", "hunter2"),
            ("AWS_MAX_ATTEMPTS", "0"),
            ("AWS_RETRY_MODE", "hunter2"),
            ("AWS_ENDPOINT_URL_IAM", "hunter2"),
            ("AWS_SESSION_TOKEN", "hunter2\nhunter2"),
        ],
        2,
    ) {
        let refused = served.bluegreen(&["run"]).env(name, value).output();
        let (_, told) = exits(&refused.expect("the binary runs"), 3);
        assert!(told.contains(name) && !told.contains("hunter"), "{told}");
    }
}

/// `--bundle <(build)` names a pipe, which gives what it holds once.
#[test]
fn a_pipe_is_neither_a_bundle_nor_a_file_of_settings() {
    let served = Served::at_speed(SPEED);
    let pipe = served.folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    let bundle = ["run", "--bundle", "pipe", "--version-label", "v9"];
    for (arguments, remedy) in [
        (&bundle[..], "is no regular file: write it to one first"),
        (
            &["plan", "--config", "pipe"],
            "it is a pipe: write it to a file first",
        ),
    ] {
        let (_, told) = exits(&served.run(arguments), 3);
        assert!(told.contains(remedy), "{told}");
    }
}

/// The program refuses a name that S3 gives no bucket before it asks AWS for anything.
#[test]
fn a_name_that_no_bucket_has_is_refused() {
    let served = Served::at_speed(SPEED);
    let buckets = [
        "s3://shop-artifacts",
        "shop-artifacts/",
        "a/../c",
        "a..c",
        "x",
    ];
    let commands = [&["config", "check"][..], &["plan"], &["run"]];
    let cases = buckets.into_iter();
    let cases = cases.flat_map(|bucket| commands.map(|command| (command, bucket)));
    for (command, bucket) in sampled("names of no bucket", cases, 5) {
        let named = [command, &["--bucket", bucket]].concat();
        let (_, told) = exits(&served.run(&named), 3);
        assert!(
            told.contains("without s3://"),
            "{command:?} {bucket}: {told}"
        );
        assert!(told.contains(bucket), "{told}");
    }
}

/// A disk that is full keeps nothing of what was told; a reader that has gone wants no more.
#[test]
fn what_nobody_can_hear_is_an_error() {
    let served = Served::at_speed(SPEED);
    for command in sampled(
        "commands that nobody hears",
        [
            &["plan", "--json"][..],
            &["status", "--json"],
            &["config", "show", "--json"],
            &["doctor"],
            &["run", "--help"],
            &["--version"],
        ],
        2,
    ) {
        let full = std::fs::File::create("/dev/full").expect("it opens");
        let mut told = served.bluegreen(command);
        let (_, why) = exits(&told.stdout(full).output().expect("the binary runs"), 3);
        assert!(why.contains("standard output cannot be written"), "{why}");
    }
}

#[test]
fn certificates_that_are_missing_are_named() {
    let served = Served::at_speed(SPEED);
    let mut planned = served.bluegreen(&["plan"]);
    planned.env("SSL_CERT_FILE", "/dev/null");
    let (_, told) = exits(&planned.output().expect("the binary runs"), 3);
    assert!(told.contains("ca-certificates"), "{told}");
}

/// At these levels the SDK logs answers whole, and its HTTP client what is sent.
#[test]
fn no_level_of_the_log_tells_what_blue_or_aws_was_given() {
    let served = Served::at_speed(SPEED);
    let namespace = "aws:elasticbeanstalk:application:environment";
    served.sandbox.with_world(|world, _| {
        world.set("shop-blue", namespace, "DB_URL", "hunter2-of-blue");
    });
    for level in sampled(
        "levels of the log",
        [
            "trace",
            "debug,hyper=trace,aws_config=trace",
            "bluegreen=trace",
        ],
        1,
    ) {
        let mut command = hermetic(&["plan", "--app", "shop", "--blue", "shop-blue"]);
        command
            .args(["--bucket", "shop-artifacts", "--region", "us-east-1"])
            .current_dir(served.folder.path())
            .env("BLUEGREEN_STATE", served.journal())
            .env("AWS_ENDPOINT_URL", &served.url)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7HUNTER2")
            .env("AWS_SECRET_ACCESS_KEY", "hunter2-secret-key")
            .env("AWS_SESSION_TOKEN", "hunter2-session-token")
            .env("BLUEGREEN_LOG", level);
        let planned = command.output().expect("the binary runs");
        // No name of the sandbox's leads anywhere here: the tests of blue refuse.
        let (told, logged) = exits(&planned, 3);
        let all = format!("{told}{logged}").to_lowercase();
        assert!(
            !all.contains("hunter2") && !all.contains("aws4-hmac"),
            "{level}: {all}"
        );
    }
    let mut release = served.bluegreen(&["run", "--version-label", "v2"]);
    let done = release.env("BLUEGREEN_LOG", "trace").output();
    let (told, logged) = exits(&done.expect("the binary runs"), 0);
    assert!(
        logged.contains("looked"),
        "what is bluegreen's own is told: {logged}"
    );
    assert!(!format!("{told}{logged}").contains("hunter2"), "{logged}");
}

/// What a credential process says is somebody else's: it holds secrets, and begins lines.
#[test]
fn passwords_of_others_are_not_told_in_errors() {
    let served = Served::at_speed(SPEED);
    let refused = hermetic(&["status", "--sandbox=http://ann:hunter2@127.0.0.1:1"])
        .current_dir(served.folder.path())
        .env("BLUEGREEN_STATE", served.journal())
        .output();
    let (_, told) = exits(&refused.expect("the binary runs"), 3);
    assert!(told.contains("ann:***@127.0.0.1:1"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
    let file = served.folder.path().join("config");
    let says =
        r#"printf '%s\n::error::\033[31m %s\n' "$VAULT_TOKEN" http://a:hunter2@b.example >&2"#;
    let program = served.folder.path().join("vault.sh");
    std::fs::write(&program, format!("{says}\nexit 1\n")).expect("it is written");
    let profile = format!("[default]\ncredential_process = sh {}\n", program.display());
    std::fs::write(&file, profile).expect("it is written");
    for level in ["info", "trace"] {
        let mut command = hermetic(&["run", "--app", "shop", "--blue", "shop-blue"]);
        command
            .args(["--bucket", "shop-artifacts", "--region", "us-east-1"])
            .current_dir(served.folder.path())
            .env("PATH", "/usr/bin:/bin")
            .env("BLUEGREEN_STATE", served.journal())
            .env("BLUEGREEN_LOG", level)
            .env("AWS_ENDPOINT_URL", &served.url)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", &file)
            .env("VAULT_TOKEN", "hunter2-of-the-vault");
        let (_, told) = exits(&command.output().expect("the binary runs"), 3);
        assert!(told.contains("process exited with"), "{told}");
        assert!(
            !told.contains("hunter2") && !told.contains('\u{1b}'),
            "{told}"
        );
        let begins = |line: &str| line.trim_start().starts_with("::");
        assert!(!told.lines().any(begins), "{told}");
    }
}
