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
async fn a_load_balancer_is_named_by_what_its_kind_is_described_by() {
    let client = Client::new();
    for (kind, part) in [("application", "/app/"), ("network", "/net/")] {
        client.kind(kind).await;
        let named = names(
            &client.resources("shop-blue").await,
            "LoadBalancers",
            "Name",
        );
        let arn = named.first().expect("one");
        assert!(
            arn.starts_with("arn:aws:elasticloadbalancing:") && arn.contains(part),
            "{arn}"
        );
        let form = format!("Action=DescribeLoadBalancers&LoadBalancerArns.member.1={arn}");
        client
            .query(ELB, &format!("{form}&Version=2015-12-01"))
            .await
            .has(&[arn]);
    }
    client.kind("classic").await;
    let named = names(
        &client.resources("shop-blue").await,
        "LoadBalancers",
        "Name",
    );
    let name = named.first().expect("one");
    assert!(!name.contains(':') && name.len() <= 32, "{name}");
    let form = format!("Action=DescribeLoadBalancers&LoadBalancerNames.member.1={name}");
    client
        .query(ELB, &format!("{form}&Version=2012-06-01"))
        .await
        .has(&["<LoadBalancerDescriptions><member>", name]);
    client
        .query(ELB, "Action=DescribeLoadBalancers&Version=2015-12-01")
        .await
        .lacks(&[name]);

    client.inject(FaultEffect::SharedBalancer {
        environment: "shop-blue".to_owned(),
    });
    let named = names(
        &client.resources("shop-blue").await,
        "LoadBalancers",
        "Name",
    );
    assert!(named[0].contains("/app/shop-shared/"), "{named:?}");

    client.inject(FaultEffect::SingleInstance {
        environment: "shop-blue".to_owned(),
    });
    let named = names(
        &client.resources("shop-blue").await,
        "LoadBalancers",
        "Name",
    );
    assert_eq!(named, Vec::<String>::new());
}

#[tokio::test]
async fn a_worker_has_queues_and_no_load_balancer() {
    let client = Client::new();
    let worker = client.resources("shop-worker").await;
    assert_eq!(worker["LoadBalancers"], json!([]));
    assert_eq!(
        names(&worker, "Queues", "Name"),
        ["WorkerQueue", "WorkerDeadLetterQueue"]
    );
    let urls = names(&worker, "Queues", "URL");
    for url in &urls {
        let body = json!({ "QueueUrl": url, "AttributeNames": ["All"] }).to_string();
        let answer = client
            .json("sqs", "AmazonSQS.GetQueueAttributes", &body)
            .await;
        let told = answer.has(&[]).json();
        let arn = told["Attributes"]["QueueArn"].as_str().unwrap_or_default();
        assert_eq!(arn.rsplit(':').next(), url.rsplit('/').next(), "{told}");
        assert_eq!(told["Attributes"]["ApproximateNumberOfMessages"], "0");
    }
    let listed = client
        .json("sqs", "AmazonSQS.ListQueues", "{}")
        .await
        .json();
    assert_eq!(listed["QueueUrls"], json!(urls));
    let unknown = client
        .json("sqs", "AmazonSQS.GetQueueUrl", "{\"QueueName\":\"no\"}")
        .await;
    unknown.is_refused(400, &["QueueDoesNotExist"]);

    let own = "https://sqs.us-east-1.amazonaws.com/123456789012/mine";
    client
        .set(
            "shop-worker",
            "aws:elasticbeanstalk:sqsd",
            "WorkerQueueURL",
            own,
        )
        .await;
    let worker = client.resources("shop-worker").await;
    assert_eq!(
        worker["Queues"],
        json!([{ "Name": "WorkerQueue", "URL": own }])
    );
    assert_eq!(client.resources("shop-blue").await["Queues"], json!([]));
    // The load balancers, target groups and tags are those of the web environment alone.
    let groups = "Action=DescribeTargetGroups&Version=2015-12-01";
    let groups = client.query(ELB, groups).await;
    assert_eq!(groups.texts("TargetGroupArn").len(), 1, "{}", groups.body);
}

