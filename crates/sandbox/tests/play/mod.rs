//! A sandbox on a manual clock, and the requests to it.
#![allow(dead_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use bluegreen_sandbox::{Fault, Options, Sandbox, TimeSource, World};
use bytes::Bytes;
use http::Request;

/// When its time begins.
pub const START: u64 = 1_800_000_000_000;
/// The solution stack of the sandbox, as a form names it.
pub const STACK: &str = "64bit+Amazon+Linux+2023+v4.3.0+running+Node.js+20";
/// An hour, a day and a week in seconds.
pub const HOUR: u64 = 60 * 60;
pub const DAY: u64 = 24 * HOUR;
pub const WEEK: u64 = 7 * DAY;

/// A sandbox and its time.
pub struct Play {
    pub sandbox: Sandbox,
    now: Arc<AtomicU64>,
}

impl Play {
    pub fn new() -> Play {
        let now = Arc::new(AtomicU64::new(START));
        let read = now.clone();
        let clock = move || UNIX_EPOCH + Duration::from_millis(read.load(Ordering::SeqCst));
        let sandbox = Sandbox::open(Options {
            time: TimeSource::Manual(Arc::new(clock)),
            ..Options::default()
        })
        .expect("it opens");
        sandbox.with_world(|world, _| world.timings = world.timings.even());
        Play { sandbox, now }
    }

    pub fn wait(&self, seconds: u64) {
        self.now.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    pub fn now(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }

    pub fn world<R>(&self, work: impl FnOnce(&mut World) -> R) -> R {
        self.sandbox.with_world(|world, _| work(world))
    }

    pub fn inject(&self, fault: impl Into<Fault>) {
        self.world(|world| world.inject(fault));
    }

    /// The status and the body of an answer.
    pub async fn send(&self, request: Request<Bytes>) -> (u16, Bytes) {
        let answer = self.sandbox.handle(request).await.expect("an answer");
        (answer.status().as_u16(), answer.into_body())
    }

    /// The status and the body of the answer to a request of the Query API, given as a form.
    pub async fn ask(&self, form: &str) -> (u16, String) {
        let request = Request::post("http://127.0.0.1:4577/")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(form.to_owned()))
            .expect("a request");
        let (status, body) = self.send(request).await;
        let body = String::from_utf8_lossy(&body).replace("&apos;", "'");
        (status, body)
    }

    /// The status and the body of an answer of another service, by its name in signatures; it is
    /// asked by a form, or in JSON with the operation's name below `target`.
    pub async fn call(&self, scope: &str, target: Option<&str>, operation: &str) -> (u16, String) {
        let signed = format!(
            "AWS4-HMAC-SHA256 Credential=a/20270115/us-east-1/{scope}/aws4_request, \
             SignedHeaders=host, Signature=00"
        );
        let request = Request::post("http://127.0.0.1:4577/").header("authorization", signed);
        let request = match target {
            None => request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(Bytes::from(format!("Action={operation}"))),
            Some(target) => request
                .header("content-type", "application/x-amz-json-1.1")
                .header("x-amz-target", format!("{target}.{operation}"))
                .body(Bytes::from_static(b"{}")),
        };
        let (status, body) = self.send(request.expect("a request")).await;
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    pub async fn done(&self, form: &str) -> String {
        let (status, body) = self.ask(form).await;
        assert_eq!(status, 200, "{form}: {body}");
        body
    }

    pub async fn refused(&self, form: &str, code: &str, message: &str) {
        let (status, body) = self.ask(form).await;
        let told = (
            status,
            between(&body, "<Code>", "</Code>"),
            between(&body, "<Message>", "</Message>"),
        );
        assert_eq!(
            told,
            (400, code.to_owned(), message.to_owned()),
            "{form}: {body}"
        );
    }

    /// An object's content; `None` where there is none.
    pub async fn object(&self, bucket: &str, key: &str) -> Option<Bytes> {
        let (status, body) = self.get(&format!("http://127.0.0.1/{bucket}/{key}")).await;
        assert!(matches!(status, 200 | 404), "{status}");
        (status == 200).then_some(body)
    }

    pub async fn get(&self, url: &str) -> (u16, Bytes) {
        let request = Request::get(url).body(Bytes::new());
        self.send(request.expect("a request")).await
    }

    pub async fn put(&self, path: &str, content: &str) -> u16 {
        let request = Request::put(format!("http://127.0.0.1/{path}"));
        let request = request.body(Bytes::from(content.to_owned()));
        self.send(request.expect("a request")).await.0
    }

    /// Launches an environment of application `shop` with version `v1`, and waits for it.
    pub async fn launch(&self, name: &str) -> String {
        let told = self
            .done(&format!(
                "Action=CreateEnvironment&ApplicationName=shop&EnvironmentName={name}\
                 &VersionLabel=v1&SolutionStackName={STACK}&CNAMEPrefix={name}"
            ))
            .await;
        self.wait(600);
        between(&told, "<EnvironmentId>", "</EnvironmentId>")
    }

    /// The events that bear a request's id, oldest first.
    pub async fn events(&self, request_id: &str) -> Vec<String> {
        let told = self
            .done(&format!("Action=DescribeEvents&RequestId={request_id}"))
            .await;
        let mut messages = all(&told, "<Message>", "</Message>");
        messages.reverse();
        messages
    }
}

/// The id of the request that an answer is for.
pub fn request_id(answer: &str) -> String {
    between(answer, "<RequestId>", "</RequestId>")
}

/// What stands first between two texts; empty where nothing does.
pub fn between(text: &str, before: &str, after: &str) -> String {
    all(text, before, after)
        .into_iter()
        .next()
        .unwrap_or_default()
}

/// Everything that stands between two texts.
pub fn all(text: &str, before: &str, after: &str) -> Vec<String> {
    let parts = text.split(before).skip(1);
    let found = parts.filter_map(|part| part.split_once(after));
    found.map(|(inside, _)| inside.to_owned()).collect()
}
