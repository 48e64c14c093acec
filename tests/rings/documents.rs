//! The commands and the settings of docs/start/guide.md and docs/start/permissions.md: what a
//! reader types works.

use std::path::{Path, PathBuf};
use std::process::Output;

use bluegreen_sandbox::Policy;
use serde_json::Value;

use bluegreen::cli::definition;
use bluegreen::config::file::{File, Text};

use crate::support::policies;
use crate::support::served::{Served, hermetic};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn docs(name: &str) -> String {
    let path = root().join("docs").join(name);
    std::fs::read_to_string(path).expect("the document reads")
}

/// The indented blocks of a document whose first line begins so, without their indentation.
fn blocks(text: &str, beginning: &str) -> Vec<String> {
    let mut blocks: Vec<Vec<&str>> = vec![Vec::new()];
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.starts_with("```");
        match line.trim_start() {
            code if line.starts_with("    ") && !code.is_empty() && !fenced => {
                blocks.last_mut().expect("there is one").push(code);
            }
            _ => blocks.push(Vec::new()),
        }
    }
    let found = blocks.into_iter();
    let found = found.filter(|b| b.first().is_some_and(|line| line.starts_with(beginning)));
    found.map(|block| block.join("\n")).collect()
}

fn json(path: PathBuf) -> Value {
    let text = std::fs::read_to_string(path).expect("the file is there");
    serde_json::from_str(&text).expect("it is JSON")
}

/// Each command of docs/start/permissions.md prints a policy that the sandbox can judge by, from
/// the settings of its blue or from flags alone, and no placeholder is left.
#[test]
fn the_commands_of_permissions_md_print_policies() {
    let commands = blocks(&docs("start/permissions.md"), "bluegreen iam-policy");
    assert_eq!(commands.len(), 4, "{commands:?}");
    let served = Served::at_speed(600.0);
    for command in commands {
        let file = served.folder.path().join("policy.json");
        // What the AWS CLI then does with it is followed by sandbox/conformance/guide.py.
        let line = command.lines().next().expect("a line");
        let (line, name) = line.split_once(" > ").expect("it goes into a file");
        assert!(
            name.starts_with("policy") && name.ends_with(".json"),
            "{name}"
        );
        let arguments: Vec<&str> = line.split_whitespace().skip(1).collect();
        let output = served.run(&arguments);
        assert_eq!(output.status.code(), Some(0), "{command}: {output:?}");
        std::fs::write(&file, &output.stdout).expect("it is written");
        let made = json(file).to_string();
        Policy::parse(&made).expect("the sandbox can judge by it");
        for placeholder in [
            "REGION",
            "ACCOUNT",
            "APPLICATION",
            "GREEN",
            "BLUE",
            "BUCKET",
            "HOSTED_ZONE",
            "PARAMETERS",
            "SHARED_BALANCER",
            "OPERATIONS_ROLE",
            "PRINCIPAL",
            "KMS_KEY",
        ] {
            assert!(!made.contains(placeholder), "{placeholder} is left: {made}");
        }
    }
}

/// A release goes through under the policy that is printed for the sandbox's blue, and the parts
/// are the whole.
#[test]
fn a_release_goes_under_the_policy_that_is_printed() {
    let served = Served::at_speed(600.0);
    served.sandbox.set_policy(None);
    let whole = served.run(&["iam-policy"]);
    assert_eq!(whole.status.code(), Some(0), "{whole:?}");
    let whole: Value = serde_json::from_slice(&whole.stdout).expect("it is JSON");
    let mut statements = Vec::new();
    for part in 1.. {
        let output = served.run(&["iam-policy", "--part", &part.to_string()]);
        if output.status.code() != Some(0) {
            assert_eq!(output.status.code(), Some(2), "{output:?}");
            break;
        }
        let part: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
        statements.extend(part["Statement"].as_array().expect("statements").clone());
    }
    assert_eq!(Value::from(statements), whole["Statement"]);
    let policy = Policy::parse(&whole.to_string()).expect("a policy");
    served.sandbox.set_policy(Some(policy));
    let released = served.run(&["run", "--version-label", "v2"]);
    assert_eq!(released.status.code(), Some(0), "{released:?}");
}

