//! Prints results and warnings.

use std::borrow::Cow;
use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use super::pasteable::pasteable;
use super::screen::remove_the_view;
use crate::config::Config;
use crate::text::is_unseen;

/// Prints a result. A reader that has closed its end, as in `bluegreen status | head`, is no error.
pub(super) fn say(text: &str) {
    remove_the_view();
    let said = writeln!(std::io::stdout(), "{}", harmless(text));
    if said.is_err_and(|error| error.kind() != ErrorKind::BrokenPipe) {
        IS_UNHEARD.store(true, Ordering::Relaxed);
    }
}

/// Prints a result for people: the commands in it are ready to paste.
pub(super) fn tell(text: &str) {
    say(&pasteable(text));
}

/// Whether a result could not be written, as where the disk of standard output is full.
pub(super) static IS_UNHEARD: AtomicBool = AtomicBool::new(false);

/// A text without control sequences of a terminal: names and reasons in it may come from others.
pub(super) fn harmless(text: &str) -> Cow<'_, str> {
    let is_harmful = |c: char| c.is_control() && !matches!(c, '\n' | '\t') || is_unseen(c);
    match text.contains(is_harmful) {
        true => text.replace(is_harmful, "\u{fffd}").into(),
        false => text.into(),
    }
}

/// Warns of settings that may not do what the operator means.
pub(super) fn warn_of(config: &Config) {
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
}
