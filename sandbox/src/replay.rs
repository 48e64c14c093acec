//! Answers that were recorded on a real account, given again.
//!
//! A recording is a file that `bluegreen doctor` writes: every request that it sent, and what
//! AWS answered, under pseudonyms. A request is answered with what its like was answered, in
//! the recorded order; the last answer is given again and again. A request whose like was
//! never recorded gets an error that says so.

mod simulation;

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, ETAG};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;
use thiserror::Error;
use tokio::net::TcpListener;

use crate::objects;
use crate::route::{self, Hangup};
use crate::server;

/// The version of a recording that is understood.
const VERSION: u32 = 1;

/// Parameters that tell when something was asked, and not what.
const VOLATILE: [&str; 3] = ["StartTime", "EndTime", "x-id"];

/// How many requests an answer to an unknown one names.
const NAMED_MAX: usize = 12;

/// A file that is no recording.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// It cannot be read.
    #[error("cannot read the recording {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is something else.
    #[error("{} is not a recording that `bluegreen doctor` wrote: {message}", path.display())]
    NotARecording {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// A newer program wrote it.
    #[error("the recording {} was written by a newer bluegreen", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
    },
}

#[derive(Clone, Debug, Deserialize)]
struct Document {
    format: String,
    version: u32,
    region: String,
    #[serde(default)]
    names: BTreeMap<String, String>,
    exchanges: Vec<Exchange>,
}

#[derive(Clone, Debug, Deserialize)]
struct Exchange {
    at: String,
    #[serde(default)]
    service: String,
    method: String,
    path: String,
    #[serde(default)]
    target: Option<String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    status: Option<u16>,
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    etag: Option<String>,
    #[serde(default)]
    answer: Option<String>,
}

/// What a request asks, as far as two of them can be told apart by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    /// The method and the path, or the operation of a protocol that names it.
    operation: String,
    /// The parameters, sorted.
    parameters: Vec<(String, String)>,
}

/// A recording that answers.
#[derive(Clone, Debug)]
pub struct Replay(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    document: Document,
    asked: Vec<Asked>,
    /// Which exchanges were given already.
    given: Mutex<Vec<bool>>,
    began: Instant,
    /// When the recording began.
    begins_at: SystemTime,
}

