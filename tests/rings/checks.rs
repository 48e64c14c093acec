//! What is checked before a release, through the real SDK: each with both verdicts.

use std::time::Duration;

use bluegreen::clock::Deadline;
use bluegreen::cloud::{
    Asked, CnameAvailability, ConditionalWrites, Configuration, Denial, Denied, EnvironmentType,
    Quota, ZoneRecords,
};
use bluegreen::cloud::{LookError, Outcome};
use bluegreen::machine::State;
use bluegreen::preview::Record;
use bluegreen::store::Transition;
use bluegreen_sandbox::{BUCKET, Fault, FaultEffect, ZONE, apply};
use bluegreen_sandbox::{Form, Policy, QuotaOf, Reply, Status};

use crate::support::plans::{bad_digest, blue};
use crate::support::policies::shipped;
use crate::support::served::{Served, clients_of};
use crate::support::virtual_world::{VirtualWorld, v2};

const BLUE: &str = "shop-blue";
const USER: &str = "arn:aws:iam::123456789012:user/sandbox";
const ARN: &str = "arn:aws:elasticbeanstalk:us-east-1:123456789012:environment/shop";

/// What somebody with every permission asks of Elastic Beanstalk.
fn by_hand(world: &VirtualWorld, request: &str) -> (u16, String) {
    let reply = world.sandbox.with_world(|world, _| {
        world.set_policy(None);
        apply(world, &Form::parse(request.as_bytes()))
    });
    match reply {
        Reply::Answer { status, body, .. } => (status, body.replace("&apos;", "'")),
        Reply::Foreign(_) | Reply::Slow(..) | Reply::HangUp => (0, String::new()),
    }
}

const TEMPLATE: &str = "Action=CreateConfigurationTemplate&ApplicationName=shop&TemplateName=t&SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20";
const LAUNCH: &str = "Action=CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-two&VersionLabel=v1&CNAMEPrefix=shop-two&SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20";

