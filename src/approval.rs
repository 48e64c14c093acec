//! Asks a person, or a system that speaks for one, whether a pause is approved.

use std::fmt;
use std::pin::Pin;
use std::str::FromStr;
use std::time::Duration;

use reqwest::{Client, Response, StatusCode, Url};

pub use crate::events::Approval;

use crate::acceptance::without_secrets;
use crate::prober::root_cause;
use crate::text::short;

/// Timeout of one request for an approval.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The URL that approves. It may hold secrets (a user, a password, a query), so every process gets
/// it anew, nothing stores it, and its `Debug` and `Display` leave the secrets out.
#[derive(Clone, PartialEq, Eq)]
pub struct ApproveUrl(Url);

/// Approves or refuses the end of a pause.
pub trait Approves: Send + Sync {
    /// Requests once whether this deployment may continue.
    fn ask<'a>(
        &'a self,
        deployment: &'a str,
    ) -> Pin<Box<dyn Future<Output = Approval> + Send + 'a>>;
}

/// Requests an approval from a URL.
#[derive(Clone, Debug)]
pub struct Approver {
    url: ApproveUrl,
    client: Client,
}

/// A URL that HTTP can reach; `None` where the text is no URL or another kind of URL.
pub(crate) fn web_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

/// The error says what is wrong without the text, which may hold a secret.
impl FromStr for ApproveUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<ApproveUrl, String> {
        web_url(text.trim())
            .map(ApproveUrl)
            .ok_or_else(|| "expected an http or https URL such as https://host/path".to_owned())
    }
}

impl fmt::Display for ApproveUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_secrets(self.0.as_str()))
    }
}

impl fmt::Debug for ApproveUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApproveUrl({self})")
    }
}

impl Approver {
    /// The approver behind this URL, reached through the proxy that the environment names
    /// (`HTTPS_PROXY`, …).
    ///
    /// # Errors
    /// The TLS roots cannot be read; the error says why.
    pub fn new(url: ApproveUrl) -> Result<Approver, String> {
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("bluegreen/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT);
        Ok(Approver {
            url,
            client: client.build().map_err(root_cause)?,
        })
    }

    /// The URL that it requests.
    #[must_use]
    pub fn url(&self) -> &ApproveUrl {
        &self.url
    }

    /// Requests once, for ten seconds at most. The request carries the deployment's id in the
    /// header `bluegreen-deployment`, and an approval returns it: a login page and a proxy answer
    /// 200 as well.
    pub async fn ask(&self, deployment: &str) -> Approval {
        let request = self.client.get(self.url.0.clone());
        let asked = request.header(DEPLOYMENT, deployment).send();
        match asked.await {
            Ok(answer) if answer.status() == StatusCode::CONFLICT => {
                Approval::Refused(refusal(answer).await)
            }
            Ok(answer) if answer.status() == StatusCode::OK => granted(answer, deployment).await,
            Ok(answer) => understand(answer.status()),
            Err(error) if error.is_timeout() => {
                let limit = humantime::format_duration(TIMEOUT);
                Approval::Unclear(format!("no answer within {limit}"))
            }
            Err(error) => Approval::Unclear(root_cause(error)),
        }
    }
}

impl Approves for Approver {
    fn ask<'a>(
        &'a self,
        deployment: &'a str,
    ) -> Pin<Box<dyn Future<Output = Approval> + Send + 'a>> {
        Box::pin(Approver::ask(self, deployment))
    }
}

/// The header that holds the deployment's id, in the request and in an approval.
const DEPLOYMENT: &str = "bluegreen-deployment";

/// The most bytes of an answer's text that are read, and the most characters of a refusal that
/// the report shows.
const TEXT_BYTES_MAX: usize = 4096;
const REFUSAL_CHARS_MAX: usize = 200;

/// Whether an answer of status 200 approves this deployment.
async fn granted(answer: Response, deployment: &str) -> Approval {
    let header = answer.headers().get(DEPLOYMENT);
    let is_named = header.is_some_and(|id| id.as_bytes() == deployment.as_bytes());
    if is_named || text(answer).await.contains(deployment) {
        return Approval::Granted;
    }
    let why = format!(
        "200 OK that does not name deployment {deployment}, as a login page's would not: answer \
         204, or the id in the header {DEPLOYMENT} or in the text"
    );
    Approval::Unclear(why)
}

