//! The first-account check: what it changes, what its file tells, and that the file answers.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bluegreen_sandbox::{
    BUCKET, BUNDLES, Fault, FaultEffect, Form, Phase, Replay, Reply, TapVerdict, World, apply,
};
use serde_json::Value;

use crate::support::served::{Patience, Served, Victim};

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
    for step in TEMPLATE {
        let passed = (step.to_owned(), "passed".to_owned());
        assert!(found.contains(&passed), "{step}: {found:?}");
    }
    assert!(found.contains(&("blue".to_owned(), "passed".to_owned())));
    touches_no_blue(&document(&path));
    is_whole(&document(&path));
}

/// The steps of blue's template.
const TEMPLATE: [&str; 4] = [
    "template made",
    "template read",
    "template compared",
    "template deleted",
];

/// The operation of a request and the environment that it is for.
fn asked(exchange: &Value) -> (String, Option<String>) {
    let body = exchange["body"].as_str().unwrap_or_default();
    let pairs: Vec<_> = form_urlencoded::parse(body.as_bytes()).collect();
    let value = |key: &str| {
        let found = pairs.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.clone().into_owned())
    };
    let environment = value("EnvironmentName").or_else(|| value("EnvironmentId"));
    (value("Action").unwrap_or_default(), environment)
}

/// No request that changes anything is for blue, but that a template is made of it.
#[track_caller]
fn touches_no_blue(document: &Value) {
    let exchanges = document["exchanges"].as_array().expect("exchanges");
    let all: Vec<_> = exchanges.iter().map(asked).collect();
    let of_template = all.iter().find(|(a, _)| a == "CreateConfigurationTemplate");
    let blue_id = of_template
        .and_then(|(_, id)| id.clone())
        .expect("blue's id");
    let blue = document["names"]["blue"].as_str().expect("blue's name");
    let reads = ["Describe", "List", "Check", "Get", "Simulate", "Validate"];
    let mut changes = 0;
    for (operation, of) in &all {
        let is_read = operation.is_empty() || reads.iter().any(|read| operation.starts_with(read));
        if is_read || operation == "CreateConfigurationTemplate" {
            continue;
        }
        changes += 1;
        let of = of.as_deref();
        assert!(
            of != Some(blue) && of != Some(blue_id.as_str()),
            "{operation}"
        );
    }
    assert!(changes >= 4, "{all:?}");
}

/// It holds the answers' ids, S3's errors, what green's web site answered, and what differs.
#[track_caller]
fn is_whole(document: &Value) {
    let exchanges = document["exchanges"].as_array().expect("exchanges");
    let has = |what: &dyn Fn(&Value) -> bool| exchanges.iter().any(what);
    assert!(has(&|e| e["headers"]["x-amzn-requestid"].is_string()));
    assert!(has(&|e| {
        let answer = e["answer"].as_str().unwrap_or_default();
        e["method"] == "PUT" && e["status"] == 412 && answer.contains("PreconditionFailed")
            || e["status"] == 404 && answer.contains("NoSuchKey")
    }));
    assert!(has(&|e| e["service"] == "site" && e["status"] == 200));
    for with in ["template", "green"] {
        let comparisons = document["comparisons"].as_array().expect("comparisons");
        let found = comparisons.iter().find(|one| one["with"] == with);
        let differences = found.expect(with)["differences"].as_array();
        assert!(differences.is_some_and(|found| !found.is_empty()), "{with}");
    }
}

/// A rehearsal that is replayed asks what the recorded one asked, and ends alike.
#[test]
fn a_rehearsal_is_answered_again() {
    let served = served();
    let doctor = ["doctor", "--create", "--output", "doctor.json"];
    ended(&served.run(&doctor), 0);
    let (output, again) = replayed(&served, &["--create"]);
    ended(&output, 0);
    let first = document(&served.folder.path().join("doctor.json"));
    assert_eq!(verdicts(&first), verdicts(&again));
}

