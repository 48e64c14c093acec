//! Route 53, SSM and CloudFormation as the sandbox plays them, told through its own
//! wire on a clock set by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use bluegreen_sandbox::{
    Fault, FaultEffect, HOSTS_PARAMETER, Options, PRODUCTION, Phase, Sandbox, Service, Status,
    TapVerdict, TimeSource, ZONE, ZONE_PARAMETER,
};
use bytes::Bytes;

const START: u64 = 1_800_000_000_000;

/// A sandbox and its time.
struct Play {
    sandbox: Sandbox,
    now: Arc<AtomicU64>,
}

impl Play {
    fn new() -> Play {
        let now = Arc::new(AtomicU64::new(START));
        let read = now.clone();
        let time = move || UNIX_EPOCH + Duration::from_millis(read.load(Ordering::SeqCst));
        let sandbox = Sandbox::open(Options {
            time: TimeSource::Manual(Arc::new(time)),
            ..Options::default()
        });
        let sandbox = sandbox.expect("it opens");
        sandbox.with_world(|world, _| world.timings = world.timings.even());
        Play { sandbox, now }
    }

    fn wait(&self, seconds: u64) {
        self.now.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    /// The status and body of an answer; status 0 where the connection was closed.
    async fn send(&self, request: http::request::Builder, body: String) -> (u16, String) {
        let request = request.body(Bytes::from(body)).expect("a request");
        match self.sandbox.handle(request).await {
            Ok(answer) => (
                answer.status().as_u16(),
                String::from_utf8_lossy(answer.body())
                    .replace("&apos;", "'")
                    .replace("&quot;", "\""),
            ),
            Err(_) => (0, String::new()),
        }
    }

    async fn route53(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let request = signed("route53", method).uri(format!("http://127.0.0.1/2013-04-01/{path}"));
        self.send(request, body.to_owned()).await
    }

    /// A batch of changes of the seeded zone, each an action and a record set.
    async fn change(&self, changes: &[(&str, &str)]) -> (u16, String) {
        let one = |(action, set): &(&str, &str)| {
            format!(
                "<Change><Action>{action}</Action><ResourceRecordSet>{set}</ResourceRecordSet></Change>"
            )
        };
        let changes: String = changes.iter().map(one).collect();
        let body = format!(
            "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch><Changes>{changes}</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"
        );
        self.route53("POST", &format!("hostedzone/{ZONE}/rrset/"), &body)
            .await
    }

    async fn records(&self, query: &str) -> String {
        let path = format!("hostedzone/{ZONE}/rrset?{query}");
        self.route53("GET", &path, "").await.1
    }

    async fn ssm(&self, operation: &str, body: &str) -> (u16, serde_json::Value) {
        let request = signed("ssm", "POST")
            .uri("http://127.0.0.1/")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("AmazonSSM.{operation}"));
        let (status, body) = self.send(request, body.to_owned()).await;
        (status, serde_json::from_str(&body).unwrap_or_default())
    }

    async fn query(&self, service: &str, body: &str) -> (u16, String) {
        let request = signed(service, "POST")
            .uri("http://127.0.0.1/")
            .header("content-type", "application/x-www-form-urlencoded");
        self.send(request, body.to_owned()).await
    }

    async fn site(&self, host: &str) -> (u16, String) {
        let request = http::Request::get(format!("http://{host}/"));
        self.send(request, String::new()).await
    }

    fn blue_id(&self) -> String {
        self.sandbox
            .with_world(|world, _| world.environment("shop-blue").expect("blue").id.clone())
    }
}

fn signed(service: &str, method: &str) -> http::request::Builder {
    let scope = format!("AKIA/20270115/us-east-1/{service}/aws4_request");
    http::Request::builder().method(method).header(
        "authorization",
        format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"),
    )
}

fn cname(name: &str, ttl: u32, value: &str) -> String {
    set(name, "CNAME", ttl, value)
}

fn set(name: &str, kind: &str, ttl: u32, value: &str) -> String {
    format!(
        "<Name>{name}</Name><Type>{kind}</Type><TTL>{ttl}</TTL><ResourceRecords><ResourceRecord><Value>{value}</Value></ResourceRecord></ResourceRecords>"
    )
}

#[track_caller]
fn refused((status, body): (u16, String), code: &str, words: &str) {
    assert!(
        status >= 400 && body.contains(&format!("<Code>{code}</Code>")) && body.contains(words),
        "{status} {body}"
    );
}

