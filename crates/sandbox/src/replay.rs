//! Replays answers that were recorded on a real account.
//!
//! A recording is a file that `bluegreen doctor` writes: every request that it sent, and what AWS
//! answered, under pseudonyms. A request gets the recorded answer to one like it, in the recorded
//! order; the last answer repeats. A request that resembles no recorded one gets an error that says
//! so.
//!
//! Requests that change something divide a recording: the replay returns a read recorded after such
//! a request only once a client has sent one like it, however often that client polls before.
//! Objects that clients keep for themselves below `bluegreen/` in the bucket are not recorded: they
//! are in a store of the replay's own. Names that a client makes up differ in each run: an answer
//! has those of the client that sent the request.

mod progress;
mod question;
pub(crate) mod recording;
mod simulation;

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE};
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::json;
use tokio::net::TcpListener;

use crate::call::Hangup;
use crate::objects::Objects;
use crate::replay::progress::Progress;
use crate::replay::question::Question;
use crate::replay::recording::{Exchange, Recording, ReplayError};
use crate::{host, objects, response, server, time};

/// How many requests an answer to an unknown one names.
const NAMED_MAX: usize = 12;

/// A recording that can answer requests.
#[derive(Clone)]
pub struct Replay {
    inner: Arc<Inner>,
    /// How many of its seconds pass in one of the wall's.
    speed: f64,
}

struct Inner {
    recording: Recording,
    asked: Vec<Question>,
    given: Mutex<Progress>,
    began: Instant,
    /// When the recording began.
    begins_at: SystemTime,
    /// The objects that clients keep for themselves.
    objects: Objects,
    _scratch: tempfile::TempDir,
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let requests = self.inner.asked.len();
        f.debug_struct("Replay")
            .field("requests", &requests)
            .finish_non_exhaustive()
    }
}