#[track_caller]
fn refused((status, body): (u16, String), code: &str) {
    assert!(
        status == 400 && body.contains(&format!("<Code>{code}</Code>")),
        "{status} {body}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_managed_action_is_told_until_it_is_over() {
    let world = VirtualWorld::new().await;
    assert_eq!(world.cloud.managed_action(BLUE).await, Ok(None));
    for seconds in [90_000, 3600] {
        world.inject(FaultEffect::ManagedActionDue {
            environment: blue(),
            seconds,
        });
    }
    let due = world.clock.now().after(Duration::from_secs(3600));
    let next = async || world.cloud.managed_action(BLUE).await.expect("it answers");
    let action = next().await.expect("the first of two");
    assert_eq!(action.kind, "PlatformUpdate");
    assert_eq!(action.status, "Scheduled");
    assert_eq!(action.window_start, Some(due));
    assert!(!action.description.is_empty());
    world.clock.sleep(Duration::from_secs(3601)).await;
    assert_eq!(next().await.expect("it is under way").status, "Running");
    let status = || {
        world
            .sandbox
            .with_world(|world, _| world.environment(BLUE).expect("blue").status)
    };
    assert_eq!(status(), Status::Updating);
    world.clock.sleep(Duration::from_secs(600)).await;
    assert_eq!(status(), Status::Ready);
    let action = next().await.expect("the second");
    assert_eq!(action.status, "Scheduled");
    assert!(action.window_start > Some(due));
    assert_eq!(world.sandbox.report().lost, 0, "it serves meanwhile");
    let none = world.cloud.managed_action("shop-none").await;
    assert!(matches!(none, Err(LookError::Refused(_))), "{none:?}");
}

#[tokio::test(start_paused = true)]
async fn a_retired_branch_is_told_and_nothing_is_made_on_it() {
    let world = VirtualWorld::new().await;
    let found = world.cloud.environments(&[blue()]).await.expect("blue");
    let arn = found[0].platform.clone().expect("its platform");
    let platform = async || world.cloud.platform(&arn).await.expect("it answers");
    let supported = platform().await.expect("it is there");
    assert_eq!(supported.version, "4.3.0");
    assert_eq!(supported.lifecycle.as_deref(), Some("Recommended"));
    assert!(supported.branch.is_some());
    assert!(supported.branch_is("supported"));
    for state in ["Deprecated", "Retired"] {
        world.inject(FaultEffect::PlatformBranch {
            state: state.to_owned(),
        });
        let told = platform().await.expect("it is there");
        assert!(told.branch_is(state) && !told.branch_is("Supported"));
    }
    assert_eq!(platform().await.expect("it is there").lifecycle, None);
    refused(by_hand(&world, LAUNCH), "InvalidParameterValue");
    world.sandbox.with_world(|world, _| world.clear_faults());
    assert_eq!(by_hand(&world, LAUNCH).0, 200);
    let none = world.cloud.platform(&format!("{arn}0")).await;
    assert_eq!(none, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn quotas_are_told_with_what_is_used() {
    let world = VirtualWorld::new().await;
    let quotas = world.cloud.quotas().await.expect("it answers");
    let quota = |maximum, used| Quota {
        maximum: Some(maximum),
        used: Some(used),
    };
    assert_eq!(quotas.applications, quota(75, 1));
    assert_eq!(quotas.versions, quota(1000, 2));
    assert_eq!(quotas.templates, quota(2000, 0));
    assert_eq!(quotas.environments, quota(200, 2));
    assert_eq!(quotas.platforms.left(), None);
    assert_eq!(by_hand(&world, TEMPLATE).0, 200);
    for (of, maximum) in [
        (QuotaOf::Environments, 2),
        (QuotaOf::Templates, 1),
        (QuotaOf::Applications, 1),
        (QuotaOf::Versions, 2),
    ] {
        world.inject(FaultEffect::Quota { of, maximum });
    }
    let quotas = world.cloud.quotas().await.expect("it answers");
    for quota in [
        quotas.environments,
        quotas.templates,
        quotas.applications,
        quotas.versions,
    ] {
        assert_eq!(quota.left(), Some(0), "{quota:?}");
    }
    refused(by_hand(&world, LAUNCH), "TooManyEnvironmentsException");
    let another = TEMPLATE.replace("TemplateName=t", "TemplateName=u");
    refused(
        by_hand(&world, &another),
        "TooManyConfigurationTemplatesException",
    );
    refused(
        by_hand(&world, "Action=CreateApplication&ApplicationName=other"),
        "TooManyApplicationsException",
    );
    refused(
        by_hand(
            &world,
            "Action=CreateApplicationVersion&ApplicationName=shop&VersionLabel=v3",
        ),
        "TooManyApplicationVersionsException",
    );
}

/// A health check each five seconds from six zones makes 72 requests a minute of an instance:
/// the plan knows that from blue's settings, unless the operator says otherwise, and no drain
/// waits for them: where the plan's figure is too low, what green gets before it serves tells.
#[tokio::test(start_paused = true)]
async fn a_drain_ends_whatever_the_health_checks_make() {
    for (given, expected) in [(None, 108), (Some(30), 30)] {
        let mut world = VirtualWorld::new().await;
        world.config.drain_requests = given;
        let six = "subnet-1,subnet-2,subnet-3,subnet-4,subnet-5,subnet-6";
        let process = "aws:elasticbeanstalk:environment:process:default";
        world.sandbox.with_world(|world, _| {
            world.set("shop-blue", process, "HealthCheckInterval", "5");
            world.set("shop-blue", "aws:ec2:vpc", "ELBSubnets", six);
        });
        let begun = world.begin(v2()).await;
        let mut deployment = begun.expect("preflight passes");
        assert_eq!(deployment.plan.wishes.limits.drain_requests, expected);
        let driven = world.drive(&mut deployment).await.expect("nobody kills it");
        driven.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(deployment.state, State::Completed);
        let story = world.store().transitions(&deployment.plan.id);
        let story = story.expect("it can be read");
        let at =
            |is: &dyn Fn(&Transition) -> bool| story.iter().find(|t| is(t)).expect("it was").at;
        let began = at(&|t| t.to == "DrainingBlue");
        let took = at(&|t| t.from == "DrainingBlue").since(began);
        let limit = deployment.plan.wishes.limits.drain_limit;
        assert!(took < limit / 2, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cname_is_free_its_own_or_somebody_elses() {
    let world = VirtualWorld::new().await;
    let told = async |prefix: &str| world.cloud.cname_availability(prefix).await;
    let cname = |prefix: &str, available| CnameAvailability {
        cname: format!("{prefix}.us-east-1.elasticbeanstalk.com"),
        available,
    };
    assert_eq!(told("shop-two").await, Ok(cname("shop-two", true)));
    assert_eq!(told("shop").await, Ok(cname("shop", false)), "blue's own");
    world.inject(FaultEffect::CnameTaken {
        prefix: "Shop-Two".to_owned(),
    });
    assert_eq!(told("shop-two").await, Ok(cname("shop-two", false)));
    refused(by_hand(&world, LAUNCH), "InvalidParameterValue");
    let short = told("abc").await;
    assert!(matches!(short, Err(LookError::Refused(_))), "{short:?}");
}

#[tokio::test(start_paused = true)]
async fn the_configuration_tells_what_kind_of_environment_it_is() {
    let world = VirtualWorld::new().await;
    let told = async || -> Configuration {
        let told = world.cloud.configuration("shop", BLUE).await;
        told.expect("it answers")
    };
    let plain = told().await;
    assert_eq!(plain.environment_type(), EnvironmentType::LoadBalanced);
    assert_eq!(plain.balancer_type(), Some("application"));
    assert_eq!(plain.shared_balancer(), None);
    assert_eq!(plain.deployment_policy(), "AllAtOnce");
    assert_eq!(plain.coupled_database(), None);
    world.inject(FaultEffect::CoupledDatabase {
        environment: blue(),
    });
    assert_eq!(told().await.coupled_database(), Some("postgres"));
    world.inject(FaultEffect::SharedBalancer {
        environment: blue(),
    });
    let shared = told().await;
    let balancer = world.sandbox.with_world(|world, _| world.balancer_arn());
    assert_eq!(shared.shared_balancer(), Some(balancer.as_str()));
    assert_eq!(shared.balancer_type(), Some("application"));
    world.inject(FaultEffect::SingleInstance {
        environment: blue(),
    });
    let single = told().await;
    assert_eq!(single.environment_type(), EnvironmentType::SingleInstance);
    assert_eq!((single.balancer_type(), single.sizes()), (None, None));
}

#[test]
fn a_database_that_was_decoupled_is_none() {
    let told = |settings: &[(&str, &str)]| {
        let setting = |(name, value): &(&str, &str)| bluegreen::cloud::Setting {
            namespace: "aws:rds:dbinstance".to_owned(),
            name: (*name).to_owned(),
            resource: None,
            value: Some((*value).to_owned()),
        };
        let configuration = Configuration {
            settings: settings.iter().map(setting).collect(),
            ..Configuration::default()
        };
        configuration.coupled_database().map(str::to_owned)
    };
    let some = |engine: &str| Some(engine.to_owned());
    assert_eq!(told(&[]), None);
    assert_eq!(told(&[("DBEngine", "mysql")]), some("mysql"));
    assert_eq!(told(&[("DBInstanceClass", "db.t3.small")]), some(""));
    assert_eq!(told(&[("HasCoupledDatabase", "true")]), some(""));
    let decoupled = [("HasCoupledDatabase", "false"), ("DBEngine", "mysql")];
    assert_eq!(told(&decoupled), None);
}

#[tokio::test(start_paused = true)]
async fn a_protected_stack_is_told() {
    let world = VirtualWorld::new().await;
    let found = world.cloud.environments(&[blue()]).await.expect("blue");
    let told = async || world.cloud.termination_protection(&found[0].id).await;
    assert_eq!(told().await, Ok(Some(false)));
    world.inject(FaultEffect::ProtectedStack {
        environment: blue(),
    });
    assert_eq!(told().await, Ok(Some(true)));
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_ignores_conditions_is_told() {
    let world = VirtualWorld::new().await;
    let told = async || world.cloud.conditional_writes(BUCKET).await;
    let key = "bluegreen/conditional-writes";
    let written = async || world.cloud.object_exists(BUCKET, key).await;
    assert_eq!(told().await, Ok(ConditionalWrites::Honoured));
    world.inject(bad_digest());
    assert_eq!(told().await, Ok(ConditionalWrites::Unknown));
    assert_eq!(written().await, Ok(false), "nothing is written");
    world.inject(FaultEffect::ConditionsIgnored);
    assert_eq!(told().await, Ok(ConditionalWrites::Ignored));
    assert_eq!(written().await, Ok(true), "where neither is heeded");
    world.sandbox.with_world(|world, _| world.clear_faults());
    assert_eq!(
        told().await,
        Ok(ConditionalWrites::Honoured),
        "of an object"
    );
    let none = world.cloud.conditional_writes("shop-none").await;
    assert!(
        matches!(&none, Err(LookError::Refused(why)) if why.contains("shop-none")),
        "{none:?}"
    );
    world.sandbox.set_policy(Some(policy(
        r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}"#,
    )));
    let denied = told().await;
    assert!(matches!(denied, Err(LookError::Denied(_))), "{denied:?}");
}

#[tokio::test(start_paused = true)]
async fn records_that_lead_past_the_cname_are_told_with_their_zone() {
    let world = VirtualWorld::new().await;
    let found = world.cloud.environments(&[blue()]).await.expect("blue");
    let names = [found[0].endpoint.clone().expect("a load balancer")];
    let records = async || world.cloud.zone_records().await;
    let past = |records: &ZoneRecords| -> Vec<(String, String)> {
        let past = records.leading_to(&names);
        past.map(|(zone, set)| (zone.clone(), set.name.clone()))
            .collect()
    };
    let told = records().await.expect("it answers");
    assert_eq!(past(&told), [], "www.shop.example leads to the CNAME");
    assert!(!told.found.is_empty());
    let cname = Record::Cname {
        ttl: 60,
        value: names[0].clone(),
    };
    let zone = world.cloud.hosted_zone(ZONE);
    let host = "direct.shop.example";
    let send_by = Deadline::default();
    let outcome = zone.replace(host, &Record::Absent, &cname, &send_by).await;
    assert!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
    let told = records().await.expect("it answers");
    assert_eq!(told.unread, [""; 0]);
    let direct = ("shop.example".to_owned(), "direct.shop.example.".to_owned());
    assert_eq!(past(&told), [direct]);
    world.sandbox.set_policy(Some(policy(
        r#"{"Effect":"Allow","Action":"route53:ListHostedZones","Resource":"*"}"#,
    )));
    let told = records().await.expect("the zones are listed");
    assert_eq!(
        (told.found.len(), told.unread),
        (0, vec!["shop.example".to_owned()])
    );
    world.sandbox.set_policy(Some(policy(
        r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#,
    )));
    assert!(matches!(records().await, Err(LookError::Denied(_))));
}

const ANYTHING: &str = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;

fn policy(statements: &str) -> Policy {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    Policy::parse(&text).expect("a policy")
}

fn action(action: &str, resource: &str) -> Asked {
    Asked {
        action: action.to_owned(),
        resource: resource.to_owned(),
        passed_to: None,
    }
}

fn denied(of: &Asked, why: Denial) -> Denied {
    Denied {
        action: of.action.clone(),
        resource: of.resource.clone(),
        why,
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_policy_lacks_is_told() {
    let world = VirtualWorld::new().await;
    let deploy = action(
        "elasticbeanstalk:UpdateEnvironment",
        &format!("{ARN}/shop-blue"),
    );
    let terminate = action(
        "elasticbeanstalk:TerminateEnvironment",
        &format!("{ARN}/shop-blue"),
    );
    let role = "arn:aws:iam::123456789012:role/aws-elasticbeanstalk-ec2-role";
    let pass = |service: &str| Asked {
        passed_to: Some(service.to_owned()),
        ..action("iam:PassRole", role)
    };
    let balancer = "arn:aws:elasticloadbalancing:us-east-1:123456789012";
    let follow = action(
        "elasticloadbalancing:ModifyRule",
        &format!("{balancer}:listener-rule/app/a/b/c/d"),
    );
    let alarms = action("cloudwatch:DescribeAlarms", "*");
    let to_ec2 = pass("ec2.amazonaws.com");
    let to_lambda = pass("lambda.amazonaws.com");
    let both = [to_ec2.clone(), to_lambda.clone()];
    let expected = vec![denied(&to_lambda, Denial::NotAllowed)];
    assert_eq!(world.cloud.simulate(USER, &both).await, Ok(expected));
    let granted = [
        deploy.clone(),
        to_ec2,
        follow,
        alarms.clone(),
        deploy.clone(),
    ];
    assert_eq!(world.cloud.simulate(USER, &granted).await, Ok(Vec::new()));
    assert_eq!(world.cloud.simulate(USER, &[]).await, Ok(Vec::new()));
    let asked = [alarms.clone(), deploy.clone(), terminate.clone()];
    let told = world.cloud.simulate(USER, &asked).await;
    assert_eq!(told, Ok(vec![denied(&terminate, Denial::NotAllowed)]));
    let simulate = r#"{"Effect":"Allow","Action":"iam:SimulatePrincipalPolicy","Resource":"*"}"#;
    let deny = r#"{"Effect":"Deny","Action":"elasticbeanstalk:*","Resource":"*"}"#;
    let tagged = r#"{"Effect":"Allow","Action":"cloudwatch:*","Resource":"*",
        "Condition":{"StringEquals":{"aws:ResourceTag/team":"shop"}}}"#;
    let own = policy(&[simulate, deny, tagged].join(","));
    world.sandbox.set_policy(Some(own));
    let told = world.cloud.simulate(USER, &asked).await;
    let missing = Denial::Undecided(vec!["aws:resourcetag/team".to_owned()]);
    let expected = vec![
        denied(&alarms, missing),
        denied(&deploy, Denial::Explicit),
        denied(&terminate, Denial::Explicit),
    ];
    assert_eq!(told, Ok(expected));
}

#[tokio::test(start_paused = true)]
async fn more_actions_than_an_answer_tells_are_told_in_several() {
    let world = VirtualWorld::new().await;
    let asked: Vec<_> = (0..250)
        .map(|n| action(&format!("ec2:Action{n}"), "*"))
        .collect();
    let told = world.cloud.simulate(USER, &asked).await;
    let told = told.expect("it answers");
    let expected: Vec<_> = asked
        .iter()
        .map(|asked| denied(asked, Denial::NotAllowed))
        .collect();
    assert_eq!(told, expected);
    let calls = world.sandbox.report().calls;
    assert_eq!(calls.get("SimulatePrincipalPolicy"), Some(&3));
}

#[tokio::test(start_paused = true)]
async fn who_may_not_ask_is_told_so() {
    let world = VirtualWorld::new().await;
    world.sandbox.set_policy(Some(policy(
        r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#,
    )));
    let asked = [action("cloudwatch:DescribeAlarms", "*")];
    let told = world.cloud.simulate(USER, &asked).await;
    assert!(
        matches!(&told, Err(LookError::Denied(why)) if why.contains("iam:SimulatePrincipalPolicy")),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_caller_is_told_and_a_session_leads_to_its_role() {
    let world = VirtualWorld::new().await;
    let caller = world.cloud.caller().await.expect("it answers");
    assert_eq!(caller.account, "123456789012");
    assert_eq!(caller.arn, USER);
    assert_eq!(caller.principal.as_deref(), Some(USER));
    world
        .sandbox
        .with_world(|world, _| world.assume(Some("releases")));
    world.sandbox.set_policy(Some(policy(ANYTHING)));
    let caller = world.cloud.caller().await.expect("it answers");
    assert_eq!(
        caller.arn,
        "arn:aws:sts::123456789012:assumed-role/releases/sandbox"
    );
    let role = caller.principal.expect("a role");
    assert_eq!(role, "arn:aws:iam::123456789012:role/releases");
    let asked = [action("cloudwatch:DescribeAlarms", "*")];
    assert_eq!(world.cloud.simulate(&role, &asked).await, Ok(Vec::new()));
    world.inject(FaultEffect::ExpiredCredentials);
    let told = world.cloud.caller().await;
    assert!(matches!(told, Err(LookError::Credentials(_))), "{told:?}");
}

/// The ARN of a session does not tell its role's path.
#[tokio::test(start_paused = true)]
async fn the_path_of_a_role_is_found_where_it_may_be_read() {
    let world = VirtualWorld::new().await;
    world
        .sandbox
        .with_world(|world, _| world.assume(Some("ci/deployers")));
    let asked = [action("s3:GetObject", "arn:aws:s3:::b/k")];
    let role = "arn:aws:iam::123456789012:role/deployers";
    world.sandbox.set_policy(Some(policy(
        r#"{"Effect":"Allow","Action":["iam:GetRole","iam:SimulatePrincipalPolicy"],"Resource":"*"}"#,
    )));
    let told = world.cloud.simulate(role, &asked).await;
    assert_eq!(told, Ok(vec![denied(&asked[0], Denial::NotAllowed)]));
    world.sandbox.set_policy(Some(policy(
        r#"{"Effect":"Allow","Action":"iam:SimulatePrincipalPolicy","Resource":"*"}"#,
    )));
    let told = world.cloud.simulate(role, &asked).await;
    assert!(
        matches!(&told, Err(LookError::Refused(why)) if why.contains(role) && why.contains("path")),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_is_understood() {
    let world = VirtualWorld::new().await;
    world.inject(Fault {
        times: Some(1),
        ..FaultEffect::Throttle.into()
    });
    assert!(world.cloud.quotas().await.is_ok(), "bluegreen asks again");
    world.sandbox.set_policy(Some(policy(
        r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#,
    )));
    let told = world.cloud.managed_action(BLUE).await;
    assert!(
        matches!(&told, Err(LookError::Denied(why)) if why.contains("DescribeEnvironmentManagedActions")),
        "{told:?}"
    );
    let told = world.cloud.cname_availability("shop-two").await;
    assert!(matches!(told, Err(LookError::Denied(_))), "{told:?}");
    let told = world.cloud.quotas().await;
    assert!(matches!(told, Err(LookError::Denied(_))), "{told:?}");
    world.sandbox.set_policy(Some(shipped()));
    assert!(world.cloud.quotas().await.is_ok());
}

/// Over a socket.
#[test]
fn they_are_told_over_the_wire() {
    let served = Served::at_speed(60.0);
    let asked = [
        action(
            "elasticbeanstalk:UpdateEnvironment",
            &format!("{ARN}/shop-blue"),
        ),
        action("elasticbeanstalk:DeleteApplication", "*"),
    ];
    served.block_on(async {
        let cloud = clients_of(&served.url).await;
        let caller = cloud.caller().await.expect("it answers");
        let principal = caller.principal.expect("a user");
        let told = cloud.simulate(&principal, &asked).await;
        assert_eq!(told, Ok(vec![denied(&asked[1], Denial::NotAllowed)]));
        assert_eq!(cloud.managed_action(BLUE).await, Ok(None));
        let quotas = cloud.quotas().await.expect("it answers");
        assert_eq!(quotas.environments.left(), Some(198));
    });
}
