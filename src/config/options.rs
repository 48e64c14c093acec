//! The flags that every command takes.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::approval_flags::ApprovalFlags;
use super::ci_flags::CiFlags;
use super::error::ConfigError;
use super::given::given;
use super::hidden::{Hidden, hidden};
use super::limit_flags::LimitFlags;
use super::test_flags::TestFlags;
use crate::cloud::AssumedRole;
use crate::encryption::Encryption;
use crate::fidelity::OPERATIONS_ROLE;
use crate::health::Health;
use crate::hooks::{Hook, HookTable};
use crate::plan::{Limits, ProbeOfProduction};
use crate::preview::Asked;
use crate::receivers::{Receiver, ReceiverTable};
use crate::state_key::StateKey;
use crate::table::duration;

/// What every command takes. Flags win over variables, and those over the file.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Elastic Beanstalk application
    #[arg(long, env = "BEANSTALK_APP_NAME", global = true, value_name = "NAME")]
    pub app: Option<String>,
    /// Environment that users are on (blue)
    #[arg(long, env = "BLUE_ENV_NAME", global = true, value_name = "NAME")]
    pub blue: Option<String>,
    /// Name for blue's clone (green) [default: BLUE-green]
    #[arg(long, env = "GREEN_ENV_NAME", global = true, value_name = "NAME")]
    pub green: Option<String>,
    /// S3 bucket for bundles and the journal's copy
    #[arg(long, env = "S3_ARTIFACTS_BUCKET", global = true, value_name = "NAME")]
    pub bucket: Option<String>,
    /// AWS region [default: AWS_REGION, AWS_DEFAULT_REGION or the profile's]
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    /// Journal, a SQLite file [default: bluegreen/bluegreen.db in the user's state folder]
    #[arg(long, env = "BLUEGREEN_STATE", global = true, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// What is tested.
    #[command(flatten)]
    pub tests: TestFlags,
    /// Who approves a pause.
    #[command(flatten)]
    pub approval: ApprovalFlags,
    /// Command before or after a stage as an inline TOML table, such as
    /// '{ when = "before", stage = "swapping-to-blue", command = "./migrate", on-failure = "hold" }';
    /// may be repeated
    #[arg(long, env = "BLUEGREEN_HOOK", global = true, value_name = "TABLE")]
    pub hook: Vec<String>,
    /// Receiver of messages about a deployment as an inline TOML table, such as
    /// '{ to = "webhook", url = "env:HOOK_URL", secret = "env:HOOK_SECRET", on = ["held"] }'; may be
    /// repeated
    #[arg(long, env = "BLUEGREEN_NOTIFY", global = true, value_name = "TABLE")]
    pub notify: Vec<String>,
    /// Worst health that counts as healthy, unless blue's own HealthCheckSuccessThreshold accepts a
    /// worse one
    #[arg(
        long,
        env = "BLUEGREEN_HEALTHY",
        global = true,
        value_enum,
        value_name = "HEALTH",
        default_value_t
    )]
    pub healthy: Healthy,
    /// What bounds it.
    #[command(flatten)]
    pub limits: LimitFlags,
    /// Length of the lock: after so long without a renewal another process may take over
    #[arg(long, env = "BLUEGREEN_LEASE", global = true, value_name = "DURATION", default_value = "2m", value_parser = lease)]
    pub lease: Duration,
    /// Where green may differ from blue, such as aws:elasticbeanstalk:command:Timeout; may be
    /// repeated
    #[arg(
        long = "expect-difference",
        env = "BLUEGREEN_EXPECT_DIFFERENCE",
        global = true,
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = difference
    )]
    pub expect_difference: Vec<String>,
    /// CloudWatch alarm that returns users to the other environment during the bake; may be
    /// repeated
    #[arg(long = "alarm", env = "BLUEGREEN_ALARMS", global = true, value_name = "NAME",
          value_delimiter = ',', value_parser = alarm)]
    pub alarms: Vec<String>,
    /// Send a request a second to production while the deployment runs, for its report; decides
    /// nothing; a path [default: that of the first test that reads a path without headers]
    #[arg(long, env = "BLUEGREEN_PROBE", global = true, value_name = "PATH", num_args = 0..=1,
          require_equals = true, default_missing_value = ProbeOfProduction::OF_THE_TEST, value_parser = probe)]
    pub probe: Option<String>,
    /// Put the report, a page, beside the journal's copy in the bucket whenever the deployment comes
    /// to rest
    #[arg(long, env = "BLUEGREEN_REPORT_TO_BUCKET", global = true, value_parser = clap::builder::BoolishValueParser::new())]
    pub report_to_bucket: bool,
    /// Preview hostname, which leads to the environment under test; a JSON list, several with
    /// commas, or ssm:/path/to/parameter; may be repeated
    #[arg(long, env = "RECORDS_LIST", global = true, value_name = "HOST")]
    pub preview_host: Vec<String>,
    /// Hosted zone of the preview hostnames in Route 53; an id, or ssm:/path/to/parameter
    #[arg(long, env = "HOSTED_ZONE_ID", global = true, value_name = "ID")]
    pub hosted_zone_id: Option<String>,
    /// Server-side encryption of every upload to the bucket: AES256, aws:kms, or aws:kms:KEY with a
    /// KMS key [default: the bucket's own]
    #[arg(
        long,
        env = "BLUEGREEN_SSE",
        global = true,
        value_name = "METHOD",
        value_parser = encryption
    )]
    pub sse: Option<Encryption>,
    /// Secret of at least 32 characters that authenticates the copy and the lock in the bucket; the
    /// same for every command [default: none; resume elsewhere then needs the configuration of the
    /// run]
    #[arg(long, env = "BLUEGREEN_STATE_KEY", global = true, value_name = "SECRET",
          hide_env_values = true, value_parser = hidden)]
    pub state_key: Option<Hidden>,
    /// Keep the journal only in SQLite: no copy and no lock in the bucket
    #[arg(long, env = "BLUEGREEN_NO_SHARED_STATE", global = true, value_parser = clap::builder::BoolishValueParser::new())]
    pub no_shared_state: bool,
    /// How long the journal keeps deployments that have ended, where the bucket has their copies and
    /// they are not the last ones of their target [default: for ever]
    #[arg(long, env = "BLUEGREEN_KEEP_HISTORY", global = true, value_name = "DURATION", value_parser = keep)]
    pub keep_history: Option<Duration>,
    /// File of settings [default: bluegreen.toml in the current folder, if it exists]
    #[arg(
        long = "config",
        env = "BLUEGREEN_CONFIG",
        global = true,
        value_name = "FILE"
    )]
    pub config_file: Option<PathBuf>,
    /// Profile of the AWS configuration files; without it AWS_PROFILE names one
    #[arg(long, env = "BLUEGREEN_PROFILE", global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// ARN of a role to assume with those credentials, as for another account
    #[arg(long, env = "BLUEGREEN_ROLE", global = true, value_name = "ARN", value_parser = role)]
    pub role: Option<String>,
    /// External id that the role's trust policy requires
    #[arg(
        long,
        env = "BLUEGREEN_EXTERNAL_ID",
        global = true,
        value_name = "TEXT",
        requires = "role"
    )]
    pub external_id: Option<String>,
    /// Log only warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Log more; twice for all
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// When to use colours; NO_COLOR and CLICOLOR_FORCE count with auto
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    pub color: Color,
    /// What a CI system learns.
    #[command(flatten)]
    pub ci: CiFlags,
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
    /// Speed of the embedded sandbox: its seconds per real second
    #[cfg(feature = "sandbox")]
    #[arg(
        long,
        env = "BLUEGREEN_SANDBOX_SPEED",
        global = true,
        value_name = "FACTOR",
        default_value_t = 60.0,
        value_parser = speed
    )]
    pub sandbox_speed: f64,
    /// IAM policy of the embedded sandbox [default: everything is allowed]
    #[cfg(feature = "sandbox")]
    #[arg(
        long,
        env = "BLUEGREEN_SANDBOX_POLICY",
        global = true,
        value_name = "FILE"
    )]
    pub sandbox_policy: Option<PathBuf>,
}

