//! Identity-based policies: a document as IAM takes it, and what it allows (IAM user
//! guide, "IAM JSON policy reference" and "Policy evaluation logic").
//!
//! Only what decides without knowing more than the sandbox does is taken; anything
//! else is refused when the document is read, so that no policy is weaker or stronger
//! here than its author thinks.

mod assets;
mod beanstalk;
mod beneath;
mod roles;
mod s3;
mod services;

pub(crate) use s3::{hides_missing_keys, needed as s3_needs};

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::world::World;

/// A policy of the caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy(Vec<Statement>);

/// A policy that cannot be used.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// The file cannot be read.
    #[error("cannot read the policy {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The document is not one that the sandbox can judge by.
    #[error("the policy at {place}: {message}")]
    Invalid {
        /// Where in the document, as in `Statement[2].Condition`.
        place: String,
        /// What is wrong, and what would be right.
        message: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Statement {
    allows: bool,
    actions: Patterns,
    resources: Patterns,
    conditions: Vec<Condition>,
}

/// Which values an element names, or, with `Not`, leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Patterns {
    OneOf(Vec<String>),
    NoneOf(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    quantifier: Quantifier,
    wildcards: bool,
    key: String,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantifier {
    /// A key of one value, which must be there.
    Single,
    /// Each value of the key; true where there is none.
    ForAllValues,
    /// At least one value of the key.
    ForAnyValue,
    /// Whether the key is there at all (IAM user guide, "Condition operator to check existence
    /// of condition keys"): `true` where it must not be.
    Null,
}

/// One thing that a request needs to be allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// As in `elasticbeanstalk:CreateEnvironment`.
    pub action: String,
    /// The resource's ARN, or `*` for an action without resources.
    pub resource: String,
    /// The condition keys of the request with their values.
    pub keys: BTreeMap<String, Vec<String>>,
}

impl Need {
    /// An action on a resource.
    #[must_use]
    pub fn new(action: impl Into<String>, resource: impl Into<String>) -> Need {
        Need {
            action: action.into(),
            resource: resource.into(),
            keys: BTreeMap::new(),
        }
    }

    /// With a condition key of the request.
    #[must_use]
    pub fn key(mut self, name: &str, values: impl IntoIterator<Item = String>) -> Need {
        self.keys
            .entry(name.to_lowercase())
            .or_default()
            .extend(values);
        self
    }
}

/// What a policy says of a need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A statement allows it and none denies it.
    Allowed,
    /// No statement allows it.
    NotAllowed,
    /// A statement denies it.
    Denied,
}

/// The condition keys that the sandbox gives values to, in lower case; those that end
/// in a slash go on with a tag's key.
const KEYS: [&str; 20] = [
    "aws:requestedregion",
    "aws:requesttag/",
    "aws:resourcetag/",
    "aws:tagkeys",
    "ec2:launchtemplate",
    "ec2:resourcetag/",
    "elasticbeanstalk:fromapplication",
    "elasticbeanstalk:fromapplicationversion",
    "elasticbeanstalk:fromconfigurationtemplate",
    "elasticbeanstalk:fromenvironment",
    "elasticbeanstalk:fromsolutionstack",
    "elasticbeanstalk:inapplication",
    "iam:awsservicename",
    "iam:passedtoservice",
    "iam:policyarn",
    "route53:changeresourcerecordsetsactions",
    "route53:changeresourcerecordsetsnormalizedrecordnames",
    "route53:changeresourcerecordsetsrecordtypes",
    "s3:delimiter",
    "s3:prefix",
];

