//! Launches and terminations that go wrong, as the service tells them: each test states the
//! fact and where it is from. On a clock set by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use bluegreen_sandbox::{
    FaultEffect, Form, LaunchFault, Options, Reply, Sandbox, Setting, Status, TimeSource, World,
    advance, apply,
};
use bytes::Bytes;

const START: u64 = 1_800_000_000_000;
const LAUNCH: &str = "Action=CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-two\
    &VersionLabel=v1&SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20";
const TERMINATE: &str = "Action=TerminateEnvironment&EnvironmentName=shop-two";

fn ask(world: &mut World, request: &str) -> (u16, String) {
    match apply(world, &Form::parse(request.as_bytes())) {
        Reply::Answer { status, body, .. } => (status, body.replace("&apos;", "'")),
        Reply::Foreign(_) | Reply::Slow(..) | Reply::HangUp => (0, String::new()),
    }
}

#[track_caller]
fn done(world: &mut World, request: &str) -> String {
    let (status, body) = ask(world, request);
    assert_eq!(status, 200, "{request}: {body}");
    body
}

#[track_caller]
fn refused(world: &mut World, request: &str, words: &str) {
    let (status, body) = ask(world, request);
    assert!(
        status == 400 && body.contains(words),
        "{request}: {status} {body}"
    );
}

fn two() -> String {
    "shop-two".to_owned()
}

/// A seeded world in which everything takes just as long every time.
fn even() -> World {
    let mut world = World::seeded(START);
    world.timings = world.timings.even();
    world
}

/// A world in which the launch of `shop-two` has been asked for, and `how` befalls it.
fn launching(how: LaunchFault) -> World {
    let mut world = even();
    world.inject(FaultEffect::LaunchFails {
        environment: two(),
        how,
    });
    done(&mut world, LAUNCH);
    world
}

fn after(world: &mut World, seconds: u64) {
    advance(world, START + seconds * 1000);
}

/// Severity and text of the events of the first request for `shop-two`, oldest first, without what
/// every launch tells of its resources.
fn events(world: &mut World) -> Vec<String> {
    let mut ours = world.view.events.iter();
    let ours = ours.find(|e| e.environment.as_deref() == Some("shop-two"));
    let request = ours.expect("an event").request_id.clone();
    let listed = done(
        world,
        &format!("Action=DescribeEvents&RequestId={request}&EnvironmentName=shop-two"),
    );
    let told = world.view.events.iter().filter(|e| e.request_id == request);
    let told: Vec<_> = told
        .map(|e| format!("{} {}", e.severity, e.message))
        .collect();
    assert_eq!(listed.matches("<Message>").count(), told.len(), "{listed}");
    let of_every_launch = [
        "INFO Using ",
        "INFO Created ",
        "INFO Waiting for EC2",
        "INFO Application",
    ];
    let is_of_every = |told: &String| of_every_launch.iter().any(|text| told.starts_with(text));
    told.into_iter().filter(|told| !is_of_every(told)).collect()
}

/// "ERROR Stack named 'awseb-…-stack' aborted operation. Current state: 'CREATE_FAILED' …",
/// then "INFO Launched environment: NAME. However, there were issues during launch. See event
/// log for details.", and no "Failed to launch environment.": two public event logs of 2018
/// and 2019.
#[test]
fn a_stack_that_fails_leaves_a_grey_environment() {
    let mut world = launching(LaunchFault::Stack);
    after(&mut world, 240);
    let two = world.environment("shop-two").expect("it stays");
    assert_eq!((two.status, two.health.as_str()), (Status::Ready, "Grey"));
    let id = two.id.clone();
    let told = events(&mut world);
    assert_eq!(told[0], "INFO createEnvironment is starting.");
    let stack = format!(
        "ERROR Stack named 'awseb-{id}-stack' aborted operation. Current state: 'CREATE_FAILED'"
    );
    assert!(told[1].starts_with(&stack), "{told:?}");
    let last = told.last().expect("events");
    assert!(
        last.starts_with("INFO Launched environment: shop-two. However, there were issues"),
        "{told:?}"
    );
    after(&mut world, 3600);
    let two = world.environment("shop-two").expect("it stays");
    assert_eq!(two.health, "Grey", "nothing heals it");
}

/// "Create environment operation is complete, but with errors." (EB CLI, `responses`), "…, but
/// with command timeouts. Try increasing the timeout period." (developer guide, "Environment
/// creation and instance launches").
#[test]
fn a_launch_can_be_complete_but_not_well() {
    for (how, words) in [
        (LaunchFault::Errors, "complete, but with errors."),
        (
            LaunchFault::Timeouts,
            "complete, but with command timeouts.",
        ),
    ] {
        let mut world = launching(how);
        after(&mut world, 240);
        let two = world.environment("shop-two").expect("it stays");
        assert_eq!((two.status, two.health.as_str()), (Status::Ready, "Red"));
        let told = events(&mut world);
        let last = told.last().expect("events");
        assert!(
            last.starts_with("ERROR") && last.contains(words),
            "{told:?}"
        );
    }
}

