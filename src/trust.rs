//! Who vouches for a plan's commands and requests. Pure.
//!
//! Whoever may write to the artifacts bucket may write a deployment's copy there. What such a copy
//! runs on this machine, what it sends that holds a variable of this machine or goes elsewhere than
//! to the deployment's environments, and which records it changes, is done only where the runner's
//! own configuration or its own journal says the same. docs/operate/security.md has the whole.

use thiserror::Error;

use crate::acceptance::{AcceptanceTest, TestCommand};
use crate::hooks::Hook;
use crate::machine::{Cause, State};
use crate::plan::{Plan, Strategy};
use crate::preview::Wanted;
use crate::receivers::Receiver;
use crate::text::{foreign, short};

/// What this machine's flags, variables and file, or its journal, say of one target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configured {
    /// The application and its blue environment. It vouches for no other target.
    pub target: Option<(String, String)>,
    /// The operator's commands before and after the stages.
    pub hooks: Vec<Hook>,
    /// The receivers of messages.
    pub receivers: Vec<Receiver>,
    /// The commands that test.
    pub commands: Vec<TestCommand>,
    /// The tests over HTTP.
    pub tests: Vec<AcceptanceTest>,
    /// The hosted zones and hostnames of previews.
    pub previews: Vec<Wanted>,
}

/// A deployment's copy needs what this machine's configuration does not say.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "the copy of deployment {id} in bucket {bucket} is not what this command's own configuration \
     or journal says, and whoever may write there may have written it: {}",
    .parts.join(", ")
)]
pub struct Untrusted {
    /// The deployment's id.
    id: String,
    /// The bucket.
    bucket: String,
    /// What the copy needs and what it lacks, by the flags, without values.
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
            target: Some(named(plan)),
            hooks: plan.wishes.hooks.clone(),
            receivers: plan.wishes.notify.clone(),
            commands: commands(plan).cloned().collect(),
            tests: (plan
                .wishes
                .tests
                .iter()
                .chain(back.flat_map(|back| &back.tests)))
            .cloned()
            .collect(),
            previews: preview.collect(),
        }
    }

    /// Both together.
    fn and(mut self, more: &Configured) -> Configured {
        let hooks = more.hooks.iter().filter(|hook| !self.hooks.contains(hook));
        let hooks: Vec<_> = hooks.cloned().collect();
        self.hooks.extend(hooks);
        self.receivers.extend(more.receivers.clone());
        self.commands.extend(more.commands.clone());
        self.tests.extend(more.tests.clone());
        self.previews.extend(more.previews.clone());
        self
    }

    /// The hooks and the test command of this machine that a plan from the bucket lacks.
    fn missing_in(&self, plan: &Plan) -> Vec<String> {
        let hooks = self
            .hooks
            .iter()
            .filter(|hook| !plan.wishes.hooks.contains(hook));
        let hooks = hooks.map(|hook| format!("no --hook {hook}"));
        let is_missing = |own: &TestCommand| !commands(plan).any(|c| c.command == own.command);
        let command = self.commands.iter().any(is_missing);
        let command = command.then(|| "no --test-command".to_owned());
        hooks.chain(command).collect()
    }

    /// What a plan runs, sends elsewhere or changes that this configuration does not say.
    fn unsaid_in(&self, plan: &Plan, state: &State) -> Vec<String> {
        let hooks = plan
            .wishes
            .hooks
            .iter()
            .filter(|hook| !self.hooks.contains(hook));
        let hooks = hooks.map(|hook| format!("--hook {hook}"));
        // What is sent to a receiver is signed with a secret of this machine.
        let receivers = plan.wishes.notify.iter();
        let receivers = receivers.filter(|receiver| !self.receivers.contains(receiver));
        let receivers = receivers.map(|receiver| {
            format!(
                "--notify {}",
                short(&foreign(&receiver.to_string()), NAMED_CHARS)
            )
        });
        let says_command = |command: &&TestCommand| {
            let same = |own: &TestCommand| own.command == command.command;
            self.commands.iter().any(same)
        };
        let is_unsaid = commands(plan).any(|command| !says_command(&command));
        let command = is_unsaid.then(|| "--test-command".to_owned());
        let back = plan.tests_back.iter().flat_map(|back| &back.tests);
        let tests = (plan.wishes.tests.iter().chain(back))
            .filter(|test| carries_out(test) && !self.tests.iter().any(|own| own.sends_as(test)))
            .map(named_test);
        let preview = plan.preview.iter().filter(|preview| {
            let same = |own: &Wanted| own.zone_id == preview.zone_id && own.hosts == preview.hosts;
            !self.previews.iter().any(same)
        });
        let preview = preview.map(|preview| format!("--preview-host {}", preview.hosts.join(",")));
        let orphaned = matches!(state.cause(), Some(Cause::Orphaned { .. }));
        let orphaned = orphaned.then(|| "`bluegreen cleanup`, which can be begun anew".to_owned());
        hooks
            .chain(receivers)
            .chain(command)
            .chain(tests)
            .chain(preview)
            .chain(orphaned)
            .collect()
    }
}

