//! What the operations of the other services need (service authorization reference, of
//! each service).

use serde_json::Value;

use crate::wire::element::Element;
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::wire::request::{Kind, ServiceRequest};
use crate::world::World;
use crate::world::iam::need::Need;

/// Whether the caller may make this request.
///
/// # Errors
/// A denial with the code of the service.
pub(crate) fn authorize_service(world: &World, request: &ServiceRequest) -> Result<(), ApiError> {
    if world.is_open() {
        return Ok(());
    }
    let needs = match request.service {
        Kind::Route53 => route53(request),
        Kind::Ssm => parameters(world, request),
        Kind::CloudFormation => stacks(world, request),
        Kind::CloudWatch(_) => alarms(world, request),
        // Nothing that is described has a resource of its own.
        Kind::Ec2 => vec![Need::new(format!("ec2:{}", request.operation), "*")],
        Kind::AutoScaling => {
            let action = format!("autoscaling:{}", request.operation);
            vec![Need::new(action, "*")]
        }
        Kind::ClassicBalancing => {
            let action = format!("elasticloadbalancing:{}", request.operation);
            vec![Need::new(action, "*")]
        }
        Kind::Sqs => queues(world, request),
        Kind::Sns => {
            let form = Form::parse(request.body().as_bytes());
            let topic = form.get("TopicArn").unwrap_or("*");
            vec![Need::new(format!("sns:{}", request.operation), topic)]
        }
        Kind::EventBridge => buses(world, request),
        Kind::ServiceQuotas => {
            let action = format!("servicequotas:{}", request.operation);
            vec![Need::new(action, "*")]
        }
        Kind::LoadBalancing => balancing(world, request),
        Kind::Waf => web_acls(world, request),
        Kind::Iam => principals(world, request),
        // Whoever asks may know who he is (API reference, `GetCallerIdentity`), and who may
        // take a role on its trust policy says too.
        Kind::Sts => Vec::new(),
    };
    let permitted = needs.iter().try_for_each(|need| world.permit(need));
    permitted.map_err(|message| match request.service {
        Kind::Ssm | Kind::Waf | Kind::ServiceQuotas | Kind::Sqs | Kind::EventBridge => {
            ApiError::new("AccessDeniedException", message)
        }
        Kind::Ec2 => ApiError {
            status: 403,
            ..ApiError::new(
                "UnauthorizedOperation",
                format!("You are not authorized to perform this operation. {message}"),
            )
        },
        _ => ApiError {
            status: 403,
            ..ApiError::new("AccessDenied", message)
        },
    })
}

fn scope(world: &World, service: &str) -> String {
    format!("arn:aws:{service}:{}:{}", world.region, world.account)
}

/// On each of the parameters.
fn parameters(world: &World, request: &ServiceRequest) -> Vec<Need> {
    let input: Value = serde_json::from_str(request.body()).unwrap_or_default();
    let names = input["Names"].as_array().cloned().unwrap_or_default();
    let names = names
        .iter()
        .chain([&input["Name"], &input["Path"]])
        .filter_map(Value::as_str);
    names
        .map(|name| {
            // A name may select a version.
            let name = name.split(':').next().unwrap_or_default();
            let arn = format!(
                "{}:parameter/{}",
                scope(world, "ssm"),
                name.trim_start_matches('/')
            );
            Need::new(format!("ssm:{}", request.operation), arn)
        })
        .collect()
}

/// On the queue, which a request names by its URL or its name; all are listed or none.
fn queues(world: &World, request: &ServiceRequest) -> Vec<Need> {
    let input: Value = serde_json::from_str(request.body()).unwrap_or_default();
    let named = input["QueueUrl"].as_str().or(input["QueueName"].as_str());
    let name = named.and_then(|named| named.rsplit('/').next());
    let arn = format!("{}:{}", scope(world, "sqs"), name.unwrap_or("*"));
    vec![Need::new(format!("sqs:{}", request.operation), arn)]
}

/// On the bus of each entry.
fn buses(world: &World, request: &ServiceRequest) -> Vec<Need> {
    let input: Value = serde_json::from_str(request.body()).unwrap_or_default();
    let entries = input["Entries"].as_array().cloned().unwrap_or_default();
    let named = entries
        .iter()
        .map(|entry| match entry["EventBusName"].as_str() {
            Some(arn) if arn.starts_with("arn:") => arn.to_owned(),
            Some(name) => format!("{}:event-bus/{name}", scope(world, "events")),
            None => format!("{}:event-bus/default", scope(world, "events")),
        });
    let action = format!("events:{}", request.operation);
    named.map(|bus| Need::new(action.as_str(), bus)).collect()
}

fn stacks(world: &World, request: &ServiceRequest) -> Vec<Need> {
    let form = Form::parse(request.body().as_bytes());
    let arn = match form.get("StackName") {
        None => "*".to_owned(),
        Some(arn) if arn.starts_with("arn:") => arn.to_owned(),
        Some(name) => format!("{}:stack/{name}/*", scope(world, "cloudformation")),
    };
    vec![Need::new(
        format!("cloudformation:{}", request.operation),
        arn,
    )]
}

