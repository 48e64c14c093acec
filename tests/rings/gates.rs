//! Hooks and approvals, through the real binary.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bluegreen_sandbox::{FaultEffect, PRODUCTION, Phase, Sandbox, TapVerdict};

use crate::support::served::{Served, approver};
use bluegreen_testing::sample::sampled;

const SPEED: f64 = 600.0;

/// Releases v2 with these hooks; gives how it ended and what it said.
fn release(served: &Served, hooks: &[&str]) -> (Option<i32>, String) {
    let mut arguments = vec!["run", "--version-label", "v2"];
    for hook in hooks {
        arguments.extend(["--hook", hook]);
    }
    ended(&served.run(&arguments))
}

fn ended(output: &Output) -> (Option<i32>, String) {
    let told = [&output.stdout[..], &output.stderr[..]].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&told).into_owned(),
    )
}

/// Starts the binary and leaves it running.
fn started(served: &Served, arguments: &[&str]) -> Child {
    let mut command = served.bluegreen(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary starts")
}

#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// SIGINT, and how it ended.
#[track_caller]
fn interrupted(child: Child) -> (Option<i32>, String) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-s", "INT", &id]).status();
    assert!(sent.expect("kill runs").success());
    ended(&child.wait_with_output().expect("it ends"))
}

