//! A test over HTTP, and a command that tests further.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Number, Value};
use url::Url;

use super::answer::{Answer, BODY_BYTES_MAX, Verdict};
use super::request::{Front, Request, Unset};
use crate::secrets::Secrets;
use crate::text::{for_shell, foreign, short};

/// What stands in a whole URL for the CNAME of the environment under test.
pub const CNAME: &str = "{cname}";

/// How many characters of what a test found a text shows.
const TOLD_CHARS_MAX: usize = 80;
/// How many characters of a redirect's URL a text shows.
const TOLD_URL_CHARS_MAX: usize = 200;

/// One test over HTTP. Every condition that it names must hold for an answer to
/// pass.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AcceptanceTest {
    /// A path on the environment's own CNAME (begins with `/`), or a whole URL, in
    /// which [`CNAME`] stands for that CNAME.
    pub url: String,
    /// The method, in capitals.
    #[serde(default = "get")]
    pub method: String,
    /// Headers by their names. The last word of a value may be `env:NAME`, which stands for the
    /// value of a variable; bluegreen reads it when it makes the request, so that the journal holds
    /// no secret.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The name to present where it is not the URL's own: in the Host header, and with
    /// https also as SNI and for the certificate. The URL still says where to connect.
    #[serde(default)]
    pub host: Option<String>,
    /// The request's body; `env:NAME` stands for the value of a variable.
    #[serde(default)]
    pub body: Option<String>,
    /// The status codes that pass; empty means 200 to 299.
    pub expect_status: Vec<u16>,
    /// What the body must contain.
    #[serde(default)]
    pub body_contains: Option<String>,
    /// What the body, as JSON, must hold: JSON pointers (RFC 6901) and their values.
    #[serde(default)]
    pub json: BTreeMap<String, Value>,
    /// How long the answer may take: its head, or where the body is judged, all of it.
    #[serde(default)]
    pub max_latency: Option<Duration>,
    /// How long bluegreen waits for the answer.
    pub timeout: Duration,
    /// Which versions it tests.
    #[serde(default)]
    pub on: On,
    /// How many times in a row it must pass; none for the plan's limit.
    #[serde(default)]
    pub passes: Option<u32>,
    /// How many times in a row it may fail before the version is given up; none for the
    /// plan's limit.
    #[serde(default)]
    pub failures: Option<u32>,
}

/// Which versions a test applies to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum On {
    /// The version to release, and on a rollback the previous one.
    #[default]
    Always,
    /// The one that is released alone: what the previous one cannot pass.
    Release,
}

pub(super) fn get() -> String {
    "GET".to_owned()
}

/// A command that tests an environment, once it has passed its tests over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TestCommand {
    /// What `sh -c` runs.
    pub command: String,
    /// How long it may take.
    pub limit: Duration,
}

impl AcceptanceTest {
    /// The test that requests `url` and takes any success.
    #[must_use]
    pub fn get(url: &str) -> AcceptanceTest {
        AcceptanceTest {
            url: url.to_owned(),
            method: get(),
            headers: BTreeMap::new(),
            host: None,
            body: None,
            expect_status: Vec::new(),
            body_contains: None,
            json: BTreeMap::new(),
            max_latency: None,
            timeout: Duration::from_secs(10),
            on: On::Always,
            passes: None,
            failures: None,
        }
    }

    /// The URL to request from an environment that answers under `cname`.
    #[must_use]
    pub fn url_on(&self, front: Front, cname: &str) -> String {
        if self.is_path() {
            format!("{}{}", front.url(cname), self.url)
        } else {
            self.url.replacen(CNAME, cname, 1)
        }
    }

    /// The request to an environment with the CNAME `cname`, in words without secrets, because
    /// logs and the journal hold this text.
    #[must_use]
    pub fn asked(&self, front: Front, cname: &str) -> String {
        let url = without_secrets(&self.url_on(front, cname));
        let host = self.host.as_ref().map(|host| format!(" as {host}"));
        format!("{} {url}{}", self.method, host.unwrap_or_default())
    }

