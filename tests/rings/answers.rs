//! What a person reads at night: where users are, what happened, and the command that leads on.

use std::process::Output;

use bluegreen_sandbox::FaultEffect;

use crate::support::machines::{Elsewhere, begun, exits, killed_after};
use crate::support::served::{Patience, Served, hermetic};

const SPEED: f64 = 600.0;

/// What a command prints but for its log, line by line.
fn lines(output: &Output) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let told = text(&output.stdout) + &text(&output.stderr);
    let is_log = |line: &&str| line.starts_with("20") && line.contains("Z ");
    let lines = told.lines().filter(|line| !is_log(line));
    lines.map(str::to_owned).collect()
}

/// A release of a version that fails its test; its id.
fn held(served: &Served) -> String {
    served.inject(FaultEffect::VersionAnswers {
        label: "v2".to_owned(),
        status: 500,
    });
    exits(&served.run(&["run", "--version-label", "v2"]), 14);
    begun(served)
}

#[test]
fn a_held_release_says_where_users_are_what_failed_and_what_leads_on() {
    let served = Served::at_speed(SPEED);
    let id = held(&served);
    let elsewhere = Elsewhere::of(&served);
    let told = lines(&elsewhere.run(&["status"]));
    assert_eq!(
        told[0],
        "Users: v1 on shop-blue-green, healthy when last polled"
    );
    let resume = format!("  bluegreen resume {id} --state");
    assert!(
        told.iter().any(|line| line.starts_with(&resume)),
        "{told:?}"
    );
    let told = lines(&elsewhere.run(&["status", "latest"]));
    assert!(
        told[0].starts_with("Users: v1 on shop-blue-green"),
        "{told:?}"
    );
    let has = |part: &str| told.iter().any(|line| line.contains(part));
    // Each attempt: version, environment, request, status, time and the body.
    assert!(
        has("shop-blue (v2) failed its test: 500 Internal Server Error after "),
        "{told:?}"
    );
    assert!(has("Under test: http://shop-blue-green."), "{told:?}");
    assert!(
        has("Console: https://us-east-1.console.aws.amazon.com/"),
        "{told:?}"
    );
    exits(&elsewhere.run(&["status", "--watch"]), 14);
    exits(&elsewhere.run(&["status", &id, "--watch"]), 14);
}

#[test]
fn an_interrupted_release_is_told_as_one() {
    let served = Served::at_speed(SPEED);
    let id = killed_after(&served, "UpdateEnvironment", 1);
    let elsewhere = Elsewhere::of(&served);
    // Its lock expires by the sandbox's clock.
    let patience = Patience::new();
    let told = loop {
        let told = lines(&elsewhere.run(&["status", &id]));
        if told.iter().any(|line| line.starts_with("Interrupted: ")) {
            break told;
        }
        patience.check("its lock expires");
    };
    assert!(
        told[0].starts_with("Users: v1 on shop-blue-green"),
        "{told:?}"
    );
    let interrupted = told.iter().find(|line| line.starts_with("Interrupted: "));
    let interrupted = interrupted.expect("it says so");
    assert!(interrupted.contains("was last heard of at"), "{told:?}");
    let waits = elsewhere.run(&["wait", &id, "--timeout", "1s"]);
    let told = lines(&waits);
    assert!(
        told.iter()
            .any(|line| line.contains("no process runs it; continue with")),
        "{told:?}"
    );
    let status = elsewhere.run(&["status", "--json"]);
    let document: serde_json::Value = serde_json::from_slice(&status.stdout).expect("JSON");
    let deployment = &document["deployments"][0];
    assert_eq!(deployment["interrupted"], true);
    assert_eq!(deployment["users"]["version"], "v1");
    assert_eq!(deployment["users"]["environment"], "shop-blue-green");
}

#[test]
fn an_id_may_be_its_beginning_and_a_misspelt_one_is_suggested() {
    let served = Served::at_speed(SPEED);
    let id = held(&served);
    exits(&served.run(&["status", &id[..12]]), 0);
    exits(&served.run(&["wait", "latest"]), 14);
    let misspelt = id[..25].to_owned() + if id.ends_with('0') { "1" } else { "0" };
    let (_, told) = exits(&served.run(&["status", &misspelt]), 13);
    assert!(told.contains(&format!("did you mean {id}?")), "{told}");
}

#[test]
fn a_completed_release_is_undone_with_yes() {
    let served = Served::at_speed(SPEED);
    exits(&served.run(&["run", "--version-label", "v2"]), 0);
    let told = lines(&served.run(&["status"]));
    assert!(
        told[0].starts_with("Users of shop-blue: v2 on shop-blue, healthy when it ended"),
        "{told:?}"
    );
    let (_, told) = exits(&served.run(&["rollback"]), 13);
    assert!(told.contains("--yes` undoes that"), "{told}");
    let (told, _) = exits(&served.run(&["rollback", "--yes"]), 0);
    assert!(
        told.starts_with("Users: v1 on shop-blue, healthy"),
        "{told}"
    );
    assert_eq!(served.sandbox.report().lost, 0);
    // The one before it is not undone once something came after it.
    let all = served.run(&["status", "--all", "--json"]);
    let all: serde_json::Value = serde_json::from_slice(&all.stdout).expect("JSON");
    let first = all["deployments"][0]["id"].as_str().expect("an id");
    let (_, told) = exits(&served.run(&["rollback", first, "--yes"]), 3);
    assert!(told.contains("which runs v1 now"), "{told}");
}