/// Refuses a plan from the bucket that runs, sends elsewhere or changes, beside the two
/// environments, what this machine does not say of its target, or that lacks what this machine
/// says. `here` is the plan of the same deployment in the journal on this machine.
///
/// # Errors
/// [`Untrusted`] names what differs.
pub fn vouch_for(
    configured: &Configured,
    here: Option<&Plan>,
    plan: &Plan,
    state: &State,
) -> Result<(), Untrusted> {
    let target = named(plan);
    let configured = Some(configured).filter(|own| own.target.as_ref() == Some(&target));
    let here = here.filter(|here| named(here) == target);
    let mut own = here.map(Configured::of).unwrap_or_default();
    if let Some(configured) = configured {
        own = own.and(configured);
    }
    let mut parts = own.unsaid_in(plan, state);
    if configured.is_none() && here.is_none() && !parts.is_empty() {
        parts.push("its target, which --app and --blue do not name".to_owned());
    }
    // A rehearsal needs none of them.
    if plan.strategy != Strategy::Rehearse {
        parts.extend(own.missing_in(plan));
        parts.extend(
            here.into_iter()
                .flat_map(|here| gates_missing_in(plan, here)),
        );
    }
    match parts.is_empty() {
        true => Ok(()),
        false => Err(Untrusted {
            id: plan.id.clone(),
            bucket: plan.bucket.clone(),
            parts,
        }),
    }
}

/// The tests, pauses and approval of the journal here that a plan from the bucket lacks.
fn gates_missing_in(plan: &Plan, here: &Plan) -> Vec<String> {
    let tests = here
        .wishes
        .tests
        .iter()
        .filter(|test| !plan.wishes.tests.contains(test));
    let tests = tests.map(|test| format!("no {}", named_test(test)));
    let gates = [
        ("swap", here.pause_before_swap, plan.pause_before_swap),
        (
            "cutover",
            here.pause_before_cutover,
            plan.pause_before_cutover,
        ),
    ];
    let gates = gates.into_iter().filter(|(_, was, is)| *was && !is);
    let gates = gates.map(|(gate, ..)| format!("no --pause-before {gate}"));
    let approval = here.wishes.asks_approval && !plan.wishes.asks_approval;
    let approval = approval.then(|| "no --approve-url".to_owned());
    tests.chain(gates).chain(approval).collect()
}

/// The application and the blue environment of a plan.
fn named(plan: &Plan) -> (String, String) {
    (plan.target.application.clone(), plan.target.blue.clone())
}

fn named_test(test: &AcceptanceTest) -> String {
    format!("--test {}", short(&foreign(&test.to_string()), NAMED_CHARS))
}

/// The most characters of a test's URL that a message shows.
const NAMED_CHARS: usize = 80;

/// The test commands of either goal.
fn commands(plan: &Plan) -> impl Iterator<Item = &TestCommand> {
    let back = plan.tests_back.as_ref();
    let back = back.and_then(|back| back.command.as_ref());
    plan.wishes.test_command.iter().chain(back)
}

