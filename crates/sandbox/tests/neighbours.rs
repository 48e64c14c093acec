//! The services beside Elastic Beanstalk as programs of others use them, and the refusal of those
//! that the sandbox does not have.

use bluegreen_sandbox::{Fault, FaultEffect, Options, Sandbox};
use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};

struct Client(Sandbox);

/// An answer.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    #[track_caller]
    fn has(&self, parts: &[&str]) -> &Answer {
        assert_eq!(self.status, 200, "{}", self.body);
        for part in parts {
            assert!(self.body.contains(part), "no {part} in {}", self.body);
        }
        self
    }

    #[track_caller]
    fn lacks(&self, parts: &[&str]) {
        assert_eq!(self.status, 200, "{}", self.body);
        for part in parts {
            assert!(!self.body.contains(part), "{part} in {}", self.body);
        }
    }

    #[track_caller]
    fn is_refused(&self, status: u16, parts: &[&str]) {
        assert_eq!(self.status, status, "{}", self.body);
        for part in parts {
            assert!(self.body.contains(part), "no {part} in {}", self.body);
        }
    }

    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("it is JSON")
    }

    /// The texts between the tags of this name.
    fn texts(&self, name: &str) -> Vec<&str> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let parts = self.body.split(&open).skip(1);
        parts.filter_map(|part| part.split(&close).next()).collect()
    }
}

impl Client {
    fn new() -> Client {
        Client(Sandbox::open(Options::default()).expect("it opens"))
    }

    async fn send(&self, request: http::request::Builder, body: &str) -> Answer {
        let request = request.body(Bytes::from(body.to_owned()));
        let request = request.expect("a request");
        let answer = self.0.handle(request).await.expect("it answers");
        let body = String::from_utf8_lossy(answer.body())
            .replace("&apos;", "'")
            .replace("&quot;", "\"");
        Answer {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body,
        }
    }

    async fn query(&self, service: &str, form: &str) -> Answer {
        let request = signed(service, "us-east-1").header(
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        );
        self.send(request, form).await
    }

    async fn json(&self, service: &str, target: &str, body: &str) -> Answer {
        let request = signed(service, "us-east-1")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", target);
        self.send(request, body).await
    }

    async fn resources(&self, environment: &str) -> Value {
        let form = format!(
            "Action=DescribeEnvironmentResources&EnvironmentName={environment}&ContentType=JSON"
        );
        let answer = self.query("elasticbeanstalk", &form).await.json();
        let response = &answer["DescribeEnvironmentResourcesResponse"];
        response["DescribeEnvironmentResourcesResult"]["EnvironmentResources"].clone()
    }

    async fn set(&self, environment: &str, namespace: &str, name: &str, value: &str) {
        self.0
            .with_world(|world, _| world.set(environment, namespace, name, value));
    }

    async fn kind(&self, kind: &str) {
        let namespace = "aws:elasticbeanstalk:environment";
        self.set("shop-blue", namespace, "LoadBalancerType", kind)
            .await;
    }

    fn inject(&self, effect: FaultEffect) {
        self.0
            .with_world(|world, _| world.inject(Fault::from(effect)));
    }
}

fn signed(service: &str, region: &str) -> http::request::Builder {
    let scope = format!("AKIA/20270115/{region}/{service}/aws4_request");
    http::Request::post("http://127.0.0.1/").header(
        "authorization",
        format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"),
    )
}

fn names(resources: &Value, list: &str, member: &str) -> Vec<String> {
    let found = resources[list].as_array().expect("a list").iter();
    let texts = found.map(|one| one[member].as_str().unwrap_or_default().to_owned());
    texts.collect()
}

const ELB: &str = "elasticloadbalancing";

