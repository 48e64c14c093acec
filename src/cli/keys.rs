//! What a person decides with a key where a deployment pauses.

use std::io::IsTerminal;

use console::{Key, Term};

use super::context::Context;
use super::exit::Failed;
use super::screen::is_watched;
use crate::config::Options;

/// What a key at a pause says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// Continue.
    Approve,
    /// Roll back.
    RollBack,
    /// Leave it paused.
    Detach,
}

/// Whether somebody is there to press one.
pub(super) fn are_offered(options: &Options) -> bool {
    options.ci.detach_at.is_none() && is_watched(options) && std::io::stdin().is_terminal()
}

/// Waits for a key that says something.
pub(super) async fn choose(context: &Context) -> Result<Choice, Failed> {
    let _ = Term::stderr().write_line(
        "\nPress a to approve and continue, r to roll back, or d to leave it paused, as it may stay.",
    );
    let pressed = tokio::task::spawn_blocking(|| {
        let term = Term::stderr();
        loop {
            match term.read_key() {
                Ok(Key::Char('a' | 'A')) => return Choice::Approve,
                Ok(Key::Char('r' | 'R')) => return Choice::RollBack,
                // Nobody is there any more.
                Ok(Key::Char('d' | 'D') | Key::Escape) | Err(_) => return Choice::Detach,
                Ok(_) => {}
            }
        }
    });
    let pressed = async { pressed.await.map_err(|error| Failed::bug(&error)) };
    context.signals.unless(pressed).await
}