#[tokio::test]
async fn a_change_is_told_at_once_and_reaches_the_name_servers_later() {
    let play = Play::new();
    let preview = cname("Preview.shop.example", 60, PRODUCTION);
    let (status, body) = play.change(&[("UPSERT", &preview)]).await;
    assert!(
        status == 200 && body.contains("<Status>PENDING</Status>"),
        "{body}"
    );
    let id = body.split("/change/").nth(1).expect("an id");
    let id = id.split('<').next().expect("an id");
    let told = play.records("name=preview.shop.example&maxitems=1").await;
    assert!(
        told.contains("<Name>preview.shop.example.</Name>") && told.contains("<TTL>60</TTL>"),
        "{told}"
    );
    play.wait(29);
    let change = format!("change/{id}");
    let pending = play.route53("GET", &change, "").await;
    assert!(pending.1.contains("PENDING"), "{pending:?}");
    assert_eq!(play.site("preview.shop.example").await.0, 502);
    play.wait(1);
    let synced = play.route53("GET", &change, "").await;
    assert!(synced.1.contains("INSYNC"), "{synced:?}");
    let (status, body) = play.site("preview.shop.example").await;
    assert!(status == 200 && body.contains("shop-blue"), "{body}");
    refused(
        play.route53("GET", "change/C0", "").await,
        "NoSuchChange",
        "C0",
    );
    let left = play.sandbox.report().leftovers.records;
    assert_eq!(left, ["preview.shop.example. CNAME"]);
    let undo = [
        ("DELETE", preview.as_str()),
        (
            "CREATE",
            &cname("preview.shop.example.", 300, "parked.example.net"),
        ),
    ];
    assert_eq!(play.change(&undo).await.0, 200);
    assert!(play.sandbox.report().leftovers.records.is_empty());
}

#[tokio::test]
async fn a_batch_that_does_not_fit_the_zone_changes_nothing() {
    let play = Play::new();
    let fresh = cname("new.shop.example", 60, PRODUCTION);
    let parked = cname("preview.shop.example", 300, "parked.example.net");
    let parked_again = parked.clone();
    let other = cname("preview.shop.example", 301, "parked.example.net");
    let cases: [(&str, &str, String, &str); 12] = [
        (
            "InvalidChangeBatch",
            "CREATE",
            parked.clone(),
            "[Tried to create resource record set [name='preview.shop.example.', type='CNAME'] but it already exists]",
        ),
        (
            "InvalidChangeBatch",
            "DELETE",
            other,
            "but the values provided do not match the current values",
        ),
        (
            "InvalidChangeBatch",
            "DELETE",
            cname("gone.shop.example", 300, "a.example"),
            "but it was not found",
        ),
        (
            "InvalidChangeBatch",
            "UPSERT",
            set("preview.shop.example", "A", 60, "192.0.2.1"),
            "because a conflicting RRSet of type CNAME with the same DNS name already exists in zone shop.example.",
        ),
        (
            "InvalidChangeBatch",
            "UPSERT",
            cname("shop.example", 60, PRODUCTION),
            "is not permitted at apex in zone shop.example.",
        ),
        (
            "InvalidChangeBatch",
            "UPSERT",
            cname("preview.other.example", 60, PRODUCTION),
            "is not permitted in zone shop.example.",
        ),
        (
            "InvalidChangeBatch",
            "UPSERT",
            cname("notshop.example", 60, PRODUCTION),
            "is not permitted in zone shop.example.",
        ),
        (
            "InvalidChangeBatch",
            "UPSERT",
            set("a.shop.example", "A", 60, "nowhere"),
            "ARRDATAIllegalIPv4Address",
        ),
        (
            "InvalidChangeBatch",
            "DELETE",
            set(
                "shop.example",
                "SOA",
                900,
                "ns-1.example. hostmaster.example. 1 7200 900 1209600 86400",
            ),
            "exactly one SOA record",
        ),
        (
            "InvalidInput",
            "UPSERT",
            "<Name>a.shop.example</Name><Type>CNAME</Type>".to_owned(),
            "but found none in Change with [Action=UPSERT, Name=a.shop.example, Type=CNAME, SetIdentifier=null]",
        ),
        ("InvalidInput", "RENAME", parked, "is not facet-valid"),
        (
            "InvalidInput",
            "UPSERT",
            set("a.shop.example", "B", 60, "x"),
            "is not facet-valid",
        ),
    ];
    for (code, action, set, words) in &cases {
        let answer = play.change(&[("UPSERT", &fresh), (action, set)]).await;
        refused(answer, code, words);
        assert!(!play.records("").await.contains("new.shop.example"));
    }
    refused(
        play.route53("POST", &format!("hostedzone/{ZONE}/rrset"), "<a")
            .await,
        "InvalidInput",
        "well-formed",
    );
    let twice = [("DELETE", parked_again.as_str()), ("DELETE", &parked_again)];
    refused(
        play.change(&twice).await,
        "InvalidChangeBatch",
        "an invalid set of changes for a resource record set 'CNAME preview.shop.example.'",
    );
    let nowhere = play.route53("GET", "hostedzone/ZNOWHERE/rrset", "").await;
    refused(
        nowhere,
        "NoSuchHostedZone",
        "No hosted zone found with ID: ZNOWHERE",
    );
    assert!(play.sandbox.report().leftovers.records.is_empty());
}

