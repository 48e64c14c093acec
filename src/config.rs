//! Flags and variables, parsed once into values that cannot be wrong.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use thiserror::Error;

use crate::plan::{HttpTest, Limits};

/// What every command takes. Flags win over variables.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Elastic Beanstalk application
    #[arg(long, env = "BEANSTALK_APP_NAME", global = true, value_name = "NAME")]
    pub app: Option<String>,
    /// Environment that production lives in
    #[arg(long, env = "BLUE_ENV_NAME", global = true, value_name = "NAME")]
    pub blue: Option<String>,
    /// Name for its clone [default: BLUE-green]
    #[arg(long, env = "GREEN_ENV_NAME", global = true, value_name = "NAME")]
    pub green: Option<String>,
    /// S3 bucket for artifacts
    #[arg(long, env = "S3_ARTIFACTS_BUCKET", global = true, value_name = "NAME")]
    pub bucket: Option<String>,
    /// AWS region [default: AWS_REGION, AWS_DEFAULT_REGION or the profile's]
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    /// Journal, a SQLite file [default: bluegreen/bluegreen.db in the user's state folder]
    #[arg(long, env = "BLUEGREEN_STATE", global = true, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// What to test: a path on blue's own CNAME, or a whole URL [default: /]
    #[arg(
        long,
        env = "RELEASE_HEALTH_CHECKING_PATH",
        global = true,
        value_name = "URL"
    )]
    pub test_url: Option<String>,
    /// Status codes that pass the test [default: 200 to 299]
    #[arg(long, global = true, value_name = "CODES", value_delimiter = ',',
          value_parser = clap::value_parser!(u16).range(100..=599))]
    pub expect_status: Vec<u16>,
    /// How long one test may take
    #[arg(long, global = true, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub test_timeout: Duration,
    /// Pause between two looks
    #[arg(long, env = "BLUEGREEN_POLL", global = true, value_name = "DURATION", default_value = "10s", value_parser = poll)]
    pub poll: Duration,
    /// How long cached DNS answers may still reach an environment after a swap
    #[arg(long, env = "BLUEGREEN_DRAIN", global = true, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub drain: Duration,
    /// How long blue is watched after the last swap
    #[arg(long, env = "BLUEGREEN_BAKE", global = true, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub bake: Duration,
    /// Longest wait of any one state
    #[arg(long, env = "BLUEGREEN_PATIENCE", global = true, value_name = "DURATION", default_value = "30m", value_parser = duration)]
    pub patience: Duration,
    /// How long a request without a clear answer may still arrive
    #[arg(long, env = "BLUEGREEN_QUARANTINE", global = true, value_name = "DURATION", default_value = "330s", value_parser = duration)]
    pub quarantine: Duration,
    /// How long a process that drives may be silent before another may take over
    #[arg(long, env = "BLUEGREEN_LEASE", global = true, value_name = "DURATION", default_value = "2m", value_parser = lease)]
    pub lease: Duration,
    /// CloudWatch alarm that watches production while blue is watched; may be repeated
    #[arg(long = "alarm", env = "BLUEGREEN_ALARMS", global = true, value_name = "NAME",
          value_delimiter = ',', value_parser = alarm)]
    pub alarms: Vec<String>,
    /// Keep the journal in SQLite alone: no copy and no lease in the bucket
    #[arg(long, env = "BLUEGREEN_NO_SHARED_STATE", global = true, value_parser = clap::builder::BoolishValueParser::new())]
    pub no_shared_state: bool,
    /// Format of the log on standard error
    #[arg(
        long,
        env = "BLUEGREEN_LOG_FORMAT",
        global = true,
        value_enum,
        default_value_t
    )]
    pub log_format: LogFormat,
    /// Use a local sandbox instead of AWS: an embedded one, kept on disk, or the one at URL
    #[cfg(feature = "sandbox")]
    #[arg(long, env = "BLUEGREEN_SANDBOX", global = true, value_name = "URL", num_args = 0..=1,
          require_equals = true, default_missing_value = EMBEDDED)]
    pub sandbox: Option<String>,
    /// How many seconds of an embedded sandbox pass in one of the wall's
    #[cfg(feature = "sandbox")]
    #[arg(
        long,
        env = "BLUEGREEN_SANDBOX_SPEED",
        global = true,
        value_name = "FACTOR",
        default_value_t = 60.0
    )]
    pub sandbox_speed: f64,
    /// IAM policy that an embedded sandbox judges requests by [default: everything is allowed]
    #[cfg(feature = "sandbox")]
    #[arg(
        long,
        env = "BLUEGREEN_SANDBOX_POLICY",
        global = true,
        value_name = "FILE"
    )]
    pub sandbox_policy: Option<PathBuf>,
}

