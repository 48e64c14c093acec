//! Values that no text for people, and nothing that is kept, may hold.

use std::ops::Range;
use std::sync::LazyLock;

use percent_encoding::percent_decode_str;
use regex_lite::Regex;
use serde_json::Value;

/// What stands in their place.
const HIDDEN: &str = "***";

/// A value of a variable that is only named as a secret is hidden from this length on: a
/// shorter one, such as `true` or `basic`, is found everywhere, and is no secret.
const NAMED_BYTES_MIN: usize = 8;

/// A value of a variable that a test refers to is hidden from this length on. A shorter one
/// would be guessed sooner than read, and hiding it would leave nothing of a text.
const REFERRED_BYTES_MIN: usize = 4;

/// From this length on a secret is found where it is folded or split into words, each line of
/// it where it stands alone, and its path where it is a URL.
const LONG_BYTES_MIN: usize = 16;

/// The values to hide, and whatever has the form of a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets {
    /// As they are.
    short: Vec<String>,
    /// Those of [`LONG_BYTES_MIN`], without their blanks and line breaks.
    long: Vec<String>,
}

impl Secrets {
    /// The values of those variables whose names say that they are secret, or that tests
    /// refer to by name, and the passwords in URLs.
    #[must_use]
    pub fn of(variables: impl Iterator<Item = (String, String)>, referred: &[String]) -> Secrets {
        let mut secrets = Secrets::default();
        for (name, value) in variables {
            for password in passwords_in(&value) {
                secrets.add(&password, REFERRED_BYTES_MIN);
            }
            let bytes_min = if referred.contains(&name) {
                REFERRED_BYTES_MIN
            } else if is_named_secret(&name) {
                NAMED_BYTES_MIN
            } else {
                continue;
            };
            for form in forms(&value) {
                secrets.add(&form, bytes_min);
            }
            for part in parts(&value) {
                secrets.add(&part, LONG_BYTES_MIN);
            }
        }
        secrets
    }

    fn add(&mut self, secret: &str, bytes_min: usize) {
        let dense = Dense::of(secret).text;
        if secret.len() < bytes_min {
        } else if dense.len() >= LONG_BYTES_MIN {
            self.long.push(dense);
        } else {
            self.short.push(secret.to_owned());
        }
    }

    /// A text without them.
    #[must_use]
    pub fn hide(&self, text: &str) -> String {
        let mut places = self.places(text);
        places.sort_by_key(|place| place.start);
        let (mut shown, mut end) = (String::new(), 0);
        for place in places {
            if place.start > end || shown.is_empty() {
                shown.push_str(&text[end..place.start]);
                shown.push_str(HIDDEN);
            }
            end = end.max(place.end);
        }
        shown + &text[end..]
    }