/// Who may see nothing yet is told so, and gets the policy for every kind of environment; with an
/// account nothing is read at all.
#[test]
fn a_policy_is_printed_without_any_permission() {
    let served = Served::at_speed(600.0);
    let nothing = r#"{"Version":"2012-10-17","Statement":[]}"#;
    let nothing = Policy::parse(nothing).expect("a policy");
    served.sandbox.set_policy(Some(nothing));
    let output = served.run(&["iam-policy"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    for sid in [
        "BeneathClassicLoadBalancing",
        "BeneathNewGroups",
        "BeneathListenerRules",
    ] {
        assert!(printed.contains(sid), "{sid}: {printed}");
    }
    assert!(
        told.contains("do not see what kind of environment shop-blue is"),
        "{told}"
    );
    let calls = |served: &Served| served.sandbox.with_world(|world, _| world.report().calls);
    let before = calls(&served);
    let output = served.run(&[
        "iam-policy",
        "--account",
        "123456789012",
        "--load-balancer",
        "classic",
        "--deployment-policy",
        "Immutable",
    ]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(calls(&served), before);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(printed.contains("BeneathClassicLoadBalancing"), "{printed}");
    assert!(!printed.contains("BeneathSingleInstance"), "{printed}");
}

/// Under the policy for promotions each of the two may take the other's place, and under
/// the usual one nothing can terminate blue.
#[test]
fn the_policy_for_promotions_is_needed_for_them_and_holds_both_ways() {
    let judged = |policy: &Policy, action: &str, environment: &str| {
        let scope = "arn:aws:elasticbeanstalk:us-east-1:123456789012:environment/shop";
        let action = format!("elasticbeanstalk:{action}");
        let need = bluegreen_sandbox::Need::new(action, format!("{scope}/{environment}"));
        policy.judge(&need) == bluegreen_sandbox::Verdict::Allowed
    };
    let (usual, both) = (policies::shipped(), policies::promoting());
    for action in [
        "AbortEnvironmentUpdate",
        "CreateEnvironment",
        "SwapEnvironmentCNAMEs",
        "TerminateEnvironment",
        "UpdateEnvironment",
    ] {
        for environment in ["shop-blue", "shop-blue-green"] {
            assert!(judged(&both, action, environment), "{action} {environment}");
        }
        assert!(!judged(&both, action, "shop-worker"), "{action}");
    }
    assert!(!judged(&usual, "TerminateEnvironment", "shop-blue"));
    assert!(!judged(&usual, "CreateEnvironment", "shop-blue"));
    // A rehearsal deploys to green.
    assert!(judged(&usual, "AbortEnvironmentUpdate", "shop-blue-green"));
}

/// What a reader of docs/start/guide.md types: the blocks of each kind, and there are no others.
#[derive(Default)]
struct Typed {
    exports: Vec<String>,
    commands: Vec<String>,
    tables: Vec<String>,
    flags: Vec<String>,
}

fn typed() -> Typed {
    let mut typed = Typed::default();
    for block in blocks(&docs("start/guide.md"), "") {
        match block.split_whitespace().next().expect("a word") {
            "export" if block.contains("$(") => {}
            "export" => typed.exports.extend(block.lines().map(str::to_owned)),
            "bluegreen" => typed.commands.extend(block.lines().map(str::to_owned)),
            "[[hook]]" => typed.tables.push(block),
            "--test" => typed.flags.push(block),
            // Of the AWS CLI: sandbox/conformance/guide.py follows them.
            "aws" => {}
            other => panic!("{other}: what is to be done with {block}?"),
        }
    }
    typed
}

/// The commands of the guide that begin so.
fn commands_of(typed: &Typed, beginning: &str) -> Vec<String> {
    let commands = typed.commands.iter();
    let found: Vec<_> = commands
        .filter(|command| command.starts_with(beginning))
        .cloned()
        .collect();
    assert!(!found.is_empty(), "the guide has {beginning}");
    found
}

fn arguments(command: &str) -> Vec<&str> {
    let words = command.split_whitespace().skip(1);
    words.take_while(|word| *word != ">").collect()
}

#[track_caller]
fn succeeded(command: &str, output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{command}: {output:?}");
}

/// The rehearsal as it is written, in an empty folder, and again beside the file and the
/// names of a real release.
#[test]
fn the_rehearsal_of_the_guide_works_at_its_begin_and_later() {
    let typed = typed();
    let folder = tempfile::tempdir().expect("a folder");
    let run = |command: &str, pausing: bool| {
        let mut bluegreen = hermetic(&arguments(command));
        bluegreen
            .current_dir(folder.path())
            .env("XDG_STATE_HOME", folder.path())
            .env("BLUEGREEN_SANDBOX_SPEED", "600");
        if pausing {
            // In place of a kill, after which `resume` goes on as well.
            bluegreen.env("BLUEGREEN_PAUSE_BEFORE", "cutover");
        }
        bluegreen
    };
    let rehearsal = commands_of(&typed, "bluegreen run --sandbox");
    let [first, later] = rehearsal.as_slice() else {
        panic!("{rehearsal:?}");
    };
    let again = commands_of(&typed, "bluegreen resume --sandbox");
    succeeded(first, &run(first, true).output().expect("runs"));
    succeeded(&again[0], &run(&again[0], false).output().expect("runs"));
    let example = docs("reference/bluegreen.toml").replace("\"shop", "\"mine");
    // And with what the sandbox has not.
    let example = format!("version-label = \"mine\"\n{example}");
    std::fs::write(folder.path().join("bluegreen.toml"), example).expect("it is written");
    let mut later_on = run(later, false);
    let own = [
        ("AWS_REGION", "eu-central-1"),
        ("BEANSTALK_APP_NAME", "mine"),
        ("BLUE_ENV_NAME", "mine-blue"),
        ("S3_ARTIFACTS_BUCKET", "mine-artifacts"),
    ];
    succeeded(later, &later_on.envs(own).output().expect("runs"));
}

/// Every other command of the first release, in its order, with the names that are
/// exported and beside the example's file.
#[test]
fn the_first_release_of_the_guide_works() {
    let typed = typed();
    let served = Served::at_speed(600.0);
    let folder = served.folder.path();
    std::fs::write(
        folder.join("bluegreen.toml"),
        docs("reference/bluegreen.toml"),
    )
    .expect("it is written");
    std::fs::create_dir(folder.join("target")).expect("a folder");
    std::fs::write(
        folder.join("target/shop.zip"),
        crate::support::served::bundle(b"a bundle"),
    )
    .expect("it is written");
    let exported = typed.exports.iter();
    let exported = exported.flat_map(|line| line.split_whitespace().skip(1));
    let exported = exported.map(|pair| pair.split_once('=').expect("a pair"));
    // The sandbox is in one region only.
    let exported = exported.map(|(name, value)| match name {
        "AWS_REGION" | "AWS_DEFAULT_REGION" => (name, "us-east-1"),
        _ => (name, value),
    });
    let exported: Vec<_> = exported.collect();
    assert_eq!(exported.len(), 5, "{exported:?}");
    let text = docs("start/guide.md");
    let inline = |command: &str| {
        assert!(
            text.contains(&format!("`{command}`")),
            "the guide has {command}"
        );
        command.to_owned()
    };
    let commands = [
        vec![
            inline("bluegreen config check"),
            inline("bluegreen config show"),
        ],
        commands_of(&typed, "bluegreen iam-policy"),
        commands_of(&typed, "bluegreen plan"),
        commands_of(&typed, "bluegreen rehearse"),
        commands_of(&typed, "bluegreen doctor"),
        commands_of(&typed, "bluegreen run --bundle"),
        vec![inline("bluegreen status"), inline("bluegreen resume")],
    ];
    for command in commands.concat() {
        let mut bluegreen = served.bluegreen(&arguments(&command));
        let output = bluegreen.envs(exported.iter().copied()).output();
        succeeded(&command, &output.expect("runs"));
    }
    let version = served.sandbox.with_world(|world, _| {
        let blue = world.environment("shop-blue").expect("blue");
        blue.version_label.clone()
    });
    assert_eq!(version, "v42");
    assert_eq!(served.sandbox.report().lost, 0);
    let run: usize = [2, 1, 1, 1, 1, 1, 1].iter().sum();
    assert_eq!(typed.commands.len(), run, "{:?}", typed.commands);
}

#[test]
fn the_settings_of_the_guide_are_read_by_the_real_configuration() {
    let typed = typed();
    assert!(!typed.tables.is_empty() && !typed.flags.is_empty());
    for table in &typed.tables {
        let text = Text {
            path: PathBuf::from("docs/start/guide.md"),
            text: table.clone(),
        };
        let file = File::parse(&text, &definition());
        assert_eq!(file.problems, [], "{table}");
    }
    let names = [
        "--app",
        "shop",
        "--blue",
        "shop-blue",
        "--bucket",
        "shop-artifacts",
    ];
    for flags in &typed.flags {
        let (flag, value) = flags.split_once(' ').expect("a value");
        let value = value.trim_matches('\'');
        let check = [&["config", "check"][..], &names, &[flag, value]].concat();
        let output = hermetic(&check).current_dir("/").output().expect("runs");
        succeeded(flags, &output);
    }
}
