//! What AWS tells, and what follows from it.

use super::*;
use crate::deployment::Intent;
use crate::machine::State;

fn deployment() -> Deployment {
    let mut deployment = Deployment::new(Plan::sample("A"), Moment(0));
    deployment.state = State::Deploying;
    deployment.entered_at = Moment(10);
    let intent = Intent {
        at: Moment(20),
        outcome: Sent::Unclear,
        shown_at: None,
        sizes: None,
    };
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
        version_label: Some(version.to_owned()),
        status: Some(status.to_owned()),
    }
}

const STARTS: &str = "Environment update is starting.";
const DONE: &str = "Environment update completed successfully.";

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
        (
            vec![starts(), broken(), done()],
            both_run_new.clone(),
            failed,
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
fn healthy_is_ready_and_ok_or_info_or_green_on_basic_health() {
    for (status, health, health_status, expected) in [
        ("Ready", "Green", Some("Ok"), true),
        ("Ready", "Green", Some("Info"), true),
        ("Ready", "Green", None, true),
        ("Ready", "Grey", Some("Pending"), false),
        ("Ready", "Grey", None, false),
        ("Ready", "Yellow", Some("Warning"), false),
        ("Ready", "Red", Some("Severe"), false),
        ("Ready", "Grey", Some("Suspended"), false),
        ("Updating", "Green", Some("Ok"), false),
    ] {
        let environment = Environment {
            status: status.to_owned(),
            health: health.to_owned(),
            health_status: health_status.map(str::to_owned),
            ..Environment::default()
        };
        assert_eq!(is_healthy(&environment), expected, "{environment:?}");
    }
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
        let record = crate::cloud::VersionRecord {
            label: "v2".to_owned(),
            status: status.to_owned(),
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