#[tokio::test]
async fn targets_are_as_healthy_as_their_instances() {
    let client = Client::new();
    let groups = "Action=DescribeTargetGroups&Version=2015-12-01";
    let groups = client.query(ELB, groups).await;
    let arn = groups.texts("TargetGroupArn")[0].to_owned();
    let form = format!("Action=DescribeTargetHealth&TargetGroupArn={arn}&Version=2015-12-01");
    let healthy = client.query(ELB, &form).await;
    assert_eq!(healthy.texts("State"), ["healthy", "healthy"]);
    let ids = names(&client.resources("shop-blue").await, "Instances", "Id");
    assert_eq!(healthy.texts("Id"), ids);

    let one = format!("{form}&Targets.member.1.Id={}", ids[1]);
    assert_eq!(client.query(ELB, &one).await.texts("Id"), [ids[1].as_str()]);
    let none = client
        .query(ELB, &format!("{form}&Targets.member.1.Id=i-0"))
        .await;
    assert_eq!(none.texts("State"), ["unused"]);

    client.inject(FaultEffect::VersionAnswers {
        label: "v1".to_owned(),
        status: 503,
    });
    let broken = client.query(ELB, &form).await;
    assert_eq!(broken.texts("State"), ["unhealthy", "unhealthy"]);
    broken.has(&["Health checks failed with these codes: [503]"]);
    client
        .query(
            ELB,
            "Action=DescribeTargetHealth&TargetGroupArn=no&Version=2015-12-01",
        )
        .await
        .is_refused(400, &["TargetGroupNotFound"]);
}

#[tokio::test]
async fn a_launch_is_initial() {
    let client = Client::new();
    let stack = "64bit%20Amazon%20Linux%202023%20v4.3.0%20running%20Node.js%2020";
    let option = "OptionSettings.member.1";
    let create = format!(
        "Action=CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-new&VersionLabel=v1\
         &SolutionStackName={stack}&{option}.Namespace=aws:elasticbeanstalk:environment\
         &{option}.OptionName=LoadBalancerType&{option}.Value=application"
    );
    client.query("elasticbeanstalk", &create).await.has(&[]);
    let named = names(&client.resources("shop-new").await, "LoadBalancers", "Name");
    let form = format!(
        "Action=DescribeTargetGroups&LoadBalancerArn={}&Version=2015-12-01",
        named[0]
    );
    let groups = client.query(ELB, &form).await;
    let arn = groups.texts("TargetGroupArn")[0];
    let form = format!("Action=DescribeTargetHealth&TargetGroupArn={arn}&Version=2015-12-01");
    assert_eq!(client.query(ELB, &form).await.texts("State"), ["initial"]);
}

#[tokio::test]
async fn attributes_follow_the_settings() {
    let client = Client::new();
    let balancer = "aws:elbv2:loadbalancer";
    client
        .set("shop-blue", balancer, "IdleTimeout", "120")
        .await;
    let arn = names(
        &client.resources("shop-blue").await,
        "LoadBalancers",
        "Name",
    );
    let form = format!(
        "Action=DescribeLoadBalancerAttributes&LoadBalancerArn={}&Version=2015-12-01",
        arn[0]
    );
    let timeout = "<Key>idle_timeout.timeout_seconds</Key><Value>120</Value>";
    client.query(ELB, &form).await.has(&[timeout]);
    let groups = client
        .query(ELB, "Action=DescribeTargetGroups&Version=2015-12-01")
        .await;
    let form = format!(
        "Action=DescribeTargetGroupAttributes&TargetGroupArn={}&Version=2015-12-01",
        groups.texts("TargetGroupArn")[0]
    );
    client
        .query(ELB, &form)
        .await
        .has(&["<Key>stickiness.enabled</Key>"]);
}

