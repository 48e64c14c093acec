//! Elastic Load Balancing, version 2015-12-01: one application load balancer that
//! environments may share, its listener, its rules and their target groups; and the load balancers
//! that environments have for themselves ([`own`]).
//!
//! An environment shares it whose option settings say so: `LoadBalancerIsShared` in
//! `aws:elasticbeanstalk:environment` and `SharedLoadBalancer` in `aws:elbv2:loadbalancer`
//! (developer guide, "Configuring a shared Application Load Balancer").

mod own;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::model::{Environment, Setting};
use crate::wire::{ApiError, Form};
use crate::world::World;

pub(super) const NAMESPACE: &str = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";

/// The path of the load balancer's ARN after its type.
const BALANCER: &str = "app/shop-shared/50dc6c495c0c9188";
const LISTENER: &str = "f2f7dc8efc522ab2";
const VPC: &str = "vpc-0a1b2c3d4e5f60718";

/// How many resources DescribeTags takes (API reference).
const TAGGED_MAX: usize = 20;
/// How many target groups a rule may forward to (user guide, "Forward actions"), and the
/// heaviest weight of one.
const FORWARDS_MAX: usize = 5;
const WEIGHT_MAX: u32 = 999;
/// The lowest priority of a rule (API reference, `CreateRule`).
const PRIORITY_MAX: u32 = 50_000;
const PAGE_MAX: usize = 400;
/// The type of an action that authenticates users.
const OIDC: &str = "authenticate-oidc";

/// What the load balancer has beside its environments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Balancing {
    rules: Vec<Rule>,
    /// The tags of the listener's default rule.
    #[serde(default)]
    default_tags: BTreeMap<String, String>,
    /// What somebody has put onto load balancers by hand.
    #[serde(default)]
    by_hand: own::ByHand,
}

/// A rule of the listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Rule {
    arn: String,
    priority: u32,
    /// As in the API, with texts for numbers.
    conditions: Value,
    actions: Value,
    tags: BTreeMap<String, String>,
    /// The id of the environment whose stack it belongs to.
    owner: Option<String>,
    /// The listener of an environment's own load balancer; none for the shared one's.
    #[serde(default)]
    listener: Option<String>,
}

type Answer = Result<Value, ApiError>;

impl World {
    pub(super) fn elbv2(&mut self, form: &Form) -> Answer {
        let input = form.tree();
        match form.operation() {
            "DescribeLoadBalancers" => self.describe_balancers(form),
            "DescribeListeners" => self.describe_listeners(form),
            "DescribeListenerCertificates" => self.describe_certificates(form),
            "CreateListener" => self.create_listener(form, &input),
            "AddListenerCertificates" => self.add_certificates(form),
            "ModifyListener" => self.modify_listener(form, &input),
            "CreateTargetGroup" => self.create_target_group(form),
            "DescribeRules" => self.describe_rules(form),
            "DescribeTargetGroups" => self.describe_target_groups(form),
            "DescribeTags" => self.describe_elb_tags(form),
            "AddTags" => self.add_elb_tags(form),
            "CreateRule" => self.create_rule(form, &input),
            "ModifyRule" => self.modify_rule(form, &input),
            "DeleteRule" => self.delete_rule(form),
            operation => Err(ApiError::new(
                "InvalidAction",
                format!("Could not find operation {operation} for version 2015-12-01"),
            )),
        }
    }

    /// Moves an environment onto the shared load balancer.
    pub fn share_load_balancer(&mut self, environment: &str) {
        let balancer = self.balancer_arn();
        let setting = Setting::new;
        let Some(found) = self.environment_mut(environment) else {
            return;
        };
        let of_balancer = ["LoadBalancerType", "LoadBalancerIsShared"];
        found
            .settings
            .retain(|s| !of_balancer.contains(&s.name.as_str()));
        found.settings.extend([
            setting(
                "aws:elasticbeanstalk:environment",
                "LoadBalancerType",
                "application",
            ),
            setting(
                "aws:elasticbeanstalk:environment",
                "LoadBalancerIsShared",
                "true",
            ),
            setting("aws:elbv2:loadbalancer", "SharedLoadBalancer", &balancer),
        ]);
        let id = found.id.clone();
        self.balance(&id);
    }

    /// Adds somebody's rule for a host to the shared load balancer, forwarding to an
    /// environment that shares it; its ARN.
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

