//! Launches and terminations that fail: what their events tell decides within one poll, and
//! is what the deployment says in the end.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bluegreen::deployment::Deployment;
use bluegreen::machine::{Cause, Kind, State};
use bluegreen::plan::Strategy;
use bluegreen::preflight::{Check, Wanted};
use bluegreen_sandbox::{Fault, FaultEffect, Form, LaunchFault, Phase, Setting, Status, apply};

use crate::support::policies::shipped;
use crate::support::virtual_world::{Fate, ID, VirtualWorld, v2};
use bluegreen_testing::sample::sampled;

const GREEN: &str = "shop-blue-green";

fn green() -> String {
    GREEN.to_owned()
}

/// Drives a release to its end under these faults.
async fn released(wanted: Wanted, faults: Vec<Fault>) -> (VirtualWorld, Deployment) {
    let world = VirtualWorld::new().await;
    let deployment = driven(&world, wanted, faults).await;
    (world, deployment)
}

async fn driven(world: &VirtualWorld, wanted: Wanted, faults: Vec<Fault>) -> Deployment {
    let mut deployment = world.begin(wanted).await.expect("preflight passes");
    let told = format!("{faults:?}");
    for fault in faults {
        world.inject(fault);
    }
    let driven = world.drive(&mut deployment).await.expect("nobody kills it");
    driven.unwrap_or_else(|e| panic!("{told}: {e}"));
    deployment
}

fn launch_fails(how: LaunchFault) -> Fault {
    let environment = green();
    FaultEffect::LaunchFails { environment, how }.into()
}

/// What the end says of it.
#[track_caller]
fn why(deployment: &Deployment, kind: Kind) -> String {
    assert_eq!(deployment.state.kind(), kind, "{:?}", deployment.state);
    let cause = deployment.state.cause();
    cause.map(ToString::to_string).unwrap_or_default()
}

/// Every way in which a launch fails, with the answer to CreateEnvironment and without: green
/// is discarded at the next look, and what AWS has said of it is the cause.
#[tokio::test(start_paused = true)]
async fn a_launch_that_fails_is_discarded_within_one_poll() {
    let ways = [
        (
            LaunchFault::Stack,
            "aborted operation. Current state: 'CREATE_FAILED'",
            "failed Reason: Resource creation cancelled",
        ),
        (
            LaunchFault::Errors,
            "complete, but with errors",
            "complete, but with errors",
        ),
        (
            LaunchFault::Timeouts,
            "complete, but with command timeouts",
            "complete, but with command timeouts",
        ),
        (
            LaunchFault::Profile,
            "Failed to launch environment.",
            "set aws:autoscaling:launchconfiguration:IamInstanceProfile on blue",
        ),
        (
            LaunchFault::RolledBack,
            "Failed to launch environment.",
            "The following resource(s) failed to create: [AWSEBSecurityGroup]",
        ),
    ];
    let cases = ways.into_iter().flat_map(|way| [(way, false), (way, true)]);
    // Without its answer green is known by its tag alone, which one that is gone at once has never
    // shown.
    let cases = cases.filter(|((how, ..), is_lost)| !is_lost || *how != LaunchFault::Profile);
    for ((how, ends, says), is_lost) in sampled("launches that fail", cases, 3) {
        let mut faults = vec![launch_fails(how)];
        if is_lost {
            faults.push(Fault {
                operation: Some("CreateEnvironment".to_owned()),
                times: Some(1),
                ..FaultEffect::DropAnswer.into()
            });
        }
        let (world, deployment) = released(v2(), faults).await;
        let told = why(&deployment, Kind::RolledBack);
        assert!(
            told.starts_with("Elastic Beanstalk could not launch green: "),
            "{how:?}: {told}"
        );
        assert!(told.contains(says), "{how:?}: {told}");
        let failed_at = world.sandbox.with_world(|world, _| {
            let mut events = world.view.events.iter();
            let end = events.find(|event| event.message.contains(ends));
            end.expect("an event").at
        });
        let way = world.way(ID).await;
        let discarded = way.iter().find(|moved| moved.to == "Discarding");
        let discarded = discarded.expect("it is discarded").at;
        let waited = discarded.since(bluegreen::clock::Moment(failed_at));
        let poll = deployment.plan.wishes.limits.poll;
        assert!(waited <= poll.mul_f64(1.2), "{how:?}: {waited:?}");
        world.check_all_is_as_before(&way);
    }
}

/// ERRORs of a launch that succeeds end nothing.
#[tokio::test(start_paused = true)]
async fn a_launch_that_succeeds_with_errors_goes_on() {
    let (world, deployment) = released(v2(), vec![launch_fails(LaunchFault::Warned)]).await;
    assert_eq!(deployment.state, State::Completed);
    world.check_all_is_well("v2");
}