/// "Environment must have instance profile associated with it.", "Failed to launch
/// environment.", and the environment is Terminated within seconds (aws-samples/
/// aws-cdk-examples#1126, hashicorp/terraform-provider-aws#15158).
#[test]
fn without_an_instance_profile_it_is_terminated_at_once() {
    let mut world = launching(LaunchFault::Profile);
    after(&mut world, 2);
    assert!(world.environment("shop-two").is_none());
    let told = events(&mut world);
    assert_eq!(
        told[1..],
        [
            "ERROR Environment must have instance profile associated with it.",
            "ERROR Failed to launch environment."
        ]
    );
}

/// With `RollbackLaunchOnFailure` the service terminates what it could not launch.
#[test]
fn a_launch_that_is_rolled_back_terminates_by_itself() {
    let mut world = launching(LaunchFault::RolledBack);
    after(&mut world, 240);
    let two = world.environment("shop-two").expect("it is still listed");
    assert_eq!(two.status, Status::Terminating);
    let told = events(&mut world);
    assert!(told.contains(&"ERROR Failed to launch environment.".to_owned()));
    after(&mut world, 480);
    assert!(world.environment("shop-two").is_none());
}

/// Launches that succeed hold ERROR events too: "Your WSGIPath refers to a file that does not
/// exist." before "Successfully launched environment" (a public event log).
#[test]
fn a_launch_that_succeeds_may_tell_errors() {
    let mut world = launching(LaunchFault::Warned);
    after(&mut world, 300);
    let two = world.environment("shop-two").expect("it is there");
    assert_eq!((two.status, two.health.as_str()), (Status::Ready, "Green"));
    let told = events(&mut world);
    assert_eq!(
        told[1..],
        [
            "ERROR Your WSGIPath refers to a file that does not exist.",
            "INFO Successfully launched environment: shop-two"
        ]
    );
}

/// "Deleting security group named: sg-… failed Reason: resource sg-… has a dependent object",
/// "Stack deletion failed: The following resource(s) failed to delete: […]." (a public event
/// log; ingenieux/beanstalker#37), and asking again may help (ThoughtWorksStudios/
/// eb_deployer#62). Whether the status is Ready or Terminating afterwards is unsettled.
#[test]
fn a_termination_fails_as_often_as_it_is_told_to() {
    for (lingers, status) in [(false, Status::Ready), (true, Status::Terminating)] {
        let mut world = even();
        done(&mut world, LAUNCH);
        after(&mut world, 300);
        world.inject(FaultEffect::TerminateFails {
            environment: two(),
            failures: 2,
            lingers,
        });
        let mut second = 300;
        for _ in 0..2 {
            done(&mut world, TERMINATE);
            second += 240;
            after(&mut world, second);
            let two = world.environment("shop-two").expect("it stays");
            assert_eq!((two.status, two.busy.is_none()), (status, true));
            assert_eq!(two.health, "Grey");
        }
        let failed = world.view.events.iter();
        let failed = failed.filter(|e| e.message.starts_with("Stack deletion failed"));
        let requests: Vec<_> = failed.map(|e| e.request_id.clone()).collect();
        assert_eq!(requests.len(), 2);
        assert_ne!(requests[0], requests[1], "each is of its own request");
        assert!(world.view.events.iter().any(|e| {
            e.message.starts_with("Deleting security group named: sg-")
                && e.message.contains("has a dependent object")
        }));
        done(&mut world, TERMINATE);
        after(&mut world, second + 240);
        assert!(world.environment("shop-two").is_none());
    }
}

/// Whether an environment that is being launched can be terminated no public source settles.
#[test]
fn what_is_launching_can_be_terminated_or_cannot() {
    let mut world = even();
    done(&mut world, LAUNCH);
    refused(&mut world, TERMINATE, "It is currently pending deployment.");
    world.inject(FaultEffect::TerminatesWhileLaunching);
    done(&mut world, TERMINATE);
    after(&mut world, 240);
    assert!(world.environment("shop-two").is_none());
    let launched = "Successfully launched environment: shop-two";
    assert!(world.view.events.iter().all(|e| e.message != launched));
}

