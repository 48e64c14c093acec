//! The load balancers that environments have for themselves, as their option settings make them
//! (developer guide, "Configuring an Application Load Balancer"), and what somebody has put onto
//! load balancers by hand: that is no part of the settings, and a clone does not have it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Answer, Rule, default_actions, forwards, invalid, normal_actions, not_found, page};
use crate::model::Environment;
use crate::wire::Form;
use crate::world::World;

const OWN: &str = "aws:elasticbeanstalk:environment";

/// A load balancer.
pub(super) struct Balancer<'a> {
    pub arn: String,
    pub name: String,
    pub dns_name: String,
    /// application or network.
    pub kind: &'static str,
    /// Whose own it is; none for the shared one.
    pub environment: Option<&'a Environment>,
}

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listener {
    pub arn: String,
    /// The ARN of its load balancer.
    pub balancer: String,
    pub port: u16,
    protocol: String,
    /// Its certificates, the default one first.
    certificates: Vec<String>,
    /// As in the API, with texts for numbers.
    pub default_actions: Value,
}

/// A target group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Group {
    pub arn: String,
    pub name: String,
    /// The id of the environment whose stack it belongs to.
    environment: Option<String>,
}

/// What somebody has put onto load balancers beside their environments' settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ByHand {
    listeners: Vec<Listener>,
    groups: Vec<Group>,
    /// Listeners, by their ARNs, and further certificates of theirs.
    certificates: Vec<(String, String)>,
    /// What listeners do without a rule, by their ARNs.
    defaults: BTreeMap<String, Value>,
    /// Load balancers, by their ARNs, and the ARNs of the web ACLs that protect them.
    web_acls: BTreeMap<String, String>,
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

impl World {
    /// The ARN of the load balancer that an environment has for itself; none where it has none,
    /// shares one or has a classic one.
    #[must_use]
    pub fn own_balancer(&self, environment: &str) -> Option<String> {
        let environment = self.environment(environment)?;
        self.balancer_of(environment).map(|balancer| balancer.arn)
    }

    /// The same of an environment that is known.
    pub(crate) fn balancer_name(&self, environment: &Environment) -> Option<String> {
        self.balancer_of(environment).map(|balancer| balancer.arn)
    }

