//! A flag that a command does not heed.

/// A flag that has no effect on a command, unless that has to make the plan anew.
#[derive(Clone, Debug)]
pub(super) struct Unheeded {
    pub flag: String,
    pub command: &'static str,
}
