//! How large what is read may be: far beyond anything that this program writes, and so small
//! that no sum of it overflows. Pure.

use serde_json::Value;

/// The largest number: the last moment of the year 9999 in milliseconds. Counts, revisions and
/// fencing numbers stay far below it.
const NUMBER_MAX: u64 = 253_402_300_799_999;

/// The longest duration in seconds: two years, where the flags take thirty days.
const SECONDS_MAX: u64 = 2 * 366 * 24 * 60 * 60;

/// The longest text in bytes. Of what a command says some thousand are kept.
const TEXT_BYTES_MAX: usize = 256 * 1024;

/// What tests expect of an answer, which may be any JSON.
const EXPECTED: &str = "json";

/// Checks every number, duration and text of a JSON document. Its depth is limited by the parser.
///
/// # Errors
/// The place, and what is wrong there.
pub fn within_bounds(value: &Value) -> Result<(), String> {
    let place = |place: &str, why: String| match why.starts_with(['.', '[']) {
        true => format!("{place}{why}"),
        false => format!("{place}: {why}"),
    };
    match value {
        Value::Number(number) if number.as_f64().is_some_and(|n| n.abs() > LARGEST) => {
            Err(format!("{number} is out of range"))
        }
        Value::String(text) if text.len() > TEXT_BYTES_MAX => {
            Err(format!("a text of {} bytes is too long", text.len()))
        }
        Value::Array(values) => values.iter().enumerate().try_for_each(|(at, value)| {
            within_bounds(value).map_err(|why| place(&format!("[{at}]"), why))
        }),
        Value::Object(members) => {
            let seconds = members.get("secs").and_then(Value::as_u64);
            if let Some(seconds) = seconds.filter(|seconds| *seconds > SECONDS_MAX) {
                return Err(format!("a duration of {seconds} seconds is out of range"));
            }
            members
                .iter()
                .filter(|(name, _)| *name != EXPECTED)
                .try_for_each(|(name, value)| {
                    within_bounds(value).map_err(|why| place(&format!(".{name}"), why))
                })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "it has 48 bits")]
const LARGEST: f64 = NUMBER_MAX as f64;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_out_of_range_is_told_with_its_place() {
        for (value, place) in [
            (
                json!({"limits": {"poll": {"secs": u64::MAX, "nanos": 0}}}),
                ".limits.poll: a duration",
            ),
            (
                json!({"revision": u64::MAX}),
                ".revision: 18446744073709551615",
            ),
            (json!({"at": [1, -1.0e300]}), ".at[1]: -1"),
            (
                json!({"why": "x".repeat(300_000)}),
                ".why: a text of 300000",
            ),
        ] {
            let why = within_bounds(&value).expect_err("it is out of range");
            assert!(why.starts_with(place), "{why}");
        }
    }

    #[test]
    fn what_this_program_writes_and_what_tests_expect_is_in_range() {
        let month = json!({"poll": {"secs": 30 * 24 * 60 * 60, "nanos": 0}});
        let answer = json!({"tests": [{"json": {"/id": u64::MAX, "/secs": {"secs": u64::MAX}}}]});
        for value in [month, answer, json!(1_800_000_000_000_u64)] {
            assert_eq!(within_bounds(&value), Ok(()));
        }
    }
}
