//! `bluegreen.toml` and `bluegreen config`: the real binary in a folder of its own,
//! without AWS and without a journal.

use std::path::Path;
use std::process::Command;

use crate::support::served::{Served, hermetic};
use crate::support::snapshot::check;

/// A folder that the binary works in.
struct Folder(tempfile::TempDir);

impl Folder {
    /// With this text as its bluegreen.toml.
    fn with(text: &str) -> Folder {
        let folder = Folder::empty();
        folder.write("bluegreen.toml", text.as_bytes());
        folder
    }

    fn empty() -> Folder {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path().join(name), content).expect("the file is written");
    }

    /// The binary, of whose environment only the variables here are left.
    fn bluegreen(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
        let mut command = hermetic(arguments);
        command
            .env_clear()
            .current_dir(self.path())
            .envs(variables.iter().copied());
        command
    }

    #[track_caller]
    fn check(&self, name: &str, arguments: &[&str], variables: &[(&str, &str)]) {
        let output = self.bluegreen(arguments, variables).output().expect("runs");
        check(name, &output);
    }

    /// A setting as `config show --json` tells it.
    #[track_caller]
    fn setting(
        &self,
        key: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> serde_json::Value {
        let arguments = [&["config", "show", "--json"], arguments].concat();
        let output = self
            .bluegreen(&arguments, variables)
            .output()
            .expect("runs");
        let document: serde_json::Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        assert_eq!(document["version"], 1);
        let settings = document["settings"].as_array().expect("a list");
        let setting = settings.iter().find(|s| s["key"] == key);
        setting.expect("the key").clone()
    }

    /// The value in force of a setting, and the kind of its source.
    #[track_caller]
    fn in_force(
        &self,
        key: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> (serde_json::Value, String) {
        let setting = self.setting(key, arguments, variables);
        let kind = setting["source"]["kind"].as_str().expect("a kind");
        (setting["value"].clone(), kind.to_owned())
    }
}

const NAMES: &str = "app = 'shop'\nblue = 'shop-blue'\nbucket = 'shop-artifacts'\n";

#[test]
fn what_is_in_force_is_shown_with_its_source() {
    let folder = Folder::with(&format!(
        "{NAMES}drain = '90s'\nexpect-status = [200, 204]\ntest-url = 'https://shop.example/a?k=hunter2'\n\
         pause-before-cutover = true\n"
    ));
    let variables = [("BLUEGREEN_BAKE", "7m"), ("AWS_REGION", "eu-west-1")];
    let show = ["config", "show", "--poll", "1s"];
    folder.check("config_show", &show, &variables);
    let setting = |key| folder.setting(key, &["--poll", "1s"], &variables);
    assert_eq!(
        setting("test-url"),
        serde_json::json!({
            "key": "test-url",
            "value": "https://shop.example/a?…",
            "redacted": true,
            "source": { "kind": "file", "path": "bluegreen.toml", "line": 6 },
        })
    );
    assert_eq!(
        setting("bake"),
        serde_json::json!({
            "key": "bake",
            "value": "7m",
            "redacted": false,
            "source": { "kind": "variable", "name": "BLUEGREEN_BAKE" },
        })
    );
    assert_eq!(
        setting("green"),
        serde_json::json!({
            "key": "green",
            "value": "shop-blue-green",
            "redacted": false,
            "source": { "kind": "derived", "from": "blue" },
        })
    );
    let green = |folder: &Folder, variables| folder.setting("green", &[], variables);
    let nothing = Folder::empty();
    assert_eq!(green(&nothing, &[])["value"], serde_json::Value::Null);
    let blue = [("BLUE_ENV_NAME", "shop-b")];
    assert_eq!(green(&nothing, &blue)["value"], "shop-b-green");
    let sandbox = [("BLUEGREEN_SANDBOX", "embedded")];
    assert_eq!(green(&nothing, &sandbox)["value"], "shop-blue-green");
    let named = [blue[0], ("GREEN_ENV_NAME", "shop-g")];
    assert_eq!(green(&nothing, &named)["value"], "shop-g");
    let broken = Folder::with("bakee = 1");
    broken.check("config_show_of_a_broken_file", &["config", "show"], &[]);
}

#[test]
fn flags_win_over_variables_and_those_over_the_file() {
    let folder = Folder::with(
        "drain = '1m'\nno-shared-state = true\nregion = 'eu-central-1'\nbundle = 'f.zip'\nexpect-status = [200]",
    );
    let pair = |value: &str, source: &str| (serde_json::Value::from(value), source.to_owned());
    let drain = |arguments: &[&str], variables: &[(&str, &str)]| {
        folder.in_force("drain", arguments, variables)
    };
    let variable = [("BLUEGREEN_DRAIN", "2m")];
    assert_eq!(drain(&[], &[]), pair("1m", "file"));
    assert_eq!(drain(&[], &variable), pair("2m", "variable"));
    assert_eq!(drain(&["--drain", "3m"], &[]), pair("3m", "flag"));
    assert_eq!(drain(&["--drain", "3m"], &variable), pair("3m", "flag"));
    assert_eq!(drain(&[], &[("BLUEGREEN_DRAIN", "")]), pair("1m", "file"));
    let nothing = Folder::empty();
    assert_eq!(nothing.in_force("drain", &[], &[]), pair("60s", "default"));
    let of_nothing = |arguments: &[&str]| nothing.in_force("drain", arguments, &variable);
    assert_eq!(of_nothing(&[]), pair("2m", "variable"));
    assert_eq!(of_nothing(&["--drain", "3m"]), pair("3m", "flag"));

    // What is switched on can be switched off again.
    let shared = |arguments: &[&str], variables: &[(&str, &str)]| {
        folder.in_force("no-shared-state", arguments, variables).0
    };
    let off = [("BLUEGREEN_NO_SHARED_STATE", "no")];
    assert_eq!(shared(&[], &[]), true);
    assert_eq!(shared(&[], &off), false);
    assert_eq!(shared(&["--no-shared-state"], &off), true);
    assert_eq!(shared(&["--no-shared-state=false"], &[]), false);

    let states = folder.in_force(
        "patience-of",
        &[],
        &[("BLUEGREEN_PATIENCE_OF", "Warming=1m,Baking=2m")],
    );
    assert_eq!(states.0, serde_json::json!(["Warming=1m", "Baking=2m"]));

    // Variables that clap knows nothing of.
    let region = |arguments: &[&str], variables: &[(&str, &str)]| {
        folder.in_force("region", arguments, variables)
    };
    assert_eq!(region(&[], &[]), pair("eu-central-1", "file"));
    for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
        let variable = [(name, "us-east-2")];
        assert_eq!(region(&[], &variable), pair("us-east-2", "variable"));
        let flag = ["--region", "us-west-2"];
        assert_eq!(region(&flag, &variable), pair("us-west-2", "flag"));
    }

    // An array of a higher layer takes the place of the whole one.
    let status = folder.in_force("expect-status", &["--expect-status", "301,302"], &[]);
    assert_eq!(status.0, serde_json::json!(["301", "302"]));
}

