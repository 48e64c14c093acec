//! The tests of an environment: HTTP requests, redirects shown and not followed, TLS
//! verified; and the operator's command.

mod names;
mod trust;

use std::collections::BTreeSet;
use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use reqwest::header::{HOST, HeaderValue, LOCATION};
use reqwest::{Client, ClientBuilder, Method, Url};

use names::Resolver;
use trust::whatever_name;

use crate::acceptance::{AcceptanceTest, Answer, BODY_BYTES_MAX, Request};
use crate::cloud::{Led, Prober};
use crate::command::{self, Ran, Run};
use crate::facts::{Probe, Site};
use crate::plan::{Goal, Plan, Role};
use crate::secrets;

/// Timeout of a name server's answer that is not essential.
const RESOLVED_WITHIN: Duration = Duration::from_secs(5);

/// How long what the service has signed may take, and how many bytes of it are read.
const FETCHED_WITHIN: Duration = Duration::from_secs(20);
const FETCHED_MAX: usize = 2 * 1024 * 1024;

/// The prober that sends requests over the network.
#[derive(Clone, Debug)]
pub struct HttpProber {
    client: Client,
    proxy: Option<String>,
}

impl HttpProber {
    /// A prober; `proxy` is the forward proxy to use, `None` for the one that the environment names
    /// (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`).
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

    /// Sends the request, and once more by https where the answer redirects there.
    async fn answer(
        &self,
        test: &AcceptanceTest,
        request: Request,
        site: &Site,
        is_sure: &mut bool,
    ) -> Result<Answer, String> {
        let began = Instant::now();
        let reads_body = test.reads_body();
        let first = self.ask(request.clone(), reads_body, site, is_sure).await?;
        let Some(next) = test.followed(&request, &first) else {
            return Ok(first);
        };
        let redirect = first.status;
        let next = self.ask(next, reads_body, site, is_sure).await;
        let next = next.map_err(|why| format!("{why}, by https, where a {redirect} leads"))?;
        Ok(Answer {
            redirected: Some(redirect),
            latency: began.elapsed(),
            ..next
        })
    }

    /// Sends the request, and says beside the answer, as soon as it is known, whether the answer
    /// will be the environment's own.
    async fn ask(
        &self,
        request: Request,
        reads_body: bool,
        site: &Site,
        is_sure: &mut bool,
    ) -> Result<Answer, String> {
        let began = Instant::now();
        let way = self.way(&request, site).await?;
        *is_sure = way.is_sure;
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|e| e.to_string())?;
        let mut builder = way.client.request(method, way.url);
        for (name, value) in &request.headers {
            let mut value = HeaderValue::from_str(value)
                .map_err(|_| format!("the value of header {name} has characters that none may"))?;
            value.set_sensitive(true);
            builder = builder.header(name, value);
        }
        if let Some(host) = &way.host {
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
            redirected: None,
        })
    }

    /// How a request gets to the environment. One for its CNAME connects to its endpoint, which no
    /// swap moves, and presents the CNAME all the same. A name of its own in TLS goes to the
    /// address of the URL's host under that name: directly, because a proxy would resolve the name
    /// by itself.
    async fn way(&self, request: &Request, site: &Site) -> Result<Way, String> {
        let mut url = Url::parse(&request.url).map_err(|e| e.to_string())?;
        let named = url.host_str().unwrap_or_default().to_owned();
        let is_own = named.eq_ignore_ascii_case(&site.cname);
        let endpoint = site.endpoint.as_deref().filter(|_| is_own);
        let is_https = url.scheme() == "https";
        let mut host = request.host.clone();
        if let (Some(endpoint), Some(_)) = (endpoint, &self.proxy) {
            // A sandbox resolves what it is asked for, and heeds the Host header beside it. It
            // has no certificates: what comes to a port of https has come by TLS.
            let port = url
                .port()
                .map(|port| format!(":{port}"))
                .unwrap_or_default();
            host.get_or_insert(format!("{named}{port}"));
            url.set_host(Some(endpoint)).map_err(|e| e.to_string())?;
            if is_https {
                let port = url.port().unwrap_or(443);
                let plain = url
                    .set_scheme("http")
                    .and_then(|()| url.set_port(Some(port)));
                plain.map_err(|()| format!("a sandbox cannot answer {url}"))?;
            }
            return Ok(Way {
                client: self.client.clone(),
                url,
                host,
                is_sure: true,
            });
        }
        let port = url.port_or_known_default().unwrap_or(80);
        let pinned = match endpoint {
            Some(endpoint) => addresses(endpoint, port).await.ok(),
            None => None,
        };
        let is_pinned = pinned.is_some();
        let fresh = || match is_https && !request.verifies_name {
            true => whatever_name(builder()),
            false => Ok(builder()),
        };
        if let Some(presented) = host.as_ref().filter(|_| is_https) {
            let addresses = match pinned {
                Some(pinned) => pinned,
                None => addresses(&named, port).await?,
            };
            url.set_host(Some(presented)).map_err(|e| e.to_string())?;
            let client = builder().no_proxy().resolve_to_addrs(presented, &addresses);
            return Ok(Way {
                client: client.build().map_err(root_cause)?,
                url,
                host,
                is_sure: is_pinned,
            });
        }
        let Some(pinned) = pinned else {
            return Ok(Way {
                client: match is_https && !request.verifies_name {
                    true => fresh()?.build().map_err(root_cause)?,
                    false => self.client.clone(),
                },
                url,
                host,
                is_sure: false,
            });
        };
        let client = fresh()?.resolve_to_addrs(&named, &pinned);
        let is_sure = !is_proxied(url.scheme());
        Ok(Way {
            client: client.build().map_err(root_cause)?,
            url,
            host,
            is_sure,
        })
    }
}

