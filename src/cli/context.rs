//! What the commands share: the journal, the connection to AWS or to a sandbox,
//! the clock, and the signals.

use std::collections::HashMap;
#[cfg(feature = "sandbox")]
use std::path::Path;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use tokio::sync::OnceCell;
use tracing::warn;

use super::exit::{Exit, Failed, without_roots};
use super::signals::Signals;
use super::unheeded::Unheeded;
use crate::clock::Clock;
use crate::cloud::{AccountLimits, AwsCloud, Connection, Recorder, connect};
#[cfg(feature = "sandbox")]
use crate::config::EMBEDDED;
use crate::config::Options;
use crate::plan::Plan;
use crate::prober::HttpProber;
use crate::report::{Entry, Runner};
use crate::store::{Store, StoreError, is_in_use, set_aside};
use crate::telemetry::Trace;
use crate::text::for_shell;

/// What distinguishes accounts and regions without a request to AWS: the profile, the role and the
/// region.
type Account = (Option<String>, Option<String>, Option<String>);

/// What every command works with.
pub(super) struct Context {
    pub options: Options,
    pub store: Store,
    pub clock: Clock,
    /// Records the requests to AWS, where that must begin before the first of them.
    pub recorder: Recorder,
    /// The spans and measurements of its deployment, where a collector is named.
    pub trace: Option<Arc<Trace>>,
    /// A flag that has no effect on the command, unless it has to make a plan anew.
    pub unheeded: Option<Unheeded>,
    connection: Connection,
    /// Made once: each new one would load the credentials anew.
    clients: OnceCell<(AwsCloud, SdkConfig)>,
    /// What the deployments of a fleet share of each account and region; `None` for a command that
    /// carries one deployment on.
    limits: Option<Arc<Mutex<HashMap<Account, AccountLimits>>>>,
    /// What interrupts the command, and what the command says then.
    pub signals: Signals,
    #[cfg(feature = "sandbox")]
    pub sandbox: Option<super::sandbox::InUse>,
}

impl Context {
    /// Opens the journal, and the sandbox where the options name one.
    pub async fn open(options: &Options) -> Result<Context, Failed> {
        let context = Context::of_journal(options)?;
        #[cfg(feature = "sandbox")]
        let context = context.in_sandbox().await?;
        Ok(context)
    }

    /// Opens the journal for a command that carries out a deployment. It sets a damaged journal
    /// aside where the bucket has a copy and no other runner uses the journal.
    /// `unheeded` is the flag that it would not heed.
    pub async fn to_drive(
        options: &Options,
        id: Option<&str>,
        unheeded: Option<Unheeded>,
    ) -> Result<Context, Failed> {
        let path = state_path(options)?;
        let whole = Store::open(&path).and_then(|store| store.newest().map(drop));
        if let Err(error @ StoreError::Damaged { .. }) = whole {
            if is_in_use(&path) {
                let message = format!("{error}, and another runner uses it");
                return Err(
                    Failed::new(Exit::Busy, message).hint("let that one come to its end first")
                );
            }
            if !Context::bucket_has(options, id).await? {
                return Err(error.into());
            }
            let aside = set_aside(&path, Clock::system().now())?;
            warn!(
                "{error}; it was put aside as {}, and a new one is begun: what the bucket holds is \
                 recovered from there",
                aside.display()
            );
        }
        let context = Context::open(options).await?;
        Ok(Context {
            unheeded,
            ..context
        })
    }

    /// Whether the named bucket has a copy of this deployment, or of any unfinished one where no
    /// deployment is named.
    async fn bucket_has(options: &Options, id: Option<&str>) -> Result<bool, Failed> {
        let context = Context::with_journal(options, Store::in_memory()?)?;
        #[cfg(feature = "sandbox")]
        let context = context.in_sandbox().await?;
        let Some(shared) = context.shared().await? else {
            return Ok(false);
        };
        Ok(match id {
            Some(id) => shared.deployment(&id.to_uppercase()).await?.is_some(),
            None => {
                let listed = shared.unfinished(context.clock.now()).await?;
                !listed.found.is_empty() || !listed.answered()?.is_empty()
            }
        })
    }