/// A flag also wins over what it excludes.
#[test]
fn what_a_higher_layer_excludes_is_left_aside() {
    let folder = Folder::with("bundle = 'f.zip'");
    let bundle = |arguments: &[&str], variables: &[(&str, &str)]| {
        folder.in_force("bundle", arguments, variables).0
    };
    let key = |arguments: &[&str], variables: &[(&str, &str)]| {
        folder.in_force("s3-key", arguments, variables).0
    };
    let variable = [("S3_ARTIFACTS_OBJECT", "v.zip")];
    assert_eq!(bundle(&[], &[]), "f.zip");
    assert!(bundle(&["--s3-key", "k.zip"], &[]).is_null());
    assert!(bundle(&[], &variable).is_null());
    assert_eq!(key(&[], &variable), "v.zip");
    assert_eq!(bundle(&["--bundle", "b.zip"], &variable), "b.zip");
    assert!(key(&["--bundle", "b.zip"], &variable).is_null());
    let both = ["config", "show", "--bundle", "b.zip", "--s3-key", "k.zip"];
    folder.check("config_of_two_flags_that_exclude_each_other", &both, &[]);
}

#[test]
fn a_configuration_in_order_is_said_to_be() {
    let check = ["config", "check"];
    let folder = Folder::with(NAMES);
    folder.check("config_in_order", &check, &[]);
    folder.write("other.toml", NAMES.as_bytes());
    folder.write("bluegreen.toml", b"bakee = 1");
    let other = [("BLUEGREEN_CONFIG", "other.toml")];
    folder.check("config_in_order_elsewhere", &check, &other);
    let none = ["config", "check", "--config", "/dev/null"];
    let named = [
        ("BEANSTALK_APP_NAME", "shop"),
        ("BLUE_ENV_NAME", "shop-blue"),
        ("S3_ARTIFACTS_BUCKET", "shop-artifacts"),
    ];
    folder.check("config_in_order_with_none", &none, &named);
    Folder::empty().check("config_in_order_without_a_file", &check, &named);
    Folder::with("sandbox = true").check("config_of_a_sandbox", &check, &[]);
    // Neither a journal nor anything else was made.
    let there = std::fs::read_dir(folder.path()).expect("the folder");
    assert_eq!(there.count(), 2);
}