/// Both texts of one environment (aws/aws-elastic-beanstalk-cli-setup#144).
#[test]
fn an_environment_can_contradict_itself() {
    let mut world = even();
    done(&mut world, LAUNCH);
    after(&mut world, 300);
    world.inject(FaultEffect::PendingForGood { environment: two() });
    refused(
        &mut world,
        TERMINATE,
        "Cannot terminate environment named shop-two. It is currently pending deployment.",
    );
    refused(
        &mut world,
        "Action=AbortEnvironmentUpdate&EnvironmentName=shop-two",
        "Must be pending deployment.",
    );
}

/// "ConfigurationValidationException: Configuration validation exception: Invalid option
/// specification (Namespace: '…', OptionName: '…'): Unknown configuration setting."
/// (aws/aws-elastic-beanstalk-cli#532, pulumi/pulumi-aws#3461); the template is made before.
#[test]
fn a_retired_option_is_refused_at_creation() {
    let mut world = World::seeded(START);
    let namespace = "aws:elasticbeanstalk:environment";
    world.set("shop-blue", namespace, "Domain", "shop");
    world.inject(FaultEffect::RetiredOption {
        namespace: namespace.to_owned(),
        name: "Domain".to_owned(),
    });
    let blue = world.environment("shop-blue").expect("blue").id.clone();
    let template = "ApplicationName=shop&TemplateName=t";
    done(
        &mut world,
        &format!("Action=CreateConfigurationTemplate&{template}&EnvironmentId={blue}"),
    );
    let words = format!(
        "Invalid option specification (Namespace: '{namespace}', OptionName: 'Domain'): Unknown \
         configuration setting."
    );
    let launch = format!("Action=CreateEnvironment&{template}&EnvironmentName=shop-two");
    refused(&mut world, &launch, "ConfigurationValidationException");
    refused(&mut world, &launch, &words);
    assert!(world.environment("shop-two").is_none());
}

/// Scheduled actions have names, which the service tells as the resource of their options
/// (developer guide, "General options"); Amazon EC2 Auto Scaling refuses a one-time action
/// whose time is over with "Given start time is in the past".
#[test]
fn a_past_one_time_action_fails_the_stack() {
    let launched = |name: &str, start: &str, recurrence: &str| {
        let mut world = World::seeded(START);
        let setting = |option: &str, value: &str| Setting {
            resource: Some(name.to_owned()),
            ..Setting::new("aws:autoscaling:scheduledaction", option, value)
        };
        let blue = world.environment_mut("shop-blue").expect("blue");
        blue.settings.push(setting("StartTime", start));
        blue.settings.push(setting("MinSize", "4"));
        if !recurrence.is_empty() {
            blue.settings.push(setting("Recurrence", recurrence));
        }
        let id = blue.id.clone();
        let template = "ApplicationName=shop&TemplateName=t";
        let made = format!("Action=CreateConfigurationTemplate&{template}&EnvironmentId={id}");
        done(&mut world, &made);
        let described = format!("Action=DescribeConfigurationSettings&{template}");
        let described = done(&mut world, &described);
        let named = format!("<ResourceName>{name}</ResourceName>");
        assert!(described.contains(&named), "{described}");
        let launch = format!("Action=CreateEnvironment&{template}&EnvironmentName=shop-two");
        done(&mut world, &launch);
        after(&mut world, 300);
        let health = world
            .environment("shop-two")
            .expect("it stays")
            .health
            .clone();
        (health, events(&mut world).join("\n"))
    };
    let (health, told) = launched("BlackFriday", "2020-11-27T00:00:00Z", "");
    assert_eq!(health, "Grey");
    assert!(
        told.contains("BlackFriday failed Reason: Given start time is in the past"),
        "{told}"
    );
    let (health, told) = launched("Nightly", "2020-11-27T00:00:00Z", "0 22 * * *");
    assert_eq!(health, "Green", "{told}");
    let (health, told) = launched("Later", "2099-11-27T00:00:00Z", "");
    assert_eq!(health, "Green", "{told}");
}

/// "The Launch Configuration creation operation is not available in your account"
/// (aws/aws-elastic-beanstalk-cli#528); `DisableIMDSv1` = `true` makes it a launch template
/// (developer guide, "Auto Scaling launch templates"; domain-protect/
/// terraform-aws-domain-protect#223).
#[test]
fn an_account_may_have_no_launch_configurations() {
    let mut world = World::seeded(START);
    world.inject(FaultEffect::NoLaunchConfigurations);
    done(&mut world, LAUNCH);
    after(&mut world, 300);
    let health = &world.environment("shop-two").expect("it stays").health;
    assert_eq!(health, "Grey");
    let told = events(&mut world).join("\n");
    let words = "The Launch Configuration creation operation is not available in your account";
    assert!(told.contains(words), "{told}");
    let option = "OptionSettings.member.1";
    done(
        &mut world,
        &format!(
            "Action=CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-3&VersionLabel=v1\
             &SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20&{option}.Namespace=aws:autoscaling:launchconfiguration\
             &{option}.OptionName=DisableIMDSv1&{option}.Value=true"
        ),
    );
    after(&mut world, 600);
    let three = world.environment("shop-3").expect("it is there");
    assert_eq!(three.health, "Green");
}

