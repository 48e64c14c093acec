//! What a command names, on its command line alone, for a deployment that is under way.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::ConfigError;
use super::options::Options;
use super::test_flags::TestFlags;
use crate::acceptance::{AcceptanceTest, TestCommand};
use crate::hooks::Hook;
use crate::plan::{Goal, Limits, Plan, TestsBack};
use crate::preview::Asked;
use crate::receivers::Receiver;

/// What a command names on its command line for a deployment that is under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// What tests it from now on.
    pub tests: Option<NamedTests>,
    /// The limits that it names.
    pub limits: NamedLimits,
    /// Whether the outside change for which it is held is given up.
    pub discard_changes: bool,
    /// The hooks, which must be those that its run was given.
    pub hooks: Option<Vec<Hook>>,
    /// The receivers of messages, which must be those that its run was given.
    pub receivers: Option<Vec<Receiver>>,
    /// The preview hostnames, which must be those that its run was given.
    pub previews: Option<Asked>,
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
    /// `Some(None)` where the command is taken away.
    command: Option<Option<TestCommand>>,
    /// How long the command of the plan may take, where that stays.
    command_limit: Option<Duration>,
    /// Whether production is tested too.
    production: Option<bool>,
    /// Whether green is tested too.
    green: Option<bool>,
}

impl NamedTests {
    /// Replaces what tests towards a goal in a plan; what is not named stays.
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
            (Goal::Release, _) | (Goal::Previous, None) => plan.wishes.test_production,
        };
        let production = self.production.unwrap_or(before);
        plan.wishes.test_green = self.green.unwrap_or(plan.wishes.test_green);
        match goal {
            Goal::Release => {
                plan.wishes.tests = tests;
                plan.wishes.test_command = command;
                plan.wishes.test_production = production;
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
    /// The other ones by the ids of their flags.
    durations: BTreeMap<&'static str, Duration>,
}

impl NamedLimits {
    /// The limits among these that are named with flags whose ids `is_flag` accepts.
    fn of(mut limits: Limits, is_flag: impl Fn(&str) -> bool) -> NamedLimits {
        let durations = DURATIONS.iter().filter(|(id, _)| is_flag(id));
        NamedLimits {
            durations: durations
                .map(|(id, limit)| (*id, *limit(&mut limits)))
                .collect(),
            patience: is_flag(PATIENCE).then_some(limits.patience),
            patience_of: match is_flag(PATIENCE_OF) {
                true => limits.patience_of,
                false => BTreeMap::new(),
            },
        }
    }

    /// Replaces the limits of a plan; what is not named stays. A timeout that the plan computed
    /// itself gives way to one that is named for every state.
    pub fn replace(&self, limits: &mut Limits) {
        if let Some(patience) = self.patience {
            let computed = limits.rollout.limit;
            limits.patience = patience;
            limits.patience_of.retain(|_, own| *own != computed);
        }
        limits.patience_of.extend(self.patience_of.clone());
        for (id, limit) in DURATIONS {
            if let Some(named) = self.durations.get(id) {
                *limit(limits) = *named;
            }
        }
    }
}

/// The flag of the timeout of every state.
const PATIENCE: &str = "patience";
/// The flag of the timeout of single states.
const PATIENCE_OF: &str = "patience_of";

/// Which of the limits.
type LimitOf = fn(&mut Limits) -> &mut Duration;

/// The other limits that a command can name, each by its flag's id.
const DURATIONS: [(&str, LimitOf); 5] = [
    ("test_grace", |limits| &mut limits.test_grace),
    ("drain", |limits| &mut limits.drain),
    ("drain_limit", |limits| &mut limits.drain_limit),
    ("bake", |limits| &mut limits.bake),
    ("poll", |limits| &mut limits.poll),
];

/// The ids of the flags that limit the waits of a deployment which is under way.
fn limit_flags() -> impl Iterator<Item = &'static str> {
    let durations = DURATIONS.iter().map(|(id, _)| *id);
    [PATIENCE, PATIENCE_OF].into_iter().chain(durations)
}

