//! The acceptance tests of a release, through the real binary: each condition with both
//! verdicts, and the command.

use std::process::{Output, Stdio};
use std::time::Duration;

use bluegreen_sandbox::{FaultEffect, PRODUCTION};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::served::{Patience, Served};
use bluegreen_testing::sample::sampled;

const SPEED: f64 = 600.0;

/// A secret that must appear nowhere.
const SECRET: &str = "hunter2hunter2";

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The only deployment, as `status --json` tells it.
fn told(served: &Served) -> serde_json::Value {
    let told = served.run(&["status", "--all", "--json"]);
    let document: serde_json::Value = serde_json::from_slice(&told.stdout).expect("JSON");
    document["deployments"][0].clone()
}

/// Every byte that the journal and the bucket hold.
fn everything_kept(served: &Served) -> String {
    let mut kept = Vec::new();
    for suffix in ["", "-wal"] {
        let path = served.folder.path().join(format!("journal.db{suffix}"));
        kept.extend(std::fs::read(path).unwrap_or_default());
    }
    let id = told(served)["id"].as_str().expect("an id").to_owned();
    let copy = http::Request::get(format!(
        "http://127.0.0.1/shop-artifacts/bluegreen/deployments/{id}.json"
    ));
    let copy = copy.body(bytes::Bytes::new()).expect("a request");
    let copy = served.block_on(served.sandbox.handle(copy)).expect("S3");
    assert_eq!(copy.status(), 200);
    kept.extend_from_slice(copy.body());
    text(&kept)
}

#[test]
fn a_release_passes_everything_that_can_be_asked() {
    let served = Served::at_speed(SPEED);
    let all = r#"{ url = "/echo?a=b", method = "POST", host = "www.shop.example",
        headers = { X-Api-Key = "env:API_KEY", Accept = "text/plain" }, body = "{}",
        expect-status = [200], body-contains = "www.shop",
        json = { "/method" = "POST", "/body" = "{}", "/headers/accept" = "text/plain",
                 "/host" = "www.shop.example", "/query" = "a=b" },
        max-latency = "5s", timeout = "8s", passes = 2, failures = 3 }"#;
    let command = "echo \"url $BLUEGREEN_URL\"; echo \"version $BLUEGREEN_VERSION\" >&2; \
         echo \"on $BLUEGREEN_ENVIRONMENT through $http_proxy with $API_KEY of $BLUEGREEN_ID\"";
    let arguments = [
        "run",
        "--test",
        all,
        "--test",
        r#"{ url = "/health", json = { "/status" = "ok", "/version" = "v2" }, on = "release" }"#,
        "--test-command",
        command,
    ];
    let ran = served.bluegreen(&arguments).env("API_KEY", SECRET).output();
    let ran = ran.expect("the binary runs");
    assert_eq!(code(&ran), Some(0), "{}", text(&ran.stderr));
    let told = told(&served);
    let outputs = told["outputs"].as_array().expect("a list");
    assert_eq!(
        outputs.len(),
        2,
        "once each, and not in Baking: {outputs:?}"
    );
    let id = told["id"].as_str().expect("an id");
    for (ran, what, version, name) in [
        (&outputs[0], "green (Warming)", "v1", "shop-blue-green"),
        (&outputs[1], "blue (Testing)", "v2", "shop-blue"),
    ] {
        assert_eq!(ran["what"], format!("--test-command on {what}"));
        assert_eq!(
            (&ran["ended"], &ran["passed"]),
            (&"exit code 0".into(), &true.into())
        );
        let output = ran["output"].as_str().expect("text");
        let on = format!("on {name} through {} with *** of {id}\n", served.url);
        assert!(output.starts_with("url http://"), "{output}");
        assert!(
            !output.contains(PRODUCTION),
            "it tests what is idle: {output}"
        );
        assert!(
            output.ends_with(&format!("version {version}\n{on}")),
            "{output}"
        );
    }
    let kept = everything_kept(&served);
    assert!(kept.contains("env:API_KEY") && kept.contains("version v2"));
    for place in [kept, text(&ran.stdout), text(&ran.stderr)] {
        assert!(!place.contains(SECRET), "{place}");
    }
    let status = text(&served.run(&["status", id]).stdout);
    for line in [
        "--test-command on blue (Testing): exit code 0 at ",
        "  | version v2\n",
    ] {
        assert!(status.contains(line), "{status}");
    }
    let events = text(&served.run(&["status", id, "--events"]).stdout);
    for line in [
        "  asking AWS: SwapEnvironmentCNAMEs\n",
        "  running --test-command on blue\n",
        "  testing idle blue over HTTP (the version is proven on blue)\n",
    ] {
        assert!(events.contains(line), "{events}");
    }
    let events = text(&served.run(&["status", id, "--events", "--json"]).stdout);
    let events: serde_json::Value = serde_json::from_str(&events).expect("it is JSON");
    let events = events.pointer("/deployments/0/events");
    let events = events.and_then(serde_json::Value::as_array);
    let ended = |event: &serde_json::Value| event["type"] == "test_ended";
    assert!(events.expect("they are there").iter().any(ended));
    assert_eq!(served.sandbox.report().lost, 0);
}

