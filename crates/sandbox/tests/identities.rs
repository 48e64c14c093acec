//! IAM and STS as the sandbox plays them: policies that are put on or attached to the user and to
//! roles count from then on, and IAM's limits hold.

use bluegreen_sandbox::{Options, ROLE, Sandbox};
use bytes::Bytes;

const USER: &str = "arn:aws:iam::123456789012:user/sandbox";
const MANAGED: &str = "arn:aws:iam::aws:policy/AdministratorAccess-AWSElasticBeanstalk";

struct Account(Sandbox);

/// An access key, as a request is signed with it.
struct Key(String);

impl Account {
    fn new() -> Account {
        Account(Sandbox::open(Options::default()).expect("it opens"))
    }

    async fn send(&self, service: &str, key: &Key, fields: &[(&str, &str)]) -> (u16, String) {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        let scope = format!("{}/20270115/us-east-1/{service}/aws4_request", key.0);
        let request = http::Request::post("http://127.0.0.1/")
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 Credential={scope}, x"),
            )
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(form.finish()));
        let answer = self.0.handle(request.expect("a request")).await;
        let answer = answer.expect("it answers");
        let body = String::from_utf8_lossy(answer.body()).into_owned();
        (answer.status().as_u16(), body)
    }

    async fn iam(&self, action: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let all = [&[("Action", action)], fields].concat();
        self.send("iam", &admin(), &all).await
    }

    #[track_caller]
    fn refused(answer: &(u16, String), status: u16, code: &str) {
        assert_eq!(answer.0, status, "{}", answer.1);
        assert!(
            answer.1.contains(&format!("<Code>{code}</Code>")),
            "{}",
            answer.1
        );
    }

    async fn put(&self, name: &str, statements: &str) {
        let document = policy(statements);
        let put = [
            ("RoleName", ROLE),
            ("PolicyName", name),
            ("PolicyDocument", document.as_str()),
        ];
        assert_eq!(self.iam("PutRolePolicy", &put).await.0, 200);
    }

    /// A session of the role for releases.
    async fn session(&self) -> Key {
        let role = format!("arn:aws:iam::123456789012:role/{ROLE}");
        let fields = [
            ("Action", "AssumeRole"),
            ("RoleArn", role.as_str()),
            ("RoleSessionName", "ann"),
        ];
        let (status, body) = self.send("sts", &admin(), &fields).await;
        assert_eq!(status, 200, "{body}");
        Key(between(&body, "<AccessKeyId>", "</AccessKeyId>"))
    }

    async fn update(&self, key: &Key) -> (u16, String) {
        let fields = [
            ("Action", "UpdateTagsForResource"),
            (
                "ResourceArn",
                "arn:aws:elasticbeanstalk:us-east-1:123456789012:application/shop",
            ),
            ("TagsToAdd.member.1.Key", "a"),
            ("TagsToAdd.member.1.Value", "b"),
        ];
        self.send("elasticbeanstalk", key, &fields).await
    }
}

fn admin() -> Key {
    Key("a".to_owned())
}

fn policy(statements: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#)
}

