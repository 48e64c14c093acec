//! `bluegreen fleet`: releases many targets in waves. Each target is an ordinary deployment.

mod arguments;
mod attempt;
mod console;
mod export;
mod kept;
mod plan;
mod status;
mod targets;
mod view;
mod worker;

use super::exit::{Exit, Failed};
use crate::config::{Options, OutputFlag, OutputFormat};
use crate::fleet::{FleetState, Member, Standing, order_rollback, resume};
use crate::plan::Goal;
use arguments::{FileArg, NO_VERSION, VersionArg};
use export::Scheduler;
use kept::{Fleet, Of};

/// What `fleet` takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: FleetCommand,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum FleetCommand {
    /// Run all checks of every target; changes nothing
    Plan(PlanArgs),
    /// Release every target, wave by wave; several machines may run the same fleet, and share its
    /// targets
    Run(RunArgs),
    /// Show the targets of a fleet, and how far it is
    Status(StatusArgs),
    /// Continue an interrupted fleet, approve its next wave, or begin again what has failed
    Resume(ReleaseArgs),
    /// Return every target that has begun to the version before, or those of one wave
    Rollback(RollbackArgs),
    /// Print the fleet as what another scheduler runs
    Export(export::Args),
}

#[derive(Clone, Debug, clap::Args)]
struct PlanArgs {
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    version: VersionArg,
}

#[derive(Clone, Debug, clap::Args)]
struct RunArgs {
    #[command(flatten)]
    release: ReleaseArgs,
    /// Begin anew, although the fleet has released the same and is over
    #[arg(long)]
    anew: bool,
}

#[derive(Clone, Debug, clap::Args)]
struct ReleaseArgs {
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    version: VersionArg,
    #[command(flatten)]
    output: OutputFlag,
}

#[derive(Clone, Debug, clap::Args)]
struct StatusArgs {
    #[command(flatten)]
    file: FileArg,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
    /// Show it again whenever something changes, until the fleet has ended or waits for an operator;
    /// exits as `fleet run` would have
    #[arg(long)]
    watch: bool,
}

#[derive(Clone, Debug, clap::Args)]
struct RollbackArgs {
    #[command(flatten)]
    file: FileArg,
    /// Only the targets of this wave
    #[arg(long, value_name = "NAME")]
    wave: Option<String>,
    #[command(flatten)]
    output: OutputFlag,
}

impl Args {
    /// The form of standard output of a command that carries a fleet on; `None` of another.
    pub(super) fn output(&self) -> Option<OutputFormat> {
        match &self.command {
            FleetCommand::Run(args) => Some(args.release.output.output),
            FleetCommand::Resume(args) => Some(args.output.output),
            FleetCommand::Rollback(args) => Some(args.output.output),
            FleetCommand::Plan(_) | FleetCommand::Status(_) | FleetCommand::Export(_) => None,
        }
    }

    /// Whether what it prints is all that it does.
    pub(super) fn only_tells(&self) -> bool {
        self.output().is_none()
    }
}

/// Carries a command of a fleet out; `definition` knows every setting of a release.
pub(super) async fn run(
    options: &Options,
    args: &Args,
    definition: &clap::Command,
) -> Result<Exit, Failed> {
    let open = async |file: &FileArg, version: &VersionArg, of: Of| {
        Fleet::open(options, &file.file, version, (of, definition)).await
    };
    match &args.command {
        FleetCommand::Plan(args) => {
            let anew = Of::ANewRun { anew: false };
            let fleet = open(&args.file, &args.version, anew).await?;
            plan::show(&fleet).await
        }
        FleetCommand::Run(args) => {
            let RunArgs { release, anew } = args;
            let of = Of::ANewRun { anew: *anew };
            let mut fleet = open(&release.file, &release.version, of).await?;
            fleet.begin().await?;
            fleet.update_rested().await?;
            worker::work(fleet, Goal::Release).await
        }
        FleetCommand::Status(args) => {
            let mut fleet = open(&args.file, &NO_VERSION, Of::TheRecord).await?;
            status::show(&mut fleet, args.json, args.watch).await
        }
        FleetCommand::Resume(args) => {
            let mut fleet = open(&args.file, &args.version, Of::TheRecord).await?;
            continue_it(&mut fleet).await?;
            worker::work(fleet, Goal::Release).await
        }
        FleetCommand::Rollback(args) => {
            let mut fleet = open(&args.file, &NO_VERSION, Of::TheRecord).await?;
            roll_back(&mut fleet, args.wave.as_deref()).await?;
            worker::work(fleet, Goal::Previous).await
        }
        FleetCommand::Export(args) => match &args.scheduler {
            Scheduler::StepFunctions(args) => {
                let fleet = open(&args.file, &args.version, Of::TheFile).await?;
                export::step_functions(&fleet)
            }
            Scheduler::Kubernetes(args) => {
                let fleet = open(&args.file, &NO_VERSION, Of::TheFile).await?;
                export::kubernetes(&fleet, args)
            }
        },
    }
}