impl Policy {
    /// Reads a policy from a file.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn read(path: &Path) -> Result<Policy, PolicyError> {
        let text = std::fs::read_to_string(path).map_err(|source| PolicyError::Io {
            path: path.to_owned(),
            source,
        })?;
        Policy::parse(&text)
    }

    /// Reads a policy from its JSON.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`].
    pub fn parse(text: &str) -> Result<Policy, PolicyError> {
        let document: Value = serde_json::from_str(text)
            .map_err(|e| invalid("its beginning", format!("it is no JSON: {e}")))?;
        let document = object(&document, "its beginning")?;
        only(document, "its beginning", &["Version", "Id", "Statement"])?;
        if document.get("Version").and_then(Value::as_str) != Some("2012-10-17") {
            return Err(invalid("Version", "it must be \"2012-10-17\""));
        }
        let statements = match document.get("Statement") {
            Some(Value::Array(statements)) => statements.clone(),
            Some(statement @ Value::Object(_)) => vec![statement.clone()],
            _ => return Err(invalid("Statement", "it must be a list of statements")),
        };
        let statements = statements.iter().enumerate();
        statements
            .map(|(at, statement)| Statement::parse(statement, &format!("Statement[{at}]")))
            .collect::<Result<_, _>>()
            .map(Policy)
    }

    /// Whether it allows a need. An explicit denial wins.
    #[must_use]
    pub fn judge(&self, need: &Need) -> Verdict {
        let mut applying = self.0.iter().filter(|s| s.applies(need)).peekable();
        if applying.peek().is_none() {
            Verdict::NotAllowed
        } else if applying.all(|statement| statement.allows) {
            Verdict::Allowed
        } else {
            Verdict::Denied
        }
    }
}

impl Policy {
    /// The condition keys that its statements on a need ask for and the need has no value
    /// of, in lower case.
    pub(crate) fn missing(&self, need: &Need) -> Vec<String> {
        let asked = self.0.iter().filter(|statement| statement.is_about(need));
        let keys = asked.flat_map(|statement| &statement.conditions);
        // That a key is not there is what this one asks for.
        let keys = keys.filter(|condition| condition.quantifier != Quantifier::Null);
        let keys = keys.map(|condition| condition.key.clone());
        let missing = keys.filter(|key| !need.keys.contains_key(key));
        missing.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

impl Statement {
    fn parse(statement: &Value, place: &str) -> Result<Statement, PolicyError> {
        let statement = object(statement, place)?;
        let known = [
            "Sid",
            "Effect",
            "Action",
            "NotAction",
            "Resource",
            "NotResource",
            "Condition",
        ];
        only(statement, place, &known)?;
        let allows = match statement.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => {
                return Err(invalid(
                    format!("{place}.Effect"),
                    "it must be Allow or Deny",
                ));
            }
        };
        let actions = Patterns::parse(statement, place, "Action", "NotAction")?;
        for action in actions.all() {
            if action != "*" && !action.contains(':') {
                let message = format!("{action:?} is no action: write SERVICE:OPERATION or *");
                return Err(invalid(format!("{place}.Action"), message));
            }
        }
        let resources = Patterns::parse(statement, place, "Resource", "NotResource")?;
        for resource in resources.all() {
            if resource != "*" && resource.splitn(6, ':').count() < 6 {
                let message = format!("{resource:?} is no ARN: write one of six parts, or *");
                return Err(invalid(format!("{place}.Resource"), message));
            }
        }
        Ok(Statement {
            allows,
            actions,
            resources,
            conditions: conditions(statement.get("Condition"), &format!("{place}.Condition"))?,
        })
    }

    /// Whether its action and resource are those of a need.
    fn is_about(&self, need: &Need) -> bool {
        let action = need.action.to_lowercase();
        self.actions
            .names(|pattern| like(&pattern.to_lowercase(), &action))
            && self
                .resources
                .names(|pattern| arn_like(pattern, &need.resource))
    }

    fn applies(&self, need: &Need) -> bool {
        self.is_about(need)
            && self
                .conditions
                .iter()
                .all(|condition| condition.holds(need))
    }
}

impl Patterns {
    fn parse(
        statement: &Map<String, Value>,
        place: &str,
        name: &str,
        not_name: &str,
    ) -> Result<Patterns, PolicyError> {
        match (statement.get(name), statement.get(not_name)) {
            (Some(value), None) => Ok(Patterns::OneOf(texts(value, &format!("{place}.{name}"))?)),
            (None, Some(value)) => Ok(Patterns::NoneOf(texts(
                value,
                &format!("{place}.{not_name}"),
            )?)),
            _ => {
                let message = format!("exactly one of {name} and {not_name} is needed");
                Err(invalid(place, message))
            }
        }
    }

