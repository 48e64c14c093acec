//! `bluegreen run`: makes a plan, writes it into the journal, and carries it out.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use tracing::{info, warn};

use super::context::Context;
use super::exit::{Exit, Failed};
use super::github;
use super::output::{emit, tell, warn_of};
use super::session::{Console, go_on};
use crate::acceptance::all_set;
use crate::bundle;
use crate::claim::{Attempted, ClaimError, Obstacle, WaitsFor};
use crate::cloud::AwsCloud;
use crate::config::keys::RELEASE;
use crate::config::{Config, Named, Options, OutputFlag};
use crate::facts::is_healthy;
use crate::hooks::{Hook, OnFailure};
use crate::machine::Order;
use crate::plan::{self, Bundle, BundleFile, Goal};
use crate::preflight::{Check, Finding, Refused, Wanted};
use crate::report::jsonl::Line;
use crate::session::{Error, Outcome, Release};
use crate::table::duration;
use crate::text::foreign;

/// What `run` takes.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(id = RELEASE)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// Where users are at the end: on blue again, or on green
    #[arg(long, env = "BLUEGREEN_STRATEGY", value_enum, default_value_t)]
    strategy: Strategy,
    /// Pause before a swap until `resume`: the first (swap) or the last (cutover)
    #[arg(
        long,
        env = "BLUEGREEN_PAUSE_BEFORE",
        value_enum,
        value_name = "SWAP",
        value_delimiter = ','
    )]
    pause_before: Vec<Pause>,
    /// Pause before the last swap (--pause-before cutover)
    #[arg(long, env = "BLUEGREEN_PAUSE_BEFORE_CUTOVER")]
    pause_before_cutover: bool,
    #[command(flatten)]
    overridden: Overridden,
    #[command(flatten)]
    pub(super) output: OutputFlag,
}

/// Which version, and whether to wait in the queue.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Which {
    /// Version to release [default: with --bundle its name and hash, else the newest processed one]
    #[arg(long, env = "VERSION_LABEL", value_name = "LABEL")]
    version_label: Option<String>,
    /// Source bundle to upload and register
    #[arg(
        long,
        env = "BLUEGREEN_BUNDLE",
        value_name = "FILE",
        conflicts_with = "s3_key"
    )]
    bundle: Option<PathBuf>,
    /// Source bundle in the bucket to register
    #[arg(long, env = "S3_ARTIFACTS_OBJECT", value_name = "KEY")]
    s3_key: Option<String>,
    /// Release the registered version if the label is registered with another bundle
    #[arg(long, env = "BLUEGREEN_REUSE_VERSION")]
    pub reuse_version: bool,
    /// How long to queue behind other releases, and to wait until blue is Ready and healthy
    #[arg(long, env = "BLUEGREEN_WAIT", value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub wait: Duration,
}

/// The checks whose refusals are overridden.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Overridden {
    /// Check whose refusal to override, as `bluegreen plan` names it; may be repeated
    #[arg(
        long,
        env = "BLUEGREEN_ALLOW",
        value_name = "CHECK",
        value_delimiter = ','
    )]
    allow: Vec<Check>,
    /// Release although a database belongs to blue (--allow coupled-database): green gets an empty
    /// one of its own and writes there while users are on it; it is deleted with green or kept as a
    /// snapshot, as its deletion policy says
    #[arg(long, env = "BLUEGREEN_ALLOW_COUPLED_DATABASE")]
    allow_coupled_database: bool,
}

/// The value of `--strategy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Strategy {
    /// Deploy to blue while users are on green, swap back, terminate green
    #[default]
    Restore,
    /// Launch green on the version, swap once, terminate blue after the bake
    Promote,
}

/// The value of `--pause-before`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Pause {
    /// The first swap: green is ready, users are on blue
    Swap,
    /// The last swap; with --strategy promote this is also the first one
    Cutover,
}

impl Args {
    /// These flags, pausing before the last swap.
    pub fn pausing(mut self) -> Args {
        self.pause_before_cutover = true;
        self
    }

    /// These flags with another version, or with the newest one.
    pub fn version(&mut self, version: Option<String>) {
        self.which.version_label = version;
    }

    /// The version that is named.
    pub fn version_label(&self) -> Option<String> {
        self.which.version_label.clone()
    }

    /// Whether its bundle is a file on this machine.
    pub fn names_a_bundle(&self) -> bool {
        self.which.bundle.is_some()
    }

    /// How long the release waits in the queue.
    pub fn wait(&self) -> Duration {
        self.which.wait
    }

    /// These flags without their bundle, which may not be built yet.
    pub fn without_bundle(&self) -> Args {
        let mut without = self.clone();
        without.which.bundle = None;
        without
    }
}

