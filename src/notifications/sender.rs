//! Sends messages over HTTP, and through the clients of AWS.

use std::pin::Pin;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use serde_json::Value;
use sha2::Sha256;

use super::delivery::{Delivered, Delivery, Failure, Messenger};
use super::document::document;
use super::{adaptive_card, slack};
use crate::approval::web_url;
use crate::cloud::{AwsCloud, LookError, TopicMessage};
use crate::prober::root_cause;
use crate::receivers::{Service, Variable};
use crate::text::{foreign, short};

/// Timeout of one request.
const TIMEOUT: Duration = Duration::from_secs(8);

/// The longest pause that a receiver may want.
const PAUSE_MAX: Duration = Duration::from_secs(5 * 60);

/// The most bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The longest subject of a message to a topic (API reference, `Publish`: less than 100).
const SUBJECT_CHARS_MAX: usize = 98;

/// Sends messages to the receivers that a plan names, with the secrets in this process's variables.
pub struct Sender {
    cloud: AwsCloud,
    /// Made with the first message: most runs send none.
    client: OnceLock<Result<Client, String>>,
}

impl Sender {
    /// A sender that reaches AWS by these clients.
    #[must_use]
    pub fn new(cloud: AwsCloud) -> Sender {
        Sender {
            cloud,
            client: OnceLock::new(),
        }
    }

    async fn deliver(&self, delivery: &Delivery) -> Delivered {
        match &delivery.receiver.service {
            Service::Webhook { url, secret } => {
                let body = document(delivery).to_string();
                let signed = Signed::of(&value(secret)?, SystemTime::now(), body);
                let request = self.client()?.post(address(url)?);
                let event_id = &delivery.notification.event_id;
                accepted(send(signed.on(request, event_id)).await?)
            }
            Service::Teams { url } => {
                let card = adaptive_card::message(delivery);
                self.post_json(address(url)?, &card).await
            }
            Service::SlackWebhook { url } => {
                let message = slack::message(delivery);
                self.post_json(address(url)?, &message).await
            }
            Service::SlackBot {
                token,
                channel,
                api,
            } => self.slack_card(delivery, token, channel, api).await,
            Service::Sns { topic } => self.publish(delivery, topic).await,
            Service::EventBridge { bus } => self.put_event(delivery, bus).await,
        }
    }

    fn client(&self) -> Result<&Client, Failure> {
        let made = self.client.get_or_init(|| {
            Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .user_agent(concat!("bluegreen/", env!("CARGO_PKG_VERSION")))
                .timeout(TIMEOUT)
                .build()
                .map_err(root_cause)
        });
        made.as_ref().map_err(|why| Failure::Refused(why.clone()))
    }

    async fn post_json(&self, url: Url, message: &Value) -> Delivered {
        let request = self.client()?.post(url);
        accepted(send(with_json(request, message)).await?)
    }

    /// Updates the card of the deployment, or posts one where there is none.
    async fn slack_card(
        &self,
        delivery: &Delivery,
        token: &Variable,
        channel: &str,
        api: &str,
    ) -> Delivered {
        let token = value(token)?;
        let mut message = slack::message(delivery);
        message["channel"] = channel.into();
        if let Some(card) = &delivery.card {
            message["ts"] = card.as_str().into();
            match self.call_slack(api, "chat.update", &token, &message).await {
                Err(Failure::Refused(why)) if GONE.iter().any(|code| why.contains(code)) => {}
                answered => return answered.map(drop).map(|()| None),
            }
            message["ts"] = Value::Null;
        }
        let answer = self.call_slack(api, "chat.postMessage", &token, &message);
        let answer = answer.await?;
        match answer["ts"].as_str() {
            Some(card) => Ok(Some(card.to_owned())),
            None => Err(Failure::unreached("an answer without the message's ts")),
        }
    }

    /// Calls a method of Slack's Web API. It answers 200 to what it refuses too.
    async fn call_slack(
        &self,
        api: &str,
        method: &str,
        token: &str,
        message: &Value,
    ) -> Result<Value, Failure> {
        let url = web_url(&format!("{api}/{method}"));
        let url = url.ok_or_else(|| Failure::Refused("api is no http or https URL".to_owned()))?;
        let mut bearer = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Failure::Refused("the token has characters that no header may".into()))?;
        bearer.set_sensitive(true);
        let request = self.client()?.post(url).header(AUTHORIZATION, bearer);
        let response = send(with_json(request, message)).await?;
        let text = text(checked(response)?).await;
        let answer: Value = serde_json::from_str(&text)
            .map_err(|_| Failure::unreached("an answer that is no JSON"))?;
        if answer["ok"] == true {
            return Ok(answer);
        }
        let code = short(&foreign(answer["error"].as_str().unwrap_or("?")), 80);
        let why = format!("{method}: {code}");
        Err(match PASSING.contains(&code.as_str()) {
            true => Failure::unreached(why),
            false => Failure::Refused(why),
        })
    }

    async fn publish(&self, delivery: &Delivery, topic: &str) -> Delivered {
        let notification = &delivery.notification;
        let plain = |c: char| match c.is_ascii() && !c.is_control() {
            true => c,
            false => '?',
        };
        let title: String = notification.title().chars().map(plain).collect();
        let message = TopicMessage {
            subject: &title.chars().take(SUBJECT_CHARS_MAX).collect::<String>(),
            text: &document(delivery).to_string(),
            kind: &notification.occasion.to_string(),
            event_id: &notification.event_id,
            group: &notification.deployment,
        };
        let published = self.cloud.publish(topic, message).await;
        published.map(|()| None).map_err(aws_failure)
    }

    async fn put_event(&self, delivery: &Delivery, bus: &str) -> Delivered {
        let notification = &delivery.notification;
        let detail_type = format!("Deployment {}", notification.occasion);
        let target = &notification.target;
        let resources = [format!(
            "arn:aws:elasticbeanstalk:{}:{}:environment/{}/{}",
            target.region, target.account, target.application, target.blue
        )];
        let detail = document(delivery).to_string();
        let put = self.cloud.put_event(bus, &detail_type, &resources, &detail);
        put.await.map(|()| None).map_err(aws_failure)
    }
}