    fn all(&self) -> &[String] {
        match self {
            Patterns::OneOf(all) | Patterns::NoneOf(all) => all,
        }
    }

    fn names(&self, fits: impl Fn(&str) -> bool) -> bool {
        let any = self.all().iter().any(|pattern| fits(pattern));
        match self {
            Patterns::OneOf(_) => any,
            Patterns::NoneOf(_) => !any,
        }
    }
}

impl Condition {
    fn holds(&self, need: &Need) -> bool {
        let fits = |value: &String| {
            self.values.iter().any(|wanted| {
                if self.wildcards {
                    like(wanted, value)
                } else {
                    wanted == value
                }
            })
        };
        let found = need.keys.get(&self.key).map_or(&[][..], Vec::as_slice);
        match self.quantifier {
            Quantifier::Null => self.values == [found.is_empty().to_string()],
            Quantifier::ForAllValues => found.iter().all(fits),
            Quantifier::Single | Quantifier::ForAnyValue => found.iter().any(fits),
        }
    }
}

fn conditions(found: Option<&Value>, place: &str) -> Result<Vec<Condition>, PolicyError> {
    let Some(found) = found else {
        return Ok(Vec::new());
    };
    let mut conditions = Vec::new();
    for (operator, keys) in object(found, place)? {
        let place = format!("{place}.{operator}");
        let (quantifier, plain) = match operator.split_once(':') {
            None if operator == "Null" => (Quantifier::Null, "StringEquals"),
            None => (Quantifier::Single, operator.as_str()),
            Some(("ForAllValues", plain)) => (Quantifier::ForAllValues, plain),
            Some(("ForAnyValue", plain)) => (Quantifier::ForAnyValue, plain),
            Some(_) => return Err(unknown_operator(&place)),
        };
        let wildcards = match plain {
            "StringEquals" => false,
            "StringLike" | "ArnLike" | "ArnEquals" => true,
            _ => return Err(unknown_operator(&place)),
        };
        for (key, values) in object(keys, &place)? {
            let place = format!("{place}.{key}");
            let key = key.to_lowercase();
            let known = |k: &str| key == k || (k.ends_with('/') && key.starts_with(k));
            if !KEYS.into_iter().any(known) {
                return Err(invalid(
                    place,
                    "the sandbox gives this condition key no value",
                ));
            }
            let values = texts(values, &place)?;
            let is_one = matches!(values.as_slice(), [one] if one == "true" || one == "false");
            if quantifier == Quantifier::Null && !is_one {
                return Err(invalid(place, "it must be \"true\" or \"false\""));
            }
            conditions.push(Condition {
                quantifier,
                wildcards,
                values,
                key,
            });
        }
    }
    Ok(conditions)
}

fn unknown_operator(place: &str) -> PolicyError {
    let message = "the sandbox judges by StringEquals, StringLike, ArnEquals and ArnLike, \
                   alone or behind ForAllValues: or ForAnyValue:, and by Null";
    invalid(place, message)
}

fn object<'a>(value: &'a Value, place: &str) -> Result<&'a Map<String, Value>, PolicyError> {
    value
        .as_object()
        .ok_or_else(|| invalid(place, "it must be an object"))
}

fn only(object: &Map<String, Value>, place: &str, known: &[&str]) -> Result<(), PolicyError> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            let message = format!("{key} is none of {}", known.join(", "));
            Err(invalid(place, message))
        }
    }
}

/// A text or a list of texts.
fn texts(value: &Value, place: &str) -> Result<Vec<String>, PolicyError> {
    let texts = match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(list) => list
            .iter()
            .map(|text| text.as_str().map(str::to_owned))
            .collect(),
        _ => None,
    };
    let texts = texts
        .filter(|texts| !texts.is_empty())
        .ok_or_else(|| invalid(place, "it must be a text or a list of texts"))?;
    match texts.iter().find(|text| text.contains("${")) {
        None => Ok(texts),
        Some(text) => {
            let message =
                format!("{text:?} has a policy variable, which the sandbox does not know");
            Err(invalid(place, message))
        }
    }
}

