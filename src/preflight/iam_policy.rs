//! The policy of docs/start/iam-policy.json and docs/start/iam-policy-beneath.json filled in: for
//! one application and its two environments, and for what kind of environments they are. Pure.

use serde_json::{Value, json};

use super::permissions::{
    BENEATH, Balancing, DeploymentPolicy, Launch, Scope, names_in, statements, texts,
};
use crate::plan::Strategy;

/// The most characters of one managed policy, white space not counted (IAM user guide, "IAM and
/// AWS STS quotas").
pub const MANAGED_MAX: usize = 6_144;

/// The most characters of all inline policies of a role together, white space not counted (IAM user
/// guide, "IAM and AWS STS quotas").
pub const INLINE_MAX: usize = 10_240;

/// What a policy is for. What is not known of the environments is granted for every kind there
/// is.
#[derive(Clone, Debug)]
pub struct Granted<'a> {
    /// The identity and the resources that it is for.
    pub scope: Scope<'a>,
    /// The ARN of the role or user that releases, so that it can check what it may do.
    pub principal: Option<&'a str>,
    /// Whether there are preview hostnames.
    pub previews: bool,
    /// The SSM parameters that name them.
    pub parameters: Vec<&'a str>,
    /// The ARNs of the roles that Elastic Beanstalk passes on; none for those that the console
    /// and the EB CLI make.
    pub roles: Vec<String>,
    /// What brings requests to the instances.
    pub balancing: Option<Balancing<'a>>,
    /// How blue takes a version.
    pub policy: Option<DeploymentPolicy>,
    /// Whether blue's settings schedule actions.
    pub schedules: Option<bool>,
    /// Whether blue's settings have rules of its own load balancer's.
    pub own_rules: Option<bool>,
}

/// The policy as one document for IAM.
#[must_use]
pub fn document(of: &Granted<'_>) -> Value {
    let statements = statements().into_iter().filter_map(|mut statement| {
        let sid = statement["Sid"].as_str().unwrap_or_default().to_owned();
        if !of.keeps(&sid) {
            return None;
        }
        let mut resources = of.resources(&sid, &texts(&statement["Resource"]));
        statement["Resource"] = match resources.len() {
            1 => json!(resources.remove(0)),
            _ => json!(resources),
        };
        if of.scope.partition == "aws-cn" && sid == "BeneathRoles" {
            let services = &mut statement["Condition"]["StringEquals"]["iam:PassedToService"];
            *services = json!(["ec2.amazonaws.com.cn", "elasticbeanstalk.amazonaws.com"]);
        }
        Some(statement)
    });
    whole(statements.collect())
}

/// The policy in parts, each of which fits into a managed policy.
#[must_use]
pub fn parts(document: &Value) -> Vec<Value> {
    let statements = document["Statement"].as_array();
    let mut parts: Vec<Vec<Value>> = Vec::new();
    for statement in statements.into_iter().flatten() {
        let longer = parts.last().map(|part| {
            let mut longer = part.clone();
            longer.push(statement.clone());
            longer
        });
        match longer {
            Some(longer) if characters(&whole(longer.clone())) <= MANAGED_MAX => {
                parts.pop();
                parts.push(longer);
            }
            _ => parts.push(vec![statement.clone()]),
        }
    }
    parts.into_iter().map(whole).collect()
}

/// How many characters IAM counts of a document: white space is left out.
#[must_use]
pub fn characters(document: &Value) -> usize {
    let text = document.to_string();
    text.chars().filter(|c| !c.is_whitespace()).count()
}

fn whole(statements: Vec<Value>) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

