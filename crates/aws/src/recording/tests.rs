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
        headers: Vec::new(),
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
        comparisons: Vec::new(),
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

/// Everything that somebody might put somewhere, in every form in which it may come back.
mod hidden {
    use super::*;

    /// Secrets that resemble what is harmless, or hold what texts quote.
    const SECRETS: [&str; 11] = [
        "83746512",
        "4915112345678",
        "2026-01-02-555-1234",
        "correct horse \"battery\" & <staple>",
        "pässwörter/und=mehr?",
        "xKqzPwLmRtYv",
        "us-east-9-secret",
        "true-colours",
        "p@ss:w0rd",
        "+49/30/7654321",
        "20240102/7654321",
    ];

    fn escaped(text: &str) -> String {
        quick_xml::escape::escape(text).into_owned()
    }

    fn percent(text: &str) -> String {
        let all = percent_encoding::NON_ALPHANUMERIC;
        percent_encoding::utf8_percent_encode(text, all).to_string()
    }

    fn base64(text: &str) -> String {
        aws_smithy_types::base64::encode(text)
    }

    fn setting(namespace: &str, option: &str, value: &str) -> String {
        format!(
            "<member><Value>{}</Value><OptionName>{}</OptionName><Namespace>{namespace}</Namespace></member>",
            escaped(value),
            escaped(option)
        )
    }

    /// The document of a recording that holds this secret wherever one may stand, and the
    /// environment property of this name.
    fn document_with(secret: &str) -> String {
        let settings = [
            setting(
                "aws:elasticbeanstalk:application:environment",
                "ACME_PIN",
                secret,
            ),
            setting("aws:elasticbeanstalk:application:environment", secret, "1"),
            setting("aws:elasticbeanstalk:customoption", "pin", secret),
            setting("aws:rds:dbinstance", "DBPassword", secret),
            setting("aws:rds:dbinstance", "DBUser", secret),
            setting(
                "aws:elasticbeanstalk:sns:topics",
                "Notification Endpoint",
                secret,
            ),
        ];
        let described = format!(
            "<R><ApplicationName>{0}</ApplicationName><VersionLabel>{0}</VersionLabel>\
             <Description>{0}</Description><S3Key>{0}</S3Key>\
             <Tags><member><Key>{0}</Key><Value>{0}</Value></member></Tags>\
             <OptionSettings>{1}</OptionSettings></R>",
            escaped(secret),
            settings.concat()
        );
        let told = format!(
            "<R><Events><member><Message>It says {0}, {1}, {2}, {3} and x{0}x</Message></member></Events>\
             <Error><Code>InvalidParameterValue</Code><Message>Value {0} is wrong</Message></Error></R>",
            escaped(secret),
            percent(secret),
            base64(secret),
            escaped(&Value::from(secret).to_string()),
        );
        let asked = form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", "CreateEnvironment")
            .append_pair("Description", secret)
            .append_pair("Tags.member.1.Key", "pin")
            .append_pair("Tags.member.1.Value", secret)
            .append_pair(
                "OptionSettings.member.1.Namespace",
                "aws:elasticbeanstalk:application:environment",
            )
            .append_pair("OptionSettings.member.1.OptionName", secret)
            .append_pair("OptionSettings.member.1.Value", secret)
            .finish();
        let mut object = exchange("", String::new());
        object.host = "s3.us-east-1.amazonaws.com".to_owned();
        object.method = "GET".to_owned();
        object.path = format!("/{0}/{0}?prefix={0}", percent(secret));
        object.answer = Some(serde_json::json!({ "pin": secret, "Value": secret }).to_string());
        object.headers = vec![(
            "x-amz-server-side-encryption-aws-kms-key-id".to_owned(),
            secret.to_owned(),
        )];
        let mut page = object.clone();
        page.host = "shop.us-east-1.elasticbeanstalk.com".to_owned();
        page.path = format!("/health/{0}?token={0}", percent(secret));
        page.failure = Some(format!("500, with {secret}"));
        let differing = |what: String| Differing {
            what,
            blue: Some(secret.to_owned()),
            other: None,
            weight: Some(Weight::Refuses),
        };
        let recording = Recording {
            region: "us-east-1".to_owned(),
            exchanges: vec![
                exchange(&asked, described),
                exchange("", told),
                object,
                page,
            ],
            comparisons: vec![Comparison {
                with: "green",
                differing: vec![
                    differing(format!("tag {secret}")),
                    differing(format!(
                        "aws:elasticbeanstalk:application:environment:{secret}"
                    )),
                    differing("aws:rds:dbinstance:DBPassword".to_owned()),
                ],
            }],
            verdicts: vec![["a".to_owned(), "b".to_owned(), format!("blue has {secret}")]],
            ..Recording::default()
        };
        recording.redacted(Secrets::default())
    }

