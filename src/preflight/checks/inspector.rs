//! What every check is given, and what the release itself needs to read.

use super::super::check::{Check, Finding};
use super::super::inspection::{Surroundings, Wanted};
use crate::cloud::{AwsCloud, Configuration, Environment, LookError, VersionRecord};
use crate::config::Config;
use crate::listener_rules::Rule;
use crate::plan::Target;
use crate::preview::Preview;

/// What to do about a read that is denied and that nothing can be planned without.
pub(in crate::preflight) const GRANT: &str = "grant it, as docs/start/permissions.md says";

/// What is inspected, and for which release.
pub(in crate::preflight) struct Inspector<'a> {
    pub cloud: &'a AwsCloud,
    pub config: &'a Config,
    pub wanted: &'a Wanted,
    pub target: &'a Target,
    pub blue: &'a Environment,
    pub green: Option<&'a Environment>,
    pub around: &'a Surroundings,
}

/// A check that may be left unknown.
pub(super) type Found = Result<Finding, LookError>;

/// The version to release: its label and its record where it is registered, or why it
/// cannot be released.
pub(super) type Version = Result<(String, Option<VersionRecord>), Finding>;

/// What the release itself needs to read; none where it cannot be read.
pub(super) struct Read {
    pub version: Version,
    pub tags: Option<Vec<(String, String)>>,
    pub configuration: Option<Configuration>,
    pub instances: Option<u32>,
    pub preview: Option<Preview>,
    pub rules: Vec<Rule>,
    pub nodes: Option<u32>,
}

/// A release cannot do without what could not be read: that refuses, whatever is allowed.
/// Nothing is known without credentials.
pub(super) fn unread(check: Check, error: LookError) -> Found {
    let (why, remedy) = match error {
        LookError::Credentials(_) => return Err(error),
        LookError::Denied(why) => (why, GRANT),
        LookError::Passing(why) => (why, "try again once the service answers"),
        LookError::Refused(why) => (why, check.about().remedy),
    };
    Ok(check.refused(why, remedy).standing())
}
