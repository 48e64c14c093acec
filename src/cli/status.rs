//! `bluegreen status`: the deployments in flight, and the outcome of others.

use std::io::IsTerminal;
use std::time::Duration;

use super::context::Context;
use super::discover;
use super::exit::{Exit, Failed};
use super::output::say;
use crate::config::Options;
use crate::report::{self, Entry};
use crate::shared::Origin;

/// What `status` takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Deployment [default: all in flight]
    id: Option<String>,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
    /// Include what happened, event by event
    #[arg(long, requires = "id")]
    events: bool,
    /// Print again whenever something changes, until all have ended
    #[arg(long)]
    watch: bool,
    /// Show orphaned resources at AWS, and how to remove them
    #[arg(long, conflicts_with_all = ["id", "watch", "all"])]
    discover: bool,
    /// Include ended deployments
    #[arg(long, conflicts_with = "id")]
    all: bool,
}

/// How often the journal and its copy are read while watching.
const WATCH: Duration = Duration::from_secs(2);

pub(super) async fn run(options: &Options, args: &Args) -> Result<Exit, Failed> {
    if args.discover {
        return discover::run(Context::open(options).await?, args.json).await;
    }
    let context = Context::for_reading(options).await?;
    let mut interrupted = context.signals.came();
    let mut shown = String::new();
    loop {
        let (entries, unseen) = match context.signals.unless(entries(&context, args)).await {
            // Whoever has seen enough ends it so.
            Err(failed) if failed.exit() == Exit::Interrupted && !shown.is_empty() => {
                return Ok(Exit::Completed);
            }
            entries => entries?,
        };
        if entries.is_empty() {
            // Of what is not to be seen nobody says that there is none.
            if let Some(failed) = unseen {
                return Err(failed);
            }
            let only_here = "these are only the deployments in this machine's journal";
            if let Err(unnamed) = context.names_a_bucket(only_here) {
                tracing::warn!("{}", unnamed.message());
            }
        }
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
            // What was shown is not all.
            return unseen.map_or(Ok(Exit::Completed), Err);
        }
        tokio::select! {
            () = tokio::time::sleep(WATCH) => {}
            _ = interrupted.wait_for(|yes| *yes) => return Ok(Exit::Completed),
        }
    }
}

/// The deployments to show, and why some may be missing.
async fn entries(context: &Context, args: &Args) -> Result<(Vec<Entry>, Option<Failed>), Failed> {
    let unseen;
    let records = match (&args.id, args.all) {
        (Some(id), _) => {
            let record = context.find(Some(id)).await?;
            unseen = context.uncopied(&record.deployment).await;
            let lease = context.lease_of(&record.deployment).await;
            vec![(record, lease)]
        }
        (None, all) => {
            let found = match all {
                true => context.all().await?,
                false => context.unfinished().await?,
            };
            unseen = found.unseen;
            found.found
        }
    };
    let mut entries = Vec::new();
    for (record, lease) in records {
        let events = match (args.events, record.origin) {
            (false, _) => Vec::new(),
            (true, Origin::Journal) => context.store.events(&record.deployment.plan.id)?,
            (true, _) => record.events,
        };
        entries.push(Entry {
            deployment: record.deployment,
            transitions: record.transitions,
            outputs: record.outputs,
            events,
            lease,
        });
    }
    Ok((entries, unseen))
}
