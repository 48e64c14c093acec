//! A test as people write it: an inline table of a flag, or one of the file.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::test::{AcceptanceTest, CNAME, On, get, reference, without_secrets};
use crate::table::{duration, inline};

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// How the parser names a TOML date where it is read as something else.
const TOML_DATE: &str = "$__toml_private_datetime";

/// The most that is taken for passes or failures in a row.
const IN_A_ROW_MAX: u32 = 1000;

/// A test as it is written, with dashes in its keys. Unknown keys are refused.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TestTable {
    url: String,
    method: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    host: Option<String>,
    body: Option<String>,
    expect_status: Option<Vec<u16>>,
    body_contains: Option<String>,
    #[serde(default)]
    json: BTreeMap<String, Value>,
    max_latency: Option<String>,
    timeout: Option<String>,
    on: Option<On>,
    passes: Option<u32>,
    failures: Option<u32>,
}

/// What holds for a test that does not say it.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// The status codes that pass; empty means 200 to 299.
    pub expect_status: Vec<u16>,
    /// How long bluegreen waits for an answer.
    pub timeout: Duration,
}

/// The URL alone: a header may hold a secret that is about to be refused.
impl fmt::Debug for TestTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestTable")
            .field("url", &without_secrets(&self.url))
            .finish_non_exhaustive()
    }
}

impl TestTable {
    /// The test that requests `url` and takes everything else from the defaults.
    #[must_use]
    pub fn of_url(url: &str) -> TestTable {
        TestTable {
            url: url.to_owned(),
            ..TestTable::default()
        }
    }

    /// The table of a flag, such as `{ url = "/health" }`.
    ///
    /// # Errors
    /// What is wrong with it, in words that name no value.
    pub fn inline(text: &str) -> Result<TestTable, String> {
        inline(text)
    }

    /// The test, where it is one.
    ///
    /// # Errors
    /// The key, what is wrong with it and what would be right.
    pub fn check(self, defaults: &Defaults) -> Result<AcceptanceTest, String> {
        let at = |key: &str, why: String| format!("{key}: {why}");
        let url = url(self.url).map_err(|why| at("url", why))?;
        let method = method(self.method).map_err(|why| at("method", why))?;
        for (name, value) in &self.headers {
            header(name, value).map_err(|why| format!("headers.{name}: {why}"))?;
        }
        if let Some(host) = &self.host {
            host_name(host, &url).map_err(|why| at("host", why))?;
        }
        let expect_status = self.expect_status.unwrap_or(defaults.expect_status.clone());
        if let Some(code) = expect_status.iter().find(|c| !(100..=599).contains(*c)) {
            return Err(format!(
                "expect-status: {code} is no status, which is 100 to 599"
            ));
        }
        if self.body_contains.as_ref().is_some_and(String::is_empty) {
            return Err("body-contains: every body contains nothing; leave it out".to_owned());
        }
        for (pointer, value) in &self.json {
            json(pointer, value).map_err(|why| format!("json.{pointer}: {why}"))?;
        }
        let judged = match (&self.body_contains, self.json.is_empty()) {
            (Some(_), _) => Some("body-contains"),
            (None, false) => Some("json"),
            (None, true) => None,
        };
        if let Some(key) = judged.filter(|_| method == "HEAD") {
            return Err(format!(
                "{key}: an answer to HEAD has no body; leave it out, or ask with GET"
            ));
        }
        let limit = |key: &str, text: Option<String>| {
            let parsed = text.map(|text| duration(&text)).transpose();
            match parsed.map_err(|why| at(key, why))? {
                Some(Duration::ZERO) => Err(at(key, "nothing answers in no time".to_owned())),
                parsed => Ok(parsed),
            }
        };
        let max_latency = limit("max-latency", self.max_latency)?;
        let timeout = limit("timeout", self.timeout)?.unwrap_or(defaults.timeout);
        if let Some(max) = max_latency.filter(|max| *max > timeout) {
            let words = humantime::format_duration;
            return Err(format!(
                "max-latency: an answer is waited for no longer than {}, so {} would forbid nothing; give a longer timeout",
                words(timeout),
                words(max)
            ));
        }
        Ok(AcceptanceTest {
            url,
            method,
            headers: self.headers,
            host: self.host,
            body: self.body,
            expect_status,
            body_contains: self.body_contains,
            json: self.json,
            max_latency,
            timeout,
            on: self.on.unwrap_or_default(),
            passes: in_a_row("passes", self.passes)?,
            failures: in_a_row("failures", self.failures)?,
        })
    }
}