    /// Where they are in a text: in any order, and one may be in another.
    fn places(&self, text: &str) -> Vec<Range<usize>> {
        let mut places = Vec::new();
        for secret in &self.short {
            let found = text.match_indices(secret.as_str());
            places.extend(found.map(|(at, found)| at..at + found.len()));
        }
        if !self.long.is_empty() {
            let dense = Dense::of(text);
            for secret in &self.long {
                places.extend(dense.places(secret));
            }
        }
        for (_, shape) in SHAPES.iter().filter(|(sign, _)| text.contains(sign)) {
            let found = shape.captures_iter(text);
            let secret = found.filter_map(|found| found.get(1).or_else(|| found.get(0)));
            places.extend(secret.map(|secret| secret.range()));
        }
        places
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

/// What is a secret by its form, wherever it comes from: what every such text holds, and the
/// pattern, whose group, where it has one, is what is hidden.
static SHAPES: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
    let shapes = [
        // JSON Web Tokens, signed (RFC 7515) and encrypted (RFC 7516).
        (
            "eyJ",
            r"\beyJ[\w-]{10,}\.[\w-]*(?:\.[\w-]*){0,2}\.[\w-]{10,}",
        ),
        // Access keys of AWS, of users and of sessions.
        ("AKIA", r"\bAKIA[A-Z0-9]{16}\b"),
        ("ASIA", r"\bASIA[A-Z0-9]{16}\b"),
        // Tokens of GitHub, GitLab, Slack and Stripe.
        ("gh", r"\bgh[pousr]_[A-Za-z0-9]{30,}"),
        ("github_pat_", r"\bgithub_pat_\w{20,}"),
        ("gl", r"\bgl(?:pat|dt|rt|cbt|ptt|soat)-[\w.-]{20,}"),
        ("xox", r"\bxox[a-z]-[\w-]{10,}"),
        ("k_live_", r"\b[rs]k_live_[A-Za-z0-9]{10,}"),
        ("k_test_", r"\b[rs]k_test_[A-Za-z0-9]{10,}"),
        // URLs that whoever has them may post to: their path is the secret.
        ("hooks.slack.com", r#"hooks\.slack\.com/([^\s"'<>\\]{10,})"#),
        ("/api/webhooks/", r#"/api/webhooks/([^\s"'<>\\]{10,})"#),
        ("webhook", r#"\.office\.com/webhook\w*/([^\s"'<>\\]{10,})"#),
        ("://", r"://[^\s/?#:@]*:([^\s/?#]+)@"),
        // Private keys (RFC 7468), also where their line breaks are escaped, and where the
        // end is cut off.
        (
            "PRIVATE KEY",
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----([\w\s+/=\\:,.*-]*?)-----END ",
        ),
        (
            "PRIVATE KEY",
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----((?:(?:\s|\\[nr])*[A-Za-z0-9+/=]{20,})+)",
        ),
    ];
    let shapes = shapes.into_iter();
    shapes
        .filter_map(|(sign, shape)| Some((sign, Regex::new(shape).ok()?)))
        .collect()
});

/// A text without blanks and line breaks, and where each of its bytes was.
struct Dense {
    text: String,
    was_at: Vec<usize>,
}

impl Dense {
    fn of(text: &str) -> Dense {
        let kept = text.char_indices().filter(|(_, c)| !c.is_whitespace());
        let was_at = kept.clone().flat_map(|(at, c)| at..at + c.len_utf8());
        Dense {
            was_at: was_at.collect(),
            text: kept.map(|(_, c)| c).collect(),
        }
    }

    /// Where another such text is in it, by the places of the text that it was made of.
    fn places(&self, of: &str) -> impl Iterator<Item = Range<usize>> {
        let found = self.text.match_indices(of);
        found.map(|(at, found)| self.was_at[at]..self.was_at[at + found.len() - 1] + 1)
    }
}

/// A value as texts may hold it: without the line break at its end that a header does not
/// hold, and as JSON quotes it.
fn forms(value: &str) -> [String; 2] {
    let quoted = Value::from(value.trim()).to_string();
    let inside = quoted
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let inside = inside.unwrap_or_default().to_owned();
    [value.trim().to_owned(), inside]
}

/// What of a value may appear alone: each line, also where its breaks are escaped, and what follows
/// the host of a URL, as a webhook's.
fn parts(value: &str) -> Vec<String> {
    let unescaped = value.replace("\\n", "\n").replace("\\r", "");
    let lines = unescaped.lines().map(|line| line.trim().to_owned());
    let path = value
        .split_once("://")
        .and_then(|(_, rest)| rest.find(['/', '?', '#']).map(|at| rest[at..].trim()));
    lines.chain(path.map(str::to_owned)).collect()
}

/// The password of an URL such as `postgres://ann:hunter2@db/shop`, as it is and decoded.
fn passwords_in(value: &str) -> Vec<String> {
    let found = || {
        let (_, rest) = value.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let (user_info, _) = authority.rsplit_once('@')?;
        Some(user_info.split_once(':')?.1)
    };
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    found().map_or_else(Vec::new, |text| vec![text.to_owned(), decoded(text)])
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
        "WEBHOOK",
        "APPROVE_URL",
    ];
    let at_the_end = ["KEY", "PASS", "PWD", "JWT", "COOKIE", "SESSION", "CREDS"];
    // An author is none; the others are paths, and AUTH_METHOD a flag of ours.
    let is_telling = |word: &str| word.ends_with("AUTH") || word == "DSN";
    let is_harmless = matches!(
        name.as_str(),
        "SSH_AUTH_SOCK" | "AUTH_METHOD" | "PWD" | "OLDPWD" | "DESKTOP_SESSION"
    );
    let last = name.rsplit('_').next().unwrap_or_default();
    !is_harmless
        && (telling.iter().any(|word| name.contains(word))
            || name.split('_').any(is_telling)
            || at_the_end.iter().any(|end| last.ends_with(end))
            || matches!(last, "PAT" | "SK" | "PSK"))
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

    #[test]
    fn names_tell_of_secrets() {
        for name in [
            "JWT",
            "COOKIE",
            "SESSION",
            "KEY",
            "GITHUB_PAT",
            "CI_REGISTRY_PASS",
            "SSHPASS",
            "DB_PWD",
            "STRIPE_SK",
            "SLACK_WEBHOOK",
            "WEBHOOK_URL",
            "db_password",
        ] {
            assert_eq!(
                secrets(&[(name, "hunter22")], &[]).hide("hunter22"),
                "***",
                "{name}"
            );
        }
        for (name, value) in [
            ("KEY", "primary"),
            ("SESSION", "ci"),
            ("PWD", "/builds/shop"),
            ("OLDPWD", "/builds/shop"),
            ("PATH", "/usr/local/bin"),
            ("COOKIE_DOMAIN", "shop.example"),
            ("JWT_ISSUER", "accounts.example"),
        ] {
            assert_eq!(secrets(&[(name, value)], &[]).hide(value), value, "{name}");
        }
    }

    #[test]
    fn what_looks_like_a_secret_is_hidden_whatever_its_variable() {
        let hidden = Secrets::default();
        // Put together here, so that no scanner takes this file for a leak.
        let x = |chars: usize| "x1Y2".repeat(10)[..chars].to_owned();
        let jwt = format!("eyJ{}.eyJ{}.{}", x(20), x(30), x(25));
        let encrypted = format!("eyJ{}..{}.{}.{}", x(20), x(16), x(30), x(22));
        for secret in [
            jwt,
            encrypted,
            format!("AKIA{}", x(16).to_uppercase()),
            format!("ASIA{}", x(16).to_uppercase()),
            format!("ghp_{}", x(36)),
            format!("github_pat_{}_{}", x(22), x(30)),
            format!("glpat-{}", x(20)),
            format!("xoxb-12345-{}", x(24)),
            format!("sk_live_{}", x(24)),
        ] {
            let told = hidden.hide(&format!("sent \"{secret}\", and more"));
            assert_eq!(told, "sent \"***\", and more", "{secret}");
        }
        for (text, shown) in [
            (
                format!(
                    "POST https://hooks.slack.com/services/T0/B0/{} failed",
                    x(24)
                ),
                "POST https://hooks.slack.com/*** failed",
            ),
            (
                format!("'https://discord.com/api/webhooks/1234/{}'", x(24)),
                "'https://discord.com/api/webhooks/***'",
            ),
            (
                "cloning https://ann:p@ss@git.example/shop and http://b.example:80/@x".to_owned(),
                "cloning https://ann:***@git.example/shop and http://b.example:80/@x",
            ),
            (
                format!(
                    "-----BEGIN RSA PRIVATE KEY-----\n{}\n{}\n-----END RSA PRIVATE KEY-----\nok",
                    x(40),
                    x(6)
                ),
                "-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----\nok",
            ),
            (
                format!(
                    "{{\"key\": \"-----BEGIN PRIVATE KEY-----\\n{}\\n{}",
                    x(40),
                    x(40)
                ),
                "{\"key\": \"-----BEGIN PRIVATE KEY-----***",
            ),
        ] {
            assert_eq!(hidden.hide(&text), shown);
        }
        for harmless in [
            "-----BEGIN PRIVATE KEY----- is what a key begins with",
            "eyJ.json, AKIA, ghp_ and xoxb- are prefixes; task_live_1 is none",
            "see https://hooks.slack.com/ and https://shop.example:8080/a@b",
        ] {
            assert_eq!(hidden.hide(harmless), harmless);
        }
    }

    #[test]
    fn a_secret_is_hidden_where_it_is_folded_or_split_or_told_in_part() {
        let lines = [
            "MIIEvQIBADANBgkq0001",
            "hkiG9w0BAQEFAASC0002",
            "BKcwggSjAgEA==",
        ];
        let key = lines.join("\n") + "\n";
        for value in [key.clone(), lines.join("\\n")] {
            let hidden = secrets(&[("DEPLOY_KEY", &value)], &[]);
            assert_eq!(hidden.hide(&format!("a {} b", lines[1])), "a *** b");
            assert_eq!(
                hidden.hide(&format!("{} {}", lines[0], lines[1])),
                "*** ***"
            );
        }
        let hidden = secrets(&[("DEPLOY_KEY", &key)], &[]);
        for folded in [
            lines.join(" "),
            lines.concat(),
            lines.concat().replace("0002", "00\r\n  02"),
            key.clone(),
        ] {
            assert_eq!(hidden.hide(&format!("a\t{folded}")).trim_end(), "a\t***");
        }
        let url = "https://chat.example/rooms/1/post?key=hunter2";
        let hidden = secrets(&[("WEBHOOK_URL", url)], &[]);
        assert_eq!(
            hidden.hide("POST /rooms/1/post?key=hunter2 HTTP/1.1"),
            "POST *** HTTP/1.1"
        );
        let hidden = secrets(&[("DATABASE_URL", "postgres://ann:s3cr%40t@db/shop")], &[]);
        assert_eq!(
            hidden.hide("password s3cr@t, s3cr%40t"),
            "password ***, ***"
        );
    }

    #[test]
    fn one_secret_may_be_part_of_another() {
        let variables = [
            ("A_KEY", "hunter22"),
            ("B_KEY", "say hunter22 twice"),
            ("C_KEY", "22 twice!"),
        ];
        let hidden = secrets(&variables, &[]);
        assert_eq!(
            hidden.hide("say hunter22 twice!hunter22. hunter22"),
            "***. ***"
        );
        assert_eq!(hidden.hide("hunter22 é hunter22"), "*** é ***");
        assert_eq!(
            (hidden.hide(""), hidden.hide("é")),
            (String::new(), "é".to_owned())
        );
    }
}