    /// Opens the journal for a command that only reads: where the sandbox cannot be reached, it
    /// reads the journal alone. An empty journal without a bucket is no answer.
    pub async fn for_reading(options: &Options) -> Result<Context, Failed> {
        let context = Context::that_reads(options).await?;
        if context.store.is_empty()? {
            let journal = context.store.path().display();
            let why = format!("the journal {journal} has no deployment");
            context.names_a_bucket(&why)?;
        }
        Ok(context)
    }

    async fn that_reads(options: &Options) -> Result<Context, Failed> {
        #[cfg(feature = "sandbox")]
        match Context::to_read(options)?.in_sandbox().await {
            Ok(context) => return Ok(context),
            // That there is none is only said of what was read.
            Err(failed) if Context::to_read(options)?.store.unfinished()?.is_empty() => {
                return Err(failed);
            }
            Err(failed) => warn!("{}", failed.message()),
        }
        #[cfg(feature = "sandbox")]
        let options = &Options {
            no_shared_state: true,
            ..options.clone()
        };
        Context::to_read(options)
    }

    /// The journal alone, for what only reads.
    fn to_read(options: &Options) -> Result<Context, Failed> {
        Context::with_journal(options, Store::open_to_read(&state_path(options)?)?)
    }

    /// The deployment as the journal that the options name has it; `None` where that has it not.
    pub fn entry_of(options: &Options, id: &str) -> Option<Entry> {
        let store = Store::open_to_read(&state_path(options).ok()?).ok()?;
        let deployment = store.find(id).ok()??;
        let transitions = store.transitions(id).unwrap_or_default();
        let events = store.events(id).unwrap_or_default();
        Some(Entry {
            runner: Runner::other_than_this(store.is_driven(id)),
            ..Entry::of(deployment, transitions, events)
        })
    }

    /// For what needs AWS, or a sandbox, and no journal.
    pub async fn without_journal(options: &Options) -> Result<Context, Failed> {
        let context = Context::with_journal(options, Store::in_memory()?)?;
        #[cfg(feature = "sandbox")]
        let context = context.in_sandbox().await?;
        Ok(context)
    }

    /// The region that is named, or a sandbox's.
    pub fn region(&self) -> Option<&str> {
        self.connection.region.as_deref()
    }

    /// Opens the journal alone, for what needs neither AWS nor a sandbox.
    pub fn of_journal(options: &Options) -> Result<Context, Failed> {
        Context::with_journal(options, Store::open(&state_path(options)?)?)
    }

    fn with_journal(options: &Options, store: Store) -> Result<Context, Failed> {
        let named = options.profile.clone().filter(|name| !name.is_empty());
        let profile = match named {
            Some(named) => Some(named),
            None => sso_profile()?,
        };
        let (trace, recorder) = traced();
        Ok(Context {
            store,
            options: options.clone(),
            clock: Clock::system(),
            recorder,
            trace,
            unheeded: None,
            connection: Connection {
                region: named_region(options),
                profile,
                role: options.assumed_role(),
                sandbox: None,
            },
            clients: OnceCell::new(),
            limits: None,
            signals: Signals::of_this_process()?,
            #[cfg(feature = "sandbox")]
            sandbox: None,
        })
    }

    /// How to begin anew in the sandbox that `--sandbox` names; `None` where it names none.
    #[cfg(feature = "sandbox")]
    pub fn how_to_begin_anew(&self) -> Result<Option<String>, Failed> {
        let Some(which) = self.options.sandbox() else {
            return Ok(None);
        };
        if which != EMBEDDED {
            return Ok(Some(
                "to begin anew, restart `bluegreen sandbox`, with --fresh if it has a --directory"
                    .to_owned(),
            ));
        }
        let journal = state_path(&self.options)?;
        let (world, journal) = (world_folder(&journal), journal.display());
        Ok(Some(format!(
            "to begin anew, remove the sandbox's world and its journal: \
             rm -r {} {}*",
            for_shell(&world.display().to_string()),
            for_shell(&journal.to_string())
        )))
    }

