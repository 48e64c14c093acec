//! Values that cannot be used.

use thiserror::Error;

use crate::preview::PreviewError;

/// A value that cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// A required value is missing.
    #[error("{what} is not set: name it with {flag}, {variable} or `{}` in bluegreen.toml", flag.trim_start_matches('-'))]
    Missing {
        /// What it is.
        what: &'static str,
        /// The flag.
        flag: &'static str,
        /// The variable.
        variable: &'static str,
    },
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

/// A value that is not of its form.
pub(super) fn invalid(flag: &'static str, value: &str, why: &str) -> ConfigError {
    ConfigError::Invalid {
        flag,
        value: value.to_owned(),
        why: why.to_owned(),
    }
}
