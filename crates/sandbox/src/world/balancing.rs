//! The parts of load balancers beside the settings of their environments: listeners, rules and
//! target groups, in the form of the API.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The parts of the load balancer beside its environments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Balancing {
    pub rules: Vec<Rule>,
    /// The tags of the listener's default rule.
    #[serde(default)]
    pub default_tags: BTreeMap<String, String>,
    /// What somebody has put onto load balancers outside their environments' settings.
    #[serde(default)]
    pub by_hand: ByHand,
}

/// A rule of the listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub arn: String,
    pub priority: u32,
    /// As in the API, with texts for numbers.
    pub conditions: Value,
    pub actions: Value,
    pub tags: BTreeMap<String, String>,
    /// The id of the environment whose stack it belongs to.
    pub owner: Option<String>,
    /// The listener of an environment's own load balancer; `None` for the shared one's.
    #[serde(default)]
    pub listener: Option<String>,
}

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listener {
    pub arn: String,
    /// The ARN of its load balancer.
    pub balancer: String,
    pub port: u16,
    pub protocol: String,
    /// Its certificates, the default one first.
    pub certificates: Vec<String>,
    /// As in the API, with texts for numbers.
    pub default_actions: Value,
}

/// A target group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TargetGroup {
    pub arn: String,
    pub name: String,
    /// The id of the environment whose stack it belongs to.
    pub environment: Option<String>,
}

/// What somebody has put onto load balancers outside their environments' settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ByHand {
    pub listeners: Vec<Listener>,
    pub groups: Vec<TargetGroup>,
    /// Listeners, by their ARNs, and further certificates of theirs.
    pub certificates: Vec<(String, String)>,
    /// What listeners do without a rule, by their ARNs.
    pub defaults: BTreeMap<String, Value>,
    /// Load balancers, by their ARNs, and the ARNs of the web ACLs that protect them.
    pub web_acls: BTreeMap<String, String>,
}

impl Listener {
    pub fn default_rule(&self) -> String {
        let rule = self.arn.replacen(":listener/", ":listener-rule/", 1);
        format!("{rule}/0000000000000000")
    }

    pub fn told(&self) -> Value {
        let certificates = self.certificates.first();
        let certificates = certificates.map(|arn| json!([{ "CertificateArn": arn }]));
        json!({
            "ListenerArn": self.arn,
            "LoadBalancerArn": self.balancer,
            "Port": self.port,
            "Protocol": self.protocol,
            "Certificates": certificates,
            "DefaultActions": self.default_actions,
        })
    }
}

/// The type of an action that authenticates users.
pub(crate) const OIDC: &str = "authenticate-oidc";

/// The target groups that actions forward to, with their weights.
pub(crate) fn forwards(actions: &Value) -> Vec<(String, u32)> {
    let mut targets = Vec::new();
    for action in members(actions).filter(|action| action["Type"] == "forward") {
        let group = |group: &Value| {
            let weight = group["Weight"].as_str().and_then(|w| w.parse().ok());
            let arn = group["TargetGroupArn"].as_str()?.to_owned();
            Some((arn, weight.unwrap_or(1)))
        };
        let grouped: Vec<_> = members(&action["ForwardConfig"]["TargetGroups"])
            .filter_map(group)
            .collect();
        if grouped.is_empty() {
            targets.extend(
                action["TargetGroupArn"]
                    .as_str()
                    .map(|arn| (arn.to_owned(), 1)),
            );
        }
        targets.extend(grouped);
    }
    targets
}

/// Actions as answers show them: in their order, forwards in both of their forms where they have
/// one target.
pub(crate) fn normal_actions(actions: &Value) -> Value {
    let normal = |(at, action): (usize, &Value)| {
        let mut action = action.clone();
        if action["Order"].is_null() {
            action["Order"] = json!((at + 1).to_string());
        }
        if let Some(config) = action["AuthenticateOidcConfig"].as_object_mut() {
            config.remove("ClientSecret");
            config.remove("UseExistingClientSecret");
        }
        if action["Type"] == "forward" {
            let targets = forwards(&json!([action]));
            let groups: Vec<Value> = targets
                .iter()
                .map(|(arn, weight)| json!({ "TargetGroupArn": arn, "Weight": weight.to_string() }))
                .collect();
            let stickiness = match &action["ForwardConfig"]["TargetGroupStickinessConfig"] {
                Value::Null => json!({ "Enabled": "false" }),
                given => given.clone(),
            };
            action["ForwardConfig"] = json!({
                "TargetGroups": groups,
                "TargetGroupStickinessConfig": stickiness,
            });
            action["TargetGroupArn"] = match targets.as_slice() {
                [(only, _)] => json!(only),
                _ => Value::Null,
            };
        }
        action
    };
    members(actions).enumerate().map(normal).collect()
}

/// Conditions as answers show them: the values of a host or a path in both of their forms.
pub(crate) fn normal_conditions(conditions: &Value) -> Value {
    let normal = |condition: &Value| {
        let mut condition = condition.clone();
        let config = match condition["Field"].as_str() {
            Some("host-header") => "HostHeaderConfig",
            Some("path-pattern") => "PathPatternConfig",
            _ => return condition,
        };
        let values = match &condition[config]["Values"] {
            Value::Null => condition["Values"].clone(),
            values => values.clone(),
        };
        condition["Values"] = values.clone();
        condition[config] = json!({ "Values": values });
        condition
    };
    members(conditions).map(normal).collect()
}

pub(crate) fn default_actions() -> Value {
    json!([{
        "Type": "fixed-response",
        "Order": "1",
        "FixedResponseConfig": { "StatusCode": "404", "ContentType": "text/plain" },
    }])
}

pub(crate) fn members(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}
