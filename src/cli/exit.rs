//! Exit codes and the errors that people read, in one place.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use super::harmless;
use crate::acceptance::Unset;
use crate::bundle::BundleError;
use crate::cloud::ConnectError;
use crate::cloud::{LookError, is_clock};
use crate::config::ConfigError;
use crate::config::file::FileError;
use crate::config::layers::Layers;
use crate::driver::DriveError;
use crate::journal::JournalError;
use crate::machine::NotPossible;
use crate::preflight::Refused;
use crate::secrets::Secrets;
use crate::shared::{HeldLease, LEASES, SharedError};
use crate::store::StoreError;
use crate::text::for_shell;

/// The exit codes of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Completed, or paused as asked.
    Completed = 0,
    /// A bug.
    Bug = 1,
    /// Wrong usage.
    Usage = 2,
    /// Configuration or preflight refused; nothing was changed.
    Refused = 3,
    /// Rolled back; the service is safe.
    RolledBack = 10,
    /// A person is needed.
    Stuck = 11,
    /// Another process or deployment holds it.
    Busy = 12,
    /// There is no such deployment.
    NoDeployment = 13,
    /// Held; green serves.
    Held = 14,
    /// AWS refused; nothing is lost.
    Denied = 20,
    /// Interrupted; `resume` continues.
    Interrupted = 75,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
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
}

impl Failed {
    pub(super) fn new(exit: Exit, message: impl Display) -> Failed {
        Failed {
            exit,
            message: message.to_string(),
            hint: None,
            passing: false,
        }
    }

    pub(super) fn bug(error: &dyn Display) -> Failed {
        Failed::new(Exit::Bug, error)
    }

    pub(super) fn hint(mut self, hint: impl Display) -> Failed {
        self.hint = Some(hint.to_string());
        self
    }

    /// The same, saying first what it is about.
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

    /// Says it on standard error; with the layers also where the values of the flags
    /// come from that it names.
    pub(super) fn print(&self, layers: Option<&Layers>) {
        complain(&format!("error: {}", self.message));
        for place in layers.map_or_else(Vec::new, |layers| layers.places(&self.message)) {
            complain(&format!("note: {place}"));
        }
        if let Some(hint) = &self.hint {
            complain(&format!("hint: {hint}"));
        }
    }
}

/// Standard error may be closed; that is no reason to fail otherwise.
fn complain(text: &str) {
    let text = Secrets::default().hide(text);
    let _ = writeln!(std::io::stderr(), "{}", harmless(&text));
}

impl From<ConfigError> for Failed {
    fn from(error: ConfigError) -> Failed {
        Failed::new(Exit::Refused, error)
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
        Failed::new(Exit::Refused, error)
    }
}

impl From<BundleError> for Failed {
    fn from(error: BundleError) -> Failed {
        Failed::new(Exit::Refused, error)
    }
}

impl From<NotPossible> for Failed {
    fn from(error: NotPossible) -> Failed {
        Failed::new(Exit::Refused, error)
    }
}

impl From<Refused> for Failed {
    fn from(error: Refused) -> Failed {
        let nothing = "nothing was changed";
        match error {
            Refused::Look(error) => Failed::from(error),
            Refused::Checks(ref findings) => {
                let refusals = findings.iter().filter(|finding| finding.refuses());
                let may = refusals.filter(|refusal| refusal.may_be_allowed());
                let names: Vec<_> = may.map(|refusal| refusal.check).collect();
                let allow = names.iter().map(|check| format!(" --allow {check}"));
                let hint = match names.is_empty() {
                    true => nothing.to_owned(),
                    false => format!(
                        "{nothing};{} would override, docs/use/checks.md says what follows then",
                        allow.collect::<String>()
                    ),
                };
                Failed::new(Exit::Refused, error).hint(hint)
            }
            other => Failed::new(Exit::Refused, other).hint(nothing),
        }
    }
}

/// A look that failed before anything was changed.
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
            LookError::Credentials(why) => {
                let renew = match is_clock(&why) {
                    true => "set this machine's clock",
                    false => "set AWS_PROFILE or AWS_ACCESS_KEY_ID, or renew the session",
                };
                Failed::new(
                    Exit::Refused,
                    format!("AWS did not take the credentials: {why}"),
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
                "`bluegreen status {id} --watch` follows it, `bluegreen abort {id}` stops it"
            )),
            StoreError::InFlight { id, .. } => Some(format!(
                "`bluegreen resume {id}` continues it, `bluegreen abort {id}` rolls back"
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
        let failed = Failed::new(exit, error);
        match hint {
            Some(hint) => failed.hint(hint),
            None => failed,
        }
    }
}

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

/// Somebody else holds the target's lease.
impl From<HeldLease> for Failed {
    fn from(held: HeldLease) -> Failed {
        let id = for_shell(&held.lease.deployment);
        let when =
            humantime::format_duration(std::time::Duration::from_secs(held.runs_out_in.as_secs()));
        Failed::new(Exit::Busy, held.lease.in_words()).hint(match held.has_begun {
            true => format!(
                "unless its holder renews it, it can be taken in {when}, with `bluegreen resume \
                 {id}`; `bluegreen abort {id}` cancels the deployment"
            ),
            false => format!(
                "nothing has begun under it yet; unless its holder renews it, it can be taken in \
                 {when}, with another `bluegreen run`: `--wait 1h` queues"
            ),
        })
    }
}

impl Failed {
    /// A deployment that could not be taken up, before anything was changed.
    pub(super) fn taking_up(id: &str, error: DriveError) -> Failed {
        match error {
            DriveError::Shared(
                error @ (SharedError::Damaged { .. }
                | SharedError::Newer { .. }
                | SharedError::Unauthenticated { .. }),
            ) => error.into(),
            error => Failed::drive(id, error),
        }
    }

    /// A drive that ended early: the deployment stands at its last checkpoint.
    pub(super) fn drive(id: &str, error: DriveError) -> Failed {
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