/// The value of `--sandbox` that stands for the embedded one.
pub const EMBEDDED: &str = "embedded";

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What a deployment is configured with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The application.
    pub app: String,
    /// Blue's environment name.
    pub blue: String,
    /// Green's environment name.
    pub green: String,
    /// The artifacts bucket.
    pub bucket: String,
    /// Whether the bucket is to hold a copy of the journal and the lease.
    pub shared_state: bool,
    /// The HTTP test.
    pub test: HttpTest,
    /// The names of the CloudWatch alarms that watch production, each once.
    pub alarms: Vec<String>,
    /// The limits.
    pub limits: Limits,
}

/// A value that cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// A required value is missing.
    #[error("{what} is not set: name it with {flag} or {variable}")]
    Missing {
        /// What it is.
        what: &'static str,
        /// The flag.
        flag: &'static str,
        /// The variable.
        variable: &'static str,
    },
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

impl Options {
    /// The sandbox to use, where one is named: its URL or [`EMBEDDED`].
    #[cfg(feature = "sandbox")]
    #[must_use]
    pub fn sandbox(&self) -> Option<String> {
        given(&self.sandbox).map(str::to_owned)
    }

    /// The validated configuration of a run.
    ///
    /// # Errors
    /// [`ConfigError`] names the value, the flag and the remedy.
    pub fn config(&self) -> Result<Config, ConfigError> {
        let required = |value: &Option<String>, what, flag, variable| {
            value
                .clone()
                .filter(|value| !value.trim().is_empty())
                .ok_or(ConfigError::Missing {
                    what,
                    flag,
                    variable,
                })
        };
        let app = required(&self.app, "the application", "--app", "BEANSTALK_APP_NAME")?;
        let blue = required(
            &self.blue,
            "the blue environment",
            "--blue",
            "BLUE_ENV_NAME",
        )?;
        let bucket = required(
            &self.bucket,
            "the artifacts bucket",
            "--bucket",
            "S3_ARTIFACTS_BUCKET",
        )?;
        let green = self
            .green
            .clone()
            .filter(|green| !green.is_empty())
            .unwrap_or_else(|| format!("{blue}-green"));
        environment_name("--blue", &blue)?;
        environment_name("--green", &green)?;
        if green == blue {
            return Err(invalid(
                "--green",
                &green,
                "green needs another name than blue",
            ));
        }
        Ok(Config {
            app,
            blue,
            green,
            bucket,
            shared_state: !self.no_shared_state,
            test: HttpTest {
                url: test_url(given(&self.test_url).unwrap_or("/"))?,
                expect_status: self.expect_status.clone(),
                timeout: self.test_timeout,
            },
            alarms: {
                let mut seen = std::collections::BTreeSet::new();
                let alarms = self.alarms.iter().filter(|name| seen.insert(*name));
                alarms.cloned().collect()
            },
            limits: Limits {
                poll: self.poll,
                drain: self.drain,
                bake: self.bake,
                patience: self.patience,
                quarantine: self.quarantine,
                ..Limits::default()
            },
        })
    }
}

