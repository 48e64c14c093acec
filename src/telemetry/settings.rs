//! What the standard variables say: which signals are sent. Pure.

/// The signals that are sent to a collector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether traces are.
    pub traces: bool,
    /// Whether metrics are.
    pub metrics: bool,
    /// Whether a variable gives the service another name.
    pub has_service_name: bool,
}

/// The only protocol of OTLP that bluegreen has.
const PROTOCOL: &str = "http/protobuf";

impl Settings {
    /// What the variables say, and warnings about values that have no effect.
    #[must_use]
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> (Settings, Vec<String>) {
        let set = |name: &str| {
            let value = variable(name)?.trim().to_owned();
            (!value.is_empty()).then_some(value)
        };
        let mut warnings = Vec::new();
        if set("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return (Settings::default(), warnings);
        }
        let mut is_sent = |signal: &str| {
            let named = format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT");
            let has_endpoint = set(&named).or_else(|| set("OTEL_EXPORTER_OTLP_ENDPOINT"));
            let exporter = set(&format!("OTEL_{signal}_EXPORTER"));
            if has_endpoint.is_none() || exporter.as_deref() == Some("none") {
                return false;
            }
            let own = format!("OTEL_EXPORTER_OTLP_{signal}_PROTOCOL");
            let given = [own.as_str(), "OTEL_EXPORTER_OTLP_PROTOCOL"];
            let given = given.into_iter().find_map(|name| Some((name, set(name)?)));
            match given {
                Some((name, other)) if other != PROTOCOL => {
                    let signal = signal.to_lowercase();
                    warnings.push(format!(
                        "{name}={other}: bluegreen sends {PROTOCOL} alone, so it sends no {signal}; \
                         name the collector's HTTP endpoint, port 4318 as a rule, and set {name} to \
                         {PROTOCOL}"
                    ));
                    false
                }
                _ => true,
            }
        };
        let (traces, metrics) = (is_sent("TRACES"), is_sent("METRICS"));
        let attributes = set("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
        let mut attributes = attributes.split(',').map(str::trim);
        let settings = Settings {
            traces,
            metrics,
            has_service_name: set("OTEL_SERVICE_NAME").is_some()
                || attributes.any(|attribute| attribute.starts_with("service.name=")),
        };
        (settings, warnings)
    }

    /// Whether anything is sent.
    #[must_use]
    pub fn is_on(self) -> bool {
        self.traces || self.metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> (bool, bool, usize) {
        let (settings, warnings) = Settings::of(|name| {
            let found = variables.iter().find(|(given, _)| *given == name);
            found.map(|(_, value)| (*value).to_owned())
        });
        for warning in &warnings {
            assert!(warning.contains("grpc"), "{warning}");
        }
        (settings.traces, settings.metrics, warnings.len())
    }

    #[test]
    fn the_standard_variables_say_what_is_sent() {
        const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318");
        const TRACES: (&str, &str) = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://a/v1/traces");
        assert_eq!(of(&[]), (false, false, 0));
        assert_eq!(of(&[(ENDPOINT.0, " ")]), (false, false, 0));
        assert_eq!(of(&[ENDPOINT]), (true, true, 0));
        assert_eq!(of(&[TRACES]), (true, false, 0));
        assert_eq!(
            of(&[ENDPOINT, ("OTEL_SDK_DISABLED", "True")]),
            (false, false, 0)
        );
        assert_eq!(
            of(&[ENDPOINT, ("OTEL_METRICS_EXPORTER", "none")]),
            (true, false, 0)
        );
        let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
        assert_eq!(of(&[ENDPOINT, grpc]), (false, false, 2));
        let own = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf");
        assert_eq!(of(&[ENDPOINT, grpc, own]), (true, false, 1));
    }
}
