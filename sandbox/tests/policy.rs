//! What a policy refuses, in the words of the services.

use std::path::Path;

use bluegreen_sandbox::{Form, Need, Options, Policy, PolicyError, Reply, Sandbox, Verdict, World};
use bytes::Bytes;
use http::{Method, Request, StatusCode};

const SHOP: &str = "arn:aws:elasticbeanstalk:us-east-1:123456789012";

fn policy(statements: &str) -> Policy {
    Policy::parse(&format!(
        "{{\"Version\":\"2012-10-17\",\"Statement\":[{statements}]}}"
    ))
    .expect("a policy")
}

fn allow(action: &str, resource: &str) -> String {
    format!("{{\"Effect\":\"Allow\",\"Action\":\"{action}\",\"Resource\":\"{resource}\"}}")
}

fn world(statements: &[String]) -> World {
    let mut world = World::seeded(1_800_000_000_000);
    world.set_policy(Some(policy(&statements.join(","))));
    world
}

fn ask(world: &mut World, request: &str) -> (u16, String) {
    match world.apply(&Form::parse(request.as_bytes())) {
        Reply::Answer { status, body, .. } => (status, body.replace("&apos;", "'")),
        Reply::HangUp => (0, String::new()),
    }
}

#[test]
fn a_denial_names_the_caller_the_action_and_the_resource() {
    let mut world = world(&[allow(
        "elasticbeanstalk:*",
        &format!("{SHOP}:environment/shop/other"),
    )]);
    let (status, body) = ask(
        &mut world,
        "Action=TerminateEnvironment&EnvironmentName=shop-blue",
    );
    assert_eq!(status, 403, "{body}");
    assert!(body.contains("<Code>AccessDenied</Code>"), "{body}");
    let message = format!(
        "User: arn:aws:iam::123456789012:user/sandbox is not authorized to perform: \
         elasticbeanstalk:TerminateEnvironment on resource: {SHOP}:environment/shop/shop-blue \
         because no identity-based policy allows the elasticbeanstalk:TerminateEnvironment action"
    );
    assert!(body.contains(&message), "{body}");
    // What is not there is told as without a policy.
    let (_, body) = ask(
        &mut world,
        "Action=TerminateEnvironment&EnvironmentName=shop-none",
    );
    assert!(body.contains("No Environment found"), "{body}");
}

#[test]
fn lists_leave_out_what_may_not_be_seen() {
    let describe = "Action=DescribeEnvironments";
    let mut some = world(&[allow(
        "elasticbeanstalk:DescribeEnvironments",
        &format!("{SHOP}:environment/shop/shop-b*"),
    )]);
    let (status, body) = ask(&mut some, describe);
    assert_eq!(status, 200);
    assert!(
        body.contains("shop-blue") && !body.contains("shop-worker"),
        "{body}"
    );
    let mut none = world(&[allow("s3:*", "*")]);
    let (status, body) = ask(&mut none, describe);
    assert_eq!(status, 200);
    assert!(!body.contains("shop-"), "{body}");
}

#[test]
fn a_launch_needs_the_callers_rights_beneath() {
    let create = "Action=CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-two&VersionLabel=v1&SolutionStackName=s";
    let own = allow("elasticbeanstalk:*", "*");
    let (status, body) = ask(&mut world(std::slice::from_ref(&own)), create);
    assert_eq!(status, 403);
    assert!(
        body.contains("<Code>InsufficientPrivilegesException</Code>")
            && body.contains("cloudformation:CreateStack"),
        "{body}"
    );
    let all_but_bundle =
        r#"{"Effect":"Allow","NotAction":"s3:GetObject","Resource":"*"}"#.to_owned();
    let (_, body) = ask(&mut world(&[own.clone(), all_but_bundle.clone()]), create);
    assert!(
        body.contains("arn:aws:s3:::shop-artifacts/shop/v1.zip"),
        "{body}"
    );
    let bundle = allow("s3:GetObject", "arn:aws:s3:::shop-artifacts/*");
    let (status, body) = ask(&mut world(&[own, all_but_bundle, bundle]), create);
    assert_eq!(status, 200, "{body}");
}

