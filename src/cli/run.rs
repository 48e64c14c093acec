//! `bluegreen run`: makes a plan, writes it down, and drives.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use tracing::{info, warn};

use super::context::Context;
use super::plan::surroundings;
use super::session::{Asked, drive_new};
use super::signals::Standing;
use super::{Exit, Failed};
use crate::acceptance::all_set;
use crate::bundle;
use crate::clock::Stopwatch;
use crate::cloud::AwsCloud;
use crate::cloud::Environment;
use crate::config::keys::RELEASE;
use crate::config::{Config, Options};
use crate::deployment::Deployment;
use crate::facts::is_healthy;
use crate::health::Health;
use crate::hooks::{Hook, OnFailure};
use crate::plan::{self, Bundle, Plan};
use crate::preflight::{self, Check, Wanted};
use crate::shared::Lease;
use crate::store::StoreError;
use crate::table::duration;
use crate::turn::Turn;

/// What `run` takes.
#[derive(Clone, Debug, clap::Args)]
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
}

/// Which version, and whether to wait for a turn.
#[derive(Clone, Debug, clap::Args)]
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
#[derive(Clone, Debug, clap::Args)]
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
    /// The same, pausing before the last swap.
    pub fn pausing(mut self) -> Args {
        self.pause_before_cutover = true;
        self
    }

    /// The same without its bundle, which may not be built yet.
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
                let file = bundle::read(path)?;
                for warning in bundle::examine(path)? {
                    warn!("{warning}");
                }
                label.get_or_insert_with(|| bundle::label(&file));
                Some(bundle::addressed(&config.app, file))
            }
            (None, Some(key)) => Some(Bundle {
                key: key.clone(),
                file: None,
            }),
            (None, None) => None,
        };
        if let Some(label) = &label
            && (label.chars().count() > 100 || label.contains('/'))
        {
            return Err(Failed::new(
                Exit::Refused,
                format!(
                    "--version-label {label:?}: a version label has 1 to 100 characters and no slash"
                ),
            ));
        }
        Ok((label, bundle))
    }
}

impl Args {
    /// The release that is asked for; reads the bundle.
    pub fn wanted(&self, config: &Config) -> Result<Wanted, Failed> {
        let (label, bundle) = self.which.version(config)?;
        let cutover = self.pause_before_cutover || self.pause_before.contains(&Pause::Cutover);
        let swap = self.pause_before.contains(&Pause::Swap);
        if config.wishes.asks_approval && !swap && !cutover {
            let message = "--approve-url needs a pause: add --pause-before cutover";
            return Err(Failed::new(Exit::Refused, message)
                .hint("nothing was changed; add --pause-before cutover, or leave the URL out"));
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
    super::warn_of(&config);
    all_set(&config.wishes.tests, |name| std::env::var(name).ok())?;
    let wanted = args.wanted(&config)?;
    begin(&mut context, &config, &wanted, args.which.wait).await
}

/// Makes the plan of what is wanted once it is its turn, writes it down, and drives.
pub(super) async fn begin(
    context: &mut Context,
    config: &Config,
    wanted: &Wanted,
    wait: Duration,
) -> Result<Exit, Failed> {
    let (cloud, sdk) = context.cloud().await?;
    let region = sdk.region().map(ToString::to_string).unwrap_or_default();
    let id = ulid::Ulid::new().to_string();
    // Before the lease: whoever finds that held looks at this lock to see whether its
    // holder is alive.
    let lock = context.store.lock_drive(&id)?;
    let release = Release {
        cloud: &cloud,
        config,
        wanted,
        region: &region,
        id: &id,
        wait,
    };
    let mut turn: Option<Turn> = None;
    let begun = release.begin(context, &mut turn).await;
    if let (Err(_), Some(turn)) = (&begun, &turn) {
        turn.leave(&mut context.store).await;
    }
    let (deployment, lease) = begun?;
    let plan = &deployment.plan;
    match plan.strategy {
        plan::Strategy::Restore => info!(
            id,
            "releasing {} onto {}, which runs {}",
            plan.version,
            plan.target.blue,
            plan.previous_version
        ),
        plan::Strategy::Promote => info!(
            id,
            "releasing {} on {}, which takes the place of {} and its {}",
            plan.version,
            plan.green,
            plan.target.blue,
            plan.previous_version
        ),
        plan::Strategy::Rehearse => info!(
            id,
            "rehearsing {} on {}, a clone of {}, which is not touched",
            plan.version,
            plan.green,
            plan.target.blue
        ),
    }
    let asked = Asked::Release;
    drive_new(context, &cloud, deployment, lock, lease, asked).await
}

/// A release that is to begin, and how long it waits for its turn.
struct Release<'a> {
    cloud: &'a AwsCloud,
    config: &'a Config,
    wanted: &'a Wanted,
    region: &'a str,
    id: &'a str,
    wait: Duration,
}

/// What came of an attempt to begin.
enum Attempt {
    /// The deployment is in the journal, and its lease is taken.
    Begun(Box<(Deployment, Option<Lease>)>),
    /// Something is in the way that may pass.
    Busy(Failed),
    /// What was looked at has changed meanwhile.
    Again,
}

impl Release<'_> {
    /// Waits for its turn, and begins.
    async fn begin(
        &self,
        context: &mut Context,
        turn: &mut Option<Turn>,
    ) -> Result<(Deployment, Option<Lease>), Failed> {
        let mut told = String::new();
        let since = Stopwatch::start(&context.clock);
        loop {
            let busy = match self.attempt(context, turn).await {
                Ok(Attempt::Begun(begun)) => return Ok(*begun),
                Ok(Attempt::Busy(busy)) => busy,
                Ok(Attempt::Again) => continue,
                // What does not answer for now ends no wait.
                Err(failed) if failed.is_passing() => failed,
                Err(failed) => return Err(failed),
            };
            if since.elapsed_at_least() >= self.wait {
                return Err(busy);
            }
            if told != busy.message() {
                info!("waiting in the queue: {}", busy.message());
                busy.message().clone_into(&mut told);
            }
            context.rest(self.config.wishes.limits.poll).await?;
        }
    }

