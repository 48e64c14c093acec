//! The receivers of notifications, as tables of the file and as a plan keeps them.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use super::occasion::Occasion;
use crate::table::{inline, limit};

/// Who is sent messages about a deployment, and when. It names variables where the runner finds a
/// secret, never the secret itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Receiver {
    /// What takes the messages.
    pub service: Service,
    /// The occasions, each once.
    pub on: Vec<Occasion>,
    /// How long no process has carried a deployment on where the receiver hears of the
    /// interruption.
    pub interrupted_after: Duration,
}

/// What takes messages.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// Any web server: a JSON document, signed with a secret that both know.
    Webhook {
        /// Where it takes them.
        url: Variable,
        /// The key of the signature.
        secret: Variable,
    },
    /// Microsoft Teams, through the URL of a workflow or of an incoming webhook.
    Teams {
        /// That URL.
        url: Variable,
    },
    /// Slack, through the URL of an incoming webhook: a new message each time.
    SlackWebhook {
        /// That URL.
        url: Variable,
    },
    /// Slack, through a bot: one card for a deployment, which bluegreen updates.
    SlackBot {
        /// The bot's token.
        token: Variable,
        /// The id of the channel.
        channel: String,
        /// The URL of Slack's Web API, without the name of a method.
        api: String,
    },
    /// A topic of Amazon SNS.
    Sns {
        /// Its ARN.
        topic: String,
    },
    /// An event bus of Amazon EventBridge.
    EventBridge {
        /// Its name or ARN.
        bus: String,
    },
}

/// A variable of the process that delivers, which holds a secret. It is written `env:NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Variable(String);

/// A receiver as it is written, with dashes in its keys. Unknown keys are refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ReceiverTable {
    to: To,
    url: Option<String>,
    secret: Option<String>,
    token: Option<String>,
    channel: Option<String>,
    api: Option<String>,
    topic: Option<String>,
    bus: Option<String>,
    on: Option<Vec<Occasion>>,
    interrupted_after: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum To {
    Webhook,
    Teams,
    Slack,
    Sns,
    EventBridge,
}

/// How long an interruption lasts before a receiver hears of it that does not say it.
const INTERRUPTED_AFTER: Duration = Duration::from_secs(15 * 60);