    /// The request to an environment that answers under `cname`, with the values that
    /// `variable` gives for what only the environment of the process knows.
    ///
    /// # Errors
    /// [`Unset`].
    pub fn request(
        &self,
        front: Front,
        cname: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Request, Unset> {
        let filled = |value: &str, place: &dyn Fn() -> String| match reference(value) {
            None => Ok(value.to_owned()),
            Some((before, name)) => match variable(name) {
                Some(value) => Ok(format!("{before}{value}")),
                None => Err(Unset {
                    name: name.to_owned(),
                    wrong: "is not set",
                    place: place(),
                }),
            },
        };
        let headers = self.headers.iter().map(|(name, value)| {
            let place = || format!("header {name} of the test of {}", without_query(&self.url));
            // A secret that was read from a file ends with its line break.
            let filled = filled(value, &place)?.trim().to_owned();
            match reference(value).filter(|_| filled.contains(char::is_control)) {
                None => Ok((name.clone(), filled)),
                Some((_, variable)) => Err(Unset {
                    name: variable.to_owned(),
                    wrong: "holds a line break or another control character",
                    place: place(),
                }),
            }
        });
        let headers = headers.collect::<Result<_, _>>()?;
        let place = || format!("the body of the test of {}", without_query(&self.url));
        let body = match &self.body {
            Some(body) if is_reference(body) => Some(filled(body, &place)?),
            body => body.clone(),
        };
        Ok(Request {
            method: self.method.clone(),
            url: self.url_on(front, cname),
            host: self.host.clone(),
            verifies_name: self.host.is_some() || !self.is_path(),
            headers,
            body,
        })
    }

    /// Whether it is a path on the environment's own CNAME.
    fn is_path(&self) -> bool {
        self.url.starts_with('/')
    }

    /// Whether it sends its request to the environment under test, and nowhere else.
    #[must_use]
    pub fn asks_the_environment(&self) -> bool {
        let stand_in = "environment.invalid";
        let url = Url::parse(&self.url_on(Front::Http, stand_in));
        self.is_path() || url.is_ok_and(|url| url.host_str() == Some(stand_in))
    }

    /// Whether it sends the same request, whichever answer it expects.
    #[must_use]
    pub fn sends_as(&self, other: &AcceptanceTest) -> bool {
        let request = |test: &AcceptanceTest| {
            let AcceptanceTest {
                url,
                method,
                headers,
                host,
                body,
                ..
            } = test.clone();
            (url, method, headers, host, body)
        };
        request(self) == request(other)
    }

    /// Whether it only reads (RFC 9110, "Safe Methods"), so that bluegreen may send it to
    /// production without an operator's word.
    #[must_use]
    pub fn reads(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD")
    }

    /// The test as a flag, as a shell takes it, also taking this status; none where it holds
    /// more than its URL and statuses, or a URL that may hold a secret.
    #[must_use]
    pub fn as_flag(&self, accepts: Option<u16>) -> Option<String> {
        let plain = AcceptanceTest {
            expect_status: self.expect_status.clone(),
            timeout: self.timeout,
            ..AcceptanceTest::get(&self.url)
        };
        let may_be_told =
            !self.url.contains(['?', '#', '@']) && !self.url.contains(char::is_control);
        if *self != plain || !may_be_told {
            return None;
        }
        let statuses = match accepts {
            Some(status) => vec![status],
            None => self.expect_status.clone(),
        };
        let url = Value::from(self.url.as_str());
        let table = match statuses.is_empty() {
            true => format!("{{ url = {url} }}"),
            false => format!("{{ url = {url}, expect-status = {statuses:?} }}"),
        };
        Some(format!("--test {}", for_shell(&table)))
    }

    /// Whether the body is part of what is judged.
    #[must_use]
    pub fn reads_body(&self) -> bool {
        self.body_contains.is_some() || !self.json.is_empty()
    }

    /// The variables whose values the test takes.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        let body = self.body.iter().filter(|body| is_reference(body));
        let values = self.headers.values().chain(body);
        values.filter_map(|value| reference(value).map(|(_, name)| name))
    }