    /// Begins where it may; tells what is in the way where that may pass.
    async fn attempt(
        &self,
        context: &mut Context,
        turn: &mut Option<Turn>,
    ) -> Result<Attempt, Failed> {
        let (cloud, config) = (self.cloud, self.config);
        let signals = context.signals.clone();
        let look = async || Ok(preflight::find_target(cloud, config, self.region).await?);
        let mut found = signals.unless(look()).await?;
        let turn = match turn {
            Some(turn) => turn,
            none => {
                context.clock = cloud.corrected(context.clock);
                let turn = context.turn(cloud, config, &found.0, self.id)?;
                none.insert(match self.wait.is_zero() {
                    true => turn,
                    false => turn.waiting(),
                })
            }
        };
        let clock = context.clock;
        if !self.wait.is_zero() {
            // Its place in the queue.
            signals.stand(Standing::Holding);
        }
        let hindrance = async { Ok(turn.hindrance(&mut context.store, &clock, &found.1).await?) };
        if let Some(busy) = signals.unless(hindrance).await? {
            return Ok(Attempt::Busy(busy.into()));
        }
        if !self.wait.is_zero() {
            // What it waited for may have ended since that look.
            found = signals.unless(look()).await?;
        }
        // Whether a Warning is accepted, which blue's own settings may say, is preflight's to judge.
        let worth_checking = self.config.wishes.healthy.max(Health::Warning);
        if turn.waits_for_blue && !is_healthy(&found.1, worth_checking) {
            return Ok(Attempt::Busy(not_yet(&found.1)));
        }
        let label = self.wanted.label.as_deref();
        if self.wanted.strategy != plan::Strategy::Rehearse {
            let overtaken = async {
                Ok(turn
                    .not_overtaken(&mut context.store, &found.1, label)
                    .await??)
            };
            signals.unless(overtaken).await?;
        }
        let around = surroundings(&context.store, &found.0, &context.clock)?;
        let checked = async {
            let id = self.id.to_owned();
            Ok(preflight::plan(cloud, config, id, self.wanted, found, &around).await)
        };
        let plan = match signals.unless(checked).await? {
            Ok(plan) => plan,
            Err(refused) if refused.may_pass() => {
                turn.waits_for_blue = true;
                return Ok(Attempt::Busy(refused.into()));
            }
            Err(refused) => return Err(refused.into()),
        };
        signals.stand(Standing::Holding);
        let taking = async { Ok(turn.take(&context.store, &clock).await?) };
        let returned = async |taken: Result<_, _>| give_back(taken.unwrap_or_default()).await;
        let lease = match signals.take(taking, returned).await? {
            Ok(lease) => lease,
            Err(busy) => return Ok(Attempt::Busy(busy.into())),
        };
        // Another release may have come and gone between the plan and its turn.
        let begins = async {
            let fits = still_fits(&plan, cloud, config).await?;
            if fits {
                turn.begins(&mut context.store, &clock).await;
            }
            Ok(fits)
        };
        match signals.unless(begins).await {
            Ok(true) => {}
            Ok(false) => {
                give_back(lease).await;
                info!("{} has changed since the checks", config.blue);
                return Ok(Attempt::Again);
            }
            Err(failed) => {
                give_back(lease).await;
                return Err(failed);
            }
        }
        let mut deployment = Deployment::new(plan, context.clock.now());
        if let Some(lease) = &lease {
            deployment.fence = lease.fence().await;
        }
        match context.store.create(&deployment) {
            Ok(()) => {
                signals.stand(Standing::Driven(deployment.plan.id.clone()));
                Ok(Attempt::Begun(Box::new((deployment, lease))))
            }
            Err(error) => {
                give_back(lease).await;
                match error {
                    StoreError::InFlight { .. } => Ok(Attempt::Busy(error.into())),
                    error => Err(error.into()),
                }
            }
        }
    }
}

/// Blue is still not fit to be released to. Nothing else is looked at before it is.
fn not_yet(blue: &Environment) -> Failed {
    let health = blue.health_status.as_ref().unwrap_or(&blue.health);
    let message = format!(
        "{} is {} and its health is {health}",
        blue.name, blue.status
    );
    Failed::new(Exit::Refused, message).hint("nothing was changed")
}

/// Whether blue is still what a plan was made for.
async fn still_fits(plan: &Plan, cloud: &AwsCloud, config: &Config) -> Result<bool, Failed> {
    let (_, blue, _) = preflight::find_target(cloud, config, &plan.target.region).await?;
    let runs = blue.version_label.as_deref() == Some(plan.previous_version.as_str());
    Ok(blue.id == plan.blue_id && runs && blue.holds(&plan.production_cname))
}

/// Gives a lease back under which nothing was begun.
async fn give_back(lease: Option<Lease>) {
    if let Some(lease) = lease {
        lease.release().await;
    }
}
