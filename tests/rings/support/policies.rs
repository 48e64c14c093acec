//! The policies as they are shipped, whole and with something taken away.

use std::sync::LazyLock;

use bluegreen_sandbox::{BUCKET, Policy, Sandbox, World, ZONE};
use serde_json::Value;

/// A role that Elastic Beanstalk operates environments with.
pub const OPERATIONS_ROLE: &str = "arn:aws:iam::123456789012:role/shop-operations";

/// A key that encrypts the artifacts bucket.
pub const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// The policy as it is shipped, with the seeded world's names in its placeholders.
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(|| with_names("shop-blue-green"));

/// Both files as they are shipped, in one.
pub fn shipped_text() -> Value {
    let [mut whole, beneath] = [
        include_str!("../../../docs/start/iam-policy.json"),
        include_str!("../../../docs/start/iam-policy-beneath.json"),
    ]
    .map(|text| serde_json::from_str::<Value>(text).expect("JSON"));
    let beneath = beneath["Statement"].as_array().expect("statements").clone();
    statements(&mut whole).extend(beneath);
    whole
}

pub fn with_names(green: &str) -> Value {
    let arn = World::seeded(1_800_000_000_000).balancer_arn();
    let (_, balancer) = arn.split_once(":loadbalancer/app/").expect("it is one");
    let mut text = shipped_text().to_string();
    // In the order of the command in docs/start/permissions.md.
    for (placeholder, value) in [
        ("REGION", "us-east-1"),
        ("ACCOUNT", "123456789012"),
        ("APPLICATION", "shop"),
        ("GREEN", green),
        ("BLUE", "shop-blue"),
        ("BUCKET", BUCKET),
        ("HOSTED_ZONE", ZONE),
        ("PARAMETERS", "shop/*"),
        ("SHARED_BALANCER", balancer),
        ("OPERATIONS_ROLE", OPERATIONS_ROLE),
        ("KMS_KEY", KEY),
        ("PRINCIPAL", "arn:aws:iam::123456789012:user/sandbox"),
    ] {
        text = text.replace(placeholder, value);
    }
    serde_json::from_str(&text).expect("the policy is JSON")
}

pub fn parsed(document: &Value) -> Policy {
    Policy::parse(&document.to_string()).expect("the sandbox can judge by it")
}

/// The shipped policy.
pub fn shipped() -> Policy {
    parsed(&DOCUMENT)
}

/// The shipped policy where green has this name.
pub fn shipped_for(green: &str) -> Policy {
    parsed(&with_names(green))
}

/// The shipped policy for `--strategy promote`: blue and green change places with every
/// release, so that each may do what the other may, as docs/start/permissions.md says.
pub fn promoting() -> Policy {
    parsed(&document_for_promotions())
}

pub fn document_for_promotions() -> Value {
    let mut document = DOCUMENT.clone();
    let environment = "arn:aws:elasticbeanstalk:us-east-1:123456789012:environment/shop";
    let both = ["shop-blue", "shop-blue-green"].map(|name| format!("{environment}/{name}"));
    for statement in statements(&mut document) {
        if statement["Sid"] == "MakeGreen" {
            statement["Resource"] = serde_json::json!(both);
        }
    }
    document
}

pub fn statements(document: &mut Value) -> &mut Vec<Value> {
    document["Statement"].as_array_mut().expect("statements")
}

pub fn actions(statement: &Value) -> Vec<String> {
    texts(&statement["Action"])
}

pub fn resources(statement: &Value) -> Vec<String> {
    texts(&statement["Resource"])
}

pub fn texts(value: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    match value {
        Value::Array(values) => values.iter().map(text).collect(),
        value => vec![text(value)],
    }
}

/// The shipped policy without one resource of a statement, as the file names it.
pub fn without_resource(sid: &str, resource: &str) -> Policy {
    let mut shipped = shipped_text();
    let shipped = statements(&mut shipped);
    let at = shipped.iter().position(|statement| statement["Sid"] == sid);
    let at = at.expect("a statement");
    let which = resources(&shipped[at]).iter().position(|r| r == resource);
    let mut document = DOCUMENT.clone();
    let named = &mut statements(&mut document)[at];
    let mut left = resources(named);
    left.remove(which.expect("one of its resources"));
    if left.is_empty() {
        statements(&mut document).remove(at);
    } else {
        named["Resource"] = serde_json::json!(left);
    }
    parsed(&document)
}

/// The shipped policy without one statement.
pub fn without_statement(sid: &str) -> Policy {
    let mut document = DOCUMENT.clone();
    let statements = statements(&mut document);
    let before = statements.len();
    statements.retain(|statement| statement["Sid"] != sid);
    assert_eq!(statements.len() + 1, before, "{sid} is a statement");
    parsed(&document)
}

/// The shipped policy without one action.
pub fn without(action: &str) -> Policy {
    let mut document = DOCUMENT.clone();
    for statement in statements(&mut document) {
        let left = actions(statement).into_iter().filter(|a| a != action);
        statement["Action"] = left.collect();
    }
    statements(&mut document).retain(|statement| !actions(statement).is_empty());
    parsed(&document)
}

/// Blue has this operations role from now on.
pub fn operate_with(sandbox: &Sandbox, role: &str) {
    sandbox.with_world(|world, _| {
        let blue = world.environment_mut("shop-blue").expect("blue");
        blue.operations_role = Some(role.to_owned());
    });
}