/// The value of `--healthy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Healthy {
    /// Ok and Info; Green with basic health
    #[default]
    Ok,
    /// Warning too; Yellow with basic health
    Warning,
    /// Degraded too
    Degraded,
}

impl From<Healthy> for Health {
    fn from(healthy: Healthy) -> Health {
        match healthy {
            Healthy::Ok => Health::Ok,
            Healthy::Warning => Health::Warning,
            Healthy::Degraded => Health::Degraded,
        }
    }
}

/// The value of `--sandbox` that stands for the embedded one.
pub const EMBEDDED: &str = "embedded";

/// The value of `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// Whether to use colours where the output is a terminal, or not. With `auto` the variables of
    /// <https://no-color.org> and <https://bixense.com/clicolors> decide, where they are not empty.
    #[must_use]
    pub fn is_on(self, is_terminal: bool) -> bool {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if set("NO_COLOR") => false,
            Color::Auto if set("CLICOLOR_FORCE") => true,
            Color::Auto => is_terminal && !is_dumb,
        }
    }
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Options {
    /// The sandbox to use, where one is named: its URL or [`EMBEDDED`].
    #[cfg(feature = "sandbox")]
    #[must_use]
    pub fn sandbox(&self) -> Option<String> {
        given(&self.sandbox).map(str::to_owned)
    }

    /// The role to assume, where one is named.
    #[must_use]
    pub fn assumed_role(&self) -> Option<AssumedRole> {
        Some(AssumedRole {
            arn: given(&self.role)?.to_owned(),
            external_id: given(&self.external_id).map(str::to_owned),
        })
    }

    /// The key that authenticates the state in the bucket.
    ///
    /// # Errors
    /// [`ConfigError`], without the key.
    pub fn state_key(&self) -> Result<Option<StateKey>, ConfigError> {
        let given = self.state_key.as_ref().filter(|key| !key.text().is_empty());
        let parsed = given.map(|key| key.text().parse()).transpose();
        parsed.map_err(|why| ConfigError::Table {
            place: "--state-key".to_owned(),
            why,
        })
    }

    /// The preview hostnames that the flags name.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn previews(&self) -> Result<Option<Asked>, ConfigError> {
        Ok(Asked::read(
            &self.preview_host,
            given(&self.hosted_zone_id),
        )?)
    }

    /// The alarms that monitor production, each once.
    pub(super) fn alarms(&self) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let alarms = self.alarms.iter().filter(|name| seen.insert(*name));
        alarms.cloned().collect()
    }

    /// The limits.
    pub(super) fn limits(&self) -> Limits {
        Limits {
            test_grace: self.tests.test_grace,
            ..self.limits.limits()
        }
    }

    /// The hooks of `--hook` in their order.
    pub(super) fn hooks(&self) -> Vec<Result<Hook, ConfigError>> {
        let of_table = |(number, text): (usize, &String)| {
            let checked = HookTable::inline(text).and_then(HookTable::check);
            checked.map_err(|why| ConfigError::Table {
                place: format!("--hook {}", number + 1),
                why,
            })
        };
        self.hook.iter().enumerate().map(of_table).collect()
    }

    /// The receivers of `--notify` in their order.
    pub(super) fn receivers(&self) -> Vec<Result<Receiver, ConfigError>> {
        let of_table = |(number, text): (usize, &String)| {
            let checked = ReceiverTable::inline(text).and_then(ReceiverTable::check);
            checked.map_err(|why| ConfigError::Table {
                place: format!("--notify {}", number + 1),
                why,
            })
        };
        self.notify.iter().enumerate().map(of_table).collect()
    }
}

