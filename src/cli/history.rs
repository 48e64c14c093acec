//! `bluegreen history`: the releases of each target, and how often, how fast and how well.

use super::context::Context;
use super::exit::{Exit, Failed};
use super::output::{say, tell};
use crate::config::Options;
use crate::report::history::History;

/// What `history` takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: &Options, args: &Args) -> Result<Exit, Failed> {
    let context = Context::for_reading(options).await?;
    let found = context.signals.unless(context.all()).await?;
    let mut entries = Vec::new();
    for (record, lease) in found.found {
        if context.is_named(&record.deployment.plan.target) {
            entries.push(context.entry(record, lease)?);
        }
    }
    let history = History::of(&entries, context.clock.now());
    match (args.json, history.targets().is_empty(), found.unseen) {
        // That there is none is only said of what was read.
        (_, true, Some(failed)) => return Err(failed),
        (true, ..) => say(&history.json()),
        (false, true, None) => tell(&format!("No release in {}.", context.searched())),
        (false, false, unseen) => {
            tell(&history.text());
            if unseen.is_some() {
                tell("Some deployments could not be read, and are not counted.");
            }
        }
    }
    Ok(Exit::Completed)
}