#[test]
fn a_test_that_may_take_longer_than_a_poll_is_warned_of() {
    let folder = Folder::with(NAMES);
    let check = ["config", "check", "--poll", "5s", "--test-timeout"];
    let warned = |timeout: &str| {
        let arguments = [check.as_slice(), &[timeout]].concat();
        let told = folder.bluegreen(&arguments, &[]).output().expect("runs");
        assert!(told.status.success(), "{told:?}");
        String::from_utf8_lossy(&told.stdout).into_owned()
    };
    assert!(!warned("5s").contains("warning"));
    let told = warned("30s");
    let words = "warning: the answer to GET / may take 30s, which is longer than --poll (5s)";
    assert!(told.contains(words), "{told}");
    assert!(
        told.contains("longer than 1s 250ms counts as a failure"),
        "{told}"
    );
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_remedy() {
    let check = ["config", "check"];
    Folder::empty().check("config_of_nothing", &check, &[]);
    Folder::with("").check("config_of_an_empty_file", &check, &[]);
    Folder::with(
        "app = 'shop'\nbakee = '1m'\npatience-of = { Warmin = '1m', Held = '1m', Baking = '1m' }\ndrain = 60\nno-shared-state = 'yes'\n\
         log-format = 'yaml'\nconfig = 'x'\nbundle = 'b.zip'\ns3-key = 'k'\n\
         [run]\nbake = '1m'\n[run.deeper]\npol = '1s'\n",
    )
    .check("config_with_many_mistakes", &check, &[]);
    Folder::with("app = 'shop'\nblue = \"hunter2\nbucket = 'b'").check(
        "config_that_is_no_toml",
        &check,
        &[],
    );
    // All at once, each at the line it is on.
    Folder::with(&format!(
        "{NAMES}green = 'a_b'\ntest-url = 'health'\napprove-url = 'no'\nhosted-zone-id = 'Z0'\n\n\
         [[test]]\nurl = '/'\nmax-latency = '5'\n\n[[test]]\nurl = '/a'\nexpect-statuss = [200]\n\
         passes = 'hunter2'\n\n[[test]]\nmethod = 'GET'\n\n[[hook]]\nwhen = 'before'\n\
         stage = 'tea'\ncommand = 'true'\non_failure = 'hold'\non-failure = 'hold'\n\n\
         [[hook]]\nwhen = 'before'\nstage = 'testing'\ncommand = 'true'\non-failure = 'retry'\n"
    ))
    .check("config_with_mistakes_in_its_tables", &check, &[]);
    let names = Folder::with(&format!("{NAMES}green = 'a_b'"));
    names.check("config_with_a_bad_name", &check, &[]);
    let variable = [("GREEN_ENV_NAME", "shop-blue")];
    names.check("config_with_a_bad_variable", &check, &variable);
    let key = Folder::with(&format!("{NAMES}s3-key = 'k'"));
    key.check("config_of_a_key_without_label", &check, &[]);
    let bundle = Folder::with(&format!("{NAMES}bundle = 'missing.zip'"));
    bundle.check(
        "config_of_a_bundle_not_built_yet",
        &check,
        &[("AUTH_METHOD", "SSO")],
    );
}

#[test]
fn a_file_that_cannot_be_read_is_refused() {
    let folder = Folder::empty();
    folder.write("latin.toml", b"app = 'shop'\nblue = 'caf\xe9'");
    folder.write("long.toml", &b"# no file of settings\n".repeat(60_000));
    std::os::unix::fs::symlink("loop.toml", folder.path().join("loop.toml")).expect("a link");
    std::fs::create_dir(folder.path().join("folder.toml")).expect("a folder");
    for (name, file) in [
        ("config_that_is_not_there", "missing.toml"),
        ("config_that_is_a_folder", "folder.toml"),
        ("config_that_is_not_utf8", "latin.toml"),
        ("config_that_is_too_long", "long.toml"),
        ("config_that_cannot_be_opened", "loop.toml"),
    ] {
        folder.check(name, &["run", "--config", file], &[]);
    }
    std::fs::create_dir(folder.path().join("bluegreen.toml")).expect("a folder");
    folder.check("config_here_is_a_folder", &["status"], &[]);
    let dangling = Folder::empty();
    let link = dangling.path().join("bluegreen.toml");
    std::os::unix::fs::symlink("missing.toml", link).expect("a link");
    dangling.check("config_here_leads_nowhere", &["status"], &[]);
}

/// A whole release that is told nothing by flags, and a mistake in the same file
/// before anything is asked of AWS.
#[test]
fn a_release_is_configured_by_the_file() {
    let served = Served::at_speed(600.0);
    let policy = crate::support::policies::shipped_for("shop-next");
    served.sandbox.set_policy(Some(policy));
    let file = served.folder.path().join("bluegreen.toml");
    let text =
        "version-label = 'v2'\npause-before-cutover = true\nstate = 'here.db'\ngreen = 'shop-next'";
    std::fs::write(&file, text).expect("the file is written");
    let mut run = served.bluegreen(&["run"]);
    let paused = run.env_remove("BLUEGREEN_STATE").output().expect("runs");
    assert_eq!(paused.status.code(), Some(0), "{paused:?}");
    assert!(served.folder.path().join("here.db").exists());
    let told = String::from_utf8_lossy(&paused.stdout).into_owned();
    assert!(told.contains("AwaitingCutover"), "{told}");
    let green = |name: &str| {
        served
            .sandbox
            .with_world(|world, _| world.environment(name).is_some())
    };
    assert!(green("shop-next"));
    // The label of the file is for releases: a deployment is resumed as it is.
    std::fs::write(&file, "version-label = 'v9'\nstate = 'here.db'").expect("it is written");
    let mut resume = served.bluegreen(&["resume"]);
    let resumed = resume.env_remove("BLUEGREEN_STATE").output().expect("runs");
    assert_eq!(resumed.status.code(), Some(0), "{resumed:?}");
    std::fs::write(&file, "bak = '1m'").expect("the file is written");
    let calls = served.sandbox.report().calls;
    check("run_with_a_broken_file", &served.run(&["run"]));
    assert_eq!(served.sandbox.report().calls, calls);
}

mod documents {
    //! What docs/ says of the settings, held against clap's own definition.

    use std::fmt::Write as _;
    use std::path::PathBuf;

    use bluegreen::cli::definition;
    use bluegreen::config::file::{File, Text};
    use bluegreen::config::keys::{Form, Key, keys};

    fn reference(name: &str) -> PathBuf {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        root.join("docs/reference").join(name)
    }

    fn read(name: &str) -> String {
        std::fs::read_to_string(reference(name)).expect("the document reads")
    }

    #[test]
    fn configuration_md_is_fresh() {
        const DRAWN: &str = "<!-- Drawn by tests/rings/config.rs from the definition of the command \
                             line; write it anew with UPDATE_DOCS=1 cargo test --test rings \
                             configuration_md_is_fresh -->\n\n";
        let kept = read("configuration.md");
        let (written, _) = kept.split_once(DRAWN).unwrap_or((&kept, ""));
        let fresh = format!("{written}{DRAWN}{}", table());
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(reference("configuration.md"), &fresh).expect("docs/ can be written to");
        }
        assert!(
            read("configuration.md") == fresh,
            "docs/reference/configuration.md does not have the settings there are; write it anew \
             with UPDATE_DOCS=1 cargo test --test rings configuration_md_is_fresh"
        );
    }

    fn table() -> String {
        let mut drawn = String::from(
            "| flag, and key in the file | variable | default | |\n|---|---|---|---|\n",
        );
        for key in keys(&definition()) {
            let flag = match key.form() {
                Form::Switch => format!("--{}", key.name()),
                Form::Optional => format!("--{}[={}]", key.name(), key.value_name()),
                _ => format!("--{} {}", key.name(), key.value_name()),
            };
            let variables = key.variables().join(", ");
            let _ = writeln!(
                drawn,
                "| `{flag}` | {variables} | {} | {} |",
                key.default().unwrap_or_default(),
                key.meaning().replace('|', "\\|"),
            );
        }
        drawn
    }

    #[test]
    fn every_setting_has_a_variable_and_a_meaning() {
        for key in keys(&definition()) {
            assert!(!key.variables().is_empty(), "--{}", key.name());
            assert!(!key.meaning().is_empty(), "--{}", key.name());
        }
    }

    fn parsed(text: &str) -> File {
        let text = Text {
            path: PathBuf::from("docs/reference/bluegreen.toml"),
            text: text.to_owned(),
        };
        File::parse(&text, &definition())
    }

    /// The keys that the example comments out, each with its line.
    fn commented_out(example: &str) -> impl Iterator<Item = &str> {
        let lines = example.lines().filter_map(|line| line.strip_prefix("# "));
        lines.filter(|line| {
            let name = line.split_once(" = ").map_or("", |(name, _)| name);
            !name.is_empty() && name.bytes().all(|b| b == b'-' || b.is_ascii_alphanumeric())
        })
    }

    #[test]
    fn the_example_is_right_and_names_every_key() {
        let example = read("bluegreen.toml");
        let file = parsed(&example);
        assert_eq!(file.problems, []);
        let mut named: Vec<String> = file.entries.into_keys().collect();
        for line in commented_out(&example) {
            let file = parsed(line);
            assert_eq!(file.problems, [], "{line}");
            named.extend(file.entries.into_keys());
        }
        let keys = keys(&definition());
        let is_missing = |key: &&Key| !named.iter().any(|name| name == key.name());
        let missing = keys.iter().filter(is_missing);
        let lines: Vec<_> = missing
            .map(|key| {
                let meaning = key.meaning();
                let value = key.default().unwrap_or_default();
                format!("# {} = {value:?}   # {meaning}", key.name())
            })
            .collect();
        assert!(
            lines.is_empty(),
            "docs/reference/bluegreen.toml does not name all there is; add to it, as they should \
             be:\n{}",
            lines.join("\n")
        );
    }
}