fn state(served: &Served) -> String {
    let (_, told) = ended(&served.run(&["status", "--all", "--json"]));
    let from = told.find('{').expect("a document");
    let document = serde_json::Deserializer::from_str(&told[from..])
        .into_iter()
        .next();
    let document: serde_json::Value = document.expect("a document").expect("JSON");
    document["deployments"][0]["state"]
        .as_str()
        .expect("a state")
        .to_owned()
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

#[track_caller]
fn check(served: &Served, holder: &str, version: &str) {
    let report = served.sandbox.report();
    assert_eq!(report.lost, 0, "{:?}", report.losses);
    assert_eq!(report.interruptions, []);
    served.sandbox.with_world(|world, _| {
        let holds = world.cname_holder(PRODUCTION).expect("somebody holds it");
        assert_eq!(
            (holds.name.as_str(), holds.version_label.as_str()),
            (holder, version)
        );
    });
}

#[test]
fn hooks_run_before_and_after_the_stages_and_read_the_state() {
    let served = Served::at_speed(SPEED);
    let log = served.folder.path().join("log");
    let said = format!(
        "command = 'cat >> {0}; echo $BLUEGREEN_HOOK_WHEN $BLUEGREEN_STAGE', on-failure = 'ignore'",
        log.display()
    );
    let hook =
        |when: &str, stage: &str| format!("{{ when = '{when}', stage = '{stage}', {said} }}");
    let hooks = [
        hook("before", "preparing"),
        hook("before", "swapping-to-blue"),
        hook("after", "swapping-to-blue"),
        hook("before", "held"),
        hook("before", "completed"),
    ];
    let (code, told) = release(&served, &hooks.each_ref().map(String::as_str));
    assert_eq!(code, Some(0), "{told}");
    check(&served, "shop-blue", "v2");
    let read = std::fs::read_to_string(log).expect("the hooks ran");
    let documents: Vec<serde_json::Value> = read
        .lines()
        .map(|line| serde_json::from_str(line).expect("a document"))
        .collect();
    let passages: Vec<_> = documents
        .iter()
        .map(|document| {
            let (hook, passage) = (&document["hook"], &document["transition"]);
            [
                &hook["when"],
                &hook["stage"],
                &passage["from"],
                &passage["to"],
            ]
            .map(|value| value.as_str().unwrap_or("-").to_owned())
        })
        .collect();
    let expected = [
        ["before", "Preparing", "-", "Preparing"],
        ["before", "SwappingToBlue", "Testing", "SwappingToBlue"],
        ["after", "SwappingToBlue", "SwappingToBlue", "Baking"],
        ["before", "Completed", "TerminatingGreen", "Completed"],
    ];
    assert_eq!(passages, expected.map(|p| p.map(str::to_owned)));
    assert_eq!(documents[1]["deployment"]["version"], "v2");
    // What they say is kept.
    let (_, shown) = ended(&served.run(&["status", "--all", "--json"]));
    assert!(shown.contains("after SwappingToBlue"), "{shown}");
}

#[test]
fn a_hook_that_fails_means_what_it_says() {
    let failing = |when: &str, stage: &str, on_failure: &str| {
        format!(
            "{{ when = '{when}', stage = '{stage}', command = 'echo >> ran; echo no; exit 3', on-failure = '{on_failure}' }}"
        )
    };
    for (when, stage, on_failure, code, holder, version) in sampled(
        "hooks that fail",
        [
            ("before", "cloning", "rollback", 10, "shop-blue", "v1"),
            (
                "before",
                "swapping-to-green",
                "rollback",
                10,
                "shop-blue",
                "v1",
            ),
            ("after", "deploying", "rollback", 10, "shop-blue", "v1"),
            (
                "before",
                "swapping-to-blue",
                "rollback",
                10,
                "shop-blue",
                "v1",
            ),
            ("after", "baking", "rollback", 10, "shop-blue", "v1"),
            ("before", "deploying", "hold", 14, "shop-blue-green", "v1"),
            (
                "before",
                "swapping-to-blue",
                "hold",
                14,
                "shop-blue-green",
                "v1",
            ),
            (
                "before",
                "terminating-green",
                "hold",
                14,
                "shop-blue-green",
                "v1",
            ),
            ("before", "testing", "ignore", 0, "shop-blue", "v2"),
        ],
        3,
    ) {
        let served = Served::at_speed(SPEED);
        let (found, told) = release(&served, &[&failing(when, stage, on_failure)]);
        let place = format!("{when} {stage}, {on_failure}");
        assert_eq!(found, Some(code), "{place}: {told}");
        assert!(told.contains("failed: exit code 3: no"), "{place}: {told}");
        check(&served, holder, version);
        let ran = lines(&served.folder.path().join("ran"));
        assert_eq!(ran, 1, "{place}: not again on the way back: {told}");
        if code == 10 {
            // Whoever reads the end of it reads what was wrong.
            let why = format!("Why: the hook {when} ");
            assert!(told.contains(&why), "{place}: {told}");
            assert!(!told.contains("an operator cancelled"), "{place}: {told}");
        }
        if code == 14 {
            assert!(told.contains("Held after"), "{place}: {told}");
            assert!(!told.contains("not healthy"), "{place}: {told}");
            let (code, told) = ended(&served.run(&["rollback"]));
            assert_eq!(code, Some(0), "{place}: {told}");
            check(&served, "shop-blue", "v1");
        }
    }
}

#[test]
fn a_hook_that_says_so_runs_on_the_way_back_too() {
    let hooks = [("", 1), (", on = 'release'", 1), (", on = 'always'", 2)];
    for (on, runs) in sampled("hooks on the way back", hooks, 1) {
        let served = Served::at_speed(SPEED);
        let before = format!(
            "{{ when = 'before', stage = 'swapping-to-blue', command = 'echo >> ran', on-failure = 'ignore'{on} }}"
        );
        let fails =
            "{ when = 'after', stage = 'baking', command = 'exit 3', on-failure = 'rollback' }";
        let (code, told) = release(&served, &[&before, fails]);
        assert_eq!(code, Some(10), "{on}: {told}");
        check(&served, "shop-blue", "v1");
        let ran = lines(&served.folder.path().join("ran"));
        assert_eq!(ran, runs, "{on}: {told}");
        assert!(
            told.contains("Why: the hook after Baking failed: exit code 3"),
            "{on}: {told}"
        );
    }
}

/// A pause that was not approved in time is the cause, and no operator who was not there.
#[test]
fn a_pause_that_nobody_approved_is_the_cause_of_its_rollback() {
    let served = Served::at_speed(SPEED);
    let url = approver(|_| 403);
    let run = ["run", "--version-label", "v2", "--pause-before", "cutover"];
    let asks = [
        "--approve-url",
        &url,
        "--approve-limit",
        "10m",
        "--approve-otherwise",
        "rollback",
    ];
    let (code, told) = ended(&served.run(&[&run[..], &asks].concat()));
    assert_eq!(code, Some(10), "{told}");
    assert!(
        told.contains("Why: nobody approved it within 10m"),
        "{told}"
    );
}

#[test]
fn what_hooks_cannot_mean_is_refused_before_anything_is_changed() {
    let served = Served::at_speed(SPEED);
    let hold = "{ when = 'before', stage = 'baking', command = 'false', on-failure = 'hold' }";
    let promote = ["run", "--strategy", "promote", "--hook", hold];
    let (code, told) = ended(&served.run(&promote));
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains("nothing can be held"), "{told}");
    let (code, told) = release(&served, &["{ when = 'before' }"]);
    assert_eq!(code, Some(3), "{told}");
    check(&served, "shop-blue", "v1");
}

