//! Values that no text for people, and nothing that is kept, may hold.

use serde_json::Value;

/// What stands in their place.
const HIDDEN: &str = "***";

/// A value of a variable that is only named as a secret is hidden from this length on: a
/// shorter one, such as `true` or `basic`, is found everywhere, and is no secret.
const NAMED_BYTES_MIN: usize = 8;

/// A value of a variable that a test refers to is hidden from this length on. A shorter one
/// would be guessed sooner than read, and hiding it would leave nothing of a text.
const REFERRED_BYTES_MIN: usize = 4;

/// The values to hide, the longest first: one may be part of another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// The values of those variables whose names say that they are secret, or that tests
    /// refer to by name, and the passwords in URLs.
    #[must_use]
    pub fn of(variables: impl Iterator<Item = (String, String)>, referred: &[String]) -> Secrets {
        let mut secrets = Vec::new();
        for (name, value) in variables {
            if let Some(password) = password_in(&value) {
                secrets.push(password.to_owned());
            }
            let bytes_min = if referred.contains(&name) {
                REFERRED_BYTES_MIN
            } else if is_named_secret(&name) {
                NAMED_BYTES_MIN
            } else {
                continue;
            };
            secrets.extend(forms(&value).into_iter().filter(|s| s.len() >= bytes_min));
        }
        secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        secrets.dedup();
        Secrets(secrets)
    }

    /// The same of this process's own variables.
    #[must_use]
    pub fn of_this_process(referred: &[String]) -> Secrets {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Secrets::of(std::env::vars_os().filter_map(text), referred)
    }

    /// A text without them.
    #[must_use]
    pub fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            if text.contains(secret) {
                text = text.replace(secret, HIDDEN);
            }
        }
        text
    }

    /// A JSON value without them.
    #[must_use]
    pub fn hide_in(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.hide(text).into(),
            Value::Number(number) => {
                let text = number.to_string();
                match self.hide(&text) {
                    hidden if hidden == text => value.clone(),
                    hidden => hidden.into(),
                }
            }
            Value::Array(values) => values.iter().map(|value| self.hide_in(value)).collect(),
            Value::Object(fields) => {
                let hidden =
                    |(name, value): (&String, &Value)| (self.hide(name), self.hide_in(value));
                Value::Object(fields.iter().map(hidden).collect())
            }
            Value::Null | Value::Bool(_) => value.clone(),
        }
    }
}

/// A value as texts may hold it: as it is, without the line break at its end that a header
/// does not hold, and as JSON quotes it.
fn forms(value: &str) -> Vec<String> {
    let quoted = Value::from(value.trim()).to_string();
    let inside = quoted
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let inside = inside.unwrap_or_default().to_owned();
    vec![value.to_owned(), value.trim().to_owned(), inside]
}

/// The password of an URL such as `postgres://ann:hunter2@db/shop`.
fn password_in(value: &str) -> Option<&str> {
    let (_, rest) = value.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user_info, _) = authority.rsplit_once('@')?;
    let (_, password) = user_info.split_once(':')?;
    (password.len() >= REFERRED_BYTES_MIN).then_some(password)
}

fn is_named_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let telling = [
        "SECRET",
        "TOKEN",
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "APIKEY",
        "_KEY",
        "AUTHORIZATION",
        "CREDENTIAL",
        "APPROVE_URL",
    ];
    // An author is none; SSH_AUTH_SOCK is a path and AUTH_METHOD a flag of ours.
    let is_telling = |word: &str| word.ends_with("AUTH") || word == "DSN";
    let is_harmless = matches!(name.as_str(), "SSH_AUTH_SOCK" | "AUTH_METHOD");
    !is_harmless
        && (telling.iter().any(|word| name.contains(word)) || name.split('_').any(is_telling))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn secrets(variables: &[(&str, &str)], referred: &[&str]) -> Secrets {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let referred: Vec<String> = referred.iter().map(|name| (*name).to_owned()).collect();
        Secrets::of(variables.iter().map(owned), &referred)
    }

    #[test]
    fn values_are_hidden_by_name_and_by_reference() {
        let variables = [
            ("AWS_SECRET_ACCESS_KEY", "hunter2hunter2"),
            ("SMOKE_AUTH", "Basic YW5uOmh1bnRlcjI="),
            ("SIGNING_KEY", "0123456789"),
            ("SENTRY_DSN", "https://abcdef01@sentry.example/1"),
            ("DATABASE_URL", "postgres://ann:s3cr3t@db/shop"),
            ("SHORT_TOKEN", "abc"),
            ("SSH_AUTH_SOCK", "/tmp/ssh-agent"),
            ("ORDER", "order-4711"),
            ("PIN", "4711"),
            ("DOT", "."),
            ("GIT_AUTHOR_NAME", "shop-blue"),
        ];
        let hidden = secrets(&variables, &["ORDER", "PIN", "DOT"]);
        for (text, shown) in [
            ("abc hunter2hunter2 of shop-blue.", "abc *** of shop-blue."),
            ("Basic YW5uOmh1bnRlcjI=", "***"),
            ("key 0123456789", "key ***"),
            ("to https://abcdef01@sentry.example/1", "to ***"),
            (
                "postgres://ann:s3cr3t@db/shop",
                "postgres://ann:***@db/shop",
            ),
            ("at /tmp/ssh-agent", "at /tmp/ssh-agent"),
            ("order-4711 and 4711", "*** and ***"),
        ] {
            assert_eq!(hidden.hide(text), shown);
        }
        assert_eq!(secrets(&variables, &[]).hide("order-4711"), "order-4711");
        assert_eq!(
            hidden.hide_in(&json!({"a": ["order-4711", 4711], "b": true})),
            json!({"a": ["***", "***"], "b": true})
        );
    }

    #[test]
    fn a_value_is_hidden_however_it_is_quoted() {
        let hidden = secrets(&[("A", "say \"hunter2\"\n")], &["A"]);
        assert_eq!(hidden.hide("say \"hunter2\""), "***");
        assert_eq!(hidden.hide(r#"{"a":"say \"hunter2\""}"#), r#"{"a":"***"}"#);
    }
}