impl Granted<'_> {
    /// Whether the policy keeps the statement with this id.
    fn keeps(&self, sid: &str) -> bool {
        let may = |is: &dyn Fn(Balancing<'_>) -> bool| self.balancing.is_none_or(is);
        let deploys = self.scope.strategy != Strategy::Promote;
        let splits = |policy| policy == DeploymentPolicy::TrafficSplitting;
        match sid {
            beneath if beneath.starts_with(BENEATH) && self.scope.operations_role.is_some() => {
                false
            }
            "WatchAlarms" => self.scope.alarms,
            "MoveHosts" => self.previews,
            "ReadParameters" => !self.parameters.is_empty(),
            "MoveTaggedRules" => matches!(self.balancing, Some(Balancing::Shared(_))),
            "LookAtLoadBalancer" => may(&|b| matches!(b, Balancing::Own(_) | Balancing::Shared(_))),
            "CountRequests" => may(&|b| !matches!(b, Balancing::Address | Balancing::Own("net"))),
            "LookAtWebAcl" => may(&|b| b == Balancing::Own("app")),
            "BeneathSharedLoadBalancer" | "BeneathSharedRules" => {
                matches!(self.balancing, Some(Balancing::Shared(arn)) if !arn.is_empty())
            }
            "PassOperationsRole" => self.scope.operations_role.is_some(),
            "UseTheKey" => self.scope.key.is_some(),
            "CheckOwnPermissions" => self.principal.is_some(),
            "BeneathLoadBalancing" => may(&|b| matches!(b, Balancing::Own(_))),
            "BeneathTargetGroups" => {
                may(&|b| matches!(b, Balancing::Own(_) | Balancing::Shared(_)))
            }
            "BeneathClassicLoadBalancing" => may(&|b| b == Balancing::Classic),
            "BeneathSingleInstance" => may(&|b| b == Balancing::Address),
            "BeneathListenerRules" => {
                let has_rules = self.own_rules.unwrap_or(true);
                may(&|b| b == Balancing::Own("app"))
                    && (has_rules || deploys && self.policy.is_none_or(splits))
            }
            "BeneathBatches" => deploys && self.policy.is_none_or(DeploymentPolicy::has_batches),
            "BeneathNewGroups" => {
                deploys && self.policy.is_none_or(DeploymentPolicy::has_new_groups)
            }
            "BeneathLaunchConfigurations" => self.scope.launch != Some(Launch::Template),
            "BeneathScheduledActions" => self.schedules.unwrap_or(true),
            _ => true,
        }
    }

    /// The resources of a statement with the names in place of the placeholders.
    fn resources(&self, sid: &str, shipped: &[String]) -> Vec<String> {
        let given = |arn: Option<&str>| arn.map(str::to_owned).into_iter().collect();
        match sid {
            "PassOperationsRole" => given(self.scope.operations_role),
            "UseTheKey" => given(self.scope.key),
            "CheckOwnPermissions" => given(self.principal),
            "BeneathRoles" if !self.roles.is_empty() => self.roles.clone(),
            // Once production is promoted the names are exchanged: each may what the other may.
            "MakeGreen" if self.scope.strategy == Strategy::Promote => {
                let blue = shipped
                    .iter()
                    .map(|resource| resource.replace("GREEN", "BLUE"));
                let both = blue.chain(shipped.iter().cloned());
                both.map(|resource| self.named(&resource)).collect()
            }
            "ReadParameters" => {
                let named = self.parameters.iter().map(|name| {
                    let name = name.split(':').next().unwrap_or_default();
                    let pattern = self.named("arn:aws:ssm:REGION:ACCOUNT:parameter/");
                    format!("{pattern}{}", name.trim_start_matches('/'))
                });
                named.collect()
            }
            _ => shipped
                .iter()
                .map(|resource| self.named(resource))
                .collect(),
        }
    }

    fn named(&self, resource: &str) -> String {
        let shared = match self.balancing {
            Some(Balancing::Shared(arn)) => arn.split_once(":loadbalancer/app/"),
            _ => None,
        };
        let mut names = self.scope.names(self.scope.zone.unwrap_or("*"));
        let shared = shared.map_or("*", |(_, named)| named);
        names.push(("SHARED_BALANCER", shared.to_owned()));
        names_in(resource, &names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPE: Scope<'_> = Scope {
        partition: "aws",
        region: "eu-central-1",
        account: "123456789012",
        application: "shop",
        blue: "BLUE-of-ACCOUNT",
        green: "shop-green",
        bucket: "artifacts",
        strategy: Strategy::Restore,
        alarms: false,
        zone: None,
        key: None,
        operations_role: None,
        launch: None,
    };

    const GRANTED: Granted<'_> = Granted {
        scope: SCOPE,
        principal: None,
        previews: false,
        parameters: Vec::new(),
        roles: Vec::new(),
        balancing: None,
        policy: None,
        schedules: None,
        own_rules: None,
    };

    fn sids(document: &Value) -> Vec<&str> {
        let statements = document["Statement"].as_array().expect("statements");
        let sids = statements.iter().map(|s| s["Sid"].as_str().expect("one"));
        sids.collect()
    }

    fn of<'a>(document: &'a Value, sid: &str) -> &'a Value {
        let mut statements = document["Statement"].as_array().expect("them").iter();
        let found = statements.find(|statement| statement["Sid"] == sid);
        found.unwrap_or_else(|| panic!("no {sid}"))
    }

    #[test]
    fn names_are_put_in_and_no_placeholder_is_left() {
        let document = document(&Granted {
            principal: Some("arn:aws:iam::123456789012:role/ci/releases"),
            scope: Scope {
                alarms: true,
                zone: Some("Z1"),
                key: Some("arn:aws:kms:eu-central-1:123456789012:key/1"),
                ..SCOPE
            },
            previews: true,
            parameters: vec!["/shop/hosts:3"],
            balancing: Some(Balancing::Shared(
                "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/s/5",
            )),
            ..GRANTED
        });
        let environment = "arn:aws:elasticbeanstalk:eu-central-1:123456789012:environment/shop";
        let deploys = &of(&document, "DeployAndSwap")["Resource"];
        let blue = format!("{environment}/BLUE-of-ACCOUNT");
        assert_eq!(*deploys, json!([blue, format!("{environment}/shop-green")]));
        let parameters = &of(&document, "ReadParameters")["Resource"];
        let hosts = "arn:aws:ssm:eu-central-1:123456789012:parameter/shop/hosts";
        assert_eq!(parameters, hosts);
        let rules = of(&document, "BeneathSharedLoadBalancer")["Resource"].to_string();
        assert!(rules.contains(":listener/app/s/5/*"), "{rules}");
        let text = document.to_string().replace("BLUE-of-ACCOUNT", "");
        for placeholder in [
            "REGION",
            "ACCOUNT",
            "APPLICATION",
            "GREEN",
            "BLUE",
            "BUCKET",
            "HOSTED_ZONE",
            "PARAMETERS",
            "SHARED_BALANCER",
            "OPERATIONS_ROLE",
            "PRINCIPAL",
            "KMS_KEY",
        ] {
            assert!(!text.contains(placeholder), "{placeholder} is left: {text}");
        }
    }

    /// What is not used is left out, and what is not known is for every kind.
    #[test]
    fn a_statement_is_there_for_what_it_is_used_by() {
        let has = |granted: &Granted<'_>, sid: &str| {
            let document = document(granted);
            sids(&document).contains(&sid)
        };
        let known = Granted {
            balancing: Some(Balancing::Own("app")),
            policy: Some(DeploymentPolicy::InPlace),
            scope: Scope {
                launch: Some(Launch::Template),
                ..SCOPE
            },
            schedules: Some(false),
            own_rules: Some(false),
            ..GRANTED
        };
        for sid in [
            "BeneathClassicLoadBalancing",
            "BeneathSingleInstance",
            "BeneathListenerRules",
            "BeneathBatches",
            "BeneathNewGroups",
            "BeneathLaunchConfigurations",
            "BeneathScheduledActions",
        ] {
            assert!(has(&GRANTED, sid) && !has(&known, sid), "{sid}");
        }
        for sid in [
            "BeneathSharedLoadBalancer",
            "PassOperationsRole",
            "WatchAlarms",
        ] {
            assert!(!has(&GRANTED, sid), "{sid}");
        }
        let immutable = Granted {
            policy: Some(DeploymentPolicy::Immutable),
            ..known.clone()
        };
        assert!(has(&immutable, "BeneathNewGroups"));
        let promotes = Granted {
            scope: Scope {
                strategy: Strategy::Promote,
                ..immutable.scope
            },
            ..immutable
        };
        assert!(!has(&promotes, "BeneathNewGroups"));
        let operated = Granted {
            scope: Scope {
                operations_role: Some("arn:aws:iam::123456789012:role/ops"),
                ..SCOPE
            },
            ..GRANTED
        };
        let document = document(&operated);
        assert!(sids(&document).iter().all(|sid| !sid.starts_with(BENEATH)));
        assert!(has(&operated, "PassOperationsRole"));
    }

    /// After a promotion each environment takes the other's place; else nothing terminates blue.
    #[test]
    fn promotions_hold_both_ways() {
        for (strategy, count) in [(Strategy::Restore, 1), (Strategy::Promote, 2)] {
            let document = document(&Granted {
                scope: Scope { strategy, ..SCOPE },
                ..GRANTED
            });
            let resources = texts(&of(&document, "MakeGreen")["Resource"]);
            assert_eq!(resources.len(), count, "{resources:?}");
        }
    }

    #[test]
    fn parts_fit_into_managed_policies_and_lose_nothing() {
        let whole = document(&GRANTED);
        let parts = parts(&whole);
        assert!(characters(&whole) > INLINE_MAX && parts.len() > 1);
        let all: Vec<_> = parts.iter().flat_map(|part| sids(part)).collect();
        assert_eq!(all, sids(&whole));
        for part in &parts {
            assert!(characters(part) <= MANAGED_MAX, "{}", characters(part));
        }
    }

    #[test]
    fn china_has_its_own_partition_and_principal() {
        let document = document(&Granted {
            scope: Scope {
                partition: "aws-cn",
                region: "cn-north-1",
                ..SCOPE
            },
            ..GRANTED
        });
        let text = document.to_string();
        assert!(!text.contains("arn:aws:") && !text.contains("\"ec2.amazonaws.com\""));
        assert!(text.contains("ec2.amazonaws.com.cn"));
    }
}