/// An account that is otherwise than the sandbox by itself is: its template keeps blue's
/// security group.
#[test]
fn an_account_whose_templates_keep_groups_is_answered_again() {
    let served = served();
    served.inject(FaultEffect::TemplatesKeepGroups);
    let doctor = ["doctor", "--create", "--output", "doctor.json"];
    ended(&served.run(&doctor), 0);
    let (output, again) = replayed(&served, &["--create"]);
    ended(&output, 0);
    let kept = ("template read".to_owned(), "warned".to_owned());
    for document in [&document(&served.folder.path().join("doctor.json")), &again] {
        assert!(
            verdicts(document).contains(&kept),
            "{:?}",
            verdicts(document)
        );
    }
}

/// Another: it refuses what it was asked to make.
#[test]
fn a_refusal_to_make_green_is_answered_again() {
    let served = served();
    let namespace = "aws:elasticbeanstalk:environment";
    served
        .sandbox
        .with_world(|world, _| world.set("shop-blue", namespace, "Domain", "x1"));
    served.inject(FaultEffect::RetiredOption {
        namespace: namespace.to_owned(),
        name: "Domain".to_owned(),
    });
    // The check that finds it beforehand lets it pass.
    let allow = "--allow=launch-options";
    let doctor = ["doctor", "--create", allow, "--output", "doctor.json"];
    let told = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let says = "AWS has retired the option aws:elasticbeanstalk:environment:Domain";
    let output = served.run(&doctor);
    ended(&output, 10);
    assert!(told(&output).contains(says), "{}", told(&output));
    assert_eq!(served.sandbox.report().leftovers.templates, [""; 0]);
    let (output, again) = replayed(&served, &["--create", allow]);
    ended(&output, 10);
    assert!(told(&output).contains(says), "{}", told(&output));
    let first = document(&served.folder.path().join("doctor.json"));
    assert_eq!(verdicts(&first), verdicts(&again));
}

/// Names that are words of the service's, parts of each other, numbers, or no ASCII.
const AWKWARD: [(&str, &str); 9] = [
    ("app", "default"),
    ("blue", "default-prod"),
    ("label", "v1-Müller"),
    ("next", "deploy"),
    ("prefix", "acmefrontdoor"),
    ("team", "störfront/47110815"),
    ("secret", "swordfish"),
    ("pin", "83746512"),
    ("role", "acme-eb-role"),
];

fn awkward(which: &str) -> &'static str {
    let found = AWKWARD.iter().find(|(name, _)| *name == which);
    found.expect(which).1
}

/// An application of awkward names beside the one that every sandbox has, its bundles kept
/// where the other's are.
fn with_awkward_names(served: &Served) {
    let ask = |pairs: &[(&str, &str)]| {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let form = form.extend_pairs(pairs).finish();
        served.sandbox.with_world(
            |world, _| match apply(world, &Form::parse(form.as_bytes())) {
                Reply::Answer { status, body, .. } => assert_eq!(status, 200, "{form}: {body}"),
                Reply::Foreign(_) | Reply::Slow(..) | Reply::HangUp => {
                    panic!("{form} is not answered")
                }
            },
        );
    };
    let (app, blue) = (awkward("app"), awkward("blue"));
    ask(&[("Action", "CreateApplication"), ("ApplicationName", app)]);
    for (label, bundle) in [
        (awkward("label"), BUNDLES[0]),
        (awkward("next"), BUNDLES[1]),
    ] {
        ask(&[
            ("Action", "CreateApplicationVersion"),
            ("ApplicationName", app),
            ("VersionLabel", label),
            ("SourceBundle.S3Bucket", BUCKET),
            ("SourceBundle.S3Key", bundle),
        ]);
    }
    let platform = served.sandbox.with_world(|world, _| {
        let blue = world.environment("shop-blue").expect("it is there");
        blue.solution_stack.clone()
    });
    let properties = "aws:elasticbeanstalk:application:environment";
    ask(&[
        ("Action", "CreateEnvironment"),
        ("ApplicationName", app),
        ("EnvironmentName", blue),
        ("VersionLabel", awkward("label")),
        ("CNAMEPrefix", awkward("prefix")),
        ("SolutionStackName", &platform),
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", awkward("team")),
        ("OptionSettings.member.1.Namespace", properties),
        ("OptionSettings.member.1.OptionName", "WORD"),
        ("OptionSettings.member.1.Value", awkward("secret")),
        ("OptionSettings.member.2.Namespace", properties),
        ("OptionSettings.member.2.OptionName", "ACME_PIN"),
        ("OptionSettings.member.2.Value", awkward("pin")),
        (
            "OptionSettings.member.3.Namespace",
            "aws:elasticbeanstalk:environment",
        ),
        ("OptionSettings.member.3.OptionName", "ServiceRole"),
        ("OptionSettings.member.3.Value", awkward("role")),
    ]);
    let patience = Patience::new();
    // It is healthy before it is Ready, or after.
    let asks = format!("Action=DescribeEnvironments&EnvironmentNames.member.1={blue}");
    let is_well = || {
        let told = |world: &mut World| apply(world, &Form::parse(asks.as_bytes()));
        match served.sandbox.with_world(|world, _| told(world)) {
            Reply::Answer { body, .. } => {
                body.contains("<Status>Ready</Status>")
                    && body.contains("<HealthStatus>Ok</HealthStatus>")
            }
            Reply::Foreign(_) | Reply::Slow(..) | Reply::HangUp => false,
        }
    };
    while !is_well() {
        patience.check("blue's launch");
        std::thread::yield_now();
    }
}