    fn balancer_of<'a>(&self, environment: &'a Environment) -> Option<Balancer<'a>> {
        let own = |name: &str| environment.setting(OWN, name);
        let is_shared = own("LoadBalancerIsShared") == Some("true");
        if is_shared || own("EnvironmentType") == Some("SingleInstance") {
            return None;
        }
        let (kind, short) = match own("LoadBalancerType") {
            Some("application") => ("application", "app"),
            Some("network") => ("network", "net"),
            _ => return None,
        };
        let id = environment.id.trim_start_matches("e-");
        let name = format!("awseb--AWSEB-{id}");
        Some(Balancer {
            arn: self.elb_arn(&format!(
                "loadbalancer/{short}/{name}/{:016x}",
                environment.created
            )),
            name,
            dns_name: environment.endpoint.clone(),
            kind,
            environment: Some(environment),
        })
    }

    /// Every load balancer there is.
    pub(super) fn balancers(&self) -> Vec<Balancer<'_>> {
        let shared = Balancer {
            arn: self.balancer_arn(),
            name: "shop-shared".to_owned(),
            dns_name: format!("shop-shared-1234567890.{}.elb.amazonaws.com", self.region),
            kind: "application",
            environment: None,
        };
        let own = self.environments().filter_map(|e| self.balancer_of(e));
        std::iter::once(shared).chain(own).collect()
    }

    /// The listeners of a load balancer: the one on port 80 unless it is switched off, one for
    /// each port that the settings name, and those that were made by hand.
    pub(super) fn listeners_of(&self, balancer: &Balancer<'_>) -> Vec<Listener> {
        let by_hand = &self.services.balancing.by_hand;
        let path = balancer.arn.replacen(":loadbalancer/", ":listener/", 1);
        let listener = |port: u16, protocol: &str, certificates: &str| Listener {
            arn: format!("{path}/{port:016x}"),
            balancer: balancer.arn.clone(),
            port,
            protocol: protocol.to_owned(),
            certificates: (certificates.split(',').map(str::trim))
                .filter(|arn| !arn.is_empty())
                .map(str::to_owned)
                .collect(),
            default_actions: match balancer.environment {
                Some(environment) => normal_actions(&json!([{
                    "Type": "forward",
                    "TargetGroupArn": self.target_group_arn(environment),
                }])),
                None => default_actions(),
            },
        };
        let mut listeners = Vec::new();
        match balancer.environment {
            None => listeners.push(Listener {
                arn: self.listener_arn(),
                ..listener(80, "HTTP", "")
            }),
            Some(environment) => {
                let of = |port: &str, name: &str| {
                    environment.setting(&format!("aws:elbv2:listener:{port}"), name)
                };
                if of("default", "ListenerEnabled") != Some("false") {
                    let usual = if balancer.kind == "network" {
                        "TCP"
                    } else {
                        "HTTP"
                    };
                    listeners.push(listener(80, usual, ""));
                }
                let named = environment.settings.iter().filter_map(|setting| {
                    let port = setting.namespace.strip_prefix("aws:elbv2:listener:")?;
                    let is_protocol = setting.name == "Protocol";
                    is_protocol.then_some((port, setting.value.as_str()))
                });
                for (port, protocol) in named {
                    let is_off = of(port, "ListenerEnabled") == Some("false");
                    let certificates = of(port, "SSLCertificateArns").unwrap_or_default();
                    if let (Ok(port), false) = (port.parse(), is_off) {
                        listeners.retain(|other| other.port != port);
                        listeners.push(listener(port, protocol, certificates));
                    }
                }
            }
        }
        let made = by_hand.listeners.iter();
        listeners.extend(made.filter(|l| l.balancer == balancer.arn).cloned());
        for listener in &mut listeners {
            let more = by_hand.certificates.iter();
            let more = more.filter(|(of, _)| *of == listener.arn);
            listener
                .certificates
                .extend(more.map(|(_, arn)| arn.clone()));
            if let Some(actions) = by_hand.defaults.get(&listener.arn) {
                listener.default_actions = actions.clone();
            }
        }
        listeners
    }

    /// The rules of a listener but for its default one, first those that come first: those that
    /// the settings name, and those that were made by hand.
    pub(super) fn rules_of(&self, listener: &Listener) -> Vec<Rule> {
        let mut rules: Vec<Rule> = match listener.arn == self.listener_arn() {
            true => self.shared_rules().cloned().collect(),
            false => {
                let all = self.services.balancing.rules.iter();
                all.filter(|rule| rule.listener.as_deref() == Some(&listener.arn))
                    .cloned()
                    .collect()
            }
        };
        let mut balancers = self.balancers().into_iter();
        let own = balancers.find(|b| b.arn == listener.balancer);
        if let Some(environment) = own.and_then(|balancer| balancer.environment) {
            rules.extend(self.set_rules(environment, listener));
        }
        rules.sort_by_key(|rule| rule.priority);
        rules
    }

    /// The rules that an environment's settings give a listener (developer guide, "General
    /// options", `aws:elbv2:listenerrule:rule_name`).
    fn set_rules(&self, environment: &Environment, listener: &Listener) -> Vec<Rule> {
        let port = match listener.port {
            80 => "default".to_owned(),
            port => port.to_string(),
        };
        let names = environment.setting(&format!("aws:elbv2:listener:{port}"), "Rules");
        let names = names.unwrap_or_default().split(',').map(str::trim);
        let rules = names.filter(|name| !name.is_empty()).map(|name| {
            let of = |option: &str| {
                environment.setting(&format!("aws:elbv2:listenerrule:{name}"), option)
            };
            let condition = |field: &str, option: &str| {
                let values: Vec<&str> = of(option)?.split(',').collect();
                Some(json!({ "Field": field, "Values": values }))
            };
            let conditions = [
                condition("path-pattern", "PathPatterns"),
                condition("host-header", "HostHeaders"),
            ];
            let priority = of("Priority")
                .and_then(|text| text.parse().ok())
                .unwrap_or(1);
            let rule = listener.arn.replacen(":listener/", ":listener-rule/", 1);
            Rule {
                arn: format!("{rule}/{priority:016x}"),
                priority,
                conditions: conditions.into_iter().flatten().collect(),
                actions: normal_actions(&json!([{
                    "Type": "forward",
                    "TargetGroupArn": self.target_group_arn(environment),
                }])),
                tags: BTreeMap::new(),
                owner: Some(environment.id.clone()),
                listener: Some(listener.arn.clone()),
            }
        });
        rules.collect()
    }

    /// Every target group there is.
    pub(super) fn groups(&self) -> Vec<Group> {
        let balanced = self.environments().filter(|e| {
            self.balancer_of(e).is_some() || self.sharing().any(|sharing| sharing.id == e.id)
        });
        let own = balanced.map(|environment| {
            let arn = self.target_group_arn(environment);
            Group {
                name: arn.split('/').nth(1).unwrap_or_default().to_owned(),
                arn,
                environment: Some(environment.id.clone()),
            }
        });
        let by_hand = self.services.balancing.by_hand.groups.iter().cloned();
        own.chain(by_hand).collect()
    }

    /// Whether a load balancer forwards to a target group, or the service has made it for that.
    pub(super) fn is_behind(&self, group: &Group, balancer: &Balancer<'_>) -> bool {
        let owner = group.environment.as_deref();
        let is_own = match balancer.environment {
            Some(environment) => owner == Some(&environment.id),
            None => self.sharing().any(|e| owner == Some(&e.id)),
        };
        let forwards_to = |actions: &Value| {
            let targets = forwards(actions);
            targets.iter().any(|(arn, _)| *arn == group.arn)
        };
        is_own
            || self.listeners_of(balancer).iter().any(|listener| {
                forwards_to(&listener.default_actions)
                    || (self.rules_of(listener).iter()).any(|rule| forwards_to(&rule.actions))
            })
    }

    /// The tags of what is an environment's own: its load balancer and its target group bear
    /// those of its stack, what was made by hand bears none. None where there is no such thing.
    pub(super) fn own_tags(&self, arn: &str) -> Option<BTreeMap<String, String>> {
        let balancers = self.balancers();
        let own = balancers.iter().filter_map(|b| Some((b, b.environment?)));
        for (balancer, environment) in own {
            if balancer.arn == arn {
                return Some(tags_of(environment, "AWSEBV2LoadBalancer"));
            }
            if self.target_group_arn(environment) == arn {
                return Some(tags_of(environment, "AWSEBV2LoadBalancerTargetGroup"));
            }
            for listener in self.listeners_of(balancer) {
                let mut rules = self.rules_of(&listener).into_iter();
                if let Some(rule) = rules.find(|rule| rule.arn == arn) {
                    return Some(rule.tags);
                }
                if listener.arn == arn || listener.default_rule() == arn {
                    return Some(BTreeMap::new());
                }
            }
        }
        let mut groups = self.services.balancing.by_hand.groups.iter();
        groups.any(|group| group.arn == arn).then(BTreeMap::new)
    }

    /// Whether an application load balancer, as the dimensions of metrics name it, sends requests
    /// to an environment, by this target group where one is named.
    pub(in crate::services) fn is_balanced_by(
        &self,
        environment: &Environment,
        balancer: &str,
        group: Option<&str>,
    ) -> bool {
        let is_named = |arn: &str, before: &str, name: &str| {
            arn.split_once(before).is_some_and(|(_, own)| own == name)
        };
        let own = self.balancer_of(environment).map(|balancer| balancer.arn);
        let shared = self.sharing().find(|sharing| sharing.id == environment.id);
        let shared = shared.map(|_| self.balancer_arn());
        let arn = own.or(shared).unwrap_or_default();
        let is_of_group = group.is_none_or(|group| {
            let name = group.strip_prefix("targetgroup/").unwrap_or_default();
            is_named(&self.target_group_arn(environment), ":targetgroup/", name)
        });
        balancer.starts_with("app/") && is_named(&arn, ":loadbalancer/", balancer) && is_of_group
    }

    /// The name of the classic load balancer that an environment has, where it has one.
    pub(crate) fn classic_balancer(&self, environment: &Environment) -> String {
        format!("awseb-{}-stack-AWSEBLoadBalancer", environment.id)
    }

    /// Whether this is the ARN of an application load balancer.
    pub(in crate::services) fn is_application_balancer(&self, arn: &str) -> bool {
        let mut balancers = self.balancers().into_iter();
        balancers.any(|balancer| balancer.arn == arn && balancer.kind == "application")
    }

    /// The ARN of the web ACL that protects a load balancer.
    pub(crate) fn web_acl_of(&self, balancer: &str) -> Option<&String> {
        self.services.balancing.by_hand.web_acls.get(balancer)
    }

    /// Puts a web ACL before a load balancer, or takes it away.
    pub(in crate::services) fn set_web_acl(&mut self, balancer: String, arn: Option<String>) {
        let web_acls = &mut self.services.balancing.by_hand.web_acls;
        match arn {
            Some(arn) => web_acls.insert(balancer, arn),
            None => web_acls.remove(&balancer),
        };
    }

    pub(super) fn new_rule_of(&mut self, listener: &str) -> String {
        let number = self.random();
        let rule = listener.replacen(":listener/", ":listener-rule/", 1);
        format!("{rule}/{number:016x}")
    }

    /// A listener of any load balancer.
    fn listener(&self, arn: &str) -> Option<Listener> {
        let balancers = self.balancers();
        let mut listeners = balancers.iter().flat_map(|b| self.listeners_of(b));
        listeners.find(|listener| listener.arn == arn)
    }

    pub(super) fn describe_certificates(&self, form: &Form) -> Answer {
        let found = self.listener(form.get("ListenerArn").unwrap_or_default());
        let listener = found.ok_or_else(|| not_found("Listener", "listeners"))?;
        let told = listener.certificates.iter().enumerate();
        let told = told.map(|(at, arn)| json!({ "CertificateArn": arn, "IsDefault": at == 0 }));
        page(form, "Certificates", told.collect())
    }

    pub(super) fn create_listener(&mut self, form: &Form, input: &Value) -> Answer {
        let arn = form.get("LoadBalancerArn").unwrap_or_default();
        let balancers = self.balancers();
        let balancer = balancers.iter().find(|balancer| balancer.arn == arn);
        let balancer = balancer.ok_or_else(|| not_found("LoadBalancer", "load balancers"))?;
        let port: u16 = form
            .get("Port")
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| invalid("A port must be specified"))?;
        if self.listeners_of(balancer).iter().any(|l| l.port == port) {
            return Err(crate::wire::ApiError::new(
                "DuplicateListener",
                "A listener already exists on this port for this load balancer",
            ));
        }
        self.check_actions(&input["DefaultActions"])?;
        let path = arn.replacen(":loadbalancer/", ":listener/", 1);
        let certificates = form.members("Certificates");
        let certificates = certificates.iter().filter_map(|c| c.get("CertificateArn"));
        let listener = Listener {
            arn: format!("{path}/{port:016x}"),
            balancer: arn.to_owned(),
            port,
            protocol: form.get("Protocol").unwrap_or("HTTP").to_owned(),
            certificates: certificates.map(str::to_owned).collect(),
            default_actions: normal_actions(&input["DefaultActions"]),
        };
        let answer = json!({ "Listeners": [listener.told()] });
        self.services.balancing.by_hand.listeners.push(listener);
        Ok(answer)
    }

    pub(super) fn add_certificates(&mut self, form: &Form) -> Answer {
        let found = self.listener(form.get("ListenerArn").unwrap_or_default());
        let listener = found.ok_or_else(|| not_found("Listener", "listeners"))?;
        let certificates = form.members("Certificates");
        let arns: Vec<String> = (certificates.iter())
            .filter_map(|certificate| certificate.get("CertificateArn").map(str::to_owned))
            .collect();
        let told = arns.iter();
        let told = told.map(|arn| json!({ "CertificateArn": arn, "IsDefault": false }));
        let answer = json!({ "Certificates": told.collect::<Value>() });
        let by_hand = &mut self.services.balancing.by_hand.certificates;
        by_hand.extend(arns.into_iter().map(|arn| (listener.arn.clone(), arn)));
        Ok(answer)
    }

    /// Changes what a listener does without a rule.
    pub(super) fn modify_listener(&mut self, form: &Form, input: &Value) -> Answer {
        let found = self.listener(form.get("ListenerArn").unwrap_or_default());
        let mut listener = found.ok_or_else(|| not_found("Listener", "listeners"))?;
        let actions = &input["DefaultActions"];
        if !actions.is_null() {
            self.check_actions(actions)?;
            listener.default_actions = normal_actions(actions);
            let arn = listener.arn.clone();
            let by_hand = &mut self.services.balancing.by_hand;
            by_hand
                .defaults
                .insert(arn, listener.default_actions.clone());
        }
        Ok(json!({ "Listeners": [listener.told()] }))
    }

    pub(super) fn create_target_group(&mut self, form: &Form) -> Answer {
        let name = form.get("Name").unwrap_or_default().to_owned();
        if name.is_empty() {
            return Err(invalid("A target group name must be specified"));
        }
        let number = self.random();
        let group = Group {
            arn: self.elb_arn(&format!("targetgroup/{name}/{number:016x}")),
            name,
            environment: None,
        };
        let answer = json!({ "TargetGroups": [{
            "TargetGroupArn": group.arn,
            "TargetGroupName": group.name,
        }] });
        self.services.balancing.by_hand.groups.push(group);
        Ok(answer)
    }
}

/// The tags that the stack of an environment gives to a part of it.
fn tags_of(environment: &Environment, part: &str) -> BTreeMap<String, String> {
    let own = [
        ("elasticbeanstalk:environment-id", environment.id.clone()),
        (
            "elasticbeanstalk:environment-name",
            environment.name.clone(),
        ),
        ("aws:cloudformation:logical-id", part.to_owned()),
    ];
    let own = own.into_iter().map(|(key, value)| (key.to_owned(), value));
    own.chain(environment.tags.iter().cloned()).collect()
}