#[test]
fn a_pause_is_approved_refused_or_given_up() {
    let pause = ["run", "--version-label", "v2", "--pause-before", "cutover"];
    let swap = ["run", "--version-label", "v2", "--pause-before", "swap"];
    let back = ["--approve-otherwise", "rollback"];
    for (run, statuses, more, code, holder, version) in sampled(
        "pauses",
        [
            (
                &pause,
                &[403, 500, 200, 204][..],
                &[][..],
                0,
                "shop-blue",
                "v2",
            ),
            (&pause, &[403, 409], &[], 10, "shop-blue", "v1"),
            (&pause, &[403], &[], 14, "shop-blue-green", "v1"),
            (&pause, &[403], &back, 10, "shop-blue", "v1"),
            (&swap, &[403, 204], &[], 0, "shop-blue", "v2"),
            (&swap, &[409], &[], 10, "shop-blue", "v1"),
            (&swap, &[403], &back, 10, "shop-blue", "v1"),
            // Green does not serve yet, so there is nothing to hold.
            (&swap, &[403], &[], 10, "shop-blue", "v1"),
        ],
        3,
    ) {
        let served = Served::at_speed(SPEED);
        let asked = Arc::<AtomicUsize>::default();
        let count = asked.clone();
        // In turn, and the last one for ever.
        let url = approver(move |number| {
            count.fetch_add(1, Ordering::SeqCst);
            statuses[number.min(statuses.len() - 1)]
        });
        let limit = ["--approve-url", &url, "--approve-limit", "5m"];
        let arguments = [&run[..], &limit, more].concat();
        let (found, told) = ended(&served.run(&arguments));
        let case = format!("{run:?} {statuses:?} {more:?}");
        assert_eq!(found, Some(code), "{case}: {told}");
        assert!(asked.load(Ordering::SeqCst) >= statuses.len(), "{case}");
        assert!(!told.contains("hush"), "{case}: {told}");
        let is_refused = statuses.contains(&409);
        let says_so = told.contains("Why: the approval was refused: 409 Conflict");
        assert_eq!(says_so, is_refused, "{case}: {told}");
        check(&served, holder, version);
        let journal = std::fs::read(served.journal()).expect("the journal");
        assert!(!String::from_utf8_lossy(&journal).contains("hush"));
    }
}

#[test]
fn an_approval_that_nothing_would_ask_for_is_refused() {
    let served = Served::at_speed(SPEED);
    let run = ["run", "--approve-url", "http://127.0.0.1:1/hush"];
    let (code, told) = ended(&served.run(&run));
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains("--approve-url needs a pause"), "{told}");
    assert!(!told.contains("hush"), "{told}");
    assert_eq!(served.sandbox.report().calls.get("CreateEnvironment"), None);
}

#[test]
fn a_pause_before_either_swap_can_be_waited_for() {
    for pause in ["swap", "cutover"] {
        let served = Served::at_speed(SPEED);
        let run = ["run", "--version-label", "v2", "--pause-before", pause];
        let (code, told) = ended(&served.run(&run));
        assert_eq!(code, Some(0), "{told}");
        let (code, told) = ended(&served.run(&["wait", "--for", "paused"]));
        assert_eq!(code, Some(0), "{pause}: {told}");
    }
}