impl Overridden {
    /// Their names.
    pub fn checks(&self) -> Vec<Check> {
        let database = self.allow_coupled_database;
        let database = database.then_some(Check::CoupledDatabase);
        self.allow.iter().copied().chain(database).collect()
    }
}

impl Which {
    /// The version's label and its bundle, which is read.
    pub fn version(&self, config: &Config) -> Result<(Option<String>, Option<Bundle>), Failed> {
        let mut label = self.version_label.clone().filter(|label| !label.is_empty());
        let key = self.s3_key.as_ref().filter(|key| !key.is_empty());
        if key.is_some() && label.is_none() {
            return Err(Failed::new(
                Exit::Refused,
                "--s3-key needs --version-label: the label to register the bundle under",
            ));
        }
        let bundle = match (&self.bundle, key) {
            (Some(path), _) => {
                let file = opened(path)?;
                label.get_or_insert_with(|| bundle::label(&file));
                Some(bundle::addressed(&config.app, file))
            }
            (None, Some(key)) => Some(Bundle {
                key: key.clone(),
                file: None,
            }),
            (None, None) => None,
        };
        if let Some(label) = &label {
            is_version_label(label)?;
        }
        Ok((label, bundle))
    }
}

/// A bundle that Elastic Beanstalk can deploy, with its length and its hash.
pub(super) fn opened(path: &Path) -> Result<BundleFile, Failed> {
    for warning in bundle::examine(path)? {
        warn!("{warning}");
    }
    Ok(bundle::read(path)?)
}

/// Refuses what no version may be called.
pub(super) fn is_version_label(label: &str) -> Result<(), Failed> {
    if (1..=100).contains(&label.chars().count()) && !label.contains('/') {
        return Ok(());
    }
    let message =
        format!("--version-label {label:?}: a version label has 1 to 100 characters and no slash");
    Err(Failed::new(Exit::Refused, message))
}

impl Args {
    /// The release that the flags describe; reads the bundle.
    pub fn wanted(&self, config: &Config) -> Result<Wanted, Failed> {
        let (label, bundle) = self.which.version(config)?;
        let cutover = self.pause_before_cutover || self.pause_before.contains(&Pause::Cutover);
        let swap = self.pause_before.contains(&Pause::Swap);
        let needs_a_pause = [
            (config.wishes.asks_approval, "--approve-url", "the URL"),
            (config.detaches, "--detach-at pause", "--detach-at"),
        ];
        for (_, flag, it) in needs_a_pause.iter().filter(|(is_set, ..)| *is_set) {
            if !swap && !cutover {
                let message = format!("{flag} needs a pause: add --pause-before cutover");
                return Err(Failed::new(Exit::Refused, message).hint(format!(
                    "nothing was changed; add --pause-before cutover, or leave {it} out"
                )));
            }
        }
        if config.wishes.approval.is_some() && !config.wishes.asks_approval && (swap || cutover) {
            warn!(
                "--approve-limit bounds the wait for --approve-url; without it the run ends at its \
                 pause, and `bluegreen resume` approves it"
            );
        }
        let promotes = self.strategy == Strategy::Promote;
        let holds = |hook: &&Hook| hook.on_failure == OnFailure::Hold;
        if let Some(hook) = config.wishes.hooks.iter().find(holds).filter(|_| promotes) {
            return Err(Failed::new(
                Exit::Refused,
                format!(
                    "--hook {hook}: on-failure: with --strategy promote green never serves while \
                     blue is repaired, so nothing can be held; write \"rollback\" or \"ignore\""
                ),
            ));
        }
        Ok(Wanted {
            label,
            bundle,
            strategy: match self.strategy {
                Strategy::Restore => plan::Strategy::Restore,
                Strategy::Promote => plan::Strategy::Promote,
            },
            pause_before_swap: swap || promotes && cutover,
            pause_before_cutover: cutover && !promotes,
            allow: self.overridden.checks(),
            reuse_version: self.which.reuse_version,
        })
    }
}

pub(super) async fn run(options: &Options, args: &Args) -> Result<Exit, Failed> {
    let mut context = Context::open(options).await?;
    let config = context.options.config()?;
    check(&config)?;
    let wanted = args.wanted(&config)?;
    begin(&mut context, &config, &wanted, args.which.wait).await
}

/// Warns of settings that may not do what the operator means, and refuses tests and receivers
/// whose variables are not set.
pub(super) fn check(config: &Config) -> Result<(), Failed> {
    warn_of(config);
    all_set(&config.wishes.tests, |name| std::env::var(name).ok())?;
    let holds = |name: &str| std::env::var(name).is_ok_and(|value| !value.trim().is_empty());
    for receiver in &config.wishes.notify {
        if let Some(name) = receiver.variables().find(|name| !holds(name)) {
            let message =
                format!("the variable {name} is not set, which --notify {receiver} needs");
            return Err(Failed::new(Exit::Refused, message)
                .hint("nothing was changed; set it, then try again"));
        }
    }
    Ok(())
}