    /// Moves the context into the sandbox that `--sandbox` names: its endpoint,
    /// its clock and its seeded names.
    #[cfg(feature = "sandbox")]
    async fn in_sandbox(mut self) -> Result<Context, Failed> {
        let Some(which) = self.options.sandbox() else {
            return Ok(self);
        };
        let folder = world_folder(&state_path(&self.options)?);
        let sandbox = super::sandbox::InUse::begin(&which, folder, &self.options).await?;
        self.clock = sandbox.clock;
        self.connection = Connection {
            region: Some(
                self.options
                    .region
                    .clone()
                    .unwrap_or_else(|| "us-east-1".to_owned()),
            ),
            profile: None,
            role: self.options.assumed_role(),
            sandbox: Some(sandbox.endpoint.clone()),
        };
        name_the_seeded(&mut self.options);
        self.sandbox = Some(sandbox);
        Ok(self)
    }

    /// A copy of this context with a connection of its own to the journal, for another deployment
    /// that runs at the same time. Both share an embedded sandbox.
    pub fn another(&self) -> Result<Context, Failed> {
        let (trace, recorder) = traced();
        Ok(Context {
            options: self.options.clone(),
            store: Store::open(self.store.path())?,
            clock: self.clock,
            recorder,
            trace,
            unheeded: None,
            connection: self.connection.clone(),
            clients: OnceCell::new(),
            limits: self.limits.clone(),
            signals: self.signals.apart(),
            #[cfg(feature = "sandbox")]
            sandbox: None,
        })
    }

    /// A context for one target of a fleet, with a connection of its own to the journal: in the
    /// target's region, with its profile or role.
    pub fn of_target(&self, options: Options) -> Result<Context, Failed> {
        let sandbox = self.connection.sandbox.clone();
        let region = named_region(&options);
        let region =
            region.or_else(|| self.connection.region.clone().filter(|_| sandbox.is_some()));
        let profile = match options.profile.clone().filter(|name| !name.is_empty()) {
            Some(named) if sandbox.is_none() => Some(named),
            _ => self.connection.profile.clone(),
        };
        let connection = Connection {
            region,
            profile,
            role: options.assumed_role(),
            sandbox,
        };
        Ok(Context {
            options,
            connection,
            ..self.another()?
        })
    }

    /// The clients of AWS, or of the sandbox.
    pub async fn cloud(&self) -> Result<(AwsCloud, SdkConfig), Failed> {
        let clients = self.clients.get_or_try_init(|| async {
            let config = connect(&self.connection).await?;
            let proxy = self
                .connection
                .sandbox
                .as_ref()
                .map(|sandbox| sandbox.url.as_str());
            let prober = HttpProber::new(proxy).map_err(without_roots)?;
            let recorder = self.recorder.clone();
            let limits = self.limits_of_this_account();
            let cloud = AwsCloud::within(limits, &config, Arc::new(prober), recorder)
                .encrypting(self.options.sse.clone())
                .authenticating(self.options.state_key()?);
            Ok::<_, Failed>((cloud, config))
        });
        clients.await.cloned()
    }

    /// From now on the deployments of this command, and of the contexts made of it, share a rate of
    /// calls for each account and region.
    pub fn share_limits(&mut self) {
        self.limits = Some(Arc::default());
    }

    fn limits_of_this_account(&self) -> Option<AccountLimits> {
        let connection = &self.connection;
        let role = connection.role.as_ref().map(|role| role.arn.clone());
        let account = (connection.profile.clone(), role, connection.region.clone());
        let speed = connection.sandbox.as_ref().map_or(1.0, |s| s.speed);
        let mut limits = self
            .limits
            .as_ref()?
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let of_account = limits.entry(account);
        let made = of_account.or_insert_with(|| AccountLimits::new(speed));
        Some(made.clone())
    }