#[tokio::test]
async fn instances_are_launched_by_a_configuration_or_a_template_and_both_are_there() {
    let client = Client::new();
    let older = client.resources("shop-blue").await;
    assert_eq!(older["LaunchTemplates"], json!([]));
    let name = &names(&older, "LaunchConfigurations", "Name")[0];
    let form =
        format!("Action=DescribeLaunchConfigurations&LaunchConfigurationNames.member.1={name}");
    let told = client.query("autoscaling", &form).await;
    assert_eq!(told.texts("LaunchConfigurationName"), [name.as_str()]);
    told.has(&["<ImageId>ami-0"]);

    let launch = "aws:autoscaling:launchconfiguration";
    client
        .set("shop-blue", launch, "RootVolumeType", "gp3")
        .await;
    let newer = client.resources("shop-blue").await;
    assert_eq!(newer["LaunchConfigurations"], json!([]));
    let id = &names(&newer, "LaunchTemplates", "Id")[0];
    let form = format!("Action=DescribeLaunchTemplates&LaunchTemplateId.1={id}");
    let told = client.query("ec2", &form).await;
    assert_eq!(told.texts("launchTemplateId"), [id.as_str()]);
    client
        .query(
            "ec2",
            "Action=DescribeLaunchTemplates&LaunchTemplateId.1=lt-0",
        )
        .await
        .is_refused(400, &["InvalidLaunchTemplateId.NotFound"]);
}

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
async fn a_deployment_in_batches_drains_its_instances() {
    for (policy, state) in [("Rolling", "draining"), ("AllAtOnce", "unhealthy")] {
        let client = Client::new();
        let command = "aws:elasticbeanstalk:command";
        client
            .set("shop-blue", command, "DeploymentPolicy", policy)
            .await;
        let update = "Action=UpdateEnvironment&EnvironmentName=shop-blue&VersionLabel=v2";
        client.query("elasticbeanstalk", update).await.has(&[]);
        let groups = client
            .query(ELB, "Action=DescribeTargetGroups&Version=2015-12-01")
            .await;
        let arn = groups.texts("TargetGroupArn")[0];
        let form = format!("Action=DescribeTargetHealth&TargetGroupArn={arn}&Version=2015-12-01");
        let health = client.query(ELB, &form).await;
        assert!(
            health.texts("State").contains(&state),
            "{policy}: {}",
            health.body
        );

        client.kind("classic").await;
        let named = names(
            &client.resources("shop-blue").await,
            "LoadBalancers",
            "Name",
        );
        let form = format!(
            "Action=DescribeInstanceHealth&LoadBalancerName={}&Version=2012-06-01",
            named[0]
        );
        let health = client.query(ELB, &form).await;
        assert_eq!(health.texts("State").len(), 2, "{}", health.body);
    }
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
async fn groups_of_auto_scaling_are_those_of_the_environments() {
    let client = Client::new();
    let resources = client.resources("shop-blue").await;
    let name = &names(&resources, "AutoScalingGroups", "Name")[0];
    let form = format!("Action=DescribeAutoScalingGroups&AutoScalingGroupNames.member.1={name}");
    let told = client.query("autoscaling", &form).await;
    told.has(&[
        "<MinSize>2</MinSize>",
        "<DesiredCapacity>2</DesiredCapacity>",
    ]);
    assert_eq!(
        told.texts("InstanceId"),
        names(&resources, "Instances", "Id")
    );
    assert_eq!(told.texts("TargetGroupARNs").len(), 1);
    let by_tag = "Action=DescribeAutoScalingGroups&Filters.member.1.Name=tag:elasticbeanstalk:environment-name&Filters.member.1.Values.member.1=shop-worker";
    let worker = client.query("autoscaling", by_tag).await;
    let group = names(
        &client.resources("shop-worker").await,
        "AutoScalingGroups",
        "Name",
    );
    assert_eq!(worker.texts("AutoScalingGroupName"), group);
    let tags = "Action=DescribeTags&Filters.member.1.Name=key&Filters.member.1.Values.member.1=elasticbeanstalk:environment-name&Filters.member.2.Name=value&Filters.member.2.Values.member.1=shop-blue";
    let tags = client.query("autoscaling", tags).await;
    assert_eq!(tags.texts("ResourceId"), [name.as_str()]);
    let policies = format!("Action=DescribePolicies&AutoScalingGroupName={name}");
    let policies = client.query("autoscaling", &policies).await;
    assert_eq!(policies.texts("PolicyName").len(), 2);
    client
        .query("autoscaling", "Action=SetDesiredCapacity")
        .await
        .is_refused(400, &["InvalidAction", "for version 2011-01-01"]);
}

#[tokio::test]
async fn instances_are_found_by_what_deployers_select_them_by() {
    let client = Client::new();
    let ids = names(&client.resources("shop-blue").await, "Instances", "Id");
    let by_name = "Action=DescribeInstances&Filter.1.Name=tag:elasticbeanstalk:environment-name&Filter.1.Value.1=shop-blue&Filter.2.Name=instance-state-name&Filter.2.Value.1=running";
    assert_eq!(client.query("ec2", by_name).await.texts("instanceId"), ids);
    let by_id = format!("Action=DescribeInstances&InstanceId.1={}", ids[1]);
    let one = client.query("ec2", &by_id).await;
    assert_eq!(one.texts("instanceId"), [ids[1].as_str()]);
    one.has(&["<imageId>ami-0", "<privateIpAddress>172.31."]);
    let all = client.query("ec2", "Action=DescribeInstances").await;
    assert_eq!(all.texts("instanceId").len(), 4);
    for (form, code) in [
        (
            "Action=DescribeInstances&InstanceId.1=i-0",
            "InvalidInstanceID.NotFound",
        ),
        (
            "Action=DescribeInstances&Filter.1.Name=colour",
            "InvalidParameterValue",
        ),
        ("Action=DescribeVpcs&VpcId.1=vpc-0", "InvalidVpcID.NotFound"),
        (
            "Action=DescribeSubnets&SubnetId.1=subnet-0",
            "InvalidSubnetID.NotFound",
        ),
        (
            "Action=DescribeKeyPairs&KeyName.1=no",
            "InvalidKeyPair.NotFound",
        ),
        (
            "Action=DescribeSecurityGroups&GroupId.1=sg-0",
            "InvalidGroup.NotFound",
        ),
        (
            "Action=DescribeSecurityGroups&GroupName.1=no",
            "InvalidGroup.NotFound",
        ),
    ] {
        client.query("ec2", form).await.is_refused(400, &[code]);
    }
    let groups = client.query("ec2", "Action=DescribeSecurityGroups").await;
    let group = groups.texts("groupId")[0];
    let form = format!("Action=DescribeSecurityGroups&GroupId.1={group}");
    let one = client.query("ec2", &form).await;
    assert_eq!(one.texts("groupName").len(), 1);
}

#[tokio::test]
async fn networks_are_the_default_one_and_those_that_settings_name() {
    let client = Client::new();
    let default = "Action=DescribeVpcs&Filter.1.Name=isDefault&Filter.1.Value.1=true";
    let vpcs = client.query("ec2", default).await;
    let vpc = vpcs.texts("vpcId")[0].to_owned();
    let form = format!("Action=DescribeSubnets&Filter.1.Name=vpc-id&Filter.1.Value.1={vpc}");
    assert_eq!(client.query("ec2", &form).await.texts("subnetId").len(), 3);
    let attributes = "Action=DescribeAccountAttributes&AttributeName.1=default-vpc";
    client.query("ec2", attributes).await.has(&[&vpc]);
    client
        .set("shop-blue", "aws:ec2:vpc", "VPCId", "vpc-1")
        .await;
    let subnets = "subnet-1,subnet-2";
    client
        .set("shop-blue", "aws:ec2:vpc", "Subnets", subnets)
        .await;
    let own = "Action=DescribeSubnets&Filter.1.Name=vpc-id&Filter.1.Value.1=vpc-1";
    let own = client.query("ec2", own).await;
    assert_eq!(own.texts("subnetId"), ["subnet-1", "subnet-2"]);
    let instances = "Action=DescribeInstances&Filter.1.Name=vpc-id&Filter.1.Value.1=vpc-1";
    let instances = client.query("ec2", instances).await;
    assert_eq!(instances.texts("subnetId"), ["subnet-1", "subnet-2"]);
    let launch = "aws:autoscaling:launchconfiguration";
    client.set("shop-blue", launch, "EC2KeyName", "mine").await;
    let keys = client.query("ec2", "Action=DescribeKeyPairs").await;
    assert_eq!(keys.texts("keyName"), ["mine"]);
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

#[tokio::test]
async fn topics_and_event_buses_refuse_what_the_services_refuse() {
    let client = Client::new();
    let topic = client.0.with_world(|world, _| world.add_topic("releases"));
    let publish = |topic: &str, rest: &str| {
        format!("Action=Publish&Version=2010-03-31&TopicArn={topic}{rest}")
    };
    let unknown = publish(&format!("{topic}x"), "&Message=a");
    client
        .query("sns", &unknown)
        .await
        .is_refused(404, &["<Code>NotFound</Code>"]);
    let long = format!("&Message=a&Subject={}", "x".repeat(100));
    for wrong in ["", &long, "&Message=a&Subject=a%0Ab"] {
        let refused = client.query("sns", &publish(&topic, wrong)).await;
        refused.is_refused(400, &["<Code>InvalidParameter</Code>"]);
    }
    let taken = client.query("sns", &publish(&topic, "&Message=a")).await;
    assert_eq!(taken.texts("MessageId").len(), 1);
    let entry = |bus: &str, detail: &str| json!({ "Source": "a", "DetailType": "b", "Detail": detail, "EventBusName": bus });
    let entries = [
        entry("default", "{}"),
        entry("other", "{}"),
        entry("default", "no"),
    ];
    let body = json!({ "Entries": entries }).to_string();
    let put = client.json("events", "AWSEvents.PutEvents", &body).await;
    let told = put.has(&[]).json();
    assert_eq!(told["FailedEntryCount"], 2);
    assert_eq!(told["Entries"][2]["ErrorCode"], "MalformedDetail");
    let kept = client.0.with_world(|world, _| world.messages().len());
    assert_eq!(kept, 2);
}

#[tokio::test]
async fn every_other_service_is_refused_by_its_name_in_its_protocol() {
    let client = Client::new();
    let words = |service: &str| format!("does not offer the service {service},");
    for (service, form) in [
        (
            "elasticache",
            "Action=DescribeCacheClusters&Version=2015-02-02",
        ),
        ("rds", "Action=DescribeDBInstances&Version=2014-10-31"),
    ] {
        let answer = client.query(service, form).await;
        answer.is_refused(
            400,
            &[
                "<ErrorResponse",
                "<Code>InvalidAction</Code>",
                &words(service),
            ],
        );
        assert_eq!(answer.header("content-type"), "text/xml");
    }
    for (service, target) in [
        ("acm", "CertificateManager.ListCertificates"),
        ("logs", "Logs_20140328.DescribeLogGroups"),
        ("secretsmanager", "secretsmanager.GetSecretValue"),
        ("kms", "TrentService.ListKeys"),
        ("codecommit", "CodeCommit_20150413.ListRepositories"),
    ] {
        let answer = client.json(service, target, "{}").await;
        let operation = target.rsplit('.').next().unwrap_or_default();
        answer.is_refused(
            400,
            &["UnknownOperationException", &words(service), operation],
        );
        assert_eq!(answer.header("content-type"), "application/x-amz-json-1.1");
    }
    let rest = signed("lambda", "us-east-1").uri("http://127.0.0.1/2015-03-31/functions/a");
    let rest = client.send(rest, "{}").await;
    rest.is_refused(400, &[&words("lambda"), "POST /2015-03-31/functions/a"]);
    assert_eq!(rest.header("x-amzn-errortype"), "UnknownOperationException");
    let cbor = signed("codebuild", "us-east-1")
        .uri("http://127.0.0.1/service/CodeBuild_20161006/operation/ListProjects")
        .header("smithy-protocol", "rpc-v2-cbor")
        .header("content-type", "application/cbor");
    let cbor = client.send(cbor, "").await;
    cbor.is_refused(
        400,
        &[
            "UnknownOperationException",
            "ListProjects",
            &words("codebuild"),
        ],
    );
    assert_eq!(cbor.header("smithy-protocol"), "rpc-v2-cbor");
    let xml = signed("cloudfront", "us-east-1").uri("http://127.0.0.1/2020-05-31/distribution");
    let xml = client.send(xml, "").await;
    xml.is_refused(400, &["<Code>InvalidAction</Code>", &words("cloudfront")]);
}

#[tokio::test]
async fn a_service_is_known_by_its_target_host_or_version_where_nothing_is_signed() {
    let client = Client::new();
    let form = "application/x-www-form-urlencoded";
    let post = || http::Request::post("http://127.0.0.1/").header("content-type", form);
    let refused = client
        .send(post(), "Action=DescribeDBInstances&Version=2014-10-31")
        .await;
    refused.is_refused(400, &["the service rds,"]);
    let host =
        http::Request::post("http://rds.us-east-1.amazonaws.com/").header("content-type", form);
    let refused = client.send(host, "Action=DescribeDBInstances").await;
    refused.is_refused(400, &["the service rds,"]);
    let target =
        http::Request::post("http://127.0.0.1/").header("x-amz-target", "TrentService.ListKeys");
    let refused = client.send(target, "{}").await;
    refused.is_refused(400, &["the service TrentService,"]);
    let ssm =
        http::Request::post("http://127.0.0.1/").header("x-amz-target", "AmazonSSM.GetParameter");
    let found = client
        .send(ssm, "{\"Name\":\"/shop/hosted-zone-id\"}")
        .await;
    found.has(&["Z0SHOPEXAMPLE00000001"]);
    let roles = client
        .send(post(), "Action=ListRoles&Version=2010-05-08")
        .await;
    roles.has(&["<RoleName>"]);
    for form in [
        "Action=DescribeApplications&Version=2010-12-01",
        "Action=DescribeApplications",
    ] {
        client.send(post(), form).await.has(&["shop"]);
    }
    // boto signs for what the host begins with.
    for host in ["127.0.0.1", "localhost"] {
        let service = host.split('.').next().unwrap_or_default();
        let old = signed(service, "0")
            .uri(format!("http://{host}:4577/"))
            .header("content-type", form);
        let apps = client
            .send(old, "Action=DescribeApplications&Version=2010-12-01")
            .await;
        assert_eq!(apps.has(&["shop"]).header("x-sandbox-region"), "");
    }
    let bucket = http::Request::get("http://sns.s3.us-east-1.amazonaws.com/");
    let bucket = client.send(bucket, "").await;
    assert!(!bucket.body.contains("does not offer"), "{}", bucket.body);
}

#[tokio::test]
async fn a_request_for_another_region_is_answered_and_noticed() {
    let client = Client::new();
    let form = "application/x-www-form-urlencoded";
    let ask = async |service: &str, region: &str, body: &str| {
        let request = signed(service, region).header("content-type", form);
        client.send(request, body).await
    };
    let apps = "Action=DescribeApplications";
    let own = ask("elasticbeanstalk", "us-east-1", apps).await;
    assert_eq!(own.has(&["shop"]).header("x-sandbox-region"), "");
    let other = ask("elasticbeanstalk", "us-west-2", apps).await;
    assert_eq!(other.has(&["shop"]).header("x-sandbox-region"), "us-east-1");
    let vpcs = ask("ec2", "us-west-2", "Action=DescribeVpcs").await;
    assert_eq!(vpcs.header("x-sandbox-region"), "us-east-1");
    let global = ask("iam", "eu-central-1", "Action=ListRoles").await;
    assert_eq!(global.header("x-sandbox-region"), "");
    let report = client.0.report().other_regions;
    assert_eq!(report.get("us-west-2"), Some(&2), "{report:?}");
    assert_eq!(report.len(), 1, "{report:?}");
}