async fn text(mut answer: Response) -> String {
    let mut text = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        text.extend_from_slice(&chunk);
        if text.len() >= TEXT_BYTES_MAX {
            break;
        }
    }
    text.truncate(TEXT_BYTES_MAX);
    String::from_utf8_lossy(&text).into_owned()
}

/// A refusal in words: its status, and the first line of its text.
async fn refusal(answer: Response) -> String {
    let status = answer.status();
    match short(&text(answer).await, REFUSAL_CHARS_MAX) {
        line if line.is_empty() => status.to_string(),
        line => format!("{status}, {line}"),
    }
}

/// What a status means. A redirect, a login page or an outage neither approves nor refuses.
fn understand(status: StatusCode) -> Approval {
    match status {
        StatusCode::NO_CONTENT => Approval::Granted,
        StatusCode::FORBIDDEN => Approval::Wait,
        other => Approval::Unclear(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// Sends a request to a server that gives this answer; returns the server's copy of the request
    /// too.
    async fn asked(answer: &'static str) -> (Approval, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut sent = Vec::new();
            while !sent.ends_with(b"\r\n\r\n") {
                sent.push(stream.read_u8().await.expect("it reads"));
            }
            stream
                .write_all(answer.as_bytes())
                .await
                .expect("it writes");
            String::from_utf8(sent).expect("text")
        });
        let url = format!("http://ann:hunter2@{address}/approve?token=hunter3");
        let approver = Approver::new(url.parse().expect("a URL")).expect("a client");
        let approval = approver.ask("01J").await;
        (approval, serving.await.expect("it served"))
    }

    #[tokio::test]
    async fn three_answers_are_clear_and_every_other_is_asked_again() {
        let unclear = |text: &str| Approval::Unclear(text.to_owned());
        for (answer, expected) in [
            ("204 No Content", Approval::Granted),
            ("200 OK\r\nbluegreen-deployment: 01J", Approval::Granted),
            ("403 Forbidden", Approval::Wait),
            ("409 Conflict", Approval::Refused("409 Conflict".to_owned())),
            ("202 Accepted", unclear("202 Accepted")),
            ("302 Found", unclear("302 Found")),
            ("401 Unauthorized", unclear("401 Unauthorized")),
            (
                "503 Service Unavailable",
                unclear("503 Service Unavailable"),
            ),
        ] {
            let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n");
            let (approval, sent) = asked(answer.leak()).await;
            assert_eq!(approval, expected);
            assert!(sent.starts_with("GET /approve?token=hunter3 "), "{sent}");
            assert!(
                sent.contains("authorization: Basic YW5uOmh1bnRlcjI="),
                "{sent}"
            );
            assert!(sent.contains("bluegreen-deployment: 01J"), "{sent}");
        }
    }

    /// An SPA's index.html behind a mistyped path, a login page or a proxy's block page.
    #[tokio::test]
    async fn a_page_is_no_approval() {
        for (answer, is_granted) in [
            ("content-length: 6\r\n\r\n<html>", false),
            ("content-length: 0\r\n\r\n", false),
            (
                "bluegreen-deployment: 01H\r\ncontent-length: 0\r\n\r\n",
                false,
            ),
            ("content-length: 15\r\n\r\napproved: \"01J\"", true),
        ] {
            let (approval, _) = asked(format!("HTTP/1.1 200 OK\r\n{answer}").leak()).await;
            match approval {
                Approval::Granted => assert!(is_granted, "{answer}"),
                Approval::Unclear(why) => {
                    assert!(!is_granted, "{answer}");
                    assert!(why.contains("answer 204"), "{why}");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn no_secret_of_the_url_is_told() {
        for answer in ["", "nonsense\r\n\r\n"] {
            let (approval, _) = asked(answer).await;
            let told = format!("{approval:?}");
            assert!(matches!(approval, Approval::Unclear(_)), "{told}");
            assert!(!told.contains("hunter"), "{told}");
        }
        let url = "http://ann:hunter2@127.0.0.1:1/a?token=hunter3#hunter4";
        let approver = Approver::new(url.parse().expect("a URL")).expect("a client");
        let told = format!(
            "{} {approver:?} {:?}",
            approver.url(),
            approver.ask("01J").await
        );
        assert!(told.starts_with("http://127.0.0.1:1/a?…"), "{told}");
        assert!(!told.contains("hunter"), "{told}");
        for wrong in ["hunter2", "ftp://hunter2/", "https://", "/hunter2"] {
            let error = wrong.parse::<ApproveUrl>().expect_err(wrong);
            assert!(!error.contains("hunter"), "{error}");
        }
    }
}
