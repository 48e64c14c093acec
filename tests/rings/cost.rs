//! What the views, reports and messages cost: nothing at AWS.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bluegreen_sandbox::{Phase, TapVerdict};

use crate::support::receiver::Receiver;
use crate::support::served::Served;

/// How often each operation was called in a release with these arguments and variables.
fn calls(arguments: &[&str], variables: &[(&str, String)]) -> BTreeMap<String, usize> {
    let served = Served::at_speed(300.0);
    served.sandbox.with_world(|world, _| {
        world.seed_chance(7);
        world.timings = world.timings.even();
    });
    let counted: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
    let counts = counted.clone();
    served.sandbox.set_tap(move |call, phase| {
        if phase == Phase::Before {
            let mut counts = counts.lock().expect("no panic holds it");
            *counts.entry(call.operation.to_owned()).or_default() += 1;
        }
        TapVerdict::Continue
    });
    let release = ["run", "--version-label", "v2"];
    let mut command = served.bluegreen(&[&release, arguments].concat());
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    drop(served);
    let counted = counted.lock().expect("no panic holds it");
    counted.clone()
}

/// A release with every view, report and message asks AWS what one without them asks: the same
/// operations, each change as often, and as much at each poll.
#[test]
fn a_release_with_everything_on_calls_aws_no_more_than_one_with_nothing_on() {
    let quiet = calls(&["-q"], &[]);
    let receiver = Receiver::new();
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let url = format!("http://127.0.0.1:{}", receiver.port);
    let notify = "{ to = \"webhook\", url = \"env:HOOK\", secret = \"env:HOOK_SECRET\" }";
    let everything = calls(
        &["--probe", "--output", "jsonl", "--notify", notify],
        &[
            ("HOOK", format!("{url}/hook")),
            ("HOOK_SECRET", "a secret of some length".to_owned()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", url.clone()),
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_OUTPUT", file("output")),
            ("GITHUB_STEP_SUMMARY", file("summary")),
        ],
    );
    assert!(
        receiver.received().iter().any(|got| got.path == "/hook"),
        "the messages are on"
    );
    let names = |calls: &BTreeMap<String, usize>| calls.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&quiet), names(&everything));
    // What is asked at each poll, by the clock of the machine, is counted against the polls.
    let polls = |calls: &BTreeMap<String, usize>| calls["DescribeEnvironments"];
    let is_timed = |name: &str| {
        ["Describe", "Get", "List", "Head", "Put", "Check"]
            .iter()
            .any(|word| name.starts_with(word))
    };
    for (name, times) in &quiet {
        let with_everything = everything[name];
        if is_timed(name) {
            let allowed = times * polls(&everything) * 5 / (polls(&quiet) * 4) + 3;
            assert!(
                with_everything <= allowed,
                "{name}: {times}, then {with_everything}"
            );
        } else {
            assert_eq!(*times, with_everything, "{name}");
        }
    }
}
