//! Who holds a lock, for those who find it held.

use std::fmt;

use serde::{Deserialize, Serialize};

use bluegreen_core::text::foreign;

/// A process that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Distinguishes this taking of the lock from every other.
    pub token: String,
    /// The machine's or container's name.
    pub host: String,
    /// The process id there.
    pub process: u32,
    /// The CI job's page, where a variable of the environment holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The journal on the holder's disk and the boot of the kernel under it: another process that
    /// may run deployments of this same journal under this same kernel knows that the holder is
    /// dead, because the file's lock is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<String>,
}

impl Holder {
    /// This process; `journal` identifies its SQLite file.
    #[must_use]
    pub fn this_process(journal: Option<&str>) -> Holder {
        Holder {
            token: ulid::Ulid::new().to_string(),
            host: gethostname::gethostname().to_string_lossy().into_owned(),
            process: std::process::id(),
            job: job(|name| std::env::var(name).ok().filter(|value| !value.is_empty())),
            journal: journal.and_then(under_this_kernel),
        }
    }

    /// Whether both hold a lock from the same journal under the same kernel.
    #[must_use]
    pub fn shares_journal_with(&self, other: &Holder) -> bool {
        self.journal.is_some() && self.journal == other.journal
    }
}

/// None where the system does not show its boot: then nobody is known to be dead.
fn under_this_kernel(journal: &str) -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(format!("{journal}-{}", boot.trim()))
}

/// As in `process 4711 on ci-7 (https://…)`.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on {}", self.process, foreign(&self.host))?;
        match &self.job {
            Some(job) => write!(f, " ({})", foreign(job)),
            None => Ok(()),
        }
    }
}

/// The page of the CI job this runs in: GitHub Actions, GitLab, CodeBuild, Jenkins, Buildkite and
/// CircleCI put it into these variables.
fn job(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let github = || {
        let part = |name| variable(name);
        Some(format!(
            "{}/{}/actions/runs/{}",
            part("GITHUB_SERVER_URL")?,
            part("GITHUB_REPOSITORY")?,
            part("GITHUB_RUN_ID")?
        ))
    };
    let named = || {
        [
            "CI_JOB_URL",
            "CODEBUILD_BUILD_URL",
            "BUILDKITE_BUILD_URL",
            "CIRCLE_BUILD_URL",
            "BUILD_URL",
        ]
        .into_iter()
        .find_map(&variable)
    };
    without_secrets(&github().or_else(named)?)
}

/// The page without a user, a password or a query; none where it is no URL.
fn without_secrets(url: &str) -> Option<String> {
    let mut url = url::Url::parse(url).ok()?;
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    url.set_query(None);
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_job_is_told_without_secrets() {
        let github = |name: &str| {
            let value = match name {
                "GITHUB_SERVER_URL" => "https://github.com",
                "GITHUB_REPOSITORY" => "acme/shop",
                "GITHUB_RUN_ID" => "7",
                _ => return None,
            };
            Some(value.to_owned())
        };
        assert_eq!(
            job(github).as_deref(),
            Some("https://github.com/acme/shop/actions/runs/7")
        );
        let jenkins = |name: &str| {
            (name == "BUILD_URL")
                .then(|| "https://ci:hunter2@ci.acme.example/7/?token=hunter2".to_owned())
        };
        assert_eq!(job(jenkins).as_deref(), Some("https://ci.acme.example/7/"));
        assert_eq!(job(|_| None), None);
    }
}
