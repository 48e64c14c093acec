//! A request of the Query protocol: a form.

use std::collections::BTreeMap;

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

    /// A parameter that is there and not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
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

    /// A list: `Name.member.1`, `Name.member.2`, …
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

    fn prefixes(&self, name: &str) -> impl Iterator<Item = String> {
        let stem = format!("{name}.member.");
        let there = move |prefix: &String| {
            let dotted = format!("{prefix}.");
            self.0
                .keys()
                .any(|key| key == prefix || key.starts_with(&dotted))
        };
        (1..).map(move |n| format!("{stem}{n}")).take_while(there)
    }
}