#[tokio::test]
async fn a_record_of_another_kind_makes_way_in_one_batch_whose_order_counts() {
    let play = Play::new();
    let alias = "<Name>preview.shop.example</Name><Type>A</Type><AliasTarget><HostedZoneId>Z1</HostedZoneId><DNSName>Dualstack.LB.example</DNSName><EvaluateTargetHealth>false</EvaluateTargetHealth></AliasTarget>";
    let parked = cname("preview.shop.example", 300, "parked.example.net");
    let ours = cname("preview.shop.example", 60, PRODUCTION);
    let wrong = play.change(&[("CREATE", alias), ("DELETE", &parked)]).await;
    refused(
        wrong,
        "InvalidChangeBatch",
        "conflicting RRSet of type CNAME",
    );
    let (status, _) = play.change(&[("DELETE", &parked), ("CREATE", alias)]).await;
    assert_eq!(status, 200);
    let told = play.records("name=preview.shop.example").await;
    assert!(
        told.contains("<DNSName>dualstack.lb.example.</DNSName>"),
        "{told}"
    );
    let wrong = play.change(&[("UPSERT", &ours)]).await;
    refused(
        wrong,
        "InvalidChangeBatch",
        "is not permitted as it conflicts with other records",
    );
    let (status, _) = play.change(&[("DELETE", alias), ("CREATE", &ours)]).await;
    assert_eq!(status, 200);
}

/// Route 53 keeps simple and latency-routed record sets of one name and type apart
/// (developer guide, "Values that are common for simple records": a set without an identifier
/// cannot stand beside one with it). What made the latter must go in the same batch.
#[tokio::test]
async fn a_latency_routed_record_makes_way_for_a_simple_one_in_one_batch_alone() {
    let play = Play::new();
    let routed = "<Name>one.shop.example</Name><Type>CNAME</Type><SetIdentifier>one.shop.example Identifier</SetIdentifier><Region>us-east-1</Region><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>green.eba-1.us-east-1.elasticbeanstalk.com</Value></ResourceRecord></ResourceRecords>";
    let (status, _) = play.change(&[("UPSERT", routed)]).await;
    assert_eq!(status, 200);
    let simple = cname("one.shop.example", 60, PRODUCTION);
    for action in ["CREATE", "UPSERT"] {
        refused(
            play.change(&[(action, &simple)]).await,
            "InvalidChangeBatch",
            "as it conflicts with other records with the same DNS name and type",
        );
    }
    let (status, _) = play
        .change(&[("DELETE", routed), ("CREATE", &simple)])
        .await;
    assert_eq!(status, 200);
    refused(
        play.change(&[("CREATE", routed)]).await,
        "InvalidChangeBatch",
        "as it conflicts with other records with the same DNS name and type",
    );
}

