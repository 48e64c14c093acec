//! A target of a fleet, and how its release stands.

use serde::{Deserialize, Serialize};

use crate::machine::Rest;
use crate::moment::Moment;
use crate::plan::Goal;

/// A target of a fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name, of which the fleet has no other.
    pub name: String,
    /// The number of its wave, from 0.
    pub wave: usize,
    /// The number of the query that has found it, from 0; none where the file names it.
    #[serde(default)]
    pub query: Option<usize>,
    /// Its region; none where that follows from the credentials.
    pub region: Option<String>,
    /// Its application.
    pub application: String,
    /// The environment that users are on.
    pub blue: String,
    /// The version that it is released with; none for the newest one.
    pub version: Option<String>,
    /// How its release stands.
    pub standing: Standing,
    /// The deployment that is under way for it, or was the last.
    pub attempt: Option<Attempt>,
    /// The deployment that has released its version, where a later one undoes that.
    pub released: Option<String>,
    /// The deployment of an earlier run of the fleet that has released what is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<String>,
    /// Why it stands so, where that is no success.
    pub why: Option<String>,
}

/// One deployment of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The id of the deployment, chosen before it begins: whoever continues it begins no second one.
    pub deployment: String,
    /// Which version it puts into production.
    pub goal: Goal,
    /// The process that carries it out; none where that has left it.
    pub worker: Option<String>,
    /// When that process has taken it.
    pub since: Moment,
}

/// How the release of a target stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Standing {
    /// It has not begun.
    Waiting,
    /// A process carries it out, or has left it in the middle.
    UnderWay,
    /// Its version is live.
    Completed,
    /// The version before is live again.
    RolledBack,
    /// It is held: users are on a healthy environment, and a person decides.
    Held,
    /// A person must act.
    Stuck,
    /// It was refused before it changed anything.
    Refused,
    /// Something interrupted it that a retry does not mend, such as expired credentials.
    Interrupted,
}

impl Standing {
    /// Whether the target lacks the version that its fleet releases, for a reason.
    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(
            self,
            Standing::RolledBack
                | Standing::Held
                | Standing::Stuck
                | Standing::Refused
                | Standing::Interrupted
        )
    }

    /// Whether it begins again when its fleet is resumed: it failed, and left users as before.
    #[must_use]
    pub fn begins_again(self) -> bool {
        matches!(self, Standing::Refused | Standing::RolledBack)
    }

    /// How much it matters to an operator: the greatest decides the exit code of the fleet.
    #[must_use]
    pub fn urgency(self) -> u8 {
        match self {
            Standing::Waiting | Standing::UnderWay | Standing::Completed => 0,
            Standing::Refused => 1,
            Standing::RolledBack => 2,
            Standing::Interrupted => 3,
            Standing::Held => 4,
            Standing::Stuck => 5,
        }
    }

    /// The standing in words.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Standing::Waiting => "waiting",
            Standing::UnderWay => "under way",
            Standing::Completed => "completed",
            Standing::RolledBack => "rolled back",
            Standing::Held => "held",
            Standing::Stuck => "stuck",
            Standing::Refused => "refused",
            Standing::Interrupted => "interrupted",
        }
    }
}

impl From<Rest> for Standing {
    fn from(rest: Rest) -> Standing {
        match rest {
            Rest::Completed => Standing::Completed,
            Rest::RolledBack => Standing::RolledBack,
            Rest::Held => Standing::Held,
            Rest::Stuck => Standing::Stuck,
            // A fleet pauses between waves alone.
            Rest::Paused => Standing::UnderWay,
        }
    }
}

impl Member {
    /// Whether its release has yet to begin or to come to its rest.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.standing, Standing::Waiting | Standing::UnderWay)
    }

    /// Whether the target has what no operator wanted: one that was ordered back to the version
    /// before, and is there, has not failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.standing.is_failure() && !self.was_returned()
    }

    /// Whether an operator has had it returned to the version before.
    #[must_use]
    pub fn was_returned(&self) -> bool {
        let attempt = self.attempt.as_ref();
        let is_ordered = attempt.is_none_or(|attempt| attempt.goal == Goal::Previous);
        self.standing == Standing::RolledBack && is_ordered
    }

    /// No process carries it out any longer: whoever comes next continues it.
    pub fn leave(&mut self) {
        self.standing = Standing::UnderWay;
        self.why = None;
        if let Some(attempt) = &mut self.attempt {
            attempt.worker = None;
        }
    }

    /// Whether a deployment carries out this goal for it.
    #[must_use]
    pub fn is_under_way(&self, goal: Goal) -> bool {
        self.standing == Standing::UnderWay
            && self
                .attempt
                .as_ref()
                .is_some_and(|attempt| attempt.goal == goal)
    }

    /// Whether something of its release is left to undo.
    #[must_use]
    pub fn is_to_undo(&self) -> bool {
        match self.standing {
            Standing::Completed => self.attempt.is_some(),
            Standing::Held => true,
            Standing::UnderWay | Standing::Interrupted => {
                let attempt = self.attempt.as_ref();
                attempt.is_some_and(|attempt| attempt.goal == Goal::Release)
            }
            Standing::Waiting | Standing::RolledBack | Standing::Stuck | Standing::Refused => false,
        }
    }
}
