//! Identity-based policies: a document as IAM accepts it, and what it allows (IAM user guide, "IAM
//! JSON policy reference" and "Policy evaluation logic").
//!
//! The sandbox accepts only elements that it can decide with what it knows; it refuses anything
//! else when it reads the document, so that no policy is weaker or stronger here than its author
//! thinks.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::world::iam::condition::Quantifier;
use crate::world::iam::need::Need;
use crate::world::iam::statement::Statement;
use crate::world::iam::syntax::{PolicyError, invalid, object, only};
use crate::world::iam::verdict::Verdict;

/// A policy of the caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy(pub(crate) Vec<Statement>);

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
    /// The condition keys that its statements on a need test and the need has no value of, in lower
    /// case.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(statements: &str) -> Result<Policy, PolicyError> {
        Policy::parse(&format!(
            "{{\"Version\":\"2012-10-17\",\"Statement\":[{statements}]}}"
        ))
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
