//! `bluegreen status`: the deployments in flight, and the outcome of others.

use std::cmp::Reverse;
use std::io::IsTerminal;
use std::time::Duration;

use super::context::Context;
use super::discover;
use super::exit::{Exit, Failed, exit_code};
use super::output::{say, tell};
use super::screen::{Block, is_watched, remove_the_view};
use crate::config::Options;
use crate::events::Happened;
use crate::plan::Goal;
use crate::report::live::Live;
use crate::report::{self, Entry, Runner};
use crate::session::surroundings;
use crate::shared::LeaseRecord;
use crate::text::foreign;

/// What `status` takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Deployment [default: all in flight, and the last one of a target where it is stuck]
    id: Option<String>,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
    /// Include what happened, event by event
    #[arg(long, requires = "id")]
    events: bool,
    /// Print again whenever something changes, until all have ended or wait for an operator; exits
    /// as `run` would have
    #[arg(long)]
    watch: bool,
    /// Show orphaned resources at AWS, and how to remove them
    #[arg(long, conflicts_with_all = ["id", "watch", "all"])]
    discover: bool,
    /// Include ended deployments
    #[arg(long, conflicts_with = "id")]
    all: bool,
    /// Only so many of the last ones
    #[arg(long, value_name = "NUMBER", requires = "all", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: Option<u32>,
    /// Only those that began before this deployment: the next page
    #[arg(long, value_name = "ID", requires = "limit")]
    before: Option<String>,
    /// Exit with the highest exit code of the deployments shown: 14 if one is held, 75 if one is
    /// interrupted, 0 while they run or pause as configured
    #[arg(long, conflicts_with_all = ["watch", "discover"])]
    exit_code: bool,
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
    let block = (args.watch && !args.json && is_watched(options)).then(|| Block::new(options));
    loop {
        let (entries, unseen) = match context.signals.unless(entries(&context, args)).await {
            // Whoever has seen enough ends it so.
            Err(failed) if failed.exit() == Exit::Interrupted && !shown.is_empty() => {
                return Ok(Exit::Completed);
            }
            entries => entries?,
        };
        if entries.is_empty()
            && let Some(failed) = unseen
        {
            // That there is none is only said of what was read.
            return Err(failed);
        }
        if let Some(block) = &block
            && let Some(watched) = watched(&context, &entries)
        {
            block.draw(&watched, &context.clock);
            tokio::select! {
                () = tokio::time::sleep(WATCH) => continue,
                _ = interrupted.wait_for(|yes| *yes) => {}
            }
            remove_the_view();
            return Ok(Exit::Completed);
        }
        let text = match (args.json, &args.id) {
            (true, _) => report::json(&entries),
            (false, Some(_)) => report::text::stories(&entries),
            (false, None) if entries.is_empty() => nothing(&context).await,
            (false, None) => {
                let overview = report::text::overview(&entries);
                let older = older(args, &entries).unwrap_or_default();
                format!("{overview}\n{older}Searched {}.", context.searched())
            }
        };
        if text != shown {
            if args.watch && std::io::stdout().is_terminal() {
                let _ = console::Term::stdout().clear_screen();
            }
            match args.json {
                true => say(&text),
                false => tell(&text),
            }
            shown = text;
        }
        let rests = |entry: &Entry| entry.deployment.state.rests();
        if !args.watch || entries.iter().all(rests) {
            let worst = match args.exit_code || args.watch {
                true => worst(&entries, options.ci.exit_code_paused),
                false => Exit::Completed,
            };
            return match unseen {
                // What was shown is not all, and what was not may be worse.
                Some(failed) if failed.exit().code() > worst.code() => Err(failed),
                Some(failed) => {
                    tracing::warn!("{}", failed.message());
                    Ok(worst)
                }
                None => Ok(worst),
            };
        }
        tokio::select! {
            () = tokio::time::sleep(WATCH) => {}
            _ = interrupted.wait_for(|yes| *yes) => return Ok(Exit::Completed),
        }
    }
}

/// The view of the only deployment, where that does not rest yet.
fn watched(context: &Context, entries: &[Entry]) -> Option<Live> {
    let [entry] = entries else { return None };
    let deployment = &entry.deployment;
    if deployment.state.rests() {
        return None;
    }
    let past = surroundings(&context.store, &deployment.plan.target, &context.clock);
    let past = past.map(|around| around.past).unwrap_or_default();
    let mut live = Live::new(deployment, &entry.transitions, &past);
    for event in &entry.events {
        if !matches!(event.happened, Happened::StateEntered { .. }) {
            live.hear(&event.of(deployment));
        }
    }
    // The record of a lock may be of the state before.
    let is_present = |lease: &&LeaseRecord| lease.doing == deployment.state.kind().to_string();
    let lease = entry.lease.as_ref().filter(is_present);
    let waits = lease.map(|lease| lease.waits.clone()).unwrap_or_default();
    let live = live.waiting_for(waits);
    Some(live.seen_from_elsewhere(entry.users(), entry.is_interrupted()))
}

/// The report where nothing is in flight: where the last release of each target left users.
async fn nothing(context: &Context) -> String {
    let last = context.last_of_each_target().await;
    let mut lines = Vec::new();
    for (record, _) in last.map(|last| last.found).unwrap_or_default() {
        let Ok(entry) = context.entry(record, None) else {
            continue;
        };
        let entry = Entry {
            runner: Runner::None,
            ..entry
        };
        let plan = &entry.deployment.plan;
        let (blue, id) = (&plan.target.blue, &plan.id);
        let line = format!("Users of {blue}: {} (deployment {id})", entry.users());
        lines.push(foreign(&line));
    }
    lines.push("No deployment is in flight.".to_owned());
    lines.push(format!("Searched {}.", context.searched()));
    lines.join("\n")
}

/// The command that shows the page before this one, where there may be one.
fn older(args: &Args, entries: &[Entry]) -> Option<String> {
    let limit = args.limit?;
    let first = entries.first()?;
    let is_full = u32::try_from(entries.len()).is_ok_and(|count| count == limit);
    let id = &first.deployment.plan.id;
    is_full.then(|| format!("Older ones: bluegreen status --all --limit {limit} --before {id}\n"))
}

/// The highest exit code of those that rest or are interrupted: what one that runs comes to is not
/// known yet.
fn worst(entries: &[Entry], paused: u8) -> Exit {
    let rests = entries.iter().filter_map(|entry| {
        if entry.is_interrupted() {
            return Some(Exit::Interrupted);
        }
        let rest = entry.deployment.state.rest()?;
        Some(exit_code(Some(rest), Goal::Release, paused))
    });
    rests
        .max_by_key(|exit| exit.code())
        .unwrap_or(Exit::Completed)
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
            let before = args.before.as_ref().map(|id| id.to_uppercase());
            let found = match (all, args.limit) {
                (true, None) => context.all().await?,
                (true, Some(limit)) => context.page(before.as_deref(), limit).await?,
                (false, _) => context.open_matters().await?,
            };
            unseen = found.unseen;
            found.found
        }
    };
    let mut entries = Vec::new();
    for (record, lease) in records {
        let entry = context.entry(record, lease)?;
        entries.push(Entry {
            shows_events: args.events,
            ..entry
        });
    }
    if args.id.is_none() && !args.all {
        entries.sort_by_key(|entry| Reverse(entry.urgency()));
    }
    Ok((entries, unseen))
}