impl Replay {
    /// Reads a recording.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn read(path: &Path) -> Result<Replay, ReplayError> {
        let text = std::fs::read_to_string(path).map_err(|source| ReplayError::Io {
            path: path.to_owned(),
            source,
        })?;
        let wrong = |message: String| ReplayError::NotARecording {
            path: path.to_owned(),
            message,
        };
        let document: Document =
            serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if document.format != "bluegreen-doctor" {
            return Err(wrong(format!("its format is {:?}", document.format)));
        }
        if document.version > VERSION {
            return Err(ReplayError::Newer {
                path: path.to_owned(),
            });
        }
        let first = document.exchanges.first();
        let begins_at = first.map(|exchange| humantime::parse_rfc3339_weak(&exchange.at));
        let begins_at = begins_at.transpose().map_err(|e| wrong(e.to_string()))?;
        let asked = document.exchanges.iter().map(|exchange| {
            let body = exchange.body.as_deref().unwrap_or_default();
            Asked::of(
                &exchange.method,
                &exchange.path,
                exchange.target.as_deref(),
                body,
            )
        });
        Ok(Replay(Arc::new(Inner {
            asked: asked.collect(),
            given: Mutex::new(vec![false; document.exchanges.len()]),
            began: Instant::now(),
            begins_at: begins_at.unwrap_or_else(SystemTime::now),
            document,
        })))
    }

    /// Under which names it answers: `application`, `blue`, `green`, `bucket`.
    #[must_use]
    pub fn names(&self) -> &BTreeMap<String, String> {
        &self.0.document.names
    }

    /// The region that was recorded.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.0.document.region
    }

    /// How many requests it holds.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.0.asked.len()
    }

    /// Serves until `shutdown` is done; open connections are closed then.
    ///
    /// # Errors
    /// The listener fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let answer = move |request| {
            let replay = self.clone();
            async move { Ok::<_, Hangup>(replay.answer(&request)) }
        };
        server::serve(listener, shutdown, answer).await
    }

    /// Answers one HTTP request.
    #[must_use]
    pub fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let mut response = self.found(request);
        let now = httpdate::fmt_http_date(self.now());
        if let Ok(now) = HeaderValue::from_str(&now) {
            response.headers_mut().insert(DATE, now);
        }
        response
    }

    fn now(&self) -> SystemTime {
        self.0.begins_at + self.0.began.elapsed()
    }

    fn found(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let uri = request.uri();
        if uri.path() == "/_sandbox/clock" {
            let since = self.now().duration_since(SystemTime::UNIX_EPOCH);
            let now = since.unwrap_or(Duration::ZERO).as_millis();
            let now = u64::try_from(now).unwrap_or(u64::MAX);
            return route::in_json(200, &json!({ "now_ms": now, "speed": 1.0 }));
        }
        let host = route::host(request);
        if host.ends_with(".elasticbeanstalk.com") || host.ends_with(".elb.amazonaws.com") {
            return self.site(uri.path());
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let header = |name: &str| request.headers().get(name)?.to_str().ok();
        let body = String::from_utf8_lossy(request.body());
        let asked = Asked::of(
            request.method().as_str(),
            path,
            header("x-amz-target"),
            &body,
        );
        if asked.operation == simulation::OPERATION
            && let Some(body) = simulation::answer(&self.0.document.exchanges, &asked)
        {
            return route::answer(200, "text/xml", body);
        }
        match self.exchange(&asked) {
            // What an object holds is in no recording.
            Some(exchange) if is_object(exchange) => objects::failure(
                StatusCode::NOT_FOUND,
                "NoSuchKey",
                "A recording holds no object's contents.",
            ),
            Some(exchange) => response(exchange),
            None => self.unknown(&asked),
        }
    }

    /// With which status a web site answered this path, or else the first one that was asked.
    fn site(&self, path: &str) -> Response<Bytes> {
        let exchanges = self.0.document.exchanges.iter();
        let sites: Vec<_> = exchanges.filter(|e| e.service == "site").collect();
        let same = sites.iter().find(|exchange| exchange.path == path);
        let status = same.or(sites.first()).and_then(|found| found.status);
        match status {
            Some(status) => route::text(status, "recorded\n".to_owned()),
            None => route::text(501, "the recording holds no web site's answer\n".to_owned()),
        }
    }

    /// The next exchange in which this was asked, or the last; one in which all but made-up
    /// values are the same, where there is none.
    fn exchange(&self, asked: &Asked) -> Option<&Exchange> {
        let recorded = &self.0.asked;
        let answered = |at: &usize| self.0.document.exchanges[*at].status.is_some();
        let same: Vec<usize> = (0..recorded.len())
            .filter(|at| recorded[*at] == *asked)
            .filter(answered)
            .collect();
        let candidates = match same.is_empty() {
            false => same,
            true => {
                let likeness = |at: &usize| recorded[*at].likeness(asked);
                let alike = (0..recorded.len()).filter(answered);
                let alike: Vec<_> = alike.filter_map(|at| Some((likeness(&at)?, at))).collect();
                match alike.iter().map(|(likeness, _)| *likeness).max() {
                    Some(most) => {
                        let best = alike.into_iter().filter(|(likeness, _)| *likeness == most);
                        best.map(|(_, at)| at).collect()
                    }
                    None => Vec::new(),
                }
            }
        };
        let mut given = self.0.given.lock().unwrap_or_else(PoisonError::into_inner);
        let next = candidates.iter().find(|at| !given[**at]);
        let at = *next.or(candidates.last())?;
        given[at] = true;
        Some(&self.0.document.exchanges[at])
    }

    fn unknown(&self, asked: &Asked) -> Response<Bytes> {
        let mut known: Vec<_> = self.0.asked.iter().map(|a| a.operation.clone()).collect();
        known.sort();
        known.dedup();
        known.truncate(NAMED_MAX);
        let message = format!(
            "the recording holds no {} with these parameters; it holds {}",
            asked.operation,
            known.join(", ")
        );
        if asked.operation.contains(' ') {
            return objects::failure(StatusCode::BAD_REQUEST, "NotRecorded", &message);
        }
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>NotRecorded</Code><Message>{message}\
             </Message></Error><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"
        );
        route::answer(400, "text/xml", body)
    }
}

