//! Prints results and warnings.

use std::borrow::Cow;
use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use super::pasteable::pasteable;
use super::screen::{above_the_view, remove_the_view};
use crate::config::Config;
use crate::report::jsonl::{self, Line};
use crate::secrets::Secrets;
use crate::text::is_unseen;

/// Whether standard output takes JSON lines, and no text.
static IS_JSONL: AtomicBool = AtomicBool::new(false);

/// Lets standard output take JSON lines only, and writes the first of them.
pub(super) fn begin_lines() {
    IS_JSONL.store(true, Ordering::Relaxed);
    emit(|| Line::Version {
        output: jsonl::VERSION,
        bluegreen: env!("CARGO_PKG_VERSION"),
    });
}

/// Writes a JSON line, which is made only where standard output takes it.
pub(super) fn emit<'a>(line: impl FnOnce() -> Line<'a>) {
    if IS_JSONL.load(Ordering::Relaxed) {
        let text = Secrets::default().hide(&line().text());
        above_the_view(|| print(&text));
    }
}

/// Prints a result. A reader that has closed its end, as in `bluegreen status | head`, is no error.
pub(super) fn say(text: &str) {
    if !IS_JSONL.load(Ordering::Relaxed) {
        remove_the_view();
        print(text);
    }
}

fn print(text: &str) {
    if is_unheard(&writeln!(std::io::stdout(), "{}", harmless(text))) {
        IS_UNHEARD.store(true, Ordering::Relaxed);
    }
}

/// Whether what was written could not be read, and not because its reader wanted no more.
pub(super) fn is_unheard(written: &std::io::Result<()>) -> bool {
    let failed = written.as_ref().err();
    failed.is_some_and(|error| error.kind() != ErrorKind::BrokenPipe)
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
