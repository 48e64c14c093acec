//! Requests to AWS and their answers, recorded for a bug report without anything that identifies
//! the account. Pure.
//!
//! Nothing leaves this module as it came: [`Recording::redacted`] returns the document, in which a
//! pseudonym replaces every name, id, address and value that is not known to be harmless, always
//! the same one for the same value. So the document can still answer requests: see
//! `bluegreen sandbox --replay`.

mod body;
mod pseudonyms;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

pub use pseudonyms::Pseudonyms;

use crate::secrets::Secrets;
use bluegreen_clock::Moment;
use bluegreen_core::fidelity::{Differing, Weight};

/// The version of the document. Fields are only ever added to a version.
pub const VERSION: u32 = 1;

/// One request as it was sent, and its answer. Neither credentials nor signatures are ever
/// recorded: of all request headers only the operation's name is, and a few of the answer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// When it was answered.
    pub at: Moment,
    /// The host that it was sent to.
    pub host: String,
    /// The HTTP method.
    pub method: String,
    /// The path and the query.
    pub path: String,
    /// The header `X-Amz-Target`, which names the operation of some protocols.
    pub target: Option<String>,
    /// The body that was sent; `None` where it is a file's, or no text.
    pub body: Option<String>,
    /// The answer's status; `None` where none came.
    pub status: Option<u16>,
    /// The answer's header `Content-Type`.
    pub content_type: Option<String>,
    /// The answer's header `ETag`.
    pub etag: Option<String>,
    /// Other headers of the answer that the clients read, by their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The answer's body; `None` where it is no text.
    pub answer: Option<String>,
    /// Why no answer came, where none did.
    pub failure: Option<String>,
}

impl Exchange {
    /// The operation of the Query protocol and the environment that it is for, by its name
    /// or id; empty where the request names none.
    #[must_use]
    pub fn operation(&self) -> (String, String) {
        let body = self.body.as_deref().unwrap_or_default();
        let pairs: Vec<_> = form_urlencoded::parse(body.as_bytes()).collect();
        let value = |key: &str| {
            let found = pairs.iter().find(|(name, _)| name == key);
            found.map(|(_, value)| value.clone().into_owned())
        };
        let environment = value("EnvironmentName").or_else(|| value("EnvironmentId"));
        (
            value("Action").unwrap_or_default(),
            environment.unwrap_or_default(),
        )
    }
}

/// How blue differs from something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// What it was compared with: `template` or `green`.
    pub with: &'static str,
    /// Every difference.
    pub differing: Vec<Differing>,
}

/// Every request of one process to AWS.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// The names that are known beforehand: which, of what kind, and the name.
    pub names: Vec<(&'static str, &'static str, String)>,
    /// The region.
    pub region: String,
    /// The requests and their answers, in their order.
    pub exchanges: Vec<Exchange>,
    /// How blue differs from its template and from green.
    pub comparisons: Vec<Comparison>,
    /// The findings, point by point: the point, the verdict, and the evidence.
    pub verdicts: Vec<[String; 3]>,
}

#[derive(Serialize)]
struct Document {
    format: &'static str,
    version: u32,
    bluegreen: &'static str,
    region: String,
    /// The names under which the document answers.
    names: serde_json::Map<String, Value>,
    verdicts: Vec<Verdict>,
    comparisons: Vec<Compared>,
    exchanges: Vec<Redacted>,
}

#[derive(Serialize)]
struct Compared {
    /// `template` or `green`.
    with: &'static str,
    differences: Vec<Difference>,
}

#[derive(Serialize)]
struct Difference {
    what: String,
    blue: Option<String>,
    other: Option<String>,
    /// `refuses`, `warns` or `nothing`.
    follows: &'static str,
}

#[derive(Serialize)]
struct Verdict {
    point: String,
    verdict: String,
    evidence: String,
}

