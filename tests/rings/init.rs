//! `bluegreen init`: from nothing to a checked plan.

use std::path::Path;

use serde_json::Value;

use crate::support::machines::exits;
use crate::support::served::Served;
use crate::support::yaml::documents;

const SPEED: f64 = 600.0;

#[test]
fn a_folder_gets_all_that_a_release_needs() {
    let served = Served::at_speed(SPEED);
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().to_str().expect("UTF-8");
    let (told, _) = exits(&served.run(&["init", "--directory", here]), 0);
    assert!(
        told.contains("Release of v2 onto shop-blue of shop"),
        "{told}"
    );
    assert!(told.contains("Nothing refuses."), "{told}");
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("it reads");
    let settings: toml::Table = read("bluegreen.toml").parse().expect("TOML");
    for (name, value) in [
        ("app", "shop"),
        ("blue", "shop-blue"),
        ("bucket", "shop-artifacts"),
        ("region", "us-east-1"),
    ] {
        assert_eq!(settings[name].as_str(), Some(value));
    }
    let policy: Value = serde_json::from_str(&read("bluegreen-policy.json")).expect("JSON");
    assert_eq!(policy["Version"], "2012-10-17");
    let workflow = documents(&read(".github/workflows/bluegreen.yml")).remove(0);
    let action = Path::new(env!("CARGO_MANIFEST_DIR")).join("action.yml");
    let action = documents(&std::fs::read_to_string(action).expect("it reads")).remove(0);
    let steps = workflow["jobs"]["release"]["steps"]
        .as_array()
        .expect("steps");
    let ours = steps.iter().find(|step| {
        let uses = step["uses"].as_str().unwrap_or_default();
        uses == format!("OWNER/bluegreen@v{}", env!("CARGO_PKG_VERSION"))
    });
    let given = ours.expect("a step uses the action")["with"]
        .as_object()
        .expect("inputs");
    for name in given.keys() {
        assert!(
            action["inputs"][name].is_object(),
            "the action has no input {name}"
        );
    }

    // In the folder nothing needs to be named any more.
    let mut plan = served.bluegreen(&["plan"]);
    exits(
        &plan.current_dir(folder.path()).output().expect("it runs"),
        0,
    );
    let mut check = served.bluegreen(&["config", "check"]);
    exits(
        &check.current_dir(folder.path()).output().expect("it runs"),
        0,
    );

    // What a person has written there since is not lost.
    std::fs::write(folder.path().join("bluegreen.toml"), "# mine\n").expect("it is written");
    std::fs::remove_file(folder.path().join("bluegreen-policy.json")).expect("it was there");
    let (_, told) = exits(&served.run(&["init", "--directory", here]), 3);
    assert!(told.contains("bluegreen.toml exists"), "{told}");
    assert_eq!(read("bluegreen.toml"), "# mine\n");
    assert!(!folder.path().join("bluegreen-policy.json").exists());
    exits(
        &served.run(&["init", "--directory", here, "--force", "--no-workflow"]),
        0,
    );
    assert!(read("bluegreen.toml").contains("shop-blue"));
}

#[test]
fn green_is_never_taken_for_production() {
    let served = Served::at_speed(SPEED);
    exits(&served.run(&["deploy", "--version-label", "v2"]), 0);
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().to_str().expect("UTF-8");
    exits(
        &served.run(&["init", "--directory", here, "--no-workflow"]),
        0,
    );
    let settings = std::fs::read_to_string(folder.path().join("bluegreen.toml")).expect("it reads");
    assert!(settings.contains("blue = \"shop-blue\""), "{settings}");
    assert!(!folder.path().join(".github").exists());
}

#[test]
fn a_name_that_no_environment_has_is_told() {
    let served = Served::at_speed(SPEED);
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().to_str().expect("UTF-8");
    let (_, told) = exits(
        &served.run(&["init", "--directory", here, "--blue", "shop-bleu"]),
        3,
    );
    assert!(told.contains("us-east-1 has no web environment"), "{told}");
    let left = std::fs::read_dir(folder.path()).expect("it reads").count();
    assert_eq!(left, 0);
}
