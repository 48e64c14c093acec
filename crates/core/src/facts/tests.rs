//! What AWS shows, and what follows from it.

use super::*;
use crate::acceptance::TestCommand;
use crate::command::End;
use crate::deployment::Intent;
use crate::facts::Probe;
use crate::machine::State;
use crate::plan::Goal;

fn deployment() -> Deployment {
    let mut deployment = Deployment::new(Plan::sample("A"), Moment(0));
    deployment.state = State::Deploying;
    deployment.entered_at = Moment(10);
    let intent = Intent::at(Moment(20));
    deployment.intents.insert(EffectKind::Deploy, intent);
    deployment
}

fn event(at: u64, severity: &str, message: &str, request: &str) -> Event {
    Event {
        at: Moment(at),
        severity: severity.to_owned(),
        message: message.to_owned(),
        request_id: Some(request.to_owned()),
    }
}

fn runs(version: &str, status: &str) -> InstanceVersion {
    InstanceVersion {
        id: "i-1".to_owned(),
        version_label: Some(version.to_owned()),
        status: Some(status.to_owned()),
    }
}

const STARTS: &str = "Environment update is starting.";
const DONE: &str = "Environment update completed successfully.";
const WSGI: &str = "Your WSGIPath refers to a file that does not exist.";
const TIMED_OUT: &str = "Update environment operation is complete, but with command timeouts. Try \
                         increasing the timeout period.";

/// Blue as a poll finds it.
fn blue(status: &str, version: &str) -> Environment {
    Environment {
        id: "e-blue".to_owned(),
        name: "blue".to_owned(),
        status: status.to_owned(),
        version_label: Some(version.to_owned()),
        ..Environment::default()
    }
}

/// Polls that all find the same of Ready blue, thirty seconds apart, and what each makes of the
/// deploy.
fn judged(
    deployment: &Deployment,
    version: &str,
    events: &[Event],
    instances: Option<Vec<InstanceVersion>>,
    looks: u64,
) -> Vec<Deploy> {
    let sighting = Sighting {
        environments: vec![blue("Ready", version)],
        events: events.to_vec(),
        instances,
        ..Sighting::default()
    };
    let mut streaks = Streaks::default();
    let at = (0..looks).map(|look| Moment(100_000 + look * 30_000));
    at.map(|now| streaks.observe(deployment, &sighting, now).deploy)
        .collect()
}

/// An update without a terminal event: an error is the cause; without one, the label and the
/// instances decide, since no page documents the final events of traffic splitting. Basic health
/// does not show enough.
#[test]
fn an_update_of_ready_blue_that_tells_of_no_end_has_ended() {
    let starts = event(30, "INFO", STARTS, "r");
    let error = event(40, "ERROR", WSGI, "r");
    let new = Some(vec![runs("v2", "Deployed")]);
    let old = Some(vec![runs("v1", "Deployed")]);
    let deployment = deployment();
    let quiet = judged(
        &deployment,
        "v2",
        std::slice::from_ref(&starts),
        new.clone(),
        3,
    );
    assert_eq!(quiet, [Deploy::Running, Deploy::Running, Deploy::Proven]);
    let failed = judged(&deployment, "v2", &[starts.clone(), error], new.clone(), 3);
    assert_eq!(
        failed[1..],
        [Deploy::Running, Deploy::Failed(WSGI.to_owned())]
    );
    for (version, instances, says) in [
        (
            "v1",
            new,
            "blue shows version v1, and every instance runs v2",
        ),
        ("v2", old, "i-1 runs v1 (Deployed)"),
        ("v2", Some(vec![]), "it has no instance"),
        ("v2", None, "AWS does not say what its instances run"),
    ] {
        let found = judged(
            &deployment,
            version,
            std::slice::from_ref(&starts),
            instances,
            3,
        );
        let Deploy::Failed(why) = &found[2] else {
            panic!("{version}: {found:?}");
        };
        assert!(why.contains(says), "{why}");
    }
}

/// A poll may be stale, and an update that continues has new events.
#[test]
fn an_update_that_changes_has_not_ended() {
    let deployment = deployment();
    let mut streaks = Streaks::default();
    for look in 0..10 {
        let steps = (0..=look).map(|n| event(30 + n, "INFO", STEP, "r"));
        let sighting = Sighting {
            environments: vec![blue("Ready", "v2")],
            events: std::iter::once(event(30, "INFO", STARTS, "r"))
                .chain(steps)
                .collect(),
            ..Sighting::default()
        };
        let now = Moment(100_000 + look * 30_000);
        let seen = streaks.observe(&deployment, &sighting, now);
        assert_eq!(seen.deploy, Deploy::Running);
    }
}

const STEP: &str = "Instance deployment completed successfully.";

