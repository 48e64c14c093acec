//! The operator's commands before and after the stages of a deployment, as data: which
//! there are, which are due, and what they read. Pure.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::acceptance::On;
use crate::command::Run;
use crate::machine::kind::Kind;
use crate::plan::goal::Goal;
use crate::table::{duration, inline};

/// One command at one place of the way.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hook {
    /// Before or after the stage.
    pub when: When,
    /// The stage.
    pub stage: Kind,
    /// What `sh -c` runs.
    pub command: String,
    /// What it means where the command fails.
    pub on_failure: OnFailure,
    /// How long it may take.
    pub limit: Duration,
    /// Towards which versions it runs; none for what its stage suggests.
    #[serde(default)]
    pub on: Option<On>,
}

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// Before anything of the stage is done.
    Before,
    /// When the stage has been left on its way forward.
    After,
}

/// What a failing hook means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// The deployment rolls back.
    Rollback,
    /// The deployment is held; users are on green.
    Hold,
    /// bluegreen logs the failure and does nothing else.
    Ignore,
}

/// A change from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The state that is left; none at the begin of a deployment.
    pub from: Option<Kind>,
    /// The state that is entered.
    pub to: Kind,
}

/// A hook as it is written, with dashes in its keys. Unknown keys are refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HookTable {
    when: When,
    stage: String,
    command: String,
    on_failure: OnFailure,
    limit: Option<String>,
    on: Option<On>,
}

/// The variables that a hook gets: the deployment's id, `before` or `after`, and the stage.
/// None of them is one that a flag takes, so that a hook may run this program too.
pub const VARIABLES: [&str; 3] = ["BLUEGREEN_ID", "BLUEGREEN_HOOK_WHEN", "BLUEGREEN_STAGE"];

/// How long a hook may take that does not say it.
const LIMIT: Duration = Duration::from_secs(5 * 60);

impl HookTable {
    /// The table of a flag, such as
    /// `{ when = "before", stage = "swapping-to-blue", command = "…", on-failure = "hold" }`.
    ///
    /// # Errors
    /// What is wrong with it, in words that name no value.
    pub fn inline(text: &str) -> Result<HookTable, String> {
        inline(text)
    }

    /// The hook, where it is one.
    ///
    /// # Errors
    /// The key, what is wrong with it and what would be right.
    pub fn check(self) -> Result<Hook, String> {
        let stage = stage(&self.stage)?;
        if self.command.trim().is_empty() {
            return Err("command: there is none".to_owned());
        }
        let limit = match self.limit {
            Some(text) => duration(&text).map_err(|why| format!("limit: {why}"))?,
            None => LIMIT,
        };
        if limit.is_zero() {
            return Err("limit: nothing is done in no time".to_owned());
        }
        if self.when == When::After && is_end(stage) {
            return Err(format!(
                "when: nothing comes after {}; write when = \"before\"",
                dashed(stage)
            ));
        }
        let hook = Hook {
            when: self.when,
            stage,
            command: self.command,
            on_failure: self.on_failure,
            limit,
            on: self.on,
        };
        let possible = hook.possible();
        if possible.contains(&hook.on_failure) {
            return Ok(hook);
        }
        let words: Vec<_> = possible.iter().map(|p| format!("\"{p}\"")).collect();
        Err(format!(
            "on-failure: {hook} there is no way to {}; write {}",
            hook.on_failure,
            words.join(" or ")
        ))
    }
}

/// The stage of this name, as in `swapping-to-blue` or `SwappingToBlue`.
fn stage(name: &str) -> Result<Kind, String> {
    let plain = |name: &str| name.replace(['-', '_'], "").to_ascii_lowercase();
    let found = Kind::ALL
        .iter()
        .find(|kind| plain(&kind.to_string()) == plain(name));
    found.copied().ok_or_else(|| {
        let known: Vec<_> = Kind::ALL.iter().map(|kind| dashed(*kind)).collect();
        format!("stage: {name:?} is none; there are {}", known.join(", "))
    })
}

/// The name of a state with dashes, as in `swapping-to-blue`.
fn dashed(kind: Kind) -> String {
    let mut dashed = String::new();
    for c in kind.to_string().chars() {
        if c.is_ascii_uppercase() && !dashed.is_empty() {
            dashed.push('-');
        }
        dashed.push(c.to_ascii_lowercase());
    }
    dashed
}

fn is_end(kind: Kind) -> bool {
    kind.is_end()
}

