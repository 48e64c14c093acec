//! Flags, variables and the file, parsed once into values that cannot be wrong.

pub mod file;
pub mod keys;
pub mod layers;
pub(crate) mod lines;
pub mod redaction;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::acceptance::{AcceptanceTest, Defaults, TestCommand, TestTable};
use crate::approval::ApproveUrl;
use crate::encryption::Encryption;
use crate::fidelity::OPERATIONS_ROLE;
use crate::health::Health;
use crate::hooks::{Hook, HookTable};
use crate::machine::Kind;
use crate::plan::{ApprovalLimit, Goal, Limits, Plan, TestsBack, is_environment_name};
use crate::preview::{Asked, PreviewError};
use crate::state_key::StateKey;
pub use crate::table::duration;
use crate::table::limit;
use crate::trust::Configured;

/// What every command takes. Flags win over variables, and those over the file.
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
    /// Test as an inline TOML table, such as '{ url = "/health", json = { "/status" = "ok" } }';
    /// may be repeated
    #[arg(long, env = "BLUEGREEN_TEST", global = true, value_name = "TABLE")]
    pub test: Vec<String>,
    /// Status codes that pass a test which names none [default: 200 to 299]
    #[arg(long, env = "BLUEGREEN_EXPECT_STATUS", global = true, value_name = "CODES", value_delimiter = ',',
          value_parser = clap::value_parser!(u16).range(100..=599))]
    pub expect_status: Vec<u16>,
    /// How long a test may take that does not say it
    #[arg(long, env = "BLUEGREEN_TEST_TIMEOUT", global = true, value_name = "DURATION", default_value = "10s", value_parser = limit)]
    pub test_timeout: Duration,
    /// How long after a deploy or a launch a test that fails does not count while the environment
    /// is not healthy
    #[arg(long, env = "BLUEGREEN_TEST_GRACE", global = true, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub test_grace: Duration,
    /// Command that tests further, once every test has passed; its exit code 0 passes
    #[arg(
        long,
        env = "BLUEGREEN_TEST_COMMAND",
        global = true,
        value_name = "COMMAND"
    )]
    pub test_command: Option<String>,
    /// How long that command may take
    #[arg(long, env = "BLUEGREEN_TEST_COMMAND_TIMEOUT", global = true, value_name = "DURATION", default_value = "10m", value_parser = limit)]
    pub test_command_timeout: Duration,
    /// Test green too, before it takes production: --test-green=false does not
    #[arg(long, env = "BLUEGREEN_TEST_GREEN", global = true, action = ArgAction::Set, value_name = "BOOL",
          num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "true", hide_default_value = true, hide_possible_values = true,
          value_parser = clap::builder::BoolishValueParser::new())]
    pub test_green: bool,
    /// Test blue too while it serves and is watched; without --test it always is
    #[arg(long, env = "BLUEGREEN_TEST_PRODUCTION", global = true, value_parser = clap::builder::BoolishValueParser::new())]
    pub test_production: bool,
    /// URL that is asked whether a pause is approved: 204 goes on, 403 waits, 409 goes back
    #[arg(long, env = "BLUEGREEN_APPROVE_URL", global = true, value_name = "SECRET-URL",
          hide_env_values = true, value_parser = hidden)]
    pub approve_url: Option<Hidden>,
    /// How long it is asked [default: without end]
    #[arg(long, env = "BLUEGREEN_APPROVE_LIMIT", global = true, value_name = "DURATION", value_parser = limit)]
    pub approve_limit: Option<Duration>,
    /// What follows where nobody approves in time
    #[arg(
        long,
        env = "BLUEGREEN_APPROVE_OTHERWISE",
        global = true,
        value_enum,
        value_name = "WAY",
        default_value_t
    )]
    pub approve_otherwise: Otherwise,
    /// Command before or after a stage as an inline TOML table, such as
    /// '{ when = "before", stage = "swapping-to-blue", command = "./migrate", on-failure = "hold" }';
    /// may be repeated
    #[arg(long, env = "BLUEGREEN_HOOK", global = true, value_name = "TABLE")]
    pub hook: Vec<String>,
    /// Worst health that counts as healthy, where blue's own HealthCheckSuccessThreshold does not
    /// accept a worse one
    #[arg(
        long,
        env = "BLUEGREEN_HEALTHY",
        global = true,
        value_enum,
        value_name = "HEALTH",
        default_value_t
    )]
    pub healthy: Healthy,
    /// Pause between two looks
    #[arg(long, env = "BLUEGREEN_POLL", global = true, value_name = "DURATION", default_value = "10s", value_parser = poll)]
    pub poll: Duration,
    /// How long cached DNS answers may still reach an environment after a swap
    #[arg(long, env = "BLUEGREEN_DRAIN", global = true, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub drain: Duration,
    /// How long to wait for the last clients of the environment that traffic left, before a
    /// remainder of requests (not their bulk) no longer holds the release up
    #[arg(long, env = "BLUEGREEN_DRAIN_LIMIT", global = true, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub drain_limit: Duration,
    /// Deploy to or terminate an environment that clients still reach once --drain-limit is
    /// over: their requests are lost
    #[arg(long, env = "BLUEGREEN_ACCEPT_TRAFFIC_LOSS", global = true, value_parser = clap::builder::BoolishValueParser::new())]
    pub accept_traffic_loss: bool,
    /// Requests a minute that one instance of a drained environment may get: health checks'
    /// [default: what blue's health checks make and half as many again, at least 20]
    #[arg(
        long,
        env = "BLUEGREEN_DRAIN_REQUESTS",
        global = true,
        value_name = "COUNT"
    )]
    pub drain_requests: Option<u32>,
    /// How long blue is watched after the last swap
    #[arg(long, env = "BLUEGREEN_BAKE", global = true, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub bake: Duration,
    /// Percentage points more of production's requests than before that may end in a server
    /// error while it is watched
    #[arg(long, env = "BLUEGREEN_ERROR_RISE", global = true, value_name = "POINTS", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(..=100))]
    pub error_rise: u32,
    /// Times as long as before that production's requests may take while it is watched
    #[arg(long, env = "BLUEGREEN_LATENCY_RISE", global = true, value_name = "FACTOR", default_value_t = 3,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub latency_rise: u32,
    /// Longest wait of any one state [default: 30m, and of Deploying as long as blue's deployment
    /// policy may take, where that is longer]
    #[arg(long, env = "BLUEGREEN_PATIENCE", global = true, value_name = "DURATION", value_parser = limit)]
    pub patience: Option<Duration>,
    /// The same of one state, such as Warming=10m; may be repeated
    #[arg(long, env = "BLUEGREEN_PATIENCE_OF", global = true, value_name = "STATE=DURATION",
          value_delimiter = ',', value_parser = patience_of)]
    pub patience_of: Vec<(Kind, Duration)>,
    /// How long a request without a clear answer may still arrive
    #[arg(long, env = "BLUEGREEN_QUARANTINE", global = true, value_name = "DURATION", default_value = "330s", value_parser = quarantine)]
    pub quarantine: Duration,
    /// How long a process that drives may be silent before another may take over
    #[arg(long, env = "BLUEGREEN_LEASE", global = true, value_name = "DURATION", default_value = "2m", value_parser = lease)]
    pub lease: Duration,
    /// What green may have otherwise than blue, such as aws:elasticbeanstalk:command:Timeout;
    /// may be repeated
    #[arg(
        long = "expect-difference",
        env = "BLUEGREEN_EXPECT_DIFFERENCE",
        global = true,
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = difference
    )]
    pub expect_difference: Vec<String>,
    /// CloudWatch alarm that watches production while blue is watched; may be repeated
    #[arg(long = "alarm", env = "BLUEGREEN_ALARMS", global = true, value_name = "NAME",
          value_delimiter = ',', value_parser = alarm)]
    pub alarms: Vec<String>,
    /// Hostname that leads to the environment under test while it is tested; a JSON list, several
    /// with commas, or ssm:/path/to/parameter; may be repeated
    #[arg(long, env = "RECORDS_LIST", global = true, value_name = "HOST")]
    pub preview_host: Vec<String>,
    /// Hosted zone of Route 53 that holds them; an id, or ssm:/path/to/parameter
    #[arg(long, env = "HOSTED_ZONE_ID", global = true, value_name = "ID")]
    pub hosted_zone_id: Option<String>,
    /// Server-side encryption that every upload to the bucket asks for: AES256, aws:kms, or
    /// aws:kms:KEY with a key of KMS [default: none, the bucket's own applies]
    #[arg(
        long,
        env = "BLUEGREEN_SSE",
        global = true,
        value_name = "METHOD",
        value_parser = encryption
    )]
    pub sse: Option<Encryption>,
    /// Secret of at least 32 characters that authenticates the copy and the lease in the bucket;
    /// the same for every command [default: none, and resume elsewhere needs the configuration
    /// of the run]
    #[arg(long, env = "BLUEGREEN_STATE_KEY", global = true, value_name = "SECRET",
          hide_env_values = true, value_parser = hidden)]
    pub state_key: Option<Hidden>,
    /// Keep the journal in SQLite alone: no copy and no lease in the bucket
    #[arg(long, env = "BLUEGREEN_NO_SHARED_STATE", global = true, value_parser = clap::builder::BoolishValueParser::new())]
    pub no_shared_state: bool,
    /// File of settings [default: bluegreen.toml in the working folder, where there is one]
    #[arg(
        long = "config",
        env = "BLUEGREEN_CONFIG",
        global = true,
        value_name = "FILE"
    )]
    pub config_file: Option<PathBuf>,
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
        default_value_t = 60.0,
        value_parser = speed
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