#[test]
fn awkward_names_are_in_no_file_and_the_file_answers() {
    let served = served();
    // The shipped policy is filled in for the other application.
    served.sandbox.set_policy(None);
    with_awkward_names(&served);
    let (app, blue, next) = (awkward("app"), awkward("blue"), awkward("next"));
    let doctor = [
        "doctor",
        "--create",
        "--output",
        "doctor.json",
        "--app",
        app,
    ];
    let named = ["--blue", blue, "--version-label", next];
    ended(&served.run(&[&doctor[..], &named].concat()), 0);
    let path = served.folder.path().join("doctor.json");
    names_nobody(&path);
    let first = document(&path);
    touches_no_blue(&first);
    let text = std::fs::read_to_string(&path).expect("the file is there");
    let text = text.to_lowercase();
    // Two of them are words of the service's own, which tell nothing.
    let telling = AWKWARD
        .iter()
        .filter(|(which, _)| !["app", "next"].contains(which));
    for (which, name) in telling {
        assert!(!text.contains(&name.to_lowercase()), "{which}: {name}");
    }
    for part in ["müller", "m\\u00fcller", "47110815", "acme", "word\""] {
        assert!(!text.contains(part), "{part}");
    }
    let left = served.sandbox.report().leftovers;
    assert_eq!(
        (left.environments, left.templates),
        (vec![blue.to_owned()], vec![])
    );
    let next = first["names"]["version"].as_str().expect("a version");
    let (output, again) = replayed(&served, &["--create", "--version-label", next]);
    ended(&output, 0);
    assert_eq!(verdicts(&first), verdicts(&again));
}

/// What cannot be removed is named with the command that removes it, which does.
#[test]
fn a_template_that_cannot_be_deleted_is_named() {
    let served = served();
    served.inject(Fault {
        operation: Some("DeleteConfigurationTemplate".to_owned()),
        times: Some(1),
        ..FaultEffect::Refuse {
            status: 403,
            code: "AccessDenied".to_owned(),
            message: "User is not authorized".to_owned(),
        }
        .into()
    });
    let output = served.run(&["doctor", "--create", "--output", "doctor.json"]);
    ended(&output, 20);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let (_, cleanup) = said.split_once("bluegreen cleanup ").expect(&said);
    let id = cleanup.split_whitespace().next().expect("an id");
    assert_eq!(served.sandbox.report().leftovers.templates.len(), 1);
    ended(&served.run(&["cleanup", id, "--yes"]), 0);
    assert_eq!(served.sandbox.report().leftovers.templates, [""; 0]);
    assert_eq!(served.sandbox.report().created.len(), 0);
}

