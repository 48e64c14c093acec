//! `bluegreen approve`: continues from a pause, and writes down who has approved it.

use super::context::Context;
use super::exit::{Exit, Failed};
use super::session::go_on_because;
use super::unheeded::Unheeded;
use crate::config::{Named, Options, OutputFlag};
use crate::machine::Order;
use crate::plan::Goal;
use crate::text::on_one_line;

/// What `approve` takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Deployment; may be omitted if exactly one is in flight
    id: Option<String>,
    /// Who approves it; the history keeps it
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why; the history keeps it
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    #[command(flatten)]
    pub(super) output: OutputFlag,
}

/// How many characters of a name or a comment the history keeps.
const CHARS_MAX: usize = 500;

pub(super) async fn run(
    options: &Options,
    args: &Args,
    named: Named,
    unheeded: Option<Unheeded>,
) -> Result<Exit, Failed> {
    let by = args.by.trim();
    if by.is_empty() {
        let message = "--by names nobody: who approves it?";
        return Err(Failed::new(Exit::Usage, message).hint("nothing was changed"));
    }
    let comment = args.comment.as_deref().map(str::trim).unwrap_or_default();
    let said = match comment {
        "" => format!("approved by {by}"),
        comment => format!("approved by {by}: {comment}"),
    };
    let said = on_one_line(&said).chars().take(CHARS_MAX).collect();
    let mut context = Context::to_drive(options, args.id.as_deref(), unheeded).await?;
    let found = context.find_or_rebuild(args.id.as_deref(), None).await?;
    let order = (Order::Approve, Some(said));
    go_on_because(&mut context, found, order, Goal::Release, named).await
}
