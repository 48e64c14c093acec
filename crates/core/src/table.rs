//! Tables in TOML, as flags take them inline and the file holds them: read without showing their
//! values, which may be secrets.

use std::time::Duration;

use serde::de::{DeserializeOwned, Visitor};

/// An inline table such as `{ url = "/health" }`.
///
/// # Errors
/// What is wrong with it, in words that name keys and never values.
pub fn inline<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let example = "write an inline table such as { url = \"/health\" }";
    let table = toml::de::ValueDeserializer::parse(text)
        .map_err(|e| format!("{}; {example}", without_values(e.message())))?;
    T::deserialize(table).map_err(|e| without_values(e.message()))
}

/// The keys that a table of this form takes.
#[must_use]
pub fn keys_of<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut keys: &'static [&'static str] = &[];
    // Reading nothing fails, once the form has told its keys.
    let _ = T::deserialize(Keys(&mut keys));
    keys
}

/// Records the keys that a form requires.
struct Keys<'a>(&'a mut &'static [&'static str]);

impl<'de> serde::Deserializer<'de> for Keys<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(serde::de::Error::custom("there is nothing to read"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// An error of the parser without the text that it quotes from the input.
#[must_use]
pub fn without_values(message: &str) -> String {
    let message = message.trim().replace('\n', ", ");
    for kind in ["invalid type: string \"", "invalid value: string \""] {
        if let Some((before, rest)) = message.split_once(kind) {
            let expected = rest
                .rsplit_once("\", ")
                .map_or("", |(_, expected)| expected);
            let kind = kind.trim_end_matches(" \"");
            return format!("{before}{kind}, {expected}");
        }
    }
    message
}

/// The longest duration that is taken.
const DURATION_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A duration as people write it, such as `500ms`, `60s` or `20m`.
///
/// # Errors
/// What is wrong with it, in words.
pub fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|e| format!("{e}; write a duration such as 500ms, 60s or 20m"))?;
    if duration > DURATION_MAX {
        return Err("a duration has at most 30 days".to_owned());
    }
    Ok(duration)
}

/// A duration that bounds something, and so is longer than none.
///
/// # Errors
/// What is wrong with it, in words.
pub fn limit(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => {
            Err("nothing is done in no time; write a duration such as 60s".to_owned())
        }
        limit => Ok(limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_without_the_values() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            #[expect(dead_code, reason = "only read")]
            headers: std::collections::BTreeMap<String, String>,
        }
        for (text, words) in [
            (
                "{ headers = \"Bearer hunter2\" }",
                "invalid type: string, expected a map",
            ),
            (
                "{ headers = {}, colour = \"hunter2\" }",
                "unknown field `colour`",
            ),
            ("{ headers = { a = \"hunter2 }", "inline table such as"),
            ("hunter2", "inline table such as"),
        ] {
            let error = inline::<Table>(text).expect_err(text);
            assert!(error.contains(words), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{text}: {error}");
        }
    }

    #[test]
    fn a_form_tells_its_keys() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct Table {
            #[expect(dead_code, reason = "only named")]
            on_failure: String,
            #[serde(default)]
            #[expect(dead_code, reason = "only named")]
            limit: Option<u32>,
        }
        assert_eq!(keys_of::<Table>(), ["on-failure", "limit"]);
        assert_eq!(keys_of::<String>(), [""; 0]);
    }
}
