//! How well an environment is, in the service's words and colours. Pure.

use serde::{Deserialize, Serialize};

/// How well an environment is, the best first: what is left of the service's words once they say
/// anything (developer guide, "Health colors and statuses").
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Ok or Info; Green with basic health.
    #[default]
    Ok,
    /// Warning; Yellow with basic health.
    Warning,
    /// Degraded.
    Degraded,
    /// Severe; Red with basic health, which may be anything.
    Severe,
}

impl Health {
    /// The health that these stand for; none where they say nothing yet, or nothing any more
    /// (Pending, Suspended, Grey).
    ///
    /// With basic health the colour decides. No page documents whether the service then leaves the
    /// status out or says that it is unknown; with enhanced health an unknown one is always Grey,
    /// so that the colour distinguishes the two.
    #[must_use]
    pub fn of(status: Option<&str>, colour: &str) -> Option<Health> {
        match status.unwrap_or_default() {
            "Ok" | "Info" => Some(Health::Ok),
            "Warning" => Some(Health::Warning),
            "Degraded" => Some(Health::Degraded),
            "Severe" => Some(Health::Severe),
            "" | "Unknown" | "No Data" | "NoData" => match colour {
                "Green" => Some(Health::Ok),
                "Yellow" => Some(Health::Warning),
                "Red" => Some(Health::Severe),
                _ => None,
            },
            _ => None,
        }
    }

    /// The worst health that an environment's own `HealthCheckSuccessThreshold` takes for a
    /// success (developer guide, "General options for all environments"); none where it is no
    /// such value.
    #[must_use]
    pub fn threshold(value: &str) -> Option<Health> {
        match value {
            "Ok" => Some(Health::Ok),
            "Warning" => Some(Health::Warning),
            "Degraded" => Some(Health::Degraded),
            "Severe" => Some(Health::Severe),
            _ => None,
        }
    }

    /// In the service's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Health::Ok => "Ok",
            Health::Warning => "Warning",
            Health::Degraded => "Degraded",
            Health::Severe => "Severe",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Developer guide, "Health colors and statuses", and for basic health "Basic health
    /// reporting".
    #[test]
    fn words_and_colours_stand_for_a_health() {
        for (status, colour, health) in [
            (Some("Ok"), "Green", Some(Health::Ok)),
            (Some("Info"), "Green", Some(Health::Ok)),
            (Some("Warning"), "Yellow", Some(Health::Warning)),
            (Some("Degraded"), "Red", Some(Health::Degraded)),
            (Some("Severe"), "Red", Some(Health::Severe)),
            (Some("Pending"), "Grey", None),
            (Some("Suspended"), "Grey", None),
            (Some("Unknown"), "Grey", None),
            (Some("No Data"), "Grey", None),
            (None, "Green", Some(Health::Ok)),
            (None, "Yellow", Some(Health::Warning)),
            (None, "Red", Some(Health::Severe)),
            (None, "Grey", None),
        ] {
            assert_eq!(Health::of(status, colour), health, "{status:?} {colour}");
        }
    }

    /// No public source settles whether basic health leaves the status out: the API's model
    /// allows both.
    #[test]
    fn with_basic_health_a_status_that_is_unknown_is_none() {
        for status in [None, Some("Unknown"), Some("No Data"), Some("")] {
            assert_eq!(Health::of(status, "Green"), Some(Health::Ok), "{status:?}");
            assert_eq!(Health::of(status, "Yellow"), Some(Health::Warning));
        }
    }

    #[test]
    fn the_worst_is_the_greatest() {
        let all = [
            Health::Ok,
            Health::Warning,
            Health::Degraded,
            Health::Severe,
        ];
        assert!(all.is_sorted());
        for health in all {
            assert_eq!(Health::threshold(health.word()), Some(health));
        }
        assert_eq!(Health::threshold("ok"), None);
    }
}
