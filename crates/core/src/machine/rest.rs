//! How a deployment rests.

/// How a deployment rests: nothing happens in it until an operator says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// The version is released.
    Completed,
    /// The version before it is back.
    RolledBack,
    /// It pauses as its plan says.
    Paused,
    /// It is held: users are on a healthy environment, and a person decides.
    Held,
    /// A person must act.
    Stuck,
}