impl Variable {
    /// The reference in a text such as `env:HOOK_URL`.
    fn read(key: &str, text: &str) -> Result<Variable, String> {
        let name = text.strip_prefix("env:").unwrap_or_default();
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let is_name = name.bytes().all(fits) && !name.starts_with(|c: char| c.is_ascii_digit());
        if name.is_empty() || !is_name {
            // The text may be the secret itself.
            return Err(format!(
                "{key}: write env:NAME, where the variable NAME holds it: the journal keeps this \
                 table, and may not keep a secret"
            ));
        }
        Ok(Variable(name.to_owned()))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl ReceiverTable {
    /// The table of a flag, such as
    /// `{ to = "webhook", url = "env:HOOK_URL", secret = "env:HOOK_SECRET" }`.
    ///
    /// # Errors
    /// What is wrong with it, in words that name no value.
    pub fn inline(text: &str) -> Result<ReceiverTable, String> {
        inline(text)
    }

    /// The receiver, where it is one.
    ///
    /// # Errors
    /// The key, what is wrong with it and what would be right.
    pub fn check(self) -> Result<Receiver, String> {
        self.has_no_other_keys()?;
        let mut on = Vec::new();
        for occasion in self.on.clone().unwrap_or(Occasion::ALL.to_vec()) {
            if !on.contains(&occasion) {
                on.push(occasion);
            }
        }
        if on.is_empty() {
            return Err("on: it names no occasion; leave it out for all of them".to_owned());
        }
        let interrupted_after = match &self.interrupted_after {
            Some(text) => limit(text).map_err(|why| format!("interrupted-after: {why}"))?,
            None => INTERRUPTED_AFTER,
        };
        Ok(Receiver {
            service: self.service()?,
            on,
            interrupted_after,
        })
    }

    fn service(&self) -> Result<Service, String> {
        let variable = |key: &str, value: &Option<String>| {
            let text = value
                .as_deref()
                .ok_or_else(|| format!("{key}: it is missing; write {key} = \"env:NAME\""))?;
            Variable::read(key, text)
        };
        let url = || variable("url", &self.url);
        Ok(match self.to {
            To::Webhook => Service::Webhook {
                url: url()?,
                secret: variable("secret", &self.secret)?,
            },
            To::Teams => Service::Teams { url: url()? },
            To::Slack if self.url.is_some() => Service::SlackWebhook { url: url()? },
            To::Slack => Service::SlackBot {
                token: variable("token", &self.token).map_err(|why| {
                    format!("{why}, with channel = \"ID\"; or url = \"env:NAME\" of a webhook")
                })?,
                channel: channel(self.channel.as_deref())?,
                api: api(self.api.as_deref())?,
            },
            To::Sns => Service::Sns {
                topic: topic(self.topic.as_deref())?,
            },
            To::EventBridge => Service::EventBridge {
                bus: bus(self.bus.as_deref())?,
            },
        })
    }

    /// Refuses keys that belong to another kind of receiver.
    fn has_no_other_keys(&self) -> Result<(), String> {
        let allowed: &[&str] = match self.to {
            To::Webhook => &["url", "secret"],
            To::Teams => &["url"],
            To::Slack if self.url.is_some() => &["url"],
            To::Slack => &["token", "channel", "api"],
            To::Sns => &["topic"],
            To::EventBridge => &["bus"],
        };
        let given = [
            ("url", &self.url),
            ("secret", &self.secret),
            ("token", &self.token),
            ("channel", &self.channel),
            ("api", &self.api),
            ("topic", &self.topic),
            ("bus", &self.bus),
        ];
        let other = given
            .iter()
            .find(|(key, value)| value.is_some() && !allowed.contains(key));
        match other {
            None => Ok(()),
            Some((key, _)) => Err(format!(
                "{key}: this receiver has none, only {}; leave it out",
                allowed.join(" and ")
            )),
        }
    }
}

/// The id of a channel; its name would do for a new message and not for an update of it (Slack's
/// reference, `chat.update`).
fn channel(text: Option<&str>) -> Result<String, String> {
    let id = text.unwrap_or_default();
    let fits = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    if id.len() >= 2 && id.bytes().all(fits) {
        return Ok(id.to_owned());
    }
    Err("channel: write the channel's id, such as C0123456789, and not its name".to_owned())
}

/// The URL of Slack's Web API, which another Slack than the usual one has under its own name.
fn api(text: Option<&str>) -> Result<String, String> {
    let given = text
        .unwrap_or("https://slack.com/api")
        .trim_end_matches('/');
    let url = Url::parse(given).ok();
    let is_web = |url: &Url| {
        let is_plain = url.username().is_empty() && url.password().is_none();
        matches!(url.scheme(), "http" | "https") && url.query().is_none() && is_plain
    };
    match url.filter(is_web) {
        Some(_) => Ok(given.to_owned()),
        None => Err("api: write an https URL such as https://slack-gov.com/api".to_owned()),
    }
}

/// The ARN of a topic.
fn topic(text: Option<&str>) -> Result<String, String> {
    match text {
        Some(arn) if is_arn(arn, "sns") => Ok(arn.to_owned()),
        _ => Err(
            "topic: write its ARN, such as arn:aws:sns:eu-central-1:123456789012:releases"
                .to_owned(),
        ),
    }
}

/// The name or the ARN of an event bus (API reference, `PutEvents`).
fn bus(text: Option<&str>) -> Result<String, String> {
    let bus = text.unwrap_or("default");
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"._-/".contains(&b);
    let is_name = !bus.is_empty() && bus.len() <= 256 && bus.bytes().all(fits);
    if is_name || is_arn(bus, "events") {
        return Ok(bus.to_owned());
    }
    Err("bus: write the name or the ARN of an event bus; without it, the default one".to_owned())
}

fn is_arn(text: &str, service: &str) -> bool {
    let parts: Vec<_> = text.split(':').collect();
    parts.len() == 6
        && parts[0] == "arn"
        && parts[2] == service
        && parts[1..].iter().all(|part| !part.is_empty())
        && !text.contains(char::is_whitespace)
}

impl Receiver {
    /// Whether it hears of an occasion.
    #[must_use]
    pub fn hears_of(&self, occasion: Occasion) -> bool {
        self.on.contains(&occasion)
    }

    /// The names of the variables that hold its secrets.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        let (first, second) = match &self.service {
            Service::Webhook { url, secret } => (Some(url), Some(secret)),
            Service::Teams { url } | Service::SlackWebhook { url } => (Some(url), None),
            Service::SlackBot { token, .. } => (Some(token), None),
            Service::Sns { .. } | Service::EventBridge { .. } => (None, None),
        };
        first.into_iter().chain(second).map(Variable::name)
    }
}

