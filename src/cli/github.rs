//! What the command reports to GitHub Actions: groups in the log, annotations, masks, the step's
//! outputs and its summary.
//!
//! Source: GitHub's documentation, "Workflow commands for GitHub Actions".

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::{Level, warn};

use super::output::harmless;
use crate::config::Options;
use crate::events::{DeploymentEvent, Happened, Listener};
use crate::report::events::line;
use crate::report::live::label;
use crate::report::{Entry, page};
use crate::secrets::Secrets;
use crate::text::on_one_line;

/// How many warnings a step shows at most (the documentation's limit is 10 a type).
const WARNINGS_MAX: usize = 10;

/// Whether this process is a step of a workflow.
pub(super) fn is_running() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// Hides the secrets of this command in what later steps print.
pub(super) fn mask(options: &Options) {
    let url = options.approval.approve_url.as_ref();
    for secret in url.into_iter().chain(options.state_key.as_ref()) {
        if !secret.text().is_empty() {
            print(&format!("::add-mask::{}", escaped(secret.text())));
        }
    }
}

/// The step that this process is, while it carries a deployment on.
#[derive(Debug, Default)]
pub(super) struct Step {
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    is_in_group: bool,
    warnings: BTreeSet<String>,
}

impl Step {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    fn end_group(&mut self) {
        if std::mem::take(&mut self.is_in_group) {
            print("::endgroup::");
        }
    }
}

/// Begins a group of the log with each state, before the log's own line.
impl Listener for Step {
    fn hear(&self, event: &DeploymentEvent) {
        let happened = &event.record.happened;
        let mut told = self.told();
        if let Happened::StateEntered { to, .. } = happened {
            told.end_group();
            print(&format!("::group::{}", label(*to)));
            told.is_in_group = true;
        }
        let (level, text) = line(happened);
        if level == Level::WARN && told.warnings.len() < WARNINGS_MAX {
            told.warnings.insert(text);
        }
    }
}

/// The warnings stand below the groups, which may be folded.
impl Drop for Step {
    fn drop(&mut self) {
        let mut told = self.told();
        told.end_group();
        for text in std::mem::take(&mut told.warnings) {
            print(&format!("::warning title=bluegreen::{}", escaped(&text)));
        }
    }
}

/// Sets the step's outputs, and writes its summary.
pub(super) fn tell(entry: &Entry) {
    let deployment = &entry.deployment;
    let (plan, users) = (&deployment.plan, entry.users());
    let state = deployment.state.kind().to_string();
    let serving = users.on.map(|on| plan.environment(on).to_owned());
    set(&[
        ("id", &plan.id),
        ("state", &state),
        ("version", &users.version.unwrap_or_default()),
        ("serving", &serving.unwrap_or_default()),
        ("url", &plan.front.url(&plan.production_cname)),
    ]);
    append("GITHUB_STEP_SUMMARY", &page::markdown(entry));
}

/// The same where the version is live already, so that there is no deployment.
pub(super) fn tell_live(version: &str, serving: &str, users: &str) {
    set(&[
        ("state", "Completed"),
        ("version", version),
        ("serving", serving),
    ]);
    let text = format!("{users}: live already, nothing was changed\n");
    append("GITHUB_STEP_SUMMARY", &text);
}

/// Sets outputs of the step. None has a line break, which would begin another.
fn set(outputs: &[(&str, &str)]) {
    let line = |(name, value): &(&str, &str)| format!("{name}={}\n", on_one_line(value));
    append(
        "GITHUB_OUTPUT",
        &outputs.iter().map(line).collect::<String>(),
    );
}

/// Annotates the step with why it failed.
pub(super) fn annotate(message: &str, advice: Option<&str>) {
    let mut text = message.to_owned();
    if let Some(advice) = advice {
        let _ = write!(text, "\n{advice}");
    }
    print(&format!("::error title=bluegreen::{}", escaped(&text)));
}

/// Annotates the step with why a deployment was rolled back, or needs a person: as an error where
/// the command fails for it.
pub(super) fn annotate_end(entry: &Entry, fails: bool) {
    let kind = match fails {
        true => "error",
        false => "notice",
    };
    let deployment = &entry.deployment;
    let cause = deployment.state.cause().map(|cause| deployment.told(cause));
    let Some(cause) = cause else { return };
    let text = format!(
        "{}: {cause}\nUsers: {}",
        deployment.state.kind(),
        entry.users()
    );
    print(&format!("::{kind} title=bluegreen::{}", escaped(&text)));
}

/// A value as a workflow command takes it.
fn escaped(text: &str) -> String {
    let text = text.replace('%', "%25");
    text.replace('\r', "%0D").replace('\n', "%0A")
}

fn print(command: &str) {
    let _ = writeln!(std::io::stderr(), "{command}");
}

/// Appends to the file that a variable names. A runner that offers none is no reason to fail.
fn append(variable: &str, text: &str) {
    let Some(path) = std::env::var_os(variable).filter(|path: &OsString| !path.is_empty()) else {
        return;
    };
    let text = Secrets::default().hide(&harmless(text));
    let file = OpenOptions::new().append(true).create(true).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    if let Err(error) = written {
        warn!("GitHub's file {variable} cannot be written: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn a_command_is_one_line() {
        assert_eq!(escaped("50 %\r\n::error::x"), "50 %25%0D%0A::error::x");
    }
}
