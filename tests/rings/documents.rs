//! The commands and the settings of docs/guide.md and docs/permissions.md: what a reader
//! types works.

use std::path::{Path, PathBuf};
use std::process::Command;

use bluegreen_sandbox::{BUCKET, Policy, World, ZONE};
use serde_json::Value;

use crate::policy;

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
    for line in text.lines() {
        match line.trim_start() {
            code if line.starts_with("    ") && !code.is_empty() => {
                blocks.last_mut().expect("there is one").push(code);
            }
            _ => blocks.push(Vec::new()),
        }
    }
    let found = blocks.into_iter();
    let found = found.filter(|b| b.first().is_some_and(|line| line.starts_with(beginning)));
    found.map(|block| block.join("\n")).collect()
}

/// A folder in which `docs/` is the project's.
fn beside_docs() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink(root().join("docs"), folder.path().join("docs")).expect("a link");
    folder
}

/// What `sh` makes of a command in this folder.
#[track_caller]
fn shell(folder: &Path, command: &str) {
    let mut shell = Command::new("sh");
    shell.arg("-ec").arg(command).current_dir(folder);
    let output = shell.output().expect("there is a shell");
    assert!(output.status.success(), "{command}: {output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{command}");
}

fn json(path: PathBuf) -> Value {
    let text = std::fs::read_to_string(path).expect("the file is there");
    serde_json::from_str(&text).expect("it is JSON")
}

/// The two commands of docs/permissions.md: the policy, and what is put in front of it for
/// promotions.
fn commands() -> (String, String) {
    let found = blocks(&docs("permissions.md"), "sed ");
    let [policy, promote] = found.as_slice() else {
        panic!("{found:?}");
    };
    (policy.clone(), promote.clone())
}

/// The command with the sandbox's names in place of the example's.
fn with_names_of_the_sandbox(command: &str) -> String {
    let arn = World::seeded(1_800_000_000_000).balancer_arn();
    let (_, balancer) = arn.split_once(":loadbalancer/app/").expect("it is one");
    let mut command = command.to_owned();
    for (example, name) in [
        ("eu-central-1", "us-east-1"),
        ("Z0123456789ABCDEFGHIJ", ZONE),
        ("shop-shared/50dc6c495c0c9188", balancer),
        (":role/releases", ":user/sandbox"),
        ("shop-artifacts", BUCKET),
    ] {
        assert!(command.contains(example), "{example} in {command}");
        command = command.replace(example, name);
    }
    command
}

#[test]
fn the_command_of_permissions_md_makes_the_policy_that_the_tests_run_under() {
    let folder = beside_docs();
    let (command, promote) = commands();
    let policy = |command: &str| {
        shell(folder.path(), command);
        let made = json(folder.path().join("policy.json"));
        Policy::parse(&made.to_string()).expect("the sandbox can judge by it")
    };
    let placeholders = [
        "REGION", "ACCOUNT", "APPLICATION", "GREEN", "BLUE", "BUCKET", "HOSTED_ZONE", "PARAMETERS",
        "SHARED_BALANCER", "PRINCIPAL",
    ];
    policy(&command);
    let made = json(folder.path().join("policy.json")).to_string();
    for placeholder in placeholders {
        assert!(!made.contains(placeholder), "{placeholder} is left");
    }
    let command = with_names_of_the_sandbox(&command);
    assert_eq!(policy(&command), policy::shipped());
    shell(folder.path(), &promote);
    let command = command.replace("docs/iam-policy.json", "both.json");
    assert_eq!(policy(&command), policy::promoting());
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
    let (usual, both) = (policy::shipped(), policy::promoting());
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
    assert!(!judged(&usual, "AbortEnvironmentUpdate", "shop-blue-green"));
}

/// IAM user guide, "IAM and AWS STS quotas": whitespace does not count.
#[test]
fn the_policy_of_the_example_fits_as_permissions_md_says() {
    let folder = beside_docs();
    shell(folder.path(), &commands().0);
    let made = json(folder.path().join("policy.json"));
    let size = |policy: &Value| policy.to_string().replace(' ', "").len();
    let (inline, managed) = (10_240, 6_144);
    assert!(size(&made) <= inline && size(&made) > managed, "{}", size(&made));
    let statements = made["Statement"].as_array().expect("statements");
    let of = |s: &&Value| s["Sid"].as_str().is_some_and(|s| s.starts_with("Beneath"));
    let (beneath, others): (Vec<_>, Vec<_>) = statements.iter().partition(of);
    for half in [beneath, others] {
        let half = serde_json::json!({ "Version": "2012-10-17", "Statement": half });
        assert!(size(&half) <= managed, "{}", size(&half));
    }
}