/// On the user, role or policy; what is none gets the operation's own error.
fn principals(world: &World, request: &ServiceRequest) -> Vec<Need> {
    let form = Form::parse(request.body().as_bytes());
    let operation = request.operation.as_str();
    if matches!(operation, "ListRoles" | "ListInstanceProfiles") {
        return vec![Need::new(format!("iam:{operation}"), "*")];
    }
    if let Some(name) = form.get("InstanceProfileName") {
        return of_profile(world, &form, name);
    }
    let role = form.get("RoleName").map(|name| world.role_arn(name));
    let user = form.get("UserName");
    let user = (operation.contains("User")).then(|| world.user_arn(user));
    let policy = match (operation, form.get("PolicyName")) {
        ("CreatePolicy", Some(name)) => {
            Some(format!("arn:aws:iam::{}:policy/{name}", world.account))
        }
        _ => form.get("PolicyArn").map(str::to_owned),
    };
    let source = form.get("PolicySourceArn").map(str::to_owned);
    let arn = role.or(user).or(policy).or(source);
    let arn = arn.filter(|arn| arn.split(':').nth(2) == Some("iam"));
    let need = arn.map(|arn| Need::new(format!("iam:{operation}"), arn));
    let need = need.map(|need| match form.get("PolicyArn") {
        Some(policy) => need.key("iam:PolicyARN", [policy.to_owned()]),
        None => need,
    });
    need.into_iter().collect()
}

/// On the instance profile; and to put a role into one needs the right to pass the role on.
fn of_profile(world: &World, form: &Form, name: &str) -> Vec<Need> {
    let known = world.identities.profiles.get(name);
    let path = known.map(|profile| profile.path.as_str());
    let path = path.or(form.get("Path")).unwrap_or("/");
    let operation = form.operation();
    let own = Need::new(format!("iam:{operation}"), world.profile_arn(name, path));
    let role = form.get("RoleName");
    let role = role.filter(|_| operation == "AddRoleToInstanceProfile");
    let passed = role.map(|role| Need::new("iam:PassRole", world.role_arn(role)));
    std::iter::once(own).chain(passed).collect()
}

/// Alarms may be described all or none (API reference, `DescribeAlarms`).
fn alarms(world: &World, request: &ServiceRequest) -> Vec<Need> {
    let input: Value = serde_json::from_str(request.body()).unwrap_or_default();
    let arn = match input["AlarmName"].as_str() {
        Some(name) => world.alarm_arn(name),
        None => "*".to_owned(),
    };
    vec![Need::new(format!("cloudwatch:{}", request.operation), arn)]
}

/// On the protected resource; and the caller must be allowed to read the web ACL that protects it
/// (API reference, `GetWebACLForResource`: "This call uses GetWebACL, to verify that your account
/// has permission to access the retrieved web ACL").
fn web_acls(world: &World, request: &ServiceRequest) -> Vec<Need> {
    let input: Value = serde_json::from_str(request.body()).unwrap_or_default();
    let resource = input["ResourceArn"].as_str().unwrap_or_default();
    let own = Need::new(format!("wafv2:{}", request.operation), resource);
    let acl = world.web_acl_of(resource);
    let acl = acl.filter(|_| request.operation == "GetWebACLForResource");
    let acl = acl.map(|acl| Need::new("wafv2:GetWebACL", acl.as_str()));
    std::iter::once(own).chain(acl).collect()
}

/// An action that describes has no resources; one that changes a rule has the rule, and its tags.
fn balancing(world: &World, request: &ServiceRequest) -> Vec<Need> {
    let form = Form::parse(request.body().as_bytes());
    let action = format!("elasticloadbalancing:{}", request.operation);
    let named = form.get("RuleArn").or(form.get("ListenerArn"));
    let arns: Vec<&str> = match request.operation.as_str() {
        "AddTags" | "RemoveTags" => form.list("ResourceArns"),
        "CreateRule"
        | "ModifyRule"
        | "DeleteRule"
        | "ModifyListener"
        | "AddListenerCertificates" => named.into_iter().collect(),
        "CreateListener" => form.get("LoadBalancerArn").into_iter().collect(),
        _ => vec!["*"],
    };
    let needs = arns.into_iter().map(|arn| {
        let mut need = Need::new(action.as_str(), arn);
        for (key, value) in world.rule_tags(arn).into_iter().flatten() {
            need = need.key(&format!("aws:ResourceTag/{key}"), [value.clone()]);
        }
        need
    });
    needs.collect()
}

fn route53(request: &ServiceRequest) -> Vec<Need> {
    let action = format!("route53:{}", request.operation);
    let mut parts = request
        .path()
        .split('/')
        .skip_while(|part| *part != "hostedzone" && *part != "change");
    let arn = match (parts.next(), parts.next()) {
        (Some(kind), Some(id)) => format!("arn:aws:route53:::{kind}/{id}"),
        _ => "*".to_owned(),
    };
    let mut need = Need::new(action, arn);
    let batch = Element::parse(request.body());
    let batch = batch
        .as_ref()
        .and_then(|root| root.child("ChangeBatch")?.child("Changes"));
    for change in batch.map_or(&[][..], |changes| &changes.children) {
        let Some(set) = change.child("ResourceRecordSet") else {
            continue;
        };
        let name = set.get("Name").trim_end_matches('.').to_lowercase();
        need = need
            .key(
                "route53:ChangeResourceRecordSetsActions",
                [change.get("Action").to_owned()],
            )
            .key(
                "route53:ChangeResourceRecordSetsRecordTypes",
                [set.get("Type").to_owned()],
            )
            .key(
                "route53:ChangeResourceRecordSetsNormalizedRecordNames",
                [name],
            );
    }
    vec![need]
}