#[derive(Serialize)]
struct Redacted {
    at: String,
    service: String,
    method: String,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

impl Recording {
    /// The document that anybody may see, as JSON.
    #[must_use]
    pub fn redacted(&self, secrets: Secrets) -> String {
        let mut names = Pseudonyms::new(secrets);
        let mut known = serde_json::Map::new();
        for (which, kind, name) in &self.names {
            known.insert((*which).to_owned(), names.name(kind, name).into());
        }
        // A name that only a later answer gives away may stand in the text of an earlier one.
        names.leaving_sentences(true);
        for exchange in &self.exchanges {
            let _ = redacted(exchange, &mut names);
        }
        let comparisons = self.comparisons.iter();
        let comparisons = comparisons.map(|one| compared(one, &mut names)).collect();
        names.leaving_sentences(false);
        let document = Document {
            format: "bluegreen-doctor",
            version: VERSION,
            bluegreen: env!("CARGO_PKG_VERSION"),
            region: self.region.clone(),
            names: known,
            comparisons,
            exchanges: self
                .exchanges
                .iter()
                .map(|exchange| redacted(exchange, &mut names))
                .collect(),
            verdicts: self
                .verdicts
                .iter()
                .map(|[point, verdict, evidence]| Verdict {
                    point: point.clone(),
                    verdict: verdict.clone(),
                    evidence: names.text(evidence),
                })
                .collect(),
        };
        serde_json::to_string_pretty(&document).expect("the document is plain strings and numbers")
    }
}

fn compared(comparison: &Comparison, names: &mut Pseudonyms) -> Compared {
    let differences = comparison.differing.iter().map(|one| {
        let (what, blue, other) = match one.what.strip_prefix("tag ") {
            Some(key) => {
                let mut shown = |value: &Option<String>| Some(names.own("tag", value.as_deref()?));
                let (blue, other) = (shown(&one.blue), shown(&one.other));
                (format!("tag {}", names.tag_key(key)), blue, other)
            }
            None => {
                let (namespace, option, resource) = parts_of(&one.what);
                let mut shown = |value: &Option<String>| {
                    Some(names.setting(namespace, option, value.as_deref()?))
                };
                let (blue, other) = (shown(&one.blue), shown(&one.other));
                let option = names.option(namespace, option);
                let resource = resource.map(|of| format!("[{}]", names.resource(of)));
                let joined = if namespace.is_empty() { "" } else { ":" };
                let resource = resource.unwrap_or_default();
                (
                    format!("{namespace}{joined}{option}{resource}"),
                    blue,
                    other,
                )
            }
        };
        Difference {
            what,
            blue,
            other,
            follows: match one.weight {
                Some(Weight::Refuses) => "refuses",
                Some(Weight::Warns) => "warns",
                None => "nothing",
            },
        }
    });
    Compared {
        with: comparison.with,
        differences: differences.collect(),
    }
}

/// The namespace, the option and the resource of a setting's full name. The name of an
/// environment property may hold anything.
fn parts_of(what: &str) -> (&str, &str, Option<&str>) {
    for own in pseudonyms::OWN_NAMESPACES {
        if let Some(option) = what.strip_prefix(own).and_then(|o| o.strip_prefix(':')) {
            return (own, option, None);
        }
    }
    let (name, resource) = match what.strip_suffix(']').and_then(|what| what.split_once('[')) {
        Some((name, resource)) => (name, Some(resource)),
        None => (what, None),
    };
    match name.rsplit_once(':') {
        Some((namespace, option)) => (namespace, option, resource),
        // As in `platform` and `operations role`.
        None => ("", name, resource),
    }
}

fn redacted(exchange: &Exchange, names: &mut Pseudonyms) -> Redacted {
    // What is put into a bucket is a file of somebody's.
    let sent = exchange.body.as_deref();
    let sent = sent.filter(|_| exchange.method != "PUT");
    Redacted {
        at: exchange.at.to_string(),
        service: service(&exchange.host),
        method: exchange.method.clone(),
        path: match service(&exchange.host).as_str() {
            "site" => names.page(&exchange.path),
            _ => names.path(&in_path_style(&exchange.host, &exchange.path)),
        },
        target: exchange.target.clone(),
        body: sent.map(|body| body::redacted(body, names)),
        status: exchange.status,
        content_type: exchange.content_type.clone(),
        etag: exchange
            .etag
            .as_deref()
            .map(|etag| names.name("etag", etag)),
        headers: exchange
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), names.leaf(name, value)))
            .collect(),
        answer: exchange
            .answer
            .as_deref()
            .map(|answer| body::redacted(answer, names)),
        failure: exchange
            .failure
            .as_deref()
            .map(|failure| names.text(failure)),
    }
}

/// The service that a host of AWS is of: `elasticbeanstalk.eu-central-1.amazonaws.com`; an
/// environment's own web site is a site, and any other host a sandbox.
fn service(host: &str) -> String {
    // The latter are those of environments in China.
    if host.ends_with(".elasticbeanstalk.com") || host.ends_with(".eb.amazonaws.com.cn") {
        return "site".to_owned();
    }
    let Some((labels, _)) = host.split_once(".amazonaws.com") else {
        return "sandbox".to_owned();
    };
    let known = [
        "elasticbeanstalk",
        "s3",
        "sts",
        "iam",
        "route53",
        "ssm",
        "cloudformation",
        "monitoring",
        "elasticloadbalancing",
    ];
    let mut labels = labels.rsplit('.');
    let found = labels.find(|label| known.contains(label));
    found.unwrap_or("other").to_owned()
}

/// A path with its bucket in it: S3's hosts have it as their first label.
fn in_path_style(host: &str, path: &str) -> String {
    match host.split_once(".s3.").or_else(|| host.split_once(".s3-")) {
        Some((bucket, _)) => format!("/{bucket}{path}"),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests;