/// An application gives back the header it was sent, a hook and the command say it.
#[test]
fn a_secret_that_is_given_back_is_told_and_kept_nowhere() {
    let test = |json: &str| {
        format!(
            "{{ url = '/echo', headers = {{ X-Login = 'Basic env:SMOKE_LOGIN' }}, json = {{ {json} }}, on = 'release' }}"
        )
    };
    let mentions = "echo \"with $SMOKE_LOGIN\"";
    let hook = format!(
        "{{ when = 'before', stage = 'cloning', command = '{mentions}', on-failure = 'ignore' }}"
    );
    let arguments = ["deploy", "--hook", &hook, "--test-command", mentions];
    for (json, ended) in [
        ("'/headers/x-login' = 'none'", Some(14)),
        ("'/method' = 'GET'", Some(0)),
    ] {
        let served = Served::at_speed(SPEED);
        let mut command = served.bluegreen(&arguments);
        command
            .args(["--test", &test(json)])
            .env("SMOKE_LOGIN", SECRET);
        let ran = command.output().expect("the binary runs");
        assert_eq!(code(&ran), ended, "{}", text(&ran.stderr));
        let status = text(&served.run(&["status", "--all", "--json"]).stdout);
        let mentioned = status.matches("with ***").count();
        let told = told(&served);
        if ended == Some(0) {
            assert_eq!(mentioned, 3, "by the hook and both commands: {status}");
        } else {
            let why = told["error"].as_str().expect("a cause");
            assert!(why.contains("is \"Basic ***\", not \"none\""), "{why}");
            assert_eq!(mentioned, 2, "by the hook and green's command: {status}");
        }
        let kept = everything_kept(&served);
        for place in [kept, text(&ran.stdout), text(&ran.stderr), status] {
            assert!(!place.contains(SECRET), "{place}");
        }
    }
}