/// A value that is there: an empty variable is none, as CI systems set it.
fn given(value: &Option<String>) -> Option<&str> {
    value.as_deref().filter(|value| !value.is_empty())
}

/// Environment names: 4 to 40 letters, digits and hyphens, no hyphen at the
/// edges (API reference, `CreateEnvironment`).
fn environment_name(flag: &'static str, name: &str) -> Result<(), ConfigError> {
    let well_formed = (4..=40).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    if well_formed {
        return Ok(());
    }
    let why =
        "an environment's name has 4 to 40 letters, digits and hyphens, and no hyphen at its edges";
    Err(invalid(flag, name, why))
}

fn test_url(url: &str) -> Result<String, ConfigError> {
    let flag = "--test-url";
    if url.starts_with('/') && !url.starts_with("//") {
        return Ok(url.to_owned());
    }
    let parsed = reqwest::Url::parse(url)
        .ok()
        .filter(|parsed| matches!(parsed.scheme(), "http" | "https") && parsed.has_host())
        .ok_or_else(|| {
            invalid(
                flag,
                url,
                "expected a path such as /health, or an http or https URL",
            )
        })?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        let why = "a user or password in it would be kept in the journal";
        return Err(invalid(flag, "…", why));
    }
    Ok(url.to_owned())
}

fn invalid(flag: &'static str, value: &str, why: &str) -> ConfigError {
    ConfigError::Invalid {
        flag,
        value: value.to_owned(),
        why: why.to_owned(),
    }
}

/// The longest duration that is taken.
const DURATION_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The shortest lease that is taken: three renewals, and room for a request.
const LEASE_MIN: Duration = Duration::from_secs(90);

/// A duration as people write it, such as `500ms`, `60s` or `20m`.
///
/// # Errors
/// What is wrong with it, in words.
pub fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|e| format!("{e}; write a duration such as 500ms, 60s or 20m"))?;
    if duration > DURATION_MAX {
        return Err("a duration has at most 30 days".to_owned());
    }
    Ok(duration)
}

fn poll(text: &str) -> Result<Duration, String> {
    let poll = duration(text)?;
    if poll < Duration::from_millis(100) {
        return Err("AWS must not be asked more often than every 100ms".to_owned());
    }
    Ok(poll)
}

/// An alarm's name: 1 to 255 characters (API reference, `PutMetricAlarm`).
fn alarm(text: &str) -> Result<String, String> {
    let name = text.trim();
    if (1..=255).contains(&name.chars().count()) {
        return Ok(name.to_owned());
    }
    Err("an alarm's name has 1 to 255 characters".to_owned())
}

fn lease(text: &str) -> Result<Duration, String> {
    let lease = duration(text)?;
    if lease < LEASE_MIN {
        return Err(format!(
            "a lease must outlive a request to AWS by far: at least {}",
            humantime::format_duration(LEASE_MIN)
        ));
    }
    Ok(lease)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_urls_are_checked_with_their_place_and_remedy() {
        for (flag, name) in [
            ("--blue", "abc"),
            ("--green", "-shop"),
            ("--blue", "a_b_c_d"),
        ] {
            let error = environment_name(flag, name).unwrap_err().to_string();
            assert!(error.contains(flag) && error.contains(name), "{error}");
        }
        assert!(environment_name("--blue", "shop-blue").is_ok());
        for url in ["health", "ftp://a/b", "//x", "http://"] {
            assert!(test_url(url).is_err(), "{url}");
        }
        let secret = test_url("https://a:hunter2@b/").unwrap_err().to_string();
        assert!(!secret.contains("hunter2"), "{secret}");
    }

    #[test]
    fn durations_need_a_unit() {
        assert!(duration("60").unwrap_err().contains("60s"));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert!(poll("1ms").is_err());
        assert!(duration("580000000000years").is_err());
    }
}
