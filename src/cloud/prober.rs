//! The tests of an environment: HTTP requests, redirects shown and not followed, TLS
//! verified; and the operator's command.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use reqwest::header::{HOST, HeaderValue, LOCATION};
use reqwest::{Client, ClientBuilder, Method, Url};

use crate::acceptance::{AcceptanceTest, Answer, BODY_BYTES_MAX, Request};
use crate::command::{self, Ran, Run};
use crate::plan::{Plan, Role};

/// The answer to one HTTP test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What was asked, as in `GET http://…/`.
    pub asked: String,
    /// What came back: a status and what is wrong with it, or why there was none.
    pub got: String,
    /// Whether that passes.
    pub passed: bool,
}

/// Tests an environment.
pub trait Prober {
    /// Asks the environment that answers under `cname`.
    fn probe(&self, test: &AcceptanceTest, cname: &str) -> impl Future<Output = Probe>;

    /// Runs a command that tests an environment.
    fn run(&self, run: &Run) -> impl Future<Output = Ran>;
}

/// The prober that asks over the network.
#[derive(Clone, Debug)]
pub struct HttpProber {
    client: Client,
    proxy: Option<String>,
}

impl HttpProber {
    /// A prober; `proxy` is the forward proxy to ask through, none for the
    /// environment's own (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`).
    ///
    /// # Errors
    /// The proxy's URL is not one, or the TLS roots cannot be read.
    pub fn new(proxy: Option<&str>) -> Result<HttpProber, reqwest::Error> {
        let mut builder = builder();
        if let Some(proxy) = proxy {
            builder = builder.proxy(reqwest::Proxy::http(proxy)?);
        }
        Ok(HttpProber {
            client: builder.build()?,
            proxy: proxy.map(str::to_owned),
        })
    }

    async fn ask(&self, request: Request, reads_body: bool) -> Result<Answer, String> {
        let began = Instant::now();
        let (client, url) = self.client_of(&request).await?;
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|e| e.to_string())?;
        let mut builder = client.request(method, url);
        for (name, value) in &request.headers {
            let mut value = HeaderValue::from_str(value)
                .map_err(|_| format!("the value of header {name} has characters that none may"))?;
            value.set_sensitive(true);
            builder = builder.header(name, value);
        }
        if let Some(host) = &request.host {
            builder = builder.header(HOST, host);
        }
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        let mut response = builder.send().await.map_err(root_cause)?;
        let mut body = Vec::new();
        while reads_body && body.len() < BODY_BYTES_MAX {
            match response.chunk().await.map_err(root_cause)? {
                Some(chunk) => body.extend_from_slice(&chunk),
                None => break,
            }
        }
        body.truncate(BODY_BYTES_MAX);
        let location = response.headers().get(LOCATION);
        Ok(Answer {
            status: response.status().as_u16(),
            location: location.map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned()),
            body,
            latency: began.elapsed(),
        })
    }

    /// The client and the URL for a request. A name of its own in TLS needs a client that
    /// connects to the address of the URL's host under that name: directly, because a
    /// proxy would look the name up by itself.
    async fn client_of(&self, request: &Request) -> Result<(Client, Url), String> {
        let mut url = Url::parse(&request.url).map_err(|e| e.to_string())?;
        let Some(host) = request.host.as_ref().filter(|_| url.scheme() == "https") else {
            return Ok((self.client.clone(), url));
        };
        let at = url.host_str().unwrap_or_default().to_owned();
        let port = url.port_or_known_default().unwrap_or(443);
        let found = tokio::net::lookup_host((at.trim_matches(['[', ']']), port)).await;
        let addresses: Vec<SocketAddr> = found.map_err(|e| format!("{at}: {e}"))?.collect();
        url.set_host(Some(host)).map_err(|e| e.to_string())?;
        let client = builder().no_proxy().resolve_to_addrs(host, &addresses);
        Ok((client.build().map_err(root_cause)?, url))
    }
}

fn builder() -> ClientBuilder {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("bluegreen/", env!("CARGO_PKG_VERSION")))
        // A test must meet the environment as a new client does.
        .pool_max_idle_per_host(0)
}

impl Prober for HttpProber {
    async fn probe(&self, test: &AcceptanceTest, cname: &str) -> Probe {
        let answered = match test.request(cname, |name| std::env::var(name).ok()) {
            Ok(request) => {
                let asked = self.ask(request, test.reads_body());
                tokio::time::timeout(test.timeout, asked).await
            }
            Err(unset) => Ok(Err(unset.to_string())),
        };
        Probe::of(
            test,
            cname,
            answered.unwrap_or_else(|_| Err(late(test.timeout))),
        )
    }

    async fn run(&self, run: &Run) -> Ran {
        let mut run = run.clone();
        if let Some(proxy) = &self.proxy {
            run.variables.push(("http_proxy".to_owned(), proxy.clone()));
        }
        command::run(&run).await
    }
}

impl Probe {
    /// What an answer is worth, or why there was none.
    #[must_use]
    pub fn of(test: &AcceptanceTest, cname: &str, answered: Result<Answer, String>) -> Probe {
        let (got, passed) = match answered {
            Ok(answer) => {
                let verdict = test.judge(&answer);
                (verdict.got, verdict.passed)
            }
            Err(why) => (why, false),
        };
        Probe {
            asked: test.asked(cname),
            got,
            passed,
        }
    }
}

