//! Exit codes and the errors that people read, in one place.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

#[cfg(feature = "sandbox")]
use bluegreen_sandbox::{PolicyError, ReplayError, SandboxError};

use super::github;
use super::output::{emit, harmless};
use super::pasteable::pasteable;
use super::screen::remove_the_view;
use super::unheeded::Unheeded;
use crate::acceptance::Unset;
use crate::bundle::BundleError;
use crate::claim::{ClaimError, Obstacle};
use crate::clock::whole_seconds;
use crate::cloud::ConnectError;
use crate::cloud::{LookError, is_clock};
use crate::config::file::FileError;
use crate::config::fleet::FleetFileError;
use crate::config::layers::Layers;
use crate::config::{ConfigError, LogFormat};
use crate::deployment::Deployment;
use crate::driver::DriveError;
use crate::journal::JournalError;
use crate::machine::{NotPossible, Rest};
use crate::plan::Goal;
use crate::preflight::Refused;
use crate::rebuild::Unsettled;
use crate::report::jsonl::{Line, Subject};
use crate::report::{Entry, Runner};
use crate::secrets::Secrets;
use crate::session::Error;
use crate::shared::{LEASES, LeaseRecord, SharedError};
use crate::store::StoreError;
use crate::text::for_shell;

/// The exit codes of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Completed.
    Completed,
    /// Paused as configured, with the code of `--exit-code-paused`.
    Paused(u8),
    /// A bug.
    Bug,
    /// Wrong usage.
    Usage,
    /// Configuration or preflight refused; nothing was changed.
    Refused,
    /// Rolled back; users are safe.
    RolledBack,
    /// A person is needed.
    Stuck,
    /// Another process or deployment holds it.
    Busy,
    /// There is no such deployment.
    NoDeployment,
    /// Held; users are on green.
    Held,
    /// AWS refused; nothing is lost.
    Denied,
    /// Interrupted; `resume` continues.
    Interrupted,
}

impl Exit {
    /// The number that the process exits with.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Exit::Completed => 0,
            Exit::Paused(code) => code,
            Exit::Bug => 1,
            Exit::Usage => 2,
            Exit::Refused => 3,
            Exit::RolledBack => 10,
            Exit::Stuck => 11,
            Exit::Busy => 12,
            Exit::NoDeployment => 13,
            Exit::Held => 14,
            Exit::Denied => 20,
            Exit::Interrupted => 75,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// A command that failed: its exit code, what happened, and what to do.
#[derive(Debug)]
pub struct Failed {
    exit: Exit,
    message: String,
    hint: Option<String>,
    /// Whether trying again may work: something did not answer for now.
    passing: bool,
    /// The deployment that it is about.
    deployment: Option<String>,
    /// The deployment as it stands, where that is known.
    stands: Option<Box<Stands>>,
    /// Whether the command has carried something else out all the same.
    has_changed_something: bool,
}

/// How a deployment stands.
#[derive(Debug)]
struct Stands {
    subject: Subject,
    /// Where users are.
    users: String,
}

/// The beginning of a hint where a command failed before it changed anything.
const UNCHANGED: &str = "nothing was changed";

impl Failed {
    pub(super) fn new(exit: Exit, message: impl Display) -> Failed {
        Failed {
            exit,
            message: message.to_string(),
            hint: None,
            passing: false,
            deployment: None,
            stands: None,
            has_changed_something: false,
        }
    }

    /// `--output` for a plan, whose standard output is of another form.
    pub(super) fn of_other_output() -> Failed {
        let message = "--output has no effect on `bluegreen plan`, which carries no deployment on";
        Failed::new(Exit::Usage, message).hint("nothing was changed; `bluegreen plan --json`")
    }

    pub(super) fn bug(error: &dyn Display) -> Failed {
        Failed::new(Exit::Bug, error)
    }

    pub(super) fn hint(mut self, hint: impl Display) -> Failed {
        self.hint = Some(hint.to_string());
        self
    }

