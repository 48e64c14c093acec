//! Whose word a plan's commands and requests are. Pure.
//!
//! Whoever may write to the artifacts bucket may write a deployment's copy there. What such a copy
//! runs on this machine, what it sends that holds a variable of this machine or goes elsewhere
//! than to the deployment's environments, and which records it changes, is done only where the
//! runner's own configuration or its own journal says the same. docs/security.md has the whole.

use thiserror::Error;

use crate::acceptance::{AcceptanceTest, TestCommand};
use crate::hooks::Hook;
use crate::machine::{Cause, State};
use crate::plan::Plan;
use crate::preview::Wanted;
use crate::table::{foreign, short};

/// What this machine says itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configured {
    /// The operator's commands before and after the stages.
    pub hooks: Vec<Hook>,
    /// The commands that test.
    pub commands: Vec<TestCommand>,
    /// The tests over HTTP.
    pub tests: Vec<AcceptanceTest>,
    /// The hosted zones and hostnames of previews.
    pub previews: Vec<Wanted>,
}

/// A deployment's copy asks for what this machine does not say.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "the copy of deployment {id} in bucket {bucket} asks for what this command's own configuration \
     does not say, and whoever may write there may have written it: {}",
    .parts.join(", ")
)]
pub struct Untrusted {
    /// The deployment's id.
    id: String,
    /// The bucket.
    bucket: String,
    /// What it asks for, by the flags, without values.
    parts: Vec<String>,
}

impl Configured {
    /// What a plan of this machine's own journal says.
    #[must_use]
    pub fn of(plan: &Plan) -> Configured {
        let back = plan.tests_back.iter();
        let preview = plan.preview.iter().map(|preview| Wanted {
            zone_id: preview.zone_id.clone(),
            hosts: preview.hosts.clone(),
        });
        Configured {
            hooks: plan.hooks.clone(),
            commands: commands(plan).cloned().collect(),
            tests: (plan.tests.iter().chain(back.flat_map(|back| &back.tests)))
                .cloned()
                .collect(),
            previews: preview.collect(),
        }
    }

    /// Both together.
    #[must_use]
    pub fn and(mut self, more: Configured) -> Configured {
        self.hooks.extend(more.hooks);
        self.commands.extend(more.commands);
        self.tests.extend(more.tests);
        self.previews.extend(more.previews);
        self
    }

    /// Whether everything that a plan of the bucket's runs, sends elsewhere or changes beside the
    /// two environments is said here too.
    ///
    /// # Errors
    /// [`Untrusted`] names what is not.
    pub fn vouches_for(&self, plan: &Plan, state: &State) -> Result<(), Untrusted> {
        let hooks = plan.hooks.iter().filter(|hook| !self.hooks.contains(hook));
        let hooks = hooks.map(|hook| format!("--hook {hook}"));
        let says_command = |command: &&TestCommand| {
            let same = |own: &TestCommand| own.command == command.command;
            self.commands.iter().any(same)
        };
        let is_unsaid = commands(plan).any(|command| !says_command(&command));
        let command = is_unsaid.then(|| "--test-command".to_owned());
        let back = plan.tests_back.iter().flat_map(|back| &back.tests);
        let tests = (plan.tests.iter().chain(back))
            .filter(|test| carries_out(test) && !self.tests.iter().any(|own| own.sends_as(test)))
            .map(|test| format!("--test {}", short(&foreign(&test.to_string()), NAMED_CHARS)));
        let preview = plan.preview.iter().filter(|preview| {
            let same = |own: &Wanted| own.zone_id == preview.zone_id && own.hosts == preview.hosts;
            !self.previews.iter().any(same)
        });
        let preview = preview.map(|preview| format!("--preview-host {}", preview.hosts.join(",")));
        let orphaned = matches!(state.cause(), Some(Cause::Orphaned { .. }));
        let orphaned = orphaned.then(|| "`bluegreen cleanup`, which can be begun anew".to_owned());
        let parts: Vec<_> = hooks
            .chain(command)
            .chain(tests)
            .chain(preview)
            .chain(orphaned)
            .collect();
        match parts.is_empty() {
            true => Ok(()),
            false => Err(Untrusted {
                id: plan.id.clone(),
                bucket: plan.bucket.clone(),
                parts,
            }),
        }
    }
}

/// How much of a test's URL is told.
const NAMED_CHARS: usize = 80;

/// The commands that test towards either version.
fn commands(plan: &Plan) -> impl Iterator<Item = &TestCommand> {
    let back = plan.tests_back.as_ref();
    let back = back.and_then(|back| back.command.as_ref());
    plan.test_command.iter().chain(back)
}