    /// What an answer is worth, in words without these secrets: an application may give
    /// back what it was sent.
    #[must_use]
    pub fn judge(&self, answer: &Answer, secrets: &Secrets) -> Verdict {
        let mut got = match StatusCode::from_u16(answer.status) {
            Ok(status) => status.to_string(),
            Err(_) => answer.status.to_string(),
        };
        if let Some(redirect) = answer.redirected {
            got.push_str(&format!(" by https, where a {redirect} leads"));
        }
        if let Some(to) = &answer.location {
            let to = secrets.hide(&without_secrets(to));
            got.push_str(&format!(" to {}", short(&foreign(&to), TOLD_URL_CHARS_MAX)));
        }
        let wrong = self.wrong_with(answer, secrets);
        if let Some(wrong) = wrong.as_ref().filter(|wrong| !wrong.is_empty()) {
            got.push_str(&format!(", {wrong}"));
        }
        Verdict {
            got,
            passed: wrong.is_none(),
        }
    }

    /// What is wrong with an answer, in words that may be empty where its status says it
    /// all; none where nothing is.
    fn wrong_with(&self, answer: &Answer, secrets: &Secrets) -> Option<String> {
        match self.expect_status.as_slice() {
            [] if (200..300).contains(&answer.status) => {}
            [] => return Some(String::new()),
            expected if expected.contains(&answer.status) => {}
            expected => {
                let codes: Vec<_> = expected.iter().map(ToString::to_string).collect();
                return Some(format!("not {}", codes.join(" or ")));
            }
        }
        if let Some(max) = self.max_latency.filter(|max| answer.latency > *max) {
            let took = Duration::from_millis(millis(answer.latency));
            let words = humantime::format_duration;
            return Some(format!(
                "after {}, which is more than {}",
                words(took),
                words(max)
            ));
        }
        if let Some(text) = &self.body_contains {
            let body = String::from_utf8_lossy(&answer.body);
            if !body.contains(text) {
                // The text is not told: `config show` hides it as well.
                return Some("whose body lacks the text of body-contains".to_owned());
            }
        }
        if self.json.is_empty() {
            return None;
        }
        let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else {
            return Some(if answer.body.len() < BODY_BYTES_MAX {
                "whose body is no JSON".to_owned()
            } else {
                format!(
                    "whose body was cut at the limit of {} MiB and is no JSON so far",
                    BODY_BYTES_MAX / (1024 * 1024)
                )
            });
        };
        self.json.iter().find_map(|(pointer, expected)| {
            let told = |value: &Value| short(&secrets.hide_in(value).to_string(), TOLD_CHARS_MAX);
            let place = if pointer.is_empty() { "body" } else { pointer };
            match body.pointer(pointer) {
                None => Some(format!("whose JSON has no {place}")),
                Some(found) if equal(found, expected) => None,
                Some(found) => Some(format!(
                    "whose {place} is {}, not {}",
                    told(found),
                    told(expected)
                )),
            }
        })
    }
}

/// The first variable that one of the tests needs and that `variable` does not know.
///
/// # Errors
/// [`Unset`] names it and what needs it.
pub fn all_set<'a>(
    tests: impl IntoIterator<Item = &'a AcceptanceTest>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<(), Unset> {
    tests
        .into_iter()
        .try_for_each(|test| test.request(Front::Http, "", &variable).map(drop))
}

/// Reads the tests of a plan: a list, or the single test of a journal that was written
/// before there were several.
///
/// # Errors
/// It is neither.
pub fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<AcceptanceTest>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        Many(Vec<AcceptanceTest>),
        One(Box<AcceptanceTest>),
    }
    Ok(match OneOrMany::deserialize(from)? {
        OneOrMany::Many(tests) => tests,
        OneOrMany::One(test) => vec![*test],
    })
}

