//! What the events of a deploy say, told through the sandbox's own API on a clock set by hand.
//! Each test states a fact of the service and where it is from.

use bluegreen_sandbox::{FaultEffect, Form, Reply, Status, World, advance, apply};

const START: u64 = 1_800_000_000_000;
const DEPLOY: &str = "Action=UpdateEnvironment&EnvironmentName=shop-blue&VersionLabel=v2";

fn ask(world: &mut World, request: &str) -> (u16, String) {
    match apply(world, &Form::parse(request.as_bytes())) {
        Reply::Answer { status, body, .. } => (status, body.replace("&apos;", "'")),
        Reply::Foreign(_) | Reply::Slow(..) | Reply::HangUp => (0, String::new()),
    }
}

/// What the events of shop-blue say after a deploy of v2 under these faults, oldest first, and
/// the world then.
fn deployed(
    policy: &str,
    faults: impl IntoIterator<Item = FaultEffect>,
    seconds: u64,
) -> (Vec<(String, String)>, World) {
    let mut world = World::seeded(START);
    world.timings = world.timings.even();
    world.scale("shop-blue", 2);
    let blue = world.environment_mut("shop-blue").expect("blue");
    for setting in &mut blue.settings {
        if setting.name == "DeploymentPolicy" {
            policy.clone_into(&mut setting.value);
        }
    }
    blue.settings.push(bluegreen_sandbox::Setting {
        namespace: "aws:elasticbeanstalk:command".to_owned(),
        name: "BatchSize".to_owned(),
        value: "50".to_owned(),
        resource: None,
    });
    faults.into_iter().for_each(|fault| world.inject(fault));
    let (status, body) = ask(&mut world, DEPLOY);
    assert_eq!(status, 200, "{body}");
    advance(&mut world, START + seconds * 1000);
    let said = world.view.events.iter();
    // Those of health belong to no request, and those of its launch to another.
    let update = &world.environment("shop-blue").expect("blue").request_id;
    let said = said.filter(|event| event.request_id == *update);
    let said = said.map(|event| (event.severity.clone(), event.message.clone()));
    (said.collect(), world)
}

fn texts(said: &[(String, String)]) -> Vec<&str> {
    said.iter().map(|(_, message)| message.as_str()).collect()
}

fn fault_says(severity: &str, message: &str) -> FaultEffect {
    FaultEffect::UpdateSays {
        label: "v2".to_owned(),
        severity: severity.to_owned(),
        message: message.to_owned(),
    }
}

/// Event logs of Python environments: an ERROR on the way, and the update succeeds.
#[test]
fn an_update_with_an_error_event_may_succeed() {
    let error = "Your WSGIPath refers to a file that does not exist.";
    let (said, world) = deployed("AllAtOnce", [fault_says("ERROR", error)], 120);
    assert_eq!(
        texts(&said),
        [
            "Environment update is starting.",
            "Deploying new version to instance(s).",
            "Instance deployment completed successfully.",
            "Instance deployment completed successfully.",
            error,
            "New application version was deployed to running EC2 instances.",
            "Environment update completed successfully.",
        ]
    );
    let blue = world.environment("shop-blue").expect("blue");
    assert!(blue.instances.iter().all(|i| i.version_label == "v2"));
}

/// Event logs of command time-outs (einaregilsson/beanstalk-deploy#86 and others): a WARN that
/// names the instances, then ERRORs, the last of which is the terminal text.
#[test]
fn a_command_that_times_out_is_told_before_the_failure() {
    let warning = "The following instances have not responded in the allowed command timeout \
                   time (they might still finish eventually on their own): [i-1].";
    let fails = FaultEffect::VersionFailsToDeploy {
        label: "v2".to_owned(),
    };
    let (said, world) = deployed("AllAtOnce", [fault_says("WARN", warning), fails], 120);
    assert!(said.contains(&("WARN".to_owned(), warning.to_owned())));
    let last = said.last().expect("events");
    assert_eq!(
        last,
        &(
            "ERROR".to_owned(),
            "Failed to deploy application.".to_owned()
        )
    );
    let blue = world.environment("shop-blue").expect("blue");
    assert_eq!(
        (blue.status, blue.version_label.as_str()),
        (Status::Ready, "v1")
    );
}