impl Hook {
    /// What its failure can mean at its place. A held deployment has its users on green; where the
    /// deployment is held, rolling back or at an end, bluegreen can only log the failure.
    fn possible(&self) -> &'static [OnFailure] {
        use OnFailure::{Hold, Ignore, Rollback};
        match (self.stage, self.when) {
            // Green does not serve yet.
            (
                Kind::Preparing
                | Kind::Cloning
                | Kind::Warming
                | Kind::DeployingGreen
                | Kind::TestingGreen
                | Kind::AwaitingSwap,
                _,
            )
            | (Kind::SwappingToGreen, When::Before) => &[Rollback, Ignore],
            (Kind::SwappingToGreen, When::After)
            | (
                Kind::DrainingBlue
                | Kind::Deploying
                | Kind::Testing
                | Kind::AwaitingCutover
                | Kind::SwappingToBlue
                | Kind::Baking,
                _,
            )
            | (Kind::TerminatingGreen, When::Before) => &[Rollback, Hold, Ignore],
            (Kind::TerminatingGreen, When::After)
            | (
                Kind::AbortingDeploy
                | Kind::ReturningToGreen
                | Kind::ReturningToBlue
                | Kind::TerminatingBlue
                | Kind::Held
                | Kind::Discarding
                | Kind::Completed
                | Kind::RolledBack
                | Kind::Stuck,
                _,
            ) => &[Ignore],
        }
    }

    /// Whether it runs while the deployment works towards this version. On the way to the previous
    /// one the stages of a release come again, and its hooks do not unless they say so: a migration
    /// must not run during the rollback from its own failure.
    fn runs_towards(&self, goal: Goal) -> bool {
        let on = self.on.unwrap_or(match self.stage {
            Kind::Preparing
            | Kind::Cloning
            | Kind::Warming
            | Kind::DeployingGreen
            | Kind::TestingGreen
            | Kind::AwaitingSwap
            | Kind::SwappingToGreen
            | Kind::DrainingBlue
            | Kind::Deploying
            | Kind::Testing
            | Kind::AwaitingCutover
            | Kind::SwappingToBlue
            | Kind::Baking
            | Kind::TerminatingGreen
            | Kind::TerminatingBlue
            | Kind::Completed => On::Release,
            Kind::AbortingDeploy
            | Kind::ReturningToGreen
            | Kind::ReturningToBlue
            | Kind::Held
            | Kind::Discarding
            | Kind::RolledBack
            | Kind::Stuck => On::Always,
        });
        on == On::Always || goal == Goal::Release
    }

    /// The command with what it gets: `document` on its standard input, and the place and
    /// the deployment's id in its environment.
    #[must_use]
    pub fn run(&self, id: &str, document: &Value) -> Run {
        let values = [id.to_owned(), self.when.to_string(), self.stage.to_string()];
        let names = VARIABLES.map(str::to_owned);
        Run {
            command: self.command.clone(),
            variables: names.into_iter().zip(values).collect(),
            input: format!("{document}\n").into_bytes(),
            limit: self.limit,
            ..Run::default()
        }
    }
}

/// The hooks that are due at a change of state, in the order in which they run: those after the old
/// state, then those before the new one; of each in the order in which they are written.
///
/// A stage that is left for Held, Discarding, AbortingDeploy, ReturningToGreen, ReturningToBlue or
/// Stuck was given up: the hooks after it do not run. `goal` is the version that the deployment
/// works towards after the change.
pub fn due(hooks: &[Hook], passage: Passage, goal: Goal) -> impl Iterator<Item = &Hook> {
    let given_up = matches!(
        passage.to,
        Kind::Held
            | Kind::Discarding
            | Kind::AbortingDeploy
            | Kind::ReturningToGreen
            | Kind::ReturningToBlue
            | Kind::Stuck
    );
    let at = move |when, stage: Option<Kind>| {
        hooks
            .iter()
            .filter(move |hook| hook.when == when && Some(hook.stage) == stage)
            .filter(move |hook| hook.runs_towards(goal))
    };
    let after = at(When::After, passage.from.filter(|_| !given_up));
    after.chain(at(When::Before, Some(passage.to)))
}

/// What a hook reads on its standard input: a stable, versioned document. `deployment` is
/// one of `status --json`, as it is before the change.
#[must_use]
pub fn document(hook: &Hook, passage: Passage, deployment: &Value) -> Value {
    json!({
        "version": 1,
        "hook": { "when": hook.when, "stage": hook.stage.to_string() },
        "transition": {
            "from": passage.from.map(|kind| kind.to_string()),
            "to": passage.to.to_string(),
        },
        "deployment": deployment,
    })
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            When::Before => "before",
            When::After => "after",
        })
    }
}

impl fmt::Display for OnFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OnFailure::Rollback => "rollback",
            OnFailure::Hold => "hold",
            OnFailure::Ignore => "ignore",
        })
    }
}

