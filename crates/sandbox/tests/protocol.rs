//! The Query protocol as programs write it that no SDK of today is: JSON, other lists, other dates.

use bluegreen_sandbox::{Options, Sandbox};
use bytes::Bytes;
use serde_json::Value;

/// The members of answers that are no texts (botocore, `elasticbeanstalk/2010-12-01`).
const BOOLEANS: [&str; 5] = [
    "AbortableOperationInProgress",
    "Available",
    "DeleteSourceFromS3",
    "Enabled",
    "UserDefined",
];
const NUMBERS: [&str; 48] = [
    "BranchOrder",
    "DateCreated",
    "DateUpdated",
    "Degraded",
    "DeploymentId",
    "DeploymentTime",
    "Duration",
    "EventDate",
    "ExecutedTime",
    "FinishedTime",
    "IOWait",
    "IRQ",
    "Idle",
    "Info",
    "LaunchedAt",
    "LoadAverage",
    "MaxAgeInDays",
    "MaxCount",
    "MaxLength",
    "MaxValue",
    "Maximum",
    "MinValue",
    "Nice",
    "NoData",
    "Ok",
    "P10",
    "P50",
    "P75",
    "P85",
    "P90",
    "P95",
    "P99",
    "P999",
    "Pending",
    "RefreshedAt",
    "RequestCount",
    "Severe",
    "SoftIRQ",
    "Status2xx",
    "Status3xx",
    "Status4xx",
    "Status5xx",
    "User",
    "Unknown",
    "Warning",
    "WindowStartTime",
    "TimeoutInMinutes",
    "Privileged",
];

struct Client(Sandbox);

impl Client {
    fn new() -> Client {
        Client(Sandbox::open(Options::default()).expect("it opens"))
    }

    /// The status, the content type and the body of the answer to a form.
    async fn post(&self, accept: Option<&str>, form: &str) -> (u16, String, String) {
        let mut request = http::Request::post("http://127.0.0.1/")
            .header("content-type", "application/x-www-form-urlencoded");
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        let request = request.body(Bytes::from(form.to_owned()));
        self.send(request.expect("a request")).await
    }

    async fn send(&self, request: http::Request<Bytes>) -> (u16, String, String) {
        let answer = self.0.handle(request).await.expect("it answers");
        let kind = answer.headers()["content-type"].to_str().expect("a text");
        let body = String::from_utf8_lossy(answer.body()).into_owned();
        (answer.status().as_u16(), kind.to_owned(), body)
    }

    /// The result in a JSON answer.
    async fn result(&self, operation: &str, parameters: &str) -> Value {
        let form = format!("Action={operation}&ContentType=JSON{parameters}");
        let (status, kind, body) = self.post(None, &form).await;
        assert_eq!((status, kind.as_str()), (200, "application/json"), "{body}");
        let body: Value = serde_json::from_str(&body).expect("it is JSON");
        let response = &body[format!("{operation}Response")];
        assert!(
            response["ResponseMetadata"]["RequestId"].is_string(),
            "{body}"
        );
        response[format!("{operation}Result")].clone()
    }

    /// The names of the environments that a request finds.
    async fn found(&self, parameters: &str) -> Vec<String> {
        let result = self.result("DescribeEnvironments", parameters).await;
        let found = result["Environments"].as_array().expect("a list").iter();
        let names = found.map(|e| e["EnvironmentName"].as_str().unwrap_or_default().to_owned());
        names.collect()
    }

    async fn malformed(&self, form: &str, message: &str) {
        let (status, _, body) = self.post(None, form).await;
        let code = "<Code>MalformedInput</Code>";
        assert!(
            status == 400 && body.contains(code) && body.contains(message),
            "{form}: {status} {body}"
        );
    }
}

#[tokio::test]
async fn json_is_told_to_who_wants_it_in_a_header_a_form_or_a_query() {
    let client = Client::new();
    let form = "Action=DescribeApplications";
    let wants = [
        client.post(Some("application/json"), form).await,
        client
            .post(Some("application/json, text/plain, */*"), form)
            .await,
        client.post(None, &format!("{form}&ContentType=JSON")).await,
        {
            let uri = format!("http://127.0.0.1/?{form}&ContentType=JSON");
            let request = http::Request::get(uri).body(Bytes::new());
            client.send(request.expect("a request")).await
        },
    ];
    for (status, kind, body) in wants {
        assert_eq!((status, kind.as_str()), (200, "application/json"), "{body}");
        let body: Value = serde_json::from_str(&body).expect("it is JSON");
        let result = &body["DescribeApplicationsResponse"]["DescribeApplicationsResult"];
        assert_eq!(result["Applications"][0]["ApplicationName"], "shop");
        assert_eq!(result["Applications"][0]["Versions"][1], "v1");
        assert!(result["Applications"][0]["DateCreated"].is_f64(), "{body}");
    }
    for accept in [
        None,
        Some("*/*"),
        Some("text/xml"),
        Some("text/xml, application/json"),
    ] {
        let (_, kind, body) = client.post(accept, form).await;
        assert!(kind == "text/xml" && body.starts_with('<'), "{accept:?}");
    }
}