/// EB CLI, `resources/strings.py`, and the guide's "Troubleshooting", which names no severity.
#[test]
fn an_update_may_end_with_another_text_and_with_none() {
    let ends = |message: &str| FaultEffect::UpdateEndsWith {
        label: "v2".to_owned(),
        severity: "INFO".to_owned(),
        message: message.to_owned(),
    };
    let errors = "Update environment operation is complete, but with errors.";
    let (said, _) = deployed("AllAtOnce", [ends(errors)], 120);
    assert_eq!(texts(&said).last(), Some(&errors));
    let (said, world) = deployed("AllAtOnce", [ends("")], 120);
    assert_eq!(
        texts(&said).last(),
        Some(&"Instance deployment completed successfully.")
    );
    let blue = world.environment("shop-blue").expect("blue");
    assert_eq!(
        (blue.status, blue.version_label.as_str()),
        (Status::Ready, "v2")
    );
}

/// An event log of a rolling deploy onto two instances, one after the other.
#[test]
fn a_rolling_deploy_tells_of_each_batch() {
    let (said, world) = deployed("Rolling", [], 120);
    let blue = world.environment("shop-blue").expect("blue");
    for (n, instance) in (1..).zip(&blue.instances) {
        let starts = format!(
            "Batch {n}: Starting application deployment on instance(s) [{}].",
            instance.id
        );
        assert!(texts(&said).contains(&starts.as_str()), "{said:?}");
        let done = format!("Batch {n}: Completed application deployment.");
        assert!(texts(&said).contains(&done.as_str()), "{said:?}");
    }
    assert_eq!(
        texts(&said).last(),
        Some(&"Environment update completed successfully.")
    );
}

/// Event logs of immutable deploys: they end like every other.
#[test]
fn an_immutable_deploy_tells_of_its_test_instance() {
    let (said, _) = deployed("Immutable", [], 120);
    let said = texts(&said);
    let at = |text: &str| said.iter().position(|said| said.starts_with(text));
    let first = at("Immutable deployment policy enabled.").expect("its beginning");
    let passed = at("Test instance passed health checks.").expect("its middle");
    let over = at("Deployment succeeded. Terminating old instances").expect("its end");
    assert!(first < passed && passed < over, "{said:?}");
    assert_eq!(
        said.last(),
        Some(&"Environment update completed successfully.")
    );
}

/// A rolling deploy of 45 minutes (meteor-up/mup-aws-beanstalk#63): it goes on, and says so.
#[test]
fn a_slow_deploy_says_how_far_it_is() {
    let slow = || FaultEffect::SlowDeploy {
        label: "v2".to_owned(),
        seconds: 2700,
        batches: 5,
    };
    let (said, world) = deployed("Rolling", [slow()], 1400);
    let blue = world.environment("shop-blue").expect("blue");
    assert_eq!(blue.status, Status::Updating);
    assert!(
        texts(&said).contains(&"Batch 2: Completed application deployment."),
        "{said:?}"
    );
    assert!(
        !texts(&said).iter().any(|said| said.starts_with("Batch 4")),
        "{said:?}"
    );
    let (said, world) = deployed("Rolling", [slow()], 2700);
    assert_eq!(
        texts(&said).last(),
        Some(&"Environment update completed successfully.")
    );
    assert_eq!(
        world.environment("shop-blue").expect("blue").status,
        Status::Ready
    );
}

/// EB CLI, `resources/strings.py` and `display/data_poller.py`; the same words in reports of
/// other tools (Upplication/gulp-elasticbeanstalk-deploy#4).
#[test]
fn basic_health_is_told_by_its_own_words() {
    let mut world = World::seeded(START);
    world.environment_mut("shop-blue").expect("blue").enhanced = false;
    for operation in ["DescribeEnvironmentHealth", "DescribeInstancesHealth"] {
        let request =
            format!("Action={operation}&EnvironmentName=shop-blue&AttributeNames.member.1=All");
        let (status, body) = ask(&mut world, &request);
        assert_eq!(status, 400, "{body}");
        assert!(body.contains("InvalidRequestException"), "{body}");
        assert!(
            body.contains(&format!("{operation} is not supported.")),
            "{body}"
        );
    }
}

