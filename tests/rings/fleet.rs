//! Fleets: the real binary releases many targets of one account, on one machine and on several.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use bluegreen::cli;
use bluegreen::config::file::Text;
use bluegreen::config::fleet::FleetFile;
use bluegreen_sandbox::{Description, FaultEffect, Options, Phase, TapVerdict};
use bluegreen_testing::sample::{is_full, sampled};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::machines::{Elsewhere, exits, started};
use crate::support::schema::{Schema, lines};
use crate::support::served::{Patience, Served, Victim, hermetic};

const SPEED: f64 = 400.0;

/// A world of so many applications, each with an environment `appN-blue` on v1 and with v2 and v3
/// to release. The first is a canary by its tag.
fn world(applications: usize) -> Served {
    let mut text = String::from("region = \"us-east-1\"\n");
    for number in 1..=applications {
        let tier = if number == 1 { "canary" } else { "web" };
        let _ = write!(
            text,
            "[[application]]\nname = \"app{number}\"\n\
             [[environment]]\napplication = \"app{number}\"\nname = \"app{number}-blue\"\n\
             version = \"v1\"\ncname_prefix = \"app{number}\"\ntags = {{ tier = \"{tier}\" }}\n"
        );
        for version in ["v1", "v2", "v3"] {
            let _ = write!(
                text,
                "[[version]]\napplication = \"app{number}\"\nlabel = \"{version}\"\n\
                 bucket = \"artifacts\"\nkey = \"app{number}/{version}.zip\"\n"
            );
        }
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("world.toml");
    std::fs::write(&path, text).expect("it is written");
    let served = Served::of(Options {
        speed: SPEED,
        world: Some(Description::read(&path).expect("a world")),
        ..Options::default()
    });
    served.sandbox.set_policy(None);
    served
}

/// What every fleet here shares: short waits, and a lock that a busy machine keeps.
const SETTINGS: &str = r#"
[settings]
bucket = "artifacts"
region = "us-east-1"
version-label = "v2"
poll = "20s"
drain = "2m"
bake = "150s"
patience = "12h"
lease = "15m"
"#;

fn file(served: &Served, text: &str) {
    let path = served.folder.path().join("fleet.toml");
    std::fs::write(path, format!("{text}\n{SETTINGS}")).expect("it is written");
}

fn targets(numbers: impl IntoIterator<Item = usize>, wave: &str) -> String {
    let target = |number| {
        format!(
            "[[target]]\napp = \"app{number}\"\nblue = \"app{number}-blue\"\nwave = \"{wave}\"\n"
        )
    };
    numbers.into_iter().map(target).collect()
}

/// The versions that the environments of these applications run; nothing else is there.
fn runs(served: &Served, applications: usize) -> Vec<String> {
    served.sandbox.with_world(|world, _| {
        (1..=applications)
            .map(|number| {
                let name = format!("app{number}-blue");
                world
                    .environment(&name)
                    .expect("it is there")
                    .version_label
                    .clone()
            })
            .collect()
    })
}

/// Nothing was interrupted or left behind, and each of these greens was made once.
#[track_caller]
fn is_clean(served: &Served, greens: &[(usize, usize)]) {
    let report = served.sandbox.report();
    assert_eq!(report.lost, 0, "{:?}", report.losses);
    assert_eq!(report.interruptions, []);
    assert_eq!(report.leftovers.templates, [""; 0]);
    let mut made = BTreeMap::new();
    for created in &report.created {
        *made.entry(created.name.clone()).or_insert(0_usize) += 1;
    }
    let expected = greens
        .iter()
        .map(|(number, times)| (format!("app{number}-blue-green"), *times));
    assert_eq!(made, expected.collect());
}

fn status(served: &Served) -> Value {
    let (stdout, _) = exits(&served.run(&["fleet", "status", "--json"]), 0);
    serde_json::from_str(&stdout).expect("a document")
}

fn standings(document: &Value) -> Vec<(String, String)> {
    let targets = document["targets"].as_array().expect("targets");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let of = |target: &Value| (text(&target["name"]), text(&target["standing"]));
    targets.iter().map(of).collect()
}

#[test]
fn a_canary_goes_first_and_the_others_once_an_operator_approves() {
    let served = world(4);
    let waves =
        "[[wave]]\nname = \"canary\"\nbake = \"5m\"\npause = true\n[[wave]]\nname = \"rest\"\n";
    file(
        &served,
        &format!(
            "{waves}{}{}",
            targets([1], "canary"),
            targets([2, 3, 4], "rest")
        ),
    );
    let (planned, _) = exits(&served.run(&["fleet", "plan"]), 0);
    assert_eq!(planned.matches("passed").count(), 4, "{planned}");
    assert!(
        planned.contains("5m in which its health is watched, then an approval"),
        "{planned}"
    );
    assert_eq!(served.sandbox.report().created.len(), 0);

    let (paused, _) = exits(&served.run(&["fleet", "run"]), 0);
    assert!(
        paused.starts_with("Users: on the new version at 1 of 4 targets, 3 as before"),
        "{paused}"
    );
    assert!(
        paused.contains("waiting for an approval of wave rest (2 of 2)"),
        "{paused}"
    );
    assert_eq!(runs(&served, 4), ["v2", "v1", "v1", "v1"]);
    // Without an approval it stays there.
    let again = served.run(&["fleet", "run", "--exit-code-paused", "4"]);
    exits(&again, 4);
    assert_eq!(runs(&served, 4), ["v2", "v1", "v1", "v1"]);

    let (done, _) = exits(&served.run(&["fleet", "resume"]), 0);
    assert!(
        done.starts_with("Users: on the new version at 4 of 4 targets\n"),
        "{done}"
    );
    assert_eq!(runs(&served, 4), ["v2"; 4]);
    is_clean(&served, &[(1, 1), (2, 1), (3, 1), (4, 1)]);
    let over = exits(&served.run(&["fleet", "resume"]), 13).1;
    assert!(
        over.contains("fleet fleet is completed: nothing is left to continue"),
        "{over}"
    );

    // Another run of the same, as a job that is repeated begins it, changes nothing, and what undoes
    // the fleet stays known.
    let (again, _) = exits(&served.run(&["fleet", "run"]), 0);
    assert!(again.contains("bluegreen fleet rollback"), "{again}");
    assert_eq!(served.sandbox.report().created.len(), 4);
    exits(&served.run(&["fleet", "rollback"]), 0);
    assert_eq!(runs(&served, 4), ["v1"; 4]);
    // Nor does it release again what an operator has rolled back.
    let late = exits(&served.run(&["fleet", "run"]), 3).1;
    assert!(
        late.contains("was rolled back") && late.contains("--anew"),
        "{late}"
    );
    assert_eq!(runs(&served, 4), ["v1"; 4]);
    let nothing = exits(&served.run(&["fleet", "rollback"]), 3).1;
    assert!(
        nothing.contains("nothing of fleet fleet is left"),
        "{nothing}"
    );
    exits(&served.run(&["fleet", "run", "--anew"]), 0);
    assert_eq!(runs(&served, 4), ["v2", "v1", "v1", "v1"]);
}

#[test]
fn a_fleet_stops_after_a_failure_and_resumes_once_that_is_put_right() {
    let served = world(4);
    served.inject(FaultEffect::VersionFailsToDeploy {
        label: "v3".to_owned(),
    });
    let waves =
        "[fleet]\nconcurrency = 1\n[[wave]]\nname = \"first\"\n[[wave]]\nname = \"second\"\n";
    let fails = format!("{}version-label = \"v3\"\n", targets([2], "first"));
    let others = [targets([1], "first"), targets([3, 4], "second")];
    file(
        &served,
        &format!("{waves}{}{fails}{}", others[0], others[1]),
    );
    let (stopped, log) = exits(&served.run(&["fleet", "run"]), 14);
    assert!(
        log.contains("1 of 4 targets failed: the fleet stops after 1 failure"),
        "{log}"
    );
    assert!(
        stopped.contains("stopped in wave first (1 of 2)"),
        "{stopped}"
    );
    assert!(stopped.contains("  bluegreen status 01"), "{stopped}");
    let document = status(&served);
    assert_eq!(document["state"], "stopped");
    let stands = |name: &str, standing: &str| (name.to_owned(), standing.to_owned());
    assert_eq!(
        standings(&document),
        [
            stands("app1-blue", "completed"),
            stands("app2-blue", "held"),
            stands("app3-blue", "waiting"),
            stands("app4-blue", "waiting"),
        ]
    );
    // It stays stopped until somebody has seen to the one that is held.
    exits(&served.run(&["fleet", "resume"]), 14);
    assert_eq!(runs(&served, 4)[2..], ["v1", "v1"]);
    let id = document["targets"][1]["deployment"]
        .as_str()
        .expect("an id");
    let corrected = [
        "resume",
        id,
        "--version-label",
        "v2",
        "--bucket",
        "artifacts",
    ];
    exits(&served.run(&corrected), 0);
    exits(&served.run(&["fleet", "resume"]), 0);
    assert_eq!(runs(&served, 4), ["v2"; 4]);
    is_clean(&served, &[(1, 1), (2, 1), (3, 1), (4, 1)]);
}

#[test]
fn what_is_refused_begins_again_when_the_fleet_is_resumed() {
    let served = world(2);
    let with = |version: &str| {
        let second = format!("{}version-label = \"{version}\"\n", targets([2], "all"));
        let wave =
            "[fleet]\nconcurrency = 1\n[[wave]]\nname = \"all\"\n[[wave]]\nname = \"later\"\n";
        file(&served, &format!("{wave}{second}{}", targets([1], "later")));
    };
    with("v9");
    let (planned, _) = exits(&served.run(&["fleet", "plan"]), 3);
    assert!(
        planned.contains("app2-blue:") && planned.contains("v9"),
        "{planned}"
    );
    let (refused, _) = exits(&served.run(&["fleet", "run"]), 3);
    assert!(
        refused.contains("Users: on the new version at 0 of 2 targets, 2 as before"),
        "{refused}"
    );
    assert_eq!(served.sandbox.report().created.len(), 0);
    with("v3");
    let (done, _) = exits(&served.run(&["fleet", "resume"]), 0);
    assert!(done.contains("on the new version at 2 of 2"), "{done}");
    assert_eq!(runs(&served, 2), ["v2", "v3"]);
}

#[test]
fn a_rollback_returns_what_is_released_and_what_is_under_way() {
    let served = world(4);
    let waves =
        "[fleet]\nconcurrency = 2\n[[wave]]\nname = \"canary\"\n[[wave]]\nname = \"rest\"\n";
    file(
        &served,
        &format!(
            "{waves}{}{}",
            targets([1], "canary"),
            targets([2, 3, 4], "rest")
        ),
    );
    let running = started(served.bluegreen(&["fleet", "run"]));
    let patience = Patience::new();
    // The second wave is under way.
    while served.sandbox.report().created.len() < 3 {
        patience.check("greens of the second wave");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    exits(&served.run(&["fleet", "rollback"]), 0);
    let ended = running.wait_with_output().expect("it ends");
    let (_, log) = exits(&ended, 10);
    assert!(log.contains("an operator rolled back"), "{log}");
    assert_eq!(runs(&served, 4), ["v1"; 4]);
    is_clean(&served, &[(1, 2), (2, 1), (3, 1)]);
    let document = status(&served);
    assert_eq!(document["state"], "rolled_back");
    assert_eq!(document["rolled_back"], 3);
    assert_eq!(document["failed"], 0);
}

#[test]
fn one_wave_of_a_completed_fleet_can_be_rolled_back() {
    let served = world(3);
    let waves = "[[wave]]\nname = \"canary\"\n[[wave]]\nname = \"rest\"\n";
    file(
        &served,
        &format!(
            "{waves}{}{}",
            targets([1], "canary"),
            targets([2, 3], "rest")
        ),
    );
    exits(&served.run(&["fleet", "run"]), 0);
    let wrong = exits(&served.run(&["fleet", "rollback", "--wave", "west"]), 2).1;
    assert!(
        wrong.contains("--wave \"west\"") && wrong.contains("canary, rest"),
        "{wrong}"
    );
    exits(&served.run(&["fleet", "rollback", "--wave", "rest"]), 0);
    assert_eq!(runs(&served, 3), ["v2", "v1", "v1"]);
    is_clean(&served, &[(1, 1), (2, 2), (3, 2)]);
}

#[test]
fn tags_find_the_targets_and_a_released_fleet_finds_them_again() {
    let served = world(4);
    file(
        &served,
        "[[wave]]\nname = \"canary\"\n[[wave]]\nname = \"rest\"\n\
         [[query]]\ntags = { tier = \"canary\" }\nwave = \"canary\"\n\
         [[query]]\ntags = { tier = \"web\" }\nwave = \"rest\"\n",
    );
    exits(&served.run(&["fleet", "run"]), 0);
    assert_eq!(runs(&served, 4), ["v2"; 4]);
    let document = status(&served);
    let names: Vec<_> = standings(&document)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["app1-blue", "app2-blue", "app3-blue", "app4-blue"]);
    let without = exits(&served.run(&["fleet", "run", "--version-label", "v3"]), 0).0;
    assert!(without.contains("4 of 4"), "{without}");
    file(&served, "[[query]]\ntags = { tier = \"tape\" }\n");
    let none = exits(&served.run(&["fleet", "plan", "--version-label", "v4"]), 3).1;
    assert!(none.contains("no environment has the tags"), "{none}");
}

#[test]
fn a_role_is_assumed_for_a_target() {
    let served = world(1);
    let role = "role = \"arn:aws:iam::123456789012:role/deployer\"\nexternal-id = \"seven\"\n";
    file(
        &served,
        &format!(
            "{}{role}",
            targets([1], "all").replace("wave = \"all\"\n", "")
        ),
    );
    let (planned, log) = exits(&served.run(&["fleet", "plan"]), 3);
    // The sandbox has no such role: AWS's refusal is told, and was of the role.
    assert!(
        format!("{planned}{log}").contains("AssumeRole"),
        "{planned}{log}"
    );
    let calls = served.sandbox.report().calls;
    assert!(calls.contains_key("AssumeRole"), "{calls:?}");
}

/// A fleet on three machines, of which one is killed half way: all of it completes, and no target is
/// released twice.
#[test]
fn three_workers_share_a_fleet_and_one_is_killed_half_way() {
    let count = if is_full() { 40 } else { 9 };
    let served = world(count);
    file(
        &served,
        &format!("[fleet]\nconcurrency = 9\n{}", {
            let all = targets(1..=count, "all");
            all.replace("wave = \"all\"\n", "")
        }),
    );
    let victim = Victim::default();
    let killer = victim.clone();
    let swaps = std::sync::atomic::AtomicUsize::new(0);
    served.sandbox.set_tap(move |call, phase| {
        let is_swap = phase == Phase::After && call.operation == "SwapEnvironmentCNAMEs";
        if is_swap && swaps.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == count / 2 {
            killer.kill();
            return TapVerdict::HangUp;
        }
        TapVerdict::Continue
    });
    let others = [Elsewhere::of(&served), Elsewhere::of(&served)];
    // A swap of any of them kills the first: where it has no target of its own, it dies idle.
    let ended = std::thread::scope(|scope| {
        let others = others.each_ref();
        let others = others.map(|machine| {
            let mut command = machine.command(&["fleet", "run"]);
            command.current_dir(served.folder.path());
            scope.spawn(move || command.output().expect("the binary runs"))
        });
        let killed = victim.run(&mut served.bluegreen(&["fleet", "run"]));
        assert_eq!(killed.code(), None, "it was killed");
        others.map(|other| other.join().expect("it ends"))
    });
    for output in &ended {
        exits(output, 0);
    }
    assert_eq!(runs(&served, count), vec!["v2"; count]);
    let once: Vec<_> = (1..=count).map(|number| (number, 1)).collect();
    is_clean(&served, &once);
}

#[test]
fn an_interrupted_fleet_is_left_in_order_and_resumed() {
    let served = world(2);
    file(
        &served,
        &targets([1, 2], "all").replace("wave = \"all\"\n", ""),
    );
    let running = started(served.bluegreen(&["fleet", "run"]));
    let patience = Patience::new();
    while served.sandbox.report().created.len() < 2 {
        patience.check("two greens");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let pid = Pid::from_raw(i32::try_from(running.id()).expect("a pid")).expect("a pid");
    kill_process(pid, Signal::TERM).expect("it is told");
    let (_, log) = exits(&running.wait_with_output().expect("it ends"), 75);
    assert!(
        log.contains("continue with: bluegreen fleet resume"),
        "{log}"
    );
    let document = status(&served);
    assert_eq!(document["under_way"], 2);
    assert_eq!(document["targets"][0]["worker"], Value::Null);
    exits(&served.run(&["fleet", "resume"]), 0);
    assert_eq!(runs(&served, 2), ["v2"; 2]);
    is_clean(&served, &[(1, 1), (2, 1)]);
}

#[test]
fn every_line_of_a_fleet_is_data_and_fits_the_schema() {
    let served = world(2);
    file(
        &served,
        &targets([1, 2], "all").replace("wave = \"all\"\n", ""),
    );
    let output = served.run(&["fleet", "run", "--output", "jsonl"]);
    exits(&output, 0);
    let lines = lines(&output);
    let mut of_fleet = lines.iter().filter(|line| line["type"] == "fleet");
    let last = of_fleet.next_back().expect("a line of the fleet");
    let ends = (&last["exit_code"], &last["completed"]);
    assert_eq!(ends, (&0.into(), &2.into()));
    assert!(lines.iter().any(|line| line["type"] == "event"));
    Schema::of("fleet").check(&status(&served));
}

#[test]
fn a_fleet_that_is_not_over_is_not_begun_anew_with_something_else() {
    let served = world(2);
    let wave = "[[wave]]\nname = \"one\"\npause = true\n[[wave]]\nname = \"two\"\n";
    file(
        &served,
        &format!("{wave}{}{}", targets([1], "one"), targets([2], "two")),
    );
    exits(&served.run(&["fleet", "run"]), 0);
    let other = exits(&served.run(&["fleet", "run", "--version-label", "v3"]), 12).1;
    assert!(
        other.contains("is not over, and releases another version"),
        "{other}"
    );
    file(&served, &format!("{wave}{}", targets([1, 2], "one")));
    let moved = exits(&served.run(&["fleet", "resume"]), 3).1;
    assert!(moved.contains("has other waves now"), "{moved}");
    file(&served, &format!("{wave}{}", targets([1], "one")));
    let gone = exits(&served.run(&["fleet", "resume"]), 3).1;
    assert!(
        gone.contains("target app2-blue is in the fleet's record"),
        "{gone}"
    );
}

#[test]
fn a_fleet_needs_its_own_record_and_refuses_flags_of_one_release() {
    let served = world(1);
    file(
        &served,
        &targets([1], "all").replace("wave = \"all\"\n", ""),
    );
    let never = exits(&served.run(&["fleet", "status"]), 13).1;
    assert!(never.contains("fleet fleet was never run"), "{never}");
    let drain = exits(&served.run(&["fleet", "run", "--drain", "5m"]), 2).1;
    assert!(drain.contains("--drain"), "{drain}");
    let missing = exits(&served.run(&["fleet", "run", "other.toml"]), 3).1;
    assert!(
        missing.contains("cannot read other.toml: there is no such file"),
        "{missing}"
    );
}

fn wrong_with(text: &str) -> String {
    let text = Text {
        path: Path::new("fleet.toml").to_owned(),
        text: text.to_owned(),
    };
    let parsed = FleetFile::parse(&text, &cli::definition());
    let problems = parsed.expect_err("something is wrong with it");
    problems
        .iter()
        .map(|problem| format!("{problem}\n"))
        .collect()
}

#[test]
fn everything_that_is_wrong_with_a_file_is_told_with_its_line() {
    let target = "[[target]]\napp = \"shop\"\nblue = \"shop-blue\"\n";
    for (text, told) in [
        (
            "",
            "the fleet in fleet.toml (line 1): name at least one target",
        ),
        ("[[target]\n", "mistake in fleet.toml (line 1, column 10)"),
        (
            "drain = \"1m\"\n",
            "unknown key `drain` in fleet.toml (line 1): the file of a fleet has [fleet]",
        ),
        ("[fleet]\nconcurrency = 0\n", "key `fleet.concurrency`"),
        (
            "[fleet]\nstop-after = \"0%\"\n",
            "expected a number of targets from 1 on",
        ),
        (
            "[fleet]\nstop-after = true\n",
            "expected a number of targets, or a share",
        ),
        (
            "[settings]\nno-shared-state = true\n",
            "key `no-shared-state` in fleet.toml (line 2): it is no setting of a target",
        ),
        (
            "[[wave]]\nname = \"\"\n",
            "wave \"\" in fleet.toml (line 1): a name has 1 to 40 characters",
        ),
        (
            "[fleet]\nspeed = 3\n",
            "[fleet] in fleet.toml (line 2): unknown field",
        ),
        ("[fleet]\nname = \"a b\"\n", "name \"a b\" in fleet.toml"),
        (
            "[settings]\ndrian = \"1m\"\n",
            "unknown key `drian` in fleet.toml (line 2): did you mean `drain`?",
        ),
        (
            "[settings]\nstate = \"x.db\"\n",
            "key `state` in fleet.toml (line 2): it is no setting of a target",
        ),
        (
            "[settings]\npause-before = \"swap\"\n",
            "write `pause = true` in [[wave]]",
        ),
        (
            "[[wave]]\nname = \"a\"\nbake = \"soon\"\n",
            "key `wave.bake` in fleet.toml (line 1)",
        ),
        (
            "[[wave]]\nname = \"a\"\n[[wave]]\nname = \"a\"\n",
            "wave \"a\" in fleet.toml (line 3): two waves",
        ),
        (
            "[[target]]\napp = \"shop\"\n",
            "target in fleet.toml (line 1): name its environment with `blue`",
        ),
        (
            "[[target]]\nblue = \"shop-blue\"\nwave = \"x\"\n",
            "wave \"x\" in fleet.toml (line 1): there is no such [[wave]]: there are all",
        ),
        (
            "[[target]]\nblue = \"shop-blue\"\ndrain = 7\n",
            "key `drain` in fleet.toml (line 3)",
        ),
        (
            "[[query]]\napp = \"shop\"\n",
            "key `query.tags` in fleet.toml (line 1)",
        ),
    ] {
        let problems = wrong_with(text);
        assert!(problems.contains(told), "{text}: {problems}");
    }
    let twice = wrong_with(&format!("{target}{target}"));
    assert!(twice.contains("two targets have this name"), "{twice}");
}

#[test]
fn a_target_has_its_own_settings_over_those_that_all_share() {
    let text = "[settings]\nbucket = \"a\"\ndrain = \"1m\"\ns3-key = \"k\"\nversion-label = \"v\"\n\
                [[target]]\nblue = \"shop-blue\"\ndrain = \"2m\"\nbundle = \"b.zip\"\n";
    let text = Text {
        path: Path::new("shops.toml").to_owned(),
        text: text.to_owned(),
    };
    let fleet = FleetFile::parse(&text, &cli::definition()).expect("it is right");
    assert_eq!(
        (&*fleet.name, fleet.bucket.as_deref()),
        ("shops", Some("a"))
    );
    let settings = &fleet.targets[0].settings;
    assert_eq!(settings.value("drain").as_deref(), Some("2m"));
    assert_eq!(settings.value("bundle").as_deref(), Some("b.zip"));
    // What its own excludes does not come from above.
    assert_eq!(settings.value("s3-key"), None);
    assert_eq!(settings.value("bucket").as_deref(), Some("a"));
}

/// The calls of Elastic Beanstalk that a sandbox has got.
fn calls(served: &Served) -> u64 {
    let calls = served.sandbox.report().calls.into_iter();
    let of_elastic_beanstalk = |operation: &str| {
        [
            "DescribeEnvironment",
            "DescribeEvents",
            "DescribeInstancesHealth",
            "DescribeConfiguration",
            "DescribeApplication",
            "DescribePlatform",
            "ListTagsForResource",
            "ValidateConfiguration",
            "CheckDNS",
            "CreateEnvironment",
            "CreateConfiguration",
            "UpdateEnvironment",
            "SwapEnvironment",
            "TerminateEnvironment",
            "DeleteConfiguration",
        ]
        .iter()
        .any(|name| operation.starts_with(name))
    };
    calls
        .filter(|(operation, _)| of_elastic_beanstalk(operation))
        .map(|(_, times)| times)
        .sum()
}

/// A fleet of so many targets at the same time with the default pace: its calls, and how long it
/// took by the sandbox's clock, in seconds.
fn calls_of_a_fleet(targets_in_all: usize) -> (u64, f64) {
    let served = world(targets_in_all);
    let all = targets(1..=targets_in_all, "all").replace("wave = \"all\"\n", "");
    let text = format!("[fleet]\nconcurrency = {targets_in_all}\n{all}{SETTINGS}");
    let text = text.replace("poll = \"20s\"\n", "");
    std::fs::write(served.folder.path().join("fleet.toml"), text).expect("it is written");
    let mut command = served.bluegreen(&["fleet", "run"]);
    exits(&command.output().expect("the binary runs"), 0);
    let document = status(&served);
    let at = |member: &str| {
        let text = document[member].as_str().expect("a date");
        humantime::parse_rfc3339(text).expect("a date")
    };
    let took = at("updated_at").duration_since(at("began_at"));
    (calls(&served), took.expect("it ended later").as_secs_f64())
}

#[test]
fn a_fleet_stays_below_two_calls_a_second() {
    let alone = calls_of_a_fleet(1);
    let count = if is_full() { 40 } else { 12 };
    let together = calls_of_a_fleet(count);
    let of_each = |(calls, _): (u64, f64), count: usize| calls as f64 / count as f64;
    println!(
        "calls of Elastic Beanstalk: {:.0} of one target alone, {:.0} of each of {count}; {:.2} a second",
        of_each(alone, 1),
        of_each(together, count),
        together.0 as f64 / together.1
    );
    // What changes something waits for no other: seven calls a target.
    let allowed = 2.0 * together.1 + 15.0 + 8.0 * count as f64;
    assert!((together.0 as f64) < allowed, "{together:?}");
}

#[test]
fn what_has_begun_with_a_version_ends_with_it() {
    let served = world(2);
    let wave = "[[wave]]\nname = \"one\"\npause = true\n[[wave]]\nname = \"two\"\n";
    let all = format!("{wave}{}{}", targets([1], "one"), targets([2], "two"));
    file(&served, &all);
    exits(&served.run(&["fleet", "run"]), 0);
    // A job that approves, and names another version, or none.
    let other = exits(
        &served.run(&["fleet", "resume", "--version-label", "v3"]),
        3,
    )
    .1;
    assert!(
        other.contains("fleet fleet releases v2 to app2-blue"),
        "{other}"
    );
    let path = served.folder.path().join("fleet.toml");
    let text = std::fs::read_to_string(&path).expect("it reads");
    std::fs::write(&path, text.replace("version-label = \"v2\"\n", "")).expect("it is written");
    exits(&served.run(&["fleet", "resume"]), 0);
    assert_eq!(runs(&served, 2), ["v2"; 2]);
}

#[test]
fn a_failure_in_the_last_wave_stops_the_fleet_and_is_begun_again() {
    let served = world(2);
    let with = |version: &str| {
        let second = format!("{}version-label = \"{version}\"\n", targets([2], "all"));
        file(
            &served,
            &format!("[[wave]]\nname = \"all\"\n{}{second}", targets([1], "all")),
        );
    };
    with("v9");
    let (stopped, _) = exits(&served.run(&["fleet", "run"]), 3);
    assert!(stopped.contains("is stopped in wave all"), "{stopped}");
    assert!(
        stopped.contains("# begins again what was refused"),
        "{stopped}"
    );
    with("v3");
    exits(&served.run(&["fleet", "resume"]), 0);
    assert_eq!(runs(&served, 2), ["v2", "v3"]);
    is_clean(&served, &[(1, 1), (2, 1)]);
}

#[test]
fn status_shows_what_an_operator_has_done_by_an_id() {
    let served = world(1);
    served.inject(FaultEffect::VersionFailsToDeploy {
        label: "v3".to_owned(),
    });
    let target = targets([1], "all").replace("wave = \"all\"\n", "");
    file(&served, &format!("{target}version-label = \"v3\"\n"));
    let (held, _) = exits(&served.run(&["fleet", "run"]), 14);
    let document = status(&served);
    let id = document["targets"][0]["deployment"]
        .as_str()
        .expect("an id");
    let hint = " --bucket artifacts --region us-east-1   # app1-blue is held";
    assert!(held.contains(hint), "{held}");
    let corrected = [
        "resume",
        id,
        "--version-label",
        "v2",
        "--bucket",
        "artifacts",
    ];
    exits(&served.run(&corrected), 0);
    let document = status(&served);
    let target = &document["targets"][0];
    assert_eq!(
        (&target["standing"], &target["version"]),
        (&"completed".into(), &"v2".into())
    );
}

#[test]
fn what_the_file_names_is_no_querys_and_two_queries_may_find_the_same() {
    let served = world(3);
    let canary = "[[target]]\napp = \"app2\"\nblue = \"app2-blue\"\nwave = \"canary\"\n";
    let query = "[[query]]\ntags = { tier = \"web\" }\n";
    file(
        &served,
        &format!("[[wave]]\nname = \"canary\"\n[[wave]]\nname = \"rest\"\n{canary}{query}{query}"),
    );
    exits(&served.run(&["fleet", "run"]), 0);
    let document = status(&served);
    let waves = document["targets"].as_array().expect("targets").iter();
    let waves: Vec<_> = waves
        .map(|target| target["wave"].as_str().expect("a wave"))
        .collect();
    assert_eq!(waves, ["canary", "rest"]);
    assert_eq!(runs(&served, 3), ["v1", "v2", "v2"]);
}

#[test]
fn each_command_of_a_fleet_has_its_own_help() {
    for (command, flag) in [
        (&["fleet", "rollback", "--help"][..], "--wave"),
        (&["fleet", "status", "-h"], "--watch"),
        (&["fleet", "run", "-h"], "--anew"),
        (&["fleet", "export", "kubernetes", "--help"], "--image"),
    ] {
        let served = hermetic(command).output().expect("the binary runs");
        let (shown, _) = exits(&served, 0);
        assert!(shown.contains(flag), "{command:?}: {shown}");
        assert!(!shown.contains("--drain "), "{shown}");
    }
}

#[test]
fn a_fleet_without_versions_is_not_exported() {
    let served = world(1);
    let target = targets([1], "all").replace("wave = \"all\"\n", "");
    let text = format!("{target}{SETTINGS}").replace("version-label = \"v2\"\n", "");
    std::fs::write(served.folder.path().join("fleet.toml"), text).expect("it is written");
    for export in [
        &["fleet", "export", "step-functions"][..],
        &["fleet", "export", "kubernetes", "--image", "bluegreen:1"],
    ] {
        let (_, told) = exits(&served.run(export), 3);
        assert!(
            told.contains("target app1-blue has no version-label"),
            "{told}"
        );
    }
    let named = ["fleet", "export", "step-functions", "--version-label", "v2"];
    let (template, _) = exits(&served.run(&named), 0);
    let template: Value = serde_json::from_str(&template).expect("JSON");
    let command = &template["Resources"]["StateMachine"]["Properties"]["Definition"]["States"]["Targets of all"]
        ["Result"][0]["command"];
    let command = command.to_string();
    assert!(
        command.contains("--version-label=v2") && command.contains("--blue=app1-blue"),
        "{command}"
    );
}

/// The pods of an exported Job pass Pod Security "restricted", and each ends as its exit code says.
#[test]
fn an_exported_job_is_restricted_and_knows_the_exit_codes() {
    let served = world(1);
    file(
        &served,
        &targets([1], "all").replace("wave = \"all\"\n", ""),
    );
    let export = [
        "fleet",
        "export",
        "kubernetes",
        "--image",
        "bluegreen:1",
        "--workers",
        "2",
    ];
    let (list, _) = exits(&served.run(&export), 0);
    let list: Value = serde_json::from_str(&list).expect("JSON");
    let (file, job) = (&list["items"][0], &list["items"][1]["spec"]);
    assert!(
        file["data"]["fleet.toml"]
            .as_str()
            .expect("a text")
            .contains("name = \"fleet\"")
    );
    assert_eq!(
        (&job["completionMode"], &job["completions"]),
        (&"Indexed".into(), &2.into())
    );
    let pod = &job["template"]["spec"];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(
        pod["securityContext"]["seccompProfile"]["type"],
        "RuntimeDefault"
    );
    let container = &pod["containers"][0]["securityContext"];
    assert_eq!(container["allowPrivilegeEscalation"], false);
    assert_eq!(container["readOnlyRootFilesystem"], true);
    assert_eq!(container["capabilities"]["drop"][0], "ALL");
    let rules = job["podFailurePolicy"]["rules"]
        .as_array()
        .expect("rules")
        .iter();
    let codes = |action: &str| {
        let rule = rules
            .clone()
            .find(|rule| rule["action"] == action)
            .expect("a rule");
        rule["onExitCodes"]["values"].to_string()
    };
    assert_eq!(codes("FailJob"), "[2,3,10,11,12,13,14,20]");
    assert_eq!(codes("Count"), "[75]");
}

/// A worker that dies at any of its first writes into the bucket leaves a target that another one
/// releases once, also where it died with the lock and before anything had begun.
#[test]
fn a_worker_that_dies_with_a_lock_leaves_a_target_that_another_one_releases() {
    for times in sampled("deaths at a write", 1..=8_usize, 3) {
        let served = world(1);
        let target = targets([1], "all").replace("wave = \"all\"\n", "");
        file(&served, &target);
        let victim = Victim::default();
        let killer = victim.clone();
        let writes = std::sync::atomic::AtomicUsize::new(0);
        served.sandbox.set_tap(move |call, phase| {
            let is_write = phase == Phase::After && call.operation == "PutObject";
            if is_write && writes.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1 == times {
                killer.kill();
                return TapVerdict::HangUp;
            }
            TapVerdict::Continue
        });
        let killed = victim.run(&mut served.bluegreen(&["fleet", "run"]));
        assert_eq!(killed.code(), None, "it was killed at write {times}");
        let elsewhere = Elsewhere::of(&served);
        let mut command = elsewhere.command(&["fleet", "run"]);
        command.current_dir(served.folder.path());
        exits(&command.output().expect("the binary runs"), 0);
        assert_eq!(runs(&served, 1), ["v2"], "killed at write {times}");
        is_clean(&served, &[(1, 1)]);
    }
}

#[test]
fn what_undoes_a_fleet_is_kept_without_a_version_and_when_it_begins_anew() {
    let served = world(2);
    let all = targets([1, 2], "all").replace("wave = \"all\"\n", "");
    file(&served, &all);
    let path = served.folder.path().join("fleet.toml");
    let text = std::fs::read_to_string(&path).expect("it reads");
    std::fs::write(&path, text.replace("version-label = \"v2\"\n", "")).expect("it is written");
    exits(&served.run(&["fleet", "run"]), 0);
    let newest = runs(&served, 2);
    assert_ne!(newest, ["v1"; 2]);
    exits(&served.run(&["fleet", "run"]), 0);
    let (anew, _) = exits(&served.run(&["fleet", "run", "--anew"]), 0);
    assert!(anew.contains("it was live already"), "{anew}");
    exits(&served.run(&["fleet", "rollback"]), 0);
    assert_eq!(runs(&served, 2), ["v1"; 2]);
}
