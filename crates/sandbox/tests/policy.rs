//! What a policy refuses, in the words of the services.

use std::path::Path;

use bluegreen_sandbox::{
    BundleReader, FaultEffect, Form, Need, Options, Policy, PolicyError, Reply, Sandbox, Verdict,
    World, apply,
};
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
    match apply(world, &Form::parse(request.as_bytes())) {
        Reply::Answer { status, body, .. } => (status, body.replace("&apos;", "'")),
        Reply::Foreign(_) | Reply::Slow(..) | Reply::HangUp => (0, String::new()),
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
    let create = "Action=CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-two&VersionLabel=v1&SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20";
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
    let assets = allow("s3:GetObject", "arn:aws:s3:::elasticbeanstalk-*/*");
    let (status, body) = ask(&mut world(&[own, all_but_bundle, bundle, assets]), create);
    assert_eq!(status, 200, "{body}");
}

/// What a launch needs follows the settings that it is to have: its kind of load balancer,
/// and the roles that it names.
#[test]
fn a_launch_needs_what_its_settings_ask_for() {
    let create = "Action=CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-two\
                  &VersionLabel=v1&SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20";
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
    let linked = option(
        1,
        environment,
        "ServiceRole",
        "AWSServiceRoleForElasticBeanstalk",
    );
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
        // Named without its path (developer guide, "Using service-linked roles for Elastic
        // Beanstalk").
        (
            linked,
            "iam:PassRole",
            ":role/aws-service-role/elasticbeanstalk.amazonaws.com/AWSServiceRoleForElasticBeanstalk",
        ),
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

/// Elastic Beanstalk reads files of AWS's own with the caller's rights, and tells a denial of
/// them by bucket and key: `InvalidParameterValue` of a read
/// (hashicorp/terraform-provider-aws#32977), `InsufficientPrivilegesException` of a change
/// (public event logs of CreateEnvironment from a template and of UpdateEnvironment).
#[test]
fn aws_own_buckets_are_read_with_the_callers_rights() {
    let everything_but_objects = r#"{"Effect":"Allow","NotAction":"s3:GetObject","Resource":"*"}"#;
    let bundles = allow("s3:GetObject", "arn:aws:s3:::shop-artifacts/*");
    let storage = allow(
        "s3:GetObject",
        "arn:aws:s3:::elasticbeanstalk-us-east-1-123456789012/*",
    );
    let template = "Action=CreateConfigurationTemplate&ApplicationName=shop&TemplateName=t";
    let settings =
        "Action=DescribeConfigurationSettings&ApplicationName=shop&EnvironmentName=shop-blue";
    let create = "Action=CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-two&VersionLabel=v1&TemplateName=t";
    let update = "Action=UpdateEnvironment&EnvironmentName=shop-blue&VersionLabel=v2";
    let invalid = (400, "<Code>InvalidParameterValue</Code>");
    let denied = (403, "<Code>InsufficientPrivilegesException</Code>");
    let buckets = [
        "elasticbeanstalk-env-resources",
        "elasticbeanstalk-platform-assets",
    ];
    for (lacking, granted) in [(buckets[0], buckets[1]), (buckets[1], buckets[0])] {
        for (request, (status, code)) in [(settings, invalid), (create, denied), (update, denied)] {
            let mut world = world(&[
                everything_but_objects.to_owned(),
                bundles.clone(),
                storage.clone(),
                allow("s3:GetObject", &format!("arn:aws:s3:::{granted}-*/*")),
            ]);
            ask(&mut world, template);
            let (told, body) = ask(&mut world, request);
            assert_eq!(told, status, "{request}: {body}");
            let words = format!("Access Denied: S3Bucket={lacking}-us-east-1, S3Key=");
            assert!(body.contains(code) && body.contains(&words), "{body}");
        }
    }
}

/// With an operations role the caller needs `iam:PassRole` on it and nothing downstream: the
/// role's own rights count (API reference, `CreateEnvironment`, `OperationsRole`, and
/// `AssociateEnvironmentOperationsRole`).
#[test]
fn an_operations_role_has_the_rights_downstream() {
    let role = "arn:aws:iam::123456789012:role/shop-operations";
    let own = [
        allow("elasticbeanstalk:*", "*"),
        allow("s3:GetObject", "arn:aws:s3:::elasticbeanstalk-*/*"),
    ];
    let mut world = world(&own);
    let associate = format!(
        "Action=AssociateEnvironmentOperationsRole&EnvironmentName=shop-blue&OperationsRole={role}"
    );
    let (status, body) = ask(&mut world, &associate);
    assert_eq!(status, 403, "{body}");
    assert!(
        body.contains("iam:PassRole on resource: arn:aws:iam::123456789012:role/shop-operations"),
        "{body}"
    );
    let passing = format!(
        r#"{{"Effect":"Allow","Action":"iam:PassRole","Resource":"{role}","Condition":{{
            "StringEquals":{{"iam:PassedToService":"elasticbeanstalk.amazonaws.com"}}}}}}"#
    );
    world.set_policy(Some(policy(&[&own[..], &[passing]].concat().join(","))));
    let update = "Action=UpdateEnvironment&EnvironmentName=shop-blue&VersionLabel=v2";
    let (_, body) = ask(&mut world, update);
    assert!(body.contains("user/sandbox is not authorized"), "{body}");
    let (status, body) = ask(&mut world, &associate);
    assert_eq!(status, 200, "{body}");
    let describe = "Action=DescribeEnvironments&EnvironmentNames.member.1=";
    let told = format!("<OperationsRole>{role}</OperationsRole>");
    let (_, body) = ask(&mut world, &format!("{describe}shop-blue"));
    assert!(body.contains(&told), "{body}");
    let (status, body) = ask(&mut world, update);
    assert_eq!(status, 200, "{body}");
    let create = "Action=CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-two&VersionLabel=v1&SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20";
    let (status, body) = ask(&mut world, create);
    assert_eq!(status, 403, "{body}");
    let (status, body) = ask(&mut world, &format!("{create}&OperationsRole={role}"));
    assert!(status == 200 && body.contains(&told), "{body}");
    // What the role may not do is told of the role.
    let nothing = r#"{"Version":"2012-10-17","Statement":[]}"#;
    world.set_role_policy(role, nothing).expect("a policy");
    let (status, body) = ask(
        &mut world,
        "Action=TerminateEnvironment&EnvironmentName=shop-two",
    );
    assert!(
        status == 403 && body.contains("assumed-role/shop-operations/"),
        "{body}"
    );
    let disassociate = "Action=DisassociateEnvironmentOperationsRole&EnvironmentName=shop-blue";
    assert_eq!(ask(&mut world, disassociate).0, 200);
    let (_, body) = ask(&mut world, &format!("{describe}shop-blue"));
    assert!(!body.contains("OperationsRole"), "{body}");
}