#[tokio::test]
async fn tags_of_a_rule_can_be_removed() {
    let client = Client::new();
    client.inject(FaultEffect::SharedBalancer {
        environment: "shop-blue".to_owned(),
    });
    let rule = client
        .0
        .with_world(|world, _| world.add_rule("a.example", "shop-blue", &[("k", "v"), ("l", "w")]));
    let form = format!("ResourceArns.member.1={rule}&Version=2015-12-01");
    let remove = format!("Action=RemoveTags&TagKeys.member.1=k&{form}");
    client.query(ELB, &remove).await.has(&[]);
    let tags = client
        .query(ELB, &format!("Action=DescribeTags&{form}"))
        .await;
    assert_eq!(tags.texts("Key"), ["l"]);
}

#[tokio::test]
async fn what_eb_create_wants_of_iam_is_there() {
    let client = Client::new();
    let exists = "<Code>EntityAlreadyExists</Code>";
    let profile = "InstanceProfileName=aws-elasticbeanstalk-ec2-role";
    for form in [
        format!("Action=CreateInstanceProfile&{profile}"),
        format!("Action=AddRoleToInstanceProfile&{profile}&RoleName=aws-elasticbeanstalk-ec2-role"),
        "Action=CreateRole&RoleName=aws-elasticbeanstalk-ec2-role&AssumeRolePolicyDocument={}"
            .to_owned(),
    ] {
        client.query("iam", &form).await.is_refused(409, &[exists]);
    }
    for role in [
        "aws-elasticbeanstalk-service-role",
        "aws-elasticbeanstalk-ec2-role",
    ] {
        let form = format!("Action=GetRole&RoleName={role}");
        client.query("iam", &form).await.has(&[role]);
        let form = format!("Action=ListAttachedRolePolicies&RoleName={role}");
        client
            .query("iam", &form)
            .await
            .has(&["AWSElasticBeanstalk"]);
    }
    let roles = client.query("iam", "Action=ListRoles").await;
    assert_eq!(roles.texts("RoleName").len(), 3);
    roles.has(&["<IsTruncated>false</IsTruncated>"]);
    let first = client.query("iam", "Action=ListRoles&MaxItems=1").await;
    let marker = first.texts("Marker")[0];
    let rest = format!("Action=ListRoles&Marker={marker}");
    assert_eq!(client.query("iam", &rest).await.texts("RoleName").len(), 2);
    let path = client.query("iam", "Action=ListRoles&PathPrefix=/service-role/");
    assert_eq!(path.await.texts("RoleName").len(), 1);

    let told = format!("Action=GetInstanceProfile&{profile}");
    client.query("iam", &told).await.has(&[
        "<Arn>arn:aws:iam::123456789012:instance-profile/aws-elasticbeanstalk-ec2-role</Arn>",
        "<RoleName>aws-elasticbeanstalk-ec2-role</RoleName>",
    ]);
}

#[tokio::test]
async fn an_instance_profile_is_made_filled_emptied_and_deleted() {
    let client = Client::new();
    let done = async |form: &str| client.query("iam", form).await.has(&[]).body.clone();
    let trust = "%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22Service%22%3A%22ec2.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D";
    let create = format!("Action=CreateRole&RoleName=web&AssumeRolePolicyDocument={trust}");
    done(&create).await;
    done("Action=AttachRolePolicy&RoleName=web&PolicyArn=arn:aws:iam::aws:policy/AWSElasticBeanstalkWebTier").await;
    done("Action=CreateInstanceProfile&InstanceProfileName=web").await;
    done("Action=AddRoleToInstanceProfile&InstanceProfileName=web&RoleName=web").await;
    client
        .query(
            "iam",
            "Action=AddRoleToInstanceProfile&InstanceProfileName=web&RoleName=releases",
        )
        .await
        .is_refused(409, &["LimitExceeded"]);
    let of_role = done("Action=ListInstanceProfilesForRole&RoleName=web").await;
    assert!(of_role.contains("<InstanceProfileName>web</InstanceProfileName>"));
    for form in [
        "Action=DeleteInstanceProfile&InstanceProfileName=web",
        "Action=DeleteRole&RoleName=web",
    ] {
        let conflict = client.query("iam", form).await;
        conflict.is_refused(409, &["DeleteConflict"]);
    }
    done("Action=RemoveRoleFromInstanceProfile&InstanceProfileName=web&RoleName=web").await;
    done("Action=DeleteInstanceProfile&InstanceProfileName=web").await;
    let gone = client.query("iam", "Action=GetInstanceProfile&InstanceProfileName=web");
    gone.await.is_refused(404, &["NoSuchEntity"]);
    client
        .query(
            "iam",
            "Action=AttachRolePolicy&RoleName=web&PolicyArn=arn:aws:iam::aws:policy/No",
        )
        .await
        .is_refused(404, &["NoSuchEntity"]);
}

