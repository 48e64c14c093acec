//! A statement of a policy.

use serde_json::{Map, Value};

use crate::world::iam::condition::{Condition, conditions};
use crate::world::iam::need::Need;
use crate::world::iam::pattern::{arn_like, like};
use crate::world::iam::syntax::{PolicyError, invalid, object, only, texts};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    pub allows: bool,
    /// In small letters: actions are compared without case.
    actions: Patterns,
    resources: Patterns,
    pub conditions: Vec<Condition>,
}

/// Which values an element names, or, with `Not`, leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Patterns {
    OneOf(Vec<String>),
    NoneOf(Vec<String>),
}

impl Statement {
    pub(crate) fn parse(statement: &Value, place: &str) -> Result<Statement, PolicyError> {
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
            actions: actions.in_small_letters(),
            resources,
            conditions: conditions(statement.get("Condition"), &format!("{place}.Condition"))?,
        })
    }

    /// Whether its action and resource are those of a need.
    pub(crate) fn is_about(&self, need: &Need) -> bool {
        let action = need.action.to_lowercase();
        self.actions.names(|pattern| like(pattern, &action))
            && self
                .resources
                .names(|pattern| arn_like(pattern, &need.resource))
    }

    pub(crate) fn applies(&self, need: &Need) -> bool {
        self.is_about(need)
            && self
                .conditions
                .iter()
                .all(|condition| condition.holds(need))
    }
}

impl Patterns {
    pub(crate) fn parse(
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

    fn in_small_letters(self) -> Patterns {
        let small = |all: Vec<String>| all.iter().map(|one| one.to_lowercase()).collect();
        match self {
            Patterns::OneOf(all) => Patterns::OneOf(small(all)),
            Patterns::NoneOf(all) => Patterns::NoneOf(small(all)),
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
