//! The occasions of a notification.

use std::fmt;

use serde::{Deserialize, Serialize};

/// When a receiver is sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occasion {
    /// A release is in the journal, and its runner begins.
    Started,
    /// The deployment pauses until somebody approves it.
    AwaitingApproval,
    /// The deployment is held; users are on a healthy environment, and a person decides.
    Held,
    /// The previous version is back.
    RolledBack,
    /// A person is needed.
    Stuck,
    /// The version is released.
    Completed,
    /// No process has carried the deployment on for a while, and `bluegreen resume --all` does now.
    Interrupted,
}

impl Occasion {
    /// Each of them, in the order in which a deployment meets them.
    pub const ALL: [Occasion; 7] = [
        Occasion::Started,
        Occasion::AwaitingApproval,
        Occasion::Held,
        Occasion::RolledBack,
        Occasion::Stuck,
        Occasion::Completed,
        Occasion::Interrupted,
    ];

    /// As a sentence about a deployment ends, as in `shop-blue, v1 to v2: HELD`.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Occasion::Started => "started",
            Occasion::AwaitingApproval => "WAITING FOR APPROVAL",
            Occasion::Held => "HELD",
            Occasion::RolledBack => "ROLLED BACK",
            Occasion::Stuck => "STUCK, a person is needed",
            Occasion::Completed => "completed",
            Occasion::Interrupted => "INTERRUPTED",
        }
    }
}

/// As the file names it, as in `awaiting-approval`.
impl fmt::Display for Occasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Occasion::Started => "started",
            Occasion::AwaitingApproval => "awaiting-approval",
            Occasion::Held => "held",
            Occasion::RolledBack => "rolled-back",
            Occasion::Stuck => "stuck",
            Occasion::Completed => "completed",
            Occasion::Interrupted => "interrupted",
        })
    }
}
