//! Events as lines of the log.

use tracing::{Level, debug, error, info, warn};

use crate::events::{DeploymentEvent, Happened, Listener};
use crate::report::events::line;

/// Writes a line of the log for each event that matters to an operator.
#[derive(Clone, Copy, Debug)]
pub struct Lines {
    /// The least level of a line.
    pub least: Level,
}

impl Listener for Lines {
    fn hear(&self, event: &DeploymentEvent) {
        let happened = &event.record.happened;
        let (level, text) = line(happened);
        match (happened, level) {
            (_, level) if level > self.least => {}
            (Happened::StateEntered { to, .. }, Level::ERROR) => error!(state = %to, "{text}"),
            (Happened::StateEntered { to, .. }, Level::WARN) => warn!(state = %to, "{text}"),
            (Happened::StateEntered { to, .. }, _) => info!(state = %to, "{text}"),
            (_, Level::ERROR) => error!("{text}"),
            (_, Level::WARN) => warn!("{text}"),
            (_, Level::INFO) => info!("{text}"),
            _ => debug!("{text}"),
        }
    }
}
