//! A moment, and parts of durations.

// Numbers here are read from others.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A duration divided by `parts`; all of it where `parts` is 0.
#[must_use]
pub fn part(whole: Duration, parts: u32) -> Duration {
    whole.checked_div(parts).unwrap_or(whole)
}

/// A moment in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Moment(pub u64);

impl Moment {
    /// The moment `duration` later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Moment {
        Moment(self.0.saturating_add(millis(duration)))
    }

    /// The moment `duration` earlier, never before the epoch.
    #[must_use]
    pub fn before(self, duration: Duration) -> Moment {
        Moment(self.0.saturating_sub(millis(duration)))
    }

    /// The time that has passed since `earlier`; zero where `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Moment {
        Moment(millis(time.duration_since(UNIX_EPOCH).unwrap_or_default()))
    }
}

impl From<Moment> for SystemTime {
    fn from(moment: Moment) -> SystemTime {
        UNIX_EPOCH
            .checked_add(Duration::from_millis(moment.0))
            .unwrap_or(UNIX_EPOCH)
    }
}

/// RFC 3339 in UTC, to the second.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // humantime refuses years after 9999; a damaged journal must not panic here.
        let last = Moment(253_402_300_799_000);
        humantime::format_rfc3339_seconds((*self).min(last).into()).fmt(f)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A duration in words, without fractions of a second.
#[must_use]
pub fn whole_seconds(span: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(span.as_secs()))
}

/// Durations as seconds in JSON, to the millisecond.
pub(crate) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
        let millis = u32::try_from(span.as_millis()).unwrap_or(u32::MAX);
        to.serialize_f64(f64::from(millis) / 1000.0)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let span = Duration::try_from_secs_f64(f64::deserialize(from)?);
        span.map_err(serde::de::Error::custom)
    }
}