/// The variable that a value refers to with its last word, `env:NAME`, and what stands
/// before it; none where the value is literal.
pub(super) fn reference(value: &str) -> Option<(&str, &str)> {
    let at = value.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let name = value.get(at..)?.strip_prefix("env:")?;
    let well_formed = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let is_name = !name.is_empty() && name.bytes().all(well_formed);
    (is_name && !name.as_bytes()[0].is_ascii_digit()).then(|| (&value[..at], name))
}

/// Whether a value is a reference to a variable and nothing beside it.
pub(super) fn is_reference(value: &str) -> bool {
    reference(value).is_some_and(|(before, _)| before.is_empty())
}

/// JSON values, numbers by what they count: TOML distinguishes 1 and 1.0, JSON does not. Integers
/// are compared exactly, whatever a double could hold of them.
fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => match (integer(one), integer(other)) {
            (Some(one), Some(other)) => one == other,
            _ => one.as_f64() == other.as_f64(),
        },
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| equal(a, b))
        }
        (Value::Object(one), Value::Object(other)) => {
            let is_same = |(name, value): (&String, &Value)| {
                other.get(name).is_some_and(|other| equal(value, other))
            };
            one.len() == other.len() && one.iter().all(is_same)
        }
        (one, other) => one == other,
    }
}