/// Slack's errors for a card that cannot be updated any more: another one takes its place.
const GONE: [&str; 3] = [
    "message_not_found",
    "cant_update_message",
    "edit_window_closed",
];

/// Slack's errors that pass (Slack's reference, `chat.postMessage`).
const PASSING: [&str; 5] = [
    "ratelimited",
    "internal_error",
    "fatal_error",
    "request_timeout",
    "service_unavailable",
];

impl Messenger for Sender {
    fn send<'a>(
        &'a self,
        delivery: &'a Delivery,
    ) -> Pin<Box<dyn Future<Output = Delivered> + Send + 'a>> {
        Box::pin(self.deliver(delivery))
    }
}

/// A body with its signature.
struct Signed {
    timestamp: u64,
    signature: String,
    body: String,
}

impl Signed {
    /// Signs the timestamp and the body, so that a receiver can refuse what is old.
    fn of(secret: &str, now: SystemTime, body: String) -> Signed {
        let timestamp = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
            .expect("HMAC takes a key of any length");
        mac.update(format!("{timestamp}.{body}").as_bytes());
        let code = mac.finalize().into_bytes();
        let signature = code.iter().map(|byte| format!("{byte:02x}")).collect();
        Signed {
            timestamp,
            signature,
            body,
        }
    }

    fn on(self, request: RequestBuilder, event_id: &str) -> RequestBuilder {
        request
            .header(CONTENT_TYPE, "application/json")
            .header("x-bluegreen-event-id", event_id)
            .header("x-bluegreen-timestamp", self.timestamp)
            .header("x-bluegreen-signature", format!("v1={}", self.signature))
            .body(self.body)
    }
}

fn with_json(request: RequestBuilder, message: &Value) -> RequestBuilder {
    request
        .header(CONTENT_TYPE, "application/json; charset=utf-8")
        .body(message.to_string())
}

/// The value of a variable.
fn value(variable: &Variable) -> Result<String, Failure> {
    let name = variable.name();
    let value = std::env::var(name).unwrap_or_default();
    match value.trim() {
        "" => Err(Failure::Refused(format!("the variable {name} is not set"))),
        value => Ok(value.to_owned()),
    }
}

/// The URL in a variable. The error does not show it.
fn address(variable: &Variable) -> Result<Url, Failure> {
    web_url(&value(variable)?).ok_or_else(|| {
        let name = variable.name();
        Failure::Refused(format!("the variable {name} holds no http or https URL"))
    })
}

async fn send(request: RequestBuilder) -> Result<Response, Failure> {
    request.send().await.map_err(|error| {
        let is_timeout = error.is_timeout();
        Failure::unreached(match is_timeout {
            true => format!("no answer within {}", humantime::format_duration(TIMEOUT)),
            false => root_cause(error),
        })
    })
}

/// The response, where its status says that the receiver has taken the request.
fn checked(response: Response) -> Result<Response, Failure> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let passes = status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        );
    let pause = response.headers().get(RETRY_AFTER);
    let pause = pause.and_then(|value| value.to_str().ok()?.parse().ok());
    let pause = pause.map(|seconds| Duration::from_secs(seconds).min(PAUSE_MAX));
    Err(match passes {
        true => Failure::Unreached {
            why: status.to_string(),
            pause,
        },
        false if status.is_redirection() => {
            Failure::Refused(format!("{status}, and bluegreen follows no redirect"))
        }
        false => Failure::Refused(status.to_string()),
    })
}

fn accepted(response: Response) -> Delivered {
    checked(response).map(|_| None)
}

async fn text(mut response: Response) -> String {
    let mut text = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        text.extend_from_slice(&chunk);
        if text.len() >= ANSWER_BYTES_MAX {
            break;
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn aws_failure(error: LookError) -> Failure {
    let why = short(&foreign(&error.to_string()), 300);
    match error {
        LookError::Passing(_) | LookError::Credentials(_) => Failure::unreached(why),
        LookError::Denied(_) | LookError::Refused(_) => Failure::Refused(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with `printf '1800000000.{}' | openssl dgst -sha256 -hmac key`.
    #[test]
    fn the_signature_is_over_the_timestamp_and_the_body() {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let signed = Signed::of("key", now, "{}".to_owned());
        assert_eq!(signed.timestamp, 1_800_000_000);
        assert_eq!(
            signed.signature,
            "7321475872b03ff21bdc2dfd86ea2d99ec29c479fbe4a77aa6acf4509505493f"
        );
    }
}