#[tokio::test]
async fn parameters_are_found_by_path_and_deleted() {
    let client = Client::new();
    let ssm = async |operation: &str, body: &str| {
        client
            .json("ssm", &format!("AmazonSSM.{operation}"), body)
            .await
    };
    let found = ssm("GetParametersByPath", "{\"Path\":\"/shop\"}")
        .await
        .json();
    let parameters = found["Parameters"].as_array().expect("a list");
    assert_eq!(parameters.len(), 2, "{found}");
    let modified = parameters[0]["LastModifiedDate"].as_f64();
    assert!(modified > Some(1_700_000_000.0), "{found}");
    let page = ssm(
        "GetParametersByPath",
        "{\"Path\":\"/\",\"Recursive\":true,\"MaxResults\":1}",
    );
    let page = page.await.json();
    assert_eq!(page["Parameters"].as_array().map(Vec::len), Some(1));
    assert!(page["NextToken"].is_string());
    let above = ssm("GetParametersByPath", "{\"Path\":\"/\"}").await.json();
    assert_eq!(above["Parameters"], json!([]));

    let name = "{\"Name\":\"/shop/preview-hosts\"}";
    assert_eq!(ssm("DeleteParameter", name).await.status, 200);
    let again = ssm("DeleteParameter", name).await;
    again.is_refused(400, &["ParameterNotFound"]);
    let rest = "{\"Names\":[\"/shop/hosted-zone-id\",\"/no\"]}";
    let rest = ssm("DeleteParameters", rest).await.json();
    assert_eq!(rest["DeletedParameters"], json!(["/shop/hosted-zone-id"]));
    assert_eq!(rest["InvalidParameters"], json!(["/no"]));
    for operation in ["SendCommand", "ListCommands"] {
        let refused = ssm(operation, "{}").await;
        refused.is_refused(400, &["UnknownOperationException", operation]);
    }
}

#[tokio::test]
async fn stacks_are_listed_with_their_parts_and_events() {
    let client = Client::new();
    let resources = client.resources("shop-blue").await;
    let group = &names(&resources, "AutoScalingGroups", "Name")[0];
    let list = client.query("cloudformation", "Action=ListStacks").await;
    assert_eq!(list.texts("StackName").len(), 2);
    let stack = group.split("-AWSEB").next().unwrap_or_default();
    let form = format!("Action=DescribeStackResources&StackName={stack}");
    let parts = client.query("cloudformation", &form).await;
    parts.has(&[group, "AWSEBV2LoadBalancer", "AWSEBSecurityGroup"]);
    let form = format!("Action=DescribeStackResources&PhysicalResourceId={group}");
    let parts = client.query("cloudformation", &form).await;
    assert_eq!(parts.texts("StackName")[0], stack);
    let form = format!("Action=DescribeStackEvents&StackName={stack}");
    let events = client.query("cloudformation", &form).await;
    assert_eq!(
        events.texts("ResourceStatus"),
        ["CREATE_COMPLETE", "CREATE_IN_PROGRESS"]
    );
    let none = "Action=ListStacks&StackStatusFilter.member.1=DELETE_COMPLETE";
    client.query("cloudformation", none).await.lacks(&[stack]);
}