/// A signal removes what was made, whatever it interrupts.
#[test]
fn an_interrupted_one_leaves_nothing() {
    for (operation, nth) in [("CreateConfigurationTemplate", 1), ("CreateEnvironment", 1)] {
        let served = served();
        let has_come = Arc::new(AtomicBool::new(false));
        let come = has_come.clone();
        served.sandbox.set_tap(move |call, phase| {
            if call.operation == operation && phase == Phase::After {
                come.store(true, Ordering::SeqCst);
            }
            TapVerdict::Continue
        });
        let mut command = served.bluegreen(&["doctor", "--create", "--output", "doctor.json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("the binary starts");
        let patience = Patience::new();
        while !has_come.load(Ordering::SeqCst) {
            patience.check(operation);
            std::thread::yield_now();
        }
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it is there");
        let output = child.wait_with_output().expect("it ends");
        let report = served.sandbox.report();
        assert_eq!(report.leftovers.environments, [""; 0], "{operation}, {nth}");
        assert_eq!(report.leftovers.templates, [""; 0], "{operation}, {nth}");
        ended(&output, 75);
        names_nobody(&served.folder.path().join("doctor.json"));
    }
}

/// SIGKILL leaves what other commands find and remove.
#[test]
fn a_killed_one_is_cleaned_up() {
    for (strikes_at, wants) in [
        ("CreateConfigurationTemplate", "cleanup"),
        ("CreateEnvironment", "resume"),
    ] {
        let served = served();
        let victim = Victim::default();
        let killer = victim.clone();
        let has_struck = AtomicBool::new(false);
        served.sandbox.set_tap(move |call, phase| {
            let strikes = call.operation == strikes_at
                && phase == Phase::After
                && !has_struck.swap(true, Ordering::SeqCst);
            if !strikes {
                return TapVerdict::Continue;
            }
            killer.kill();
            TapVerdict::HangUp
        });
        victim.run(&mut served.bluegreen(&["doctor", "--create"]));
        let left = served.sandbox.report().leftovers;
        assert_eq!(left.templates.len(), 1, "{strikes_at}");
        if wants == "cleanup" {
            let found = served.run(&["status", "--discover"]);
            ended(&found, 0);
            let found = String::from_utf8_lossy(&found.stdout).into_owned();
            let (_, cleanup) = found.split_once("bluegreen cleanup ").expect(&found);
            let id = cleanup.split_whitespace().next().expect("an id");
            ended(&served.run(&["cleanup", id, "--yes"]), 0);
        } else {
            ended(&served.run(&["resume"]), 0);
        }
        let report = served.sandbox.report();
        assert_eq!(report.leftovers.environments, [""; 0], "{strikes_at}");
        assert_eq!(report.leftovers.templates, [""; 0], "{strikes_at}");
        // The next one has nothing in its way.
        ended(&served.run(&["doctor", "--output", "next.json"]), 0);
    }
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
    let (output, again) = replayed(&served, &[]);
    ended(&output, 0);
    let first = document(&served.folder.path().join("doctor.json"));
    assert_eq!(verdicts(&first), verdicts(&again));
}

/// Asks what was recorded in this folder's `doctor.json` again, with these arguments too.
fn replayed(served: &Served, more: &[&str]) -> (Output, Value) {
    let replay = Replay::read(&served.folder.path().join("doctor.json")).expect("a recording");
    let replay = replay.at_speed(600.0);
    let listener = served.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
    let listener = listener.expect("a port is free");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let serving = replay.clone().serve(listener, std::future::pending());
    served.beside(async move {
        serving.await.expect("it serves");
    });
    let name = |which: &str| replay.names()[which].clone();
    let (app, blue) = (name("application"), name("blue"));
    let (green, bucket) = (name("green"), name("bucket"));
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
    let mut command = served.bluegreen(&[&again[..], more].concat());
    let output = command
        .env("BLUEGREEN_SANDBOX", &url)
        .env("BLUEGREEN_STATE", served.folder.path().join("replay.db"))
        .output()
        .expect("the binary runs");
    (output, document(&served.folder.path().join("again.json")))
}

/// The file of settings names the format of other commands, which the reference's own file does.
#[test]
fn the_format_of_other_commands_names_no_file() {
    let served = served();
    let settings = served.folder.path().join("bluegreen.toml");
    std::fs::write(settings, "output = \"text\"\n").expect("it is written");
    ended(&served.run(&["doctor"]), 0);
    let there = |name: &str| served.folder.path().join(name).exists();
    assert!(!there("text"));
    let all = std::fs::read_dir(served.folder.path()).expect("the folder reads");
    let mut names = all.map(|one| one.expect("it reads").file_name());
    let is_recording = |name: std::ffi::OsString| {
        let name = name.to_string_lossy();
        name.starts_with("bluegreen-doctor-") && name.ends_with(".json")
    };
    assert!(names.any(is_recording));
}
