//! `bluegreen fleet export`: a fleet as what other schedulers run. Reads AWS for queries alone.

use super::super::exit::{Exit, Failed};
use super::super::output::say;
use super::arguments::{FileArg, VersionArg};
use super::kept::Fleet;
use crate::config::file::File;
use crate::export::{Exported, kubernetes, step_functions};

/// What `fleet export` takes, by the scheduler.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    pub scheduler: Scheduler,
}

#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Scheduler {
    /// Print a CloudFormation template: a state machine that runs the container for each target
    StepFunctions(StepFunctionsArgs),
    /// Print a ConfigMap and an indexed Job of workers that share the fleet
    Kubernetes(KubernetesArgs),
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct StepFunctionsArgs {
    #[command(flatten)]
    pub file: FileArg,
    #[command(flatten)]
    pub version: VersionArg,
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct KubernetesArgs {
    #[command(flatten)]
    pub file: FileArg,
    /// Image of bluegreen, with its tag or digest
    #[arg(long, value_name = "IMAGE", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub image: String,
    /// How many workers share the fleet
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub workers: u32,
}

/// Refuses a target without a version: what is run again later would release another one.
fn names_its_versions(fleet: &Fleet) -> Result<(), Failed> {
    let mut without = fleet
        .members
        .iter()
        .filter(|member| member.version.is_none());
    let Some(member) = without.next() else {
        return Ok(());
    };
    let message = format!("target {} has no version-label", member.name);
    Err(Failed::new(Exit::Refused, message).hint(
        "nothing was written; name it: a container that is run again would release whatever is the \
         newest version then",
    ))
}

pub(super) fn step_functions(fleet: &Fleet) -> Result<Exit, Failed> {
    names_its_versions(fleet)?;
    let targets = fleet.targets.iter().zip(&fleet.prepared);
    let targets: Result<Vec<_>, Failed> = targets
        .map(|(target, prepared)| {
            if prepared.args.names_a_bundle() {
                let message = format!(
                    "target {}: its bundle is a file of this machine, which no container has",
                    target.name
                );
                return Err(Failed::new(Exit::Refused, message).hint(
                    "nothing was written; upload it, and name it with `s3-key` and `version-label`",
                ));
            }
            Ok(Exported {
                name: target.name.clone(),
                wave: target.wave,
                arguments: arguments(&target.settings, prepared.args.version_label()),
                role: prepared.options.role.clone(),
            })
        })
        .collect();
    let template = step_functions::template(&fleet.file.name, &fleet.file.plan, &targets?);
    let template = template.map_err(|why| {
        Failed::new(Exit::Refused, why).hint("nothing was written; put the file right")
    })?;
    print(&template)
}

pub(super) fn kubernetes(fleet: &Fleet, args: &KubernetesArgs) -> Result<Exit, Failed> {
    names_its_versions(fleet)?;
    let (name, text) = (&fleet.file.name, &fleet.text);
    print(&kubernetes::objects(name, text, &args.image, args.workers))
}

fn print(value: &serde_json::Value) -> Result<Exit, Failed> {
    say(&serde_json::to_string_pretty(value).map_err(|error| Failed::bug(&error))?);
    Ok(Exit::Completed)
}

/// The command line that releases a target with these settings.
fn arguments(settings: &File, version: Option<String>) -> Vec<String> {
    let mut arguments = vec!["run".to_owned()];
    for (key, entry) in &settings.entries {
        if key == "version-label" {
            continue;
        }
        let values = entry.values.iter();
        arguments.extend(values.map(|value| format!("--{key}={value}")));
    }
    arguments.extend(version.map(|version| format!("--version-label={version}")));
    arguments
}