/// An instance that is replaced takes as long as a launch (aws/elastic-beanstalk-roadmap#162
/// has updates that succeed without one of them).
#[test]
fn an_instance_without_the_version_fails_the_deploy_after_a_while() {
    let events = [event(30, "INFO", STARTS, "r"), event(50, "INFO", DONE, "r")];
    let one_failed = Some(vec![runs("v2", "Deployed"), runs("v2", "Failed")]);
    let found = judged(&deployment(), "v2", &events, one_failed, 21);
    assert_eq!(found[..20], vec![Deploy::Unproven; 20]);
    let why = "the update completed, and i-1 runs v2 (Failed)".to_owned();
    assert_eq!(found[20], Deploy::Failed(why));
}

/// Enhanced health reports on every instance (developer guide, "Enhanced health reporting and
/// monitoring"): without a list nothing is proven.
#[test]
fn enhanced_health_that_lists_no_instance_proves_nothing() {
    let events = [event(30, "INFO", STARTS, "r"), event(50, "INFO", DONE, "r")];
    let mut deployment = deployment();
    let basic = judged(&deployment, "v2", &events, None, 1);
    assert_eq!(basic, [Deploy::Proven]);
    deployment.plan.wishes.limits.rollout.tells_instances = true;
    let enhanced = judged(&deployment, "v2", &events, None, 1);
    assert_eq!(enhanced, [Deploy::Unproven]);
}

/// Where the request's id is known, no other update's events count, and its own do, whichever text
/// they begin with.
#[test]
fn a_deploy_whose_request_is_known_is_judged_by_that_alone() {
    let mut deployment = deployment();
    let intent = deployment.intents.get_mut(&EffectKind::Deploy);
    intent.expect("it was asked for").outcome = Sent::Applied {
        request_id: Some("r".to_owned()),
    };
    let events = [
        event(40, "INFO", DONE, "r"),
        event(45, "INFO", STARTS, "console"),
        event(50, "ERROR", "Failed to deploy application.", "console"),
    ];
    let new = Some(vec![runs("v2", "Deployed")]);
    assert_eq!(judged(&deployment, "v2", &events, new, 1), [Deploy::Proven]);
}

/// A poll also reads the events of an update that continues; they say nothing of its end.
#[test]
fn an_update_is_not_judged_before_blue_is_ready() {
    let deployment = deployment();
    let sighting = Sighting {
        environments: vec![blue("Updating", "v2")],
        events: vec![
            event(30, "INFO", STARTS, "r"),
            event(40, "ERROR", "Failed to deploy application.", "r"),
        ],
        ..Sighting::default()
    };
    assert_eq!(deploy(&deployment, &sighting), Deploy::Asked);
}

/// A swap may report an error and continue; it ends once both environments are Ready. No public
/// source says which words report a failed one.
#[test]
fn a_swap_has_failed_once_its_errors_have_settled() {
    let deployment = deployment();
    let mut sighting = Sighting {
        swap_events: vec![
            event(30, "INFO", "swapEnvironmentCNAMEs is starting.", "s"),
            event(31, "ERROR", "Cannot reach the name servers.", "s"),
            event(32, "ERROR", "Failed to swap CNAMEs.", "s"),
        ],
        ..Sighting::default()
    };
    let mut streaks = Streaks::default();
    let mut after = |sighting: &Sighting, seconds: u64| {
        streaks.failure_of_the_swap(&deployment, sighting, Moment(seconds * 1000))
    };
    assert_eq!(after(&sighting, 40), None);
    assert_eq!(after(&sighting, 69), None);
    let both = "Cannot reach the name servers. Failed to swap CNAMEs.";
    assert_eq!(after(&sighting, 70).as_deref(), Some(both));
    let done = "Completed swapping CNAMEs for environments 'blue' and 'green'.";
    sighting.swap_events.push(event(33, "INFO", done, "s"));
    assert_eq!(after(&sighting, 80), None);
}

