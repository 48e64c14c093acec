//! The flags of the approval that a pause waits for.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::error::ConfigError;
use super::hidden::{Hidden, hidden};
use crate::approval::ApproveUrl;
use crate::plan::ApprovalLimit;
use crate::table::limit;

/// What says who approves a pause, and until when.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct ApprovalFlags {
    /// URL that approves a pause: 204 continues, 403 waits, 409 rolls back
    #[arg(long, env = "BLUEGREEN_APPROVE_URL", global = true, value_name = "SECRET-URL",
          hide_env_values = true, value_parser = hidden)]
    pub approve_url: Option<Hidden>,
    /// Timeout of the wait for approval [default: none]
    #[arg(long, env = "BLUEGREEN_APPROVE_LIMIT", global = true, value_name = "DURATION", value_parser = limit)]
    pub approve_limit: Option<Duration>,
    /// What to do if nobody approves in time
    #[arg(
        long,
        env = "BLUEGREEN_APPROVE_OTHERWISE",
        global = true,
        value_enum,
        value_name = "WAY",
        default_value_t
    )]
    pub approve_otherwise: Otherwise,
}

/// What follows where nobody approves a pause in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Otherwise {
    /// Hold the deployment; before the first swap roll back
    #[default]
    Hold,
    /// Roll back
    Rollback,
}

impl ApprovalFlags {
    /// How long a pause waits for its approval.
    #[must_use]
    pub fn limit(&self) -> Option<ApprovalLimit> {
        self.approve_limit.map(|limit| ApprovalLimit {
            limit,
            goes_back: self.approve_otherwise == Otherwise::Rollback,
        })
    }

    /// The URL that approves. Every process gets it anew, and it is no part of the plan.
    ///
    /// # Errors
    /// [`ConfigError`], without the URL.
    pub fn url(&self) -> Result<Option<ApproveUrl>, ConfigError> {
        let given = self
            .approve_url
            .as_ref()
            .filter(|url| !url.text().is_empty());
        let parsed = given.map(|url| url.text().parse()).transpose();
        parsed.map_err(|why| ConfigError::Table {
            place: "--approve-url".to_owned(),
            why,
        })
    }
}