/// A text that does not show itself: it may hold a secret.
#[derive(Clone)]
pub struct Hidden(String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden")
    }
}

#[expect(clippy::unnecessary_wraps, reason = "clap asks for it")]
fn hidden(text: &str) -> Result<Hidden, Infallible> {
    Ok(Hidden(text.to_owned()))
}

/// What follows where nobody approves a pause in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Otherwise {
    /// It is held; before the first swap, where blue serves, it goes back
    #[default]
    Hold,
    /// It goes back
    Rollback,
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
    /// The tests over HTTP.
    pub tests: Vec<AcceptanceTest>,
    /// The command that tests further.
    pub test_command: Option<TestCommand>,
    /// Whether green is tested too.
    pub test_green: bool,
    /// The worst health that the operator takes for healthy.
    pub healthy: Health,
    /// Whether production is tested too after the swap back.
    pub test_production: bool,
    /// The operator's commands before and after the stages.
    pub hooks: Vec<Hook>,
    /// How long a pause waits for its approval.
    pub approval: Option<ApprovalLimit>,
    /// Whether a URL is asked for approvals.
    pub asks_approval: bool,
    /// What green may have otherwise than blue.
    pub expected_differences: Vec<String>,
    /// The names of the CloudWatch alarms that watch production, each once.
    pub alarms: Vec<String>,
    /// The preview hostnames that are asked for.
    pub preview: Option<Asked>,
    /// How many requests a minute an instance of a drained environment may get; none for what
    /// follows from blue's health checks.
    pub drain_requests: Option<u32>,
    /// Whether the operator has said how long any one state may take.
    pub patience_is_given: bool,
    /// The limits.
    pub limits: Limits,
}

