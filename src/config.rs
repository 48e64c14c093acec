//! Flags, variables and the file, parsed once into values that cannot be wrong.
//!
//! A setting is declared by `plan::Wishes`, and its flag by [`Options`]. Its variable, its key in
//! the file, the output of `config show` and the table of the documentation are read off the flag.

mod approval_flags;
mod ci_flags;
mod error;
pub mod file;
pub mod fleet;
mod given;
mod green_name;
mod hidden;
pub mod keys;
pub mod layers;
mod limit_flags;
pub(crate) mod lines;
mod named;
mod options;
pub mod redaction;
mod test_flags;

pub use approval_flags::{ApprovalFlags, Otherwise};
pub use ci_flags::{CiFlags, DetachAt, OutputFlag, OutputFormat};
pub use error::{ConfigError, Required};
pub use green_name::default_green;
pub use hidden::Hidden;
pub use limit_flags::LimitFlags;
pub use named::{Named, NamedLimits, NamedTests, is_named_under_way};
pub use options::{Color, EMBEDDED, Healthy, LogFormat, Options};
pub use test_flags::TestFlags;

use error::invalid;
use given::given;
use green_name::{GREEN, NAME_MAX};

use crate::acceptance::AcceptanceTest;
use crate::plan::{ProbeOfProduction, Wishes, is_environment_name};
use crate::preview::Asked;
use crate::trust::Configured;

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
    /// Whether the bucket holds a copy of the journal and the lock.
    pub shared_state: bool,
    /// The preview hostnames that the flags name.
    pub preview: Option<Asked>,
    /// How many requests a minute an instance of a drained environment may get; `None` for the
    /// number that follows from blue's health checks.
    pub drain_requests: Option<u32>,
    /// Whether the operator has set the timeout of any state.
    pub patience_is_given: bool,
    /// Whether the process ends at a pause instead of waiting there for an approval.
    pub detaches: bool,
    /// Every setting that the plan keeps as it is.
    pub wishes: Wishes,
}

/// Whether a bucket may have this name (S3 user guide, "General purpose bucket naming rules": in
/// us-east-1 there are older ones with capitals and underscores, of up to 255 characters).
#[must_use]
pub fn is_bucket_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
    (3..=255).contains(&name.len()) && name.bytes().all(allowed) && !name.contains("..")
}

impl Options {
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
        let mut missing = Vec::new();
        let mut required = |value: &Option<String>, what, flag, variable| {
            let value = value.clone().filter(|value| !value.trim().is_empty());
            value.unwrap_or_else(|| {
                missing.push(Required {
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
        if !missing.is_empty() {
            wrong.push(ConfigError::Missing(missing));
        }
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
        let approve_url = self.approval.url();
        let asks_approval = !matches!(approve_url, Ok(None));
        wrong.extend(approve_url.err());
        wrong.extend(self.state_key().err());
        let tests = kept(self.tests.tests(), &mut wrong);
        let probe = given(&self.probe).map(|path| ProbeOfProduction::of(path, &tests));
        let wishes = Wishes {
            healthy: self.healthy.into(),
            probe,
            reports_to_bucket: self.report_to_bucket,
            tests,
            test_command: self.tests.command(),
            test_green: self.tests.test_green,
            // Only what reads is asked of production unbidden.
            test_production: self.tests.test_production || self.tests.test.is_empty(),
            hooks: kept(self.hooks(), &mut wrong),
            notify: kept(self.receivers(), &mut wrong),
            asks_approval,
            approval: self.approval.limit(),
            expected_differences: self.expect_difference.clone(),
            alarms: self.alarms(),
            limits: self.limits(),
        };
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
            preview,
            drain_requests: self.limits.drain_requests,
            patience_is_given: self.limits.patience.is_some(),
            detaches: self.ci.detach_at.is_some(),
            wishes,
        };
        (config, wrong)
    }

    /// What this command itself would run and send. For previews see [`Options::previews`].
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn configured(&self) -> Result<Configured, ConfigError> {
        let target = given(&self.app).zip(given(&self.blue));
        Ok(Configured {
            target: target.map(|(app, blue)| (app.to_owned(), blue.to_owned())),
            hooks: self.hooks().into_iter().collect::<Result<_, _>>()?,
            receivers: self.receivers().into_iter().collect::<Result<_, _>>()?,
            commands: self.tests.command().into_iter().collect(),
            tests: self.tests.tests().into_iter().collect::<Result<_, _>>()?,
            previews: Vec::new(),
        })
    }
}

/// The values that are right; the errors of the others are added to `wrong`.
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

impl Config {
    /// Warnings, in words: settings that are valid but may not do what the operator means.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let words = humantime::format_duration;
        let (wishes, limits) = (&self.wishes, &self.wishes.limits);
        let (poll, within) = (limits.poll, limits.watch_within());
        let is_cut = |test: &&AcceptanceTest| {
            wishes.test_production && test.timeout > poll.max(within) && !limits.bake.is_zero()
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
        let cut = wishes.tests.iter().filter(is_cut).map(warning);
        shortened.into_iter().chain(cut).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::builder::Resettable;
    use clap::{CommandFactory, FromArgMatches, Parser};

    use super::*;
    use crate::plan::Limits;

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
        assert_eq!(config.wishes.limits, Limits::default());
        assert_eq!(config.wishes, Wishes::default());
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
}
