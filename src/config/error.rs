//! Values that cannot be used.

use thiserror::Error;

use crate::preview::PreviewError;

/// A value that cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// Required values are missing.
    #[error("{}", not_set(.0))]
    Missing(Vec<Required>),
    /// A table is not of its form. The message leaves its values out: they may be secrets.
    #[error("{place}: {why}")]
    Table {
        /// The flag, and which of several.
        place: String,
        /// The key, what is wrong with it and what would be right.
        why: String,
    },
    /// The preview hostnames are not of their form.
    #[error(transparent)]
    Preview(#[from] PreviewError),
    /// A value is not of its form.
    #[error("{flag} {value:?}: {why}")]
    Invalid {
        /// The flag.
        flag: &'static str,
        /// What was given.
        value: String,
        /// What is wrong and what would be right.
        why: String,
    },
}

/// A value that a release needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Required {
    /// What it is.
    pub what: &'static str,
    /// The flag.
    pub flag: &'static str,
    /// The variable.
    pub variable: &'static str,
}

fn not_set(missing: &[Required]) -> String {
    let listed = |parts: Vec<String>| match parts.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    };
    let each = |part: fn(&Required) -> String| listed(missing.iter().map(part).collect());
    let (verb, them) = match missing {
        [_] => ("is", "it"),
        _ => ("are", "them"),
    };
    format!(
        "{} {verb} not set: name {them} with {}, with the variable{} {}, or as {} in bluegreen.toml",
        each(|one| one.what.to_owned()),
        each(|one| one.flag.to_owned()),
        if missing.len() == 1 { "" } else { "s" },
        each(|one| one.variable.to_owned()),
        each(|one| format!("`{}`", one.flag.trim_start_matches('-'))),
    )
}

/// A value that is not of its form.
pub(super) fn invalid(flag: &'static str, value: &str, why: &str) -> ConfigError {
    ConfigError::Invalid {
        flag,
        value: value.to_owned(),
        why: why.to_owned(),
    }
}