    /// This failure, beginning with what it is about.
    pub(super) fn about(mut self, what: &str) -> Failed {
        self.message = format!("{what}: {}", self.message);
        self
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// What to do, where that is known.
    pub(super) fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Whether trying again may work.
    pub(super) fn is_passing(&self) -> bool {
        self.passing
    }

    pub(super) fn exit(&self) -> Exit {
        self.exit
    }

    /// This failure, of the deployment with this id.
    pub(super) fn of(mut self, id: &str) -> Failed {
        self.deployment = Some(id.to_owned());
        self
    }

    /// The id of the deployment that it is about.
    pub(super) fn deployment(&self) -> Option<&str> {
        self.deployment.as_deref()
    }

    /// This failure, with how its deployment stands.
    pub(super) fn standing(mut self, entry: &Entry) -> Failed {
        let deployment = &entry.deployment;
        self.stands = Some(Box::new(Stands {
            subject: Subject::of(deployment, deployment.updated_at),
            users: entry.users().to_string(),
        }));
        self
    }

    /// Tells it whoever reads the output as data, and the CI system.
    pub(super) fn tell_others(&self) {
        let message = pasteable(&self.message);
        let hint = self.hint_in_words().map(pasteable);
        emit(|| Line::Error {
            of: self.stands.as_ref().map(|stands| stands.subject.clone()),
            exit_code: self.exit.code(),
            message: &message,
            hint: hint.as_deref(),
            users: self.users_in_words(),
        });
        if github::is_running() {
            github::annotate(&self.message, self.hint_in_words());
        }
    }

    /// This failure of a command that has carried something else out all the same.
    pub(super) fn beside_changes(mut self) -> Failed {
        self.has_changed_something = true;
        self
    }

    /// This failure, of this deployment unless it is about another one.
    pub(super) fn of_at_least(self, id: &str) -> Failed {
        match self.deployment {
            Some(_) => self,
            None => self.of(id),
        }
    }

    /// Where users are, in words; `None` where the command may have moved them and nobody knows.
    fn users_in_words(&self) -> Option<&str> {
        let is_unchanged = !self.has_changed_something
            && match self.exit {
                Exit::Usage | Exit::Refused | Exit::NoDeployment => true,
                Exit::Completed
                | Exit::Paused(_)
                | Exit::Bug
                | Exit::RolledBack
                | Exit::Stuck
                | Exit::Busy
                | Exit::Held
                | Exit::Denied
                | Exit::Interrupted => self
                    .advice()
                    .is_some_and(|hint| hint.starts_with(UNCHANGED)),
            };
        let unchanged = is_unchanged.then_some(AS_THEY_WERE);
        let users = self.stands.as_ref().map(|stands| stands.users.as_str());
        users.or(unchanged)
    }

    /// What to do, without what the line about users says already.
    fn hint_in_words(&self) -> Option<&str> {
        let hint = self.advice()?;
        let rest = hint
            .strip_prefix(UNCHANGED)
            .filter(|_| self.stands.is_none());
        let hint = rest.map_or(hint, |rest| rest.trim_start_matches([',', ';', ' ']));
        Some(hint).filter(|hint| !hint.is_empty())
    }

    /// Prints it on standard error, first where users are; with the layers, it adds where the
    /// values of the flags that it names come from.
    pub(super) fn print(&self, layers: Option<&Layers>, format: LogFormat) {
        let notes = layers.map_or_else(Vec::new, |layers| layers.places(&self.message));
        match format {
            LogFormat::Text => self.print_text(&notes),
            LogFormat::Json => self.print_json(&notes),
        }
    }

    /// Prints it as one of several mistakes, of which none has a consequence.
    pub(super) fn print_as_one_of_several(&self, layers: &Layers) {
        self.print_message(&layers.places(&self.message));
        if let Some(hint) = self.hint_in_words() {
            complain(&format!("hint: {hint}"));
        }
    }

    fn print_message(&self, notes: &[String]) {
        complain(&format!("error: {}", self.message));
        for note in notes {
            complain(&format!("note: {note}"));
        }
    }

    fn print_text(&self, notes: &[String]) {
        if let Some(users) = self.users_in_words() {
            complain(&format!("Users: {users}"));
        }
        self.print_message(notes);
        if let Some(hint) = self.hint_in_words() {
            complain(&format!("hint: {hint}"));
        }
    }

    /// One line, with the keys of the log's lines before its own.
    fn print_json(&self, notes: &[String]) {
        let shown = |text: &str| harmless(&Secrets::default().hide(&pasteable(text))).into_owned();
        let document = serde_json::json!({
            "timestamp": humantime::format_rfc3339_micros(std::time::SystemTime::now()).to_string(),
            "level": "ERROR",
            "message": shown(&self.message),
            "exit_code": self.exit.code(),
            "users": self.users_in_words().map(shown),
            "deployment": self.deployment,
            "hint": self.hint_in_words().map(shown),
            "notes": notes.iter().map(|note| shown(note)).collect::<Vec<_>>(),
        });
        remove_the_view();
        let _ = writeln!(std::io::stderr(), "{document}");
    }
}

/// Where users are after a command that has changed nothing.
const AS_THEY_WERE: &str = "as they were; nothing was changed by this command";

/// Says that a command with a mistake in its flags has changed nothing.
pub(super) fn complain_of_usage() {
    complain(&format!("Users: {AS_THEY_WERE}"));
}

/// Standard error may be closed, which must not change how the command fails.
fn complain(text: &str) {
    let text = Secrets::default().hide(&pasteable(text));
    remove_the_view();
    let _ = writeln!(std::io::stderr(), "{}", harmless(&text));
}

/// No client could be made, for want of certificates that it trusts.
pub(super) fn without_roots(why: impl Display) -> Failed {
    let message = format!("this machine's trusted certificates cannot be read: {why}");
    Failed::new(Exit::Refused, message).hint(
        "nothing was changed; install them (the package ca-certificates, as a rule), or name \
         them with SSL_CERT_FILE",
    )
}

impl From<ConfigError> for Failed {
    fn from(error: ConfigError) -> Failed {
        let is_first_run = matches!(error, ConfigError::Missing(_)) && cfg!(feature = "sandbox");
        let failed = Failed::new(Exit::Refused, error);
        match is_first_run {
            true => failed.hint(
                "nothing was changed; to try bluegreen without an AWS account: bluegreen run --sandbox",
            ),
            false => failed,
        }
    }
}

impl From<FileError> for Failed {
    fn from(error: FileError) -> Failed {
        Failed::new(Exit::Refused, error)
            .hint("nothing was changed; --config FILE names another file, --config /dev/null none")
    }
}

impl From<Unset> for Failed {
    fn from(error: Unset) -> Failed {
        Failed::new(Exit::Refused, error).hint("nothing was changed; set it, then try again")
    }
}

impl From<ConnectError> for Failed {
    fn from(error: ConnectError) -> Failed {
        let hint = match &error {
            ConnectError::NoRegion => "nothing was changed",
            ConnectError::NoProfile { .. } => {
                "nothing was changed; is --profile right? AWS_CONFIG_FILE and \
                 AWS_SHARED_CREDENTIALS_FILE name other files"
            }
        };
        Failed::new(Exit::Refused, error).hint(hint)
    }
}

impl From<BundleError> for Failed {
    fn from(error: BundleError) -> Failed {
        let hint = match &error {
            BundleError::Read { .. } => {
                "nothing was changed; is --bundle right? A relative path \
                                         begins in the current folder"
            }
            BundleError::NotText { .. }
            | BundleError::NotAFile { .. }
            | BundleError::Folder { .. }
            | BundleError::NotABundle { .. }
            | BundleError::InFolder { .. }
            | BundleError::Faults { .. } => "nothing was changed",
            BundleError::TooLarge { .. } => {
                "nothing was changed; leave out what the instances install themselves, such as \
                 node_modules, and files that the application does not need"
            }
        };
        Failed::new(Exit::Refused, error).hint(hint)
    }
}

impl From<NotPossible> for Failed {
    fn from(error: NotPossible) -> Failed {
        Failed::new(Exit::Refused, error)
    }
}

impl Failed {
    /// A command line without a command.
    pub(super) fn no_command() -> Failed {
        let hint = match cfg!(feature = "sandbox") {
            true => {
                "bluegreen --help lists the commands; bluegreen run --sandbox releases a version in a \
                 local sandbox, without an AWS account"
            }
            false => "bluegreen --help lists the commands",
        };
        Failed::new(Exit::Usage, "no command is given").hint(hint)
    }