    /// The clients for a deployment, in its region.
    pub async fn cloud_of(&mut self, plan: &Plan) -> Result<AwsCloud, Failed> {
        let target = &plan.target;
        if let Some(region) = self.options.region.as_ref().filter(|r| !r.is_empty())
            && *region != target.region
        {
            let message = format!(
                "--region {region}: deployment {} is in {}",
                plan.id, target.region
            );
            let hint = format!("say --region {}", for_shell(&target.region));
            return Err(Failed::new(Exit::Refused, message).hint(hint));
        }
        if self.connection.region.as_ref() != Some(&target.region) {
            self.connection.region = Some(target.region.clone());
            self.clients = OnceCell::new();
        }
        let (cloud, _) = self.cloud().await?;
        Ok(cloud)
    }
}

/// A trace for one deployment, and a recorder that reports the calls of AWS to it; neither does
/// anything where no collector is named.
fn traced() -> (Option<Arc<Trace>>, Recorder) {
    match super::telemetry::of_this_process() {
        None => (None, Recorder::default()),
        Some(telemetry) => {
            let trace = Arc::new(Trace::new(telemetry));
            let recorder = Recorder::default().observed_by(trace.clone());
            (Some(trace), recorder)
        }
    }
}

/// The names of what a sandbox is seeded with, where none are given.
#[cfg(feature = "sandbox")]
pub(super) fn name_the_seeded(options: &mut Options) {
    let seeded = |value: &mut Option<String>, seed: &str| {
        value.get_or_insert_with(|| seed.to_owned());
    };
    seeded(&mut options.app, "shop");
    seeded(&mut options.blue, "shop-blue");
    seeded(&mut options.bucket, "shop-artifacts");
}

/// The region that is named; an empty variable is none, as CI systems set it.
fn named_region(options: &Options) -> Option<String> {
    let variable = |name| std::env::var(name).ok();
    [
        options.region.clone(),
        variable("AWS_REGION"),
        variable("AWS_DEFAULT_REGION"),
    ]
    .into_iter()
    .flatten()
    .find(|region| !region.is_empty())
}

/// The profile that `AUTH_METHOD=SSO` selects.
pub(super) fn sso_profile() -> Result<Option<String>, Failed> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    match (set("AUTH_METHOD"), set("SSO_PROFILE")) {
        (Some(method), None) if method.eq_ignore_ascii_case("SSO") => Err(Failed::new(
            Exit::Refused,
            "AUTH_METHOD is SSO, and SSO_PROFILE names no profile",
        )),
        (Some(method), profile) if method.eq_ignore_ascii_case("SSO") => Ok(profile),
        _ => Ok(None),
    }
}

/// The folder of an embedded sandbox's world, beside the journal.
#[cfg(feature = "sandbox")]
fn world_folder(journal: &Path) -> PathBuf {
    journal.with_extension("sandbox")
}

/// The journal's path: the one that is named, else one in the user's state
/// folder, a sandbox's apart from the real one.
fn state_path(options: &Options) -> Result<PathBuf, Failed> {
    if let Some(path) = options
        .state
        .as_ref()
        .filter(|path| !path.as_os_str().is_empty())
    {
        #[cfg(feature = "sandbox")]
        if options.sandbox().as_deref() == Some(EMBEDDED) && *path == world_folder(path) {
            return Err(Failed::new(
                Exit::Refused,
                format!(
                    "--state {} is the folder in which the embedded sandbox keeps its world",
                    path.display()
                ),
            )
            .hint(format!(
                "give the journal another name, as in --state {}",
                for_shell(&path.with_extension("db").display().to_string())
            )));
        }
        return Ok(path.clone());
    }
    let absolute = |variable| {
        std::env::var_os(variable)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let folder = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .ok_or_else(|| {
            Failed::new(
                Exit::Refused,
                "there is no folder for the journal: HOME is not set",
            )
            .hint("name a file with --state or BLUEGREEN_STATE")
        })?;
    #[cfg(feature = "sandbox")]
    let name = if options.sandbox().is_some() {
        "sandbox.db"
    } else {
        "bluegreen.db"
    };
    #[cfg(not(feature = "sandbox"))]
    let name = "bluegreen.db";
    Ok(folder.join("bluegreen").join(name))
}