/// The tests that a command names for a deployment that is under way, on its command line
/// alone: what a variable or the file says is the release's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedTests {
    tests: Option<Vec<AcceptanceTest>>,
    /// What passes a test of the plan that stays.
    expect_status: Option<Vec<u16>>,
    /// How long the answer to such a test may take.
    timeout: Option<Duration>,
    /// None within it where the command is taken away.
    command: Option<Option<TestCommand>>,
    /// How long the command of the plan may take, where that stays.
    command_limit: Option<Duration>,
    /// Whether production is tested too.
    production: Option<bool>,
    /// Whether green is tested too.
    green: Option<bool>,
}

impl NamedTests {
    /// Puts them in the place of what tests towards a goal in a plan; what is not named stays.
    pub fn replace(&self, plan: &mut Plan, goal: Goal) {
        let tests = self.tests.clone().unwrap_or_else(|| {
            let of_plan = plan.tests_towards(goal).into_iter().cloned();
            of_plan.map(|test| self.adjusted(test)).collect()
        });
        let command = match (&self.command, plan.command_towards(goal)) {
            (Some(command), _) => command.clone(),
            (None, None) => None,
            (None, Some(command)) => Some(TestCommand {
                limit: self.command_limit.unwrap_or(command.limit),
                ..command.clone()
            }),
        };
        let before = match (goal, &plan.tests_back) {
            (Goal::Previous, Some(back)) => back.production,
            (Goal::Release, _) | (Goal::Previous, None) => plan.test_production,
        };
        let production = self.production.unwrap_or(before);
        plan.test_green = self.green.unwrap_or(plan.test_green);
        match goal {
            Goal::Release => {
                plan.tests = tests;
                plan.test_command = command;
                plan.test_production = production;
            }
            Goal::Previous => {
                plan.tests_back = Some(TestsBack {
                    tests,
                    command,
                    production,
                });
            }
        }
    }

