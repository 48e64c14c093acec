//! What hooks order at a change of state.

use crate::machine::Cause;

/// What hooks order at a change of state.
pub(super) enum Word {
    GoOn,
    Hold(Cause),
    GoBack(Cause),
}
