//! What somebody has put onto an environment's own load balancer outside Elastic Beanstalk: its
//! settings do not list it, and a clone does not have it (developer guide, "Cloning an Elastic
//! Beanstalk environment": "unmanaged changes").

use std::fmt;

use aws_sdk_elasticloadbalancingv2::types::{Action, Listener, Rule};

use super::clients::AwsCloud;
use super::configuration::Configuration;
use super::failure::{PAGES_MAX, endless, look_error};
use super::rules::{TAG_ENVIRONMENT_ID, hosts, tag, targets};
use super::waf;
use crate::cloud::LookError;

/// The tag that CloudFormation puts on what a stack has made.
const TAG_STACK: &str = "aws:cloudformation:stack-id";

/// Something on a load balancer that its environment's settings do not list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unmanaged {
    /// AWS WAF protects it with the web ACL of this name.
    WebAcl(String),
    /// A listener.
    Listener {
        /// Its port.
        port: u16,
        /// As in `HTTPS`.
        protocol: String,
    },
    /// What a listener does where no rule applies, as in `redirect`.
    DefaultAction {
        /// The listener's port.
        port: u16,
        /// The action's type.
        action: String,
    },
    /// A rule of a listener.
    Rule {
        /// The listener's port.
        port: u16,
        /// Its priority.
        priority: String,
        /// What it is for, as in `/admin/*`.
        of: String,
    },
    /// A further certificate of a listener.
    Certificate {
        /// The listener's port.
        port: u16,
        /// The certificate's ARN.
        arn: String,
    },
    /// A target group that it forwards to, by its name.
    TargetGroup(String),
}

impl fmt::Display for Unmanaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unmanaged::WebAcl(name) => write!(f, "the web ACL {name} of AWS WAF"),
            Unmanaged::Listener { port, protocol } => {
                write!(f, "the listener on port {port} ({protocol})")
            }
            Unmanaged::DefaultAction { port, action } => {
                write!(f, "the default action {action} on port {port}")
            }
            Unmanaged::Rule { port, priority, of } => {
                write!(
                    f,
                    "the rule with priority {priority} on port {port}, for {of}"
                )
            }
            Unmanaged::Certificate { port, arn } => {
                write!(f, "the certificate {arn} on port {port}")
            }
            Unmanaged::TargetGroup(name) => write!(f, "the target group {name}"),
        }
    }
}

/// What was found on a load balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// What the settings do not list.
    pub found: Vec<Unmanaged>,
    /// Why something could not be read, in words.
    pub unread: Vec<String>,
}

impl AwsCloud {
    /// What is on the load balancer that an environment has for itself, an application or network
    /// one, and not in its settings.
    ///
    /// # Errors
    /// [`LookError`] where nothing could be read; `unread` in the answer names single parts that
    /// could not.
    pub async fn beside(
        &self,
        environment_id: &str,
        configuration: &Configuration,
    ) -> Result<Beside, LookError> {
        let resources = self.resources(environment_id).await?;
        let arn = resources.balancer.filter(|name| name.starts_with("arn:"));
        let Some(balancer) = arn else {
            return Ok(Beside::default());
        };
        let mut beside = Beside::default();
        if balancer.contains(":loadbalancer/app/") {
            match waf::web_acl_of(&self.lazy_clients, &balancer).await {
                Ok(name) => beside.found.extend(name.map(Unmanaged::WebAcl)),
                Err(LookError::Credentials(why)) => return Err(LookError::Credentials(why)),
                Err(error) => beside.unread.push(error.to_string()),
            }
        }
        match self
            .on_listeners(&balancer, environment_id, configuration)
            .await
        {
            Ok(found) => beside.found.extend(found),
            Err(LookError::Credentials(why)) => return Err(LookError::Credentials(why)),
            Err(error) => beside.unread.push(error.to_string()),
        }
        beside.found.sort();
        Ok(beside)
    }

    async fn on_listeners(
        &self,
        balancer: &str,
        environment_id: &str,
        configuration: &Configuration,
    ) -> Result<Vec<Unmanaged>, LookError> {
        let (listeners, groups) =
            tokio::try_join!(self.listeners(balancer), self.groups_behind(balancer),)?;
        let own: Vec<&str> = (groups.iter())
            .filter(|(_, environment)| environment.as_deref() == Some(environment_id))
            .map(|(arn, _)| arn.as_str())
            .collect();
        let mut found = Vec::new();
        for (arn, environment) in &groups {
            if environment.is_none() {
                let name = arn.rsplit('/').nth(1).unwrap_or(arn);
                found.push(Unmanaged::TargetGroup(name.to_owned()));
            }
        }
        for listener in &listeners {
            let port = port(listener);
            if !configuration.listens(port) {
                let protocol = listener.protocol.as_ref().map(|p| p.as_str().to_owned());
                let protocol = protocol.unwrap_or_default();
                // Whatever is on it goes with it.
                found.push(Unmanaged::Listener { port, protocol });
                continue;
            }
            let actions = listener.default_actions.as_deref().unwrap_or_default();
            found.extend(
                other_action(actions, &own).map(|action| Unmanaged::DefaultAction { port, action }),
            );
            let arn = listener.listener_arn.as_deref().unwrap_or_default();
            found.extend(self.rules_beside(arn, port, configuration).await?);
            let is_secure = listener
                .certificates
                .as_deref()
                .is_some_and(|c| !c.is_empty());
            if is_secure {
                let certificates = self.certificates(arn).await?;
                let set = configuration.certificates(port);
                let further = certificates
                    .into_iter()
                    .filter(|arn| !set.contains(&arn.as_str()));
                found.extend(further.map(|arn| Unmanaged::Certificate { port, arn }));
            }
        }
        Ok(found)
    }

