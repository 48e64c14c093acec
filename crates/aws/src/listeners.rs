//! Which ports the load balancer of an environment listens on, as its options say.

use super::configuration::Configuration;
use bluegreen_core::acceptance::Front;

/// The port of http listeners that set none.
const HTTP: u16 = 80;

impl Configuration {
    /// How to send a path to the environment: by http, unless its listener for that is switched off
    /// and there is one for https (developer guide, "Configuring an Application Load Balancer",
    /// "Configuring a Classic Load Balancer").
    #[must_use]
    pub fn front(&self) -> Front {
        match self.https_alone() {
            Some(port) => Front::Https { port },
            None => Front::Http,
        }
    }

    /// The port of the listener for https where there is none for http.
    fn https_alone(&self) -> Option<u16> {
        let (prefix, protocol, default) = match self.balancer_type()? {
            "classic" => ("aws:elb:listener:", "ListenerProtocol", "aws:elb:listener"),
            _ => (
                "aws:elbv2:listener:",
                "Protocol",
                "aws:elbv2:listener:default",
            ),
        };
        let is_off = |namespace: &str| {
            let enabled = self.value(namespace, "ListenerEnabled");
            enabled.is_some_and(|value| value.eq_ignore_ascii_case("false"))
        };
        // The classic one had options before there were listeners.
        let legacy = |name| self.value("aws:elb:loadbalancer", name);
        let default_is_off = is_off(default)
            || prefix == "aws:elb:listener:"
                && (is_off("aws:elb:listener:80") || legacy("LoadBalancerHTTPPort") == Some("OFF"));
        let listeners = self.settings.iter().filter_map(|setting| {
            let port: u16 = setting.namespace.strip_prefix(prefix)?.parse().ok()?;
            let is_protocol = setting.name == protocol && !is_off(&setting.namespace);
            Some((port, setting.value.as_deref().filter(|_| is_protocol)?))
        });
        let listeners: Vec<_> = listeners.collect();
        let answers_http =
            |(port, protocol): &(u16, &str)| *port == HTTP && matches!(*protocol, "HTTP" | "TCP");
        if !default_is_off || listeners.iter().any(answers_http) {
            return None;
        }
        let secure = listeners
            .iter()
            .filter(|(_, protocol)| matches!(*protocol, "HTTPS" | "TLS" | "SSL"));
        let secure = secure.map(|(port, _)| *port);
        let before = legacy("LoadBalancerHTTPSPort").and_then(|port| port.parse().ok());
        // The usual one first.
        secure
            .chain(before)
            .min_by_key(|port| (*port != 443, *port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::Setting;

    fn front(kind: &str, options: &[(&str, &str, &str)]) -> Front {
        let of_kind = ("aws:elasticbeanstalk:environment", "LoadBalancerType", kind);
        let settings = options.iter().chain([&of_kind]);
        let settings = settings.map(|(namespace, name, value)| Setting {
            namespace: (*namespace).to_owned(),
            name: (*name).to_owned(),
            resource: None,
            value: Some((*value).to_owned()),
        });
        let configuration = Configuration {
            settings: settings.collect(),
            ..Configuration::default()
        };
        configuration.front()
    }

    const HTTPS: Front = Front::Https { port: 443 };

    /// Developer guide, "Configuring an Application Load Balancer": `aws:elbv2:listener:default`
    /// is the listener on port 80.
    #[test]
    fn an_application_balancer_may_listen_for_https_alone() {
        let off = ("aws:elbv2:listener:default", "ListenerEnabled", "false");
        let https = ("aws:elbv2:listener:443", "Protocol", "HTTPS");
        let elsewhere = ("aws:elbv2:listener:8443", "Protocol", "HTTPS");
        let http = ("aws:elbv2:listener:80", "Protocol", "HTTP");
        assert_eq!(front("application", &[]), Front::Http);
        assert_eq!(front("application", &[https]), Front::Http);
        assert_eq!(
            front("application", &[off]),
            Front::Http,
            "it listens for nothing"
        );
        assert_eq!(front("application", &[off, elsewhere, https]), HTTPS);
        assert_eq!(
            front("application", &[off, elsewhere]),
            Front::Https { port: 8443 }
        );
        assert_eq!(front("application", &[off, https, http]), Front::Http);
        let secure_off = ("aws:elbv2:listener:443", "ListenerEnabled", "false");
        assert_eq!(front("application", &[off, https, secure_off]), Front::Http);
    }

    /// Developer guide, "General options for all environments", `aws:elb:listener`, and
    /// `aws:elb:loadbalancer`, whose `LoadBalancerHTTPPort` may be OFF.
    #[test]
    fn a_classic_balancer_may_listen_for_https_alone() {
        let https = ("aws:elb:listener:443", "ListenerProtocol", "HTTPS");
        for off in [
            ("aws:elb:listener", "ListenerEnabled", "false"),
            ("aws:elb:listener:80", "ListenerEnabled", "false"),
            ("aws:elb:loadbalancer", "LoadBalancerHTTPPort", "OFF"),
        ] {
            assert_eq!(front("classic", &[off, https]), HTTPS, "{off:?}");
            assert_eq!(front("classic", &[off]), Front::Http, "{off:?}");
        }
        let legacy = [
            ("aws:elb:loadbalancer", "LoadBalancerHTTPPort", "OFF"),
            ("aws:elb:loadbalancer", "LoadBalancerHTTPSPort", "443"),
        ];
        assert_eq!(front("classic", &legacy), HTTPS);
        assert_eq!(front("classic", &[https]), Front::Http);
    }
}