    /// A test of the plan, with what is named of it alone.
    fn adjusted(&self, test: AcceptanceTest) -> AcceptanceTest {
        AcceptanceTest {
            expect_status: self.expect_status.clone().unwrap_or(test.expect_status),
            timeout: self.timeout.unwrap_or(test.timeout),
            ..test
        }
    }
}

/// The limits that a command names for the rest of a deployment, on its command line alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedLimits {
    patience: Option<Duration>,
    patience_of: BTreeMap<String, Duration>,
    test_grace: Option<Duration>,
    drain: Option<Duration>,
    drain_limit: Option<Duration>,
    bake: Option<Duration>,
    poll: Option<Duration>,
}

impl NamedLimits {
    /// Puts them in the place of a plan's; what is not named stays. A patience that the plan
    /// computed itself gives way to one that is named for every state.
    pub fn replace(&self, limits: &mut Limits) {
        if let Some(patience) = self.patience {
            let computed = limits.rollout.limit;
            limits.patience = patience;
            limits.patience_of.retain(|_, own| *own != computed);
        }
        limits.patience_of.extend(self.patience_of.clone());
        for (limit, named) in [
            (&mut limits.test_grace, self.test_grace),
            (&mut limits.drain, self.drain),
            (&mut limits.drain_limit, self.drain_limit),
            (&mut limits.bake, self.bake),
            (&mut limits.poll, self.poll),
        ] {
            *limit = named.unwrap_or(*limit);
        }
    }
}

/// What a command names on its command line for a deployment that is under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// What tests it from now on.
    pub tests: Option<NamedTests>,
    /// The limits.
    pub limits: NamedLimits,
    /// Whether what somebody else has changed, for which it is held, is given up.
    pub discard_changes: bool,
    /// The hooks, which are to be those that its run was given.
    pub hooks: Option<Vec<Hook>>,
    /// The preview hostnames, which are to be those that its run was given.
    pub previews: Option<Asked>,
}

/// Whether a bucket may have this name (S3 user guide, "General purpose bucket naming rules": in
/// us-east-1 there are older ones with capitals and underscores, of up to 255 characters).
#[must_use]
pub fn is_bucket_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
    (3..=255).contains(&name.len()) && name.bytes().all(allowed) && !name.contains("..")
}

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
    /// A table is not of its form. Its values are not told: they may be secrets.
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
    /// [`ConfigError`] names the value, the flag and the remedy: the first that is wrong.
    pub fn config(&self) -> Result<Config, ConfigError> {
        let (config, wrong) = self.examined();
        wrong.into_iter().next().map_or(Ok(config), Err)
    }

    /// The configuration of a run, with stand-ins for what is wrong, and everything that is.
    #[must_use]
    pub fn examined(&self) -> (Config, Vec<ConfigError>) {
        let mut wrong = Vec::new();
        let mut required = |value: &Option<String>, what, flag, variable| {
            let value = value.clone().filter(|value| !value.trim().is_empty());
            value.unwrap_or_else(|| {
                wrong.push(ConfigError::Missing {
                    what,
                    flag,
                    variable,
                });
                "stand-in".to_owned()
            })
        };
        let app = required(&self.app, "the application", "--app", "BEANSTALK_APP_NAME");
        let blue = required(
            &self.blue,
            "the blue environment",
            "--blue",
            "BLUE_ENV_NAME",
        );
        let bucket = required(
            &self.bucket,
            "the artifacts bucket",
            "--bucket",
            "S3_ARTIFACTS_BUCKET",
        );
        if !is_bucket_name(&bucket) {
            let why = "a bucket's name has 3 to 255 letters, digits, dots, hyphens and underscores, \
                       without s3:// and without a path";
            wrong.push(invalid("--bucket", &bucket, why));
        }
        let green = given(&self.green).map_or_else(|| default_green(&blue), str::to_owned);
        wrong.extend(environment_name("--blue", &blue).err());
        // What follows from a name that is wrong already is not told again.
        if given(&self.green).is_some() || wrong.is_empty() {
            wrong.extend(environment_name("--green", &green).err());
        }
        if green == blue {
            let why = "green needs another name than blue";
            wrong.push(invalid("--green", &green, why));
        }
        let approve_url = self.approve_url();
        let asks_approval = !matches!(approve_url, Ok(None));
        wrong.extend(approve_url.err());
        wrong.extend(self.state_key().err());
        let tests = kept(self.tests(), &mut wrong);
        let hooks = kept(self.hooks(), &mut wrong);
        let preview = self.previews().unwrap_or_else(|error| {
            wrong.push(error);
            None
        });
        let config = Config {
            app,
            blue,
            green,
            bucket,
            shared_state: !self.no_shared_state,
            tests,
            test_command: self.command(),
            test_green: self.test_green,
            healthy: self.healthy.into(),
            // Only what reads is asked of production unbidden.
            test_production: self.test_production || self.test.is_empty(),
            hooks,
            approval: self.approve_limit.map(|limit| ApprovalLimit {
                limit,
                goes_back: self.approve_otherwise == Otherwise::Rollback,
            }),
            asks_approval,
            expected_differences: self.expect_difference.clone(),
            alarms: {
                let mut seen = std::collections::BTreeSet::new();
                let alarms = self.alarms.iter().filter(|name| seen.insert(*name));
                alarms.cloned().collect()
            },
            preview,
            drain_requests: self.drain_requests,
            patience_is_given: self.patience.is_some(),
            limits: Limits {
                poll: self.poll,
                drain: self.drain,
                drain_limit: self.drain_limit,
                accept_traffic_loss: self.accept_traffic_loss,
                drain_requests: self
                    .drain_requests
                    .unwrap_or(Limits::default().drain_requests),
                bake: self.bake,
                error_rise: self.error_rise,
                latency_rise: self.latency_rise,
                patience: self.patience.unwrap_or(Limits::default().patience),
                patience_of: self.patience_of(),
                quarantine: self.quarantine,
                test_grace: self.test_grace,
                ..Limits::default()
            },
        };
        (config, wrong)
    }
}

