//! What CI systems and other programs are told: JSON lines, exit codes, GitHub's files and
//! commands, the action, and the examples of docs/use/ci.md.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bluegreen::report::schema;
use bluegreen_sandbox::FaultEffect;
use serde_json::Value;

use crate::support::machines::{begun, exits, killed_after};
use crate::support::schema::{Schema, lines};
use crate::support::served::{Served, bundle};
use crate::support::yaml::documents;

const SPEED: f64 = 600.0;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path.as_ref()).expect("the file reads")
}

/// The version fails its test: the release is held.
fn fail_its_test(served: &Served, label: &str) {
    served.inject(FaultEffect::VersionAnswers {
        label: label.to_owned(),
        status: 500,
    });
}

#[test]
fn the_schemas_in_docs_are_fresh() {
    for (name, schema) in [
        ("output", schema::of_lines()),
        ("status", schema::of_status()),
        ("fleet", schema::of_fleets()),
    ] {
        let path = root().join(format!("docs/reference/{name}.schema.json"));
        let fresh = serde_json::to_string_pretty(&schema).expect("JSON") + "\n";
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &fresh).expect("docs/ can be written to");
        }
        assert!(
            read(&path) == fresh,
            "docs/reference/{name}.schema.json is not what the program writes; write it anew with \
             UPDATE_DOCS=1 cargo test --test rings the_schemas_in_docs_are_fresh"
        );
    }
}

/// The lines of a type.
fn of_type<'a>(lines: &'a [Value], what: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == what).collect()
}

#[test]
fn each_line_of_a_release_is_as_the_schema_says() {
    let served = Served::at_speed(SPEED);
    let run = ["run", "--output", "jsonl", "--version-label", "v2"];
    let output = served.run(&run);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let told = lines(&output);
    let states: Vec<_> = of_type(&told, "event")
        .iter()
        .filter(|line| line["event"]["type"] == "state_entered")
        .map(|line| {
            assert_eq!(line["event"]["to"], line["state"], "{line}");
            line["state"].as_str().expect("a state").to_owned()
        })
        .collect();
    assert!(states.contains(&"DrainingBlue".to_owned()), "{states:?}");
    let last = told.last().expect("a line");
    assert_eq!(last["type"], "outcome");
    assert_eq!(last["state"], "Completed");
    assert_eq!(last["exit_code"], 0);
    assert_eq!(last["deployment"]["users"]["version"], "v2");
    assert_eq!(last["id"], begun(&served));
    // Elapsed seconds never run backwards.
    let elapsed: Vec<_> = of_type(&told, "event")
        .iter()
        .map(|line| line["elapsed"].as_f64().expect("a number"))
        .collect();
    assert!(elapsed.is_sorted(), "{elapsed:?}");

    // The same again changes nothing.
    let again = served.run(&run);
    assert_eq!(again.status.code(), Some(0));
    let told = lines(&again);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(
        told[1]["message"],
        "v2 is live already: nothing was changed"
    );
}

#[test]
fn errors_are_lines_too_and_know_their_deployment() {
    let served = Served::at_speed(SPEED);
    let unknown = served.run(&["run", "--output", "jsonl", "--version-label", "v77"]);
    assert_eq!(unknown.status.code(), Some(3));
    let told = lines(&unknown);
    let [error] = of_type(&told, "error")[..] else {
        panic!("{told:?}");
    };
    assert_eq!(error["exit_code"], 3);
    assert!(
        error["message"].as_str().expect("text").contains("v77"),
        "{error}"
    );

    fail_its_test(&served, "v2");
    let mut held = served.bluegreen(&["run", "--version-label", "v2"]);
    let held = held
        .env("BLUEGREEN_OUTPUT", "jsonl")
        .output()
        .expect("it runs");
    assert_eq!(held.status.code(), Some(14));
    let told = lines(&held);
    let last = told.last().expect("a line");
    assert_eq!(
        (&last["type"], &last["exit_code"]),
        (&"outcome".into(), &14.into())
    );
    assert_eq!(last["deployment"]["users"]["version"], "v1");
    let failed = |line: &&Value| line["event"]["type"] == "test_failed" && line["level"] == "warn";
    assert!(told.iter().any(|line| failed(&line)), "{told:?}");

    let busy = served.run(&["run", "--output", "jsonl", "--version-label", "v3"]);
    assert_eq!(busy.status.code(), Some(12));
    let told = lines(&busy);
    let error = told.last().expect("a line");
    assert_eq!(error["id"], begun(&served), "{error}");
    assert_eq!(error["state"], "Held");
    let users = error["users"].as_str().expect("text");
    assert!(users.starts_with("v1 on shop-blue-green"), "{error}");

    // A command with another output refuses, the variable of a whole job does not.
    exits(&served.run(&["plan", "--output", "jsonl"]), 2);
    let mut status = served.bluegreen(&["status"]);
    let status = status
        .env("BLUEGREEN_OUTPUT", "jsonl")
        .output()
        .expect("it runs");
    assert!(
        String::from_utf8_lossy(&status.stdout).starts_with("Users"),
        "{status:?}"
    );
}