    /// An order that this deployment's state does not allow.
    pub(super) fn not_possible(id: &str, error: NotPossible) -> Failed {
        let hint = match &error {
            NotPossible::Ended(_) | NotPossible::NotPaused(_) => {
                format!("nothing was changed; bluegreen status {id} shows what it did")
            }
            NotPossible::NoWayBack(_) => "nothing was changed".to_owned(),
            NotPossible::NotHeld(_) => format!(
                "nothing was changed; to release another version, roll this one back with \
                 bluegreen rollback {id}, then run again"
            ),
        };
        Failed::from(error).hint(hint).of(id)
    }
}

impl From<Refused> for Failed {
    fn from(error: Refused) -> Failed {
        let nothing = "nothing was changed";
        match error {
            Refused::Look(error) => Failed::from(error),
            Refused::Checks(ref findings) => {
                let refusals = findings.iter().filter(|finding| finding.refuses());
                let refusals: Vec<_> = refusals.collect();
                let may = refusals.iter().filter(|refusal| refusal.may_be_allowed());
                let names: Vec<_> = may.map(|refusal| refusal.check).collect();
                let allow = names.iter().map(|check| format!(" --allow {check}"));
                let hint = if names.is_empty() {
                    nothing.to_owned()
                } else if names.len() < refusals.len() {
                    format!(
                        "{nothing}; put right what is named above and run again; `bluegreen plan` \
                         shows every check"
                    )
                } else {
                    format!(
                        "{nothing}; put that right and run again; to release without that check, add{}: \
                         docs/use/checks.md says what may happen then",
                        allow.collect::<String>()
                    )
                };
                Failed::new(Exit::Refused, error).hint(hint)
            }
            other => Failed::new(Exit::Refused, other).hint(nothing),
        }
    }
}

/// A poll that failed before anything was changed.
impl From<LookError> for Failed {
    fn from(error: LookError) -> Failed {
        match error {
            LookError::Passing(why) if is_throttle(&why) => Failed {
                passing: true,
                ..Failed::new(Exit::Refused, format!("AWS throttles the requests of this account: {why}")).hint(
                    "nothing was changed; something else asks this account's API as well: wait a minute \
                     and run it again",
                )
            },
            LookError::Passing(why) => Failed {
                passing: true,
                ..Failed::new(Exit::Refused, format!("AWS cannot be reached: {why}")).hint(
                    "nothing was changed; are the region, the endpoint and the network right?",
                )
            },
            LookError::Credentials(why) if why.contains(NO_CREDENTIALS) => {
                let message = format!("this process has no AWS credentials: {why}");
                Failed::new(Exit::Refused, message).hint(
                    "nothing was changed; sign in with aws login or aws sso login, or set AWS_PROFILE, \
                     or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                )
            }
            LookError::Credentials(why) => {
                let renew = match is_clock(&why) {
                    true => "set this machine's clock, then run it again",
                    false => {
                        "renew them (aws login, aws sso login, or a new session token), then run it \
                         again"
                    }
                };
                Failed::new(
                    Exit::Refused,
                    format!("AWS refused the credentials: {why}"),
                )
                .hint(format!("nothing was changed; {renew}"))
            }
            LookError::Denied(why) => {
                Failed::new(Exit::Denied, format!("AWS denied what is needed: {why}"))
                    .hint("nothing was changed; grant the permission and run again")
            }
            LookError::Refused(why) => Failed::new(Exit::Refused, format!("AWS refused: {why}"))
                .hint("nothing was changed"),
        }
    }
}

impl From<Unsettled> for Failed {
    fn from(error: Unsettled) -> Failed {
        let hint = match &error {
            Unsettled::Direction { .. } => {
                "nothing was changed; `bluegreen rollback ID` rolls back to the previous version"
            }
            Unsettled::NoTag { .. }
            | Unsettled::NoBlue { .. }
            | Unsettled::NoHolder { .. }
            | Unsettled::OtherVersion { .. } => {
                "nothing was changed; docs/operate/operations.md says what to inspect"
            }
        };
        Failed::new(
            Exit::Refused,
            format!("the deployment cannot be rebuilt from AWS: {error}"),
        )
        .hint(hint)
    }
}

impl From<Unheeded> for Failed {
    fn from(Unheeded { flag, command }: Unheeded) -> Failed {
        let message = format!(
            "--{flag} has no effect on `bluegreen {command}`: a deployment that is under way keeps what \
             its run was given"
        );
        Failed::new(Exit::Usage, message).hint(format!(
            "nothing was changed; omit --{flag}, or roll back and run again with it; `bluegreen \
             {command} --help` names what it takes"
        ))
    }
}

#[cfg(feature = "sandbox")]
impl From<PolicyError> for Failed {
    fn from(error: PolicyError) -> Failed {
        Failed::new(Exit::Refused, error)
    }
}

#[cfg(feature = "sandbox")]
impl From<SandboxError> for Failed {
    fn from(error: SandboxError) -> Failed {
        Failed::new(Exit::Refused, error)
    }
}

#[cfg(feature = "sandbox")]
impl From<ReplayError> for Failed {
    fn from(error: ReplayError) -> Failed {
        Failed::new(Exit::Refused, error)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Failed {
        let hint = match &error {
            StoreError::Open { .. } => {
                Some("name a readable journal with --state; a deployment with a copy in the bucket \
                      continues with it".to_owned())
            }
            StoreError::NotAJournal { .. } => {
                Some("the file is left as it was; name another one with --state".to_owned())
            }
            StoreError::Damaged { .. } => Some(
                "`bluegreen resume ID --bucket BUCKET` recovers a deployment from its copy in the bucket; \
                 without a copy, move the file away: it is rebuilt from what AWS shows then"
                    .to_owned(),
            ),
            StoreError::Newer { .. } => Some("use the newer bluegreen".to_owned()),
            StoreError::Write { .. } => Some(
                "free some space or grant write access, or name another journal with --state; a \
                 deployment with a copy in the bucket continues with it"
                    .to_owned(),
            ),
            StoreError::Driven { id, .. } => Some(format!(
                "`bluegreen status {id} --watch` follows it, `bluegreen rollback {id}` stops it"
            )),
            StoreError::InFlight { id, .. } => Some(format!(
                "`bluegreen resume {id}` continues it, `bluegreen rollback {id}` rolls back"
            )),
            StoreError::Locked { .. }
            | StoreError::Overtaken { .. }
            | StoreError::OrderedBack { .. } => None,
        };
        let exit = match &error {
            StoreError::Open { .. }
            | StoreError::NotAJournal { .. }
            | StoreError::Damaged { .. }
            | StoreError::Newer { .. }
            | StoreError::Write { .. } => Exit::Refused,
            StoreError::Locked { .. }
            | StoreError::Overtaken { .. }
            | StoreError::OrderedBack { .. }
            | StoreError::Driven { .. }
            | StoreError::InFlight { .. } => Exit::Busy,
        };
        let about = match &error {
            StoreError::Driven { id, .. } | StoreError::InFlight { id, .. } => Some(id.clone()),
            _ => None,
        };
        Failed {
            hint,
            deployment: about,
            ..Failed::new(exit, error)
        }
    }
}

/// How the SDK says that it has found no credentials anywhere.
const NO_CREDENTIALS: &str = "no credentials found in chain";

/// Whether what the service said names a throttle: it was reached then.
fn is_throttle(why: &str) -> bool {
    let codes = [
        "Throttl",
        "RequestLimitExceeded",
        "TooManyRequests",
        "SlowDown",
        "Rate exceeded",
    ];
    codes.iter().any(|code| why.contains(code))
}

/// The state in the bucket, before anything was changed.
impl From<SharedError> for Failed {
    fn from(error: SharedError) -> Failed {
        match error {
            SharedError::Away { message, .. } => LookError::Passing(message).into(),
            SharedError::Unusable {
                error: error @ LookError::Denied(_),
                ..
            } => Failed::from(error).hint(
                "nothing was changed; the journal's copy and the lock are below bluegreen/ in the \
                 bucket, --no-shared-state does without them",
            ),
            SharedError::Unusable { error, .. } => error.into(),
            error @ SharedError::Newer { .. } => {
                Failed::new(Exit::Refused, error).hint("use the newer bluegreen")
            }
            SharedError::Damaged { ref key, .. } => {
                let otherwise = match key.starts_with(LEASES) {
                    true => "delete it once its deployment has no runner; the deployment is found \
                             without it",
                    false => "resume where the deployment's own journal is",
                };
                Failed::new(Exit::Refused, &error).hint(format!(
                    "nothing was changed, and the object is left as it is; restore it (a bucket with \
                     versions has the one before), or {otherwise}"
                ))
            }
            error @ SharedError::Unauthenticated { .. } => Failed::new(Exit::Refused, error).hint(
                "nothing was changed; what was begun without BLUEGREEN_STATE_KEY, or with another \
                 one, is resumed so, with the configuration that its run was given: \
                 docs/operate/security.md",
            ),
            error @ (SharedError::Meddled { .. } | SharedError::LeaseRemoved { .. }) => {
                Failed::new(Exit::Interrupted, error)
            }
            error @ SharedError::Unconditional { .. } => Failed::new(Exit::Refused, error).hint(
                "nothing was changed; name a bucket that heeds the conditions of writes, as S3 does, \
                 or use --no-shared-state, with one process at a time",
            ),
            error @ SharedError::Overtaken { .. } => Failed::new(Exit::Busy, error)
                .hint("the process that took it over continues it"),
        }
    }
}

impl From<JournalError> for Failed {
    fn from(error: JournalError) -> Failed {
        match error {
            JournalError::Store(error) => error.into(),
            JournalError::Shared(error) => error.into(),
        }
    }
}

impl From<ClaimError> for Failed {
    fn from(error: ClaimError) -> Failed {
        match error {
            ClaimError::Interrupted(interrupted) => {
                Failed::new(Exit::Interrupted, interrupted).hint("nothing was changed")
            }
            ClaimError::Obstructed(obstacle) => (*obstacle).into(),
            ClaimError::Overtaken(overtaken) => Failed::new(Exit::Refused, overtaken)
                .hint("nothing was changed; run it again to release it all the same"),
            ClaimError::Store(error) => error.into(),
            ClaimError::Shared(error) => error.into(),
        }
    }
}

impl From<Obstacle> for Failed {
    fn from(obstacle: Obstacle) -> Failed {
        let busy = Failed::new(Exit::Busy, &obstacle);
        match obstacle {
            Obstacle::Driven { id, holder } => StoreError::Driven { id, holder }.into(),
            Obstacle::Away(error) => error.into(),
            Obstacle::Unfinished {
                deployment,
                lease,
                is_driven,
            } => busy_with(&deployment, lease.as_ref(), is_driven),
            Obstacle::Ahead(ahead) => match ahead.first() {
                Some(first) => busy.hint(format!(
                    "nothing was changed; --wait 1h waits behind it; a process that is not heard of \
                     for {} loses its place",
                    whole_seconds(first.length())
                )),
                None => busy,
            },
            Obstacle::Held(held) => {
                let id = for_shell(&held.lease.deployment);
                let when = whole_seconds(held.runs_out_in);
                busy.of(&held.lease.deployment).hint(match held.has_begun {
                    true => format!(
                        "unless its holder renews it, it can be taken in {when}, with `bluegreen \
                         resume {id}`; `bluegreen rollback {id}` cancels the deployment"
                    ),
                    false => format!(
                        "nothing has begun under it yet; unless its holder renews it, it can be \
                         taken in {when}, with another `bluegreen run`: `--wait 1h` queues"
                    ),
                })
            }
        }
    }
}

/// The target has this unfinished deployment. Where it has no runner, the text names the commands
/// that lead on, because nothing does so by itself.
fn busy_with(deployment: &Deployment, lease: Option<&LeaseRecord>, is_driven: bool) -> Failed {
    let in_flight = StoreError::in_flight(deployment);
    let id = for_shell(&deployment.plan.id);
    let entry = Entry {
        runner: Runner::other_than_this(is_driven),
        ..Entry::of(deployment.clone(), Vec::new(), Vec::new())
    };
    if !is_driven {
        let why = match deployment.state.rests() {
            true => "it waits for an operator",
            false => "no process runs it",
        };
        let message = format!(
            "{in_flight}, and {why}: `bluegreen resume {id}` continues it, `bluegreen rollback \
             {id}` rolls back"
        );
        return Failed::new(Exit::Busy, message)
            .of(&deployment.plan.id)
            .standing(&entry);
    }
    let failed = Failed::from(in_flight).standing(&entry);
    match lease.filter(|lease| lease.holder.is_some()) {
        Some(lease) => failed.hint(format!(
            "{}; `bluegreen wait {id}` waits for it, `bluegreen rollback {id}` cancels it, `bluegreen \
             resume {id}` takes over once it is silent for {}",
            lease.in_words(),
            whole_seconds(lease.length())
        )),
        None => failed,
    }
}

impl From<FleetFileError> for Failed {
    fn from(error: FleetFileError) -> Failed {
        Failed::new(Exit::Refused, error).hint("nothing was changed; put the file right")
    }
}

/// A session that ended before its deployment came to rest.
impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        let message = error.to_string();
        let refused = |hint: &str| Failed::new(Exit::Refused, &message).hint(hint);
        match error {
            Error::Claim(error) => error.into(),
            Error::Refused(refused) => refused.into(),
            Error::NotHealthy { .. } => {
                refused("nothing was changed; --wait 20m waits longer for it")
            }
            Error::NotPossible(error) => error.into(),
            Error::Look(error) => error.into(),
            Error::Unset(error) => error.into(),
            Error::Untrusted(_) => refused(
                "nothing was run, sent or changed; give this command the flags, variables or file \
                 that the run was given, or resume where its journal is; with BLUEGREEN_STATE_KEY \
                 on every command the copy itself is trusted: docs/operate/security.md",
            ),
            Error::Forged { .. } => refused(
                "nothing was changed; anybody who may write to the bucket may have written that: \
                 inspect the object, and resume where the deployment's own journal is: \
                 docs/operate/security.md",
            ),
            Error::Elsewhere { .. } => {
                refused("nothing was changed; use that account's credentials")
            }
            Error::Gone(_) => Failed::new(Exit::NoDeployment, message),
            Error::Begun(id) => Failed::new(Exit::Busy, message).of(&id),
            Error::UnlikeItsRun { flag, .. } => refused(&format!(
                "nothing was changed; omit {flag} or name the same, or roll back and run again"
            )),
            Error::NoApprover { id, .. } => refused(&format!(
                "name it with --approve-url, BLUEGREEN_APPROVE_URL or `approve-url` in \
                 bluegreen.toml; bluegreen resume {id} --approve continues without approval"
            )),
            Error::TestsProduction(_) => refused(
                "nothing was changed; name a path such as /health, or write {cname} for the host: \
                 docs/use/acceptance.md",
            ),
            Error::NothingToDiscard { .. } => refused("leave it out"),
            Error::NoBundle { id, .. } => refused(&format!(
                "put it there and resume, or roll back with: bluegreen rollback {id}"
            )),
            Error::OtherBundle { .. } => refused(
                "nothing was changed; leave --bundle out to take the registered one, or choose another \
                 label with --version-label for this bundle",
            ),
            Error::TakeOver { id, error } => Failed::taking_over(&id, error),
            Error::Drive {
                id,
                awaits_approval,
                error,
            } => {
                let failed = Failed::drive(&id, error);
                match awaits_approval && failed.exit == Exit::Interrupted {
                    true => Failed {
                        message: format!("{}; the deployment is paused", failed.message),
                        ..Failed::unapproved(&id)
                    },
                    false => failed,
                }
            }
        }
    }
}

/// The exit code of the contract for how a deployment rests; the driver leaves none that does not.
/// `goal` is what the operator wanted, `paused` the code of a pause.
pub(super) fn exit_code(rest: Option<Rest>, goal: Goal, paused: u8) -> Exit {
    match (rest, goal) {
        (Some(Rest::Completed), _) => Exit::Completed,
        (Some(Rest::Paused), _) => Exit::Paused(paused),
        (Some(Rest::RolledBack), Goal::Previous) => Exit::Completed,
        (Some(Rest::RolledBack), Goal::Release) => Exit::RolledBack,
        (Some(Rest::Stuck), _) => Exit::Stuck,
        (Some(Rest::Held), _) => Exit::Held,
        (None, _) => Exit::Bug,
    }
}

impl Failed {
    /// A pause whose approval nothing has requested, or nobody has given yet.
    pub(super) fn unapproved(id: &str) -> Failed {
        let message = "the deployment is paused, and nothing requests its approval";
        Failed::new(Exit::Interrupted, message).of(id).hint(format!(
            "nobody has approved it; wait on with: bluegreen resume {id} (and the --approve-url, \
             which bluegreen does not store); bluegreen resume {id} --approve continues without \
             approval"
        ))
    }