impl Options {
    fn patience_of(&self) -> BTreeMap<String, Duration> {
        let of_state = |(kind, patience): &(Kind, Duration)| (kind.to_string(), *patience);
        self.patience_of.iter().map(of_state).collect()
    }

    /// Where to ask for approval. It is given anew to every process, and no part of the
    /// plan.
    ///
    /// # Errors
    /// [`ConfigError`], without the URL.
    pub fn approve_url(&self) -> Result<Option<ApproveUrl>, ConfigError> {
        let given = self.approve_url.as_ref().filter(|url| !url.0.is_empty());
        let parsed = given.map(|url| url.0.parse()).transpose();
        parsed.map_err(|why| ConfigError::Table {
            place: "--approve-url".to_owned(),
            why,
        })
    }

    /// The key that authenticates the state in the bucket.
    ///
    /// # Errors
    /// [`ConfigError`], without the key.
    pub fn state_key(&self) -> Result<Option<StateKey>, ConfigError> {
        let given = self.state_key.as_ref().filter(|key| !key.0.is_empty());
        let parsed = given.map(|key| key.0.parse()).transpose();
        parsed.map_err(|why| ConfigError::Table {
            place: "--state-key".to_owned(),
            why,
        })
    }

    /// What the flags that `is_flag` knows by their ids name for a deployment that is under way.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn named(&self, is_flag: impl Fn(&str) -> bool) -> Result<Named, ConfigError> {
        let hooks = is_flag("hook").then(|| self.hooks().into_iter().collect());
        let previews = is_flag("preview_host") || is_flag("hosted_zone_id");
        Ok(Named {
            tests: self.named_tests(&is_flag)?,
            limits: self.named_limits(&is_flag),
            discard_changes: false,
            hooks: hooks.transpose()?,
            previews: previews.then(|| self.previews()).transpose()?.flatten(),
        })
    }

    /// What this command would itself run and send; what it says of previews is
    /// [`Options::previews`].
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn configured(&self) -> Result<Configured, ConfigError> {
        let target = given(&self.app).zip(given(&self.blue));
        Ok(Configured {
            target: target.map(|(app, blue)| (app.to_owned(), blue.to_owned())),
            hooks: self.hooks().into_iter().collect::<Result<_, _>>()?,
            commands: self.command().into_iter().collect(),
            tests: self.tests().into_iter().collect::<Result<_, _>>()?,
            previews: Vec::new(),
        })
    }

    /// The preview hostnames that are asked for.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn previews(&self) -> Result<Option<Asked>, ConfigError> {
        Ok(Asked::read(
            &self.preview_host,
            given(&self.hosted_zone_id),
        )?)
    }

    /// The hooks of `--hook` in their order.
    fn hooks(&self) -> Vec<Result<Hook, ConfigError>> {
        let of_table = |(number, text): (usize, &String)| {
            let checked = HookTable::inline(text).and_then(HookTable::check);
            checked.map_err(|why| ConfigError::Table {
                place: format!("--hook {}", number + 1),
                why,
            })
        };
        self.hook.iter().enumerate().map(of_table).collect()
    }

    /// The tests of a deployment that is under way, where any are named with the flags that
    /// `is_flag` knows by their ids.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn named_tests(
        &self,
        is_flag: impl Fn(&str) -> bool,
    ) -> Result<Option<NamedTests>, ConfigError> {
        let (url, test) = (is_flag("test_url"), is_flag("test"));
        let command = is_flag("test_command");
        if !TEST_FLAGS.into_iter().any(&is_flag) {
            return Ok(None);
        }
        let named = Options {
            test_url: self.test_url.clone().filter(|_| url),
            test: self.test.clone().into_iter().filter(|_| test).collect(),
            ..self.clone()
        };
        let tests = (url || test).then(|| named.tests().into_iter().collect::<Result<_, _>>());
        let tests = tests.transpose()?;
        let production = match (&tests, is_flag("test_production")) {
            (_, true) => Some(self.test_production),
            (Some(_), false) => Some(self.test_production || named.test.is_empty()),
            (None, false) => None,
        };
        Ok(Some(NamedTests {
            tests,
            expect_status: is_flag("expect_status").then(|| self.expect_status.clone()),
            timeout: is_flag("test_timeout").then_some(self.test_timeout),
            command: command.then(|| self.command()),
            command_limit: is_flag("test_command_timeout").then_some(self.test_command_timeout),
            production,
            green: is_flag("test_green").then_some(self.test_green),
        }))
    }

    /// The limits that are named with the flags that `is_flag` knows by their ids.
    #[must_use]
    pub fn named_limits(&self, is_flag: impl Fn(&str) -> bool) -> NamedLimits {
        let named = |id, limit| is_flag(id).then_some(limit);
        NamedLimits {
            patience: self.patience.filter(|_| is_flag("patience")),
            patience_of: match is_flag("patience_of") {
                true => self.patience_of(),
                false => BTreeMap::new(),
            },
            test_grace: named("test_grace", self.test_grace),
            drain: named("drain", self.drain),
            drain_limit: named("drain_limit", self.drain_limit),
            bake: named("bake", self.bake),
            poll: named("poll", self.poll),
        }
    }

    fn command(&self) -> Option<TestCommand> {
        given(&self.test_command).map(|command| TestCommand {
            command: command.to_owned(),
            limit: self.test_command_timeout,
        })
    }

    /// The tests of `--test` in their order, after the one of `--test-url`.
    fn tests(&self) -> Vec<Result<AcceptanceTest, ConfigError>> {
        let defaults = Defaults {
            expect_status: self.expect_status.clone(),
            timeout: self.test_timeout,
        };
        let url = given(&self.test_url).or(self.test.is_empty().then_some("/"));
        let of_url = |url| {
            let checked = TestTable::of_url(url).check(&defaults);
            checked.map_err(|why| ConfigError::Table {
                place: "--test-url".to_owned(),
                why: why.trim_start_matches("url: ").to_owned(),
            })
        };
        let of_table = |(number, text): (usize, &String)| {
            let checked = TestTable::inline(text).and_then(|table| table.check(&defaults));
            checked.map_err(|why| ConfigError::Table {
                place: format!("--test {}", number + 1),
                why,
            })
        };
        let tables = self.test.iter().enumerate().map(of_table);
        url.into_iter().map(of_url).chain(tables).collect()
    }
}