impl Asked {
    fn of(method: &str, path: &str, target: Option<&str>, body: &str) -> Asked {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let parsed = |text: &str| {
            let pairs = form_urlencoded::parse(text.as_bytes()).into_owned();
            let pairs = pairs.filter(|(key, _)| !VOLATILE.contains(&key.as_str()));
            pairs.collect::<Vec<_>>()
        };
        let mut parameters = parsed(query);
        // What is written to a bucket is told apart by its key.
        let is_form = body.starts_with("Action=") || body.contains("&Action=");
        match (is_form, target) {
            (true, _) => parameters.extend(parsed(body)),
            (false, Some(_)) => parameters.push(("body".to_owned(), in_order(body))),
            (false, None) => {}
        }
        parameters.sort();
        let action = parameters.iter().find(|(key, _)| key == "Action");
        let operation = match (target, action) {
            (Some(target), _) => target.to_owned(),
            (None, Some((_, action))) => action.clone(),
            (None, None) => format!("{method} {path}"),
        };
        Asked {
            operation,
            parameters,
        }
    }

    /// How many values are the same where the operation is, and the parameters are the same
    /// ones; none where it is another question: an environment, an application or any other
    /// named thing is another one.
    fn likeness(&self, other: &Asked) -> Option<usize> {
        let keys = |asked: &Asked| {
            let keys = asked.parameters.iter().map(|(key, _)| key.clone());
            keys.collect::<Vec<_>>()
        };
        if self.operation != other.operation || keys(self) != keys(other) {
            return None;
        }
        let pairs = self.parameters.iter().zip(&other.parameters);
        let mut same = 0;
        for ((_, recorded), (_, asked)) in pairs {
            if recorded == asked {
                same += 1;
            } else if names_something(recorded) || names_something(asked) {
                return None;
            }
        }
        Some(same)
    }
}

/// Whether a value is the pseudonym of something that has a name.
fn names_something(value: &str) -> bool {
    let kinds = ["application", "bucket", "environment", "version"];
    value.rsplit_once('-').is_some_and(|(kind, number)| {
        kinds.contains(&kind) && number.bytes().all(|b| b.is_ascii_digit())
    })
}

/// Whether an answer was an object of S3, whose contents are not recorded.
fn is_object(exchange: &Exchange) -> bool {
    exchange.method == "GET" && exchange.status == Some(200) && exchange.answer.is_none()
}

/// A JSON document whose fields are in order.
fn in_order(body: &str) -> String {
    let value = serde_json::from_str::<serde_json::Value>(body);
    value.map_or_else(|_| body.to_owned(), |value| value.to_string())
}

fn response(exchange: &Exchange) -> Response<Bytes> {
    let body = exchange.answer.clone().unwrap_or_default();
    let mut response = Response::new(Bytes::from(body));
    let status = exchange.status.and_then(|s| StatusCode::from_u16(s).ok());
    *response.status_mut() = status.unwrap_or(StatusCode::BAD_GATEWAY);
    let headers: [(HeaderName, &Option<String>); 2] = [
        (CONTENT_TYPE, &exchange.content_type),
        (ETAG, &exchange.etag),
    ];
    for (name, value) in headers {
        if let Some(value) = value.as_deref().and_then(|v| HeaderValue::from_str(v).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