/// Where it stands, as in `before Testing`: what its output is kept under.
impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.when, self.stage)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use bluegreen_testing::garbled::garbled_text;

    const TABLE: &str = r#"{ when = "before", stage = "swapping-to-blue", command = "./migrate",
        on-failure = "hold", limit = "5m", on = "release" }"#;

    proptest! {
        #[test]
        fn a_garbled_table_is_a_hook_or_an_error(table in garbled_text(TABLE)) {
            if let Ok(hook) = read(&table) {
                prop_assert!(!hook.command.trim().is_empty() && !hook.limit.is_zero());
            }
        }
    }

    fn read(text: &str) -> Result<Hook, String> {
        HookTable::inline(text)?.check()
    }

    fn hook(when: &str, stage: &str, command: &str) -> Hook {
        let text = format!(
            "{{ when = \"{when}\", stage = \"{stage}\", command = \"{command}\", on-failure = \"ignore\" }}"
        );
        read(&text).expect("a hook")
    }

    #[test]
    fn a_table_is_a_hook() {
        let text = r#"{ when = "before", stage = "swapping-to-blue", command = "make migrate",
                        on-failure = "hold", limit = "20m", on = "always" }"#;
        let expected = Hook {
            when: When::Before,
            stage: Kind::SwappingToBlue,
            command: "make migrate".to_owned(),
            on_failure: OnFailure::Hold,
            limit: Duration::from_secs(1200),
            on: Some(On::Always),
        };
        assert_eq!(read(text), Ok(expected.clone()));
        let kept = serde_json::to_string(&expected).expect("JSON");
        assert_eq!(
            serde_json::from_str::<Hook>(&kept).expect("a hook"),
            expected
        );
        assert_eq!(hook("after", "Testing", "true").limit, LIMIT);
        for kind in Kind::ALL {
            assert_eq!(stage(&kind.to_string()), Ok(kind));
            assert_eq!(stage(&dashed(kind)), Ok(kind));
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_key_and_remedy() {
        let with = |when: &str, stage: &str, on_failure: &str, rest: &str| {
            format!(
                "{{ when = \"{when}\", stage = \"{stage}\", on-failure = \"{on_failure}\", {rest} }}"
            )
        };
        let command = "command = \"true\"";
        for (text, words) in [
            (
                with("during", "testing", "hold", command),
                "unknown variant",
            ),
            (
                with("before", "tea", "hold", command),
                "stage: \"tea\" is none; there are preparing",
            ),
            (
                with("before", "testing", "retry", command),
                "unknown variant",
            ),
            (
                with("before", "testing", "hold", "command = \" \""),
                "command: there is none",
            ),
            (
                with("before", "testing", "hold", "run = \"true\""),
                "unknown field `run`",
            ),
            (
                with(
                    "before",
                    "testing",
                    "hold",
                    "command = \"a\", limit = \"5\"",
                ),
                "limit: ",
            ),
            (
                with(
                    "before",
                    "testing",
                    "hold",
                    "command = \"a\", limit = \"0s\"",
                ),
                "limit: nothing is done",
            ),
            (
                with("after", "completed", "ignore", command),
                "when: nothing comes after completed",
            ),
            (
                with("before", "completed", "rollback", command),
                "on-failure: before Completed there is no way to rollback; write \"ignore\"",
            ),
            (
                with("after", "warming", "hold", command),
                "on-failure: after Warming there is no way to hold; write \"rollback\" or \"ignore\"",
            ),
            ("{ when = \"before\" }".to_owned(), "missing field"),
        ] {
            let error = read(&text).expect_err(&text);
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn those_after_come_before_those_before_and_none_after_a_stage_given_up() {
        let hooks = [
            hook("before", "testing", "1"),
            hook("after", "deploying", "2"),
            hook("before", "testing", "3"),
            hook("after", "testing", "4"),
            hook("before", "held", "5"),
            hook("before", "preparing", "6"),
        ];
        let due = |from, to| {
            let due = due(&hooks, Passage { from, to }, Goal::Release);
            due.map(|hook| hook.command.as_str())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(due(Some(Kind::Deploying), Kind::Testing), "2 1 3");
        assert_eq!(due(Some(Kind::Testing), Kind::SwappingToBlue), "4");
        assert_eq!(due(Some(Kind::Testing), Kind::Held), "5");
        assert_eq!(due(Some(Kind::Deploying), Kind::AbortingDeploy), "");
        assert_eq!(due(None, Kind::Preparing), "6");
        assert_eq!(due(Some(Kind::Cloning), Kind::Warming), "");
    }

    #[test]
    fn on_the_way_back_the_hooks_of_the_release_do_not_run_unless_they_say_so() {
        let runs = |hook: &Hook, goal| {
            let passage = Passage {
                from: None,
                to: hook.stage,
            };
            due(std::slice::from_ref(hook), passage, goal).count() == 1
        };
        let release = hook("before", "deploying", "./migrate expand");
        assert!(runs(&release, Goal::Release) && !runs(&release, Goal::Previous));
        // A journal that was written before hooks said so.
        let mut kept = serde_json::to_value(&release).expect("JSON");
        kept.as_object_mut().expect("a table").remove("on");
        let kept: Hook = serde_json::from_value(kept).expect("a hook");
        assert_eq!(kept, release);
        let told = hook("before", "rolled-back", "./tell");
        assert!(runs(&told, Goal::Previous));
        for (on, back) in [(On::Always, true), (On::Release, false)] {
            let hook = Hook {
                on: Some(on),
                ..release.clone()
            };
            assert_eq!(runs(&hook, Goal::Previous), back, "{on:?}");
            assert!(runs(&hook, Goal::Release), "{on:?}");
        }
    }
}