#[tokio::test]
async fn records_are_listed_in_order_and_in_pages() {
    let play = Play::new();
    for name in ["b.shop.example", "a.b.shop.example", "*.shop.example"] {
        let one = cname(name, 60, "x.example");
        assert_eq!(play.change(&[("CREATE", &one)]).await.0, 200);
    }
    let weighted = |id: &str| {
        let one = set("weighted.shop.example", "A", 60, "192.0.2.1");
        format!("{one}<SetIdentifier>{id}</SetIdentifier><Weight>1</Weight>")
    };
    for id in ["one", "two"] {
        assert_eq!(play.change(&[("CREATE", &weighted(id))]).await.0, 200);
    }
    let plain = set("weighted.shop.example", "A", 60, "192.0.2.2");
    refused(
        play.change(&[("CREATE", &plain)]).await,
        "InvalidChangeBatch",
        "conflicts",
    );
    let (mut seen, mut query) = (Vec::new(), "maxitems=2".to_owned());
    loop {
        let page = play.records(&query).await;
        let field = |name: &str| {
            let rest = page.split(&format!("<{name}>")).nth(1)?;
            Some(rest.split('<').next().unwrap_or_default().to_owned())
        };
        let names = page.split("<ResourceRecordSet><Name>").skip(1);
        seen.extend(names.filter_map(|n| Some(n.split('<').next()?.to_owned())));
        let Some(name) = field("NextRecordName") else {
            assert!(page.contains("<IsTruncated>false</IsTruncated>"), "{page}");
            break;
        };
        let kind = field("NextRecordType").expect("a type");
        query = format!("maxitems=2&name={}&type={kind}", name.replace('\\', "%5C"));
        if let Some(id) = field("NextRecordIdentifier") {
            query.push_str(&format!("&identifier={id}"));
        }
    }
    let expected = [
        "shop.example.",
        "shop.example.",
        "\\052.shop.example.",
        "b.shop.example.",
        "a.b.shop.example.",
        "preview.shop.example.",
        "weighted.shop.example.",
        "weighted.shop.example.",
        "www.shop.example.",
    ];
    assert_eq!(seen, expected);
    let zones = play.route53("GET", "hostedzone?maxitems=1", "").await;
    let by_name = play
        .route53("GET", "hostedzonesbyname?dnsname=shop.example", "")
        .await;
    let one = play.route53("GET", &format!("hostedzone/{ZONE}"), "").await;
    for (status, body) in [zones, by_name, one] {
        assert!(
            status == 200 && body.contains(&format!("<Id>/hostedzone/{ZONE}</Id>")),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_name_leads_through_records_to_the_environment_that_holds_the_last() {
    let play = Play::new();
    assert!(play.site("www.shop.example").await.1.contains("shop-blue"));
    let endpoint = play.sandbox.with_world(|world, _| {
        world
            .environment("shop-blue")
            .expect("blue")
            .endpoint
            .clone()
    });
    let alias = format!(
        "<Name>shop.example</Name><Type>A</Type><AliasTarget><HostedZoneId>Z1</HostedZoneId><DNSName>{endpoint}</DNSName><EvaluateTargetHealth>false</EvaluateTargetHealth></AliasTarget>"
    );
    let chain = cname("chain.shop.example", 60, "www.shop.example");
    let circle = cname("circle.shop.example", 60, "circle.shop.example");
    for one in [&alias, &chain, &circle] {
        let (status, body) = play.change(&[("UPSERT", one)]).await;
        assert_eq!(status, 200, "{body}");
    }
    play.wait(30);
    for host in ["shop.example", "chain.shop.example", "WWW.shop.example"] {
        let (status, body) = play.site(host).await;
        assert!(
            status == 200 && body.contains("shop-blue"),
            "{host}: {body}"
        );
    }
    for host in [
        "circle.shop.example",
        "nobody.shop.example",
        "preview.shop.example",
    ] {
        let (status, body) = play.site(host).await;
        assert!(
            status == 502 && body.contains("no such host"),
            "{host}: {body}"
        );
    }
}

#[tokio::test]
async fn parameters_are_read_written_and_missed_as_the_service_does() {
    let play = Play::new();
    let read = format!(r#"{{"Names":["{ZONE_PARAMETER}","/nowhere","{HOSTS_PARAMETER}"]}}"#);
    let (_, both) = play.ssm("GetParameters", &read).await;
    assert_eq!(both["Parameters"][0]["Value"], ZONE);
    assert_eq!(
        both["Parameters"][1]["Value"],
        r#"["preview.shop.example"]"#
    );
    assert_eq!(both["InvalidParameters"][0], "/nowhere");
    let put = |rest: &str| format!(r#"{{"Name":"/shop/secret","Value":"s3cret",{rest}}}"#);
    let (status, made) = play
        .ssm("PutParameter", &put(r#""Type":"SecureString""#))
        .await;
    assert!(status == 200 && made["Version"] == 1, "{made}");
    let (status, taken) = play.ssm("PutParameter", &put(r#""Type":"String""#)).await;
    assert!(
        status == 400 && taken["__type"] == "ParameterAlreadyExists",
        "{taken}"
    );
    let (_, again) = play.ssm("PutParameter", &put(r#""Overwrite":true"#)).await;
    assert_eq!(again["Version"], 2);
    let secret = r#"{"Name":"/shop/secret"}"#;
    let (_, shown) = play.ssm("GetParameter", secret).await;
    assert_ne!(shown["Parameter"]["Value"], "s3cret");
    let secret = r#"{"Name":"/shop/secret:1","WithDecryption":true}"#;
    let (_, shown) = play.ssm("GetParameter", secret).await;
    assert_eq!(shown["Parameter"]["Value"], "s3cret");
    assert_eq!(shown["Parameter"]["Version"], 1);
    let arn = shown["Parameter"]["ARN"].as_str().expect("an ARN");
    let by_arn = format!(r#"{{"Name":"{arn}"}}"#);
    assert_eq!(play.ssm("GetParameter", &by_arn).await.0, 200);
    for (operation, body, code) in [
        (
            "GetParameter",
            r#"{"Name":"/nowhere"}"#,
            "ParameterNotFound",
        ),
        (
            "GetParameter",
            r#"{"Name":"/shop/secret:9"}"#,
            "ParameterVersionNotFound",
        ),
        ("GetParameter", "{}", "ValidationException"),
        ("GetParameters", r#"{"Names":[]}"#, "ValidationException"),
        (
            "PutParameter",
            r#"{"Name":"/aws/x","Value":"x","Type":"String"}"#,
            "ValidationException",
        ),
        (
            "PutParameter",
            r#"{"Name":"a/b","Value":"x","Type":"String"}"#,
            "ValidationException",
        ),
        (
            "PutParameter",
            r#"{"Name":"x","Value":"x"}"#,
            "ValidationException",
        ),
        (
            "PutParameter",
            r#"{"Name":"x","Value":"x","Type":"X"}"#,
            "UnsupportedParameterType",
        ),
        ("Frobnicate", "{}", "UnknownOperationException"),
        ("GetParameter", "x", "SerializationException"),
    ] {
        let (status, answer) = play.ssm(operation, body).await;
        assert!(
            status == 400 && answer["__type"] == code,
            "{body}: {answer}"
        );
    }
}

#[tokio::test]
async fn the_termination_of_a_protected_stack_fails() {
    let play = Play::new();
    let stack = format!("awseb-{}-stack", play.blue_id());
    let describe = format!("Action=DescribeStacks&StackName={stack}");
    let protected = async || play.query("cloudformation", &describe).await.1;
    let off = "<EnableTerminationProtection>false</EnableTerminationProtection>";
    assert!(protected().await.contains(off));
    let protect = format!(
        "Action=UpdateTerminationProtection&StackName={stack}&EnableTerminationProtection="
    );
    let (status, body) = play
        .query("cloudformation", &format!("{protect}true"))
        .await;
    assert!(
        status == 200 && body.contains("<StackId>arn:aws:cloudformation"),
        "{body}"
    );
    assert!(!protected().await.contains(off));
    let terminate = "Action=TerminateEnvironment&EnvironmentName=shop-blue";
    assert_eq!(play.query("elasticbeanstalk", terminate).await.0, 200);
    let status = || {
        play.sandbox
            .with_world(|world, _| world.environment("shop-blue").map(|e| e.status))
    };
    assert_eq!(status(), Some(Status::Terminating));
    play.wait(10);
    assert_eq!(status(), Some(Status::Ready));
    let events = "Action=DescribeEvents&EnvironmentName=shop-blue&Severity=ERROR";
    let (_, events) = play.query("elasticbeanstalk", events).await;
    assert!(
        events.contains(&format!(
            "Stack [{stack}] cannot be deleted while TerminationProtection is enabled"
        )),
        "{events}"
    );
    play.query("cloudformation", &format!("{protect}false"))
        .await;
    play.query("elasticbeanstalk", terminate).await;
    play.wait(240);
    assert_eq!(status(), None);
    let (status, body) = play.query("cloudformation", &describe).await;
    assert!(
        status == 400 && body.contains(&format!("Stack with id {stack} does not exist")),
        "{body}"
    );
    let (_, all) = play.query("cloudformation", "Action=DescribeStacks").await;
    assert_eq!(all.matches("<StackName>").count(), 1, "{all}");
    for (body, code) in [
        ("Action=Frobnicate", "InvalidAction"),
        (
            "Action=UpdateTerminationProtection&StackName=x",
            "ValidationError",
        ),
        ("Action=DescribeStacks&NextToken=x", "ValidationError"),
    ] {
        let answer = play.query("cloudformation", body).await;
        refused(answer, code, "");
    }
}

#[tokio::test]
async fn faults_strike_these_services_and_the_tap_sees_them() {
    let play = Play::new();
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let calls = told.clone();
    play.sandbox.set_tap(move |call, phase| {
        if phase == Phase::Before {
            calls
                .lock()
                .expect("sound")
                .push((call.service, call.operation.clone()));
        }
        TapVerdict::Continue
    });
    let inject = |effect, operation: &str| {
        let fault = Fault {
            operation: Some(operation.to_owned()),
            times: Some(1),
            ..Fault::from(effect)
        };
        play.sandbox.with_world(|world, _| world.inject(fault));
    };
    let change = "ChangeResourceRecordSets";
    let one = cname("one.shop.example", 60, "x.example");
    inject(FaultEffect::Throttle, change);
    refused(
        play.change(&[("CREATE", &one)]).await,
        "Throttling",
        "Rate exceeded",
    );
    inject(FaultEffect::ExpiredCredentials, change);
    refused(play.change(&[("CREATE", &one)]).await, "ExpiredToken", "");
    inject(FaultEffect::ClockSkewed, change);
    refused(
        play.change(&[("CREATE", &one)]).await,
        "SignatureDoesNotMatch",
        "Signature expired",
    );
    inject(FaultEffect::DropRequest, change);
    assert_eq!(play.change(&[("CREATE", &one)]).await.0, 0);
    inject(FaultEffect::Late { seconds: 100 }, change);
    assert_eq!(play.change(&[("CREATE", &one)]).await.0, 0);
    let is_there = async || play.records("").await.contains("one.shop.example");
    assert!(!is_there().await);
    play.wait(100);
    assert!(is_there().await);
    inject(FaultEffect::DropAnswer, change);
    assert_eq!(play.change(&[("DELETE", &one)]).await.0, 0);
    assert!(!is_there().await);
    inject(FaultEffect::Throttle, "GetParameter");
    let (status, answer) = play.ssm("GetParameter", r#"{"Name":"x"}"#).await;
    assert!(
        status == 400 && answer["__type"] == "ThrottlingException",
        "{answer}"
    );
    inject(FaultEffect::ExpiredCredentials, "DescribeStacks");
    refused(
        play.query("cloudformation", "Action=DescribeStacks").await,
        "ExpiredToken",
        "",
    );
    assert_eq!(play.sandbox.report().calls[change], 6);
    let told = told.lock().expect("sound");
    assert_eq!(told[0], (Service::Route53, change.to_owned()));
    assert!(told.contains(&(Service::Ssm, "GetParameter".to_owned())));
    assert!(told.contains(&(Service::CloudFormation, "DescribeStacks".to_owned())));
}

/// A world that was kept before these services were there opens with what a new one has.
#[tokio::test]
async fn an_older_world_on_disk_has_the_seeded_zone() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = || {
        Sandbox::open(Options {
            directory: Some(folder.path().to_owned()),
            ..Options::default()
        })
    };
    drop(open().expect("it opens"));
    let path = folder.path().join("world.json");
    let text = std::fs::read(&path).expect("it reads");
    let mut saved: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let world = saved["world"].as_object_mut().expect("a world");
    assert!(world.remove("services").is_some());
    std::fs::write(&path, saved.to_string()).expect("it is written");
    let sandbox = open().expect("it opens again");
    let request =
        signed("route53", "GET").uri(format!("http://127.0.0.1/2013-04-01/hostedzone/{ZONE}"));
    let request = request.body(Bytes::new()).expect("a request");
    assert_eq!(
        sandbox.handle(request).await.expect("an answer").status(),
        200
    );
}

/// The ids of the groups that an answer tells.
fn group_ids(answer: &str) -> Vec<&str> {
    let told = answer.split("<item><ownerId>").skip(1);
    let ids = told.filter_map(|item| item.split_once("<groupId>"));
    ids.filter_map(|(_, id)| id.split('<').next()).collect()
}

/// "One common reason is that the security group of another environment has a dependency on the
/// security group of the environment" (developer guide, "Terminate an Elastic Beanstalk
/// environment"); the words are those of ingenieux/beanstalker#37. The stack tells the group by
/// its name where it is in no VPC that is named.
#[tokio::test]
async fn an_environment_whose_group_is_admitted_elsewhere_is_not_terminated() {
    let play = Play::new();
    let (stack, own) = play.sandbox.with_world(|world, _| {
        let blue = world.environment("shop-blue").expect("blue");
        (
            format!("awseb-{}-stack", blue.id),
            blue.own_group().expect("it has one"),
        )
    });
    let resource = format!(
        "Action=DescribeStackResource&StackName={stack}&LogicalResourceId=AWSEBSecurityGroup"
    );
    let (_, told) = play.query("cloudformation", &resource).await;
    let name = format!("{stack}-AWSEBSecurityGroup-");
    assert!(
        told.contains(&format!("<PhysicalResourceId>{name}")),
        "{told}"
    );
    play.sandbox.with_world(|world, _| {
        world.set("shop-blue", "aws:ec2:vpc", "VPCId", "vpc-1");
    });
    let (_, told) = play.query("cloudformation", &resource).await;
    let id = format!("<PhysicalResourceId>{own}</PhysicalResourceId>");
    assert!(told.contains(&id), "{told}");

    let admitting = format!(
        "Action=DescribeSecurityGroups&Filter.1.Name=ip-permission.group-id&Filter.1.Value.1={own}"
    );
    let (_, none) = play.query("ec2", &admitting).await;
    assert_eq!(group_ids(&none), [""; 0]);
    play.sandbox.with_world(|world, _| {
        world.inject(FaultEffect::GroupAdmits {
            group: "shop-database".to_owned(),
            environment: "shop-blue".to_owned(),
        });
    });
    let (status, told) = play.query("ec2", &admitting).await;
    assert_eq!((status, group_ids(&told).len()), (200, 1), "{told}");
    assert!(
        told.contains("<groupName>shop-database</groupName>"),
        "{told}"
    );
    let (status, refused) = play
        .query("ec2", "Action=DescribeSecurityGroups&Filter.1.Name=colour")
        .await;
    assert_eq!(status, 400);
    assert!(
        refused.contains("<Errors><Error><Code>InvalidParameterValue"),
        "{refused}"
    );

    let terminate = "Action=TerminateEnvironment&EnvironmentName=shop-blue";
    play.query("elasticbeanstalk", terminate).await;
    play.wait(600);
    play.sandbox.with_world(|world, _| {
        let blue = world.environment("shop-blue").expect("it is still there");
        assert_eq!(blue.status, Status::Ready);
        let events = &world.view.events;
        let dependent = format!("Deleting security group named: {own} failed Reason: resource {own} has a dependent object");
        assert!(events.iter().any(|event| event.message == dependent));
    });
}

/// Where a template keeps the group that the service made for its source, which no public text
/// settles, the clone's instances are in it, and that source cannot be terminated.
#[tokio::test]
async fn a_clone_may_be_in_the_group_of_its_source() {
    for keeps in [false, true] {
        let play = Play::new();
        let id = play.sandbox.with_world(|world, _| {
            if keeps {
                world.inject(FaultEffect::TemplatesKeepGroups);
            }
            world.environment("shop-blue").expect("blue").id.clone()
        });
        for request in [
            format!("Action=CreateConfigurationTemplate&ApplicationName=shop&TemplateName=t&EnvironmentId={id}"),
            "Action=CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-two&VersionLabel=v1&TemplateName=t".to_owned(),
        ] {
            assert_eq!(play.query("elasticbeanstalk", &request).await.0, 200);
        }
        play.wait(600);
        let terminate = "Action=TerminateEnvironment&EnvironmentName=shop-blue";
        play.query("elasticbeanstalk", terminate).await;
        play.wait(600);
        let is_there = play
            .sandbox
            .with_world(|world, _| world.environment("shop-blue").is_some());
        assert_eq!(is_there, keeps);
    }
}

const BALANCING: &str = "elasticloadbalancing";

/// Elastic Beanstalk developer guide, "Cloning an Elastic Beanstalk environment": unmanaged
/// changes are not cloned. API references of Elastic Load Balancing and AWS WAF.
#[tokio::test]
async fn what_is_put_onto_a_load_balancer_by_hand_is_told() {
    let play = Play::new();
    let balancer = play
        .sandbox
        .with_world(|world, _| world.own_balancer("shop-blue"));
    let balancer = balancer.expect("it has one of its own");
    let waf = async |operation: &str, input: serde_json::Value| {
        let request = signed("wafv2", "POST")
            .uri("http://127.0.0.1/")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("AWSWAF_20190729.{operation}"));
        let (status, body) = play.send(request, input.to_string()).await;
        assert_eq!(status, 200, "{operation}: {body}");
        serde_json::from_str::<serde_json::Value>(&body).expect("JSON")
    };
    let of_balancer = serde_json::json!({ "ResourceArn": balancer });
    let told = waf("GetWebACLForResource", of_balancer.clone()).await;
    assert_eq!(told, serde_json::json!({}), "nothing protects it");
    let acl = "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/shop/1";
    let association = serde_json::json!({ "ResourceArn": balancer, "WebACLArn": acl });
    waf("AssociateWebACL", association).await;
    let told = waf("GetWebACLForResource", of_balancer.clone()).await;
    assert_eq!(told["WebACL"]["Name"], "shop");
    waf("DisassociateWebACL", of_balancer.clone()).await;
    assert_eq!(
        waf("GetWebACLForResource", of_balancer).await,
        serde_json::json!({})
    );

    let ask = async |body: String| {
        let version = "Version=2015-12-01";
        let (status, body) = play.query(BALANCING, &format!("{version}&{body}")).await;
        assert_eq!(status, 200, "{body}");
        body
    };
    let listeners = format!("Action=DescribeListeners&LoadBalancerArn={balancer}");
    let told = ask(listeners.clone()).await;
    assert_eq!(told.matches("<ListenerArn>").count(), 1, "{told}");
    let group = between(&told, "<TargetGroupArn>");
    let made = ask(format!(
        "Action=CreateListener&LoadBalancerArn={balancer}&Port=8443&Protocol=HTTPS\
         &Certificates.member.1.CertificateArn=arn:aws:acm:us-east-1:123456789012:certificate/1\
         &DefaultActions.member.1.Type=forward&DefaultActions.member.1.TargetGroupArn={group}"
    ))
    .await;
    let told = ask(listeners).await;
    assert_eq!(told.matches("<ListenerArn>").count(), 2, "{told}");
    assert!(told.contains("<Port>8443</Port>"), "{told}");

    // What the service has made bears its tags, and what was made by hand does not.
    let stack = "elasticbeanstalk:environment-id";
    let tags =
        async |arn: String| ask(format!("Action=DescribeTags&ResourceArns.member.1={arn}")).await;
    assert!(tags(balancer.clone()).await.contains(stack));
    assert!(tags(group).await.contains(stack));
    assert!(!tags(between(&made, "<ListenerArn>")).await.contains(stack));
}

/// The text of the first element of this name.
fn between(xml: &str, element: &str) -> String {
    let (_, rest) = xml.split_once(element).expect("it is there");
    let (text, _) = rest.split_once('<').expect("it ends");
    text.to_owned()
}

/// User guide of application load balancers, "CloudWatch metrics": a minute without requests has
/// no value; what is told comes late.
#[tokio::test]
async fn a_load_balancer_counts_its_requests() {
    let play = Play::new();
    let balancer = play
        .sandbox
        .with_world(|world, _| world.own_balancer("shop-blue"));
    let balancer = balancer.expect("it has one of its own");
    let (_, name) = balancer.split_once(":loadbalancer/").expect("an ARN");
    let sums = async |name: &str, from: u64, minutes: u64| {
        let metric = serde_json::json!({
            "Namespace": "AWS/ApplicationELB",
            "MetricName": "RequestCount",
            "Dimensions": [{ "Name": "LoadBalancer", "Value": name }],
        });
        let stat = serde_json::json!({ "Metric": metric, "Period": 60, "Stat": "Sum" });
        let input = serde_json::json!({
            "MetricDataQueries": [{ "Id": "m0", "MetricStat": stat }],
            "StartTime": from / 1000,
            "EndTime": from / 1000 + 60 * minutes,
        });
        let request = signed("monitoring", "POST")
            .uri("http://127.0.0.1/")
            .header("content-type", "application/x-amz-json-1.0")
            .header(
                "x-amz-target",
                "GraniteServiceVersion20100801.GetMetricData",
            );
        let (status, body) = play.send(request, input.to_string()).await;
        assert_eq!(status, 200, "{body}");
        let told: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        let values = told["MetricDataResults"][0]["Values"].as_array();
        let values = values.expect("values").iter();
        values
            .map(|value| value.as_f64().expect("a number"))
            .collect::<Vec<_>>()
    };
    // Twenty clients send one a second; the world begins within the minute before.
    let begins = START / 60_000 * 60_000 + 60_000;
    play.wait((begins - START) / 1000 + 120);
    let none: [f64; 0] = [];
    assert_eq!(sums(name, begins, 1).await, none, "it is not told yet");
    play.wait(60);
    assert_eq!(sums(name, begins, 1).await, [1200.0]);
    play.wait(120);
    assert_eq!(sums(name, begins, 3).await, [1200.0; 3]);
    assert_eq!(sums("app/another/1", begins, 3).await, none);
}