#[test]
fn a_deploy_is_proven_by_its_own_events_and_by_every_instance() {
    let starts = || event(30, "INFO", STARTS, "r");
    let done = || event(50, "INFO", DONE, "r");
    let broken = || event(40, "ERROR", "Failed to deploy application.", "r");
    let both_run_new = Some(vec![runs("v2", "Deployed"), runs("v2", "Deployed")]);
    let one_runs_old = Some(vec![runs("v2", "Deployed"), runs("v1", "Deployed")]);
    let one_goes_on = Some(vec![runs("v2", "Deployed"), runs("v2", "In Progress")]);
    let failed = Deploy::Failed("Failed to deploy application.".to_owned());
    let step = event(
        40,
        "INFO",
        "Instance deployment completed successfully.",
        "r",
    );
    for (events, instances, expected) in [
        (vec![], both_run_new.clone(), Deploy::Asked),
        (vec![starts()], both_run_new.clone(), Deploy::Running),
        (vec![starts(), step], both_run_new.clone(), Deploy::Running),
        (vec![starts(), done()], both_run_new.clone(), Deploy::Proven),
        (vec![starts(), done()], None, Deploy::Proven),
        (vec![starts(), done()], Some(vec![]), Deploy::Unproven),
        (vec![starts(), done()], one_runs_old, Deploy::Unproven),
        (vec![starts(), done()], one_goes_on, Deploy::Unproven),
        (
            vec![starts(), broken()],
            both_run_new.clone(),
            failed.clone(),
        ),
        // A terminal text of failure counts whatever else is told, and whatever its severity.
        (
            vec![starts(), broken(), done()],
            both_run_new.clone(),
            failed,
        ),
        (
            vec![starts(), event(40, "INFO", TIMED_OUT, "r")],
            both_run_new.clone(),
            Deploy::Failed(TIMED_OUT.to_owned()),
        ),
        // An error on the way is none of the end, where that is told.
        (
            vec![starts(), event(40, "ERROR", WSGI, "r"), done()],
            both_run_new.clone(),
            Deploy::Proven,
        ),
        (
            vec![starts(), event(40, "ERROR", WSGI, "r"), done()],
            Some(vec![runs("v2", "Deployed"), runs("v2", "Failed")]),
            Deploy::Unproven,
        ),
        (
            vec![starts(), event(40, "ERROR", WSGI, "r")],
            both_run_new.clone(),
            Deploy::Running,
        ),
        // An earlier update's failure is not this one's.
        (
            vec![
                event(25, "INFO", STARTS, "before"),
                event(26, "ERROR", "Failed to deploy application.", "before"),
                starts(),
                done(),
            ],
            both_run_new,
            Deploy::Proven,
        ),
    ] {
        let told = format!("{events:?} {instances:?}");
        let sighting = Sighting {
            events,
            instances,
            ..Sighting::default()
        };
        assert_eq!(deploy(&deployment(), &sighting), expected, "{told}");
    }
}

#[test]
fn a_deploy_of_an_earlier_visit_proves_nothing() {
    let mut again = deployment();
    again.entered_at = Moment(1_000);
    let sighting = Sighting {
        events: vec![event(30, "INFO", STARTS, "r"), event(50, "INFO", DONE, "r")],
        ..Sighting::default()
    };
    assert_eq!(deploy(&again, &sighting), Deploy::NotSinceEntry);
    again.intents.clear();
    assert_eq!(deploy(&again, &sighting), Deploy::Never);
}

#[test]
fn healthy_is_ready_and_no_worse_than_accepted() {
    use Health::{Degraded, Ok, Severe, Warning};
    for (status, health, health_status, from) in [
        ("Ready", "Green", Some("Ok"), Some(Ok)),
        ("Ready", "Green", Some("Info"), Some(Ok)),
        ("Ready", "Green", None, Some(Ok)),
        ("Ready", "Grey", Some("Pending"), None),
        ("Ready", "Grey", None, None),
        ("Ready", "Yellow", Some("Warning"), Some(Warning)),
        ("Ready", "Yellow", None, Some(Warning)),
        ("Ready", "Red", Some("Degraded"), Some(Degraded)),
        ("Ready", "Red", Some("Severe"), Some(Severe)),
        ("Ready", "Red", None, Some(Severe)),
        ("Ready", "Grey", Some("Suspended"), None),
        ("Updating", "Green", Some("Ok"), None),
    ] {
        let environment = Environment {
            status: status.to_owned(),
            health: health.to_owned(),
            health_status: health_status.map(str::to_owned),
            ..Environment::default()
        };
        for accepted in [Ok, Warning, Degraded, Severe] {
            let expected = from.is_some_and(|from| from <= accepted);
            let told = format!("{accepted:?}: {environment:?}");
            assert_eq!(is_healthy(&environment, accepted), expected, "{told}");
        }
    }
}

/// Blue and green, each with a health such as Ok; blue holds production.
fn as_well_as(blue: &str, green: &str) -> Sighting {
    let environment = |id: &str, name: &str, health: &str, cname: &str| Environment {
        id: id.to_owned(),
        name: name.to_owned(),
        status: "Ready".to_owned(),
        health: match health {
            "Ok" | "Info" => "Green",
            "Warning" => "Yellow",
            "Pending" => "Grey",
            _ => "Red",
        }
        .to_owned(),
        health_status: Some(health.to_owned()),
        cname: Some(cname.to_owned()),
        ..Environment::default()
    };
    Sighting {
        environments: vec![
            environment("e-blue", "blue", blue, "shop.example"),
            environment("e-g", "green", green, "green.example"),
        ],
        green_is_ours: true,
        ..Sighting::default()
    }
}