    #[test]
    fn a_secret_is_found_in_no_form_of_it() {
        for secret in SECRETS {
            let document = document_with(secret).to_lowercase();
            let quoted = Value::from(secret).to_string();
            for form in [
                secret.to_owned(),
                quoted.trim_matches('"').to_owned(),
                Value::from(quoted.as_str())
                    .to_string()
                    .trim_matches('"')
                    .to_owned(),
                escaped(secret),
                percent(secret),
                form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
                base64(secret).trim_end_matches('=').to_owned(),
            ] {
                let found = document.find(&form.to_lowercase());
                let around = found.map(|at| {
                    let near = at.saturating_sub(80)..(at + 80).min(document.len());
                    document.get(near).unwrap_or_default().to_owned()
                });
                assert_eq!(around, None, "{form}");
            }
        }
        assert!(!document_with("hush").contains("ACME_PIN"));
    }

    /// A password in a URL, and one that an ARN is made of.
    #[test]
    fn what_only_looks_like_an_address_is_hidden() {
        let mut names = Pseudonyms::new(Secrets::default());
        for value in [
            "https://ann:hunter2@db.example.org/shop",
            "https://hunter2:443/shop",
            "arn:hunter2:s3:::shop",
            "arn:aws:hunter2!:::shop",
            "arn:aws:s3:hunter2::shop",
        ] {
            let shown = names.setting("aws:elb:listener", "X", value);
            assert!(!shown.contains("hunter2"), "{value}: {shown}");
        }
    }

    #[test]
    fn what_an_application_sets_hides_nothing_of_the_services_own() {
        let own = "aws:elasticbeanstalk:application:environment";
        let mut names = Pseudonyms::new(Secrets::default());
        for value in ["true", "2", "us-east-1"] {
            assert!(names.setting(own, "X", value).starts_with("secret-"));
            assert_eq!(
                names.setting("aws:autoscaling:asg", "MinSize", value),
                value
            );
        }
        let words =
            "Failed to deploy application. Current state: 'CREATE_FAILED' in DescribeEvents";
        for word in ["application", "failed", "deploy"] {
            names.name("application", word);
        }
        assert_eq!(names.text(words), words);
    }

    /// Everything in a name may be a number or a word of the service's, and it may be short.
    #[test]
    fn a_name_is_hidden_whatever_it_looks_like() {
        let described = "<R><ApplicationName>api</ApplicationName><VersionLabel>v2</VersionLabel>\
             <SourceBundle><S3Bucket>b1</S3Bucket><S3Key>2048/20240102/v2</S3Key></SourceBundle>\
             <Versions><member>4711</member></Versions>\
             <ConfigurationTemplates><member>2024-01-02</member></ConfigurationTemplates></R>";
        let told =
            "<R><Message>Failed to deploy v2 of api (S3Bucket=b1): rapid api, 4711</Message></R>";
        let recording = Recording {
            exchanges: vec![
                exchange("Action=DescribeApplicationVersions", described.to_owned()),
                exchange("Action=DescribeEvents", told.to_owned()),
            ],
            ..Recording::default()
        };
        let document = recording.redacted(Secrets::default());
        for hidden in [
            "v2",
            "b1",
            "2048",
            "20240102",
            "4711",
            ">2024-01-02<",
            ">api<",
        ] {
            assert!(!document.contains(hidden), "{hidden}: {document}");
        }
        let says = "Failed to deploy version-1 of application-1 (S3Bucket=bucket-1): rapid application-1, \
                    version-2";
        assert!(document.contains(says), "{document}");
    }

