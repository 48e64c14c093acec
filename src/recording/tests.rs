use super::*;

/// What must not be found in a document, wherever it was planted.
const PLANTED: [&str; 24] = [
    "shop",
    "shop-blue",
    "shop-blue-green",
    "shop-artifacts",
    "123456789012",
    "hunter2-s3cr3t",
    "hunterish",
    "e-abcd123456",
    "i-0123456789abcdef0",
    "sg-0feedfacefeedface",
    "203.0.113.77",
    "awseb-AWSEB-1X2Y3Z",
    "jane.doe@example.org",
    "deploys.example.org",
    "v42-hotfix",
    "my-key-pair",
    "storefront",
    "AKIAIOSFODNN7EXAMPLE",
    "jane",
    "backend-role",
    "swordfish",
    "subnet-0aaaabbbbccccdddd",
    "Sup3rS3cret!",
    "sigsigsig",
];

fn planted_answer() -> String {
    "<DescribeEnvironmentsResponse xmlns=\"http://elasticbeanstalk.amazonaws.com/docs/2010-12-01/\">\
     <DescribeEnvironmentsResult><Environments><member>\
     <ApplicationName>shop</ApplicationName><EnvironmentName>shop-blue</EnvironmentName>\
     <EnvironmentId>e-abcd123456</EnvironmentId><VersionLabel>v42-hotfix</VersionLabel>\
     <EnvironmentArn>arn:aws:elasticbeanstalk:us-east-1:123456789012:environment/shop/shop-blue</EnvironmentArn>\
     <CNAME>shop.us-east-1.elasticbeanstalk.com</CNAME>\
     <EndpointURL>awseb-AWSEB-1X2Y3Z.us-east-1.elb.amazonaws.com</EndpointURL>\
     <Status>Ready</Status><Health>Green</Health><HealthStatus>Ok</HealthStatus>\
     <Description>owned by jane.doe@example.org</Description>\
     <Tier><Name>WebServer</Name><Type>Standard</Type><Version>1.0</Version></Tier>\
     <DateCreated>2026-01-02T03:04:05Z</DateCreated></member></Environments>\
     </DescribeEnvironmentsResult></DescribeEnvironmentsResponse>"
        .to_owned()
}

fn settings() -> String {
    let setting = |namespace: &str, option: &str, value: &str| {
        format!(
            "<member><Value>{value}</Value><OptionName>{option}</OptionName>\
             <Namespace>{namespace}</Namespace></member>"
        )
    };
    let settings = [
        setting(
            "aws:elasticbeanstalk:application:environment",
            "DB_PASSWORD",
            "hunter2-s3cr3t",
        ),
        setting(
            "aws:elasticbeanstalk:application:environment",
            "WORD",
            "hunterish",
        ),
        setting(
            "aws:autoscaling:launchconfiguration",
            "EC2KeyName",
            "my-key-pair",
        ),
        setting(
            "aws:autoscaling:launchconfiguration",
            "SecurityGroups",
            "sg-0feedfacefeedface",
        ),
        setting(
            "aws:autoscaling:launchconfiguration",
            "IamInstanceProfile",
            "backend-role",
        ),
        setting(
            "aws:elasticbeanstalk:sns:topics",
            "Notification Endpoint",
            "jane.doe@example.org",
        ),
        setting("aws:rds:dbinstance", "DBPassword", "swordfish"),
        setting("aws:ec2:vpc", "Subnets", "subnet-0aaaabbbbccccdddd"),
        setting(
            "aws:elasticbeanstalk:command",
            "DeploymentPolicy",
            "Rolling",
        ),
        setting("aws:autoscaling:asg", "MinSize", "2"),
    ];
    format!(
        "<DescribeConfigurationSettingsResponse><ConfigurationSettings><member><OptionSettings>{}\
         </OptionSettings></member></ConfigurationSettings></DescribeConfigurationSettingsResponse>",
        settings.concat()
    )
}

fn exchange(body: &str, answer: String) -> Exchange {
    Exchange {
        at: Moment(1_800_000_000_000),
        host: "elasticbeanstalk.us-east-1.amazonaws.com".to_owned(),
        method: "POST".to_owned(),
        path: "/".to_owned(),
        target: None,
        body: Some(body.to_owned()),
        status: Some(200),
        content_type: None,
        etag: None,
        answer: Some(answer),
        failure: None,
    }
}