/// What a launch needs follows the settings that it is to have: its kind of load balancer,
/// and the roles that it names.
#[test]
fn a_launch_needs_what_its_settings_ask_for() {
    let create = "Action=CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-two\
                  &VersionLabel=v1&SolutionStackName=s";
    let option = |at: usize, namespace: &str, name: &str, value: &str| {
        let member = format!("&OptionSettings.member.{at}");
        format!("{member}.Namespace={namespace}{member}.OptionName={name}{member}.Value={value}")
    };
    let environment = "aws:elasticbeanstalk:environment";
    let network = option(1, environment, "LoadBalancerType", "network");
    let single = option(1, environment, "EnvironmentType", "SingleInstance");
    let profile = option(
        1,
        "aws:autoscaling:launchconfiguration",
        "IamInstanceProfile",
        "web",
    );
    let service = option(1, environment, "ServiceRole", "ci/watch");
    for (asked, without, resource) in [
        (
            String::new(),
            "elasticloadbalancing:ConfigureHealthCheck",
            "loadbalancer/awseb-",
        ),
        (
            network.clone(),
            "elasticloadbalancing:CreateListener",
            "loadbalancer/net/awseb-",
        ),
        (single.clone(), "ec2:AllocateAddress", "on resource: *"),
        (profile, "iam:PassRole", ":role/web"),
        (service, "iam:PassRole", ":role/ci/watch"),
    ] {
        let rest = format!(r#"{{"Effect":"Allow","NotAction":"{without}","Resource":"*"}}"#);
        let (status, body) = ask(&mut world(&[rest]), &format!("{create}{asked}"));
        assert_eq!(status, 403, "{without}: {body}");
        assert!(body.contains(without) && body.contains(resource), "{body}");
    }
    // And nothing that another kind of load balancer would need.
    for asked in [network, single] {
        let rest = r#"{"Effect":"Allow","NotAction":"elasticloadbalancing:ConfigureHealthCheck","Resource":"*"}"#;
        let (status, body) = ask(&mut world(&[rest.to_owned()]), &format!("{create}{asked}"));
        assert_eq!(status, 200, "{body}");
    }
}

#[test]
fn conditions_see_what_the_request_names() {
    let only_v1 = format!(
        r#"{{"Effect":"Allow","Action":"elasticbeanstalk:UpdateEnvironment","Resource":"*",
            "Condition":{{"StringEquals":{{
                "elasticbeanstalk:InApplication":"{SHOP}:application/shop",
                "elasticbeanstalk:FromApplicationVersion":"{SHOP}:applicationversion/shop/v1"}}}}}}"#
    );
    let beneath = r#"{"Effect":"Allow","NotAction":"elasticbeanstalk:*","Resource":"*"}"#;
    let mut world = world(&[only_v1, beneath.to_owned()]);
    let update = "Action=UpdateEnvironment&EnvironmentName=shop-blue&VersionLabel=";
    assert_eq!(ask(&mut world, &format!("{update}v2")).0, 403);
    assert_eq!(ask(&mut world, &format!("{update}v1")).0, 200);
}

async fn s3(sandbox: &Sandbox, method: Method, host: &str, path: &str) -> (StatusCode, String) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", host)
        .header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=a/20270115/us-east-1/s3/aws4_request",
        )
        .body(Bytes::new())
        .expect("a request");
    let answer = sandbox.handle(request).await.expect("it answers");
    let status = answer.status();
    (status, String::from_utf8_lossy(answer.body()).into_owned())
}

#[tokio::test]
async fn s3_refuses_as_s3_does() {
    let sandbox = Sandbox::open(Options::default()).expect("it opens");
    let object = "/shop-artifacts/shop/v1.zip";
    let host = "127.0.0.1:4577";
    sandbox.set_policy(Some(policy(&allow("s3:PutObject", "*"))));
    let (status, body) = s3(&sandbox, Method::GET, host, object).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(
        body.contains("<Code>AccessDenied</Code>")
            && body
                .contains("s3:GetObject on resource: \"arn:aws:s3:::shop-artifacts/shop/v1.zip\""),
        "{body}"
    );
    let (status, body) = s3(&sandbox, Method::HEAD, host, object).await;
    assert_eq!((status, body.as_str()), (StatusCode::FORBIDDEN, ""));
    let in_host = "shop-artifacts.s3.us-east-1.amazonaws.com";
    let (_, body) = s3(&sandbox, Method::GET, in_host, "/shop/v1.zip").await;
    assert!(
        body.contains("arn:aws:s3:::shop-artifacts/shop/v1.zip"),
        "{body}"
    );
    // A missing key is told to those only who may list.
    let missing = "/shop-artifacts/none";
    let read = allow("s3:GetObject", "arn:aws:s3:::shop-artifacts/*");
    sandbox.set_policy(Some(policy(&read)));
    assert_eq!(
        s3(&sandbox, Method::GET, host, object).await.0,
        StatusCode::OK
    );
    assert_eq!(
        s3(&sandbox, Method::GET, host, missing).await.0,
        StatusCode::FORBIDDEN
    );
    let list = allow("s3:ListBucket", "arn:aws:s3:::shop-artifacts");
    sandbox.set_policy(Some(policy(&format!("{read},{list}"))));
    assert_eq!(
        s3(&sandbox, Method::GET, host, missing).await.0,
        StatusCode::NOT_FOUND
    );
    sandbox.set_policy(None);
    assert_eq!(
        s3(&sandbox, Method::HEAD, host, "/shop-artifacts").await.0,
        StatusCode::OK
    );
}

#[test]
fn a_file_that_is_no_policy_is_named() {
    let error = Policy::read(Path::new("/nowhere/policy.json")).expect_err("it is not there");
    assert!(matches!(error, PolicyError::Io { .. }));
    assert!(
        error.to_string().contains("/nowhere/policy.json"),
        "{error}"
    );
}

/// IAM user guide, "Condition operator to check existence of condition keys".
#[test]
fn null_asks_whether_a_key_is_there() {
    let policy = |value: &str| {
        Policy::parse(&format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{{"Null":{{"aws:ResourceTag/x":"{value}"}}}}}}}}"#
        ))
    };
    let without = Need::new("a:b", "*");
    let with = Need::new("a:b", "*").key("aws:ResourceTag/x", ["".to_owned()]);
    for (value, allowed, denied) in [("true", &without, &with), ("false", &with, &without)] {
        let policy = policy(value).expect("a policy");
        assert_eq!(policy.judge(allowed), Verdict::Allowed, "{value}");
        assert_eq!(policy.judge(denied), Verdict::NotAllowed, "{value}");
    }
    assert!(policy("maybe").is_err());
}
