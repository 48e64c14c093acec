//! The load balancers: the one that environments may share, and those that they have for
//! themselves, as their option settings make them (developer guide, "Configuring an Application
//! Load Balancer"). What somebody has put onto one outside the settings is no part of them, and a
//! clone does not have it.
//!
//! An environment shares one whose option settings say so: `LoadBalancerIsShared` in
//! `aws:elasticbeanstalk:environment` and `SharedLoadBalancer` in `aws:elbv2:loadbalancer`
//! (developer guide, "Configuring a shared Application Load Balancer").

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::world::World;
use crate::world::balancing::{
    Listener, TargetGroup, default_actions, forwards, members, normal_actions,
};
use crate::world::environment::Environment;
use crate::world::setting::{ENVIRONMENT, Setting};

/// A load balancer.
pub(crate) struct Balancer<'a> {
    pub arn: String,
    pub name: String,
    pub dns_name: String,
    /// application or network.
    pub kind: &'static str,
    /// The environment that it belongs to; `None` for the shared one.
    pub environment: Option<&'a Environment>,
}

impl World {
    /// The ARN of the load balancer that an environment has for itself; `None` where it has none,
    /// shares one or has a classic one.
    #[must_use]
    pub fn own_balancer(&self, environment: &str) -> Option<String> {
        let environment = self.environment(environment)?;
        self.balancer_of(environment).map(|balancer| balancer.arn)
    }

    /// The name of an environment's own load balancer; `None` where it has none.
    pub(crate) fn balancer_name(&self, environment: &Environment) -> Option<String> {
        self.balancer_of(environment).map(|balancer| balancer.arn)
    }

    fn balancer_of<'a>(&self, environment: &'a Environment) -> Option<Balancer<'a>> {
        let own = |name: &str| environment.setting(ENVIRONMENT, name);
        if own("LoadBalancerIsShared") == Some("true") || environment.is_unbalanced() {
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
    pub(crate) fn balancers(&self) -> Vec<Balancer<'_>> {
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

    /// The listeners of a load balancer: the one on port 80 unless it is switched off, one for each
    /// port that the settings name, and those that somebody has added outside them.
    pub(crate) fn listeners_of(&self, balancer: &Balancer<'_>) -> Vec<Listener> {
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

    /// Every target group there is.
    pub(crate) fn target_groups(&self) -> Vec<TargetGroup> {
        let balanced = self.environments().filter(|e| {
            self.balancer_of(e).is_some() || self.sharing().any(|sharing| sharing.id == e.id)
        });
        let own = balanced.map(|environment| {
            let arn = self.target_group_arn(environment);
            TargetGroup {
                name: arn.split('/').nth(1).unwrap_or_default().to_owned(),
                arn,
                environment: Some(environment.id.clone()),
            }
        });
        let by_hand = self.services.balancing.by_hand.groups.iter().cloned();
        own.chain(by_hand).collect()
    }

    /// Whether a load balancer forwards to a target group, or the service has made it for that.
    pub(crate) fn is_behind(&self, group: &TargetGroup, balancer: &Balancer<'_>) -> bool {
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

    /// The tags of what is an environment's own: its load balancer and its target group bear those
    /// of its stack, and what somebody has added outside its settings bears none. `None` where
    /// there is no such thing.
    pub(crate) fn own_tags(&self, arn: &str) -> Option<BTreeMap<String, String>> {
        let balancers = self.balancers();
        let own = balancers.iter().filter_map(|b| Some((b, b.environment?)));
        for (balancer, environment) in own {
            if balancer.arn == arn {
                return Some(self.stack_tags(environment, "AWSEBV2LoadBalancer"));
            }
            if self.target_group_arn(environment) == arn {
                return Some(self.stack_tags(environment, "AWSEBV2LoadBalancerTargetGroup"));
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
    pub(crate) fn is_balanced_by(
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

    /// Whether this is the ARN of an application load balancer.
    pub(crate) fn is_application_balancer(&self, arn: &str) -> bool {
        let mut balancers = self.balancers().into_iter();
        balancers.any(|balancer| balancer.arn == arn && balancer.kind == "application")
    }

    /// The ARN of the web ACL that protects a load balancer.
    pub(crate) fn web_acl_of(&self, balancer: &str) -> Option<&String> {
        self.services.balancing.by_hand.web_acls.get(balancer)
    }

    /// Puts a web ACL before a load balancer, or removes it.
    pub(crate) fn set_web_acl(&mut self, balancer: String, arn: Option<String>) {
        let web_acls = &mut self.services.balancing.by_hand.web_acls;
        match arn {
            Some(arn) => web_acls.insert(balancer, arn),
            None => web_acls.remove(&balancer),
        };
    }

    /// A listener of any load balancer.
    pub(crate) fn listener(&self, arn: &str) -> Option<Listener> {
        let balancers = self.balancers();
        let mut listeners = balancers.iter().flat_map(|b| self.listeners_of(b));
        listeners.find(|listener| listener.arn == arn)
    }
}

/// The path of the load balancer's ARN after its type.
pub(crate) const BALANCER: &str = "app/shop-shared/50dc6c495c0c9188";
pub(crate) const LISTENER: &str = "f2f7dc8efc522ab2";

impl World {
    /// Moves an environment onto the shared load balancer.
    pub fn share_load_balancer(&mut self, environment: &str) {
        let balancer = self.balancer_arn();
        let setting = Setting::new;
        let mut all = self.view.environments.iter();
        let Some(at) = all.position(|e| e.is_alive() && e.name == environment) else {
            return;
        };
        let found = &mut self.view.environments[at];
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
        self.balance(at);
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

    pub(crate) fn sharing(&self) -> impl Iterator<Item = &Environment> {
        self.environments().filter(|e| self.shares(e))
    }

    /// Whether an environment shares the load balancer with others.
    pub(crate) fn shares(&self, environment: &Environment) -> bool {
        let is_set = |namespace: &str, name: &str, value: &str| {
            environment.setting(namespace, name) == Some(value)
        };
        !environment.is_unbalanced()
            && is_set(ENVIRONMENT, "LoadBalancerIsShared", "true")
            && is_set(
                "aws:elbv2:loadbalancer",
                "SharedLoadBalancer",
                &self.balancer_arn(),
            )
    }

    pub(crate) fn elb_arn(&self, rest: &str) -> String {
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

    pub(crate) fn listener_arn(&self) -> String {
        self.elb_arn(&format!("listener/{BALANCER}/{LISTENER}"))
    }

    /// The ARN of an environment's target group; its name is that of its id.
    pub(crate) fn target_group_arn(&self, environment: &Environment) -> String {
        let id = environment.id.trim_start_matches("e-");
        self.elb_arn(&format!(
            "targetgroup/awseb-{id}/{:016x}",
            environment.created
        ))
    }
}