fn planted() -> Recording {
    let events = "<DescribeEventsResponse><Events><member><Severity>ERROR</Severity><Message>\
         [Instance: i-0123456789abcdef0] jane ran deploy of v42-hotfix on shop-blue-green with \
         hunter2-s3cr3t and hunterish at 203.0.113.77. Access Denied: S3Bucket=shop-artifacts, \
         S3Key=storefront/v42-hotfix.zip, user arn:aws:iam::123456789012:user/jane</Message>\
         <EnvironmentName>shop-blue-green</EnvironmentName></member></Events></DescribeEventsResponse>";
    let mut object = exchange("", String::new());
    object.host = "shop-artifacts.s3.us-east-1.amazonaws.com".to_owned();
    object.method = "GET".to_owned();
    object.path =
        "/bluegreen/leases/123456789012/us-east-1/shop/shop-blue.json?x-id=GetObject".to_owned();
    object.answer = Some(
        r#"{"holder":{"host":"deploys.example.org","user":"jane"},"note":"Sup3rS3cret!"}"#
            .to_owned(),
    );
    object.etag = Some("\"sigsigsig\"".to_owned());
    let unknown = exchange(
        "not a form: shop-blue AKIAIOSFODNN7EXAMPLE",
        "storefront, jane".to_owned(),
    );
    Recording {
        names: vec![
            ("application", "application", "shop".to_owned()),
            ("blue", "environment", "shop-blue".to_owned()),
            ("green", "environment", "shop-blue-green".to_owned()),
            ("bucket", "bucket", "shop-artifacts".to_owned()),
        ],
        region: "us-east-1".to_owned(),
        exchanges: vec![
            exchange(
                "Action=DescribeEvents&EnvironmentId=e-abcd123456",
                events.to_owned(),
            ),
            exchange(
                "Action=CreateEnvironment&Tags.member.1.Key=team&Tags.member.1.Value=storefront\
                 &EnvironmentName=shop-blue-green&TemplateName=bluegreen-01jabcdefghjkmnpqrstvwxyz0",
                planted_answer(),
            ),
            exchange(
                "Action=DescribeConfigurationSettings&ApplicationName=shop",
                settings(),
            ),
            object,
            unknown,
        ],
        verdicts: vec![[
            "credentials".to_owned(),
            "passed".to_owned(),
            "these are the credentials of arn:aws:iam::123456789012:user/jane".to_owned(),
        ]],
    }
}

#[test]
fn nothing_that_was_planted_is_found() {
    let secret = ("API_TOKEN".to_owned(), "Sup3rS3cret!".to_owned());
    let secrets = Secrets::of([secret].into_iter(), &[]);
    let document = planted().redacted(secrets);
    for planted in PLANTED {
        let hidden = document.to_lowercase();
        let found = hidden.find(&planted.to_lowercase());
        let around =
            found.map(|at| &document[at.saturating_sub(60)..(at + 60).min(document.len())]);
        assert_eq!(around, None, "{planted}");
    }
}

#[test]
fn what_is_harmless_is_kept_and_the_same_is_called_the_same() {
    let document = planted().redacted(Secrets::default());
    let document: Value = serde_json::from_str(&document).expect("JSON");
    let answer = |at: usize| {
        document["exchanges"][at]["answer"]
            .as_str()
            .expect("an answer")
    };
    for kept in [
        "<Status>Ready</Status>",
        "<HealthStatus>Ok</HealthStatus>",
        "<Name>WebServer</Name>",
        "<DateCreated>2026-01-02T03:04:05Z</DateCreated>",
        "<ApplicationName>application-1</ApplicationName>",
        "<EnvironmentName>environment-1</EnvironmentName>",
        "<CNAME>application-1.us-east-1.elasticbeanstalk.com</CNAME>",
        ":100000000001:environment/application-1/environment-1<",
        "<EnvironmentId>e-0000000001</EnvironmentId>",
    ] {
        assert!(answer(1).contains(kept), "{kept}: {}", answer(1));
    }
    assert!(
        answer(2).contains("<Value>Rolling</Value>"),
        "{}",
        answer(2)
    );
    assert!(answer(2).contains("<Value>2</Value>"), "{}", answer(2));
    let told = answer(0);
    assert!(told.contains("Access Denied"), "{told}");
    assert!(
        told.contains("on environment-2 with secret-1 and secret-2 at 192.0.2."),
        "{told}"
    );
    assert_eq!(
        document["exchanges"][3]["path"],
        "/bucket-1/bluegreen/leases/100000000001/us-east-1/application-1/environment-1.json\
         ?x-id=GetObject"
    );
    let body = document["exchanges"][1]["body"].as_str().expect("a body");
    assert!(
        body.contains("TemplateName=bluegreen-01jabcdefghjkmnpqrstvwxyz0"),
        "{body}"
    );
    assert_eq!(document["names"]["bucket"], "bucket-1");
}
