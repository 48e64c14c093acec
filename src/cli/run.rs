//! `bluegreen run`: makes a plan, writes it down, and drives.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use tracing::{info, warn};

use super::context::{Context, unless_interrupted};
use super::finish::{Asked, drive_new};
use super::plan::surroundings;
use super::take::{in_flight, whole_seconds};
use super::{Exit, Failed};
use crate::acceptance::all_set;
use crate::bundle;
use crate::clock::Stopwatch;
use crate::cloud::HttpProber;
use crate::cloud::aws::AwsCloud;
use crate::config::keys::RELEASE;
use crate::config::{Config, Options, duration};
use crate::deployment::Deployment;
use crate::hooks::{Hook, OnFailure};
use crate::machine::Kind;
use crate::plan::{self, Bundle, Plan, Target};
use crate::preflight::{self, Check, Wanted};
use crate::shared::{Claim, Contender, Lease, LeaseRecord, Record, SharedState};

/// What `run` takes.
#[derive(Clone, Debug, clap::Args)]
#[group(id = RELEASE)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// Where production lives in the end: on blue again, or on green
    #[arg(long, env = "BLUEGREEN_STRATEGY", value_enum, default_value_t)]
    strategy: Strategy,
    /// Stop before a swap until `resume`: the first (swap) or the last (cutover)
    #[arg(
        long,
        env = "BLUEGREEN_PAUSE_BEFORE",
        value_enum,
        value_name = "SWAP",
        value_delimiter = ','
    )]
    pause_before: Vec<Pause>,
    /// Stop before the last swap (--pause-before cutover)
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
    /// How long to wait where the target has another deployment
    #[arg(long, env = "BLUEGREEN_WAIT", value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub wait: Duration,
}

/// The checks whose refusals are overridden.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Overridden {
    /// Check whose refusal is overridden, as `bluegreen plan` names it; may be repeated
    #[arg(
        long,
        env = "BLUEGREEN_ALLOW",
        value_name = "CHECK",
        value_delimiter = ','
    )]
    allow: Vec<Check>,
    /// Release although a database belongs to blue (--allow coupled-database): green gets an
    /// empty one of its own and writes there while it serves; it goes with green, deleted or
    /// kept as a snapshot as its deletion policy says
    #[arg(long, env = "BLUEGREEN_ALLOW_COUPLED_DATABASE")]
    allow_coupled_database: bool,
}

/// The value of `--strategy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Strategy {
    /// Deploy onto blue while green serves, swap back, terminate green
    #[default]
    Restore,
    /// Launch green on the version, swap once, terminate blue after the bake
    Promote,
}

/// The value of `--pause-before`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Pause {
    /// The first swap: green is ready, blue serves
    Swap,
    /// The last swap: with --strategy promote that is the first one too
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
        if config.asks_approval && !swap && !cutover {
            let message =
                "--approve-url is asked while the deployment pauses, and it pauses nowhere";
            return Err(Failed::new(Exit::Refused, message)
                .hint("nothing was changed; add --pause-before cutover, or leave the URL out"));
        }
        if config.approval.is_some() && !config.asks_approval && (swap || cutover) {
            warn!(
                "--approve-limit bounds the wait for --approve-url; without it the run ends at its \
                 pause, and `bluegreen resume` approves it"
            );
        }
        let promotes = self.strategy == Strategy::Promote;
        let holds = |hook: &&Hook| hook.on_failure == OnFailure::Hold;
        if let Some(hook) = config.hooks.iter().find(holds).filter(|_| promotes) {
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
        })
    }
}

pub(super) async fn run(options: &Options, args: &Args) -> Result<Exit, Failed> {
    let context = Context::open(options).await?;
    let config = context.options.config()?;
    super::warn_of(&config);
    all_set(&config.tests, |name| std::env::var(name).ok())?;
    let wanted = args.wanted(&config)?;
    begin(context, &config, &wanted, args.which.wait).await
}