#[test]
fn status_in_json_is_as_its_schema_says_in_each_kind_of_state() {
    let served = Served::at_speed(SPEED);
    let schema = Schema::of("status");
    let fits = |arguments: &[&str]| {
        let output = served.run(arguments);
        let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        schema.check(&document);
        document["deployments"][0].clone()
    };
    let id = killed_after(&served, "UpdateEnvironment", 1);
    fits(&["status", &id, "--json", "--events"]);
    fail_its_test(&served, "v2");
    exits(&served.run(&["resume", &id]), 14);
    assert_eq!(fits(&["status", "--json"])["state"], "Held");
    exits(&served.run(&["rollback", &id]), 0);
    assert_eq!(fits(&["status", "--all", "--json"])["state"], "RolledBack");
}

#[test]
fn a_pause_has_the_exit_code_that_it_is_given() {
    let served = Served::at_speed(SPEED);
    let pauses = ["deploy", "--version-label", "v2", "--exit-code-paused", "4"];
    exits(&served.run(&pauses), 4);
    let id = begun(&served);
    exits(
        &served.run(&["status", "--exit-code", "--exit-code-paused", "5"]),
        5,
    );
    exits(&served.run(&["wait", &id]), 0);
    exits(&served.run(&["wait", &id, "--exit-code-paused", "6"]), 6);
    exits(&served.run(&["wait", &id, "--for", "paused"]), 0);
    let (_, told) = exits(&served.run(&["status", "--exit-code-paused", "14"]), 2);
    assert!(told.contains("expected 0, 4 to 9, or 30 to 63"), "{told}");
    exits(&served.run(&["resume", &id, "--exit-code-paused", "4"]), 0);
}

#[test]
fn a_release_that_detaches_ends_at_its_pause_and_is_approved_later() {
    let served = Served::at_speed(SPEED);
    let url = crate::support::served::approver(|number| if number == 0 { 403 } else { 204 });
    let detaches = ["run", "--version-label", "v2", "--detach-at", "pause"];
    let mut alone = served.bluegreen(&detaches);
    let (_, told) = exits(
        &alone
            .env("BLUEGREEN_APPROVE_URL", &url)
            .output()
            .expect("runs"),
        3,
    );
    assert!(told.contains("add --pause-before cutover"), "{told}");
    let mut pauses = served.bluegreen(&detaches);
    pauses.env("BLUEGREEN_APPROVE_URL", &url);
    pauses.args(["--pause-before", "cutover", "--exit-code-paused", "4"]);
    exits(&pauses.output().expect("it runs"), 4);
    // Nobody has asked the approver yet: the first answer is no.
    let mut resumes = served.bluegreen(&["resume"]);
    resumes.env("BLUEGREEN_APPROVE_URL", &url);
    let output = resumes.arg("-v").output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("not approved yet"), "{log}");
}

/// A step of a workflow that GitHub's runner would run: its environment and its files.
struct Runner<'a> {
    served: &'a Served,
    steps: usize,
    path: String,
    outputs: BTreeMap<String, String>,
}

