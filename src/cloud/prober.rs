//! The HTTP test: one GET, redirects shown and not followed, TLS verified.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use crate::plan::HttpTest;

/// The answer to one HTTP test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What was asked, as in `GET http://…/`.
    pub asked: String,
    /// What came back: a status, or why there was none.
    pub got: String,
    /// Whether that passes.
    pub passed: bool,
}

/// Asks an environment's web site.
pub trait Prober {
    /// GETs the test's URL of the environment that answers under `cname`.
    fn probe(&self, test: &HttpTest, cname: &str) -> impl Future<Output = Probe>;
}

/// The prober that asks over the network.
#[derive(Clone, Debug)]
pub struct HttpProber {
    client: reqwest::Client,
}

impl HttpProber {
    /// A prober; `proxy` is the forward proxy to ask through, none for the
    /// environment's own (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`).
    ///
    /// # Errors
    /// The proxy's URL is not one, or the TLS roots cannot be read.
    pub fn new(proxy: Option<&str>) -> Result<HttpProber, reqwest::Error> {
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("bluegreen/", env!("CARGO_PKG_VERSION")))
            // A test must meet the environment as a new client does.
            .pool_max_idle_per_host(0);
        if let Some(proxy) = proxy {
            builder = builder.proxy(reqwest::Proxy::http(proxy)?);
        }
        Ok(HttpProber {
            client: builder.build()?,
        })
    }

    async fn get(&self, url: &str, timeout: Duration) -> Result<reqwest::Response, reqwest::Error> {
        self.client.get(url).timeout(timeout).send().await
    }
}

impl Prober for HttpProber {
    async fn probe(&self, test: &HttpTest, cname: &str) -> Probe {
        let url = test.url_on(cname);
        let (got, passed) = match self.get(&url, test.timeout).await {
            Ok(response) => {
                let location = response
                    .headers()
                    .get(reqwest::header::LOCATION)
                    .map(|to| format!(" to {}", String::from_utf8_lossy(to.as_bytes())));
                (
                    format!("{}{}", response.status(), location.unwrap_or_default()),
                    test.accepts(response.status().as_u16()),
                )
            }
            Err(error) if error.is_timeout() => {
                let limit = humantime::format_duration(test.timeout);
                (format!("no answer within {limit}"), false)
            }
            Err(error) => (root_cause(&error), false),
        };
        Probe {
            asked: format!("GET {}", without_secrets(&url)),
            got,
            passed,
        }
    }
}

/// The last link of an error's chain: the one that says what happened.
fn root_cause(error: &dyn Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// The URL without its user, password and query: they may hold a secret, and
/// this text is logged and kept.
fn without_secrets(url: &str) -> String {
    let Ok(mut parsed) = reqwest::Url::parse(url) else {
        return url.to_owned();
    };
    let _ = parsed.set_username("");
    let _ = parsed.set_password(None);
    if parsed.query().is_some() {
        parsed.set_query(Some("…"));
    }
    let text = parsed.to_string();
    text.replace("%E2%80%A6", "…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_told_without_its_secrets() {
        assert_eq!(
            without_secrets("https://ann:secret@shop.example/a?token=t"),
            "https://shop.example/a?…"
        );
        assert_eq!(
            without_secrets("http://shop.example/"),
            "http://shop.example/"
        );
    }
}