/// "The value of 'access_logs.s3.prefix' cannot start or end with '/'", said only once the
/// load balancer is made (aws/elastic-beanstalk-roadmap#97).
#[test]
fn a_log_prefix_with_a_slash_at_its_edge_fails_the_stack() {
    for (prefix, health) in [("/shop", "Grey"), ("shop/", "Grey"), ("shop/web", "Green")] {
        let mut world = World::seeded(START);
        let option = "OptionSettings.member.1";
        done(
            &mut world,
            &format!(
                "{LAUNCH}&{option}.Namespace=aws:elbv2:loadbalancer\
                 &{option}.OptionName=access_logs.s3.prefix&{option}.Value={prefix}"
            ),
        );
        after(&mut world, 300);
        let two = world.environment("shop-two").expect("it stays");
        assert_eq!(two.health, health, "{prefix}");
    }
}

/// A version's bundle that is gone from its bucket: a lifecycle rule of the bucket, or of the
/// application's versions with `DeleteSourceFromS3` (API reference, `MaxCountRule`). The
/// words are those of CreateApplicationVersion (hsingh/ansible-elastic-beanstalk#40).
#[tokio::test]
async fn a_launch_without_its_bundle_fails() {
    let now = Arc::new(AtomicU64::new(START));
    let read = now.clone();
    let sandbox = Sandbox::open(Options {
        time: TimeSource::Manual(Arc::new(move || {
            UNIX_EPOCH + Duration::from_millis(read.load(Ordering::SeqCst))
        })),
        ..Options::default()
    })
    .expect("it opens");
    sandbox.with_world(|world, _| world.timings = world.timings.even());
    let gone = http::Request::delete("http://127.0.0.1/shop-artifacts/shop/v1.zip");
    let gone = gone.body(Bytes::new()).expect("a request");
    let answer = sandbox.handle(gone).await.expect("an answer");
    assert_eq!(answer.status(), 204);
    let launch = http::Request::post("http://127.0.0.1/")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from_static(LAUNCH.as_bytes()))
        .expect("a request");
    let answer = sandbox.handle(launch).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    now.fetch_add(300_000, Ordering::SeqCst);
    sandbox.with_world(|world, _| {
        let two = world.environment("shop-two").expect("it stays");
        assert_eq!((two.status, two.health.as_str()), (Status::Ready, "Grey"));
        let told = events(world);
        assert_eq!(
            told[1..],
            [
                "ERROR Unable to download from S3 location (Bucket: shop-artifacts  Key: \
                 shop/v1.zip). Reason: Not Found",
                "ERROR Failed to launch environment."
            ]
        );
    });
}

/// Events of different requests for one environment stand side by side, each with the id of
/// its own request (API reference, `EventDescription`, `RequestId`); those of a termination
/// bear the id that its answer told.
#[test]
fn each_termination_has_its_own_events() {
    let mut world = even();
    done(&mut world, LAUNCH);
    after(&mut world, 600);
    world.inject(FaultEffect::TerminateFails {
        environment: two(),
        failures: 1,
        lingers: false,
    });
    let another = "Failed to retrieve the environment's logs.";
    world.inject(FaultEffect::AnotherFails {
        environment: two(),
        message: another.to_owned(),
    });
    let id_of = |answer: &str| {
        let (_, rest) = answer.split_once("<RequestId>").expect("an id");
        rest.split('<').next().unwrap_or_default().to_owned()
    };
    let mut told = Vec::new();
    for seconds in [1200, 1800] {
        let id = id_of(&done(&mut world, TERMINATE));
        after(&mut world, seconds);
        let events = world.view.events.iter().filter(|e| e.request_id == id);
        told.push(events.map(|e| e.message.clone()).collect::<Vec<_>>());
    }
    let [failed, done] = &told[..] else {
        panic!("two terminations");
    };
    let starts = "terminateEnvironment is starting.";
    assert_eq!((failed[0].as_str(), done[0].as_str()), (starts, starts));
    let has = |told: &[String], text: &str| told.iter().any(|told| told.starts_with(text));
    assert!(has(failed, "Stack deletion failed"), "{failed:?}");
    assert!(!has(done, "Stack deletion failed"), "{done:?}");
    let last = "terminateEnvironment completed successfully.";
    assert_eq!(done.last().map(String::as_str), Some(last));
    let others = world.view.events.iter().filter(|e| e.message == another);
    assert_eq!(others.count(), 2);
}