    /// The rules of a listener that come neither from the settings nor from the environment's
    /// stack.
    async fn rules_beside(
        &self,
        listener: &str,
        port: u16,
        configuration: &Configuration,
    ) -> Result<Vec<Unmanaged>, LookError> {
        let set = configuration.rule_priorities(port);
        let rules = self.rules_on(listener).await?.into_iter();
        let other = rules.filter(|rule| {
            let priority = rule.priority.as_deref().unwrap_or_default();
            rule.is_default != Some(true) && !set.iter().any(|set| set == priority)
        });
        let other: Vec<Rule> = other.collect();
        let arns = other
            .iter()
            .filter_map(|rule| rule.rule_arn.clone())
            .collect();
        let tagged = self.elb_tags(arns).await?;
        let of_stack = |rule: &Rule| {
            let mut of_rule = tagged.iter().filter(|t| t.resource_arn == rule.rule_arn);
            of_rule.any(|t| tag(t, TAG_STACK).or(tag(t, TAG_ENVIRONMENT_ID)).is_some())
        };
        let beside = other.iter().filter(|rule| !of_stack(rule));
        Ok(beside
            .map(|rule| Unmanaged::Rule {
                port,
                priority: rule.priority.clone().unwrap_or_default(),
                of: of(rule),
            })
            .collect())
    }

    /// The ARNs of a listener's certificates.
    async fn certificates(&self, listener: &str) -> Result<Vec<String>, LookError> {
        let mut found = Vec::new();
        let mut marker = None;
        for _ in 0..PAGES_MAX {
            let page = self
                .elb
                .describe_listener_certificates()
                .listener_arn(listener)
                .set_marker(marker)
                .send()
                .await
                .map_err(|e| look_error("DescribeListenerCertificates", &e))?;
            let certificates = page.certificates.unwrap_or_default().into_iter();
            found.extend(certificates.filter_map(|certificate| certificate.certificate_arn));
            marker = page.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(found);
            }
        }
        Err(endless("DescribeListenerCertificates"))
    }
}

impl Configuration {
    /// Whether the settings of an application or network load balancer have a listener on this
    /// port: the default one on port 80 unless it is switched off, and one for each that is set.
    fn listens(&self, port: u16) -> bool {
        let namespace = format!("aws:elbv2:listener:{port}");
        let is_off = |namespace: &str| {
            let enabled = self.value(namespace, "ListenerEnabled");
            enabled.is_some_and(|value| value.eq_ignore_ascii_case("false"))
        };
        let is_set = self.has_any(&namespace) && !is_off(&namespace);
        is_set || port == 80 && !is_off("aws:elbv2:listener:default")
    }

    /// The certificates that the settings give the listener on a port.
    fn certificates(&self, port: u16) -> Vec<&str> {
        let set = self.listener_option(port, "SSLCertificateArns");
        let arns = set.unwrap_or_default().split(',').map(str::trim);
        arns.filter(|arn| !arn.is_empty()).collect()
    }

    /// The priorities of the rules that the settings give the listener on a port (developer
    /// guide, "General options", `aws:elbv2:listenerrule`: 1 unless set).
    fn rule_priorities(&self, port: u16) -> Vec<String> {
        let names = self.listener_option(port, "Rules").unwrap_or_default();
        let names = names
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        let priority = |name: &str| {
            let set = self.value(&format!("aws:elbv2:listenerrule:{name}"), "Priority");
            set.unwrap_or("1").to_owned()
        };
        names.map(priority).collect()
    }

    fn listener_option(&self, port: u16, name: &str) -> Option<&str> {
        let of_port = self.value(&format!("aws:elbv2:listener:{port}"), name);
        let of_default = || self.value("aws:elbv2:listener:default", name);
        of_port.or_else(|| of_default().filter(|_| port == 80))
    }
}

fn port(listener: &Listener) -> u16 {
    let port = listener.port.unwrap_or_default();
    u16::try_from(port).unwrap_or_default()
}

/// The type of the action that routes, where it does not forward to the environment's own target
/// groups alone.
fn other_action(actions: &[Action], own: &[&str]) -> Option<String> {
    let action = actions.last()?;
    let targets = targets(action);
    let is_own = !targets.is_empty() && targets.iter().all(|to| own.contains(&to.as_str()));
    let kind = action.r#type.as_ref().map(|kind| kind.as_str().to_owned());
    (!is_own).then(|| kind.unwrap_or_default())
}

/// What a rule is for, in the values of its conditions.
fn of(rule: &Rule) -> String {
    let conditions = rule.conditions.as_deref().unwrap_or_default();
    let mut values: Vec<String> = hosts(conditions);
    for condition in conditions {
        let paths = condition.path_pattern_config.as_ref();
        values.extend(
            paths
                .and_then(|config| config.values.clone())
                .unwrap_or_default(),
        );
        if condition.host_header_config.is_none() && paths.is_none() {
            values.extend(condition.field.clone());
        }
    }
    values.sort();
    values.dedup();
    match values.is_empty() {
        true => "everything".to_owned(),
        false => values.join(", "),
    }
}
