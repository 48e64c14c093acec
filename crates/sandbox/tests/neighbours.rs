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