/// The ids of the flags that say what tests a deployment which is under way.
pub const TEST_FLAGS: [&str; 8] = [
    "test_url",
    "test",
    "expect_status",
    "test_timeout",
    "test_command",
    "test_command_timeout",
    "test_production",
    "test_green",
];

/// The ids of the flags that bound its waiting.
pub const LIMIT_FLAGS: [&str; 7] = [
    "patience",
    "patience_of",
    "test_grace",
    "drain",
    "drain_limit",
    "bake",
    "poll",
];

/// How many characters an environment's name has at most (API reference,
/// `CreateEnvironment`).
const NAME_MAX: usize = 40;
const GREEN: &str = "-green";

/// The name of green where none is given: `BLUE-green`. Where that is longer than a name may
/// be, blue's name is cut, and a digest of the whole keeps it apart from others that begin
/// alike: the same blue always gives the same green.
#[must_use]
pub fn default_green(blue: &str) -> String {
    let whole = format!("{blue}{GREEN}");
    if whole.chars().count() <= NAME_MAX {
        return whole;
    }
    let digest = Sha256::digest(blue.as_bytes());
    let digest: String = digest[..3]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let room = NAME_MAX - GREEN.len() - digest.len() - 1;
    let begin: String = blue.chars().take(room).collect();
    format!("{}-{digest}{GREEN}", begin.trim_end_matches('-'))
}