#[test]
fn what_counts_as_healthy_is_a_matter_of_the_plan() {
    let trusted = |accepted: Health, blue: &str, green: &str| {
        let mut deployment = under_test(State::Warming, &[]);
        deployment.plan.wishes.healthy = accepted;
        let mut streaks = Streaks::default();
        let mut look = || streaks.observe(&deployment, &as_well_as(blue, green), Moment(0));
        let looks = [look(), look(), look()];
        assert!(
            looks[..2]
                .iter()
                .all(|seen| !seen.blue_trusted && !seen.green_trusted)
        );
        (looks[2].blue_trusted, looks[2].green_trusted)
    };
    assert_eq!(trusted(Health::Ok, "Info", "Warning"), (true, false));
    assert_eq!(trusted(Health::Warning, "Warning", "Ok"), (true, true));
    assert_eq!(
        trusted(Health::Warning, "Warning", "Degraded"),
        (true, false)
    );
    assert_eq!(
        trusted(Health::Degraded, "Degraded", "Severe"),
        (true, false)
    );
    assert_eq!(trusted(Health::Severe, "Severe", "Pending"), (true, false));
}

#[test]
fn what_production_was_before_is_the_worst_that_was_seen_before_it_moved() {
    let mut deployment = under_test(State::Preparing, &[]);
    let mut look = |state: Option<State>, blue: &str, moved: Option<Moment>| {
        if let Some(state) = state {
            deployment.state = state;
        }
        deployment.traffic_moved_at = moved;
        deployment.usual_health = usual_health(&deployment, &as_well_as(blue, "Severe"));
        deployment.usual_health
    };
    assert_eq!(look(None, "Pending", None), None);
    assert_eq!(look(None, "Ok", None), Some(Health::Ok));
    assert_eq!(
        look(Some(State::Cloning), "Warning", None),
        Some(Health::Warning)
    );
    assert_eq!(
        look(Some(State::Warming), "Ok", None),
        Some(Health::Warning)
    );
    let moved = Some(Moment(1));
    let later = look(Some(State::Cloning), "Severe", moved);
    assert_eq!(
        later,
        Some(Health::Warning),
        "once more, after production moved"
    );
    let later = look(Some(State::Testing), "Severe", None);
    assert_eq!(later, Some(Health::Warning));
}

/// What becomes of a bake in which polls find production (blue) and green so three times: whether
/// production is healthy enough for it to end, and whether it is unhealthy.
fn baked_as(before: Option<Health>, accepted: Health, (blue, green): (&str, &str)) -> (bool, bool) {
    let mut deployment = under_test(State::Baking, &[]);
    deployment.plan.wishes.healthy = accepted;
    deployment.usual_health = before;
    let mut streaks = Streaks::default();
    let mut look = || streaks.observe(&deployment, &as_well_as(blue, green), Moment(0));
    let [_, _, last] = [look(), look(), look()];
    (last.blue_trusted, last.production_sick.is_some())
}

#[test]
fn a_bake_compares_health_with_what_it_was_before() {
    use Health::{Degraded, Ok, Warning};
    let (ends, waits, sick) = ((true, false), (false, false), (false, true));
    for (before, accepted, now, expected) in [
        (Some(Ok), Ok, ("Info", "Ok"), ends),
        // A Warning that is new keeps it waiting; one that was there before, or that green
        // has too, does not.
        (Some(Ok), Ok, ("Warning", "Ok"), waits),
        (None, Ok, ("Warning", "Pending"), waits),
        (Some(Warning), Ok, ("Warning", "Ok"), ends),
        (Some(Degraded), Ok, ("Warning", "Ok"), ends),
        (Some(Ok), Ok, ("Warning", "Warning"), ends),
        (None, Ok, ("Warning", "Severe"), ends),
        (Some(Ok), Warning, ("Warning", "Ok"), ends),
        // Red is sick but where it is accepted and was so before.
        (Some(Ok), Ok, ("Degraded", "Severe"), sick),
        (Some(Degraded), Ok, ("Degraded", "Degraded"), sick),
        (
            Some(Warning),
            Degraded,
            ("Degraded", "Degraded"),
            (true, true),
        ),
        (Some(Degraded), Degraded, ("Degraded", "Ok"), ends),
        (Some(Degraded), Degraded, ("Severe", "Severe"), sick),
        (Some(Degraded), Degraded, ("Suspended", "Ok"), sick),
        (Some(Warning), Ok, ("Pending", "Ok"), waits),
    ] {
        let told = format!("{before:?} {accepted:?} {now:?}");
        assert_eq!(baked_as(before, accepted, now), expected, "{told}");
    }
}