/// A green that goes away without a word of why, as when somebody terminates it: nothing is
/// waited for that will not come, whether it was being launched or stood already.
#[tokio::test(start_paused = true)]
async fn a_green_that_goes_away_before_it_serves_is_given_up_within_one_poll() {
    for launches in [true, false] {
        let world = VirtualWorld::new().await;
        let mut deployment = world.begin(v2()).await.expect("preflight passes");
        world.inject(FaultEffect::TerminatesWhileLaunching);
        let went_at = Arc::new(OnceLock::new());
        let (went, sandbox) = (Arc::clone(&went_at), world.sandbox.clone());
        world.on_call(move |call, phase| {
            if call.operation != "DescribeEnvironments" || phase != Phase::Before {
                return Fate::Life;
            }
            sandbox.with_world(|world, now| {
                let found = world.environment(GREEN).map(|green| green.status);
                let due = match launches {
                    true => found == Some(Status::Launching),
                    false => found == Some(Status::Ready),
                };
                if due && went.set(bluegreen::clock::Moment::from(now)).is_ok() {
                    world.set_policy(None);
                    let form = format!("Action=TerminateEnvironment&EnvironmentName={GREEN}");
                    apply(world, &Form::parse(form.as_bytes()));
                    world.set_policy(Some(shipped()));
                }
            });
            Fate::Life
        });
        let driven = world.drive(&mut deployment).await.expect("nobody kills it");
        driven.expect("it goes on");
        let told = why(&deployment, Kind::RolledBack);
        assert_eq!(told, "green went away before it served", "{launches}");
        let way = world.way(ID).await;
        let discarded = way.iter().find(|moved| moved.to == "Discarding");
        let went = went_at.get().copied().expect("it went");
        let waited = discarded.expect("it is discarded").at.since(went);
        let poll = deployment.plan.wishes.limits.poll;
        assert!(waited <= poll.mul_f64(1.2), "{launches}: {waited:?}");
        world.check_all_is_as_before(&way);
    }
}

/// What CreateEnvironment refuses for good names the option, and what to do.
#[tokio::test(start_paused = true)]
async fn a_retired_option_is_named_with_its_remedy() {
    let world = VirtualWorld::new().await;
    let namespace = "aws:elasticbeanstalk:environment";
    world
        .sandbox
        .with_world(|world, _| world.set("shop-blue", namespace, "Domain", "shop"));
    let retired = FaultEffect::RetiredOption {
        namespace: namespace.to_owned(),
        name: "Domain".to_owned(),
    };
    let wanted = Wanted {
        allow: vec![Check::LaunchOptions],
        ..v2()
    };
    let deployment = driven(&world, wanted, vec![retired.into()]).await;
    let told = why(&deployment, Kind::RolledBack);
    assert!(
        told.contains("AWS refused CreateEnvironment: ConfigurationValidationException")
            && told.contains(&format!("AWS has retired the option {namespace}:Domain")),
        "{told}"
    );
    world.check_all_is_as_before(&world.way(ID).await);
}

#[tokio::test(start_paused = true)]
async fn an_account_without_launch_configurations_is_told_what_to_do() {
    let faults = vec![FaultEffect::NoLaunchConfigurations.into()];
    let (world, deployment) = released(v2(), faults).await;
    let told = why(&deployment, Kind::RolledBack);
    assert!(told.contains("DisableIMDSv1 = true on blue"), "{told}");
    world.check_all_is_as_before(&world.way(ID).await);
}

/// What preflight refuses and an operator allows fails the launch and nothing else.
#[tokio::test(start_paused = true)]
async fn a_past_action_that_is_allowed_fails_the_launch_alone() {
    let world = VirtualWorld::new().await;
    world.sandbox.with_world(|world, _| {
        let blue = world.environment_mut("shop-blue").expect("blue");
        let start = "2020-11-27T00:00:00Z";
        blue.settings.push(Setting {
            resource: Some("BlackFriday".to_owned()),
            ..Setting::new("aws:autoscaling:scheduledaction", "StartTime", start)
        });
    });
    let refused = world.begin(v2()).await.expect_err("it is refused");
    assert!(refused.to_string().contains("BlackFriday"), "{refused}");
    let wanted = Wanted {
        allow: vec![Check::ScheduledActions],
        ..v2()
    };
    let deployment = driven(&world, wanted, Vec::new()).await;
    let told = why(&deployment, Kind::RolledBack);
    assert!(
        told.contains("BlackFriday failed Reason: Given start time is in the past")
            && told.contains("what to do: remove the scheduled actions"),
        "{told}"
    );
    world.check_all_is_as_before(&world.way(ID).await);
}

fn terminations_fail(environment: &str, times: u32, lingers: bool) -> Fault {
    let environment = environment.to_owned();
    let fault = FaultEffect::TerminateFails {
        environment,
        failures: times,
        lingers,
    };
    fault.into()
}

/// Whether it is Ready or Terminating after a deletion that failed.
#[tokio::test(start_paused = true)]
async fn a_termination_that_fails_twice_is_asked_for_again() {
    for lingers in [false, true] {
        let faults = vec![terminations_fail(GREEN, 2, lingers)];
        let (world, deployment) = released(v2(), faults).await;
        assert_eq!(deployment.state, State::Completed, "lingers: {lingers}");
        world.check_all_is_well("v2");
    }
}

