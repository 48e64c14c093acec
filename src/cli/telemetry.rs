//! The telemetry of this process: made of the standard variables, once.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tracing::warn;

use super::signals::Signals;
use crate::telemetry::{Settings, Telemetry};

static OF_THIS_PROCESS: OnceLock<Option<Arc<Telemetry>>> = OnceLock::new();

/// The telemetry of this process; `None` where no variable names a collector. A variable that it
/// cannot use is a warning: no release waits for its telemetry.
pub(super) fn of_this_process() -> Option<Arc<Telemetry>> {
    OF_THIS_PROCESS.get_or_init(begun).clone()
}

fn begun() -> Option<Arc<Telemetry>> {
    let (settings, warnings) = Settings::of(|name| std::env::var(name).ok());
    for warning in warnings {
        warn!("{warning}");
    }
    match Telemetry::new(settings) {
        Ok(telemetry) => telemetry.map(Arc::new),
        Err(why) => {
            warn!("no traces and metrics are sent: {why}; the release is not affected");
            None
        }
    }
}

/// Sends what is left at the end of the process, for a moment at most.
pub(super) async fn end() {
    if let Some(Some(telemetry)) = OF_THIS_PROCESS.get() {
        // Whoever has interrupted the command waits for it.
        let is_interrupted =
            Signals::of_this_process().is_ok_and(|signals| *signals.came().borrow());
        let limit = match is_interrupted {
            true => Duration::from_millis(300),
            false => Duration::from_secs(3),
        };
        telemetry.clone().end(limit).await;
    }
}