#[test]
fn an_alarm_that_goes_off_returns_production_to_green() {
    let run = ["run", "--version-label", "v2", "--alarm", "errors"];
    let served = Served::at_speed(SPEED);
    let set = |sandbox: &Sandbox, state: &str| {
        sandbox.with_world(|world, _| world.set_alarm("errors", state));
    };
    let (code, told) = ended(&served.run(&run));
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains("no CloudWatch alarm named errors"), "{told}");
    set(&served.sandbox, "ALARM");
    let (code, told) = ended(&served.run(&run));
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains("the alarm errors is in alarm"), "{told}");
    set(&served.sandbox, "OK");
    let (sandbox, swaps) = (served.sandbox.clone(), AtomicUsize::new(0));
    served.sandbox.set_tap(move |call, phase| {
        if phase == Phase::After
            && call.operation == "SwapEnvironmentCNAMEs"
            && swaps.fetch_add(1, Ordering::SeqCst) == 1
        {
            set(&sandbox, "ALARM");
        }
        TapVerdict::Continue
    });
    let (code, told) = ended(&served.run(&run));
    assert_eq!(code, Some(14), "{told}");
    assert!(
        told.contains("production was sick: the alarm errors"),
        "{told}"
    );
    check(&served, "shop-blue-green", "v1");
    // It is over.
    served
        .sandbox
        .with_world(|world, _| world.set_alarm("errors", "OK"));
    let (code, told) = ended(&served.run(&["resume"]));
    assert_eq!(code, Some(0), "{told}");
    check(&served, "shop-blue", "v2");
}

/// Neither the process that asked nor the URL is left, and still nothing goes on unasked.
#[test]
fn an_interrupted_approval_is_asked_for_again() {
    for pause in ["swap", "cutover"] {
        let served = Served::at_speed(SPEED);
        let (status, asked) = (Arc::new(AtomicU16::new(403)), Arc::<AtomicUsize>::default());
        let (answers, count) = (status.clone(), asked.clone());
        let url = approver(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            answers.load(Ordering::SeqCst)
        });
        let holder = match pause {
            "swap" => "shop-blue",
            _ => "shop-blue-green",
        };
        let run = ["run", "--version-label", "v2", "--pause-before", pause];
        let child = started(&served, &[&run[..], &["--approve-url", &url]].concat());
        until("it asks", || asked.load(Ordering::SeqCst) > 0);
        let (code, told) = interrupted(child);
        assert_eq!(code, Some(75), "{told}");
        assert!(told.contains("the deployment is paused"), "{told}");
        assert!(
            told.contains("--approve continues without approval"),
            "{told}"
        );
        let paused = state(&served);
        assert!(paused.starts_with("Awaiting"), "{paused}");

        let (code, told) = ended(&served.run(&["resume"]));
        assert_eq!(code, Some(3), "{told}");
        assert!(told.contains("no URL is named"), "{told}");
        let (code, told) = ended(&served.run(&["resume", "--all"]));
        assert_eq!(code, Some(0), "{told}");
        assert_eq!(state(&served), paused);
        check(&served, holder, "v1");

        for resume in [&["resume"][..], &["resume", "--all"]] {
            let before = asked.load(Ordering::SeqCst);
            let child = started(&served, &[resume, &["--approve-url", &url]].concat());
            until("it asks again", || {
                asked.load(Ordering::SeqCst) > before + 1
            });
            let (code, told) = interrupted(child);
            assert_eq!(code, Some(75), "{told}");
            assert_eq!(state(&served), paused);
            check(&served, holder, "v1");
        }

        status.store(204, Ordering::SeqCst);
        let (code, told) = ended(&served.run(&["resume", "--approve-url", &url]));
        assert_eq!(code, Some(0), "{told}");
        check(&served, "shop-blue", "v2");
        let journal = std::fs::read(served.journal()).expect("the journal");
        assert!(!String::from_utf8_lossy(&journal).contains("hush"));
    }
}

#[test]
fn an_operator_may_approve_in_place_of_the_url() {
    let served = Served::at_speed(SPEED);
    let asked = Arc::<AtomicUsize>::default();
    let count = asked.clone();
    let url = approver(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        403
    });
    let run = ["run", "--version-label", "v2", "--pause-before", "cutover"];
    // A process that is gone before the pause leaves it to one that knows no URL.
    let hook = "{ when = 'before', stage = 'awaiting-cutover', on-failure = 'ignore', \
                command = 'test -e once && exit; touch once; sleep 60' }";
    let asks = ["--approve-url", &url, "--hook", hook];
    let child = started(&served, &[&run[..], &asks].concat());
    until("the hook runs", || {
        served.folder.path().join("once").exists()
    });
    assert_eq!(interrupted(child).0, Some(75));
    let (code, told) = ended(&served.run(&["resume", "--approve"]));
    assert_eq!(code, Some(3), "{told}");
    assert!(
        told.contains("only a paused deployment can be approved"),
        "{told}"
    );
    let (code, told) = ended(&served.run(&["resume"]));
    assert_eq!(code, Some(75), "{told}");
    assert!(told.contains("nothing requests its approval"), "{told}");
    assert_eq!(state(&served), "AwaitingCutover");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    let (code, told) = ended(&served.run(&["resume", "--approve"]));
    assert_eq!(code, Some(0), "{told}");
    check(&served, "shop-blue", "v2");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[test]
