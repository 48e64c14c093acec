//! What commands print and warn of.

use std::borrow::Cow;
use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::config::Config;
use crate::text::is_unseen;

/// Prints a result. A reader that has gone, as in `bluegreen status | head`, is
/// no error.
pub(super) fn say(text: &str) {
    let said = writeln!(std::io::stdout(), "{}", harmless(text));
    if said.is_err_and(|error| error.kind() != ErrorKind::BrokenPipe) {
        IS_UNHEARD.store(true, Ordering::Relaxed);
    }
}

/// Whether a result could not be written, as where the disk of standard output is full.
pub(super) static IS_UNHEARD: AtomicBool = AtomicBool::new(false);

/// A text without what moves a terminal: names and reasons in it may be somebody else's.
pub(super) fn harmless(text: &str) -> Cow<'_, str> {
    let is_harmful = |c: char| c.is_control() && !matches!(c, '\n' | '\t') || is_unseen(c);
    match text.contains(is_harmful) {
        true => text.replace(is_harmful, "\u{fffd}").into(),
        false => text.into(),
    }
}

/// Logs what of a configuration may not do what is meant.
pub(super) fn warn_of(config: &Config) {
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
}

/// A duration without what is less than a second.
pub(super) fn whole_seconds(duration: Duration) -> String {
    humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string()
}