/// How a request gets to an environment.
struct Way {
    client: Client,
    url: Url,
    /// The Host header where it is not the URL's host.
    host: Option<String>,
    /// Whether it cannot get anywhere else.
    is_sure: bool,
}

/// The addresses of a name, or of an address.
async fn addresses(name: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let found = tokio::net::lookup_host((name.trim_matches(['[', ']']), port)).await;
    let found: Vec<SocketAddr> = found.map_err(|e| format!("{name}: {e}"))?.collect();
    match found.is_empty() {
        true => Err(format!("{name}: it has no address")),
        false => Ok(found),
    }
}

/// Whether a proxy that the environment names may resolve names instead of this process.
fn is_proxied(scheme: &str) -> bool {
    let of_scheme = format!("{scheme}_proxy");
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    [of_scheme.as_str(), "all_proxy"]
        .into_iter()
        .any(|name| is_set(name) || is_set(&name.to_ascii_uppercase()))
}

fn builder() -> ClientBuilder {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("bluegreen/", env!("CARGO_PKG_VERSION")))
        // A test must meet the environment as a new client does.
        .pool_max_idle_per_host(0)
}

#[async_trait]
impl Prober for HttpProber {
    async fn probe(&self, test: &AcceptanceTest, site: &Site) -> Probe {
        let mut is_sure = false;
        let variable = |name: &str| std::env::var(name).ok();
        let answered = match test.request(site.front, &site.cname, variable) {
            Ok(request) => {
                let asked = self.answer(test, request, site, &mut is_sure);
                tokio::time::timeout(test.timeout, asked).await
            }
            // No environment can answer that.
            Err(unset) => Ok(Err(unset.to_string())),
        };
        let answered = answered.unwrap_or_else(|_| Err(late(test.timeout)));
        let variables: Vec<String> = test.variables().map(str::to_owned).collect();
        let secrets = secrets::of_this_process(&variables);
        Probe::of(test, site, answered, &secrets).sure(is_sure)
    }

    async fn run(&self, run: &Run) -> Ran {
        let mut run = run.clone();
        if let Some(proxy) = &self.proxy {
            run.variables.push(("http_proxy".to_owned(), proxy.clone()));
        }
        command::run(&run).await
    }

    /// A sandbox's load balancers have names that nothing resolves.
    async fn nodes(&self, endpoint: &str) -> Option<u32> {
        if self.proxy.is_some() {
            return None;
        }
        let found = tokio::time::timeout(RESOLVED_WITHIN, addresses(endpoint, 80)).await;
        let found = found.ok()?.ok()?;
        let nodes: BTreeSet<_> = found.iter().filter(|at| at.is_ipv4()).collect();
        u32::try_from(nodes.len()).ok().filter(|nodes| *nodes > 0)
    }

    async fn fetch(&self, url: &str) -> Result<String, String> {
        let url = Url::parse(url).map_err(|e| e.to_string())?;
        let host = url.host_str().unwrap_or_default();
        let is_aws = host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn");
        let client = match &self.proxy {
            // A sandbox serves it at its own address.
            Some(_) => builder().no_proxy().build().map_err(root_cause)?,
            None if url.scheme() == "https" && is_aws => self.client.clone(),
            None => return Err("it leads elsewhere than to AWS".to_owned()),
        };
        let fetched = async {
            let mut response = client.get(url).send().await.map_err(root_cause)?;
            if response.status() != reqwest::StatusCode::OK {
                return Err(format!("it answered {}", response.status()));
            }
            let mut text = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(root_cause)? {
                text.extend_from_slice(&chunk);
                if text.len() > FETCHED_MAX {
                    break;
                }
            }
            Ok(String::from_utf8_lossy(&text).into_owned())
        };
        let fetched = tokio::time::timeout(FETCHED_WITHIN, fetched).await;
        fetched.unwrap_or_else(|_| Err(late(FETCHED_WITHIN)))
    }