/// A number as an integer, where it is one. No double beyond 2¹²⁷ occurs in a test.
fn integer(number: &Number) -> Option<i128> {
    let double = |f: f64| (f.fract() == 0.0 && f.abs() < 1e38).then_some(f as i128);
    number.as_i128().or_else(|| double(number.as_f64()?))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The URL without its user, password and query: they may hold a secret.
#[must_use]
pub fn without_secrets(url: &str) -> String {
    let Ok(mut parsed) = Url::parse(url) else {
        return without_query(url);
    };
    let _ = parsed.set_username("");
    let _ = parsed.set_password(None);
    parsed.set_fragment(None);
    let had_query = parsed.query().is_some();
    parsed.set_query(None);
    format!("{parsed}{}", if had_query { "?…" } else { "" })
}

fn without_query(url: &str) -> String {
    match url.split_once(['?', '#']) {
        Some((before, _)) => format!("{before}?…"),
        None => url.to_owned(),
    }
}

/// As a person would write it down: the method and the URL without secrets.
impl fmt::Display for AcceptanceTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, without_query(&self.url))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use bluegreen_testing::garbled::garbled;

    proptest! {
        /// Whatever an environment answers, the verdict is short and on one line.
        #[test]
        fn a_garbled_answer_is_judged_shortly(
            status: u16,
            body in garbled(br#"{"status":"ok","id":18446744073709551615,"list":[1,{"a":null}]}"#),
            location in proptest::option::of(bluegreen_testing::garbled::garbled_text("https://shop.example/health?token=x")),
        ) {
            let mut test = AcceptanceTest::get("/health");
            test.body_contains = Some("ok".to_owned());
            test.json.insert("/status".to_owned(), "ok".into());
            test.json.insert("/list/1/a".to_owned(), Value::Null);
            let answer = Answer { status, location, body, ..Answer::default() };
            let verdict = test.judge(&answer, &Secrets::default());
            prop_assert!(verdict.got.chars().count() < 1_000, "{}", verdict.got);
            prop_assert!(!verdict.got.contains(char::is_control), "{:?}", verdict.got);
            let request = test.request(Front::Http, "shop.example", |_| None).expect("it needs none");
            let _ = test.followed(&request, &answer);
        }
    }
    use serde_json::json;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            body: body.as_bytes().to_vec(),
            ..Answer::default()
        }
    }

    #[test]
    fn a_path_is_asked_of_the_environment_and_a_url_is_asked_as_it_is() {
        let by = |front: Front, url: &str| AcceptanceTest::get(url).url_on(front, "a.example");
        let on = |url: &str| by(Front::Http, url);
        assert_eq!(on("/health?full=1"), "http://a.example/health?full=1");
        assert_eq!(on("https://b.example/"), "https://b.example/");
        assert_eq!(on("https://{cname}:8443/x"), "https://a.example:8443/x");
        let https = |port| Front::Https { port };
        assert_eq!(by(https(443), "/x"), "https://a.example/x");
        assert_eq!(by(https(8443), "/x"), "https://a.example:8443/x");
        assert_eq!(by(https(443), "http://{cname}/x"), "http://a.example/x");
    }

    #[test]
    fn each_condition_passes_and_fails_in_words() {
        let base = || AcceptanceTest::get("/");
        let json = |pointer: &str, value: Value| AcceptanceTest {
            json: [(pointer.to_owned(), value)].into(),
            ..base()
        };
        let slow = Answer {
            latency: Duration::from_micros(500_900),
            ..answer(200, "")
        };
        let quick = Answer {
            latency: Duration::from_millis(500),
            ..answer(200, "")
        };
        let limited = AcceptanceTest {
            max_latency: Some(Duration::from_millis(500)),
            ..base()
        };
        let created = AcceptanceTest {
            expect_status: vec![201, 301],
            ..base()
        };
        let greeting = AcceptanceTest {
            body_contains: Some("ready".to_owned()),
            ..base()
        };
        let moved = Answer {
            location: Some("https://b.example/?token=t".to_owned()),
            ..answer(301, "")
        };
        let ok = r#"{"status":"ok","checks":[{"name":"db","up":1}]}"#;
        for (test, answer, passed, got) in [
            (base(), answer(204, ""), true, "204 No Content"),
            (
                base(),
                moved.clone(),
                false,
                "301 Moved Permanently to https://b.example/?…",
            ),
            (
                created.clone(),
                moved,
                true,
                "301 Moved Permanently to https://b.example/?…",
            ),
            (created, answer(200, ""), false, "200 OK, not 201 or 301"),
            (base(), answer(500, ""), false, "500 Internal Server Error"),
            (limited.clone(), quick, true, "200 OK"),
            (
                limited,
                slow,
                false,
                "200 OK, after 500ms, which is more than 500ms",
            ),
            (
                greeting.clone(),
                answer(200, "we are ready"),
                true,
                "200 OK",
            ),
            (
                greeting,
                answer(200, "not yet"),
                false,
                "200 OK, whose body lacks the text of body-contains",
            ),
            (
                json("/status", json!("ok")),
                answer(200, ok),
                true,
                "200 OK",
            ),
            (
                json("/checks/0/up", json!(1.0)),
                answer(200, ok),
                true,
                "200 OK",
            ),
            (
                json("/status", json!("fine")),
                answer(200, ok),
                false,
                "200 OK, whose /status is \"ok\", not \"fine\"",
            ),
            (
                json("/version", json!(1)),
                answer(200, ok),
                false,
                "200 OK, whose JSON has no /version",
            ),
            (
                json("/status", json!("ok")),
                answer(200, "<html>"),
                false,
                "200 OK, whose body is no JSON",
            ),
            // A failing status comes before the content of the body.
            (
                json("/status", json!("ok")),
                answer(503, ok),
                false,
                "503 Service Unavailable",
            ),
        ] {
            let verdict = test.judge(&answer, &Secrets::default());
            assert_eq!((verdict.passed, verdict.got.as_str()), (passed, got));
        }
    }

    #[test]
    fn numbers_are_compared_by_what_they_count_and_integers_exactly() {
        for (found, expected, passes) in [
            ("1", json!(1.0), true),
            ("[{\"a\":1.0}]", json!([{"a": 1}]), true),
            ("9007199254740993", json!(9_007_199_254_740_993_u64), true),
            ("9007199254740992", json!(9_007_199_254_740_993_u64), false),
            (
                "9007199254740992.0",
                json!(9_007_199_254_740_993_u64),
                false,
            ),
            (
                "18446744073709551615",
                json!(18_446_744_073_709_551_615_u64),
                true,
            ),
            ("-9223372036854775808", json!(i64::MIN), true),
            ("0.1", json!(0.1), true),
            ("0.1", json!(0), false),
            ("[1]", json!([1, 2]), false),
        ] {
            let found: Value = serde_json::from_str(found).expect("JSON");
            assert_eq!(equal(&found, &expected), passes, "{found} and {expected}");
        }
    }

    #[test]
    fn a_body_that_was_cut_is_told_so() {
        let mut test = AcceptanceTest::get("/");
        test.json = [("/status".to_owned(), json!("ok"))].into();
        let mut long = String::from("{\"text\":\"");
        long.push_str(&"x".repeat(BODY_BYTES_MAX - long.len()));
        let verdict = test.judge(&answer(200, &long), &Secrets::default());
        assert_eq!(
            verdict.got,
            "200 OK, whose body was cut at the limit of 1 MiB and is no JSON so far"
        );
    }

    #[test]
    fn secrets_come_from_variables_when_the_request_is_made() {
        let mut test = AcceptanceTest::get("/orders?dry=1");
        test.headers = [
            ("X-Api-Key", "env:API_KEY"),
            ("Authorization", "Bearer env:API_KEY"),
            ("X-Plain", "env: not one"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        test.body = Some("env:BODY".to_owned());
        let known = |name: &str| match name {
            "API_KEY" => Some("k".to_owned()),
            "BODY" => Some("{}".to_owned()),
            _ => None,
        };
        let request = test
            .request(Front::Http, "a.example", known)
            .expect("all are set");
        let values: Vec<_> = request.headers.iter().map(|(_, v)| v.as_str()).collect();
        assert_eq!(values, ["Bearer k", "k", "env: not one"]);
        assert_eq!(request.body.as_deref(), Some("{}"));
        let unset = all_set(std::slice::from_ref(&test), |_| None).expect_err("none is");
        assert_eq!(
            unset.to_string(),
            "the variable API_KEY is not set, which header Authorization of the test of \
             /orders?… takes its value from"
        );
        let broken = |name: &str| Some(format!("{name}\n"));
        let request = test.request(Front::Http, "a.example", broken);
        let values: Vec<_> = request.expect("it fits").headers.into_iter().collect();
        assert!(
            values.iter().all(|(_, value)| !value.contains('\n')),
            "{values:?}"
        );
        let inside = |_: &str| Some("hunter2\nhunter3".to_owned());
        let refused = all_set(std::slice::from_ref(&test), inside).expect_err("no header holds it");
        assert_eq!(
            refused.to_string(),
            "the variable API_KEY holds a line break or another control character, which header \
             Authorization of the test of /orders?… takes its value from"
        );
        let kept = serde_json::to_string(&test).expect("JSON");
        assert!(
            kept.contains("env:API_KEY") && !kept.contains("\"k\""),
            "{kept}"
        );
    }

    #[test]
    fn a_url_is_told_without_its_secrets() {
        for (url, told) in [
            (
                "https://ann:secret@shop.example/a?token=t#f",
                "https://shop.example/a?…",
            ),
            ("http://shop.example/", "http://shop.example/"),
            ("/a?token=t", "/a?…"),
        ] {
            assert_eq!(without_secrets(url), told);
        }
        let mut test = AcceptanceTest::get("https://{cname}/a?token=t");
        test.host = Some("www.shop.example".to_owned());
        assert_eq!(
            test.asked(Front::Http, "a.example"),
            "GET https://a.example/a?… as www.shop.example"
        );
    }

    #[test]
    fn the_single_test_of_an_older_journal_is_a_list_of_one() {
        #[derive(Deserialize)]
        struct Old {
            #[serde(alias = "test", deserialize_with = "one_or_many")]
            tests: Vec<AcceptanceTest>,
        }
        let old = r#"{"test":{"url":"/h","expect_status":[204],"timeout":{"secs":10,"nanos":0}}}"#;
        let old: Old = serde_json::from_str(old).expect("it opens");
        let mut expected = AcceptanceTest::get("/h");
        expected.expect_status = vec![204];
        assert_eq!(old.tests, [expected.clone()]);
        let new = format!(
            "{{\"tests\":{}}}",
            serde_json::to_string(&old.tests).expect("JSON")
        );
        let new: Old = serde_json::from_str(&new).expect("it opens");
        assert_eq!(new.tests, [expected]);
    }
}