fn a_pause_that_was_held_is_asked_for_again() {
    let served = Served::at_speed(SPEED);
    let asked = Arc::<AtomicUsize>::default();
    let count = asked.clone();
    let url = approver(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        403
    });
    let run = ["run", "--version-label", "v2", "--pause-before", "cutover"];
    let limit = ["--approve-url", &url, "--approve-limit", "5m"];
    let (code, told) = ended(&served.run(&[&run[..], &limit].concat()));
    assert_eq!(code, Some(14), "{told}");
    assert!(told.contains("is not approved"), "{told}");
    let before = asked.load(Ordering::SeqCst);
    let (code, told) = ended(&served.run(&["resume", "--approve-url", &url]));
    assert_eq!(code, Some(14), "{told}");
    assert!(asked.load(Ordering::SeqCst) > before);
    check(&served, "shop-blue-green", "v1");
    let (code, told) = ended(&served.run(&["resume", "--approve"]));
    assert_eq!(code, Some(0), "{told}");
    check(&served, "shop-blue", "v2");
}

/// The hooks of a change that an operator's order makes are not lost with the process.
#[test]
fn a_hook_that_is_interrupted_after_an_order_runs_again() {
    for (when, stage, runs_before) in [("after", "awaiting-cutover", 0), ("before", "testing", 1)] {
        let served = Served::at_speed(SPEED);
        let log = served.folder.path().join("log");
        let hook = format!(
            "{{ when = '{when}', stage = '{stage}', on-failure = 'rollback', \
             command = 'echo x >> log; test $(wc -l < log) -ne {} || sleep 60' }}",
            runs_before + 1
        );
        let run = ["run", "--version-label", "v2", "--pause-before", "cutover"];
        let (code, told) = ended(&served.run(&[&run[..], &["--hook", &hook]].concat()));
        assert_eq!(code, Some(0), "{told}");
        assert_eq!(lines(&log), runs_before, "{when} {stage}");
        let child = started(&served, &["resume"]);
        until("the hook runs", || lines(&log) > runs_before);
        assert_eq!(interrupted(child).0, Some(75));
        let (code, told) = ended(&served.run(&["resume"]));
        assert_eq!(code, Some(0), "{told}");
        assert_eq!(lines(&log), runs_before + 2, "{when} {stage}: {told}");
        check(&served, "shop-blue", "v2");
    }
}

#[test]
fn a_corrected_version_pauses_again() {
    let served = Served::at_speed(SPEED);
    let run = ["run", "--version-label", "v2", "--pause-before", "cutover"];
    let (code, told) = ended(&served.run(&run));
    assert_eq!(code, Some(0), "{told}");
    served.inject(FaultEffect::VersionAnswers {
        label: "v2".to_owned(),
        status: 500,
    });
    let (code, told) = ended(&served.run(&["resume"]));
    assert_eq!(code, Some(14), "{told}");
    served.sandbox.with_world(|world, _| {
        let mut corrected = world.view.versions[1].clone();
        "v3".clone_into(&mut corrected.label);
        world.view.versions.push(corrected);
    });
    let (code, told) = ended(&served.run(&["resume", "--version-label", "v3"]));
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(state(&served), "AwaitingCutover", "{told}");
    check(&served, "shop-blue-green", "v1");
    let (code, told) = ended(&served.run(&["resume"]));
    assert_eq!(code, Some(0), "{told}");
    check(&served, "shop-blue", "v3");
}

const OF_BOTH: &str = r#"{ url = "/health", json = { "/status" = "ok" } }"#;
const OF_V2_ALONE: &str = r#"{ url = "/health", json = { "/version" = "v2" }, on = "release" }"#;
const OF_V1_ALONE: &str = r#"{ url = "/health", json = { "/version" = "v1" } }"#;