fn health(world: &mut World, attribute: &str) -> String {
    let asked = format!(
        "Action=DescribeEnvironmentHealth&EnvironmentName=shop-blue&AttributeNames.member.1={attribute}"
    );
    let (status, body) = ask(world, &asked);
    assert_eq!(status, 200, "{body}");
    body
}

/// Guide, "Deployment policies": all instances are out of service for a short time; 45 seconds
/// and more in public logs (einaregilsson/beanstalk-deploy, "failure modes"). The causes are
/// those of meteor-up/mup-aws-beanstalk#9.
#[test]
fn what_was_deployed_may_answer_later_than_the_update_ends() {
    for (fault, answers) in [
        (
            FaultEffect::SlowToAnswer {
                label: "v2".to_owned(),
                seconds: 60,
            },
            502,
        ),
        (
            FaultEffect::BalancerLags {
                environment: "shop-blue".to_owned(),
                seconds: 60,
            },
            503,
        ),
    ] {
        let (said, mut world) = deployed("AllAtOnce", [fault], 120);
        assert!(texts(&said).contains(&"Environment update completed successfully."));
        let now = START + 120_000;
        let blue = world.environment("shop-blue").expect("blue");
        assert_eq!(blue.status, Status::Ready);
        assert_eq!(blue.out_of_service(now), Some(answers));
        assert!(health(&mut world, "HealthStatus").contains("Severe"));
        let causes = health(&mut world, "Causes");
        assert!(
            causes.contains("ELB processes are not healthy on all instances."),
            "{causes}"
        );
        advance(&mut world, now + 60_000);
        let blue = world.environment("shop-blue").expect("blue");
        assert_eq!(blue.out_of_service(now + 60_000), None);
        assert!(health(&mut world, "HealthStatus").contains("Ok"));
    }
}

/// hirokiky/ebi#22, Shippable/support#3336: between the first event and the last there may be
/// none for most of an hour, and the instances tell that they are being deployed to.
#[test]
fn a_deploy_may_be_silent_while_its_instances_are_in_progress() {
    let slow = FaultEffect::SlowDeploy {
        label: "v2".to_owned(),
        seconds: 2700,
        batches: 0,
    };
    let (said, mut world) = deployed("AllAtOnce", [slow], 2600);
    let said = texts(&said);
    assert_eq!(said.last(), Some(&"Deploying new version to instance(s)."));
    let asked = "Action=DescribeInstancesHealth&EnvironmentName=shop-blue&AttributeNames.member.1=Deployment";
    let (_, instances) = ask(&mut world, asked);
    assert_eq!(instances.matches("In Progress").count(), 2, "{instances}");
}

/// An update that does not end although every instance has the version: it can be aborted.
#[test]
fn an_update_may_hang() {
    let hangs = FaultEffect::UpdateHangs {
        label: "v2".to_owned(),
    };
    let (said, mut world) = deployed("AllAtOnce", [hangs], 7200);
    assert_eq!(
        texts(&said).last(),
        Some(&"Instance deployment completed successfully.")
    );
    let blue = world.environment("shop-blue").expect("blue");
    assert_eq!(blue.status, Status::Updating);
    let mut all = blue.instances.iter();
    assert!(all.all(|i| i.version_label == "v2" && i.deployment_status == "Deployed"));
    let abort = "Action=AbortEnvironmentUpdate&EnvironmentName=shop-blue";
    assert_eq!(ask(&mut world, abort).0, 200);
    advance(&mut world, START + 8_000_000);
    let blue = world.environment("shop-blue").expect("blue");
    assert_eq!(blue.status, Status::Ready);
}

/// aws/elastic-beanstalk-roadmap#162.
#[test]
fn an_update_may_succeed_although_an_instance_was_missed() {
    let misses = FaultEffect::InstanceMisses {
        label: "v2".to_owned(),
    };
    let (said, world) = deployed("AllAtOnce", [misses], 600);
    assert!(texts(&said).contains(&"Environment update completed successfully."));
    let blue = world.environment("shop-blue").expect("blue");
    let run = blue.instances.iter();
    let run: Vec<_> = run.map(|i| i.version_label.as_str()).collect();
    assert_eq!(run, ["v1", "v2"]);
}