    async fn look_up(&self, name: &str) -> Result<Led, String> {
        let resolver = match &self.proxy {
            Some(sandbox) => Resolver::Sandbox(sandbox.clone()),
            None => Resolver::System,
        };
        resolver.look_up(name).await
    }
}

/// The variables that the test command gets: where the environment answers, by its CNAME and by an
/// address that holds whatever CNAMEs it has; the deployment's id; the version label; and the
/// environment's name. No flag takes one of them.
pub const TEST_VARIABLES: [&str; 5] = [
    "BLUEGREEN_URL",
    "BLUEGREEN_ENDPOINT",
    "BLUEGREEN_ID",
    "BLUEGREEN_VERSION",
    "BLUEGREEN_ENVIRONMENT",
];

/// The command that tests the environment of a role, which runs this version, at this site; `None`
/// where the plan has no such command.
#[must_use]
pub fn test_run(plan: &Plan, role: Role, runs: Goal, site: &Site) -> Option<Run> {
    let test = plan.command_towards(runs)?;
    let version = match runs {
        Goal::Release => &plan.version,
        Goal::Previous => &plan.previous_version,
    };
    let values = [
        site.front.url(&site.cname),
        site.endpoint.clone().unwrap_or_default(),
        plan.id.clone(),
        version.clone(),
        plan.environment(role).to_owned(),
    ];
    let names = TEST_VARIABLES.map(str::to_owned);
    Some(Run {
        command: test.command.clone(),
        variables: names.into_iter().zip(values).collect(),
        input: Vec::new(),
        limit: test.limit,
        secret: plan.test_variables(),
    })
}

fn late(limit: Duration) -> String {
    format!("no answer within {}", humantime::format_duration(limit))
}