/// Begins the release once nothing is in its way.
pub(super) async fn begin(
    context: &mut Context,
    config: &Config,
    wanted: &Wanted,
    wait: Duration,
) -> Result<Exit, Failed> {
    let (cloud, sdk) = context.cloud().await?;
    let region = sdk.region().map(ToString::to_string).unwrap_or_default();
    let release = Release {
        config,
        wanted,
        region: &region,
        wait,
        id: None,
    };
    // What an earlier run of the same version has left is continued, and not waited for.
    let at_once = Release {
        wait: Duration::ZERO,
        ..release
    };
    let mut done = release_with(context, &cloud, at_once).await?;
    if let Err(error) = &done
        && let Some(id) = left_by(context, error, wanted)
    {
        info!(
            id,
            "continuing this deployment, which an earlier run of {} has left: it keeps its settings",
            wanted.label.as_deref().unwrap_or_default()
        );
        let found = context.find(Some(&id)).await?;
        let named = Named::default();
        match go_on(context, found, Order::Resume, Goal::Release, named).await {
            // Its runner is alive.
            Err(failed) if failed.exit() == Exit::Busy && !wait.is_zero() => {}
            ended => return ended,
        }
    }
    let may_pass = |error: &Error| !matches!(error.waits_for(), WaitsFor::Nothing);
    if !wait.is_zero() && done.as_ref().is_err_and(may_pass) {
        done = release_with(context, &cloud, release).await?;
    }
    match &done {
        Err(Error::Refused(Refused::Checks(findings)))
            if is_live_already(findings) && wanted.strategy != plan::Strategy::Rehearse =>
        {
            already_live(context, config).await
        }
        _ => context.told(done, Goal::Release).await,
    }
}

async fn release_with(
    context: &mut Context,
    cloud: &AwsCloud,
    release: Release<'_>,
) -> Result<Result<Outcome, Error>, Failed> {
    let console = Console::new(context);
    let mut session = context.session(cloud.clone(), &console)?;
    Ok(console.traced(Box::pin(session.release(release))).await)
}

/// The unfinished deployment that is in the way of a release, where it is one of the same version
/// and no process is heard of that carries it on: an earlier run has left it.
fn left_by(context: &Context, error: &Error, wanted: &Wanted) -> Option<String> {
    let Error::Claim(ClaimError::Obstructed(obstacle)) = error else {
        return None;
    };
    let Obstacle::Unfinished {
        deployment, lease, ..
    } = &**obstacle
    else {
        return None;
    };
    let plan = &deployment.plan;
    let is_same = wanted.label.as_ref() == Some(&plan.version)
        && wanted.strategy == plan.strategy
        && plan.goal == Goal::Release
        && !deployment.state.rests()
        && !context.is_carried_on(deployment, lease.as_ref());
    is_same.then(|| plan.id.clone())
}

/// Whether nothing speaks against a release but that its version is live.
pub(super) fn is_live_already(findings: &[Finding]) -> bool {
    let mut refusals = findings.iter().filter(|finding| finding.refuses());
    refusals.all(|refusal| refusal.check == Check::SomethingNew)
}

/// Says that the version is live: a run that is repeated has nothing to do, and succeeds.
async fn already_live(context: &Context, config: &Config) -> Result<Exit, Failed> {
    let (cloud, _) = context.cloud().await?;
    let found = cloud
        .environments(std::slice::from_ref(&config.blue))
        .await?;
    let Some(blue) = found.first() else {
        return Err(Failed::bug(&"blue is gone"));
    };
    let version = blue.version_label.as_deref().unwrap_or_default();
    let health = blue.health_status.as_ref().unwrap_or(&blue.health);
    let told = match is_healthy(blue, config.wishes.healthy) {
        true => "healthy".to_owned(),
        false => format!("health {health}"),
    };
    let users = format!("Users: {version} on {}, {told}", blue.name);
    let message = format!("{version} is live already: nothing was changed");
    tell(&foreign(&users));
    tell(&foreign(&message));
    emit(|| Line::Outcome {
        of: None,
        exit_code: Exit::Completed.code(),
        message: &message,
        deployment: None,
    });
    if github::is_running() {
        github::tell_live(version, &blue.name, &users);
    }
    #[cfg(feature = "sandbox")]
    if let Some(how) = context.how_to_begin_anew()? {
        tell(&how);
    }
    Ok(Exit::Completed)
}
