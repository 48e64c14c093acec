//! The first-account check: what it changes, what its file tells, and that the file answers.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use bluegreen_sandbox::Replay;
use serde_json::Value;

use crate::served::Served;

const SECRET: &str = "hunter2-s3cr3t";

/// A sandbox whose blue has a secret.
fn served() -> Served {
    let served = Served::at_speed(600.0);
    let namespace = "aws:elasticbeanstalk:application:environment";
    served.sandbox.with_world(|world, _| {
        world.set("shop-blue", namespace, "DB_PASSWORD", SECRET);
    });
    served
}

#[track_caller]
fn ended(output: &Output, code: i32) {
    let said = String::from_utf8_lossy(&output.stderr);
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{told}\n{said}");
}

fn document(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("the file is there");
    serde_json::from_str(&text).expect("JSON")
}

/// Which points have which verdict.
fn verdicts(document: &Value) -> Vec<(String, String)> {
    let verdicts = document["verdicts"].as_array().expect("verdicts").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    verdicts
        .map(|one| (text(&one["point"]), text(&one["verdict"])))
        .collect()
}

/// Whose account it was cannot be told from the file.
#[track_caller]
fn names_nobody(path: &Path) {
    let text = std::fs::read_to_string(path).expect("the file is there");
    let names = [
        "shop",
        "123456789012",
        SECRET,
        "AKIASANDBOX",
        "Signature",
        "Authorization",
        "user/sandbox",
        "aws-elasticbeanstalk-ec2-role",
    ];
    for name in names {
        let found = text.find(name);
        let around = found.map(|at| &text[at.saturating_sub(200)..(at + 100).min(text.len())]);
        assert_eq!(around, None, "{name}");
    }
    let mode = std::fs::metadata(path)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn it_changes_nothing_and_its_file_names_nobody() {
    let served = served();
    let path = served.folder.path().join("doctor.json");
    let doctor = ["doctor", "--output", "doctor.json"];
    ended(&served.run(&doctor), 0);
    names_nobody(&path);
    let report = served.sandbox.report();
    assert_eq!(
        (report.created.len(), report.leftovers.templates.len()),
        (0, 0)
    );
    for operation in [
        "CreateConfigurationTemplate",
        "CreateEnvironment",
        "UpdateEnvironment",
        "SwapEnvironmentCNAMEs",
    ] {
        assert_eq!(report.calls.get(operation), None, "{operation}");
    }
    let kept = document(&path);
    assert!(kept["exchanges"].as_array().expect("exchanges").len() > 10);
    // A file that is there is not written over.
    ended(&served.run(&doctor), 3);
    assert_eq!(document(&path), kept);
}

#[test]
fn with_create_it_rehearses_too() {
    let served = served();
    let path = served.folder.path().join("doctor.json");
    let doctor = ["doctor", "--create", "--output", "doctor.json"];
    ended(&served.run(&doctor), 0);
    names_nobody(&path);
    let report = served.sandbox.report();
    assert_eq!((report.created.len(), report.lost), (1, 0));
    assert_eq!(report.leftovers.environments, [""; 0]);
    assert_eq!(report.leftovers.templates, [""; 0]);
    assert_eq!(report.calls.get("SwapEnvironmentCNAMEs"), None);
    let kept = std::fs::read_to_string(&path).expect("the file is there");
    for operation in [
        "Action=CreateConfigurationTemplate",
        "Action=CreateEnvironment",
        "Action=UpdateEnvironment",
        "Action=DescribeEvents",
        "Action=TerminateEnvironment",
    ] {
        assert!(kept.contains(operation), "{operation}");
    }
    let found = verdicts(&document(&path));
    let left = |state: &str| found.contains(&(state.to_owned(), "left".to_owned()));
    assert!(left("DeployingGreen") && left("TestingGreen"), "{found:?}");
}

#[test]
fn a_refusal_is_told_and_written_down() {
    let served = served();
    ended(
        &served.run(&["doctor", "--version-label", "v9", "--output", "doctor.json"]),
        3,
    );
    let found = verdicts(&document(&served.folder.path().join("doctor.json")));
    let refused = ("version".to_owned(), "REFUSED".to_owned());
    assert!(found.contains(&refused), "{found:?}");
}

/// What was recorded answers as AWS did.
#[test]
fn its_file_answers_again_with_the_same_verdicts() {
    let served = served();
    ended(&served.run(&["doctor", "--output", "doctor.json"]), 0);
    let first = document(&served.folder.path().join("doctor.json"));
    let replay = Replay::read(&served.folder.path().join("doctor.json")).expect("a recording");
    let listener = served.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
    let listener = listener.expect("a port is free");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let serving = replay.clone().serve(listener, std::future::pending());
    served.beside(async move {
        serving.await.expect("it serves");
    });
    let name = |which: &str| replay.names()[which].clone();
    let (app, blue, green, bucket) = (
        name("application"),
        name("blue"),
        name("green"),
        name("bucket"),
    );
    let again = [
        "doctor",
        "--output",
        "again.json",
        "--app",
        &app,
        "--blue",
        &blue,
        "--green",
        &green,
        "--bucket",
        &bucket,
    ];
    let mut command = served.bluegreen(&again);
    let output = command
        .env("BLUEGREEN_SANDBOX", &url)
        .env("BLUEGREEN_STATE", served.folder.path().join("replay.db"))
        .output()
        .expect("the binary runs");
    ended(&output, 0);
    let second = document(&served.folder.path().join("again.json"));
    assert_eq!(verdicts(&first), verdicts(&second));
}