#[tokio::test]
async fn an_error_and_a_void_answer_are_json_too() {
    let client = Client::new();
    let form = "Action=DescribeEnvironmentResources&EnvironmentName=no&ContentType=JSON";
    let (status, kind, body) = client.post(None, form).await;
    assert_eq!((status, kind.as_str()), (400, "application/json"));
    let body: Value = serde_json::from_str(&body).expect("it is JSON");
    assert_eq!(body["Error"]["Code"], "InvalidParameterValue");
    assert_eq!(body["Error"]["Type"], "Sender");
    let message = body["Error"]["Message"].as_str().unwrap_or_default();
    assert!(message.contains("No Environment found"), "{body}");
    assert!(body["RequestId"].is_string(), "{body}");

    let form = "Action=RestartAppServer&EnvironmentName=shop-blue&ContentType=JSON";
    let (status, _, body) = client.post(None, form).await;
    let body: Value = serde_json::from_str(&body).expect("it is JSON");
    let response = body["RestartAppServerResponse"].as_object();
    let response = response.expect("a response");
    assert_eq!((status, response.len()), (200, 1), "{response:?}");
    assert!(response.contains_key("ResponseMetadata"));
}

#[tokio::test]
async fn every_member_has_the_type_of_the_model() {
    let client = Client::new();
    let blue = "&EnvironmentName=shop-blue";
    let all = format!("{blue}&AttributeNames.member.1=All");
    let mut seen = Vec::new();
    for (operation, parameters) in [
        ("CheckDNSAvailability", "&CNAMEPrefix=free"),
        ("DescribeAccountAttributes", ""),
        ("DescribeApplications", ""),
        ("DescribeApplicationVersions", ""),
        ("DescribeConfigurationOptions", ""),
        (
            "DescribeConfigurationSettings",
            "&ApplicationName=shop&EnvironmentName=shop-blue",
        ),
        ("DescribeEnvironmentHealth", all.as_str()),
        ("DescribeEnvironmentResources", blue),
        ("DescribeEnvironments", ""),
        ("DescribeInstancesHealth", all.as_str()),
        ("ListAvailableSolutionStacks", ""),
        ("ListPlatformBranches", ""),
        ("ListPlatformVersions", ""),
        (
            "UpdateEnvironment",
            "&EnvironmentName=shop-blue&VersionLabel=v2",
        ),
        ("DescribeEvents", ""),
    ] {
        let result = client.result(operation, parameters).await;
        let before = seen.len();
        check_types(operation, "", &result, &mut seen);
        assert!(seen.len() > before, "{operation} tells nothing: {result}");
    }
    for name in [
        "AbortableOperationInProgress",
        "EventDate",
        "P99",
        "LoadAverage",
        "Ok",
    ] {
        assert!(seen.iter().any(|one| one == name), "no {name} was seen");
    }
}

fn check_types(path: &str, name: &str, value: &Value, seen: &mut Vec<String>) {
    let is_right = match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                check_types(&format!("{path}.{name}"), name, value, seen);
            }
            return;
        }
        Value::Array(members) => {
            for member in members {
                check_types(path, name, member, seen);
            }
            return;
        }
        Value::Null => return,
        Value::Bool(_) => BOOLEANS.contains(&name),
        Value::Number(_) => NUMBERS.contains(&name) || name == "System",
        Value::String(_) => !BOOLEANS.contains(&name) && !NUMBERS.contains(&name),
    };
    assert!(is_right, "{path} is {value}");
    seen.push(name.to_owned());
}

#[tokio::test]
async fn members_that_boto_reads_unconditionally_are_there() {
    let client = Client::new();
    let result = client.result(
        "DescribeEnvironments",
        "&EnvironmentNames.member.1=shop-worker",
    );
    let worker = &result.await["Environments"][0];
    // boto, `beanstalk/response.py`, `EnvironmentDescription`.
    for name in [
        "ApplicationName",
        "CNAME",
        "DateCreated",
        "DateUpdated",
        "Description",
        "EndpointURL",
        "EnvironmentId",
        "EnvironmentName",
        "Health",
        "Resources",
        "SolutionStackName",
        "Status",
        "TemplateName",
        "VersionLabel",
    ] {
        assert!(worker.get(name).is_some(), "no {name}: {worker}");
    }
    assert!(worker["CNAME"].is_null() && worker["Resources"].is_null());
    let none = client.result("DescribeEnvironments", "&EnvironmentNames.member.1=none");
    assert_eq!(none.await["Environments"], serde_json::json!([]));
}