/// A Warning is tolerated for being as before only while nothing else is worse.
#[test]
fn a_warning_as_before_ends_no_bake_while_tests_or_errors_are_worse() {
    let mut deployment = under_test(State::Baking, &[(None, None)]);
    deployment.usual_health = Some(Health::Warning);
    let mut streaks = Streaks::default();
    let mut look = |passed: bool, errors: u32| {
        let sighting = Sighting {
            probes: vec![Probe {
                latency: None,
                status: None,
                led_to: None,
                body: None,
                asked: "GET /".to_owned(),
                got: "503".to_owned(),
                passed,
                is_sure: true,
            }],
            production_traffic: Some(crate::traffic::Traffic {
                requests: 100,
                server_errors: errors,
                ..crate::traffic::Traffic::default()
            }),
            ..as_well_as("Warning", "Ok")
        };
        streaks
            .observe(&deployment, &sighting, Moment(0))
            .blue_trusted
    };
    assert_eq!(
        [look(true, 0), look(true, 0), look(true, 0)],
        [false, false, true]
    );
    assert!(!look(false, 0), "a test failed");
    assert_eq!(
        [look(true, 0), look(true, 0), look(true, 9)],
        [false, false, false]
    );
    assert_eq!(
        [look(true, 0), look(true, 0), look(true, 0)],
        [false, false, true]
    );
}

#[test]
fn a_warning_that_is_new_is_told_every_few_looks() {
    let mut deployment = under_test(State::Baking, &[]);
    deployment.usual_health = Some(Health::Ok);
    let mut streaks = Streaks::default();
    let mut told = |now: &str| streaks.notices(&deployment, &as_well_as(now, "Ok"));
    let looks: Vec<_> = (1..=100).filter(|_| told("Warning").is_some()).collect();
    assert_eq!(looks, [2, 32, 62, 92]);
    assert_eq!(told("Ok"), None);
    assert_eq!(told("Warning"), None, "the count begins again");
    let told = told("Warning").expect("it is told");
    assert_eq!(told, ("Yellow Warning".to_owned(), Some("Ok".to_owned())));
}

#[test]
fn the_holder_is_found_whatever_the_case_and_settles_with_time() {
    let deployment = deployment();
    let holds = |id: &str, name: &str, cname: &str| Environment {
        id: id.to_owned(),
        name: name.to_owned(),
        cname: Some(cname.to_owned()),
        ..Environment::default()
    };
    let sighting = Sighting {
        environments: vec![
            holds("e-blue", "blue", "x"),
            holds("e-g", "green", "SHOP.example"),
        ],
        green_is_ours: true,
        ..Sighting::default()
    };
    let mut streaks = Streaks::default();
    let first = streaks.observe(&deployment, &sighting, Moment(0));
    assert_eq!(
        (first.production, first.production_settled),
        (Some(Role::Green), false)
    );
    let later = streaks.observe(&deployment, &sighting, Moment(30_000));
    assert!(later.production_settled);
    let neither = streaks.observe(&deployment, &Sighting::default(), Moment(31_000));
    assert_eq!(
        (neither.production, neither.production_settled),
        (None, false)
    );
}

/// The service spells statuses in capitals although its model does not.
#[test]
fn a_versions_status_is_read_without_case() {
    let plan = deployment().plan;
    let read = |status: &str| {
        let record = crate::facts::VersionRecord {
            label: "v2".to_owned(),
            status: status.to_owned(),
            has_source: true,
            bundle: None,
        };
        let sighting = Sighting {
            version: Some(Some(record)),
            ..Sighting::default()
        };
        version(&plan, &sighting)
    };
    assert_eq!(read("PROCESSED"), Version::Processed);
    assert_eq!(read("Processed"), Version::Processed);
    assert_eq!(read("UNPROCESSED"), Version::Processed);
    assert_eq!(read("PROCESSING"), Version::Processing);
    assert_eq!(read("BUILDING"), Version::Processing);
    assert_eq!(read("FAILED"), Version::Failed);
}

/// One poll of the tests of blue: whether each passed, and what its command did.
fn tested_in(streaks: &mut Streaks, deployment: &Deployment, passed: &[bool]) -> Seen {
    let probe = |(at, passed): (usize, &bool)| Probe {
        latency: None,
        status: None,
        led_to: None,
        body: None,
        asked: format!("GET {at}"),
        got: if *passed { "200 OK" } else { "500" }.to_owned(),
        passed: *passed,
        is_sure: true,
    };
    let command = |end| Ran {
        end,
        output: "3 of 9 fail\n".to_owned(),
        lasted: std::time::Duration::ZERO,
    };
    let code = deployment.plan.wishes.test_command.as_ref();
    let code = code.and_then(|test| test.command.strip_prefix("exit ")?.parse().ok());
    let runs = streaks.wants_command(deployment, Moment(0)).is_some()
        && passed.iter().all(|passed| *passed);
    let environment = |id: &str, name: &str| Environment {
        id: id.to_owned(),
        name: name.to_owned(),
        status: "Ready".to_owned(),
        health: "Green".to_owned(),
        ..Environment::default()
    };
    let sighting = Sighting {
        environments: vec![environment("e-blue", "blue"), environment("e-g", "green")],
        green_is_ours: true,
        probes: passed.iter().enumerate().map(probe).collect(),
        command: code.filter(|_| runs).map(|code| command(End::Exited(code))),
        ..Sighting::default()
    };
    streaks.observe(deployment, &sighting, Moment(0))
}