#[test]
fn each_condition_that_fails_holds_the_release() {
    let v2 = || "v2".to_owned();
    let degraded = FaultEffect::VersionSays {
        label: v2(),
        body: r#"{"status":"degraded"}"#.to_owned(),
    };
    let slow = FaultEffect::VersionTakes {
        label: v2(),
        milliseconds: 500,
    };
    for (fault, arguments, words) in sampled(
        "conditions that fail",
        [
            (
                Some(degraded.clone()),
                [
                    "--test",
                    r#"{ url = "/health", json = { "/status" = "ok" } }"#,
                ],
                "/health answered 200 OK, whose /status is \"degraded\", not \"ok\"",
            ),
            (
                Some(degraded),
                [
                    "--test",
                    r#"{ url = "/", body-contains = "ready", on = "release" }"#,
                ],
                "/ answered 200 OK, whose body lacks the text of body-contains",
            ),
            (
                Some(slow.clone()),
                ["--test", r#"{ url = "/", max-latency = "300ms" }"#],
                "which is more than 300ms",
            ),
            (
                Some(slow),
                ["--test", r#"{ url = "/", timeout = "300ms" }"#],
                "/ answered no answer within 300ms",
            ),
            (
                None,
                [
                    "--test",
                    r#"{ url = "/health", method = "POST", body = "{}", on = "release" }"#,
                ],
                "POST http://",
            ),
            (
                None,
                [
                    "--test-command",
                    "test $BLUEGREEN_VERSION = v1 || { echo 3 of 9 fail >&2; exit 3; }",
                ],
                "--test-command answered exit code 3: 3 of 9 fail",
            ),
        ],
        2,
    ) {
        let served = Served::at_speed(SPEED);
        if let Some(fault) = fault {
            served.inject(fault);
        }
        let ran = served.run(&["run", arguments[0], arguments[1]]);
        assert_eq!(code(&ran), Some(14), "{arguments:?}: {}", text(&ran.stderr));
        let why = told(&served)["error"].as_str().expect("a cause").to_owned();
        assert!(why.contains(words), "{why}");
        assert_eq!(served.sandbox.report().lost, 0);
    }
}

#[test]
fn a_set_is_asked_of_production_only_where_that_is_wanted() {
    for (arguments, outputs) in sampled(
        "sets of tests",
        [
            (&[][..], &["green (Warming)", "blue (Testing)"][..]),
            (&["--test-green=false"][..], &["blue (Testing)"]),
            (
                &["--test-production"][..],
                &["green (Warming)", "blue (Testing)", "blue (Baking)"],
            ),
        ],
        1,
    ) {
        let served = Served::at_speed(SPEED);
        let mut all = vec![
            "run",
            "--test",
            r#"{ url = "/" }"#,
            "--test-command",
            "true",
        ];
        all.extend(arguments);
        assert_eq!(code(&served.run(&all)), Some(0));
        let told = told(&served);
        let told = told["outputs"].as_array().expect("a list");
        let what: Vec<_> = told
            .iter()
            .map(|o| o["what"].as_str().unwrap_or_default())
            .collect();
        let expected: Vec<_> = outputs
            .iter()
            .map(|what| format!("--test-command on {what}"))
            .collect();
        assert_eq!(what, expected);
    }
}

#[test]
fn an_interrupted_command_ends_and_is_run_again() {
    let served = Served::at_speed(SPEED);
    let first = served.folder.path().join("first");
    let command = format!(
        "if test -e {0}; then exit 0; fi; echo $$ >{0}.new; mv {0}.new {0}; sleep 60 & wait",
        first.display()
    );
    let child = served
        .bluegreen(&["run", "--test-green=false", "--test-command", &command])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let patience = Patience::new();
    while !first.exists() {
        patience.check("the command to run");
        std::thread::sleep(Duration::from_millis(10));
    }
    kill_process(Pid::from_child(&child), Signal::INT).expect("it can be signalled");
    let interrupted = child.wait_with_output().expect("it ends");
    assert_eq!(
        code(&interrupted),
        Some(75),
        "{}",
        text(&interrupted.stderr)
    );
    let id = std::fs::read_to_string(&first).expect("its id");
    let status = std::fs::read_to_string(format!("/proc/{}/stat", id.trim()));
    assert!(status.is_err(), "{status:?}");
    assert_eq!(told(&served)["state"], "Testing");
    assert_eq!(code(&served.run(&["resume"])), Some(0));
    assert_eq!(told(&served)["outputs"][0]["passed"], true);
}

#[test]
fn whoever_resumes_needs_the_secrets_too() {
    let served = Served::at_speed(SPEED);
    let test = r#"{ url = "/", headers = { X-Api-Key = "env:API_KEY" } }"#;
    let arguments = ["deploy", "--test", test];
    let paused = served.bluegreen(&arguments).env("API_KEY", SECRET).output();
    assert_eq!(code(&paused.expect("the binary runs")), Some(0));
    let refused = served.run(&["resume"]);
    assert_eq!(code(&refused), Some(3));
    assert!(text(&refused.stderr).contains("the variable API_KEY is not set"));
    assert_eq!(told(&served)["state"], "AwaitingCutover");
    let resumed = served
        .bluegreen(&["resume"])
        .env("API_KEY", SECRET)
        .output();
    assert_eq!(code(&resumed.expect("the binary runs")), Some(0));
}