    /// The environment that requests for a host on the shared load balancer reach.
    #[must_use]
    pub fn balanced_to(&self, host: &str) -> Option<&Environment> {
        let rule = self.shared_rules().find(|rule| {
            let mut conditions = members(&rule.conditions);
            conditions.any(|c| c["Field"] == "host-header" && c["Values"][0] == host)
        })?;
        let target = forwards(&rule.actions).into_iter().next()?.0;
        self.sharing().find(|e| self.target_group_arn(e) == target)
    }

    /// Gives an environment that shares the load balancer its own rule, for its CNAME; behind
    /// every rule there is (aws/elastic-beanstalk-roadmap#217).
    pub(crate) fn balance(&mut self, id: &str) {
        let found = self.sharing().find(|e| e.id == id);
        let Some((target, cname)) = found.map(|e| (self.target_group_arn(e), e.cname.clone()))
        else {
            return;
        };
        let owner = Some(id.to_owned());
        self.push_rule(&cname.unwrap_or_default(), target, BTreeMap::new(), owner);
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

    /// The tags of a rule; none where there is no such rule.
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
    fn shared_rules(&self) -> impl Iterator<Item = &Rule> {
        let rules = self.services.balancing.rules.iter();
        rules.filter(|rule| rule.listener.is_none())
    }

    fn sharing(&self) -> impl Iterator<Item = &Environment> {
        let balancer = self.balancer_arn();
        self.environments().filter(move |e| {
            e.setting("aws:elasticbeanstalk:environment", "LoadBalancerIsShared") == Some("true")
                && e.setting("aws:elbv2:loadbalancer", "SharedLoadBalancer") == Some(&balancer)
        })
    }

    fn elb_arn(&self, rest: &str) -> String {
        format!(
            "arn:aws:elasticloadbalancing:{}:{}:{rest}",
            self.region, self.account
        )
    }

    /// The ARN of the load balancer that environments may share.
    #[must_use]
    pub fn balancer_arn(&self) -> String {
        self.elb_arn(&format!("loadbalancer/{BALANCER}"))
    }

    fn listener_arn(&self) -> String {
        self.elb_arn(&format!("listener/{BALANCER}/{LISTENER}"))
    }

    fn default_rule_arn(&self) -> String {
        self.elb_arn(&format!(
            "listener-rule/{BALANCER}/{LISTENER}/0000000000000000"
        ))
    }

    fn new_rule_arn(&mut self) -> String {
        let number = self.random();
        self.elb_arn(&format!(
            "listener-rule/{BALANCER}/{LISTENER}/{number:016x}"
        ))
    }

    /// The ARN of an environment's target group; its name is that of its id.
    fn target_group_arn(&self, environment: &Environment) -> String {
        let id = environment.id.trim_start_matches("e-");
        self.elb_arn(&format!(
            "targetgroup/awseb-{id}/{:016x}",
            environment.created
        ))
    }

    fn describe_balancers(&self, form: &Form) -> Answer {
        let all = self.balancers();
        let (arns, names) = (form.list("LoadBalancerArns"), form.list("Names"));
        let is_there = arns.iter().all(|arn| all.iter().any(|b| b.arn == *arn))
            && names.iter().all(|name| all.iter().any(|b| b.name == *name));
        if !is_there {
            return Err(not_found("LoadBalancer", "load balancers"));
        }
        let wanted = all.iter().filter(|balancer| {
            (arns.is_empty() || arns.contains(&balancer.arn.as_str()))
                && (names.is_empty() || names.contains(&balancer.name.as_str()))
        });
        let told = wanted.map(|balancer| {
            json!({
                "LoadBalancerArn": balancer.arn,
                "DNSName": balancer.dns_name,
                "LoadBalancerName": balancer.name,
                "Scheme": "internet-facing",
                "VpcId": VPC,
                "State": { "Code": "active" },
                "Type": balancer.kind,
                "IpAddressType": "ipv4",
            })
        });
        page(form, "LoadBalancers", told.collect())
    }

    fn describe_listeners(&self, form: &Form) -> Answer {
        let all = self.balancers();
        let balancer = form.get("LoadBalancerArn");
        let wanted = form.list("ListenerArns");
        if balancer.is_some_and(|arn| !all.iter().any(|b| b.arn == arn)) {
            return Err(not_found("LoadBalancer", "load balancers"));
        }
        let listeners: Vec<own::Listener> = all
            .iter()
            .flat_map(|balancer| self.listeners_of(balancer))
            .collect();
        if !wanted
            .iter()
            .all(|arn| listeners.iter().any(|l| l.arn == *arn))
        {
            return Err(not_found("Listener", "listeners"));
        }
        let told = listeners.iter().filter(|listener| {
            balancer.is_none_or(|arn| listener.balancer == arn)
                && (wanted.is_empty() || wanted.contains(&listener.arn.as_str()))
        });
        page(form, "Listeners", told.map(own::Listener::told).collect())
    }

    fn describe_rules(&self, form: &Form) -> Answer {
        let arns = form.list("RuleArns");
        match form.get("ListenerArn") {
            None if arns.is_empty() => {
                return Err(invalid("A listener or rule must be specified"));
            }
            Some(_) if !arns.is_empty() => {
                return Err(invalid("A listener and rules may not both be specified"));
            }
            _ => {}
        }
        let listeners = self.balancers();
        let listeners = listeners.iter().flat_map(|b| self.listeners_of(b));
        let wanted = form.get("ListenerArn");
        let listeners: Vec<own::Listener> = listeners
            .filter(|listener| wanted.is_none_or(|arn| listener.arn == arn))
            .collect();
        if listeners.is_empty() {
            return Err(not_found("Listener", "listeners"));
        }
        let mut told: Vec<Value> = Vec::new();
        for listener in &listeners {
            told.extend(self.rules_of(listener).iter().map(told_of));
            told.push(json!({
                "RuleArn": listener.default_rule(),
                "Priority": "default",
                "Conditions": [],
                "Actions": listener.default_actions,
                "IsDefault": true,
            }));
        }
        let is_there = |arn: &&str| told.iter().any(|rule| rule["RuleArn"] == **arn);
        if !arns.iter().all(is_there) {
            return Err(not_found("Rule", "rules"));
        }
        told.retain(|rule| arns.is_empty() || arns.iter().any(|arn| rule["RuleArn"] == **arn));
        page(form, "Rules", told)
    }

    fn describe_target_groups(&self, form: &Form) -> Answer {
        let all = self.balancers();
        let balancer = form.get("LoadBalancerArn");
        let named = balancer.map(|arn| all.iter().find(|b| b.arn == arn));
        if named.is_some_and(|found| found.is_none()) {
            return Err(not_found("LoadBalancer", "load balancers"));
        }
        let (arns, names) = (form.list("TargetGroupArns"), form.list("Names"));
        let mut found = Vec::new();
        for group in self.groups() {
            let is_behind = named.flatten().is_none_or(|b| self.is_behind(&group, b));
            let wanted = (arns.is_empty() || arns.contains(&group.arn.as_str()))
                && (names.is_empty() || names.contains(&group.name.as_str()));
            if is_behind && wanted {
                found.push(json!({
                    "TargetGroupArn": group.arn,
                    "TargetGroupName": group.name,
                    "Protocol": "HTTP",
                    "Port": 80,
                    "VpcId": VPC,
                    "HealthCheckProtocol": "HTTP",
                    "HealthCheckPath": "/",
                    "TargetType": "instance",
                }));
            }
        }
        if found.len() < arns.len().max(names.len()) {
            return Err(not_found("TargetGroup", "target groups"));
        }
        page(form, "TargetGroups", found)
    }

    fn describe_elb_tags(&self, form: &Form) -> Answer {
        let arns = form.list("ResourceArns");
        if arns.is_empty() || arns.len() > TAGGED_MAX {
            return Err(invalid(&format!(
                "1 validation error detected: Value at 'resourceArns' failed to satisfy constraint: Member must have length between 1 and {TAGGED_MAX}"
            )));
        }
        let mut described = Vec::new();
        for arn in arns {
            let tags = self.elb_tags(arn)?;
            let tags: Vec<Value> = tags
                .iter()
                .map(|(key, value)| json!({ "Key": key, "Value": value }))
                .collect();
            described.push(json!({ "ResourceArn": arn, "Tags": tags }));
        }
        Ok(json!({ "TagDescriptions": described }))
    }

    /// The tags of anything here. A target group has those of its environment's stack
    /// (developer guide, "Tagging environments").
    fn elb_tags(&self, arn: &str) -> Result<BTreeMap<String, String>, ApiError> {
        if arn == self.balancer_arn() || arn == self.listener_arn() {
            return Ok(BTreeMap::new());
        }
        if let Some(tags) = self.own_tags(arn) {
            return Ok(tags);
        }
        if let Some(tags) = self.rule_tags(arn) {
            return Ok(tags.clone());
        }
        if arn == self.default_rule_arn() {
            return Ok(self.services.balancing.default_tags.clone());
        }
        if arn.contains(":targetgroup/") {
            let found = self.sharing().find(|e| self.target_group_arn(e) == arn);
            let found = found.ok_or_else(|| not_found("TargetGroup", "target groups"))?;
            let own = [
                ("elasticbeanstalk:environment-id", found.id.clone()),
                ("elasticbeanstalk:environment-name", found.name.clone()),
                (
                    "aws:cloudformation:logical-id",
                    "AWSEBV2LoadBalancerTargetGroup".to_owned(),
                ),
            ];
            let own = own.into_iter().map(|(key, value)| (key.to_owned(), value));
            return Ok(own.chain(found.tags.iter().cloned()).collect());
        }
        Err(not_found("Rule", "rules"))
    }

    fn add_elb_tags(&mut self, form: &Form) -> Answer {
        let arns: Vec<String> = form
            .list("ResourceArns")
            .into_iter()
            .map(str::to_owned)
            .collect();
        let tags = tags(form);
        for arn in arns {
            if arn == self.default_rule_arn() {
                let own = &mut self.services.balancing.default_tags;
                own.extend(tags.clone());
                continue;
            }
            let found = self
                .services
                .balancing
                .rules
                .iter_mut()
                .find(|r| r.arn == arn);
            let rule = found.ok_or_else(|| not_found("Rule", "rules"))?;
            rule.tags.extend(tags.clone());
        }
        Ok(json!({}))
    }

    fn create_rule(&mut self, form: &Form, input: &Value) -> Answer {
        let asked = form.get("ListenerArn").unwrap_or_default();
        let balancers = self.balancers();
        let mut listeners = balancers.iter().flat_map(|b| self.listeners_of(b));
        let listener = listeners.find(|listener| listener.arn == asked);
        let listener = listener.ok_or_else(|| not_found("Listener", "listeners"))?;
        let priority = form
            .get("Priority")
            .and_then(|text| text.parse().ok())
            .filter(|priority| (1..=PRIORITY_MAX).contains(priority))
            .ok_or_else(|| invalid("Priority must be between 1 and 50000"))?;
        let taken = self.rules_of(&listener);
        if taken.iter().any(|rule| rule.priority == priority) {
            return Err(ApiError::new(
                "PriorityInUse",
                format!("Priority '{priority}' is currently in use"),
            ));
        }
        self.check_actions(&input["Actions"])?;
        check_secrets(&input["Actions"], None)?;
        let (arn, listener) = match listener.arn == self.listener_arn() {
            true => (self.new_rule_arn(), None),
            false => (self.new_rule_of(&listener.arn), Some(listener.arn)),
        };
        let rule = Rule {
            arn,
            priority,
            conditions: normal_conditions(&input["Conditions"]),
            actions: normal_actions(&input["Actions"]),
            tags: tags(form),
            owner: None,
            listener,
        };
        let answer = json!({ "Rules": [told_of(&rule)] });
        self.services.balancing.rules.push(rule);
        Ok(answer)
    }

    fn modify_rule(&mut self, form: &Form, input: &Value) -> Answer {
        let arn = form
            .get("RuleArn")
            .ok_or_else(|| invalid("A rule ARN must be specified"))?;
        if arn == self.default_rule_arn() {
            return Err(ApiError::new(
                "OperationNotPermitted",
                format!("Default rule '{arn}' cannot be modified"),
            ));
        }
        let at = self
            .services
            .balancing
            .rules
            .iter()
            .position(|rule| rule.arn == arn)
            .ok_or_else(|| not_found("Rule", "rules"))?;
        let (conditions, actions) = (&input["Conditions"], &input["Actions"]);
        if conditions.is_null() && actions.is_null() {
            return Err(invalid("Either conditions or actions must be specified"));
        }
        if !actions.is_null() {
            self.check_actions(actions)?;
            let before = &self.services.balancing.rules[at].actions;
            check_secrets(actions, Some(before))?;
        }
        let rule = &mut self.services.balancing.rules[at];
        if !conditions.is_null() {
            rule.conditions = normal_conditions(conditions);
        }
        if !actions.is_null() {
            rule.actions = normal_actions(actions);
        }
        Ok(json!({ "Rules": [told_of(rule)] }))
    }

    fn delete_rule(&mut self, form: &Form) -> Answer {
        let arn = form.get("RuleArn").unwrap_or_default();
        let rules = &mut self.services.balancing.rules;
        let before = rules.len();
        rules.retain(|rule| rule.arn != arn);
        if rules.len() == before {
            return Err(not_found("Rule", "rules"));
        }
        Ok(json!({}))
    }

    /// Exactly one action routes, it is the last, and what it forwards to is there.
    fn check_actions(&self, actions: &Value) -> Result<(), ApiError> {
        let kinds: Vec<&str> = members(actions)
            .filter_map(|a| a["Type"].as_str())
            .collect();
        let routes = |kind: &&str| ["forward", "redirect", "fixed-response"].contains(kind);
        if kinds.iter().filter(|kind| routes(kind)).count() != 1 {
            return Err(ApiError::new(
                "InvalidLoadBalancerAction",
                "The actions must contain exactly one of forward, redirect, or fixed-response",
            ));
        }
        let targets = forwards(actions);
        if kinds.contains(&"forward") && targets.is_empty() {
            return Err(invalid("A target group ARN must be specified"));
        }
        if targets.len() > FORWARDS_MAX || targets.iter().any(|(_, weight)| *weight > WEIGHT_MAX) {
            return Err(invalid(
                "A forward action has at most 5 target groups, with weights from 0 to 999",
            ));
        }
        for (arn, _) in targets {
            if !self.groups().iter().any(|group| group.arn == arn) {
                return Err(not_found("TargetGroup", "target groups"));
            }
        }
        Ok(())
    }
}

/// A client's secret is given, or the one that a rule has is kept; it is told to nobody
/// (API reference, `AuthenticateOidcActionConfig`).
fn check_secrets(actions: &Value, before: Option<&Value>) -> Result<(), ApiError> {
    let authenticates = |actions: &Value| members(actions).any(|action| action["Type"] == OIDC);
    for action in members(actions).filter(|action| action["Type"] == OIDC) {
        let config = &action["AuthenticateOidcConfig"];
        let is_given = config["ClientSecret"]
            .as_str()
            .is_some_and(|s| !s.is_empty());
        let is_kept = config["UseExistingClientSecret"] == "true";
        let keeps = is_kept && before.is_some_and(authenticates);
        if is_given == keeps {
            return Err(invalid(
                "Either a client secret must be specified or UseExistingClientSecret must be true",
            ));
        }
    }
    Ok(())
}

/// The target groups that actions forward to, with their weights.
fn forwards(actions: &Value) -> Vec<(String, u32)> {
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

/// Actions as they are told: in their order, forwards in both of their forms where they
/// have one target.
fn normal_actions(actions: &Value) -> Value {
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

/// Conditions as they are told: the values of a host or a path in both of their forms.
fn normal_conditions(conditions: &Value) -> Value {
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

fn told_of(rule: &Rule) -> Value {
    json!({
        "RuleArn": rule.arn,
        "Priority": rule.priority.to_string(),
        "Conditions": rule.conditions,
        "Actions": rule.actions,
        "IsDefault": false,
    })
}

fn default_actions() -> Value {
    json!([{
        "Type": "fixed-response",
        "Order": "1",
        "FixedResponseConfig": { "StatusCode": "404", "ContentType": "text/plain" },
    }])
}

fn members(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn tags(form: &Form) -> BTreeMap<String, String> {
    let tag = |tag: &Form| {
        let field = |name| tag.get(name).unwrap_or_default().to_owned();
        (field("Key"), field("Value"))
    };
    form.members("Tags").iter().map(tag).collect()
}

/// A page of a list (`PageSize`, 1 to 400) and where the next begins.
fn page(form: &Form, list: &str, all: Vec<Value>) -> Answer {
    let size = match form.get("PageSize") {
        None => PAGE_MAX,
        Some(text) => text
            .parse()
            .ok()
            .filter(|size| (1..=PAGE_MAX).contains(size))
            .ok_or_else(|| invalid("PageSize must be between 1 and 400"))?,
    };
    let start: usize = match form.get("Marker") {
        None => 0,
        Some(marker) => marker.parse().map_err(|_| invalid("Invalid marker"))?,
    };
    let total = all.len();
    let shown: Vec<Value> = all.into_iter().skip(start).take(size).collect();
    let next = start + shown.len();
    let marker = (next < total).then(|| next.to_string());
    Ok(json!({ list: shown, "NextMarker": marker }))
}

fn not_found(what: &str, in_words: &str) -> ApiError {
    ApiError::new(
        &format!("{what}NotFound"),
        format!("One or more {in_words} not found"),
    )
}

fn invalid(message: &str) -> ApiError {
    ApiError::new("ValidationError", message)
}
