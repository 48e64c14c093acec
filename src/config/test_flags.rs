//! The flags of the tests.

use std::time::Duration;

use clap::{ArgAction, Args};

use super::error::ConfigError;
use super::given::given;
use super::limit_flags::in_units;
use crate::acceptance::{AcceptanceTest, Defaults, TestCommand, TestTable};
use crate::plan::Limits;
use crate::table::{duration, limit};

/// What is tested, and how.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct TestFlags {
    /// What to test: a path on the environment's own CNAME, or a whole URL [default: /]
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
    /// Status codes that pass a test without expect-status [default: 200 to 299]
    #[arg(long, env = "BLUEGREEN_EXPECT_STATUS", global = true, value_name = "CODES", value_delimiter = ',',
          value_parser = clap::value_parser!(u16).range(100..=599))]
    pub expect_status: Vec<u16>,
    /// Default timeout of a test
    #[arg(long, env = "BLUEGREEN_TEST_TIMEOUT", global = true, value_name = "DURATION", default_value = "10s", value_parser = limit)]
    pub test_timeout: Duration,
    /// How long after a deploy or a launch failing tests do not count while the environment is
    /// unhealthy
    #[arg(long, env = "BLUEGREEN_TEST_GRACE", global = true, value_name = "DURATION", default_value = in_units(Limits::default().test_grace), value_parser = duration)]
    pub test_grace: Duration,
    /// Test command, which runs once every test has passed; exit code 0 passes
    #[arg(
        long,
        env = "BLUEGREEN_TEST_COMMAND",
        global = true,
        value_name = "COMMAND"
    )]
    pub test_command: Option<String>,
    /// Timeout of the test command
    #[arg(long, env = "BLUEGREEN_TEST_COMMAND_TIMEOUT", global = true, value_name = "DURATION", default_value = "10m", value_parser = limit)]
    pub test_command_timeout: Duration,
    /// Test green before it takes production; --test-green=false skips that
    #[arg(long, env = "BLUEGREEN_TEST_GREEN", global = true, action = ArgAction::Set, value_name = "BOOL",
          num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "true", hide_default_value = true, hide_possible_values = true,
          value_parser = clap::builder::BoolishValueParser::new())]
    pub test_green: bool,
    /// Send every --test to production too during the bake; a single --test-url always continues
    /// there
    #[arg(long, env = "BLUEGREEN_TEST_PRODUCTION", global = true, value_parser = clap::builder::BoolishValueParser::new())]
    pub test_production: bool,
}

impl TestFlags {
    /// The test command.
    pub(super) fn command(&self) -> Option<TestCommand> {
        given(&self.test_command).map(|command| TestCommand {
            command: command.to_owned(),
            limit: self.test_command_timeout,
        })
    }

    /// The tests of `--test` in their order, after the one of `--test-url`.
    pub(super) fn tests(&self) -> Vec<Result<AcceptanceTest, ConfigError>> {
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
