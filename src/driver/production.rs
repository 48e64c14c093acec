//! What the last poll found of production while it bakes.

use crate::clock::Moment;
use crate::facts::Sighting;

/// Production while it bakes, as a poll found it.
pub(super) struct Production {
    /// What that poll found.
    pub(super) sighting: Sighting,
    /// When it began.
    pub(super) read_at: Moment,
}