/// Writes down that an operator continues the fleet.
async fn continue_it(fleet: &mut Fleet) -> Result<(), Failed> {
    fleet.update_rested().await?;
    let record = fleet.record().await?;
    fleet.releases_what_it_began_with(&record)?;
    let (members, limits) = (fleet.members.clone(), fleet.file.plan.clone());
    let now = fleet.context.clock.now();
    let (_, done) = fleet
        .change(|record| {
            let failed: Vec<bool> = record
                .members
                .iter()
                .map(|one| one.standing.begins_again())
                .collect();
            let Some(state) = resume(record.state, &mut record.members) else {
                return Err(record.state);
            };
            // What had failed takes what the file says now.
            record.plan.concurrency = limits.concurrency;
            record.plan.stop_after = limits.stop_after;
            let again = record.members.iter_mut().zip(&members).zip(failed);
            for ((member, now), _) in again.filter(|(_, failed)| *failed) {
                member.version.clone_from(&now.version);
            }
            if state != record.state {
                record.enter(state, "an operator resumed", now);
            }
            Ok(())
        })
        .await?;
    done.map_err(|state| over(fleet, state))
}

/// Writes down that an operator rolls the fleet back.
async fn roll_back(fleet: &mut Fleet, wave: Option<&str>) -> Result<(), Failed> {
    fleet.update_rested().await?;
    let wave = match wave {
        None => None,
        Some(name) => Some(fleet.wave(name)?),
    };
    let now = fleet.context.clock.now();
    let (_, done) = fleet
        .change(|record| {
            let is_meant = |member: &Member| wave.is_none_or(|wave| member.wave == wave);
            let is_left = |member: &Member| {
                member.is_to_undo()
                    || matches!(member.standing, Standing::UnderWay | Standing::Interrupted)
            };
            if !record
                .members
                .iter()
                .any(|one| is_meant(one) && is_left(one))
                && record.state.rests()
            {
                return Err(());
            }
            let state = order_rollback(wave, &mut record.members);
            if state != record.state {
                record.enter(state, "an operator rolled back", now);
            }
            Ok(())
        })
        .await?;
    done.map_err(|()| {
        let of = wave.map(|wave| format!("wave {} of ", fleet.file.plan.waves[wave].name));
        let of = of.unwrap_or_default();
        let message = format!(
            "nothing of {of}fleet {} is left to roll back",
            fleet.file.name
        );
        Failed::new(Exit::Refused, message).hint(
            "nothing was changed; `bluegreen rollback ID --yes` undoes one release, by its id",
        )
    })
}

/// A fleet that is over has nothing to continue.
fn over(fleet: &Fleet, state: FleetState) -> Failed {
    let file = fleet.path_for_shell();
    let (ended, hint) = match state {
        FleetState::RolledBack => (
            "was rolled back",
            format!("`bluegreen fleet run {file} --anew` releases it again"),
        ),
        _ => (
            "is completed",
            format!("`bluegreen fleet rollback {file}` returns it to the version before"),
        ),
    };
    let name = &fleet.file.name;
    let message = format!("fleet {name} {ended}: nothing is left to continue");
    Failed::new(Exit::NoDeployment, message).hint(format!("nothing was changed; {hint}"))
}