/// The version before cannot pass what only the new one can.
#[test]
fn the_way_back_does_not_fail_on_tests_of_the_new_version() {
    let paused = |test: &str| {
        let served = Served::at_speed(SPEED);
        let run = ["run", "--version-label", "v2", "--pause-before", "cutover"];
        let (code, told) = ended(&served.run(&[&run[..], &["--test", test]].concat()));
        assert_eq!(code, Some(0), "{told}");
        served
    };
    // What both versions passed, the previous one does not pass any more: data have moved on.
    let failed_meanwhile = || {
        let served = paused(OF_BOTH);
        served.inject(FaultEffect::VersionSays {
            label: "v1".to_owned(),
            body: r#"{"version":"v1"}"#.to_owned(),
        });
        served
    };
    let backs = ["rollback", "abort"].into_iter();
    let backs = backs.flat_map(|back| [(back, false), (back, true)]);
    for (back, has_failed) in sampled("ways back", backs, 1) {
        let (served, test): (_, &[&str]) = match has_failed {
            false => (paused(OF_V2_ALONE), &[]),
            true => (failed_meanwhile(), &["--test", OF_V1_ALONE]),
        };
        let (code, told) = ended(&served.run(&[&[back], test].concat()));
        assert_eq!(code, Some(0), "{told}");
        check(&served, "shop-blue", "v1");
    }

    // It is held once, not for ever; and what a variable says is the release's.
    let served = failed_meanwhile();
    let mut back = served.bluegreen(&["rollback"]);
    let back = back
        .env("BLUEGREEN_TEST", r#"{ url = "/health" }"#)
        .output();
    let (code, told) = ended(&back.expect("the binary runs"));
    assert_eq!(code, Some(14), "{told}");
    assert!(told.contains("rollback"), "{told}");
    let (code, told) = ended(&served.run(&["rollback", "--test-url", "/health"]));
    assert_eq!(code, Some(0), "{told}");
    check(&served, "shop-blue", "v1");
}

/// Otherwise a resume would begin a second one beside it.
#[test]
fn a_hook_dies_with_the_process_that_started_it() {
    let served = Served::at_speed(SPEED);
    let hook = "{ when = 'before', stage = 'cloning', on-failure = 'rollback', \
                command = 'test -e ids && exit; trap \"\" TERM; sleep 300 & echo $$ $! > new; mv new ids; wait' }";
    let mut child = started(&served, &["run", "--version-label", "v2", "--hook", hook]);
    let ids = served.folder.path().join("ids");
    until("the hook runs", || ids.exists());
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    let ids = std::fs::read_to_string(ids).expect("two ids");
    let is_gone = |id: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z "))
    };
    until("both are gone", || ids.split_whitespace().all(is_gone));
    let (code, told) = ended(&served.run(&["resume"]));
    assert_eq!(code, Some(0), "{told}");
    check(&served, "shop-blue", "v2");
}

/// A hook may run this program, which must not take the hook's variables for flags.
#[test]
fn no_variable_of_a_command_is_one_of_a_flag() {
    fn taken(command: &clap::Command, all: &mut BTreeSet<String>) {
        let names = command.get_arguments().filter_map(clap::Arg::get_env);
        all.extend(names.map(|name| name.to_string_lossy().into_owned()));
        command.get_subcommands().for_each(|sub| taken(sub, all));
    }
    let mut all = BTreeSet::new();
    taken(&bluegreen::cli::definition(), &mut all);
    assert!(all.contains("BLUEGREEN_HOOK"), "{all:?}");
    let given = [
        &bluegreen::hooks::VARIABLES[..],
        &bluegreen::prober::TEST_VARIABLES,
    ]
    .concat();
    for name in given {
        assert!(!all.contains(name), "{name}");
    }
}

#[test]
fn a_hook_may_run_this_program() {
    let served = Served::at_speed(SPEED);
    let program = env!("CARGO_BIN_EXE_bluegreen");
    let hook = format!(
        "{{ when = 'before', stage = 'cloning', on-failure = 'rollback', command = '{program} config check' }}"
    );
    let (code, told) = release(&served, &[&hook]);
    assert_eq!(code, Some(0), "{told}");
}