/// What is right; what is not is put with the rest of it.
fn kept<T>(found: Vec<Result<T, ConfigError>>, wrong: &mut Vec<ConfigError>) -> Vec<T> {
    let right = found.into_iter().filter_map(|one| match one {
        Ok(one) => Some(one),
        Err(error) => {
            wrong.push(error);
            None
        }
    });
    right.collect()
}

/// A value that is there: an empty variable is none, as CI systems set it.
fn given(value: &Option<String>) -> Option<&str> {
    value.as_deref().filter(|value| !value.is_empty())
}

/// Environment names: 4 to 40 letters, digits and hyphens, no hyphen at the
/// edges (API reference, `CreateEnvironment`).
fn environment_name(flag: &'static str, name: &str) -> Result<(), ConfigError> {
    if is_environment_name(name) {
        return Ok(());
    }
    let why =
        "an environment's name has 4 to 40 letters, digits and hyphens, and no hyphen at its edges";
    Err(invalid(flag, name, why))
}

fn invalid(flag: &'static str, value: &str, why: &str) -> ConfigError {
    ConfigError::Invalid {
        flag,
        value: value.to_owned(),
        why: why.to_owned(),
    }
}

/// The longest time between two looks.
const POLL_MAX: Duration = Duration::from_secs(5 * 60);

/// The shortest lease that is taken: three renewals, and room for a request.
const LEASE_MIN: Duration = Duration::from_secs(90);

fn poll(text: &str) -> Result<Duration, String> {
    let poll = duration(text)?;
    if poll < Duration::from_millis(100) {
        return Err("AWS must not be asked more often than every 100ms".to_owned());
    }
    if poll > POLL_MAX {
        return Err(format!(
            "what goes wrong must be seen: at most {}",
            humantime::format_duration(POLL_MAX)
        ));
    }
    Ok(poll)
}

/// One that is shorter than the default would let a request be repeated that may still
/// arrive.
fn quarantine(text: &str) -> Result<Duration, String> {
    let quarantine = duration(text)?;
    let least = Limits::default().quarantine;
    if quarantine < least {
        return Err(format!(
            "a request whose answer was lost may arrive for {}: at least that",
            humantime::format_duration(least)
        ));
    }
    Ok(quarantine)
}

/// The patience of one state, such as `Warming=10m`. States in which nothing is waited
/// for but an operator have none.
fn patience_of(text: &str) -> Result<(Kind, Duration), String> {
    let (state, patience) = text
        .split_once('=')
        .ok_or("write a state and its patience, such as Warming=10m")?;
    let kind: Result<Kind, serde::de::value::Error> =
        Kind::deserialize(state.trim().into_deserializer());
    let kind = kind.map_err(|e| e.to_string())?;
    match kind {
        Kind::AwaitingSwap
        | Kind::AwaitingCutover
        | Kind::Held
        | Kind::Completed
        | Kind::RolledBack
        | Kind::Stuck => Err(format!("{kind} waits for nothing that patience could end")),
        Kind::Preparing
        | Kind::Cloning
        | Kind::Warming
        | Kind::DeployingGreen
        | Kind::TestingGreen
        | Kind::SwappingToGreen
        | Kind::DrainingBlue
        | Kind::Deploying
        | Kind::AbortingDeploy
        | Kind::Testing
        | Kind::SwappingToBlue
        | Kind::Baking
        | Kind::ReturningToGreen
        | Kind::ReturningToBlue
        | Kind::TerminatingGreen
        | Kind::TerminatingBlue
        | Kind::Discarding => Ok((kind, limit(patience.trim())?)),
    }
}

/// What a difference between green and blue is called.
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

