//! The answer of an environment to one HTTP test, and where bluegreen sends the test.

use std::time::Duration;

use crate::acceptance::{AcceptanceTest, Answer, Front, led_to};
use crate::secrets::Secrets;
use crate::text::short;

/// The answer to one HTTP test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The request that bluegreen sent, as in `GET http://…/`.
    pub asked: String,
    /// What came back: a status and what is wrong with it, or why there was none.
    pub got: String,
    /// Whether that passes.
    pub passed: bool,
    /// Whether it is the environment's own answer, or silence: a name may have led to the
    /// other one, where a DNS answer from before a swap is still cached.
    pub is_sure: bool,
    /// How long the answer took; none where there was none.
    pub latency: Option<Duration>,
    /// Its status; none where there was none.
    pub status: Option<u16>,
    /// The host that it redirects to; none where it does not.
    pub led_to: Option<String>,
    /// The beginning of the body of an answer that does not pass, without secrets.
    pub body: Option<String>,
}

/// How many characters of a body are kept.
const BODY_CHARS_MAX: usize = 200;

/// Where an environment receives a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The CNAME that it holds, which every request presents.
    pub cname: String,
    /// Its load balancer's name, or its only instance's address, to connect to: no swap moves it.
    /// None where the service does not show it.
    pub endpoint: Option<String>,
    /// How a request for a path reaches it.
    pub front: Front,
}

impl Probe {
    /// What an answer is worth, or why there was none, in words without these secrets; not known as
    /// the environment's own.
    #[must_use]
    pub fn of(
        test: &AcceptanceTest,
        site: &Site,
        answered: Result<Answer, String>,
        secrets: &Secrets,
    ) -> Probe {
        let answer = answered.as_ref().ok();
        let latency = answer.map(|answer| answer.latency);
        let status = answer.map(|answer| answer.status);
        let led_to = answer.and_then(led_to);
        let (got, passed, body) = match answered {
            Ok(answer) => {
                let verdict = test.judge(&answer, secrets);
                let body = (!verdict.passed && !answer.body.is_empty()).then(|| {
                    let body = secrets.hide(&String::from_utf8_lossy(&answer.body));
                    short(&body, BODY_CHARS_MAX)
                });
                (verdict.got, verdict.passed, body)
            }
            Err(why) => (secrets.hide(&why), false, None),
        };
        Probe {
            latency,
            status,
            led_to,
            body,
            asked: test.asked(site.front, &site.cname),
            got,
            passed,
            is_sure: false,
        }
    }

    /// The same answer, known as the environment's own or not.
    #[must_use]
    pub fn sure(self, is_sure: bool) -> Probe {
        Probe { is_sure, ..self }
    }
}