fn everything_but(action: &str) -> String {
    format!(r#"{{"Effect":"Allow","NotAction":"{action}","Resource":"*"}}"#)
}

/// What a deploy needs follows its deployment policy: a public event log of an immutable deploy
/// (`Detached new instance(s) from temporary auto scaling group`, `Attached new instance(s) to
/// the permanent auto scaling group`), the developer guide ("Deployment policies and settings")
/// for the additional batch and traffic splitting.
#[test]
fn a_deploy_needs_what_its_policy_does() {
    let update = "Action=UpdateEnvironment&EnvironmentName=shop-blue&VersionLabel=v2";
    let batch = "autoscaling:SetDesiredCapacity";
    let groups = "autoscaling:AttachInstances";
    let rules = "elasticloadbalancing:ModifyRule";
    for (kind, needs) in [
        ("AllAtOnce", &[][..]),
        ("Rolling", &[]),
        ("RollingWithAdditionalBatch", &[batch]),
        ("Immutable", &[batch, groups]),
        ("TrafficSplitting", &[batch, groups, rules]),
    ] {
        for action in [batch, groups, rules] {
            let mut world = world(&[everything_but(action)]);
            let namespace = "aws:elasticbeanstalk:command";
            world.set("shop-blue", namespace, "DeploymentPolicy", kind);
            let (status, body) = ask(&mut world, update);
            let denied = needs.contains(&action);
            assert_eq!(status == 403, denied, "{kind} without {action}: {body}");
            assert_eq!(body.contains(action), denied, "{kind}: {body}");
        }
    }
}

/// Environments from before launch templates launch by launch configurations, others by launch
/// templates, whose versions are made and deleted by a change (developer guide, "Launch
/// templates").
#[test]
fn an_older_environment_needs_launch_configurations_and_others_launch_templates() {
    let change = "Action=UpdateEnvironment&EnvironmentName=shop-blue\
                  &OptionSettings.member.1.Namespace=aws:autoscaling:asg\
                  &OptionSettings.member.1.OptionName=MaxSize&OptionSettings.member.1.Value=5";
    let configuration = "autoscaling:CreateLaunchConfiguration";
    let template = "ec2:CreateLaunchTemplateVersion";
    for (imds, denied) in [("false", configuration), ("true", template)] {
        for action in [configuration, template] {
            let mut world = world(&[everything_but(action)]);
            let namespace = "aws:autoscaling:launchconfiguration";
            world.set("shop-blue", namespace, "DisableIMDSv1", imds);
            let (status, body) = ask(&mut world, change);
            assert_eq!(status == 403, action == denied, "{imds} {action}: {body}");
        }
    }
}

/// What making the load balancer and its security group fails without: public guides to the
/// least rights of Elastic Beanstalk, which quote the failures one by one (`Creating security
/// group named: sg-… failed … not authorized to perform: ec2:RevokeSecurityGroupEgress`).
#[test]
fn making_a_load_balancer_and_its_group_needs_what_public_guides_quote() {
    let create = |kind: &str| {
        format!(
            "Action=CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-two&VersionLabel=v1\
             &SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20&OptionSettings.member.1.Namespace=aws:elasticbeanstalk:environment\
             &OptionSettings.member.1.OptionName=LoadBalancerType&OptionSettings.member.1.Value={kind}"
        )
    };
    let of_all = [
        "ec2:AuthorizeSecurityGroupEgress",
        "ec2:DescribeAccountAttributes",
        "ec2:DescribeAvailabilityZones",
        "ec2:DescribeKeyPairs",
        "ec2:RevokeSecurityGroupEgress",
    ];
    let of_classic = [
        "elasticloadbalancing:ApplySecurityGroupsToLoadBalancer",
        "elasticloadbalancing:AttachLoadBalancerToSubnets",
        "elasticloadbalancing:CreateLoadBalancerListeners",
        "elasticloadbalancing:CreateLoadBalancerPolicy",
        "elasticloadbalancing:DescribeLoadBalancerPolicies",
        "elasticloadbalancing:SetLoadBalancerPoliciesOfListener",
    ];
    for (kind, others) in [("classic", &of_classic[..]), ("application", &[])] {
        for action in of_all.iter().chain(others) {
            let (status, body) = ask(&mut world(&[everything_but(action)]), &create(kind));
            let code = "<Code>InsufficientPrivilegesException</Code>";
            assert!(body.contains(code), "{kind} without {action}: {body}");
            assert!(status == 403 && body.contains(action), "{kind}: {body}");
        }
    }
    for action in of_classic {
        let (status, body) = ask(
            &mut world(&[everything_but(action)]),
            &create("application"),
        );
        assert_eq!(status, 200, "{action}: {body}");
    }
    // A change of the stack sets the groups of an application load balancer.
    let action = "elasticloadbalancing:SetSecurityGroups";
    let configure = "Action=UpdateEnvironment&EnvironmentName=shop-blue\
                     &OptionSettings.member.1.Namespace=aws:autoscaling:asg\
                     &OptionSettings.member.1.OptionName=MaxSize&OptionSettings.member.1.Value=5";
    let (status, body) = ask(&mut world(&[everything_but(action)]), configure);
    assert!(status == 403 && body.contains(action), "{body}");
}

/// An application load balancer is made with its security groups (API reference of Elastic Load
/// Balancing, `CreateLoadBalancer`); a change of the stack may set them anew.
#[test]
fn the_groups_of_an_application_load_balancer_are_set_by_a_change() {
    let action = "elasticloadbalancing:SetSecurityGroups";
    let option = "&OptionSettings.member.1.Namespace=aws:elasticbeanstalk:environment\
                  &OptionSettings.member.1.OptionName=LoadBalancerType&OptionSettings.member.1.Value=application";
    let create = "Action=CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-two&VersionLabel=v1&SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20";
    let mut without = world(&[everything_but(action)]);
    let (status, body) = ask(&mut without, &format!("{create}{option}"));
    assert_eq!(status, 200, "{body}");
    let update = "Action=UpdateEnvironment&EnvironmentName=shop-blue";
    let (status, body) = ask(&mut without, &format!("{update}{option}"));
    assert!(status == 403 && body.contains(action), "{body}");
}

/// Whether tags at creation need it nobody documents (developer guide, "Using tags to control
/// access", has it beside `CreateEnvironment`): they do unless they are told not to.
#[test]
fn tags_at_creation_need_a_right_of_their_own() {
    let create = "Action=CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-two&VersionLabel=v1&SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20";
    let tagged = format!("{create}&Tags.member.1.Key=team&Tags.member.1.Value=shop");
    let action = "elasticbeanstalk:AddTags";
    let mut without = world(&[everything_but(action)]);
    let (status, body) = ask(&mut without, &tagged);
    assert!(status == 403 && body.contains(action), "{body}");
    without.inject(FaultEffect::TagsNeedNoRight);
    assert_eq!(ask(&mut without, &tagged).0, 200);
    assert_eq!(ask(&mut world(&[everything_but(action)]), create).0, 200);
}

/// With whose rights a bundle is read that a key of KMS encrypts nobody documents: those of the
/// operations role or without one of the caller, the caller's in any case, or the service's own.
#[test]
fn an_encrypted_bundle_may_be_read_with_anybodys_rights() {
    let key = "arn:aws:kms:us-east-1:123456789012:key/1234abcd";
    let create = "Action=CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-two&VersionLabel=v1&SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20";
    let operated =
        format!("{create}&OperationsRole=arn:aws:iam::123456789012:role/shop-operations");
    for (reader, of_caller, of_role) in [
        (None, 403, 200),
        (Some(BundleReader::Caller), 403, 403),
        (Some(BundleReader::Service), 200, 200),
    ] {
        for (request, expected) in [(create, of_caller), (&operated, of_role)] {
            let mut world = world(&[everything_but("kms:Decrypt")]);
            world.demand_encryption("shop-artifacts", "aws:kms", Some(key));
            if let Some(reader) = reader {
                world.inject(FaultEffect::BundlesReadBy { reader });
            }
            let (status, body) = ask(&mut world, request);
            assert_eq!(status, expected, "{reader:?}: {body}");
            assert!(status == 200 || body.contains("kms:Decrypt"), "{body}");
        }
    }
}

/// An account needs service-linked roles and the storage bucket's policy once (public guides to
/// the least rights of Elastic Beanstalk).
#[test]
fn the_first_environment_of_an_account_needs_more() {
    let create = "Action=CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-two&VersionLabel=v1&SolutionStackName=64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20";
    for action in [
        "iam:CreateServiceLinkedRole",
        "s3:PutBucketOwnershipControls",
        "s3:PutBucketPolicy",
    ] {
        let mut first = world(&[everything_but(action)]);
        first.use_for_the_first_time();
        let (status, body) = ask(&mut first, create);
        assert!(status == 403 && body.contains(action), "{body}");
        let mut later = world(&[everything_but(action)]);
        assert_eq!(ask(&mut later, create).0, 200);
    }
}

/// A bucket's policy may deny uploads that do not ask for its encryption, and its key of KMS is
/// asked besides (S3 user guide, "Using server-side encryption with AWS KMS keys").
#[tokio::test]
async fn an_encrypted_bucket_demands_its_headers_and_its_key() {
    let sandbox = Sandbox::open(Options::default()).expect("it opens");
    let key = "arn:aws:kms:us-east-1:123456789012:key/1";
    sandbox.with_world(|world, _| world.demand_encryption("shop-artifacts", "aws:kms", Some(key)));
    let put = async |method: Option<&str>, named: Option<&str>| {
        let mut request = Request::builder()
            .method(Method::PUT)
            .uri("/shop-artifacts/new")
            .header("host", "127.0.0.1:4577");
        if let Some(method) = method {
            request = request.header("x-amz-server-side-encryption", method);
        }
        if let Some(key) = named {
            request = request.header("x-amz-server-side-encryption-aws-kms-key-id", key);
        }
        let request = request.header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=a/20270115/us-east-1/s3/aws4_request",
        );
        let request = request.body(Bytes::from_static(b"new")).expect("one");
        let answer = sandbox.handle(request).await.expect("it answers");
        let body = String::from_utf8_lossy(answer.body()).into_owned();
        (answer.status(), body)
    };
    for (method, named) in [
        (None, None),
        (Some("AES256"), None),
        (Some("aws:kms"), None),
        (Some("aws:kms"), Some("another")),
    ] {
        let (status, body) = put(method, named).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{method:?} {named:?}");
        assert!(
            body.contains("explicit deny in a resource-based policy"),
            "{body}"
        );
    }
    let (status, body) = put(Some("aws:kms"), Some(key)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    sandbox.set_policy(Some(policy(&allow("s3:*", "*"))));
    let (status, body) = put(Some("aws:kms"), Some(key)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(body.contains("kms:GenerateDataKey"), "{body}");
    let object = "/shop-artifacts/shop/v1.zip";
    let (status, body) = s3(&sandbox, Method::GET, "127.0.0.1:4577", object).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(body.contains("kms:Decrypt"), "{body}");
    let both = [allow("s3:*", "*"), allow("kms:*", key)];
    sandbox.set_policy(Some(policy(&both.join(","))));
    let (status, _) = s3(&sandbox, Method::GET, "127.0.0.1:4577", object).await;
    assert_eq!(status, StatusCode::OK);
}

/// S3 refuses a request whose date is more than 15 minutes off (S3 API reference, "List of error
/// codes").
#[tokio::test]
async fn s3_refuses_a_wrong_clock_by_a_code_of_its_own() {
    let sandbox = Sandbox::open(Options::default()).expect("it opens");
    sandbox.with_world(|world, _| world.inject(FaultEffect::ClockSkewed));
    let object = "/shop-artifacts/shop/v1.zip";
    let (status, body) = s3(&sandbox, Method::GET, "127.0.0.1:4577", object).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(body.contains("<Code>RequestTimeTooSkewed</Code>"), "{body}");
}

/// To take an option back is a change of the stack as well as to set one.
#[test]
fn taking_an_option_back_changes_the_stack() {
    let mut world = world(&[everything_but("cloudformation:UpdateStack")]);
    let request = "Action=UpdateEnvironment&EnvironmentName=shop-blue\
                   &OptionsToRemove.member.1.Namespace=aws:autoscaling:asg\
                   &OptionsToRemove.member.1.OptionName=MaxSize";
    let (status, body) = ask(&mut world, request);
    assert!(
        status == 403 && body.contains("cloudformation:UpdateStack"),
        "{body}"
    );
}