/// Makes the plan of what is wanted once it is its turn, writes it down, and drives.
pub(super) async fn begin(
    mut context: Context,
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
    let interrupted = context.signals()?;
    let mut turn: Option<Turn> = None;
    let mut told = String::new();
    let mut since = Stopwatch::start(&context.clock);
    let (plan, lease) = loop {
        let look = async { Ok(preflight::find_target(&cloud, config, &region).await?) };
        let found = unless_interrupted(interrupted.clone(), look).await?;
        if turn.is_none() {
            context.clock = cloud.corrected(context.clock);
            since = Stopwatch::start(&context.clock);
        }
        let turn = match &mut turn {
            Some(turn) => turn,
            none => none.insert(Turn::of(&context, &cloud, config, &found.0, &id)?),
        };
        let busy = match turn.busy(&mut context).await? {
            Some(busy) => busy,
            None => {
                let around = surroundings(&context.store, &found.0, &context.clock)?;
                let id = id.clone();
                let checked = async {
                    Ok(preflight::plan(&cloud, config, id, wanted, found, &around).await?)
                };
                let plan = unless_interrupted(interrupted.clone(), checked).await?;
                match turn.take(&context).await? {
                    // Another release may have come and gone between the plan and its turn.
                    Ok(lease) => {
                        let again = still_fits(&plan, &cloud, config);
                        let fits = unless_interrupted(interrupted.clone(), again).await;
                        if let Ok(true) = fits {
                            break (plan, lease);
                        }
                        give_back(lease).await;
                        fits?;
                        info!("{} has changed since it was looked at", config.blue);
                        continue;
                    }
                    Err(busy) => busy,
                }
            }
        };
        if since.elapsed_at_least() >= wait {
            return Err(busy);
        }
        if told != busy.message() {
            info!("waiting for its turn: {}", busy.message());
            busy.message().clone_into(&mut told);
        }
        let mut interrupted = interrupted.clone();
        context.rest(config.limits.poll, &mut interrupted).await?;
    };
    let mut deployment = Deployment::new(plan, context.clock.now());
    if let Some(lease) = &lease {
        deployment.fence = lease.fence().await;
    }
    if let Err(error) = context.store.create(&deployment) {
        give_back(lease).await;
        return Err(error.into());
    }
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
    drive_new(&mut context, &cloud, deployment, lock, lease, asked).await
}

/// Whether blue is still what a plan was made for.
async fn still_fits(
    plan: &Plan,
    cloud: &AwsCloud<HttpProber>,
    config: &Config,
) -> Result<bool, Failed> {
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

/// Whose turn it is at the target.
pub(super) struct Turn {
    target: Target,
    shared: Option<(SharedState, Contender)>,
}

impl Turn {
    pub fn of(
        context: &Context,
        cloud: &AwsCloud<HttpProber>,
        config: &Config,
        target: &Target,
        id: &str,
    ) -> Result<Turn, Failed> {
        let shared = if config.shared_state {
            let state = SharedState::new(cloud.bucket(&config.bucket));
            Some((state.clone(), context.contender(state, target, id)?))
        } else {
            None
        };
        Ok(Turn {
            target: target.clone(),
            shared,
        })
    }

    /// The deployment that the target has, in words, where it is not finished.
    /// Reads only, but for an end that the journal here did not know yet.
    pub async fn busy(&self, context: &mut Context) -> Result<Option<Failed>, Failed> {
        if let Some(other) = context.store.unfinished_of(&self.target)? {
            let known_there = match &self.shared {
                Some((state, _)) if other.plan.shared_state => {
                    state.deployment(&other.plan.id).await?
                }
                _ => None,
            };
            match known_there {
                Some(record) if record.value.deployment.age() > other.age() => {
                    let record = record.value;
                    if !record.deployment.state.is_end() {
                        return Ok(Some(in_flight(&record.deployment).into()));
                    }
                    context
                        .store
                        .adopt(&record.deployment, &record.transitions)?;
                }
                _ => return Ok(Some(in_flight(&other).into())),
            }
        }
        let Some((state, _)) = &self.shared else {
            return Ok(None);
        };
        let Some(lease) = state.lease(&self.target).await? else {
            return Ok(None);
        };
        let record = state.unfinished_of(&lease.value).await?;
        Ok(record.map(|record| busy_with(&lease.value, &record)))
    }

    /// Takes the target's lease, once it is proven that the bucket keeps it for one, or tells
    /// who has it.
    async fn take(&mut self, context: &Context) -> Result<Result<Option<Lease>, Failed>, Failed> {
        let Some((_, contender)) = &mut self.shared else {
            return Ok(Ok(None));
        };
        let doing = Kind::Preparing.to_string();
        let is_dead = |lease: &LeaseRecord| context.holder_is_dead(lease, "");
        Ok(match contender.attempt(&doing, is_dead).await? {
            Claim::Taken(lease) => Ok(Some(lease.prove().await?)),
            Claim::Held(held) => Err(held.into()),
            Claim::Unfinished(lease, record) => Err(busy_with(&lease, &record)),
        })
    }
}

fn busy_with(lease: &LeaseRecord, record: &Record) -> Failed {
    let failed = Failed::from(in_flight(&record.deployment));
    let id = &record.deployment.plan.id;
    match lease.holder {
        Some(_) => failed.hint(format!(
            "{}; `bluegreen wait {id}` waits for it, `bluegreen abort {id}` asks it to go back, \
             `bluegreen resume {id}` takes over once it is silent for {}",
            lease.in_words(),
            whole_seconds(lease.length())
        )),
        None => failed,
    }
}