fn under_test(state: State, tests: &[(Option<u32>, Option<u32>)]) -> Deployment {
    let mut plan = Plan::sample("A");
    let test = |(passes, failures): &(Option<u32>, Option<u32>)| AcceptanceTest {
        passes: *passes,
        failures: *failures,
        ..AcceptanceTest::get("/")
    };
    plan.wishes.tests = tests.iter().map(test).collect();
    let mut deployment = Deployment::new(plan, Moment(0));
    deployment.state = state;
    deployment
}

fn commanding(command: &str) -> Option<TestCommand> {
    Some(TestCommand {
        command: command.to_owned(),
        limit: std::time::Duration::from_secs(60),
    })
}

#[test]
fn a_set_passes_once_each_test_has_passed_its_number_of_times_in_a_row() {
    let deployment = under_test(State::Testing, &[(Some(1), None), (None, None)]);
    let mut streaks = Streaks::default();
    for (passed, expected) in [
        ([true, true], Test::Undecided),
        ([true, true], Test::Undecided),
        ([true, true], Test::Passed),
        // The row of the first begins again, and is one long.
        ([false, true], Test::Undecided),
        ([true, true], Test::Passed),
    ] {
        let seen = tested_in(&mut streaks, &deployment, &passed);
        assert_eq!(seen.test, expected);
    }
}

#[test]
fn a_set_fails_once_one_has_failed_its_number_of_times_in_a_row() {
    let mut deployment = under_test(State::Testing, &[(None, Some(4)), (None, Some(2))]);
    // A failure counts once the environment is healthy.
    deployment.plan.wishes.limits.healthy_looks = 1;
    let mut streaks = Streaks::default();
    for passed in [[false, false], [false, true], [false, false]] {
        let seen = tested_in(&mut streaks, &deployment, &passed);
        assert_eq!(seen.test, Test::Undecided);
    }
    let failed = |at: &str| Test::Failed {
        asked: format!("GET {at}"),
        got: "500".to_owned(),
    };
    let seen = tested_in(&mut streaks, &deployment, &[true, false]);
    assert_eq!(seen.test, failed("1"));
    let mut streaks = Streaks::default();
    let mut last = Test::Undecided;
    for _ in 0..4 {
        last = tested_in(&mut streaks, &deployment, &[false, true]).test;
    }
    assert_eq!(last, failed("0"));
}

#[test]
fn the_command_runs_once_after_the_tests_and_decides_with_them() {
    let failed = Test::Failed {
        asked: TEST_COMMAND.to_owned(),
        got: "exit code 3: 3 of 9 fail".to_owned(),
    };
    for (command, verdict) in [("exit 0", Test::Passed), ("exit 3", failed)] {
        let mut deployment = under_test(State::Testing, &[(Some(2), None)]);
        deployment.plan.wishes.test_command = commanding(command);
        deployment.plan.wishes.limits.healthy_looks = 1;
        let mut streaks = Streaks::default();
        for _ in 0..2 {
            assert!(streaks.wants_command(&deployment, Moment(0)).is_none());
            let seen = tested_in(&mut streaks, &deployment, &[true]);
            assert_eq!(seen.test, Test::Undecided);
        }
        assert!(streaks.wants_command(&deployment, Moment(0)).is_some());
        assert_eq!(tested_in(&mut streaks, &deployment, &[true]).test, verdict);
        assert!(
            streaks.wants_command(&deployment, Moment(0)).is_none(),
            "not at every look"
        );
        assert_eq!(tested_in(&mut streaks, &deployment, &[true]).test, verdict);
        streaks.entered_a_state((Kind::Testing, Kind::Testing));
        for _ in 0..2 {
            tested_in(&mut streaks, &deployment, &[true]);
        }
        assert!(
            streaks.wants_command(&deployment, Moment(0)).is_some(),
            "at each entry anew"
        );
        tested_in(&mut streaks, &deployment, &[false]);
        assert!(
            streaks.wants_command(&deployment, Moment(0)).is_none(),
            "the row was broken"
        );
    }
}

#[test]
fn who_is_tested_is_a_matter_of_the_state_and_the_plan() {
    let mut deployment = under_test(State::Testing, &[(None, None)]);
    assert_eq!(tested(&deployment), Some(Role::Blue));
    deployment.state = State::Baking;
    assert_eq!(tested(&deployment), Some(Role::Blue));
    deployment.plan.wishes.test_production = false;
    assert_eq!(tested(&deployment), None);
    deployment.state = State::Warming;
    assert_eq!(tested(&deployment), None);
    deployment.plan.wishes.test_green = true;
    assert_eq!(tested(&deployment), Some(Role::Green));
    deployment.plan.wishes.test_green = false;
    deployment.plan.strategy = Strategy::Promote;
    assert_eq!(
        tested(&deployment),
        Some(Role::Green),
        "it is the release itself"
    );
    deployment.plan.goal = Goal::Previous;
    assert_eq!(tested(&deployment), None);
}