    /// A deployment that could not be taken over, before anything was changed.
    fn taking_over(id: &str, error: DriveError) -> Failed {
        match error {
            DriveError::Shared(
                error @ (SharedError::Damaged { .. }
                | SharedError::Newer { .. }
                | SharedError::Unauthenticated { .. }),
            ) => error.into(),
            error => Failed::drive(id, error),
        }
    }

    /// A run of the driver that ended early: the deployment stands at its last checkpoint.
    pub(super) fn drive(id: &str, error: DriveError) -> Failed {
        Failed::driving(id, error).of(id)
    }

    fn driving(id: &str, error: DriveError) -> Failed {
        let resume = format!("continue with: bluegreen resume {}", for_shell(id));
        match error {
            DriveError::Store(
                error @ (StoreError::Write { .. }
                | StoreError::Open { .. }
                | StoreError::NotAJournal { .. }
                | StoreError::Damaged { .. }
                | StoreError::Locked { .. }),
            ) => Failed::new(Exit::Interrupted, error)
                .hint(format!("see to the journal, then {resume}")),
            DriveError::Store(error) => Failed::from(error),
            DriveError::Signal
            | DriveError::Unreachable { .. }
            | DriveError::BucketAway { .. }
            | DriveError::Credentials(_)
            | DriveError::Shared(
                SharedError::Away { .. }
                | SharedError::Meddled { .. }
                | SharedError::LeaseRemoved { .. }
                | SharedError::Unusable {
                    error: LookError::Passing(_) | LookError::Credentials(_),
                    ..
                },
            ) => Failed::new(Exit::Interrupted, error).hint(resume),
            DriveError::Shared(error @ SharedError::Unusable { .. }) => {
                Failed::new(Exit::Denied, error)
                    .hint(format!("nothing is lost; once it is put right, {resume}"))
            }
            DriveError::Shared(
                error @ (SharedError::Damaged { .. }
                | SharedError::Newer { .. }
                | SharedError::Unauthenticated { .. }),
            ) => Failed::new(Exit::Interrupted, error).hint(format!(
                "somebody has written that meanwhile; the journal has the requests to AWS: repair \
                 the object, then {resume}"
            )),
            DriveError::Shared(error) => Failed::from(error),
            DriveError::Denied(_) | DriveError::Refused(_) => Failed::new(Exit::Denied, error)
                .hint(format!("nothing is lost; once it is put right, {resume}")),
        }
    }
}
