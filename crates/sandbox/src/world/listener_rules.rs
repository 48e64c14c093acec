//! The rules of listeners: those that the settings name, those that the service makes for
//! environments that share a load balancer, and those of others.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::world::World;
use crate::world::balancing::{
    Listener, OIDC, Rule, forwards, members, normal_actions, normal_conditions,
};
use crate::world::environment::Environment;
use crate::world::load_balancers::{BALANCER, LISTENER};

impl World {
    /// Adds somebody's rule for a host to the shared load balancer, forwarding to an environment
    /// that shares it; returns its ARN.
    pub fn add_rule(&mut self, host: &str, environment: &str, tags: &[(&str, &str)]) -> String {
        let target = self
            .environment(environment)
            .map(|e| self.target_group_arn(e));
        let tags = tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        self.push_rule(host, target.unwrap_or_default(), tags.collect(), None)
    }

    /// Makes a rule authenticate users before it forwards them, as with a client's secret.
    pub fn authenticate(&mut self, rule: &str) {
        let found = self.services.balancing.rules.iter_mut();
        for rule in found.filter(|found| found.arn == rule) {
            let mut actions = vec![json!({
                "Type": OIDC,
                "AuthenticateOidcConfig": {
                    "Issuer": "https://id.example",
                    "AuthorizationEndpoint": "https://id.example/authorize",
                    "TokenEndpoint": "https://id.example/token",
                    "UserInfoEndpoint": "https://id.example/user",
                    "ClientId": "shop",
                    "OnUnauthenticatedRequest": "authenticate",
                },
            })];
            for action in members(&rule.actions) {
                let mut action = action.clone();
                action["Order"] = Value::Null;
                actions.push(action);
            }
            rule.actions = normal_actions(&json!(actions));
        }
    }

    /// Tags the listener's default rule.
    pub fn tag_default_rule(&mut self, key: &str, value: &str) {
        let tags = &mut self.services.balancing.default_tags;
        tags.insert(key.to_owned(), value.to_owned());
    }

    /// Gives an environment that shares the load balancer its own rule, for its CNAME; behind
    /// every rule there is (aws/elastic-beanstalk-roadmap#217).
    pub(crate) fn balance(&mut self, at: usize) {
        let environment = &self.view.environments[at];
        if !environment.is_alive() || !self.shares(environment) {
            return;
        }
        let target = self.target_group_arn(environment);
        let cname = environment.cname.clone().unwrap_or_default();
        let owner = Some(environment.id.clone());
        self.push_rule(&cname, target, BTreeMap::new(), owner);
    }

    /// The rules that the service has made for two environments follow a swap: each is for the
    /// CNAME that its environment has now. So tmshkr/blue-green-beanstalk finds it on AWS
    /// (`test/integration/shared_alb.test.ts`): the rule with production's host forwards to the
    /// new production.
    pub(crate) fn follow_swap(&mut self, ids: [&str; 2]) {
        for id in ids {
            let environment = self.view.environments.iter().find(|e| e.id == id);
            let Some(cname) = environment.and_then(|e| e.cname.clone()) else {
                continue;
            };
            let condition = json!([{ "Field": "host-header", "Values": [cname] }]);
            let rules = self.services.balancing.rules.iter_mut();
            for rule in rules.filter(|rule| rule.owner.as_deref() == Some(id)) {
                rule.conditions = normal_conditions(&condition);
            }
        }
    }

    /// Whether a rule that is not the environment's own forwards to it: then its target
    /// group, and with it its stack, cannot be deleted (API reference, `DeleteTargetGroup`,
    /// ResourceInUse).
    pub(crate) fn is_forwarded_to(&self, environment: &Environment) -> bool {
        let target = self.target_group_arn(environment);
        self.services
            .balancing
            .rules
            .iter()
            .filter(|rule| rule.owner.as_deref() != Some(&environment.id))
            .any(|rule| forwards(&rule.actions).iter().any(|(to, _)| *to == target))
    }

    /// The rules of an environment go with its stack.
    pub(crate) fn unbalance(&mut self, id: &str) {
        let rules = &mut self.services.balancing.rules;
        rules.retain(|rule| rule.owner.as_deref() != Some(id));
    }

    /// The tags of a rule; `None` where there is no such rule.
    pub(crate) fn rule_tags(&self, arn: &str) -> Option<&BTreeMap<String, String>> {
        let rule = self.services.balancing.rules.iter().find(|r| r.arn == arn);
        rule.map(|rule| &rule.tags)
    }

    fn push_rule(
        &mut self,
        host: &str,
        target: String,
        tags: BTreeMap<String, String>,
        owner: Option<String>,
    ) -> String {
        let priority = self.shared_rules().map(|r| r.priority).max().unwrap_or(0) + 1;
        let arn = self.new_rule_arn();
        let condition = json!([{ "Field": "host-header", "Values": [host] }]);
        let action = json!([{ "Type": "forward", "TargetGroupArn": target }]);
        self.services.balancing.rules.push(Rule {
            arn: arn.clone(),
            priority,
            conditions: normal_conditions(&condition),
            actions: normal_actions(&action),
            tags,
            owner,
            listener: None,
        });
        arn
    }

    /// The rules of the shared load balancer.
    pub(crate) fn shared_rules(&self) -> impl Iterator<Item = &Rule> {
        let rules = self.services.balancing.rules.iter();
        rules.filter(|rule| rule.listener.is_none())
    }

    pub(crate) fn default_rule_arn(&self) -> String {
        self.elb_arn(&format!(
            "listener-rule/{BALANCER}/{LISTENER}/0000000000000000"
        ))
    }

    pub(crate) fn new_rule_arn(&mut self) -> String {
        let number = self.random();
        self.elb_arn(&format!(
            "listener-rule/{BALANCER}/{LISTENER}/{number:016x}"
        ))
    }

    /// The rules of a listener but for its default one, first those that come first: those that the
    /// settings name, and those that somebody has added outside them.
    pub(crate) fn rules_of(&self, listener: &Listener) -> Vec<Rule> {
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

    pub(crate) fn new_rule_of(&mut self, listener: &str) -> String {
        let number = self.random();
        let rule = listener.replacen(":listener/", ":listener-rule/", 1);
        format!("{rule}/{number:016x}")
    }
}