#[test]
fn green_is_asked_for_nothing_before_it_is_healthy() {
    let mut deployment = under_test(State::Warming, &[(Some(1), Some(1))]);
    deployment.plan.wishes.test_green = true;
    deployment.plan.wishes.limits.healthy_looks = 1;
    let mut streaks = Streaks::default();
    let probe = |passed| Probe {
        latency: None,
        status: None,
        led_to: None,
        body: None,
        asked: "GET /".to_owned(),
        got: String::new(),
        passed,
        is_sure: true,
    };
    let mut green = Environment {
        name: "green".to_owned(),
        status: "Ready".to_owned(),
        health: "Grey".to_owned(),
        ..Environment::default()
    };
    let mut look = |green: &Environment, passed| {
        let sighting = Sighting {
            environments: vec![green.clone()],
            green_is_ours: true,
            probes: vec![probe(passed)],
            ..Sighting::default()
        };
        streaks.observe(&deployment, &sighting, Moment(0)).test
    };
    assert_eq!(look(&green, false), Test::Undecided);
    green.health = "Green".to_owned();
    assert_eq!(look(&green, true), Test::Passed);
    assert!(matches!(look(&green, false), Test::Failed { .. }));
}

/// Green runs the previous version there: bluegreen skips the tests that the release alone can
/// pass.
#[test]
fn green_that_runs_the_previous_version_is_not_asked_what_only_the_release_passes() {
    let mut deployment = under_test(State::Warming, &[(None, None), (None, None)]);
    deployment.plan.wishes.test_green = true;
    deployment.plan.wishes.tests[1].url = "/new".to_owned();
    deployment.plan.wishes.tests[1].on = crate::acceptance::On::Release;
    let urls = |deployment: &Deployment| {
        let (_, goal) = needs(deployment).test.expect("it is tested");
        let tests = deployment.plan.tests_towards(goal).into_iter();
        tests.map(|test| test.url.clone()).collect::<Vec<_>>()
    };
    assert_eq!(urls(&deployment), ["/"]);
    deployment.state = State::Testing;
    assert_eq!(urls(&deployment), ["/", "/new"]);
    deployment.plan.strategy = Strategy::Rehearse;
    deployment.state = State::TestingGreen;
    assert_eq!(urls(&deployment), ["/", "/new"]);
    deployment.state = State::Warming;
    assert_eq!(urls(&deployment), ["/"]);
    deployment.plan.strategy = Strategy::Restore;
    let mut streaks = Streaks::default();
    let mut look = || tested_in(&mut streaks, &deployment, &[true]).test;
    assert_eq!(
        [look(), look(), look()],
        [Test::Undecided, Test::Undecided, Test::Passed]
    );
    // Where nothing is left, health alone decides.
    deployment.plan.wishes.tests.remove(0);
    let mut streaks = Streaks::default();
    let mut look = || tested_in(&mut streaks, &deployment, &[]).test;
    assert_eq!(
        [look(), look(), look()],
        [Test::Undecided, Test::Undecided, Test::Passed]
    );
    deployment.plan.strategy = Strategy::Promote;
    assert_eq!(urls(&deployment), ["/new"]);
}

#[test]
fn production_is_sick_of_a_test_or_the_command_that_fails_several_looks_in_a_row() {
    let sick_after = |tests: &[(Option<u32>, Option<u32>)], command: Option<&str>, passed: bool| {
        let mut deployment = under_test(State::Baking, tests);
        deployment.plan.wishes.test_command = command.and_then(commanding);
        let mut streaks = Streaks::default();
        (1..=10).find_map(|look| {
            let seen = tested_in(&mut streaks, &deployment, &[passed]);
            seen.production_sick.map(|why| (look, why))
        })
    };
    let told = "GET 0 answered 500".to_owned();
    assert_eq!(
        sick_after(&[(None, None)], None, false),
        Some((2, told.clone()))
    );
    assert_eq!(
        sick_after(&[(None, Some(5))], None, false),
        Some((5, told.clone()))
    );
    assert_eq!(sick_after(&[(None, Some(1))], None, false), Some((2, told)));
    assert_eq!(sick_after(&[(None, None)], Some("exit 0"), true), None);
    let told = "--test-command answered exit code 1: 3 of 9 fail".to_owned();
    assert_eq!(
        sick_after(&[(None, None)], Some("exit 1"), true),
        Some((5, told))
    );
}