impl<'a> Runner<'a> {
    /// A runner that has the binary on its PATH, or not.
    fn new(served: &'a Served, has_binary: bool) -> Runner<'a> {
        let bin = Path::new(env!("CARGO_BIN_EXE_bluegreen"))
            .parent()
            .expect("a folder");
        let usual = "/usr/local/bin:/usr/bin:/bin";
        Runner {
            served,
            steps: 0,
            path: match has_binary {
                true => format!("{}:{usual}", bin.display()),
                false => usual.to_owned(),
            },
            outputs: BTreeMap::new(),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.served
            .folder
            .path()
            .join(format!("{name}-{}", self.steps))
    }

    /// Runs a script as a step with the shell `bash`, as the runner does: `bash --noprofile --norc
    /// -eo pipefail`.
    fn step(&mut self, script: &str, variables: &[(String, String)]) -> Output {
        self.steps += 1;
        let file = self.file("script.sh");
        std::fs::write(&file, script).expect("it is written");
        let mut bash = self.served.bluegreen(&[]);
        let settings: Vec<_> = bash.get_envs().map(owned).collect();
        bash = Command::new("bash");
        bash.args(["--noprofile", "--norc", "-eo", "pipefail"])
            .arg(&file)
            .current_dir(self.served.folder.path())
            .env_clear()
            .envs(settings)
            .env("PATH", &self.path)
            .env("GITHUB_ACTIONS", "true")
            .env(
                "GITHUB_SERVER_URL",
                format!("file://{}", self.served.folder.path().display()),
            )
            .env("RUNNER_TEMP", self.served.folder.path());
        for name in ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_PATH"] {
            bash.env(name, self.file(name));
        }
        bash.envs(variables.iter().map(|(name, value)| (name, value)));
        let output = bash.output().expect("bash runs");
        for line in self.written("GITHUB_PATH").lines() {
            self.path = format!("{line}:{}", self.path);
        }
        let outputs = self.written("GITHUB_OUTPUT");
        self.outputs = outputs
            .lines()
            .map(|line| line.split_once('=').expect("NAME=VALUE"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        output
    }

    /// What the step has written into one of its files.
    fn written(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    /// Runs the action with these inputs; the last step's output, and the action's outputs.
    fn action(&mut self, inputs: &[(&str, &str)]) -> (Output, BTreeMap<String, String>) {
        let action = documents(&read(root().join("action.yml"))).remove(0);
        let declared = action["inputs"].as_object().expect("inputs");
        for (name, _) in inputs {
            assert!(
                declared.contains_key(*name),
                "action.yml has no input {name}"
            );
        }
        let value_of = |expression: &str| match expression.split_once('.') {
            Some(("inputs", name)) => {
                let given = inputs.iter().find(|(given, _)| *given == name);
                let default = || declared[name]["default"].as_str().unwrap_or_default();
                given.map_or_else(default, |(_, value)| value).to_owned()
            }
            Some(("github", "action_path")) => root().display().to_string(),
            Some(("github", "action_repository")) => "owner/bluegreen".to_owned(),
            Some(("github", "action_ref")) => "v0.1.0".to_owned(),
            _ => panic!("the runner has no {expression}"),
        };
        let mut last = None;
        for step in action["runs"]["steps"].as_array().expect("steps") {
            assert_eq!(step["shell"], "bash");
            let script = step["run"].as_str().expect("a script");
            assert!(
                !script.contains("${{"),
                "an input would be part of the script"
            );
            let variables = step["env"].as_object().expect("variables");
            let variables: Vec<_> = variables
                .iter()
                .map(|(name, value)| {
                    (
                        name.clone(),
                        evaluated(value.as_str().expect("text"), value_of),
                    )
                })
                .collect();
            let output = self.step(script, &variables);
            let has_failed = !output.status.success();
            last = Some(output);
            if has_failed {
                break;
            }
        }
        let outputs = action["outputs"].as_object().expect("outputs").iter();
        let outputs = outputs.map(|(name, output)| {
            let value = output["value"].as_str().expect("an expression");
            let of_step = |expression: &str| {
                let name = expression.strip_prefix("steps.bluegreen.outputs.");
                let name = name.expect("the outputs are those of the step");
                self.outputs.get(name).cloned().unwrap_or_default()
            };
            (name.clone(), evaluated(value, of_step))
        });
        (last.expect("a step"), outputs.collect())
    }
}

fn owned((name, value): (&std::ffi::OsStr, Option<&std::ffi::OsStr>)) -> (String, String) {
    let text = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
    (text(name), value.map(text).unwrap_or_default())
}

/// A text with its `${{ }}` expressions replaced.
fn evaluated(text: &str, value_of: impl Fn(&str) -> String) -> String {
    let mut parts = text.split("${{");
    let mut done = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (expression, rest) = part.split_once("}}").expect("an expression ends");
        done.push_str(&value_of(expression.trim()));
        done.push_str(rest);
    }
    done
}

/// The inputs that name what the sandbox is seeded with.
const SHOP: [(&str, &str); 3] = [
    ("application", "shop"),
    ("environment", "shop-blue"),
    ("bucket", "shop-artifacts"),
];

#[test]
fn the_action_releases_and_says_so() {
    let served = Served::at_speed(SPEED);
    let mut runner = Runner::new(&served, true);
    let inputs = [
        ("version-label", "v2"),
        ("arguments", "--poll\n25s"),
        ("state-key", "a key of at least 32 characters, hush"),
    ];
    let (output, outputs) = runner.action(&[&SHOP[..], &inputs].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(outputs["state"], "Completed");
    assert_eq!(outputs["id"], begun(&served));
    assert_eq!(outputs["version"], "v2");
    assert_eq!(outputs["serving"], "shop-blue");
    assert!(outputs["url"].starts_with("http://shop"), "{outputs:?}");
    let log = String::from_utf8_lossy(&output.stderr);
    let begins = log.matches("::group::").count();
    assert!(begins > 5, "{log}");
    assert_eq!(log.matches("::endgroup::").count(), begins);
    assert!(log.contains("::group::Drain blue\n"), "{log}");
    let masked: Vec<_> = log.lines().filter(|line| line.contains("hush")).collect();
    assert_eq!(
        masked,
        ["::add-mask::a key of at least 32 characters, hush"]
    );
    let summary = runner.written("GITHUB_STEP_SUMMARY");
    assert!(
        summary.contains("Users: v2 on shop-blue, healthy"),
        "{summary}"
    );
    assert!(!summary.contains("hush"), "{summary}");
}

#[test]
fn the_action_of_a_release_that_is_held_fails_and_still_has_its_outputs() {
    let served = Served::at_speed(SPEED);
    fail_its_test(&served, "v2");
    let mut runner = Runner::new(&served, true);
    let of_version = |label| [&SHOP[..], &[("version-label", label)]].concat();
    let (output, outputs) = runner.action(&of_version("v2"));
    assert_eq!(output.status.code(), Some(14), "{output:?}");
    assert_eq!(outputs["state"], "Held");
    assert_eq!(outputs["version"], "v1");
    assert_eq!(outputs["serving"], "shop-blue-green");
    let log = String::from_utf8_lossy(&output.stderr);
    let error = log.lines().find(|line| line.starts_with("::error "));
    let error = error.unwrap_or_else(|| panic!("{log}"));
    assert!(
        error.contains("Held: ") && error.contains("%0AUsers: v1 on shop-blue-green"),
        "{error}"
    );
    assert!(log.contains("::warning title=bluegreen::"), "{log}");

    // What another run finds is an annotation too, with the outputs of the deployment in its way.
    let (output, outputs) = runner.action(&of_version("v3"));
    assert_eq!(output.status.code(), Some(12), "{output:?}");
    assert_eq!(outputs["id"], begun(&served));
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("::error title=bluegreen::"), "{log}");
}

#[test]
fn the_action_installs_a_release_whose_checksum_is_right() {
    let served = Served::at_speed(SPEED);
    let folder = served.folder.path();
    let releases = folder.join("owner/bluegreen/releases/download/v0.1.0");
    std::fs::create_dir_all(&releases).expect("a folder");
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let archive = format!("bluegreen-0.1.0-{target}.tar.gz");
    let bash = |script: &str| {
        let mut bash = Command::new("bash");
        let done = bash.args(["-ec", script]).current_dir(&releases).status();
        assert!(done.expect("bash runs").success(), "{script}");
    };
    // A release of a few bytes, which says how it was called.
    bash("printf '#!/bin/sh\\necho \"released: $*\"\\n' >bluegreen && chmod +x bluegreen");
    bash(&format!(
        "tar -czf {archive} bluegreen && sha256sum {archive} >{archive}.sha256"
    ));
    let (output, _) = Runner::new(&served, false).action(&[("command", "plan")]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "released: plan\n");

    bash(&format!("echo more >>{archive}"));
    let (output, _) = Runner::new(&served, false).action(&[("command", "plan")]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let (output, _) = Runner::new(&served, false).action(&[("version", "main")]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

/// The fenced blocks of docs/use/ci.md below a heading.
fn example(heading: &str) -> String {
    let text = read(root().join("docs/use/ci.md"));
    let (_, section) = text
        .split_once(&format!("## {heading}\n"))
        .expect("the heading");
    let section = section.split("\n## ").next().unwrap_or_default();
    let (_, block) = section.split_once("```").expect("a block");
    let (block, _) = block.split_once("\n```").expect("its end");
    let (_, code) = block.split_once('\n').expect("its language");
    code.to_owned()
}

/// What the examples take from the job before them, and from their system.
fn job(served: &Served) -> Vec<(String, String)> {
    let folder = served.folder.path();
    std::fs::create_dir_all(folder.join("target")).expect("a folder");
    std::fs::write(folder.join("target/shop.zip"), bundle(b"a bundle")).expect("it is written");
    std::fs::write(
        folder.join("bluegreen.toml"),
        "blue = \"shop-blue\"\napp = \"shop\"\nbucket = \"shop-artifacts\"\n",
    )
    .expect("it is written");
    [
        ("CI_COMMIT_SHA", "v42"),
        ("CODEBUILD_RESOLVED_SOURCE_VERSION", "v42"),
        ("BITBUCKET_COMMIT", "v42"),
        ("GIT_COMMIT", "v42"),
        ("AWS_TOKEN", "a token"),
        ("BITBUCKET_STEP_OIDC_TOKEN", "a token"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// The scripts of the examples release the bundle, with the sandbox in AWS's place.
#[test]
fn the_examples_of_other_systems_release() {
    let yaml = |heading| documents(&example(heading)).remove(0);
    let texts = |scripts: &Value| -> Vec<String> {
        let scripts = scripts.as_array().expect("a list").iter();
        scripts
            .map(|line| line.as_str().expect("text").to_owned())
            .collect()
    };
    let jenkins = example("Jenkins");
    let (_, jenkins) = jenkins.split_once("sh '").expect("a step");
    let (jenkins, _) = jenkins.split_once('\'').expect("its end");
    let bitbucket = yaml("Bitbucket Pipelines");
    for (system, script) in [
        ("GitLab CI", texts(&yaml("GitLab CI")["release"]["script"])),
        (
            "AWS CodeBuild",
            texts(&yaml("AWS CodeBuild")["phases"]["build"]["commands"]),
        ),
        (
            "Bitbucket",
            texts(&bitbucket["pipelines"]["branches"]["main"][0]["step"]["script"]),
        ),
        ("Jenkins", vec![jenkins.to_owned()]),
    ] {
        let served = Served::at_speed(SPEED);
        let mut variables = job(&served);
        let token = served.folder.path().join("token").display().to_string();
        variables.push(("AWS_WEB_IDENTITY_TOKEN_FILE".to_owned(), token.clone()));
        let script = script.join("\n").replace("/tmp/token", &token);
        let script = script.replace("eu-central-1", "us-east-1");
        let output = Runner::new(&served, true).step(&script, &variables);
        assert_eq!(output.status.code(), Some(0), "{system}: {output:?}");
        let version = served.sandbox.with_world(|world, _| {
            world
                .environment("shop-blue")
                .expect("blue")
                .version_label
                .clone()
        });
        assert_eq!(version, "v42", "{system}");
    }
}

/// The workflow's inputs are those of the action, and with them it releases the bundle.
#[test]
fn the_example_of_github_releases() {
    let workflow = documents(&example("GitHub Actions")).remove(0);
    let steps = workflow["jobs"]["release"]["steps"]
        .as_array()
        .expect("steps");
    let uses = |step: &&Value| {
        step["uses"]
            .as_str()
            .is_some_and(|uses| uses.contains("bluegreen"))
    };
    let step = steps.iter().find(uses).expect("a step uses the action");
    let served = Served::at_speed(SPEED);
    job(&served);
    let given = step["with"].as_object().expect("inputs").iter();
    let given = given.map(|(name, value)| {
        let value = evaluated(
            value.as_str().expect("text"),
            |expression| match expression {
                "github.sha" => "v42".to_owned(),
                "secrets.BLUEGREEN_STATE_KEY" => String::new(),
                other => panic!("the runner has no {other}"),
            },
        );
        (name.as_str(), value)
    });
    let given: Vec<_> = given.collect();
    let inputs: Vec<_> = given
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let (output, outputs) = Runner::new(&served, true).action(&inputs);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(outputs["version"], "v42");
    let id = step["id"].as_str().expect("an id");
    let asked = steps.iter().filter_map(|step| step["run"].as_str());
    let asked: String = asked.collect();
    for part in asked.split(&format!("steps.{id}.outputs.")).skip(1) {
        let name: String = part.chars().take_while(char::is_ascii_alphabetic).collect();
        assert!(
            outputs.contains_key(&name),
            "the action has no output {name}"
        );
    }
}