/// The shortest lock that bluegreen accepts: three renewals, and room for a request.
const LEASE_MIN: Duration = Duration::from_secs(90);

/// The name of a difference between green and blue.
fn difference(text: &str) -> Result<String, String> {
    let name = text.trim();
    let is_tag = name
        .strip_prefix("tag ")
        .is_some_and(|key| !key.trim().is_empty());
    let is_trait = ["version", "platform", OPERATIONS_ROLE].contains(&name);
    if is_trait || is_tag || name.contains(':') {
        return Ok(name.to_owned());
    }
    Err(
        "a difference is called version, platform, operations role, tag KEY, or NAMESPACE:OPTION such as \
         aws:elasticbeanstalk:command:Timeout"
            .to_owned(),
    )
}

/// A method of server-side encryption.
fn encryption(text: &str) -> Result<Encryption, String> {
    text.parse()
}

/// The path of `--probe`; empty where a CI system sets an empty variable.
fn probe(text: &str) -> Result<String, String> {
    let path = text.trim();
    let is_word = ["", ProbeOfProduction::OF_THE_TEST].contains(&path);
    let is_path = path.starts_with('/') && !path.contains(|c: char| c.is_control() || c == ' ');
    match is_word || is_path {
        true => Ok(path.to_owned()),
        false => {
            Err("expected a path on production that begins with /, such as /health".to_owned())
        }
    }
}

