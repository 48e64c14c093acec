//! The sandbox's time, as numbers and as texts.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch, in the sandbox's own time.
pub type Millis = u64;

pub(crate) fn millis(time: SystemTime) -> Millis {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}

pub(crate) fn system_time(at: Millis) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(at)
}

/// RFC 3339 in UTC, with milliseconds.
pub(crate) fn date(at: Millis) -> String {
    let last = 253_402_300_799_000;
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(at.min(last));
    humantime::format_rfc3339_millis(time).to_string()
}

/// Milliseconds since the epoch of an RFC 3339 text.
pub(crate) fn parse_date(text: &str) -> Option<Millis> {
    let plain = text.replace("+00:00", "Z");
    let time = humantime::parse_rfc3339_weak(&plain).ok()?;
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}