/// A CI system runs a job again: what its first run has left is carried on, and what is done is
/// done.
#[test]
fn a_run_that_is_repeated_continues_and_then_has_nothing_to_do() {
    let served = Served::at_speed(SPEED);
    let id = killed_after(&served, "UpdateEnvironment", 1);
    let elsewhere = Elsewhere::of(&served);
    let release = ["run", "--version-label", "v2"];
    let patience = Patience::new();
    let told = loop {
        let ran = elsewhere.run(&release);
        // Until its lock has expired the first run may be alive.
        match ran.status.code() {
            Some(12) => patience.check("its lock expires"),
            _ => break exits(&ran, 0),
        }
    };
    assert!(told.1.contains("continuing this deployment"), "{told:?}");
    assert!(told.0.contains(&format!("Deployment {id}")), "{told:?}");
    let (told, _) = exits(&elsewhere.run(&release), 0);
    assert!(
        told.starts_with("Users: v2 on shop-blue, healthy\nv2 is live already"),
        "{told}"
    );
    let report = served.sandbox.report();
    assert_eq!((report.lost, report.created.len()), (0, 1));
}

#[test]
fn who_approves_a_pause_and_why_is_in_its_history() {
    let served = Served::at_speed(SPEED);
    let (told, _) = exits(&served.run(&["deploy", "--version-label", "v2"]), 0);
    assert!(told.contains("Under test: http://"), "{told}");
    let (_, told) = exits(&served.run(&["approve", "--by", " "]), 2);
    assert!(told.contains("--by names nobody"), "{told}");
    let approve = ["approve", "--by", "dana", "--comment", "checked by hand"];
    let (told, _) = exits(&served.run(&approve), 0);
    assert!(told.contains("approved by dana: checked by hand"), "{told}");
    let (told, _) = exits(&served.run(&["status", "latest"]), 0);
    assert!(told.contains("approved by dana: checked by hand"), "{told}");
    exits(&served.run(&["approve", "latest", "--by", "dana"]), 3);
}

#[test]
fn an_empty_journal_without_a_bucket_is_no_answer() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for command in [&["status"][..], &["wait"], &["status", "--all"]] {
        let mut bluegreen = hermetic(command);
        bluegreen.env("BLUEGREEN_STATE", folder.path().join("journal.db"));
        let (_, told) = exits(&bluegreen.output().expect("the binary runs"), 3);
        assert!(told.contains("no bucket is named"), "{told}");
    }
}

#[test]
fn a_far_flag_is_not_suggested() {
    let (_, told) = exits(&hermetic(&["run", "--yes"]).output().expect("it runs"), 2);
    assert!(!told.contains("--test"), "{told}");
    let (_, told) = exits(
        &hermetic(&["run", "--alarn", "x"])
            .output()
            .expect("it runs"),
        2,
    );
    assert!(told.contains("'--alarm'"), "{told}");
}

/// A journal of years is shown by pages, and holds what it was told to keep.
#[test]
fn what_has_ended_is_shown_by_pages() {
    let served = Served::at_speed(600.0);
    for version in ["v2", "v1", "v2"] {
        exits(
            &served.run(&["run", "--version-label", version, "--bake", "0s"]),
            0,
        );
    }
    let page = |arguments: &[&str]| {
        let all = [&["status", "--all", "--json"], arguments].concat();
        let (text, _) = exits(&served.run(&all), 0);
        let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let found = document["deployments"].as_array().expect("a list").iter();
        let id = |one: &serde_json::Value| one["id"].as_str().expect("an id").to_owned();
        found.map(id).collect::<Vec<_>>()
    };
    let all = page(&[]);
    assert_eq!(all.len(), 3);
    assert_eq!(page(&["--limit", "2"]), all[1..]);
    assert_eq!(page(&["--limit", "2", "--before", &all[1]]), all[..1]);
    // Where the disk is new, the bucket has the same pages.
    let elsewhere = served.folder.path().join("other.db");
    let mut command = served.bluegreen(&["status", "--all", "--limit", "1"]);
    command.args(["--before", &all[2], "--bucket", "shop-artifacts"]);
    let there = command.env("BLUEGREEN_STATE", elsewhere).output();
    let (shown, _) = exits(&there.expect("it runs"), 0);
    assert!(
        shown.contains(&all[1]) && !shown.contains(&all[2]),
        "{shown}"
    );
    let next = format!("--limit 1 --before {}", all[1]);
    assert!(shown.contains(&next), "{shown}");
    // Too short to have been meant.
    let short = ["run", "--version-label", "v1", "--keep-history", "1h"];
    let (_, told) = exits(&served.run(&short), 2);
    assert!(told.contains("expected at least 1day"), "{told}");
}
