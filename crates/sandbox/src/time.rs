//! The sandbox's time, as numbers and as texts.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch, in the sandbox's own time.
pub type Millis = u64;

/// The last moment that dates can name: the end of the year 9999.
pub(crate) const LAST: Millis = 253_402_300_799_000;

/// So many of as many equal parts of a time.
pub(crate) fn part(of: Millis, nth: u64, many: u64) -> Millis {
    let part = u128::from(of) * u128::from(nth) / u128::from(many.max(1));
    Millis::try_from(part).unwrap_or(Millis::MAX)
}

pub(crate) fn millis(time: SystemTime) -> Millis {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}

pub(crate) fn system_time(at: Millis) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(at)
}

/// RFC 3339 in UTC, with milliseconds.
pub(crate) fn date(at: Millis) -> String {
    humantime::format_rfc3339_millis(system_time(at.min(LAST))).to_string()
}

/// Milliseconds since the epoch of a text in ISO 8601: extended as in `2026-11-28T12:01:23.5Z` or
/// basic as in `20261128T120123Z`, a date alone, with an offset from UTC or with none, which is UTC.
pub(crate) fn parse_date(text: &str) -> Option<Millis> {
    let (local, offset_seconds) = split_offset(text)?;
    let time = humantime::parse_rfc3339_weak(&extended(local)?).ok()?;
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    let since = i64::try_from(since.as_millis()).ok()?;
    u64::try_from(since - offset_seconds * 1000).ok()
}

/// Milliseconds since the epoch of a timestamp in a request: seconds since the epoch, or a date as
/// [`parse_date`] reads it.
pub(crate) fn parse_moment(text: &str) -> Option<Millis> {
    // Eight digits alone are a date: as seconds they would lie in the 1970s.
    let is_date = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<f64>() {
        Ok(seconds) if !is_date => {
            let is_moment = seconds.is_finite() && seconds >= 0.0;
            is_moment.then_some((seconds * 1000.0).round() as Millis)
        }
        _ => parse_date(text),
    }
}

/// The local time of a text, and how many seconds it is ahead of UTC.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(local) = text.strip_suffix(['Z', 'z']) {
        return Some((local, 0));
    }
    let time = text.find(['T', 't', ' ']).unwrap_or(text.len());
    let Some(at) = text[time..].rfind(['+', '-']).map(|at| time + at) else {
        return Some((text, 0));
    };
    let (local, offset) = text.split_at(at);
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let digits = offset[1..].replace(':', "");
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let hours: i64 = digits[..2].parse().ok()?;
    let minutes: i64 = digits.get(2..4).map_or(Ok(0), str::parse).ok()?;
    Some((local, sign * (hours * 60 + minutes) * 60))
}

/// A local time in the extended form, with a time of day.
fn extended(local: &str) -> Option<String> {
    let (day, time) = match local.split_once(['T', 't', ' ']) {
        Some((day, time)) => (day, time),
        None => (local, "00:00:00"),
    };
    let is_basic = |text: &str, length: usize| {
        text.len() >= length && text.bytes().take(length).all(|b| b.is_ascii_digit())
    };
    let day = match is_basic(day, 8) {
        true => format!("{}-{}-{}", &day[..4], &day[4..6], day.get(6..)?),
        false => day.to_owned(),
    };
    let time = match is_basic(time, 6) {
        true => format!("{}:{}:{}", &time[..2], &time[2..4], time.get(4..)?),
        false => time.to_owned(),
    };
    Some(format!("{day}T{time}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_moment_is_the_same_moment() {
        let at = Some(1_795_867_283_000);
        for text in [
            "2026-11-28T12:01:23Z",
            "2026-11-28T12:01:23.000Z",
            "2026-11-28T12:01:23+00:00",
            "2026-11-28T14:01:23.000+02:00",
            "2026-11-28T06:31:23-0530",
            "2026-11-28 12:01:23",
            "20261128T120123Z",
            "20261128T120123.000Z",
            "20261128T130123+01",
            "1795867283",
            "1795867283.0",
            "1.795867283E9",
        ] {
            assert_eq!(parse_moment(text), at, "{text}");
        }
        let midnight = Some(1_795_824_000_000);
        assert_eq!(parse_moment("2026-11-28"), midnight);
        assert_eq!(parse_moment("20261128"), midnight);
        assert_eq!(parse_moment("1795867283.25"), Some(1_795_867_283_250));
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "yesterday",
            "2026-11-28T12:01:23+2",
            "2026-13-28T12:01:23Z",
            "20261128T1201",
            "-5",
            "NaN",
            "inf",
            "2026-11-28T12:01:23+ab:cd",
            "ä2026T12+ä",
        ] {
            assert_eq!(parse_moment(text), None, "{text}");
        }
    }
}