#[tokio::test]
async fn a_list_is_read_in_each_of_its_forms_and_with_any_numbers() {
    let client = Client::new();
    for parameters in [
        "&EnvironmentNames.member.1=shop-blue",
        "&EnvironmentNames.members.1=shop-blue",
        "&EnvironmentNames.member.0=shop-blue",
        "&EnvironmentNames.member.3=shop-blue",
        "&EnvironmentNames.members.2=shop-blue&EnvironmentNames.members.10=none",
    ] {
        assert_eq!(
            client.found(parameters).await,
            ["shop-blue"],
            "{parameters}"
        );
    }
    let both = "&EnvironmentNames=&EnvironmentNameOfMine=x&Unknown.1=y";
    assert_eq!(client.found(both).await.len(), 2);
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_refused_in_every_operation() {
    let client = Client::new();
    let top = "Top level element may not be treated as a list";
    for (form, message) in [
        (
            "Action=DescribeEnvironments&EnvironmentNames.1=shop-blue",
            top,
        ),
        ("Action=DescribeEnvironments&EnvironmentIds.item.1=e-1", top),
        (
            "Action=DescribeEnvironments&EnvironmentNames.member.x=a",
            top,
        ),
        ("Action=DescribeEnvironments&EnvironmentNames.member=a", top),
        ("Action=DescribeApplicationVersions&VersionLabels.1=v1", top),
        ("Action=DescribeApplications&ApplicationNames[]=shop", top),
        (
            "Action=DescribeEnvironments&EnvironmentNames=shop-blue",
            "Unexpected list element termination",
        ),
        (
            "Action=DescribeEnvironments&EnvironmentNames.member.1.Name=shop-blue",
            "Start of structure or map found where not expected",
        ),
        (
            "Action=UpdateEnvironment&EnvironmentName=shop-blue&OptionSettings.member.1=a",
            "Unexpected complex element termination",
        ),
        (
            "Action=UpdateEnvironment&EnvironmentName=shop-blue&OptionSettings.1.Namespace=a",
            top,
        ),
        (
            "Action=UpdateTagsForResource&ResourceArn=a&TagsToRemove.1=a",
            top,
        ),
        (
            "Action=ListPlatformVersions&Filters.member.1.Type=a&Filters.member.1.Values.1=b",
            top,
        ),
    ] {
        client.malformed(form, message).await;
    }
    let (status, ..) = client
        .post(
            None,
            "Action=DescribeApplications&EnvironmentNames.1=shop-blue",
        )
        .await;
    assert_eq!(status, 200, "the model has no such parameter there");
}

#[tokio::test]
async fn every_timestamp_is_read_in_each_of_its_forms_or_refused() {
    let client = Client::new();
    let result = client.result(
        "UpdateEnvironment",
        "&EnvironmentName=shop-blue&VersionLabel=v2",
    );
    result.await;
    for (early, late) in [
        ("20200101T000000Z", "29990101T000000Z"),
        ("2020-01-01T00:00:00.000Z", "2999-01-01T00:00:00.000Z"),
        ("2020-01-01T00:00:00%2B02:00", "2999-01-01T00:00:00-02:00"),
        ("1577836800", "32472144000.5"),
    ] {
        for (name, at, is_told) in [
            ("StartTime", early, true),
            ("StartTime", late, false),
            ("EndTime", late, true),
            ("EndTime", early, false),
        ] {
            let events = client
                .result("DescribeEvents", &format!("&{name}={at}"))
                .await;
            let events = events["Events"].as_array().map_or(0, Vec::len);
            assert_eq!(events > 0, is_told, "{name} {at}");
        }
        let back_to = format!("&IncludeDeleted=true&IncludedDeletedBackTo={early}");
        assert_eq!(client.found(&back_to).await.len(), 2);
    }
    for form in [
        "Action=DescribeEvents&StartTime=yesterday",
        "Action=DescribeEvents&EndTime=2020-01",
        "Action=DescribeEnvironments&IncludedDeletedBackTo=yesterday",
    ] {
        let (status, _, body) = client.post(None, form).await;
        assert!(
            status == 400 && body.contains("is not a timestamp"),
            "{form}: {body}"
        );
    }
}