/// Whether a flag, by its id, says what tests a deployment that is under way, or limits its waits.
#[must_use]
pub fn is_named_under_way(id: &str) -> bool {
    TEST_FLAGS.contains(&id) || limit_flags().any(|flag| flag == id)
}

impl Options {
    /// What the flags that `is_flag` knows by their ids name for a deployment that is under way.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn named(&self, is_flag: impl Fn(&str) -> bool) -> Result<Named, ConfigError> {
        let hooks = is_flag("hook").then(|| self.hooks().into_iter().collect());
        let receivers = is_flag("notify").then(|| self.receivers().into_iter().collect());
        let previews = is_flag("preview_host") || is_flag("hosted_zone_id");
        Ok(Named {
            tests: self.named_tests(&is_flag)?,
            limits: NamedLimits::of(self.limits(), &is_flag),
            discard_changes: false,
            hooks: hooks.transpose()?,
            receivers: receivers.transpose()?,
            previews: previews.then(|| self.previews()).transpose()?.flatten(),
        })
    }

    /// The tests of a deployment that is under way, where any are named with the flags that
    /// `is_flag` knows by their ids.
    ///
    /// # Errors
    /// [`ConfigError`].
    fn named_tests(
        &self,
        is_flag: impl Fn(&str) -> bool,
    ) -> Result<Option<NamedTests>, ConfigError> {
        let (url, test) = (is_flag("test_url"), is_flag("test"));
        let command = is_flag("test_command");
        if !TEST_FLAGS.into_iter().any(&is_flag) {
            return Ok(None);
        }
        let flags = &self.tests;
        let named = TestFlags {
            test_url: flags.test_url.clone().filter(|_| url),
            test: flags.test.clone().into_iter().filter(|_| test).collect(),
            ..flags.clone()
        };
        let tests = (url || test).then(|| named.tests().into_iter().collect::<Result<_, _>>());
        let tests = tests.transpose()?;
        let production = match (&tests, is_flag("test_production")) {
            (_, true) => Some(flags.test_production),
            (Some(_), false) => Some(flags.test_production || named.test.is_empty()),
            (None, false) => None,
        };
        Ok(Some(NamedTests {
            tests,
            expect_status: is_flag("expect_status").then(|| flags.expect_status.clone()),
            timeout: is_flag("test_timeout").then_some(flags.test_timeout),
            command: command.then(|| flags.command()),
            command_limit: is_flag("test_command_timeout").then_some(flags.test_command_timeout),
            production,
            green: is_flag("test_green").then_some(flags.test_green),
        }))
    }
}

/// The ids of the flags that say what tests a deployment which is under way.
const TEST_FLAGS: [&str; 8] = [
    "test_url",
    "test",
    "expect_status",
    "test_timeout",
    "test_command",
    "test_command_timeout",
    "test_production",
    "test_green",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The help text is written, not generated.
    #[test]
    fn the_help_of_resume_names_every_limit_that_it_takes() {
        let command = crate::cli::definition();
        let resume = command.find_subcommand("resume").expect("it is there");
        let help = resume.get_after_help().expect("it has one").to_string();
        for id in limit_flags() {
            let flag = format!("--{}", id.replace('_', "-"));
            let is_named = [",", ")"]
                .iter()
                .any(|end| help.contains(&format!("{flag}{end}")));
            assert!(is_named, "{flag}: {help}");
        }
    }

    /// What the plan has computed from a deployment policy is no setting of an operator's.
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
        named = NamedLimits::of(limits.clone(), |id| id == "drain");
        assert_eq!(named.durations, [("drain", limits.drain)].into());
        let left: Vec<_> = limits.patience_of.into_iter().collect();
        let wanted = [("Baking", 7), ("Warming", 10)];
        let wanted = wanted.map(|(kind, n)| (kind.to_owned(), minutes(n)));
        assert_eq!(left, wanted);
    }
}