fn allow(action: &str) -> String {
    format!(r#"{{"Effect":"Allow","Action":"{action}","Resource":"*"}}"#)
}

fn between(text: &str, before: &str, after: &str) -> String {
    let (_, rest) = text.split_once(before).expect("it is there");
    rest.split_once(after).expect("it ends").0.to_owned()
}

/// A role begins with nothing; what is put on it counts from then on, several policies add up, a
/// denial wins, and what is taken off is gone (IAM user guide, "Policy evaluation logic").
#[tokio::test]
async fn inline_policies_of_a_role_add_up_and_count_at_once() {
    let account = Account::new();
    let session = account.session().await;
    let identity = [("Action", "GetCallerIdentity")];
    let (_, told) = account.send("sts", &session, &identity).await;
    let arn = "arn:aws:sts::123456789012:assumed-role/releases/ann";
    assert!(told.contains(arn), "{told}");
    let denied = account.update(&session).await;
    Account::refused(&denied, 403, "AccessDenied");
    assert!(
        denied.1.contains(&format!("User: {arn} is not authorized")),
        "{}",
        denied.1
    );
    assert_eq!(
        account.update(&admin()).await.0,
        200,
        "the user may everything"
    );
    account
        .put("reads", &allow("elasticbeanstalk:Describe*"))
        .await;
    Account::refused(&account.update(&session).await, 403, "AccessDenied");
    account
        .put("tags", &allow("elasticbeanstalk:AddTags"))
        .await;
    assert_eq!(account.update(&session).await.0, 200);
    let deny = allow("elasticbeanstalk:AddTags").replace("Allow", "Deny");
    account.put("never", &deny).await;
    let denied = account.update(&session).await;
    assert!(denied.1.contains("with an explicit deny"), "{}", denied.1);
    let never = [("RoleName", ROLE), ("PolicyName", "never")];
    assert_eq!(account.iam("DeleteRolePolicy", &never).await.0, 200);
    assert_eq!(account.update(&session).await.0, 200);
    let again = account.iam("DeleteRolePolicy", &never).await;
    Account::refused(&again, 404, "NoSuchEntity");
    let (_, names) = account.iam("ListRolePolicies", &[("RoleName", ROLE)]).await;
    assert!(
        names.contains("<member>reads</member><member>tags</member>"),
        "{names}"
    );
    let (_, told) = account
        .iam(
            "GetRolePolicy",
            &[("RoleName", ROLE), ("PolicyName", "tags")],
        )
        .await;
    let told = between(&told, "<PolicyDocument>", "</PolicyDocument>");
    let told = percent_encoding::percent_decode_str(&told)
        .decode_utf8_lossy()
        .into_owned();
    assert_eq!(told, policy(&allow("elasticbeanstalk:AddTags")));
}

/// The user may do everything until his first policy, and from then on what his policies allow.
#[tokio::test]
async fn the_user_is_held_to_his_policies_from_the_first_one_on() {
    let account = Account::new();
    let document = policy(&allow("iam:*"));
    let put = [
        ("UserName", "sandbox"),
        ("PolicyName", "own"),
        ("PolicyDocument", document.as_str()),
    ];
    assert_eq!(account.iam("PutUserPolicy", &put).await.0, 200);
    Account::refused(&account.update(&admin()).await, 403, "AccessDenied");
    let attach = [("UserName", "sandbox"), ("PolicyArn", MANAGED)];
    assert_eq!(account.iam("AttachUserPolicy", &attach).await.0, 200);
    assert_eq!(account.update(&admin()).await.0, 200);
    let simulated = [
        ("PolicySourceArn", USER),
        ("ActionNames.member.1", "elasticbeanstalk:AddTags"),
        ("ActionNames.member.2", "sqs:ListQueues"),
        ("ActionNames.member.3", "lambda:InvokeFunction"),
    ];
    let (_, told) = account.iam("SimulatePrincipalPolicy", &simulated).await;
    let decisions: Vec<_> = told.matches("<EvalDecision>allowed").collect();
    assert_eq!(decisions.len(), 2, "{told}");
    assert_eq!(account.iam("DetachUserPolicy", &attach).await.0, 200);
    Account::refused(&account.update(&admin()).await, 403, "AccessDenied");
    let again = account.iam("DetachUserPolicy", &attach).await;
    Account::refused(&again, 404, "NoSuchEntity");
}

/// IAM user guide, "IAM and AWS STS quotas": white space does not count, the inline policies of a
/// role share 10,240 characters and those of a user 2,048, and a managed policy has 6,144.
#[tokio::test]
async fn policies_have_their_sizes() {
    let account = Account::new();
    let sized = |characters: usize| {
        let shell = policy(&allow("")).replace(' ', "").len();
        let action = format!("s3:{}", "x".repeat(characters - shell - 3));
        policy(&allow(&action))
            .replace(':', " : ")
            .replace("s3 : ", "s3:")
    };
    for (put, owner, most) in [
        ("PutRolePolicy", ("RoleName", ROLE), 10_240),
        ("PutUserPolicy", ("UserName", "sandbox"), 2_048),
    ] {
        let half = sized(most / 2);
        for name in ["one", "two", "two"] {
            let fields = [owner, ("PolicyName", name), ("PolicyDocument", &half)];
            // The user may put policies on from his first one on only where it says so.
            if put == "PutRolePolicy" || name == "one" {
                let (status, body) = account.iam(put, &fields).await;
                assert_eq!(status, 200, "{put} {name}: {body}");
            }
        }
    }
    let account = Account::new();
    for (put, owner, most) in [
        ("PutRolePolicy", ("RoleName", ROLE), 10_240),
        ("PutUserPolicy", ("UserName", "sandbox"), 2_048),
    ] {
        let longer = sized(most + 1);
        let fields = [owner, ("PolicyName", "one"), ("PolicyDocument", &longer)];
        let refused = account.iam(put, &fields).await;
        Account::refused(&refused, 409, "LimitExceeded");
        let words = format!("Maximum policy size of {most} bytes exceeded");
        assert!(refused.1.contains(&words), "{}", refused.1);
    }
    let create = |document| [("PolicyName", "beneath"), ("PolicyDocument", document)];
    let (fits, longer) = (sized(6_144), sized(6_145));
    let refused = account.iam("CreatePolicy", &create(&longer)).await;
    Account::refused(&refused, 409, "LimitExceeded");
    assert_eq!(account.iam("CreatePolicy", &create(&fits)).await.0, 200);
    let again = account.iam("CreatePolicy", &create(&fits)).await;
    Account::refused(&again, 409, "EntityAlreadyExists");
}

/// The account's own managed policies have versions, one of which counts where they are attached.
#[tokio::test]
async fn a_managed_policy_counts_by_its_default_version() {
    let account = Account::new();
    let session = account.session().await;
    let arn = "arn:aws:iam::123456789012:policy/tags";
    let nothing = policy("");
    let create = [("PolicyName", "tags"), ("PolicyDocument", nothing.as_str())];
    assert_eq!(account.iam("CreatePolicy", &create).await.0, 200);
    let attach = [("RoleName", ROLE), ("PolicyArn", arn)];
    assert_eq!(account.iam("AttachRolePolicy", &attach).await.0, 200);
    Account::refused(&account.update(&session).await, 403, "AccessDenied");
    let tags = policy(&allow("elasticbeanstalk:AddTags"));
    let version = |default| {
        [
            ("PolicyArn", arn),
            ("PolicyDocument", tags.as_str()),
            ("SetAsDefault", default),
        ]
    };
    let (_, told) = account.iam("CreatePolicyVersion", &version("false")).await;
    assert!(told.contains("<VersionId>v2</VersionId>"), "{told}");
    Account::refused(&account.update(&session).await, 403, "AccessDenied");
    for _ in 0..3 {
        let (status, told) = account.iam("CreatePolicyVersion", &version("true")).await;
        assert_eq!(status, 200, "{told}");
    }
    assert_eq!(account.update(&session).await.0, 200);
    let sixth = account.iam("CreatePolicyVersion", &version("true")).await;
    Account::refused(&sixth, 409, "LimitExceeded");
    let (_, told) = account.iam("GetPolicy", &[("PolicyArn", arn)]).await;
    assert!(
        told.contains("<DefaultVersionId>v5</DefaultVersionId>"),
        "{told}"
    );
    let attached = account.iam("DeletePolicy", &[("PolicyArn", arn)]).await;
    Account::refused(&attached, 409, "DeleteConflict");
    let default = [("PolicyArn", arn), ("VersionId", "v5")];
    let refused = account.iam("DeletePolicyVersion", &default).await;
    Account::refused(&refused, 409, "DeleteConflict");
    let role = account.iam("DeleteRole", &[("RoleName", ROLE)]).await;
    Account::refused(&role, 409, "DeleteConflict");
}

#[tokio::test]
async fn what_is_not_there_or_is_no_policy_is_told() {
    let account = Account::new();
    let good = policy(&allow("s3:*"));
    let fields = |role| {
        [
            ("RoleName", role),
            ("PolicyName", "p"),
            ("PolicyDocument", good.as_str()),
        ]
    };
    let unknown = account.iam("PutRolePolicy", &fields("nobody")).await;
    Account::refused(&unknown, 404, "NoSuchEntity");
    for broken in [
        "{",
        r#"{"Version":"2012-10-17"}"#,
        &policy(r#"{"Effect":"Allow"}"#),
    ] {
        let put = [
            ("RoleName", ROLE),
            ("PolicyName", "p"),
            ("PolicyDocument", broken),
        ];
        let told = account.iam("PutRolePolicy", &put).await;
        Account::refused(&told, 400, "MalformedPolicyDocument");
    }
    let attach = [
        ("RoleName", ROLE),
        ("PolicyArn", "arn:aws:iam::aws:policy/Nothing"),
    ];
    let told = account.iam("AttachRolePolicy", &attach).await;
    Account::refused(&told, 404, "NoSuchEntity");
    // AWS's own is read, and not changed.
    let version = [("PolicyArn", MANAGED), ("VersionId", "v9")];
    let (status, told) = account.iam("GetPolicyVersion", &version).await;
    assert!(
        status == 200 && told.contains("elasticbeanstalk%3A%2A"),
        "{told}"
    );
    let told = account.iam("DeletePolicy", &[("PolicyArn", MANAGED)]).await;
    Account::refused(&told, 403, "AccessDenied");
}

/// A role that is made is taken on as its trust policy says, and an access key that no session
/// has is nobody's.
#[tokio::test]
async fn a_role_is_made_and_taken_on_as_its_trust_policy_says() {
    let account = Account::new();
    let trust = |who: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{who}}}}}"#
        )
    };
    let of_ec2 = trust(r#"{"Service":"ec2.amazonaws.com"}"#);
    let create = [
        ("RoleName", "ops"),
        ("AssumeRolePolicyDocument", of_ec2.as_str()),
    ];
    let (status, told) = account.iam("CreateRole", &create).await;
    assert!(status == 200 && told.contains("role/ops</Arn>"), "{told}");
    let again = account.iam("CreateRole", &create).await;
    Account::refused(&again, 409, "EntityAlreadyExists");
    let role = "arn:aws:iam::123456789012:role/ops";
    let assume = |role| {
        [
            ("Action", "AssumeRole"),
            ("RoleArn", role),
            ("RoleSessionName", "s"),
        ]
    };
    for role in [role, "arn:aws:iam::123456789012:role/nobody"] {
        let told = account.send("sts", &admin(), &assume(role)).await;
        Account::refused(&told, 403, "AccessDenied");
    }
    assert_eq!(
        account.iam("DeleteRole", &[("RoleName", "ops")]).await.0,
        200
    );
    let mine = trust(&format!(r#"{{"AWS":"{USER}"}}"#));
    let create = [
        ("RoleName", "ops"),
        ("AssumeRolePolicyDocument", mine.as_str()),
    ];
    assert_eq!(account.iam("CreateRole", &create).await.0, 200);
    assert_eq!(account.send("sts", &admin(), &assume(role)).await.0, 200);
    let stale = Key("ASIASANDBOXOFANOTHER".to_owned());
    for service in ["iam", "elasticbeanstalk"] {
        let told = account
            .send(service, &stale, &[("Action", "DescribeEnvironments")])
            .await;
        Account::refused(&told, 403, "InvalidClientTokenId");
    }
}
