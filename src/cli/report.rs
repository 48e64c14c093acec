//! `bluegreen report`: one deployment as a page, as Markdown or as text, from what its journal keeps.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use tracing::info;

use super::context::Context;
use super::exit::{Exit, Failed};
use super::output::{say, tell};
use crate::config::Options;
use crate::report::page;

/// What `report` takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Deployment; latest is the one that began last
    #[arg(default_value = "latest")]
    id: String,
    /// Write a page of HTML, which needs no network; - is standard output
    #[arg(long, value_name = "FILE", conflicts_with = "markdown")]
    html: Option<PathBuf>,
    /// Print Markdown, as for the summary of a CI job
    #[arg(long)]
    markdown: bool,
}

impl Args {
    /// Whether what it prints is all that it does.
    pub fn only_prints(&self) -> bool {
        self.html.as_deref().is_none_or(is_standard_output)
    }
}

fn is_standard_output(file: &Path) -> bool {
    file.as_os_str() == "-"
}

pub(super) async fn run(options: &Options, args: &Args) -> Result<Exit, Failed> {
    let context = Context::for_reading(options).await?;
    let reading = async {
        let record = context.find(Some(&args.id)).await?;
        let lease = context.lease_of(&record.deployment).await;
        context.entry(record, lease)
    };
    let entry = context.signals.unless(reading).await?;
    match &args.html {
        Some(file) if is_standard_output(file) => say(page::html(&entry).trim_end()),
        Some(file) => {
            write(file, &page::html(&entry)).map_err(|error| unwritten(file, &error))?;
            let id = &entry.deployment.plan.id;
            info!(id, "wrote the report into {}", file.display());
        }
        None if args.markdown => say(page::markdown(&entry).trim_end()),
        None => tell(&page::text(&entry)),
    }
    Ok(Exit::Completed)
}

/// Writes a file whole: who reads it meanwhile gets the one before.
fn write(file: &Path, page: &str) -> std::io::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}", ulid::Ulid::new()));
    let beside = PathBuf::from(beside);
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).open(&beside);
    let written = made.and_then(|mut made| {
        made.write_all(page.as_bytes())?;
        made.sync_all()
    });
    let written = written.and_then(|()| std::fs::rename(&beside, file));
    if written.is_err() {
        // What could not become the report is nobody's.
        let _ = std::fs::remove_file(&beside);
    }
    written
}

fn unwritten(file: &Path, error: &std::io::Error) -> Failed {
    let message = format!(
        "the report cannot be written into {}: {error}",
        file.display()
    );
    Failed::new(Exit::Refused, message)
        .hint("nothing was changed; name a file in a folder that is there, or - with --html")
}