fn invalid(place: impl Into<String>, message: impl Into<String>) -> PolicyError {
    PolicyError::Invalid {
        place: place.into(),
        message: message.into(),
    }
}

/// Whether an ARN fits a pattern: each of the six parts by itself, for a wildcard
/// does not reach across a colon but in the last one.
fn arn_like(pattern: &str, arn: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let mut parts = arn.splitn(6, ':');
    pattern
        .splitn(6, ':')
        .all(|pattern| parts.next().is_some_and(|part| like(pattern, part)))
}

/// Whether a text fits a pattern in which `*` stands for any characters and `?` for one.
fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            last_star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == b'?' || pattern[p] == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((star, from)) = last_star {
            last_star = Some((star, from + 1));
            p = star + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

impl World {
    /// What its default caller may do from now on; none for everything.
    pub fn set_policy(&mut self, policy: Option<Policy>) {
        self.policy = policy.map(Arc::new);
    }

    /// Whether the caller's policy allows this; without a policy it does.
    #[must_use]
    pub fn may(&self, need: &Need) -> bool {
        self.permit(need).is_ok()
    }

    /// Whether the caller's policy allows this; without a policy it does.
    ///
    /// # Errors
    /// The words of AWS (IAM user guide, "Troubleshoot access denied error messages").
    pub fn permit(&self, need: &Need) -> Result<(), String> {
        let (verdict, _) = self.judge(&self.asking_principal(), need);
        worded(verdict, &self.caller(), need)
    }
}

/// What several policies say together: a denial wins, and one that allows is enough.
pub(crate) fn judged(verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    verdicts.fold(Verdict::NotAllowed, |all, one| match (all, one) {
        (Verdict::Denied, _) | (_, Verdict::Denied) => Verdict::Denied,
        (Verdict::Allowed, _) | (_, Verdict::Allowed) => Verdict::Allowed,
        (Verdict::NotAllowed, Verdict::NotAllowed) => Verdict::NotAllowed,
    })
}

/// A verdict in the words of AWS.
fn worded(verdict: Verdict, who: &str, need: &Need) -> Result<(), String> {
    let Need {
        action, resource, ..
    } = need;
    let resource = if action.starts_with("s3:") {
        format!("\"{resource}\"")
    } else {
        resource.clone()
    };
    let why = match verdict {
        Verdict::Allowed => return Ok(()),
        Verdict::NotAllowed => {
            format!("because no identity-based policy allows the {action} action")
        }
        Verdict::Denied => "with an explicit deny in an identity-based policy".to_owned(),
    };
    Err(format!(
        "User: {who} is not authorized to perform: {action} on resource: {resource} {why}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(statements: &str) -> Result<Policy, PolicyError> {
        Policy::parse(&format!(
            "{{\"Version\":\"2012-10-17\",\"Statement\":[{statements}]}}"
        ))
    }

    #[test]
    fn wildcards_stay_within_a_part_of_the_arn() {
        for (pattern, arn, fits) in [
            ("*", "arn:aws:s3:::a/b", true),
            ("arn:aws:s3:::a/*", "arn:aws:s3:::a/b/c", true),
            ("arn:aws:s3:::a/?", "arn:aws:s3:::a/bc", false),
            ("arn:aws:s3:::a", "arn:aws:s3:::a/b", false),
            ("arn:aws:*:::a", "arn:aws:s3:::a", true),
            ("arn:*:a", "arn:aws:s3:::a", false),
            (
                "arn:aws:cloudwatch:*:1:alarm:a-*",
                "arn:aws:cloudwatch:x:1:alarm:a-b:c",
                true,
            ),
            ("arn:aws:s3:::a*b*c", "arn:aws:s3:::aXbYbZc", true),
            ("arn:aws:s3:::a*b*c", "arn:aws:s3:::aXcYb", false),
            ("arn:aws:s3:::a", "*", false),
        ] {
            assert_eq!(arn_like(pattern, arn), fits, "{pattern} {arn}");
        }
    }

    #[test]
    fn denials_win_and_nothing_is_allowed_by_itself() {
        let policy = policy(
            r#"{"Effect":"Allow","Action":"S3:get*","Resource":"*"},
               {"Effect":"Deny","NotAction":"s3:*","Resource":"*"},
               {"Effect":"Deny","Action":"s3:GetObject","NotResource":"arn:aws:s3:::a/*"}"#,
        )
        .unwrap();
        let judge = |action, resource: &str| policy.judge(&Need::new(action, resource));
        assert_eq!(judge("s3:GetObject", "arn:aws:s3:::a/b"), Verdict::Allowed);
        assert_eq!(judge("s3:GetObject", "arn:aws:s3:::b/b"), Verdict::Denied);
        assert_eq!(
            judge("s3:PutObject", "arn:aws:s3:::a/b"),
            Verdict::NotAllowed
        );
        assert_eq!(judge("ec2:RunInstances", "*"), Verdict::Denied);
    }

    #[test]
    fn conditions_ask_the_keys_of_the_request() {
        let holds = |condition: &str, keys: &[(&str, &[&str])]| {
            let statement = format!(
                r#"{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{condition}}}"#
            );
            let mut need = Need::new("a:B", "*");
            for (key, values) in keys {
                need = need.key(key, values.iter().map(|v| (*v).to_owned()));
            }
            policy(&statement).unwrap().judge(&need) == Verdict::Allowed
        };
        let equals = r#"{"StringEquals":{"S3:Prefix":["a/","b/"]}}"#;
        assert!(holds(equals, &[("s3:prefix", &["b/"])]));
        assert!(!holds(equals, &[("s3:prefix", &["a/*"])]));
        assert!(!holds(equals, &[]));
        let all = r#"{"ForAllValues:StringLike":{"aws:TagKeys":"bluegreen:*"}}"#;
        assert!(holds(all, &[]));
        assert!(holds(
            all,
            &[("aws:TagKeys", &["bluegreen:a", "bluegreen:b"])]
        ));
        assert!(!holds(all, &[("aws:TagKeys", &["bluegreen:a", "team"])]));
        let any = r#"{"ForAnyValue:StringEquals":{"aws:TagKeys":"team"}}"#;
        assert!(holds(any, &[("aws:TagKeys", &["a", "team"])]));
        assert!(!holds(any, &[]));
        let tag = r#"{"StringLike":{"aws:ResourceTag/a":"*"}}"#;
        assert!(holds(tag, &[("aws:ResourceTag/a", &["x"])]));
        assert!(!holds(tag, &[]));
    }

    #[test]
    fn what_cannot_be_judged_is_refused_with_its_place() {
        let allow = |rest: &str| format!(r#"{{"Effect":"Allow",{rest}}}"#);
        let complete = r#""Action":"*","Resource":"*""#;
        for (statement, place, words) in [
            (allow(r#""Action":"*""#), "Statement[0]", "Resource"),
            (
                allow(&format!("{complete},\"Principal\":\"*\"")),
                "Statement[0]",
                "Principal",
            ),
            (
                allow(r#""Action":"GetObject","Resource":"*""#),
                "Action",
                "SERVICE",
            ),
            (
                allow(r#""Action":"*","Resource":"shop-blue""#),
                "Resource",
                "ARN",
            ),
            (
                allow(r#""Action":"*","Resource":"arn:aws:s3:::${aws:username}""#),
                "Resource",
                "variable",
            ),
            (
                allow(&format!(
                    r#"{complete},"Condition":{{"IpAddress":{{"aws:SourceIp":"1.2.3.4"}}}}"#
                )),
                "Statement[0].Condition.IpAddress",
                "StringEquals",
            ),
            (
                allow(&format!(
                    r#"{complete},"Condition":{{"StringEquals":{{"aws:username":"a"}}}}"#
                )),
                "Statement[0].Condition.StringEquals.aws:username",
                "no value",
            ),
            (
                r#"{"Effect":"allow"}"#.to_owned(),
                "Statement[0].Effect",
                "Allow or Deny",
            ),
        ] {
            let error = policy(&statement).unwrap_err().to_string();
            assert!(error.contains(place) && error.contains(words), "{error}");
        }
        let old = Policy::parse(r#"{"Version":"2008-10-17","Statement":[]}"#);
        assert!(old.unwrap_err().to_string().contains("2012-10-17"));
    }
}