/// The last link of an error's chain, which says what happened. The URL is left out, because it may
/// hold a secret.
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
    use crate::acceptance::Front;
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

    /// An environment with this CNAME and an unknown endpoint.
    fn at(cname: impl ToString) -> Site {
        Site {
            cname: cname.to_string(),
            endpoint: None,
            front: Front::Http,
        }
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
        let probe = prober().probe(&test, &at(address)).await;
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
        let slow = prober().probe(&test, &at(address)).await;
        assert_eq!(
            (slow.passed, slow.got.as_str()),
            (false, "no answer within 200ms")
        );
        let refused = prober().probe(&test, &at("127.0.0.1:1")).await;
        assert!(
            !refused.passed && refused.got.contains("refused"),
            "{refused:?}"
        );
        assert!(!format!("{refused:?}").contains("hunter2"), "{refused:?}");
        test.headers = [("X-Key".to_owned(), "env:BLUEGREEN_NO_SUCH".to_owned())].into();
        let unset = prober().probe(&test, &at("127.0.0.1:1")).await;
        assert!(
            unset.got.contains("BLUEGREEN_NO_SUCH is not set"),
            "{unset:?}"
        );
    }

    /// A server that sends until the client closes the connection: returns how many bytes it has
    /// sent.
    async fn endless(
        begins: &'static str,
        goes_on: String,
        pause: Duration,
    ) -> (SocketAddr, tokio::task::JoinHandle<usize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut sent = Vec::new();
            while !sent.ends_with(b"\r\n\r\n") {
                sent.push(stream.read_u8().await.expect("it reads"));
            }
            let mut said = 0;
            let mut next = begins;
            while stream.write_all(next.as_bytes()).await.is_ok() {
                said += next.len();
                next = &goes_on;
                tokio::time::sleep(pause).await;
            }
            said
        });
        (address, serving)
    }

    #[tokio::test]
    async fn an_answer_without_an_end_is_given_up_in_time_and_in_bounds() {
        let body = "HTTP/1.1 200 OK\r\n\r\n";
        let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let interim = "HTTP/1.1 100 Continue\r\n\r\n";
        let (no, little) = (Duration::ZERO, Duration::from_millis(10));
        for (begins, goes_on, pause) in [
            (body, "x".repeat(4096), no),
            (body, "\0".repeat(4096), no),
            (body, "[".repeat(4096), no),
            (body, "x".to_owned(), little),
            (chunks, format!("1000\r\n{}\r\n", "x".repeat(4096)), no),
            (chunks, "1\r\nx\r\n".to_owned(), little),
            ("HTTP/1.1 200 OK\r\n", "x-y: z\r\n".repeat(64), no),
            ("HTTP/1.1 200 OK\r\nx-y: ", "z".repeat(4096), no),
            (interim, interim.repeat(64), no),
            (interim, interim.to_owned(), little),
            ("", "x".repeat(4096), no),
        ] {
            let (address, serving) = endless(begins, goes_on, pause).await;
            let mut test = AcceptanceTest::get("http://{cname}/");
            test.timeout = Duration::from_millis(100);
            test.json = [("/status".to_owned(), "ok".into())].into();
            let probe = prober().probe(&test, &at(address)).await;
            assert!(
                !probe.passed && probe.got.len() < 1_000,
                "{begins:?}: {probe:?}"
            );
            let said = serving.await.expect("nobody listens any more");
            // What is under way in the sockets is among it.
            assert!(said < 64 * BODY_BYTES_MAX, "{begins:?}: {said}");
        }
    }

    /// The CNAME leads nowhere, or elsewhere, as a cached DNS answer does after a swap: the request
    /// goes to the environment's own endpoint under that CNAME.
    #[tokio::test]
    async fn the_environments_own_endpoint_is_asked_under_its_cname() {
        let (address, serving) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        let site = Site {
            cname: "shop.invalid".to_owned(),
            endpoint: Some(address.ip().to_string()),
            front: Front::Http,
        };
        let test = AcceptanceTest::get(&format!("http://{{cname}}:{}/x", address.port()));
        let probe = prober().probe(&test, &site).await;
        assert!(probe.passed && probe.is_sure, "{probe:?}");
        let sent = serving.await.expect("it served");
        let host = format!("host: shop.invalid:{}\r\n", address.port());
        assert!(
            sent.starts_with("GET /x HTTP/1.1\r\n") && sent.contains(&host),
            "{sent}"
        );

        // What is asked of another host is asked there, and may be anybody's.
        let (elsewhere, serving) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        let test = AcceptanceTest::get(&format!("http://{elsewhere}/"));
        let probe = prober().probe(&test, &site).await;
        assert!(probe.passed && !probe.is_sure, "{probe:?}");
        serving.await.expect("it served");
        // So is what an endpoint without an address leaves to the CNAME.
        let lost = Site {
            cname: "shop.invalid".to_owned(),
            endpoint: Some("nowhere.invalid".to_owned()),
            front: Front::Http,
        };
        let probe = prober().probe(&AcceptanceTest::get("/"), &lost).await;
        assert!(!probe.passed && !probe.is_sure, "{probe:?}");
    }

    /// A server that speaks no TLS, and what its first client greets it with.
    async fn greeted() -> (SocketAddr, tokio::task::JoinHandle<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let hello = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut hello = vec![0; 4096];
            let length = stream.read(&mut hello).await.expect("it reads");
            hello.truncate(length);
            hello
        });
        (address, hello)
    }

    #[tokio::test]
    async fn the_cname_is_presented_in_tls_to_the_environments_own_endpoint() {
        let (address, greeted) = greeted().await;
        let mut test = AcceptanceTest::get(&format!("https://{{cname}}:{}/", address.port()));
        test.timeout = Duration::from_secs(5);
        let site = Site {
            cname: "shop.invalid".to_owned(),
            endpoint: Some("127.0.0.1".to_owned()),
            front: Front::Http,
        };
        let probe = prober().probe(&test, &site).await;
        assert!(
            !probe.passed && probe.is_sure,
            "the server spoke no TLS: {probe:?}"
        );
        let hello = greeted.await.expect("it was greeted");
        let name = b"shop.invalid";
        assert!(hello.windows(name.len()).any(|part| part == name), "SNI");
    }

    /// A secret that an application returns in its answer appears in no report.
    #[tokio::test]
    async fn an_answer_is_told_without_the_secrets_that_it_gives_back() {
        let home = std::env::var("HOME").expect("a home");
        let body = format!("{{\"auth\":\"at {home}\"}}");
        let answer = format!(
            "HTTP/1.1 302 Found\r\nlocation: http://x{home}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let (address, _serving) = server(answer.leak()).await;
        let mut test = AcceptanceTest::get("http://{cname}/");
        test.expect_status = vec![302];
        test.headers = [("X-Home".to_owned(), "at env:HOME".to_owned())].into();
        test.json = [("/auth".to_owned(), "ok".into())].into();
        let probe = prober().probe(&test, &at(address)).await;
        assert_eq!(
            probe.got,
            "302 Found to http://x***, whose /auth is \"at ***\", not \"ok\""
        );
    }

    /// The name is presented to the address of the environment itself.
    #[tokio::test]
    async fn another_name_in_tls_goes_to_the_environments_own_address() {
        let (address, greeted) = greeted().await;
        let mut test = AcceptanceTest::get("https://{cname}/");
        test.host = Some("www.shop.example".to_owned());
        test.timeout = Duration::from_secs(5);
        let probe = prober().probe(&test, &at(address)).await;
        assert!(!probe.passed, "the server spoke no TLS");
        let hello = greeted.await.expect("it was greeted");
        let name = b"www.shop.example";
        assert!(hello.windows(name.len()).any(|part| part == name), "SNI");
    }
}