    /// Names are not replaced within pseudonyms: somebody's tag may have such a name.
    #[test]
    fn a_name_that_pseudonyms_begin_with_spoils_none() {
        let mut names = Pseudonyms::new(Secrets::default());
        for key in ["host", "environment", "tag", "word"] {
            names.tag_key(key);
        }
        let shown = names.own("environment", "acme-7");
        assert_eq!(
            names.text("acme-7 is Ready, i-0123456789abcdef0 is not: acme-7."),
            format!("{shown} is Ready, i-00000000000000001 is not: {shown}.")
        );
    }

    /// As in China, and where an account has a platform of its own.
    #[test]
    fn what_only_some_accounts_have_is_hidden_too() {
        let platform = |arn: &str| {
            format!(
                "<R><PlatformArn>{arn}</PlatformArn><PlatformName>acme-stack</PlatformName>\
                 <PlatformVersion>1.0.7</PlatformVersion><PlatformOwner>self</PlatformOwner></R>"
            )
        };
        let own = platform(
            "arn:aws-cn:elasticbeanstalk:cn-north-1:123456789012:platform/acme-stack/1.0.7",
        );
        let mut page = exchange("", String::new());
        page.host = "acme.cn-north-1.eb.amazonaws.com.cn".to_owned();
        page.method = "GET".to_owned();
        page.path = "/acme/7".to_owned();
        let field = exchange("", r#"{"ACME_7":{"acme":1},"__type":"X"}"#.to_owned());
        let recording = Recording {
            names: vec![("green", "environment", "acme".to_owned())],
            exchanges: vec![exchange("", own), page, field],
            ..Recording::default()
        };
        let document = recording.redacted(Secrets::default());
        for hidden in ["acme", "1.0.7", "ACME", "/7"] {
            assert!(!document.contains(hidden), "{hidden}: {document}");
        }
        let document: Value = serde_json::from_str(&document).expect("JSON");
        assert_eq!(document["exchanges"][1]["service"], "site");
        let field = document["exchanges"][2]["answer"]
            .as_str()
            .expect("an answer");
        assert!(field.contains(r#""__type":"X""#), "{field}");
    }

    /// A bug report is of use where what is the service's own is left as it is.
    #[test]
    fn what_the_service_calls_its_own_is_kept() {
        let own = [
            "arn:aws:s3:::elasticbeanstalk-env-resources-us-east-1/*",
            "AWSElasticBeanstalk",
        ];
        let mut names = Pseudonyms::new(Secrets::default());
        for value in own {
            assert_eq!(names.leaf("EvalResourceName", value), value);
        }
        for (key, value) in [
            ("LogicalResourceId", "AWSEBV2LoadBalancer"),
            ("ResourceName", "AWSEBEC2LaunchTemplate"),
            ("ResourceType", "AWS::EC2::SecurityGroup"),
        ] {
            assert_eq!(names.leaf(key, value), value);
        }
        assert_ne!(names.leaf("ResourceType", "Custom::Acme"), "Custom::Acme");
        let metrics = "/service/GraniteServiceVersion20100801/operation/GetMetricData";
        assert_eq!(names.path(metrics), metrics);
        names.option("aws:autoscaling:launchconfiguration", "EC2KeyName");
        let differs = "1 option differs: aws:autoscaling:launchconfiguration:EC2KeyName";
        assert_eq!(names.text(differs), differs);
        assert_eq!(
            names.text("its bundle is s3://acme-7/v7/a.zip"),
            "its bundle is s3://name-2/name-3/name-4"
        );
    }
}