#[tokio::test(start_paused = true)]
async fn a_termination_that_never_succeeds_says_why() {
    let cases = [false, true].into_iter().flat_map(|lingers| {
        let promote = Wanted {
            strategy: Strategy::Promote,
            ..v2()
        };
        [(lingers, v2(), GREEN), (lingers, promote, "shop-blue")]
    });
    for (lingers, wanted, environment) in sampled("terminations that fail", cases, 1) {
        let faults = vec![terminations_fail(environment, 1000, lingers)];
        let (world, deployment) = released(wanted, faults).await;
        let told = why(&deployment, Kind::Stuck);
        for part in [
            "the termination failed: Deleting security group named: sg-",
            "has a dependent object",
            "Stack deletion failed: The following resource(s) failed to delete",
            "what to do: remove what refers to that security group",
        ] {
            assert!(told.contains(part), "{environment}, {lingers}: {told}");
        }
        assert_eq!(world.sandbox.report().lost, 0);
    }
}

/// Whether what is being launched can be terminated.
#[tokio::test(start_paused = true)]
async fn a_green_that_is_given_up_while_it_launches_is_removed() {
    let mut lasted = Vec::new();
    for is_taken in [false, true] {
        let mut world = VirtualWorld::new().await;
        world
            .sandbox
            .with_world(|world, _| world.timings.launch_seconds = 1800);
        let patience = [("Cloning".to_owned(), Duration::from_secs(300))];
        world.config.wishes.limits.patience_of = patience.into();
        let mut deployment = world.begin(v2()).await.expect("preflight passes");
        if is_taken {
            world.inject(FaultEffect::TerminatesWhileLaunching);
        }
        let driven = world.drive(&mut deployment).await.expect("nobody kills it");
        driven.expect("it goes on");
        why(&deployment, Kind::RolledBack);
        world.check_all_is_as_before(&world.way(ID).await);
        lasted.push(deployment.updated_at.since(deployment.started_at));
    }
    assert!(
        lasted[0] > lasted[1] + Duration::from_secs(600),
        "{lasted:?}"
    );
}

/// Ready, and neither to be terminated nor aborted.
#[tokio::test(start_paused = true)]
async fn an_environment_that_contradicts_itself_is_for_aws_support() {
    let environment = green();
    let faults = vec![FaultEffect::PendingForGood { environment }.into()];
    let (world, deployment) = released(v2(), faults).await;
    let told = why(&deployment, Kind::Stuck);
    assert!(
        told.contains(" times to TerminateEnvironment: InvalidParameterValue: Cannot terminate")
            && told.contains("what to do: contact AWS support"),
        "{told}"
    );
    assert!(matches!(
        deployment.state.cause(),
        Some(Cause::OutOfPatience { .. })
    ));
    assert_eq!(world.sandbox.report().lost, 0);
}

/// What somebody else asks of green while it is terminated fails, and is not taken for a
/// termination that failed: neither is green asked to go again, nor is it told as the cause.
#[tokio::test(start_paused = true)]
async fn what_another_request_fails_with_is_no_failed_termination() {
    let another = FaultEffect::AnotherFails {
        environment: green(),
        message: "Failed to retrieve the logs of somebody else.".to_owned(),
    };
    let terminations = [(0, false, 1), (1, false, 2), (1, true, 2)];
    for (fails, lingers, asked) in sampled("terminations", terminations, 1) {
        let faults = vec![
            another.clone().into(),
            terminations_fail(GREEN, fails, lingers),
        ];
        let (world, deployment) = released(v2(), faults).await;
        assert_eq!(deployment.state, State::Completed);
        let calls = world.sandbox.report().calls;
        assert_eq!(calls["TerminateEnvironment"], asked, "{fails}, {lingers}");
        world.check_all_is_well("v2");
    }
    let faults = vec![another.into(), terminations_fail(GREEN, 1000, true)];
    let (_, deployment) = released(v2(), faults).await;
    let told = why(&deployment, Kind::Stuck);
    assert!(
        told.contains("Stack deletion failed") && !told.contains("somebody else"),
        "{told}"
    );
}

/// Which request an event is of is not known where its answer was lost: then the environment
/// and the time tell, and a failure is still asked for again.
#[tokio::test(start_paused = true)]
async fn a_termination_whose_answer_is_lost_is_read_by_its_time() {
    for lingers in [false, true] {
        let lost = Fault {
            operation: Some("TerminateEnvironment".to_owned()),
            times: Some(1),
            ..FaultEffect::DropAnswer.into()
        };
        let faults = vec![lost, terminations_fail(GREEN, 1, lingers)];
        let (world, deployment) = released(v2(), faults).await;
        assert_eq!(deployment.state, State::Completed, "{lingers}");
        world.check_all_is_well("v2");
    }
}