impl Config {
    /// What can be used and may not do what is meant, in words.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let words = humantime::format_duration;
        let (poll, within) = (self.limits.poll, self.limits.watch_within());
        let is_cut = |test: &&AcceptanceTest| {
            self.test_production && test.timeout > poll.max(within) && !self.limits.bake.is_zero()
        };
        let warning = |test: &AcceptanceTest| {
            format!(
                "the answer to {test} may take {}, which is longer than --poll ({}): while \
                 production is watched one that takes longer than {} counts as a failure, so \
                 that production is back within one --poll; give a longer --poll, or leave it \
                 out of --test-production",
                words(test.timeout),
                words(poll),
                words(within)
            )
        };
        let is_short = self.green == default_green(&self.blue)
            && self.green != format!("{}{GREEN}", self.blue);
        let shortened = is_short.then(|| {
            format!(
                "green is named {}: {}{GREEN} is longer than {NAME_MAX} characters; --green gives it \
                 another name",
                self.green, self.blue
            )
        });
        let cut = self.tests.iter().filter(is_cut).map(warning);
        shortened.into_iter().chain(cut).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::builder::Resettable;
    use clap::{CommandFactory, FromArgMatches, Parser};

    use super::*;

    /// The flags alone.
    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn the_defaults_of_the_flags_are_those_of_a_plan() {
        let flags = Flags::command().mut_args(|arg| arg.env(Resettable::Reset));
        let matches = flags.try_get_matches_from(["bluegreen"]);
        let flags = Flags::from_arg_matches(&matches.expect("nothing is required"));
        let (config, _) = flags.expect("they are values").options.examined();
        assert_eq!(config.limits, Limits::default());
    }

    #[test]
    fn greens_name_fits_and_is_blues_alone() {
        assert_eq!(default_green("shop-blue"), "shop-blue-green");
        let edge = "a".repeat(34);
        assert_eq!(default_green(&edge), format!("{edge}-green"));
        let mut seen = std::collections::BTreeSet::new();
        for blue in [
            "a".repeat(35),
            "a".repeat(40),
            format!("{}-b", "a".repeat(38)),
            format!("{}-{}", "a".repeat(26), "b".repeat(13)),
        ] {
            let green = default_green(&blue);
            assert_eq!(environment_name("--green", &green), Ok(()), "{green}");
            assert!(green.ends_with("-green"), "{green}");
            assert_eq!(green, default_green(&blue));
            assert!(seen.insert(green), "{blue}");
        }
    }

    #[test]
    fn names_are_checked_with_their_place_and_remedy() {
        for (flag, name) in [
            ("--blue", "abc"),
            ("--green", "-shop"),
            ("--blue", "a_b_c_d"),
        ] {
            let error = environment_name(flag, name).unwrap_err().to_string();
            assert!(error.contains(flag) && error.contains(name), "{error}");
        }
        assert!(environment_name("--blue", "shop-blue").is_ok());
    }

    #[test]
    fn durations_need_a_unit() {
        assert!(duration("60").unwrap_err().contains("60s"));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert!(poll("1ms").is_err());
        assert!(duration("580000000000years").is_err());
    }

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

    /// What the plan has computed from a deployment policy is no word of an operator's.
    #[test]
    fn limits_that_are_named_later_win() {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        let mut limits = Limits::default();
        limits.rollout.limit = minutes(52);
        let own = [("Deploying", 52), ("Warming", 10)];
        limits.patience_of = own.map(|(kind, n)| (kind.to_owned(), minutes(n))).into();
        let mut named = NamedLimits::default();
        let before = limits.clone();
        named.replace(&mut limits);
        assert_eq!(limits, before);
        named.patience_of = [("Baking".to_owned(), minutes(7))].into();
        named.replace(&mut limits);
        assert_eq!(limits.patience_of.len(), 3);
        named.patience = Some(minutes(20));
        named.replace(&mut limits);
        assert_eq!(limits.patience, minutes(20));
        let left: Vec<_> = limits.patience_of.into_iter().collect();
        let wanted = [("Baking", 7), ("Warming", 10)];
        let wanted = wanted.map(|(kind, n)| (kind.to_owned(), minutes(n)));
        assert_eq!(left, wanted);
    }

    #[test]
    fn patience_is_of_states_that_wait() {
        let ten_minutes = Duration::from_secs(600);
        assert_eq!(patience_of("Warming=10m"), Ok((Kind::Warming, ten_minutes)));
        assert_eq!(
            patience_of(" Baking = 10m"),
            Ok((Kind::Baking, ten_minutes))
        );
        for (text, words) in [
            ("Warming", "such as Warming=10m"),
            ("Warmin=10m", "expected one of `Preparing`"),
            ("Warming=10", "such as 500ms"),
            ("Held=10m", "Held waits for nothing"),
        ] {
            let why = patience_of(text).unwrap_err();
            assert!(why.contains(words), "{text}: {why}");
        }
    }
}