/// A role's ARN, or nothing where a CI system sets an empty variable.
fn role(text: &str) -> Result<String, String> {
    let arn = text.trim();
    let is_arn = arn.starts_with("arn:") && arn.contains(":role/");
    match arn.is_empty() || is_arn {
        true => Ok(arn.to_owned()),
        false => Err(
            "expected the ARN of a role, as in arn:aws:iam::123456789012:role/deployer".to_owned(),
        ),
    }
}

/// An alarm's name: 1 to 255 characters (API reference, `PutMetricAlarm`).
fn alarm(text: &str) -> Result<String, String> {
    let name = text.trim();
    if (1..=255).contains(&name.chars().count()) {
        return Ok(name.to_owned());
    }
    Err("an alarm's name has 1 to 255 characters".to_owned())
}

#[cfg(feature = "sandbox")]
fn speed(text: &str) -> Result<f64, String> {
    let speeds = bluegreen_sandbox::SPEEDS;
    let speed = text.parse().ok().filter(|speed| speeds.contains(speed));
    speed.ok_or_else(|| {
        format!(
            "expected a number from {} to {}",
            speeds.start(),
            speeds.end()
        )
    })
}

/// How long history is kept: long enough for whoever reads it to have read it.
fn keep(text: &str) -> Result<Duration, String> {
    let keep = humantime::parse_duration(text);
    let keep = keep.map_err(|e| format!("{e}; write a duration such as 90d or 1year"))?;
    match keep < KEEP_MIN {
        true => Err(format!(
            "expected at least {}",
            humantime::format_duration(KEEP_MIN)
        )),
        false => Ok(keep),
    }
}

/// The shortest time for which history is kept.
const KEEP_MIN: Duration = Duration::from_secs(24 * 60 * 60);

fn lease(text: &str) -> Result<Duration, String> {
    let lease = duration(text)?;
    if lease < LEASE_MIN {
        return Err(format!(
            "the lock must outlive a request to AWS by far: at least {}",
            humantime::format_duration(LEASE_MIN)
        ));
    }
    Ok(lease)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_called_as_the_diff_calls_it() {
        for name in [
            "version",
            "platform",
            "operations role",
            "tag team",
            "aws:autoscaling:asg:MinSize[AWSEBAutoScalingGroup]",
        ] {
            assert_eq!(difference(&format!(" {name} ")), Ok(name.to_owned()));
        }
        for name in ["nonsense", "", "tag", "tag ", "Timeout"] {
            let why = difference(name).unwrap_err();
            assert!(why.contains("NAMESPACE:OPTION"), "{name}: {why}");
        }
    }
}
