//! `bluegreen status`: what is in flight, and what became of it.

use std::io::IsTerminal;
use std::time::Duration;

use super::context::{Context, signals};
use super::{Exit, Failed, say};
use crate::config::Options;
use crate::deployment::Deployment;
use crate::report::{self, Entry};

/// What `status` takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Deployment [default: all that are in flight]
    id: Option<String>,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
    /// Print again whenever something changes, until all have come to an end
    #[arg(long)]
    watch: bool,
    /// Those that have ended too
    #[arg(long, conflicts_with = "id")]
    all: bool,
}

/// How often the journal is read while watching.
const WATCH: Duration = Duration::from_secs(1);

pub(super) async fn run(options: &Options, args: &Args) -> Result<Exit, Failed> {
    let context = Context::of_journal(options)?;
    let mut interrupted = signals()?;
    let mut shown = String::new();
    loop {
        let entries = entries(&context, args)?;
        let text = if args.json {
            report::json(&entries)
        } else {
            report::text::table(&entries, args.id.is_some())
        };
        if text != shown {
            if args.watch && std::io::stdout().is_terminal() {
                say("\x1b[2J\x1b[H");
            }
            say(&text);
            shown = text;
        }
        if !args.watch || entries.iter().all(|entry| entry.deployment.state.is_end()) {
            return Ok(Exit::Completed);
        }
        tokio::select! {
            () = tokio::time::sleep(WATCH) => {}
            _ = interrupted.wait_for(|yes| *yes) => return Ok(Exit::Completed),
        }
    }
}

fn entries(context: &Context, args: &Args) -> Result<Vec<Entry>, Failed> {
    let deployments = match (&args.id, args.all) {
        (Some(id), _) => vec![context.find(Some(id))?],
        (None, true) => context.store.all()?,
        (None, false) => context.store.unfinished()?,
    };
    deployments
        .into_iter()
        .map(|deployment: Deployment| {
            Ok(Entry {
                transitions: context.store.transitions(&deployment.plan.id)?,
                deployment,
            })
        })
        .collect()
}