/// Whether a test sends a variable of this machine, or a request to anything but the environment.
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

    fn receiver(url: &str) -> Receiver {
        let table = format!("{{ to = \"teams\", url = \"{url}\" }}");
        crate::receivers::ReceiverTable::inline(&table)
            .and_then(crate::receivers::ReceiverTable::check)
            .expect("it is one")
    }

    fn command(text: &str) -> TestCommand {
        TestCommand {
            command: text.to_owned(),
            limit: Duration::from_secs(60),
        }
    }

    fn untrusted(own: &Configured, plan: &Plan) -> Vec<String> {
        parts(vouch_for(own, None, plan, &State::Preparing))
    }

    /// What a plan lacks or adds where only the journal here vouches for it.
    fn untrusted_by(here: &Plan, plan: &Plan) -> Vec<String> {
        let nothing = Configured::default();
        parts(vouch_for(&nothing, Some(here), plan, &State::Preparing))
    }

    fn parts(vouched: Result<(), Untrusted>) -> Vec<String> {
        vouched.map_or_else(|untrusted| untrusted.parts, |()| Vec::new())
    }

    /// One plan with everything that only the runner's own configuration may vouch for.
    fn everything() -> Plan {
        let mut plan = Plan::sample(ID);
        plan.wishes.hooks = vec![hook("./migrate")];
        plan.wishes.test_command = Some(command("./smoke"));
        plan.wishes.tests = vec![
            test(r#"{ url = "/health", headers = { X-Key = "env:TOKEN" } }"#),
            test(r#"{ url = "https://elsewhere.example/" }"#),
            test(r#"{ url = "/plain" }"#),
            test(r#"{ url = "http://{cname}:8080/plain" }"#),
        ];
        plan.wishes.notify = vec![receiver("env:URL")];
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
                "--notify teams at URL",
                "--test-command",
                "--test GET /health",
                "--test GET https://elsewhere.example/",
                "--test POST /back",
                "its target, which --app and --blue do not name",
            ]
        );
    }

    #[test]
    fn what_the_runner_says_itself_is_trusted() {
        let plan = everything();
        assert_eq!(untrusted(&flags(), &plan), [""; 0]);
        assert_eq!(untrusted_by(&plan, &plan), [""; 0]);
    }

    /// What this machine's configuration says for one target vouches for no copy of another.
    #[test]
    fn what_the_runner_says_of_another_target_vouches_for_nothing() {
        let own = flags();
        let mut plan = everything();
        plan.target.blue = "evil-env".to_owned();
        let parts = untrusted(&own, &plan);
        assert!(
            parts.contains(&"--hook before Cloning".to_owned()),
            "{parts:?}"
        );
        assert!(
            parts.contains(&"--test GET /health".to_owned()),
            "{parts:?}"
        );
        plan.wishes.hooks.clear();
        plan.wishes.notify.clear();
        plan.wishes.test_command = None;
        plan.wishes.tests.clear();
        plan.tests_back = None;
        assert_eq!(untrusted(&own, &plan), [""; 0], "and it asks for nothing");
    }

    /// Whoever could take a gate away would release what does not pass it.
    #[test]
    fn what_is_taken_away_is_missed() {
        let mut own = everything();
        own.pause_before_cutover = true;
        own.wishes.asks_approval = true;
        let mut plan = own.clone();
        plan.wishes.hooks.clear();
        plan.wishes.test_command = None;
        plan.tests_back = None;
        plan.wishes.tests.remove(2);
        plan.wishes.tests[0].expect_status = vec![418];
        plan.pause_before_cutover = false;
        plan.wishes.asks_approval = false;
        let taken = [
            "no --hook before Cloning",
            "no --test-command",
            "no --test GET /health",
            "no --test GET /plain",
            "no --pause-before cutover",
            "no --approve-url",
        ];
        assert_eq!(untrusted_by(&own, &plan), taken);
        // What both say is told once.
        let both = vouch_for(&flags(), Some(&own), &plan, &State::Preparing);
        assert_eq!(parts(both), taken);
        // Flags say what is run; what else a run was given only its journal knows.
        assert_eq!(untrusted(&flags(), &plan), taken[..2]);
        plan.strategy = Strategy::Rehearse;
        assert_eq!(untrusted(&flags(), &plan), [""; 0]);
    }

    /// What flags say that are those of the run.
    fn flags() -> Configured {
        Configured::of(&everything())
    }

    /// A change that somebody makes to a copy.
    type Change = fn(&mut Plan);

    /// One that differs in what it sends or runs, however little, is another.
    #[test]
    fn what_differs_is_not_trusted() {
        let own = flags();
        let changes: [(&str, Change); 7] = [
            ("--notify teams at AWS_SECRET_ACCESS_KEY", |plan| {
                plan.wishes.notify = vec![receiver("env:AWS_SECRET_ACCESS_KEY")];
            }),
            ("--hook before Cloning", |plan| {
                plan.wishes.hooks[0].command.push(' ')
            }),
            ("--test-command", |plan| {
                plan.wishes.test_command = Some(command("./smoke; id"))
            }),
            ("--test GET /health", |plan| {
                let headers = &mut plan.wishes.tests[0].headers;
                headers.insert("X-Key".to_owned(), "env:AWS_SECRET_ACCESS_KEY".to_owned());
            }),
            ("--test GET /health", |plan| {
                plan.wishes.tests[0].host = Some("x.example".to_owned())
            }),
            ("--test GET http://{cname}.x.example/", |plan| {
                plan.wishes.tests[2].url = "http://{cname}.x.example/".to_owned();
            }),
            ("--test GET http://x.example/{cname}", |plan| {
                plan.wishes.tests[2].url = "http://x.example/{cname}".to_owned();
            }),
        ];
        for (part, change) in changes {
            let mut plan = everything();
            change(&mut plan);
            let mut parts = untrusted(&own, &plan);
            // What it has in place of the runner's own is missing, too.
            parts.retain(|part| !part.starts_with("no --"));
            assert_eq!(parts, [part]);
        }
    }

    /// The answers that a test expects, and the version that it is for, may differ without harm.
    #[test]
    fn what_is_only_judged_may_differ() {
        let own = flags();
        let mut plan = everything();
        plan.wishes.tests[0].expect_status = vec![418];
        plan.wishes.tests[0].on = crate::acceptance::On::Release;
        plan.wishes.tests[2].url = "/another".to_owned();
        assert_eq!(untrusted(&own, &plan), [""; 0]);
    }
}