fn url(url: String) -> Result<String, String> {
    if url.starts_with('/') && !url.starts_with("//") {
        return Ok(url);
    }
    let parsed = Url::parse(&url.replacen(CNAME, "cname.invalid", 1))
        .ok()
        .filter(|parsed| matches!(parsed.scheme(), "http" | "https") && parsed.has_host())
        .ok_or_else(|| {
            format!(
                "{:?}: expected a path such as /health, or an http or https URL",
                without_secrets(&url)
            )
        })?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("a user or password in it would be kept in the journal".to_owned());
    }
    Ok(url)
}

fn method(method: Option<String>) -> Result<String, String> {
    let method = method.map_or_else(get, |method| method.to_ascii_uppercase());
    if METHODS.contains(&method.as_str()) {
        return Ok(method);
    }
    Err(format!(
        "{method:?}: expected one of {}",
        METHODS.join(", ")
    ))
}

fn header(name: &str, value: &str) -> Result<(), String> {
    if HeaderName::try_from(name).is_err() {
        return Err("a header's name has letters, digits and hyphens".to_owned());
    }
    if HeaderValue::try_from(value).is_err() {
        return Err("a header's value has no line breaks or control characters".to_owned());
    }
    let lower = name.to_ascii_lowercase();
    if lower == "host" {
        return Err("give it with the key host, which also sets the name for TLS".to_owned());
    }
    if matches!(
        lower.as_str(),
        "content-length" | "transfer-encoding" | "connection"
    ) {
        return Err("the request sets it by itself; leave it out".to_owned());
    }
    if holds_secrets(&lower) && reference(value).is_none() {
        return Err(
            "a secret would be kept in the journal; put the value into a variable and write \
             \"env:NAME\", or \"Bearer env:NAME\""
                .to_owned(),
        );
    }
    Ok(())
}

/// Whether a header of this name, in lower case, usually holds a secret.
fn holds_secrets(name: &str) -> bool {
    let telling = [
        "auth",
        "cookie",
        "token",
        "secret",
        "password",
        "key",
        "signature",
        "credential",
    ];
    telling.iter().any(|word| name.contains(word))
}

/// A JSON pointer (RFC 6901), and a value that JSON can hold. What TOML alone has was read as null,
/// or as a table with a name of the parser's own.
fn json(pointer: &str, value: &Value) -> Result<(), String> {
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return Err(format!(
            "a JSON pointer begins with a slash; write \"/{pointer}\""
        ));
    }
    let mut after_tildes = pointer.split('~').skip(1);
    if !after_tildes.all(|rest| rest.starts_with(['0', '1'])) {
        return Err("in a JSON pointer ~ is written ~0, and / in a name ~1".to_owned());
    }
    possible(value)
}