/// Whether a test sends a variable of this machine, or asks anything but the environment.
fn carries_out(test: &AcceptanceTest) -> bool {
    test.variables().next().is_some() || !test.asks_the_environment()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::TestsBack;
    use crate::table::inline;
    use std::time::Duration;

    const ID: &str = "01J00000000000000000000000";

    fn hook(command: &str) -> Hook {
        let table = format!(
            "{{ when = \"before\", stage = \"cloning\", command = \"{command}\", on-failure = \"ignore\" }}"
        );
        crate::hooks::HookTable::inline(&table)
            .and_then(crate::hooks::HookTable::check)
            .expect("it is one")
    }

    fn test(table: &str) -> AcceptanceTest {
        let table: crate::acceptance::TestTable = inline(table).expect("a table");
        let defaults = crate::acceptance::Defaults {
            expect_status: Vec::new(),
            timeout: Duration::from_secs(10),
        };
        table.check(&defaults).expect("it is one")
    }

    fn command(text: &str) -> TestCommand {
        TestCommand {
            command: text.to_owned(),
            limit: Duration::from_secs(60),
        }
    }

    fn untrusted(own: &Configured, plan: &Plan) -> Vec<String> {
        match own.vouches_for(plan, &State::Preparing) {
            Ok(()) => Vec::new(),
            Err(untrusted) => untrusted.parts,
        }
    }

    /// One plan with everything that is taken from nobody's word but the runner's.
    fn everything() -> Plan {
        let mut plan = Plan::sample(ID);
        plan.hooks = vec![hook("./migrate")];
        plan.test_command = Some(command("./smoke"));
        plan.tests = vec![
            test(r#"{ url = "/health", headers = { X-Key = "env:TOKEN" } }"#),
            test(r#"{ url = "https://elsewhere.example/" }"#),
            test(r#"{ url = "/plain" }"#),
            test(r#"{ url = "http://{cname}:8080/plain" }"#),
        ];
        plan.tests_back = Some(TestsBack {
            tests: vec![test(
                r#"{ url = "/back", body = "env:TOKEN", method = "POST" }"#,
            )],
            command: Some(command("./smoke-back")),
            production: false,
        });
        plan
    }

    #[test]
    fn what_only_the_bucket_says_is_named_by_its_flag_and_without_its_value() {
        let parts = untrusted(&Configured::default(), &everything());
        assert_eq!(
            parts,
            [
                "--hook before Cloning",
                "--test-command",
                "--test GET /health",
                "--test GET https://elsewhere.example/",
                "--test POST /back",
            ]
        );
    }

    #[test]
    fn what_the_runner_says_itself_is_trusted() {
        let plan = everything();
        assert_eq!(untrusted(&Configured::of(&plan), &plan), [""; 0]);
    }

    /// What somebody has done to a copy.
    type Change = fn(&mut Plan);

    /// One that differs in what it sends or runs, however little, is another.
    #[test]
    fn what_differs_is_not_trusted() {
        let own = Configured::of(&everything());
        let changes: [(&str, Change); 6] = [
            ("--hook before Cloning", |plan| {
                plan.hooks[0].command.push(' ')
            }),
            ("--test-command", |plan| {
                plan.test_command = Some(command("./smoke; id"))
            }),
            ("--test GET /health", |plan| {
                let headers = &mut plan.tests[0].headers;
                headers.insert("X-Key".to_owned(), "env:AWS_SECRET_ACCESS_KEY".to_owned());
            }),
            ("--test GET /health", |plan| {
                plan.tests[0].host = Some("x.example".to_owned())
            }),
            ("--test GET http://{cname}.x.example/", |plan| {
                plan.tests[2].url = "http://{cname}.x.example/".to_owned();
            }),
            ("--test GET http://x.example/{cname}", |plan| {
                plan.tests[2].url = "http://x.example/{cname}".to_owned();
            }),
        ];
        for (part, change) in changes {
            let mut plan = everything();
            change(&mut plan);
            assert_eq!(untrusted(&own, &plan), [part]);
        }
    }

    /// What it expects of an answer, and towards which version, harms nobody.
    #[test]
    fn what_is_only_judged_may_differ() {
        let own = Configured::of(&everything());
        let mut plan = everything();
        plan.tests[0].expect_status = vec![418];
        plan.tests[0].on = crate::acceptance::On::Release;
        plan.tests[2].url = "/another".to_owned();
        assert_eq!(untrusted(&own, &plan), [""; 0]);
    }
}