#[test]
fn a_bake_does_not_end_before_its_tests_have_passed() {
    let mut deployment = under_test(State::Baking, &[(Some(2), None)]);
    deployment.plan.wishes.limits.bake = std::time::Duration::ZERO;
    deployment.plan.wishes.test_command = commanding("exit 0");
    let mut streaks = Streaks::default();
    let answers = [true, false, true, true, true];
    let baked = answers.map(|passed| tested_in(&mut streaks, &deployment, &[passed]).baked);
    assert_eq!(baked, [false, false, false, false, true]);
    deployment.plan.wishes.test_production = false;
    assert!(tested_in(&mut Streaks::default(), &deployment, &[]).baked);
}

#[test]
fn a_failure_that_may_be_the_other_environments_does_not_count() {
    let second = |n: u64| Moment(n * 1000);
    let mut deployment = under_test(State::Baking, &[(Some(1), Some(1))]);
    deployment.traffic_moved_at = Some(second(0));
    deployment.plan.wishes.test_command = commanding("exit 0");
    let mut streaks = Streaks::default();
    let mut look = |passed: bool, is_sure: bool, now: Moment| {
        let sighting = Sighting {
            environments: vec![Environment {
                id: "e-blue".to_owned(),
                status: "Ready".to_owned(),
                ..Environment::default()
            }],
            probes: vec![Probe {
                latency: None,
                status: None,
                led_to: None,
                body: None,
                asked: "GET /".to_owned(),
                got: "500".to_owned(),
                passed,
                is_sure,
            }],
            ..Sighting::default()
        };
        let seen = streaks.observe(&deployment, &sighting, now);
        let is_sick = seen.production_sick.is_some();
        (is_sick, streaks.wants_command(&deployment, now).is_some())
    };
    for n in 1..5 {
        assert_eq!(look(false, false, second(n)), (false, false));
    }
    // The command waits until no cached answer leads it elsewhere.
    assert_eq!(look(true, true, second(59)), (false, false));
    assert_eq!(look(true, true, second(60)), (false, true));
    // What is known to be its own counts at once, and later everything does.
    assert!(!look(false, true, second(10)).0);
    assert!(look(false, true, second(11)).0);
    assert!(!look(true, true, second(12)).0);
    assert!(!look(false, false, second(60)).0);
    assert!(look(false, false, second(61)).0);
}

#[test]
fn alarms_that_cannot_be_read_are_no_sickness_and_hold_the_end() {
    let mut deployment = under_test(State::Baking, &[]);
    deployment.plan.wishes.test_production = false;
    deployment.plan.wishes.limits.bake = std::time::Duration::ZERO;
    deployment.plan.wishes.alarms = vec!["errors".to_owned()];
    let mut streaks = Streaks::default();
    let mut look = |alarms: Alarms| {
        let sighting = Sighting {
            alarms,
            ..Sighting::default()
        };
        let seen = streaks.observe(&deployment, &sighting, Moment(0));
        (seen.production_sick.is_some(), seen.baked)
    };
    assert_eq!(look(Alarms::Quiet), (false, true));
    assert_eq!(
        look(Alarms::Unread("out of order".to_owned())),
        (false, false)
    );
    assert_eq!(look(Alarms::Ringing("it rings".to_owned())), (true, true));
    assert!(needs(&deployment).alarms);
    deployment.plan.goal = Goal::Previous;
    assert!(
        !needs(&deployment).alarms,
        "they tell of what is being left"
    );
}

#[test]
fn health_counts_on_into_the_swap_unless_much_time_has_passed() {
    let mut deployment = under_test(State::Testing, &[(None, None)]);
    let poll = deployment.plan.wishes.limits.poll;
    let sighting = Sighting {
        environments: vec![Environment {
            health: "Green".to_owned(),
            health_status: Some("Ok".to_owned()),
            ..blue("Ready", "v2")
        }],
        ..Sighting::default()
    };
    let mut streaks = Streaks::default();
    let mut now = Moment(0);
    let mut trusted = |streaks: &mut Streaks, deployment: &Deployment, after: Duration| {
        now = now.after(after);
        streaks.observe(deployment, &sighting, now).blue_trusted
    };
    let polls = [(); 3].map(|()| trusted(&mut streaks, &deployment, poll));
    assert_eq!(polls, [false, false, true]);
    streaks.entered_a_state((Kind::Testing, Kind::SwappingToBlue));
    deployment.state = State::SwappingToBlue;
    assert!(trusted(&mut streaks, &deployment, poll));
    streaks.entered_a_state((Kind::Testing, Kind::SwappingToBlue));
    // A hook before the swap has run meanwhile.
    assert!(!trusted(&mut streaks, &deployment, poll * 4));
    // Polls of one state may come late.
    let polls = [(); 2].map(|()| trusted(&mut streaks, &deployment, poll * 9));
    assert_eq!(polls, [false, true]);
    streaks.entered_a_state((Kind::SwappingToBlue, Kind::Baking));
    deployment.state = State::Baking;
    assert!(!trusted(&mut streaks, &deployment, poll));
}
