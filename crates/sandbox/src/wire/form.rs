//! A request of the Query protocol: a form.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::wire::error::ApiError;

/// A request's parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Form(BTreeMap<String, String>);

impl Form {
    /// Reads `application/x-www-form-urlencoded` text; later fields win.
    #[must_use]
    pub fn parse(text: &[u8]) -> Form {
        Form(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The operation: `Action`, or `Operation`, which works the same.
    #[must_use]
    pub fn operation(&self) -> &str {
        self.get("Action")
            .or_else(|| self.get("Operation"))
            .unwrap_or_default()
    }

    /// Whether the client wants an answer in JSON: the parameter `ContentType` of boto, or what
    /// [`Form::in_json`] has noted.
    pub(crate) fn wants_json(&self) -> bool {
        self.get("ContentType")
            .is_some_and(|kind| kind.eq_ignore_ascii_case("JSON"))
    }

    /// Notes that the request's headers ask for JSON.
    pub(crate) fn in_json(mut self) -> Form {
        self.0.insert("ContentType".to_owned(), "JSON".to_owned());
        self
    }

    /// A parameter that is there and not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// A parameter that is there, empty or not: an empty one clears a property (API reference,
    /// `UpdateApplication`).
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Every parameter.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A parameter that must be there.
    ///
    /// # Errors
    /// `MissingRequiredParameter`.
    pub fn require(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name).ok_or_else(|| {
            ApiError::new(
                "MissingRequiredParameter",
                format!("The request must contain the parameter {name}."),
            )
        })
    }

    /// A list in the order of its numbers: `Name.member.1`, `Name.member.2`, … or
    /// `Name.members.1`, …, which the service takes too (boto/boto#872;
    /// einaregilsson/beanstalk-deploy sends it).
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<&str> {
        self.prefixes(name)
            .filter_map(|prefix| self.get(&prefix))
            .collect()
    }

    /// A list of structures: the fields of each member.
    #[must_use]
    pub fn members(&self, name: &str) -> Vec<Form> {
        self.prefixes(name)
            .map(|prefix| {
                let dotted = format!("{prefix}.");
                let field = |(key, value): (&String, &String)| {
                    Some((key.strip_prefix(&dotted)?.to_owned(), value.clone()))
                };
                Form(self.0.iter().filter_map(field).collect())
            })
            .collect()
    }

    /// What the keys of each member of a list begin with. Numbers may be left out.
    fn prefixes(&self, name: &str) -> impl Iterator<Item = String> {
        let mut found = BTreeSet::new();
        for key in self.0.keys() {
            let Some((word, number)) = numbered(name, key) else {
                continue;
            };
            if let Ok(order) = number.parse::<u32>() {
                found.insert((order, format!("{name}.{word}.{number}")));
            }
        }
        found.into_iter().map(|(_, prefix)| prefix)
    }
}

/// The words that stand before the number of a list's member.
const MEMBER: [&str; 2] = ["member", "members"];

/// The word and the number in the key of a list's member.
fn numbered<'a>(name: &str, key: &'a str) -> Option<(&'a str, &'a str)> {
    let (word, rest) = key.strip_prefix(name)?.strip_prefix('.')?.split_once('.')?;
    let number = rest.split('.').next().unwrap_or_default();
    MEMBER.contains(&word).then_some((word, number))
}