impl Replay {
    /// Reads a recording.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn read(path: &Path) -> Result<Replay, ReplayError> {
        let recording = Recording::read(path)?;
        let asked = recording.exchanges.iter().map(|exchange| {
            let body = exchange.body.as_deref().unwrap_or_default();
            Question::of(
                &exchange.method,
                &exchange.path,
                exchange.target.as_deref(),
                body,
            )
        });
        let io = |source| ReplayError::Io {
            path: std::env::temp_dir(),
            source,
        };
        let scratch = tempfile::tempdir().map_err(io)?;
        let objects = Objects::open(scratch.path(), false).map_err(io)?;
        if let Some(bucket) = recording.names.get("bucket") {
            let begins_at = recording.begins_at.unwrap_or_else(SystemTime::now);
            let made = objects.make_bucket(bucket, time::millis(begins_at));
            made.map_err(io)?;
        }
        let inner = Inner {
            asked: asked.collect(),
            given: Mutex::new(Progress::of(recording.exchanges.len())),
            began: Instant::now(),
            begins_at: recording.begins_at.unwrap_or_else(SystemTime::now),
            recording,
            objects,
            _scratch: scratch,
        };
        Ok(Replay {
            inner: Arc::new(inner),
            speed: 1.0,
        })
    }

    /// This replay, on a clock that runs so many times as fast as the wall's.
    #[must_use]
    pub fn at_speed(self, speed: f64) -> Replay {
        Replay { speed, ..self }
    }

    /// The names under which it answers: `application`, `blue`, `green`, `bucket`, and `version`
    /// where one was named.
    #[must_use]
    pub fn names(&self) -> &BTreeMap<String, String> {
        &self.inner.recording.names
    }

    /// The region that was recorded.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.inner.recording.region
    }

    /// How many requests it holds.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.inner.asked.len()
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
        let folder = self.inner.objects.folder().to_owned();
        let answer = move |request| {
            let replay = self.clone();
            async move { Ok::<_, Hangup>(replay.answer(request).await) }
        };
        server::serve(listener, shutdown, folder, answer).await
    }

    /// Answers one HTTP request.
    pub async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        let mut response = match self.is_kept_by_clients(&request) {
            true => {
                let now = time::millis(self.now());
                self.inner.objects.handle(request, now).await
            }
            false => self.found(&request),
        };
        // The ids of requests are not recorded; a page in AWS's place had none.
        let is_page = |kind: &HeaderValue| kind.as_bytes().starts_with(b"text/html");
        if !response.headers().get(CONTENT_TYPE).is_some_and(is_page) {
            let id = HeaderValue::from_static("00000000");
            response.headers_mut().insert("x-amz-request-id", id);
        }
        let now = httpdate::fmt_http_date(self.now());
        if let Ok(now) = HeaderValue::from_str(&now) {
            response.headers_mut().insert(DATE, now);
        }
        response
    }

    fn now(&self) -> SystemTime {
        self.inner.begins_at + self.inner.began.elapsed().mul_f64(self.speed)
    }

    /// Whether a request is for an object that clients keep for themselves in the bucket, and the
    /// recording has no request like it that was refused.
    fn is_kept_by_clients(&self, request: &Request<Bytes>) -> bool {
        let (bucket, key) = objects::target(request);
        let query = request.uri().query().unwrap_or_default();
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let prefix = pairs.find(|(name, _)| name == "prefix");
        let prefix = prefix.map(|(_, prefix)| prefix.into_owned());
        let key = if key.is_empty() {
            prefix.unwrap_or_default()
        } else {
            key
        };
        let names = &self.inner.recording.names;
        let is_kept = names.get("bucket") == Some(&bucket)
            && key.starts_with("bluegreen/")
            && !key.starts_with("bluegreen/bundles/")
            && key != "bluegreen/conditional-writes";
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let asked = Question::of(request.method().as_str(), path, None, "");
        let mut recorded = self.inner.asked.iter().zip(&self.inner.recording.exchanges);
        let was_refused = recorded.any(|(recorded, exchange)| {
            let refused = exchange
                .status
                .is_some_and(|s| s >= 400 && ![404, 409, 412].contains(&s));
            refused && *recorded == asked
        });
        is_kept && !was_refused
    }

    fn found(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let uri = request.uri();
        if uri.path() == "/_sandbox/clock" {
            let since = self.now().duration_since(SystemTime::UNIX_EPOCH);
            let now = since.unwrap_or(Duration::ZERO).as_millis();
            let now = u64::try_from(now).unwrap_or(u64::MAX);
            return response::in_json(
                200,
                &json!({ "now_ms": now, "speed": self.speed, "is_recording": true }),
            );
        }
        let host = host::host(request);
        let sites = [
            ".elasticbeanstalk.com",
            ".eb.amazonaws.com.cn",
            ".elb.amazonaws.com",
        ];
        if sites.iter().any(|site| host.ends_with(site)) {
            return self.site(uri.path());
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let header = |name: &str| request.headers().get(name)?.to_str().ok();
        let body = String::from_utf8_lossy(request.body());
        let asked = Question::of(
            request.method().as_str(),
            path,
            header("x-amz-target"),
            &body,
        );
        if asked.operation == simulation::OPERATION
            && let Some(body) = simulation::answer(&self.inner.recording.exchanges, &asked)
        {
            return response::answer(200, "text/xml", body);
        }
        match self.exchange(&asked) {
            // What an object holds is in no recording.
            Some(exchange) if exchange.is_object() => objects::failure(
                StatusCode::NOT_FOUND,
                "NoSuchKey",
                "A recording holds no object's contents.",
            ),
            Some(exchange) => self.renamed(exchange.response()),
            None => self.unknown(&asked),
        }
    }

    /// The status with which a web site answered this path, or else the first recorded path.
    fn site(&self, path: &str) -> Response<Bytes> {
        let exchanges = &self.inner.recording.exchanges;
        let sites = (0..exchanges.len()).filter(|at| exchanges[*at].service == "site");
        let sites: Vec<usize> = sites.collect();
        let same = sites
            .iter()
            .copied()
            .filter(|at| exchanges[*at].path == path);
        let same: Vec<usize> = same.collect();
        let candidates = if same.is_empty() { sites } else { same };
        let found = self.given().next(&self.inner.asked, &candidates, false);
        match found.and_then(|at| exchanges[at].status) {
            Some(status) => response::text(status, "recorded\n".to_owned()),
            None => response::text(501, "the recording holds no web site's answer\n".to_owned()),
        }
    }

    /// The next exchange with this request, or the last; where there is none, one that differs only
    /// in made-up values.
    fn exchange(&self, asked: &Question) -> Option<&Exchange> {
        let recorded = &self.inner.asked;
        let exchanges = &self.inner.recording.exchanges;
        let answered = |at: &usize| exchanges[*at].status.is_some();
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
        let at = self.given().next(recorded, &candidates, asked.changes())?;
        let made_up = recorded[at].made_up_otherwise(asked);
        self.given().renamed.extend(made_up);
        Some(&exchanges[at])
    }

    fn given(&self) -> std::sync::MutexGuard<'_, Progress> {
        let given = self.inner.given.lock();
        given.unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer with the ids of this run in place of those that were made up in the recording.
    fn renamed(&self, response: Response<Bytes>) -> Response<Bytes> {
        let renamed = self.given().renamed.clone();
        response.map(|body| match std::str::from_utf8(&body) {
            Ok(text) if !renamed.is_empty() => {
                let text = renamed.iter().fold(text.to_owned(), |text, (from, to)| {
                    text.replace(from.as_str(), to)
                });
                Bytes::from(text)
            }
            Ok(_) | Err(_) => body,
        })
    }

    fn unknown(&self, asked: &Question) -> Response<Bytes> {
        let mut known: Vec<_> = self
            .inner
            .asked
            .iter()
            .map(|a| a.operation.clone())
            .collect();
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
        response::answer(400, "text/xml", body)
    }
}