/// The variables that the command that tests gets: where the environment answers, the
/// deployment's id, the version label and the environment's name. None of them is one that
/// a flag takes.
pub const TEST_VARIABLES: [&str; 4] = [
    "BLUEGREEN_URL",
    "BLUEGREEN_ID",
    "BLUEGREEN_VERSION",
    "BLUEGREEN_ENVIRONMENT",
];

/// The command that tests the environment of a role, which answers under `cname`; none
/// where the plan has none.
#[must_use]
pub fn test_run(plan: &Plan, role: Role, cname: &str) -> Option<Run> {
    let test = plan.command_towards(plan.goal)?;
    let version = match role {
        Role::Blue => plan.goal_version(),
        Role::Green => plan.green_version(),
    };
    let values = [
        format!("http://{cname}"),
        plan.id.clone(),
        version.to_owned(),
        plan.environment(role).to_owned(),
    ];
    let names = TEST_VARIABLES.map(str::to_owned);
    Some(Run {
        command: test.command.clone(),
        variables: names.into_iter().zip(values).collect(),
        input: Vec::new(),
        limit: test.limit,
    })
}

fn late(limit: Duration) -> String {
    format!("no answer within {}", humantime::format_duration(limit))
}

/// The last link of an error's chain: the one that says what happened. A URL may hold
/// a secret, and is not told.
pub(crate) fn root_cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut last: &dyn Error = &error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// A server for one request: gives its address and, at the end, what it was sent.
    async fn server(answer: &'static str) -> (SocketAddr, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut sent = String::new();
            let mut buffer = [0; 4096];
            while !sent.contains("\r\n\r\n") || sent.starts_with("POST") && !sent.ends_with('}') {
                let length = stream.read(&mut buffer).await.expect("it reads");
                sent.push_str(&String::from_utf8_lossy(&buffer[..length]));
            }
            stream
                .write_all(answer.as_bytes())
                .await
                .expect("it writes");
            if answer.is_empty() {
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
            sent
        });
        (address, serving)
    }

    fn prober() -> HttpProber {
        HttpProber::new(None).expect("a prober")
    }

    #[tokio::test]
    async fn everything_a_test_says_is_asked_and_judged() {
        let answer = "HTTP/1.1 201 Created\r\ncontent-length: 15\r\n\r\n{\"status\":\"ok\"}";
        let (address, serving) = server(answer).await;
        let mut test = AcceptanceTest::get("http://{cname}/orders?token=hunter2");
        test.method = "POST".to_owned();
        test.host = Some("www.shop.example".to_owned());
        test.headers = [("X-Home".to_owned(), "at env:HOME".to_owned())].into();
        test.body = Some("{}".to_owned());
        test.json = [("/status".to_owned(), "ok".into())].into();
        let probe = prober().probe(&test, &address.to_string()).await;
        assert_eq!((probe.passed, probe.got.as_str()), (true, "201 Created"));
        assert!(!probe.asked.contains("hunter2"), "{}", probe.asked);
        let sent = serving.await.expect("it served");
        let home = std::env::var("HOME").expect("a home");
        for part in [
            "POST /orders?token=hunter2 HTTP/1.1\r\n",
            "host: www.shop.example\r\n",
            &format!("x-home: at {home}\r\n"),
            "\r\n\r\n{}",
        ] {
            assert!(sent.contains(part), "{part} in {sent}");
        }
    }

    #[tokio::test]
    async fn no_answer_is_told_without_the_urls_secrets() {
        let (address, _serving) = server("").await;
        let mut test = AcceptanceTest::get("http://{cname}/?token=hunter2");
        test.timeout = Duration::from_millis(200);
        let slow = prober().probe(&test, &address.to_string()).await;
        assert_eq!(
            (slow.passed, slow.got.as_str()),
            (false, "no answer within 200ms")
        );
        let refused = prober().probe(&test, "127.0.0.1:1").await;
        assert!(
            !refused.passed && refused.got.contains("refused"),
            "{refused:?}"
        );
        assert!(!format!("{refused:?}").contains("hunter2"), "{refused:?}");
        test.headers = [("X-Key".to_owned(), "env:BLUEGREEN_NO_SUCH".to_owned())].into();
        let unset = prober().probe(&test, "127.0.0.1:1").await;
        assert!(
            unset.got.contains("BLUEGREEN_NO_SUCH is not set"),
            "{unset:?}"
        );
    }

    /// The name is presented to the address of the environment itself.
    #[tokio::test]
    async fn another_name_in_tls_goes_to_the_environments_own_address() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let greeted = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut hello = vec![0; 4096];
            let length = stream.read(&mut hello).await.expect("it reads");
            hello.truncate(length);
            hello
        });
        let mut test = AcceptanceTest::get("https://{cname}/");
        test.host = Some("www.shop.example".to_owned());
        test.timeout = Duration::from_secs(5);
        let probe = prober().probe(&test, &address.to_string()).await;
        assert!(!probe.passed, "the server spoke no TLS");
        let hello = greeted.await.expect("it was greeted");
        let name = b"www.shop.example";
        assert!(hello.windows(name.len()).any(|part| part == name), "SNI");
    }
}