fn possible(value: &Value) -> Result<(), String> {
    match value {
        Value::Null => Err("JSON has neither nan nor inf".to_owned()),
        Value::Array(values) => values.iter().try_for_each(possible),
        Value::Object(fields) if fields.contains_key(TOML_DATE) => {
            Err("JSON has no dates; write the text that is expected, in quotes".to_owned())
        }
        Value::Object(fields) => fields.values().try_for_each(possible),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn host_name(host: &str, url: &str) -> Result<(), String> {
    let is_https = url
        .get(..6)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"));
    if is_https && host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        return Err(format!(
            "{host:?}: TLS presents no address; give a name such as www.shop.example"
        ));
    }
    let as_url = Url::parse(&format!("http://{host}/")).ok();
    let is_name = |parsed: &Url| parsed.host_str() == Some(host) && parsed.port().is_none();
    if as_url.as_ref().is_some_and(is_name) {
        return Ok(());
    }
    Err(format!(
        "{host:?}: expected a name in lower case such as www.shop.example, without a port"
    ))
}

fn in_a_row(key: &str, count: Option<u32>) -> Result<Option<u32>, String> {
    match count {
        Some(count) if !(1..=IN_A_ROW_MAX).contains(&count) => Err(format!(
            "{key}: {count} is not between 1 and {IN_A_ROW_MAX}"
        )),
        count => Ok(count),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::test::is_reference;
    use super::*;
    use bluegreen_testing::garbled::garbled_text;

    const TABLE: &str = r#"{ url = "/a", method = "POST", headers = { X = "env:Y" }, host = "h.example",
        body = "b", expect-status = [200], body-contains = "c", json = { "/d" = 1 }, max-latency = "1s",
        timeout = "2s", on = "release", passes = 3, failures = 2 }"#;

    proptest! {
        /// It is a test that bluegreen can send, or an error that shows none of its values.
        #[test]
        fn a_garbled_table_is_a_test_or_an_error(table in garbled_text(TABLE)) {
            if let Ok(test) = read(&table) {
                let _ = test.request(crate::acceptance::Front::Http, "shop.example", |_| None);
                let _ = (test.to_string(), test.asks_the_environment(), test.as_flag(None));
            }
        }
    }

    fn read(text: &str) -> Result<AcceptanceTest, String> {
        let defaults = Defaults {
            expect_status: vec![200],
            timeout: Duration::from_secs(3),
        };
        TestTable::inline(text)?.check(&defaults)
    }

    #[test]
    fn a_table_says_everything_and_the_defaults_the_rest() {
        let test = read(
            r#"{ url = "https://{cname}/health", method = "post", host = "www.shop.example",
               headers = { X-Api-Key = "env:API_KEY", Accept = "text/plain" },
               body = "{}", expect-status = [201, 202], body-contains = "ready",
               json = { "/status" = "ok", "/up" = true }, max-latency = "500ms",
               timeout = "5s", passes = 5, failures = 2, on = "release" }"#,
        )
        .expect("it is a test");
        assert_eq!(
            (test.method.as_str(), test.passes, test.failures),
            ("POST", Some(5), Some(2))
        );
        assert_eq!(test.max_latency, Some(Duration::from_millis(500)));
        assert_eq!(
            (test.timeout, test.on),
            (Duration::from_secs(5), On::Release)
        );
        assert_eq!(test.json["/up"], Value::Bool(true));
        let mut plain = AcceptanceTest::get("/");
        plain.expect_status = vec![200];
        plain.timeout = Duration::from_secs(3);
        assert_eq!(read(r#"{ url = "/" }"#), Ok(plain));
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_key_and_remedy() {
        for (text, words) in [
            (r#"{ path = "/" }"#, "unknown field `path`"),
            (r#"{ method = "GET" }"#, "missing field `url`"),
            (r#"{ url = "health" }"#, "url: \"health\": expected a path"),
            (r#"{ url = "//x" }"#, "url: \"//x\": expected a path"),
            (
                r#"{ url = "ftp://a/b" }"#,
                "url: \"ftp://a/b\": expected a path",
            ),
            (
                r#"{ url = "https://ann:hunter2@b/" }"#,
                "url: a user or password",
            ),
            (
                r#"{ url = "/", method = "BREW" }"#,
                "method: \"BREW\": expected one of GET",
            ),
            (
                r#"{ url = "/", headers = { Authorization = "Bearer hunter2" } }"#,
                "headers.Authorization: a secret would be kept",
            ),
            (
                r#"{ url = "/", headers = { X-Session-Token = "hunter2" } }"#,
                "headers.X-Session-Token: a secret would be kept",
            ),
            (
                r#"{ url = "/", headers = { Host = "b" } }"#,
                "headers.Host: give it with the key host",
            ),
            (
                r#"{ url = "/", headers = { "a b" = "c" } }"#,
                "headers.a b: a header's name",
            ),
            (
                r#"{ url = "/", headers = { a = "c\nd" } }"#,
                "headers.a: a header's value",
            ),
            (
                r#"{ url = "/", headers = { Content-Length = "1" } }"#,
                "leave it out",
            ),
            (
                r#"{ url = "/", host = "b:80" }"#,
                "host: \"b:80\": expected a name",
            ),
            (
                r#"{ url = "/", expect-status = [99] }"#,
                "expect-status: 99 is no status",
            ),
            (
                r#"{ url = "/", body-contains = "" }"#,
                "body-contains: every body",
            ),
            (
                r#"{ url = "/", json = { status = "ok" } }"#,
                "json.status: a JSON pointer begins",
            ),
            (
                r#"{ url = "/", json = { "/a~2" = 1 } }"#,
                "json./a~2: in a JSON pointer ~ is written ~0",
            ),
            (
                r#"{ url = "/", json = { "/a~" = 1 } }"#,
                "json./a~: in a JSON pointer",
            ),
            (
                r#"{ url = "/", json = { "/a" = [nan] } }"#,
                "json./a: JSON has neither nan",
            ),
            (
                r#"{ url = "/", json = { "/a" = -inf } }"#,
                "json./a: JSON has neither nan",
            ),
            (
                r#"{ url = "/", json = { "/a" = { b = 2026-01-31 } } }"#,
                "json./a: JSON has no dates",
            ),
            (
                r#"{ url = "/", method = "HEAD", json = { "/a" = 1 } }"#,
                "json: an answer to HEAD",
            ),
            (
                r#"{ url = "/", method = "head", body-contains = "x" }"#,
                "body-contains: an answer to HEAD",
            ),
            (
                r#"{ url = "https://{cname}/", host = "192.0.2.1" }"#,
                "host: \"192.0.2.1\": TLS presents no address",
            ),
            (
                r#"{ url = "https://{cname}/", host = "[2001:db8::1]" }"#,
                "TLS presents no address",
            ),
            (
                r#"{ url = "/", max-latency = "3001ms" }"#,
                "max-latency: an answer is waited for no longer than 3s",
            ),
            (r#"{ url = "/", max-latency = "5" }"#, "max-latency: "),
            (
                r#"{ url = "/", timeout = "0s" }"#,
                "timeout: nothing answers",
            ),
            (
                r#"{ url = "/", on = "rollback" }"#,
                "unknown variant `rollback`, expected `always` or `release`",
            ),
            (r#"{ url = "/", passes = 0 }"#, "passes: 0 is not between 1"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(words), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let secret =
            TestTable::inline(r#"{ url = "/?t=hunter2", headers = { Cookie = "hunter2" } }"#);
        assert!(!format!("{secret:?}").contains("hunter2"));
    }

    #[test]
    fn what_json_can_hold_is_taken() {
        let test = read(
            r#"{ url = "/", host = "192.0.2.1", max-latency = "3s",
                json = { "/a~1b~0" = [1, 1.5, { c = "2026-01-31" }], "" = true } }"#,
        );
        let test = test.expect("it is a test");
        assert_eq!(
            test.json["/a~1b~0"],
            serde_json::json!([1, 1.5, { "c": "2026-01-31" }])
        );
    }

    #[test]
    fn only_a_whole_value_is_a_body_from_a_variable() {
        assert!(is_reference("env:A_1") && !is_reference("x env:A") && !is_reference("env:1"));
    }
}