/// What it is, without a secret.
impl fmt::Display for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.service {
            Service::Webhook { url, .. } => write!(f, "webhook at {}", url.name()),
            Service::Teams { url } => write!(f, "teams at {}", url.name()),
            Service::SlackWebhook { url } => write!(f, "slack at {}", url.name()),
            Service::SlackBot { channel, .. } => write!(f, "slack channel {channel}"),
            Service::Sns { topic } => write!(f, "sns topic {topic}"),
            Service::EventBridge { bus } => write!(f, "eventbridge bus {bus}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use bluegreen_testing::garbled::garbled_text;

    fn read(text: &str) -> Result<Receiver, String> {
        ReceiverTable::inline(text).and_then(ReceiverTable::check)
    }

    #[test]
    fn each_kind_of_receiver_is_read() {
        for (table, told, variables) in [
            (
                "{ to = 'webhook', url = 'env:A_URL', secret = 'env:A_KEY' }",
                "webhook at A_URL",
                &["A_URL", "A_KEY"][..],
            ),
            ("{ to = 'teams', url = 'env:T' }", "teams at T", &["T"]),
            ("{ to = 'slack', url = 'env:S' }", "slack at S", &["S"]),
            (
                "{ to = 'slack', token = 'env:S', channel = 'C012' }",
                "slack channel C012",
                &["S"],
            ),
            (
                "{ to = 'sns', topic = 'arn:aws:sns:us-east-1:123456789012:t' }",
                "sns topic arn:aws:sns:us-east-1:123456789012:t",
                &[],
            ),
            ("{ to = 'eventbridge' }", "eventbridge bus default", &[]),
        ] {
            let receiver = read(table).expect(table);
            assert_eq!(receiver.to_string(), told);
            assert_eq!(receiver.variables().collect::<Vec<_>>(), variables);
            assert_eq!(receiver.on, Occasion::ALL);
        }
        let held = read("{ to = 'eventbridge', on = ['held', 'held'], interrupted-after = '3m' }");
        let held = held.expect("it is one");
        assert_eq!(held.on, [Occasion::Held]);
        assert_eq!(held.interrupted_after, Duration::from_secs(180));
    }

    #[test]
    fn what_is_wrong_is_told_by_its_key_and_without_its_value() {
        for (table, words) in [
            (
                "{ to = 'webhook', url = 'https://a.example/hunter2' }",
                "url: write env:NAME",
            ),
            (
                "{ to = 'webhook', url = 'env:A', secret = 'hunter2' }",
                "secret: write env:NAME",
            ),
            ("{ to = 'webhook', url = 'env:A' }", "secret: it is missing"),
            ("{ to = 'teams', url = 'env:9hunter2' }", "url: write env:"),
            ("{ to = 'slack' }", "or url = \"env:NAME\" of a webhook"),
            (
                "{ to = 'slack', token = 'env:A', channel = '#hunter2' }",
                "the channel's id",
            ),
            ("{ to = 'sns', topic = 'hunter2' }", "topic: write its ARN"),
            ("{ to = 'eventbridge', bus = 'hunter2 ' }", "bus: write"),
            (
                "{ to = 'sns', url = 'env:A', topic = 'arn:aws:sns:r:1:t' }",
                "url: this receiver has none, only topic",
            ),
            ("{ to = 'eventbridge', on = [] }", "on: it names no"),
            ("{ to = 'pager' }", "unknown variant"),
            (
                "{ to = 'eventbridge', interrupted-after = '0s' }",
                "interrupted-after: ",
            ),
        ] {
            let why = read(table).expect_err(table);
            assert!(why.contains(words), "{table}: {why}");
            assert!(!why.contains("hunter2"), "{table}: {why}");
        }
    }

    proptest! {
        #[test]
        fn a_garbled_table_is_read_or_told(text in garbled_text(
            "{ to = 'slack', token = 'env:S', channel = 'C012', on = ['held'] }"
        )) {
            if let Err(why) = read(&text) {
                prop_assert!(!why.is_empty());
            }
        }
    }
}
